# `make tables` and `make test` each set everything up in .venv and then do their job.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: tables test lint clean

tables: $(VENV)/installed
	$(BIN)/snakemake --cores all results/tables.tex

test: $(VENV)/installed
	$(BIN)/pytest

lint: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

# A venv is made anew when the pinned versions change; a half-made one has no mark and is made again.
$(VENV)/installed: pyproject.toml setup.py constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cman needs Python 3.11 or newer, found " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .snakemake
