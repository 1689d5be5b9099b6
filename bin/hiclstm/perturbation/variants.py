"""Variants from files: VCF, BED and BEDPE become the same edits.

Base pairs to bins. A variant of an interval takes **every bin it touches**: its start is rounded down to a bin's edge,
its end up. (This is what the paper does: the SOX9 duplication chr17:67,958,880-70,085,143 is bins 6795 to 7008 at
10 kb.) The one position of a breakend between two chromosomes goes to the nearest edge. A deletion, duplication or
inversion shorter than a bin is refused; a site to be knocked out takes its whole bins, however short it is.

Forms
-----
VCF: symbolic ``<DEL>``, ``<DUP>``, ``<DUP:TANDEM>``, ``<INV>``; deletions written out; breakends (both mates, or one);
``<INS>`` of a stretch of the reference, named by INFO ``SOURCE=chr:start-end`` (1-based, inclusive) and, for the other
strand, ``SOURCE_STRAND=-``. Records with the same INFO ``EVENT`` are one variant, edited in the file's order.
BED: the name is the type (``DEL``, ``DUP``, ``INV``), or ``type:label``; with a knockout method every line is a site.
BEDPE: from the first base of the first interval to the end of the second; type in column 11, else in the name, as in
BED. ``INS`` copies the second interval to the start of the first, on the second strand.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cyvcf2

from ..errors import InputError
from ..genome import Bins, match_name
from ..textfiles import LONGEST_VCF_LINE, check_lines
from .edits import Deletion, Derivative, Duplication, Insertion, Inversion, Variant, knockout
from .segments import Segment
from .sites import number_in, text_lines

MOST_VARIANTS = 100_000  # of a file; each is read on its own, which takes milliseconds to seconds
LONGEST_NAME = 100  # characters; names are parts of file names
MOST_NAMED = 1_000  # records that are not read are named up to this many, then counted
INTERVAL_EDITS = {"DEL": Deletion, "DUP": Duplication, "DUP:TANDEM": Duplication, "INV": Inversion}


@dataclass(frozen=True)
class Skipped:
    """A record that was not read: its name, its place in the user's coordinates, and why."""

    name: str
    place: str
    reason: str


@dataclass(eq=False)
class VariantSet:
    """The variants of a file, and what was not read of it: the first records by name, how many in all."""

    variants: list[Variant] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    unnamed: int = 0  # skipped beyond those
    _numbers: dict[str, int] = field(default_factory=dict)  # names taken, and the last number added to each

    def add(self, name: str, place: str, make, *arguments) -> None:
        """Add the edit (or edits) that ``make(*arguments)`` gives, under a name made unique; or note why it refuses."""
        try:
            edits = make(*arguments)
        except _Refused as refused:
            self.skip(name, place, str(refused))
            return
        name = unique = re.sub(r"[^A-Za-z0-9_.+-]+", "_", name).strip("_.")[:LONGEST_NAME] or "variant"
        number = self._numbers.get(name, 0)
        while unique in self._numbers:
            number = max(number, 1) + 1
            unique = f"{name}_{number}"
        self._numbers[name] = max(number, 1)
        self._numbers.setdefault(unique, 1)
        self.variants.append(Variant(unique, edits if isinstance(edits, tuple) else (edits,), place))

    @property
    def number_skipped(self) -> int:
        return len(self.skipped) + self.unnamed

    def skip(self, name: str, place: str, reason: str) -> None:
        """Note a record that cannot be read."""
        if len(self.skipped) == MOST_NAMED:
            self.unnamed += 1
        else:
            self.skipped.append(Skipped(name[:LONGEST_NAME], place[:LONGEST_NAME], reason))

    def extend(self, other: "VariantSet") -> None:
        """Take over another file's variants; a name met before gets a number."""
        for variant in other.variants:
            self.add(variant.name, variant.place, tuple, variant.edits)
        number = self.number_skipped + other.number_skipped
        self.skipped = (self.skipped + other.skipped)[:MOST_NAMED]
        self.unnamed = number - len(self.skipped)


class _Refused(Exception):
    """One record cannot be read; the others can."""


