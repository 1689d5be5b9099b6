"""Figures of element identification: Fig. 4 and 5d of the paper, its Supplementary Fig. 3 and 15."""

import numpy as np
import pandas as pd
from matplotlib import pyplot

from ..report.figures import CELL_TYPE_COLOURS, PALETTE, colour_of, save_figure
from . import scores
from .representations import OURS

COLOURS = {OURS: PALETTE["vermilion"], "sniper_intra": PALETTE["green"], "sniper_inter": PALETTE["sky"],
           "sci": PALETTE["orange"], "pca": PALETTE["purple"], "sbcid": PALETTE["black"], "position": "#909090",
           "coverage": "#BFBFBF"}
NAMES = {OURS: "Hi-C-LSTM", "sniper_intra": "SNIPER-INTRA", "sniper_inter": "SNIPER-INTER", "sci": "SCI", "pca": "PCA",
         "sbcid": "SBCID (oracle)", "position": "position (control)", "coverage": "coverage (control)"}
CLASSIFIER_NAMES = {"xgboost": "boosted trees", "xgboost_paper": "boosted trees, as in the paper",
                    "linear": "linear layer"}
METRIC_NAMES = {"map": "mAP", "auroc": "AuROC", "accuracy": "accuracy", "f_score": "F-score"}
LINES = 9  # curves of one panel that stay legible


def name_of(representation: str) -> str:
    return NAMES.get(representation, representation)


def _colour(representation: str, position: int) -> str:
    return COLOURS.get(representation) or colour_of(representation, position)


def label_of(task) -> str:
    """An element as axes name it: a star where its annotation is itself made from Hi-C."""
    name = task.element.replace("_", " ")
    return (name if len(name) <= 26 else f"{name[:25]}…") + (" *" if task.from_hic else "")


def draw(outcomes: list, tasks, folds, base: str, *, sample: str, command: str) -> None:
    """All figures of one sample."""
    if not outcomes:
        return
    ours = outcomes[0].representation
    refused = ", ".join(dict.fromkeys(line.element for line, _ in tasks.refused))
    note = f" Not computable: {refused}." if refused else ""
    for position, classifier in enumerate(dict.fromkeys(one.classifier for one in outcomes)):
        some = [one for one in outcomes if one.classifier == classifier]
        _scores_figure(some, folds.words, f"{base}.classify.map.{classifier}", classifier, note, order=400 + position,
                       sample=sample, command=command)
        _curves_figure([one for one in some if one.representation == ours], f"{base}.classify.curves.{classifier}",
                       classifier, order=410 + position, sample=sample, command=command)
        _metrics_figure([one for one in some if one.representation == ours], f"{base}.classify.metrics.{classifier}",
                        classifier, order=420 + position, sample=sample, command=command)
    first = outcomes[0].classifier
    for position, one in enumerate(one for one in outcomes if one.task.classes and one.representation == ours
                                   and one.classifier == first):
        _confusion_figure(one, f"{base}.classify.confusion.{position + 1}", order=430 + position, sample=sample,
                          command=command)


