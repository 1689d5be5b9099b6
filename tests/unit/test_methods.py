"""The compared methods: known truths for each representation and decoder, splits that leak nothing, the command."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from hiclstm import kernels
from hiclstm.contacts import ContactMap, contact_probability, write_cool
from hiclstm.errors import InputError
from hiclstm.genome import Bins
from hiclstm.methods import decoders, representations
from hiclstm.methods.compare import BLOCK, GAP, Comparison, Split, advantage, matched, thinned, total
from hiclstm.methods.components import principal_components, subcompartments
from hiclstm.methods.figures import frame_error, name_of, parts_of, with_contacts
from hiclstm.methods.rows import Rows
from hiclstm.methods.sci import alias_table, graph_embedding
from hiclstm.methods.sniper import SniperIntra, sniper_inter
from hiclstm.reconstruction.scores import FIELDS

BIN = Path(__file__).parents[2] / "bin"
DATA = Path(__file__).parents[2].parent / "shared/data"


def contact_map(expected: list[np.ndarray], *, resolution=100_000, missing=(), seed=0, draw=True) -> ContactMap:
    """A map of some chromosomes with Poisson counts around square ``expected`` matrices and weights of one."""
    names = tuple(f"chr{k + 1}" for k in range(len(expected)))
    bins = Bins(names, tuple(len(part) * resolution for part in expected), resolution)
    random = np.random.default_rng(seed)
    counts, columns, lengths = [], [], []
    for part, offset in zip(expected, bins.offsets[:-1], strict=True):
        drawn = np.triu(random.poisson(part) if draw else part)
        row, column = np.nonzero(drawn)
        counts.append(drawn[row, column])
        columns.append(column + offset)
        lengths.append(np.bincount(row, minlength=len(part)))
    weight = np.ones(len(bins))
    weight[list(missing)] = np.nan
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    return ContactMap(bins, starts, np.concatenate(columns).astype(np.int32), np.concatenate(counts).astype(np.float32),
                      weight, {"cell_type": "X", "replicate": "1", "sample": f"X_1.{resolution}", "raw": True})


def compartments(n: int, period: int = 20, level: float = 60.0) -> np.ndarray:
    """Expected contacts: a checkerboard on a distance decay."""
    side = np.where(np.arange(n) // period % 2, 1.0, -1.0)
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    return level * (distance + 1.0) ** -0.6 * np.exp(0.5 * np.outer(side, side))


def write(one: ContactMap, path, expected_between=None) -> Path:
    rows = np.repeat(np.arange(len(one.bins)), np.diff(one.starts))
    pixels = pd.DataFrame({"bin1_id": rows, "bin2_id": one.columns, "count": one.counts.astype(int)})
    if expected_between is not None:
        cut = one.bins.offsets[1]
        row, column = np.nonzero(expected_between)
        between = pd.DataFrame({"bin1_id": row, "bin2_id": column + cut, "count": expected_between[row, column]})
        pixels = pd.concat([pixels, between]).sort_values(["bin1_id", "bin2_id"])
    write_cool(path, one.bins, one.weight, pixels, one.facts)
    return path


# Representations


def test_rows_are_symmetric_and_empty_where_bins_are_missing():
    rows = Rows.of(contact_map([compartments(40)], missing=[7]), "chr1")
    dense = rows.values.toarray()
    assert np.array_equal(dense, dense.T) and dense.sum() > 0
    assert not dense[7].any() and not rows.usable[7]


def test_distance_mean_counts_zero_pairs_and_leaves_out_missing_ones():
    expected = np.zeros((6, 6))
    expected[[0, 1, 2], [1, 2, 3]] = [2, 4, 6]
    mean = Rows.of(contact_map([expected], missing=[0], draw=False), "chr1").distance_mean()
    assert mean[1] == pytest.approx((4 + 6) / 4)  # four pairs of neighbours among the usable bins 1 to 5


def test_longest_chromosome_is_named_when_it_is_too_long(monkeypatch):
    monkeypatch.setattr("hiclstm.methods.rows.LARGEST", 10)
    with pytest.raises(InputError, match="chr1 has 40 bins"):
        Rows.of(contact_map([compartments(40)]), "chr1")


def test_pca_is_the_singular_value_decomposition_of_log_observed_over_expected():
    one = contact_map([compartments(60)], missing=[3])
    found = principal_components(one, 4, seed=1)
    rows = Rows.of(one, "chr1")
    dense = rows.values.toarray().astype(float)
    mean = rows.distance_mean()
    distance = np.abs(np.subtract.outer(np.arange(60), np.arange(60)))
    ratio = np.log1p(np.divide(dense, mean[distance], where=mean[distance] > 0, out=np.zeros_like(dense)))[rows.usable]
    left, strength, _ = np.linalg.svd(ratio - ratio.mean(0), full_matrices=False)
    wanted = left[:, :4] * strength[:4]
    for k in range(4):
        assert abs(np.corrcoef(found[rows.usable, k], wanted[:, k])[0, 1]) > 0.9999
        assert np.abs(found[rows.usable, k]).max() == pytest.approx(np.abs(wanted[:, k]).max(), rel=1e-3)
    assert not found[3].any()


def test_first_principal_component_is_the_compartment():
    found = principal_components(contact_map([compartments(100)]), 1, seed=1)[:, 0]
    side = np.where(np.arange(100) // 20 % 2, 1.0, -1.0)
    assert abs(np.corrcoef(found, side)[0, 1]) > 0.9


def test_alias_table_draws_in_proportion():
    chance = np.array([0.5, 0.1, 0.0, 0.4])
    keep, alias = alias_table(chance)
    drawn = keep.copy()
    for k in range(4):
        drawn[alias[k]] += 1 - keep[k] if alias[k] != k else 0
    assert drawn / 4 == pytest.approx(chance, abs=1e-12)


def test_graph_embedding_puts_two_disconnected_communities_apart():
    expected = np.zeros((40, 40))
    expected[:20, :20] = expected[20:, 20:] = 20
    one = contact_map([expected], missing=[5])
    found = graph_embedding(one, 16, seed=1, samples=400_000)
    likeness = found @ found.T
    left, right = np.setdiff1d(np.arange(20), [5]), np.arange(20, 40)
    within = [likeness[np.ix_(side, side)].mean() for side in (left, right)]
    assert min(within) > likeness[np.ix_(left, right)].mean() + 0.5
    assert np.linalg.norm(found[left], axis=1) == pytest.approx(np.ones(19), abs=1e-5)
    assert not found[5].any()
    assert np.array_equal(found, graph_embedding(one, 16, seed=1, samples=400_000))
    assert not np.array_equal(found, graph_embedding(one, 16, seed=2, samples=400_000))


def test_graph_embedding_wants_an_even_size():
    with pytest.raises(InputError, match="even size"):
        graph_embedding(contact_map([compartments(20)]), 15, seed=1)


def test_autoencoder_reconstructs_a_map_of_low_rank():
    one = contact_map([compartments(60, level=100)], missing=[10], draw=False)
    fitted = SniperIntra.fit(one, 8, seed=1, steps=200)
    observed = one.balanced_band("chr1")
    predicted = fitted.expected_band("chr1", 60)
    told = np.isfinite(observed)
    told[:, 0] = False
    truth, guess = (contact_probability(band[told]) for band in (observed, predicted))
    assert np.mean((truth - guess) ** 2) < 0.1 * np.var(truth)
    assert np.isnan(predicted[59, 1]) and not fitted.vectors[10].any()
    again = SniperIntra.fit(one, 8, seed=1, steps=5).vectors
    assert np.array_equal(again, SniperIntra.fit(one, 8, seed=1, steps=5).vectors)


def test_autoencoder_of_several_chromosomes_leaves_global_randomness_alone():
    one = contact_map([compartments(40), compartments(24)])
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    fitted = SniperIntra.fit(one, 4, seed=1, steps=3)
    assert torch.equal(before, torch.random.get_rng_state())
    assert fitted.vectors.shape == (64, 4) and fitted.inputs == 40
    assert fitted.expected_band("chr2", 24).shape == (24, 24)


def test_interchromosomal_autoencoder_tells_compartments_apart(tmp_path):
    one = contact_map([compartments(60), compartments(40)])
    sides = [np.where(np.arange(n) // 20 % 2, 1.0, -1.0) for n in (60, 40)]
    between = np.random.default_rng(0).poisson(4 * np.exp(np.outer(*sides)))
    path = write(one, tmp_path / "inter.cool", between)
    found = sniper_inter(ContactMap.load(path), 4, 1, path, steps=60)
    for span, side in ((slice(0, 60), sides[0]), (slice(60, 100), sides[1])):
        own = found[span]
        apart = np.linalg.norm(own[side > 0].mean(0) - own[side < 0].mean(0))
        assert apart > 2 * own[side > 0].std(0).mean()


def test_interchromosomal_autoencoder_says_what_is_missing(tmp_path):
    one = contact_map([compartments(30), compartments(30)])
    path = write(one, tmp_path / "cis.cool")
    with pytest.raises(InputError, match="no interchromosomal contacts"):
        sniper_inter(ContactMap.load(path), 4, 1, path)
    with pytest.raises(InputError, match="odd with even"):
        sniper_inter(ContactMap.load(path, ["chr1"]), 4, 1, path)
    with pytest.raises(InputError, match="'contacts'"):
        representations("sniper_inter", one, 4, 1)


def test_subcompartments_are_one_hot_by_largest_overlap(tmp_path):
    bed = tmp_path / "subcompartments.bed"
    bed.write_text("1\t0\t140000\tB1\n1\t140000\t300000\tA1\n1\t300000\t400000\tNA\nchrX\t0\t100\tA2\n")
    found = subcompartments(contact_map([compartments(5)], missing=[2]), bed)
    assert found.tolist() == [[0, 1], [1, 0], [0, 0], [0, 0], [0, 0]]  # columns A1, B1; bin 1 is 40 kb B1, 60 kb A1


def test_subcompartments_of_another_genome_are_refused(tmp_path):
    bed = tmp_path / "other.bed"
    bed.write_text("chr9\t0\t100\tA1\n")
    with pytest.raises(InputError, match="no subcompartment on chr1"):
        subcompartments(contact_map([compartments(5)]), bed)


def test_unknown_representation_lists_those_that_exist():
    with pytest.raises(InputError, match="sniper_intra"):
        representations("snipper", contact_map([compartments(5)]), 4, 1)


# Decoders


def test_standardising_leaves_missing_bins_and_constants_at_zero():
    vectors = np.array([[1.0, 5.0], [3.0, 5.0], [100.0, 100.0]], np.float32)
    found = decoders.standardised(vectors, np.array([True, True, False]))
    assert found.tolist() == [[-1, 0], [1, 0], [0, 0]]


@pytest.mark.parametrize("kind", decoders.DECODERS)
@pytest.mark.parametrize("likelihood", ["probability", "counts"])
def test_decoder_learns_a_checkerboard(kind, likelihood):
    """Contacts that depend on the product of two hidden signs: no sum of functions of single bins can give them."""
    n = 192
    sign = np.random.default_rng(1).choice([-1.0, 1.0], n)
    expected = 12 * np.exp(0.8 * np.outer(sign, sign))
    one = contact_map([expected])
    vectors = np.stack([sign, np.random.default_rng(2).normal(size=n)], 1).astype(np.float32)
    rows = np.zeros(n, bool)
    rows[:96] = True
    network = decoders.train_decoder(kind, vectors, one, rows, width=n, likelihood=likelihood, hidden=8, steps=300)
    predicted = decoders.expected_rows(network, vectors, 96, n, width=n, likelihood=likelihood)
    truth = np.full((96, n), np.nan)
    for k in range(96):
        truth[k, :96 - k] = expected[96 + k, 96 + k:]
    told = np.isfinite(truth)
    assert np.array_equal(np.isfinite(predicted), told)
    truth, guess = contact_probability(truth[told]), contact_probability(predicted[told])
    assert np.mean((truth - guess) ** 2) < 0.3 * np.var(truth)


def test_decoders_have_equal_layers_and_units():
    for kind in decoders.DECODERS:
        network = decoders.decoder(kind, 16, 8, "probability", 1)
        outputs = network.output_weight if kind == "lstm" else network.output
        assert outputs.shape == (8,)


@pytest.mark.parametrize("kind, reach", [("lstm", 0), ("fc", 0), ("cnn", 2)])
def test_no_decoder_sees_further_along_the_row_than_it_should(kind, reach):
    """A change of bin 100 reaches no pair left of it in the row, but for two bins by the CNN's filter."""
    n = 140
    vectors = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    network = decoders.decoder(kind, 4, 8, "probability", 3).requires_grad_(False)
    changed = vectors.copy()
    changed[100] += 1
    before, after = (network.score_rows(torch.from_numpy(each), n, 0, 32, 1) for each in (vectors, changed))
    for row in range(32):
        earlier = 100 - row - reach
        assert np.array_equal(before[row, :earlier], after[row, :earlier])
        assert before[row, 100 - row] != after[row, 100 - row]
    later = after[0, 101 + 2:] != before[0, 101 + 2:]
    assert later.any() == (kind == "lstm")  # only the LSTM remembers


