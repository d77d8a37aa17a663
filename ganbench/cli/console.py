"""Tables in the terminal, as wide as it is; in a file or a pipe wide enough to be searched."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence

MAX_WIDTH = 160  # columns of a table that goes to a file or a pipe


def console_width() -> int | None:
    """Return the columns to print in; None for as many as the terminal has. `COLUMNS` in the environment overrides."""
    if sys.stdout.isatty():
        return None
    columns = shutil.get_terminal_size((0, 0)).columns  # of COLUMNS, if that is set
    return columns if "COLUMNS" in os.environ and columns > 0 else MAX_WIDTH


def count(n: int, noun: str) -> str:
    """Return a number with its noun: "1 trial", "2 trials"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def format_times(low: float, high: float) -> str:
    """Return how many times its floor a distance is, or several are: "1.2x floor", "46-58x floor"."""
    ends = dict.fromkeys(f"{times:,.{0 if times >= 10 else 1}f}" for times in (low, high))
    return f"{'-'.join(ends)}x floor"


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of plain text under column headings; the first column is never wrapped."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=console_width(), highlight=False).print(table)
