"""Find, download, load and save checkpoints.

- a checkpoint is a Hugging Face folder: `config.json`, `tokenizer.json`, `model.safetensors` or
  shards with an index
- safetensors only: a pickle can run code when it is opened
- the model is built without memory, and each tensor of the file becomes a parameter as it is, so
  loading holds the weights once; nothing is loaded before all names and shapes were checked
"""

import os
import re
import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from Appendixes.command_line import first_line, read_json, write_whole
from Appendixes.QWEN3Model.config import Qwen3Config
from Appendixes.QWEN3Model.qwen3_model import Qwen3Model
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer

REPOSITORY = Path(__file__).resolve().parents[2]
CHAPTER_FOLDERS = [REPOSITORY / chapter / "qwen3" for chapter in ("CH2", "CH3", "CH4")]
SHIPPED = ("tiny", "tiny-thinking")  # come with the repository, in the first chapter's folder
SINGLE_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
FILES_NEEDED = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    SINGLE_FILE,
    INDEX_FILE,
    "model-*-of-*.safetensors",
]
SOURCE_NOTE = ".hub_name"  # file in a downloaded folder that holds its name on the Hub
PREFIX = "model."  # begins the name of each tensor in a checkpoint, but for the output layer's
NAME = re.compile(r"[^/]+|[^./~][^/]*/[^/]+")  # a plain name, or one on the Hub
NAMES_EXPECTED = (
    "give 'tiny', 'tiny-thinking', a folder with config.json and model.safetensors, "
    "or a Hub name such as 'Qwen/Qwen3-0.6B-Base'"
)


def load_qwen3(
    name_or_path: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    local_dir: str | Path | None = None,
) -> tuple[Qwen3Model, Qwen3Tokenizer]:
    """Load a dense Qwen3 checkpoint with its tokenizer, ready for inference.

    Args:
        name_or_path: `"tiny"` or `"tiny-thinking"` (ship with the repository), a folder, or a name
            on the Hugging Face Hub such as `"Qwen/Qwen3-0.6B-Base"`, which is downloaded once and
            found on disk from then on.
        device: device of the weights; None means `cuda` if there is one, else `cpu`. On a GPU the
            model is slow until it is compiled (`CH2.compilation.compile_model`); the shipped ones,
            whose kernels are too short for a GPU, are faster on `"cpu"` until then.
        dtype: type of the weights; None means the type that they have in the checkpoint.
        local_dir: the folder that holds checkpoints as sub-folders; None means the repository's
            `CH2/qwen3`. A checkpoint in another chapter's folder is linked from there instead of
            downloaded again.

    Returns:
        The model, in evaluation mode, and its tokenizer.

    Raises:
        FileNotFoundError: no such folder, or a file is missing from the checkpoint.
        ValueError: a file is damaged, a tensor is missing or has the wrong shape, or the model is
            of another kind.
        ConnectionError: the checkpoint is not on disk, and the Hub does not know it or cannot be
            reached.
    """
    folder = find_checkpoint(name_or_path, local_dir)
    config = Qwen3Config.from_json(folder)
    tokenizer = Qwen3Tokenizer.from_file(folder)
    if tokenizer.vocab_size > config.vocab_size:
        raise ValueError(
            f"{folder}: the tokenizer has {tokenizer.vocab_size} tokens, "
            f"the model only {config.vocab_size}"
        )
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    with torch.device("meta"):  # names and shapes, no memory
        model = Qwen3Model(config)
    _load_weights(model, folder, device, dtype or _stored_dtype(config, folder))
    return model.eval().requires_grad_(False), tokenizer


def save_qwen3(model: Qwen3Model, folder: str | Path, **config_entries: Any) -> None:
    """Write `config.json` and `model.safetensors`, for `load_qwen3` and `transformers` to open.

    Each file appears whole or not at all: an interruption leaves the old one.

    Args:
        model: the model, whose weights are stored in their own dtype.
        folder: the folder, which is made if missing; the caller adds the tokenizer's files.
        config_entries: more entries of `config.json`, such as `eos_token_id`.

    Raises:
        ValueError: the model has other tensors than its config says, because its weights were
            joined, packed or untied.
    """
    folder = Path(folder)
    _check_parameters(model)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        _checkpoint_name(name): p.detach().cpu().contiguous()
        for name, p in model.named_parameters()
    }
    dtype = str(model.embed_tokens.weight.dtype).removeprefix("torch.")
    write_whole(
        folder / SINGLE_FILE, lambda part: save_file(tensors, part, metadata={"format": "pt"})
    )
    model.config.to_json(folder / "config.json", **{**config_entries, "dtype": dtype})


