"""Errors a user can act on, and the one way a script runs and ends."""

import errno
import gc
import sys

OUT_OF_MEMORY = 137  # exit status
# Why a file cannot be written, in words.
NO_ROOM = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the quota of disk space is used up",
           errno.EFBIG: "it would become larger than files may be here (ulimit -f)",
           errno.EROFS: "the file system is read-only", errno.EACCES: "permission denied", errno.EPERM: "not permitted",
           errno.ENOTDIR: "a part of its path is no folder"}


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one line that names the file (and line or field), what was found, what was expected and,
    where that helps, what exists.
    """


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory, or that of a GPU, was too small; PyTorch has errors of its own for both."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" \
        or "can't allocate memory" in str(error)


def run(main) -> None:
    """Call ``main()``; an :class:`InputError` becomes one line on standard error and exit status 2.

    Where memory runs out the exit status is that of a process killed for it, so that a scheduler tries again with more.

    Libraries make a million objects that stay as long as the process: looking through them for garbage again and again
    while they load, and once more at the end, takes as long as loading them.
    """
    gc.set_threshold(50_000)
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        print(f"error: memory ran out: {' '.join(str(error).split())[:300] or 'more was needed'}", file=sys.stderr)
        sys.exit(OUT_OF_MEMORY)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        print(f"error: {error.filename or 'a temporary file'}: {NO_ROOM[error.errno]}", file=sys.stderr)
        sys.exit(2)
    finally:
        gc.freeze()