def _scores_figure(outcomes, words: str, path: str, classifier: str, note: str, *, order, sample, command) -> None:
    """mAP of every element, a colour a representation, with intervals, prevalence and shuffled labels."""
    elements = list(dict.fromkeys(one.task.element for one in outcomes))
    kinds = list(dict.fromkeys(one.representation for one in outcomes))
    figure, axes = pyplot.subplots(figsize=(max(5.5, 1.2 + 0.62 * len(elements)), 4.0))
    step = 0.8 / len(kinds)
    for k, kind in enumerate(kinds):
        own = {one.task.element: one for one in outcomes if one.representation == kind}
        at = [elements.index(name) - 0.4 + (k + 0.5) * step for name in own]
        value = np.array([one.values["map"].value for one in own.values()])
        low = value - np.array([one.values["map"].low for one in own.values()])
        high = np.array([one.values["map"].high for one in own.values()]) - value
        axes.errorbar(at, value, yerr=np.nan_to_num(np.maximum([low, high], 0)), linestyle="none", marker="o",
                      markersize=4, color=_colour(kind, k), linewidth=1, label=name_of(kind))
    for k, name in enumerate(elements):
        one = next(one for one in outcomes if one.task.element == name)
        axes.plot([k - 0.45, k + 0.45], [one.task.prevalence] * 2, color="#404040", linewidth=1,
                  label="prevalence" if k == 0 else None)
        axes.plot([k], [one.shuffled_map], marker="x", color="#404040", linestyle="none", markersize=4,
                  label="shuffled labels" if k == 0 else None)
    tasks = [next(one.task for one in outcomes if one.task.element == name) for name in elements]
    axes.set_xticks(range(len(elements)), [label_of(task) for task in tasks], rotation=40, ha="right")
    axes.set_xlim(-0.6, len(elements) - 0.4)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("mean average precision")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    rows = [{"element": one.task.element, "method": one.method, "from_hic": one.task.from_hic, "rule": one.task.rule,
             "n": len(one.task.labels), "prevalence": one.task.prevalence, "map_shuffled": one.shuffled_map,
             "map_balanced": one.balanced_map,
             **{f"{metric}{tail}": getattr(value, tail[1:] or "value") for metric, value in one.values.items()
                for tail in ("", "_low", "_high")}} for one in outcomes]
    save_figure(figure, path, stage="classify", sample=sample, order=order, command=command, table=pd.DataFrame(rows),
                title=f"Elements identified from the vectors, {CLASSIFIER_NAMES[classifier]}",
                caption=f"Mean average precision on held-out bins ({words}); bars are 95 % intervals over resampled "
                        "stretches of the genome. Lines: prevalence, which chance scores; crosses: the same with "
                        f"shuffled labels. *: the annotation was itself made from Hi-C.{note}",
                alt=f"Mean average precision of {len(elements)} elements from {', '.join(map(name_of, kinds))}.")


def _curves_figure(outcomes, path: str, classifier: str, *, order, sample, command) -> None:
    outcomes = [one for one in outcomes if not one.task.classes]
    if not outcomes:
        return
    panels = [outcomes[k:k + LINES] for k in range(0, len(outcomes), LINES)]
    figure, all_axes = pyplot.subplots(len(panels), 1, figsize=(6.4, 3.4 * len(panels)), squeeze=False)
    colours = ("blue", "vermilion", "green", "orange", "purple", "sky", "black")
    styles = [(colour, line) for line in ("-", "--") for colour in colours]
    rows = []
    for axes, some in zip(all_axes[:, 0], panels, strict=True):
        for one, (colour, line) in zip(some, styles, strict=False):
            told = np.isfinite(one.probability)
            recall, precision = scores.curve(one.task.labels[told], one.probability[told])
            kept = np.unique(np.linspace(0, len(recall) - 1, 200).astype(int))
            axes.plot(recall[kept], precision[kept], color=PALETTE[colour], linestyle=line, linewidth=1.3,
                      label=f"{label_of(one.task)} ({one.values['map'].value:.2f}; {one.task.prevalence:.2f})")
            rows.append(pd.DataFrame({"element": one.task.element, "recall": recall[kept],
                                      "precision": precision[kept]}))
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="element (mAP; prevalence)")
    save_figure(figure, path, stage="classify", sample=sample, order=order, command=command,
                table=pd.concat(rows, ignore_index=True),
                title=f"Precision and recall of every element, {CLASSIFIER_NAMES[classifier]}",
                caption=f"Precision against recall on held-out bins from {name_of(outcomes[0].representation)}. In "
                        "brackets: mean average precision and prevalence, at which a curve without knowledge would lie "
                        "flat.",
                alt=f"Precision-recall curves of {len(outcomes)} elements.")