def _check_parameters(model: Qwen3Model) -> None:
    """Refuse a model with other parameters than its config says: its file could not be loaded."""
    with torch.device("meta"):
        expected = dict(Qwen3Model(model.config).named_parameters()).keys()
    given = dict(model.named_parameters()).keys()
    lacking = f"lacks {_first(expected - given)}" if expected - given else ""
    unknown = (
        f"has {_first(given - expected)}, which its config does not know"
        if given - expected
        else ""
    )
    if lacking or unknown:
        raise ValueError(
            f"the model {' and '.join(filter(None, (lacking, unknown)))}: "
            "save the model as it was loaded"
        )


def find_checkpoint(name_or_path: str | Path, local_dir: str | Path | None = None) -> Path:
    """Return the folder of a checkpoint, after linking or downloading it if need be.

    Arguments and errors are those of `load_qwen3`.
    """
    name = str(name_or_path)
    folder = Path(name).expanduser()
    # 1. A folder that exists. A plain name, such as "tiny", comes to this in step 4.
    if "/" in name and folder.is_dir():
        return _complete(folder)
    # 2. A checkpoint in a chapter's folder, under its name or the last part of its Hub name.
    if not NAME.fullmatch(name):
        raise FileNotFoundError(
            f"no checkpoint {name!r}: there is no such folder; {NAMES_EXPECTED}"
        )
    home = Path(local_dir) if local_dir is not None else CHAPTER_FOLDERS[0]
    own = home / name.split("/")[-1]
    found = _find_in_chapters(name, own)
    if found is not None:
        return found
    # 3. A name on the Hub.
    if "/" in name:
        return _download(name, own)
    # 4. Neither: a folder of that name, or the error that says what is missing.
    for place in (folder, own):
        if place.is_dir():
            return _complete(place)
    raise FileNotFoundError(f"no checkpoint {name!r}: {NAMES_EXPECTED}")


def missing_files(folder: Path) -> list[str]:
    """List the files that a folder lacks to be a complete checkpoint."""
    files = ["config.json", "tokenizer.json", *_weight_files(folder)]
    return [file for file in files if not (folder / file).is_file()]


def _complete(folder: Path) -> Path:
    """Return the folder, or raise FileNotFoundError if it lacks a file."""
    if missing := missing_files(folder):
        raise FileNotFoundError(
            f"{folder} is not a complete checkpoint: {', '.join(missing)} missing"
        )
    return folder


def _find_in_chapters(name: str, own: Path) -> Path | None:
    """Look for a complete checkpoint in the chapters' folders; link it to `own` from another one.

    Args:
        name: a plain name, or a name on the Hub.
        own: the chapter's own folder for this checkpoint, which is looked at first.

    Returns:
        `own`, or None if no chapter has the checkpoint.

    Raises:
        FileNotFoundError: `name` is a Hub name, and the folder was not downloaded under it: it only
            ends in the same word.
    """
    others = [chapter / own.name for chapter in CHAPTER_FOLDERS]
    others = [other for other in others if other.resolve() != own.resolve()]
    shipped = CHAPTER_FOLDERS[0] / own.name
    # A shipped checkpoint is linked anew each time: a new version may bring new weights.
    places = [shipped] if name in SHIPPED and shipped in others else []
    for place in (*places, own, *others):
        if missing_files(place):
            continue
        note = place / SOURCE_NOTE
        source = note.read_text(encoding="utf-8").strip() if note.is_file() else None
        if "/" in name and source != name:
            raise FileNotFoundError(
                f"there is no folder {name}, and {place} was not downloaded from the Hub "
                f"under this name{f' but as {source}' if source else ''}; "
                f"to use that one, give {own.name!r}"
            )
        return own if place == own else _link_checkpoint(place, own)
    return None


def _link_checkpoint(source: Path, target: Path) -> Path:
    """Link the files of another chapter's checkpoint, or copy them where links are not possible."""
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        entry = target / file.name
        if not file.is_file() or file.suffix == ".part" or _same_file(file, entry):
            continue
        try:
            write_whole(entry, partial(_link_or_copy, file))
        except OSError:  # on Windows, when another process was first and reads the entry
            if not _same_file(file, entry):
                raise
    return target


def _link_or_copy(file: Path, target: Path) -> None:
    target.unlink(missing_ok=True)  # a process of the same number may have been killed here
    try:
        os.link(file, target)
    except OSError:
        shutil.copy2(file, target)


