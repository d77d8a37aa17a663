"""What is asked of a report: it writes where it is told, says what it wrote, and can write again."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...contract.records import TrialResult
from ..candidate import Candidate
from ..check import ContractError, behaviour, check
from ..helpers.trials import all_broken, mixed, store_run
from ..helpers.watched_files import encoding_left_open, is_cache, watched

if TYPE_CHECKING:
    import pandas as pd

    from ...results.comparison import StoredComparison

FRAMES = ("trials", "scores", "findings", "comparison")
# All else is text. Pictures and archives may hold the time that they were made at.
BINARY = {
    *(".avif", ".bmp", ".gif", ".ico", ".jpeg", ".jpg", ".mp4", ".pdf", ".png", ".tif", ".tiff", ".webm", ".webp"),
    *(".eot", ".otf", ".ttf", ".woff", ".woff2"),
    *(".7z", ".bz2", ".gz", ".tar", ".tgz", ".xz", ".zip", ".zst"),
    *(".docx", ".odp", ".ods", ".odt", ".pptx", ".xls", ".xlsx"),
    *(".arrow", ".db", ".duckdb", ".feather", ".h5", ".hdf5", ".npy", ".npz", ".parquet", ".sqlite", ".sqlite3"),
    *(".pickle", ".pkl", ".pt", ".pth", ".safetensors"),
}


@contextlib.contextmanager
def place(results: Sequence[TrialResult]) -> Iterator[tuple[StoredComparison, Path]]:
    """A comparison, and a folder to write it to; the working directory is an empty one beside that folder."""
    with store_run(results) as comparison:
        root = comparison.folder.parent
        for name in ("report", "elsewhere"):
            (root / name).mkdir()
        with contextlib.chdir(root / "elsewhere"):
            yield comparison, root / "report"


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder, and a digest of what it holds."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in files}


def texts(folder: Path) -> dict[str, str]:
    """The text files alone, as `contents`."""
    return {name: digest for name, digest in contents(folder).items() if _is_text(Path(name))}


def _is_text(file: Path) -> bool:
    return file.suffix.lower() not in BINARY


@check("report", basic=True)
def returns_the_files_it_wrote(candidate: Candidate) -> None:
    """It returns every file that it wrote, each of which exists, inside the folder it was given."""
    with place(mixed()) as (comparison, folder):
        files = candidate.build().write(comparison, folder)
        if not isinstance(files, list) or not files or not all(isinstance(file, Path) for file in files):
            raise ContractError(
                f"write() returns {files!r}"[:200],
                cause="nothing is returned, or texts instead of paths",
                fix="return a list of the pathlib.Path of each file, the one to open first first",
            )
        for file in files:
            if not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
                fault = "is not there" if not file.is_file() else "lies outside the folder it was given"
                raise ContractError(
                    f"returns {file.name}, which {fault}",
                    cause="the path is built from another folder than `folder`, or its file is not written",
                    fix="write to `folder / name` and return that",
                )
        silent = set(contents(folder)) - {file.resolve().relative_to(folder.resolve()).as_posix() for file in files}
        if silent:
            raise ContractError(
                f"writes {', '.join(sorted(silent))} and does not return it",
                cause="a side file, or a draft that stays behind",
                fix="return every file written, and remove drafts",
            )


@check("report")
def writes_nowhere_else(candidate: Candidate) -> None:
    """Nothing outside its folder is written, moved or removed: not the results, not the working directory."""
    with place(mixed()) as (comparison, folder):
        root = folder.parent
        before = _outside(root, folder)
        with watched() as touched:
            candidate.build().write(comparison, folder)
        after = _outside(root, folder)
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        named = {
            str(path) for path in touched if not path.is_relative_to(folder.resolve()) and not is_cache(path, root)
        }
        if changed or named:
            raise ContractError(
                f"changes files outside its folder: {', '.join(sorted(changed | named))}",
                cause="a relative path, which means the working directory, or a path of its own",
                fix="write below `folder` alone; drafts go there too, or into Python's tempfile",
            )


def _outside(root: Path, folder: Path) -> dict[str, str]:
    return {k: v for k, v in contents(root).items() if not k.startswith(f"{folder.name}/")}


@check("report")
def writes_the_same_again(candidate: Candidate) -> None:
    """Written again into the same folder, its text files are the same to the last byte."""
    with place(mixed()) as (comparison, folder):
        candidate.build().write(comparison, folder)
        first = texts(folder)
        candidate.build().write(comparison, folder)
        second = texts(folder)
    changed = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    if changed:
        raise ContractError(
            f"writes other bytes the second time: {', '.join(changed)}",
            cause="the time of day, a random id, the order of a set, or a file that is appended to",
            fix="write from the comparison alone, in an order that it gives, and open files anew",
        )


@check("report")
def leaves_other_files_alone(candidate: Candidate) -> None:
    """Files of others in the same folder stay as they are: reports share it."""
    with place(mixed()) as (comparison, folder):
        (folder / "other").mkdir()
        others = [folder / "notes-of-someone-else.dat", folder / "other" / "picture.dat"]
        for file in others:
            file.write_bytes(b"as it was")
        candidate.build().write(comparison, folder)
        lost = [file.name for file in others if not file.is_file() or file.read_bytes() != b"as it was"]
    if lost:
        raise ContractError(
            f"removes or changes files of others in its folder: {', '.join(lost)}",
            cause="the folder is emptied before writing",
            fix="replace files of its own by name, and nothing else",
        )


@check("report")
def serves_a_run_without_scores(candidate: Candidate) -> None:
    """A run whose trials all ended in an error is reported too."""
    with place(all_broken()) as (comparison, folder):
        _expect_a_report(candidate, comparison, folder, "all trials ended in an error")


@check("report")
def serves_a_run_without_trials(candidate: Candidate) -> None:
    """A run that was stopped before its first trial ended is reported too."""
    with place(()) as (comparison, folder):
        _expect_a_report(candidate, comparison, folder, "no trial has ended yet")


def _expect_a_report(candidate: Candidate, comparison: StoredComparison, folder: Path, when: str) -> None:
    try:
        files = candidate.build().write(comparison, folder)
    except Exception as error:
        raise ContractError(
            f"raises {type(error).__name__} where {when}: {error}",
            cause="the first row of an empty frame, or the mean of no value",
            fix="ask `frame.empty` first, and say in the report that there is nothing to compare",
        ) from error
    if not files:
        raise ContractError(
            f"writes nothing where {when}",
            cause="an early return",
            fix="write a report that says so: a file of an older run would stay in its place",
        )


@check("report")
def leaves_the_comparison_alone(candidate: Candidate) -> None:
    """The comparison's tables are the same afterwards: other reports are written from them."""
    with place(mixed()) as (comparison, folder):
        before: dict[str, pd.DataFrame] = {name: getattr(comparison, name).copy(deep=True) for name in FRAMES}
        candidate.build().write(comparison, folder)
        changed = [name for name, frame in before.items() if not frame.equals(getattr(comparison, name))]
    if changed:
        raise ContractError(
            f"changes the tables of the comparison: {', '.join(changed)}",
            cause="an assignment to a column or a row, inplace=True, or a sort in place",
            fix="work on frame.copy()",
        )


@check("report")
def text_is_utf_8(candidate: Candidate) -> None:
    """Its text files are UTF-8, and none is opened in its folder without an encoding: that would be the machine's."""
    with place(mixed()) as (comparison, folder):
        with encoding_left_open() as opened:
            files = candidate.build().write(comparison, folder)
        for file in filter(_is_text, files):
            try:
                file.read_bytes().decode("utf-8")
            except UnicodeDecodeError as error:
                raise ContractError(
                    f"{file.name} is not UTF-8: {error}",
                    cause="another encoding, or bytes in a file whose name says text",
                    fix='write with encoding="utf-8"',
                ) from error
        if careless := sorted({file.name for file in opened if file.is_relative_to(folder.resolve())}):
            raise ContractError(
                f"opens {', '.join(careless)} for writing without an encoding",
                cause="open() or write_text() by themselves take the machine's, which need not be UTF-8",
                fix='write with encoding="utf-8"',
            )


@behaviour("report")
def behaves(candidate: Candidate) -> Any:
    """The text files that it writes, by digest."""
    with place(mixed()) as (comparison, folder):
        files = candidate.build().write(comparison, folder)
        return [file.name for file in files], texts(folder)
