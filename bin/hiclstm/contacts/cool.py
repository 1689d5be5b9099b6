"""Cooler files: ``.cool``, ``.mcool``, one cell of a ``.scool``, and groups inside any of them."""

from pathlib import Path

import cooler
import h5py
import numpy as np

from ..errors import InputError
from ..genome import match_name
from .chromosomes import assembly_named_in, check_sizes, natural_order, to_learn_from
from .formats import Source
from .library import Library, PixelStore, Request, resolution_to_read

PIXELS_AT_ONCE = 5_000_000


def read(source: Source, request: Request, folder: Path, report) -> Library:
    """Read raw counts in pieces, and the vectors asked for as they stand (how they are meant is found out later)."""
    maps = _maps_in(source)
    group = _choose(source, maps, request.resolution)
    try:
        return _read_group(source, cooler.Cooler(f"{source.path}::/{group}"), maps[group], request, folder, report)
    except (OSError, KeyError) as problem:
        raise InputError(f"{source}: is a damaged cooler file ({' '.join(str(problem).split())[:200]})") from None


def _maps_in(source: Source) -> dict[str, int | None]:
    """Every map of the file: group → resolution, None where bins differ in width."""
    found: dict[str, int | None] = {}
    try:
        with h5py.File(source.path, "r") as file:
            pending = [""]
            while pending:
                name = pending.pop()
                group = file[name or "/"]
                if "bins" in group and "pixels" in group:
                    size = group.attrs.get("bin-size")
                    found[name] = int(size) if str(size).isdigit() else None
                elif name.count("/") < 2:
                    pending += [f"{name}/{child}".lstrip("/") for child, item in group.items()
                                if isinstance(item, h5py.Group)]
    except (OSError, KeyError, RuntimeError) as problem:
        words = " ".join(str(problem).split())
        what = "is cut short" if "truncated" in words else "is a damaged HDF5 file"
        raise InputError(f"{source.path}: {what} ({words[:200]})") from None
    if not found:
        raise InputError(f"{source.path}: is an HDF5 file, but holds no cooler map (no group with bins and pixels)")
    return found


def _choose(source: Source, maps: dict[str, int | None], wanted: int) -> str:
    """The group to read: the one named after ``::`` (``resolutions/5000`` or just ``5000``), else by resolution."""
    if source.part:
        group = next((name for name in (source.part, f"resolutions/{source.part}") if name in maps), None)
        if group is None:
            some = ", ".join(f"::/{name}" for name in list(maps)[:12])
            raise InputError(f"{source.path}: has no map ::/{source.part}; it has {some}")
        maps = {group: maps[group]}
    if any(name.startswith("cells/") for name in maps) and len(maps) > 1:
        raise InputError(f"{source.path}: holds {len(maps)} cells; name one after '::', as in ::/{next(iter(maps))}")
    fixed = {size: name for name, size in maps.items() if size}
    if not fixed:
        raise InputError(f"{source}: its bins are not of one width; maps of restriction fragments cannot be used")
    return fixed[resolution_to_read(source, list(fixed), wanted)]


def _read_group(source: Source, file, resolution: int, request: Request, folder: Path, report) -> Library:
    if file.storage_mode != "symmetric-upper":
        raise InputError(f"{source}: is stored as a square matrix; a symmetric map (upper triangle) is needed")
    sizes = {str(name): int(size) for name, size in file.chromsizes.items()}
    check_sizes(str(source), sizes, request)
    version = file.info.get("format-version", "?")
    library = Library(str(source), f"cooler version {version}", folder, resolution=resolution, sizes=sizes, trans=0.0,
                      assembly=assembly_named_in(file.info.get("genome-assembly")))
    wanted = to_learn_from(sizes, request.resolution) if request.chromosomes is None else \
        [name for name in (match_name(name, sizes) for name in request.chromosomes) if name]
    offsets = file._load_dset("indexes/chrom_offset")
    edges, ends = dict(zip(sizes, offsets[:-1], strict=True)), dict(zip(sizes, offsets[1:], strict=True))
    rows = file._load_dset("indexes/bin1_offset")
    names, starts = list(sizes), np.array([edges[name] for name in sizes])
    is_wanted = np.isin(names, wanted)
    store, factor = PixelStore(library, report), request.resolution // resolution
    with file.open("r") as group:
        for name in sorted(wanted, key=natural_order):
            first, last = int(rows[edges[name]]), int(rows[ends[name]])
            for at in range(first, last, PIXELS_AT_ONCE):
                piece = slice(at, min(at + PIXELS_AT_ONCE, last))
                bin1, bin2, count = (group["pixels"][column][piece] for column in ("bin1_id", "bin2_id", "count"))
                cis = bin2 < ends[name]
                store.add(name, name, (bin1[cis] - edges[name]) // factor, (bin2[cis] - edges[name]) // factor,
                          count[cis])
                partner = np.searchsorted(starts, bin2[~cis], side="right") - 1
                kept = is_wanted[partner]
                library.trans += float(np.nansum(count[~cis][kept]))
                if request.with_trans:
                    for other in np.unique(partner[kept]):
                        pair = np.flatnonzero(~cis)[partner == other]
                        store.add(name, names[other], (bin1[pair] - edges[name]) // factor,
                                  (bin2[pair] - starts[other]) // factor, count[pair])
            store.close()
        columns = [column for column in group["bins"] if column not in ("chrom", "start", "end")
                   and group["bins"][column].dtype.kind in "fi"]
        if resolution == request.resolution:
            library.vector_names = sorted(columns)
        for vector in request.vectors_wanted:
            if vector in library.vector_names:
                for name in wanted:
                    values = group["bins"][vector][int(edges[name]):int(ends[name])]
                    library.vectors[name, vector] = values.astype(np.float64)
    return library
