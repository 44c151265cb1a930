"""Filters keep exactly what they say, the sampler draws in proportion, and a seed fixes every
sample.
"""

import math
import random

import pytest
import torch

from CH2.decoding import DecodingEngine, Draw, capturable, is_capturable
from CH2.generation import generate_batch
from CH2.seeds import sample_generator
from CH4 import sampling
from CH4.sampling import inverse_cdf, min_p, sampler, temperature, top_k, top_p

INF = math.inf
DTYPES = (torch.float64, torch.float32, torch.bfloat16)
CHAINS = (
    (),
    (temperature(0),),
    (temperature(0.8), top_p(0.9)),
    (temperature(1.5), top_k(40), min_p(0.02)),
    (top_p(0.999), temperature(2.0), top_k(7)),
)


@pytest.fixture
def blind(monkeypatch):
    """Sampling as on a GPU, where Python may not look at values."""
    monkeypatch.setattr(sampling, "_may_look", lambda logits: False)


@pytest.fixture(params=["cpu", "blind"])
def anywhere(request):
    """Sampling as on a CPU, and as on a GPU."""
    if request.param == "blind":
        request.getfixturevalue("blind")


def random_logits(
    rows: int, vocab: int, *, scale: float, dtype=torch.float64, seed: int = 0
) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(rows, vocab, generator=generator, dtype=torch.float64) * scale).to(dtype)


def in_order(row: torch.Tensor) -> list[int]:
    """Ids from the likeliest on; equal ones by id."""
    return [
        token for _, token in sorted((-logit, token) for token, logit in enumerate(row.tolist()))
    ]


def kept(logits: torch.Tensor) -> list[set[int]]:
    return [set((row > -INF).nonzero()[:, 0].tolist()) for row in logits]


@pytest.mark.parametrize("dtype", DTYPES)
# flat: one tie from end to end; many ties in bfloat16
@pytest.mark.parametrize("scale", [0.0, 0.5, 3.0])
def test_top_k_keeps_the_k_likeliest_and_of_ties_the_lowest_ids(dtype, scale, anywhere):
    logits = random_logits(3, 300, scale=scale, dtype=dtype)
    for k in (1, 2, 17, 299, 300, 1000):
        filtered = top_k(k)(logits)
        assert filtered.dtype == dtype
        assert kept(filtered) == [set(in_order(row)[:k]) for row in logits]
        assert torch.equal(filtered[filtered > -INF], logits[filtered > -INF])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [0.0, 0.5, 3.0])
def test_top_p_keeps_the_smallest_set_that_reaches_p(dtype, scale, anywhere):
    # 5,000 tokens: the looks at 128 and 4,096 of them suffice for some rows, not for all
    logits = torch.cat(
        [
            random_logits(2, 5000, scale=scale, dtype=dtype),
            random_logits(2, 5000, scale=9.0, dtype=dtype),
        ]
    )
    rows = [(row.softmax(dim=-1), in_order(row)) for row in logits.double()]
    for p in (1e-9, 0.1, 0.5, 0.9, 0.999):
        for (probabilities, order), tokens in zip(rows, kept(top_p(p)(logits)), strict=True):
            assert tokens == set(order[: len(tokens)])
            masses = probabilities[order].cumsum(dim=-1)
            assert masses[len(tokens) - 1] >= p - 1e-6
            assert len(tokens) == 1 or masses[len(tokens) - 2] < p


def test_top_p_at_its_edges(anywhere):
    logits = torch.tensor([[0.5, 0.41, 0.09]]).log()
    assert kept(top_p(0.9)(logits)) == [{0, 1}]
    assert kept(top_p(1e-300)(logits)) == [{0}]
    assert torch.equal(top_p(1)(logits), logits)
    # 0.6 + 0.3 is a little less than 0.9 in floating point
    for dtype in (torch.float32, torch.float64):
        logits = torch.tensor([[0.6, 0.3, 0.1]], dtype=dtype).log()
        assert kept(top_p(0.9)(logits)) == [{0, 1}]
    # The sum of all may fall short of p by rounding: then all tokens that have a probability stay.
    nearly_one = math.nextafter(1.0, 0.0)
    logits = random_logits(4, 3000, scale=0.1)
    logits[:, ::2] = -INF
    assert kept(top_p(nearly_one)(logits)) == [set(range(1, 3000, 2))] * 4


