"""Record the histories that diagnoses are checked on: `python scripts/record_histories.py [NAME]...`.

A recipe is a suite table of built-in components. A recording replaces the stored one, in
`ganbench/testing/helpers/recordings`, only if the run's verdict is the one that the recipe is named after. All of them
take a minute on one core.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganbench.contract.records import TrialResult
from ganbench.registry.registry import load_registry
from ganbench.results.trial_files import write_trial
from ganbench.testing.helpers import recordings
from ganbench.testing.helpers.recordings import FAILING, HEALTHY
from ganbench.testing.helpers.trials import trials_of
from ganbench.trial import run_trial

FOLDER = Path(recordings.__file__).parent

MLP = {"generator": "mlp", "discriminator": "mlp"}
CONV = {"generator": {"name": "conv", "width": 16}, "discriminator": {"name": "conv", "width": 16}}
RING = {"ring": {"dataset": {"name": "ring", "sigma": 0.05}}}

RECIPES: dict[str, dict[str, Any]] = {
    # R3GAN's loss and penalties (Huang et al. 2024), averaged.
    "healthy-points": {
        "datasets": RING,
        "method": {
            "loss": "relativistic",
            **MLP,
            "regularizers": [{"name": "r1", "weight": 0.1}, {"name": "r2", "weight": 0.1}],
            "optimizer": {"name": "adam", "lr": 2e-3, "betas": [0.0, 0.9]},
        },
        "training": {"steps": 1200, "ema": 0.99, "lr_decay": "cosine"},
    },
    "healthy-images": {
        "datasets": ["digits"],
        "method": {
            "loss": "relativistic",
            **CONV,
            "regularizers": [{"name": "r1", "weight": 0.1}, {"name": "r2", "weight": 0.1}],
            "optimizer": {"name": "adam", "lr": 2e-3, "betas": [0.0, 0.9]},
        },
        "training": {"steps": 800, "batch_size": 64, "ema": 0.99, "lr_decay": "cosine"},
    },
    # D is trained far ahead, on the loss that then sends G nothing (Goodfellow et al. 2014, section 3).
    "overpowering-discriminator": {
        "datasets": ["digits"],
        "method": {
            "loss": "minimax",
            "generator": {"name": "mlp", "latent_dim": 64},
            "discriminator": "mlp",
            "d_warmup": 800,
            "d_steps": 3,
            "optimizer_d": {"name": "adam", "lr": 1e-2},
            "optimizer_g": {"name": "sgd", "lr": 1e-2, "momentum": 0.9},
        },
        "training": {"steps": 200},
    },
    # D hardly learns.
    "weak-discriminator": {
        "datasets": RING,
        "method": {"loss": "non-saturating", **MLP, "optimizer_d": {"name": "adam", "lr": 1e-6}},
        "training": {"steps": 300},
    },
    # G runs ahead of D.
    "mode-collapse": {
        "datasets": RING,
        "method": {
            "loss": "non-saturating",
            **MLP,
            "optimizer_g": {"name": "adam", "lr": 1e-2},
            "optimizer_d": {"name": "adam", "lr": 1e-4},
        },
        "training": {"steps": 400},
    },
    # G runs far ahead of D, on images: both circle.
    "oscillation": {
        "datasets": ["digits"],
        "method": {
            "loss": "non-saturating",
            **MLP,
            "optimizer_g": {"name": "adam", "lr": 1e-2, "betas": [0.0, 0.9]},
            "optimizer_d": {"name": "adam", "lr": 1e-4, "betas": [0.0, 0.9]},
        },
        "training": {"steps": 800, "batch_size": 64},
    },
    # So few samples that D memorizes them.
    "memorization": {
        "datasets": {"few": {"dataset": {"name": "few", "inner": "digits"}}},
        "method": {
            "loss": "non-saturating",
            "generator": "mlp",
            "discriminator": {"name": "mlp", "width": 192},
            "optimizer": {"name": "adam", "lr": 2e-3, "betas": [0.0, 0.9]},
        },
        "training": {"steps": 800, "batch_size": 64},
    },
    # Momentum at a huge learning rate.
    "divergence": {
        "datasets": RING,
        "method": {"loss": "wasserstein", **MLP, "optimizer": {"name": "sgd", "lr": 50.0, "momentum": 0.9}},
        "training": {"steps": 200},
    },
}


def run_recipe(recipe: Mapping[str, Any]) -> TrialResult:
    """Run the one trial of a recipe on one thread, with every built-in probe."""
    table = {
        "datasets": recipe["datasets"],
        "methods": {"recorded": recipe["method"]},
        "training": recipe["training"],
        "diagnoses": list(FAILING),
        "evaluation": {"at": [1.0], "samples": 100},
        "metrics": ["energy-distance"],
        "seeds": 1,
    }
    return run_trial(trials_of(table, load_registry())[0], threads=1)


def matches(name: str, result: TrialResult) -> bool:
    """Return whether a run ended with the verdict that the recording is named after."""
    return result.verdicts == ("healthy",) if name in HEALTHY else name in result.verdicts


def main() -> None:
    """Record the histories named on the command line, or all."""
    for name in sys.argv[1:] or RECIPES:
        result = run_recipe(RECIPES[name])
        sys.stdout.write(f"{name}: {result.status}, {', '.join(result.verdicts)} {result.reason}\n")
        if not matches(name, result):
            raise SystemExit(f"{name}: the run has another verdict, so nothing is stored; change its recipe")
        with tempfile.TemporaryDirectory() as folder:
            write_trial(Path(folder) / name, result)
            (FOLDER / name).mkdir(exist_ok=True)
            shutil.copy(Path(folder) / name / "history.parquet", FOLDER / name / "history.parquet")


if __name__ == "__main__":
    main()
