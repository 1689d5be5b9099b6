"""Nulls, tables and averages over sites, against a model with a closed form."""

import gzip

import numpy as np
import pandas as pd
import pytest
from perturbation_models import BarrierModel, two_chromosomes
from scipy.stats import kstest

from hiclstm.errors import InputError
from hiclstm.perturbation import Reader, Variant
from hiclstm.perturbation.edits import Deletion, Duplication, Inversion, knockout
from hiclstm.perturbation.effects import Loops, interval, measure
from hiclstm.perturbation.experiments import (
    domain_sets,
    knockout_sets,
    orientation_sets,
    read_domains,
    read_set,
)
from hiclstm.perturbation.nulls import MatchedLoci, empirical_p, false_discovery_rate
from hiclstm.perturbation.sites import bound_bins, near, orientation_of_bins, read_loops, read_sites, scan_motif
from hiclstm.perturbation.table import variants_table
from hiclstm.perturbation.variants import Skipped, VariantSet


def flat_model(**barriers):
    """No compartments and no barriers but those given, as forward=(bins) or reverse=(bins)."""
    model = BarrierModel(two_chromosomes(), barriers=0)
    model.representations[:] = 0
    for name, column in (("forward", 1), ("reverse", 2)):
        model.representations[list(barriers.get(name, ())), column] = 1.0
    return model


def test_p_values_of_random_sites_are_uniform():
    random = np.random.default_rng(5)
    model = BarrierModel(two_chromosomes(), seed=3)
    model.representations[:, 1:3] += random.exponential(0.05, (800, 2))  # effects of zero would tie
    reader = Reader(model)
    numbers = random.choice(np.arange(60, 340), 70, replace=False)
    null = MatchedLoci(reader, 30, [(int(k), int(k) + 1) for k in numbers], 80, seed=2)
    table = variants_table(reader, VariantSet([Variant(f"s{k}", (knockout(int(k), int(k) + 1, "zero"),))
                                               for k in numbers]), 30, null, seed=1)
    assert kstest(table["p"], "uniform").pvalue > 0.01
    assert kstest(table["p_insulation"], "uniform").pvalue > 0.01
    assert (table["q"] < 0.05).sum() == 0


def test_a_barrier_stands_out_and_fdr_keeps_it():
    barriers = (80, 160, 240, 320)
    reader = Reader(flat_model(forward=barriers))
    null = MatchedLoci(reader, 30, [(k, k + 1) for k in (*barriers, 120)], 100, seed=2)
    table = variants_table(reader, VariantSet([Variant(f"s{k}", (knockout(k, k + 1, "shift"),))
                                               for k in (*barriers, 120)]), 30, null, seed=1).set_index("variant")
    assert (table.loc[["s80", "s160", "s240", "s320"], "p"] == 1 / 101).all()
    assert table.loc["s120", "p"] > 0.2
    assert (table.loc[["s80", "s160", "s240", "s320"], "q"] < 0.05).all() and table.loc["s120", "q"] > 0.05
    assert table.loc["s80", "insulation_change"] == pytest.approx(1, abs=0.15)
    assert table.loc["s80", "low"] <= table.loc["s80", "mean_beyond_distance"] <= table.loc["s80", "high"]


def test_random_loci_are_matched_and_untouched():
    model = BarrierModel(two_chromosomes(), missing=range(200, 220))
    reader = Reader(model)
    variant = Variant("v", (Deletion(210, 225),))  # ten of its fifteen bins are missing
    null = MatchedLoci(reader, 30, [variant.span], 20, seed=1)
    pool = null.pool(variant)
    assert ((pool.start + 15 <= 210) | (pool.start >= 225)).all() and pool.start.max() < 400
    assert not pool.effects["pairs"].eq(0).any()
    own = null.covariates(slice(0, 400), 15)[210]
    assert own[0] == 10
    everywhere = Variant("v", (Deletion(5, 395),))
    assert len(MatchedLoci(reader, 30, [everywhere.span], 20, seed=1).of(everywhere)) == 0


