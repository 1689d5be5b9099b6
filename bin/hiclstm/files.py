"""Writing files so that they appear whole or not at all, also when the disk fills up."""

import contextlib
import io
import os
import tempfile
from pathlib import Path

from .errors import NO_ROOM, InputError

MARGIN = 20_000_000  # bytes that must be left beside what is written


@contextlib.contextmanager
def whole(path):
    """Yield a path beside ``path`` to write to; rename it to ``path`` when the block ends without an error.

    The temporary name keeps the suffixes of ``path``, because some writers choose their format by suffix.
    A block that fails leaves neither file; a disk that is full or cannot be written to is an :class:`InputError`.
    """
    path = Path(path)
    beside = path.with_name(f".writing-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as problem:
        if problem.errno not in NO_ROOM:
            raise
        raise InputError(f"{path}: cannot be written: {NO_ROOM[problem.errno]}") from None


def check_room(path, more: int) -> None:
    """Raise an OSError if a file at ``path`` could not grow by ``more`` bytes now.

    For libraries that crash when a write fails (HDF5), or do not notice (bigWig).
    """
    path = Path(path)
    size = path.stat().st_size if path.exists() else 0
    with tempfile.TemporaryFile(dir=path.parent) as probe:
        try:
            os.posix_fallocate(probe.fileno(), size, more + MARGIN)
        except OSError as problem:
            if problem.errno in NO_ROOM:
                raise
            # a file system that cannot reserve space does not say how much there is


def with_room(path, tables):
    """The tables given, one or several in turn, each once there is room for it in the file at ``path``."""
    def checked(table):
        check_room(path, int(table.memory_usage(index=False).sum()))
        return table

    return checked(tables) if hasattr(tables, "memory_usage") else map(checked, tables)


def packed(state: dict) -> memoryview:
    """What ``torch.save`` writes of tensors and plain values: its own writing to a file does not say why it failed."""
    import torch

    held = io.BytesIO()
    torch.save(state, held)
    return held.getbuffer()
