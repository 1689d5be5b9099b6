"""The quality record of a map in words: its verdict explained, its figures, its chromosomes."""

VERDICTS = {
    "deep enough": "At least 80 % of the usable bins have 1,000 contacts or more: single bins can be told apart, and "
                   "results can be read at face value.",
    "shallow": "The middle bin has at least 100 contacts, but many have fewer than 1,000: far from the diagonal much "
               "of the map is counting noise. Read domains and compartments; trust single loops only with a replicate, "
               "or use a coarser resolution.",
    "too shallow": "Half of the bins have fewer than 100 contacts. What the model predicts here is mostly distance "
                   "decay and compartments: use a coarser resolution, or add libraries of the same sample.",
    "failed": "This sample did not get through.",
}
CHROMOSOME_COLUMNS = ("Chromosome", "Bins", "Usable", "Contacts", "Pairs without contact", "Balancing", "Why")


def explain(verdict: str) -> str:
    """What a verdict means for the reader; "" for an unknown one."""
    return VERDICTS.get(verdict.lower(), "")


def contacts_of(record: dict) -> float | None:
    """Intrachromosomal contacts of a record, None where it does not say."""
    found = _part(record, "contacts").get("cis")
    return float(found) if _is_number(found) else None


def facts(record: dict) -> list[tuple[str, str]]:
    """The record's single figures as (words, text), those that it has."""
    contacts, bins, probability = (_part(record, name) for name in ("contacts", "bins", "probability"))
    sources = [f"{part.get('file', '?')} ({part.get('format', '?')})" for part in _parts(record, "sources")]
    told = [
        ("Assembly", record.get("assembly")),
        ("Contacts within chromosomes", _count(contacts.get("cis"))),
        ("Contacts between chromosomes", _count(contacts.get("trans"))),
        ("Contacts of the middle usable bin", _count(contacts.get("median_per_usable_bin"))),
        ("Usable bins with 1,000 contacts or more", _share(contacts.get("share_of_bins_with_1000"))),
        ("Bins", _count(bins.get("all"))),
        ("Bins masked as missing", _share(bins.get("share_masked"))),
        ("Pairs of usable bins without contact", _share(record.get("zero_share"))),
        ("Counts", {True: "raw", False: "came already balanced"}.get(record.get("raw"))),
        ("Scale of contact probability (Eq. 1)", _figure(probability.get("scale"))),
        ("Contact probability, 5th, 50th and 95th percentile",
         ", ".join(_figure(probability.get(name)) for name in ("low", "median", "high"))
         if all(_is_number(probability.get(name)) for name in ("low", "median", "high")) else ""),
        ("Read from", "; ".join(sources)),
        ("Notes", "; ".join(str(note) for note in record.get("notes") or [])),
    ]
    return [(words, str(text)) for words, text in told if text]


def chromosomes(record: dict) -> list[tuple[str, ...]]:
    """One row of ``CHROMOSOME_COLUMNS`` a chromosome."""
    rows = []
    for name, found in _part(record, "chromosomes").items():
        if isinstance(found, dict):
            balancing = _part(found, "balancing")
            rows.append((str(name), _count(found.get("bins")), _count(found.get("bins_usable")),
                         _count(found.get("contacts_cis")), _share(found.get("zero_share")),
                         str(balancing.get("name", "")), str(balancing.get("why", ""))))
    return rows


def _part(record: dict, name: str) -> dict:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def _parts(record: dict, name: str) -> list[dict]:
    found = record.get(name)
    return [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value) -> str:
    return f"{value:,.0f}" if _is_number(value) else ""


def _share(value) -> str:
    return f"{value:.1%}" if _is_number(value) else ""


def _figure(value) -> str:
    return f"{value:.3g}" if _is_number(value) else ""
