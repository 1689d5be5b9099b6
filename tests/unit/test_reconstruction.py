"""Scores, yardsticks, insulation, loops, frames and the script, on closed forms and known truth."""

import importlib.util
import json
import sys
import types
from pathlib import Path

import cooler
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from hiclstm.contacts import ContactMap, band_to_square, contact_probability, write_cool
from hiclstm.errors import InputError
from hiclstm.genome import Bins
from hiclstm.metrics import MetricsTable
from hiclstm.reconstruction import domains, loops, refined, yardsticks
from hiclstm.reconstruction.evaluate import Against, check_matching, evaluate
from hiclstm.reconstruction.scores import (
    DISTANCE_BANDS,
    Target,
    ceiling,
    compare,
    poisson_deviance,
    stratum_scores,
    summarise,
)

RESOLUTION = 50_000


def expected_map(n: int, seed: int = 0, level: float = 4000.0) -> np.ndarray:
    """A smooth symmetric map that falls with distance and has compartments."""
    rng = np.random.default_rng(seed)
    track = np.cumsum(rng.normal(size=n))
    track = np.sin(track / 3)
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    return level / (1 + distance) * np.exp(0.5 * np.multiply.outer(track, track))


def to_band(square: np.ndarray) -> np.ndarray:
    n = len(square)
    band = np.full((n, n), np.nan, np.float32)
    for distance in range(n):
        band[:n - distance, distance] = np.diagonal(square, distance)
    return band


def contact_map(square: np.ndarray, weight: np.ndarray, replicate: str = "1", chromosome: str = "chr1",
                resolution: int = RESOLUTION) -> ContactMap:
    """A ContactMap of a square of raw counts."""
    n = len(square)
    rows, columns = np.nonzero(np.triu(square))
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))]).astype(np.int64)
    return ContactMap(Bins((chromosome,), (n * resolution,), resolution), starts, columns.astype(np.int32),
                      square[rows, columns].astype(np.float32), weight.astype(float),
                      {"cell_type": "TEST", "replicate": replicate, "sample": f"TEST_{replicate}.{resolution}",
                       "raw": True})


def sequenced(truth: np.ndarray, seed: int, depth: float = 1.0, missing=()) -> tuple[np.ndarray, np.ndarray]:
    """Counts and weights of a truth seen through biases at some depth."""
    rng = np.random.default_rng(seed)
    bias = rng.uniform(0.7, 1.4, len(truth))
    counts = np.triu(rng.poisson(truth * np.multiply.outer(bias, bias) * depth))
    counts = counts + np.triu(counts, 1).T
    weight = 1 / (bias * np.sqrt(depth))
    weight[list(missing)] = np.nan
    return counts, weight


def scores(sums, target) -> dict:
    return {(score.metric, score.stratum): score
            for score in summarise([sums], [target.centres], RESOLUTION, seed=1)}


@pytest.fixture(scope="module")
def pair():
    truth = expected_map(240)
    one, two = (contact_map(*sequenced(truth, seed, depth, missing=(5, 6, 100)), replicate=str(k))
                for k, seed, depth in ((1, 1, 1.0), (2, 2, 0.6)))
    return to_band(truth), one, two


# --- scores ---------------------------------------------------------------------------------------------------------


def test_a_perfect_prediction_scores_one(pair):
    truth, one, _ = pair
    trained = one.balanced_band("chr1")
    target = Target.build(trained, truth, blocks=8)
    found = scores(compare(target.band, target), target)
    for metric in ("r2_cp", "r2_cp_by_distance", "pearson_cp", "pearson_log", "pearson_lin", "spearman", "scc_h0"):
        assert found[metric, "all"].value == pytest.approx(1, abs=1e-6)
        assert found[metric, "all"].high - found[metric, "all"].low == pytest.approx(0, abs=1e-5)
    assert not any(metric == "deviance" for metric, _ in found)  # a truth has no counts


def test_only_pairs_usable_in_both_and_seen_in_training_are_scored():
    truth = expected_map(60)
    counts, weight = sequenced(truth, 1, missing=(3,))
    counts[10, 20] = counts[20, 10] = 0
    trained = contact_map(counts, weight).balanced_band("chr1")
    observed = contact_map(*sequenced(truth, 2, missing=(7,))).balanced_band("chr1")
    target = Target.build(trained, observed)
    pairs = band_to_square(target.pairs.astype(float)) > 0
    assert not pairs[3].any() and not pairs[7].any()  # missing in one of them
    assert not pairs[10, 20] and not pairs.diagonal().any()
    told = np.isfinite(trained) & np.isfinite(observed)
    assert target.band[told].sum() == pytest.approx(trained[told].sum(), rel=1e-5)  # the same total


