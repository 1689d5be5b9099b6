"""The stage CLASSIFY_ELEMENTS: every task of the sheet, from every representation, by every classifier, held out."""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..contacts import ContactMap
from ..errors import InputError
from ..files import whole
from ..metrics import MetricsTable
from . import classifiers, labels, scores, splits
from .annotations import GENES, Line, read_genes, read_sheet
from .labels import Task, plain
from .representations import Representation, load

ABLATION_DEPTHS = (2, 4, 6, 8, 10, 12)
ABLATION_TREES = (10, 30, 100, 300, 1000)


@dataclass(frozen=True)
class Plan:
    """What to do.

    Attributes
    ----------
    representations : files or names, see :func:`representations.load`
    classifiers : names out of ``classifiers.CLASSIFIERS``
    folds : see :func:`splits.folds_of`; ``random`` also balances negatives as the paper does
    elements : names to take from the sheet; all where empty
    draws : of the bootstrap
    """

    representations: list[str]
    classifiers: list[str]
    folds: str = "auto"
    elements: list[str] = field(default_factory=list)
    draws: int = 200
    size: int = 16
    seed: int = 1
    ablation: bool = False

    def __post_init__(self):
        unknown = [name for name in self.classifiers if name not in classifiers.CLASSIFIERS]
        if unknown or not self.classifiers:
            raise InputError(f"--classifiers {','.join(self.classifiers)}: expected some of "
                             f"{', '.join(classifiers.CLASSIFIERS)}")


@dataclass(frozen=True, eq=False)
class Outcome:
    """Held-out probabilities of one task from one representation by one classifier, and their scores."""

    task: Task
    representation: str
    classifier: str
    probability: np.ndarray
    values: dict[str, scores.Interval]
    balanced_map: float
    shuffled_map: float

    @property
    def method(self) -> str:
        return f"{self.representation}-{self.classifier}"


@dataclass(frozen=True, eq=False)
class Tasks:
    """The tasks that can be computed, and why the others cannot (element, reason)."""

    found: list[Task]
    refused: list[tuple[Line, str]]


def tasks_of(lines: list[Line], contact_map: ContactMap, usable: np.ndarray, elements: list[str],
             seed: int) -> Tasks:
    """Make the tasks of a sheet's lines; what cannot be used is reported on standard error and left out."""
    by_name = {line.element: line for line in lines}
    refused: list[tuple[Line, str]] = []
    wanted = [line for line in lines if line.element != GENES and (not elements or line.element in elements)]
    for name in elements:
        if name not in by_name:
            refused.append((Line(name, Path()), f"the sheet has no element {name!r} for this cell type; it has "
                            f"{', '.join(sorted(by_name)) or 'none'}"))
    genes = None
    if GENES in by_name:
        try:
            genes = read_genes(by_name[GENES])
        except InputError as problem:
            refused.append((by_name[GENES], str(problem)))
    found: list[Task] = []
    for line in wanted:
        try:
            found.append(labels.task_of(line, contact_map, usable, genes, seed))
        except InputError as problem:
            refused.append((line, str(problem)))
    given = {plain(line.element) for line in lines}
    if not any("boundar" in name for name in given) and not elements:
        for task in [task for task in found if plain(task.element) in ("tads", "tad", "domains", "subtads")]:
            try:
                found.append(labels.boundaries_of(task, contact_map.bins, usable))
            except InputError as problem:
                refused.append((Line(f"{task.element}_boundaries", Path()), str(problem)))
    for line, reason in refused:
        print(f"not computable: {line.element}: {reason}", file=sys.stderr)
    for task in found:
        if task.on_data < 0.5:
            print(f"note: {task.element}: only {task.on_data:.0%} of the bins it touches hold data: is it of the map's "
                  "assembly?", file=sys.stderr)
    return Tasks(found, refused)


def task_table(tasks: Tasks) -> pd.DataFrame:
    """One row a line of the sheet: whether it was computed, by which rule, on how many bins."""
    rows = [{"element": task.element, "status": "computed", "kind": task.kind, "labelled": len(task.labels),
             "positive": int((task.labels > 0).sum()) if not task.classes else "", "classes": ", ".join(task.classes),
             "prevalence": task.prevalence, "from_hic": task.from_hic, "on_map": task.on_map, "on_data": task.on_data,
             "rule": task.rule} for task in tasks.found]
    rows += [{"element": line.element, "status": "not computable", "rule": reason} for line, reason in tasks.refused]
    return pd.DataFrame(rows, columns=["element", "status", "kind", "labelled", "positive", "classes", "prevalence",
                                       "from_hic", "on_map", "on_data", "rule"])


def outcomes_of(tasks: list[Task], representation: Representation, folds: splits.Folds, plan: Plan) -> list[Outcome]:
    """Every task from one representation by every classifier, with the control of shuffled labels."""
    found = []
    shuffled = [_shuffled(task, plan.seed) for task in tasks]
    for name in plan.classifiers:
        if name == "linear":
            probabilities, controls = (classifiers.linear(these, representation.vectors, folds)
                                       for these in (tasks, shuffled))
        else:
            trees = classifiers.TREES[name]
            probabilities, controls = ([classifiers.boosted(task, representation.vectors, folds, trees, plan.seed)
                                        for task in these] for these in (tasks, shuffled))
        for task, probability, other, control in zip(tasks, probabilities, shuffled, controls, strict=True):
            told = np.isfinite(probability).reshape(len(task.labels), -1).all(1)
            here = task.labels[told]
            if len(np.unique(here)) < 2:
                print(f"not computable: {task.element} from {representation.name} by {name}: no fold could be learned "
                      "from and tested with both kinds of labels", file=sys.stderr)
                continue
            group = folds.group[task.index if task.index.ndim == 1 else task.index[:, 0]][told]
            values = scores.with_intervals(here, probability[told], group, plan.draws, plan.seed)
            balanced = np.nan
            if not task.classes:
                balanced = scores.average_precision(here, probability[told], scores.balance(here))
            valid = np.isfinite(control).reshape(len(task.labels), -1).all(1)
            null = (scores.class_scores if task.classes else scores.binary_scores)(other.labels[valid], control[valid])
            found.append(Outcome(task, representation.name, name, probability, values, balanced, null["map"]))
    return found


def _shuffled(task: Task, seed: int) -> Task:
    return replace(task, labels=np.random.default_rng([seed, 7]).permutation(task.labels))


def metrics_of(outcomes: list[Outcome], contact_map: ContactMap, sample: str) -> MetricsTable:
    cell_type, replicate = sample_of(contact_map, sample)
    table = MetricsTable(cell_type, replicate, contact_map.bins.resolution, "classify")
    for one in outcomes:
        n = int(np.isfinite(one.probability).reshape(len(one.task.labels), -1).all(1).sum())
        for metric in scores.METRICS:
            value = one.values[metric]
            table.add(one.method, metric, value.value, stratum=one.task.element, low=value.low, high=value.high, n=n)
        table.add(one.method, "prevalence", one.task.prevalence, stratum=one.task.element, n=n)
        if not one.task.classes:
            table.add(one.method, "map_balanced", one.balanced_map, stratum=one.task.element, n=n)
        table.add(one.method, "map_shuffled", one.shuffled_map, stratum=one.task.element, n=n)
    return table


def sample_of(contact_map: ContactMap, sample: str) -> tuple[str, str]:
    return str(contact_map.facts.get("cell_type", sample)), str(contact_map.facts.get("replicate", ""))


def classify(contacts: Path, sheet: Path, plan: Plan, output: Path, command: str,
             subcompartments: Path | None = None) -> None:
    """Run the stage for one map and write its metrics, tables and figures.

    Parameters
    ----------
    contacts : the map that PREPARE_CONTACTS wrote
    sheet : annotation sheet
    subcompartments : BED for the oracle ``sbcid``
    """
    from . import figures

    contact_map = ContactMap.load(contacts)
    sample = str(contact_map.facts.get("sample", Path(contacts).stem))
    cell_type, _ = sample_of(contact_map, sample)
    lines = read_sheet(sheet, cell_type)
    if not lines:
        print(f"{sample}: the sheet has no annotations of {cell_type} and none of '*'", file=sys.stderr)
    known = []
    for what in plan.representations:
        known.append(load(what, contact_map, plan.size, plan.seed, contacts=str(contacts),
                          subcompartments=subcompartments))
    if not known:
        raise InputError("--representations: give at least one file or name")
    usable = np.logical_and.reduce([one.usable for one in known])
    tasks = tasks_of(lines, contact_map, usable, plan.elements, plan.seed)
    base = str(Path(output) / sample)
    if plan.folds == "random":
        tasks = _balanced(tasks, contact_map, usable, plan.seed)
    outcomes: list[Outcome] = []
    folds = splits.folds_of(contact_map.bins, usable, plan.folds, plan.seed)
    for one in known if tasks.found else []:
        print(f"{sample}: {len(tasks.found)} elements from {one.name}", file=sys.stderr)
        if folds.within:
            one = replace(one, vectors=classifiers.by_chromosome(one.vectors, contact_map.bins))
        outcomes += outcomes_of(tasks.found, one, folds, plan)
    table = task_table(tasks)
    with whole(f"{base}.classify.tasks.tsv") as beside:
        table.to_csv(beside, sep="\t", index=False, float_format="%.4g")
    metrics = metrics_of(outcomes, contact_map, sample)
    metrics.write(f"{base}.classify.metrics.tsv")
    with whole(f"{base}.classify.predictions.parquet") as beside:
        prediction_table(outcomes, contact_map).to_parquet(beside, index=False)
    figures.draw(outcomes, tasks, folds, base, sample=sample, command=command)
    if plan.ablation and tasks.found:
        _ablation(tasks.found, known[0], contact_map, plan, base, sample, command)


