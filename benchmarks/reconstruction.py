#!/usr/bin/env python3
"""Reconstruction of real maps by a model that saw another replicate, beside yardsticks and ceilings, over several seeds.

Needs the public data beside the project (../shared/data). Trains `default` (each seed) and `paper` (the first seed) on
GM12878 chr22 at 50 and 100 kb, replicate 1, and on the single library HIC001; scores on replicate 2. Prints and writes
benchmarks/reconstruction.tsv. Exit status 1 where `default` is below the blur that was chosen on thinned contacts, or
below the rank-16 SVD, in linear r, log r or CP r of any map and seed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bin"))

import pandas as pd  # noqa: E402

from hiclstm.files import whole  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
REPLICATES = DATA / "gm12878-chr22-50kb-primary-replicate"
LIBRARIES = DATA / "gm12878-chr21-chr22-50kb-libraries"
METRICS = ["pearson_cp", "pearson_log", "pearson_lin", "scc_h0", "deviance", "r2_cp"]
# name: files trained on and scored on, resolution
MAPS = {
    "replicate 1, 50 kb": ("chr22.50kb.primary.raw.juicer.tsv.gz::chr22", 50_000),
    "replicate 1, 100 kb": ("chr22.50kb.primary.raw.juicer.tsv.gz::chr22", 100_000),
    "HIC001, 50 kb": ("HIC001.res50000.gz", 50_000),
}
SCORED_ON = "chr22.50kb.replicate.raw.juicer.tsv.gz::chr22"


def call(script: str, *arguments) -> float:
    """Run one of the pipeline's scripts; the seconds of processor time it used."""
    before = os.times()
    done = subprocess.run([sys.executable, str(ROOT / "bin" / script), *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        sys.exit(f"{script} {' '.join(map(str, arguments))}\n{done.stderr}")
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def prepared(file: str, replicate: int, resolution: int, folder: Path) -> Path:
    """A map of chr22 as PREPARE_CONTACTS makes it."""
    source = (LIBRARIES if file.startswith("HIC") else REPLICATES) / file
    where = folder / f"{replicate}.{resolution}"
    where.mkdir(exist_ok=True, parents=True)
    call("prepare_contacts.py", "--contacts", source, "--cell-type", "GM12878", "--replicate", replicate, "--resolution",
         resolution, "--chromosomes", "chr22", "--output", where)
    return where / f"GM12878_{replicate}.{resolution}.cool"


def scored(contacts: Path, against: Path, model: str, seed: int) -> pd.DataFrame:
    """Train and score one model: rows of metrics against the other replicate, processor seconds among them."""
    folder = contacts.parent / f"{model}.{seed}"
    folder.mkdir()
    seconds = call("train_model.py", "--contacts", contacts, "--model", model, "--seed", seed, "--output", folder)
    call("reconstruct_map.py", "--contacts", contacts, "--model", folder / f"{contacts.stem}.model.pt", "--against", against,
         "--output", folder)
    table = pd.read_csv(folder / f"{contacts.stem}.reconstruct.metrics.tsv", sep="\t", dtype={"against": str})
    table = table[table["against"] == "2"][["method", "metric", "stratum", "value"]]
    table.loc[len(table)] = [model, "processor_seconds", "all", seconds]
    return table.assign(seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("reconstruction.tsv"))
    given = parser.parse_args()
    if not REPLICATES.is_dir():
        sys.exit(f"{REPLICATES}: not found; this benchmark runs on public data beside the project")
    seeds = [int(seed) for seed in given.seeds.split(",")]
    tables, below = [], []
    with tempfile.TemporaryDirectory() as temporary:
        for name, (file, resolution) in MAPS.items():
            began = time.perf_counter()
            folder = Path(temporary) / name.replace(" ", "_").replace(",", "")
            contacts, against = prepared(file, 1, resolution, folder), prepared(SCORED_ON, 2, resolution, folder)
            runs = [scored(contacts, against, "default", seed) for seed in seeds]
            runs.append(scored(contacts, against, "paper", seeds[0]))
            table = pd.concat(runs).assign(map=name).drop_duplicates(["method", "metric", "stratum", "seed"])
            tables.append(table)
            whole_map = table[table["stratum"] == "all"]
            for seed in seeds:
                own = whole_map[whole_map["seed"] == seed].set_index(["method", "metric"])["value"]
                below += [f"{name}, seed {seed}: default {metric} {own['default', metric]:.4f}, {yardstick} "
                          f"{own[yardstick, metric]:.4f}" for metric in METRICS[:3] for yardstick in ("blur", "svd16")
                          if own["default", metric] < own[yardstick, metric]]
            mean = whole_map.groupby(["method", "metric"])["value"].agg(["mean", "std"]).unstack("metric")
            near = table[(table["stratum"] == "0-500000") & (table["metric"] == "pearson_lin")]
            near = near.groupby("method")["value"].mean()
            print(f"\ntrained on {name} ({time.perf_counter() - began:.0f} s)")
            print(mean["mean"][METRICS].assign(lin_below_500kb=near).round(3).to_string())
            print("spread over seeds:", mean["std"].loc["default", METRICS].round(4).to_dict(), flush=True)
            for metric in ("strata_above_best_blur", "frame_seam", "processor_seconds"):
                values = whole_map[(whole_map["metric"] == metric) & (whole_map["method"] == "default")]["value"]
                print(f"default, {metric}:", values.round(3).tolist(), flush=True)
    with whole(str(given.output)) as beside:
        pd.concat(tables)[["map", "seed", "method", "metric", "stratum", "value"]].to_csv(
            beside, sep="\t", index=False, float_format="%.5g")
    print(f"written to {given.output}")
    if below:
        sys.exit("below a yardstick:\n  " + "\n  ".join(below))


if __name__ == "__main__":
    main()
