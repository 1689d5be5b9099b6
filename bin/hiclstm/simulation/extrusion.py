"""The first physics: loop extrusion with oriented barriers, one-dimensional and solved exactly.

An extruder (cohesin) is loaded anywhere with equal chance, its two legs step apart bin by bin, and it falls off with a
fixed chance per step. A forward CTCF site stops the left leg, a reverse one the right leg, each with the site's
strength as probability per step. The stationary density of (left leg, right leg) follows from a recursion over
the distance of the legs; contacts form around each extruder's base.
"""

import numpy as np

from .bands import spread

UNLOADING = 1 / 15  # chance to fall off per step: free extruders make loops of 30 bins on average
REACH = 400  # bins; a free extruder gets that far with probability (1 - 1/15)^200 = 1e-6
EXTRUDED_CONTACTS = 0.15  # contacts of one extruder at its base, relative to the decay's value at distance 0
BASE_REACH = 25
_steps = np.abs(np.arange(-BASE_REACH, BASE_REACH + 1))
BASE_KERNEL = (_steps[:, None] + _steps[None, :] + 1.0) ** -3  # contacts around the base fall with the joint distance


def occupancy(forward: np.ndarray, reverse: np.ndarray, reach: int = REACH) -> np.ndarray:
    """Stationary density of extruders, for one loading per bin and step: float64 [n, reach], ``[left, right - left]``.

    An entry depends only on the bins from its left to its right leg, so a part of a chromosome has the whole's values.
    Extruders start with both legs in one bin or in two neighbouring ones (half each), and leave over the ends.
    """
    n = len(forward)
    reach = min(reach, n)
    stays = 1 - UNLOADING
    left_moves, right_moves = 1 - forward, 1 - reverse
    density = np.zeros((reach, n))  # distance first: each step of the recursion is one row
    for distance in range(reach):
        left = np.arange(n - distance)
        right = left + distance
        inflow = np.full(n - distance, 0.5 if distance < 2 else 0.0)
        if distance >= 2:
            inflow += stays * density[distance - 2, left + 1] * left_moves[left + 1] * right_moves[right - 1]
        if distance >= 1:
            inflow += stays * density[distance - 1, left + 1] * left_moves[left + 1] * reverse[right]
            inflow += stays * density[distance - 1, left] * forward[left] * right_moves[right - 1]
        density[distance, :n - distance] = inflow / (1 - stays * forward[left] * reverse[right])
    return density.T


def extruded_contacts(chromosome) -> np.ndarray:
    """Contacts that extruders add, relative to the decay at distance 0: float64 [n, reach]."""
    return EXTRUDED_CONTACTS * spread(occupancy(chromosome.forward, chromosome.reverse), BASE_KERNEL)
