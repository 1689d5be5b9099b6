"""What the truth means in ordinary terms: sites, domains, loops, compartments, genes, enhancers, replication timing.

Each function gives a table whose columns are those of the file it becomes. Labels that chance has a part in (genes,
enhancers, peaks) use uniform numbers drawn once for all cell types, so two cell types differ in a label only where
their truths do. Coordinates are 0-based and half-open.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from .bands import partners
from .chromosome import STRONG_FROM, SUBCOMPARTMENTS, Chromosome, boundaries, runs
from .extrusion import REACH, occupancy
from .insulation import anchors_in_contact

LOOP_FROM_BINS = 10
# A convergent pair is a loop from this strength on: extruders it holds, for one loading per bin and step; or the
# anchors' part of the enrichment.
LOOP_STRENGTH = {"extrusion": 2.0, "insulation": 0.2}
SITE_BASES = 20

GENES_PER_BIN = 1 / 8
GENE_BASES, GENE_SPREAD = 30_000, 0.8  # median length, standard deviation of its log
GENE_WEIGHT_A, GENE_WEIGHT_NEAR_SITE = 4, 3  # how much likelier a gene starts in A than in B, and near a strong site
NEAR_BINS = 2
EXPRESSED = {"A": 0.85, "B": 0.10}  # chance of a gene to be expressed
EXPRESSED_RPKM, SILENT_RPKM = (8.0, 1.0), (0.15, 0.7)  # median and standard deviation of the log
ENHANCER = {"A": 0.12, "B": 0.01}  # chance of a bin to hold an enhancer, doubled near a strong site
COHESIN_AT_SITE = {"strong": 0.95, "weak": 0.5}  # chance of a CTCF site to hold RAD21, and SMC3
TIMING_NOISE = 0.25
PROMOTER_ENHANCER_BINS = 40
RANDOM_PEAKS_PER_BIN = 1 / 20


@dataclass(frozen=True, eq=False)
class Genome:
    """What all cell types share on one chromosome: where genes lie, and the chances that labels are decided by.

    Attributes
    ----------
    name, resolution : of the chromosome; base pairs per bin
    genes : chrom, start, end, name, score, strand
    gene_chance, gene_level : float64 [genes], uniform and standard normal numbers
    bin_chance : float64 [4, n], uniform numbers for enhancers, RAD21, SMC3, random peaks
    timing_noise : float64 [n], standard normal
    """

    name: str
    resolution: int
    genes: pd.DataFrame
    gene_chance: np.ndarray
    gene_level: np.ndarray
    bin_chance: np.ndarray
    timing_noise: np.ndarray

    @property
    def gene_bin(self) -> np.ndarray:
        """int [genes]: the bin a gene starts to be read in."""
        first = np.where(self.genes["strand"] == "+", self.genes["start"], self.genes["end"] - 1)
        return first // self.resolution

    def bins_table(self, bins, **columns) -> pd.DataFrame:
        """A table of whole bins."""
        bins = np.asarray(bins, int)
        return pd.DataFrame({"chrom": self.name, "start": bins * self.resolution, "end": (bins + 1) * self.resolution,
                             **columns})

    def spots_table(self, bins, length: int, **columns) -> pd.DataFrame:
        """A table of short stretches in the middle of bins."""
        middle = np.asarray(bins, int) * self.resolution + self.resolution // 2
        return pd.DataFrame({"chrom": self.name, "start": middle - length // 2, "end": middle - length // 2 + length,
                             **columns})


def simulate_genome(name: str, resolution: int, ancestor: Chromosome, rng: np.random.Generator) -> Genome:
    """Place genes on the ancestor: mainly in A, and near strong sites; draw the chances of all labels."""
    n = len(ancestor)
    weight = np.where(_in_a(ancestor), GENE_WEIGHT_A, 1) * np.where(_near_strong(ancestor), GENE_WEIGHT_NEAR_SITE, 1)
    count = round(n * GENES_PER_BIN)
    first = np.sort(rng.choice(n, count, p=weight / weight.sum())) * resolution + rng.integers(0, resolution, count)
    length = np.exp(rng.normal(np.log(GENE_BASES), GENE_SPREAD, count)).astype(int) + 500
    forward = rng.random(count) < 0.5
    start = np.where(forward, first, np.maximum(first - length + 1, 0))
    end = np.where(forward, np.minimum(first + length, n * resolution), first + 1)
    genes = pd.DataFrame({"chrom": name, "start": start, "end": end,
                          "name": [f"{name}_gene{k + 1}" for k in range(count)], "score": 0,
                          "strand": np.where(forward, "+", "-")})
    genes = genes.sort_values(["start", "end"], ignore_index=True)
    return Genome(name, resolution, genes, rng.random(count), rng.standard_normal(count), rng.random((4, n)),
                  rng.standard_normal(n))


def annotate(chromosome: Chromosome, genome: Genome, kind: str) -> dict[str, pd.DataFrame]:
    """Every table of one chromosome of one cell type, by the name of its file."""
    tables = {"ctcf.bed": ctcf_sites(chromosome, genome), "loops.bedpe": loops(chromosome, genome, kind),
              "expression.tsv": expression(chromosome, genome), "enhancers.bed": enhancers(chromosome, genome),
              "boundaries.bed": boundary_table(chromosome, genome), "domains.bed": domains(chromosome, genome)}
    for share in ("loop_domain", "non_loop_domain"):
        tables[f"{share}s.bed"] = tables["domains.bed"].query("name == @share")
    tables |= compartments(chromosome, genome)
    tables |= peaks(chromosome, genome, tables["expression.tsv"], tables["enhancers.bed"])
    noise = TIMING_NOISE * genome.timing_noise
    tables["replication_timing.bedGraph"] = genome.bins_table(
        np.arange(len(chromosome)), value=(chromosome.profile[:, 0] + noise).round(4))
    tables["promoter_enhancer.bedpe"] = promoter_enhancer_pairs(
        tables["expression.tsv"], tables["enhancers.bed"], tables["domains.bed"], genome)
    return tables


def ctcf_sites(chromosome: Chromosome, genome: Genome) -> pd.DataFrame:
    """BED6 of sites: score is strength × 1000, strand that of the motif."""
    parts = [genome.spots_table(at := np.nonzero(values)[0], SITE_BASES, name="CTCF",
                                score=(values[at] * 1000).round().astype(int), strand=strand)
             for strand, values in (("+", chromosome.forward), ("-", chromosome.reverse))]
    return pd.concat(parts).sort_values(["start", "strand"], ignore_index=True)


def loop_strengths(chromosome: Chromosome, kind: str) -> np.ndarray:
    """How strongly each pair is held together: float64 [n, reach]; see ``LOOP_STRENGTH``."""
    if kind == "extrusion":
        return occupancy(chromosome.forward, chromosome.reverse)
    return anchors_in_contact(chromosome, min(REACH, len(chromosome)))


def loops(chromosome: Chromosome, genome: Genome, kind: str) -> pd.DataFrame:
    """BEDPE of the convergent pairs that really form a loop; score is their strength (`loop_strengths`)."""
    strength = loop_strengths(chromosome, kind)
    reach = strength.shape[1]
    convergent = (chromosome.forward[:, None] > 0) & (partners(chromosome.reverse, reach, beyond=0.0) > 0)
    left, distance = np.nonzero(convergent & (strength >= LOOP_STRENGTH[kind]))
    far = distance >= LOOP_FROM_BINS
    left, distance = left[far], distance[far]
    first, second = genome.bins_table(left), genome.bins_table(left + distance)
    return pd.DataFrame({"chrom1": first["chrom"], "start1": first["start"], "end1": first["end"],
                         "chrom2": second["chrom"], "start2": second["start"], "end2": second["end"],
                         "name": "loop", "score": strength[left, distance].round(3), "strand1": "+", "strand2": "-"})


def boundary_table(chromosome: Chromosome, genome: Genome) -> pd.DataFrame:
    """BED of boundaries: from the first to the last bin of each group of strong sites; score as in `ctcf_sites`."""
    groups = boundaries(chromosome)
    first, last = (np.array([group[k] for group in groups], int) for k in (0, -1))
    score = [round(1000 * chromosome.strength[list(group)].max()) for group in groups]
    table = genome.bins_table(first, name="boundary", score=score)
    return table.assign(end=(last + 1) * genome.resolution)


def domains(chromosome: Chromosome, genome: Genome) -> pd.DataFrame:
    """BED of domains: from one boundary to the next; a loop domain where their inner sites are convergent."""
    groups = boundaries(chromosome)
    rows = []
    for left, right in pairwise(groups):
        convergent = (chromosome.forward[list(left)].max() >= STRONG_FROM
                      and chromosome.reverse[list(right)].max() >= STRONG_FROM)
        rows.append((left[-1], right[0] + 1, "loop_domain" if convergent else "non_loop_domain"))
    table = pd.DataFrame(rows, columns=["start", "end", "name"])
    table[["start", "end"]] = table[["start", "end"]].astype(int) * genome.resolution
    table.insert(0, "chrom", genome.name)
    return table


def compartments(chromosome: Chromosome, genome: Genome) -> dict[str, pd.DataFrame]:
    """BED of A and B and of subcompartments; bedGraph of the profile's first column (positive in A)."""
    def segments(values, names):
        start, end = np.array(runs(values)).T
        return pd.DataFrame({"chrom": genome.name, "start": start * genome.resolution, "end": end * genome.resolution,
                             "name": [names[values[at]] for at in start]})
    return {"compartments.bed": segments(_in_a(chromosome).astype(int), ("B", "A")),
            "subcompartments.bed": segments(chromosome.subcompartment, SUBCOMPARTMENTS),
            "compartments.bedGraph": genome.bins_table(np.arange(len(chromosome)),
                                                       value=chromosome.profile[:, 0].round(4))}


