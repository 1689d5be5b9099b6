#!/usr/bin/env python3
"""How reconstruction falls with depth: seven real libraries, and one map thinned binomially; scored on another replicate.

Needs the public data beside the project (../shared/data). Trains `default` (one seed) on chr22 of GM12878's libraries
HIC001 to HIC007 at 100 kb, and at 50 kb on 1, 3, 10, 30 and 100 % of replicate 1's contacts; scores on replicate 2, which
none of them is part of. Prints and writes benchmarks/depths.tsv: a row for each map, method, measure and range of distances.
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bin"))
sys.path.insert(0, str(ROOT / "benchmarks"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from reconstruction import DATA, SCORED_ON, prepared, scored  # noqa: E402

from hiclstm.contacts import ContactMap, write_cool  # noqa: E402
from hiclstm.files import whole  # noqa: E402
from hiclstm.training.thinning import drawn  # noqa: E402

LIBRARIES = [f"HIC00{number}" for number in range(1, 8)]
SHARES = (0.01, 0.03, 0.1, 0.3, 1)
SHOWN = ["default", "refined", "blur", "svd16", "replicate", "ceiling"]


def library(name: str, folder: Path) -> Path:
    """One library's chr22 at 100 kb, prepared."""
    return prepared(f"../gm12878-chr22-100kb-libraries/{name}.NONE.chr22.100000.txt.gz::chr22", 1, 100_000, folder)


def thinned(path: Path, share: float, seed: int, folder: Path) -> Path:
    """A prepared map with each contact kept with chance ``share``, balanced anew, in a folder of its own."""
    contact_map = ContactMap.load(path)
    if share < 1:
        contact_map, _ = drawn(contact_map, share, seed)
    rows = np.repeat(np.arange(len(contact_map.bins)), np.diff(contact_map.starts))
    pixels = pd.DataFrame({"bin1_id": rows, "bin2_id": contact_map.columns, "count": contact_map.counts.astype(np.int32)})
    folder.mkdir(parents=True)
    write_cool(folder / path.name, contact_map.bins, contact_map.weight, pixels, contact_map.facts)
    return folder / path.name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("depths.tsv"))
    given = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"{DATA}: not found; this benchmark runs on public data beside the project")
    tables = []
    with tempfile.TemporaryDirectory() as temporary:
        temporary = Path(temporary)
        against = {resolution: prepared(SCORED_ON, 2, resolution, temporary) for resolution in (50_000, 100_000)}
        whole_map = prepared("chr22.50kb.primary.raw.juicer.tsv.gz::chr22", 1, 50_000, temporary)
        maps = {f"replicate 1, {share:g} of its contacts": (
            thinned(whole_map, share, given.seed, temporary / f"share{share:g}"), 50_000) for share in SHARES}
        maps |= {name: (library(name, temporary / name), 100_000) for name in LIBRARIES}
        for name, (contacts, resolution) in maps.items():
            table = scored(contacts, against[resolution], "default", given.seed)
            total = ContactMap.load(contacts).counts.sum(dtype=np.float64)
            tables.append(table.assign(map=name, resolution=resolution, contacts=int(total)))
            shown = table[(table["stratum"] == "all") & table["metric"].isin(["pearson_lin", "scc_h0"])]
            print(f"\n{name}: {total:,.0f} contacts, {resolution:,} bp")
            shown = shown.pivot_table(index="metric", columns="method", values="value")
            print(shown.reindex(columns=SHOWN).round(3).to_string(), flush=True)
    with whole(str(given.output)) as beside:
        pd.concat(tables)[["map", "resolution", "contacts", "seed", "method", "metric", "stratum", "value"]].to_csv(
            beside, sep="\t", index=False, float_format="%.5g")
    print(f"written to {given.output}")


if __name__ == "__main__":
    main()
