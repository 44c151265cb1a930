"""Chapter 2: fill in the functions, one by one; each says what to do.

python -m Exercises                 where you are, and what is next
python -m Exercises CH2             checks all of this file
python -m Exercises CH2 3           checks one; --hint helps
python -m Exercises CH2 --core      checks the core path

Stars say how hard one is, from ★ to ★★★; ◆ marks the core path: the exercises to do if you do few.
An exercise may use the functions before it. Each names the section of the notebook to read.
"""

from collections.abc import Callable, Iterator

import torch


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """★◆ RMSNorm: divide each vector by the root of the mean of its squares.

        y = x / sqrt(mean(x²) + eps) * weight

    Args:
        x: `(..., dim)`, float32.
        weight: `(dim,)`.
        eps: keeps the root away from zero.

    Returns:
        `(..., dim)`.

    >>> x, weight = torch.tensor([3.0, 4.0]), torch.tensor([1.0, 10.0])
    >>> rms_norm(x, weight, eps=0.0)  # the root is sqrt(12.5) = 3.5355
    tensor([ 0.8485, 11.3137])

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "1. A model from a folder"
    """
    raise NotImplementedError


def tokens_that_stay(tokenizer, text: str, more: str) -> int:
    """★ A text grows: how many of its tokens stay as they are?

    The tokens of `text + more` need not begin with the tokens of `text`: what is appended may merge
    with what was there. A program that keeps what it knows of a text's tokens (section 7) must
    begin again at the first token that has changed.

    Args:
        tokenizer: has `encode(text) -> ids`, such as the tokenizer of `load_qwen3("tiny")`.
        text: the text so far.
        more: what is appended to it.

    Returns:
        How many tokens of `text`, counted from its beginning up to the first that differs, are
        tokens of `text + more` as well. For `tiny`, "7 *" is ["7", " ", "*"], and "7 * 8" is
        ["7", " * ", "8"]: one token stays.

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "2. Text becomes numbers"
    """
    raise NotImplementedError


def merge_pairs(word: str, ranks: dict[tuple[str, str], int]) -> list[str]:
    """★★ How a tokenizer finds its pieces: byte-pair encoding (Sennrich et al., 2016).

    Begin with single characters. Of all pairs of neighbours, merge the one with the lowest rank
    into one piece; if it occurs several times, the leftmost first. Repeat until no pair of
    neighbours has a rank.

    Args:
        word: one or more characters.
        ranks: the pairs that can be merged, and their ranks: the order in which the tokenizer
            learned them.

    Returns:
        The pieces; joined they are the word.

    >>> merge_pairs("there", {("h", "e"): 0, ("t", "h"): 1, ("r", "e"): 2, ("t", "he"): 3})
    ['the', 're']
    >>> merge_pairs("abc", {("b", "c"): 0, ("a", "b"): 1})
    ['a', 'bc']

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "2. Text becomes numbers"
    """
    raise NotImplementedError


def gated_feed_forward(
    x: torch.Tensor, gate: torch.Tensor, up: torch.Tensor, down: torch.Tensor
) -> torch.Tensor:
    """★ SwiGLU: a feed-forward layer in which a gate decides how much of each value passes.

        gates  = silu(gate applied to x), with silu(z) = z / (1 + exp(-z))
        values = up applied to x
        y      = down applied to gates * values, number by number

    Args:
        x: `(..., dim)`.
        gate, up: matrices `(hidden_dim, dim)`. PyTorch stores a matrix as (outputs, inputs), so it
            is applied by `x @ matrix.T`.
        down: matrix `(dim, hidden_dim)`.

    Returns:
        `(..., dim)`.

    >>> x, one = torch.tensor([2.0]), torch.eye(1)
    >>> gated_feed_forward(x, one, one, one)  # silu(2) = 1.7616, times the value 2
    tensor([3.5232])
    >>> gated_feed_forward(x, 0 * one, one, one)  # silu(0) = 0: the gate is closed
    tensor([0.])

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "3. One forward pass"
    """
    raise NotImplementedError


def next_token_probabilities(logits: torch.Tensor) -> torch.Tensor:
    """★◆ From scores to probabilities: what could follow each text of a batch?

    The softmax of the scores at the last token: p_i = exp(z_i) / sum over j of exp(z_j).

    Args:
        logits: `(batch, seq, vocab)`, what a model returns. They may be large: exp(1000) is
            infinite, and yet the probabilities are ordinary numbers.

    Returns:
        `(batch, vocab)`; each row sums to 1.

    >>> logits = torch.tensor([[[5.0, 0.0], [0.0, 1.0986]]])
    >>> next_token_probabilities(logits)  # 1.0986 is log 3: odds of 1 to 3
    tensor([[0.2500, 0.7500]])

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "3. One forward pass"
    """
    raise NotImplementedError


