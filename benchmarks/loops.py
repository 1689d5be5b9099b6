#!/usr/bin/env python3
"""Are called loops found on reconstructed maps? HiCCUPS as in cooltools, on the observed, predicted and refined map.

A predicted map has expected contacts instead of counts: they are given the observed map's weights, and so its depth, and are
called with the same settings; beside that as if sequenced ten times as deep, as a caller asks what noise of so many contacts
could do, and a model's map has none. Told are the loops called, the share of a published list that lies within two bins of
one of them (recall), the same share where the called loops are moved by 100 kb along the chromosome (chance), and the share
of the called loops that are on the list (precision).

    python benchmarks/loops.py --contacts ID.cool --model ID.model.pt --loops HiCCUPS_looplist.txt.gz
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bin"))

import cooler  # noqa: E402
import cooltools  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from hiclstm.contacts import ContactMap  # noqa: E402
from hiclstm.files import whole  # noqa: E402
from hiclstm.prediction import TrainedModel  # noqa: E402
from hiclstm.reconstruction.loops import Loops, read_loops  # noqa: E402
from hiclstm.reconstruction.refined import refine  # noqa: E402
from hiclstm.reconstruction.scores import beyond  # noqa: E402

FURTHEST = 2_000_000  # base pairs between the anchors of a loop
NEAR = 2  # bins
MOVED = 100_000  # base pairs, for chance
DEEPER = 10


def write_counts(contact_map: ContactMap, bands: dict[str, np.ndarray], path: Path, deeper: float) -> None:
    """A cooler of expected raw counts: balanced expectation by the weights of its two bins; of a map ``deeper`` times as
    deep."""
    bins, tables = contact_map.bins, []
    every_weight = contact_map.weight / deeper ** 0.5
    for name, band in bands.items():
        span = bins.span(name)
        weight = every_weight[span]
        count = band / (weight[:, None] * beyond(weight, band.shape[1]))
        row, apart = np.nonzero(np.isfinite(count))
        tables.append(pd.DataFrame({"bin1_id": row + span.start, "bin2_id": row + apart + span.start,
                                    "count": count[row, apart]}))
    cooler.create_cooler(str(path), bins.table.assign(weight=every_weight), pd.concat(tables), dtypes={"count": np.float64},
                         ordered=True)


def called(path: Path, bins) -> dict[str, Loops]:
    """Loops that cooltools calls, by chromosome."""
    opened = cooler.Cooler(str(path))
    expected = cooltools.expected_cis(opened, ignore_diags=2)
    dots = cooltools.dots(opened, expected, max_loci_separation=FURTHEST)
    found = {}
    for name, group in dots.groupby("chrom1", observed=True):
        first = group["start1"].to_numpy() // bins.resolution
        found[name] = Loops(first, group["start2"].to_numpy() // bins.resolution - first)
    return found


def recall(known: dict[str, Loops], found: dict[str, Loops], shift: int = 0) -> float:
    """Share of known loops with both anchors within ``NEAR`` bins of a found one's, which is moved by ``shift`` bins."""
    hits = total = 0
    for name, loops in known.items():
        total += len(loops.first)
        if name in found:
            one = np.abs(loops.first[:, None] - found[name].first - shift)
            other = np.abs((loops.first + loops.distance)[:, None] - (found[name].first + found[name].distance) - shift)
            hits += int((np.maximum(one, other) <= NEAR).any(1).sum())
    return hits / max(total, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", required=True, type=Path)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--loops", required=True, type=Path, help="BEDPE")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("loops.tsv"))
    given = parser.parse_args()
    contact_map, model = ContactMap.load(given.contacts), TrainedModel.load(given.model)
    near = FURTHEST // contact_map.bins.resolution
    known = {name: Loops(loops.first[loops.distance <= near], loops.distance[loops.distance <= near])
             for name, loops in read_loops(given.loops, contact_map.bins).items()}
    shift = MOVED // contact_map.bins.resolution
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        maps = {"observed": given.contacts}
        predicted = {name: model.expected_band(name, 2 * near) for name in contact_map.bins.chromosomes}
        refined = {name: refine(contact_map, name, band, 1) for name, band in predicted.items()}
        for label, bands in (("predicted", predicted), ("refined", refined)):
            for deeper in (1, DEEPER):
                name = label if deeper == 1 else f"{label}, {deeper} times as deep"
                maps[name] = Path(folder) / f"{label}{deeper}.cool"
                write_counts(contact_map, bands, maps[name], deeper)
        for label, path in maps.items():
            found = called(path, contact_map.bins)
            rows.append([label, sum(len(loops.first) for loops in found.values()),
                         sum(len(loops.first) for loops in known.values()), recall(known, found),
                         (recall(known, found, shift) + recall(known, found, -shift)) / 2, recall(found, known)])
    table = pd.DataFrame(rows, columns=["map", "called", "known", "recall", "recall_by_chance", "precision"])
    print(table.round(3).to_string(index=False))
    with whole(str(given.output)) as beside:
        table.to_csv(beside, sep="\t", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
