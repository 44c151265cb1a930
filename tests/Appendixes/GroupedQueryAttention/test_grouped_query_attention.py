"""Attention: groups share keys, and segments are one context however they are cut."""

from types import SimpleNamespace

import pytest
import torch
from property_testing import given, st

from Appendixes.GroupedQueryAttention import GroupedQueryAttention, causal_mask, grouped_attention
from Appendixes.KVcache import Segment


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain_attention(q, keys, values, mask):
    """The textbook's version: keys repeated for every query head, one softmax."""
    group = q.shape[1] // keys.shape[1]
    keys, values = (x.repeat_interleave(group, dim=1) for x in (keys, values))
    scores = (q @ keys.mT / q.shape[-1] ** 0.5).masked_fill(~mask[:, None], -torch.inf)
    return scores.softmax(dim=-1) @ values


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_groups_equal_repeated_keys(kv_heads):
    q, keys, values = (
        random(2, 4, 7, 8),
        random(2, kv_heads, 7, 8, seed=1),
        random(2, kv_heads, 7, 8, seed=2),
    )
    expected = plain_attention(q, keys, values, causal_mask(7))
    assert torch.allclose(grouped_attention(q, [Segment(keys, values)]), expected, atol=1e-12)


@given(
    seed=st.integers(0, 1000), seq=st.integers(1, 5), cuts=st.sets(st.integers(1, 11), max_size=3)
)
def test_context_cut_into_segments_gives_the_same_result(seed, seq, cuts):
    length = 12
    q, keys, values = (
        random(2, 4, seq, 8, seed=seed),
        random(2, 2, length, 8, seed=seed + 1),
        random(2, 2, length, 8),
    )
    mask = torch.rand(2, seq, length, generator=torch.Generator().manual_seed(seed)) < 0.6
    mask[..., 0] = True  # a query always sees something
    edges = [0, *sorted(cuts), length]
    pieces = [
        Segment(keys[:, :, a:b], values[:, :, a:b], mask[:, :, a:b])
        for a, b in zip(edges, edges[1:], strict=False)
    ]
    expected = plain_attention(q, keys, values, mask)
    assert torch.allclose(grouped_attention(q, pieces), expected, atol=1e-12)


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
