"""Figures of perturbation. Each function draws one figure and returns it, most with their numbers as a table."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.colors import LogNorm

from ..genome import Bins
from ..reconstruction.domains import insulation
from ..report.figures import DIFFERENCE_COLOURS, MAP_COLOURS, PALETTE, difference_norm, draw_triangle, genome_axis
from .edits import Variant, chromosome_of
from .effects import INSULATION_REACH, Loops
from .experiments import DomainEffect, SetEffect
from .readings import Reading

COLOURS = [PALETTE[name] for name in ("vermilion", "blue", "green", "orange", "purple", "sky", "black", "yellow")]
PER_CENT = 100.0


def variant_figure(reading: Reading, variant: Variant, genes: pd.DataFrame | None = None, loops: Loops | None = None):
    """Before, after and their difference along the rearranged chromosome, its segments, genes, loops and insulation.

    Parameters
    ----------
    genes : table of :func:`~hiclstm.perturbation.sites.read_sites` (optional)
    loops : drawn as rings on the map after (optional)
    """
    resolution, n = reading.bins.resolution, len(reading.order)
    start = reading.first * resolution
    height = min(n, max(20, n // 2))
    figure, axes = plt.subplots(5, 1, figsize=(7, 8), sharex=True, height_ratios=[3, 3, 3, 0.8, 1.3])
    seen = reading.after[:, 1:height][np.isfinite(reading.after[:, 1:height]) & (reading.after[:, 1:height] > 0)]
    low, high = np.percentile(seen, [2, 99.5]) if len(seen) else (0.1, 1.0)
    norm = LogNorm(low, max(high, low * 1.001))
    change = (reading.change_beyond_distance / np.log(2)).astype(np.float32)
    for axis, band, words in ((axes[0], reading.before, "before (the same loci in the reference)"),
                              (axes[1], reading.after, f"after {variant.kind}")):
        image = draw_triangle(axis, band, start, resolution, norm=norm, max_distance=height * resolution,
                              labels=(words,), colours=MAP_COLOURS)
        figure.colorbar(image, ax=axis, label="expected\ncontacts", shrink=0.8)
    image = draw_triangle(axes[2], change, start, resolution, colours=DIFFERENCE_COLOURS,
                          norm=difference_norm(change[:, 1:height]), max_distance=height * resolution,
                          labels=("change beyond distance",))
    figure.colorbar(image, ax=axes[2], label="log2 change", shrink=0.8)
    _draw_loops(axes[1], reading, loops, start)
    _draw_segments(axes[3], reading, start, genes)
    track = _draw_insulation(axes[4], reading, start)
    for axis in axes[:4]:
        axis.set_xlabel("")
        axis.tick_params(labelbottom=False)
    axes[4].set_xlim(start, start + n * resolution)
    genome_axis(axes[4], "position on the rearranged chromosome")
    return figure, track


def _draw_loops(axes, reading: Reading, loops: Loops | None, start: int) -> None:
    if loops is None:
        return
    resolution = reading.bins.resolution
    place = {int(number): at for at, number in enumerate(reading.order)}
    ends = [sorted((place[int(one)], place[int(other)])) for one, other in zip(loops.left, loops.right, strict=True)
            if int(one) in place and int(other) in place]
    if ends:
        middle, apart = (np.array([(j + i + 1) / 2 for i, j in ends]), np.array([j - i for i, j in ends]))
        axes.scatter(start + middle * resolution, apart * resolution, s=22, facecolors="none",
                     edgecolors=PALETTE["blue"], linewidths=0.9, zorder=3)


def _draw_segments(axes, reading: Reading, start: int, genes: pd.DataFrame | None) -> None:
    """The pieces of the reference the window consists of, as arrows, and the genes on them."""
    resolution, bins = reading.bins.resolution, reading.bins
    ends = np.flatnonzero((np.diff(reading.order) != reading.strand[:-1]) | (np.diff(reading.strand) != 0)) + 1
    edges = np.concatenate([[0], ends, [len(reading.order)]])
    for k, (first, last) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        forward = reading.strand[first] > 0
        low, high = start + first * resolution, start + last * resolution
        colour = PALETTE["sky"] if k % 2 == 0 else PALETTE["orange"]
        axes.annotate("", (high, 0.75) if forward else (low, 0.75), (low, 0.75) if forward else (high, 0.75),
                      arrowprops={"arrowstyle": "simple,head_width=0.7,tail_width=0.45", "color": colour,
                                  "shrinkA": 0, "shrinkB": 0})
        at = int(reading.order[[first, last - 1]].min())
        offset = int(bins.offsets[np.searchsorted(bins.offsets, at, side="right") - 1])
        if last - first > len(reading.order) / 8:
            axes.text((low + high) / 2, 0.75, f"{(at - offset) * resolution / 1e6:,.2f} Mb", ha="center", va="center",
                      fontsize=7)
    if genes is not None and len(genes):
        for first, last in zip(edges[:-1], edges[1:], strict=True):
            piece = reading.order[first:last]
            there = genes[(genes["end"] > piece.min()) & (genes["start"] <= piece.max())]
            for low, high in zip(there["start"], there["end"], strict=True):
                held = np.flatnonzero((piece >= low) & (piece < high)) + first
                axes.plot([start + held[0] * resolution, start + (held[-1] + 1) * resolution], [0.2, 0.2],
                          color=PALETTE["black"], linewidth=3, alpha=0.5, solid_capstyle="butt")
    axes.set_ylim(0, 1.1)
    rows = {0.75: "pieces"} | ({0.2: "genes"} if genes is not None and len(genes) else {})
    axes.set_yticks(list(rows), rows.values())
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _draw_insulation(axes, reading: Reading, start: int) -> pd.DataFrame:
    resolution, n = reading.bins.resolution, len(reading.order)
    window = max(2, min(INSULATION_REACH // resolution, (n - 1) // 4))
    middle = start + (np.arange(n) + 0.5) * resolution
    track = pd.DataFrame({"position": middle.astype(int), "reference_bin": reading.order, "strand": reading.strand})
    for name, band, colour in (("before", reading.before, PALETTE["grey"]),
                               ("after", reading.after, PALETTE["vermilion"])):
        track[f"insulation_{name}"] = insulation(band, window)
        axes.plot(middle, track[f"insulation_{name}"], color=colour, label=name, linewidth=1.2)
    axes.set_ylabel("insulation\n(log2)")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.93), ncols=2, fontsize=8)
    return track


def sets_by_distance_figure(effects: list[SetEffect], resolution: int):
    """Mean change against distance, one panel a method, with the band that sets of random loci fill (Fig. 8b)."""
    methods = list(dict.fromkeys(effect.sites.method for effect in effects))
    figure, axes = plt.subplots(1, len(methods), figsize=(max(4.2, 3.3 * len(methods)), 3.4), sharey=True,
                                squeeze=False)
    colours = {name: COLOURS[k % len(COLOURS)]
               for k, name in enumerate(dict.fromkeys(effect.sites.name for effect in effects))}
    rows = []
    for axis, method in zip(axes[0], methods, strict=True):
        shown = [effect for effect in effects if effect.sites.method == method]
        for effect in shown:
            distance = np.arange(effect.profile.shape[1]) * resolution
            mean, low, high = _profile_bands(effect)
            rows.append(pd.DataFrame({"sites": effect.sites.name, "method": method, "distance": distance,
                                      "change": mean, "random_low": low, "random_high": high}))
            axis.plot(distance / 1e3, PER_CENT * mean, color=colours[effect.sites.name],
                      label=f"{effect.sites.name} ({len(effect.profile)})")
            axis.fill_between(distance / 1e3, PER_CENT * low, PER_CENT * high, color=colours[effect.sites.name],
                              alpha=0.13, linewidth=0)
        axis.axhline(0, color=PALETTE["black"], linewidth=0.6)
        axis.set_title(method)
        axis.set_xlabel("distance (kb)")
        axis.legend(fontsize=7)
    axes[0, 0].set_ylabel("change beyond distance (%)")
    return figure, pd.concat(rows, ignore_index=True)


def _profile_bands(effect: SetEffect) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean relative change by distance, and the middle 95 % of equally large sets of random loci."""
    random = np.random.default_rng(0)
    means = []
    null = effect.random_profile
    for _ in range(200 if len(null) else 0):
        means.append(_column_means(null[random.integers(0, len(null), max(1, len(effect.profile)))]))
    empty = np.full(effect.profile.shape[1], np.nan)
    low, high = np.nanpercentile(_keep_columns(means), [2.5, 97.5], axis=0) if means else (empty, empty)
    return np.expm1(_column_means(effect.profile)), np.expm1(low), np.expm1(high)


