"""Integrated gradients of the predicted map with respect to every bin's vector (Sundararajan et al. 2017, Captum).

The target is the sum of the predicted scores (log contacts, or logits of the contact probability in the paper's model)
of all pairs of usable bins of a chromosome, from one bin apart up to a stated distance. A bin counts in its row and in
its column: the gradient is taken with respect to all vectors at once, through both roles. The score is the one the
predictor uses: LSTM, distance, pair and path terms, averaged over both strands where the model has strands.
"""

from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import IntegratedGradients
from torch.nn import functional

from .. import kernels
from ..errors import InputError
from ..model import FRAME, whole_frames
from ..prediction import TrainedModel
from ..training.data import tile_offsets

BASELINES = ("mean", "zero", "padding")
REACH = 3_000_000  # base pairs: pairs up to here are attributed, as far as loops reach
STEPS = (32, 128, 256)  # of the integral, tried in turn until it is complete
COMPLETE = 0.01  # the largest completeness error without further steps


@dataclass(frozen=True, eq=False)
class Attribution:
    """Integrated gradients of every bin.

    Attributes
    ----------
    score : float64 [N], summed over the features of a bin; NaN for missing bins. Its unit is that of the target: how
        much the summed log contacts change between the baseline and the bin's own vector
    error : completeness error: what the scores of a chromosome lack to the target's difference between vectors and
        baseline, as a share of that difference, over all chromosomes
    steps : steps of the integral, by chromosome
    width : pairs less than so many bins apart make the target
    baseline : its name
    """

    score: np.ndarray
    error: float
    steps: dict[str, int]
    width: int
    baseline: str


def width_of(model: TrainedModel, max_distance: int | None = None) -> int:
    """How many distances, in bins, make the target: up to 3 Mb, at least one frame, no further than was trained."""
    reach = max_distance or max(REACH, FRAME * model.bins.resolution)
    width = max(2, reach // model.bins.resolution + 1)
    trained = model.facts.get("max_distance")
    return min(width, trained) if trained else width


def baseline_of(model: TrainedModel, name: str) -> np.ndarray:
    """The vector that integration starts from, the same for every bin: float32 [size].

    ``mean``: of all usable bins; ``zero``; ``padding``: of bins without data, the mean of the missing bins (of all
    where none is missing).
    """
    if name not in BASELINES:
        raise InputError(f"--baseline {name}: there are {', '.join(BASELINES)}")
    vectors = model.representations
    if name == "zero":
        return np.zeros(vectors.shape[1], np.float32)
    chosen = model.usable if name == "mean" else ~model.usable
    return vectors[chosen if chosen.any() else slice(None)].mean(0)


class SummedScore(torch.nn.Module):
    """The target of one chromosome as a function of its vectors: [batch, n, size] to [batch].

    Parameters
    ----------
    usable : bool [n]
    width : pairs from 1 to ``width - 1`` bins apart are summed
    """

    def __init__(self, model: TrainedModel, usable: np.ndarray, width: int):
        super().__init__()
        self.network, self.threads = model.network, model.threads
        n = len(usable)
        self.width = min(width, n)
        self.tiles = kernels.tiles(n, self.width)
        self.weights = [self._weights(usable)]
        if model.config.strands:
            self.weights.append(self._weights(usable[::-1]))

    def _weights(self, usable: np.ndarray) -> torch.Tensor:
        """1 for pairs that count, else 0: float32 [tiles, 150, 16]."""
        told = np.zeros((self.width, len(usable)), np.float32)
        for d in range(1, self.width):
            told[d, :len(usable) - d] = usable[:len(usable) - d] & usable[d:]
        return tile_offsets(torch.from_numpy(told), self.tiles)

    @property
    def pairs(self) -> int:
        return int(self.weights[0].sum(dtype=torch.float64))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return torch.stack([self._one(one) for one in vectors])

    def _one(self, vectors: torch.Tensor) -> torch.Tensor:
        total = self._strand(vectors, self.weights[0])
        if len(self.weights) == 1:
            return total
        return 0.5 * (total + self._strand(self.network.other_strand(vectors).flip(0), self.weights[1]))

    def _strand(self, vectors: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        network = self.network
        offset = network.path_offset(vectors)
        if offset is not None:
            offset = functional.pad(offset[:self.width], (0, 0, 0, max(0, self.width - len(offset))))
        added = None if offset is None else tile_offsets(offset, self.tiles)
        scores = kernels.scores(network.project(vectors, whole_frames(self.width)), self.tiles,
                                use_lstm=network.config.use_lstm, offset=added, threads=self.threads)
        return (scores * weight).sum(dtype=torch.float64)


def integrated_gradients(model: TrainedModel, usable: np.ndarray, *, baseline: str = "mean",
                         max_distance: int | None = None, most_steps: int = STEPS[-1], progress=None) -> Attribution:
    """Integrated gradients of every bin of a model.

    Parameters
    ----------
    usable : bool [N], bins whose pairs count
    baseline : one of :data:`BASELINES`
    max_distance : of the pairs in the target, in bp
    most_steps : of the integral. Fewer are taken where the completeness error of a chromosome is below 1 % with them.
        Layer norm makes some scores jump on the way from the baseline, and such jumps need many steps
    progress : called with a chromosome's name before it is integrated

    Missing bins keep their vectors, so that usable ones alone account for the difference.
    """
    if most_steps < 1:
        raise InputError(f"--steps {most_steps}: at least one step is needed")
    tried = [steps for steps in STEPS if steps < most_steps] + [most_steps]
    width, start = width_of(model, max_distance), baseline_of(model, baseline)
    score = np.full(len(model.bins), np.nan)
    lacking = whole = 0.0
    taken = {}
    representations = model.representations
    for name in model.bins.chromosomes:
        span = model.bins.span(name)
        present = usable[span]
        if present.sum() < 2:
            continue
        if progress:
            progress(name)
        target = SummedScore(model, present, width)
        vectors = torch.from_numpy(representations[None, span].copy())
        origin = torch.where(torch.from_numpy(present)[None, :, None], torch.from_numpy(start), vectors)
        with torch.no_grad():
            difference = float(target(vectors) - target(origin))
        for steps in tried:
            found = IntegratedGradients(target).attribute(vectors, baselines=origin, n_steps=steps,
                                                          internal_batch_size=1, method="gausslegendre")
            summed = found[0].sum(1).numpy().astype(np.float64)
            missed = abs(float(summed.sum()) - difference)
            if missed <= COMPLETE * abs(difference):
                break
        score[span] = np.where(present, summed, np.nan)
        taken[name], lacking, whole = steps, lacking + missed, whole + abs(difference)
    if not taken:
        raise InputError("no chromosome has two usable bins: there is nothing to attribute")
    return Attribution(score, lacking / whole if whole else 0.0, taken, width, baseline)
