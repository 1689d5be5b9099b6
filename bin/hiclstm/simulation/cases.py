"""Rearranged chromosomes with a known answer: the test cases of in-silico perturbation.

Every rearrangement is an ``order`` of reference bins with a ``strand`` each (`chromosome.rearranged`); the true map of
the rearranged chromosome is rendered from the same truth as the wild type.
"""

from dataclasses import dataclass

import numpy as np

from .chromosome import STRONG_FROM, Chromosome, boundaries, rearranged
from .rendering import expected_contacts

KINDS_OF_CASE = ("barrier", "flip", "deletion", "duplication", "inversion")
EDGE_BINS = 65  # cases keep this far from the chromosome's ends
FLANK_BINS = 60  # the window of a case reaches this far beyond what changed
SEGMENT_BINS = (20, 101)  # length of a random segment
CONTROL_BINS = 4  # a control bin is at least this far from any site


def deletion(bins: int, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Order and strand of a chromosome of ``bins`` bins without ``start`` to ``end``."""
    order = np.concatenate([np.arange(start), np.arange(end, bins)])
    return order, np.ones(len(order), np.int8)


def tandem_duplication(bins: int, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Order and strand with ``start`` to ``end`` twice in a row."""
    order = np.concatenate([np.arange(end), np.arange(start, bins)])
    return order, np.ones(len(order), np.int8)


def inversion(bins: int, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Order and strand with ``start`` to ``end`` read backwards."""
    order, strand = np.arange(bins), np.ones(bins, np.int8)
    order[start:end] = order[start:end][::-1].copy()
    strand[start:end] = -1
    return order, strand


def insertion(bins: int, start: int, end: int, at: int, strand: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Order and strand with a copy of ``start`` to ``end`` put in before bin ``at``, backwards if ``strand`` is -1."""
    copy = np.arange(start, end)[::strand]
    order = np.concatenate([np.arange(at), copy, np.arange(at, bins)])
    strands = np.ones(len(order), np.int8)
    strands[at:at + len(copy)] = strand
    return order, strands


@dataclass(frozen=True, eq=False)
class Case:
    """One rearrangement of one chromosome.

    Attributes
    ----------
    kind : ``barrier`` (one site removed), ``flip`` (one site turned round), ``deletion``, ``duplication`` or
        ``inversion``
    order, strand : the whole rearranged chromosome, as `chromosome.rearranged` takes them
    removed, flipped : reference bins whose sites are removed or turned round
    changed : half-open bins of the rearranged chromosome that are new; empty (start = end) at a deletion's junction
    segment : half-open reference bins that are deleted, duplicated, inverted or copied; None for a site
    """

    kind: str
    order: np.ndarray
    strand: np.ndarray
    removed: tuple[int, ...]
    flipped: tuple[int, ...]
    changed: tuple[int, int]
    segment: tuple[int, int] | None

    @property
    def window(self) -> tuple[int, int]:
        """Half-open bins of the rearranged chromosome to score: what changed and ``FLANK_BINS`` on both sides."""
        start, end = self.changed
        return max(0, start - FLANK_BINS), min(len(self.order), end + FLANK_BINS)

    def expected(self, chromosome: Chromosome, width: int | None = None, *, kind: str = "extrusion",
                 window: tuple[int, int] | None = None) -> np.ndarray:
        """True contacts of the rearranged chromosome in ``window`` (the case's own by default): float32 band.

        Row i of the band is bin ``window[0] + i`` of the rearranged chromosome, so reference bin
        ``order[window[0] + i]``; values are on the scale of `expected_contacts` of the wild type.
        """
        changed = rearranged(chromosome, self.order, self.strand, self.removed, self.flipped)
        return expected_contacts(changed, width, kind=kind, window=window or self.window)


def random_cases(chromosome: Chromosome, rng: np.random.Generator, kinds=KINDS_OF_CASE,
                 per_kind: int = 20) -> list[Case]:
    """Up to ``per_kind`` random cases of each kind; sites only as many as the chromosome has.

    Sites are strong, mappable, and alone in their boundary (removing one of two neighbours is another question);
    ``flip`` turns the same sites that ``barrier`` removes. Segments are 20–100 bins long; an inverted one has at least
    one boundary inside, 3 bins or more from its ends.
    """
    unknown = set(kinds) - set(KINDS_OF_CASE)
    if unknown:
        raise ValueError(f"kinds {sorted(unknown)} are not among {KINDS_OF_CASE}")
    n = len(chromosome)
    inner = [group for group in boundaries(chromosome) if EDGE_BINS < group[0] and group[-1] < n - EDGE_BINS]
    single = [group[0] for group in inner if len(group) == 1 and chromosome.mappable[group[0]]]
    single = rng.permutation(single)[:per_kind].astype(int)
    everything, plain = np.arange(n), np.ones(n, np.int8)
    cases = []
    for kind in kinds:
        if kind in ("barrier", "flip"):
            for site in single.tolist():
                removed, flipped = ((site,), ()) if kind == "barrier" else ((), (site,))
                cases.append(Case(kind, everything, plain, removed, flipped, (site, site + 1), None))
            continue
        for _ in range(per_kind):
            segment = _random_segment(n, rng, inner if kind == "inversion" else None)
            if segment is not None:
                cases.append(rearrangement(kind, n, *segment))
    return cases


def rearrangement(kind: str, bins: int, start: int, end: int) -> Case:
    """A ``deletion``, tandem ``duplication`` or ``inversion`` of reference bins ``start`` to ``end`` as a case."""
    build, changed = {
        "deletion": (deletion, (start, start)),
        "duplication": (tandem_duplication, (start, 2 * end - start)),
        "inversion": (inversion, (start, end)),
    }[kind]
    return Case(kind, *build(bins, start, end), (), (), changed, (start, end))


def sites_and_controls(chromosome: Chromosome, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mappable bins with a strong site, and as many (if there are) mappable bins far from any site, at random."""
    inner = np.zeros(len(chromosome), bool)
    inner[EDGE_BINS:len(chromosome) - EDGE_BINS] = True
    usable = inner & chromosome.mappable
    near_site = np.convolve(chromosome.strength > 0, np.ones(2 * CONTROL_BINS - 1), "same") > 0
    sites = np.nonzero(usable & (chromosome.strength >= STRONG_FROM))[0]
    controls = np.nonzero(usable & ~near_site)[0]
    return sites, np.sort(rng.choice(controls, min(len(sites), len(controls)), replace=False))


def _random_segment(bins: int, rng, around: list[tuple[int, ...]] | None) -> tuple[int, int] | None:
    """A random segment away from the ends, around one of the boundaries ``around`` if given; None if there is none."""
    for _ in range(1000):
        length = int(rng.integers(*SEGMENT_BINS))
        if bins - length <= 2 * EDGE_BINS:
            continue
        start = int(rng.integers(EDGE_BINS, bins - EDGE_BINS - length))
        end = start + length
        if around is None or any(start + 3 < group[0] and group[-1] < end - 3 for group in around):
            return start, end
    return None
