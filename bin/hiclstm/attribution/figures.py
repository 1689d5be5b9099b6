"""Figures of attribution: Fig. 6 of the paper."""

import numpy as np
import pandas as pd
from matplotlib import pyplot

from ..contacts import ContactMap
from ..elements.labels import plain
from ..genome import Region
from ..report.figures import PALETTE, draw_triangle, genome_axis, save_figure

SCORE_NAMES = {"attribution": "attribution", "barrier_cost": "barrier cost", "knockout": "effect of its loss"}
SCORE_COLOURS = {"attribution": PALETTE["blue"], "barrier_cost": PALETTE["vermilion"], "knockout": PALETTE["green"]}
MOST_PEAK_TRACKS = 8
MOST_VIOLINS = 24
VIOLIN_POINTS = 50


def words_of(score: str) -> str:
    return SCORE_NAMES.get(score, score)


def profile_figure(profiles: dict[str, dict[str, pd.DataFrame]], path: str, *, sample: str, command: str) -> None:
    """Fig. 6a: z-scores over domains and 50 kb around; one panel a kind of domain, one line a score."""
    if not profiles:
        return
    figure, panels = pyplot.subplots(1, len(profiles), figsize=(max(4.6, 4.0 * len(profiles)), 3.3), sharey=True,
                                     squeeze=False)
    tables = []
    for axes, (element, by_score) in zip(panels[0], profiles.items(), strict=True):
        for score, table in by_score.items():
            at = np.arange(len(table))
            colour = SCORE_COLOURS.get(score, PALETTE["black"])
            axes.fill_between(at, table["low"], table["high"], color=colour, alpha=0.2, linewidth=0)
            axes.plot(at, table["mean"], color=colour, marker="o", label=words_of(score))
            axes.plot(at, table["null"], color=colour, linestyle=":", linewidth=1)
            tables.append(table.assign(element=element, score=score))
        table = next(iter(by_score.values()))
        steps = int(table["place"].notna().sum() // 2)
        for edge in (steps - 0.5, steps + 9.5):
            axes.axvline(edge, color="#808080", linewidth=0.8)
        marks = [0, steps, steps + 4.5, steps + 9, len(table) - 1]
        outside = table["place"].dropna().abs().max()
        axes.set_xticks(marks, [f"−{outside:g} kb", "start", "inside", "end", f"+{outside:g} kb"])
        axes.set_title(f"{element.replace('_', ' ')} (n = {int(table['domains'].max()):,})")
    panels[0, 0].set_ylabel("mean z-score")
    panels[0, -1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    save_figure(figure, path, stage="attribute", sample=sample, order=600, command=command,
                table=pd.concat(tables, ignore_index=True), title="Attribution over domains",
                caption="Mean z-score in ten equal parts of every domain and 50 kb before and after it; bands are 95 % "
                        "intervals over domains. Dotted: the same domains moved along their chromosomes. Domains "
                        "called from the same map share its noise.",
                alt="Profiles of attribution over domains and their surroundings.")


def locus_figure(contact_map: ContactMap, region: Region, scores: dict[str, np.ndarray], genes: pd.DataFrame | None,
                 sites: dict[str, pd.DataFrame], gc: np.ndarray | None, path: str, *, sample: str, command: str,
                 order: int) -> None:
    """Fig. 6b: the map of a region, its attribution, genes, peaks and GC, one below the other."""
    bins = contact_map.bins
    span = bins.within(region)
    chromosome = bins.span(region.chromosome)
    first = span.start - chromosome.start
    start = first * bins.resolution
    width = span.stop - span.start
    shown = dict(sorted(sites.items(), key=lambda one: _first_names(one[0]))[:MOST_PEAK_TRACKS])
    heights = [3.0, *[1.0] * len(scores), *([0.7] if genes is not None else []),
               *([0.16 * len(shown) + 0.2] if shown else []), *([0.7] if gc is not None else [])]
    figure, all_axes = pyplot.subplots(len(heights), 1, figsize=(7.4, 0.9 * sum(heights)), sharex=True,
                                       gridspec_kw={"height_ratios": heights})
    rest = iter(np.atleast_1d(all_axes))
    axes = next(rest)
    band = contact_map.balanced_band(region.chromosome, width)[first:first + width]
    draw_triangle(axes, band, start, bins.resolution, max_distance=max(2, width // 2) * bins.resolution,
                  labels=("observed",))
    axes.set_xlabel("")
    edges = start + np.arange(width + 1) * bins.resolution
    for name, score in scores.items():
        axes = next(rest)
        axes.stairs(np.nan_to_num(score[span]), edges, fill=True, color=SCORE_COLOURS.get(name, PALETTE["black"]))
        axes.axhline(0, color="#404040", linewidth=0.6)
        axes.set_ylabel(words_of(name).replace(" ", "\n"), rotation=0, ha="right", va="center", fontsize=8)
    if genes is not None:
        axes = next(rest)
        _intervals(axes, {"genes": genes}, region, named=True)
    if shown:
        axes = next(rest)
        _intervals(axes, shown, region)
    if gc is not None:
        axes = next(rest)
        axes.stairs(gc[span], edges, color=PALETTE["black"], baseline=None)
        axes.set_ylabel("GC", rotation=0, ha="right", va="center", fontsize=8)
    axes.set_xlim(region.start, region.end)
    genome_axis(axes, region.chromosome)
    table = bins.table.iloc[span].assign(**{name: score[span] for name, score in scores.items()})
    save_figure(figure, path, stage="attribute", sample=sample, order=order, command=command, table=table,
                title=f"Attribution along {region}",
                caption="From above: the observed map, scores of every bin (attribution normalised to −1 to 1), genes, "
                        "peaks" + (", GC." if gc is not None else "."),
                alt=f"Tracks of attribution, genes and peaks along {region}.")


def _first_names(name: str) -> tuple:
    order = ("ctcf", "rad21", "smc3", "h3k27ac", "ep300", "p300", "pol2", "polr2a", "dnase")
    short = plain(name)
    return next((k for k, word in enumerate(order) if word in short), len(order)), name


def _intervals(axes, sets: dict[str, pd.DataFrame], region: Region, named: bool = False) -> None:
    """Rows of boxes, one row a set."""
    for row, (_name, table) in enumerate(sets.items()):
        own = table[(table["chrom"] == region.chromosome) & (table["end"] > region.start)
                    & (table["start"] < region.end)]
        widths = np.maximum(own["end"] - own["start"], (region.end - region.start) / 400)
        axes.broken_barh(list(zip(own["start"], widths, strict=True)), (row - 0.35, 0.7),
                         color=PALETTE["black"] if named else PALETTE["grey"])
    axes.set_yticks(range(len(sets)), [name if len(name) < 22 else f"{name[:21]}…" for name in sets], fontsize=8)
    axes.set_ylim(len(sets) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def violin_figure(table: pd.DataFrame, groups: dict[str, np.ndarray], score: np.ndarray, kind: str, path: str, *,
                  matched_on: str, order: int, sample: str, command: str) -> None:
    """Fig. 6c, d: z-scores in the bins of every group, sorted by their mean."""
    if not groups:
        return
    own = table[table["against"] == "matched bins"].set_index("group")
    names = sorted(groups, key=lambda name: -own.loc[name, "mean"])[:MOST_VIOLINS]
    figure, axes = pyplot.subplots(figsize=(max(5.0, 1.2 + 0.5 * len(names)), 4.0))
    for at, name in enumerate(names):
        values = score[groups[name]]
        values = values[np.isfinite(values)]
        low, high = np.percentile(values, [0.5, 99.5])
        kept = values[(values >= low) & (values <= high)]
        if np.ptp(kept) > 0:
            body = axes.violinplot([kept], [at], widths=0.85, points=VIOLIN_POINTS, showextrema=False)["bodies"][0]
            body.set(facecolor=SCORE_COLOURS.get(kind, PALETTE["blue"]), alpha=0.35, edgecolor="none")
        lower, median, upper = np.percentile(values, [25, 50, 75])
        axes.plot([at, at], [lower, upper], color="#404040", linewidth=3)
        axes.plot([at], [median], marker="o", color="white", markeredgecolor="#404040", markersize=4)
        axes.plot([at - 0.3, at + 0.3], [own.loc[name, "other_mean"]] * 2, color=PALETTE["vermilion"], linewidth=1.2)
        fdr = own.loc[name, "fdr"]
        stars = "***" if fdr < 0.001 else "**" if fdr < 0.01 else "*" if fdr < 0.05 else ""
        axes.text(at, 1.0, stars, transform=axes.get_xaxis_transform(), ha="center", va="bottom", fontsize=8)
    axes.axhline(0, color="#808080", linewidth=0.6)
    axes.set_xticks(range(len(names)), [f"{name.replace('_', ' ')[:30]} ({own.loc[name, 'bins']:,})" for name in names],
                    rotation=45, ha="right", fontsize=8)
    axes.set_ylabel(f"{words_of(kind)}, z-score")
    save_figure(figure, path, stage="attribute", sample=sample, order=order, command=command, table=table,
                title=f"{words_of(kind).capitalize()} at elements",
                caption=f"z-scores of the bins that hold each element (number in brackets): median, quartiles, "
                        f"density of the middle 99 %. Red lines: mean of bins without it, matched by {matched_on}. "
                        "Stars: Mann-Whitney against those, false-discovery rate below 0.05, 0.01, 0.001.",
                alt=f"Violins of {words_of(kind)} at {len(names)} kinds of elements.")


def enrichment_figure(table: pd.DataFrame, path: str, *, matched_on: str, sample: str, command: str) -> None:
    """The ranking of binding sites: chance to score above a matched bin, with and without bins that hold CTCF."""
    if table.empty:
        return
    kinds, subsets = list(dict.fromkeys(table["score"])), list(dict.fromkeys(table["subset"]))
    count = table["element"].nunique()
    figure, panels = pyplot.subplots(1, len(kinds), figsize=(3.6 * len(kinds) + 0.6, 1.1 + 0.21 * count), squeeze=False)
    for axes, kind in zip(panels[0], kinds, strict=True):
        own = table[table["score"] == kind]
        order = own[own["subset"] == "all"].sort_values("rank")["element"].tolist()
        for subset, marker, colour in zip(subsets, "os", (SCORE_COLOURS.get(kind, PALETTE["blue"]), PALETTE["grey"]),
                                          strict=False):
            rows = own[own["subset"] == subset]
            at = rows["element"].map(order.index)
            clear = rows["fdr"] < 0.05
            axes.plot(rows["effect"][clear], at[clear], marker=marker, linestyle="none", color=colour)
            axes.plot(rows["effect"][~clear], at[~clear], marker=marker, linestyle="none", color=colour,
                      markerfacecolor="white")
        axes.axvline(0.5, color="#808080", linewidth=0.8)
        axes.set_yticks(range(len(order)), [name if len(name) < 26 else f"{name[:25]}…" for name in order], fontsize=8)
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.set_xlabel("chance to score higher")
        axes.set_title(words_of(kind))
    marks = [axes.plot([], [], marker=marker, linestyle="none", color=PALETTE["grey"])[0] for _, marker in
             zip(subsets, "os", strict=False)]
    figure.legend(marks, ["all bins" if subset == "all" else "bins without CTCF" for subset in subsets],
                  loc="outside right center")
    save_figure(figure, path, stage="attribute", sample=sample, order=640, command=command, table=table,
                title="Binding sites ranked",
                caption="Chance that a bin with the site scores higher than a bin without it on the same chromosome, "
                        f"matched by {matched_on}; 0.5 is no difference. Filled: false-discovery rate below 0.05.",
                alt=f"{count} sets of binding sites ranked by {', '.join(map(words_of, kinds))}.")


def truth_figure(aurocs: pd.DataFrame, path: str, *, sample: str, command: str) -> None:
    """How well each score ranks the simulated barriers."""
    figure, axes = pyplot.subplots(figsize=(5.4, 0.8 + 0.4 * len(aurocs)))
    at = np.arange(len(aurocs))[::-1]
    axes.barh(at, aurocs["strong"], height=0.36, color=PALETTE["vermilion"], label="sites that make boundaries")
    axes.barh(at - 0.38, aurocs["any"], height=0.36, color=PALETTE["sky"], label="any site")
    axes.axvline(0.5, color="#404040", linewidth=0.8)
    axes.set_yticks(at - 0.19, [words_of(name) for name in aurocs["score"]])
    axes.set_xlim(0, 1)
    axes.set_xlabel("AUROC")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    save_figure(figure, path, stage="attribute", sample=sample, order=650, command=command, table=aurocs,
                title="Do the scores find the barriers?",
                caption="Area under the ROC curve of ranking bins by each score: bins where the simulated truth has a "
                        "barrier site against bins without one. Line: chance.",
                alt="Bars of AUROC by score.")
