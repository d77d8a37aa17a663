"""Base classes of the components that plugins offer, with documented defaults for everything that is optional.

Subclassing is the easy way: an editor completes the members, a type checker checks them, and `ganbench check` names one
that is misspelt. It is not required: any object with the required members works, and what it leaves out is taken from
the base class (`contract/adapt.py`).

Every component of a trial may also offer `skip(trial) -> str | None`, a static method of what `build` names: the reason
why it cannot serve that trial, or None. A metric or diagnosis that cannot is left out of the trial; for any other part
the trial is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .events import Event
from .outputs import DiscriminatorFn
from .records import (
    Batch,
    DataSpec,
    Direction,
    Estimate,
    Finding,
    History,
    Horizon,
    Modes,
    Player,
    PlayerOrBoth,
    ReferencePart,
    Samples,
    Trial,
    TrialResult,
)

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import Tensor, nn

    from .updates import GameInTraining
    from .view import Game, View


# --- networks ----------------------------------------------------------------------------------------
# Networks are `torch.nn.Module`s, which the contract must not import; so theirs are protocols.


class Generator(Protocol):
    """An `nn.Module` from noise, or from a condition, to samples.

    Where the data has conditions and `forward` takes `condition`, it is given them, (N, *data.condition).

    Attributes:
        latent_dim: Length of a noise vector, or the shape of the noise of one sample; 0 for a generator without noise,
            whose `z` of shape (N, 0) says no more than how many samples there are.
        last_layer: Optional. Its last layer, that layer's weight or the weight's name, which adaptive weights of an objective
            are measured at.
        prior: Optional. `"normal"` (the default) for standard normal noise, `"uniform"` for noise on [-1, 1).
    """

    latent_dim: int | tuple[int, ...]

    def __call__(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map noise of shape (N, latent_dim) or (N, *latent_dim) to samples of shape (N, *data.shape)."""
        ...


class Discriminator(Protocol):
    """An `nn.Module` from samples to logits.

    Where the data has conditions and `forward` takes `condition`, it is given them, (N, *data.condition).

    Attributes:
        pack: Optional. Samples judged together (PacGAN, Lin et al. 2018); 1 by default.
        combine: Optional. Whether the losses and logits of several heads are averaged, `"mean"`, the default, or added,
            `"sum"`.
    """

    def __call__(self, x: Tensor, labels: Tensor | None = None) -> Any:
        """Map samples of shape (N, *data.shape) to logits; higher means more real.

        Returns:
            Logits (N,), or (N / pack,); or a map of them (N, ...), as of patches; or a list or tuple of these, one for
            each head; or a mapping with any of these under `"logits"`, and whatever else D computes: features, classes.
        """
        ...


# --- what is optimized -------------------------------------------------------------------------------


