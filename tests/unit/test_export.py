"""Files for other tools, opened by those tools."""

import json

import anndata
import bioframe
import cooler
import cooltools
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyBigWig
import pytest

from hiclstm.contacts import contact_probability
from hiclstm.export import write_bedgraph, write_bigwig, write_mcool, write_representations
from hiclstm.genome import Bins

BINS = Bins(("chr1", "chr2"), (505_000, 300_000), 10_000)  # 51 and 30 bins, the last of chr1 is half a bin


@pytest.fixture(scope="module")
def bands():
    made = {}
    for name in BINS.chromosomes:
        n = BINS.span(name).stop - BINS.span(name).start
        band = np.full((n, 20), np.nan, np.float32)
        for distance in range(20):
            band[:n - distance, distance] = 100 / (1 + distance) + np.arange(n - distance) / n
        made[name] = band
    return made


@pytest.fixture(scope="module")
def usable():
    there = np.ones(len(BINS), bool)
    there[[7, 60, 61]] = False
    return there


@pytest.fixture(scope="module")
def mcool(bands, usable, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "x.predicted.mcool"
    write_mcool(path, BINS, bands.__getitem__, usable, {"sample": "x", "probability_scale": 2.0})
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    return path


def test_mcool_holds_the_expected_contacts(mcool, bands, usable):
    assert cooler.fileops.list_coolers(str(mcool)) == [f"/resolutions/{r}" for r in (10_000, 20_000, 50_000, 100_000)]
    file = cooler.Cooler(f"{mcool}::/resolutions/10000")
    for name in BINS.chromosomes:
        square = file.matrix(balance=True).fetch(name)
        np.testing.assert_array_equal(square, square.T)
        there = usable[BINS.span(name)]
        assert np.isnan(square[~there]).all()
        for distance in (0, 1, 19):
            wanted = bands[name][:len(there) - distance, distance].astype(float)
            wanted[~(there[:len(there) - distance] & there[distance:])] = np.nan
            np.testing.assert_allclose(np.diagonal(square, distance), wanted, rtol=1e-6)
        assert square[0, 25] == 0  # past the band
    assert file.matrix(balance=False).fetch("chr1", "chr2").sum() == 0
    pixels = file.pixels()[:]
    assert pixels["count"].dtype == np.float32
    assert (np.diff(pixels["bin1_id"] * len(BINS) + pixels["bin2_id"]) > 0).all()


def test_mcool_says_what_its_values_are(mcool):
    for resolution in (10_000, 100_000):
        facts = cooler.Cooler(f"{mcool}::/resolutions/{resolution}").info["metadata"]
        assert facts["sample"] == "x" and facts["probability_scale"] == 2.0
        a, delta = facts["equation_1"]["a"], facts["equation_1"]["delta"]
        assert np.exp(-a / (30.0 + delta)) == contact_probability(30.0)
    json.dumps(facts)


def test_coarser_maps_estimate_the_sum_of_all_their_bins(mcool, bands):
    fine = cooler.Cooler(f"{mcool}::/resolutions/10000").matrix(balance=True).fetch("chr1")
    coarse = cooler.Cooler(f"{mcool}::/resolutions/50000").matrix(balance=True).fetch("chr1")
    assert coarse[3, 4] == pytest.approx(fine[15:20, 20:25].sum(), rel=1e-5)
    # Bin 7 of bins 5 to 9 is missing: the mean of the rest stands for it.
    assert coarse[1, 3] == pytest.approx(np.nanmean(fine[5:10, 15:20]) * 25, rel=1e-5)


def test_cooltools_opens_it(mcool):
    file = cooler.Cooler(f"{mcool}::/resolutions/10000")
    view = bioframe.make_viewframe(file.chromsizes)
    expected = cooltools.expected_cis(file, view_df=view, ignore_diags=0, smooth=False, nproc=1)
    table = expected[expected["region1"] == "chr2"].set_index("dist")
    square = file.matrix(balance=True).fetch("chr2")
    for distance in (1, 10):
        assert table.loc[distance, "balanced.avg"] == pytest.approx(np.nanmean(np.diagonal(square, distance)), rel=1e-5)
    insulation = cooltools.insulation(file, [50_000], ignore_diags=0, nproc=1)
    assert np.isfinite(insulation["log2_insulation_score_50000"]).sum() > 60


def test_a_failure_leaves_nothing(tmp_path, usable):
    def broken(chromosome):
        raise RuntimeError("no such band")

    with pytest.raises(RuntimeError, match="no such band"):
        write_mcool(tmp_path / "x.mcool", BINS, broken, usable, {})
    assert not list(tmp_path.iterdir())


def test_vectors_open_as_parquet_and_h5ad(tmp_path, usable):
    vectors = np.random.default_rng(0).normal(size=(len(BINS), 16)).astype(np.float32)
    write_representations(BINS, vectors, usable, tmp_path / "x.parquet", tmp_path / "x.h5ad",
                          {"cell_type": "x", "seed": 1, "width": None})
    table = pd.read_parquet(tmp_path / "x.parquet")
    assert list(table.columns) == ["chrom", "start", "end", "usable", *(f"r{k}" for k in range(16))]
    np.testing.assert_array_equal(table[[f"r{k}" for k in range(16)]].to_numpy(), vectors)
    assert table.loc[51, ["chrom", "start", "end"]].tolist() == ["chr2", 0, 10_000]
    assert table.loc[50, "end"] == 505_000 and table["usable"].sum() == usable.sum()
    assert json.loads(pq.read_schema(tmp_path / "x.parquet").metadata[b"hiclstm"])["seed"] == 1
    data = anndata.read_h5ad(tmp_path / "x.h5ad")
    np.testing.assert_array_equal(data.X, vectors)
    assert data.obs["chrom"].tolist() == table["chrom"].tolist() and data.obs.index[51] == "chr2:0-10000"
    assert data.uns["resolution"] == 10_000


def test_tracks_open_in_pybigwig(tmp_path):
    values = np.arange(len(BINS), dtype=float)
    values[[3, 50]] = np.nan
    write_bigwig(tmp_path / "x.bw", BINS, values)
    with pyBigWig.open(str(tmp_path / "x.bw")) as file:
        assert file.chroms() == {"chr1": 505_000, "chr2": 300_000}
        assert file.values("chr1", 45_000, 45_001) == [4.0]
        assert np.isnan(file.values("chr1", 35_000, 35_001)[0])
        assert file.intervals("chr2")[0] == (0, 10_000, 51.0)
    write_bedgraph(tmp_path / "x.bedgraph", BINS, values)
    lines = (tmp_path / "x.bedgraph").read_text().splitlines()
    assert lines[0] == "chr1\t0\t10000\t0" and len(lines) == len(BINS) - 2
