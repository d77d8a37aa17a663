"""Plain text, read with regular expressions whose named groups are the columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...contract.errors import RequestError, did_you_mean
from ..columns import ColumnReader, RowByRow
from ..log import Log, NothingToRead
from ..names import KNOWN, our_name
from ..steps import COUNTERS, unit_of
from .text import LONGEST, blocks_of_lines, number

EXAMPLE = r"--pattern 'step (?P<step>\d+).* loss_d (?P<loss_d>\S+).* loss_g (?P<loss_g>\S+)'"


def compiled(patterns: Sequence[str]) -> list[re.Pattern[str]]:
    """The patterns; raises RequestError for one that is none or names nothing known, or where none names a signal.

    One that counts steps alone serves beside one that names a signal: a row without a step has that of the row before.
    """
    made = []
    for text in patterns:
        try:
            pattern = re.compile(text)
        except (re.error, OverflowError, RecursionError) as error:
            raise RequestError(f"--pattern {text!r} is no regular expression: {error}; as in {EXAMPLE}") from None
        if not pattern.groupindex:
            raise RequestError(f"--pattern {text!r} has no named group; as in {EXAMPLE}")
        unknown = [group for group in pattern.groupindex if not unit_of(group)]
        if unknown and not any(our_name(group) for group in unknown):
            hint = did_you_mean(unknown[0], [*KNOWN, *(unit for unit, _ in COUNTERS)])
            raise RequestError(f"--pattern {text!r} names no signal that ganbench knows, but {unknown[0]!r}; {hint}")
        made.append(pattern)
    if made and not any(our_name(group) for pattern in made for group in pattern.groupindex):
        group = next(iter(made[0].groupindex))
        raise RequestError(
            f"--pattern {made[0].pattern!r} reads {group!r} alone, which counts steps; "
            f"name a signal too, such as loss_d, loss_g or fid, as in {EXAMPLE}"
        )
    return made


def read_with_patterns(path: Path, name: str, patterns: Sequence[re.Pattern[str]]) -> Log:
    """A row for each line that a pattern is found in. Raises NothingToRead where it is found in none."""
    gathering = ColumnReader(name, path)
    rows = RowByRow(gathering)
    found = 0
    for lines in blocks_of_lines(path):
        for line in lines:
            for pattern in patterns:
                if match := pattern.search(line[: LONGEST // 16]):
                    found += 1
                    texts = {group: text for group, text in match.groupdict().items() if text is not None}
                    row = {group: value for group, text in texts.items() if (value := number(text)) is not None}
                    gathering.no_numbers += sum(
                        group not in row for group in texts if unit_of(group) or our_name(group)
                    )
                    rows.add(row)
    if not found:
        raise NothingToRead(f"the pattern is found in none of its lines; as in {EXAMPLE}")
    rows.flush()
    return gathering.finish()
