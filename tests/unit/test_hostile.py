"""Hostile and broken input: refused in one line, read in bounded memory, never run, never drawn as markup."""

import gzip
import io
import itertools
import json
import re
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

import contact_files as made
import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from matplotlib import pyplot
from perturbation_models import BarrierModel
from test_model import Payload
from test_report import build, save
from test_script_faults import in_a_child

from hiclstm.contacts import ContactMap, StoredMap
from hiclstm.contacts.library import Request, read
from hiclstm.elements.annotations import Line, read_annotation, read_sheet, read_table
from hiclstm.errors import InputError
from hiclstm.genome import Bins, Region
from hiclstm.metrics import MetricsTable
from hiclstm.model import HiCLSTM, ModelConfig
from hiclstm.perturbation import Reader, Rearranged, Variant
from hiclstm.perturbation.edits import Deletion, Duplication, Insertion, Inversion
from hiclstm.perturbation.sheet import supplied_by_sheet
from hiclstm.perturbation.sites import read_loops, read_sites
from hiclstm.perturbation.variants import MOST_NAMED, MOST_VARIANTS, read_variants
from hiclstm.perturbation.viewer import write_viewer
from hiclstm.prediction import TrainedModel
from hiclstm.reconstruction import loops as called_loops
from hiclstm.report.figures import save_figure, style
from hiclstm.training.checkpoint import load_checkpoint

BINS = Bins(("chr1", "chr2"), (200_000_000, 200_000_000), 10_000)
MAP = ContactMap(BINS, None, None, None, np.ones(len(BINS)), {"assembly": "hg19"})
VCF = "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=200000000>\n" + "".join(
    f'##INFO=<ID={name},Number=1,Type={kind},Description="">\n' for name, kind in (
        ("END", "Integer"), ("SVLEN", "Integer"), ("EVENT", "String"), ("SOURCE", "String"), ("SOURCE_STRAND", "String"))
) + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
few = settings(deadline=None, max_examples=30, derandomize=True, database=None,
               suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def annotated(path):
    return read_annotation(Line("peaks", path), MAP).table


def contacts_of(path):
    with tempfile.TemporaryDirectory() as folder:
        return read(str(path), Request(10_000), Path(folder))


# Text of every kind: a good beginning, and who reads it.
TEXTS = {
    "pairs": ("x.pairs", "\n".join(made.PAIRS_HEADER + made.pair_lines(made.pixels_of())[:300]) + "\n", contacts_of),
    "juicer": ("x.chr1.txt", "\n".join(made.juicer_lines(made.pixels_of())[:300]) + "\n", contacts_of),
    "annotation": ("x.bed", "chr1\t10000\t20000\tone\n", annotated),
    "sites": ("x.narrowPeak", "chr1\t10000\t20000\tone\n", lambda path: read_sites(path, BINS)),
    "variants": ("v.bed", "chr1\t10000\t40000\tDEL\n", lambda path: read_variants(path, BINS)),
    "bedpe": ("v.bedpe", "chr1\t10000\t10001\tchr1\t49999\t50000\tDEL\n", lambda path: read_variants(path, BINS)),
    "vcf": ("v.vcf", VCF + "chr1\t10000\tx\tN\t<DEL>\t.\t.\tEND=50000\n", lambda path: read_variants(path, BINS)),
    "anchors": ("l.bedpe", "chr1\t300\t301\tchr1\t50000\t50001\n", lambda path: read_loops(path, BINS)),
    "loops": ("l.bedpe", "chr1\t300\t301\tchr1\t50000\t50001\n", lambda path: called_loops.read_loops(path, BINS)),
    "sheet": ("s.csv", "cell_type,element,file\nX,tss,x.bed\n", lambda path: read_sheet(path, "X")),
}


# Layouts that differ from these only in their columns.
LAYOUTS = {
    "5C matrix": ("m.matrix", "\tF1|hg19|chr1:1000-2000\tF2|hg19|chr1:30000-32000\nR1|hg19|chr1:5000-6000\t5\t6\n"
                  "R2|hg19|chr1:50000-60000\t7\tNA\n", contacts_of),
    "5C pairs": ("c.txt", "F1|hg19|chr1:1000-2000\tF2|hg19|chr1:30000-32000\t5\n" * 2, contacts_of),
    "capture": ("c.bedpe", "chr1\t1000\t2000\tchr1\t30000\t40000\tx\t5\nchr1\t1000\t2000\tchr1\t50000\t60000\tx\t7\n",
                contacts_of),
    "valid pairs": ("v.txt", "\n".join(made.pair_lines(made.pixels_of(), "valid")[:20]) + "\n", contacts_of),
    "five columns": ("j.txt", "chr1\t0\tchr1\t10000\t5\nchr1\t20000\tchr1\t30000\t5\n", contacts_of),
    "gff": ("x.gff", "chr1\ta\tb\t100\t200\t.\t+\t.\tid\n", annotated),
    "csv": ("x.csv", "chrom,start,end,value\nchr1,100,200,5\n", annotated),
}


def limited(action, tmp_path, megabytes: int) -> tuple[int, str]:
    """Do something in a child process that may take so much more memory than this one has."""
    def within():
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + megabytes * 1_000_000,) * 2)
        action()
    return in_a_child(within, tmp_path / "said")