def test_correlations_agree_with_numpy_in_every_stratum(pair):
    truth, one, two = pair
    trained, observed = one.balanced_band("chr1"), two.balanced_band("chr1")
    target = Target.build(trained, observed, weight=two.weight, blocks=6)
    found = stratum_scores(compare(truth, target).sum(axis=0))
    for distance in (1, 17, 120):
        here = target.pairs[:, distance]
        x, y = truth[here, distance].astype(float), target.band[here, distance].astype(float)
        for space, change in (("cp", contact_probability), ("log", np.log1p), ("lin", lambda value: value)):
            r = np.corrcoef(change(x), change(y))[0, 1]
            assert found[f"pearson_{space}"][distance] == pytest.approx(r, abs=1e-6)
        r = pd.Series(x).corr(pd.Series(y), method="spearman")
        assert found["spearman"][distance] == pytest.approx(r, abs=1e-6)
        p, q = contact_probability(x), contact_probability(y)
        r2 = 1 - ((p - q) ** 2).sum() / ((q - q.mean()) ** 2).sum()
        assert found["r2_cp_by_distance"][distance] == pytest.approx(r2, abs=1e-6)


def test_overall_r2_is_that_of_the_pooled_pairs(pair):
    truth, one, two = pair
    target = Target.build(one.balanced_band("chr1"), two.balanced_band("chr1"), weight=two.weight, blocks=6)
    found = scores(compare(truth, target), target)
    for stratum, (low, high) in DISTANCE_BANDS.items():
        inside = target.pairs.copy()
        distance = np.arange(inside.shape[1]) * RESOLUTION
        inside[:, (distance < low) | (distance >= high)] = False
        p, q = (contact_probability(part[inside].astype(float)) for part in (truth, target.band))
        if inside.any():
            r2 = 1 - ((p - q) ** 2).sum() / ((q - q.mean()) ** 2).sum()
            assert found["r2_cp", stratum].value == pytest.approx(r2)
            assert found["r2_cp", stratum].n == inside.sum()


def test_what_knows_only_distance_scores_zero(pair):
    _, one, two = pair
    trained = one.balanced_band("chr1")
    target = Target.build(trained, two.balanced_band("chr1"), weight=two.weight, blocks=6)
    found = scores(compare(yardsticks.distance_mean(trained), target,
                           probability=yardsticks.mean_probability(trained, 1.0)), target)
    for metric in ("pearson_cp", "pearson_log", "pearson_lin", "spearman", "scc_h0"):
        assert found[metric, "all"].value == 0
    assert -0.2 < found["r2_cp_by_distance", "all"].value <= 0
    assert found["r2_cp", "all"].value > 0.3  # which is why the overall R² alone is no score


def test_scc_by_hand():
    """Two strata of 40 and 39 pairs: weights 41/12 and 40/12, correlations made to be 1 and -1."""
    n = 41
    rng = np.random.default_rng(0)
    observed = np.full((n, 3), np.nan, np.float32)
    observed[:, 0] = 1
    for distance in (1, 2):
        observed[:n - distance, distance] = rng.uniform(1, 9, n - distance)
    predicted = observed.copy()
    predicted[:, 2] = 10 - observed[:, 2]
    target = Target.build(observed, observed, blocks=1)
    found = scores(compare(predicted, target), target)
    assert found["scc_h0", "all"].value == pytest.approx((41 / 12 - 40 / 12) / (41 / 12 + 40 / 12), abs=1e-6)
    # Those weights are HiCRep's N sqrt(var(rank x / N) var(rank y / N)).
    ranks = np.arange(1, 41) / 40
    assert 40 * ranks.var(ddof=1) == pytest.approx(41 / 12)


def test_strata_below_thirty_pairs_are_left_out():
    n = 45
    truth = to_band(expected_map(n))
    target = Target.build(truth, truth, blocks=1)
    found = scores(compare(truth, target), target)
    assert found["pearson_cp", "all"].n == 15  # distances 1 to 15 have 44 to 30 pairs
    assert found["r2_cp", "all"].n == n * (n - 1) / 2


