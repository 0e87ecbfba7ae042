# Set-up happens once, in .venv, and again when setup.py or constraints.txt changed. Every target may be the first one you run.

VENV   := .venv
BIN    := $(VENV)/bin
KEY    := $(shell cat setup.py constraints.txt | cksum | cut -d' ' -f1)
READY  := $(VENV)/ready-$(KEY)
SUDO   := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
ROOT   ?= ./seedbed-data
# More for pip, such as an index with a smaller torch where no GPU is: make run PIP_OPTIONS="--extra-index-url ..."
PIP_OPTIONS ?=

.PHONY: run test test-engines test-others test-all check bench dist setup java clean
.DEFAULT_GOAL := run

run: setup java  ## grow digits into ./seedbed-data/digits, end with the headline and the report's path
	$(BIN)/seedbed run digits --root $(ROOT)

test: setup java  ## the tests that take minutes, not hours; those that use Spark or Ray beside all others
	@$(MAKE) --no-print-directory -j2 test-engines test-others

test-engines: setup java
	@$(BIN)/python -m pytest -m "not slow and engines"

test-others: setup java  # shown once they have ended
	@log=$$(mktemp); $(BIN)/python -m pytest -m "not slow and not engines" >$$log 2>&1; ended=$$?; cat $$log; rm $$log; exit $$ended

test-all: setup java  ## every test
	$(BIN)/python -m pytest

check: setup  ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup java  ## every benchmark: tables here, JSON in bench-results/
	@mkdir -p bench-results
	@set -e; for bench in $(or $(BENCH),$(wildcard tests/bench/bench_*.py)); do \
	  echo "== $$bench"; $(BIN)/python "$$bench" --out "bench-results/$$(basename "$$bench" .py).json"; \
	done

dist: setup  ## dist/seedbed.zip, which spark-submit (--py-files) and Ray (--working-dir) ship; a wheel is such a zip
	@rm -rf build dist/seedbed* && mkdir -p dist
	@$(BIN)/pip --quiet --disable-pip-version-check wheel --no-deps --wheel-dir dist .
	@mv dist/seedbed-*.whl dist/seedbed.zip && rm -rf build
	@echo dist/seedbed.zip

clean:  ## remove the set-up and what was built, never data
	rm -rf $(VENV) build dist *.egg-info

# ---- set-up ----

setup: $(READY)

# The first Python of 3.11 or 3.12 that answers, pyenv's among them.
$(READY):
	@set -e; \
	for name in $(PYTHON) python3.12 python3.11 python3 python $$(ls -d $$HOME/.pyenv/versions/3.1[12].*/bin/python 2>/dev/null | sort -rV); do \
	  if "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Seedbed needs Python 3.11 or 3.12 and found neither. Install one (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.12; anywhere: pyenv install 3.12), or name it: make run PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  package=python3.$$("$$python" -c 'import sys; print(sys.version_info[1])')-venv; \
	  echo "$$python has no venv module: installing $$package"; \
	  { command -v apt-get >/dev/null && $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq "$$package" >/dev/null; } || \
	  { echo "Seedbed needs Python's venv module. Install it (Debian, Ubuntu: apt-get install $$package), then run make again." >&2; exit 1; }; \
	fi; \
	echo "Setting up $(VENV) with $$($$python -V): once, some minutes (about 7 GB, most of it torch)"; \
	$(BIN)/python -m pip --version >/dev/null 2>&1 || "$$python" -m venv --clear $(VENV); \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_OPTIONS) -c constraints.txt -e '.[dev]'
	@rm -f $(VENV)/ready-* && touch $@

# Spark 4 needs Java 17 or newer.
JAVA_IS_NEW_ENOUGH = java=$${JAVA_HOME:+$$JAVA_HOME/bin/}java; \
  major=$$("$$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1); [ "$${major:-0}" -ge 17 ]

java:
	@if $(JAVA_IS_NEW_ENOUGH); then exit 0; fi; \
	echo "Spark needs Java 17 or newer: installing it"; \
	if command -v apt-get >/dev/null; then \
	  $(SUDO) apt-get update -qq; \
	  for package in openjdk-17-jre-headless openjdk-21-jre-headless default-jre-headless; do \
	    $(SUDO) apt-get install -y -qq $$package >/dev/null 2>&1 && break; \
	  done; \
	elif command -v dnf >/dev/null; then $(SUDO) dnf install -y -q java-17-openjdk-headless || $(SUDO) dnf install -y -q java-21-openjdk-headless; \
	elif command -v brew >/dev/null; then brew install --quiet openjdk@17 && $(SUDO) ln -sfn "$$(brew --prefix)/opt/openjdk@17/libexec/openjdk.jdk" /Library/Java/JavaVirtualMachines/openjdk-17.jdk; \
	fi; \
	if ! { $(JAVA_IS_NEW_ENOUGH); }; then \
	  echo "Seedbed needs Java 17 or newer and could not install it. Install it yourself (Debian, Ubuntu: apt-get install openjdk-17-jre-headless; Fedora: dnf install java-17-openjdk-headless; macOS: brew install openjdk@17; anywhere: https://adoptium.net), or set JAVA_HOME to one, then run make again." >&2; exit 1; \
	fi
