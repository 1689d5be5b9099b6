#!/usr/bin/env python3
"""Collect what every stage left behind: an index, a page for each sample, figures across samples, a table of metrics."""

import argparse
import csv
import json
import shlex
import sys
from pathlib import Path

from hiclstm.errors import InputError, run


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--results", required=True, nargs="+", metavar="PATH",
                        help="files and folders of the stages: *.figure.json with their .svg and .tsv, *.metrics.tsv, "
                        "*.qc.json, *.training.tsv, *.viewer.json, failures.json")
    parser.add_argument("--samplesheet", type=Path, metavar="CSV",
                        help="the run's samples (columns cell_type, replicate and, optional, resolution); those "
                        "without a result are named")
    parser.add_argument("--failed", action="append", default=[], metavar="ID=REASON",
                        help="a sample that failed, and why (may be given many times)")
    parser.add_argument("--parameters", type=Path, metavar="JSON", help="the run's parameters, which the index lists")
    parser.add_argument("--published", action="store_true",
                        help="link to files at <cell type>/<resolution>/ beside report.html, where the pipeline publishes "
                        "them, instead of where they are now")
    parser.add_argument("--title", default="Hi-C-LSTM report", help="heading of the index")
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for report.html, report/ and metrics.tsv")
    return parser.parse_args()


def expected_samples(sheet: Path) -> list[tuple[str, str, int | None]]:
    """(cell type, replicate, resolution or None) of every line of the sheet, each once, in its order."""
    try:
        with open(sheet, encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(f"--samplesheet {sheet}: cannot be read ({problem})") from None
    if not rows or "cell_type" not in rows[0] or "replicate" not in rows[0]:
        raise InputError(f"--samplesheet {sheet}: expected a table with the columns cell_type and replicate")
    found = []
    for row in rows:
        cell_type, replicate, resolution = ((row.get(name) or "").strip() for name in
                                            ("cell_type", "replicate", "resolution"))
        found.append((cell_type, replicate, int(resolution) if resolution.isdecimal() else None))
    return list(dict.fromkeys(found))


def parameters(path: Path) -> dict:
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise InputError(f"--parameters {path}: cannot be read ({problem})") from None
    if not isinstance(given, dict):
        raise InputError(f"--parameters {path}: expected a JSON object of names and values")
    return given


def main() -> None:
    given = arguments()
    from hiclstm.files import whole
    from hiclstm.report.collect import collect
    from hiclstm.report.comparison import comparison_figures
    from hiclstm.report.links import PAGES
    from hiclstm.report.page import Run, write_pages

    found = collect(given.results)
    for said in given.failed:
        name, equals, reason = said.partition("=")
        if not name or not equals:
            raise InputError(f"--failed {said!r}: expected ID=REASON")
        found.failures[name] = reason
    expected = expected_samples(given.samplesheet) if given.samplesheet else []
    if not (found.figures or len(found.metrics) or found.quality or found.failures or expected):
        raise InputError(f"--results {' '.join(given.results)}: holds no *.figure.json, *.metrics.tsv, *.qc.json or "
                         "failures.json, so there is nothing to report")
    run = Run(given.title, expected, parameters(given.parameters) if given.parameters else {}, given.published)
    pages = given.output / PAGES
    pages.mkdir(parents=True, exist_ok=True)
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    across = collect(comparison_figures(found.metrics, pages, command=command)).figures
    # An earlier report among the results holds older ones.
    found.figures = [figure for figure in found.figures if not figure.name.startswith("comparison.")] + across
    found.figures.sort(key=lambda figure: figure.order)
    with whole(given.output / "metrics.tsv") as beside:
        found.metrics.to_csv(beside, sep="\t", index=False)
    write_pages(found, given.output, run)
    for problem in found.problems:
        print(f"warning: {problem}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
