"""The annotation sheet and the files it names: intervals, pairs of intervals, signals and gene tables of every format.

Coordinates are 0-based and half-open inside. Files are recognised by their name's ending, then by their first line.
"""

import csv
import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..contacts import ContactMap
from ..errors import InputError
from ..genome import LONGEST_CHROMOSOME, Bins, match_name
from ..textfiles import COMPACT, LARGEST_SHEET, is_number, opened

GENES = "genes"  # the element that places genes: used for expression files without coordinates, and drawn
BED = ["chrom", "start", "end", "name", "score", "strand", "thickStart", "thickEnd", "itemRgb", "blockCount",
       "blockSizes", "blockStarts"]
PEAK = [*BED[:6], "signalValue", "pValue", "qValue", "peak"]
BEDPE = ["chrom", "start", "end", "chrom2", "start2", "end2", "name", "score", "strand", "strand2"]
HEADERLESS = {".bed": BED, ".narrowpeak": PEAK, ".broadpeak": PEAK, ".bedgraph": ["chrom", "start", "end", "value"],
              ".bdg": ["chrom", "start", "end", "value"], ".bedpe": BEDPE,
              ".gff": ["chrom", "source", "type", "start", "end", "score", "strand", "phase", "name"]}
HEADERLESS[".gtf"] = HEADERLESS[".gff3"] = HEADERLESS[".gff"]
COORDINATES = {"chrom": ("chrom", "chr", "chromosome", "chr_name", "chrom_name", "chr1", "chrom1", "seqname",
                         "seqnames"),
               "start": ("start", "chromstart", "start1", "x1", "txstart"),
               "end": ("end", "chromend", "end1", "x2", "txend", "stop"),
               "chrom2": ("chrom2", "chr2"), "start2": ("start2", "y1"), "end2": ("end2", "y2"),
               "strand": ("strand", "strand1")}
PLACE = re.compile(r"([^\s|:;,]+):(\d+)-(\d+)")
# Intervals rounded to coarse bins may end a little past their chromosome, and where the assembly is not known the map
# may end a little before it; intervals that begin past the end of a known chromosome, or end further out, are refused.
ROOM_PAST_END = 1_000_000
LINES_AT_ONCE = 200_000


@dataclass(frozen=True)
class Line:
    """One line of the annotation sheet, for one cell type."""

    element: str
    path: Path
    column: str = ""
    threshold: float | None = None


@dataclass(frozen=True, eq=False)
class Annotation:
    """What a file holds on the chromosomes of a map.

    Attributes
    ----------
    table : ``chrom start end`` (the map's names), for pairs also ``start2 end2`` on the same chromosome; the other
        columns of the file as text; empty for a signal
    signal : float64 [N], mean of a bigWig in each bin, NaN without data; None for other files
    on_map : share of the file's intervals that lie on the map's chromosomes (1 for signals)
    """

    line: Line
    table: pd.DataFrame
    signal: np.ndarray | None = None
    on_map: float = 1.0

    @property
    def pairs(self) -> bool:
        return "start2" in self.table


