"""A sample's scores for the summary, each beside what it is to be compared with, from its rows of ``metrics.tsv``."""

from dataclasses import dataclass

import pandas as pd

from ..genome import natural
from .figures import METHOD_NAMES
from .words import distance_band, number

MODELS = ("default", "paper")
YARDSTICKS = ("distance_mean", "svd16", "blur", "replicate")
SCORES = {"pearson_lin": "Pearson r", "scc_h0": "SCC", "r2_cp": "R², prob."}
ANSWERS = {"elements": "Elements", "barriers": "Barriers", "changes": "Changes"}
METRIC_NAMES = {"pearson_lin": "r", "pearson_log": "r, log", "pearson_cp": "r, prob.", "spearman": "Spearman",
                "scc_h0": "SCC", "r2_cp": "R², prob.", "deviance": "Deviance"}
# short ones, for the summary
YARDSTICK_NAMES = {**METHOD_NAMES, "blur": "blur", "svd16": "SVD", "replicate": "training map"}
REPRESENTATION_NAMES = {"pca": "PCA", "sci": "SCI", "sniper_intra": "SNIPER"}
OURS = "hiclstm"
CLASSIFIERS = ("xgboost", "linear")
# The kinds of simulated rearrangements that the mean of "changes" is over.
CHANGES = ("barrier", "flip", "deletion", "duplication", "inversion")
# What says which bins are barriers, the best first: truth of a simulation, then where CTCF and cohesin bind.
BARRIERS = (("auroc_barrier", "truth", "all", "true barriers"),
            ("auroc_matched", "", "CTCF + cohesin, at loops", "CTCF + cohesin at loops"),
            ("auroc_matched", "", "ctcf", "CTCF peaks"))


@dataclass(frozen=True)
class Score:
    """A model's figure with what it is to be compared with, as text; ``beaten`` where a yardstick is better."""

    value: str
    yardstick: str = ""
    ceiling: str = ""
    beaten: bool = False


def target_of(scored: pd.DataFrame, replicate: str) -> str | None:
    """What the summary scores on: another replicate, else the truth, else the training map, else another cell type."""
    targets = list(dict.fromkeys(scored.loc[scored["metric"].isin(SCORES), "against"]))

    def rank(name: str) -> int:
        if name in (replicate, "truth"):
            return 2 if name == replicate else 1
        return 3 if "_" in name else 0  # another cell type is named <cell type>_<replicate>

    return min(targets, key=rank, default=None)


def target_name(target: str, replicate: str) -> str:
    """The words for a value of ``against``."""
    if target == replicate:
        return "training map"
    return target if target == "truth" or "_" in target else f"replicate {target}"


def reconstruction(rows: pd.DataFrame, target: str | None, method: str) -> dict[str, Score]:
    """``SCORES`` of a sample on one target, beside the best yardstick and the ceiling."""
    overall = rows[(rows["stage"] == "reconstruct") & (rows["against"] == target) & (rows["stratum"] == "all")]
    scores = {}
    for metric in SCORES:
        values = _by_method(overall[overall["metric"] == metric])
        if method in values:
            known = {name: values[name] for name in YARDSTICKS if name in values}
            best = max(known, key=known.get) if known else None
            scores[metric] = Score(value=f"{values[method]:.3f}",
                                   yardstick=f"{YARDSTICK_NAMES[best]} {known[best]:.3f}" if best else "",
                                   ceiling=f"{values['ceiling']:.3f}" if "ceiling" in values else "",
                                   beaten=bool(best) and known[best] > values[method])
    return scores


def answers(rows: pd.DataFrame, method: str) -> dict[str, Score]:
    """The figures of ``ANSWERS`` that a sample's rows hold."""
    found = {"elements": _elements(rows[rows["stage"] == "classify"]), "barriers": _barriers(rows, method),
             "changes": _changes(rows[rows["stage"] == "perturb"], method)}
    return {name: score for name, score in found.items() if score is not None}


