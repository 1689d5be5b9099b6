#!/usr/bin/env python3
"""What a small map is worth: a model of other cells tuned on it, training on it alone, and the map itself.

Needs the public data beside the project (../shared/data). Measured at shares of a map's reads, and on real libraries:
GM12878 tuned on HMEC (chr22 50 kb, scored on the contacts left out), HMEC tuned on the single libraries HIC001 and HIC002 of
GM12878 (scored on replicate 2, up to 2 Mb, where the HMEC map ends), and 5C of GM12878 tuned on 5C of K562 (ENm009, hg18
coordinates). Prints and writes benchmarks/transfer.tsv: Pearson r of balanced contacts, mean over the distances of a band.
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

DATA = ROOT.parent / "shared" / "data"
REPLICATES = DATA / "gm12878-chr22-50kb-primary-replicate"
HMEC = DATA / "io-formats/hic/v8_hg19_HMEC_chr21_chr22_50kb.hic"
LIBRARIES = DATA / "gm12878-chr21-chr22-50kb-libraries"
FRACTIONS = "0.01,0.03,0.1,0.3"


def call(script: str, *arguments) -> None:
    """Run one of the pipeline's scripts; its progress is kept unless it fails."""
    command = [sys.executable, str(ROOT / "bin" / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")


class Maps:
    """Prepared maps and trained models of one folder."""

    def __init__(self, folder: Path, seed: int):
        self.folder, self.seed = folder, seed

    def prepared(self, source, cell_type: str, replicate: str, resolution: int, *options) -> Path:
        call("prepare_contacts.py", "--contacts", source, "--cell-type", cell_type, "--replicate", replicate,
             "--resolution", resolution, "--output", self.folder, *options)
        return self.folder / f"{cell_type}_{replicate}.{resolution}.cool"

    def trained(self, contacts: Path) -> Path:
        call("train_model.py", "--contacts", contacts, "--seed", self.seed, "--output", self.folder / "base")
        return self.folder / "base" / f"{contacts.stem}.model.pt"

    def transferred(self, name: str, base: Path, contacts: Path, *options) -> pd.DataFrame:
        output = self.folder / name.replace(" ", "_")
        call("transfer_model.py", "--base", base, "--contacts", contacts, "--seed", self.seed, "--output", output, *options)
        table = pd.read_csv(output / f"{contacts.stem}.transfer.metrics.tsv", sep="\t")
        table = table[table["metric"] == "pearson_lin"]
        share = table["stratum"].astype(str).str.split(" ")
        return table.assign(experiment=name, fraction=share.str[0], band=share.str[1].fillna("all"))[
            ["experiment", "fraction", "band", "method", "value", "low", "high"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("transfer.tsv"))
    given = parser.parse_args()
    if not HMEC.is_file():
        sys.exit(f"{HMEC}: not found; this benchmark runs on public data beside the project")
    with tempfile.TemporaryDirectory() as temporary:
        maps = Maps(Path(temporary), given.seed)
        chr22 = ("--chromosomes", "chr22", "--assembly", "hg19")
        juicer = [f"{REPLICATES}/chr22.50kb.{name}.raw.juicer.tsv.gz::chr22" for name in ("primary", "replicate")]
        gm12878, other = (maps.prepared(file, "GM12878", str(k), 50_000, *chr22) for k, file in enumerate(juicer, 1))
        hmec = maps.prepared(HMEC, "HMEC", "1", 50_000, *chr22)
        tables = [maps.transferred("HMEC from GM12878", maps.trained(gm12878), hmec, "--fractions", FRACTIONS)]
        base = maps.trained(hmec)
        for library in ("HIC001", "HIC002"):
            small = maps.prepared(LIBRARIES / f"{library}.res50000.gz", "GM12878", library, 50_000, *chr22)
            tables.append(maps.transferred(f"{library} from HMEC", base, small, "--against", other,
                                           "--max-distance", 2_000_000))
        five_c = {name: maps.prepared(DATA / "5c" / f"cworld_{name}.matrix.gz", name, "5C", 10_000) for name in ("GM", "K5")}
        tables.append(maps.transferred("K562 5C from GM12878 5C", maps.trained(five_c["GM"]), five_c["K5"],
                                       "--fractions", FRACTIONS))
    table = pd.concat(tables)
    print(table.pivot_table(index=["experiment", "band", "fraction"], columns="method", values="value", sort=False)
          .round(3).to_string())
    with whole(str(given.output)) as beside:
        table.to_csv(beside, sep="\t", index=False, float_format="%.5g")
    print(f"written to {given.output}")


if __name__ == "__main__":
    main()
