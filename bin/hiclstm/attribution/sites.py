"""Scores at elements against matched bins: groups of the paper's violins, and the ranking of binding sites."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from scipy.stats import mannwhitneyu

from ..elements.annotations import GENES, Annotation, Line, overlaps, read_annotation
from ..elements.labels import Task, anchors, is_from_hic, plain
from ..genome import Bins
from ..perturbation.nulls import false_discovery_rate
from ..perturbation.sites import near

FEWEST = 10  # bins of a group, and of those it is compared with
NEAREST = 100  # bins looked at for a match
LONGEST_SITE = 10_000  # base pairs: the median interval of a set of binding sites is not longer
CTCF = "ctcf"
COHESIN = ("rad21", "smc3", "cohesin", "smc1", "stag")  # names of peak sets begin with these
NO_SITES = ("tss", "transcriptionstartsite", "enhancer", "promoter", "gene", "cpg", "motif", "segway", "chromhmm")


@dataclass(frozen=True, eq=False)
class Comparison:
    """One group of bins against another: Mann-Whitney's test.

    Attributes
    ----------
    effect : chance that a bin of the group scores higher than one it is compared with (AUROC; 0.5 is no difference)
    p : two-sided
    """

    group: str
    against: str
    bins: int
    other_bins: int
    mean: float
    other_mean: float
    effect: float
    p: float


def compare(score: np.ndarray, group: str, chosen: np.ndarray, against: str, others: np.ndarray) -> Comparison:
    """Compare scores of bins ``chosen`` with those of ``others`` (numbers of bins)."""
    own, other = (values[np.isfinite(values)] for values in (score[chosen], score[others]))
    if min(len(own), len(other)) < FEWEST:
        return Comparison(group, against, len(own), len(other), _mean(own), _mean(other), np.nan, np.nan)
    found = mannwhitneyu(own, other, alternative="two-sided", method="asymptotic")
    effect = float(found.statistic) / len(own) / len(other)
    return Comparison(group, against, len(own), len(other), _mean(own), _mean(other), effect, float(found.pvalue))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


class Matching:
    """Finds, for some bins, others of the same chromosome that are alike in coverage and, where known, in GC.

    Parameters
    ----------
    covariates : float64 [N, k], standardised here over the usable bins
    usable : bool [N]
    """

    def __init__(self, bins: Bins, covariates: np.ndarray, usable: np.ndarray):
        spread = covariates[usable].std(0)
        self.bins, self.usable = bins, usable
        self.covariates = (covariates - covariates[usable].mean(0)) / np.where(spread > 0, spread, 1)

    def match(self, chosen: np.ndarray, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of a bin of ``chosen`` and the most alike one of ``allowed`` (bool [N]) that is not yet taken.

        Bins whose hundred nearest are all taken are left out, so that both sides are alike: int64 [pairs] twice.
        """
        left, right = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for name in self.bins.chromosomes:
            span = self.bins.span(name)
            own = chosen[(chosen >= span.start) & (chosen < span.stop)]
            own = np.random.default_rng(len(own)).permutation(own)  # so that no end of the chromosome goes first
            free = np.flatnonzero(allowed[span] & self.usable[span]) + span.start
            if not len(own) or not len(free):
                continue
            nearest = cKDTree(self.covariates[free]).query(self.covariates[own], k=min(NEAREST, len(free)))[1]
            taken = np.zeros(len(free), bool)
            partner = np.full(len(own), -1)
            for row, candidates in enumerate(nearest.reshape(len(own), -1)):
                unused = candidates[~taken[candidates]]
                if len(unused):
                    partner[row] = unused[0]
                    taken[unused[0]] = True
            left.append(own[partner >= 0])
            right.append(free[partner[partner >= 0]])
        return np.concatenate(left), np.concatenate(right)


def sets_of_sites(lines: list[Line], contact_map) -> dict[str, pd.DataFrame]:
    """Sets of binding sites of a sheet: short intervals without labels that were not made from Hi-C, by element."""
    from ..errors import InputError

    found = {}
    for line in lines:
        name = plain(line.element)
        if line.element == GENES or line.column or is_from_hic(name) or any(word in name for word in NO_SITES):
            continue
        if line.path.suffix.lower() in (".bw", ".bigwig"):
            continue
        try:
            annotation: Annotation = read_annotation(line, contact_map)
        except InputError:  # told of when the tasks were made
            continue
        table = annotation.table
        if annotation.pairs or (table["end"] - table["start"]).median() > LONGEST_SITE:
            continue
        found[line.element] = anchors(annotation)
    return found


def site_bins(intervals: pd.DataFrame, bins: Bins, usable: np.ndarray) -> np.ndarray:
    """bool [N]: usable bins that hold more of the sites than the median usable bin.

    Where fewer than half of the bins hold any, these are all that do; in coarse maps nearly every bin holds some.
    """
    found = overlaps(bins, intervals)
    count = np.bincount(found["bin"], minlength=len(bins))
    return usable & (count > np.median(count[usable]))


