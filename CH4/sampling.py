"""From logits to a token: filters that reshape a distribution, and the sampler that draws from what
they leave.

- a *filter* maps logits `(rows, vocab)` to logits `(rows, vocab)`; what it drops becomes `-inf`
- filters compose in the order given: `sampler(temperature(0.8), top_p(0.9))` goes wherever CH2
  takes a `sampler`
- every filter keeps each row's likeliest token; of equally likely ones at a border, those with the
  lowest ids stay. So with `temperature(0)` anywhere in the chain, the sampler is greedy
- logits of `-inf` are never drawn; rows that are NaN, infinite or `-inf` throughout are refused
"""

import hashlib
import math
from collections.abc import Callable, Sequence

import torch

from CH2.decoding import Sampler

Filter = Callable[[torch.Tensor], torch.Tensor]  # logits (rows, vocab) -> (rows, vocab)

LOWEST_TEMPERATURE = 1e-30  # below it, logits divided by it leave the range of float32


def temperature(value: float) -> Filter:
    """Divide the logits: below 1 the likely becomes likelier, above 1 the distribution flattens, 0
    is greedy.

    >>> temperature(0.5)(torch.tensor([[1.0, 2.0, 2.0]]))
    tensor([[2., 4., 4.]])
    >>> temperature(0)(torch.tensor([[1.0, 2.0, 2.0]]))
    tensor([[-inf, 2., -inf]])

    Raises:
        ValueError: `value` is negative, not finite, or too small to divide by.
    """
    if not (value == 0 or LOWEST_TEMPERATURE <= value < math.inf):
        raise ValueError(
            f"temperature is {value}: expected 0 (greedy) or a number of at least {LOWEST_TEMPERATURE}"
        )

    def reshape(logits: torch.Tensor) -> torch.Tensor:
        largest = _largest(logits)
        return _keep_largest(logits, 1, largest) if value == 0 else _wide(logits) / value

    return reshape


def top_k(k: int) -> Filter:
    """Keep the k likeliest tokens (Fan et al., 2018, https://arxiv.org/abs/1805.04833).

    >>> top_k(2)(torch.tensor([[1.0, 3.0, 2.0, 2.0]]))
    tensor([[-inf, 3., 2., -inf]])

    Raises:
        ValueError: `k` is no whole number of at least 1.
    """
    if not isinstance(k, int) or k < 1:
        raise ValueError(
            f"top_k is {k}: expected a whole number of at least 1, as one token must stay"
        )

    def reshape(logits: torch.Tensor) -> torch.Tensor:
        _largest(logits)
        return (
            logits
            if k >= logits.shape[-1]
            else _keep_largest(logits, k, logits.topk(k).values[..., -1:])
        )

    return reshape


def top_p(p: float) -> Filter:
    """Keep the nucleus: the fewest tokens whose probabilities sum to at least p (Holtzman et al.,
    2020, https://arxiv.org/abs/1904.09751).

    A sum that misses p by no more than the rounding of the logits reaches it; p = 1 drops nothing.

    >>> top_p(0.9)(torch.tensor([[0.5, 0.41, 0.09]]).log()).exp()   # 0.5 is too little, 0.5 + 0.41 is enough
    tensor([[0.5000, 0.4100, 0.0000]])

    Raises:
        ValueError: `p` is not in (0, 1].
    """
    if not 0 < p <= 1:
        raise ValueError(f"top_p is {p}: expected a probability above 0 and at most 1")

    def reshape(logits: torch.Tensor) -> torch.Tensor:
        largest = _largest(logits)
        return logits if p == 1 else _keep_largest(logits, *_nucleus(_wide(logits), largest, p))

    return reshape


def _nucleus(
    logits: torch.Tensor, largest: torch.Tensor, p: float, size: int = 128
) -> tuple[torch.Tensor, torch.Tensor]:
    """How many tokens each row's nucleus has, and its smallest logit: both `(rows, 1)`.

    Most nuclei are small, so the 128 largest logits are looked at first, then, for the rows that
    need more, 4096. Only a row whose distribution is really flat is sorted throughout."""
    vocab, exact = logits.shape[-1], _exact_dtype(logits)
    in_order = logits.topk(size).values if size < vocab else logits.sort(descending=True).values
    total = (logits - largest).exp().sum(dim=-1, keepdim=True, dtype=exact)
    mass = (in_order.to(exact) - largest).exp().cumsum(dim=-1) / total
    reached = mass >= p - 4 * torch.finfo(logits.dtype).eps
    counts = ((~reached).sum(dim=-1, keepdim=True) + 1).clamp(max=in_order.shape[-1])
    smallest = in_order.gather(-1, counts - 1)
    open_rows = ~reached[:, -1]
    if size < vocab and open_rows.any():
        more = 4096 if size < 4096 else vocab
        counts[open_rows], smallest[open_rows] = _nucleus(
            logits[open_rows], largest[open_rows], p, more
        )
    return counts, smallest


