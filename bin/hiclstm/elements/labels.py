"""From annotations to tasks: which bins (or pairs of bins) get which label, by a stated rule.

==============  ==========================================================================================
element         label of a usable bin
==============  ==========================================================================================
genes' values   1 where a gene with log mean expression > 0.5 overlaps, 0 where only others do, none elsewhere
signal, scores  1 where the mean over the bin exceeds the threshold, none where the file has no value
names           the name that covers most of the bin, none where nothing covers it
long intervals  1 where they cover at least half of the bin, else 0 (median interval not shorter than a bin)
short ones      1 where one of them overlaps, else 0
pairs           1 where an anchor overlaps, else 0; promoter-enhancer pairs are a task of pairs of bins
==============  ==========================================================================================
"""

import tempfile
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..contacts import ContactMap
from ..errors import InputError
from ..genome import Bins
from .annotations import Annotation, Line, column_of, covered_bases, overlaps, read_annotation

FEWEST = 10  # positives, and negatives, of a task; examples of a class
EXPRESSED = 0.5  # log mean expression above which a gene is active (the paper's Methods)
MOST_CLASSES = 40
PAIR_ELEMENTS = ("pei", "peis", "promoterenhancer", "promoterenhancerpairs", "promoterenhancerinteractions",
                 "enhancerpromoter", "enhancerpromoterpairs", "enhancerpromoterinteractions")
FROM_HIC = ("tad", "domain", "boundar", "loop", "compartment", "fire", "stripe", "insulation")


@dataclass(frozen=True, eq=False)
class Task:
    """What a classifier is to learn about one element.

    Attributes
    ----------
    kind : ``binary``, ``classes`` or ``pairs``
    index : int64 [m] bins, ascending; [m, 2] for pairs
    labels : int64 [m]: 0 or 1, or the class
    classes : names of the classes, () for the other kinds
    rule : how a label came about, in words
    from_hic : whether the annotation itself was made from Hi-C maps, often of the same cells
    negatives_given : whether the file says what is negative; otherwise everything unmarked is
    on_map, on_data : share of the file's intervals on the map's chromosomes, and of those in bins with data
    """

    element: str
    kind: str
    index: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    rule: str
    from_hic: bool
    negatives_given: bool
    on_map: float
    on_data: float
    intervals: pd.DataFrame | None = None

    @property
    def prevalence(self) -> float:
        """Share of positives; for classes, the mean share of a class, which is what chance scores in mAP."""
        return 1 / len(self.classes) if self.classes else float(self.labels.mean())


def plain(element: str) -> str:
    """An element's name without case, blanks and punctuation."""
    return "".join(letter for letter in element.lower() if letter.isalnum())


def is_from_hic(element: str) -> bool:
    return any(word in plain(element) for word in FROM_HIC)


def task_of(line: Line, contact_map: ContactMap, usable: np.ndarray, genes: pd.DataFrame | None = None,
            seed: int = 1) -> Task:
    """The task of one line of the sheet.

    Parameters
    ----------
    usable : bool [N], bins that have vectors; others get no label
    genes : the gene table, for expression files without coordinates

    Raises
    ------
    InputError : the file cannot be used, or the task has fewer than ten positives or ten negatives
    """
    annotation = read_annotation(line, contact_map, genes)
    bins, element = contact_map.bins, line.element
    if annotation.pairs and plain(element) in PAIR_ELEMENTS:
        task = _pairs(annotation, bins, usable, seed)
    elif annotation.signal is not None or line.column:
        task = _valued(annotation, bins, usable)
    else:
        task = _intervals(annotation, bins, usable)
    return checked(task)


def checked(task: Task) -> Task:
    """The task, if it can be learned; an :class:`InputError` says why not."""
    if task.kind == "classes":
        if len(task.classes) < 2:
            raise InputError(f"{task.element}: fewer than two classes have {FEWEST} bins each "
                             f"({', '.join(task.classes) or 'none'}): nothing to tell apart")
        return task
    positives, negatives = int((task.labels == 1).sum()), int((task.labels == 0).sum())
    what = "pairs" if task.kind == "pairs" else "bins"
    if positives and negatives == 0:
        raise InputError(f"{task.element}: all {positives:,} labelled {what} are positive: there is nothing to tell "
                         f"them from ({task.rule})")
    if min(positives, negatives) < FEWEST:
        few = "positive" if positives < negatives else "negative"
        raise InputError(f"{task.element}: only {min(positives, negatives)} {few} {what} of {positives + negatives:,}, "
                         f"at least {FEWEST} are needed")
    return task


