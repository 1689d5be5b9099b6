"""Scores of a predicted band against an observed one, stratum by stratum, from sums that can be resampled.

A *stratum* is one distance on one chromosome. Scored are the pairs that are usable in both maps, at least one bin
apart and not zero in the map that was trained on; a stratum counts when it has at least 30 of them. All scores come
from sums over (row block, distance), so that resampling whole blocks or chromosomes gives intervals at no cost.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import rankdata

from ..contacts import contact_probability

LEAST_PAIRS = 30
SCC_REACH = 5_000_000
DISTANCE_BANDS = {"0-500000": (0, 500_000), "500000-2000000": (500_000, 2_000_000),
                  "2000000-10000000": (2_000_000, 10_000_000), "10000000-": (10_000_000, np.inf), "all": (0, np.inf)}
SPACES = ("cp", "log", "lin", "rank")
MOMENTS = ("x", "y", "xx", "yy", "xy")
FIELDS = ("n", "squared_error", "deviance", "log_error", "cp_error",
          *(f"{space}_{moment}" for space in SPACES for moment in MOMENTS))
AT = {name: k for k, name in enumerate(FIELDS)}
BLOCKS = 24  # row blocks of a chromosome, for the block bootstrap
RESAMPLES = 200
JACKKNIFE = 10  # groups of rows
LOWEST_COUNT = 0.01  # expected counts below this are raised to it before the deviance, which would be infinite at 0
METRICS = ("r2_cp", "r2_cp_by_distance", "pearson_cp", "pearson_log", "pearson_lin", "spearman", "scc_h0", "deviance")


def beyond(values: np.ndarray, width: int) -> np.ndarray:
    """View [n, width] of ``values`` [n] at partner bins: ``[i, d]`` is ``values[i + d]``, NaN past the end."""
    padded = np.concatenate([values, np.full(width, np.nan)])
    return np.lib.stride_tricks.sliding_window_view(padded, width)[:len(values)]


@dataclass(eq=False)
class Target:
    """One chromosome of a map to be scored against.

    Attributes
    ----------
    band : float32 [n, width], balanced contacts on the scale of the map trained on
    pairs : bool [n, width], the pairs that are scored
    exposure : float64 [n] or None, what each bin multiplies expected balanced contacts by to give this map's raw
        counts (None for a map without counts, as a noiseless truth)
    scale : what balanced values are multiplied by before equation 1
    blocks : edges of the row blocks, length blocks + 1
    """

    band: np.ndarray
    pairs: np.ndarray
    exposure: np.ndarray | None
    scale: float
    blocks: np.ndarray

    def __post_init__(self):
        self.ranks = _ranks(self.band, self.pairs)
        self.centres = np.zeros((len(SPACES), self.band.shape[1]))
        self.centres = self._means()

    @classmethod
    def build(cls, trained: np.ndarray, observed: np.ndarray, *, weight: np.ndarray | None = None, scale: float = 1.0,
              blocks: int = BLOCKS) -> "Target":
        """Match ``observed`` to the map trained on: the same total over the pairs usable in both.

        Parameters
        ----------
        trained, observed : float32 [n, width], balanced contacts, NaN where missing
        weight : float64 [n], balancing weights of ``observed`` where it has raw counts
        """
        both = np.isfinite(trained) & np.isfinite(observed)
        total = float(observed[both].sum(dtype=np.float64))
        depth = float(trained[both].sum(dtype=np.float64)) / total if total > 0 else 1.0
        pairs = both & (trained > 0)
        pairs[:, 0] = False
        exposure = None if weight is None else 1 / (weight * np.sqrt(depth))
        rows = np.flatnonzero(both.any(axis=1))
        edges = np.array([0, len(trained)])
        if blocks > 1 and len(rows) >= blocks:
            edges = np.concatenate([[0], [part[0] for part in np.array_split(rows, blocks)][1:], [len(trained)]])
        return cls((observed * np.float32(depth)).astype(np.float32), pairs, exposure, scale, edges)

    def spaces(self, values: np.ndarray, ranks: np.ndarray, pairs: np.ndarray) -> list[np.ndarray]:
        """Values [rows, reach] in each of ``SPACES``, less the target's mean at that distance; 0 off the pairs."""
        lin = np.where(pairs, values, 0).astype(np.float64)
        transformed = (contact_probability(lin * self.scale), np.log1p(lin), lin, ranks)
        return [np.where(pairs, part - centre[:part.shape[1]], 0)
                for part, centre in zip(transformed, self.centres, strict=True)]

    def _means(self) -> np.ndarray:
        totals = np.zeros_like(self.centres)
        for rows, reach in self.pieces():
            parts = self.spaces(self.band[rows, reach], self.ranks[rows, reach], self.pairs[rows, reach])
            totals[:, reach] += [part.sum(axis=0) for part in parts]
        return totals / np.maximum(self.pairs.sum(axis=0), 1)

    def pieces(self, largest: int = 256):
        """Slices (rows, distances) that cover the scored pairs: rows of one block, few enough for temporary arrays."""
        n, width = self.band.shape
        for first, last in pairwise(self.blocks):
            for at in range(first, last, largest):
                yield slice(at, min(at + largest, last)), slice(0, min(width, n - at))

    def block_of(self, row: int) -> int:
        return int(np.searchsorted(self.blocks, row, side="right") - 1)


