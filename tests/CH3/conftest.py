"""What the tests of the evaluation share."""

import sys
from collections.abc import Callable

import pytest

from CH3.evaluation.__main__ import main


@pytest.fixture
def command(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """`command("--limit", 3)`: exit code, standard output and standard error of the command line,
    in this process.
    """

    def run(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["evaluation", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as error:
            code = error.code
        return code, *capsys.readouterr()

    return run
