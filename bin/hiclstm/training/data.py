"""What a step of training works on: tiles of a stretch of one chromosome, read forwards or backwards."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse import csr_array

from .. import kernels
from ..contacts import ContactMap
from ..model import FRAME, HiCLSTM
from .processes import ALONE, Processes

# Rows that are read together. Every step projects all vectors of its reading, whatever tiles it takes, so that readings as
# long as the first human chromosomes at 10 kb would spend most of their time on bins that the step does not use.
STRETCH = 4096
MARGIN = kernels.LANES  # bins more on both sides of a stretch, which the path term of its outermost rows looks at


@dataclass(frozen=True, eq=False)
class Reading:
    """A stretch of one chromosome read in one direction.

    Attributes
    ----------
    chromosome : its place in the model's list
    backwards : whether it is read from its end, on the other strand
    bins : the chromosome's bins that it holds, in reading order; rows and columns below are counted from the first of them
    pairs : its observed pairs less than ``width`` bins apart, in reading order; those of ``rows`` only
    tiles : the tiles that cover all its pairs of usable bins less than ``width`` bins apart
    rows : the rows whose pairs this process holds, half-open
    """

    chromosome: int
    backwards: bool
    bins: slice
    pairs: kernels.Pairs
    tiles: kernels.Tiles
    width: int
    rows: tuple[int, int]

    def own(self, chosen: np.ndarray) -> np.ndarray:
        """Those of some tiles (indices) whose pairs this process holds."""
        row = self.tiles.row[chosen]
        return chosen[(row >= self.rows[0]) & (row < self.rows[1])]

    def vectors(self, model: HiCLSTM) -> torch.Tensor:
        """The vectors of its bins in reading order: [n, size]."""
        every = model.vectors(self.chromosome)
        if not self.backwards:
            return every[self.bins]
        n = len(every)
        return model.other_strand(every[n - self.bins.stop:n - self.bins.start]).flip(0)


def turned(pairs: kernels.Pairs) -> kernels.Pairs:
    """The same pairs numbered from the chromosome's end: (i, j) becomes (n - 1 - j, n - 1 - i)."""
    n = pairs.n
    by_column = csr_array((pairs.counts, pairs.columns, pairs.starts), shape=(n, n)).tocsc()
    starts = by_column.indptr.astype(np.int64)
    # row n - 1 - j holds column j's entries in opposite order: so the whole arrays are simply reversed
    return kernels.Pairs((starts[-1] - starts)[::-1].copy(), (n - 1 - by_column.indices[::-1]).astype(np.int32),
                         by_column.data[::-1].copy(), pairs.weight[::-1].copy(), pairs.probability_scale)


def near(pairs: kernels.Pairs, width: int) -> kernels.Pairs:
    """The same pairs without those ``width`` or more bins apart."""
    rows = np.repeat(np.arange(pairs.n, dtype=np.int32), np.diff(pairs.starts))
    kept = pairs.columns - rows < width
    before = np.concatenate([[0], np.cumsum(kept)])
    return replace(pairs, starts=before[pairs.starts], columns=pairs.columns[kept], counts=pairs.counts[kept])


def stretches(n: int, width: int) -> list[tuple[slice, slice]]:
    """Cut a chromosome of ``n`` bins: the rows of each stretch, and the bins that their pairs and path terms touch."""
    if n <= 2 * STRETCH:
        return [(slice(0, n), slice(0, n))]
    return [(slice(first, min(first + STRETCH, n)),
             slice(max(0, first - MARGIN), min(first + STRETCH + width + MARGIN, n))) for first in range(0, n, STRETCH)]


def of_bins(pairs: kernels.Pairs, bins: slice) -> kernels.Pairs:
    """The pairs of two bins of a stretch, which are counted from its first."""
    if bins == slice(0, pairs.n):
        return pairs
    begin, end = pairs.starts[bins.start], pairs.starts[bins.stop]
    columns = pairs.columns[begin:end] - bins.start
    kept = columns < bins.stop - bins.start
    before = np.concatenate([[0], np.cumsum(kept)])
    return replace(pairs, starts=before[pairs.starts[bins.start:bins.stop + 1] - begin], columns=columns[kept],
                   counts=pairs.counts[begin:end][kept], weight=pairs.weight[bins])


