"""PREPARE_CONTACTS from the command line: what it writes, and that bad input is one line, status 2 and no file."""

import json
import re
import runpy
import sys
from pathlib import Path

import contact_files as made
import cooler
import numpy as np
import pandas as pd
import pytest

from hiclstm.contacts import ContactMap, band_to_square

SCRIPT = Path(__file__).parents[2] / "bin/prepare_contacts.py"
WRITTEN = ["cool", "prepare.metrics.tsv", "qc.figure.json", "qc.json", "qc.svg", "qc.tsv"]


@pytest.fixture
def prepare(tmp_path, monkeypatch, capsys):
    """Run the script on some files; return the output folder, or the error line if it ends with status 2."""
    def call(*files, cell_type="GM12878", resolution=made.RESOLUTION, **options):
        output = tmp_path / "out"
        line = ["prepare_contacts.py", "--contacts", *map(str, files), "--cell-type", cell_type,
                "--resolution", str(resolution), "--output", str(output)]
        for name, value in options.items():
            line += [f"--{name.replace('_', '-')}", str(value)]
        monkeypatch.setattr(sys, "argv", line)
        try:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        except SystemExit as end:
            assert end.code == 2
            assert not output.exists() or not list(output.iterdir())
            errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
            assert len(errors) == 1
            return errors[0]
        return output
    return call


def test_what_is_written(tmp_path, prepare):
    pixels = made.pixels_of(depth=2000.0)
    made.write_cooler(tmp_path / "a.cool", pixels)
    output = prepare(tmp_path / "a.cool")
    assert sorted(path.name for path in output.iterdir()) == [f"GM12878_1.10000.{end}" for end in WRITTEN]
    found = ContactMap.load(output / "GM12878_1.10000.cool")
    assert found.bins.chromosomes == ("chr1", "chr2")
    assert not found.usable[list(made.MISSING)].any()
    assert found.facts["raw"] is True and found.facts["sample"] == "GM12878_1.10000"
    assert found.facts["balance"] == {"chr1": "computed (multiplied)", "chr2": "computed (multiplied)"}
    for name, first in (("chr1", 0), ("chr2", 80)):
        span = found.bins.span(name)
        usable = found.usable[span]
        kept = np.flatnonzero(usable) + first
        raw = pixels[pixels.bin1_id.isin(kept) & pixels.bin2_id.isin(kept)]
        band = found.balanced_band(name)
        np.testing.assert_allclose(np.nansum(band, dtype=float), raw["count"].sum(), rtol=1e-4)
        square = np.nan_to_num(band_to_square(band))
        full = square.sum(axis=0)
        assert full[usable].std() / full[usable].mean() < 1e-3
    record = json.loads((output / "GM12878_1.10000.qc.json").read_text())
    cis = pixels[(pixels.bin2_id < 80) | ((pixels.bin1_id >= 80) & (pixels.bin2_id < 140))]
    assert record["contacts"]["cis"] == cis["count"].sum() and record["verdict"] == "deep enough"
    assert record["bins"] == {"all": 140, "masked": 3, "share_masked": 3 / 140}
    table = pd.read_csv(output / "GM12878_1.10000.prepare.metrics.tsv", sep="\t")
    table = table.set_index(["metric", "stratum"])["value"]
    assert table["contacts_cis", "all"] == pytest.approx(record["contacts"]["cis"], rel=1e-5)
    assert table["share_of_bins_masked", "chr1"] == pytest.approx(3 / 80, rel=1e-4)


def test_libraries_are_summed_and_chromosomes_of_two_spellings_are_one(tmp_path, prepare):
    first, second = made.pixels_of(seed=1), made.pixels_of(seed=2)
    made.write_cooler(tmp_path / "a.cool", first)
    made.write_hic(tmp_path / "b.hic", second, {name.removeprefix("chr"): size for name, size in made.SIZES.items()})
    output = prepare(tmp_path / "a.cool", tmp_path / "b.hic")
    found = cooler.Cooler(str(output / "GM12878_1.10000.cool"))
    both = sum(made_square(pixels)[:80, :80] for pixels in (first, second))
    np.testing.assert_array_equal(np.triu(found.matrix(balance=False).fetch("chr1")), both)
    facts = found.info["metadata"]
    record = json.loads((output / "GM12878_1.10000.qc.json").read_text())
    assert "libraries were summed" in record["chromosomes"]["chr1"]["balancing"]["why"]
    assert [source["file"] for source in facts["sources"]] == ["a.cool", "b.hic"]


def made_square(pixels):
    dense = np.zeros((142, 142))
    dense[pixels["bin1_id"], pixels["bin2_id"]] = pixels["count"]
    return dense


def test_trans_contacts_are_in_the_map_from_100_kb_up(tmp_path, prepare):
    sizes = {"chr1": 4_000_000, "chr2": 3_000_000}
    pixels = made.pixels_of(sizes, 100_000)
    made.write_cooler(tmp_path / "a.cool", pixels, sizes, 100_000)
    output = prepare(tmp_path / "a.cool", resolution=100_000)
    found = cooler.Cooler(str(output / "GM12878_1.100000.cool"))
    trans = pixels[(pixels.bin1_id < 40) & (pixels.bin2_id >= 40)]["count"].sum()
    assert trans > 0 and found.matrix(balance=False).fetch("chr1", "chr2").sum() == trans
    assert json.loads((output / "GM12878_1.100000.qc.json").read_text())["contacts"]["trans"] == trans
    assert len(ContactMap.load(output / "GM12878_1.100000.cool").counts) < len(pixels)  # the loader reads cis only