def read_variants(path, bins: Bins, knockout_method: str | None = None) -> VariantSet:
    """Read a VCF, BED or BEDPE file (by its suffix, ``.gz`` or not) for the chromosomes of ``bins``.

    Parameters
    ----------
    path : the file
    bins : the model's bins
    knockout_method : where given, every line of a BED file is a site to knock out by this method

    Raises
    ------
    InputError : the file is absent, of another format, or a line of it is malformed
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file of variants")
    plain = path.name.lower().removesuffix(".gz").removesuffix(".bgz")
    if plain.endswith(".vcf"):
        check_lines(path, LONGEST_VCF_LINE)
    if plain.endswith((".vcf", ".bcf")):
        return _read_vcf(path, bins)
    if plain.endswith(".bedpe"):
        return _read_bedpe(path, bins)
    if plain.endswith((".bed", "peak")):
        return _read_bed(path, bins, knockout_method)
    raise InputError(f"{path}: variants are read from .vcf, .bcf, .bed and .bedpe files (or .gz of them)")


def _check_number(path: Path, variants: int) -> None:
    if variants > MOST_VARIANTS:
        raise InputError(f"{path}: asks for more than {MOST_VARIANTS:,} variants of at least a bin, and each is read on its "
                         "own; split it, or leave out what does not matter")


def bins_touched(bins: Bins, chromosome: str, start: int, end: int) -> tuple[int, int]:
    """The bins an interval in base pairs touches, numbered through; refused where it is not on the chromosome."""
    name = match_name(chromosome, bins.chromosomes)
    if name is None:
        raise _Refused(f"chromosome {chromosome} is not in the model, which has {', '.join(bins.chromosomes)}")
    size, first = bins.sizes[bins.position(name)], bins.span(name).start
    if not 0 <= start < end:
        raise _Refused(f"its start {start:,} is not before its end {end:,}")
    if end > size:
        raise _Refused(f"it ends at {end:,}, past the end of {name} ({size:,} bp)")
    return first + start // bins.resolution, first + -(-end // bins.resolution)


def _interval_edit(bins: Bins, kind: str, chromosome: str, start: int, end: int):
    first, last = bins_touched(bins, chromosome, start, end)
    if end - start < bins.resolution:
        raise _Refused(f"{end - start:,} bp are less than one bin of {bins.resolution:,} bp, which is all this model "
                       "can tell; use a finer resolution, or knock its bin out with --knockout")
    return INTERVAL_EDITS[kind](first, last)


def _insertion(bins: Bins, chromosome: str, at: int, source: tuple[str, int, int], strand: int) -> Insertion:
    first, last = bins_touched(bins, *source)
    if source[2] - source[1] < bins.resolution:
        raise _Refused(f"{source[2] - source[1]:,} inserted bp are less than one bin of {bins.resolution:,} bp")
    edge, receiver = _nearest_edge(bins, chromosome, at)
    return Insertion(edge, edge, first, last, receiver, strand)


def _nearest_edge(bins: Bins, chromosome: str, at: int) -> tuple[int, int]:
    """The edge nearest to a position, as the number of the bin behind it, and a bin of its chromosome."""
    name = match_name(chromosome, bins.chromosomes)
    bins_touched(bins, chromosome, max(0, at - 1), max(1, at))
    span = bins.span(name)
    if at == bins.sizes[bins.position(name)]:
        return span.stop, span.start
    return min(span.start + (2 * at + bins.resolution) // (2 * bins.resolution), span.stop), span.start


def _typed(name: str, given: str = "") -> tuple[str | None, str]:
    """Type and label of a name like ``DUP`` or ``DUP:SOX9``, or of a label with the type given beside it."""
    for text in (given, name):
        upper = text.upper().strip("<>")
        for kind in ("DUP:TANDEM", "DEL", "DUP", "INV", "INS"):
            if upper == kind or (text is name and re.match(re.escape(kind) + r"[:_ ]", upper)):
                label = name if text is given else text[len(kind) + 1:]
                return kind, label
    return None, name


def _read_bed(path: Path, bins: Bins, method: str | None) -> VariantSet:
    found = VariantSet()
    what = "a BED file of sites" if method else "a BED file of variants"
    for line, fields in text_lines(path, 3 if method else 4, what):
        _check_number(path, len(found.variants))
        chromosome = fields[0]
        start, end = (number_in(path, line, what, fields[k]) for what, k in (("the start", 1), ("the end", 2)))
        place = f"{chromosome}:{start:,}-{end:,}"
        name = fields[3] if len(fields) > 3 and fields[3] != "." else f"{chromosome}_{start}"
        if method:
            found.add(name, place, _site, bins, method, chromosome, start, end)
            continue
        kind, label = _typed(fields[3])
        found.add(label or f"{kind}_{chromosome}_{start}", place, _by_type, bins, kind, fields[3], chromosome, start,
                  end)
    return found


def _site(bins: Bins, method: str, chromosome: str, start: int, end: int):
    return knockout(*bins_touched(bins, chromosome, start, end), method)


def _by_type(bins: Bins, kind, given: str, chromosome: str, start: int, end: int):
    if kind not in INTERVAL_EDITS:
        raise _Refused(f"type {given!r} is not one of DEL, DUP, INV (for sites give --knockout)")
    return _interval_edit(bins, kind, chromosome, start, end)


def _read_bedpe(path: Path, bins: Bins) -> VariantSet:
    found = VariantSet()
    for line, fields in text_lines(path, 7, "a BEDPE file of variants"):
        _check_number(path, len(found.variants))
        chromosome, other = fields[0], fields[3]
        start, source, end = (number_in(path, line, f"field {k + 1}", fields[k]) for k in (1, 4, 5))
        kind, label = _typed(fields[6], fields[10] if len(fields) > 10 else "")
        place, name = f"{chromosome}:{start:,}-{other}:{end:,}", label or f"{kind}_{chromosome}_{start}"
        if kind == "INS":
            strand = -1 if len(fields) > 9 and fields[9] == "-" else 1
            found.add(name, place, _insertion, bins, chromosome, start, (other, source, end), strand)
        elif chromosome != other:
            reason = "its ends lie on two chromosomes: give translocations as breakends in a VCF"
            found.skip(name, place, reason)
        else:
            found.add(name, place, _by_type, bins, kind, fields[6], chromosome, start, end)
    return found


class _Record(NamedTuple):
    """One alternative of one line of a VCF; ``info`` has the fields as text."""

    chromosome: str
    position: int
    reference: str
    alternative: str
    info: dict[str, str]


SEQUENCE = frozenset("ACGTNacgtn")
INFO_FIELDS = ("END", "SVLEN", "EVENT", "SOURCE", "SOURCE_STRAND")


def _read_vcf(path: Path, bins: Bins) -> VariantSet:
    found, events, breakends, of_events = VariantSet(), {}, [], 0
    for number, (label, record) in enumerate(_vcf_records(path), 1):
        _check_number(path, len(found.variants) + of_events + len(breakends))
        name, place = label or f"record_{number}", f"{record.chromosome}:{record.position:,}"
        event = record.info.get("EVENT")
        if "[" in record.alternative or "]" in record.alternative:
            breakends.append((name, event, record.chromosome, record.position, record.alternative))
        elif event is None:
            found.add(name, place, _vcf_edit, bins, record)
        else:
            events.setdefault(event, (place, []))[1].append(record)
            of_events += 1
    for event, (place, parts) in events.items():
        found.add(event, place, _vcf_event, bins, parts)
    _add_breakends(found, bins, breakends)
    return found


def _vcf_records(path: Path):
    """(ID or None, record) of each alternative of a VCF."""
    try:
        for line in cyvcf2.VCF(str(path)):
            reference, alternatives = line.REF, line.ALT or ["."]
            info = {}
            if len(reference) > 1 or not SEQUENCE.issuperset("".join(alternatives)):  # of the others nothing can be read
                info = {name: _text(line.INFO.get(name)) for name in INFO_FIELDS}
                info = {name: text for name, text in info.items() if text is not None}
            for alternative in alternatives:
                yield line.ID, _Record(line.CHROM, line.POS, reference, alternative, info)
    except Exception as problem:  # cyvcf2 raises bare exceptions for damaged files
        raise InputError(f"{path}: cannot be read as VCF ({problem})") from None


def _text(value) -> str | None:
    if isinstance(value, tuple | list):
        value = value[0] if value else None
    return None if value in (None, "", ".") else str(value)


def _vcf_event(bins: Bins, parts: list[_Record]) -> tuple:
    return tuple(_vcf_edit(bins, record) for record in parts)


def _vcf_edit(bins: Bins, record: _Record):
    """The edit of one record that is no breakend. POS is the base before a symbolic variant, END its last base."""
    kind = record.alternative.strip("<>").upper()
    if not record.alternative.startswith("<"):
        lost = len(record.reference) - len(record.alternative)
        if lost <= 0 or record.alternative in (".", "*"):
            raise _Refused(f"{record.reference[:12]}>{record.alternative[:12]} changes sequence within a bin of "
                           f"{bins.resolution:,} bp: the model does not see sequence")
        start = record.position - 1 + len(record.alternative)
        return _interval_edit(bins, "DEL", record.chromosome, start, start + lost)
    if kind == "INS":
        parsed = re.fullmatch(r"([^:]+):([\d,]+)-([\d,]+)", record.info.get("SOURCE", ""))
        if not parsed:
            raise _Refused("an insertion needs INFO SOURCE=chr:start-end, the stretch of the reference that is copied: "
                           "of other sequence the model knows nothing")
        start, end = (int(text.replace(",", "")) for text in parsed.group(2, 3))
        strand = -1 if record.info.get("SOURCE_STRAND") == "-" else 1
        return _insertion(bins, record.chromosome, record.position, (parsed[1], start - 1, end), strand)
    if kind not in INTERVAL_EDITS:
        raise _Refused(f"{record.alternative} is not a variant this model can be asked about (DEL, DUP, INV, INS, "
                       "breakends)")
    try:
        end = int(record.info["END"]) if "END" in record.info else record.position + abs(int(record.info["SVLEN"]))
    except (KeyError, ValueError):
        raise _Refused(f"{record.alternative} without a number in INFO END or SVLEN") from None
    return _interval_edit(bins, kind, record.chromosome, record.position, end)


def _add_breakends(found: VariantSet, bins: Bins, breakends: list) -> None:
    """Junctions become deletions, duplications, inversions (of two) or derivative chromosomes; mates count once."""
    seen, halves = set(), []
    for name, event, chromosome, position, alternative in breakends:
        parsed = re.fullmatch(r"([A-Za-z.*]*)([\[\]])(.+):(\d+)[\[\]]([A-Za-z.*]*)", alternative)
        place = f"{chromosome}:{position:,}"
        if not parsed or bool(parsed[1]) == bool(parsed[5]):
            found.skip(name, place, f"breakend {alternative[:80]!r} is not of a form of the VCF standard")
            continue
        other, mate, rightward, first = parsed[3], int(parsed[4]), parsed[2] == "[", bool(parsed[1])
        # this side keeps what lies left of (and at) its base where it comes first, else what lies right of it
        here = (chromosome, position if first else position - 1, "left" if first else "right")
        there = (other, mate - 1 if rightward else mate, "right" if rightward else "left")
        junction = frozenset((here, there))
        if junction in seen:
            continue
        seen.add(junction)
        if match_name(chromosome, [other]) is None:
            found.add(event or name, f"{place}-{other}:{mate:,}", _derivative, bins, here, there)
            continue
        (_, low, low_keeps), (_, high, high_keeps) = sorted((here, there), key=lambda side: side[1])
        if low_keeps == high_keeps:
            halves.append((event, name, chromosome, low, high, low_keeps))
            continue
        kind = "DEL" if low_keeps == "left" else "DUP"
        found.add(event or name, f"{chromosome}:{low:,}-{high:,}", _interval_edit, bins, kind, chromosome, low, high)
    _pair_inversions(found, bins, halves)


def _pair_inversions(found: VariantSet, bins: Bins, halves: list) -> None:
    """An inversion has two junctions, one keeping both left sides and one both right sides, at the same two places."""
    waiting: dict[tuple, list[int]] = {}  # halves without their other one so far, by event, chromosome and what they keep
    for at, (event, _, chromosome, low, high, keeps) in enumerate(halves):
        others = waiting.get((event, chromosome, "left" if keeps == "right" else "right"), [])
        place = next((place for place, other in enumerate(others)
                      if max(abs(low - halves[other][3]), abs(high - halves[other][4])) <= bins.resolution), None)
        if place is None:
            waiting.setdefault((event, chromosome, keeps), []).append(at)
            continue
        _, name, _, low2, high2, _ = halves[others.pop(place)]
        start, end = (low, high) if keeps == "left" else (low2, high2)
        found.add(event or name, f"{chromosome}:{start:,}-{end:,}", _interval_edit, bins, "INV", chromosome, start, end)
    for at in sorted(at for left in waiting.values() for at in left):
        _, name, chromosome, low, high, _ = halves[at]
        found.skip(name, f"{chromosome}:{low:,}-{high:,}", "one junction of an inversion without the other: what became of "
                   "the rest of the chromosome is not said")


def _derivative(bins: Bins, here: tuple, there: tuple) -> Derivative:
    """The chromosome that reads up to the junction on one side and on from it on the other."""
    pieces = []
    for (chromosome, position, keeps), comes_first in ((here, True), (there, False)):
        edge, _ = _nearest_edge(bins, chromosome, max(1, position))
        span = bins.span(match_name(chromosome, bins.chromosomes))
        piece = (span.start, edge) if keeps == "left" else (edge, span.stop)
        if piece[0] >= piece[1]:
            raise _Refused(f"nothing of {chromosome} is left on its side of the junction at bins of "
                           f"{bins.resolution:,} bp")
        pieces.append(Segment(*piece, 1 if (keeps == "left") == comes_first else -1))
    return Derivative(tuple(pieces))
