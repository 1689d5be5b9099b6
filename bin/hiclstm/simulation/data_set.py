"""A simulated data set: cell types that share an ancestor, their maps as files, and the truth beside them."""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import cooler
import h5py
import numpy as np
import pandas as pd
from tqdm import tqdm

from .. import __version__
from ..errors import InputError
from ..files import whole
from ..genome import Bins
from . import annotations, chromosome, extrusion, five_c, insulation, rendering
from .annotations import annotate, simulate_genome
from .bands import balancing_weight, coarsened
from .chromosome import Chromosome, descendant, simulate_chromosome
from .rendering import KINDS, covered_contacts, expected_contacts, sequence
from .truth import write_truth
from .variants import example_variants, segment_table, vcf_text

ASSEMBLY = "simulated"
# Reads of each replicate relative to the deepest. GM12878's are the paper's 300 and 216 million.
DEPTH = {"GM12878": (1.0, 0.72), "H1-hESC": (0.5,), "HFF-hTERT": (0.33,), "WTC11": (0.17,)}
SINGLE_RESOLUTION = "WTC11"  # comes as a plain .cool, so that coarsening is left to who reads it
CHANGED_SITES, CHANGED_SEGMENTS = 0.15, 0.25  # how far each cell type is from the ancestor
FACTORS = (1, 2, 5, 10, 50)  # the maps' resolutions, in multiples of the finest
FEWEST_BINS, FEWEST_COARSE_BINS = 150, 40
FRACTIONS = (0.01, 0.03, 0.1, 0.3)  # of a map's reads that transfer is tried on

# element of the annotation sheet: file, column and threshold where a score is made a label
ELEMENTS = {
    "ctcf": ("ctcf.bed", "", ""),
    "rad21": ("rad21.bed", "", ""),
    "smc3": ("smc3.bed", "", ""),
    "polr2a": ("polr2a.bed", "", ""),
    "ep300": ("ep300.bed", "", ""),
    "random_peaks": ("random_peaks.bed", "", ""),
    "expression": ("expression.tsv", "log_rpkm", "0.5"),
    "tss": ("tss.bed", "", ""),
    "enhancers": ("enhancers.bed", "", ""),
    "promoter_enhancer": ("promoter_enhancer.bedpe", "", ""),
    "replication_timing": ("replication_timing.bedGraph", "value", "0"),
    "compartments": ("compartments.bedGraph", "value", "0"),
    "subcompartments": ("subcompartments.bed", "name", ""),
    "domains": ("domains.bed", "", ""),
    "boundaries": ("boundaries.bed", "", ""),
    "loops": ("loops.bedpe", "", ""),
    "loop_domains": ("loop_domains.bed", "", ""),
    "non_loop_domains": ("non_loop_domains.bed", "", ""),
}