def _elements(rows: pd.DataFrame) -> Score | None:
    """Mean average precision, mean over the elements, beside the best other representation on the same elements."""
    rows = rows[(rows["metric"] == "map") & (rows["value"] != "")]
    for classifier in CLASSIFIERS:
        table = rows[rows["method"].str.endswith(f"-{classifier}")].astype({"value": float})
        table = table.pivot_table(index="stratum", columns="method", values="value")
        own = f"{OURS}-{classifier}"
        if own in table:
            means = table[table[own].notna()].dropna(axis="columns").mean()
            others = means.drop(own)
            best = others.idxmax() if len(others) else None
            kind = best.removesuffix(f"-{classifier}") if best else ""
            return Score(f"{means[own]:.3f}", f"{REPRESENTATION_NAMES.get(kind, kind)} {others[best]:.3f}" if best else "",
                         beaten=bool(best) and others[best] > means[own])
    return None


def _barriers(rows: pd.DataFrame, method: str) -> Score | None:
    """AUROC of barriers against other bins, by what their loss costs the map."""
    for metric, against, stratum, words in BARRIERS:
        here = _by_method(rows[rows["stage"].isin(["attribute", "perturb"]) & (rows["metric"] == metric)
                               & (rows["against"] == against) & (rows["stratum"] == stratum)])
        for name in (f"{method}-barrier_cost", f"{method}-knockout", method):
            if name in here:
                return Score(f"{here[name]:.3f}", words)
    return None


def _changes(rows: pd.DataFrame, method: str) -> Score | None:
    """On simulated rearrangements r of predicted and true change, mean over ``CHANGES``; else variants beyond chance."""
    told = rows[(rows["metric"] == "pearson_delta") & (rows["against"] == "truth") & rows["stratum"].isin(CHANGES)]
    own, moved = (told[told["method"] == name] for name in (method, "rearranged_pixels"))
    if len(own):
        mean, beside = own["value"].astype(float).mean(), moved["value"].astype(float).mean()
        return Score(f"{mean:.3f}", f"pixels moved {beside:.3f}" if len(moved) else "", beaten=beside > mean)
    count = {metric: _by_method(rows[rows["metric"] == metric]).get(method)
             for metric in ("variants_read", "variants_beyond_chance")}
    if count["variants_read"]:
        return Score(f"{count['variants_beyond_chance'] or 0:.0f} of {count['variants_read']:.0f}",
                     "variants beyond chance")
    return None


def _by_method(rows: pd.DataFrame) -> dict[str, float]:
    return {row.method: float(row.value) for row in rows.itertuples() if row.value}


def score_tables(scored: pd.DataFrame, replicate: str, first: str | None) -> list[dict]:
    """For each target one table, that of ``first`` before the others: methods down; the metrics overall, then Pearson r
    by distance, across."""
    tables = []
    for target in sorted(scored["against"].unique(), key=lambda name: name != first):
        own = scored[scored["against"] == target]
        overall = own[own["stratum"] == "all"]
        bands = own[(own["stratum"] != "all") & (own["metric"] == "pearson_lin")]
        metrics = [name for name in METRIC_NAMES if name in set(overall["metric"])]
        if not metrics:
            continue
        strata = sorted(set(bands["stratum"]), key=natural)
        held = {(row.method, row.metric): row.value for row in overall.itertuples()}
        held |= {(row.method, row.stratum): row.value for row in bands.itertuples()}
        scored_here = {method for method, _ in held if any((method, name) in held for name in metrics + strata)}
        methods = [name for name in METHOD_NAMES if name in scored_here]
        methods += sorted(scored_here - set(methods))
        tables.append({
            "caption": f"Scored on: {target_name(target, replicate)}",
            "columns": [METRIC_NAMES[name] for name in metrics] + [f"r, {distance_band(name)}" for name in strata],
            "rows": [(METHOD_NAMES.get(method, method),
                      [number(held.get((method, name), "")) for name in metrics + strata]) for method in methods]})
    return tables