def test_min_p_keeps_what_is_likely_enough_beside_the_likeliest(anywhere):
    logits = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], dtype=torch.float64).log()
    assert kept(min_p(0.5)(logits)) == [{0, 1}, {2}]
    assert kept(min_p(1e-300)(logits)) == [{0, 1, 2}] * 2
    assert kept(min_p(1)(torch.tensor([[2.0, 5.0, 5.0, -INF]]))) == [{1, 2}]


def test_temperature_divides_and_zero_is_greedy(anywhere):
    logits = random_logits(4, 50, scale=2.0, dtype=torch.bfloat16)
    assert torch.equal(temperature(0.5)(logits), logits.float() / 0.5)
    tied = torch.tensor([[1.0, 3.0, 3.0], [0.0, -INF, -INF]])
    assert kept(temperature(0)(tied)) == [{1}, {0}]
    drawn = sampler(temperature(1e-30))(tied[:1].expand(2, -1), torch.tensor([0.4, 0.6]).double())
    assert drawn.tolist() == [1, 2]  # what is tied stays tied


@pytest.mark.parametrize("dtype", DTYPES)
def test_temperature_zero_is_greedy_wherever_it_stands(dtype, anywhere):
    logits = random_logits(40, 300, scale=0.7, dtype=dtype)  # ties for the first place in bfloat16
    uniform = torch.rand(40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    greedy = torch.tensor([in_order(row)[0] for row in logits])
    filters = [temperature(0), temperature(1.7), top_k(5), top_p(0.3), min_p(0.9)]
    for shuffle in range(10):
        random.Random(shuffle).shuffle(filters)
        assert torch.equal(sampler(*filters)(logits, uniform), greedy)


def test_filters_apply_in_the_order_given():
    logits = torch.tensor([[0.5, 0.3, 0.2]]).log()
    # flattened first: a third each
    assert kept(top_p(0.7)(temperature(100.0)(logits))) == [{0, 1, 2}]
    assert kept(temperature(100.0)(top_p(0.7)(logits))) == [{0, 1}]


@pytest.mark.parametrize("make", [temperature, top_p, min_p], ids=["temperature", "top_p", "min_p"])
@pytest.mark.parametrize("value", [-0.5, math.nan, math.inf])
def test_filters_refuse_values_out_of_range(make, value):
    with pytest.raises(ValueError, match=f"{make.__name__} is {value}: expected"):
        make(value)


def test_filters_refuse_what_leaves_nothing_or_means_nothing():
    for make, value in (
        (top_p, 0),
        (top_p, 1.01),
        (min_p, 0),
        (min_p, 1.01),
        (top_k, 0),
        (top_k, 2.5),
        (temperature, 1e-40),
    ):
        with pytest.raises(ValueError, match=f"{make.__name__} is {value}"):
            make(value)


@pytest.mark.parametrize("reshape", [temperature(0.8), top_k(2), top_p(0.5), min_p(0.5)])
@pytest.mark.parametrize("shape", [(5,), (2, 3, 5)])
def test_logits_of_another_shape_are_refused_by_filters_and_samplers(reshape, shape):
    with pytest.raises(ValueError, match=r"expected \(rows, vocab\).* one text is logits\[None\]"):
        reshape(torch.zeros(shape))
    for draw in (sampler(reshape), inverse_cdf):
        with pytest.raises(
            ValueError, match=r"expected \(rows, vocab\).* one text is logits\[None\]"
        ):
            draw(torch.zeros(shape), torch.tensor([0.5]))
        with pytest.raises(ValueError, match=r"random numbers \(1,\): expected"):
            draw(torch.zeros(2, 5), torch.tensor([0.5]))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("reshape", [temperature(0), top_k(2), top_p(0.5), min_p(0.5), None])
def test_logits_that_are_no_distribution_are_refused(bad, reshape):
    draw = sampler() if reshape is None else sampler(reshape)
    for row in ([0.0, bad, 1.0], [-INF, -INF, -INF]):
        with pytest.raises(FloatingPointError, match="largest logit of a row is"):
            draw(torch.tensor([[0.0, 1.0, 2.0], row]), torch.tensor([0.5, 0.5]))


def test_the_first_and_the_last_random_number_draw_the_first_and_the_last_possible_token(anywhere):
    logits = torch.tensor([[-INF, 0.0, -INF, 1.0, -INF], [2.0, -INF, -INF, -INF, -800.0]])
    last_float64 = 1 - 2**-53
    for uniform, tokens in ((0.0, [1, 0]), (last_float64, [3, 0]), (1.0, [3, 0])):
        assert (
            inverse_cdf(logits, torch.full((2,), uniform, dtype=torch.float64)).tolist() == tokens
        )


@pytest.mark.parametrize(
    "reshape", [temperature(0), temperature(0.8), top_k(2), top_p(0.5), min_p(0.5)]
)
def test_of_no_rows_nothing_is_drawn(reshape, anywhere):
    drawn = sampler(reshape)(torch.empty(0, 5), torch.empty(0, dtype=torch.float64))
    assert (drawn.dtype, drawn.shape) == (torch.long, (0,))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_token_without_probability_is_never_drawn(dtype, anywhere):
    logits = random_logits(64, 60, scale=4.0, dtype=dtype)
    logits[random_logits(64, 60, scale=1.0, seed=1) > -0.5] = -INF
    ends = (logits.double() - logits.double().amax(dim=-1, keepdim=True)).exp().cumsum(dim=-1)
    zero, one = torch.zeros(64, dtype=torch.float64), torch.ones(64, dtype=torch.float64)
    for border in (ends / ends[:, -1:]).T:  # between two tokens, and the numbers beside it
        for uniform in (border, border.nextafter(zero), border.nextafter(one)):
            drawn = inverse_cdf(logits, uniform)
            assert (logits.gather(1, drawn[:, None]) > -INF).all()


def test_a_row_is_drawn_alike_alone_and_in_a_batch(anywhere):
    logits, draw = random_logits(64, 500, scale=2.0), sampler(temperature(0.8), top_p(0.9))
    uniform = torch.rand(64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    alone = [draw(logits[i : i + 1], uniform[i : i + 1]).item() for i in range(64)]
    assert draw(logits, uniform).tolist() == alone


def chi_square(counts: torch.Tensor, probabilities: torch.Tensor) -> float:
    """Pearson's statistic in standard deviations above its mean: of k cells, mean k - 1 and
    variance 2 (k - 1).
    """
    expected = probabilities * counts.sum()
    assert expected.min() > 5  # fewer make the statistic's distribution another
    statistic, freedom = ((counts - expected) ** 2 / expected).sum(), len(counts) - 1
    return float((statistic - freedom) / math.sqrt(2 * freedom))


@pytest.mark.parametrize(
    "filters", [(), (temperature(0.5),), (temperature(2.0), top_p(0.8)), (top_k(7), min_p(0.1))]
)
def test_tokens_are_drawn_in_proportion_to_their_probabilities(filters, anywhere):
    logits = random_logits(1, 30, scale=0.7)
    reshaped = logits
    for reshape in filters:
        reshaped = reshape(reshaped)
    probabilities = reshaped[0].softmax(dim=-1)
    uniform = torch.rand(50_000, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    counts = sampler(*filters)(logits.expand(50_000, -1), uniform).bincount(minlength=30)
    possible = probabilities > 0
    assert counts[~possible].sum() == 0
    assert abs(chi_square(counts[possible], probabilities[possible])) < 3
    assert (
        chi_square(counts[possible], torch.full_like(probabilities[possible], 1 / possible.sum()))
        > 30
    )


def test_samples_of_one_prompt_and_of_neighbouring_seeds_are_independent():
    """First random numbers of many generators, and pairs of them, are uniform."""
    generators = [[sample_generator(seed, [5, 6], k) for k in range(200)] for seed in range(50)]
    draws = torch.tensor(
        [[torch.rand(1, generator=one, dtype=torch.float64) for one in row] for row in generators]
    )
    cells = torch.full((16,), 1 / 16, dtype=torch.float64)
    assert abs(chi_square((draws.flatten() * 16).long().bincount(minlength=16), cells)) < 3
    quarter = (draws * 4).long()
    for pairs in (4 * quarter[:, :-1] + quarter[:, 1:], 4 * quarter[:-1] + quarter[1:]):
        assert abs(chi_square(pairs.flatten().bincount(minlength=16), cells)) < 3.5


def test_a_generator_depends_on_seed_prompt_and_number_only():
    def first(*key) -> float:
        return torch.rand(1, generator=sample_generator(*key), dtype=torch.float64).item()

    assert first(0, [1, 2], 3) == first(0, (1, 2), 3) == first(0, torch.tensor([1, 2]), 3)
    keys = [
        (seed, prompt, k)
        for seed in (0, 1, -1, 2**40)
        for prompt in ([1, 2], [12], [1, 2, 3])
        for k in range(5)
    ]
    assert len({first(*key) for key in keys}) == len(keys)


# --- on a GPU, where nothing may wait for a value ---


def drawn_with_and_without_looking(draw, logits, uniform):
    looking = draw(logits, uniform)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "_may_look", lambda logits: False)
        return looking, draw(logits, uniform)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("filters", CHAINS)
@pytest.mark.parametrize("scale", [0.0, 0.3, 3.0])  # flat: many ties, and nuclei of thousands
def test_without_a_look_at_values_the_tokens_are_the_same(filters, scale, dtype):
    logits = random_logits(30, 6000, scale=scale, dtype=dtype)
    logits[:, ::7] = -INF
    uniform = torch.rand(30, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    looking, blind = drawn_with_and_without_looking(sampler(*filters), logits, uniform)
    assert torch.equal(looking, blind)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_nucleus_that_ends_at_a_border_differs_by_rounding_alone(dtype):
    """There p is the sum up to a token, and sums are ordered differently."""
    logits = random_logits(1, 3000, scale=1.0, dtype=dtype)
    order, eps = in_order(logits[0]), torch.finfo(dtype).eps
    masses = logits.double().softmax(dim=-1)[0, order].cumsum(dim=-1)
    for size in (1, 2, 100, 129, 1000, 2900):
        for p in (masses[size - 1].item() + nudge * eps for nudge in (-8, 3.99, 4, 4.01, 12)):
            sets = drawn_with_and_without_looking(
                lambda logits, p: kept(top_p(p)(logits))[0], logits, p
            )
            for tokens in sets:
                assert tokens == set(order[: len(tokens)])
                assert masses[len(tokens) - 1] >= p - 5 * eps
                assert len(tokens) == 1 or masses[len(tokens) - 2] < p - 3 * eps


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("filters", CHAINS)
def test_without_a_look_rows_to_be_refused_get_an_id_that_says_so(filters, bad, blind):
    logits = random_logits(5, 300, scale=2.0)
    uniform = torch.full((5,), 0.3, dtype=torch.float64)
    alone = sampler(*filters)(logits[::2], uniform[::2]).tolist()
    logits[1] = bad
    logits[3] = bad if bad < 0 else logits[3].index_fill(0, torch.tensor([7, 200]), bad)
    told = sampler(*filters)(logits, uniform).tolist()
    assert told == [alone[0], -1, alone[1], -1, alone[2]]


def test_a_temperature_that_makes_logits_infinite_is_refused_too(blind):
    logits = torch.tensor([[1e10, 0.0], [0.0, 0.0]])
    for others in ((), (top_p(0.9),), (top_k(1),), (min_p(0.1),), (temperature(0),)):
        draw = sampler(temperature(1e-30), *others)
        uniform = torch.tensor([0.0, 0.9])
        assert draw(logits, uniform).tolist()[0] == -1
        _, logprobs = Draw(draw)(logits, uniform).tolist()
        assert math.isnan(logprobs[0]) and math.isfinite(logprobs[1])


@pytest.mark.parametrize("filters", CHAINS)
def test_sampling_runs_on_tensors_without_values(filters):
    """So nothing waits for a device, and no shape depends on a number."""
    logits, uniform = torch.empty(3, 500, device="meta"), torch.empty(3, device="meta")
    drawn = sampler(*filters)(logits, uniform.double())
    assert (drawn.shape, drawn.device.type, drawn.dtype) == ((3,), "meta", torch.long)


@pytest.mark.parametrize("device", ["cuda"], indirect=True)
@pytest.mark.parametrize("filters", CHAINS)
def test_on_a_device_the_tokens_are_those_of_the_cpu(device, filters):
    """In float64, in which sums that are ordered differently meet no border here."""
    logits = random_logits(30, 6000, scale=2.0)
    uniform = torch.rand(30, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    drawn = sampler(*filters)(logits.to(device), uniform.to(device))
    assert drawn.tolist() == sampler(*filters)(logits, uniform).tolist()


def test_samplers_of_equal_filters_are_one_and_the_same_to_a_captured_step():
    made = [sampler(temperature(0.8), top_p(0.9)) for _ in range(2)]
    assert made[0] == made[1] and hash(made[0]) == hash(made[1])
    others = [
        sampler(temperature(0.8), top_p(0.8)),
        sampler(top_p(0.9), temperature(0.8)),
        sampler(temperature(0.8), min_p(0.9)),
        sampler(),
    ]
    assert len({made[0], *others}) == 5


def test_a_sampler_may_be_captured_if_all_its_filters_may():
    def own(logits):
        return logits * 2

    assert all(is_capturable(sampler(*filters)) for filters in CHAINS)
    assert not is_capturable(sampler(temperature(0.8), own))
    assert is_capturable(sampler(temperature(0.8), capturable(own)))


@pytest.mark.parametrize("filters", CHAINS)
def test_steps_that_draw_by_a_sampler_give_the_plain_models_tokens(
    plain_and_static, filters, blind
):
    plain, static = plain_and_static
    prompts, captures = [[5, 6, 7], [8] * 30, [9]], []
    for seed in range(3):  # each time with a sampler that is made anew

        def told(model, seed=seed):
            generators = [torch.Generator().manual_seed(seed + 5 * n) for n in range(3)]
            options = {"sampler": sampler(*filters), "generators": generators, "stop_ids": range(4)}
            return generate_batch(model, prompts, 40, **options)

        assert told(static) == told(plain)
        captures.append(static.steps.captures)
    assert captures[0] > 0
    engine = DecodingEngine(static, reuse_buffers=True)
    draws = [draw for _, draw in engine.row_cache.steps]
    assert draws and {draw.sampler for draw in draws} == {sampler(*filters)}


def test_a_step_whose_logits_are_no_distribution_is_refused_and_nothing_is_lost(
    plain_and_static, blind
):
    plain, static = plain_and_static
    draw = sampler(temperature(0.8), top_p(0.9))
    [expected] = generate_batch(plain, [[5, 6, 7]], 20, sampler=draw)
    engine = DecodingEngine(static, sampler=draw)
    row = engine.admit(*engine.add_prompts([[5, 6, 7]]), 20)
    for _ in range(5):
        engine.step()
    for bad in (math.nan, math.inf):
        saved = static.norm.weight.clone()
        static.norm.weight.data.fill_(bad)
        for _ in range(2):
            with pytest.raises(FloatingPointError, match="NaN or infinite"):
                for _ in range(2):  # at the latest one step later
                    engine.step()
        static.norm.weight.data.copy_(saved)
    while engine.rows:
        engine.step()
    assert row.tokens == expected
