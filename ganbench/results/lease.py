"""Who may write to a results folder: one run at a time, on whatever host.

A lock of the operating system keeps other processes of this host out, and ends with its process. Between hosts that share
a file system it cannot be relied on, so a run also holds a lease: a file that it renews every few seconds. Another host
takes it over only if it has seen it unchanged for several times as long, by its own clock: clocks are never compared.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import msgspec

from ..contract.errors import RequestError
from ..contract.files import write_atomically

LOCK_FILE, LEASE_FILE, TAKER_FILE = ".lock", ".lease", ".lease.taker"
FILE_BYTES = 512  # of a lease, always: one is written over another
RENEWAL_SECONDS = 10.0
PATIENCE_SECONDS = 4 * RENEWAL_SECONDS  # after which a lease of another host that was not renewed is taken over


class _Lease(msgspec.Struct):
    """What the file says: the host and process that write to the folder, this lease of theirs, and its renewals."""

    host: str
    pid: int
    token: str
    renewals: int = 0


class FolderLock:
    """The right to write to a results folder, while `hold` lasts.

    Args:
        folder: The folder, which exists.
        host: The name of this host.
    """

    def __init__(self, folder: Path, host: str | None = None) -> None:
        self._folder, self._path = folder, folder / LEASE_FILE
        self._mine = _Lease(host or socket.gethostname(), os.getpid(), uuid.uuid4().hex)
        self._ended = threading.Event()
        self._lost_to = ""

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the folder until the end of the block.

        Raises:
            RequestError: If another run holds it.
            OSError: If the folder cannot be written to.
        """
        lock = filelock.FileLock(self._folder / LOCK_FILE, timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise self._refusal("") from None
        try:
            self._acquire()
            renewing = threading.Thread(target=self._renew, name="lease", daemon=True)
            renewing.start()
            try:
                yield
            finally:
                self._ended.set()
                renewing.join()
                if self._is_mine():
                    self._path.unlink(missing_ok=True)
        finally:
            lock.release()

    def check(self) -> None:
        """Raise OSError if another host has taken the folder over, since this one was silent for too long."""
        if self._lost_to:
            raise OSError(
                f"a run on {self._lost_to} has taken the folder over, since this one could not renew its lease"
            )

    def _acquire(self) -> None:
        while True:
            try:
                file = self._path.open("xb")  # of several that try, one alone succeeds
            except FileExistsError:
                self._take_over()
                continue
            try:
                with file:
                    file.write(self._encode())
            except OSError:  # a full disk: an empty lease would be taken for another host's
                self._path.unlink(missing_ok=True)
                raise
            return

    def _take_over(self) -> None:
        """Remove the lease of a run that has ended. Raise RequestError if it has not."""
        found = self._read()
        if found is None or found.host != self._mine.host:  # of this host's, the operating system's lock has said it
            where = "another host" if found is None else found.host
            warnings.warn(
                f"a run on {where} has not given {self._folder} back: it is taken over in {PATIENCE_SECONDS:.0f} s "
                "unless that run is alive",
                stacklevel=2,
            )
            until = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < until:
                time.sleep(RENEWAL_SECONDS / 10)
                now = self._read()
                if now != found and now is not None:
                    raise self._refusal(f" on {now.host}")
                if not self._path.exists():
                    return  # given back
        with self._sole_taker():
            now = self._read()
            if now != found and self._path.exists():  # of one that was faster, and may be writing it
                raise self._refusal("" if now is None else f" on {now.host}")
            self._path.unlink(missing_ok=True)

    @contextmanager
    def _sole_taker(self) -> Iterator[None]:
        """Be the only one that may remove the lease, for the moment of the block: what is there is looked at once more."""
        taking = self._path.with_name(TAKER_FILE)
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                taking.open("xb").close()  # of several that try, one alone succeeds
                break
            except FileExistsError:
                if time.monotonic() > until:  # one that died in that moment
                    taking.unlink(missing_ok=True)
                time.sleep(RENEWAL_SECONDS / 100)
        try:
            yield
        finally:
            taking.unlink(missing_ok=True)

    def _renew(self) -> None:
        while not self._ended.wait(RENEWAL_SECONDS):
            found = self._read()
            if found is not None and found.token != self._mine.token:
                self._lost_to = found.host
                return
            self._mine.renewals += 1
            with contextlib.suppress(OSError):  # out of reach for now: the lease stands for some renewals more
                if found is None:
                    write_atomically(self._path, self._encode())
                else:  # in place: on a disk that has filled since, that still succeeds
                    with self._path.open("r+b") as file:
                        file.write(self._encode())

    def _encode(self) -> bytes:
        return msgspec.json.encode(self._mine).ljust(FILE_BYTES)

    def _read(self) -> _Lease | None:
        return _read(self._path)

    def _is_mine(self) -> bool:
        found = self._read()
        return found is not None and found.token == self._mine.token

    def _refusal(self, where: str) -> RequestError:
        return RequestError(f"another run{where} is writing to {self._folder}; wait for it or give another --output")


def _read(path: Path) -> _Lease | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Lease)
    except (OSError, ValueError):  # ValueError: no JSON, not UTF-8, or of another form
        return None
