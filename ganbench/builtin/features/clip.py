"""CLIP's image encoders, through torch-fidelity."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .pictures import PictureFeatures
from .weights import cached_file, require_weights


class Clip(PictureFeatures):
    """An image encoder of CLIP as torch-fidelity computes it (Radford et al. 2021, https://arxiv.org/abs/2103.00020).

    The published file is a TorchScript archive; it is opened only if its SHA-256 is the right one.

    Args:
        weights: The file of weights; torch-fidelity's own, in torch's hub folder, unless given.
        download: Fetch the weights if they are not there.
        sha256: The SHA-256 of the file; that of the published one unless given.
    """

    variant: str
    side: int = 224

    def __init__(self, *, weights: str = "", download: bool = False, sha256: str = "") -> None:
        self._weights, self._download, self._sha256 = weights, download and not weights, sha256.lower()
        self._found = ""
        self._network: Any = None
        self.preprocessing = f"8-bit RGB, grey repeated, resized to {self.side}x{self.side} (TensorFlow 1's bilinear), CLIP's mean and spread"

    @property
    def checksum(self) -> str:  # type: ignore[override]
        """SHA-256 of the weights."""
        self.prepare()
        return self._found

    def prepare(self) -> None:
        """Find, or fetch if told to, the weights. Raises OSError or ValueError if they are not there or other ones."""
        if self._found:
            return
        from torch_fidelity.feature_extractor_clip import MODEL_METADATA, MODEL_URLS

        published = MODEL_METADATA[self.variant]["hash"]
        self._path = (
            Path(self._weights).expanduser() if self._weights else cached_file(f"{self.variant}-{published}.pt")
        )
        self._found = require_weights(
            self.variant, self._path, self._sha256 or published, MODEL_URLS[self.variant], self._download
        )

    def extract(self, pictures: Tensor, tap: str) -> Tensor:
        """Return features (N, dim) of pictures (N, 3, H, W) in uint8."""
        if self._network is None:
            self.prepare()
            self._network = self._load()
        features: Tensor = self._network.to(pictures.device)(pictures)[0]
        return features

    def _load(self) -> Any:
        from torch_fidelity.feature_extractor_clip import FeatureExtractorCLIP

        try:
            with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                return FeatureExtractorCLIP(self.variant, ["clip"], feature_extractor_weights_path=str(self._path))
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"{self.variant}: {self._path} does not hold its weights: {reason}") from error


class ClipRn50(Clip):
    """CLIP's ResNet-50: 1,024 features."""

    variant, dim = "clip-rn50", 1024


class ClipRn101(Clip):
    """CLIP's ResNet-101: 512 features."""

    variant, dim = "clip-rn101", 512


class ClipRn50x4(Clip):
    """CLIP's ResNet-50, four times as wide: 640 features."""

    variant, dim, side = "clip-rn50x4", 640, 288


class ClipRn50x16(Clip):
    """CLIP's ResNet-50, sixteen times as wide: 768 features."""

    variant, dim, side = "clip-rn50x16", 768, 384


class ClipRn50x64(Clip):
    """CLIP's ResNet-50, sixty-four times as wide: 1,024 features."""

    variant, dim, side = "clip-rn50x64", 1024, 448


class ClipVitB32(Clip):
    """CLIP's ViT-B/32: 512 features."""

    variant, dim = "clip-vit-b-32", 512


class ClipVitB16(Clip):
    """CLIP's ViT-B/16: 512 features."""

    variant, dim = "clip-vit-b-16", 512


class ClipVitL14(Clip):
    """CLIP's ViT-L/14: 768 features."""

    variant, dim = "clip-vit-l-14", 768


class ClipVitL14At336(Clip):
    """CLIP's ViT-L/14 at 336 pixels: the 768 features of CMMD."""

    variant, dim, side = "clip-vit-l-14-336px", 768, 336
