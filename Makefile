# The commands of this project. `make` alone lists them. GNU make and Python 3.11 or newer are all they need; the rest
# goes into .venv, in the versions of constraints.txt.

PYTHON = python3
VENV = .venv

BIN := $(abspath $(VENV))/bin
INSTALLED := $(VENV)/.installed
FRESH := _build/.fresh

# Notebooks call `srvp-lite` and `python`: those of the virtual environment.
export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help book test lab train-lite budgets speedrun costs clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

book: $(FRESH)  ## install what is missing, run the chapters that changed, build _build/html
	rm -rf _build/html
	$(BIN)/jupyter-book build --all -W -n --keep-going .
	@echo
	@echo "The book is built. Open $(CURDIR)/_build/html/index.html in a browser."

test: book  ## build the book, then test the package, the chapters and the pages
	OMP_NUM_THREADS=1 $(BIN)/pytest tests notebooks --nbval-lax --nbval-current-env --nbval-cell-timeout 600 \
		-n 2 --dist loadfile

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
	$(BIN)/python book/collect_budgets.py

# On a rented GPU or Colab: the paper's data set within a time budget, scored on its official test set, packed up.
BUDGET = 25m
SPEEDRUN = runs/speedrun
speedrun: $(INSTALLED)  ## train Stochastic Moving MNIST within BUDGET=25m on a GPU, score it, pack it; go on if interrupted
	$(BIN)/srvp-lite train smmnist-speedrun --time-budget $(BUDGET) --out $(SPEEDRUN) --auto-resume $(SPEEDRUN_OPTIONS)
	$(BIN)/srvp-lite evaluate $(SPEEDRUN) --protocol paper --out $(SPEEDRUN)/results.json $(EVALUATE_OPTIONS)
	$(BIN)/srvp-lite export $(SPEEDRUN) --out $(SPEEDRUN)/export

costs: $(INSTALLED)  ## measure what each chapter costs to run, for its first cell (an idle machine, please)
	$(BIN)/python book/measure_costs.py

clean:  ## remove what was built; .venv and runs stay
	rm -rf _build

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed; \
	$(PYTHON) is {sys.version.split()[0]}. Name another one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -e '.[dev]' -c constraints.txt
	@touch $@

# What the chapters' outputs depend on beside their own cells: when it changes, all chapters run again.
$(FRESH): $(INSTALLED) $(shell find srvp_lite data -type f -not -name '*.pyc' -not -name '*.md')
	rm -rf _build/.jupyter_cache
	@mkdir -p _build && touch $@
