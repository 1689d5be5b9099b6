"""Two plain representations: principal components of the map, and the subcompartment of a bin."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from ..contacts import ContactMap
from ..errors import InputError
from ..genome import match_name
from .rows import Rows

LARGEST_STACK = 1_000_000_000  # entries of the stacked rows: 4 GB


def principal_components(contact_map: ContactMap, size: int, seed: int) -> np.ndarray:
    """The PCA baseline: principal components of the rows of log(1 + observed/expected).

    Expected is the mean over usable pairs of the same distance on the same chromosome. Rows of different chromosomes
    are padded with zeros to one length and share the components. The logarithm keeps single contacts at long distances,
    where the expectation is far below one, from filling the components.

    Returns
    -------
    float32 [N, size], zeros for missing bins
    """
    bins = contact_map.bins
    width = int(np.diff(bins.offsets).max())
    usable = contact_map.usable
    if usable.sum() * width > LARGEST_STACK:
        raise InputError(f"the PCA of {usable.sum():,} rows of {width:,} bins does not fit in memory: compare at "
                         "a coarser resolution or on fewer chromosomes")
    if size > min(width, int(usable.sum())):
        raise InputError(f"{size} principal components were asked for, of {usable.sum():,} usable rows of {width:,} "
                         "bins")
    stack = np.zeros((int(usable.sum()), width), np.float32)
    at = 0
    for name in bins.chromosomes:
        rows = Rows.of(contact_map, name)
        ratio = rows.values.tocoo()
        expected = rows.distance_mean()[np.abs(ratio.row - ratio.col)]
        own = np.zeros(ratio.shape, np.float32)
        own[ratio.row, ratio.col] = np.log1p(ratio.data / expected)
        count = int(rows.usable.sum())
        stack[at:at + count, :own.shape[1]] = own[rows.usable]
        at += count
    vectors = np.zeros((len(bins), size), np.float32)
    vectors[usable] = PCA(size, svd_solver="auto", random_state=seed).fit_transform(stack)
    return vectors


def subcompartments(contact_map: ContactMap, path) -> np.ndarray:
    """The SBCID baseline: which subcompartment a bin lies in, one-hot (columns in the order of the sorted names).

    An oracle: the subcompartments were called from a map of the same cells, far deeper than most.

    Parameters
    ----------
    path : BED with the subcompartment's name in the fourth column; ``NA`` is no subcompartment

    Returns
    -------
    float32 [N, number of names]: a bin belongs to the subcompartment that covers most of it, to none if none does
    """
    try:
        table = pd.read_csv(path, sep="\t", header=None, comment="#", usecols=[0, 1, 2, 3], dtype={0: str, 3: str},
                            names=["chrom", "start", "end", "name"], keep_default_na=False)
        table = table.astype({"start": np.int64, "end": np.int64})
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except ValueError as problem:
        raise InputError(f"{path}: expected a BED with chromosome, start, end and the subcompartment's name "
                         f"({problem})") from None
    table = table[~table["name"].isin(["NA", "", "."])]
    bins = contact_map.bins
    chromosome_of = {name: match_name(name, bins.chromosomes) for name in table["chrom"].unique()}
    table = table.assign(chrom=table["chrom"].map(chromosome_of)).dropna(subset="chrom")
    if table.empty:
        raise InputError(f"{Path(path).name}: has no subcompartment on {', '.join(bins.chromosomes)}")
    names = sorted(table["name"].unique())
    covered = np.zeros((len(bins), len(names)))
    step = bins.resolution
    for interval in table.itertuples():
        span = bins.span(interval.chrom)
        first, last = interval.start // step, min(-(-interval.end // step), span.stop - span.start)
        edges = np.arange(first, last) * step
        overlap = np.minimum(interval.end, edges + step) - np.maximum(interval.start, edges)
        covered[span.start + first:span.start + last, names.index(interval.name)] += overlap
    vectors = np.zeros(covered.shape, np.float32)
    found = np.flatnonzero((covered.max(1) > 0) & contact_map.usable)
    vectors[found, covered[found].argmax(1)] = 1
    return vectors
