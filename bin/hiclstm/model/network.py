"""The network in plain PyTorch: the definition that the fast kernels are checked against.

A row i of the map is read outward from the diagonal in frames of 150 bins. At distance d the input is the pair of
vectors (R_i, R_j), j = i + d; the LSTM's states start at zero in every frame. Its output, with what the configuration
adds to it, is the *score* of the pair: the logit of the contact probability (``likelihood="probability"``) or the
logarithm of the expected balanced contacts (``likelihood="counts"``).

    x_d   = W_row R_i + W_col R_j + b [+ distance gates(d)]
    q     = LayerNorm(x_d) * input_gain + LayerNorm(U h) * recurrent_gain + gate_bias
    i,f,o = sigmoid(q[input, forget, output]);  g = softsign(q[candidate])
    c     = LayerNorm(f * c + i * g) * cell_gain + cell_bias
    h     = o * softsign(c)
    score = w h + b_out [+ distance bias(d)] [+ R_i' B R_j + u_row R_i + u_col R_j] [+ path term, see path.py]

The paper's equation 2 with the layer norm and softsign its "Modeling choices" name, in the arrangement of PyTorch's own
layer-norm LSTM cell (norm on the input, on the recurrence and on the cell).

Where the configuration has ``strands``, a vector is [free | forward | reverse]. Only the path term and the columns of the
LSTM see the last two; reading a segment from the other strand exchanges them.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from ..genome import Bins
from .config import FRAME, ModelConfig
from .path import ExtrusionPath

NORM_EPSILON = 1e-5
KNOTS_PER_OCTAVE = 2.2
KNOTS = 36  # reach 2 ** (35 / 2.2) = 61,000 bins


def distance_basis(distances: torch.Tensor) -> torch.Tensor:
    """Piecewise linear basis in log2(d + 1): [len(distances), KNOTS], each row sums to one."""
    place = (torch.log2(distances.double() + 1) * KNOTS_PER_OCTAVE).clamp(max=KNOTS - 1.001)
    below = place.floor().long()
    basis = torch.zeros(len(distances), KNOTS, dtype=torch.float64, device=distances.device)
    index = torch.arange(len(distances), device=distances.device)
    basis[index, below] = 1 - (place - below)
    basis[index, below + 1] = place - below
    return basis


@lru_cache(maxsize=8)
def _basis_up_to(distances: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    return distance_basis(torch.arange(distances, device=device)).to(dtype)


class Projections(NamedTuple):
    """What the kernels need of the vectors of one chromosome (n bins, H hidden units, K pair features).

    Gate inputs are centred over the 4H gates, so that layer norm becomes a root-mean-square norm.

    row, column : [4H + K, n]: gate inputs, then the factors whose products add up to the pair term
    distance : [distances, 4H + 1]: what distance adds to the gate inputs (centred), then to the score
    recurrent : [4H, H], centred over the gates
    gains : [4H, 3]: input gain, recurrent gain, gate bias
    cell : [H, 3]: cell gain, cell bias, output weight
    output_bias : [1]
    """

    row: torch.Tensor
    column: torch.Tensor
    distance: torch.Tensor
    recurrent: torch.Tensor
    gains: torch.Tensor
    cell: torch.Tensor
    output_bias: torch.Tensor


class HiCLSTM(nn.Module):
    """Vectors of every bin and the decoder that turns pairs of them into contacts.

    Parameters
    ----------
    config : structure
    bins : the windows; each chromosome's vectors are parameters of their own: ``free[k]`` [n_k, size] and, where there
        are strands, ``strands[k]`` [n_k, forward + reverse]; :meth:`vectors` joins them
    """

    def __init__(self, config: ModelConfig, bins: Bins, seed: int = 1):
        super().__init__()
        self.config = config
        random = torch.Generator().manual_seed(seed)
        size, hidden, gates = config.representation_size, config.hidden_size, 4 * config.hidden_size

        def uniform(*shape, limit):
            return nn.Parameter((torch.rand(*shape, generator=random) * 2 - 1) * limit)

        lengths = [int(n) for n in torch.as_tensor(bins.offsets).diff()]
        # with strands, the part of the row's vector that its pairs see
        seen = config.free_size
        # small vectors at the start (0.1): measured to matter as much as the optimiser
        self.free = nn.ParameterList(torch.randn(n, seen, generator=random) * 0.1 for n in lengths)
        if config.strands:
            self.strands = nn.ParameterList(torch.randn(n, 2 * config.strand_size, generator=random) * 0.1
                                            for n in lengths)
        self.input_row = uniform(gates, seen, limit=size**-0.5)
        self.input_column = uniform(gates, size, limit=size**-0.5)
        self.input_bias = uniform(gates, limit=size**-0.5)
        self.recurrent = uniform(gates, hidden, limit=hidden**-0.5)
        self.input_gain = nn.Parameter(torch.ones(gates))
        self.recurrent_gain = nn.Parameter(torch.ones(gates))
        self.gate_bias = nn.Parameter(torch.zeros(gates))
        with torch.no_grad():
            self.gate_bias[hidden:2 * hidden] = 1.0  # forget little at the start
        self.cell_gain = nn.Parameter(torch.ones(hidden))
        self.cell_bias = nn.Parameter(torch.zeros(hidden))
        self.output_weight = uniform(hidden, limit=hidden**-0.5)
        self.output_bias = nn.Parameter(torch.zeros(1))
        if config.distance_term:
            self.distance_gates = nn.Parameter(torch.randn(KNOTS, gates, generator=random) * 0.1)
            self.distance_bias = nn.Parameter(torch.zeros(KNOTS))
        if config.pair_term:
            self.pair_matrix = nn.Parameter(torch.randn(seen, seen, generator=random) * 0.05)
            self.pair_row = nn.Parameter(torch.zeros(seen))
            self.pair_column = nn.Parameter(torch.zeros(seen))
        if config.path_reach:
            self.path = ExtrusionPath(config.strand_size, KNOTS, random, config.corners)

    def vectors(self, chromosome: int) -> torch.Tensor:
        """The vectors [n, size] of a chromosome, given its place in the list."""
        if not self.config.strands:
            return self.free[chromosome]
        return torch.cat([self.free[chromosome], self.strands[chromosome]], 1)

    def parameters_of(self, chromosome: int) -> list[nn.Parameter]:
        """The parameters that scores of one chromosome depend on: all but the vectors of the others."""
        lists = [self.free, self.strands] if self.config.strands else [self.free]
        others = {id(own) for vectors in lists for k, own in enumerate(vectors) if k != chromosome}
        return [parameter for parameter in self.parameters() if id(parameter) not in others]

    def other_strand(self, vectors: torch.Tensor) -> torch.Tensor:
        """The vectors of bins read from their other strand, each in place: forward and reverse part exchanged."""
        free, part = self.config.free_size, self.config.strand_size
        return torch.cat([vectors[:, :free], vectors[:, free + part:], vectors[:, free:free + part]], 1)

    def path_offset(self, vectors: torch.Tensor, first_rows=None, rows: int | None = None) -> torch.Tensor | None:
        """What the path term adds to the scores: [distances, n], or None where the configuration has no path.

        With ``first_rows`` int64 [strips], only ``rows`` rows from each of these on: [strips, distances, rows].
        """
        if not self.config.path_reach:
            return None
        basis = _basis_up_to(min(self.config.path_reach, len(vectors)), vectors.dtype, vectors.device)
        return self.path.offset(vectors[:, self.config.free_size:], basis, basis @ self.distance_bias, first_rows, rows)

    def _pair_parameters(self):
        """Pair term as it is used: the same from both strands where the model has strands."""
        if not self.config.strands:
            return self.pair_matrix, self.pair_row, self.pair_column
        return 0.5 * (self.pair_matrix + self.pair_matrix.T), self.pair_row, self.pair_row

    def score_frames(self, vectors: torch.Tensor, rows: torch.Tensor, first_distance: torch.Tensor,
                     offset: torch.Tensor | None = None) -> torch.Tensor:
        """Scores of some frames, step by step.

        Parameters
        ----------
        vectors : [n, size], the vectors of one chromosome (or of a rearranged one)
        rows : int64 [frames], the row bin of each frame
        first_distance : int64 [frames], distance of its first pair, a multiple of 150
        offset : [frames, 150], added to the scores

        Returns
        -------
        [frames, 150]; pairs past the chromosome's end repeat its last bin and are to be masked
        """
        hidden = self.config.hidden_size
        steps = torch.arange(FRAME)
        distance = first_distance[:, None] + steps
        columns = (rows[:, None] + distance).clamp(max=len(vectors) - 1)
        row_vector, column_vector = vectors[rows, :self.config.free_size][:, None], vectors[columns]
        inputs = row_vector @ self.input_row.T + column_vector @ self.input_column.T + self.input_bias
        score = self.output_bias.expand(columns.shape)
        if self.config.distance_term:
            basis = distance_basis(distance.reshape(-1)).to(vectors.dtype)
            inputs = inputs + (basis @ self.distance_gates).view(*distance.shape, -1)
            score = score + (basis @ self.distance_bias).view(distance.shape)
        if self.config.pair_term:
            matrix, of_row, of_column = self._pair_parameters()
            partner = column_vector[..., :self.config.free_size]
            score = score + ((row_vector @ matrix) * partner).sum(-1) + row_vector @ of_row + partner @ of_column
        if offset is not None:
            score = score + offset

        def norm(x):
            return functional.layer_norm(x, x.shape[-1:], eps=NORM_EPSILON)

        h = vectors.new_zeros(len(rows), hidden)
        c = h
        outputs = []
        for step in range(FRAME):
            q = (norm(inputs[:, step]) * self.input_gain + norm(h @ self.recurrent.T) * self.recurrent_gain
                 + self.gate_bias)
            enter, forget, leave = torch.sigmoid(q[:, :3 * hidden]).chunk(3, 1)
            candidate = functional.softsign(q[:, 3 * hidden:])
            c = norm(forget * c + enter * candidate) * self.cell_gain + self.cell_bias
            h = leave * functional.softsign(c)
            outputs.append(h @ self.output_weight)
        return score + torch.stack(outputs, 1)

    def project(self, vectors: torch.Tensor, distances: int) -> Projections:
        """The projection trick: W [R_i; R_j] is a sum of two products made once per bin instead of once per pair.

        ``vectors`` [n, size]; ``distances``: how many distances (from 0) the terms of distance are made for.
        """
        def centred(x):
            return x - x.mean(0)

        config = self.config
        seen = vectors[:, :config.free_size]
        row = [centred(self.input_row) @ seen.T]
        column = [centred(self.input_column) @ vectors.T + centred(self.input_bias)[:, None]]
        if config.pair_term:
            one = vectors.new_ones(1, len(vectors))
            matrix, of_row, of_column = self._pair_parameters()
            row += [matrix.T @ seen.T, (seen @ of_row)[None], one]
            column += [seen.T, one, (seen @ of_column)[None]]
        if config.distance_term:
            basis = _basis_up_to(distances, vectors.dtype, vectors.device)
            gates = self.distance_gates - self.distance_gates.mean(1, keepdim=True)
            distance = basis @ torch.cat([gates, self.distance_bias[:, None]], 1)
        else:
            distance = vectors.new_zeros(distances, 4 * config.hidden_size + 1)
        return Projections(torch.cat(row), torch.cat(column), distance, centred(self.recurrent),
                           torch.stack([self.input_gain, self.recurrent_gain, self.gate_bias], 1),
                           torch.stack([self.cell_gain, self.cell_bias, self.output_weight], 1), self.output_bias)
