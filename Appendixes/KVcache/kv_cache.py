"""A key-value cache in preallocated buffers that double when they are full; each row has a length
of its own.

- one buffer of keys and one of values per layer, `(places, kv_heads, capacity, head_dim)`; a row is
  one text of the batch
- a new token is written in place. When the capacity is full, buffers twice as long take its place
  (`_reserve`), so n tokens cost at most 2 n copies, and memory follows what is used
- rows come and go between steps; those in use always stand first in the buffers, so no work is done
  for empty places
- buffers and lengths are written in place, so that a step may be kept and run again where they
  stand (`CH2/captured_steps.py`); steps made for a buffer are forgotten when it is replaced
- `simple_kv_cache.py` is the idea without all this; `prefix_sharing.py` lets many samples read one
  prompt
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

if TYPE_CHECKING:
    from Appendixes.KVcache.prefix_sharing import Sharing

BLOCK = 64  # positions; buffers are made and read in whole blocks
WINDOWS = 8  # lengths up to which a kept step reads a buffer, at most


class StepShape(NamedTuple):
    """Sizes of a decoding step that is kept, rounded up so that few steps serve many.

    Attributes:
        rows: places that take part; those behind the rows in use are idle, and hold nothing.
        window: positions of each that attention reads.
        parents, parent_window: the same of the prompts that a fork continues.
        width, in_order: of the groups of rows that share a prompt (see `Sharing`).
    """

    rows: int
    window: int
    parents: int = 0
    parent_window: int = 0
    width: int = 0
    in_order: bool = True


class Segment(NamedTuple):
    """A piece of the context: keys and values, and which of them each query may see.

    Attributes:
        keys, values: `(rows, kv_heads, length, head_dim)`.
        mask: bool, broadcastable to `(rows, seq, length)`, True where the query may look. None
            means causal, for a segment that stands alone: its keys are the queries' own tokens.
        bias: the mask as numbers to add to the scores, from `additive_bias`; None: not made yet.
        sharing: None, or which rows read each row of this segment: then `rows` above is the number
            of prompts (see `prefix_sharing.py`).
    """

    keys: torch.Tensor
    values: torch.Tensor
    mask: torch.Tensor | None = None
    bias: torch.Tensor | None = None
    sharing: "Sharing | None" = None


class KVCache:
    """Keys and values of a batch of texts, passed to each call of the model, which then computes
    new tokens only.

    >>> cache = KVCache()
    >>> keys = values = torch.ones(1, 2, 3, 8)  # one row, 2 key-value heads, 3 tokens, head_dim 8
    >>> extension = cache.extend(rows=1, seq=3, device="cpu")
    >>> _ = extension.layer(0).append(keys, values)
    >>> extension.commit()
    >>> cache.rows, cache.max_length, cache.nbytes  # 2 tensors of 2 x 64 x 8 float32
    (1, 3, 8192)

    Args:
        capacity: positions that a row has room for at first, rounded up to whole blocks of 64.

    Attributes:
        rows: number of rows in use.
        max_length: the largest of `lengths`, an int on the host: reading it never waits for a GPU.
        steps: decoding steps that were made for the present buffers, by whoever keeps them.
        holds_whole_rows: False in a cache whose rows continue rows of another one.

    Raises:
        ValueError: the capacity is less than 1.
    """

    holds_whole_rows = True

    def __init__(self, capacity: int = BLOCK):
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}: a cache needs room for at least one token")
        self.capacity = self.first_capacity = whole_blocks(capacity)
        self.rows = 0
        self.max_length = 0
        self.lengths_of_places = torch.zeros(0, dtype=torch.long)  # 0 where no row stands
        self.steps: dict[Any, Any] = {}
        # one buffer per layer: (places, kv_heads, capacity, head_dim)
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []

    @property
    def lengths(self) -> torch.Tensor:
        """`(rows,)` int64, number of tokens that each row holds here; a view, changed in place."""
        return self.lengths_of_places[: self.rows]

    @property
    def nbytes(self) -> int:
        """Number of bytes that the buffers of keys and values take."""
        return sum(buffer.nbytes for buffer in self.keys + self.values)

    @property
    def places(self) -> int:
        """Number of rows that there is room for."""
        return min(map(len, (self.lengths_of_places, *self.keys[:1])))

    def extend(
        self,
        rows: int,
        seq: int,
        device: torch.device | str,
        padding_mask: torch.Tensor | None = None,
    ) -> "Extension":
        """Make room for `seq` more tokens per row, and settle where they go and what they may see.

        Args:
            rows: number of rows of the batch; an empty cache takes it over, any other must have it
                already.
            seq: number of new tokens per row, padding included.
            padding_mask: bool `(rows, seq)`, True for real tokens. Padding may stand anywhere: its
                keys and values fall behind the row's last token, where they are never seen and
                overwritten next time.

        Raises:
            ValueError: the batch has another number of rows than the cache.
        """
        if self.rows == 0:
            self.add_rows(rows, device)
        self._make_room(rows, seq)
        return Extension(self, seq, padding_mask, causal=self.max_length == 0)

    def advance(self, tokens: int | torch.Tensor) -> None:
        """Lengthen every row by tokens that were stored: as many for all, or `(rows,)`."""
        self.lengths.add_(tokens)
        if isinstance(tokens, int):
            self.max_length += tokens
        else:
            self.max_length = int(self.lengths.max())

    def step_shape(self) -> StepShape | None:
        """Make room for one more token per row, and return the shape of a step that stores them.

        None: there are no buffers yet, as no token was read.
        """
        self._reserve(self.rows, self.max_length + 1)
        if not self.keys:
            return None
        rows = min(bucket(self.rows), self.places)
        return StepShape(rows, window(self.max_length + 1, self.capacity))

    def extend_places(self, shape: StepShape, sharing: "Sharing | None" = None) -> "Extension":
        """Extend by one token per place, without a look at any number on the host.

        What the result does depends on the present numbers in the buffers and in
        `lengths_of_places`, and on nothing else: it may be captured, and replayed until a buffer is
        replaced. Rows that got a token are lengthened by `advance`.

        Args:
            shape: from `step_shape`.
            sharing: for a fork, whose groups of rows it is.
        """
        return Extension(self, 1, shape=shape)

    def forget_steps(self) -> None:
        """Drop the steps that were made for the present buffers, as one of them is replaced."""
        self.steps.clear()

    def add_rows(self, count: int, device: torch.device | str) -> None:
        """Append `count` empty rows."""
        if not self.rows:
            self.lengths_of_places = self.lengths_of_places.to(device)
        self._reserve(self.rows + count, self.max_length)
        self.rows += count

    def append_rows_of(self, other: "KVCache", rows: Sequence[int] | None = None) -> None:
        """Copy rows of another cache behind this one's: how a prefilled prompt enters a running
        batch.

        Args:
            other: the cache to copy from, which stays as it is.
            rows: indices of its rows; None: all.

        Raises:
            ValueError: one of the caches is a fork, whose rows are not whole without their prompt.
        """
        # 1. Refuse rows that are not whole.
        for cache, name in ((self, "this cache"), (other, "the other cache")):
            if not cache.holds_whole_rows:
                raise ValueError(f"{name} is a fork: rows are copied between plain caches only")
        # 2. Choose the rows, and find how long the longest is.
        chosen: slice | list[int] = slice(0, other.rows) if rows is None else list(rows)
        lengths = other.lengths[chosen]
        longest = other.max_length if rows is None else int(lengths.max())
        # 3. Make room for them behind the rows in use.
        if not self.keys:
            self.forget_steps()
            self.keys, self.values = [k[:0] for k in other.keys], [v[:0] for v in other.values]
        if not self.rows:
            self.lengths_of_places = self.lengths_of_places.to(lengths.device)
        start, end = self.rows, self.rows + len(lengths)
        self._reserve(end, max(self.max_length, longest))
        # 4. Copy, layer by layer.
        for layer in range(len(other.keys)):  # no layers, if all its rows are empty
            for mine, theirs in zip(
                self.used(layer, longest, end), other.used(layer, longest), strict=True
            ):
                mine[start:] = theirs[chosen]
        # 5. They count from now on.
        self.rows, self.max_length = end, max(self.max_length, longest)
        self.lengths[start:] = lengths

    def remove_rows(self, places: Collection[int], longest: int | None = None) -> None:
        """Remove rows. Rows from the end take their places, so that those in use stay together (see
        `places_without`, which says who goes where).

        Args:
            places: of the rows.
            longest: length of the longest row that stays; None: a GPU is asked, and waited for.
        """
        # 1. Move rows from the end to the free places. Nothing is overwritten that stays.
        stay = places_without(self.rows, places)
        moves = [(new, old) for new, old in enumerate(stay) if new != old]
        if moves:
            new, old = send(torch.tensor(moves), self.lengths.device).T
            for buffer in self.keys + self.values:
                buffer[new, :, : self.max_length] = buffer[old, :, : self.max_length]
            self.lengths[new] = self.lengths[old]
        # 2. Forget the last places.
        self.rows = len(stay)
        self.lengths_of_places[self.rows :] = 0
        # 3. The longest row may be gone.
        if longest is None:
            longest = int(self.lengths.max()) if self.rows else 0
        self.max_length = longest

    def wipe_newest(self, places: Sequence[int]) -> None:
        """Replace the newest token of rows by zeros; they are about to be removed."""
        rows = send(torch.tensor(places), self.lengths.device)
        newest = self.lengths[rows] - 1
        for buffer in self.keys + self.values:
            buffer[rows, :, newest] = 0

    def restore(self, lengths: Sequence[int]) -> None:
        """Go back to rows of these lengths, whose tokens are still here, after a call that was
        interrupted: by an exception, or by a user.

        Whatever stands behind a row's last token is replaced by zeros.
        """
        if not lengths:
            self.clear()
            return
        # 1. The lengths.
        self.rows, self.max_length = len(lengths), max(lengths)
        self.lengths_of_places.zero_()
        self.lengths.copy_(torch.tensor(lengths))
        # 2. A masked key has weight 0, but 0 times NaN would be NaN.
        for buffer in self.keys + self.values:
            behind = torch.arange(buffer.shape[2], device=buffer.device)
            behind = behind >= self.lengths_of_places[: len(buffer), None]  # (places, capacity)
            buffer.masked_fill_(behind[:, None, :, None], 0)

    def clear(self) -> None:
        """Remove all rows and give their memory back: the cache is as new."""
        self.forget_steps()
        self.capacity, self.rows, self.max_length = self.first_capacity, 0, 0
        self.lengths_of_places = self.lengths_of_places[:0]
        self.keys, self.values = [], []

    def empty(self) -> None:
        """Remove all rows, but keep the buffers, and the steps that were made for them."""
        self.rows = self.max_length = 0
        for buffer in (self.lengths_of_places, *self.keys, *self.values):
            buffer.zero_()

    def add_layer(self, like: torch.Tensor) -> None:
        """Make buffers for one more layer, of the heads, head_dim, dtype and device of keys
        `(rows, kv_heads, seq, head_dim)`.
        """
        self.forget_steps()
        shape = (self.rows, like.shape[1], self.capacity, like.shape[3])
        keys, values = like.new_zeros(shape), like.new_zeros(shape)
        # in one go: after an interruption there are as many of both
        self.keys, self.values = [*self.keys, keys], [*self.values, values]

    def used(
        self, layer: int, length: int, rows: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return views of one layer's keys and values, up to `length`.

        Args:
            rows: number of places from the first; None: the rows in use.
        """
        rows = self.rows if rows is None else rows
        return narrowed((self.keys[layer], self.values[layer]), rows, length)

    def _make_room(self, rows: int, seq: int) -> None:
        if rows != self.rows:
            raise ValueError(
                f"the batch has {rows} rows, the cache {self.rows}: use one cache for one batch"
            )
        self._reserve(rows, self.max_length + seq)

    def _reserve(self, rows: int, length: int) -> None:
        """Let every buffer hold `rows` rows of `length` tokens; one that is too small doubles."""
        # 1. Mostly there is room. The last buffer grows last, so if it has grown, all have.
        places = len(self.lengths_of_places)
        last = self.values[-1].shape if self.values else (0, 0, 0, 0)
        if min(places, last[0]) >= rows and length <= self.capacity == last[2]:
            return
        # 2. The lengths.
        if places < rows:
            self.forget_steps()
            lengths = self.lengths_of_places
            more = torch.zeros(max(rows - places, places), dtype=torch.long, device=lengths.device)
            self.lengths_of_places = torch.cat((lengths, more))
        # 3. Keys and values of each layer.
        _, self.capacity = grown(0, self.capacity, 0, length)
        for buffers in (self.keys, self.values):
            for layer, old in enumerate(buffers):
                _, heads, capacity, head_dim = old.shape
                places, _ = grown(len(old), capacity, rows, length)
                if (places, self.capacity) == (len(old), capacity):
                    continue
                self.forget_steps()
                # zeros: a masked key has weight 0, but 0 times NaN would be NaN
                new = old.new_zeros(places, heads, self.capacity, head_dim)
                used = old[: self.rows, :, : self.max_length]
                new[: len(used), :, : self.max_length] = used
                buffers[layer] = new


