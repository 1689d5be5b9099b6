"""The compiled entries of the CPU kernels: one thread's share of the tiles, with everything of a tile in cache.

A tile's rows and columns of the projections are copied to scratch first (under 1 % of the work), so that neither the
chromosome's end nor the projections' stride matters to the walk; its column gradients are added to the thread's share
of the gradient when the tile is done. Which tiles a thread gets depends on their number alone, so that the same number
of threads gives the same bits.
"""

from ..model.config import FRAME
from .cell import (
    COLUMNS,
    Tile,
    backward,
    contact_probability,
    forward,
    poisson_loss,
    squared_loss,
    state_size,
    weights_at,
    work_size,
)
from .compilation import compiled, inlined
from .functions import inverse
from .loader import fill_counts, fill_weight_products, steps_within
from .simd import add_lanes, address, at, load, store, where_positive, zeros
from .tiles import LANES

COUNTS, PROBABILITY, UPSTREAM = 0, 1, 2  # where the gradient of the scores comes from


@inlined
def tile_at(scratch, hidden, features, distance, distance_gradient):
    """The parts of a tile in a thread's scratch, behind them its counts and the products of its weights."""
    rows = 4 * hidden + features
    column = at(scratch, rows * LANES)
    row_gradient = at(column, rows * COLUMNS)
    column_gradient = at(row_gradient, rows * LANES)
    score = at(column_gradient, rows * COLUMNS)
    score_gradient = at(score, FRAME * LANES)
    count = at(score_gradient, FRAME * LANES)
    product = at(count, FRAME * LANES)
    work = at(product, FRAME * LANES)
    states = at(work, work_size(hidden))
    return Tile(scratch, column, distance, row_gradient, column_gradient, distance_gradient, score, score_gradient,
                states, work), count, product


def scratch_size(hidden: int, features: int) -> int:
    """How many numbers of scratch a thread needs."""
    return (2 * (4 * hidden + features) * (LANES + COLUMNS) + 4 * FRAME * LANES + work_size.py_func(hidden)
            + (FRAME + 1) * state_size.py_func(hidden))


@inlined
def copy_block(source, rows, n, first, size, target, stride):
    """Columns from ``first`` on of ``source`` [rows, n] to ``target`` [rows, stride], zeros past the end."""
    inside = max(min(size, n - first), 0)
    for row in range(rows):
        for k in range(inside):
            target[row * stride + k] = source[row * n + first + k]
        for k in range(inside, size):
            target[row * stride + k] = 0


@inlined
def add_block(source, rows, n, first, size, target, stride):
    """The reverse: add ``source`` [rows, stride] to columns from ``first`` on of ``target`` [rows, n]."""
    inside = max(min(size, n - first), 0)
    for row in range(rows):
        for k in range(inside):
            target[row * n + first + k] += source[row * stride + k]


@inlined
def clear(target, size):
    for k in range(size):
        target[k] = 0


@inlined
def load_tile(tile, row, column, n, first_row, first_distance, steps, rows):
    copy_block(row, rows, n, first_row, LANES, tile.row, LANES)
    copy_block(column, rows, n, first_row + first_distance, steps + LANES - 1, tile.column, COLUMNS)


@inlined
def add_tile_gradients(tile, row_gradient, column_gradient, n, first_row, first_distance, steps, rows):
    add_block(tile.row_gradient, rows, n, first_row, LANES, row_gradient, LANES)
    add_block(tile.column_gradient, rows, n, first_row + first_distance, steps + LANES - 1, column_gradient, COLUMNS)


@inlined
def loss_of_tile(tile, count, product, steps, likelihood, scale):
    """Sum of the loss and number of valid pairs; the gradient of the scores is left in the tile."""
    total, valid = zeros(count), zeros(count)
    for step in range(steps):
        here = step * LANES
        if likelihood == COUNTS:
            value, gradient = poisson_loss(load(tile.score, here), load(count, here), load(product, here))
        else:
            value, gradient = squared_loss(load(tile.score, here), load(count, here), load(product, here), scale)
        store(tile.score_gradient, here, gradient)
        total = total + value
        valid = valid + where_positive(load(product, here), zeros(count) + 1.0, 0.0)
    return add_lanes(total), add_lanes(valid)


