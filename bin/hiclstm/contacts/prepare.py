"""PREPARE_CONTACTS: contact files of any format → one balanced, masked map with a record of its quality."""

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..genome import Bins
from . import balance as balancing_of
from . import quality as quality_of
from .balance import Balancing
from .chromosomes import FEWEST_BINS
from .library import PATIENCE, Request, read_apart
from .map import write_cool
from .merge import Libraries
from .quality import Quality

PIXELS_AT_ONCE = 5_000_000


@dataclass(frozen=True)
class Sample:
    """Whose map it is: ``id`` is ``<cell_type>_<replicate>.<resolution>``."""

    cell_type: str
    replicate: str
    resolution: int

    @property
    def id(self) -> str:
        return f"{self.cell_type}_{self.replicate}.{self.resolution}"


def prepare(files: Sequence[str], sample: Sample, request: Request, output, *,
            probability_scale: str | float = "coverage", patience: float = PATIENCE, command: str = "",
            say: Callable[[str], None] = lambda line: None) -> dict:
    """Read, sum, balance, judge and write one map.

    Writes ``<id>.cool``, ``<id>.qc.json``, ``<id>.prepare.metrics.tsv`` and the figure ``<id>.qc`` into ``output``, all
    of them or, on an error, none.

    Parameters
    ----------
    files : libraries of one map, each ``path`` or ``path::part``; they are summed
    request : resolution, chromosomes, assembly, balancing
    probability_scale : ``coverage`` (1; of 5C and capture the next), ``depth_matched`` (median contact probability 0.5)
        or a factor
    patience : seconds without progress after which reading a file is given up
    say : called with each thing the user should know while it works

    Returns
    -------
    dict : the QC record
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".preparing-", dir=output) as scratch:
        scratch = Path(scratch)
        _ = request.assembly_sizes  # looked up once here, not in the process of every file
        libraries = []
        for k, name in enumerate(files):
            libraries.append(read_apart(name, request, scratch / f"library{k}", patience))
            say(f"read {libraries[-1].source} ({libraries[-1].format}, {libraries[-1].resolution:,} bp)"
                + "".join(f"; {note}" for note in libraries[-1].notes))
        together = Libraries(libraries, request)
        kept, quality, notes = _balance(together, request, sample, scratch, say)
        if probability_scale == "coverage" and any(library.fragments for library in libraries):
            probability_scale = "depth_matched"  # counts of amplified ligation products have no scale of their own
            notes.append("equation 1 is depth-matched, as counts of 5C and capture have no scale of their own")
        scale = quality.probability_scale(probability_scale)
        quality.check_saturation(sample.id, scale)
        record = _record(together, sample, quality, scale, probability_scale, notes, len(kept))
        ready = scratch / "ready"
        ready.mkdir()
        _write(ready, together, kept, sample, request, record, command)
        for path in sorted(ready.iterdir()):
            os.replace(path, output / path.name)
    return record


def _balance(together: Libraries, request: Request, sample: Sample, scratch: Path, say):
    """Balance each chromosome and drop those that cannot be used: (name → Balancing, Quality, notes)."""
    names, notes = together.chosen()
    why_compute = _check_vector_named(together, request, names)
    kept: dict[str, Balancing] = {}
    quality = Quality(request.resolution)
    for name in names:
        bin1, bin2, counts = together.pixels(name)
        n = -(-together.sizes[name] // request.resolution)
        share = together.first_share(name, n)
        if request.balance == "none":
            found = balancing_of.none(bin1, bin2, counts, n, "none", "asked for: every weight is 1")
        elif share is not None and request.balance == "auto":
            found = balancing_of.of_fragments(bin1, bin2, counts, share, "only chosen fragments were measured: each bin's "
                                              "total is compared with what its measured pairs are expected to have")
        elif not together.raw and not together.vectors(name) and not _added_up(together, name, request):
            found = balancing_of.none(bin1, bin2, counts, n, "already balanced",
                                      "values are not whole counts: taken as balanced by whoever made the file")
        elif request.balance == "balanced":
            found = balancing_of.none(bin1, bin2, counts, n, "already balanced", "said to be balanced")
        else:
            found = balancing_of.choose(bin1, bin2, counts, n, together.vectors(name), request.balance, scratch,
                                        request.resolution, why_compute)
        if share is not None:  # a bin without fragments is missing, whatever the balancing
            found = replace(found, weight=np.where(np.isfinite(share), found.weight, np.nan))
        usable = int(np.isfinite(found.weight).sum())
        if usable < FEWEST_BINS:
            words = f"chromosome {name} has only {usable} usable bins of {request.resolution:,} bp ({n} in all)"
            if request.chromosomes is not None or len(names) == 1:
                raise InputError(f"{sample.id}: {words}; at least {FEWEST_BINS} are needed: choose a finer resolution "
                                 "or other chromosomes")
            notes.append(f"{words} and is left out")
            continue
        kept[name] = found
        say(f"{name}: {found.name}{f' ({found.reading})' if found.reading else ''}, {usable} of {n} bins usable, "
            f"row sums uneven by {found.unevenness:.2g}: {found.why}")
        if found.name in ("already balanced", "computed") and found.unevenness > balancing_of.EVEN_ENOUGH:
            what = "is taken as balanced" if found.name == "already balanced" else "is too sparse to balance well"
            notes.append(f"{name} {what}: its row sums stay uneven by {found.unevenness:.0%}")
        quality.add(name, bin1, bin2, counts, found)
    if not kept:
        raise InputError(f"{sample.id}: no chromosome has {FEWEST_BINS} usable bins of {request.resolution:,} bp: "
                         "choose a finer resolution or a deeper map")
    cut = quality.longest_distance()
    if cut is not None:
        notes.append(f"no contact is farther than {cut:,} bp although many would be expected: the file was cut there, "
                     "and pairs beyond are not measured")
    for note in notes:
        say(note)
    return kept, quality, notes


def _added_up(together: Libraries, name: str, request: Request) -> bool:
    """Whether a chromosome's pixels were added up from finer ones or over libraries: then no vector of a file fits."""
    holding = together.holding(name)
    return len(holding) > 1 or holding[0].resolution not in (1, request.resolution)