@pytest.mark.parametrize("likelihood", ["probability", "counts"])
def test_training_uses_only_the_rows_it_is_given(likelihood):
    other = compartments(96)
    other[48:, 48:] *= 7
    one, changed = contact_map([compartments(96)], draw=False), contact_map([other], draw=False)
    vectors = np.random.default_rng(0).normal(size=(96, 4)).astype(np.float32)
    rows = np.arange(96) < 32
    same = [decoders.train_decoder("fc", vectors, each, rows, width=96, likelihood=likelihood, steps=20)
            for each in (one, changed)]
    for a, b in zip(same[0].parameters(), same[1].parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("kind", decoders.DECODERS)
def test_decoders_are_deterministic(kind):
    one = contact_map([compartments(64)])
    vectors = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    trained = [decoders.train_decoder(kind, vectors, one, np.ones(64, bool), width=64, steps=10, seed=4)
               for _ in range(2)]
    for a, b in zip(trained[0].parameters(), trained[1].parameters(), strict=True):
        assert torch.equal(a, b)


# The comparison


@pytest.mark.parametrize("resolution, seed", [(50_000, 1), (50_000, 2), (100_000, 1), (10_000, 1)])
def test_training_and_test_blocks_keep_their_distance(resolution, seed):
    n = 36_000_000 // resolution
    one = contact_map([np.eye(n)], resolution=resolution, draw=False, missing=range(37))
    split = Split.of(one, seed)
    assert split.train.any() and split.test.any() and not (split.train & split.test).any()
    train, test = np.flatnonzero(split.train), np.flatnonzero(split.test)
    nearest = np.abs(train[:, None] - test[None, :: max(1, kernels.LANES)]).min()
    assert np.abs(np.subtract.outer(train, test)).min() * resolution > GAP and nearest > 0
    edges = np.flatnonzero(np.diff(test) > 1)
    assert all(length * resolution >= BLOCK for length in np.diff(np.concatenate([[-1], edges])))
    tiles = split.train.reshape(-1)[: n // 16 * 16].reshape(-1, 16)
    usable = one.usable[: n // 16 * 16].reshape(-1, 16)
    assert np.all(tiles.any(1) == (tiles | ~usable).all(1) & usable.any(1) & tiles.any(1))  # whole tiles, or none


def test_chromosomes_are_split_whole():
    one = contact_map([compartments(20)] * 5)
    split = Split.of(one, 3)
    for name in one.bins.chromosomes:
        span = one.bins.span(name)
        assert split.train[span].all() != split.test[span].all()
    assert split.train.sum() == 40
    assert "tested on" in split.words


def test_too_short_a_chromosome_cannot_be_split():
    with pytest.raises(InputError, match="30 usable bins of .* are too few"):
        Split.of(contact_map([compartments(30)]), 1)
    short = Split.of(contact_map([compartments(300)], resolution=10_000), 1)
    assert short.train.sum() > 60 and short.test.sum() > 100 and not (short.train & short.test).any()


def test_matched_maps_share_missing_bins_and_total():
    one, two = contact_map([compartments(40)], missing=[2]), contact_map([3 * compartments(40)], missing=[5], seed=1)
    first, second = matched(one, two)
    assert np.array_equal(first.usable, second.usable) and (~first.usable).sum() == 2
    assert total(second) == pytest.approx(total(first), rel=1e-9)
    with pytest.raises(InputError, match="must be the same"):
        matched(one, contact_map([compartments(41)]))


def test_thinning_keeps_the_scale_of_balanced_values():
    deep = contact_map([compartments(60, level=2000)])
    thin = thinned(deep, 0.25, 1)
    assert thin.counts.sum() == pytest.approx(0.25 * deep.counts.sum(), rel=0.01)
    assert total(thin) == pytest.approx(total(deep), rel=0.01)
    assert np.array_equal(thinned(deep, 1.0, 1).counts, deep.counts)
    with pytest.raises(InputError, match="--depths 2"):
        thinned(deep, 2, 1)


def test_a_perfect_prediction_scores_one_and_distance_scores_zero():
    one = contact_map([compartments(128, level=500), compartments(128, level=500)])
    comparison = Comparison(one, one, Split.of(one, 1), 128, 1, "1")
    perfect = {(each.metric, each.stratum): each.value for each in comparison.score("x", one.balanced_band).scores}
    assert perfect["r2_cp", "all"] == pytest.approx(1) and perfect["pearson_log", "all"] == pytest.approx(1)

    def distance_only(name, width):
        return np.broadcast_to(np.nanmean(one.balanced_band(name, width), 0), (128, width))

    flat = {(each.metric, each.stratum): each.value for each in comparison.score("x", distance_only).scores}
    assert flat["pearson_log", "all"] == pytest.approx(0, abs=1e-6)


def test_advantage_is_paired_and_has_the_sign_of_the_difference():
    one = contact_map([compartments(160, level=30)] * 2)
    comparison = Comparison(one, one, Split.of(one, 1), 160, 1, "1")
    random = np.random.default_rng(0)

    def noisy(strength):
        return lambda name, width: one.balanced_band(name, width) * np.exp(strength * random.normal(size=(160, width)))

    good, bad = comparison.score("good", noisy(0.3)), comparison.score("bad", noisy(0.9))
    gain = {each.stratum: each for each in advantage(good, bad, 100_000, 1)}["all"]
    apart = {each.stratum: each for each in good.scores if each.metric == "pearson_log"}["all"]
    assert gain.low > 0 and gain.metric == "pearson_log_over_bad"
    assert gain.value == pytest.approx(apart.value - {(each.metric, each.stratum): each.value for each in bad.scores}[
        "pearson_log", "all"], abs=1e-9)
    assert all(each.value == 0 and each.high == 0 for each in advantage(good, good, 100_000, 1))


def test_frame_error_finds_a_bad_frame_start():
    sums = np.zeros((1, 450, len(FIELDS)))
    sums[:, :, FIELDS.index("n")] = 100
    error = np.ones(450)
    error[[150, 300]] = 3
    sums[:, :, FIELDS.index("cp_error")] = 100 * error
    found = frame_error([sums]).set_index("position")["error"]
    assert found[0] / found[1] == pytest.approx(3) and len(found) == 150


def test_lines_against_depth_are_tested_on_one_map():
    rows = [{"cell_type": "X", "resolution": 1, "replicate": replicate, "method": "m", "metric": metric, "stratum": "all",
             "against": against, "value": 1.0}
            for replicate in ("a", "b") for metric, against in (("contacts", ""), ("r2_cp", replicate), ("r2_cp", "deep"))]
    found = with_contacts(pd.DataFrame(rows))
    assert list(found["against"]) == ["deep", "deep"] and list(found["replicate"]) == ["a", "b"]


def test_names_of_methods():
    assert parts_of("sniper_intra128-fc") == ("sniper_intra128", "fc")
    assert parts_of("sniper_fc") == ("sniper_fc", "") and parts_of("sci-lstm-counts") == ("sci", "lstm")
    assert name_of("sniper_intra128-fc") == "SNIPER-INTRA 128–FC"


def compare_methods(monkeypatch, *arguments) -> None:
    """Run the script's ``main`` in this process."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("compare_methods", BIN / "compare_methods.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(sys, "argv", ["compare_methods.py", *map(str, arguments)])
    script.main()


def test_command_compares_two_replicates_and_draws_across_samples(tmp_path, monkeypatch):
    paths = [write(contact_map([compartments(64), compartments(48)], seed=seed), tmp_path / f"X_{seed}.cool")
             for seed in (1, 2)]
    compare_methods(monkeypatch, "--contacts", paths[0], "--against", paths[1], "--representations", "pca",
                    "--decoders", "fc,lstm", "--representation-size", 4, "--steps", 20, "--output", tmp_path)
    table = pd.read_csv(tmp_path / "X_1.100000.compare.metrics.tsv", sep="\t")
    assert set(table["method"]) == {"map", "pca-fc", "pca-lstm"} and set(table["stage"]) == {"compare"}
    told = table[(table["method"] == "pca-fc") & (table["metric"] == "pearson_log")]
    told = told[told["stratum"] == "all"]
    assert len(told) == 2 and (told["low"] < told["high"]).all()  # both experiments, with intervals
    for figure in ("same", "other1", "intervals"):
        assert (tmp_path / f"X_1.100000.compare.{figure}.figure.json").exists()
    compare_methods(monkeypatch, "--metrics", tmp_path / "X_1.100000.compare.metrics.tsv", "--output", tmp_path)
    assert (tmp_path / "compare.cell_types.svg").exists() and (tmp_path / "compare.depths.svg").exists()


def test_command_climbs_a_ladder_of_depths(tmp_path, monkeypatch):
    path = write(contact_map([compartments(64), compartments(48)]), tmp_path / "X.cool")
    compare_methods(monkeypatch, "--contacts", path, "--depths", "0.3,1", "--representations", "pca",
                    "--decoders", "fc", "--representation-size", 4, "--steps", 20, "--output", tmp_path)
    table = pd.read_csv(tmp_path / "X_1.100000.compare_depths.metrics.tsv", sep="\t")
    assert set(table["replicate"]) == {"1@0.3", "1@1"}
    assert (tmp_path / "X_1.100000.compare_depths.svg").exists()


@pytest.mark.parametrize("arguments, words", [
    (["--representations", "pac"], "'pac' is unknown"), (["--decoders", "rnn"], "'rnn' is unknown"),
    (["--representations", "hiclstm"], "needs --model"), (["--representations", "sbcid"], "'subcompartments'"),
    (["--depths", "deep"], "'deep' is not a number")])
def test_command_says_what_is_wrong(tmp_path, monkeypatch, arguments, words):
    path = write(contact_map([compartments(64), compartments(48)]), tmp_path / "X.cool")
    with pytest.raises(InputError, match=words):
        compare_methods(monkeypatch, "--contacts", path, *arguments, "--output", tmp_path)
    assert not list(tmp_path.glob("*.tsv"))


def test_script_ends_with_one_line_and_status_2(tmp_path):
    done = subprocess.run([sys.executable, BIN / "compare_methods.py", "--contacts", tmp_path / "absent.cool"],
                          capture_output=True, text=True)
    assert done.returncode == 2 and "absent.cool" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.real
def test_subcompartments_of_gm12878():
    bed = DATA / "annotations-gm12878-hg19/GSE63525_GM12878_subcompartments.bed.gz"
    if not bed.exists():
        pytest.skip("annotations-gm12878-hg19 not found")
    bins = Bins(("chr22",), (51_304_566,), 100_000)
    one = ContactMap(bins, np.zeros(len(bins) + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32),
                     np.ones(len(bins)))
    found = subcompartments(one, bed)
    assert set(found.sum(1)) <= {0.0, 1.0} and found.any(1).sum() > 300 and found.shape[1] >= 3