def test_deviance_of_the_truth_is_about_one(pair):
    truth, one, two = pair
    trained, observed = one.balanced_band("chr1"), two.balanced_band("chr1")
    target = Target.build(trained, observed, weight=two.weight)
    value = scores(compare(truth, target), target)["deviance", "all"].value
    assert value == pytest.approx(1.03, abs=0.05)
    blurred = yardsticks.blur(trained, 3.0, 240)
    assert scores(compare(blurred, target), target)["deviance", "all"].value > value + 0.2
    assert poisson_deviance(np.array([0.0, 4.0]), np.array([1.5, 4.0])) == pytest.approx([3.0, 0.0])


def test_missing_predictions_are_refused(pair):
    truth, one, _ = pair
    target = Target.build(one.balanced_band("chr1"), truth)
    broken = truth.copy()
    broken[50, 3] = np.nan
    with pytest.raises(ValueError, match="missing values"):
        compare(broken, target)


def test_ceiling_is_what_the_truth_scores():
    """Known truth, a target four times shallower than the training map: the ceiling must be the shallow map's own."""
    truth = expected_map(300, level=20_000.0)
    one, two = (contact_map(*sequenced(truth, seed, depth)) for seed, depth in ((1, 1.0), (2, 0.25)))
    trained, observed = one.balanced_band("chr1"), two.balanced_band("chr1")
    target = Target.build(trained, observed, weight=two.weight)
    known = scores(compare(to_band(truth), target), target)
    found = scores(ceiling(target, yardsticks.blur(trained, 1.0, 300), np.random.default_rng(0)), target)
    for metric, tolerance in (("pearson_lin", 0.01), ("pearson_cp", 0.02), ("pearson_log", 0.015), ("r2_cp", 0.03),
                              ("scc_h0", 0.005), ("deviance", 0.05)):
        assert found[metric, "all"].value == pytest.approx(known[metric, "all"].value, abs=tolerance), metric
    assert known["pearson_lin", "all"].value < 0.9  # noise matters here
    assert ("spearman", "all") not in found
    with pytest.raises(ValueError, match="no sampling noise"):
        ceiling(Target.build(trained, to_band(truth)), trained, np.random.default_rng(0))


def test_ceiling_of_a_map_that_is_nearly_all_noise():
    """0.3 expected contacts a pair, signal a thirtieth of the variance: strata of few contacts must not pull it down."""
    n, differences = 400, []
    for seed in range(3):
        random = np.random.default_rng(seed)
        compartment = np.repeat(random.choice([-1, 1], 40), 10)
        truth = 0.3 * np.exp(0.35 * np.outer(compartment, compartment))
        maps = [np.triu(random.poisson(truth)).astype(np.float32) for _ in range(2)]
        target = Target.build(*map(to_band, maps), weight=np.ones(n))
        smooth = yardsticks.blur(to_band(maps[0]), 1.5, n)
        found = scores(ceiling(target, smooth, np.random.default_rng(0)), target)["pearson_lin", "all"].value
        known = scores(compare(to_band(truth).astype(np.float32), target), target)["pearson_lin", "all"].value
        differences.append(found - known)
        assert 0.1 < known < 0.25
    assert abs(np.mean(differences)) < 0.03


def test_intervals_cover_and_repeat(pair):
    _, one, two = pair
    target = Target.build(one.balanced_band("chr1"), two.balanced_band("chr1"), weight=two.weight)
    sums = compare(one.balanced_band("chr1"), target)
    first, again = scores(sums, target), scores(sums, target)
    for key, score in first.items():
        assert score == again[key]
        assert score.low <= score.value <= score.high
    row = first["pearson_lin", "all"]
    assert 0.001 < row.high - row.low < 0.3
    # Over four chromosomes whole chromosomes are drawn: four equal ones have no spread.
    same = summarise([sums] * 4, [target.centres] * 4, RESOLUTION, 1)
    assert all(score.high - score.low == pytest.approx(0, abs=1e-9) for score in same)
    assert same[0].n == 4 * summarise([sums], [target.centres], RESOLUTION, 1)[0].n


# --- yardsticks -----------------------------------------------------------------------------------------------------


def test_blur_is_scipys_on_a_whole_map():
    n = 60
    square = expected_map(n)
    band = to_band(square)
    expected = yardsticks.distance_means(band)
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    ratio = square / expected[distance]
    for sigma in (0.5, 1.5):
        there = gaussian_filter(np.ones((n, n)), sigma, mode="constant")
        by_scipy = gaussian_filter(ratio, sigma, mode="constant") / there * expected[distance]
        np.testing.assert_allclose(yardsticks.blur(band, sigma, n), to_band(by_scipy), rtol=1e-4)
        # A narrower band with its margin gives the same.
        np.testing.assert_allclose(yardsticks.blur(band[:, :10 + 12], sigma, 10), to_band(by_scipy)[:, :10], rtol=1e-4)


