#!/usr/bin/env python3
"""Make contact maps of simulated cell types from a stated truth, with that truth beside them."""

import argparse

from hiclstm.errors import run
from hiclstm.simulation.data_set import DEPTH, Plan, write_data_set
from hiclstm.simulation.rendering import KINDS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        epilog="Writes samplesheet.csv, annotations.csv, variants.vcf, transfer.csv, maps/ (raw counts, not balanced) and "
               "truth/ (noiseless maps, sites, domains, loops, compartments, genes, …; truth.json has every parameter).")
    parser.add_argument("--chromosomes", type=int, default=Plan.chromosomes, help="number of chromosomes")
    parser.add_argument("--bins", type=int, default=Plan.bins, help="bins of each chromosome")
    parser.add_argument("--resolution", type=int, default=Plan.resolution,
                        help="base pairs per bin; sizes of domains and loops are counted in bins")
    parser.add_argument("--cell-types", default=",".join(DEPTH), help="which cell types, separated by commas")
    parser.add_argument("--kind", choices=KINDS, default=Plan.kind,
                        help="physics: extruders stopped by oriented sites, or barriers that absorb contacts")
    parser.add_argument("--reads-per-bin", type=float, default=Plan.reads_per_bin,
                        help="reads of the deepest replicate, per bin; the others have a stated share of it")
    parser.add_argument("--seed", type=int, default=Plan.seed, help="the same seed gives the same files")
    parser.add_argument("--output", default=".", help="directory to write to")
    given = parser.parse_args()
    cell_types = tuple(name.strip() for name in given.cell_types.split(",") if name.strip())
    write_data_set(Plan(given.chromosomes, given.bins, given.resolution, given.seed, cell_types, given.kind,
                        given.reads_per_bin), given.output)


if __name__ == "__main__":
    run(main)
