"""Where a foreign run's numbers are no longer finite, as far as one look can tell.

A foreign run as observers see it: forward passes that leave the loop's networks, modes and streams alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..contract.components import DiscriminatorFn
from ..contract.records import Batch, DataSpec, NonFinite
from ..contract.view import View
from ..observation.signals import auc
from ..training.schedule import MAX_SIGNAL_SAMPLES
from ..training.view import MIN_PROBE_SAMPLES, affordable_samples, flops_per_sample
from . import gradients
from .call_convention import CallConvention, Conventions
from .calls import Call
from .capture import Gradient
from .isolation import isolated
from .logits import LogitReader
from .networks import Networks
from .noise import Inputs
from .real_samples import SEED, RealSamples
from .schedule import Rows

VITAL = ("d_real", "d_fake", "logit_max", "weight_norm_d", "weight_norm_g")


def broken(row: Mapping[str, float]) -> bool:
    """Whether weights or outputs are not finite. A loss alone is not asked: a scaler skips such a step.

    Weights are measured only where there are diagnoses.
    """
    return any(name in row and not math.isfinite(row[name]) for name in VITAL)


def place(step: int, networks: Networks) -> NonFinite:
    """The first weight that is not finite, of D before G; where all are, it is D's output that is not."""
    for player, network in (("discriminator", networks.discriminator), ("generator", networks.generator)):
        for name, weight in network.named_parameters():
            if not bool(weight.detach().isfinite().all()):
                return NonFinite(step, player, name, "weight")  # type: ignore[arg-type]
    return NonFinite(step, "discriminator", "", "output")


BELIEVED = 0.4  # AUC below which a D whose logits G makes fall is one that finds lower more real
NOTICED = 16  # samples that tell whether D ends in a sigmoid
KINDS: dict[int, str] = {1: "points", 3: "images"}


