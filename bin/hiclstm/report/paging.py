"""A sample's figures and map viewers over pages: with many variants a single page would be too large to open or to send."""

from dataclasses import dataclass, field

from .collect import Figure, Viewer
from .samples import Sample
from .sections import sections

ROOM = 4_000_000  # bytes of figures and maps on a page; with all else a page stays below 5 MB
MARKUP = 2_000  # bytes around a figure


@dataclass
class Part:
    """What one page of a sample shows; ``number`` counts from 1."""

    number: int
    figures: list[Figure] = field(default_factory=list)
    viewers: list[Viewer] = field(default_factory=list)

    @property
    def titles(self) -> list[str]:
        """What the page holds, in words; variants by their names alone."""
        variants = [viewer.variant for viewer in self.viewers]
        return variants + [figure.title for figure in self.figures if variant_of(figure) not in variants]


def variant_of(figure: Figure) -> str:
    """The variant that a figure is of, the middle of ``<id>.<variant>.variant`` or ``.collapsed``; "" for any other."""
    inner = figure.name.removeprefix(f"{figure.sample}.")
    name, _, kind = inner.rpartition(".")
    return name if figure.stage == "perturb" and kind in ("variant", "collapsed") else ""


def parts(sample: Sample, room: int = ROOM) -> list[Part]:
    """At least one part, each of ``room`` bytes or of a single thing larger than that.

    First comes what is not of one variant, the first figure of every series before the others of its kind; then variant
    after variant, each with its figures and its maps together.
    """
    common = [figure for figure in sample.figures if not variant_of(figure)]
    series = [one for section in sections(common, [], set()) for one in section.series]
    units = [([figure], []) for figure in (*(one.first for one in series), *(more for one in series for more in one.others))]
    variants: dict[str, tuple[list, list]] = {viewer.variant: ([], [viewer]) for viewer in sample.viewers}
    for figure in sample.figures:
        if variant_of(figure):
            variants.setdefault(variant_of(figure), ([], []))[0].append(figure)
    held: list[tuple[set, list]] = [(set(), [])]
    left = room
    for figures, viewers in [*units, *variants.values()]:
        size = sum(map(_figure_size, figures)) + sum(map(_viewer_size, viewers))
        if size > left and (held[-1][0] or held[-1][1]):
            held.append((set(), []))
            left = room
        held[-1][0].update(map(id, figures))
        held[-1][1].extend(viewers)
        left -= size
    return [Part(number, [figure for figure in sample.figures if id(figure) in own], viewers)
            for number, (own, viewers) in enumerate(held, 1)]


def _figure_size(figure: Figure) -> int:
    words = sum(map(len, (figure.title, figure.caption, figure.alt, figure.command)))
    return 4 * len(figure.picture or b"") // 3 + 2 * words + MARKUP


def _viewer_size(viewer: Viewer) -> int:
    return sum(len(str(value)) for value in viewer.content.values()) + MARKUP
