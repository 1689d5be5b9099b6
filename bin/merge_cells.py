#!/usr/bin/env python3
"""Merge single-cell Hi-C into pseudo-bulk: one file of pairs for each cluster of cells, and a samplesheet that names them.

Cells with too few contacts, of a mixture of species, or with too many contacts between chromosomes are left out; cells.tsv
says of every cell why. The samplesheet goes into the pipeline (or the pairs into prepare_contacts.py) as any other.

example (Ramani et al. 2017, chromosomes 15 to 22 as in the paper):
  merge_cells.py --contacts GSM2254215_ML1.validPairs.txt.gz --percentages GSM2254215_ML1.percentages.txt.gz \\
                 --assembly hg19 --output pseudobulk
  nextflow run main.nf --input pseudobulk/samplesheet.csv --resolutions 500000 \\
                 --chromosomes chr15,chr16,chr17,chr18,chr19,chr20,chr21,chr22
"""

import argparse
import sys
from pathlib import Path

from hiclstm.errors import InputError, run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", required=True, nargs="+", type=Path, metavar="FILE", help="validPairs with barcodes, "
                        "4DN pairs with a column of cells, lists with a header line (chr1 pos1 chr2 pos2 cell), Dip-C .con; "
                        "of one library, as barcodes of several are not told apart")
    parser.add_argument("--percentages", type=Path, metavar="FILE", help="reads of each species and cell type of each pair "
                        "of barcodes, as GSE84920 has them")
    parser.add_argument("--clusters", type=Path, metavar="FILE", help="table with columns cell and cluster (default: the "
                        "cell types of --percentages or of the contacts; else all cells together)")
    parser.add_argument("--species", default="human", help="kept, where chromosomes are named human_chr1 (%(default)s)")
    parser.add_argument("--fewest-contacts", type=int, default=1000, metavar="N", help="of a cell (%(default)s)")
    parser.add_argument("--species-share", type=float, default=0.95, metavar="S", help="least, of a cell (%(default)s)")
    parser.add_argument("--cis-share", type=float, default=0.5, metavar="S", help="least share of a cell's contacts that "
                        "lie within a chromosome (%(default)s)")
    parser.add_argument("--assembly", default="", help="hg19, hg38, …: its chromosome sizes are written into the pairs")
    parser.add_argument("--output", type=Path, default=Path("."), metavar="DIR")
    given = parser.parse_args()
    from hiclstm.contacts.cells import Cutoffs, merge

    for path in (*given.contacts, given.percentages, given.clusters):
        if path is not None and not path.is_file():
            raise InputError(f"{path}: no such file")
    cells = merge(given.contacts, given.output, given.species,
                  Cutoffs(given.fewest_contacts, given.species_share, given.cis_share), given.percentages, given.clusters,
                  given.assembly)
    kept = cells[cells["kept"]]
    for cluster, own in kept.groupby("cluster"):
        print(f"{cluster}: {len(own):,} cells, {own['contacts'].sum():,} contacts", file=sys.stderr)
    for reason, number in cells.loc[~cells["kept"], "reason"].value_counts().items():
        print(f"left out: {number:,} cells, {reason}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
