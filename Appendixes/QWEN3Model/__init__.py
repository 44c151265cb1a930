"""The whole Qwen3 model, its configuration and its checkpoints: begin with `qwen3_model.py`."""

from Appendixes.QWEN3Model.checkpoint import find_checkpoint, load_qwen3, save_qwen3
from Appendixes.QWEN3Model.config import FAMILY, Qwen3Config
from Appendixes.QWEN3Model.qwen3_model import Qwen3Model

__all__ = ["FAMILY", "Qwen3Config", "Qwen3Model", "find_checkpoint", "load_qwen3", "save_qwen3"]
