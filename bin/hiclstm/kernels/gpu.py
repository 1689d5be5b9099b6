"""The kernels' interface on a GPU, in Triton: one program walks the 32 frames of two tiles side by side.

The mathematics is that of ``cell``, on blocks [frames, hidden units], one for each of the gates enter, forget, leave and
candidate. Hidden units are padded to 16, the least a matrix product takes. The forward keeps h and c of each step;
the backward makes the gates again from them. Gradients of columns, rows, distances and weights are summed by atomic
additions: on a GPU, sums of equal runs may differ in the last bits.
"""

import functools
import sys

import numpy as np
import torch
import triton
import triton.language as tl

from ..model.config import FRAME
from ..model.network import NORM_EPSILON, Projections
from . import plain
from .tiles import LANES, Tiles

TILES_PER_PROGRAM = 2  # more spill registers in the backward and need more shared memory than small cards have
FEWEST_AT_ONCE = 32
# 630 MB of kept states at hidden 8; offsets into them fit 32 bits up to hidden 32. Halved where the GPU's memory runs out
TILES_AT_ONCE = 4096


@triton.jit
def gate_block(matrix, gate, places, n, on, H: tl.constexpr, UNITS: tl.constexpr):
    """[places, units] of one gate's rows of ``matrix`` [features, n]; 0 where there is nothing."""
    unit = tl.arange(0, UNITS)
    return tl.load(matrix + (gate * H + unit)[None, :] * n + places[:, None],
                   mask=on[:, None] & (unit < H)[None, :], other=0.0)


@triton.jit
def distance_block(table, gate, distance, H: tl.constexpr, UNITS: tl.constexpr):
    """[frames, units] of one gate's columns of ``table`` [distances, 4H + 1]."""
    unit = tl.arange(0, UNITS)
    return tl.load(table + distance[:, None] * (4 * H + 1) + (gate * H + unit)[None, :],
                   mask=(unit < H)[None, :], other=0.0)


@triton.jit
def gain(gains, gate, which, H: tl.constexpr, UNITS: tl.constexpr):
    """[1, units] of one gate: its input gain, recurrent gain or bias."""
    unit = tl.arange(0, UNITS)
    return tl.load(gains + (gate * H + unit) * 3 + which, mask=unit < H, other=0.0)[None, :]


@triton.jit
def recurrent_block(recurrent, gate, H: tl.constexpr, UNITS: tl.constexpr):
    """U' of one gate: [units of h, units of the gate]."""
    unit = tl.arange(0, UNITS)
    return tl.load(recurrent + (gate * H + unit)[None, :] * H + unit[:, None],
                   mask=(unit < H)[None, :] & (unit < H)[:, None], other=0.0)


@triton.jit
def product(a, b):
    """Matrix product in the precision of its operands (no TF32)."""
    return tl.dot(a, b, input_precision="ieee", out_dtype=a.dtype)


@triton.jit
def sigmoid(x):
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def inverse_root_of_mean(a, b, c, d, H: tl.constexpr, EPSILON: tl.constexpr):
    """1 / root mean square of the 4H gates: [frames, 1]."""
    squares = tl.sum(a * a + b * b + c * c + d * d, 1)
    return (1.0 / tl.sqrt(squares / (4 * H) + EPSILON))[:, None]


@triton.jit
def cell_step(e, f, g, c, has, cell_gain, cell_bias, H: tl.constexpr, EPSILON: tl.constexpr):
    """Normed cell, c and 1 / its standard deviation, from gates and c before."""
    inner = f * c + e * g
    mean = (tl.sum(tl.where(has, inner, 0.0), 1) / H)[:, None]
    centred = tl.where(has, inner - mean, 0.0)
    scale = (1.0 / tl.sqrt(tl.sum(centred * centred, 1) / H + EPSILON))[:, None]
    normed = centred * scale
    return normed, normed * cell_gain + cell_bias, scale


