"""Bins, regions and chromosome names: the coordinates everything else is expressed in."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from .errors import InputError

LONGEST_CHROMOSOME = 10_000_000_000  # base pairs; a lungfish's have half of that. What lies further is an error


def plain_name(chromosome: str) -> str:
    """``chr1`` and ``1`` are the same chromosome: the name without its prefix, for comparing only."""
    return chromosome[3:] if chromosome.lower().startswith("chr") else chromosome


def match_name(chromosome: str, names) -> str | None:
    """The one of ``names`` that means ``chromosome`` (``chr1`` or ``1``), or None."""
    names = list(names)
    if chromosome in names:
        return chromosome
    wanted = plain_name(chromosome)
    return next((name for name in names if plain_name(name) == wanted), None)


def natural(text: str) -> tuple:
    """A sort key that reads the numbers in ``text`` as numbers."""
    parts = re.split(r"(\d+)", str(text))
    return tuple((0, int(part), "") if part.isdecimal() and len(part) < 20 else (1, 0, part) for part in parts if part)


@dataclass(frozen=True)
class Region:
    """A stretch of one chromosome, 0-based and half-open, in base pairs."""

    chromosome: str
    start: int
    end: int

    def __post_init__(self):
        if not 0 <= self.start < self.end:
            raise InputError(f"region {self}: the start must be at least 0 and before the end")

    @classmethod
    def parse(cls, text: str) -> "Region":
        """Read ``chr21:28,000,000-29,200,000`` (0-based, half-open, as UCSC's BED, not as its search box)."""
        found = re.fullmatch(r"([^\s:]+):([0-9][0-9,]{0,17})-([0-9][0-9,]{0,17})", text.strip())
        if not found:
            raise InputError(f"region {text[:80]!r} is not of the form chromosome:start-end, as in "
                             "chr21:28,000,000-29,200,000")
        chromosome, start, end = found.groups()
        return cls(chromosome, int(start.replace(",", "")), int(end.replace(",", "")))

    def __str__(self):
        return f"{self.chromosome}:{self.start:,}-{self.end:,}"


@dataclass(frozen=True, eq=False)
class Bins:
    """Equal windows of some chromosomes, numbered through in the order the chromosomes are listed.

    Attributes
    ----------
    chromosomes : names, as the user's file spells them
    sizes : length of each chromosome in base pairs
    resolution : width of a bin in base pairs (the last bin of a chromosome may be shorter)
    """

    chromosomes: tuple[str, ...]
    sizes: tuple[int, ...]
    resolution: int

    def __post_init__(self):
        if len(self.chromosomes) != len(self.sizes):
            raise ValueError("as many sizes as chromosomes are needed")

    @cached_property
    def offsets(self) -> np.ndarray:
        """First bin of each chromosome, and behind them the number of bins: int64, length chromosomes + 1."""
        counts = [-(-size // self.resolution) for size in self.sizes]
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def position(self, chromosome: str) -> int:
        """Where ``chromosome`` (``chr1`` or ``1``) stands in the list; an :class:`InputError` names those that exist."""
        name = match_name(chromosome, self.chromosomes)
        if name is None:
            raise InputError(f"chromosome {chromosome!r} is not in the map, which has {', '.join(self.chromosomes)}")
        return self.chromosomes.index(name)

    def span(self, chromosome: str) -> slice:
        """The bins of one chromosome, as a slice of the numbering."""
        at = self.position(chromosome)
        return slice(int(self.offsets[at]), int(self.offsets[at + 1]))

    def within(self, region: Region) -> slice:
        """The bins that overlap ``region``, as a slice of the numbering, cut at the chromosome's end."""
        whole = self.span(region.chromosome)
        start = whole.start + region.start // self.resolution
        end = min(whole.stop, whole.start - (-region.end // self.resolution))
        if start >= end:
            raise InputError(f"region {region} lies past the end of its chromosome "
                             f"({self.sizes[self.position(region.chromosome)]:,} bp)")
        return slice(start, end)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a bin: ``chrom``, ``start``, ``end``."""
        parts = []
        for name, size in zip(self.chromosomes, self.sizes, strict=True):
            start = np.arange(0, size, self.resolution)
            parts.append(pd.DataFrame({"chrom": name, "start": start, "end": np.minimum(start + self.resolution, size)}))
        return pd.concat(parts, ignore_index=True)

    def subset(self, chromosomes) -> "Bins":
        """The same windows of some of the chromosomes, in this map's order."""
        wanted = {self.position(name) for name in chromosomes}
        keep = [k for k in range(len(self.chromosomes)) if k in wanted]
        return Bins(tuple(self.chromosomes[k] for k in keep), tuple(self.sizes[k] for k in keep), self.resolution)
