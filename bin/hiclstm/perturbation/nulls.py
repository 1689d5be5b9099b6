"""Is an effect larger than that of the same edit elsewhere? Matched random loci, p-values, false-discovery rates."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import InputError
from .edits import Variant, span_of
from .effects import Loops, measure
from .readings import Reader

POOL = 2  # loci read for each one a variant is compared with; the better matched half is used


@dataclass(frozen=True, eq=False)
class Pool:
    """Random loci of one chromosome at which one kind of edit was read.

    Attributes
    ----------
    start : int64 [loci], first bin
    matched_on : float64 [loci, 4], see :meth:`MatchedLoci.covariates`
    effects : one row a locus, columns as :func:`hiclstm.perturbation.effects.measure`
    """

    start: np.ndarray
    matched_on: np.ndarray
    effects: pd.DataFrame


class MatchedLoci:
    """Random loci for a set of variants: same chromosome, size, mappability, expected coverage, room to the ends.

    Parameters
    ----------
    reader : the model's reader
    reach : bins on both sides, as the variants are read with
    tested : [(start, end)] reference bins of the variants tested, which no random locus touches
    count : matched loci per variant
    seed : the same seed draws the same loci
    loops : given to the measures
    """

    def __init__(self, reader: Reader, reach: int, tested, count: int, seed: int, loops: Loops | None = None,
                 probability_scale: float = 1.0):
        self.reader, self.reach, self.count, self.seed = reader, reach, count, seed
        self.loops, self.probability_scale = loops, probability_scale
        taken = np.zeros(len(reader.bins) + 1, np.int64)
        for start, end in tested:
            taken[start:max(end, start + 1)] = 1
        self._taken_so_far = np.concatenate([[0], np.cumsum(taken)])
        self._pools: dict[tuple, Pool | None] = {}
        self._covariates: dict[tuple, np.ndarray] = {}

    def covariates(self, chromosome: slice, size: int) -> np.ndarray:
        """What loci are matched on, for each possible first bin: float64 [starts, 4].

        Missing bins inside; missing bins within ``reach``; mean log expected coverage of the bins inside (contacts with
        bins within ``reach``, in the wild type); bins to the nearer chromosome end, up to ``reach``.
        """
        key = (chromosome.start, size)
        if key not in self._covariates:
            n = chromosome.stop - chromosome.start
            missing = np.concatenate([[0], np.cumsum(~self.reader.usable[chromosome])])
            name = self.reader.bins.chromosomes[self.reader.bins.offsets.tolist().index(chromosome.start)]
            band = np.nan_to_num(self.reader.wild_type(name, min(self.reach, n)))[:, :self.reach]
            coverage = band.sum(1)
            for d in range(1, band.shape[1]):
                coverage[d:] += band[:n - d, d]
            logs = np.where(coverage > 0, np.log(np.maximum(coverage, 1e-9)), 0)
            covered = np.concatenate([[0], np.cumsum(coverage > 0)])
            summed = np.concatenate([[0], np.cumsum(logs)])
            start = np.arange(n - size + 1)
            low, high = np.maximum(start - self.reach, 0), np.minimum(start + size + self.reach, n)
            self._covariates[key] = np.stack([
                missing[start + size] - missing[start], missing[high] - missing[low],
                (summed[start + size] - summed[start]) / np.maximum(covered[start + size] - covered[start], 1),
                np.minimum(np.minimum(start, n - start - size), self.reach)], 1).astype(np.float64)
        return self._covariates[key]

    def of(self, variant: Variant) -> pd.DataFrame:
        """Effects of the same edit at matched random loci: one row a locus; empty where there is no room for any."""
        pool = self.pool(variant)
        if pool is None:
            return pd.DataFrame()
        start, end = variant.span
        chromosome = span_of(self.reader.bins, start)
        covariates = self.covariates(chromosome, max(end - start, 1))
        spread = covariates.std(0)
        own = covariates[start - chromosome.start]
        apart = np.abs(pool.matched_on - own) / np.where(spread > 0, spread, 1)
        order = np.argsort((apart**2).sum(1), kind="stable")
        return pool.effects.iloc[order[:self.count]]

    def like(self, variants: list[Variant], random: np.random.Generator) -> list[Variant]:
        """The edits of randomly chosen ``variants`` at random loci matched to each: ``count`` of them."""
        found = []
        for variant in random.choice(np.array(variants, object), self.count) if variants else []:
            start, end = variant.span
            chromosome = span_of(self.reader.bins, start)
            covariates = self.covariates(chromosome, max(end - start, 1))
            spread = covariates.std(0)
            apart = np.abs(covariates - covariates[start - chromosome.start]) / np.where(spread > 0, spread, 1)
            free = np.flatnonzero(self._free(chromosome, covariates, max(end - start, 1)))
            if len(free):
                closest = free[np.argsort((apart[free]**2).sum(1), kind="stable")[:max(10, len(free) // 10)]]
                found.append(variant.moved(int(random.choice(closest)) + chromosome.start - start))
        return found

    def _free(self, chromosome: slice, covariates: np.ndarray, size: int) -> np.ndarray:
        """bool [starts]: where no tested variant lies and at least one bin has data."""
        starts = np.arange(len(covariates)) + chromosome.start
        untouched = self._taken_so_far[starts + size] - self._taken_so_far[starts] == 0
        return untouched & (covariates[:, 0] < size)

    def pool(self, variant: Variant) -> Pool | None:
        """The loci of this kind of edit on this chromosome, read on first use."""
        if not variant.movable:
            return None
        start, end = variant.span
        chromosome = span_of(self.reader.bins, start)
        key = (chromosome.start, variant.shape)
        if key not in self._pools:
            self._pools[key] = self._read(variant, chromosome, max(end - start, 1), len(self._pools))
        return self._pools[key]

    def _read(self, variant: Variant, chromosome: slice, size: int, at: int) -> Pool | None:
        covariates = self.covariates(chromosome, size)
        free = np.flatnonzero(self._free(chromosome, covariates, size)) + chromosome.start
        random = np.random.default_rng([self.seed, at])
        effects, kept = [], []
        for start in random.permutation(free):
            if len(kept) == POOL * self.count:
                break
            try:
                reading = self.reader.read(variant.moved(int(start) - variant.span[0]), self.reach)
            except InputError:  # no room for this edit here
                continue
            found = measure(reading, self.loops, self.probability_scale)
            if found["pairs"]:
                effects.append(found)
                kept.append(int(start))
        if not kept:
            return None
        kept = np.array(kept)
        return Pool(kept, covariates[kept - chromosome.start], pd.DataFrame(effects))


def empirical_p(observed: float, null: np.ndarray, two_sided: bool = False) -> float:
    """Share of null values at least as large as the observed one, which counts itself: (1 + k) / (1 + n).

    Two-sided: as far from the null's median. NaN where either is missing.
    """
    null = np.asarray(null, np.float64)
    null = null[np.isfinite(null)]
    if not len(null) or not np.isfinite(observed):
        return np.nan
    if two_sided:
        centre = np.median(null)
        null, observed = np.abs(null - centre), abs(observed - centre)
    return (1 + int((null >= observed).sum())) / (1 + len(null))


def false_discovery_rate(p: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's adjusted p-values; NaN stays NaN and counts as no test."""
    p = np.asarray(p, np.float64)
    adjusted = np.full(len(p), np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return adjusted
