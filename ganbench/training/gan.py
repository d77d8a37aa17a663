"""Two players learning from each other: one step of the game, as the textbook has it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .. import latents
from ..pool import Pool
from ..records import Batch, Training
from ..seeding import global_streams, put_back, seed_for
from . import optimizers


class GAN:
    """A generator and a discriminator in training, with everything that their next step depends on.

    `training` lies on the device that the networks are on. The networks are as built; `seed` gives the order of
    the data and the latents.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        loss: Any,
        regularizers: Mapping[str, Any],
        training: Pool,
        settings: Training,
        seed: int,
    ) -> None:
        self.generator, self.discriminator, self.loss = generator, discriminator, loss
        self.regularizers = regularizers
        self.settings = settings
        self.device = training.device
        self.seed = seed
        self.steps_done = 0
        self.d_updates = 0
        self._data = training
        self._order = torch.Generator(self.device).manual_seed(seed_for(seed, "data order"))
        self._latents = torch.Generator(self.device).manual_seed(seed_for(seed, "latents"))
        self._d_weights, self._g_weights = _learning(discriminator), _learning(generator)
        self.optimizer_d = optimizers.build(settings.optimizer_d, self._d_weights)
        self.optimizer_g = optimizers.build(settings.optimizer_g, self._g_weights)
        self._penalties_d, self._acts_d = _of_player(regularizers, "discriminator")
        self._penalties_g, self._acts_g = _of_player(regularizers, "generator")
        self.average = copy.deepcopy(generator).requires_grad_(False).eval() if settings.ema else None
        self._average_weights = [] if self.average is None else list(self.average.parameters())
        self._averaged_weights = list(generator.parameters())
        self._real = self.real_batch()

    def warm_up(self) -> None:
        """Let D learn alone, where the settings ask for it."""
        for _ in range(self.settings.d_warmup):
            self.train_discriminator()

    def step(self) -> tuple[Tensor, Tensor]:
        """D learns `d_steps` times, then G `g_steps` times. Returns their last losses, still on the device."""
        if self.settings.lr_decay != "constant":
            self._set_learning_rates()
        for _ in range(self.settings.d_steps):
            loss_d = self.train_discriminator()
        for _ in range(self.settings.g_steps):
            loss_g = self.train_generator()
        self.steps_done += 1
        return loss_d, loss_g

    def train_discriminator(self) -> Tensor:
        """Steps 3 and 4 of the textbook: D learns from real data and from generated data; G is frozen."""
        real = self._real = self.real_batch()
        with torch.no_grad():  # G is frozen: nothing of it is kept for a gradient
            fake = self.fake_batch(real.labels)
        self.optimizer_d.zero_grad()
        loss: Tensor = self.loss.discriminator(self.judge, real, fake)
        total = loss
        for penalty, every in self._penalties_d:
            if self.d_updates % every == 0:
                total = total + penalty(self.judge, real, fake) * every  # lazy, but as strong on average
        total.backward()
        self.optimizer_d.step()
        for act in self._acts_d:
            act(self.discriminator)
        self.d_updates += 1
        return loss.detach()

    def train_generator(self) -> Tensor:
        """Step 5 of the textbook: G learns from D's judgement; D is frozen."""
        with frozen(self._d_weights):
            fake = self.fake_batch(self._real.labels)
            self.optimizer_g.zero_grad()
            loss: Tensor = self.loss.generator(self.judge, self._real, fake)
            total = loss
            for penalty, every in self._penalties_g:
                if self.steps_done % every == 0:
                    total = total + penalty(self.judge, self._real, fake) * every
            total.backward()
        self.optimizer_g.step()
        for act in self._acts_g:
            act(self.generator)
        if self.average is not None:
            # Weights of the first steps are worth forgetting sooner than the decay would.
            decay = min(self.settings.ema, (self.steps_done + 1) / (self.steps_done + 10))
            with torch.no_grad():
                torch._foreach_lerp_(self._average_weights, self._averaged_weights, 1 - decay)
        return loss.detach()

    def judge(self, batch: Batch) -> Tensor:
        """The discriminator as losses see it."""
        logits: Tensor = self.discriminator(batch.x, batch.labels)
        return logits

    def real_batch(self) -> Batch:
        """A batch of training data, drawn with replacement."""
        size = (self.settings.batch_size,)
        return self._data.take(torch.randint(len(self._data), size, generator=self._order, device=self.device))

    def fake_batch(self, labels: Tensor | None) -> Batch:
        """A batch of generated samples from fresh latents, with the labels of the real batch beside it."""
        z = latents.draw(self.generator, self.settings.batch_size, self._latents)
        return Batch(self.generator(z, labels), labels)

    def evaluated_generator(self) -> nn.Module:
        """G as it is judged: a copy in evaluation mode, of the running average where there is one."""
        judged: nn.Module = copy.deepcopy(self.generator if self.average is None else self.average)
        if self.average is not None:
            for mine, trained in zip(judged.buffers(), self.generator.buffers(), strict=True):
                mine.copy_(trained)  # batch statistics have no average of their own
        return judged.eval()

    def weights(self) -> dict[str, Tensor]:
        """All weights and buffers by name, on the CPU; under "average" those of G as it is judged, where it is one."""
        parts = {"generator": self.generator, "discriminator": self.discriminator}
        if self.average is not None:
            parts["average"] = self.evaluated_generator()
        return {f"{p}.{name}": t.detach().cpu() for p, m in parts.items() for name, t in m.state_dict().items()}

    def wait(self) -> None:
        """Let an accelerator finish what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def capture(self) -> dict[str, Any]:
        """A copy of everything that the next step depends on."""
        parts = {name: getattr(self, name).state_dict() for name in self._stateful}
        streams = {name: getattr(self, name).get_state() for name in ("_order", "_latents")}
        counters = {name: getattr(self, name) for name in ("steps_done", "d_updates", "_real")}
        randomness = global_streams(self.device)
        return copy.deepcopy({"parts": parts, "streams": streams, "counters": counters, "random": randomness})

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a captured state; the next steps are then the same again."""
        state = copy.deepcopy(dict(state))
        for name, part in state["parts"].items():
            getattr(self, name).load_state_dict(part)
        for name, stream in state["streams"].items():
            getattr(self, name).set_state(stream)
        for name, counter in state["counters"].items():
            setattr(self, name, counter)
        put_back(state["random"], self.device)

    def branch(self, settings: Training, regularizers: Mapping[str, Any]) -> GAN:
        """A copy of the game as it stands, to go on under other rules. It shares the data and nothing that learns."""
        # A loss may keep count of its calls: the copy's are its own. One copy call, for what they share.
        parts = (self.generator, self.discriminator, self.loss, dict(regularizers))
        other = GAN(*copy.deepcopy(parts), self._data, settings, self.seed)
        other.restore(self.capture())
        other._set_learning_rates()  # those restored are the old ones
        return other

    @property
    def _stateful(self) -> list[str]:
        average = [] if self.average is None else ["average"]
        return ["generator", "discriminator", "optimizer_g", "optimizer_d", *average]

    def _set_learning_rates(self) -> None:
        factor = optimizers.decay_factor(self.settings.lr_decay, self.steps_done / self.settings.steps)
        for optimizer, ref in (
            (self.optimizer_g, self.settings.optimizer_g),
            (self.optimizer_d, self.settings.optimizer_d),
        ):
            for group in optimizer.param_groups:
                group["lr"] = ref.options["lr"] * factor


@contextmanager
def frozen(weights: list[nn.Parameter]) -> Iterator[None]:
    """No gradient is computed for `weights` inside."""
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


def _learning(network: nn.Module) -> list[nn.Parameter]:
    """The weights that learn: those that an author has frozen stay so."""
    return [weight for weight in network.parameters() if weight.requires_grad]


def _of_player(regularizers: Mapping[str, Any], player: str) -> tuple[list[tuple[Any, int]], list[Any]]:
    """Penalties with their intervals, and acts after a step, of the regularizers that `player` bears."""
    mine = [r for r in regularizers.values() if getattr(r, "player", "discriminator") == player]
    penalties = [(r.penalty, getattr(r, "every", 1)) for r in mine if hasattr(r, "penalty")]
    return penalties, [r.after_step for r in mine if hasattr(r, "after_step")]
