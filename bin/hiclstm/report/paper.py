"""The paper's figures one after another: where this report has each, or why not."""

import re
from dataclasses import dataclass, field

from .collect import Figure
from .samples import Sample


@dataclass(frozen=True)
class Row:
    """A figure of the paper; ``absent`` is said where no figure of the report has a name that ``names`` finds."""

    number: str
    what: str
    names: str
    absent: str
    resolutions: int = 1  # at how many of them the figure must have been drawn


@dataclass(frozen=True)
class Found:
    """A row with the samples that have it, the first's section, and whether it is among the figures across samples."""

    row: Row
    samples: list[Sample] = field(default_factory=list)
    stage: str = ""
    across: bool = False

    @property
    def absent(self) -> str:
        return "" if self.samples or self.across else self.row.absent


ELEMENTS = "not supplied: annotations (--annotations)"
VARIANTS = "not supplied: variants (--variants)"
SITES = "not supplied: binding sites among the annotations (--annotations)"
SEVERAL = "not supplied: two samples or more"
RESOLUTIONS = "not supplied: two resolutions or more (--resolutions)"
NOT_DRAWN = r"(?!)"  # the name of no figure
TRANSFER = "not supplied: maps for transfer (--transfer)"
# Numbers are those of Dsouza et al., Nature Communications 13:3704 (2022), S those of its supplement, of which only what the
# text says of it was at hand. Fig. 1, 2, S9 and S12 are drawings of the method.
ROWS = (
    Row("3a–d, S1", "R² against distance of representations and decoders", r"\.compare\.(same|other\d+)$",
        "not run: the comparison of methods (--compare)"),
    Row("3e, f", "Reconstruction across cell types and depths", r"^comparison\.(distance|methods)$", SEVERAL),
    Row("3g", "Observed and predicted map", r"\.reconstruct\.map\.", "not run: reconstruction"),
    Row("4a, b", "Elements identified from the representations", r"\.classify\.map\.", ELEMENTS),
    Row("4c", "Elements across cell types", r"^comparison\.elements$", SEVERAL + ", and annotations (--annotations)"),
    Row("4d", "Precision and recall", r"\.classify\.curves\.", ELEMENTS),
    Row("5a–c", "Observed and predicted map at other resolutions", r"\.reconstruct\.map\.", RESOLUTIONS, 2),
    Row("5d", "Elements at other resolutions", r"\.classify\.map\.", RESOLUTIONS + ", and annotations (--annotations)", 2),
    Row("6a", "Attribution over topologically associating domains", r"\.attribute\.profile$",
        "not supplied: domains among the annotations (--annotations)"),
    Row("6b", "Attribution along a locus", r"\.attribute\.locus\.", ELEMENTS),
    Row("6c", "Binding sites ranked by attribution", r"\.attribute\.enrichment$", SITES),
    Row("6d, S7", "Attribution at elements and Segway states", r"\.attribute\.violins\.", ELEMENTS),
    Row("7", "A duplication on the reference", r"\.collapsed$",
        "not supplied: a duplication among the variants (--variants)"),
    Row("8a", "Knockout of binding sites, averaged around them", r"\.(knockouts|factors)\.window$", SITES),
    Row("8b", "Knockout and CTCF orientation against distance", r"\.(knockouts|factors|orientation)\.distance$", SITES),
    Row("8c", "Domain boundaries knocked out", r"\.domains\.knockout$",
        "not supplied: domains among the annotations (--annotations)"),
    Row("9", "Anchors deleted, after learning from a small map", r"\.deletion$", TRANSFER),
    Row("S2", "Whether loops stay", NOT_DRAWN, "a score, not a figure: apa in metrics.tsv, with the samplesheet's column "
        "loops"),
    Row("S3", "Subcompartments taken for each other", r"\.classify\.confusion\.",
        "not supplied: subcompartments among the annotations (--annotations)"),
    Row("S4–6", "Elements by other measures, in other cell types", r"\.classify\.metrics\.", ELEMENTS),
    Row("S8, S16", "Knockout by four methods", r"\.knockouts\.", SITES),
    Row("S10", "Maps after a deletion", r"\.variant$", VARIANTS),
    Row("S11", "A single-cell or shallow map", r"\.transfer\.", TRANSFER),
    Row("S13", "Sizes and kinds of the network", NOT_DRAWN, "not part of a run: python benchmarks/ablations.py"),
    Row("S14", "Error by position in a frame", r"\.(reconstruct|compare)\.frames$", "not run: reconstruction"),
    Row("S15", "Depth and number of boosted trees", r"\.classify\.ablation$",
        "not part of a run: classify_elements.py --ablation"),
)


def paper_figures(samples: list[Sample], across: list[Figure]) -> list[Found]:
    """Every figure of the paper, in its order."""
    found = []
    for row in ROWS:
        having = {sample.name: (sample, figure.stage) for sample in samples for figure in reversed(sample.figures)
                  if re.search(row.names, figure.name)}
        if len({sample.resolution for sample, _ in having.values()}) < row.resolutions:
            having = {}
        own = list(having.values())
        found.append(Found(row, [sample for sample, _ in own], own[0][1] if own else "",
                           any(re.search(row.names, figure.name) for figure in across)))
    return found
