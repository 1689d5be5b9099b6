# make demo    the whole pipeline on simulated cell types -> results/report.html
# make test    every test: Python, real Nextflow runs, strict lint; nf-test where it is installed
# make image   the container image of the profiles docker and podman, with whichever of the two is installed
# make real    the tests and the pipeline on the public data beside the project -> results-real/report.html
# make bench   speed of the kernels and of whole trainings -> benchmarks/speed.tsv; memory of a 10 kb genome -> memory.tsv
# make clean   remove runs and caches, keep the environment

SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export OMP_NUM_THREADS ?= 1

# How an image is built here; where that takes options of its own: make image IMAGE_BUILD="docker build --network host"
IMAGE_BUILD ?= $(notdir $(firstword $(shell command -v podman docker))) build

.PHONY: demo test real image bench lint setup setup-test clean

demo: setup
	tools/nextflow run main.nf -profile demo -resume
	@echo "Open results/report.html"

test: setup-test lint
	@if command -v nf-test >/dev/null; then PATH="$(CURDIR)/tools:$$PATH" nf-test test; else echo "nf-test: not on PATH, its tests were SKIPPED"; fi
	python -m pytest -q -n 2 --dist loadfile -m "not real" tests

real: setup-test
	python -m pytest -q -m real tests
	@if [ -d ../shared/data ]; then tools/nextflow run main.nf --input tests/real/samplesheet.csv --annotations tests/real/annotations.csv --outdir results-real -resume; \
	else echo "../shared/data: not found, the run on real data was SKIPPED"; fi

image:
	@if [ "$(firstword $(IMAGE_BUILD))" = build ]; then echo "make image: needs podman or docker; install with: apt-get install podman"; exit 1; fi
	$(IMAGE_BUILD) --tag hiclstm:$(shell cat VERSION) --file containers/Dockerfile containers

bench: setup-test
	python benchmarks/speed.py
	python benchmarks/memory.py

lint: setup-test
	ruff check bin tests
	tools/nextflow-lint

setup:
	@tools/setup

setup-test:
	@tools/setup test

clean:
	rm -rf work results results-real .nextflow .nextflow.log* .nf-test .nf-test.log .pytest_cache .ruff_cache
