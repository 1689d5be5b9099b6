"""The report's pages from what :mod:`collect` read: an index, and a page for each sample. Each needs no other file."""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

from .. import __version__
from ..files import whole
from ..metrics import STAGES
from . import quality, words
from .collect import VIEWER, Collected, Figure, Viewer
from .links import PAGES, Links, page_names
from .samples import Sample, gather
from .scores import ANSWERS, SCORES
from .sections import WORDS, sections
from .supplied import not_supplied

WIDE = 840  # CSS pixels
HERE = Path(__file__).parent
# What a run keeps beside its results: file below the results' folder, and its words.
RECORDS = {"metrics.tsv": "every figure, one a row (TSV)", "pipeline_info/versions.tsv": "software versions",
           "pipeline_info/trace.tsv": "tasks, their times and memory", "pipeline_info/timeline.html": "timeline",
           "pipeline_info/parameters.json": "parameters"}


@dataclass(frozen=True)
class Run:
    """What the report is of, beside the results.

    Attributes
    ----------
    title : heading of the index
    expected : (cell type, replicate, resolution or None for any) of the run's samples; those without any result are
        said to be missing
    parameters : the run's parameters, for the index
    as_published : files are linked to where the pipeline publishes them, not to where they are
    """

    title: str = "Hi-C-LSTM report"
    expected: list[tuple[str, str, int | None]] = field(default_factory=list)
    parameters: dict = field(default_factory=dict)
    as_published: bool = False


def write_pages(found: Collected, output: Path, run: Run) -> list[Path]:
    """Write ``report.html`` and ``report/<id>.html`` into ``output``; the pages' paths, the index first."""
    output = Path(output)
    samples = gather(found, run.expected)
    names = page_names([sample.name for sample in samples])
    index, pages = output / "report.html", [output / PAGES / names[sample.name] for sample in samples]
    for k, (sample, path) in enumerate(zip(samples, pages, strict=True)):
        near = {"previous": samples[k - 1] if k else None, "next": samples[k + 1] if k + 1 < len(samples) else None}
        _write(path, render_sample(sample, names, Links(output, path.parent, run.as_published), near))
    _write(index, render_index(found, samples, names, Links(output, output, run.as_published), run))
    return [index, *pages]


def render_index(found: Collected, samples: list[Sample], names: dict[str, str], links: Links, run: Run) -> str:
    """The index as text; ``names`` is the samples' pages by sample id."""
    own = {sample.name for sample in samples}
    across = [figure for figure in found.figures if figure.sample not in own]
    return _render(
        "index.html", ["page.js"], links, title=run.title, version=__version__, samples=samples, names=names, pages=PAGES,
        failed=[sample for sample in samples if sample.failure], columns=SCORES | ANSWERS,
        stages=[(stage, *WORDS[stage], sum(stage in sample.stages for sample in samples)) for stage in STAGES],
        across=across, problems=found.problems, missing=not_supplied(found), parameters=_given(run.parameters),
        records={path: said for path, said in RECORDS.items()
                 if run.as_published or path == "metrics.tsv" or (links.results / path).exists()})


def render_sample(sample: Sample, names: dict[str, str], links: Links, near: dict[str, Sample | None]) -> str:
    """A sample's page as text."""
    scripts = ["page.js", "viewer.js"] if sample.viewers else ["page.js"]
    return _render("sample.html", scripts, links, title=sample.label, sample=sample, names=names, near=near,
                   sections=sections(sample.figures, sample.viewers, {"reconstruct"} if sample.tables else set()),
                   columns=SCORES | ANSWERS, chromosome_columns=quality.CHROMOSOME_COLUMNS)


def _render(template: str, scripts: list[str], links: Links, **values) -> str:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True,
                                     lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"base_pairs": words.base_pairs, "contacts": words.contacts, "duration": words.duration,
                            "counted": words.counted, "picture": picture, "size": picture_size,
                            "is_wide": is_wide, "maps": lambda viewer: maps(viewer, links)}
    script = "".join((HERE / name).read_text(encoding="utf-8") for name in scripts)
    return environment.get_template(template).render(
        **values, links=links, style=(HERE / "page.css").read_text(encoding="utf-8"), script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode())


def maps(viewer: Viewer, links: Links) -> list[tuple[str, str]]:
    """The names and addresses of a variant's maps, and of what the viewer draws."""
    stem = viewer.file.name.removesuffix(VIEWER)
    files = [(name, f"{stem}.{kind}.mcool") for name, kind in (("WT", "wt"), ("ALT", "alt"), ("Δ", "delta"))]
    # In the published layout maps lie one folder above figures.
    lying = [(name, next((folder / file for folder in viewer.file.parents[:2] if (folder / file).exists()), Path(file)))
             for name, file in files]
    return [(name, address) for name, file in [*lying, ("JSON", viewer.file)] if (address := links.to(file))]


def _write(path: Path, page: str) -> None:
    with whole(path) as beside:
        beside.write_text(page, encoding="utf-8")


def _given(parameters: dict) -> list[tuple[str, str]]:
    """The parameters that have a value, as words."""
    return [(str(name), str(value)) for name, value in parameters.items() if value not in (None, False, "")]


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


def is_wide(figure: Figure) -> bool:
    """Whether a figure would be too small to read in half of the page's width."""
    width, height = picture_size(figure)
    return width > WIDE or width > 2.6 * height > 0
