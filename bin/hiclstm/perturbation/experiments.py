"""The paper's experiments: effects averaged over sets of sites, and maps averaged over domains (Fig. 8).

Every average stands beside the same edit at matched random loci, because a random bin's knockout has an effect too.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from ..errors import InputError
from .edits import KNOCKOUTS, Inversion, Replacement, Variant, knockout, span_of
from .effects import Loops, measure
from .nulls import MatchedLoci
from .readings import Reader, Reading
from .sites import near

NEAR_DISTANCE = 200_000  # bp: where the paper states its effects
INNER_BINS = 10  # bins a domain's inside is divided into (paper, Methods)
OUTER_DISTANCE = 100_000  # bp shown on both sides of a domain (paper, Methods)
RESAMPLES = 1000
DOMAIN_BINS = 5  # a domain of fewer bins has no inside to speak of


@dataclass(frozen=True, eq=False)
class SiteSet:
    """Sites to be edited in the same way.

    Attributes
    ----------
    name : what the sites are
    method : what is done to them (for tables and legends)
    variants : one a site
    """

    name: str
    method: str
    variants: list[Variant]


@dataclass(frozen=True, eq=False)
class SetEffect:
    """The average effect of a set of sites, beside matched random loci.

    Attributes
    ----------
    sites : the set
    average, random_average : float64 [2 reach + 1, 2 reach + 1], mean log change beyond distance of the pairs around a
        site (row and column ``reach`` are the site itself), upper triangle
    profile, random_profile : float32 [sites or loci, 2 reach + 1], the same by distance, over the pairs across a site
    effects, random_effects : tables of :func:`~hiclstm.perturbation.effects.measure`, one row a site or locus
    """

    sites: SiteSet
    average: np.ndarray
    random_average: np.ndarray
    profile: np.ndarray
    random_profile: np.ndarray
    effects: pd.DataFrame
    random_effects: pd.DataFrame

    def near_change(self, resolution: int, seed: int) -> dict[str, float]:
        """Mean relative change (exp(mean log) - 1) of pairs across a site up to 0.2 Mb apart.

        With a 95 % interval over sites, the same at random loci with its interval for as many loci as there are sites,
        and the share of such draws as far from their mean (``p``).
        """
        last = max(2, NEAR_DISTANCE // resolution)
        with np.errstate(invalid="ignore"):
            own, null = (_row_means(profile[:, :last + 1]) for profile in (self.profile, self.random_profile))
        random = np.random.default_rng(seed)
        if not len(own) or not len(null):
            return {"change": np.nan, "low": np.nan, "high": np.nan, "random": np.nan, "random_low": np.nan,
                    "random_high": np.nan, "p": np.nan, "sites": len(own)}
        resampled = random.choice(own, (RESAMPLES, len(own))).mean(1)
        drawn = random.choice(null, (RESAMPLES, len(own))).mean(1)
        extreme = (np.abs(drawn - null.mean()) >= abs(own.mean() - null.mean())).sum()
        low, high = np.percentile(resampled, [2.5, 97.5])
        random_low, random_high = np.percentile(drawn, [2.5, 97.5])
        return {"change": np.expm1(own.mean()), "low": np.expm1(low), "high": np.expm1(high),
                "random": np.expm1(null.mean()), "random_low": np.expm1(random_low),
                "random_high": np.expm1(random_high), "p": (1 + int(extreme)) / (1 + RESAMPLES), "sites": len(own)}


def knockout_sets(name: str, numbers: np.ndarray, methods=KNOCKOUTS) -> list[SiteSet]:
    """One set a method: single-bin sites knocked out."""
    return [SiteSet(name, method, [Variant(f"bin{number}", (knockout(int(number), int(number) + 1, method),))
                                   for number in numbers]) for method in methods]


def orientation_sets(reader: Reader, orientation: np.ndarray, loops: Loops) -> list[SiteSet]:
    """Anchors of convergent loops turned outward and of divergent ones inward (paper, Fig. 8b), and controls.

    The paper's replacement gives an anchor the mean vector of all bins of the other orientation; its control that of
    its own. Turning the bin's strand (``flip``) is the same question put to a model that has strands.

    Parameters
    ----------
    orientation : int8 [N], +1, -1 or 0 (see :func:`~hiclstm.perturbation.sites.orientation_of_bins`)
    """
    means = {}
    for sign in (1, -1):
        chosen = (orientation == sign) & reader.usable
        if not chosen.any():
            return []
        means[sign] = reader.representations[chosen].mean(0)
    found = []
    for name, left_sign in (("convergent", 1), ("divergent", -1)):
        both = (orientation[loops.left] == left_sign) & (orientation[loops.right] == -left_sign)
        anchors = [(int(number), left_sign) for number in np.unique(loops.left[both])]
        anchors += [(int(number), -left_sign) for number in np.unique(loops.right[both])]
        if not anchors:
            continue
        other = "divergent" if name == "convergent" else "convergent"
        found.append(SiteSet(f"{name} to {other}", "replacement", [
            Variant(f"bin{number}", (Replacement(number, number + 1, means[-sign]),)) for number, sign in anchors]))
        found.append(SiteSet(f"{name} stays {name}", "replacement", [
            Variant(f"bin{number}", (Replacement(number, number + 1, means[sign]),)) for number, sign in anchors]))
        found.append(SiteSet(f"{name} to {other}", "flip", [
            Variant(f"bin{number}", (Inversion(number, number + 1),)) for number, _ in anchors]))
    return found


def read_set(reader: Reader, sites: SiteSet, reach: int, null: MatchedLoci, seed: int, loops: Loops | None = None,
             probability_scale: float = 1.0) -> SetEffect:
    """Read every site of a set, and the same edits at ``null.count`` random loci matched to the set."""
    own = _Collector(reader, reach, loops, probability_scale)
    for variant in tqdm(sites.variants, desc=f"{sites.name}, {sites.method}", mininterval=5, disable=None):
        own.add(variant)
    elsewhere = _Collector(reader, reach, loops, probability_scale)
    random = np.random.default_rng(seed)
    for variant in null.like(sites.variants, random):
        elsewhere.add(variant)
    return SetEffect(sites, own.average, elsewhere.average, own.profile, elsewhere.profile,
                     pd.DataFrame(own.effects), pd.DataFrame(elsewhere.effects))


class _Collector:
    """Sums what the readings of single sites have in common."""

    def __init__(self, reader: Reader, reach: int, loops: Loops | None, probability_scale: float):
        self.reader, self.reach, self.loops, self.probability_scale = reader, reach, loops, probability_scale
        side = 2 * reach + 1
        self.total, self.count = np.zeros((side, side)), np.zeros((side, side), np.int64)
        self.profiles: list[np.ndarray] = []
        self.effects: list[dict] = []

    def add(self, variant: Variant) -> None:
        try:
            reading = self.reader.read(variant, self.reach)
        except InputError:  # no neighbourhood to replace the site by
            return
        found = measure(reading, self.loops, self.probability_scale)
        if not found["pairs"] or not reading.breaks:
            return
        square = around_break(reading, reading.change_beyond_distance, self.reach)
        told = np.isfinite(square)
        self.total += np.where(told, square, 0)
        self.count += told
        self.profiles.append(_profile(square, self.reach))
        self.effects.append(found | {"bin": variant.span[0]})

    @property
    def average(self) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.count > 0, self.total / np.maximum(self.count, 1), np.nan)

    @property
    def profile(self) -> np.ndarray:
        return np.array(self.profiles, np.float32).reshape(len(self.profiles), 2 * self.reach + 1)


def around_break(reading: Reading, values: np.ndarray, reach: int) -> np.ndarray:
    """The pairs around a reading's first alteration as a square [2 reach + 1, 2 reach + 1], upper triangle, else NaN.

    Row and column ``reach`` are the site itself (NaN where it was removed); left and right of it stand its neighbours.
    """
    first, last = reading.breaks[0]
    n = len(reading.order)
    place = np.concatenate([np.arange(first - reach, first), [first if last > first else -1],
                            np.arange(last, last + reach)])
    place[(place < 0) | (place >= n)] = -1
    if last > first and reading.removed[first]:
        place[reach] = -1
    square = np.full((2 * reach + 1, 2 * reach + 1), np.nan)
    a, b = np.triu_indices(len(place), 1)
    there = (place[a] >= 0) & (place[b] >= 0)
    a, b = a[there], b[there]
    square[a, b] = values[place[a], place[b] - place[a]]
    return square


def _profile(square: np.ndarray, reach: int) -> np.ndarray:
    """Mean of the pairs across (or of) the middle at each distance: float64 [2 reach + 1], NaN where there is none."""
    across = np.full(square.shape, np.nan)
    across[:reach + 1, reach:] = square[:reach + 1, reach:]
    a, b = np.nonzero(np.isfinite(across))
    count = np.bincount(b - a, minlength=2 * reach + 1)
    total = np.bincount(b - a, across[a, b], 2 * reach + 1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _row_means(values: np.ndarray) -> np.ndarray:
    """Mean of each row's finite entries, rows without any left out."""
    told = np.isfinite(values)
    kept = told.any(1)
    return np.where(told, values, 0).sum(1, dtype=np.float64)[kept] / told.sum(1)[kept]


