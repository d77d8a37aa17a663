"""Parts of G's objective beside the adversarial one: distances to a target, features, classes and codes.

A term compares sample with sample: `real.x` is the target of `fake.x`, which holds where both have one condition. E is the
mean over a batch and all else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor

import ganbench


class L1(ganbench.Term):
    """Absolute differences from the target, as of pix2pix (Isola et al. 2017)."""

    def __call__(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """Return E |x - G|."""
        return F.l1_loss(fake.x, real.x)


class L2(ganbench.Term):
    """Squared differences from the target."""

    def __call__(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """Return E (x - G)^2."""
        return F.mse_loss(fake.x, real.x)


class FeatureMatching(ganbench.Term):
    """D's features of generated samples pulled to those of real ones (Salimans et al. 2016; Wang et al. 2018).

    D gives a tensor (N, ...), or a list of them, lists of lists included, under `features`.

    Args:
        match: `"each"` for E |f(x) - f(G)| of each sample with its target, the mean over layers, as of pix2pixHD and HiFi-GAN;
            `"mean"` for |E f(x) - E f(G)|^2 of the batch, which needs no targets (https://arxiv.org/abs/1606.03498).
        features: What D calls its features.
    """

    def __init__(self, *, match: Literal["each", "mean"] = "each", features: str = "features") -> None:
        if match not in ("each", "mean"):
            raise ValueError(f"match = {match!r} must be 'each' or 'mean'")
        self.match, self.features = match, features

    def __call__(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """Return the distance, the mean over the tensors that D gives."""
        targets = _tensors_in(_of(d, real, self.features, "features"))
        values = _tensors_in(_of(d, fake, self.features, "features"))
        if self.match == "each":
            distances = [F.l1_loss(value, target.detach()) for value, target in zip(values, targets, strict=True)]
        else:
            distances = [
                (value.mean(dim=0) - target.detach().mean(dim=0)).square().sum()
                for value, target in zip(values, targets, strict=True)
            ]
        return torch.stack(distances).mean()


class Perceptual(ganbench.Term):
    """Distance from the target in the features of a pretrained network of pictures (Johnson et al. 2016).

    https://arxiv.org/abs/1603.08155. Features are averaged over the picture; each layer's are brought to length 1 and their
    squared distance is averaged over the layers. The gradient flows through the network, whose weights stay as they are.

    Args:
        features: Features of pictures, whose `extract(pictures, tap)` takes pictures (N, 3, H, W) with values 0 to 255.
        taps: Layers of it, by the names of its taps; empty for the last one alone.
    """

    def __init__(
        self,
        *,
        features: Annotated[Callable[..., Any], ganbench.Part("features")] = "lite0",  # type: ignore[assignment]
        taps: list[str] = ["40", "112", "320"],  # noqa: B006
    ) -> None:
        self._features = features()
        self._taps: Sequence[str] = tuple(taps) or ("",)
        if not hasattr(self._features, "extract"):
            raise ValueError("features have to offer extract(pictures, tap), which a gradient flows through, as lite0")
        for tap in self._taps:
            if tap and tap not in self._features.taps:
                raise ValueError(f"taps: the features have {', '.join(self._features.taps) or 'none'}, not {tap!r}")

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Refuse what is no grey or colour image."""
        if trial.data.kind != "images" or trial.data.shape[0] not in (1, 3):
            return f"it compares grey and colour images, and the data is {trial.data.kind} of shape {trial.data.shape}"
        if trial.data.value_range not in (None, (-1.0, 1.0)):
            return f"it compares images in [-1, 1], not in {list(trial.data.value_range or ())}"
        return None

    def prepare(self) -> None:
        """Ensure that the weights are there."""
        self._features.prepare()

    def __call__(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """Return the mean squared distance of features of length 1."""
        distances = []
        for tap in self._taps:
            with torch.no_grad():
                target = self._extract(real.x, tap)
            distances.append((self._extract(fake.x, tap) - target).square().sum(dim=1).mean())
        return torch.stack(distances).mean()

    def _extract(self, images: Tensor, tap: str) -> Tensor:
        pictures = (images + 1).mul(127.5).expand(-1, 3, -1, -1)
        return F.normalize(self._features.extract(pictures, tap), dim=1)


class AuxiliaryClasses(ganbench.Term):
    """Classes that D reads off samples, which both players want to be the labels (AC-GAN, Odena et al. 2017).

    https://arxiv.org/abs/1610.09585, L_C: D learns it of real and generated samples, G of its own. D gives logits of the
    classes (N, classes).

    Args:
        classes: What D calls its logits of the classes.
        of_fakes: Whether D learns the classes of generated samples too, as in the paper.
    """

    player = "both"

    def __init__(self, *, classes: str = "classes", of_fakes: bool = True) -> None:
        self.classes, self.of_fakes = classes, of_fakes

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Refuse data without labels."""
        return None if trial.data.classes else "it classifies samples, and the data has no classes"

    def __call__(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """Return -E log P(c | x) - E log P(c | G); the first has no gradient for G."""
        if real.labels is None or fake.labels is None:
            raise ValueError("it needs samples with labels")
        total = F.cross_entropy(_of(d, real, self.classes, "logits of the classes"), real.labels)
        if fake.x.requires_grad or self.of_fakes:
            total = total + F.cross_entropy(_of(d, fake, self.classes, "logits of the classes"), fake.labels)
        return total


class MutualInformation(ganbench.Term):
    """Codes, a part of the noise, that D reads off generated samples (InfoGAN, Chen et al. 2016).

    https://arxiv.org/abs/1606.03657, the bound L_I, which both players maximize. The first `categories` values of the noise
    choose a category, by which of them is largest; the next `continuous` ones are codes of their own, of which D gives the
    mean of a normal distribution with unit variance. D gives both side by side, (N, categories + continuous).

    Args:
        categories: Categories; 0 for no such code.
        continuous: Continuous codes.
        codes: What D calls what it reads.
    """

    player = "both"

    def __init__(
        self,
        *,
        categories: Annotated[int, msgspec.Meta(ge=0)] = 0,
        continuous: Annotated[int, msgspec.Meta(ge=0)] = 2,
        codes: str = "codes",
    ) -> None:
        if categories < 0 or continuous < 0 or categories + continuous == 0:
            raise ValueError(f"categories = {categories} and continuous = {continuous} leave no code")
        self.categories, self.continuous, self.codes = categories, continuous, codes

    def __call__(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """Return -E log Q(codes | G), without its constants."""
        read = _of(d, fake, self.codes, "codes that it reads off samples")
        size = self.categories + self.continuous
        if fake.z is None or fake.z.flatten(1).shape[1] < size:
            raise ValueError(f"it needs at least {size} values of noise a sample")
        if read.ndim != 2 or read.shape[1] != size:
            raise ValueError(f"the discriminator's {self.codes!r} are {tuple(read.shape)}, not (N, {size})")
        z = fake.z.flatten(1)
        total = torch.zeros((), device=read.device)
        if self.categories:
            total = total + F.cross_entropy(read[:, : self.categories], z[:, : self.categories].argmax(dim=1))
        if self.continuous:
            errors = read[:, self.categories :] - z[:, self.categories : size]
            total = total + errors.square().sum(dim=1).mean() / 2
        return total


def _of(d: ganbench.DiscriminatorFn, batch: ganbench.Batch, name: str, what: str) -> Any:
    """Return what D gives for a batch under a name. Raises ValueError if it gives none."""
    outputs = d.outputs(batch)
    if name not in outputs:
        given = ", ".join(repr(other) for other in outputs)
        raise ValueError(
            f"it needs a discriminator that gives {name!r} ({what}) beside its logits; this one gives {given}"
        )
    return outputs[name]


def _tensors_in(given: Any) -> list[Tensor]:
    """Return the tensors of a tensor, of a list, or of a list of lists."""
    return [given] if isinstance(given, Tensor) else [tensor for part in given for tensor in _tensors_in(part)]
