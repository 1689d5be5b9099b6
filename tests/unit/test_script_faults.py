"""What a machine may do to a script: end it in mid-training, run out of disk or of memory. Nothing half-made is left."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from test_training import small_map

from hiclstm import errors
from hiclstm.contacts import library, write_cool
from hiclstm.contacts.library import Request, read_apart
from hiclstm.errors import run
from hiclstm.export import write_bedgraph, write_bigwig, write_pixels, write_representations
from hiclstm.files import MARGIN
from hiclstm.genome import Bins
from hiclstm.metrics import MetricsTable
from hiclstm.model import HiCLSTM, ModelConfig
from hiclstm.prediction import TrainedModel
from hiclstm.training.checkpoint import save_checkpoint

BIN = Path(__file__).resolve().parents[2] / "bin"


# A training that is killed

def training(contacts: Path, output: Path, *more) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, BIN / "train_model.py", "--contacts", contacts, "--smoothness", "0.3",
                             "--epochs", "8", "--least-steps", "800", "--output", output, *more],
                            stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> tuple[Path, dict]:
    """A folder with the map and the checkpoints of a training that was killed, and the weights of one that was not."""
    folder = tmp_path_factory.mktemp("killed")
    contact_map, _ = small_map()
    rows = np.repeat(np.arange(90), np.diff(contact_map.starts))
    pixels = pd.DataFrame({"bin1_id": rows, "bin2_id": contact_map.columns, "count": contact_map.counts.astype(int)})
    write_cool(folder / "x.cool", contact_map.bins, contact_map.weight, pixels, {"sample": "x"})
    first = training(folder / "x.cool", folder / "killed")
    until = time.monotonic() + 300
    while not (folder / "killed/checkpoint.previous.pt").exists() and first.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    first.kill()
    first.communicate()
    assert first.returncode == -signal.SIGKILL
    undisturbed = training(folder / "x.cool", folder / "whole")
    _, said = undisturbed.communicate(timeout=300)
    assert undisturbed.returncode == 0, said
    return folder, weights(folder / "whole")


def weights(folder: Path) -> dict:
    return torch.load(folder / "x.model.pt", weights_only=True)["state"]


@pytest.mark.parametrize("damaged", [False, True])
def test_a_killed_training_goes_on_from_its_checkpoint_or_the_one_before(killed, tmp_path, damaged):
    folder, expected = killed
    own = tmp_path / "own"
    shutil.copytree(folder / "killed", own)
    assert not list(own.glob("x.*"))  # nothing that could be taken for a result
    reached = torch.load(own / "checkpoint.pt", weights_only=True)["epoch"]
    if damaged:
        newest = own / "checkpoint.pt"
        newest.write_bytes(newest.read_bytes()[:-1000])
    second = training(folder / "x.cool", own, "--resume-from", own)
    _, said = second.communicate(timeout=300)
    assert second.returncode == 0, said
    assert f"continuing after epoch {reached - damaged} of 8" in said
    assert ("checkpoint.pt: cannot be read" in said) == damaged
    found = weights(own)
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


# A disk that is full

BINS = Bins(("chr1",), (30_000_000,), 10_000)
N = len(BINS)
RANDOM = np.random.default_rng(0)
VECTORS = RANDOM.normal(size=(N, 16)).astype(np.float32)
USABLE = np.ones(N, bool)


def pixels(dtype: str) -> pd.DataFrame:
    first, second = np.triu_indices(300)
    return pd.DataFrame({"bin1_id": first, "bin2_id": second, "count": RANDOM.integers(1, 99, len(first)).astype(dtype)})


def metrics(path: Path) -> None:
    table = MetricsTable("a", "1", 10_000, "train")
    for k in range(5000):
        table.add("default", "loss", k)
    table.write(path)


WRITERS = {
    "x.cool": lambda path: write_cool(path, BINS, np.ones(N), pixels("int32"), {}),
    "x.predicted.mcool": lambda path: write_pixels(path, BINS, pixels("float32"), USABLE, {}),
    "x.model.pt": lambda path: TrainedModel(HiCLSTM(ModelConfig.named("default"), BINS), BINS, USABLE, {}).save(path),
    "checkpoint.pt": lambda path: save_checkpoint(path.parent, {"weights": torch.from_numpy(VECTORS)}),
    "x.representations.parquet": lambda path: write_representations(BINS, VECTORS, USABLE, path, path.with_suffix(".h5ad"),
                                                                    {}),
    "x.metrics.tsv": metrics,
    "x.attribution.bw": lambda path: write_bigwig(path, BINS, RANDOM.random(N)),
    "x.attribution.bedGraph": lambda path: write_bedgraph(path, BINS, RANDOM.random(N)),
}


def in_a_child(action, report: Path, largest: int | None = None) -> tuple[int, str]:
    """Do something as a script would, in a forked process: its exit status (negative: a signal), and what it said."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hictkpy's: its logger would not work in the child
        child = os.fork()
    if child == 0:
        sys.stderr = open(report, "w")
        if largest:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        status = 1
        try:
            run(action)
            status = 0
        except SystemExit as end:
            status = end.code
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), report.read_text()