def _check_vector_named(together: Libraries, request: Request, names) -> str:
    """Why a weight has to be computed; an error where a vector was asked for by name that cannot be had."""
    summed = any(len(together.holding(name)) > 1 for name in names)
    coarser = any(_added_up(together, name, request) for name in names)
    if request.vectors_wanted and request.balance != "auto":
        vector = request.balance
        if summed:
            raise InputError(f"balancing {vector!r} was asked for by name, but several libraries are summed, whose "
                             "vectors cannot be; leave the balancing to 'auto'")
        if coarser:
            raise InputError(f"balancing {vector!r} was asked for by name, but the map is added up from a finer one, "
                             f"whose vectors do not fit at {request.resolution:,} bp; leave the balancing to 'auto'")
        found = [together.vectors(name).get(vector, np.zeros(1)) for name in names]
        if not any(np.any(np.nan_to_num(values) > 0) for values in found):
            file = together.holding(names[0])[0]
            has = ", ".join(file.vector_names) or "none"
            what = "its vector {!r} has no values" if vector in file.vector_names else "has no vector {!r}"
            raise InputError(f"{file.source}: {what.format(vector)} at {request.resolution:,} bp; it has: {has} (or "
                             "say 'auto' or 'none')")
    if summed:
        return "several libraries were summed, so the balancing was computed anew"
    return "added up from a finer resolution, so the balancing was computed anew" if coarser else \
        "the file has no balancing vector called weight, KR, SCALE or VC"


