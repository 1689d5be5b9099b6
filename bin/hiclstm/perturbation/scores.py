"""Are predicted effects true? The simulator answers: it renders the rearranged chromosome from the same truth.

The truth is put behind the same engine as a model (:class:`TrueModel`), so that both are asked the same question in the
same form, and differences are compared on the same lifted pairs. What is compared is the change **beyond distance**:
what distance alone changes is right for any model that knows the distance curve, and would hide everything else.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from ..errors import InputError
from ..genome import Bins
from ..simulation import KINDS_OF_CASE, Case, Chromosome, expected_contacts, random_cases, sites_and_controls
from ..simulation.cases import FLANK_BINS
from ..simulation.data_set import Plan, simulate_cell_type
from ..simulation.rendering import MARGIN as TRUE_MARGIN
from .duplication import collapsed_changes, moved_apart
from .edits import KNOCKOUTS, Deletion, Duplication, Inversion, Replacement, Variant, chromosome_of, knockout
from .effects import measure
from .readings import LEAST, Reader, Reading

FARTHEST = 120  # bins: pairs farther apart on the rearranged chromosome are not scored
FARTHEST_BEFORE = 150  # nor those this far apart in the wild type
SIGN_FROM = 0.1  # log change: the sign of smaller true changes is not asked for
RESAMPLES = 1000


class TrueModel:
    """The simulator's truth with a model's interface: a bin's vector is what stands in it.

    Vectors are [forward site, reverse site, two of the compartment profile]; on the other strand the sites swap.
    """

    def __init__(self, chromosomes: dict[str, Chromosome], bins: Bins, kind: str):
        self.bins, self.kind, self.chromosomes = bins, kind, chromosomes
        self.usable = np.concatenate([chromosomes[name].mappable for name in bins.chromosomes])
        self.representations = np.concatenate([
            np.column_stack([chromosomes[name].forward, chromosomes[name].reverse, chromosomes[name].profile])
            for name in bins.chromosomes]).astype(np.float32)

    @classmethod
    def load(cls, path, cell_type: str, bins: Bins) -> "TrueModel | None":
        """The truth of a simulated cell type from its ``truth.json``, for a model's chromosomes; None at other bins."""
        try:
            facts = json.loads(Path(path).read_text())
            plan = Plan(facts["chromosomes"], facts["bins"], facts["resolution"], facts["seed"], (cell_type,),
                        facts["kind"], facts["reads_per_bin"])
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise InputError(f"{path}: is no truth.json of simulate_contacts.py ({problem!r})") from None
        if plan.resolution != bins.resolution:
            return None
        absent = [name for name in bins.chromosomes if name not in plan.genome_bins.chromosomes]
        if absent:
            raise InputError(f"{path}: the truth has no chromosome {', '.join(absent)} (it has "
                             f"{', '.join(plan.genome_bins.chromosomes)})")
        truth = simulate_cell_type(plan, cell_type)
        return cls({name: truth[name] for name in bins.chromosomes}, bins, plan.kind)

    def expected_band(self, chromosome: str, width: int | None = None) -> np.ndarray:
        return self.expected_band_of(self.representations[self.bins.span(chromosome)], width)

    def expected_band_of(self, representations: np.ndarray, width: int | None = None, strand=None) -> np.ndarray:
        forward, reverse = representations[:, 0].astype(np.float64), representations[:, 1].astype(np.float64)
        if strand is not None:
            forward, reverse = np.where(strand > 0, forward, reverse), np.where(strand > 0, reverse, forward)
        n = len(representations)
        chromosome = Chromosome(forward, reverse, representations[:, 2:].astype(np.float64), np.zeros(n, np.int8),
                                np.ones(n))
        return expected_contacts(chromosome, width, kind=self.kind)


