"""What a model says of a rearranged chromosome: before, after and the difference, for the same pairs of loci.

A difference always compares a pair of positions of the rearranged chromosome with the pair of reference bins that
stand there (lift-over), never the same index before and after. A model's value of a pair depends on the bins from one
to the other only, so a pair with nothing altered between its ends keeps the value it had, to the last bit; only the
other pairs are computed, on the piece of chromosome around the edit.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ..contacts import contact_probability
from ..errors import InputError
from ..genome import Bins
from .edits import Knockout, Variant, chromosome_of
from .segments import Rearranged

MARGIN = 8  # bins beyond a pair's ends that the models may look at (the path term is smoothed over neighbours)
LARGEST_WINDOW = 6000  # bins: the full triangle of a window is held in memory
LEAST = 1e-6  # expected contacts below this are taken as this before a logarithm
ROWS_AT_ONCE = 512
FEWEST_PAIRS = 10  # a distance with fewer pairs on a chromosome has no mean of its own


@dataclass(frozen=True, eq=False)
class Reading:
    """A window of a rearranged chromosome, read before and after.

    Every band is float32 [n, n]: entry ``[i, d]`` belongs to window positions i and i + d; NaN where a bin is missing,
    past the window's end or, in ``before``, where the two loci had no pair in the reference (one locus twice, or
    loci of two chromosomes).

    Attributes
    ----------
    bins : the reference
    order, strand : int64 and int8 [n], the reference bin at each position and how it is read
    first : position of the window's first bin on the rearranged chromosome
    before : expected contacts of the same two loci in the reference
    after : expected contacts on the rearranged chromosome
    distance_alone : what the change of distance alone does to the logarithm, by the model's own distance curve
    crossing : bool, pairs with something altered between their ends (or at one of them)
    breaks : [(p, q)]: where something was altered: positions p to q were edited; p = q for a junction
    removed : bool [n], positions whose own vector was knocked out; left out of effect sizes, as in a deletion
    usable : bool [n], positions whose bin is not missing
    """

    bins: Bins
    order: np.ndarray
    strand: np.ndarray
    first: int
    before: np.ndarray
    after: np.ndarray
    distance_alone: np.ndarray
    crossing: np.ndarray
    breaks: list[tuple[int, int]]
    removed: np.ndarray
    usable: np.ndarray

    @cached_property
    def log_change(self) -> np.ndarray:
        """Natural log of after over before: band, 0 where nothing changes."""
        return np.log(np.maximum(self.after, LEAST)) - np.log(np.maximum(self.before, LEAST))

    @cached_property
    def change_beyond_distance(self) -> np.ndarray:
        """The log change less what the change of distance alone does (that is, of observed over expected)."""
        return self.log_change - self.distance_alone

    @cached_property
    def compared(self) -> np.ndarray:
        """bool band: pairs that an effect is measured on: crossing the edit, in both genomes, not of a removed bin."""
        pairs = self.crossing & np.isfinite(self.before) & np.isfinite(self.after)
        pairs &= ~self.removed[:, None]
        return pairs & ~_partner(self.removed, True)

    def probability_change(self, scale: float = 1.0) -> np.ndarray:
        """Difference in contact probability (equation 1): band."""
        return contact_probability(self.after * scale) - contact_probability(self.before * scale)

    def collapsed(self, values: np.ndarray | None = None) -> pd.DataFrame:
        """A band of the rearranged chromosome (``after`` by default) on the reference: bin1, bin2, value.

        Reads of two copies cannot be told apart, so the expected counts of all pairs of positions that map to one
        pair of reference bins are summed: four where both bins were duplicated, two where one was. Pairs of bins that
        were deleted are absent; ``bin1 <= bin2``.
        """
        values = self.after if values is None else values
        found = []
        for block in _row_blocks(len(self.order)):
            i, d = np.nonzero(np.isfinite(values[block]))
            value, i = values[block][i, d], i + block.start
            low, high = np.minimum(self.order[i], self.order[i + d]), np.maximum(self.order[i], self.order[i + d])
            found.append((low * np.int64(len(self.bins)) + high, value.astype(np.float64)))
        keys, where = np.unique(np.concatenate([key for key, _ in found]), return_inverse=True)
        total = np.bincount(where, np.concatenate([value for _, value in found]), len(keys))
        return pd.DataFrame({"bin1": keys // len(self.bins), "bin2": keys % len(self.bins), "value": total})


class Reader:
    """Reads rearranged chromosomes from one trained model.

    Parameters
    ----------
    model : a :class:`~hiclstm.prediction.TrainedModel` or anything with its ``bins``, ``usable``, ``representations``,
        ``expected_band`` and ``expected_band_of``
    margin : bins beyond its two ends that the model's value of a pair depends on
    """

    def __init__(self, model, margin: int = MARGIN):
        self.model = model
        self.margin = margin
        self.bins: Bins = model.bins
        self.usable = np.asarray(model.usable)
        self.representations = np.asarray(model.representations, np.float32)
        self._bands: dict[str, np.ndarray] = {}
        self._curves: dict[str, np.ndarray] = {}

    def wild_type(self, chromosome: str, width: int) -> np.ndarray:
        """Expected contacts of the reference, float32 [n, at least width], NaN at missing bins; kept between calls."""
        span = self.bins.span(chromosome)
        width = min(width, span.stop - span.start)
        held = self._bands.get(chromosome)
        if held is None or held.shape[1] < width:
            usable = self.usable[span]
            held = self.model.expected_band(chromosome, width)
            held[~usable] = np.nan
            held[~_partner(usable, False, width)] = np.nan
            self._bands[chromosome], self._curves[chromosome] = held, _distance_curve(held)
        return held

    def distance_curve(self, chromosome: str, width: int) -> np.ndarray:
        """Mean log expected contacts of the reference chromosome at each distance: float64 [at least width]."""
        self.wild_type(chromosome, width)
        return self._curves[chromosome]

    def read(self, variant: Variant, reach: int) -> Reading:
        """Read a variant in the window from ``reach`` bins before its first to behind its last alteration.

        The window is widened to hold all copies of what was copied. An :class:`InputError` says where it is too wide
        to read or nothing is left of the chromosome.
        """
        chromosome = variant.apply(self)
        if len(chromosome) == 0:
            raise InputError("nothing is left of the chromosome")
        window = self._window(chromosome, variant, reach)
        if window.stop - window.start > LARGEST_WINDOW:
            raise InputError(f"its window is {window.stop - window.start:,} bins wide, more than the "
                             f"{LARGEST_WINDOW:,} that are read at once; use a model of coarser resolution")
        order = chromosome.order[window]
        before, distance_alone = self.lift_over(order)
        after = self._after(chromosome, window, before)
        removed = np.isin(order, [number for edit in variant.edits if isinstance(edit, Knockout)
                                  for number in range(edit.start, edit.end)])
        return Reading(self.bins, order, chromosome.strand[window], window.start, before, after, distance_alone,
                       _between(chromosome, window, 0), _breaks(chromosome, window), removed, self.usable[order])

    def before_on_reference(self, reading: Reading) -> pd.DataFrame:
        """All pairs of the reference bins from the first to the last that a reading holds, a chromosome at a time.

        bin1, bin2, value; deleted bins in between are included, missing bins are not.
        """
        found = []
        chromosomes = np.searchsorted(self.bins.offsets, reading.order, side="right") - 1
        for at in np.unique(chromosomes):
            held = reading.order[chromosomes == at]
            first, last = int(held.min()), int(held.max())
            if last - first >= LARGEST_WINDOW:
                raise InputError(f"the reference between its ends is {last - first + 1:,} bins wide, more than the "
                                 f"{LARGEST_WINDOW:,} that are written at once; use a model of coarser resolution")
            offset = int(self.bins.offsets[at])
            band = self.wild_type(self.bins.chromosomes[at], last - first + 1)[first - offset:last - offset + 1]
            width = min(band.shape[1], last - first + 1)
            inside = np.arange(len(band))[:, None] + np.arange(width) < len(band)
            i, d = np.nonzero(np.isfinite(band[:, :width]) & inside)
            found.append(pd.DataFrame({"bin1": i + first, "bin2": i + d + first,
                                       "value": band[i, d].astype(np.float64)}))
        return pd.concat(found, ignore_index=True)

    def _window(self, chromosome: Rearranged, variant: Variant, reach: int) -> slice:
        altered = np.flatnonzero(chromosome.altered.any(1))
        touched = [np.clip(altered, 0, len(chromosome) - 1)]
        present, copies = np.unique(chromosome.order, return_counts=True)
        touched.append(np.flatnonzero(np.isin(chromosome.order, present[copies > 1])))
        if not len(touched[0]):  # edits that cancel: look where they were
            start, end = variant.span
            touched.append(np.flatnonzero((chromosome.order >= start - 1) & (chromosome.order <= end)))
        touched = np.concatenate(touched)
        return slice(max(0, int(touched.min()) - reach), min(len(chromosome), int(touched.max()) + reach + 1))

    def lift_over(self, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Reference values of the pairs of bins in a new order: :attr:`Reading.before` and ``distance_alone``."""
        n = len(order)
        place = np.searchsorted(self.bins.offsets, order, side="right") - 1
        before = np.full((n, n), np.nan, np.float32)
        distance_alone = np.zeros((n, n), np.float32)
        for at in np.unique(place):
            name, offset, held = self.bins.chromosomes[at], int(self.bins.offsets[at]), order[place == at]
            width = max(int(held.max() - held.min()) + 1, n)
            band, curve = self.wild_type(name, width), self.distance_curve(name, width)
            longest = len(curve) - 1  # a distance no pair of the reference has is given the longest one's mean
            for block in _row_blocks(n):
                i, d = _pairs(block, n)
                a, b = order[i], order[i + d]
                here = (place[i] == at) & (place[i + d] == at) & ((a != b) | (d == 0))
                i, d, a, b = i[here], d[here], a[here], b[here]
                apart = np.abs(a - b)
                before[i, d] = band[np.minimum(a, b) - offset, apart]
                distance_alone[i, d] = np.where(apart == d, 0, curve[np.minimum(d, longest)] - curve[apart])
        return before, distance_alone

    def _after(self, chromosome: Rearranged, window: slice, before: np.ndarray) -> np.ndarray:
        n = window.stop - window.start
        changed = _between(chromosome, window, self.margin)
        if not changed.any():
            return before.copy()
        wide = slice(max(0, window.start - self.margin), min(len(chromosome), window.stop + self.margin))
        band = self.model.expected_band_of(chromosome.representations(self.representations, wide),
                                           wide.stop - wide.start, chromosome.strand[wide])
        inner = window.start - wide.start
        after = np.where(changed, band[inner:inner + n, :n], before)
        usable = self.usable[chromosome.order[window]]
        after[~usable] = np.nan
        after[~_partner(usable, False)] = np.nan
        return after


