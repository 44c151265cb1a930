"""No module of ours compiles a text or imports by a text's name; `ruff` bans eval, exec, os.system
and SymPy's readers (pyproject.toml), and cannot ban these two built-in functions.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]


def called_names(source: str) -> set[str]:
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return {call.id for call in calls if isinstance(call, ast.Name)}


def test_no_module_compiles_or_imports_a_text():
    paths = [
        path
        for folder in ("Appendixes", "CH2", "CH3", "CH4")
        for path in (ROOT / folder).rglob("*.py")
    ]
    assert len(paths) > 50
    for path in paths:
        called = called_names(path.read_text(encoding="utf-8"))
        assert called.isdisjoint({"compile", "__import__"}), path
    assert called_names("re.compile(a); compile(text)") == {"compile"}
