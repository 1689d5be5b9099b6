"""SNIPER (Xiong and Ma, Nature Communications 2019): a denoising autoencoder over rows of the map.

Structure and settings as in its published program (ma-compbio/SNIPER, ``pipeline/models.py`` and ``training.py``):
encoder 1024-512-256-latent and its mirror image, ReLU inside, a linear latent layer, sigmoid output, dropout 0.25 after
the first and the last hidden layer of each half, binary cross-entropy, RMSprop (rate 0.001), batches of 32 rows, inputs
between 0 and 1. Its latent layer has 128 values; 16 makes it comparable to the other methods. In the published program
the decoder's dropout layers are appended to the encoder, behind the latent layer; here they stand where they are named.
Ten epochs of its 7,000 rows are 2,190 steps, and that many are taken here whatever the number of rows.

SNIPER learns to turn a sparse map into a dense one. Where no deeper map of the same cells exists, the target is the
input map itself; dropout then is the only noise.

- SNIPER-INTRA reads intrachromosomal rows, as the Hi-C-LSTM paper's variant; rows of all chromosomes are padded to one
  length and share one network. Its inputs are the contact probabilities of equation 1: SNIPER's own form of it (a = 1)
  is above 0.9 for all but the rarest intrachromosomal contacts.
- SNIPER-INTER is the original: rows of odd chromosomes over columns of even ones and the reverse, two networks,
  probabilities exp(-1/v). X and Y belong to neither and get zeros.
- SNIPER-FC, a whole model, is SNIPER-INTRA's network with its own decoder, which reproduces the input row.
"""

import re
from dataclasses import dataclass

import cooler
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..contacts import ContactMap, contact_probability, contacts_from_probability
from ..errors import InputError
from ..genome import match_name, plain_name
from .rows import LARGEST, Rows

HIDDEN = (1024, 512, 256)
DROPOUT = 0.25
BATCH = 32
STEPS = 2190


def autoencoder(inputs: int, size: int) -> nn.ModuleDict:
    """``encoder`` [*, inputs] -> [*, size] and ``decoder`` back to logits [*, inputs]."""
    first, second, third = HIDDEN

    def relu(before, after):
        return [nn.Linear(before, after), nn.ReLU()]

    def drop():
        return [nn.Dropout(DROPOUT)]

    network = nn.ModuleDict({
        "encoder": nn.Sequential(*relu(inputs, first), *drop(), *relu(first, second), *relu(second, third), *drop(),
                                 nn.Linear(third, size)),
        "decoder": nn.Sequential(*relu(size, third), *drop(), *relu(third, second), *relu(second, first), *drop(),
                                 nn.Linear(first, inputs))})
    for layer in network.modules():
        if isinstance(layer, nn.Linear):  # the initial weights of the library SNIPER is written in
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return network


def train_autoencoder(rows_of, count: int, inputs: int, size: int, seed: int, steps: int = STEPS) -> nn.ModuleDict:
    """Train an autoencoder on rows that are made when they are needed.

    Parameters
    ----------
    rows_of : function of int64 [k] indices (each < count) to the rows [k, inputs] between 0 and 1; NaN entries are
        missing: they are fed as 0 and left out of the loss
    count : number of rows
    """
    torch.set_flush_denormal(True)  # the optimiser's averages of squares vanish, and tiny numbers are slow
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = autoencoder(inputs, size).train()
        optimiser = torch.optim.RMSprop(network.parameters(), lr=0.001, alpha=0.9, eps=1e-7)
        order = np.random.default_rng(seed)
        waiting = np.zeros(0, np.int64)
        for _ in range(steps):
            if len(waiting) < min(BATCH, count):
                waiting = order.permutation(count)
            chosen, waiting = waiting[:BATCH], waiting[BATCH:]
            rows = torch.from_numpy(rows_of(chosen))
            present = torch.isfinite(rows)
            rows = torch.nan_to_num(rows)
            logits = network["decoder"](network["encoder"](rows))
            loss = functional.binary_cross_entropy_with_logits(logits[present], rows[present])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    return network.eval().requires_grad_(False)


def in_portions(function, rows_of, count: int) -> np.ndarray:
    """``function`` of all rows, a few hundred at a time: float32 [count, ...]."""
    portions = [function(torch.nan_to_num(torch.from_numpy(rows_of(np.arange(at, min(at + 512, count))))))
                for at in range(0, count, 512)]
    return torch.cat(portions).numpy()


