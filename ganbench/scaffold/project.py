"""Names that a plugin can have: a distribution's name whose module hides no other.

What a plugin's project consists of: its kinds of components, and its files as text.

A project put into a folder whole, or not at all.
"""

from __future__ import annotations

import importlib.util
import keyword
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jinja2

from ..contract.errors import RequestError, did_you_mean
from ..contract.hooks import HOOKS
from ..registry.registry import Registry

PREFIX = "ganbench-"
LONGEST = 36  # characters of a component's name, which stands in the tables of a report
_PATTERN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def package_of(name: str) -> str:
    """The module that a distribution's code is imported from."""
    return name.replace("-", "_")


def component_of(name: str) -> str:
    """What a suite calls the plugin's components."""
    return name.removeprefix(PREFIX)


def check_name(name: str) -> None:
    """Raises RequestError, with a name that would do, where `name` can be no distribution's or its module no plugin."""
    if why := _fault(name):
        raise RequestError(f"{name!r} cannot be a plugin's name: {why}; try {_corrected(name)!r}")


def _fault(name: str) -> str | None:
    if not _PATTERN.fullmatch(name):
        return "use lower-case letters, digits and single dashes, a letter first"
    if len(component_of(name)) > LONGEST:
        return f"{len(component_of(name))} characters, and tables have room for {LONGEST}"
    package = package_of(name)
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        return f"{package!r} is a word of the Python language"
    if package == "tests":
        return "the project's tests are in a folder of that name"
    spec = importlib.util.find_spec(package)
    if spec is not None:
        place = f" ({spec.origin})" if spec.origin else ""
        return f"there is a module {package!r} already{place}"
    return None


def _corrected(name: str) -> str:
    """The name with what is wrong put right; of several ways the first that does."""
    words = "-".join(re.findall(r"[a-z0-9]+", name.lower()))[:LONGEST].rstrip("-")
    own = [words, f"{words}-plugin"] if words.startswith("ganbench") else [words, PREFIX + words]
    return next((candidate for candidate in own if _fault(candidate) is None), f"{PREFIX}mine")


TEMPLATES = Path(__file__).parent / "templates"
COMMON = ("pyproject.toml", "README.md", "package/__init__.py", "tests/test_contract.py")
DATA_OF = {"suite": ("package/suite.toml",)}  # files of a kind beside its module and its test


@dataclass(frozen=True)
class Project:
    """A plugin's project by name, with one component of each of `kinds`, in the order of the hooks."""

    name: str
    kinds: tuple[str, ...]

    @classmethod
    def asked_for(cls, name: str, kinds: Sequence[str]) -> Project:
        """Raises RequestError for a name that cannot be a plugin's, and for a kind that is none."""
        check_name(name)
        for kind in kinds:
            if kind not in HOOKS:
                raise RequestError(f"no kind of component is called {kind!r}; {did_you_mean(kind, HOOKS)}")
        return cls(name, tuple(kind for kind in HOOKS if kind in kinds))

    @property
    def component(self) -> str:
        return component_of(self.name)

    @property
    def package(self) -> str:
        return package_of(self.name)

    @cached_property
    def offer(self) -> str:
        """What it brings along, in words: "a loss and a dataset"."""
        if len(self.kinds) > 4:
            return f"components of {len(self.kinds)} kinds"
        *most, last = [f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" for kind in self.kinds]
        return f"{', '.join(most)} and {last}" if most else last

    def files(self) -> dict[str, str]:
        """The text of every file by its path in the project; the same bytes for the same name and kinds."""
        templates = list(COMMON)
        for kind in self.kinds:
            templates += [f"package/{kind}.py", *DATA_OF.get(kind, ()), f"tests/test_{kind}.py"]
        return {self._path_of(template): self._render(template) for template in templates}

    def _path_of(self, template: str) -> str:
        """Templates lie as the files will, under names that hold for every project."""
        folder, _, file = template.rpartition("/")
        if folder == "package":
            return f"{self.package}/{file}"
        if folder == "tests":  # a name of its own: tests of several plugins may run together
            return f"tests/test_{package_of(self.component)}_{file.removeprefix('test_')}"
        return file

    def _render(self, template: str) -> str:
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        return environment.get_template(f"{template}.jinja").render(project=self, hooks=HOOKS)


def write_project(project: Project, folder: Path, registry: Registry) -> list[Path]:
    """Write the files of `project` into `folder`, which is made where it is not there; returns their paths.

    Raises RequestError, and writes nothing, where the folder holds something or cannot be written, and where `registry`
    knows a plugin or a component by one of the project's names.
    """
    _check_clashes(project, registry)
    try:
        target = folder.resolve()
        if target.exists() and not target.is_dir():
            raise RequestError(f"{folder} is a file; give another folder with --output")
        if target.exists() and any(target.iterdir()):
            raise RequestError(f"folder {folder} is not empty; give another with --output")
        _write_whole(project.files(), target)
    except OSError as error:
        raise RequestError(f"folder {folder} cannot be written: {error.strerror}") from error
    return [folder / path for path in project.files()]


def _check_clashes(project: Project, registry: Registry) -> None:
    for kind in project.kinds:
        for entry in registry.entries(kind):
            if entry.name == project.component:
                line = f"there is a {kind} called {entry.name!r} already, of {entry.origin}"
                raise RequestError(f"{line}; try 'my-{entry.name}'")
    taken = registry.plugins.origins.get(project.component)
    if taken is not None:
        raise RequestError(f"there is a plugin called {project.component!r} already, of {taken}; give another name")


def _write_whole(files: dict[str, str], target: Path) -> None:
    """Everything goes into a hidden draft first, so that nothing half-written is ever seen in `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    name = f".{target.name}.{os.getpid()}.part"
    draft = target / name if target.exists() else target.with_name(name)
    try:
        for path, text in files.items():
            place = draft / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.encode("utf-8"))
        if target.exists():  # empty, and perhaps somebody's working directory: it stays the folder that it is
            for part in draft.iterdir():
                part.replace(target / part.name)
        else:
            draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