def expression(chromosome: Chromosome, genome: Genome) -> pd.DataFrame:
    """Genes with RPKM and its natural log; a gene is likelier expressed where it starts in A."""
    in_a = _in_a(chromosome)[genome.gene_bin]
    expressed = genome.gene_chance < np.where(in_a, EXPRESSED["A"], EXPRESSED["B"])
    log_rpkm = np.where(expressed, np.log(EXPRESSED_RPKM[0]) + EXPRESSED_RPKM[1] * genome.gene_level,
                        np.log(SILENT_RPKM[0]) + SILENT_RPKM[1] * genome.gene_level)
    table = genome.genes.drop(columns="score").rename(columns={"name": "gene"})
    return table.assign(rpkm=np.exp(log_rpkm).round(4), log_rpkm=log_rpkm.round(4))


def enhancers(chromosome: Chromosome, genome: Genome) -> pd.DataFrame:
    """BED of enhancers: mainly in A, more of them near strong sites."""
    chance = np.where(_in_a(chromosome), ENHANCER["A"], ENHANCER["B"]) * np.where(_near_strong(chromosome), 2, 1)
    return genome.spots_table(np.nonzero(genome.bin_chance[0] < chance)[0], genome.resolution // 10, name="enhancer")


def peaks(chromosome: Chromosome, genome: Genome, expressed: pd.DataFrame, enhancer: pd.DataFrame) -> dict:
    """BED of transcription starts and of peaks: cohesin at CTCF sites, POLR2A, EP300, and a set without meaning."""
    chance = np.where(chromosome.strength >= STRONG_FROM, COHESIN_AT_SITE["strong"],
                      np.where(chromosome.strength > 0, COHESIN_AT_SITE["weak"], 0))
    tables = {f"{name.lower()}.bed": genome.spots_table(np.nonzero(genome.bin_chance[row] < chance)[0], 200, name=name)
              for row, name in ((1, "RAD21"), (2, "SMC3"))}
    first = np.where(expressed["strand"] == "+", expressed["start"], expressed["end"] - 1)
    starts = pd.DataFrame({"chrom": genome.name, "start": first, "end": first + 1, "name": expressed["gene"],
                           "score": 0, "strand": expressed["strand"]})
    tables["tss.bed"] = starts.sort_values("start", ignore_index=True)
    active = tables["tss.bed"][tables["tss.bed"]["name"].isin(expressed.loc[expressed["log_rpkm"] > 0.5, "gene"])]
    tables["polr2a.bed"] = active[["chrom", "start", "end"]].assign(name="POLR2A")
    tables["ep300.bed"] = enhancer.assign(name="EP300")
    tables["random_peaks.bed"] = genome.spots_table(np.nonzero(genome.bin_chance[3] < RANDOM_PEAKS_PER_BIN)[0], 200,
                                                    name="random")
    return tables


def promoter_enhancer_pairs(expressed: pd.DataFrame, enhancer: pd.DataFrame, domain: pd.DataFrame,
                            genome: Genome) -> pd.DataFrame:
    """BEDPE of interactions: each expressed gene's start with the enhancers of its domain, at most 40 bins away."""
    active = expressed[expressed["log_rpkm"] > 0.5]
    first = np.where(active["strand"] == "+", active["start"], active["end"] - 1)
    edges = np.unique(np.concatenate([domain["start"], domain["end"]]))
    place = enhancer["start"].to_numpy()
    same = np.searchsorted(edges, first, "right")[:, None] == np.searchsorted(edges, place, "right")[None, :]
    apart = np.abs(first[:, None] - place[None, :])
    gene, other = np.nonzero(same & (apart <= PROMOTER_ENHANCER_BINS * genome.resolution) & (apart > genome.resolution))
    return pd.DataFrame({"chrom1": genome.name, "start1": first[gene], "end1": first[gene] + 1,
                         "chrom2": genome.name, "start2": place[other],
                         "end2": enhancer["end"].to_numpy()[other], "name": active["gene"].to_numpy()[gene],
                         "score": 0, "strand1": active["strand"].to_numpy()[gene], "strand2": "."})


def _in_a(chromosome: Chromosome) -> np.ndarray:
    """bool [n]: subcompartments whose name begins with A."""
    return np.array([name.startswith("A") for name in SUBCOMPARTMENTS])[chromosome.subcompartment]


def _near_strong(chromosome: Chromosome) -> np.ndarray:
    """bool [n]: bins at most ``NEAR_BINS`` from a strong site."""
    return np.convolve(chromosome.strength >= STRONG_FROM, np.ones(2 * NEAR_BINS + 1), "same") > 0
