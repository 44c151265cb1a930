"""Qwen3Model: the whole model, its configuration, and checkpoints on disk and on the Hub."""

from Appendixes.QWEN3Model.checkpoint import find_checkpoint, load_qwen3, save_qwen3
from Appendixes.QWEN3Model.config import FAMILY, Qwen3Config
from Appendixes.QWEN3Model.qwen3_model import Qwen3Model

__all__ = ["FAMILY", "Qwen3Config", "Qwen3Model", "find_checkpoint", "load_qwen3", "save_qwen3"]
