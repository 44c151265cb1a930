"""Draw a token from logits: filters reshape the distribution, a sampler draws from what they leave.

- a *filter* maps logits `(rows, vocab)` to logits `(rows, vocab)`; dropped tokens become `-inf`
- filters compose in the order given: `sampler(temperature(0.8), top_p(0.9))` goes wherever CH2
  takes a `sampler`
- every filter keeps each row's likeliest token; of equally likely tokens at the border, those with
  the lowest ids stay. So a sampler with `temperature(0)` anywhere in its chain is greedy
- a token whose logit is `-inf` is never drawn; a row whose largest logit is NaN or infinite is
  refused
"""

import math
from collections.abc import Callable

import torch

from CH2.decoding import Sampler

Filter = Callable[[torch.Tensor], torch.Tensor]  # logits (rows, vocab) -> (rows, vocab)

LOWEST_TEMPERATURE = 1e-30  # logits divided by less leave the range of float32


def temperature(value: float) -> Filter:
    """Divide the logits by a temperature.

    Below 1 likely tokens become likelier, above 1 the distribution flattens, 0 keeps only the
    likeliest token (greedy).

    >>> temperature(0.5)(torch.tensor([[1.0, 2.0, 2.0]]))
    tensor([[2., 4., 4.]])
    >>> temperature(0)(torch.tensor([[1.0, 2.0, 2.0]]))
    tensor([[-inf, 2., -inf]])

    Raises:
        ValueError: `value` is negative, not finite, or too small to divide by.
    """
    if not (value == 0 or LOWEST_TEMPERATURE <= value < math.inf):
        raise ValueError(
            f"temperature is {value}: expected 0 (greedy) or at least {LOWEST_TEMPERATURE}"
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
        ValueError: `k` is not an integer of at least 1.
    """
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"top_k is {k}: expected an integer of at least 1, as one token must stay")

    def reshape(logits: torch.Tensor) -> torch.Tensor:
        _largest(logits)
        if k >= logits.shape[-1]:
            return logits
        return _keep_largest(logits, k, logits.topk(k).values[..., -1:])

    return reshape


def top_p(p: float) -> Filter:
    """Keep the nucleus: the fewest tokens whose probabilities sum to at least p.

    Method: Holtzman et al., 2020, https://arxiv.org/abs/1904.09751. A sum that falls short of p by
    no more than the rounding of the logits counts as p; p = 1 drops nothing.

    >>> top_p(0.9)(torch.tensor([[0.5, 0.41, 0.09]]).log()).exp()   # 0.5 + 0.41 is enough
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
    """Return the number of tokens in each row's nucleus and its smallest logit, both `(rows, 1)`.

    Most nuclei are small, so only the `size` largest logits of a row are sorted at first. Rows that
    need more are looked at again with 4,096, and rows that need still more are sorted as a whole.
    """
    vocab, exact = logits.shape[-1], _exact_dtype(logits)
    # 1. Sort the `size` largest logits of each row in falling order.
    in_order = logits.topk(size).values if size < vocab else logits.sort(descending=True).values
    # 2. Sum their probabilities up to each token; the denominator is the sum over all tokens.
    total = (logits - largest).exp().sum(dim=-1, keepdim=True, dtype=exact)
    mass = (in_order.to(exact) - largest).exp().cumsum(dim=-1) / total
    # 3. The nucleus ends at the first token where the sum reaches p.
    reached = mass >= p - 4 * torch.finfo(logits.dtype).eps
    counts = ((~reached).sum(dim=-1, keepdim=True) + 1).clamp(max=in_order.shape[-1])
    smallest = in_order.gather(-1, counts - 1)
    # 4. Look at more tokens of the rows whose sum did not reach p.
    open_rows = ~reached[:, -1]
    if size < vocab and open_rows.any():
        more = 4096 if size < 4096 else vocab
        counts[open_rows], smallest[open_rows] = _nucleus(
            logits[open_rows], largest[open_rows], p, more
        )
    return counts, smallest


def min_p(p: float) -> Filter:
    """Keep the tokens that are at least p times as likely as the likeliest.

    Few tokens stay where the model is sure, many where it is not. Method: Nguyen et al., 2024,
    https://arxiv.org/abs/2407.01082.

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
    """Make a `sampler=` for CH2 that applies the filters in order and draws by `inverse_cdf`.

    Raises:
        FloatingPointError: at the drawing, as `inverse_cdf` does.
    """

    def draw(logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
        for reshape in filters:
            logits = reshape(logits)
        return inverse_cdf(logits, uniform)

    return draw


def inverse_cdf(logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Draw one token per row by the inverse of the cumulative distribution function (CDF).

    The tokens' probabilities lie end to end from 0 to 1, in the order of the ids; the token whose
    interval covers the row's random number is drawn. Sums are computed in float64 (in float32 on
    Apple's GPUs, which have no float64). Tokens of probability 0 are never drawn, not even for a
    random number of exactly 0, or of 1 after rounding.

    Args:
        logits: `(rows, vocab)`, after any filter.
        uniform: random numbers `(rows,)` in [0, 1].

    Returns:
        Token ids `(rows,)`.

    Raises:
        FloatingPointError: a row's largest logit is NaN or infinite.
    """
    if not len(logits):
        return torch.empty(0, dtype=torch.long, device=logits.device)
    largest = _largest(logits)
    # 1. Leave out the tokens that no row can draw: after filters most of the vocabulary.
    columns = (logits > -torch.inf).any(dim=0).nonzero()[:, 0]
    # 2. Sum the weights exp(logit) of each row: `ends` is where each token's interval ends.
    weights = (logits[:, columns].to(_exact_dtype(logits)) - largest).exp()
    ends = weights.cumsum(dim=-1)
    # 3. Scale the random number by the row's total, so that no weight has to be divided.
    target = uniform.to(ends.dtype)[:, None] * ends[:, -1:]
    # 4. The last token whose interval begins at or before the target covers it.
    begun = (ends - weights <= target) & (weights > 0)
    places = torch.where(begun, torch.arange(len(columns), device=logits.device), 0).amax(dim=-1)
    return columns[places]


def _largest(logits: torch.Tensor) -> torch.Tensor:
    """Return each row's largest logit, `(rows, 1)`, which must be finite."""
    largest = logits.amax(dim=-1, keepdim=True)  # NaN if the row holds one
    if not largest.isfinite().all():
        wrong = largest[~largest.isfinite()][0].item()
        raise FloatingPointError(
            f"the largest logit of a row is {wrong}, expected a finite number: "
            "check the weights, or use a wider dtype"
        )
    return largest


def _keep_largest(
    logits: torch.Tensor, counts: torch.Tensor | int, smallest: torch.Tensor
) -> torch.Tensor:
    """Drop all but the `counts` largest logits of each row, the last of which is `smallest`.

    Both are `(rows, 1)`. Of several tokens whose logit is `smallest`, the lowest ids stay.
    """
    kept = logits >= smallest
    surplus = kept.sum(dim=-1, keepdim=True) - counts
    if surplus.any():
        columns = (logits == smallest).any(dim=0).nonzero()[:, 0]
        tied = logits[:, columns] == smallest
        place = tied.cumsum(dim=-1)  # 1 for a row's first tied token
        kept[:, columns] &= ~tied | (place <= place[:, -1:] - surplus)
    return torch.where(kept, logits, -torch.inf)


def _wide(logits: torch.Tensor) -> torch.Tensor:
    """Return the logits in float32 or wider."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _exact_dtype(logits: torch.Tensor) -> torch.dtype:
    """Return the widest floating-point type of the logits' device."""
    return torch.float32 if logits.device.type == "mps" else torch.float64
