"""How well held-out predictions tell positives from others, with intervals from resampled stretches of the genome."""

from dataclasses import dataclass

import numpy as np

METRICS = ("map", "auroc", "accuracy", "f_score")


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def average_precision(labels, scores, weights=None) -> np.ndarray | float:
    """Area under the precision-recall curve: the sum of precision times the gain in recall over distinct scores.

    Parameters
    ----------
    labels : 0 or 1 [m]
    scores : [m], higher is likelier positive
    weights : [m] or [draws, m]; one value a draw comes back for the latter. NaN without positives
    """
    hits, misses, ends = _cumulative(labels, scores, weights)
    hits, misses = hits[..., ends], misses[..., ends]
    total = hits[..., -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(hits + misses > 0, hits / (hits + misses), 0)
        gain = np.diff(hits, axis=-1, prepend=0) / total
        return _value((precision * gain).sum(-1))


def auroc(labels, scores, weights=None) -> np.ndarray | float:
    """Area under the receiver operating characteristic; ties count half. NaN without positives or without negatives."""
    hits, misses, ends = _cumulative(labels, scores, weights)
    hits, misses = hits[..., ends], misses[..., ends]
    with np.errstate(divide="ignore", invalid="ignore"):
        before = hits - np.diff(hits, axis=-1, prepend=0) / 2
        area = (before * np.diff(misses, axis=-1, prepend=0)).sum(-1)
        return _value(area / (hits[..., -1] * misses[..., -1]))


def curve(labels, scores) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision at each distinct score, the highest first."""
    hits, misses, ends = _cumulative(labels, scores, None)
    hits, misses = hits[ends], misses[ends]
    return hits / max(hits[-1], 1), hits / np.maximum(hits + misses, 1e-12)


def _value(found):
    return float(found) if np.ndim(found) == 0 else found


def _cumulative(labels, scores, weights):
    labels, scores = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
    order = np.argsort(-scores, kind="stable")
    sorted_scores = scores[order]
    ends = np.flatnonzero(np.append(sorted_scores[1:] != sorted_scores[:-1], True))  # the last of each tie
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights, np.float64)
    weights = weights[..., order]
    positive = labels[order]
    return np.cumsum(weights * positive, -1), np.cumsum(weights * (1 - positive), -1), ends


def accuracy(labels, predicted, weights=None):
    weights = np.ones(len(labels)) if weights is None else weights
    with np.errstate(invalid="ignore"):
        return _value((weights * (np.asarray(labels) == predicted)).sum(-1) / weights.sum(-1))


def f_score(labels, predicted, weights=None):
    """Harmonic mean of precision and recall; 0 where nothing is found."""
    labels, predicted = np.asarray(labels, bool), np.asarray(predicted, bool)
    weights = np.ones(len(labels)) if weights is None else weights
    found, called, true = ((weights * mask).sum(-1) for mask in (labels & predicted, predicted, labels))
    return _value(2 * found / np.maximum(called + true, 1e-12))


def balance(labels) -> np.ndarray:
    """Weights under which positives and negatives count alike: [m], mean 1."""
    labels = np.asarray(labels)
    positive = labels.mean()
    if positive in (0, 1):
        return np.ones(len(labels))
    return np.where(labels == 1, 0.5 / positive, 0.5 / (1 - positive))


def binary_scores(labels, probability, weights=None) -> dict:
    """All metrics of a binary task; called positive above a probability of one half."""
    predicted = probability > 0.5
    return {"map": average_precision(labels, probability, weights), "auroc": auroc(labels, probability, weights),
            "accuracy": accuracy(labels, predicted, weights), "f_score": f_score(labels, predicted, weights)}


def class_scores(labels, probability, weights=None) -> dict:
    """All metrics of a task of several classes: means over the classes, each against the rest; accuracy of the
    likeliest.

    ``probability`` : [m, classes]
    """
    predicted = probability.argmax(1)
    per_class = [(average_precision(labels == k, probability[:, k], weights), auroc(labels == k, probability[:, k],
                  weights), f_score(labels == k, predicted == k, weights)) for k in range(probability.shape[1])]
    means = [_value(np.nanmean(values, axis=0)) for values in zip(*per_class, strict=True)]
    return {"map": means[0], "auroc": means[1], "accuracy": accuracy(labels, predicted, weights), "f_score": means[2]}


def with_intervals(labels, probability, groups, draws: int, seed: int) -> dict[str, Interval]:
    """Metrics with 95 % intervals by resampling ``groups`` (stretches of the genome) with replacement.

    The interval is of these predictions on another draw of such stretches; training anew is not part of it.
    """
    score = binary_scores if np.ndim(probability) == 1 else class_scores
    values = score(labels, probability)
    names, member = np.unique(groups, return_inverse=True)
    if draws < 2 or len(names) < 2:
        return {name: Interval(value, np.nan, np.nan) for name, value in values.items()}
    times = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    found = [score(labels, probability, times[k:k + 25][:, member]) for k in range(0, draws, 25)]
    drawn = {name: np.concatenate([np.atleast_1d(part[name]) for part in found]) for name in values}
    limits = {name: np.nanpercentile(drawn[name], [2.5, 97.5]) if np.isfinite(drawn[name]).any() else (np.nan, np.nan)
              for name in values}
    return {name: Interval(value, *map(float, limits[name])) for name, value in values.items()}
