"""A Slurm of one file, for tests: sbatch, squeue and scancel as far as ganbench-slurm calls them, on this machine.

`install` writes the three commands into a folder that goes onto the PATH. Jobs run in sessions of their own, a few tasks
at a time, and their states are files: a test makes a node fail with `end_task`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

AT_ONCE = 2  # tasks of a job, unless the array says fewer
KILL_SECONDS = 5.0  # between SIGTERM and SIGKILL of a job that is cancelled


def install(folder: Path) -> Path:
    """Write the commands into `folder/bin`; return it."""
    (folder / "bin").mkdir(parents=True)
    (folder / "jobs").mkdir()
    for name in ("sbatch", "squeue", "scancel"):
        command = folder / "bin" / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{__file__}" {name} "{folder}" "$@"\n')
        command.chmod(0o755)
    return folder / "bin"


def jobs(folder: Path) -> list[Path]:
    """Return the folders of jobs, in the order of their submission."""
    return sorted((folder / "jobs").iterdir(), key=lambda job: int(job.name))


def state(job: Path, index: int) -> str:
    """Return a task's state."""
    path = job / f"{index}.state"
    return path.read_text().strip() if path.exists() else "PENDING"


def end_task(job: Path, index: int, how: str) -> None:
    """Kill a running task, whatever it does, as a node that fails would; `how` is the state that is said of it."""
    (job / f"{index}.how").write_text(how)
    os.killpg(int((job / f"{index}.pid").read_text()), signal.SIGKILL)


def signal_task(job: Path, index: int, number: int) -> None:
    """Send a signal to a task's first process."""
    os.kill(int((job / f"{index}.pid").read_text()), number)


def stop_all(folder: Path) -> None:
    """Kill everything that still runs."""
    for pid in folder.glob("jobs/*/*.pid"):
        with contextlib.suppress(OSError, ValueError):
            os.killpg(int(pid.read_text()), signal.SIGKILL)


# --- the commands ------------------------------------------------------------------------------------


def _options(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    named = dict(a.lstrip("-").partition("=")[::2] for a in arguments if a.startswith("--"))
    return named, [a for a in arguments if not a.startswith("--")]


def sbatch(folder: Path, arguments: list[str]) -> None:
    options, (script,) = _options(arguments)
    if options.get("partition", "debug") != "debug":
        sys.exit("sbatch: error: invalid partition specified: " + options["partition"])
    number = 1 + max((int(job.name) for job in (folder / "jobs").iterdir()), default=10)
    job = folder / "jobs" / str(number)
    job.mkdir()
    indices, _, at_once = options["array"].partition("%")
    first, _, last = indices.partition("-")
    for index in range(int(first), int(last) + 1):
        (job / f"{index}.state").write_text("PENDING")
    spec = {"options": options, "script": script, "last": int(last), "at_once": int(at_once or AT_ONCE)}
    (job / "spec.json").write_text(json.dumps(spec))
    subprocess.Popen(
        [sys.executable, "-S", __file__, "controller", str(folder), str(number)],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    print(number)  # noqa: T201


def controller(folder: Path, arguments: list[str]) -> None:
    """Run the tasks of a job."""
    job = folder / "jobs" / arguments[0]
    (job / "controller.pid").write_text(str(os.getpid()))
    spec = json.loads((job / "spec.json").read_text())
    running: dict[int, subprocess.Popen[bytes]] = {}
    while True:
        waiting = [i for i in range(spec["last"] + 1) if i not in running and state(job, i) == "PENDING"]
        for index in waiting[: spec["at_once"] - len(running)]:
            running[index] = _start(job, index, spec)
        for index, process in list(running.items()):
            if process.poll() is not None:
                del running[index]
                how = job / f"{index}.how"
                ended = how.read_text() if how.exists() else "COMPLETED" if process.returncode == 0 else "FAILED"
                how.unlink(missing_ok=True)
                (job / f"{index}.pid").unlink()
                (job / f"{index}.state").write_text(ended)
        if not running and not any(state(job, i) == "PENDING" for i in range(spec["last"] + 1)):
            return
        time.sleep(0.02)


def _start(job: Path, index: int, spec: dict) -> subprocess.Popen[bytes]:
    options = spec["options"]
    environment = os.environ | {"SLURM_ARRAY_TASK_ID": str(index), "SLURM_ARRAY_JOB_ID": job.name}
    try:
        log = open(options["output"].replace("%a", str(index)).replace("%%", "%"), "ab")  # noqa: SIM115, PTH123
    except OSError:
        log = open(os.devnull, "wb")  # noqa: SIM115, PTH123
    with log:
        process = subprocess.Popen(
            ["/bin/bash", spec["script"]],
            cwd=options["chdir"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (job / f"{index}.pid").write_text(str(process.pid))
    (job / f"{index}.state").write_text("RUNNING")
    return process


def squeue(folder: Path, arguments: list[str]) -> None:
    options, _ = _options(arguments)
    if (folder / "down").exists():
        sys.exit("slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
    if "name" in options:
        named = [
            j
            for j in jobs(folder)
            if json.loads((j / "spec.json").read_text())["options"]["job-name"] == options["name"]
        ]
        print("\n".join(job.name for job in named))  # noqa: T201
        return
    asked = [folder / "jobs" / number for number in options["jobs"].split(",")]
    if len(asked) == 1 and not asked[0].exists():
        sys.exit("slurm_load_jobs error: Invalid job id specified")
    for job in asked:
        for path in sorted(job.glob("*.state")):
            print(f"{job.name}_{path.stem}|{state(job, int(path.stem))}|None")  # noqa: T201


def scancel(folder: Path, arguments: list[str]) -> None:
    options, targets = _options(arguments)
    for target in targets:
        number, _, index = target.partition("_")
        job = folder / "jobs" / number
        for path in job.glob(f"{index or '*'}.state"):
            task = int(path.stem)
            if state(job, task) == "PENDING":
                path.write_text("CANCELLED")
            elif state(job, task) == "RUNNING" and options.get("state") != "PENDING":
                (job / f"{task}.how").write_text("CANCELLED")
                pid = int((job / f"{task}.pid").read_text())
                with contextlib.suppress(OSError):
                    os.killpg(pid, signal.SIGTERM)
                kill = f"sleep {KILL_SECONDS}; kill -9 -{pid}"
                subprocess.Popen(["/bin/sh", "-c", kill], start_new_session=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    command, root, *given = sys.argv[1:]
    globals()[command](Path(root), given)