def input_for(model: torch.nn.Module, ids: list[int]) -> torch.Tensor:
    """★ A prompt where the model is: on the CPU, on a GPU, or elsewhere.

    A model on a GPU cannot read a tensor that lies in the CPU's memory. Make the prompt's
    tensor on the model's own device, whichever that is; then the same code runs everywhere.

    Args:
        model: any model with parameters; all of them are on one device.
        ids: token ids of one prompt.

    Returns:
        int64 `(1, seq)`, on the model's device.

    >>> input_for(torch.nn.Linear(2, 2), [5, 6, 7])
    tensor([[5, 6, 7]])
    >>> elsewhere = torch.nn.Linear(2, 2, device="meta")  # meta: shapes without memory
    >>> input_for(elsewhere, [5, 6, 7]).device
    device(type='meta')

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "3. One forward pass"
    """
    raise NotImplementedError


def until_stop(tokens: Iterator[int], stop_ids: tuple[int, ...]) -> Iterator[int]:
    """★ Hand out tokens until one of them ends the text.

    A generator (`yield`): each token is handed out before the next one is asked for. The stop token
    is not handed out, and nothing is read after it.

    Args:
        tokens: an iterator. It may end without a stop token, or never end by itself.
        stop_ids: ids that end a text; there may be several.

    >>> list(until_stop(iter([5, 8, 2, 9]), stop_ids=(1, 2)))
    [5, 8]

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "4. Generation by hand"
    """
    raise NotImplementedError


def generate_by_hand(
    model, input_ids: torch.Tensor, max_new_tokens: int, stop_ids: tuple[int, ...]
) -> list[int]:
    """★★◆ Greedy generation: the most likely token, again and again.

    Give the model the text so far. Of the scores at the last token, the largest names the next
    token. Append it, and give the model the longer text.

    Args:
        model: `model(ids (1, seq)) -> logits (1, seq, vocab)`.
        input_ids: the prompt, `(1, seq)`.
        max_new_tokens: end after so many.
        stop_ids: end, too, when the model chooses one of these.

    Returns:
        The new tokens, without the prompt and without the stop token.

    >>> counts_up = lambda ids: torch.nn.functional.one_hot(ids + 1, 10)  # best: the next number
    >>> generate_by_hand(counts_up, torch.tensor([[3, 4]]), max_new_tokens=9, stop_ids=(8,))
    [5, 6, 7]

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "4. Generation by hand"
    """
    raise NotImplementedError


def complete_characters(pieces: Iterator[bytes]) -> Iterator[str]:
    """★★ Streaming generation: show text as it comes, but no half characters.

    A token may hold only some of the bytes of a character (in UTF-8, "é" has two, "🙂" four). Hand
    out text as soon as it is complete, and hold the rest back until the bytes that are missing
    arrive.

    Args:
        pieces: the bytes of one token after another. Together they are valid UTF-8.

    Yields:
        After each piece: the characters that are complete now and were not handed out yet; nothing
            if there are none.

    >>> list(complete_characters(iter([b"caf", b"\\xc3", b"\\xa9!"])))
    ['caf', 'é!']

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "4. Generation by hand"
    """
    raise NotImplementedError


def positions_read(prompt: int, new: int, cached: bool) -> int:
    """★ How much a model reads to write an answer.

    Without a cache, each step reads all that is there: the prompt and every new token so far. With
    a cache, the first step reads the prompt, and each later step the newest token only. The last
    token that is written is never read.

    Args:
        prompt: tokens of the prompt.
        new: tokens that are generated, at least 1.
        cached: whether there is a cache.

    Returns:
        The number of positions read, all steps together.

    >>> positions_read(10, 3, cached=False)  # 10 + 11 + 12
    33
    >>> positions_read(10, 3, cached=True)  # 10 + 1 + 1
    12

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "5. Why it is slow"
    """
    raise NotImplementedError


