"""Classifiers of elements: boosted trees for each task, and one linear layer with sigmoids for all tasks at once."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from ..genome import Bins
from .labels import Task
from .scores import balance
from .splits import Folds

LARGEST_TRAINING = 50_000  # rows; trees learn little from more, and take long
STOP_AFTER = 20  # rounds without gain on the watched bins (the paper's early stopping)


@dataclass(frozen=True)
class Trees:
    """Settings of XGBoost; what is not named keeps its default."""

    depth: int
    most: int
    others: tuple[tuple[str, float], ...] = ()


# The paper's setting (Methods, "Element identification evaluation"), and one fit for some thousand bins.
TREES = {"xgboost": Trees(3, 500, (("eta", 0.05), ("subsample", 0.8), ("colsample_bytree", 0.5),
                                   ("min_child_weight", 5), ("lambda", 5.0))),
         "xgboost_paper": Trees(6, 5000)}
CLASSIFIERS = {"xgboost": "boosted trees of depth 3, regularised, at most 500, stopped early",
               "xgboost_paper": "boosted trees of depth 6, at most 5,000, stopped early, as in the paper",
               "linear": "one linear layer with a sigmoid for each label of all tasks, as in the paper"}


def features_of(task: Task, vectors: np.ndarray) -> np.ndarray:
    """What a classifier sees of each example: a bin's vector, or both vectors of a pair, one after the other."""
    return vectors[task.index] if task.index.ndim == 1 else vectors[task.index].reshape(len(task.index), -1)


def by_chromosome(vectors: np.ndarray, bins: Bins) -> np.ndarray:
    """Vectors beside a copy for each chromosome that is zero on the others: [N, size * (1 + chromosomes)].

    A map does not tell A from B: a compartment model may turn the sign of a whole chromosome's vectors. Where a tested
    bin's chromosome is learned from, its own sign can be learned this way.
    """
    if len(bins.chromosomes) == 1:
        return vectors
    copies = np.zeros((len(bins.chromosomes), *vectors.shape), vectors.dtype)
    for k, name in enumerate(bins.chromosomes):
        copies[k, bins.span(name)] = vectors[bins.span(name)]
    return np.concatenate([vectors, *copies], 1)


def fold_of(task: Task, folds: Folds) -> np.ndarray:
    """int64 [m]: the fold each example is tested in; -1 for pairs across two folds, which are left out."""
    if task.index.ndim == 1:
        return folds.test[task.index]
    left, right = folds.test[task.index].T
    return np.where(left == right, left, -1)


def _held(task: Task, allowed: np.ndarray) -> np.ndarray:
    """bool [m]: examples all of whose bins are allowed."""
    return allowed[task.index] if task.index.ndim == 1 else allowed[task.index].all(1)


def boosted(task: Task, vectors: np.ndarray, folds: Folds, trees: Trees, seed: int) -> np.ndarray:
    """Held-out probabilities of one task by boosted trees: float64 [m] or [m, classes]; NaN where not tested.

    Trees are added until the bins of another fold, never the tested ones, are predicted no better for 20 rounds.
    Classes are weighted alike.
    """
    import xgboost

    features, own = features_of(task, vectors), fold_of(task, folds)
    classes = len(task.classes)
    found = np.full((len(task.labels), classes) if classes else len(task.labels), np.nan)
    settings = {"max_depth": trees.depth, "nthread": 1, "seed": seed, "tree_method": "hist", **dict(trees.others)}
    settings |= ({"objective": "multi:softprob", "num_class": classes, "eval_metric": "mlogloss"} if classes else
                 {"objective": "binary:logistic", "eval_metric": "logloss"})
    for fold in range(folds.number):
        tested = own == fold
        fit, watch = (_held(task, allowed) & (own >= 0) for allowed in folds.validation(fold))
        fit = _thinned(fit, seed + fold)
        if not tested.any() or len(np.unique(task.labels[fit])) < 2:
            continue
        if not watch.any():
            watch = fit
        data = {which: xgboost.DMatrix(features[mask], task.labels[mask], weight=_weights(task.labels[mask], classes))
                for which, mask in (("fit", fit), ("watch", watch))}
        model = xgboost.train(settings, data["fit"], trees.most, evals=[(data["watch"], "watch")],
                              early_stopping_rounds=STOP_AFTER, verbose_eval=False)
        found[tested] = model.predict(xgboost.DMatrix(features[tested]), iteration_range=(0, model.best_iteration + 1))
    return found


def _thinned(mask: np.ndarray, seed: int) -> np.ndarray:
    at = np.flatnonzero(mask)
    if len(at) <= LARGEST_TRAINING:
        return mask
    kept = np.zeros_like(mask)
    kept[np.random.default_rng(seed).choice(at, LARGEST_TRAINING, replace=False)] = True
    return kept


def _weights(labels: np.ndarray, classes: int) -> np.ndarray:
    if not classes:
        return balance(labels)
    often = np.bincount(labels, minlength=classes)
    return len(labels) / (max(1, (often > 0).sum()) * np.maximum(often, 1))[labels]