class Loss:
    """What the discriminator D and the generator G minimize.

    Example:
        >>> class Logistic(ganbench.Loss):
        ...     def discriminator(self, d, real, fake):
        ...         return torch.nn.functional.softplus(d(fake) - d(real)).mean()
        ...
        ...     def generator(self, d, real, fake):
        ...         return -torch.sigmoid(d(fake)).mean()

    Attributes:
        per_head: Whether a D with several heads is seen one head at a time, as the losses of HiFi-GAN and pix2pixHD are:
            the loss is then computed for each head, and the losses of the heads are averaged or added as D declares. With
            False it is computed once, for the combined logits, or from `d.outputs(batch)`. True by default.
        needs: What D has to return beside its logits, by the names that `d.outputs(batch)` has it under: `classes`,
            `embedding`; nothing by default.
    """

    per_head: bool = True
    needs: Sequence[str] = ()

    def discriminator(self, d: DiscriminatorFn, real: Batch, fake: Batch) -> Tensor:
        """Return the scalar that D minimizes.

        Args:
            d: D as a function: `d(batch)` gives its logits, (N,) or a map (N, ...); `d.outputs(batch)` whatever it returns.
            real: N samples of the training data.
            fake: N generated samples, detached from G.
        """
        raise _missing(self, "discriminator")

    def generator(self, d: DiscriminatorFn, real: Batch, fake: Batch) -> Tensor:
        """Return the scalar that G minimizes; the gradient flows through `d(fake)`, while D is frozen.

        Args:
            d: D as a function: `d(batch)` gives its logits, (N,) or a map (N, ...); `d.outputs(batch)` whatever it returns.
            real: N samples of the training data.
            fake: N generated samples, with the graph that leads back to G.
        """
        raise _missing(self, "generator")

    def probabilities(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return D(x) and D(G(z)) as probabilities of being real; by default the sigmoid of the logits.

        Override it where a logit of this loss means something else.

        Args:
            real: Logits of real samples, of shape (N,).
            fake: Logits of generated samples, of shape (N,).
        """
        return real.sigmoid(), fake.sigmoid()


class Regularizer:
    """A penalty added to a player's loss, or an action on its weights after each of its updates.

    Offer `penalty`, `after_step`, or both.

    Attributes:
        player: The player that is regularized; `"discriminator"` by default.
        every: Apply the penalty at each such update, times `every` ("lazy regularization", Karras et al. 2020); 1 by
            default.
        per_head: Whether the penalty is computed for each of D's heads, as losses are, rather than once for the combined
            logits; False by default.
        may_be_negative: Whether the penalty may be negative, as one that rewards; False by default.
    """

    player: Player = "discriminator"
    every: int = 1
    per_head: bool = False
    may_be_negative: bool = False

    def penalty(self, d: DiscriminatorFn, real: Batch, fake: Batch) -> Tensor:
        """Return a scalar that is not negative, unless `may_be_negative`; optional, no penalty by default.

        One that needs G takes `generate` too, by that name: `generate(z, fake)` is a batch made from noise `z`, under the
        labels and conditions of `fake`. While D is updated it has no graph, since G is frozen. One of weights takes
        `module`: the network of its player.

        Args:
            d: D as a function: `d(batch)` gives its logits, (N,) or a map (N, ...); `d.outputs(batch)` whatever it returns.
            real: N samples of the training data.
            fake: N generated samples.
        """
        raise _missing(self, "penalty")

    def after_step(self, module: nn.Module) -> None:
        """Change the weights of the player's network in place, after its optimizer has stepped; optional."""


class Term:
    """A part of a player's objective beside the adversarial loss: a distance to a target, features, classes.

    A suite gives it a weight: `terms = [{ name = "l1", weight = 45 }]`.

    Example:
        >>> class L1(ganbench.Term):
        ...     def __call__(self, d, real, fake):
        ...         return (fake.x - real.x).abs().mean()

    Attributes:
        player: Whose objective it is a part of: `"generator"`, the default, `"discriminator"`, or `"both"`.
    """

    player: PlayerOrBoth = "generator"

    def __call__(self, d: DiscriminatorFn, real: Batch, fake: Batch) -> Tensor:
        """Return the scalar that the player minimizes, without its weight.

        Raise ValueError, in a line that says what is needed, where D or the samples do not give it.

        Args:
            d: D as a function: `d.outputs(batch)` is whatever it returns, `features` and `classes` among it where it has them.
            real: N samples of the training data: the targets, where data and samples are paired.
            fake: N generated samples, under the labels and conditions of the real ones; `fake.z` is their noise. For D they
                have no graph.
        """
        raise _missing(self, "__call__")

    def prepare(self) -> None:
        """Ensure that weights it needs are there, before anything is trained; nothing to do by default."""


class Augmentation:
    """What samples go through, real or generated, before D sees them; in training alone.

    Where a run is observed and evaluated D sees samples as they are. The gradient flows through to G, and a gradient
    penalty differentiates twice. What is remembered is resumed: offer `state_dict`, or keep it in plain attributes.

    Example:
        >>> class Noise(ganbench.Augmentation):
        ...     def __init__(self, data, *, sigma: float = 0.1):
        ...         self.sigma = sigma
        ...
        ...     def __call__(self, batch, stream):
        ...         noise = torch.randn(batch.x.shape, generator=stream, device=stream.device)
        ...         return batch.with_x(batch.x + self.sigma * noise)
    """

    def __call__(self, batch: Batch, stream: torch.Generator) -> Batch:
        """Return the batch with other samples, as many and of the same shape; the given ones stay as they are.

        Args:
            batch: Real or generated samples.
            stream: Where every random number comes from, on the device of the samples.
        """
        raise _missing(self, "__call__")

    def adapt(self, signs: Tensor) -> None:
        """Take in the signs of D's logits of the training samples of an update of D, (N,); nothing to do by default."""

    def signals(self) -> Mapping[str, Tensor | float]:
        """Return what the history is to show of it, as the column `augmentation.<key>`; nothing by default."""
        return {}


class Update:
    """How both players' weights change in one step.

    What a rule remembers from step to step is resumed: offer `state_dict`, or keep it in plain attributes.

    Example:
        >>> class Alternating(ganbench.Update):
        ...     def step(self, game):
        ...         return game.train_discriminator(), game.train_generator()
    """

    def step(self, game: GameInTraining) -> tuple[Tensor, Tensor]:
        """Carry out one step; return the last losses of D and of G, scalars on the device, detached."""
        raise _missing(self, "step")


# --- data and evaluation -----------------------------------------------------------------------------


class Dataset:
    """Samples to train on, and held-out ones that training never sees.

    Building one is cheap and sets `spec`; samples are loaded when they are first asked for. The same options give the
    same samples. `build` raises FileNotFoundError, naming the files and where to put them, if data is not there.

    Attributes:
        spec: What the samples look like.
        modes: The exact modes where they are known; None by default.
        large: Whether loading it takes long or much memory, so that methods are tried on made-up samples before a run,
            rather than on its own; False by default.
    """

    spec: DataSpec
    modes: Modes | None = None
    large: bool = False

    def training(self) -> Batch:
        """Return all training samples: float32, or uint8 whose 0 to 255 span `spec.value_range`."""
        raise _missing(self, "training")

    def held_out(self) -> Batch:
        """Return all held-out samples, in the form of `training`."""
        raise _missing(self, "held_out")

    def training_loader(self, batch_size: int, seed: int) -> Iterable[Batch]:
        """Return what yields batches to train on, for data that does not fit into memory; optional.

        It is iterated again at its end, and a smaller batch there is left out. The same seed gives the same batches in
        the same order, so that a run can be resumed: by drawing as many again, or faster with `state_dict` and
        `load_state_dict` of the returned object. `training` then returns as many training samples as fit into memory,
        which are observed and make up the floor.

        Args:
            batch_size: Samples in a batch.
            seed: Seeds the order.
        """
        raise _missing(self, "training_loader")


class Features:
    """Maps samples to feature vectors, in which metrics compare them.

    The same samples give the same features on every call. Building one is cheap: weights are read when samples come.

    Attributes:
        dim: Length of a feature vector; 0 where it depends on the samples.
        preprocessing: What is done to a sample first, in one line: resizing, range, grey to colour.
        checksum: SHA-256 of the weights, in hexadecimal; empty where there are none. Cached features are found by it.
        taps: Dimensions of shallower layers, by the name that `__call__` takes; none by default. Where there are too few
            samples for `dim`, a metric may take one of these.
        expensive: Whether features take so long that they are computed at the end of a run only, unless the suite says
            otherwise; False by default.
    """

    dim: int
    preprocessing: str
    checksum: str = ""
    taps: Mapping[str, int] = {}
    expensive: bool = False

    def __call__(self, samples: Tensor, tap: str = "") -> Tensor:
        """Return features of shape (N, dim), float32, on the samples' device.

        Args:
            samples: Of shape (N, *shape), float32; images span [-1, 1]. At most some hundreds at once.
            tap: The layer: one of `taps`, or empty for the features themselves.
        """
        raise _missing(self, "__call__")

    def prepare(self) -> None:
        """Ensure that the weights are there and the right ones, before anything is trained; nothing to do by default.

        Raises FileNotFoundError or ValueError, which says in one line what is missing and how to get it.
        """


class Metric:
    """Scores of generated samples.

    Attributes:
        better: `"higher"` or `"lower"`, or one of them for each name that `score` returns.
        features: The features that samples are compared in; None, the default, for the samples themselves.
        min_samples: The fewest samples of each part that it can score; 2 by default. With fewer it is left out.
        expensive: Whether it is scored at the end of a run only, unless the suite says otherwise; by default whether its
            features are.
        reference: The part of the data that it compares with: `"held-out"`, the default, or `"training"`.
        n_samples: Generated samples, and at most as many of the reference; None, the default, for as many as the suite
            says. A metric that needs more than the data has is left out.
        max_samples: How many samples of each part `ganbench evaluate` compares at most, drawn at random, where the cost
            grows with the number of pairs; None, the default, for all. In a run the suite says how many there are.
        needs_training: Whether it asks how near to training samples generated ones are. Its floor is then that of
            held-out samples.
        implied_features: What its features are called where its own name implies them, as `fid` does Inception's. Scores
            of other metrics on features bear their name: `frechet-lite0-64`.
    """

    better: Direction | Mapping[str, Direction]
    features: Features | None = None
    min_samples: int = 2
    expensive: bool | None = None
    reference: ReferencePart = "held-out"
    n_samples: int | None = None
    max_samples: int | None = None
    needs_training: bool = False
    implied_features: str = ""

    def score(self, samples: Samples) -> Mapping[str, float | Estimate]:
        """Return a value for each name; a metric with one value gives it its own name, or an empty one."""
        raise _missing(self, "score")

    def score_game(self, samples: Samples, game: Game) -> Mapping[str, float | Estimate]:
        """Return scores of the whole game, of D as well as of G's samples; by default those of the samples alone.

        A run is scored by `score_game`, and its floor by `score`.
        """
        return self.score(samples)


# --- diagnosis ---------------------------------------------------------------------------------------


class Diagnosis:
    """Looks for one failure in the history of a run.

    Attributes:
        probes: Names of the probes it needs: measurements that cost more and are made a few times in a run.
        follows: Failures that this one can be a consequence of.
        detects: The failure that it is scored for; its own name by default.
        needs_noise: Whether what it looks for cannot happen to a generator without noise; it is then left out. False by
            default.
    """

    probes: Sequence[str] = ()
    follows: Sequence[str] = ()
    detects: str | None = None
    needs_noise: bool = False

    def diagnose(self, history: History) -> Iterable[Finding]:
        """Return what is found in a history, which holds the signals of every observation so far."""
        raise _missing(self, "diagnose")

    def observe(self, view: View) -> Mapping[str, Any]:
        """Return signals of its own, measured at every observation; none by default.

        Each value (a float or a scalar tensor) becomes the column `<name of the diagnosis>.<key>` of the history.
        """
        return {}

    def probe(self, view: View) -> Mapping[str, Any]:
        """Return measurements of its own, made where the run is probed; none by default. Columns as of `observe`."""
        return {}

    def score(self, history: History, horizon: Horizon) -> float:
        """Return how suspect a history is, from 0 to 1, below the threshold of a finding too.

        Optional: where it is not offered, the confidence of the findings is taken.
        """
        raise _missing(self, "score")


# --- reports and executors ---------------------------------------------------------------------------


class Comparison:
    """What a report is given: the results of a run, compared, and each trial's arrays.

    The tables have the columns of the CSV files of a report (`docs/results.md`).

    Attributes:
        suite: Name of the suite.
        summary: What the suite says it is for.
        trials: A row for each trial.
        scores: A row for each metric of a trial at a step.
        findings: A row for each finding.
        comparison: A row for each data set, method and metric.
        pairwise: A row for each data set, metric and pair of methods.
        aggregate: A row for each method, over all data sets and metrics.
        environment: Where and with what the run was made.
        damaged: Stored trials that could not be read, and why.
        missing: Ids of trials that the run lists and that are not stored: not run yet, or deleted since.
    """

    suite: str
    summary: str
    trials: pd.DataFrame
    scores: pd.DataFrame
    findings: pd.DataFrame
    comparison: pd.DataFrame
    pairwise: pd.DataFrame
    aggregate: pd.DataFrame
    environment: Mapping[str, Any]
    damaged: Sequence[str]
    missing: Sequence[str] = ()

    def history(self, trial: str) -> Mapping[str, Any]:
        """Return the history of a trial as arrays by column; empty where it has none."""
        raise _missing(self, "history")

    def picture(self, trial: str) -> Path | None:
        """Return the picture of a trial's samples, where it has one."""
        raise _missing(self, "picture")

    def snapshots(self, trial: str) -> Mapping[int, Path]:
        """Return pictures of a trial's samples at earlier evaluations, by step; none by default."""
        return {}

    def nearest(self, trial: str) -> Path | None:
        """Return the picture of generated images above the nearest training images; none by default."""
        return None

    def settings(self, trial: str) -> Mapping[str, Any]:
        """Return the settings of a trial by flat names, as `optimizer_g.lr` and `generator.width`; none by default."""
        return {}


class Report:
    """Writes a comparison in a form of its own."""

    def write(self, comparison: Comparison, folder: Path) -> list[Path]:
        """Write into `folder`, and nowhere else; return the files, the one to open first first."""
        raise _missing(self, "write")


class Executor:
    """Runs trials, in this process, in others or on other machines.

    Attributes:
        elsewhere: Whether trials run on other machines, so that devices may be asked for that this one does not have.
    """

    elsewhere: bool = False

    def check(self, device: str) -> None:
        """Ensure that trials on a device can be run; optional. Called before `prepare`, also where nothing is to be run.

        Args:
            device: `"cpu"`, `"cuda"` or `"cuda:N"`.

        Raises:
            RequestError: If they cannot.
        """
        raise _missing(self, "check")

    def prepare(self, results: Path, fresh: bool) -> None:
        """Get ready to hand results over through a run's results folder; optional.

        Called before `run`, and before anything is written. An executor that stores results there itself, with
        `ganbench.store_result`, yields them as that returns them; they are not written again.

        Args:
            results: The results folder.
            fresh: Whether the run begins anew: what an earlier one has left running is of no use.

        Raises:
            RequestError: If trials cannot be run.
        """
        raise _missing(self, "prepare")

    def run(self, trials: Sequence[Trial], emit: Callable[[Event], None]) -> Iterator[TrialResult]:
        """Yield the result of each trial exactly once, in any order, whatever happened to it.

        Args:
            trials: The trials to run.
            emit: To be called with each event that `ganbench.run_trial` emits, in the calling process.
        """
        raise _missing(self, "run")

    def pause(self, seconds: float) -> None:
        """Ask the running trials to save a checkpoint and end within so many seconds, and begin no more; optional.

        Called in a signal handler or another thread while `run` is iterated, so it only takes note. `run` then yields the
        paused trials' results, leaves out those not begun, and ends. Without it the iterator is closed.
        """
        raise _missing(self, "pause")


BASE_CLASSES: dict[str, type] = {
    "loss": Loss,
    "regularizer": Regularizer,
    "term": Term,
    "augmentation": Augmentation,
    "update": Update,
    "dataset": Dataset,
    "features": Features,
    "metric": Metric,
    "diagnosis": Diagnosis,
    "report": Report,
    "executor": Executor,
}


def _missing(component: object, member: str) -> TypeError:
    return TypeError(f"{type(component).__name__} has no {member!r}, which its kind of component must offer")
