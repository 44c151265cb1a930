"""Checks of chapter 2's exercises, with reference values computed apart from the solutions.

Each exercise has a function of its name, `(rng) -> cases`. `rng` has a new seed at each run.
"""

import cmath
import itertools
import math
from collections.abc import Callable, Iterator
from random import Random
from time import perf_counter

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models

from Appendixes.KVcache import KVCache
from Appendixes.QWEN3Model import Qwen3Config, Qwen3Model, find_checkpoint, load_qwen3
from Appendixes.QWEN3TransformerBlock import TransformerBlock
from Appendixes.RoPE import rope_cos_sin
from CH2.generation import generate, generate_batch
from CH2.prompts import CHAIN_OF_THOUGHT, render
from Exercises.cases import Case, Mistake, Seen

SYLLABLES = ("ard", "wark", "leth", "yrx", "quon", "zim", "pov", "é", "ß", "🙂")


def _randn(rng: Random, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(rng.getrandbits(32)))


def _ids(rng: Random, least: int, most: int, vocab: int = 20) -> list[int]:
    return [rng.randrange(vocab) for _ in range(rng.randint(least, most))]


def _stream(result, at_each: Callable[[list], None] = lambda given: None) -> list:
    """Run through a generator and return its items, calling `at_each(items so far)` after each."""
    if not hasattr(result, "__next__"):
        raise Mistake(
            f"came back: {result!r}\n"
            "expected:  a generator, which hands out its results with `yield`"
        )
    given = []
    for item in result:
        given.append(item)
        at_each(given)
    return given


def tokens_that_stay(rng: Random) -> Iterator[Case]:
    """Check against the ids that the `tokenizers` library itself returns."""
    tokenizer, library = (
        load_qwen3("tiny")[1],
        Tokenizer.from_file(str(find_checkpoint("tiny") / "tokenizer.json")),
    )

    def encode(text: str) -> list[int]:
        return library.encode(text, add_special_tokens=False).ids

    pairs = [
        ("What is 4", "7"),
        ("Explai", "n step by step."),
        ("7 * 7 * 7", " = 343"),
        ("Compute 7 *", " 8"),
        (" st", "epthe"),  # behind the first that differs, a token is the same again
    ]
    for _ in range(4):
        whole = "".join(rng.choices((*SYLLABLES, "the", " remainder", " Explain", "step"), k=6))
        at = rng.randrange(1, len(whole))
        pairs.append((whole[:at], whole[at:]))
    for text, more in pairs:
        before, after = encode(text), encode(text + more)
        same = itertools.takewhile(lambda two: two[0] == two[1], zip(before, after, strict=False))
        yield Case((tokenizer, text, more), len(list(same)))


def rms_norm(rng: Random) -> Iterator[Case]:
    """Check against RMSNorm computed number by number in Python floats."""

    def reference(vector: list[float], weight: list[float], eps: float) -> list[float]:
        root = (sum(number**2 for number in vector) / len(vector) + eps) ** 0.5
        return [number / root * factor for number, factor in zip(vector, weight, strict=True)]

    hand = torch.tensor([3.0, 4.0])
    yield Case(
        (hand, torch.tensor([1.0, 10.0]), 0.0), torch.tensor([12.5**-0.5 * 3, 12.5**-0.5 * 40])
    )
    small = torch.tensor(reference([3e-4, 4e-4], [1, 1], 1e-6))
    yield Case((hand * 1e-4, torch.ones(2), 1e-6), small, note="small numbers: eps counts")
    for shape in ((1, 5), (3, 4), (2, 3, 6)):
        x, weight = _randn(rng, *shape) + 1, _randn(rng, shape[-1])
        rows = [reference(row, weight.tolist(), 1e-6) for row in x.flatten(0, -2).tolist()]
        yield Case((x, weight, 1e-6), torch.tensor(rows).view(shape), tolerance=1e-4)


def gated_feed_forward(rng: Random) -> Iterator[Case]:
    """Check against sums in Python floats."""

    def times(matrix: list[list[float]], vector: list[float]) -> list[float]:
        return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]

    def reference(x: list[float], gate: list, up: list, down: list) -> list[float]:
        gates = [z / (1 + math.exp(-z)) for z in times(gate, x)]
        return times(down, [a * b for a, b in zip(gates, times(up, x), strict=True)])

    one = torch.eye(1)
    yield Case((torch.tensor([2.0]), one, one, one), torch.tensor([4 / (1 + math.exp(-2))]))
    yield Case(
        (torch.tensor([2.0]), 0 * one, one, one), torch.tensor([0.0]), note="the gate is closed"
    )
    tripled = torch.tensor([12 / (1 + math.exp(-2))])
    yield Case((torch.tensor([2.0]), one, 3 * one, one), tripled, note="the value is 6, the gate 2")
    for shape, hidden in (((2,), 3), ((3, 2), 4), ((2, 3, 4), 5)):
        x, dim = _randn(rng, *shape), shape[-1]
        gate, up, down = (
            _randn(rng, hidden, dim),
            _randn(rng, hidden, dim),
            _randn(rng, dim, hidden),
        )
        matrices = [gate.tolist(), up.tolist(), down.tolist()]
        rows = [reference(row, *matrices) for row in x.view(-1, dim).tolist()]
        yield Case((x, gate, up, down), torch.tensor(rows).view(shape), tolerance=1e-4)


