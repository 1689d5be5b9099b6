#!/usr/bin/env python3
"""Tune a trained model on a new, small map of another cell type: 5C, capture, pseudo-bulk or shallow Hi-C.

The decoder is held and the bins' vectors are tuned, believed to differ from the base's as little as these differ among
themselves; how strongly that is believed, and for how many steps to tune, is chosen on contacts set aside. Written are the
tuned model (<id>.transfer.model.pt), its map, and figures beside training from scratch and no tuning.

  what a small map is worth     --fractions 0.01,0.03,0.1,0.3 [--truth NOISELESS.cool | --against OTHER.cool ...]
  a deletion foretold           --variants DELETIONS.vcf --after ID_of_cells_with_them.cool [--true-genome truth.json]
"""

import argparse
import sys
from pathlib import Path

from hiclstm.errors import InputError, run


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, type=Path, metavar="ID.model.pt", help="model that TRAIN_MODEL wrote")
    parser.add_argument("--contacts", required=True, type=Path, metavar="ID.cool",
                        help="the new map, as PREPARE_CONTACTS wrote it, at the base's resolution and of its assembly")
    parser.add_argument("--chromosomes", default="", metavar="NAMES", help="chr21,chr22 (default: all of the map)")
    parser.add_argument("--tune", default="representations", choices=["representations", "decoder", "both"],
                        help="what is tuned; level and distance curve always are (%(default)s)")
    parser.add_argument("--strength", default="auto", metavar="auto|S", help="of the belief that the new map is as the "
                        "base; 1: two cell types differ as two places do (default: chosen on contacts set aside)")
    parser.add_argument("--max-distance", default="base", metavar="base|BP", help="pairs up to this many base pairs apart "
                        "(default: as the base)")
    parser.add_argument("--fractions", default="", metavar="F,F,...", help="of the map's contacts, drawn at random")
    parser.add_argument("--against", type=Path, nargs="+", default=[], metavar="OTHER.cool",
                        help="prepared maps to score against (default with --fractions: the contacts left out)")
    parser.add_argument("--truth", type=Path, metavar="TRUTH.cool", help="noiseless map of a simulated sample")
    parser.add_argument("--variants", type=Path, nargs="+", default=[], metavar="FILE", help="VCF, BED or BEDPE")
    parser.add_argument("--after", type=Path, metavar="ID.cool", help="prepared map of the cells with these variants")
    parser.add_argument("--true-genome", type=Path, metavar="truth.json", help="truth of a simulated data set")
    parser.add_argument("--least-steps", type=int, default=600, metavar="N", help="optimiser steps of tuning, or one pass "
                        "over the map where that is more (%(default)s)")
    parser.add_argument("--scratch-steps", type=int, default=3000, metavar="N", help="the same, from scratch (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("."), metavar="DIR")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    from hiclstm.prediction import TrainedModel
    from hiclstm.transfer import Options
    from hiclstm.transfer.stage import Request, Stage

    resolution = TrainedModel.load(given.base).bins.resolution
    width = None
    if given.max_distance != "base":
        if not given.max_distance.isdigit() or int(given.max_distance) < resolution:
            raise InputError(f"--max-distance {given.max_distance}: expected 'base' or a number of base pairs of at least "
                             f"one bin ({resolution:,})")
        width = int(given.max_distance) // resolution + 1
    options = Options(given.tune, None if given.strength == "auto" else number("--strength", given.strength), width,
                      given.least_steps, given.seed, given.threads)
    fractions = tuple(number("--fractions", text) for text in given.fractions.split(",") if text)
    request = Request(fractions, given.against, given.truth, given.variants, given.after, given.true_genome,
                      given.scratch_steps, options)
    command = " ".join(["transfer_model.py", *sys.argv[1:]])
    chromosomes = tuple(filter(None, given.chromosomes.split(","))) or None
    Stage(given.base, given.contacts, request, given.output, command, chromosomes).run()


def number(option: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value > 0:
        raise InputError(f"{option} {text}: a number above 0 is expected")
    return value


if __name__ == "__main__":
    run(main)