# Bombs and endless lines

@pytest.mark.parametrize("filling", [bytes(1 << 22), b"1" * (1 << 22), b"#" * (1 << 22)], ids=["zeros", "ones", "comment"])
def test_a_bomb_is_refused_before_it_fills_the_memory(tmp_path, filling):
    """A gigabyte of one letter behind a good beginning, packed into a few hundred kilobytes."""
    packed = gzip.compress(filling, 1) * 256
    for name, good, reader in TEXTS.values():
        path = tmp_path / f"{name}.gz"
        path.write_bytes(gzip.compress(good.encode()) + packed)
        assert path.stat().st_size < 6_000_000
        status, said = limited(lambda reader=reader, path=path: reader(path), tmp_path, 500)
        assert (status, said.count("\n")) == (2, 1), (name, said)
        assert f"{name}.gz" in said and re.search("neither a contact map nor text|is zero|holds a line of more than", said)


def test_many_empty_lines_are_read_in_bounded_memory(tmp_path):
    path = tmp_path / "x.pairs.gz"
    path.write_bytes(gzip.compress(TEXTS["pairs"][1].encode()) + gzip.compress(b"\n" * (1 << 22), 1) * 16)
    status, said = limited(lambda: contacts_of(path), tmp_path, 500)
    assert status == 0, said


# Millions of lines

def test_a_million_sites_and_small_variants_are_read_in_bounded_memory(tmp_path):
    def lines(of):
        return "".join(map(of, range(250_000)))

    (tmp_path / "sites.bed").write_text(lines(lambda k: f"chr1\t{k * 100}\t{k * 100 + 90}\tpeak{k}\t0\t{'+-'[k % 2]}\n") * 4)
    (tmp_path / "small.vcf").write_text(VCF + lines(lambda k: f"chr1\t{k * 100 + 1}\trs{k}\tA\tG\t.\t.\t.\n"))

    def work():
        sites = read_sites(tmp_path / "sites.bed", BINS)
        assert len(sites) == 1_000_000 and sites["middle"].iloc[-1] == 2499 and (sites["strand"] == "-").sum() == 500_000
        assert len(annotated(tmp_path / "sites.bed")) == 1_000_000
        found = read_variants(tmp_path / "small.vcf", BINS)
        assert (found.variants, len(found.skipped), found.number_skipped) == ([], MOST_NAMED, 250_000)

    began = time.monotonic()
    status, said = limited(work, tmp_path, 900)
    assert status == 0, said
    assert time.monotonic() - began < 120  # linear: 5 to 8 s on a free core


