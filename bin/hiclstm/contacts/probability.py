"""Contact probability: equation 1 of the paper, and its inverse."""

import numpy as np

STEEPNESS = 8.0  # a of equation 1
GUARD = 1e-10  # delta of equation 1


def contact_probability(contacts):
    """Equation 1: ``CP = exp(-a / (v + delta))``. ``contacts`` are balanced counts v on the scale of raw counts."""
    return np.exp(-STEEPNESS / (contacts + GUARD))


def contacts_from_probability(probability):
    """The inverse of equation 1: ``v = -a / log(CP) - delta``; 0 gives 0 and values above 1 - 1e-7 are clipped."""
    probability = np.clip(probability, 0.0, 1.0 - 1e-7)
    with np.errstate(divide="ignore"):
        return np.maximum(-STEEPNESS / np.log(probability) - GUARD, 0.0)
