"""The stage ATTRIBUTE_POSITIONS: scores of every bin, their tracks, and what lies where they are high."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..contacts import ContactMap
from ..elements.annotations import GENES, Line, read_annotation, read_sheet
from ..elements.labels import Task, plain
from ..elements.representations import log_coverage
from ..elements.scores import auroc
from ..elements.stage import sample_of, tasks_of
from ..errors import InputError
from ..export import vectors_table
from ..files import whole
from ..genome import Region, match_name
from ..metrics import MetricsTable
from ..prediction import TrainedModel
from ..simulation.truth import read_truth
from . import barriers, figures, normalise, profiles, sites, tracks
from .integrated import STEPS, Attribution, integrated_gradients

LOCUS = Region("chr21", 28_000_000, 29_200_000)  # of the paper's Fig. 6b (hg19)
LOCUS_LENGTH = 1_200_000
DOMAINS = ("tads", "tad", "domains", "subtads", "loopdomains", "nonloopdomains")


@dataclass(frozen=True)
class Files:
    """What the stage reads; all but the first two are optional."""

    contacts: Path
    model: Path
    annotations: Path | None = None
    fasta: Path | None = None
    truth: Path | None = None


@dataclass(frozen=True)
class Plan:
    """What to do; see :func:`integrated.integrated_gradients` for baseline, max_distance and most_steps."""

    baseline: str = "mean"
    max_distance: int | None = None
    most_steps: int = STEPS[-1]
    regions: list[str] = field(default_factory=list)
    seed: int = 1
    threads: int = 1


def attribute(files: Files, plan: Plan, output: Path, command: str) -> None:
    """Run the stage for one model and write its tracks, tables, metrics and figures."""
    contact_map = ContactMap.load(files.contacts)
    model = TrainedModel.load(files.model, plan.threads)
    if len(model.bins) != len(contact_map.bins) or model.bins.resolution != contact_map.bins.resolution:
        raise InputError(f"{files.model}: has {len(model.bins):,} bins of {model.bins.resolution:,} bp, "
                         f"{files.contacts} {len(contact_map.bins):,} of {contact_map.bins.resolution:,} bp: give the "
                         "map it was trained on")
    sample = str(contact_map.facts.get("sample", Path(files.contacts).stem))
    usable = model.usable & contact_map.usable
    base = str(Path(output) / sample)
    gc = profiles.gc_content(files.fasta, contact_map.bins) if files.fasta else None
    found = integrated_gradients(model, usable, baseline=plan.baseline, max_distance=plan.max_distance,
                                 most_steps=plan.most_steps,
                                 progress=lambda name: print(f"{sample}: attributing {name}", file=sys.stderr))
    scores = {"attribution": found.score}
    costs = barriers.barrier_costs(model)
    if costs is not None:
        scores["barrier_cost"] = np.where(usable, costs, np.nan)
    scores["knockout"] = barriers.knockout_effects(model, usable)
    if found.error > 0.01:
        print(f"note: completeness error {found.error:.2%} after {max(found.steps.values())} steps", file=sys.stderr)
    _write_scores(base, sample, contact_map, model, usable, scores, found)
    metrics = MetricsTable(*sample_of(contact_map, sample), contact_map.bins.resolution, "attribute")
    name = model.config.name
    metrics.add(name, "completeness_error", found.error, n=int(usable.sum()))
    if files.truth:
        _against_truth(files.truth, scores, usable, model, metrics, base, sample, command)
    standard = {kind: normalise.z(score) for kind, score in scores.items()}
    _elements(files, plan, contact_map, usable, standard, scores, gc, metrics, name, base, sample, command)
    metrics.write(f"{base}.attribute.metrics.tsv")


def _write_scores(base: str, sample: str, contact_map: ContactMap, model: TrainedModel, usable: np.ndarray,
                  scores: dict[str, np.ndarray], found: Attribution) -> None:
    """Tables and tracks. The track ``attribution`` is normalised as in the article; the table has every form."""
    bins = contact_map.bins
    table = vectors_table(bins, np.zeros((len(bins), 0), np.float32), usable).assign(
        attribution=scores["attribution"], attribution_signed=normalise.signed(scores["attribution"]),
        attribution_logged=normalise.logged(scores["attribution"]), attribution_z=normalise.z(scores["attribution"]),
        **{kind: score for kind, score in scores.items() if kind != "attribution"})
    with whole(f"{base}.attribution.tsv") as beside:
        table.to_csv(beside, sep="\t", index=False, float_format="%.6g")
    reach = (found.width - 1) * bins.resolution / 1e6
    told = {"attribution": (normalise.signed(scores["attribution"]),
                            f"Integrated gradients, {found.baseline} baseline, pairs to {reach:g} Mb, scaled to -1..1")}
    words = {"barrier_cost": "Barrier cost, forward plus reverse",
             "knockout": "Change of log contacts across a bin when it is lost"}
    told |= {kind: (scores[kind], words[kind]) for kind in scores if kind in words}
    tracks.write_tracks(base, bins, told, str(contact_map.facts.get("assembly") or ""), sample)


def _against_truth(path: Path, scores, usable, model: TrainedModel, metrics: MetricsTable, base: str, sample: str,
                   command: str) -> None:
    """AUROC of the simulated barriers: sites that make boundaries against bins without any site.

    A barrier lowers the contacts across it, so bins are ranked by how low their attribution is, and by how high their
    barrier cost and the effect of their loss are.
    """
    strong, site = barriers.true_barriers(read_truth(path), model.bins)
    rows = []
    for kind, score in scores.items():
        score = -score if kind == "attribution" else score
        told = usable & np.isfinite(score)
        clear = told & (strong | ~site)
        value, weak = auroc(strong[clear], score[clear]), auroc(site[told], score[told])
        method = _method(model.config.name, kind)
        metrics.add(method, "auroc_barrier", value, against="truth", n=int(strong[clear].sum()))
        metrics.add(method, "auroc_site", weak, against="truth", n=int(site[told].sum()))
        rows.append({"score": kind, "strong": value, "any": weak})
    figures.truth_figure(pd.DataFrame(rows), f"{base}.attribute.truth", sample=sample, command=command)


def _elements(files: Files, plan: Plan, contact_map: ContactMap, usable, standard, scores, gc, metrics: MetricsTable,
              method: str, base: str, sample: str, command: str) -> None:
    """Everything that needs annotations, and the loci, which are drawn without them too."""
    bins = contact_map.bins
    lines = read_sheet(files.annotations, sample_of(contact_map, sample)[0]) if files.annotations else []
    tasks = tasks_of(lines, contact_map, usable, [], plan.seed).found
    held = sites.sets_of_sites(lines, contact_map)
    covariates = [log_coverage(contact_map)]
    if gc is not None:
        covariates.append(np.nan_to_num(gc, nan=float(np.nanmedian(gc))))
    matched_on = "coverage and GC" if gc is not None else "coverage"
    matching = sites.Matching(bins, np.stack(covariates, 1), usable)
    groups = sites.groups_of(tasks, usable)
    for position, (kind, score) in enumerate(standard.items()):
        table = sites.group_table(groups, score, matching)
        if len(table):
            figures.violin_figure(table, groups, score, kind, f"{base}.attribute.violins.{kind}", matched_on=matched_on,
                                  order=620 + position, sample=sample, command=command)
        own = _method(method, kind)
        for row in table.itertuples():
            if row.against == "matched bins" and np.isfinite(row.effect):
                metrics.add(own, "auroc_matched", row.effect, stratum=row.group, n=row.bins)
    ranked = sites.ranking(held, standard, bins, usable, matching) if held else pd.DataFrame()
    if len(ranked):
        figures.enrichment_figure(ranked, f"{base}.attribute.enrichment", matched_on=matched_on, sample=sample,
                                  command=command)
    figures.profile_figure(_profiles(tasks, standard, bins, plan.seed), f"{base}.attribute.profile", sample=sample,
                           command=command)
    genes = _genes(lines, contact_map)
    drawn = {"attribution": normalise.signed(scores["attribution"]),
             **{kind: score for kind, score in scores.items() if kind != "attribution"}}
    for position, region in enumerate(_regions(plan.regions, contact_map, -standard["attribution"])):
        name = f"{region.chromosome}_{region.start}_{region.end}"
        figures.locus_figure(contact_map, region, drawn, genes, held, gc, f"{base}.attribute.locus.{name}",
                             sample=sample, command=command, order=610 + position)


def _method(model: str, kind: str) -> str:
    """What a score is called in the metrics: the model's name alone is its attribution."""
    return model if kind == "attribution" else f"{model}-{kind}"


