# Every target works alone on a fresh machine with Python 3.11 or newer: it makes the virtual environment,
# installs what requirements/ locks, and builds the page (with the machine's Node, or with one from PyPI).

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WIDTHS := src/web_terminal_suite/server/screen/character_widths.json
PAGE_SOURCES := $(WIDTHS) $(shell find frontend -type f -not -path '*/node_modules/*' 2>/dev/null)
SOURCES := src tests hatch_build.py
COMPILED_SOURCES := $(shell find src/web_terminal_suite/server -name '*.pyx' -o -name '*.[ch]')
# What every terminal can be measured with and people feel; with six others installed it takes 34 minutes.
COMPARED := keystroke_echo time_to_prompt/warm output_flood typing_under_flood interrupt_under_flood stalled_reader paste \
	execute_echo_simple create_session_basic session_memory_footprint pty_output_to_websocket_messages/1MB

# Every package is compared with the hashes of the lock. The build runs in this environment, so that it is locked too.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCKED := $(INSTALL) --no-deps --require-hashes --requirement
HAS_NODE := $(BIN)/python -c 'import hatch_build; hatch_build.find_node()' 2>/dev/null
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

.PHONY: help bench test chaos comparison selfcheck serve docs check types widths lock hooks clean

help: ## every target, and what it does
	@sed -n 's/^\([a-z]*\):[^#]*## /\1: /p' $(MAKEFILE_LIST) | while IFS= read -r line; do \
		printf '%-12s%s\n' "$${line%%: *}" "$${line#*: }"; done

bench: $(VENV)/.bench ## the suite against our own server: targets and verdicts, within three minutes
	$(BIN)/web-terminal bench

test: check ## style and types, then every test with coverage, the page's in its own language too
	$(BIN)/python -m pytest -n auto --dist loadgroup --cov --cov-report=json --coverage-floors $(TEST_FLAGS)

chaos: $(VENV)/.dev ## what no failure may cost, with real processes that are killed, stopped and cut off: 45 minutes
	$(BIN)/python -m tests.chaos $(CHAOS_FLAGS)

comparison: $(VENV)/.dev ## our terminal beside every other that is installed here, as docs/comparison.md and its page
	$(BIN)/web-terminal bench --terminal all --sample-size 3000 --measurement-time 3 $(COMPARED) --json .web-terminal-bench/comparison.json; test $$? -ne 2 -a $$? -ne 4
	$(BIN)/web-terminal report .web-terminal-bench/comparison.json --format comparison --output docs/comparison.md
	$(BIN)/web-terminal report .web-terminal-bench/comparison.json --brief --output docs/comparison.html
	$(BIN)/web-terminal conformance --terminal all --format markdown --output .web-terminal-bench/conformance.md
	(echo; cat .web-terminal-bench/conformance.md) >> docs/comparison.md

selfcheck: $(VENV)/.dev ## how often the suite errs about the same code, and what it finds: hours on a quiet machine
	$(BIN)/python -m tests.bench.aa .web-terminal-bench/aa --planted 2
	$(BIN)/python -m tests.bench.history_simulation
	$(BIN)/python -m tests.bench.selfcheck_calibration
	$(BIN)/python -m tests.bench.selfcheck_against --times 40 execute_echo_simple create_session_basic keystroke_echo/tty
	$(BIN)/python -m tests.bench.selfcheck_against --times 10 --slower 50 execute_echo_simple
	$(BIN)/python -m tests.bench.selfcheck_against --times 10 --slower 20 --blocks 60 execute_echo_simple

serve: $(VENV)/.bench ## a terminal on this machine; prints its URL
	$(BIN)/web-terminal serve

docs: $(VENV)/.dev ## the parts of docs/ that are written from the source
	$(BIN)/python -m tests.server.settings_table

check: $(VENV)/.dev ## style and types only
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

lock: $(VENV)/bin/python ## write requirements/ after pyproject.toml changed; UPGRADE=1 takes the newest versions
	$(LOCKED) requirements/lock.txt
	$(COMPILE) pyproject.toml --extra bench --group dev --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --extra bench --group build --constraint requirements/dev.txt --output-file requirements/bench.txt
	$(COMPILE) --group node --output-file requirements/node.txt
	$(COMPILE) --group lock --output-file requirements/lock.txt
	$(COMPILE) --no-deps --group otava --output-file requirements/otava.txt

widths: $(VENV)/.dev ## the table of character widths, from the Unicode database that the lock pins
	$(BIN)/python -m tests.server.screen.width_table

hooks: $(VENV)/.dev ## check style and types before each commit
	$(BIN)/pre-commit install

types: $(VENV)/.dev ## TypeScript types of messages and of the report's data, from the Python declarations
	$(BIN)/python -m tests.protocol.typescript > frontend/src/messages.ts
	$(BIN)/python -m web_terminal_suite.bench.report.html.typescript > frontend/report/src/data.ts

clean: ## remove everything that is made
	rm -rf $(VENV) dist build frontend/node_modules src/web_terminal_suite/server/page src/web_terminal_suite/bench/report/page src/web_terminal_suite/bench/browser/page
	rm -f src/web_terminal_suite/server/worker/_fast_path.*.so src/web_terminal_suite/server/screen/_emulator.*.so

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.bench: $(VENV)/bin/python pyproject.toml requirements/bench.txt hatch_build.py $(PAGE_SOURCES) $(COMPILED_SOURCES)
	$(LOCKED) requirements/bench.txt
	$(HAS_NODE) || $(LOCKED) requirements/node.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.bench requirements/dev.txt requirements/otava.txt
	$(LOCKED) requirements/dev.txt
	$(LOCKED) requirements/otava.txt
	@touch $@
