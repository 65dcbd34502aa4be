.PHONY: setup check test bench pictures
PYTHON ?= .venv/bin/python

setup:  ## a virtual environment with everything for development
	python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e '.[train,report,dev]'

check:  ## format, lint, types
	$(PYTHON) -m ruff format --check . && $(PYTHON) -m ruff check . && $(PYTHON) -m mypy

test:  ## the whole suite on all cores
	$(PYTHON) -m pytest -n auto --dist loadfile

bench:  ## feature extraction and network latency, written to benchmarks/results.json
	$(PYTHON) benchmarks/speed.py --out benchmarks/results.json

pictures:  ## the README's picture
	$(PYTHON) docs/pictures.py
