"""Transfer: the scale of a new map, what is believed of differences, tuning, and a foretold deletion."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from perturbation_models import BarrierModel

from hiclstm.contacts import ContactMap
from hiclstm.contacts.fragments import measured_share
from hiclstm.contacts.map import write_cool
from hiclstm.errors import InputError
from hiclstm.genome import Bins
from hiclstm.model import HiCLSTM, ModelConfig
from hiclstm.perturbation.edits import Deletion, Variant
from hiclstm.perturbation.readings import Reader
from hiclstm.prediction import TrainedModel
from hiclstm.simulation import Chromosome, expected_contacts, simulate_chromosome
from hiclstm.simulation.chromosome import descendant
from hiclstm.training import Options as TrainingOptions
from hiclstm.training import train
from hiclstm.training.data import readings
from hiclstm.training.objective import pairs_loss
from hiclstm.training.thinning import drawn, held_out_loss
from hiclstm.transfer import Options, transfer
from hiclstm.transfer import stage as stage_of
from hiclstm.transfer.deletion import Change, agreement, change
from hiclstm.transfer.depth import matching_factor
from hiclstm.transfer.difference import Belief, Difference
from hiclstm.transfer.ladder import climb, scores
from hiclstm.transfer.part import Part, cut, on_bins
from hiclstm.transfer.tuning import _loss_of_fragments

RESOLUTION = 10_000


def map_of(counts: np.ndarray, weight=None, share=None, name="chr1", **facts) -> ContactMap:
    """A map of one chromosome from a square of counts (upper triangle)."""
    n = len(counts)
    row, column = np.nonzero(np.triu(counts))
    starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))]).astype(np.int64)
    return ContactMap(Bins((name,), (n * RESOLUTION,), RESOLUTION), starts, column.astype(np.int32),
                      counts[row, column].astype(np.float32), np.ones(n) if weight is None else weight,
                      {"sample": "new_1.10000", "cell_type": "new", "replicate": "1", **facts}, share)


def simulated(truth: Chromosome, reads: float, seed: int) -> ContactMap:
    """A sequenced, unbiased map of a simulated chromosome."""
    n = len(truth)
    rate = np.nan_to_num(expected_contacts(truth))
    counts = np.zeros((n, n), int)
    drawn_counts = np.random.default_rng(seed).poisson(rate * reads / rate.sum())
    for d in range(n):
        counts[np.arange(n - d), np.arange(d, n)] = drawn_counts[:n - d, d]
    return map_of(counts)


def untrained(n=40, config="default", seed=3, names=("chr1", "chr2")) -> TrainedModel:
    bins = Bins(names, (n * RESOLUTION,) * len(names), RESOLUTION)
    config = ModelConfig.named(config, 16, RESOLUTION)
    network = HiCLSTM(config, bins, seed).requires_grad_(False)
    return TrainedModel(network, bins, np.ones(len(bins), bool), {"sample": "base_1.10000", "max_distance": None})


@pytest.fixture(scope="module")
def pair():
    """A base trained on one simulated cell type, the truth of another, and a deep map of that."""
    ancestor = simulate_chromosome(200, np.random.default_rng(5))
    clean = replace(ancestor, coverage=np.ones(200))
    one, other = (descendant(clean, 0.15, 0.25, np.random.default_rng(k)) for k in (1, 2))
    deep = simulated(one, 2e6, 1)
    network, _, _ = train(deep, ModelConfig.named("default", 16, RESOLUTION),
                          TrainingOptions(epochs=2, least_steps=400, quiet=True))
    base = TrainedModel(network.requires_grad_(False), deep.bins, deep.usable, {"sample": "base_1.10000"})
    return base, other, simulated(other, 1e6, 2)


# The scale


@pytest.mark.parametrize("of_fragments", [False, True])
def test_scale_is_exact_on_a_map_that_is_the_base_times_a_factor(of_fragments):
    model = BarrierModel(Bins(("chr1",), (30 * RESOLUTION,), RESOLUTION))
    n, factor = 30, 7.5
    random = np.random.default_rng(0)
    weight = random.uniform(0.5, 2, n)
    weight[4] = np.nan
    share = random.choice([0.0, 0.5, 1.0], n) if of_fragments else None
    i, j = np.triu_indices(n)
    rate = model.expected_band("chr1")[i, j - i]
    measured = measured_share(share[i], share[j]) if of_fragments else 1.0
    counts = np.zeros((n, n))
    counts[i, j] = np.nan_to_num(rate / factor * measured / (weight[i] * weight[j]))
    found = matching_factor(model, map_of(counts, weight, share), n)
    assert found == pytest.approx(factor, rel=1e-5)


def test_held_out_loss_is_least_for_the_truth_and_counts_zeros():
    model = BarrierModel(Bins(("chr1",), (20 * RESOLUTION,), RESOLUTION))
    i, j = np.triu_indices(20)
    counts = np.zeros((20, 20))
    counts[i, j] = model.expected_band("chr1")[i, j - i]
    exact = map_of(counts)
    rate = counts[i, j]
    assert held_out_loss(model, exact, 20) == pytest.approx((rate - rate * np.log(rate)).sum() / rate.sum(), rel=1e-5)

    class Doubled:
        def expected_band(self, name, width=None):
            return 2 * model.expected_band(name, width)

    assert held_out_loss(Doubled(), exact, 20) > held_out_loss(model, exact, 20)


# Depth


def test_drawn_contacts_and_the_others_make_the_whole():
    random = np.random.default_rng(1)
    counts = np.triu(random.poisson(200 / (1 + np.abs(np.subtract.outer(np.arange(60), np.arange(60))))))
    whole = map_of(counts)
    kept, aside = drawn(whole, 0.25, 3)
    assert kept.counts.sum() + aside.counts.sum() == counts.sum()
    assert kept.counts.sum() == pytest.approx(counts.sum() / 4, rel=0.05)
    assert (kept.counts > 0).all() and len(kept.starts) == 61 and kept.starts[-1] == len(kept.columns)
    bands = [one.balanced_band("chr1") for one in (kept, aside)]
    totals = [np.nansum(band, dtype=float) for band in bands]
    assert totals[1] == pytest.approx(totals[0], rel=0.05)  # of one scale
    rows = np.nansum(bands[0], 1)  # balanced from its own counts: row sums of the symmetric square are flat
    rows += np.array([sum(bands[0][k - d, d] for d in range(1, k + 1)) for k in range(60)])
    np.testing.assert_allclose(rows, rows.mean(), rtol=1e-4)
    with pytest.raises(InputError, match="thinned"):
        drawn(replace(whole, facts={"raw": False}), 0.5, 1)


# Parts


def test_a_map_is_put_on_the_bins_of_the_base():
    base = untrained().bins
    small = map_of(np.triu(np.ones((10, 10))), name="2")
    found = on_bins(small, base, "small")
    assert found.bins.chromosomes == ("chr2",) and len(found.bins) == 40
    assert found.usable.sum() == 10 and found.counts.sum() == 55
    for wrong, message in ((map_of(np.ones((50, 50))), "50 bins"), (map_of(np.ones((5, 5)), name="chr9"), "chr9"),
                           (replace(small, bins=Bins(("2",), (10 * 5_000,), 5_000)), "5,000")):
        with pytest.raises(InputError, match=message):
            on_bins(wrong, base, "wrong")


def test_a_part_has_the_values_of_the_whole_and_goes_back():
    base = untrained()
    weight = np.full(40, np.nan)
    weight[15:25] = 1
    whole = on_bins(map_of(np.triu(np.ones((40, 40))), weight, name="chr2"), base.bins, "x")
    part = Part.of(base, whole)
    assert part.stretches == {"chr2": slice(7, 33)}
    np.testing.assert_array_equal(part.contacts.usable, whole.usable[7:33])
    i, j = np.triu_indices(10)  # the measured bins, 15 to 24, stand 8 bins behind the part's first
    np.testing.assert_allclose(part.model.expected_band("chr2")[8 + i, j - i],
                               base.expected_band("chr2")[15 + i, j - i], rtol=1e-5)
    back = part.put_back(base, part.model.network, whole.usable, {})
    np.testing.assert_array_equal(back.expected_band("chr2"), base.expected_band("chr2"))
    assert back.bins.chromosomes == ("chr2",)
    one = cut(whole, slice(10, 20))
    assert one.counts.sum() == 55 and one.columns.max() == 9


# Belief


def test_belief_is_the_spread_of_the_base():
    base = untrained(400).network
    belief = Belief.of(base)
    values = torch.cat(list(base.free))
    covariance = np.cov(values.numpy().T, bias=True)
    np.testing.assert_allclose((belief.free.T @ belief.free).numpy(), covariance, atol=0.02 * covariance.max())
    assert belief.step == pytest.approx(2, rel=0.1)  # independent rows: a step has twice the variance of a value
    assert belief.strand.shape == (3, 3)


def test_a_difference_takes_the_gradient_of_its_tensor():
    tensor = torch.zeros(5, 2)
    spread = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    one = Difference(tensor, spread, step=0.5)
    target = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    (tensor * target).sum().backward()
    one.take_gradient()
    torch.testing.assert_close(one.units.grad, target @ spread.T)
    with torch.no_grad():
        one.units[:] = torch.arange(10.0).view(5, 2)
    one.write()
    torch.testing.assert_close(tensor.detach(), one.units.detach() @ spread)
    # four steps of 2 in both components: 0.5 * (32 / 0.5 + 0.001 * sum of squares)
    assert float(one.penalty().detach()) == pytest.approx(0.5 * (32 / 0.5 + 0.001 * 285))


def test_loss_of_fragments_is_the_common_one_where_all_was_measured_alike():
    counts = np.triu(np.random.default_rng(2).poisson(5.0, (40, 40)))
    model = untrained(names=("chr1",))
    for config in ("default", "paper"):
        network = untrained(config=config, names=("chr1",)).network
        for reading in readings(map_of(counts), 40, network.config.strands):
            every = np.arange(len(reading.tiles.row))
            plain = pairs_loss(network, reading, every, use_lstm=True, threads=1)
            own = _loss_of_fragments(network, reading, every, np.full(40, 0.5), 1)
            assert float(own[0]) == pytest.approx(float(plain[0]), rel=1e-4) and own[1] == plain[1]
    # where nothing was measured a pair does not count; where half was, half is expected
    share = np.array([0.0, 1.0] * 20)
    reading = readings(map_of(counts), 40, True)[0]
    loss, valid = _loss_of_fragments(model.network, reading, np.arange(len(reading.tiles.row)), share, 1)
    i, j = np.triu_indices(40)
    measured = measured_share(share[i], share[j])
    score = _scores(model, i, j)
    told = measured > 0
    assert valid == told.sum()
    assert float(loss) == pytest.approx(float((measured * np.exp(score) - counts[i, j] * score)[told].sum()), rel=1e-3)


def _scores(model: TrainedModel, i, j):
    """The forward reading's scores (a trained model averages both strands)."""
    from hiclstm import kernels
    from hiclstm.model import whole_frames

    vectors = model.network.vectors(0)
    band = kernels.score_band(model.network.project(vectors, whole_frames(40)), 40, 40,
                              offset=model.network.path_offset(vectors).T.numpy())
    return band[i, j - i]