def _between(chromosome: Rearranged, window: slice, margin: int) -> np.ndarray:
    """bool band of a window: pairs with something altered between their ends, or up to ``margin`` bins beyond them."""
    edges, positions = chromosome.altered.T
    n, length = window.stop - window.start, len(chromosome)
    edges_so_far = np.concatenate([[0], np.cumsum(edges)])  # altered edges among the first k
    positions_so_far = np.concatenate([[0], np.cumsum(positions)])
    changed = np.zeros((n, n), bool)
    for block in _row_blocks(n):
        i, d = _pairs(block, n)
        low, high = np.maximum(i + window.start - margin, 0), np.minimum(i + d + window.start + margin, length - 1)
        outer = 1 if margin else 0  # with a margin the interval's own outer edges count too
        found = edges_so_far[high + 1 + outer] - edges_so_far[np.minimum(low + 1 - outer, high + 1)]
        changed[i, d] = (found + positions_so_far[high + 1] - positions_so_far[low]) > 0
    return changed


def _breaks(chromosome: Rearranged, window: slice) -> list[tuple[int, int]]:
    """Where a window was altered: edited stretches of up to three bins, and junctions, in window positions."""
    edges, positions = chromosome.altered.T
    found, covered = [], np.zeros(len(edges), bool)
    bounds = np.flatnonzero(np.diff(np.concatenate([[0], positions.astype(np.int8), [0]])))
    for first, last in zip(bounds[::2], bounds[1::2], strict=True):
        replaced = np.isin(chromosome.order[first:last], list(chromosome.vectors)).any()
        if replaced or last - first <= 3:
            found.append((int(first), int(last)))
            covered[first:last + 1] = True
    found += [(int(edge), int(edge)) for edge in np.flatnonzero(edges & ~covered) if 0 < edge < len(chromosome)]
    return [(first - window.start, last - window.start) for first, last in sorted(found)
            if window.start <= first and last <= window.stop]


