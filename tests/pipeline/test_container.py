"""The container image: what names it, and the pipeline in it where it has been built (make image)."""

import re
import shutil
import subprocess

import pandas as pd
import pytest
from conftest import ROOT, copy_pipeline, nextflow

VERSION = (ROOT / "VERSION").read_text().strip()
IMAGE = f"localhost/hiclstm:{VERSION}"


def commands(text: str) -> str:
    """A recipe's text without comments and layout."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return " ".join(" ".join(lines).replace("\\", " ").split())


def test_every_name_of_the_image_carries_the_version():
    named = {"conf/docker.config": rf"'hiclstm:{VERSION}'", "conf/podman.config": f"'{IMAGE}'",
             "containers/Dockerfile": f'version="{VERSION}"', "containers/hiclstm.def": f"version {VERSION}"}
    assert [file for file, text in named.items() if text not in (ROOT / file).read_text()] == []


def test_both_recipes_install_the_same():
    docker = commands((ROOT / "containers/Dockerfile").read_text())
    apptainer = commands((ROOT / "containers/hiclstm.def").read_text())
    packages = r"--no-install-recommends (.*?python3-venv)"
    assert re.search(packages, docker)[1] == re.search(packages, apptainer)[1]
    assert "FROM docker.io/library/debian:bookworm-slim" in docker and "From: debian:bookworm-slim" in apptainer
    install = "uv pip install --quiet --no-cache --compile-bytecode --require-hashes"
    assert install in docker and install in apptainer


@pytest.fixture
def podman() -> str:
    """podman, where it has the image; else the test is skipped, and says how to have it."""
    engine = shutil.which("podman")
    if engine is None:
        pytest.skip("podman: not on PATH, the pipeline was NOT run in its container; install with: apt-get install podman")
    if subprocess.run([engine, "image", "exists", IMAGE]).returncode:
        pytest.skip(f"{IMAGE}: not built, the pipeline was NOT run in its container; build it with: make image")
    return engine


@pytest.mark.pipeline
def test_pipeline_runs_in_the_image(podman, tmp_path):
    # The pipeline's folder has no .venv, so nothing of the machine's Python can stand in for the image's.
    pipeline = copy_pipeline(tmp_path / "pipeline", with_scripts=True)
    run = nextflow(tmp_path, "-profile", "test,podman", pipeline=pipeline)
    assert run.status == 0, run.output
    assert set(run.statuses().values()) == {"COMPLETED"}
    for task in run.tasks():
        with open(f"{task['workdir']}/.command.run", encoding="utf-8") as launcher:
            assert IMAGE in launcher.read()
    assert (run.results / "report.html").stat().st_size > 0
    assert {"prepare", "train", "reconstruct"} <= set(pd.read_csv(run.results / "metrics.tsv", sep="\t")["stage"])
    versions = dict(line.split("\t") for line in (run.results / "pipeline_info/versions.tsv").read_text().splitlines())
    pins = dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", (ROOT / "containers/requirements.txt").read_text(), re.MULTILINE))
    assert {name: versions[name] for name in ("torch", "cooler")} == {name: pins[name] for name in ("torch", "cooler")}


IN_THE_IMAGE = """
import subprocess
import sys
from pathlib import Path
import matplotlib.pyplot
import pybedtools
import torch
from triton.runtime import build
sys.path.insert(0, "/pipeline/bin")
from hiclstm.model import path

barriers = path.ExtrusionPath(3, 2, torch.Generator())
barriers.offset(torch.zeros(4, 6), torch.zeros(4, 2), torch.zeros(4)).sum().backward()  # numba compiles and keeps it
assert list(Path("/tmp/numba").rglob("*.nbc"))
matplotlib.pyplot.figure().savefig("figure.svg")
loci = pybedtools.BedTool("a 1 5", from_string=True)
assert loci.intersect(pybedtools.BedTool("a 2 3", from_string=True)).count() == 1
Path("part.c").write_text("#include <Python.h>")  # as Triton does when a GPU kernel starts
build._build("part", "part.c", ".", [], [], [], [])
subprocess.run(["ps", "-e"], check=True)
"""


@pytest.mark.pipeline
def test_an_unknown_user_can_compile_draw_and_call_the_tools(podman):
    """docker -u gives tasks an account that the image does not know and, here, code that it cannot write beside."""
    done = subprocess.run([podman, "run", "--rm", "--interactive", "--user", "12345:12345", "--workdir", "/tmp", "--volume",
                           f"{ROOT}/bin:/pipeline/bin:ro", IMAGE, "python3", "-"], input=IN_THE_IMAGE,
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
