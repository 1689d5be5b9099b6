#!/usr/bin/env python3
"""How reconstruction falls with depth: seven real libraries, and one map thinned binomially.

Needs the public data beside the project (../shared/data). Trains `default` (one seed) on GM12878 chr22: at 50 kb on 1, 3,
10, 30 and 100 % of replicate 1's contacts, scored on replicate 2; at 100 kb on each of the libraries HIC001 to HIC007,
scored on the other six together (these files do not agree with replicate 2, nor with the same library's file at 50 kb).
Prints and writes benchmarks/depths.tsv: a row for each map, method, measure and range of distances.
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
from reconstruction import DATA, SCORED_ON, call, prepared, scored  # noqa: E402

from hiclstm.contacts import ContactMap, write_cool  # noqa: E402
from hiclstm.files import whole  # noqa: E402
from hiclstm.training.thinning import drawn  # noqa: E402

LIBRARIES = [f"HIC00{number}" for number in range(1, 8)]
SHARES = (0.01, 0.03, 0.1, 0.3, 1)
SHOWN = ["default", "refined", "blur", "svd16", "replicate", "ceiling"]


def libraries(names: list[str], replicate: int, folder: Path) -> Path:
    """Some libraries' chr22 at 100 kb as one map, prepared."""
    files = [DATA / f"gm12878-chr22-100kb-libraries/{name}.NONE.chr22.100000.txt.gz::chr22" for name in names]
    folder.mkdir(exist_ok=True)
    call("prepare_contacts.py", "--contacts", *files, "--cell-type", "GM12878", "--replicate", replicate, "--resolution",
         100_000, "--assembly", "hg19", "--chromosomes", "chr22", "--output", folder)
    return folder / f"GM12878_{replicate}.100000.cool"


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
        second = prepared(SCORED_ON, 2, 50_000, temporary)
        first = prepared("chr22.50kb.primary.raw.juicer.tsv.gz::chr22", 1, 50_000, temporary)
        maps = {f"replicate 1, {share:g} of its contacts": (
            thinned(first, share, given.seed, temporary / f"share{share:g}"), second) for share in SHARES}
        for name in LIBRARIES:
            others = [other for other in LIBRARIES if other != name]
            folder = temporary / name
            maps[name] = libraries([name], 1, folder), libraries(others, 2, folder)
        for name, (contacts, against) in maps.items():
            table = scored(contacts, against, "default", given.seed)
            contact_map = ContactMap.load(contacts)
            total, resolution = contact_map.counts.sum(dtype=np.float64), contact_map.bins.resolution
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
