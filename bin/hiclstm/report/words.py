"""Figures as words: how the report writes numbers, lengths, distances and times."""

import re


def number(text: str) -> str:
    """A figure of ``metrics.tsv`` with three decimals; other text as it is."""
    try:
        return f"{float(text):.3f}"
    except ValueError:
        return text


def distance_band(stratum: str) -> str:
    """``500000-2000000`` as ``0.5–2 Mb``; other strata as they are."""
    parts = re.fullmatch(r"(\d+)-(\d*)", stratum)
    if not parts:
        return stratum
    low, high = (f"{int(edge) / 1e6:g}" if edge else "" for edge in parts.groups())
    if not high:
        return f"> {low} Mb"
    return f"< {high} Mb" if low == "0" else f"{low}–{high} Mb"


def base_pairs(resolution: int | None) -> str:
    if resolution is None:
        return ""
    for unit, scale in (("Mb", 1_000_000), ("kb", 1_000)):
        if resolution >= scale:
            return f"{resolution / scale:g} {unit}"
    return f"{resolution} bp"


def contacts(count: float | None) -> str:
    if count is None:
        return ""
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count:g}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def counted(count: int, word: str, plural: str = "") -> str:
    """``1 sample``, ``2 samples``."""
    return f"{count:,} {word if count == 1 else plural or word + 's'}"
