"""Single-cell Hi-C into pseudo-bulk: contacts of many cells, those of poor cells left out, the rest merged by cluster.

Read are validPairs of combinatorial indexing (Ramani et al. 2017: barcodes in columns 12 and 13, species before the
chromosome, as in ``human_chr2``), 4DN pairs with a column of cells, lists of contacts with a header line, and Dip-C's .con
(one file a cell). Two passes: cells are counted and judged first, then the contacts of good ones are written as 4DN pairs,
one file a cluster, which PREPARE_CONTACTS takes as any other pairs.
"""

import contextlib
import gzip
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..files import whole
from ..genome import plain_name
from ..textfiles import opened
from .chromosomes import assembly_sizes, natural_order

LINES_AT_ONCE = 500_000
# Names that lists of contacts and pairs use for their columns.
NAMES = {"chromosome1": ("chr1", "chrom1", "chr_a", "chromosome1"), "position1": ("pos1", "start1", "start_a", "position1"),
         "chromosome2": ("chr2", "chrom2", "chr_b", "chromosome2"), "position2": ("pos2", "start2", "start_b", "position2"),
         "cell": ("cell", "cell_id", "cellid", "barcode", "cb", "cell_name"),
         "cluster": ("celltype", "cell_type", "cluster")}
PERCENTAGES = {"human": 0, "mouse": 1, "human_reads": 2, "mouse_reads": 3, "inner": 6, "outer": 7, "shuffled": 8,
               "kind": 9, "cell_type": 16}
FAR = 20_000  # bp: contacts within a chromosome farther apart than this say something of its folding


@dataclass(frozen=True)
class Cutoffs:
    """What a cell needs, to be merged.

    Attributes
    ----------
    contacts : fewest contacts (reads of its species, where a table of percentages says)
    species_share : least share of the species asked for
    cis_share : least share of contacts within a chromosome
    """

    contacts: int = 1000
    species_share: float = 0.95
    cis_share: float = 0.5


@dataclass(frozen=True)
class Layout:
    """How a file's columns are to be read: name → column; ``one_based`` positions; ``header``: lines before the first."""

    kind: str
    columns: dict[str, int]
    separator: str
    one_based: bool
    header: int


def recognise(path: Path) -> Layout:
    """Tell a single-cell file's layout by its first lines."""
    with opened(path) as handle:
        lines = [line.rstrip("\n") for _, line in zip(range(2000), handle, strict=False)]
    header = [line for line in lines if line.startswith("#")]
    first = next((line for line in lines if not line.startswith("#") and line.strip()), "")
    named = next((line.removeprefix("#columns:").split() for line in header if line.startswith("#columns:")), None)
    if named:
        return Layout("pairs", _named(path, named, r"\s+"), r"\s+", True, 0)
    fields = re.split(r"[\t,]", first)
    if {field.lower() for field in fields} & set(NAMES["cell"]):
        separator = "\t" if "\t" in first else ","
        return Layout("list", _named(path, first.split(separator), separator), separator, False, 1)
    if re.match(r"[^,\s]+,\d+,[^,\s]*\t[^,\s]+,\d+,", first):
        return Layout("con", {"chromosome1": 0, "position1": 1, "chromosome2": 3, "position2": 4}, r"[,\t]", True, 0)
    fields = first.split()
    if len(fields) >= 13 and all(re.fullmatch("[ACGTN]{6,}", fields[k]) for k in (11, 12)) and fields[1].isdigit():
        return Layout("validPairs", {"chromosome1": 0, "position1": 1, "chromosome2": 3, "position2": 4, "inner": 11,
                                     "outer": 12}, r"\s+", False, 0)
    raise InputError(f"{path}: is none of the single-cell layouts known: validPairs with barcodes in columns 12 and 13, 4DN "
                     "pairs whose '#columns:' line has a cell, a list with a header line (chr1 pos1 chr2 pos2 cell), or "
                     f"Dip-C's .con; it begins with {first[:80]!r}")


def _named(path: Path, names: list[str], separator: str) -> dict[str, int]:
    lower = [name.strip().lower() for name in names]
    found = {}
    for column, choices in NAMES.items():
        at = next((lower.index(choice) for choice in choices if choice in lower), None)
        if at is not None:
            found[column] = at
        elif column != "cluster":
            raise InputError(f"{path}: its columns are {' '.join(names)[:120]}; one of {', '.join(choices)} is needed")
    return found