@dataclass(frozen=True)
class Plan:
    """What to simulate.

    Attributes
    ----------
    chromosomes, bins : how many chromosomes, and bins of each
    resolution : base pairs per bin; names coordinates only, since the physics counts in bins
    seed : everything follows from it; a subset of cell types is simulated as in the whole set
    cell_types : names out of ``DEPTH``
    kind : physics, one of ``rendering.KINDS``
    reads_per_bin : expected reads of the deepest replicate, per bin
    """

    chromosomes: int = 3
    bins: int = 1000
    resolution: int = 10_000
    seed: int = 1
    cell_types: tuple[str, ...] = tuple(DEPTH)
    kind: str = "extrusion"
    reads_per_bin: float = 3000.0

    def __post_init__(self):
        unknown = [name for name in self.cell_types if name not in DEPTH]
        if unknown or not self.cell_types or len(set(self.cell_types)) < len(self.cell_types):
            raise InputError(f"--cell-types {','.join(self.cell_types)}: expected different names "
                             f"out of {', '.join(DEPTH)}")
        if self.kind not in KINDS:
            raise InputError(f"--kind {self.kind}: expected one of {', '.join(KINDS)}")
        for option, value, least in (("--chromosomes", self.chromosomes, 1), ("--bins", self.bins, FEWEST_BINS),
                                     ("--resolution", self.resolution, 1000), ("--seed", self.seed, 0),
                                     ("--reads-per-bin", self.reads_per_bin, 1)):
            if not value >= least:
                raise InputError(f"{option} {value}: expected at least {least}")

    @property
    def genome_bins(self) -> Bins:
        names = tuple(f"chr{k + 1}" for k in range(self.chromosomes))
        return Bins(names, (self.bins * self.resolution,) * self.chromosomes, self.resolution)

    @property
    def factors(self) -> tuple[int, ...]:
        """Multiples of the finest resolution that leave a chromosome enough bins."""
        return tuple(factor for factor in FACTORS if factor == 1 or self.bins // factor >= FEWEST_COARSE_BINS)

    def stream(self, *labels: str) -> np.random.Generator:
        """Random numbers of one part of the data set, which do not depend on what else is simulated."""
        return np.random.default_rng([self.seed, zlib.crc32("/".join(labels).encode())])


def simulate_cell_type(plan: Plan, cell_type: str) -> dict[str, Chromosome]:
    """The truth of each chromosome of one cell type."""
    return {name: descendant(simulate_chromosome(plan.bins, plan.stream("ancestor", name)), CHANGED_SITES,
                             CHANGED_SEGMENTS, plan.stream("cell type", cell_type, name))
            for name in plan.genome_bins.chromosomes}


def write_data_set(plan: Plan, directory) -> None:
    """Write maps, truth, ``samplesheet.csv``, ``annotations.csv``, ``variants.vcf`` and, for transfer, ``transfer.csv``
    with the maps it names into ``directory``.

    Every file appears whole or not at all, the sheets last; the same plan gives the same bytes.
    """
    directory = Path(directory)
    genomes = {name: simulate_genome(name, plan.resolution,
                                     simulate_chromosome(plan.bins, plan.stream("ancestor", name)),
                                     plan.stream("genome", name)) for name in plan.genome_bins.chromosomes}
    samples, elements, made = [], [], {}
    _write_table(directory / "truth" / "genes.bed", pd.concat([genome.genes for genome in genomes.values()]))
    for cell_type in tqdm(plan.cell_types, desc="cell types", disable=None):
        truth = simulate_cell_type(plan, cell_type)
        expected = {name: expected_contacts(truth[name], kind=plan.kind) for name in truth}
        scale, weights = _write_noiseless(plan, cell_type, truth, expected, directory)
        write_truth(directory / "truth" / f"{cell_type}.truth.tsv", truth, plan.kind, plan.resolution, scale)
        samples += _write_maps(plan, cell_type, truth, expected, directory)
        tables = [annotate(truth[name], genomes[name], plan.kind) for name in truth]
        for file in tables[0]:
            _write_table(directory / "truth" / f"{cell_type}.{file}", pd.concat([table[file] for table in tables]))
        elements += [(cell_type, element, f"truth/{cell_type}.{file}", column, threshold)
                     for element, (file, column, threshold) in ELEMENTS.items()]
        made[cell_type] = {
            "reads": [plan.reads_per_bin * plan.bins * plan.chromosomes * depth for depth in DEPTH[cell_type]],
            "noiseless_scale": scale,  # counts of the noiseless map per unit of expected_contacts
            "sites": int(sum((part.strength > 0).sum() for part in truth.values())),
            "boundaries": sum(len(table["boundaries.bed"]) for table in tables),
            "loops": sum(len(table["loops.bedpe"]) for table in tables),
        }
        if cell_type == plan.cell_types[0]:
            variants = example_variants(truth)
            _write_variants(plan, cell_type, truth, variants, scale, weights, directory)
    _write_transfer(plan, directory)
    elements.append(("*", "genes", "truth/genes.bed", "", ""))
    _write_table(directory / "annotations.csv", pd.DataFrame(
        elements, columns=["cell_type", "element", "file", "column", "threshold"]), separator=",", header=True)
    _write_json(directory / "truth" / "truth.json", {"simulator": f"hiclstm {__version__}", "seed": plan.seed,
                "kind": plan.kind, "chromosomes": plan.chromosomes, "bins": plan.bins, "resolution": plan.resolution,
                "reads_per_bin": plan.reads_per_bin, "cell_types": made, "parameters": parameters()})
    _write_table(directory / "samplesheet.csv", pd.DataFrame(
        samples, columns=["cell_type", "replicate", "contacts", "assembly", "truth", "loops"]),
        separator=",", header=True)


def parameters() -> dict:
    """Every constant of the simulation, by module."""
    shown = (int, float, str, tuple, dict)
    found = {}
    for module in (chromosome, extrusion, insulation, rendering, annotations, five_c):
        values = {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, shown)}
        found[module.__name__.rsplit(".", 1)[-1]] = values
    found["data_set"] = {"DEPTH": DEPTH, "CHANGED_SITES": CHANGED_SITES, "CHANGED_SEGMENTS": CHANGED_SEGMENTS}
    return found


