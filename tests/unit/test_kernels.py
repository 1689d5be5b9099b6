"""The kernels against the network's definition: losses, scores and gradients, in float64 and float32."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hiclstm import kernels
from hiclstm.contacts import contact_probability
from hiclstm.genome import Bins
from hiclstm.model import FRAME, HiCLSTM, ModelConfig

torch.set_num_threads(1)  # small tensors: more threads only wait for each other
BIN = Path(__file__).parents[2] / "bin"
BINS, WIDTH = 197, 170  # the chromosome ends inside a tile of rows and inside a frame; the width ends inside a frame


def observed(bins=BINS, seed=3):
    """Pairs of one chromosome with two missing bins, and the dense matrix of their counts."""
    random = np.random.default_rng(seed)
    dense = np.triu(random.poisson(6 / (1 + np.abs(np.subtract.outer(np.arange(bins), np.arange(bins))) / 9)))
    weight = random.uniform(0.5, 1.5, bins).astype(np.float32)
    weight[[3, 20]] = 0
    rows, columns = np.nonzero(dense)
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=bins))])
    counts = dense[rows, columns].astype(np.float32)
    return kernels.Pairs(starts, columns.astype(np.int32), counts, weight, 1.7), dense


def network(likelihood="counts", distance=True, pair=True, hidden=8, dtype=torch.float64, bins=BINS):
    config = ModelConfig("test", 6, hidden, likelihood, distance, pair)
    model = HiCLSTM(config, Bins(("chr1",), (bins * 1000,), 1000), seed=1).to(dtype)
    random = torch.Generator().manual_seed(101)  # other weights may make a chaotic walk, which no float32 follows
    with torch.no_grad():
        for tensor in model.parameters():  # away from zeros and ones, so that every path of the gradient is walked
            tensor += 0.3 * torch.randn(tensor.shape, generator=random, dtype=torch.float64).to(dtype)
    return model


def defined_loss(model, pairs, dense, width, offset=None):
    """The loss by the network's own definition, pair by pair over every row and frame."""
    vectors = model.vectors(0)
    n = len(vectors)
    weight = torch.as_tensor(pairs.weight, dtype=vectors.dtype)
    total, number = 0, 0
    for first in range(0, min(width, n), FRAME):
        rows = torch.arange(n - first)
        added = None if offset is None else offset[:len(rows), first:first + FRAME]
        score = model.score_frames(vectors, rows, torch.full_like(rows, first), added)
        distance = first + torch.arange(FRAME)
        columns = rows[:, None] + distance
        inside = (columns < n) & (distance < width)
        columns = columns.clamp(max=n - 1)
        product = weight[rows][:, None] * weight[columns]
        valid = inside & (product > 0)
        count = torch.as_tensor(dense[rows[:, None], columns], dtype=vectors.dtype)[valid]
        score, product = score[valid], product[valid]
        if model.config.likelihood == "counts":
            total = total + (torch.exp(score) / product - count * score).sum()
        else:
            contacts = (count * product * pairs.probability_scale).numpy()
            target = torch.as_tensor(contact_probability(contacts), dtype=vectors.dtype)
            total = total + ((torch.sigmoid(score) - target) ** 2).sum()
        number += int(valid.sum())
    return total, number


def kernel_loss(model, pairs, width, offset=None, threads=1, tiles=None):
    tiles = kernels.tiles(pairs.n, width) if tiles is None else tiles
    projections = model.project(model.vectors(0), width)
    if offset is not None:
        offset = offset_of_tiles(offset, tiles)
    return kernels.loss(projections, pairs, tiles, likelihood=model.config.likelihood, width=width, offset=offset,
                        threads=threads)


def offset_of_tiles(offset, tiles):
    """[rows, distances] gathered to [m, 150, 16]."""
    lanes, steps = torch.arange(kernels.LANES), torch.arange(FRAME)
    row = torch.as_tensor(tiles.row)[:, None, None] + lanes
    distance = torch.as_tensor(tiles.distance)[:, None, None] + steps[:, None]
    return offset[row.clamp(max=len(offset) - 1), distance]


