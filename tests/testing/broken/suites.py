"""Suites, each with one defect that its name states: files in the folder beside this one."""

from functools import partial
from pathlib import Path

import ganbench

FOLDER = Path(__file__).with_name("suites")


@ganbench.hookimpl
def ganbench_suites():
    yield ganbench.Component("a-text", lambda: str(FOLDER / "sound.toml"))
    yield ganbench.Component("lost", partial(Path, FOLDER / "lost.toml"))
    yield ganbench.Component("renamed", partial(Path, FOLDER / "sound.toml"))
    for file in sorted(FOLDER.glob("*.toml")):
        yield ganbench.Component(file.stem, partial(Path, file))
