"""Tasks as jobs of a real Slurm, where there is one: jobs in arrays, a GPU for training alone, and jobs that it refuses."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from conftest import Run, nextflow

pytestmark = pytest.mark.pipeline

# A remark stands for the request of a GPU, so that a cluster without GPUs takes it too.
FOR_A_GPU, FOR_ALL = "--comment=for-a-gpu", "--nice=1"


@pytest.fixture
def partition() -> str:
    """A partition of the Slurm here; without one the test is skipped, and says how to have it."""
    if shutil.which("sbatch") is None:
        pytest.skip("sbatch: not on PATH, the pipeline was NOT run on Slurm; run the tests where jobs can be submitted")
    found = subprocess.run(["sinfo", "--noheader", "--state=idle,mixed,allocated", "--format=%R"],
                           text=True, capture_output=True)
    if not found.stdout.strip():
        pytest.skip(f"sinfo: no partition has a node that is up, the pipeline was NOT run on Slurm {found.stderr.strip()}")
    return found.stdout.split()[0]


@pytest.fixture
def sheet(tmp_path) -> Path:
    (tmp_path / "a.txt").write_text("map")
    (tmp_path / "b.txt").write_text("killed")  # its first attempt at training
    (tmp_path / "sheet.csv").write_text("cell_type,replicate,contacts,resolutions\nA,1,a.txt,10000;50000\nA,2,b.txt,10000\n")
    return tmp_path / "sheet.csv"


def on_slurm(folder: Path, pipeline: Path, sheet: Path, partition: str, *arguments) -> Run:
    return nextflow(folder, "-profile", "slurm,gpu", "--input", sheet, "--queue", partition, "--max_cpus", 1,
                    "--max_memory", "1.GB", *arguments, pipeline=pipeline)


def requests(run: Run) -> list[tuple[str, str]]:
    """Of every submitted job, array and task of an array: its name, and what its script asks Slurm for."""
    scripts = [path.read_text() for path in run.folder.glob("work/*/*/.command.run")]
    asked = [" ".join(re.findall(r"^#SBATCH (.+)$", text, re.MULTILINE)) for text in scripts]
    return [(re.search(r"-J (nf-\S+)", options)[1], options) for options in asked]


@pytest.mark.parametrize("arrays", [False, True])
def test_training_alone_asks_for_a_gpu(tmp_path, recorded, sheet, partition, arrays):
    (tmp_path / "site.config").write_text("process.array = 3\n" if arrays else "")
    run = on_slurm(tmp_path, recorded, sheet, partition, f"--gpu_options={FOR_A_GPU}", f"--cluster_options={FOR_ALL}",
                   "--gpu_slots", 2, "-c", tmp_path / "site.config")
    assert run.status == 0, run.output
    assert len([row for row in run.tasks("TRAIN_MODEL") if row["status"] == "COMPLETED"]) == 3
    asked = requests(run)
    assert len(asked) >= len(run.tasks()) > 15
    for name, options in asked:
        assert FOR_ALL in options and f"-p {partition}" in options, name
        assert (FOR_A_GPU in options) == name.startswith("nf-TRAIN_MODEL"), name
    assert any("--array 0-2" in options for name, options in asked if name.startswith("nf-TRAIN_MODEL")) == arrays
    # Killed once, the training went on from where its first attempt was.
    first, second = run.tasks("TRAIN_MODEL (A_2")
    called = json.loads(Path(second["workdir"], "called.json").read_text())["options"]
    assert called["--resume-from"] == [first["workdir"]] and called["--device"] == ["cuda"]


def test_a_refused_job_ends_the_run_with_the_words_of_slurm(tmp_path, recorded, sheet, partition):
    begun = time.monotonic()
    run = on_slurm(tmp_path, recorded, sheet, partition, "--gpu_options=--gres=no-such-thing:1")
    assert run.status != 0
    assert re.search(r"sbatch: error: .*(gres|configuration)", run.output), run.output
    assert "TRAIN_MODEL never began: what the scheduler said stands in .nextflow.log" in run.output
    assert {row["status"] for row in run.tasks("PREPARE_CONTACTS")} == {"COMPLETED"}
    assert time.monotonic() - begun < 300
