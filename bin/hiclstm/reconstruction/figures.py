"""The reconstruction's figures: score against distance, maps of a region, insulation, error within frames."""

import numpy as np
import pandas as pd

from ..contacts import ContactMap
from ..genome import Region
from ..report.figures import METHOD_NAMES, PALETTE, colour_of, draw_triangle, genome_axis, save_figure
from .evaluate import Evaluation

PANELS = {"r2_cp_by_distance": "R² of contact probability", "pearson_cp": "Pearson r, contact probability",
          "pearson_lin": "Pearson r, contacts", "pearson_log": "Pearson r, log contacts"}
STYLES = {"replicate": (0, (4, 1.5)), "ceiling": (0, (1, 1.2)), "distance_mean": (0, (5, 2, 1, 2)),
          "blur_best": (0, (2, 1))}
STEPS = 45  # points a curve: strata are averaged in steps of equal ratio of distance


def name_of(method: str) -> str:
    own = {"blur": "Gaussian blur", "blur_best": "best blur for each distance", "ceiling": "ceiling (sampling noise)",
           "replicate": "training map itself"}
    return own.get(method) or METHOD_NAMES.get(method, method)


def smoothed_by_distance(strata: pd.DataFrame) -> pd.DataFrame:
    """Mean of the strata's scores in steps of distance: a row for each method and step."""
    low, high = strata["distance"].min(), strata["distance"].max()
    edges = np.geomspace(low, high * 1.0001, STEPS + 1)
    step = np.searchsorted(edges, strata["distance"], side="right")
    columns = ["distance", "n", *PANELS, "spearman"]
    return strata.groupby(["method", step], sort=False)[columns].mean().reset_index(level=0).reset_index(drop=True)


def draw_scores(found: Evaluation, path: str, *, sample: str, command: str, order: int = 300) -> None:
    """Score against distance with all yardsticks: one figure for each map scored against."""
    from matplotlib import pyplot

    for number, (against, strata) in enumerate(found.by_distance.groupby("against", sort=False)):
        curves = smoothed_by_distance(strata)
        listed = ["refined", found.method, "ceiling", "replicate", "blur_best", "blur", "svd16", "distance_mean"]
        figure, panels = pyplot.subplots(2, 2, figsize=(8.5, 6), sharex=True)
        for axes, (column, words) in zip(panels.flat, PANELS.items(), strict=True):
            for method in reversed(listed):
                curve = curves[curves["method"] == method]
                if len(curve) and curve[column].notna().any():
                    axes.plot(curve["distance"] / 1e6, curve[column], label=name_of(method),
                              color=colour_of(method.removesuffix("_best")), linestyle=STYLES.get(method, "-"),
                              linewidth=2.2 if method == found.method else 1.3)
            axes.set_xscale("log")
            axes.set_ylim(-0.5 if column.startswith("r2") else -0.1, 1.03)
            axes.axhline(0, color=PALETTE["grey"], linewidth=0.6)
            axes.set_ylabel(words)
        for axes in panels[1]:
            axes.set_xlabel("distance (Mb)")
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=4)
        save_figure(
            figure, f"{path}.scores.{_plain(against)}",
            title=f"Reconstruction against distance, scored on {_short(against)}",
            caption=f"Mean score of the strata (one distance on one chromosome) of {sample}, scored against "
                    f"{_described(against)}. A map that knows only distance scores 0 in correlation. The blur's width "
                    f"({found.sigma:g} bins) was chosen on held-out contacts of the training map; the best blur for "
                    "each distance was chosen on the map it is scored on. Refined is the model's map corrected by the "
                    "contacts seen near each pair. The ceiling is what a perfect prediction "
                    "would score, given this map's sampling noise.",
            alt=f"Four panels of scores falling with distance: {name_of(found.method)} beside distance mean, SVD, blur "
                "and ceiling.",
            stage="reconstruct", sample=sample, order=order + number, command=command,
            table=curves.assign(sample=sample, against=against))


