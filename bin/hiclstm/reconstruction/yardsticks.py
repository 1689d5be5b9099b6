"""Simple predictions that any model must beat: distance mean, rank-16 SVD, Gaussian blur; all from the training map."""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import LinearOperator, eigsh

from ..contacts import ContactMap, contact_probability
from .gaussian import smoothed
from .scores import Target, beyond, compare, summarise

SIGMAS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)  # of the Gaussian, in bins
REACH = 4.0  # the Gaussian is cut at this many sigmas
MARGIN = int(np.ceil(2 * REACH * SIGMAS[-1]))  # distances beyond a band that its blur looks at
RANK = 16
PSEUDO_COUNT = 1.0
HELD_OUT = 0.1
FEWEST_BINS = 300


def distance_means(band: np.ndarray) -> np.ndarray:
    """Mean of each distance over its usable pairs, zeros included: float64 [width], 0 where there is none."""
    told = np.isfinite(band)
    total = np.sum(band, axis=0, where=told, dtype=np.float64)
    return total / np.maximum(told.sum(axis=0), 1)


def mean_probability(band: np.ndarray, scale: float) -> np.ndarray:
    """Mean contact probability (equation 1) of each distance: the distance mean's own prediction in that space."""
    totals, number = np.zeros(band.shape[1]), np.zeros(band.shape[1])
    for at in range(0, len(band), 512):
        block = band[at:at + 512].astype(np.float64)
        told = np.isfinite(block)
        totals += np.sum(contact_probability(block * scale), axis=0, where=told)
        number += told.sum(axis=0)
    return totals / np.maximum(number, 1)


def distance_mean(band: np.ndarray) -> np.ndarray:
    """Every pair predicted by the mean of its distance: float32 [n, width]."""
    return np.broadcast_to(distance_means(band).astype(np.float32), band.shape)


def blur(band: np.ndarray, sigma: float, width: int) -> np.ndarray:
    """Observed/expected of ``band`` under a Gaussian of ``sigma`` bins, times the expected: float32 [n, width].

    The Gaussian runs over the symmetric square map; missing bins and what lies past the ends are left out and the
    rest weighs more. Give a band ``MARGIN`` wider than ``width``, so that the blur has what lies beyond.
    """
    n = len(band)
    reach = int(REACH * sigma + 0.5)
    expected = distance_means(band)
    told = np.isfinite(band)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(told & (expected > 0), band / expected, 0).astype(np.float32)
    sums = smoothed(ratio, sigma, reach, width)
    usable = told.any(axis=1).astype(np.float64)
    share = gaussian_filter1d(usable, sigma, mode="constant", truncate=REACH)
    out = np.full((n, width), np.nan, np.float32)
    for distance in range(min(width, n)):
        weight = share[:n - distance] * share[distance:]
        values = sums[:n - distance, distance]
        with np.errstate(divide="ignore", invalid="ignore"):
            out[:n - distance, distance] = np.where(weight > 1e-9, values / weight, 0) * expected[distance]
    return out


