#!/usr/bin/env python3
"""Turn contact files of any format into one balanced map with a record of its quality."""

import argparse
import re
import shlex
import sys

from hiclstm.errors import InputError, run

FORMATS = """\
contact files (--contacts), recognised by their content; what follows '::' says which part of a file is meant:
  map.hic                          Juicer .hic, version 8 or 9
  map.cool, map.mcool              cooler; also map.mcool::/resolutions/50000 or map.cool::/10000
  reads.pairs.gz                   4DN pairs; without header also chr1 pos1 strand1 chr2 pos2 strand2, and HiC-Pro valid
                                   pairs
  sample.matrix::sample_abs.bed    HiC-Pro; the bed is found by itself if it lies beside and fits (sample_abs.bed)
  chr22.txt.gz::chr22              Juicer dump (start1 start2 count), one chromosome a file; without '::' the chromosome
                                   is taken from a file name like chr22.50kb.txt.gz
  all.txt.gz                       Juicer dump with chromosomes (chr1 start1 chr2 start2 count)
  5c.matrix.gz                     5C with fragment names primer|assembly|chr:start-end (cworld, my5C), or three columns:
                                   two such names and a count
  5c.txt.gz::primers.bed           primer1 primer2 count, primers placed by a BED file
  capture.bedpe                    BEDPE whose eighth (else seventh) column is a count
Several files are summed: libraries of one map, or one file for each chromosome. Of 5C and capture, a fragment belongs to
the bin that holds its middle, bins without fragments are missing, and coordinates stay in the file's assembly.

balancing (--balance):
  auto       the file's own vector (weight, KR, SCALE, VC) where it makes row sums flat, else computed; this is decided
             for each chromosome by itself; of 5C and capture computed from what measured pairs are expected to have
  KR, …      that vector, whether or not it is flat; an error lists those that exist if there is none of the name
  none       every weight 1
  balanced   the values are balanced already (assumed of values that are not whole numbers, as of Juicer's KR dumps)

example:
  prepare_contacts.py --contacts HIC001.hic HIC002.hic --cell-type GM12878 --replicate 1 --resolution 50000
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, epilog=FORMATS,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", nargs="+", required=True, metavar="FILE[::PART]", help="contact files, summed")
    parser.add_argument("--cell-type", required=True, help="name of the cell type, as in the samplesheet")
    parser.add_argument("--replicate", default="1", help="name of the replicate (%(default)s)")
    parser.add_argument("--resolution", type=int, required=True, metavar="BP",
                        help="width of a bin; added up from a finer map where the file has none of this width")
    parser.add_argument("--chromosomes", default="auto", metavar="NAMES",
                        help="chr21,chr22; auto: autosomes and X with at least 20 bins (%(default)s)")
    parser.add_argument("--assembly", default="",
                        help="hg19, hg38, mm10, …: sizes for text that states none, and a check for the rest")
    parser.add_argument("--balance", default="auto", help="auto, none, balanced, or the name of a vector (%(default)s)")
    parser.add_argument("--probability-scale", "--probability_scale", default="coverage", metavar="SCALE",
                        help="what balanced counts are multiplied by in equation 1: coverage (1), depth_matched (so "
                             "that the median contact probability is 0.5) or a number (%(default)s)")
    parser.add_argument("--read-timeout", type=float, default=300, metavar="SECONDS",
                        help="give up a file whose reading makes no progress for so long (%(default)g)")
    parser.add_argument("--output", default=".", metavar="DIR", help="folder to write to (%(default)s)")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    for what, name in (("cell type", given.cell_type), ("replicate", given.replicate)):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*" if what == "replicate" else r"[A-Za-z0-9][\w.+-]*", name):
            raise InputError(f"{what} {name!r}: only letters, digits and . + - are allowed (_ too in a cell type), "
                             "because it names files")
    if given.resolution < 1:
        raise InputError(f"--resolution {given.resolution}: a number of base pairs above 0 is expected")
    scale = given.probability_scale
    if scale not in ("coverage", "depth_matched"):
        try:
            scale = float(scale)
        except ValueError:
            scale = -1
        if not 0 < scale < float("inf"):
            raise InputError(f"--probability-scale {given.probability_scale}: 'coverage', 'depth_matched' or a number "
                             "above 0 is expected")
    chromosomes = None if given.chromosomes == "auto" else tuple(filter(None, given.chromosomes.split(",")))
    if chromosomes == ():
        raise InputError("--chromosomes is empty: 'auto' or names like chr21,chr22 are expected")

    from hiclstm.contacts.library import Request
    from hiclstm.contacts.prepare import Sample, prepare

    command = "prepare_contacts.py " + shlex.join(sys.argv[1:])
    prepare(given.contacts, Sample(given.cell_type, given.replicate, given.resolution),
            Request(given.resolution, chromosomes, given.assembly, given.balance), given.output,
            probability_scale=scale, patience=given.read_timeout, command=command,
            say=lambda line: print(line, file=sys.stderr))


if __name__ == "__main__":
    run(main)
