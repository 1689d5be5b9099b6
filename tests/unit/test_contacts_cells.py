"""Single cells: layouts, who is left out and why, and the pseudo-bulk that is left."""

import gzip
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from r_table import read_rds

from hiclstm.contacts import ContactMap
from hiclstm.contacts.cells import Cutoffs, judge, merge, read_percentages, recognise
from hiclstm.contacts.library import Request
from hiclstm.contacts.prepare import Sample, prepare
from hiclstm.errors import InputError

DATA = Path(__file__).parents[2].parent / "shared/data/schic"
BARCODES = {"good": ("ACGTACGT", "TTTTAAAA"), "mouse": ("CCCCACGT", "TTTTAAAA"), "poor": ("GGGGACGT", "TTTTAAAA")}


def valid_pairs() -> list[str]:
    """30 contacts of a good human cell, 30 of a mouse's, 2 of a poor one, one between species."""
    lines = []

    def add(cell, one, at, other, there):
        inner, outer = BARCODES[cell]
        lines.append(f"{one}\t{at}\t{at + 60}\t{other}\t{there}\t{there + 60}\tread\t37\t42\t+\t-\t{inner}\t{outer}\t"
                     "HIC_x_1\t0\tHIC_x_2\t4\t0")

    for k in range(30):
        add("good", "human_chr1", 1000 * k, "human_chr1", 1000 * k + 50_000)
        add("mouse", "mouse_ch1", 1000 * k, "mouse_ch1", 1000 * k + 50_000)
    add("poor", "human_chr1", 5, "human_chr1", 600)
    add("poor", "human_chr1", 5, "human_chr2", 600)
    add("good", "human_chr1", 5, "mouse_ch2", 600)
    return lines


def percentages() -> list[str]:
    rows = [("good", 0.98, 9800, 200, "True", "All", "HAP1"), ("good", 0.5, 1, 1, "Randomized", "All", "Undetermined"),
            ("mouse", 0.01, 10, 990, "True", "All", "MEF"), ("poor", 1.0, 3, 0, "True", "All", "HAP1")]
    return [f"{share}\t{1 - share}\t{human}\t{mouse}\t{human + mouse}\t{human + mouse}\t{BARCODES[cell][0]}\t"
            f"{BARCODES[cell][1]}\t{shuffled}\t{kind}\t9\t1\t1\t0\t7.9\t0.5\t{cell_type}"
            for cell, share, human, mouse, shuffled, kind, cell_type in rows]


def write(path: Path, lines) -> Path:
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def pairs_of(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", comment="#", header=None,
                       names=["id", "chr1", "pos1", "chr2", "pos2", "s1", "s2", "cell"], dtype={"chr1": str, "chr2": str})


def test_valid_pairs_are_judged_by_reads_species_and_cell_type(tmp_path):
    pairs = write(tmp_path / "a.validPairs.txt.gz", valid_pairs())
    table = write(tmp_path / "a.percentages.txt", percentages())
    assert recognise(pairs).kind == "validPairs"
    cells = merge([pairs], tmp_path / "out", percentages=table, assembly="hg19")
    reason = cells["reason"].to_dict()
    assert reason["ACGTACGT-TTTTAAAA"] == "" and cells["kept"].sum() == 1
    assert "contacts" in reason["GGGGACGT-TTTTAAAA"] and cells.loc["GGGGACGT-TTTTAAAA", "cis_share"] == 0.5
    assert cells.loc["CCCCACGT-TTTTAAAA", "species_share"] == pytest.approx(0.01)
    found = pairs_of(tmp_path / "out/HAP1.pairs.gz")
    assert len(found) == 30  # not the contact between species
    assert found.loc[0, ["chr1", "pos1", "pos2"]].tolist() == ["chr1", 1, 50_001]  # 1-based, as 4DN's
    sheet = pd.read_csv(tmp_path / "out/samplesheet.csv")
    assert sheet.to_dict("records") == [{"cell_type": "HAP1", "replicate": 1, "contacts": "HAP1.pairs.gz",
                                         "assembly": "hg19"}]
    assert "#chromsize: chr22 51304566" in gzip.open(tmp_path / "out/HAP1.pairs.gz", "rt").read()
    assert read_percentages(table, "mouse").loc["CCCCACGT-TTTTAAAA", "contacts"] == 990


