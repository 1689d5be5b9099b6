"""Figures of the comparison: Fig. 3a-f of the paper, its Supplementary Fig. 14, and the scores with their intervals."""

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib import pyplot

from ..model import FRAME
from ..reconstruction.scores import FIELDS, LEAST_PAIRS, stratum_scores
from ..report.figures import PALETTE, colour_of, save_figure
from .decoders import DECODERS

COLOURS = {"hiclstm": PALETTE["vermilion"], "hiclstm_default": PALETTE["vermilion"], "hiclstm_paper": PALETTE["blue"],
           "sniper_intra": PALETTE["green"], "sniper_fc": PALETTE["green"], "sniper_inter": PALETTE["sky"],
           "sci": PALETTE["orange"], "pca": PALETTE["purple"], "sbcid": PALETTE["black"]}
NAMES = {"hiclstm": "Hi-C-LSTM", "hiclstm_default": "Hi-C-LSTM, default", "hiclstm_paper": "Hi-C-LSTM, as in the paper",
         "sniper_intra": "SNIPER-INTRA", "sniper_inter": "SNIPER-INTER", "sniper_fc": "SNIPER-FC", "sci": "SCI",
         "pca": "PCA", "sbcid": "SBCID (oracle)", "default": "Hi-C-LSTM, default",
         "paper": "Hi-C-LSTM, as in the paper"}
DECODER_NAMES = {"lstm": "LSTM", "cnn": "CNN", "fc": "FC"}
BINS_OF_DISTANCE = 24


def parts_of(method: str) -> tuple[str, str]:
    """Representation and decoder of a method's name; a whole model has an empty decoder."""
    plain = method.removesuffix("-counts")
    head, _, tail = plain.rpartition("-")
    return (head, tail) if tail in DECODERS else (plain, "")


def name_of(method: str) -> str:
    """A method in words, for legends."""
    representation, decoder = parts_of(method)
    stem = representation.rstrip("0123456789")
    words = NAMES.get(stem, stem) + (f" {representation[len(stem):]}" if stem != representation else "")
    words += f"–{DECODER_NAMES[decoder]}" if decoder else ""
    return words + (" (counts)" if method.endswith("-counts") else "")


def colour(method: str, position: int) -> str:
    representation = parts_of(method)[0]
    return COLOURS.get(representation.rstrip("0123456789")) or colour_of(representation, position)


def by_distance(sums: list[np.ndarray], resolution: int) -> pd.DataFrame:
    """Scores along distance, pooled in logarithmic bins: ``distance`` (bp), ``r2_cp``, ``pearson_log``, ``pairs``.

    ``r2_cp`` is one minus the squared error of the contact probability over its spread around the mean of each
    distance, both summed over the bin: 0 is the distance mean. ``pearson_log`` is the mean of the correlations at
    single distances.
    """
    pooled = [part.sum(axis=0) for part in sums]
    at = {name: k for k, name in enumerate(FIELDS)}
    width = pooled[0].shape[0]
    edges = np.unique(np.geomspace(1, width, BINS_OF_DISTANCE + 1).astype(int))
    rows = []
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = [np.nan_to_num(part[:, at["cp_yy"]] - part[:, at["cp_y"]] ** 2 / part[:, at["n"]]) for part in pooled]
        pearson = [stratum_scores(part)["pearson_log"] for part in pooled]
    for low, high in pairwise(edges):
        inside = slice(low, high)
        pairs = sum(part[inside, at["n"]].sum() for part in pooled)
        if pairs < LEAST_PAIRS:
            continue
        error = sum(part[inside, at["squared_error"]].sum() for part in pooled)
        around = sum(part[inside].sum() for part in spread)
        told = [value for part, whole in zip(pearson, pooled, strict=True)
                for value in part[inside][whole[inside, at["n"]] >= LEAST_PAIRS] if np.isfinite(value)]
        rows.append({"distance": (low + high - 1) / 2 * resolution,
                     "r2_cp": 1 - error / around if around > 0 else np.nan,
                     "pearson_log": np.mean(told) if told else np.nan, "pairs": int(pairs)})
    return pd.DataFrame(rows)


