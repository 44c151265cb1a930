"""The cache: it grows by doubling, forks share what they continue, and rows come and go without
touching the others.
"""

import pytest
import torch
from property_testing import given, settings, st

from Appendixes.KVcache import KVCache, PromptCache, SimpleKVCache, token_offsets

VOCAB = 50


def ids(*shape, seed=0):
    return torch.randint(0, VOCAB, shape, generator=torch.Generator().manual_seed(seed))


def expected_logits(model, texts):
    """The last logits of each text, each by itself and without a cache."""
    return torch.stack([model(torch.tensor([text]))[0, -1] for text in texts])


def read(model, *texts):
    """A cache that holds texts of one length."""
    cache = PromptCache()
    model(torch.tensor(texts), cache=cache)
    return cache


# --- the idea ---


@given(cuts=st.sets(st.integers(1, 199), max_size=4), seed=st.integers(0, 100))
def test_cache_in_place_holds_what_concatenation_holds(cuts, seed):
    keys, values = torch.randn(
        2, 3, 2, 200, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    simple, cache, edges = SimpleKVCache(), KVCache(), [0, *sorted(cuts), 200]
    for start, end in zip(edges, edges[1:], strict=False):
        new = keys[:, :, start:end], values[:, :, start:end]
        extension = cache.extend(3, end - start, "cpu")
        for layer in range(2):
            joined = simple.append(layer, *new)
            extension.layer(layer).append(*new)
        extension.commit()
        for layer in range(2):
            assert all(map(torch.equal, cache.used(layer, end), joined))
    assert torch.equal(joined[0], keys) and torch.equal(joined[1], values)


# --- growth ---


def test_capacity_doubles_a_few_times_for_many_tokens():
    cache, capacities = KVCache(), []
    new = torch.ones(1, 1, 1, 2)
    for _ in range(1000):
        extension = cache.extend(1, 1, "cpu")
        extension.layer(0).append(new, new)
        extension.commit()
        capacities.append(cache.capacity)
    assert sorted(set(capacities)) == [64, 128, 256, 512, 1024]
    assert all(capacity >= length for length, capacity in enumerate(capacities, start=1))


@pytest.mark.parametrize(("asked", "given"), [(1, 64), (64, 64), (65, 128), (128, 128)])
def test_capacity_asked_for_is_rounded_up_to_blocks(asked, given):
    assert KVCache(asked).capacity == given


def test_memory_follows_the_capacity(model64, small_config):
    cache = KVCache()
    a_place = (
        2
        * small_config.num_hidden_layers
        * small_config.num_key_value_heads
        * small_config.head_dim
        * 8
    )  # float64
    for length, capacity in ((60, 64), (4, 64), (1, 128), (200, 512)):
        model64(ids(3, length), cache=cache)
        assert (cache.capacity, cache.nbytes) == (capacity, 3 * capacity * a_place)


def test_capacity_must_be_positive():
    with pytest.raises(ValueError, match="capacity is 0"):
        KVCache(0)


# --- forks ---


def test_fork_shares_its_parents_memory(model64):
    parent = read(model64, [1] * 200)
    before, buffers = parent.nbytes, [buffer.data_ptr() for buffer in parent.keys + parent.values]
    fork = parent.fork()
    fork.continue_rows([0] * 16)
    for step in range(3):
        model64(ids(16, 1, seed=step), cache=fork)
    assert (
        parent.nbytes == before
        and [buffer.data_ptr() for buffer in parent.keys + parent.values] == buffers
    )
    # 64 new places a row, and no copy of the prompt's 256
    assert fork.nbytes == 16 * before * 64 // parent.capacity
    assert fork.max_length == 3 and fork.context_lengths.tolist() == [203] * 16


def test_one_parent_serves_several_forks(model64):
    parent = read(model64, [1, 2, 3])
    for tokens in ([4, 5], [6, 7]):
        fork = parent.fork()
        fork.continue_rows([0])
        assert torch.allclose(
            model64(torch.tensor([tokens]), cache=fork)[:, -1],
            expected_logits(model64, [[1, 2, 3, *tokens]]),
        )
    assert parent.lengths.tolist() == [3]


@given(
    parents=st.lists(st.integers(0, 2), min_size=1, max_size=6),
    seq=st.integers(1, 4),
    seed=st.integers(0, 100),
)
def test_rows_of_a_fork_equal_their_whole_texts(model64, parents, seq, seed):
    prompts = [[1, 2, 3, 4, 5, 6, 7], [8], [9, 10, 11]]  # of different lengths
    parent = PromptCache()
    for prompt in prompts:
        parent.append_rows_of(read(model64, prompt))
    fork, texts = parent.fork(), [list(prompts[row]) for row in parents]
    fork.continue_rows(parents)
    for step in range(3):
        tokens = ids(len(parents), seq, seed=seed + step)
        texts = [text + new for text, new in zip(texts, tokens.tolist(), strict=True)]
        assert torch.allclose(
            model64(tokens, cache=fork)[:, -1], expected_logits(model64, texts), atol=1e-11
        )


def test_fork_goes_on_when_its_parent_gains_a_row_that_nobody_continues_yet(model64):
    parent = read(model64, [1, 2, 3])
    fork = parent.fork()
    fork.continue_rows([0, 0])
    model64(torch.tensor([[4], [5]]), cache=fork)
    parent.append_rows_of(read(model64, [6, 7, 8, 9]))
    logits = model64(torch.tensor([[10], [11]]), cache=fork)[:, -1]
    assert torch.allclose(
        logits, expected_logits(model64, [[1, 2, 3, 4, 10], [1, 2, 3, 5, 11]]), atol=1e-11
    )


def test_parent_row_in_use_is_not_forgotten(model64):
    parent = read(model64, [1, 2, 3])
    fork = parent.fork()
    fork.continue_rows([0])
    with pytest.raises(ValueError, match="row 0 is still continued by a fork"):
        parent.remove_rows([0])
    fork.remove_rows([0])
    parent.remove_rows([0])
    assert parent.rows == 0 and fork.rows == 0


def test_forks_of_one_parent_follow_when_its_rows_move(model64):
    parent = read(model64, [1, 2, 3], [4, 5, 6])
    forks = [parent.fork(), parent.fork()]
    for fork in forks:
        fork.continue_rows([1])
    parent.remove_rows([0])  # row 1 becomes row 0
    for fork in forks:
        logits = model64(torch.tensor([[7]]), cache=fork)[:, -1]
        assert torch.allclose(logits, expected_logits(model64, [[4, 5, 6, 7]]), atol=1e-11)


# --- rows come and go ---

ACTIONS = st.lists(
    st.sampled_from(["step", "step", "step", "prompt", "admit", "admit", "remove", "release"]),
    min_size=4,
    max_size=16,
)


@given(actions=ACTIONS, seed=st.integers(0, 10_000))
@settings(max_examples=60)
def test_rows_keep_their_results_while_others_come_and_go(model64, actions, seed):
    generator = torch.Generator().manual_seed(seed)

    def number(below):
        return int(torch.randint(0, below, (1,), generator=generator))

    def new_prompt():
        prompts.append([number(VOCAB) for _ in range(1 + number(80))])
        parent.append_rows_of(read(model64, prompts[-1]))
        fork.continue_rows([len(prompts) - 1])
        rows.append((prompts[-1], list(prompts[-1])))

    parent = PromptCache()
    fork, prompts, rows = parent.fork(), [], []  # a row: its prompt and its whole text
    new_prompt()
    for action in [*actions, "step"]:
        if action == "prompt":
            new_prompt()
        elif action == "admit" and prompts:
            place = number(len(prompts))
            fork.continue_rows([place])
            rows.append((prompts[place], list(prompts[place])))
        elif action == "remove" and rows:
            place = number(len(rows))
            fork.remove_rows([place])
            rows[place] = rows[-1]  # the last one takes its place
            rows.pop()
        elif action == "release":
            unused = [
                i for i, prompt in enumerate(prompts) if not any(prompt is mine for mine, _ in rows)
            ]
            if unused:
                parent.remove_rows([unused[0]])
                prompts[unused[0]] = prompts[-1]
                prompts.pop()
        elif action == "step" and rows:
            tokens = torch.randint(0, VOCAB, (len(rows), 1 + number(25)), generator=generator)
            for (_, text), new in zip(rows, tokens.tolist(), strict=True):
                text += new
            logits = model64(tokens, cache=fork)[:, -1]
            assert torch.allclose(
                logits, expected_logits(model64, [text for _, text in rows]), atol=1e-11
            )
    assert fork.context_lengths.tolist() == [len(text) for _, text in rows]


def test_removing_a_row_shortens_what_the_others_carry(model64):
    cache = KVCache()
    mask = torch.tensor([[True] * 6, [True] * 2 + [False] * 4])
    model64(ids(2, 6), cache=cache, padding_mask=mask)
    cache.remove_rows([0])
    assert (cache.rows, cache.max_length, cache.lengths.tolist()) == (1, 2, [2])


def test_place_of_a_removed_row_can_be_used_again(model64):
    cache = read(model64, [1, 2, 3, 4, 5])
    cache.remove_rows([0])
    assert torch.allclose(
        model64(torch.tensor([[7, 8]]), cache=cache)[:, -1], expected_logits(model64, [[7, 8]])
    )


def test_appended_rows_are_copies(model64):
    cache, other = read(model64, [1, 2, 3]), read(model64, [4, 5])
    cache.append_rows_of(other)
    model64(torch.tensor([[6]]), cache=other)  # the original goes its own way
    logits = model64(torch.tensor([[7], [8]]), cache=cache)[:, -1]
    assert torch.allclose(logits, expected_logits(model64, [[1, 2, 3, 7], [4, 5, 8]]), atol=1e-11)


def test_a_cleared_cache_holds_no_memory_and_is_as_new(model64):
    cache = read(model64, [1] * 200, [2] * 200)
    cache.clear()
    assert (cache.rows, cache.max_length, cache.nbytes, cache.capacity) == (
        0,
        0,
        0,
        KVCache().capacity,
    )
    logits = model64(torch.tensor([[7, 8], [9, 3]]), cache=cache)[:, -1]
    assert torch.allclose(logits, expected_logits(model64, [[7, 8], [9, 3]]))


def test_a_fork_continues_what_its_parent_holds_after_it_was_cleared(model64):
    parent = read(model64, [1, 2, 3], [4, 5, 6])
    fork = parent.fork()
    fork.continue_rows([1])
    model64(torch.tensor([[7]]), cache=fork)
    with pytest.raises(ValueError, match="still continued by a fork"):
        parent.clear()
    fork.remove_rows([0])
    parent.clear()
    parent.append_rows_of(read(model64, [8, 9, 10, 11]))
    fork.continue_rows([0, 0])
    logits = model64(torch.tensor([[12], [13]]), cache=fork)[:, -1]
    assert torch.allclose(
        logits, expected_logits(model64, [[8, 9, 10, 11, 12], [8, 9, 10, 11, 13]]), atol=1e-11
    )
    fork.clear()
    fork.continue_rows([0])
    logits = model64(torch.tensor([[14]]), cache=fork)[:, -1]
    assert torch.allclose(logits, expected_logits(model64, [[8, 9, 10, 11, 14]]), atol=1e-11)


def test_rows_of_a_fork_are_not_copied_without_their_parents_tokens(model64):
    parent, plain = read(model64, [1, 2, 3]), read(model64, [4, 5])
    fork = parent.fork()
    fork.continue_rows([0])
    model64(torch.tensor([[6]]), cache=fork)
    with pytest.raises(ValueError, match="the other cache is a fork"):
        plain.append_rows_of(fork)
    with pytest.raises(ValueError, match="this cache is a fork"):
        fork.append_rows_of(plain)
    assert plain.rows == fork.rows == 1


# --- numbering ---


@given(mask=st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=4))
def test_real_tokens_are_numbered_in_order_and_padding_comes_after_them(mask):
    for row, offsets in zip(mask, token_offsets(torch.tensor(mask)).tolist(), strict=True):
        assert [n for n, real in zip(offsets, row, strict=True) if real] == list(range(sum(row)))
        assert {n for n, real in zip(offsets, row, strict=True) if not real} <= {sum(row)}
