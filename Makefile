# make demo: one experiment. make test: the suite. make hydra-rc: a smoke test on the next Hydra.
# make check: lint and types. make docs: the site, in docs/_build. make test-docs: it and README are
# true. make test-cluster: sweeps on clusters of Ray and dask, two nodes on this machine. make
# test-cuda: kernels for a GPU, compiled and run without one. make test-gpu: where there is one.
# Each makes its environment in $(VENV) first, from Python 3.11 or newer alone.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
HYDRA_RC := $(VENV)-hydra-rc
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-cluster test-cuda test-gpu hydra-rc check docs test-docs examples race viewer-pictures leaderboard bench clean

demo: $(VENV)/.demo
	$(BIN)/python -m gdlab optimizer=sgd lr=0.1

# Each process that a test starts imports faster where bytecode is kept.
test test-cluster test-cuda test-gpu hydra-rc: export PYTHONDONTWRITEBYTECODE =

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-cluster: $(VENV)/.cluster
	$(BIN)/python -m pytest -m cluster tests/sweeps/executors

test-cuda: $(VENV)/.cuda
	$(BIN)/python -m pytest -n 2 -m cuda tests/engine

test-gpu: $(VENV)/.cuda
	$(BIN)/python -m pytest -n 8 -m gpu tests/engine

hydra-rc: $(HYDRA_RC)/.test
	$(HYDRA_RC)/bin/python -W error -m pytest tests/cli/test_smoke.py tests/cli/test_hydra_internals.py

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/.docs
	$(BIN)/python docs/optimizer_page.py > docs/optimizers.md
	$(BIN)/python -m sphinx -q -W --keep-going docs docs/_build

test-docs: $(VENV)/.test docs
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m site tests/docs tests/test_readme.py

# Write what commands print and draw now into the pages and notebooks.
examples: $(VENV)/.docs
	$(BIN)/python docs/examples.py --write
	$(BIN)/python docs/run_notebooks.py --write

# The moving picture of the README, from the page that has its commands.
race: $(VENV)/.docs
	$(BIN)/python docs/examples.py --write docs/howto/animate.md

# The pictures of the viewer in docs/howto/viewer.md and the README, by Chromium; look at them.
viewer-pictures: $(VENV)/.test
	$(BIN)/python docs/viewer_pictures.py

# Compare every optimizer on every problem, for an hour or two; what was interrupted goes on.
leaderboard: $(VENV)/.docs
	$(BIN)/python docs/leaderboard_data.py

bench: $(VENV)/.demo
	$(BIN)/python benchmarks/single.py

clean:
	rm -rf $(VENV) $(HYDRA_RC) build dist docs/_build

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing PyTorch and the rest into $(VENV); this takes a minute or two."
	@$(INSTALL) -e .
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[test,docs]'
	touch $@ $(VENV)/.demo $(VENV)/.docs

$(VENV)/.cluster: pyproject.toml constraints.txt | $(VENV)/.test
	$(INSTALL) -e '.[test,docs,ray]' distributed
	touch $@

$(VENV)/.cuda: pyproject.toml constraints.txt | $(VENV)/.test
	$(INSTALL) -e '.[test,docs,cuda]'
	touch $@

$(VENV)/.docs: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[docs]'
	touch $@ $(VENV)/.demo

# The other pins stay; omegaconf 2.4 needs no antlr4.
$(HYDRA_RC)/.test: pyproject.toml constraints.txt Makefile
	$(PYTHON) -m venv $(HYDRA_RC)
	sed -e '/^antlr4/d' -e 's/^hydra-core==.*/hydra-core==1.4.0rc3/' \
	    -e 's/^omegaconf==.*/omegaconf==2.4.1rc1/' constraints.txt > $(HYDRA_RC)/constraints.txt
	$(HYDRA_RC)/bin/python -m pip install --quiet --disable-pip-version-check \
	    -c $(HYDRA_RC)/constraints.txt -e . hydra-core==1.4.0rc3 omegaconf==2.4.1rc1 pytest hypothesis
	touch $@
