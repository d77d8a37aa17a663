"""ganbench: train, diagnose and compare generative adversarial networks. All that a plugin author needs."""

from typing import TYPE_CHECKING, Any

from .errors import RequestError
from .events import Event, RunEnded, RunStarted, TrialEnded, TrialProgress, TrialStarted
from .hookspecs import CONTRACT_VERSION, hookimpl
from .records import (
    Artifacts,
    Batch,
    Breakdown,
    Component,
    ComponentRef,
    Components,
    DataSpec,
    Direction,
    Evaluation,
    Evidence,
    Finding,
    History,
    Horizon,
    Modes,
    Part,
    Samples,
    Score,
    Severity,
    StopWhen,
    Training,
    Trial,
    TrialResult,
)

if TYPE_CHECKING:
    from .comparison import Comparison, load
    from .monitor import Monitor
    from .observation import input_gradient
    from .protocols import Judge, View
    from .trial import run_trial

__version__ = "0.1.0"

# These need torch or pandas, which are not imported before someone asks for them.
_LAZY = {
    "Comparison": "comparison",
    "Judge": "protocols",
    "Monitor": "monitor",
    "View": "protocols",
    "input_gradient": "observation",
    "load": "comparison",
    "run_trial": "trial",
}

__all__ = [
    "CONTRACT_VERSION",
    "Artifacts",
    "Batch",
    "Breakdown",
    "Comparison",
    "Component",
    "ComponentRef",
    "Components",
    "DataSpec",
    "Direction",
    "Evaluation",
    "Event",
    "Evidence",
    "Finding",
    "History",
    "Horizon",
    "Judge",
    "Modes",
    "Monitor",
    "Part",
    "RequestError",
    "RunEnded",
    "RunStarted",
    "Samples",
    "Score",
    "Severity",
    "StopWhen",
    "Training",
    "Trial",
    "TrialEnded",
    "TrialProgress",
    "TrialResult",
    "TrialStarted",
    "View",
    "hookimpl",
    "input_gradient",
    "load",
    "run_trial",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'ganbench' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LAZY[name]}", __name__), name)