def next_token_probabilities(rng: Random) -> Iterator[Case]:
    """Check against exponentials in Python floats, after subtracting the largest score."""

    def reference(scores: list[float]) -> list[float]:
        odds = [math.exp(score - max(scores)) for score in scores]
        return [odd / sum(odds) for odd in odds]

    fixed = [
        torch.tensor([[[5.0, 0.0], [0.0, 1.0986]]]),
        torch.tensor([[[1000.0, 999.0]], [[0.0, 0.0]]]),
    ]
    for logits in (*fixed, *(3 * _randn(rng, batch, 4, 6) for batch in (1, 2, 3))):
        expected = torch.tensor([reference(text[-1]) for text in logits.tolist()])
        yield Case((logits,), expected, note="large scores" if logits.max() > 100 else "")


def input_for(rng: Random) -> Iterator[Case]:
    """Check on a GPU if there is one, and on the device `meta`, which every machine has."""
    for device in ("cpu", "meta", "cpu", "meta", *(["cuda"] if torch.cuda.is_available() else [])):
        model, ids = torch.nn.Linear(2, 3, device=device), _ids(rng, 2, 6)
        expected = torch.tensor([ids], device=next(model.parameters()).device)
        yield Case((model, ids), expected, shown=f"input_for(model on {device}, ids={ids})")


def until_stop(rng: Random) -> Iterator[Case]:
    """Check against `itertools.takewhile`; the stream records how far it was read."""
    fixed = [([5, 8, 2, 9], (1, 2)), ([2, 5], (2,)), ([5, 0, 7], (9,))]
    drawn = [(_ids(rng, 5, 15), (rng.randrange(20), 3)) for _ in range(4)]
    for tokens, stop_ids in fixed + drawn:
        expected = list(
            itertools.takewhile(lambda token, stop_ids=stop_ids: token not in stop_ids, tokens)
        )
        shown = f"list(until_stop(iter({tokens}), stop_ids={stop_ids}))"
        note = "the stream ends without a stop token" if expected == tokens else ""
        yield Case((tokens, stop_ids), expected, run=_run_until_stop, note=note, shown=shown)


def _run_until_stop(
    until_stop: Callable, tokens: list[int], stop_ids: tuple[int, ...]
) -> list[int]:
    read: list[int] = []

    def noted() -> Iterator[int]:
        for token in tokens:
            read.append(token)
            yield token

    def at_each(given: list[int]) -> None:
        if len(read) > len(given) and given == read[: len(given)]:
            raise Mistake(
                f"when it handed out token {len(given)}, it had read {len(read)}: "
                "hand out each as it comes"
            )

    given = _stream(until_stop(noted(), stop_ids), at_each)
    if len(read) > len(given) + 1:
        raise Mistake(
            f"came back: {given}\nbut it read {read}: nothing should be read after the stop token"
        )
    return given


class _ToyModel:
    """A model whose next token is a sum over all tokens so far; it records what it reads."""

    def __init__(self, vocab: int, factor: int):
        self.vocab, self.factor = vocab, factor
        self.calls: list[int] = []  # positions read, call by call

    def next_token(self, ids: list[int]) -> int:
        return (
            sum((place + self.factor) * token + 1 for place, token in enumerate(ids, 1))
            % self.vocab
        )

    def __call__(
        self,
        input_ids: torch.Tensor,
        cache: list[int] | None = None,
        last_position_only: bool = False,
    ):
        if input_ids.dim() != 2 or len(input_ids) != 1:
            raise ValueError(f"the model needs ids of shape (1, seq), not {tuple(input_ids.shape)}")
        self.calls.append(input_ids.shape[1])
        ids = [] if cache is None else cache
        chosen = []
        for token in input_ids[0].tolist():
            ids.append(token)
            chosen.append(self.next_token(ids))
        return 3.0 * F.one_hot(torch.tensor([chosen]), self.vocab) - 1

    def answer(
        self, prompt: list[int], max_new_tokens: int, stop_ids: tuple[int, ...]
    ) -> list[int]:
        """Return the tokens that greedy decoding gives."""
        ids = list(prompt)
        while len(ids) < len(prompt) + max_new_tokens and self.next_token(ids) not in stop_ids:
            ids.append(self.next_token(ids))
        return ids[len(prompt) :]


