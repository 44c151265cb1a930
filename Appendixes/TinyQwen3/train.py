"""Train a tiny checkpoint on a CPU or a GPU; the same command goes on after an interruption.

    python -m Appendixes.TinyQwen3.train                     as the weights of tiny were made
    python -m Appendixes.TinyQwen3.train --start "" --steps 300    a quick look, from random weights
    python -m Appendixes.TinyQwen3.train --world countdown   as those of tiny-thinking were made
    python -m CH3.evaluation --model build/tiny              how often the result is right

- both shipped models start from the first edition of tiny, which is taken from the repository's
  history (a training from random weights, on the problems of that time: this command at its commit)
- the loss is on solutions only, never on questions
- matrices are trained by Muon (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/),
  the embedding and the norms by AdamW (Loshchilov and Hutter, 2019); the learning rate warms up,
  stays, and falls linearly to zero
- a batch depends on the seed and its number alone, and the state is saved whole, so one sitting or
  many give the same weights, on the same kind of processor with the same number of threads (they
  decide the order of sums)
"""

import argparse
import platform
import subprocess
import time
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from math import prod
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from tqdm import tqdm

from Appendixes.command_line import BUILD, run_main, write_json, write_whole
from Appendixes.demonstration import save_figure
from Appendixes.figure_style import BLUE, RED, new_picture
from Appendixes.QWEN3Model import (
    Qwen3Config,
    Qwen3Model,
    find_checkpoint,
    load_qwen3,
    save_qwen3,
)
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from Appendixes.TinyQwen3.countdown import countdown_document
from Appendixes.TinyQwen3.data import IGNORED, arithmetic_document, training_batch
from Appendixes.TinyQwen3.tokenizer import VOCAB_SIZE, save_tokenizer, train_tokenizer

SHAPE = Qwen3Config(
    vocab_size=VOCAB_SIZE,
    hidden_size=160,
    intermediate_size=448,
    num_hidden_layers=5,
    num_attention_heads=6,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=1024,
    rope_theta=10_000.0,
)
SHAPES = {"arithmetic": SHAPE, "countdown": replace(SHAPE, max_position_embeddings=1152)}


@dataclass(frozen=True)
class Recipe:
    """The settings of a training, on which its weights depend."""

    seed: int = 0
    steps: int = 4400
    rows: int = 32  # rows per batch
    length: int = 256  # tokens per row
    direct_share: float = 0.5  # share of problems that are shown with their answer alone
    matrix_rate: float = 0.015  # Muon's peak learning rate
    other_rate: float = 0.003  # AdamW's peak learning rate
    warm_up: int = 100  # steps in which the learning rate rises to its peak
    decay_share: float = 0.6  # share of the steps, at the end, in which it falls to zero
    pause_at: int = 0  # the step from which the learning rate stays where it is
    pause: int = 0  # number of steps for which it stays there; then its course goes on
    world: str = "arithmetic"  # what documents are drawn from: `WORLDS`
    start: str = ""  # checkpoint whose weights it starts from; none: random weights
    long_share: float = (
        0.0  # share of the steps, at the end, with a third of the rows, thrice as long
    )

    def rate(self, step: int) -> float:
        """Compute the learning rate of a step, as a share of its peak."""
        steps = self.steps - self.pause
        moment = step - min(max(0, step - self.pause_at), self.pause)
        return min(1.0, (moment + 1) / self.warm_up, (steps - moment) / (self.decay_share * steps))

    def size(self, step: int) -> tuple[int, int]:
        """Return rows and tokens per row of a step's batch."""
        stretch = 3 if step >= (1 - self.long_share) * self.steps else 1
        return self.rows // stretch, self.length * stretch


WORLDS = {"arithmetic": arithmetic_document, "countdown": countdown_document}
FIRST_EDITION, FIRST_EDITION_COMMIT = "build/tiny-first-edition", "cd4d754"
RECIPES = {
    "arithmetic": Recipe(
        start=FIRST_EDITION,
        seed=2,
        steps=2500,
        rows=26,
        length=320,
        direct_share=0.35,
        matrix_rate=0.012,
        other_rate=0.0024,
    ),
    "countdown": Recipe(
        world="countdown",
        start=FIRST_EDITION,
        steps=2750,
        rows=9,
        length=384,
        direct_share=0.15,
        warm_up=50,
        pause_at=598,
        pause=1250,
        long_share=0.388,
    ),
}


