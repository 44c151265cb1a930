"""Checkpoints: where they lie, how they get there, and how their tensors reach the model.

- a checkpoint is a Hugging Face folder: `config.json`, `tokenizer.json`, `model.safetensors` or
  shards with an index
- safetensors only: a pickle can run code when it is opened
- the model is built without memory, and each tensor of the file becomes a parameter as it is, so
  loading holds the weights once; nothing is loaded before all names and shapes were checked
"""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from Appendixes.QWEN3Model.config import Qwen3Config
from Appendixes.QWEN3Model.qwen3_model import Qwen3Model
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer

REPOSITORY = Path(__file__).resolve().parents[2]
CHAPTER_FOLDERS = [REPOSITORY / chapter / "qwen3" for chapter in ("CH2", "CH3", "CH4")]
SINGLE_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
FILES_NEEDED = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    SINGLE_FILE,
]
SHARD_FILES = [INDEX_FILE, "model-*-of-*.safetensors"]
SOURCE_NOTE = ".hub_name"  # in a downloaded folder: the name it was downloaded under
PREFIX = "model."  # checkpoints put all but the output layer under this name


def load_qwen3(
    name_or_path: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    local_dir: str | Path | None = None,
) -> tuple[Qwen3Model, Qwen3Tokenizer]:
    """Load a dense Qwen3 checkpoint with its tokenizer, ready for inference.

    Args:
        name_or_path: `"tiny"` (ships with the repository), a folder, or a name on the Hugging Face
            Hub such as `"Qwen/Qwen3-0.6B-Base"`, which is downloaded once and found on disk from
            then on.
        device: where the weights go; None: `cuda` if there is one, else `cpu`.
        dtype: of the weights; None: as stored in the checkpoint.
        local_dir: the folder that holds checkpoints as sub-folders. A checkpoint that lies in
            another chapter's folder is linked from there instead of downloaded again. None: the
            repository's `CH2/qwen3`.

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
            f"{folder}: the tokenizer has {tokenizer.vocab_size} tokens, the model only {config.vocab_size}"
        )
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    with torch.device("meta"):  # names and shapes, no memory
        model = Qwen3Model(config)
    _load_weights(model, folder, device, dtype or _stored_dtype(config, folder))
    return model.eval().requires_grad_(False), tokenizer


def save_qwen3(model: Qwen3Model, folder: str | Path, **config_entries: Any) -> None:
    """Write `config.json` and `model.safetensors` so that `load_qwen3` and `transformers` open the
    folder.

    The weights file appears at once and whole: an interruption leaves the old one.

    Args:
        model: its weights are stored in their own dtype.
        folder: made if missing; the tokenizer's files are the caller's to put beside.
        config_entries: more entries of `config.json`, such as `eos_token_id`.

    Raises:
        ValueError: the model has other tensors than its config says: its weights were joined,
            packed or untied.
    """
    folder = Path(folder)
    _check_parameters(model)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        _checkpoint_name(name): p.detach().cpu().contiguous()
        for name, p in model.named_parameters()
    }
    dtype = str(model.embed_tokens.weight.dtype).removeprefix("torch.")
    save_file(tensors, folder / (SINGLE_FILE + ".part"), metadata={"format": "pt"})
    (folder / (SINGLE_FILE + ".part")).replace(folder / SINGLE_FILE)
    model.config.to_json(folder / "config.json", **{**config_entries, "dtype": dtype})


def _check_parameters(model: Qwen3Model) -> None:
    """Refuse a model whose file nobody could load, before it takes a good one's place."""
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
            f"the model {' and '.join(filter(None, (lacking, unknown)))}: save the model as it was loaded"
        )


def find_checkpoint(name_or_path: str | Path, local_dir: str | Path | None = None) -> Path:
    """The folder of a checkpoint, linked from another chapter or downloaded if need be; see
    `load_qwen3`.
    """
    name = str(name_or_path)
    home = Path(local_dir) if local_dir is not None else CHAPTER_FOLDERS[0]
    own = home / name.rstrip("/").split("/")[-1]
    folder = Path(name).expanduser()
    is_hub_name = (
        name.count("/") == 1 and not name.startswith((".", "/", "~")) and not name.endswith("/")
    )
    if "/" not in name or (is_hub_name and not folder.is_dir()):
        shipped = CHAPTER_FOLDERS[0] / "tiny"
        others = [
            chapter / own.name
            for chapter in CHAPTER_FOLDERS
            if (chapter / own.name).resolve() != own.resolve()
        ]
        if name == "tiny" and shipped in others and not missing_files(shipped):
            # each time, as a new version of the repository may bring new weights
            return _link_checkpoint(shipped, own)
        for candidate in (own, *others):
            if not missing_files(candidate):
                _check_source(candidate, name)
                return candidate if candidate == own else _link_checkpoint(candidate, own)
    if folder.is_dir():
        missing = missing_files(folder)
        if missing:
            raise FileNotFoundError(
                f"{folder} is not a complete checkpoint: {', '.join(missing)} missing"
            )
        return folder
    if own.is_dir() and "/" not in name:
        raise FileNotFoundError(
            f"{own} is not a complete checkpoint: {', '.join(missing_files(own))} missing"
        )
    if is_hub_name:
        return _download(name, own)
    raise FileNotFoundError(
        f"no checkpoint {name!r}: give 'tiny', a folder with config.json and model.safetensors, "
        "or a Hub name such as 'Qwen/Qwen3-0.6B-Base'"
    )


