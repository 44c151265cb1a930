# make run      execute the notebooks; pages and executed copies are written to build/
# make test     run all tests, the linter and the type checker
# make lab      open the notebooks in JupyterLab
# make book     build a site of the notebooks, parts and modules: build/book/index.html
# make gpu      on a machine with an NVIDIA GPU: run the tests that need it, then the benchmark, whose
#               numbers go to CH2/results/0.6B-gpu.json; meant for ten minutes, not yet run
# make browser  test the site and JupyterLab in Chromium; takes some minutes
# make badges   write README's badges, for REPOSITORY=owner/name on GitHub
# make clean    delete build/ and .venv
# Each makes .venv by itself when it is missing or the requirements have changed.

.DEFAULT_GOAL := run
.PHONY: run test lab book gpu browser badges clean

ifeq ($(OS),Windows_NT)  # in a shell such as Git Bash
PYTHON ?= python
BIN := .venv/Scripts
else
PYTHON ?= python3
BIN := .venv/bin
endif

run: .venv/installed-pages
	$(BIN)/python tests/tools/run_notebooks.py

test: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

lab: .venv/installed
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u 2>/dev/null)),--allow-root)

book: .venv/installed-book
	$(BIN)/python tests/tools/build_book.py

gpu: .venv/installed-dev
	@$(BIN)/python -c 'import sys, torch; sys.exit(None if torch.cuda.is_available() else "make gpu: PyTorch finds no GPU here")'
	$(BIN)/python -m pytest -q -k cuda tests
	$(BIN)/python -m CH2.benchmark --device cuda --peers --json CH2/results/0.6B-gpu.json

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