class Extension:
    """The new tokens of one call of the model: `layer(i).append(...)` for each layer, then
    `commit`.

    Args:
        cache: has room for the new tokens already (see `KVCache.extend`).
        seq: number of new tokens per row.
        padding_mask: as in `KVCache.extend`.
        causal: the new tokens are each row's first, and see nothing but one another.
        shape: sizes that were fixed before; None: the rows in use, and what they hold.

    Attributes:
        positions: `(rows, seq)`, each new token's position in its text, for RoPE.
    """

    def __init__(
        self,
        cache: KVCache,
        seq: int,
        padding_mask: torch.Tensor | None = None,
        causal: bool = False,
        shape: StepShape | None = None,
    ):
        self.cache, self.seq, self.padding_mask = cache, seq, padding_mask
        self.rows = cache.rows if shape is None else shape.rows
        lengths = cache.lengths_of_places[: self.rows]
        device = lengths.device
        # 1. Number each row's new tokens 0, 1, 2, ...
        offsets = (
            torch.arange(seq, device=device)
            if padding_mask is None
            else token_offsets(padding_mask)
        )
        # 2. Store them behind the tokens that the row holds: (rows, seq).
        self.slots = self.positions = lengths[:, None] + offsets
        self.row_index = torch.arange(self.rows, device=device)[:, None]
        # 3. Read the buffers up to the longest row, in whole blocks.
        if shape is not None:
            self.length = shape.window
        else:
            self.length = seq if causal else whole_blocks(cache.max_length + seq)
        # 4. Slot j holds the row's j-th token, so a query sees the slots up to its own.
        self.mask = self.bias = None
        if not causal or padding_mask is not None:
            # (rows, seq, length)
            self.mask = torch.arange(self.length, device=device) <= self.slots[:, :, None]
            self.bias = self._bias(self.mask)

    def layer(self, index: int) -> "LayerExtension":
        """Return one layer's part, which the model passes to that layer's attention."""
        cache = self.cache
        known = index < len(cache.keys)
        return LayerExtension(self, (cache.keys[index], cache.values[index]) if known else None)

    def in_front(self, buffers: tuple[torch.Tensor, torch.Tensor] | None) -> list[Segment]:
        """Return what stands before the rows' own tokens, given the buffers that hold it."""
        return []

    def commit(self) -> None:
        """Make the new tokens part of the cache; until then it is as before."""
        padding_mask = self.padding_mask
        self.cache.advance(self.seq if padding_mask is None else padding_mask.sum(dim=1))

    def _bias(self, mask: torch.Tensor) -> torch.Tensor | None:
        """The mask as a bias, once for all layers; None before the first keys show their dtype."""
        return additive_bias(mask, self.cache.keys[0].dtype) if self.cache.keys else None