@triton.jit
def forward(row, column, distance, recurrent, gains, cell, output_bias, tile_row, tile_distance, scores, states, m, n,
            steps, distances, H: tl.constexpr, UNITS: tl.constexpr, K: tl.constexpr, FEATURES: tl.constexpr,
            FRAME: tl.constexpr, LANES: tl.constexpr, FRAMES: tl.constexpr, USE_LSTM: tl.constexpr, KEEP: tl.constexpr,
            EPSILON: tl.constexpr):
    """Scores [m, FRAME, LANES]; with KEEP h and c before each step: states [FRAME, 2, m * LANES, H]."""
    dtype = row.dtype.element_ty
    frame = tl.program_id(0) * FRAMES + tl.arange(0, FRAMES)
    tile, lane = frame // LANES, frame % LANES
    here = tile < m
    first_row = tl.load(tile_row + tile, mask=here, other=0)
    first_distance = tl.load(tile_distance + tile, mask=here, other=0)
    r = first_row + lane
    on = here & (r < n)
    unit = tl.arange(0, UNITS)
    has = (unit < H)[None, :]
    feature = tl.arange(0, FEATURES)
    some = (feature < K)[None, :]
    row_features = tl.load(row + (4 * H + feature)[None, :] * n + r[:, None], mask=on[:, None] & some, other=0.0)
    row_e, row_f = gate_block(row, 0, r, n, on, H, UNITS), gate_block(row, 1, r, n, on, H, UNITS)
    row_l, row_g = gate_block(row, 2, r, n, on, H, UNITS), gate_block(row, 3, r, n, on, H, UNITS)
    matrix_e, matrix_f = recurrent_block(recurrent, 0, H, UNITS), recurrent_block(recurrent, 1, H, UNITS)
    matrix_l, matrix_g = recurrent_block(recurrent, 2, H, UNITS), recurrent_block(recurrent, 3, H, UNITS)
    cell_gain = tl.load(cell + unit * 3, mask=unit < H, other=0.0)[None, :]
    cell_bias = tl.load(cell + unit * 3 + 1, mask=unit < H, other=0.0)[None, :]
    output_weight = tl.load(cell + unit * 3 + 2, mask=unit < H, other=0.0)[None, :]
    bias = tl.load(output_bias)
    h = tl.zeros([FRAMES, UNITS], dtype)
    c = tl.zeros([FRAMES, UNITS], dtype)
    for step in range(steps):
        d = first_distance + step
        j = r + d
        valid = on & (j < n) & (d < distances)
        d = tl.minimum(d, distances - 1)
        score = bias + tl.load(distance + d * (4 * H + 1) + 4 * H)
        if K > 0:
            column_features = tl.load(column + (4 * H + feature)[None, :] * n + j[:, None],
                                      mask=valid[:, None] & some, other=0.0)
            score += tl.sum(row_features * column_features, 1)
        if USE_LSTM:
            if KEEP:
                place = states + (step * 2 * m * LANES + frame[:, None]) * H + unit[None, :]
                tl.store(place, h, mask=here[:, None] & has)
                tl.store(place + m * LANES * H, c, mask=here[:, None] & has)
            x_e = row_e + gate_block(column, 0, j, n, valid, H, UNITS) + distance_block(distance, 0, d, H, UNITS)
            x_f = row_f + gate_block(column, 1, j, n, valid, H, UNITS) + distance_block(distance, 1, d, H, UNITS)
            x_l = row_l + gate_block(column, 2, j, n, valid, H, UNITS) + distance_block(distance, 2, d, H, UNITS)
            x_g = row_g + gate_block(column, 3, j, n, valid, H, UNITS) + distance_block(distance, 3, d, H, UNITS)
            u_e, u_f, u_l, u_g = product(h, matrix_e), product(h, matrix_f), product(h, matrix_l), product(h, matrix_g)
            scale_x = inverse_root_of_mean(x_e, x_f, x_l, x_g, H, EPSILON)
            scale_u = inverse_root_of_mean(u_e, u_f, u_l, u_g, H, EPSILON)
            e = sigmoid(x_e * scale_x * gain(gains, 0, 0, H, UNITS) + u_e * scale_u * gain(gains, 0, 1, H, UNITS)
                        + gain(gains, 0, 2, H, UNITS))
            f = sigmoid(x_f * scale_x * gain(gains, 1, 0, H, UNITS) + u_f * scale_u * gain(gains, 1, 1, H, UNITS)
                        + gain(gains, 1, 2, H, UNITS))
            leave = sigmoid(x_l * scale_x * gain(gains, 2, 0, H, UNITS) + u_l * scale_u * gain(gains, 2, 1, H, UNITS)
                            + gain(gains, 2, 2, H, UNITS))
            q_g = (x_g * scale_x * gain(gains, 3, 0, H, UNITS) + u_g * scale_u * gain(gains, 3, 1, H, UNITS)
                   + gain(gains, 3, 2, H, UNITS))
            g = q_g / (1.0 + tl.abs(q_g))
            normed, c, scale_c = cell_step(e, f, g, c, has, cell_gain, cell_bias, H, EPSILON)
            h = leave * c / (1.0 + tl.abs(c))
            score += tl.sum(h * output_weight, 1)
        tl.store(scores + (tile * FRAME + step) * LANES + lane, tl.where(valid, score, 0.0), mask=here)


