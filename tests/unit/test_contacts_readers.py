"""Every format gives the same pixels; every bad file gives one clear line."""

import gzip
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import contact_files as made
import cooler
import numpy as np
import pandas as pd
import pytest

import hiclstm
from hiclstm.contacts import library as library_of
from hiclstm.contacts.chromosomes import assembly_sizes, chromosome_in_name, natural_order, to_learn_from
from hiclstm.contacts.formats import recognise
from hiclstm.contacts.library import Request, read, read_apart
from hiclstm.errors import InputError

PIXELS = made.pixels_of()


def square(library, first, second=None, factor=1):
    """Dense counts of a pair of chromosomes as a reader found them, upper triangle on the diagonal blocks."""
    second = second or first
    sizes = [-(-made.SIZES[name] // (made.RESOLUTION * factor)) for name in (first, second)]
    out = np.zeros(sizes)
    bin1, bin2, count = library.pixels(first, second)
    out[bin1, bin2] = count
    return out


def truth(first, second=None, factor=1):
    second = second or first
    bins = made.bins_of()
    here, there = (bins.index[bins["chrom"] == name].to_numpy() for name in (first, second))
    own = PIXELS[PIXELS["bin1_id"].isin(here) & PIXELS["bin2_id"].isin(there)]
    out = np.zeros([-(-made.SIZES[name] // (made.RESOLUTION * factor)) for name in (first, second)])
    np.add.at(out, ((own["bin1_id"] - here[0]) // factor, (own["bin2_id"] - there[0]) // factor), own["count"])
    return out


def write(folder, kind):
    """Write PIXELS in one format; return how a user names the file."""
    if kind == "cool":
        made.write_cooler(folder / "a.cool", PIXELS)
        return f"{folder}/a.cool"
    if kind in ("mcool", "mcool::", "mcool::/", "group"):
        made.write_cooler(folder / "a.cool", PIXELS)
        if kind == "group":
            made.write_cooler(f"{folder}/b.cool::/10000", PIXELS)
            return f"{folder}/b.cool::/10000"
        cooler.zoomify_cooler(f"{folder}/a.cool", f"{folder}/a.mcool", [10_000, 20_000], 10_000)
        part = {"mcool": "", "mcool::": "::resolutions/10000", "mcool::/": "::/resolutions/10000"}[kind]
        return f"{folder}/a.mcool{part}"
    if kind == "hic":
        made.write_hic(folder / "a.hic", PIXELS)
        return f"{folder}/a.hic"
    if kind == "hicpro":
        bins = made.bins_of()
        bins["number"] = np.arange(1, len(bins) + 1)
        bins.to_csv(folder / "s_10000_abs.bed", sep="\t", header=False, index=False)
        made.write_lines(folder / "s_10000.matrix", [f"{i + 1}\t{j + 1}\t{count}.000000" for i, j, count
                                                     in PIXELS.itertuples(index=False)])
        return f"{folder}/s_10000.matrix"
    if kind == "five":
        bins = made.bins_of()
        made.write_lines(folder / "all.txt.gz", [
            f"{bins.chrom[i]}\t{bins.start[i]}\t{bins.chrom[j]}\t{bins.start[j]}\t{count}"
            for i, j, count in PIXELS.itertuples(index=False)])
        return f"{folder}/all.txt.gz"
    lines = made.pair_lines(PIXELS, {"pairs": "4DN"}.get(kind, kind))
    made.write_lines(folder / "a.pairs.gz", (made.PAIRS_HEADER if kind == "pairs" else []) + lines)
    return f"{folder}/a.pairs.gz"


@pytest.mark.parametrize("kind", ["cool", "mcool", "mcool::", "mcool::/", "group", "hic", "hicpro", "five", "pairs",
                                  "4DN", "bare", "valid"])
def test_every_format_gives_the_same_pixels(tmp_path, kind):
    library = read(write(tmp_path, kind), Request(made.RESOLUTION), tmp_path / "read")
    assert library.raw
    for name in ("chr1", "chr2"):
        np.testing.assert_array_equal(square(library, name), truth(name))
    assert ("chrM", "chrM") not in library.pairs  # auto leaves the mitochondrion out
    assert library.trans == truth("chr1", "chr2").sum()
    assert ("chr1", "chr2") not in library.pairs  # kept from 100 kb up only


@pytest.mark.parametrize("kind", ["cool", "hic", "hicpro", "five", "pairs"])
def test_coarsening_adds_up_and_keeps_trans_from_100_kb(tmp_path, kind):
    request = Request(100_000, ("1", "chr2"))
    library = read(write(tmp_path, kind), request, tmp_path / "read")
    np.testing.assert_array_equal(square(library, "chr1", factor=10), truth("chr1", factor=10))
    np.testing.assert_array_equal(square(library, "chr1", "chr2", factor=10), truth("chr1", "chr2", factor=10))


def test_juicer_dump_takes_its_chromosome_from_the_part_or_the_name(tmp_path):
    made.write_lines(tmp_path / "x.txt", made.juicer_lines(PIXELS))
    made.write_lines(tmp_path / "chr1.10kb.txt.gz", made.juicer_lines(PIXELS))
    for name in ("x.txt::chr1", "chr1.10kb.txt.gz"):
        library = read(f"{tmp_path}/{name}", Request(made.RESOLUTION), tmp_path / "read" / name)
        np.testing.assert_array_equal(square(library, "chr1"), truth("chr1"))
        assert library.sizes == {"chr1": made.SIZES["chr1"]} and not library.sizes_known
    with pytest.raises(InputError, match="does not say which chromosome.*::chr22"):
        read(f"{tmp_path}/x.txt", Request(made.RESOLUTION), tmp_path / "y")
    with pytest.raises(InputError, match="no chromosome 'chr23' in hg19, which has chr1, "):
        read(f"{tmp_path}/x.txt::chr23", Request(made.RESOLUTION, assembly="hg19"), tmp_path / "z")


def test_juicer_dump_at_midpoints_and_with_missing_values(tmp_path):
    lines = [f"{10 * k + 5}000\t{10 * m + 5}000\t{'NaN' if k == 3 else 7}" for k in range(30) for m in range(k, 30)]
    made.write_lines(tmp_path / "m.txt", lines)
    library = read(f"{tmp_path}/m.txt::chr7", Request(10_000, assembly="hg18"), tmp_path / "m")
    bin1, _, count = library.pixels("chr7", "chr7")
    assert 3 not in bin1 and set(count) == {7.0} and library.sizes["chr7"] == 158_821_424


def test_a_file_is_told_by_its_content(tmp_path):
    for name in ("cool", "hic"):
        write(tmp_path, name)
        (tmp_path / f"a.{name}").rename(tmp_path / f"{name}.data")
        assert recognise(f"{tmp_path}/{name}.data").kind == {"cool": "cooler", "hic": "hic"}[name]


@pytest.mark.parametrize("content, words", [
    (b"", "is empty"), (gzip.compress(b"", mtime=0), "is empty"),
    (b"<!DOCTYPE html><html><body>Please log in</body></html>", "is a web page"),
    (b"\x00\x01\x02\x03" * 50, "neither a contact map nor text"),
    (b"PK\x03\x04rest", "packed with zip"), (b"not a map\n", "named like a contact map but holds text"),
])
def test_what_is_no_map_is_refused(tmp_path, content, words):
    (tmp_path / "x.mcool").write_bytes(content)
    with pytest.raises(InputError, match=words):
        recognise(f"{tmp_path}/x.mcool")


def test_unknown_text_is_refused_with_the_layouts_known(tmp_path):
    (tmp_path / "x.txt").write_text("a b c d\n")
    with pytest.raises(InputError, match="line 1 is .*start1 start2 count"):
        recognise(f"{tmp_path}/x.txt")
    with pytest.raises(InputError, match="no such file"):
        recognise(f"{tmp_path}/y.txt")


def test_cut_gzip_pairs_are_refused(tmp_path):
    name = write(tmp_path, "pairs")
    data = (tmp_path / "a.pairs.gz").read_bytes()
    (tmp_path / "a.pairs.gz").write_bytes(data[:-len(data) // 3])
    with pytest.raises(InputError, match="gzip compression ends early"):
        read_apart(name, Request(made.RESOLUTION), tmp_path / "read")


@pytest.mark.parametrize("kind", ["hic", "mcool"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_binary_files_are_refused(tmp_path, kind, share):
    name = write(tmp_path, kind)
    data = (tmp_path / f"a.{kind}").read_bytes()
    (tmp_path / f"a.{kind}").write_bytes(data[:int(len(data) * share)])
    with pytest.raises(InputError, match="cut short|damaged"):
        read_apart(name, Request(made.RESOLUTION), tmp_path / "read")


def test_a_resolution_that_cannot_be_had_names_those_that_exist(tmp_path):
    name = write(tmp_path, "mcool")
    with pytest.raises(InputError, match="no map at 15,000 bp.*it has 10,000, 20,000 bp"):
        read(name, Request(15_000), tmp_path / "read")
    with pytest.raises(InputError, match="no map ::/resolutions/7; it has .*resolutions/10000"):
        read(name + "::resolutions/7", Request(10_000), tmp_path / "read")


def test_a_wrong_line_is_named(tmp_path):
    lines = made.juicer_lines(PIXELS)
    made.write_lines(tmp_path / "x.txt", lines[:200] + ["10000\tten\t3"] + lines[200:])
    with pytest.raises(InputError, match="line 201, field 2 is 'ten'"):
        read(f"{tmp_path}/x.txt::chr1", Request(made.RESOLUTION), tmp_path / "read")
    made.write_lines(tmp_path / "y.txt", lines[:200] + ["10000\t20000"])
    with pytest.raises(InputError, match="line 201 has 2 fields"):
        read(f"{tmp_path}/y.txt::chr1", Request(made.RESOLUTION), tmp_path / "read")
    made.write_lines(tmp_path / "z.txt", lines[:200] + ["10000\t20000\t-3"])
    with pytest.raises(InputError, match="negative count"):
        read(f"{tmp_path}/z.txt::chr1", Request(made.RESOLUTION), tmp_path / "read")


def test_a_contact_beyond_the_end_of_its_chromosome_is_refused(tmp_path):
    made.write_lines(tmp_path / "x.txt", [f"{10_000 * k}\t{60_000_000 + 10_000 * k}\t1" for k in range(5)])
    with pytest.raises(InputError, match="chr21 of hg19 ends at 48,129,895"):
        read(f"{tmp_path}/x.txt::21", Request(made.RESOLUTION, assembly="hg19"), tmp_path / "read")


def test_an_assembly_that_does_not_fit_is_refused(tmp_path):
    name = write(tmp_path, "cool")
    with pytest.raises(InputError, match="chr1 is 800,000 bp long in the file and 249,250,621 bp in hg19"):
        read(name, Request(made.RESOLUTION, assembly="hg19"), tmp_path / "read")


def test_a_hicpro_matrix_without_its_bed_says_how_to_name_it(tmp_path):
    name = write(tmp_path, "hicpro")
    (tmp_path / "s_10000_abs.bed").rename(tmp_path / "bins.bed")
    with pytest.raises(InputError, match="needs its bins.*::"):
        read(name, Request(made.RESOLUTION), tmp_path / "read")
    library = read(f"{name}::bins.bed", Request(made.RESOLUTION), tmp_path / "read2")
    np.testing.assert_array_equal(square(library, "chr2"), truth("chr2"))


def hang(*_):
    time.sleep(60)


def die(*_):
    os._exit(7)


@pytest.mark.parametrize("reader, words", [(hang, "made no progress for 2 s"),
                                            (die, "ended by itself .exit status 7.")])
def test_a_reader_that_hangs_or_dies_is_one_clear_line(tmp_path, reader, words):
    with pytest.raises(InputError, match=words):
        read_apart("x.hic", Request(made.RESOLUTION), tmp_path, patience=2 if reader is hang else 60, reader=reader)


def test_zeroed_bytes_in_an_mcool_do_not_hang(tmp_path):
    name = write(tmp_path, "mcool")
    data = bytearray((tmp_path / "a.mcool").read_bytes())
    data[2000:len(data) // 2] = bytes(len(data) // 2 - 2000)
    (tmp_path / "a.mcool").write_bytes(data)
    with pytest.raises(InputError):
        read_apart(name, Request(made.RESOLUTION), tmp_path / "read", patience=20)


def test_pixel_store_adds_up_whatever_the_order(tmp_path, monkeypatch):
    monkeypatch.setattr(library_of, "PENDING_AT_MOST", 50)
    rng = np.random.default_rng(0)
    found = library_of.Library("x", "test", tmp_path)
    store, expected = library_of.PixelStore(found), np.zeros((9, 9))
    for _ in range(40):
        i, j, count = rng.integers(0, 9, 30), rng.integers(0, 9, 30), rng.integers(0, 5, 30)
        store.add("chr3", "chr3", i, j, count)
        np.add.at(expected, (np.minimum(i, j), np.maximum(i, j)), count)
    store.close()
    bin1, bin2, count = found.pixels("chr3", "chr3")
    assert np.all(np.diff(bin1.astype(np.int64) * 9 + bin2) > 0)
    dense = np.zeros((9, 9))
    dense[bin1, bin2] = count
    np.testing.assert_array_equal(dense, expected)


def test_chromosome_names_and_order():
    names = ["chrX", "chr10", "chr2", "1", "chrM", "chrUn_gl000220", "GL000219.1", "chrY", "chr2L"]
    assert sorted(names, key=natural_order)[:4] == ["1", "chr2", "chr2L", "chr10"]
    assert to_learn_from(dict.fromkeys(names, 10**6), 10_000) == ["chrX", "chr10", "chr2", "1", "chr2L"]
    assert to_learn_from({"chr1": 191_000, "chr2": 190_000}, 10_000) == ["chr1"]
    assert chromosome_in_name("chr22.50kb.txt.gz") == "chr22"
    assert chromosome_in_name("chr1_chr2.txt") is None and chromosome_in_name("echr5x.txt") is None
    assert assembly_sizes("GRCh37")["chr21"] == 48_129_895 and assembly_sizes("moon") is None


ORACLE = """
import sys, hicstraw
for record in hicstraw.straw("observed", "NONE", sys.argv[1], "chr1", "chr1", "BP", 10000):
    print(record.binX // 10000, record.binY // 10000, int(record.counts))
"""


@pytest.mark.skipif(importlib.util.find_spec("hicstraw") is None, reason="hic-straw is not installed")
def test_hic_agrees_with_hic_straw(tmp_path):
    name = write(tmp_path, "hic")
    told = subprocess.run([sys.executable, "-c", ORACLE, name], capture_output=True, text=True, timeout=60, check=True)
    records = pd.DataFrame([line.split() for line in told.stdout.splitlines()]).astype(int).to_numpy()
    dense = np.zeros((80, 80))
    dense[records[:, 0], records[:, 1]] = records[:, 2]
    library = read(name, Request(made.RESOLUTION), tmp_path / "read")
    np.testing.assert_array_equal(square(library, "chr1"), dense)


def test_reading_hic_leaves_no_thread_that_takes_a_core():
    script = ("import time; from hiclstm.contacts.hic import import_hictkpy\n"
              "import_hictkpy(); before = time.process_time(); time.sleep(1); print(time.process_time() - before)")
    folder = Path(hiclstm.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True,
                          text=True, check=True)
    assert float(done.stdout) < 0.02  # of processor time in a second of sleep; hictkpy's logger uses all of it
