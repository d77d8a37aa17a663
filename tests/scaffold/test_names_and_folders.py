"""Invalid names, kinds and folders: exit code 2, one line with a valid alternative, and nothing is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ganbench.cli import main
from ganbench.contract.errors import RequestError, StorageError
from ganbench.registry.registry import load_registry
from ganbench.scaffold.project import Project, write_project


@pytest.fixture
def new_plugin(monkeypatch, capsys, tmp_path):
    """Call `ganbench new-plugin ARGUMENTS` in `tmp_path`; return its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ganbench", "new-plugin", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        output = capsys.readouterr()
        return int(end.value.code or 0), output.out, output.err

    return call


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["My Plugin"], "'My Plugin' cannot be a plugin's name: use lower-case letters, digits and single dashes"),
        (["My Plugin"], "try 'my-plugin'"),
        (["my_plugin"], "try 'my-plugin'"),
        (["my--plugin-"], "try 'my-plugin'"),
        (["3d-gan"], "a letter first; try 'ganbench-3d-gan'"),
        (["../elsewhere"], "try 'elsewhere'"),
        (["!!!"], "try 'ganbench-mine'"),
        (["x" * 60], "60 characters, and tables have room for 36; try"),
        (["class"], "'class' is a keyword of Python; try 'ganbench-class'"),
        (["torch"], "there is a module 'torch' already"),
        (["torch"], "try 'ganbench-torch'"),
        (["json"], "try 'ganbench-json'"),
        (["ganbench"], "there is a module 'ganbench' already"),
        (["tests"], "the project's own tests are in a folder of that name; try 'ganbench-tests'"),
        (["hinge"], "there is a loss called 'hinge' already, of ganbench "),
        (["ganbench-ring", "--kind", "loss", "--kind", "dataset"], "there is a dataset called 'ring' already"),
        (["mine", "--kind", "los"], "no kind of component is called 'los'; did you mean 'loss'?"),
        (["mine", "--output", "taken"], "folder taken is not empty; give another with --output"),
        (["mine", "--output", "afile"], "afile is a file"),
        (["mine", "--output", "afile/below"], "folder afile/below cannot be written"),
        ([], "Missing argument 'NAME'"),
    ],
)
def test_an_error_is_one_line_and_nothing_is_written(new_plugin, tmp_path, arguments, line):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").write_text("years of work")
    (tmp_path / "afile").write_text("mine")
    before = set(tmp_path.rglob("*"))
    code, _, errors = new_plugin(*arguments)
    assert code == 2
    assert line in errors.splitlines()[0]
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["My Plugin", "torch", "class", "x" * 60, "ganbench", "tests", "GAN_2", "2"])
def test_the_suggested_name_is_valid(name):
    with pytest.raises(RequestError, match=r"try '([a-z0-9-]+)'") as refused:
        Project.create(name, ("loss",))
    Project.create(str(refused.value).split("'")[-2], ("loss",))


def test_the_files_and_the_next_steps_are_printed(new_plugin, tmp_path):
    code, output, _ = new_plugin("mine", "--kind", "metric", "--kind", "executor", "--output", "a folder/of mine")
    assert code == 0
    first, *steps = output.splitlines()
    assert first.startswith("a folder/of mine: a metric and an executor called 'mine', 8 files.")
    assert [step.strip() for step in steps] == [
        "cd 'a folder/of mine'",
        "python -m pip install -e '.[test]'",
        "ganbench check mine && python -m pytest",
    ]
    assert (tmp_path / "a folder/of mine/mine/metric.py").is_file()


def test_an_empty_folder_is_filled_in_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_project(Project("mine", ("loss",)), Path(), load_registry())
    assert Path("pyproject.toml").is_file() and Path("mine/loss.py").is_file()
    assert not list(tmp_path.parent.glob(f".{tmp_path.name}*"))


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    written: list[Path] = []
    really = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        written.append(path)
        if len(written) == 4:
            raise OSError(28, "No space left on device")
        return really(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="cannot be written: No space left on device; make room there"):
        write_project(Project("mine", ("loss",)), tmp_path / "mine", load_registry())
    assert not list(tmp_path.iterdir())
