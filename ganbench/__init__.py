"""ganbench: train, diagnose and compare generative adversarial networks. All that a plugin author needs."""

from typing import TYPE_CHECKING, Any

from .contract import moved
from .contract.components import (
    Augmentation,
    Comparison,
    Dataset,
    Diagnosis,
    Executor,
    Features,
    Loss,
    Metric,
    Regularizer,
    Report,
    Term,
    Update,
)
from .contract.errors import CannotScore, RequestError, RunPaused, StorageError
from .contract.events import (
    Event,
    RunEnded,
    RunStarted,
    TrialEnded,
    TrialNote,
    TrialProgress,
    TrialResumed,
    TrialStarted,
)
from .contract.failures import IGNORED_CONDITION, Failure, Status
from .contract.hooks import CONTRACT_VERSION, hookimpl
from .contract.outputs import DiscriminatorFn, DiscriminatorOutputs
from .contract.records import (
    Artifacts,
    Batch,
    BestWeights,
    Checkpoints,
    Component,
    ComponentRef,
    Components,
    DataSpec,
    Direction,
    Estimate,
    Evaluation,
    Evidence,
    Finding,
    History,
    Horizon,
    Modes,
    NonFinite,
    Part,
    Ramp,
    Remedy,
    Samples,
    Score,
    Severity,
    StopWhen,
    TermRef,
    Training,
    Trial,
    TrialResult,
    WiringFault,
)
from .contract.updates import GameInTraining
from .contract.view import Game, View

if TYPE_CHECKING:
    from .contract.files import write_atomically
    from .diagnosis.diagnose import diagnose
    from .evaluation.evaluate import evaluate
    from .monitor.monitor import Monitor
    from .pipeline import build_executor, run
    from .results.comparison import load
    from .results.handover import EventLog, read_stored, store_result
    from .training.input_gradient import input_gradient
    from .training.pause import pause_trials
    from .training.turns import Turn, TurnLost, Turns
    from .trial import run_trial

__version__ = "0.1.0"

# Imported when they are first asked for, since most need torch or pandas.
_LAZY = {
    "EventLog": "results.handover",
    "Monitor": "monitor.monitor",
    "Turn": "training.turns",
    "TurnLost": "training.turns",
    "Turns": "training.turns",
    "build_executor": "pipeline",
    "diagnose": "diagnosis.diagnose",
    "evaluate": "evaluation.evaluate",
    "input_gradient": "training.input_gradient",
    "load": "results.comparison",
    "pause_trials": "training.pause",
    "read_stored": "results.handover",
    "run": "pipeline",
    "run_trial": "trial",
    "store_result": "results.handover",
    "write_atomically": "contract.files",
}

__all__ = [
    "CONTRACT_VERSION",
    "IGNORED_CONDITION",
    "Artifacts",
    "Augmentation",
    "Batch",
    "BestWeights",
    "CannotScore",
    "Checkpoints",
    "Comparison",
    "Component",
    "ComponentRef",
    "Components",
    "DataSpec",
    "Dataset",
    "Diagnosis",
    "Direction",
    "DiscriminatorFn",
    "DiscriminatorOutputs",
    "Estimate",
    "Evaluation",
    "Event",
    "EventLog",
    "Evidence",
    "Executor",
    "Failure",
    "Features",
    "Finding",
    "Game",
    "GameInTraining",
    "History",
    "Horizon",
    "Loss",
    "Metric",
    "Modes",
    "Monitor",
    "NonFinite",
    "Part",
    "Ramp",
    "Regularizer",
    "Remedy",
    "Report",
    "RequestError",
    "RunEnded",
    "RunPaused",
    "RunStarted",
    "Samples",
    "Score",
    "Severity",
    "Status",
    "StopWhen",
    "StorageError",
    "Term",
    "TermRef",
    "Training",
    "Trial",
    "TrialEnded",
    "TrialNote",
    "TrialProgress",
    "TrialResult",
    "TrialResumed",
    "TrialStarted",
    "Turn",
    "TurnLost",
    "Turns",
    "Update",
    "View",
    "WiringFault",
    "build_executor",
    "diagnose",
    "evaluate",
    "hookimpl",
    "input_gradient",
    "load",
    "pause_trials",
    "read_stored",
    "run",
    "run_trial",
    "store_result",
    "write_atomically",
]


def __getattr__(name: str) -> Any:
    if name in moved.PUBLIC:
        moved.warn_moved(f"ganbench.{name}", f"ganbench.{moved.PUBLIC[name]}")
        return globals()[moved.PUBLIC[name]]
    if name not in _LAZY:
        raise AttributeError(f"module 'ganbench' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LAZY[name]}", __name__), name)


moved.install()