def _task(annotation: Annotation, kind: str, index, labels, rule: str, touched: np.ndarray, usable: np.ndarray, *,
          classes=(), negatives_given=False, intervals=None) -> Task:
    on_data = float(usable[touched].mean()) if len(touched) else 0.0
    return Task(annotation.line.element, kind, np.asarray(index, np.int64), np.asarray(labels, np.int64),
                tuple(classes), rule, is_from_hic(annotation.line.element), negatives_given, annotation.on_map, on_data,
                intervals)


def anchors(annotation: Annotation) -> pd.DataFrame:
    """Intervals of an annotation: chrom, start, end; of pairs both anchors, one below the other."""
    table = annotation.table
    own = table[["chrom", "start", "end"]]
    if not annotation.pairs:
        return own.reset_index(drop=True)
    other = table[["chrom", "start2", "end2"]].set_axis(["chrom", "start", "end"], axis=1)
    return pd.concat([own, other], ignore_index=True).drop_duplicates(ignore_index=True)


def _intervals(annotation: Annotation, bins: Bins, usable: np.ndarray) -> Task:
    intervals = anchors(annotation)
    length = intervals["end"] - intervals["start"]
    touched = overlaps(bins, intervals)["bin"].to_numpy()
    if not annotation.pairs and length.median() >= bins.resolution:
        width = (bins.table["end"] - bins.table["start"]).to_numpy()
        positive = covered_bases(bins, intervals) * 2 >= width
        rule = "1 where intervals cover at least half of the bin, else 0"
    else:
        positive = np.zeros(len(bins), bool)
        positive[touched] = True
        rule = f"1 where {'an anchor' if annotation.pairs else 'an interval'} overlaps the bin, else 0"
    index = np.flatnonzero(usable)
    return _task(annotation, "binary", index, positive[index], rule, touched, usable, intervals=intervals)


def _valued(annotation: Annotation, bins: Bins, usable: np.ndarray) -> Task:
    """Labels from a column or a signal: above a threshold, or names."""
    line = annotation.line
    if annotation.signal is not None:
        return _thresholded(annotation, annotation.signal, bins, usable, np.flatnonzero(np.isfinite(annotation.signal)))
    column = column_of(annotation, line.column)
    number = pd.to_numeric(column.replace({"": None, ".": None, "NA": None}), errors="coerce")
    texts = column[number.isna() & ~column.isin(["", ".", "NA", "nan", "NaN"])]
    if len(texts) and line.threshold is None:
        return _classes(annotation, column, bins, usable)
    if len(texts):
        raise InputError(f"{line.path.name}, line {texts.index[0]}: column {line.column!r} is {texts.iloc[0]!r}, "
                         "expected a number, as the sheet gives a threshold")
    if plain(line.element) in ("expression", "geneexpression", "rnaseq"):
        return _expression(annotation, number, bins, usable)
    intervals = anchors(annotation)[:len(annotation.table)] if annotation.pairs else anchors(annotation)
    found = overlaps(bins, intervals)
    value = number.to_numpy(np.float64)[found["interval"]]
    told = np.isfinite(value)
    bases = np.bincount(found["bin"][told], found["bases"][told], minlength=len(bins))
    total = np.bincount(found["bin"][told], found["bases"][told] * value[told], minlength=len(bins))
    signal = np.where(bases > 0, total / np.maximum(bases, 1), np.nan)
    return _thresholded(annotation, signal, bins, usable, found["bin"].to_numpy())


def _thresholded(annotation: Annotation, signal, bins: Bins, usable, touched) -> Task:
    index = np.flatnonzero(usable & np.isfinite(signal))
    if not len(index):
        raise InputError(f"{annotation.line.path.name}: has no value in any bin with data")
    threshold = annotation.line.threshold
    if threshold is None:
        threshold = float(np.median(signal[index]))
        words = (f"1 where the bin's mean exceeds the median of the bins ({threshold:.4g}), as the sheet gives no "
                 "threshold")
    else:
        words = f"1 where the bin's mean exceeds {threshold:g}"
    return _task(annotation, "binary", index, signal[index] > threshold, words + "; bins without a value have no label",
                 touched, usable, negatives_given=True)