@dataclass(frozen=True, eq=False)
class DomainEffect:
    """Mean change over domains whose two boundaries were knocked out (paper, Fig. 8c).

    Attributes
    ----------
    name : which domains
    average : float64 [outer + 10 + outer, the same], mean log change beyond distance, symmetric
    outer : cells on either side, each one bin
    outside, inside : float64 [domains], mean change of pairs across a boundary up to 0.2 Mb apart, and inside
    """

    name: str
    average: np.ndarray
    outer: int
    outside: np.ndarray
    inside: np.ndarray


def domain_sets(domains: pd.DataFrame, ctcf: np.ndarray) -> dict[str, pd.DataFrame]:
    """Domains with CTCF (a bound bin at most one bin away) at both boundaries, and at neither."""
    at_start, at_end = (near(domains[column].to_numpy(np.int64) - shift, ctcf)
                        for column, shift in (("start", 0), ("end", 1)))
    return {"with CTCF": domains[at_start & at_end], "without CTCF": domains[~at_start & ~at_end]}


def read_domains(reader: Reader, name: str, domains: pd.DataFrame, method: str) -> DomainEffect:
    """Knock out both boundary bins of each domain and average the change over domains of all sizes."""
    resolution = reader.bins.resolution
    outer = max(1, OUTER_DISTANCE // resolution)
    near_bins = max(2, NEAR_DISTANCE // resolution)
    side = 2 * outer + INNER_BINS
    total, count = np.zeros(side * side), np.zeros(side * side)
    outside, inside = [], []
    for start, end in tqdm(zip(domains["start"], domains["end"], strict=True), total=len(domains),
                           desc=f"domains {name}", mininterval=5, disable=None):
        start, end = int(start), int(end)
        span = span_of(reader.bins, start)
        if end - start < DOMAIN_BINS or start - outer < span.start or end + outer > span.stop:
            continue
        variant = Variant(f"domain{start}", (knockout(start, start + 1, method), knockout(end - 1, end, method)))
        try:
            reading = reader.read(variant, outer)
        except InputError:
            continue
        i, d = np.nonzero(np.isfinite(reading.change_beyond_distance) & ~reading.removed[:, None])
        keep = (d > 0) & ~reading.removed[i + d]
        i, d = i[keep], d[keep]
        change = reading.change_beyond_distance[i, d].astype(np.float64)
        cell = _domain_cell(reading.order, start, end, outer)
        there = (cell[i] >= 0) & (cell[i + d] >= 0)
        for first, second in ((cell[i[there]], cell[i[there] + d[there]]), (cell[i[there] + d[there]], cell[i[there]])):
            total += np.bincount(first * side + second, change[there], side * side)
            count += np.bincount(first * side + second, minlength=side * side)
        within = (cell >= outer) & (cell < outer + INNER_BINS)
        both = within[i] & within[i + d]
        across = (within[i] != within[i + d]) & (d <= near_bins)
        for found, chosen in ((inside, both), (outside, across)):
            if chosen.any():
                found.append(change[chosen].mean())
    with np.errstate(invalid="ignore"):
        average = np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(side, side)
    return DomainEffect(name, average, outer, np.array(outside), np.array(inside))


def _domain_cell(order: np.ndarray, start: int, end: int, outer: int) -> np.ndarray:
    """The cell of the averaged map each reference bin falls in: int64, -1 outside of it."""
    cell = np.where(order < start, order - (start - outer),
                    np.where(order >= end, order - end + outer + INNER_BINS,
                             outer + (order - start) * INNER_BINS // (end - start)))
    return np.where((order < start - outer) | (order >= end + outer), -1, cell)
