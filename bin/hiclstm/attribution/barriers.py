"""Two direct readings of where barriers are: the model's own barrier costs, and what the loss of a bin would change."""

import numpy as np
import torch

from ..prediction import TrainedModel
from ..simulation.chromosome import STRONG_FROM
from ..simulation.truth import Truth

NEIGHBOURHOOD = 200_000  # base pairs on either side: whose mean replaces a bin, and whose pairs across it are compared
WINDOWS_AT_ONCE = 256


def barrier_costs(model: TrainedModel) -> np.ndarray | None:
    """Forward plus reverse barrier cost of every bin: float64 [N]; None where the model has no path term."""
    if not model.config.path_reach:
        return None
    with torch.no_grad():
        costs = model.network.path.costs(torch.from_numpy(model.representations[:, model.config.free_size:]))
    return sum(cost.numpy().astype(np.float64) for cost in costs)


def knockout_effects(model: TrainedModel, usable: np.ndarray) -> np.ndarray:
    """What becomes of the pairs across a bin when its vector is replaced by its neighbourhood's mean: float64 [N].

    The mean change of the score (log contacts) of pairs of usable bins, one within 0.2 Mb to the left and one to the
    right (at least two bins each). Positive where the bin holds the two sides apart. NaN at missing bins and where a
    side has no usable bin.
    """
    bins = model.bins
    reach = max(2, round(NEIGHBOURHOOD / bins.resolution))
    window = 2 * reach + 1
    vectors = model.representations
    effect = np.full(len(bins), np.nan)
    across = np.zeros((window, window), bool)  # [row, distance] of the pairs from left of the middle to right of it
    for row in range(reach):
        across[row, reach - row + 1:window - row] = True
    for name in bins.chromosomes:
        span = bins.span(name)
        middle = np.flatnonzero(usable[span])
        middle = middle[(middle >= reach) & (middle < span.stop - span.start - reach)] + span.start
        for first in range(0, len(middle), WINDOWS_AT_ONCE):
            some = middle[first:first + WINDOWS_AT_ONCE]
            around = some[:, None] + np.arange(-reach, reach + 1)  # [windows, window]
            present = usable[around]
            present[:, reach] = False
            beside = np.maximum(present.sum(1), 1)[:, None]
            before = vectors[around]
            after = before.copy()
            after[:, reach] = (before * present[..., None]).sum(1) / beside
            # windows side by side are one list of bins: pairs within a window do not see the others
            change = [model.score_band_of(part.reshape(-1, vectors.shape[1]), window) for part in (before, after)]
            change = (change[1] - change[0]).reshape(len(some), window, -1)
            change = np.pad(change, ((0, 0), (0, 0), (0, window - change.shape[2])))
            rows, distances = np.nonzero(across)
            told = present[:, rows] & present[:, rows + distances]
            count = told.sum(1)
            total = np.where(told, change[:, rows, distances], 0).sum(1)
            effect[some] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return effect


def true_barriers(truth: Truth, bins) -> tuple[np.ndarray, np.ndarray]:
    """Where a simulated genome has barriers: bool [N] of bins with a site that makes a boundary, and with any site.

    Bins coarser than the truth's hold what their parts hold.
    """
    strong, site = np.zeros(len(bins), bool), np.zeros(len(bins), bool)
    for name, chromosome in truth.chromosomes.items():
        if name not in bins.chromosomes:
            continue
        span = bins.span(name)
        at = span.start + np.arange(len(chromosome)) * truth.resolution // bins.resolution
        kept = at < span.stop
        strength = np.maximum(chromosome.forward, chromosome.reverse)
        np.logical_or.at(strong, at[kept], strength[kept] >= STRONG_FROM)
        np.logical_or.at(site, at[kept], strength[kept] > 0)
    return strong, site