def _toy_cases(rng: Random) -> Iterator[tuple[_ToyModel, list[int], int, tuple[int, ...]]]:
    """Yield model, prompt, max_new_tokens, stop_ids: answers that are cut, stopped and empty."""
    for count in range(6):
        model, prompt = _ToyModel(rng.randint(11, 19), rng.randint(2, 9)), _ids(rng, 3, 6, vocab=11)
        whole = model.answer(prompt, 12, ())
        stop_ids = ((), (whole[5], 99), (whole[0],), (98, whole[3]), (whole[7],), ())[count]
        yield model, prompt, rng.randint(3, 9), stop_ids


def generate_by_hand(rng: Random) -> Iterator[Case]:
    """Check toy models by sums, and the shipped model against the repository's `generate`."""
    for model, prompt, most, stop_ids in _toy_cases(rng):
        expected = model.answer(prompt, most, stop_ids)
        shown = f"generate_by_hand(model, tensor([{prompt}]), {most}, {stop_ids=})"
        note = "" if expected else "the first token is a stop token"
        arguments = (model, torch.tensor([prompt]), most, stop_ids)
        yield Case(arguments, expected, shown=shown, note=note)
    model, tokenizer = load_qwen3("tiny")
    ids = torch.tensor(
        [tokenizer.encode(f"What is {rng.randint(10, 99)} + {rng.randint(10, 99)}?")]
    )
    yield Case(
        (model, ids, 8, tokenizer.stop_ids),
        list(generate(model, ids, 8, stop_ids=tokenizer.stop_ids)),
    )


def complete_characters(rng: Random) -> Iterator[Case]:
    """Check against the longest valid UTF-8 prefix of the bytes so far."""
    words = ["naïve 🙂", *("".join(rng.choices("abcéß漢字🙂🚀", k=8)) for _ in range(3))]
    cuts = [[b"caf", b"\xc3", b"\xa9!"], [b"a\xc3", b"\xa9b"], [b"plain ", b"text"]]
    cuts.append([bytes([byte]) for byte in words[0].encode()])
    for pieces in [*cuts, *(_cut(rng, word.encode()) for word in words[1:])]:
        expected = [text for _, text in _texts_due(pieces)]
        shown = f"list(complete_characters(iter({pieces})))"
        yield Case((pieces,), expected, run=_run_complete_characters, shown=shown)


def _texts_due(pieces: list[bytes]) -> list[tuple[int, str]]:
    """Return, for each text, how many pieces complete it, and the text without what came before."""
    texts = [b"".join(pieces[:count]).decode(errors="ignore") for count in range(len(pieces) + 1)]
    return [
        (count, texts[count][len(texts[count - 1]) :])
        for count in range(1, len(texts))
        if texts[count] != texts[count - 1]
    ]


def _cut(rng: Random, data: bytes) -> list[bytes]:
    places = sorted(rng.sample(range(1, len(data)), k=min(6, len(data) - 1)))
    return [data[start:end] for start, end in itertools.pairwise([0, *places, len(data)])]


def _run_complete_characters(complete_characters: Callable, pieces: list[bytes]) -> list[str]:
    arrived: list[bytes] = []

    def noted() -> Iterator[bytes]:
        for piece in pieces:
            arrived.append(piece)
            yield piece

    due = _texts_due(pieces)

    def at_each(given: list[str]) -> None:
        needed, text = due[min(len(given), len(due)) - 1]
        if len(arrived) > needed and text == given[-1]:
            raise Mistake(
                f"{text!r} was handed out after {len(arrived)} pieces, "
                f"and could have been after {needed}"
            )

    return _stream(complete_characters(noted()), at_each)


def positions_read(rng: Random) -> Iterator[Case]:
    """Check against a sum over the steps."""
    fixed = [(10, 3, False), (10, 3, True), (5, 1, False), (5, 1, True)]
    drawn = [
        (rng.randint(1, 50), rng.randint(2, 50), cached) for cached in (False, True, False, True)
    ]
    for prompt, new, cached in fixed + drawn:
        steps = [1 if cached and step else prompt + step for step in range(new)]
        yield Case((prompt, new, cached), sum(steps))


def rotate(rng: Random) -> Iterator[Case]:
    """Check against complex numbers: a rotation is a multiplication by exp(i * angle)."""

    def reference(x: list[float], position: int, theta: float) -> torch.Tensor:
        half = len(x) // 2
        turned = [
            complex(x[i], x[half + i]) * cmath.exp(1j * position * theta ** (-2 * i / len(x)))
            for i in range(half)
        ]
        return torch.tensor([point.real for point in turned] + [point.imag for point in turned])

    yield Case((torch.tensor([1.0, 0.0]), 1, 10_000.0), torch.tensor([math.cos(1), math.sin(1)]))
    yield Case(
        (torch.tensor([1.0, 2.0, 3.0, 4.0]), 0, 10_000.0), torch.tensor([1.0, 2.0, 3.0, 4.0])
    )
    yield Case(
        (torch.tensor([1.0, 2.0, 3.0, 4.0]), 2, 100.0),
        reference([1.0, 2.0, 3.0, 4.0], 2, 100.0),
        note="the points are (1, 3) and (2, 4): first half and second half",
    )
    for head_dim in (4, 6, 8):
        x, position = _randn(rng, head_dim), rng.randint(1, 60)
        yield Case(
            (x, position, 10_000.0), reference(x.tolist(), position, 10_000.0), tolerance=1e-3
        )