def test_blur_conserves_what_is_only_distance_around_missing_bins():
    n = 80
    band = to_band(1000.0 / (1 + np.abs(np.subtract.outer(np.arange(n), np.arange(n)))) ** 0.8)
    for missing in (0, 30, 31):
        band[missing] = np.nan
        for distance in range(min(n, missing + 1)):
            band[missing - distance, distance] = np.nan
    blurred = yardsticks.blur(band, 1.5, n)
    told = np.isfinite(band)
    np.testing.assert_allclose(blurred[told], band[told], rtol=1e-5)


def test_svd_is_numpys(pair):
    _, one, _ = pair
    n = 240
    band = one.balanced_band("chr1")
    square = band_to_square(band).astype(float)
    usable = np.flatnonzero(one.usable)
    expected = yardsticks.distance_means(band)[np.abs(np.subtract.outer(np.arange(n), np.arange(n)))]
    logs = np.log((square + 1) / (expected + 1))[np.ix_(usable, usable)]
    left, values, right = np.linalg.svd(logs)
    rank16 = np.full((n, n), np.nan)
    rank16[np.ix_(usable, usable)] = (left[:, :16] * values[:16]) @ right[:16]
    wanted = to_band(np.maximum(np.exp(rank16) * (expected + 1) - 1, 0))[:, :90]
    found = yardsticks.svd16(one, "chr1", 90)
    told = np.isfinite(wanted)
    np.testing.assert_allclose(found[told], wanted[told], rtol=1e-3, atol=1e-3)


def test_sigma_is_chosen_wider_for_shallower_maps():
    truth = expected_map(320, level=300.0)
    deep, shallow = (contact_map(*sequenced(truth, 1, depth)) for depth in (100.0, 0.2))
    assert yardsticks.choose_sigma(deep, 320, seed=1) < yardsticks.choose_sigma(shallow, 320, seed=1)
    balanced_only = ContactMap(deep.bins, deep.starts, deep.columns, deep.counts, deep.weight, {"raw": False})
    assert yardsticks.choose_sigma(balanced_only, 320, seed=1) == 1.0


# --- domains, loops, frames -----------------------------------------------------------------------------------------


def test_insulation_of_two_blocks():
    n, window = 60, 5
    block = np.arange(n) // 30
    band = to_band(np.where(np.equal.outer(block, block), 8.0, 1.0))
    score = domains.insulation(band, window)
    assert np.isnan(score[:window]).all() and np.isnan(score[-window:]).all()
    assert score[15] == pytest.approx(0)  # inside a block: the median
    # Bins 29 and 30 are either side of the boundary; the bin itself is in no diamond, so all pairs cross.
    assert score[30] == pytest.approx(np.log2(1 / 8))
    assert score[29] == pytest.approx(np.log2(1 / 8))
    # Bin 27's diamond: partners 28, 29 in the block, 30 to 32 beyond.
    assert score[27] == pytest.approx(np.log2((2 * 8 + 3 * 1) / 5 / 8))
    band[27] = np.nan
    assert domains.correlation(score, score) == (pytest.approx(1.0), n - 2 * window)
    assert np.isnan(domains.insulation(band[:, :10], window)).all()
    assert domains.windows(10_000) == {"window of 10 bins": 10, "window of 500000 bp": 50}
    assert domains.windows(50_000) == {"window of 10 bins": 10}


def test_a_dot_is_found_by_its_corner_score():
    n = 120
    square = 1000.0 / (1 + np.abs(np.subtract.outer(np.arange(n), np.arange(n))))
    dots = [(30, 60), (50, 80)]
    for i, j in dots:
        square[i - 1:i + 2, j - 1:j + 2] *= 4
        square[j - 1:j + 2, i - 1:i + 2] *= 4
    called = loops.Loops(np.array([i for i, _ in dots] + [3]), np.array([j - i for i, j in dots] + [9]))
    band = to_band(square)
    windows = loops.windows_around(band, called)
    assert windows.shape == (2, 11, 11)  # the third is too near the diagonal
    raised = yardsticks.distance_means(band)[30] / square[10, 40]
    assert loops.corner_score(windows) == pytest.approx(4 / raised, rel=0.1)
    plain = loops.windows_around(to_band(1000.0 / (1 + np.abs(np.subtract.outer(np.arange(n), np.arange(n))))), called)
    assert loops.corner_score(plain) == pytest.approx(1, rel=1e-4)
    # Rows are the first anchor, columns the second: the lower left corner is nearest the diagonal.
    square[33:36, 55:58] *= 9
    assert loops.corner_score(loops.windows_around(to_band(square), called)) < loops.corner_score(windows) / 2


