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

# stage -> the words that its tables and figures take for granted
EXPLAINED = {
    "train": "The loss of the default model is Poisson's of the counts, without terms that no prediction changes, so it may "
             "be negative; that of the paper's model is the mean squared error of contact probability. Lower is better.",
    "reconstruct": "In the table r is Pearson's, of balanced contacts, of their logarithm, of contact probability, and in "
                   "bands of distance, each the mean over distances; SCC is the stratum-adjusted correlation coefficient "
                   "(HiCRep); deviance is Poisson's per pair of bins on the raw counts, lower is better.",
    "compare": "A method reads representation–decoder: vectors that one method learned, and the small network (LSTM, CNN or "
               "fully connected, FC) that was trained anew to make the map from them, of contact probability or, where it "
               "says so, of counts. Names without a decoder are whole models.",
    "attribute": "Attribution: how much of the predicted contacts a bin's vector carries (integrated gradients from a "
                 "baseline vector; negative where the bin lowers contacts). Barrier cost: what the model charges contacts "
                 "that pass over the bin. Effect of its loss: change of log contacts across the bin when its vector becomes "
                 "that of its neighbourhood.",
    "perturb": "WT is the wild type, ALT the variant. Pairs are compared at the same two loci before and after; change "
               "beyond distance leaves out what a changed distance alone does.",
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
    explained: str
    series: list[Series]
    viewers: list[Viewer] = field(default_factory=list)


def sections(figures: list[Figure], viewers: list[Viewer], also: set[str]) -> list[Section]:
    """The stages that have figures, viewers or a place in ``also``, each with its series.

    A series is what follows one another in a stage with the same ten of ``order``: 620, 621, 622, and every 710. Figures of
    a stage of no known name come last.
    """
    found = []
    for stage in [*STAGES, *sorted({figure.stage for figure in figures} - set(STAGES))]:
        own = [figure for figure in figures if figure.stage == stage]
        shown = list(viewers) if stage == "perturb" else []
        if own or shown or stage in also:
            heading, question, _ = WORDS.get(stage, (stage.capitalize(), "", ""))
            found.append(Section(stage, heading, question, EXPLAINED.get(stage, ""), _series(own), shown))
    return found


def _series(figures: list[Figure]) -> list[Series]:
    found: list[Series] = []
    for figure in figures:
        if found and found[-1].first.order // 10 == figure.order // 10:
            found[-1].others.append(figure)
        else:
            found.append(Series(figure))
    return found
