# The commands of this project. `make help` lists them.
# Only Python 3.11 or newer and make are needed: `make setup` makes .venv and puts everything else into it.

VENV := .venv
BIN := $(VENV)/bin
# Reads as up to date as long as neither the lock nor the project's own metadata has changed since.
STAMP := $(VENV)/.setup-done

# Which pythons `make setup` tries, best first; `make setup PYTHON=/path/to/python` names one.
PYTHON ?= python3.13 python3.12 python3.11 python3

# Two to four test processes with one thread each beat one process with many threads, and do not
# fight each other for the cores. `make test TEST_ARGS="-k merge"` runs a part, in one process.
TEST_ARGS ?= --numprocesses auto --maxprocesses 4 --dist worksteal
test: export OMP_NUM_THREADS ?= 1
test: export MKL_NUM_THREADS ?= 1

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup browser demo test docs docs-serve lint format wheel check-wheel lock clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with everything, as locked (a few GB on Linux: torch brings its CUDA libraries)

$(STAMP): requirements.lock pyproject.toml
	@if $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  quiet=--quiet; \
	else \
	  quiet=; chosen=; old=; venvless=; \
	  for candidate in $(PYTHON); do \
	    if ! "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	      old="$$old $$candidate"; \
	    elif ! "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then \
	      venvless="$$venvless $$candidate"; \
	    else \
	      chosen="$$candidate"; break; \
	    fi; \
	  done; \
	  if [ -z "$$chosen" ] && [ -n "$$venvless" ]; then \
	    echo "make setup:$$venvless cannot make virtual environments;" \
	      "install its venv module (Debian, Ubuntu: apt-get install python3-venv) and try again." >&2; \
	    exit 2; \
	  elif [ -z "$$chosen" ]; then \
	    echo "make setup: none of$$old runs as Python 3.11 or newer;" \
	      "install one, or name it: make setup PYTHON=/path/to/python3" >&2; \
	    exit 2; \
	  fi; \
	  echo "Making $(VENV) with $$("$$chosen" --version)."; \
	  "$$chosen" -m venv --clear $(VENV) || exit 2; \
	fi; \
	echo "Installing what requirements.lock pins into $(VENV)."; \
	$(BIN)/python -m pip install $$quiet --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## Make a small data set, train on it, evaluate, predict: the whole job in minutes
	$(BIN)/spatialflow demo

browser: ## Install Debian's Chromium, if there is no browser for the tests of the web page
	@.ci/browser

test: setup browser ## Run all tests
	$(BIN)/python -m pytest $(TEST_ARGS)

lint: setup ## Check style, format, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Put all code into the one format, and fix what can be fixed without thought
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

# The theme advertises its successor on each build.
docs docs-serve: export NO_MKDOCS_2_WARNING := 1

docs: setup ## Build the documentation into site/, strictly: broken links and undocumented names fail
	$(BIN)/python -m mkdocs build --strict --quiet
	@echo "site/index.html"

docs-serve: setup ## Show the documentation at localhost:8000 while you write it
	$(BIN)/python -m mkdocs serve

wheel: setup ## Build the source archive, and from it the wheel, into dist/; check what is inside
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/python .ci/wheel_contents.py dist

check-wheel: wheel ## Install the wheel into an empty environment and predict with it
	.ci/check-wheel dist

lock: setup ## Pin every dependency anew where it must be; UPGRADE=1 takes the newest of all
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --no-annotate --no-emit-index-url --custom-compile-command "make lock" \
	  --quiet $(if $(UPGRADE),--upgrade) --output-file requirements.lock

clean: ## Remove what is built or cached (not .venv)
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find src tests benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} +
