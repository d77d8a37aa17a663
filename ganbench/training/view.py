"""A trial in training as observers see it, and how many samples they may look at."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..contract.adapt import adapt
from ..contract.components import Loss
from ..contract.outputs import DiscriminatorFn, DiscriminatorOutputs, read_outputs
from ..contract.records import Batch, DataSpec
from ..contract.view import View
from .data import DeviceDataset
from .discriminator import BoundDiscriminator, combine_of, condition_argument, evaluate_by_head
from .noise import has_noise, sample_noise
from .seeding import preserve_rng_state

PROBE_SHARE = 0.003  # of the samples that are trained on, for each probe
FREE_FLOPS = 3e7  # operations that cost nothing beside a step: small networks are bound by call overhead
MIN_PROBE_SAMPLES = 128  # with fewer samples probes say little


def affordable_samples(trained_on: int, flops_per_sample: float) -> int:
    """Return how many samples a probe may take, so that probing stays a small share of training.

    Operations are counted, never timed: a time would differ from run to run, and the history with it.

    Args:
        trained_on: Samples that the run trains on.
        flops_per_sample: Floating-point operations of G and D together for a sample.
    """
    return max(MIN_PROBE_SAMPLES, round(PROBE_SHARE * trained_on + FREE_FLOPS / max(flops_per_sample, 1.0)))


def flops_per_sample(forward: Callable[[], Any], samples: int) -> float:
    """Return floating-point operations of `forward` per sample, counted by torch; infinity where it cannot count."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    try:
        with counter, torch.no_grad():
            forward()
    except Exception:  # a network that the counter fails on is taken for an expensive one
        return float("inf")
    return counter.get_total_flops() / samples


