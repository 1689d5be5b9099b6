"""Libraries of one map put together: chromosomes under one spelling, pixels added up."""

from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..genome import match_name, plain_name
from .chromosomes import natural_order, to_learn_from
from .fragments import common_name, first_share, matching
from .library import Library, Request


def combined(parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add up sorted pixel lists (bin1, bin2, count) into one, sorted, no pixel twice."""
    if len(parts) == 1:
        return parts[0]
    keys = np.concatenate([bin1.astype(np.int64) << 32 | bin2 for bin1, bin2, _ in parts])
    counts = np.concatenate([count for _, _, count in parts])
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    keys = keys[first]
    return (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32), np.add.reduceat(counts, first)


class Libraries:
    """The files of one map as one.

    A chromosome is called as the first file that has it does, its length is the one a file states, else the largest
    that the contacts of any imply.

    Attributes
    ----------
    sizes : chromosome (in the first file's spelling) → length, in natural order, of every chromosome that a file knows
    raw : all counts are whole numbers
    """

    def __init__(self, libraries: Sequence[Library], request: Request):
        self.libraries, self.request = libraries, request
        self._own: list[dict[str, str]] = []  # for each library: common spelling → its own
        sizes: dict[str, tuple[int, bool, str]] = {}
        spelling: dict[str, str] = {}
        for library in libraries:
            own = {}
            for name, size in library.sizes.items():
                common = spelling.setdefault(plain_name(name), name)
                own[common] = name
                before, known, where = sizes.get(common, (0, False, ""))
                if known and library.sizes_known and before != size:
                    raise InputError(f"{library.source}: chromosome {name} is {size:,} bp long, and {before:,} bp in "
                                     f"{where}: maps of different assemblies cannot be summed")
                if known != library.sizes_known:
                    size, known = (size, True) if library.sizes_known else (before, True)
                else:
                    size = max(size, before)
                sizes[common] = size, known, library.source
            self._own.append(own)
        self.sizes = {name: sizes[name][0] for name in sorted(sizes, key=natural_order)}
        self.raw = all(library.raw for library in libraries)
        self._check_kinds()

    def _check_kinds(self) -> None:
        """Balanced maps can be set side by side (one file a chromosome), not added up or mixed with raw ones."""
        if self.raw and self.request.balance != "balanced":
            return
        whole = [library.source for library in self.libraries if library.raw and library.pairs]
        part = [library.source for library in self.libraries if not library.raw]
        if whole and part:
            raise InputError(f"{part[0]}: holds fractional values, {whole[0]} whole counts: a map is made of one kind")
        for name in self.sizes:
            holding = self.holding(name)
            if len(holding) > 1:
                raise InputError(f"{holding[1].source}: chromosome {name} is also in {holding[0].source}; maps without "
                                 "raw counts cannot be summed: give the raw counts")

    def holding(self, name: str, other: str | None = None) -> list[Library]:
        """The libraries with contacts of a chromosome (or between two of them)."""
        return [library for library, own in zip(self.libraries, self._own, strict=True)
                if (own.get(name), own.get(other or name)) in library.pairs]

    def pixels(self, name: str, other: str | None = None):
        """(bin1, bin2, count) summed over the libraries, or None where there are none."""
        other = other or name
        found = [library.pixels(own[name], own[other]) for library, own in zip(self.libraries, self._own, strict=True)
                 if (own.get(name), own.get(other)) in library.pairs]
        return combined(found) if found else None

    def vectors(self, name: str) -> dict[str, np.ndarray]:
        """Vectors of a chromosome as its one file has them, in the order to try; none where files were summed."""
        holding = self.holding(name)
        if len(holding) != 1:
            return {}
        own = next(own for library, own in zip(self.libraries, self._own, strict=True) if library is holding[0])[name]
        return {vector: holding[0].vectors[own, vector] for vector in self.request.vectors_wanted
                if (own, vector) in holding[0].vectors}

    def first_share(self, name: str, bins: int) -> np.ndarray | None:
        """Of 5C and capture: share of each bin's fragments that are of the first set: float64 [bins], NaN without any.

        None for maps of all pairs. Libraries that are summed must have the same fragments.
        """
        found = [(library, common_name(name, library.fragments)) for library in self.holding(name)]
        source, numbers = found[0][0].source, found[0][1]
        for library, other in found[1:]:
            if (numbers is None) != (other is None):
                raise InputError(f"{library.source}: a map of chosen fragments and one of all pairs ({source}) cannot be "
                                 "summed")
            if numbers is not None and not matching(numbers, other):
                raise InputError(f"{library.source}: has other fragments on {name} than {source}: such maps cannot be "
                                 "summed; give them as replicates")
        if numbers is None:
            return None
        share = np.full(bins, np.nan)
        n = min(bins, len(numbers))
        share[:n] = first_share(numbers[:n])
        return share

    def chosen(self) -> tuple[list[str], list[str]]:
        """The chromosomes to prepare, and notes on those left out."""
        there = [name for name in self.sizes if self.holding(name)]
        if self.request.chromosomes is not None:
            names = []
            for asked in self.request.chromosomes:
                name = match_name(asked, self.sizes)
                if name is None:
                    raise InputError(f"chromosome {asked!r} is in none of the files; they have "
                                     f"{', '.join(list(self.sizes)[:40])}")
                if name not in there:
                    raise InputError(f"chromosome {asked!r} has no contacts: all its counts are zero")
                names.append(name)
            return sorted(set(names), key=natural_order), []
        learned = to_learn_from(self.sizes, self.request.resolution)
        empty = [name for name in learned if name not in there]
        names = [name for name in learned if name in there]
        if not names:
            files = ", ".join(library.source for library in self.libraries)
            raise InputError(f"{files}: no autosome or X with contacts and at least 20 bins of "
                             f"{self.request.resolution:,} bp; the chromosomes are {', '.join(list(self.sizes)[:40])} "
                             "(name some with --chromosomes)")
        return names, [f"without contacts and left out: {', '.join(empty)}"] if empty else []

    def trans(self) -> float | None:
        """Contacts between two chromosomes read; None where no file can say."""
        known = [library.trans for library in self.libraries if library.trans is not None]
        return sum(known) if known else None

    def assembly(self) -> str:
        """What the user says, else what the first file that says something says."""
        return self.request.assembly or next((library.assembly for library in self.libraries if library.assembly), "")
