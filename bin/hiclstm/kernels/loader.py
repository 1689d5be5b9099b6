"""From compressed sparse rows to tiles: the counts of 16 rows by 150 distances, and the products of their weights."""

from .compilation import inlined
from .simd import load, store, zeros
from .tiles import LANES


@inlined
def steps_within(n, width, row, distance, frame):
    """How many steps of a tile hold a pair within the chromosome and the width."""
    return max(min(frame, min(width - distance, n - row - distance)), 0)


@inlined
def first_entry(columns, begin, end, column):
    """Where the entries of a row reach ``column``: a binary search."""
    while begin < end:
        middle = (begin + end) >> 1
        if columns[middle] < column:
            begin = middle + 1
        else:
            end = middle
    return begin


@inlined
def fill_counts(starts, columns, counts, n, row, distance, steps, count):
    """Counts of one tile, a vector for each step: zeros, then what each row's entries hold."""
    nothing = zeros(count)
    for step in range(steps):
        store(count, step * LANES, nothing)
    for lane in range(min(LANES, n - row)):
        first, end = row + lane + distance, starts[row + lane + 1]
        entry = first_entry(columns, starts[row + lane], end, first)
        while entry < end and columns[entry] < first + steps:
            count[(columns[entry] - first) * LANES + lane] = counts[entry]
            entry += 1


@inlined
def fill_weight_products(weight, row, distance, steps, product):
    """w_i w_j of one tile, 0 where either is missing; ``weight`` goes on with zeros behind the chromosome's end."""
    weight_of_rows = load(weight, row)
    for step in range(steps):
        store(product, step * LANES, weight_of_rows * load(weight, row + distance + step))
