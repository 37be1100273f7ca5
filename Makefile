# What people type often. Everything is in ./run, tools/ and pyproject.toml; this only calls it.
PYTHON = .venv/bin/python3
PYTEST = $(PYTHON) -m pytest

.PHONY: help test unit lint format types golden lock bench clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

test:  ## set-up, lint, types and all tests; root or sudo
	./run test

unit:  ## the tests that need no root
	$(PYTEST) tests/unit tests/golden

lint:  ## ruff and shellcheck
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	shellcheck run tools/packages tools/kernel tools/lock .ci/run

format:  ## write the code as ruff wants it
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

types:  ## mypy
	.venv/bin/mypy
	.venv/bin/mypy benchmarks

golden:  ## write the golden files anew; look at the difference before committing it
	UPDATE_GOLDEN=1 $(PYTEST) tests/golden

lock:  ## newest allowed versions into constraints.txt
	tools/lock --upgrade

bench:  ## measure the default campaign; root or sudo
	./run bench

clean:  ## what tools wrote, but for .venv and results
	rm -rf .mypy_cache .pytest_cache .ruff_cache build *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
