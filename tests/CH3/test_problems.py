"""Problems: files that ship, files that are downloaded, and what is said of a wrong file."""

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from CH3 import problems as problems_module
from CH3.problems import FIELDS, PUZZLE_FIELDS, is_puzzle, load_problems, reference_of

COMMIT = "b" * 40
PATH_ON_HUB = rf"/datasets/HuggingFaceH4/MATH-500/resolve/(?:main|{COMMIT})/test.jsonl"


def problem(number: int, **changes) -> dict:
    fields = {
        "problem": f"What is {number} + 1?",
        "solution": "",
        "answer": str(number + 1),
        "subject": "Sums",
    }
    return {**fields, "level": 1 + number % 5, "unique_id": f"test/{number}.json", **changes}


def test_importing_the_problems_imports_neither_torch_nor_matplotlib():
    command = "import sys, CH3.problems; print(sorted({'torch', 'matplotlib'} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_the_shipped_problems_are_500_and_different():
    problems = load_problems("arithmetic500")
    assert len(problems) == len({one["problem"] for one in problems}) == 500
    assert all(set(one) == set(FIELDS) for one in problems)
    assert load_problems("arithmetic500", limit=7) == problems[:7]


def puzzle(number: int, **changes) -> dict:
    fields = {key: value for key, value in problem(number).items() if key != "answer"}
    return {**fields, "numbers": [number, 1], "target": number + 1, **changes}


def test_the_shipped_puzzles_have_numbers_and_a_target_in_the_place_of_an_answer():
    puzzles = load_problems("countdown500")
    assert len(puzzles) == len({one["problem"] for one in puzzles}) == 500
    assert all(set(one) == set(PUZZLE_FIELDS) for one in puzzles)
    assert all(map(is_puzzle, puzzles))
    assert reference_of(puzzles[0]) == {"numbers": [13, 16, 7], "target": 75}
    assert not any(map(is_puzzle, load_problems("arithmetic500")))


def test_a_file_may_hold_puzzles_beside_problems_with_answers(tmp_path):
    both = {**puzzle(2), "answer": "3"}
    (tmp_path / "mixed.json").write_text(json.dumps([problem(0), puzzle(1), both]))
    problems = load_problems(tmp_path / "mixed.json")
    assert problems == [problem(0), puzzle(1), {**problem(2)}]  # an answer is compared
    assert list(map(reference_of, problems)) == ["1", {"numbers": [1, 1], "target": 2}, "3"]


def test_a_problem_needs_no_more_than_its_text_and_what_decides(tmp_path):
    rows = [{"problem": "1 + 1?", "answer": "2"}, {"problem": "3?", "numbers": [1, 2], "target": 3}]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    by_default = {"solution": "", "subject": "no subject", "level": 0}
    assert load_problems(tmp_path / "mine.jsonl") == [
        {**by_default, **row, "unique_id": str(number)} for number, row in enumerate(rows, 1)
    ]


@pytest.mark.parametrize(
    ("misspelt", "meant"), [("levels", "level"), ("uniqe_id", "unique_id"), ("Subject", "subject")]
)
def test_a_misspelt_field_is_refused_though_it_has_a_default(tmp_path, misspelt, meant):
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"problem": "1 + 1?", "answer": "2", misspelt: "x"}))
    with pytest.raises(ValueError, match=f"'{misspelt}': is it '{meant}' that is meant"):
        load_problems(file)
    file.write_text(json.dumps({"problem": "1 + 1?", "answer": "2", "source": "me"}))
    assert load_problems(file)[0]["level"] == 0  # other fields may be there


def test_math500_is_the_file_that_the_environment_names(tmp_path, monkeypatch):
    (tmp_path / "mine.json").write_text(json.dumps([problem(3)]))
    monkeypatch.setenv("MATH500_JSON", str(tmp_path / "mine.json"))
    assert load_problems("math500") == [problem(3)]


def test_the_real_math500_is_read():
    if not os.environ.get("MATH500_JSON"):
        pytest.skip("MATH500_JSON names no file with MATH-500")
    problems = load_problems("math500")
    assert len(problems) == 500
    assert {one["level"] for one in problems} == {1, 2, 3, 4, 5}
    assert len({one["subject"] for one in problems}) == 7


