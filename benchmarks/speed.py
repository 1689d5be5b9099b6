#!/usr/bin/env python3
"""Pairs per second of the kernels beside the ways to do the same in PyTorch and beside what the machine could do.

Everything is measured in one run. Variants take turns and the fastest turn of each counts, so that what else the
machine does touches all of them alike; one thread's time is the processor time it used, two threads' the time that
passed. A pair is one step of the LSTM; a training step is forward, loss and the gradient of every parameter
(``kernel``: of the projections, which is where the time goes; ``kernel, whole step``: of every parameter). The model is
the paper's (hidden 8, layer norm active, squared error of the contact probability) unless a variant says otherwise.
210 x 150 are 13 tiles of 16 frames for the kernel, 208 frames.
"""

import argparse
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bin"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from hiclstm import kernels  # noqa: E402
from hiclstm.files import whole  # noqa: E402
from hiclstm.genome import Bins  # noqa: E402
from hiclstm.kernels import plain  # noqa: E402
from hiclstm.model import FRAME, HiCLSTM, ModelConfig  # noqa: E402

FLOATING_POINT_OPERATIONS = 3650  # per pair of a training step at hidden 8, forward and backward
BINS = 3500


def simulated_pairs(bins: int, seed: int = 1, within: int = 3000) -> kernels.Pairs:
    """Counts that fall with distance, Poisson: some 20 on the diagonal, one contact in 150 pairs at 3,000 bins."""
    random = np.random.default_rng(seed)
    columns, counts, sizes = [], [], []
    rate = 20 / (1 + np.arange(within))
    for row in range(bins):
        drawn = random.poisson(rate[:bins - row])
        there = np.nonzero(drawn)[0]
        columns.append((row + there).astype(np.int32))
        counts.append(drawn[there].astype(np.float32))
        sizes.append(len(there))
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    weight = random.uniform(0.5, 1.5, bins).astype(np.float32)
    return kernels.Pairs(starts, np.concatenate(columns), np.concatenate(counts), weight)


class Loop(nn.Module):
    """The decoder as the paper's authors write it: vectors of a pair joined, one layer-norm LSTM cell a step."""

    def __init__(self, bins: int, size: int = 16, hidden: int = 8):
        super().__init__()
        self.vectors = nn.Embedding(bins, size)
        self.input, self.recurrent = nn.Linear(2 * size, 4 * hidden), nn.Linear(hidden, 4 * hidden, bias=False)
        self.input_norm, self.recurrent_norm = nn.LayerNorm(4 * hidden), nn.LayerNorm(4 * hidden)
        self.cell_norm, self.output = nn.LayerNorm(hidden), nn.Linear(hidden, 1)
        self.hidden = hidden

    def cell(self, pair, h, c):
        q = self.input_norm(self.input(pair)) + self.recurrent_norm(self.recurrent(h))
        enter, forget, leave = torch.sigmoid(q[:, :3 * self.hidden]).chunk(3, 1)
        c = self.cell_norm(forget * c + enter * functional.softsign(q[:, 3 * self.hidden:]))
        h = leave * functional.softsign(c)
        return torch.sigmoid(self.output(h)), h, c

    def forward(self, rows, columns, cell=None):
        h = c = torch.zeros(len(rows), self.hidden)
        row, out = self.vectors(rows), []
        for step in range(columns.shape[1]):
            y, h, c = (cell or self.cell)(torch.cat([row, self.vectors(columns[:, step])], 1), h, c)
            out.append(y)
        return torch.cat(out, 1)


def machine_floor():
    """A function that does fused multiply-adds on vectors in registers, as fast as one core can, and their number."""
    import numba

    from hiclstm.kernels.simd import address, fused, load, registers, store

    chains, rounds = 12, 200_000

    @numba.njit(nogil=True)
    def multiply_add(numbers, rounds):
        pointer = address(numbers)
        factor, term = load(pointer, 0), load(pointer, 16)
        sums = registers(factor, 12)
        for chain in range(12):
            sums[chain] = load(pointer, chain)
        for _ in range(rounds):
            for chain in range(12):
                sums[chain] = fused(sums[chain], factor, term)
        for chain in range(12):
            store(pointer, 32 + 16 * chain, sums[chain])

    numbers = np.full(32 + 16 * chains, 0.5, np.float32)
    multiply_add(numbers, 1)
    return functools.partial(multiply_add, numbers, rounds), 2 * 16 * chains * rounds


