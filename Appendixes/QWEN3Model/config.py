"""The sizes and settings of a Qwen3 model, read from a checkpoint's `config.json` and checked."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_type_hints

from Appendixes.command_line import read_json, write_json


@dataclass(frozen=True)
class Qwen3Config:
    """The shape of a dense Qwen3 model, under `config.json`'s names; the defaults are Qwen3-0.6B's.

    Raises:
        ValueError: an entry is not of the type declared here, a number is not positive, or sizes
            do not fit together.

    >>> small = Qwen3Config(num_attention_heads=4, num_key_value_heads=2)
    >>> small.num_attention_heads // small.num_key_value_heads  # query heads per key-value head
    2
    """

    vocab_size: int = 151_936
    hidden_size: int = 1024  # width of the residual stream
    intermediate_size: int = 3072  # width inside the feed-forward layer
    num_hidden_layers: int = 28
    num_attention_heads: int = 16  # query heads
    num_key_value_heads: int = 8  # each serves heads / kv_heads query heads
    head_dim: int = 128  # size of one head; heads * head_dim need not be hidden_size
    max_position_embeddings: int = 40_960  # context length: prompt and answer together, in tokens
    rope_theta: float = 1_000_000.0  # base of RoPE's angles
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = True  # the output layer is the embedding, transposed
    dtype: str = "float32"  # type of the weights; "auto": the one that they have in the file

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            value = getattr(self, name)
            if type(value) not in ((int, float) if kind is float else (kind,)):
                raise ValueError(f"{name} is {value!r}, expected {kind.__name__}")
            if kind is int and value < 1:
                raise ValueError(f"{name} is {value}: it must be at least 1")
            if kind is float and not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}: it must be positive")
            object.__setattr__(self, name, kind(value))  # an int may stand for a float
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_attention_heads ({self.num_attention_heads}) must be a multiple of "
                f"num_key_value_heads ({self.num_key_value_heads})"
            )
        if self.head_dim % 2:
            raise ValueError(
                f"head_dim is {self.head_dim}: RoPE turns pairs of coordinates, so it must be even"
            )

    @classmethod
    def from_json(cls, path: str | Path) -> "Qwen3Config":
        """Read a Hugging Face `config.json`; `path` is the file, or the folder that holds it.

        `rope_theta` may stand at the top level or inside `rope_parameters`; both forms are in use.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is not a JSON object, lacks a size, or describes a model this code
                cannot run (another architecture, mixture of experts, quantised weights, sliding
                window, scaled RoPE, biases, another activation).
        """
        path = Path(path)
        if path.is_dir():
            path = path / "config.json"
        # 1. Read the file; refuse a model of another kind.
        raw = read_json(path)
        rope = _rope_settings(raw, path)
        _refuse_unsupported(raw, rope, path)
        # 2. Put in what a silent file means, as `transformers` does.
        values = {"head_dim": 128, "tie_word_embeddings": False, **raw}
        values["rope_theta"] = rope.get("rope_theta", raw.get("rope_theta"))
        values["dtype"] = raw.get("dtype") or raw.get("torch_dtype") or "auto"
        # 3. Take each field; the types are checked where a config is made.
        settings: dict[str, Any] = {name: values.get(name) for name in get_type_hints(cls)}
        try:
            return cls(**settings)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def to_json(self, path: str | Path, **more: Any) -> None:
        """Write a `config.json` that `from_json` and `transformers` read.

        Args:
            path: the file, which appears whole or not at all.
            more: further entries, such as `eos_token_id`.
        """
        raw = {
            "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3",
            "attention_bias": False,
            "hidden_act": "silu",
            **asdict(self),
            "rope_parameters": {"rope_theta": self.rope_theta, "rope_type": "default"},
            **more,
        }
        write_json(path, raw)


# Size → the dense model of that size in the Qwen3 report (Yang et al., 2025,
# https://arxiv.org/abs/2505.09388).
FAMILY = {
    size: Qwen3Config(
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=heads,
        intermediate_size=feed_forward,
        tie_word_embeddings=tied,
    )
    for size, layers, width, heads, feed_forward, tied in (
        ("0.6B", 28, 1024, 16, 3072, True),
        ("1.7B", 28, 2048, 16, 6144, True),
        ("4B", 36, 2560, 32, 9728, True),
        ("8B", 36, 4096, 32, 12_288, False),
        ("14B", 40, 5120, 40, 17_408, False),
        ("32B", 64, 5120, 64, 25_600, False),
    )
}


def _rope_settings(raw: dict, path: Path) -> dict:
    """Collect RoPE's settings from the two objects that may hold them; the older form wins."""
    settings: dict = {}
    for name in ("rope_parameters", "rope_scaling"):
        if not isinstance(raw.get(name) or {}, dict):
            raise ValueError(f"{path}: {name} is {raw[name]!r}, expected an object")
        given = dict(raw.get(name) or {})
        if "type" in given:  # the older name of rope_type, which wins where both stand
            given.setdefault("rope_type", given.pop("type"))
        settings |= given
    return settings


def _quantisation(raw: dict) -> str:
    """Describe how a checkpoint's weights are quantised; an empty text: they are not."""
    settings = raw.get("quantization_config") or raw.get("quantization")  # the second is MLX's
    if not isinstance(settings, dict):
        return ""
    bits = f", {settings['bits']} bits" if "bits" in settings else ""
    return f"quantised weights ({settings.get('quant_method', 'MLX')}{bits})"


def _refuse_unsupported(raw: dict, rope: dict, path: Path) -> None:
    """Refuse a model with features that this code does not implement, and name them."""
    if not isinstance(raw.get("layer_types") or [], list):
        raise ValueError(f"{path}: layer_types is {raw['layer_types']!r}, expected a list")
    rope_type = rope.get("rope_type", "default")
    layer_types = set(raw.get("layer_types") or ["full_attention"])
    experts = [name for name in ("num_experts", "num_local_experts") if raw.get(name)]
    quantised = _quantisation(raw)
    problems = {
        f"{quantised}: take the repository with 16 bits per weight, whose name lacks this ending; "
        "CH2.fast packs its weights into 8 or 4 bits": bool(quantised),
        f"model_type {raw.get('model_type')!r} (only dense 'qwen3')": raw.get("model_type")
        != "qwen3",
        f"mixture of experts ({', '.join(experts)})": bool(experts),
        "sliding window attention (use_sliding_window)": bool(raw.get("use_sliding_window")),
        f"layer types {sorted(layer_types - {'full_attention'})}": layer_types
        != {"full_attention"},
        f"rope type {rope_type!r} (only 'default')": rope_type != "default",
        "partial rotary embedding": rope.get("partial_rotary_factor", 1.0) != 1.0,
        "attention bias (attention_bias)": bool(raw.get("attention_bias")),
        f"activation {raw.get('hidden_act')!r} (only 'silu')": raw.get("hidden_act", "silu")
        != "silu",
    }
    refused = [feature for feature, present in problems.items() if present]
    if refused:
        raise ValueError(
            f"{path} asks for features that this model does not implement: {'; '.join(refused)}"
        )
