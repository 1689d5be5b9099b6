"""Single edits of a chromosome, and the variant a user names: some edits, one after the other.

Every edit knows the reference bins it concerns and how to turn one :class:`Rearranged` into the next. Bins are
numbered through as in :class:`~hiclstm.genome.Bins`; intervals are 0-based and half-open.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..genome import Bins
from .segments import Rearranged, Segment

KNOCKOUTS = ("shift", "zero", "mean", "padding")
NEIGHBOURHOOD = 200_000  # bp on either side whose mean replaces a site, as in the paper


@dataclass(frozen=True)
class Deletion:
    """Bins ``start`` to ``end`` are lost and what follows moves up: also the knockout by shifting."""

    start: int
    end: int
    name = "DEL"

    def apply(self, chromosome: Rearranged, model) -> Rearranged:
        return chromosome.delete(self.start, self.end)


@dataclass(frozen=True)
class Duplication:
    """A second copy of bins ``start`` to ``end`` follows the first (paper, Methods: R = [.., D, D, ..])."""

    start: int
    end: int
    name = "DUP"

    def apply(self, chromosome: Rearranged, model) -> Rearranged:
        return chromosome.duplicate(self.start, self.end)


@dataclass(frozen=True)
class Inversion:
    """Bins ``start`` to ``end`` are read backward; of a single bin: its site is flipped."""

    start: int
    end: int
    name = "INV"

    def apply(self, chromosome: Rearranged, model) -> Rearranged:
        return chromosome.invert(self.start, self.end)


@dataclass(frozen=True)
class Insertion:
    """A copy of bins ``source_start`` to ``source_end`` comes to the edge in front of bin ``start`` (= ``end``).

    ``receiver`` is any bin of the chromosome that receives it: the last edge of one chromosome has the number of the
    first edge of the next.
    """

    start: int
    end: int
    source_start: int
    source_end: int
    receiver: int
    strand: int = 1
    name = "INS"

    def apply(self, chromosome: Rearranged, model) -> Rearranged:
        return chromosome.insert(self.start, self.source_start, self.source_end, self.strand)


@dataclass(frozen=True)
class Knockout:
    """The vectors of bins ``start`` to ``end`` are replaced, the bins stay.

    ``zero``: by zeros; ``mean``: by the mean vector of the usable bins within 0.2 Mb on either side (at least one bin
    each); ``padding``: by the vector of a bin without data, the mean of the map's missing bins (of all bins where
    none is missing). The paper's fourth method, ``shift``, is :class:`Deletion`.
    """

    start: int
    end: int
    method: str
    name = "KO"

    def apply(self, chromosome: Rearranged, model) -> Rearranged:
        if self.method == "zero":
            vector = np.zeros(model.representations.shape[1], np.float32)
        elif self.method == "padding":
            missing = ~model.usable
            vector = model.representations[missing if missing.any() else slice(None)].mean(0)
        else:
            vector = self._neighbourhood(model)
        return chromosome.replace(range(self.start, self.end), [vector] * (self.end - self.start))

    def _neighbourhood(self, model) -> np.ndarray:
        span = span_of(model.bins, self.start)
        reach = max(1, NEIGHBOURHOOD // model.bins.resolution)
        around = np.arange(max(span.start, self.start - reach), min(span.stop, self.end + reach))
        around = around[(around < self.start) | (around >= self.end)]
        usable = around[model.usable[around]]
        if len(usable) == 0:
            raise InputError(f"no bin with data lies within {NEIGHBOURHOOD:,} bp of the site: its neighbourhood has no "
                             "mean; use another knockout method")
        return model.representations[usable].mean(0)


@dataclass(frozen=True)
class Replacement:
    """The vectors of some bins become one given vector (paper: the mean of sites of the other orientation)."""

    start: int
    end: int
    vector: np.ndarray
    name = "REPLACE"

    def apply(self, chromosome: Rearranged, model) -> Rearranged:
        return chromosome.replace(range(self.start, self.end), [self.vector] * (self.end - self.start))


@dataclass(frozen=True)
class Derivative:
    """A derivative chromosome: pieces of two chromosomes joined (translocation)."""

    pieces: tuple[Segment, ...]
    name = "BND"

    @property
    def start(self) -> int:
        """The reference bin at the junction, on its left side."""
        left = self.pieces[0]
        return left.end - 1 if left.strand > 0 else left.start

    @property
    def end(self) -> int:
        return self.start + 1

    def apply(self, chromosome: Rearranged, model) -> Rearranged:
        return Rearranged.of_segments(chromosome.bins, self.pieces)


@dataclass(frozen=True)
class Variant:
    """What a user asks for, by name.

    Attributes
    ----------
    name : unique in its set, safe in file names
    edits : applied one after the other; all on one chromosome, except a :class:`Derivative`
    place : the variant in the user's own coordinates, for tables
    """

    name: str
    edits: tuple
    place: str = ""

    @property
    def kind(self) -> str:
        return "+".join(edit.name if not isinstance(edit, Knockout) else edit.method for edit in self.edits)

    @property
    def span(self) -> tuple[int, int]:
        """The reference bins from the first to the last edit."""
        return min(edit.start for edit in self.edits), max(edit.end for edit in self.edits)

    @property
    def movable(self) -> bool:
        """Whether the same edits make sense elsewhere on the chromosome (not for translocations)."""
        return not any(isinstance(edit, Derivative) for edit in self.edits)

    @property
    def shape(self) -> tuple:
        """Equal for variants that differ only in where they lie: they share matched random loci."""
        start = self.span[0]
        return tuple((edit.name, edit.start - start, edit.end - start, getattr(edit, "method", ""),
                      getattr(edit, "strand", 0), getattr(edit, "source_start", start) - start,
                      getattr(edit, "source_end", start) - start,
                      edit.vector.tobytes() if isinstance(edit, Replacement) else b"") for edit in self.edits)

    def moved(self, by: int) -> "Variant":
        """The same edits ``by`` bins further on."""
        def further(edit):
            source = {name: getattr(edit, name) + by for name in ("source_start", "source_end") if hasattr(edit, name)}
            return replace(edit, start=edit.start + by, end=edit.end + by, **source)
        return Variant(self.name, tuple(further(edit) for edit in self.edits), self.place)

    def apply(self, model) -> Rearranged:
        """The chromosome after all edits."""
        bins = model.bins
        on = getattr(self.edits[0], "receiver", self.edits[0].start)
        chromosome = Rearranged.reference(bins, chromosome_of(bins, on))
        for edit in self.edits:
            chromosome = edit.apply(chromosome, model)
        return chromosome


def knockout(start: int, end: int, method: str):
    """The edit that knocks out bins ``start`` to ``end`` by one of :data:`KNOCKOUTS`."""
    if method not in KNOCKOUTS:
        raise InputError(f"--knockout {method}: there are {', '.join(KNOCKOUTS)}")
    return Deletion(start, end) if method == "shift" else Knockout(start, end, method)


def chromosome_of(bins: Bins, bin_number: int) -> str:
    """The name of the chromosome a bin lies on; the edge behind the last bin belongs to the last chromosome."""
    at = int(np.searchsorted(bins.offsets, min(bin_number, len(bins) - 1), side="right")) - 1
    return bins.chromosomes[at]


def span_of(bins: Bins, bin_number: int) -> slice:
    """The bins of the chromosome a bin lies on."""
    return bins.span(chromosome_of(bins, bin_number))
