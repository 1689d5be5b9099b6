"""Juicer's ``.hic`` (versions 8 and 9), read with hictkpy."""

import atexit
import struct
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..genome import match_name
from .chromosomes import assembly_named_in, check_sizes, to_learn_from
from .formats import Source
from .library import Library, PixelStore, Request, resolution_to_read

ROWS_AT_ONCE = 4_000  # bins of one chromosome asked for together


@cache
def import_hictkpy():
    """The module ``hictkpy``, its logger ended: version 1.4.0 awaits messages in a loop that takes a core all the while.

    What ends it is known to ``atexit`` alone, so it is caught on its way there.
    """
    ends, register = [], atexit.register

    def noted(function, *arguments, **named):
        ends.append(function)
        return register(function, *arguments, **named)

    atexit.register = noted
    try:
        import hictkpy
    finally:
        atexit.register = register
    for end in ends:
        if type(end).__module__ == "nanobind":
            end()
    return hictkpy


def read(source: Source, request: Request, folder: Path, report) -> Library:
    """Read raw counts and the vectors asked for; chromosomes that the header lists but that hold nothing stay empty."""
    hictkpy = import_hictkpy()
    _check_whole(source.path)
    resolutions = [int(resolution) for resolution in hictkpy.MultiResFile(str(source.path)).resolutions()]
    resolution = resolution_to_read(source, resolutions, request.resolution)
    file = hictkpy.File(str(source.path), resolution)
    facts = file.attributes()
    sizes = {name: int(size) for name, size in file.chromosomes().items()}
    check_sizes(str(source), sizes, request)
    library = Library(str(source), f"hic version {facts['format-version']}", folder, resolution=resolution, sizes=sizes,
                      assembly=assembly_named_in(facts.get("assembly")), trans=0.0)
    wanted = to_learn_from(sizes, request.resolution) if request.chromosomes is None else \
        [name for name in (match_name(name, sizes) for name in request.chromosomes) if name]
    store, factor = PixelStore(library, report), request.resolution // resolution
    counts = [-(-size // resolution) for size in sizes.values()]
    first_bin = dict(zip(sizes, np.concatenate([[0], np.cumsum(counts)[:-1]]), strict=True))
    for name in wanted:
        for start in range(0, sizes[name], ROWS_AT_ONCE * resolution):
            end = min(start + ROWS_AT_ONCE * resolution, sizes[name])
            # float, because hictkpy cuts counts to whole numbers otherwise
            pixels = file.fetch(f"{name}:{start}-{end}", f"{name}:{start}-{sizes[name]}", count_type="float").to_df()
            store.add(name, name, (pixels["bin1_id"].to_numpy() - first_bin[name]) // factor,
                      (pixels["bin2_id"].to_numpy() - first_bin[name]) // factor, pixels["count"].to_numpy())
        store.close()
    _read_trans(file, resolutions, library, store, request, first_bin, factor)
    _read_vectors(file, library, request, first_bin, counts)
    return library


def _check_whole(path: Path) -> None:
    """The header says where the index at the end of the file begins: a shorter file is cut."""
    with open(path, "rb") as handle:
        begin = handle.read(16)
    version, index = struct.unpack("<iq", begin[4:16]) if len(begin) == 16 else (0, 0)
    if len(begin) < 16 or index <= 0 or index >= path.stat().st_size:
        raise InputError(f"{path}: is cut short: its index should begin at byte {index:,} and the file has "
                         f"{path.stat().st_size:,} bytes")
    if version not in (8, 9):
        raise InputError(f"{path}: is a .hic file of version {version}; versions 8 and 9 can be read")


def _read_trans(file, resolutions, library: Library, store: PixelStore, request: Request, first_bin, factor) -> None:
    """Contacts between the chromosomes that have any: kept from 100 kb up, below only counted, at the coarsest map."""
    hictkpy = import_hictkpy()
    present = [first for first, second in list(library.pairs) if first == second]
    if not request.with_trans:
        file = hictkpy.File(file.path(), max(resolutions))
    for k, first in enumerate(present):
        for second in present[k + 1:]:
            pixels = file.fetch(first, second, count_type="float")
            if request.with_trans:
                pixels = pixels.to_df()
                library.trans += float(np.nansum(pixels["count"]))
                store.add(first, second, (pixels["bin1_id"].to_numpy() - first_bin[first]) // factor,
                          (pixels["bin2_id"].to_numpy() - first_bin[second]) // factor, pixels["count"].to_numpy())
            else:
                library.trans += float(pixels.sum())
    store.close()


def _read_vectors(file, library: Library, request: Request, first_bin, counts) -> None:
    # ask which exist: a file without normalisations answers any name with NaN
    library.vector_names = sorted(file.avail_normalizations()) if library.resolution == request.resolution else []
    length = dict(zip(library.sizes, counts, strict=True))
    for vector in request.vectors_wanted:
        if vector in library.vector_names:
            values = np.asarray(file.weights(vector, divisive=True), np.float64)
            for name, second in library.pairs:
                if name == second:
                    library.vectors[name, vector] = values[first_bin[name]:first_bin[name] + length[name]].copy()
