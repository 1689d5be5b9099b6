"""The files of one variant: maps before, after and their difference, and a track of where contacts change."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..export import write_bigwig, write_pixels
from ..genome import Bins
from .edits import Variant
from .readings import Reader, Reading
from .viewer import write_viewer


def write_maps(directory: Path, stem: str, reader: Reader, variant: Variant, reading: Reading, facts: dict) -> None:
    """Write ``<stem>.{wt,alt,delta,rearranged}.mcool``, ``.change.bw`` and ``.viewer.json`` of the variant's window.

    ``wt``, ``alt`` and ``delta`` are on the reference: expected contacts of the wild type, of the variant with reads of
    all copies summed, and their difference (a deleted pair has none left). ``rearranged`` is the map on the rearranged
    chromosome itself. ``change`` is the mean absolute log change beyond distance of each bin's pairs across the edit.
    ``viewer`` is a small copy of wt, alt and their ratio for the report's map viewer.
    """
    facts = {**facts, "variant": variant.name, "kind": variant.kind, "place": variant.place}
    before, after = reader.before_on_reference(reading), reading.collapsed()
    both = before.merge(after, on=["bin1", "bin2"], how="outer", suffixes=("_before", "_after"))
    both = both.sort_values(["bin1", "bin2"], ignore_index=True)
    write_viewer(directory / f"{stem}.viewer.json", reader.bins, variant, both, facts)
    both = both.fillna(0.0)
    difference = both["value_after"] - both["value_before"]
    for name, values, words in (
            ("wt", both["value_before"], "expected contacts of the wild type"),
            ("alt", both["value_after"], "expected contacts with the variant, reads of all copies summed"),
            ("delta", difference, "expected contacts with the variant less those of the wild type")):
        pixels = pd.DataFrame({"bin1_id": both["bin1"], "bin2_id": both["bin2"], "count": values.astype(np.float32)})
        write_pixels(directory / f"{stem}.{name}.mcool", reader.bins, pixels, reader.usable, {**facts, "values": words})
    _write_rearranged(directory / f"{stem}.rearranged.mcool", reader, variant, reading, facts)
    write_bigwig(directory / f"{stem}.change.bw", reader.bins, change_track(reading, len(reader.bins)))


def change_track(reading: Reading, bins: int) -> np.ndarray:
    """Mean absolute log change beyond distance of each reference bin's pairs across the edit: float64 [bins]."""
    i, d = np.nonzero(reading.compared)
    change = np.abs(reading.change_beyond_distance[i, d].astype(np.float64))
    number = np.concatenate([reading.order[i], reading.order[i + d]])
    count = np.bincount(number, minlength=bins)
    total = np.bincount(number, np.concatenate([change, change]), bins)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _write_rearranged(path: Path, reader: Reader, variant: Variant, reading: Reading, facts: dict) -> None:
    chromosome = variant.apply(reader)
    resolution = reader.bins.resolution
    bins = Bins((f"{variant.name}",), (len(chromosome) * resolution,), resolution)
    i, d = np.nonzero(np.isfinite(reading.after))
    pixels = pd.DataFrame({"bin1_id": i + reading.first, "bin2_id": i + d + reading.first,
                           "count": reading.after[i, d]})
    segments = [f"{reader.bins.chromosomes[int(chromosome.chromosome_of(np.int64(part.start)))]}:"
                f"{_base(reader.bins, part.start)}-{_base(reader.bins, part.end - 1) + resolution}:"
                f"{'+' if part.strand > 0 else '-'}" for part in chromosome.segments]
    write_pixels(path, bins, pixels, reader.usable[chromosome.order],
                 {**facts, "values": "expected contacts on the rearranged chromosome", "segments": segments})


def _base(bins: Bins, number: int) -> int:
    """Where a bin starts on its chromosome, in bp."""
    offsets = bins.offsets
    return int(number - offsets[np.searchsorted(offsets, number, side="right") - 1]) * bins.resolution
