"""What metrics are checked on: real samples, and the same samples degraded in known ways."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ...contract.components import Dataset
from ...contract.records import ComponentRef, DataSpec, Modes, Samples
from ..candidate import Candidate, trial_on
from ..check import NotApplicable

N_SAMPLES = 300  # generated, and as many real ones
NOISE = 3.0  # in standard deviations of the data

# Small built-in data sets, of different kinds.
DATASETS = (
    ComponentRef("ring", {"sigma": 0.05, "size": N_SAMPLES, "held_out": 2 * N_SAMPLES}),
    ComponentRef("grid", {"sigma": 0.1, "size": N_SAMPLES, "held_out": 2 * N_SAMPLES}),
    ComponentRef("digits"),
    ComponentRef("stacked-digits", {"size": N_SAMPLES, "held_out": 2 * N_SAMPLES}),
)
ENLARGED = DataSpec("images", (3, 32, 32), value_range=(-1.0, 1.0), classes=10)  # enlarged, where 8x8 are too small
# What is tried where a metric skips all of these: digits with what they are made from, and digits enlarged without or with it.
SMALL_PAIRED = DataSpec("images", (1, 8, 8), value_range=(-1.0, 1.0), condition=(1, 2, 2))
PAIRED = DataSpec("images", (3, 32, 32), value_range=(-1.0, 1.0), condition=(1, 8, 8))


@dataclass(frozen=True)
class MetricCase:
    """Real samples of one data set: `real` to compare with, `more_real` in place of generated ones, others to train on."""

    name: str
    real: Tensor
    more_real: Tensor
    spec: DataSpec
    modes: Modes | None
    training: Tensor

    def of(self, fake: Tensor) -> Samples:
        """Return `fake` and the real samples, to be scored."""
        if self.spec.condition is None:
            return Samples(fake.clone(), self.real.clone(), self.spec, self.modes, self.training)
        true = self.more_real[: len(fake)].clone()
        condition = true[:, :1, ::4, ::4]
        return Samples(
            fake.clone(), self.real.clone(), self.spec, training=self.training, condition=condition, paired=true
        )

    @cached_property
    def noisy(self) -> Tensor:
        """Real samples with strong noise."""
        noise = torch.randn(self.more_real.shape, generator=torch.Generator().manual_seed(1))
        noisy = self.more_real + NOISE * self.real.std() * noise
        return noisy if self.spec.value_range is None else noisy.clamp(*self.spec.value_range)

    @cached_property
    def collapsed(self) -> Tensor:
        """Two real samples, repeated: mode collapse."""
        return self.more_real[torch.arange(len(self.more_real)) % 2]

    @cached_property
    def ruined(self) -> Tensor:
        """Noise and collapse: one sample far from all real ones, repeated."""
        farthest = (self.noisy - self.real.mean(0)).flatten(1).norm(dim=1).argmax()
        return self.noisy[farthest].expand_as(self.noisy)


def cases(candidate: Candidate) -> list[MetricCase]:
    """Return cases for the data sets that the metric does not skip. Raise NotApplicable if it skips all."""
    reasons = []
    found = []
    for ref in DATASETS:
        dataset = candidate.registry.build("dataset", ref)
        if why := _why_skipped(candidate, ref, dataset.spec):
            reasons.append(f"{ref.name}: {why}")
            continue
        real, more_real, seen = _split(dataset)
        found.append(MetricCase(ref.name, real, more_real, dataset.spec, dataset.modes, seen))
    if found:
        return found
    for name, spec in (("enlarged digits", ENLARGED), ("paired digits", SMALL_PAIRED), ("enlarged pairs", PAIRED)):
        if why := _why_skipped(candidate, ComponentRef(name), spec):
            reasons.append(f"{name}: {why}")
            continue
        parts = _split(candidate.registry.build("dataset", ComponentRef("digits")))
        real, more_real, seen = parts if spec is SMALL_PAIRED else map(_enlarge, parts)
        return [MetricCase(name, real, more_real, spec, None, seen)]
    raise NotApplicable("it skips all data sets of these checks: " + "; ".join(reasons))


def _split(dataset: Dataset) -> list[Tensor]:
    """Return three parts of real samples, of which no two share any."""
    held_out, training = dataset.held_out().x, dataset.training().x
    more = training if len(training) >= 2 * N_SAMPLES else held_out
    return [held_out[:N_SAMPLES], training[:N_SAMPLES], more[N_SAMPLES : 2 * N_SAMPLES]]


def _why_skipped(candidate: Candidate, ref: ComponentRef, spec: DataSpec) -> str | None:
    trial = trial_on(spec, ref.name)
    return candidate.why_skipped(replace(trial, components=replace(trial.components, dataset=ref)))


def _enlarge(images: Tensor) -> Tensor:
    """Enlarge (N, 1, 8, 8) to (N, 3, 32, 32)."""
    return images.repeat_interleave(4, 2).repeat_interleave(4, 3).expand(-1, 3, -1, -1).contiguous()
