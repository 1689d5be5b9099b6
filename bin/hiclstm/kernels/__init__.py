"""The network at the machine's speed: losses, scores and their gradients from the projections of one chromosome.

Three backends share one interface: ``simd`` (numba, CPU with AVX2 or AVX-512), ``gpu`` (Triton, tensors on a CUDA
device) and ``plain`` (PyTorch, anywhere). The definition that all are checked against is
``HiCLSTM.score_frames``; what they eat is made by ``HiCLSTM.project``.
"""

import importlib
import importlib.util
import os
from functools import cache

import numpy as np
import torch

from ..errors import InputError
from ..model.network import Projections
from .tiles import LANES, Pairs, Tiles, holding_usable, tiles

__all__ = ["LANES", "Pairs", "Tiles", "backend", "fill_tiles", "holding_usable", "loss", "score_band",
           "score_pairs_of_rows", "scores", "simd_available", "tiles"]


def backend(device: str | torch.device = "cpu") -> str:
    """Which kernels work on tensors of ``device``; HICLSTM_KERNEL=plain|simd|gpu in the environment forces one."""
    forced = os.environ.get("HICLSTM_KERNEL", "")
    if forced:
        if forced not in ("plain", "simd", "gpu"):
            raise InputError(f"HICLSTM_KERNEL={forced}: there are 'plain', 'simd' and 'gpu'")
        if forced == "simd" and not simd_available():
            raise InputError("HICLSTM_KERNEL=simd: needs numba and a processor with AVX2, one of which is absent here")
        return forced
    if torch.device(device).type == "cuda":
        return "gpu" if importlib.util.find_spec("triton") else "plain"
    return "simd" if simd_available() else "plain"


@cache
def simd_available() -> bool:
    """Whether numba is installed and this processor has AVX2."""
    try:
        from . import cpu
    except ImportError:
        return False
    return cpu.available()


def _module(device):
    return importlib.import_module({"plain": ".plain", "simd": ".cpu", "gpu": ".gpu"}[backend(device)], __name__)


def loss(projections: Projections, pairs: Pairs, tiles: Tiles, *, likelihood: str, width: int, use_lstm: bool = True,
         offset: torch.Tensor | None = None, threads: int = 1) -> tuple[torch.Tensor, int]:
    """Loss summed over the valid pairs of some tiles, and the number of those pairs.

    A pair is valid where row and column lie on the chromosome, distance < ``width`` and both bins have a weight.
    Zero counts are data.

    Parameters
    ----------
    projections : of the whole chromosome; float32 or float64 decides the precision of everything
    likelihood : ``counts``: ``exposure * exp(score) - count * score`` with exposure = 1 / (w_i w_j), exp continued
        by its tangent from a score of 30 on; ``probability``: ``(sigmoid(score) - CP)^2`` with equation 1's CP of
        count * w_i * w_j * scale
    offset : [m, 150, 16], added to the scores

    Returns
    -------
    0-d tensor, differentiable with respect to every tensor of ``projections`` and ``offset``; int
    """
    counted = []
    value = _Loss.apply(counted, pairs, tiles, likelihood, width, use_lstm, threads, offset, *projections)
    return value, counted[0]


def scores(projections: Projections, tiles: Tiles, *, use_lstm: bool = True, offset: torch.Tensor | None = None,
           threads: int = 1) -> torch.Tensor:
    """Scores of some tiles: [m, 150, 16], differentiable. Pairs past the chromosome's end, and past
    the distances that the projections are made for, are 0."""
    return _Scores.apply(tiles, use_lstm, threads, offset, *projections)


def score_band(projections: Projections, n: int, width: int, *, use_lstm: bool = True, offset=None,
               threads: int = 1) -> np.ndarray:
    """Scores of a whole chromosome by distance: [n, width]; NaN past the chromosome's end.

    ``offset`` : [n, width'] with width' <= width is added to the first width' distances.
    """
    return score_pairs_of_rows(projections, n, width, 0, n, use_lstm=use_lstm, offset=offset, threads=threads)


def score_pairs_of_rows(projections: Projections, n: int, width: int, first_row: int, last_row: int, *,
                        use_lstm: bool = True, offset=None, threads: int = 1) -> np.ndarray:
    """Rows ``first_row`` to ``last_row`` (half-open) of :func:`score_band`; ``offset`` has these rows only."""
    detached = Projections(*(tensor.detach() for tensor in projections))
    kernel = _module(projections.row.device)
    return kernel.band_of_rows(detached, n, width, first_row, last_row, use_lstm, offset, threads)


def fill_tiles(pairs: Pairs, tiles: Tiles, width: int, likelihood: str, threads: int = 1):
    """What the loss compares the scores of some tiles with: target and exposure, two float32 [m, 150, 16].

    ``counts``: the raw count and 1 / (w_i w_j); ``probability``: equation 1's contact probability and 1. Exposure 0
    marks a pair that is not valid.
    """
    return _module("cpu").fill_tiles(pairs, tiles, width, likelihood, threads)


class _Loss(torch.autograd.Function):
    """Forward, loss and backward at once: the gradients are ready when the loss is."""

    @staticmethod
    def forward(ctx, counted, pairs, tiles, likelihood, width, use_lstm, threads, offset, *tensors):
        value, count, gradients, offset_gradient = _module(tensors[0].device).loss_and_gradients(
            Projections(*tensors), pairs, tiles, likelihood, width, use_lstm, offset, threads,
            Projections(*ctx.needs_input_grad[8:]), ctx.needs_input_grad[7])
        counted.append(count)
        ctx.gradients = (offset_gradient, *gradients)
        return tensors[0].new_tensor(value)

    @staticmethod
    def backward(ctx, upstream):
        gradients, ctx.gradients = ctx.gradients, None  # as large as the projections: scaled in place, and only once
        gradients = (None if gradient is None else gradient.mul_(upstream) for gradient in gradients)
        return None, None, None, None, None, None, None, *gradients


class _Scores(torch.autograd.Function):
    """Scores; the backward walks the frames again, so that nothing but the projections is kept."""

    @staticmethod
    def forward(ctx, tiles, use_lstm, threads, offset, *tensors):
        ctx.save_for_backward(*tensors)
        ctx.arguments = tiles, use_lstm, threads, offset is not None
        return _module(tensors[0].device).scores(Projections(*tensors), tiles, use_lstm, offset, threads)

    @staticmethod
    def backward(ctx, upstream):
        tiles, use_lstm, threads, has_offset = ctx.arguments
        gradients = _module(upstream.device).scores_gradients(
            Projections(*ctx.saved_tensors), tiles, upstream, use_lstm, threads,
            Projections(*ctx.needs_input_grad[4:]))
        return None, None, None, upstream if has_offset else None, *gradients