def test_a_list_and_lines_are_read_alike(tmp_path):
    rows = [problem(n, problem="separated by \u2028", extra="is left out") for n in range(3)]
    (tmp_path / "list.json").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "lines.jsonl").write_text(
        "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n", "utf-8"
    )
    problems = load_problems(tmp_path / "list.json")
    assert problems == load_problems(str(tmp_path / "lines.jsonl"))
    assert [one["unique_id"] for one in problems] == ["test/0.json", "test/1.json", "test/2.json"]
    assert "extra" not in problems[0]


@pytest.mark.parametrize("name", ["mine.json", "mine.JSON", "mine.jsonl", "mine.JSONL"])
def test_a_byte_order_mark_and_capital_letters_change_nothing(name, tmp_path):
    rows = [problem(0), problem(1)]
    lines = name.lower().endswith(".jsonl")
    text = "\r\n".join(map(json.dumps, rows)) if lines else json.dumps(rows)
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    assert load_problems(tmp_path / name) == rows


@pytest.mark.parametrize(("name", "place"), [("a.jsonl", "line 3"), ("a.json", "problem 2")])
def test_half_a_surrogate_pair_is_refused_with_its_place(name, place, tmp_path):
    rows = [problem(0), problem(1, problem="half \ud83d")]
    text = json.dumps(rows[0]) + "\n\n" + json.dumps(rows[1])
    (tmp_path / name).write_text(text if name == "a.jsonl" else json.dumps(rows))
    with pytest.raises(ValueError, match=f"{name}, {place}: problem is not valid Unicode"):
        load_problems(tmp_path / name)


@pytest.mark.parametrize("name", ["problem", "solution", "answer", "subject", "unique_id"])
@pytest.mark.parametrize("command", ["binom", "frac", "rho", "neq", "text"])
def test_a_backslash_that_was_not_doubled_is_refused_with_its_line(name, command, tmp_path):
    (tmp_path / "mine.jsonl").write_text(
        json.dumps(problem(0)) + "\n" + json.dumps(problem(1, **{name: f"a \\{command}{{1}}"}))
    )
    assert load_problems(tmp_path / "mine.jsonl")[1][name] == f"a \\{command}{{1}}"
    text = (tmp_path / "mine.jsonl").read_text().replace("\\\\", "\\")
    (tmp_path / "mine.jsonl").write_text(text)
    if name in ("problem", "solution") and command in ("neq", "text"):  # might be meant
        assert load_problems(tmp_path / "mine.jsonl")[1][name].startswith(("a \n", "a \t"))
        return
    with pytest.raises(ValueError, match=f"line 2: {name} holds .*in JSON a backslash is doubled"):
        load_problems(tmp_path / "mine.jsonl")


@pytest.mark.parametrize("sign", ["\0", "\x1b", "\x7f"])
def test_other_control_characters_are_refused_and_line_breaks_of_any_system_are_not(sign, tmp_path):
    (tmp_path / "mine.json").write_text(json.dumps([problem(0, problem=f"1{sign} + 1?")]))
    with pytest.raises(ValueError, match=r"problem 1: problem holds a control character, '1\\x"):
        load_problems(tmp_path / "mine.json")
    rows = [problem(0, problem="1\r\n+\t1?", solution="1\n2")]
    (tmp_path / "mine.json").write_text(json.dumps(rows))
    assert load_problems(tmp_path / "mine.json") == rows


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "holds no problems"),
        ({"problem": "?"}, "holds a dict, expected a list"),
        ([problem(0), 7], "problem 2 is a int"),
        ([problem(0), {**problem(1), "answer": 5}], "problem 2: answer is 5, expected text"),
        ([problem(0, answer=" ")], "problem 1: answer is ' '"),
        ([problem(0, level="Level 5")], "problem 1: level is 'Level 5', expected an integer"),
        ([problem(0, level=True)], "level is True"),
        (
            [{key: value for key, value in problem(0).items() if key not in ("answer", "problem")}],
            "has no problem, answer",
        ),
        ([puzzle(0, target="1")], "problem 1: target is '1', expected an integer"),
        ([puzzle(0, numbers=[])], "numbers is [], expected a list of integers"),
        ([puzzle(0, numbers=[1, "2"])], "numbers is [1, '2'], expected a list of integers"),
        ([puzzle(0, numbers=[True, 2])], "numbers is [True, 2], expected a list of integers"),
        ([puzzle(0, numbers="1 2")], "numbers is '1 2', expected a list of integers"),
        ([puzzle(0, problem=" ")], "problem is ' ', expected text"),
        ([puzzle(0, solution=None)], "solution is None, expected text"),
        (
            [{key: value for key, value in puzzle(0).items() if key != "numbers"}],
            "problem 1 has no numbers",
        ),
        (
            [{key: value for key, value in puzzle(0).items() if key != "target"}],
            "problem 1 has no answer",
        ),
        ([problem(0), problem(1), problem(0)], "problems 1 and 3 have one unique_id, test/0.json"),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_problem(rows, words, tmp_path):
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(rows))
    with pytest.raises(ValueError, match=re.escape(words)) as error:
        load_problems(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("wrong.json", b'[{"problem": ', "wrong.json is not valid JSON"),
        ("wrong.json", b"[" * 100_000, "wrong.json is not valid JSON"),
        ("wrong.jsonl", b'{"problem": "a"}\n{"pro', "line 2 is not valid JSON"),
        ("wrong.json", b"\xff\xfe", "not text in UTF-8"),
        ("wrong.jsonl", b"", "holds no problems"),
    ],
)
def test_a_damaged_file_is_refused(name, content, words, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words):
        load_problems(tmp_path / name)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit):
    with pytest.raises(ValueError, match=f"limit is {limit}"):
        load_problems("arithmetic500", limit)


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"no file nowhere\.json: give 'arithmetic500'"):
        load_problems("nowhere.json")


