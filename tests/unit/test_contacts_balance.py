"""Balancing against known biases and cooler's own answer; quality figures against closed forms."""

import contact_files as made
import cooler
import numpy as np
import pytest

from hiclstm.contacts.balance import choose, compute, keep_total, read_vector, row_sums, unevenness
from hiclstm.contacts.balance import none as without_balancing
from hiclstm.contacts.quality import Quality, pairs_at_distance
from hiclstm.errors import InputError

N = 60


@pytest.fixture
def biased():
    """A map with flat row sums, seen through known biases: bin1, bin2, counts, bias. Bin 7 is empty."""
    rng = np.random.default_rng(3)
    flat = rng.uniform(1, 2, (N, N))
    flat = flat + flat.T
    flat[7] = flat[:, 7] = 0
    for _ in range(500):
        scale = 1 / np.sqrt(np.where(flat.sum(0) > 0, flat.sum(0), 1))
        flat = flat * scale[:, None] * scale[None]
    bias = rng.uniform(0.5, 2, N)
    counts = 1e4 * flat * bias[:, None] * bias[None]
    bin1, bin2 = np.triu_indices(N)
    seen = counts[bin1, bin2] > 0
    return bin1[seen], bin2[seen], counts[bin1, bin2][seen], bias


def test_row_sums_count_the_diagonal_once():
    bin1, bin2, values = np.array([0, 0, 1]), np.array([0, 1, 2]), np.array([5.0, 2.0, 3.0])
    np.testing.assert_array_equal(row_sums(bin1, bin2, values, 3), [7, 5, 3])
    np.testing.assert_array_equal(row_sums(bin1, bin2, values, 3, nearest=1), [2, 5, 3])


@pytest.mark.parametrize("power, reading", [(-1, "multiplied"), (1, "divided")])
def test_the_flat_reading_is_taken(biased, power, reading):
    bin1, bin2, counts, bias = biased
    weight, found, left = read_vector(bin1, bin2, counts, 3.7 * bias**power, row_sums(bin1, bin2, counts, N))
    assert found == reading and left < 1e-9
    assert np.isnan(weight[7]) and np.isfinite(np.delete(weight, 7)).all()
    np.testing.assert_allclose((counts * weight[bin1] * weight[bin2]).sum(), counts.sum())


def test_computing_finds_the_bias(biased, tmp_path):
    bin1, bin2, counts, bias = biased
    found = compute(bin1, bin2, counts, N, tmp_path, 10_000, "a test")
    ratio = np.delete(found.weight * bias, 7)
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-4)
    assert found.unevenness < 1e-5 and np.isnan(found.weight[7])
    assert not list(tmp_path.iterdir())


def test_computing_masks_bins_below_a_quarter_of_the_median(tmp_path):
    bin1, bin2 = np.triu_indices(N)
    factor = np.where(np.arange(N) == 3, 0.2, np.where(np.arange(N) == 4, 0.3, 1.0))
    found = compute(bin1, bin2, 100 * factor[bin1] * factor[bin2], N, tmp_path, 10_000, "a test")
    assert np.flatnonzero(np.isnan(found.weight)).tolist() == [3]


def test_choosing_skips_empty_uneven_and_scanty_vectors(biased, tmp_path):
    bin1, bin2, counts, bias = biased
    scanty = np.where(np.arange(N) < 20, bias, np.nan)
    vectors = {"KR": np.full(N, np.nan), "SCALE": np.linspace(1, 3, N), "VC": scanty, "weight": 1 / bias}
    found = choose(bin1, bin2, counts, N, vectors, "auto", tmp_path, 10_000, "")
    assert (found.name, found.reading) == ("weight", "multiplied")
    del vectors["weight"]
    found = choose(bin1, bin2, counts, N, vectors, "auto", tmp_path, 10_000, "")
    assert found.name == "computed"
    for words in ("KR has no values", "SCALE leaves row sums uneven", "VC covers only"):
        assert words in found.why
    found = choose(bin1, bin2, counts, N, {"SCALE": vectors["SCALE"]}, "SCALE", tmp_path, 10_000, "")
    assert found.name == "SCALE" and found.unevenness > 0.1  # asked for by name: taken as it is