def default_region(contact_map: ContactMap) -> Region:
    """The window with the most contacts: 400 bins, or 4 Mb where that is more, or the whole chromosome if shorter."""
    bins = contact_map.bins
    best, where = -1.0, None
    for name in bins.chromosomes:
        span = bins.span(name)
        n = span.stop - span.start
        length = min(n, max(400 if bins.resolution <= 25_000 else 200, 4_000_000 // bins.resolution))
        rows = np.repeat(np.arange(n), np.diff(contact_map.starts[span.start:span.stop + 1]))
        entries = slice(contact_map.starts[span.start], contact_map.starts[span.stop])
        near = contact_map.columns[entries] - span.start - rows < length
        per_row = np.bincount(rows[near], weights=contact_map.counts[entries][near], minlength=n)
        total = np.convolve(per_row * contact_map.usable[span], np.ones(length), mode="valid")
        at = int(np.argmax(total))
        if total[at] > best:
            best = total[at]
            size = bins.sizes[bins.position(name)]
            where = Region(name, at * bins.resolution, min((at + length) * bins.resolution, size))
    return where


def draw_region(contact_map: ContactMap, predicted: np.ndarray, region: Region, path: str, *, sample: str, method: str,
                frame: int, command: str, order: int = 310) -> None:
    """Observed map above, predicted below, turned by 45°; lines where the model's frames begin.

    ``predicted`` is the chromosome's band, float32 [n, width].
    """
    from matplotlib import pyplot

    resolution = contact_map.bins.resolution
    span = contact_map.bins.span(region.chromosome)
    within = contact_map.bins.within(region)
    rows = slice(within.start - span.start, within.stop - span.start)
    length = rows.stop - rows.start
    width = min(predicted.shape[1], length)
    observed = contact_map.balanced_band(region.chromosome, width)[rows]
    shown = np.where(np.isfinite(observed), predicted[rows, :width], np.nan)
    start = rows.start * resolution
    figure, axes = pyplot.subplots(figsize=(8, 6))
    image = draw_triangle(axes, observed, start, resolution, mirrored=shown, chromosome=region.chromosome,
                          labels=("observed", f"predicted ({method})"))
    for edge in range(frame, width, frame):
        reach = edge * resolution
        for height in (reach, -reach):
            axes.plot([start + reach / 2, start + length * resolution - reach / 2], [height, height],
                      color=PALETTE["blue"], linewidth=0.8, linestyle=(0, (4, 2)), zorder=3)
    figure.colorbar(image, ax=axes, label="balanced contacts", shrink=0.6)
    frames = (f"Dashed lines, parallel to the map's diagonal, are where the model's frames of {frame} bins begin."
              if width > frame else f"The region is shorter than one frame of the model ({frame} bins).")
    plain = f"{region.chromosome}_{region.start}_{region.end}"
    save_figure(figure, f"{path}.map.{_plain(plain)}", title=f"Observed and predicted map, {region}",
                caption=f"Balanced contacts of {sample}: observed above, predicted below, on one scale. {frames}",
                table=f"{sample}.predicted.mcool",
                alt=f"Observed contact map of {region} above its mirrored prediction.", stage="reconstruct",
                sample=sample, order=order, command=command)


def draw_insulation(found: Evaluation, region: Region, resolution: int, path: str, *, sample: str, command: str,
                    order: int = 330) -> None:
    """Insulation of observed and predicted maps around a region, three times as far as it is long."""
    from matplotlib import pyplot

    if region.chromosome not in found.insulation:
        return
    tracks = found.insulation[region.chromosome]
    length = region.end - region.start
    shown = tracks[(tracks["start"] >= region.start - length) & (tracks["start"] < region.end + length)]
    figure, axes = pyplot.subplots(figsize=(8, 2.8))
    colours = iter(["black", "sky", "green", "purple", "orange"])
    for column in shown.columns.drop("start"):
        predicted = column == "predicted"
        axes.plot(shown["start"], shown[column], label=_track(column, found.method),
                  color=colour_of(found.method) if predicted else PALETTE[next(colours, "grey")],
                  linewidth=1.6 if predicted else 1.1, linestyle="--" if predicted else "-")
    axes.axhline(0, color=PALETTE["grey"], linewidth=0.6)
    axes.set_ylabel("insulation (log2)")
    genome_axis(axes, region.chromosome)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
    save_figure(figure, f"{path}.insulation", title="Insulation, observed and predicted",
                caption=f"Diamond insulation score (window of 10 bins, {resolution / 100:,.0f} kb) of {sample}, log2 "
                        "over its median: valleys are domain boundaries.",
                alt="Observed and predicted insulation tracks along the chromosome.", stage="reconstruct",
                sample=sample, order=order, command=command, table=shown.assign(chrom=region.chromosome))


def draw_frames(found: Evaluation, frame: int, path: str, *, sample: str, command: str, order: int = 320) -> None:
    """Error against position in the frame (the paper's Supplementary Fig. 14), first and later frames apart."""
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(8.5, 3.2))
    parts = []
    colours = {"first frame": PALETTE["grey"], "later frames": colour_of(found.method)}
    for number, (against, table) in enumerate(found.frames.groupby("against", sort=False)):
        table = table.assign(which=np.where(table["frame"] == 0, "first frame", "later frames"))
        curves = table.groupby(["which", "position"])[["log_error", "cp_error"]].mean().reset_index()
        parts.append(curves.assign(against=against))
        for axes, column in zip(panels, ("log_error", "cp_error"), strict=True):
            for which, curve in curves.groupby("which"):
                axes.plot(curve["position"], curve[column], color=colours[which],
                          linestyle=["-", "--", ":"][number % 3], label=f"{which}, scored on {_short(against)}")
    what = ("log(contacts + 1)", "contact probability")
    for axes, words in zip(panels, what, strict=True):
        axes.set_xlabel(f"position in frame of {frame} bins")
        axes.set_ylabel(f"mean |error|,\n{words}")
        axes.set_ylim(bottom=0)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    save_figure(figure, f"{path}.frames", title="Error against position in the frame",
                caption=f"Mean absolute error of {name_of(found.method)} for {sample} by position in the frame, which "
                        f"starts afresh every {frame} bins of distance. Distance grows along a frame, so a slope is "
                        "expected; a jump from the end of a frame to the start of the next is not.",
                alt="Error by position within the frame, for the first and for later frames.", stage="reconstruct",
                sample=sample, order=order, command=command, table=pd.concat(parts, ignore_index=True))


def _short(against: str) -> str:
    """A target for legends; another cell type is named <cell type>_<replicate>."""
    return against if against == "truth" or "_" in against else f"replicate {against}"


def _track(column: str, method: str) -> str:
    target = column.removeprefix("observed ")
    if target != column:
        return target if target == "truth" else f"observed, {_short(target)}"
    return f"{column} ({method})" if column == "predicted" else column


def _described(against: str) -> str:
    return "the simulation's noiseless truth" if against == "truth" else f"replicate {against}"


def _plain(words: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in words)