def contacts(path: Path, layout: Layout, species: str):
    """Yield tables with chromosome1, position1 (0-based), chromosome2, position2, cell, species and, where there, cluster.

    A chromosome's species prefix is taken off: contacts of two species, or of another than ``species``, say so in the
    column ``species`` ("" for ``species`` itself).
    """
    order = sorted(layout.columns, key=layout.columns.get)
    number = {"position1", "position2"}
    with opened(path) as handle:
        try:
            for piece in pd.read_csv(handle, sep=layout.separator, header=None, comment="#", skiprows=layout.header,
                                     usecols=[layout.columns[name] for name in order], names=order,
                                     dtype={name: np.int64 if name in number else str for name in order},
                                     chunksize=LINES_AT_ONCE, keep_default_na=False, engine="c" if len(
                                         layout.separator) == 1 or layout.separator == r"\s+" else "python"):
                if layout.kind == "validPairs":
                    piece["cell"] = piece["inner"] + "-" + piece["outer"]
                elif layout.kind == "con":
                    piece["cell"] = path.name.split(".")[0]
                piece[["position1", "position2"]] -= layout.one_based
                yield _species_apart(piece, species)
        except (ValueError, pd.errors.ParserError) as problem:
            raise InputError(f"{path}: cannot be read as {layout.kind} ({' '.join(str(problem).split())[:200]})") from None


def _species_apart(piece: pd.DataFrame, species: str) -> pd.DataFrame:
    sides = []
    for name in ("chromosome1", "chromosome2"):
        parts = piece[name].str.extract(r"^(?:([A-Za-z]+)_)?(?=chr|ch[0-9XYM])?(.*)$")
        prefix = parts[0].fillna("").where(parts[1].str.startswith("ch"), "")
        piece[name] = piece[name].where(prefix == "", parts[1])
        sides.append(prefix)
    one, other = (side.replace(species, "") for side in sides)
    piece["species"] = np.where(one == other, one, "mixed")
    return piece


def read_percentages(path: Path, species: str) -> pd.DataFrame:
    """Cells of a ``.percentages`` file of GSE84920: by cell, ``contacts`` (reads of the species), ``species_share`` and
    ``cluster`` (its cell type). Rows of shuffled barcodes and of long reads alone are left out."""
    if species not in ("human", "mouse"):
        raise InputError(f"{path}: tells human from mouse, and the species asked for is {species!r}")
    with opened(path) as handle:
        try:
            table = pd.read_csv(handle, sep=r"\s+", header=None, usecols=list(PERCENTAGES.values()),
                                names=list(range(17)), keep_default_na=False)
            table = table.rename(columns={at: name for name, at in PERCENTAGES.items()})
            table = table[(table["shuffled"].astype(str) == "True") & (table["kind"] == "All")]
            return pd.DataFrame({"contacts": table[f"{species}_reads"].astype(np.int64),
                                 "species_share": table[species].astype(float), "cluster": table["cell_type"]}).set_index(
                                     (table["inner"] + "-" + table["outer"]).rename("cell"))
        except (ValueError, KeyError, pd.errors.ParserError) as problem:
            raise InputError(f"{path}: is no .percentages file of GSE84920 (17 columns: fractions and reads of both "
                             "species, barcodes in columns 7 and 8, cell type last): "
                             f"{' '.join(str(problem).split())[:150]}") from None


def read_clusters(path: Path) -> pd.Series:
    """A table with columns ``cell`` and ``cluster`` (tab or comma): cell → cluster."""
    with opened(path) as handle:
        table = pd.read_csv(handle, sep=None, engine="python", dtype=str, keep_default_na=False)
    lower = {name.strip().lower(): name for name in table.columns}
    cell, cluster = (next((lower[choice] for choice in NAMES[what] if choice in lower), None)
                     for what in ("cell", "cluster"))
    if cell is None or cluster is None:
        raise InputError(f"{path}: columns cell and cluster are needed; it has {', '.join(map(str, table.columns))[:120]}")
    if table[cell].duplicated().any():
        raise InputError(f"{path}: has cell {table[cell][table[cell].duplicated()].iloc[0]!r} more than once")
    return table.set_index(cell)[cluster]


def judge(files: list[Path], species: str, cutoffs: Cutoffs, percentages: pd.DataFrame | None,
          clusters: pd.Series | None) -> pd.DataFrame:
    """One row a cell: cluster, contacts, cis_share, far_share (of cis beyond 20 kb), species_share, kept, reason.

    ``clusters``: cell → cluster; cells that it lacks are left out. Without it the files' own or the percentages' cell types
    are the clusters, and where there are none all cells are one, ``all``.
    """
    counted, own = {}, {}
    for path in files:
        layout = recognise(path)
        for piece in contacts(path, layout, species):
            cis = piece["chromosome1"] == piece["chromosome2"]
            far = cis & ((piece["position1"] - piece["position2"]).abs() > FAR)
            ours = piece["species"] == ""
            table = pd.DataFrame({"cell": piece["cell"], "all": 1, "contacts": ours, "cis": cis & ours, "far": far & ours})
            for cell, row in table.groupby("cell", sort=False).sum().iterrows():
                counted[cell] = counted.get(cell, 0) + row.to_numpy(np.int64)
            if "cluster" in piece:
                own.update(piece.groupby("cell")["cluster"].first())
    found = pd.DataFrame.from_dict(counted, orient="index", columns=["all", "contacts", "cis", "far"]).rename_axis("cell")
    cells = pd.DataFrame({"cluster": pd.Series(own, dtype=str).reindex(found.index).fillna("all" if not own else ""),
                          "contacts": found["contacts"], "cis_share": found["cis"] / found["contacts"].clip(lower=1),
                          "far_share": found["far"] / found["cis"].clip(lower=1),
                          "species_share": found["contacts"] / found["all"]})
    if percentages is not None:
        known = percentages.reindex(cells.index)
        told = known["species_share"].notna()
        cells["reads"] = known["contacts"].where(told, cells["contacts"]).astype(np.int64)
        cells["species_share"] = known["species_share"].where(told, cells["species_share"])
        cells["cluster"] = known["cluster"].where(told, "")
    if clusters is not None:
        cells["cluster"] = clusters.reindex(cells.index).fillna("")
    depth = cells["reads"] if "reads" in cells else cells["contacts"]
    reasons = {"of no cluster": cells["cluster"].isin(["", "Undetermined"]),
               f"fewer than {cutoffs.contacts:,} contacts": depth < cutoffs.contacts,
               f"less than {cutoffs.species_share:.0%} {species or 'one species'}": cells["species_share"]
               < cutoffs.species_share,
               f"less than {cutoffs.cis_share:.0%} within a chromosome": cells["cis_share"] < cutoffs.cis_share}
    cells["reason"] = ""
    for reason, poor in reasons.items():
        cells["reason"] = cells["reason"].where((cells["reason"] != "") | ~poor, reason)
    cells.insert(1, "kept", cells["reason"] == "")
    return cells.sort_index()


