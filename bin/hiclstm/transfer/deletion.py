"""Does a model tuned on the wild type foretell what a deletion does? Predicted against observed changes of contacts.

Both are changes beyond distance, of the same pairs of loci: all of the region whose bins were measured before and after,
whether the deletion lies between them or not (predicted is then no change). Observed is the logarithm of the counts after
over the counts before. The same primers were used, so their efficiencies fall out; depth is matched on the pairs that the
deletion does not lie between; and what the new distance alone does, by the tuned model's distance curve, is taken off.
"""

from dataclasses import dataclass

import numpy as np

from ..contacts import ContactMap
from ..perturbation.edits import Variant, chromosome_of
from ..perturbation.readings import Reader, Reading
from ..training.thinning import row_blocks

LEAST_COUNTS = 10  # of both maps together, for a pair to be compared
SIGN_FROM = 0.1  # log change: the sign of smaller true changes is not asked for
BLOCK = 5  # bins: neighbouring pairs are not independent, so intervals resample squares of pairs
RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Change:
    """Predicted and measured changes beyond distance of the pairs across a deletion.

    Attributes
    ----------
    bin1, bin2 : int64 [pairs], reference bins
    distance : int64 [pairs], in bins, on the rearranged chromosome
    across : bool [pairs], whether the deletion lies between the two
    predicted : method → float64 [pairs]
    known : what it is compared with (``observed``, ``truth``) → float64 [pairs]
    """

    bin1: np.ndarray
    bin2: np.ndarray
    distance: np.ndarray
    across: np.ndarray
    predicted: dict[str, np.ndarray]
    known: dict[str, np.ndarray]

    def only_across(self) -> "Change":
        """The pairs that the deletion lies between."""
        own = self.across
        return Change(self.bin1[own], self.bin2[own], self.distance[own], self.across[own],
                      {method: values[own] for method, values in self.predicted.items()},
                      {what: values[own] for what, values in self.known.items()})


def change(variant: Variant, models: dict, before: ContactMap, after: ContactMap | None,
           true_reader: Reader | None) -> Change:
    """Read a variant from each model, and from what is known of it.

    Parameters
    ----------
    models : method → trained model; the first is the tuned one, whose distance curve is used on the observed maps
    before, after : the map tuned on, and that of the cells with the variant, on the bins of the first model
    true_reader : of the simulated truth (its bins may be of more chromosomes)
    """
    first = next(iter(models.values()))
    bins = first.bins
    name = chromosome_of(bins, variant.span[0])
    span = bins.span(name)
    usable = np.flatnonzero(before.usable[span])
    reach = max(variant.span[0] - span.start - int(usable[0]), int(usable[-1]) + 1 - (variant.span[1] - span.start), 1)
    readings = {method: _read(model, bins, name, variant, reach) for method, model in models.items()}
    tuned = next(iter(readings.values()))
    order = tuned.order
    i, d = np.nonzero(np.isfinite(tuned.before) & np.isfinite(tuned.after))
    pairs = (d > 0) & before.usable[order[i]] & before.usable[order[i + d]]
    known = {}
    if after is not None:
        observed, told = _observed(before, after, name, span, tuned, i, d)
        pairs &= told
        known["observed"] = observed
    if true_reader is not None:
        true = _read(true_reader, bins, name, variant, reach)
        known["truth"] = _beyond(true, i, d)
        pairs &= np.isfinite(known["truth"])
    predicted = {method: _beyond(reading, i, d) for method, reading in readings.items()}
    for values in predicted.values():
        pairs &= np.isfinite(values)
    i, d = i[pairs], d[pairs]
    return Change(order[i], order[i + d], d, tuned.crossing[i, d],
                  {method: values[pairs] for method, values in predicted.items()},
                  {what: values[pairs] for what, values in known.items()})


def _read(model, bins, name: str, variant: Variant, reach: int) -> Reading:
    """The variant read from a model, or from the reader of a truth, that may number its bins otherwise."""
    reader = model if isinstance(model, Reader) else Reader(model)
    by = reader.bins.span(name).start - bins.span(name).start
    return reader.read(variant.moved(by), reach)


def _beyond(reading: Reading, i: np.ndarray, d: np.ndarray) -> np.ndarray:
    return reading.change_beyond_distance[i, d].astype(np.float64)


