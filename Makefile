# make demo: one experiment. make test: the suite. make check: lint and types. make docs: the pages
# that are made of docstrings.
# Each makes its environment in $(VENV) first, from Python 3.11 or newer alone.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check docs bench clean

demo: $(VENV)/.demo
	$(BIN)/python -m gdlab optimizer=sgd lr=0.1

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/.demo
	$(BIN)/python docs/optimizer_page.py > docs/optimizers.md

bench: $(VENV)/.demo
	$(BIN)/python benchmarks/single.py

clean:
	rm -rf $(VENV) build dist

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[test]'
	touch $@ $(VENV)/.demo
