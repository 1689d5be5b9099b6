"""From the one-dimensional truth to expected contacts, and from these to sequenced counts."""

import numpy as np

from .bands import distances, partners
from .chromosome import Chromosome
from .extrusion import BASE_REACH, extruded_contacts
from .insulation import insulated_enrichment

KINDS = ("extrusion", "insulation")
DECAY_EXPONENT = {"extrusion": -1.05, "insulation": -1.0}  # contacts fall as (d + 1)^exponent, over all distances
AFFINITY = 0.45  # log enrichment of contacts per unit product of compartment profiles
AFFINITY_FROM_BINS = 30.0  # compartments act in full from this distance on, and in proportion below it
MARGIN = BASE_REACH  # what lies further outside a window has no influence on the pairs inside


def expected_contacts(chromosome: Chromosome, width: int | None = None, *, kind: str = "extrusion",
                      window: tuple[int, int] | None = None) -> np.ndarray:
    """Noiseless contacts: float32 [n, width], ``[i, d]`` for bins i and i + d, NaN past the end.

    Parameters
    ----------
    width : number of distances, all by default
    kind : ``extrusion`` (oriented barriers stop extruders) or ``insulation`` (barriers absorb contacts)
    window : half-open bins; only pairs inside it are given, [i, d] counted from its start. Their values are those of
        the whole chromosome, so a window of a long chromosome is cheap and exact

    The scale is arbitrary (a pair at distance 0 without extruders has 1) but the same for every rearrangement of a
    chromosome; coverage plays no part.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {KINDS}")
    n = len(chromosome)
    start, end = (0, n) if window is None else window
    if not 0 <= start < end <= n:
        raise ValueError(f"window {start}-{end} is not inside 0-{n}")
    width = end - start if width is None else min(width, end - start)
    outer = max(0, start - MARGIN)
    near = chromosome.part(outer, min(n, end + MARGIN))
    distance = distances(width)
    decay = (distance + 1) ** DECAY_EXPONENT[kind]
    similar = sum(column[:, None] * partners(column, width) for column in near.profile.T)
    contacts = np.exp(AFFINITY * np.minimum(1, distance / AFFINITY_FROM_BINS) * similar) * decay
    if kind == "extrusion":
        added = extruded_contacts(near)[:, :width]
        contacts[:, :added.shape[1]] += added
    else:
        enrichment = insulated_enrichment(near)[:, :width]
        contacts[:, :enrichment.shape[1]] *= np.exp(enrichment)
    contacts = contacts[start - outer:end - outer].astype(np.float32)
    contacts[np.arange(end - start)[:, None] + np.arange(width)[None, :] >= end - start] = np.nan
    return contacts


def covered_contacts(expected: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    """What sequencing is expected to see of ``expected`` [n, width]: times both bins' coverage, 0 past the end."""
    return np.nan_to_num(expected) * coverage[:, None] * partners(coverage, expected.shape[1], beyond=0.0)


def sequence(expected: np.ndarray, coverage: np.ndarray, reads: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a raw map: int32 [n, width] Poisson counts whose expected sum over the upper triangle is ``reads``.

    Each pair's mean is its expected contacts times both bins' coverage: balancing has to undo the coverage, and
    unmappable bins (coverage 0) have no counts.
    """
    rate = covered_contacts(expected, coverage)
    return rng.poisson(rate * (reads / rate.sum())).astype(np.int32)
