"""Many samples of one prompt: its keys and values are stored once and read by all of them.

- a *fork* is a cache whose rows continue rows of another one, the cache of prompts; it stores their
  new tokens only
- attention reads a prompt once for all rows that share it, in one matrix product (Hydragen:
  Juravsky et al., 2024, https://arxiv.org/abs/2402.05099)
- when a prompt moves in its buffer, the forks follow
"""

import itertools
import weakref
from collections import Counter
from collections.abc import Collection, Sequence

import torch

from Appendixes.KVcache.kv_cache import (
    Extension,
    KVCache,
    LayerExtension,
    Segment,
    StepShape,
    bucket,
    narrowed,
    places_without,
    send,
    whole_blocks,
    window,
)


class PromptCache(KVCache):
    """A key-value cache whose rows, the prompts, are continued by the rows of its forks."""

    def __init__(self) -> None:
        super().__init__()
        self.forks: weakref.WeakSet[ForkedCache] = weakref.WeakSet()

    def fork(self) -> "ForkedCache":
        """Return a cache without rows yet, whose rows will continue rows of this one."""
        return ForkedCache(self)

    def forget_steps(self) -> None:
        """Drop the steps that were made for the present buffers, those of the forks too."""
        super().forget_steps()
        for fork in self.forks:
            fork.forget_steps()

    def remove_rows(self, places: Collection[int], longest: int | None = None) -> None:
        """As `KVCache.remove_rows`; the forks are told.

        Raises:
            ValueError: a row of a fork continues one of them.
        """
        continued = set(places) & {parent for fork in self.forks for parent in fork.parent_rows}
        if continued:
            raise ValueError(
                f"row {min(continued)} is still continued by a fork: "
                "remove the rows that continue it first"
            )
        stay = places_without(self.rows, places)
        super().remove_rows(places, longest)
        now = {old: new for new, old in enumerate(stay)}
        for fork in self.forks:
            fork.parent_rows = [now[parent] for parent in fork.parent_rows]

    def clear(self) -> None:
        """Remove all rows and give their memory back: the cache is as new.

        Raises:
            ValueError: rows of a fork continue rows of this one.
        """
        if any(fork.rows for fork in self.forks):
            raise ValueError(
                "rows are still continued by a fork: remove the rows that continue them first"
            )
        super().clear()


