"""A duplication as Hi-C sees it: on the reference, with the reads of both copies summed (paper, Fig. 7 and Methods)."""

import numpy as np
import pandas as pd

from ..contacts import ContactMap, contact_probability
from .edits import chromosome_of
from .readings import LEAST, Reader, Reading

BLOCKS = ("upstream", "duplicated", "downstream")


class ObservedMap:
    """An observed map with as much of a model's interface as lift-over needs."""

    def __init__(self, contacts: ContactMap):
        self.contacts = contacts
        self.bins, self.usable = contacts.bins, contacts.usable
        self.representations = np.zeros((len(contacts.bins), 1), np.float32)

    def expected_band(self, chromosome: str, width: int | None = None) -> np.ndarray:
        return self.contacts.balanced_band(chromosome, width)


def moved_apart(order: np.ndarray, strand: np.ndarray) -> np.ndarray:
    """bool band [n, n]: pairs that do not stand to each other as their bins do in the reference.

    Pairs of one inverted piece do; pairs of two copies do not, even where they happen to be as far apart.
    """
    n = len(order)
    piece = np.concatenate([[0], np.cumsum((np.diff(order) != strand[:-1]) | (np.diff(strand) != 0))])
    i, d = np.arange(n)[:, None], np.arange(n)[None, :]
    j = np.minimum(i + d, n - 1)
    step = order[j] - order[i]
    return (step != d) & ~((step == -d) & (piece[i] == piece[j])) & (i + d < n)


def distance_means(reader: Reader, chromosome: str, width: int) -> np.ndarray:
    """Mean contacts of the reference at each distance: float64 [width or the chromosome's bins, whichever is less]."""
    band = reader.wild_type(chromosome, width)[:, :width]
    told = np.isfinite(band)
    return np.where(told, band, 0).sum(0, dtype=np.float64) / np.maximum(told.sum(0), 1)


def rearranged_pixels(order: np.ndarray, strand: np.ndarray, before: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The better baseline: pixels move with their loci, pairs that moved apart get the mean of their new distance.

    Parameters
    ----------
    order, strand : int64 and int8 [n], reference bin at each position, and how it is read
    before : float [n, n], their pixels in the reference (band, lifted over)
    expected : float [at least 1], mean contacts at each distance; the last stands for all longer ones
    """
    n = len(order)
    mean = expected[np.minimum(np.arange(n), len(expected) - 1)]
    present = np.isfinite(before[:, 0])
    i, d = np.arange(n)[:, None], np.arange(n)[None, :]
    both = present[:, None] & present[np.minimum(i + d, n - 1)] & (i + d < n)
    return np.where(both, np.where(moved_apart(order, strand) | ~np.isfinite(before), mean[None, :], before), np.nan)


def collapsed_baselines(reader: Reader, reading: Reading, start: int, end: int) -> dict[str, pd.DataFrame]:
    """What simple rules predict on the reference after bins ``start`` to ``end`` are duplicated: bin1, bin2, value.

    ``paper_baseline``: the wild type's pixels, but for pairs of two duplicated bins the mean of their distance (paper,
    Methods); ``rearranged_pixels``: pixels moved and summed over the copies; ``copies``: pixels times copies.

    ``reader`` reads the pixels: of an :class:`ObservedMap`, a model or the truth.
    """
    name = chromosome_of(reader.bins, int(reading.order[0]))
    expected = distance_means(reader, name, len(reading.order))
    pixels = reader.before_on_reference(reading)
    both = pixels[["bin1", "bin2"]].ge(start).all(axis=1) & pixels[["bin1", "bin2"]].lt(end).all(axis=1)
    distance = np.minimum((pixels["bin2"] - pixels["bin1"]).to_numpy(), len(expected) - 1)
    before, _ = reader.lift_over(reading.order)
    moved = rearranged_pixels(reading.order, reading.strand, before, expected)
    copies = reading.collapsed(np.where(np.isfinite(moved), 1.0, np.nan))
    copied = pixels.merge(copies, on=["bin1", "bin2"], suffixes=("", "_copies"))
    return {"paper_baseline": pixels.assign(value=np.where(both, expected[distance], pixels["value"])),
            "rearranged_pixels": reading.collapsed(moved),
            "copies": copied.assign(value=copied["value"] * copied["value_copies"])[["bin1", "bin2", "value"]]}


def block_errors(predicted: pd.DataFrame, true: pd.DataFrame, start: int, end: int, scale: float = 1.0) -> dict:
    """Mean squared error of contact probability by block, as in Fig. 7d: {"upstream x duplicated": error, …}.

    Parameters
    ----------
    predicted, true : bin1, bin2, value on the reference; pairs in both are compared
    start, end : the duplicated bins
    scale : what values are multiplied by before equation 1
    """
    both = predicted.merge(true, on=["bin1", "bin2"], suffixes=("", "_true"))
    error = (contact_probability(both["value"] * scale) - contact_probability(both["value_true"] * scale))**2
    first, second = (np.digitize(both[column], [start, end]) for column in ("bin1", "bin2"))
    mean = error.groupby(first * len(BLOCKS) + second).mean()
    return {f"{BLOCKS[at // len(BLOCKS)]} x {BLOCKS[at % len(BLOCKS)]}": float(value) for at, value in mean.items()}


def collapsed_changes(reader: Reader, reading: Reading, true_reader: Reader, true: Reading) -> tuple[np.ndarray, dict]:
    """Log changes on the reference, of pairs of different bins with a known truth: the true one, and those predicted.

    Predicted: ``model``, ``rearranged_pixels`` and ``copies`` (both from the true wild-type pixels).
    """
    repeated = np.unique(true.order, return_counts=True)
    twice = repeated[0][repeated[1] > 1]
    tables = collapsed_baselines(true_reader, true, int(twice.min()), int(twice.max()) + 1)
    tables = {"true": true.collapsed(), "before": true_reader.before_on_reference(true), "model": reading.collapsed(),
              "model_before": reader.before_on_reference(reading),
              "rearranged_pixels": tables["rearranged_pixels"], "copies": tables["copies"]}
    merged = None
    for name, table in tables.items():
        table = table.rename(columns={"value": name})
        merged = table if merged is None else merged.merge(table, on=["bin1", "bin2"])
    merged = merged[merged["bin1"] < merged["bin2"]]
    logs = {name: np.log(np.maximum(merged[name].to_numpy(), LEAST)) for name in tables}
    predicted = {name: logs[name] - logs["before"] for name in ("rearranged_pixels", "copies")}
    return logs["true"] - logs["before"], {"model": logs["model"] - logs["model_before"], **predicted}