def test_fractional_values_are_taken_as_balanced(tmp_path, prepare):
    pixels = made.pixels_of(depth=2000.0)
    pixels["count"] = pixels["count"] * 1.25
    made.write_lines(tmp_path / "x.txt.gz", made.juicer_lines(pixels))
    output = prepare(f"{tmp_path}/x.txt.gz::chr1")
    found = ContactMap.load(output / "GM12878_1.10000.cool")
    assert found.facts["raw"] is False and found.facts["balance"] == {"chr1": "already balanced"}
    assert set(found.weight[found.usable]) == {1.0} and not found.usable[list(made.MISSING)].any()
    assert prepare_fails_when_summed(prepare, tmp_path)


def prepare_fails_when_summed(prepare, folder):
    for path in (folder / "out").iterdir():
        path.unlink()
    return "cannot be summed" in prepare(f"{folder}/x.txt.gz::chr1", f"{folder}/x.txt.gz::1")


def test_files_own_weights_by_name_and_by_themselves(tmp_path, prepare):
    pixels = made.pixels_of(depth=2000.0)
    made.write_cooler(tmp_path / "a.cool", pixels)
    weight, _ = cooler.balance_cooler(cooler.Cooler(str(tmp_path / "a.cool")), cis_only=True, ignore_diags=False,
                                      min_nnz=0, mad_max=0, blacklist=list(made.MISSING))
    made.write_cooler(tmp_path / "b.cool", pixels, ICE=1 / weight, KR=np.full(142, np.nan))
    output = prepare(tmp_path / "b.cool", balance="ICE")
    found = ContactMap.load(output / "GM12878_1.10000.cool")
    assert found.facts["balance"]["chr1"] == "ICE (divided)"
    ratio = (found.weight / weight[:140])[found.usable][:70]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)


@pytest.mark.parametrize("columns, options, words", [
    ({}, {"balance": "KR"}, "has no vector 'KR' at 10,000 bp; it has: none"),
    ({"weight": np.full(142, np.nan)}, {"balance": "weight"}, "its vector 'weight' has no values"),
    ({}, {"chromosomes": "chr1,chr9"}, "chromosome 'chr9' is in none of the files; they have chr1, chr2, chrM"),
    ({}, {"resolution": 7_000}, "no map at 7,000 bp"),
    ({}, {"resolution": 100_000}, "no autosome or X with contacts and at least 20 bins"),
    ({}, {"resolution": 100_000, "chromosomes": "chr1"}, "chromosome chr1 has only 8 usable bins"),
    ({}, {"probability_scale": "deep"}, "'coverage', 'depth_matched' or a number"),
    ({}, {"probability_scale": 1e-6}, "saturates at 0.*--probability-scale depth_matched"),
    ({}, {"cell_type": "GM/12878"}, "cell type 'GM/12878'"),
    ({}, {"cell_type": "GM'12878"}, "cell type"),
])
def test_bad_requests(tmp_path, prepare, columns, options, words):
    made.write_cooler(tmp_path / "a.cool", made.pixels_of(), **columns)
    assert re.search(words, prepare(tmp_path / "a.cool", **options))


def test_nan_weights_throughout_fall_back_and_say_so(tmp_path, prepare, capsys):
    made.write_cooler(tmp_path / "a.cool", made.pixels_of(), weight=np.full(142, np.nan))
    prepare(tmp_path / "a.cool")
    assert "chr1: computed" in (told := capsys.readouterr().err) and "weight has no values here" in told


def test_too_few_usable_bins_on_every_chromosome(tmp_path, prepare):
    pixels = made.pixels_of()
    made.write_cooler(tmp_path / "a.cool", pixels[(pixels.bin1_id % 80 < 15) & (pixels.bin2_id % 80 < 15)])
    assert "no chromosome has 20 usable bins" in prepare(tmp_path / "a.cool")


def test_an_all_zero_chromosome_is_left_out_or_refused_by_name(tmp_path, prepare, capsys):
    pixels = made.pixels_of()
    made.write_cooler(tmp_path / "a.cool", pixels[pixels["bin2_id"] < 80])
    assert "chromosome 'chr2' has no contacts" in prepare(tmp_path / "a.cool", chromosomes="chr1,chr2")
    prepare(tmp_path / "a.cool")
    assert "without contacts and left out: chr2" in capsys.readouterr().err


@pytest.mark.parametrize("name, content, words", [
    ("a.cool", b"", "a.cool: is empty"), ("a.mcool", b"<html>Sign in</html>", "is a web page"),
    ("a.hic", b"HIC\0\x08\0\0\0" + (10**9).to_bytes(8, "little"), "is cut short"),
])
def test_bad_files(tmp_path, prepare, name, content, words):
    (tmp_path / name).write_bytes(content)
    assert words in prepare(tmp_path / name)
