"""The kernels' interface in eager PyTorch: the fallback where the fast ones cannot run, on any device."""

import numpy as np
import torch
from torch.nn import functional

from ..contacts import contact_probability
from ..model.config import FRAME
from ..model.network import NORM_EPSILON, Projections
from .tiles import LANES, Pairs, Tiles

LARGEST_LOG_RATE = 30.0  # beyond this score exp is continued by its tangent: early in training a score may be anything
TILES_AT_ONCE = 64  # autograd keeps some 10 MB a tile


def fill_tiles(pairs: Pairs, tiles: Tiles, width: int, likelihood: str, threads: int = 1):
    """Targets and exposures of some tiles: two float32 [m, 150, 16]; see :func:`hiclstm.kernels.fill_tiles`."""
    return fill_as(np.float32, pairs, tiles, width, likelihood)


def fill_as(dtype, pairs: Pairs, tiles: Tiles, width: int, likelihood: str):
    """The same in any precision."""
    n = pairs.n
    target = np.zeros((len(tiles.row), FRAME, LANES), dtype)
    weight = np.concatenate([pairs.weight, np.zeros(LANES + FRAME)]).astype(dtype)
    steps = np.arange(FRAME)
    exposure = np.zeros_like(target)
    for tile in range(len(tiles.row)):
        first_row, first_distance = int(tiles.row[tile]), int(tiles.distance[tile])
        for lane in range(min(LANES, n - first_row)):
            row = first_row + lane
            first = row + first_distance
            if first >= n:
                break
            product = weight[row] * weight[first:first + FRAME]
            product = np.pad(product, (0, FRAME - len(product)))
            product[first_distance + steps >= width] = 0
            begin, end = pairs.starts[row], pairs.starts[row + 1]
            begin, end = begin + np.searchsorted(pairs.columns[begin:end], [first, first + FRAME])
            target[tile, pairs.columns[begin:end] - first, lane] = pairs.counts[begin:end]
            exposure[tile, :, lane] = product
    valid = exposure > 0
    if likelihood == "counts":
        exposure[valid] = 1 / exposure[valid]
        target[~valid] = 0
    else:
        contacts = target.astype(np.float64) * exposure * pairs.probability_scale
        target = np.where(valid, contact_probability(contacts), 0).astype(dtype)
        exposure = valid.astype(dtype)
    return target, exposure


def frames_scores(projections: Projections, tiles: Tiles, use_lstm: bool, offset) -> torch.Tensor:
    """Scores of some tiles [m, 150, 16], through autograd."""
    p = projections
    gates, hidden = p.recurrent.shape
    n, distances, device = p.row.shape[1], len(p.distance), p.row.device
    row = torch.as_tensor(tiles.row, dtype=torch.int64, device=device)[:, None] + torch.arange(LANES, device=device)
    step = torch.arange(FRAME, device=device)[:, None]
    distance = step + torch.as_tensor(tiles.distance, dtype=torch.int64, device=device)  # [150, m]
    column = row + distance[..., None]  # [150, m, 16]

    def gathered(source, places):  # [..., features] of [n, features]
        return source.index_select(0, places.clamp(max=len(source) - 1).flatten()).view(*places.shape, -1)

    of_row, of_column, of_distance = gathered(p.row.T, row), gathered(p.column.T, column), gathered(p.distance, distance)
    score = p.output_bias + of_distance[..., gates:]
    if p.row.shape[0] > gates:
        score = score + (of_row[..., gates:] * of_column[..., gates:]).sum(-1)
    if use_lstm:
        inputs = of_column[..., :gates] + of_row[..., :gates] + of_distance[..., None, :gates]
        score = score + _walk(p, inputs.flatten(1, 2), hidden).view(column.shape)
    inside = (column < n) & (distance < distances)[..., None]
    score = torch.where(inside, score, 0).transpose(0, 1)
    return score if offset is None else score + offset


def _walk(p: Projections, inputs: torch.Tensor, hidden: int) -> torch.Tensor:
    """The LSTM's part of the scores: inputs [150, frames, 4H] to [150, frames]."""
    def norm(x, gain, bias=None):
        return functional.layer_norm(x, x.shape[-1:], gain, bias, NORM_EPSILON)

    input_gain, recurrent_gain, gate_bias = (gain.contiguous() for gain in p.gains.unbind(1))
    cell_gain, cell_bias, output_weight = (gain.contiguous() for gain in p.cell.unbind(1))
    inputs = norm(inputs, input_gain, gate_bias)
    h = c = inputs.new_zeros(inputs.shape[1], hidden)
    outputs = []
    for x in inputs.unbind(0):
        q = x + norm(h @ p.recurrent.T, recurrent_gain)
        enter, forget, leave = torch.sigmoid(q[:, :3 * hidden]).chunk(3, 1)
        c = norm(forget * c + enter * functional.softsign(q[:, 3 * hidden:]), cell_gain, cell_bias)
        h = leave * functional.softsign(c)
        outputs.append(h)
    return torch.stack(outputs) @ output_weight


