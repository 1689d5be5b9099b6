"""Pairs files: one sequenced contact a line. 4DN ``.pairs`` with its header, and headerless relatives."""

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..genome import match_name
from .chromosomes import assembly_named_in, check_sizes, to_learn_from
from .formats import PAIR_LAYOUTS, Source
from .library import Library, PixelStore, Request
from .text import is_wanted, known_sizes, pieces, size_of

NAMES = ("chromosome1", "position1", "chromosome2", "position2")


def read(source: Source, request: Request, folder: Path, report) -> Library:
    """Count the pairs of each pixel. Positions are 1-based; pairs with an unmapped end (``!``, ``.``) are left out."""
    stated = [line.split()[1:3] for line in source.header if line.lower().startswith("#chromsize:")]
    assembly = next((line.split()[1] for line in source.header
                     if line.lower().startswith("#genome_assembly:") and len(line.split()) > 1), "")
    try:
        sizes = {name: int(size) for name, size in stated} or known_sizes(source, request)
    except ValueError:
        raise InputError(f"{source}: a '#chromsize:' line of its header is not a name and a length") from None
    if stated:
        check_sizes(str(source), sizes, request)
    layout = "with its header" if source.header else \
        "without header, " + next(name for name, (columns, _) in PAIR_LAYOUTS.items() if columns == source.columns)
    library = Library(str(source), f"pairs {layout}", folder, assembly=assembly_named_in(assembly), trans=0.0)
    store, last, seen = PixelStore(library, report), {}, set()
    for piece in pieces(source, source.columns, NAMES, ("position1", "position2")):
        _add(store, library, piece, request, sizes, last)
        seen |= set(piece["chromosome1"].cat.categories)
    for name, position in last.items():
        size = size_of(source, name, position, sizes, "" if stated else request.assembly)
        library.sizes[name] = size or position + 1
        library.sizes_known &= size is not None
    if not last:
        library.sizes, library.sizes_known = dict.fromkeys(sorted(seen), 1), False
    elif not library.sizes_known:
        library.notes.append("chromosome sizes taken from the last contact: none are stated and no assembly given")
    library.sizes |= {name: size for name, size in (sizes or {}).items() if match_name(name, library.sizes) is None}
    _drop_short(library, request)
    store.close()
    return library


def _add(store: PixelStore, library: Library, piece, request: Request, sizes, last: dict[str, int]) -> None:
    """Add one piece to the store; ``last`` collects the furthest position seen on each chromosome."""
    names = sorted(set(piece["chromosome1"].cat.categories) | set(piece["chromosome2"].cat.categories))
    kept = np.array([is_wanted(name, request, sizes) for name in names])
    first = piece["chromosome1"].cat.set_categories(names).cat.codes.to_numpy()
    second = piece["chromosome2"].cat.set_categories(names).cat.codes.to_numpy()
    position1 = piece["position1"].to_numpy().astype(np.int64) - 1
    position2 = piece["position2"].to_numpy().astype(np.int64) - 1
    use = kept[first] & kept[second] & (position1 >= 0) & (position2 >= 0)
    library.trans += float(np.count_nonzero(first[use] != second[use]))
    if not request.with_trans:
        use &= first == second
    first, second, position1, position2 = first[use], second[use], position1[use], position2[use]
    together = first.astype(np.int64) * len(names) + second
    order = np.argsort(together, kind="stable")
    edges = np.flatnonzero(np.diff(together[order], prepend=-1, append=-1))
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        rows = order[start:end]
        a, b = names[first[rows[0]]], names[second[rows[0]]]
        for name, position in ((a, position1[rows]), (b, position2[rows])):
            last[name] = max(last.get(name, 0), int(position.max()))
        store.add(a, b, position1[rows] // request.resolution, position2[rows] // request.resolution,
                  np.ones(len(rows)))


def _drop_short(library: Library, request: Request) -> None:
    """Where sizes came from the contacts, ``auto`` can leave out short chromosomes only now."""
    if request.chromosomes is None and not library.sizes_known:
        learned = set(to_learn_from(library.sizes, request.resolution))
        library.sizes = {name: size for name, size in library.sizes.items() if name in learned} or library.sizes
