"""The Qwen3 tokenizer: byte-level byte-pair encoding, added tokens, and conversations.

- the same as `byte_pair_encoding.py`, grown up: the `tokenizers` library reads the checkpoint's
  `tokenizer.json`, so ids are those of Hugging Face
- text is data: unless the caller allows it, `<|im_end|>` in a user's message is spelled out in
  ordinary tokens
- the checkpoint's own files say which ids end an answer, and how a conversation is written
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from Appendixes.command_line import read_json
from Appendixes.QWEN3Tokenizer.byte_pair_encoding import CHARACTER_OF_BYTE
from Appendixes.QWEN3Tokenizer.chat_format import Message, format_chat

ROLES = ("system", "developer", "user", "assistant", "tool")  # not all in every format
# tags that belong into messages, where a template looks for them
TAGS = {f"<{end}{tag}>" for tag in ("think", "tool_call", "tool_response") for end in ("", "/")}
BREAK = "\ud800"  # half of a surrogate pair: a character that stands in no valid text
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
        chat_template: the checkpoint's own, in Jinja's language; None: conversations are written in
            Qwen3's format (`chat_format.py`).
        named_tokens: control tokens that a template may name, such as `eos_token`.
        vocab_size: the largest id plus one.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        stop_ids: tuple[int, ...] = (),
        pad_id: int | None = None,
        chat_template: str | None = None,
        named_tokens: dict[str, str] | None = None,
    ):
        self._tokenizer = tokenizer
        self.stop_ids = stop_ids
        self.pad_id = pad_id
        self.chat_template = chat_template
        self.named_tokens = named_tokens or {}
        self.vocab_size = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
        added = tokenizer.get_added_tokens_decoder().values()
        # the longest first: one may begin with another
        self._control = sorted((token.content for token in added if token.special), key=len)[::-1]

    @classmethod
    def from_file(cls, path: str | Path) -> "Qwen3Tokenizer":
        """Read the tokenizer of a checkpoint.

        Args:
            path: a `tokenizer.json`, or the folder that holds one. `generation_config.json`,
                `config.json` and `tokenizer_config.json` beside it say which tokens end an answer;
                `chat_template.jinja` and `tokenizer_config.json`, how a conversation is written.

        Raises:
            FileNotFoundError: there is no tokenizer.
            ValueError: a file is damaged, or an id that ends an answer is none of the tokenizer's.
        """
        path = Path(path)
        if path.is_dir():
            path = path / "tokenizer.json"
        if not path.is_file():
            raise FileNotFoundError(
                f"no tokenizer at {path}: a checkpoint folder needs a tokenizer.json"
            )
        content = path.read_bytes()  # fails by itself where that is not allowed
        try:
            tokenizer = Tokenizer.from_buffer(content)
        except Exception as error:  # the library raises plain Exception, whatever is wrong
            raise ValueError(f"{path} is not a tokenizer ({error}); download it again") from None
        # A file may keep these from an earlier use: here every text is encoded as it is.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        settings = _settings(path.parent / "tokenizer_config.json")
        _add_tokens(tokenizer, settings)
        named_tokens = {
            name: text
            for name in ("bos_token", "eos_token", "pad_token", "unk_token")
            if (text := _token_text(settings.get(name))) is not None
        }
        return cls(
            tokenizer,
            _stop_ids(tokenizer, path.parent, named_tokens),
            tokenizer.token_to_id(named_tokens.get("pad_token", "")),
            _chat_template(path.parent, settings),
            named_tokens,
        )

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
        _check_unicode(text)
        self._tokenizer.encode_special_tokens = not allow_special
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Iterable[int], skip_special: bool = False) -> str:
        """Turn token ids into text; bytes of half a character become U+FFFD.

        Args:
            ids: token ids; those past the vocabulary, which padded embeddings allow, give no text.
            skip_special: leave control tokens out.

        Raises:
            TypeError: `ids` is a single number: expected a list.
            ValueError: an id is negative.
        """
        if isinstance(ids, int):
            raise TypeError(f"decode needs a list of ids, not the number {ids}: give [{ids}]")
        known = [token for token in ids if self._is_known(token)]
        return self._tokenizer.decode(known, skip_special_tokens=skip_special)

    def decode_stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Turn token ids into text as they arrive, each character as soon as it is complete.

        Args:
            ids: an iterable of token ids, such as `generate(...)`.

        Yields:
            Pieces of text; joined they equal `decode` of all ids.

        Raises:
            ValueError: an id is negative.
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
        if not self._is_known(token_id):
            return b""
        token = self._tokenizer.id_to_token(token_id) or ""
        if all(character in BYTE_OF_CHARACTER for character in token):
            return bytes(BYTE_OF_CHARACTER[character] for character in token)
        return token.encode()  # an added token with characters of its own

    def _is_known(self, token_id: int) -> bool:
        """Return True if an id is not past the vocabulary."""
        if token_id < 0:
            raise ValueError(f"{token_id} is no token id: ids are integers from 0 on")
        return token_id < self.vocab_size

    def apply_chat_template(
        self,
        messages: list[Message],
        add_generation_prompt: bool = True,
        enable_thinking: bool = True,
    ) -> str:
        """Write a conversation as text: as the checkpoint's template says, else in Qwen3's format.

        For a model take `encode_chat`: in its ids no message can end its turn.

        Args:
            messages: `{"role": "system" | "user" | "assistant", "content": text}`, in order. An
                assistant's thoughts may stand in `<think>` tags or under `"reasoning_content"`;
                of these, Qwen3's format keeps only those after the last question. A checkpoint's
                template may know more keys, such as `"tool_calls"`, and the role `"tool"`.
            add_generation_prompt: end with the opening of the assistant's next turn.
            enable_thinking: if False, that turn opens with an empty thought, so that the answer
                comes at once. A template of a model that always thinks, or never does, ignores it.

        Raises:
            ValueError: there are no messages, a role is unknown, a content is not text, a message
                holds what would be left out, or the template refuses the conversation.
            ImportError: the checkpoint has a template, and `jinja2` is missing.
        """
        _check_messages(messages)
        if self.chat_template is None:
            return format_chat(messages, add_generation_prompt, enable_thinking)
        try:
            from Appendixes.QWEN3Tokenizer.chat_template import render_template
        except ImportError as error:
            raise ImportError(
                "this checkpoint has a chat template of its own, which needs jinja2 "
                f"({error}): pip install -e '.[chat]'"
            ) from None
        return render_template(
            self.chat_template,
            messages,
            add_generation_prompt=add_generation_prompt,
            enable_thinking=enable_thinking,
            **self.named_tokens,
        )

    def encode_chat(
        self,
        messages: list[Message],
        add_generation_prompt: bool = True,
        enable_thinking: bool = True,
    ) -> list[int]:
        """Turn a conversation into token ids in which no message can end its turn.

        Only the template makes control tokens; `<|im_end|>` in a message stays text. For messages
        without such text, this equals `encode(apply_chat_template(...), allow_special=True)`.
        Control tokens are those that tokenizer.json marks as special. Tags such as `</think>` and
        `<tool_call>`, and other tokens that are not marked, have an id of their own wherever they
        stand, also in a message. Arguments and errors are those of `apply_chat_template`.
        """
        # 1. Break the control tokens in messages, by a character that stands in no text.
        broken = _break_tokens(messages, [token for token in self._control if token not in TAGS])
        # 2. Write the conversation, and cut it at the control tokens that are whole.
        text = self.apply_chat_template(broken, add_generation_prompt, enable_thinking)
        pieces = re.split(f"({_any_of(self._control)})", text)
        # 3. Encode what lies between them, with the messages as they were.
        ids: list[int] = []
        for index, piece in enumerate(pieces):
            is_control = index % 2 == 1
            ids += [self.token_id(piece)] if is_control else self.encode(piece.replace(BREAK, ""))
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


def _check_unicode(text: str) -> None:
    """Refuse half of a surrogate pair, which is no character and has no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the text is not valid Unicode at character {error.start}: {error.reason}"
        ) from None


