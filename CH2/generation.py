"""Text from a model: one prompt as a stream, or many prompts at once.

Both are a few lines around the decoding engine of `CH2.decoding`.
"""

from collections.abc import Iterable, Iterator, Sequence

import torch

from Appendixes.QWEN3Model import Qwen3Model
from CH2.decoding import DecodingEngine, Row, Sampler, greedy, integer, integers


def generate(
    model: Qwen3Model,
    input_ids: torch.Tensor,
    max_new_tokens: int,
    *,
    sampler: Sampler = greedy,
    stop_ids: Iterable[int] = (),
    use_cache: bool = True,
    generator: torch.Generator | None = None,
) -> Iterator[int]:
    """Continue one prompt, and yield each token the moment it is made.

    As text, while it is written:

        ids = torch.tensor([tokenizer.encode(prompt)])
        tokens = generate(model, ids, 200, stop_ids=tokenizer.stop_ids)
        for piece in tokenizer.decode_stream(tokens):
            print(piece, end="", flush=True)

    Args:
        model: a `Qwen3Model`.
        input_ids: `(1, seq)`.
        max_new_tokens: stop after this many; 0 yields none, and the model is not run.
        sampler: draws from the logits; greedy takes the most likely token.
        stop_ids: ids that end the text, usually `tokenizer.stop_ids`; they are not yielded.
        use_cache: False reads the whole text again for every token: the same tokens, slowly.
        generator: random numbers for the sampler, on the CPU; None: seed 0.

    Yields:
        Token ids.

    Raises:
        ValueError: the prompt is empty, not `(1, seq)`, has ids outside the vocabulary, or is too
            long; a number that must be an integer is none.
    """
    if not isinstance(input_ids, torch.Tensor):
        raise ValueError(
            f"input_ids is a {type(input_ids).__name__}: expected a tensor (1, seq), such as "
            "torch.tensor([ids])"
        )
    if input_ids.dim() != 2 or len(input_ids) != 1:
        raise ValueError(
            f"input_ids has shape {tuple(input_ids.shape)}: expected (1, seq); "
            "use generate_batch for several"
        )
    engine = DecodingEngine(
        model, sampler=sampler, use_cache=use_cache, share_prompts=False, reuse_buffers=True
    )
    [prompt] = engine.add_prompts([input_ids[0].tolist()])
    if integer(max_new_tokens, "max_new_tokens") == 0:
        return iter(())
    row = engine.admit(prompt, max_new_tokens, stop_ids=stop_ids, generator=generator)
    return _stream(engine, row)


def _stream(engine: DecodingEngine, row: Row) -> Iterator[int]:
    """Yield a row's tokens while it grows."""
    while not row.finished:
        [step] = engine.step()
        if row.finish_reason != "stop":
            yield step.token


def generate_batch(
    model: Qwen3Model,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    *,
    sampler: Sampler = greedy,
    stop_ids: Iterable[int] = (),
    use_cache: bool = True,
    generators: Sequence[torch.Generator | None] | None = None,
) -> list[list[int]]:
    """Continue prompts of any lengths together; each gets what it would get alone.

    As texts:

        prompts = [tokenizer.encode(text) for text in texts]
        for ids in generate_batch(model, prompts, 200, stop_ids=tokenizer.stop_ids):
            print(tokenizer.decode(ids))

    Args:
        model: a `Qwen3Model`.
        prompts: lists of token ids.
        max_new_tokens: for each prompt; 0 gives none, and the model is not run.
        sampler, stop_ids, use_cache: as in `generate`.
        generators: one for each prompt; None: seed 0 for each, as alone.

    Returns:
        The new tokens of each prompt, without the stop token.

    Raises:
        ValueError: as in `generate`, or the generators are not one for each prompt.
    """
    if generators is None:
        generators = [None] * len(prompts)
    if len(generators) != len(prompts):
        raise ValueError(f"{len(prompts)} prompts need as many generators, not {len(generators)}")
    engine = DecodingEngine(model, sampler=sampler, use_cache=use_cache, reuse_buffers=True)
    # 1. Check all before anything is read.
    max_new_tokens, stop_ids = (
        integer(max_new_tokens, "max_new_tokens"),
        integers(stop_ids, "stop_ids"),
    )
    for prompt in prompts:
        engine.checked(prompt, max_new_tokens or None)
    if max_new_tokens == 0:
        return [[] for _ in prompts]
    # 2. Read the prompts, and start one row for each, in the order in which they were read: rows
    #    in line with their prompts take less work per step.
    read = engine.add_prompts(prompts)
    generator_of = dict(zip(read, generators, strict=True))
    row_of = {
        prompt: engine.admit(
            prompt, max_new_tokens, stop_ids=stop_ids, generator=generator_of[prompt]
        )
        for prompt in engine.prompts
    }
    # 3. Step until all have ended; the prompt of one that ended is not needed any more.
    while engine.rows:
        engine.release(*(step.row.prompt for step in engine.step() if step.row.finished))
    return [row_of[prompt].tokens for prompt in read]
