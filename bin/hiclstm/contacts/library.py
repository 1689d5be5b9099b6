"""One contact file read into pixels of the wanted resolution, in a process of its own that cannot take us down.

Readers of damaged files crash, hang or exit. So each file is read by a child process that reports progress; one that
dies or falls silent becomes one clear line. What it read waits on disk, one file for each pair of chromosomes.
"""

import errno
import functools
import multiprocessing
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import NO_ROOM, InputError
from .chromosomes import assembly_sizes, natural_order
from .formats import recognise

PENDING_AT_MOST = 4_000_000  # contacts held before equal ones are added up
PATIENCE = 300  # seconds without a sign of progress after which a reader is taken to hang


@dataclass(frozen=True)
class Request:
    """What is wanted of every file of one map.

    ``chromosomes`` is None for ``auto``; ``with_trans`` asks for contacts between chromosomes too; ``balance`` is
    ``auto``, ``none``, ``balanced`` or the name of a vector of the file.
    """

    resolution: int
    chromosomes: tuple[str, ...] | None = None
    assembly: str = ""
    balance: str = "auto"

    @functools.cached_property
    def assembly_sizes(self) -> dict[str, int] | None:
        """Chromosome sizes of the assembly; None where none is given or it is not known on this machine."""
        return assembly_sizes(self.assembly) if self.assembly else None

    @property
    def with_trans(self) -> bool:
        """Contacts between chromosomes are kept from 100 kb up: finer they are too sparse to be used and cost most."""
        return self.resolution >= 100_000

    @property
    def vectors_wanted(self) -> tuple[str, ...]:
        """Names of the balancing vectors worth reading, in the order they are tried."""
        if self.balance == "auto":
            return ("weight", "KR", "SCALE", "VC")
        return () if self.balance in ("none", "balanced") else (self.balance,)


@dataclass
class Library:
    """One file, read.

    Attributes
    ----------
    source : the file as the user named it
    format : in words, for the record
    assembly : as the file says, "" if it does not
    resolution : what was read, in base pairs; 1 for pairs. Where it is finer than wanted, pixels were added up
    sizes : length of every chromosome that the file knows
    sizes_known : False where they are taken from the contacts
    folder : where the pixels of chromosomes k and m of ``pairs`` lie
    vectors : (chromosome, name) → vector as the file has it, at the wanted resolution
    vector_names : all that the file has at this resolution
    trans : contacts between the chromosomes read; None where the file cannot say
    raw : all counts are whole numbers
    fragments : of 5C and capture, chromosome → fragments of the first and second set in each bin: float64 [bins, 2]
    notes : what the reader has to say about it
    """

    source: str
    format: str
    folder: Path
    assembly: str = ""
    resolution: int = 1
    sizes: dict[str, int] = field(default_factory=dict)
    sizes_known: bool = True
    vectors: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    vector_names: list[str] = field(default_factory=list)
    trans: float | None = None
    raw: bool = True
    pairs: dict[tuple[str, str], Path] = field(default_factory=dict)
    fragments: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def pixels(self, first: str, second: str):
        """(bin1, bin2, count) of one pair of chromosomes, in bins from each one's start, sorted, no pixel twice."""
        with np.load(self.pairs[first, second]) as stored:
            return stored["bin1"], stored["bin2"], stored["count"]


class PixelStore:
    """Adds up contacts that arrive in any order and writes them to disk by pair of chromosomes.

    ``report`` is called with the number of contacts so far, as a sign of life.
    """

    def __init__(self, library: Library, report=lambda contacts: None):
        self.library = library
        self.pending: dict[tuple[str, str], list] = {}
        self.waiting: dict[tuple[str, str], int] = {}
        self.contacts = 0
        self.report = report

    def add(self, first: str, second: str, bin1, bin2, count) -> None:
        """Add pixels of two chromosomes: bins counted from each one's start, any order, either triangle."""
        count = np.asarray(count, np.float64)
        usable = np.isfinite(count) & (count != 0)  # Juicer writes NaN for pairs that touch a missing bin
        bin1, bin2 = np.asarray(bin1, np.int64), np.asarray(bin2, np.int64)
        if not usable.all():
            bin1, bin2, count = bin1[usable], bin2[usable], count[usable]
        if len(count) == 0:
            return
        if count.min() < 0:
            raise InputError(f"{self.library.source}: has a negative count ({count.min():g}) on {first}; contacts are "
                             "0 or more (is it observed/expected or a difference map?)")
        if self.library.raw and np.any(count != np.rint(count)):
            self.library.raw = False
        if first == second:
            bin1, bin2 = np.minimum(bin1, bin2), np.maximum(bin1, bin2)
        elif natural_order(first) > natural_order(second):
            first, second, bin1, bin2 = second, first, bin2, bin1
        pair = first, second
        self.pending.setdefault(pair, []).append((bin1 << 32 | bin2, count))
        self.waiting[pair] = self.waiting.get(pair, 0) + len(count)
        self.contacts += len(count)
        if self.waiting[pair] > PENDING_AT_MOST:
            keys, counts = self._summed(pair)
            self.pending[pair] = [(keys, counts)]
            self.waiting[pair] = -len(keys)  # so that the work stays proportional to what arrives
        self.report(self.contacts)

    def _summed(self, pair):
        keys = np.concatenate([keys for keys, _ in self.pending[pair]])
        counts = np.concatenate([counts for _, counts in self.pending[pair]])
        if np.any(keys[1:] <= keys[:-1]):
            order = np.argsort(keys, kind="stable")
            keys, counts = keys[order], counts[order]
            first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
            keys, counts = keys[first], np.add.reduceat(counts, first)
        return keys, counts

    def close(self) -> None:
        """Write what is pending and let go of its memory."""
        for pair in list(self.pending):
            keys, counts = self._summed(pair)
            path = self.library.folder / f"{len(self.library.pairs)}.npz"
            np.savez(path, bin1=(keys >> 32).astype(np.int32), bin2=(keys & 0xFFFFFFFF).astype(np.int32), count=counts)
            self.library.pairs[pair] = path
            del self.pending[pair]
            self.report(self.contacts)


