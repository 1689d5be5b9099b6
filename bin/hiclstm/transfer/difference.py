"""What tuning learns: base + difference, and what is believed of a difference beforehand.

A difference is believed to be like what the base itself shows. The components of a bin's vector vary together as they do
along the base's chromosomes, and from one bin to the next a difference changes as little as the base's vectors do. Strand
parts (barriers) stand alone and differ by as much as those of two bins. A weight of the decoder differs by a tenth of
its size. So two cell types are taken to be about as different as two places, and a factor, ``strength``, says how much
less. Level and distance curve, which depend on the protocol, are believed nothing of.
"""

from dataclasses import dataclass

import torch

from ..model import HiCLSTM
from .part import is_vector

ANCHORED = 0.001  # how strongly a difference itself, not its change from bin to bin, is believed to be small
EVEN = 0.01  # share of the mean variance that every direction of the vectors is given at least
OF_ITS_SIZE = 0.1
CURVE_SPREAD = 0.1  # level and distance curve are learned in steps of this size, in log contacts


@dataclass(eq=False)
class Difference:
    """What is learned of one tensor of the base: ``base + units @ spread``.

    Attributes
    ----------
    tensor : the network's own, written to
    spread : [k, k]: how the last k components of the tensor vary together
    step : variance of the change of ``units`` from one bin to the next; None where rows stand alone
    believed : whether anything is believed of it
    units : the difference, in units of what is believed: what is optimised
    """

    tensor: torch.Tensor
    spread: torch.Tensor
    step: float | None = None
    believed: bool = True

    def __post_init__(self):
        self.base = self.tensor.detach().clone()
        self.units = torch.zeros_like(self.base).requires_grad_()
        self.tensor.requires_grad_()

    def penalty(self) -> torch.Tensor:
        """Minus the logarithm of the belief at strength 1, but for a constant."""
        if not self.believed:
            return self.units.new_zeros(())
        if self.step is None:
            return 0.5 * self.units.square().sum()
        change = (self.units[1:] - self.units[:-1]).square().sum() / self.step
        return 0.5 * (change + ANCHORED * self.units.square().sum())

    def take_gradient(self) -> None:
        """Move the gradient of the tensor to the units."""
        if self.tensor.grad is not None:
            own = (self.tensor.grad.reshape(-1, len(self.spread)) @ self.spread.T).reshape(self.units.shape)
            self.units.grad = own if self.units.grad is None else self.units.grad + own
            self.tensor.grad = None

    def write(self) -> None:
        """Bring the network's tensor up to date."""
        with torch.no_grad():
            change = self.units.reshape(-1, len(self.spread)) @ self.spread
            self.tensor.copy_(self.base + change.reshape(self.base.shape))


@dataclass(frozen=True, eq=False)
class Belief:
    """How the vectors of a base vary: over its bins (``free`` [k, k], ``strand`` [h, h] or None), and from one bin to the
    next (``step``: variance in units of ``free``)."""

    free: torch.Tensor
    step: float
    strand: torch.Tensor | None

    @classmethod
    def of(cls, base: HiCLSTM) -> "Belief":
        """What the vectors of all chromosomes of a base show."""
        free = _spread(torch.cat(list(base.free)))
        units = [torch.linalg.solve_triangular(free, vectors, upper=True, left=False) for vectors in base.free]
        step = float(torch.cat([(one[1:] - one[:-1]).square().mean(1) for one in units]).mean())
        strand = None
        if base.config.strands and base.config.strand_size:
            strand = _spread(torch.cat([one.reshape(-1, base.config.strand_size) for one in base.strands]))
        return cls(free, step, strand)

    def differences(self, network: HiCLSTM, tune: str) -> tuple[list[list[Difference]], list[Difference]]:
        """What is tuned of a network: of each chromosome's vectors, and of the decoder (at least level and curve)."""
        of_vectors: list[list[Difference]] = [[] for _ in network.free]
        if tune != "decoder":
            for at, own in enumerate(of_vectors):
                own.append(Difference(network.free[at], self.free, self.step))
                if self.strand is not None:
                    own.append(Difference(network.strands[at], self.strand))
        curves = [network.output_bias] + ([network.distance_bias] if network.config.distance_term else [])
        of_decoder = [Difference(tensor, CURVE_SPREAD * torch.eye(1), believed=False) for tensor in curves]
        if tune != "representations":
            for name, tensor in network.named_parameters():
                if not is_vector(name) and not any(tensor is curve for curve in curves):
                    size = tensor.detach().square().mean().sqrt().clamp(min=1e-3)
                    of_decoder.append(Difference(tensor, OF_ITS_SIZE * size * torch.eye(1)))
        return of_vectors, of_decoder


def _spread(values: torch.Tensor) -> torch.Tensor:
    """[k, k] with which independent units vary as ``values`` [n, k] do."""
    centred = (values - values.mean(0)).double()
    covariance = centred.T @ centred / len(values)
    covariance += EVEN * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=torch.float64)
    return torch.linalg.cholesky(covariance).T.to(values.dtype).contiguous()