def distance_figure(results: list, resolution: int, base: str, *, order: int, what: str, split: str, sample: str,
                    command: str) -> None:
    """Scores against distance, one panel a decoder and one for whole models (Fig. 3a-d)."""
    table = pd.concat([by_distance(result.sums, resolution).assign(method=result.method) for result in results])
    groups = [decoder for decoder in (*DECODERS, "") if any(parts_of(each.method)[1] == decoder for each in results)]
    figure, axes = pyplot.subplots(2, len(groups), figsize=(2.5 * len(groups) + 1.2, 5), sharex=True, sharey="row",
                                   squeeze=False)
    handles = {}
    for column, group in enumerate(groups):
        axes[0, column].set_title(f"{DECODER_NAMES[group]} decoder" if group else "whole models")
        own = [each for each in results if parts_of(each.method)[1] == group]
        for position, result in enumerate(own):
            curve = table[table["method"] == result.method]
            for row, score in enumerate(("r2_cp", "pearson_log")):
                line, = axes[row, column].plot(curve["distance"] / 1e6, curve[score],
                                               color=colour(result.method, position))
            handles.setdefault(name_of(result.method) if not group else name_of(parts_of(result.method)[0]), line)
        for row in (0, 1):
            axes[row, column].axhline(0, color=PALETTE["grey"], linewidth=0.6)
        axes[1, column].set_xscale("log")
        axes[1, column].xaxis.set_major_formatter("{x:g}")
        axes[1, column].set_xlabel("distance (Mb)")
    axes[0, 0].set_ylim(-1, 1)
    axes[0, 0].set_ylabel("R² of contact probability")
    axes[1, 0].set_ylabel("Pearson r of log contacts")
    figure.legend(handles.values(), handles.keys(), loc="outside right center")
    save_figure(figure, base, title=f"Representations and decoders, {what}", stage="compare", sample=sample,
                order=order, caption="Agreement of predicted and observed contacts against distance on rows that no "
                f"decoder was trained on ({split}). R² is measured against the mean of each distance, so 0 is a model "
                "that knows only distance; it is cut at −1.",
                alt="Lines of R² and of correlation against genomic distance, one for each representation and decoder.",
                command=command, table=table)


def interval_figure(table: pd.DataFrame, base: str, *, sample: str, command: str, order: int = 325) -> None:
    """Each method's correlation over all distances with its 95 % interval, both experiments."""
    own = table[(table["metric"] == "pearson_log") & (table["stratum"] == "all")]
    methods = list(own.groupby("method")["value"].mean().sort_values().index)
    figure, axis = pyplot.subplots(figsize=(6.6, 0.24 * len(methods) + 1.2))
    shapes = dict(zip(own["against"].unique(), ("o", "D", "s"), strict=False))
    for against, group in own.groupby("against", sort=False):
        y = [methods.index(method) for method in group["method"]]
        axis.errorbar(group["value"], y, xerr=_bars(group),
                      fmt=shapes.get(against, "^"), markersize=4, linewidth=1, label=f"tested on replicate {against}",
                      color=PALETTE["blue"] if shapes.get(against) == "o" else PALETTE["vermilion"])
    axis.set_yticks(range(len(methods)), [name_of(method) for method in methods])
    axis.set_xlabel("Pearson r of log contacts, mean over distances")
    axis.legend(loc="lower right")
    save_figure(figure, base, title="Representations and decoders, with intervals", stage="compare", sample=sample,
                order=order, caption="Mean correlation over distances on tested rows with 95 % bootstrap intervals "
                "(resampling chromosomes, or row blocks where there are fewer than four).",
                alt="Methods in order of their correlation, with error bars.", command=command, table=own)


def frame_figure(results: list, resolution: int, base: str, *, sample: str, command: str, order: int = 330) -> None:
    """Error against the position in the frame, for LSTM decoders (Supplementary Fig. 14)."""
    rows = []
    for result in results:
        if parts_of(result.method)[1] != "lstm" and result.method not in ("default", "paper"):
            continue
        rows.append(frame_error(result.sums).assign(method=result.method))
    if not rows or all(part.empty for part in rows):
        return
    table = pd.concat(rows)
    figure, axis = pyplot.subplots(figsize=(8.6, 3.4))
    for position, (method, curve) in enumerate(table.groupby("method", sort=False)):
        axis.plot(curve["position"] * resolution / 1e6, curve["error"], label=name_of(method),
                  color=colour(method, position), linestyle="-" if parts_of(method)[1] else "--")
    axis.axhline(1, color=PALETTE["grey"], linewidth=0.6)
    axis.set_xlabel("position in the frame (Mb)")
    axis.set_ylabel("error / mean of its frame")
    figure.legend(loc="outside right center")
    save_figure(figure, base, title="Error against the position in a frame", stage="compare", sample=sample,
                order=order, caption="Mean absolute error of the contact probability at each of a frame's "
                f"{FRAME} positions, over the mean of its frame and averaged over the frames "
                "after the first. The LSTM's states start afresh at 0.",
                alt="Lines of relative error along the frame; a rise at its start is the cost of fresh states.",
                command=command, table=table)


def frame_error(sums: list[np.ndarray]) -> pd.DataFrame:
    """Error of the contact probability by position in the frame, relative to its frame: ``position``, ``error``.

    The first frame, where the error falls with distance itself, is left out unless there is no other; positions with
    fewer than 30 pairs count for nothing, and frames that lack more than half of their positions are left out.
    """
    pooled = np.sum([part.sum(axis=0) for part in sums], axis=0)
    pairs, error = pooled[:, FIELDS.index("n")], pooled[:, FIELDS.index("cp_error")]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(pairs >= LEAST_PAIRS, error / pairs, np.nan)
    frames = np.pad(mean, (0, -len(mean) % FRAME), constant_values=np.nan).reshape(-1, FRAME)
    whole = np.isfinite(frames).mean(1) > 0.5
    later = whole & (np.arange(len(frames)) > 0)
    chosen = frames[later if later.any() else whole]
    if not len(chosen):
        return pd.DataFrame(columns=["position", "error"])
    relative = chosen / np.nanmean(chosen, axis=1, keepdims=True)
    told = np.isfinite(relative).any(0)
    return pd.DataFrame({"position": np.flatnonzero(told), "error": np.nanmean(relative[:, told], axis=0)})


