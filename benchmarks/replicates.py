#!/usr/bin/env python3
"""How much of what a model lacks to the ceiling is the difference between the replicates, which no training on one can know.

Needs the public data beside the project (../shared/data). GM12878 chr22, 50 kb: half of replicate 2's contacts are scored
on; `default` is trained on the other half, and on as many contacts of replicate 1. The ceiling (a perfect truth) counts
sampling noise alone, so that what the second lacks to the first is the replicates' own difference. Prints and writes
benchmarks/replicates.tsv.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
from reconstruction import MAPS, METRICS, REPLICATES, SCORED_ON, prepared

from hiclstm.contacts import ContactMap
from hiclstm.files import whole
from hiclstm.metrics import MetricsTable
from hiclstm.model import ModelConfig
from hiclstm.model.config import FRAME
from hiclstm.prediction import TrainedModel
from hiclstm.reconstruction.evaluate import Against, evaluate
from hiclstm.reconstruction.refined import refine
from hiclstm.training import Options, choose_smoothness, train
from hiclstm.training.thinning import drawn

CHROMOSOME, RESOLUTION = "chr22", 50_000


def scored(trained_on: ContactMap, against: ContactMap, seed: int) -> pd.DataFrame:
    """Train `default` on one map and score it, its refined map and the ceiling on another: method, metric, value."""
    options = Options(seed=seed, quiet=True)
    options = replace(options, smoothness=choose_smoothness(trained_on, options)[0])
    network, _, _ = train(trained_on, ModelConfig.named("default", 16, RESOLUTION), options)
    model = TrainedModel(network.requires_grad_(False), trained_on.bins, trained_on.usable)
    band = model.expected_band(CHROMOSOME, trained_on.width(None))
    refined = refine(trained_on, CHROMOSOME, band, seed)
    metrics = MetricsTable("GM12878", "", RESOLUTION, "reconstruct")
    evaluate(trained_on, lambda _: band, "default", None, [Against("own", trained_on), Against("half", against)], metrics,
             refined_band=lambda _: refined, frame=FRAME, seed=seed)
    table = metrics.frame()
    kept = (table["against"] == "half") & (table["stratum"] == "all") & table["metric"].isin(METRICS)
    return table[kept & table["method"].isin(["default", "refined", "ceiling"])][["method", "metric", "value"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1,2,3", help="of the halves and of the trainings")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("replicates.tsv"))
    given = parser.parse_args()
    if not REPLICATES.is_dir():
        sys.exit(f"{REPLICATES}: not found; this benchmark runs on public data beside the project")
    with tempfile.TemporaryDirectory() as folder:
        file = MAPS["replicate 1, 50 kb"][0]
        first, second = (ContactMap.load(prepared(path, number, RESOLUTION, Path(folder)))
                         for number, path in ((1, file), (2, SCORED_ON)))
    tables = []
    for seed in map(int, given.seeds.split(",")):
        half, against = drawn(second, 0.5, seed)
        other, _ = drawn(first, float(half.counts.sum() / first.counts.sum()), seed)
        tables += [scored(one, against, seed).assign(trained_on=name, contacts=int(one.counts.sum()), seed=seed)
                   for name, one in (("half of replicate 2", half), ("replicate 1", other))]
    table = pd.concat(tables)[["trained_on", "contacts", "seed", "method", "metric", "value"]]
    print(table.pivot_table(index=["method", "trained_on"], columns="metric", values="value")[METRICS].round(4).to_string())
    with whole(str(given.output)) as beside:
        table.to_csv(beside, sep="\t", index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
