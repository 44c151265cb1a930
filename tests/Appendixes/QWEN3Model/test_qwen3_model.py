"""The whole model: causal, blind to padding, and the same with a cache as without."""

from dataclasses import replace

import pytest
import torch
from property_testing import given, st

from Appendixes.KVcache import KVCache
from Appendixes.QWEN3Model import Qwen3Config, Qwen3Model

VOCAB = 50


def ids(*shape, seed=0):
    return torch.randint(0, VOCAB, shape, generator=torch.Generator().manual_seed(seed))


@st.composite
def padding_masks(draw, rows=3, seq=9):
    """Rows of real tokens and padding in any order; every row has at least one real token."""
    row = st.lists(st.booleans(), min_size=seq, max_size=seq).filter(any)
    return torch.tensor(draw(st.lists(row, min_size=rows, max_size=rows)))


def alone(model, tokens):
    """Logits of one text, by itself, without padding or cache."""
    return model(tokens[None])[0]


# --- causality ---


@given(place=st.integers(0, 15), seed=st.integers(0, 1000))
def test_changing_a_token_changes_no_earlier_logit_and_all_later_ones(model64, place, seed):
    tokens = ids(1, 16, seed=seed)
    changed = tokens.clone()
    changed[0, place] = (changed[0, place] + 1) % VOCAB
    difference = (model64(tokens) - model64(changed)).abs().amax(dim=-1)[0]
    assert (difference[:place] <= 1e-12).all()
    assert (difference[place:] > 1e-9).all()


def test_order_of_earlier_tokens_matters(model64):
    tokens = torch.tensor([[3, 7, 11, 19]])
    assert not torch.allclose(
        model64(tokens)[0, -1], model64(tokens[:, [1, 0, 2, 3]])[0, -1], atol=1e-6
    )


# --- padding ---


@given(mask=padding_masks(), seed=st.integers(0, 1000))
def test_padding_anywhere_changes_no_real_logit(model64, mask, seed):
    tokens = ids(*mask.shape, seed=seed)
    logits = model64(tokens, padding_mask=mask)
    for row in range(len(mask)):
        real = mask[row]
        assert torch.allclose(logits[row, real], alone(model64, tokens[row, real]), atol=1e-11)


@given(first=padding_masks(seq=6), second=padding_masks(seq=4), seed=st.integers(0, 1000))
def test_padding_anywhere_changes_no_real_logit_with_a_cache(model64, first, second, seed):
    tokens, cache = ids(3, 10, seed=seed), KVCache(capacity=2)
    logits = torch.cat(
        (
            model64(tokens[:, :6], cache=cache, padding_mask=first),
            model64(tokens[:, 6:], cache=cache, padding_mask=second),
        ),
        dim=1,
    )
    mask = torch.cat((first, second), dim=1)
    assert cache.lengths.tolist() == mask.sum(dim=1).tolist()
    for row in range(3):
        real = mask[row]
        assert torch.allclose(logits[row, real], alone(model64, tokens[row, real]), atol=1e-11)


@given(mask=padding_masks())
def test_what_stands_at_padding_does_not_matter(model64, mask):
    tokens = ids(*mask.shape)
    others = torch.where(mask, tokens, (tokens + 1) % VOCAB)
    assert torch.equal(
        model64(tokens, padding_mask=mask)[mask], model64(others, padding_mask=mask)[mask]
    )


# --- the last position ---


@given(mask=padding_masks(), use_cache=st.booleans())
def test_last_position_only_is_the_last_real_position_of_each_row(model64, mask, use_cache):
    tokens = ids(*mask.shape)
    caches = [KVCache(), KVCache()] if use_cache else [None, None]
    every = model64(tokens, cache=caches[0], padding_mask=mask)
    last = model64(tokens, cache=caches[1], last_position_only=True, padding_mask=mask)
    assert last.shape == (len(mask), 1, VOCAB)
    for row in range(len(mask)):
        assert torch.allclose(last[row, 0], every[row, mask[row]][-1], atol=1e-11)


