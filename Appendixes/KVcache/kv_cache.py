"""Keys and values of what was read so far, so that a new token costs one position and not the whole
text again.

- one buffer per layer, `(rows, kv_heads, capacity, head_dim)`: a row is one text of the batch, with
  a length of its own
- capacity grows by doubling, so n tokens cost at most 2 n copies, and memory follows what is used
- a cache can be *forked*: the rows of the fork continue rows of their parent, whose keys and values
  are stored once and read by all of them (many samples of one prompt; the idea is that of Hydragen,
  Juravsky et al., 2024, https://arxiv.org/abs/2402.05099: one matrix product for all rows that
  share a prefix)
- rows come and go between steps; the ones in use always stand first in the buffer, so no work is
  done for empty places
"""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import torch

BLOCK = 64  # positions; buffers are made and read in whole blocks


@dataclass
class Segment:
    """A piece of the context of every query: keys and values to attend to, and who may see which of
    them.

    keys, values: `(rows, kv_heads, length, head_dim)`, or `(parents, ...)` if rows share them.
    mask: bool, broadcastable to `(rows, seq, length)`, True where the query may look; None means
        causal: the keys are the queries' own tokens, and each sees those up to itself.
    sharing: None, or how rows are grouped by the parent row that they share.
    """

    keys: torch.Tensor
    values: torch.Tensor
    mask: torch.Tensor | None = None
    sharing: "Sharing | None" = None

    def scores(self, queries: torch.Tensor) -> torch.Tensor:
        """Dot products with the keys:
        `(rows, kv_heads, queries, head_dim) -> (rows, kv_heads, queries, length)`.
        """
        if self.sharing is None:
            return queries @ self.keys.mT
        return self.sharing.multiply(queries, self.keys.mT)

    def mix(self, weights: torch.Tensor) -> torch.Tensor:
        """Sums of the values:
        `(rows, kv_heads, queries, length) -> (rows, kv_heads, queries, head_dim)`.
        """
        if self.sharing is None:
            return weights @ self.values
        return self.sharing.multiply(weights, self.values)

    def attend(self, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Attention to this segment alone, by PyTorch's fused kernel for CPUs, for rows of one new
        token each.

        Args:
            queries: `(rows, kv_heads, n, head_dim)`: the n queries of a row all see what its mask
                shows.

        Returns:
            Outputs `(rows, kv_heads, n, head_dim)`, and log-sum-exp of the scores
            `(rows, kv_heads, n)`, the weight of this segment beside others; -inf where it shows
            nothing.
        """
        mask = self.mask
        assert mask is not None, (
            "a new token's keys stand in a buffer, whose places behind it must not be seen"
        )
        if self.sharing is not None:
            queries, mask = (
                self.sharing.gather(queries),
                mask[self.sharing.rows_by_parent[:: self.sharing.width]],
            )
        bias = (
            torch.where(mask, 0.0, float("-inf"))
            .to(queries.dtype)[:, None]
            .expand(-1, 1, queries.shape[2], -1)
        )
        out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            queries, self.keys, self.values, attn_mask=bias
        )
        lse = lse.masked_fill(~mask.any(dim=-1)[:, None], float("-inf"))
        if self.sharing is None:
            return out, lse
        return self.sharing.scatter(out), self.sharing.scatter(lse[..., None])[..., 0]


class Sharing:
    """Which rows share which parent, as indices that turn many small matrix products into one per
    parent.

    Rows that share a parent are put side by side, so their queries form one matrix that meets the
    parent's keys once. Parents with fewer rows than the fullest one are filled up with copies,
    whose results nobody reads.

    Args:
        parent_rows: for each row, the row of the parent it continues.
        parents: how many rows the parent has.
    """

    def __init__(self, parent_rows: list[int], parents: int, device: torch.device):
        members: list[list[int]] = [[] for _ in range(parents)]
        for row, parent in enumerate(parent_rows):
            members[parent].append(row)
        width = max(map(len, members), default=0)
        place = {
            row: parent * width + i
            for parent, rows in enumerate(members)
            for i, row in enumerate(rows)
        }
        filled = [row for rows in members for row in rows + [0] * (width - len(rows))]
        # as for one prompt, or one row a prompt: no indexing
        self.in_order = filled == list(range(len(parent_rows)))
        self.parents, self.width = parents, width
        # (parents * width,)
        self.rows_by_parent = torch.tensor(filled, dtype=torch.long, device=device)
        places = [place[row] for row in range(len(parent_rows))]
        self.place_of_row = torch.tensor(places, dtype=torch.long, device=device)  # (rows,)
        self.parent_of_row = torch.tensor(parent_rows, dtype=torch.long, device=device)  # (rows,)

    def gather(self, x: torch.Tensor) -> torch.Tensor:
        """Put rows that share a parent side by side:
        `(rows, heads, n, k) -> (parents, heads, width * n, k)`.
        """
        x = x if self.in_order else x[self.rows_by_parent]
        return x.unflatten(0, (self.parents, self.width)).transpose(1, 2).flatten(2, 3)

    def scatter(self, x: torch.Tensor) -> torch.Tensor:
        """Give every row its own again, the way back from `gather`."""
        ungrouped = x.unflatten(2, (self.width, -1)).transpose(1, 2).flatten(0, 1)
        return ungrouped if self.in_order else ungrouped[self.place_of_row]

    def multiply(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """`left (rows, kv_heads, n, k)` times the row's `right (parents, kv_heads, k, m)`:
        `(rows, kv_heads, n, m)`.
        """
        return self.scatter(self.gather(left) @ right)


class KVCache:
    """The memory of a decoder: pass the same cache to each call of the model, and only new tokens
    need computing.

    >>> cache = KVCache()
    >>> keys = values = torch.ones(1, 2, 3, 8)      # one row, 2 key-value heads, 3 tokens, head_dim 8
    >>> extension = cache.extend(rows=1, seq=3, device="cpu")
    >>> _ = extension.layer(0).append(keys, values)
    >>> extension.commit()
    >>> cache.rows, cache.max_length, cache.nbytes   # two tensors of 2 x 64 x 8 float32: room for 64 tokens
    (1, 3, 8192)

    Args:
        capacity: positions a row has room for at first, in whole blocks of 64; a full buffer
            doubles.
        parent: the cache whose rows this one's rows continue (see `fork`).

    Attributes:
        rows: rows in use.
        lengths: `(rows,)` int64, tokens held by each row, without its parent's.
        max_length: the largest of them (an int on the host: reading it never waits for a GPU).
    """

    def __init__(self, capacity: int = BLOCK, parent: "KVCache | None" = None):
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}: a cache needs room for at least one token")
        self.capacity = self.first_capacity = _window(capacity)
        self.parent = parent
        self.forks: weakref.WeakSet[KVCache] = weakref.WeakSet()
        self.parent_rows: list[int] = []
        self.sharing: Sharing | None = None
        self.rows = 0
        self.max_length = 0
        self.lengths = torch.zeros(0, dtype=torch.long)
        # one buffer a layer: (places, kv_heads, capacity, head_dim)
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []

    @property
    def nbytes(self) -> int:
        """Bytes of the buffers, without the parent's."""
        return sum(buffer.nbytes for buffer in self.keys + self.values)

    @property
    def context_lengths(self) -> torch.Tensor:
        """`(rows,)`: tokens in front of each row's next one, its parent's included."""
        if self.parent is None or self.sharing is None:
            return self.lengths
        return self.lengths + self.parent.lengths[self.sharing.parent_of_row]

    def extend(
        self,
        rows: int,
        seq: int,
        device: torch.device | str,
        padding_mask: torch.Tensor | None = None,
    ) -> "Extension":
        """Make room for `seq` more tokens in each row, and say where they go and what they may see.

        Args:
            rows: rows of the batch; an empty cache takes this number on, any other must have it
                already.
            seq: tokens a row is given in this call.
            padding_mask: bool `(rows, seq)`, True for real tokens. Padding may stand anywhere: its
                keys and values fall behind the row's last token, where they are never seen and
                overwritten next time.

        Raises:
            ValueError: the batch has another number of rows than the cache.
        """
        if self.rows == 0 and self.parent is None:
            self.add_rows(rows, device)
        if rows != self.rows:
            raise ValueError(
                f"the batch has {rows} rows, the cache {self.rows}: use one cache for one batch"
            )
        if (
            self.parent is not None
            and self.sharing is not None
            and self.sharing.parents != self.parent.rows
        ):
            # the parent gained rows that nobody continues yet
            self._set_parents(self.parent, self.parent_rows)
        self._reserve(self.rows, self.max_length + seq)
        return Extension(self, seq, padding_mask)

    def add_rows(self, count: int, device: torch.device | str) -> None:
        """Append `count` empty rows."""
        self._reserve(self.rows + count, self.max_length)
        self.lengths = torch.cat(
            (self.lengths.to(device), torch.zeros(count, dtype=torch.long, device=device))
        )
        self.rows += count

    def fork(self) -> "KVCache":
        """A cache without rows yet, whose rows will continue rows of this one: see `continue_rows`."""
        fork = type(self)(parent=self)
        self.forks.add(fork)
        return fork

    def continue_rows(self, parent_rows: list[int]) -> None:
        """Append an empty row for each given row of the parent; any number of rows may continue the
        same one.

        Raises:
            ValueError: this cache is no fork.
        """
        if self.parent is None:
            raise ValueError(
                "this cache has no parent whose rows could be continued: make one with `fork()`"
            )
        self.add_rows(len(parent_rows), self.parent.lengths.device)
        self._set_parents(self.parent, self.parent_rows + parent_rows)

    def append_rows_of(self, other: "KVCache", rows: Sequence[int] | None = None) -> None:
        """Copy rows of another cache behind this one's: how a prefilled prompt enters a running
        batch.

        Args:
            other: a cache without a parent, as this one must be.
            rows: which of its rows; None: all.

        Raises:
            ValueError: one of them is a fork, whose rows are not whole without their parent's.
        """
        if self.parent is not None or other.parent is not None:
            which = "this cache is" if self.parent is not None else "the other cache is"
            raise ValueError(
                f"{which} a fork: rows are copied between caches without a parent only"
            )
        if not self.keys:
            self.keys, self.values = [k[:0] for k in other.keys], [v[:0] for v in other.values]
        chosen: slice | list[int] = slice(0, other.rows) if rows is None else list(rows)
        lengths = other.lengths[chosen]
        longest = other.max_length if rows is None else int(lengths.max())
        start, end = self.rows, self.rows + len(lengths)
        self._reserve(end, max(self.max_length, longest))
        self.rows, self.max_length = end, max(self.max_length, longest)
        for layer in range(len(other.keys)):  # none, if all its rows are empty
            for mine, theirs in zip(
                self.used(layer, longest), other.used(layer, longest), strict=True
            ):
                mine[start:] = theirs[chosen]
        self.lengths = torch.cat((self.lengths.to(lengths.device), lengths))

    def remove_row(self, row: int) -> None:
        """Forget one row. The last row takes its place, so that rows in use stay together.

        Raises:
            ValueError: a row of a fork continues it.
        """
        if any(row in fork.parent_rows for fork in self.forks):
            raise ValueError(
                f"row {row} is still continued by a fork: remove the rows that continue it first"
            )
        last = self.rows - 1
        if row != last:
            for buffer in self.keys + self.values:
                buffer[row] = buffer[last]
            self.lengths[row] = self.lengths[last]
        self.lengths = self.lengths[:last]
        self.rows = last
        self.max_length = int(self.lengths.max()) if last else 0
        if self.parent is not None:
            parents = list(self.parent_rows)
            parents[row] = parents[last]
            self._set_parents(self.parent, parents[:last])
        for fork in self.forks:
            fork._set_parents(
                self, [row if parent == last else parent for parent in fork.parent_rows]
            )

    def clear(self) -> None:
        """Forget all rows and give their memory back: the cache is as it was when it was new.

        Raises:
            ValueError: rows of a fork continue rows of this one.
        """
        if any(fork.rows for fork in self.forks):
            raise ValueError(
                "rows are still continued by a fork: remove the rows that continue them first"
            )
        self.capacity, self.rows, self.max_length = self.first_capacity, 0, 0
        self.lengths, self.parent_rows, self.sharing = self.lengths[:0], [], None
        self.keys, self.values = [], []

    def add_layer(self, like: torch.Tensor) -> None:
        """Make buffers for one more layer, for keys and values like
        `(rows, kv_heads, seq, head_dim)`.
        """
        for buffers in (self.keys, self.values):
            buffers.append(like.new_zeros(self.rows, like.shape[1], self.capacity, like.shape[3]))

    def used(self, layer: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """One layer's keys and values of the rows in use, up to `length`: views, not copies."""
        return self.keys[layer][: self.rows, :, :length], self.values[layer][
            : self.rows, :, :length
        ]

    def _set_parents(self, parent: "KVCache", parent_rows: list[int]) -> None:
        self.parent_rows = parent_rows
        self.sharing = Sharing(parent_rows, parent.rows, parent.lengths.device)

    def _reserve(self, rows: int, length: int) -> None:
        """Let every buffer hold `rows` rows of `length` tokens; what is too small at least doubles."""
        while self.capacity < length:
            self.capacity *= 2
        for buffers in (self.keys, self.values):
            for layer, old in enumerate(buffers):
                places, heads, capacity, head_dim = old.shape
                if places >= rows and capacity >= length:
                    continue
                places = max(rows, 2 * places) if places < rows else places
                # Zeros, not whatever was there: a masked key has weight 0, but 0 times NaN would be
                #     NaN.
                new = old.new_zeros(places, heads, self.capacity, head_dim)
                used = old[: self.rows, :, : self.max_length]
                new[: len(used), :, : self.max_length] = used
                buffers[layer] = new


class Extension:
    """What one call of the model adds to a cache: `layer(i).append(...)` for each layer, then
    `commit`.

    positions: `(rows, seq)`, each new token's place in its text, for RoPE.
    """

    def __init__(self, cache: KVCache, seq: int, padding_mask: torch.Tensor | None):
        device = cache.lengths.device
        self.cache, self.seq, self.padding_mask = cache, seq, padding_mask
        offsets = (
            torch.arange(seq, device=device)
            if padding_mask is None
            else token_offsets(padding_mask)
        )
        self.slots = cache.lengths[:, None] + offsets  # (rows, seq): where each new token is stored
        self.positions = cache.context_lengths[:, None] + offsets
        self.row_index = torch.arange(cache.rows, device=device)[:, None]
        self.mask = self.parent_mask = None
        self.sharing = cache.sharing
        starts_empty = cache.max_length == 0 and cache.parent is None
        self.length = seq if starts_empty else _window(cache.max_length + seq)
        if not starts_empty or padding_mask is not None:
            # slot j holds the row's j-th token, so a query sees the slots up to its own
            # (rows, seq, length)
            self.mask = torch.arange(self.length, device=device) <= self.slots[:, :, None]
        if cache.parent is not None and cache.sharing is not None:
            parent_lengths = cache.parent.lengths[cache.sharing.parent_of_row]
            self.parent_length = _window(cache.parent.max_length)
            visible = torch.arange(self.parent_length, device=device) < parent_lengths[:, None]
            self.parent_mask = visible[:, None, :]  # (rows, 1, parent length)

    def layer(self, index: int) -> "LayerExtension":
        """What one layer needs of this; the model hands it to that layer's attention."""
        cache = self.cache
        # whose buffers show the shape that is wanted
        model = cache if index < len(cache.keys) else cache.parent
        if index == len(cache.keys) and model is not None and index < len(model.keys):
            cache.add_layer(model.keys[index])
        buffers = cache.used(index, self.length) if index < len(cache.keys) else None
        shared = None
        if cache.parent is not None and self.parent_length > 0:
            shared = cache.parent.used(index, self.parent_length)
        return LayerExtension(self, buffers, shared)

    def commit(self) -> None:
        """The new tokens now belong to the cache."""
        if self.padding_mask is None:
            self.cache.lengths = self.cache.lengths + self.seq
            self.cache.max_length += self.seq
        else:
            self.cache.lengths = self.cache.lengths + self.padding_mask.sum(dim=1)
            self.cache.max_length = int(self.cache.lengths.max())


@dataclass
class LayerExtension:
    """One layer's share of an extension.

    buffers: its keys and values, with room for the new ones; None before the first are stored.
    shared: the parent's keys and values, if there are any.
    """

    extension: Extension
    buffers: tuple[torch.Tensor, torch.Tensor] | None
    shared: tuple[torch.Tensor, torch.Tensor] | None

    def append(self, keys: torch.Tensor, values: torch.Tensor) -> list[Segment]:
        """Store the new keys and values, `(rows, kv_heads, seq, head_dim)`; return all there is to
        attend to.
        """
        extension = self.extension
        if self.buffers is None:
            extension.cache.add_layer(keys)
            self.buffers = extension.cache.used(-1, extension.length)
        for buffer, new in zip(self.buffers, (keys, values), strict=True):
            buffer[extension.row_index, :, extension.slots] = new.transpose(1, 2)
        own = Segment(*self.buffers, extension.mask)
        if self.shared is None:
            return [own]
        return [Segment(*self.shared, extension.parent_mask, extension.sharing), own]


def _window(length: int) -> int:
    """Up to where buffers are read: in whole blocks, so that a compiled step meets few different
    shapes.
    """
    return -(-length // BLOCK) * BLOCK


def token_offsets(padding_mask: torch.Tensor) -> torch.Tensor:
    """Number the real tokens of each row 0, 1, 2, ...; all padding gets the number after the last
    of them.

    Args:
        padding_mask: bool `(rows, seq)`, True for real tokens, wherever the padding stands.

    >>> token_offsets(torch.tensor([[False, True, True], [True, True, False]]))
    tensor([[2, 0, 1],
            [0, 1, 2]])
    """
    return torch.where(
        padding_mask, padding_mask.cumsum(dim=1) - 1, padding_mask.sum(dim=1, keepdim=True)
    )