def _expression(annotation: Annotation, level: pd.Series, bins: Bins, usable: np.ndarray) -> Task:
    """Active where a gene with log mean expression above the threshold overlaps; genes' bodies are what is labelled."""
    line = annotation.line
    threshold = EXPRESSED if line.threshold is None else line.threshold
    level = level.to_numpy(np.float64)
    logged = "log" in line.column.lower()
    if not logged:
        with np.errstate(divide="ignore", invalid="ignore"):
            level = np.log(level)
    found = overlaps(bins, anchors(annotation))
    told = np.isfinite(level) | (level == -np.inf)
    found = found[told[found["interval"]]]
    labelled, active = np.zeros(len(bins), bool), np.zeros(len(bins), bool)
    labelled[found["bin"]] = True
    active[found["bin"][level[found["interval"]] > threshold]] = True
    index = np.flatnonzero(usable & labelled)
    what = line.column if logged else f"natural log of {line.column}"
    return _task(annotation, "binary", index, active[index], f"1 where a gene with {what} > {threshold:g} overlaps the "
                 "bin, 0 where only other genes do; bins without genes have no label", found["bin"].to_numpy(), usable,
                 negatives_given=True)


def _classes(annotation: Annotation, column: pd.Series, bins: Bins, usable: np.ndarray) -> Task:
    known = ~column.isin(["", ".", "NA", "nan", "NaN"])
    names = column[known].astype(str)
    different = sorted(names.unique())
    if len(different) > MOST_CLASSES:
        raise InputError(f"{annotation.line.path.name}: column {annotation.line.column!r} has {len(different):,} "
                         f"different names; up to {MOST_CLASSES} are taken as classes")
    intervals = annotation.table.loc[known, ["chrom", "start", "end"]].reset_index(drop=True)
    codes = pd.Categorical(names, categories=different).codes
    found = overlaps(bins, intervals)
    covered = np.zeros((len(bins), len(different)))
    np.add.at(covered, (found["bin"], codes[found["interval"]]), found["bases"])
    index = np.flatnonzero(usable & (covered.sum(1) > 0))
    labels = covered[index].argmax(1)
    often = np.bincount(labels, minlength=len(different))
    kept = np.flatnonzero(often >= FEWEST)
    told = np.isin(labels, kept)
    rare = [different[k] for k in np.flatnonzero((often > 0) & (often < FEWEST))]
    rule = "the name that covers most of the bin"
    rule += f"; left out, below {FEWEST} bins: {', '.join(rare)}" if rare else ""
    return _task(annotation, "classes", index[told], np.searchsorted(kept, labels[told]), rule, found["bin"].to_numpy(),
                 usable, classes=[different[k] for k in kept], negatives_given=True)


