"""Hints of chapter 2: up to three an exercise, each saying more than the one before."""

HINTS = {
    "tokens_that_stay": (
        "Two lists of ids: of the text alone, and of the text with what is appended.",
        "Go through both at once: `zip(before, after)` gives pairs. At which place is the first that differs?",
        "If none differs, all the ids of the shorter list stay.",
    ),
    "rms_norm": (
        "The mean runs over the last dimension only: every vector has a root of its own.",
        "`mean(dim=-1, keepdim=True)` keeps the dimension, so that the division fits `(..., dim)`.",
        "`eps` stands under the root, beside the mean: `(x * x).mean(dim=-1, keepdim=True) + eps`.",
    ),
    "next_token_probabilities": (
        "Only the scores at the last token of each text count: `logits[:, -1]`.",
        "Large scores: subtracting the same number from all scores of a row changes no probability.",
        "`softmax(dim=-1)` does that subtraction for you.",
    ),
    "input_for": (
        "A tensor knows where it lies: `tensor.device`. A model is made of tensors.",
        "`next(model.parameters())` is one of them.",
        "`torch.tensor([ids], device=...)`: the inner list is the row of the batch.",
    ),
    "until_stop": (
        "A function with `yield` in it is a generator; `return` ends it.",
        "Look at each token before you hand it out.",
        "for token in tokens: if it is in stop_ids, return; else yield it.",
    ),
    "generate_by_hand": (
        "Three steps in a loop: ask the model, choose, append.",
        "`model(ids)[0, -1].argmax()` is the choice; `.item()` makes it an int.",
        "`torch.cat((ids, token.view(1, 1)), dim=1)` makes the longer text. Look for stop tokens before you append.",
    ),
    "complete_characters": (
        "Keep the bytes that are no whole character yet, and append the next piece to them.",
        "The standard library has a decoder that remembers: `codecs.getincrementaldecoder`.",
        "decoder = codecs.getincrementaldecoder('utf-8')(); then decoder.decode(piece); yield only what is not empty.",
    ),
    "positions_read": (
        "Write down the steps of a small example: prompt 10, three new tokens.",
        "Without a cache, step number i (from 0) reads prompt + i positions.",
        "With a cache: the prompt once, then one position for each of the new - 1 later steps.",
    ),
    "tokens_per_second": (
        "Look at the clock each time a token has arrived.",
        "n arrivals have n - 1 gaps between them.",
        "(number of tokens - 1) / (time of the last - time of the first)",
    ),
    "rotate": (
        "First and second half: `x[:half]` and `x[half:]`, with half = head_dim // 2.",
        "`torch.arange(half)` is all i at once, so the angles are one line.",
        "Compute both halves of the result from the old halves, then `torch.cat` them.",
    ),
    "attend": (
        "Two loops: over query heads and over positions. The rest is one vector against a matrix.",
        "Causal: for position n take `k[head // group, : n + 1]`, so there is nothing to mask.",
        "scores = keys @ query / head_dim**0.5; weights = scores.softmax(dim=0); output = weights @ values",
    ),
    "append_to_buffer": (
        "Which capacity is needed? Double until `length + new.shape[1]` fits; exactly full is fine.",
        "`buffer.new_empty(kv_heads, capacity, head_dim)` makes a larger one; copy the first `length` positions.",
        "In both cases, at the end: `buffer[:, length : length + seq] = new`. Assigning to a slice writes in place.",
    ),
    "stream_with_cache": (
        "Like generation by hand, but what you give to the model is only what it has not read yet.",
        "At first that is `input_ids`; after each step it is the new token as a tensor `(1, 1)`.",
        "In the loop: model(new, cache), choose, stop or `yield token.item()`, then `new = token.view(1, 1)`.",
    ),
    "longest_text": (
        "Each token leaves a key and a value in every layer. How many heads have keys of their own? Not the query heads.",
        "2 * layers * key-value heads * head_dim numbers per token; `//` divides without a remainder.",
        "Memory is one limit, the model's longest text another: `min` of the two.",
    ),
    "next_scores": (
        "Of each row you need the largest column at which the mask is True.",
        "`torch.where(mask, columns, -1)` with `columns = torch.arange(seq)` puts -1 at padding; then `amax(dim=1)`.",
        "`logits[torch.arange(batch), last]` takes one column from each row.",
    ),
    "merge_pairs": (
        "A list of pieces and a `while True`: find the best pair, merge it, or return if there is none.",
        "`enumerate(zip(pieces, pieces[1:]))` gives every pair of neighbours and its place.",
        "The smallest (rank, place) is the one to merge: `pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]`.",
    ),
    "gated_feed_forward": (
        "Three lines: the gates, the values, and what is made of their products.",
        "`x @ gate.T` applies the matrix; `torch.nn.functional.silu` is silu.",
        "(silu(x @ gate.T) * (x @ up.T)) @ down.T",
    ),
    "transformer_block": (
        "Write a small function `heads(name, x)` first: x @ matrix.T, then `unflatten(-1, (-1, head_dim))`, which gives (seq, heads, head_dim), then `transpose(0, 1)`.",
        "The norms of queries and keys run over head_dim, the last dimension, so `rms_norm` takes all heads at once. `rotate` takes one vector: two loops and `torch.stack`.",
        "Back from `(heads, seq, head_dim)` to rows: `transpose(0, 1).flatten(1)`. The second branch reads the x to which the first has added.",
    ),
    "small_model": (
        "The table is a tensor: `table[ids]` takes the rows of a list of ids.",
        "A block wants its own names: those that begin with `layers.3.`, without that. Mind the point: `layers.1` begins `layers.10.`, too.",
        "{name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}",
    ),
    "generate_rows": (
        "Keep a list of the numbers of the rows that are still growing; it gets shorter. Each row keeps its own text.",
        "Pad with `text + [pad_id] * missing`, and make the mask from lengths, not from ids: `pad_id` may be a real token, too.",
        "`zip(growing, tokens)` tells whose token it is. A row that meets a stop token, or is full, is not in the next list.",
    ),
    "four_bit_product": (
        "The codes first: `packed % 16` are the lower four bits, `packed // 16` the upper ones; `torch.stack(..., dim=-1).flatten(1)` puts them side by side.",
        "`codes.unflatten(1, (groups, -1))` gives (rows, groups, columns of a group), and `x.unflatten(0, (groups, -1))` fits its last two dimensions.",
        "(scales * (codes * x).sum(dim=-1) + offsets * x.sum(dim=-1)).sum(dim=-1), with codes and x in groups.",
    ),
    "chat_prompt": (
        "One string that grows: a piece for each message, and one at the end.",
        'An f-string does a message: f"<|im_start|>{role}\\n{content}<|im_end|>\\n".',
        "An earlier thought: `content.split('</think>')[-1].lstrip('\\n')`, for the assistant's messages.",
    ),
    "race": (
        "Five lines: the ids, the time, one generator, the time, the other, the time.",
        "`torch.tensor([tokenizer.encode(render(CHAIN_OF_THOUGHT, question))])` are the ids, `(1, seq)`. `stream_with_cache` does nothing until it is run through: `list(...)`.",
        "The text is `tokenizer.decode(tokens)`; the seconds are differences of `perf_counter()`, as floats.",
    ),
}
