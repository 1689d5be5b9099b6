"""Balancing: which vector of a file to believe, which way round it is meant, and computing one where there is none.

A balanced map gives every usable bin the same total. So a vector is judged by the *unevenness* of the row sums it
leaves (standard deviation over mean; 0 is perfect), and that also decides whether it divides (Juicer's KR, SCALE, VC)
or multiplies (cooler's weight): no file says so reliably.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import cooler
import numpy as np
import pandas as pd
from scipy.fft import irfft, next_fast_len, rfft

from .fragments import measured_share

EVEN_ENOUGH = 0.05  # unevenness up to which a vector is taken unasked; genome-wide balancing often leaves more in cis
COVERED_ENOUGH = 0.5  # share of the bins with contacts that such a vector must cover
LEAST_COVERAGE = 0.25  # bins at or below this share of their chromosome's median coverage are missing
TOLERANCE = 1e-12  # variance of row sums around 1 at which the iteration stops
MOST_ITERATIONS = 1_000


@dataclass(frozen=True)
class Balancing:
    """How one chromosome was balanced.

    weight : float64 [n], multiplicative, NaN for missing bins; the chromosome's total over usable pairs is kept
    name : ``KR``, ``weight``, ``computed``, ``none`` or ``already balanced``
    reading : ``multiplied``, ``divided`` or "" where nothing was read
    unevenness : of the row sums it leaves
    why : one sentence for the record
    """

    weight: np.ndarray
    name: str
    reading: str
    unevenness: float
    why: str

    def record(self) -> dict:
        return {"name": self.name, "reading": self.reading, "unevenness": round(float(self.unevenness), 6),
                "bins_usable": int(np.isfinite(self.weight).sum()), "why": self.why}


def row_sums(bin1, bin2, values, n: int, nearest: int = 0) -> np.ndarray:
    """Row sums of the symmetric matrix [n], the diagonal counted once; distances below ``nearest`` bins left out."""
    if nearest:
        far = bin2 - bin1 >= nearest
        bin1, bin2, values = bin1[far], bin2[far], values[far]
    off = bin1 != bin2
    return np.bincount(bin1, values, minlength=n) + np.bincount(bin2[off], values[off], minlength=n)


def unevenness(bin1, bin2, counts, weight, robust: bool = False) -> float:
    """Spread of balanced row sums over usable bins, relative to their mean (to their median if ``robust``).

    Programs differ in the diagonals they leave out (Juicer none, cooler two): the smallest of 0, 1 and 2 is returned.
    """
    usable = np.isfinite(weight)
    both = usable[bin1] & usable[bin2]
    bin1, bin2 = bin1[both], bin2[both]
    values = counts[both] * weight[bin1] * weight[bin2]
    found = []
    for nearest in (0, 1, 2):
        sums = row_sums(bin1, bin2, values, len(weight), nearest)
        sums = sums[sums > 0]
        if len(sums):
            middle = np.median(sums)
            found.append(1.4826 * np.median(np.abs(sums - middle)) / middle if robust else sums.std() / sums.mean())
    return float(min(found, default=np.inf))


def keep_total(bin1, bin2, counts, weight) -> np.ndarray:
    """Scale a weight so that balanced and raw counts of the usable pairs have one total (mission A4)."""
    with np.errstate(invalid="ignore"):
        balanced = counts * weight[bin1] * weight[bin2]
    usable = np.isfinite(balanced)
    total = balanced[usable].sum()
    return weight * np.sqrt(counts[usable].sum() / total) if total > 0 else np.full_like(weight, np.nan)


def read_vector(bin1, bin2, counts, vector, coverage) -> tuple[np.ndarray, str, float]:
    """Turn a file's vector into a multiplicative weight: (weight, ``multiplied`` or ``divided``, unevenness).

    Of both readings the one whose row sums are flatter, by their robust spread: a vector like VC leaves a few wild
    rows. Values that are not positive and bins without contacts become missing.
    """
    vector = np.where((vector > 0) & np.isfinite(vector) & (coverage > 0), vector, np.nan)
    readings = {"multiplied": vector, "divided": 1.0 / vector}
    spread = {reading: unevenness(bin1, bin2, counts, weight, robust=True) for reading, weight in readings.items()}
    # on a perfect tie (a vector of ones) both mean the same
    reading = min(readings, key=lambda name: spread[name])
    weight = keep_total(bin1, bin2, counts, readings[reading])
    return weight, reading, unevenness(bin1, bin2, counts, weight)


def compute(bin1, bin2, counts, n: int, folder: Path, resolution: int, why: str) -> Balancing:
    """Balance one chromosome with cooler: all diagonals (as Juicer's KR), bins of more than 25 % of median coverage.

    Coverage is counted without the diagonal, so that bins that only touch themselves are missing. The iteration starts
    at row sums near 1, so that ``TOLERANCE`` is relative.
    """
    coverage = row_sums(bin1, bin2, counts, n, nearest=1)
    if not coverage.any():
        return Balancing(np.full(n, np.nan), "computed", "", np.inf, why)
    low = coverage <= LEAST_COVERAGE * np.median(coverage[coverage > 0])
    path = folder / "balancing.cool"
    start = np.arange(n) * resolution
    bins = pd.DataFrame({"chrom": "chromosome", "start": start, "end": start + resolution})
    # not compressed: it is read again in every iteration
    cooler.create_cooler(str(path), bins, pd.DataFrame({"bin1_id": bin1, "bin2_id": bin2, "count": counts}),
                         dtypes={"count": np.float64}, ordered=True, h5opts={"compression": None, "shuffle": False})
    total = row_sums(bin1, bin2, counts, n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weight, facts = cooler.balance_cooler(
            cooler.Cooler(str(path)), cis_only=True, ignore_diags=False, mad_max=0, min_nnz=0, min_count=0,
            blacklist=np.flatnonzero(low), x0=np.full(n, 1 / np.sqrt(total[~low].mean())), tol=TOLERANCE,
            max_iters=MOST_ITERATIONS)
    path.unlink()
    weight = keep_total(bin1, bin2, counts, np.where(weight > 0, weight, np.nan))
    left = unevenness(bin1, bin2, counts, weight)
    if not np.all(facts["converged"]):
        why += f"; the iteration stopped after {MOST_ITERATIONS} rounds"
    return Balancing(weight, "computed", "multiplied", left, why)


def of_fragments(bin1, bin2, counts, share, why: str) -> Balancing:
    """Balance 5C or capture: each bin is as visible as its total over what its measured pairs are expected to have.

    Row sums cannot be made equal where only a region, or only some pairs of bins, are measured. So the counts are taken
    as Poisson with mean ``b_i b_j m_ij e_(j - i)``, m the measured share, e the mean of the distance; b, the same as
    1 / weight, and e are fitted in turn until each bin's total is what is expected of it (sums by FFT). Bins without
    fragments or contacts are missing. Distance 0 is left out of the fit.

    Parameters
    ----------
    share : float64 [n], share of a bin's fragments that are of the first set, NaN without fragments
    """
    n = len(share)
    off = bin1 != bin2
    total = row_sums(bin1, bin2, counts, n, nearest=1)
    usable = np.isfinite(share) & (total > 0)
    by_distance = np.bincount((bin2 - bin1)[off], counts[off], minlength=n)
    first, second = np.where(usable, share, 0), np.where(usable, 1 - share, 0)
    length = next_fast_len(2 * n)

    def around(kernel, values):
        """Sum over j of kernel[|i - j|] values[j]."""
        ring = np.zeros(length)
        ring[:n], ring[length - n + 1:] = kernel, kernel[:0:-1]
        return irfft(rfft(ring) * rfft(values, length), length)[:n]

    def apart(one, other):
        """Sum over i of one[i] other[i + d] + other[i] one[i + d], for each d."""
        spectrum = rfft(one, length) * rfft(other, length).conj()
        return 2 * irfft(spectrum.real, length)[:n]

    visible, change = np.where(usable, 1.0, 0.0), np.inf
    for _ in range(MOST_ITERATIONS):
        pairs = 2 * apart(visible * first, visible * second)
        expected = np.divide(by_distance, pairs, out=np.zeros(n), where=pairs > 1e-6)
        expected[0] = 0
        of_bin = 2 * visible * (first * around(expected, visible * second) + second * around(expected, visible * first))
        ratio = np.divide(total, of_bin, out=np.ones(n), where=usable & (of_bin > 1e-9))
        visible *= np.sqrt(ratio)
        change = np.abs(ratio - 1).max()
        if change < 1e-6:
            break
    weight = np.divide(1.0, visible, out=np.full(n, np.nan), where=visible > 0)
    both = usable[bin1] & usable[bin2]
    measured = measured_share(share[bin1], share[bin2])
    both &= measured > 0
    v = counts[both] * weight[bin1[both]] * weight[bin2[both]] / measured[both]
    weight *= np.sqrt(counts[both].sum() / v.sum()) if v.sum() > 0 else np.nan
    return Balancing(weight, "by expected contacts", "multiplied", float(change), why)


def none(bin1, bin2, counts, n: int, name: str, why: str) -> Balancing:
    """Weight 1 for every bin that has contacts."""
    weight = np.where(row_sums(bin1, bin2, counts, n) > 0, 1.0, np.nan)
    return Balancing(weight, name, "", unevenness(bin1, bin2, counts, weight), why)


def choose(bin1, bin2, counts, n: int, vectors: dict[str, np.ndarray], asked: str, folder: Path, resolution: int,
           why_compute: str) -> Balancing:
    """Balance one chromosome by the first of ``vectors`` that fits, else by computing it.

    Parameters
    ----------
    bin1, bin2, counts : its sorted pixels, upper triangle, bins from the chromosome's start
    vectors : name → vector as the file has it, in the order to be tried
    asked : ``auto``, or the name that the user asked for: then it need not be even, only be there
    why_compute : why there is nothing to try, for the record, where ``vectors`` is empty
    """
    coverage = row_sums(bin1, bin2, counts, n)
    reasons = []
    for name, vector in vectors.items():
        covered = np.count_nonzero((vector > 0) & np.isfinite(vector) & (coverage > 0))
        if covered == 0:
            reasons.append(f"{name} has no values here")
            continue
        weight, reading, left = read_vector(bin1, bin2, counts, vector, coverage)
        share = covered / np.count_nonzero(coverage)
        if asked != "auto":
            return Balancing(weight, name, reading, left, f"asked for by name; {reading} leaves the flatter row sums")
        if share < COVERED_ENOUGH:
            reasons.append(f"{name} covers only {share:.0%} of the bins with contacts")
        elif left > EVEN_ENOUGH:
            reasons.append(f"{name} leaves row sums uneven by {left:.0%}")
        else:
            return Balancing(weight, name, reading, left, "the file's own, and it makes row sums flat")
    return compute(bin1, bin2, counts, n, folder, resolution, "; ".join(reasons) or why_compute)
