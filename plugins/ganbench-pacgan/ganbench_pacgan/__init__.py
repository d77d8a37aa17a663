"""PacGAN (Lin, Khetan, Fanti and Oh 2018, https://arxiv.org/abs/1712.04086): packing, its networks, its protocols."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import ganbench


@ganbench.hookimpl
def ganbench_generators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("pacgan-mlp", "ganbench_pacgan.mlp:PacGANGenerator")
    yield ganbench.Component("pacgan-dcgan", "ganbench_pacgan.dcgan:DCGANGenerator")


@ganbench.hookimpl
def ganbench_discriminators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("packed", "ganbench_pacgan.packed:Packed")
    yield ganbench.Component("maxout", "ganbench_pacgan.maxout:MaxoutDiscriminator")
    yield ganbench.Component("pacgan-dcgan", "ganbench_pacgan.dcgan:DCGANDiscriminator")


@ganbench.hookimpl
def ganbench_suites() -> Iterator[ganbench.Component]:
    for file in sorted((Path(__file__).parent / "suites").glob("*.toml")):
        yield ganbench.Component(file.stem, partial(Path, file))