def write_maps(path, bins: Bins, bands: list[np.ndarray], factors, facts: dict, weight=None) -> None:
    """Write one map per factor: a `.cool` or, by its name, an `.mcool`; whole, without a creation date.

    Parameters
    ----------
    bands : one a chromosome of ``bins``, [n, n], counts or expected counts of the upper triangle
    weight : float64 [bins] of a noiseless map, whose counts are then written as float64; raw maps have int32 and none
    """
    noiseless = weight is not None
    with whole(path) as beside:
        for factor in factors:
            wide = Bins(bins.chromosomes, bins.sizes, bins.resolution * factor)
            group = f"::/resolutions/{wide.resolution}" if str(path).endswith(".mcool") else ""
            parts = []
            for first, band in zip(wide.offsets[:-1], bands, strict=True):
                band = band if factor == 1 else coarsened(band, factor)
                row, distance = np.nonzero(np.nan_to_num(band))
                # float32 is precise enough and leaves half of each float64 zero, which compresses
                count = band[row, distance].astype(np.float32 if noiseless else np.int32)
                parts.append(pd.DataFrame({"bin1_id": first + row, "bin2_id": first + row + distance, "count": count}))
            table = wide.table.assign(weight=weight) if noiseless else wide.table
            cooler.create_cooler(f"{beside}{group}", table, pd.concat(parts, ignore_index=True), metadata=facts,
                                 dtypes={"count": "float64" if noiseless else "int32"}, ordered=True,
                                 symmetric_upper=True, assembly=ASSEMBLY, mode="a" if group else "w",
                                 h5opts={"compression": "gzip", "compression_opts": 3, "shuffle": True})
            _undate(beside, group)
        if str(path).endswith(".mcool"):
            with h5py.File(beside, "r+") as file:
                file.attrs.update({"format": "HDF5::MCOOL", "format-version": 2})


def _undate(path: Path, group: str) -> None:
    """Overwrite a map's creation date in place: the same truth gives the same bytes, today and tomorrow.

    Setting the attribute would leave the old text in the file's heap.
    """
    date = cooler.Cooler(f"{path}{group}").info["creation-date"].encode()
    path.write_bytes(path.read_bytes().replace(date, b"1970-01-01T00:00:00.000000"[:len(date)]))


def _write_noiseless(plan: Plan, cell_type: str, truth, expected, directory: Path) -> tuple[float, dict]:
    """Write ``truth/<cell type>.<resolution>.cool``; return its counts per unit of `expected_contacts` and its weights.

    The counts are unbiased: the mappable pairs hold as many as the cell type's deepest replicate has reads. Balancing
    cannot tell a bin that is seen more often from one that has more contacts and flattens both, so the ``weight``
    column balances the noiseless map in turn, to the total that the deepest replicate is expected to have on the
    chromosome: v is the map PREPARE_CONTACTS would make of that replicate if it had no noise. Weights are returned for
    the finest resolution, by chromosome.
    """
    reads = plan.reads_per_bin * plan.bins * plan.chromosomes * max(DEPTH[cell_type])
    scale = reads / sum(covered_contacts(expected[name], truth[name].mappable.astype(float)).sum() for name in truth)
    bands = [expected[name] * np.float32(scale) for name in truth]
    seen = [covered_contacts(expected[name], truth[name].coverage).sum() for name in truth]
    for factor in reversed(plan.factors):
        weights = [_weight_at(band, truth[name].mappable, factor, reads * share / sum(seen))
                   for name, band, share in zip(truth, bands, seen, strict=True)]
        path = directory / "truth" / f"{cell_type}.{plan.resolution * factor}.cool"
        write_maps(path, plan.genome_bins, bands, (factor,), _facts(cell_type), np.concatenate(weights))
    return scale, dict(zip(truth, weights, strict=True))


def _weight_at(band: np.ndarray, mappable: np.ndarray, factor: int, total: float) -> np.ndarray:
    """Balancing weights of a noiseless band coarsened by ``factor``: of wide bins that have something mappable."""
    usable = np.add.reduceat(mappable.astype(int), np.arange(0, len(mappable), factor)) > 0
    return balancing_weight(coarsened(band, factor) if factor > 1 else band, usable, total)