def of_rows(pairs: kernels.Pairs, first: int, last: int) -> kernels.Pairs:
    """The same pairs with rows outside ``first`` to ``last`` (half-open) emptied."""
    if (first, last) == (0, pairs.n):
        return pairs
    begin, end = pairs.starts[first], pairs.starts[last]
    return replace(pairs, starts=np.clip(pairs.starts, begin, end) - begin, columns=pairs.columns[begin:end].copy(),
                   counts=pairs.counts[begin:end].copy())


def readings_of(one: ContactMap, chromosome: int, width: int, both_strands: bool,
                processes: Processes = ALONE) -> list[Reading]:
    """The map of one chromosome read forwards and, for models with strands, backwards; a long one in stretches.

    ``chromosome`` is its place in the model's list. Each of several processes holds a part of every stretch's rows; all
    parts have as many tiles.
    """
    pairs = kernels.Pairs.of(one, one.bins.chromosomes[0])
    width = min(width, pairs.n)
    if width < pairs.n:
        pairs = near(pairs, width)
    found = []
    for backwards in (False, True) if both_strands else (False,):
        read = turned(pairs) if backwards else pairs
        for own, bins in stretches(pairs.n, width):
            here = of_bins(read, bins)
            first, last = own.start - bins.start, own.stop - bins.start
            tiles = kernels.tiles(here.n, width)
            tiles = tiles.choose((tiles.row >= first) & (tiles.row < last))
            tiles = kernels.holding_usable(tiles, here.weight > 0, width)
            edges = np.append(tiles.row, last)
            rows = tuple(int(edges[edge]) for edge in processes.share(len(tiles.row)))
            found.append(Reading(chromosome, backwards, bins, of_rows(here, *rows), tiles, width, rows))
    return found


def readings(contact_map: ContactMap, width: int, both_strands: bool) -> list[Reading]:
    """Every chromosome of a map, read forwards and, for models with strands, backwards."""
    return [reading for at, name in enumerate(contact_map.bins.chromosomes)
            for reading in readings_of(contact_map.of_chromosome(name), at, width, both_strands)]


class _TileOffsets(torch.autograd.Function):
    """Cut [distances, n] offsets into [m, 150, 16] tiles; the gradient goes back the same way (tiles do not overlap)."""

    @staticmethod
    def forward(context, offset, tiles):
        context.tiles, context.shape = tiles, offset.shape
        padded = torch.nn.functional.pad(offset, (0, kernels.LANES, 0, FRAME))
        cut = offset.new_empty(len(tiles.row), FRAME, kernels.LANES)
        for k, (row, distance) in enumerate(zip(tiles.row.tolist(), tiles.distance.tolist(), strict=True)):
            cut[k] = padded[distance:distance + FRAME, row:row + kernels.LANES]
        return cut

    @staticmethod
    def backward(context, upstream):
        distances, n = context.shape
        padded = upstream.new_zeros(distances + FRAME, n + kernels.LANES)
        for k, (row, distance) in enumerate(zip(context.tiles.row.tolist(), context.tiles.distance.tolist(), strict=True)):
            padded[distance:distance + FRAME, row:row + kernels.LANES] = upstream[k]
        return padded[:distances, :n], None


def tile_offsets(offset: torch.Tensor, tiles: kernels.Tiles) -> torch.Tensor:
    """The offsets [distances, n] of some tiles: [m, 150, 16], zero past the last distance."""
    return _TileOffsets.apply(offset, tiles)


def path_of_tiles(model: HiCLSTM, vectors: torch.Tensor, tiles: kernels.Tiles) -> torch.Tensor | None:
    """The path term of some tiles, made for the rows of those within its reach alone: [m, 150, 16], 0 beyond; None
    where none is within reach."""
    near = tiles.distance < model.config.path_reach
    if not near.any():
        return None
    first_rows, strip = np.unique(tiles.row[near].astype(np.int64), return_inverse=True)
    added = model.path_offset(vectors, first_rows, kernels.LANES)
    frames = -(-added.shape[1] // FRAME)
    added = torch.nn.functional.pad(added, (0, 0, 0, frames * FRAME - added.shape[1])).view(-1, FRAME, kernels.LANES)
    tile = np.full(len(near), len(added))  # a tile beyond the reach takes the zeros behind the last
    tile[near] = strip * frames + tiles.distance[near] // FRAME
    return torch.nn.functional.pad(added, (0, 0, 0, 0, 0, 1)).index_select(0, torch.from_numpy(tile).to(added.device))
