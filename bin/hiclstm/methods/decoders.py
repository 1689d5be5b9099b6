"""Decoders that turn the vectors of two bins into their contacts: LSTM, CNN, FC, trained alike on given vectors.

All have one hidden layer of the same number of units and one linear output, see the same inputs (the two vectors of a
pair and, of its neighbours in the row, what their structure lets them see) and take the same steps of the same
optimiser on the same tiles of the map. With R the vectors and (i, j) a pair:

    fc    score = w softsign(A R_i + B R_j + b) + c                      each pair by itself
    cnn   score = w softsign(A R_i + sum_k B_k R_{j+k} + b) + c          a moving filter along the row, k = -2..2
    lstm  the paper's layer-norm LSTM, walking the row in frames of 150 bins

``likelihood="probability"`` is the paper's form: the score is the logit of equation 1's contact probability, the loss
its mean squared error. ``likelihood="counts"`` is a Poisson likelihood of the raw counts with the balancing weights as
offsets; the score is then the logarithm of the expected balanced contacts and has a learned curve of distance added,
for every decoder alike, because counts span orders of magnitude with distance.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .. import kernels
from ..contacts import ContactMap, contacts_from_probability
from ..genome import Bins
from ..kernels.plain import pair_losses
from ..model import FRAME, HiCLSTM, ModelConfig, distance_basis
from ..model.network import KNOTS
from ..training.decay import DistanceDecay, start_from_distance_decay

DECODERS = ("lstm", "cnn", "fc")
HIDDEN = 8
WINDOW = 5  # bins under the CNN's filter
STEPS = 1000
TILES_PER_STEP = 16  # 256 frames
RATE = 0.01  # for the first half of the steps, then a tenth, as the paper trains
CLIP = 10.0
# Standard deviations of noise added to the vectors at every step: without it a decoder learns the vectors of its training
# rows by heart. Chosen of 0, 0.1, 0.3, 0.6 on chr21 of the libraries HIC001 + HIC002 (50 kb), for all methods alike.
NOISE = 0.3


class RowLSTM(HiCLSTM):
    """The paper's LSTM without vectors of its own: they are given."""

    def __init__(self, size: int, hidden: int, likelihood: str, seed: int):
        config = ModelConfig("decoder", size, hidden, likelihood, distance_term=likelihood == "counts", pair_term=False)
        super().__init__(config, Bins((), (), 1), seed)

    def loss(self, vectors, pairs, tiles, likelihood, width, threads):
        projections = self.project(vectors, whole_frames(width))
        return kernels.loss(projections, pairs, tiles, likelihood=likelihood, width=width, threads=threads)

    def score_rows(self, vectors, width: int, first: int, last: int, threads: int) -> np.ndarray:
        projections = self.project(vectors, whole_frames(width))
        return kernels.score_pairs_of_rows(projections, len(vectors), width, first, last, threads=threads)


class PairNetwork(nn.Module):
    """The fully connected and the convolutional decoder, which differ in how many partner bins a unit sees."""

    def __init__(self, size: int, hidden: int, likelihood: str, seed: int, window: int):
        super().__init__()
        random = torch.Generator().manual_seed(seed)

        def uniform(*shape, inputs):
            return nn.Parameter((torch.rand(*shape, generator=random) * 2 - 1) * inputs**-0.5)

        self.row = uniform(hidden, size, inputs=size * (1 + window))
        self.column = uniform(hidden, size, window, inputs=size * (1 + window))
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.output = uniform(hidden, inputs=hidden)
        self.output_bias = nn.Parameter(torch.zeros(1))
        if likelihood == "counts":
            self.distance_bias = nn.Parameter(torch.zeros(KNOTS))

    def score_tiles(self, vectors, tiles: kernels.Tiles) -> torch.Tensor:
        """Scores of some tiles: [m, 150, 16]; pairs past the chromosome's end are to be masked."""
        n = len(vectors)
        row_part = vectors @ self.row.T
        column_part = functional.conv1d(vectors.T[None], self.column, self.bias, padding="same")[0].T
        rows = torch.as_tensor(tiles.row, dtype=torch.int64)[:, None] + torch.arange(kernels.LANES)
        distances = torch.as_tensor(tiles.distance, dtype=torch.int64)[:, None] + torch.arange(FRAME)
        columns = rows[:, None, :] + distances[:, :, None]
        hidden = row_part[rows.clamp(max=n - 1)][:, None] + column_part[columns.clamp(max=n - 1)]
        score = functional.softsign(hidden) @ self.output + self.output_bias
        if hasattr(self, "distance_bias"):
            basis = distance_basis(distances.reshape(-1)).to(vectors.dtype)
            score = score + (basis @ self.distance_bias).view(*distances.shape, 1)
        return score

    def loss(self, vectors, pairs, tiles, likelihood, width, threads):
        filled = kernels.fill_tiles(pairs, tiles, width, likelihood, threads)
        target, exposure = (torch.as_tensor(part) for part in filled)
        losses = pair_losses(self.score_tiles(vectors, tiles), target, exposure, likelihood)
        return losses.sum(), int((exposure > 0).sum())

    def score_rows(self, vectors, width: int, first: int, last: int, threads: int) -> np.ndarray:
        band = np.full((last - first, whole_frames(width)), np.nan, np.float32)
        every = kernels.tiles(len(vectors), width)
        some = every.choose((every.row + kernels.LANES > first) & (every.row < last))
        with torch.no_grad():
            for at in range(0, len(some.row), 64):
                part = some.choose(slice(at, at + 64))
                for row, distance, tile in zip(part.row, part.distance, self.score_tiles(vectors, part).numpy(),
                                               strict=True):
                    low, high = max(row, first), min(row + kernels.LANES, last)
                    band[low - first:high - first, distance:distance + FRAME] = tile.T[low - row:high - row]
        band = band[:, :width]
        band[np.arange(first, last)[:, None] + np.arange(width) >= len(vectors)] = np.nan
        return band


