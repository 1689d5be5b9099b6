"""SCI (Ashoor et al., Nature Communications 2020): bins as nodes of the contact graph, embedded by LINE.

LINE (Tang et al., WWW 2015) embeds a weighted graph by its first-order proximity (nodes with a strong edge have
vectors with a large product) and its second-order proximity (nodes with the same neighbours have like vectors), each
by sampling edges in proportion to their weight and five random nodes as counter-examples. SCI runs both, puts the two
vectors side by side and scales each row to length one. The maintained graph libraries do not install together with the
rest of this project, so the algorithm is written out here, in the order and with the settings of SCI's own program:

- 25 million sampled edges for each order, 5 negative samples in proportion to degree^0.75
- learning rate 0.025, falling linearly to a ten-thousandth of it
- vectors start uniform within +-0.5/size, contexts at zero
- size 100 for each order (200 together); here a size is the length of both together, so that methods are equal

SCI builds its graph of interchromosomal contacts; for maps of single chromosomes the authors of Hi-C-LSTM used the
intrachromosomal ones, and so does this. Chromosomes are then separate components of one graph.
"""

import numba
import numpy as np

from ..contacts import ContactMap
from ..errors import InputError

SAMPLES = 25_000_000
NEGATIVE = 5
RATE = 0.025
NEGATIVE_POWER = 0.75
NEGATIVE_TABLE = 1 << 20


def graph_embedding(contact_map: ContactMap, size: int, seed: int, samples: int = SAMPLES) -> np.ndarray:
    """LINE embedding of the graph of balanced contacts.

    Returns
    -------
    float32 [N, size]: half first-order, half second-order, each row of length one; zeros for missing bins and for bins
    without contacts
    """
    if size % 2:
        raise InputError(f"SCI with size {size}: half of a vector is first-order, half second-order; give an even size")
    n = len(contact_map.bins)
    weight = np.nan_to_num(contact_map.weight)
    row = np.repeat(np.arange(n, dtype=np.int32), np.diff(contact_map.starts))
    value = contact_map.counts * weight[row] * weight[contact_map.columns]
    edge = (value > 0) & (row != contact_map.columns)
    if not edge.any():
        raise InputError("the map has no contacts between different bins, so there is no graph to embed")
    source, target, value = row[edge], contact_map.columns[edge], value[edge]
    degree = np.bincount(source, value, minlength=n) + np.bincount(target, value, minlength=n)
    chance = np.cumsum(degree**NEGATIVE_POWER)
    # a node appears in the table as often as it is to be drawn
    table = np.searchsorted(chance, (np.arange(NEGATIVE_TABLE) + 0.5) / NEGATIVE_TABLE * chance[-1]).astype(np.int32)
    keep, alias = alias_table(value / value.sum())
    parts = []
    for order in (1, 2):
        random = np.random.default_rng([seed, order])
        vectors = ((random.random((n, size // 2)) - 0.5) / (size // 2)).astype(np.float32)
        contexts = vectors if order == 1 else np.zeros_like(vectors)
        _line(random, source, target, keep, alias, table, vectors, contexts, samples)
        parts.append(vectors)
    vectors = np.concatenate(parts, 1)
    vectors[degree == 0] = 0
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


@numba.njit(cache=True)
def alias_table(chance):
    """Walker's table for drawing in proportion to ``chance``: k uniformly, kept by ``keep[k]`` or else its alias."""
    n = len(chance)
    keep = chance * n
    alias = np.arange(n)
    small = np.empty(n, np.int64)
    large = np.empty(n, np.int64)
    smalls = larges = 0
    for k in range(n):
        if keep[k] < 1:
            small[smalls] = k
            smalls += 1
        else:
            large[larges] = k
            larges += 1
    while smalls and larges:
        poor, rich = small[smalls - 1], large[larges - 1]
        smalls -= 1
        alias[poor] = rich
        keep[rich] -= 1 - keep[poor]
        if keep[rich] < 1:
            larges -= 1
            small[smalls] = rich
            smalls += 1
    return keep, alias


@numba.njit(cache=True, fastmath=True)
def _line(random, source, target, keep, alias, table, vectors, contexts, samples):
    """Stochastic gradient ascent on LINE's objective, one edge at a time, in place.

    With ``contexts`` the same array as ``vectors`` it is the first order, else the second.
    """
    size = vectors.shape[1]
    change = np.empty(size, np.float32)
    one = np.float32(1)
    for sample in range(samples):
        rate = np.float32(RATE * max(1 - sample / samples, 1e-4))
        k = int(random.random() * len(source))
        if random.random() >= keep[k]:
            k = alias[k]
        u, v = source[k], target[k]
        if random.random() < 0.5:  # an undirected edge is two directed ones
            u, v = v, u
        change[:] = 0
        for draw in range(NEGATIVE + 1):
            other = v if draw == 0 else table[int(random.random() * len(table))]
            product = np.float32(0)
            for c in range(size):
                product += vectors[u, c] * contexts[other, c]
            step = ((one if draw == 0 else one - one) - one / (one + np.exp(-product))) * rate
            for c in range(size):
                change[c] += step * contexts[other, c]
                contexts[other, c] += step * vectors[u, c]
        for c in range(size):
            vectors[u, c] += change[c]
