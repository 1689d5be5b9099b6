"""Errors a user can act on, and the one way a script ends with one."""

import sys


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one line that names the file (and line or field), what was found, what was expected and,
    where that helps, what exists.
    """


def run(main) -> None:
    """Call ``main()``; an :class:`InputError` becomes one line on standard error and exit status 2."""
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
