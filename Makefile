# Each target sets up all it needs. Python: make PYTHON=python3.13 …; where the environment lies: make VENV=/somewhere/venv …

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
PYTEST_ARGS ?= -n 2 --dist worksteal
BENCH_ARGS ?=

BIN = $(VENV)/bin
RUN = "$(BIN)/python"
export PORT PYTHON VENV

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-reset test soak lint bench messages lock

help:
	@echo "make demo        the whole of Insyn with made-up data, on http://127.0.0.1:$(PORT)/"
	@echo "make demo-reset  throw the demo's data away"
	@echo "make test        all tests (PYTEST_ARGS=… for some)"
	@echo "make soak        100,000 made-up worlds and 1,000 kills of erasures (CASES=… KILLS=… SEED=…)"
	@echo "make lint        style, types, layers, templates, API document"
	@echo "make setup       the virtual environment alone"
	@echo "make bench       measurements against plain SQL and COPY (BENCH_ARGS=--help tells which)"
	@echo "make messages    collect and compile translations (needs GNU gettext)"
	@echo "make lock        compile the lock files anew (needs uv)"

setup:
	@./scripts/install development

demo:
	@./scripts/install demo
	@exec $(RUN) -m config.demo up

demo-reset:
	@./scripts/install demo
	@exec $(RUN) -m config.demo reset

test: setup
	@exec $(RUN) -m pytest $(PYTEST_ARGS)

soak: setup
	@exec $(RUN) -m tests.engine.soak

lint: setup
	@exec ./scripts/lint

bench: setup
	@exec $(RUN) -m bench $(BENCH_ARGS)

messages: setup
	@exec ./scripts/messages

lock:
	@exec ./scripts/lock