def test_last_position_only_without_padding_is_the_last_position(model64):
    tokens = ids(2, 7)
    assert torch.allclose(
        model64(tokens, last_position_only=True), model64(tokens)[:, -1:], atol=1e-12
    )


# --- cache ---


@given(
    cuts=st.sets(st.integers(1, 149), max_size=12),
    capacity=st.integers(1, 160),
    seed=st.integers(0, 1000),
)
def test_any_cut_into_chunks_gives_the_same_logits(model64, cuts, capacity, seed):
    tokens, cache, edges = ids(2, 150, seed=seed), KVCache(capacity), [0, *sorted(cuts), 150]
    chunks = [model64(tokens[:, a:b], cache=cache) for a, b in zip(edges, edges[1:], strict=False)]
    assert torch.allclose(torch.cat(chunks, dim=1), model64(tokens), atol=1e-11)
    assert cache.lengths.tolist() == [150, 150] and cache.max_length == 150


def test_bfloat16_decoding_stays_close_to_the_plain_pass(small_config, make_model, device):
    model, tokens, cache = (
        make_model(small_config, torch.bfloat16).to(device),
        ids(2, 20).to(device),
        KVCache(),
    )
    plain = model(tokens).float()
    cached = torch.cat([model(tokens[:, i : i + 1], cache=cache) for i in range(20)], dim=1).float()
    exact = make_model(small_config)(tokens.cpu()).float().to(device)
    assert (cached - exact).square().mean() <= 4 * (plain - exact).square().mean()


# --- shape and errors ---


@pytest.mark.parametrize("tied", [True, False])
def test_tied_models_have_one_matrix_less(tied):
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "head_dim": 4}
    model = Qwen3Model(Qwen3Config(vocab_size=100, tie_word_embeddings=tied, **sizes))
    attention, feed_forward, norms = 16 * 4 * (2 * 16 + 2 * 8), 3 * 16 * 24, 3 * 16 + 2 * 4
    assert (
        sum(p.numel() for p in model.parameters())
        == attention + feed_forward + norms + (1 if tied else 2) * 1600
    )


@pytest.mark.parametrize("shape", [(5,), (1, 0), (0, 5), (1, 2, 3)])
def test_ids_of_another_shape_are_refused(model64, shape):
    with pytest.raises(ValueError, match="expected \\(batch, seq\\) with at least one token"):
        model64(torch.zeros(shape, dtype=torch.long))


def test_cache_of_another_batch_is_refused(model64):
    cache = KVCache()
    model64(ids(2, 3), cache=cache)
    with pytest.raises(ValueError, match="the batch has 3 rows, the cache 2"):
        model64(ids(3, 1), cache=cache)


@pytest.mark.parametrize(
    "mask",
    [
        torch.ones(2, 4, dtype=torch.long),  # as transformers has it
        torch.ones(2, 1, dtype=torch.bool),
        torch.ones(4, dtype=torch.bool),
        torch.ones(2, 5, dtype=torch.bool),
        torch.ones(2, 4, 4, dtype=torch.bool),
    ],
    ids=lambda mask: f"{mask.dtype}{tuple(mask.shape)}",
)
@pytest.mark.parametrize("make_cache", [KVCache, lambda: None], ids=["cache", "no cache"])
def test_a_mask_of_another_type_or_shape_is_refused(model64, mask, make_cache):
    with pytest.raises(ValueError, match="expected torch.bool of shape .2, 4., True for real"):
        model64(ids(2, 4), make_cache(), padding_mask=mask)


@pytest.mark.parametrize(
    "changes", [{"num_key_value_heads": 4}, {"head_dim": 6}, {"num_hidden_layers": 1}]
)
def test_a_cache_of_another_model_is_refused(model64, small_config, make_model, changes):
    cache = KVCache()
    model64(ids(1, 3), cache)
    other = make_model(replace(small_config, **changes))
    with pytest.raises(ValueError, match="cache is another model's: it has 2 layers of 2 heads"):
        other(ids(1, 1), cache)
    assert cache.lengths.tolist() == [3]
