"""Figures across samples, drawn from the merged metrics."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..genome import natural
from .figures import PALETTE, colour_of, save_figure, style
from .scores import CHANGES, MODELS, YARDSTICKS, target_name, target_of
from .words import base_pairs, distance_band

SAMPLE = ["cell_type", "replicate", "resolution"]


def comparison_figures(metrics: pd.DataFrame, output, *, command: str) -> list[Path]:
    """Save the figures across samples that the metrics of two or more allow (orders 510 to 540); the files written."""
    # These rooms load much that other reports need not wait for.
    from ..elements.figures import samples_figure
    from ..methods.figures import cell_type_figure

    style()
    output = Path(output)
    for earlier in output.glob("comparison.*"):
        earlier.unlink()
    numbers = metrics.assign(**{name: pd.to_numeric(metrics[name], errors="coerce") for name in
                                ("resolution", "value", "low", "high", "n")}).dropna(subset="resolution")
    numbers = numbers.astype({"resolution": int})
    compared, classified = (numbers[numbers["stage"] == stage] for stage in ("compare", "classify"))
    distance_figure(metrics, output / "comparison.distance", command=command)
    if _several(compared):
        cell_type_figure(compared, str(output / "comparison.methods"), command=command, order=520)
    if _several(classified):
        samples_figure(numbers, str(output / "comparison.elements"), command=command)
    changes_figure(numbers, output / "comparison.changes", command=command)
    return sorted(output.glob("comparison.*"))


def _several(rows: pd.DataFrame) -> bool:
    return len(rows[SAMPLE].drop_duplicates()) > 1


def distance_figure(metrics: pd.DataFrame, path: Path, *, command: str) -> None:
    """Pearson r by distance of every sample, one panel a resolution."""
    from matplotlib import pyplot

    table = by_distance(metrics)
    if not _several(table):
        return
    resolutions = sorted(table["resolution"].unique())
    strata = sorted(table["stratum"].unique(), key=natural)
    figure, panels = pyplot.subplots(1, len(resolutions), figsize=(max(5.0, 3.4 * len(resolutions) + 1.6), 3.4),
                                     sharey=True, squeeze=False)
    cell_types = sorted(table["cell_type"].unique(), key=natural)
    for axes, resolution in zip(panels[0], resolutions, strict=True):
        own = table[table["resolution"] == resolution]
        for (cell_type, replicate), sample in own.groupby(["cell_type", "replicate"]):
            colour = colour_of(cell_type, cell_types.index(cell_type))
            by_stratum = sample.set_index("stratum").reindex(strata)
            first = replicate == own.loc[own["cell_type"] == cell_type, "replicate"].min()
            axes.plot(range(len(strata)), by_stratum["model"], color=colour, marker="o",
                      label=_label(cell_type) if first else None)
            axes.plot(range(len(strata)), by_stratum["yardstick"], color=colour, linestyle="--", linewidth=1)
            axes.plot(range(len(strata)), by_stratum["ceiling"], color=colour, linestyle=":", linewidth=1)
        axes.set_title(base_pairs(resolution))
        axes.set_xticks(range(len(strata)), [distance_band(name) for name in strata], rotation=20, ha="right")
        axes.legend(loc="lower left")
        axes.set_xlabel("distance")
    panels[0, 0].set_ylabel("Pearson r")
    for kind, words in (("-", "model"), ("--", "best yardstick"), (":", "ceiling")):
        panels[0, -1].plot([], [], linestyle=kind, color=PALETTE["grey"], label=words)
    panels[0, -1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    targets = ", ".join(sorted({f"{row.cell_type} on {row.against}" for row in table.itertuples()}, key=natural))
    save_figure(figure, path, title="Reconstruction by distance, all samples", stage="compare", sample="", order=510,
                command=command, table=table,
                caption="Pearson r of balanced contacts (mean over distances of a band). Solid: the model; dashed: the "
                        f"best of the simple yardsticks at that distance; dotted: the ceiling. Scored: {targets}.",
                alt=f"Lines of Pearson r by distance band for {', '.join(cell_types)}, one panel a resolution.")


def changes_figure(numbers: pd.DataFrame, path: Path, *, command: str) -> None:
    """How true predicted changes are in every sample, for each kind of simulated rearrangement."""
    from matplotlib import pyplot

    told = numbers[(numbers["metric"] == "pearson_delta") & (numbers["against"] == "truth")
                   & numbers["stratum"].isin(CHANGES)]
    own = told[told["method"].isin(MODELS)]
    if not _several(own):
        return
    kinds = [kind for kind in CHANGES if kind in set(own["stratum"])]
    samples = sorted(own[SAMPLE].drop_duplicates().itertuples(index=False, name=None), key=lambda one: natural(str(one)))
    cell_types = sorted({cell_type for cell_type, _, _ in samples}, key=natural)
    figure, axes = pyplot.subplots(figsize=(7.0, 3.4))
    first = {cell_type: replicate for cell_type, replicate, _ in reversed(samples)}
    for k, sample in enumerate(samples):
        here = told[(told[SAMPLE] == sample).all(axis=1)]
        shift = 0.8 * ((k + 0.5) / len(samples) - 0.5)
        model = here[here["method"].isin(MODELS)].drop_duplicates("stratum")
        bars = np.nan_to_num(np.maximum([model["value"] - model["low"], model["high"] - model["value"]], 0))
        axes.errorbar(model["stratum"].map(kinds.index) + shift, model["value"], yerr=bars, linestyle="none",
                      marker="o", linewidth=1, color=colour_of(sample[0], cell_types.index(sample[0])),
                      alpha=1 if sample[1] == first[sample[0]] else 0.5,
                      label=_label(f"{sample[0]} {sample[1]}, {base_pairs(sample[2])}"))
        moved = here[here["method"] == "rearranged_pixels"]
        axes.plot(moved["stratum"].map(kinds.index) + shift, moved["value"], linestyle="none", marker="x",
                  color=PALETTE["grey"])
    axes.plot([], [], linestyle="none", marker="x", color=PALETTE["grey"], label="pixels moved")
    axes.axhline(0, color=PALETTE["black"], linewidth=0.6)
    names = {"barrier": "barrier\nremoved", "flip": "site turned\nround"}
    axes.set_xticks(range(len(kinds)), [names.get(kind, kind) for kind in kinds])
    axes.set_ylabel("r of predicted and true change")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    save_figure(figure, path, title="Predicted against true changes, all samples", stage="perturb", sample="",
                order=540, command=command, table=told[[*SAMPLE, "method", "stratum", "value", "low", "high", "n"]],
                caption="Correlation of predicted and true change beyond what distance alone changes, mean over random "
                        "simulated rearrangements of each kind with 95 % intervals. Crosses: the true wild-type map "
                        "with its pixels moved, which knows nothing of barriers.",
                alt=f"Dots of correlation for {len(kinds)} kinds of rearrangement in {len(samples)} samples.")


def _label(name: str) -> str:
    """A name, cut where it is long."""
    return name if len(name) <= 24 else f"{name[:23]}…"


def by_distance(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row a sample and distance band: r of the model, of the best yardstick there, and of the ceiling.

    Each sample is scored as in the summary: on another replicate where there is one, else the truth, else itself.
    """
    rows = []
    scored = metrics[metrics["stage"] == "reconstruct"]
    for (cell_type, replicate, resolution), own in scored.groupby(["cell_type", "replicate", "resolution"]):
        target = target_of(own, replicate)
        own = own[(own["against"] == target) & (own["metric"] == "pearson_lin") & (own["stratum"] != "all")]
        for stratum, band in own.groupby("stratum"):
            values = {row.method: float(row.value) for row in band.itertuples() if row.value}
            model = next((values[name] for name in ("default", "paper") if name in values), None)
            if model is not None:
                rows.append({"cell_type": cell_type, "replicate": replicate, "resolution": int(resolution),
                             "against": target_name(target, replicate), "stratum": stratum, "model": model,
                             "yardstick": max((values[name] for name in YARDSTICKS if name in values), default=None),
                             "ceiling": values.get("ceiling")})
    columns = ["cell_type", "replicate", "resolution", "against", "stratum", "model", "yardstick", "ceiling"]
    table = pd.DataFrame(rows, columns=columns).astype({"yardstick": float, "ceiling": float})
    return table.sort_values(columns[:5], key=lambda column: column.map(natural), ignore_index=True)