def rotate(x: torch.Tensor, position: int, theta: float) -> torch.Tensor:
    """★★ RoPE for one vector: turn pairs of its coordinates by angles that grow with the position.

    Coordinate i of the first half and coordinate i of the second half are a point in the plane. It
    is turned by angle = position * theta ** (-2 * i / head_dim):

        first  * cos(angle) - second * sin(angle)   in the first half
        second * cos(angle) + first  * sin(angle)   in the second half

    Args:
        x: `(head_dim,)`, head_dim even; a query or a key.
        position: of the token in its text, from 0.
        theta: base of the angles.

    Returns:
        `(head_dim,)`.

    >>> rotate(torch.tensor([1.0, 0.0]), position=1, theta=10_000.0)  # cos 1, sin 1
    tensor([0.5403, 0.8415])

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "6. Attention"
    """
    raise NotImplementedError


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """★★◆ Grouped-query attention by loops over heads and positions.

    Query head h uses key-value head h // group, with group = heads / kv_heads: neighbours share.
    The query at position n looks at the keys at positions 0 ... n, no later ones. The weights are
    the softmax of q · k / sqrt(head_dim); the output is the sum of the values, each times its
    weight.

    Args:
        q: `(heads, seq, head_dim)`.
        k, v: `(kv_heads, seq, head_dim)`.

    Returns:
        `(heads, seq, head_dim)`.

    >>> q, k = torch.zeros(2, 3, 1), torch.zeros(1, 3, 1)  # all scores equal: a query averages
    >>> attend(q, k, torch.tensor([[[3.0], [5.0], [10.0]]])).squeeze(-1)
    tensor([[3., 4., 6.],
            [3., 4., 6.]])

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "6. Attention"
    """
    raise NotImplementedError


def transformer_block(x: torch.Tensor, weights: dict[str, torch.Tensor], config) -> torch.Tensor:
    """★★★ A whole block of Qwen3, from your own parts.

    Two branches. Each reads the normalised stream x and adds to it:

        x = x + attention(rms_norm(x, weights["input_layernorm.weight"]))
        x = x + feed_forward(rms_norm(x, weights["post_attention_layernorm.weight"]))

    The feed-forward branch is your `gated_feed_forward`. The attention branch takes five steps:

    1. Apply q_proj, k_proj and v_proj to its input. Cut each row of the results into heads of
       `head_dim` numbers: `(seq, heads * head_dim)` becomes `(heads, seq, head_dim)`.
    2. Normalise the queries with q_norm and the keys with k_norm, by your `rms_norm`.
    3. Turn each query and each key by its position, with your `rotate`.
    4. Let your `attend` do its work.
    5. Put the heads of a position side by side again, and apply o_proj.

    Args:
        x: `(seq, hidden_size)`; row n is the token at position n.
        weights: the block's tensors by their names in a checkpoint. "self_attn." stands before
            "q_proj.weight", "k_proj.weight", "v_proj.weight", "o_proj.weight", "q_norm.weight" and
            "k_norm.weight"; "mlp." before "gate_proj.weight", "up_proj.weight" and
            "down_proj.weight"; nothing before "input_layernorm.weight" and
            "post_attention_layernorm.weight". A matrix is applied by `x @ matrix.T`.
        config: has `head_dim`, `rope_theta` and `rms_norm_eps`.

    Returns:
        `(seq, hidden_size)`.

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "6. Attention"
    """
    raise NotImplementedError


def small_model(ids: list[int], weights: dict[str, torch.Tensor], config) -> torch.Tensor:
    """★★ A whole Qwen3 from your own parts, with the logits of the shipped model.

    Look up each token's row in the embedding table. Send the rows through all blocks (your
    `transformer_block`). Normalise them with "norm.weight" (your `rms_norm`), and apply the output
    matrix "lm_head.weight".

    Args:
        ids: token ids of one text.
        weights: all tensors of a checkpoint by their names. The table is "embed_tokens.weight",
            `(vocab, hidden_size)`. The tensors of block 3 are those that begin with "layers.3.".
        config: has `num_hidden_layers` and `rms_norm_eps`, and what a block needs.

    Returns:
        Logits, `(seq, vocab)`.

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "6. Attention"
    """
    raise NotImplementedError


