"""The comparison as a whole: files in, metrics and figures out. What COMPARE_METHODS runs."""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ..contacts import ContactMap
from ..errors import InputError
from ..metrics import COLUMNS, MetricsTable
from ..prediction import TrainedModel
from . import REPRESENTATIONS, figures, representations, vectors_for
from .compare import Comparison, Result, Split, advantage, matched, thinned
from .decoders import DECODERS, HIDDEN, STEPS
from .sniper import SniperIntra


@dataclass(frozen=True)
class Plan:
    """What to compare and how.

    Attributes
    ----------
    representations : names, ``name:size`` for a size of its own; empty for all that the inputs allow
    decoders, likelihood, hidden, steps : see :mod:`hiclstm.methods.decoders`
    size : length of the vectors
    max_distance : base pairs, 0 for whole chromosomes
    """

    representations: list[str] = field(default_factory=list)
    decoders: list[str] = field(default_factory=lambda: list(DECODERS))
    likelihood: str = "probability"
    size: int = 16
    hidden: int = HIDDEN
    steps: int = STEPS
    seed: int = 1
    threads: int = 1
    max_distance: int = 0

    def __post_init__(self):
        for decoder in self.decoders:
            if decoder not in DECODERS:
                raise InputError(f"--decoders: {decoder!r} is unknown; there are {', '.join(DECODERS)}")
        for given in self.representations:
            name, _, size = given.partition(":")
            if name not in REPRESENTATIONS or (size and not size.isdigit()):
                raise InputError(f"--representations: {given!r} is unknown; there are {', '.join(REPRESENTATIONS)}, "
                                 "with a size of their own as in sniper_intra:128")


@dataclass(frozen=True)
class Files:
    """What is compared on: the map, trained models of it, other replicates, subcompartments (or None)."""

    contacts: Path
    models: list[Path] = field(default_factory=list)
    against: list[Path] = field(default_factory=list)
    subcompartments: Path | None = None


@dataclass(frozen=True, eq=False)
class Learned:
    """Vectors by name, and whole models as functions (chromosome, width) -> expected balanced contacts."""

    vectors: dict[str, np.ndarray]
    models: dict[str, object]


def learn(contact_map: ContactMap, files: Files, plan: Plan, models: list[TrainedModel]) -> Learned:
    """Learn every asked-for representation from a map; without a wish, every one that the inputs allow."""
    wished = plan.representations or [name for name in REPRESENTATIONS
                                      if not (name == "hiclstm" and not models)
                                      and not (name == "sbcid" and not files.subcompartments)]
    vectors, whole = {}, {}
    for model in models:
        if "hiclstm" in wished:
            name = "hiclstm" if len(models) == 1 else f"hiclstm_{model.config.name}"
            vectors[name] = vectors_for(model, contact_map)
        whole[model.config.name] = model.expected_band
    if "hiclstm" in wished and not models:
        raise InputError("--representations hiclstm needs --model, a model trained on the map")
    for given in wished:
        method, _, own_size = given.partition(":")
        name, size = method + own_size, int(own_size or plan.size)
        if method == "hiclstm":
            continue
        if method == "sniper_intra":
            fitted = SniperIntra.fit(contact_map, size, plan.seed)
            vectors[name], whole["sniper_fc" + own_size] = fitted.vectors, fitted.expected_band
        else:
            try:
                vectors[name] = representations(method, contact_map, size, plan.seed, contacts=files.contacts,
                                                subcompartments=files.subcompartments)
            except InputError as problem:
                if method != "sniper_inter" or plan.representations:
                    raise
                print(f"left out sniper_inter: {problem}", file=sys.stderr)
                continue
        print(f"learned {name}", file=sys.stderr)
    return Learned(vectors, whole)