def choose_sigma(contact_map: ContactMap, width: int, seed: int) -> float:
    """The blur that predicts held-out contacts best, without looking at any map but the one trained on.

    A tenth of the contacts of one chromosome (the shortest with 300 usable bins, else the one with the most) is drawn
    out binomially; each sigma's blur of the rest is scored on it by the mean stratum Pearson correlation in linear
    space. A map without raw counts cannot be thinned and takes sigma 1.
    """
    if not contact_map.facts.get("raw", True):
        return 1.0
    bins = contact_map.bins
    usable = {name: int(contact_map.usable[bins.span(name)].sum()) for name in bins.chromosomes}
    enough = [name for name in bins.chromosomes if usable[name] >= FEWEST_BINS]
    chromosome = min(enough, key=usable.get) if enough else max(usable, key=usable.get)
    band = contact_map.balanced_band(chromosome, width + MARGIN)
    weight = contact_map.weight[bins.span(chromosome)]
    factor = weight[:, None] * beyond(weight, band.shape[1])
    told = np.isfinite(band)
    counts = np.rint(np.where(told, band / factor, 0)).astype(np.int64)
    held_out = np.random.default_rng(seed).binomial(counts, HELD_OUT)
    kept = np.where(told, (counts - held_out) * factor, np.nan).astype(np.float32)
    width = min(width, len(band))
    # Scored are pairs that were seen at all, whichever side of the split they fell to.
    target = Target.build(band[:, :width], np.where(told, held_out * factor, np.nan).astype(np.float32)[:, :width])
    best, best_score = 1.0, -np.inf
    for sigma in SIGMAS:
        sums = compare(blur(kept, sigma, width), target, ranked=False)
        found = [score.value for score in summarise([sums], [target.centres], bins.resolution, None)
                 if (score.metric, score.stratum) == ("pearson_lin", "all")]
        if found and found[0] > best_score:
            best, best_score = sigma, found[0]
    return best


def svd16(contact_map: ContactMap, chromosome: str, width: int) -> np.ndarray:
    """Rank-16 truncated SVD of the log observed/expected map of a whole chromosome: float32 [n, width].

    The map is ``log((v + 1) / (e + 1))`` with e the mean of the distance, over usable bins. It is never made dense:
    ``log(v + 1)`` is as sparse as the contacts, ``log(e + 1)`` depends on distance only and is applied by FFT. The
    map is symmetric, so its 16 largest eigenpairs by magnitude are its truncated SVD.
    """
    bins = contact_map.bins
    span = bins.span(chromosome)
    n = span.stop - span.start
    width = min(width, n)
    usable = contact_map.usable[span]
    weight = np.where(usable, contact_map.weight[span], 0.0)
    entries = slice(contact_map.starts[span.start], contact_map.starts[span.stop])
    rows = np.repeat(np.arange(n), np.diff(contact_map.starts[span.start:span.stop + 1]))
    columns = contact_map.columns[entries] - span.start
    values = contact_map.counts[entries] * weight[rows] * weight[columns]
    # Usable pairs at each distance are the autocorrelation of the mask.
    length = next_fast_len(2 * n)
    spectrum = rfft(usable.astype(np.float64), length)
    number = np.rint(irfft(spectrum * spectrum.conj(), length)[:n])
    expected = np.bincount(columns - rows, weights=values, minlength=n) / np.maximum(number, 1)
    log_expected = np.log(expected + PSEUDO_COUNT)
    upper = csr_matrix((np.log(values + PSEUDO_COUNT), (rows, columns)), shape=(n, n))
    diagonal = upper.diagonal()
    ring = np.concatenate([log_expected, np.zeros(length - 2 * n + 1), log_expected[:0:-1]])
    ring_spectrum = rfft(ring)
    mask = usable.astype(np.float64)

    def times(vector):
        vector = vector.ravel() * mask
        smooth = irfft(ring_spectrum * rfft(vector, length), length)[:n]
        return mask * (upper @ vector + upper.T @ vector - diagonal * vector - smooth)

    number_usable = int(usable.sum())
    rank = min(RANK, number_usable - 1)
    if rank < 1:
        return np.broadcast_to(expected[:width].astype(np.float32), (n, width))
    start = mask / np.sqrt(number_usable) + 1e-3 * np.cos(np.arange(n)) * mask  # the same answer in every run
    eigenvalues, vectors = eigsh(LinearOperator((n, n), matvec=times, dtype=np.float64), k=rank, which="LM", v0=start,
                                 tol=1e-6)
    left = vectors * eigenvalues
    out = np.full((n, width), np.nan, np.float32)
    for distance in range(width):
        log_ratio = np.einsum("ik,ik->i", left[:n - distance], vectors[distance:])
        out[:n - distance, distance] = np.exp(log_ratio) * (expected[distance] + PSEUDO_COUNT) - PSEUDO_COUNT
    return np.maximum(out, 0, out=out)
