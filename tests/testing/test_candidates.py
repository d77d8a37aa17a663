"""Selecting the components to check, as `ganbench check` and `ganbench.testing.cases` do."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganbench import RequestError
from ganbench.testing.candidate import select_candidates
from ganbench.testing.run_checks import run_checks

PLUGIN = """
import ganbench

@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("mine", "{build}")
"""


def test_a_distribution_takes_precedence_over_a_folder(tmp_path, monkeypatch):
    (tmp_path / "ganbench").mkdir()
    monkeypatch.chdir(tmp_path)
    assert {candidate.entry.origin.distribution for candidate in select_candidates(["ganbench"])} == {"ganbench"}


def test_components_are_selected_by_name_and_kind():
    assert [candidate.id for candidate in select_candidates(["hinge", "loss/hinge"])] == ["loss/hinge"]
    assert {candidate.id for candidate in select_candidates(["mlp"])} == {"generator/mlp", "discriminator/mlp"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hingo", "no component, distribution or file is called 'hingo'; did you mean 'hinge'?"),
        ("gone.py", "there is no file gone.py"),
        ("folder", "folder is a folder; give a plugin's .py file"),
        ("data.bin", "data.bin is no Python file"),
        ("folder/__init__.py", "is part of a package, which has to be installed"),
        ("nothing.py", "nothing.py offers no component"),
    ],
)
def test_an_unknown_name_is_an_error_of_one_line(name, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "data.bin").write_bytes(b"\0")
    (tmp_path / "nothing.py").write_text("import ganbench\n")
    with pytest.raises(RequestError) as refused:
        select_candidates([name])
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_options_for_a_component_that_is_not_selected_are_refused():
    with pytest.raises(RequestError, match=r"options are given for 'loss/hing'.*did you mean 'loss/hinge'"):
        select_candidates(["hinge"], {"loss/hing": {}})


def test_a_component_that_cannot_be_imported_fails_once(tmp_path: Path):
    path = tmp_path / "lost.py"
    path.write_text(PLUGIN.format(build="gone_for_good:X"))
    (candidate,) = select_candidates([str(path)])
    (outcome,) = run_checks(candidate)
    assert (outcome.check, outcome.status) == ("can-be-imported", "failed")
    assert "No module named 'gone_for_good'" in outcome.message


FETCHING = """
from pathlib import Path
import ganbench

class Fetching(ganbench.Dataset):
    spec = ganbench.DataSpec("points", (2,))

    def __init__(self, *, download: bool = False) -> None:
        if download:
            Path("fetched").write_text("from elsewhere")
        raise FileNotFoundError("points.bin is not there")

@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("fetching", Fetching)
"""


def test_a_check_downloads_nothing_and_says_what_is_not_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FETCHING)
    for options in ({}, {"download": True}):
        (candidate,) = select_candidates(["mine.py"], {"dataset/fetching": options})
        outcomes = list(run_checks(candidate))
        assert any("points.bin is not there" in outcome.message for outcome in outcomes)
        assert not (tmp_path / "fetched").exists()
