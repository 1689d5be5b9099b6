"""Rows of the whole symmetric map, made when they are asked for: what the older methods read."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..contacts import ContactMap
from ..errors import InputError

LARGEST = 30_000  # bins of a chromosome: a network or a decomposition over longer rows no longer fits in a machine


@dataclass(frozen=True, eq=False)
class Rows:
    """The balanced intrachromosomal map of one chromosome with both triangles.

    Attributes
    ----------
    values : sparse [n, n], symmetric, v on the scale of equation 1; rows and columns of missing bins are empty
    usable : bool [n]
    """

    values: sparse.csr_array
    usable: np.ndarray

    @classmethod
    def of(cls, contact_map: ContactMap, chromosome: str) -> "Rows":
        span = contact_map.bins.span(chromosome)
        n = span.stop - span.start
        if n > LARGEST:
            raise InputError(f"{chromosome} has {n:,} bins of {contact_map.bins.resolution:,} bp; SNIPER and PCA read "
                             f"whole rows and are run up to {LARGEST:,} bins a chromosome: compare at a coarser "
                             "resolution or on shorter chromosomes")
        entries = slice(contact_map.starts[span.start], contact_map.starts[span.stop])
        weight = np.nan_to_num(contact_map.weight[span])
        row = np.repeat(np.arange(n), np.diff(contact_map.starts[span.start:span.stop + 1]))
        column = contact_map.columns[entries] - span.start
        value = contact_map.counts[entries] * weight[row] * weight[column] * contact_map.probability_scale
        found = value > 0
        upper = sparse.csr_array((value[found].astype(np.float32), (row[found], column[found])), shape=(n, n))
        return cls((upper + sparse.triu(upper, 1).T).tocsr(), weight > 0)

    def distance_mean(self) -> np.ndarray:
        """Mean of v at each distance over pairs of usable bins: float64 [n]; 0 where there is no such pair."""
        upper = sparse.triu(self.values).tocoo()
        n = len(self.usable)
        total = np.bincount(upper.col - upper.row, upper.data, minlength=n)
        spectrum = np.fft.rfft(self.usable.astype(float), 2 * n)  # pairs at each distance: autocorrelation
        pairs = np.round(np.fft.irfft(np.abs(spectrum) ** 2, 2 * n)[:n])
        return total / np.maximum(pairs, 1)