def test_total_is_kept_over_usable_pairs_only(biased):
    bin1, bin2, counts, bias = biased
    weight = np.where(np.arange(N) % 5 == 0, np.nan, 1 / bias)
    weight = keep_total(bin1, bin2, counts, weight)
    usable = np.isfinite(weight[bin1]) & np.isfinite(weight[bin2])
    np.testing.assert_allclose((counts * weight[bin1] * weight[bin2])[usable].sum(), counts[usable].sum())


def test_unevenness_of_coolers_own_balancing_is_small_although_it_leaves_out_diagonals(tmp_path):
    pixels = made.pixels_of({"chr1": 800_000}, depth=2000.0)
    made.write_cooler(tmp_path / "a.cool", pixels, {"chr1": 800_000})
    file = cooler.Cooler(str(tmp_path / "a.cool"))
    weight, _ = cooler.balance_cooler(file, cis_only=True, mad_max=0, min_nnz=0)  # leaves out two diagonals
    assert unevenness(*(pixels[name].to_numpy() for name in ("bin1_id", "bin2_id", "count")), weight) < 0.01


def test_pairs_at_distance_against_counting():
    usable = np.random.default_rng(0).random(40) < 0.7
    expected = [np.count_nonzero(usable[:40 - d] & usable[d:]) for d in range(40)]
    np.testing.assert_array_equal(pairs_at_distance(usable), expected)


def quality_of(values):
    """A chromosome whose pairs at distance d >= 1 hold the given values, in turn."""
    n = 40
    bin1, bin2 = np.triu_indices(n, 1)
    counts = np.resize(np.asarray(values, float), len(bin1))
    quality = Quality(10_000)
    quality.add("chr1", bin1, bin2, counts, without_balancing(bin1, bin2, counts, n, "none", ""))
    return quality, counts


def test_depth_matched_scale_puts_the_median_at_a_half():
    quality, counts = quality_of(np.random.default_rng(1).lognormal(0, 1, 780))
    assert quality.probability_scale("coverage") == 1 and quality.probability_scale(2.5) == 2.5
    scale = quality.probability_scale("depth_matched")
    np.testing.assert_allclose(scale * np.median(counts), 8 / np.log(2), rtol=0.01)
    assert quality.probability(scale)["median"] == pytest.approx(0.5, abs=0.002)
    assert sum(quality.probability(scale)["histogram"]["counts"]) == len(counts)


@pytest.mark.parametrize("factor, end", [(1e-3, "0"), (1e6, "1")])
def test_saturation_stops_with_a_suggestion(factor, end):
    quality, _ = quality_of(factor * np.random.default_rng(1).lognormal(0, 1, 780))
    with pytest.raises(InputError, match=f"saturates at {end}.*--probability-scale depth_matched"):
        quality.check_saturation("x", 1.0)
    quality.check_saturation("x", quality.probability_scale("depth_matched"))


def test_decay_and_verdict():
    n = 100
    bin1, bin2 = np.triu_indices(n)
    counts = 1000.0 / (1 + bin2 - bin1)
    quality = Quality(10_000)
    quality.add("chr1", bin1, bin2, counts, without_balancing(bin1, bin2, counts, n, "none", ""))
    decay = quality.distance_decay()
    assert decay["distance_bp"][0] == 10_000 and decay["mean_balanced"][0] == pytest.approx(500)
    assert sum(decay["pairs"]) == n * (n - 1) / 2
    assert quality.verdict() == "deep enough" and quality.longest_distance() is None
    shallow, _ = quality_of([5.0])
    assert shallow.verdict() == "shallow"
    too_shallow, _ = quality_of([1.0])
    assert too_shallow.verdict() == "too shallow"


def test_a_map_cut_at_a_distance_is_noticed():
    n = 200
    bin1, bin2 = np.triu_indices(n)
    counts = np.where(bin2 - bin1 <= 30, 100.0 / (1 + bin2 - bin1), 0)
    kept = counts > 0
    quality = Quality(10_000)
    quality.add("chr1", bin1[kept], bin2[kept], counts[kept], without_balancing(bin1, bin2, counts, n, "none", ""))
    assert quality.longest_distance() == 300_000
    assert quality.record(1.0, None)["zero_share"] == pytest.approx(0)
