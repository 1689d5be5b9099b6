"""Files for other tools: `.mcool` of expected contacts, parquet and h5ad of vectors, bigWig and bedGraph tracks."""

import json
import tempfile
from pathlib import Path

import cooler
import h5py
import numpy as np
import pandas as pd

from .contacts.probability import GUARD, STEEPNESS
from .errors import InputError
from .files import check_room, whole, with_room
from .genome import Bins

COARSER = (2, 5, 10)
ROWS_AT_ONCE = 256


def band_pixels(bins: Bins, band_of, usable: np.ndarray):
    """Yield tables bin1_id, bin2_id, count of the pairs of usable bins, in the order coolers want.

    Parameters
    ----------
    band_of : function of a chromosome's name: float [n, width], NaN is left out
    usable : bool [N]
    """
    for chromosome in bins.chromosomes:
        span = bins.span(chromosome)
        present = usable[span]
        band = band_of(chromosome)
        n, width = band.shape
        reaching = np.concatenate([present, np.zeros(width, bool)])
        for first in range(0, n, ROWS_AT_ONCE):
            values = np.asarray(band[first:first + ROWS_AT_ONCE])
            last = first + len(values)
            told = np.lib.stride_tricks.sliding_window_view(reaching[first:last + width - 1], width)
            rows, distance = np.nonzero(told & present[first:last, None] & np.isfinite(values))
            yield pd.DataFrame({"bin1_id": rows + first + span.start, "bin2_id": rows + distance + first + span.start,
                                "count": values[rows, distance]})


def write_mcool(path, bins: Bins, band_of, usable: np.ndarray, facts: dict, coarser: tuple[int, ...] = COARSER) -> None:
    """Write expected contacts as an `.mcool` that HiGlass and cooltools open, at ``bins``' resolution and coarser ones.

    Pixels hold expected balanced contacts v themselves (float32), so the ``weight`` of a usable bin is 1, that of a
    missing one NaN. A coarser bin of k bins with u usable ones weighs k / u, so that its balanced value estimates the
    sum over all of it. Equation 1's constants are in each resolution's metadata beside ``facts``.

    Parameters
    ----------
    band_of : function of a chromosome's name: float [n, width]
    usable : bool [N]
    coarser : factors of the further resolutions; one that leaves a single bin is skipped
    """
    write_pixels(path, bins, band_pixels(bins, band_of, usable), usable, facts, coarser)


def write_pixels(path, bins: Bins, pixels, usable: np.ndarray, facts: dict,
                 coarser: tuple[int, ...] = COARSER) -> None:
    """Write a table (or tables in turn) of pixels bin1_id, bin2_id, count as `.mcool`; the rest as :func:`write_mcool`.

    ``facts["values"]`` may say that the values are something else than expected contacts.
    """
    facts = {"values": "expected balanced contacts v, on the scale of raw counts; not probabilities", **facts,
             "contact_probability": f"CP = exp(-{STEEPNESS:g} / (s * v + {GUARD:g})), s = probability_scale",
             "equation_1": {"a": STEEPNESS, "delta": GUARD}}
    facts.setdefault("probability_scale", 1.0)
    path = Path(path)
    factors = [factor for factor in coarser if len(bins) > factor]
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as beside, tempfile.TemporaryDirectory(dir=path.parent, prefix=".mcool-") as folder:
        base = f"{folder}/base.cool"
        table = bins.table.assign(weight=np.where(usable, 1.0, np.nan))
        cooler.create_cooler(base, table, with_room(base, pixels), dtypes={"count": "float32"},
                             ordered=True, symmetric_upper=True, metadata=facts)
        check_room(beside, 3 * Path(base).stat().st_size)
        cooler.zoomify_cooler(base, str(beside), [bins.resolution * factor for factor in (1, *factors)],
                              chunksize=5_000_000, columns=["count"], dtypes={"count": "float32"})
        with h5py.File(beside, "r+") as file:
            for factor in factors:
                group = file[f"resolutions/{bins.resolution * factor}"]
                group["bins"].create_dataset("weight", data=_coarse_weight(bins, usable, factor))
            for group in file["resolutions"].values():
                group.attrs["metadata"] = json.dumps(facts)


