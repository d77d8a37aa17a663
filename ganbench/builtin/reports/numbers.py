"""Format numbers for readers: three significant digits, and no exponent where one is not needed."""

from __future__ import annotations

import math
from typing import Any

MISSING = "–"


def format_number(value: float | None, digits: int = 3) -> str:
    """Format a measured value: `0.0123`, `98.9`, `1,234`, `1.23e-07`; a dash if it is missing."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])  # after rounding: 99.97 is 100, not 100.0
    if not -5 < exponent < 6:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{max(0, digits - 1 - exponent)}f}"


def format_times(value: float | None) -> str:
    """Format how many times its floor a distance is: `1.2× floor`, `66× floor`; nothing if it is missing."""
    return "" if value is None or not math.isfinite(value) else f"{value:,.{0 if value >= 10 else 1}f}× floor"


def format_interval(low: float | None, high: float | None) -> str:
    """Format an interval: `[low, high]`, or nothing if an end is missing."""
    if low is None or high is None:
        return ""
    return f"[{format_number(low)}, {format_number(high)}]"


def format_percent(share: float | None) -> str:
    """Format a share from 0 to 1 in whole percent; `<1 %` and `>99 %` keep what is near 0 or 1 apart from 0 and 1."""
    if share is None:
        return MISSING
    if 0 < share < 0.01:
        return "<1 %"
    if 0.99 < share < 1:
        return ">99 %"
    return f"{share:.0%}".replace("%", " %")


def format_duration(seconds: float) -> str:
    """Format a duration: `42 s`, `12 min`, `3.4 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def format_count(n: int, noun: str) -> str:
    """Format a count: `1 trial`, `2 trials`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def format_seed(value: Any) -> str:
    """Format a seed; frames with missing cells hold 3 as 3.0."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def parse_float(value: Any) -> float | None:
    """Return a cell of a frame as a float, or None if it is missing or not a number."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(result) else result
