"""The reference network and its path term, against sums written out by hand and against symmetries that must hold."""

import functools

import numpy as np
import pytest
import torch
from torch.nn import functional

from hiclstm.errors import InputError
from hiclstm.genome import Bins
from hiclstm.model import FRAME, HiCLSTM, ModelConfig, distance_basis
from hiclstm.model.config import reach_in_bins
from hiclstm.model.path import CORNER_SCALE, ExtrusionPath, _Walk
from hiclstm.prediction import TrainedModel

BINS = Bins(("chr1", "chr2"), (400_000, 2_000_000), 10_000)


def random_model(config: ModelConfig, seed: int = 3) -> HiCLSTM:
    """A model whose every parameter has an effect."""
    model = HiCLSTM(config, BINS, seed)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=random) * 0.2)
    return model.requires_grad_(False)


def with_path() -> ModelConfig:
    return ModelConfig("default", strands=True, path_reach=30)


def test_distance_basis_sums_to_one_and_is_linear_between_knots():
    basis = distance_basis(torch.arange(5000))
    assert torch.allclose(basis.sum(1), torch.ones(5000, dtype=torch.float64))
    knots = torch.arange(basis.shape[1], dtype=torch.float64)
    assert torch.allclose(basis @ knots, torch.log2(torch.arange(5000).double() + 1) * 2.2)


def test_a_frame_follows_the_equations_of_the_paper_step_by_step():
    model = random_model(ModelConfig.named("paper")).double()
    vectors = model.vectors(1)
    score = model.score_frames(vectors, torch.tensor([7]), torch.tensor([0]))[0]

    def norm(x):
        return (x - x.mean()) / torch.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)

    h = c = torch.zeros(8, dtype=torch.float64)
    for d in range(5):
        x = model.input_row @ vectors[7] + model.input_column @ vectors[7 + d] + model.input_bias
        q = norm(x) * model.input_gain + norm(model.recurrent @ h) * model.recurrent_gain + model.gate_bias
        enter, forget, leave = (1 / (1 + torch.exp(-q[k:k + 8])) for k in (0, 8, 16))
        candidate = q[24:] / (1 + q[24:].abs())
        c = norm(forget * c + enter * candidate) * model.cell_gain + model.cell_bias
        h = leave * c / (1 + c.abs())
        assert torch.allclose(score[d], model.output_weight @ h + model.output_bias[0], atol=1e-12)


def test_states_start_afresh_in_every_frame():
    model = random_model(ModelConfig.named("paper"))
    vectors = model.vectors(1).clone()
    second = model.score_frames(vectors, torch.tensor([0]), torch.tensor([FRAME]))
    vectors[1:FRAME] += 1.0  # only columns of the first frame
    assert torch.equal(model.score_frames(vectors, torch.tensor([0]), torch.tensor([FRAME])), second)
    vectors[FRAME] += 1.0
    assert not torch.equal(model.score_frames(vectors, torch.tensor([0]), torch.tensor([FRAME])), second)


def test_the_walk_is_the_sum_over_loading_sites():
    random = torch.Generator().manual_seed(1)
    n, distances = 37, 12
    forward, reverse, *ends = (torch.rand(n, generator=random, dtype=torch.float64) for _ in range(6))
    left, right, left_corner, right_corner = ends
    curve = torch.rand(distances, generator=random, dtype=torch.float64)
    joined = _Walk.apply(np.zeros(1, np.int64), n, torch.exp(-forward), torch.exp(-reverse), *ends, curve)[0]
    for i in (0, 5, 30, 36):
        for d in range(min(distances, n - i)):
            j = i + d
            sites = sum(torch.exp(-forward[i + 1:s + 1].sum() - reverse[s:j].sum()) for s in range(i, j + 1))
            held = left[i] * right[j] + left_corner[i] * right_corner[j]
            assert torch.isclose(joined[d, i], curve[d] * held * sites, rtol=1e-12)


