"""Checks of reports: they write where they are told to, return what they wrote, and are reproducible."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...contract.records import TrialResult
from ..candidate import Candidate
from ..check import ContractError, behaviour, check
from ..helpers.file_access import is_cache, record_missing_encodings, record_writes
from ..helpers.trials import all_failed, mixed, store_run

if TYPE_CHECKING:
    import pandas as pd

    from ...results.comparison import StoredComparison

FRAMES = ("trials", "scores", "findings", "comparison", "pairwise", "aggregate")
# Any other file is text. Images and archives may contain a timestamp.
BINARY_SUFFIXES = {
    *(".avif", ".bmp", ".gif", ".ico", ".jpeg", ".jpg", ".mp4", ".pdf", ".png", ".tif", ".tiff", ".webm", ".webp"),
    *(".eot", ".otf", ".ttf", ".woff", ".woff2"),
    *(".7z", ".bz2", ".gz", ".tar", ".tgz", ".xz", ".zip", ".zst"),
    *(".docx", ".odp", ".ods", ".odt", ".pptx", ".xls", ".xlsx"),
    *(".arrow", ".db", ".duckdb", ".feather", ".h5", ".hdf5", ".npy", ".npz", ".parquet", ".sqlite", ".sqlite3"),
    *(".pickle", ".pkl", ".pt", ".pth", ".safetensors"),
}


@contextlib.contextmanager
def output_folder(results: Sequence[TrialResult]) -> Iterator[tuple[StoredComparison, Path]]:
    """Provide a comparison and a folder for the report; the working directory is another, empty folder."""
    with store_run(results) as comparison:
        root = comparison.folder.parent
        for name in ("report", "elsewhere"):
            (root / name).mkdir()
        with contextlib.chdir(root / "elsewhere"):
            yield comparison, root / "report"


def contents(folder: Path) -> dict[str, str]:
    """Return every file below a folder with a hash of its content."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in files}


def texts(folder: Path) -> dict[str, str]:
    """Return the text files below a folder with a hash of their content."""
    return {name: digest for name, digest in contents(folder).items() if _is_text(Path(name))}


def _is_text(file: Path) -> bool:
    return file.suffix.lower() not in BINARY_SUFFIXES


@check("report", basic=True)
def returns_the_files_it_wrote(candidate: Candidate) -> None:
    """It returns every file that it wrote; each exists and is inside the given folder."""
    with output_folder(mixed()) as (comparison, folder):
        files = candidate.build().write(comparison, folder)
        if not isinstance(files, list) or not files or not all(isinstance(file, Path) for file in files):
            raise ContractError(
                f"write() returns {files!r}"[:200],
                cause="nothing is returned, or strings instead of paths",
                fix="return a list of the pathlib.Path of each file, the one to open first first",
            )
        for file in files:
            if not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
                fault = "does not exist" if not file.is_file() else "is outside the given folder"
                raise ContractError(
                    f"returns {file.name}, which {fault}",
                    cause="the path is not below `folder`, or the file is not written",
                    fix="write to `folder / name` and return that",
                )
        unreturned = set(contents(folder)) - {file.resolve().relative_to(folder.resolve()).as_posix() for file in files}
        if unreturned:
            raise ContractError(
                f"writes {', '.join(sorted(unreturned))} and does not return it",
                cause="an extra file, or a temporary one that is not removed",
                fix="return every file written, and remove temporary ones",
            )


@check("report")
def writes_nowhere_else(candidate: Candidate) -> None:
    """It writes, moves and removes nothing outside its folder: neither results nor in the working directory."""
    with output_folder(mixed()) as (comparison, folder):
        root = folder.parent
        before = _outside(root, folder)
        with record_writes() as touched:
            candidate.build().write(comparison, folder)
        after = _outside(root, folder)
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        named = {
            str(path) for path in touched if not path.is_relative_to(folder.resolve()) and not is_cache(path, root)
        }
        if changed or named:
            raise ContractError(
                f"changes files outside its folder: {', '.join(sorted(changed | named))}",
                cause="a relative path, which is below the working directory, or a fixed path",
                fix="write below `folder` alone; temporary files too, or with Python's tempfile",
            )


def _outside(root: Path, folder: Path) -> dict[str, str]:
    return {k: v for k, v in contents(root).items() if not k.startswith(f"{folder.name}/")}


