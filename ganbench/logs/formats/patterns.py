"""Plain text, read with regular expressions whose named groups are the columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...contract.errors import RequestError, did_you_mean
from ..columns import ColumnReader, RowBuffer
from ..log import Log, UnreadableLog
from ..names import CANONICAL_NAMES, canonical_name
from ..steps import COUNTERS, step_unit
from .text import blocks_of_lines, parse_number

MAX_SEARCHED_CHARS = 1 << 12  # of a line: a pattern of several `.*` takes the cube of its length
EXAMPLE = r"--pattern 'step (?P<step>\d+).* loss_d (?P<loss_d>\S+).* loss_g (?P<loss_g>\S+)'"


def compile_patterns(patterns: Sequence[str]) -> list[re.Pattern[str]]:
    r"""Compile the values of `--pattern`.

    A pattern may count steps alone if another one names a signal: a row without a step takes the step before it.

    Raises:
        RequestError: If a pattern is not a regular expression, has no named group or names nothing known, or if no
            pattern names a signal.

    Example:
        >>> compile_patterns([r"step (?P<step>\d+)", r"D: (?P<loss_d>\S+)"])
        [re.compile('step (?P<step>\\d+)'), re.compile('D: (?P<loss_d>\\S+)')]
    """
    compiled = [_compile(text) for text in patterns]
    if compiled and not any(canonical_name(group) for pattern in compiled for group in pattern.groupindex):
        group = next(iter(compiled[0].groupindex))
        raise RequestError(
            f"--pattern {compiled[0].pattern!r} reads only {group!r}, which counts steps; "
            f"name a signal too, such as loss_d, loss_g or fid, as in {EXAMPLE}"
        )
    return compiled


def read_with_patterns(path: Path, name: str, patterns: Sequence[re.Pattern[str]]) -> Log:
    """Read a row from each match of a pattern in a line. Raise UnreadableLog if there is none."""
    reader = ColumnReader(name, path)
    rows = RowBuffer(reader)
    n_matches = 0
    for lines in blocks_of_lines(path):
        for line in lines:
            for pattern in patterns:
                if match := pattern.search(line[:MAX_SEARCHED_CHARS]):
                    n_matches += 1
                    texts = {group: text for group, text in match.groupdict().items() if text is not None}
                    row = {group: value for group, text in texts.items() if (value := _number(group, text)) is not None}
                    known = [group for group in texts if step_unit(group) or canonical_name(group)]
                    reader.n_not_numbers += sum(group not in row for group in known)
                    rows.add(row)
    if not n_matches:
        raise UnreadableLog(f"no line matches the pattern; as in {EXAMPLE}")
    rows.flush()
    return reader.to_log()


def _number(group: str, text: str) -> float | None:
    return parse_number(text, "," if step_unit(group) else "")


def _compile(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise RequestError(f"--pattern {text!r} is not a regular expression: {error}; as in {EXAMPLE}") from None
    if not pattern.groupindex:
        raise RequestError(f"--pattern {text!r} has no named group; as in {EXAMPLE}")
    signals = [group for group in pattern.groupindex if not step_unit(group)]
    if signals and not any(canonical_name(group) for group in signals):
        hint = did_you_mean(signals[0], [*CANONICAL_NAMES, *(unit for unit, _ in COUNTERS)])
        raise RequestError(f"--pattern {text!r} names no signal that ganbench knows, but {signals[0]!r}; {hint}")
    return pattern
