"""Measure how much memory loading takes, in units of the file's size.

    python tests/measurements/measure_loading.py --shape 0.6B

A checkpoint with random bfloat16 weights is written to a temporary folder and loaded in a fresh
process, which reports its peak resident memory (VmHWM: Linux only) after the imports, after
loading, and after reading every weight once; `process_bytes` is the last, Python and PyTorch
included. Weights are mapped from the file, so they take memory
only when they are read. PyTorch's own code for the "meta" device (some 80 MB at its first use,
unless an import loads it) counts in the ratio after loading, not in that after reading."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SHAPES = {
    "300MB": {"vocab_size": 60_000, "num_hidden_layers": 6},
    "0.6B": {},  # the defaults of Qwen3Config
}
LOAD = """
import json, sys
from pathlib import Path
import torch
from Appendixes.QWEN3Model import load_qwen3

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

imported = peak()
torch.nn.Linear(1, 1, device="meta")
warm = peak()
model, _ = load_qwen3(sys.argv[1], device="cpu")
loaded = peak()
for parameter in model.parameters():
    parameter.view(torch.int16).amax()  # every byte must now be in memory
print(json.dumps({"imported": imported, "loaded": loaded, "read": peak(), "warm": warm}))
"""


def main() -> None:
    """Write a checkpoint, load it in a fresh process, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="0.6B")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(Path(folder), SHAPES[arguments.shape])
        print(json.dumps(measure(Path(folder))))


def write_checkpoint(folder: Path, shape: dict) -> None:
    """Write a checkpoint of random bfloat16 weights."""
    import torch
    from tokenizers import Tokenizer, models

    from Appendixes.QWEN3Model import Qwen3Config, Qwen3Model, save_qwen3

    with torch.device("meta"):
        model = Qwen3Model(Qwen3Config(**shape)).bfloat16()
    model.to_empty(device="cpu")
    if model.config.tie_word_embeddings:
        model.lm_head.weight = model.embed_tokens.weight
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data.normal_(std=0.02, generator=generator)
    save_qwen3(model, folder)
    Tokenizer(models.BPE({"a": 0}, [])).save(str(folder / "tokenizer.json"))


def measure(folder: Path) -> dict:
    """Return the peak memory beyond that of the imports, in units of the file's size."""
    size = (folder / "model.safetensors").stat().st_size
    done = subprocess.run(
        [sys.executable, "-c", LOAD, folder], capture_output=True, text=True, check=True
    )
    peaks = json.loads(done.stdout)
    return {
        "file_bytes": size,
        "ratio_after_loading": round((peaks["loaded"] - peaks["imported"]) / size, 3),
        "ratio_after_reading_all_weights": round((peaks["read"] - peaks["warm"]) / size, 3),
        "process_bytes": peaks["read"],
    }


if __name__ == "__main__":
    main()
