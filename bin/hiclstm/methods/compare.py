"""Every representation with every decoder, on rows that the decoder has not seen, and whole models beside them.

The paper's two experiments (its "Hi-C reproduction evaluation"): representations learned from all of replicate 1,
decoders trained on a part of replicate 1 and tested on the rest; and the same representations with decoders trained on
a part of replicate 2 and tested on the rest of replicate 2. Whole models (Hi-C-LSTM as trained, SNIPER-FC) have seen
all of replicate 1; only the second experiment is a test for them.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ..contacts import ContactMap
from ..errors import InputError
from ..kernels import LANES
from ..reconstruction.scores import (
    BLOCKS,
    DISTANCE_BANDS,
    LEAST_PAIRS,
    RESAMPLES,
    Score,
    Target,
    compare,
    stratum_scores,
    summarise,
)
from . import decoders

BLOCK = 5_000_000
GAP = 500_000


@dataclass(frozen=True, eq=False)
class Split:
    """Which rows decoders learn from and which they are tested on.

    A pair belongs to its lower bin, its row. With several chromosomes, half of them (chosen by the seed) are learned
    from and the rest tested. With one, blocks of at least 5 Mb take turns, and training blocks end at least 0.5 Mb
    before a test block begins, because neighbouring rows share contacts; one shorter than 20 Mb is cut into quarters,
    a tenth of each kept apart.

    Attributes
    ----------
    train, test : bool [N]
    words : the split in words
    """

    train: np.ndarray
    test: np.ndarray
    words: str

    @classmethod
    def of(cls, contact_map: ContactMap, seed: int) -> "Split":
        bins, usable = contact_map.bins, contact_map.usable
        train, test = np.zeros(len(bins), bool), np.zeros(len(bins), bool)
        present = [name for name in bins.chromosomes if usable[bins.span(name)].any()]
        if len(present) > 1:
            chosen = set(np.random.default_rng(seed).choice(present, len(present) // 2, replace=False))
            for name in present:
                (train if name in chosen else test)[bins.span(name)] = True
            words = (f"decoders learned from {', '.join(sorted(chosen, key=present.index))}, tested on "
                     f"{', '.join(name for name in present if name not in chosen)}")
            return cls(train & usable, test & usable, words)
        span = bins.span(present[0])
        own = np.flatnonzero(usable[span])
        share = min(1.0, int(own[-1] + 1 - own[0]) * bins.resolution / (4 * BLOCK))
        block, gap = (-(-int(share * length) // (bins.resolution * LANES)) * LANES for length in (BLOCK, GAP))  # whole tiles
        first = int(own[0]) // LANES * LANES
        starts = np.arange(first, int(own[-1]) + 1, block)
        if len(starts) > 2 and own[-1] + 1 - starts[-1] < block / 2:
            starts = starts[:-1]  # a short end joins the block before it
        edges = [*starts, int(own[-1]) + 1]
        for k, (begin, end) in enumerate(pairwise(edges)):
            if k % 2 == seed % 2:
                before = gap if k else 0
                after = gap if k < len(starts) - 1 else 0
                train[span.start + begin + before:span.start + end - after] = True
            else:
                test[span.start + begin:span.start + end] = True
        if not (train.any() and test.any()):
            raise InputError(f"{present[0]}: its {len(own):,} usable bins of {bins.resolution:,} bp are too few: no decoder "
                             f"can be tested on rows it has not seen")
        words = (f"decoders learned from every second block of {block * bins.resolution / 1e6:g} Mb of rows of "
                 f"{present[0]}, tested on the others, {gap * bins.resolution / 1e6:g} Mb apart")
        return cls(train & usable, test & usable, words)


def matched(contact_map: ContactMap, other: ContactMap) -> tuple[ContactMap, ContactMap]:
    """Two maps of the same bins with the same missing bins, the second scaled to the total of the first."""
    one, two = contact_map.bins, other.bins
    if (one.chromosomes, one.sizes, one.resolution) != (two.chromosomes, two.sizes, two.resolution):
        raise InputError(f"the map to test on has {len(two):,} bins of {two.resolution:,} bp on "
                         f"{', '.join(two.chromosomes)}, the map trained on {len(one):,} of "
                         f"{one.resolution:,} bp on {', '.join(one.chromosomes)}: they must be the same")
    both = contact_map.usable & other.usable
    if not both.any():
        raise InputError("the map to test on and the map trained on have no usable bin in common")
    maps = [replace(each, weight=np.where(both, each.weight, np.nan)) for each in (contact_map, other)]
    factor = total(maps[0]) / max(total(maps[1]), 1e-12)
    facts = {**other.facts, "probability_scale": contact_map.probability_scale}
    return maps[0], replace(maps[1], weight=maps[1].weight * np.sqrt(factor), facts=facts)


def total(contact_map: ContactMap) -> float:
    """Sum of balanced contacts over usable pairs."""
    weight = np.nan_to_num(contact_map.weight)
    rows = np.repeat(np.arange(len(contact_map.bins)), np.diff(contact_map.starts))
    return float((contact_map.counts * weight[rows] * weight[contact_map.columns]).sum())


def thinned(contact_map: ContactMap, fraction: float, seed: int) -> ContactMap:
    """The map as a sequencing of a fraction of its reads would have it: binomial counts.

    Weights are the deep map's, divided by the square root of the fraction: balanced values keep their scale, missing
    bins stay the same, and depth is the only thing that changes.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"--depths {fraction:g}: a depth is a fraction of the map's contacts, above 0 and at most 1")
    if not contact_map.facts.get("raw", True):
        raise InputError("--depths: the map has no raw counts to draw from")
    counts = np.random.default_rng(seed).binomial(np.round(contact_map.counts).astype(np.int64), fraction)
    return replace(contact_map, counts=counts.astype(np.float32), weight=contact_map.weight / np.sqrt(fraction))


