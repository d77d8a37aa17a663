"""Text files as blocks of lines, whatever their encoding and size, and numbers as logs write them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from ..log import UnreadableLog

BLOCK_CHARS = 4 << 20  # read at a time
MAX_LINE_CHARS = 4 << 20  # of what a line had in earlier blocks
HEAD_BYTES = 1 << 16  # by which the encoding is detected
MAX_CONTROL_SHARE = 0.02  # of control characters in text
BYTE_ORDER_MARKS = (  # the longest first: UTF-16's mark begins UTF-32's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
BINARY_MAGIC = (
    (b"\x80\x02", "a pickle, which ganbench never opens"),
    (b"\x80\x04", "a pickle, which ganbench never opens"),
    (b"\x80\x05", "a pickle, which ganbench never opens"),
    (b"\x1f\x8b", "compressed with gzip: decompress it first"),
    (b"PK\x03\x04", "a zip archive (or PyTorch weights)"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89PNG", "a PNG image"),
    (b"\x89HDF", "an HDF5 file"),
)

MAX_NUMBER_CHARS = 500  # of a cell, with everything around the number
MISSING = frozenset({"", "-", "--", "na", "n/a", "null", "none", "nil", "?", "missing"})
MSVC_NONFINITE = {"1.#inf": "inf", "1.#qnan": "nan", "1.#snan": "nan", "1.#ind": "nan"}  # 1.#INF00
NAN_WITH_PAYLOAD = re.compile(r"[-+]?nan\(")  # -nan(ind), from C++
WRAPPED = re.compile(
    r"(?:tensor|array|float\d*|np\.\w+)\(\[?\s*([^\s,()\[\]]+)", re.IGNORECASE
)  # tensor(0.53, device=...)
PERCENT_ENDS = " \t\"',;|)]}"  # what may follow a percent sign
SURROUNDING_CHARS = " \t\"'%,;:|()[]{}"
GROUPED = {mark: re.compile(rf"[-+]?[1-9]\d{{0,2}}(?:{re.escape(mark)}\d{{3}})+") for mark in ",."}  # 12,345
GROUPED_SURELY = re.compile(r"[-+]?\d{1,3}([,.])\d{3}(?:\1\d{3})+")  # 1,234,567 is no decimal
GROUPED_BY_SPACE = re.compile(r"(?<=\d)[ _'\u2019\u00a0\u2009\u202f](?=\d{3}(?!\d))")
WITH_UNIT = re.compile(r"(\S*\d)\s*(nats?|bits?|k|m)")
MULTIPLES = {"k": 1e3, "m": 1e6}
# What terminals are told between the text: colours and places, titles, and steps back of progress bars.
TERMINAL_CODES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[@-Z\\-_])|[\x08\x0e\x0f]")


def blocks_of_lines(path: Path) -> Iterator[list[str]]:
    """Yield the lines of a text file without line ends and terminal codes, some thousands at a time.

    Of a line that is longer than a block a part is left out.

    Raises:
        UnreadableLog: If the file is empty or not text.
    """
    with path.open("rb") as file:
        encoding = _detect_encoding(file.read(HEAD_BYTES))
    rest = ""
    with path.open(encoding=encoding, errors="replace") as text:
        while block := text.read(BLOCK_CHARS):
            *lines, rest = (rest + block.replace("\0", "")).split("\n")
            rest = rest[:MAX_LINE_CHARS]
            yield _without_codes(lines)
    if rest:
        yield _without_codes([rest])


def first_lines(path: Path, n: int) -> list[str]:
    """Return the first `n` lines that are not blank. Raise UnreadableLog if the file is empty or not text."""
    found: list[str] = []
    for lines in blocks_of_lines(path):
        found += [line for line in lines if line.strip()][:n]
        if len(found) >= n:
            break
    return found[:n]


def parse_number(text: str, thousands: str = "") -> float | None:
    """Return the number in a cell, None if there is none.

    Accepts NaN and infinities in any spelling, decimal commas, thousands separators, `tensor(0.5)`, brackets or quotes
    around the number, and `12k`, which is 12,000. Percentages are fractions: `95%` is 0.95.

    Args:
        text: The cell.
        thousands: What groups digits in `1,234` or `1.234`, if that is known: "," in numbers of steps, "." beside decimal
            commas. Else a single comma or point is decimal.

    Example:
        >>> parse_number("1.234,5"), parse_number("tensor(0.5, device='cuda:0')"), parse_number("n/a")
        (1234.5, 0.5, None)
        >>> parse_number("12,345"), parse_number("12,345", thousands=",")
        (12.345, 12345.0)
    """
    if not thousands or thousands not in text:
        try:
            return float(text)
        except ValueError:
            pass
    if len(text) > MAX_NUMBER_CHARS:
        return None
    bare = text.strip(SURROUNDING_CHARS).lower()
    if wrapped := WRAPPED.search(text):
        bare = wrapped[1].strip(SURROUNDING_CHARS).lower()
    if bare in MISSING:
        return None
    if NAN_WITH_PAYLOAD.match(bare):
        return float("nan")
    parts = 100.0 if text.rstrip(PERCENT_ENDS).endswith("%") else 1.0
    if unit := WITH_UNIT.fullmatch(bare):
        bare, parts = unit[1], 1 / MULTIPLES.get(unit[2], 1.0)
    number = _parse_plain(_without_groups(bare.replace("\u2212", "-"), thousands))
    return None if number is None else number / parts


def _without_groups(bare: str, thousands: str) -> str:
    """Return a number without thousands separators, with a decimal point."""
    bare = GROUPED_BY_SPACE.sub("", bare)
    if thousands and GROUPED[thousands].fullmatch(bare):
        return bare.replace(thousands, "")
    if surely := GROUPED_SURELY.fullmatch(bare):
        return bare.replace(surely[1], "")
    if "," in bare:
        group, mark = (",", ".") if bare.rfind(".") > bare.rfind(",") else (".", ",")
        bare = bare.replace(group, "").replace(mark, ".")
    return bare


def _parse_plain(bare: str) -> float | None:
    if "#" in bare:
        unsigned = bare.lstrip("+-")
        bare = bare.replace(unsigned, MSVC_NONFINITE.get(unsigned.rstrip("0"), bare))
    try:
        return float(bare)
    except ValueError:
        return None


def is_number_or_missing(text: str) -> bool:
    """Return whether a cell may belong to a numeric column."""
    return parse_number(text) is not None or text[:MAX_NUMBER_CHARS].strip(SURROUNDING_CHARS).lower() in MISSING


def _without_codes(lines: list[str]) -> list[str]:
    """Return lines without terminal codes."""
    text = "\n".join(lines)
    return TERMINAL_CODES.sub("", text).split("\n") if "\x1b" in text or "\b" in text else lines


def _detect_encoding(head: bytes) -> str:
    if not head:
        raise UnreadableLog("it is empty")
    for mark, encoding in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    for magic, what in BINARY_MAGIC:
        if head.startswith(magic):
            raise UnreadableLog(f"it is {what}")
    if head.count(0) > 0.9 * len(head):
        raise UnreadableLog("it is a binary file")
    if head[1::2].count(0) > 0.4 * len(head):  # half of the bytes of plain text in UTF-16
        return "utf-16-le"
    # After a crash a log may end in zeros, so zeros alone do not make it a binary file.
    n_control = sum(byte < 32 and byte not in b"\t\n\r\x0b\x0c\x08\x1b\0" for byte in head)
    if n_control > MAX_CONTROL_SHARE * len(head):
        raise UnreadableLog("it is a binary file")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"
