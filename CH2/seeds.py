"""Seeds of generated texts: each text has random numbers of its own, whatever grows beside it."""

import hashlib
from collections.abc import Sequence

import torch


def text_seed(seed: int, prompt: str | Sequence[int], number: int) -> int:
    """Compute the seed of one text from the run's seed, the prompt and the text's number alone.

    PyTorch's generator on the CPU takes 32 bits of a seed. The run's seed and the prompt are hashed
    to a first value, and the numbers of the prompt's texts are added to it: two texts of one prompt
    never have the same seed, texts of two prompts hardly ever.

    Args:
        seed: of the whole run.
        prompt: its token ids; or its text, where only a server knows the ids.
        number: of the text among those of its prompt, from 0.

    Returns:
        An integer from 0 to 2^32 - 1.
    """
    key = prompt if isinstance(prompt, str) else [int(token) for token in prompt]
    digest = hashlib.sha256(repr((int(seed), key)).encode()).digest()
    return (int.from_bytes(digest[:4], "big") + number) % 2**32


def sample_generator(seed: int, prompt: Sequence[int], sample: int) -> torch.Generator:
    """Return the random generator of one sample of a prompt, on the CPU; see `text_seed`."""
    return torch.Generator().manual_seed(text_seed(seed, prompt, sample))
