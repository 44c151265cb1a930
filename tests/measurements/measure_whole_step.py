"""Measure what compiling a whole decoding step gives, beside one block that serves for all.

    python tests/measurements/measure_whole_step.py --bits 4

`compile_model` compiles one block, in seconds. Here the whole step is compiled as well, for one
buffer of keys and values. Both write a text on the same random weights, token by token in turns. At
16 bits a third way keeps plain matrices and writes their products as sums, so that they are
compiled, too. PyTorch keeps compiled code on disk, so a second run waits less for it.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import nn

from Appendixes.KVcache import KVCache, StepShape
from Appendixes.QWEN3Model import Qwen3Model
from CH2.benchmark.random_models import SHAPES, random_model
from CH2.compilation import compile_model, own_code
from CH2.fast import FORMS
from CH2.packed_weights import join_projections, pack_weights

PROMPT_TOKENS, CAPACITY = 65, 128  # the first step then has the second block
# nothing that the compiled step depends on changes here, but numbers in tensors
NO_CHECKS = {"guard_filter_fn": lambda checks: [False] * len(checks)}


class SummedLinear(nn.Module):
    """A linear layer whose product with one vector is written as a sum over products.

    Args:
        weight: `(out_features, in_features)`.
    """

    def __init__(self, weight: torch.Tensor):
        super().__init__()
        self.weight = weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute `x @ weight.T` for `x (1, seq, in_features)`."""
        if x.shape[1] > 1:
            return nn.functional.linear(x, self.weight)
        return (self.weight.float() * x.float()[0]).sum(dim=-1).to(x.dtype)[None, None]


def with_summed_products(model: Qwen3Model) -> Qwen3Model:
    """Replace the linear layers of a joined model by `SummedLinear`, in place; return the model."""
    for module in list(model.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.Linear):
                setattr(module, name, SummedLinear(layer.weight))
    return model


class Text:
    """A text that grows by a token at each call.

    Args:
        model: writes it.
        whole: True compiles the whole step; False calls the model as it is.
    """

    def __init__(self, model: Qwen3Model, whole: bool):
        self.model, self.cache, self.tokens = model, KVCache(CAPACITY), [0] * PROMPT_TOKENS
        model(torch.tensor([self.tokens[:-1]]), cache=self.cache)
        self.step = self._whole if whole else self._as_it_is
        self.compiled = torch.compile(own_code(_layers), dynamic=False, options=NO_CHECKS)

    def __call__(self) -> None:
        """Read the newest token, and append the most likely next one."""
        logits = self.step(torch.tensor([self.tokens[-1:]]))
        self.tokens.append(int(logits[0, -1].argmax()))

    def _as_it_is(self, ids: torch.Tensor) -> torch.Tensor:
        return self.model(ids, cache=self.cache)

    def _whole(self, ids: torch.Tensor) -> torch.Tensor:
        shape = self.cache.step_shape()
        assert shape is not None
        logits = self.compiled(self.model, self.cache, shape, ids)
        self.cache.advance(1)
        return logits


def _layers(model: Qwen3Model, cache: KVCache, shape: StepShape, ids: torch.Tensor) -> torch.Tensor:
    """Run a step of one token: the function that is compiled as a whole."""
    extension = cache.extend_places(shape)
    return model.run_layers(ids, extension.positions, None, extension)


def seconds_of(function: Callable[[], None]) -> float:
    """Return the seconds of a call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


@torch.no_grad()
def main() -> None:
    """Print a line per way to compile."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="0.6B")
    parser.add_argument("--bits", type=int, choices=FORMS, default=4)
    parser.add_argument("--tokens", type=int, default=50, help="that each way writes (at most 60)")
    arguments = parser.parse_args()
    if not 1 <= arguments.tokens <= 60:
        parser.error(f"--tokens is {arguments.tokens}: choose 1 to 60")
    # 1. The ways, each with a text of its own.
    joined = join_projections(random_model(arguments.shape))
    packed = pack_weights(joined, FORMS[arguments.bits])
    texts = {
        "one block": Text(compile_model(packed), whole=False),
        "whole step": Text(packed, whole=True),
    }
    if arguments.bits == 16:
        texts["whole step, products as sums"] = Text(with_summed_products(joined), whole=True)
    # 2. The first two tokens wait for the compiler; the others are timed.
    waited = {name: seconds_of(text) + seconds_of(text) for name, text in texts.items()}
    seconds: dict[str, list[float]] = {name: [] for name in texts}
    for _ in range(arguments.tokens):
        for name, text in texts.items():
            seconds[name].append(seconds_of(text))
    # 3. Beside the first.
    first = median(seconds["one block"])
    print(f"{arguments.shape}, {arguments.bits} bits, {torch.get_num_threads()} threads")
    for name, text in texts.items():
        speed, gain = 1 / median(seconds[name]), first / median(seconds[name])
        same = [
            token == other
            for token, other in zip(text.tokens, texts["one block"].tokens, strict=True)
        ][PROMPT_TOKENS:]
        print(
            f"{name:28s} {speed:5.1f} tokens/s, {gain:.2f} x; first two tokens "
            f"{waited[name]:.0f} s; {sum(same)} tokens of {len(same)} the same"
        )


if __name__ == "__main__":
    main()
