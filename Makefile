# Every target makes the virtual environment in .venv first, once, and says what it does.
PYTHON ?= python3
BIN := .venv/bin
# A process on each core; more threads in each would only wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n auto
.DEFAULT_GOAL := help
.PHONY: help demo test test-all check clean

help:
	@echo 'make demo      install, then prepare, train and paint on built-in data: demo/index.html'
	@echo 'make test      install, then the default test suite (under 5 minutes)'
	@echo 'make test-all  all tests, the slow ones too'
	@echo 'make check     formatting, lint, types, import arrows'
	@echo 'make clean     remove .venv, demo/ and caches'

.venv/installed: pyproject.toml constraints.txt
	@echo '== Making .venv and installing animeprep with everything it needs (a minute or two)'
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "animeprep needs Python 3.11 or newer: make PYTHON=python3.12"'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: .venv/installed
	@echo '== Preparing, training and painting; up to six minutes on two cores'
	$(BIN)/animeprep demo
	@echo '== Done: open demo/index.html'

test: .venv/installed
	@echo '== Default tests; `make test-all` runs the slow ones too'
	$(PYTEST) -m 'not slow'

test-all: .venv/installed
	@echo '== All tests'
	$(PYTEST)

check: .venv/installed
	@echo '== Formatting, lint, types, import arrows'
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
