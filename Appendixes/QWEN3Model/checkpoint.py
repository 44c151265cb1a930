"""Find, download, load and save checkpoints.

- a checkpoint is a Hugging Face folder: `config.json`, `tokenizer.json`, `model.safetensors` or
  shards with an index
- safetensors only: a pickle can run code when it is opened
- the model is built without memory, and each tensor of the file becomes a parameter as it is, so
  loading holds the weights once; nothing is loaded before all names and shapes were checked
- a parameter's name in the file is its name in the model with `model.` before it, but for the
  output layer's
- a file that is cut off, or has a broken header, is refused; a changed byte among the weights is
  not noticed (the file's page on the Hub has its SHA-256)
- checkpoints of another kind are refused by the name of their kind, with what to take instead
"""

import errno
import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
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
SMALL_FILES = ["generation_config.json", "tokenizer_config.json", "chat_template.jinja"]
# A file that is missing, files that are there instead, what they are, and what to do.
OTHER_KINDS = (
    (
        SINGLE_FILE,
        "*.gguf",
        "GGUF files, which llama.cpp reads: take the repository without GGUF in its name",
    ),
    (
        SINGLE_FILE,
        "adapter_*",
        "a LoRA adapter: take its base model, or merge both with peft (`merge_and_unload`) and "
        "save the result",
    ),
    (
        SINGLE_FILE,
        "*.safetensors",
        f"weights under other names: name a single file {SINGLE_FILE}; several need {INDEX_FILE}",
    ),
    (
        SINGLE_FILE,
        "*.bin",
        "pickled weights, which can run code when they are opened: take a repository with "
        "safetensors, or, if you trust them, open them with transformers and `save_pretrained`",
    ),
    (
        "tokenizer.json",
        "vocab.json",
        "a tokenizer in older files: open it with transformers' AutoTokenizer and "
        "`save_pretrained`, which writes tokenizer.json",
    ),
    (
        "tokenizer.json",
        "*.safetensors",
        "weights alone: copy tokenizer.json and tokenizer_config.json from the model that it was "
        "made of",
    ),
)
# What the Hub may answer, and what to do.
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
HUB_ERRORS: dict[type[Exception], str] = {
    GatedRepoError: f"access to it is restricted: ask for it on its page, then {LOG_IN}",
    RepositoryNotFoundError: "the Hub has no such repository, or it is private: check the name; "
    f"for a private one, {LOG_IN}",
    Exception: "check the name and the network; files that arrived whole are kept for the next try",
}
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)
SOURCE_NOTE = ".hub_name"  # file in a downloaded folder that holds its name on the Hub
PREFIX = "model."  # begins the name of each tensor in a checkpoint, but for the output layer's
TABLE, HEAD = "embed_tokens.weight", "lm_head.weight"
LFS_POINTER = b"version https://git-lfs"  # begins a file whose content Git has not fetched
# Types of weights, by the names that safetensors has for them; all others are quantised.
DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16, "F64": torch.float64}
# a plain name, or one on the Hub; a path of Windows is neither
NAME = re.compile(r"[^/\\:]+|[^./~\\:][^/\\:]*/[^/\\:]+")
NAMES_EXPECTED = (
    "give 'tiny', 'tiny-thinking', a folder with config.json, tokenizer.json and "
    "model.safetensors, or a Hub name such as 'Qwen/Qwen3-0.6B-Base'"
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
            found on disk from then on. A `Path` is always a folder, and a folder that is there
            comes before a name.
        device: device of the weights; None means `cuda` if there is one, else `cpu`. On a GPU the
            model is slow until it is compiled (`CH2.compilation.compile_model`); the shipped ones,
            whose kernels are too short for a GPU, are faster on `"cpu"` until then.
        dtype: type of the weights: `torch.float32`, `bfloat16`, `float16` or `float64`; None means
            the type that config.json names or, where it names none, that they have in the file.
        local_dir: the folder that holds checkpoints as sub-folders; None means the repository's
            `CH2/qwen3`. A checkpoint in another chapter's folder is linked from there instead of
            downloaded again.

    Returns:
        The model, in evaluation mode, and its tokenizer. Where config.json says that the output
        layer is the embedding, but the file holds another one, the file's is used.

    Raises:
        FileNotFoundError: no such folder, or a file is missing from the checkpoint.
        ValueError: a file is cut off or its header damaged, a tensor is missing or has the wrong
            shape, the model is of another kind, or the device or the dtype cannot be used.
        ConnectionError: the checkpoint is not on disk, and the Hub does not know it, does not give
            it or cannot be reached.
        OSError: a file cannot be read or written.
    """
    device = _usable_device(device)
    if dtype is not None and dtype not in DTYPES.values():
        raise ValueError(
            f"dtype is {dtype!r}: expected one of {', '.join(map(str, DTYPES.values()))}, or None"
        )
    folder = find_checkpoint(name_or_path, local_dir)
    config = Qwen3Config.from_json(folder)
    tokenizer = Qwen3Tokenizer.from_file(folder)
    if tokenizer.vocab_size > config.vocab_size:
        raise ValueError(
            f"{folder}: the tokenizer has {tokenizer.vocab_size} tokens, "
            f"the model only {config.vocab_size}"
        )
    with torch.device("meta"):  # names and shapes, no memory
        model = Qwen3Model(config)
    _load_weights(model, folder, device, dtype)
    return model.eval().requires_grad_(False), tokenizer


def _usable_device(device: str | torch.device | None) -> torch.device:
    """Return a device that can hold weights here; None: a GPU if there is one."""
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        usable = torch.device(device)
    except (RuntimeError, TypeError):  # which lists all devices that any PyTorch knows
        usable = None
    if usable is None or usable.type == "meta":  # "meta" holds shapes, but no weights
        raise ValueError(
            f"device is {device!r}: expected 'cpu', 'cuda' (an NVIDIA GPU), 'mps' (an Apple GPU), "
            "or None for a GPU if there is one"
        )
    try:
        torch.empty(0, device=usable)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {device!r} cannot be used here: {first_line(error)}") from None
    return usable


def save_qwen3(model: Qwen3Model, folder: str | Path, **config_entries: Any) -> None:
    """Write `config.json` and `model.safetensors`, for `load_qwen3` and `transformers` to open.

    Each file appears whole or not at all: an interruption leaves the old one.

    Args:
        model: the model, whose weights are stored in their own dtype.
        folder: the folder, which is made if missing. The caller adds `tokenizer.json`, and
            `tokenizer_config.json` where there is one.
        config_entries: more entries of `config.json`. Unless `tokenizer_config.json` names the
            token that ends a text, `eos_token_id` has to, or no text ends by itself.

    Raises:
        ValueError: the model has other tensors than its config says, because its weights were
            joined, packed or untied.
        OSError: a file cannot be written.
    """
    folder = Path(folder)
    _check_parameters(model)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        _checkpoint_name(name): p.detach().cpu().contiguous()
        for name, p in model.named_parameters()
    }
    dtype = str(model.embed_tokens.weight.dtype).removeprefix("torch.")
    try:
        write_whole(
            folder / SINGLE_FILE, lambda part: save_file(tensors, part, metadata={"format": "pt"})
        )
    except SafetensorError as error:
        raise OSError(f"{folder / SINGLE_FILE} cannot be written: {error}") from None
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
    if folder.is_file():
        raise FileNotFoundError(f"{name} is a file: give the folder of the checkpoint")
    # 1. A folder that exists. One with a plain name, such as "tiny", must hold a checkpoint.
    is_path = isinstance(name_or_path, Path) or "/" in name
    if (is_path and folder.is_dir()) or (folder / "config.json").is_file():
        return _complete(folder)
    if isinstance(name_or_path, Path) or not NAME.fullmatch(name):
        raise FileNotFoundError(
            f"no checkpoint {name!r}: there is no such folder; {NAMES_EXPECTED}"
        )
    # 2. A checkpoint in a chapter's folder, under its name or the last part of its Hub name.
    home = Path(local_dir) if local_dir is not None else CHAPTER_FOLDERS[0]
    own = home / name.split("/")[-1]
    found = _find_in_chapters(name, own)
    if found is not None:
        return found
    # 3. A name on the Hub.
    if "/" in name:
        return _download(name, own)
    # 4. Neither: the error that says what is missing.
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
        files = [file.name for file in folder.iterdir()]
        raise FileNotFoundError(
            f"{folder} is not a complete checkpoint: {_describe(missing, files)}"
        )
    return folder


def _describe(missing: list[str], present: Iterable[str]) -> str:
    """Say which files are missing, and what is there instead, by `OTHER_KINDS`."""
    said = f"{', '.join(missing)} missing"
    for needed, pattern, kind in OTHER_KINDS:
        if needed in missing and any(fnmatch(file, pattern) for file in present):
            return f"{said}; it has {kind}"
    return said


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
        lacks = _fetch(name, target)
        failure: OSError = FileNotFoundError(
            f"{name} on the Hub is not a checkpoint for this code: {lacks}"
        )
    # the library lets through what its HTTP client raises, which differs by version
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise OSError(error.errno, error.strerror, error.filename or str(target)) from None
        advice = next(advice for kind, advice in HUB_ERRORS.items() if isinstance(error, kind))
        failure = ConnectionError(
            f"{name} could not be downloaded from https://huggingface.co/{name}: {advice}; or copy "
            f"its config.json, tokenizer.json and weights to {target.resolve()}, and give the name "
            f"{target.name!r} ({type(error).__name__}: {first_line(error)})"
        )
    if not missing_files(target):
        (target / SOURCE_NOTE).write_text(name + "\n", encoding="utf-8")
        return target
    # 2. Look in the cache that all Hugging Face libraries share.
    with suppress(LocalEntryNotFoundError, ValueError):
        shared = snapshot_download(name, local_files_only=True)
        if not missing_files(Path(shared)):
            return Path(shared)
    raise failure


def _fetch(name: str, target: Path) -> str:
    """Fetch a checkpoint's files, if the repository has all; say what it lacks.

    One file after the other: the library's threads would finish theirs before they let Ctrl-C end
    the program, which may take hours.
    """
    # 1. Look at the list of files before the first is fetched.
    info = HfApi().model_info(name, revision="main")
    present = {entry.rfilename for entry in info.siblings or [] if "/" not in entry.rfilename}
    sharded = INDEX_FILE in present and SINGLE_FILE not in present
    needed = ["config.json", "tokenizer.json", INDEX_FILE if sharded else SINGLE_FILE]
    if missing := [file for file in needed if file not in present]:
        return _describe(missing, present)
    # 2. Fetch the small ones, the weights, and the shards that an index names.
    fetch = partial(hf_hub_download, name, revision=info.sha, local_dir=target)
    for file in [*(file for file in SMALL_FILES if file in present), *needed]:
        fetch(file)
    for file in missing_files(target):
        if file in present:
            fetch(file)
    return _describe(missing_files(target), present)


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
    with path.open("rb") as file:  # fails by itself, with the path, where that is not allowed
        if file.read(len(LFS_POINTER)) == LFS_POINTER:
            raise ValueError(
                f"{path} is a pointer of Git LFS, not the file: run `git lfs pull` in its folder"
            )
    try:
        return safe_open(path, framework="pt", device=device)
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged or incomplete, or of a newer kind ({error}); if its size differs "
            "from the one on the Hub, delete it and download it again"
        ) from None
    except OSError as error:
        raise OSError(f"{path} cannot be read: {error}") from None


def _checkpoint_name(name: str, prefix: str = PREFIX) -> str:
    """Return the name that a parameter of the model has in a checkpoint."""
    return prefix.removesuffix(PREFIX) + name if name == HEAD else prefix + name


class Stored(NamedTuple):
    """A tensor in a file: the file's name, the shape, and the type, as safetensors names it."""

    file: str
    shape: tuple[int, ...]
    dtype: str


def _read_headers(folder: Path, files: list[str]) -> dict[str, Stored]:
    """Read names, shapes and types of all tensors; refuse types that are no weights' own."""
    stored: dict[str, Stored] = {}
    for file in files:
        with _open(folder / file) as tensors:
            for name in sorted(tensors.keys()):
                header = tensors.get_slice(name)
                stored[name] = Stored(file, tuple(header.get_shape()), header.get_dtype())
                if stored[name].dtype not in DTYPES:
                    raise ValueError(
                        f"{folder / file}: {name} has type {stored[name].dtype}, so the weights "
                        "are quantised: take the repository with 16 bits per weight"
                    )
    return stored


def _load_weights(
    model: Qwen3Model, folder: Path, device: torch.device, dtype: torch.dtype | None
) -> None:
    """Replace the empty parameters by the checkpoint's tensors."""
    config = model.config
    # 1. Read the names of all tensors, and what stands before them: `model.` in most files.
    files = _weight_files(folder)
    stored = _read_headers(folder, files)
    prefixes = [name.removesuffix(TABLE) for name in stored if name.endswith(TABLE)]
    prefix = prefixes[0] if len(prefixes) == 1 else PREFIX
    names = {_checkpoint_name(name, prefix): name for name in model.state_dict()}
    # 2. Refuse a checkpoint with other tensors than the model's.
    may_lack = {_checkpoint_name(HEAD, prefix)} if config.tie_word_embeddings else set()
    shapes = {name: tuple(model.get_parameter(names[name]).shape) for name in names}
    _check_tensors(stored, shapes, may_lack, folder, config)
    # 3. Load.
    if config.dtype == "auto":
        stored_dtype = DTYPES[stored[_checkpoint_name(TABLE, prefix)].dtype]
        config = replace(config, dtype=str(stored_dtype).removeprefix("torch."))
    dtype = dtype or _named_dtype(config, folder)
    parameters: dict[str, torch.Tensor] = {}
    for file in files:
        with _open(folder / file, "cpu" if device.type == "cpu" else str(device)) as tensors:
            for name in names.keys() & tensors.keys():
                parameters[names[name]] = tensors.get_tensor(name).to(dtype)
    # 4. A tied output layer is the embedding itself, unless the file holds another one.
    if config.tie_word_embeddings:
        table, head = parameters[TABLE], parameters.pop(HEAD, None)
        if head is not None and not torch.equal(head, table):
            config = replace(config, tie_word_embeddings=False)
            parameters[HEAD] = head
    model.load_state_dict(parameters, strict=False, assign=True)
    if config.tie_word_embeddings:
        model.lm_head.weight = model.embed_tokens.weight
    model.config = config


def _check_tensors(
    stored: dict[str, Stored],
    shapes: dict[str, tuple[int, ...]],
    may_lack: set[str],
    folder: Path,
    config: Qwen3Config,
) -> None:
    """Refuse files with other tensors or other shapes than the model has, and name them."""
    # older files store RoPE's angles, which are computed here
    unknown = {
        name for name in stored.keys() - shapes.keys() if not name.endswith("rotary_emb.inv_freq")
    }
    if missing := shapes.keys() - stored.keys() - may_lack:
        files = ", ".join(sorted({tensor.file for tensor in stored.values()}))
        instead = f", which has {_first(unknown)} instead" if unknown else ""
        raise ValueError(f"{folder}: {_first(missing)} missing from {files}{instead}")
    if unknown:
        raise ValueError(
            f"{folder}: {_first(unknown)} in the file, but a dense Qwen3 has no such tensor"
        )
    for name, tensor in stored.items():
        if tensor.shape != shapes.get(name, tensor.shape):
            raise ValueError(
                f"{folder / tensor.file}: {name} has shape {tensor.shape}, the config says "
                f"{shapes[name]}, with a head_dim of {config.head_dim}"
            )


def _named_dtype(config: Qwen3Config, folder: Path) -> torch.dtype:
    """Return the dtype that a config names."""
    dtype = getattr(torch, config.dtype, None)
    if not isinstance(dtype, torch.dtype) or dtype not in DTYPES.values():
        raise ValueError(
            f"{folder / 'config.json'}: dtype {config.dtype!r} is none of "
            f"{', '.join(map(str, DTYPES.values()))}"
        )
    return dtype


def _first(names: set[str]) -> str:
    """Name the first tensor and count the others: `tensor a`, or `tensor a and 3 more`."""
    first, *rest = sorted(names)
    return f"tensor {first}" + (f" and {len(rest)} more" if rest else "")
