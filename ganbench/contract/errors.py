"""Errors of a request, and of a metric that cannot serve: one line that says what is wrong and the nearest valid thing."""

import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


def printable(text: str, keep: str = "") -> str:
    """Return a text with each character that would break a line or control a terminal written as its escape.

    Args:
        text: Whatever a plugin, a file or a user said.
        keep: Characters to leave as they are, as a line end in a table.
    """
    if text.isprintable():  # nearly every one
        return text
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)


class RequestError(Exception):
    """The request itself is wrong: nothing was trained and nothing written (exit code 2).

    The message is one line whatever it quotes: characters that would break the line or control the terminal are
    written as escapes.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class StorageError(Exception):
    """Results cannot be written, as on a full disk (exit code 1); what was stored before is kept. The message is one line."""


class RunPaused(Exception):
    """A run was ended early, by SIGTERM or since its minutes were over (exit code 75); the same command goes on with it."""


class CannotScore(Exception):
    """A metric cannot score these samples, and its message says why; it is left out, and the report says so."""


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return the end of an error line: the nearest valid name, or all of them if none is near."""
    names = sorted(valid)
    if near := get_close_matches(name, names, n=1, cutoff=0.6):
        return f"did you mean {near[0]!r}?"
    return f"valid: {', '.join(names)}" if names else "there is none"


def describe_exception(error: BaseException) -> str:
    """Return an exception in one line, with the deepest place that is not in a library."""
    message = " ".join(str(error).split()) or "no message"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    return f"{type(error).__name__}: {message[:500]}{place}"