def min_p(p: float) -> Filter:
    """Keep the tokens at least p times as likely as the likeliest (Nguyen et al., 2024,
    https://arxiv.org/abs/2407.01082): few where the model is sure, many where it is not.

    >>> min_p(0.5)(torch.tensor([[0.5, 0.3, 0.2]]).log()).exp()
    tensor([[0.5000, 0.3000, 0.0000]])

    Raises:
        ValueError: `p` is not in (0, 1].
    """
    if not 0 < p <= 1:
        raise ValueError(f"min_p is {p}: expected a ratio of probabilities above 0 and at most 1")

    def reshape(logits: torch.Tensor) -> torch.Tensor:
        return logits.masked_fill(_wide(logits) < _wide(_largest(logits)) + math.log(p), -torch.inf)

    return reshape


def sampler(*filters: Filter) -> Sampler:
    """A sampler for CH2's `sampler=` argument: apply the filters in order, then draw by inverse
    CDF.

    Raises (when it draws):
        FloatingPointError: a row's largest logit is NaN or infinite, or nothing can be drawn.
    """

    def draw(logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
        for reshape in filters:
            logits = reshape(logits)
        return inverse_cdf(logits, uniform)

    return draw


def inverse_cdf(logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Lay the tokens' probabilities end to end from 0 to 1; the one that covers a row's random
    number is drawn.

    Sums are made in float64 (float32 on Apple's GPUs, which have no other). Tokens without
    probability are never drawn, not even for a number of exactly 0 or one that was rounded to 1.

    Args:
        logits: `(rows, vocab)`, after any filter.
        uniform: `(rows,)`, in [0, 1].

    Returns:
        Ids `(rows,)`.

    Raises:
        FloatingPointError: a row's largest logit is NaN or infinite, or nothing can be drawn.
    """
    if not len(logits):
        return torch.empty(0, dtype=torch.long, device=logits.device)
    largest = _largest(logits)
    # Filters leave few tokens. Columns that no row can draw add nothing to any sum, so they need
    # not be looked at.
    columns = (logits > -torch.inf).any(dim=0).nonzero()[:, 0]
    weights = (logits[:, columns].to(_exact_dtype(logits)) - largest).exp()
    ends = weights.cumsum(dim=-1)
    target = uniform.to(ends.dtype)[:, None] * ends[:, -1:]
    # the last token to begin at or before the target covers it
    begun = (ends - weights <= target) & (weights > 0)
    places = torch.where(begun, torch.arange(len(columns), device=logits.device), 0).amax(dim=-1)
    return columns[places]


def sample_generator(seed: int, prompt: Sequence[int], sample: int) -> torch.Generator:
    """The random numbers of one sample: they depend on the seed, the prompt's ids and the sample's
    number alone.

    PyTorch's generator on the CPU takes 32 bits of a seed. Seed and prompt are hashed to a first
    value, and samples
    count on from there: two prompts meet by rare chance, two samples of one prompt never.
    """
    digest = hashlib.sha256(repr((int(seed), [int(token) for token in prompt])).encode()).digest()
    return torch.Generator().manual_seed((int.from_bytes(digest[:4], "big") + sample) % 2**32)


def _largest(logits: torch.Tensor) -> torch.Tensor:
    """Each row's largest logit, `(rows, 1)`: finite, or the row is no distribution."""
    largest = logits.amax(dim=-1, keepdim=True)  # NaN, if there is one in the row
    if not largest.isfinite().all():
        wrong = largest[~largest.isfinite()][0].item()
        raise FloatingPointError(
            f"the largest logit of a row is {wrong}, expected a finite number: check the weights, or use a wider dtype"
        )
    return largest


def _keep_largest(
    logits: torch.Tensor, counts: torch.Tensor | int, smallest: torch.Tensor
) -> torch.Tensor:
    """Drop all but the `counts` largest logits of each row, the last of which is `smallest`: both
    `(rows, 1)`.
    """
    kept = logits >= smallest
    surplus = kept.sum(dim=-1, keepdim=True) - counts
    if surplus.any():  # of the tokens that equal the smallest, those with the highest ids must go
        columns = (logits == smallest).any(dim=0).nonzero()[:, 0]
        tied = logits[:, columns] == smallest
        place = tied.cumsum(dim=-1)  # 1 for the first of them
        kept[:, columns] &= ~tied | (place <= place[:, -1:] - surplus)
    return torch.where(kept, logits, -torch.inf)


def _wide(logits: torch.Tensor) -> torch.Tensor:
    """The logits in float32 or wider."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _exact_dtype(logits: torch.Tensor) -> torch.dtype:
    return torch.float32 if logits.device.type == "mps" else torch.float64
