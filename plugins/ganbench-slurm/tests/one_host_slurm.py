"""A real Slurm on this host, without system changes: a controller and one node as two processes of the test.

Slurm is taken from the PATH, or from a folder that GANBENCH_SLURM_ROOT names, into which its packages were unpacked
(Debian: `apt-get download` slurmctld, slurmd, slurm-client, slurm-wlm-basic-plugins and the libraries they need, then
`dpkg -x` of each).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CONFIGURATION = """
ClusterName=one
SlurmctldHost=localhost(127.0.0.1)
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmUser={user}
SlurmdUser={user}
PluginDir={plugins}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
ReturnToService=2
KillWait=10
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
NodeName=localhost NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=debug Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""
START_SECONDS = 60.0


@contextmanager
def one_host_slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Start Slurm in a folder; give the variables of the environment that its commands need. Skip where there is none."""
    root = Path(os.environ.get("GANBENCH_SLURM_ROOT", "/"))
    programs = {name: _find(root, name) for name in ("slurmctld", "slurmd", "slurmstepd", "sbatch")}
    if missing := [name for name, path in programs.items() if path is None]:
        pytest.skip(f"there is no {missing[0]} here: see one_host_slurm.py")
    libraries = next(iter(root.glob("usr/lib/*/slurm-wlm")), root / "usr/lib/slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    configuration = CONFIGURATION.format(
        folder=folder, plugins=libraries, ports=_free_ports(2), user=os.environ.get("USER") or "root"
    )
    (folder / "slurm.conf").write_text(configuration)
    variables = {
        "SLURM_CONF": str(folder / "slurm.conf"),
        "LD_LIBRARY_PATH": f"{libraries.parent}:{libraries}",
        "PATH": f"{programs['sbatch'].parent}:{os.environ['PATH']}",
    }
    environment = os.environ | variables
    daemons = []
    try:
        for command in (
            [programs["slurmctld"], "-D", "-i"],
            [programs["slurmd"], "-D", "-N", "localhost", "-d", programs["slurmstepd"]],
        ):
            quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            daemons.append(subprocess.Popen(list(map(str, command)), env=environment, **quiet))
            time.sleep(2)
        _wait_for_node(programs["sbatch"].parent / "sinfo", environment)
        yield variables
    finally:
        cancel = [str(programs["sbatch"].parent / "scancel"), "--user", environment.get("USER", "root")]
        subprocess.run(cancel, env=environment, capture_output=True, check=False)
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)


def _find(root: Path, name: str) -> Path | None:
    for place in (f"usr/sbin/{name}-wlm", f"usr/sbin/{name}", f"usr/bin/{name}"):
        if (root / place).exists():
            return root / place
    found = shutil.which(name)
    return Path(found) if found else None


def _wait_for_node(sinfo: Path, environment: dict[str, str]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        done = subprocess.run(
            [str(sinfo), "-h", "-o", "%T"], env=environment, capture_output=True, text=True, check=False
        )
        if "idle" in done.stdout:
            return
        time.sleep(0.5)
    pytest.skip(f"Slurm does not start here: {done.stdout} {done.stderr}")


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