@check("report")
def writes_the_same_again(candidate: Candidate) -> None:
    """Written again into the same folder, its text files are identical."""
    with output_folder(mixed()) as (comparison, folder):
        candidate.build().write(comparison, folder)
        first = texts(folder)
        candidate.build().write(comparison, folder)
        second = texts(folder)
    changed = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    if changed:
        raise ContractError(
            f"writes other bytes the second time: {', '.join(changed)}",
            cause="the time, a random id, the order of a set, or a file that is appended to",
            fix="write from the comparison alone, in a defined order, and truncate files",
        )


@check("report")
def leaves_other_files_alone(candidate: Candidate) -> None:
    """It does not change other files in its folder, which reports share."""
    with output_folder(mixed()) as (comparison, folder):
        (folder / "other").mkdir()
        others = [folder / "notes-of-someone-else.dat", folder / "other" / "picture.dat"]
        for file in others:
            file.write_bytes(b"as it was")
        candidate.build().write(comparison, folder)
        lost = [file.name for file in others if not file.is_file() or file.read_bytes() != b"as it was"]
    if lost:
        raise ContractError(
            f"removes or changes other files in its folder: {', '.join(lost)}",
            cause="the folder is emptied before writing",
            fix="replace its own files by name, and nothing else",
        )


@check("report")
def serves_a_run_without_scores(candidate: Candidate) -> None:
    """It reports a run whose trials all ended in an error."""
    with output_folder(all_failed()) as (comparison, folder):
        _expect_a_report(candidate, comparison, folder, "all trials ended in an error")


@check("report")
def serves_a_run_without_trials(candidate: Candidate) -> None:
    """It reports a run that was stopped before its first trial ended."""
    with output_folder(()) as (comparison, folder):
        _expect_a_report(candidate, comparison, folder, "no trial has ended yet")


def _expect_a_report(candidate: Candidate, comparison: StoredComparison, folder: Path, when: str) -> None:
    try:
        files = candidate.build().write(comparison, folder)
    except Exception as error:
        raise ContractError(
            f"raises {type(error).__name__} if {when}: {error}",
            cause="the first row of an empty frame, or the mean of no values",
            fix="test `frame.empty` first, and say in the report that there is nothing to compare",
        ) from error
    if not files:
        raise ContractError(
            f"writes nothing if {when}",
            cause="an early return",
            fix="write a report that says so: otherwise the file of an earlier run would remain",
        )


@check("report")
def leaves_the_comparison_alone(candidate: Candidate) -> None:
    """It does not change the tables of the comparison, which other reports use."""
    with output_folder(mixed()) as (comparison, folder):
        before: dict[str, pd.DataFrame] = {name: getattr(comparison, name).copy(deep=True) for name in FRAMES}
        candidate.build().write(comparison, folder)
        changed = [name for name, frame in before.items() if not frame.equals(getattr(comparison, name))]
    if changed:
        raise ContractError(
            f"changes the tables of the comparison: {', '.join(changed)}",
            cause="an assignment to a column or a row, or inplace=True",
            fix="work on frame.copy()",
        )


@check("report")
def text_is_utf_8(candidate: Candidate) -> None:
    """Its text files are UTF-8, and it opens none in its folder without an encoding."""
    with output_folder(mixed()) as (comparison, folder):
        with record_missing_encodings() as opened:
            files = candidate.build().write(comparison, folder)
        for file in filter(_is_text, files):
            try:
                file.read_bytes().decode("utf-8")
            except UnicodeDecodeError as error:
                raise ContractError(
                    f"{file.name} is not UTF-8: {error}",
                    cause="another encoding, or binary data under the suffix of a text file",
                    fix='write with encoding="utf-8"',
                ) from error
        if unspecified := sorted({file.name for file in opened if file.is_relative_to(folder.resolve())}):
            raise ContractError(
                f"opens {', '.join(unspecified)} for writing without an encoding",
                cause="open() and write_text() use the machine's encoding by default, which need not be UTF-8",
                fix='write with encoding="utf-8"',
            )


@behaviour("report")
def behaves(candidate: Candidate) -> Any:
    """Return the names of the files that it writes, and hashes of the text files."""
    with output_folder(mixed()) as (comparison, folder):
        files = candidate.build().write(comparison, folder)
        return [file.name for file in files], texts(folder)
