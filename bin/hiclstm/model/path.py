"""The path term: barriers between two bins, and at them, decide how often loop extrusion brings the two together.

Every bin has a forward and a reverse barrier cost, read off the two strand parts of its vector. A loop
extruder loaded at s (i <= s <= j) joins bins i and j when its left leg passes the forward barriers of i < k <= s and its
right leg the reverse barriers of s <= k < j; barriers at the two ends hold it there. An extruder held at both ends at
once stays: what that adds, the dot at a loop's corner, is the product of a corner strength of either end, which stands
in the last component of the strand parts (``corners``; without it strengths are zero):

    S_ij = sum over s of exp(-(sum of forward costs over i < k <= s) - (sum of reverse costs over s <= k < j))
    X_ij = curve(j - i) * (exp(anchor * forward_i) * exp(anchor * reverse_j) + left_i * right_j) * S_ij
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

CORNER_SCALE = 20.0  # of the component they stand in: corners have few steps to grow in, and one step moves it by 0.01
SHUT = -30.0  # level at which corner strengths, and their gradients, are zero
STRONGEST_ANCHOR = 6.0  # bound on the logarithm of what one anchor adds
ROWS_AT_ONCE = 512


@njit(nogil=True, cache=True)
def _walk(forward_pass, reverse_pass, left_anchor, right_anchor, left_corner, right_corner, curve, first_rows, joined):
    """Fill joined[s, d, k] = X of bins i = first_rows[s] + k and i + d: S by its recursion, a block of rows at a time."""
    strips, distances, rows = joined.shape
    n = len(forward_pass)
    alive = np.empty(ROWS_AT_ONCE, joined.dtype)
    reached = np.empty(ROWS_AT_ONCE, joined.dtype)
    for s in range(strips):
        for begin in range(max(0, -first_rows[s]), rows, ROWS_AT_ONCE):
            first = first_rows[s] + begin
            block = min(ROWS_AT_ONCE, rows - begin)
            alive[:block] = 1
            reached[:block] = 1
            for d in range(distances):
                for k in range(min(block, n - d - first)):
                    i = first + k
                    if d > 0:
                        alive[k] = alive[k] * forward_pass[i + d]
                        reached[k] = reached[k] * reverse_pass[i + d - 1] + alive[k]
                    held = left_anchor[i] * right_anchor[i + d] + left_corner[i] * right_corner[i + d]
                    joined[s, d, begin + k] = curve[d] * held * reached[k]


@njit(nogil=True, cache=True)
def _walk_back(forward_pass, reverse_pass, left_anchor, right_anchor, left_corner, right_corner, curve, first_rows,
               upstream, d_forward, d_reverse, d_left, d_right, d_left_corner, d_right_corner, d_curve):
    """Gradients of the walk: repeat it, keep A and S of a block of rows, then run the recursion from the far end."""
    strips, distances, rows = upstream.shape
    n = len(forward_pass)
    alive = np.ones((distances, min(rows, ROWS_AT_ONCE)), upstream.dtype)
    reached = np.ones_like(alive)
    d_alive = np.empty(ROWS_AT_ONCE, upstream.dtype)
    d_reached = np.empty(ROWS_AT_ONCE, upstream.dtype)
    for s in range(strips):
        for begin in range(max(0, -first_rows[s]), rows, ROWS_AT_ONCE):
            first = first_rows[s] + begin
            block = min(ROWS_AT_ONCE, rows - begin)
            last = min(distances, n - first)
            for d in range(1, last):
                for k in range(min(block, n - d - first)):
                    i = first + k
                    alive[d, k] = alive[d - 1, k] * forward_pass[i + d]
                    reached[d, k] = reached[d - 1, k] * reverse_pass[i + d - 1] + alive[d, k]
            d_alive[:block] = 0
            d_reached[:block] = 0
            for d in range(last - 1, -1, -1):
                of_curve = 0.0
                for k in range(min(block, n - d - first)):
                    i = first + k
                    held = left_anchor[i] * right_anchor[i + d] + left_corner[i] * right_corner[i + d]
                    of_curve += upstream[s, d, begin + k] * reached[d, k] * held
                    given = upstream[s, d, begin + k] * curve[d]
                    of_ends = given * reached[d, k]
                    d_left[i] += of_ends * right_anchor[i + d]
                    d_right[i + d] += of_ends * left_anchor[i]
                    d_left_corner[i] += of_ends * right_corner[i + d]
                    d_right_corner[i + d] += of_ends * left_corner[i]
                    # d_reached, d_alive hold the adjoints of step d + 1, zero where that step does not exist
                    grown = given * held
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
    """X of strips of rows: [strips, distances, rows]; 0 where a pair does not lie on the chromosome."""

    @staticmethod
    def forward(context, first_rows, rows, *inputs):
        context.first_rows = first_rows
        context.save_for_backward(*inputs)
        arrays = _arrays(inputs)
        joined = np.zeros((len(first_rows), len(inputs[-1]), rows), arrays[0].dtype)
        _walk(*arrays, first_rows, joined)
        return torch.from_numpy(joined).to(inputs[0].device)

    @staticmethod
    def backward(context, upstream):
        arrays = _arrays(context.saved_tensors)
        gradients = [np.zeros_like(array) for array in arrays]
        _walk_back(*arrays, context.first_rows, *_arrays([upstream]), *gradients)
        return None, None, *(torch.from_numpy(gradient).to(upstream.device) for gradient in gradients)


def _arrays(tensors) -> list[np.ndarray]:
    return [tensor.detach().contiguous().cpu().numpy() for tensor in tensors]


def _spread(joined: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Blur [..., distance, row] a little over the four neighbours (i +- 1, j), (i, j +- 1); the outermost rows are lost,
    distances at the edges repeat.

    The same for both strands, because reading backwards exchanges the two kinds of neighbours.
    """
    farther = torch.cat([joined[..., 1:, :], joined[..., -1:, :]], -2)
    nearer = torch.cat([joined[..., :1, :], joined[..., :-1, :]], -2)
    neighbours = farther[..., 1:-1] + nearer[..., 1:-1] + nearer[..., 2:] + farther[..., :-2]
    return (1 - 4 * share) * joined[..., 1:-1] + share * neighbours


