"""5C of a further cell type, wild type and with two loop anchors deleted: a twin of the TAL1 and LMO2 experiment.

Hnisz et al. (2016) measured 5C of two neighbourhoods in HEK-293T before and after deleting an anchor of each. The twin has
the same design with a known answer: forward and reverse primers in turn on fragments of a few kb, each as efficient as
chance has it, in a cell type of which nothing else is measured.
"""

import gzip
import io
from pathlib import Path

import numpy as np

from ..files import whole
from .cases import rearrangement
from .chromosome import Chromosome, boundaries
from .rendering import expected_contacts
from .variants import Variant

CELL_TYPE = "HEK-293T"
LOCI = ("tal1_like", "lmo2_like")
FLANK_BINS = 40  # measured on both sides of an anchor
FRAGMENTS_PER_BIN = 2.5
LENGTH_SPREAD, EFFICIENCY_SPREAD = 0.5, 0.5  # standard deviations of logarithms
COUNTS_PER_PAIR = 100.0  # mean count of a pair of primers; 300 in ENCODE's ENm009


def anchor_deletions(chromosomes: dict[str, Chromosome]) -> list[Variant]:
    """Deletions of one strong boundary each, on chromosomes of their own where there are several; fewer where there is no
    room."""
    found: list[Variant] = []
    names = list(chromosomes)
    for k, locus in enumerate(LOCI):
        name = names[k % len(names)]
        chromosome = chromosomes[name]
        taken = [one.case.segment for one in found if one.chromosome == name]
        groups = [group for group in boundaries(chromosome)
                  if FLANK_BINS < group[0] and group[-1] < len(chromosome) - FLANK_BINS - 1
                  and chromosome.mappable[list(group)].all()
                  and all(abs(group[0] - start) > 2 * FLANK_BINS + 5 for start, _ in taken)]
        if groups:
            group = max(groups, key=lambda group: chromosome.strength[list(group)].sum())
            found.append(Variant(locus, name, "DEL", rearrangement("deletion", len(chromosome), group[0], group[-1] + 1)))
    return found


def write_5c(directory: Path, chromosomes: dict[str, Chromosome], deletions: list[Variant], kind: str, resolution: int,
             assembly: str, stream) -> tuple[str, str]:
    """Write the matrices of the wild type and of the cells without the anchors; return their names in ``directory``.

    ``stream``: labels → random numbers of one part of the data set.
    """
    forward, reverse, blocks = [], [], []
    for deletion in deletions:
        chromosome = chromosomes[deletion.chromosome]
        start, end = deletion.case.segment
        window = start - FLANK_BINS, end + FLANK_BINS
        names, bins, is_forward = _fragments(deletion, chromosome, window, resolution, assembly,
                                             stream("5C", "fragments", deletion.name))
        efficiency = np.exp(stream("5C", "efficiency", deletion.name).normal(0, EFFICIENCY_SPREAD, len(bins)))
        forward.append(names[is_forward])
        reverse.append(names[~is_forward])
        blocks.append(_counts(deletion, chromosome, window, kind, bins, efficiency, is_forward,
                              stream("5C", "reads", deletion.name)))
    written = []
    for which, state in enumerate(("", "_without_anchors")):
        matrix = np.zeros((sum(map(len, forward)), sum(map(len, reverse))), int)
        row = column = 0
        for pair in blocks:
            block = pair[which]
            matrix[row:row + block.shape[0], column:column + block.shape[1]] = block
            row, column = row + block.shape[0], column + block.shape[1]
        written.append(f"maps/{CELL_TYPE}{state}.5C.matrix.gz")
        _write_matrix(directory / written[-1], matrix, np.concatenate(forward), np.concatenate(reverse))
    return written[0], written[1]


def _fragments(deletion: Variant, chromosome: Chromosome, window, resolution: int, assembly: str, random):
    """Names, bins (of their middles) and directions of the fragments of a window; none where nothing can be mapped."""
    span = (window[1] - window[0]) * resolution
    lengths = np.exp(random.normal(np.log(resolution / FRAGMENTS_PER_BIN), LENGTH_SPREAD,
                                   round(3 * FRAGMENTS_PER_BIN * (window[1] - window[0])))).astype(int) + 1
    edges = np.concatenate([[0], np.cumsum(lengths)])
    edges = edges[edges < span] + window[0] * resolution
    start, end = edges[:-1], edges[1:]
    bins = (start + end) // 2 // resolution
    is_forward = np.arange(len(bins)) % 2 == 0
    names = np.array([f"{deletion.name}_{'FOR' if forward else 'REV'}_{k}|{assembly}|{deletion.chromosome}:{a}-{b}"
                      for k, (a, b, forward) in enumerate(zip(start, end, is_forward, strict=True))])
    mapped = chromosome.mappable[bins]
    return names[mapped], bins[mapped], is_forward[mapped]


def _counts(deletion: Variant, chromosome: Chromosome, window, kind: str, bins, efficiency, is_forward, random):
    """Counts [forward, reverse] of the wild type and of the rearranged chromosome, of one depth and with one set of
    primers."""
    start, end = deletion.case.segment
    lost = (bins >= start) & (bins < end)
    before = expected_contacts(chromosome, kind=kind, window=window)
    after = deletion.case.expected(chromosome, kind=kind, window=(window[0], window[1] - (end - start)))
    moved = np.where(bins >= end, bins - (end - start), bins)  # where a bin stands without the anchor
    found, scale = [], None
    for band, place, there in ((before, bins, np.ones(len(bins), bool)), (after, moved, ~lost)):
        a, b = place[is_forward][:, None] - window[0], place[~is_forward][None, :] - window[0]
        mean = band[np.minimum(np.minimum(a, b), len(band) - 1), np.minimum(np.abs(a - b), band.shape[1] - 1)]
        mean = mean * efficiency[is_forward][:, None] * efficiency[~is_forward][None, :]
        mean = np.where(there[is_forward][:, None] & there[~is_forward][None, :], mean, 0)
        scale = scale or COUNTS_PER_PAIR / mean.mean()
        found.append(random.poisson(mean * scale))
    return tuple(found)


def _write_matrix(path: Path, matrix: np.ndarray, rows, columns) -> None:
    """A matrix as cworld and my5C write it, packed without a date."""
    text = io.StringIO()
    text.write("# simulated 5C\n\t" + "\t".join(columns) + "\n")
    for name, values in zip(rows, matrix, strict=True):
        text.write(name + "\t" + "\t".join(map(str, values)) + "\n")
    with whole(path) as beside:
        beside.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