class Trainer:
    """A training: the model, its optimisers and its history, which are kept on disk.

    Args:
        recipe: the settings.
        folder: folder of the state and the checkpoint; a state that is there is continued.
        shape: the shape of the model.
        device: `cpu` or `cuda`.
        compiled: let `torch.compile` fuse the step, which takes a minute or two at the start.

    Raises:
        ValueError: the folder holds the state of another recipe.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path,
        shape: Qwen3Config = SHAPE,
        device: str = "cpu",
        compiled: bool = True,
    ):
        self.recipe, self.folder, self.device = recipe, folder, device
        if not (folder / "tokenizer.json").is_file():
            save_tokenizer(
                _tokenizer(recipe.start),
                folder,
                context=shape.max_position_embeddings,
                chat=recipe.world == "countdown",
            )
        self.tokenizer = Qwen3Tokenizer.from_file(folder)
        torch.manual_seed(recipe.seed)
        self.model = Qwen3Model(shape)
        self.start_sha256 = ""
        if recipe.start:
            weights = find_checkpoint(recipe.start) / "model.safetensors"
            self.start_sha256 = sha256(weights.read_bytes()).hexdigest()
            self.model.load_state_dict(load_qwen3(recipe.start, device="cpu")[0].state_dict())
        self.model.to(device)
        matrices = [p for p in self.model.layers.parameters() if p.dim() == 2]
        others = [p for p in self.model.parameters() if not any(p is matrix for matrix in matrices)]
        self.optimisers = [
            torch.optim.Muon(
                matrices, lr=recipe.matrix_rate, weight_decay=0.01, adjust_lr_fn="original"
            ),
            torch.optim.AdamW(others, lr=recipe.other_rate, betas=(0.9, 0.95), weight_decay=0.0),
        ]
        # one entry per step: loss, share of tokens that were predicted right, seconds
        self.history: list[dict] = []
        self.loss_and_hits = (
            torch.compile(self._loss_and_hits, dynamic=False) if compiled else self._loss_and_hits
        )
        if self.state_file.is_file():
            self._resume()

    @property
    def state_file(self) -> Path:
        """Path of the state from which an interrupted training goes on."""
        return self.folder / "training_state.pt"

    def step(self) -> dict:
        """Train on the next batch, and return its entry in the history."""
        # 1. Draw the batch, which depends on the seed and its number alone.
        started, number, recipe = time.perf_counter(), len(self.history), self.recipe
        batch = training_batch(
            recipe.seed,
            number,
            *recipe.size(number),
            self.tokenizer,
            direct_share=recipe.direct_share,
            draw=WORLDS[recipe.world],
        )
        # 2. Compute the gradients, with their norm at most one.
        tensors = (batch.input_ids, batch.labels, batch.positions, batch.mask())
        loss, hits = self.loss_and_hits(*(tensor.to(self.device) for tensor in tensors))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        # 3. Change the weights.
        for optimiser, peak in zip(
            self.optimisers, (recipe.matrix_rate, recipe.other_rate), strict=True
        ):
            optimiser.param_groups[0]["lr"] = peak * recipe.rate(number)
            optimiser.step()
            optimiser.zero_grad()
        entry = {
            "loss": loss.item(),
            "accuracy": hits.item(),
            "seconds": time.perf_counter() - started,
        }
        self.history.append(entry)
        return entry

    def _loss_and_hits(
        self,
        input_ids: torch.Tensor,
        labels: torch.Tensor,
        positions: torch.Tensor,
        mask: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss, and the share of learnt tokens that were predicted right."""
        # (rows * length, vocab)
        logits = self.model.run_layers(input_ids, positions, mask).flatten(0, 1).float()
        labels = labels.flatten()
        loss = F.cross_entropy(logits, labels, ignore_index=IGNORED)
        learnt = labels != IGNORED
        return loss, ((logits.argmax(dim=-1) == labels) & learnt).sum() / learnt.sum()

    def save_state(self) -> None:
        """Save the state that the next sitting goes on from, whole or not at all."""
        state = {
            "recipe": asdict(self.recipe),
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "history": self.history,
        }
        write_whole(self.state_file, lambda part: torch.save(state, part))

    def _resume(self) -> None:
        """Load the state of an interrupted training, if it is of the same recipe."""
        state = torch.load(self.state_file, map_location="cpu", weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise ValueError(
                f"{self.state_file} belongs to another recipe ({state['recipe']}); "
                "finish that one, or delete the file"
            )
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.history = state["history"]

    def save_checkpoint(self) -> None:
        """Write the weights as a Hugging Face folder, with a record of their training."""
        save_qwen3(
            self.model,
            self.folder,
            eos_token_id=list(self.tokenizer.stop_ids),
            pad_token_id=self.tokenizer.pad_id,
        )
        last = self.history[-100:]
        record = {
            **asdict(self.recipe),
            "start_sha256": self.start_sha256,
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "steps_done": len(self.history),
            "tokens": sum(prod(self.recipe.size(step)) for step in range(len(self.history))),
            "minutes": round(sum(entry["seconds"] for entry in self.history) / 60, 1),
            "machine": f"{platform.machine()}, {torch.get_num_threads()} threads"
            if self.device == "cpu"
            else torch.cuda.get_device_name(),
            "torch": torch.__version__,
            "last_100_steps": {
                name: sum(entry[name] for entry in last) / max(len(last), 1)
                for name in ("loss", "accuracy")
            },
        }
        write_json(self.folder / "training.json", record)


def fetch_first_edition(folder: Path, commit: str = FIRST_EDITION_COMMIT) -> None:
    """Take the first edition of `tiny` from the repository's history, unless the folder is there.

    Args:
        folder: the folder to make.
        commit: the commit that holds it.

    Raises:
        FileNotFoundError: git or that commit is not there, as in a shallow clone.
    """
    if folder.is_dir():
        return
    files = {}
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        command = ["git", "show", f"{commit}:CH2/qwen3/tiny/{name}"]
        try:
            files[name] = subprocess.run(
                command, cwd=BUILD.parent, capture_output=True, check=True
            ).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise FileNotFoundError(
                f"{' '.join(command)} failed: this training starts from the first edition of tiny, "
                'and needs the whole history of the repository; or give --start ""'
            ) from error
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _tokenizer(start: str) -> Tokenizer:
    """Load the tokenizer of the checkpoint that a training starts from, or train one."""
    if not start:
        return train_tokenizer()
    return Tokenizer.from_file(str(find_checkpoint(start) / "tokenizer.json"))


def plot_history(history: list[dict], path: Path) -> None:
    """Save a picture of loss and accuracy against steps, as means over fifty steps."""
    figure, axes = new_picture(
        "The loss falls as the solutions are learnt",
        "steps",
        "loss (nats per token); share of tokens right",
    )
    window = min(50, len(history))
    for name, style, colour in (("loss", "-", BLUE), ("accuracy", "--", RED)):
        values = torch.tensor([entry[name] for entry in history])
        smooth = values.unfold(0, window, max(1, window // 5)).mean(dim=1)
        steps = torch.arange(len(smooth)) * max(1, window // 5) + window
        axes.plot(steps, smooth, style, color=colour, label=name)
    axes.set_ylim(0, 1.5)
    axes.legend()
    save_figure(figure, path)


def main() -> None:
    """Train as the command line says, or go on with a training that was interrupted."""
    # 1. Read the command line; each setting of the recipe is an option.
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--world", choices=RECIPES, default="arithmetic")
    parser.add_argument(
        "--out", type=Path, help="folder of the state and the checkpoint; default: build/tiny"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--no-compile", action="store_true", help="do without torch.compile")
    parser.add_argument(
        "--minutes",
        type=float,
        default=float("inf"),
        help="stop after this long; run again to go on",
    )
    settings = {name: value for name, value in asdict(Recipe()).items() if name != "world"}
    for name, value in settings.items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(value))
    arguments = parser.parse_args()
    given = {name: getattr(arguments, name) for name in settings}
    recipe = replace(
        RECIPES[arguments.world], **{name: v for name, v in given.items() if v is not None}
    )
    out = (
        arguments.out or BUILD / {"arithmetic": "tiny", "countdown": "tiny-thinking"}[recipe.world]
    )
    out.mkdir(parents=True, exist_ok=True)
    if recipe.start == FIRST_EDITION:
        fetch_first_edition(Path(FIRST_EDITION))
    trainer = Trainer(
        recipe, out, SHAPES[recipe.world], arguments.device, compiled=not arguments.no_compile
    )
    # 2. Train, and save every two minutes.
    deadline = time.monotonic() + 60 * arguments.minutes
    progress = tqdm(total=recipe.steps, initial=len(trainer.history), unit="step", smoothing=0.05)
    last_saved = time.monotonic()
    while len(trainer.history) < recipe.steps and time.monotonic() < deadline:
        entry = trainer.step()
        progress.set_postfix(
            loss=f"{entry['loss']:.3f}", right=f"{entry['accuracy']:.1%}", refresh=False
        )
        progress.update()
        if time.monotonic() - last_saved > 120:
            trainer.save_state()
            trainer.save_checkpoint()
            last_saved = time.monotonic()
    progress.close()
    # 3. Save, and draw the history.
    trainer.save_state()
    trainer.save_checkpoint()
    plot_history(trainer.history, out / "training.png")


if __name__ == "__main__":
    run_main(main)