def results_of(comparison: Comparison, learned: Learned, plan: Plan) -> list[Result]:
    """Every representation with every decoder, then the whole models."""
    suffix = "-counts" if plan.likelihood == "counts" else ""
    results = []
    for name, vectors in learned.vectors.items():
        for decoder in plan.decoders:
            results.append(comparison.decode(f"{name}-{decoder}{suffix}", decoder, vectors, likelihood=plan.likelihood,
                                             hidden=plan.hidden, steps=plan.steps, threads=plan.threads))
            print(f"tested {results[-1].method} on replicate {comparison.against}", file=sys.stderr)
    results += [comparison.score(name, band_of) for name, band_of in learned.models.items()]
    return results


def one_map(files: Files, plan: Plan, output: Path, command: str) -> None:
    """Both experiments on one map: ``<id>.compare.metrics.tsv`` and its figures."""
    torch.set_num_threads(plan.threads)
    contact_map = ContactMap.load(files.contacts)
    models = _models(files, plan)
    sample, replicate = _sample(contact_map, files.contacts)
    base = f"{output / sample}.compare"
    learned = learn(contact_map, files, plan, models)
    metrics = _metrics(contact_map, replicate)
    split = Split.of(contact_map, plan.seed)
    print(split.words, file=sys.stderr)
    width = _width(contact_map, plan, models)
    first = Comparison(contact_map, contact_map, split, width, plan.seed, replicate)
    results = results_of(first, learned, plan)
    words = dict(split=split.words, sample=sample, command=command)
    figures.distance_figure(results, contact_map.bins.resolution, f"{base}.same", order=310,
                            what=f"decoders on the same replicate ({replicate})", **words)
    figures.frame_figure(results, contact_map.bins.resolution, f"{base}.frames", sample=sample, command=command)
    everything = list(results)
    for k, path in enumerate(files.against):
        other = ContactMap.load(path)
        label = _sample(other, path)[1] or path.stem
        trained, observed = matched(contact_map, other)
        second = Comparison(observed, trained, split, width, plan.seed, label)
        results = results_of(second, learned, plan)
        everything += results
        figures.distance_figure(results, contact_map.bins.resolution, f"{base}.other{k + 1}", order=320 + k,
                                what=f"decoders on replicate {label}", **words)
    _add(metrics, everything)
    for result, scores in _advantages(everything, models, contact_map.bins.resolution, plan.seed):
        _add(metrics, [replace(result, scores=scores)])
    figures.interval_figure(metrics.frame(), f"{base}.intervals", sample=sample, command=command)
    metrics.write(f"{base}.metrics.tsv")


def along_depths(files: Files, plan: Plan, depths: list[float], output: Path, command: str) -> None:
    """Representations and decoders learned from binomially thinned maps, tested on rows of the deep map.

    The rows tested are those of the first other replicate where there is one, else of the deep map itself. Hi-C-LSTM is
    trained anew at every depth, with the default configuration. Writes ``<id>.compare_depths.metrics.tsv``.
    """
    from ..model import ModelConfig
    from ..training import Options, choose_smoothness, train

    torch.set_num_threads(plan.threads)
    deep = ContactMap.load(files.contacts)
    sample, replicate = _sample(deep, files.contacts)
    label = replicate
    observed = deep
    if files.against:
        other = ContactMap.load(files.against[0])
        label = _sample(other, files.against[0])[1] or files.against[0].stem
        deep, observed = matched(deep, other)
    split, width = Split.of(deep, plan.seed), _width(deep, plan, [])
    with_model = not plan.representations or "hiclstm" in plan.representations
    tables = []
    for depth in depths:
        thin = thinned(deep, depth, plan.seed)
        models = []
        if with_model:
            options = Options(seed=plan.seed, threads=plan.threads, max_distance=width, quiet=True)
            options = replace(options, smoothness=choose_smoothness(thin, options)[0])
            network, schedule, _ = train(thin, ModelConfig.named("default", plan.size, deep.bins.resolution), options)
            models = [TrainedModel(network.requires_grad_(False), thin.bins, thin.usable, dict(thin.facts),
                                   plan.threads)]
        learned = learn(thin, replace(files, models=[]), plan, models)
        metrics = _metrics(thin, f"{replicate}@{depth:g}")
        # decoders learn from the thinned map too; what they are tested on is deep
        comparison = Comparison(observed, deep, split, width, plan.seed, label, learned_from=thin)
        _add(metrics, results_of(comparison, learned, plan))
        tables.append(metrics)
        print(f"depth {depth:g}: {thin.counts.sum():,.0f} contacts", file=sys.stderr)
    joined = tables[0]
    for table in tables[1:]:
        joined.rows += table.rows
    base = f"{output / sample}.compare_depths"
    figures.depth_figure(joined.frame(), base, sample=sample, command=command)
    joined.write(f"{base}.metrics.tsv")


