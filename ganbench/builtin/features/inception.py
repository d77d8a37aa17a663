"""Inception v3 as FID's authors used it, through torch-fidelity."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .pictures import PictureFeatures
from .weights import cached_file, require_weights

URL = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
SHA256 = "6726825d"  # of the published file, as far as its name states it
LAYERS = {
    "": "2048",
    "64": "64",
    "192": "192",
    "768": "768",
    "logits": "logits_unbiased",
}  # tap -> torch-fidelity's name


class InceptionV3(PictureFeatures):
    """Inception v3 of 2015-12-05, pool of 2,048 features, as torch-fidelity computes it: the features of FID, KID and IS.

    Heusel et al. (2017), https://arxiv.org/abs/1706.08500. Resizing is TensorFlow 1's bilinear one, without antialiasing,
    to 299x299: other resizing gives another FID.

    Args:
        weights: The file of weights; torch-fidelity's own, in torch's hub folder, unless given.
        download: Fetch the weights (95 MB) if they are not there.
        sha256: What the SHA-256 of the file begins with; that of the published one unless given.
    """

    dim = 2048
    taps = {"64": 64, "192": 192, "768": 768, "logits": 1008}
    preprocessing = "8-bit RGB, grey repeated, resized to 299x299 (TensorFlow 1's bilinear), (x - 128) / 128"

    def __init__(self, *, weights: str = "", download: bool = False, sha256: str = SHA256) -> None:
        self._path = Path(weights).expanduser() if weights else cached_file(URL.rpartition("/")[2])
        self._download, self._sha256 = download and not weights, sha256.lower()
        self._found = ""
        self._network: Any = None

    @property
    def checksum(self) -> str:  # type: ignore[override]
        """SHA-256 of the weights."""
        self.prepare()
        return self._found

    def prepare(self) -> None:
        """Find, or fetch if told to, the weights. Raises OSError or ValueError if they are not there or other ones."""
        if not self._found:
            self._found = require_weights("inception-v3", self._path, self._sha256, URL, self._download)

    def extract(self, pictures: Tensor, tap: str) -> Tensor:
        """Return features (N, dim) of pictures (N, 3, H, W) in uint8."""
        if self._network is None:
            self.prepare()
            self._network = load_inception(self._path)
        self._network.features_list = [LAYERS[tap]]
        features: Tensor = self._network.to(pictures.device)(pictures)[0]
        return features


def load_inception(path: Path) -> Any:
    """Return torch-fidelity's network with the weights of a file. Raises ValueError if they do not fit."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        copy = io.BytesIO()  # torch-fidelity unpickles whatever it is given: it is given tensors alone
        torch.save({str(name): tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}, copy)
        copy.seek(0)
        with torch.random.fork_rng(devices=[]):  # its initial weights, which are thrown away
            return FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=copy)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"inception-v3: {path} does not hold its weights: {reason}") from error
