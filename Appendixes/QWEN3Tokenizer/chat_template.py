"""Chat templates that checkpoints bring: programs in Jinja's language, run in its sandbox.

- `transformers` renders them in the same way, so a conversation is the same text there and here
- a template sees the messages and a handful of functions, and can reach nothing else; Jinja before
  3.1.6 had holes, so the extra `chat` asks for that version
"""

import functools
import json
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace


def render_template(template: str, messages: list[dict[str, Any]], **variables: Any) -> str:
    """Write a conversation as a checkpoint's template says.

    Args:
        template: in Jinja's language.
        messages: as in `Qwen3Tokenizer.apply_chat_template`; a key whose value is None counts as
            missing.
        variables: what else the template may use: `add_generation_prompt`, `enable_thinking`, and
            special tokens by their names, such as `eos_token`.

    Raises:
        ValueError: the template is not in Jinja's language, or refuses these messages.
    """
    given = [{key: item for key, item in one.items() if item is not None} for one in messages]
    try:
        return _compiled(template).render(messages=given, **variables)
    except Exception as error:  # whatever a template does, and however it fails
        raise ValueError(
            f"the checkpoint's chat template fails on these messages: {error}"
        ) from None


@functools.lru_cache
def _compiled(template: str) -> Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals = {
        "range": environment.globals["range"],
        "namespace": _namespace,
        "raise_exception": _refuse,
        "strftime_now": lambda form: datetime.now().strftime(form),
    }
    return environment.from_string(template)


class _Namespace(Namespace):
    """Variables of a template that outlive a loop; none with a name that Python itself uses."""

    def __setitem__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            raise SecurityError(f"a namespace cannot hold {name!r}")
        super().__setitem__(name, value)


def _namespace(**values: Any) -> _Namespace:
    names = _Namespace()
    for name, value in values.items():
        names[name] = value
    return names


def _to_json(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
    """Write JSON as it is; Jinja's own filter would escape characters for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)
