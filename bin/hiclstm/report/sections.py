"""A sample's page in sections, one a stage, in the paper's order."""

from dataclasses import dataclass, field

from ..metrics import STAGES
from .collect import Figure, Viewer

# stage -> its heading, the question it answers, the script that answers it
WORDS = {
    "prepare": ("The map", "How deep is the map, and can its bins be told apart?", "prepare_contacts.py"),
    "train": ("Training", "Did the model learn, and what do its vectors hold?", "train_model.py"),
    "reconstruct": ("Reconstruction", "How well is the map given back, beside simple yardsticks and a second "
                    "measurement? (Fig. 3)", "reconstruct_map.py"),
    "compare": ("Other methods", "Do other representations and decoders give the map back as well? (Fig. 3)",
                "compare_methods.py"),
    "classify": ("Elements", "Which genomic elements can be told from the vectors, on stretches never learned from? "
                 "(Fig. 4 and 5)", "classify_elements.py"),
    "attribute": ("Positions that matter", "Which bins is the prediction made from, and what lies there? (Fig. 6)",
                  "attribute_positions.py"),
    "perturb": ("What if", "What would contacts become if the genome were changed? (Fig. 7 to 9)", "perturb_genome.py"),
    "transfer": ("Transfer", "What does the trained model learn from a shallow or partial map of another kind?",
                 "transfer_model.py"),
}


@dataclass
class Series:
    """Figures of one kind: the first is shown, the others are folded away beneath it."""

    first: Figure
    others: list[Figure] = field(default_factory=list)


@dataclass
class Section:
    """One stage on a page."""

    stage: str
    heading: str
    question: str
    series: list[Series]
    viewers: list[Viewer] = field(default_factory=list)


def sections(figures: list[Figure], viewers: list[Viewer], also: set[str]) -> list[Section]:
    """The stages that have figures, viewers or a place in ``also``, each with its series.

    A series is what follows one another in a stage with the same ten of ``order``: 620, 621, 622, and every 750. Figures of
    a stage of no known name come last.
    """
    found = []
    for stage in [*STAGES, *sorted({figure.stage for figure in figures} - set(STAGES))]:
        own = [figure for figure in figures if figure.stage == stage]
        shown = list(viewers) if stage == "perturb" else []
        if own or shown or stage in also:
            heading, question, _ = WORDS.get(stage, (stage.capitalize(), "", ""))
            found.append(Section(stage, heading, question, _series(own), shown))
    return found


def _series(figures: list[Figure]) -> list[Series]:
    found: list[Series] = []
    for figure in figures:
        if found and found[-1].first.order // 10 == figure.order // 10:
            found[-1].others.append(figure)
        else:
            found.append(Series(figure))
    return found
