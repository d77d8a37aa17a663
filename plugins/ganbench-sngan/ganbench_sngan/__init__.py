"""SNGAN (Miyato et al. 2018): its residual generator and discriminator, and a suite on CIFAR-10."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import ganbench


@ganbench.hookimpl
def ganbench_generators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("sngan", "ganbench_sngan.generator:SNGANGenerator")


@ganbench.hookimpl
def ganbench_discriminators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("sngan", "ganbench_sngan.discriminator:SNGANDiscriminator")


@ganbench.hookimpl
def ganbench_suites() -> Iterator[ganbench.Component]:
    yield ganbench.Component("sngan-cifar", partial(Path, Path(__file__).with_name("sngan-cifar.toml")))