def test_bedpe_is_read_and_bad_lines_are_named(tmp_path):
    bins = Bins(("chr1", "chr2"), (1_000_000, 1_000_000), 10_000)
    path = tmp_path / "loops.bedpe"
    path.write_text("chr1\tx1\tx2\tchr2\ty1\ty2\tcolor\n1\t700000\t710000\tchr1\t200000\t210000\n"
                    "chr1\t10\t20\tchr2\t10\t20\n#comment\nchr9\t1\t2\tchr9\t3\t4\n")
    found = loops.read_loops(path, bins)
    assert list(found) == ["chr1"]
    assert found["chr1"].first.tolist() == [20] and found["chr1"].distance.tolist() == [50]
    path.write_text("chr1\t1\t2\tchr1\t3\t4\nchr1\t1\tbad\tchr1\t3\t4\n")
    with pytest.raises(InputError, match="line 2: expected BEDPE"):
        loops.read_loops(path, bins)
    with pytest.raises(InputError, match="cannot be read"):
        loops.read_loops(tmp_path / "absent.bedpe", bins)


# --- the whole evaluation -------------------------------------------------------------------------------------------


def test_evaluation_has_every_row_and_the_truth_wins(pair):
    truth, one, two = pair
    metrics = MetricsTable("TEST", "1", RESOLUTION, "reconstruct")
    noiseless = contact_map(band_to_square(truth), np.ones(240))
    found = evaluate(one, lambda chromosome: truth, "default", None,
                     [Against("1", one), Against("2", two), Against("truth", noiseless, noiseless=True)], metrics,
                     called_loops={"chr1": loops.Loops(np.array([40, 90]), np.array([30, 40]))}, frame=50)
    table = metrics.frame().set_index(["against", "method", "metric", "stratum"])
    assert not table.index.duplicated().any()
    methods = ["default", "distance_mean", "svd16", "blur", "replicate", "blur_best"]
    for against in ("2", "truth"):
        for method in methods:
            for metric in ("r2_cp", "r2_cp_by_distance", "pearson_cp", "pearson_log", "pearson_lin", "scc_h0"):
                for stratum in ("0-500000", "500000-2000000", "2000000-10000000", "all"):
                    assert np.isfinite(table.loc[(against, method, metric, stratum), "value"])
    value = table["value"]
    assert value["truth", "default", "pearson_cp", "all"] == pytest.approx(1, abs=1e-5)
    assert value["2", "default", "strata_above_replicate", "all"] > 0.95
    assert value["2", "default", "strata_above_best_blur", "all"] > 0.8
    for metric in ("pearson_cp", "pearson_log", "pearson_lin"):
        best = max(value["2", method, metric, "all"] for method in methods)
        assert best == value["2", "default", metric, "all"]
        assert value["2", "blur", metric, "all"] <= value["2", "blur_best", metric, "all"]
        assert value["2", "ceiling", metric, "all"] == pytest.approx(best, abs=0.02)
    assert ("1", "replicate", "pearson_cp", "all") not in table.index  # a map predicts itself perfectly
    assert ("1", "ceiling", "pearson_cp", "all") not in table.index  # pairs are chosen by this map's own counts
    assert ("truth", "ceiling", "pearson_cp", "all") not in table.index
    assert value["truth", "default", "insulation", "window of 10 bins"] == pytest.approx(1, abs=1e-6)
    assert value["", "distance_mean", "apa", "all"] == pytest.approx(1, abs=1e-5)
    assert value["2", "default", "frame_seam", "all"] == pytest.approx(1, abs=0.1)
    assert set(found.frames["frame"]) >= {0, 1, 2, 3}
    assert set(found.by_distance["method"]) == {*methods, "ceiling"}