def _coarse_weight(bins: Bins, usable: np.ndarray, factor: int) -> np.ndarray:
    parts = []
    for chromosome in bins.chromosomes:
        present = usable[bins.span(chromosome)]
        edges = np.arange(0, len(present), factor)
        good = np.add.reduceat(present.astype(float), edges)
        number = np.add.reduceat(np.ones(len(present)), edges)
        parts.append(np.where(good > 0, number / np.maximum(good, 1), np.nan))
    return np.concatenate(parts)


def vectors_table(bins: Bins, representations: np.ndarray, usable: np.ndarray) -> pd.DataFrame:
    """One row a bin: chrom, start, end, usable, r0, r1, …"""
    columns = pd.DataFrame(np.asarray(representations, np.float32),
                           columns=[f"r{k}" for k in range(representations.shape[1])])
    return pd.concat([bins.table.assign(usable=np.asarray(usable, bool)), columns], axis=1)


def write_representations(bins: Bins, representations: np.ndarray, usable: np.ndarray, parquet_path, h5ad_path,
                          facts: dict) -> None:
    """Write the vectors of all bins as parquet (chrom start end usable r0 …) and as h5ad (X, and the rest in obs).

    Parameters
    ----------
    representations : float32 [N, size]
    usable : bool [N]; vectors of missing bins are written too, but nothing trained them
    facts : provenance; the parquet file's metadata key ``hiclstm`` and the h5ad's ``uns`` hold it as JSON
    """
    import anndata
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = vectors_table(bins, representations, usable)
    words = json.dumps(facts, default=str)
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    with whole(parquet_path) as beside:
        pq.write_table(arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), b"hiclstm": words.encode()}),
                       beside)
    names = table["chrom"] + ":" + table["start"].astype(str) + "-" + table["end"].astype(str)
    obs = table[["chrom", "start", "end", "usable"]].set_axis(names, axis="index")
    obs["chrom"] = pd.Categorical(obs["chrom"], categories=list(bins.chromosomes))
    features = table.columns[4:]
    data = anndata.AnnData(X=np.asarray(representations, np.float32), obs=obs, var=pd.DataFrame(index=list(features)),
                           uns={"hiclstm": words, "resolution": bins.resolution})
    with whole(h5ad_path) as beside:
        check_room(beside, 2 * (table.memory_usage(deep=True).sum() + names.memory_usage(deep=True)))
        data.write_h5ad(beside)


def write_bigwig(path, bins: Bins, values: np.ndarray) -> None:
    """Write a track of one value a bin, NaN left out, as bigWig. ``values`` is float [N]."""
    import pyBigWig

    values = np.asarray(values, np.float64)
    with whole(path) as beside:
        check_room(beside, 16 * len(values))
        file = pyBigWig.open(str(beside), "w")
        try:
            file.addHeader([(name, int(size)) for name, size in zip(bins.chromosomes, bins.sizes, strict=True)])
            table = bins.table
            for chromosome in bins.chromosomes:
                span = bins.span(chromosome)
                told = np.flatnonzero(np.isfinite(values[span])) + span.start
                if len(told):
                    file.addEntries([chromosome] * len(told), table["start"].to_numpy()[told].tolist(),
                                    ends=table["end"].to_numpy()[told].tolist(), values=values[told].tolist())
        finally:
            file.close()
        _check_bigwig(path, beside, np.isfinite(values).sum())


def _check_bigwig(path, written, entries: int) -> None:
    """Read back how many entries a bigWig holds: its library says nothing where the disk was full."""
    import pyBigWig

    try:
        with pyBigWig.open(str(written)) as file:
            found = sum(len(file.intervals(name) or ()) for name in file.chroms())
    except RuntimeError:
        found = 0
    if found != entries:
        raise InputError(f"{path}: {found:,} of {entries:,} values were written: is the disk full?")


def write_bedgraph(path, bins: Bins, values: np.ndarray) -> None:
    """Write a track of one value a bin, NaN left out, as bedGraph."""
    table = bins.table.assign(value=np.asarray(values, np.float64)).dropna(subset="value")
    with whole(path) as beside:
        table.to_csv(beside, sep="\t", header=False, index=False, float_format="%.6g")