def test_more_variants_than_can_be_read_are_refused(tmp_path):
    (tmp_path / "v.bed").write_text("chr1\t10000\t40000\tDEL\n" * (MOST_VARIANTS + 2))
    with pytest.raises(InputError, match="v.bed: asks for more than 100,000 variants"):
        read_variants(tmp_path / "v.bed", BINS)
    names = [variant.name for variant in read_variants(named(tmp_path, 3000), BINS).variants]
    assert names == ["a", *(f"a_{k}" for k in range(2, 3001))]


def named(folder, number):
    path = folder / "named.bed"
    path.write_text("chr1\t10000\t40000\tDEL:a\n" * number)
    return path


def test_many_junctions_are_paired(tmp_path):
    """Both junctions of 2,000 inversions, all first ones before all second ones."""
    starts = [1_000_000 + 50_000 * k for k in range(2000)]
    records = [f"chr1\t{at}\ta{at}\tN\tN]chr1:{at + 20_000}]\t.\t.\t.\n" for at in starts]
    records += [f"chr1\t{at + 1}\tb{at}\tN\t[chr1:{at + 20_001}[N\t.\t.\t.\n" for at in reversed(starts)]
    (tmp_path / "v.vcf").write_text(VCF + "".join(records))
    found = read_variants(tmp_path / "v.vcf", BINS)
    assert {variant.edits for variant in found.variants} == {(Inversion(at // 10_000, at // 10_000 + 2),) for at in starts}
    assert not found.number_skipped


# Encodings and line ends

@pytest.mark.parametrize("kind", TEXTS)
def test_text_in_utf_16_and_with_zero_bytes_is_refused(tmp_path, kind):
    name, good, reader = TEXTS[kind]
    for encoding, words in (("utf-16", "UTF-16; save it as UTF-8"), ("utf-16-le", "UTF-16|neither a contact map nor text")):
        (tmp_path / name).write_bytes(good.encode(encoding))
        with pytest.raises(InputError, match=words):
            reader(tmp_path / name)
    (tmp_path / name).write_bytes(good.encode().replace(b"\n", b"\0\n", 1))
    with pytest.raises(InputError, match="byte that is zero|neither a contact map nor text"):
        reader(tmp_path / name)


@pytest.mark.parametrize("kind", TEXTS)
def test_line_ends_of_every_kind_and_a_mark_of_byte_order_mean_the_same(tmp_path, kind):
    name, good, reader = TEXTS[kind]
    path = tmp_path / name
    path.write_text(good)
    expected = reader(path)
    if kind != "vcf":  # its reader wants ends of one kind
        ends = itertools.cycle(["\r\n", "\n", "\r"])
        path.write_bytes(b"\xef\xbb\xbf" + "".join(line + next(ends) for line in good.splitlines()).encode())
    found = reader(path)
    if kind in ("pairs", "juicer"):
        assert (found.sizes, found.trans, found.raw) == (expected.sizes, expected.trans, expected.raw)
    elif isinstance(found, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected, check_index_type=False)
    elif kind in ("variants", "bedpe", "vcf"):
        assert [one.edits for one in found.variants] == [one.edits for one in expected.variants] != []
    elif kind == "anchors":
        assert (found.left.tolist(), found.right.tolist()) == (expected.left.tolist(), expected.right.tolist()) == ([0], [5])
    elif kind == "loops":
        assert found["chr1"].first.tolist() == expected["chr1"].first.tolist() == [0]
    else:
        assert found == expected != []


# Files that are not what they are called

def test_hdf5_that_is_no_cooler_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.cool", "w") as file:
        file["measurements"] = np.arange(5)
    with h5py.File(tmp_path / "hollow.cool", "w") as file:
        for name in ("bins", "chroms", "pixels", "indexes"):
            file.create_group(name)
    for name in ("other.cool", "hollow.cool"):
        for reader in (contacts_of, ContactMap.load, StoredMap.load):
            with pytest.raises(InputError, match=name):
                reader(tmp_path / name)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75, 0.99])
def test_a_hic_file_cut_in_the_middle_is_refused(tmp_path, share):
    made.write_hic(tmp_path / "x.hic", made.pixels_of())
    whole = (tmp_path / "x.hic").read_bytes()
    (tmp_path / "x.hic").write_bytes(whole[:int(len(whole) * share)])
    with pytest.raises(InputError, match="x.hic"):
        from hiclstm.contacts.library import read_apart
        read_apart(str(tmp_path / "x.hic"), Request(10_000), tmp_path / "read")


SMALL = Bins(("chr1",), (300_000,), 10_000)


@pytest.mark.parametrize("change", [
    {"bins": None}, {"config": None}, {"usable": torch.ones(3)}, {"facts": [1]}, {"state": {}},
    {"bins": {"chromosomes": ["chr1"], "sizes": [10**16], "resolution": 1}},
    {"bins": {"chromosomes": ["chr1"], "sizes": [300_000], "resolution": 0}},
    {"bins": {"chromosomes": ["chr1", "chr2"], "sizes": [1], "resolution": 10_000}},
    {"config": {"name": "paper", "hidden_size": 10**9}}, {"config": {"name": "paper", "command": "rm"}}], ids=str)
def test_a_model_file_that_lies_is_refused_before_memory_is_taken(tmp_path, change):
    path = tmp_path / "x.model.pt"
    TrainedModel(HiCLSTM(ModelConfig.named("paper"), SMALL), SMALL, np.ones(30, bool), {"sample": "x"}).save(path)
    held = torch.load(path, weights_only=True) | change
    torch.save({name: value for name, value in held.items() if value is not None}, path)
    with pytest.raises(InputError, match="x.model.pt: its parts do not fit together|does not know"):
        TrainedModel.load(path)


def test_a_checkpoint_cannot_run_code(tmp_path, capsys):
    torch.save({"fingerprint": Payload(tmp_path / "ran"), "epoch": 3}, tmp_path / "checkpoint.pt")
    assert load_checkpoint(tmp_path, "a") is None
    assert "checkpoint.pt: cannot be read (UnpicklingError)" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()


# Names that are markup, formulas or paths

MARKUP = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"' $\\frac$ $x_{$ &amp; ../../etc"


def test_names_are_text_in_figures(tmp_path):
    style()
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(20, 20))
    left.plot([1, 10, 1000], [1, 2, 3], label=MARKUP)
    left.set(xscale="log", title=MARKUP)
    left.legend()
    right.set_xticks([0, 1], [MARKUP, "b"])
    right.text(0, 0, MARKUP)
    save_figure(figure, tmp_path / "f", title=MARKUP, caption="", alt="", stage="train", sample="x", order=1, command="")
    picture = (tmp_path / "f.svg").read_text()
    assert "alert" not in picture and "<image" not in picture
    assert all(label.get_parse_math() for label in left.get_xticklabels())  # 10 to a power stays one
    assert not right.get_xticklabels()[0].get_parse_math()


