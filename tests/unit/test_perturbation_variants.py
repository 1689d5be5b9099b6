"""Variants from files: the same edits from VCF, BED and BEDPE; rounding; what is refused."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from perturbation_models import two_chromosomes

from hiclstm.errors import InputError
from hiclstm.genome import Bins
from hiclstm.perturbation.edits import Deletion, Derivative, Duplication, Insertion, Inversion, Variant
from hiclstm.perturbation.segments import Rearranged, Segment
from hiclstm.perturbation.variants import bins_touched, read_variants

ASSETS = Path(__file__).parents[2] / "assets" / "variants"
HEADER = """##fileformat=VCFv4.2
##contig=<ID=chr1,length=4000000>
##contig=<ID=chr2,length=4000000>
##INFO=<ID=END,Number=1,Type=Integer,Description="End">
##INFO=<ID=SVLEN,Number=.,Type=Integer,Description="Length">
##INFO=<ID=EVENT,Number=1,Type=String,Description="Event">
##INFO=<ID=SOURCE,Number=1,Type=String,Description="Copied stretch">
##INFO=<ID=SOURCE_STRAND,Number=1,Type=String,Description="Its strand">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""


def vcf(tmp_path, *records):
    path = tmp_path / "some.vcf"
    path.write_text(HEADER + "".join("\t".join(record) + "\n" for record in records))
    return path


def record(chromosome, position, name, alternative, info=".", reference="N"):
    return chromosome, str(position), name, reference, alternative, ".", "PASS", info


def test_sox9_is_the_papers_bins():
    bins = Bins(("chr17",), (81_195_210,), 10_000)
    found = read_variants(ASSETS / "sox9_duplication.hg19.vcf", bins)
    assert not found.skipped
    (variant,) = found.variants
    assert variant.edits == (Duplication(6795, 7009),)  # half-open: 6795 to 7008
    order = variant.apply(Stub(bins)).order
    assert (np.bincount(order)[6795:7009] == 2).all() and (np.delete(np.bincount(order), np.r_[6795:7009]) == 1).all()
    assert order[6795 + 214] == 6795 and order[6795 + 213] == 7008
    assert len(order) == 8120 + 214


@pytest.mark.parametrize("file, region", [("tal1_anchor_deletion.hg19.vcf", ("1", 47_500_000, 47_900_000)),
                                          ("lmo2_anchor_deletion.hg19.vcf", ("11", 33_800_000, 34_200_000))])
def test_anchor_deletions_lie_in_the_papers_regions(file, region):
    name, low, high = region
    bins = Bins((name,), (249_250_621 if name == "1" else 135_006_516,), 10_000)
    (variant,) = read_variants(ASSETS / file, bins).variants
    (edit,) = variant.edits
    assert isinstance(edit, Deletion)
    assert low // 10_000 <= edit.start < edit.end <= high // 10_000


class Stub:
    """Bins are all that structural edits ask of a model."""

    def __init__(self, bins):
        self.bins = bins


def test_the_same_edits_from_every_format(tmp_path):
    bins = two_chromosomes()
    by_vcf = read_variants(vcf(
        tmp_path, record("chr1", 1_003_000, "a", "<DEL>", "END=1205000"),
        record("chr1", 2_000_000, "b", "<DUP:TANDEM>", "SVLEN=300000"),
        record("2", 1_500_000, "c", "<INV>", "END=1900000"),
        record("chr1", 3_000_000, "d", "<INS>", "SOURCE=chr1:1000001-1200000;SOURCE_STRAND=-")), bins)
    bed = tmp_path / "some.bed"
    bed.write_text("# comment\nchr1\t1003000\t1205000\tDEL:a\nchr1\t2000000\t2300000\tDUP:b\n"
                   "2\t1500000\t1900000\tINV:c\n")
    bedpe = tmp_path / "some.bedpe.gz"
    with gzip.open(bedpe, "wt") as file:
        file.write("chr1\t1003000\t1003001\tchr1\t1204999\t1205000\ta\t.\t+\t-\tDEL\n"
                   "chr1\t2000000\t2000001\tchr1\t2299999\t2300000\tDUP:b\t.\t-\t+\n"
                   "2\t1500000\t1500001\t2\t1899999\t1900000\tINV:c\n"
                   "chr1\t3000000\t3000001\tchr1\t1000000\t1200000\tINS:d\t.\t+\t-\n")
    expected = [("a", Deletion(100, 121)), ("b", Duplication(200, 230)), ("c", Inversion(550, 590)),
                ("d", Insertion(300, 300, 100, 120, 0, -1))]
    for found, wanted in ((by_vcf, expected), (read_variants(bed, bins), expected[:3]),
                          (read_variants(bedpe, bins), expected)):
        assert not found.skipped
        assert [(variant.name, variant.edits) for variant in found.variants] == [(n, (edit,)) for n, edit in wanted]


def test_every_bin_touched_is_taken():
    bins = two_chromosomes()
    assert bins_touched(bins, "chr1", 100_000, 200_000) == (10, 20)
    assert bins_touched(bins, "chr1", 99_999, 200_001) == (9, 21)
    assert bins_touched(bins, "1", 0, 1) == (0, 1)
    assert bins_touched(bins, "chr2", 3_999_999, 4_000_000) == (799, 800)


