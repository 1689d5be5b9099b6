"""Attribution: closed forms, completeness, planted barriers, matched comparisons, tracks that read back."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from hiclstm.attribution import barriers, normalise, profiles, sites, tracks
from hiclstm.attribution.integrated import SummedScore, baseline_of, integrated_gradients
from hiclstm.contacts import write_cool
from hiclstm.errors import InputError
from hiclstm.genome import Bins
from hiclstm.model import HiCLSTM, ModelConfig
from hiclstm.prediction import TrainedModel
from hiclstm.simulation.chromosome import Chromosome
from hiclstm.simulation.truth import Truth

BIN = Path(__file__).parents[2] / "bin"
STEP = 10_000


def bins_of(*lengths, resolution=STEP) -> Bins:
    return Bins(tuple(f"chr{k + 1}" for k in range(len(lengths))), tuple(n * resolution for n in lengths), resolution)


def a_model(config: ModelConfig, *lengths, missing=()) -> TrainedModel:
    bins = bins_of(*lengths)
    network = HiCLSTM(config, bins, seed=3)
    network.requires_grad_(False)
    usable = np.ones(len(bins), bool)
    usable[list(missing)] = False
    return TrainedModel(network, bins, usable, {"cell_type": "X", "replicate": "1", "sample": "X_1.10000"})


def with_barriers(n: int, where: list[int], missing=()) -> TrainedModel:
    """A path model whose bins are all alike, but for a high barrier cost of both strands at some."""
    model = a_model(ModelConfig.named("default", resolution=STEP), n, missing=missing)
    network, config = model.network, model.config
    with torch.no_grad():
        network.free[0][:] = 0
        network.strands[0][:] = 0
        direction = network.path.reading / network.path.reading.square().sum()
        part = torch.cat([6 * direction, torch.zeros(1)])  # the last component is a corner strength
        network.strands[0][where] = torch.cat([part, part])
        network.distance_bias[:] = -3
    assert config.path_reach
    return model


# Integrated gradients

def test_attribution_of_a_linear_score_has_a_closed_form():
    """With u R_i + w R_j as the only score, a bin counts as a row for the pairs to its right and as a column to its left."""
    model = a_model(ModelConfig("default", representation_size=5, use_lstm=False, distance_term=False), 40, missing=(7, 20))
    network, usable = model.network, model.usable
    with torch.no_grad():
        network.pair_matrix[:] = 0
        network.pair_row[:] = torch.arange(5.0)
        network.pair_column[:] = torch.tensor([1.0, 0, -2, 0, 3])
    found = integrated_gradients(model, usable, max_distance=12 * STEP)
    far = np.abs(np.subtract.outer(np.arange(40), np.arange(40)))
    pair = usable[:, None] & usable[None, :] & (far >= 1) & (far <= 12)
    right, left = np.triu(pair).sum(1), np.tril(pair).sum(1)
    vectors = model.representations.astype(float)
    moved = vectors - vectors[usable].mean(0)
    expected = (moved @ network.pair_row.double().numpy()) * right + (moved @ network.pair_column.double().numpy()) * left
    assert np.allclose(found.score[usable], expected[usable], atol=1e-3)
    assert np.isnan(found.score[~usable]).all() and found.error < 1e-4 and found.width == 13


@pytest.mark.parametrize("baseline", ["mean", "zero", "padding"])
def test_completeness_is_measured_against_the_predictors_scores(baseline):
    model = a_model(ModelConfig.named("default", resolution=STEP), 40, 33, missing=(5, 50))
    found = integrated_gradients(model, model.usable, baseline=baseline, most_steps=32)
    lacking = whole = 0.0
    for chromosome in model.bins.chromosomes:
        span = model.bins.span(chromosome)
        own, usable = model.representations[span], model.usable[span]
        start = np.where(usable[:, None], baseline_of(model, baseline), own).astype(np.float32)
        pairs = np.triu(np.outer(usable, usable), 1)
        difference = 0.0
        for sign, vectors in ((1, own), (-1, start)):
            band = model.score_band_of(vectors, len(own))
            row, distance = np.nonzero(np.isfinite(band))
            difference += sign * (band[row, distance] * pairs[row, row + distance]).sum(dtype=float)
        lacking += abs(np.nansum(found.score[span]) - difference)
        whole += abs(difference)
    assert found.error == pytest.approx(lacking / whole, rel=0.02, abs=1e-4)


def test_a_model_of_gentle_vectors_is_attributed_completely():
    model = with_barriers(120, [30, 70])
    assert integrated_gradients(model, model.usable).error < 0.01


def test_the_target_is_the_predictors_score():
    model = a_model(ModelConfig.named("default", resolution=STEP), 200)
    target = SummedScore(model, model.usable, 90)
    value = float(target(torch.from_numpy(model.representations)[None]))
    band = model.score_band_of(model.representations, 90)
    assert value == pytest.approx(np.nansum(band[:, 1:], dtype=float), rel=1e-5)
    assert target.pairs == np.isfinite(band[:, 1:]).sum()


def test_baselines():
    model = a_model(ModelConfig("default"), 30, missing=(3, 9))
    vectors = model.representations
    assert np.allclose(baseline_of(model, "mean"), vectors[model.usable].mean(0))
    assert np.allclose(baseline_of(model, "padding"), vectors[[3, 9]].mean(0)) and not baseline_of(model, "zero").any()
    with pytest.raises(InputError, match="--baseline random: there are mean, zero, padding"):
        baseline_of(model, "random")


# Normalisation

def test_normalisations_of_both_papers():
    score = np.array([2.0, 6.0, 4.0, -1.0, -5.0, 0.0, np.nan])
    assert np.allclose(normalise.signed(score), [0, 1, 0.5, 0, -1, 0, np.nan], equal_nan=True)
    logged = normalise.logged(np.array([1.0, np.e, np.e**4, -3.0, np.nan]))
    assert np.allclose(logged, [0, 0.25, 1, np.nan, np.nan], equal_nan=True)
    z = normalise.z(score)
    assert np.nanmean(z) == pytest.approx(0) and np.nanstd(z) == pytest.approx(1)


# Barriers

def test_planted_barriers_are_found_by_every_score():
    where = [40, 90, 130]
    model = with_barriers(180, where)
    costs, lost = barriers.barrier_costs(model), barriers.knockout_effects(model, model.usable)
    assert set(np.argsort(-costs)[:3]) == set(where)
    assert set(np.argsort(-np.nan_to_num(lost))[:3]) == set(where) and lost[where].min() > 0.05
    attribution = integrated_gradients(model, model.usable).score
    assert set(np.argsort(attribution)[:3]) == set(where)  # a barrier lowers the contacts across it
    assert barriers.barrier_costs(a_model(ModelConfig.named("paper"), 30)) is None


def test_knockout_in_windows_is_that_of_the_whole_chromosome():
    model = with_barriers(120, [60], missing=(52, 66))
    lost = barriers.knockout_effects(model, model.usable)
    vectors = model.representations
    reach, at = 20, 61
    around = np.r_[at - reach:at, at + 1:at + reach + 1]
    changed = vectors.copy()
    changed[at] = vectors[around[model.usable[around]]].mean(0)
    before, after = (model.score_band_of(part, 2 * reach + 1) for part in (vectors, changed))
    across = [(i, j) for i in range(at - reach, at) for j in range(at + 1, at + reach + 1)
              if model.usable[[i, j]].all() and j - i <= 2 * reach]
    expected = np.mean([after[i, j - i] - before[i, j - i] for i, j in across])
    assert lost[at] == pytest.approx(expected, abs=2e-3)
    assert np.isnan(lost[[52, 66, 3, 119]]).all()


def test_true_barriers_at_the_truths_and_at_a_coarser_resolution():
    strength = np.zeros(40)
    strength[[4, 20, 33]] = 0.9, 0.4, 0.85
    flat = np.zeros((40, 2)), np.zeros(40, np.int8), np.ones(40)
    truth = Truth({"chr1": Chromosome(strength, np.zeros(40), *flat)}, "extrusion", STEP, 1.0)
    strong, site = barriers.true_barriers(truth, bins_of(40))
    assert np.flatnonzero(strong).tolist() == [4, 33] and np.flatnonzero(site).tolist() == [4, 20, 33]
    strong, site = barriers.true_barriers(truth, bins_of(8, resolution=5 * STEP))
    assert np.flatnonzero(strong).tolist() == [0, 6] and np.flatnonzero(site).tolist() == [0, 4, 6]


# Profiles, matching, ranking

def test_profile_over_domains_of_different_lengths():
    bins = bins_of(200)
    domains = pd.DataFrame({"chrom": "chr1", "start": [20 * STEP, 100 * STEP], "end": [40 * STEP, 150 * STEP]})
    track = np.zeros(200)
    for start, end in ((20, 40), (100, 150)):
        track[start:end] = 1
        track[[start - 1, end]] = 5
    found = profiles.domain_profile(track, domains, bins)
    assert len(found) == 20 and found["part"].tolist() == [0] * 5 + list(range(1, 11)) + [0] * 5
    assert found["mean"].tolist() == [0, 0, 0, 0, 5, *[1] * 10, 5, 0, 0, 0, 0]
    assert found["place"].dropna().tolist() == [-50, -40, -30, -20, -10, 10, 20, 30, 40, 50]
    assert found["null"].max() < 2


def test_gc_of_bins(tmp_path):
    (tmp_path / "g.fa").write_text(">chrX other\nGGGG\n>1 chromosome one\nGCGCAATTNN\nAAAAGNNNNNNNNNNNNNNN\n")
    bins = Bins(("chr1",), (30,), 10)
    assert np.allclose(profiles.gc_content(tmp_path / "g.fa", bins), [0.5, 0.2, np.nan], equal_nan=True)
    with pytest.raises(InputError, match="has no sequence of chr7"):
        profiles.gc_content(tmp_path / "g.fa", Bins(("chr7",), (30,), 10))


def test_matched_bins_are_alike_and_not_taken_twice():
    bins = bins_of(300, 100)
    random = np.random.default_rng(0)
    coverage = random.normal(size=(400, 1))
    usable = random.random(400) < 0.9
    chosen = np.flatnonzero(usable & (coverage[:, 0] > 1))
    allowed = np.ones(400, bool)
    allowed[chosen] = False
    own, found = sites.Matching(bins, coverage, usable).match(chosen, allowed)
    assert len(np.unique(found)) == len(found) and usable[found].all() and not np.isin(found, chosen).any()
    assert ((found < 300) == (own < 300)).all() and set(own) <= set(chosen) and len(own) > 40
    assert coverage[found].mean() > coverage[usable & allowed].mean() + 0.7  # the nearest there are
    spread = np.flatnonzero(usable & (np.arange(400) % 5 == 0))
    allowed = np.ones(400, bool)
    allowed[spread] = False
    own, found = sites.Matching(bins, coverage, usable).match(spread, allowed)
    assert set(own) == set(spread) and np.abs(coverage[own] - coverage[found]).mean() < 0.1


def test_ranking_finds_the_planted_set_and_controls_for_ctcf():
    bins, random = bins_of(1000), np.random.default_rng(1)
    usable = np.ones(1000, bool)
    score = random.normal(size=1000)
    planted, other, noise = (random.choice(1000, 150, replace=False) for _ in range(3))
    score[planted] -= 1.5
    near = np.unique(np.concatenate([planted[:120], other[:30]]))  # mostly where CTCF is, without an effect of its own

    def peaks(numbers):
        return pd.DataFrame({"chrom": "chr1", "start": numbers * STEP + 10, "end": numbers * STEP + 20})

    matching = sites.Matching(bins, random.normal(size=(1000, 1)), usable)
    table = sites.ranking({"CTCF": peaks(planted), "near": peaks(near), "noise": peaks(noise)}, {"attribution": score}, bins,
                          usable, matching).set_index(["subset", "element"])
    assert table.loc[("all", "CTCF"), "rank"] == 1 and table.loc[("all", "CTCF"), "effect"] < 0.2
    assert table.loc[("all", "near"), "fdr"] < 1e-6 < 0.05 < table.loc[("all", "noise"), "fdr"]
    assert table.loc[("without_ctcf", "near"), "fdr"] > 0.05 and ("without_ctcf", "CTCF") not in table.index


def test_mann_whitney_of_a_known_case():
    score = np.concatenate([np.arange(10.0), np.arange(10.0) + 100])
    found = sites.compare(score, "high", np.arange(10, 20), "low", np.arange(10))
    assert found.effect == 1 and found.p < 0.001 and found.mean == 104.5
    assert np.isnan(sites.compare(score, "few", np.arange(3), "low", np.arange(10)).p)


# Tracks and the command

def test_tracks_read_back_and_the_hub_names_them(tmp_path):
    import pyBigWig

    bins = Bins(("1",), (95_000,), STEP)
    values = np.linspace(-1, 1, 10)
    values[3] = np.nan
    tracks.write_tracks(str(tmp_path / "X_1"), bins, {"attribution": (values, "words")}, "GRCh37", "X_1")
    with pyBigWig.open(str(tmp_path / "X_1.attribution.bw")) as file:
        assert file.values("1", 94_999, 95_000)[0] == pytest.approx(1) and np.isnan(file.values("1", 30_000, 30_001)[0])
    with pyBigWig.open(str(tmp_path / "X_1.hub/attribution.bw")) as file:
        assert list(file.chroms()) == ["chr1"]
    hub = (tmp_path / "X_1.hub/hub.txt").read_text()
    assert "genome hg19" in hub and "bigDataUrl attribution.bw" in hub and "type bigWig -1 1" in hub
    assert len((tmp_path / "X_1.attribution.bedGraph").read_text().splitlines()) == 9


def test_command_end_to_end(tmp_path):
    model = with_barriers(150, list(range(10, 150, 12)), missing=(77,))
    with torch.no_grad():
        random = torch.Generator().manual_seed(1)
        model.network.free[0][:] = torch.randn(150, model.config.free_size, generator=random) * 0.05
    model.save(tmp_path / "m.pt")
    bins = model.bins
    weight = np.where(model.usable, 1.0, np.nan)
    row, distance = np.nonzero(np.isfinite(band := model.expected_band("chr1", 30)))
    count = np.random.default_rng(0).poisson(20 * band[row, distance])
    pixels = pd.DataFrame({"bin1_id": row, "bin2_id": row + distance, "count": count})
    write_cool(tmp_path / "X_1.cool", bins, weight, pixels[pixels["count"] > 0],
               {"cell_type": "X", "replicate": "1", "sample": "X_1.10000", "assembly": "hg19", "raw": True})
    here = [("chr1", k * STEP + 5, k * STEP + 50) for k in range(10, 150, 12)]
    there = [("chr1", k * STEP + 5, k * STEP + 50) for k in range(4, 150, 7)]
    tads = [(name, start - 5, start - 5 + 12 * STEP) for name, start, _ in here[:-1]]
    for name, rows in (("ctcf", here), ("noise", there), ("tads", tads)):
        (tmp_path / f"{name}.bed").write_text("".join("\t".join(map(str, one)) + "\n" for one in rows))
    (tmp_path / "s.csv").write_text("cell_type,element,file\nX,CTCF,ctcf.bed\nX,noise,noise.bed\n*,TADs,tads.bed\n")
    done = subprocess.run([sys.executable, BIN / "attribute_positions.py", "--contacts", "X_1.cool", "--model", "m.pt",
                           "--annotations", "s.csv", "--steps", "32", "--output", "out"], cwd=tmp_path, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    metrics = pd.read_csv(out / "X_1.10000.attribute.metrics.tsv", sep="\t")
    metrics = metrics.set_index(["method", "metric", "stratum"])["value"]
    assert metrics["default", "completeness_error", "all"] < 0.05
    assert metrics["default-barrier_cost", "auroc_matched", "CTCF"] > 0.95
    assert metrics["default", "auroc_matched", "CTCF"] < 0.2
    table = pd.read_csv(out / "X_1.10000.attribution.tsv", sep="\t")
    assert list(table.columns) == ["chrom", "start", "end", "usable", "attribution", "attribution_signed",
                                   "attribution_logged", "attribution_z", "barrier_cost", "knockout"]
    ranked = pd.read_csv(out / "X_1.10000.attribute.enrichment.tsv", sep="\t")
    first = ranked[ranked["subset"] == "all"].groupby("score")["element"].first()
    assert first["attribution"] == first["barrier_cost"] == "CTCF"
    profile = pd.read_csv(out / "X_1.10000.attribute.profile.tsv", sep="\t").query("score == 'barrier_cost'")
    assert profile["mean"].idxmax() in profile.index[[4, 5, 14, 15]]
    for name in ("attribution.bw", "attribution.bedGraph", "hub/hub.txt", "attribute.violins.attribution.svg"):
        assert (out / f"X_1.10000.{name}").exists()
