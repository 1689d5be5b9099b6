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
from .paging import Part, parts
from .paper import paper_figures
from .samples import Sample, gather
from .scores import ANSWERS, SCORES
from .sections import WORDS, sections
from .supplied import not_supplied

WIDE = 700  # CSS pixels; drawn for more, a figure's letters would be too small in half of the page's width
HERE = Path(__file__).parent
# What a run keeps beside its results: file below the results' folder, and its words.
RECORDS = {"metrics.tsv": "every number, one a row (TSV)", "pipeline_info/versions.tsv": "software versions",
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
    """Write ``report.html`` and the samples' ``report/<id>.html`` into ``output``; the pages' paths, the index first.

    What one page of a sample has no room for goes to ``report/<id>-page-2.html`` and so on.
    """
    output = Path(output)
    samples = gather(found, run.expected)
    split = {sample.name: parts(sample) for sample in samples}
    names = page_names([*split, *(further(name, part) for name, own in split.items() for part in own[1:])])
    written = [output / "report.html"]
    for k, sample in enumerate(samples):
        near = {"previous": samples[k - 1] if k else None, "next": samples[k + 1] if k + 1 < len(samples) else None}
        for part in split[sample.name]:
            written.append(output / PAGES / names[further(sample.name, part)])
            links = Links(output, written[-1].parent, run.as_published)
            _write(written[-1], render_sample(sample, part, split[sample.name], names, links, near))
    _write(written[0], render_index(found, samples, names, Links(output, output, run.as_published), run))
    return written


def further(name: str, part: Part) -> str:
    """What a page of a sample is known by in the pages' names."""
    return name if part.number == 1 else f"{name}-page-{part.number}"


def render_index(found: Collected, samples: list[Sample], names: dict[str, str], links: Links, run: Run) -> str:
    """The index as text; ``names`` is the samples' pages by sample id."""
    own = {sample.name for sample in samples}
    across = [figure for figure in found.figures if figure.sample not in own]
    return _render(
        "index.html", ["page.js"], links, title=run.title, version=__version__, samples=samples, names=names, pages=PAGES,
        failed=[sample for sample in samples if sample.failure], columns=SCORES | ANSWERS,
        stages=[(stage, *WORDS[stage], sum(stage in sample.stages for sample in samples)) for stage in STAGES],
        across=across, paper=paper_figures(samples, across), problems=found.problems, missing=not_supplied(found),
        parameters=_given(run.parameters),
        records={path: said for path, said in RECORDS.items()
                 if run.as_published or path == "metrics.tsv" or (links.results / path).exists()})


def render_sample(sample: Sample, part: Part, split: list[Part], names: dict[str, str], links: Links,
                  near: dict[str, Sample | None]) -> str:
    """One of a sample's pages as text: ``part`` of ``split``."""
    scripts = ["page.js", "viewer.js"] if part.viewers else ["page.js"]
    also = {"reconstruct"} if sample.tables and part.number == 1 else set()
    if len(split) > 1 and part.number == 1 and sample.viewers:
        also.add("perturb")
    return _render("sample.html", scripts, links, title=sample.label, sample=sample, part=part, near=near,
                   addresses=[names[further(sample.name, other)] for other in split], split=split, names=names,
                   sections=sections(part.figures, part.viewers, also), columns=SCORES | ANSWERS,
                   chromosome_columns=quality.CHROMOSOME_COLUMNS,
                   variants=links.to(beside(sample.viewers[0], f"{sample.name}.variants.tsv")) if sample.viewers else "")


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
    files = [(name, beside(viewer, f"{stem}.{kind}.mcool")) for name, kind in (("WT", "wt"), ("ALT", "alt"), ("Δ", "delta"))]
    return [(name, address) for name, file in [*files, ("JSON", viewer.file)] if (address := links.to(file))]


def beside(viewer: Viewer, file: str) -> Path:
    """A result of the stage that a viewer is of; in the published layout it lies one folder above figures."""
    return next((folder / file for folder in viewer.file.parents[:2] if (folder / file).exists()), Path(file))


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
