"""What is said to the owner of a loop, which goes on whatever it is."""

from __future__ import annotations

import logging
import sys
import warnings

PACKAGE = __name__.partition(".")[0]


class NotObserved(RuntimeError):
    """The loop does not show what is needed."""


def format_error(error: BaseException) -> str:
    """An error in one line; what is said by ourselves needs no name."""
    try:
        message = " ".join(str(error).split())[:500]
    except Exception:  # an error that cannot be shown must not become one of the loop
        message = "(it cannot be shown)"
    ours = type(error).__module__.partition(".")[0] == PACKAGE
    return message if ours else f"{type(error).__name__}: {message}"


def warn_once(line: str) -> None:
    """A warning, at the line of the loop; one that stays one where warnings are made errors, as the loop must not end."""
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
        frame, level = frame.f_back, level + 1
    try:
        warnings.warn(f"ganbench.Monitor: {line}", RuntimeWarning, stacklevel=level)
    except Warning:
        logging.getLogger(PACKAGE).warning("ganbench.Monitor: %s", line)