def pair_losses(score, target, exposure, likelihood: str):
    """Loss of each pair; 0 where the exposure is 0 (masked)."""
    if likelihood == "counts":
        rate = exposure * torch.exp(score.clamp(max=LARGEST_LOG_RATE))
        beyond = rate.detach() * (score - LARGEST_LOG_RATE).clamp(min=0)
        return torch.where(exposure > 0, rate + beyond - target * score, 0)
    return torch.where(exposure > 0, (torch.sigmoid(score) - target) ** 2, 0)


def loss_and_gradients(projections, pairs, tiles, likelihood, width, use_lstm, offset, threads, needed, offset_needed):
    """Summed loss (float), number of valid pairs, gradients like ``projections``, gradient of ``offset``.

    ``needed`` and ``offset_needed`` say which gradients are wanted; this backend makes all.
    """
    inputs = tuple(tensor.detach().requires_grad_() for tensor in projections)
    totals = [torch.zeros_like(tensor) for tensor in inputs]
    offset_gradient = None if offset is None else torch.zeros_like(offset)
    dtype = np.float64 if inputs[0].dtype == torch.float64 else np.float32
    value, count = 0.0, 0
    for at in range(0, len(tiles.row), TILES_AT_ONCE):
        some = slice(at, at + TILES_AT_ONCE)
        target, exposure = (torch.from_numpy(array).to(inputs[0].device) for array in
                            fill_as(dtype, pairs, tiles.choose(some), width, likelihood))
        added = None if offset is None else offset[some].detach().requires_grad_()
        with torch.enable_grad():
            score = frames_scores(Projections(*inputs), tiles.choose(some), use_lstm, added)
            part = pair_losses(score, target, exposure, likelihood).sum()
        value += part.item()
        count += int((exposure > 0).sum())
        wanted = inputs if added is None else (*inputs, added)
        gradients = torch.autograd.grad(part, wanted, allow_unused=True)
        for total, gradient in zip(totals, gradients, strict=False):  # the offset's gradient stands behind these
            if gradient is not None:
                total += gradient
        if added is not None:
            offset_gradient[some] = gradients[-1]
    return value, count, Projections(*totals), offset_gradient


def scores(projections, tiles, use_lstm, offset, threads) -> torch.Tensor:
    """Scores [m, 150, 16], without gradients."""
    parts = []
    with torch.no_grad():
        for at in range(0, len(tiles.row), TILES_AT_ONCE):
            some = slice(at, at + TILES_AT_ONCE)
            added = None if offset is None else offset[some]
            parts.append(frames_scores(projections, tiles.choose(some), use_lstm, added))
    return torch.cat(parts) if parts else projections.row.new_zeros(0, FRAME, LANES)


def scores_gradients(projections, tiles, upstream, use_lstm, threads, needed) -> Projections:
    """Gradients of the projections, given that of the scores; the forward is recomputed."""
    inputs = tuple(tensor.detach().requires_grad_() for tensor in projections)
    totals = [torch.zeros_like(tensor) for tensor in inputs]
    for at in range(0, len(tiles.row), TILES_AT_ONCE):
        some = slice(at, at + TILES_AT_ONCE)
        with torch.enable_grad():
            score = frames_scores(Projections(*inputs), tiles.choose(some), use_lstm, None)
        gradients = torch.autograd.grad(score, inputs, upstream[some], allow_unused=True)
        for total, gradient in zip(totals, gradients, strict=True):
            if gradient is not None:
                total += gradient
    return Projections(*totals)


def band_of_rows(projections, n, width, first_row, last_row, use_lstm, offset, threads, *, scores=scores,
                 tiles_at_once=TILES_AT_ONCE) -> np.ndarray:
    """Scores by distance of some rows: [last_row - first_row, width]; NaN past the chromosome's end.

    ``scores`` : the backend's own
    """
    band = np.full((last_row - first_row, width), np.nan, projections.row.detach().cpu().numpy().dtype)
    row, distance = (grid.ravel() for grid in np.meshgrid(
        np.arange(first_row, last_row, LANES), np.arange(0, min(width, n), FRAME), indexing="ij"))
    every = Tiles(row, distance).choose(row + distance < n)
    for at in range(0, len(every.row), tiles_at_once):
        some = every.choose(slice(at, at + tiles_at_once))
        values = scores(projections, some, use_lstm, None, threads).transpose(1, 2).cpu().numpy()
        for first, begin, tile in zip(some.row, some.distance, values, strict=True):
            last, end = min(first + LANES, last_row), min(begin + FRAME, width)
            band[first - first_row:last - first_row, begin:end] = tile[:last - first, :end - begin]
    if offset is not None:
        band[:, :offset.shape[1]] += offset
    past = np.arange(first_row, last_row)[:, None] + np.arange(width) >= n
    band[past] = np.nan
    return band
