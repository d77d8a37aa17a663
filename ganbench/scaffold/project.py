"""The project of a new plugin: a valid name, its files rendered from templates, and writing them all or none."""

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

from ..contract.errors import RequestError, StorageError, did_you_mean
from ..contract.files import DISK_IS_FULL
from ..contract.hooks import HOOKS
from ..registry.registry import Registry

PREFIX = "ganbench-"
MAX_NAME_CHARS = 36  # of a component's name, which is shown in the tables of a report
NAME_PATTERN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

TEMPLATES = Path(__file__).parent / "templates"
COMMON_FILES = ("pyproject.toml", "README.md", "package/__init__.py", "tests/test_contract.py")
EXTRA_FILES = {"suite": ("package/suite.toml",)}  # of a kind, beside its module and its test


# --- names -------------------------------------------------------------------------------------------


def package_name(name: str) -> str:
    """Return the module that a distribution's code is imported from."""
    return name.replace("-", "_")


def component_name(name: str) -> str:
    """Return the name of the plugin's components in suites."""
    return name.removeprefix(PREFIX)


def check_name(name: str) -> None:
    """Raise RequestError, which suggests a valid name, if `name` cannot be a distribution's or its module's."""
    if why := _why_invalid(name):
        raise RequestError(f"{name!r} cannot be a plugin's name: {why}; try {_suggest_name(name)!r}")


def _why_invalid(name: str) -> str | None:
    if not NAME_PATTERN.fullmatch(name):
        return "use lower-case letters, digits and single dashes, a letter first"
    if len(component_name(name)) > MAX_NAME_CHARS:
        return f"{len(component_name(name))} characters, and tables have room for {MAX_NAME_CHARS}"
    package = package_name(name)
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        return f"{package!r} is a keyword of Python"
    if package == "tests":
        return "the project's own tests are in a folder of that name"
    spec = importlib.util.find_spec(package)
    if spec is not None:
        place = f" ({spec.origin})" if spec.origin else ""
        return f"there is a module {package!r} already{place}"
    return None


def _suggest_name(name: str) -> str:
    """Return a valid name that is close to an invalid one."""
    words = "-".join(re.findall(r"[a-z0-9]+", name.lower()))[:MAX_NAME_CHARS].rstrip("-")
    close = [words, f"{words}-plugin"] if words.startswith("ganbench") else [words, PREFIX + words]
    return next((candidate for candidate in close if _why_invalid(candidate) is None), f"{PREFIX}mine")


# --- files -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Project:
    """A plugin's project.

    Attributes:
        name: Of the distribution.
        kinds: Kinds of components, in the order of the hooks; the project has one component of each.
    """

    name: str
    kinds: tuple[str, ...]

    @classmethod
    def create(cls, name: str, kinds: Sequence[str]) -> Project:
        """Return the project; raise RequestError if the name is invalid or a kind is unknown."""
        check_name(name)
        for kind in kinds:
            if kind not in HOOKS:
                raise RequestError(f"no kind of component is called {kind!r}; {did_you_mean(kind, HOOKS)}")
        return cls(name, tuple(kind for kind in HOOKS if kind in kinds))

    @property
    def component(self) -> str:
        return component_name(self.name)

    @property
    def package(self) -> str:
        return package_name(self.name)

    @cached_property
    def contents(self) -> str:
        """Its components in words: "a loss and a dataset"."""
        if len(self.kinds) > 4:
            return f"components of {len(self.kinds)} kinds"
        *most, last = [_with_article(kind) for kind in self.kinds]
        return f"{', '.join(most)} and {last}" if most else last

    def files(self) -> dict[str, str]:
        """Return the text of every file by its path in the project; the same for the same name and kinds."""
        templates = list(COMMON_FILES)
        for kind in self.kinds:
            templates += [f"package/{kind}.py", *EXTRA_FILES.get(kind, ()), f"tests/test_{kind}.py"]
        return {self._path_of(template): self._render(template) for template in templates}

    def _path_of(self, template: str) -> str:
        """Return the path in the project of the file that a template is for."""
        folder, _, file = template.rpartition("/")
        if folder == "package":
            return f"{self.package}/{file}"
        if folder == "tests":  # named after the plugin: tests of several plugins may run together
            return f"tests/test_{package_name(self.component)}_{file.removeprefix('test_')}"
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


def _with_article(kind: str) -> str:
    if kind == "features":  # a plural
        return kind
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


# --- writing -----------------------------------------------------------------------------------------


def write_project(project: Project, folder: Path, registry: Registry) -> list[Path]:
    """Write the files of a project, all or none.

    Args:
        project: What to write.
        folder: Created if it does not exist; otherwise it has to be empty.
        registry: Its plugins and components must not have the project's names.

    Returns:
        The paths of the files.

    Raises:
        RequestError: If the folder is not empty or cannot be written, or if a name is taken.
        StorageError: If the disk is full.
    """
    _check_clashes(project, registry)
    try:
        target = folder.resolve()
        if target.exists() and not target.is_dir():
            raise RequestError(f"{folder} is a file; give another folder with --output")
        if target.exists() and any(target.iterdir()):
            raise RequestError(f"folder {folder} is not empty; give another with --output")
        _write_files(project.files(), target)
    except OSError as error:
        why = f"folder {folder} cannot be written: {error.strerror}"
        if error.errno in DISK_IS_FULL:
            raise StorageError(f"{why}; make room there, or give another with --output") from error
        raise RequestError(f"{why}; give another with --output") from error
    return [folder / path for path in project.files()]


def _check_clashes(project: Project, registry: Registry) -> None:
    """Raise RequestError if a plugin or a component has one of the project's names."""
    for kind in project.kinds:
        for entry in registry.entries(kind):
            if entry.name == project.component:
                line = f"there is a {kind} called {entry.name!r} already, of {entry.origin}"
                raise RequestError(f"{line}; try 'my-{entry.name}'")
    taken = registry.plugins.origins.get(project.component)
    if taken is not None:
        raise RequestError(f"there is a plugin called {project.component!r} already, of {taken}; give another name")


def _write_files(files: dict[str, str], target: Path) -> None:
    """Write into a hidden draft folder and move it, so that `target` never holds a part of the files."""
    target.parent.mkdir(parents=True, exist_ok=True)
    name = f".{target.name}.{os.getpid()}.part"
    draft = target / name if target.exists() else target.with_name(name)
    try:
        for path, text in files.items():
            place = draft / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.encode("utf-8"))
        if target.exists():  # empty, and perhaps a working directory: keep the folder itself
            for part in draft.iterdir():
                part.replace(target / part.name)
        else:
            draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
