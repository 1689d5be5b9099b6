#!/usr/bin/env python3
"""Find the positions that drive a predicted map: integrated gradients, barrier costs and knockouts of every bin.

Writes ID.attribution.bw, .bedGraph and .tsv, a UCSC track hub (ID.hub), tables of scores at elements and of binding
sites ranked, and figures.
"""

import argparse
import sys
import time
from pathlib import Path

from hiclstm.errors import run


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", required=True, type=Path, metavar="ID.cool", help="map that the model was "
                        "trained on")
    parser.add_argument("--model", required=True, type=Path, metavar="ID.model.pt")
    parser.add_argument("--annotations", type=Path, metavar="SHEET.csv", help="as classify_elements.py takes it: "
                        "genes, peaks, domains, boundaries, loops and what else scores are compared at")
    parser.add_argument("--fasta", type=Path, metavar="FASTA", help="the genome's sequence (.gz or not): GC is drawn, "
                        "and bins are matched by it as well as by coverage")
    parser.add_argument("--truth", type=Path, metavar="TRUTH.tsv", help="truth of a simulated cell type "
                        "(truth/<cell type>.truth.tsv): how well the scores rank its barriers")
    parser.add_argument("--baseline", default="mean", choices=["mean", "zero", "padding"], help="the vector that "
                        "integration starts from: mean of all usable bins (default), zero, or that of missing bins")
    parser.add_argument("--max-distance", type=int, metavar="BP", help="pairs up to here make the target (default: 3 "
                        "Mb, at least 150 bins, no further than was trained)")
    parser.add_argument("--steps", type=int, default=256, metavar="N", help="most steps of the integral; fewer are "
                        "taken where it is complete within 1 %% (default 256)")
    parser.add_argument("--regions", nargs="+", default=[], metavar="CHR:START-END", help="loci to draw (default: the "
                        "paper's, chr21:28,000,000-29,200,000, where the map has it, else the stretch of 1.2 Mb "
                        "that is highest)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for the results")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    began = time.perf_counter()
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    from hiclstm.attribution import stage
    from hiclstm.report.figures import style

    style()
    files = stage.Files(given.contacts, given.model, given.annotations, given.fasta, given.truth)
    plan = stage.Plan(given.baseline, given.max_distance, given.steps, given.regions, given.seed, given.threads)
    stage.attribute(files, plan, given.output, command)
    print(f"attributed in {time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    run(main)
