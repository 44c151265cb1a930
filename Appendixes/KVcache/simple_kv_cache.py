"""A key-value cache in its shortest form: one list of keys and one of values, joined by
concatenation.

- a token's keys and values never change once it was read, so a decoder keeps them, and a new token
  costs one position instead of the whole text again
- each concatenation copies everything that is held: n tokens, one at a time, copy n * (n - 1) / 2
- it is for reading, and for an attention of your own (`main.py` does that); `Qwen3Model` takes a
  `KVCache`
"""

import torch


class SimpleKVCache:
    """Keys and values of all tokens so far: per layer `(batch, kv_heads, tokens, head_dim)`.

    >>> cache, one_token = SimpleKVCache(), torch.ones(1, 2, 1, 8)
    >>> for _ in range(3):
    ...     keys, values = cache.append(0, one_token, one_token)
    >>> keys.shape
    torch.Size([1, 2, 3, 8])
    """

    def __init__(self) -> None:
        self.keys: list[torch.Tensor] = []  # one tensor per layer
        self.values: list[torch.Tensor] = []

    def append(
        self, layer: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store the keys and values of new tokens; return those of all tokens of that layer."""
        if layer == len(self.keys):  # the first tokens of this layer
            self.keys.append(keys)
            self.values.append(values)
        else:
            self.keys[layer] = torch.cat((self.keys[layer], keys), dim=2)
            self.values[layer] = torch.cat((self.values[layer], values), dim=2)
        return self.keys[layer], self.values[layer]
