# The README's two commands are `make demo` and `make test`; CI calls `make check` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501

.PHONY: help demo test test-integrations check typing format clean

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

demo: $(VENV)/.installed ## run the demo agent and its evaluation, then serve the app
	$(BIN)/weft demo --port $(PORT)

test: $(VENV)/.installed-test ## run the whole suite
	$(BIN)/python -m pytest

test-integrations: ## run the tests with libraries of other people, each in an environment of its own (ONLY=name for one)
	@sh .ci/integrations.sh "$(PYTHON)" $(ONLY)

check: $(VENV)/.installed-test typing ## ruff (lint and format) and mypy strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p weft

format: $(VENV)/.installed-test ## let ruff fix and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Type checkers cannot follow the folder-to-package mapping: give them the tree as it installs.
typing:
	@rm -rf build/typing && mkdir -p build/typing/weft
	@for path in weft/*; do ln -sfn "$(CURDIR)/$$path" "build/typing/$$path"; done
	@for name in tracking tracer evals ui; do ln -sfn "$(CURDIR)/$$name" "build/typing/weft/$$name"; done

$(VENV)/.installed: pyproject.toml
	@sh .ci/venv.sh "$(PYTHON)" "$(VENV)"
	@touch $@

$(VENV)/.installed-test: pyproject.toml $(VENV)/.installed
	@sh .ci/venv.sh "$(PYTHON)" "$(VENV)" test
	@touch $@

clean: ## remove what make made
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache
