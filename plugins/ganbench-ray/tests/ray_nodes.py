"""A Ray cluster of two nodes on this machine, for tests."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Nodes:
    """The cluster.

    Attributes:
        address: Of its head.
        cluster: The cluster, as Ray has it.
        second: The node that a test may kill; trials find it as the resource `second`.
    """

    address: str
    cluster: Any
    second: Any

    def kill_second(self) -> None:
        """Kill a node, all its processes at once."""
        self.cluster.remove_node(self.second, allow_graceful=False)


@contextmanager
def two_nodes(cpus: int = 1) -> Iterator[Nodes]:
    """Start a cluster of two nodes, each with so many CPUs; stop it at the end of the block."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        # Ports are given: Ray's node gives up if its agents have not found some within seconds, as on a loaded machine.
        cluster.add_node(num_cpus=cpus, include_dashboard=False, object_store_memory=100 * 2**20, **_ports())
        second = cluster.add_node(num_cpus=cpus, resources={"second": 100}, object_store_memory=100 * 2**20, **_ports())
        yield Nodes(cluster.address, cluster, second)
    finally:
        cluster.shutdown()


def _ports() -> dict[str, int]:
    """Ports that nothing listens on, for a node's agents."""
    names = ("metrics_agent_port", "metrics_export_port", "runtime_env_agent_port", "dashboard_agent_listen_port")
    with ExitStack() as stack:
        found = {}
        for name in names:
            listener = stack.enter_context(socket.socket())
            listener.bind(("", 0))
            found[name] = listener.getsockname()[1]
    return found
