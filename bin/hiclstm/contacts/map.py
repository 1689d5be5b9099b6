"""The one form every contact map takes inside: sparse raw counts, a weight for each bin, missing bins marked."""

from dataclasses import dataclass, field
from pathlib import Path

import cooler
import numpy as np

from ..errors import InputError
from ..genome import Bins
from .fragments import measured_share

PIXELS_AT_ONCE = 20_000_000


@dataclass(frozen=True, eq=False)
class ContactMap:
    """Intrachromosomal contacts of one sample: upper triangle, diagonal included, as compressed sparse rows.

    Attributes
    ----------
    bins : the windows, N of them
    starts : int64 [N + 1], where each bin's row begins in ``columns`` and ``counts``
    columns : int32 [non-zeros], the partner bin of each entry, in the numbering of ``bins``, ascending in a row
    counts : float32 [non-zeros], raw counts (already balanced values where ``facts["raw"]`` is False)
    weight : float64 [N], multiplicative balancing weight; NaN marks a missing (unmappable) bin. The balanced
        value ``v_ij = count_ij * weight_i * weight_j`` is on the scale of raw counts: each chromosome's total is kept
    facts : what PREPARE_CONTACTS recorded about the map (source, balancing, scale, verdict)
    first_share : of 5C and capture, float64 [N], the share of a bin's fragments that are of the first set (forward
        primers, baits), NaN without fragments; None where all pairs were measured. It says which pairs of bins were
        measured, and how often compared with others (`fragments.measured_share`)
    """

    bins: Bins
    starts: np.ndarray
    columns: np.ndarray
    counts: np.ndarray
    weight: np.ndarray
    facts: dict = field(default_factory=dict)
    first_share: np.ndarray | None = None

    @property
    def usable(self) -> np.ndarray:
        """bool [N]: True where a bin is not missing."""
        return np.isfinite(self.weight)

    @property
    def probability_scale(self) -> float:
        """What balanced values are multiplied by before equation 1 (1 unless the user asked for another scale)."""
        return float(self.facts.get("probability_scale", 1.0))

    @property
    def reach(self) -> int | None:
        """Distances the map has data for, in bins, where the source was cut at some distance; None where it was not."""
        longest = self.facts.get("longest_distance_bp")
        return None if longest is None else int(longest) // self.bins.resolution + 1

    @classmethod
    def load(cls, path, chromosomes=None) -> "ContactMap":
        """Read the `.cool` that PREPARE_CONTACTS wrote (intrachromosomal part), all or some of its chromosomes."""
        file, everything, facts = _opened(path)
        bins = everything.subset(chromosomes) if chromosomes else everything
        weight, sizes, columns, counts, share = [], [], [], [], []
        for name in bins.chromosomes:
            there, here = everything.span(name), bins.span(name)
            weight.append(file.bins()[there.start:there.stop]["weight"].to_numpy(np.float64))
            if "first_share" in file.bins().columns:
                share.append(file.bins()[there.start:there.stop]["first_share"].to_numpy(np.float64))
            rows_found = np.zeros(there.stop - there.start, np.int64)
            first, last = (int(file._load_dset("indexes/bin1_offset")[edge]) for edge in (there.start, there.stop))
            for at in range(first, last, PIXELS_AT_ONCE):
                pixels = file.pixels()[at:min(at + PIXELS_AT_ONCE, last)]
                inside = pixels["bin2_id"].to_numpy() < there.stop
                rows_found += np.bincount(pixels["bin1_id"].to_numpy()[inside] - there.start, minlength=len(rows_found))
                columns.append((pixels["bin2_id"].to_numpy()[inside] - there.start + here.start).astype(np.int32))
                counts.append(pixels["count"].to_numpy()[inside].astype(np.float32))
            sizes.append(rows_found)
        starts = np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64)
        empty = np.zeros(0, np.float32)
        return cls(bins, starts, np.concatenate(columns or [empty]).astype(np.int32, copy=False),
                   np.concatenate(counts or [empty]), np.concatenate(weight), facts,
                   np.concatenate(share) if share else None)

    def width(self, wanted: int | None = None) -> int:
        """Distances to work on, in bins: those ``wanted`` (None: all) that the longest chromosome and the source have."""
        longest = int(np.diff(self.bins.offsets).max())
        return min(longest, wanted or longest, self.reach or longest)

    def of_chromosome(self, chromosome: str) -> "ContactMap":
        """The map of one chromosome."""
        span = self.bins.span(chromosome)
        entries = slice(int(self.starts[span.start]), int(self.starts[span.stop]))
        return ContactMap(self.bins.subset([chromosome]), self.starts[span.start:span.stop + 1] - entries.start,
                          self.columns[entries] - np.int32(span.start), self.counts[entries], self.weight[span], self.facts,
                          None if self.first_share is None else self.first_share[span])

    def measured_band(self, chromosome: str, width: int) -> np.ndarray | None:
        """Measured pairs of fragments of each pair of bins, relative to others: float64 [n, width]; 0 where none was
        measured, NaN where a bin has no fragment or lies past the end. None for maps of all pairs, where it is 1."""
        if self.first_share is None:
            return None
        share = self.first_share[self.bins.span(chromosome)]
        beyond = np.concatenate([share, np.full(width, np.nan)])
        return measured_share(share[:, None], np.lib.stride_tricks.sliding_window_view(beyond, width)[:len(share)])

    def balanced_band(self, chromosome: str, width: int | None = None) -> np.ndarray:
        """Balanced values of one chromosome by distance: float32 [n, width].

        Entry ``[i, d]`` is v of bins i and i + d (both counted from the chromosome's start); zero counts are 0,
        pairs that touch a missing bin, pass the chromosome's end, lie beyond ``reach`` or were not measured are NaN.
        ``width`` is in bins, all by default.
        """
        span = self.bins.span(chromosome)
        n = span.stop - span.start
        width = n if width is None else min(width, n)
        rows = np.repeat(np.arange(n), np.diff(self.starts[span.start:span.stop + 1]))
        entries = slice(self.starts[span.start], self.starts[span.stop])
        distance = self.columns[entries] - span.start - rows
        near = distance < width
        band = np.zeros((n, width), np.float32)
        band[rows[near], distance[near]] = self.counts[entries][near]
        weight = self.weight[span]
        beyond = np.concatenate([weight, np.full(width, np.nan)])
        partner = np.lib.stride_tricks.sliding_window_view(beyond, width)[:n]
        for at in range(0, n, 4096):  # blocks of rows: the products are float64 and would triple the memory
            block = slice(at, min(at + 4096, n))
            band[block] *= weight[block, None] * partner[block]
        measured = self.measured_band(chromosome, width)
        if measured is not None:
            band /= np.where(measured > 0, measured, np.nan)
        if self.reach is not None:
            band[:, self.reach:] = np.nan
        return band


