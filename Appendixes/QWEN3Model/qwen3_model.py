"""The dense Qwen3 (Yang et al., 2025, https://arxiv.org/abs/2505.09388), from token ids to logits.

- it is an embedding, a stack of equal blocks, a last normalisation and a linear layer to the
  vocabulary
- attribute names are the checkpoint's tensor names without `model.`, so loading needs no table
- it has no hidden state: the positions of texts live in the cache, which is an argument
"""

import torch
from torch import nn

from Appendixes.KVcache import Extension, KVCache, token_offsets
from Appendixes.QWEN3Model.config import Qwen3Config
from Appendixes.QWEN3TransformerBlock import TransformerBlock
from Appendixes.RMSNorm import RMSNorm
from Appendixes.RoPE import rope_cos_sin


class Qwen3Model(nn.Module):
    """A dense Qwen3 with random weights; `load_qwen3` returns one with trained weights.

    Args:
        config: the model's shape.
    """

    def __init__(self, config: Qwen3Config):
        super().__init__()
        self.config = config
        table = torch.empty(config.vocab_size, config.hidden_size)
        self.embed_tokens = nn.Embedding.from_pretrained(table, freeze=False)  # filled below, once
        self.layers = nn.ModuleList(
            TransformerBlock(config) for _ in range(config.num_hidden_layers)
        )
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.apply(_initialise)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.embed_tokens.weight

    def forward(
        self,
        input_ids: torch.Tensor,
        cache: KVCache | None = None,
        last_position_only: bool = False,
        padding_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Compute the logits of the next token at every position.

        Args:
            input_ids: `(batch, seq)`. With a cache: the new tokens only, which continue its rows.
            cache: is read and extended by `seq` tokens per row.
            last_position_only: True runs the output layer, the widest one, for each row's last real
                token only.
            padding_mask: bool `(batch, seq)`, True for real tokens; None: all are real.

        Returns:
            `(batch, seq, vocab)`, or `(batch, 1, vocab)` with `last_position_only`. Logits at
            padding, or of a row of padding only, mean nothing.

        Raises:
            ValueError: the ids are not `(batch, seq)` with at least one token, the mask is not bool
                of their shape, or the cache is of another batch size or another model.
        """
        if input_ids.dim() != 2 or input_ids.numel() == 0:
            raise ValueError(
                f"input_ids has shape {tuple(input_ids.shape)}: "
                "expected (batch, seq) with at least one token"
            )
        (batch, seq), device = input_ids.shape, input_ids.device
        self._check_mask_and_cache(input_ids, padding_mask, cache)
        # With a cache, it says where the new tokens stand and what they see.
        if cache is not None:
            extension = cache.extend(batch, seq, device, padding_mask)
            logits = self.run_layers(
                input_ids, extension.positions, None, extension, last_position_only, padding_mask
            )
            extension.commit()
            return logits
        # Without one, real tokens are numbered in order, and see those up to themselves.
        if padding_mask is None:
            positions, mask = torch.arange(seq, device=device)[None], None
        else:
            # padding counts as later than every real token, so that no token sees it
            positions = token_offsets(padding_mask)
            mask = positions[:, None, :] <= positions[:, :, None]  # (batch, query, key)
        return self.run_layers(input_ids, positions, mask, None, last_position_only, padding_mask)

    def _check_mask_and_cache(
        self, input_ids: torch.Tensor, padding_mask: torch.Tensor | None, cache: KVCache | None
    ) -> None:
        """Refuse a mask of another type or shape, and the cache of another model."""
        mask, expected = padding_mask, (torch.bool, input_ids.shape)
        if mask is not None and (mask.dtype, mask.shape) != expected:
            raise ValueError(
                f"padding_mask is {mask.dtype} of shape {tuple(mask.shape)}: expected torch.bool "
                f"of shape {tuple(input_ids.shape)}, True for real tokens; attention_mask.bool() "
                "makes one of the mask of transformers"
            )
        if cache is None or not cache.keys:
            return
        config, (_, heads, _, head_dim) = self.config, cache.keys[0].shape
        own = (config.num_hidden_layers, config.num_key_value_heads, config.head_dim)
        # an interrupted call may leave fewer layers, and the next one makes the others
        if (heads, head_dim) != own[1:] or len(cache.keys) > own[0]:
            raise ValueError(
                f"the cache is another model's: it has {len(cache.keys)} layers of {heads} heads "
                f"of {head_dim}, this model {own[0]} of {own[1]} of {own[2]}; use a new KVCache()"
            )

    def run_layers(
        self,
        input_ids: torch.Tensor,
        positions: torch.Tensor,
        mask: torch.Tensor | None = None,
        extension: Extension | None = None,
        last_position_only: bool = False,
        padding_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Compute logits of tokens at known positions: the part of `forward` worth compiling.

        Args:
            positions: `(batch or 1, seq)`, each token's position in its text.
            mask: bool `(batch, seq, seq)`, True where a token may look; None: causal. It is for
                calls without a cache.
            extension: the cache's room for these tokens, from `KVCache.extend`.
            input_ids, last_position_only, padding_mask: as in `forward`.
        """
        x = self.run_blocks(input_ids, positions, mask, extension)
        if last_position_only:
            x = x[:, -1:] if padding_mask is None else last_real(x, padding_mask)
        return self._head(x)

    def run_blocks(
        self,
        input_ids: torch.Tensor,
        positions: torch.Tensor,
        mask: torch.Tensor | None = None,
        extension: Extension | None = None,
    ) -> torch.Tensor:
        """Compute the last block's output, `(batch, seq, hidden_size)`; arguments as in
        `run_layers`. A cache needs no more of a text whose next token is known.
        """
        x = self.embed_tokens(input_ids)  # (batch, seq, hidden_size)
        cos, sin = rope_cos_sin(positions, self.config.head_dim, self.config.rope_theta)
        for index, layer in enumerate(self.layers):
            x = layer(x, cos, sin, mask, None if extension is None else extension.layer(index))
        return x

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        """Turn the last block's output into logits."""
        return self.lm_head(self.norm(x))


def last_real(x: torch.Tensor, padding_mask: torch.Tensor) -> torch.Tensor:
    """Select each row's last real position: `(batch, seq, dim) -> (batch, 1, dim)`."""
    index = torch.arange(x.shape[1], device=x.device)
    last = torch.where(padding_mask, index, -1).amax(dim=1)
    return x[torch.arange(len(x), device=x.device), last][:, None]


def _initialise(module: nn.Module) -> None:
    """Draw weights from a normal distribution of standard deviation 0.02, as the reference does.

    Weights without memory, which a checkpoint will replace, stay: PyTorch would load its compiler
    for them.
    """
    if isinstance(module, nn.Linear | nn.Embedding) and not module.weight.is_meta:
        nn.init.normal_(module.weight, std=0.02)
