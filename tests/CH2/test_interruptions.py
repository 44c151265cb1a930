"""After an exception at any moment the engine and its queue go on, and every text is what it would
have been.
"""

import random
import sys
from pathlib import Path

import pytest
import torch
from draws import inverse_cdf, seeded

from Appendixes.KVcache import KVCache
from CH2.compilation import CompiledModel, compile_model
from CH2.continuous_batching import ContinuousBatching
from CH2.decoding import DecodingEngine
from CH2.generation import generate, generate_batch

STOPS = (3, 17, 29)
ROOT = Path(__file__).resolve().parents[2]
# the modules in which a user's Ctrl-C may fall between any two lines
MODULES = {
    str(ROOT / path)
    for path in (
        "CH2/decoding.py",
        "CH2/continuous_batching.py",
        "CH2/captured_steps.py",
        "Appendixes/KVcache/kv_cache.py",
        "Appendixes/KVcache/prefix_sharing.py",
    )
}


@pytest.fixture(scope="module")
def wanted() -> list[tuple[list[int], int, int]]:
    """Prompts, seeds and lengths; some prompts are equal, some of one token, one is long."""
    rng = random.Random(0)
    prompts = [[rng.randrange(50) for _ in range(length)] for length in (5, 1, 70, 2, 9)]
    return [(prompts[seed % 5], seed, rng.randrange(1, 12)) for seed in range(9)]


@pytest.fixture(scope="module")
def alone(model64, wanted) -> list[list[int]]:
    return [
        list(
            generate(
                model64,
                torch.tensor([ids]),
                length,
                sampler=inverse_cdf,
                stop_ids=STOPS,
                generator=seeded(seed),
            )
        )
        for ids, seed, length in wanted
    ]


@pytest.fixture(params=["plain", "static"])
def model(request, model64, monkeypatch):
    """A model; and the same with the static steps that a GPU captures."""
    if request.param == "plain":
        return model64
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    return compile_model(model64, static_steps=True)


class Failing:
    """Raises an error at chosen calls of a function, and else calls it.

    Args:
        function: the function.
        error: what is raised.
        calls: numbers of the calls that fail, from 0.
    """

    def __init__(self, function, error, calls):
        self.function, self.error, self.calls = function, error, set(calls)
        self.count = -1
        self.capturable = True

    def __call__(self, *arguments, **options):
        self.count += 1
        if self.count in self.calls:
            raise self.error
        return self.function(*arguments, **options)


def drain(engine: DecodingEngine, error: type[BaseException]) -> int:
    """Step until all rows have ended; return the number of errors on the way."""
    errors = 0
    while engine.rows:
        try:
            engine.step()
        except error:
            errors += 1
    return errors


# --- one engine ---


@pytest.mark.parametrize("options", [{}, {"share_prompts": False}, {"use_cache": False}])
@pytest.mark.parametrize("error", [RuntimeError("a sampler's"), KeyboardInterrupt()])
def test_texts_go_on_where_they_were_after_a_samplers_error(model, wanted, alone, options, error):
    sampler = Failing(inverse_cdf, error, [0, 3, 4, 7])
    engine = DecodingEngine(model, sampler=sampler, **options)
    rows = [
        engine.admit(prompt, length, stop_ids=STOPS, generator=seeded(seed))
        for prompt, (_, seed, length) in zip(
            engine.add_prompts([ids for ids, _, _ in wanted]), wanted, strict=True
        )
    ]
    assert drain(engine, type(error)) == 4
    assert [row.tokens for row in rows] == alone


def test_a_generator_stands_where_it_would_without_the_error(model):
    left = []
    for calls in ([], [0, 1, 70], [64], [65]):  # also where it is asked for the next 64 numbers
        engine = DecodingEngine(model, sampler=Failing(inverse_cdf, OSError(), calls))
        [prompt] = engine.add_prompts([[1, 2]])
        generator = seeded(4)
        engine.admit(prompt, 100, generator=generator)
        drain(engine, OSError)
        left.append(generator.get_state())
    assert all(torch.equal(state, left[0]) for state in left)


