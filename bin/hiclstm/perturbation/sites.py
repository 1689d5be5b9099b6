"""Sites, loops and domains from files, as bins; which sites bind what, and which way their motif points."""

import numpy as np
import pandas as pd

from ..errors import InputError
from ..genome import Bins, match_name
from ..textfiles import COMPACT, LONGEST_SEQUENCE_LINE, is_number, opened, whole_number
from .effects import Loops

SITES_AT_ONCE = 200_000


def text_lines(path, fewest: int, what: str):
    """Number and fields of each line of a tab-separated file (``.gz`` or not) that is no comment and not empty.

    An :class:`InputError` names a line with fewer than ``fewest`` fields, and says what has them (``what``).
    """
    with opened(path) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith(("#", "track", "browser")):
                continue
            fields = line.rstrip("\r\n").split("\t")
            if len(fields) < fewest:
                raise InputError(f"{path}, line {number}: {len(fields)} tab-separated fields, {what} has at least {fewest}")
            yield number, fields


def number_in(path, line: int, what: str, text: str) -> int:
    """The number a field holds; an :class:`InputError` names file and line where it holds something else."""
    try:
        return whole_number(text)
    except ValueError:
        raise InputError(f"{path}, line {line}: {what} is {text[:80]!r}, expected a whole number") from None


def _is_header(fields: list[str]) -> bool:
    """Whether a first line names columns: neither its second nor its third field is a number."""
    return not any(is_number(field) for field in fields[1:3])


