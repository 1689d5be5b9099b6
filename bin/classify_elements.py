#!/usr/bin/env python3
"""Identify genomic elements from the vectors of bins; score on held-out chromosomes or blocks.

Two ways to call it:
  classify_elements.py --contacts ID.cool --annotations SHEET.csv --representations ID.representations.parquet pca sci
  classify_elements.py --metrics A.classify.metrics.tsv B.classify.metrics.tsv ...      the figure across samples
"""

import argparse
import sys
import time
from pathlib import Path

from hiclstm.errors import run


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=Path, metavar="ID.cool", help="map that PREPARE_CONTACTS wrote")
    parser.add_argument("--annotations", type=Path, metavar="SHEET.csv", help="sheet with the columns cell_type (* for "
                        "all), element, file and, optional, column, threshold; files relative to the sheet. The "
                        "element 'genes' places tables of expression that have no coordinates")
    parser.add_argument("--representations", nargs="+", default=[], metavar="WHAT", help="ID.representations.parquet "
                        "(or NAME=FILE.parquet), and names of what it is compared with: pca, sci, sniper_intra, "
                        "sniper_inter, sbcid, and the controls position and coverage. The first is the one "
                        "that figures are about")
    parser.add_argument("--classifiers", default="xgboost,linear", metavar="A,B", help="xgboost, xgboost_paper (depth "
                        "6, 5,000 trees), linear (default: xgboost,linear)")
    parser.add_argument("--folds", default="auto", choices=["auto", "chromosome", "blocks", "random"],
                        help="auto: whole chromosomes where five or more have data, else blocks of 5 Mb with a gap; "
                             "random: as in the paper, with matched random negatives (default: auto)")
    parser.add_argument("--elements", default="", metavar="A,B", help="elements of the sheet to take (default: all)")
    parser.add_argument("--subcompartments", type=Path, metavar="BED", help="for sbcid, an oracle")
    parser.add_argument("--representation-size", type=int, default=16, help="length of the other methods' vectors")
    parser.add_argument("--bootstrap", type=int, default=200, metavar="N", help="draws behind an interval "
                        "(default 200)")
    parser.add_argument("--ablation", action="store_true", help="also depth by number of boosted trees")
    parser.add_argument("--metrics", type=Path, nargs="+", default=[], metavar="TSV",
                        help="metrics of several samples (classify, and prepare for depths): draw the figure across "
                             "them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for the results")
    given = parser.parse_args()
    if bool(given.contacts) == bool(given.metrics):
        parser.error("give either --contacts or --metrics")
    if given.contacts and not (given.annotations and given.representations):
        parser.error("--contacts needs --annotations and --representations")
    return given


def main() -> None:
    given = arguments()
    began = time.perf_counter()
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    from hiclstm.elements import stage
    from hiclstm.report.figures import style

    style()
    if given.metrics:
        stage.across_samples(given.metrics, given.output, command)
        return
    plan = stage.Plan(representations=given.representations, classifiers=_names(given.classifiers), folds=given.folds,
                      elements=_names(given.elements), draws=given.bootstrap, size=given.representation_size,
                      seed=given.seed, ablation=given.ablation)
    stage.classify(given.contacts, given.annotations, plan, given.output, command, given.subcompartments)
    print(f"classified in {time.perf_counter() - began:.0f} s", file=sys.stderr)


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


if __name__ == "__main__":
    run(main)