def _column_means(values: np.ndarray) -> np.ndarray:
    told = np.isfinite(values)
    return np.where(told.any(0), np.where(told, values, 0).sum(0) / np.maximum(told.sum(0), 1), np.nan)


def _keep_columns(means: list[np.ndarray]) -> np.ndarray:
    """Rows of means with columns that are nowhere told set to 0 where percentiles would only warn."""
    stacked = np.array(means)
    stacked[:, ~np.isfinite(stacked).any(0)] = 0
    return stacked


def sets_in_window_figure(effects: list[SetEffect], resolution: int):
    """The average change around a site, for each set and method, and at random loci below (Fig. 8a)."""
    figure, axes = plt.subplots(2, len(effects), figsize=(max(3.2, 2.1 * len(effects)), 4.4), squeeze=False,
                                sharex=True, sharey=True)
    values = np.concatenate([effect.average[np.isfinite(effect.average)] for effect in effects])
    norm = difference_norm(values / np.log(2))
    for column, effect in enumerate(effects):
        reach = (len(effect.average) - 1) // 2
        extent = np.array([-reach - 0.5, reach + 0.5]) * resolution / 1e6
        for row, (average, words) in enumerate(((effect.average, f"{effect.sites.name}\n{effect.sites.method}"),
                                                (effect.random_average, "random loci"))):
            symmetric = np.where(np.isfinite(average), average, average.T) / np.log(2)
            image = axes[row, column].imshow(symmetric, cmap=DIFFERENCE_COLOURS, norm=norm,
                                             extent=(*extent, *extent[::-1]), interpolation="nearest")
            axes[row, column].set_title(words, fontsize=8)
        axes[1, column].set_xlabel("from site (Mb)")
    for axis in axes[:, 0]:
        axis.set_ylabel("from site (Mb)")
    figure.colorbar(image, ax=axes, label="log2 change beyond distance", shrink=0.6)
    return figure


