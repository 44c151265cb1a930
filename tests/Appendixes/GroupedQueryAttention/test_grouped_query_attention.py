"""Attention: groups share keys, and segments are one context however they are cut."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from property_testing import given, st

from Appendixes.GroupedQueryAttention import (
    GroupedQueryAttention,
    attention,
    causal_mask,
    grouped_attention,
)
from Appendixes.GroupedQueryAttention.segments import attend, attend_to_all, merge
from Appendixes.KVcache import Segment
from Appendixes.KVcache.prefix_sharing import Sharing


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("masked", [True, False])
def test_the_formula_equals_pytorchs_attention(kv_heads, masked):
    q, k, v = random(2, 4, 7, 8), random(2, kv_heads, 7, 8, seed=1), random(2, kv_heads, 7, 8)
    mask = random(2, 7, 7) < 0.5
    mask |= torch.eye(7, dtype=torch.bool)  # a query always sees something
    expected = F.scaled_dot_product_attention(
        q, k, v, mask[:, None] if masked else None, is_causal=not masked, enable_gqa=True
    )
    assert torch.allclose(attention(q, k, v, mask if masked else None), expected, atol=1e-12)
    assert torch.allclose(grouped_attention(q, [Segment(k, v, mask if masked else None)]), expected)


@pytest.mark.parametrize("by_one_softmax", [False, True], ids=["as on a CPU", "as on a GPU"])
@given(
    seed=st.integers(0, 1000), seq=st.integers(1, 5), cuts=st.sets(st.integers(1, 11), max_size=3)
)
def test_context_cut_into_segments_gives_the_same_result(by_one_softmax, seed, seq, cuts):
    length = 12
    q, keys, values = (
        random(2, 4, seq, 8, seed=seed),
        random(2, 2, length, 8, seed=seed + 1),
        random(2, 2, length, 8),
    )
    mask = torch.rand(2, seq, length, generator=torch.Generator().manual_seed(seed)) < 0.6
    mask[..., 0] = True  # a query always sees something, but not of every segment
    edges = [0, *sorted(cuts), length]
    pieces = [
        Segment(keys[:, :, a:b], values[:, :, a:b], mask[:, :, a:b])
        for a, b in zip(edges, edges[1:], strict=False)
    ]
    if by_one_softmax:
        out = attend_to_all(q.reshape(2, 2, 2 * seq, 8), pieces).reshape(q.shape)
    else:
        out = grouped_attention(q, pieces)
    assert torch.allclose(out, attention(q, keys, values, mask), atol=1e-12)


@pytest.mark.parametrize("by_one_softmax", [False, True], ids=["as on a CPU", "as on a GPU"])
@given(parents=st.lists(st.integers(0, 2), min_size=1, max_size=6), seed=st.integers(0, 1000))
def test_rows_that_share_a_segment_get_what_copies_of_it_give(by_one_softmax, parents, seed):
    rows, sharing = len(parents), Sharing(parents, 3, torch.device("cpu"))
    q = random(rows, 2, 4, 8, seed=seed)  # two key-value heads, two query heads on each, two tokens
    keys, values = random(3, 2, 5, 8, seed=seed + 1), random(3, 2, 5, 8, seed=seed + 2)
    own = Segment(random(rows, 2, 3, 8, seed=1), random(rows, 2, 3, 8), causal_mask(3)[:, 1:])
    mask = torch.arange(5) < torch.tensor([0, 2, 5])[:, None, None]  # one prompt is empty
    shared = Segment(keys, values, mask, sharing=sharing)
    copied = Segment(keys[parents], values[parents], mask[parents])
    if by_one_softmax:
        results = [attend_to_all(q, [first, own]) for first in (shared, copied)]
    else:
        results = [merge([attend(q, first), attend(q, own)]) for first in (shared, copied)]
    assert torch.allclose(*results, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_segment_of_which_a_query_sees_nothing_counts_nothing(dtype):
    q, hidden, seen = (30 * random(1, 2, 1, 8, seed=seed).to(dtype) for seed in range(3))
    mask = torch.ones(1, 1, 1, dtype=torch.bool)
    pieces = [Segment(hidden, hidden, ~mask), Segment(seen, seen, mask)]
    assert torch.equal(grouped_attention(q, pieces), seen)
    assert torch.equal(attend_to_all(q, pieces), seen)


def test_sizes_come_from_the_config_and_need_not_match_the_width():
    config = SimpleNamespace(
        hidden_size=12, num_attention_heads=4, num_key_value_heads=2, head_dim=10, rms_norm_eps=1e-6
    )
    attention = GroupedQueryAttention(config)
    shapes = {name: tuple(weight.shape) for name, weight in attention.named_parameters()}
    assert shapes == {
        "q_proj.weight": (40, 12),
        "k_proj.weight": (20, 12),
        "v_proj.weight": (20, 12),
        "o_proj.weight": (12, 40),
        "q_norm.weight": (10,),
        "k_norm.weight": (10,),
    }


def test_heads_that_cannot_be_shared_evenly_are_refused():
    config = SimpleNamespace(
        hidden_size=12, num_attention_heads=4, num_key_value_heads=3, head_dim=10, rms_norm_eps=1e-6
    )
    with pytest.raises(
        ValueError, match="3 key-value heads cannot be shared evenly by 4 query heads"
    ):
        GroupedQueryAttention(config)
