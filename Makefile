# make run    execute the chapters' notebooks; pages and executed copies appear in build/
# make test   all tests, and ruff
# make lab    open the notebooks in JupyterLab
# Each makes .venv by itself when it is missing or the requirements changed.

PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := run
.PHONY: run test lab clean

run: .venv/installed
	$(BIN)/python tests/run_notebooks.py

test: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest

lab: .venv/installed
	$(BIN)/jupyter lab

clean:
	rm -rf build .venv

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed, this is " + sys.version)'
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@
