"""The one-dimensional truth of a simulated chromosome, and how it is rearranged.

A chromosome is what stands in each bin: how strongly a forward and a reverse CTCF site stop an extruder, which
compartment the bin belongs to, and how well its sequence can be mapped. Contacts follow from these (`rendering`), for
the wild type and for every rearrangement alike. Lengths are in bins; 10 kb bins were in mind.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

SUBCOMPARTMENTS = ("A1", "A2", "B1", "B2")
# Contacts are enriched by exp(AFFINITY * product of two bins' profiles): first A (+) against B (-), then 1 against 2.
SUBCOMPARTMENT_PROFILE = np.array([[0.90, 0.45], [0.65, -0.55], [-0.60, -0.50], [-0.85, 0.45]])
SEGMENT_BINS = (25, 100)  # length of a compartment segment
PROFILE_SMOOTHING_BINS = 3.0  # standard deviation of the Gaussian that rounds the segments' edges

BARRIER_SPACING_BINS = (12, 45)  # from one boundary to the next
STRONG, WEAK = (0.80, 0.98), (0.30, 0.75)  # range of the probability that a site stops an extruder's step
STRONG_FROM = 0.78  # sites at least this strong make boundaries
PAIRED_SHARE = 0.5  # share of boundaries that hold a reverse and, just after it, a forward site
WEAK_SITES_PER_BIN = 1 / 25

COVERAGE_SPREAD = 0.3  # standard deviation of log coverage: GC, restriction sites, mappability
UNMAPPABLE_SHARE = 0.015  # single bins; one stretch (a centromere, say) comes on top
UNMAPPABLE_STRETCH_SHARE = 0.012


@dataclass(frozen=True, eq=False)
class Chromosome:
    """What stands in each of n bins.

    Attributes
    ----------
    forward, reverse : float64 [n], probability that a forward (``>``) site stops an extruder's leg that moves left,
        or a reverse (``<``) site one that moves right, in one step; 0 where there is no site. A loop forms between a
        forward site and a reverse site to its right: a convergent pair
    profile : float64 [n, 2], compartment profile; the first column is positive in A and negative in B
    subcompartment : int8 [n], index in ``SUBCOMPARTMENTS``
    coverage : float64 [n], how many of a bin's contacts sequencing sees, relative to others; 0 is an unmappable bin
    """

    forward: np.ndarray
    reverse: np.ndarray
    profile: np.ndarray
    subcompartment: np.ndarray
    coverage: np.ndarray

    def __post_init__(self):
        n = len(self.forward)
        shapes = {"forward": (n,), "reverse": (n,), "profile": (n, 2), "subcompartment": (n,), "coverage": (n,)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, expected {shape}")
        for name in ("forward", "reverse"):
            if n and not (0 <= getattr(self, name).min() and getattr(self, name).max() < 1):
                raise ValueError(f"{name} holds probabilities of stopping: at least 0 and below 1")

    def __len__(self) -> int:
        return len(self.forward)

    @property
    def mappable(self) -> np.ndarray:
        """bool [n]: bins that sequencing sees."""
        return self.coverage > 0

    @property
    def strength(self) -> np.ndarray:
        """float64 [n]: the stronger of a bin's two sites."""
        return np.maximum(self.forward, self.reverse)

    def part(self, start: int, end: int) -> "Chromosome":
        """Bins ``start`` to ``end`` (half-open) as a chromosome of their own."""
        return rearranged(self, np.arange(start, end), np.ones(end - start, np.int8))


def rearranged(chromosome: Chromosome, order, strand, removed=(), flipped=()) -> Chromosome:
    """The chromosome that results when reference bins are put in another order.

    Parameters
    ----------
    order : int [m], the reference bin that stands at each place of the rearranged chromosome
    strand : int [m], +1, or -1 where the bin is read backwards: its forward site is then a reverse one
    removed : reference bins whose sites are taken away (in every copy)
    flipped : reference bins whose sites are turned round (in every copy)

    A deletion leaves bins out, a tandem duplication lists them twice, an inversion lists them backwards with -1.
    """
    order, strand = np.asarray(order), np.asarray(strand)
    if order.shape != strand.shape:
        raise ValueError(f"order and strand must be equally long, not {order.shape} and {strand.shape}")
    if len(order) and not 0 <= order.min() <= order.max() < len(chromosome):
        raise ValueError(f"order must hold bins from 0 to {len(chromosome) - 1}")
    if not np.isin(strand, (-1, 1)).all():
        raise ValueError("strand must be +1 or -1")
    sites = np.stack([chromosome.forward, chromosome.reverse])
    sites[:, list(removed)] = 0
    turned = list(flipped)
    sites[:, turned] = sites[::-1, turned]
    sites = np.where(strand > 0, sites[:, order], sites[::-1, order])
    return Chromosome(sites[0], sites[1], chromosome.profile[order], chromosome.subcompartment[order],
                      chromosome.coverage[order])