def _metrics_figure(outcomes, path: str, classifier: str, *, order, sample, command) -> None:
    """The four metrics of the paper beside each other."""
    if not outcomes:
        return
    figure, all_axes = pyplot.subplots(1, 4, figsize=(9.2, 0.9 + 0.27 * len(outcomes)), sharey=True)
    at = np.arange(len(outcomes))[::-1]
    for axes, metric in zip(all_axes, scores.METRICS, strict=True):
        value = np.array([one.values[metric].value for one in outcomes])
        bounds = np.array([[one.values[metric].low for one in outcomes], [one.values[metric].high for one in outcomes]])
        axes.errorbar(value, at, xerr=np.nan_to_num(np.maximum([value - bounds[0], bounds[1] - value], 0)),
                      linestyle="none", marker="o", color=PALETTE["vermilion"], linewidth=1)
        if metric == "map":
            axes.plot([one.task.prevalence for one in outcomes], at, marker="|", linestyle="none", color="#404040",
                      markersize=9, label="prevalence")
        if metric == "auroc":
            axes.axvline(0.5, color="#404040", linewidth=0.8)
        axes.set_xlim(0, 1.02)
        axes.set_xlabel(METRIC_NAMES[metric])
    all_axes[0].set_yticks(at, [label_of(one.task) for one in outcomes])
    save_figure(figure, path, stage="classify", sample=sample, order=order, command=command,
                table=f"{sample}.classify.metrics.tsv",
                title=f"Four metrics of every element, {CLASSIFIER_NAMES[classifier]}",
                caption=f"From {name_of(outcomes[0].representation)}, on held-out bins, with 95 % intervals. Classes "
                        "weigh alike in training and a bin is called positive above a probability of one half; "
                        "accuracy and F-score are at natural prevalence. Ticks and the line: what chance scores.",
                alt=f"mAP, AuROC, accuracy and F-score of {len(outcomes)} elements.")


def _confusion_figure(outcome, path: str, *, order, sample, command) -> None:
    """Rows: annotated class; columns: predicted; shares of a row."""
    task = outcome.task
    told = np.isfinite(outcome.probability).all(1)
    predicted = outcome.probability[told].argmax(1)
    count = np.zeros((len(task.classes),) * 2, int)
    np.add.at(count, (task.labels[told], predicted), 1)
    share = count / np.maximum(count.sum(1, keepdims=True), 1)
    size = 1.9 + 0.42 * len(task.classes)
    figure, axes = pyplot.subplots(figsize=(size + 1, size))
    image = axes.imshow(share, vmin=0, vmax=1, cmap="Blues", aspect="auto")  # square cells would push the label off
    if len(task.classes) <= 12:
        for row, column in np.ndindex(*share.shape):
            axes.text(column, row, f"{share[row, column]:.2f}".lstrip("0"), ha="center", va="center", fontsize=8,
                      color="white" if share[row, column] > 0.6 else "black")
    axes.set_xticks(range(len(task.classes)), task.classes, rotation=40, ha="right")
    axes.set_yticks(range(len(task.classes)),
                    [f"{name} ({n})" for name, n in zip(task.classes, count.sum(1), strict=True)])
    axes.set_xlabel("predicted")
    axes.set_ylabel("annotated (bins)")
    figure.colorbar(image, ax=axes, label="share of annotated bins")
    table = pd.DataFrame(count, columns=task.classes)
    table.insert(0, "annotated", task.classes)
    save_figure(figure, path, stage="classify", sample=sample, order=order, command=command, table=table,
                title=f"Classes taken for each other: {task.element.replace('_', ' ')}",
                caption=f"Held-out bins by annotated and predicted class, as shares of a row, from "
                        f"{name_of(outcome.representation)} by {CLASSIFIER_NAMES[outcome.classifier]}; accuracy "
                        f"{outcome.values['accuracy'].value:.2f}." +
                        (" The classes were themselves called from Hi-C." if task.from_hic else ""),
                alt=f"Confusion matrix of {len(task.classes)} classes of {task.element}.")


def _sample_words(cell_type, replicate, resolution, depth: dict) -> str:
    contacts = depth.get((cell_type, replicate, resolution))
    return f"{cell_type} {replicate}, {resolution / 1000:g} kb" + (f", {contacts / 1e6:.3g} M" if contacts else "")


