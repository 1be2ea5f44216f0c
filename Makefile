# The one entry for people and CI. Needs python3 (>= 3.11) and, for the C runner, a C compiler; never calls apt or sudo.
PYTHON ?= python3
BIN := .venv/bin
MINUTES ?= 8
FIND_LINKS := $(if $(PIP_FIND_LINKS),--find-links "$(PIP_FIND_LINKS)")
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt $(FIND_LINKS)

.PHONY: demo test check format bench slow peers clean

demo: .venv/ready
	$(BIN)/nextword make --minutes $(MINUTES)

test: .venv/ready-dev
	$(BIN)/pytest -n 2 -m "not slow"

check: .venv/ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: .venv/ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

slow: .venv/ready-dev
	$(BIN)/pytest -m slow --timeout 3600

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(INSTALL) --editable .
	touch $@

.venv/ready-dev: .venv/ready
	$(INSTALL) --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv .peers build dist
