"""What the networks of a trial compute, counted on tensors without content: nothing is trained, no memory is taken.

A sample on its way through a network takes floating-point operations of convolutions and products, values that other
layers write, and calls of the library. A narrow network spends its time on the last two, a wide one on the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..contract.records import ComponentRef, DataSpec, Trial
from ..registry.plugins import BUILTINS
from ..registry.registry import Registry

PRETRAINED = ("projected",)
COUNTED_BATCH = 32  # so many that what is written once for all samples, as normalized weights, counts little


@dataclass(frozen=True)
class Work:
    """What a network computes from input to output.

    Attributes:
        flops: Floating-point operations for one sample.
        values: Numbers written for one sample.
        calls: Calls of the library, whatever the batch.
        parameters: Numbers that an optimizer changes.
    """

    flops: float
    values: float
    calls: float
    parameters: int


class NetworkCosts:
    """Counts what the two networks of a trial compute, once for those that are alike.

    Only networks that ship are counted: what a plugin's does when it is built or called is not known, and a fault of it
    costs its own trial alone, in a worker. One that holds a network trained elsewhere is not, whose weights are kept.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._counted: dict[str, Work | None] = {}

    def __call__(self, trial: Trial) -> tuple[Work, Work] | None:
        """Return the work of G and of D; None if it cannot be counted."""
        parts = trial.components
        g = self._work("generator", parts.generator, trial.data)
        d = self._work("discriminator", parts.discriminator, trial.data) if g else None
        return (g, d) if g and d else None

    def _work(self, kind: str, ref: ComponentRef, spec: DataSpec) -> Work | None:
        key = repr((kind, ref, spec))
        if key not in self._counted:
            try:
                self._counted[key] = _count(kind, ref, spec, self._registry)
            except Exception:  # options that do not fit the data: the trial will say so
                self._counted[key] = None
        return self._counted[key]


def _count(kind: str, ref: ComponentRef, spec: DataSpec, registry: Registry) -> Work | None:
    if registry.is_unavailable(kind, ref.name) or registry.find(kind, ref.name).plugin not in BUILTINS:
        return None
    if ref.name in PRETRAINED:
        return None
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    from ..training.discriminator import condition_argument

    class Counter(TorchDispatchMode):
        flops = values = calls = 0.0  # summed over the batch

        def __torch_dispatch__(
            self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
        ) -> Any:
            out = function(*args, **(kwargs or {}))
            self.calls += 1
            if isinstance(out, torch.Tensor) and not function.is_view:
                self.values += out.numel()
            if (count := flop_registry.get(function.overloadpacket)) is not None:
                self.flops += count(*args, **(kwargs or {}), out_val=out)
            return out

    n = COUNTED_BATCH
    with torch.random.fork_rng(devices=[]), FakeTensorMode(), torch.no_grad():
        network = registry.build(kind, ref, spec)
        latent = getattr(network, "latent_dim", 0)
        shape = spec.shape if kind == "discriminator" else latent if isinstance(latent, tuple | list) else (latent,)
        labels = torch.zeros(n, dtype=torch.int64) if spec.classes else None
        condition = None if spec.condition is None else torch.zeros(n, *spec.condition)
        with Counter() as counter:  # type: ignore[no-untyped-call]  # torch's, which has no annotations
            network(torch.zeros(n, *shape), labels, **condition_argument(network, condition))
        parameters = sum(parameter.numel() for parameter in network.parameters())
    return Work(counter.flops / n, counter.values / n, counter.calls, parameters)
