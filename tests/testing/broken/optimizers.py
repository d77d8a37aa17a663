"""Optimizers, each with one defect that its name states."""

import torch

import ganbench


class Sound(torch.optim.Optimizer):
    """Gradient descent with momentum, which keeps the contract."""

    sign = -1.0

    def __init__(self, parameters, *, lr: float = 0.01):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    velocity = self.state[weight].setdefault("velocity", torch.zeros_like(weight))
                    velocity.mul_(0.5).add_(weight.grad)
                    weight.add_(velocity, alpha=self.sign * group["lr"])


class Ascends(Sound):
    """Has the wrong sign."""

    sign = 1.0


class Forgets(Sound):
    """Counts its steps outside of its state."""

    def __init__(self, parameters, *, lr: float = 0.01):
        super().__init__(parameters, lr=lr)
        self.steps_taken = 0

    def step(self, closure=None):
        self.steps_taken += 1
        for group in self.param_groups:
            group["lr"] = 0.01 / self.steps_taken
        super().step()


class TakesTheFirst(Sound):
    """Leaves weights out."""

    def __init__(self, parameters, *, lr: float = 0.01):
        super().__init__(list(parameters)[:1], lr=lr)


def no_optimizer(parameters, *, lr: float = 0.01):
    """Return something else."""
    return list(parameters)


@ganbench.hookimpl
def ganbench_optimizers():
    for build in [Sound, *Sound.__subclasses__(), no_optimizer]:
        yield ganbench.Component(build.__name__, build)
