"""Vectors to classify from: files, the compared methods by name, and two controls that hold no structure."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..contacts import ContactMap
from ..errors import InputError
from ..genome import plain_name
from ..methods import REPRESENTATIONS, representations

CONTROLS = {"position": "where a bin lies on its chromosome", "coverage": "how often a bin was seen"}
OURS = "hiclstm"


@dataclass(frozen=True, eq=False)
class Representation:
    """Vectors of every bin: float [N, size]; ``usable`` bool [N], bins that have one."""

    name: str
    vectors: np.ndarray
    usable: np.ndarray


def load(what: str, contact_map: ContactMap, size: int, seed: int, **files) -> Representation:
    """A representation from ``ID.representations.parquet``, ``NAME=FILE.parquet``, a method's or a control's name.

    ``files`` are given to the compared methods (``contacts``, ``subcompartments``).
    """
    name, given, path = what.partition("=")
    if not given:
        name, path = (OURS, what) if what.endswith(".parquet") else (what, "")
    if path:
        return _read(name, Path(path), contact_map)
    if name in CONTROLS:
        vectors = position(contact_map) if name == "position" else coverage(contact_map)
        return Representation(name, vectors, contact_map.usable)
    if name not in REPRESENTATIONS or name == OURS:
        raise InputError(f"--representations {what}: expected a .parquet file, {', '.join(CONTROLS)} or one of "
                         f"{', '.join(sorted(set(REPRESENTATIONS) - {OURS}))}")
    return Representation(name, representations(name, contact_map, size, seed, **files), contact_map.usable)


def _read(name: str, path: Path, contact_map: ContactMap) -> Representation:
    if not path.exists():
        raise InputError(f"{path}: there is no such file of representations")
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as problem:
        raise InputError(f"{path}: cannot be read as parquet ({str(problem).splitlines()[0]})") from None
    columns = [c for c in table.columns if c[:1] == "r" and c[1:].isdigit()]
    if not columns or not {"chrom", "start"} <= set(table.columns):
        raise InputError(f"{path}: expected columns chrom, start, end, r0, r1, …; found {', '.join(table.columns[:8])}")
    bins = contact_map.bins.table
    same = len(table) == len(bins) and (table["chrom"].map(plain_name).to_numpy() ==
                                        bins["chrom"].map(plain_name).to_numpy()).all() \
        and (table["start"].to_numpy() == bins["start"].to_numpy()).all()
    if not same:
        raise InputError(f"{path}: has {len(table):,} bins, the map {len(bins):,} of {contact_map.bins.resolution:,} "
                         f"bp on {', '.join(contact_map.bins.chromosomes[:6])}: they must be the same")
    usable = table["usable"].to_numpy(bool) if "usable" in table else np.ones(len(table), bool)
    return Representation(name, table[columns].to_numpy(np.float32), usable & contact_map.usable)


def facts_of(path) -> dict:
    """What a file of representations says about its training."""
    import pyarrow.parquet as pq

    try:
        return json.loads((pq.read_schema(path).metadata or {}).get(b"hiclstm", b"{}"))
    except (OSError, ValueError):
        return {}


def position(contact_map: ContactMap) -> np.ndarray:
    """Control: coordinate in Mb, place between the ends (0 to 1), Mb to the nearer end, number of the chromosome."""
    bins = contact_map.bins
    parts = []
    for k, (name, size) in enumerate(zip(bins.chromosomes, bins.sizes, strict=True)):
        span = bins.span(name)
        middle = (np.arange(span.stop - span.start) + 0.5) * bins.resolution
        parts.append(np.stack([middle / 1e6, middle / size, np.minimum(middle, size - middle) / 1e6,
                               np.full(len(middle), k)], 1))
    return np.concatenate(parts).astype(np.float32)


def coverage(contact_map: ContactMap) -> np.ndarray:
    """Control: log coverage of a bin and of its neighbours, and the log of its balancing weight."""
    logs = log_coverage(contact_map)
    weight = np.where(contact_map.usable, contact_map.weight, 1.0)
    columns = [logs, np.log(np.where(weight > 0, weight, 1.0))]
    for step in (-1, 1):
        moved = np.roll(logs, step)
        for name in contact_map.bins.chromosomes:
            span = contact_map.bins.span(name)
            edge = span.start if step == 1 else span.stop - 1
            moved[edge] = logs[edge]
        columns.append(moved)
    return np.stack(columns, 1).astype(np.float32)


def log_coverage(contact_map: ContactMap) -> np.ndarray:
    """Natural log of the contacts of each bin with its chromosome, plus one: float64 [N]."""
    n = len(contact_map.bins)
    row = np.repeat(np.arange(n), np.diff(contact_map.starts))
    counts = contact_map.counts.astype(np.float64)
    away = contact_map.columns != row
    total = np.bincount(row, counts, minlength=n) + np.bincount(contact_map.columns[away], counts[away], minlength=n)
    return np.log1p(total)
