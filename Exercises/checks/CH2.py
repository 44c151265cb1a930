"""Checks of chapter 2's exercises, with reference values computed apart from the solutions.

Each exercise has a function of its name, `(rng) -> cases`. `rng` has a new seed at each run.
"""

import cmath
import itertools
import math
from collections.abc import Callable, Iterator
from random import Random

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models

from Appendixes.KVcache import KVCache
from Appendixes.QWEN3Model import Qwen3Config, find_checkpoint, load_qwen3
from CH2.generation import generate
from Exercises.cases import Case, Mistake

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


def word_pieces(rng: Random) -> Iterator[Case]:
    """Check against the pieces that the `tokenizers` library itself returns."""
    tokenizer, library = (
        load_qwen3("tiny")[1],
        Tokenizer.from_file(str(find_checkpoint("tiny") / "tokenizer.json")),
    )
    invented = ("".join(rng.choices(SYLLABLES, k=4)).capitalize() for _ in range(3))
    for text in ("dwarf", "What is 47 * 36?", "naïve", *invented):
        ids = library.encode(text, add_special_tokens=False).ids
        yield Case((tokenizer, text), [library.decode([token]) for token in ids])


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
        yield Case((tokens, stop_ids), expected, run=_run_until_stop, shown=shown)


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
        yield Case(
            (model, torch.tensor([prompt]), most, stop_ids), model.answer(prompt, most, stop_ids)
        )
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
        (torch.tensor([1.0, 2.0, 3.0, 4.0]), 2, 100.0), reference([1.0, 2.0, 3.0, 4.0], 2, 100.0)
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
        yield Case((buffer, length, new), expected, run=_run_append_to_buffer, shown=shown)


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


def cache_bytes(rng: Random) -> Iterator[Case]:
    """Check against the size of keys' and values' tensors on the device `meta`."""
    shapes = [(28, 16, 8, 128, 1024), (5, 6, 2, 32, 160)]
    for _ in range(4):
        kv_heads = rng.randint(1, 8)
        layers, head_dim, width = rng.randint(1, 60), 2 * rng.randint(8, 64), rng.randint(64, 4096)
        shapes.append((layers, kv_heads * rng.randint(2, 8), kv_heads, head_dim, width))
    for tokens, (layers, heads, kv_heads, head_dim, width) in zip(
        (1, 100, 1, 7, 512, 40_960), shapes, strict=True
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
        arguments = (config, tokens, dtype.itemsize)
        shown = (
            f"cache_bytes(config, {tokens=}, bytes_per_number={dtype.itemsize}) with {layers} "
            f"layers, {heads} heads on {kv_heads} of size {head_dim}, width {width}"
        )
        yield Case(arguments, 2 * keys.nbytes, shown=shown)


def left_pad(rng: Random) -> Iterator[Case]:
    """Check against lists that are padded token by token."""
    drawn = [
        ([_ids(rng, 1, 6) for _ in range(rng.randint(2, 4))], rng.randrange(20)) for _ in range(3)
    ]
    for prompts, pad_id in (
        ([[5, 6, 7], [8]], 0),
        ([[4, 4], [4, 9, 4], [9]], 4),
        ([[3, 1]], 0),
        *drawn,
    ):
        longest = max(map(len, prompts))
        rows = [[None] * (longest - len(prompt)) + prompt for prompt in prompts]
        ids = torch.tensor([[pad_id if token is None else token for token in row] for row in rows])
        mask = torch.tensor([[token is not None for token in row] for row in rows])
        positions = torch.tensor(
            [[0] * (longest - len(prompt)) + list(range(len(prompt))) for prompt in prompts]
        )
        note = (
            "the pad token is also an ordinary one"
            if any(pad_id in prompt for prompt in prompts)
            else ""
        )
        yield Case((prompts, pad_id), (ids, mask, positions), note=note)


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
        yield Case(
            (word, {pair: rank for rank, pair in enumerate(merges)}), library.encode(word).tokens
        )


def _learned(rng: Random) -> list[tuple[str, str]]:
    """Return pairs in an order in which they can be learned: parts before the whole."""
    pieces, merges = list("abcd"), []
    for _ in range(8):
        pair = (rng.choice(pieces), rng.choice(pieces))
        if "".join(pair) not in pieces:
            merges.append(pair)
            pieces.append("".join(pair))
    return merges