def _write_maps(plan: Plan, cell_type: str, truth, expected, directory: Path) -> list[tuple]:
    """Sequence each replicate and write its raw map; return its lines of the samplesheet."""
    seen = {name: covered_contacts(expected[name], truth[name].coverage).sum() for name in truth}
    lines = []
    for replicate, depth in enumerate(DEPTH[cell_type], start=1):
        reads = plan.reads_per_bin * plan.bins * plan.chromosomes * depth
        counts = [sequence(expected[name], truth[name].coverage, reads * seen[name] / sum(seen.values()),
                           plan.stream("reads", cell_type, str(replicate), name)) for name in truth]
        single = cell_type == SINGLE_RESOLUTION
        file = f"maps/{cell_type}_{replicate}.{'cool' if single else 'mcool'}"
        write_maps(directory / file, plan.genome_bins, counts, (1,) if single else plan.factors,
                   {"cell_type": cell_type, "replicate": str(replicate), "assembly": ASSEMBLY, "simulated": plan.kind,
                    "seed": plan.seed})
        lines.append((cell_type, replicate, file, ASSEMBLY, f"truth/{cell_type}.{{resolution}}.cool",
                      f"truth/{cell_type}.loops.bedpe"))
    return lines


def _write_variants(plan: Plan, cell_type: str, truth, variants, scale: float, weights, directory: Path) -> None:
    """Write ``variants.vcf`` and, for each variant, the noiseless map and the segments of its rearranged chromosome.

    Every bin keeps the weight it has in the wild type, so that a pair's v changes only as its contacts do.
    """
    for variant in variants:
        stem = f"{cell_type}.{variant.name}"
        length = len(variant.case.order)
        band = variant.case.expected(truth[variant.chromosome], kind=plan.kind, window=(0, length))
        bins = Bins((variant.chromosome,), (length * plan.resolution,), plan.resolution)
        write_maps(directory / "truth" / f"{stem}.{plan.resolution}.cool", bins, [band * np.float32(scale)], (1,),
                   _facts(cell_type) | {"variant": variant.name}, weights[variant.chromosome][variant.case.order])
        _write_table(directory / "truth" / f"{stem}.segments.bed", segment_table(variant, plan.resolution))
    with whole(directory / "variants.vcf") as beside:
        beside.write_text(vcf_text(variants, plan.genome_bins))


def _write_transfer(plan: Plan, directory: Path) -> None:
    """Write ``transfer.csv``: what a model of the first map is to be tuned on, and what that is compared with.

    Its lines: 5C of a cell type of which nothing else is measured, before and after two anchors were deleted; and, with
    no file of its own, another map of the samplesheet at ever fewer of its reads.
    """
    base = f"{plan.cell_types[0]}_1"
    truth = simulate_cell_type(plan, five_c.CELL_TYPE)
    deletions = five_c.anchor_deletions(truth)
    lines = []
    if deletions:
        before, after = five_c.write_5c(directory, truth, deletions, plan.kind, plan.resolution, ASSEMBLY, plan.stream)
        lines.append((five_c.CELL_TYPE, "1", before, ASSEMBLY, base, plan.resolution,
                      "anchor_deletions.vcf", after, "", ""))
        with whole(directory / "anchor_deletions.vcf") as beside:
            beside.write_text(vcf_text(deletions, plan.genome_bins))
    other = [(name, str(k)) for name in plan.cell_types for k in range(1, len(DEPTH[name]) + 1)][1:]
    if other:  # another cell type where there is one, else another replicate
        name, replicate = next((one for one in other if one[0] != plan.cell_types[0]), other[0])
        lines.append((name, replicate, "", ASSEMBLY, base, plan.resolution, "", "",
                      ";".join(f"{part:g}" for part in FRACTIONS), plan.genome_bins.chromosomes[0]))
    _write_table(directory / "transfer.csv", pd.DataFrame(lines, columns=[
        "cell_type", "replicate", "contacts", "assembly", "base", "resolutions", "variants", "after", "fractions",
        "chromosomes"]),
        separator=",", header=True)


def _facts(cell_type: str) -> dict:
    """The record of a noiseless map, in the form of those PREPARE_CONTACTS writes."""
    return {"cell_type": cell_type, "replicate": "truth", "sample": f"{cell_type}_truth", "assembly": ASSEMBLY,
            "raw": False, "balance": "computed on the noiseless map", "probability_scale": 1.0, "sources": [],
            "verdict": "noiseless truth"}


def _write_table(path: Path, table: pd.DataFrame, separator: str = "\t", header: bool = False) -> None:
    """BED-like files have no header line, sheets and ``.tsv`` have one."""
    with whole(path) as beside:
        table.to_csv(beside, sep=separator, index=False, header=header or path.suffix == ".tsv")


def _write_json(path: Path, content: dict) -> None:
    with whole(path) as beside:
        beside.write_text(json.dumps(content, indent=2) + "\n")
