"""What metrics are tried on: real samples, and the same samples made worse in known ways."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ...contract.records import ComponentRef, DataSpec, Modes, Samples
from ..candidate import Candidate, trial_on
from ..check import NotApplicable

N = 300  # samples on a side
NOISE = 3.0  # standard deviations of the data: samples that nobody would take for real

# Small built-in data sets, each of a kind of its own.
DATASETS = (
    ComponentRef("ring", {"sigma": 0.05, "size": N, "held_out": 2 * N}),
    ComponentRef("grid", {"sigma": 0.1, "size": N, "held_out": 2 * N}),
    ComponentRef("digits"),
    ComponentRef("stacked-digits", {"size": N, "held_out": 2 * N}),
)
ENLARGED = DataSpec("images", (3, 32, 32), value_range=(-1.0, 1.0), classes=10)  # digits, where 8x8 are too small


@dataclass(frozen=True)
class Case:
    """Real samples of one data set: `real` to judge by, `more_real` to be judged."""

    name: str
    real: Tensor
    more_real: Tensor
    spec: DataSpec
    modes: Modes | None

    def of(self, fake: Tensor) -> Samples:
        """`fake`, to be judged against the real samples."""
        return Samples(fake.clone(), self.real.clone(), self.spec, self.modes)

    @cached_property
    def noisy(self) -> Tensor:
        """Real samples under noise so strong that little of them is left."""
        noise = torch.randn(self.more_real.shape, generator=torch.Generator().manual_seed(1))
        noisy = self.more_real + NOISE * self.real.std() * noise
        return noisy if self.spec.value_range is None else noisy.clamp(*self.spec.value_range)

    @cached_property
    def collapsed(self) -> Tensor:
        """Two real samples, repeated: what is left after mode collapse."""
        return self.more_real[torch.arange(len(self.more_real)) % 2]

    @cached_property
    def ruined(self) -> Tensor:
        """Both at once: one sample far from all real ones, repeated."""
        farthest = (self.noisy - self.real.mean(0)).flatten(1).norm(dim=1).argmax()
        return self.noisy[farthest].expand_as(self.noisy)


def cases(candidate: Candidate) -> list[Case]:
    """The data sets that the metric serves. Raises NotApplicable where it serves none of these."""
    reasons = []
    served = []
    for ref in DATASETS:
        dataset = candidate.registry.build("dataset", ref)
        if why := _skip(candidate, ref, dataset.spec):
            reasons.append(f"{ref.name}: {why}")
            continue
        real, more_real = dataset.held_out().x[:N], dataset.training().x[:N]
        served.append(Case(ref.name, real, more_real, dataset.spec, dataset.modes))
    if served:
        return served
    if why := _skip(candidate, ComponentRef("enlarged-digits"), ENLARGED):
        raise NotApplicable("it skips the data sets that it could be tried on: " + "; ".join([*reasons, why]))
    digits = candidate.registry.build("dataset", ComponentRef("digits"))
    return [
        Case("enlarged digits", _enlarge(digits.held_out().x[:N]), _enlarge(digits.training().x[:N]), ENLARGED, None)
    ]


def _skip(candidate: Candidate, ref: ComponentRef, spec: DataSpec) -> str | None:
    trial = trial_on(spec)
    trial = replace(trial, dataset=ref.name, components=replace(trial.components, dataset=ref))
    return candidate.registry.skip("metric", candidate.ref(), trial)


def _enlarge(images: Tensor) -> Tensor:
    """(N, 1, 8, 8) to (N, 3, 32, 32)."""
    return images.repeat_interleave(4, 2).repeat_interleave(4, 3).expand(-1, 3, -1, -1).contiguous()
