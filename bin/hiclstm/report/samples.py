"""Everything the stages left of each sample, together."""

import re
from dataclasses import dataclass, field

from ..genome import natural
from . import quality
from .collect import Collected, Figure, Viewer
from .scores import MODELS, Score, answers, reconstruction, score_tables, target_name, target_of
from .words import base_pairs


@dataclass
class Sample:
    """One line of the index and one page."""

    name: str
    cell_type: str
    replicate: str
    resolution: int | None
    verdict: str = ""
    contacts: float | None = None
    quality: list[tuple[str, str]] = field(default_factory=list)
    chromosomes: list[tuple[str, ...]] = field(default_factory=list)
    failure: str = ""
    steps: str = ""
    seconds: float | None = None
    method: str = ""
    against: str = ""
    scores: dict[str, Score] = field(default_factory=dict)
    tables: list[dict] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    viewers: list[Viewer] = field(default_factory=list)
    stages: set[str] = field(default_factory=set)

    @property
    def explained(self) -> str:
        return quality.explain(self.verdict)

    @property
    def label(self) -> str:
        if self.resolution is None and not self.replicate:
            return self.name
        replicate = f", replicate {self.replicate}" if self.replicate else ""
        return f"{self.cell_type}{replicate}" + (f", {base_pairs(self.resolution)}" if self.resolution else "")


def gather(found: Collected, expected=()) -> list[Sample]:
    """Everything of each sample together, samples by cell type, replicate and resolution.

    Parameters
    ----------
    found : what the stages left behind
    expected : (cell type, replicate, resolution or None for any) of the samples of the run; those without any result
        are said to be missing
    """
    samples: dict[str, Sample] = {}
    for row in found.metrics[["cell_type", "replicate", "resolution"]].drop_duplicates().itertuples(index=False):
        name = f"{row.cell_type}_{row.replicate}.{row.resolution}"
        resolution = int(row.resolution) if row.resolution.isdecimal() else None
        samples[name] = Sample(name, row.cell_type, row.replicate, resolution)
    named = [*found.quality, *found.training, *found.failures, *(one.sample for one in found.figures + found.viewers)]
    for name in named:
        parts = re.fullmatch(r"(?s)(.+)_([^_]*)\.(\d+)", name)
        if name not in samples and (parts or name in found.failures):
            samples[name] = Sample(name, parts[1], parts[2], int(parts[3])) if parts else Sample(name, name, "", None)
    for cell_type, replicate, resolution in expected:
        if not any((own.cell_type, own.replicate) == (cell_type, replicate) and resolution in (None, own.resolution)
                   for own in samples.values()):
            name = f"{cell_type}_{replicate}" + (f".{resolution}" if resolution else "")
            samples[name] = Sample(name, cell_type, replicate, resolution,
                                   failure="No result of this sample reached the report.")
    for sample in samples.values():
        _fill(sample, found)
    return sorted(samples.values(), key=lambda own: (natural(own.cell_type), natural(own.replicate),
                                                     own.resolution or 0, own.name))


def _fill(sample: Sample, found: Collected) -> None:
    rows = found.metrics
    rows = rows[(rows["cell_type"] == sample.cell_type) & (rows["replicate"] == sample.replicate)
                & (rows["resolution"] == str(sample.resolution))]
    sample.viewers = [viewer for viewer in found.viewers if viewer.sample == sample.name]
    sample.failure = found.failures.get(sample.name, sample.failure)
    record = found.quality.get(sample.name, {})
    sample.quality, sample.chromosomes = quality.facts(record), quality.chromosomes(record)
    sample.contacts = quality.contacts_of(record)
    sample.verdict = "failed" if sample.failure else str(record.get("verdict", ""))
    log = found.training.get(sample.name)
    if log is not None:
        sample.steps, sample.seconds = f"{int(log['step'].max()):,}", float(log["seconds"].max())
    trained = rows[rows["stage"] == "train"]
    wall = trained.loc[trained["metric"] == "seconds", "value"]
    if len(wall):
        sample.seconds = float(wall.iloc[-1])
    scored = rows[rows["stage"] == "reconstruct"]
    models = [name for name in MODELS if name in set(scored["method"]) | set(trained["method"])]
    sample.method = models[0] if models else ""
    target = target_of(scored, sample.replicate)
    # Of the figures of reconstruction that of the summary's target comes first: the others are folded beneath it.
    sample.figures = sorted((figure for figure in found.figures if figure.sample == sample.name), key=lambda figure: (
        figure.order // 10, not figure.name.endswith(f".reconstruct.scores.{target}"), figure.order))
    sample.stages = {*rows["stage"], *(figure.stage for figure in sample.figures)}
    if target is not None:
        sample.against = target_name(target, sample.replicate)
    sample.scores = {**reconstruction(rows, target, sample.method), **answers(rows, sample.method)}
    sample.tables = score_tables(scored, sample.replicate, target)
