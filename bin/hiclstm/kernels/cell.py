"""One frame of the layer-norm LSTM for 16 rows at once: forward, loss and backward, each step a few named pieces.

Everything here is a vector of 16 lanes (see ``simd``); G = 4H gate inputs stand in the order enter, forget, leave,
candidate. With r̂ms(x) = x / sqrt(mean(x²) + eps), layer norm of what is centred already, a step is

    x      = row + column + distance                         [G]   input
    u      = U h                                             [G]   recurrence
    q      = r̂ms(x) input_gain + r̂ms(u) recurrent_gain + gate_bias
    e,f,l  = sigmoid(q),  g = softsign(q)
    ĉ      = LayerNorm(f c + e g),   c = ĉ cell_gain + cell_bias
    h      = l softsign(c)
    score  = output_weight h + output_bias + distance bias + row features * column features [+ offset]
"""

from typing import NamedTuple

from ..model.config import FRAME
from ..model.network import NORM_EPSILON
from .compilation import inlined
from .functions import exponential, inverse, inverse_root, sigmoid
from .simd import absolute, add_lanes, at, lane_sums, larger, load, registers, smaller, store, where_positive, zeros
from .tiles import LANES

UNITS_AT_ONCE = 8  # hidden units kept in registers
STEPS_AT_ONCE = 10  # steps of the backward walk before their share of the recurrent matrix's gradient is summed
LARGEST_LOG_RATE = 30.0  # beyond this score exp is continued by its tangent: early in training a score may be anything
COLUMNS = -(-(FRAME + LANES - 1) // LANES) * LANES  # columns a tile touches, rounded up


class Weights(NamedTuple):
    """Addresses of the network's weights; the same shape holds their gradients, a vector for each number."""

    recurrent: object  # [G, H]
    input_gain: object  # [G]
    recurrent_gain: object  # [G]
    gate_bias: object  # [G]
    cell_gain: object  # [H]
    cell_bias: object  # [H]
    output_weight: object  # [H]
    output_bias: object  # [1]


class Tile(NamedTuple):
    """Addresses of what one tile reads and what it leaves; H hidden units, K pair features, vectors of 16 lanes."""

    row: object  # [G + K] vectors
    column: object  # [G + K, COLUMNS] numbers
    distance: object  # [steps, G + 1] numbers
    row_gradient: object  # [G + K] vectors
    column_gradient: object  # [G + K, COLUMNS] numbers
    distance_gradient: object  # [steps, G + 1] numbers
    score: object  # [FRAME] vectors
    score_gradient: object  # [FRAME] vectors
    states: object  # [FRAME + 1] states, the first of which is before the first step
    work: object  # intermediate values of one step


class State(NamedTuple):
    """Addresses of what the backward walk needs of one step."""

    gates: object  # [G] e, f, l, g
    recurrence: object  # [G] r̂ms(u)
    cell: object  # [H] ĉ
    hidden: object  # [H] h
    scales: object  # [3] 1 / root mean square of x, of u, of the centred cell


@inlined
def weights_at(pointer, hidden, step):
    """The weights packed behind ``pointer``, ``step`` numbers apart."""
    gates = 4 * hidden * step
    gains = 4 * hidden * hidden * step
    cell = gains + 3 * gates
    return Weights(pointer, at(pointer, gains), at(pointer, gains + gates), at(pointer, gains + 2 * gates),
                   at(pointer, cell), at(pointer, cell + hidden * step), at(pointer, cell + 2 * hidden * step),
                   at(pointer, cell + 3 * hidden * step))


@inlined
def weights_size(hidden):
    return 4 * hidden * hidden + 15 * hidden + 1


@inlined
def state_size(hidden):
    return (10 * hidden + 3) * LANES


@inlined
def state_at(states, slot, hidden):
    first = slot * state_size(hidden)
    unit = hidden * LANES
    return State(at(states, first), at(states, first + 4 * unit), at(states, first + 8 * unit),
                 at(states, first + 9 * unit), at(states, first + 10 * unit))


@inlined
def work_size(hidden):
    return (5 + STEPS_AT_ONCE) * 4 * hidden * LANES


@inlined
def softsign_scale(x):
    return inverse(1.0 + absolute(x))


# --------------------------------------------------------------------------------------------------------- forward

@inlined
def input_of_gates(tile, step, x, gates):
    """x of one step, and the inverse of its root mean square."""
    row, column, distance = tile.row, at(tile.column, step), at(tile.distance, step * (gates + 1))
    squares = zeros(row)
    for gate in range(gates):
        value = load(row, gate * LANES) + load(column, gate * COLUMNS) + distance[gate]
        store(x, gate * LANES, value)
        squares = squares + value * value
    return inverse_root(squares * (1.0 / gates) + NORM_EPSILON)


@inlined
def recurrence_of_gates(weights, h, u, hidden):
    """u = U h, and the inverse of its root mean square."""
    gates = 4 * hidden
    squares = zeros(u)
    unit_h = registers(squares, 8)
    for first in range(0, hidden, UNITS_AT_ONCE):
        for unit in range(UNITS_AT_ONCE):
            unit_h[unit] = load(h, (first + unit) * LANES)
        for gate in range(gates):
            row = at(weights.recurrent, gate * hidden + first)
            total = unit_h[0] * row[0]
            for unit in range(1, UNITS_AT_ONCE):
                total = total + unit_h[unit] * row[unit]
            if first > 0:
                total = total + load(u, gate * LANES)
            store(u, gate * LANES, total)
            if first + UNITS_AT_ONCE == hidden:
                squares = squares + total * total
    return inverse_root(squares * (1.0 / gates) + NORM_EPSILON)


@inlined
def gate_input(weights, x, u, scale_x, scale_u, recurrence, gate):
    """q of one gate; r̂ms(u) is kept for the backward walk."""
    normed = load(u, gate * LANES) * scale_u
    store(recurrence, gate * LANES, normed)
    return (load(x, gate * LANES) * scale_x * weights.input_gain[gate]
            + (normed * weights.recurrent_gain[gate] + weights.gate_bias[gate]))


@inlined
def walk_step(tile, weights, step, before, now, cell, hidden):
    """States and output of one step, from the states before it; ``cell`` holds c."""
    gates = 4 * hidden
    x, u = tile.work, at(tile.work, gates * LANES)
    scale_x = input_of_gates(tile, step, x, gates)
    scale_u = recurrence_of_gates(weights, before.hidden, u, hidden)
    for gate in range(3 * hidden):
        q = gate_input(weights, x, u, scale_x, scale_u, now.recurrence, gate)
        store(now.gates, gate * LANES, sigmoid(q))
    for gate in range(3 * hidden, gates):
        q = gate_input(weights, x, u, scale_x, scale_u, now.recurrence, gate)
        store(now.gates, gate * LANES, q * softsign_scale(q))
    mean = zeros(u)
    for unit in range(hidden):
        enter, forget = load(now.gates, unit * LANES), load(now.gates, (hidden + unit) * LANES)
        candidate = load(now.gates, (3 * hidden + unit) * LANES)
        c = forget * load(cell, unit * LANES) + enter * candidate
        store(cell, unit * LANES, c)
        mean = mean + c
    mean = mean * (1.0 / hidden)
    squares = zeros(u)
    for unit in range(hidden):
        centred = load(cell, unit * LANES) - mean
        squares = squares + centred * centred
    scale_c = inverse_root(squares * (1.0 / hidden) + NORM_EPSILON)
    output = zeros(u)
    for unit in range(hidden):
        normed = (load(cell, unit * LANES) - mean) * scale_c
        c = normed * weights.cell_gain[unit] + weights.cell_bias[unit]
        h = load(now.gates, (2 * hidden + unit) * LANES) * (c * softsign_scale(c))
        store(now.cell, unit * LANES, normed)
        store(cell, unit * LANES, c)
        store(now.hidden, unit * LANES, h)
        output = output + h * weights.output_weight[unit]
    store(now.scales, 0, scale_x)
    store(now.scales, LANES, scale_u)
    store(now.scales, 2 * LANES, scale_c)
    return output


@inlined
def forward(tile, weights, hidden, features, steps, use_lstm, keep):
    """Scores of one tile; ``keep`` the states of every step for the backward walk, or only the last."""
    gates = 4 * hidden
    nothing = zeros(tile.row)
    cell = at(tile.work, 2 * gates * LANES)
    before = state_at(tile.states, 0, hidden)
    for unit in range(hidden):
        store(before.hidden, unit * LANES, nothing)
        store(cell, unit * LANES, nothing)
    for step in range(steps):
        score = nothing + (weights.output_bias[0] + tile.distance[step * (gates + 1) + gates])
        for feature in range(gates, gates + features):
            score = score + load(tile.row, feature * LANES) * load(tile.column, feature * COLUMNS + step)
        if use_lstm:
            before = state_at(tile.states, step if keep else 0, hidden)
            now = state_at(tile.states, step + 1 if keep else 0, hidden)
            score = score + walk_step(tile, weights, step, before, now, cell, hidden)
        store(tile.score, step * LANES, score)


# ------------------------------------------------------------------------------------------------------------ loss

@inlined
def poisson_loss(score, count, weight_product):
    """Poisson loss exp(score) / (w_i w_j) - count * score, and its derivative; 0 where the weights' product is 0."""
    exposure = where_positive(weight_product, inverse(where_positive(weight_product, weight_product, 1.0)), 0.0)
    rate = exposure * exponential(smaller(score, LARGEST_LOG_RATE))
    count = where_positive(weight_product, count, 0.0)
    return rate * (1.0 + larger(score - LARGEST_LOG_RATE, 0.0)) - count * score, rate - count


@inlined
def contact_probability(contacts):
    """Equation 1."""
    return exponential(-8.0 / (contacts + 1e-10))


@inlined
def squared_loss(score, count, weight_product, scale):
    """(sigmoid(score) - contact probability)² and its derivative; 0 where the weights' product is 0."""
    probability = sigmoid(score)
    error = probability - contact_probability(count * weight_product * scale)
    error = where_positive(weight_product, error, 0.0)
    return error * error, 2.0 * error * probability * (1.0 - probability)


# -------------------------------------------------------------------------------------------------------- backward

@inlined
def add_to(pointer, index, vector):
    store(pointer, index, load(pointer, index) + vector)


@inlined
def cell_backward(weights, sums, now, before, score_gradient, h_gradient, c_gradient, q_gradient, hidden, first_step):
    """From the gradients of h and c after a step to those of q and of c before it."""
    along, across = zeros(score_gradient), zeros(score_gradient)
    output_gradient = load(score_gradient, 0)
    for unit in range(hidden):
        leave, normed = load(now.gates, (2 * hidden + unit) * LANES), load(now.cell, unit * LANES)
        c = normed * weights.cell_gain[unit] + weights.cell_bias[unit]
        scale = softsign_scale(c)
        add_to(sums.output_weight, unit * LANES, output_gradient * load(now.hidden, unit * LANES))
        h = load(h_gradient, unit * LANES) + output_gradient * weights.output_weight[unit]
        store(q_gradient, (2 * hidden + unit) * LANES, h * (c * scale) * leave * (1.0 - leave))
        after = load(c_gradient, unit * LANES) + h * leave * scale * scale
        add_to(sums.cell_gain, unit * LANES, after * normed)
        add_to(sums.cell_bias, unit * LANES, after)
        after = after * weights.cell_gain[unit]
        store(c_gradient, unit * LANES, after)
        across = across + after
        along = along + after * normed
    across, along = across * (1.0 / hidden), along * (1.0 / hidden)
    scale_c = load(now.scales, 2 * LANES)
    for unit in range(hidden):
        inner = (load(c_gradient, unit * LANES) - across - load(now.cell, unit * LANES) * along) * scale_c
        enter, forget = load(now.gates, unit * LANES), load(now.gates, (hidden + unit) * LANES)
        candidate = load(now.gates, (3 * hidden + unit) * LANES)
        slope = 1.0 - absolute(candidate)
        c_before = zeros(c_gradient)
        if not first_step:
            c_before = load(before.cell, unit * LANES) * weights.cell_gain[unit] + weights.cell_bias[unit]
        store(q_gradient, unit * LANES, inner * candidate * enter * (1.0 - enter))
        store(q_gradient, (hidden + unit) * LANES, inner * c_before * forget * (1.0 - forget))
        store(q_gradient, (3 * hidden + unit) * LANES, inner * enter * slope * slope)
        store(c_gradient, unit * LANES, inner * forget)


@inlined
def gates_backward(tile, weights, sums, now, step, q_gradient, x, u_gradient, hidden):
    """From the gradient of q to those of x (added to the row's and the columns', left in ``x``) and of u."""
    gates = 4 * hidden
    row, column, distance = tile.row, at(tile.column, step), at(tile.distance, step * (gates + 1))
    column_gradient = at(tile.column_gradient, step)
    scale_x, scale_u = load(now.scales, 0), load(now.scales, LANES)
    along_x, along_u = zeros(x), zeros(x)
    for gate in range(gates):
        normed_x = (load(row, gate * LANES) + load(column, gate * COLUMNS) + distance[gate]) * scale_x
        store(x, gate * LANES, normed_x)
        q = load(q_gradient, gate * LANES)
        of_x, of_u = q * normed_x, q * load(now.recurrence, gate * LANES)
        add_to(sums.gate_bias, gate * LANES, q)
        add_to(sums.input_gain, gate * LANES, of_x)
        add_to(sums.recurrent_gain, gate * LANES, of_u)
        along_x = along_x + of_x * weights.input_gain[gate]
        along_u = along_u + of_u * weights.recurrent_gain[gate]
    along_x, along_u = along_x * (1.0 / gates), along_u * (1.0 / gates)
    for gate in range(gates):
        q = load(q_gradient, gate * LANES)
        x_gradient = (q * weights.input_gain[gate] - load(x, gate * LANES) * along_x) * scale_x
        store(x, gate * LANES, x_gradient)
        add_to(tile.row_gradient, gate * LANES, x_gradient)
        add_to(column_gradient, gate * COLUMNS, x_gradient)
        store(u_gradient, gate * LANES,
              (q * weights.recurrent_gain[gate] - load(now.recurrence, gate * LANES) * along_u) * scale_u)


@inlined
def recurrence_backward(weights, u_gradient, h_gradient, hidden):
    """Gradient of h before the step: U' times the gradient of u."""
    totals = registers(zeros(u_gradient), 8)
    for first in range(0, hidden, UNITS_AT_ONCE):
        for unit in range(UNITS_AT_ONCE):
            totals[unit] = zeros(u_gradient)
        for gate in range(4 * hidden):
            row, gradient = at(weights.recurrent, gate * hidden + first), load(u_gradient, gate * LANES)
            for unit in range(UNITS_AT_ONCE):
                totals[unit] = totals[unit] + gradient * row[unit]
        for unit in range(UNITS_AT_ONCE):
            store(h_gradient, (first + unit) * LANES, totals[unit])


@inlined
def recurrent_matrix_backward(sums, states, u_gradients, first_step, last_step, hidden):
    """Add the share of some steps to the gradient of U: the products of u's gradient and h before each step."""
    gates = 4 * hidden
    totals = registers(zeros(u_gradients), 16)
    for gate in range(0, gates, 2):
        for first in range(0, hidden, UNITS_AT_ONCE):
            place = at(sums.recurrent, (gate * hidden + first) * LANES)
            for unit in range(UNITS_AT_ONCE):
                totals[unit] = load(place, unit * LANES)
                totals[UNITS_AT_ONCE + unit] = load(place, (hidden + unit) * LANES)
            for step in range(first_step, last_step):
                gradient = at(u_gradients, ((step - first_step) * gates + gate) * LANES)
                one, other = load(gradient, 0), load(gradient, LANES)
                h = at(state_at(states, step, hidden).hidden, first * LANES)
                for unit in range(UNITS_AT_ONCE):
                    unit_h = load(h, unit * LANES)
                    totals[unit] = totals[unit] + one * unit_h
                    totals[UNITS_AT_ONCE + unit] = totals[UNITS_AT_ONCE + unit] + other * unit_h
            for unit in range(UNITS_AT_ONCE):
                store(place, unit * LANES, totals[unit])
                store(place, (hidden + unit) * LANES, totals[UNITS_AT_ONCE + unit])


@inlined
def distance_backward(tile, step, x_gradient, score_gradient, hidden):
    """Sums over the lanes, which all have the same distance."""
    gates = 4 * hidden
    place = at(tile.distance_gradient, step * (gates + 1))
    for gate in range(0, gates, LANES):
        add_to(place, gate, lane_sums(at(x_gradient, gate * LANES)))
    place[gates] += add_lanes(load(score_gradient, 0))


@inlined
def backward(tile, weights, sums, hidden, features, steps, use_lstm, of_distance):
    """From the gradient of the scores to those of everything, walking the frame from its end."""
    gates = 4 * hidden
    nothing = zeros(tile.row)
    unit_size, gate_size = hidden * LANES, gates * LANES
    q_gradient, x, h_gradient = tile.work, at(tile.work, gate_size), at(tile.work, 2 * gate_size)
    c_gradient, u_gradients = at(tile.work, 2 * gate_size + unit_size), at(tile.work, 3 * gate_size)
    for unit in range(hidden):
        store(h_gradient, unit * LANES, nothing)
        store(c_gradient, unit * LANES, nothing)
    if not use_lstm:
        for gate in range(gates):
            store(x, gate * LANES, nothing)
    last = steps
    while last > 0:
        first = max(last - STEPS_AT_ONCE, 0)
        for step in range(last - 1, first - 1, -1):
            score_gradient = at(tile.score_gradient, step * LANES)
            gradient = load(score_gradient, 0)
            add_to(sums.output_bias, 0, gradient)
            for feature in range(gates, gates + features):
                add_to(tile.row_gradient, feature * LANES, gradient * load(tile.column, feature * COLUMNS + step))
                add_to(tile.column_gradient, feature * COLUMNS + step, gradient * load(tile.row, feature * LANES))
            if use_lstm:
                now, before = state_at(tile.states, step + 1, hidden), state_at(tile.states, step, hidden)
                u_gradient = at(u_gradients, (step - first) * gate_size)
                cell_backward(weights, sums, now, before, score_gradient, h_gradient, c_gradient, q_gradient, hidden,
                              step == 0)
                gates_backward(tile, weights, sums, now, step, q_gradient, x, u_gradient, hidden)
                recurrence_backward(weights, u_gradient, h_gradient, hidden)
            if of_distance:
                distance_backward(tile, step, x, score_gradient, hidden)
        if use_lstm:
            recurrent_matrix_backward(sums, tile.states, u_gradients, first, last, hidden)
        last = first
