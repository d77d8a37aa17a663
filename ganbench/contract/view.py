"""What diagnoses and metrics may see of a run in training, and do with a copy of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from .outputs import DiscriminatorFn
from .records import Batch, DataSpec

if TYPE_CHECKING:
    from torch import Tensor


class View:
    """A run as observers see it: looking changes nothing, and every random draw is the observer's own.

    Valid inside `with view.at(step)`. There are two: of a trial, and of a training loop that ganbench does not run.

    Attributes:
        step: Steps done so far.
        steps: The budget.
        data: What the data looks like.
        data_std: Standard deviation of the data, over all values.
        affordable: How many samples a probe may take, so that probing stays a small share of training.
        game: The run, where it can be continued under other rules; None where it cannot.
        is_sparing: Whether nothing is computed that no probe reads. A trial is looked at as trials always were: leaving
            something out would shift what is drawn after it, and so the numbers that stored results are compared with.
        has_held_out: Whether the held-out samples are data that the run does not train on.
    """

    step: int
    steps: int
    data: DataSpec
    data_std: float | Tensor
    affordable: int
    game: Game | None = None
    is_sparing: bool = False
    has_held_out: bool = True

    def at(self, step: int) -> AbstractContextManager[View]:
        """Look at the run as it is now, after `step` steps."""
        raise _abstract(self, "at")

    def real(self, n: int) -> Batch:
        """Return `n` samples of the training data, drawn anew."""
        raise _abstract(self, "real")

    def held_out(self, n: int) -> Batch:
        """Return `n` samples that training never sees, drawn anew."""
        raise _abstract(self, "held_out")

    def held_out_chunks(self, n: int, size: int) -> Iterator[Batch]:
        """Yield `n` samples that training never sees, of one draw, in batches of at most `size`: for large samples."""
        drawn = self.held_out(n)
        for i in range(0, n, size):
            yield drawn[i : i + size]

    @property
    def held_out_size(self) -> int:
        """How many held-out samples there are."""
        raise _abstract(self, "held_out_size")

    def fake(self, n: int) -> Batch:
        """Return `n` samples of the generator as it trains, from fresh noise, without a graph."""
        raise _abstract(self, "fake")

    def evaluated(self, n: int) -> Batch:
        """Return `n` samples of the generator as it is evaluated: in evaluation mode, of the average if there is one."""
        raise _abstract(self, "evaluated")

    @property
    def has_noise(self) -> bool:
        """Whether the generator maps noise to samples, rather than conditions alone."""
        return True

    def noise(self, n: int) -> Tensor:
        """Return fresh noise for `n` samples, as the generator takes it."""
        raise _abstract(self, "noise")

    def generate(self, z: Tensor, given: Batch) -> Batch:
        """Return what the generator, as it is evaluated, makes of noise under the labels and conditions of a batch."""
        raise _abstract(self, "generate")

    def fixed(self, n: int) -> Tensor:
        """Return what the generator makes now of `n` noise vectors that are the same at every call."""
        raise _abstract(self, "fixed")

    def fixed_of_average(self, n: int) -> Tensor | None:
        """Return the same of the running average of the generator, in evaluation mode; None without an average."""
        return None

    @property
    def discriminator(self) -> DiscriminatorFn:
        """The discriminator as a loss sees it; differentiable with respect to `batch.x` alone."""
        raise _abstract(self, "discriminator")

    def logits(self, batch: Batch) -> Tensor:
        """Return one logit a sample, higher for more real; differentiable with respect to `batch.x` alone.

        It is the mean over a map of logits, and of several heads their mean or sum, as D declares.
        """
        raise _abstract(self, "logits")

    def head_logits(self, batch: Batch) -> Tensor | None:
        """Return the logits of each of D's heads, of shape (heads, N), where there are several; else None."""
        return None

    def probabilities(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return D(x) and D(G(z)) from logits, as the loss in use reads them."""
        raise _abstract(self, "probabilities")

    def generator_loss(self, d: DiscriminatorFn, real: Batch, fake: Batch) -> Tensor:
        """Return what the generator minimizes, by the loss in use."""
        raise _abstract(self, "generator_loss")

    def measured_input_gradient(self) -> Tensor | None:
        """Return the gradient that reached G's samples in the loop, where only the loop knows G's loss; else None."""
        return None

    def norms(self) -> dict[str, Tensor]:
        """Return norms of each player's weights, and of its gradients where they are known."""
        raise _abstract(self, "norms")

    def round_to_pack(self, n: int) -> int:
        """Return the largest number of samples up to `n` that the discriminator can take; at least one pack."""
        return max(n, 1)

    # Names that a plugin may still use; they go with the next release.

    def judge(self, batch: Batch) -> Tensor:
        """Deprecated: `logits`."""
        _warn_renamed("View.judge", "View.logits")
        return self.logits(batch)

    def whole_packs(self, n: int) -> int:
        """Deprecated: `round_to_pack`."""
        _warn_renamed("View.whole_packs", "View.round_to_pack")
        return self.round_to_pack(n)


class Game:
    """A run in the middle of its training: to look at through `view`, and to continue as a copy under other rules.

    Attributes:
        steps_done: Steps done so far.
        view: The run as observers see it.
    """

    steps_done: int
    view: View

    @property
    def steps(self) -> int:
        """The budget."""
        raise _abstract(self, "steps")

    def fork(
        self,
        steps: int,
        *,
        lr_d: float = 1.0,
        lr_g: float = 1.0,
        more_regularizers: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Game:
        """Return a copy of the run, trained `steps` further; the run itself stays as it is.

        With the defaults the copy is what the run itself will be by then.

        Args:
            steps: Steps to train the copy.
            lr_d: Factor on the discriminator's learning rate.
            lr_g: Factor on the generator's learning rate.
            more_regularizers: Regularizers to add to the run's own, by name.
            **settings: Fields of `Training` to replace.
        """
        raise _abstract(self, "fork")

    def signals(self) -> Mapping[str, Any]:
        """Return what the history is to show beside what observers measure, by column; nothing by default."""
        return {}

    def play_on(self, steps: int, **rules: Any) -> Game:
        """Deprecated: `fork`."""
        _warn_renamed("Game.play_on", "Game.fork")
        return self.fork(steps, **rules)


def _abstract(owner: object, member: str) -> TypeError:
    return TypeError(f"{type(owner).__name__} must offer {member!r}")


def _warn_renamed(old: str, new: str) -> None:
    warnings.warn(f"{old} is now {new}; the old name goes with the next release", FutureWarning, stacklevel=3)
