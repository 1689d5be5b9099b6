"""Insulation: how few contacts cross each bin, the usual one-dimensional picture of domains."""

import numpy as np

FILLED = 0.5  # share of a diamond that must be usable


def insulation(band: np.ndarray, window: int) -> np.ndarray:
    """Diamond insulation score: float64 [n], log2 of the mean contact across a bin over its median along the map.

    Bin i's diamond holds the pairs (a, b) with ``i - window <= a < i < b <= i + window``. NaN where the diamond
    passes an end, less than half of it is usable, or it is empty.

    Parameters
    ----------
    band : float32 [n, width] with width > 2 * window; NaN where missing
    window : side of the diamond in bins
    """
    n, width = band.shape
    if width <= 2 * window or n <= 2 * window:
        return np.full(n, np.nan)
    near = band[:, :2 * window + 1].astype(np.float64)
    told = np.isfinite(near)
    near = np.where(told, near, 0)
    total, number = np.zeros(n), np.zeros(n)
    middle = slice(window, n - window)
    for before in range(1, window + 1):
        rows = slice(window - before, n - window - before)
        reach = slice(before + 1, before + window + 1)  # b from i + 1 to i + window, as distances from a
        total[middle] += near[rows, reach].sum(axis=1)
        number[middle] += told[rows, reach].sum(axis=1)
    enough = (number >= FILLED * window * window) & (total > 0)
    score = np.full(n, np.nan)
    score[enough] = np.log2(total[enough] / number[enough])
    return score - np.median(score[enough]) if enough.any() else score


def windows(resolution: int) -> dict[str, int]:
    """The windows that are scored, by name: 10 bins, and 500 kb where that is another number of at least 3 bins."""
    found = {"window of 10 bins": 10}
    fixed = 500_000 // resolution
    if fixed >= 3 and fixed != 10:
        found["window of 500000 bp"] = fixed
    return found


def correlation(one: np.ndarray, other: np.ndarray) -> tuple[float, int]:
    """Pearson correlation of two tracks over the bins where both have a value, and how many those are."""
    told = np.isfinite(one) & np.isfinite(other)
    number = int(told.sum())
    if number < 3 or one[told].std() == 0 or other[told].std() == 0:
        return np.nan, number
    return float(np.corrcoef(one[told], other[told])[0, 1]), number