def joined(maps: list[ContactMap]) -> ContactMap:
    """Maps of one chromosome each as one map."""
    offsets = np.cumsum([0] + [len(part.bins) for part in maps])
    entries = np.cumsum([0] + [len(part.counts) for part in maps])
    names, sizes = ([getattr(part.bins, what)[0] for part in maps] for what in ("chromosomes", "sizes"))
    bins = Bins(tuple(names), tuple(sizes), RESOLUTION)
    return ContactMap(bins, np.concatenate([part.starts[:-1] + at for part, at in zip(maps, entries[:-1], strict=True)]
                                           + [entries[-1:]]),
                      np.concatenate([part.columns + at for part, at in zip(maps, offsets[:-1], strict=True)]),
                      np.concatenate([part.counts for part in maps]), np.concatenate([part.weight for part in maps]),
                      maps[0].facts)


def test_several_chromosomes_count_as_strata_of_their_own():
    names = [f"chr{k}" for k in range(1, 6)]
    truths = {name: expected_map(70 + 5 * k, seed=k) for k, name in enumerate(names)}
    one, two = (joined([contact_map(*sequenced(truths[name], 10 * seed + k), str(seed), name)
                        for k, name in enumerate(names)]) for seed in (1, 2))
    np.testing.assert_array_equal(one.balanced_band("chr3"),
                                  contact_map(*sequenced(truths["chr3"], 12), "1", "chr3").balanced_band("chr3"))
    metrics = MetricsTable("TEST", "1", RESOLUTION, "reconstruct")
    found = evaluate(one, lambda chromosome: to_band(truths[chromosome]), "paper", 40, [Against("2", two)], metrics)
    table = metrics.frame().set_index(["method", "metric", "stratum"])
    strata = sum(min(39, n - 30) for n in (70, 75, 80, 85, 90))  # distances of each chromosome with 30 pairs
    assert table.loc[("paper", "pearson_log", "all"), "n"] == strata
    assert table.loc[("paper", "pearson_log", "all"), "low"] < table.loc[("paper", "pearson_log", "all"), "value"]
    assert sorted(found.by_distance["chromosome"].unique()) == names
    part = one.bins.subset(["chr1", "2"])
    assert part.chromosomes == ("chr1", "chr2")
    fewer = joined([contact_map(*sequenced(truths[name], 30), "3", name) for name in ("chr1", "chr2")])
    evaluate(one, lambda chromosome: to_band(truths[chromosome]), "paper", 40, [Against("3", fewer)], metrics)
    assert metrics.frame().query("against == '3' and method == 'paper'")["n"].max() > 0


def test_error_at_frame_starts_is_seen(pair):
    truth, one, two = pair
    worse = truth.copy()
    for start in (50, 100, 150):
        worse[:, start:start + 10] *= 3
    metrics = MetricsTable("TEST", "1", RESOLUTION, "reconstruct")
    found = evaluate(one, lambda chromosome: worse, "default", None, [Against("2", two)], metrics, frame=50)
    seam = metrics.frame().query("metric == 'frame_seam'")["value"].item()
    assert seam > 2
    later = found.frames[found.frames["frame"] > 0].groupby("position")["log_error"].mean()
    assert later[:10].min() > 2 * later[10:].max()


def test_maps_that_do_not_match_are_refused(pair):
    _, one, _ = pair
    square = np.ones((20, 20))
    with pytest.raises(InputError, match="resolution is 10000 bp"):
        check_matching(one, contact_map(square, np.ones(20), resolution=10_000), "b.cool")
    with pytest.raises(InputError, match="none of those trained on"):
        check_matching(one, contact_map(square, np.ones(20), chromosome="chr7"), "b.cool")
    with pytest.raises(InputError, match="has 20 bins"):
        check_matching(one, contact_map(square, np.ones(20)), "b.cool")
    few = contact_map(np.ones((30, 30)), np.where(np.arange(30) < 10, 1.0, np.nan))
    with pytest.raises(InputError, match="20 usable bins"):
        evaluate(few, None, "default", None, [], MetricsTable("TEST", "1", RESOLUTION, "reconstruct"))


class FakeModel:
    """The trained model as the script uses it: predicts a stated truth."""

    def __init__(self, bins, truth):
        self.bins, self.truth = bins, truth
        self.config = types.SimpleNamespace(name="default")
        self.facts = {"max_distance": 180, "sample": "TEST_1.50000", "probability_scale": 1.0}

    def expected_band(self, chromosome, width=None):
        return self.truth[:, :width]


