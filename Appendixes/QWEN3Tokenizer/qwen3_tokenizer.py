"""The Qwen3 tokenizer: byte-level byte-pair encoding, added tokens, and conversations.

- the same as `byte_pair_encoding.py`, grown up: the `tokenizers` library reads the checkpoint's
  `tokenizer.json`, so ids are those of Hugging Face
- text is data: unless the caller allows it, `<|im_end|>` in a user's message is spelled out in
  ordinary tokens
- the checkpoint's own files say which ids end an answer
"""

import codecs
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import Tokenizer

from Appendixes.command_line import read_json
from Appendixes.QWEN3Tokenizer.byte_pair_encoding import CHARACTER_OF_BYTE

IM_START, IM_END = "<|im_start|>", "<|im_end|>"
ROLES = ("system", "user", "assistant")
BYTE_OF_CHARACTER = {character: byte for byte, character in enumerate(CHARACTER_OF_BYTE)}


class Qwen3Tokenizer:
    """A tokenizer that turns text into ids and back; `Qwen3Tokenizer.from_file` builds one.

    >>> tokenizer = Qwen3Tokenizer.from_file(Path(__file__).parents[2] / "CH2" / "qwen3" / "tiny")
    >>> tokenizer.decode(tokenizer.encode("What is 47 * 36?"))
    'What is 47 * 36?'
    >>> len(tokenizer.encode("<|im_end|>")), len(tokenizer.encode("<|im_end|>", allow_special=True))
    (8, 1)

    Attributes:
        stop_ids: ids that end an answer (`eos_token_id` of the checkpoint's files).
        pad_id: the id that fills up batches, or None.
        vocab_size: the largest id plus one.
    """

    def __init__(
        self, tokenizer: Tokenizer, stop_ids: tuple[int, ...] = (), pad_id: int | None = None
    ):
        self._tokenizer = tokenizer
        self.stop_ids = stop_ids
        self.pad_id = pad_id
        self.vocab_size = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1

    @classmethod
    def from_file(cls, path: str | Path) -> "Qwen3Tokenizer":
        """Read the tokenizer of a checkpoint.

        Args:
            path: a `tokenizer.json`, or the folder that holds one. `generation_config.json`,
                `config.json` and `tokenizer_config.json` beside it say which tokens end an answer.

        Raises:
            FileNotFoundError: there is no tokenizer.
            ValueError: a file is damaged.
        """
        path = Path(path)
        if path.is_dir():
            path = path / "tokenizer.json"
        if not path.is_file():
            raise FileNotFoundError(
                f"no tokenizer at {path}: a checkpoint folder needs a tokenizer.json"
            )
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain Exception, whatever is wrong
            raise ValueError(f"{path} is not a tokenizer ({error}); download it again") from None
        settings = _settings(path.parent / "tokenizer_config.json")
        stop_ids = _stop_ids(tokenizer, path.parent, settings)
        return cls(tokenizer, stop_ids, _token_id(tokenizer, settings.get("pad_token")))

    def encode(self, text: str, allow_special: bool = False) -> list[int]:
        """Turn a text into token ids.

        Args:
            text: any string.
            allow_special: read `<|im_start|>` and its like as the control tokens that they name.
                Leave it False for text that comes from a user or a model.

        Raises:
            TypeError: `text` is not a string.
            ValueError: it holds half of a surrogate pair, which is no character and has no UTF-8.
        """
        if not isinstance(text, str):
            raise TypeError(f"encode needs a string, not {type(text).__name__}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"the text is not valid Unicode at character {error.start}: {error.reason}"
            ) from None
        self._tokenizer.encode_special_tokens = not allow_special
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: list[int], skip_special: bool = False) -> str:
        """Turn token ids into text; bytes of half a character become U+FFFD.

        Args:
            ids: token ids; those past the vocabulary, which padded embeddings allow, give no text.
            skip_special: leave control tokens out.
        """
        return self._tokenizer.decode(list(ids), skip_special_tokens=skip_special)

    def decode_stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Turn token ids into text as they arrive, each character as soon as it is complete.

        Args:
            ids: an iterable of token ids, such as `generate(...)`.

        Yields:
            Pieces of text; joined they equal `decode` of all ids.
        """
        # holds back half a character
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for token in ids:
            text = decoder.decode(self._token_bytes(int(token)))
            if text:
                yield text
        rest = decoder.decode(b"", final=True)
        if rest:
            yield rest

    def _token_bytes(self, token_id: int) -> bytes:
        """Return the bytes that a token stands for; none for an id past the vocabulary."""
        token = self._tokenizer.id_to_token(token_id) or ""
        if all(character in BYTE_OF_CHARACTER for character in token):
            return bytes(BYTE_OF_CHARACTER[character] for character in token)
        return token.encode()  # an added token with characters of its own

    def apply_chat_template(
        self,
        messages: list[dict[str, str]],
        add_generation_prompt: bool = True,
        enable_thinking: bool = True,
    ) -> str:
        """Write a conversation in Qwen3's format, as text.

        For a model take `encode_chat`: in its ids no message can end its turn.

        Args:
            messages: `{"role": "system" | "user" | "assistant", "content": text}`, in order. An
                assistant's thoughts may stand in `<think>` tags or under `"reasoning_content"`;
                only those after the last question are kept.
            add_generation_prompt: end with the opening of the assistant's next turn.
            enable_thinking: if False, that turn opens with an empty thought, so that the answer
                comes at once.

        Raises:
            ValueError: there are no messages, a role is unknown, or a content is not text.
        """
        return "".join(_chat_pieces(messages, add_generation_prompt, enable_thinking))

    def encode_chat(
        self,
        messages: list[dict[str, str]],
        add_generation_prompt: bool = True,
        enable_thinking: bool = True,
    ) -> list[int]:
        """Turn a conversation into token ids in which no message can end its turn.

        Only the turns themselves make control tokens; `<|im_end|>` in a message stays text. For
        messages without such text, this equals `encode(apply_chat_template(...),
        allow_special=True)`. Arguments and errors are those of `apply_chat_template`.
        """
        ids = []
        for piece in _chat_pieces(messages, add_generation_prompt, enable_thinking):
            if isinstance(piece, Control):
                ids.append(self.token_id(piece))
            else:
                ids += self.encode(piece)
        return ids

    def token_id(self, token: str) -> int:
        """Return the id of one token, such as `<|im_end|>`.

        Raises:
            ValueError: the vocabulary has no such token.
        """
        token_id = self._tokenizer.token_to_id(token)
        if token_id is None:
            raise ValueError(f"this tokenizer has no token {token!r}")
        return token_id


class Control(str):
    """A control token in a conversation, told apart from the same characters in a message."""


def _chat_pieces(
    messages: list[dict[str, str]], add_generation_prompt: bool, enable_thinking: bool
) -> list[str]:
    """Cut a conversation into control tokens and the text between them."""
    _check_messages(messages)
    last_question = _last_question(messages)
    pieces: list[str] = []
    for index, message in enumerate(messages):
        text = message["content"]
        if message["role"] == "assistant":
            thoughts, text = _split_thoughts(message)
            is_last = index == len(messages) - 1
            if index > last_question and (is_last or thoughts):
                text = "<think>\n" + thoughts.strip("\n") + "\n</think>\n\n" + text.lstrip("\n")
        pieces += [Control(IM_START), f"{message['role']}\n{text}", Control(IM_END), "\n"]
    if add_generation_prompt:
        thought = "" if enable_thinking else "<think>\n\n</think>\n\n"
        pieces += [Control(IM_START), "assistant\n" + thought]
    return pieces


def _last_question(messages: list[dict[str, str]]) -> int:
    """Return the index of the last user message that is no tool's reply; without one, the last."""
    for index in range(len(messages) - 1, -1, -1):
        text = messages[index]["content"]
        is_tool_reply = text.startswith("<tool_response>") and text.endswith("</tool_response>")
        if messages[index]["role"] == "user" and not is_tool_reply:
            return index
    return len(messages) - 1