def test_gradients_of_the_walk():
    random = torch.Generator().manual_seed(2)
    inputs = [torch.rand(k, generator=random, dtype=torch.float64).requires_grad_() for k in (23,) * 6 + (9,)]
    strips = np.array([-2, 6, 6, 17])  # before the first bin, twice the same, past the last bin
    assert torch.autograd.gradcheck(functools.partial(_Walk.apply, strips, 10), inputs)


def test_the_path_of_some_rows_is_that_of_the_whole_chromosome_with_its_gradients():
    random = torch.Generator().manual_seed(3)
    n, distances, first_rows = 61, 30, np.array([0, 16, 48])
    path = ExtrusionPath(2, 36, random).double()
    strands, bias = (torch.randn(*shape, generator=random, dtype=torch.float64).requires_grad_()
                     for shape in ((n, 4), (distances,)))
    basis = distance_basis(torch.arange(distances))
    row = torch.from_numpy(first_rows)[:, None] + torch.arange(16)
    inside = row[:, None] + torch.arange(distances)[:, None] < n  # [strips, distances, rows]
    whole = path.offset(strands, basis, bias)[:, row.clamp(max=n - 1)].transpose(0, 1)[inside]
    some = path.offset(strands, basis, bias, first_rows, 16)[inside]
    assert torch.equal(some, whole)
    upstream = torch.randn(some.shape, generator=random, dtype=torch.float64)
    wanted = [strands, bias, *path.parameters()]
    for a, b in zip(*(torch.autograd.grad(values, wanted, upstream) for values in (some, whole)), strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-12)


def quiet_path(corners: bool = False) -> ExtrusionPath:
    """A path without its blur, so that single pairs can be looked at."""
    path = ExtrusionPath(1 + corners, 36, torch.Generator(), corners)
    with torch.no_grad():
        path.blur.fill_(-30)
        path.reading.fill_(2.0)
    return path.requires_grad_(False)


def test_no_barriers_give_a_path_that_depends_on_distance_alone():
    basis = distance_basis(torch.arange(20)).float()
    offset = ExtrusionPath(1, 36, torch.Generator()).offset(torch.zeros(50, 2), basis, torch.zeros(20))
    inside = offset[2:18, 5:25]  # away from the edges, where the blur repeats values
    assert torch.allclose(inside, inside[:, :1].expand_as(inside), atol=1e-5)


def test_a_barrier_lowers_contacts_across_it_and_not_beside_it():
    basis, none = distance_basis(torch.arange(20)).float(), torch.zeros(60, 2)
    barrier = none.clone()
    barrier[30, 0] = 3.0
    plain, held = (quiet_path().offset(x, basis, torch.zeros(20)) for x in (none, barrier))
    assert held[12, 24] < 0.9 * plain[12, 24]  # 24 to 36 passes bin 30
    assert torch.equal(held[12, 40:45], plain[12, 40:45])
    assert held[12, 30] > plain[12, 30]  # held at its left end: an anchor


def test_corner_strengths_add_a_dot_where_the_two_ends_of_a_loop_meet_and_nowhere_else():
    path, basis, ends = quiet_path(corners=True), distance_basis(torch.arange(20)).float(), torch.zeros(60, 4)
    assert torch.equal(path.offset(ends, basis, torch.zeros(20)),
                       quiet_path().offset(ends[:, :2], basis, torch.zeros(20)))  # shut until their stage begins
    path.corner_level.fill_(-30)
    plain = path.offset(ends, basis, torch.zeros(20))
    ends[20, 1] = ends[32, 3] = 33 / CORNER_SCALE  # a left end and a right end, 12 bins apart, each softplus(3) strong
    added = torch.expm1(path.offset(ends, basis, torch.zeros(20))) / torch.expm1(plain)
    strength = functional.softplus(torch.tensor(3.0)).item()
    anchor = torch.exp(2 * functional.softplus(path.anchor) * functional.softplus(path.level)).item()
    assert np.isclose(added[12, 20].item(), 1 + strength ** 2 / anchor, rtol=1e-4)
    added[12, 20] = 1
    valid = torch.arange(20)[:, None] + torch.arange(60) < 60
    assert torch.allclose(added[valid], torch.ones(1))
    ends = ends[:, [2, 3, 0, 1]]  # both turned round: they do not meet
    assert torch.allclose(path.offset(ends, basis, torch.zeros(20))[valid], plain[valid])