def merge(files: list[Path], output: Path, species: str = "human", cutoffs: Cutoffs | None = None,
          percentages: Path | None = None, clusters: Path | None = None, assembly: str = "") -> pd.DataFrame:
    """Write ``<cluster>.pairs.gz`` for each cluster with cells, ``cells.tsv`` and a ``samplesheet.csv`` into ``output``.

    Returns
    -------
    the table of cells (see :func:`judge`)

    Raises
    ------
    InputError : an unknown layout or assembly, or no cell that is good enough
    """
    sizes = assembly_sizes(assembly) if assembly else None
    if assembly and sizes is None:
        raise InputError(f"--assembly {assembly}: its chromosome sizes are not known here")
    cells = judge(files, species, cutoffs or Cutoffs(), read_percentages(percentages, species) if percentages else None,
                  read_clusters(clusters) if clusters else None)
    with whole(output / "cells.tsv") as beside:
        cells.to_csv(beside, sep="\t", float_format="%.6g")
    kept = cells[cells["kept"]]
    if not len(kept):
        most = cells["reason"].value_counts()
        raise InputError(f"{', '.join(path.name for path in files)}: none of {len(cells)} cells is good enough "
                         f"({', '.join(f'{number} {reason}' for reason, number in most.items())}); cells.tsv has them all")
    names = sorted(kept["cluster"].unique())
    wrong = [name for name in names if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]*", name)]
    if wrong:
        raise InputError(f"cluster {wrong[0]!r}: only letters, digits and _ . + - are allowed, because it names a file")
    with contextlib.ExitStack() as stack:
        out = {}
        for name in names:
            packed = gzip.GzipFile(filename="", fileobj=stack.enter_context(open(stack.enter_context(
                whole(output / f"{name}.pairs.gz")), "wb")), mode="wb", mtime=0)
            out[name] = stack.enter_context(packed)
            out[name].write(_header(assembly, sizes).encode())
        for path in files:
            for piece in contacts(path, recognise(path), species):
                piece["cluster"] = kept["cluster"].reindex(piece["cell"]).to_numpy()
                for name, own in piece[(piece["species"] == "") & piece["cluster"].notna()].groupby("cluster"):
                    out[name].write(_lines(own).encode())
    with whole(output / "samplesheet.csv") as beside:
        pd.DataFrame([(name, "1", f"{name}.pairs.gz", assembly) for name in names],
                     columns=["cell_type", "replicate", "contacts", "assembly"]).to_csv(beside, index=False)
    return cells


def _header(assembly: str, sizes: dict[str, int] | None) -> str:
    lines = ["## pairs format v1.0", *([f"#genome_assembly: {assembly}"] if assembly else [])]
    for name in sorted(sizes or {}, key=natural_order):
        lines.append(f"#chromsize: {name} {sizes[name]}")
    return "\n".join([*lines, "#columns: readID chr1 pos1 chr2 pos2 strand1 strand2 cell"]) + "\n"


def _lines(own: pd.DataFrame) -> str:
    """Contacts as lines of 4DN pairs, chromosomes with their ``chr``."""
    one, other = (_with_prefix(own[name]) for name in ("chromosome1", "chromosome2"))
    table = pd.DataFrame({"id": ".", "one": one, "at": own["position1"] + 1, "other": other, "there": own["position2"] + 1,
                          "s": ".", "t": ".", "cell": own["cell"]})
    return table.to_csv(sep="\t", header=False, index=False)


def _with_prefix(names: pd.Series) -> pd.Series:
    return "chr" + names.map({name: re.sub(r"^ch(?=[0-9XYM])", "", plain_name(name)) for name in names.unique()})

