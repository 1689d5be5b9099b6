#!/usr/bin/env python3
"""Memory and time that one epoch over a 10 kb map of a human genome takes, from one run.

Makes a map of the 22 autosomes of hg19 (288,091 bins; Poisson counts that fall with distance, about as many non-zero
pixels as a map of 100 million contacts has) and trains on it with bin/train_model.py in a process of its own: one epoch,
pairs up to 2,000 bins apart. The default model reads every chromosome from both ends, so that its epoch has twice the
pairs. Written are, for each model, the non-zero pixels, the pairs of the epoch, the seconds of its steps alone
(``training_s``) and of the whole process, the processor time of the whole process, and the most memory that it held.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bin"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from hiclstm.contacts import write_cool  # noqa: E402
from hiclstm.files import whole  # noqa: E402
from hiclstm.genome import Bins  # noqa: E402

SIZES = (249_250_621, 243_199_373, 198_022_430, 191_154_276, 180_915_260, 171_115_067, 159_138_663, 146_364_022,
         141_213_431, 135_534_747, 135_006_516, 133_851_895, 115_169_878, 107_349_540, 102_531_392, 90_354_753,
         81_195_210, 78_077_248, 59_128_983, 63_025_520, 48_129_895, 51_304_566)
RESOLUTION, BAND = 10_000, 2_000
CONTACTS_AT_ONE_BIN = 50.0  # expected of a pair of neighbours; 1 / (distance + 1) of it further away
ROWS_AT_ONCE = 4_000


def pixels(bins: Bins, random: np.random.Generator, found: list[int]):
    """Tables of Poisson counts, a block of rows at a time; their lengths are added to ``found``.

    Instead of a draw for each pair, of which nearly all are zero: as many contacts as the rows have in all, each at a
    distance of its own, and those of one pair counted.
    """
    for name in bins.chromosomes:
        span = bins.span(name)
        n = span.stop - span.start
        reached = np.cumsum(CONTACTS_AT_ONE_BIN / (1 + np.arange(n)))
        for first in range(0, n, ROWS_AT_ONCE):
            rows = min(ROWS_AT_ONCE, n - first)
            contacts = random.poisson(reached[-1] * rows)
            row = first + random.integers(0, rows, contacts)
            column = row + np.searchsorted(reached, random.uniform(0, reached[-1], contacts), side="right")
            pair, counts = np.unique((row * n + column)[column < n], return_counts=True)
            found.append(len(pair))
            yield pd.DataFrame({"bin1_id": pair // n + span.start, "bin2_id": pair % n + span.start,
                                "count": counts.astype(np.int32)})


def write_genome(path: Path, chromosomes: int, seed: int) -> tuple[Bins, int]:
    """A map as PREPARE_CONTACTS writes it: its bins and its number of non-zero pixels."""
    sizes = SIZES[-chromosomes:]
    names = tuple(f"chr{k}" for k in range(len(SIZES) - chromosomes + 1, len(SIZES) + 1))
    bins, found, random = Bins(names, sizes, RESOLUTION), [], np.random.default_rng(seed)
    weight = random.uniform(0.7, 1.4, len(bins))
    write_cool(path, bins, weight, pixels(bins, random, found),
               {"cell_type": "simulated", "replicate": "1", "sample": path.name.removesuffix(".cool"), "raw": True})
    return bins, sum(found)


def train(path: Path, model: str, threads: int) -> tuple[pd.DataFrame, float, float, float]:
    """One epoch in a process of its own: log, seconds that passed, processor seconds, most resident memory in bytes."""
    command = [sys.executable, str(ROOT / "bin/train_model.py"), "--contacts", str(path), "--model", model, "--epochs", "1",
               "--least-steps", "1", "--threads", str(threads), "--output", str(path.parent / model)]
    began = time.perf_counter()
    child = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"train_model.py ended with exit status {child.returncode}")
    log = pd.read_csv(path.parent / model / f"{path.stem}.training.tsv", sep="\t")
    return log, time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="default,paper", help="which, separated by commas (default default,paper)")
    parser.add_argument("--chromosomes", type=int, default=len(SIZES), help="the last so many of the autosomes (default 22)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/memory.tsv")
    given = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "genome_1.10000.cool"
        bins, non_zero = write_genome(path, given.chromosomes, given.seed)
        lengths = np.diff(bins.offsets)
        in_band = int(sum(n * min(n, BAND) - min(n, BAND) * (min(n, BAND) - 1) // 2 for n in lengths))
        print(f"{len(bins):,} bins, {non_zero:,} non-zero pixels, {in_band:,} pairs in the band", file=sys.stderr)
        for model in given.models.split(","):
            log, seconds, processor, memory = train(path, model, given.threads)
            pairs = in_band * (2 if model == "default" else 1)
            between = np.diff(log["seconds"], prepend=0)
            speed = float((log["pairs_per_second"] * between).sum() / between.sum())
            rows.append([model, given.threads, len(bins), non_zero, pairs, pairs / speed, speed, seconds, processor,
                         memory / 1e9])
    table = pd.DataFrame(rows, columns=["model", "threads", "bins", "non_zeros", "pairs", "training_s", "pairs_per_s",
                                        "whole_process_s", "processor_s", "peak_memory_gb"])
    with whole(given.output) as beside:
        table.to_csv(beside, sep="\t", index=False, float_format="%.4g")
    print(table.to_string(index=False, float_format=lambda number: f"{number:.4g}"))


if __name__ == "__main__":
    main()
