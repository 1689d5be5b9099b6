"""The papers' normalisations of attribution scores, and the z-score of their violins. NaN stays NaN."""

import numpy as np


def signed(score: np.ndarray) -> np.ndarray:
    """Min-max normalisation of positive and negative values separately (article, equation 5): -1 to 1.

    The smallest positive value becomes 0, the largest 1; negative values likewise by their size, with their sign.
    """
    score = np.asarray(score, np.float64)
    found = np.where(np.isfinite(score), 0.0, np.nan)
    for sign in (1, -1):
        with np.errstate(invalid="ignore"):
            chosen = sign * score > 0
        if chosen.any():
            found[chosen] = sign * _min_max(sign * score[chosen])
    return found


def logged(score: np.ndarray) -> np.ndarray:
    """Min-max normalisation of the logarithm (preprint, equation 5): 0 to 1; NaN where a score is not positive."""
    score = np.asarray(score, np.float64)
    found = np.full(score.shape, np.nan)
    with np.errstate(invalid="ignore"):
        chosen = score > 0
    if chosen.any():
        found[chosen] = _min_max(np.log(score[chosen]))
    return found


def z(score: np.ndarray) -> np.ndarray:
    """Score less its mean, in standard deviations."""
    score = np.asarray(score, np.float64)
    spread = np.nanstd(score)
    return (score - np.nanmean(score)) / spread if spread > 0 else score * 0


def _min_max(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.ones_like(values)
