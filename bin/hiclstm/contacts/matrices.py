"""Matrices as text: Juicer dump (start1 start2 count, with or without chromosomes) and HiC-Pro (matrix and bed)."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..genome import LONGEST_CHROMOSOME, match_name
from ..textfiles import LARGEST_TABLE, opened
from .chromosomes import chromosome_in_name, to_learn_from
from .formats import Source
from .library import Library, PixelStore, Request, resolution_to_read
from .text import is_wanted, known_sizes, pieces, size_of

MOST_BINS = 100_000_000  # of a HiC-Pro matrix: a human genome has 31 million of 100 bp


def read_juicer(source: Source, request: Request, folder: Path, report) -> Library:
    """Read Juicer dump text: three columns (one chromosome, named after ``::`` or by the file's name) or five.

    The resolution is the largest width of which every start is a multiple. Starts that all lie half a bin off are taken
    as midpoints. NaN counts (pairs that touch a missing bin) are left out.
    """
    library = Library(str(source), "Juicer dump text", folder)
    sizes = known_sizes(source, request)
    if source.kind == "juicer":
        columns, names = (0, 1, 2), ("start1", "start2", "count")
        chromosome = _chromosome_of(source, sizes, library, request)
        if request.chromosomes is not None and match_name(chromosome, request.chromosomes) is None:
            library.notes.append(f"not read: {chromosome} is not among the chromosomes asked for")
            library.resolution, library.sizes, library.sizes_known = request.resolution, {chromosome: 1}, False
            return library
    else:
        columns, names = (0, 1, 2, 3, 4), ("chromosome1", "start1", "chromosome2", "start2", "count")
        library.trans = 0.0
    store, last, seen, grid = PixelStore(library, report), {}, set(), None
    for piece in pieces(source, columns, names, ("start1", "start2", "count")):
        start1, start2 = (piece[name].to_numpy().astype(np.int64) for name in ("start1", "start2"))
        if grid is None:
            grid = _grid(source, start1, start2)
            library.resolution = resolution_to_read(source, [grid[0]], request.resolution)
        for start in (start1, start2):
            if np.any((start - grid[1]) % grid[0]):
                wrong = start[(start - grid[1]) % grid[0] != 0][0]
                raise InputError(f"{source}: start {wrong:,} is not on the grid of {grid[0]:,} bp of the lines before")
        start1, start2, count = start1 - grid[1], start2 - grid[1], piece["count"].to_numpy()
        if source.kind == "juicer":
            _add_one(store, chromosome, start1, start2, count, request, last)
        else:
            _add_named(store, library, piece, start1, start2, count, request, sizes, last)
            seen |= set(piece["chromosome1"].cat.categories)
    for name, position in last.items():
        size = size_of(source, name, position, sizes, request.assembly)
        library.sizes[name] = size or position + library.resolution
        library.sizes_known &= size is not None
    if not last:
        library.sizes, library.sizes_known = dict.fromkeys(sorted(seen), 1), False
    elif not library.sizes_known:
        library.notes.append("chromosome sizes taken from the last contact: no assembly is given")
    if request.chromosomes is None and source.kind == "juicer_chromosomes":
        learned = to_learn_from(library.sizes, request.resolution)
        library.sizes = {name: size for name, size in library.sizes.items() if name in learned} or library.sizes
    store.close()
    return library


def _chromosome_of(source: Source, sizes, library: Library, request: Request) -> str:
    name = source.part or chromosome_in_name(source.path.name)
    how = "write it after '::', as in " + f"{source.path}::chr22"
    if not name:
        raise InputError(f"{source.path}: Juicer dump text (start1 start2 count) does not say which chromosome it is, "
                         f"and neither does its name; {how}")
    if sizes is not None and match_name(name, sizes) is None:
        raise InputError(f"{source}: there is no chromosome {name!r} in {request.assembly}, which has "
                         f"{', '.join(sizes)}; {how}")
    if not source.part:
        library.notes.append(f"chromosome {name} taken from the file's name")
    return name


def _grid(source: Source, start1, start2) -> tuple[int, int]:
    """Bin width and offset (0, or half a width where midpoints are given) of the starts."""
    positions = np.unique(np.concatenate([start1, start2]))
    width = int(np.gcd.reduce(np.diff(positions))) if len(positions) > 1 else 0
    width = width or int(positions[0])
    offset = int(positions[0]) % width if width else 0
    if width < 10 or offset not in (0, width // 2):
        raise InputError(f"{source}: its first two columns are not starts of equal bins in base pairs (they begin with "
                         f"{', '.join(f'{position:,}' for position in positions[:4])}); bin numbers need their .bed")
    return width, offset


def _add_one(store: PixelStore, chromosome: str, start1, start2, count, request: Request, last) -> None:
    last[chromosome] = max(last.get(chromosome, 0), int(max(start1.max(), start2.max())))
    store.add(chromosome, chromosome, start1 // request.resolution, start2 // request.resolution, count)


def _add_named(store: PixelStore, library, piece, start1, start2, count, request: Request, sizes, last) -> None:
    chromosome1, chromosome2 = (piece[name].astype(str).to_numpy() for name in ("chromosome1", "chromosome2"))
    table = pd.DataFrame({"a": chromosome1, "b": chromosome2})
    for (a, b), rows in table.groupby(["a", "b"], sort=True).indices.items():
        if not (is_wanted(a, request, sizes) and is_wanted(b, request, sizes)):
            continue
        if a != b:
            library.trans += float(np.nansum(count[rows]))
            if not request.with_trans:
                continue
        for name, start in ((a, start1[rows]), (b, start2[rows])):
            last[name] = max(last.get(name, 0), int(start.max()))
        store.add(a, b, start1[rows] // request.resolution, start2[rows] // request.resolution, count[rows])


def read_hicpro(source: Source, request: Request, folder: Path, report) -> Library:
    """Read a HiC-Pro matrix (bin1 bin2 count, numbered as in the fourth column of its bed file)."""
    bins = _read_bed(_bed_of(source))
    widths = (bins["end"] - bins["start"]).groupby(bins["chrom"], sort=False).max()
    if widths.nunique() != 1 and len(bins) > widths.size:
        raise InputError(f"{source}: the bins of its bed file are not of one width "
                         f"({', '.join(map(str, widths.unique()[:5]))} bp)")
    resolution = int(widths.max())
    resolution_to_read(source, [resolution], request.resolution)
    sizes = {str(name): int(end) for name, end in bins.groupby("chrom", sort=False)["end"].max().items()}
    library = Library(str(source), "HiC-Pro matrix", folder, resolution=resolution, sizes=sizes, trans=0.0)
    wanted = to_learn_from(sizes, request.resolution) if request.chromosomes is None else \
        [name for name in (match_name(name, sizes) for name in request.chromosomes) if name]
    names = list(sizes)
    code = bins["chrom"].map({name: k for k, name in enumerate(names)}).to_numpy()
    is_wanted = np.isin(names, wanted)
    place = np.full(int(bins["number"].max()) + 1, -1)
    place[bins["number"].to_numpy()] = np.arange(len(bins))
    start = bins["start"].to_numpy()
    store = PixelStore(library, report)
    for piece in pieces(source, (0, 1, 2), ("bin1", "bin2", "count"), ("bin1", "bin2", "count")):
        numbers = piece[["bin1", "bin2"]].to_numpy().astype(np.int64)
        if numbers.max() >= len(place) or np.any(place[numbers] < 0):
            wrong = numbers.max() if numbers.max() >= len(place) else numbers[place[numbers] < 0][0]
            raise InputError(f"{source.path}: speaks of bin {wrong:,}, which its bed file (bins "
                             f"{bins['number'].min():,} to {bins['number'].max():,}) does not have")
        one, two, count = place[numbers[:, 0]], place[numbers[:, 1]], piece["count"].to_numpy()
        kept = is_wanted[code[one]] & is_wanted[code[two]]
        library.trans += float(np.nansum(count[kept & (code[one] != code[two])]))
        if not request.with_trans:
            kept &= code[one] == code[two]
        one, two, count = one[kept], two[kept], count[kept]
        together = code[one] * len(names) + code[two]
        for pair in np.unique(together):
            rows = together == pair
            store.add(names[pair // len(names)], names[pair % len(names)], start[one[rows]] // request.resolution,
                      start[two[rows]] // request.resolution, count[rows])
    store.close()
    return library


def _bed_of(source: Source) -> Source:
    """The bed file of a matrix: the one named after ``::``, else the one beside it with a fitting name."""
    folders = (source.path.parent, source.path.resolve().parent)  # a workflow may link the matrix alone to elsewhere
    if source.part:
        choices = [source.part]
    else:
        stem = source.path.name.removesuffix(".gz").removesuffix(".matrix").removesuffix("_iced")
        choices = [f"{stem}{end}" for end in ("_abs.bed", ".bed", "_ord.bed", "_abs.bed.gz", ".bed.gz")]
    for choice in choices:
        for folder in folders:
            if (folder / choice).is_file():
                return Source(folder / choice, "", "bed")
    beside = sorted({path for folder in folders for path in folder.glob("*_abs.bed*")})
    if not source.part and len(beside) == 1:
        return Source(beside[0], "", "bed")
    raise InputError(f"{source.path}: a HiC-Pro matrix needs its bins; looked beside it for {', '.join(choices)}; name "
                     f"the bed file after '::', as in {source.path.name}::sample_50000_abs.bed")


def _read_bed(bed: Source) -> pd.DataFrame:
    with opened(bed.path, at_most=LARGEST_TABLE) as handle:
        try:
            bins = pd.read_csv(handle, sep=r"\s+", header=None, comment="#", usecols=range(4),
                               names=["chrom", "start", "end", "number"],
                               dtype={"chrom": str, "start": np.int64, "end": np.int64, "number": np.int64})
            wrong = ~((bins["start"] >= 0) & (bins["start"] < bins["end"]) & (bins["end"] <= LONGEST_CHROMOSOME)
                      & bins["number"].between(0, MOST_BINS))
            if wrong.any() or not len(bins):
                raise ValueError(f"found {' '.join(map(str, bins[wrong].iloc[0]))[:80]}" if len(bins) else "it is empty")
            return bins
        except (ValueError, pd.errors.ParserError) as problem:
            raise InputError(f"{bed.path}: is not a HiC-Pro bed file (chrom start end number): "
                             f"{' '.join(str(problem).split())[:200]}") from None
