"""Training in several processes: the losses and weights of one, and a share of the contacts each."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from hiclstm.contacts import ContactMap, StoredMap, write_cool
from hiclstm.errors import InputError
from hiclstm.genome import Bins
from hiclstm.simulation import expected_contacts, sequence, simulate_chromosome
from hiclstm.training import data
from hiclstm.training.data import readings_of
from hiclstm.training.processes import ALONE, Processes, started_by_torchrun

SCRIPT = Path(__file__).resolve().parents[2] / "bin/train_model.py"
BINS = Bins(("chr1", "chr2", "chr3"), (1_800_000, 1_200_000, 700_000), 10_000)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    """A `.cool` of three chromosomes of 180, 120 and 70 bins."""
    random, parts = np.random.default_rng(1), []
    for name in BINS.chromosomes:
        span = BINS.span(name)
        chromosome = simulate_chromosome(span.stop - span.start, random)
        counts = sequence(expected_contacts(chromosome), chromosome.mappable.astype(float), 400 * len(chromosome), random)
        row, distance = np.nonzero(counts)
        parts.append(pd.DataFrame({"bin1_id": row + span.start, "bin2_id": row + distance + span.start,
                                   "count": counts[row, distance]}))
    path = tmp_path_factory.mktemp("map") / "test_1.10000.cool"
    write_cool(path, BINS, np.ones(len(BINS)), pd.concat(parts, ignore_index=True), {"sample": "test_1.10000"})
    return path


def test_two_processes_of_torchrun_train_as_one(simulated, tmp_path):
    arguments = [SCRIPT, "--contacts", simulated, "--smoothness", "1", "--epochs", "2", "--least-steps", "24", "--output"]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([sys.executable, *arguments, tmp_path / "one"], check=True, capture_output=True)
    subprocess.run([sys.executable, *torchrun, *arguments, tmp_path / "two"], check=True, capture_output=True)
    one, two = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("one", "two"))
    steps, losses = zip(*(np.array(found["log"])[:, 1:3].T for found in (one, two)), strict=True)
    # every step is logged; many more and training would make differences of rounding larger than this, as threads do
    assert len(steps[0]) >= 24 and np.array_equal(*steps)
    assert np.allclose(*losses, rtol=1e-6, atol=0)
    assert one["fingerprint"] == two["fingerprint"]  # either continues what the other began
    for name, value in one["model"].items():
        assert torch.allclose(value, two["model"][name], rtol=0, atol=1e-5), name
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == \
        sorted(path.name for path in (tmp_path / "two").iterdir())


@pytest.mark.parametrize(("width", "stretch"), [(1000, 4096), (40, 4096), (20, 64)])
def test_shares_are_disjoint_parts_of_the_contacts_and_of_the_tiles(simulated, monkeypatch, width, stretch):
    monkeypatch.setattr(data, "STRETCH", stretch)
    contact_map = StoredMap.load(simulated)
    for name in BINS.chromosomes:
        one = contact_map.of_chromosome(name)
        alone = readings_of(one, 0, width, True)
        shared = [readings_of(one, 0, width, True, Processes(rank, 3)) for rank in range(3)]
        for whole, *parts in zip(alone, *shared, strict=True):
            apart = whole.pairs.columns - np.repeat(np.arange(whole.pairs.n), np.diff(whole.pairs.starts))
            assert apart.max() < whole.width <= width
            every = np.arange(len(whole.tiles.row))
            owned = [part.own(every) for part in parts]
            assert np.array_equal(np.concatenate(owned), every)
            assert np.array_equal(np.concatenate([part.pairs.counts for part in parts]), whole.pairs.counts)
            assert np.array_equal(np.concatenate([part.pairs.columns for part in parts]), whole.pairs.columns)
            for part, own in zip(parts, owned, strict=True):
                rows = np.flatnonzero(np.diff(part.pairs.starts))
                assert set(rows // 16 * 16) <= set(part.tiles.row[own])
            held = [len(part.pairs.counts) for part in parts]
            assert max(held) < 0.75 * len(whole.pairs.counts)


def test_a_stored_map_is_the_map(simulated):
    stored, whole = StoredMap.load(simulated, ["3", "chr1"]), ContactMap.load(simulated, ["3", "chr1"])
    assert stored.bins.chromosomes == whole.bins.chromosomes == ("chr1", "chr3")
    assert stored.facts == whole.facts and stored.width(50) == whole.width(50)
    assert np.array_equal(stored.weight, whole.weight)
    for name in ("chr1", "chr3"):
        one, same = stored.of_chromosome(name), whole.of_chromosome(name)
        for field in ("starts", "columns", "counts", "weight"):
            assert np.array_equal(getattr(one, field), getattr(same, field))


def test_one_process_joins_no_others(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    with started_by_torchrun("cpu") as processes:
        assert processes is ALONE and processes.total(2, 3.5) == [2, 3.5] and processes.of_first(lambda: 0.1) == 0.1


def test_more_processes_than_gpus_are_refused_in_words(monkeypatch):
    for name, value in (("WORLD_SIZE", "4"), ("RANK", "2"), ("LOCAL_RANK", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(InputError, match="sees 2 GPUs"), started_by_torchrun("cuda"):
        pass
