"""The report: one HTML file that needs nothing else, from what :mod:`collect` read."""

import base64
import gzip
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import pandas as pd

from .. import __version__
from . import quality
from .collect import Collected, Figure, natural
from .figures import METHOD_NAMES
from .supplied import not_supplied

HERE = Path(__file__).parent
YARDSTICKS = ("distance_mean", "svd16", "blur", "replicate")
SCORES = {"pearson_lin": "Pearson r", "scc_h0": "SCC", "r2_cp": "R², prob."}
METRIC_NAMES = {"pearson_lin": "r", "pearson_log": "r, log", "pearson_cp": "r, prob.", "spearman": "Spearman",
                "scc_h0": "SCC", "r2_cp": "R², prob.", "deviance": "Deviance"}
# short ones, for the summary
YARDSTICK_NAMES = {**METHOD_NAMES, "blur": "blur", "svd16": "SVD", "replicate": "training map"}
PLAIN_TABLE = 60_000  # bytes; larger tables are embedded compressed
LARGEST_TABLE = 1_000_000  # bytes, compressed; larger ones are only named


@dataclass(frozen=True)
class Score:
    """A model's figure with what it is to be compared with, as text; ``beaten`` where a yardstick is better."""

    value: str
    yardstick: str
    ceiling: str
    beaten: bool


@dataclass
class Sample:
    """One section of the page."""

    name: str
    cell_type: str
    replicate: str
    resolution: int | None
    anchor: str = ""
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

    @property
    def explained(self) -> str:
        return quality.explain(self.verdict)

    @property
    def label(self) -> str:
        if self.resolution is None and not self.replicate:
            return self.name
        replicate = f", replicate {self.replicate}" if self.replicate else ""
        return f"{self.cell_type}{replicate}" + (f", {base_pairs(self.resolution)}" if self.resolution else "")


def render(found: Collected, title: str = "Hi-C-LSTM report", expected=()) -> str:
    """The page as text.

    Parameters
    ----------
    found : what the stages left behind
    expected : (cell type, replicate, resolution or None for any) of the samples of the run; those without any result
        are said to be missing
    """
    samples = gather(found, expected)
    script = (HERE / "page.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True,
                                     lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"base_pairs": base_pairs, "contacts": contacts, "duration": duration, "picture": picture,
                            "size": picture_size, "download": download}
    names = {sample.name for sample in samples}
    return environment.get_template("page.html").render(
        title=title, version=__version__, samples=samples, score_names=SCORES,
        across=[figure for figure in found.figures if figure.sample not in names],
        problems=found.problems, missing=not_supplied(found), chromosome_columns=quality.CHROMOSOME_COLUMNS,
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=script, script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode())


def gather(found: Collected, expected=()) -> list[Sample]:
    """Everything of each sample together, samples by cell type, replicate and resolution."""
    samples: dict[str, Sample] = {}
    for row in found.metrics[["cell_type", "replicate", "resolution"]].drop_duplicates().itertuples(index=False):
        name = f"{row.cell_type}_{row.replicate}.{row.resolution}"
        samples[name] = Sample(name, row.cell_type, row.replicate, _whole_number(row.resolution))
    named = [*found.quality, *found.training, *found.failures, *(figure.sample for figure in found.figures)]
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
    ordered = sorted(samples.values(), key=lambda own: (natural(own.cell_type), natural(own.replicate),
                                                        own.resolution or 0, own.name))
    taken: set[str] = set()
    for sample in ordered:
        anchor = "sample-" + re.sub(r"[^A-Za-z0-9.-]+", "-", sample.name)
        while anchor in taken:
            anchor += "-"
        taken.add(anchor)
        sample.anchor = anchor
    return ordered


def _fill(sample: Sample, found: Collected) -> None:
    rows = found.metrics
    rows = rows[(rows["cell_type"] == sample.cell_type) & (rows["replicate"] == sample.replicate)
                & (rows["resolution"] == str(sample.resolution))]
    sample.figures = [figure for figure in found.figures if figure.sample == sample.name]
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
    models = [name for name in ("default", "paper") if name in set(scored["method"]) | set(trained["method"])]
    sample.method = models[0] if models else ""
    target = target_of(scored, sample.replicate)
    if target is not None:
        sample.against = target_name(target, sample.replicate)
        overall = scored[(scored["against"] == target) & (scored["stratum"] == "all")]
        sample.scores = {metric: score for metric in SCORES if (score := _score(overall, metric, sample.method))}
    sample.tables = _score_tables(scored, sample.replicate)


def target_of(scored: pd.DataFrame, replicate: str) -> str | None:
    """What the summary scores on: another replicate, else the truth, else the training map, else another cell type."""
    targets = list(dict.fromkeys(scored.loc[scored["metric"].isin(SCORES), "against"]))

    def rank(name: str) -> int:
        if name in (replicate, "truth"):
            return 2 if name == replicate else 1
        return 3 if "_" in name else 0  # another cell type is named <cell type>_<replicate>

    return min(targets, key=rank, default=None)


