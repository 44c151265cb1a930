"""Qwen3 model: from token ids to a score for each token that may come next.

A table turns each id into a vector. A stack of equal blocks works on the vectors, and the last one
of each position is compared with every token of the vocabulary. The scores, called logits, say
which token is likely to follow.

The idea, in the four lines from embed_tokens to lm_head, with the model that ships here:

>>> import torch
>>> from Appendixes.RoPE import rope_cos_sin
>>> model, tokenizer = load_qwen3("tiny", device="cpu")
>>> ids = torch.tensor([tokenizer.encode("What is 23 + 48?")])  # (batch, tokens)
>>> positions, config = torch.arange(ids.shape[1])[None], model.config
>>> cos, sin = rope_cos_sin(positions, config.head_dim, config.rope_theta)
>>> x = model.embed_tokens(ids)  # (batch, tokens, width)
>>> for block in model.layers:
...     x = block(x, cos, sin)
>>> logits = model.lm_head(model.norm(x))  # (batch, tokens, vocabulary)
>>> torch.equal(logits, model(ids))
True

- `qwen3_model.py`: the model; read it first
- `config.py`: sizes and settings, and those of the whole family
- `checkpoint.py`: finding, downloading, loading and saving weights
- `main.py`: parameters, logits, causality, the cache, and what training changes
"""

from Appendixes.QWEN3Model.checkpoint import find_checkpoint, load_qwen3, save_qwen3
from Appendixes.QWEN3Model.config import FAMILY, Qwen3Config
from Appendixes.QWEN3Model.qwen3_model import Qwen3Model

__all__ = ["FAMILY", "Qwen3Config", "Qwen3Model", "find_checkpoint", "load_qwen3", "save_qwen3"]
