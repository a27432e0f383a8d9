# The commands of this project. `make` alone lists them. GNU make and Python 3.11 or newer are all they need; the rest
# goes into .venv, in the versions of constraints.txt.

PYTHON = python3
VENV = .venv

BIN := $(abspath $(VENV))/bin
INSTALLED := $(VENV)/.installed

# Processes that test side by side, each on one core.
WORKERS = 2
PYTEST = OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS)

# Notebooks call `srvp-lite` and `python`: those of the virtual environment.
export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help book style check test chapters lab train-lite budgets speedrun costs release clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

book: $(INSTALLED)  ## install what is missing, build _build/html from the chapters and the outputs they hold
	rm -rf _build/html
	$(BIN)/jupyter-book build --all -W -n --keep-going .
	@echo
	@echo "The book is built. Open $(CURDIR)/_build/html/index.html in a browser."

style: $(INSTALLED)  ## lint, format and types, of the chapters' code too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

check: style  ## style and the fast tests, in about a minute
	$(PYTEST) tests -m "not slow"

test: style book  ## everything: style, the book, tests of the package and of the pages, each chapter executed once
	$(PYTEST) tests notebooks --nbval-lax --nbval-current-env --nbval-cell-timeout 600 \
		--dist loadfile --no-loadscope-reorder

chapters: $(INSTALLED)  ## run the chapters and keep their outputs in them; some: make chapters NAMES="01_predicting_video"
	$(BIN)/python book/_scripts/run_chapters.py $(NAMES)

lab: $(INSTALLED)  ## open the chapters in JupyterLab
	$(BIN)/jupyter lab notebooks

train-lite: $(INSTALLED)  ## train both small models on this machine, into runs/; go on where it was interrupted
	$(BIN)/srvp-lite train lite --out runs/lite $(if $(wildcard runs/lite/state.pt),--resume)
	$(BIN)/srvp-lite train lite-deterministic --out runs/lite-deterministic \
		$(if $(wildcard runs/lite-deterministic/state.pt),--resume)

budgets: $(INSTALLED)  ## the short runs of chapter 7: deterministic lite data, two and eight minutes, three seeds each
	for budget in 2m 8m; do for seed in 1 2 3; do \
		$(BIN)/srvp-lite train lite-deterministic --time-budget $$budget --seed $$seed --threads 1 --val-interval 500 \
			--out runs/budgets/$$budget-$$seed --auto-resume || exit 1; \
	done; done
	$(BIN)/python book/_scripts/collect_budgets.py

# On a rented GPU or Colab: the paper's data set within a time budget, scored on its official test set, packed up.
BUDGET = 25m
SPEEDRUN = runs/speedrun
speedrun: $(INSTALLED)  ## train Stochastic Moving MNIST within BUDGET=25m on a GPU, score it, pack it; go on if interrupted
	$(BIN)/srvp-lite train smmnist-speedrun --time-budget $(BUDGET) --out $(SPEEDRUN) --auto-resume $(SPEEDRUN_OPTIONS)
	$(BIN)/srvp-lite evaluate $(SPEEDRUN) --protocol paper --out $(SPEEDRUN)/results.json $(EVALUATE_OPTIONS)
	$(BIN)/srvp-lite export $(SPEEDRUN) --out $(SPEEDRUN)/export

costs: $(INSTALLED)  ## measure what each chapter costs to run, for its first cell (an idle machine, please)
	$(BIN)/python book/_scripts/measure_costs.py

release: $(INSTALLED)  ## write VERSION=1.2.3 into all files that name a version; says what is left to do
	$(BIN)/python book/_scripts/release.py $(VERSION)

clean:  ## remove what was built; .venv and runs stay
	rm -rf _build

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed; \
	$(PYTHON) is {sys.version.split()[0]}. Name another one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -e '.[dev]' -c constraints.txt
	@touch $@