def test_the_same_seed_gives_the_same_table():
    def table():
        reader = Reader(BarrierModel(two_chromosomes()))
        variants = VariantSet([Variant("a", (Deletion(100, 110),)), Variant("b", (Inversion(200, 230),))],
                              [Skipped("c", "chr9:1", "chromosome chr9 is not in the model")])
        return variants_table(reader, variants, 30, MatchedLoci(reader, 30, [(100, 110)], 15, seed=4), seed=4)
    pd.testing.assert_frame_equal(table(), table())
    assert table()["status"].tolist() == ["read", "read", "skipped"]
    assert table()["note"].iloc[2] == "chromosome chr9 is not in the model"


def test_empirical_p_and_fdr_of_known_numbers():
    assert empirical_p(3, np.array([1, 2, 3, 4])) == pytest.approx(3 / 5)
    assert empirical_p(-9, np.array([-1, 0, 1]), two_sided=True) == pytest.approx(1 / 4)
    assert np.isnan(empirical_p(np.nan, np.array([1.0]))) and np.isnan(empirical_p(1, np.array([])))
    np.testing.assert_allclose(false_discovery_rate(np.array([0.01, 0.04, 0.03, np.nan, 0.5])),
                               [0.04, 0.04 * 4 / 3, 0.04 * 4 / 3, np.nan, 0.5])


def test_measures_of_a_duplication_and_its_interval():
    reader = Reader(flat_model(forward=(110,)))
    reading = reader.read(Variant("v", (Duplication(100, 120),)), 40)
    found = measure(reading)
    assert found["pairs"] == reading.compared.sum() > 0
    assert 0 < found["scc"] <= 1 and found["map_mse"] > 0
    low, high = interval(reading, np.random.default_rng(1))
    assert low < found["mean_beyond_distance"] < high
    nothing = reader.read(Variant("v", (Inversion(100, 120), Inversion(100, 120))), 40)
    assert measure(nothing)["pairs"] == 0 and np.isnan(measure(nothing)["scc"])


def test_loop_strength_falls_where_an_anchor_is_lost():
    model = flat_model()

    class Looping(type(model)):
        def expected_band_of(self, representations, width=None, strand=None):
            band = super().expected_band_of(representations, width, strand)
            anchors = np.flatnonzero(representations[:, 3] > 0)
            for left in anchors:
                for right in anchors[(anchors > left) & (anchors < left + band.shape[1])]:
                    for i in range(left - 1, left + 2):
                        for j in range(right - 1, right + 2):
                            band[i, j - i] *= np.exp(representations[[left, right], 3].sum())
            return band

    model.__class__ = Looping
    model.representations[[150, 180], 3] = 0.5
    reader, loops = Reader(model), Loops(np.array([150]), np.array([180]))
    lost = reader.read(Variant("v", (knockout(180, 181, "zero"),)), 60)
    assert measure(lost, loops)["loop_strength_change"] == pytest.approx(-1, abs=0.1)
    outside = reader.read(Variant("v", (Deletion(185, 200),)), 60)
    assert np.isnan(measure(outside, loops)["loop_strength_change"])


def test_a_set_of_barriers_averages_to_its_effect_and_random_loci_to_none():
    barriers = np.arange(60, 341, 40)
    reader = Reader(flat_model(forward=barriers))
    (sites,) = knockout_sets("barriers", barriers, ("mean",))
    null = MatchedLoci(reader, 15, [variant.span for variant in sites.variants], 40, seed=1)
    effect = read_set(reader, sites, 15, null, seed=1)
    middle = 15
    assert effect.average.shape == (31, 31)
    assert np.isnan(effect.average[middle]).all()  # the sites' own pairs are left out
    assert np.nanmean(effect.average[:middle, middle + 1:]) == pytest.approx(1, abs=0.1)
    assert np.nanmax(np.abs(effect.average[middle + 1:, middle + 1:])) == 0
    found = effect.near_change(10_000, seed=1)
    assert found["sites"] == 8 and found["change"] == pytest.approx(np.e - 1, rel=0.1)
    assert found["p"] < 0.01 and found["low"] <= found["change"] <= found["high"]
    assert abs(found["random"]) < 0.2


