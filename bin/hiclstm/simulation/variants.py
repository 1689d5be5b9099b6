"""Structural variants of a simulated genome, as a VCF and as rearranged chromosomes with a known map."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..genome import Bins
from .cases import EDGE_BINS, Case, rearrangement
from .chromosome import Chromosome, boundaries, runs

HEADER = """##fileformat=VCFv4.2
##source=simulate_contacts.py
##reference=simulated
{contigs}
##ALT=<ID=DEL,Description="Deletion">
##ALT=<ID=DUP:TANDEM,Description="Tandem duplication">
##ALT=<ID=INV,Description="Inversion">
##INFO=<ID=SVTYPE,Number=1,Type=String,Description="Type of structural variant">
##INFO=<ID=END,Number=1,Type=Integer,Description="Last base of the variant">
##INFO=<ID=SVLEN,Number=.,Type=Integer,Description="Difference in length between REF and ALT">
##INFO=<ID=MATEID,Number=.,Type=String,Description="ID of the mate breakend">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
"""


@dataclass(frozen=True, eq=False)
class Variant:
    """One variant: name, chromosome, form in the VCF (``DEL``, ``DUP:TANDEM``, ``INV``, ``BND``) and case."""

    name: str
    chromosome: str
    form: str
    case: Case


def example_variants(chromosomes: dict[str, Chromosome]) -> list[Variant]:
    """A deleted boundary, a duplication and an inversion across one, and a breakend pair that deletes one more.

    They are spread over the chromosomes; one that no boundary away from the ends allows is left out.
    """
    wanted = [  # name, form, kind, bins before and after the boundary, sites of the boundary
        ("boundary_deletion", "DEL", "deletion", 2, 3, 2),
        ("tandem_duplication", "DUP:TANDEM", "duplication", 20, 21, 2),
        ("boundary_inversion", "INV", "inversion", 15, 26, 1),
        ("breakend_deletion", "BND", "deletion", 8, 9, 2),
    ]
    names = list(chromosomes)
    used: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
    found = []
    for k, (name, form, kind, before, after, sites) in enumerate(wanted):
        where = names[k % len(names)]
        chromosome = chromosomes[where]
        edge = min(EDGE_BINS, len(chromosome) // 4)
        groups = [group for group in boundaries(chromosome)
                  if edge + before < group[0] and group[-1] < len(chromosome) - edge - after
                  and all(group[-1] + after + edge < start or end + edge < group[0] - before
                          for start, end in used[where])
                  and chromosome.mappable[list(group)].all()]
        if not groups:
            continue
        # The boundary with the wanted number of sites, and of these the strongest.
        group = max(groups, key=lambda group: (len(group) == sites, chromosome.strength[list(group)].sum()))
        segment = (group[0] - before, group[-1] + after)
        used[where].append(segment)
        found.append(Variant(name, where, form, rearrangement(kind, len(chromosome), *segment)))
    return found


def vcf_text(variants: list[Variant], bins: Bins) -> str:
    """The variants as VCF 4.2: POS is the base before the segment (1-based), END the segment's last base."""
    rows = []
    for variant in variants:
        start, end = (edge * bins.resolution for edge in variant.case.segment)
        name, where = variant.name, variant.chromosome
        if variant.form == "BND":
            rows += [(where, start, f"{name}_1", f"N[{where}:{end + 1}[", f"SVTYPE=BND;MATEID={name}_2"),
                     (where, end + 1, f"{name}_2", f"]{where}:{start}]N", f"SVTYPE=BND;MATEID={name}_1")]
            continue
        length = {"DEL": start - end, "DUP:TANDEM": end - start, "INV": 0}[variant.form]
        info = f"SVTYPE={variant.form.split(':')[0]};END={end};SVLEN={length}"
        rows.append((where, start, name, f"<{variant.form}>", info))
    rows.sort(key=lambda row: (bins.position(row[0]), row[1]))
    contigs = "\n".join(f"##contig=<ID={name},length={size}>"
                        for name, size in zip(bins.chromosomes, bins.sizes, strict=True))
    return HEADER.format(contigs=contigs) + "".join(
        f"{where}\t{at}\t{name}\tN\t{alt}\t.\tPASS\t{info}\n" for where, at, name, alt, info in rows)


def segment_table(variant: Variant, resolution: int) -> pd.DataFrame:
    """BED6 of the reference segments the rearranged chromosome consists of, in its order, with strand."""
    order, strand = variant.case.order.astype(int), variant.case.strand.astype(int)
    # A segment goes on while the bin advances by its strand: this difference is then constant.
    together = np.cumsum(np.concatenate([[0], (np.diff(order) != strand[1:]) | (np.diff(strand) != 0)]))
    rows = [(variant.chromosome, order[a:b].min() * resolution, (order[a:b].max() + 1) * resolution,
             f"segment{k + 1}", 0, "+" if strand[a] > 0 else "-") for k, (a, b) in enumerate(runs(together))]
    return pd.DataFrame(rows, columns=["chrom", "start", "end", "name", "score", "strand"])