def test_reading_from_the_other_strand_twice_changes_nothing():
    model = random_model(with_path())
    vectors = model.vectors(1)
    assert torch.equal(model.other_strand(model.other_strand(vectors)), vectors)


def test_a_model_with_strands_predicts_the_reversed_chromosome_reversed():
    model = TrainedModel(random_model(with_path()), BINS, np.ones(len(BINS), bool))
    vectors = model.representations[40:]
    n = len(vectors)
    band = model.expected_band_of(vectors, 60)
    turned = model.expected_band_of(vectors[::-1].copy(), 60, strand=-np.ones(n, np.int8))
    for d in (0, 1, 17, 59):
        assert np.allclose(band[:n - d, d], turned[:n - d, d][::-1], rtol=1e-5)


def test_band_of_scores_is_the_reference_network():
    for config in (ModelConfig.named("paper"), ModelConfig("counts")):
        model = TrainedModel(random_model(config), BINS, np.ones(len(BINS), bool))
        vectors = model.network.vectors(1)
        band = model.score_band_of(vectors.numpy(), 170)
        rows = torch.arange(30)
        for first in (0, FRAME):
            frame = model.network.score_frames(vectors, rows, torch.full((30,), first))
            width = min(FRAME, 170 - first)
            assert np.allclose(band[:30, first:first + width], frame[:, :width].numpy(), atol=2e-4)


def test_expected_contacts_of_a_paper_model_invert_equation_1():
    network = random_model(ModelConfig.named("paper"))
    model = TrainedModel(network, BINS, np.ones(len(BINS), bool), {"probability_scale": 2.0})
    vectors = model.representations[40:]
    probability = 1 / (1 + np.exp(-model.score_band_of(vectors, 20).astype(float)))
    assert np.allclose(np.exp(-8 / (2.0 * model.expected_band_of(vectors, 20)[:100] + 1e-10)), probability[:100], rtol=1e-4)


def test_a_model_file_returns_the_same_predictions(tmp_path):
    model = TrainedModel(random_model(with_path()), BINS, np.arange(len(BINS)) % 3 > 0, {"sample": "x"})
    model.save(tmp_path / "x.model.pt")
    again = TrainedModel.load(tmp_path / "x.model.pt")
    assert again.config == model.config and again.facts == model.facts and np.array_equal(again.usable, model.usable)
    assert np.array_equal(again.expected_band("1"), model.expected_band("chr1"), equal_nan=True)


def test_weights_that_do_not_fit_the_configuration_are_refused_in_words(tmp_path):
    path = tmp_path / "x.model.pt"
    TrainedModel(random_model(with_path()), BINS, np.ones(len(BINS), bool)).save(path)
    held = torch.load(path, weights_only=True)
    torch.save(held | {"config": held["config"] | {"hidden_size": 16}}, path)
    with pytest.raises(InputError, match="do not fit"):
        TrainedModel.load(path)


class Payload:
    """What a hostile model file would hold: unpickling it writes a file."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), "w")


def test_a_model_file_cannot_run_code(tmp_path):
    torch.save({"format": 1, "facts": Payload(tmp_path / "ran")}, tmp_path / "x.model.pt")
    with pytest.raises(InputError, match="x.model.pt"):
        TrainedModel.load(tmp_path / "x.model.pt")
    assert not (tmp_path / "ran").exists()


def test_too_short_vectors_are_refused_in_words():
    with pytest.raises(InputError, match="at least 7"):
        ModelConfig("default", representation_size=6, strands=True)


def test_the_path_is_left_out_where_the_map_is_too_coarse():
    assert reach_in_bins(10_000) == 300
    assert reach_in_bins(50_000) == 60
    assert reach_in_bins(100_000) == 0
    coarse = ModelConfig.named("default", resolution=100_000)
    assert (coarse.path_reach, coarse.strand_size, coarse.free_size) == (0, 0, 16)
