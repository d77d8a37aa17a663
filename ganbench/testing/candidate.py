"""One component under check: how it is built, for which data, with which options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from ..contract.records import Batch, ComponentRef, Components, DataSpec, Evaluation, Training, Trial
from ..registry.registry import Registration, Registry
from .check import ContractError, NotApplicable

# What components are tried on: the first two that they serve.
SPECS = (
    DataSpec("points", (2,), modes=8),
    DataSpec("images", (1, 8, 8), value_range=(-1.0, 1.0), classes=10),
    DataSpec("images", (3, 32, 32), value_range=(-1.0, 1.0), classes=10),
    DataSpec("images", (1, 28, 28), value_range=(0.0, 1.0), classes=10),
    DataSpec("images", (3, 48, 48), value_range=(-1.0, 1.0)),
    DataSpec("images", (3, 64, 64), value_range=(-1.0, 1.0)),
)
MAX_SPECS = 2  # for each component


@dataclass(frozen=True)
class Candidate:
    """A component of `registry`; `options` replace its defaults where those do not suffice for checking.

    `seed` is what torch's global stream is seeded with before it is built, where no other is asked for.
    """

    entry: Registration
    registry: Registry
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    @property
    def id(self) -> str:
        return f"{self.entry.kind}/{self.entry.name}"

    @property
    def check_options(self) -> dict[str, Any]:
        """What it is built with: the options declared for checking, and over them those given."""
        return {**getattr(self.entry.build, "check_options", {}), **self.options}

    @property
    def expected_failures(self) -> Mapping[str, str]:
        """The checks that the component declares to fail, each with its reason."""
        declared: Mapping[str, str] = getattr(self.entry.build, "expected_failures", {})
        return declared

    def ref(self, **options: Any) -> ComponentRef:
        """The component as a suite would name it, options checked."""
        asked = ComponentRef(self.entry.name, {**self.check_options, **options})
        return self.registry.check(self.entry.kind, asked, self.id)

    def build(self, *given: Any, seed: int | None = None, **options: Any) -> Any:
        """The component, built under a random seed as a trial does. Raises NotApplicable where its data is not there."""
        torch.manual_seed(self.seed if seed is None else seed)
        try:
            return self.registry.build(self.entry.kind, self.ref(**options), *given)
        except FileNotFoundError as error:
            raise NotApplicable(f"its files are not here: {error}") from error

    def specs(self) -> list[DataSpec]:
        """Return what it is tried on: the first data specs that its `skip` does not refuse.

        Raises ContractError where it refuses all.
        """
        kind, ref = self.entry.kind, self.ref()
        wanted = [spec for spec in SPECS if self.registry.skip(kind, ref, trial_on(spec, kind, ref)) is None]
        if not wanted:
            raise ContractError(
                f"skips every data set it was offered: {', '.join(str(spec.shape) for spec in SPECS)}",
                cause="its skip(trial) returns a reason for data that it could serve",
                fix="return None from skip(trial) where trial.data suits",
            )
        return wanted[:MAX_SPECS]


def trial_on(spec: DataSpec, kind: str = "", ref: ComponentRef | None = None) -> Trial:
    """Return a trial on such data, with the component `ref` in its place: what `skip(trial)` is asked about."""
    none = ComponentRef("none")
    parts = {part: ref if ref and kind == part else none for part in ("generator", "discriminator", "loss")}
    regularizers = (ref,) if ref and kind == "regularizer" else ()
    adam = ComponentRef("adam", {"lr": 2e-4, "betas": [0.5, 0.999], "eps": 1e-8, "weight_decay": 0.0})
    return Trial(
        id="check",
        suite="check",
        dataset="check",
        method="check",
        seed=0,
        data=spec,
        components=Components(none, **parts, regularizers=regularizers),
        training=Training(steps=100, batch_size=64, optimizer_g=adam, optimizer_d=adam),
        evaluation=Evaluation(metrics=()),
        diagnoses=(),
    )


def samples_of(spec: DataSpec, n: int, seed: int = 0) -> Batch:
    """`n` random samples such as the spec describes, with labels where it has classes."""
    stream = torch.Generator().manual_seed(seed)
    x = torch.randn(n, *spec.shape, generator=stream)
    if spec.value_range is not None:
        low, high = spec.value_range
        x = low + (high - low) * torch.sigmoid(x)
    return Batch(x, torch.randint(spec.classes, (n,), generator=stream) if spec.classes else None)