# Tuning


def correlation(model, truth: Chromosome) -> float:
    """Mean over distances of r with the truth."""
    found, true = model.expected_band("chr1", 100), expected_contacts(truth, 100)
    n = len(truth)
    return float(np.mean([np.corrcoef(found[:n - d, d], true[:n - d, d])[0, 1] for d in range(1, 100)]))


def test_transfer_beats_scratch_and_the_base_on_few_reads(pair, capsys):
    base, other, deep = pair
    options = Options(least_steps=80)
    rungs = climb(base, deep, [0.02], options, scratch_steps=80)
    found = {method: correlation(model, other) for method, model in rungs[0].models.items()}
    assert found["transfer"] > found["none"] + 0.05
    assert found["transfer"] > found["scratch"] + 0.05
    assert rungs[0].contacts.counts.sum() + rungs[0].rest.counts.sum() == deep.counts.sum()
    said = capsys.readouterr().err
    assert "chosen on contacts set aside" in said
    table = scores(rungs, deep, None, 100, 1)
    overall = table[(table["metric"] == "pearson_lin") & (table["band"] == "all")].set_index("method")["value"]
    assert overall["transfer"] == max(overall)
    # on the new map's own scale
    ratio = np.nansum(rungs[0].contacts.balanced_band("chr1")) / np.nansum(rungs[0].models["transfer"].expected_band("chr1"))
    assert ratio == pytest.approx(1, rel=0.1)