def attend(rng: Random) -> Iterator[Case]:
    """Check against PyTorch's attention, and against averages where all scores are equal."""
    values = torch.tensor([[[3.0], [5.0], [10.0]]])
    averages = torch.tensor([[[3.0], [4.0], [6.0]]])
    yield Case(
        (torch.zeros(2, 3, 1), torch.zeros(1, 3, 1), values),
        averages.expand(2, 3, 1),
        note="equal scores",
    )
    one = torch.tensor([[[7.0]], [[9.0]]])
    yield Case(
        (torch.zeros(4, 1, 1), torch.zeros(2, 1, 1), one),
        torch.tensor([7.0, 7.0, 9.0, 9.0]).view(4, 1, 1),
        note="4 heads on 2, one position: heads 0 and 1 share the first, 2 and 3 the second",
    )
    q = torch.tensor([[[2.0, 0.0, 0.0, 0.0]] * 2])
    k = torch.tensor([[[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    v = torch.tensor([[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]])
    odds = math.e / (math.e + 1)
    yield Case(
        (q, k, v),
        torch.tensor([[[1.0, 0.0, 0.0, 0.0], [odds, 1 - odds, 0.0, 0.0]]]),
        note="products 2 and 0; head_dim is 4, so the scores are 1 and 0",
    )
    for heads, kv_heads, seq in ((4, 2, 3), (6, 2, 5), (3, 3, 4), (4, 1, 1)):
        q, k, v = (
            _randn(rng, heads, seq, 4),
            _randn(rng, kv_heads, seq, 4),
            _randn(rng, kv_heads, seq, 4),
        )
        expected = F.scaled_dot_product_attention(
            q[None], k[None], v[None], is_causal=True, enable_gqa=True
        )[0]
        note = f"{heads} heads on {kv_heads}, {seq} positions"
        yield Case((q, k, v), expected, tolerance=1e-4, note=note)


def _config(rng: Random, layers: int = 1) -> Qwen3Config:
    """Draw a small shape in which no two sizes are equal."""
    kv_heads = rng.randint(1, 2)
    return Qwen3Config(
        vocab_size=rng.randint(30, 40),
        hidden_size=rng.choice([10, 14]),
        intermediate_size=rng.choice([18, 22]),
        num_hidden_layers=layers,
        num_attention_heads=kv_heads * rng.randint(2, 3),
        num_key_value_heads=kv_heads,
        head_dim=rng.choice([4, 8]),
        rope_theta=100.0,
        tie_word_embeddings=rng.random() < 0.5,
    )


@torch.no_grad()
def _with_random_weights(rng: Random, module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Draw a module's weights, and return them by name."""
    for weight in module.parameters():
        weight.copy_(0.5 * _randn(rng, *weight.shape) + (weight.dim() == 1))
    return {name: weight.detach() for name, weight in module.state_dict().items()}


def _shape_shown(config: Qwen3Config) -> str:
    return (
        f"{config.num_attention_heads} heads on {config.num_key_value_heads} of size "
        f"{config.head_dim}, width {config.hidden_size}"
    )


def transformer_block(rng: Random) -> Iterator[Case]:
    """Check against the repository's block with random weights, at first branch by branch."""
    for seq, zero, note in (
        (1, "self_attn.o_proj.weight", "o_proj is 0: only the feed-forward branch counts"),
        (1, "mlp.down_proj.weight", "down_proj is 0: only attention counts; one token sees itself"),
        (4, "mlp.down_proj.weight", "down_proj is 0: only attention counts; several tokens"),
        (2, None, "both branches: the second reads the x to which the first has added"),
        (5, None, ""),
        (7, None, ""),
    ):
        config = _config(rng)
        block = TransformerBlock(config)
        weights = _with_random_weights(rng, block)
        if zero:
            weights[zero].zero_()  # the block's own tensor
        x = _randn(rng, seq, config.hidden_size)
        cos, sin = rope_cos_sin(torch.arange(seq)[None], config.head_dim, config.rope_theta)
        with torch.no_grad():
            expected = block(x[None], cos, sin)[0]
        shown = f"transformer_block(x of {seq} tokens, weights, config: {_shape_shown(config)})"
        yield Case((x, weights, config), expected, shown=shown, tolerance=1e-3, note=note)


def small_model(rng: Random) -> Iterator[Case]:
    """Check against the repository's model: random ones, then the shipped one."""
    idle = "its block adds nothing: what is left is the table, the norm and the output matrix"
    for layers, note in ((1, idle), (1, ""), (3, "")):
        config = _config(rng, layers)
        model = Qwen3Model(config)
        weights = _with_random_weights(rng, model)
        if note:
            weights["layers.0.self_attn.o_proj.weight"].zero_()  # the model's own tensors
            weights["layers.0.mlp.down_proj.weight"].zero_()
        ids = _ids(rng, 2, 6, config.vocab_size)
        with torch.no_grad():
            expected = model(torch.tensor([ids]))[0]
        shown = f"small_model({ids}, weights, config: {layers} layers, {_shape_shown(config)})"
        yield Case((ids, weights, config), expected, shown=shown, tolerance=1e-3, note=note)
    model, tokenizer = load_qwen3("tiny")
    weights = {name: weight.detach().float() for name, weight in model.state_dict().items()}
    ids = tokenizer.encode(f"What is {rng.randint(10, 99)} + 2?")
    with torch.no_grad():
        expected = model(torch.tensor([ids]))[0].float()
    shown = f"small_model({ids}, weights and config of the shipped model)"
    yield Case((ids, weights, model.config), expected, shown=shown, tolerance=1e-2)


def append_to_buffer(rng: Random) -> Iterator[Case]:
    """Check capacities against logarithms, and contents against concatenation."""
    fixed = [(4, 3, 1), (4, 3, 2), (4, 3, 6), (2, 0, 1), (4, 4, 1)]
    drawn = [(capacity, rng.randint(0, capacity), rng.randint(1, 9)) for capacity in (1, 4, 8)]
    for capacity, length, count in fixed + drawn:
        buffer, new = torch.full((2, capacity, 3), 99.0), _randn(rng, 2, count, 3)
        buffer[:, :length] = _randn(rng, 2, length, 3)
        doublings = max(0, math.ceil(math.log2((length + count) / capacity)))
        expected = {
            "tokens held": length + count,
            "capacity": capacity * 2**doublings,
            "written in place": doublings == 0,
            "keys": torch.cat((buffer[:, :length], new), dim=1),
        }
        shown = f"append_to_buffer(buffer of capacity {capacity}, {length=}, new of {count} tokens)"
        note = f"{length + count} tokens need a capacity of {expected['capacity']}"
        yield Case(
            (buffer, length, new), expected, run=_run_append_to_buffer, shown=shown, note=note
        )


def _run_append_to_buffer(
    append_to_buffer: Callable, buffer: torch.Tensor, length: int, new: torch.Tensor
) -> dict:
    result = append_to_buffer(buffer, length, new)
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], torch.Tensor)):
        raise Mistake(
            f"came back: {result!r}\nexpected:  two things, the buffer and the tokens it holds"
        )
    after, held = result
    return {
        "tokens held": held,
        "capacity": after.shape[1],
        "written in place": after.data_ptr() == buffer.data_ptr(),
        "keys": after[:, : length + new.shape[1]],
    }


def stream_with_cache(rng: Random) -> Iterator[Case]:
    """Check toy models with a list as cache, and the shipped model against `generate`."""
    for model, prompt, most, stop_ids in _toy_cases(rng):
        expected = model.answer(prompt, most, stop_ids)
        shown = f"list(stream_with_cache(model, cache, tensor([{prompt}]), {most}, {stop_ids=}))"
        arguments = (model, None, torch.tensor([prompt]), most, stop_ids)
        yield Case(arguments, expected, run=_run_stream_with_cache, shown=shown)
    model, tokenizer = load_qwen3("tiny")
    ids = torch.tensor(
        [tokenizer.encode(f"What is {rng.randint(10, 99)} + {rng.randint(10, 99)}?")]
    )
    expected = list(generate(model, ids, 8, stop_ids=tokenizer.stop_ids))
    shown = "list(stream_with_cache(tiny, KVCache(), input_ids, 8, tokenizer.stop_ids))"
    run = lambda function, *arguments: _stream(function(*arguments))  # noqa: E731
    yield Case((model, KVCache(), ids, 8, tokenizer.stop_ids), expected, run=run, shown=shown)


def _run_stream_with_cache(
    stream_with_cache: Callable, model, _, input_ids, max_new_tokens, stop_ids
) -> list[int]:
    model.calls.clear()
    prompt = input_ids.shape[1]

    def at_each(given: list[int]) -> None:
        if len(model.calls) > len(given):
            raise Mistake(
                f"the model was called {len(model.calls)} times before token {len(given)} "
                "was handed out"
            )

    given = _stream(stream_with_cache(model, [], input_ids, max_new_tokens, stop_ids), at_each)
    if any(
        read != expected
        for read, expected in zip(model.calls, [prompt, *[1] * len(given)], strict=False)
    ):
        reads = f"the calls of the model read {model.calls} positions"
        raise Mistake(
            f"came back: {given}\nbut {reads}: expected {prompt} (the prompt), then 1 each time"
        )
    if len(model.calls) > max_new_tokens:
        raise Mistake(
            f"came back: {given}\nbut the model was called {len(model.calls)} times for them"
        )
    return given


def longest_text(rng: Random) -> Iterator[Case]:
    """Check against the size of keys' and values' tensors on the device `meta`."""
    shapes = [(28, 16, 8, 128, 1024), (5, 6, 2, 32, 160)]
    for _ in range(4):
        kv_heads = rng.randint(1, 8)
        layers, head_dim, width = rng.randint(1, 60), 2 * rng.randint(8, 64), rng.randint(64, 4096)
        shapes.append((layers, kv_heads * rng.randint(2, 8), kv_heads, head_dim, width))
    for tokens, (layers, heads, kv_heads, head_dim, width) in zip(
        (8, 100, 1, 7, 512, 40_961), shapes, strict=True
    ):
        config = Qwen3Config(
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            head_dim=head_dim,
            hidden_size=width,
        )
        dtype = rng.choice([torch.bfloat16, torch.float32])
        keys = torch.empty(layers, kv_heads, tokens, head_dim, dtype=dtype, device="meta")
        one_more = 2 * keys.nbytes // tokens
        memory = 2 * keys.nbytes + rng.randrange(one_more)
        most = config.max_position_embeddings
        shown = (
            f"longest_text(config, {memory=}, bytes_per_number={dtype.itemsize}) with {layers} "
            f"layers, {heads} heads on {kv_heads} of size {head_dim}, width {width}"
        )
        note = f"the model can read {most} tokens" if tokens > most else ""
        arguments = (config, memory, dtype.itemsize)
        yield Case(arguments, min(tokens, most), shown=shown, note=note)


def tokens_per_second(rng: Random) -> Iterator[Case]:
    """Check with a clock that advances only while a token is made."""
    drawn = [
        [rng.uniform(0.5, 5.0), *(rng.uniform(0.05, 0.3) for _ in range(rng.randint(2, 7)))]
        for _ in range(3)
    ]
    for delays in ([3.0, 0.5, 0.5, 0.5, 0.5], [0.25, 0.125], *drawn):
        arrivals = ", ".join(f"{time:.3g}" for time in itertools.accumulate(delays))
        shown = f"tokens_per_second(tokens that arrive at {arrivals} seconds, clock)"
        yield Case(
            (delays,), (len(delays) - 1) / sum(delays[1:]), run=_run_tokens_per_second, shown=shown
        )


def _run_tokens_per_second(tokens_per_second: Callable, delays: list[float]) -> float:
    now = 100.0

    def tokens() -> Iterator[int]:
        nonlocal now
        for number, delay in enumerate(delays):
            now += delay
            yield number

    return tokens_per_second(tokens(), lambda: now)


def next_scores(rng: Random) -> Iterator[Case]:
    """Check row by row, against the scores at the last real token of a list."""
    sides = [[(0, 0), (2, 0)], [(0, 2), (0, 0)], [(0, 3), (3, 0), (1, 1)], [(0, 0)]]
    for count in (2, 3, 4):
        sides += [[(rng.randint(0, 3), rng.randint(0, 3)) for _ in range(count)]]
    for rows in sides:
        seq = max(left + right for left, right in rows) + rng.randint(1, 3)
        real = [[left <= place < seq - right for place in range(seq)] for left, right in rows]
        logits = _randn(rng, len(rows), seq, 4)
        last = [logits[row, seq - 1 - right] for row, (_, right) in enumerate(rows)]
        note = "some padding is on the right" if any(right for _, right in rows) else ""
        yield Case((logits, torch.tensor(real)), torch.stack(last), note=note)


class _ToyBatchModel:
    """A model whose next token is a sum over the row's real tokens; it records its batches."""

    def __init__(self, vocab: int, factor: int):
        self.rows = _ToyModel(vocab, factor)
        self.batches: list[int] = []

    def __call__(self, input_ids: torch.Tensor, padding_mask: torch.Tensor) -> torch.Tensor:
        if input_ids.dim() != 2 or input_ids.numel() == 0:
            raise ValueError(f"the model needs ids (batch, seq), not {tuple(input_ids.shape)}")
        if padding_mask.shape != input_ids.shape or padding_mask.dtype != torch.bool:
            raise ValueError("the model needs a mask of bools, of the same shape as the ids")
        self.batches.append(len(input_ids))
        scores = torch.zeros(*input_ids.shape, self.rows.vocab)
        for row, mask in enumerate(padding_mask):
            ids = input_ids[row][mask].tolist()
            scores[row, int(mask.nonzero()[-1]), self.rows.next_token(ids)] = 1.0
        return scores


def generate_rows(rng: Random) -> Iterator[Case]:
    """Check each row against its text alone; the model records how many rows it was given."""
    for number in range(6):
        model = _ToyBatchModel(rng.randint(11, 19), rng.randint(2, 9))
        prompts = [_ids(rng, 1, 6, vocab=11) for _ in range((1, 3, 4, 5, 4, 3)[number])]
        most = 1 if number == 1 else rng.randint(5, 9)
        whole = [model.rows.answer(prompt, most, ()) for prompt in prompts]
        # a text in the middle of its growth, and one at its first token, meet a stop token
        stop_ids = () if number == 0 else tuple({whole[0][most // 2], whole[-1][0]})
        expected = [model.rows.answer(prompt, most, stop_ids) for prompt in prompts]
        shown = f"generate_rows(model, {prompts}, {most}, {stop_ids=}, pad_id=0)"
        arguments = (model, prompts, most, stop_ids, 0)
        yield Case(arguments, expected, run=_run_generate_rows, shown=shown)
    model, tokenizer = load_qwen3("tiny")
    questions = [f"What is {rng.randint(10, 99)} + {rng.randint(1, 9)}?", "Compute 7 * 8.", "5"]
    prompts = [tokenizer.encode(question) for question in questions]
    expected = generate_batch(model, prompts, 6, stop_ids=tokenizer.stop_ids)
    shown = "generate_rows(tiny, three prompts, 6, tokenizer.stop_ids, tokenizer.pad_id)"
    yield Case((model, prompts, 6, tokenizer.stop_ids, tokenizer.pad_id), expected, shown=shown)


def _run_generate_rows(generate_rows: Callable, model, prompts, most, stop_ids, pad_id) -> list:
    model.batches.clear()
    rows = generate_rows(model, prompts, most, stop_ids, pad_id)
    alone = [model.rows.answer(prompt, most, stop_ids) for prompt in prompts]
    steps = [min(len(row) + 1, most) for row in alone]  # with the one that gave the stop token
    running = [sum(number < count for count in steps) for number in range(max(steps))]
    if rows == alone and model.batches != running:
        raise Mistake(
            f"the rows are right, but the model was given {model.batches} rows at its calls\n"
            f"expected:  {running}, those that have not ended"
        )
    return rows


def four_bit_product(rng: Random) -> Iterator[Case]:
    """Check weight by weight, in Python floats."""

    def reference(x: list[float], codes: list, scales: list, offsets: list) -> list[float]:
        size = len(x) // len(scales[0])
        return [
            sum(x[i] * (row[i] * s[i // size] + o[i // size]) for i in range(len(x)))
            for row, s, o in zip(codes, scales, offsets, strict=True)
        ]

    hand = [[0, 8, 5, 15]]
    drawn = [([1.0] * 4, hand, [[0.2]], [[-1.0]]), ([1.0, 0, 0, -2.0], hand, [[0.2, 1]], [[1, 3]])]
    for rows, columns, groups in ((1, 8, 1), (2, 8, 2), (3, 12, 3), (4, 16, 2)):
        codes = [[rng.randrange(16) for _ in range(columns)] for _ in range(rows)]
        scales, offsets = (_randn(rng, rows, groups).tolist() for _ in range(2))
        drawn.append((_randn(rng, columns).tolist(), codes, scales, offsets))
    for x, codes, scales, offsets in drawn:
        packed = [
            [low + 16 * high for low, high in zip(r[::2], r[1::2], strict=True)] for r in codes
        ]
        given = torch.tensor(x), torch.tensor(packed, dtype=torch.uint8)
        expected = torch.tensor(reference(x, codes, scales, offsets))
        numbers = torch.tensor(scales).float(), torch.tensor(offsets).float()
        note = f"codes {codes[0]}" if codes is hand else ""
        yield Case((*given, *numbers), expected, tolerance=1e-4, note=note)


def chat_prompt(rng: Random) -> Iterator[Case]:
    """Check against the tokenizer's own template."""
    tokenizer = load_qwen3("tiny")[1]
    ask = {"role": "user", "content": "1 + 1?"}
    strict = {"role": "system", "content": "Be brief."}
    thought = {"role": "assistant", "content": "<think>\nOne and one.\n</think>\n\n2\nDone."}
    bare = {"role": "assistant", "content": "It is 2."}
    talks = [[ask], [strict, ask], [ask, bare, ask], [strict, ask, thought, ask]]
    for _ in range(3):
        sum_asked = {"role": "user", "content": f"{rng.randint(10, 99)} + {rng.randint(10, 99)}?"}
        replies = rng.choices([thought, bare], k=2)
        talks.append([ask, replies[0], sum_asked, replies[1], sum_asked])
    for messages in talks:
        for thinking in (True, False):
            expected = tokenizer.apply_chat_template(messages, enable_thinking=thinking)
            note = "an earlier thought" if thought in messages else ""
            yield Case((messages, thinking), expected, note=note)


class _Counted(torch.nn.Module):
    """The shipped model; it records positions read and seconds, with a cache and without."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.model = model
        self.reads: dict[bool, list[int]] = {False: [], True: []}
        self.seconds = {False: 0.0, True: 0.0}

    def forward(self, input_ids: torch.Tensor, cache: KVCache | None = None, **options):
        cached = cache is not None
        self.reads[cached].append(input_ids.shape[1])
        start = perf_counter()
        with torch.no_grad():
            logits = self.model(input_ids, cache, **options)
        self.seconds[cached] += perf_counter() - start
        return logits


def race(rng: Random) -> Iterator[Case]:
    """Check texts against the repository's `generate`, and the positions that each way reads."""
    model, tokenizer = load_qwen3("tiny")
    rows: list[tuple[int, int, int]] = []
    told = ""

    def run(race: Callable, question: str, most: int) -> str:
        nonlocal rows, told
        counted, start = _Counted(model), perf_counter()
        result = race(counted, tokenizer, question, most)
        whole = perf_counter() - start
        if not (isinstance(result, tuple) and len(result) == 3):
            raise Mistake(f"came back: {result!r}\nexpected:  a text, and two numbers of seconds")
        text, slow, fast = result
        if not (isinstance(slow, float) and isinstance(fast, float) and min(slow, fast) > 0):
            raise Mistake(
                f"came back: seconds {slow!r} and {fast!r}\nexpected:  two floats above 0"
            )
        without, within = counted.reads[False], counted.reads[True]
        if not without or not within:
            which = "generate_by_hand" if not without else "stream_with_cache"
            raise Mistake(f"the model was never called as {which} calls it: call both, with model")
        for name, seconds, needed in (
            ("generate_by_hand", slow, counted.seconds[False]),
            ("stream_with_cache", fast, counted.seconds[True]),
        ):
            if seconds < 0.9 * needed:
                raise Mistake(
                    f"you took {seconds:.2f} seconds for {name}, in which the model alone computed "
                    f"for {needed:.2f}\nDoes it begin and end between your two looks at the clock? "
                    "A generator does nothing until it is run through: list(...)\n"
                    "And is the clock perf_counter()? process_time() stands still while other "
                    "programs have the processor"
                )
        if slow + fast > 1.1 * whole:
            raise Mistake(
                f"your times, {slow:.2f} and {fast:.2f} seconds, are more than all of it took: "
                f"{whole:.2f}\nDoes each begin where its own generator begins? And is the clock "
                "perf_counter()? process_time() adds up what several threads compute at once"
            )
        if sum(within) >= sum(without):
            raise Mistake(
                f"your stream_with_cache read {sum(within)} positions, generate_by_hand "
                f"{sum(without)}: the cache should save reading"
            )
        sums = (itertools.accumulate(reads) for reads in (without, within))
        rows = [(n, *both) for n, both in enumerate(zip(*sums, strict=False), 1)]
        told = (
            f"your stream_with_cache wrote, in {fast:.2f} seconds:\n{_quoted(text)}\n"
            f"generate_by_hand took {slow:.2f} seconds: {slow / fast:.1f} times as long; "
            f"it read {sum(without):,} positions, the cache {sum(within):,}"
        )
        return text

    for question, most in (
        (f"What is {rng.randint(10, 99)} + {rng.randint(10, 99)}?", 5),
        (f"What is {rng.randint(2, 9)} * {rng.randint(10, 99)}?", 20),
        (f"What is {rng.randint(11, 99)} * {rng.randint(11, 99)}?", 120),
    ):
        ids = torch.tensor([tokenizer.encode(render(CHAIN_OF_THOUGHT, question))])
        expected = tokenizer.decode(list(generate(model, ids, most, stop_ids=tokenizer.stop_ids)))
        shown = f"race(tiny, tokenizer, {question!r}, {most})"
        yield Case((question, most), expected, run=run, shown=shown)
    return Seen(told, rows)


def _quoted(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines())


def merge_pairs(rng: Random) -> Iterator[Case]:
    """Check against the BPE model of the `tokenizers` library."""
    fixed = [
        ("there", [("h", "e"), ("t", "h"), ("r", "e"), ("t", "he")]),
        ("abc", [("b", "c"), ("a", "b")]),
        ("abab", [("a", "b"), ("ab", "ab")]),
        ("aaaaa", [("a", "a")]),
        ("xyz", []),
    ]
    drawn = [("".join(rng.choices("abcd", k=10)), _learned(rng)) for _ in range(4)]
    for word, merges in fixed + drawn:
        pieces = {*word, *"abcd", *(left + right for left, right in merges)}
        library = Tokenizer(
            models.BPE({piece: number for number, piece in enumerate(sorted(pieces))}, merges)
        )
        ranks = {pair: rank for rank, pair in enumerate(merges)}
        note = "a pair that occurs twice is merged twice" if word == "abab" else ""
        yield Case((word, ranks), library.encode(word).tokens, note=note)


def _learned(rng: Random) -> list[tuple[str, str]]:
    """Return pairs in an order in which they can be learned: parts before the whole."""
    pieces, merges = list("abcd"), []
    for _ in range(8):
        pair = (rng.choice(pieces), rng.choice(pieces))
        if "".join(pair) not in pieces:
            merges.append(pair)
            pieces.append("".join(pair))
    return merges