@triton.jit
def add_column(target, gate, gradient, places, n, on, H: tl.constexpr, UNITS: tl.constexpr):
    """Add [places, units] to one gate's rows of ``target`` [features, n]."""
    unit = tl.arange(0, UNITS)
    tl.atomic_add(target + (gate * H + unit)[None, :] * n + places[:, None], gradient,
                  mask=on[:, None] & (unit < H)[None, :])


@triton.jit
def add_distance(target, gate, gradient, distance, on, H: tl.constexpr, UNITS: tl.constexpr, LANES: tl.constexpr,
                 TILES: tl.constexpr):
    """Add the sums over each tile's lanes, which share a distance, to one gate's columns of ``target``."""
    unit = tl.arange(0, UNITS)
    gradient = tl.where(on[:, None], gradient, 0.0)
    sums = tl.sum(tl.reshape(gradient, [TILES, LANES, UNITS]), 1)
    of_tile = tl.max(tl.reshape(distance, [TILES, LANES]), 1)
    tl.atomic_add(target + of_tile[:, None] * (4 * H + 1) + (gate * H + unit)[None, :], sums,
                  mask=(unit < H)[None, :] & (of_tile >= 0)[:, None])


@triton.jit
def add_gate(gains, recurrent, gate, by_input, by_recurrence, by_bias, matrix, H: tl.constexpr, UNITS: tl.constexpr):
    """Add one program's sums to the gradients of a gate's gains, bias and rows of U."""
    unit = tl.arange(0, UNITS)
    place = gains + (gate * H + unit) * 3
    tl.atomic_add(place, by_input, mask=unit < H)
    tl.atomic_add(place + 1, by_recurrence, mask=unit < H)
    tl.atomic_add(place + 2, by_bias, mask=unit < H)
    tl.atomic_add(recurrent + (gate * H + unit)[:, None] * H + unit[None, :], matrix,
                  mask=(unit < H)[:, None] & (unit < H)[None, :])


