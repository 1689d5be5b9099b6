"""What the kernels work on: the observed pairs of one chromosome, and the tiles that cover its upper triangle.

A tile is 16 consecutive rows by 150 distances: sixteen frames of the network side by side. Frames are anchored on the
diagonal, so at step t lane l of a tile is the pair

    row = tile.row + l,    distance = tile.distance + t,    column = row + distance

and the columns of one step are 16 consecutive bins at one common distance.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..contacts import ContactMap
from ..model.config import FRAME

LANES = 16


@dataclass(frozen=True, eq=False)
class Pairs:
    """The observed pairs of one chromosome of n bins: upper triangle, diagonal included, compressed sparse rows.

    Attributes
    ----------
    starts : int64 [n + 1], where each row begins in ``columns`` and ``counts``
    columns : int32 [non-zeros], partner bins counted from the chromosome's start, ascending in a row, >= the row
    counts : float32 [non-zeros], raw counts
    weight : float32 [n], multiplicative balancing weight, 0 where the bin is missing
    probability_scale : what balanced values are multiplied by before equation 1
    """

    starts: np.ndarray
    columns: np.ndarray
    counts: np.ndarray
    weight: np.ndarray
    probability_scale: float = 1.0

    @property
    def n(self) -> int:
        return len(self.weight)

    @classmethod
    def of(cls, contact_map: ContactMap, chromosome: str) -> "Pairs":
        """The pairs of one chromosome of a map."""
        span = contact_map.bins.span(chromosome)
        starts = contact_map.starts[span.start:span.stop + 1].astype(np.int64)
        entries = slice(int(starts[0]), int(starts[-1]))
        weight = np.nan_to_num(contact_map.weight[span], nan=0.0, posinf=0.0, neginf=0.0)
        return cls(starts - starts[0], (contact_map.columns[entries] - span.start).astype(np.int32),
                   np.ascontiguousarray(contact_map.counts[entries], np.float32), weight.astype(np.float32),
                   contact_map.probability_scale)


class Tiles(NamedTuple):
    """Some tiles of one chromosome.

    row : int32 [m], first of a tile's 16 rows
    distance : int32 [m], first of its 150 distances, a multiple of 150
    """

    row: np.ndarray
    distance: np.ndarray

    def choose(self, which) -> "Tiles":
        """Some of the tiles: a slice, a mask or an index array."""
        return Tiles(self.row[which], self.distance[which])


def tiles(n: int, width: int) -> Tiles:
    """All tiles of a chromosome of ``n`` bins within ``width`` bins of the diagonal that hold at least one pair."""
    row = np.arange(0, n, LANES, dtype=np.int32)
    distance = np.arange(0, min(width, n), FRAME, dtype=np.int32)
    row, distance = (grid.ravel() for grid in np.meshgrid(row, distance, indexing="ij"))
    held = row.astype(np.int64) + distance < n
    return Tiles(row[held], distance[held])


def holding_usable(every: Tiles, usable: np.ndarray, width: int) -> Tiles:
    """Those tiles that hold a pair of two usable bins less than ``width`` apart; ``usable``: bool [n]."""
    n = len(usable)
    before = np.concatenate([[0], np.cumsum(usable)])

    def some(first, last):  # whether any bin of a half-open stretch is usable
        return before[np.clip(last, 0, n)] > before[np.clip(first, 0, n)]

    row, distance = (part.astype(np.int64) for part in every)
    furthest = np.minimum(distance + FRAME, width)
    return every.choose(some(row, row + LANES) & some(row + distance, row + LANES - 1 + furthest))
