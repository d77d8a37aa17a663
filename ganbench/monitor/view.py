"""A foreign run as observers see it: forward passes that leave the loop's networks, modes and streams alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..observation.schedule import OBSERVED
from ..observation.signals import auc
from ..protocols import Game, Judge
from ..records import Batch, DataSpec
from . import gradients, priors
from .aside import aside
from .calls import Call, tensors_in
from .conventions import Conventions, Lesson, Unlike
from .logits import LogitReader
from .reals import SEED, Reals
from .rows import Rows
from .window import Gradient
from .wrappers import innermost

BELIEVED = 0.4  # AUC below which a D whose logits G makes fall is one that finds lower more real
PIECE = 16  # samples in a forward pass, at least; else as many as in the loop's own
KINDS: dict[int, str] = {1: "points", 3: "images"}
State = dict[str, Tensor]


class LoopView:
    """What observers see of a foreign loop, in the terms of `observation.RunView`. Valid inside `with view.at(step)`.

    `Batch.labels` are no classes here but say which row of what the loop has shown a sample's conditions are in.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        average: nn.Module | None,
        reals: Reals,
        logits: LogitReader,
        *,
        steps: int,
        say: Callable[[str], None],
    ) -> None:
        self.steps, self.step = steps, 0
        self.data = DataSpec("unknown", ())
        self.data_std = 1.0
        self.game: Game | None = None
        self._generator, self._discriminator = innermost(generator), innermost(discriminator)
        self._average = None if average is None else innermost(average)
        self._networks = [n for n in (self._generator, self._discriminator, self._average) if n is not None]
        self._reals, self._logits, self._say = reals, logits, say
        self._made = Rows()  # what G was given, and D's conditions for it
        self._priors: dict[int, priors.Prior | None] = {}
        self._gradients: list[Gradient] = []
        self._agreements: list[float] = []
        self._sign = 1.0
        self._fixed: dict[int, Tensor] | None = None
        self._states: dict[nn.Module, State] = {}
        self._conditions: list[Tensor] = []
        self._conventions: Conventions

    def learn(self, lesson: Lesson, seen: Sequence[Gradient]) -> None:
        """Take in how the loop calls its networks, and the gradients that came back to G."""
        self._conventions = lesson.conventions
        for columns in lesson.made:
            self._made.add(columns)
        batched = lesson.conventions.made.batched
        if batched and not len(self._made):
            raise Unlike(
                "it cannot be told which of the generator's samples the discriminator is given with which condition"
            )
        self._reals.meet(lesson)
        self._priors = {i: priors.prior_of(column) for i, column in zip(batched, self._made.columns, strict=False)}
        self._gradients = gradients.of_g(seen)
        self.device = lesson.conventions.judged.leaves[lesson.conventions.slot].device
        self._random = torch.Generator(self.device)
        shape = lesson.conventions.shape
        self.data = DataSpec(KINDS.get(len(shape), "unknown"), shape)  # type: ignore[arg-type]

    @contextmanager
    def at(self, step: int) -> Iterator[LoopView]:
        """Look at the run as it is now; streams, modes and settings are as before when it is over."""
        self.step = step
        self._random.manual_seed(SEED + step)
        with self.aside():
            self.data_std = self._reals.data_std()
            self._states = {network: _state(network) for network in self._networks}
            self._conditions = self._condition_columns()
            try:
                self._notice()
                yield self
            finally:
                self._states = {}

    @contextmanager
    def aside(self, *owners: Any) -> Iterator[None]:
        """Whatever is done inside, the loop notices nothing; nor do the random streams that `owners` hold."""
        with aside(self._networks, owners):
            yield

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
        put, rows = self._drawn(n, self._random)
        return Batch(self._generate(self._generator, put, n), rows)

    def evaluated(self, n: int) -> Batch:
        """`n` samples of the generator as it is judged: in evaluation mode, of the average where there is one."""
        judged = self._generator if self._average is None else self._average
        put, rows = self._drawn(n, self._random)
        return Batch(self._generate(judged, put, n, training=False), rows)

    def fixed(self, n: int) -> Tensor:
        """What G makes now of the same latents and conditions at every look."""
        if self._fixed is None:
            self._fixed, _ = self._drawn(n, torch.Generator(self.device).manual_seed(SEED))
        return self._generate(self._generator, self._fixed, n)

    def judge(self, batch: Batch) -> Tensor:
        """The discriminator's logits, higher for real; differentiable in `batch.x` alone."""
        call, places = self._conventions.judged, self._conventions.conditions
        put: dict[int, Tensor] = {self._conventions.slot: batch.x.to(call.leaves[self._conventions.slot].dtype)}
        if places:
            assert batch.labels is not None
            put |= {i: column[batch.labels] for i, column in zip(places, self._conditions, strict=True)}
        return self._sign * self._judged(call, put, len(batch.x))

    def generator_loss(self, d: Judge, real: Batch, fake: Batch) -> Tensor:
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
        players = (("d", self._discriminator), ("g", self._generator))
        return {f"weight_norm_{player}": _norm(network).to(self.device) for player, network in players}

    def whole_packs(self, n: int) -> int:
        """Samples are judged one by one."""
        return max(n, 1)

    def _notice(self) -> None:
        """Whether D returns probabilities, and whether G makes its logits rise or fall."""
        before = self._logits.probabilities
        call, slot = self._conventions.judged, self._conventions.slot
        x = call.leaves[slot].detach().clone().requires_grad_()
        self._logits.notice(call.repeat(self._discriminator, self._states[self._discriminator], {slot: x}), call.kept)
        if self._logits.probabilities and not before:
            self._say("the discriminator returns probabilities, not logits: they are read as such")
        self._agreements = [gradients.agreement(g, self._judged_at) for g in self._gradients]
        rising = bool(self._agreements) and min(self._agreements) >= gradients.AGREED  # G's loss rises with the logits
        if rising and self._sign > 0 and self._reals.enough:
            real, fake = (self.judge(batch).detach() for batch in (self.real(OBSERVED), self.fake(OBSERVED)))
            if float(auc(real, fake)) < BELIEVED:
                self._sign = -1.0
                self._say("the discriminator has the wrong sign (lower means more real): its logits are turned round")

    def _judged_at(self, call: Call, slot: int, x: Tensor) -> Tensor:
        output = call.repeat(self._discriminator, self._states[self._discriminator], {slot: x})
        return self._logits(output, len(x))

    def _judged(self, call: Call, put: Mapping[int, Tensor], n: int) -> Tensor:
        state = self._states[self._discriminator]
        logits = [
            self._logits(call.repeat(self._discriminator, state, piece), size)
            for piece, size in _pieces(put, n, call.n)
        ]
        return torch.cat(logits).to(self.device)

    def _drawn(self, n: int, stream: torch.Generator) -> tuple[dict[int, Tensor], Tensor | None]:
        """G's arguments for `n` samples: latents of the prior, everything else as the loop has given it."""
        call = self._conventions.made
        rows = torch.randint(max(len(self._made), 1), (n,), generator=stream, device=stream.device)
        put = {}
        for i, column in zip(call.batched, self._made.columns, strict=False):
            prior = self._priors.get(i)
            put[i] = column[rows.to(column.device)] if prior is None else priors.draw(prior, column, n, stream)
        pool = len(self._reals.seen) + len(self._reals.held_out)
        return put, rows + pool if self._conventions.conditions else None

    @torch.no_grad()
    def _generate(self, network: nn.Module, put: Mapping[int, Tensor], n: int, training: bool | None = None) -> Tensor:
        call, state, samples = self._conventions.made, self._states[network], []
        for piece, size in _pieces(put, n, call.n):
            given: dict[int, Any] = dict(piece)
            if not call.batched:  # a generator that is told how many samples to make
                given |= {i: size for i, leaf in enumerate(call.leaves) if type(leaf) is int and leaf == call.n}
            output = tensors_in(call.repeat(network, state, given, training))
            samples.append(output[self._conventions.sample])
        return torch.cat(samples).float().reshape(-1, *self._conventions.shape).to(self.device)

    def _real(self, part: Rows, n: int, offset: int) -> Batch:
        size = len(part)
        if n <= size <= 4 * n:  # few samples: each at most once, or repeats would look like structure
            rows = torch.randperm(size, generator=self._random, device=self.device)[:n]
        else:
            rows = torch.randint(size, (n,), generator=self._random, device=self.device)
        return Batch(part.columns[0][rows], rows + offset if self._conventions.conditions else None)

    def _condition_columns(self) -> list[Tensor]:
        """D's conditions: of the real samples, of both parts, and then of what G was given."""
        own = self._made.columns[len(self._conventions.made.batched) :]
        parts = [part.columns[1:] for part in (self._reals.seen, self._reals.held_out)]
        return [torch.cat(columns) for columns in zip(*parts, own, strict=True)]


def _pieces(put: Mapping[int, Tensor], n: int, batch: int) -> Iterator[tuple[dict[int, Tensor], int]]:
    """The arguments in equal pieces of about the loop's batch: as batch statistics and memory expect them."""
    count = math.ceil(n / max(batch, PIECE))
    split = {i: column.tensor_split(count) for i, column in put.items()}
    sizes = [len(rows) for rows in torch.empty(n).tensor_split(count)]
    for k, size in enumerate(sizes):
        yield {i: parts[k] for i, parts in split.items()}, size


def _state(network: nn.Module) -> State:
    weights = {name: weight.detach() for name, weight in network.named_parameters()}
    return weights | {name: buffer.clone() for name, buffer in network.named_buffers()}


def _norm(network: nn.Module) -> Tensor:
    weights = [weight.detach() for weight in network.parameters()]
    return torch.stack(torch._foreach_norm(weights)).float().norm() if weights else torch.zeros(())