def target_name(target: str, replicate: str) -> str:
    """The words for a value of ``against``."""
    if target == replicate:
        return "training map"
    return target if target == "truth" or "_" in target else f"replicate {target}"


def _score(overall: pd.DataFrame, metric: str, method: str) -> Score | None:
    values = {row.method: float(row.value) for row in overall[overall["metric"] == metric].itertuples() if row.value}
    if method not in values:
        return None
    known = {name: values[name] for name in YARDSTICKS if name in values}
    best = max(known, key=known.get) if known else None
    return Score(value=f"{values[method]:.3f}",
                 yardstick=f"{YARDSTICK_NAMES[best]} {known[best]:.3f}" if best else "",
                 ceiling=f"{values['ceiling']:.3f}" if "ceiling" in values else "",
                 beaten=bool(best) and known[best] > values[method])


def _score_tables(scored: pd.DataFrame, replicate: str) -> list[dict]:
    """For each target one table: methods down; the metrics overall, then Pearson r by distance, across."""
    tables = []
    for target, own in scored.groupby("against", sort=False):
        overall = own[own["stratum"] == "all"]
        bands = own[(own["stratum"] != "all") & (own["metric"] == "pearson_lin")]
        metrics = [name for name in METRIC_NAMES if name in set(overall["metric"])]
        if not metrics:
            continue
        strata = sorted(set(bands["stratum"]), key=natural)
        held = {(row.method, row.metric): row.value for row in overall.itertuples()}
        held |= {(row.method, row.stratum): row.value for row in bands.itertuples()}
        scored_here = {method for method, _ in held if any((method, name) in held for name in metrics + strata)}
        methods = [name for name in METHOD_NAMES if name in scored_here]
        methods += sorted(scored_here - set(methods))
        tables.append({
            "caption": f"Scored on: {target_name(target, replicate)}",
            "columns": [METRIC_NAMES[name] for name in metrics] + [f"r, {distance_band(name)}" for name in strata],
            "rows": [(METHOD_NAMES.get(method, method),
                      [number(held.get((method, name), "")) for name in metrics + strata]) for method in methods]})
    return tables


def number(text: str) -> str:
    try:
        return f"{float(text):.3f}"
    except ValueError:
        return text


def distance_band(stratum: str) -> str:
    """``500000-2000000`` as ``0.5–2 Mb``; other strata as they are."""
    parts = re.fullmatch(r"(\d+)-(\d*)", stratum)
    if not parts:
        return stratum
    low, high = (f"{int(edge) / 1e6:g}" if edge else "" for edge in parts.groups())
    if not high:
        return f"> {low} Mb"
    return f"< {high} Mb" if low == "0" else f"{low}–{high} Mb"


def base_pairs(resolution: int | None) -> str:
    if resolution is None:
        return ""
    for unit, scale in (("Mb", 1_000_000), ("kb", 1_000)):
        if resolution >= scale:
            return f"{resolution / scale:g} {unit}"
    return f"{resolution} bp"


def contacts(count: float | None) -> str:
    if count is None:
        return ""
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count:g}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def picture(figure: Figure) -> str:
    """The SVG as a data URI. In an ``img`` it cannot run scripts, load anything, or touch the page's styles."""
    return "data:image/svg+xml;base64," + base64.b64encode(figure.picture).decode()


def picture_size(figure: Figure) -> tuple[int, int]:
    """Width and height the SVG asks for, in CSS pixels, so that the page does not jump while pictures are decoded."""
    asked = []
    for side in ("width", "height"):
        said = re.search(rb'<svg[^>]*?\s%s="([\d.]+)(pt)?"' % side.encode(), figure.picture[:3000])
        asked.append(round(float(said[1]) * (4 / 3 if said[2] else 1)) if said else 0)
    return asked[0], asked[1]


def download(figure: Figure) -> dict | None:
    """The table behind a figure as ``{name, href}``; ``href`` is empty where it is too large to carry along."""
    if figure.table is None:
        return None
    content = figure.table.read_bytes()
    name, kind = figure.table.name, "text/tab-separated-values"
    if len(content) > PLAIN_TABLE:
        content, name, kind = gzip.compress(content, mtime=0), f"{name}.gz", "application/gzip"
    if len(content) > LARGEST_TABLE:
        return {"name": figure.table.name, "href": ""}
    return {"name": name, "href": f"data:{kind};base64,{base64.b64encode(content).decode()}"}


def _whole_number(text: str) -> int | None:
    return int(text) if str(text).isdecimal() else None


__all__ = ["Sample", "Score", "gather", "render"]