def target_of(observed: ContactMap, trained: ContactMap, rows: np.ndarray, chromosome: str,
              width: int) -> Target | None:
    """The scored pairs of one chromosome: usable in both maps, at least one bin apart, not zero in the map the
    representations were learned from, in tested rows. None where no row of the chromosome is tested."""
    span = observed.bins.span(chromosome)
    if not rows[span].any():
        return None
    band = observed.balanced_band(chromosome, width)
    seen = trained.balanced_band(chromosome, width)
    pairs = np.isfinite(band) & (seen > 0) & rows[span, None]
    pairs[:, 0] = False
    tested = np.flatnonzero(pairs.any(1))
    edges = np.array([0, len(band)])
    if len(tested) >= BLOCKS:
        edges = np.concatenate([[0], [part[0] for part in np.array_split(tested, BLOCKS)][1:], [len(band)]])
    exposure = 1 / observed.weight[span] if observed.facts.get("raw", True) else None
    return Target(band, pairs, exposure, observed.probability_scale, edges)


@dataclass(frozen=True, eq=False)
class Result:
    """One method's sums (see :mod:`hiclstm.reconstruction.scores`) by chromosome, and its scores."""

    method: str
    against: str
    sums: list[np.ndarray]
    scores: list[Score]


class Comparison:
    """Scores methods on the tested rows of one map.

    Parameters
    ----------
    observed : the map decoders are tested on
    trained : the map representations were learned from (the same one in the first experiment)
    width : distances scored, in bins
    against : what the tested map is called in the metrics
    learned_from : the map decoders are trained on, where that is not the observed one
    """

    def __init__(self, observed: ContactMap, trained: ContactMap, split: Split, width: int, seed: int, against: str,
                 learned_from: ContactMap | None = None):
        self.observed, self.split, self.width, self.seed, self.against = observed, split, width, seed, against
        self.learned_from = learned_from or observed
        self.targets = {}
        for name in observed.bins.chromosomes:
            target = target_of(observed, trained, split.test, name, width)
            if target is not None and target.pairs.any():
                self.targets[name] = target
        if not self.targets:
            raise InputError("no pair can be scored: the tested rows hold no contacts")

    def score(self, method: str, band_of) -> Result:
        """Score a method; ``band_of(chromosome, width)`` gives its expected balanced contacts, float32 [n, width]."""
        sums, centres = [], []
        for name, target in self.targets.items():
            predicted = np.asarray(band_of(name, target.band.shape[1]), np.float32)
            part = compare(np.where(target.pairs, predicted, 0), target)
            sums.append(np.pad(part, ((0, 0), (0, self.width - part.shape[1]), (0, 0))))
            centres.append(np.pad(target.centres, ((0, 0), (0, self.width - part.shape[1]))))
        return Result(method, self.against, sums, summarise(sums, centres, self.observed.bins.resolution, self.seed))

    def decode(self, method: str, kind: str, vectors: np.ndarray, *, likelihood: str, hidden: int, steps: int,
               threads: int) -> Result:
        """Train a decoder on the training rows and score it on the tested ones."""
        vectors = decoders.standardised(vectors, self.learned_from.usable)
        network = decoders.train_decoder(kind, vectors, self.learned_from, self.split.train, width=self.width,
                                         likelihood=likelihood, hidden=hidden, seed=self.seed, steps=steps,
                                         threads=threads)

        def band_of(chromosome, width):
            span = self.observed.bins.span(chromosome)
            return decoders.expected_rows(network, vectors[span], 0, span.stop - span.start, width=width,
                                          likelihood=likelihood, scale=self.observed.probability_scale, threads=threads)

        return self.score(method, band_of)


