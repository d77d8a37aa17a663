"""Numbers as people read them."""

from __future__ import annotations

import math
from typing import Any

MISSING = "–"


def number(value: float | None, digits: int = 3) -> str:
    """A measured value: `0.0123`, `98.9`, `1,234`, `1.23e-07`; a dash where there is none."""
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


def interval(low: float | None, high: float | None) -> str:
    """`[low, high]`, or nothing where an end is missing."""
    if low is None or high is None:
        return ""
    return f"[{number(low)}, {number(high)}]"


def percent(share: float | None) -> str:
    """A share from 0 to 1 in whole percent, `<1 %` and `>99 %` near the ends: only a true end is called one."""
    if share is None:
        return MISSING
    if 0 < share < 0.01:
        return "<1 %"
    if 0.99 < share < 1:
        return ">99 %"
    return f"{share:.0%}".replace("%", " %")


def seconds(value: float) -> str:
    """A duration: `42 s`, `12 min`, `3.4 h`."""
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def count(n: int, noun: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def as_float(value: Any) -> float | None:
    """A cell of a frame as a float; None where it is missing or no number."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(result) else result
