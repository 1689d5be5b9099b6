"""Real Nextflow runs: of the pipeline itself, or of a copy whose scripts only record how they were called."""

import csv
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass
class Run:
    """A finished run: exit status, all it printed, and its folder."""

    status: int
    output: str
    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def started(self) -> bool:
        return any((self.folder / "work").glob("*/*")) or "Submitted process" in self.output

    def tasks(self, name: str = "") -> list[dict]:
        """Rows of the trace whose task name begins with ``name``."""
        with open(self.results / "pipeline_info" / "trace.tsv", encoding="utf-8") as trace:
            return [row for row in csv.DictReader(trace, delimiter="\t") if row["name"].startswith(name)]

    def statuses(self) -> dict[str, str]:
        return {row["name"]: row["status"] for row in self.tasks()}


def started(folder: Path, *arguments, pipeline: Path = ROOT, command: str = "run") -> subprocess.Popen:
    """Nextflow, started in ``folder``, where its work and results go too; it and its tasks are a process group."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"NXF_ANSI_LOG": "false", "NXF_DISABLE_CHECK_LATEST": "true",
                                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.Popen([ROOT / "tools/nextflow", command, pipeline / "main.nf", *map(str, arguments)], cwd=folder,
                            env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True)


def ended(process: subprocess.Popen, folder: Path) -> Run:
    """What came of a run, after its end."""
    try:
        output, _ = process.communicate(timeout=1500)
    except BaseException:  # a test that is given up leaves no run behind
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return Run(process.returncode, output, folder)


def nextflow(folder: Path, *arguments, pipeline: Path = ROOT, command: str = "run") -> Run:
    """Run Nextflow in ``folder`` until its end."""
    return ended(started(folder, *arguments, pipeline=pipeline, command=command), folder)


def copy_pipeline(folder: Path, with_scripts: bool) -> Path:
    """The pipeline as it is now, so that a change of the code during a test does not disturb it."""
    folder.mkdir()
    for name in ["main.nf", "nextflow.config", "nextflow_schema.json"]:
        shutil.copy(ROOT / name, folder)
    for name in ["conf", "modules", "subworkflows", *(["bin"] if with_scripts else [])]:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def recorded(tmp_path) -> Path:
    return copy_recorded(tmp_path / "pipeline")


def copy_recorded(folder: Path) -> Path:
    """A copy of the pipeline in which recording_stage.py stands for every script."""
    copy = copy_pipeline(folder, with_scripts=False)
    (copy / "bin").mkdir()
    for script in (ROOT / "bin").glob("*.py"):
        shutil.copy(Path(__file__).with_name("recording_stage.py"), copy / "bin" / script.name)
        (copy / "bin" / script.name).chmod(0o755)
    return copy