def _repeat_outside(joined: torch.Tensor, first_rows: np.ndarray, n: int) -> torch.Tensor:
    """Give rows before the chromosome's first bin the values of that bin, and rows past its last one those of the last."""
    rows = joined.shape[-1]
    if first_rows.min() >= 0 and first_rows.max() + rows <= n:
        return joined
    own = first_rows[:, None] + np.arange(rows)
    place = torch.from_numpy(np.clip(own, 0, n - 1) - first_rows[:, None]).to(joined.device)
    return joined.gather(-1, place[:, None].expand_as(joined))


class ExtrusionPath(nn.Module):
    """Barrier costs and corner strengths of bins, and what they add to the score.

    Parameters
    ----------
    strand_size : components of a strand part
    knots : knots of the distance basis (see ``network.py``)
    corners : whether the last component of a strand part is a corner strength
    """

    def __init__(self, strand_size: int, knots: int, random: torch.Generator, corners: bool = False):
        super().__init__()
        self.reading = nn.Parameter(torch.randn(strand_size - corners, generator=random))
        self.level = nn.Parameter(torch.tensor(-3.0))  # few bins are barriers: costs start near softplus(-3) = 0.05
        self.anchor = nn.Parameter(torch.tensor(0.5))
        self.curve = nn.Parameter(torch.zeros(knots))
        self.blur = nn.Parameter(torch.zeros(2))
        self.corner_level = nn.Parameter(torch.tensor(SHUT)) if corners else None  # a stage of training of its own opens it

    def costs(self, strands: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Forward and reverse barrier costs, [n] each, from the strand parts [n, 2 * strand_size] of the vectors."""
        forward, reverse = (part[:, :len(self.reading)] @ self.reading for part in strands.chunk(2, 1))
        return functional.softplus(forward + self.level), functional.softplus(reverse + self.level)

    def corners(self, strands: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Corner strengths of bins as left and as right ends of loops, [n] each, from the strand parts."""
        if self.corner_level is None:
            return strands.new_zeros(len(strands)), strands.new_zeros(len(strands))
        forward, reverse = (CORNER_SCALE * part[:, -1] + self.corner_level for part in strands.chunk(2, 1))
        return functional.softplus(forward), functional.softplus(reverse)

    def offset(self, strands: torch.Tensor, basis: torch.Tensor, distance_bias: torch.Tensor,
               first_rows: np.ndarray | None = None, rows: int | None = None) -> torch.Tensor:
        """What the path adds to the scores: [distances, n], entry [d, i] for bins i and i + d.

        ``strands`` [n, 2 * strand_size]; ``basis`` [distances, knots];
        ``distance_bias`` [distances], the score's own distance curve. With ``first_rows`` int64 [strips], only ``rows``
        rows from each of these on: [strips, distances, rows]; pairs outside the chromosome hold no meaning.
        """
        n = len(strands)
        forward_cost, reverse_cost = self.costs(strands)
        strength = functional.softplus(self.anchor)
        first = np.zeros(1, np.int64) if first_rows is None else first_rows
        rows = n if first_rows is None else rows
        blurs = 0.2 * torch.sigmoid(self.blur)
        margin = len(blurs)  # each blur needs one more row on both sides
        joined = _Walk.apply(first - margin, rows + 2 * margin, torch.exp(-forward_cost), torch.exp(-reverse_cost),
                             torch.exp((strength * forward_cost).clamp(max=STRONGEST_ANCHOR)),
                             torch.exp((strength * reverse_cost).clamp(max=STRONGEST_ANCHOR)),
                             *self.corners(strands), torch.exp(basis @ self.curve))
        for share in blurs:
            joined = _spread(_repeat_outside(joined, first - margin, n), share)
            margin -= 1
        added = torch.log1p(joined * torch.exp(-distance_bias)[:, None])
        return added[0] if first_rows is None else added
