"""As a function of the amount of new data: transfer, training from scratch, no tuning, and the small map itself."""

import sys
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from ..contacts import ContactMap
from ..prediction import TrainedModel
from ..reconstruction.scores import BLOCKS, Target, compare, summarise
from ..training.thinning import balanced_anew, with_counts
from .scratch import from_scratch
from .tuning import Options, Tuned, transfer

METHODS = ("transfer", "scratch", "none", "shallow")
SCORED = ("pearson_lin", "pearson_log", "scc_h0")


@dataclass(eq=False)
class Rung:
    """One amount of new data, and what became of it.

    Attributes
    ----------
    fraction : of the contacts
    contacts : the small map, on the base's bins; balanced from its own counts
    left_out : the map of the contacts left out, not balanced; None where all are used
    tuned : see :class:`Tuned`
    models : ``transfer``, ``scratch``, ``none`` → model
    """

    fraction: float
    contacts: ContactMap
    left_out: ContactMap | None
    tuned: Tuned
    models: dict[str, TrainedModel]

    @cached_property
    def rest(self) -> ContactMap:
        """The contacts left out as a measurement of its own, balanced from its own counts."""
        return balanced_anew(self.left_out)

    def predicted(self, method: str, chromosome: str, width: int) -> np.ndarray:
        """Expected balanced contacts by a method: [n, width]; by the small map itself, what it measured."""
        if method == "shallow":
            return self.contacts.balanced_band(chromosome, width)
        return self.models[method].expected_band(chromosome, width)


def climb(base: TrainedModel, contact_map: ContactMap, fractions, options: Options, scratch_steps: int) -> list[Rung]:
    """Tune and train on ever more of a map's contacts; 1 is the map as it is.

    The contacts of a smaller fraction are among those of every larger one. Strength (of the belief in the base) and the
    factor of the smoothness (from scratch) are chosen on the smallest map alone: neither should depend on depth.

    Parameters
    ----------
    contact_map : on the base's bins (:func:`hiclstm.transfer.part.on_bins`)
    """
    name = str(contact_map.facts.get("sample", "the new map"))
    whole, share, small = np.round(contact_map.counts).astype(np.int64), 1.0, []
    random, drawn = np.random.default_rng(options.seed), whole
    for fraction in sorted(fractions, reverse=True):
        drawn, share = random.binomial(drawn, fraction / share), fraction
        small.append((fraction, drawn))
    rungs: list[Rung] = []
    factor = None
    for fraction, counts in reversed(small):
        shallow, left_out = contact_map, None
        if fraction < 1:
            shallow = balanced_anew(with_counts(contact_map, counts))
            left_out = with_counts(contact_map, whole - counts)
        tuned = transfer(base, shallow, options)
        options = replace(options, strength=tuned.strength)
        scratch, factor = from_scratch(base, shallow, options.max_distance or base.facts.get("max_distance"), scratch_steps,
                                       options.seed, options.threads, factor)
        rungs.append(Rung(fraction, shallow, left_out, tuned, {"transfer": tuned.model, "scratch": scratch, "none": base}))
        print(f"{name}: {fraction:g} of the contacts ({shallow.counts.sum(dtype=np.float64):,.0f}) done", file=sys.stderr)
    return rungs


def scores(rungs: list[Rung], whole: ContactMap, target: ContactMap | None, width: int, seed: int) -> pd.DataFrame:
    """Scores of every method and rung: fraction, method, metric, band (of distances), value, low, high, n.

    Scored are the same pairs for all: usable in every map, at least one bin apart, and not zero in ``whole``. What the
    small map does not see is predicted by it as no contact.

    Parameters
    ----------
    whole : the map with all contacts
    target : a noiseless truth or another measurement, on the base's bins too; None: the contacts each rung leaves out
    """
    rows = []
    for rung in rungs:
        against = rung.rest if target is None else target
        targets = {name: _target(rungs, whole, against, name, width) for name in whole.bins.chromosomes
                   if name in against.bins.chromosomes}
        for method in METHODS:
            sums = [compare(np.nan_to_num(rung.predicted(method, name, own.band.shape[1])), own, ranked=False)
                    for name, own in targets.items()]
            found = summarise(sums, [own.centres for own in targets.values()], whole.bins.resolution, seed)
            rows += [{"fraction": rung.fraction, "method": method, "metric": score.metric, "band": score.stratum,
                      "value": score.value, "low": score.low, "high": score.high, "n": score.n}
                     for score in found if score.metric in SCORED]
    return pd.DataFrame(rows)


def _target(rungs: list[Rung], whole: ContactMap, against: ContactMap, name: str, width: int) -> Target:
    trained, observed = (of.balanced_band(name, width) for of in (whole, against))
    usable = np.logical_and.reduce([rung.contacts.usable[whole.bins.span(name)] for rung in rungs])
    wide = trained.shape[1]
    trained[~usable] = np.nan
    partner = np.concatenate([usable, np.zeros(wide, bool)])
    trained[~np.lib.stride_tricks.sliding_window_view(partner, wide)[:len(usable)]] = np.nan
    return Target.build(trained, observed, blocks=BLOCKS if len(whole.bins.chromosomes) < 4 else 1)