class RunView(View):
    """What observers see of a trial.

    The networks are called as functions of detached weights and of copies of their buffers, in the mode they train in
    (`average`, a running average of G, in evaluation mode); samples and noise come from a random number generator of the
    view's own. So weights, buffers, gradients, modes and random numbers of the run stay as they are.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        loss: Loss,
        training: DeviceDataset,
        held_out: DeviceDataset,
        data: DataSpec,
        *,
        seed: int,
        steps: int,
        average: nn.Module | None = None,
    ) -> None:
        self.data = data
        self.data_std = training.std()
        self.step = 0
        self.steps = steps
        self.affordable = MIN_PROBE_SAMPLES  # samples that a probe may take
        self._generator, self._discriminator, self._loss = generator, discriminator, adapt("loss", loss)
        # A copy to run in evaluation mode: with its own weights if it is the average, else with those of the live generator.
        self._average = average
        self._evaluated = average if average is not None else copy.deepcopy(generator).eval()
        self._training, self._held_out = training, held_out
        self._device = training.device
        self._seed = seed
        self._random = torch.Generator(self._device)
        self._states: dict[nn.Module, dict[str, Tensor]] = {}

    def of(self, generator: Any, discriminator: Any, average: nn.Module | None) -> RunView:
        """Return a view like this one, of other networks."""
        other = copy.copy(self)
        other.game = None
        other._generator, other._discriminator, other._average = generator, discriminator, average
        other._evaluated = average if average is not None else copy.deepcopy(generator).eval()
        other._random = torch.Generator(self._device)
        other._states = {}
        return other

    @contextmanager
    def at(self, step: int) -> Iterator[RunView]:
        """Observe the run as it is now; the global random number generators are as before afterwards."""
        self.step = step
        self._random.manual_seed((self._seed + step) % 2**63)  # what one observation draws does not shift the next
        with preserve_rng_state(self._device):
            self._states = {module: _state(module) for module in (self._generator, self._discriminator)}
            try:
                yield self
            finally:
                self._states = {}

    def real(self, n: int) -> Batch:
        """Return `n` samples of the training data, drawn anew."""
        return self._draw(self._training, n)

    def held_out(self, n: int) -> Batch:
        """Return `n` samples that training never sees, drawn anew."""
        return self._draw(self._held_out, n)

    def held_out_chunks(self, n: int, size: int) -> Iterator[Batch]:
        """Yield `n` samples that training never sees, of one draw, in batches of at most `size`."""
        yield from map(self._held_out.take, self._draw_rows(self._held_out, n).split(size))

    def set_budget(self, trained_on: int, embed: Callable[[Tensor], Tensor]) -> None:
        """Set how many samples a probe may take of a run that trains on `trained_on` samples.

        Args:
            trained_on: How many.
            embed: What a probe does with samples besides passing them through D.
        """
        n = self.round_to_pack(8)

        def look() -> None:
            fake = self.fake(n)
            self.logits(fake)
            embed(fake.x)

        with self.at(0):
            self.affordable = affordable_samples(trained_on, flops_per_sample(look, n))

    @property
    def held_out_size(self) -> int:
        """How many held-out samples there are."""
        return len(self._held_out)

    def fake(self, n: int) -> Batch:
        """Return `n` samples of the generator from fresh noise, without a graph; under labels and conditions of training."""
        return self._generate(self._generator, self._states[self._generator], n, self._training)

    @property
    def has_noise(self) -> bool:
        """Whether the generator maps noise to samples, rather than conditions alone."""
        return has_noise(self._generator)

    def noise(self, n: int) -> Tensor:
        """Return fresh noise for `n` samples, as the generator takes it."""
        return sample_noise(self._generator, n, self._random)

    def evaluated(self, n: int) -> Batch:
        """Return `n` samples of the generator as it is evaluated: in evaluation mode, of the average if there is one.

        They are made under held-out conditions where the data has conditions, since those that were trained on may have
        been memorized with their answers.
        """
        data = self._training if self.data.condition is None else self._held_out
        return self._generate(self._evaluated, self._evaluated_state(), n, data)

    def generate(self, z: Tensor, given: Batch) -> Batch:
        """Return what the generator, as it is evaluated, makes of noise under the labels and conditions of a batch."""
        return self._run_generator(self._evaluated, self._evaluated_state(), z, given)

    def _evaluated_state(self) -> dict[str, Tensor]:
        state = self._states[self._generator]
        if self._average is None:
            return state
        # batch statistics are not averaged: they are the generator's
        return state | {name: weight.detach() for name, weight in self._average.named_parameters()}

    def fixed(self, n: int) -> Tensor:
        """Return what the generator makes now of `n` noise vectors that are the same at every observation."""
        return self._run_generator(self._generator, self._states[self._generator], *self._fixed_inputs(n)).x

    def fixed_of_average(self, n: int) -> Tensor | None:
        """Return the same of the running average of the generator, in evaluation mode; None without an average."""
        if self._average is None:
            return None
        return self._run_generator(self._evaluated, self._evaluated_state(), *self._fixed_inputs(n)).x

    def _fixed_inputs(self, n: int) -> tuple[Tensor, Batch | None]:
        random = torch.Generator(self._device).manual_seed(self._seed)
        z = sample_noise(self._generator, n, random)
        if not self._training.is_conditional:
            return z, None
        given = self._training.take(torch.arange(min(n, len(self._training)), device=self._device))
        return z[: len(given)], given

    def norms(self) -> dict[str, Tensor]:
        """Return norms of each player's weights, and of the gradients of its last update where they are kept."""
        norms = {}
        for player, network in (("d", self._discriminator), ("g", self._generator)):
            weights = [weight.detach() for weight in network.parameters()]
            gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
            for what, tensors in (("weight", weights), ("gradient", gradients)):
                if tensors:
                    norms[f"{what}_norm_{player}"] = torch.stack(torch._foreach_norm(tensors)).norm()
        return norms

    def logits(self, batch: Batch) -> Tensor:
        """Return one logit a sample; differentiable with respect to `batch.x` alone."""
        return self._outputs(batch).of_samples

    def head_logits(self, batch: Batch) -> Tensor | None:
        """Return the logits of each of D's heads, (heads, N); None where there is one."""
        outputs = self._outputs(batch)
        return torch.stack(outputs.of_heads) if len(outputs.heads) > 1 else None

    @property
    def discriminator(self) -> DiscriminatorFn:
        """The discriminator as a loss sees it; differentiable with respect to `batch.x` alone."""
        return BoundDiscriminator(self._run_discriminator, combine_of(self._discriminator))

    def _outputs(self, batch: Batch) -> DiscriminatorOutputs:
        return read_outputs(self._run_discriminator(batch), combine_of(self._discriminator))

    def _run_discriminator(self, batch: Batch) -> Any:
        condition = condition_argument(self._discriminator, batch.condition)
        given = (batch.x, batch.labels)
        return functional_call(self._discriminator, self._states[self._discriminator], given, condition)

    def generator_loss(self, d: DiscriminatorFn, real: Batch, fake: Batch) -> Tensor:
        """Return what the generator minimizes, by the loss in use."""
        return evaluate_by_head(self._loss, self._loss.generator, d, real, fake)

    def probabilities(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return D(x) and D(G(z)) from logits, as the loss in use reads them."""
        return self._loss.probabilities(real, fake)

    def round_to_pack(self, n: int) -> int:
        """Return the largest number of samples up to `n` that the discriminator can take; at least one pack."""
        pack = getattr(self._discriminator, "pack", 1)
        return max(n // pack, 1) * pack

    def _generate(self, generator: Any, state: dict[str, Tensor], n: int, data: DeviceDataset) -> Batch:
        z = sample_noise(self._generator, n, self._random)
        return self._run_generator(generator, state, z, self._draw(data, n) if data.is_conditional else None)

    @torch.no_grad()
    def _run_generator(self, generator: Any, state: dict[str, Tensor], z: Tensor, given: Batch | None) -> Batch:
        """Generate from noise, under the labels and conditions of `given`."""
        labels, condition = (None, None) if given is None else (given.labels, given.condition)
        x = functional_call(generator, state, (z, labels), condition_argument(generator, condition))
        return Batch(x, labels, condition, z)

    def _draw(self, data: DeviceDataset, n: int) -> Batch:
        return data.take(self._draw_rows(data, n))

    def _draw_rows(self, data: DeviceDataset, n: int) -> Tensor:
        size = len(data)
        if n <= size <= 4 * n:  # few samples: each at most once, since repeats would look like structure
            return torch.randperm(size, generator=self._random, device=self._device)[:n]
        return torch.randint(size, (n,), generator=self._random, device=self._device)


def _state(module: nn.Module) -> dict[str, Tensor]:
    weights = {name: weight.detach() for name, weight in module.named_parameters()}
    return weights | {name: buffer.clone() for name, buffer in module.named_buffers()}
