"""A sampler and random generators that several tests share."""

import torch

from CH2.decoding import capturable


@capturable
def inverse_cdf(logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Draw the first token whose cumulative probability exceeds the random number.

    It looks at no value, so what is not a number is for the engine to see.
    """
    ends = logits.double().softmax(dim=-1).cumsum(dim=-1)
    return (ends <= uniform[:, None]).sum(dim=-1).clamp(max=logits.shape[1] - 1)


def seeded(seed: int) -> torch.Generator:
    """Return a new generator with this seed."""
    return torch.Generator().manual_seed(seed)
