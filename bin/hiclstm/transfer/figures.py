"""Figures of transfer: what is gained with how much data, and a foretold deletion."""

import numpy as np
import pandas as pd
from matplotlib import pyplot

from ..contacts import ContactMap
from ..perturbation.edits import Variant, chromosome_of
from ..prediction import TrainedModel
from ..report.figures import PALETTE, draw_triangle
from .deletion import Agreement, Change

COLOURS = {"transfer": PALETTE["vermilion"], "scratch": PALETTE["blue"], "none": PALETTE["green"],
           "shallow": PALETTE["purple"], "across_alone": PALETTE["grey"]}
NAMES = {"transfer": "base, tuned", "scratch": "trained from scratch", "none": "base, not tuned",
         "shallow": "the small map itself", "across_alone": "one change for all pairs across"}
BANDS = {"0-500000": "below 0.5 Mb", "500000-2000000": "0.5 to 2 Mb", "2000000-10000000": "2 to 10 Mb",
         "10000000-": "beyond 10 Mb", "all": "all distances"}


def ladder_figure(scores: pd.DataFrame):
    """Pearson r against the share of reads, one panel a band of distances."""
    shown = scores[scores["metric"] == "pearson_lin"]
    bands = [band for band in BANDS if band in set(shown["band"])]
    figure, panels = pyplot.subplots(1, len(bands), figsize=(2.5 * len(bands) + 0.8, 3.0), sharey=True, squeeze=False)
    for axes, band in zip(panels[0], bands, strict=True):
        for method, own in shown[shown["band"] == band].groupby("method", sort=False):
            own = own.sort_values("fraction")
            axes.fill_between(100 * own["fraction"], own["low"], own["high"], color=COLOURS[method], alpha=0.15, linewidth=0)
            axes.plot(100 * own["fraction"], own["value"], color=COLOURS[method], marker="o", label=NAMES[method])
        axes.set(xscale="log", xlabel="reads (%)", title=BANDS[band])
        percent = sorted(100 * shown["fraction"].unique())
        axes.set_xticks(percent, [f"{value:g}" for value in percent])
        axes.minorticks_off()
    panels[0, 0].set_ylabel("Pearson r")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncol=4)
    return figure


def deletion_figure(variant: Variant, found: Change, agreements: dict[tuple[str, str], Agreement], before: ContactMap,
                    model: TrainedModel):
    """The region before the deletion, measured and by the tuned model; predicted against measured changes; correlations."""
    known = next(iter(found.known))
    bins = model.bins
    name = chromosome_of(bins, variant.span[0])
    span = bins.span(name)
    measured = np.flatnonzero(before.usable[span])
    region = slice(int(measured[0]), int(measured[-1]) + 1)
    width = region.stop - region.start
    observed = before.balanced_band(name, width)[region]
    predicted = np.where(np.isfinite(observed), model.expected_band(name, width)[region], np.nan)
    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(10.5, 3.6), width_ratios=[1.6, 1.2, 1])
    draw_triangle(left, observed, region.start * bins.resolution, bins.resolution, mirrored=predicted, chromosome=name,
                  labels=("measured", "tuned model"))
    left.set_title("Before the deletion")
    for across, colour, words in ((False, PALETTE["grey"], "beside it"), (True, COLOURS["transfer"], "across it")):
        own = found.across == across
        middle.scatter(found.known[known][own], found.predicted["transfer"][own], s=3, color=colour, alpha=0.4,
                       linewidths=0, label=words)
    middle.axhline(0, color="black", linewidth=0.6)
    middle.axvline(0, color="black", linewidth=0.6)
    middle.set(xlabel=f"{known} log change", ylabel="predicted log change",
               title=f"r = {agreements['transfer', known].pearson:.2f}")
    middle.legend(loc="upper left", markerscale=3, handletextpad=0.2)
    methods = [method for method in NAMES if any(one == method for one, _ in agreements)]
    against = list(found.known)
    for k, what in enumerate(against):
        for at, method in enumerate(methods):
            one = agreements[method, what]
            place = at + (k - (len(against) - 1) / 2) * 0.3
            right.errorbar(place, one.pearson, yerr=[[one.pearson - one.low], [one.high - one.pearson]], marker="os"[k % 2],
                           color=COLOURS[method], capsize=2)
            right.fill_between([place - 0.1, place + 0.1], one.null_low, one.null_high, color="#DCDCDC", zorder=0)
    right.set_xticks(range(len(methods)), [NAMES[method] for method in methods], rotation=25, ha="right")
    right.set(ylabel="Pearson r", title=", ".join(f"{mark} {what}" for what, mark in zip(against, "●■", strict=False)))
    right.axhline(0, color="black", linewidth=0.6)
    return figure
