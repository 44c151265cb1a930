# make run      execute the chapters' notebooks; pages and executed copies appear in build/
# make test     all tests, the linter and the type checker
# make lab      open the notebooks in JupyterLab
# make book     the notebooks, parts and modules as a site to read: build/book/index.html
# make browser  the site and JupyterLab, tried in Chromium; some minutes
# make badges  README's badges, for REPOSITORY=owner/name on GitHub
# Each makes .venv by itself when it is missing or the requirements changed.

.DEFAULT_GOAL := run
.PHONY: run test lab book browser badges clean

ifeq ($(OS),Windows_NT)  # in a shell such as Git Bash
PYTHON ?= python
BIN := .venv/Scripts
else
PYTHON ?= python3
BIN := .venv/bin
endif

run: .venv/installed
	$(BIN)/python tests/tools/run_notebooks.py

test: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

lab: .venv/installed
	$(BIN)/jupyter lab

book: .venv/installed-book
	$(BIN)/python tests/tools/build_book.py

browser: .venv/installed-dev .venv/installed-book .venv/installed-browser
	$(BIN)/python -m pytest -m browser

badges:
	$(PYTHON) tests/tools/write_badges.py '$(REPOSITORY)'

clean:
	rm -rf build .venv

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed, this is " + sys.version)'
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

.venv/installed-%: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@
