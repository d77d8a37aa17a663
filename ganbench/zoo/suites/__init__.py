"""The zoo's suites: the TOML files beside this one."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import ganbench


@ganbench.hookimpl
def ganbench_suites() -> Iterator[ganbench.Component]:
    for file in sorted(Path(__file__).parent.glob("*.toml")):
        yield ganbench.Component(file.stem, partial(Path, file))
