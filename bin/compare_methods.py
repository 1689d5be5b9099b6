#!/usr/bin/env python3
"""Compare representations (Hi-C-LSTM, SNIPER, SCI, PCA, subcompartments) and decoders (LSTM, CNN, FC) on held-out rows.

Three ways to call it:
  compare_methods.py --contacts A.cool --model A.model.pt --against B.cool       the comparison, on both replicates
  compare_methods.py --contacts A.cool --depths 0.01,0.03,0.1,0.3,1              the same along a ladder of read depths
  compare_methods.py --metrics A.compare.metrics.tsv B.compare.metrics.tsv ...   figures across samples
"""

import argparse
import sys
import time
from pathlib import Path

from hiclstm.errors import InputError, run


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=Path, metavar="ID.cool", help="map that representations are learned from")
    parser.add_argument("--model", type=Path, nargs="+", default=[], metavar="ID.model.pt",
                        help="trained models of that map: their vectors (hiclstm) and themselves as whole models")
    parser.add_argument("--against", type=Path, nargs="+", default=[], metavar="OTHER.cool",
                        help="other replicates, on which decoders are trained and tested again")
    parser.add_argument("--representations", default="", metavar="A,B", help="hiclstm, sniper_intra, sniper_inter, "
                        "sci, pca, sbcid; NAME:SIZE for another size, as sniper_intra:128 (default: all that the "
                        "inputs allow)")
    parser.add_argument("--decoders", default="lstm,cnn,fc", metavar="A,B", help="lstm, cnn, fc (default: all)")
    parser.add_argument("--likelihood", default="probability", choices=["probability", "counts"],
                        help="what decoders are trained on: equation 1 by mean squared error, as in the paper "
                             "(default), or raw counts by a Poisson likelihood")
    parser.add_argument("--representation-size", type=int, default=16, help="length of a vector (default 16)")
    parser.add_argument("--hidden-size", type=int, default=8, choices=[8, 16, 32],
                        help="units of every decoder (default 8)")
    parser.add_argument("--steps", type=int, default=1000, help="optimiser steps of every decoder (default 1000)")
    parser.add_argument("--subcompartments", type=Path, metavar="BED", help="for sbcid, an oracle")
    parser.add_argument("--max-distance", type=int, default=0, metavar="BP", help="pairs up to here (default 0: all)")
    parser.add_argument("--depths", default="", metavar="A,B",
                        help="fractions of the map's contacts, above 0 and at most 1")
    parser.add_argument("--metrics", type=Path, nargs="+", default=[], metavar="TSV",
                        help="metrics of several samples: draw the figures across them and do nothing else")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for the results")
    given = parser.parse_args()
    if bool(given.contacts) == bool(given.metrics):
        parser.error("give either --contacts or --metrics")
    return given


def main() -> None:
    given = arguments()
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    from hiclstm.methods import study
    from hiclstm.report.figures import style

    style()
    if given.metrics:
        study.across_samples(given.metrics, given.output, command)
        return
    began = time.perf_counter()
    plan = study.Plan(
        representations=_names(given.representations), decoders=_names(given.decoders), likelihood=given.likelihood,
        size=given.representation_size, hidden=given.hidden_size, steps=given.steps, seed=given.seed,
        threads=given.threads, max_distance=given.max_distance)
    files = study.Files(given.contacts, given.model, given.against, given.subcompartments)
    if given.depths:
        study.along_depths(files, plan, [_fraction(text) for text in _names(given.depths)], given.output, command)
    else:
        study.one_map(files, plan, given.output, command)
    print(f"compared in {time.perf_counter() - began:.0f} s", file=sys.stderr)


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _fraction(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--depths: {text!r} is not a number") from None


if __name__ == "__main__":
    run(main)
