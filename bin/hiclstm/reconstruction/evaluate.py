"""A model's map scored against observed maps, beside every yardstick: the rows of metrics.tsv, and what plots need."""

import sys
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..contacts import ContactMap
from ..errors import InputError
from ..genome import match_name
from ..metrics import MetricsTable
from . import domains, loops, yardsticks
from .scores import (
    BLOCKS,
    FIELDS,
    LEAST_PAIRS,
    Score,
    Target,
    ceiling,
    compare,
    stratum_scores,
    summarise,
)

FEWEST_BINS = 20  # usable bins without which a chromosome is not scored
LOWER_IS_BETTER = ("deviance",)


@dataclass(frozen=True, eq=False)
class Against:
    """A map to score against, and what to call it: the replicate's name, or ``truth`` for a noiseless map."""

    label: str
    contacts: ContactMap
    noiseless: bool = False

    @property
    def counted(self) -> bool:
        """Whether its raw counts are known, so that sampling noise and deviance are."""
        return not self.noiseless and bool(self.contacts.facts.get("raw", True))


@dataclass(eq=False)
class Evaluation:
    """What figures are drawn from.

    Attributes
    ----------
    method : the model's name
    sigma : the blur chosen on held-out contacts, in bins
    by_distance : a row for each against, method, chromosome and distance in bp: n and the stratum's scores
    frames : a row for each against and distance in bins: n, mean absolute error of log(v + 1) and of CP of the model
    insulation : by chromosome, a table of bin starts, observed maps and the prediction (window of 10 bins)
    """

    method: str
    sigma: float
    by_distance: pd.DataFrame
    frames: pd.DataFrame
    insulation: dict[str, pd.DataFrame] = field(default_factory=dict)


def label_of(contact_map: ContactMap, other: ContactMap) -> str:
    """What scores against ``other`` are labelled with: its replicate; its cell type too where that is another one."""
    cell_type, replicate = (str(other.facts.get(key, "")) for key in ("cell_type", "replicate"))
    return replicate if cell_type == str(contact_map.facts.get("cell_type", "")) else f"{cell_type}_{replicate}"


def check_matching(contact_map: ContactMap, other: ContactMap, name: str) -> None:
    """Refuse a map with other windows than the one trained on, or with no chromosome in common."""
    here, there = contact_map.bins, other.bins
    if here.resolution != there.resolution:
        raise InputError(f"{name}: its resolution is {there.resolution} bp, the map trained on has "
                         f"{here.resolution} bp")
    shared = [chromosome for chromosome in here.chromosomes if match_name(chromosome, there.chromosomes)]
    if not shared:
        raise InputError(f"{name}: has chromosomes {', '.join(there.chromosomes)}, none of those trained on "
                         f"({', '.join(here.chromosomes)})")
    for chromosome in shared:
        spans = [bins.span(chromosome) for bins in (here, there)]
        lengths = [span.stop - span.start for span in spans]
        if lengths[0] != lengths[1]:
            raise InputError(f"{name}: {chromosome} has {lengths[1]} bins, in the map trained on it has {lengths[0]}; "
                             "are they of one assembly?")