def depth_figure(table: pd.DataFrame, base: str, *, command: str, sample: str = "", order: int = 350) -> None:
    """Agreement against sequencing depth (Fig. 3f): metrics of many samples, one line a method and cell type.

    Parameters
    ----------
    table : rows of metrics tables of stage ``compare``, each sample with a row ``map contacts``
    """
    joined = with_contacts(table)
    figure, axes = pyplot.subplots(1, 2, figsize=(8.6, 3.6), sharex=True)
    for axis, metric in zip(axes, ("pearson_log", "r2_cp"), strict=True):
        own = joined[joined["metric"] == metric]
        for position, ((cell, method), group) in enumerate(own.groupby(["cell_type", "method"], sort=False)):
            line = group.sort_values("contacts")
            several = own["cell_type"].nunique() > 1
            axis.plot(line["contacts"] / 1e6, line["value"], marker="o", color=colour(method, position),
                      label=f"{cell}, {name_of(method)}" if several else name_of(method))
        axis.set_xscale("log")
        axis.set_xlabel("contacts in the map learned from (M)")
    axes[0].set_ylabel("Pearson r of log contacts")
    axes[1].set_ylabel("R² of contact probability")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    save_figure(figure, base, title="Agreement against sequencing depth", stage="compare", sample=sample, order=order,
                caption="Scores on tested rows against the number of contacts in the map that was learned from.",
                alt="Lines rising with sequencing depth, one for each method.", command=command, table=joined)


def cell_type_figure(table: pd.DataFrame, base: str, *, command: str, order: int = 340) -> None:
    """Agreement by cell type and replicate (Fig. 3e), for the methods that every sample has."""
    own = table[(table["metric"] == "pearson_log") & (table["stratum"] == "all")]
    own = own.assign(cell=own["cell_type"].astype(str) + " " + own["replicate"].astype(str) + ", "
                     + (own["resolution"] // 1000).astype(str) + " kb → " + own["against"].astype(str))
    cells = list(dict.fromkeys(own["cell"]))
    shared = own.groupby("method")["cell"].nunique()
    methods = [method for method in dict.fromkeys(own["method"]) if shared[method] == len(cells)]
    own = own[own["method"].isin(methods)]
    if own.empty:
        return
    figure, axis = pyplot.subplots(figsize=(7.6, 0.4 * len(cells) + 1.6))
    for position, (method, group) in enumerate(own.groupby("method", sort=False)):
        shift = (position - (len(methods) - 1) / 2) * 0.7 / max(1, len(methods))
        y = np.array([cells.index(cell) for cell in group["cell"]]) + shift
        axis.errorbar(group["value"], y, xerr=_bars(group),
                      fmt={"lstm": "o", "cnn": "s", "fc": "^"}.get(parts_of(method)[1], "D"), markersize=4, linewidth=1,
                      color=colour(method, position), label=name_of(method))
    axis.set_yticks(range(len(cells)), cells)
    axis.set_ylim(len(cells) - 0.5, -0.5)
    axis.set_xlabel("Pearson r of log contacts, mean over distances")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center", fontsize=8)
    save_figure(figure, base, title="Representations and decoders across cell types", stage="compare", sample="",
                order=order, caption="Mean correlation over distances on rows that no decoder was trained on, 95 % "
                "bootstrap intervals. A line reads cell type and replicate learned from, resolution, and the replicate "
                "tested on; a method reads representation–decoder (FC: fully connected), without a decoder it is a whole "
                "model.",
                alt="Points with error bars for each cell type and method.", command=command, table=own)


def _bars(rows: pd.DataFrame) -> np.ndarray:
    """Lengths of the error bars below and above; 0 where there is no interval."""
    return np.nan_to_num([rows["value"] - rows["low"], rows["high"] - rows["value"]])


def with_contacts(table: pd.DataFrame) -> pd.DataFrame:
    """Overall scores of each sample beside the number of contacts in the map it was learned from (``contacts``)."""
    keys = ["cell_type", "replicate", "resolution"]
    table = table.astype({"replicate": str})
    contacts = table[table["metric"] == "contacts"].drop_duplicates(keys).set_index(keys)["value"].rename("contacts")
    scored = table[(table["stratum"] == "all") & table["metric"].isin(["pearson_log", "r2_cp"])]
    joined = scored.join(contacts, on=keys).dropna(subset="contacts")
    # Points of one line are tested on one map, where the samples of a cell type have one in common, else on their own.
    samples = joined.groupby(["cell_type", "resolution"])["replicate"].transform("nunique")
    tested = joined.groupby(["cell_type", "resolution", "against"])["replicate"].transform("nunique")
    common = (samples == tested).groupby([joined["cell_type"], joined["resolution"]]).transform("any")
    own = joined["against"].astype(str) == joined["replicate"]
    return joined[np.where(common & (samples > 1), samples == tested, own | common)]