def test_the_script_from_files_to_files(pair, tmp_path, monkeypatch):
    truth, one, two = pair
    for name, made in (("TEST_1", one), ("TEST_2", two)):
        rows = np.repeat(np.arange(len(made.bins)), np.diff(made.starts))
        write_cool(tmp_path / f"{name}.50000.cool", made.bins, made.weight,
                   pd.DataFrame({"bin1_id": rows, "bin2_id": made.columns, "count": made.counts.astype(int)}),
                   made.facts)
    monkeypatch.setattr("hiclstm.prediction.TrainedModel.load",
                        classmethod(lambda cls, path, threads=1: FakeModel(one.bins, truth)))
    path = Path(__file__).parents[2] / "bin/reconstruct_map.py"
    script = importlib.util.module_from_spec(importlib.util.spec_from_file_location("reconstruct_map", path))
    script.__spec__.loader.exec_module(script)
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", [
        "reconstruct_map.py", "--contacts", str(tmp_path / "TEST_1.50000.cool"), "--model", "x.model.pt",
        "--against", str(tmp_path / "TEST_2.50000.cool"), "--output", str(out)])
    script.main()
    written = {path.name for path in out.iterdir()}
    assert not any(name.startswith(".") for name in written)
    id = "TEST_1.50000"
    assert {f"{id}.predicted.mcool", f"{id}.refined.mcool", f"{id}.reconstruct.metrics.tsv"} <= written
    stories = [json.loads((out / name).read_text()) for name in sorted(written) if name.endswith(".figure.json")]
    assert len(stories) == 5  # scores on 1 and on 2, frames, a map, insulation
    assert all((out / story["svg"]).stat().st_size > 1000 and story["stage"] == "reconstruct" for story in stories)
    table = pd.read_csv(out / f"{id}.reconstruct.metrics.tsv", sep="\t", dtype={"against": str})
    assert {"1", "2"} <= set(table["against"].dropna()) and "refined" in set(table["method"])
    predicted = cooler.Cooler(f"{out}/{id}.predicted.mcool::/resolutions/50000")
    square = predicted.matrix(balance=True).fetch("chr1")
    assert square[20, 50] == square[50, 20] == pytest.approx(truth[20, 30])
    assert np.isnan(square[5]).all() and square[0, 200] == 0  # missing, and past the distance predicted
    monkeypatch.setattr(sys, "argv", sys.argv + ["--regions", "chr1:50,000,000-60,000,000"])
    with pytest.raises(InputError, match="past the end"):
        script.main()