def evaluate(contact_map: ContactMap, predicted_band, method: str, width: int | None, againsts: list[Against],
             metrics: MetricsTable, *, refined_band=None, called_loops: dict | None = None, frame: int = 150,
             seed: int = 1) -> Evaluation:
    """Score a model and all yardsticks; figures go into ``metrics``.

    Parameters
    ----------
    contact_map : the map trained on: what the yardsticks are made from
    predicted_band : function of a chromosome's name: float32 [n, width], the model's expected balanced contacts
    method : the model's name (``default``, ``paper``)
    width : distances in bins, None for whole chromosomes
    againsts : what to score against; the map trained on may be among them
    refined_band : the same function for the refined map (:mod:`.refined`), or None
    called_loops : from :func:`loops.read_loops`
    frame : bins after which the model's states start afresh
    """
    bins = contact_map.bins
    chromosomes = [name for name in bins.chromosomes if contact_map.usable[bins.span(name)].sum() >= FEWEST_BINS]
    for name in set(bins.chromosomes) - set(chromosomes):
        print(f"{name}: fewer than {FEWEST_BINS} usable bins, not scored", file=sys.stderr)
    if not chromosomes:
        raise InputError(f"no chromosome has {FEWEST_BINS} usable bins: there is nothing to score")
    longest = max(bins.span(name).stop - bins.span(name).start for name in chromosomes)
    limit = longest if width is None else width
    sigma = yardsticks.choose_sigma(contact_map, limit, seed)
    sums = _Sums({against.label: {} for against in againsts})
    crossing: dict[tuple, list] = {}
    around: dict[str, list] = {}
    tracks: dict[str, pd.DataFrame] = {}
    for name in chromosomes:
        n = bins.span(name).stop - bins.span(name).start
        wide = contact_map.balanced_band(name, min(n, limit + yardsticks.MARGIN))
        trained = wide[:, :min(n, limit)]
        targets = {against.label: _target(against, name, trained, contact_map, 1 if len(chromosomes) >= 4 else BLOCKS)
                   for against in againsts}
        targets = {label: target for label, target in targets.items() if target is not None}
        tracks[name] = pd.DataFrame({"start": np.arange(n) * bins.resolution})
        for label, target in targets.items():
            tracks[name][f"observed {label}"] = domains.insulation(_masked(target.band, trained), 10)
        missing = ~np.isfinite(trained)
        for made_by, band, probability in _predictions(contact_map, {method: predicted_band, "refined": refined_band}, name,
                                                       wide, trained):
            other_blur = made_by.startswith("blur ") and made_by != f"blur {sigma:g}"
            for label, target in targets.items():
                if made_by != "replicate" or not _is_trained_on(contact_map, label, againsts):
                    sums.add(label, made_by, name, compare(
                        band, target, probability=probability, ranked=not other_blur), target)
            if other_blur:
                continue
            shown = np.where(missing, np.nan, band)
            plain = made_by.split()[0]
            _compare_insulation(shown, targets, plain, bins.resolution, crossing)
            if plain == method:
                tracks[name]["predicted"] = domains.insulation(shown, 10)
            if called_loops and name in called_loops:
                around.setdefault(plain, []).append(loops.windows_around(shown, called_loops[name]))
        rng = np.random.default_rng(seed)
        smooth = yardsticks.blur(wide, sigma, trained.shape[1])
        for against in againsts:
            if against.label in targets and against.counted and against.contacts is not contact_map:
                target = targets[against.label]
                sums.add(against.label, "ceiling", name, ceiling(target, smooth, rng), target)
    frames = []
    strata = []
    for against in againsts:
        found = sums.of[against.label]
        if not found:
            raise InputError(f"map {against.label}: has none of the chromosomes that can be scored "
                             f"({', '.join(chromosomes)})")
        strata.append(_write_scores(found, sums.centres[against.label], against.label, sigma, bins.resolution, method,
                                    metrics, seed))
        frames.append(_frame_errors(found[method], against.label, frame, metrics, method))
    for (label, made_by, window), pairs in crossing.items():
        value, number = domains.correlation(*(np.concatenate(part) for part in zip(*pairs, strict=True)))
        metrics.add(made_by, "insulation", value, against=label, stratum=window, n=number)
    for made_by, windows in around.items():
        windows = np.concatenate(windows)
        low, high = loops.corner_interval(windows, seed)
        metrics.add(made_by, "apa", loops.corner_score(windows), low=low, high=high, n=len(windows))
    return Evaluation(method, sigma, pd.concat(strata, ignore_index=True), pd.concat(frames, ignore_index=True), tracks)


class _Sums:
    """Sums of every target, method and chromosome, as they come."""

    def __init__(self, of: dict[str, dict]):
        self.of = of
        self.centres: dict[str, dict] = {label: {} for label in of}

    def add(self, label: str, method: str, chromosome: str, sums: np.ndarray, target: Target) -> None:
        self.of[label].setdefault(method, {})[chromosome] = sums
        self.centres[label][chromosome] = target.centres


def _target(against: Against, chromosome: str, trained, contact_map: ContactMap, blocks: int) -> Target | None:
    other = against.contacts
    name = match_name(chromosome, other.bins.chromosomes)
    if name is None:
        return None
    weight = other.weight[other.bins.span(name)] if against.counted else None
    observed = other.balanced_band(name, trained.shape[1])
    return Target.build(trained, observed, weight=weight, scale=contact_map.probability_scale, blocks=blocks)


def _is_trained_on(contact_map: ContactMap, label: str, againsts: list[Against]) -> bool:
    return any(against.label == label and against.contacts is contact_map for against in againsts)


def _predictions(contact_map: ContactMap, band_of: dict, chromosome: str, wide, trained):
    """Each prediction in turn: its name (blurs as ``blur SIGMA``), its band, its own CP by distance or None."""
    width = trained.shape[1]
    for name, predicted_band in band_of.items():
        if predicted_band is not None:
            yield name, np.asarray(predicted_band(chromosome))[:, :width], None
    yield "replicate", trained, None
    yield "distance_mean", yardsticks.distance_mean(trained), yardsticks.mean_probability(
        trained, contact_map.probability_scale)
    yield "svd16", yardsticks.svd16(contact_map, chromosome, width), None
    for sigma in yardsticks.SIGMAS:
        yield f"blur {sigma:g}", yardsticks.blur(wide, sigma, width), None


