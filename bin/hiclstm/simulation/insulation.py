"""The second physics: no extruders, each barrier between two bins takes its share of their contacts.

A prediction that only holds under `extrusion` has learned that simulator; this one shares no assumption with it
but that barriers insulate and that convergent pairs are in contact.
"""

import numpy as np

from .bands import distances, partners, spread

REACH = 640  # bins; what barriers change has fallen to exp(-8) there
ABSORPTION = 0.8  # a barrier of strength s lets 1 - 0.8 s pass
DOMAIN_BINS, LOOP_BINS = 80.0, 60.0  # decay lengths of the enrichment inside domains and between anchors
_steps = np.arange(-4, 5)
BLUR = np.exp(-0.5 * _steps**2) / np.exp(-0.5 * _steps**2).sum()  # standard deviation of one bin


def passage(chromosome, width: int) -> np.ndarray:
    """Share of contacts that the barriers strictly between two bins let pass: float64 [n, width], NaN past the end."""
    cost = np.cumsum(-np.log1p(-ABSORPTION * chromosome.strength))
    before = np.concatenate([[0.0], cost[:-1]])
    return np.exp(-np.maximum(partners(before, width) - cost[:, None], 0))


def anchors_in_contact(chromosome, width: int) -> np.ndarray:
    """What a convergent pair adds to the log enrichment, before the blur: float64 [n, width], NaN past the end."""
    both = chromosome.forward[:, None] * partners(chromosome.reverse, width)
    return passage(chromosome, width) * both * np.exp(-distances(width) / LOOP_BINS)


def insulated_enrichment(chromosome) -> np.ndarray:
    """Log enrichment of contacts by domains and loops: float64 [n, reach].

    For bins i < j with barriers k between them:
    ``prod_k (1 - 0.8 s_k) * (exp(-d / 80) + ((f_i + r_j) / 2 + f_i r_j) exp(-d / 60))``, blurred by one bin.
    """
    n = len(chromosome)
    reach = min(REACH, n)
    distance = distances(reach)
    one_anchor = 0.5 * (chromosome.forward[:, None] + partners(chromosome.reverse, reach))
    enrichment = np.exp(-distance / DOMAIN_BINS) + one_anchor * np.exp(-distance / LOOP_BINS)
    enrichment = passage(chromosome, reach) * enrichment + anchors_in_contact(chromosome, reach)
    blurred = spread(np.nan_to_num(enrichment), np.outer(BLUR, BLUR))
    inside = np.convolve(np.ones(n), BLUR, "same")  # at the ends part of the kernel lies outside
    return blurred / (inside[:, None] * partners(inside, reach, beyond=1.0))