def domains_figure(effects: list[DomainEffect], resolution: int):
    """Mean change over domains whose boundaries were knocked out, with and without CTCF (Fig. 8c)."""
    figure, axes = plt.subplots(1, len(effects), figsize=(3.6 * len(effects), 3.4), squeeze=False)
    values = np.concatenate([effect.average[np.isfinite(effect.average)] for effect in effects])
    norm = difference_norm(values / np.log(2))
    rows = []
    for axis, effect in zip(axes[0], effects, strict=True):
        side, outer = len(effect.average), effect.outer
        image = axis.imshow(effect.average / np.log(2), cmap=DIFFERENCE_COLOURS, norm=norm, interpolation="nearest")
        for edge in (outer - 0.5, side - outer - 0.5):
            axis.axhline(edge, color=PALETTE["black"], linewidth=0.6)
            axis.axvline(edge, color=PALETTE["black"], linewidth=0.6)
        axis.set_xticks([outer - 0.5, side - outer - 0.5], ["start", "end"])
        axis.set_yticks([outer - 0.5, side - outer - 0.5], ["start", "end"])
        axis.set_title(f"{effect.name} ({len(effect.inside)} domains)")
        axis.set_xlabel(f"domain in 10 cells, {outer * resolution / 1e3:,.0f} kb outside")
        a, b = np.nonzero(np.isfinite(effect.average))
        rows.append(pd.DataFrame({"domains": effect.name, "cell1": a, "cell2": b, "log_change": effect.average[a, b]}))
    figure.colorbar(image, ax=axes, label="log2 change beyond distance", shrink=0.8)
    return figure, pd.concat(rows, ignore_index=True)