@pytest.fixture
def hub():
    """As much of the Hub as holds one file; `hub.content` is what it sends, `hub.asked` counts
    downloads.
    """

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_HEAD(self):
            found = re.fullmatch(PATH_ON_HUB, self.path.split("?")[0])
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(self.server.content)))
            self.send_header("ETag", '"0123"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()

        def do_GET(self):
            if self.path.startswith("/api/"):  # asks whether the Hub can be reached
                about = b'{"id": "HuggingFaceH4/MATH-500", "siblings": []}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(about)))
                self.end_headers()
                self.wfile.write(about)
                return
            self.server.asked += 1
            self.do_HEAD()
            self.wfile.write(self.server.content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.asked = True, 0
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


LOADER = """
import json, pathlib, sys, time
from CH3 import problems
sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.02))  # between the attempts of huggingface_hub
problems.MATH500_FILE = pathlib.Path(sys.argv[1])
try:
    print(json.dumps(problems.load_problems("math500")))
except Exception as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


@pytest.fixture
def first_use(tmp_path):
    """`first_use(url)`: what a process that finds the Hub at `url` makes of MATH-500, and the file
    it leaves.
    """

    def load(url: str):
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("HF_", "MATH500"))
        }
        environment |= {
            "HF_ENDPOINT": url,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_XET": "1",
        }
        environment |= {"no_proxy": "127.0.0.1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        command = [sys.executable, "-c", LOADER, str(tmp_path / "math500_test.json")]
        run = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        return json.loads(run.stdout), tmp_path / "math500_test.json"

    return load


def test_math500_is_downloaded_once(hub, first_use):
    rows = [problem(number) for number in range(500)]
    hub.content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    url = f"http://127.0.0.1:{hub.server_port}"
    problems, file = first_use(url)
    assert problems == rows == json.loads(file.read_text())
    assert [path.name for path in file.parent.iterdir() if path.is_file()] == [file.name]
    again, _ = first_use(url)
    assert again == rows
    assert hub.asked == 1


@pytest.mark.parametrize(
    ("rows", "words"),
    [([problem(0)], "has 1 problems, MATH-500 has 500"), (["no problem"], "line 1 is a str")],
)
def test_a_wrong_download_is_refused_and_not_kept(hub, first_use, rows, words):
    hub.content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (name, message), file = first_use(f"http://127.0.0.1:{hub.server_port}")
    assert name == "ValueError"
    assert words in message
    assert not file.exists()


def test_a_hub_out_of_reach_says_what_to_do(first_use):
    (name, message), file = first_use("http://127.0.0.1:9")  # a port where nobody listens
    assert name == "ConnectionError"
    assert "MATH500_JSON" in message
    assert "network" in message
    assert not file.exists()


def test_the_file_that_is_downloaded_is_not_committed():
    ignored = (problems_module.FOLDER.parent / ".gitignore").read_text().splitlines()
    assert any(line.startswith("CH3/math500_test.json") for line in ignored)
