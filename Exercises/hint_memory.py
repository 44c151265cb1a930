"""Reveal hints one by one; `build/Exercises/hints.json` remembers how many were shown."""

import json

from Exercises.chapters import STATE, Exercise

MEMORY = STATE / "hints.json"


def next_hints(exercise: Exercise) -> list[str]:
    """Return the hints of earlier calls and one more, if there is one more."""
    seen = json.loads(MEMORY.read_text(encoding="utf-8")) if MEMORY.is_file() else {}
    key = f"{exercise.chapter} {exercise.name}"
    seen[key] = min(seen.get(key, 0) + 1, len(exercise.hints))
    MEMORY.parent.mkdir(parents=True, exist_ok=True)
    MEMORY.write_text(json.dumps(seen, indent=2) + "\n", encoding="utf-8")
    return list(exercise.hints[: seen[key]])
