"""Draw a token from logits: filters reshape the distribution, a sampler draws from what they leave.

- a *filter* maps logits `(rows, vocab)` to logits `(rows, vocab)`; dropped tokens become `-inf`
- filters compose in the order given: `sampler(temperature(0.8), top_p(0.9))` goes wherever CH2
  takes a `sampler`
- every filter keeps each row's likeliest token; of equally likely tokens at the border, those with
  the lowest ids stay. So a sampler with `temperature(0)` anywhere in its chain is greedy
- a token whose logit is `-inf` is never drawn; a row whose largest logit is NaN or infinite is
  refused
- on a CPU sampling looks at the values to find the little that is to be done. On a GPU, which would
  have to wait for each look, it does the same work for any values: a decoding step may be captured
  with it (`CH2/captured_steps.py`), and a row to be refused gets the id -1, by which the decoding
  engine knows it. That has not yet run on a GPU; the tests run it on a CPU
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from CH2.decoding import NO_TOKEN, Sampler, capturable, is_capturable

Filter = Callable[[torch.Tensor], torch.Tensor]  # logits (rows, vocab) -> (rows, vocab)

LOWEST_TEMPERATURE = 1e-30  # logits divided by less leave the range of float32
# times that the search for a nucleus' smallest logit halves an interval, of about 15 at first
HALVINGS = 32


@dataclass(frozen=True)
class ValueFilter:
    """A filter and its setting: equal to any other of the same kind and setting, so that a step
    that was captured with one serves for all.

    Attributes:
        reshape: maps logits and the setting to logits.
        value: the setting.
    """

    reshape: Callable[[torch.Tensor, Any], torch.Tensor]
    value: float
    capturable: ClassVar[bool] = True

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """Map logits `(rows, vocab)` to logits `(rows, vocab)`."""
        if logits.dim() != 2:
            raise ValueError(
                f"logits {tuple(logits.shape)}: expected (rows, vocab); one text is logits[None]"
            )
        return self.reshape(logits, self.value)


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
    return ValueFilter(_divide, value)


def _divide(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    largest = _largest(logits)
    if temperature > 0:
        return _wide(logits) / temperature
    likeliest = logits.argmax(dim=-1, keepdim=True)  # of several the first
    return torch.full_like(logits, -torch.inf).scatter(-1, likeliest, largest)


def top_k(k: int) -> Filter:
    """Keep the k likeliest tokens (Fan et al., 2018, https://arxiv.org/abs/1805.04833).

    >>> top_k(2)(torch.tensor([[1.0, 3.0, 2.0, 2.0]]))
    tensor([[-inf, 3., 2., -inf]])

    Raises:
        ValueError: `k` is not an integer of at least 1.
    """
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"top_k is {k}: expected an integer of at least 1, as one token must stay")
    return ValueFilter(_keep_k, k)


def _keep_k(logits: torch.Tensor, k: int) -> torch.Tensor:
    largest = _largest(logits)
    if k >= logits.shape[-1]:
        return logits
    smallest = logits.topk(k).values[..., -1:]
    return _keep_largest(logits, k, smallest.minimum(largest))  # NaN if the row holds one


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
    return ValueFilter(_keep_nucleus, p)


def _keep_nucleus(logits: torch.Tensor, p: float) -> torch.Tensor:
    largest = _largest(logits)
    if p == 1:
        return logits
    nucleus = _sorted_nucleus if _may_look(logits) else _searched_nucleus
    return _keep_largest(logits, *nucleus(_wide(logits), largest, p))


def _sorted_nucleus(
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
        counts[open_rows], smallest[open_rows] = _sorted_nucleus(
            logits[open_rows], largest[open_rows], p, more
        )
    return counts, smallest


def _searched_nucleus(
    logits: torch.Tensor, largest: torch.Tensor, p: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what `_sorted_nucleus` does, by a search that takes the same steps for any values.

    The nucleus' smallest logit lies in an interval that is halved until it holds one logit, or some
    that differ by rounding only.
    """
    exact = _exact_dtype(logits)
    weights = (logits - largest).exp()

    def mass(chosen: torch.Tensor) -> torch.Tensor:
        return torch.where(chosen, weights, 0).sum(dim=-1, keepdim=True, dtype=exact)

    # 1. The tokens from `low` up reach the target, as all others are too unlikely to be needed;
    #    those from `high` up, which are none, do not.
    total = weights.sum(dim=-1, keepdim=True, dtype=exact)
    target = max(p - 4 * torch.finfo(logits.dtype).eps, torch.finfo(exact).tiny) * total
    low = largest + ((total - target) / logits.shape[-1]).log().to(logits.dtype)
    high = largest.nextafter(torch.full_like(largest, torch.inf))
    # 2. Halve.
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = mass(logits >= middle) >= target
        low, high = torch.where(enough, middle, low), torch.where(enough, high, middle)
    # 3. Of the tokens between, which are equally likely, as many are needed as reach the target.
    smallest = torch.where(logits >= low, logits, torch.inf).amin(dim=-1, keepdim=True)
    above = logits >= high
    needed = ((target - mass(above)) / (smallest - largest).to(exact).exp()).ceil().long()
    tied = (logits == smallest).sum(dim=-1, keepdim=True)
    return above.sum(dim=-1, keepdim=True) + needed.clamp(min=1).minimum(tied), smallest


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
    return ValueFilter(_keep_likely, p)


def _keep_likely(logits: torch.Tensor, p: float) -> torch.Tensor:
    return logits.masked_fill(_wide(logits) < _wide(_largest(logits)) + math.log(p), -torch.inf)


@dataclass(frozen=True)
class FilteringSampler:
    """A sampler that applies filters in order and draws by `inverse_cdf`.

    Samplers of equal filters are equal.
    """

    filters: tuple[Filter, ...]

    @property
    def capturable(self) -> bool:
        """Return True if a step may be captured with it: if that is so of all its filters."""
        return all(map(is_capturable, self.filters))

    def __call__(self, logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
        """Draw token ids `(rows,)`, given logits `(rows, vocab)` and random numbers `(rows,)`."""
        for reshape in self.filters:
            logits = reshape(logits)
        return inverse_cdf(logits, uniform)


def sampler(*filters: Filter) -> Sampler:
    """Make a `sampler=` for CH2 that applies the filters in order and draws by `inverse_cdf`.

    By itself it takes logits `(rows, vocab)`, of one text `logits[None]`, and a random number per
    row:

    >>> logits = torch.tensor([[1.0, 3.0, 2.0], [0.0, 0.0, 5.0]])
    >>> sampler(temperature(0.8), top_p(0.9))(logits, torch.tensor([0.99, 0.5]))
    tensor([2, 2])

    `generate` gives it `torch.rand(1, generator=generator, dtype=torch.float64)` for each token.

    A filter of your own may be captured with a decoding step on a GPU if you mark it by
    `CH2.decoding.capturable`, which says what that asks of it.

    Raises:
        ValueError, FloatingPointError: at the drawing, as `inverse_cdf` does.
    """
    return FilteringSampler(filters)


@capturable
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
        Token ids `(rows,)`; -1 for a row whose largest logit is NaN or infinite, on a GPU.

    Raises:
        ValueError: the shapes are others.
        FloatingPointError: a row's largest logit is NaN or infinite, on a CPU.
    """
    if logits.dim() != 2 or uniform.shape != logits.shape[:1]:
        raise ValueError(
            f"logits {tuple(logits.shape)} and random numbers {tuple(uniform.shape)}: expected "
            "(rows, vocab) and (rows,); one text is logits[None], with one number"
        )
    if not len(logits):
        return torch.empty(0, dtype=torch.long, device=logits.device)
    largest = _largest(logits)
    # 1. Leave out the tokens that no row can draw: after filters most of the vocabulary.
    columns = _columns(logits > -torch.inf)
    # 2. Sum the weights exp(logit) of each row: `ends` is where each token's interval ends.
    weights = (logits[:, columns].to(_exact_dtype(logits)) - largest).exp()
    ends = weights.cumsum(dim=-1)
    # 3. Scale the random number by the row's total, so that no weight has to be divided.
    target = uniform.to(ends.dtype)[:, None] * ends[:, -1:]
    # 4. The last token whose interval begins at or before the target covers it.
    begun = (ends - weights <= target) & (weights > 0)
    places = torch.where(begun, torch.arange(len(columns), device=logits.device), 0).amax(dim=-1)
    # 5. On a GPU, a row without a distribution gets here.
    return torch.where(largest[:, 0].isfinite(), columns[places], NO_TOKEN)


def _may_look(logits: torch.Tensor) -> bool:
    """Return True if Python may ask for values: on a CPU, and on Apple's GPUs, whose steps are not
    captured.
    """
    return logits.device.type in ("cpu", "mps")


def _columns(marked: torch.Tensor) -> torch.Tensor:
    """Return the columns that are marked in any row; all of them where Python may not look."""
    if _may_look(marked):
        return marked.any(dim=0).nonzero()[:, 0]
    return torch.arange(marked.shape[-1], device=marked.device)


def _largest(logits: torch.Tensor) -> torch.Tensor:
    """Return each row's largest logit, `(rows, 1)`.

    It must be finite; that is checked where Python may look. Elsewhere a row stays without a
    distribution through all filters: `inverse_cdf` sees it at the end.
    """
    largest = logits.amax(dim=-1, keepdim=True)  # NaN if the row holds one
    if _may_look(logits) and not largest.isfinite().all():
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
    if not _may_look(logits) or surplus.any():
        columns = _columns(logits == smallest)
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