def _same_file(source: Path, target: Path) -> bool:
    """Return True if `target` is a link to `source`, or a copy of the same size and time."""
    if not target.is_file():
        return False
    one, other = source.stat(), target.stat()
    return source.samefile(target) or (
        (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
    )


def _download(name: str, target: Path) -> Path:
    """Download the files that are needed.

    A connection that breaks is resumed; files that arrived whole are kept for the next call.
    """
    # 1. Ask the Hub.
    try:
        snapshot_download(name, allow_patterns=FILES_NEEDED, local_dir=target)
        reason = "the Hub was not reached, or has no such file under this name"
    # the library lets through what its HTTP client raises, which differs by version
    except Exception as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
    if not missing_files(target):
        (target / SOURCE_NOTE).write_text(name + "\n", encoding="utf-8")
        return target
    # 2. Look in the cache that all Hugging Face libraries share.
    with suppress(LocalEntryNotFoundError, ValueError):
        shared = snapshot_download(name, allow_patterns=FILES_NEEDED, local_files_only=True)
        if not missing_files(Path(shared)):
            return Path(shared)
    raise ConnectionError(
        f"{name} could not be downloaded: {target} still lacks "
        f"{', '.join(missing_files(target))} ({reason}). "
        "Check the name and the network; files that arrived whole are kept for the next try"
    )


def _weight_files(folder: Path) -> list[str]:
    """List the files with the weights: one, or the shards if there is only an index of shards."""
    path = folder / INDEX_FILE
    if (folder / SINGLE_FILE).is_file() or not path.is_file():
        return [SINGLE_FILE]
    try:
        files = sorted(set(read_json(path)["weight_map"].values()))
        for file in files:
            if Path(file).name != file:
                raise ValueError(f"shard {file!r} is not a plain file name")
        return files
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} is not an index of shards ({error}); download it again") from None


def _open(path: Path, device: str = "cpu") -> safe_open:
    """Open a safetensors file; the error of a damaged one says what to do."""
    try:
        return safe_open(path, framework="pt", device=device)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing; download it again") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} is damaged or incomplete ({error}); delete it and download it again"
        ) from None


def _stored_dtype(config: Qwen3Config, folder: Path) -> torch.dtype:
    """Return the dtype that a config names."""
    dtype = getattr(torch, config.dtype, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise ValueError(
            f"{folder / 'config.json'}: dtype {config.dtype!r} "
            "is not a floating-point type of PyTorch"
        )
    return dtype


def _checkpoint_name(name: str) -> str:
    """Return the name that a parameter of the model has in a checkpoint."""
    return name if name.startswith("lm_head.") else PREFIX + name


def _load_weights(
    model: Qwen3Model, folder: Path, device: torch.device, dtype: torch.dtype
) -> None:
    """Replace the empty parameters by the checkpoint's tensors."""
    # 1. Read the names and shapes of all tensors.
    files = _weight_files(folder)
    expected = {
        _checkpoint_name(name): parameter.shape for name, parameter in model.named_parameters()
    }
    stored: set[str] = set()
    for file in files:
        with _open(folder / file) as tensors:
            for name in sorted(tensors.keys()):
                shape = tuple(tensors.get_slice(name).get_shape())
                if name in expected and shape != tuple(expected[name]):
                    raise ValueError(
                        f"{folder / file}: {name} has shape {shape}, "
                        f"the config says {tuple(expected[name])}"
                    )
                stored.add(name)
    # 2. Refuse a checkpoint with other tensors than the model's.
    tied_copy = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    missing, unknown = expected.keys() - stored, stored - expected.keys() - tied_copy
    if missing:
        raise ValueError(f"{folder}: {_first(missing)} missing from {', '.join(files)}")
    if unknown:
        raise ValueError(
            f"{folder}: {_first(unknown)} in the file, but a dense Qwen3 has no such tensor"
        )

    # 3. Load; a tied output layer is the embedding itself.
    parameters = {}
    for file in files:
        with _open(folder / file, str(device)) as tensors:
            for name in expected.keys() & tensors.keys():
                parameters[name.removeprefix(PREFIX)] = tensors.get_tensor(name).to(dtype)
    model.load_state_dict(parameters, strict=False, assign=True)
    if model.config.tie_word_embeddings:
        model.lm_head.weight = model.embed_tokens.weight


def _first(names: set[str]) -> str:
    """Name the first tensor and count the others: `tensor a`, or `tensor a and 3 more`."""
    first, *rest = sorted(names)
    return f"tensor {first}" + (f" and {len(rest)} more" if rest else "")