def test_names_are_text_in_the_report(tmp_path):
    """Gene and element names, chromosomes, IDs of variants, reasons of failure, parameters: all come from files."""
    save(tmp_path)
    table = MetricsTable("GM12878", "1", 50_000, "classify")
    for method in ("hiclstm-linear", "pca-linear", MARKUP):
        table.add(method, "map", 0.5, stratum=MARKUP, low=0.4, high=0.6, n=100)
    table.write(tmp_path / "GM12878_1.50000.classify.metrics.tsv")
    bins = Bins((MARKUP,), (500_000,), 50_000)
    pairs = pd.DataFrame([(i, j, 10.0, 5.0) for i in range(10) for j in range(i, 10)],
                         columns=["bin1", "bin2", "value_before", "value_after"])
    variant = Variant(MARKUP, (Deletion(3, 5),), f"{MARKUP}:1-2")
    write_viewer(tmp_path / "GM12878_1.50000.v.viewer.json", bins, variant, pairs,
                 {"sample": "GM12878_1.50000", "command": MARKUP})
    (tmp_path / "failures.json").write_text(json.dumps({"B_1.50000": MARKUP, MARKUP: MARKUP}))
    (tmp_path / "given.json").write_text(json.dumps({"regions": MARKUP}))
    index = build(tmp_path, "--parameters", str(tmp_path / "given.json"))
    pages = [path.read_text() for path in (tmp_path / "out/report").glob("*.html")]
    assert len(pages) == 3 and any('type="application/json"' in page for page in pages)
    for page in (index, *pages):
        assert page.count("<script") == 1 + page.count('<script type="application/json">') == page.count("</script>")
        assert "<img src=x" not in page and "onerror=alert(2)>" not in page
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["metrics.tsv", "report", "report.html"]


