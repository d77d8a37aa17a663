"""What a plugin's project consists of: its kinds of components, and its files as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jinja2

from ..errors import RequestError, did_you_mean
from ..hookspecs import HOOKS
from .names import check_name, component_of, package_of

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