def _masked(band: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """``band`` where all the others have values too."""
    told = np.logical_and.reduce([np.isfinite(other) for other in others])
    return np.where(told, band, np.nan)


def _compare_insulation(band, targets: dict[str, Target], method: str, resolution: int, crossing: dict) -> None:
    for window_name, window in domains.windows(resolution).items():
        near = slice(0, 2 * window + 1)
        for label, target in targets.items():
            observed = _masked(target.band[:, near], band[:, near])
            predicted = _masked(band[:, near], observed)
            crossing.setdefault((label, method, window_name), []).append(
                (domains.insulation(predicted, window), domains.insulation(observed, window)))


def _write_scores(found: dict, centres: dict, label: str, sigma: float, resolution: int, method: str,
                  metrics: MetricsTable, seed: int) -> pd.DataFrame:
    """All scores of one target into ``metrics``; returns the strata, blurs reduced to ``blur`` and ``blur_best``."""
    def scores_of(name: str, intervals: bool = True) -> dict[tuple, Score]:
        listed = summarise(list(found[name].values()), [centres[chromosome] for chromosome in found[name]], resolution,
                           seed if intervals else None)
        return {(score.metric, score.stratum): score for score in listed}

    blurs = [name for name in found if name.startswith("blur ")]
    tables = {name: _strata(found[name], resolution) for name in found}
    scored = {name: scores_of(name) for name in found if name not in blurs}
    scored["blur"] = scores_of(f"blur {sigma:g}")
    tables["blur"] = tables[f"blur {sigma:g}"]
    if "replicate" in found:  # on the map trained on, the best blur would be the narrowest
        # The hardest yardstick: for each metric and band the best of all sigmas, chosen on the target itself.
        every = [scores_of(name, intervals=False) for name in blurs]
        scored["blur_best"] = {
            key: (min if key[0] in LOWER_IS_BETTER else max)((rows[key] for rows in every if key in rows), key=_value)
            for key in scored["blur"] if key[0] != "spearman"}
        best = tables["blur"].copy()
        for column in best.columns.difference(["chromosome", "distance", "n", "spearman"]):
            best[column] = np.fmax.reduce([tables[name][column].to_numpy() for name in blurs])
        tables["blur_best"] = best.assign(spearman=np.nan)
    for name, rows in scored.items():
        for score in rows.values():
            metrics.add(name, score.metric, score.value, against=label, stratum=score.stratum, low=score.low,
                        high=score.high, n=score.n)
    for yardstick, metric in (("replicate", "strata_above_replicate"), ("blur_best", "strata_above_best_blur")):
        for name in (method, "refined", "svd16", "blur"):
            if name in scored and yardstick in scored and (name, yardstick) != ("blur", "blur_best"):
                ours, theirs = tables[name]["pearson_cp"].to_numpy(), tables[yardstick]["pearson_cp"].to_numpy()
                told = np.isfinite(ours) & np.isfinite(theirs)
                metrics.add(name, metric, float((ours > theirs)[told].mean()), against=label, n=int(told.sum()))
    return pd.concat([tables[name].assign(against=label, method=name) for name in scored], ignore_index=True)


def _value(score: Score) -> float:
    return score.value


def _strata(by_chromosome: dict[str, np.ndarray], resolution: int) -> pd.DataFrame:
    """Scores of each stratum with enough pairs."""
    parts = []
    for chromosome, sums in by_chromosome.items():
        scores = stratum_scores(sums.sum(axis=0))
        table = pd.DataFrame({"chromosome": chromosome, "distance": np.arange(sums.shape[1]) * resolution, **scores})
        parts.append(table[table["n"] >= LEAST_PAIRS])
    return pd.concat(parts, ignore_index=True)


def _frame_errors(by_chromosome: dict[str, np.ndarray], label: str, frame: int, metrics: MetricsTable,
                  method: str) -> pd.DataFrame:
    """Mean absolute errors by distance in bins, and the rise of error where a frame starts.

    ``frame_seam`` is the mean absolute log error of the first ten positions of frames over that of the last ten
    positions of the frames before, their neighbours in distance: 1 where a new frame costs nothing.
    """
    longest = max(part.shape[1] for part in by_chromosome.values())
    totals = np.zeros((longest, 3))
    for part in by_chromosome.values():
        whole = part.sum(axis=0)
        totals[:whole.shape[0]] += whole[:, [FIELDS.index(name) for name in ("n", "log_error", "cp_error")]]
    distance = np.flatnonzero(totals[:, 0] >= LEAST_PAIRS)
    number = totals[distance, 0]
    table = pd.DataFrame({"against": label, "distance_bins": distance, "frame": distance // frame,
                          "position": distance % frame, "n": number.astype(int),
                          "log_error": totals[distance, 1] / number, "cp_error": totals[distance, 2] / number})
    after = table[(table["frame"] >= 1) & (table["position"] < 10)]
    before = table[table["frame"].isin(after["frame"] - 1) & (table["position"] >= frame - 10)]
    if len(after) and len(before):
        metrics.add(method, "frame_seam", after["log_error"].mean() / before["log_error"].mean(), against=label,
                    n=int(after["frame"].nunique()))
    return table
