"""Records operations on a CUDA device as graphs, each of which is then one launch."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch


class CudaGraphs:
    """Records on a stream of its own, with memory that all its graphs share (`capture.Recorder`).

    Graphs may share it since each is launched before what the one before has left is overwritten: what a step leaves for
    observers is the newest launch's.

    Args:
        device: A CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()
        self._graph: torch.cuda.CUDAGraph | None = None
        self._generators: list[torch.Generator] = []

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let operations go to the stream that is recorded."""
        torch.cuda.synchronize(self._stream.device)
        try:
            with torch.cuda.stream(self._stream):
                yield
        finally:
            torch.cuda.synchronize(self._stream.device)

    def begin(self, generators: Sequence[torch.Generator]) -> None:
        """Begin a graph; torch's own generator of the device is registered by torch."""
        self._graph = graph = torch.cuda.CUDAGraph()
        self._generators = list(generators)
        for generator in generators:
            graph.register_generator_state(generator)
        _drop_workspaces()
        graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")

    def end(self) -> Callable[[], None]:
        """End the graph; return what launches it on the current stream."""
        assert self._graph is not None
        with warnings.catch_warnings():  # one without operations is said to be empty, and is thrown away
            warnings.simplefilter("ignore", UserWarning)
            self._graph.capture_end()
        graph, self._graph = self._graph, None
        _drop_workspaces()
        return graph.replay

    def cancel(self) -> None:
        """End a graph that an error has left half recorded."""
        if self._graph is None:
            return
        try:
            self.end()
        except RuntimeError:  # the device has called it invalid
            self._graph = None
            self._repair()

    def _repair(self) -> None:
        """Let memory and random numbers be had as usual again, which torch leaves undone where a graph cannot be ended."""
        with contextlib.suppress(RuntimeError, AttributeError):
            torch._C._cuda_endAllocateToPool(self._stream.device_index, self._pool)
        self._pool = torch.cuda.graph_pool_handle()
        with contextlib.suppress(RuntimeError):
            self.begin(self._generators)  # a graph that is ended rightly, with nothing in it
            self.end()
        self._graph = None


def _drop_workspaces() -> None:
    """Let cuBLAS take its workspace anew: from a graph's own memory in a graph, and from no graph's outside of it.

    It keeps one for each stream, and torch has few streams to give away: graphs of two games that were recorded on one
    would share it, and write into it at the same time when they are launched on two.
    """
    if hasattr(torch._C, "_cuda_clearCublasWorkspaces"):  # of builds with CUDA
        torch._C._cuda_clearCublasWorkspaces()
