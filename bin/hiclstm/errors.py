"""Errors a user can act on, and the one way a script runs and ends."""

import gc
import sys


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one line that names the file (and line or field), what was found, what was expected and,
    where that helps, what exists.
    """


def run(main) -> None:
    """Call ``main()``; an :class:`InputError` becomes one line on standard error and exit status 2.

    Libraries make a million objects that stay as long as the process: looking through them for garbage again and again
    while they load, and once more at the end, takes as long as loading them.
    """
    gc.set_threshold(50_000)
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    finally:
        gc.freeze()