def duplication_figure(tables: dict[str, pd.DataFrame], errors: pd.DataFrame, window: tuple[int, int],
                       duplicated: tuple[int, int], bins: Bins):
    """Maps on the reference with the copies' reads summed: the model's and the baselines' (Fig. 7c), and block errors.

    Parameters
    ----------
    tables : by name, bin1, bin2, value on the reference
    errors : method, block, error (empty where nothing is known of the truth)
    window, duplicated : bins shown, and bins duplicated
    """
    low, high = window
    count = high - low
    offset = int(bins.offsets[np.searchsorted(bins.offsets, low, side="right") - 1])
    extent = [(low - offset) * bins.resolution / 1e6, (high - offset) * bins.resolution / 1e6]
    columns = len(tables) + (1 if len(errors) else 0)
    figure, axes = plt.subplots(1, columns, figsize=(3.1 * columns, 3.2), squeeze=False)
    shown = np.concatenate([table["value"].to_numpy() for table in tables.values()])
    norm = LogNorm(*np.percentile(shown[shown > 0], [2, 99]))
    for axis, (name, table) in zip(axes[0], tables.items(), strict=False):
        square = np.full((count, count), np.nan)
        inside = table[(table["bin1"] >= low) & (table["bin2"] < high)]
        a, b = inside["bin1"].to_numpy() - low, inside["bin2"].to_numpy() - low
        square[a, b] = square[b, a] = np.maximum(inside["value"], norm.vmin)
        image = axis.imshow(square, cmap=MAP_COLOURS, norm=norm, extent=(*extent, *extent[::-1]),
                            interpolation="nearest")
        for edge in duplicated:
            for line in (axis.axhline, axis.axvline):
                line((edge - offset) * bins.resolution / 1e6, color=PALETTE["blue"], linewidth=0.6)
        axis.set_title(name.replace("_", " "))
        axis.set_xlabel(f"{chromosome_of(bins, low)} (Mb)")
    figure.colorbar(image, ax=axes[0, :len(tables)], label="expected contacts", shrink=0.7)
    if len(errors):
        wide = errors.pivot(index="block", columns="method", values="error")
        wide.plot.barh(ax=axes[0, -1], color=COLOURS, legend=True)
        axes[0, -1].set_xlabel("mean squared error\nof contact probability")
        axes[0, -1].set_ylabel("")
        axes[0, -1].legend([str(name).replace("_", " ") for name in wide.columns], fontsize=8,
                           loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def truth_figure(cases: pd.DataFrame, model: str):
    """Agreement with the simulator's truth by kind of rearrangement: the model's cases and the baselines'."""
    kinds = ["barrier", "flip", "deletion", "duplication", "inversion"]
    methods = [model, "rearranged_pixels", "random_locus"]
    figure, axes = plt.subplots(figsize=(7, 3.2))
    for k, method in enumerate(methods):
        for at, kind in enumerate(kinds):
            values = cases.loc[(cases["method"] == method) & (cases["stratum"] == kind), "pearson"].dropna()
            place = at + (k - 1) * 0.26
            spread = (np.arange(len(values)) / max(1, len(values) - 1) - 0.5) * 0.16 if len(values) > 1 else 0
            axes.scatter(place + np.zeros(len(values)) + spread, values, s=9, alpha=0.6, color=COLOURS[k],
                         label=method.replace("_", " ") if at == 0 else None)
            if len(values):
                axes.hlines(values.mean(), place - 0.11, place + 0.11, color=COLOURS[k], linewidth=2)
    axes.axhline(0, color=PALETTE["black"], linewidth=0.6)
    names = {"barrier": "barrier\nremoved", "flip": "site turned\nround"}
    axes.set_xticks(range(len(kinds)), [names.get(kind, kind) for kind in kinds])
    axes.set_ylim(-1, 1)
    axes.set_ylabel("Pearson r, predicted and\ntrue change beyond distance")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=8)
    return figure
