"""The simulator: closed forms of its physics, rearrangements against each other, files against the field's readers."""

import filecmp
import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import bioframe
import cooler
import cyvcf2
import numpy as np
import pandas as pd
import pysam
import pytest

from hiclstm.contacts import ContactMap, band_to_square
from hiclstm.errors import InputError
from hiclstm.simulation import (
    KINDS,
    Chromosome,
    expected_contacts,
    random_cases,
    read_truth,
    rearranged,
    sequence,
    simulate_chromosome,
    sites_and_controls,
)
from hiclstm.simulation.bands import balancing_weight, coarsened, partners, spread
from hiclstm.simulation.cases import deletion, insertion, inversion, rearrangement, tandem_duplication
from hiclstm.simulation.chromosome import boundaries, descendant
from hiclstm.simulation.data_set import DEPTH, ELEMENTS, Plan, write_data_set
from hiclstm.simulation.extrusion import UNLOADING, occupancy

SCRIPT = Path(__file__).parents[2] / "bin" / "simulate_contacts.py"
FIELDS = ("forward", "reverse", "profile", "subcompartment", "coverage")


def plain(bins: int, forward=(), reverse=(), strength=0.95) -> Chromosome:
    """A chromosome without compartments, with sites of one strength at the given bins."""
    sites = np.zeros((2, bins))
    sites[0, list(forward)] = sites[1, list(reverse)] = strength
    return Chromosome(sites[0], sites[1], np.zeros((bins, 2)), np.zeros(bins, np.int8), np.ones(bins))


def pairs(weight: np.ndarray, width: int) -> np.ndarray:
    """The product of both bins' weights, as a band."""
    return weight[:, None] * partners(weight, width)


def same(one: Chromosome, other: Chromosome) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in FIELDS)


@pytest.fixture(scope="module")
def chromosome() -> Chromosome:
    return simulate_chromosome(600, np.random.default_rng(3))


# ---------------------------------------------------------------- physics

@pytest.mark.parametrize("kind", KINDS)
def test_without_barriers_and_compartments_only_distance_counts(kind):
    band = expected_contacts(plain(300), kind=kind)
    inner = band[40:180, :80]  # 40 bins from the start, and the pairs end 40 bins before the end
    np.testing.assert_allclose(inner, np.broadcast_to(inner[0], inner.shape), rtol=1e-5)
    assert (np.diff(inner[0]) < 0).all()


def test_far_pairs_decay_by_the_power_law_over_the_whole_chromosome():
    band = expected_contacts(plain(900))
    assert band[0, 899] == pytest.approx(900**-1.05, rel=1e-3)
    assert np.isfinite(band).sum() == 900 * 901 // 2


def test_compartments_act_far_from_the_diagonal():
    chromosome = replace(plain(900), profile=np.repeat([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]], 300, axis=0))
    band = expected_contacts(chromosome)
    alike, unlike = band[100, 700] / 701**-1.05, band[100, 400] / 401**-1.05
    assert alike == pytest.approx(np.exp(0.45), rel=1e-3)
    assert unlike == pytest.approx(np.exp(-0.45), rel=1e-2)


def test_extruders_are_counted_as_loaded_and_lost():
    """Far from the ends: extruders per bin times the loss per step equal one loading per bin and step."""
    chromosome = plain(1200, [500], [540])
    density = occupancy(chromosome.forward, chromosome.reverse)
    middle = slice(400, 700)
    # Each loading lives 1 / UNLOADING steps, whatever the barriers: they only move it.
    assert density[middle].sum() / 300 == pytest.approx(1 / UNLOADING, rel=0.02)
    free = occupancy(np.zeros(1200), np.zeros(1200))[600]
    np.testing.assert_allclose(free[:6:2], 0.5 * (1 - UNLOADING) ** np.arange(3), rtol=1e-12)
    np.testing.assert_allclose(free[1:6:2], 0.5 * (1 - UNLOADING) ** np.arange(3), rtol=1e-12)