def _observed(before: ContactMap, after: ContactMap, name: str, span: slice, tuned: Reading, i, d):
    """Log of counts after over before beyond distance, and whether there are enough of both: float64 and bool [pairs]."""
    width = int(np.ptp(tuned.order)) + 1
    first = int(tuned.order.min()) - span.start
    counts = []
    for contact_map in (before, after):
        bands = [(rows, exposure, values) for rows, exposure, values in row_blocks(contact_map, name, width)]
        counts.append((np.concatenate([exposure for _, exposure, _ in bands])[first:first + width],
                       np.concatenate([values for _, _, values in bands])[first:first + width]))
    a, b = tuned.order[i] - span.start - first, tuned.order[i + d] - span.start - first
    low, apart = np.minimum(a, b), np.abs(a - b)
    ratio = np.log((counts[1][1] + 0.5) / (counts[0][1] + 0.5))
    enough = (counts[0][0] > 0) & (counts[1][0] > 0) & (counts[0][1] + counts[1][1] >= LEAST_COUNTS)
    rows, distances = np.nonzero(enough)
    place = np.searchsorted(tuned.order, rows + span.start + first), np.searchsorted(
        tuned.order, np.minimum(rows + distances + span.start + first, tuned.order[-1]))
    beside = ~tuned.crossing[place[0], np.maximum(place[1] - place[0], 0)] & (distances > 0)
    depth = np.median(ratio[rows[beside], distances[beside]]) if beside.any() else 0.0
    return ratio[low, apart] - depth - tuned.distance_alone[i, d], enough[low, apart]


@dataclass(frozen=True)
class Agreement:
    """How well predicted changes agree with known ones.

    Attributes
    ----------
    pearson, low, high : correlation over pairs with a 95 % interval (squares of pairs resampled)
    sign : share of pairs with a known change beyond 0.1 whose sign is right
    null_low, null_high : middle 95 % of the correlation when known changes change places among pairs at one distance
    p : share of such shuffles that correlate as well
    pairs : how many
    """

    pearson: float
    low: float
    high: float
    sign: float
    null_low: float
    null_high: float
    p: float
    pairs: int


def agreement(found: Change, method: str, known: str, seed: int) -> Agreement:
    """Compare one method's changes with what is known."""
    x, y = found.predicted[method], found.known[known]
    if len(x) < 3 or np.ptp(y) == 0:
        return Agreement(*[np.nan] * 7, len(x))
    random = np.random.default_rng(seed)
    large = np.abs(y) > SIGN_FROM
    sign = float((np.sign(x[large]) == np.sign(y[large])).mean()) if large.any() else np.nan
    _, block = np.unique((found.bin1 // BLOCK) * np.int64(1 << 32) + found.bin2 // BLOCK, return_inverse=True)
    sums = np.stack([np.bincount(block, values) for values in (np.ones(len(x)), x, y, x * x, y * y, x * y)])
    drawn = random.multinomial(sums.shape[1], np.full(sums.shape[1], 1 / sums.shape[1]), RESAMPLES)
    low, high = np.nanpercentile(_correlation(*(drawn @ sums.T).T), [2.5, 97.5])
    order = np.argsort(found.distance, kind="stable")
    _, edges = np.unique(found.distance[order], return_index=True)
    strata = np.split(order, edges[1:])
    null = np.empty(RESAMPLES)
    for k in range(RESAMPLES):
        shuffled = y.copy()
        for stratum in strata:
            shuffled[stratum] = y[random.permutation(stratum)]
        null[k] = _correlation(len(x), x.sum(), shuffled.sum(), (x * x).sum(), (y * y).sum(), (x * shuffled).sum())
    r = float(_correlation(len(x), x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum()))
    null_low, null_high = np.percentile(null, [2.5, 97.5])
    p = (1 + int((null >= r).sum())) / (1 + RESAMPLES)
    return Agreement(r, float(low), float(high), sign, float(null_low), float(null_high), p, len(x))


def _correlation(n, x, y, xx, yy, xy):
    """Pearson's from sums; 0 where a side does not vary."""
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y))
    return np.where((n * xx - x * x > 1e-12 * n * xx) & (n * yy - y * y > 1e-12 * n * yy), r, 0.0)

