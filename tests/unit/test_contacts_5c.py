"""5C and capture: fragments into bins, what was measured, balancing by expected contacts."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from hiclstm.contacts import ContactMap
from hiclstm.contacts.balance import of_fragments
from hiclstm.contacts.formats import recognise
from hiclstm.contacts.fragments import first_share, measured_share
from hiclstm.contacts.library import Request, read
from hiclstm.contacts.prepare import Sample, prepare
from hiclstm.errors import InputError
from hiclstm.simulation import expected_contacts, five_c
from hiclstm.simulation.data_set import Plan, simulate_cell_type

DATA = Path(__file__).parents[2].parent / "shared/data/5c"
RESOLUTION = 10_000
REGION = 2_000_000  # where the primers begin
BINS = 30


def fragments(seed=1):
    """Fragments of 3 to 5 kb that fill 30 bins, alternately forward and reverse: two lists of (start, end)."""
    random = np.random.default_rng(seed)
    edges = REGION + np.cumsum(random.integers(3_000, 5_000, 120))
    edges = edges[edges < REGION + BINS * RESOLUTION]
    pairs = list(zip(edges[:-1], edges[1:], strict=True))
    return pairs[::2], pairs[1::2]


def name(k, fragment, assembly="hg18"):
    return f"primer_{k}|{assembly}|chr11:{fragment[0]}-{fragment[1]}"


def bin_of(fragment):
    return (fragment[0] + fragment[1]) // 2 // RESOLUTION


def counts(seed=1):
    """Counts of every forward with every reverse fragment, none of them zero."""
    forward, reverse = fragments()
    return np.random.default_rng(seed).integers(1, 50, (len(forward), len(reverse)))


def write_matrix(path, values, rows, columns):
    lines = ["# my5C", "\t" + "\t".join(columns)]
    lines += ["\t".join([row, *map(str, line)]) for row, line in zip(rows, values, strict=True)]
    with gzip.open(path, "wt") if str(path).endswith(".gz") else open(path, "w") as handle:
        handle.write("\n".join(lines) + "\n")
    return path


@pytest.fixture
def matrix(tmp_path):
    forward, reverse = fragments()
    rows, columns = ([name(f"{what}_{k}", one) for k, one in enumerate(side)]
                     for what, side in (("FOR", forward), ("REV", reverse)))
    return write_matrix(tmp_path / "a.matrix.gz", counts(), rows, columns)


def dense(library, bins=300):
    out = np.zeros((bins, bins))
    bin1, bin2, count = library.pixels("chr11", "chr11")
    out[bin1, bin2] = count
    return out


def by_hand():
    """The rule in plain words: each fragment to the bin of its middle, counts summed, upper triangle."""
    forward, reverse = fragments()
    out = np.zeros((300, 300))
    for a, line in zip(forward, counts(), strict=True):
        for b, count in zip(reverse, line, strict=True):
            i, j = sorted((bin_of(a), bin_of(b)))
            out[i, j] += count
    return out


def test_a_matrix_is_summed_by_the_middles_of_its_fragments(matrix, tmp_path):
    library = read(str(matrix), Request(RESOLUTION), tmp_path / "read")
    np.testing.assert_array_equal(dense(library), by_hand())
    assert library.raw and library.assembly == "hg18" and library.sizes["chr11"] == 134_452_384 and library.sizes_known
    forward, reverse = fragments()
    numbers = library.fragments["chr11"]
    assert [numbers[:, 0].sum(), numbers[:, 1].sum()] == [len(forward), len(reverse)]
    assert numbers[bin_of(forward[3]), 0] >= 1 and numbers[bin_of(reverse[3]), 1] >= 1


def test_tables_of_pairs_give_the_same_as_the_matrix(matrix, tmp_path):
    forward, reverse = fragments()
    pairs = [(a, b, i, j) for i, a in enumerate(forward) for j, b in enumerate(reverse)]
    value = counts()
    with open(tmp_path / "named.txt", "w") as out:
        out.write("yComment\txComment\tcScore\n")
        out.writelines(f"{name(i, a)}\t{name(j, b)}\t{value[i, j]}.0000\n" for a, b, i, j in pairs)
    with open(tmp_path / "primers.txt", "w") as out:
        out.writelines(f"F{i}\tR{j}\t{value[i, j]}\n" for _, _, i, j in pairs)
    with open(tmp_path / "primers.bed", "w") as out:
        for what, side in (("F", forward), ("R", reverse)):
            out.writelines(f"chr11\t{one[0]}\t{one[1]}\t{what}{k}\n" for k, one in enumerate(side))
    with open(tmp_path / "a.bedpe", "w") as out:
        out.write("chrom1\tstart1\tend1\tchrom2\tstart2\tend2\tname\tscore\n")
        out.writelines(f"chr11\t{a[0]}\t{a[1]}\tchr11\t{b[0]}\t{b[1]}\t.\t{value[i, j]}\n" for a, b, i, j in pairs)
    of_matrix = read(str(matrix), Request(RESOLUTION), tmp_path / "read")
    for k, given in enumerate(("named.txt", "primers.txt::primers.bed", "a.bedpe")):
        found = read(f"{tmp_path}/{given}", Request(RESOLUTION, assembly="hg18"), tmp_path / f"read{k}")
        np.testing.assert_array_equal(dense(found), by_hand(), given)
        np.testing.assert_array_equal(found.fragments["chr11"], of_matrix.fragments["chr11"], given)
    with pytest.raises(InputError, match="primers.bed"):
        recognise(f"{tmp_path}/primers.txt")


def test_a_symmetric_matrix_counts_each_pair_once_and_measures_all(tmp_path):
    windows = [name(k, (REGION + k * RESOLUTION, REGION + (k + 1) * RESOLUTION)) for k in range(BINS)]
    value = np.arange(1, BINS * BINS + 1).reshape(BINS, BINS)
    path = write_matrix(tmp_path / "a.matrix", value + value.T, windows, windows)
    library = read(str(path), Request(RESOLUTION), tmp_path / "read")
    np.testing.assert_array_equal(dense(library)[200:230, 200:230], np.triu(value + value.T))
    share = first_share(library.fragments["chr11"])[200:230]
    assert (measured_share(share[:, None], share[None, :]) == 1).all()


def test_windows_that_overlap_are_left_out_and_so_are_rows_without_values(tmp_path):
    sliding = [(REGION + k * 5_000, REGION + k * 5_000 + RESOLUTION) for k in range(40)]
    names = [name(k, one) for k, one in enumerate(sliding)]
    value = np.ones((40, 40))
    value[6] = value[:, 6] = np.nan
    path = write_matrix(tmp_path / "a.matrix", np.where(np.isnan(value), "NA", "1"), names, names)
    library = read(str(path), Request(RESOLUTION), tmp_path / "read")
    assert "overlap" in library.notes[0]
    assert library.fragments["chr11"].sum() == 19  # every second of 40, but for the one without values
    assert dense(library)[203].sum() == 0


def test_measured_share_by_hand():
    # bins with 2 forward and 1 reverse, and 1 forward only: of 3 x 1 pairs one (reverse with forward) is measured
    assert measured_share(np.array(2 / 3), np.array(1.0)) == pytest.approx(2 * 1 / 3)
    assert measured_share(np.array(1.0), np.array(1.0)) == 0
    assert measured_share(np.array(0.5), np.array(0.123)) == 1


def test_balancing_recovers_visibility_of_a_region_exactly():
    random = np.random.default_rng(3)
    n = 60
    share = random.choice([0.0, 1 / 3, 0.5, 2 / 3, 1.0], n)
    share[[5, 17, 18]] = np.nan
    visible = np.where(np.isnan(share), 0, random.uniform(0.2, 3, n))
    i, j = np.triu_indices(n)
    measured = np.nan_to_num(measured_share(share[i], share[j]))
    expected = 1000 * (1.0 + j - i) ** -1.1
    value = visible[i] * visible[j] * measured * expected
    found = of_fragments(i, j, value, share, "")
    assert np.isnan(found.weight[[5, 17, 18]]).all() and np.isfinite(np.delete(found.weight, [5, 17, 18])).all()
    seen = (value > 0) & (i != j)
    v = value[seen] * found.weight[i[seen]] * found.weight[j[seen]] / measured[seen]
    ratio = v / expected[seen]
    assert ratio.std() / ratio.mean() < 1e-4


def test_a_region_becomes_a_map_with_everything_outside_missing(matrix, tmp_path):
    record = prepare([str(matrix)], Sample("HEK", "1", RESOLUTION), Request(RESOLUTION), tmp_path / "out")
    found = ContactMap.load(tmp_path / "out/HEK_1.10000.cool")
    inside = np.flatnonzero(found.usable)
    assert inside.min() >= 200 and inside.max() < 230 and len(inside) >= 28
    assert record["probability"]["scale_asked"] == "depth_matched" and record["assembly"] == "hg18"
    band, measured = found.balanced_band("chr11", 40), found.measured_band("chr11", 40)
    assert np.isfinite(band).any()
    assert np.isnan(band[~(measured > 0)]).all()  # not measured is missing, not zero
    one = found.of_chromosome("11")
    np.testing.assert_array_equal(one.first_share, found.first_share)
    both = np.nonzero(np.isfinite(band))
    counts_seen = dense(read(str(matrix), Request(RESOLUTION), tmp_path / "read"), len(found.bins))[
        both[0], both[0] + both[1]]
    weight = found.weight
    np.testing.assert_allclose(band[both], counts_seen * weight[both[0]] * weight[both[0] + both[1]] / measured[both],
                               rtol=1e-5)


def test_libraries_of_other_primers_and_other_assemblies_are_refused(matrix, tmp_path):
    forward, reverse = fragments(2)
    other = write_matrix(tmp_path / "b.matrix", np.ones((len(forward), len(reverse)), int),
                         [name(k, one) for k, one in enumerate(forward)], [name(k, one) for k, one in enumerate(reverse)])
    with pytest.raises(InputError, match="other fragments"):
        prepare([str(matrix), str(other)], Sample("HEK", "1", RESOLUTION), Request(RESOLUTION), tmp_path / "out")
    with pytest.raises(InputError, match="hg18.*hg19"):
        read(str(matrix), Request(RESOLUTION, assembly="hg19"), tmp_path / "read")
    broken = write_matrix(tmp_path / "c.matrix", [["1", "x"]], [name(1, (0, 10))], [name(2, (20, 30)), name(3, (40, 50))])
    with pytest.raises(InputError, match="c.matrix"):
        read(str(broken), Request(RESOLUTION), tmp_path / "read")


def test_the_simulated_5c_follows_its_truth_and_lacks_the_deleted_anchors(tmp_path):
    plan = Plan(chromosomes=2, bins=300, cell_types=("WTC11",))
    truth = simulate_cell_type(plan, five_c.CELL_TYPE)
    deletions = five_c.anchor_deletions(truth)
    assert [one.name for one in deletions] == ["tal1_like", "lmo2_like"] and deletions[0].chromosome == "chr1"
    for folder in ("a", "b"):
        names = five_c.write_5c(tmp_path / folder, truth, deletions, plan.kind, plan.resolution, "simulated", plan.stream)
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    before, after = (read(f"{tmp_path}/a/{name}", Request(RESOLUTION), tmp_path / name) for name in names)
    for deletion in deletions:
        chromosome, (start, end) = truth[deletion.chromosome], deletion.case.segment
        bin1, bin2, count = before.pixels(deletion.chromosome, deletion.chromosome)
        numbers = before.fragments[deletion.chromosome]
        pairs = numbers[bin1, 0] * numbers[bin2, 1] + numbers[bin2, 0] * numbers[bin1, 1]
        mean = np.where(pairs > 0, count / np.maximum(pairs, 1), np.nan)
        true = expected_contacts(chromosome, kind=plan.kind)[bin1, bin2 - bin1]
        far = (bin2 - bin1 > 2) & (pairs > 0)
        assert np.corrcoef(np.log(mean[far]), np.log(true[far]))[0, 1] > 0.7
        bin1, bin2, count = after.pixels(deletion.chromosome, deletion.chromosome)
        assert not np.isin([bin1, bin2], np.arange(start, end)).any()
        assert numbers[start:end].sum() > 0  # measured before


@pytest.mark.real
@pytest.mark.skipif(not DATA.is_dir(), reason=f"public data not found at {DATA}")
def test_the_5c_of_enm009_in_both_forms(tmp_path):
    request = Request(RESOLUTION)
    matrix = read(str(DATA / "cworld_K5.matrix.gz"), request, tmp_path / "matrix")
    pairs = read(str(DATA / "K5.pairwise.txt.gz"), request, tmp_path / "pairs")
    for one, other in zip(matrix.pixels("chr11", "chr11"), pairs.pixels("chr11", "chr11"), strict=True):
        np.testing.assert_array_equal(one, other)
    assert matrix.pixels("chr11", "chr11")[2].sum() == 5_164_494 and matrix.assembly == "hg18"
    binned = read(str(DATA / "cworld_GM_binned30kb.matrix.gz"), Request(30_000), tmp_path / "binned")
    assert 30 <= (binned.fragments["chr11"].sum(1) > 0).sum() <= 34
    prepare([str(DATA / "cworld_GM.matrix.gz")], Sample("GM12878", "1", RESOLUTION), request, tmp_path)
    record = json.loads((tmp_path / "GM12878_1.10000.qc.json").read_text())
    assert record["bins"]["all"] - record["bins"]["masked"] == 90
    assert record["contacts"]["cis"] == 3_791_786