def append_to_buffer(
    buffer: torch.Tensor, length: int, new: torch.Tensor
) -> tuple[torch.Tensor, int]:
    """★★ A cache that grows: write into the room that is left, and double the buffer when it is
    full.

    `torch.cat` at every step copies everything at every step. A buffer with room for more is
    written to in place. Only when the new tokens do not fit is a larger one made, of twice the
    capacity (or four times, eight times, ... if that is what they need), and the old tokens are
    copied.

    Args:
        buffer: `(kv_heads, capacity, head_dim)`; its first `length` positions hold keys, the others
            nothing of meaning.
        length: how many tokens it holds so far.
        new: keys of the next tokens, `(kv_heads, seq, head_dim)`.

    Returns:
        The buffer, the same one if there was room, and how many tokens it holds now. Capacity 4
        with 3 tokens: one more fits exactly; two more need a buffer for 8, six more one for 16.

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "7. The key-value cache"
    """
    raise NotImplementedError


def stream_with_cache(
    model, cache, input_ids: torch.Tensor, max_new_tokens: int, stop_ids: tuple[int, ...]
) -> Iterator[int]:
    """★★◆ Streaming with the cache: each token the moment it is made, and nothing read twice.

    A generator. The first call of the model reads the prompt, each later one the newest token
    alone; the cache keeps the rest. A token is handed out before the model is called again, and
    after the last one it is not called again.

    Args:
        model: `model(ids (1, seq), cache) -> logits (1, seq, vocab)`. The ids continue what the
            cache holds, and are added to it.
        cache: an empty `KVCache`; give it to the model at each call.
        input_ids: the prompt, `(1, seq)`.
        max_new_tokens: end after so many.
        stop_ids: end, too, when the model chooses one of these, which is not handed out.

    Yields:
        The most likely token of each step, an int. With a prompt of 5 tokens and 3 new ones, the
        calls read 5, 1 and 1 positions.

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "7. The key-value cache"
    """
    raise NotImplementedError


def longest_text(config, memory: int, bytes_per_number: int) -> int:
    """★ What a cache costs: the longest text whose keys and values fit into a memory.

    Args:
        config: the shape of a model; has `num_hidden_layers`, `num_attention_heads`,
            `num_key_value_heads`, `head_dim`, `hidden_size`, and `max_position_embeddings`, the
            longest text that the model can read.
        memory: bytes that are left for the cache.
        bytes_per_number: 2 for bfloat16, 4 for float32.

    Returns:
        Tokens, a whole number. Qwen3-0.6B (28 layers, 16 heads on 8 key-value heads of size 128) in
        bfloat16: 8 tokens in a million bytes, and no more than its 40,960 in any memory.

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "8. What a cache costs"
    """
    raise NotImplementedError


def tokens_per_second(tokens: Iterator[int], clock: Callable[[], float]) -> float:
    """★ The speed of a stream of tokens.

    Before the first token, the model reads the prompt, and perhaps is compiled, which takes a time
    of its own. So let the clock start when the first token arrives, and count the tokens that come
    after it.

    Args:
        tokens: a stream of at least two tokens, such as `generate(...)`; they arrive one by one.
        clock: gives the time in seconds, such as `time.perf_counter`.

    Returns:
        Tokens per second. Five tokens that arrive at 3.0, 3.5, 4.0, 4.5 and 5.0 seconds: 4 tokens
        in 2 seconds, so 2.0.

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "9. Compilation"
    """
    raise NotImplementedError