def test_ids_of_variants_cannot_leave_the_folder_or_become_too_long(tmp_path):
    ids = ["../../etc/x", MARKUP.replace(" ", "_"), "é" * 300, "x" * 5000, "..", ".", "-", "/"]
    (tmp_path / "v.vcf").write_text(VCF + "".join(f"chr1\t100000\t{name}\tN\t<DEL>\t.\t.\tEND=200000\n" for name in ids))
    found = read_variants(tmp_path / "v.vcf", BINS)
    names = [variant.name for variant in found.variants]
    assert len(names) == len(set(names)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]{0,104}", name) for name in names), names


def test_a_sheet_without_lines_supplies_nothing(tmp_path):
    """The pipeline writes such a sheet where there are variants and no annotations."""
    made.write_cooler(tmp_path / "X_1.10000.cool", made.pixels_of(), weight=np.ones(len(made.bins_of())))
    (tmp_path / "s.csv").write_text("cell_type,element,file,column,threshold\n")
    assert supplied_by_sheet(tmp_path / "s.csv", tmp_path / "X_1.10000.cool", ["znf143"]) == ({}, {})


@pytest.mark.parametrize("text, words", [
    ("X,a\n", "line 2: element and file must not be empty"), ("X,a,b,c,d,e\n", "line 2: more fields than columns"),
    ("X,a,b,,nan\n", "line 2: threshold is 'nan'"), ("X,a," + "b" * 200_000 + "\n", "field larger than field limit")])
def test_sheets_with_broken_lines(tmp_path, text, words):
    (tmp_path / "s.csv").write_text("cell_type,element,file,column,threshold\n" + text)
    with pytest.raises(InputError, match=words):
        read_sheet(tmp_path / "s.csv", "X")


@pytest.mark.parametrize("number", ["inf", "-inf", "nan", "1e300", "-5", "9" * 30, "9" * 5000, "1_0", "١", "0x10", ""])
def test_numbers_that_are_no_place_are_refused(tmp_path, number):
    """On a first line too, which must not be taken for a header."""
    for kind in ("annotation", "sites", "variants", "bedpe", "anchors", "loops", "juicer"):
        name, good, reader = TEXTS[kind]
        start = good.split("\t")[0 if kind == "juicer" else 1]
        path = tmp_path / name
        path.write_text(good.replace(start, number, 1) if kind != "juicer" else good + f"{number}\t10000\t1\n")
        try:
            found = reader(path)
        except InputError as problem:
            assert len(str(problem)) < 400
            continue
        # A deletion that begins before the chromosome does is one bad record among others, and is named.
        assert kind in ("variants", "bedpe") and number == "-5" and found.number_skipped == 1, (kind, number, found)


# Properties

