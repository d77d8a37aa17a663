"""Where and with what a run is made, for its environment.json."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from typing import Any

from ..registry.plugins import Origin, own_version


def describe_environment(command: str, device: str, origins: Iterable[Origin]) -> dict[str, Any]:
    """The command, the versions of what computes, the machine and the plugins that were loaded."""
    import numpy
    import torch

    return {
        "command": command,
        "ganbench": own_version(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "device": device,
        "plugins": sorted({str(origin) for origin in origins}),
    }
