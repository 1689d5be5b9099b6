"""Averages of a track over domains of different lengths, and GC along the genome."""

import numpy as np
import pandas as pd

from ..errors import InputError
from ..genome import Bins, match_name
from ..textfiles import LONGEST_SEQUENCE_LINE, opened

INTERIOR = 10
FLANK = 50_000  # base pairs shown outside a domain
BASES_AT_ONCE = 1_000_000
SHIFTS = 20  # of the domains along their chromosomes, for the null


def domain_profile(track: np.ndarray, domains: pd.DataFrame, bins: Bins, seed: int = 1) -> pd.DataFrame:
    """The mean of a track over domains: ten equal parts inside, and 50 kb before and after in steps of a bin.

    The null is the same domains moved along their chromosomes, all by one random step at a time.

    Parameters
    ----------
    track : float64 [N], NaN where missing
    domains : chrom, start, end

    Returns
    -------
    rows from left to right: ``place`` (kb outside: negative before, positive after; NaN inside), ``part`` (1 to 10
    inside, 0 outside), ``mean``, ``low``, ``high`` (1.96 standard errors over domains), ``null``, ``domains``
    """
    domains = domains[domains["end"] - domains["start"] >= INTERIOR * bins.resolution / 5].drop_duplicates()
    steps = max(1, FLANK // bins.resolution)
    if domains.empty:
        return pd.DataFrame(columns=["place", "part", "mean", "low", "high", "null", "domains"])
    values = _rows(track, domains, bins, steps)
    random = np.random.default_rng(seed)
    null = []
    for _ in range(SHIFTS):
        moved = np.full(len(track), np.nan)
        for name in bins.chromosomes:
            span = bins.span(name)
            moved[span] = np.roll(track[span], int(random.integers(1, max(2, span.stop - span.start))))
        null.append(_column_means(_rows(moved, domains, bins, steps)))
    told = np.isfinite(values).sum(0)
    mean = _column_means(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(np.nansum((values - mean) ** 2, 0) / np.maximum(told - 1, 1) / np.maximum(told, 1)) * 1.96
    outside = np.arange(1, steps + 1) * bins.resolution / 1000
    return pd.DataFrame({"place": np.concatenate([-outside[::-1], np.full(INTERIOR, np.nan), outside]),
                         "part": np.pad(np.arange(1, INTERIOR + 1), steps),
                         "mean": mean, "low": mean - error, "high": mean + error, "null": _column_means(np.array(null)),
                         "domains": told})


def _column_means(values: np.ndarray) -> np.ndarray:
    told = np.isfinite(values).sum(0)
    return np.where(told > 0, np.nansum(values, 0) / np.maximum(told, 1), np.nan)


def _rows(track: np.ndarray, domains: pd.DataFrame, bins: Bins, steps: int) -> np.ndarray:
    """One row a domain: the track before it, in ten parts of it, after it; NaN off the chromosome."""
    found = np.full((len(domains), 2 * steps + INTERIOR), np.nan)
    for row, (name, start, end) in enumerate(zip(domains["chrom"], domains["start"], domains["end"], strict=True)):
        span = bins.span(name)
        own = track[span]
        size = len(own)
        edges = np.linspace(start, end, INTERIOR + 1) / bins.resolution
        for part in range(INTERIOR):
            low, high = int(edges[part]), max(int(np.ceil(edges[part + 1])), int(edges[part]) + 1)
            inside = own[low:min(high, size)]
            if np.isfinite(inside).any():
                found[row, steps + part] = np.nanmean(inside)
        first, last = start // bins.resolution, -(-end // bins.resolution)
        for step in range(steps):
            for column, at in ((steps - 1 - step, first - 1 - step), (steps + INTERIOR + step, last + step)):
                if 0 <= at < size:
                    found[row, column] = own[at]
    return found


def gc_content(fasta, bins: Bins) -> np.ndarray:
    """Share of G and C among the known bases of every bin: float64 [N]; NaN where none is known."""
    gc, known = np.zeros(len(bins)), np.zeros(len(bins))
    name, place = None, 0
    with opened(fasta, longest_line=LONGEST_SEQUENCE_LINE) as file:
        for line in file:
            if line.startswith(">"):
                fields = line[1:].split()
                name = match_name(fields[0], bins.chromosomes) if fields else None
                place = 0
                span = bins.span(name) if name else None
            elif name:
                sequence = np.frombuffer(line.rstrip().upper().encode(), np.uint8)
                for letters in np.split(sequence, range(BASES_AT_ONCE, len(sequence), BASES_AT_ONCE)):
                    strong = (letters == ord("G")) | (letters == ord("C"))
                    told = strong | (letters == ord("A")) | (letters == ord("T"))
                    number = (place + np.arange(len(letters))) // bins.resolution + span.start
                    inside = number < span.stop
                    np.add.at(gc, number[strong & inside], 1)
                    np.add.at(known, number[told & inside], 1)
                    place += len(letters)
    if not known.any():
        raise InputError(f"{fasta}: has no sequence of {', '.join(bins.chromosomes[:6])}")
    return np.where(known > 0, gc / np.maximum(known, 1), np.nan)