def advantage(one: Result, other: Result, resolution: int, seed: int) -> list[Score]:
    """By how much ``one`` correlates better than ``other`` in each band of distances, with a 95 % interval.

    Both are resampled together (chromosomes where there are at least four, else row blocks), so that what is hard for
    both does not widen the interval, as it does those of the two by themselves.
    """
    random = np.random.default_rng(seed)
    if len(one.sums) >= 4:
        units = [np.stack([part.sum(axis=0) for part in result.sums]) for result in (one, other)]
        groups = [units]
    else:
        groups = list(zip(one.sums, other.sums, strict=True))
    draws = [random.multinomial(len(own), np.full(len(own), 1 / len(own)), size=RESAMPLES) for own, _ in groups]
    distance = np.arange(one.sums[0].shape[1]) * resolution
    bands = {name: (distance >= low) & (distance < high) for name, (low, high) in DISTANCE_BANDS.items()}

    def difference(weights) -> tuple[dict[str, float], dict[str, int]]:
        scores = []
        for k in (0, 1):
            drawn = [np.tensordot(times, pair[k], axes=1) for times, pair in zip(weights, groups, strict=True)]
            scores.append(stratum_scores(np.sum(drawn, axis=0)))
        gain = scores[0]["pearson_log"] - scores[1]["pearson_log"]
        told = np.isfinite(gain) & (scores[0]["n"] >= LEAST_PAIRS)
        return ({name: float(gain[told & inside].mean()) if (told & inside).any() else np.nan
                 for name, inside in bands.items()}, {name: int((told & inside).sum()) for name, inside in bands.items()})

    value, number = difference([np.ones(len(own)) for own, _ in groups])
    resampled = [difference([draw[k] for draw in draws])[0] for k in range(RESAMPLES)]
    found = []
    for name in bands:
        if number[name]:
            drawn = np.array([each[name] for each in resampled])
            spread = 1.96 * np.nanstd(drawn) if min(len(own) for own, _ in groups) > 1 else np.nan
            found.append(Score(f"pearson_log_over_{other.method}", name, value[name], value[name] - spread,
                               value[name] + spread, number[name]))
    return found
