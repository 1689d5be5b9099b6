"""How large an effect is, in several measures, with an interval over the pairs it is measured on."""

from dataclasses import dataclass

import numpy as np

from .readings import Reading

INSULATION_REACH = 200_000  # bp on either side of an alteration: the pairs across it within this square
BLOCK = 10  # bins: neighbouring pairs are not independent, so intervals resample squares of pairs
RESAMPLES = 500
FEWEST_IN_STRATUM = 10

MEASURES = ("mean_log_change", "mean_beyond_distance", "rms_beyond_distance", "insulation_change",
            "loop_strength_change", "map_mse", "scc")


@dataclass(frozen=True)
class Loops:
    """Loops as pairs of bins: int64 [loops] each, ``left`` < ``right``, in the numbering of the model's bins."""

    left: np.ndarray
    right: np.ndarray


def measure(reading: Reading, loops: Loops | None = None, probability_scale: float = 1.0) -> dict[str, float]:
    """Effect sizes of one reading, over the pairs that cross the edit (:attr:`Reading.compared`).

    Returns
    -------
    dict of :data:`MEASURES` and ``pairs``; NaN where nothing can be measured:
    ``mean_log_change`` mean natural log of after/before; ``mean_beyond_distance``, ``rms_beyond_distance`` mean and
    root mean square of the log change beyond what distance alone changes; ``insulation_change`` its mean over the
    squares across the alterations (within 0.2 Mb); ``loop_strength_change`` mean over loops across the edit of the
    change at the loop beyond that around it; ``map_mse`` mean squared change of contact probability (equation 1);
    ``scc`` stratum-adjusted correlation of before and after.
    """
    pairs = reading.compared
    if not pairs.any():
        return dict.fromkeys(MEASURES, np.nan) | {"pairs": 0}
    beyond = reading.change_beyond_distance
    change = beyond[pairs].astype(np.float64)
    return {"mean_log_change": float(reading.log_change[pairs].mean(dtype=np.float64)),
            "mean_beyond_distance": float(change.mean()),
            "rms_beyond_distance": float(np.sqrt(np.mean(change**2))),
            "insulation_change": insulation_change(reading, beyond, pairs),
            "loop_strength_change": loop_strength_change(reading, beyond, loops) if loops is not None else np.nan,
            "map_mse": float(np.mean(reading.probability_change(probability_scale)[pairs].astype(np.float64)**2)),
            "scc": stratum_adjusted_correlation(reading.before, reading.after, pairs),
            "pairs": int(pairs.sum())}


def insulation_change(reading: Reading, beyond: np.ndarray, pairs: np.ndarray) -> float:
    """Mean change beyond distance of the pairs from just left to just right of each alteration, averaged over these.

    Positive where the alteration lets more contacts pass, as the loss of a boundary does.
    """
    n, reach = len(reading.order), max(2, round(INSULATION_REACH / reading.bins.resolution))
    found = []
    for first, last in reading.breaks:
        left, right = np.arange(max(0, first - reach), first), np.arange(last, min(n, last + reach))
        i, d = np.repeat(left, len(right)), (right[None, :] - left[:, None]).ravel()
        inside = pairs[i, d]
        if inside.any():
            found.append(beyond[i, d][inside].mean(dtype=np.float64))
    return float(np.mean(found)) if found else np.nan


def loop_strength_change(reading: Reading, beyond: np.ndarray, loops: Loops) -> float:
    """Mean over loops across the edit: change beyond distance in the loop's 3 x 3 bins less that 3 to 5 bins away."""
    n = len(reading.order)
    single, position, copies = np.unique(reading.order, return_index=True, return_counts=True)
    place = {int(number): int(at) for number, at, k in zip(single, position, copies, strict=True) if k == 1}
    steps = np.arange(-5, 6)
    down, across = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    away = np.maximum(np.abs(down), np.abs(across))
    found = []
    for left, right in zip(loops.left, loops.right, strict=True):
        if int(left) not in place or int(right) not in place:
            continue
        i, j = sorted((place[int(left)], place[int(right)]))
        if not reading.crossing[i, j - i]:
            continue
        rows, columns = i + down, j + across
        inside = (rows >= 0) & (columns < n) & (columns > rows)
        values = np.full(len(rows), np.nan)
        values[inside] = beyond[rows[inside], columns[inside] - rows[inside]]
        centre, around = values[away <= 1], values[away >= 3]
        if np.isfinite(centre).any() and np.isfinite(around).any():
            found.append(np.nanmean(centre) - np.nanmean(around))
    return float(np.mean(found)) if found else np.nan


def stratum_adjusted_correlation(before: np.ndarray, after: np.ndarray, pairs: np.ndarray) -> float:
    """HiCRep's SCC without smoothing (Yang et al. 2017): correlations by distance, weighted by pairs and rank variance.

    All three are bands [n, width]; a distance with fewer than 10 pairs is left out.
    """
    count = pairs.sum(0).astype(np.float64)
    x, y = (np.where(pairs, band, 0).astype(np.float64) for band in (before, after))
    x, y = (np.where(pairs, values - values.sum(0) / np.maximum(count, 1), 0) for values in (x, y))
    spread = np.sqrt((x**2).sum(0) * (y**2).sum(0))
    told = (count >= FEWEST_IN_STRATUM) & (spread > 1e-12 * count)
    if not told.any():
        return np.nan
    correlation = (x * y).sum(0)[told] / spread[told]
    weight = count[told] * (1 - 1 / count[told]**2) / 12  # without ties the variance of ranks/n is the same in all maps
    return float((weight * correlation).sum() / weight.sum())


def interval(reading: Reading, random: np.random.Generator) -> tuple[float, float]:
    """95 % interval of ``mean_beyond_distance``: bootstrap over squares of 10 x 10 pairs.

    It says how even the effect is over the pairs of this map, not how sure the model is of it.
    """
    i, d = np.nonzero(reading.compared)
    if not len(i):
        return np.nan, np.nan
    values = reading.change_beyond_distance[i, d].astype(np.float64)
    _, block = np.unique((i // BLOCK) * np.int64(1 << 32) + (i + d) // BLOCK, return_inverse=True)
    total, count = np.bincount(block, values), np.bincount(block)
    drawn = random.integers(0, len(total), (RESAMPLES, len(total)))
    means = total[drawn].sum(1) / count[drawn].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