@pytest.mark.parametrize("share_prompts", [True, False])
def test_a_text_whose_logits_are_no_numbers_can_be_cancelled_and_leaves_nothing_behind(
    model, wanted, alone, share_prompts, monkeypatch
):
    """Its keys and values are NaN; a row that takes its place later must not meet them."""
    engine = DecodingEngine(model, sampler=inverse_cdf, share_prompts=share_prompts)

    def begin(which):
        ids, seed, length = wanted[which]
        [prompt] = engine.add_prompts([ids])
        return engine.admit(prompt, length, stop_ids=STOPS, generator=seeded(seed))

    rows = [begin(0)]
    victim = begin(2)
    engine.step()
    for cache in {engine.prompt_cache, engine.row_cache}:
        for buffer in cache.keys + cache.values:
            buffer[1] = float("nan")
    with pytest.raises(FloatingPointError, match="NaN"):
        for _ in range(2):  # a step that was started before is right
            engine.step()
    engine.cancel(victim)
    engine.release(victim.prompt)
    rows += [begin(which) for which in (1, 3, 4)]
    drain(engine, AssertionError)
    assert [row.tokens for row in rows] == [alone[which] for which in (0, 1, 3, 4)]


@pytest.mark.parametrize("share_prompts", [True, False])
def test_a_lack_of_memory_for_any_buffer_loses_nothing(
    model, wanted, alone, share_prompts, monkeypatch
):
    def write(calls):
        if isinstance(model, CompiledModel):
            model.steps._readings.clear()  # whose buffers would stay
        allocate = Failing(torch.Tensor.new_zeros, torch.OutOfMemoryError(), calls)
        # a plain function: it takes the tensor as its first argument
        monkeypatch.setattr(torch.Tensor, "new_zeros", lambda *a, **o: allocate(*a, **o))
        engine = DecodingEngine(model, sampler=inverse_cdf, share_prompts=share_prompts)
        rows, errors = [], 0
        for ids, seed, length in wanted:
            while True:
                try:
                    [prompt] = engine.add_prompts([ids])
                    row = engine.admit(prompt, length, stop_ids=STOPS, generator=seeded(seed))
                    break
                except torch.OutOfMemoryError:
                    errors += 1
            rows.append(row)
        errors += drain(engine, torch.OutOfMemoryError)
        monkeypatch.undo()
        assert [row.tokens for row in rows] == alone
        return allocate.count + 1, errors

    allocations, _ = write([])
    for call in range(0, allocations, 7):
        assert write([call]) == (pytest.approx(allocations, abs=12), 1)


# --- a queue ---


def play(model, wanted, disturb, **options):
    """Write texts by a queue while something goes wrong; return them, and those it returned."""
    batching = ContinuousBatching(
        model, max_concurrent=3, sampler=inverse_cdf, stop_ids=STOPS, **options
    )
    tasks = [batching.submit(ids, length, generator=seeded(seed)) for ids, seed, length in wanted]
    finished = []
    with disturb:
        while batching:
            try:
                finished += batching.step()
            except (KeyboardInterrupt, torch.OutOfMemoryError):
                disturb.again()
    batching.step()
    assert not batching.prompts and not batching.engine.prompts and not batching.engine.rows
    assert batching.engine.prompt_cache.nbytes == 0
    return [task.tokens for task in tasks], [tasks.index(task) for task in finished]


class CtrlC:
    """Raises KeyboardInterrupt before lines of the engine, as a user's Ctrl-C does anywhere.

    Args:
        lines: a generator of the numbers of lines that pass undisturbed before the next one.
        modules: whose lines these are.
    """

    def __init__(self, lines, modules=MODULES):
        self.lines, self.left, self.raised = lines, 0, 0
        self.modules = modules

    def __enter__(self):
        self.again()

    def __exit__(self, *reason):
        sys.settrace(None)

    def again(self):
        """Begin to count lines for the next one, if there is one."""
        self.left = next(self.lines, None)
        sys.settrace(None if self.left is None else self._call)

    def _call(self, frame, event, argument):
        return self._line if frame.f_code.co_filename in self.modules else None

    def _line(self, frame, event, argument):
        # what `return` gives reaches the caller or not: nobody can tell
        if event == "line" and not _returns(frame.f_code.co_filename, frame.f_lineno):
            self.left -= 1
            if self.left < 0:
                self.raised += 1
                raise KeyboardInterrupt  # Python stops tracing by itself
        return self._line


def _returns(filename: str, line: int) -> bool:
    return _SOURCES[filename][line - 1].lstrip().startswith("return")


_SOURCES = {module: Path(module).read_text(encoding="utf-8").splitlines() for module in MODULES}