def _any_of(tokens: list[str]) -> str:
    """Make a regular expression that finds any of the tokens, those listed first before others."""
    return "|".join(map(re.escape, tokens)) or "(?!)"  # which finds nothing


def _break_tokens(value: Any, tokens: list[str]) -> Any:
    """Put `BREAK` behind the first character of each token, in all texts of a conversation."""
    if isinstance(value, str):
        _check_unicode(value)
        return re.sub(_any_of(tokens), lambda token: token[0][0] + BREAK + token[0][1:], value)
    if isinstance(value, dict):
        return {key: _break_tokens(item, tokens) for key, item in value.items()}
    if isinstance(value, list):
        return [_break_tokens(item, tokens) for item in value]
    return value


def _check_messages(messages: list[Message]) -> None:
    if not isinstance(messages, list | tuple):
        raise ValueError(
            f"a conversation is a list of messages, not {type(messages).__name__}: "
            'give [{"role": "user", "content": text}]'
        )
    if not messages:
        raise ValueError("a conversation needs at least one message")
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, dict):
            raise ValueError(
                f"message {number} is {type(message).__name__}: "
                'expected {"role": "user", "content": text}'
            )
        if message.get("role") not in ROLES:
            raise ValueError(
                f"message {number} has role {message.get('role')!r}; "
                f"known roles: {', '.join(ROLES)}"
            )
        for key in ("content", "reasoning_content"):
            required = key == "content" and not message.get("tool_calls")
            if not isinstance(message.get(key), str if required else str | None):
                kind = type(message.get(key)).__name__
                raise ValueError(f"message {number}: {key} is {kind}, expected text")