class LoopView(View):
    """What observers see of a foreign loop, in the terms of `observation.RunView`. Valid inside `with view.at(step)`.

    `Batch.labels` are no classes here but say which row of what the loop has shown a sample's conditions are in.
    """

    def __init__(
        self, networks: Networks, reals: RealSamples, logits: LogitReader, *, steps: int, say: Callable[[str], None]
    ) -> None:
        self.steps, self.step = steps, 0
        self.data = DataSpec("unknown", ())
        self.data_std: float | Tensor = 1.0
        self.affordable = MIN_PROBE_SAMPLES  # samples that a probe may take
        self._networks, self._reals, self._logits, self._say = networks, reals, logits, say
        self._inputs = Inputs()
        self._conditions: list[Tensor] = []
        self._fixed: dict[int, Tensor] | None = None
        self._gradients: list[Gradient] = []
        self._agreements: list[float] = []
        self._sign = 1.0
        self._aside = False
        self._conventions: Conventions

    def learn(self, lesson: CallConvention | None, seen: Sequence[Gradient]) -> None:
        """Take in how the loop calls its networks, if it has called both, and the gradients that came back to G."""
        self._gradients = gradients.of_g(seen)
        if lesson is None:
            return
        self._inputs.learn(lesson)
        self._reals.meet(lesson)
        self._conventions = lesson.conventions
        self.device = lesson.conventions.judged.leaves[lesson.conventions.slot].device
        self._random = torch.Generator(self.device)
        shape = lesson.conventions.shape
        self.data = DataSpec(KINDS.get(len(shape), "unknown"), shape)  # type: ignore[arg-type]

    def forget(self) -> None:
        """Let go of the gradients of a look that is over."""
        self._gradients, self._agreements = [], []

    def set_budget(self, trained_on: int) -> None:
        """Let probes take what is a small share of training on `trained_on` samples."""
        with self.at(0):
            self.affordable = affordable_samples(trained_on, flops_per_sample(lambda: self.logits(self.fake(8)), 8))

    @contextmanager
    def at(self, step: int) -> Iterator[LoopView]:
        """Look at the run as it is now; streams, modes and settings are as before when it is over."""
        self.step = step
        self._random.manual_seed(SEED + step)
        with self.aside(), self._networks.still():
            self.data_std = self._reals.data_std()
            parts = [part.columns[1:] for part in (self._reals.seen, self._reals.held_out)]
            self._conditions = [torch.cat(columns) for columns in zip(*parts, self._inputs.conditions, strict=True)]
            self._notice()
            yield self

    @contextmanager
    def aside(self, *owners: Any) -> Iterator[None]:
        """Whatever is done inside, the loop notices nothing; nor do the random streams that `owners` hold."""
        if self._aside and not owners:
            yield
            return
        before, self._aside = self._aside, True
        try:
            with isolated(self._networks.every, owners):
                yield
        finally:
            self._aside = before

    def real(self, n: int) -> Batch:
        """`n` real samples, drawn anew from the part of the pool that stands for training data."""
        return self._real(self._reals.seen, n, 0)

    def held_out(self, n: int) -> Batch:
        """`n` samples of the other part, drawn anew."""
        return self._real(self._reals.held_out, n, len(self._reals.seen))

    @property
    def held_out_size(self) -> int:
        """How many samples the other part has."""
        return len(self._reals.held_out)

    def fake(self, n: int) -> Batch:
        """`n` samples of the generator, in the modes that the loop calls it in, without a graph."""
        return self._make(n, evaluated=False)

    def evaluated(self, n: int) -> Batch:
        """`n` samples of the generator as it is judged: in evaluation mode, of the average where there is one."""
        return self._make(n, evaluated=True)

    def fixed(self, n: int) -> Tensor:
        """What G makes now of the same latents and conditions at every look."""
        if self._fixed is None:
            self._fixed, _ = self._inputs.draw(n, torch.Generator(self.device).manual_seed(SEED))
        return self._as_given(self._networks.make(self._conventions.made, self._fixed, n, self._conventions.sample))

    def logits(self, batch: Batch) -> Tensor:
        """The discriminator's logits, higher for real; differentiable in `batch.x` alone."""
        call, slot, places = self._conventions.judged, self._conventions.slot, self._conventions.conditions
        put = {slot: batch.x.to(call.leaves[slot].dtype)}
        if places:
            assert batch.labels is not None
            put |= {i: column[batch.labels] for i, column in zip(places, self._conditions, strict=True)}
        return self._sign * self._judged(call, put, len(batch.x))

    def generator_loss(self, d: DiscriminatorFn, real: Batch, fake: Batch) -> Tensor:
        """Nobody knows what a foreign G minimizes: NaN, and so is its gradient."""
        return d(fake).mean() * math.nan

    def measured_input_gradient(self) -> Tensor:
        """The gradient that reached G in the loop, as `signals.input_gradient_of_g` defines it; NaN where unknown."""
        return gradients.input_gradient(self._gradients, self._agreements, self.data_std).to(self.device)

    def probabilities(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """D(x) and D(G(z)): the sigmoid of the logits, as the loss is not known."""
        return torch.sigmoid(real), torch.sigmoid(fake)

    def norms(self) -> dict[str, Tensor]:
        """Norms of each player's weights. Of gradients none: whose step they are of, and in what scale, is not known."""
        d, g = self._networks.weight_norms()
        return {"weight_norm_d": d.to(self.device), "weight_norm_g": g.to(self.device)}

    def _notice(self) -> None:
        """Whether D returns probabilities, and whether G makes its logits rise or fall."""
        before = self._logits.probabilities
        call, slot = self._conventions.judged, self._conventions.slot
        x = call.leaves[slot].detach().clone().requires_grad_()
        self._logits.notice(
            *next(self._networks.logits(call.cut(slice(NOTICED)), {slot: x[:NOTICED]}, len(x[:NOTICED])))
        )
        if self._logits.probabilities and not before:
            self._say("the discriminator returns probabilities, not logits: they are read as such")
        self._agreements = [gradients.agreement(g, self._judged) for g in self._gradients]
        rising = bool(self._agreements) and min(self._agreements) >= gradients.AGREED  # G's loss rises with the logits
        if rising and self._sign > 0 and self._reals.enough:
            real, fake = (
                self.logits(batch).detach() for batch in (self.real(MAX_SIGNAL_SAMPLES), self.fake(MAX_SIGNAL_SAMPLES))
            )
            if float(auc(real, fake)) < BELIEVED:
                self._sign = -1.0
                self._say("the discriminator has the wrong sign (lower means more real): its logits are turned round")

    def _judged(self, call: Call, put: Mapping[int, Tensor], n: int) -> Tensor:
        """The logits as D means them."""
        pieces = self._networks.logits(call, put, n)
        return torch.cat([self._logits(output, size) for output, size in pieces]).to(self.device)

    def _make(self, n: int, *, evaluated: bool) -> Batch:
        put, rows = self._inputs.draw(n, self._random)
        made = self._networks.make(self._conventions.made, put, n, self._conventions.sample, evaluated)
        reals = len(self._reals.seen) + len(self._reals.held_out)
        return Batch(self._as_given(made), rows + reals if self._conventions.conditions else None)

    def _as_given(self, samples: Tensor) -> Tensor:
        """Samples of G in the shape in which D is given them."""
        return samples.float().reshape(-1, *self._conventions.shape).to(self.device)

    def _real(self, part: Rows, n: int, offset: int) -> Batch:
        size = len(part)
        if n <= size <= 4 * n:  # few samples: each at most once, or repeats would look like structure
            rows = torch.randperm(size, generator=self._random, device=self.device)[:n]
        else:
            rows = torch.randint(size, (n,), generator=self._random, device=self.device)
        return Batch(part.columns[0][rows], rows + offset if self._conventions.conditions else None)
