"""Text with one contact a line, plain or packed with gzip, read in pieces; a bad line is named with its number."""

import numpy as np
import pandas as pd

from ..errors import InputError
from ..genome import LONGEST_CHROMOSOME, match_name, plain_name
from ..textfiles import opened
from .chromosomes import NOT_LEARNED, to_learn_from
from .formats import Source
from .library import Request

LINES_AT_ONCE = 1_000_000


def pieces(source: Source, columns: tuple[int, ...], names: tuple[str, ...], numbers: tuple[str, ...]):
    """Yield tables of at most a million lines, ``columns`` called ``names``; ``numbers`` are float64, others words."""
    order = np.argsort(columns)  # pandas hands columns out in the file's order
    dtypes = {name: "float64" if name in numbers else "category" for name in names}
    with opened(source.path) as handle:
        try:
            for piece in pd.read_csv(handle, sep=r"\s+", header=None, comment="#", usecols=sorted(columns),
                                     names=[names[k] for k in order], dtype=dtypes, chunksize=LINES_AT_ONCE,
                                     keep_default_na=False, na_values={name: ["NaN", "nan"] for name in numbers}):
                if piece[[name for name in names if name != "count"]].isna().to_numpy().any():
                    raise ValueError("a field is missing")
                places = [name for name in numbers if name != "count"]
                if not all(piece[name].between(_least(name), LONGEST_CHROMOSOME).all() for name in places):
                    raise ValueError("a number is too large or too small")
                yield piece
        except (ValueError, pd.errors.ParserError) as problem:
            raise InputError(_first_bad_line(source, columns, names, numbers, problem)) from None


def _least(name: str) -> float:
    """The least value of a column; an unmapped end of a pair may lie before the first base."""
    return -1e9 if name.startswith("position") else 0


def _first_bad_line(source: Source, columns, names, numbers, problem) -> str:
    """Go through the file once more to say which line cannot be read, and why."""
    with opened(source.path) as handle:
        for number, line in enumerate(handle, 1):
            fields = line.split("#")[0].split()
            if not fields:
                continue
            if len(fields) <= max(columns):
                return (f"{source.path}: line {number} has {len(fields)} fields and at least {max(columns) + 1} are "
                        f"needed: {line.strip()[:80]!r}")
            for column, name in zip(columns, names, strict=True):
                if name in numbers:
                    try:
                        value = float(fields[column])
                        if name != "count" and not _least(name) <= value <= LONGEST_CHROMOSOME:
                            raise ValueError
                    except ValueError:
                        return (f"{source.path}: line {number}, field {column + 1} is {fields[column][:80]!r} where a "
                                f"number ({name}) is expected")
    return f"{source.path}: cannot be read as a table ({' '.join(str(problem).split())[:200]})"


def known_sizes(source: Source, request: Request) -> dict[str, int] | None:
    """Chromosome sizes of ``--assembly``; None where none is given; an unknown name is an error."""
    if not request.assembly:
        return None
    sizes = request.assembly_sizes
    if sizes is None:
        raise InputError(f"{source}: the chromosome sizes of assembly {request.assembly!r} are not known here, and "
                         "this file does not state them; leave the assembly empty to take them from the contacts")
    return sizes


def is_wanted(name: str, request: Request, sizes) -> bool:
    """Whether contacts of a chromosome are to be read; with ``auto`` and unknown sizes short ones are dropped later."""
    if name in ("!", "."):
        return False
    if request.chromosomes is not None:
        return match_name(name, request.chromosomes) is not None
    known = match_name(name, sizes or ())
    if known:
        return bool(to_learn_from({known: sizes[known]}, request.resolution))
    return not sizes and not NOT_LEARNED.fullmatch(plain_name(name))


def size_of(source: Source, chromosome: str, last: int, sizes: dict[str, int] | None, assembly: str) -> int | None:
    """Size of a chromosome in ``sizes`` (None if it has none), after checking that position ``last`` lies on it."""
    name = match_name(chromosome, sizes or ())
    if name is None:
        return None
    if last >= sizes[name]:
        raise InputError(f"{source}: has a contact at {chromosome}:{last:,}, and {name} of {assembly or 'its header'} "
                         f"ends at {sizes[name]:,}: is the assembly (or the chromosome) right?")
    return sizes[name]
