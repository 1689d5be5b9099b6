"""Text from outside, plain or packed with gzip, read so that no file can fill the memory: what is wrong is one line."""

import contextlib
import gzip
import io
import re
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from .errors import InputError

PIECE = 1 << 20  # bytes read at once
LONGEST_LINE = 16_000_000  # bytes; a row of a 5C matrix of thousands of fragments fits
LONGEST_VCF_LINE = 200_000_000  # a record of a million genotypes fits
LONGEST_SEQUENCE_LINE = 500_000_000  # of FASTA: a chromosome may stand in one line
LARGEST_SHEET = 50_000_000  # of a sheet that a person wrote
LARGEST_TABLE = 4_000_000_000  # bytes, unpacked, of a file that is held in memory whole

COMPACT = pd.StringDtype("pyarrow", na_value=np.nan)  # a column of text in a fraction of the memory of objects


def is_gzip(path) -> bool:
    """Whether a file is packed with gzip, by its content."""
    with open(path, "rb") as handle:
        return handle.read(2) == b"\x1f\x8b"


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def whole_number(text: str) -> int:
    """The number a field holds; a ValueError where it is none. ``int`` would take ``1_0``, and digits of every script."""
    if not re.fullmatch(r" *[+-]?[0-9]{1,18} *", text):
        raise ValueError(f"{text[:80]!r} is no whole number")
    return int(text)


class _Checked(io.RawIOBase):
    """The unpacked bytes of a file; reading fails with an :class:`InputError` at what no text file holds."""

    def __init__(self, path: Path, longest_line: int, at_most: int | None):
        self.path, self.longest_line, self.at_most = path, longest_line, at_most
        self.source = None
        try:
            self.source = gzip.open(path, "rb") if is_gzip(path) else open(path, "rb")
        except FileNotFoundError:
            raise InputError(f"{path}: cannot be read: there is no such file") from None
        except OSError as problem:
            raise InputError(f"{path}: cannot be read ({problem.strerror or problem})") from None
        self.read_so_far = self.since_line_end = 0

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        if self.source is not None:
            self.source.close()
        super().close()

    def readinto(self, buffer) -> int:
        try:
            piece = self.source.read(min(len(buffer), PIECE))
        except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
            raise InputError(f"{self.path}: its gzip compression ends early or is damaged ({problem}): was the copy cut "
                             "short?") from None
        except OSError as problem:
            raise InputError(f"{self.path}: cannot be read ({problem.strerror or problem})") from None
        if self.read_so_far == 0 and piece[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise InputError(f"{self.path}: is text in UTF-16; save it as UTF-8")
        at = piece.find(b"\0")
        if at >= 0:
            raise InputError(f"{self.path}: holds a byte that is zero (byte {self.read_so_far + at + 1:,}), which no text "
                             "does: is it binary, damaged, or in UTF-16?")
        last = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
        self.since_line_end = self.since_line_end + len(piece) if last < 0 else len(piece) - last - 1
        self.read_so_far += len(piece)
        if self.since_line_end > self.longest_line:
            raise InputError(f"{self.path}: holds a line of more than {self.longest_line:,} bytes; is it a table of text?")
        if self.at_most is not None and self.read_so_far > self.at_most:
            raise InputError(f"{self.path}: holds more than {self.at_most:,} bytes (unpacked), too much for a table of "
                             "this kind, which is held in memory")
        buffer[:len(piece)] = piece
        return len(piece)


@contextlib.contextmanager
def opened(path, *, newline: str | None = None, errors: str = "replace", longest_line: int = LONGEST_LINE,
           at_most: int | None = None):
    """A text file as a handle, unpacked where it is packed with gzip (by its content, whatever its name).

    Parameters
    ----------
    newline : as in :func:`open`; by default line ends of every kind become ``\\n``
    errors : what to do with bytes that are no UTF-8; ``strict`` makes them an :class:`InputError`
    longest_line, at_most : in bytes: a longer line or file is refused before it is in memory

    Raises
    ------
    InputError : while opening and reading; it names the file
    """
    raw = io.BufferedReader(_Checked(Path(path), longest_line, at_most), PIECE)
    with io.TextIOWrapper(raw, encoding="utf-8-sig", errors=errors, newline=newline) as handle:
        try:
            yield handle
        except UnicodeDecodeError as problem:
            raise InputError(f"{path}: is not text in UTF-8 ({problem})") from None


def check_lines(path, longest_line: int = LONGEST_LINE) -> None:
    """Read a text file once and keep nothing, for readers that would take a line of any length."""
    with _Checked(Path(path), longest_line, None) as source:
        piece = bytearray(PIECE)
        while source.readinto(piece):
            pass
