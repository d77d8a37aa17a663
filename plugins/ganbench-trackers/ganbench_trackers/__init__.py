"""Write runs to TensorBoard, MLflow and Weights & Biases, those that GANBENCH_TRACKERS names."""

import ganbench

from .listener import Listener

_listener = Listener()


@ganbench.hookimpl
def ganbench_event(event: ganbench.Event) -> None:
    _listener.handle(event)
