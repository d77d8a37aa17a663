"""What a watch records: calls of both networks, gradients that come back to them, and steps of optimizers, in order."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from ...contract.records import Player

Rows = tuple[Tensor, Tensor]  # a few values of the first sample of a batch, and of the one in its middle


@dataclass(frozen=True, eq=False)
class Argument:
    """A batch of floating-point numbers that a network was given.

    Attributes:
        n: Samples.
        shape: Shape of one sample.
        rows: What it is recognized by.
        finite: Whether all values are, a scalar.
        lowest, highest: Of all values, scalars.
        outside: Share of the values that an activation at the end of G cannot reach, by its name, scalars.
    """

    n: int
    shape: tuple[int, ...]
    rows: Rows
    finite: Tensor
    lowest: Tensor
    highest: Tensor
    outside: dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class GeneratorEvent:
    """A call of G.

    Attributes:
        order: When, among all events.
        step: In which step, counted from 1.
        latents: Its floating-point arguments with a row for each sample.
        outputs: What each output with a row for each sample is recognized by, and its shape without the batch.
        n: Samples.
        trained: Whether a graph was built.
        evaluation_mode: Whether G was in evaluation mode.
        activation: `"tanh"` or `"sigmoid"` where that ends it; else empty.
        finite: Whether the first output is, a scalar.
        gradients: Whether any value of the gradients that came back to the first output is not zero, scalars.
    """

    order: int
    step: int
    latents: tuple[Argument, ...]
    outputs: tuple[tuple[Rows, tuple[int, ...]], ...]
    n: int
    trained: bool
    evaluation_mode: bool
    activation: str
    finite: Tensor
    gradients: list[Tensor] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class LogitGradient:
    """The gradient of a loss that came back to an output of D.

    Attributes:
        order: When.
        task: The backward pass.
        output: Which of D's outputs.
        values: Of some of the output's values, times the number of samples.
        any_nonzero: Whether any value of the output has one, a scalar.
    """

    order: int
    task: int
    output: int
    values: Tensor
    any_nonzero: Tensor


@dataclass(eq=False)
class DiscriminatorEvent:
    """A call of D.

    Attributes:
        order, step: As of `GeneratorEvent`.
        arguments: Its floating-point arguments with a row for each sample.
        n: Samples.
        trains_g: Whether a gradient would reach G.
        from_graph: Whether an argument was computed from weights.
        with_graph: Whether a graph was built.
        evaluation_mode: Whether D was in evaluation mode.
        logits: Some values of each output, in the order of the batch; empty for one that takes no gradient.
        is_logit: Of each output, whether it holds one value for each sample.
        activation: That ends its first output, as of `GeneratorEvent`.
        gradients: Those that came back.
        passed_on: Whether any value of the gradients that it passed on to samples that came from G is not zero, scalars.
    """

    order: int
    step: int
    arguments: tuple[Argument, ...]
    n: int
    trains_g: bool
    from_graph: bool
    with_graph: bool
    evaluation_mode: bool
    logits: list[Tensor]
    is_logit: list[bool]
    activation: str = ""
    gradients: list[LogitGradient] = field(default_factory=list)
    passed_on: list[Tensor] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class GradientAtG:
    """A gradient that came back to one weight of G.

    Attributes:
        order, task: As of `LogitGradient`.
        accumulated: Whether it was added to one that was there, a scalar.
    """

    order: int
    task: int
    accumulated: Tensor


@dataclass(frozen=True, eq=False)
class WeightUpdate:
    """A step of an optimizer.

    Attributes:
        order, step: As of `GeneratorEvent`.
        optimizer: Its identity.
        players: Whose weights it holds.
        lr: The largest learning rate of its groups.
        gradient_norm: Of all gradients of each player's weights that it holds, scalars; without those that have none.
        scaled: Whether the gradients are still multiplied by the scale of a GradScaler; None without one.
        scale: The scale; None without one.
        maximizes: Whether it goes up the gradient.
        any_nonzero: Whether any value of a player's gradients is not zero, scalars; a norm may vanish before they do.
    """

    order: int
    step: int
    optimizer: int
    players: frozenset[Player]
    lr: float
    gradient_norm: dict[Player, Tensor]
    scaled: bool | None
    scale: Tensor | float | None
    maximizes: bool = False
    any_nonzero: dict[Player, Tensor] = field(default_factory=dict)


@dataclass
class Record:
    """Everything that was seen.

    Attributes:
        steps: Steps that are over.
        generator_calls, discriminator_calls, gradients_at_g, updates: In order.
    """

    steps: int = 0
    generator_calls: list[GeneratorEvent] = field(default_factory=list)
    discriminator_calls: list[DiscriminatorEvent] = field(default_factory=list)
    gradients_at_g: list[GradientAtG] = field(default_factory=list)
    updates: list[WeightUpdate] = field(default_factory=list)
