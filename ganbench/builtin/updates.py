"""How both players' weights change in a step: alternating, simultaneous, extragradient, optimistic and unrolled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
import torch
from torch import Tensor

import ganbench

Weights = Mapping[str, Tensor]


class Alternating(ganbench.Update):
    """D `d_steps` times, then G `g_steps` times, each given the other as it is by then (Goodfellow et al. 2014)."""

    def step(self, game: ganbench.GameInTraining) -> tuple[Tensor, Tensor]:
        """Update D, then G; return their last losses."""
        for _ in range(game.settings.d_steps):
            loss_d = game.train_discriminator()
        for _ in range(game.settings.g_steps):
            loss_g = game.train_generator()
        return loss_d, loss_g


class Simultaneous(ganbench.Update):
    """Both players at once, each given the other as it was before; goes outwards in games in which alternating ones circle."""

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Refuse several updates of a player in a step."""
        return _why_not_one_each(trial)

    def step(self, game: ganbench.GameInTraining) -> tuple[Tensor, Tensor]:
        """Compute the gradients of both, then update both."""
        losses = game.differentiate_discriminator(), game.differentiate_generator()
        game.update_discriminator()
        game.update_generator()
        return losses


class Extragradient(ganbench.Update):
    """The step of the gradient at where a step would lead (Korpelevich 1976; Gidel et al. 2019).

    Both optimizers step, gradients are computed there, on new samples, and applied to the weights from before. An optimizer
    with averages updates them at both points: with Adam it is Extra-Adam, algorithm 4 of https://arxiv.org/abs/1802.10551.
    """

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Refuse several updates of a player in a step."""
        return _why_not_one_each(trial)

    def step(self, game: ganbench.GameInTraining) -> tuple[Tensor, Tensor]:
        """Extrapolate, differentiate there, go back, and update."""
        weights: list[Tensor] = [*game.d_weights, *game.g_weights]
        before = [weight.detach().clone() for weight in weights]
        game.differentiate_discriminator()
        game.differentiate_generator()
        game.update_discriminator(lookahead=True)
        game.update_generator(lookahead=True)
        losses = game.differentiate_discriminator(), game.differentiate_generator()
        with torch.no_grad():
            torch._foreach_copy_(weights, before)
        game.update_discriminator()
        game.update_generator()
        return losses


class Optimistic(ganbench.Update):
    """Twice each optimizer's step minus the one before (optimistic mirror descent, Daskalakis et al. 2018).

    The players alternate, `d_steps` and `g_steps` times. With `sgd` it is w - 2 lr g + lr g_before, with `adam` Optimistic
    Adam, algorithm 1 of https://arxiv.org/abs/1711.00141; it holds for any optimizer's step. The first step is a plain one.
    """

    def __init__(self) -> None:
        self._steps_before: dict[str, list[Tensor]] = {}  # of D's and G's optimizers

    def step(self, game: ganbench.GameInTraining) -> tuple[Tensor, Tensor]:
        """Update D, then G; return their last losses."""
        for _ in range(game.settings.d_steps):
            loss_d = game.differentiate_discriminator()
            game.update_discriminator(self._adjustment("discriminator", game.d_weights))
        for _ in range(game.settings.g_steps):
            loss_g = game.differentiate_generator()
            game.update_generator(self._adjustment("generator", game.g_weights))
        return loss_d, loss_g

    def _adjustment(self, player: str, weights: Sequence[Tensor]) -> Callable[[], None]:
        """Return what adds an optimizer's step once more and takes off the one before, when it has been made."""
        before = [weight.detach().clone() for weight in weights]

        @torch.no_grad()
        def adjust() -> None:
            moves = [weight.detach() - old for weight, old in zip(weights, before, strict=True)]
            if last := self._steps_before.get(player):
                torch._foreach_add_(list(weights), moves)
                torch._foreach_sub_(list(weights), last)
                torch._foreach_copy_(last, moves)  # in place, so that a captured step finds them where they were
            else:
                self._steps_before[player] = moves

        return adjust