def test_pairs_lists_and_con_give_the_same_cells(tmp_path):
    random = np.random.default_rng(1)
    one, two = random.integers(0, 10**6, (2, 60))
    cell = np.where(np.arange(60) < 40, "c1", "c2")
    contacts = list(zip(one, two, cell, strict=True))
    write(tmp_path / "a.pairs", ["## pairs format v1.0", "#columns: readID chr1 pos1 chr2 pos2 strand1 strand2 cell",
                                 *(f".\tchr1\t{a + 1}\tchr1\t{b + 1}\t+\t-\t{c}" for a, b, c in contacts)])
    write(tmp_path / "a.tsv", ["chr_a\tstart_a\tend_a\tchr_b\tstart_b\tend_b\tcelltype\tcell_id",
                               *(f"1\t{a}\t{a + 9}\t1\t{b}\t{b + 9}\tK\t{c}" for a, b, c in contacts)])
    for name in ("c1", "c2"):
        write(tmp_path / f"{name}.con", [f"1,{a + 1},.\t1,{b + 1},0" for a, b, c in contacts if c == name])
    cutoffs = Cutoffs(contacts=30)
    found = [merge([tmp_path / name for name in names], tmp_path / str(k), cutoffs=cutoffs)
             for k, names in enumerate((["a.pairs"], ["a.tsv"], ["c1.con", "c2.con"]))]
    for cells in found:
        assert cells["kept"].to_dict() == {"c1": True, "c2": False} and cells.loc["c1", "contacts"] == 40
    lines = [pairs_of(tmp_path / name)[["chr1", "pos1", "chr2", "pos2", "cell"]] for name in
             ("0/all.pairs.gz", "1/K.pairs.gz", "2/all.pairs.gz")]
    for other in lines[1:]:
        pd.testing.assert_frame_equal(lines[0], other)
    np.testing.assert_array_equal(lines[0]["pos1"], one[:40] + 1)


def test_clusters_come_from_a_table(tmp_path):
    lines = ["chr1,pos1,chr2,pos2,cell", *(f"chr1,{k},chr1,{k + 9},c{k % 3}" for k in range(30))]
    contacts = write(tmp_path / "a.csv", lines)
    table = write(tmp_path / "clusters.tsv", ["cell\tcluster", "c0\tT", "c1\tB"])
    cells = merge([contacts], tmp_path / "out", cutoffs=Cutoffs(contacts=5), clusters=table)
    assert cells["cluster"].to_dict() == {"c0": "T", "c1": "B", "c2": ""} and cells.loc["c2", "reason"] == "of no cluster"
    assert len(pairs_of(tmp_path / "out/T.pairs.gz")) == len(pairs_of(tmp_path / "out/B.pairs.gz")) == 10


def test_what_cannot_be_used_is_said(tmp_path):
    contacts = write(tmp_path / "a.csv", ["chr1,pos1,chr2,pos2,cell", "chr1,1,chr1,9,c"])
    for call, message in (
            (lambda: merge([contacts], tmp_path / "out"), "none of 1 cells.*fewer than 1,000"),
            (lambda: recognise(write(tmp_path / "b.txt", ["a b c"])), "none of the single-cell layouts"),
            (lambda: recognise(write(tmp_path / "c.csv", ["chr1,pos1,cell", "1,2,3"])), "chr2"),
            (lambda: judge([write(tmp_path / "d.csv", ["chr1,pos1,chr2,pos2,cell", "1,x,1,2,c"])], "human", Cutoffs(), None,
                           None), "d.csv"),
            (lambda: merge([contacts], tmp_path / "out", clusters=write(tmp_path / "e.tsv", ["a\tb", "1\t2"])), "cluster"),
            (lambda: merge([contacts], tmp_path / "out", percentages=contacts), "percentages"),
            (lambda: merge([contacts], tmp_path / "out", assembly="hg99"), "hg99")):
        with pytest.raises(InputError, match=message):
            call()
    assert (tmp_path / "out/cells.tsv").exists()  # says why
    assert not list((tmp_path / "out").glob("*.pairs.gz"))


