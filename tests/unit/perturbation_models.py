"""A small model with a closed form, for the tests of perturbation: barriers between two bins take their contacts."""

import numpy as np

from hiclstm.genome import Bins


class BarrierModel:
    """log v = log(1000) - log(d + 1) + c_i c_j - (costs crossed), with forward and reverse costs that swap on a strand.

    A pair i < j crosses the forward costs of i + 1 to j and the reverse costs of i to j - 1, so the map read backward
    with swapped costs is the same map. Vectors: [compartment, forward, reverse, unused].
    """

    def __init__(self, bins: Bins, seed: int = 0, barriers: float = 0.05, missing: tuple = ()):
        random = np.random.default_rng(seed)
        n = len(bins)
        self.bins = bins
        self.usable = np.ones(n, bool)
        self.usable[list(missing)] = False
        self.representations = np.zeros((n, 4), np.float32)
        self.representations[:, 0] = np.sin(np.arange(n) / 20) * 0.5
        self.representations[:, 1:3] = random.uniform(0.5, 1.5, (n, 2)) * (random.random((n, 2)) < barriers)
        self.facts = {}
        self.calls = 0

    def expected_band(self, chromosome, width=None):
        return self.expected_band_of(self.representations[self.bins.span(chromosome)], width)

    def expected_band_of(self, representations, width=None, strand=None):
        self.calls += 1
        n = len(representations)
        width = n if width is None else min(width, n)
        compartment, forward, reverse, _ = np.asarray(representations, np.float64).T
        if strand is not None:
            forward, reverse = np.where(strand > 0, forward, reverse), np.where(strand > 0, reverse, forward)
        forward_to, reverse_to = np.cumsum(forward), np.cumsum(reverse)
        i, j = np.arange(n)[:, None], np.arange(n)[:, None] + np.arange(width)
        inside, j = j < n, np.minimum(j, n - 1)
        crossed = forward_to[j] - forward_to[i] + (reverse_to - reverse)[j] - (reverse_to - reverse)[i]
        logs = np.log(1000) - np.log(j - i + 1) + compartment[i] * compartment[j] - crossed
        return np.where(inside, np.exp(logs), np.nan).astype(np.float32)


def two_chromosomes(n: int = 400, resolution: int = 10_000) -> Bins:
    return Bins(("chr1", "chr2"), (n * resolution, n * resolution), resolution)
