"""Messages to the owner of a loop, which must go on whatever happens."""

from __future__ import annotations

import logging
import sys
import warnings

from ..contract.records import Finding

PACKAGE = __name__.partition(".")[0]
MAX_MESSAGE_CHARS = 500


class NotObserved(RuntimeError):
    """The loop does not show what a monitor needs to see."""


def format_error(error: BaseException) -> str:
    """Return an error in one line; with its type, unless it is one of ganbench's own."""
    try:
        message = " ".join(str(error).split())[:MAX_MESSAGE_CHARS]
    except Exception:  # an error whose message raises must not end the loop
        message = "(its message cannot be shown)"
    own = type(error).__module__.partition(".")[0] == PACKAGE
    return message if own else f"{type(error).__name__}: {message}"


def warn_user(line: str) -> None:
    """Issue a warning at the line of the loop; log it where warnings are errors, since the loop must not end."""
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
        frame, level = frame.f_back, level + 1
    try:
        warnings.warn(f"ganbench.Monitor: {line}", RuntimeWarning, stacklevel=level)
    except Warning:
        logging.getLogger(PACKAGE).warning("ganbench.Monitor: %s", line)


def print_finding(finding: Finding) -> None:
    """Print a finding as one line on standard error."""
    advice = f" Try: {finding.remedy}." if finding.remedy else ""
    line = (
        f"ganbench: {finding.severity}: {finding.diagnosis} since step {finding.onset_step}: {finding.summary}{advice}"
    )
    _print_line(line)


def print_recovery(diagnosis: str, step: int, *, still_warned: bool) -> None:
    """Say in one line on standard error that what was told of as a failure is none at a step."""
    now = "is a warning, and no failure any more" if still_warned else "is not found any more"
    _print_line(f"ganbench: recovered: {diagnosis} {now}, as of step {step}")


def _print_line(line: str) -> None:
    """Print one line on standard error, whatever becomes of that stream."""
    try:
        print(" ".join(line.split()), file=sys.stderr, flush=True)  # noqa: T201
    except Exception:  # a closed stream must not end the loop
        logging.getLogger(PACKAGE).warning("%s", line)
