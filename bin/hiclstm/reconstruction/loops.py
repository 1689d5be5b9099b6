"""Called loops on observed and predicted maps: aggregate peak analysis (APA)."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..genome import LONGEST_CHROMOSOME, Bins, match_name
from ..textfiles import is_number, opened, whole_number
from .yardsticks import distance_means

FLANK = 5  # bins on each side of a loop's pixel
CORNER = 3  # side of the corner boxes
CENTRE = 1  # bins on each side of the centre that count as the peak


@dataclass(frozen=True, eq=False)
class Loops:
    """Pairs of bins of one chromosome, as first bin (from its start) and distance in bins: two int64 [loops]."""

    first: np.ndarray
    distance: np.ndarray


def read_loops(path, bins: Bins) -> dict[str, Loops]:
    """Loops of a BEDPE file, plain or gzipped: its first six columns, without comments and header.

    Loops between chromosomes, or on chromosomes the map lacks, are left out. Anchors are the bins of their middles.
    """
    found: dict[str, set] = {}
    started = False
    with opened(path) as lines:
        for number, line in enumerate(lines, start=1):
            fields = line.split()
            if not fields or line.startswith("#"):
                continue
            try:
                start1, end1, start2, end2 = (whole_number(fields[k]) for k in (1, 2, 4, 5))
                if min(start1, start2) < 0 or max(end1, end2) > LONGEST_CHROMOSOME:
                    raise ValueError
            except (IndexError, ValueError):
                if not started and len(fields) >= 6 and not any(map(is_number, fields[1:3])):  # a header line
                    started = True
                    continue
                raise InputError(f"{path}, line {number}: expected BEDPE (chrom start end chrom start end), "
                                 f"found {line[:60]!r}") from None
            started = True
            one, other = (match_name(fields[k], bins.chromosomes) for k in (0, 3))
            if one is None or one != other:
                continue
            first, second = sorted(((start1 + end1) // 2 // bins.resolution, (start2 + end2) // 2 // bins.resolution))
            length = bins.span(one).stop - bins.span(one).start
            if second < length:
                found.setdefault(one, set()).add((first, second - first))
    return {name: Loops(*np.array(sorted(pairs), np.int64).T) for name, pairs in found.items()}


def windows_around(band: np.ndarray, loops: Loops) -> np.ndarray:
    """Observed/expected around each loop: float32 [loops kept, 2 FLANK + 1, 2 FLANK + 1], rows the first anchor.

    Expected is the map's own mean of each distance. Loops whose window reaches the diagonal's neighbours, the band's
    edge or the chromosome's ends are left out; missing pairs are NaN.
    """
    n, width = band.shape
    keep = ((loops.distance - 2 * FLANK >= 2) & (loops.distance + 2 * FLANK < width)
            & (loops.first >= FLANK) & (loops.first + loops.distance + FLANK < n))
    first, distance = loops.first[keep], loops.distance[keep]
    offsets = np.arange(-FLANK, FLANK + 1)
    rows = first[:, None, None] + offsets[None, :, None]
    apart = distance[:, None, None] + offsets[None, None, :] - offsets[None, :, None]
    expected = distance_means(band)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (band[rows, apart] / expected[apart]).astype(np.float32)


def corner_score(windows: np.ndarray) -> float:
    """Peak to lower left: mean of the centre's 3 × 3 over that of the corner nearest the diagonal (Rao 2014)."""
    if not len(windows):
        return np.nan
    told = np.isfinite(windows)
    mean = np.sum(windows, axis=0, where=told) / np.maximum(told.sum(axis=0), 1)
    centre = mean[FLANK - CENTRE:FLANK + CENTRE + 1, FLANK - CENTRE:FLANK + CENTRE + 1].mean()
    corner = mean[-CORNER:, :CORNER].mean()
    return float(centre / corner) if corner > 0 else np.nan


def corner_interval(windows: np.ndarray, seed: int, resamples: int = 200) -> tuple[float, float]:
    """95 % interval of :func:`corner_score` by resampling loops."""
    if len(windows) < 3:
        return np.nan, np.nan
    rng = np.random.default_rng(seed)
    drawn = [corner_score(windows[rng.integers(0, len(windows), len(windows))]) for _ in range(resamples)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return float(low), float(high)