@triton.jit
def backward(row, column, distance, recurrent, gains, cell, tile_row, tile_distance, upstream, states, d_row, d_column,
             d_distance, d_recurrent, d_gains, d_cell, d_output_bias, m, n, steps, distances, H: tl.constexpr,
             UNITS: tl.constexpr, K: tl.constexpr, FEATURES: tl.constexpr, FRAME: tl.constexpr, LANES: tl.constexpr,
             FRAMES: tl.constexpr, USE_LSTM: tl.constexpr, OF_DISTANCE: tl.constexpr, EPSILON: tl.constexpr):
    """Gradients of everything from that of the scores, ``upstream`` [m, FRAME, LANES]; they are added to ``d_*``."""
    dtype = row.dtype.element_ty
    TILES: tl.constexpr = FRAMES // LANES
    frame = tl.program_id(0) * FRAMES + tl.arange(0, FRAMES)
    tile, lane = frame // LANES, frame % LANES
    here = tile < m
    first_row = tl.load(tile_row + tile, mask=here, other=0)
    first_distance = tl.load(tile_distance + tile, mask=here, other=0)
    r = first_row + lane
    on = here & (r < n)
    unit = tl.arange(0, UNITS)
    has = (unit < H)[None, :]
    feature = tl.arange(0, FEATURES)
    some = (feature < K)[None, :]
    row_features = tl.load(row + (4 * H + feature)[None, :] * n + r[:, None], mask=on[:, None] & some, other=0.0)
    row_e, row_f = gate_block(row, 0, r, n, on, H, UNITS), gate_block(row, 1, r, n, on, H, UNITS)
    row_l, row_g = gate_block(row, 2, r, n, on, H, UNITS), gate_block(row, 3, r, n, on, H, UNITS)
    matrix_e, matrix_f = recurrent_block(recurrent, 0, H, UNITS), recurrent_block(recurrent, 1, H, UNITS)
    matrix_l, matrix_g = recurrent_block(recurrent, 2, H, UNITS), recurrent_block(recurrent, 3, H, UNITS)
    cell_gain = tl.load(cell + unit * 3, mask=unit < H, other=0.0)[None, :]
    cell_bias = tl.load(cell + unit * 3 + 1, mask=unit < H, other=0.0)[None, :]
    output_weight = tl.load(cell + unit * 3 + 2, mask=unit < H, other=0.0)[None, :]

    nothing = tl.zeros([FRAMES, UNITS], dtype)
    d_h, d_c = nothing, nothing
    d_row_e, d_row_f, d_row_l, d_row_g = nothing, nothing, nothing, nothing
    d_row_features = tl.zeros([FRAMES, FEATURES], dtype)
    no_matrix = tl.zeros([UNITS, UNITS], dtype)
    d_matrix_e, d_matrix_f, d_matrix_l, d_matrix_g = no_matrix, no_matrix, no_matrix, no_matrix
    none = tl.zeros([UNITS], dtype)
    in_e, in_f, in_l, in_g = none, none, none, none  # sums for the gains: of the input, of the recurrence, bias
    re_e, re_f, re_l, re_g = none, none, none, none
    bi_e, bi_f, bi_l, bi_g = none, none, none, none
    d_cell_gain, d_cell_bias, d_output_weight = none, none, none
    d_bias = tl.zeros([FRAMES], dtype)

    for back in range(steps):
        step = steps - 1 - back
        d = first_distance + step
        j = r + d
        valid = on & (j < n) & (d < distances)
        lane_distance = tl.where(here & (d < distances), d, -1)
        d = tl.minimum(d, distances - 1)
        d_score = tl.load(upstream + (tile * FRAME + step) * LANES + lane, mask=valid, other=0.0)
        d_bias += d_score
        if OF_DISTANCE:
            of_tile = tl.max(tl.reshape(lane_distance, [TILES, LANES]), 1)
            tl.atomic_add(d_distance + of_tile * (4 * H + 1) + 4 * H, tl.sum(tl.reshape(d_score, [TILES, LANES]), 1),
                          mask=of_tile >= 0)
        if K > 0:
            column_features = tl.load(column + (4 * H + feature)[None, :] * n + j[:, None],
                                      mask=valid[:, None] & some, other=0.0)
            d_row_features += d_score[:, None] * column_features
            tl.atomic_add(d_column + (4 * H + feature)[None, :] * n + j[:, None], d_score[:, None] * row_features,
                          mask=valid[:, None] & some)
        if USE_LSTM:
            place = states + (step * 2 * m * LANES + frame[:, None]) * H + unit[None, :]
            h = tl.load(place, mask=here[:, None] & has, other=0.0)
            c_before = tl.load(place + m * LANES * H, mask=here[:, None] & has, other=0.0)
            # the step again
            x_e = row_e + gate_block(column, 0, j, n, valid, H, UNITS) + distance_block(distance, 0, d, H, UNITS)
            x_f = row_f + gate_block(column, 1, j, n, valid, H, UNITS) + distance_block(distance, 1, d, H, UNITS)
            x_l = row_l + gate_block(column, 2, j, n, valid, H, UNITS) + distance_block(distance, 2, d, H, UNITS)
            x_g = row_g + gate_block(column, 3, j, n, valid, H, UNITS) + distance_block(distance, 3, d, H, UNITS)
            u_e, u_f, u_l, u_g = product(h, matrix_e), product(h, matrix_f), product(h, matrix_l), product(h, matrix_g)
            scale_x = inverse_root_of_mean(x_e, x_f, x_l, x_g, H, EPSILON)
            scale_u = inverse_root_of_mean(u_e, u_f, u_l, u_g, H, EPSILON)
            x_e, x_f, x_l, x_g = x_e * scale_x, x_f * scale_x, x_l * scale_x, x_g * scale_x
            u_e, u_f, u_l, u_g = u_e * scale_u, u_f * scale_u, u_l * scale_u, u_g * scale_u
            ax_e, ah_e = gain(gains, 0, 0, H, UNITS), gain(gains, 0, 1, H, UNITS)
            ax_f, ah_f = gain(gains, 1, 0, H, UNITS), gain(gains, 1, 1, H, UNITS)
            ax_l, ah_l = gain(gains, 2, 0, H, UNITS), gain(gains, 2, 1, H, UNITS)
            ax_g, ah_g = gain(gains, 3, 0, H, UNITS), gain(gains, 3, 1, H, UNITS)
            e = sigmoid(x_e * ax_e + u_e * ah_e + gain(gains, 0, 2, H, UNITS))
            f = sigmoid(x_f * ax_f + u_f * ah_f + gain(gains, 1, 2, H, UNITS))
            leave = sigmoid(x_l * ax_l + u_l * ah_l + gain(gains, 2, 2, H, UNITS))
            q_g = x_g * ax_g + u_g * ah_g + gain(gains, 3, 2, H, UNITS)
            g = q_g / (1.0 + tl.abs(q_g))
            normed, c, scale_c = cell_step(e, f, g, c_before, has, cell_gain, cell_bias, H, EPSILON)
            slope = 1.0 / (1.0 + tl.abs(c))
            # from h and c to the gates
            d_output_weight += tl.sum(d_score[:, None] * leave * c * slope, 0)
            d_h += d_score[:, None] * output_weight
            d_l = d_h * c * slope * leave * (1.0 - leave)
            d_after = d_c + d_h * leave * slope * slope
            d_cell_gain += tl.sum(d_after * normed, 0)
            d_cell_bias += tl.sum(d_after, 0)
            d_after = d_after * cell_gain
            across, along = tl.sum(d_after, 1) / H, tl.sum(d_after * normed, 1) / H
            d_inner = tl.where(has, (d_after - across[:, None] - normed * along[:, None]) * scale_c, 0.0)
            d_e = d_inner * g * e * (1.0 - e)
            d_f = d_inner * c_before * f * (1.0 - f)
            d_g = d_inner * e * (1.0 - tl.abs(g)) * (1.0 - tl.abs(g))
            d_c = d_inner * f
            # from the gates to gains, x and u
            in_e, in_f = in_e + tl.sum(d_e * x_e, 0), in_f + tl.sum(d_f * x_f, 0)
            in_l, in_g = in_l + tl.sum(d_l * x_l, 0), in_g + tl.sum(d_g * x_g, 0)
            re_e, re_f = re_e + tl.sum(d_e * u_e, 0), re_f + tl.sum(d_f * u_f, 0)
            re_l, re_g = re_l + tl.sum(d_l * u_l, 0), re_g + tl.sum(d_g * u_g, 0)
            bi_e, bi_f, bi_l, bi_g = (bi_e + tl.sum(d_e, 0), bi_f + tl.sum(d_f, 0), bi_l + tl.sum(d_l, 0),
                                      bi_g + tl.sum(d_g, 0))
            along_x = tl.sum(d_e * x_e * ax_e + d_f * x_f * ax_f + d_l * x_l * ax_l + d_g * x_g * ax_g, 1)[:, None]
            along_u = tl.sum(d_e * u_e * ah_e + d_f * u_f * ah_f + d_l * u_l * ah_l + d_g * u_g * ah_g, 1)[:, None]
            along_x, along_u = along_x / (4 * H), along_u / (4 * H)
            d_x_e, d_x_f = (d_e * ax_e - x_e * along_x) * scale_x, (d_f * ax_f - x_f * along_x) * scale_x
            d_x_l, d_x_g = (d_l * ax_l - x_l * along_x) * scale_x, (d_g * ax_g - x_g * along_x) * scale_x
            d_u_e, d_u_f = (d_e * ah_e - u_e * along_u) * scale_u, (d_f * ah_f - u_f * along_u) * scale_u
            d_u_l, d_u_g = (d_l * ah_l - u_l * along_u) * scale_u, (d_g * ah_g - u_g * along_u) * scale_u
            d_row_e, d_row_f, d_row_l, d_row_g = d_row_e + d_x_e, d_row_f + d_x_f, d_row_l + d_x_l, d_row_g + d_x_g
            add_column(d_column, 0, d_x_e, j, n, valid, H, UNITS)
            add_column(d_column, 1, d_x_f, j, n, valid, H, UNITS)
            add_column(d_column, 2, d_x_l, j, n, valid, H, UNITS)
            add_column(d_column, 3, d_x_g, j, n, valid, H, UNITS)
            if OF_DISTANCE:
                add_distance(d_distance, 0, d_x_e, lane_distance, valid, H, UNITS, LANES, TILES)
                add_distance(d_distance, 1, d_x_f, lane_distance, valid, H, UNITS, LANES, TILES)
                add_distance(d_distance, 2, d_x_l, lane_distance, valid, H, UNITS, LANES, TILES)
                add_distance(d_distance, 3, d_x_g, lane_distance, valid, H, UNITS, LANES, TILES)
            # from u to U and h
            d_matrix_e += product(tl.trans(d_u_e), h)
            d_matrix_f += product(tl.trans(d_u_f), h)
            d_matrix_l += product(tl.trans(d_u_l), h)
            d_matrix_g += product(tl.trans(d_u_g), h)
            d_h = (product(d_u_e, tl.trans(matrix_e)) + product(d_u_f, tl.trans(matrix_f))
                   + product(d_u_l, tl.trans(matrix_l)) + product(d_u_g, tl.trans(matrix_g)))

    tl.atomic_add(d_output_bias, tl.sum(d_bias, 0))
    if K > 0:
        tl.atomic_add(d_row + (4 * H + feature)[None, :] * n + r[:, None], d_row_features, mask=on[:, None] & some)
    if USE_LSTM:
        add_column(d_row, 0, d_row_e, r, n, on, H, UNITS)
        add_column(d_row, 1, d_row_f, r, n, on, H, UNITS)
        add_column(d_row, 2, d_row_l, r, n, on, H, UNITS)
        add_column(d_row, 3, d_row_g, r, n, on, H, UNITS)
        add_gate(d_gains, d_recurrent, 0, in_e, re_e, bi_e, d_matrix_e, H, UNITS)
        add_gate(d_gains, d_recurrent, 1, in_f, re_f, bi_f, d_matrix_f, H, UNITS)
        add_gate(d_gains, d_recurrent, 2, in_l, re_l, bi_l, d_matrix_l, H, UNITS)
        add_gate(d_gains, d_recurrent, 3, in_g, re_g, bi_g, d_matrix_g, H, UNITS)
        tl.atomic_add(d_cell + unit * 3, d_cell_gain, mask=unit < H)
        tl.atomic_add(d_cell + unit * 3 + 1, d_cell_bias, mask=unit < H)
        tl.atomic_add(d_cell + unit * 3 + 2, d_output_weight, mask=unit < H)