def _settings(path: Path) -> dict:
    """Read the settings in a JSON file; without the file there are none."""
    return read_json(path) if path.is_file() else {}


def _token_text(token: object) -> str | None:
    """Return a token as tokenizer_config.json names it: by its text or as `{"content": text}`."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _add_tokens(tokenizer: Tokenizer, settings: dict) -> None:
    """Add the tokens that tokenizer_config.json alone knows, or marks as special."""
    flags = ("single_word", "lstrip", "rstrip", "normalized", "special")
    by_id = settings.get("added_tokens_decoder") or {}
    tokenizer.add_tokens(
        [
            AddedToken(token["content"], **{flag: bool(token.get(flag)) for flag in flags})
            for _, token in sorted(by_id.items(), key=lambda entry: int(entry[0]))
        ]
    )
    names = settings.get("extra_special_tokens") or settings.get("additional_special_tokens") or []
    texts = map(_token_text, names.values() if isinstance(names, dict) else names)
    known = [text for text in texts if text is not None]
    tokenizer.add_special_tokens(
        [AddedToken(text, special=True, normalized=False) for text in known]
    )


def _chat_template(folder: Path, settings: dict) -> str | None:
    """Find the chat template in the files that may hold it, as `transformers` does."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    template = settings.get("chat_template")
    if isinstance(template, list):  # several, by their names
        template = {entry["name"]: entry["template"] for entry in template}.get("default")
    if not isinstance(template, str | None):
        kind = type(template).__name__
        raise ValueError(f"{folder / 'tokenizer_config.json'}: chat_template is {kind}, not text")
    return template


def _has_id(tokenizer: Tokenizer, token_id: int) -> bool:
    """Return True if a token has this id; the library takes 32 bits only."""
    return 0 <= token_id < 1 << 32 and tokenizer.id_to_token(token_id) is not None


def _stop_ids(tokenizer: Tokenizer, folder: Path, named_tokens: dict[str, str]) -> tuple[int, ...]:
    """Find the ids that end an answer in the files that may name them, the most specific first."""
    for name in ("generation_config.json", "config.json"):
        eos = _settings(folder / name).get("eos_token_id")
        stop_ids = eos if isinstance(eos, list) else [eos]
        if eos is None or not stop_ids:
            continue
        if not all(type(stop) is int and _has_id(tokenizer, stop) for stop in stop_ids):
            raise ValueError(
                f"{folder / name}: eos_token_id is {eos!r}, expected an id of a token in "
                "tokenizer.json, or a list of them"
            )
        return tuple(stop_ids)
    eos = tokenizer.token_to_id(named_tokens.get("eos_token", ""))
    return () if eos is None else (eos,)