def _distance_curve(band: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        logs = np.log(np.maximum(band, LEAST))
    pairs = np.isfinite(logs).sum(0)
    mean = np.nansum(logs, 0, dtype=np.float64) / np.maximum(pairs, 1)
    enough = np.flatnonzero(pairs >= min(FEWEST_PAIRS, pairs.max(initial=0)))
    return np.interp(np.arange(len(mean)), enough, mean[enough]) if len(enough) else mean


def _partner(values: np.ndarray, beyond, width: int | None = None) -> np.ndarray:
    """A value per position as a band of the pair's second position: [n, width]; ``beyond`` past the end."""
    n = len(values)
    width = n if width is None else width
    return np.lib.stride_tricks.sliding_window_view(np.concatenate([values, np.full(width, beyond)]), width)[:n]


def _row_blocks(n: int):
    return [slice(at, min(at + ROWS_AT_ONCE, n)) for at in range(0, n, ROWS_AT_ONCE)]


def _pairs(block: slice, n: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs (position, distance) of some rows of a window of n positions."""
    rows = np.arange(block.start, block.stop)
    i = np.repeat(rows, n - rows)
    d = np.arange(len(i)) - np.repeat(np.cumsum(n - rows) - (n - rows), n - rows)
    return i, d


def region_of(reading: Reading) -> str:
    """The window in words: the chromosome and reference base pairs it covers."""
    bins = reading.bins
    name = chromosome_of(bins, int(reading.order[0]))
    inside = reading.order[(reading.order >= bins.span(name).start) & (reading.order < bins.span(name).stop)]
    table = bins.table
    return f"{name}:{table.start[inside.min()]:,}-{table.end[inside.max()]:,}"
