"""The table of variants: a row each, with effect, interval, p against matched random loci, false-discovery rate."""

import numpy as np
import pandas as pd
from tqdm import tqdm

from ..errors import InputError
from .edits import Variant, chromosome_of
from .effects import MEASURES, Loops, interval, measure
from .nulls import MatchedLoci, empirical_p, false_discovery_rate
from .readings import Reader
from .variants import Skipped, VariantSet

COLUMNS = ["variant", "kind", "place", "chromosome", "start", "end", "status", "pairs", *MEASURES, "low", "high",
           "missing_bins", "random_loci", "random_rms", "p", "q", "p_insulation", "note"]


def variants_table(reader: Reader, found: VariantSet, reach: int, null: MatchedLoci, seed: int,
                   loops: Loops | None = None, probability_scale: float = 1.0) -> pd.DataFrame:
    """Read every variant; one row each in the order given, those that could not be read at the end.

    Columns
    -------
    ``start``, ``end`` : the bins edited, in bp; ``status``: ``read`` or ``skipped`` (``note`` says why)
    measures : see :func:`~hiclstm.perturbation.effects.measure`; ``low``, ``high``: 95 % interval of
        ``mean_beyond_distance`` over blocks of pairs
    ``p`` : share of matched random loci (of ``random_loci``, whose median is ``random_rms``) with at least this
        ``rms_beyond_distance``; ``q``: false-discovery rate over the set; ``p_insulation``: two-sided, of
        ``insulation_change``
    """
    rows, skipped = [], list(found.skipped)
    random = np.random.default_rng(seed)
    for variant in tqdm(found.variants, desc="variants", mininterval=5, disable=None):
        try:
            reading = reader.read(variant, reach)
        except InputError as problem:
            skipped.append(Skipped(variant.name, variant.place, str(problem)))
            continue
        effect = measure(reading, loops, probability_scale)
        low, high = interval(reading, random)
        elsewhere = null.of(variant) if null.count else pd.DataFrame()
        rows.append(_place(reader, variant) | effect | {"low": low, "high": high} | _against(effect, elsewhere))
    if found.unnamed:
        skipped.append(Skipped(f"{found.unnamed:,} more", "", f"of {found.number_skipped:,} records that could not be read "
                               f"the first {len(found.skipped):,} are named"))
    table = pd.DataFrame(rows + [{"variant": one.name, "place": one.place, "status": "skipped", "note": one.reason}
                                 for one in skipped], columns=COLUMNS)
    table["q"] = false_discovery_rate(table["p"].to_numpy(np.float64))
    return table.astype({column: "Int64" for column in ("start", "end", "pairs", "missing_bins", "random_loci")})


def _place(reader: Reader, variant: Variant) -> dict:
    bins, (start, end) = reader.bins, variant.span
    chromosome = chromosome_of(bins, getattr(variant.edits[0], "receiver", start))
    first = bins.span(chromosome).start
    missing = int((~reader.usable[start:end]).sum())
    size = bins.sizes[bins.position(chromosome)]
    return {"variant": variant.name, "kind": variant.kind, "place": variant.place, "chromosome": chromosome,
            "start": (start - first) * bins.resolution, "end": min((end - first) * bins.resolution, size),
            "status": "read", "missing_bins": missing,
            "note": f"{missing} of its bins are missing from the map" if missing else ""}


def _against(effect: dict, elsewhere: pd.DataFrame) -> dict:
    if not len(elsewhere):
        return {"random_loci": 0}
    return {"random_loci": len(elsewhere), "random_rms": float(elsewhere["rms_beyond_distance"].median()),
            "p": empirical_p(effect["rms_beyond_distance"], elsewhere["rms_beyond_distance"]),
            "p_insulation": empirical_p(effect["insulation_change"], elsewhere["insulation_change"], two_sided=True)}
