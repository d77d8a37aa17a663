"""Text files as lines, in blocks, whatever their encoding and however long.

Numbers as logs write them.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from ..log import NothingToRead

BLOCK = 4 << 20  # bytes read at a time
LONGEST = 1 << 20  # characters of a line; what is longer is no row of a log
SNIFFED = 1 << 16  # bytes by which an encoding is told
MARKS = (  # the longest first: UTF-16's mark begins UTF-32's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
KNOWN_BINARIES = (
    (b"\x80\x02", "a pickle, which ganbench never opens"),
    (b"\x80\x04", "a pickle, which ganbench never opens"),
    (b"\x80\x05", "a pickle, which ganbench never opens"),
    (b"\x1f\x8b", "packed with gzip: unpack it first"),
    (b"PK\x03\x04", "a zip archive (or weights of PyTorch)"),
    (b"\x93NUMPY", "an array of NumPy"),
    (b"\x89PNG", "a picture"),
    (b"\x89HDF", "an HDF5 file"),
)


def blocks_of_lines(path: Path) -> Iterator[list[str]]:
    """The lines of a text file without their ends, some thousands at a time. Raises NothingToRead for no text."""
    with path.open("rb") as file:
        encoding = _encoding(file.read(SNIFFED))
    rest = ""
    with path.open(encoding=encoding, errors="replace") as text:
        while block := text.read(BLOCK):
            *lines, rest = (rest + block.replace("\0", "")).split("\n")
            rest = rest[:LONGEST]
            yield lines
    if rest:
        yield [rest]


def first_lines(path: Path, n: int) -> list[str]:
    """The first `n` lines that hold anything. Raises NothingToRead for no text."""
    found: list[str] = []
    for lines in blocks_of_lines(path):
        found += [line for line in lines if line.strip()][:n]
        if len(found) >= n:
            break
    return found[:n]


def _encoding(head: bytes) -> str:
    if not head:
        raise NothingToRead("it is empty")
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding
    for magic, what in KNOWN_BINARIES:
        if head.startswith(magic):
            raise NothingToRead(f"it is {what}")
    if head.count(0) > 0.9 * len(head):
        raise NothingToRead("it is a binary file")
    if head[1::2].count(0) > 0.4 * len(head):  # half of the bytes of plain text in UTF-16
        return "utf-16-le"
    # A log that a crash has cut off may end in zeros, so they alone are no sign of a binary file.
    odd = sum(byte < 32 and byte not in b"\t\n\r\x0b\x0c\x08\x1b\0" for byte in head)
    if odd > 0.02 * len(head):
        raise NothingToRead("it is a binary file")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


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