def read_sites(path, bins: Bins) -> pd.DataFrame:
    """Intervals of a BED-like file on the chromosomes of ``bins``: start, end (bins touched), name, strand, middle.

    ``middle`` is the bin of the interval's middle; ``strand`` is ``+``, ``-`` or ``.``. Others are left out; a first
    line whose coordinates are no numbers is a header.
    """
    pieces, rows = [], []
    for at, (line, fields) in enumerate(text_lines(path, 3, "a BED file")):
        if at == 0 and _is_header(fields):
            continue
        start, end = number_in(path, line, "the start", fields[1]), number_in(path, line, "the end", fields[2])
        chromosome = match_name(fields[0], bins.chromosomes)
        if chromosome is None:
            continue
        number = bins.chromosomes.index(chromosome)
        first, size = int(bins.offsets[number]), bins.sizes[number]
        if not 0 <= start < end <= size:
            raise InputError(f"{path}, line {line}: {fields[0]}:{start:,}-{end:,} is not on the chromosome, which has "
                             f"{size:,} bp")
        rows.append((first + start // bins.resolution, first - (-end // bins.resolution),
                     fields[3] if len(fields) > 3 else "", fields[5] if len(fields) > 5 else ".",
                     first + (start + end) // 2 // bins.resolution))
        if len(rows) == SITES_AT_ONCE:
            pieces.append(_sites(rows))
            rows = []
    return pd.concat([*pieces, _sites(rows)], ignore_index=True)


def _sites(rows: list[tuple]) -> pd.DataFrame:
    """Rows of :func:`read_sites` as a table that takes a tenth of their memory."""
    table = pd.DataFrame(rows, columns=["start", "end", "name", "strand", "middle"])
    return table.astype({"start": np.int32, "end": np.int32, "middle": np.int32, "name": COMPACT, "strand": COMPACT})


def read_loops(path, bins: Bins) -> Loops:
    """Loops of a BEDPE file within chromosomes of ``bins``, as the bins of their anchors' middles."""
    pairs = []
    for at, (line, fields) in enumerate(text_lines(path, 6, "a BEDPE file")):
        if at == 0 and _is_header(fields):
            continue
        start1, end1, start2, end2 = (number_in(path, line, f"field {k + 1}", fields[k]) for k in (1, 2, 4, 5))
        if min(start1, start2) < 0:
            raise InputError(f"{path}, line {line}: {min(start1, start2):,} is before the first base of a chromosome")
        one, other = (match_name(fields[k], bins.chromosomes) for k in (0, 3))
        if one is None or one != other:
            continue
        span = bins.span(one)
        pair = sorted(span.start + (start + end) // 2 // bins.resolution
                      for start, end in ((start1, end1), (start2, end2)))
        if pair[0] < pair[1] < span.stop:
            pairs.append(pair)
    left, right = np.unique(np.array(pairs, np.int64).reshape(-1, 2), axis=0).T
    return Loops(left, right)


def bound_bins(bins: Bins, tables: list[pd.DataFrame]) -> np.ndarray:
    """Bins in which every one of some peak tables has the middle of a peak: int64, ascending."""
    common = np.arange(len(bins))
    for table in tables:
        common = np.intersect1d(common, table["middle"].to_numpy(np.int64))
    return common


def near(numbers: np.ndarray, others: np.ndarray, within: int = 1) -> np.ndarray:
    """bool: which bins have one of ``others`` at most ``within`` bins away."""
    others = np.sort(np.asarray(others, np.int64))
    if not len(others):
        return np.zeros(len(numbers), bool)
    at = np.searchsorted(others, numbers)
    below, above = others[np.maximum(at - 1, 0)], others[np.minimum(at, len(others) - 1)]
    return np.minimum(np.abs(numbers - below), np.abs(above - numbers)) <= within


def orientation_of_bins(bins: Bins, motifs: pd.DataFrame) -> np.ndarray:
    """int8 [N]: +1 or -1 where all motifs in a bin point one way, 0 where there is none or they differ."""
    forward, reverse = (np.zeros(len(bins), bool) for _ in range(2))
    forward[motifs.loc[motifs["strand"] == "+", "middle"]] = True
    reverse[motifs.loc[motifs["strand"] == "-", "middle"]] = True
    return forward.astype(np.int8) * ~reverse - reverse.astype(np.int8) * ~forward


def scan_motif(fasta, motif, bins: Bins, p: float = 1e-4) -> pd.DataFrame:
    """Motif hits with strand in a genome, as :func:`read_sites` gives them.

    Parameters
    ----------
    fasta : the genome's sequence (``.gz`` or not)
    motif : a matrix file in JASPAR's format
    p : hits this unlikely by chance or less (uniform background) are kept
    """
    import lightmotif

    try:
        with open(motif, "rb") as file:
            counts = next(iter(lightmotif.load(file, format="jaspar16"))).counts
    except (OSError, ValueError, StopIteration) as problem:
        raise InputError(f"{motif}: cannot be read as a matrix in JASPAR's format ({problem})") from None
    forward = counts.normalize(0.25).log_odds()
    threshold = forward.score(p)
    rows = []
    for name, sequence in _sequences(fasta):
        chromosome = match_name(name, bins.chromosomes)
        if chromosome is None:
            continue
        first, count = bins.span(chromosome).start, bins.span(chromosome).stop - bins.span(chromosome).start
        striped = lightmotif.stripe(sequence)
        for strand, matrix in (("+", forward), ("-", forward.reverse_complement())):
            for hit in lightmotif.scan(matrix, striped, threshold=threshold):
                at = hit.position // bins.resolution
                if at < count:
                    rows.append((first + at, first + at + 1, "motif", strand, first + at))
    return pd.DataFrame(rows, columns=["start", "end", "name", "strand", "middle"])


def _sequences(fasta):
    """Name and upper-case sequence of each record of a FASTA file; letters other than A, C, G, T become N."""
    other = {code: "N" for code in range(128) if chr(code) not in "ACGT"}
    with opened(fasta, longest_line=LONGEST_SEQUENCE_LINE) as lines:
        name, parts = None, []
        for line in lines:
            if line.startswith(">"):
                if name is not None:
                    yield name, "".join(parts)
                name, parts = (line[1:].split() or [""])[0], []
            else:
                parts.append(line.strip().upper().translate(other))
        if name is None:
            raise InputError(f"{fasta}: is no FASTA file, it has no line that starts with '>'")
        yield name, "".join(parts)