class _Walk:
    """Some tiles on their way through the kernels: forward, then backward from the gradient of their scores."""

    def __init__(self, projections: Projections, tiles: Tiles, use_lstm: bool, keep: bool):
        self.projections = Projections(*(tensor.detach().contiguous() for tensor in projections))
        gates, hidden = projections.recurrent.shape
        rows, n = projections.row.shape
        device, distances = projections.row.device, len(projections.distance)
        self.row = torch.as_tensor(tiles.row, dtype=torch.int32).to(device)
        self.distance = torch.as_tensor(tiles.distance, dtype=torch.int32).to(device)
        count = self.count = len(tiles.row)
        # steps that hold a pair in any of the tiles
        ends = np.minimum(distances, n - tiles.row.astype(np.int64)) - tiles.distance
        steps = int(min(FRAME, max(0, ends.max(initial=0))))
        self.sizes = count, n, steps, distances
        self.constants = dict(
            H=hidden, UNITS=max(16, hidden), K=rows - gates, FEATURES=max(16, triton.next_power_of_2(rows - gates)),
            FRAME=FRAME, LANES=LANES, FRAMES=TILES_PER_PROGRAM * LANES, USE_LSTM=use_lstm, EPSILON=NORM_EPSILON)
        self.grid = (triton.cdiv(count, TILES_PER_PROGRAM),)
        self.scores = projections.row.new_zeros(count, FRAME, LANES)
        self.states = projections.row.new_empty(steps, 2, count * LANES, hidden) if keep and use_lstm else self.scores
        forward[self.grid](*self.projections, self.row, self.distance, self.scores, self.states, *self.sizes,
                           KEEP=keep and use_lstm, **self.constants)

    def backward(self, upstream: torch.Tensor, gradients: Projections, of_distance: bool) -> None:
        """Add to ``gradients``."""
        d_row, d_column, d_distance, d_recurrent, d_gains, d_cell, d_output_bias = gradients
        backward[self.grid](*self.projections[:6], self.row, self.distance, upstream.contiguous(), self.states, d_row,
                            d_column, d_distance, d_recurrent, d_gains, d_cell, d_output_bias, *self.sizes,
                            OF_DISTANCE=of_distance, **self.constants)


