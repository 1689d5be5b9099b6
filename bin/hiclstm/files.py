"""Writing files so that they appear whole or not at all."""

import contextlib
import os
from pathlib import Path


@contextlib.contextmanager
def whole(path):
    """Yield a path beside ``path`` to write to; rename it to ``path`` when the block ends without an error.

    The temporary name keeps the suffixes of ``path``, because some writers choose their format by suffix.
    A block that fails leaves neither file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".writing-{os.getpid()}-{path.name}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
