"""Numbers as logs write them."""

from __future__ import annotations

import re

MISSING = frozenset({"", "-", "--", "na", "n/a", "null", "none", "nil", "?", "missing"})
OF_OLD_COMPILERS = {"1.#inf": "inf", "1.#qnan": "nan", "1.#snan": "nan", "1.#ind": "nan"}  # 1.#INF00
WRAPPED = re.compile(
    r"(?:tensor|array|float\d*|np\.\w+)\(\[?\s*([^\s,()\[\]]+)", re.IGNORECASE
)  # tensor(0.53, device=...)
AROUND = " \t\"'%,;:|()[]{}"


def number(text: str) -> float | None:
    """The number that a cell holds, NaN and infinities too; None where nothing was logged, or it is no number.

    Takes a decimal comma, `tensor(0.5)`, and signs around the number such as brackets.
    """
    try:
        return float(text)
    except ValueError:
        pass
    bare = text.strip(AROUND).lower()
    if wrapped := WRAPPED.search(text):
        bare = wrapped[1].strip(AROUND).lower()
    if bare in MISSING:
        return None
    if "," in bare:
        thousands, mark = (",", ".") if bare.rfind(".") > bare.rfind(",") else (".", ",")
        bare = bare.replace(thousands, "").replace(mark, ".")
    if "#" in bare:
        size = bare.lstrip("+-").rstrip("0")
        bare = bare.replace(bare.lstrip("+-"), OF_OLD_COMPILERS.get(size, bare))
    try:
        return float(bare)
    except ValueError:
        return None


def is_number(text: str) -> bool:
    """Whether a cell may stand under a column of numbers: a number, or nothing."""
    return number(text) is not None or text.strip(AROUND).lower() in MISSING