class ForkedCache(KVCache):
    """A key-value cache whose rows continue rows of a cache of prompts, which it reads and leaves
    as they are.

    Args:
        parent: the cache of prompts.

    Attributes:
        parent_rows: for each row, the index of the prompt that it continues.
        always_indexed: True lets rows be put side by side by indices, at least two for a prompt,
            even where nothing has to be moved: more work, but the same operations whatever rows
            there are, which a compiled step asks for.
    """

    holds_whole_rows = False
    always_indexed = False

    def __init__(self, parent: PromptCache):
        super().__init__()
        self.parent = parent
        self.parent_rows: list[int] = []
        self._sharing = self._padded = Sharing([], 0, parent.lengths.device)
        parent.forks.add(self)

    @property
    def sharing(self) -> "Sharing":
        """The groups of rows that share a prompt, made anew when rows or prompts have changed."""
        if not self._sharing.describes(self.parent_rows, self.parent.rows):
            width = 2 if self.always_indexed else 0
            self._sharing = Sharing(self.parent_rows, self.parent.rows, self.lengths.device, width)
            self._sharing.in_order &= not self.always_indexed
        return self._sharing

    @property
    def context_lengths(self) -> torch.Tensor:
        """`(rows,)`: number of tokens in front of each row's next one, its prompt's included."""
        return self.lengths + self.parent.lengths[self.sharing.parent_of_row]

    def continue_rows(self, parent_rows: Sequence[int]) -> None:
        """Append one empty row for each given prompt; any number of rows may continue the same."""
        self.add_rows(len(parent_rows), self.parent.lengths.device)
        self.parent_rows = [*self.parent_rows, *parent_rows]

    def extend(
        self,
        rows: int,
        seq: int,
        device: torch.device | str,
        padding_mask: torch.Tensor | None = None,
    ) -> "ForkedExtension":
        """As `KVCache.extend`, for the rows that `continue_rows` made."""
        self._make_room(rows, seq)
        for like in self.parent.keys[len(self.keys) :]:
            self.add_layer(like)
        return ForkedExtension(self, seq, padding_mask)

    def step_shape(self) -> StepShape | None:
        """As `KVCache.step_shape`; rows and prompts are rounded up each for itself."""
        for like in self.parent.keys[len(self.keys) :]:
            self.add_layer(like)
        shape, parent = super().step_shape(), self.parent
        if shape is None:
            return None
        parents = min(bucket(parent.rows), parent.places)
        padded = self._padded_sharing(shape.rows, parents)
        return shape._replace(
            parents=parents,
            parent_window=window(parent.max_length, parent.capacity),
            width=padded.width,
            in_order=padded.in_order,
        )

    def step_sharing(self, shape: StepShape, last: "Sharing | None" = None) -> "Sharing":
        """Return the groups of rows for a step of this shape.

        Args:
            shape: the latest from `step_shape`.
            last: what this returned for the same shape before; it is brought up to date in place.
        """
        padded = self._padded_sharing(shape.rows, shape.parents)
        if last is None:
            return Sharing(padded.parent_rows, padded.parents, self.lengths.device, padded.width)
        if last.parent_rows != padded.parent_rows:
            last.copy_(padded)
        return last

    def extend_places(
        self, shape: StepShape, sharing: "Sharing | None" = None
    ) -> "ForkedExtension":
        """As `KVCache.extend_places`, with `sharing` from `step_sharing`."""
        return ForkedExtension(self, 1, None, shape, sharing)

    def _padded_sharing(self, rows: int, parents: int) -> "Sharing":
        """Group the rows in use, and idle ones behind them; made anew when something has changed.

        Groups are rounded up in width, and idle rows stand where a group has room.
        """
        last, idle = self._padded, self._padded.parent_rows[self.rows :]
        if len(last.parent_rows) == rows and last.describes([*self.parent_rows, *idle], parents):
            return last
        # 1. Round up the width of the widest group, and leave room for all idle rows.
        sizes = Counter(self.parent_rows)
        width = min(max(bucket(max(sizes.values())), -(-rows // parents)), rows)
        # 2. Let idle rows fill the groups from the first on.
        free = (parent for parent in range(parents) for _ in range(width - sizes[parent]))
        padded = [*self.parent_rows, *itertools.islice(free, rows - self.rows)]
        self._padded = Sharing(padded, parents, self.lengths.device, width)
        return self._padded

    def remove_rows(self, places: Collection[int], longest: int | None = None) -> None:
        """As `KVCache.remove_rows`."""
        parents = [self.parent_rows[place] for place in places_without(self.rows, places)]
        super().remove_rows(places, longest)
        self.parent_rows = parents

    def clear(self) -> None:
        """Remove all rows and give their memory back; the prompts stay."""
        super().clear()
        self.parent_rows = []

    def empty(self) -> None:
        """Remove all rows, but keep the buffers, and the steps that were made for them."""
        super().empty()
        self.parent_rows = []


class ForkedExtension(Extension):
    """The new tokens of one call of the model, behind the prompts that their rows continue.

    Arguments and attributes as `Extension`'s, and `sharing`, for a shape that is given.
    """

    def __init__(
        self,
        cache: ForkedCache,
        seq: int,
        padding_mask: torch.Tensor | None,
        shape: StepShape | None = None,
        sharing: "Sharing | None" = None,
    ):
        super().__init__(cache, seq, padding_mask, shape=shape)
        self.parent, self.sharing = cache.parent, sharing or cache.sharing
        self.parents = self.parent.rows if shape is None else shape.parents
        lengths = self.parent.lengths_of_places[: self.parents]
        # 1. A row's own tokens stand behind its prompt.
        self.positions = self.positions + lengths[self.sharing.parent_of_row][:, None]
        # 2. Every query sees its whole prompt: (parents, 1, parent_length).
        self.parent_length = (
            whole_blocks(self.parent.max_length) if shape is None else shape.parent_window
        )
        places = torch.arange(self.parent_length, device=lengths.device)
        self.parent_mask = (places < lengths[:, None])[:, None]
        self.parent_bias = self._bias(self.parent_mask)

    def layer(self, index: int) -> LayerExtension:
        """Return one layer's part, with the prompts in front."""
        layer = super().layer(index)
        if self.parent_length > 0:
            layer.prompt_buffers = self.parent.keys[index], self.parent.values[index]
        return layer

    def in_front(self, buffers: tuple[torch.Tensor, torch.Tensor] | None) -> list[Segment]:
        """Return the prompts, as one segment that several rows may share."""
        if buffers is None:  # all prompts are of one token, which each row reads itself
            return []
        keys, values = narrowed(buffers, self.parents, self.parent_length)
        return [Segment(keys, values, self.parent_mask, self.parent_bias, self.sharing)]


class Sharing:
    """Groups of rows that share a parent row, as indices that turn many small matrix products into
    one per parent.

    Rows that share a parent are put side by side, so that their queries form one matrix, which
    meets the parent's keys once. Groups smaller than the largest are padded by repeating a row;
    the padded results are discarded.

    Args:
        parent_rows: for each row, the index of its parent.
        parents: number of parents.
        device: where the indices are used.
        width: rows per group, at least.

    Attributes:
        parent_of_row: `(rows,)`, the parent's index as a tensor.
    """

    def __init__(
        self, parent_rows: Sequence[int], parents: int, device: torch.device, width: int = 0
    ):
        self.parent_rows, self.parents = list(parent_rows), parents
        # 1. Collect the rows of each parent.
        members: list[list[int]] = [[] for _ in range(parents)]
        for row, parent in enumerate(parent_rows):
            members[parent].append(row)
        self.width = max([width, *map(len, members)])
        # 2. Put them side by side, all groups equally wide: (parents * width,).
        side_by_side = [row for rows in members for row in rows + [0] * (self.width - len(rows))]
        self.row_of_place = send(torch.tensor(side_by_side, dtype=torch.long), device)
        # 3. Note where each row went: (rows,).
        place_of_row = [0] * len(parent_rows)
        for parent, rows in enumerate(members):
            for i, row in enumerate(rows):
                place_of_row[row] = parent * self.width + i
        self.place_of_row = send(torch.tensor(place_of_row, dtype=torch.long), device)
        self.parent_of_row = send(torch.tensor(self.parent_rows, dtype=torch.long), device)
        # 4. For one prompt, or one row per prompt, nothing moves, and no index is needed.
        self.in_order = side_by_side == list(range(len(parent_rows)))

    def describes(self, parent_rows: list[int], parents: int) -> bool:
        """Return True if these are the rows and the number of parents it was made of."""
        return self.parent_rows == parent_rows and self.parents == parents

    def copy_(self, other: "Sharing") -> None:
        """Take over other groups of the same sizes, in place: a captured step finds them."""
        for mine, theirs in (
            (self.row_of_place, other.row_of_place),
            (self.place_of_row, other.place_of_row),
            (self.parent_of_row, other.parent_of_row),
        ):
            mine.copy_(theirs)
        self.parent_rows = (
            other.parent_rows
        )  # the last: an interruption leaves what is copied again

    def gather(self, x: torch.Tensor) -> torch.Tensor:
        """Put rows that share a parent side by side:
        `(rows, heads, n, k) -> (parents, heads, width * n, k)`.
        """
        x = x if self.in_order else x[self.row_of_place]
        return x.unflatten(0, (self.parents, self.width)).transpose(1, 2).flatten(2, 3)

    def scatter(self, x: torch.Tensor) -> torch.Tensor:
        """Give every row its own part again, undoing `gather`."""
        ungrouped = x.unflatten(2, (self.width, -1)).transpose(1, 2).flatten(0, 1)
        return ungrouped if self.in_order else ungrouped[self.place_of_row]
