"""Checks in environments of their own: `nox` runs all of them, `nox -s lint` one, `nox -s tests-3.12` one Python.

Arguments after `--` go to pytest: `nox -s lowest -- tests/suite`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import nox
from packaging.requirements import Requirement
from packaging.version import Version

PYTHONS = ["3.11", "3.12", "3.13"]
PLUGINS = ["ganbench-example", "ganbench-vision", "ganbench-sngan", "ganbench-pacgan", "ganbench-slurm"]
TRACKERS = "ganbench-trackers"
TRACKERS_CLICK = "click>=8.2"  # wandb needs it, ganbench does not
# Old versions meet newer versions of what they depend on, which deprecate what they call.
FOREIGN_DEPRECATIONS = ("-W", "ignore::DeprecationWarning")

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests with the newest versions of what ganbench depends on."""
    session.install("-e", ".[test]", *_editable(PLUGINS), "-e", f"plugins/{TRACKERS}[test]")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest versions that the pyproject files claim, on the lowest Python."""
    constraints = _constraints_file(session, _claims(PLUGINS))
    session.install("-c", constraints, "-e", ".[test]", *_editable(PLUGINS))
    session.run("pytest", *FOREIGN_DEPRECATIONS, f"--ignore=plugins/{TRACKERS}", *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest_trackers(session: nox.Session) -> None:
    """Run the tests of the trackers with the lowest versions that they claim."""
    constraints = _constraints_file(session, [*_claims([TRACKERS]), TRACKERS_CLICK])
    session.install("-c", constraints, "-e", ".[test]", "-e", f"plugins/{TRACKERS}[test]")
    session.run("pytest", *FOREIGN_DEPRECATIONS, f"plugins/{TRACKERS}", *session.posargs)


@nox.session(python=PYTHONS[0])
def ray(session: nox.Session) -> None:
    """Run the tests of ganbench-ray, the slow ones too, on a cluster of two nodes on this machine."""
    session.install("-e", ".[test]", "-e", "plugins/ganbench-ray[test]")
    session.run("pytest", "-n", "0", "-m", "slow or not slow", "plugins/ganbench-ray", *session.posargs)


@nox.session(python=PYTHONS[0])
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=PYTHONS[0])
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    session.install("-e", ".[test]")
    session.run("mypy")


@nox.session(python=PYTHONS[0])
def layers(session: nox.Session) -> None:
    """Check that every stage imports only earlier ones."""
    session.install("-e", ".[test]")
    session.run("lint-imports")


def lowest_versions(requirements: Iterable[str]) -> list[str]:
    """Return pip constraints that pin each requirement to its lower bound; of several bounds, to the highest."""
    lowest: dict[str, Version] = {}
    for requirement in map(Requirement, requirements):
        for bound in requirement.specifier:
            if bound.operator in (">=", "==", "~="):
                name, version = _normalized(requirement.name), Version(bound.version)
                lowest[name] = max(version, lowest.get(name, version))
    return [f"{name}=={version}" for name, version in sorted(lowest.items())]


def _constraints_file(session: nox.Session, requirements: Iterable[str]) -> str:
    path = Path(session.create_tmp()) / "lowest.txt"
    path.write_text("\n".join(lowest_versions(requirements)) + "\n", encoding="utf-8")
    return str(path)


def _claims(plugins: Iterable[str]) -> list[str]:
    """Requirements of ganbench, of its tests and of plugins, extras included."""
    root = Path(__file__).parent
    projects = [_project(root), *(_project(root / "plugins" / plugin) for plugin in plugins)]
    extras = [extra for project in projects for extra in project.get("optional-dependencies", {}).values()]
    return [claim for claims in [*(project["dependencies"] for project in projects), *extras] for claim in claims]


def _project(folder: Path) -> dict:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _editable(plugins: Iterable[str]) -> list[str]:
    return [argument for plugin in plugins for argument in ("-e", f"plugins/{plugin}")]


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
