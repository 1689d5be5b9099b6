"""Training: the schedule, readings of a chromosome, exact resume, and a map that is learned."""

import numpy as np
import pytest
import torch

from hiclstm import kernels
from hiclstm.contacts import ContactMap
from hiclstm.errors import InputError
from hiclstm.genome import Bins
from hiclstm.model import HiCLSTM, ModelConfig
from hiclstm.prediction import TrainedModel
from hiclstm.training import Options, data, loop, smoothness, train
from hiclstm.training import schedule as schedules
from hiclstm.training.adam import Adam
from hiclstm.training.checkpoint import load_checkpoint, save_checkpoint
from hiclstm.training.data import tile_offsets, turned
from hiclstm.training.decay import DistanceDecay
from hiclstm.training.objective import pairs_loss


def small_map(n: int = 90, seed: int = 0, reads: float = 400.0) -> tuple[ContactMap, np.ndarray]:
    """Two compartments on a power-law decay, Poisson counts, one missing bin; and the truth behind it."""
    random = np.random.default_rng(seed)
    compartment = np.repeat([1.0, -1.0], 15)[np.arange(n) % 30]
    distance = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    truth = reads / (1.0 + distance) * np.exp(0.5 * np.outer(compartment, compartment) * np.minimum(1, distance / 5))
    counts = np.triu(random.poisson(truth))
    counts[20] = counts[:, 20] = 0
    weight = np.ones(n)
    weight[20] = np.nan
    rows, columns = np.nonzero(counts)
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])
    bins = Bins(("chr1",), (n * 10_000,), 10_000)
    return ContactMap(bins, starts.astype(np.int64), columns.astype(np.int32),
                      counts[rows, columns].astype(np.float32), weight), truth


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(schedules, "LEAST_STEPS", 60)


def test_schedule_of_a_small_map_makes_enough_steps():
    schedule = schedules.Schedule.scaled([40], 10, "step")
    assert schedule.steps >= schedules.LEAST_STEPS
    assert schedule.tiles_per_step * 16 == schedules.LEAST_FRAMES
    assert schedule.rate(0) == 0.01 and schedule.rate(schedule.steps - 1) == pytest.approx(0.001)


def test_schedule_of_a_large_map_is_the_papers_batch_and_ten_passes():
    schedule = schedules.Schedule.scaled([100_000] * 22, 10, "step")
    assert schedule.tiles_per_step * 16 == 2000 and schedule.passes == 1


def test_two_stages_each_begin_warm_and_end_slow():
    schedule = schedules.Schedule.scaled([40], 10, "cosine", stages=2)
    turn = schedule.second_stage
    assert turn == pytest.approx(0.4 * schedule.steps, abs=1)
    assert schedule.rate(turn - 1) < 1e-4 and schedule.rate(turn + 60) > 0.008


@pytest.mark.parametrize("square_decay", schedules.SQUARE_DECAY.values())
def test_adam_is_pytorchs_with_parameters_that_skip_steps_and_after_a_restore(square_decay):
    random = torch.Generator().manual_seed(0)
    start = [torch.randn(5, 3, dtype=torch.float64, generator=random), torch.randn(4, dtype=torch.float64, generator=random)]
    ours, theirs = ([value.clone().requires_grad_() for value in start] for _ in range(2))
    own, reference = Adam(ours, square_decay), torch.optim.Adam(theirs, betas=(0.9, square_decay))
    for step in range(30):
        rate = 0.01 / (1 + step)
        for k, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            skipped = k == 1 and step % 3 == 0
            a.grad = None if skipped else torch.randn(a.shape, dtype=torch.float64, generator=random)
            b.grad = None if skipped else a.grad.clone()
        if step == 20:
            saved = own.state()
            own = Adam(ours, square_decay)
            own.restore(saved)
        reference.param_groups[0]["lr"] = rate
        own.step(rate)
        reference.step()
    for a, b, before in zip(ours, theirs, start, strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-12) and not torch.equal(a, before)


def test_turned_pairs_are_the_map_read_backwards():
    contact_map, _ = small_map()
    pairs = kernels.Pairs.of(contact_map, "chr1")
    back = turned(pairs)

    def dense(p):
        square = np.zeros((p.n, p.n))
        square[np.repeat(np.arange(p.n), np.diff(p.starts)), p.columns] = p.counts
        return square

    assert np.array_equal(dense(back), dense(pairs)[::-1, ::-1].T)
    assert all(np.all(np.diff(back.columns[a:b]) > 0) for a, b in zip(back.starts[:-1], back.starts[1:], strict=True))
    assert np.array_equal(turned(back).columns, pairs.columns)


