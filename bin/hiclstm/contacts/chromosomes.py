"""Which chromosomes a genome has, how long they are, in what order they stand, and which are learned from."""

import functools
import re

from ..errors import InputError
from ..genome import LONGEST_CHROMOSOME, match_name, natural, plain_name

FEWEST_BINS = 20  # a chromosome with fewer usable bins teaches nothing about distance and is left out

# The one human assembly of the older data sets that bioframe does not carry (UCSC, hg18.chrom.sizes).
HG18 = {
    "chr1": 247249719, "chr2": 242951149, "chr3": 199501827, "chr4": 191273063, "chr5": 180857866, "chr6": 170899992,
    "chr7": 158821424, "chr8": 146274826, "chr9": 140273252, "chr10": 135374737, "chr11": 134452384,
    "chr12": 132349534, "chr13": 114142980, "chr14": 106368585, "chr15": 100338915, "chr16": 88827254,
    "chr17": 78774742, "chr18": 76117153, "chr19": 63811651, "chr20": 62435964, "chr21": 46944323,
    "chr22": 49691432, "chrX": 154913754, "chrY": 57772954, "chrM": 16571,
}
SAME_ASSEMBLY = {"NCBI36": "hg18", "GRCh37": "hg19", "b37": "hg19", "GRCh38": "hg38", "GRCm38": "mm10",
                 "GRCm39": "mm39"}

NOT_LEARNED = re.compile(r"M|MT|Mito|Y|EBV|ALL|.*_.*|Un.*|.*\.\d+|hs37d5", re.IGNORECASE)


@functools.cache
def assembly_sizes(assembly: str) -> dict[str, int] | None:
    """Length of each chromosome of a known assembly, from tables on this machine; None for any other name."""
    import bioframe  # here, because it takes a second to import and most formats name their sizes themselves

    assembly = SAME_ASSEMBLY.get(assembly, assembly)
    if assembly == "hg18":
        return dict(HG18)
    try:
        return {str(name): int(size) for name, size in bioframe.assembly_info(assembly).chromsizes.items()}
    except ValueError:
        return None


def assembly_named_in(text: str | None) -> str:
    """The assembly a file's header means: ``hg19`` from ``../references/hg19.sizes``, "" where it means none."""
    found = re.search(r"(hg|hs|mm|dm|ce|danRer|sacCer|GRC[hm]|rn|galGal|susScr)\d+", str(text or ""))
    return found.group(0) if found else ""


def natural_order(chromosome: str):
    """Sorting key: 1, 2, … 10, X, with or without ``chr``."""
    return natural(plain_name(chromosome))


def to_learn_from(sizes: dict[str, int], resolution: int) -> list[str]:
    """What ``--chromosomes auto`` means: autosomes and X with at least 20 bins; no Y, mitochondrion or contigs."""
    return [name for name, size in sizes.items()
            if not NOT_LEARNED.fullmatch(plain_name(name)) and size > (FEWEST_BINS - 1) * resolution]


def check_sizes(file: str, sizes: dict[str, int], request) -> None:
    """Refuse lengths that no chromosome has, and an ``--assembly`` whose chromosomes are not as long as the file's own."""
    table = request.assembly_sizes
    for name, size in sizes.items():
        if not 0 < size <= LONGEST_CHROMOSOME:
            raise InputError(f"{file}: chromosome {name[:80]} is said to be {size:,} bp long; expected 1 to "
                             f"{LONGEST_CHROMOSOME:,}")
        known = match_name(name, table or ())
        if known and table[known] != size:
            raise InputError(f"{file}: chromosome {name} is {size:,} bp long in the file and {table[known]:,} bp in "
                             f"{request.assembly}: is the assembly right?")


def chromosome_in_name(file_name: str) -> str | None:
    """The chromosome a file's name speaks of (``chr22.50kb.txt.gz`` → ``chr22``), if it is exactly one."""
    found = set(re.findall(r"(?<![A-Za-z0-9])chr(?:\d+[LR]?|[IVX]+|[XYZW])(?![A-Za-z0-9])", file_name))
    return found.pop() if len(found) == 1 else None