def _portions(tiles: Tiles):
    for first in range(0, len(tiles.row), TILES_AT_ONCE):
        some = slice(first, first + TILES_AT_ONCE)
        yield some, tiles.choose(some)


def _fitting(work):
    """``work``, begun again with portions half as large where the GPU's memory runs out: the sums are the same."""
    @functools.wraps(work)
    def fitting(*arguments):
        global TILES_AT_ONCE
        while True:
            try:
                return work(*arguments)
            except torch.OutOfMemoryError:
                if TILES_AT_ONCE <= FEWEST_AT_ONCE:
                    raise
            # here and not above: the error holds on to what the failed attempt had in the GPU's memory
            TILES_AT_ONCE //= 2
            torch.cuda.empty_cache()
            print(f"the GPU's memory ran out: going on with {TILES_AT_ONCE} tiles at once", file=sys.stderr)
    return fitting


def _fill(pairs, tiles, width, likelihood, threads, like):
    """Targets and exposures where the scores are."""
    try:
        from .cpu import fill_tiles
    except ImportError:
        fill_tiles = plain.fill_tiles
    return (torch.from_numpy(array).to(like) for array in fill_tiles(pairs, tiles, width, likelihood, threads))


@_fitting
def loss_and_gradients(projections, pairs, tiles, likelihood, width, use_lstm, offset, threads, needed, offset_needed):
    gradients = Projections(*(torch.zeros_like(tensor) for tensor in projections))
    offset_gradient = torch.zeros_like(offset) if offset_needed else None
    value, count = projections.row.new_zeros((), dtype=torch.float64), 0
    for some, portion in _portions(tiles):
        walk = _Walk(projections, portion, use_lstm, keep=True)
        target, exposure = _fill(pairs, portion, width, likelihood, threads, walk.scores)
        with torch.enable_grad():
            score = walk.scores.requires_grad_()
            part = plain.pair_losses(score if offset is None else score + offset[some].detach(), target, exposure,
                                     likelihood)
            value += part.detach().sum(dtype=torch.float64)
            upstream, = torch.autograd.grad(part.sum(), score)
        count += int((exposure > 0).sum())
        walk.backward(upstream, gradients, needed.distance)
        if offset_needed:
            offset_gradient[some] = upstream
    return value.item(), count, gradients, offset_gradient


@_fitting
def scores(projections, tiles, use_lstm, offset, threads) -> torch.Tensor:
    parts = [_Walk(projections, portion, use_lstm, keep=False).scores for _, portion in _portions(tiles)]
    values = torch.cat(parts) if parts else projections.row.new_zeros(0, FRAME, LANES)
    return values if offset is None else values + offset


@_fitting
def scores_gradients(projections, tiles, upstream, use_lstm, threads, needed) -> Projections:
    gradients = Projections(*(torch.zeros_like(tensor) for tensor in projections))
    for some, portion in _portions(tiles):
        _Walk(projections, portion, use_lstm, keep=True).backward(upstream[some], gradients, needed.distance)
    return gradients


def band_of_rows(projections, n, width, first_row, last_row, use_lstm, offset, threads):
    return plain.band_of_rows(projections, n, width, first_row, last_row, use_lstm, offset, threads, scores=scores,
                              tiles_at_once=TILES_AT_ONCE)


fill_tiles = plain.fill_tiles