def test_what_is_held_stays_and_the_same_seed_gives_the_same(pair):
    base, _, deep = pair
    small = drawn(deep, 0.1, 1)[0]
    tuned = {tune: transfer(base, small, Options(tune, 1.0, least_steps=10)).model.network for tune in
             ("representations", "decoder", "both")}
    vectors = {tune: not torch.equal(network.free[0], base.network.free[0]) for tune, network in tuned.items()}
    decoder = {tune: not torch.equal(network.input_row, base.network.input_row) for tune, network in tuned.items()}
    assert vectors == {"representations": True, "decoder": False, "both": True}
    assert decoder == {"representations": False, "decoder": True, "both": True}
    again = transfer(base, small, Options("both", 1.0, least_steps=10)).model.network
    assert all(torch.equal(one, other) for one, other in zip(again.parameters(), tuned["both"].parameters(), strict=True))
    strong = transfer(base, small, Options("both", 1e9, least_steps=80)).model.network
    torch.testing.assert_close(strong.free[0], base.network.free[0], atol=0.02, rtol=0)


def test_a_model_of_the_paper_can_be_tuned():
    base = untrained(config="paper", names=("chr1",))
    counts = np.triu(np.random.default_rng(1).poisson(300 / (1 + np.abs(np.subtract.outer(*[np.arange(40)] * 2)))))
    found = transfer(base, map_of(counts), Options(strength=1.0, least_steps=20))
    assert np.isfinite(found.model.expected_band("chr1", 10)[:30]).all()
    assert not torch.equal(found.model.network.free[0], base.network.free[0])