def whole_frames(width: int) -> int:
    """``width`` rounded up to whole frames, for the curves of distance."""
    return -(-width // FRAME) * FRAME


def decoder(kind: str, size: int, hidden: int, likelihood: str, seed: int) -> nn.Module:
    """A new decoder: ``kind`` is one of :data:`DECODERS`."""
    if kind == "lstm":
        return RowLSTM(size, hidden, likelihood, seed)
    return PairNetwork(size, hidden, likelihood, seed, WINDOW if kind == "cnn" else 1)


def standardised(vectors: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Each component to mean 0 and standard deviation 1 over usable bins; zeros for missing bins.

    The methods' vectors differ in scale by orders of magnitude; one learning rate has to suit them all.
    """
    spread = vectors[usable].std(0)
    out = np.zeros(vectors.shape, np.float32)
    out[usable] = (vectors[usable] - vectors[usable].mean(0)) / np.where(spread > 1e-6, spread, np.inf)
    return out


def train_decoder(kind: str, vectors: np.ndarray, contact_map: ContactMap, rows: np.ndarray, *, width: int,
                  likelihood: str = "probability", hidden: int = HIDDEN, seed: int = 1, steps: int = STEPS,
                  threads: int = 1) -> nn.Module:
    """Train a decoder on some rows of a map, the vectors held fixed.

    Parameters
    ----------
    vectors : float32 [N, size], standardised
    rows : bool [N], the rows to learn from: whole tiles of 16 rows, counted from each chromosome's start
    width : distances to learn from, in bins
    """
    bins = contact_map.bins
    network = decoder(kind, vectors.shape[1], hidden, likelihood, seed)
    parts = []
    for name in bins.chromosomes:
        span = bins.span(name)
        tiles = kernels.tiles(span.stop - span.start, width)
        tiles = tiles.choose(np.add.reduceat(rows[span], np.arange(0, span.stop - span.start, kernels.LANES))[
            tiles.row // kernels.LANES] > 0)
        if len(tiles.row):
            parts.append((torch.from_numpy(vectors[span]), kernels.Pairs.of(contact_map, name), tiles))
    level = 1.0
    if likelihood == "counts":
        weight = np.where(rows, contact_map.weight, np.nan)
        start_from_distance_decay(network, DistanceDecay.of(replace(contact_map, weight=weight), width))
        own = np.repeat(rows, np.diff(contact_map.starts))
        level = max(float(contact_map.counts[own].mean()), 1e-3) if own.any() else 1.0
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    random, shaking = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    share = np.array([len(tiles.row) for _, _, tiles in parts], float)
    for step in range(steps):
        own, pairs, tiles = parts[random.choice(len(parts), p=share / share.sum())]
        chosen = np.sort(random.choice(len(tiles.row), min(TILES_PER_STEP, len(tiles.row)), replace=False))
        shaken = own + NOISE * torch.randn(own.shape, generator=shaking)
        loss, valid = network.loss(shaken, pairs, tiles.choose(chosen), likelihood, width, threads)
        if not valid:
            continue
        optimiser.zero_grad(set_to_none=True)
        (loss / (valid * level)).backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        for group in optimiser.param_groups:
            group["lr"] = RATE if step < steps / 2 else RATE / 10
        optimiser.step()
    return network.requires_grad_(False)


def expected_rows(network: nn.Module, vectors: np.ndarray, first: int, last: int, *, width: int, likelihood: str,
                  scale: float = 1.0, threads: int = 1) -> np.ndarray:
    """Expected balanced contacts of rows ``first`` to ``last`` (half-open) of a chromosome: float32 [rows, width].

    Parameters
    ----------
    vectors : float32 [n, size], of the whole chromosome, standardised
    scale : what balanced values are multiplied by before equation 1
    """
    score = network.score_rows(torch.from_numpy(np.ascontiguousarray(vectors)), width, first, last, threads)
    if likelihood == "counts":
        return np.exp(np.minimum(score, 30))
    return (contacts_from_probability(1 / (1 + np.exp(-score.astype(np.float64)))) / scale).astype(np.float32)