def lines_of(model, wanted) -> int:
    """Count the lines that one undisturbed run passes."""
    counter = CtrlC(iter([10**9]))
    play(model, wanted, counter)
    return 10**9 - counter.left


@pytest.mark.parametrize("part", range(5))
def test_ctrl_c_once_anywhere_loses_and_changes_nothing(model, wanted, alone, part):
    wanted, alone = wanted[:5], alone[:5]
    lines, strides = lines_of(model, wanted), 499
    rng = random.Random(part)
    for place in range(rng.randrange(strides), lines, strides):
        disturb = CtrlC(iter([place]))
        texts, finished = play(model, wanted, disturb)
        assert disturb.raised == 1
        assert texts == alone, place
        assert sorted(finished) == list(range(len(wanted))), place


def test_ctrl_c_once_before_each_line_that_makes_the_first_buffers(model, wanted, alone):
    wanted = [(ids, seed, 1) for ids, seed, _ in wanted[:1]]
    modules = {str(ROOT / "CH2/captured_steps.py"), str(ROOT / "Appendixes/KVcache/kv_cache.py")}

    def write(disturb):
        if isinstance(model, CompiledModel):
            model.steps._readings.clear()
        return play(model, wanted, disturb)

    counter = CtrlC(iter([10**9]), modules)
    write(counter)
    for place in range(10**9 - counter.left):
        disturb = CtrlC(iter([place]), modules)
        assert write(disturb) == ([alone[0][:1]], [0]), place


@pytest.mark.parametrize("seed", range(6))
def test_ctrl_c_again_and_again_loses_and_changes_nothing(model, wanted, alone, seed):
    """Also while it tidies up after the last one."""
    rng = random.Random(seed)
    gaps = (int(rng.expovariate(1 / 250)) for _ in range(60))
    disturb = CtrlC(gaps)
    texts, finished = play(model, wanted, disturb)
    assert disturb.raised > 10
    assert texts == alone
    assert sorted(finished) == list(range(len(wanted)))


@pytest.mark.parametrize("max_cache_bytes", [None, 250_000])
def test_prompts_whose_reading_fails_wait_on(model64, wanted, alone, max_cache_bytes, monkeypatch):
    class OutOfMemory:
        def __enter__(self):
            failing = Failing(KVCache.extend, torch.OutOfMemoryError(), [0, 2, 5])
            monkeypatch.setattr(KVCache, "extend", lambda *a, **o: failing(*a, **o))

        def __exit__(self, *reason):
            monkeypatch.undo()

        def again(self):
            pass

    texts, finished = play(model64, wanted, OutOfMemory(), max_cache_bytes=max_cache_bytes)
    assert texts == alone
    assert sorted(finished) == list(range(len(wanted)))


def test_a_text_that_waits_after_an_error_says_so(model64):
    batching = ContinuousBatching(model64, max_concurrent=4)
    tasks = [batching.submit([i + 1, 2, 3], 5) for i in range(6)]
    hook = model64.norm.register_forward_pre_hook(_interrupt)
    with pytest.raises(KeyboardInterrupt):
        batching.step()
    hook.remove()
    assert batching and all(task.row is None and task.tokens == [] for task in tasks)
    batching.cancel(tasks[0])
    while batching:
        batching.step()
    assert [len(task.tokens) for task in tasks] == [0, 5, 5, 5, 5, 5]


def _interrupt(module, inputs):
    raise KeyboardInterrupt


def test_texts_that_ended_when_a_callers_function_failed_are_returned_by_the_next_step(model64):
    shown = Failing(lambda batching: None, OSError("a closed terminal"), [4])
    batching = ContinuousBatching(model64, on_step=shown)
    tasks = [batching.submit([number, 2, 3], 5) for number in range(3)]
    finished = []
    while batching:
        try:
            finished += batching.step()
        except OSError:
            assert not finished
    assert finished == tasks


def test_a_stream_that_was_interrupted_leaves_its_model_as_it_was(model, alone, wanted):
    ids, _, _ = wanted[2]
    undisturbed = list(generate(model, torch.tensor([ids]), 20))
    stream = generate(model, torch.tensor([ids]), 20)
    next(stream)
    hook = model.norm.register_forward_pre_hook(_interrupt)
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    hook.remove()
    assert list(generate(model, torch.tensor([ids]), 20)) == undisturbed
    assert generate_batch(model, [ids, [1]], 20)[0] == undisturbed