def test_tile_offsets_cut_and_give_back_gradients():
    offset = torch.rand(200, 40, dtype=torch.float64, requires_grad=True)
    tiles = kernels.tiles(40, 40)
    cut = tile_offsets(offset, tiles)
    assert cut.shape == (3, 150, 16) and torch.equal(cut[1, 7], offset[7, 16:32])
    assert torch.autograd.gradcheck(lambda x: tile_offsets(x, tiles), (offset[:20].detach().requires_grad_(),))


def test_decay_with_distance_ignores_missing_bins():
    contact_map, _ = small_map()
    band = contact_map.balanced_band("chr1")
    decay = DistanceDecay.of(contact_map, 90)
    assert np.allclose(decay.mean[:60], np.nanmean(band, 0)[:60], rtol=1e-6)
    assert np.array_equal(decay.pairs[:60], np.isfinite(band).sum(0)[:60])


def stored(model) -> dict:
    return {name: value.numpy().copy() for name, value in model.state_dict().items()}


CONFIGS = [ModelConfig.named("paper"), ModelConfig("counts"), ModelConfig("default", strands=True, path_reach=30)]


WITH_CORNERS = ModelConfig("default", strands=True, path_reach=30, corners=True)


# interrupted after three epochs: with corners and nine epochs, in the corners' stage
@pytest.mark.parametrize("config, epochs", [*((config, 5) for config in CONFIGS), (WITH_CORNERS, 9)],
                         ids=["paper", "counts", "path", "corners"])
