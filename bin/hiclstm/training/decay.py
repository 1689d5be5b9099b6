"""Contacts against distance: where training starts from, and the scale of its loss."""

import math

import numpy as np
import torch

from ..contacts import ContactMap
from ..model import HiCLSTM, distance_basis


class DistanceDecay:
    """Balanced contacts by distance, summed over chromosomes.

    Attributes
    ----------
    total : float64 [width], balanced contacts of all usable pairs at each distance
    pairs : float64 [width], how many such pairs there are
    """

    def __init__(self, width: int):
        self.total, self.pairs = np.zeros(width), np.zeros(width)

    @classmethod
    def of(cls, contact_map: ContactMap, width: int) -> "DistanceDecay":
        """That of a whole map, within ``width`` bins of the diagonal."""
        found = cls(width)
        for name in contact_map.bins.chromosomes:
            found.add(contact_map.of_chromosome(name))
        return found

    def add(self, one: ContactMap) -> None:
        """Add the map of one chromosome."""
        n, width = len(one.weight), len(self.total)
        weight = np.nan_to_num(one.weight)
        rows = np.repeat(np.arange(n, dtype=np.int32), np.diff(one.starts))
        balanced = one.counts * weight[rows] * weight[one.columns]
        apart = one.columns - rows
        near = apart < width
        self.total += np.bincount(apart[near], balanced[near], minlength=width)
        spectrum = np.fft.rfft((weight > 0).astype(float), 2 * n)  # pairs at each distance: autocorrelation
        found = np.round(np.fft.irfft(np.abs(spectrum) ** 2, 2 * n)[:min(n, width)])
        self.pairs[:len(found)] += found

    @property
    def mean(self) -> np.ndarray:
        """Mean balanced contacts of a usable pair at each distance."""
        return self.total / np.maximum(self.pairs, 1)

    @property
    def level(self) -> float:
        """Mean balanced contacts of a usable pair at any distance."""
        return float(self.total.sum() / self.pairs.sum())


def start_from_distance_decay(model: HiCLSTM, decay: DistanceDecay) -> None:
    """Set the output's distance curve to the map's own decay, so that training starts from the expected map."""
    width, use = len(decay.total), decay.pairs > 0
    mean, pairs = decay.mean[use], decay.pairs[use]
    basis = distance_basis(torch.arange(width)).numpy()[use]
    weight = np.sqrt(pairs * mean + 1.0)[:, None]  # long distances have few contacts: count them less
    target = np.log(mean + 1e-3 * mean.max() / width)[:, None]
    ridge = 1e-3 * np.eye(basis.shape[1])
    curve = np.linalg.solve((basis * weight).T @ (basis * weight) + ridge, (basis * weight).T @ (target * weight))
    with torch.no_grad():
        model.distance_bias.copy_(torch.from_numpy(curve[:, 0]))


def leave_half_to_path(model: HiCLSTM) -> None:
    """Share the expected contacts between distance curve and path: with few barriers some 20 loading sites reach both
    bins of a pair, so the path's own curve starts at a twentieth of the decay."""
    with torch.no_grad():
        model.path.curve.copy_(model.distance_bias - math.log(20))
        model.distance_bias -= math.log(2)
