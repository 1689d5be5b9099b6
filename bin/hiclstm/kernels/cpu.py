"""The kernels' interface on the CPU: arrays and threads around the compiled walks."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch

from ..model.config import FRAME
from ..model.network import Projections
from .compilation import cpu_features
from .tiles import LANES, Pairs, Tiles
from .walk import COUNTS, PROBABILITY, UPSTREAM, fill, scratch_size, walk, walk_back

LIKELIHOOD = {"counts": COUNTS, "probability": PROBABILITY}
CACHE_LINE = 64  # bytes: scratch begins on one, so that a vector of 16 float32 never straddles two

_scratch_free: dict = {}
_scratch_lock = threading.Lock()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="hiclstm-kernel")


def _in_threads(threads: int, task) -> list:
    """``task(share)`` for every share, in as many threads; the results in order."""
    if threads == 1:
        return [task(0)]
    return list(_pool(threads).map(task, range(threads)))


class _Scratch:
    """Scratch memory of one thread, borrowed for the time of a walk."""

    def __init__(self, hidden: int, features: int, dtype):
        self.key = hidden, features, np.dtype(dtype)

    def __enter__(self) -> np.ndarray:
        with _scratch_lock:
            free = _scratch_free.setdefault(self.key, [])
            self.array = free.pop() if free else None
        if self.array is None:
            hidden, features, dtype = self.key
            size = scratch_size(hidden, features) * dtype.itemsize
            memory = np.zeros(size + CACHE_LINE, np.uint8)
            first = -memory.ctypes.data % CACHE_LINE
            self.array = memory[first:first + size].view(dtype)
        return self.array

    def __exit__(self, *_):
        with _scratch_lock:
            _scratch_free[self.key].append(self.array)


class _Network:
    """Projections as the walks want them: contiguous numpy arrays, weights packed one behind the other."""

    def __init__(self, projections: Projections, distances: int):
        arrays = Projections(*(tensor.detach().contiguous().numpy() for tensor in projections))
        gates, hidden = arrays.recurrent.shape
        if hidden not in (8, 16, 32):
            raise ValueError(f"{hidden} hidden units: the kernels know 8, 16 and 32")
        self.units = (0,) * hidden
        self.gates = gates
        self.features = len(arrays.row) - gates
        self.n = arrays.row.shape[1]
        self.dtype = arrays.row.dtype
        self.row, self.column, self.distance = arrays.row, arrays.column, arrays.distance
        if len(self.distance) < distances:
            raise ValueError(f"projections are made for {len(self.distance)} distances, {distances} are walked")
        self.weights = np.concatenate([arrays.recurrent.ravel(), arrays.gains.T.ravel(), arrays.cell.T.ravel(),
                                       arrays.output_bias])

    def gradients(self, sums: np.ndarray, row, column, distance) -> Projections:
        """The gradients of the projections from the sums over weights, [shares, weights, lanes]."""
        gates, hidden = self.gates, len(self.units)
        weights = torch.from_numpy(sums.sum((0, 2), dtype=np.float64).astype(self.dtype))
        recurrent, gains, cell, bias = weights.split([gates * hidden, 3 * gates, 3 * hidden, 1])
        return Projections(row, column, distance, recurrent.view(gates, hidden), gains.view(3, gates).T.contiguous(),
                           cell.view(3, hidden).T.contiguous(), bias)

    def scratch(self) -> _Scratch:
        return _Scratch(len(self.units), self.features, self.dtype)


def available() -> bool:
    """Whether this CPU has what the walks are fast with."""
    return {"avx2", "fma"} <= cpu_features()


def _weight_of_bins(pairs: Pairs, dtype) -> np.ndarray:
    return np.concatenate([pairs.weight, np.zeros(LANES, np.float32)]).astype(dtype)


def _index(array, dtype) -> np.ndarray:
    return np.ascontiguousarray(array, dtype)


def fill_tiles(pairs: Pairs, tiles: Tiles, width: int, likelihood: str, threads: int = 1):
    target = np.zeros((len(tiles.row), FRAME, LANES), np.float32)
    exposure = np.zeros_like(target)
    starts, columns = _index(pairs.starts, np.int64), _index(pairs.columns, np.int32)
    counts, weight = _index(pairs.counts, np.float32), _weight_of_bins(pairs, np.float32)
    row, distance = _index(tiles.row, np.int64), _index(tiles.distance, np.int64)
    _in_threads(threads, lambda share: fill(
        row, distance, share, threads, width, starts, columns, counts, weight, pairs.probability_scale,
        LIKELIHOOD[likelihood], target.reshape(-1), exposure.reshape(-1)))
    return target, exposure


def _walk_back(projections, tiles, width, use_lstm, threads, of_distance, *, pairs, likelihood, offset,
               score_gradients):
    """Loss, valid pairs, gradients of the projections; ``score_gradients`` are written or read, see ``walk_back``."""
    row, distance = _index(tiles.row, np.int64), _index(tiles.distance, np.int64)
    network = _Network(projections, _distances_walked(tiles, width, projections.row.shape[1]))
    dtype, n = network.dtype, network.n
    if pairs is None:
        pairs = Pairs(np.zeros(n + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), np.ones(n, np.float32))
    starts, columns = _index(pairs.starts, np.int64), _index(pairs.columns, np.int32)
    counts, weight = _index(pairs.counts, np.float32), _weight_of_bins(pairs, dtype)
    empty = np.zeros(0, dtype)
    offset = empty if offset is None else offset.detach().contiguous().numpy().reshape(-1)
    score_gradients = empty if score_gradients is None else score_gradients.numpy().reshape(-1)
    shares = [tuple(torch.zeros(shape, dtype=projections.row.dtype) for shape in
                    (network.row.shape, network.row.shape, network.distance.shape if of_distance else (0, 0)))
              for _ in range(threads)]
    sums = np.zeros((threads, len(network.weights), LANES), dtype)

    def task(share):
        with network.scratch() as scratch:
            return walk_back(network.units, network.features, row, distance, share, threads, width, network.row,
                             network.column, network.distance, network.weights, starts, columns, counts, weight,
                             float(pairs.probability_scale), likelihood, use_lstm, offset, score_gradients,
                             *(tensor.numpy() for tensor in shares[share]), sums[share], scratch)

    losses, valid = zip(*_in_threads(threads, task), strict=True)
    for more in shares[1:]:
        for total, part in zip(shares[0], more, strict=True):
            total += part
    row_gradient, column_gradient, distance_gradient = shares[0]
    gradients = network.gradients(sums, row_gradient, column_gradient, distance_gradient if of_distance else None)
    return sum(losses), int(sum(valid)), gradients


def _distances_walked(tiles: Tiles, width: int, n: int) -> int:
    return min(int(tiles.distance.max(initial=0)) + FRAME, width, n)


def loss_and_gradients(projections, pairs, tiles, likelihood, width, use_lstm, offset, threads, needed, offset_needed):
    score_gradients = torch.zeros_like(offset) if offset_needed else None
    loss, valid, gradients = _walk_back(
        projections, tiles, width, use_lstm, threads, needed.distance, pairs=pairs, likelihood=LIKELIHOOD[likelihood],
        offset=offset, score_gradients=score_gradients)
    return loss, valid, gradients, score_gradients


def scores_gradients(projections, tiles, upstream, use_lstm, threads, needed) -> Projections:
    return _walk_back(projections, tiles, len(projections.distance), use_lstm, threads, needed.distance, pairs=None,
                      likelihood=UPSTREAM, offset=None, score_gradients=upstream.contiguous())[2]


def _walk(projections, tiles, width, use_lstm, first_row, last_row, scores, threads) -> None:
    row, distance = _index(tiles.row, np.int64), _index(tiles.distance, np.int64)
    network = _Network(projections, _distances_walked(tiles, width, projections.row.shape[1]))

    def task(share):
        with network.scratch() as scratch:
            walk(network.units, network.features, row, distance, share, threads, width, network.row, network.column,
                 network.distance, network.weights, use_lstm, first_row, last_row, scores, scratch)

    _in_threads(threads, task)


def scores(projections, tiles, use_lstm, offset, threads) -> torch.Tensor:
    values = torch.zeros(len(tiles.row), FRAME, LANES, dtype=projections.row.dtype)
    _walk(projections, tiles, len(projections.distance), use_lstm, 0, 0, values.numpy().reshape(-1), threads)
    return values if offset is None else values + offset


def band_of_rows(projections, n, width, first_row, last_row, use_lstm, offset, threads) -> np.ndarray:
    band = np.full((last_row - first_row, width), np.nan, projections.row.numpy().dtype)
    row, distance = (grid.ravel() for grid in np.meshgrid(
        np.arange(first_row, last_row, LANES), np.arange(0, min(width, n), FRAME), indexing="ij"))
    every = Tiles(row, distance).choose(row + distance < n)
    _walk(projections, every, width, use_lstm, first_row, last_row, band.reshape(-1), threads)
    if offset is not None:
        band[:, :offset.shape[1]] += offset
    return band
