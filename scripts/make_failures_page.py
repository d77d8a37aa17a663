"""Runs the commands that docs/failures.md shows, and writes their output into it.

    python scripts/make_failures_page.py [FOLDER]

Every `sh` block of a section is run in FOLDER (a temporary one by default). The text between `<!-- name -->` and
`<!-- end -->` is replaced by the output, and the pictures in docs/failures/ are drawn again. In a FOLDER that an earlier
call has filled, commands that are done are not run again.
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

MOMENTS = {"oscillation": (0.85, 0.9, 0.95, 1.0)}  # of the steps done, at which samples are shown: here, neighbours
USUAL_MOMENTS = (0.05, 0.25, 0.5, 1.0)
RAW = {  # signals that are evidence as they were measured
    "nearest_training": "how near generated samples lie to training data, over how near held-out data does",
    "logit_max": "largest absolute logit",
}
LINES = 12  # of evidence


@dataclass(frozen=True)
class Workplace:
    """A folder in which the page's commands are carried out, each once."""

    folder: Path

    def said(self, command: str) -> str:
        """What a command says on standard output."""
        return str(self._carried_out(command)["said"])

    def seconds(self, command: str) -> float:
        """How long it took."""
        return float(self._carried_out(command)["seconds"])

    def _carried_out(self, command: str) -> dict[str, Any]:
        known = self.folder / "commands.json"
        done = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
        if command not in done:
            done[command] = self._carry_out(command)
            known.write_text(json.dumps(done, indent=1), encoding="utf-8")
        return dict(done[command])

    def _carry_out(self, command: str) -> dict[str, Any]:
        print(f"$ {command}", flush=True)  # noqa: T201
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        began = time.perf_counter()
        ended = subprocess.run(
            shlex.split(command), cwd=self.folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        if ended.returncode:
            raise SystemExit(f"{command}\n{ended.stdout}{ended.stderr}ended with {ended.returncode}")
        return {"said": ended.stdout, "seconds": time.perf_counter() - began}


@dataclass(frozen=True)
class Section:
    """A section of the page: a failure, or the healthy run, and the commands shown."""

    name: str
    commands: Sequence[str]
    work: Workplace

    @property
    def run(self) -> str:
        """The command that makes it happen."""
        return self.commands[0]

    @property
    def cures(self) -> Sequence[str]:
        """The commands that are to fix it, the best one last; the healthy run needs none."""
        return self.commands[1:]

    @cached_property
    def failed(self) -> Shown:
        """The run that failed."""
        return Shown(self.work.folder / _after(self.run, "--output"), self.work)

    @cached_property
    def cured(self) -> Sequence[Shown]:
        """The run with each of its cures."""
        return [self._with(cure) for cure in self.cures]

    def _with(self, cure: str) -> Shown:
        self.work.said(cure)
        if not cure.startswith("ganbench treat"):
            return Shown(self.work.folder / _after(cure, "--output"), self.work)
        folder = self.work.folder / shlex.split(cure)[2] / "treat"
        return Shown(folder, self.work, _treatment(folder, "recommended")["treated"])


@dataclass(frozen=True)
class Shown:
    """A stored trial, the only one of its folder unless named."""

    folder: Path
    work: Workplace
    trial_id: str | None = None

    @cached_property
    def result(self) -> ganbench.TrialResult:
        """As it is stored, without its arrays."""
        results, damaged = Store(self.folder).results()
        wanted = [result for result in results if self.trial_id in (None, result.trial.id)]
        if damaged or len(wanted) != 1:
            raise SystemExit(f"{self.folder}: one trial is expected, and there are {len(wanted)}; {damaged}")
        return wanted[0]

    @cached_property
    def history(self) -> ganbench.History:
        """Its signals; of a run that broke before it was looked at a second time, step by step."""
        stored = read_history(self.folder / "trials" / self.result.trial.id)
        if len(stored.columns["step"]) > 1:
            return stored
        steps = range(1, self.result.steps + 1)
        rows = [self._trained(step).history.columns for step in steps]
        return ganbench.History(
            {name: np.concatenate([row[name][-1:] for row in rows]) for name in rows[0]}, stored.steps
        )

    def finding(self, diagnosis: str) -> ganbench.Finding | None:
        """What one diagnosis says of its state."""
        return next((f for f in self.result.findings if (f.diagnosis, f.horizon) == (diagnosis, "now")), None)

    def frames(self, moments: Sequence[float]) -> list[pictures.Frame]:
        """What G made at `moments`, shares of the steps done: trained again as far, which leads to the same weights."""
        return [self._frame(max(1, round(moment * self.result.steps))) for moment in moments]

    def _frame(self, step: int) -> pictures.Frame:
        trial = self.result.trial
        known = self.work.folder / f"{trial.id}-{step}.npz"
        if not known.exists():
            artifacts = self._trained(step)
            if step == self.result.steps and self.result.status == "done":
                self._check(artifacts.weights)
            np.savez(known, samples=artifacts.samples, reals=artifacts.reals)
        arrays = np.load(known)
        return pictures.Frame(step, arrays["samples"], arrays["reals"])

    def _trained(self, step: int) -> ganbench.Artifacts:
        """What the trial has come to after `step` steps. Looking at it less changes nothing."""
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
        """Pictures are of the run that the page speaks of, or there are none."""
        from safetensors.numpy import load_file

        stored = load_file(self.folder / "trials" / self.result.trial.id / "weights.safetensors")
        if not all(np.array_equal(stored[name], weights[name]) for name in stored):
            raise SystemExit(f"{self.result.trial.id}: trained again, it ends elsewhere; give a FOLDER of its own")


def main() -> None:
    """Run, draw and write."""
    if sys.argv[1:]:
        Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        make(Path(sys.argv[1]).resolve())
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))