@dataclass(eq=False)
class SniperIntra:
    """A trained SNIPER-INTRA: its vectors, and SNIPER-FC's reconstruction.

    Attributes
    ----------
    vectors : float32 [N, size], the latent layer; zeros for missing bins
    """

    contact_map: ContactMap
    network: nn.ModuleDict
    inputs: int
    vectors: np.ndarray

    @classmethod
    def fit(cls, contact_map: ContactMap, size: int, seed: int, steps: int = STEPS) -> "SniperIntra":
        bins = contact_map.bins
        inputs = int(np.diff(bins.offsets).max())
        chromosomes = [Rows.of(contact_map, name) for name in bins.chromosomes]
        usable = np.flatnonzero(contact_map.usable)

        def rows_of(chosen):
            return _probability_rows(chromosomes, bins.offsets, usable[chosen], inputs)

        network = train_autoencoder(rows_of, len(usable), inputs, size, seed, steps)
        vectors = np.zeros((len(bins), size), np.float32)
        vectors[usable] = in_portions(network["encoder"], rows_of, len(usable))
        return cls(contact_map, network, inputs, vectors)

    def expected_band(self, chromosome: str, width: int) -> np.ndarray:
        """Reconstructed balanced contacts: float32 [n, width]. A pair is in two rows and gets the mean of both."""
        span = self.contact_map.bins.span(chromosome)
        n = span.stop - span.start
        with torch.no_grad():
            logits = self.network["decoder"](torch.from_numpy(self.vectors[span]))[:, :n]
        probability = torch.sigmoid((logits + logits.T) / 2).numpy()
        square = contacts_from_probability(probability) / self.contact_map.probability_scale
        beyond = np.concatenate([square, np.full((n, width), np.nan, square.dtype)], 1)
        return np.take_along_axis(beyond, np.arange(n)[:, None] + np.arange(width), 1).astype(np.float32)


def _probability_rows(chromosomes: list[Rows], offsets, chosen, inputs: int) -> np.ndarray:
    """Equation 1 of whole rows, padded to one length: float32 [len(chosen), inputs], NaN for missing and padding."""
    rows = np.full((len(chosen), inputs), np.nan, np.float32)
    owner = np.searchsorted(offsets, chosen, side="right") - 1
    for k in np.unique(owner):
        own = np.flatnonzero(owner == k)
        part = contact_probability(chromosomes[k].values[chosen[own] - offsets[k]].toarray())
        part[:, ~chromosomes[k].usable] = np.nan
        rows[own, :part.shape[1]] = part
    return rows


def sniper_inter(contact_map: ContactMap, size: int, seed: int, contacts, steps: int = STEPS) -> np.ndarray:
    """SNIPER-INTER: latent layers of the odd and of the even chromosomes' networks.

    Parameters
    ----------
    contact_map : the map whose bins are represented
    contacts : the `.cool` it was read from, which has to hold interchromosomal contacts too

    Returns
    -------
    float32 [N, size], zeros for missing bins and for chromosomes that are neither odd nor even
    """
    bins = contact_map.bins
    odd, even = ([name for name in bins.chromosomes
                  if re.fullmatch(r"\d+", plain_name(name)) and int(plain_name(name)) % 2 == remainder]
                 for remainder in (1, 0))
    if not odd or not even:
        raise InputError(f"{contacts}: SNIPER-INTER pairs odd with even chromosomes, and the map has only "
                         f"{', '.join(bins.chromosomes)}")
    inter = interchromosomal(contacts, contact_map, odd, even)
    vectors = np.zeros((len(bins), size), np.float32)
    for sign, (own, others, matrix) in enumerate([(odd, even, inter), (even, odd, inter.T.tocsr())]):
        here, there = (np.concatenate([np.arange(len(bins))[bins.span(name)] for name in names])
                       for names in (own, others))
        columns = np.flatnonzero(contact_map.usable[there])
        rows = np.flatnonzero(contact_map.usable[here])
        matrix = matrix[rows][:, columns]
        if matrix.shape[1] > LARGEST:
            raise InputError(f"{contacts}: SNIPER-INTER reads rows of {matrix.shape[1]:,} bins and is run up to "
                             f"{LARGEST:,}: compare at a coarser resolution")

        def rows_of(chosen, matrix=matrix):
            return np.exp(-1 / (matrix[chosen].toarray() + 1e-10)).astype(np.float32)  # SNIPER's own form of equation 1

        network = train_autoencoder(rows_of, len(rows), len(columns), size, seed + sign, steps)
        vectors[here[rows]] = in_portions(network["encoder"], rows_of, len(rows))
    return vectors


def interchromosomal(contacts, contact_map: ContactMap, rows: list[str], columns: list[str]):
    """Balanced contacts between two lists of chromosomes, from the `.cool`: sparse [bins of rows, bins of columns]."""
    from scipy import sparse

    file = cooler.Cooler(str(contacts))
    bins, blocks = contact_map.bins, []
    fetch = file.matrix(balance=False, sparse=True)
    for row in rows:
        blocks.append([])
        for column in columns:
            block = fetch.fetch(match_name(row, file.chromnames), match_name(column, file.chromnames))
            weights = [sparse.diags_array(np.nan_to_num(contact_map.weight[bins.span(name)])) for name in (row, column)]
            blocks[-1].append(weights[0] @ sparse.csr_array(block, dtype=np.float64) @ weights[1])
    found = sparse.block_array(blocks, format="csr")
    if not found.nnz:
        raise InputError(f"{contacts}: has no interchromosomal contacts, which SNIPER-INTER reads")
    return found