class Unrolled(ganbench.Update):
    """G against the D that its samples would lead to, and through that D's steps (unrolled GAN, Metz et al. 2017).

    D itself is updated as it always is. For each update of G, D's optimizer is followed `steps` steps further on the same
    samples, with its averages as they are, and the gradient of G flows through those steps (equation 10 of
    https://arxiv.org/abs/1611.02163). Optimizers of the kinds of Adam and SGD can be followed.

    Args:
        steps: D's steps that are unrolled.
    """

    def __init__(self, *, steps: Annotated[int, msgspec.Meta(ge=1)] = 5) -> None:
        if steps < 1:
            raise ValueError(f"steps = {steps} must be at least 1")
        self._steps = steps

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Refuse optimizers that cannot be followed, and gradients that are scaled."""
        if (name := trial.training.optimizer_d.name) == "rmsprop":
            return f"it unrolls the steps of adam, adamw and sgd, and optimizer_d is {name}"
        return "precision = 'float16' scales gradients, and it unrolls steps" if _is_float16(trial) else None

    def step(self, game: ganbench.GameInTraining) -> tuple[Tensor, Tensor]:
        """Update D, then G through the steps that D would take; return their last losses."""
        for _ in range(game.settings.d_steps):
            loss_d = game.train_discriminator()
        for _ in range(game.settings.g_steps):
            loss_g = game.train_generator(lambda real, fake: self._unroll(game, real, fake))
        return loss_d, loss_g

    def _unroll(self, game: ganbench.GameInTraining, real: ganbench.Batch, fake: ganbench.Batch) -> Weights:
        """Return D's weights after the steps, with the graph that leads back to the generated samples."""
        trained = {id(weight) for weight in game.d_weights}
        parameters = {name: weight for name, weight in game.discriminator.named_parameters() if id(weight) in trained}
        follow = _follower(game.optimizer_d, parameters)
        weights: dict[str, Tensor] = {name: w.detach().clone().requires_grad_() for name, w in parameters.items()}
        for _ in range(self._steps):
            objective = game.discriminator_objective(real, fake, weights)
            gradients = torch.autograd.grad(
                objective, list(weights.values()), create_graph=True, allow_unused=True, materialize_grads=True
            )
            weights = {
                name: follow(name, weight, gradient)
                for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
            }
        return weights


Follow = Callable[[str, Tensor, Tensor], Tensor]  # a weight's name, its value and its gradient to its next value


def _follower(optimizer: torch.optim.Optimizer, parameters: Mapping[str, Tensor]) -> Follow:
    """Return an optimizer's rule as a differentiable function, which begins at its present averages."""
    groups = {id(weight): group for group in optimizer.param_groups for weight in group["params"]}
    if isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW) and not any(
        group["amsgrad"] for group in optimizer.param_groups
    ):
        return _adam(optimizer, parameters, groups)
    if isinstance(optimizer, torch.optim.SGD) and not any(group["nesterov"] for group in optimizer.param_groups):
        return _sgd(optimizer, parameters, groups)
    raise TypeError(
        f"update 'unrolled' unrolls the steps of adam, adamw and sgd, not those of {type(optimizer).__name__}"
    )


def _adam(
    optimizer: torch.optim.Optimizer, parameters: Mapping[str, Tensor], groups: Mapping[int, dict[str, Any]]
) -> Follow:
    averages: dict[str, tuple[Tensor, Tensor, float]] = {}
    decoupled = isinstance(optimizer, torch.optim.AdamW)

    def follow(name: str, weight: Tensor, gradient: Tensor) -> Tensor:
        state, group = optimizer.state.get(parameters[name], {}), groups[id(parameters[name])]
        zero = torch.zeros_like(gradient)
        start = state.get("exp_avg", zero), state.get("exp_avg_sq", zero), float(state.get("step", 0))
        mean, square, step = averages.get(name, start)
        (beta1, beta2), lr, decay = group["betas"], group["lr"], group["weight_decay"]
        if decoupled:
            weight = weight * (1 - lr * decay)
        elif decay:
            gradient = gradient + decay * weight
        mean, square, step = torch.lerp(gradient, mean, beta1), torch.lerp(gradient.square(), square, beta2), step + 1
        averages[name] = mean, square, step
        # The root of exactly 0 has no derivative; what is added is far below eps squared.
        root = (square / (1 - beta2**step) + 1e-30).sqrt() + group["eps"]
        return weight - lr / (1 - beta1**step) * mean / root

    return follow


def _sgd(
    optimizer: torch.optim.Optimizer, parameters: Mapping[str, Tensor], groups: Mapping[int, dict[str, Any]]
) -> Follow:
    velocities: dict[str, Tensor | None] = {}

    def follow(name: str, weight: Tensor, gradient: Tensor) -> Tensor:
        group = groups[id(parameters[name])]
        if group["weight_decay"]:
            gradient = gradient + group["weight_decay"] * weight
        if group["momentum"]:
            start = optimizer.state.get(parameters[name], {}).get("momentum_buffer")
            velocity = velocities.get(name, start)
            gradient = gradient if velocity is None else group["momentum"] * velocity + gradient
            velocities[name] = gradient
        return weight - group["lr"] * gradient

    return follow


def _why_not_one_each(trial: ganbench.Trial) -> str | None:
    training = trial.training
    for key in ("d_steps", "g_steps"):
        if (n := getattr(training, key)) != 1:
            return f"it updates each player once in a step, and {key} = {n}"
    return None


def _is_float16(trial: ganbench.Trial) -> bool:
    return trial.training.precision == "float16"
