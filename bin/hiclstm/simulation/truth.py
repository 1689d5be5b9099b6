"""The one-dimensional truth as a file, so that any rearrangement of a simulated genome can be rendered later."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import InputError
from ..files import whole
from .chromosome import SUBCOMPARTMENTS, Chromosome

COLUMNS = ["chrom", "start", "end", "forward", "reverse", "profile_ab", "profile_12", "subcompartment", "coverage"]


@dataclass(frozen=True, eq=False)
class Truth:
    """Chromosomes by name; the physics (``kind``); base pairs per bin; counts of the noiseless map per unit of
    `expected_contacts` (``scale``)."""

    chromosomes: dict[str, Chromosome]
    kind: str
    resolution: int
    scale: float


def write_truth(path, chromosomes: dict[str, Chromosome], kind: str, resolution: int, scale: float) -> None:
    """Write one row a bin, exact to the last digit, under a comment line with the rest as JSON."""
    parts = []
    for name, chromosome in chromosomes.items():
        start = np.arange(len(chromosome)) * resolution
        parts.append(pd.DataFrame({
            "chrom": name, "start": start, "end": start + resolution, "forward": chromosome.forward,
            "reverse": chromosome.reverse, "profile_ab": chromosome.profile[:, 0],
            "profile_12": chromosome.profile[:, 1],
            "subcompartment": np.array(SUBCOMPARTMENTS)[chromosome.subcompartment], "coverage": chromosome.coverage}))
    with whole(path) as beside, open(beside, "w") as out:
        out.write("# " + json.dumps({"kind": kind, "resolution": resolution, "scale": float(scale)}) + "\n")
        pd.concat(parts).to_csv(out, sep="\t", index=False)


def read_truth(path) -> Truth:
    """Read what `write_truth` wrote (``truth/<cell type>.truth.tsv``)."""
    try:
        with open(path) as file:
            facts = json.loads(file.readline().removeprefix("#"))
            table = pd.read_csv(file, sep="\t", float_precision="round_trip")
        if list(table.columns) != COLUMNS or not {"kind", "resolution", "scale"} <= set(facts):
            raise ValueError(f"columns {list(table.columns)}, facts {sorted(facts)}")
    except (OSError, ValueError, TypeError) as problem:
        raise InputError(f"{path}: is not the truth of a simulated cell type: a JSON comment, then columns "
                         f"{', '.join(COLUMNS)} ({problem})") from None
    chromosomes = {
        name: Chromosome(part["forward"].to_numpy(float), part["reverse"].to_numpy(float),
                         part[["profile_ab", "profile_12"]].to_numpy(float),
                         part["subcompartment"].map(SUBCOMPARTMENTS.index).to_numpy(np.int8),
                         part["coverage"].to_numpy(float))
        for name, part in table.groupby("chrom", sort=False)}
    return Truth(chromosomes, facts["kind"], int(facts["resolution"]), float(facts["scale"]))