@compiled
def walk_back(units, features, tile_rows, tile_distances, share, shares, width, row, column, distance, weights,
              starts, columns, counts, bin_weight, scale, likelihood, use_lstm, offset, score_gradients, row_gradient,
              column_gradient, distance_gradient, sums, scratch):
    """Forward, loss and backward of every ``shares``-th tile, beginning with number ``share``: (loss, valid pairs).

    With ``likelihood`` COUNTS or PROBABILITY the gradient of the scores is the loss's, and is written to
    ``score_gradients`` [m, FRAME, LANES] unless that is empty; with UPSTREAM it is read from there. ``offset`` is as
    large or empty. Gradients are added to ``row_gradient`` and ``column_gradient`` [G + K, n], to ``sums``
    [weights, LANES] and, unless empty, to ``distance_gradient`` [distances, G + 1]: all this thread's own.
    """
    hidden, gates = len(units), 4 * len(units)
    rows, n = gates + features, row.shape[1]
    tile_weights, tile_sums = weights_at(address(weights), hidden, 1), weights_at(address(sums), hidden, LANES)
    loss, valid = 0.0, 0.0
    for number in range(share, len(tile_rows), shares):
        first_row, first_distance = tile_rows[number], tile_distances[number]
        steps = steps_within(n, width, first_row, first_distance, FRAME)
        distance_place = first_distance * (gates + 1)
        tile, count, product = tile_at(address(scratch), hidden, features, at(address(distance), distance_place),
                                       at(address(distance_gradient), distance_place))
        load_tile(tile, address(row), address(column), n, first_row, first_distance, steps, rows)
        clear(tile.row_gradient, rows * LANES)
        clear(tile.column_gradient, rows * COLUMNS)
        forward(tile, tile_weights, hidden, features, steps, use_lstm, True)
        fill_weight_products(address(bin_weight), first_row, first_distance, steps, product)
        mine = number * FRAME * LANES
        if likelihood == UPSTREAM:
            for step in range(steps):
                store(tile.score_gradient, step * LANES, where_positive(
                    load(product, step * LANES), load(address(score_gradients), mine + step * LANES), 0.0))
        else:
            if len(offset):
                for step in range(steps):
                    store(tile.score, step * LANES, load(tile.score, step * LANES)
                          + load(address(offset), mine + step * LANES))
            fill_counts(address(starts), address(columns), address(counts), n, first_row, first_distance, steps, count)
            tile_loss, tile_valid = loss_of_tile(tile, count, product, steps, likelihood, scale)
            loss += tile_loss
            valid += tile_valid
            if len(score_gradients):
                for step in range(steps):
                    store(address(score_gradients), mine + step * LANES, load(tile.score_gradient, step * LANES))
        backward(tile, tile_weights, tile_sums, hidden, features, steps, use_lstm, len(distance_gradient) > 0)
        add_tile_gradients(tile, address(row_gradient), address(column_gradient), n, first_row, first_distance, steps,
                           rows)
    return loss, valid


@compiled
def walk(units, features, tile_rows, tile_distances, share, shares, width, row, column, distance, weights, use_lstm,
         first_row_wanted, last_row_wanted, scores, scratch):
    """Scores of every ``shares``-th tile, beginning with number ``share``.

    Written to ``scores`` [rows wanted, width], pairs past the chromosome's end left as they are; with
    ``last_row_wanted`` 0 to ``scores`` [m, FRAME, LANES].
    """
    hidden, gates = len(units), 4 * len(units)
    rows, n = gates + features, row.shape[1]
    tile_weights = weights_at(address(weights), hidden, 1)
    target = address(scores)
    for number in range(share, len(tile_rows), shares):
        first_row, first_distance = tile_rows[number], tile_distances[number]
        steps = steps_within(n, width, first_row, first_distance, FRAME)
        tile, _, _ = tile_at(address(scratch), hidden, features,
                             at(address(distance), first_distance * (gates + 1)), address(scratch))
        load_tile(tile, address(row), address(column), n, first_row, first_distance, steps, rows)
        forward(tile, tile_weights, hidden, features, steps, use_lstm, False)
        if last_row_wanted == 0:
            for step in range(steps):
                place, lanes = (number * FRAME + step) * LANES, n - first_row - first_distance - step
                if lanes >= LANES:
                    store(target, place, load(tile.score, step * LANES))
                else:
                    for lane in range(lanes):
                        target[place + lane] = tile.score[step * LANES + lane]
        else:
            for lane in range(min(LANES, last_row_wanted - first_row)):
                place = (first_row + lane - first_row_wanted) * width + first_distance
                for step in range(min(steps, n - first_row - lane - first_distance)):
                    target[place + step] = tile.score[step * LANES + lane]


@compiled
def fill(tile_rows, tile_distances, share, shares, width, starts, columns, counts, bin_weight, scale, likelihood,
         target, exposure):
    """Targets and exposures of every ``shares``-th tile, beginning with number ``share``: two [m, FRAME, LANES]."""
    n = len(starts) - 1
    for number in range(share, len(tile_rows), shares):
        first_row, first_distance = tile_rows[number], tile_distances[number]
        steps = steps_within(n, width, first_row, first_distance, FRAME)
        of_targets = at(address(target), number * FRAME * LANES)
        of_exposures = at(address(exposure), number * FRAME * LANES)
        fill_counts(address(starts), address(columns), address(counts), n, first_row, first_distance, steps, of_targets)
        fill_weight_products(address(bin_weight), first_row, first_distance, steps, of_exposures)
        for step in range(steps):
            value, product = load(of_targets, step * LANES), load(of_exposures, step * LANES)
            if likelihood == COUNTS:
                known = inverse(where_positive(product, product, zeros(of_targets) + 1.0))
            else:
                known = zeros(of_targets) + 1.0
                value = contact_probability(value * product * scale)
            store(of_targets, step * LANES, where_positive(product, value, 0.0))
            store(of_exposures, step * LANES, where_positive(product, known, 0.0))