def test_orientation_sets_turn_anchors():
    model = flat_model(forward=(100, 250), reverse=(130, 200))
    model.representations[:, 0] = 0
    loops = Loops(np.array([100, 200]), np.array([130, 250]))  # the first convergent, the second divergent
    orientation = np.zeros(800, np.int8)
    orientation[[100, 250]], orientation[[130, 200]] = 1, -1
    reader = Reader(model)
    sets = {(sites.name, sites.method): [variant.edits[0] for variant in sites.variants]
            for sites in orientation_sets(reader, orientation, loops)}
    turned = sets["convergent to divergent", "replacement"]
    assert [edit.start for edit in turned] == [100, 130]
    np.testing.assert_allclose(turned[0].vector, [0, 0, 1, 0])
    np.testing.assert_allclose(turned[1].vector, [0, 1, 0, 0])
    assert [edit.start for edit in sets["divergent to convergent", "flip"]] == [200, 250]
    kept = sets["convergent stays convergent", "replacement"][0]
    np.testing.assert_allclose(kept.vector, reader.representations[100])


def test_domains_lose_their_boundaries():
    model = flat_model(forward=(100, 139))
    domains = pd.DataFrame({"start": [100, 220], "end": [140, 260]})
    sets = domain_sets(domains, np.array([101, 139]))
    assert len(sets["with CTCF"]) == 1 and len(sets["without CTCF"]) == 1
    effect = read_domains(Reader(model), "with CTCF", sets["with CTCF"], "mean")
    assert effect.average.shape == (30, 30) and effect.outer == 10
    assert effect.outside.mean() == pytest.approx(1, abs=0.15)
    assert abs(effect.inside.mean()) < 0.05
    assert np.nanmean(effect.average[:10, 10:20]) == pytest.approx(1, abs=0.15)
    np.testing.assert_allclose(effect.average, effect.average.T)


def test_sites_and_loops_from_files(tmp_path):
    bins = two_chromosomes()
    peaks = tmp_path / "ctcf.narrowPeak.gz"
    with gzip.open(peaks, "wt") as file:
        file.write("track name=x\nchr1\t1003000\t1003400\ta\t0\t+\nchr1\t1009900\t1010300\tb\t0\t-\n"
                   "chrX\t1\t2\tc\t0\t.\n")
    table = read_sites(peaks, bins)
    assert table[["start", "end", "middle", "strand"]].values.tolist() == [[100, 101, 100, "+"], [100, 102, 101, "-"]]
    assert bound_bins(bins, [table, table.head(1)]).tolist() == [100]
    assert orientation_of_bins(bins, table)[[99, 100, 101]].tolist() == [0, 1, -1]
    assert near(np.array([99, 103]), np.array([100, 101])).tolist() == [True, False]
    loops = tmp_path / "loops.bedpe"
    loops.write_text("chr1\tx1\tx2\tchr2\ty1\ty2\n1\t100000\t110000\t1\t300000\t310000\nchr1\t1\t2\tchr2\t1\t2\n")
    found = read_loops(loops, bins)
    assert (found.left.tolist(), found.right.tolist()) == ([10], [30])
    bad = tmp_path / "bad.bed"
    bad.write_text("chr1\t1\t2\nchr1\t5\t99999999999\n")
    with pytest.raises(InputError, match="line 2"):
        read_sites(bad, bins)


def test_motifs_are_found_on_both_strands(tmp_path):
    motif = tmp_path / "motif.jaspar"
    sequence = "CCACCAGGGGGC"
    rows = [[20 if letter == base else 0 for letter in sequence] for base in "ACGT"]
    motif.write_text(">MA0000.1 test\n" + "".join(f"{base} [ {' '.join(map(str, row))} ]\n"
                                                 for base, row in zip("ACGT", rows, strict=True)))
    genome = np.array(list("ACTTA" * 8000))
    genome[15_000:15_012] = list(sequence)
    genome[25_000:25_012] = list(sequence.translate(str.maketrans("ACGT", "TGCA"))[::-1])
    fasta = tmp_path / "genome.fa"
    fasta.write_text(">chr1 test\n" + "\n".join("".join(genome[at:at + 60]).lower() for at in range(0, 40_000, 60))
                     + "\n>other\nNNNN\n")
    found = scan_motif(fasta, motif, two_chromosomes())
    assert sorted(zip(found["middle"], found["strand"], strict=True)) == [(1, "+"), (2, "-")]
    with pytest.raises(InputError, match="JASPAR"):
        scan_motif(fasta, fasta, two_chromosomes())
