# Every target works alone on a fresh machine with Python 3.11 or newer: it makes the virtual environment,
# installs, and builds the page (with the machine's Node, or with one from PyPI).

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PAGE_SOURCES := $(shell find frontend -type f -not -path '*/node_modules/*' 2>/dev/null)
FAST_PATH_SOURCE := src/web_terminal_suite/server/worker/_fast_path.pyx
# What every terminal can be measured with and people feel; with six others installed it takes 34 minutes.
COMPARED := keystroke_echo time_to_prompt/warm output_flood typing_under_flood interrupt_under_flood stalled_reader paste \
	execute_echo_simple create_session_basic session_memory_footprint pty_output_to_websocket_messages/1MB

.PHONY: bench test comparison serve check clean

bench: $(VENV)/.bench ## the suite against our own server: targets and verdicts, within three minutes
	$(BIN)/web-terminal bench

test: $(VENV)/.dev ## style and types, then every test, the page's in its own language too
	$(BIN)/ruff check src tests hatch_build.py
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --dist loadgroup

comparison: $(VENV)/.dev ## our terminal beside every other that is installed here, as docs/comparison.md and its page
	$(BIN)/web-terminal bench --terminal all --sample-size 3000 --measurement-time 3 $(COMPARED) --json .web-terminal-bench/comparison.json; test $$? -ne 2 -a $$? -ne 4
	$(BIN)/web-terminal report .web-terminal-bench/comparison.json --format comparison --output docs/comparison.md
	$(BIN)/web-terminal report .web-terminal-bench/comparison.json --brief --output docs/comparison.html

serve: $(VENV)/.bench ## a terminal on this machine; prints its URL
	$(BIN)/web-terminal serve

check: $(VENV)/.dev ## style and types only
	$(BIN)/ruff check src tests hatch_build.py
	$(BIN)/mypy

clean: ## remove everything that is made
	rm -rf $(VENV) dist build frontend/node_modules src/web_terminal_suite/server/page src/web_terminal_suite/bench/report/page
	rm -f src/web_terminal_suite/server/worker/_fast_path.*.so

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.bench: $(VENV)/bin/python pyproject.toml hatch_build.py $(PAGE_SOURCES) $(FAST_PATH_SOURCE)
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@

$(VENV)/.dev: $(VENV)/.bench
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@