def _check_source(folder: Path, name: str) -> None:
    """A Hub name means a folder that was downloaded under it, not any folder that happens to end in
    the same word.
    """
    note = folder / SOURCE_NOTE
    source = note.read_text(encoding="utf-8").strip() if note.is_file() else None
    if "/" in name and source != name:
        raise FileNotFoundError(
            f"there is no folder {name}, and {folder} was not downloaded from the Hub under this name"
            f"{f' but as {source}' if source else ''}; to use that one, give {folder.name!r}"
        )


def missing_files(folder: Path) -> list[str]:
    """What a folder lacks to be a whole checkpoint; an empty list means that it can be loaded."""
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    return missing + [file for file in _weight_files(folder) if not (folder / file).is_file()]


def _link_checkpoint(source: Path, target: Path) -> Path:
    """Give a chapter its own entry for files that another chapter has: hard links, or copies where
    links fail.
    """
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        entry = target / file.name
        if not file.is_file() or file.suffix == ".part" or _same_file(file, entry):
            continue
        part = target / f"{file.name}.{os.getpid()}.part"  # several processes may start at once
        part.unlink(missing_ok=True)
        try:
            with suppress(OSError):
                os.link(file, part)
            if not part.exists():
                shutil.copy2(file, part)
            part.replace(entry)  # put in place when it is whole
        except OSError:  # on Windows, when another process was first and reads the entry
            if not _same_file(file, entry):
                raise
        finally:
            # a link that is put in place of another link to the same file stays
            part.unlink(missing_ok=True)
    return target


def _same_file(source: Path, target: Path) -> bool:
    """Whether `target` is a link to `source`, or an unchanged copy of it (copies keep the time)."""
    if not target.is_file():
        return False
    one, other = source.stat(), target.stat()
    return source.samefile(target) or (one.st_size, one.st_mtime_ns) == (
        other.st_size,
        other.st_mtime_ns,
    )


def _download(name: str, target: Path) -> Path:
    """Fetch the files that are needed. A connection that breaks is resumed; files that arrived
    whole are kept.
    """
    wanted = [*FILES_NEEDED, *SHARD_FILES]
    try:
        snapshot_download(name, allow_patterns=wanted, local_dir=target)
        reason = "the Hub was not reached, or has no such file under this name"
    # the library lets through what its HTTP client raises, which differs by version
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no details'}"
    if not missing_files(target):
        (target / SOURCE_NOTE).write_text(name + "\n", encoding="utf-8")
        return target
    try:  # an earlier program may have left it in the cache that all Hugging Face libraries share
        shared = Path(snapshot_download(name, allow_patterns=wanted, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError):
        shared = target
    if not missing_files(shared):
        return shared
    raise ConnectionError(
        f"{name} could not be downloaded: {target} still lacks {', '.join(missing_files(target))} ({reason}). "
        "Check the name and the network; files that arrived whole are kept for the next try"
    )


def _weight_files(folder: Path) -> list[str]:
    """Names of the files with the weights: one, or, where there is only an index of shards, those
    it names.
    """
    path = folder / INDEX_FILE
    if (folder / SINGLE_FILE).is_file() or not path.is_file():
        return [SINGLE_FILE]
    try:
        files = sorted(set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()))
        for file in files:
            if Path(file).name != file:
                raise ValueError(f"shard {file!r} is not a plain file name")
        return files
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} is not an index of shards ({error}); download it again") from None


def _open(path: Path, device: str = "cpu") -> safe_open:
    try:
        return safe_open(path, framework="pt", device=device)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing; download it again") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path} is damaged or incomplete ({error}); delete it and download it again"
        ) from None


def _stored_dtype(config: Qwen3Config, folder: Path) -> torch.dtype:
    dtype = getattr(torch, config.dtype, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise ValueError(
            f"{folder / 'config.json'}: dtype {config.dtype!r} is not a floating-point type of PyTorch"
        )
    return dtype


def _checkpoint_name(name: str) -> str:
    """The checkpoint's name of a parameter of ours."""
    return name if name.startswith("lm_head.") else PREFIX + name


def _load_weights(
    model: Qwen3Model, folder: Path, device: torch.device, dtype: torch.dtype
) -> None:
    """Replace the empty parameters by the checkpoint's tensors."""
    files = _weight_files(folder)
    expected = {
        _checkpoint_name(name): parameter.shape for name, parameter in model.named_parameters()
    }
    where: dict[str, str] = {}
    for file in files:
        with _open(folder / file) as tensors:
            for name in sorted(tensors.keys()):
                shape = tuple(tensors.get_slice(name).get_shape())
                if name in expected and shape != tuple(expected[name]):
                    raise ValueError(
                        f"{folder / file}: {name} has shape {shape}, the config says {tuple(expected[name])}"
                    )
                where[name] = file
    tied_copy = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    missing, unknown = expected.keys() - where.keys(), where.keys() - expected.keys() - tied_copy
    if missing:
        raise ValueError(f"{folder}: {_first(missing)} missing from {', '.join(files)}")
    if unknown:
        raise ValueError(
            f"{folder}: {_first(unknown)} in the file, but a dense Qwen3 has no such tensor"
        )

    parameters = {}
    for file in files:
        with _open(folder / file, str(device)) as tensors:
            for name in expected.keys() & tensors.keys():
                parameters[name.removeprefix(PREFIX)] = tensors.get_tensor(name).to(dtype)
    model.load_state_dict(parameters, strict=False, assign=True)
    if model.config.tie_word_embeddings:
        model.lm_head.weight = model.embed_tokens.weight


def _first(names: set[str]) -> str:
    """`tensor a`, or `tensor a and 3 more`."""
    first, *rest = sorted(names)
    return f"tensor {first}" + (f" and {len(rest)} more" if rest else "")
