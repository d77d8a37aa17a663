"""What `ganbench check` and `ganbench.testing.cases` are told to check, and what they answer where there is nothing."""

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


def test_a_name_goes_before_a_folder_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "ganbench").mkdir()
    monkeypatch.chdir(tmp_path)
    assert {candidate.entry.origin.distribution for candidate in select_candidates(["ganbench"])} == {"ganbench"}


def test_components_are_meant_by_name_kind_and_distribution():
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
def test_anything_else_is_answered_in_one_line(name, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "data.bin").write_bytes(b"\0")
    (tmp_path / "nothing.py").write_text("import ganbench\n")
    with pytest.raises(RequestError) as refused:
        select_candidates([name])
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_options_for_a_component_that_is_not_meant_are_refused():
    with pytest.raises(RequestError, match=r"options are given for 'loss/hing'.*did you mean 'loss/hinge'"):
        select_candidates(["hinge"], {"loss/hing": {}})


def test_a_component_that_cannot_be_imported_fails_once(tmp_path: Path):
    path = tmp_path / "lost.py"
    path.write_text(PLUGIN.format(build="gone_for_good:X"))
    (candidate,) = select_candidates([str(path)])
    (outcome,) = run_checks(candidate)
    assert (outcome.check, outcome.status) == ("can-be-imported", "failed")
    assert "No module named 'gone_for_good'" in outcome.message
