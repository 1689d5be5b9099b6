"""The path term: barriers between two bins, and at them, decide how often loop extrusion brings the two together.

Every bin has a forward and a reverse barrier cost, read off the two strand parts of its vector. A loop
extruder loaded at s (i <= s <= j) joins bins i and j when its left leg passes the forward barriers of i < k <= s and its
right leg the reverse barriers of s <= k < j; barriers at the two ends hold it there:

    S_ij = sum over s of exp(-(sum of forward costs over i < k <= s) - (sum of reverse costs over s <= k < j))
    X_ij = curve(j - i) * exp(anchor * forward_i) * exp(anchor * reverse_j) * S_ij
    rate = exp(distance bias) + X, so the score grows by log(1 + X / exp(distance bias))

S needs no sum per pair. With g = exp(-forward), p = exp(-reverse), walking j outward from i = j:

    A_j = A_{j-1} g_j,    S_j = S_{j-1} p_{j-1} + A_j,    A_i = S_i = 1

Rows lie side by side in memory (``[distance, row]``), so one step of the walk is a few products of contiguous stretches.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

try:
    from numba import njit
except ImportError:  # the same walk, slowly
    def njit(**_):
        return lambda function: function

STRONGEST_ANCHOR = 6.0  # bound on the logarithm of what one anchor adds
ROWS_AT_ONCE = 512


@njit(nogil=True, cache=True)
def _walk(forward_pass, reverse_pass, left_anchor, right_anchor, curve, joined):
    """Fill joined[d, i] = X of rows i and i + d: S by its recursion, a block of rows at a time."""
    distances, n = joined.shape
    alive = np.empty(ROWS_AT_ONCE, joined.dtype)
    reached = np.empty(ROWS_AT_ONCE, joined.dtype)
    for first in range(0, n, ROWS_AT_ONCE):
        block = min(ROWS_AT_ONCE, n - first)
        alive[:] = 1
        reached[:] = 1
        for d in range(distances):
            rows = min(block, n - d - first)
            if rows <= 0:
                break
            for k in range(rows):
                i = first + k
                if d > 0:
                    alive[k] = alive[k] * forward_pass[i + d]
                    reached[k] = reached[k] * reverse_pass[i + d - 1] + alive[k]
                joined[d, i] = curve[d] * left_anchor[i] * right_anchor[i + d] * reached[k]


@njit(nogil=True, cache=True)
def _walk_back(forward_pass, reverse_pass, left_anchor, right_anchor, curve, upstream,
               d_forward, d_reverse, d_left, d_right, d_curve):
    """Gradients of the walk: repeat it, keep A and S of a block of rows, then run the recursion from the far end."""
    distances, n = upstream.shape
    alive = np.ones((distances, ROWS_AT_ONCE), upstream.dtype)
    reached = np.ones((distances, ROWS_AT_ONCE), upstream.dtype)
    d_alive = np.empty(ROWS_AT_ONCE, upstream.dtype)
    d_reached = np.empty(ROWS_AT_ONCE, upstream.dtype)
    for first in range(0, n, ROWS_AT_ONCE):
        block = min(ROWS_AT_ONCE, n - first)
        last = min(distances, n - first)
        for d in range(1, last):
            for k in range(min(block, n - d - first)):
                i = first + k
                alive[d, k] = alive[d - 1, k] * forward_pass[i + d]
                reached[d, k] = reached[d - 1, k] * reverse_pass[i + d - 1] + alive[d, k]
        d_alive[:] = 0
        d_reached[:] = 0
        for d in range(last - 1, -1, -1):
            of_curve = 0.0
            for k in range(min(block, n - d - first)):
                i = first + k
                given = upstream[d, i] * reached[d, k]
                of_curve += given * left_anchor[i] * right_anchor[i + d]
                d_left[i] += given * curve[d] * right_anchor[i + d]
                d_right[i + d] += given * curve[d] * left_anchor[i]
                # d_reached, d_alive hold the adjoints of step d + 1, zero where that step does not exist
                grown = upstream[d, i] * curve[d] * left_anchor[i] * right_anchor[i + d]
                if i + d + 1 < n and d + 1 < last:
                    grown += d_reached[k] * reverse_pass[i + d]
                    d_alive[k] = d_alive[k] * forward_pass[i + d + 1]
                d_reached[k] = grown
                d_alive[k] += grown
                if d > 0:
                    d_forward[i + d] += d_alive[k] * alive[d - 1, k]
                    d_reverse[i + d - 1] += d_reached[k] * reached[d - 1, k]
            d_curve[d] += of_curve


class _Walk(torch.autograd.Function):
    @staticmethod
    def forward(context, *inputs):
        arrays = [x.detach().contiguous().numpy() for x in inputs]
        joined = np.zeros((len(arrays[4]), len(arrays[0])), arrays[0].dtype)
        _walk(*arrays, joined)
        context.save_for_backward(*inputs)
        return torch.from_numpy(joined)

    @staticmethod
    def backward(context, upstream):
        inputs = context.saved_tensors
        gradients = [torch.zeros_like(x) for x in inputs]
        _walk_back(*(x.detach().contiguous().numpy() for x in inputs), upstream.contiguous().numpy(),
                   *(g.numpy() for g in gradients))
        return tuple(gradients)


def _spread(joined: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Blur [distance, row] a little over the four neighbours (i +- 1, j), (i, j +- 1); edges repeat.

    The same for both strands, because reading backwards exchanges the two kinds of neighbours.
    """
    p = functional.pad(joined[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
    neighbours = p[2:, 1:-1] + p[:-2, 1:-1] + p[:-2, 2:] + p[2:, :-2]
    return (1 - 4 * share) * joined + share * neighbours


class ExtrusionPath(nn.Module):
    """Barrier costs of bins and what they add to the score.

    Parameters
    ----------
    strand_size : components of a strand part
    knots : knots of the distance basis (see ``network.py``)
    """

    def __init__(self, strand_size: int, knots: int, random: torch.Generator):
        super().__init__()
        self.reading = nn.Parameter(torch.randn(strand_size, generator=random))
        self.level = nn.Parameter(torch.tensor(-3.0))  # few bins are barriers: costs start near softplus(-3) = 0.05
        self.anchor = nn.Parameter(torch.tensor(0.5))
        self.curve = nn.Parameter(torch.zeros(knots))
        self.blur = nn.Parameter(torch.zeros(2))

    def costs(self, strands: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Forward and reverse barrier costs, [n] each, from the strand parts [n, 2 * strand_size] of the vectors."""
        forward, reverse = strands.chunk(2, 1)
        return (functional.softplus(forward @ self.reading + self.level),
                functional.softplus(reverse @ self.reading + self.level))

    def offset(self, strands: torch.Tensor, basis: torch.Tensor, distance_bias: torch.Tensor) -> torch.Tensor:
        """What the path adds to the scores: [distances, n], entry [d, i] for bins i and i + d.

        ``strands`` [n, 2 * strand_size]; ``basis`` [distances, knots];
        ``distance_bias`` [distances], the score's own distance curve.
        """
        forward_cost, reverse_cost = self.costs(strands)
        strength = functional.softplus(self.anchor)
        joined = _Walk.apply(torch.exp(-forward_cost), torch.exp(-reverse_cost),
                             torch.exp((strength * forward_cost).clamp(max=STRONGEST_ANCHOR)),
                             torch.exp((strength * reverse_cost).clamp(max=STRONGEST_ANCHOR)),
                             torch.exp(basis @ self.curve))
        for share in 0.2 * torch.sigmoid(self.blur):
            joined = _spread(joined, share)
        return torch.log1p(joined * torch.exp(-distance_bias)[:, None])

