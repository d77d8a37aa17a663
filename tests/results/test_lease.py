"""One run at a time writes to a folder, on whatever host, and a host that died is not waited for."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import warnings

import msgspec
import pytest
from small_disks import fill

from ganbench import RequestError
from ganbench.results import lease
from ganbench.results.lease import LEASE_FILE, TAKER_FILE, FolderLock

RENEWAL = 0.1


@pytest.fixture(autouse=True)
def short_times(monkeypatch):
    monkeypatch.setattr(lease, "RENEWAL_SECONDS", RENEWAL)
    monkeypatch.setattr(lease, "PATIENCE_SECONDS", 8 * RENEWAL)


@pytest.fixture
def unshared_lock(monkeypatch):
    """A file system on which the lock of one host says nothing to another."""

    class NoLock:
        def __init__(self, *_, **__):
            pass

        def acquire(self):
            pass

        def release(self):
            pass

    monkeypatch.setattr(lease.filelock, "FileLock", NoLock)


def test_a_folder_that_another_host_writes_to_is_refused_by_its_name(tmp_path, unshared_lock):
    with (
        FolderLock(tmp_path, "node1").hold(),
        pytest.warns(UserWarning, match="a run on node1 has not given"),
        pytest.raises(RequestError, match="another run on node1 is writing to"),
        FolderLock(tmp_path, "node2").hold(),
    ):
        pass
    with FolderLock(tmp_path, "node2").hold():  # given back
        pass
    assert not (tmp_path / LEASE_FILE).exists()


def test_the_lease_of_a_host_that_died_is_taken_over_without_comparing_clocks(tmp_path, unshared_lock):
    with FolderLock(tmp_path, "node1").hold():
        left = (tmp_path / LEASE_FILE).read_bytes()
    (tmp_path / LEASE_FILE).write_bytes(left)
    with pytest.warns(UserWarning, match="node1"), FolderLock(tmp_path, "node2").hold():
        assert b"node2" in (tmp_path / LEASE_FILE).read_bytes()


def test_what_a_killed_run_of_this_host_left_costs_no_time(tmp_path):
    with FolderLock(tmp_path).hold():
        left = (tmp_path / LEASE_FILE).read_bytes()
    (tmp_path / LEASE_FILE).write_bytes(left)
    began = time.monotonic()
    with FolderLock(tmp_path).hold():
        assert time.monotonic() - began < 4 * RENEWAL


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_a_damaged_lease_is_waited_for_and_then_taken_over(tmp_path, content):
    (tmp_path / LEASE_FILE).write_bytes(content)
    with pytest.warns(UserWarning, match="another host"), FolderLock(tmp_path).hold():
        assert (tmp_path / LEASE_FILE).read_bytes() != content


def test_of_several_hosts_that_take_a_folder_over_one_alone_gets_it(tmp_path, unshared_lock):
    with FolderLock(tmp_path, "dead").hold():
        left = (tmp_path / LEASE_FILE).read_bytes()
    (tmp_path / LEASE_FILE).write_bytes(left)
    holding, most, refused = [0], [0], []
    guard, everybody_tried = threading.Lock(), threading.Barrier(4)

    def take(host: str) -> None:
        try:
            with FolderLock(tmp_path, host).hold():
                with guard:
                    holding[0] += 1
                    most[0] = max(most[0], holding[0])
                everybody_tried.wait(timeout=60)
                with guard:
                    holding[0] -= 1
        except RequestError:
            refused.append(host)
            everybody_tried.wait(timeout=60)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threads = [threading.Thread(target=take, args=(f"node{i}",)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert most[0] == 1 and len(refused) == 3


def test_one_that_died_while_it_took_a_folder_over_is_not_waited_for_long(tmp_path, unshared_lock):
    with FolderLock(tmp_path, "dead").hold():
        left = (tmp_path / LEASE_FILE).read_bytes()
    (tmp_path / LEASE_FILE).write_bytes(left)
    (tmp_path / TAKER_FILE).touch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with FolderLock(tmp_path, "node1").hold():
            assert b"node1" in (tmp_path / LEASE_FILE).read_bytes() and not (tmp_path / TAKER_FILE).exists()


def test_a_run_that_lost_its_folder_writes_nothing_more(tmp_path, unshared_lock):
    lock = FolderLock(tmp_path, "node1")
    with lock.hold():
        lock.check()
        (tmp_path / LEASE_FILE).write_text('{"host": "node2", "pid": 1, "token": "other"}')
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                lock.check()
            except OSError as error:
                assert "node2 has taken the folder over" in str(error)
                break
            time.sleep(RENEWAL)
        else:
            pytest.fail("it never noticed")
    assert "node2" in (tmp_path / LEASE_FILE).read_text()  # the other's lease stays


def renewals(folder):
    return msgspec.json.decode((folder / LEASE_FILE).read_bytes())["renewals"]


def wait_until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(RENEWAL / 10)


def test_a_host_whose_disk_has_filled_keeps_its_folder(small_disk, unshared_lock):
    folder = small_disk("64k")
    with FolderLock(folder, "node1").hold():
        fill(folder)
        before = renewals(folder)
        wait_until(lambda: renewals(folder) > before + 2)
        with (
            pytest.warns(UserWarning, match="node1"),
            pytest.raises(RequestError, match="another run on node1 is writing"),
            FolderLock(folder, "node2").hold(),
        ):
            pass


def test_a_lease_that_somebody_deleted_is_written_again(tmp_path):
    with FolderLock(tmp_path, "node1").hold():
        (tmp_path / LEASE_FILE).unlink()
        wait_until((tmp_path / LEASE_FILE).exists)


@pytest.fixture(params=[-600, 600], ids=["10 minutes behind", "10 minutes ahead"])
def other_clock(request, monkeypatch):
    """Set the clock of this host otherwise, and date whatever is renewed so."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + request.param)
    monkeypatch.setattr(time, "time_ns", lambda: int((now() + request.param) * 1e9))
    return lambda path: os.utime(path, (now() + request.param,) * 2)


def test_a_live_host_keeps_its_folder_whatever_its_clock_says(tmp_path, unshared_lock, other_clock):
    with FolderLock(tmp_path, "node1").hold():
        over = threading.Event()

        def date():
            while not over.wait(RENEWAL / 20):
                with contextlib.suppress(OSError):
                    other_clock(tmp_path / LEASE_FILE)

        dating = threading.Thread(target=date)
        dating.start()
        try:
            for _ in range(3):
                with (
                    pytest.warns(UserWarning, match="node1"),
                    pytest.raises(RequestError, match="another run on node1 is writing"),
                    FolderLock(tmp_path, "node2").hold(),
                ):
                    pass
        finally:
            over.set()
            dating.join()


def test_a_dead_host_is_not_waited_for_longer_whatever_its_clock_said(tmp_path, unshared_lock, other_clock):
    with FolderLock(tmp_path, "node1").hold():
        left = (tmp_path / LEASE_FILE).read_bytes()
    (tmp_path / LEASE_FILE).write_bytes(left)
    other_clock(tmp_path / LEASE_FILE)
    began = time.monotonic()
    with pytest.warns(UserWarning, match="node1"), FolderLock(tmp_path, "node2").hold():
        assert time.monotonic() - began >= lease.PATIENCE_SECONDS
        assert b"node2" in (tmp_path / LEASE_FILE).read_bytes()
