"""Hints on request: each call reveals one more, remembered in `build/Exercises/hints.json`."""

import json

from Exercises.chapters import STATE, Exercise

MEMORY = STATE / "hints.json"


def next_hints(exercise: Exercise) -> list[str]:
    """The hints of earlier calls and one more, as long as there are more."""
    seen = json.loads(MEMORY.read_text(encoding="utf-8")) if MEMORY.is_file() else {}
    key = f"{exercise.chapter} {exercise.name}"
    seen[key] = min(seen.get(key, 0) + 1, len(exercise.hints))
    MEMORY.parent.mkdir(parents=True, exist_ok=True)
    MEMORY.write_text(json.dumps(seen, indent=2) + "\n", encoding="utf-8")
    return list(exercise.hints[: seen[key]])