def _record(together: Libraries, sample: Sample, quality: Quality, scale: float, asked, notes, chromosomes) -> dict:
    figures = quality.record(scale, together.trans() if chromosomes > 1 else None)
    figures["probability"] = {"scale_asked": str(asked), **figures["probability"]}
    return {
        "sample": sample.id, "cell_type": sample.cell_type, "replicate": sample.replicate,
        "resolution": sample.resolution, "assembly": together.assembly(),
        "raw": together.raw and together.request.balance != "balanced", **figures, "notes": notes,
        "sources": [{"file": Path(library.source).name, "format": library.format, "resolution_read": library.resolution,
                     "notes": library.notes} for library in together.libraries],
    }


def _write(folder: Path, together: Libraries, kept: dict[str, Balancing], sample: Sample, request: Request,
           record: dict, command: str) -> None:
    from ..report.figures import save_figure

    bins = Bins(tuple(kept), tuple(together.sizes[name] for name in kept), request.resolution)
    weight = np.concatenate([found.weight for found in kept.values()])
    shares = [together.first_share(name, len(found.weight)) for name, found in kept.items()]
    share = None
    if any(of_one is not None for of_one in shares):
        share = np.concatenate([np.full(len(found.weight), 0.5) if of_one is None else of_one
                                for of_one, found in zip(shares, kept.values(), strict=True)])
    facts = {key: record[key] for key in ("cell_type", "replicate", "sample", "assembly", "raw", "verdict", "sources",
                                          "notes", "longest_distance_bp")}
    facts["balance"] = {name: f"{found.name} ({found.reading})" if found.reading else found.name
                        for name, found in kept.items()}
    facts["probability_scale"] = record["probability"]["scale"]
    largest = max(found["contacts_cis"] for found in record["chromosomes"].values())
    dtype = "float64" if not together.raw else "int32" if largest < 2**31 else "int64"
    write_cool(folder / f"{sample.id}.cool", bins, weight, _pixels(together, bins, dtype), facts, dtype, share)
    with open(folder / f"{sample.id}.qc.json", "w") as handle:
        json.dump(record, handle, indent=1, default=float)
    quality_of.metrics(record, sample.cell_type, sample.replicate, sample.resolution).write(
        folder / f"{sample.id}.prepare.metrics.tsv")
    probability = record["probability"]
    save_figure(quality_of.draw(record), folder / f"{sample.id}.qc", title=f"Quality of {sample.id}",
                caption="Left: balanced contacts of a pair of usable bins against distance. Right: contact probability "
                        f"exp(−8/v) of non-zero pairs (Eq. 1 of the paper), v their balanced contacts times "
                        f"{probability['scale']:.3g}. Verdict: {record['verdict']} at this resolution.",
                alt=f"{sample.id}: contacts fall with distance; the median contact probability is "
                    f"{probability['median']:.2f}, 5th to 95th percentile {probability['low']:.2f} to "
                    f"{probability['high']:.2f}.",
                stage="prepare", sample=sample.id, order=100, command=command,
                table=pd.DataFrame(record["distance_decay"]))


def _pixels(together: Libraries, bins: Bins, dtype: str):
    """Pixels of the whole map in the file's order: chromosome by chromosome, each with its contacts to later ones."""
    for k, name in enumerate(bins.chromosomes):
        parts = []
        for m in range(k, len(bins.chromosomes)):
            found = together.pixels(name, bins.chromosomes[m])
            if found is not None:
                parts.append((found[0] + bins.offsets[k], found[1] + bins.offsets[m], found[2]))
        bin1, bin2, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
        if len(parts) > 1:
            order = np.lexsort((bin2, bin1))
            bin1, bin2, counts = bin1[order], bin2[order], counts[order]
        for at in range(0, len(bin1), PIXELS_AT_ONCE):
            piece = slice(at, at + PIXELS_AT_ONCE)
            yield pd.DataFrame({"bin1_id": bin1[piece], "bin2_id": bin2[piece], "count": counts[piece].astype(dtype)})
