"""A Gaussian over the square map that a band is part of."""

import numpy as np
from scipy.ndimage import gaussian_filter1d


def smoothed(band: np.ndarray, sigma: float, reach: int, width: int) -> np.ndarray:
    """Weighted means of the symmetric map around each pair: float32 [n, width], 0 past the chromosome's end.

    Parameters
    ----------
    band : float32 [n, given], [i, d] for bins i and i + d; what lies beyond its width counts as 0
    sigma, reach : of the Gaussian, and where it is cut, in bins
    width : distances to return
    """
    n, given = band.shape
    last = min(given, width + 2 * reach)
    # Layout [distance, first bin], as far on both sides as the two passes look; negative distances mirror positive ones.
    layers = np.zeros((2 * reach + max(last, width + reach), n), np.float32)
    layers[2 * reach:2 * reach + last] = band[:, :last].T
    for k in range(1, min(2 * reach, last - 1, n - 1) + 1):
        layers[2 * reach - k, k:] = band[:n - k, k]
    layers = gaussian_filter1d(layers, sigma, axis=0, mode="constant", radius=reach)  # over the second bin
    by_second = np.zeros_like(layers)
    for row in range(len(layers)):
        _shift(by_second[row], layers[row], row - 2 * reach)
    by_second = gaussian_filter1d(by_second, sigma, axis=0, mode="constant", radius=reach)  # over the first bin
    out = np.zeros((n, width), np.float32)
    for distance in range(min(width, n)):
        out[:n - distance, distance] = by_second[2 * reach + distance, distance:]
    return out


def _shift(to: np.ndarray, values: np.ndarray, by: int) -> None:
    """``to[k + by] = values[k]`` where both exist."""
    n = len(values)
    if abs(by) >= n:
        return
    if by >= 0:
        to[by:] = values[:n - by]
    else:
        to[:n + by] = values[-by:]
