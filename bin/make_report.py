#!/usr/bin/env python3
"""Collect what every stage left behind into one HTML page and one table of metrics."""

import argparse
import csv
import shlex
import sys
from pathlib import Path

from hiclstm.errors import InputError, run


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--results", required=True, nargs="+", metavar="PATH",
                        help="files and folders of the stages: *.figure.json with their .svg and .tsv, *.metrics.tsv, "
                        "*.qc.json, *.training.tsv, failures.json")
    parser.add_argument("--samplesheet", type=Path, metavar="CSV",
                        help="the run's samples (columns cell_type, replicate and, optional, resolution); those "
                        "without a result are named")
    parser.add_argument("--failed", action="append", default=[], metavar="ID=REASON",
                        help="a sample that failed, and why (may be given many times)")
    parser.add_argument("--title", default="Hi-C-LSTM report", help="heading of the page")
    parser.add_argument("--output", type=Path, default=Path("."), help="folder for report.html and metrics.tsv")
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


def main() -> None:
    given = arguments()
    from hiclstm.files import whole
    from hiclstm.report.collect import collect
    from hiclstm.report.comparison import comparison_figures
    from hiclstm.report.page import render

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
    given.output.mkdir(parents=True, exist_ok=True)
    made = comparison_figures(found.metrics, given.output, command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]))
    if made:
        fresh = collect(made)
        names = {figure.name for figure in fresh.figures}
        found.figures = [figure for figure in found.figures if figure.name not in names] + fresh.figures
        found.figures.sort(key=lambda figure: figure.order)
    with whole(given.output / "metrics.tsv") as beside:
        found.metrics.to_csv(beside, sep="\t", index=False)
    with whole(given.output / "report.html") as beside:
        beside.write_text(render(found, given.title, expected), encoding="utf-8")
    for problem in found.problems:
        print(f"warning: {problem}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
