"""How the kernels of the CPU are compiled: for which processor, and where the result is kept."""

import atexit
import contextlib
import functools
import hashlib
import os
import tempfile
from pathlib import Path

import numba
from numba import njit
from numba.core import codegen

from ..model.config import FRAME
from ..model.network import NORM_EPSILON

COMPILED_FROM = ("compilation.py", "simd.py", "functions.py", "cell.py", "loader.py", "walk.py", "tiles.py")


def cpu_features() -> set[str]:
    """Instruction sets that numba compiles for: this machine's, unless NUMBA_CPU_FEATURES says otherwise."""
    text = numba.config.CPU_FEATURES
    text = codegen.get_host_cpu_features() if text is None else text
    return {feature[1:] for feature in text.split(",") if feature.startswith("+")}


HAS_AVX512 = "avx512f" in cpu_features()

inlined = njit(forceinline=True, error_model="numpy")


@functools.cache
def cache_folder() -> str:
    """A folder for compiled kernels that can be written to and that belongs to this state of their source.

    numba looks only at the file of the function it caches; the name of the folder covers the files that it calls.
    """
    here = Path(__file__).parent
    source = b"".join((here / file).read_bytes() for file in COMPILED_FROM) + repr((FRAME, NORM_EPSILON)).encode()
    source = hashlib.sha256(source).hexdigest()[:12]
    chosen = [numba.config.CACHE_DIR] if numba.config.CACHE_DIR else []
    with contextlib.suppress(RuntimeError):  # a user without a home
        chosen += [here / "__pycache__", Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hiclstm"]
    for folder in chosen:
        with contextlib.suppress(OSError):
            folder = Path(folder) / f"kernels-{source}"
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return str(folder)
    folder = tempfile.TemporaryDirectory(prefix="hiclstm-kernels-")  # compiled afresh in every process
    atexit.register(folder.cleanup)
    return folder.name


def compiled(function):
    """A kernel's entry: compiled at its first call for the types it gets, kept on disk, run without Python's lock."""
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, cache_folder()
    try:
        return njit(nogil=True, cache=True, error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = before
