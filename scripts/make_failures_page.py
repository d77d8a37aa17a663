"""Runs the commands that docs/failures.md shows, and writes their output into it.

    python scripts/make_failures_page.py [FOLDER]

Every `sh` block of a section is run in FOLDER (a temporary one by default). The text between `<!-- name -->` and
`<!-- end -->` is replaced by the output, and the pictures in docs/failures/ are drawn again. In a FOLDER that an
earlier call has filled, commands that are done are not run again.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import failures_pictures as pictures
import numpy as np

import ganbench
from ganbench.builtin.diagnoses.readings import DESCRIPTIONS
from ganbench.results.store import Store
from ganbench.results.trial_files import read_history

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "failures.md"
PICTURES = ROOT / "docs" / "failures"

FRACTIONS = (0.05, 0.25, 0.5, 1.0)  # of the steps done, at which samples are shown
FRACTIONS_OF = {"oscillation": (0.85, 0.9, 0.95, 1.0)}  # where they have to be near each other
MORE_DESCRIPTIONS = {  # of signals that are evidence as they were measured
    "nearest_training": "how near generated samples lie to training data, over how near held-out data does",
    "logit_max": "largest absolute logit",
}
MAX_EVIDENCE_ROWS = 12


@dataclass(frozen=True)
class CommandCache:
    """A folder in which the page's commands are run, each once."""

    folder: Path

    def output(self, command: str) -> str:
        """Return the standard output of a command."""
        return str(self._result(command)["output"])

    def seconds(self, command: str) -> float:
        """Return how long a command took."""
        return float(self._result(command)["seconds"])

    def _result(self, command: str) -> dict[str, Any]:
        cache = self.folder / "commands.json"
        done = json.loads(cache.read_text(encoding="utf-8")) if cache.exists() else {}
        if command not in done:
            done[command] = self._run(command)
            cache.write_text(json.dumps(done, indent=1), encoding="utf-8")
        return dict(done[command])

    def _run(self, command: str) -> dict[str, Any]:
        print(f"$ {command}", flush=True)  # noqa: T201
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        start = time.perf_counter()
        process = subprocess.run(
            shlex.split(command), cwd=self.folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        if process.returncode:
            raise SystemExit(f"{command}\n{process.stdout}{process.stderr}exit code {process.returncode}")
        return {"output": process.stdout, "seconds": time.perf_counter() - start}


@dataclass(frozen=True)
class Section:
    """A section of the page: a failure, or the healthy run, and the commands that it shows."""

    name: str
    commands: Sequence[str]
    cache: CommandCache

    @property
    def run(self) -> str:
        """The command that trains the run."""
        return self.commands[0]

    @property
    def cures(self) -> Sequence[str]:
        """The commands that fix it, the best one last; none for the healthy run."""
        return self.commands[1:]

    @cached_property
    def failed(self) -> StoredRun:
        """The run that failed."""
        return StoredRun(self.cache.folder / _value_after(self.run, "--output"), self.cache)

    @cached_property
    def cured(self) -> Sequence[StoredRun]:
        """The run with each of its cures."""
        return [self._with(cure) for cure in self.cures]

    def _with(self, cure: str) -> StoredRun:
        self.cache.output(cure)
        if not cure.startswith("ganbench treat"):
            return StoredRun(self.cache.folder / _value_after(cure, "--output"), self.cache)
        folder = self.cache.folder / shlex.split(cure)[2] / "treat"
        return StoredRun(folder, self.cache, _treatment(folder, "recommended")["treated"])


@dataclass(frozen=True)
class StoredRun:
    """A stored trial, the only one of its folder unless named."""

    folder: Path
    cache: CommandCache
    trial_id: str | None = None

    @cached_property
    def result(self) -> ganbench.TrialResult:
        """Its result, without arrays."""
        results, damaged = Store(self.folder).results()
        wanted = [result for result in results if self.trial_id in (None, result.trial.id)]
        if damaged or len(wanted) != 1:
            raise SystemExit(f"{self.folder}: one trial is expected, and there are {len(wanted)}; {damaged}")
        return wanted[0]

    @cached_property
    def history(self) -> ganbench.History:
        """Its history; trained again step by step if it diverged before its second observation."""
        stored = read_history(Store(self.folder).folder_of(self.result.trial.id))
        if len(stored.columns["step"]) > 1:
            return stored
        steps = range(1, self.result.steps + 1)
        rows = [self._trained(step).history.columns for step in steps]
        return ganbench.History(
            {name: np.concatenate([row[name][-1:] for row in rows]) for name in rows[0]}, stored.steps
        )

    def finding(self, diagnosis: str) -> ganbench.Finding | None:
        """Return the finding of one diagnosis on the present state; None without one."""
        return next((f for f in self.result.findings if (f.diagnosis, f.horizon) == (diagnosis, "now")), None)

    def frames(self, fractions: Sequence[float]) -> list[pictures.Frame]:
        """Return samples at fractions of the steps done, by training so far again, which leads to the same weights."""
        return [self._frame(max(1, round(fraction * self.result.steps))) for fraction in fractions]

    def _frame(self, step: int) -> pictures.Frame:
        trial = self.result.trial
        file = self.cache.folder / f"{trial.id}-{step}.npz"
        if not file.exists():
            artifacts = self._trained(step)
            if step == self.result.steps and self.result.status == "done":
                self._check(artifacts.weights)
            np.savez(file, samples=artifacts.samples, reals=artifacts.reals)
        arrays = np.load(file)
        return pictures.Frame(step, arrays["samples"], arrays["reals"])

    def _trained(self, step: int) -> ganbench.Artifacts:
        """Train the trial for `step` steps, without metrics and diagnoses, which change nothing."""
        trial = self.result.trial
        print(f"{trial.id}: step {step}", flush=True)  # noqa: T201
        short = replace(
            trial,
            training=replace(trial.training, steps=step),
            evaluation=replace(trial.evaluation, metrics=()),
            diagnoses=(),
        )
        artifacts = ganbench.run_trial(short, threads=self.result.threads).artifacts
        if artifacts is None:
            raise SystemExit(f"{trial.id}: no samples after {step} steps")
        return artifacts

    def _check(self, weights: Any) -> None:
        """Raise SystemExit unless the weights are those of the stored run, so that pictures show that run."""
        from safetensors.numpy import load_file

        stored = load_file(Store(self.folder).folder_of(self.result.trial.id) / "weights.safetensors")
        if not all(np.array_equal(stored[name], weights[name]) for name in stored):
            raise SystemExit(f"{self.result.trial.id}: trained again, it ends with other weights; give another FOLDER")


def main() -> None:
    """Make the page in the FOLDER given, or in a temporary one."""
    if sys.argv[1:]:
        Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        make(Path(sys.argv[1]).resolve())
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))


