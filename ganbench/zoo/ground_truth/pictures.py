"""Which class a picture shows and whether it shows one at all, by small classifiers trained apart from every run.

There is one for each data set of pictures whose classes the zoo knows. Each was trained on the data set's training part
and on corrupted pictures, which are a class of their own: what it takes for none of the others is not credible.
`scripts/train_picture_classifiers.py` made the weights. No metric, probe or diagnosis reads them.
"""

from __future__ import annotations

import functools
import weakref
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import ganbench

CLASSES = 10
FEATURES = 64
BATCH_SIZE = 250  # pictures classified at once
WEIGHTS = Path(__file__).with_name("classifiers")


@dataclass(frozen=True)
class Pictures:
    """A data set of pictures whose classes are known.

    Attributes:
        name: The data set's name.
        shape: Shape of a picture.
        judged: Whether a picture must be credible to count for its class. Where a short run makes no picture that looks
            real, its classes alone are counted.
    """

    name: str
    shape: tuple[int, int, int]
    judged: bool = True


KNOWN: dict[tuple[int, ...], Pictures] = {
    known.shape: known
    for known in (
        Pictures("shapes", (3, 28, 28)),
        Pictures("mnist", (1, 28, 28)),
        Pictures("cifar-10", (3, 32, 32), judged=False),
    )
}


def is_known(dataset: ganbench.ComponentRef, data: ganbench.DataSpec) -> bool:
    """Return whether the classes of a data set's pictures are known, or of the one that it is a part of."""
    name, inner = dataset.name, dataset.options.get("inner")
    while inner is not None:
        name, inner = (inner, None) if isinstance(inner, str) else (inner["name"], inner.get("inner"))
    return is_picture(data.shape) and KNOWN[data.shape].name == name


def is_picture(shape: tuple[int, ...]) -> bool:
    """Return whether samples of this shape are pictures that a classifier is there for."""
    return shape in KNOWN


class PictureClassifier(nn.Module):
    """Three convolutions and two linear layers: pictures (N, channels, side, side) in [-1, 1] to eleven logits.

    The last logit is that of no class.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, side, _ = shape
        self.convolutions = nn.Sequential(
            *(nn.Conv2d(channels, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(48, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        )
        self.hidden = nn.Linear(64 * (side // 8) ** 2, FEATURES)
        self.classes = nn.Linear(FEATURES, CLASSES + 1)

    def features(self, x: Tensor) -> Tensor:
        """Return the input of the last layer, (N, FEATURES)."""
        features: Tensor = torch.relu(self.hidden(self.convolutions(x).flatten(1)))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, CLASSES + 1)."""
        logits: Tensor = self.classes(self.features(x))
        return logits


@dataclass(frozen=True)
class Seen:
    """What a classifier sees in pictures: the class of each (N,), whether it is credible (N,), and its features."""

    classes: Tensor
    credible: Tensor
    features: Tensor


_looks: dict[int, tuple[weakref.ref[Tensor], int, Seen]] = {}  # by identity: the same pictures are asked about again


def look_at(x: Tensor) -> Seen:
    """Classify pictures (N, *shape) of a known data set; one that is not finite is of class 0 and not credible.

    What was seen is kept while the tensor is there and stays as it is.
    """
    kept = _looks.get(id(x))
    if kept is None or kept[0]() is not x or kept[1] != x._version:
        key = id(x)
        kept = weakref.ref(x, lambda _: _looks.pop(key, None)), x._version, _look(x)
        _looks[key] = kept
    return kept[2]


@torch.no_grad()
def _look(x: Tensor) -> Seen:
    known = KNOWN[tuple(x.shape[1:])]
    classifier = _load(known.name)
    finite = x.isfinite().flatten(1).all(dim=1)
    x = x.detach().float().nan_to_num().clamp(-1, 1)
    features = torch.cat([classifier.features(part) for part in x.split(BATCH_SIZE)])
    logits = classifier.classes(features)
    is_one = logits.argmax(dim=1) < CLASSES if known.judged else torch.ones_like(finite)
    return Seen(logits[:, :CLASSES].argmax(dim=1), is_one & finite, features)


@functools.cache
def _load(name: str) -> PictureClassifier:
    from safetensors.torch import load_file

    (shape,) = (known.shape for known in KNOWN.values() if known.name == name)
    with torch.device("meta"):  # no initial weights are drawn, so the global random state is left alone
        classifier = PictureClassifier(shape)
    weights = {key: tensor.float() for key, tensor in load_file(WEIGHTS / f"{name}.safetensors").items()}
    classifier.load_state_dict(weights, assign=True)
    return classifier.eval().requires_grad_(False)