def _opened(path) -> tuple[cooler.Cooler, Bins, dict]:
    """The `.cool` that PREPARE_CONTACTS wrote, its windows, and what was recorded about it."""
    try:
        file = cooler.Cooler(str(path))
        facts = dict(file.info.get("metadata") or {})
    except (OSError, KeyError, ValueError) as problem:
        raise InputError(f"{path}: cannot be opened as a .cool file ({problem})") from None
    if "weight" not in file.bins().columns:
        raise InputError(f"{path}: has no column 'weight'; give it to PREPARE_CONTACTS first")
    return file, Bins(tuple(file.chromnames), tuple(int(size) for size in file.chromsizes), int(file.binsize)), facts


@dataclass(frozen=True, eq=False)
class StoredMap(ContactMap):
    """A map whose contacts stay in the `.cool` at ``path``: for those who take one chromosome after the other.

    ``of_chromosome`` reads a chromosome's contacts each time it is asked; ``starts``, ``columns`` and ``counts`` are None.
    """

    path: Path | None = None

    @classmethod
    def load(cls, path, chromosomes=None) -> "StoredMap":
        """The `.cool` that PREPARE_CONTACTS wrote, all or some of its chromosomes, without the contacts."""
        file, everything, facts = _opened(path)
        bins, table = everything.subset(chromosomes) if chromosomes else everything, file.bins()
        weight, share = (np.concatenate([table[everything.span(name)][column].to_numpy(np.float64)
                                         for name in bins.chromosomes]) if column in table.columns else None
                         for column in ("weight", "first_share"))
        return cls(bins, None, None, None, weight, facts, share, Path(path))

    def of_chromosome(self, chromosome: str) -> ContactMap:
        return ContactMap.load(self.path, [chromosome])


def band_to_square(band: np.ndarray) -> np.ndarray:
    """The symmetric square [n, n] of a band [n, width]; pairs outside are NaN. For figures of small regions."""
    n, width = band.shape
    square = np.full((n, n), np.nan, band.dtype)
    for distance in range(min(width, n)):
        rows = np.arange(n - distance)
        square[rows, rows + distance] = square[rows + distance, rows] = band[:n - distance, distance]
    return square


def write_cool(path, bins: Bins, weight, pixels, facts: dict, counts_dtype="int32", first_share=None) -> None:
    """Write one `.cool` whole. ``pixels``: a table or tables in turn (bin1_id, bin2_id, count), upper triangle;
    ``weight`` and ``first_share`` become columns of its bins where they are not None."""
    from ..files import whole, with_room

    table = bins.table.copy()
    if weight is not None:
        table["weight"] = weight
    if first_share is not None:
        table["first_share"] = first_share
    with whole(Path(path)) as beside:
        cooler.create_cooler(str(beside), table, with_room(beside, pixels), dtypes={"count": counts_dtype}, metadata=facts,
                             ordered=True, symmetric_upper=True)