def gradients(model, value, *others):
    """Gradient of every parameter by its name; a tensor that does not matter to the value has none."""
    named = dict(model.named_parameters())
    found = torch.autograd.grad(value, [*named.values(), *others], allow_unused=True)
    return {name: gradient for name, gradient in zip([*named, *map(str, range(len(others)))], found, strict=True)
            if gradient is not None}


def assert_close(found, expected, tolerance):
    assert set(expected) <= set(found)
    for name, value in expected.items():
        error = (found[name].double() - value.double()).abs().max() / value.double().abs().max().clamp(min=1e-3)
        assert error < tolerance, f"{name}: off by {error:.1e}"


VARIANTS = [("counts", True, True, 8), ("counts", False, False, 8), ("probability", False, False, 8),
            ("probability", True, True, 16), ("counts", True, False, 32), ("counts", False, True, 16)]


@pytest.fixture(params=["simd", "plain"])
def backend(request, monkeypatch):
    if request.param == "simd" and not kernels.simd_available():
        pytest.skip("numba or AVX2 is absent")
    monkeypatch.setenv("HICLSTM_KERNEL", request.param)
    return request.param


@pytest.mark.parametrize(("likelihood", "distance", "pair", "hidden"), VARIANTS)
def test_loss_and_every_gradient_are_the_definition_s(backend, likelihood, distance, pair, hidden):
    model = network(likelihood, distance, pair, hidden)
    pairs, dense = observed()
    expected, number = defined_loss(model, pairs, dense, WIDTH)
    value, found_number = kernel_loss(model, pairs, WIDTH)
    assert found_number == number
    assert value.item() == pytest.approx(expected.item(), rel=1e-11)
    assert_close(gradients(model, value), gradients(model, expected), 1e-9)


