"""Bands: arrays [n, width] whose entry [i, d] belongs to bins i and i + d of one chromosome."""

import numpy as np
from scipy.signal import fftconvolve


def distances(width: int) -> np.ndarray:
    """Distances 0 … width - 1 as floats."""
    return np.arange(width, dtype=np.float64)


def partners(values: np.ndarray, width: int, beyond: float = np.nan) -> np.ndarray:
    """``values[i + d]`` as a read-only band [n, width]; ``beyond`` stands past the end."""
    padded = np.concatenate([values, np.full(width, beyond)])
    return np.lib.stride_tricks.sliding_window_view(padded, width)[:len(values)]


def spread(band: np.ndarray, kernel: np.ndarray, block: int = 512) -> np.ndarray:
    """Convolve the symmetric matrix that ``band`` [n, width] stands for with a square kernel of odd size.

    Nothing is outside the chromosome and beyond the band. Blocks of rows keep memory at block × (block + width).
    """
    n, width = band.shape
    reach = len(kernel) // 2
    result = np.zeros((n, width))
    for start in range(0, n, block):
        size = min(block, n - start)
        row = np.arange(start - reach, start + size + reach)[:, None]
        column = np.arange(start - reach, start + size + width - 1 + reach)[None, :]
        low, distance = np.minimum(row, column), np.abs(row - column)
        inside = (low >= 0) & (low + distance < n) & (distance < width)
        tile = np.where(inside, band[np.where(inside, low, 0), np.where(inside, distance, 0)], 0)
        smooth = fftconvolve(tile, kernel, "valid")
        at = np.arange(size)[:, None]
        result[start:start + size] = smooth[at, at + np.arange(width)[None, :]]
    return np.maximum(result, 0)  # the Fourier transform leaves -1e-17 where there is nothing


def coarsened(band: np.ndarray, factor: int) -> np.ndarray:
    """The band of bins ``factor`` times as wide: sums over the pairs each pair of wide bins holds. NaN counts as 0.

    Pairs inside one wide bin are counted once, as in the upper triangle of a map. All distances must be given.
    """
    n, width = band.shape
    wide = -(-n // factor)
    row, distance = np.nonzero(np.nan_to_num(band))
    first, second = row // factor, (row + distance) // factor
    total = np.bincount(first * wide + second - first, weights=band[row, distance], minlength=wide * wide)
    return total.reshape(wide, wide)


def balancing_weight(band: np.ndarray, usable: np.ndarray, total: float | None = None) -> np.ndarray:
    """Weights w that give all usable bins the same sum of ``band[i, d] * w_i * w_(i+d)``: float64 [n], NaN elsewhere.

    The sum counts every partner once, the diagonal included. Over the upper triangle the balanced values sum to
    ``total``, or to what the usable pairs of ``band`` sum to.
    """
    n, width = band.shape
    square = np.zeros((n, n))
    row, distance = np.nonzero(np.nan_to_num(band))
    square[row, row + distance] = square[row + distance, row] = band[row, distance]
    square = square[np.ix_(usable, usable)]
    weight = np.ones(len(square))
    for _ in range(500):
        sums = weight * (square @ weight)
        sums /= sums.mean()
        weight /= np.sqrt(sums)
        if np.abs(sums - 1).max() < 1e-9:
            break
    upper = np.triu(square)
    weight *= np.sqrt((upper.sum() if total is None else total) / (weight @ upper @ weight))
    result = np.full(n, np.nan)
    result[usable] = weight
    return result