def ablation_figure(found, elements, depths, numbers, words: str, path: str, *, representation: str, sample: str,
                    command: str) -> None:
    """mAP over depth and number of trees, the mean over elements (Supplementary Fig. 15)."""
    mean = np.nanmean(found, axis=0)
    figure, axes = pyplot.subplots(figsize=(5.6, 3.6))
    image = axes.imshow(mean, cmap="viridis", aspect="auto")
    for row, column in np.ndindex(*mean.shape):
        axes.text(column, row, f"{mean[row, column]:.3f}", ha="center", va="center", fontsize=8,
                  color="white" if mean[row, column] < np.nanmean(mean) else "black")
    axes.set_xticks(range(len(numbers)), [f"{number:,}" for number in numbers])
    axes.set_yticks(range(len(depths)), depths)
    axes.set_xlabel("trees")
    axes.set_ylabel("depth")
    figure.colorbar(image, ax=axes, label="mean mAP")
    rows = [{"element": element, "depth": depth, "trees": number, "map": found[k, row, column]}
            for k, element in enumerate(elements) for row, depth in enumerate(depths)
            for column, number in enumerate(numbers)]
    save_figure(figure, path, stage="classify", sample=sample, order=470, command=command, table=pd.DataFrame(rows),
                title="Depth and number of boosted trees",
                caption=f"Mean average precision over {len(elements)} elements from {name_of(representation)}, "
                        f"{words}; without early stopping.",
                alt="Heatmap of mean average precision by depth and number of trees.")


def samples_figure(metrics: pd.DataFrame, path: str, *, command: str) -> None:
    """mAP of every element across cell types, depths and resolutions (Fig. 4c, 5d), one panel a classifier."""
    own = metrics[(metrics["stage"] == "classify") & metrics["method"].str.startswith(f"{OURS}-")
                  & metrics["metric"].isin(["map", "prevalence"])]
    if own.empty:
        return
    key = ["method", "stratum", "cell_type", "replicate", "resolution"]
    wide = own.pivot_table(index=key, columns="metric", values="value").reset_index()
    wide = wide.merge(own.loc[own["metric"] == "map", [*key, "low", "high", "n"]], on=key)
    contacts = metrics[(metrics["stage"] == "prepare") & (metrics["metric"] == "contacts_cis")]
    depth = contacts.groupby(["cell_type", "replicate", "resolution"])["value"].max().to_dict()
    wide["contacts"] = [depth.get(one, np.nan) for one in wide[key[2:]].itertuples(index=False, name=None)]
    samples = sorted(wide[key[2:]].drop_duplicates().itertuples(index=False, name=None),
                     key=lambda s: (s[0], s[2], s[1]))
    elements = list(dict.fromkeys(wide["stratum"]))
    methods = list(dict.fromkeys(wide["method"]))
    figure, panels = pyplot.subplots(len(methods), 1, figsize=(max(5.5, 1.5 + 0.6 * len(elements)), 3.4 * len(methods)),
                                     squeeze=False)
    markers = dict(zip(sorted({s[2] for s in samples}), "os^Dvp*h", strict=False))
    cell_types = list(dict.fromkeys(s[0] for s in samples))
    for axes, method in zip(panels[:, 0], methods, strict=True):
        here = wide[wide["method"] == method]
        step = 0.8 / len(samples)
        for k, (cell_type, replicate, resolution) in enumerate(samples):
            some = here[(here["cell_type"] == cell_type) & (here["replicate"] == replicate)
                        & (here["resolution"] == resolution)]
            at = some["stratum"].map(elements.index) - 0.4 + (k + 0.5) * step
            bars = np.maximum([some["map"] - some["low"], some["high"] - some["map"]], 0)
            colour = CELL_TYPE_COLOURS.get(cell_type) or colour_of(cell_type, cell_types.index(cell_type))
            axes.errorbar(at, some["map"], yerr=np.nan_to_num(bars), linestyle="none", color=colour, linewidth=1,
                          marker=markers.get(resolution, "o"), markersize=4,
                          alpha=1 if replicate == samples[0][1] else 0.6,
                          label=_sample_words(cell_type, replicate, resolution, depth))
            axes.plot(at, some["prevalence"], marker="_", linestyle="none", color="#404040", markersize=5)
        axes.set_xticks(range(len(elements)), [name.replace("_", " ") for name in elements], rotation=40, ha="right")
        axes.set_ylim(0, 1.02)
        axes.set_ylabel("mean average precision")
        axes.set_title(CLASSIFIER_NAMES.get(method.partition("-")[2], method))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    save_figure(figure, path, stage="classify", sample="", order=530, command=command, table=wide,
                title="Elements across cell types, depths and resolutions",
                caption="Mean average precision from the vectors of each map, on held-out bins, with 95 % intervals; "
                        "dashes are prevalence, which changes with resolution. Compare within an element and a "
                        "resolution.",
                alt=f"Mean average precision of {len(elements)} elements in {len(samples)} maps.")