@dataclass
class LayerExtension:
    """One layer's part of an extension.

    Buffers are whole, and read up to the extension's sizes in `append`, so that a compiled step
    meets tensors of one layout.

    Attributes:
        extension: the whole.
        buffers: this layer's keys and values, with room for the new ones; None before the first
            are stored.
        prompt_buffers: those of the prompts that the rows continue, if they stand elsewhere.
    """

    extension: Extension
    buffers: tuple[torch.Tensor, torch.Tensor] | None
    prompt_buffers: tuple[torch.Tensor, torch.Tensor] | None = None

    def append(self, keys: torch.Tensor, values: torch.Tensor) -> list[Segment]:
        """Store new keys and values, `(rows, kv_heads, seq, head_dim)`; return all there is to
        attend to.
        """
        extension = self.extension
        if self.buffers is None:
            extension.cache.add_layer(keys)
            self.buffers = extension.cache.keys[-1], extension.cache.values[-1]
        if self.buffers[0].shape[1::2] != keys.shape[1::2]:
            raise ValueError(
                f"the cache holds {_heads(self.buffers[0])}, the model gives {_heads(keys)}: "
                "it is another model's cache"
            )
        for buffer, new in zip(self.buffers, (keys, values), strict=True):
            # under autocast, values may have another dtype than keys
            buffer[extension.row_index, :, extension.slots] = new.transpose(1, 2).to(buffer.dtype)
        own = narrowed(self.buffers, extension.rows, extension.length)
        in_front = extension.in_front(self.prompt_buffers)
        return [*in_front, Segment(*own, extension.mask, extension.bias)]


