"""Options of the executor, and what is said where there is no cluster: one line, before anything runs."""

from __future__ import annotations

import sys

import msgspec
import pytest
import small_disks
from small_suites import suite_table, trials_of

import ganbench

pytest.importorskip("ganbench_ray")

from ganbench_ray import executor
from ganbench_ray.executor import Ray
from ganbench_ray.task import run_task


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": 0}, "workers = 0: give a number above 0"),
        ({"cpus": -1.0}, "cpus = -1.0: give 0 or more"),
        ({"gpus": 1.5}, "gpus = 1.5: above 1, give a whole number"),
        ({"custom": {"a100": -1.0}}, "a100 = -1.0: give 0 or more"),
        ({"methods": {"big": {"gpu": 1}}}, "methods: 'big': gpu = 1: give cpus, gpus or memory as a number"),
        ({"methods": {"big": {"custom": 1}}}, "custom = 1: give"),
    ],
)
def test_wrong_options_are_refused_in_one_line(options, said):
    with pytest.raises(ganbench.RequestError, match=said) as raised:
        Ray(**options)
    assert "\n" not in str(raised.value)


def test_resources_of_a_method_are_the_common_ones_and_its_own():
    ray = Ray(cpus=2, memory=1.0, methods={"big*": {"gpus": 0.25}, "big-2": {"cpus": 4, "custom": {"a100": 1}}})
    assert ray.resources("small").options() == {"num_cpus": 2, "num_gpus": 0, "resources": {}, "memory": 2**30}
    assert ray.resources("big-1").needs() == {"CPU": 2, "GPU": 0.25, "memory": 2**30}
    assert ray.resources("big-2").needs() == {"CPU": 4, "GPU": 0.25, "memory": 2**30, "a100": 1}


@pytest.mark.parametrize("address", ["localhost", "host:port", ""])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ganbench.RequestError, match='give "auto" or HOST:PORT'):
        executor._check_address(address)


def test_a_task_on_a_full_disk_is_no_fault_of_its_trial(tmp_path):
    """So that the run ends, instead of training the next trials for nothing."""
    (trial,) = trials_of(suite_table(training={"steps": 4, "batch_size": 16}))
    content, environment = msgspec.json.encode(trial), (str(tmp_path), 1, "node")
    with small_disks.mount(tmp_path / "disk") as resize:
        place = resize("64k")
        (place / "staging").mkdir()
        filling = small_disks.fill(place)
        with pytest.raises(ganbench.StorageError, match="Make room there, and the same command does the rest"):
            run_task(content, str(place), str(place), *environment)
        filling.unlink()
        resize("2m")
        run_task(content, str(place), str(place), *environment)
        assert ganbench.read_stored(place, trial).status is ganbench.Status.DONE


def test_a_machine_without_ray_is_told_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        ganbench.RequestError, match=r"Ray is not installed here .*'pip install ray' does that"
    ) as raised:
        Ray().prepare(tmp_path, False)
    assert "\n" not in str(raised.value)


def test_where_nothing_answers_the_line_says_how_to_start_a_cluster(monkeypatch, tmp_path):
    with pytest.raises(
        ganbench.RequestError, match=r"no Ray cluster answers at 127\.0\.0\.1:9 .*'ray start --head'"
    ) as raised:
        executor._check_address("127.0.0.1:9")
    assert "\n" not in str(raised.value)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with pytest.raises(ganbench.RequestError, match=r"at this machine .*none was started here"):
        executor._check_address("auto")
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:9")  # of a cluster that was killed
    with pytest.raises(ganbench.RequestError, match=r"at 127\.0\.0\.1:9"):
        executor._check_address("auto")