def make(folder: Path) -> None:
    """Carry the page's commands out in `folder`, draw its pictures, and write what was said into it."""
    if not (folder / "docs").exists():
        (folder / "docs").symlink_to(ROOT / "docs")  # the suite file of a cure goes by its place in the repository
    page = PAGE.read_text(encoding="utf-8")
    shown = [Section(name, commands, Workplace(folder)) for name, commands in sections(page)]
    for section in shown:
        section.work.said(section.run)
        _draw(section)
        page = _filled(page, f"verdict: {section.name}", _verdict(section))
        if section.cures:
            page = _filled(page, f"cure: {section.name}", _cure(section))
    page = _filled(page, "seconds", _seconds(shown))
    PAGE.write_text(page, encoding="utf-8")


def sections(page: str) -> Iterator[tuple[str, list[str]]]:
    """Each section that is called after a verdict, and the lines of its `sh` blocks."""
    for name, text in re.findall(r"^## `([a-z-]+)`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL):
        blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        yield name, [line for block in blocks for line in block.splitlines()]


def _draw(section: Section) -> None:
    charts = pictures.CHARTS[section.name]
    moments = MOMENTS.get(section.name, USUAL_MOMENTS)
    for shown, name in zip(
        (section.failed, *section.cured[-1:]), (section.name, f"{section.name}-cured"), strict=False
    ):
        found = shown.finding(section.name)
        onset = found.onset_step if found else None
        pictures.draw(shown.frames(moments), shown.history, charts, onset, PICTURES / f"{name}.png")


def _verdict(section: Section) -> str:
    """What `ganbench diagnose` prints, and the evidence of the finding that the section is about."""
    diagnose = f"ganbench diagnose {_after(section.run, '--output')}"
    text = f"```console\n$ {diagnose}\n{section.work.said(diagnose)}```\n"
    found = section.failed.finding(section.name)
    if found is None or not found.evidence:
        return text
    rows = [
        f"| `{name}` | {(DESCRIPTIONS | RAW).get(name, '')} | {_spoken(read.value)} | {_spoken(read.threshold)} |"
        for name, read in list(found.evidence.items())[:LINES]
    ]
    head = "| evidence | what it is | here | bound |\n|---|---|---|---|\n"
    return f"{text}\nConfidence {found.confidence:g}.\n\n{head}" + "\n".join(rows) + "\n"


def _cure(section: Section) -> str:
    """What came of each cure: by the ground truth where a treatment was judged by it, and by the verdict."""
    return "\n".join(_came_of(cure, cured) for cure, cured in zip(section.cures, section.cured, strict=True))


def _came_of(cure: str, cured: Shown) -> str:
    verdicts = ", ".join(f"`{verdict}`" for verdict in cured.result.verdicts)
    if not cure.startswith("ganbench treat"):
        return f"The verdict of `{cured.folder.name}` is {verdicts}.\n"
    ended = {arm: _ended(_treatment(cured.folder, arm)) for arm in ("recommended", "random", "unchanged")}
    tip = _treatment(cured.folder, "random")["remedy"]
    return (
        f"With the recommended remedy the run {ended['recommended']}, by the ground truth; its verdict is {verdicts}. "
        f"With a tip drawn at random (`{tip}`) it {ended['random']}; unchanged it {ended['unchanged']}.\n"
    )


def _ended(treatment: dict[str, str]) -> str:
    failures = ", ".join(treatment["failures_after"].split(";"))
    return f"still ends with {failures}" if failures else "ends well"


def _treatment(folder: Path, arm: str) -> dict[str, str]:
    with (folder / "treatments.csv").open(encoding="utf-8", newline="") as file:
        return next(row for row in csv.DictReader(file) if row["arm"] == arm)


def _seconds(shown: Sequence[Section]) -> str:
    """How long each command took."""
    head = "| | failure, seconds | cure, seconds |\n|---|---|---|\n"
    rows = [
        f"| `{s.name}` | {s.work.seconds(s.run):.0f} | {' + '.join(f'{s.work.seconds(c):.0f}' for c in s.cures)} |"
        for s in shown
    ]
    return head + "\n".join(rows) + "\n"


def _filled(page: str, name: str, text: str) -> str:
    """The page with `text` between the marks called `name`."""
    mark = f"<!-- {name} -->"
    before, found, rest = page.partition(mark)
    _, end, after = rest.partition("<!-- end -->")
    if not found or not end:
        raise SystemExit(f"{PAGE}: no {mark} … <!-- end -->")
    return f"{before}{mark}\n{text}{end}{after}"


def _after(command: str, option: str) -> str:
    words = shlex.split(command)
    return words[words.index(option) + 1]


def _spoken(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    main()
