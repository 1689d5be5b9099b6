"""A decoder in plain PyTorch for what the kernels do not know: more layers, other directions, dropout, no layer norm, and
other ways to begin a frame. Only benchmarks/ablations.py uses it."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import nn
from torch.nn import functional

from hiclstm.contacts import ContactMap
from hiclstm.genome import Bins
from hiclstm.kernels import Pairs
from hiclstm.kernels.plain import pair_losses
from hiclstm.model import FRAME, HiCLSTM, ModelConfig, distance_basis
from hiclstm.prediction import TrainedModel
from hiclstm.training.adam import Adam
from hiclstm.training.data import turned
from hiclstm.training.decay import DistanceDecay, start_from_distance_decay
from hiclstm.training.loop import CLIP
from hiclstm.training.objective import priors
from hiclstm.training.schedule import Schedule

ROWS = 40  # of the map, in one step of training


@dataclass(frozen=True)
class Structure:
    """A decoder that the kernels do not know.

    Attributes
    ----------
    hidden, layers : units of each LSTM layer, and how many layers lie on top of each other
    direction : ``outward`` reads a frame from the diagonal on, ``inward`` towards it, ``both`` has an LSTM for each
    dropout : share of each layer's outputs that a step of training goes without
    layer_norm : whether it is there; everything else of the cell stays
    frame : steps after which the states start afresh; None: never in a row, and the gradient flows through all of it
    warm_up : steps before a frame that are read but not scored; before a row's first frame, its first bins inward
    initial : size of the vectors at the start
    """

    hidden: int = 16
    layers: int = 1
    direction: str = "outward"
    dropout: float = 0.0
    layer_norm: bool = True
    frame: int | None = FRAME
    warm_up: int = 0
    initial: float = 0.1


class Cell(nn.Module):
    """The LSTM of ``hiclstm.model.network``, with or without its layer norm; PyTorch's initial weights."""

    def __init__(self, inputs: int, hidden: int, layer_norm: bool):
        super().__init__()
        gates = 4 * hidden
        self.hidden = hidden
        self.input, self.recurrent = nn.Linear(inputs, gates), nn.Linear(hidden, gates, bias=False)
        self.input_norm, self.recurrent_norm, self.cell_norm = (
            (nn.LayerNorm(gates), nn.LayerNorm(gates, bias=False), nn.LayerNorm(hidden)) if layer_norm
            else (nn.Identity(), nn.Identity(), nn.Identity()))
        with torch.no_grad():  # forget little at the start
            (self.input_norm if layer_norm else self.input).bias[hidden:2 * hidden] += 1

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Outputs [frames, steps, hidden] from what ``self.input`` gives: [frames, steps, gates]."""
        h = c = inputs.new_zeros(len(inputs), self.hidden)
        outputs = []
        for now in self.input_norm(inputs).unbind(1):
            q = now + self.recurrent_norm(self.recurrent(h))
            enter, forget, leave = torch.sigmoid(q[:, :3 * self.hidden]).chunk(3, 1)
            c = self.cell_norm(forget * c + enter * functional.softsign(q[:, 3 * self.hidden:]))
            h = leave * functional.softsign(c)
            outputs.append(h)
        return torch.stack(outputs, 1)


class PlainDecoder(HiCLSTM):
    """Vectors, distance curve and bilinear term of HiCLSTM, and any ``Structure`` in the place of its LSTM."""

    def __init__(self, config: ModelConfig, bins: Bins, structure: Structure, seed: int):
        super().__init__(config, bins, seed)
        self.structure = structure
        inputs = 2 * config.representation_size + len(self.distance_bias)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            self.readings = nn.ModuleList(
                nn.ModuleList(Cell(structure.hidden if layer else inputs, structure.hidden, structure.layer_norm)
                              for layer in range(structure.layers))
                for _ in range(2 if structure.direction == "both" else 1))
            self.outputs = nn.ModuleList(nn.Linear(structure.hidden, 1, bias=False) for _ in self.readings)
            for vectors in self.free:
                vectors *= structure.initial / 0.1  # HiCLSTM starts them at 0.1

    def score_rows(self, vectors: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Scores [rows, distances] of whole rows of a chromosome with vectors [n, size]; past its end they mean nothing."""
        n, frame = len(vectors), self.structure.frame or len(vectors)
        number = -(-n // frame)
        distance = torch.arange(number * frame)
        columns = (rows[:, None] + distance).clamp(max=n - 1)
        begun = rows[:, None] + frame * torch.arange(number) < n  # the others lie past the end
        projected, gates = self.project(vectors, len(distance)), 4 * self.config.hidden_size
        score = (projected.row[gates:, rows].T @ projected.column[gates:]).gather(1, columns)
        score = score + projected.distance[:, gates] + self.output_bias
        basis = distance_basis(distance).to(vectors.dtype)
        for at, (cells, output) in enumerate(zip(self.readings, self.outputs, strict=True)):
            of_row, of_column, of_distance = cells[0].input.weight.split([vectors.shape[1]] * 2 + [basis.shape[1]], 1)
            inputs = (vectors @ of_column.T)[columns] + basis @ of_distance.T + cells[0].input.bias
            inputs = inputs + (vectors[rows] @ of_row.T)[:, None]
            inputs = functional.pad(inputs.transpose(1, 2), (self.structure.warm_up, 0), mode="reflect")
            inputs = inputs.unfold(2, frame + self.structure.warm_up, frame).permute(0, 2, 3, 1)[begun]
            inward = at == 1 or self.structure.direction == "inward"
            hidden = cells[0](inputs.flip(1) if inward else inputs)
            for deeper in cells[1:]:
                hidden = deeper(deeper.input(functional.dropout(hidden, self.structure.dropout, self.training)))
            hidden = functional.dropout(hidden, self.structure.dropout, self.training)
            added = output(hidden.flip(1) if inward else hidden)[:, self.structure.warm_up:, 0]
            score = score + score.new_zeros(*begun.shape, frame).masked_scatter(begun[..., None], added).flatten(1)
        return score


class PlainModel(TrainedModel):
    """A trained model whose network is a :class:`PlainDecoder`."""

    def _scores(self, vectors: torch.Tensor, width: int) -> np.ndarray:
        rows = torch.arange(len(vectors))
        band = torch.cat([self.network.score_rows(vectors, some)[:, :width] for some in rows.split(64)])
        band[rows[:, None] + torch.arange(width) >= len(vectors)] = np.nan
        return band.numpy()


def fit(network: HiCLSTM, steps: int, objective) -> HiCLSTM:
    """Take steps against the gradient of ``objective(step)``, with the clipping and learning rates of ``train``."""
    schedule = Schedule(1, 1, 0, steps, 0.01, "cosine")
    optimiser = Adam(network.parameters(), schedule.square_decay)
    for step in range(steps):
        optimiser.clear_gradients()
        objective(step).backward()
        nn.utils.clip_grad_norm_(optimiser.parameters, CLIP)
        optimiser.step(schedule.rate(step))
    return network


def train_plainly(contact_map: ContactMap, config: ModelConfig, structure: Structure, smoothness: float, steps: int,
                  seed: int) -> PlainDecoder:
    """A plain decoder trained on a map of one chromosome, its two strands in turn."""
    name, = contact_map.bins.chromosomes
    network = PlainDecoder(config, contact_map.bins, structure, seed)
    decay = DistanceDecay.of(contact_map, contact_map.width())
    start_from_distance_decay(network, decay)
    random = np.random.default_rng(seed)
    strands = []
    for pairs in (Pairs.of(contact_map, name), turned(Pairs.of(contact_map, name))):
        counts = csr_array((pairs.counts, pairs.columns, pairs.starts), shape=(pairs.n, pairs.n)).toarray()
        product = np.triu(np.outer(pairs.weight, pairs.weight))
        exposure = np.divide(1, product, out=np.zeros_like(product), where=product > 0)
        strands.append((np.flatnonzero(pairs.weight), torch.from_numpy(counts), torch.from_numpy(exposure)))

    def objective(step: int) -> torch.Tensor:
        usable, counts, exposure = strands[step % 2]
        rows = torch.from_numpy(random.choice(usable, min(ROWS, len(usable)), replace=False))
        vectors = network.vectors(0)
        score = network.score_rows(vectors.flip(0) if step % 2 else vectors, rows)
        columns = rows[:, None] + torch.arange(score.shape[1])
        past, columns = columns >= len(vectors), columns.clamp(max=len(vectors) - 1)
        known = exposure[rows].gather(1, columns).masked_fill(past, 0)
        loss = pair_losses(score, counts[rows].gather(1, columns), known, "counts").sum()
        return loss / (known.count_nonzero() * decay.level) + priors(network, 0, smoothness, 0)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of dropout
        return fit(network, steps, objective)