def resolution_to_read(source, available, wanted: int) -> int:
    """The resolution to read: the wanted one, else the coarsest from which it can be added up exactly.

    Adding up from the coarsest gives the same pixels as from the finest and reads the fewest of them.
    """
    if wanted in available:
        return wanted
    finer = [resolution for resolution in available if wanted % resolution == 0]
    if finer:
        return max(finer)
    raise InputError(f"{source}: has no map at {wanted:,} bp and none that it can be added up from; it has "
                     f"{', '.join(f'{resolution:,}' for resolution in sorted(available))} bp")


def read(name: str, request: Request, folder: Path, report=lambda contacts: None) -> Library:
    """Recognise and read one file here and now (see :func:`read_apart` for the guarded way)."""
    from . import cool, fragments, hic, matrices, pairs

    source = recognise(name)
    readers = {"hic": hic.read, "cooler": cool.read, "pairs": pairs.read, "hicpro": matrices.read_hicpro,
               "juicer": matrices.read_juicer, "juicer_chromosomes": matrices.read_juicer,
               **dict.fromkeys(("fragment matrix", "fragment pairs", "fragment bedpe"), fragments.read)}
    folder.mkdir(parents=True, exist_ok=True)
    library = readers[source.kind](source, request, folder, report)
    if library.resolution not in (1, request.resolution):
        library.notes.append(f"added up from {library.resolution:,} to {request.resolution:,} bp")
    return library


def _child(connection, name: str, request: Request, folder: Path, reader) -> None:
    said = time.monotonic()

    def report(contacts: int) -> None:
        nonlocal said
        if time.monotonic() - said > 0.5:
            connection.send(("progress", contacts))
            said = time.monotonic()

    try:
        connection.send(("library", reader(name, request, folder, report)))
    except InputError as error:
        connection.send(("refused", str(error)))
    except MemoryError:
        connection.send(("memory", None))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            connection.send(("refused", f"{folder}: the contacts of {name} cannot be kept here: {NO_ROOM[error.errno]}"))
        else:
            connection.send(("refused", _damaged(name, error)))
    except Exception as error:  # whatever a library throws at a damaged file
        connection.send(("refused", _damaged(name, error)))


def _damaged(name: str, error: Exception) -> str:
    return f"{name}: cannot be read, probably damaged ({type(error).__name__}: {' '.join(str(error).split())[:300]})"


def read_apart(name: str, request: Request, folder: Path, patience: float = PATIENCE, reader=read) -> Library:
    """Recognise and read one file in a child process.

    Parameters
    ----------
    name : ``path`` or ``path::part``
    folder : where its pixels are put
    patience : seconds without progress after which the child is ended and the file refused
    """
    # a process forked from this one could hang on locks that threads of our libraries hold; this server has none
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cooler"])
    too_little = f"{name} cannot be read with so little; choose fewer --chromosomes or a coarser resolution"
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(there, name, request, folder, reader), daemon=True)
    child.start()
    there.close()
    try:
        while here.poll(patience):
            word, value = here.recv()
            if word == "library":
                return value
            if word == "refused":
                raise InputError(value)
            if word == "memory":
                raise MemoryError(too_little)
        raise InputError(f"{name}: reading it made no progress for {patience:g} s and was ended: the file is probably "
                         "damaged (for a slow disk, give a longer --read-timeout)")
    except EOFError:
        child.join()
        if child.exitcode == -signal.SIGKILL:  # as a machine whose memory is full does
            raise MemoryError(too_little) from None
        raise InputError(f"{name}: the reader ended by itself (exit status {child.exitcode}): the file is probably "
                         "damaged") from None
    finally:
        if child.is_alive() and not here.poll(0):
            child.join(1)
        if child.is_alive():
            child.kill()
        child.join()
        here.close()
