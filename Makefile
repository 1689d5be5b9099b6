# make demo    the whole pipeline on simulated cell types -> results/report.html
# make test    every test: Python, real Nextflow runs, strict lint; nf-test where it is installed
# make real    the tests and the pipeline on the public data beside the project -> results-real/report.html
# make clean   remove runs and caches, keep the environment

SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export OMP_NUM_THREADS ?= 1

.PHONY: demo test real lint setup setup-test clean

demo: setup
	tools/nextflow run main.nf -profile demo -resume
	@echo "Open results/report.html"

test: setup-test lint
	@if command -v nf-test >/dev/null; then PATH="$(CURDIR)/tools:$$PATH" nf-test test; else echo "nf-test: not on PATH, its tests were SKIPPED"; fi
	python -m pytest -q -n 2 --dist loadfile -m "not real" tests

real: setup-test
	python -m pytest -q -m real tests
	@if [ -d ../shared/data ]; then tools/nextflow run main.nf --input tests/real/samplesheet.csv --outdir results-real -resume; \
	else echo "../shared/data: not found, the run on real data was SKIPPED"; fi

lint: setup-test
	ruff check bin tests
	tools/nextflow-lint

setup:
	@tools/setup

setup-test:
	@tools/setup test

clean:
	rm -rf work results results-real .nextflow .nextflow.log* .nf-test .nf-test.log .pytest_cache .ruff_cache
