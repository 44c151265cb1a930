"""Byte-pair encoding on one screen (Sennrich et al., 2016, https://arxiv.org/abs/1508.07909).

- a regular expression of the checkpoint cuts a text into words; no token crosses a cut
- a word starts as its bytes, so every text has tokens
- again and again, the two neighbours with the lowest rank become one piece; a pair's rank says when
  training merged it, and pairs that training never merged stay apart
- the ids are those of the `tokenizers` library; only added tokens, such as `<|im_end|>`, are
  ordinary text here
"""

import math
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

from Appendixes.command_line import read_json

# A vocabulary writes each byte as one printable character (GPT-2; Radford et al., 2019): those that
# Latin-1 can print as themselves, the others as U+0100, U+0101, ... A space becomes "Ġ".
_PRINTABLE = {*range(33, 127), *range(161, 173), *range(174, 256)}
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]
CHARACTER_OF_BYTE = [
    chr(byte if byte in _PRINTABLE else 256 + _OTHERS.index(byte)) for byte in range(256)
]


class BytePairEncoder:
    """A vocabulary with the ranks of its merges, read from a checkpoint's `tokenizer.json`.

    Attributes:
        ids: the id of each token, which is written in `CHARACTER_OF_BYTE`.
        ranks: the place of each pair of tokens in the list of merges.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file holds no byte-pair encoding in Qwen3's form.

    >>> tiny = Path(__file__).parents[2] / "CH2" / "qwen3" / "tiny"
    >>> encoder = BytePairEncoder(tiny / "tokenizer.json")
    >>> [" ".join(pieces) for pieces in encoder.merge_steps(" the")]
    ['Ġ t h e', 'Ġt h e', 'Ġt he', 'Ġthe']
    """

    def __init__(self, path: str | Path):
        settings = read_json(path)
        try:
            model = settings["model"]
            self.ids: dict[str, int] = model["vocab"]
            # older files write a pair as one text, "Ġ t"
            pairs = (p.split(" ") if isinstance(p, str) else p for p in model["merges"])
            self.ranks = {(first, second): rank for rank, (first, second) in enumerate(pairs)}
            pattern = settings["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} holds no byte-pair encoding in Qwen3's form ({error!r})"
            ) from None
        self.splitter = Split(Regex(pattern), behavior="isolated")

    def encode(self, text: str) -> list[int]:
        """Turn a text into token ids."""
        words = self.splitter.pre_tokenize_str(unicodedata.normalize("NFC", text))
        return [self.ids[piece] for word, _ in words for piece in [*self.merge_steps(word)][-1]]

    def merge_steps(self, word: str) -> Iterator[list[str]]:
        """Yield the pieces that a word consists of: its bytes, then those after each merge."""
        pieces = [CHARACTER_OF_BYTE[byte] for byte in word.encode()]
        yield pieces
        while len(pieces) > 1:
            pairs = zip(pieces[:-1], pieces[1:], strict=True)
            ranks = [self.ranks.get(pair, math.inf) for pair in pairs]
            at = ranks.index(min(ranks))
            if ranks[at] == math.inf:
                return
            pieces = [*pieces[:at], pieces[at] + pieces[at + 1], *pieces[at + 2 :]]
            yield pieces
