"""Reports, each with one defect that its name states."""

import time
from pathlib import Path

import ganbench


class Sound:
    """Writes a line for each trial, and keeps the contract."""

    def write(self, comparison, folder):
        lines = [f"{row.dataset} {row.method}: {row.status}" for row in comparison.trials.itertuples()]
        (folder / "trials.txt").write_text("\n".join(lines), encoding="utf-8")
        return [folder / "trials.txt"]


class WritesIntoTheWorkingDirectory(Sound):
    """Writes into the working directory."""

    def write(self, comparison, folder):
        Path("draft.txt").write_text("draft", encoding="utf-8")
        return super().write(comparison, folder)


class WritesBesideItsFolder(Sound):
    """Writes a file beside its folder, and removes it."""

    def write(self, comparison, folder):
        draft = folder.parent / "draft.txt"
        draft.write_text("draft", encoding="utf-8")
        draft.unlink()
        return super().write(comparison, folder)


class ReturnsNothing(Sound):
    """Returns no files."""

    def write(self, comparison, folder):
        super().write(comparison, folder)


class WritesAnExtraFile(Sound):
    """Does not return all files."""

    def write(self, comparison, folder):
        (folder / "style.css").write_text("", encoding="utf-8")
        return super().write(comparison, folder)


class WritesTheTime(Sound):
    """Writes a timestamp."""

    def write(self, comparison, folder):
        (file,) = super().write(comparison, folder)
        file.write_text(f"{time.time_ns()}", encoding="utf-8")
        return [file]


class EmptiesTheFolder(Sound):
    """Removes other files."""

    def write(self, comparison, folder):
        for file in folder.glob("*.dat"):
            file.unlink()
        return super().write(comparison, folder)


class WantsScores(Sound):
    """Assumes that there is a best method."""

    def write(self, comparison, folder):
        _ = comparison.comparison.sort_values("rank").iloc[0] if len(comparison.trials) else None
        _ = comparison.scores.value.iloc[0] if len(comparison.trials) else None
        return super().write(comparison, folder)


class WantsTrials(Sound):
    """Assumes that there is a trial."""

    def write(self, comparison, folder):
        _ = comparison.trials.iloc[0]
        return super().write(comparison, folder)


class RenamesMethods(Sound):
    """Changes the tables of the comparison."""

    def write(self, comparison, folder):
        comparison.trials["method"] = comparison.trials["method"].str.upper()
        return super().write(comparison, folder)


class Latin1(Sound):
    """Writes Latin-1."""

    def write(self, comparison, folder):
        (folder / "trials.txt").write_text("ü", encoding="latin-1")
        return [folder / "trials.txt"]


class Grows(Sound):
    """Appends to its file."""

    def write(self, comparison, folder):
        with (folder / "trials.jsonl").open("a", encoding="utf-8") as file:
            file.write("{}\n")
        return [folder / "trials.jsonl"]


class Latin1Log(Sound):
    """Writes a log in Latin-1."""

    def write(self, comparison, folder):
        (folder / "trials.LOG").write_text("ü", encoding="latin-1")
        return [folder / "trials.LOG"]


class NoEncoding(Sound):
    """Writes in the default encoding of the machine."""

    def write(self, comparison, folder):
        (folder / "trials.txt").write_text("plain")
        with (folder / "trials.md").open("w") as file:
            file.write("plain")
        return [folder / "trials.txt", folder / "trials.md"]


class WritesAnImage(Sound):
    """Writes an image with a timestamp."""

    def write(self, comparison, folder):
        (folder / "curve.PNG").write_bytes(b"\xff" + str(time.time_ns()).encode())
        return [*super().write(comparison, folder), folder / "curve.PNG"]


@ganbench.hookimpl
def ganbench_reports():
    for build in [Sound, *Sound.__subclasses__()]:
        yield ganbench.Component(build.__name__, build)
