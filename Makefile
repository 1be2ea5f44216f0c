# The one entry for people and CI. Needs python3 (>= 3.11) and, for the C runner, a C compiler; never calls apt or sudo.
PYTHON ?= python3
BIN := .venv/bin
MINUTES ?= 10
FIND_LINKS := $(if $(PIP_FIND_LINKS),--find-links "$(PIP_FIND_LINKS)")
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt $(FIND_LINKS)

.PHONY: demo test check format docs bench slow peers clean

demo: .venv/ready
	$(BIN)/nextword make --assistant --minutes $(MINUTES)

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

docs: .venv/ready
	$(BIN)/python -m nextword.cli.settings_page > docs/settings.md

peers:
	benchmarks/peers/make

# Every figure with its target; each script also runs alone, and those that lack a peer or an assistant say so.
bench: .venv/ready
	unfinished=; for script in data pretrain_step runner conformance quality capacity_70b \
	    alignment_losses alignment_step labelling stages round; do \
	  $(BIN)/python benchmarks/$$script.py || unfinished="$$unfinished $$script"; \
	done; test -z "$$unfinished" || { echo "did not finish:$$unfinished"; exit 1; }

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