def test_occupancy_of_a_perfect_loop_is_its_catch_over_its_loss():
    """Between a forward site at 10 and a reverse one at 20, strength s: brute-force Markov chain of the two legs."""
    chromosome = plain(31, [10], [20], strength=0.9)
    n, stays = 31, 1 - UNLOADING
    density = np.zeros((n, n))
    for _ in range(1500):
        after = np.zeros((n, n))
        after[np.arange(n), np.arange(n)] += 0.5
        after[np.arange(n - 1), np.arange(1, n)] += 0.5
        for left in range(n):
            for right in np.nonzero(density[left])[0]:
                stop_left, stop_right = chromosome.forward[left], chromosome.reverse[right]
                for moved_left, chance_left in ((0, stop_left), (1, 1 - stop_left)):
                    for moved_right, chance_right in ((0, stop_right), (1, 1 - stop_right)):
                        to = left - moved_left, right + moved_right
                        if chance_left * chance_right and to[0] >= 0 and to[1] < n:
                            after[to] += stays * density[left, right] * chance_left * chance_right
        if np.abs(after - density).max() < 1e-9:
            break
        density = after
    band = occupancy(chromosome.forward, chromosome.reverse)
    for distance in range(n):
        np.testing.assert_allclose(band[:n - distance, distance], np.diagonal(density, distance), atol=1e-6)


def test_convergent_sites_make_a_dot_and_divergent_ones_do_not():
    def dot(chromosome):
        band = expected_contacts(chromosome)
        around = [band[100 + x, 40 + y - x] for x in range(-5, 6) for y in range(-5, 6) if max(abs(x), abs(y)) >= 3]
        return band[100, 40] / np.mean(around)

    assert dot(plain(240, [100], [140])) > 3
    assert dot(plain(240, [140], [100])) < 1.1
    assert dot(plain(240)) < 1.1


