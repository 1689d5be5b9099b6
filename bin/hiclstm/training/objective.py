"""What training makes small: the loss of the pairs, and what is believed of the vectors beforehand."""

import torch

from .. import kernels
from ..model import HiCLSTM, whole_frames
from .data import Reading, path_of_tiles

CORNERS = 2.0  # weight of corner strengths beside barrier costs


def pairs_loss(model: HiCLSTM, reading: Reading, chosen, *, use_lstm: bool, threads: int,
               path_held: bool = False) -> tuple[torch.Tensor, int]:
    """Loss summed over the pairs of some tiles, and their number.

    ``chosen``: indices into ``reading.tiles``; ``path_held``: whether the path is left out of the gradient.
    """
    vectors = reading.vectors(model)
    projections = model.project(vectors, whole_frames(reading.width))
    tiles = reading.tiles.choose(chosen)
    offset = path_of_tiles(model, vectors.detach() if path_held else vectors, tiles) if model.config.path_reach else None
    return kernels.loss(projections, reading.pairs, tiles, likelihood=model.config.likelihood, width=reading.width,
                        use_lstm=use_lstm, offset=offset, threads=threads)


def priors(model: HiCLSTM, chromosome: int, smoothness: float, sparseness: float) -> torch.Tensor:
    """Penalties on the vectors of one chromosome: 0-d.

    ``smoothness`` times the mean square step between neighbouring bins (strand parts excepted); ``sparseness`` times the
    mean length of the strand parts, the mean barrier cost and (``CORNERS`` times) the mean corner strength: most bins are
    no barrier and no loop's end.
    """
    free = model.free[chromosome]
    penalty = smoothness * (free[1:] - free[:-1]).square().mean()
    if sparseness and model.config.path_reach:
        strands = model.strands[chromosome]
        length = (strands.square().sum(1) + 1e-4).sqrt().mean()
        costs, corners = (sum(read(strands)).mean() for read in (model.path.costs, model.path.corners))
        penalty = penalty + sparseness * (length + costs + CORNERS * corners)
    return penalty
