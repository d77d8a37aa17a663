"""A generator and a discriminator in training: one step, as the textbook describes it, and all state behind the next."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..contract.adapt import adapt, original, provides
from ..contract.components import Augmentation, Loss, Regularizer, Term, Update
from ..contract.outputs import DiscriminatorFn, read_outputs
from ..contract.records import ADAPTIVE, Batch, Player, Training
from ..contract.state import load_state, state_of
from ..contract.view import Game
from .data import DeviceDataset
from .discriminator import BoundDiscriminator, combine_of, condition_argument, evaluate_by_head
from .gradients import GRAPH_FREED, NoGradient, check_weights, explain_freed_graph, explain_no_gradient
from .loader import BatchStream
from .noise import sample_noise
from .objective import WeightedTerm, add_parts, last_layer_of, terms_of, weight_at
from .optimizers import (
    Build,
    build_from_installed,
    build_optimizer,
    clear_gradients,
    decay_factor,
    learning_rates,
    set_learning_rates,
)
from .precision import Precision
from .seeding import preserve_rng_state, restore_rng_state, rng_state, seed_for
from .view import RunView

if TYPE_CHECKING:
    from ..contract.updates import GameInTraining, Weights, WeightsFor


class StepRecorder(Protocol):
    """What a game needs of something that records the operations of a step on the device, to do them again."""

    def apart(self, what: str, change: Callable[[], None]) -> None:
        """Take note of a change that differs from step to step, so that it is made anew each time.

        Args:
            what: `"learning rates"`, `"update of d"`, `"update of g"` or `"average"`.
            change: Makes the change.
        """
        ...


class GAN(Game):
    """A generator and a discriminator in training, with everything that their next step depends on.

    Args:
        generator: G, as built, on the device of `training`.
        discriminator: D, as built, on the device of `training`.
        loss: What both minimize.
        regularizers: Regularizers by name.
        training: The training data.
        settings: How to train.
        seed: Seeds the order of the data and the noise.
        build: Builds what `settings` name, as `Registry.build` does; by default from the installed plugins.
        stream: Makes the stream of training batches of a size, where the data set has a loader; None where batches are
            drawn from `training`.
        augmentation: What samples go through before D sees them.
        terms: Parts of the players' objectives beside the adversarial loss.

    Attributes:
        steps_done: Steps done so far.
        d_updates: Updates of D so far.
        average: The running average of G's weights, in evaluation mode; None without one.
        view: The run as observers see it; set by whoever observes.
        times_loaded: How often the game has gone to another state.
        recorder: What records the operations of a step on the device, while it does (see `capture.py`); None else.
    """

    view: RunView
    recorder: StepRecorder | None

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        loss: Loss,
        regularizers: Mapping[str, Regularizer],
        training: DeviceDataset,
        settings: Training,
        seed: int,
        build: Build = build_from_installed,
        stream: Callable[[int], BatchStream] | None = None,
        augmentation: Augmentation | None = None,
        terms: Sequence[WeightedTerm] = (),
    ) -> None:
        if settings.channels_last:
            for network in (generator, discriminator):
                network.to(memory_format=torch.channels_last)
        self.generator, self.discriminator, self.loss = generator, discriminator, adapt("loss", loss)
        self.regularizers = {name: adapt("regularizer", regularizer) for name, regularizer in regularizers.items()}
        self.settings = settings
        self.device = training.device
        self.seed = seed
        self._build = build
        self.steps_done = 0
        self.d_updates = 0
        self.times_loaded = 0
        self.recorder = None
        self._data = training
        self._make_stream = stream
        self._stream = None if stream is None else stream(settings.batch_size)
        self._precision = Precision(settings.precision, self.device)
        self._part_size = settings.batch_size // settings.accumulate
        self._order = torch.Generator(self.device).manual_seed(seed_for(seed, "data order"))
        self._noise = torch.Generator(self.device).manual_seed(seed_for(seed, "latents"))
        self._combine = combine_of(discriminator)
        self._loss_d, self._loss_g = (
            partial(self._by_head, self.loss, of) for of in (loss.discriminator, loss.generator)
        )
        check_weights(discriminator, "D")
        check_weights(generator, "G")
        self.d_weights, self.g_weights = _trainable(discriminator), _trainable(generator)
        self.optimizer_d = build_optimizer(build, settings.optimizer_d, self.d_weights)
        self.optimizer_g = build_optimizer(build, settings.optimizer_g, self.g_weights)
        self._rates_d, self._rates_g = learning_rates(self.optimizer_d), learning_rates(self.optimizer_g)
        self._penalties_d, self._after_step_d = self._regularizers_of("discriminator")
        self._penalties_g, self._after_step_g = self._regularizers_of("generator")
        self.average = copy.deepcopy(generator).requires_grad_(False).eval() if settings.ema else None
        self._average_weights = [] if self.average is None else list(self.average.parameters())
        self._averaged_weights = list(generator.parameters())
        self._real = self.real_batch()
        self._g_is_frozen = False  # while D is updated
        self._other_d_weights: Weights | None = None  # of a D that judges in place of D
        self.augmentation: Augmentation | None = None if augmentation is None else adapt("augmentation", augmentation)
        self._augmenting = torch.Generator(self.device).manual_seed(seed_for(seed, "augmentation"))
        self.terms = tuple(terms)
        self._terms_d, self._terms_g = terms_of(self.terms, "discriminator"), terms_of(self.terms, "generator")
        self._last_layer = self._find_last_layer()
        self._parts_of_g: dict[str, Any] = {}  # values and weights at the last update, for the history
        self._heard: Batch | None = None  # real samples whose logits the augmentation adapts to
        self._signs: list[Tensor] = []  # of their logits, of each part of the batch
        self.update: Update = build("update", settings.update)

    def _find_last_layer(self) -> Tensor | None:
        """G's last layer, where a weight is adaptive; raises ValueError where G names none, or where the weight is D's."""
        adaptive = [f"term {term.name!r}" for term in self.terms if term.weight == ADAPTIVE]
        for term in self._terms_d:
            if term.weight == ADAPTIVE:
                raise ValueError(
                    f"term {term.name!r} is D's too, and an adaptive weight is G's alone; give it a number"
                )
        if self.settings.adversarial_weight == ADAPTIVE:
            adaptive.append("the adversarial loss")
        return last_layer_of(self.generator, adaptive[0]) if adaptive else None

    @property
    def steps(self) -> int:
        """The budget."""
        return self.settings.steps

    def warm_up(self, before_update: Callable[[], None] = lambda: None) -> None:
        """Train D alone until it has had its `d_warmup` updates; does nothing once the first step is done."""
        for _ in range(self.d_updates, 0 if self.steps_done else self.settings.d_warmup):
            before_update()
            self.train_discriminator()

    def step(self, seen_as: GameInTraining | None = None) -> tuple[Tensor, Tensor]:
        """Change both players' weights by the update rule of the settings; return their last losses, scalars on the device.

        Args:
            seen_as: What the update rule is given in place of the game.
        """
        if self._precision.lowers_products:
            with self._precision.products():
                return self._step(seen_as or self)
        return self._step(seen_as or self)

    def _step(self, game: GameInTraining) -> tuple[Tensor, Tensor]:
        if self.settings.lr_decay != "constant":
            self._apart("learning rates", self.set_decayed_rates)
        losses = self.update.step(game)
        if not self.steps_done:
            _check_losses(original(self.update), losses)
        loss_d, loss_g = losses
        self.steps_done += 1
        return loss_d, loss_g

    def decisions(self, d_updates: int) -> tuple[Hashable, ...]:
        """Return all that the operations of the next step depend on beside tensors and what is done apart from them.

        Two steps of equal decisions do the same operations, with other numbers.

        Args:
            d_updates: How many updates of D a step is.
        """
        settings, step = self.settings, self.steps_done
        heard = step - settings.adversarial_from
        return (
            step < settings.d_from,
            tuple((self.d_updates + i) % every == 0 for _, every in self._penalties_d for i in range(d_updates)),
            tuple(step % every == 0 for _, every in self._penalties_g),
            tuple(weight_at(term.weight, step, settings.steps) for term in self.terms),
            heard >= 0 and weight_at(settings.adversarial_weight, heard, settings.steps),
            settings.lr_decay == "constant" and (*learning_rates(self.optimizer_d), *learning_rates(self.optimizer_g)),
            (self.generator.training, self.discriminator.training),
        )

    def _apart(self, what: str, change: Callable[[], None]) -> None:
        """Make a change whose numbers differ from step to step; where operations are recorded, apart from them."""
        if self.recorder is None:
            change()
            return

        def change_in_precision() -> None:
            with self._precision.products():
                change()

        self.recorder.apart(what, change_in_precision)

    def train_discriminator(self) -> Tensor:
        """Update D on real and on generated data, steps 3 and 4 of the textbook; G is frozen. Return the loss."""
        loss = self.differentiate_discriminator()
        self.update_discriminator()
        return loss

    def train_generator(self, weights_for: WeightsFor | None = None) -> Tensor:
        """Update G on D's judgement, step 5 of the textbook; D is frozen. Return the loss."""
        loss = self.differentiate_generator(weights_for)
        self.update_generator()
        return loss

    def differentiate_discriminator(self) -> Tensor:
        """Replace D's gradients by those of a new batch; G is frozen. Return the loss, 0 before D is trained."""
        self._real = self.real_batch()
        if self.steps_done < self.settings.d_from:
            return torch.zeros((), device=self.device)
        noise = self._sample_noise()
        clear_gradients(self.optimizer_d)
        losses = []
        self._g_is_frozen = True
        self._signs = []
        for real, z in self._parts(self._real, noise):
            with torch.no_grad():  # no graph is built
                fake = self._generate(z, real)
            self._heard = real
            loss = self._loss_d(real, fake)
            if self._heard is not None and self.augmentation is not None:  # a loss that asked for other samples
                with torch.no_grad():
                    self.logits(real)
            total = loss
            for penalty, every in self._penalties_d:
                if self.d_updates % every == 0:
                    total = total + penalty(real, fake) * every  # lazy regularization: as strong on average
            total = self._add_terms_d(total, real, fake)
            losses.append(self._add_gradients("d", loss, total, real, z))
        self._heard = None
        return _sum(losses)

    def update_discriminator(self, adjust: Callable[[], None] | None = None, *, lookahead: bool = False) -> None:
        """Let D's optimizer step (see `GameInTraining`); before D is trained nothing happens."""
        if self.steps_done < self.settings.d_from:
            return
        self._apart("update of d", self._optimize_d)
        if adjust is not None:
            adjust()
        for after_step in self._after_step_d:
            after_step(self.discriminator)
        if not lookahead:
            self.d_updates += 1
            if self._signs and self.augmentation is not None:
                self.augmentation.adapt(torch.cat(self._signs))

    def differentiate_generator(self, weights_for: WeightsFor | None = None) -> Tensor:
        """Replace G's gradients by those of new noise; D is frozen. Return the loss."""
        losses = []
        self._g_is_frozen = False
        with _Frozen(self.d_weights):
            noise = self._sample_noise()
            clear_gradients(self.optimizer_g)
            for real, z in self._parts(self._real, noise):
                fake = self._generate(z, real)
                if weights_for is None:
                    loss, total = self._objective_g(real, fake)
                else:
                    with self._judged_by(weights_for(real, fake)):
                        loss, total = self._objective_g(real, fake)
                losses.append(self._add_gradients("g", loss, total, real, z))
        return _sum(losses)

    def _optimize_d(self) -> None:
        self._precision.update("d", self.optimizer_d, self.d_weights, self.settings.clip)

    def _optimize_g(self) -> None:
        self._precision.update("g", self.optimizer_g, self.g_weights, self.settings.clip)

    def update_generator(self, adjust: Callable[[], None] | None = None, *, lookahead: bool = False) -> None:
        """Let G's optimizer step, and the running average follow (see `GameInTraining`)."""
        self._apart("update of g", self._optimize_g)
        if adjust is not None:
            adjust()
        for after_step in self._after_step_g:
            after_step(self.generator)
        if self.average is not None and not lookahead:
            self._apart("average", self._follow)

    @torch.no_grad()
    def _follow(self) -> None:
        """Let the running average follow G."""
        # The weights of the first steps are forgotten sooner than the decay alone would have it.
        decay = min(self.settings.ema, (self.steps_done + 1) / (self.steps_done + 10))
        torch._foreach_lerp_(self._average_weights, self._averaged_weights, 1 - decay)

    def discriminator_objective(self, real: Batch, fake: Batch, weights: Weights) -> Tensor:
        """Return what D minimizes if it has these weights; every penalty as strong as it is on average."""
        with self._judged_by(weights):
            total = self._loss_d(real, fake)
            for penalty, _ in self._penalties_d:
                total = total + penalty(real, fake)
            return self._add_terms_d(total, real, fake)

    def _add_terms_d(self, total: Tensor, real: Batch, fake: Batch) -> Tensor:
        """Add D's terms, for which D runs once."""
        if not self._terms_d:
            return total
        d = self.d
        for term in self._terms_d:
            weight = weight_at(term.weight, self.steps_done, self.settings.steps)
            assert weight is not None
            total = total + weight * self._checked(term, term.value(d, real, fake), real, fake)
        return total

    def _objective_g(self, real: Batch, fake: Batch) -> tuple[Tensor, Tensor]:
        """The adversarial loss, and what G minimizes: it with the terms, all of them weighted, and the penalties due.

        Until G hears D, the first is the terms alone.
        """
        loss, total = self._weighted_terms_g(real, fake)
        for penalty, every in self._penalties_g:
            if self.steps_done % every == 0:
                total = total + penalty(real, fake) * every
        return loss, total

    def _weighted_terms_g(self, real: Batch, fake: Batch) -> tuple[Tensor, Tensor]:
        """The adversarial loss, and it with the terms, all of them weighted; D runs once for all.

        Until G hears D, both are the terms alone.
        """
        d, settings = self.d, self.settings
        parts: dict[str, tuple[Tensor, float | None]] = {}
        for term in self._terms_g:
            weight = weight_at(term.weight, self.steps_done, settings.steps)
            parts[f"term.{term.name}"] = self._checked(term, term.value(d, real, fake), real, fake), weight
        heard = self.steps_done - settings.adversarial_from
        if heard >= 0:
            loss = self._loss_g(real, fake, d)
            if not parts and settings.adversarial_weight == 1.0:
                return loss, loss
            parts["adversarial"] = loss, weight_at(settings.adversarial_weight, heard, settings.steps)
        total, weights = add_parts(parts, self._last_layer)
        self._parts_of_g = {name: value.detach() for name, (value, _) in parts.items() if name != "adversarial"}
        self._parts_of_g |= {f"weight.{name.removeprefix('term.')}": weight for name, weight in weights.items()}
        return (loss if heard >= 0 else total), total

    @contextmanager
    def _judged_by(self, weights: Weights) -> Iterator[None]:
        """Let a D with these weights judge inside the block."""
        before, self._other_d_weights = self._other_d_weights, weights
        try:
            yield
        finally:
            self._other_d_weights = before

    def _parts(self, real: Batch, noise: Tensor) -> Iterator[tuple[Batch, Tensor]]:
        """The parts of a batch that go through the networks at once, with the noise of as many samples."""
        if self.settings.accumulate == 1:
            yield real, noise
            return
        n = self._part_size
        for i in range(0, len(noise), n):
            yield real[i : i + n], noise[i : i + n]

    def _add_gradients(self, player: str, loss: Tensor, total: Tensor, real: Batch, z: Tensor) -> Tensor:
        """Add a part's share of the gradients of `total`, made of `real` and noise `z`; return its share of `loss`."""
        parts = self.settings.accumulate
        if not total.requires_grad:  # the first loss was looked at before; this one is of a later step
            raise self._explain_no_gradient(self.loss, real, self._generate(z, real))
        try:
            self._precision.backward(player, total if parts == 1 else total / parts)
        except RuntimeError as error:
            if GRAPH_FREED in str(error):
                raise explain_freed_graph(player.upper()) from error
            raise
        if not self.steps_done:
            weights = self.d_weights if player == "d" else self.g_weights
            # 0 is what a loss that begins later returns.
            if all(weight.grad is None for weight in weights) and float(total):
                raise self._explain_no_gradient(self.loss, real, self._generate(z, real))
        return loss.detach() if parts == 1 else loss.detach() / parts

    @property
    def d(self) -> BoundDiscriminator:
        """D as losses and regularizers see it; a new one runs D anew, one that is kept remembers what D returned."""
        return BoundDiscriminator(self._run_discriminator, self._combine)

    def logits(self, batch: Batch) -> Tensor:
        """Return D's logits for a batch, as losses that see all heads at once do."""
        return self.d(batch)

    def _run_discriminator(self, batch: Batch) -> Any:
        given = batch
        if self.augmentation is not None:
            batch = self.augmentation(batch, self._augmenting)
        network = self.discriminator
        condition = condition_argument(network, batch.condition)
        if self._other_d_weights is not None:  # with buffers of its own: what it counts is no update of D
            buffers = {name: buffer.clone() for name, buffer in self.discriminator.named_buffers()}
            network = _Functional(self.discriminator, {**buffers, **self._other_d_weights})
        returned = self._precision.call(network, batch.x, batch.labels, **condition)
        if self.augmentation is not None and given is self._heard:
            self._signs.append(read_outputs(returned, self._combine).of_samples.detach().sign())
            self._heard = None
        return returned

    def _by_head(
        self,
        component: Loss | Regularizer,
        compute: Callable[[DiscriminatorFn, Batch, Batch], Tensor],
        real: Batch,
        fake: Batch,
        d: BoundDiscriminator | None = None,
    ) -> Tensor:
        """A loss or a penalty, of each head of D where it is one that sees one head at a time; D runs anew without `d`."""
        value = evaluate_by_head(component, compute, self.d if d is None else d, real, fake)
        if not isinstance(value, Tensor) or value.numel() != 1:
            found = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"{type(original(component)).__name__} returns {found}, and a scalar is expected")
        if not value.requires_grad and not self.steps_done and torch.is_grad_enabled():
            self._check_gradient(component, value, real, fake)
        return value

    def _checked(self, term: WeightedTerm, value: Tensor, real: Batch, fake: Batch) -> Tensor:
        """Return a term's value; raise NoGradient for a first one without a gradient. One of 0 may begin later."""
        if not value.requires_grad and not self.steps_done and torch.is_grad_enabled() and float(value):
            raise self._explain_no_gradient(term.term, real, fake)
        return value

    def _check_gradient(self, component: Loss | Regularizer, value: Tensor, real: Batch, fake: Batch) -> None:
        """Raise NoGradient for a first loss without a gradient; a penalty of 0 may begin later."""
        if isinstance(component, Regularizer) and not float(value):
            return
        raise self._explain_no_gradient(component, real, fake)

    def _explain_no_gradient(self, component: Loss | Regularizer | Term, real: Batch, fake: Batch) -> NoGradient:
        """Return why a component has no gradient to the player whose turn it is."""
        seen = fake if self.augmentation is None else self.augmentation(fake, self._augmenting)
        player, weights = ("D", self.d_weights) if self._g_is_frozen else ("G", self.g_weights)
        networks = self.generator, self.discriminator
        return explain_no_gradient(
            component, player, fake.x, seen.x, self.logits(fake), *networks, self.augmentation, weights
        )

    def _regularizers_of(self, player: Player) -> tuple[list[tuple[Callable[[Batch, Batch], Tensor], int]], list[Any]]:
        """The penalties of a player's regularizers with their intervals, and what they do after its updates."""
        mine = [r for r in self.regularizers.values() if r.player == player]
        penalties: list[tuple[Callable[[Batch, Batch], Tensor], int]] = []
        for r in mine:
            if provides(r, "penalty"):
                offered = {
                    "generate": self.generate,
                    "module": self.generator if player == "generator" else self.discriminator,
                }
                takes = offered.keys() & inspect.signature(r.penalty).parameters.keys()
                penalty = partial(r.penalty, **{name: offered[name] for name in takes}) if takes else r.penalty
                penalties.append((partial(self._by_head, r, penalty), r.every))
        return penalties, [r.after_step for r in mine if provides(r, "after_step")]

    def real_batch(self) -> Batch:
        """Draw a batch of training data, with replacement; from the data set's loader, the next one."""
        if self._stream is not None:
            batch = self._stream.draw()
        else:
            size = (self.settings.batch_size,)
            batch = self._data.take(torch.randint(len(self._data), size, generator=self._order, device=self.device))
        if self.settings.channels_last and batch.x.ndim == 4:
            return batch.with_x(batch.x.to(memory_format=torch.channels_last))
        return batch

    def generate(self, z: Tensor, given: Batch) -> Batch:
        """Generate from noise, under the labels and conditions of a batch; without a graph while G is frozen."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self._g_is_frozen):
            return self._generate(z, given)

    def _sample_noise(self) -> Tensor:
        return sample_noise(self.generator, self.settings.batch_size, self._noise)

    def _generate(self, noise: Tensor, given: Batch) -> Batch:
        condition = condition_argument(self.generator, given.condition)
        x = self._precision.call(self.generator, noise, given.labels, **condition)
        return Batch(x, given.labels, given.condition, noise)

    def evaluated_generator(self) -> nn.Module:
        """Return G as it is evaluated: a copy in evaluation mode, of the running average if there is one."""
        evaluated: nn.Module = copy.deepcopy(self.generator if self.average is None else self.average)
        if self.average is not None:
            for mine, trained in zip(evaluated.buffers(), self.generator.buffers(), strict=True):
                mine.copy_(trained)  # batch statistics are not averaged
        return evaluated.eval()

    def weights(self) -> dict[str, Tensor]:
        """Return all weights and buffers by name, on the CPU; under "average" those of G as it is evaluated, if averaged."""
        parts = {"generator": self.generator, "discriminator": self.discriminator}
        if self.average is not None:
            parts["average"] = self.evaluated_generator()
        return {f"{p}.{name}": t.detach().cpu() for p, m in parts.items() for name, t in m.state_dict().items()}

    def evaluated_weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights and buffers of G as it is evaluated, by name, on the CPU."""
        return {name: t.detach().cpu() for name, t in self.evaluated_generator().state_dict().items()}

    def signals(self) -> dict[str, Any]:
        """Return what the history is to show of the augmentation, and the terms of G's objective with all weights."""
        shown = {} if self.augmentation is None else self.augmentation.signals()
        return {f"augmentation.{name}": value for name, value in shown.items()} | self._parts_of_g

    @property
    def has_stream(self) -> bool:
        """Whether batches come from the data set's loader."""
        return self._stream is not None

    @property
    def generators(self) -> list[torch.Generator]:
        """The random number generators of the game's own."""
        return [self._order, self._noise, self._augmenting]

    @property
    def components(self) -> dict[str, Any]:
        """Everything that a plugin may have made, by what a reader calls it: networks, loss, penalties and so on."""
        augmentation = {} if self.augmentation is None else {"augmentation": self.augmentation}
        names = ("generator", "discriminator", "optimizer_d", "optimizer_g", "update")
        return {name: getattr(self, name) for name in names} | self._components | augmentation

    @property
    def last_batch(self) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The real samples that D was last trained on, with their labels and conditions."""
        return self._real.x, self._real.labels, self._real.condition

    def synchronize(self) -> None:
        """Wait until the device has finished its work."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of everything that the next step depends on."""
        networks = {name: state_of(getattr(self, name)) for name in self._networks}
        optimizers = {name: getattr(self, name).state_dict() for name in ("optimizer_g", "optimizer_d")}
        components = {name: state_of(component) for name, component in self._components.items()}
        streams = ("_order", "_noise") if self.augmentation is None else ("_order", "_noise", "_augmenting")
        generators = {name: getattr(self, name).get_state() for name in streams}
        counters = {name: getattr(self, name) for name in ("steps_done", "d_updates")}
        state = {
            "networks": networks,
            "optimizers": optimizers,
            "components": components,
            "scalers": {player: scaler.state_dict() for player, scaler in self._precision.scalers.items()},
            "generators": generators,
            "counters": counters,
            "real": (self._real.x, self._real.labels, self._real.condition),
            "random": rng_state(self.device),
            "update": state_of(self.update),
            "stream": None if self._stream is None else self._stream.state_dict(),
            "augmentation": None if self.augmentation is None else state_of(self.augmentation),
        }
        return copy.deepcopy(state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to the state of another moment of the same run; the next steps are then the same again, bit for bit."""
        state = copy.deepcopy(dict(state))
        for name in self._networks:
            load_state(getattr(self, name), state["networks"][name])
        for name, part in state["optimizers"].items():
            getattr(self, name).load_state_dict(part)
        for name, component in self._components.items():
            if name in state["components"]:
                load_state(component, state["components"][name])
        for player, scaler in self._precision.scalers.items():
            if player in state["scalers"]:
                scaler.load_state_dict(state["scalers"][player])
        for name, generator_state in state["generators"].items():
            getattr(self, name).set_state(generator_state)
        for name, counter in state["counters"].items():
            setattr(self, name, counter)
        if "update" in state:
            load_state(self.update, state["update"])
        if self._stream is not None:
            self._stream.load_state_dict(state["stream"])
        if self.augmentation is not None and state.get("augmentation") is not None:
            load_state(self.augmentation, state["augmentation"])
        self._real = Batch(*state["real"])
        restore_rng_state(state["random"], self.device)
        self.times_loaded += 1

    def fork(
        self,
        steps: int,
        *,
        lr_d: float = 1.0,
        lr_g: float = 1.0,
        more_regularizers: Mapping[str, Regularizer] | None = None,
        **settings: Any,
    ) -> GAN:
        """Return a copy of the game, trained `steps` further under other rules (see `Game.fork`)."""
        rules = replace(self.settings, **settings)
        with preserve_rng_state(self.device), torch.enable_grad():
            other = self._copy(rules, {**self.regularizers, **(more_regularizers or {})}, lr_d, lr_g)
            for _ in range(steps):
                other.step()
        other.view = self.view.of(other.generator, other.discriminator, other.average)
        other.view.game = other
        return other

    def _copy(self, settings: Training, regularizers: Mapping[str, Regularizer], lr_d: float, lr_g: float) -> GAN:
        """A copy of the game under other rules. It shares the data, and nothing that learns."""
        # One copy call, for what the parts share; a loss may have state, too.
        parts = (self.generator, self.discriminator, self.loss, dict(regularizers), self.augmentation, self.terms)
        g, d, loss, own, augmentation, terms = copy.deepcopy(parts)
        other = GAN(
            g, d, loss, own, self._data, settings, self.seed, self._build, self._make_stream, augmentation, terms
        )
        # The loss and regularizers are copies as they are now; those of other rules keep their own options.
        state = self.state_dict()
        if settings.update != self.settings.update:
            del state["update"]
        other.load_state_dict({**state, "components": {}})
        other._rates_d = _scaled(
            self._rates_d if settings.optimizer_d == self.settings.optimizer_d else other._rates_d, lr_d
        )
        other._rates_g = _scaled(
            self._rates_g if settings.optimizer_g == self.settings.optimizer_g else other._rates_g, lr_g
        )
        other.set_decayed_rates()  # those loaded are of the old rules
        return other

    @property
    def _networks(self) -> list[str]:
        return ["generator", "discriminator", *([] if self.average is None else ["average"])]

    @property
    def _components(self) -> dict[str, Any]:
        """The loss, the regularizers and the terms, which may remember something."""
        regularizers = {f"regularizer {name}": r for name, r in self.regularizers.items()}
        return {"loss": self.loss, **regularizers, **{f"term {term.name}": term.term for term in self.terms}}

    def set_decayed_rates(self) -> None:
        """Set the learning rates of the next step."""
        factor = decay_factor(self.settings.lr_decay, self.steps_done / self.settings.steps)
        set_learning_rates(self.optimizer_d, self._rates_d, factor)
        set_learning_rates(self.optimizer_g, self._rates_g, factor)


class _Frozen:
    """Compute no gradient for `weights` inside the block. A class, as a generator takes several times as long to enter."""

    def __init__(self, weights: list[nn.Parameter]) -> None:
        self._weights = weights

    def __enter__(self) -> None:
        for weight in self._weights:
            weight.requires_grad_(False)

    def __exit__(self, *raised: object) -> None:
        for weight in self._weights:
            weight.requires_grad_(True)


class _Functional:
    """A network with other weights and buffers."""

    def __init__(self, network: nn.Module, weights: Mapping[str, Tensor]) -> None:
        self._network, self._weights = network, dict(weights)

    def __call__(self, *inputs: Any, **more: Any) -> Any:
        return functional_call(self._network, self._weights, inputs, more)


def _check_losses(component: Update, losses: Any) -> None:
    """Raise ValueError unless a step has returned two losses."""
    if not isinstance(losses, tuple | list) or len(losses) != 2:
        shown = f"{len(losses)} values" if isinstance(losses, tuple | list) else type(losses).__name__
        raise ValueError(f"its step returns {shown}, and the losses of D and G are expected: return loss_d, loss_g")


def _sum(losses: list[Tensor]) -> Tensor:
    return losses[0] if len(losses) == 1 else torch.stack(losses).sum()


def _trainable(network: nn.Module) -> list[nn.Parameter]:
    """The weights that are trained: those that a network's author has frozen stay frozen."""
    return [weight for weight in network.parameters() if weight.requires_grad]


def _scaled(rates: list[float | None], factor: float) -> list[float | None]:
    return [None if rate is None else rate * factor for rate in rates]
