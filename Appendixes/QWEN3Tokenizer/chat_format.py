"""Qwen3's conversations as text: what the template of its checkpoints says, written in Python.

- a turn is `<|im_start|>role`, a line break, the message and `<|im_end|>`
- an assistant's thoughts stand in `<think>` tags; those of earlier answers are left out, so that a
  long conversation has room
- a checkpoint that brings another template is written by that one (`chat_template.py`)
"""

from typing import Any

Message = dict[str, Any]
ROLES = ("system", "user", "assistant")
KEYS = ("role", "content", "reasoning_content")


def format_chat(messages: list[Message], add_generation_prompt: bool, enable_thinking: bool) -> str:
    """Write a conversation in Qwen3's format.

    Arguments and errors are those of `Qwen3Tokenizer.apply_chat_template`, which checks that
    contents are text.

    >>> print(format_chat([{"role": "user", "content": "1 + 1?"}], True, enable_thinking=True))
    <|im_start|>user
    1 + 1?<|im_end|>
    <|im_start|>assistant
    <BLANKLINE>
    """
    _refuse_unknown(messages)
    last_question = _last_question(messages)
    turns: list[str] = []
    for index, message in enumerate(messages):
        text = message["content"]
        if message["role"] == "assistant":
            thoughts, text = _split_thoughts(message)
            is_last = index == len(messages) - 1
            if index > last_question and (is_last or thoughts):
                text = "<think>\n" + thoughts.strip("\n") + "\n</think>\n\n" + text.lstrip("\n")
        turns.append(f"<|im_start|>{message['role']}\n{text}<|im_end|>\n")
    if add_generation_prompt:
        thought = "" if enable_thinking else "<think>\n\n</think>\n\n"
        turns.append("<|im_start|>assistant\n" + thought)
    return "".join(turns)


def _last_question(messages: list[Message]) -> int:
    """Return the index of the last user message that is no tool's reply; without one, the last."""
    for index in range(len(messages) - 1, -1, -1):
        text = messages[index]["content"]
        is_tool_reply = text.startswith("<tool_response>") and text.endswith("</tool_response>")
        if messages[index]["role"] == "user" and not is_tool_reply:
            return index
    return len(messages) - 1


def _split_thoughts(message: Message) -> tuple[str, str]:
    """Split an assistant's message into its thoughts and its answer."""
    text = message["content"]
    if message.get("reasoning_content") is not None:
        return message["reasoning_content"], text
    if "</think>" not in text:
        return "", text
    thoughts = text.split("</think>")[0].rstrip("\n").split("<think>")[-1].lstrip("\n")
    return thoughts, text.split("</think>")[-1].lstrip("\n")


def _refuse_unknown(messages: list[Message]) -> None:
    """Refuse what this format would leave out: other roles, and tool calls and the like."""
    for number, message in enumerate(messages, start=1):
        if message["role"] not in ROLES:
            raise ValueError(
                f"message {number} has role {message['role']!r}; known roles: {', '.join(ROLES)}"
            )
        unknown = [key for key, value in message.items() if key not in KEYS and value]
        if unknown:
            raise ValueError(
                f"message {number} has {', '.join(unknown)}, which would be left out: this "
                "checkpoint has no chat template for it; write it into content"
            )