@dataclass(frozen=True)
class Agreement:
    """Predicted against true change beyond distance over the scored pairs of one case.

    ``pearson`` 0 where the prediction does not vary; ``sign`` share of pairs with |true change| > 0.1 whose sign is
    right; ``skill`` 1 - squared error over that of predicting no change; ``size`` predicted over true root mean square.
    """

    pearson: float
    sign: float
    skill: float
    size: float

    @classmethod
    def of(cls, predicted: np.ndarray, true: np.ndarray) -> "Agreement":
        told = np.isfinite(predicted) & np.isfinite(true)
        predicted, true = predicted[told].astype(np.float64), true[told].astype(np.float64)
        if len(true) < 2:
            return cls(np.nan, np.nan, np.nan, np.nan)
        large = np.abs(true) > SIGN_FROM
        varies = predicted.std() > 1e-9 and true.std() > 1e-9
        return cls(float(np.corrcoef(predicted, true)[0, 1]) if varies else 0.0,
                   float((np.sign(predicted[large]) == np.sign(true[large])).mean()) if large.any() else np.nan,
                   float(1 - ((predicted - true)**2).sum() / (true**2).sum()),
                   float(np.sqrt((predicted**2).sum() / (true**2).sum())))


def variants_of(case: Case, first: int, donors: dict[int, np.ndarray], strands: bool = True) -> dict[str, Variant]:
    """The edits that put a case's question to a model, by stratum: the main one under the case's kind.

    Parameters
    ----------
    first : the first bin of the case's chromosome
    donors : for each bin with a site, the mean vector of the bins with a site of the other orientation, by which the
        paper flips sites
    strands : whether the model sees a bin's strand; if not, flips by replacement are the main ones
    """
    if case.kind == "barrier":
        site = first + case.removed[0]
        edits = {"barrier" if method == "shift" else f"barrier:{method}": knockout(site, site + 1, method)
                 for method in KNOCKOUTS}
    elif case.kind == "flip":
        site = first + case.flipped[0]
        edits = {"flip": Inversion(site, site + 1)}
        if donors:
            edits["flip:replacement" if strands else "flip"] = Replacement(site, site + 1, donors[site])
    else:
        edit = {"deletion": Deletion, "duplication": Duplication, "inversion": Inversion}[case.kind]
        edits = {case.kind: edit(first + case.segment[0], first + case.segment[1])}
    return {stratum: Variant(stratum, (edit,)) for stratum, edit in edits.items()}


def true_variant(case: Case, first: int, truth: TrueModel) -> Variant:
    """What really happens: a removed site's bin stays and loses the site; a flipped one's is turned round."""
    if case.kind == "barrier":
        site = first + case.removed[0]
        without = truth.representations[site].copy()
        without[:2] = 0
        return Variant("true", (Replacement(site, site + 1, without),))
    return variants_of(case, first, {})[case.kind]


