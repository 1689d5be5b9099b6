"""What a machine may do to a run: end it in mid-training, give a task too little memory, start a second one beside it."""

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import Run, copy_recorded, ended, nextflow, started

pytestmark = pytest.mark.pipeline

# Ends the first attempt at preparing a file that begins with "large" as if the machine's memory were full, and has training
# wait for as long as there is a file "wait" (a minute at most).
WRAPPER = """#!/usr/bin/env python3
import os, runpy, sys, time
from pathlib import Path
folder, stage = Path({folder!r}), Path(sys.argv[0]).stem
if stage == "prepare_contacts":
    file = Path(sys.argv[2].split("::")[0])
    if file.read_text().startswith("large") and not (folder / "tried").exists():
        (folder / "tried").touch()
        os._exit(137)
if stage == "train_model":
    (folder / "training").touch()
    for _ in range(600):
        if not (folder / "wait").exists():
            break
        time.sleep(0.1)
runpy.run_path({recording!r})
"""
# Names a shell would take for something else, a sheet's quotes, and a way out of the folder.
HOSTILE = {"peaks": "it's $(touch hacked) `touch hacked`; \"p\" & <b>.bed",
           "variants": "../data/v $(touch hacked) 'x' | y.vcf", "after": "after && touch hacked.txt",
           "sequence": "g*?[a] \\ #.fa", "small": "-rf --contacts $(id) x.txt"}


@dataclass
class Story:
    """One run that is killed, and started again with -resume while another one tries to use its folder."""

    killed_trace: list[str]
    again: Run
    second: Run
    calls: dict[str, dict]


def wait_for(path: Path, process: subprocess.Popen) -> None:
    until = time.monotonic() + 300
    while not path.exists():
        assert process.poll() is None and time.monotonic() < until, f"{path.name} did not appear"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Story:
    folder = tmp_path_factory.mktemp("faults")
    pipeline = copy_recorded(folder / "pipeline")
    for stage in ("prepare_contacts", "train_model"):
        script = pipeline / "bin" / f"{stage}.py"
        recording = script.rename(folder / f"{stage}.py")
        script.write_text(WRAPPER.format(folder=str(folder), recording=str(recording)))
        script.chmod(0o755)
    (folder / "more.config").write_text("trace.fields = 'task_id,hash,name,tag,status,exit,attempt,memory,workdir'\n")
    data = folder / "data"
    data.mkdir()
    for name, text in {"a.txt": "a", "large.txt": "large", "bad.txt": "broken",
                       **{name: "hostile" for name in HOSTILE.values()}}.items():
        (data / name).write_text(text)
    quoted = {what: '"' + name.replace('"', '""') + '"' for what, name in HOSTILE.items()}
    (data / "sheet.csv").write_text("cell_type,replicate,contacts,resolutions\nA,1,a.txt,10000\nLarge,1,large.txt,10000\n"
                                    "Bad,1,bad.txt,10000\n")
    (data / "known.csv").write_text(f"cell_type,element,file\n*,ctcf,{quoted['peaks']}\n")
    (data / "small.csv").write_text("cell_type,replicate,contacts,base,variants,after\n"
                                    f"S,1,{quoted['small']},A_1,{quoted['variants']},{quoted['after']}\n")
    (data / "other.csv").write_text("cell_type,replicate,contacts,resolutions\nOther,1,a.txt,10000\n")
    arguments = ["--input", "data/sheet.csv", "--annotations", "data/known.csv", "--transfer", "data/small.csv",
                 "--variants", data / HOSTILE["variants"], "--fasta", data / HOSTILE["sequence"], "--compare", "false",
                 "-c", "more.config"]
    (folder / "wait").touch()
    first = started(folder, *arguments, pipeline=pipeline)
    wait_for(folder / "training", first)
    time.sleep(2)  # what has ended before is written down by now
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    killed_trace = [path.name for path in (folder / "results/pipeline_info").glob("trace*")]

    (folder / "training").unlink()
    again = started(folder, *arguments, "-resume", pipeline=pipeline)
    try:
        wait_for(folder / "training", again)
        second = nextflow(folder, "--input", "data/other.csv", pipeline=pipeline)
    finally:
        (folder / "wait").unlink()
    again = ended(again, folder)
    calls = {row["name"]: json.loads((Path(row["workdir"]) / "called.json").read_text())["options"]
             for row in again.tasks() if (Path(row["workdir"]) / "called.json").exists()}
    return Story(killed_trace, again, second, calls)


