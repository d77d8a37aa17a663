"""A step of every network from a paper, as it is trained on CIFAR-10 or on waveforms, and the same step made small."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import ganbench
from ganbench.registry.registry import load_registry
from ganbench.training.data import DeviceDataset
from ganbench.training.game import GAN

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
CIFAR = ganbench.DataSpec("images", (3, 32, 32), value_range=(-1.0, 1.0), classes=10)
WAVES = ganbench.DataSpec("waveforms", (1, 8192), value_range=(-1.0, 1.0))
SHORT_WAVES = ganbench.DataSpec("waveforms", (1, 256), value_range=(-1.0, 1.0))
ADAM = {"lr": 2e-4, "betas": [0.0, 0.9], "eps": 1e-8, "weight_decay": 0.0}

Options = Mapping[str, Any]
SNGAN = "ganbench_sngan.generator:SNGANGenerator", "ganbench_sngan.discriminator:SNGANDiscriminator"


@dataclass(frozen=True)
class Recipe:
    """How a pair of networks is trained.

    Attributes:
        generator: A built-in generator, or `"module:name"`.
        discriminator: Likewise.
        g: Options of G at the published size.
        d: Those of D.
        small_g: Options that make G small.
        small_d: Those for D.
        loss: The loss.
        regularizers: Regularizers with their options.
        d_steps: Updates of D in a step.
        batch_size: Samples in a batch.
        waves: Whether the data are waveforms, not pictures.
    """

    generator: str
    discriminator: str
    g: Options = field(default_factory=dict)
    d: Options = field(default_factory=dict)
    small_g: Options = field(default_factory=lambda: {"width": 16})
    small_d: Options = field(default_factory=lambda: {"width": 16})
    loss: str = "hinge"
    regularizers: Mapping[str, Options] = field(default_factory=dict)
    d_steps: int = 1
    batch_size: int = 64
    waves: bool = False


CLASSES = {"conditional": True}
DIFFAUGMENT = {**CLASSES, "width": 256, "attention": False, "initialization": "normal"}
LAZY_R1 = {"r1": {"weight": 0.01, "every": 16}}
BOTH = {"r1": {"weight": 0.05}, "r2": {"weight": 0.05}}

RECIPES = {
    "sngan": Recipe(*SNGAN, d_steps=5),
    "sagan": Recipe("sagan", "sagan", CLASSES, CLASSES, d_steps=5),
    "biggan": Recipe("biggan", "biggan", CLASSES, CLASSES, d_steps=5),
    "biggan of DiffAugment": Recipe(
        "biggan",
        "biggan",
        {**DIFFAUGMENT, "hierarchical": False, "latent_dim": 128},
        DIFFAUGMENT,
        d_steps=4,
        batch_size=50,
    ),
    "stylegan2": Recipe("stylegan2", "stylegan2", loss="non-saturating", regularizers=LAZY_R1),
    "r3gan-small": Recipe("r3gan-small", "r3gan-small", loss="relativistic", regularizers=BOTH),
    "r3gan": Recipe("r3gan", "r3gan", CLASSES, CLASSES, loss="relativistic", regularizers=BOTH),
    "projected": Recipe("conv", "projected", small_d={"width": 4, "size": 128}),
    "patchgan": Recipe("conv", "patchgan", loss="least-squares"),
    "unet": Recipe("conv", "unet", loss="non-saturating"),
    "hifigan-period": Recipe(
        "mlp",
        "hifigan-period",
        small_d={"width": 2},
        loss="least-squares",
        batch_size=16,
        waves=True,
    ),
    "hifigan-scale": Recipe("mlp", "hifigan-scale", loss="least-squares", batch_size=16, waves=True),
}


def build_game(name: str, device: str, *, small: bool = False, **settings: Any) -> GAN:
    """Return a game of a recipe on random data; `settings` are of `ganbench.Training`.

    Raises FileNotFoundError if the network needs files that are not here.
    """
    recipe, registry = RECIPES[name], load_registry()
    data = CIFAR if not recipe.waves else SHORT_WAVES if small else WAVES
    torch.manual_seed(0)
    networks = []
    for kind, part, options, smaller in (
        ("generator", recipe.generator, recipe.g, recipe.small_g),
        ("discriminator", recipe.discriminator, recipe.d, recipe.small_d),
    ):
        given = {**options, **(smaller if small else {})}
        if ":" in part:
            networks.append(_load(part)(data, **given))
        else:
            networks.append(registry.build(kind, ganbench.ComponentRef(part, given), data))
    batch_size, d_steps = (4, 1) if small else (recipe.batch_size, recipe.d_steps)
    adam = ganbench.ComponentRef("adam", ADAM)
    training = ganbench.Training(10**6, batch_size, adam, adam, d_steps=d_steps, **settings)
    loss = registry.build("loss", ganbench.ComponentRef(recipe.loss))
    regularizers = {
        name: registry.build("regularizer", ganbench.ComponentRef(name, options))
        for name, options in recipe.regularizers.items()
    }
    x = torch.rand(max(64, batch_size), *data.shape) * 2 - 1
    labels = torch.arange(len(x)) % data.classes if data.classes else None
    dataset = DeviceDataset(ganbench.Batch(x, labels), data, torch.device(device))
    return GAN(*(network.to(device) for network in networks), loss, regularizers, dataset, training, seed=0)


def _load(place: str) -> Any:
    """Return what `"module:name"` names, of a plugin of this checkout too."""
    module, _, name = place.partition(":")
    root = module.partition(".")[0]
    folder = PLUGINS / root.replace("_", "-")
    if folder.is_dir() and str(folder) not in sys.path:
        sys.path.append(str(folder))
    return getattr(importlib.import_module(module), name)
