"""`LoopView`: a training loop that ganbench does not run, as observers see it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

from ..contract.outputs import DiscriminatorFn
from ..contract.records import Batch, DataSpec
from ..contract.view import View
from ..observation.logits import list_tensors
from ..observation.signals import auc
from ..training.discriminator import BoundDiscriminator
from ..training.schedule import MAX_SIGNAL_SAMPLES
from ..training.view import MIN_PROBE_SAMPLES, flops_per_sample
from .call_convention import CallConvention, Inferred
from .calls import Call
from .capture import Gradient
from .cost import LookCost
from .generator_inputs import GeneratorInputs
from .gradients import MIN_COSINE, cosine_with_logits, mean_input_gradient, select_gradients
from .isolation import isolation
from .logits import LogitReader
from .networks import Networks
from .real_samples import SEED, RealSamples
from .tensor_buffer import SampleBuffer

MAX_FLIPPED_AUC = 0.4  # below which a D whose logits G makes fall is taken for one with lower logits for more real
COUNTED_SAMPLES = 8  # whose operations are counted
SIGMOID_SAMPLES = 16  # that D is run on to look at its outputs
DATA_KINDS: dict[int, Literal["points", "images"]] = {1: "points", 3: "images"}  # by the number of dimensions


class LoopView(View):
    """A training loop that ganbench does not run, as observers see it. Valid inside `with view.at(step)`.

    `Batch.labels` are not classes here, but the rows in which each sample's conditions are stored.

    Args:
        networks: The loop's networks.
        real_samples: Real samples to draw from.
        read_logits: Reads logits from D's output.
        steps: The budget.
        add_note: Called with a line about what is unusual in the loop.

    Attributes:
        device: Where the loop computes; known after the first `update`.
    """

    is_sparing = True
    device: torch.device
    _convention: CallConvention
    _rng: torch.Generator

    def __init__(
        self,
        networks: Networks,
        real_samples: RealSamples,
        read_logits: LogitReader,
        *,
        steps: int,
        add_note: Callable[[str], None],
    ) -> None:
        self.steps, self.step = steps, 0
        self.data = DataSpec("unknown", ())
        self.data_std: float | Tensor = 1.0
        self.affordable = MIN_PROBE_SAMPLES
        self._networks, self._real_samples = networks, real_samples
        self._read_logits, self._add_note = read_logits, add_note
        self._inputs = GeneratorInputs()
        self._conditions: list[Tensor] = []  # D's, by row: of training samples, of held-out ones, of generated ones
        self._fixed_inputs: dict[int, Tensor] | None = None
        self._gradients: list[Gradient] = []
        self._cosines: list[float] = []  # of the gradients with those of the logits
        self._sign = 1.0  # of D's logits
        self._partners: tuple[Any, tuple[int, ...]] | None = None  # of the newest kind of call
        self._isolated = False
        self._has_one_head = False  # as far as is known

    @property
    def about_sample(self) -> tuple[int, ...] | None:
        """Which of D's outputs are about the first of two batches of samples, each judged by itself; else None."""
        return self._read_logits.about_sample

    def judge_packs(self, pack: int) -> None:
        """Take D's outputs for logits of packs of `pack` samples."""
        self._read_logits.pack = pack

    def update(self, inferred: Inferred | None, gradients: Sequence[Gradient]) -> None:
        """Take in how the loop calls its networks, if both were called, and the gradients that came back to G."""
        self._gradients = select_gradients(gradients)
        if inferred is None:
            return
        self._inputs.add(inferred)
        self._real_samples.add(inferred)
        convention = self._convention = inferred.convention
        self.device = convention.discriminator_call.leaves[convention.argument].device
        self._rng = torch.Generator(self.device)
        self.data = DataSpec(DATA_KINDS.get(len(convention.shape), "unknown"), convention.shape)

    def find_partners(self, convention: CallConvention) -> tuple[int, ...]:
        """Return which of D's arguments are samples whose logits do not depend on those of the first, and reverse.

        Where there are any, logits are read from those outputs that depend on the first.
        """
        call = convention.discriminator_call
        known = (call.spec, convention.argument)
        if self._partners is None or self._partners[0] != known:
            self._partners = known, self._find_partners(convention)
        return self._partners[1]

    def _find_partners(self, convention: CallConvention) -> tuple[int, ...]:
        call, argument, possible = convention.discriminator_call, convention.argument, convention.possible_partners
        few = call.slice_rows(slice(self._few))
        inputs = {i: few.leaves[i].detach().clone().requires_grad_() for i in (argument, *possible)}
        n = len(inputs[argument])
        with self._networks.snapshot():
            output, _ = next(self._networks.discriminator_outputs(few, inputs, n))
        reached: dict[int, set[int]] = {i: set() for i in inputs}
        for k, tensor in enumerate(list_tensors(output)):
            if not tensor.requires_grad:
                continue
            gradients = torch.autograd.grad(
                tensor.float().sum(), list(inputs.values()), retain_graph=True, allow_unused=True
            )
            for i, gradient in zip(inputs, gradients, strict=True):
                if gradient is not None and bool(gradient.any()):
                    reached[i].add(k)
        partners = tuple(i for i in possible if reached[i] and reached[argument] and not reached[i] & reached[argument])
        if partners:
            self._read_logits.about_sample = tuple(sorted(reached[argument]))
        return partners

    @property
    def _few(self) -> int:
        """How many samples D's outputs are looked at on: whole packs."""
        pack = self._read_logits.pack
        return max(pack, SIGMOID_SAMPLES // pack * pack)

    def clear(self) -> None:
        """Forget the gradients of an observation that is over."""
        self._gradients, self._cosines = [], []

    def count_cost(self, passes: tuple[float, float], embed: Callable[[Tensor], Tensor]) -> LookCost:
        """Count the operations of a step of the loop and of a look.

        Args:
            passes: Of samples through G and through D in a step of the loop.
            embed: What probes do with samples besides.
        """
        made: list[Batch] = []

        def generate() -> None:
            made.append(self.fake(COUNTED_SAMPLES))

        parts = (generate, lambda: self.logits(made[0]), lambda: embed(made[0].x))
        with self.at(0):
            g, d, embedding = (flops_per_sample(part, COUNTED_SAMPLES) for part in parts)
        shape = self.data.shape
        return LookCost(g, d, embedding, passes[0] * g + passes[1] * d, math.prod(shape), len(shape) == 3)

    @contextmanager
    def isolation(self, *sources: Any) -> Iterator[None]:
        """Compute without the loop noticing; random generators that `sources` hold are restored as well."""
        if self._isolated and not sources:
            yield
            return
        before, self._isolated = self._isolated, True
        try:
            with isolation(self._networks.all, sources):
                yield
        finally:
            self._isolated = before

    # --- what observers see: `contract.view.View` ----------------------------------------------------

    @contextmanager
    def at(self, step: int) -> Iterator[LoopView]:
        """Observe the run as it is now; random generators, modes and settings are restored on exit."""
        self.step = step
        self._rng.manual_seed(SEED + step)
        with self.isolation(), self._networks.snapshot():
            self.data_std = self._real_samples.data_std()
            parts = [part.columns[1:] for part in (self._real_samples.training, self._real_samples.held_out)]
            self._conditions = [torch.cat(columns) for columns in zip(*parts, self._inputs.conditions, strict=True)]
            self._detect_logits()
            yield self

    def real(self, n: int) -> Batch:
        """Return `n` real samples of the training part, drawn anew."""
        return self._draw_real(self._real_samples.training, n, 0)

    def held_out(self, n: int) -> Batch:
        """Return `n` real samples of the held-out part, drawn anew."""
        return self._draw_real(self._real_samples.held_out, n, len(self._real_samples.training))

    def held_out_chunks(self, n: int, size: int) -> Iterator[Batch]:
        """Yield `n` real samples of the held-out part, of one draw, in batches of at most `size`."""
        part, offset = self._real_samples.held_out, len(self._real_samples.training)
        for rows in self._draw_rows(len(part), n).split(size):
            yield self._take_real(part, rows, offset)

    @property
    def has_held_out(self) -> bool:  # type: ignore[override]
        """Whether the held-out part is data that the loop does not train on."""
        return self._real_samples.has_held_out

    @property
    def held_out_size(self) -> int:
        """How many samples the held-out part has."""
        return len(self._real_samples.held_out)

    def fake(self, n: int) -> Batch:
        """Return `n` samples of the generator, in the modes that the loop calls it in, without a graph."""
        return self._generate(n, evaluated=False)

    def evaluated(self, n: int) -> Batch:
        """Return `n` samples of the generator as it is evaluated: in evaluation mode, of the average if any."""
        return self._generate(n, evaluated=True)

    @property
    def has_noise(self) -> bool:
        """Whether the generator maps noise to samples, as far as its arguments say."""
        return self._inputs.has_noise

    def fixed(self, n: int) -> Tensor:
        """Return what G makes now of `n` latents and conditions that are the same at every call."""
        return self._make_fixed(n, evaluated=False)

    def fixed_of_average(self, n: int) -> Tensor | None:
        """Return the same of the running average of G, in evaluation mode; None without an average."""
        return self._make_fixed(n, evaluated=True) if self._networks.has_average else None

    def _make_fixed(self, n: int, *, evaluated: bool) -> Tensor:
        if self._fixed_inputs is None:
            self._fixed_inputs, _ = self._inputs.sample(n, torch.Generator(self.device).manual_seed(SEED))
        convention = self._convention
        call, output = convention.generator_call, convention.output
        return self._as_given(self._networks.generate(call, self._fixed_inputs, n, output, evaluated=evaluated))

    @property
    def discriminator(self) -> DiscriminatorFn:
        """The discriminator as a loss sees it: one logit a sample."""
        return BoundDiscriminator(self.logits)

    def logits(self, batch: Batch) -> Tensor:
        """Return the discriminator's logits, higher for more real; differentiable with respect to `batch.x` alone."""
        arguments = self._arguments(batch)
        return self._sign * self._unsigned_logits(self._convention.discriminator_call, arguments, len(batch.x))

    def _arguments(self, batch: Batch) -> dict[int, Tensor]:
        """Return what D is given for a batch, by the index of the argument."""
        call, argument = self._convention.discriminator_call, self._convention.argument
        arguments = {argument: batch.x.to(call.leaves[argument].dtype)}
        arguments |= {i: arguments[argument].detach() for i in self._convention.partners}
        if conditions := self._convention.conditions:
            assert batch.labels is not None
            arguments |= {i: column[batch.labels] for i, column in zip(conditions, self._conditions, strict=True)}
        return arguments

    def head_logits(self, batch: Batch) -> Tensor | None:
        """Return the logits of each of D's heads, (heads, N); None where there is one."""
        if self._has_one_head:
            return None
        call, arguments, n = self._convention.discriminator_call, self._arguments(batch), len(batch.x)
        outputs = self._networks.discriminator_outputs(call, arguments, n, self._read_logits.pack)
        heads = torch.cat([self._read_logits.heads(output, size) for output, size in outputs], 1)[:, :n]
        self._has_one_head = len(heads) == 1  # which is not asked again
        return self._sign * heads.to(self.device) if len(heads) > 1 else None

    def generator_loss(self, d: DiscriminatorFn, real: Batch, fake: Batch) -> Tensor:
        """Return NaN, since the loop's loss is not known; its gradient is NaN as well."""
        return d(fake).mean() * math.nan

    def measured_input_gradient(self) -> Tensor:
        """Return the gradient that reached G in the loop, as `signals.input_gradient_of_g` defines it, or NaN."""
        return mean_input_gradient(self._gradients, self._cosines, self.data_std).to(self.device)

    def probabilities(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return D(x) and D(G(z)): the sigmoid of the logits, since the loop's loss is not known."""
        return torch.sigmoid(real), torch.sigmoid(fake)

    def norms(self) -> dict[str, Tensor]:
        """Return norms of each player's weights; not of gradients, whose step and scale are unknown."""
        d, g = self._networks.weight_norms()
        return {"weight_norm_d": d.to(self.device), "weight_norm_g": g.to(self.device)}

    # --- how it is computed --------------------------------------------------------------------------

    def _detect_logits(self) -> None:
        """Detect whether D returns probabilities, and whether its logits have the opposite sign."""
        self._detect_probabilities()
        self._cosines = [cosine_with_logits(gradient, self._unsigned_logits, self._few) for gradient in self._gradients]
        g_loss_rises = bool(self._cosines) and min(self._cosines) >= MIN_COSINE  # with the logits
        if g_loss_rises and self._sign > 0 and self._real_samples.sufficient:
            batches = self.real(MAX_SIGNAL_SAMPLES), self.fake(MAX_SIGNAL_SAMPLES)
            real, fake = (self.logits(batch).detach() for batch in batches)
            if float(auc(real, fake)) < MAX_FLIPPED_AUC:
                self._sign = -1.0
                self._add_note("the discriminator's logits have the opposite sign (lower means more real): negated")

    def _detect_probabilities(self) -> None:
        before = self._read_logits.probabilities
        call, argument = self._convention.discriminator_call, self._convention.argument
        x = call.leaves[argument][: self._few].detach().clone().requires_grad_()
        few = call.slice_rows(slice(self._few))
        output, n = next(self._networks.discriminator_outputs(few, {argument: x}, len(x), self._read_logits.pack))
        self._read_logits.detect_sigmoid(output, n)
        if self._read_logits.probabilities and not before:
            self._add_note("the discriminator returns probabilities, not logits: they are converted to logits")

    def _unsigned_logits(self, call: Call, arguments: Mapping[int, Tensor], n: int) -> Tensor:
        """Return logits with the sign that D gives them."""
        outputs = self._networks.discriminator_outputs(call, arguments, n, self._read_logits.pack)
        return torch.cat([self._read_logits(output, size) for output, size in outputs])[:n].to(self.device)

    def _generate(self, n: int, *, evaluated: bool) -> Batch:
        arguments, rows = self._inputs.sample(n, self._rng)
        convention = self._convention
        samples = self._networks.generate(
            convention.generator_call, arguments, n, convention.output, evaluated=evaluated
        )
        n_real = len(self._real_samples.training) + len(self._real_samples.held_out)
        return Batch(self._as_given(samples), rows + n_real if convention.conditions else None)

    def _as_given(self, samples: Tensor) -> Tensor:
        """Return samples of G in the shape that D is given them."""
        return samples.float().reshape(-1, *self._convention.shape).to(self.device)

    def _draw_real(self, part: SampleBuffer, n: int, offset: int) -> Batch:
        return self._take_real(part, self._draw_rows(len(part), n), offset)

    def _draw_rows(self, size: int, n: int) -> Tensor:
        if n <= size <= 4 * n:  # few samples: each at most once, or repeats would look like structure
            return torch.randperm(size, generator=self._rng, device=self.device)[:n]
        return torch.randint(size, (n,), generator=self._rng, device=self.device)

    def _take_real(self, part: SampleBuffer, rows: Tensor, offset: int) -> Batch:
        return Batch(part.columns[0][rows], rows + offset if self._convention.conditions else None)