@contextlib.contextmanager
def small_disk(folder: Path, size: int):
    """A file system of some bytes; needs leave to mount."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here ({done.stderr.strip()}): full disks are tested by a limit only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_cannot_be_written_whole_is_not_there(tmp_path, name):
    folder = tmp_path / "limited"
    folder.mkdir()
    (folder / name).write_text("the file of an earlier run")
    before = set(folder.iterdir())
    status, said = in_a_child(lambda: WRITERS[name](folder / name), tmp_path / "said", largest=20_000)
    assert (status, said.count("\n")) == (2, 1), said
    assert "cannot be written: it would become larger than files may be here" in said
    assert set(folder.iterdir()) == before and (folder / name).read_text() == "the file of an earlier run"


def test_on_a_full_disk_nothing_is_written(tmp_path):
    with small_disk(tmp_path / "disk", 40_000) as disk:
        for name, write in WRITERS.items():
            status, said = in_a_child(lambda write=write, name=name: write(disk / name), tmp_path / "said")
            assert (status, said.count("\n")) == (2, 1), (name, said)
            assert "cannot be written: the disk is full" in said
            assert not list(disk.iterdir()), name


def test_a_disk_that_fills_up_while_a_map_is_written(tmp_path):
    """HDF5 crashes the process where a write fails: there must be room for each piece before it is written."""
    table = pixels("int32")

    def pieces():
        for row in range(0, N, 100):
            at = table[(table["bin1_id"] >= row) & (table["bin1_id"] < row + 100)]
            (tmp_path / "disk" / f"another run's {row}").write_bytes(bytes(2_000_000))
            yield at

    with small_disk(tmp_path / "disk", MARGIN + 5_000_000) as disk:
        big = Bins(("chr1",), (N * 10_000,), 10_000)
        status, said = in_a_child(lambda: write_cool(disk / "x.cool", big, np.ones(N), pieces(), {}), tmp_path / "said")
        assert (status, said.count("\n")) == (2, 1) and "x.cool: cannot be written: the disk is full" in said
        assert not list(disk.glob("*.cool")) and not list(disk.glob(".*"))


def test_a_script_says_in_one_line_that_its_folder_cannot_be_written(tmp_path):
    (tmp_path / "a.txt").write_text("".join(f"{k * 10_000}\t{m * 10_000}\t{9}\n" for k in range(60) for m in range(k, 60)))
    (tmp_path / "file").touch()
    done = subprocess.run([sys.executable, BIN / "prepare_contacts.py", "--contacts", f"{tmp_path}/a.txt::chr1",
                           "--cell-type", "X", "--resolution", "10000", "--output", tmp_path / "file/results"],
                          capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "file/results: a part of its path is no folder" in done.stderr


# Memory that runs out

def full(*_):
    raise MemoryError


def shot(*_):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("reader", [full, shot])
def test_a_reader_without_memory_is_not_taken_for_a_damaged_file(tmp_path, reader):
    with pytest.raises(MemoryError, match="x.hic cannot be read with so little"):
        read_apart("x.hic", Request(10_000), tmp_path, reader=reader)


@pytest.mark.parametrize("problem", [
    MemoryError("Unable to allocate 9 TiB for an array"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes")])
def test_memory_that_runs_out_has_the_exit_status_that_is_tried_again(tmp_path, problem):
    def fails():
        raise problem

    status, said = in_a_child(fails, tmp_path / "said")
    assert status == errors.OUT_OF_MEMORY == 137 and said.count("\n") == 1
    assert said.startswith("error: memory ran out: ") and "9" in said
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        run(lambda: (_ for _ in ()).throw(RuntimeError("a mistake of ours")))


def test_a_full_disk_is_not_taken_for_a_damaged_file(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    sent = []
    library._child(type("Pipe", (), {"send": staticmethod(sent.append)}), "x.hic", Request(10_000), tmp_path, refuse)
    assert sent == [("refused", f"{tmp_path}: the contacts of x.hic cannot be kept here: the disk is full")]


def test_a_gpu_with_little_memory_gets_smaller_portions():
    """In Triton's interpreter: whoever asks for more than two tiles at once is told that memory ran out."""
    pytest.importorskip("triton")
    program = """
import torch, test_kernels as t
from hiclstm.kernels import gpu
walk, asked = gpu._Walk.__init__, []
def limited(self, projections, tiles, *rest, **more):
    asked.append(len(tiles.row))
    if len(tiles.row) > 2:
        raise torch.OutOfMemoryError("CUDA out of memory")
    walk(self, projections, tiles, *rest, **more)
gpu._Walk.__init__ = limited
gpu.FEWEST_AT_ONCE, gpu.TILES_AT_ONCE = 1, 4
model, (pairs, dense) = t.network("counts", bins=37), t.observed(37)
expected, number = t.defined_loss(model, pairs, dense, 11)
value, found = t.kernel_loss(model, pairs, 11)
assert found == number and asked == [3, 2, 1], asked
t.assert_close(t.gradients(model, value), t.gradients(model, expected), 1e-6)
gpu.FEWEST_AT_ONCE = gpu.TILES_AT_ONCE = 4
try:
    t.kernel_loss(model, pairs, 11)
    raise SystemExit("it did not give up")
except torch.OutOfMemoryError:
    pass
"""
    from test_kernels import run_python
    run_python(program, TRITON_INTERPRET="1", HICLSTM_KERNEL="gpu")
