"""Figures across samples, drawn from the merged metrics."""

from pathlib import Path

import pandas as pd

from .collect import natural
from .figures import PALETTE, colour_of, save_figure, style
from .page import YARDSTICKS, base_pairs, distance_band, target_name, target_of


def comparison_figures(metrics: pd.DataFrame, output, *, command: str) -> list[Path]:
    """Save Pearson r by distance of every sample (order 510) where two or more were scored; the files written."""
    from matplotlib import pyplot

    table = by_distance(metrics)
    if table[["cell_type", "replicate", "resolution"]].drop_duplicates().shape[0] < 2:
        return []
    style()
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
    path = Path(output) / "comparison.distance"
    targets = ", ".join(sorted({f"{row.cell_type} on {row.against}" for row in table.itertuples()}, key=natural))
    save_figure(figure, path, title="Reconstruction by distance, all samples", stage="compare", sample="", order=510,
                command=command, table=table,
                caption="Pearson r of balanced contacts (mean over distances of a band). Solid: the model; dashed: the "
                        f"best of the simple yardsticks at that distance; dotted: the ceiling. Scored: {targets}.",
                alt=f"Lines of Pearson r by distance band for {', '.join(cell_types)}, one panel a resolution.")
    return [path.with_name(path.name + suffix) for suffix in (".figure.json", ".svg", ".tsv")]


def _label(name: str) -> str:
    """A name as matplotlib draws it: a dollar is a dollar, not the start of a formula, and long names are cut."""
    return (name if len(name) <= 24 else f"{name[:23]}…").replace("$", r"\$")


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
