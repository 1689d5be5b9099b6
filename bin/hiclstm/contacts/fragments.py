"""Maps of chosen fragments, 5C and capture: matrices with primer headers, tables of primer pairs, BEDPE.

Rules: a fragment belongs to the bin that holds its middle, and the counts of all pairs of fragments that fall on a pair
of bins are summed. Measured are pairs of one fragment of the first set (the rows: forward primers, baits) with one of the
second (the columns: reverse primers, other ends); of a symmetric matrix all pairs. How many that are differs from one
pair of bins to the next, so each bin keeps the share of its fragments that are of the first set
(``ContactMap.first_share``), and a bin without fragments is missing, not zero.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..genome import LONGEST_CHROMOSOME, match_name
from ..textfiles import LARGEST_TABLE, opened
from .chromosomes import SAME_ASSEMBLY, assembly_named_in, assembly_sizes
from .formats import FRAGMENT, Source
from .library import Library, PixelStore, Request
from .text import is_wanted, size_of

MATRIX_MISSING = ["", "NA", "nan", "NaN", "N/A"]


@dataclass(eq=False)
class FragmentPairs:
    """What a file says: fragments of both sets (chrom, start, end), and who met whom how often.

    ``one``, ``other`` are rows of ``first`` and ``second``; ``symmetric`` where both sets are one.
    """

    first: pd.DataFrame
    second: pd.DataFrame
    one: np.ndarray
    other: np.ndarray
    count: np.ndarray
    assembly: str = ""
    symmetric: bool = False
    notes: tuple[str, ...] = ()


def read(source: Source, request: Request, folder: Path, report) -> Library:
    """Read a map of chosen fragments (see the rules above). Coordinates are taken as 0-based and half-open."""
    parse = {"fragment matrix": _matrix, "fragment pairs": _table, "fragment bedpe": _bedpe}[source.kind]
    found = parse(source)
    library = Library(str(source), f"5C or capture, {source.kind}", folder, assembly=found.assembly, trans=0.0,
                      notes=list(found.notes))
    sizes = _sizes(source, request, found.assembly)
    store = PixelStore(library, report)
    placed = [_placed(fragments, request, sizes) for fragments in (found.first, found.second)]
    (name1, bin1), (name2, bin2) = ((name[at], bins[at]) for (name, bins), at in
                                    zip(placed, (found.one, found.other), strict=True))
    for fragments, (name, _) in zip((found.first, found.second), placed, strict=True):
        for own in sorted(set(name) - {""}):
            last = int(fragments["end"].to_numpy()[name == own].max())
            size = size_of(source, own, last - 1, sizes, request.assembly or found.assembly)
            library.sizes[own] = max(size or last, library.sizes.get(own, 0))
            library.sizes_known &= size is not None
    kept = (name1 != "") & (name2 != "")
    library.trans = float(found.count[kept & (name1 != name2)].sum())
    if not request.with_trans:
        kept &= name1 == name2
    pairs = pd.DataFrame({"a": name1[kept], "b": name2[kept]})
    for (a, b), rows in pairs.groupby(["a", "b"], sort=True).indices.items():
        store.add(a, b, bin1[kept][rows], bin2[kept][rows], found.count[kept][rows])
    store.close()
    library.resolution = request.resolution
    library.fragments = {own: _numbers(own, placed, -(-size // request.resolution), found.symmetric)
                         for own, size in library.sizes.items()}
    library.notes.append(f"{len(found.first)} x {len(found.second)} fragments put into bins of "
                         f"{request.resolution:,} bp by their middles")
    if not library.sizes_known:
        library.notes.append("chromosome sizes taken from the last fragment: no assembly is given")
    return library


def _sizes(source: Source, request: Request, own: str) -> dict[str, int] | None:
    """Chromosome sizes of the assembly that is asked for or that the file names; they must agree."""
    asked = request.assembly
    if asked and own and SAME_ASSEMBLY.get(asked, asked) != SAME_ASSEMBLY.get(own, own):
        raise InputError(f"{source}: its fragments are named in {own}, and the assembly given is {asked}: nothing is "
                         "lifted over here; give the assembly of the file, and a base model of the same")
    return request.assembly_sizes if asked else assembly_sizes(own) if own else None


def _placed(fragments: pd.DataFrame, request: Request, sizes) -> tuple[np.ndarray, np.ndarray]:
    """Chromosome ("" where it is not wanted) and bin of each fragment, by its middle."""
    names = fragments["chrom"].to_numpy(str)
    wanted = {name: name if is_wanted(name, request, sizes) else "" for name in set(names)}
    middle = (fragments["start"].to_numpy(np.int64) + fragments["end"].to_numpy(np.int64)) // 2
    return np.array([wanted[name] for name in names], object), middle // request.resolution


def _numbers(chromosome: str, placed, bins: int, symmetric: bool) -> np.ndarray:
    """Fragments of the two sets in each bin of a chromosome: float64 [bins, 2]; half and half where the sets are one."""
    numbers = np.stack([np.bincount(own_bins[names == chromosome].astype(np.int64), minlength=bins)
                        for names, own_bins in placed], 1).astype(np.float64)
    return numbers * 0.5 if symmetric else numbers


def _matrix(source: Source) -> FragmentPairs:
    """A matrix with fragment names in its first line and column, tab-separated (cworld, my5C)."""
    with opened(source.path, at_most=LARGEST_TABLE) as handle:
        try:
            table = pd.read_csv(handle, sep="\t", comment="#", index_col=0, na_values=MATRIX_MISSING,
                                keep_default_na=False, dtype={0: str})
            values = table.to_numpy(np.float64)
        except (ValueError, pd.errors.ParserError) as problem:
            raise InputError(f"{source}: cannot be read as a matrix with fragment names in its first line and column "
                             f"({' '.join(str(problem).split())[:200]})") from None
    rows, columns = (_named(source, [str(name) for name in names]) for names in (table.index, table.columns))
    assembly = rows["assembly"].iloc[0]
    symmetric = list(table.index) == list(table.columns)
    notes = []
    told = np.isfinite(values)
    for axis, (fragments, what) in enumerate(((rows, "rows"), (columns, "columns"))):
        kept = told.any(1 - axis)
        if symmetric:
            kept &= _apart(fragments)
        if not kept.all():
            notes.append(f"{(~kept).sum()} of {len(kept)} {what} left out (without values"
                         f"{', or windows that overlap the one before' if symmetric else ''})")
        values, told = values.compress(kept, axis), told.compress(kept, axis)
        if axis == 0:
            rows = rows[kept]
        else:
            columns = columns[kept]
    if not told.any():
        raise InputError(f"{source}: the matrix has no values")
    used = np.triu(np.ones_like(told)) > 0 if symmetric else np.ones_like(told)
    if (used & ~told).any():
        notes.append(f"{(used & ~told).sum()} single cells without a value are taken as no contact")
    one, other = np.nonzero(used & told)
    return FragmentPairs(rows.reset_index(drop=True), columns.reset_index(drop=True), one, other, values[one, other],
                         assembly, symmetric, tuple(notes))


def _apart(fragments: pd.DataFrame) -> np.ndarray:
    """bool: windows that begin behind the end of the last one kept (sliding windows count everything several times)."""
    kept, end = np.zeros(len(fragments), bool), {}
    for at in np.argsort(fragments["start"].to_numpy(), kind="stable"):
        row = fragments.iloc[at]
        if row["start"] >= end.get(row["chrom"], 0):
            kept[at], end[row["chrom"]] = True, row["end"]
    return kept


def _named(source: Source, names) -> pd.DataFrame:
    """chrom, start, end, assembly of fragments named ``primer|assembly|chr:start-end``."""
    found = pd.Series(list(names), dtype=str).str.extract(FRAGMENT)
    if found.isna().to_numpy().any():
        wrong = list(names)[int(np.flatnonzero(found.isna().to_numpy().any(1))[0])]
        raise InputError(f"{source}: the fragment name {wrong!r} is not of the form primer|assembly|chromosome:start-end")
    found.columns = ["assembly", "chrom", "start", "end"]
    if not len(found):
        raise InputError(f"{source}: names no fragment")
    if found["assembly"].nunique() > 1:
        raise InputError(f"{source}: its fragments are of several assemblies ({', '.join(found['assembly'].unique()[:5])})")
    found["assembly"] = assembly_named_in(found["assembly"].iloc[0])
    return _on_chromosomes(source, found)


def _on_chromosomes(source, fragments: pd.DataFrame) -> pd.DataFrame:
    """The fragments with whole numbers as start and end, after checking that they can lie on a chromosome."""
    start, end = (pd.to_numeric(fragments[name], errors="coerce") for name in ("start", "end"))
    wrong = ~((start >= 0) & (start < end) & (end <= LONGEST_CHROMOSOME))
    if wrong.any():
        row = fragments[wrong].iloc[0]
        place = f"{row['chrom']}:{row['start']}-{row['end']}"
        raise InputError(f"{source}: the fragment {place[:80]!r} is no stretch of a chromosome")
    return fragments.assign(start=start.astype(np.int64), end=end.astype(np.int64))


def _table(source: Source) -> FragmentPairs:
    """Three columns: two fragments and a count; names with coordinates, or primers that a BED after ``::`` places."""
    with opened(source.path, at_most=LARGEST_TABLE) as handle:
        try:
            table = pd.read_csv(handle, sep=r"\s+", header=None, comment="#", names=["one", "other", "count"],
                                usecols=range(3), dtype=str, keep_default_na=False)
        except (ValueError, pd.errors.ParserError) as problem:
            raise InputError(f"{source}: cannot be read as two fragments and a count "
                             f"({' '.join(str(problem).split())[:200]})") from None
    count = pd.to_numeric(table["count"], errors="coerce")
    if np.isnan(count.iloc[0]) and len(table) > 1:  # column names
        table, count = table.iloc[1:], count.iloc[1:]
    if count.isna().any():
        wrong = table["count"][count.isna()].iloc[0]
        raise InputError(f"{source}: {wrong!r} stands in the third column where a count is expected")
    first, one = _distinct(table["one"])
    second, other = _distinct(table["other"])
    if source.part:
        where = _primer_bed(source)
        absent = sorted(set(first) - set(where.index)) + sorted(set(second) - set(where.index))
        if absent:
            raise InputError(f"{source}: its primer {absent[0]!r} is not in {source.part} (and {len(absent) - 1} more)")
        sets, assembly = [where.loc[names].reset_index(drop=True) for names in (first, second)], ""
    else:
        sets = [_named(source, names) for names in (first, second)]
        assembly = sets[0]["assembly"].iloc[0]
    return FragmentPairs(*sets, one, other, count.to_numpy(np.float64), assembly)


def _distinct(names: pd.Series) -> tuple[list[str], np.ndarray]:
    codes, distinct = pd.factorize(names)
    return list(distinct), codes


def _primer_bed(source: Source) -> pd.DataFrame:
    """Primers by name: chrom, start, end, from the BED file named after ``::`` or lying beside the table."""
    choices = [Path(source.part), source.path.parent / source.part, source.path.resolve().parent / source.part]
    path = next((choice for choice in choices if choice.is_file()), None)
    if path is None:
        raise InputError(f"{source.path}: its primers are to be placed by {source.part}, which is not there")
    with opened(path, at_most=LARGEST_TABLE) as handle:
        try:
            bed = pd.read_csv(handle, sep="\t", header=None, comment="#", usecols=range(4), dtype={0: str, 3: str},
                              names=["chrom", "start", "end", "name"])
            return _on_chromosomes(path, bed).drop_duplicates("name").set_index("name")
        except (ValueError, pd.errors.ParserError) as problem:
            raise InputError(f"{path}: is not a BED file of primers (chrom start end name): "
                             f"{' '.join(str(problem).split())[:200]}") from None


def _bedpe(source: Source) -> FragmentPairs:
    """BEDPE: two intervals a line and a count in column ``source.columns[0]``; the two sides are the two sets."""
    columns = [0, 1, 2, 3, 4, 5, source.columns[0]]
    with opened(source.path, at_most=LARGEST_TABLE) as handle:
        try:
            table = pd.read_csv(handle, sep=r"\s+", header=None, comment="#", usecols=columns, dtype=str,
                                keep_default_na=False)[columns]
        except (KeyError, ValueError, pd.errors.ParserError) as problem:
            raise InputError(f"{source}: cannot be read as BEDPE ({' '.join(str(problem).split())[:200]})") from None
    numbers = table[[1, 2, 4, 5, columns[-1]]].apply(pd.to_numeric, errors="coerce")
    if numbers.iloc[0].isna().any() and len(table) > 1:  # column names
        table, numbers = table.iloc[1:], numbers.iloc[1:]
    if numbers.isna().to_numpy().any():
        line = table[numbers.isna().any(axis=1)].iloc[0]
        raise InputError(f"{source}: {' '.join(line)[:80]!r} is not two intervals and a count")
    sets, places = [], []
    for name, start, end in ((0, 1, 2), (3, 4, 5)):
        side = _on_chromosomes(source, pd.DataFrame({"chrom": table[name].to_numpy(), "start": numbers[start].to_numpy(),
                                                     "end": numbers[end].to_numpy()}))
        places.append(side.groupby(["chrom", "start", "end"], sort=True).ngroup().to_numpy())
        sets.append(side.drop_duplicates().sort_values(["chrom", "start", "end"], ignore_index=True))
    count = numbers[columns[-1]].to_numpy(np.float64)
    return FragmentPairs(*sets, *places, count)


def first_share(numbers: np.ndarray) -> np.ndarray:
    """Share of each bin's fragments that are of the first set: float64 [bins]; NaN where a bin has no fragment."""
    total = numbers.sum(1)
    return np.divide(numbers[:, 0], total, out=np.full(len(numbers), np.nan), where=total > 0)


def measured_share(share: np.ndarray, partner: np.ndarray) -> np.ndarray:
    """Measured pairs of fragments between bins, relative to bins of half and half: ``2 (p (1 - q) + q (1 - p))``.

    1 where either bin has as many of both sets; 0 where both have only one and the same: then nothing was measured.
    """
    return 2 * (share * (1 - partner) + partner * (1 - share))


def matching(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two libraries have the same numbers of fragments in every bin (one may end sooner)."""
    n = min(len(one), len(other))
    return bool((one[:n] == other[:n]).all() and not one[n:].any() and not other[n:].any())


def common_name(chromosome: str, fragments: dict[str, np.ndarray]) -> np.ndarray | None:
    """The numbers of one chromosome under either spelling (``chr1`` or ``1``)."""
    name = match_name(chromosome, fragments)
    return None if name is None else fragments[name]
