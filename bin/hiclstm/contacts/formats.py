"""What kind of contact file something is: decided by its content, helped by its name."""

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..textfiles import LONGEST_LINE, is_gzip, is_number

READ_AT_FIRST = 200_000  # bytes looked at to recognise a text file
SAMPLE_LINES = 2_000

KINDS = ("a .hic, .cool or .mcool file, 4DN .pairs, a HiC-Pro .matrix with its .bed, Juicer dump text (start1 start2 "
         "count), or 5C and capture as a matrix with fragment names, a table of primer pairs or BEDPE")

# A fragment as cworld and my5C name it: primer|assembly|chromosome:start-end.
FRAGMENT = r"^[^|]*\|([^|]*)\|([^|:]+):(\d+)-(\d+)$"

# Text with one contact a line: which columns hold chromosome and position of both ends, and where the strands stand
# (by which the layouts are told apart).
PAIR_LAYOUTS = {
    "4DN pairs": ((1, 2, 3, 4), (5, 6)),
    "pairs without read names": ((0, 1, 3, 4), (2, 5)),
    "HiC-Pro valid pairs": ((1, 2, 4, 5), (3, 6)),
}
STRANDS = {"+", "-", "0", "1", "16"}


@dataclass(frozen=True)
class Source:
    """One contact file as the user named it: ``path`` or ``path::part``.

    ``kind`` is one of ``hic``, ``cooler``, ``pairs``, ``hicpro``, ``juicer`` (three columns, one chromosome),
    ``juicer_chromosomes`` (five columns, chromosomes named), and of chosen fragments ``fragment matrix``, ``fragment
    pairs``, ``fragment bedpe``. ``columns`` are those of a pairs file (chromosome 1, position 1, chromosome 2,
    position 2) or that of a BEDPE's count, ``header`` its lines that begin with ``#``.
    """

    path: Path
    part: str
    kind: str
    columns: tuple[int, ...] = ()
    header: tuple[str, ...] = ()

    def __str__(self):
        return f"{self.path}::{self.part}" if self.part else str(self.path)


def split_part(name: str) -> tuple[Path, str]:
    """``file.mcool::/resolutions/1000`` → (``file.mcool``, ``resolutions/1000``)."""
    path, _, part = str(name).partition("::")
    return Path(path), part.strip().strip("/")


def recognise(name: str) -> Source:
    """Tell what ``name`` (``path`` or ``path::part``) is; an :class:`InputError` says why it is nothing of use."""
    path, part = split_part(name)
    if not path.is_file():
        raise InputError(f"{path}: is not a file" if path.exists() else f"{path}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty")
    with open(path, "rb") as handle:
        begin = handle.read(8)
    if begin.startswith(b"HIC\0"):
        return Source(path, _no_part(path, part, "a .hic file"), "hic")
    if begin == b"\x89HDF\r\n\x1a\n":
        return Source(path, part, "cooler")
    for magic, what in ((b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"PK\x03\x04", "zip"), (b"\x28\xb5\x2f\xfd", "zstd")):
        if begin.startswith(magic):
            raise InputError(f"{path}: is packed with {what}; unpack it, or pack it with gzip")
    return _recognise_text(path, part)


def _no_part(path: Path, part: str, what: str) -> str:
    if part:
        raise InputError(f"{path}::{part}: nothing can follow '::' after {what}; "
                         "chromosomes are chosen with --chromosomes")
    return ""


def _first_text(path: Path) -> str:
    """The first lines of a file, none of them cut."""
    try:
        with (gzip.open(path, "rb") if is_gzip(path) else open(path, "rb")) as handle:
            begin = handle.read(READ_AT_FIRST)
            if len(begin) == READ_AT_FIRST and b"\0" not in begin:
                begin += handle.readline(LONGEST_LINE)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(f"{path}: its gzip compression ends early or is damaged: was the copy cut short?") from None
    if not begin:
        raise InputError(f"{path}: is empty (compressed nothing)")
    if begin.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path}: is text in UTF-16; save it as UTF-8")
    if len(begin) >= LONGEST_LINE:
        raise InputError(f"{path}: holds a line of more than {LONGEST_LINE:,} bytes; expected {KINDS}")
    if b"\0" in begin:
        raise InputError(f"{path}: is neither a contact map nor text (it begins with {begin[:8]!r}); expected {KINDS}")
    return begin.decode("utf-8-sig", errors="replace")


