"""No module that meets a model's text can run it: none of them calls what turns text into code."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for folder in ("Appendixes", "CH2", "CH3", "CH4") for path in (ROOT / folder).rglob("*.py")
)
FUNCTIONS = {"eval", "exec", "compile", "__import__"}
ANYWHERE = {
    "sympify",
    "parse_expr",
    "parse_latex",
    "lambdify",
    "literal_eval",
    "popen",
    "os.system",
}


def running_calls(tree: ast.AST) -> list[str]:
    """The calls that run text; `re.compile`, `torch.compile` and `model.eval` share no more than a
    name with them.
    """
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    functions = [call.id for call in called if isinstance(call, ast.Name)]
    methods = [
        name
        for call in called
        if isinstance(call, ast.Attribute)
        for name in (call.attr, ast.unparse(call))
    ]
    return [name for name in functions if name in FUNCTIONS | ANYWHERE] + [
        name for name in methods if name in ANYWHERE
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_calls_what_runs_text(path):
    assert running_calls(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source", ["eval(text)", "sympy.sympify(text)", "parse_latex(text)", "os.system(text)"]
)
def test_the_test_sees_such_calls(source):
    assert running_calls(ast.parse(source))
