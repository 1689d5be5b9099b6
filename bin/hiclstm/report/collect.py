"""What the stages left behind, read for the report: figures, metrics, quality records, training logs, failures.

A file that cannot be used becomes a line in ``Collected.problems``, which the page shows: a report is made of what
there is.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..errors import InputError
from ..genome import natural
from ..metrics import COLUMNS, STAGES

FIGURE, METRICS, QUALITY, TRAINING, VIEWER = ".figure.json", ".metrics.tsv", ".qc.json", ".training.tsv", ".viewer.json"
FIGURE_WORDS = ("title", "caption", "alt", "stage", "sample", "order", "command", "svg")
VIEWER_WORDS = ("sample", "variant", "kind", "place", "resolution", "runs", "edits", "low", "high", "limit", "wt", "alt",
                "delta")
LARGEST_VIEWER = 500_000  # bytes


@dataclass(frozen=True)
class Figure:
    """One figure as :func:`~hiclstm.report.figures.save_figure` wrote it; ``picture`` is None where it is missing.

    ``file`` and ``table`` are its SVG and the numbers behind it.
    """

    title: str
    caption: str
    alt: str
    stage: str
    sample: str
    order: int
    command: str
    name: str
    picture: bytes | None
    file: Path | None
    table: Path | None


@dataclass(frozen=True)
class Viewer:
    """A variant's maps for the report's map viewer, as :mod:`hiclstm.perturbation.viewer` wrote them."""

    sample: str
    variant: str
    command: str
    content: dict
    file: Path


@dataclass
class Collected:
    """Everything the report is made of.

    Attributes
    ----------
    figures : in the paper's order
    viewers : by the variants' names
    metrics : the rows of every ``*.metrics.tsv``, text as it was written, sorted, each once
    quality : sample id to its quality record
    training : sample id to its training log
    failures : sample id to the reason it failed
    problems : lines about files that could not be used
    """

    figures: list[Figure] = field(default_factory=list)
    viewers: list[Viewer] = field(default_factory=list)
    metrics: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS, dtype=str))
    quality: dict[str, dict] = field(default_factory=dict)
    training: dict[str, pd.DataFrame] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def collect(given) -> Collected:
    """Read the results among ``given``, files and folders (searched through); InputError where a path is absent."""
    files = _files(given)
    there = {path.name: path for path in reversed(files)}
    found, tables = Collected(), []
    for path in files:
        try:
            if path.name.endswith(FIGURE):
                found.figures.append(_figure(path, there, found.problems))
            elif path.name.endswith(VIEWER):
                found.viewers.append(_viewer(path))
            elif path.name.endswith(METRICS):
                tables.append(_metrics(path))
            elif path.name.endswith(QUALITY):
                found.quality[path.name.removesuffix(QUALITY)] = _record(path)
            elif path.name.endswith(TRAINING):
                found.training[path.name.removesuffix(TRAINING)] = _training(path)
            elif path.name == "failures.json":
                found.failures.update({str(name): str(reason) for name, reason in _record(path).items()})
        except (OSError, TypeError, ValueError) as problem:
            found.problems.append(f"{path.name} could not be used: {problem}")
    found.figures.sort(key=lambda figure: (figure.order, natural(figure.name)))
    if tables:
        found.metrics = sorted_metrics(pd.concat(tables, ignore_index=True).drop_duplicates())
    return found


def sorted_metrics(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of metrics in one fixed order: by sample, the stages' order, then name by name with numbers as numbers."""
    stages = {stage: position for position, stage in enumerate(STAGES)}

    def key(column: pd.Series) -> pd.Series:
        if column.name == "stage":
            return column.map(lambda stage: (stages.get(stage, len(stages)), stage))
        return column.map(natural)

    by = ["cell_type", "replicate", "resolution", "stage", "method", "metric", "against", "stratum", "value"]
    return table.sort_values(by, key=key, kind="stable", ignore_index=True)


def _files(given) -> list[Path]:
    files = []
    for path in map(Path, given):
        if path.is_dir():
            files += sorted(inside for inside in path.rglob("*") if inside.is_file())
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(f"--results {path}: there is no such file or folder")
    unique = {path.resolve(): path for path in files if not path.name.startswith(".")}
    return sorted(unique.values(), key=lambda path: (natural(path.name), str(path)))


def _record(path: Path) -> dict:
    record = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    if not isinstance(record, dict):
        raise ValueError("it holds no JSON object")
    return record


def _no_number(text: str):
    raise ValueError(f"it holds {text}, which is not JSON")


def _figure(path: Path, there: dict[str, Path], problems: list[str]) -> Figure:
    words = _record(path)
    absent = [name for name in FIGURE_WORDS if name not in words]
    if absent:
        raise ValueError(f"it lacks {', '.join(absent)}")

    def beside(name: str | None) -> Path | None:
        # Only the name counts: a figure's files lie beside its words, or anywhere among what was given.
        if not name:
            return None
        own = path.with_name(Path(str(name)).name)
        return own if own.is_file() else there.get(own.name)

    picture, table = beside(words["svg"]), beside(words.get("tsv"))
    if picture is None:
        problems.append(f"{path.name}: its picture {words['svg']} is missing")
    if table is None and str(words.get("tsv")).endswith(".mcool"):
        table = Path(Path(words["tsv"]).name)  # a map is published, but not given to the report
    elif table is None and words.get("tsv"):
        problems.append(f"{path.name}: its table {words['tsv']} is missing")
    content = picture.read_bytes() if picture else None
    if content is not None and b"<svg" not in content:
        problems.append(f"{path.name}: its picture {words['svg']} is not an SVG file")
        content = None
    return Figure(**{name: str(words[name]) for name in ("title", "caption", "alt", "stage", "sample", "command")},
                  order=int(words["order"]), name=path.name.removesuffix(FIGURE), picture=content,
                  file=picture if content else None, table=table)


def _viewer(path: Path) -> Viewer:
    if path.stat().st_size > LARGEST_VIEWER:
        raise ValueError(f"it has {path.stat().st_size:,} bytes, a page takes {LARGEST_VIEWER:,}")
    words = _record(path)
    absent = [name for name in VIEWER_WORDS if name not in words]
    if absent:
        raise ValueError(f"it lacks {', '.join(absent)}")
    return Viewer(str(words["sample"]), str(words["variant"]), str(words.get("command", "")),
                  {name: words[name] for name in VIEWER_WORDS}, path)


def _metrics(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    absent = [name for name in COLUMNS if name not in table.columns]
    if absent:
        raise ValueError(f"it lacks the columns {', '.join(absent)}")
    return table[COLUMNS]


def _training(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, sep="\t")
    absent = [name for name in ("epoch", "step", "loss", "seconds") if name not in table.columns]
    if absent or table.empty:
        raise ValueError(f"it lacks the columns {', '.join(absent)}" if absent else "it holds no rows")
    return table