def test_a_run_that_was_killed_is_resumed(story):
    statuses = story.again.statuses()
    assert statuses["PREPARE_CONTACTS (A_1.10000)"] == "CACHED"
    assert statuses["TRAIN_MODEL (A_1.10000)"] == "COMPLETED"
    assert statuses["RECONSTRUCT_MAP (A_1.10000)"] == statuses["REPORT"] == "COMPLETED"
    # Its trace kept the name it has while a run lasts; the next run in the folder cleared it away.
    assert len(story.killed_trace) == 1 and story.killed_trace[0] != "trace.tsv"
    assert [path.name for path in (story.again.results / "pipeline_info").glob("trace*")] == ["trace.tsv"]


def test_a_second_run_in_one_folder_is_refused_and_leaves_the_first_alone(story):
    assert story.second.status != 0
    assert "--outdir results: another run is writing there" in story.second.output
    assert "Submitted process" not in story.second.output and "Exception" not in story.second.output
    # The first one's report has its own failures, and only these.
    reason = "PREPARE_CONTACTS, exit status 2: contacts.txt: is broken, expected a contact map"
    report = (story.again.results / "report.html").read_text()
    assert json.loads(report.splitlines()[0]) == {"Bad_1.10000": reason}
    assert story.again.status != 0 and f"Bad_1.10000 failed. {reason}" in story.again.output
    assert not (story.again.results / "Other").exists()


def test_a_task_killed_for_memory_gets_more(story):
    """Killed in the first run or in the second, whichever tried first."""
    folders = [Path(line.split("\t")[-1]) for line in
               (story.again.results / "pipeline_info/trace.tsv").read_text().splitlines() if "(Large_1.10000)" in line]
    assert story.again.statuses()["TRAIN_MODEL (Large_1.10000)"] == "COMPLETED" and folders
    kept = [row for row in story.again.tasks("PREPARE_CONTACTS") if row["tag"] == "Large_1.10000"][-1]
    ordinary = next(row for row in story.again.tasks("PREPARE_CONTACTS") if row["tag"] == "A_1.10000")
    assert (ordinary["attempt"], kept["attempt"]) == ("1", "2")
    assert (ordinary["memory"], kept["memory"]) == ("3 GB", "6 GB")


def test_names_of_files_stay_names(story):
    """In the annotation and transfer sheets and as parameters: the scripts are given files of these names and no others."""
    own = {what: Path(name).name for what, name in HOSTILE.items()}
    assert not list(story.again.folder.rglob("hacked*"))
    tuned = story.calls["TRANSFER_MODEL (S_1.10000)"]
    assert tuned["--variants"] == [f"variants/{own['variants']}"]
    assert story.calls["PREPARE_CONTACTS (S_1.10000)"]["--contacts"][0].endswith("/" + own["small"])
    assert story.calls["PREPARE_CONTACTS (S_1after.10000)"]["--contacts"][0].endswith("/" + own["after"])
    changed = story.calls["PERTURB_GENOME (A_1.10000)"]
    assert changed["--variants"] == [f"variants/{own['variants']}"]
    assert story.calls["ATTRIBUTE_POSITIONS (A_1.10000)"]["--fasta"] == [f"genome/{own['sequence']}"]
    row = next(row for row in story.again.tasks("ATTRIBUTE_POSITIONS") if row["tag"] == "A_1.10000")
    from hiclstm.elements.annotations import read_sheet
    (line,) = read_sheet(Path(row["workdir"]) / "annotations.csv", "A")
    assert line.path.name == own["peaks"] and line.path.read_text() == "hostile"


def test_an_output_folder_that_cannot_be_written_is_refused_at_launch(tmp_path):
    (tmp_path / "a.cool").touch()
    (tmp_path / "sheet.csv").write_text("cell_type,replicate,contacts\nA,1,a.cool\n")
    run = nextflow(tmp_path, "--input", "sheet.csv", "--outdir", "a.cool/results")
    assert run.status != 0 and not run.started
    said = [line for line in run.output.splitlines() if "a.cool/results" in line]
    assert len(said) == 1 and "Not a directory" in said[0] and "\tat " not in run.output


def test_an_address_that_cannot_be_fetched_ends_the_run_in_words(tmp_path):
    (tmp_path / "a.txt").write_text("map")
    (tmp_path / "sheet.csv").write_text("cell_type,replicate,contacts,resolutions\n"
                                        "A,1,a.txt,10000\nA,2,http://localhost:9/none.mcool,10000\n")
    run = nextflow(tmp_path, "--input", "sheet.csv", pipeline=copy_recorded(tmp_path / "pipeline"))
    assert run.status != 0
    assert "Can't stage file http://localhost:9/none.mcool -- reason: Connection refused" in run.output
    ran, cancelled, _ = (run.folder / ".nextflow.log").read_text().partition("Finishing pending tasks before exit")
    assert cancelled
    # what ran is not torn down; Nextflow kills what it submits after that moment
    aborted = [name for name, status in run.statuses().items() if status == "ABORTED"]
    assert not [name for name in aborted if f"Submitted process > {name}" in ran]