def test_other_assemblies_and_unknown_modes_are_refused(pair):
    base, _, deep = pair
    hg19 = replace(base, facts={**base.facts, "assembly": "hg19"})
    with pytest.raises(InputError, match="hg18.*hg19"):
        transfer(hg19, replace(deep, facts={"assembly": "hg18"}), Options())
    with pytest.raises(InputError, match="nothing"):
        transfer(base, deep, Options("nothing"))


# A deletion foretold


def change_of(x, y, distance) -> Change:
    at = np.arange(len(x))
    return Change(at, at + distance, distance, np.ones(len(x), bool), {"transfer": x}, {"truth": y})


def test_agreement_and_its_null_by_hand():
    random = np.random.default_rng(0)
    distance = np.repeat(np.arange(1, 11), 30)
    truth = random.normal(size=300)
    perfect = agreement(change_of(2 * truth, truth, distance), "transfer", "truth", 1)
    assert perfect.pearson == pytest.approx(1) and perfect.sign == 1 and perfect.p == pytest.approx(1 / 1001)
    assert perfect.low > 0.99 and -0.3 < perfect.null_low < perfect.null_high < 0.3
    # a prediction that knows distance and nothing else is no better than its shuffles
    by_distance = agreement(change_of(distance.astype(float), distance + truth, distance), "transfer", "truth", 1)
    assert by_distance.pearson > 0.9 and by_distance.p > 0.3 and by_distance.null_low > 0.9
    flat = agreement(change_of(np.zeros(300), truth, distance), "transfer", "truth", 1)
    assert flat.pearson == 0