def simulate_chromosome(bins: int, rng: np.random.Generator) -> Chromosome:
    """Draw a chromosome of ``bins`` bins: boundaries of one or two strong sites, weak sites between, compartments."""
    forward, reverse = np.zeros(bins), np.zeros(bins)
    at = int(rng.integers(5, 15))
    while at < bins - 5:
        kind = rng.random()
        if kind < PAIRED_SHARE:
            reverse[at] = rng.uniform(*STRONG)
            at += int(rng.integers(1, 3))
            forward[at] = rng.uniform(*STRONG)
        elif kind < PAIRED_SHARE + (1 - PAIRED_SHARE) / 2:
            forward[at] = rng.uniform(*STRONG)
        else:
            reverse[at] = rng.uniform(*STRONG)
        at += int(rng.integers(*BARRIER_SPACING_BINS))
    for _ in range(round(bins * WEAK_SITES_PER_BIN)):
        _add_site(forward, reverse, rng, WEAK)

    subcompartment = np.zeros(bins, np.int8)
    start, state = 0, int(rng.integers(len(SUBCOMPARTMENTS)))
    while start < bins:
        end = start + int(rng.integers(*SEGMENT_BINS))
        subcompartment[start:end] = state
        start, state = end, _another(state, rng)

    coverage = np.exp(rng.normal(0, COVERAGE_SPREAD, bins))
    coverage[rng.random(bins) < UNMAPPABLE_SHARE] = 0
    stretch = round(bins * UNMAPPABLE_STRETCH_SHARE)
    start = int(rng.integers(bins // 4, bins // 2))
    coverage[start:start + stretch] = 0
    return Chromosome(forward, reverse, profile_of(subcompartment), subcompartment, coverage)


def descendant(chromosome: Chromosome, changed_sites: float, changed_segments: float,
               rng: np.random.Generator) -> Chromosome:
    """Another cell type: some sites lost, as many gained elsewhere, some compartment segments of another kind.

    Parameters
    ----------
    changed_sites : chance of a bin with sites to lose them; for each loss, a new site appears in a bin without one
    changed_segments : chance of a compartment segment to change to another subcompartment
    """
    forward, reverse = chromosome.forward.copy(), chromosome.reverse.copy()
    lost = np.nonzero((chromosome.strength > 0) & (rng.random(len(chromosome)) < changed_sites))[0]
    forward[lost] = reverse[lost] = 0
    for site in lost:
        _add_site(forward, reverse, rng, STRONG if chromosome.strength[site] >= STRONG_FROM else WEAK)
    subcompartment = chromosome.subcompartment.copy()
    for start, end in runs(chromosome.subcompartment):
        if rng.random() < changed_segments:
            subcompartment[start:end] = _another(int(subcompartment[start]), rng)
    return replace(chromosome, forward=forward, reverse=reverse, profile=profile_of(subcompartment),
                   subcompartment=subcompartment)


def boundaries(chromosome: Chromosome) -> list[tuple[int, ...]]:
    """The boundaries: bins of strong sites, those at most two bins apart taken together."""
    found: list[list[int]] = []
    for site in np.nonzero(chromosome.strength >= STRONG_FROM)[0]:
        if found and site - found[-1][-1] <= 2:
            found[-1].append(int(site))
        else:
            found.append([int(site)])
    return [tuple(group) for group in found]


def runs(values: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of equal values, as half-open (start, end)."""
    edges = np.concatenate([[0], np.nonzero(np.diff(values))[0] + 1, [len(values)]])
    return list(pairwise(edges.tolist()))


def profile_of(subcompartment: np.ndarray) -> np.ndarray:
    """Compartment profile [n, 2] of a list of subcompartments: their values, with rounded edges."""
    reach = round(4 * PROFILE_SMOOTHING_BINS)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / PROFILE_SMOOTHING_BINS) ** 2)
    padded = np.pad(SUBCOMPARTMENT_PROFILE[subcompartment], ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T], axis=1)


def _add_site(forward, reverse, rng, strength) -> None:
    """Put one site, forward or reverse, into a bin that has none, away from the ends."""
    free = np.nonzero(forward[2:-2] + reverse[2:-2] == 0)[0] + 2
    (forward if rng.random() < 0.5 else reverse)[rng.choice(free)] = rng.uniform(*strength)


def _another(state: int, rng) -> int:
    """One of the other subcompartments."""
    return int((state + rng.integers(1, len(SUBCOMPARTMENTS))) % len(SUBCOMPARTMENTS))