def across_samples(paths: list[Path], output: Path, command: str) -> None:
    """The figures across samples (Fig. 3e, f) from their metrics: ``compare.cell_types`` and ``compare.depths``."""
    tables = []
    for path in paths:
        try:
            table = pd.read_csv(path, sep="\t", dtype={"replicate": str, "against": str}, keep_default_na=True)
        except (OSError, ValueError) as problem:
            raise InputError(f"{path}: cannot be read as a metrics table ({problem})") from None
        if list(table.columns) != COLUMNS:
            raise InputError(f"{path}: has the columns {', '.join(table.columns)}; a metrics table has "
                             f"{', '.join(COLUMNS)}")
        tables.append(table[table["stage"] == "compare"])
    table = pd.concat(tables, ignore_index=True).fillna({"replicate": "", "against": ""})
    if table.empty:
        raise InputError(f"{', '.join(str(path) for path in paths)}: no row is of the stage 'compare'")
    figures.cell_type_figure(table, str(output / "compare.cell_types"), command=command)
    figures.depth_figure(table, str(output / "compare.depths"), command=command, order=351)


def _advantages(results: list[Result], models: list[TrainedModel], resolution: int, seed: int):
    """Each trained model against the other whole models and the LSTM decoders on the same rows."""
    names = [model.config.name for model in models]
    for own in (result for result in results if result.method in names):
        for other in results:
            beside = figures.parts_of(other.method)[1] in ("", "lstm")
            if other.against == own.against and other is not own and beside:
                yield own, advantage(own, other, resolution, seed)


def _models(files: Files, plan: Plan) -> list[TrainedModel]:
    models = [TrainedModel.load(path, plan.threads) for path in files.models]
    names = [model.config.name for model in models]
    if len(set(names)) < len(names):
        raise InputError(f"--model: two models are both called {max(names, key=names.count)!r}; give one of each kind")
    return models


def _sample(contact_map: ContactMap, path: Path) -> tuple[str, str]:
    """The sample's id and its replicate."""
    return str(contact_map.facts.get("sample", path.stem)), str(contact_map.facts.get("replicate", ""))


def _width(contact_map: ContactMap, plan: Plan, models: list[TrainedModel]) -> int:
    """Distances to compare, in bins: what was asked for, and no more than the models were trained on."""
    width = int(np.diff(contact_map.bins.offsets).max())
    if plan.max_distance:
        width = min(width, plan.max_distance // contact_map.bins.resolution + 1)
    for model in models:
        width = min(width, model.facts.get("max_distance") or width)
    return width


def _metrics(contact_map: ContactMap, replicate: str) -> MetricsTable:
    facts = contact_map.facts
    metrics = MetricsTable(str(facts.get("cell_type", "")), replicate, contact_map.bins.resolution, "compare")
    metrics.add("map", "contacts", float(contact_map.counts.sum()))
    return metrics


def _add(metrics: MetricsTable, results: list[Result]) -> None:
    for result in results:
        for score in result.scores:
            metrics.add(result.method, score.metric, score.value, against=result.against, stratum=score.stratum,
                        low=score.low, high=score.high, n=score.n)
