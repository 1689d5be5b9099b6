"""A model's map corrected by the contacts seen near each pair: what vectors of sixteen numbers cannot hold is given back.

The true contacts of a pair are taken to be the expected ones times a factor with a gamma distribution of mean one: where m
contacts are expected and N were seen, the factor is then believed to be (N + a) / (m + a) on average, and a, the shape, says
how far the model is trusted. N and m are sums over a Gaussian around the pair, first a wide one, then narrower ones down to
the pair alone, each correcting what the one before left. The shapes are those, for each range of distances, under which one
half of the contacts (drawn binomially) foretells the other half best. No map but the one trained on is looked at.
"""

import numpy as np

from ..contacts import ContactMap
from ..training.thinning import row_blocks
from .gaussian import smoothed

SIGMAS = (8.0, 3.0, 1.0, 0.0)  # of the Gaussians, in bins
REACH = 3.0  # a Gaussian is cut at this many sigmas
SHAPES = np.append(2.0 ** np.arange(-1, 15), 1e9).astype(np.float32)  # of the gamma; the last leaves the map as it is
RANGES_PER_DOUBLING = 2  # of the distance
ENOUGH_PAIRS = 2_000_000  # shapes are chosen on so many pairs
LEAST = 1e-12


def refine(contact_map: ContactMap, chromosome: str, band: np.ndarray, seed: int) -> np.ndarray:
    """The expected balanced contacts of one chromosome, corrected by its counts: float32 [n, width].

    Parameters
    ----------
    contact_map : the map trained on, with raw counts
    band : float32 [n, width], the model's expected balanced contacts, [i, d] for bins i and i + d
    seed : of the draw of contacts

    Pairs that were not measured are corrected by those around them.
    """
    n, width = band.shape
    counts, drawn, expected = (np.zeros((n, width), np.float32) for _ in range(3))
    random = np.random.default_rng(seed)
    for rows, exposure, seen in row_blocks(contact_map, chromosome, width):
        measured = exposure > 0
        counts[rows] = np.where(measured, seen, 0)
        drawn[rows] = random.binomial(np.rint(counts[rows]).astype(np.int64), 0.5)
        expected[rows] = np.where(measured, exposure * np.nan_to_num(band[rows]), 0)
    shapes = _choose_shapes(drawn, counts, expected)
    del drawn
    return band * _factor(counts, expected, shapes)


def _factor(counts: np.ndarray, expected: np.ndarray, shapes: list[np.ndarray]) -> np.ndarray:
    """What the expected contacts are multiplied by, with a shape for each Gaussian and range of distances: [n, width]."""
    factor = np.ones_like(expected)
    of = _ranges(expected.shape[1])
    for sigma, shape in zip(SIGMAS, shapes, strict=True):
        factor *= _believed(counts, expected * factor, sigma, shape[of])
    return factor


def _believed(counts: np.ndarray, expected: np.ndarray, sigma: float, shape) -> np.ndarray:
    return (around(counts, sigma) + shape) / (around(expected, sigma) + shape)


def _choose_shapes(drawn: np.ndarray, counts: np.ndarray, expected: np.ndarray) -> list[np.ndarray]:
    """For each Gaussian and range of distances the shape under which the half ``drawn`` of the contacts foretells the
    other half best."""
    n, width = expected.shape
    of, rows = _ranges(width), slice(None, None, max(1, n * width // ENOUGH_PAIRS))
    others = counts[rows] - drawn[rows]
    chosen, now = [], 0.5 * expected
    for sigma in SIGMAS:
        seen, foretold = around(drawn, sigma), around(now, sigma)
        likelihood = np.empty((len(SHAPES), of[-1] + 1))
        for k, shape in enumerate(SHAPES):
            rate = now[rows] * (seen[rows] + shape) / (foretold[rows] + shape)
            by_distance = (others * np.log(np.maximum(rate, LEAST)) - rate).sum(0, dtype=np.float64)
            likelihood[k] = np.bincount(of, by_distance)
        chosen.append(SHAPES[likelihood.argmax(0)])
        now *= (seen + chosen[-1][of]) / (foretold + chosen[-1][of])
    return chosen


def _ranges(width: int) -> np.ndarray:
    """The range of each distance: every distance its own at first, then so many ranges a doubling: int [width]."""
    ranges = np.floor(RANGES_PER_DOUBLING * np.log2(np.maximum(np.arange(width), 0.5)))
    return np.unique(ranges, return_inverse=True)[1]


def around(band: np.ndarray, sigma: float) -> np.ndarray:
    """Sums over a Gaussian around each pair of the symmetric map, 1 at the pair itself: float32 [n, width].

    ``band`` [n, width] holds 0 where there is nothing to count; what lies beyond its width counts as nothing.
    """
    if sigma == 0:
        return band
    reach = int(REACH * sigma + 0.5)
    offsets = np.arange(-reach, reach + 1)
    centre = 1 / np.exp(-0.5 * (offsets / sigma) ** 2).sum()  # the filter's weight of the middle
    sums = smoothed(band, sigma, reach, band.shape[1])
    return np.divide(sums, centre ** 2, out=sums, casting="same_kind")
