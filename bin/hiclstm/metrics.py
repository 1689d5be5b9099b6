"""The tidy table every stage writes its figures into: one figure a row."""

import numpy as np
import pandas as pd

from .files import whole

COLUMNS = ["cell_type", "replicate", "resolution", "stage", "method", "metric", "against", "stratum",
           "value", "low", "high", "n"]
STAGES = ("prepare", "train", "reconstruct", "compare", "classify", "attribute", "perturb", "transfer")


class MetricsTable:
    """Rows of `metrics.tsv` for one sample and stage.

    Parameters
    ----------
    cell_type, replicate, resolution : the sample (what was trained on)
    stage : one of ``STAGES``
    """

    def __init__(self, cell_type: str, replicate: str, resolution: int, stage: str):
        if stage not in STAGES:
            raise ValueError(f"stage {stage!r} is not one of {STAGES}")
        self.sample = dict(cell_type=cell_type, replicate=replicate, resolution=resolution, stage=stage)
        self.rows: list[dict] = []

    def add(self, method: str, metric: str, value: float, *, against: str = "", stratum: str = "all",
            low: float = np.nan, high: float = np.nan, n: int | None = None) -> None:
        """Add one figure. ``low``/``high`` are a 95 % interval; ``n`` is how many observations stand behind it."""
        self.rows.append({**self.sample, "method": method, "metric": metric, "against": against, "stratum": stratum,
                          "value": value, "low": low, "high": high, "n": n})

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows, columns=COLUMNS).astype({"n": "Int64"})

    def write(self, path) -> None:
        """Write the rows as tab-separated text, whole or not at all; a missing figure is an empty field."""
        with whole(path) as beside:
            self.frame().to_csv(beside, sep="\t", index=False, float_format="%.6g")