letters = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
numbers = st.one_of(st.integers(-10, 10**7).map(str), st.sampled_from(["", ".", "NA", "1e5", "inf", "x", "-0", " 7", "1.5"]))
words = st.sampled_from(["chr1", "1", "chr2", "#chrom", "start", "+", "DEL", "INS", "track", '"'])
fields = st.one_of(numbers, letters, words)
tables = st.tuples(st.sampled_from(["\t", ",", " ", ";"]), st.sampled_from(["\n", "\r\n", "\r"]),
                   st.lists(st.lists(fields, max_size=9), max_size=8)
                   ).map(lambda parts: parts[1].join(parts[0].join(row) for row in parts[2]))


@few
@given(st.one_of(tables, st.text(max_size=200)), st.sampled_from(sorted(set(TEXTS) - {"vcf"})), st.booleans())
def test_whatever_stands_in_a_text_it_is_read_or_refused_in_words(text, kind, packed):
    name, good, reader = TEXTS[kind]
    with tempfile.TemporaryDirectory() as folder:
        for begin in ("", good):
            data = (begin + text).encode()
            path = Path(folder) / name
            path.write_bytes(gzip.compress(data) if packed else data)
            try:
                reader(path)
            except InputError as problem:
                assert path.name in str(problem) or path.stem in str(problem)


changes = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.one_of(
    st.sampled_from(["\t", "\n", "#", '"', "-", ".", "|", ":", "1e12", "9" * 25, "inf", "nan", "chr2", ""]), letters)),
    min_size=1, max_size=5)