real = pytest.mark.skipif(not DATA.is_dir(), reason=f"public data not found at {DATA}")


@pytest.mark.real
@real
def test_ramani_ml1_of_the_papers_accession(tmp_path):
    stem = "GSM2254215_ML1.rows=1-1000"
    cells = merge([DATA / f"{stem}.validPairs.txt.gz"], tmp_path, percentages=DATA / f"{stem}.percentages.txt.gz",
                  assembly="hg19")
    assert len(cells) == 517 and cells["contacts"].sum() > 600
    kept = cells[cells["kept"]]
    assert kept.groupby("cluster").size().to_dict() == {"HAP1": 6, "HeLa": 7}
    for cluster, own in kept.groupby("cluster"):
        assert len(pairs_of(tmp_path / f"{cluster}.pairs.gz")) == own["contacts"].sum()


@pytest.mark.real
@real
def test_hap1_cells_become_a_map_of_chr21_and_chr22(tmp_path, monkeypatch):
    tables = [read_rds(DATA / f"human,HAP1,unique,chr={name}.rds") for name in (21, 22)]
    everything = pd.concat(tables).assign(cell_id=lambda table: table["name"] + "_" + table["cell_id"])
    assert len(everything) == 118_787 + 112_704
    everything.drop(columns="name").to_csv(tmp_path / "hap1.tsv.gz", sep="\t", index=False)
    script = Path(__file__).parents[2] / "bin/merge_cells.py"
    spec = importlib.util.spec_from_file_location("merge_cells", script)
    command = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(command)
    monkeypatch.setattr(sys, "argv", ["merge_cells.py", "--contacts", f"{tmp_path}/hap1.tsv.gz", "--fewest-contacts", "100",
                                      "--assembly", "hg19", "--output", f"{tmp_path}/out"])
    command.main()
    cells = pd.read_csv(tmp_path / "out/cells.tsv", sep="\t")
    kept = everything[everything["cell_id"].isin(cells.loc[cells["kept"], "cell"])]
    assert 0.5 < cells.loc[cells["kept"], "contacts"].sum() / len(everything) < 1
    prepare([str(tmp_path / "out/HAP1.pairs.gz")], Sample("HAP1", "1", 500_000),
            Request(500_000, ("chr21", "chr22"), "hg19"), tmp_path)
    found = ContactMap.load(tmp_path / "HAP1_1.500000.cool")
    assert found.counts.sum() == len(kept)
    one = kept[kept["chr_a"] == "21"]
    edges = np.arange(0, 48_129_895 + 500_000, 500_000)
    low, high = (how(one["start_a"], one["start_b"]) for how in (np.minimum, np.maximum))
    by_hand = np.histogram2d(low, high, [edges, edges])[0]
    band = found.of_chromosome("chr21")
    rows = np.repeat(np.arange(len(band.bins)), np.diff(band.starts))
    np.testing.assert_array_equal(by_hand[rows, band.columns], band.counts)
    record = json.loads((tmp_path / "HAP1_1.500000.qc.json").read_text())
    decay = record["distance_decay"]
    slope = np.polyfit(np.log(decay["distance_bp"][:8]), np.log(decay["mean_balanced"][:8]), 1)[0]
    assert -1.8 < slope < -0.5  # contacts fall with distance as in any interphase map
