#!/usr/bin/env python3
"""Are called loops found on reconstructed maps? Two callers on the observed, the predicted and the refined map.

HiCCUPS, as in cooltools, asks what the noise of so many contacts could do. A predicted map has expected contacts, without
noise, instead of counts: they are given the observed map's weights, and so its depth, and are called with the same settings;
beside that as if sequenced ten times as deep. Chromosight looks for the shape of a corner, at any depth; where there is no
noise it sees many, so beside all of them stand the most certain ones, as many as it calls on the observed map.

Told are the loops called, the share of a published list that lies within two bins of one of them (recall), the same share
where the called loops are moved by 100 kb along the chromosome (chance), and the share of the called loops that are on the
list (precision). Needs what `tools/setup test` installs.

    python benchmarks/loops.py --contacts ID.cool --model ID.model.pt --loops HiCCUPS_looplist.txt.gz
"""

import argparse
import shutil
import subprocess
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


def hiccups(path: Path) -> pd.DataFrame:
    """Loops that cooltools calls: ``chrom1 start1 start2`` and more."""
    opened = cooler.Cooler(str(path))
    expected = cooltools.expected_cis(opened, ignore_diags=2)
    return cooltools.dots(opened, expected, max_loci_separation=FURTHEST)


def chromosight(path: Path) -> pd.DataFrame:
    """Loops that Chromosight calls with its own settings, the most certain first: ``chrom1 start1 start2 score`` ..."""
    resolution = cooler.Cooler(str(path)).binsize
    done = subprocess.run([sys.executable, "-m", "chromosight.cli.chromosight", "detect", "--no-plotting", "--min-dist",
                           str(2 * resolution), "--max-dist", str(FURTHEST), str(path), str(path.with_suffix(""))],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"chromosight, {path}:\n{done.stderr}")
    return pd.read_csv(path.with_suffix(".tsv"), sep="\t", dtype={"chrom1": str}).sort_values("score", ascending=False)


def of_chromosomes(table: pd.DataFrame, bins) -> dict[str, Loops]:
    """Called loops by chromosome."""
    first, second = (table[column].to_numpy() // bins.resolution for column in ("start1", "start2"))
    name = table["chrom1"].astype(str).to_numpy()
    return {one: Loops(first[name == one], (second - first)[name == one]) for one in np.unique(name)}


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
    bins, shift, rows = contact_map.bins, MOVED // contact_map.bins.resolution, []

    def row(label: str, caller: str, calls: pd.DataFrame) -> None:
        found = of_chromosomes(calls, bins)
        rows.append([label, caller, len(calls), sum(len(loops.first) for loops in known.values()), recall(known, found),
                     (recall(known, found, shift) + recall(known, found, -shift)) / 2, recall(found, known)])

    with tempfile.TemporaryDirectory() as folder:
        maps = {"observed": Path(folder) / "observed.cool"}
        shutil.copyfile(given.contacts, maps["observed"])
        predicted = {name: model.expected_band(name, 2 * near) for name in bins.chromosomes}
        refined = {name: refine(contact_map, name, band, 1) for name, band in predicted.items()}
        for label, bands in (("predicted", predicted), ("refined", refined)):
            for deeper in (1, DEEPER):
                name = label if deeper == 1 else f"{label}, {deeper} times as deep"
                maps[name] = Path(folder) / f"{label}{deeper}.cool"
                write_counts(contact_map, bands, maps[name], deeper)
        for label, path in maps.items():
            row(label, "HiCCUPS", hiccups(path))
        on_observed = None
        for label in ("observed", "predicted", "refined"):
            calls = chromosight(maps[label])
            row(label, "Chromosight", calls)
            on_observed = on_observed or len(calls)
            if len(calls) > on_observed:
                row(label, "Chromosight, most certain", calls.head(on_observed))
    table = pd.DataFrame(rows, columns=["map", "caller", "called", "known", "recall", "recall_by_chance", "precision"])
    print(table.round(3).to_string(index=False))
    with whole(str(given.output)) as beside:
        table.to_csv(beside, sep="\t", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
