"""docs/failures.md shows every failure: a command that works, pictures, a verdict and a cure."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ganbench.pipeline import Request, prepare
from ganbench.zoo.ground_truth.labels import FAILURES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "failures.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `([a-z-]+)`\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
MAX_PICTURE_BYTES = 64_000


def commands(section: str) -> list[list[str]]:
    return [
        shlex.split(line)
        for block in re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)
        for line in block.splitlines()
    ]


def planned(words: list[str]) -> set[tuple[str, str]]:
    """The data sets and methods of the trials that a `ganbench run` of the page would carry out."""
    given = dict(zip(words[2::2], words[3::2], strict=True))
    only = [value for name, value in zip(words[2::2], words[3::2], strict=True) if name == "--only"]
    suite = given["--suite"]
    steps = int(given["--steps"]) if "--steps" in given else None
    path = str(ROOT / suite) if suite.endswith(".toml") else suite
    seeds = int(given["--seeds"]) if "--seeds" in given else None
    request = Request(path, Path("nowhere"), only, seeds, steps, device="cpu")
    return {(trial.dataset, trial.method) for trial in prepare(request).todo}


def between(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", TEXT, re.DOTALL)
    assert found, f"no <!-- {name} --> … <!-- end -->"
    return found[1]


def test_every_failure_has_a_section_and_a_healthy_run_comes_first():
    assert list(SECTIONS) == ["healthy", *FAILURES]


@pytest.mark.parametrize("name", SECTIONS)
def test_its_command_makes_one_trial_of_the_failure_suite(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    first = commands(SECTIONS[name])[0]
    assert first[:4] == ["ganbench", "run", "--suite", "failures"]
    assert len(planned(first)) == 1


@pytest.mark.parametrize("name", FAILURES)
def test_its_cure_is_of_that_run_or_of_an_existing_suite(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run, *cures = commands(SECTIONS[name])
    assert cures
    for cure in cures:
        if cure[1] == "treat":
            assert cure[2] == run[run.index("--output") + 1]
        else:
            assert len(planned(cure)) == 1


@pytest.mark.parametrize("name", SECTIONS)
def test_its_pictures_exist_are_small_and_have_alternative_texts(name):
    shown = re.findall(r"!\[(.*?)\]\((.*?)\)", SECTIONS[name])
    wanted = [f"failures/{name}.png"] + ([f"failures/{name}-cured.png"] if name in FAILURES else [])
    assert [path for _, path in shown] == wanted
    for alt, path in shown:
        picture = PAGE.parent / path
        assert len(alt) > 40 and picture.stat().st_size < MAX_PICTURE_BYTES
        with Image.open(picture) as image:
            assert image.width >= 800


@pytest.mark.parametrize("name", SECTIONS)
def test_its_verdict_is_what_diagnose_prints(name):
    output = between(f"verdict: {name}")
    assert "$ ganbench diagnose results/" in output
    assert re.search(r"^\d+ findings? in 1 trial$", output, re.MULTILINE)


@pytest.mark.parametrize("name", FAILURES)
def test_it_has_the_textbook_explanation_and_the_outcome_of_the_cure(name):
    assert re.search(r"\*\*What the textbook says\.\*\*[^*]*\d{4}", SECTIONS[name])
    assert between(f"cure: {name}").strip()


def test_works_that_are_cited_are_listed():
    listed = TEXT.partition("## References")[2]
    for name, year in re.findall(
        r"([A-Z][\w-]+)(?: et\s+al\.| and [A-Z][\w-]+),?\s+\(?(\d{4})", TEXT.partition("## References")[0]
    ):
        assert re.search(rf"^- {name}\b.* {year}\.", listed, re.MULTILINE), f"{name} {year} is not among the references"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_one_command_makes_the_page(tmp_path):
    """On another machine figures may differ in their last digits: that the page is made is what is tested."""
    before = {path: path.read_bytes() for path in [PAGE, *PAGE.with_suffix("").glob("*.png")]}
    try:
        script = ROOT / "scripts" / "make_failures_page.py"
        subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, cwd=ROOT)
        assert set(before) == {PAGE, *PAGE.with_suffix("").glob("*.png")}
    finally:
        for path, content in before.items():
            path.write_bytes(content)