def _recognise_text(path: Path, part: str) -> Source:
    text = _first_text(path)
    if re.match(r"\s*(<!doctype|<html|<head|<\?xml)", text, re.IGNORECASE):
        raise InputError(f"{path}: is a web page, not a contact map: the download probably met a login or error page")
    if path.name.removesuffix(".gz").endswith((".hic", ".cool", ".mcool", ".scool")):
        raise InputError(f"{path}: is named like a contact map but holds text ({text[:40]!r})")
    lines = text.splitlines()[:SAMPLE_LINES]
    header = tuple(line for line in lines if line.startswith("#"))
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    if header and (header[0].startswith("## pairs format") or any(line.startswith("#columns:") for line in header)):
        return Source(path, _no_part(path, part, "a pairs file"), "pairs", _columns_named(path, header), header)
    if not rows:
        raise InputError(f"{path}: holds no contacts, only {len(header)} comment lines")
    fragments = _fragments(path, part, rows)
    if fragments is not None:
        return fragments
    first = rows[0]
    if len(first) == 3 and all(is_number(field) for field in first):
        by_name = path.name.removesuffix(".gz").endswith(".matrix") or part.removesuffix(".gz").endswith(".bed")
        return Source(path, part, "hicpro" if by_name or _are_bin_numbers(rows) else "juicer")
    if len(first) == 5 and all(is_number(first[k]) for k in (1, 3, 4)):
        return Source(path, _no_part(path, part, "text that names its chromosomes"), "juicer_chromosomes")
    for columns, strands in PAIR_LAYOUTS.values():
        if len(first) > max(columns + strands) and all(first[k] in STRANDS for k in strands) \
                and first[columns[1]].isdigit() and first[columns[3]].isdigit():
            return Source(path, _no_part(path, part, "a pairs file"), "pairs", columns, header)
    shown = "\t".join(first)[:80]
    raise InputError(f"{path}: line {len(header) + 1} is {shown!r}, which is none of the layouts known: "
                     "start1 start2 count; chr1 start1 chr2 start2 count; readID chr1 pos1 chr2 pos2 strand1 strand2 "
                     "(4DN pairs); chr1 pos1 strand1 chr2 pos2 strand2; readID chr1 pos1 strand1 chr2 pos2 strand2; a "
                     "matrix with fragment names (primer|assembly|chr:start-end); primer1 primer2 count; BEDPE with a "
                     "count")


def _fragments(path: Path, part: str, rows) -> Source | None:
    """What a file of chosen fragments is, by its first lines; None where it is none."""
    header = [field for field in rows[0] if re.match(FRAGMENT, field)]
    if len(header) >= 2 and len(header) >= len(rows[0]) - 1 and not is_number(rows[0][-1]):
        return Source(path, _no_part(path, part, "a matrix with fragment names"), "fragment matrix")
    for row in rows[:2]:  # the first line may name the columns
        if len(row) == 3 and not is_number(row[0]) and not is_number(row[1]) and is_number(row[2]):
            placed = all(re.match(FRAGMENT, field) for field in row[:2])
            if not placed and not part:
                raise InputError(f"{path}: is a table of primer pairs whose names ({row[0]!r}) hold no coordinates; name "
                                 f"the BED file of the primers after '::', as in {path.name}::primers.bed")
            return Source(path, _no_part(path, part, "such a table") if placed else part, "fragment pairs")
        if len(row) >= 7 and all(row[k].isdigit() for k in (1, 2, 4, 5)) and int(row[1]) < int(row[2]) \
                and int(row[4]) < int(row[5]):
            column = next((k for k in (7, 6) if len(row) > k and is_number(row[k])), None)
            if column is not None:
                return Source(path, _no_part(path, part, "a BEDPE file"), "fragment bedpe", (column,))
    return None


def _columns_named(path: Path, header) -> tuple[int, ...]:
    """Where a pairs file's ``#columns:`` line puts chromosome and position; the format's own order without one."""
    line = next((line for line in header if line.startswith("#columns:")), None)
    if line is None:
        return PAIR_LAYOUTS["4DN pairs"][0]
    names = line.removeprefix("#columns:").split()
    found = [next((names.index(name) for name in choice if name in names), None)
             for choice in (("chr1", "chrom1"), ("pos1",), ("chr2", "chrom2"), ("pos2",))]
    if None in found:
        raise InputError(f"{path}: its '#columns:' line names {' '.join(names)[:200]}; chr1, pos1, chr2, pos2 are needed")
    return tuple(found)


def _are_bin_numbers(rows) -> bool:
    """Three columns whose first two count 1, 2, 3, … are a HiC-Pro matrix; those of Juicer are base pairs."""
    try:
        positions = np.array([[float(row[0]), float(row[1])] for row in rows if len(row) == 3]).astype(np.int64)
    except ValueError:
        return False
    return len(rows) > 1 and int(np.gcd.reduce(positions.ravel())) < 10