def test_resumed_training_equals_uninterrupted_training(tmp_path, monkeypatch, short, config, epochs):
    contact_map, _ = small_map()
    whole, _, log = train(contact_map, config, Options(epochs=epochs, smoothness=0.1, sparseness=0.01))
    saves = []

    def interrupted(folder, state):
        save_checkpoint(folder, state)
        saves.append(state["epoch"])
        if state["epoch"] == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", interrupted)
    options = Options(epochs=epochs, smoothness=0.1, sparseness=0.01, checkpoints=str(tmp_path), resume_from=str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        train(contact_map, config, options)
    monkeypatch.setattr(loop, "save_checkpoint", save_checkpoint)
    resumed, _, log_again = train(contact_map, config, options)
    assert saves == [1, 2, 3]
    for name, value in stored(whole).items():
        assert np.array_equal(value, stored(resumed)[name]), name
    assert np.array_equal(log["loss"], log_again["loss"])


def test_same_seed_same_result_other_seed_another(short):
    contact_map, _ = small_map()
    first, second, other = (stored(train(contact_map, CONFIGS[1], Options(epochs=2, seed=seed))[0]) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["free.0"], other["free.0"])


def test_the_second_stage_leaves_barriers_and_path_alone(short, monkeypatch):
    contact_map, _ = small_map()
    config = CONFIGS[2]
    found = {}

    class Watching(loop.Trainer):
        def step(self, step, reading, chosen):
            answer = super().step(step, reading, chosen)
            if step >= self.schedule.second_stage:
                found.setdefault("first", stored(self.model))
                found["last"] = stored(self.model)
            return answer

    monkeypatch.setattr(loop, "Trainer", Watching)
    train(contact_map, config, Options(epochs=4))
    first, last = found["first"], found["last"]
    held = [name for name in first if name.startswith(("path.", "strands.")) or name == "distance_bias"]
    assert len(held) == 7 and all(np.array_equal(first[name], last[name]) for name in held)
    assert not any(np.array_equal(first[name], last[name]) for name in ("free.0", "recurrent", "pair_matrix"))


def test_counts_model_learns_the_truth_behind_noisy_counts(monkeypatch):
    monkeypatch.setattr(schedules, "LEAST_STEPS", 600)
    contact_map, truth = small_map(reads=2000.0)
    model, _, _ = train(contact_map, CONFIGS[1], Options(epochs=2, smoothness=0.3))
    predicted = TrainedModel(model.requires_grad_(False), contact_map.bins, contact_map.usable).expected_band("chr1")
    expected = np.array([np.nanmean(contact_map.balanced_band("chr1"), 0)] * 90)
    upper = [(i, d) for i in range(90) for d in range(1, 60) if i + d < 90 and 20 not in (i, i + d)]
    rows, distances = np.array(upper).T
    true = np.log(truth[rows, rows + distances])

    def error(band):
        return np.mean((np.log(band[rows, distances]) - true) ** 2)

    assert error(predicted) < 0.25 * error(expected)


def test_a_shallow_map_is_given_a_stronger_prior_than_a_deep_one(monkeypatch):
    monkeypatch.setattr(smoothness, "STEPS", 200)
    chosen = [smoothness.choose_smoothness(small_map(reads=reads)[0], Options())[0] for reads in (50.0, 50_000.0)]
    assert chosen[0] > chosen[1]


def test_a_longer_training_is_given_a_stronger_prior_in_proportion(monkeypatch):
    monkeypatch.setattr(smoothness, "STEPS", 50)
    one_map = small_map()[0]
    as_long, longer = (smoothness.choose_smoothness(one_map, Options(least_steps=steps)) for steps in (50, 200))
    assert longer == (4 * as_long[0], as_long[1])


def test_a_damaged_checkpoint_is_refused_and_the_one_before_used(tmp_path, capsys):
    save_checkpoint(tmp_path, {"fingerprint": "a", "epoch": 1})
    save_checkpoint(tmp_path, {"fingerprint": "a", "epoch": 2})
    assert load_checkpoint(tmp_path, "a")["epoch"] == 2
    newest = tmp_path / "checkpoint.pt"
    newest.write_bytes(newest.read_bytes()[:100])
    assert load_checkpoint(tmp_path, "a")["epoch"] == 1
    assert "checkpoint.pt" in capsys.readouterr().err
    assert load_checkpoint(tmp_path, "b") is None


def test_asking_for_a_gpu_that_is_not_there_says_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no GPU"):
        train(small_map()[0], CONFIGS[0], Options(device="cuda"))


@pytest.mark.parametrize("model", ["default", "paper"])
def test_stretches_of_a_long_chromosome_are_the_chromosome(monkeypatch, model):
    """Loss and gradients of all tiles, summed over stretches, are those of the chromosome in one piece."""
    contact_map, _ = small_map(n=300, reads=300.0)
    network = HiCLSTM(ModelConfig.named(model, 16, 10_000), contact_map.bins)
    with torch.no_grad():
        for tensor in network.strands if model == "default" else ():
            tensor.normal_(0, 1)

    def summed(stretch):
        monkeypatch.setattr(data, "STRETCH", stretch)
        found = data.readings(contact_map, 40, network.config.strands)
        network.zero_grad(set_to_none=True)
        parts = [pairs_loss(network, one, np.arange(len(one.tiles.row)), use_lstm=True, threads=1) for one in found]
        sum(loss for loss, _ in parts).backward()
        return len(found), float(sum(loss for loss, _ in parts).detach()), sum(valid for _, valid in parts), [
            tensor.grad.clone() for tensor in network.parameters() if tensor.grad is not None]

    whole, cut = summed(4096), summed(64)
    strands = 2 if network.config.strands else 1
    assert (whole[0], cut[0]) == (strands, 5 * strands)
    assert cut[1] == pytest.approx(whole[1], rel=1e-5) and cut[2] == whole[2]
    for one, other in zip(cut[3], whole[3], strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4 * float(other.abs().max()))


def test_every_tile_stands_in_one_step_of_a_pass_and_in_four_of_the_first_stage():
    contact_map, _ = small_map(n=600, reads=500.0)
    every = data.readings(contact_map, len(contact_map.bins), True)
    tiles = len(every[0].tiles.row)
    schedule = schedules.Schedule(1, 1, tiles // 6, 2 * round(tiles / (tiles // 6)), 0.01, "cosine", stages=2)

    def seen(first):
        found = np.zeros((2, tiles), int)
        for reading, chosen in loop._steps_of_pass(every, schedule, np.random.default_rng(1), first):
            assert np.all(np.diff(chosen) > 0)
            found[int(reading.backwards), chosen] += 1
        return found

    assert np.all(seen(schedule.second_stage) == 1)
    assert schedule.times_larger(0) == 4 and schedule.times_larger(schedule.second_stage) == 1
    assert np.all(seen(-schedule.steps) == 4)


def test_corners_are_trained_beside_barriers_held_fast(short, monkeypatch):
    """A stage of its own: in it only corner strengths of the strand parts change; before it there are none."""
    contact_map, _ = small_map()
    found = {}

    class Watching(loop.Trainer):
        def step(self, step, reading, chosen):
            before = stored(self.model)
            answer = super().step(step, reading, chosen)
            after = stored(self.model)
            if step < self.schedule.corner_stage:
                found["closed"] = float(after["path.corner_level"])
            elif step < self.schedule.second_stage:
                found.setdefault("first", before)
                found["last"] = after
            return answer

    monkeypatch.setattr(loop, "Trainer", Watching)
    train(contact_map, ModelConfig.named("default", resolution=10_000), Options(epochs=4))
    first, last = found["first"], found["last"]
    assert found["closed"] == -30
    moved = (first["strands.0"] != last["strands.0"]).any(axis=0)
    assert moved.tolist() == [False, False, True, False, False, True]
    assert all(np.array_equal(first[name], last[name]) for name in ("path.reading", "path.level", "path.anchor"))
    assert not np.array_equal(first["path.curve"], last["path.curve"])
