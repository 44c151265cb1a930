"""Tokenizer: text becomes token ids, and ids become text again.

A model reads numbers, so a text is cut into pieces that have a number each. The pieces are found by
byte-pair encoding. A word starts as single characters (in Qwen3: bytes), and the pair of
neighbours that training merged first becomes one piece, again and again.

The idea, with three merges instead of 150,000:

>>> ranks = {("l", "o"): 0, ("lo", "w"): 1, ("e", "r"): 2}
>>> pieces = list("lower")
>>> while known := [pair for pair in zip(pieces, pieces[1:]) if pair in ranks]:
...     first, second = min(known, key=ranks.get)
...     at = list(zip(pieces, pieces[1:])).index((first, second))
...     pieces[at : at + 2] = [first + second]
...     print(pieces)
['lo', 'w', 'e', 'r']
['low', 'e', 'r']
['low', 'er']

- `byte_pair_encoding.py`: the idea on one screen, with a checkpoint's own merges; read it first
- `qwen3_tokenizer.py`: the tokenizer that the chapters use, with the same ids, and conversations
- `chat_format.py`: how a conversation becomes one text, in Qwen3's own format
- `chat_template.py`: the same in the format that a checkpoint brings along
- `main.py`: merging, cutting, control tokens and conversations at work
"""

from Appendixes.QWEN3Tokenizer.byte_pair_encoding import BytePairEncoder
from Appendixes.QWEN3Tokenizer.qwen3_tokenizer import Qwen3Tokenizer

__all__ = ["BytePairEncoder", "Qwen3Tokenizer"]
