"""What the papers show and this run could not, for want of input, in plain words with how to supply it."""

from dataclasses import dataclass
from pathlib import Path

from .collect import Collected

SCRIPTS = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Missing:
    """One thing the report would show: what, why it is not there, and how to get it (words, then an option)."""

    what: str
    lacks: str
    how: str = ""
    option: str = ""


NO_ANNOTATIONS = "No annotations were given."
SHEET = ("a sheet with a line for each file: cell_type (* for every one), element, file (BED, narrowPeak, bedpe, "
         "bigWig or TSV);")
# stage -> the script that makes it, and what is missing without its input
STAGES_WITH_INPUT = {
    "compare": ("compare_methods.py", Missing(
        "Other representations and decoders (Fig. 3a–d)", "The comparison of methods was not run.")),
    "classify": ("classify_elements.py", Missing(
        "Which elements the vectors know (Fig. 4): genes, enhancers, TSS, replication timing, promoter–enhancer pairs, "
        "FIREs, TADs, loops, subcompartments", NO_ANNOTATIONS, SHEET, "--annotations SHEET.csv")),
    "attribute": ("attribute_positions.py", Missing(
        "Which positions matter (Fig. 6): attribution along the genome, over TADs, at CTCF and cohesin sites, "
        "enhancers, boundaries, Segway and Segway-GBR states", NO_ANNOTATIONS, SHEET, "--annotations SHEET.csv")),
    "perturb": ("perturb_genome.py", Missing(
        "What a deletion, duplication, inversion or a lost binding site would do (Fig. 7–9)", "No variants were given.",
        "a file of variants (VCF, BED or BEDPE);", "--variants FILE")),
    "transfer": ("transfer_model.py", Missing(
        "What a trained model learns from a 5C, capture, single-cell or shallow map (Fig. 9)",
        "No map for transfer was given.", "a sheet of 5C, capture or shallow maps;", "--transfer SHEET.csv")),
}
# The paper's elements, and how their names in a sheet begin.
ELEMENTS = {"gene expression": ("expression", "geneexpression"), "replication timing": ("replication",),
            "enhancer": ("enhancer",), "TSS": ("tss",), "PEI": ("pei", "promoterenhancer", "enhancerpromoter"),
            "FIRE": ("fire",), "TAD": ("tad", "domain"), "subTAD": ("subtad",), "loop": ("loop",),
            "boundary": ("boundar",), "subcompartment": ("subcompartment",), "CTCF": ("ctcf",), "RAD21": ("rad21",),
            "SMC3": ("smc3",), "Segway": ("segway",), "Segway-GBR": ("segwaygbr",)}


def not_supplied(found: Collected, scripts: Path = SCRIPTS) -> list[Missing]:
    """What lacks input, in the paper's order; a stage without its script in ``scripts`` is not in this version."""
    metrics, missing = found.metrics, []
    scored = metrics[metrics["stage"] == "reconstruct"]
    alone = sorted({cell_type for cell_type, own in metrics.groupby("cell_type")
                    if own["replicate"].nunique() < 2 and not _second_target(own)})
    if alone and len(scored):
        missing.append(Missing(f"How well an independent measurement is met, and the ceiling ({', '.join(alone)})",
                               "There is only one replicate.",
                               "a second line in the samplesheet with the same cell_type and another replicate."))
    if len(scored) and "apa" not in set(scored["metric"]):
        missing.append(Missing("Whether loops are kept (aggregate peak analysis)", "No loops were given.",
                               "a BEDPE file of loops in the samplesheet's column loops."))
    seen = {*metrics["stage"], *(figure.stage for figure in found.figures)}
    for stage, (script, absent) in STAGES_WITH_INPUT.items():
        if stage not in seen:
            there = (scripts / script).exists()
            missing.append(absent if there else Missing(absent.what, "Not in this version of the pipeline."))
    if "classify" in seen:
        given = {_plain(name) for name in metrics.loc[metrics["stage"].isin(["classify", "attribute"]), "stratum"]}
        lacking = [name for name, begins in ELEMENTS.items() if not any(one.startswith(begins) for one in given)]
        if lacking:
            missing.append(Missing(f"Elements: {', '.join(lacking)}", "No file with them was given.", SHEET,
                                   "--annotations SHEET.csv"))
    return missing


def _second_target(rows) -> bool:
    """Whether a sample was scored on anything but itself."""
    own = {*rows["replicate"], ""}
    return bool(set(rows.loc[rows["stage"] == "reconstruct", "against"]) - own)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
