"""Tracks of attribution for genome browsers: bigWig, bedGraph and a UCSC track hub."""

from pathlib import Path

import numpy as np

from ..export import write_bedgraph, write_bigwig
from ..files import whole
from ..genome import Bins, plain_name

ASSEMBLIES = {"grch37": "hg19", "b37": "hg19", "hs37d5": "hg19", "grch38": "hg38", "grcm38": "mm10", "grcm39": "mm39",
              "ncbi36": "hg18"}


def write_tracks(base: str, bins: Bins, tracks: dict[str, tuple[np.ndarray, str]], assembly: str, sample: str) -> None:
    """Write the attribution as ``<base>.attribution.bw`` and ``.bedGraph``, the others as ``<base>.<name>.bw``, and a
    hub.

    Parameters
    ----------
    tracks : by name (``attribution`` first): values [N] and a few words that say what they are
    assembly : for the hub; without one it is not written, as a browser could not place it
    """
    for name, (values, _) in tracks.items():
        write_bigwig(f"{base}.{name}.bw", bins, values)
    first = next(iter(tracks))
    write_bedgraph(f"{base}.{first}.bedGraph", bins, tracks[first][0])
    if assembly:
        write_hub(Path(f"{base}.hub"), bins, tracks, ASSEMBLIES.get(assembly.lower(), assembly), sample)


def write_hub(folder: Path, bins: Bins, tracks: dict[str, tuple[np.ndarray, str]], assembly: str, sample: str) -> None:
    """A UCSC track hub in one folder: ``hub.txt`` and a bigWig a track, chromosomes named as UCSC does."""
    if assembly.lower().startswith(("hg", "mm", "rn", "dm", "ce", "dan", "gal", "sac", "sus")):
        bins = Bins(tuple(f"chr{plain_name(name)}" for name in bins.chromosomes), bins.sizes, bins.resolution)
    text = [f"hub hiclstm_{_word(sample)}", f"shortLabel {sample}"[:28], f"longLabel Hi-C-LSTM attribution of {sample}",
            "useOneFile on", "email none@example.org", "", f"genome {assembly}", ""]
    for name, (values, words) in tracks.items():
        write_bigwig(folder / f"{name}.bw", bins, values)
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        text += [f"track {_word(sample)}_{name}", f"bigDataUrl {name}.bw", f"shortLabel {name.replace('_', ' ')}"[:28],
                 f"longLabel {words} ({sample})", f"type bigWig {low:.6g} {high:.6g}", "visibility full",
                 "autoScale on", "color 0,114,178", "altColor 213,94,0", "maxHeightPixels 100:48:8", ""]
    with whole(folder / "hub.txt") as beside:
        beside.write_text("\n".join(text), encoding="utf-8")


def _word(text: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in text)
