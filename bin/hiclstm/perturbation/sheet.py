"""Files of one cell type from the annotation sheet, by what perturbation uses them for."""

from pathlib import Path

from ..contacts import StoredMap
from ..elements.annotations import read_sheet

USED_AS = {"ctcf": "ctcf", "loops": "loops", "domains": "domains", "tads": "domains", "genes": "genes",
           "ctcf_motifs": "motifs"}
COHESIN = ("rad21", "smc3")


def supplied_by_sheet(sheet: Path, contacts: Path, site_elements: list[str]) -> tuple[dict, dict[str, Path]]:
    """The sheet's files for the cell type of a map: by the option they stand for, and sets of sites by element.

    Where the sheet has no ``ctcf_motifs``, CTCF peaks that name a strand serve as motifs.
    """
    cell_type = str(StoredMap.load(contacts).facts.get("cell_type", contacts.name.split("_")[0]))
    files, sets = {}, {}
    for line in read_sheet(sheet, cell_type):
        element, path = line.element.lower(), line.path
        if element in USED_AS:
            files.setdefault(USED_AS[element], path)
        elif element in COHESIN:
            files.setdefault("cohesin", []).append(path)
        if element in site_elements:
            sets[element] = path
    if "motifs" not in files and "ctcf" in files and _has_strands(files["ctcf"]):
        files["motifs"] = files["ctcf"]
    return files, sets


def _has_strands(path: Path) -> bool:
    from .sites import text_lines

    _, fields = next(text_lines(path, 3, "a BED file"), (0, []))
    return len(fields) > 5 and fields[5] in "+-"
