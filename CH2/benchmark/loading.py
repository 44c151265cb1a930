"""Time from a checkpoint on disk to the first token, in a process that does nothing else.

    python -m CH2.benchmark.loading ours FOLDER

The benchmark starts this command for each measurement; libraries are imported when the clock runs.
"""

import argparse
import json
import time

from Appendixes.command_line import run_main

PROMPT = [1, 2, 3, 4, 5, 6, 7, 8]


def first_token_ours(folder: str, device: str, rung: str | None = None) -> tuple[float, int]:
    """Load with `load_qwen3` and write a token with `generate`.

    Args:
        folder: of the checkpoint.
        device: "cpu" or "cuda".
        rung: name of a rung of the ladder that prepares the loaded model; None: none does.

    Returns:
        The time at which loading began, after the imports; and the token.
    """
    import torch

    from Appendixes.QWEN3Model import load_qwen3
    from CH2.generation import generate

    if rung is not None:
        from CH2.speed_ladder import find_rung

    began = time.perf_counter()
    model, _ = load_qwen3(folder, device=device)
    if rung is not None:
        model = find_rung(rung).prepare(model)
    return began, next(generate(model, torch.tensor([PROMPT]), 1))


def first_token_transformers(folder: str, device: str) -> tuple[float, int]:
    """Load with `from_pretrained` and write a token, as `first_token_ours`.

    No tokenizer is loaded, which is to its advantage.
    """
    import torch
    from transformers import AutoModelForCausalLM, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    began = time.perf_counter()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").to(device)
    input_ids = torch.tensor([PROMPT], device=device)
    written = model.generate(input_ids, do_sample=False, max_new_tokens=1)
    return began, int(written[0, -1])


def main() -> None:
    """Print seconds to the first token as JSON: `load` after the imports, `all` with them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", choices=("ours", "transformers"))
    parser.add_argument("folder")
    parser.add_argument("--rung", help="of the speed ladder; ours only")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    started = time.perf_counter()
    if arguments.library == "ours":
        began, _ = first_token_ours(arguments.folder, arguments.device, arguments.rung)
    else:
        began, _ = first_token_transformers(arguments.folder, arguments.device)
    ended = time.perf_counter()  # the token is on the host: a GPU has nothing left to do
    print(json.dumps({"load": ended - began, "all": ended - started}))


if __name__ == "__main__":
    run_main(main)