def ranking(sites: dict[str, pd.DataFrame], scores: dict[str, np.ndarray], bins: Bins, usable: np.ndarray,
            matching: Matching) -> pd.DataFrame:
    """Binding-site sets ranked by how far each score in their bins is from that of matched bins without the set.

    Once over all bins and once over bins without CTCF (``subset``), where the sheet has CTCF. False-discovery rates are
    Benjamini's and Hochberg's over the sets of one score and subset.

    Returns
    -------
    rows: element, score, subset, rank, bins, matched, mean, matched_mean, effect, p, fdr
    """
    held = {name: site_bins(table, bins, usable) for name, table in sites.items()}
    ctcf = next((name for name in held if plain(name).startswith(CTCF)), None)
    subsets = {"all": usable}
    if ctcf:
        anywhere = np.zeros(len(bins), bool)
        anywhere[overlaps(bins, sites[ctcf])["bin"]] = True
        subsets["without_ctcf"] = usable & ~(anywhere if anywhere[usable].mean() < 0.5 else held[ctcf])
    parts = []
    for subset, inside in subsets.items():
        matched = {name: matching.match(np.flatnonzero(mask & inside), inside & ~mask)
                   for name, mask in held.items() if not (subset == "without_ctcf" and name == ctcf)}
        for kind, score in scores.items():
            rows = [compare(score, name, own, "matched", other) for name, (own, other) in matched.items()]
            table = pd.DataFrame({"element": [row.group for row in rows], "score": kind, "subset": subset,
                                  "bins": [row.bins for row in rows], "matched": [row.other_bins for row in rows],
                                  "mean": [row.mean for row in rows], "matched_mean": [row.other_mean for row in rows],
                                  "effect": [row.effect for row in rows], "p": [row.p for row in rows]})
            table["fdr"] = false_discovery_rate(table["p"].to_numpy(np.float64))
            table = table.sort_values("effect", key=lambda effect: -(effect - 0.5).abs(), na_position="last",
                                      ignore_index=True)
            table.insert(3, "rank", np.arange(1, len(table) + 1))
            parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def groups_of(tasks: list[Task], usable: np.ndarray) -> dict[str, np.ndarray]:
    """Groups of bins the paper's violins show (Fig. 6c, d): every element, and combinations of those that are given.

    CTCF with cohesin (bins that hold both) at loop anchors and elsewhere, boundaries with and without CTCF (within a
    bin), bins of each class of a segmentation.
    """
    n = len(usable)
    masks: dict[str, np.ndarray] = {}
    for task in tasks:
        if task.kind == "classes":
            for k, name in enumerate(task.classes):
                masks[f"{task.element}: {name}"] = _mask(task.index[task.labels == k], n)
        else:
            masks[task.element] = _mask(np.unique(task.index[task.labels == 1]), n)

    def given(*beginnings: str) -> np.ndarray | None:
        chosen = [masks[name] for name in masks if plain(name).startswith(beginnings) and "domain" not in plain(name)]
        return np.logical_or.reduce(chosen) if chosen else None

    ctcf, cohesin, loops = given(CTCF), given(*COHESIN), given("loop")
    if ctcf is not None and cohesin is not None and loops is not None:
        at_loops = near(np.arange(n), np.flatnonzero(loops), 1)
        masks["CTCF + cohesin, at loops"] = ctcf & cohesin & at_loops
        masks["CTCF + cohesin, elsewhere"] = ctcf & cohesin & ~at_loops
    boundary = next((masks[name] for name in masks if "boundar" in plain(name)), None)
    if ctcf is not None and boundary is not None:
        at_ctcf = near(np.arange(n), np.flatnonzero(ctcf), 1)
        masks["boundaries with CTCF"] = boundary & at_ctcf
        masks["boundaries without CTCF"] = boundary & ~at_ctcf
    return {name: np.flatnonzero(mask & usable) for name, mask in masks.items() if (mask & usable).sum() >= FEWEST}


PAIRED_GROUPS = (("CTCF + cohesin, at loops", "CTCF + cohesin, elsewhere"),
                 ("boundaries with CTCF", "boundaries without CTCF"), ("loop_domains", "non_loop_domains"))


def group_table(groups: dict[str, np.ndarray], score: np.ndarray, matching: Matching) -> pd.DataFrame:
    """Every group against matched bins outside it, and the paper's pairs of groups against each other."""
    rows = []
    for name, chosen in groups.items():
        outside = np.ones(len(score), bool)
        outside[chosen] = False
        told = np.isfinite(score)
        own, others = matching.match(chosen[told[chosen]], outside & told)
        rows.append(compare(score, name, own, "matched bins", others))
    rows += [compare(score, one, groups[one], other, groups[other]) for one, other in PAIRED_GROUPS
             if one in groups and other in groups]
    table = pd.DataFrame([vars(row) for row in rows])
    if len(table):
        table["fdr"] = false_discovery_rate(table["p"].to_numpy(np.float64))
    return table


def _mask(index: np.ndarray, n: int) -> np.ndarray:
    mask = np.zeros(n, bool)
    mask[index.ravel()] = True
    return mask
