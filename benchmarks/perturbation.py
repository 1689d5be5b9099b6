#!/usr/bin/env python3
"""How true predicted changes are, on simulated chromosomes with a known answer: two simulators, several seeds.

For each simulator and seed: simulate GM12878 (three chromosomes of 1,000 bins of 10 kb), train on the wild type's
replicate 1, change the genome at random places (20 and more of each kind) and compare the predicted log change *beyond what
distance alone changes* with the simulated one. Prints and writes benchmarks/perturbation.tsv: the mean over cases of every
kind, by simulator, seed and method, beside the reference's pixels rearranged and the same edit at a random locus.
In the simulator `insulation` barriers have no strand: a flipped site changes nothing there, so it has no such cases.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bin"))

import pandas as pd  # noqa: E402

from hiclstm.files import whole  # noqa: E402

KINDS = ("extrusion", "insulation")


def call(script: str, *arguments, folder: Path) -> None:
    """Run one of the pipeline's scripts; its progress is kept unless it fails."""
    command = [sys.executable, str(ROOT / "bin" / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")


def one_run(kind: str, seed: int, models: list[str], cases: int, threads: int, folder: Path) -> pd.DataFrame:
    """Simulate, prepare, train and perturb; the rows of metrics that compare with the truth."""
    call("simulate_contacts.py", "--cell-types", "GM12878", "--kind", kind, "--seed", seed, folder=folder)
    call("prepare_contacts.py", "--contacts", "maps/GM12878_1.mcool::/resolutions/10000", "--cell-type", "GM12878",
         "--replicate", 1, "--resolution", 10_000, folder=folder)
    tables = []
    for model in models:
        (folder / model).mkdir()
        call("train_model.py", "--contacts", "GM12878_1.10000.cool", "--model", model, "--seed", seed, "--threads", threads,
             "--output", model, folder=folder)
        call("perturb_genome.py", "--contacts", "GM12878_1.10000.cool", "--model", f"{model}/GM12878_1.10000.model.pt",
             "--truth", "truth/truth.json", "--cases", cases, "--seed", seed, "--random-loci", 0, "--threads", threads,
             "--output", model, folder=folder)
        table = pd.read_csv(folder / model / "GM12878_1.10000.perturb.metrics.tsv", sep="\t")
        tables.append(table[(table["against"] == "truth") & ((model == models[0]) | (table["method"] == model))])
    found = pd.concat(tables)[["method", "metric", "stratum", "value", "low", "high", "n"]]
    found.insert(0, "simulator", kind)
    found.insert(1, "seed", seed)
    return found


def shown(table: pd.DataFrame, index: list[str]) -> pd.DataFrame:
    """The main figures: correlation for each kind of change, and how barriers are told from random bins."""
    main_rows = table["metric"].isin(["pearson_delta", "auroc_barrier"]) & ~table["stratum"].str.contains("[:,]")
    return table[main_rows].pivot_table(index=index, columns="stratum", values="value").round(3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default=",".join(KINDS), help="simulators, separated by commas")
    parser.add_argument("--seeds", default="1,2,3", help="seeds, separated by commas")
    parser.add_argument("--models", default="default,paper")
    parser.add_argument("--cases", type=int, default=20, help="cases of each kind (default 20)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("perturbation.tsv"))
    given = parser.parse_args()
    tables = []
    for kind in given.kinds.split(","):
        for seed in map(int, given.seeds.split(",")):
            with tempfile.TemporaryDirectory() as folder:
                tables.append(one_run(kind, seed, given.models.split(","), given.cases, given.threads, Path(folder)))
            print(f"{kind}, seed {seed}", shown(tables[-1], ["method"]), sep="\n", flush=True)
    table = pd.concat(tables)
    with whole(str(given.output)) as beside:
        table.to_csv(beside, sep="\t", index=False, float_format="%.4g")
    print("mean over seeds", shown(table, ["simulator", "method"]), sep="\n")
    print(f"written to {given.output}")


if __name__ == "__main__":
    main()
