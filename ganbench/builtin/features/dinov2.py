"""DINOv2's vision transformers, through torch-fidelity."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .pictures import PictureFeatures
from .weights import cached_file, require_published

REPOSITORY = "facebookresearch/dinov2"
CODE = "facebookresearch_dinov2_main"  # what torch's hub calls its copy


class DinoV2(PictureFeatures):
    """A vision transformer of DINOv2 as torch-fidelity computes it (Oquab et al. 2023, https://arxiv.org/abs/2304.07193).

    Its network comes as code: torch's hub keeps a copy of the authors' repository beside the weights, and that code is
    run. Nothing is fetched unless `download` is set, and weights are used only if their SHA-256 is the right one.

    Args:
        download: Fetch the repository and the weights into torch's hub folder if they are not there.
        sha256: What the SHA-256 of the weights begins with; that of the published ones unless given.
    """

    variant: str
    entry: str  # the hub's name of the network
    published: str  # SHA-256 of its weights
    preprocessing = "8-bit RGB, grey repeated, resized to 224x224 (TensorFlow 1's bilinear), ImageNet's mean and spread"

    def __init__(self, *, download: bool = False, sha256: str = "") -> None:
        self._download, self._sha256 = download, sha256.lower()
        self._network: Any = None
        self._found = ""

    @property
    def checksum(self) -> str:  # type: ignore[override]
        """SHA-256 of the weights."""
        self.prepare()
        return self._found

    def prepare(self) -> None:
        """Find, or fetch if told to, the network. Raises OSError or ValueError if it is not there or another one."""
        if self._found:
            return
        weights = cached_file(f"{self.entry}_pretrain.pth")
        code = Path(torch.hub.get_dir()) / CODE / "hubconf.py"
        if self._download and not (code.is_file() and weights.is_file()):
            try:
                torch.hub.load(REPOSITORY, self.entry, verbose=False)
            except Exception as error:  # the network's errors are of all kinds
                reason = " ".join(str(error).split())[:200]
                raise OSError(f"{self.variant}: {REPOSITORY} cannot be fetched: {reason}") from error
        for path in (code, weights):
            if not path.is_file():
                raise FileNotFoundError(
                    f"{self.variant}: there is no {path}; give features the option download = true, "
                    f"or copy torch's hub folder from where torch.hub.load('{REPOSITORY}', '{self.entry}') has been run"
                )
        self._found = require_published(self.variant, weights, self._sha256 or self.published)

    def extract(self, pictures: Tensor, tap: str) -> Tensor:
        """Return features (N, dim) of pictures (N, 3, H, W) in uint8."""
        if self._network is None:
            self.prepare()
            self._network = self._load()
        features: Tensor = self._network.to(pictures.device)(pictures)[0]
        return features

    def _load(self) -> Any:
        """Torch-fidelity's extractor around the network of the local copy, which its own constructor looks for online."""
        from torch_fidelity.feature_extractor_base import FeatureExtractorBase
        from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2

        os.environ.setdefault("XFORMERS_DISABLED", "1")  # as torch-fidelity does
        code = str(Path(torch.hub.get_dir()) / CODE)
        try:
            with torch.random.fork_rng(devices=[]):
                extractor = FeatureExtractorDinoV2.__new__(FeatureExtractorDinoV2)
                FeatureExtractorBase.__init__(extractor, self.variant, ["dinov2"])
                extractor.feature_extractor_internal_dtype = torch.float32
                extractor.model = torch.hub.load(code, self.entry, source="local", verbose=False)
        except Exception as error:  # the code is whatever lies there
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"{self.variant}: the copy of {REPOSITORY} in {code} does not load: {reason}") from error
        return extractor.eval().requires_grad_(False)


class DinoV2Small(DinoV2):
    """DINOv2's ViT-S/14: 384 features."""

    variant, entry, dim = "dinov2-vit-s-14", "dinov2_vits14", 384
    published = "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9"


class DinoV2Base(DinoV2):
    """DINOv2's ViT-B/14: 768 features."""

    variant, entry, dim = "dinov2-vit-b-14", "dinov2_vitb14", 768
    published = "0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73"


class DinoV2Large(DinoV2):
    """DINOv2's ViT-L/14: the 1,024 features of FD-DINOv2."""

    variant, entry, dim = "dinov2-vit-l-14", "dinov2_vitl14", 1024
    published = "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428"


class DinoV2Giant(DinoV2):
    """DINOv2's ViT-g/14: 1,536 features."""

    variant, entry, dim = "dinov2-vit-g-14", "dinov2_vitg14", 1536
    published = "baf8467e50af277596bbbafa06887c177ee899ab46033649c383577d7e9309d3"