def _split_thoughts(message: dict[str, str]) -> tuple[str, str]:
    """Split an assistant's message into its thoughts and its answer."""
    text = message["content"]
    if message.get("reasoning_content") is not None:
        return message["reasoning_content"], text
    if "</think>" not in text:
        return "", text
    thoughts = text.split("</think>")[0].rstrip("\n").split("<think>")[-1].lstrip("\n")
    return thoughts, text.split("</think>")[-1].lstrip("\n")


def _check_messages(messages: list[dict[str, str]]) -> None:
    if not messages:
        raise ValueError("a conversation needs at least one message")
    for number, message in enumerate(messages, start=1):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ROLES:
            raise ValueError(f"message {number} has role {role!r}; known roles: {', '.join(ROLES)}")
        if not isinstance(message.get("content"), str):
            raise ValueError(
                f"message {number}: content is {type(message.get('content')).__name__}, "
                "expected text"
            )
        if not isinstance(message.get("reasoning_content", ""), str | None):
            kind = type(message["reasoning_content"]).__name__
            raise ValueError(f"message {number}: reasoning_content is {kind}, expected text")


def _settings(path: Path) -> dict:
    """Read the settings in a JSON file; without the file there are none."""
    return read_json(path) if path.is_file() else {}


def _token_id(tokenizer: Tokenizer, token: object) -> int | None:
    """Look up a token as tokenizer_config.json names it: by its text or as `{"content": text}`."""
    text = token.get("content") if isinstance(token, dict) else token
    return tokenizer.token_to_id(text) if isinstance(text, str) else None


def _stop_ids(tokenizer: Tokenizer, folder: Path, settings: dict) -> tuple[int, ...]:
    """Find the ids that end an answer in the files that may name them, the most specific first."""
    for name in ("generation_config.json", "config.json"):
        eos = _settings(folder / name).get("eos_token_id")
        if eos is not None:
            stop_ids = eos if isinstance(eos, list) else [eos]
            if not all(type(stop) is int for stop in stop_ids):
                raise ValueError(
                    f"{folder / name}: eos_token_id is {eos!r}, "
                    "expected an integer or a list of integers"
                )
            return tuple(stop_ids)
    eos = _token_id(tokenizer, settings.get("eos_token"))
    return () if eos is None else (eos,)
