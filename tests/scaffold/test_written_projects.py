"""A project that `ganbench new-plugin` writes installs, is found, and passes its tests and the contract checks."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ganbench.contract.hooks import HOOKS
from ganbench.registry.registry import load_registry
from ganbench.scaffold.project import Project, write_project
from ganbench.suite.parse import parse_suite

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "plugins" / "ganbench-example"

pytestmark = pytest.mark.timeout(600)  # several processes, each with seconds of imports


def texts_in(folder: Path) -> dict[str, bytes]:
    """The files of a project, without hidden ones and caches."""
    ignored = re.compile(r"(^|/)(\.|__pycache__)")
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not ignored.search(name)}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> dict[str, subprocess.CompletedProcess[str]]:
    """Run `list`, `check` and pytest on a project with a component of each kind, installed as a wheel."""
    place = tmp_path_factory.mktemp("plugin")
    project, site = place / "ganbench-of-all-kinds", place / "site"
    write_project(Project.create(project.name, tuple(HOOKS)), project, load_registry())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps"]
    line = [*pip, "--no-build-isolation", "--target", str(site), str(project)]
    subprocess.run(line, check=True, capture_output=True)
    # One thread each: they run concurrently, since each needs seconds for its imports.
    variables = {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}

    def run(arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", *arguments]
        environment = {**os.environ, **variables}
        return subprocess.run(line, cwd=project, env=environment, capture_output=True, text=True, check=False)

    lines = {
        "list": ("ganbench", "list", "--json"),
        "check": ("ganbench", "check", project.name, "--json"),
        # Of the contract checks those of the loss alone: `check` runs all.
        "pytest": ("pytest", "-k", "loss or not contract", "-p", "no:cacheprovider"),
    }
    with ThreadPoolExecutor() as pool:
        return dict(zip(lines, pool.map(run, lines.values()), strict=True))


def test_a_component_of_each_kind_is_listed_with_its_distribution(outputs):
    assert outputs["list"].returncode == 0, outputs["list"].stderr
    mine = [entry for entry in json.loads(outputs["list"].stdout) if entry["distribution"] == "ganbench-of-all-kinds"]
    assert [(entry["kind"], entry["name"]) for entry in mine] == [(kind, "of-all-kinds") for kind in HOOKS]
    assert all(entry["summary"] and entry["error"] is None for entry in mine)


def test_every_component_passes_the_contract_checks(outputs):
    assert outputs["check"].returncode == 0, outputs["check"].stdout + outputs["check"].stderr
    outcomes = json.loads(outputs["check"].stdout)
    assert {outcome["component"] for outcome in outcomes} == {f"{kind}/of-all-kinds" for kind in HOOKS}
    assert {outcome["status"] for outcome in outcomes} <= {"passed", "skipped"}


def test_its_own_tests_pass(outputs):
    assert outputs["pytest"].returncode == 0, outputs["pytest"].stdout
    passed = re.search(r"(\d+) passed", outputs["pytest"].stdout)
    assert passed and int(passed[1]) > 30  # of behaviour, and of the contract


def test_the_example_plugin_is_what_the_command_writes():
    written = Project("ganbench-example", ("loss",)).files()
    assert texts_in(EXAMPLE) == {path: text.encode() for path, text in written.items()}


@pytest.mark.parametrize("kind", HOOKS)
def test_a_project_of_each_kind_alone_can_be_imported(kind, tmp_path, monkeypatch):
    name = f"ganbench-only-{kind}"
    write_project(Project.create(name, (kind,)), tmp_path / name, load_registry())
    monkeypatch.syspath_prepend(str(tmp_path / name))
    package = importlib.import_module(name.replace("-", "_"))
    (component,) = getattr(package, HOOKS[kind])()
    assert component.name == f"only-{kind}"
    module, _, build = component.build.partition(":")
    assert getattr(importlib.import_module(module), build).__doc__


@pytest.mark.parametrize("kind", HOOKS)
def test_the_readme_shows_a_suite_that_can_be_read(kind):
    readme = Project.create("mine", (kind,)).files()["README.md"]
    (suite,) = re.findall(r"^```toml\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert len(parse_suite(tomllib.loads(suite), Path("mine.toml")).methods) == 2


def test_written_code_is_linted_and_formatted_as_this_repository(tmp_path):
    kinds = [(kind,) for kind in HOOKS] + [tuple(HOOKS), ("loss", "suite"), ("dataset", "metric", "executor")]
    for i, chosen in enumerate(kinds):
        write_project(Project.create(f"zz-{i}-gan", chosen), tmp_path / str(i), load_registry())
    longest = "ganbench-" + "a" * 36
    write_project(Project.create(longest, tuple(HOOKS)), tmp_path / longest, load_registry())
    for check in (("check",), ("format", "--diff")):
        line = [sys.executable, "-m", "ruff", *check, "--no-cache", "--config", "pyproject.toml", str(tmp_path)]
        result = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout


def test_the_order_of_kinds_and_repeated_kinds_make_no_difference():
    one, other = (Project.create("mine", kinds) for kinds in (["dataset", "loss"], ["loss", "dataset", "loss"]))
    assert one == other and one.files() == other.files()
