"""What a built component of each kind must offer.

Any component of a trial may also offer `skip(trial) -> str | None`, a static method of `build`: why it cannot serve
that trial. A metric or diagnosis that cannot is left out; without any other part the trial is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .events import Event
from .records import Batch, DataSpec, Direction, Finding, History, Modes, Player, Samples, Trial, TrialResult

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

Judge = Callable[[Batch], "Tensor"]  # a discriminator as losses see it: a batch in, logits of shape (N,) out


class Generator(Protocol):
    """An `nn.Module` from latents of shape (N, latent_dim) to samples of shape (N, *data.shape).

    Latents are standard normal, or uniform on [-1, 1) where it declares `prior = "uniform"`.
    """

    latent_dim: int

    def __call__(self, z: Tensor, labels: Tensor | None = None) -> Tensor: ...


class Discriminator(Protocol):
    """An `nn.Module` from samples to logits of shape (N,); (N / pack,) where it declares `pack`."""

    def __call__(self, x: Tensor, labels: Tensor | None = None) -> Tensor: ...


class Loss(Protocol):
    """What D and G minimize, each a scalar. `d(real)` and `d(fake)` give logits."""

    def discriminator(self, d: Judge, real: Batch, fake: Batch) -> Tensor: ...

    def generator(self, d: Judge, real: Batch, fake: Batch) -> Tensor: ...


class Regularizer(Protocol):
    """A penalty added to the loss of the player it declares.

    May declare `player` ("discriminator" unless it says otherwise), `every` (apply at each such update, times
    `every`), and offer `after_step(module)`, which acts on the player's network once its optimizer has stepped.
    """

    def penalty(self, d: Judge, real: Batch, fake: Batch) -> Tensor: ...


class AfterStep(Protocol):
    """The act of a regularizer that changes weights instead of the loss."""

    player: Player

    def after_step(self, module: Any) -> None: ...


class Dataset(Protocol):
    """Samples to learn from, and held-out ones that training never sees.

    Building one is cheap and states `spec`; samples are loaded when first asked for. The same options give the
    same samples. They are float32, or uint8 whose 0 to 255 stand for the spec's `value_range`. `build` raises FileNotFoundError, naming the files and where to put them, if data is not there.
    May offer `modes: Modes`.
    """

    spec: DataSpec

    def training(self) -> Batch: ...

    def held_out(self) -> Batch: ...


class HasModes(Protocol):
    """A data set whose modes are exactly known."""

    modes: Modes


class Metric(Protocol):
    """Scores of samples: a mapping of names to values; `better` is one direction, or one for each name."""

    better: Direction | Mapping[str, Direction]

    def score(self, samples: Samples) -> Mapping[str, float]: ...


class JudgeOfGames(Metric, Protocol):
    """A metric of the whole game, of D as well as of G's samples: a run is scored by `score_game`, its floor by `score`."""

    def score_game(self, samples: Samples, game: Game) -> Mapping[str, float]: ...


class Game(Protocol):
    """A run in the middle of its training: to look at through `view`, and to play on under other rules.

    `play_on` leaves the run as it is and returns a copy of it, `steps` further on. `more_regularizers` are added to the
    run's own; `settings` stand in for those of its training, whose learning rates are multiplied by `lr_d` and `lr_g`.
    """

    @property
    def steps_done(self) -> int: ...

    @property
    def steps(self) -> int: ...

    @property
    def view(self) -> View: ...

    def play_on(
        self,
        steps: int,
        *,
        lr_d: float = 1.0,
        lr_g: float = 1.0,
        more_regularizers: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Game: ...


class View(Protocol):
    """A run as observers see it: looking through it changes nothing, and every draw is the observer's own.

    `game` is there where the run can be played on, and None where it cannot: in a loop that is not ours.
    """

    step: int
    steps: int
    data: DataSpec

    @property
    def data_std(self) -> float | Tensor: ...

    @property
    def game(self) -> Game | None: ...

    def at(self, step: int) -> AbstractContextManager[View]: ...

    def real(self, n: int) -> Batch: ...

    def held_out(self, n: int) -> Batch: ...

    def fake(self, n: int) -> Batch: ...

    def evaluated(self, n: int) -> Batch: ...

    def judge(self, batch: Batch) -> Tensor: ...

    def whole_packs(self, n: int) -> int: ...

    def generator_loss(self, d: Judge, real: Batch, fake: Batch) -> Tensor: ...


class Diagnosis(Protocol):
    """A judgement of a history, which holds the signals of every observation.

    May declare `probes`, the names of those it needs, which cost more and are taken a few times a run; and offer
    `observe(view) -> Mapping[str, float]` and `probe(view) -> Mapping[str, float]`, whose values become columns
    `<name of the diagnosis>.<key>`. `follows` may name failures that this one can be a consequence of, and
    `detects` the failure that it is scored for, where it is not named after it; `suspicion(history, horizon) -> float`
    says how suspect a history is, below the threshold of a finding too.
    """

    def diagnose(self, history: History) -> Iterable[Finding]: ...


class Comparison(Protocol):
    """What a report is given: the four tables of a report's CSV files, and each trial's arrays."""

    @property
    def suite(self) -> str: ...

    @property
    def summary(self) -> str: ...

    @property
    def trials(self) -> pd.DataFrame: ...

    @property
    def scores(self) -> pd.DataFrame: ...

    @property
    def findings(self) -> pd.DataFrame: ...

    @property
    def comparison(self) -> pd.DataFrame: ...

    @property
    def environment(self) -> Mapping[str, Any]: ...

    @property
    def damaged(self) -> Sequence[str]: ...

    def history(self, trial: str) -> Mapping[str, np.ndarray[Any, Any]]: ...

    def picture(self, trial: str) -> Path | None: ...


class Report(Protocol):
    """Writes a comparison into a folder, and nowhere else; returns the files, the one to open first first."""

    def write(self, comparison: Comparison, folder: Path) -> list[Path]: ...


class Executor(Protocol):
    """Carries trials out and gives each back exactly once, in any order, whatever happened to it.

    `emit` is to be called with each TrialStarted and TrialProgress, in the calling process.
    """

    def run(self, trials: Sequence[Trial], emit: Callable[[Event], None]) -> Iterator[TrialResult]: ...