def _profiles(tasks: list[Task], standard, bins, seed: int) -> dict[str, dict[str, pd.DataFrame]]:
    found = {}
    for task in tasks:
        if plain(task.element) in DOMAINS and task.intervals is not None:
            by_score = {kind: profiles.domain_profile(score, task.intervals, bins, seed)
                        for kind, score in standard.items()}
            if len(next(iter(by_score.values()))):
                found[task.element] = by_score
    return found


def _genes(lines: list[Line], contact_map: ContactMap) -> pd.DataFrame | None:
    line = next((line for line in lines if line.element == GENES), None)
    try:
        return read_annotation(line, contact_map).table if line else None
    except InputError:  # told of when the tasks were made
        return None


def _regions(asked: list[str], contact_map: ContactMap, score: np.ndarray) -> list[Region]:
    """The regions asked for; else the paper's where the map has it; else the 1.2 Mb of lowest attribution."""
    bins = contact_map.bins
    if asked:
        regions = [Region.parse(text) for text in asked]
        return [Region(bins.chromosomes[bins.position(region.chromosome)], region.start, region.end)
                for region in regions if match_name(region.chromosome, bins.chromosomes)]
    width = max(20, LOCUS_LENGTH // bins.resolution)
    own = match_name(LOCUS.chromosome, bins.chromosomes)
    if own and bins.resolution <= 25_000 and bins.sizes[bins.position(own)] > LOCUS.end:
        return [Region(own, LOCUS.start, LOCUS.end)]
    best, chosen = -np.inf, None
    for name, size in zip(bins.chromosomes, bins.sizes, strict=True):
        values = score[bins.span(name)]
        if len(values) < width:
            continue
        told = np.isfinite(values)
        full = np.convolve(told, np.ones(width), "valid")
        mean = np.convolve(np.where(told, values, 0), np.ones(width), "valid") / np.maximum(full, 1)
        mean[full < 0.9 * width] = -np.inf
        at = int(mean.argmax())
        if mean[at] > best:
            best = mean[at]
            chosen = Region(name, at * bins.resolution, min((at + width) * bins.resolution, size))
    return [chosen] if chosen else []