def _ranks(band: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Ranks of the scored pairs within their distance, divided by their number; ties share the mean rank."""
    ranks = np.zeros(band.shape, np.float32)
    for at in range(0, band.shape[1], 64):  # columns are gathered in pieces, as rows lie together in memory
        columns, among = (np.ascontiguousarray(part[:, at:at + 64].T) for part in (band, pairs))
        for k, (column, here) in enumerate(zip(columns, among, strict=True)):
            if number := np.count_nonzero(here):
                columns[k, here] = rankdata(column[here]) / number
        ranks[:, at:at + 64] = np.where(among, columns, 0).T
    return ranks


def compare(predicted: np.ndarray, target: Target, *, probability: np.ndarray | None = None,
            ranked: bool = True) -> np.ndarray:
    """Sums that the scores are made of: float64 [blocks, width, FIELDS].

    Parameters
    ----------
    predicted : float32 [n, width], expected balanced contacts; finite wherever the target has scored pairs
    probability : float [width], a contact probability by distance that replaces equation 1 of ``predicted`` (only
        the distance mean has one: the mean of equation 1 is not equation 1 of the mean)
    ranked : whether the rank correlation is wanted, which takes as long as all else
    """
    if not np.isfinite(predicted[target.pairs]).all():
        raise ValueError("the prediction has missing values among the scored pairs")
    n, width = predicted.shape
    predicted_ranks = _ranks(predicted, target.pairs) if ranked else np.zeros((n, 1), np.float32)
    sums = np.zeros((len(target.blocks) - 1, width, len(FIELDS)))
    partner = beyond(target.exposure, width) if target.exposure is not None else None
    for rows, reach in target.pieces():
        pairs, x_values, y_values = target.pairs[rows, reach], predicted[rows, reach], target.band[rows, reach]
        x = target.spaces(x_values, predicted_ranks[rows, reach] if ranked else predicted_ranks[rows], pairs)
        y = target.spaces(y_values, target.ranks[rows, reach], pairs)
        if probability is not None:
            x[0] = np.where(pairs, probability[reach] - target.centres[0, reach], 0)
        parts = {"n": pairs, "squared_error": (x[0] - y[0]) ** 2, "log_error": np.abs(x[1] - y[1]),
                 "cp_error": np.abs(x[0] - y[0])}
        if partner is not None:
            exposure = np.where(pairs, target.exposure[rows, None] * partner[rows, reach], 0)
            counts, expected = (np.where(pairs, part, 0) * exposure for part in (y_values, x_values))
            parts["deviance"] = np.where(pairs, poisson_deviance(counts, np.maximum(expected, LOWEST_COUNT)), 0)
        block = sums[target.block_of(rows.start), reach]
        for name, part in parts.items():
            block[:, AT[name]] += part.sum(axis=0)
        for space, xs, ys in zip(SPACES, x, y, strict=True):
            _add_moments(block, space, xs, ys)
    if target.exposure is None:
        sums[:, :, AT["deviance"]] = np.nan
    if not ranked:
        sums[:, :, [AT[f"rank_{moment}"] for moment in MOMENTS]] = np.nan
    return sums


def _add_moments(block: np.ndarray, space: str, x: np.ndarray, y: np.ndarray) -> None:
    products = (np.einsum("ij,ij->j", one, other) for one, other in ((x, x), (y, y), (x, y)))
    for moment, part in zip(MOMENTS, (x.sum(axis=0), y.sum(axis=0), *products), strict=True):
        block[:, AT[f"{space}_{moment}"]] += part


def poisson_deviance(counts, expected):
    """``2 (c log(c / m) - (c - m))``: about 1 on average where m is the truth and not small."""
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = np.where(counts > 0, counts * np.log(counts / expected), 0.0)
    return 2 * (surprise - (counts - expected))


def ceiling(target: Target, smooth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same sums for a perfect prediction: what the expected map itself would score against this one sequencing.

    The variance of a stratum is signal plus Poisson noise, so the best possible correlation is
    ``sqrt(1 - noise / variance)`` and the best R² ``1 - noise / variance``. In linear space the noise variance of a
    pair is its own count times its squared factor (an unbiased estimate); in CP and log space, which have no closed
    form, it is half the mean squared difference of two maps drawn from ``smooth`` at the target's depth, and no smaller
    a share than in linear space (a smooth map of few contacts lacks the extremes that make this noise). Each stratum's
    share of noise is freed of the bias that a ratio of two estimates has (jackknife over every tenth row), as with few
    contacts it would come out high; shares are averaged over neighbouring distances (within a tenth), as the root of a
    noisy share comes out low.

    The target must not be the map trained on: scored pairs are chosen by that map's counts.

    Parameters
    ----------
    smooth : float32 [n, width], any smooth estimate of the expected balanced contacts
    """
    if target.exposure is None:
        raise ValueError("a map without counts has no sampling noise and no ceiling")
    width = target.band.shape[1]
    sums = np.zeros((len(target.blocks) - 1, width, len(FIELDS)))
    number = np.zeros((JACKKNIFE, width))
    noise, total, squares = (np.zeros((3, JACKKNIFE, width)) for _ in range(3))
    partner = beyond(target.exposure, width)
    for rows, reach in target.pieces():
        pairs, observed = target.pairs[rows, reach], target.band[rows, reach]
        exposure = np.where(pairs, target.exposure[rows, None] * partner[rows, reach], 1)
        expected = np.where(pairs, np.maximum(smooth[rows, reach] * exposure, LOWEST_COUNT), 0)
        draws = [rng.poisson(expected) for _ in range(2)]
        ranks = target.ranks[rows, reach]
        values = target.spaces(observed, ranks, pairs)
        one, other = (target.spaces(draw / exposure, ranks, pairs) for draw in draws)
        spread = [(one[0] - other[0]) ** 2 / 2, (one[1] - other[1]) ** 2 / 2, np.where(pairs, observed / exposure, 0)]
        for group in range(JACKKNIFE):
            own = slice((group - rows.start) % JACKKNIFE, None, JACKKNIFE)
            number[group, reach] += pairs[own].sum(axis=0)
            for k in range(3):
                noise[k, group, reach] += spread[k][own].sum(axis=0)
                total[k, group, reach] += values[k][own].sum(axis=0)
                squares[k, group, reach] += np.square(values[k][own]).sum(axis=0)
        block = sums[target.block_of(rows.start), reach]
        deviance = poisson_deviance(draws[0], np.maximum(expected, LOWEST_COUNT))
        block[:, AT["n"]] += pairs.sum(axis=0)
        block[:, AT["deviance"]] += np.where(pairs, deviance, 0).sum(axis=0)
        for space, y in zip(SPACES, values, strict=True):
            _add_moments(block, space, y, y)
    shares = [_share_of_noise(number, noise[k], total[k], squares[k]) for k in range(3)]
    for space, share in zip(SPACES, shares, strict=False):  # the rank space has no noise estimate
        share = np.maximum(share, shares[SPACES.index("lin")])
        # A perfect prediction x has y's mean, and variance and covariance with y of var(y) - noise.
        sums[:, :, [AT[f"{space}_xx"], AT[f"{space}_xy"]]] *= (1 - share)[None, :, None]
        if space == "cp":
            sums[:, :, AT["squared_error"]] = share * sums[:, :, AT["cp_yy"]]
    unknown = ["log_error", "cp_error", *(f"rank_{moment}" for moment in MOMENTS)]
    sums[:, :, [AT[name] for name in unknown]] = np.nan
    return sums


def _share_of_noise(number: np.ndarray, noise: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Noise variance over variance of each stratum [width], from sums over groups of rows [groups, width]."""
    groups = len(number)

    def ratio(number, noise, total, squares):
        # the mean is estimated: squares about it come out smaller by a part in n, noise does not
        variance = squares - total ** 2 / np.maximum(number, 1)
        told = (number > 1) & (variance > 1e-12 * squares)
        return np.where(told, noise * (1 - 1 / np.maximum(number, 1)) / np.where(told, variance, 1), np.nan)

    sums = number, noise, total, squares
    whole = ratio(*(part.sum(axis=0) for part in sums))
    without = ratio(*(part.sum(axis=0) - part for part in sums))
    share = groups * whole - (groups - 1) * without.mean(axis=0)
    weight = np.where(np.isfinite(share), number.sum(axis=0), 0)
    share = _over_neighbours(np.nan_to_num(share) * weight) / np.maximum(_over_neighbours(weight), 1)
    return np.clip(share, 0, 1)


def _over_neighbours(values: np.ndarray) -> np.ndarray:
    """Sums [width] of the values at distances within a tenth of each distance."""
    distance = np.arange(len(values))
    low, high = distance - distance // 10, np.minimum(distance + distance // 10 + 1, len(values))
    total = np.concatenate([[0], np.cumsum(values)])
    return total[high] - total[low]


def stratum_scores(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of each stratum from sums [..., width, FIELDS]: arrays [..., width], NaN where there is nothing to score.

    ``pearson_*`` and ``spearman`` of a constant prediction are 0; of a constant target they are NaN.
    """
    at = {name: sums[..., k] for k, name in enumerate(FIELDS)}
    n = at["n"]
    scores = {"n": n}
    with np.errstate(divide="ignore", invalid="ignore"):
        for space in SPACES:
            x, y, xx, yy, xy = (at[f"{space}_{moment}"] / n for moment in MOMENTS)
            spread_x, spread_y = xx - x * x, yy - y * y
            # What rounding leaves of a constant is far below any real spread, but not exactly zero.
            told = spread_x > 1e-10 * xx
            r = np.where(told, (xy - x * y) / np.sqrt(np.where(told, spread_x, 1) * spread_y), 0.0)
            score = np.where(np.isfinite(spread_x) & (spread_y > 1e-10 * yy) & (yy > 0), r, np.nan)
            scores["spearman" if space == "rank" else f"pearson_{space}"] = score
        spread = at["cp_yy"] - at["cp_y"] ** 2 / n
        scores["r2_cp_by_distance"] = np.where(spread > 0, 1 - at["squared_error"] / spread, np.nan)
    return scores


def _ingredients(sums: np.ndarray, resolution: int, centres: np.ndarray) -> np.ndarray:
    """Numerators and denominators of ``METRICS``, which add up over chromosomes: [..., DISTANCE_BANDS, METRICS, 4]."""
    scores = stratum_scores(sums)
    at = {name: sums[..., k] for k, name in enumerate(FIELDS)}
    n, width = at["n"], sums.shape[-2]
    distance = np.arange(width) * resolution
    out = np.zeros((*sums.shape[:-2], len(DISTANCE_BANDS), len(METRICS), 4))
    # y was centred by stratum; the overall R² needs it as it was.
    y = at["cp_y"] + n * centres[0]
    yy = at["cp_yy"] + 2 * centres[0] * at["cp_y"] + n * centres[0] ** 2
    for b, (low, high) in enumerate(DISTANCE_BANDS.values()):
        inside = (distance >= low) & (distance < high)
        counted = inside & (n >= LEAST_PAIRS)
        of_all = (at["squared_error"], y, yy, n)
        out[..., b, 0, :] = np.stack([np.where(inside, part, 0).sum(-1) for part in of_all], -1)
        for k, name in enumerate(METRICS):
            if name in scores:
                score = scores[name]
                told = counted & np.isfinite(score)
                out[..., b, k, 0] = np.where(told, score, 0).sum(-1)
                out[..., b, k, 1] = told.sum(-1)
            elif name == "scc_h0":
                # HiCRep's weight N * sqrt(var(rank x / N) var(rank y / N)), ties broken at random, is (N + 1) / 12.
                told = counted & (distance <= SCC_REACH) & np.isfinite(scores["pearson_lin"])
                weight = np.where(told, (n + 1) / 12, 0)
                out[..., b, k, 0] = (weight * np.where(told, scores["pearson_lin"], 0)).sum(-1)
                out[..., b, k, 1] = weight.sum(-1)
                out[..., b, k, 2] = told.sum(-1)
            elif name == "deviance":
                out[..., b, k, 0] = np.where(inside, at["deviance"], 0).sum(-1)
                out[..., b, k, 1] = np.where(inside, n, 0).sum(-1)
    return out


def _metrics(ingredients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and numbers of observations from :func:`_ingredients`: two arrays [..., DISTANCE_BANDS, METRICS]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        values = ingredients[..., 0] / ingredients[..., 1]
        number = ingredients[..., 1].copy()
        error, y, yy, n = np.moveaxis(ingredients[..., 0, :], -1, 0)
        values[..., 0], number[..., 0] = 1 - error / (yy - y * y / n), n
    scc = METRICS.index("scc_h0")
    number[..., scc] = ingredients[..., scc, 2]
    return values, number


@dataclass(frozen=True)
class Score:
    """One metric in one band of distances, with a 95 % interval; ``n`` counts strata (pairs for R² and deviance)."""

    metric: str
    stratum: str
    value: float
    low: float
    high: float
    n: int


def summarise(sums: list[np.ndarray], targets_centres: list[np.ndarray], resolution: int,
              seed: int | None) -> list[Score]:
    """All of ``METRICS`` in every distance band, over chromosomes.

    The interval is the value ± 1.96 bootstrap standard errors: resampling chromosomes where there are at least four,
    else row blocks within each chromosome.

    Parameters
    ----------
    sums : of each chromosome, from :func:`compare` or :func:`ceiling`
    targets_centres : ``Target.centres`` of each chromosome
    seed : of the bootstrap; None for no intervals
    """
    chromosomes = list(zip(sums, targets_centres, strict=True))
    whole = [_ingredients(part.sum(axis=0), resolution, centre) for part, centre in chromosomes]
    values, number = _metrics(np.sum(whole, axis=0))
    spread = np.full(values.shape, np.nan)
    if seed is not None and (len(sums) >= 4 or min(len(part) for part in sums) > 1):
        drawn = _metrics(_resampled(chromosomes, whole, resolution, np.random.default_rng(seed)))[0]
        enough = np.isfinite(drawn).mean(axis=0) > 0.5
        spread[enough] = 1.96 * np.nanstd(drawn[:, enough], axis=0)
    scores = []
    for b, stratum in enumerate(DISTANCE_BANDS):
        for k, metric in enumerate(METRICS):
            if np.isfinite(values[b, k]):
                scores.append(Score(metric, stratum, float(values[b, k]), float(values[b, k] - spread[b, k]),
                                    float(values[b, k] + spread[b, k]), int(number[b, k])))
    return scores


def _resampled(chromosomes: list, whole: list[np.ndarray], resolution: int, rng: np.random.Generator) -> np.ndarray:
    """Ingredients of resampled data: whole chromosomes where there are at least four, else row blocks of each."""
    number = len(whole)
    if number >= 4:
        return np.tensordot(rng.multinomial(number, np.full(number, 1 / number), size=RESAMPLES), whole, axes=1)
    resampled = np.zeros((RESAMPLES, *whole[0].shape))
    for part, centre in chromosomes:
        blocks = len(part)
        times = rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=RESAMPLES).astype(float)
        for at in range(0, RESAMPLES, 20):  # pieces, for memory
            resampled[at:at + 20] += _ingredients(np.tensordot(times[at:at + 20], part, axes=1), resolution, centre)
    return resampled