def test_breakends_of_one_chromosome(tmp_path):
    bins = two_chromosomes()
    found = read_variants(vcf(
        tmp_path, record("chr1", 1_000_000, "del_1", "N[chr1:1200001["), record("chr1", 1_200_001, "del_2",
                                                                                 "]chr1:1000000]N"),
        record("chr1", 2_000_001, "dup_1", "]chr1:2300000]N"), record("chr1", 2_300_000, "dup_2", "N[chr1:2000001["),
        record("chr2", 1_500_000, "inv_1", "N]chr2:1900000]"), record("chr2", 1_500_001, "inv_2", "[chr2:1900001[N"),
        record("chr2", 3_000_000, "half", "N]chr2:3500000]")), bins)
    assert [(variant.name, variant.edits) for variant in found.variants] == [
        ("del_1", (Deletion(100, 120),)), ("dup_1", (Duplication(200, 230),)), ("inv_1", (Inversion(550, 590),))]
    assert [one.name for one in found.skipped] == ["half"]
    assert "without the other" in found.skipped[0].reason


@pytest.mark.parametrize("alternative, pieces", [
    ("N[chr2:1000001[", (Segment(0, 200), Segment(500, 800))),
    ("N]chr2:1000000]", (Segment(0, 200), Segment(400, 500, -1))),
    ("]chr2:1000000]N", (Segment(400, 500), Segment(200, 400))),
    ("[chr2:1000001[N", (Segment(500, 800, -1), Segment(200, 400)))])
def test_breakends_of_two_chromosomes(tmp_path, alternative, pieces):
    bins = two_chromosomes()
    position = 2_000_000 if alternative.startswith("N") else 2_000_001
    (variant,) = read_variants(vcf(tmp_path, record("chr1", position, "t", alternative)), bins).variants
    (edit,) = variant.edits
    assert isinstance(edit, Derivative)
    built = Rearranged.of_segments(bins, edit.pieces)
    wanted = Rearranged.of_segments(bins, pieces)
    turned = Rearranged(bins, wanted.order[::-1], -wanted.strand[::-1])  # the same molecule read from its other end
    assert any((built.order == one.order).all() and (built.strand == one.strand).all() for one in (wanted, turned))
    assert not variant.movable


def test_records_of_one_event_are_one_variant(tmp_path):
    bins = two_chromosomes()
    found = read_variants(vcf(tmp_path, record("chr1", 1_000_000, "x", "<DEL>", "END=1200000;EVENT=complex"),
                              record("chr1", 2_000_000, "y", "<INV>", "END=2200000;EVENT=complex")), bins)
    assert [(variant.name, variant.edits) for variant in found.variants] == [
        ("complex", (Deletion(100, 120), Inversion(200, 220)))]


def test_what_cannot_be_read_is_named_and_the_rest_is_read(tmp_path):
    bins = two_chromosomes()
    found = read_variants(vcf(
        tmp_path, record("chr9", 1_000_000, "absent", "<DEL>", "END=1200000"),
        record("chr1", 1_000_000, "small", "<DEL>", "END=1000900"), record("chr1", 5, "snv", "T", reference="A"),
        record("chr1", 50, "alu", "<INS:ME:ALU>"), record("chr1", 3_900_000, "past", "<DEL>", "END=4900000"),
        record("chr1", 50, "unknown", "<INS>"), record("chr1", 60, "endless", "<DEL>"),
        record("chr1", 1_000_000, "fine", "<DEL>", "END=1200000")), bins)
    assert [variant.name for variant in found.variants] == ["fine"]
    reasons = {one.name: one.reason for one in found.skipped}
    assert set(reasons) == {"absent", "small", "snv", "alu", "past", "unknown", "endless"}
    assert "chr9 is not in the model, which has chr1, chr2" in reasons["absent"]
    assert "less than one bin of 10,000 bp" in reasons["small"]
    assert "does not see sequence" in reasons["snv"]
    assert "past the end" in reasons["past"]
    assert "SOURCE" in reasons["unknown"]
    assert "END or SVLEN" in reasons["endless"]


def test_sites_take_whole_bins_however_short(tmp_path):
    bins = two_chromosomes()
    path = tmp_path / "sites.narrowPeak"
    path.write_text("chr1\t1003000\t1003020\tsite\nchr2\t9990\t10010\tsite\nchr3\t1\t2\tsite\n")
    found = read_variants(path, bins, "zero")
    assert [(variant.name, variant.kind, variant.span) for variant in found.variants] == [
        ("site", "zero", (100, 101)), ("site_2", "zero", (400, 402))]
    assert [one.place for one in found.skipped] == ["chr3:1-2"]


def test_files_that_cannot_be_used(tmp_path):
    bins = two_chromosomes()
    with pytest.raises(InputError, match="no such file"):
        read_variants(tmp_path / "absent.vcf", bins)
    other = tmp_path / "some.txt"
    other.write_text("chr1\t1\t2\n")
    with pytest.raises(InputError, match=r"\.bedpe"):
        read_variants(other, bins)
    for name, text, words in (("a.bed", "chr1\t1\n", "line 1: 2 tab-separated fields"),
                              ("b.bed", "chr1\tx\t2\tDEL\n", "line 1: the start is 'x'"),
                              ("c.vcf", "no header\n", "cannot be read as VCF"),
                              ("d.vcf", HEADER + "chr1\tabc\tx\tN\t<DEL>\t.\t.\tEND=5\n", "cannot be read as VCF")):
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            read_variants(path, bins)


def test_names_are_unique_and_safe(tmp_path):
    path = tmp_path / "x.bed"
    path.write_text("chr1\t100000\t200000\tDEL:../a b\nchr1\t100000\t200000\tDEL:../a b\nchr1\t100000\t200000\tDEL\n")
    names = [variant.name for variant in read_variants(path, two_chromosomes()).variants]
    assert names == ["a_b", "a_b_2", "DEL_chr1_100000"]


def test_moved_variants_keep_their_shape():
    variant = Variant("v", (Deletion(100, 120), Insertion(150, 150, 100, 120, 0)))
    assert variant.moved(30).edits == (Deletion(130, 150), Insertion(180, 180, 130, 150, 0))
    assert variant.moved(30).shape == variant.shape