def test_offset_and_its_gradient(backend):
    model = network()
    pairs, dense = observed()
    offset = torch.randn(BINS, 2 * FRAME, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    offset.requires_grad_()
    expected, _ = defined_loss(model, pairs, dense, WIDTH, offset)
    value, _ = kernel_loss(model, pairs, WIDTH, offset)
    assert value.item() == pytest.approx(expected.item(), rel=1e-11)
    assert_close(gradients(model, value, offset), gradients(model, expected, offset), 1e-9)


@pytest.mark.parametrize("likelihood", ["counts", "probability"])
def test_float32_is_as_accurate_as_plain_float32(backend, likelihood):
    pairs, dense = observed()
    exact = gradients(model := network(likelihood), defined_loss(model, pairs, dense, WIDTH)[0])
    single = network(likelihood, dtype=torch.float32)
    single.load_state_dict(model.state_dict())
    assert_close(gradients(single, kernel_loss(single, pairs, WIDTH)[0]), exact, 2e-5)


def test_without_lstm_only_the_other_terms_remain(backend):
    model = network()
    pairs, _ = observed()
    tiles = kernels.tiles(BINS, WIDTH)
    projections = model.project(model.vectors(0), WIDTH)
    with torch.no_grad():
        model.output_weight.zero_()
    silenced = model.project(model.vectors(0), WIDTH)
    arguments = dict(likelihood="counts", width=WIDTH)
    without, _ = kernels.loss(projections, pairs, tiles, use_lstm=False, **arguments)
    expected, _ = kernels.loss(silenced, pairs, tiles, **arguments)
    assert without.item() == pytest.approx(expected.item(), rel=1e-12)
    found = torch.autograd.grad(without, [model.pair_matrix, model.distance_bias, model.output_bias])
    wanted = torch.autograd.grad(expected, [model.pair_matrix, model.distance_bias, model.output_bias])
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_scores_are_the_definition_s_and_so_is_their_gradient(backend):
    model = network(hidden=16)
    vectors = model.vectors(0)
    tiles = kernels.tiles(BINS, BINS).choose([0, 5, 14])
    upstream = torch.randn(3, FRAME, kernels.LANES, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found = kernels.scores(model.project(vectors, BINS), tiles)
    rows = (torch.as_tensor(tiles.row)[:, None] + torch.arange(kernels.LANES)).long()
    distance = torch.as_tensor(tiles.distance).long()[:, None].expand(rows.shape)
    inside = rows[:, None] + distance[:, None] + torch.arange(FRAME)[:, None] < BINS
    expected = model.score_frames(vectors, rows.clamp(max=BINS - 1).ravel(), distance.ravel())
    expected = torch.where(inside, expected.view(3, kernels.LANES, FRAME).transpose(1, 2), 0)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert_close(gradients(model, (found * upstream).sum()), gradients(model, (expected * upstream).sum()), 1e-9)


def test_band_holds_the_scores(backend):
    model = network()
    projections = model.project(model.vectors(0), BINS)
    band = kernels.score_band(projections, BINS, BINS)
    assert band.shape == (BINS, BINS) and band.dtype == np.float64
    past = np.add.outer(np.arange(BINS), np.arange(BINS)) >= BINS
    assert np.array_equal(np.isnan(band), past)
    rows = torch.arange(BINS - FRAME)
    expected = model.score_frames(model.vectors(0), rows, torch.full_like(rows, FRAME)).detach().numpy()
    here = ~past[rows, FRAME:BINS]
    np.testing.assert_allclose(band[rows, FRAME:BINS][here], expected[:, :BINS - FRAME][here], rtol=1e-10, atol=1e-12)


def test_some_rows_of_the_band_are_the_band_s(backend):
    model = network(dtype=torch.float32)
    projections = model.project(model.vectors(0), BINS)
    offset = np.random.default_rng(1).normal(size=(BINS, 40)).astype(np.float32)
    band = kernels.score_band(projections, BINS, WIDTH, offset=offset)
    some = kernels.score_pairs_of_rows(projections, BINS, WIDTH, 37, 71, offset=offset[37:71])
    np.testing.assert_allclose(some, band[37:71], rtol=1e-5, atol=1e-5)
    plain = kernels.score_band(projections, BINS, WIDTH)
    np.testing.assert_allclose(band[:, :40] - offset, plain[:, :40], atol=1e-5)
    np.testing.assert_array_equal(band[:, 40:], plain[:, 40:])


@pytest.mark.parametrize("likelihood", ["counts", "probability"])
def test_tiles_are_filled_from_the_dense_matrix(backend, likelihood):
    pairs, dense = observed()
    tiles = kernels.tiles(BINS, WIDTH)
    target, exposure = kernels.fill_tiles(pairs, tiles, WIDTH, likelihood)
    row, step, lane = np.ogrid[:len(tiles.row), :FRAME, :kernels.LANES]
    row, distance = tiles.row[:, None, None] + lane, tiles.distance[:, None, None] + step
    column = row + distance
    inside = (row < BINS) & (column < BINS) & (distance < WIDTH)
    row, column = np.minimum(row, BINS - 1), np.minimum(column, BINS - 1)
    product = np.where(inside, pairs.weight[row] * pairs.weight[column], 0)
    valid = product > 0
    assert np.array_equal(exposure > 0, valid) and not target[~valid].any()
    count = dense[row, column][valid]
    if likelihood == "counts":
        np.testing.assert_array_equal(target[valid], count)
        np.testing.assert_allclose(exposure[valid], 1 / product[valid], rtol=1e-6)
    else:
        expected = contact_probability(count * product[valid] * pairs.probability_scale)
        np.testing.assert_allclose(target[valid], expected, rtol=1e-4, atol=1e-9)
        assert set(np.unique(exposure)) == {0, 1}


@pytest.mark.parametrize("threads", [1, 2])
def test_same_threads_same_bits(threads):
    model = network(dtype=torch.float32)
    pairs, _ = observed()
    runs = [gradients(model, kernel_loss(model, pairs, WIDTH, threads=threads)[0]) for _ in range(3)]
    for name, gradient in runs[0].items():
        assert all(torch.equal(gradient, other[name]) for other in runs[1:]), name


def test_two_threads_give_the_loss_and_scores_of_one():
    model = network(dtype=torch.float32)
    pairs, _ = observed()
    (one, count), (two, same) = (kernel_loss(model, pairs, WIDTH, threads=threads) for threads in (1, 2))
    assert two.item() == pytest.approx(one.item(), rel=1e-6) and same == count
    assert_close(gradients(model, two), gradients(model, one), 1e-4)
    projections = model.project(model.vectors(0), BINS)
    np.testing.assert_array_equal(*(kernels.score_band(projections, BINS, BINS, threads=threads) for threads in (1, 2)))


@pytest.mark.parametrize("size", [40.0, 1e4])
def test_scores_of_any_size_leave_finite_losses_and_a_way_down(backend, size):
    model = network(dtype=torch.float32)
    pairs, _ = observed()
    for sign in (1, -1):
        with torch.no_grad():
            model.output_bias.fill_(sign * size)
        value, _ = kernel_loss(model, pairs, WIDTH)
        assert torch.isfinite(value)
        found = gradients(model, value)
        assert all(torch.isfinite(gradient).all() for gradient in found.values())
        assert found["output_bias"].item() * sign > 0


def test_gradient_scales_with_what_comes_from_above(backend):
    model = network()
    pairs, _ = observed()
    once = gradients(model, kernel_loss(model, pairs, WIDTH)[0])
    thrice = gradients(model, 3 * kernel_loss(model, pairs, WIDTH)[0])
    assert_close(thrice, {name: 3 * gradient for name, gradient in once.items()}, 1e-12)


@pytest.mark.parametrize("bins", [1, 5, 18])
def test_chromosomes_smaller_than_a_tile(backend, bins):
    model = network(bins=bins)
    pairs, dense = observed(max(bins, 21))
    dense = dense[:bins, :bins]
    starts = np.concatenate([[0], np.cumsum((dense > 0).sum(1))])
    rows, columns = np.nonzero(dense)
    pairs = kernels.Pairs(starts, columns.astype(np.int32), dense[rows, columns].astype(np.float32),
                          pairs.weight[:bins], 1.0)
    expected, number = defined_loss(model, pairs, dense, bins)
    value, found_number = kernel_loss(model, pairs, bins)
    assert found_number == number
    assert value.item() == pytest.approx(expected.item(), rel=1e-10)
    assert_close(gradients(model, value), gradients(model, expected), 1e-9)


def test_tiles_cover_each_pair_once():
    seen = np.zeros((BINS, BINS), int)
    every = kernels.tiles(BINS, WIDTH)
    for row, distance in zip(every.row, every.distance, strict=True):
        for lane in range(kernels.LANES):
            at = row + lane
            if at < BINS:
                first = at + distance
                seen[at, first:min(first + FRAME, BINS)] += 1
    near = np.triu(np.ones_like(seen)) * (np.subtract.outer(np.arange(BINS), np.arange(BINS)) > -WIDTH)
    assert (seen[near > 0] == 1).all()
    assert (every.row + every.distance < BINS).all()


def test_pairs_of_one_chromosome_of_a_map():
    from hiclstm.contacts import ContactMap

    bins = Bins(("chr1", "chr2"), (3000, 2000), 1000)
    starts = np.array([0, 1, 2, 2, 4, 5])
    columns, counts = np.array([1, 2, 3, 4, 4], np.int32), np.arange(1, 6, dtype=np.float32)
    weight = np.array([1, np.nan, 1, 0.5, np.nan])
    pairs = kernels.Pairs.of(ContactMap(bins, starts, columns, counts, weight, {"probability_scale": 2}), "2")
    assert pairs.starts.tolist() == [0, 2, 3] and pairs.columns.tolist() == [0, 1, 1]
    assert pairs.counts.tolist() == [3, 4, 5] and pairs.weight.tolist() == [0.5, 0] and pairs.probability_scale == 2


def test_backend_can_be_forced(monkeypatch):
    monkeypatch.setenv("HICLSTM_KERNEL", "plain")
    assert kernels.backend() == "plain"
    monkeypatch.setenv("HICLSTM_KERNEL", "fast")
    with pytest.raises(kernels.InputError, match="plain"):
        kernels.backend()


def test_without_numba_the_plain_kernels_work():
    program = ("import sys; sys.modules['numba'] = None; from hiclstm import kernels; "
               "assert kernels.backend() == 'plain'; import test_kernels as t; model = t.network(); "
               "value, count = t.kernel_loss(model, t.observed()[0], t.WIDTH); assert count > 0")
    run_python(program)


def test_without_avx512_the_numbers_are_the_same():
    """numba is told of a processor without AVX-512; the loss and a gradient must be the definition's."""
    if not kernels.simd_available():
        pytest.skip("numba or AVX2 is absent")
    program = ("import torch, test_kernels as t; from hiclstm.kernels import compilation; "
               "assert not compilation.HAS_AVX512; model = t.network(dtype=torch.float32); pairs, dense = t.observed(); "
               "expected, _ = t.defined_loss(model, pairs, dense, t.WIDTH); "
               "value, _ = t.kernel_loss(model, pairs, t.WIDTH); "
               "t.assert_close(t.gradients(model, value), t.gradients(model, expected), 1e-4)")
    run_python(program, NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES="+avx,+avx2,+fma,+sse4.2,+bmi,+bmi2")


def test_gpu_kernels_in_the_interpreter():
    """Triton's interpreter runs the GPU kernels on the CPU: loss, scores, band and gradients on a tiny chromosome."""
    pytest.importorskip("triton")
    run_python("import test_kernels as t; t.check_gpu_kernels()", TRITON_INTERPRET="1", HICLSTM_KERNEL="gpu")


def check_gpu_kernels(bins=37, width=11):
    """Three tiles, so that the second program is half empty; run by the test above in a process of its own."""
    for likelihood, distance, pair, hidden in (("counts", True, True, 8), ("probability", False, False, 32)):
        model = network(likelihood, distance, pair, hidden, bins=bins)
        pairs, dense = observed(bins)
        offset = torch.randn(bins, FRAME, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        offset.requires_grad_()
        expected, number = defined_loss(model, pairs, dense, width, offset)
        value, found_number = kernel_loss(model, pairs, width, offset)
        assert found_number == number
        assert value.item() == pytest.approx(expected.item(), rel=1e-6)  # targets are filled in float32
        assert_close(gradients(model, value, offset), gradients(model, expected, offset), 1e-6)
    projections, tiles = model.project(model.vectors(0), width), kernels.tiles(bins, width)
    found = kernels.scores(projections, tiles)
    band = kernels.score_band(projections, bins, width)
    os.environ["HICLSTM_KERNEL"] = "plain"
    expected = kernels.scores(projections, tiles)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(band, kernels.score_band(projections, bins, width), rtol=1e-10, atol=1e-12)
    found_gradient, = torch.autograd.grad(found.square().sum(), model.recurrent, retain_graph=True)
    gradient, = torch.autograd.grad(expected.square().sum(), model.recurrent)
    torch.testing.assert_close(found_gradient, gradient, rtol=1e-8, atol=1e-10)


def run_python(program, **environment):
    path = os.pathsep.join([str(BIN), str(Path(__file__).parent)])
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path, **environment},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_tiles_without_a_pair_of_usable_bins_are_left_out():
    n, width = 400, 170
    usable = np.zeros(n, bool)
    usable[[3, 150, 151, 390]] = True  # 3 and 150 are 147 apart; 151 and 390 too far
    pairs = [(i, j) for i in np.flatnonzero(usable) for j in np.flatnonzero(usable) if i <= j < i + width]
    kept = kernels.holding_usable(kernels.tiles(n, width), usable, width)
    found = {(int(row), int(distance)) for row, distance in zip(kept.row, kept.distance, strict=True)}
    held = {(i // 16 * 16, (j - i) // 150 * 150) for i, j in pairs}
    assert held <= found
    assert len(found) < len(kernels.tiles(n, width).row) / 3
    everywhere = kernels.holding_usable(kernels.tiles(n, width), np.ones(n, bool), width)
    assert len(everywhere.row) == len(kernels.tiles(n, width).row)