@pytest.mark.parametrize("kind", KINDS)
def test_removing_a_barrier_lets_contacts_across(kind):
    chromosome = plain(240, [121], [119])
    everything, strand = np.arange(240), np.ones(240, np.int8)
    before = expected_contacts(chromosome, kind=kind)
    after = expected_contacts(rearranged(chromosome, everything, strand, removed=(119, 121)), kind=kind)
    change = np.log(after / before)
    assert change[105, 30] > 0.1  # across
    assert abs(change[40, 20]) < 0.05  # far from it
    np.testing.assert_array_equal(after, expected_contacts(plain(240), kind=kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("window", [(0, 120), (200, 330), (480, 600)])
def test_a_window_has_the_values_of_the_whole(chromosome, kind, window):
    whole = expected_contacts(chromosome, kind=kind)
    part = expected_contacts(chromosome, 100, kind=kind, window=window)
    size = window[1] - window[0]
    assert part.shape == (size, 100)
    inside = np.add.outer(np.arange(size), np.arange(100)) < size
    assert np.isnan(part[~inside]).all()
    np.testing.assert_allclose(part[inside], whole[window[0]:window[1], :100][inside], rtol=1e-5)


def test_spread_is_a_convolution_of_the_symmetric_square():
    band = np.random.default_rng(0).random((40, 12))
    square = np.zeros((40, 40))
    for distance in range(12):
        row = np.arange(40 - distance)
        square[row, row + distance] = square[row + distance, row] = band[row, distance]
    kernel = np.arange(25.0).reshape(5, 5)
    kernel = kernel + kernel.T
    padded = np.pad(square, 2)
    direct = sum(kernel[x, y] * padded[4 - x:44 - x, 4 - y:44 - y] for x in range(5) for y in range(5))
    for block in (7, 512):
        result = spread(band, kernel, block=block)
        for distance in range(12):
            np.testing.assert_allclose(result[:40 - distance, distance], np.diagonal(direct, distance))


# ---------------------------------------------------------------- rearrangements

def test_identity_is_identical(chromosome):
    order, strand = np.arange(600), np.ones(600, np.int8)
    assert same(rearranged(chromosome, order, strand), chromosome)


def test_an_inversion_twice_is_the_identity_and_reverses_sites(chromosome):
    order, strand = inversion(600, 200, 280)
    once = rearranged(chromosome, order, strand)
    np.testing.assert_array_equal(once.forward[200:280], chromosome.reverse[200:280][::-1])
    assert same(rearranged(once, order, strand), chromosome)


def test_a_deletion_then_the_insertion_of_the_same_returns_the_whole(chromosome):
    order, _ = deletion(600, 100, 150)
    assert len(order) == 550 and not np.isin(np.arange(100, 150), order).any()
    put_back = np.concatenate([order[:100], np.arange(100, 150), order[100:]])
    np.testing.assert_array_equal(put_back, np.arange(600))
    order, strand = insertion(600, 50, 60, at=300, strand=-1)
    np.testing.assert_array_equal(order[300:310], np.arange(59, 49, -1))
    assert (strand[300:310] == -1).all() and strand.sum() == 600 - 10


def test_flipping_twice_and_flipping_a_site_that_is_removed(chromosome):
    order, strand = np.arange(600), np.ones(600, np.int8)
    site = int(np.argmax(chromosome.forward))
    once = rearranged(chromosome, order, strand, flipped=(site,))
    assert once.reverse[site] == chromosome.forward[site] and once.forward[site] == chromosome.reverse[site]
    assert same(rearranged(once, order, strand, flipped=(site,)), chromosome)
    assert rearranged(chromosome, order, strand, removed=(site,), flipped=(site,)).strength[site] == 0


def test_a_duplication_across_a_boundary_makes_a_new_domain():
    """> at 60, < > at 100 and 101, < at 140; 80-120 twice: a new domain from the first copy's > to the second's <."""
    chromosome = plain(200, [60, 101], [100, 140])
    order, strand = tandem_duplication(200, 80, 120)
    assert len(order) == 240
    changed = rearranged(chromosome, order, strand)
    np.testing.assert_array_equal(np.nonzero(changed.forward)[0], [60, 101, 141])
    np.testing.assert_array_equal(np.nonzero(changed.reverse)[0], [100, 140, 180])
    band = expected_contacts(changed)
    around = [band[101 + x, 39 + y - x] for x in range(-5, 6) for y in range(-5, 6) if max(abs(x), abs(y)) >= 3]
    assert band[101, 39] > 3 * np.mean(around)


def test_wrong_orders_are_refused(chromosome):
    with pytest.raises(ValueError, match="equally long"):
        rearranged(chromosome, np.arange(5), np.ones(4, int))
    with pytest.raises(ValueError, match="0 to 599"):
        rearranged(chromosome, np.array([-1, 3]), np.ones(2, int))
    with pytest.raises(ValueError, match=r"\+1 or -1"):
        rearranged(chromosome, np.arange(5), np.zeros(5, int))
    with pytest.raises(ValueError, match="not one of"):
        expected_contacts(chromosome, kind="polymer")
    with pytest.raises(ValueError, match="not inside"):
        expected_contacts(chromosome, window=(500, 700))


def test_random_cases_have_the_stated_shape():
    chromosome = simulate_chromosome(600, np.random.default_rng(1))
    cases = random_cases(chromosome, np.random.default_rng(2), per_kind=3)
    kinds = [case.kind for case in cases]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == dict.fromkeys(
        ("barrier", "flip", "deletion", "duplication", "inversion"), 3)
    single = {group[0] for group in boundaries(chromosome) if len(group) == 1}
    for case in cases:
        start, end = case.window
        band = case.expected(chromosome, 80)
        assert band.shape == (end - start, min(80, end - start)) and np.isfinite(band[:, 0]).all()
        whole = expected_contacts(rearranged(chromosome, case.order, case.strand, case.removed, case.flipped), 80)
        inside = np.isfinite(band)
        np.testing.assert_allclose(band[inside], whole[start:end, :80][inside], rtol=1e-5)
        if case.kind == "barrier":
            assert case.removed[0] in single and chromosome.mappable[case.removed[0]]
        if case.kind == "duplication":
            first, last = case.segment
            assert np.bincount(case.order)[first:last].tolist() == [2] * (last - first)
    again = random_cases(chromosome, np.random.default_rng(2), per_kind=3)
    assert all(np.array_equal(a.order, b.order) for a, b in zip(cases, again, strict=True))
    sites, controls = sites_and_controls(chromosome, np.random.default_rng(0))
    assert len(sites) == len(controls) > 10
    assert (chromosome.strength[sites] > 0.78).all()
    assert all(chromosome.strength[at - 3:at + 4].max() == 0 for at in controls)


# ---------------------------------------------------------------- sequencing

def test_reads_are_as_many_as_asked_and_unmappable_bins_are_empty(chromosome):
    expected = expected_contacts(chromosome)
    counts = sequence(expected, chromosome.coverage, 500_000, np.random.default_rng(5))
    assert counts.sum() == pytest.approx(500_000, abs=5 * 500_000**0.5)
    row, distance = np.nonzero(counts)
    touched = np.union1d(row, row + distance)
    assert (~chromosome.mappable).sum() > 5
    assert not np.isin(np.nonzero(~chromosome.mappable)[0], touched).any()


def test_coverage_bias_is_what_counts_show(chromosome):
    counts = sequence(expected_contacts(chromosome), chromosome.coverage, 5e7, np.random.default_rng(5))
    usable = chromosome.mappable
    ratio = counts[usable, 0] / expected_contacts(chromosome, 1)[usable, 0]
    bias = np.sqrt(ratio / np.mean(ratio))
    assert np.corrcoef(np.log(bias), np.log(chromosome.coverage[usable]))[0, 1] > 0.99


def test_coarsening_keeps_every_count():
    band = np.random.default_rng(0).integers(0, 9, (23, 23))
    band[np.add.outer(np.arange(23), np.arange(23)) >= 23] = 0
    wide = coarsened(band, 5)
    assert wide.shape == (5, 5) and wide.sum() == band.sum()
    assert wide[1, 2] == sum(band[i, j - i] for i in range(5, 10) for j in range(15, 20))


def test_cell_types_share_what_is_stated():
    ancestor = simulate_chromosome(3000, np.random.default_rng(0))
    child = descendant(ancestor, 0.15, 0.25, np.random.default_rng(1))
    had = ancestor.strength > 0
    kept = (child.strength[had] > 0).mean()
    assert 0.75 < kept < 0.95
    assert (child.strength > 0).sum() == had.sum()
    np.testing.assert_array_equal(child.coverage, ancestor.coverage)
    assert 0.05 < (child.subcompartment != ancestor.subcompartment).mean() < 0.5
    assert same(descendant(ancestor, 0, 0, np.random.default_rng(1)), ancestor)


# ---------------------------------------------------------------- the data set

PLAN = dict(chromosomes=2, bins=180, seed=7, reads_per_bin=400.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("simulated")
    write_data_set(Plan(**PLAN), directory)
    return directory


def test_sheets_name_files_that_exist(data):
    samples = pd.read_csv(data / "samplesheet.csv")
    assert list(samples.columns) == ["cell_type", "replicate", "contacts", "assembly", "truth", "loops"]
    assert samples["cell_type"].tolist() == ["GM12878", "GM12878", "H1-hESC", "HFF-hTERT", "WTC11"]
    for column in ("contacts", "truth", "loops"):
        assert all((data / file.replace("{resolution}", "10000")).is_file() for file in samples[column])
    sheet = pd.read_csv(data / "annotations.csv")
    assert list(sheet.columns) == ["cell_type", "element", "file", "column", "threshold"]
    assert all((data / file).is_file() for file in sheet["file"])
    assert set(sheet["element"]) == set(ELEMENTS) | {"genes"}
    assert json.loads((data / "truth" / "truth.json").read_text())["parameters"]["extrusion"]["REACH"] == 400
    sheet = pd.read_csv(data / "transfer.csv", keep_default_na=False)
    assert sheet["cell_type"].tolist() == ["HEK-293T", "H1-hESC"] and set(sheet["base"]) == {"GM12878_1"}
    assert all((data / file).is_file() for column in ("contacts", "variants", "after") for file in sheet[column] if file)


def test_maps_open_with_cooler_and_hold_raw_counts(data):
    uri = f"{data}/maps/GM12878_1.mcool"
    groups = [f"/resolutions/{resolution}" for resolution in (10_000, 20_000)]
    assert cooler.fileops.is_multires_file(uri) and sorted(cooler.fileops.list_coolers(uri)) == groups
    fine, wide = (cooler.Cooler(f"{uri}::/resolutions/{resolution}") for resolution in (10_000, 20_000))
    assert "weight" not in fine.bins().columns and fine.pixels()[:]["count"].dtype == np.int32
    reads = 400 * 180 * 2
    assert fine.info["sum"] == wide.info["sum"] == pytest.approx(reads, abs=5 * reads**0.5)
    summed = pd.DataFrame(fine.pixels()[:]).assign(a=lambda x: x.bin1_id // 2, b=lambda x: x.bin2_id // 2)
    summed = summed.groupby(["a", "b"], as_index=False)["count"].sum()
    np.testing.assert_array_equal(summed.to_numpy(), wide.pixels()[:].to_numpy())
    second = cooler.Cooler(f"{data}/maps/GM12878_2.mcool::/resolutions/10000")
    assert second.info["sum"] == pytest.approx(0.72 * reads, rel=0.03)
    assert cooler.Cooler(f"{data}/maps/WTC11_1.cool").binsize == 10_000
    bias, _ = cooler.balance_cooler(fine, ignore_diags=0, min_nnz=1, mad_max=0, cis_only=True)
    truth = read_truth(data / "truth" / "GM12878.truth.tsv").chromosomes
    np.testing.assert_array_equal(np.isnan(bias), ~np.concatenate([part.mappable for part in truth.values()]))
    usable = np.isfinite(bias)
    coverage = np.concatenate([part.coverage for part in truth.values()])
    assert np.corrcoef(np.log(bias[usable]), np.log(coverage[usable]))[0, 1] < -0.8


def test_the_noiseless_map_is_the_truth_at_the_replicates_depth(data):
    truth = read_truth(data / "truth" / "GM12878.truth.tsv")
    noiseless = ContactMap.load(data / "truth" / "GM12878.10000.cool")
    counts = replace(noiseless, weight=np.ones(360)).balanced_band("chr2")
    expected = expected_contacts(truth.chromosomes["chr2"], kind=truth.kind)
    np.testing.assert_allclose(counts, expected * truth.scale, rtol=1e-5)
    np.testing.assert_array_equal(
        noiseless.usable, np.concatenate([part.mappable for part in truth.chromosomes.values()]))
    total = 0
    for name in truth.chromosomes:
        band = noiseless.balanced_band(name)
        total += np.nansum(band, dtype=float)
        sums = np.nansum(band_to_square(band), axis=1)
        np.testing.assert_allclose(sums[sums > 0], sums.max(), rtol=1e-4)
    assert total == pytest.approx(400 * 180 * 2, rel=1e-4)


def test_a_deep_balanced_map_is_the_noiseless_one():
    chromosome = simulate_chromosome(400, np.random.default_rng(0))
    expected, usable = expected_contacts(chromosome), chromosome.mappable
    truth = expected * pairs(balancing_weight(expected, usable), 400)
    counts = sequence(expected, chromosome.coverage, 1e9, np.random.default_rng(1))
    balanced = counts * pairs(balancing_weight(counts, usable), 400)
    for distance in (0, 1, 5, 20, 100):
        one, other = truth[:400 - distance, distance], balanced[:400 - distance, distance]
        both = np.isfinite(one)
        assert np.corrcoef(one[both], other[both])[0, 1] > 0.97


def test_annotations_are_read_by_bioframe_and_follow_the_truth(data):
    truth = read_truth(data / "truth" / "GM12878.truth.tsv").chromosomes
    read = lambda name, schema: bioframe.read_table(data / "truth" / f"GM12878.{name}", schema=schema)  # noqa: E731
    sites = read("ctcf.bed", "bed6")
    assert bioframe.is_bedframe(sites)
    assert len(sites) == sum((part.forward > 0).sum() + (part.reverse > 0).sum() for part in truth.values())
    for site in sites.itertuples():
        strength = getattr(truth[site.chrom], "forward" if site.strand == "+" else "reverse")[site.start // 10_000]
        assert site.score == round(strength * 1000)
    for name in ("domains.bed", "boundaries.bed", "enhancers.bed", "compartments.bed", "subcompartments.bed"):
        table = read(name, "bed4" if name != "boundaries.bed" else "bed5")
        assert bioframe.is_bedframe(table) and len(table) and (table["end"] <= 1_800_000).all()
    pairs = pd.read_csv(data / "truth" / "GM12878.loops.bedpe", sep="\t", header=None)
    for pair in pairs.itertuples():
        part = truth[pair[1]]
        assert part.forward[pair[2] // 10_000] > 0 and part.reverse[pair[5] // 10_000] > 0
    timing = pd.read_csv(data / "truth" / "GM12878.replication_timing.bedGraph", sep="\t", header=None)[3]
    profile = np.concatenate([part.profile[:, 0] for part in truth.values()])
    assert 0.8 < np.corrcoef(timing, profile)[0, 1] < 1
    genes = pd.read_csv(data / "truth" / "GM12878.expression.tsv", sep="\t")
    first = np.where(genes["strand"] == "+", genes["start"], genes["end"] - 1) // 10_000
    in_a = np.array([truth[name].profile[at, 0] > 0 for name, at in zip(genes["chrom"], first, strict=True)])
    expressed = genes["log_rpkm"] > 0.5
    assert expressed[in_a].mean() > 0.6 > 0.4 > expressed[~in_a].mean()


def test_variants_are_valid_and_their_rearranged_maps_are_written(data):
    reader = cyvcf2.VCF(str(data / "variants.vcf"))
    records = {record.ID: record for record in reader}
    assert [name for name, record in records.items() if record.INFO["SVTYPE"] != "BND"]
    with pysam.VariantFile(str(data / "variants.vcf")) as file:
        stops = {record.id: (record.start + 1, record.stop) for record in file}
    truth = read_truth(data / "truth" / "GM12878.truth.tsv").chromosomes
    wild = ContactMap.load(data / "truth" / "GM12878.10000.cool")
    forms = {"DEL": "deletion", "DUP": "duplication", "INV": "inversion"}
    for name, record in records.items():
        if record.INFO["SVTYPE"] == "BND":
            assert records[record.INFO["MATEID"]].INFO["MATEID"] == name
            continue
        start, end = stops[name]  # the segment, 0-based and half-open
        assert start % 10_000 == end % 10_000 == 0
        segments = pd.read_csv(data / "truth" / f"GM12878.{name}.segments.bed", sep="\t", header=None)
        assert start in set(segments[1]) or end in set(segments[1])
        case = rearrangement(forms[record.INFO["SVTYPE"]], 180, start // 10_000, end // 10_000)
        pieces = [np.arange(a // 10_000, b // 10_000)[::1 if strand == "+" else -1]
                  for a, b, strand in segments[[1, 2, 5]].itertuples(index=False)]
        np.testing.assert_array_equal(np.concatenate(pieces), case.order)
        rendered = ContactMap.load(data / "truth" / f"GM12878.{name}.10000.cool")
        expected = case.expected(truth[record.CHROM], window=(0, len(case.order)))
        scale = read_truth(data / "truth" / "GM12878.truth.tsv").scale
        counts = replace(rendered, weight=np.ones(len(case.order))).balanced_band(record.CHROM)
        np.testing.assert_allclose(counts, expected * scale, rtol=1e-5)
        weight = wild.weight[wild.bins.span(record.CHROM)]
        np.testing.assert_array_equal(rendered.weight, weight[case.order])


def test_the_same_seed_gives_the_same_bytes_and_a_subset_the_same_files(data, tmp_path):
    write_data_set(Plan(**PLAN, cell_types=("GM12878",)), tmp_path)
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("GM12878*")]
    assert len(files) > 20
    _, different, missing = filecmp.cmpfiles(data, tmp_path, files, shallow=False)
    assert not different and not missing
    other = Plan(**{**PLAN, "seed": 8}).stream("ancestor", "chr1")
    first = Plan(**PLAN).stream("ancestor", "chr1")
    assert not same(simulate_chromosome(180, first), simulate_chromosome(180, other))


def test_bad_plans_are_refused_in_words():
    for wrong, words in ((dict(cell_types=("K562",)), "K562.*GM12878, H1-hESC"), (dict(bins=20), "--bins 20.*150"),
                         (dict(kind="polymer"), "extrusion, insulation"), (dict(cell_types=()), "--cell-types"),
                         (dict(reads_per_bin=float("nan")), "--reads-per-bin nan")):
        with pytest.raises(InputError, match=words):
            Plan(**wrong)
    assert set(Plan().cell_types) == set(DEPTH)


def test_the_script_writes_the_second_kind_and_refuses_in_one_line(tmp_path, monkeypatch, capsys):
    def call(*options):
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--bins", "160", "--chromosomes", "1", *options,
                                          "--output", str(tmp_path)])
        runpy.run_path(str(SCRIPT), run_name="__main__")

    call("--kind", "insulation", "--cell-types", "WTC11")
    assert read_truth(tmp_path / "truth" / "WTC11.truth.tsv").kind == "insulation"
    capsys.readouterr()
    with pytest.raises(SystemExit) as refused:
        call("--cell-types", "HeLa")
    message = capsys.readouterr().err
    assert refused.value.code == 2 and message.count("\n") == 1 and "HeLa" in message


def test_a_file_that_is_no_truth_is_named(tmp_path):
    (tmp_path / "x.tsv").write_text("chrom\tstart\n")
    with pytest.raises(InputError, match="x.tsv"):
        read_truth(tmp_path / "x.tsv")