def test_changes_are_of_the_same_loci_with_depth_and_primers_taken_off():
    bins = Bins(("chr1",), (80 * RESOLUTION,), RESOLUTION)
    truth = BarrierModel(bins, seed=4, barriers=0.05)
    variant = Variant("deletion", (Deletion(40, 42),))
    reading = Reader(truth).read(variant, 40)
    i, j = np.triu_indices(80)
    efficiency = np.random.default_rng(1).uniform(0.3, 3, 80)
    before, after = np.zeros((80, 80)), np.zeros((80, 80))
    wild = truth.expected_band("chr1")
    before[i, j] = 1e9 * wild[i, j - i] * efficiency[i] * efficiency[j]
    for position, number in enumerate(reading.order):
        others = reading.order[position:]
        after[number, others] = reading.after[position, :len(others)] * efficiency[number] * efficiency[others] * 2.5e9
    maps = [map_of(np.round(counts)) for counts in (before, after)]
    maps[1] = replace(maps[1], weight=np.where(np.isin(np.arange(80), [40, 41]), np.nan, 1.0))
    found = change(variant, {"transfer": truth}, maps[0], maps[1], Reader(truth))
    np.testing.assert_allclose(found.known["truth"], found.predicted["transfer"])
    np.testing.assert_allclose(found.known["observed"], found.known["truth"], atol=0.02)
    assert 40 not in found.bin1 and 41 not in found.bin2
    assert not found.predicted["transfer"][~found.across].any() and found.across.any()
    assert found.only_across().across.all()


# The command


def test_the_command_writes_model_map_figures_and_rows(pair, tmp_path, monkeypatch):
    base, _, deep = pair
    base.save(tmp_path / "base.model.pt")
    small = drawn(deep, 0.05, 1)[0]
    rows = np.repeat(np.arange(200), np.diff(small.starts))
    facts = {"sample": "new_1.10000", "cell_type": "new", "replicate": "1"}
    for name, weight in (("new", small.weight), ("after", small.weight)):
        write_cool(tmp_path / f"{name}.cool", small.bins, weight,
                   pd.DataFrame({"bin1_id": rows, "bin2_id": small.columns, "count": small.counts}), facts)
    (tmp_path / "a.bed").write_text("chr1\t800000\t820000\tDEL:gone\n")
    common = ["--base", f"{tmp_path}/base.model.pt", "--contacts", f"{tmp_path}/new.cool", "--least-steps", "10",
              "--scratch-steps", "10", "--output", f"{tmp_path}/out"]
    command = load_command()
    for extra in (["--variants", f"{tmp_path}/a.bed", "--after", f"{tmp_path}/after.cool", "--strength", "1"],
                  ["--fractions", "0.5"]):
        monkeypatch.setattr(sys, "argv", ["transfer_model.py", *common, *extra])
        command.main()
        rows = pd.read_csv(tmp_path / "out/new_1.10000.transfer.metrics.tsv", sep="\t", dtype={"stratum": str})
        assert set(rows["stage"]) == {"transfer"} and {"transfer", "scratch", "none"} <= set(rows["method"])
        assert ("pearson_delta" in set(rows["metric"])) == ("--variants" in extra)
        assert (tmp_path / "out/new_1.10000.transfer.model.pt").exists()
    assert {"0.5", "0.5 0-500000"} <= set(rows.loc[rows["metric"] == "pearson_lin", "stratum"])
    assert (tmp_path / "out/new_1.10000.transfer.rest.svg").exists()
    assert (tmp_path / "out/new_1.10000.gone.deletion.figure.json").exists()
    assert TrainedModel.load(tmp_path / "out/new_1.10000.transfer.model.pt").facts["transfer"]["base"] == "base_1.10000"
    for wrong, message in ((["--fractions", "2"], "between 0 and 1"), (["--after", "x.cool"], "--variants"),
                           (["--max-distance", "5"], "one bin"), (["--strength", "no"], "above 0")):
        monkeypatch.setattr(sys, "argv", ["transfer_model.py", *common, *wrong])
        with pytest.raises(InputError, match=message):
            command.main()


def load_command():
    import importlib.util
    from pathlib import Path

    spec = importlib.util.spec_from_file_location("transfer_model", Path(stage_of.__file__).parents[2] / "transfer_model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
