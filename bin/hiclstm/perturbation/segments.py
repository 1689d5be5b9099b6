"""A rearranged chromosome: an ordered list of stretches of the reference, each with its strand.

Deletion, duplication, inversion, insertion of a copy, translocation and the paper's four knockouts all end as one
:class:`Rearranged`. Bins are numbered through as in :class:`~hiclstm.genome.Bins`, so that a bin's number says its
chromosome too; positions count along the rearranged chromosome. All intervals are 0-based and half-open, in bins.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..genome import Bins


class Segment(NamedTuple):
    """Reference bins ``start`` to ``end`` (numbering of the map), read forward (+1) or backward (-1)."""

    start: int
    end: int
    strand: int = 1


@dataclass(frozen=True, eq=False)
class Rearranged:
    """A chromosome as it stands after some edits.

    Attributes
    ----------
    bins : the reference
    order : int64 [n], the reference bin at each position
    strand : int8 [n], +1 where that bin is read forward, -1 where backward
    vectors : {reference bin: float32 [representation size]}, bins (all their copies) whose vector was replaced
    """

    bins: Bins
    order: np.ndarray
    strand: np.ndarray
    vectors: dict[int, np.ndarray] = field(default_factory=dict)

    @classmethod
    def reference(cls, bins: Bins, chromosome: str) -> "Rearranged":
        """The chromosome as the reference has it."""
        span = bins.span(chromosome)
        return cls.of_segments(bins, [Segment(span.start, span.stop)])

    @classmethod
    def of_segments(cls, bins: Bins, segments) -> "Rearranged":
        """The chromosome that reads ``segments`` one after the other; they may come from several chromosomes."""
        order, strand = [np.zeros(0, np.int64)], [np.zeros(0, np.int8)]
        for segment in segments:
            stretch = np.arange(segment.start, segment.end)
            order.append(stretch if segment.strand > 0 else stretch[::-1])
            strand.append(np.full(len(stretch), segment.strand, np.int8))
        return cls(bins, np.concatenate(order), np.concatenate(strand))

    def __len__(self) -> int:
        return len(self.order)

    @property
    def segments(self) -> list[Segment]:
        """The longest stretches that continue the reference, in order."""
        if not len(self):
            return []
        ends = np.flatnonzero(~self.continues) + 1
        found = []
        for first, last in zip(np.concatenate([[0], ends]), np.concatenate([ends, [len(self)]]) - 1, strict=True):
            low, high = sorted((int(self.order[first]), int(self.order[last])))
            found.append(Segment(low, high + 1, int(self.strand[first])))
        return found

    @property
    def continues(self) -> np.ndarray:
        """bool [n - 1]: True where a position is followed by the bin that follows it in the reference too."""
        step = np.diff(self.order)
        same_chromosome = np.diff(self.chromosome_of(self.order)) == 0
        return (step == self.strand[:-1]) & (self.strand[1:] == self.strand[:-1]) & same_chromosome

    @property
    def altered(self) -> np.ndarray:
        """bool [n + 1, 2]: what differs from the reference, as (edge before position p, position p itself).

        An edge is altered where two pieces meet that the reference keeps apart, or where the chromosome now begins
        or ends elsewhere; a position is altered where its bin is read backward or carries another vector.
        """
        edges, positions = np.zeros(len(self) + 1, bool), np.zeros(len(self) + 1, bool)
        if len(self):
            edges[1:-1] = ~self.continues
            first, last = self.bins.offsets[:-1], self.bins.offsets[1:] - 1
            edges[0] = self.order[0] not in (first if self.strand[0] > 0 else last)
            edges[-1] = self.order[-1] not in (last if self.strand[-1] > 0 else first)
            positions[:-1] = (self.strand < 0) | np.isin(self.order, list(self.vectors))
        return np.stack([edges, positions], 1)

    @property
    def is_reference(self) -> bool:
        """True where nothing was changed."""
        return not self.altered.any()

    def chromosome_of(self, bins_numbered: np.ndarray) -> np.ndarray:
        """Which chromosome of ``bins`` each bin lies on: int64, the shape of what is given."""
        return np.searchsorted(self.bins.offsets, bins_numbered, side="right") - 1

    def positions_of(self, bin_number: int) -> np.ndarray:
        """All positions that hold a reference bin: empty where it was deleted, several where it was copied."""
        return np.flatnonzero(self.order == bin_number)

    def delete(self, start: int, end: int) -> "Rearranged":
        """Without reference bins ``start`` to ``end`` (all their copies)."""
        kept = (self.order < start) | (self.order >= end)
        return Rearranged(self.bins, self.order[kept], self.strand[kept], self.vectors)

    def invert(self, start: int, end: int) -> "Rearranged":
        """With the stretch that holds reference bins ``start`` to ``end`` read backward."""
        run = self._run(start, end)
        order, strand = self.order.copy(), self.strand.copy()
        order[run], strand[run] = order[run][::-1], -strand[run][::-1]
        return Rearranged(self.bins, order, strand, self.vectors)

    def duplicate(self, start: int, end: int) -> "Rearranged":
        """With a second copy of reference bins ``start`` to ``end`` behind the first (tandem duplication)."""
        run = self._run(start, end)
        return self._with_inserted(run.stop, self.order[run], self.strand[run])

    def insert(self, before: int, start: int, end: int, strand: int = 1) -> "Rearranged":
        """With a copy of reference bins ``start`` to ``end`` at the edge in front of reference bin ``before``.

        The edge is found behind the bin that precedes it in the reference or, where that was deleted, in front of
        the bin that follows it (their first copies); the first and the last edge are the chromosome's ends.
        """
        stretch = np.arange(start, end)
        return self._with_inserted(self._edge(before, start), stretch if strand > 0 else stretch[::-1],
                                   np.full(end - start, strand, np.int8))

    def replace(self, bin_numbers, vectors: np.ndarray) -> "Rearranged":
        """With other vectors (float32 [bins, representation size]) at some reference bins, in all their copies."""
        replaced = dict(zip((int(number) for number in bin_numbers), vectors, strict=True))
        return Rearranged(self.bins, self.order, self.strand, {**self.vectors, **replaced})

    def representations(self, reference: np.ndarray, window: slice = slice(None)) -> np.ndarray:
        """The vectors along the rearranged chromosome: float32 [positions, representation size]."""
        found = reference[self.order[window]].copy()
        for number, vector in self.vectors.items():
            found[self.order[window] == number] = vector
        return found

    def _run(self, start: int, end: int) -> slice:
        held = np.flatnonzero((self.order >= start) & (self.order < end))
        if len(held) == 0 or held[-1] - held[0] + 1 != len(held):
            raise InputError(f"bins {start} to {end} are {'absent' if len(held) == 0 else 'scattered'} after the edits "
                             "before this one: an edit needs them in one stretch")
        return slice(int(held[0]), int(held[-1]) + 1)

    def _edge(self, before: int, start: int) -> int:
        offsets = self.bins.offsets
        chromosomes = set(self.chromosome_of(self.order).tolist()) or {int(self.chromosome_of(np.int64(start)))}
        if before in {int(offsets[at]) for at in chromosomes}:
            return 0
        if before in {int(offsets[at + 1]) for at in chromosomes}:
            return len(self)
        for neighbour, behind in ((before - 1, 1), (before, -1)):
            held = self.positions_of(neighbour)
            if len(held):  # a bin read backward has its right neighbour's edge in front of it
                return int(held[0]) + (1 if behind * self.strand[held[0]] > 0 else 0)
        raise InputError(f"both bins beside the edge at bin {before} were deleted: nothing can be inserted there")

    def _with_inserted(self, at: int, order: np.ndarray, strand: np.ndarray) -> "Rearranged":
        return Rearranged(self.bins, np.insert(self.order, at, order), np.insert(self.strand, at, strand), self.vectors)