class Bench:
    """Variants that take turns; the fastest turn of each counts."""

    def __init__(self):
        self.variants = []  # key, amount of work a call, function, calls a turn

    def add(self, work, variant, batch, threads, amount, function, calls=1):
        self.variants.append([(work, variant, batch, threads), amount, function, calls, np.inf])

    def run(self, turns: int) -> dict:
        for _ in range(turns):
            for one in self.variants:
                clock = time.process_time if one[0][3] == 1 else time.perf_counter
                for _ in range(one[3]):
                    began = clock()
                    one[2]()
                    one[4] = min(one[4], clock() - began)
        return {key: amount / seconds for key, amount, _, _, seconds in self.variants}


def gradients_of(model, loss):
    model.zero_grad(set_to_none=True)
    loss.backward()


def add_batch(bench: Bench, frames: int, pairs: kernels.Pairs, compiled: bool) -> None:
    """All variants for one batch of frames: training and inference."""
    batch, random = f"{frames}x{FRAME}", np.random.default_rng(frames)
    rows = torch.from_numpy(random.integers(0, BINS - 3 * FRAME, frames))
    columns = rows[:, None] + torch.arange(FRAME)
    target = torch.rand(frames, FRAME)
    loop = Loop(BINS)
    amount = frames * FRAME

    def train_loop(cell=None):
        gradients_of(loop, (loop(rows, columns, cell) - target).square().mean())

    def infer_loop(cell=None):
        with torch.no_grad():
            loop(rows, columns, cell)

    bench.add("train", "per-step loop", batch, 1, amount, train_loop)
    bench.add("infer", "per-step loop", batch, 1, amount, infer_loop)
    if compiled:
        cell = torch.compile(loop.cell)
        train_loop(cell)
        infer_loop(cell)
        bench.add("train", "torch.compile of the cell", batch, 1, amount, lambda: train_loop(cell))
        bench.add("infer", "torch.compile of the cell", batch, 1, amount, lambda: infer_loop(cell))

    every = kernels.tiles(BINS, BINS)
    every = every.choose(every.row + every.distance + FRAME + kernels.LANES <= BINS)  # full tiles: every pair counts
    tiles = every.choose(np.sort(random.permutation(len(every.row))[:frames // kernels.LANES]))
    amount = len(tiles.row) * kernels.LANES * FRAME
    for name, config in (("", ModelConfig.named("paper")), (", default model", ModelConfig.named("default"))):
        model = HiCLSTM(config, Bins(("chr1",), (BINS,), 1))
        options = dict(likelihood=config.likelihood, width=BINS)
        projections = model.project(model.vectors(0), BINS)
        leaves = type(projections)(*(tensor.detach().requires_grad_(tensor.requires_grad) for tensor in projections))

        def kernel(threads, leaves=leaves, options=options):
            kernels.loss(leaves, pairs, tiles, threads=threads, **options)  # the gradients are made with the loss

        def whole_step(threads, model=model, options=options):
            value, count = kernels.loss(model.project(model.vectors(0), BINS), pairs, tiles, threads=threads,
                                        **options)
            gradients_of(model, value / count)

        def infer(threads, leaves=leaves):
            with torch.no_grad():
                kernels.scores(leaves, tiles, threads=threads)

        for threads in (1, 2):
            bench.add("train", f"kernel{name}", batch, threads, amount, functools.partial(kernel, threads), 5)
            bench.add("train", f"kernel, whole step{name}", batch, threads, amount,
                      functools.partial(whole_step, threads), 5)
            bench.add("infer", f"kernel{name}", batch, threads, amount, functools.partial(infer, threads), 5)
        if not name:
            trick = [leaves, tiles, pairs]

    def train_trick():
        projections, tiles, pairs = trick
        plain.loss_and_gradients(projections, pairs, tiles, "probability", BINS, True, None, 1, None, False)

    bench.add("train", "projection trick, eager", batch, 1, amount, train_trick)
    bench.add("infer", "projection trick, eager", batch, 1, amount, lambda: plain.scores(*trick[:2], True, None, 1))
    for threads in (1, 2):
        bench.add("load", "tiles from sparse rows", batch, threads, amount,
                  lambda threads=threads: kernels.fill_tiles(pairs, tiles, BINS, "probability", threads), 5)


def whole_runs(sizes, threads: int, epochs: int):
    """(bins, pairs of all steps, seconds) of TRAIN_MODEL processes, start-up included."""
    from hiclstm.contacts import write_cool

    for bins in sizes:
        with tempfile.TemporaryDirectory() as folder:
            pairs = simulated_pairs(bins)
            pixels = pd.DataFrame({"bin1_id": np.repeat(np.arange(bins), np.diff(pairs.starts)),
                                   "bin2_id": pairs.columns, "count": pairs.counts.astype(np.int32)})
            path = Path(folder) / "bench_1.50000.cool"
            write_cool(path, Bins(("chr1",), (bins * 50_000,), 50_000), pairs.weight.astype(float), pixels,
                       {"cell_type": "bench", "replicate": "1", "sample": "bench_1.50000", "raw": True})
            command = [sys.executable, str(ROOT / "bin/train_model.py"), "--contacts", str(path), "--model", "paper",
                       "--epochs", str(epochs), "--least-steps", "1", "--threads", str(threads),
                       "--max-distance", "whole", "--output", folder]
            began = time.perf_counter()
            subprocess.run(command, check=True)
            yield bins, epochs * bins * (bins + 1) / 2, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7, help="turns of each variant; the fastest counts (default 7)")
    parser.add_argument("--frames", default="210,2000", help="batches, in frames (default 210,2000)")
    parser.add_argument("--whole-runs", default="3500,25000", metavar="BINS,...",
                        help="chromosomes of whole TRAIN_MODEL runs, 10 epochs (default 3500,25000; '' for none)")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/speed.tsv")
    given = parser.parse_args()

    torch.set_num_threads(1)
    if kernels.backend() != "simd":
        sys.exit(f"the fast kernels cannot run here (backend: {kernels.backend()}): there is nothing to measure")
    compiler = shutil.which("c++") or shutil.which("g++")
    if not compiler:
        print("torch.compile is left out: there is no C++ compiler here", file=sys.stderr)
    bench, pairs = Bench(), simulated_pairs(BINS)
    multiply_add, operations = machine_floor()
    bench.add("train", "machine floor", "", 1, operations / FLOATING_POINT_OPERATIONS, multiply_add, 5)
    frames = [int(number) for number in given.frames.split(",")]
    for number in frames:
        add_batch(bench, number, pairs, bool(compiler))
    speed = bench.run(given.turns)
    for bins, amount, seconds in whole_runs([int(n) for n in given.whole_runs.split(",") if n], 2, 10):
        speed["train", f"TRAIN_MODEL of {bins} bins, start to finish, kernel", "", 2] = amount / seconds

    floor = speed["train", "machine floor", "", 1]
    rows = []
    for (work, variant, batch, threads), rate in speed.items():
        loop = speed.get((work, "per-step loop", batch or f"{frames[-1]}x{FRAME}", 1), np.nan)
        share = rate / (floor * threads) if work == "train" else np.nan
        rows.append([work, variant, batch, threads, rate, rate / loop, share])
    columns = ["work", "variant", "batch", "threads", "pairs_per_s", "ratio_to_loop", "fraction_of_floor"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.sort_values(["work", "batch", "pairs_per_s"], ascending=[False, True, True])
    with whole(given.output) as beside:
        table.to_csv(beside, sep="\t", index=False, float_format="%.4g")
    print(table.to_string(index=False, float_format=lambda number: f"{number:.4g}"))


if __name__ == "__main__":
    main()
