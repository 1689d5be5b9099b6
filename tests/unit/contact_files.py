"""Small contact files with a known content, made by code, for the tests of PREPARE_CONTACTS."""

import gzip

import cooler
import numpy as np
import pandas as pd

from hiclstm.contacts.hic import import_hictkpy

hictkpy = import_hictkpy()
RESOLUTION = 10_000
SIZES = {"chr1": 800_000, "chr2": 600_000, "chrM": 16_000}
MISSING = (5, 6, 40)  # bins of chr1 without contacts


def bins_of(sizes=SIZES, resolution=RESOLUTION) -> pd.DataFrame:
    return cooler.binnify(pd.Series(sizes), resolution)


def pixels_of(sizes=SIZES, resolution=RESOLUTION, seed=1, depth=100.0, trans=True) -> pd.DataFrame:
    """Counts that fall with distance, seen through a bias of each bin; some bins of chr1 are unmappable."""
    rng = np.random.default_rng(seed)
    bins = bins_of(sizes, resolution)
    n = len(bins)
    bias = rng.uniform(0.5, 1.5, n)
    bias[[k for k in MISSING if resolution == RESOLUTION]] = 0
    i, j = np.triu_indices(n)
    chromosome = bins["chrom"].astype(str).to_numpy()
    cis = chromosome[i] == chromosome[j]
    expected = bias[i] * bias[j] * np.where(cis, depth / (1 + j - i), depth / 100 if trans else 0)
    table = pd.DataFrame({"bin1_id": i, "bin2_id": j, "count": rng.poisson(expected)})
    return table[table["count"] > 0].reset_index(drop=True)


def write_cooler(path, pixels, sizes=SIZES, resolution=RESOLUTION, **columns) -> None:
    """A ``.cool``; ``columns`` are added to its bin table (weights)."""
    bins = bins_of(sizes, resolution)
    for name, values in columns.items():
        bins[name] = values
    dtype = np.int32 if np.all(pixels["count"] == pixels["count"].round()) else np.float64
    cooler.create_cooler(str(path), bins, pixels, dtypes={"count": dtype}, ordered=True)


def write_hic(path, pixels, sizes=SIZES, resolution=RESOLUTION) -> None:
    writer = hictkpy.hic.FileWriter(str(path), sizes, resolution, skip_all_vs_all_matrix=True)
    writer.add_pixels(pixels[["bin1_id", "bin2_id", "count"]])
    writer.finalize()


def juicer_lines(pixels, chromosome="chr1", sizes=SIZES, resolution=RESOLUTION) -> list[str]:
    """``start1 start2 count`` of one chromosome."""
    bins = bins_of(sizes, resolution)
    here = bins.index[bins["chrom"] == chromosome]
    own = pixels[pixels["bin1_id"].isin(here) & pixels["bin2_id"].isin(here)]
    start = bins["start"].to_numpy()
    return [f"{start[i]}\t{start[j]}\t{count:g}" for i, j, count in own.itertuples(index=False)]


def pair_lines(pixels, layout="4DN", sizes=SIZES, resolution=RESOLUTION, seed=1) -> list[str]:
    """One line a contact, at random positions inside its bins, either end first."""
    rng = np.random.default_rng(seed)
    bins = bins_of(sizes, resolution)
    names, starts, ends = bins["chrom"].astype(str).to_numpy(), bins["start"].to_numpy(), bins["end"].to_numpy()
    pair = pixels[["bin1_id", "bin2_id"]].to_numpy().repeat(pixels["count"].astype(int), axis=0)
    pair = np.where(rng.random(len(pair))[:, None] < 0.5, pair, pair[:, ::-1])
    position = rng.integers(starts[pair], ends[pair]) + 1
    form = {"4DN": "r\t{}\t{}\t{}\t{}\t+\t-", "bare": "{}\t{}\t+\t{}\t{}\t-",
            "valid": "r\t{}\t{}\t+\t{}\t{}\t-\t100\tx\ty\t40\t40"}[layout]
    return [form.format(names[i], p, names[j], q) for (i, j), (p, q) in zip(pair, position, strict=True)]


PAIRS_HEADER = ["## pairs format v1.0", "#genome_assembly: hg19",
                *(f"#chromsize: {name} {size}" for name, size in SIZES.items()),
                "#columns: readID chr1 pos1 chr2 pos2 strand1 strand2"]


def write_lines(path, lines) -> None:
    text = "\n".join(lines) + "\n"
    if str(path).endswith(".gz"):
        with gzip.open(path, "wt") as handle:
            handle.write(text)
    else:
        path.write_text(text)