def linear(tasks: list[Task], vectors: np.ndarray, folds: Folds) -> list[np.ndarray]:
    """Held-out probabilities of all tasks by one linear layer with sigmoids, fitted to all of them together.

    Tasks of several classes have an output for each class. Pairs have a layer of their own, as their inputs are two
    vectors. The loss is cross-entropy, positives and negatives of a label weighted alike, with a squared penalty of
    half the squared weights over the number of examples; features are standardised by what is learned from.

    Returns
    -------
    one array a task: float64 [m] or [m, classes], NaN where not tested
    """
    found: list[np.ndarray] = [np.empty(0)] * len(tasks)
    for paired in (False, True):
        chosen = [k for k, task in enumerate(tasks) if (task.kind == "pairs") == paired]
        if chosen:
            for k, probabilities in zip(chosen, _linear([tasks[k] for k in chosen], vectors, folds), strict=True):
                found[k] = probabilities
    return found


def _linear(tasks: list[Task], vectors: np.ndarray, folds: Folds) -> list[np.ndarray]:
    rows, where = np.unique(np.concatenate([task.index for task in tasks]), axis=0, return_inverse=True)
    where = np.split(where.ravel(), np.cumsum([len(task.labels) for task in tasks])[:-1])
    columns = [len(task.classes) or 1 for task in tasks]
    first = np.concatenate([[0], np.cumsum(columns)])
    labels = np.full((len(rows), first[-1]), np.nan)
    for task, at, begin in zip(tasks, where, first, strict=False):
        if task.classes:
            labels[at, begin:begin + len(task.classes)] = np.eye(len(task.classes))[task.labels]
        else:
            labels[at, begin] = task.labels
    features = vectors[rows] if rows.ndim == 1 else vectors[rows].reshape(len(rows), -1)
    own = folds.test[rows] if rows.ndim == 1 else np.where(folds.test[rows[:, 0]] == folds.test[rows[:, 1]],
                                                           folds.test[rows[:, 0]], -1)
    found = np.full(labels.shape, np.nan)
    for fold in range(folds.number):
        allowed = folds.training(fold)
        learned = (allowed[rows] if rows.ndim == 1 else allowed[rows].all(1)) & (own >= 0)
        learned = _thinned(learned, fold)
        tested = own == fold
        if tested.any() and learned.any():
            found[tested] = _fit_linear(features[learned], labels[learned], features[tested])
    return [_classes_told(found[at, begin:begin + width]) if task.classes else found[at, begin]
            for task, at, begin, width in zip(tasks, where, first, columns, strict=False)]


def _classes_told(probability: np.ndarray) -> np.ndarray:
    """A class that a fold could not learn has probability 0 there; rows without any stay NaN."""
    return np.where(np.isnan(probability) & ~np.isnan(probability).all(1, keepdims=True), 0, probability)


def _fit_linear(features: np.ndarray, labels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Fit one layer on [m, k] features and [m, outputs] labels (NaN: none); probabilities of the wanted rows."""
    features, wanted = features.astype(np.float64), wanted.astype(np.float64)
    centre, spread = features.mean(0), features.std(0)
    spread = np.where(spread > 1e-12, spread, 1)
    told = np.isfinite(labels)
    count = np.maximum(told.sum(0), 1)
    positive = np.where(told, labels, 0).sum(0) / count
    certain = (positive == 0) | (positive == 1)  # nothing to learn from; such outputs come back as NaN
    with np.errstate(divide="ignore"):
        weight = np.where(labels == 1, 0.5 / positive, 0.5 / (1 - positive))
    weight = torch.from_numpy(np.where(told & ~certain, weight, 0) / count)
    x = torch.from_numpy((features - centre) / spread)
    y = torch.from_numpy(np.where(told, labels, 0.0))
    penalty = torch.from_numpy(0.5 / count)
    layer = torch.nn.Linear(x.shape[1], y.shape[1], dtype=torch.float64)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        total = (functional.binary_cross_entropy_with_logits(layer(x), y, reduction="none") * weight).sum()
        total = total + (penalty * layer.weight.square().sum(1)).sum()
        total.backward()
        return total

    optimiser.step(loss)
    with torch.no_grad():
        probability = torch.sigmoid(layer(torch.from_numpy((wanted - centre) / spread))).numpy()
    probability[:, certain] = np.nan
    return probability


def tree_ablation(tasks: list[Task], vectors: np.ndarray, halves: np.ndarray, depths, numbers, seed: int) -> np.ndarray:
    """mAP of the paper's trees by depth and number: float64 [tasks, depths, numbers] (its Supplementary Fig. 15).

    ``halves`` : int64 [N], 0 where bins are learned from, 1 where they are tested, else neither. No early stopping.
    """
    import xgboost

    from .scores import average_precision

    found = np.full((len(tasks), len(depths), len(numbers)), np.nan)
    for k, task in enumerate(tasks):
        features = features_of(task, vectors)
        side = halves[task.index]
        fit, tested = _thinned(side == 0, seed), side == 1
        if len(np.unique(task.labels[fit])) < 2 or len(np.unique(task.labels[tested])) < 2:
            continue
        data = xgboost.DMatrix(features[fit], task.labels[fit], weight=balance(task.labels[fit]))
        held = xgboost.DMatrix(features[tested])
        for row, depth in enumerate(depths):
            model = xgboost.train({"max_depth": depth, "nthread": 1, "seed": seed, "tree_method": "hist",
                                   "objective": "binary:logistic"}, data, max(numbers))
            for column, number in enumerate(numbers):
                probability = model.predict(held, iteration_range=(0, number))
                found[k, row, column] = average_precision(task.labels[tested], probability)
    return found
