"""Image data sets through torchvision, features and a metric of MNIST's digits, and suites."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import ganbench


@ganbench.hookimpl
def ganbench_datasets() -> Iterator[ganbench.Component]:
    yield ganbench.Component("mnist", "ganbench_vision.mnist:Mnist")
    yield ganbench.Component("fashion-mnist", "ganbench_vision.mnist:FashionMnist")
    yield ganbench.Component("stacked-mnist", "ganbench_vision.mnist:StackedMnist")
    yield ganbench.Component("cifar-10", "ganbench_vision.cifar:Cifar10")
    yield ganbench.Component("cifar-100", "ganbench_vision.cifar:Cifar100")
    yield ganbench.Component("stl-10", "ganbench_vision.stl:Stl10")
    yield ganbench.Component("celeba", "ganbench_vision.celeba:CelebA")
    yield ganbench.Component("image-folder", "ganbench_vision.image_folder:ImageFolder")
    yield ganbench.Component("image-npz", "ganbench_vision.image_npz:ImageNpz")


@ganbench.hookimpl
def ganbench_features() -> Iterator[ganbench.Component]:
    yield ganbench.Component("mnist", "ganbench_vision.mnist_features:MnistFeatures")


@ganbench.hookimpl
def ganbench_metrics() -> Iterator[ganbench.Component]:
    yield ganbench.Component("mnist-modes", "ganbench_vision.mnist_modes:MnistModes")


@ganbench.hookimpl
def ganbench_suites() -> Iterator[ganbench.Component]:
    for file in sorted((Path(__file__).parent / "suites").glob("*.toml")):
        yield ganbench.Component(file.stem, partial(Path, file))