def send(numbers: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy numbers to a device, without waiting until a GPU has done what it was given before."""
    if device.type != "cuda" or numbers.is_cuda:
        return numbers.to(device)
    return numbers.pin_memory().to(device, non_blocking=True)


def narrowed(
    buffers: tuple[torch.Tensor, torch.Tensor], rows: int, length: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return views of keys and values: the first rows, up to a length."""
    keys, values = buffers
    return keys[:rows, :, :length], values[:rows, :, :length]


def _heads(keys: torch.Tensor) -> str:
    return f"{keys.shape[1]} key-value heads of {keys.shape[3]} numbers"


def additive_bias(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Turn a mask into numbers to add to attention's scores: 0 where a query may look, else the
    smallest finite number, whose exponential is 0 beside any other.

    Finite, because a query that sees nothing of one segment must still have a mean of its values,
    which then counts nothing beside other segments; from -inf alone softmax makes NaN.

    >>> additive_bias(torch.tensor([True, False]), torch.float32)
    tensor([ 0.0000e+00, -3.4028e+38])
    """
    zeros = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return zeros.masked_fill_(~mask, torch.finfo(dtype).min)


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


def grown(places: int, capacity: int, rows: int, length: int) -> tuple[int, int]:
    """Compute the places and the capacity of a buffer that has grown to hold `rows` of `length`.

    Both at least double when they grow, and never shrink.

    >>> grown(places=4, capacity=64, rows=5, length=200)
    (8, 256)
    """
    while capacity < length:
        capacity *= 2
    return (max(rows, 2 * places) if places < rows else places), capacity


def bucket(rows: int) -> int:
    """Round a number of rows up to 1, 2, 4, 8, or a multiple of 8.

    Kept steps then serve several numbers of rows. A matrix product for 17 rows takes as long as one
    for 24.

    >>> [bucket(rows) for rows in (1, 2, 3, 5, 9, 17, 24)]
    [1, 2, 4, 8, 16, 24, 24]
    """
    return 1 << (rows - 1).bit_length() if rows <= 8 else -(-rows // 8) * 8


def window(length: int, capacity: int) -> int:
    """Round a number of positions up, so that a buffer is read up to one of 8 lengths at most.

    >>> window(3, capacity=64), window(130, capacity=256), window(130, capacity=4096)
    (64, 192, 512)
    """
    step = max(BLOCK, capacity // WINDOWS)
    return min(-(-length // step) * step, capacity)


def places_without(rows: int, removed: Collection[int]) -> list[int]:
    """List the rows that stay when others are removed, each by its old place, in the new order.

    The last row takes the place of one that is removed; of several, the last is removed first.

    >>> places_without(5, removed=[1, 3])
    [0, 4, 2]
    """
    places = list(range(rows))
    for place in sorted(removed, reverse=True):
        last = places.pop()
        if place < len(places):
            places[place] = last
    return places


def buffer_positions(rows: int, length: int) -> int:
    """Compute the positions of a new buffer for this many rows of this length.

    >>> buffer_positions(rows=3, length=65)
    384
    """
    places, capacity = grown(0, BLOCK, rows, length)
    return places * capacity


def whole_blocks(length: int) -> int:
    """Round a number of positions up to whole blocks: a compiled step then meets few shapes.

    >>> whole_blocks(1), whole_blocks(64), whole_blocks(65)
    (64, 64, 128)
    """
    return -(-length // BLOCK) * BLOCK