def _pairs(annotation: Annotation, bins: Bins, usable: np.ndarray, seed: int) -> Task:
    """Interacting pairs of bins against others of the same distances."""
    table, line = annotation.table, annotation.line
    offset = table["chrom"].map({name: bins.span(name).start for name in bins.chromosomes}).to_numpy(np.int64)
    middle = [((table[f"start{k}"] + table[f"end{k}"]) // 2 // bins.resolution).to_numpy(np.int64) + offset
              for k in ("", "2")]
    pairs = np.sort(np.stack(middle, 1), 1)
    labels = np.ones(len(pairs), np.int64)
    threshold = 0.5 if line.threshold is None else line.threshold
    if line.column:
        number = pd.to_numeric(column_of(annotation, line.column), errors="coerce")
        if number.isna().any():
            at = number.isna().idxmax()
            raise InputError(f"{line.path.name}, line {at}: column {line.column!r} holds no number")
        labels = (number > threshold).to_numpy(np.int64)
    apart = (pairs[:, 0] != pairs[:, 1]) & usable[pairs].all(1)
    code, label = pairs[:, 0] * len(bins) + pairs[:, 1], labels
    both = pd.DataFrame({"code": code[apart], "label": label[apart]}).groupby("code")["label"].max()
    code, label = both.index.to_numpy(), both.to_numpy()
    if line.column:
        rule = f"1 where {line.column} > {threshold:g} for a pair in these two bins"
    else:
        other = _random_pairs(code, bins, usable, np.random.default_rng(seed))
        code, label = np.concatenate([code, other]), np.concatenate([label, np.zeros(len(other), np.int64)])
        rule = "1 for the file's pairs, 0 for as many random pairs of usable bins at the same distances"
    index = np.stack([code // len(bins), code % len(bins)], 1)
    order = np.lexsort((index[:, 1], index[:, 0]))
    return _task(annotation, "pairs", index[order], label[order], rule + "; pairs within one bin are left out",
                 pairs.ravel(), usable, negatives_given=bool(line.column))


def _random_pairs(code: np.ndarray, bins: Bins, usable: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One random pair of usable bins for each given one, on the same chromosome and at the same distance."""
    taken, found = set(code.tolist()), []
    for own in code.tolist():
        left, right = divmod(own, len(bins))
        at = int(np.searchsorted(bins.offsets, left, "right")) - 1
        distance = right - left
        for _ in range(100):
            start = int(random.integers(bins.offsets[at], bins.offsets[at + 1] - distance))
            new = start * len(bins) + start + distance
            if usable[start] and usable[start + distance] and new not in taken:
                taken.add(new)
                found.append(new)
                break
    return np.array(found, np.int64)


def boundaries_of(domains: Task, bins: Bins, usable: np.ndarray) -> Task:
    """The boundaries of a task of domains: bins on both sides of each edge."""
    table = domains.intervals
    size = dict(zip(bins.chromosomes, bins.sizes, strict=True))
    edges = pd.concat([table[["chrom"]].assign(edge=table[side]) for side in ("start", "end")]).drop_duplicates()
    edges = edges.assign(start=np.maximum(edges["edge"] - 1, 0),
                         end=np.minimum(edges["edge"] + 1, edges["chrom"].map(size)))
    positive = np.zeros(len(bins), bool)
    positive[overlaps(bins, edges)["bin"]] = True
    index = np.flatnonzero(usable)
    return checked(replace(domains, element=f"{domains.element}_boundaries", kind="binary", index=index,
                           labels=positive[index].astype(np.int64), intervals=edges[["chrom", "start", "end"]],
                           rule=f"1 in the bins on both sides of an edge of {domains.element}, else 0"))


def matched_random_bins(task: Task, bins: Bins, usable: np.ndarray, seed: int) -> np.ndarray:
    """Negatives as the paper draws them: the task's positive bins shuffled by bedtools among usable bins without it.

    Each positive bin is moved to a random place of its own chromosome. Returns at most as many bins as are positive.
    """
    import pybedtools

    table = bins.table
    positive = np.zeros(len(bins), bool)
    positive[task.index[task.labels == 1]] = True
    genome = {name: (0, int(size)) for name, size in zip(bins.chromosomes, bins.sizes, strict=True)}
    before = pybedtools.get_tempdir()
    with tempfile.TemporaryDirectory(prefix="shuffle-") as folder:
        pybedtools.set_tempdir(folder)
        try:
            # excl and not incl: bedtools forgets the chromosome to stay on when it is given places to go to
            taken = pybedtools.BedTool.from_dataframe(table[~usable | positive][["chrom", "start", "end"]])
            loci = table[positive].assign(end=lambda t: t["start"] + 1)[["chrom", "start", "end"]]
            shuffled = pybedtools.BedTool.from_dataframe(loci).shuffle(
                g=pybedtools.chromsizes_to_file(genome, f"{folder}/genome"), excl=taken.fn, chrom=True, seed=seed,
                noOverlapping=False, maxTries=1000)
            moved = shuffled.to_dataframe(names=["chrom", "start", "end"], dtype={"chrom": str})
        except (pybedtools.helpers.BEDToolsError, NotImplementedError) as problem:
            reason = str(problem).strip().splitlines()
            raise InputError(f"{task.element}: bedtools could not draw matched random loci ("
                             f"{reason[-1] if reason else problem})") from None
        finally:
            pybedtools.set_tempdir(before)
    start = {name: bins.span(name).start for name in bins.chromosomes}
    number = moved["chrom"].map(start).to_numpy(np.int64) + moved["start"].to_numpy(np.int64) // bins.resolution
    number = np.unique(number)
    return number[usable[number] & ~positive[number]]


def balanced(task: Task, bins: Bins, usable: np.ndarray, seed: int) -> Task:
    """The task with as many negatives as positives, as in the paper; others stay as the file gives them."""
    if task.kind != "binary" or task.negatives_given:
        return task
    positive = task.index[task.labels == 1]
    negative = matched_random_bins(task, bins, usable, seed)
    if len(negative) > len(positive):
        negative = np.random.default_rng(seed).choice(negative, len(positive), replace=False)
    index = np.concatenate([positive, negative])
    labels = np.concatenate([np.ones(len(positive), np.int64), np.zeros(len(negative), np.int64)])
    order = np.argsort(index)
    return checked(replace(task, index=index[order], labels=labels[order],
                           rule=f"{task.rule}; negatives: matched random bins, as many as positives or fewer"))