def make(folder: Path) -> None:
    """Run the page's commands in `folder`, draw its pictures, and write the output into it."""
    if not (folder / "docs").exists():
        (folder / "docs").symlink_to(ROOT / "docs")  # a suite file is named relative to the repository
    page = PAGE.read_text(encoding="utf-8")
    shown = [Section(name, commands, CommandCache(folder)) for name, commands in sections(page)]
    for section in shown:
        section.cache.output(section.run)
        _draw(section)
        page = _fill(page, f"verdict: {section.name}", _verdict(section))
        if section.cures:
            page = _fill(page, f"cure: {section.name}", _cure(section))
    page = _fill(page, "seconds", _seconds(shown))
    PAGE.write_text(page, encoding="utf-8")


def sections(page: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each section that is named after a verdict, and the lines of its `sh` blocks."""
    for name, text in re.findall(r"^## `([a-z-]+)`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL):
        blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        yield name, [line for block in blocks for line in block.splitlines()]


def _draw(section: Section) -> None:
    charts = pictures.CHARTS[section.name]
    fractions = FRACTIONS_OF.get(section.name, FRACTIONS)
    for shown, name in zip(
        (section.failed, *section.cured[-1:]), (section.name, f"{section.name}-cured"), strict=False
    ):
        found = shown.finding(section.name)
        onset = found.onset_step if found else None
        pictures.draw(shown.frames(fractions), shown.history, charts, onset, PICTURES / f"{name}.png")


def _verdict(section: Section) -> str:
    """The output of `ganbench diagnose`, and the evidence of the finding that the section is about."""
    diagnose = f"ganbench diagnose {_value_after(section.run, '--output')}"
    text = f"```console\n$ {diagnose}\n{section.cache.output(diagnose)}```\n"
    found = section.failed.finding(section.name)
    if found is None or not found.evidence:
        return text
    descriptions = DESCRIPTIONS | MORE_DESCRIPTIONS
    rows = [
        f"| `{name}` | {descriptions.get(name, '')} | {_number(read.value)} | {_number(read.threshold)} |"
        for name, read in list(found.evidence.items())[:MAX_EVIDENCE_ROWS]
    ]
    head = "| evidence | what it is | here | bound |\n|---|---|---|---|\n"
    return f"{text}\nConfidence {found.confidence:g}.\n\n{head}" + "\n".join(rows) + "\n"


def _cure(section: Section) -> str:
    """The outcome of each cure: by the ground truth if it was measured, and by the verdict."""
    return "\n".join(_outcome(cure, cured) for cure, cured in zip(section.cures, section.cured, strict=True))


def _outcome(cure: str, cured: StoredRun) -> str:
    verdicts = ", ".join(f"`{verdict}`" for verdict in cured.result.verdicts)
    if not cure.startswith("ganbench treat"):
        return f"The verdict of `{cured.folder.name}` is {verdicts}.\n"
    ended = {arm: _ended(_treatment(cured.folder, arm)) for arm in ("recommended", "random", "unchanged")}
    control = _treatment(cured.folder, "random")["remedy"]
    return (
        f"With the recommended remedy the run {ended['recommended']}, by the ground truth; its verdict is {verdicts}. "
        f"With a control drawn at random (`{control}`) it {ended['random']}; unchanged it {ended['unchanged']}.\n"
    )


def _ended(treatment: dict[str, str]) -> str:
    failures = ", ".join(treatment["failures_after"].split(";"))
    return f"still ends with {failures}" if failures else "ends well"


def _treatment(folder: Path, arm: str) -> dict[str, str]:
    with (folder / "treatments.csv").open(encoding="utf-8", newline="") as file:
        return next(row for row in csv.DictReader(file) if row["arm"] == arm)


def _seconds(shown: Sequence[Section]) -> str:
    """A table of how long each command took."""
    head = "| | failure, seconds | cure, seconds |\n|---|---|---|\n"
    rows = [
        f"| `{s.name}` | {s.cache.seconds(s.run):.0f} | {' + '.join(f'{s.cache.seconds(c):.0f}' for c in s.cures)} |"
        for s in shown
    ]
    return head + "\n".join(rows) + "\n"


def _fill(page: str, name: str, text: str) -> str:
    """The page with `text` between the mark `name` and the next end mark."""
    mark = f"<!-- {name} -->"
    before, found, rest = page.partition(mark)
    _, end, after = rest.partition("<!-- end -->")
    if not found or not end:
        raise SystemExit(f"{PAGE}: no {mark} … <!-- end -->")
    return f"{before}{mark}\n{text}{end}{after}"


def _value_after(command: str, option: str) -> str:
    words = shlex.split(command)
    return words[words.index(option) + 1]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    main()