@pytest.mark.real
def test_yardsticks_of_real_replicates():
    """GM12878 chr22 at 50 kb: what was measured once with other code (design/quality.md's table)."""
    folder = Path(__file__).parents[2].parent / "shared/data/gm12878-chr22-50kb-primary-replicate"
    if not folder.exists():
        pytest.skip(f"{folder} not found")
    n = 1027
    squares = []
    for name in ("primary", "replicate"):
        table = pd.read_csv(folder / f"chr22.50kb.{name}.raw.juicer.tsv.gz", sep="\t", header=None).to_numpy()
        first, second = (table[:, :2] // RESOLUTION).T.astype(int)
        square = np.zeros((n, n))
        square[first, second] = square[second, first] = table[:, 2]
        squares.append(square)
    coverage = [square.sum(axis=1) for square in squares]
    usable = np.logical_and.reduce([part > np.median(part[part > 0]) / 4 for part in coverage])
    assert usable.sum() == 651
    maps = []
    for number, square in enumerate(squares, start=1):
        weight = usable.astype(float)
        for _ in range(500):
            sums = (square @ weight * weight)[usable]
            weight[usable] /= np.sqrt(sums / sums.mean())
            if np.ptp(sums) < 1e-7 * sums.mean():
                break
        balanced = square * np.multiply.outer(weight, weight)
        weight *= np.sqrt(np.triu(square).sum() / np.triu(balanced).sum())
        maps.append(contact_map(square, np.where(usable, weight, np.nan), str(number), "chr22"))
    metrics = MetricsTable("GM12878", "1", RESOLUTION, "reconstruct")
    evaluate(maps[0], lambda chromosome: yardsticks.svd16(maps[0], "chr22", n), "default", None,
             [Against("2", maps[1])], metrics)
    value = metrics.frame().set_index(["method", "metric", "stratum"])["value"]
    wanted = {("replicate", "r2_cp"): .722, ("replicate", "pearson_cp"): .756, ("replicate", "pearson_log"): .748,
              ("replicate", "pearson_lin"): .783, ("replicate", "scc_h0"): .924, ("replicate", "deviance"): 2.03,
              ("distance_mean", "r2_cp"): .393, ("distance_mean", "pearson_cp"): 0, ("distance_mean", "deviance"): 10.9,
              ("svd16", "r2_cp"): .819, ("svd16", "pearson_cp"): .827, ("svd16", "pearson_log"): .817,
              ("svd16", "scc_h0"): .862, ("svd16", "strata_above_replicate"): .96, ("blur", "r2_cp"): .806,
              ("blur", "pearson_cp"): .827, ("blur", "pearson_log"): .819, ("blur", "pearson_lin"): .846,
              ("blur", "scc_h0"): .932, ("blur", "strata_above_replicate"): .97, ("blur_best", "deviance"): 1.65,
              ("ceiling", "pearson_lin"): .866}
    for (method, metric), measured in wanted.items():
        assert value[method, metric, "all"] == pytest.approx(measured, abs=.0035, rel=.005), (method, metric)


# refined maps

def square_of(band: np.ndarray) -> np.ndarray:
    n, width = band.shape
    square = np.zeros((n, n))
    for distance in range(width):
        i = np.arange(n - distance)
        square[i, i + distance] = square[i + distance, i] = band[i, distance]
    return square


@pytest.mark.parametrize(("width", "sigma"), [(25, 1.5), (60, 3.0), (60, 0.0)])
def test_sums_around_a_pair_are_those_of_the_square_map(width, sigma):
    n = 60
    band = np.random.default_rng(0).poisson(3.0, (n, width)).astype(np.float32)
    band[np.arange(n)[:, None] + np.arange(width) >= n] = 0
    square = square_of(band)
    if sigma:
        reach = int(refined.REACH * sigma + 0.5)
        one = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
        kernel = np.array([[one[reach + i - k] if abs(i - k) <= reach else 0 for k in range(n)] for i in range(n)])
        square = kernel @ square @ kernel
    found = refined.around(band, sigma)
    for distance in range(width):
        i = np.arange(n - distance)
        assert np.allclose(found[i, distance], square[i, i + distance], rtol=1e-4)


def test_a_refined_map_keeps_what_the_model_missed_and_leaves_alone_what_it_knew():
    n, random = 240, np.random.default_rng(3)
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    known = 3000.0 / (5 + distance)
    truth = known.copy()
    truth[:80, 120:] *= 1.5  # a block and a dot that the model does not know
    truth[150, 190] *= 4
    counts = np.triu(random.poisson(truth))
    rows, columns = np.nonzero(counts)
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))]).astype(np.int64)
    one = ContactMap(Bins(("chr1",), (n * RESOLUTION,), RESOLUTION), starts, columns.astype(np.int32),
                     counts[rows, columns].astype(np.float32), np.ones(n))
    model = to_band(known).astype(np.float32)
    better, same = refined.refine(one, "chr1", model, 1), refined.refine(one, "chr1", to_band(truth).astype(np.float32), 1)
    true, seen = to_band(truth), to_band(counts.astype(float))

    def error(band, of=slice(None)):
        return np.nanmean(np.square(np.log(np.maximum(band, 0.1) / true))[of])

    i, d = np.indices(true.shape)
    block, elsewhere = (i < 80) & (i + d >= 120) & (i + d < n), (i >= 85) & (i + d < n) & ~((i == 150) & (d == 40))
    assert error(better) < 0.3 * error(model) and error(better) < 0.3 * error(seen)
    assert error(better, block) < 0.1 * error(model, block)
    assert better[150, 40] > 1.4 * model[150, 40]
    assert error(better, elsewhere) < 0.004  # of a model that is right there; the counts' own is 0.02 and more
    assert error(same) < 0.001
    assert np.array_equal(better, refined.refine(one, "chr1", model, 1), equal_nan=True)


def test_pairs_that_were_not_measured_are_corrected_by_their_neighbours():
    n = 80
    counts = np.triu(np.full((n, n), 40))
    counts[30] = counts[:, 30] = 0
    rows, columns = np.nonzero(counts)
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))]).astype(np.int64)
    weight = np.ones(n)
    weight[30] = np.nan
    one = ContactMap(Bins(("chr1",), (n * RESOLUTION,), RESOLUTION), starts, columns.astype(np.int32),
                     counts[rows, columns].astype(np.float32), weight)
    found = refined.refine(one, "chr1", np.full((n, n), 20, np.float32), 1)
    assert found[30, 20] == pytest.approx(40, rel=0.1)