@few
@given(st.sampled_from(sorted({*TEXTS, *LAYOUTS} - {"vcf"})), changes)
def test_a_good_text_with_some_letters_changed_is_read_or_refused_in_words(kind, changes):
    name, text, reader = {**TEXTS, **LAYOUTS}[kind]
    text = text[:1500]
    for place, left_out, put_in in changes:
        at = int(place * len(text))
        text = text[:at] + put_in + text[at + left_out:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(text.encode())
        try:
            reader(path)
        except InputError as problem:
            assert path.name in str(problem) or path.stem in str(problem)


ALTERNATIVES = ["<DEL>", "<DUP>", "<INV>", "<INS>", "<CNV>", "G", "GATTACA", "N[chr1:5000000[", "]chr2:70000]N", "[chr1:1[N",
                "N]", "*"]
INFO = [".", "END=5", "END=150000000", "SVLEN=-70000", "SVLEN=.", "SOURCE=chr1:5-90000", "END=-3", "EVENT=a;END=90000000",
        "EVENT=a;SVLEN=x", "SOURCE=chr9:1-2;SOURCE_STRAND=-"]


@few
@given(st.lists(st.tuples(st.integers(-5, 2 * 10**8 + 5), st.sampled_from(ALTERNATIVES), st.sampled_from(INFO)), max_size=8))
def test_every_record_of_a_vcf_is_read_or_named(records):
    text = VCF + "".join(f"chr1\t{max(at, 0)}\tr{k}\tGA\t{alternative}\t.\t.\t{info}\n"
                         for k, (at, alternative, info) in enumerate(records))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v.vcf"
        path.write_text(text)
        found = read_variants(path, BINS)
    assert all(0 <= variant.span[0] <= variant.span[1] <= len(BINS) for variant in found.variants)
    assert all(one.reason for one in found.skipped)
    assert len(found.variants) + found.number_skipped <= len(records)
    assert bool(found.variants or found.skipped) == bool(records)


rows = st.lists(st.tuples(st.sampled_from(["chr1", "2"]), st.integers(0, 10**8), st.integers(1, 10**6), letters), min_size=1)


@few
@given(rows, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.booleans(), st.data())
def test_intervals_come_back_as_they_were_written(rows, end, packed, header, data):
    clean = [(name, start, start + length, re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]", "_", words))
             for name, start, length, words in rows]
    lines = ["\t".join(map(str, row)) for row in clean]
    if header:
        lines.insert(0, "chrom\tstart\tend\tname")
    for noise in ("", "# a comment", "   "):
        lines.insert(data.draw(st.integers(1, len(lines))), noise)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("x.bed.gz" if packed else "x.bed")
        text = (end.join(lines) + end).encode()
        path.write_bytes(gzip.compress(text) if packed else text)
        table, sites = annotated(path), read_sites(path, BINS)
    names = {"chr1": "chr1", "2": "chr2"}
    expected = [(names[name], start, stop, words) for name, start, stop, words in clean]
    assert list(table[["chrom", "start", "end", "name"]].itertuples(index=False, name=None)) == expected
    first = {"chr1": 0, "chr2": 20_000}
    assert sites["start"].tolist() == [first[name] + start // 10_000 for name, start, _, _ in expected]
    assert sites["end"].tolist() == [first[name] - -stop // 10_000 for name, _, stop, _ in expected]
    assert sites["name"].tolist() == [row[3] for row in expected]


@few
@given(st.text(max_size=30))
def test_whatever_is_asked_for_as_a_region_is_one_or_refused(text):
    try:
        region = Region.parse(text)
    except InputError:
        return
    assert Region.parse(str(region)) == region


@few
@given(st.text("chr1X:.-_", min_size=1, max_size=6).filter(lambda name: ":" not in name), st.integers(0, 10**10),
       st.integers(1, 10**9))
def test_a_region_written_and_read_is_the_same(name, start, length):
    region = Region(name, start, start + length)
    assert Region.parse(str(region)) == region == Region.parse(f"{name}:{start}-{start + length}")


# The engine of rearrangements

SHORT = Bins(("chr1", "chr2"), (400_000, 300_000), 10_000)
ENGINE = Reader(BarrierModel(SHORT, barriers=0.2, missing=(7, 8)))


def edit():
    places = st.tuples(st.integers(0, 39), st.integers(1, 15)).map(lambda place: (place[0], min(40, place[0] + place[1])))
    return st.one_of(
        places.map(lambda at: Deletion(*at)), places.map(lambda at: Duplication(*at)), places.map(lambda at: Inversion(*at)),
        st.tuples(st.integers(0, 40), places, st.sampled_from([-1, 1])).map(
            lambda parts: Insertion(parts[0], parts[0], *parts[1], 0, parts[2])))


def applied(edits) -> Rearranged | None:
    """The chromosome after some edits; None where one of them cannot be made after those before it."""
    chromosome = Rearranged.reference(SHORT, "chr1")
    try:
        for one in edits:
            chromosome = one.apply(chromosome, ENGINE)
        return chromosome
    except InputError:
        return None


edits_made = st.lists(edit(), max_size=5).map(lambda edits: (edits, applied(edits))).filter(lambda made: made[1] is not None)


def same(one: Rearranged, other: Rearranged) -> bool:
    return np.array_equal(one.order, other.order) and np.array_equal(one.strand, other.strand)


@few
@given(edits_made, st.integers(0, 39), st.integers(1, 15))
def test_inverting_twice_changes_nothing(made, start, length):
    chromosome = made[1]
    try:
        turned = chromosome.invert(start, start + length)
    except InputError:
        assume(False)
    assert same(turned.invert(start, start + length), chromosome)
    held = (chromosome.order >= start) & (chromosome.order < start + length)
    assert np.array_equal(turned.strand[held], -chromosome.strand[held][::-1])
    assert np.array_equal(turned.order[~held], chromosome.order[~held])


@few
@given(edits_made, st.integers(0, 39), st.integers(1, 15))
def test_a_duplication_without_its_copy_is_what_was_before(made, start, length):
    chromosome = made[1]
    try:
        doubled = chromosome.duplicate(start, start + length)
    except InputError:
        assume(False)
    copied = len(doubled) - len(chromosome)
    held = np.flatnonzero((chromosome.order >= start) & (chromosome.order < start + length))
    assert copied == len(held) > 0
    copy = slice(held[-1] + 1, held[-1] + 1 + copied)
    kept = np.delete(np.arange(len(doubled)), copy)
    assert same(Rearranged(SHORT, doubled.order[kept], doubled.strand[kept]), chromosome)
    assert np.array_equal(doubled.order[copy], chromosome.order[held])


@few
@given(st.lists(edit(), max_size=6))
def test_bins_are_counted_through_any_edits(edits):
    """A deletion takes all copies, a duplication and an insertion add one of each bin, an inversion none."""
    chromosome, expected = Rearranged.reference(SHORT, "chr1"), Counter(range(40))
    for one in edits:
        try:
            chromosome = one.apply(chromosome, ENGINE)
        except InputError:
            continue
        if isinstance(one, Deletion):
            expected -= Counter({bin_number: 10**6 for bin_number in range(one.start, one.end)})
        elif isinstance(one, Duplication):
            expected += Counter({k: expected[k] for k in range(one.start, one.end) if expected[k]})
        elif isinstance(one, Insertion):
            expected += Counter(range(one.source_start, one.source_end))
    assert Counter(chromosome.order.tolist()) == expected
    assert len(chromosome) == expected.total() == sum(part.end - part.start for part in chromosome.segments)
    assert set(np.unique(chromosome.strand)) <= {-1, 1}
    assert same(Rearranged.of_segments(SHORT, chromosome.segments), chromosome)
    assert chromosome.is_reference == same(chromosome, Rearranged.reference(SHORT, "chr1"))


@few
@given(edits_made)
def test_maps_after_any_edits_are_finite_symmetric_and_add_up(made):
    edits, chromosome = made
    assume(len(chromosome) and edits)
    reading = ENGINE.read(Variant("v", tuple(edits)), 100)
    n = len(reading.order)
    assert n == len(chromosome) and reading.first == 0
    usable = ENGINE.usable[reading.order]
    there = np.array([[i + d < n and usable[i] and usable[i + d] for d in range(n)] for i in range(n)])
    assert np.array_equal(np.isfinite(reading.after), there) and (reading.after[there] > 0).all()
    # The chromosome read from its other end is the same chromosome.
    turned = Rearranged(SHORT, chromosome.order[::-1], -chromosome.strand[::-1])
    forward, backward = (ENGINE.model.expected_band_of(one.representations(ENGINE.representations), None, one.strand)
                         for one in (chromosome, turned))
    i, d = np.nonzero(there)
    np.testing.assert_allclose(forward[i, d], backward[n - 1 - i - d, d], rtol=1e-4)
    np.testing.assert_allclose(reading.after[i, d], forward[i, d], rtol=1e-4)
    collapsed = reading.collapsed()
    assert (collapsed["bin1"] <= collapsed["bin2"]).all() and not collapsed.duplicated(["bin1", "bin2"]).any()
    assert collapsed["value"].sum() == pytest.approx(reading.after[there].sum(dtype=np.float64), rel=1e-5)
    if chromosome.is_reference:
        assert np.array_equal(reading.after[there], reading.before[there])


def test_the_table_reader_keeps_the_numbers_of_lines(tmp_path):
    """Across the pieces a long file is read in."""
    from hiclstm.elements import annotations
    text = io.StringIO()
    for k in range(annotations.LINES_AT_ONCE + 5):
        text.write(f"# {k}\nchr1\t{k}\t{k + 1}\n" if k % 100_000 == 0 else f"chr1\t{k}\t{k + 1}\n")
    (tmp_path / "x.bed").write_text(text.getvalue())
    table = read_table(tmp_path / "x.bed")
    assert (table["start"].astype(int).to_numpy() == np.arange(len(table))).all()
    assert table.index[0] == 2 and table.index[-1] == annotations.LINES_AT_ONCE + 5 + 3
