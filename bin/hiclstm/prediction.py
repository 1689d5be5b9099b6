"""A trained model as the rest of the project uses it: a file, its vectors, and expected contacts for any list of bins."""

from dataclasses import dataclass, field

import numpy as np
import torch

from . import kernels
from .contacts import contacts_from_probability
from .errors import InputError
from .files import packed, whole
from .genome import Bins
from .model import HiCLSTM, ModelConfig, whole_frames

FORMAT = 1


@dataclass(eq=False)
class TrainedModel:
    """Weights, the bins they belong to, and where they came from.

    Attributes
    ----------
    network : the trained network
    bins : the windows, N of them
    usable : bool [N], False where the bin was missing in the map trained on
    facts : provenance: sample, map, schedule, ``max_distance`` in bins (None: whole chromosomes), ``probability_scale``
    """

    network: HiCLSTM
    bins: Bins
    usable: np.ndarray
    facts: dict = field(default_factory=dict)
    threads: int = 1

    @property
    def config(self) -> ModelConfig:
        return self.network.config

    @property
    def representations(self) -> np.ndarray:
        """The vectors of all bins: float32 [N, size]."""
        return np.concatenate([self.network.vectors(k).detach().numpy() for k in range(len(self.bins.chromosomes))])

    def save(self, path) -> None:
        with whole(path) as beside:
            beside.write_bytes(packed({
                "format": FORMAT, "config": self.config.as_dict(),
                "bins": {"chromosomes": list(self.bins.chromosomes), "sizes": list(self.bins.sizes),
                         "resolution": self.bins.resolution},
                "usable": torch.from_numpy(self.usable), "facts": self.facts, "state": self.network.state_dict()}))

    @classmethod
    def load(cls, path, threads: int = 1) -> "TrainedModel":
        """Read a model file. Only tensors and plain values are loaded; a file that holds anything else is refused."""
        try:
            found = torch.load(path, weights_only=True, map_location="cpu")
        except FileNotFoundError:
            raise InputError(f"{path}: there is no such model file") from None
        except Exception as problem:  # torch raises many kinds for damaged and for unsafe files
            reason = str(problem).splitlines()[0][:200]
            raise InputError(f"{path}: is not a model file that can be loaded safely ({reason})") from None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise InputError(f"{path}: is not a hiclstm model of format {FORMAT}")
        try:
            bins = Bins(tuple(found["bins"]["chromosomes"]), tuple(found["bins"]["sizes"]), found["bins"]["resolution"])
            config, state, usable = ModelConfig.from_dict(found["config"]), found["state"], found["usable"].numpy()
            facts = dict(found["facts"])
            _check_sizes(config, bins, state, usable)
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as problem:
            raise InputError(f"{path}: its parts do not fit together ({type(problem).__name__}: {problem})") from None
        network = HiCLSTM(config, bins)
        try:
            network.load_state_dict(state)
        except RuntimeError as problem:
            reason = str(problem).splitlines()[-1].strip()
            raise InputError(f"{path}: its weights do not fit its configuration ({reason})") from None
        network.requires_grad_(False)
        return cls(network, bins, usable, facts, threads)

    def expected_band(self, chromosome: str, width: int | None = None) -> np.ndarray:
        """Expected balanced contacts of one chromosome: float32 [n, width], [i, d] for bins i and i + d, NaN past its end.

        Missing bins get values too (the vectors around them reach across); mask them with ``usable``.
        """
        at = self.bins.position(chromosome)
        return self.expected_band_of(self.network.vectors(at).detach().numpy(), width)

    def expected_band_of(self, representations: np.ndarray, width: int | None = None,
                         strand: np.ndarray | None = None) -> np.ndarray:
        """Expected balanced contacts of bins with these vectors, in this order.

        Parameters
        ----------
        representations : float32 [n, size]
        width : distances to predict, in bins; all by default
        strand : int8 [n], -1 where a bin is read from the other strand; matters to models with strands
        """
        n = len(representations)
        width = n if width is None else min(width, n)
        score = self.score_band_of(representations, width, strand)
        if self.config.likelihood == "counts":
            return np.exp(score, out=score)
        probability = 1 / (1 + np.exp(-score.astype(np.float64)))
        scale = float(self.facts.get("probability_scale", 1.0))
        return (contacts_from_probability(probability) / scale).astype(np.float32)

    def score_band_of(self, representations: np.ndarray, width: int, strand: np.ndarray | None = None) -> np.ndarray:
        """The network's scores (log contacts, or logits of the probability): float32 [n, width].

        A model with strands reads the bins from both ends and averages, so that its map is symmetric.
        """
        vectors = torch.from_numpy(np.ascontiguousarray(representations, dtype=np.float32))
        network = self.network
        with torch.no_grad():
            if not self.config.strands:
                return self._scores(vectors, width)
            other = network.other_strand(vectors)
            if strand is not None:
                turned = torch.from_numpy(np.asarray(strand) < 0)[:, None]
                vectors, other = torch.where(turned, other, vectors), torch.where(turned, vectors, other)
            band = self._scores(vectors, width)
            backwards = self._scores(other.flip(0), width)
        n = len(vectors)
        for distance in range(width):
            band[:n - distance, distance] += backwards[:n - distance, distance][::-1]
        band *= 0.5
        return band

    def _scores(self, vectors: torch.Tensor, width: int) -> np.ndarray:
        projections = self.network.project(vectors, whole_frames(width))
        offset = self.network.path_offset(vectors)
        if offset is not None:
            offset = offset[:width].T.numpy()
        return kernels.score_band(projections, len(vectors), width, use_lstm=self.config.use_lstm, offset=offset,
                                  threads=self.threads)


def _check_sizes(config: ModelConfig, bins: Bins, state: dict, usable: np.ndarray) -> None:
    """Compare what a model file says of itself with the tensors it holds, before anything is made of that size."""
    said = {f"free.{k}": (int(n), config.free_size) for k, n in enumerate(np.diff(bins.offsets))}
    said |= {"recurrent": (4 * config.hidden_size, config.hidden_size)}
    for name, shape in said.items():
        if tuple(state[name].shape) != shape:
            raise ValueError(f"{name} should be {shape} and is {tuple(state[name].shape)}")
    if usable.shape != (len(bins),):
        raise ValueError(f"{len(usable)} of {len(bins)} bins are said to be usable or not")