def next_scores(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """★★◆ The scores for each row's next token, on whichever side its padding stands.

    Padded on the left, as in the notebook, all texts end in the last column. Padded on the right,
    each ends in a column of its own, and the last column may be padding: a loop that reads its next
    token there goes wrong without an error message.

    Args:
        logits: `(batch, seq, vocab)`, what a model returns.
        mask: bool `(batch, seq)`, True for real tokens, at least one in each row. Padding may
            stand on the left, on the right, or on both sides.

    Returns:
        `(batch, vocab)`: the logits at each row's last real token.

    >>> logits = torch.tensor([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
    >>> mask = torch.tensor([[True, True, False], [False, True, True]])
    >>> next_scores(logits, mask)
    tensor([[2.],
            [6.]])

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "10. Many prompts at once"
    """
    raise NotImplementedError


def generate_rows(
    model,
    prompts: list[list[int]],
    max_new_tokens: int,
    stop_ids: tuple[int, ...],
    pad_id: int,
) -> list[list[int]]:
    """★★★ Many prompts at once, and each row ends when its own text ends.

    At each step, pad the texts that are still growing, on either side, call the model once for all
    of them, and give each its most likely next token (your `next_scores`). A text has ended when
    that token is a stop token, which is not kept, or when it has `max_new_tokens`. What has ended
    is not in the next batch; when everything has ended, the model is not called again.

    Args:
        model: `model(ids (batch, seq), padding_mask=mask) -> logits (batch, seq, vocab)`; the mask,
            bool `(batch, seq)`, is True for real tokens. The model finds positions itself.
        prompts: token ids of each, at least one token each.
        max_new_tokens: for each text, at least 1.
        stop_ids: ids that end a text.
        pad_id: fills up the shorter rows.

    Returns:
        The new tokens of each prompt, in the order of the prompts.

    >>> def counts_up(ids, padding_mask):  # the best next token is the last one plus 1
    ...     return torch.nn.functional.one_hot((ids + 1) % 10, 10)
    >>> generate_rows(counts_up, [[1], [2, 3], [6]], max_new_tokens=3, stop_ids=(8,), pad_id=0)
    [[2, 3, 4], [4, 5, 6], [7]]

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "10. Many prompts at once"
    """
    raise NotImplementedError


def four_bit_product(
    x: torch.Tensor, packed: torch.Tensor, scales: torch.Tensor, offsets: torch.Tensor
) -> torch.Tensor:
    """★★ A vector times a matrix of four bits per weight, which never becomes a matrix of weights.

    In each group of neighbours of a row, weight = code * scale + offset. So a group gives

        sum of x * weight = scale * (sum of x * code) + offset * (sum of x)

    and an output is the sum over the groups of its row. A byte of the matrix holds two codes, from
    0 to 15: the lower four bits that of an even column (0, 2, ...), the upper four that of its
    right neighbour: byte = code + 16 * neighbour.

    Args:
        x: float32 `(columns,)`.
        packed: uint8 `(rows, columns / 2)`.
        scales, offsets: float32 `(rows, groups)`; all groups are equally long.

    Returns:
        float32 `(rows,)`.

    >>> packed = torch.tensor([[128, 245]], dtype=torch.uint8)  # codes 0, 8 and 5, 15
    >>> scale, offset = torch.tensor([[0.2]]), torch.tensor([[-1.0]])
    >>> four_bit_product(torch.ones(4), packed, scale, offset)  # 0.2 * 28 - 1.0 * 4
    tensor([1.6000])

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "12. Fewer bits per weight"
    """
    raise NotImplementedError


def chat_prompt(messages: list[dict[str, str]], thinking: bool) -> str:
    r"""★★ Qwen3's chat template: a conversation becomes one text.

    Each message is written as `<|im_start|>`, its role, a line break, its content, `<|im_end|>`, a
    line break. After the last one, `<|im_start|>assistant` and a line break open the model's turn.

    - without thinking, an empty thought follows: `<think>`, two line breaks, `</think>`, two line
      breaks. It tells the model to answer at once
    - an earlier answer of the assistant's may begin with a thought. It is left out: everything up
      to `</think>`, and the line breaks after it

    Args:
        messages: dictionaries with `role` ("system", "user" or "assistant") and `content`; the last
            one is the user's.
        thinking: whether the model may think.

    Returns:
        The text, for `tokenizer.encode(text, allow_special=True)`.

    >>> chat_prompt([{"role": "user", "content": "1 + 1?"}], thinking=True)
    '<|im_start|>user\n1 + 1?<|im_end|>\n<|im_start|>assistant\n'
    >>> chat_prompt([{"role": "user", "content": "1 + 1?"}], thinking=False)[-19:]
    '<think>\n\n</think>\n\n'

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "14. The family, and how to load it"
    """
    raise NotImplementedError


def race(model, tokenizer, question: str, max_new_tokens: int) -> tuple[str, float, float]:
    r"""★◆ Capstone: your two generators write a text of the shipped model. Does your cache win?

    Put the question into the chain-of-thought template, and let both your generators continue it:
    first `generate_by_hand`, then `stream_with_cache` with a new `KVCache()`. Take the time of
    each. You need:

        from Appendixes.KVcache import KVCache
        from CH2.prompts import CHAIN_OF_THOUGHT, render    # render(template, question) -> text
        from time import perf_counter                       # seconds, at two moments

    Args:
        model: the shipped model, for both generators; `stream_with_cache` calls it with the cache.
        tokenizer: has `encode(text) -> ids`, `decode(ids) -> text` and `stop_ids`.
        question: such as "What is 47 * 36?".
        max_new_tokens: end after so many.

    Returns:
        The text that `stream_with_cache` wrote, the seconds of `generate_by_hand`, and those of
        `stream_with_cache`.

    Read: CH2/1_load_LLM&speedup_inference.ipynb, section "What you have now"
    """
    raise NotImplementedError