def _balanced(tasks: Tasks, contact_map: ContactMap, usable: np.ndarray, seed: int) -> Tasks:
    found, refused = [], list(tasks.refused)
    for task in tasks.found:
        try:
            found.append(labels.balanced(task, contact_map.bins, usable, seed))
        except InputError as problem:
            print(f"not computable: {task.element}: {problem}", file=sys.stderr)
            refused.append((Line(task.element, Path()), str(problem)))
    return Tasks(found, refused)


def prediction_table(outcomes: list[Outcome], contact_map: ContactMap) -> pd.DataFrame:
    """Held-out probabilities of the binary tasks from the first representation, one row a bin, task and classifier."""
    bins = contact_map.bins.table
    parts = [pd.DataFrame({"chrom": bins["chrom"].to_numpy()[one.task.index],
                           "start": bins["start"].to_numpy()[one.task.index], "element": one.task.element,
                           "method": one.method, "label": one.task.labels.astype(np.int8),
                           "probability": one.probability.astype(np.float32)})
             for one in outcomes if one.task.kind == "binary" and one.representation == outcomes[0].representation]
    columns = ["chrom", "start", "element", "method", "label", "probability"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _ablation(tasks: list[Task], representation: Representation, contact_map: ContactMap, plan: Plan, base: str,
              sample: str, command: str) -> None:
    """Depth by number of trees, learned on odd chromosomes (or half of a single one), tested on the others."""
    from . import figures

    bins = contact_map.bins
    halves = np.full(len(bins), -1)
    if len(bins.chromosomes) > 1:
        for k, name in enumerate(bins.chromosomes):
            halves[bins.span(name)] = k % 2
        words = "learned on every other chromosome (odd ones), tested on the rest"
    else:
        gap = splits.GAP // bins.resolution // 2
        usable = np.flatnonzero(representation.usable)
        middle = usable[len(usable) // 2]
        halves[:max(middle - gap, 1)], halves[middle + gap:] = 0, 1
        words = "learned on the first half of the chromosome, tested on the second"
    binary = [task for task in tasks if task.kind == "binary"]
    found = classifiers.tree_ablation(binary, representation.vectors, halves, ABLATION_DEPTHS, ABLATION_TREES,
                                      plan.seed)
    figures.ablation_figure(found, [task.element for task in binary], ABLATION_DEPTHS, ABLATION_TREES, words,
                            f"{base}.classify.ablation", representation=representation.name, sample=sample,
                            command=command)


def across_samples(paths: list[Path], output: Path, command: str) -> None:
    """The figure over cell types, depths and resolutions, from the metrics of several samples."""
    from . import figures

    tables = []
    for path in paths:
        try:
            tables.append(pd.read_csv(path, sep="\t", dtype={"cell_type": str, "replicate": str}))
        except (OSError, ValueError) as problem:
            raise InputError(f"{path}: cannot be read as metrics ({problem})") from None
        if not {"stage", "method", "metric", "stratum", "value"} <= set(tables[-1].columns):
            raise InputError(f"{path}: is not a table of metrics (columns {', '.join(tables[-1].columns[:6])})")
    figures.samples_figure(pd.concat(tables, ignore_index=True), str(Path(output) / "classify.samples"),
                           command=command)
