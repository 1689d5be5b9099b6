"""Files of one cell type from the annotation sheet, by what perturbation uses them for."""

import csv
from pathlib import Path

from ..contacts import ContactMap
from ..errors import InputError

USED_AS = {"ctcf": "ctcf", "loops": "loops", "domains": "domains", "tads": "domains", "genes": "genes",
           "ctcf_motifs": "motifs"}
COHESIN = ("rad21", "smc3")


def supplied_by_sheet(sheet: Path, contacts: Path, site_elements: list[str]) -> tuple[dict, dict[str, Path]]:
    """The sheet's files for the cell type of a map: by the option they stand for, and sets of sites by element.

    Where the sheet has no ``ctcf_motifs``, CTCF peaks that name a strand serve as motifs.
    """
    cell_type = str(ContactMap.load(contacts).facts.get("cell_type", contacts.name.split("_")[0]))
    files, sets = {}, {}
    for element, path in _files(sheet, cell_type):
        if element in USED_AS:
            files.setdefault(USED_AS[element], path)
        elif element in COHESIN:
            files.setdefault("cohesin", []).append(path)
        if element in site_elements:
            sets[element] = path
    if "motifs" not in files and "ctcf" in files and _has_strands(files["ctcf"]):
        files["motifs"] = files["ctcf"]
    return files, sets


def _files(sheet: Path, cell_type: str) -> list[tuple[str, Path]]:
    """(element, file) of the cell type, its own lines before those of every cell type (``*``)."""
    try:
        with open(sheet, newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise InputError(f"{sheet}: cannot be read as an annotation sheet ({problem})") from None
    missing = {"cell_type", "element", "file"} - set(rows[0] if rows else ())
    if missing:
        raise InputError(f"{sheet}: has no column {', '.join(sorted(missing))}")
    rows = [row for row in rows if row["cell_type"] == cell_type] + [row for row in rows if row["cell_type"] == "*"]
    return [(row["element"].strip().lower(), sheet.parent / row["file"]) for row in rows]


def _has_strands(path: Path) -> bool:
    from .sites import text_lines

    _, fields = next(text_lines(path, 3, "a BED file"), (0, []))
    return len(fields) > 5 and fields[5] in "+-"
