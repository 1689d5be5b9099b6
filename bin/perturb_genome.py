#!/usr/bin/env python3
"""Ask a trained model what contacts become when the genome is changed.

Structural variants from VCF, BED or BEDPE, knockouts of sites, CTCF sites turned round, domain boundaries removed; each
beside the same edit at matched random loci, and, on simulated data, beside the truth.

Exit status: 0 all was read; 2 an input cannot be used; 3 finished, but some variants were skipped (named on standard
error and in <id>.variants.tsv: absent chromosome, shorter than a bin, unsupported type).
"""

import argparse
import sys
from pathlib import Path

from hiclstm.errors import InputError, run


def named_file(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=FILE")
    return name, Path(path)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", required=True, type=Path, metavar="ID.cool",
                        help="map that PREPARE_CONTACTS wrote")
    parser.add_argument("--model", required=True, type=Path, metavar="ID.model.pt", help="model trained on it")
    what = parser.add_argument_group("what to change")
    what.add_argument("--variants", nargs="+", type=Path, default=[], metavar="FILE",
                      help="VCF (DEL, DUP, INV, INS, breakends), BED (name: DEL, DUP, INV or TYPE:label) or BEDPE")
    what.add_argument("--knockout", choices=["shift", "zero", "mean", "padding"],
                      help="lines of BED files are sites to knock out in this way; also the way of --sites and "
                      "--domains (shift if not given)")
    what.add_argument("--sites", nargs="+", type=named_file, default=[], metavar="NAME=FILE",
                      help="sets of sites (BED, narrowPeak) to knock out; averages are reported")
    what.add_argument("--after", nargs="+", type=named_file, default=[], metavar="NAME=ID.cool",
                      help="observed map of a genome with the duplication NAME, aligned to the reference")
    known = parser.add_argument_group("what is known of the genome (a sheet, or single files, which go before it)")
    known.add_argument("--annotations", type=Path, metavar="CSV", help="sheet with columns cell_type, element, file; "
                       "used are ctcf, rad21, smc3, loops, domains (or tads), genes, ctcf_motifs and --site-elements")
    known.add_argument("--site-elements", default="znf143,foxg1,sox2,xbp1,random_peaks", metavar="A,B,...",
                       help="elements of the sheet to knock out as sets of sites, where it has them "
                       "(default: %(default)s)")
    known.add_argument("--ctcf", type=Path, metavar="FILE", help="CTCF peaks")
    known.add_argument("--cohesin", nargs="+", type=Path, default=[], metavar="FILE", help="RAD21 and SMC3 peaks")
    known.add_argument("--loops", type=Path, metavar="BEDPE")
    known.add_argument("--domains", type=Path, metavar="BED", help="domains whose boundaries are knocked out")
    known.add_argument("--genes", type=Path, metavar="BED")
    known.add_argument("--motifs", type=Path, metavar="BED6", help="CTCF motifs with their strands")
    known.add_argument("--fasta", type=Path, help="genome, scanned for --matrix at p < 1e-4 where there is no --motifs")
    known.add_argument("--matrix", type=Path, metavar="JASPAR", help="CTCF motif in JASPAR's format")
    known.add_argument("--truth", type=Path, metavar="truth.json",
                       help="truth of a simulated data set, to score against")
    how = parser.add_argument_group("how")
    how.add_argument("--reach", type=int, default=1_000_000, metavar="BP", help="window on both sides (default 1 Mb)")
    how.add_argument("--random-loci", type=int, default=200, help="matched random loci per variant or set; 0: no null")
    how.add_argument("--most-sites", type=int, default=300, help="sites read of a set, chosen at random")
    how.add_argument("--most-maps", type=int, default=25, help="variants with maps and a figure, by size of effect")
    how.add_argument("--cases", type=int, default=20, help="random cases of each kind scored against --truth")
    how.add_argument("--seed", type=int, default=1)
    how.add_argument("--threads", type=int, default=1)
    how.add_argument("--output", type=Path, default=Path("."), metavar="DIR")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    from hiclstm.perturbation.sheet import supplied_by_sheet
    from hiclstm.perturbation.stage import Request, Stage

    for option in ("reach", "random_loci", "most_sites", "most_maps", "cases"):
        if getattr(given, option) < 0:
            raise InputError(f"--{option.replace('_', '-')} {getattr(given, option)}: expected 0 or more")
    single = {name: getattr(given, name) for name in
              ("ctcf", "cohesin", "loops", "domains", "genes", "motifs", "fasta", "matrix", "truth")}
    asked = {name: getattr(given, name) for name in
             ("variants", "knockout", "reach", "random_loci", "most_sites", "most_maps", "cases", "seed")}
    sites = dict(given.sites)
    if given.annotations:
        files, sets = supplied_by_sheet(given.annotations, given.contacts, given.site_elements.split(","))
        single = {name: value or files.get(name) or value for name, value in single.items()}
        sites = {**sets, **sites}
    command = " ".join(["perturb_genome.py", *sys.argv[1:]])
    stage = Stage(given.contacts, given.model, Request(**asked, **single, sites=sites, after=dict(given.after)),
                  given.output, command, given.threads)
    skipped = stage.run()
    for one in skipped:
        print(f"skipped {one.name} ({one.place}): {one.reason}", file=sys.stderr)
    if skipped:
        print("variants were skipped; see above and the table of variants", file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    run(main)
