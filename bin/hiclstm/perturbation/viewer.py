"""A variant's maps small enough for the report: a page pans and zooms them without a network."""

import base64
import json
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from ..files import whole
from ..genome import Bins
from .edits import Variant, chromosome_of

MOST_BINS = 256  # side of the drawn square; wider windows are pooled to it
LEAST_SHOWN = 1e-6  # of the largest value; smaller ones take the lowest code
LEAST_LIMIT = 0.1  # log2 change that the strongest colours stand for at least


def write_viewer(path: Path, bins: Bins, variant: Variant, pairs: pd.DataFrame, facts: dict) -> None:
    """Write ``<id>.<variant>.viewer.json``: the wild type, the variant and their log2 ratio in one byte a pair each.

    A layer is the upper triangle of the square, row after row, each from its diagonal on, deflated (zlib), in base64.
    Code 0 is a pair without a value. In ``wt`` and ``alt`` codes 1 to 255 are expected contacts, evenly spaced in their
    logarithm from 10^``low`` to 10^``high``; in ``delta`` they are log2 of alt over wt from -``limit`` to ``limit``.

    Parameters
    ----------
    pairs : bin1, bin2, value_before, value_after on the reference, ``bin1 <= bin2``; NaN where there is none
    facts : what else the file says: the sample, the command that made it
    """
    place, runs, pool = _places(bins, pairs)
    n = sum(run["bins"] for run in runs)
    before, after = (_pooled(place(pairs["bin1"]), place(pairs["bin2"]), pairs[name].to_numpy(np.float64), n)
                     for name in ("value_before", "value_after"))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [np.log10(np.where(band > 0, band, np.nan)) for band in (before, after)]
    change = (logs[1] - logs[0]) / np.log10(2)
    known = np.concatenate([log[np.isfinite(log)] for log in logs])
    high = float(known.max()) if len(known) else 0.0
    low = max(float(known.min()), high + np.log10(LEAST_SHOWN)) if len(known) else -1.0
    sizes = np.abs(change[np.isfinite(change)])
    limit = max(float(np.percentile(sizes, 99.9)) if len(sizes) else 0.0, LEAST_LIMIT)
    words = {**facts, "variant": variant.name, "kind": variant.kind, "place": variant.place,
             "resolution": bins.resolution * pool, "runs": runs, "edits": _edits(bins, variant),
             "low": round(low, 4), "high": round(max(high, low + 0.01), 4), "limit": round(limit, 4)}
    layers = {"wt": _packed(logs[0], words["low"], words["high"]),
              "alt": _packed(logs[1], words["low"], words["high"]),
              "delta": _packed(change, -words["limit"], words["limit"])}
    with whole(path) as beside:
        beside.write_text(json.dumps({**words, **layers}) + "\n")


def _places(bins: Bins, pairs: pd.DataFrame):
    """Where reference bins are drawn: a function of their numbers, the chromosomes' pieces, and the bins pooled to one."""
    held = np.unique(np.concatenate([pairs["bin1"], pairs["bin2"]])) if len(pairs) else np.zeros(1, np.int64)
    where = np.searchsorted(bins.offsets, held, side="right") - 1
    spans = [(held[where == at].min(), held[where == at].max() + 1) for at in np.unique(where)]
    pool = -(-sum(int(last - first) for first, last in spans) // MOST_BINS)
    firsts, starts, runs = [], [], []
    for first, last in spans:
        name = chromosome_of(bins, int(first))
        offset = bins.span(name).start
        firsts.append(int(first))
        starts.append(sum(run["bins"] for run in runs))
        runs.append({"chromosome": name, "start": int(first - offset) * bins.resolution,
                     "end": min(int(last - offset) * bins.resolution, int(bins.sizes[bins.chromosomes.index(name)])),
                     "bins": -(-int(last - first) // pool)})

    def place(numbers) -> np.ndarray:
        numbers = np.asarray(numbers, np.int64)
        run = np.searchsorted(firsts, numbers, side="right") - 1
        return np.asarray(starts)[run] + (numbers - np.asarray(firsts)[run]) // pool

    return place, runs, pool


def _pooled(first: np.ndarray, second: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Mean of the values drawn at each pair of places, the upper triangle row after row: float64 [n (n + 1) / 2]."""
    known = np.isfinite(values)
    at = first[known] * n + second[known]
    number = np.bincount(at, minlength=n * n)
    total = np.bincount(at, values[known], minlength=n * n)
    mean = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return mean.reshape(n, n)[np.triu_indices(n)]


def _edits(bins: Bins, variant: Variant) -> list[dict]:
    """The reference stretches that the variant's edits concern, in bp."""
    stretches = [(edit.start, edit.end) for edit in variant.edits]
    stretches += [(edit.source_start, edit.source_end) for edit in variant.edits if hasattr(edit, "source_start")]
    found = []
    for start, end in stretches:
        name = chromosome_of(bins, start)
        offset = bins.span(name).start
        found.append({"chromosome": name, "start": (start - offset) * bins.resolution,
                      "end": (end - offset) * bins.resolution})
    return found


def _packed(values: np.ndarray, low: float, high: float) -> str:
    """Values as codes 1 to 255 from ``low`` to ``high``, 0 where there is none; deflated, in base64."""
    steps = np.clip(np.round((values - low) / (high - low) * 254), 0, 254)
    codes = np.where(np.isfinite(values), np.nan_to_num(steps) + 1, 0).astype(np.uint8)
    return base64.b64encode(zlib.compress(codes.tobytes(), 9)).decode()