def read_sheet(path, cell_type: str) -> list[Line]:
    """The lines of an annotation sheet that hold for a cell type: its own, and those of ``*`` for other elements.

    The sheet is CSV with the columns cell_type, element, file and, optional, column, threshold. Files are relative to
    the sheet.
    """
    path = Path(path)
    try:
        with opened(path, newline="", errors="strict", at_most=LARGEST_SHEET) as file:
            rows = list(csv.DictReader(file))
    except csv.Error as problem:
        raise InputError(f"{path}: cannot be read as a CSV sheet ({problem})") from None
    if not rows:
        return []
    lacking = [name for name in ("cell_type", "element", "file") if name not in rows[0]]
    if lacking:
        raise InputError(f"{path}: the column{'s' * (len(lacking) > 1)} {', '.join(lacking)} missing; an annotation "
                         "sheet has cell_type, element, file and, optional, column, threshold")
    found: dict[str, Line] = {}
    for wanted in ("*", cell_type):
        here: dict[str, int] = {}
        for number, row in enumerate(rows, 2):
            if None in row:
                raise InputError(f"{path}, line {number}: more fields than columns; one that holds a comma needs double "
                                 "quotes")
            row = {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
            if row["cell_type"] != wanted:
                continue
            element, file = row["element"], row["file"]
            if not element or not file:
                raise InputError(f"{path}, line {number}: element and file must not be empty")
            if element in here:
                raise InputError(f"{path}, lines {here[element]} and {number}: element {element!r} of {wanted!r} is "
                                 "given twice")
            here[element] = number
            found[element] = Line(element, path.parent / file, row.get("column", ""),
                                  _threshold(path, number, row.get("threshold", "")))
    return list(found.values())


def _threshold(path: Path, number: int, text: str) -> float | None:
    if not text:
        return None
    if not (is_number(text) and np.isfinite(float(text))):
        raise InputError(f"{path}, line {number}: threshold is {text[:80]!r}, expected a number")
    return float(text)


def read_annotation(line: Line, contact_map: ContactMap, genes: pd.DataFrame | None = None) -> Annotation:
    """Read one file of the sheet and place it on a map's chromosomes.

    Raises
    ------
    InputError : the file is absent, empty or damaged; a coordinate lies past its chromosome's end; nothing of it lies
        on the map's chromosomes (both are named)
    """
    bins = contact_map.bins
    if line.path.suffix.lower() in (".bw", ".bigwig"):
        return _read_bigwig(line, contact_map)
    table = _placed(line, read_table(line.path), genes)
    names = {name: match_name(name, bins.chromosomes) for name in table["chrom"].unique()}
    chromosome = table["chrom"].map(names)
    if "chrom2" in table:
        chromosome = chromosome.where(table["chrom2"].map(
            {name: match_name(name, bins.chromosomes) for name in table["chrom2"].unique()}) == chromosome)
    here = chromosome.notna()
    if not here.any():
        raise InputError(_nothing_here(line.path, sorted(names), contact_map))
    on_map = float(here.mean())
    table = table[here].assign(chrom=chromosome[here]).drop(columns="chrom2", errors="ignore")
    return Annotation(line, _inside(line.path, table, contact_map), on_map=on_map)


def _nothing_here(path: Path, names: list[str], contact_map: ContactMap) -> str:
    assembly = contact_map.facts.get("assembly") or "unknown assembly"
    shown = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
    return (f"{path.name}: 0 % of it lies on the map: the file has {shown}, the map "
            f"{', '.join(contact_map.bins.chromosomes[:6])}{', …' * (len(contact_map.bins.chromosomes) > 6)} "
            f"({assembly}); are both of the same assembly and naming?")


def _inside(path: Path, table: pd.DataFrame, contact_map: ContactMap) -> pd.DataFrame:
    """Check coordinates against the chromosomes' ends; what hangs over a little is cut."""
    sizes = dict(zip(contact_map.bins.chromosomes, contact_map.bins.sizes, strict=True))
    size = table["chrom"].map(sizes).to_numpy(np.int64)
    assembly = contact_map.facts.get("assembly") or ""
    inferred = 0 if assembly else ROOM_PAST_END
    cut = {}
    for start, end in (("start", "end"), ("start2", "end2")):
        if start not in table:
            continue
        first, last = table[start].to_numpy(np.int64), table[end].to_numpy(np.int64)
        last = np.where(last == first, first + 1, last)  # a site without length is one base
        wrong = np.flatnonzero((first < 0) | (first > last))
        if len(wrong):
            at = wrong[0]
            raise InputError(f"{path.name}, line {table.index[at]}: {first[at]:,}-{last[at]:,} is no interval: the "
                             "start must be at least 0 and not after the end")
        past = np.flatnonzero((first >= size + inferred) | (last > size + ROOM_PAST_END))
        if len(past):
            at = past[0]
            raise InputError(f"{path.name}, line {table.index[at]}: "
                             f"{table['chrom'].iloc[at]}:{first[at]:,}-{last[at]:,} lies past the chromosome's end "
                             f"({size[at]:,} bp in the map, {assembly or 'assembly unknown'}; {len(past):,} of "
                             f"{len(table):,} lines do): is the file of another assembly?")
        cut[start], cut[end] = first, np.minimum(last, size)
    table = table.assign(**cut)
    kept = (table["start"] < table["end"]) & (table["start2"] < table["end2"] if "start2" in table else True)
    return table[kept]


def read_table(path) -> pd.DataFrame:
    """A text table (``.gz`` or not) as it is: columns named, values as text, the index is the line's number.

    Separators are tabs, commas or blanks. A header is a first line (also behind ``#``) whose second and third fields
    are no numbers; without one, columns are named after the format of the file's ending.
    """
    path = Path(path)
    form = next((s for s in (suffix.lower() for suffix in reversed(path.suffixes)) if s not in (".gz", ".bgz")), "")
    gff = form in (".gff", ".gtf", ".gff3")
    if not path.exists():
        raise InputError(f"{path.name}: there is no such file ({path})")
    with opened(path) as file:
        comments = deque(maxlen=100)  # those before the first line of data
        data = _lines_of_data(file, comments)
        number, first = next(data, (0, ""))
        if not number:
            raise InputError(f"{path.name}: is empty: no line of data")
        separator = "\t" if "\t" in first else "," if "," in first else None
        row = first.split(separator)
        names, rows = _named_by_comment(comments, separator, len(row)), [(number, row)]
        if names is None and not gff and not _is_data(row):
            names, rows = [name.strip() for name in row], []
        elif names is None:
            known = HEADERLESS.get(form) or (BEDPE if _is_pair(row) else BED if len(row) != 4 or
                                             not is_number(row[3]) else HEADERLESS[".bedgraph"])
            names = [*known[:len(row)], *(f"column{k + 1}" for k in range(len(known), len(row)))]
        pieces, names, width = [], _unique(names), len(names)
        for number, text in data:
            row = text.split(separator)
            if len(row) != width:
                if len(row) < min(width, 3):
                    raise InputError(f"{path.name}, line {number}: {len(row)} fields, expected {width} "
                                     f"({', '.join(names[:6])})")
                row[width:] = []
                row += [""] * (width - len(row))
            rows.append((number, row))
            if len(rows) == LINES_AT_ONCE:
                pieces.append(_piece(rows, names, gff))
                rows = []
        if not pieces and not rows:
            raise InputError(f"{path.name}: is empty: no line of data after the header")
        return pd.concat([*pieces, _piece(rows, names, gff)] if rows else pieces)


def _lines_of_data(file, comments):
    """Number and text of each line that is neither empty nor a comment; comments are added to ``comments``."""
    for number, text in enumerate(file, 1):
        if text.startswith("#"):
            comments.append(text.rstrip("\r\n"))
        elif not text.startswith(("track", "browser")) and not text.isspace():
            yield number, text.rstrip("\r\n")


def _piece(rows: list[tuple[int, list[str]]], names: list[str], gff: bool) -> pd.DataFrame:
    """Some lines as a table; the starts of GFF, which count from 1, are made to count from 0."""
    table = pd.DataFrame([row for _, row in rows], columns=names, dtype=object,
                         index=pd.Index([number for number, _ in rows], name="line"))
    if gff and "start" in table:
        start = pd.to_numeric(table["start"], errors="coerce") - 1
        whole = (start == start.round()) & (start.abs() < LONGEST_CHROMOSOME)
        table["start"] = start.where(whole, 0).astype(np.int64).astype(str).where(whole, table["start"])
    return table.astype(COMPACT)


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found


def _named_by_comment(comments, separator, width: int) -> list[str] | None:
    for text in reversed(comments):
        fields = [field.strip() for field in text.lstrip("# ").split(separator)]
        if len(fields) == width and any(field.lower() in COORDINATES["chrom"] for field in fields):
            return fields
    return None


def _is_data(row: list[str]) -> bool:
    """Whether a first line is data: the second and third field are numbers (coordinates, or scores of a gene)."""
    return len(row) > 1 and all(is_number(field) for field in row[1:3])


def _is_pair(row: list[str]) -> bool:
    return len(row) >= 6 and all(row[k].strip().isdigit() for k in (1, 2, 4, 5))


def _placed(line: Line, table: pd.DataFrame, genes: pd.DataFrame | None) -> pd.DataFrame:
    """Give a table its coordinate columns ``chrom start end`` as numbers, for pairs a second set."""
    named = {}
    for wanted, aliases in COORDINATES.items():
        match = next((name for alias in aliases for name in table.columns if name.lower() == alias), None)
        if match is not None and match not in named:
            named[match] = wanted
    if {"chrom", "start", "end"} <= set(named.values()):
        table = table.rename(columns=named)
    elif len(places := [name for name in table if PLACE.search(str(table[name].iloc[0]))]) in (1, 2):
        for name, tail in zip(places, ("", "2"), strict=False):
            parts = table[name].str.extract(PLACE)
            table = table.assign(**{f"chrom{tail}": parts[0], f"start{tail}": parts[1], f"end{tail}": parts[2]})
    elif genes is not None:
        table = _on_genes(line, table, genes)
    else:
        raise InputError(f"{line.path.name}: no columns for chromosome, start and end (there are "
                         f"{', '.join(map(str, table.columns[:8]))}{', …' * (len(table.columns) > 8)}); a table of "
                         f"genes without coordinates needs a line of the sheet with element {GENES!r} that places them")
    second = {"chrom2", "start2", "end2"}
    if not second <= set(table.columns):
        table = table.drop(columns=second & set(table.columns))
    for name in [name for name in ("start", "end", "start2", "end2") if name in table]:
        number = _numbers(table[name])
        bad = ~((number == number.round()) & (number.abs() < LONGEST_CHROMOSOME))
        if bad.any():
            at = bad.idxmax()
            raise InputError(f"{line.path.name}, line {at}: {name} is {table.at[at, name][:80]!r}, expected a whole number")
        table = table.assign(**{name: number.astype(np.int64)})
    if second <= set(table.columns):
        same = np.logical_and.reduce([table[name] == table[f"{name}2"] for name in ("chrom", "start", "end")])
        if same.all():  # a list of domains in the form of pairs, as Arrowhead writes it
            table = table.drop(columns=list(second))
    return table


def _numbers(column: pd.Series) -> pd.Series:
    """A column of text as float64, NaN where it is no number; in pieces, because every piece becomes objects."""
    return pd.concat([pd.to_numeric(column.iloc[at:at + LINES_AT_ONCE].astype(object), errors="coerce").astype(np.float64)
                      for at in range(0, len(column), LINES_AT_ONCE)])


def _on_genes(line: Line, table: pd.DataFrame, genes: pd.DataFrame) -> pd.DataFrame:
    """Place a table of genes by their identifiers (versions such as ``.4`` are ignored)."""
    def plain(column):
        return column.astype(str).str.replace(r"\.\d+$", "", regex=True)

    identifiers = plain(table.iloc[:, 0])
    texts = [name for name in genes.columns if name not in ("chrom", "start", "end")]
    known = {name: plain(genes[name]) for name in texts}
    shares = {name: identifiers.isin(set(values)).mean() for name, values in known.items()}
    best = max(shares, key=shares.get, default=None)
    if best is None or shares[best] == 0:
        raise InputError(f"{line.path.name}: none of its genes ({identifiers.iloc[0]}, …) is in the table of "
                         f"element {GENES!r}")
    places = genes.assign(gene_key=known[best])[["gene_key", "chrom", "start", "end"]].drop_duplicates("gene_key")
    joined = table.assign(gene_key=identifiers).reset_index().merge(places, on="gene_key", how="inner")
    return joined.set_index("line").drop(columns="gene_key")


def read_genes(line: Line) -> pd.DataFrame:
    """The gene table: chrom, start, end and whatever names it has, of the whole file (for finding identifiers)."""
    return _placed(line, read_table(line.path), None)


def _read_bigwig(line: Line, contact_map: ContactMap) -> Annotation:
    """Mean of a bigWig over the bases of each bin that it covers."""
    import pyBigWig

    bins = contact_map.bins
    if not line.path.exists():
        raise InputError(f"{line.path.name}: there is no such file ({line.path})")
    try:
        file = pyBigWig.open(str(line.path))
    except RuntimeError:
        raise InputError(f"{line.path.name}: cannot be opened as a bigWig") from None
    if not file.isBigWig():
        raise InputError(f"{line.path.name}: cannot be opened as a bigWig")
    with file:
        there = {name: int(size) for name, size in file.chroms().items()}
        signal = np.full(len(bins), np.nan)
        matched = 0
        for name, size in zip(bins.chromosomes, bins.sizes, strict=True):
            own = match_name(name, there)
            if own is None:
                continue
            matched += 1
            span = bins.span(name)
            if there[own] > size + bins.resolution + ROOM_PAST_END * (not contact_map.facts.get("assembly")):
                raise InputError(f"{line.path.name}: {own} has {there[own]:,} bp, {name} of the map {size:,} bp "
                                 f"({contact_map.facts.get('assembly') or 'unknown assembly'}): is the file of another "
                                 "assembly?")
            whole = min(there[own], size) // bins.resolution
            parts = file.stats(own, 0, whole * bins.resolution, nBins=whole, exact=True) if whole else []
            if whole < span.stop - span.start and there[own] > whole * bins.resolution:
                parts += file.stats(own, whole * bins.resolution, min(there[own], (whole + 1) * bins.resolution),
                                    exact=True)
            signal[span.start:span.start + len(parts)] = np.array(parts, np.float64)
    if not matched:
        raise InputError(_nothing_here(line.path, sorted(there), contact_map))
    if not np.isfinite(signal).any():
        raise InputError(f"{line.path.name}: is empty on the map's chromosomes")
    return Annotation(line, pd.DataFrame(columns=["chrom", "start", "end"]), signal, matched / len(bins.chromosomes))


def column_of(annotation: Annotation, column: str) -> pd.Series:
    """A column by its name, or by its number counted from 1."""
    table = annotation.table
    shown = [name for name in table.columns]
    if column in table:
        return table[column]
    alias = {"chrom1": "chrom", "start1": "start", "end1": "end", "strand1": "strand"}.get(column)
    if alias in table:
        return table[alias]
    if column.isdigit() and 1 <= int(column) <= len(shown):
        return table.iloc[:, int(column) - 1]
    raise InputError(f"{annotation.line.path.name}: has no column {column!r}; it has {', '.join(map(str, shown[:12]))}"
                     f"{', …' * (len(shown) > 12)}")


def overlaps(bins: Bins, intervals: pd.DataFrame) -> pd.DataFrame:
    """Which bins intervals touch, by bioframe: one row a touch.

    Returns
    -------
    ``bin`` (number), ``interval`` (position in the table), ``bases`` (overlap in bp)
    """
    import bioframe

    found = bioframe.overlap(bins.table.assign(bin=np.arange(len(bins))),
                             intervals[["chrom", "start", "end"]].assign(interval=np.arange(len(intervals))),
                             how="inner", suffixes=("", "_other"))
    bases = np.minimum(found["end"], found["end_other"]) - np.maximum(found["start"], found["start_other"])
    return pd.DataFrame({"bin": found["bin"].to_numpy(np.int64), "interval": found["interval_other"].to_numpy(np.int64),
                         "bases": bases.to_numpy(np.int64)})


def covered_bases(bins: Bins, intervals: pd.DataFrame) -> np.ndarray:
    """Bases of each bin that intervals cover, counted once where they overlap: int64 [N]."""
    import bioframe

    merged = bioframe.merge(intervals[["chrom", "start", "end"]])
    found = overlaps(bins, merged)
    return np.bincount(found["bin"], found["bases"], minlength=len(bins)).astype(np.int64)