def score_cases(reader: Reader, truth: TrueModel, per_kind: int, seed: int) -> pd.DataFrame:
    """Score the model and the baselines on random cases of every kind: one row a case, method and stratum.

    Baselines: ``rearranged_pixels``, the true wild-type pixels moved along and the expected at the new distance where
    a pair moved apart (stronger than the observed pixels a user has); ``random_locus``, the model's change for
    the same edit elsewhere; ``no_change``.
    """
    true_reader = Reader(truth, TRUE_MARGIN)
    random = np.random.default_rng(seed)
    rows = []
    config = getattr(reader.model, "config", None)  # the truth, put in a model's place, has none and has strands
    model, strands = ("model", True) if config is None else (config.name, config.strands)
    share = -(-per_kind // len(truth.bins.chromosomes))
    cases = [(name, case) for name in truth.bins.chromosomes
             for case in random_cases(truth.chromosomes[name], random, KINDS_OF_CASE, share)]
    for at, (name, case) in enumerate(tqdm(cases, desc="cases with a known answer", mininterval=5, disable=None)):
        span = truth.bins.span(name)
        first = span.start
        true = true_reader.read(true_variant(case, first, truth), FLANK_BINS)
        scored = _scored_pairs(true, reader.usable)
        change = true.change_beyond_distance
        donors = _donors(reader, truth)

        def add(method, stratum, predicted, against=None, name=name, at=at, scored=scored, change=change):
            agreement = Agreement.of(predicted[scored], (change if against is None else against)[scored])
            rows.append({"case": at, "chromosome": name, "method": method, "stratum": stratum, **vars(agreement)})

        for stratum, variant in variants_of(case, first, donors, strands).items():
            reading = reader.read(variant, FLANK_BINS)
            predicted = reading.change_beyond_distance.copy()
            predicted[_of_removed(reading)] = np.nan  # a shifted site has none, so no method is scored on them
            add(model, stratum, lifted(reading, predicted, true))
            if stratum == case.kind and case.segment is not None:
                add(model, f"{stratum}, distance included", reading.log_change, true.log_change)
                add("distance_alone", f"{stratum}, distance included", reading.distance_alone, true.log_change)
            if stratum == "duplication":
                true_change, changes = collapsed_changes(reader, reading, true_reader, true)
                for method, predicted in {model: changes.pop("model"), **changes}.items():
                    agreement = Agreement.of(predicted, true_change)
                    rows.append({"case": at, "chromosome": name, "method": method,
                                 "stratum": "duplication, collapsed", **vars(agreement)})
            if stratum == case.kind:
                add("random_locus", stratum, _elsewhere(reader, variant, span, true, random))
        pixels = np.where(moved_apart(true.order, true.strand), -_log_over_expected(true, true_reader), 0)
        add("rearranged_pixels", case.kind, pixels)
        add("no_change", case.kind, np.zeros_like(pixels))
    return pd.DataFrame(rows)


def score_barriers(reader: Reader, truth: TrueModel, seed: int, method: str = "shift") -> dict[str, float]:
    """Do knockouts tell bins with a strong site from bins far from any? Area under the curve of the insulation change.

    ``absolute`` by its size, ``signed`` by its value (a lost barrier lets more through); ``sites`` and ``controls`` are
    how many.
    """
    random = np.random.default_rng(seed)
    found = {True: [], False: []}
    for name in truth.bins.chromosomes:
        first = truth.bins.span(name).start
        groups = zip((True, False), sites_and_controls(truth.chromosomes[name], random), strict=True)
        for is_site, numbers in groups:
            for number in numbers + first:
                if not reader.usable[number]:
                    continue
                reading = reader.read(Variant("site", (knockout(int(number), int(number) + 1, method),)), FLANK_BINS)
                found[is_site].append(measure(reading)["insulation_change"])
    sites, controls = (np.array(found[which]) for which in (True, False))
    sites, controls = sites[np.isfinite(sites)], controls[np.isfinite(controls)]
    return {"absolute": area_under_curve(np.abs(sites), np.abs(controls)),
            "signed": area_under_curve(sites, controls), "sites": len(sites), "controls": len(controls)}


def area_under_curve(positive: np.ndarray, negative: np.ndarray) -> float:
    """Probability that a random positive is larger than a random negative (ties count half)."""
    if not len(positive) or not len(negative):
        return np.nan
    greater = (positive[:, None] > negative[None, :]).mean()
    return float(greater + 0.5 * (positive[:, None] == negative[None, :]).mean())


def mean_interval(values, seed: int) -> tuple[float, float, float, int]:
    """Mean over cases, its 95 % bootstrap interval, and how many cases."""
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan, np.nan, 0
    drawn = np.random.default_rng(seed).choice(values, (RESAMPLES, len(values))).mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(values.mean()), float(low), float(high), len(values)


def _of_removed(reading: Reading) -> np.ndarray:
    """bool band: pairs of a position whose vector was knocked out."""
    n = len(reading.removed)
    return reading.removed[:, None] | reading.removed[np.minimum(np.arange(n)[:, None] + np.arange(n), n - 1)]


def lifted(reading: Reading, values: np.ndarray, onto: Reading) -> np.ndarray:
    """A band of one reading at the positions of another: the pairs of the same reference bins, NaN where absent.

    Only where the two differ is a bin looked up by its number, which must then stand once in ``reading``.
    """
    if len(reading.order) == len(onto.order) and (reading.order == onto.order).all():
        return values
    place = {int(number): at for at, number in enumerate(reading.order)}
    at = np.array([place.get(int(number), -1) for number in onto.order])
    n = len(at)
    i, d = np.nonzero(np.arange(n)[:, None] + np.arange(n) < n)
    there = (at[i] >= 0) & (at[i + d] >= at[i])
    i, d = i[there], d[there]
    found = np.full((n, n), np.nan, np.float32)
    found[i, d] = values[at[i], at[i + d] - at[i]]
    return found


def _donors(reader: Reader, truth: TrueModel) -> dict[int, np.ndarray]:
    """For each bin with sites of one orientation, the model's mean vector of bins with only the other."""
    forward, reverse = truth.representations[:, 0], truth.representations[:, 1]
    one = {1: (forward > 0.5) & (reverse == 0) & reader.usable, -1: (reverse > 0.5) & (forward == 0) & reader.usable}
    if not one[1].any() or not one[-1].any():
        return {}
    means = {sign: reader.representations[chosen].mean(0) for sign, chosen in one.items()}
    return {int(number): means[-1 if forward[number] > reverse[number] else 1]
            for number in np.flatnonzero(np.maximum(forward, reverse) > 0)}


def _scored_pairs(true: Reading, usable: np.ndarray) -> np.ndarray:
    """Pairs near enough in both genomes and mappable; of segments, those that moved apart."""
    n = len(true.order)
    i, d = np.arange(n)[:, None], np.arange(n)[None, :]
    j = np.minimum(i + d, n - 1)
    before = np.abs(true.order[j] - true.order[i])
    pairs = (i + d < n) & (d > 0) & (d <= FARTHEST) & (before > 0) & (before < FARTHEST_BEFORE)
    pairs &= usable[true.order][:, None] & usable[true.order[j]]
    changed = moved_apart(true.order, true.strand)
    return pairs & changed if changed.any() else pairs


def _log_over_expected(true: Reading, reader: Reader) -> np.ndarray:
    """Log of the wild type's observed over expected at the lifted pairs."""
    n = len(true.order)
    name = chromosome_of(reader.bins, int(true.order[0]))
    curve = reader.distance_curve(name, n)
    i, d = np.arange(n)[:, None], np.arange(n)[None, :]
    before = np.abs(true.order[np.minimum(i + d, n - 1)] - true.order[i])
    return np.log(np.maximum(true.before, LEAST)) - curve[np.minimum(before, len(curve) - 1)]


def _elsewhere(reader: Reader, variant: Variant, span: slice, true: Reading, random) -> np.ndarray:
    """The model's change for the same edit at a random place of the chromosome, at the positions of ``true``."""
    start, end = variant.span
    room = np.arange(span.start + FLANK_BINS, span.stop - FLANK_BINS - (end - start))
    room = room[np.abs(room - start) > end - start + 2]
    if not len(room):
        return np.full_like(true.before, np.nan)
    reading = reader.read(variant.moved(int(random.choice(room)) - start), FLANK_BINS)
    values, n = reading.change_beyond_distance, len(true.order)
    if len(reading.order) == n:
        return values
    found = np.full((n, n), np.nan, np.float32)  # a knockout by shifting lacks one position: the site's own
    at = np.arange(n)
    site = FLANK_BINS
    place = np.where(at < site, at, at - 1)
    i, d = np.nonzero((at[:, None] + at < n) & (at[:, None] != site) & (at[:, None] + at != site))
    inside = place[i + d] < len(reading.order)
    i, d = i[inside], d[inside]
    found[i, d] = values[place[i], place[i + d] - place[i]]
    return found
