"""A suite that is wrong is refused in one line that names the place and the nearest valid thing."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_suites import MLP, suite_table, trials_of

from ganbench import RequestError
from ganbench.registry.registry import load_registry
from ganbench.suite.expand import select_trials
from ganbench.suite.parse import override_suite, parse_suite, read_suite


def refused(table: dict, match: str) -> None:
    with pytest.raises(RequestError, match=match) as error:
        trials_of(table)
    assert "\n" not in str(error.value)


def method(**changes: object) -> dict:
    return suite_table(methods={"m": {"loss": "hinge", **MLP, **changes}})


@pytest.mark.parametrize(
    "table, line",
    [
        (suite_table(sedes=3), r"test.toml: unknown key 'sedes'; did you mean 'seeds'\?"),
        (suite_table(seeds="five"), r'test.toml: seeds = "five": expected'),
        (suite_table(seeds=0), r"seeds = 0: expected int >= 1"),
        (suite_table(seeds=1_000_000_000), r"seeds = 1000000000: expected int <= 10000"),
        (suite_table(seeds=list(range(10_001))), r"seeds = \[0, 1, .*: expected array of length <= 10000"),
        (suite_table(training={"observations": 10**9}), r"observations = 1000000000: expected int <= 100000"),
        (suite_table(evaluation={"samples": 10**12}), r"samples = 1000000000000: expected int <= 10000000"),
        (suite_table(seeds=[1, 1]), r"a seed is listed twice"),
        (suite_table(training={"steps": 0}), r"\[training\]: steps = 0: expected int >= 1"),
        (suite_table(training={"steps": -5}), r"\[training\]: steps = -5: expected int >= 1"),
        (suite_table(training={"stepz": 5}), r"\[training\]: unknown key 'stepz'; did you mean 'steps'\?"),
        (suite_table(evaluation={"at": [0.0]}), r"\[evaluation\]: at"),
        (suite_table(methods={}), r"no method to train"),
        (method(generator="mpl"), r"method 'm': no generator is called 'mpl'; did you mean 'mlp'\?"),
        (method(loss="hing"), r"no loss is called 'hing'; did you mean 'hinge'\?"),
        (method(loss={"nme": "hinge"}), r'a component is a name or a table with one, as \{ name = "..." \}'),
        (
            method(generator={"name": "mlp", "witdh": 3}),
            r"generator 'mlp' of ganbench .*: unknown key 'witdh'; did you mean 'width'\?",
        ),
        (method(generator={"name": "mlp", "width": "wide"}), r'width = "wide": expected int, got str'),
        (method(generator={"name": "mlp", "normalization": "batsch"}), r"normalization"),
        (method(optimizer="adm"), r"no optimizer is called 'adm'; did you mean 'adam'\?"),
        (method(optimizer={"name": "adam", "lr": -1.0}), r"lr = -1.0: expected float > 0"),
        (
            method(optimizer={"name": "sgd", "betas": [0, 1]}),
            r"optimizer_g: optimizer 'sgd' of ganbench .*: unknown key 'betas'",
        ),
        (method(regularizers=["r3"]), r"no regularizer is called 'r3'"),
        (method(stop_on=["mode-colapse"]), r"stop_on: 'mode-colapse' .*did you mean 'mode-collapse'\?"),
        (method(stop_when={"metric": "mods.covered", "at_least": 8}), r"'mods' is not among the suite's metrics"),
        (method(stop_when={"metric": "modes.covered"}), r"give one of 'at_least' and 'at_most'"),
        (method(points={"generatr": "mlp"}), r"\[methods.m.points\]: unknown key 'generatr'"),
        (method(on={"tabular": {"generatr": "mlp"}}), r"\[methods.m.on.tabular\]: unknown key 'generatr'"),
        (method(on={"points": {}}, points={}), r"\[methods.m\]: 'points' and 'on.points' are the same: give one"),
        (method(on={"point": {"ema": 0.9}}), r"\[methods.m.on.point\]: no data set .*; did you mean 'points'\?"),
        (suite_table(metrics=["mode"]), r"no metric is called 'mode'; did you mean 'modes'\?"),
        (suite_table(diagnoses=["mode-colapse"]), r"no diagnosis is called 'mode-colapse'"),
        (suite_table(datasets=["rng"]), r"no dataset is called 'rng'; did you mean 'ring'\?"),
        (suite_table(datasets={"ring": {"dataset": {"name": "ring", "sigm": 1}}}), r"did you mean 'sigma'\?"),
        (suite_table(name="a/b"), r"name = "),
    ],
)
def test_what_is_wrong_is_named_with_its_place(table, line):
    refused(table, line)


@pytest.mark.parametrize(
    "table, line",
    [
        (suite_table(steps=100), r"'steps' here; it belongs in \[training\] .* or in \[checkpoints\]$"),
        (suite_table(loss="hinge"), r"'loss' here; it belongs in \[methods.NAME\]$"),
        (suite_table(dataset="ring"), r"did you mean 'datasets'\? 'dataset' belongs in \[datasets.NAME\]$"),
        (
            suite_table(training={"seeds": 3}),
            r"\[training\]: unknown key 'seeds' here; it belongs at the top of the file",
        ),
        (
            suite_table(training={"samples": 500}),
            r"\[training\]: unknown key 'samples' here; it belongs in \[evaluation\]$",
        ),
        (suite_table(training={"generator": "mlp"}), r"'generator' here; it belongs in \[methods.NAME\]$"),
        (
            suite_table(evaluation={"ema": 0.9}),
            r"\[evaluation\]: unknown key 'ema' here; it belongs in \[training\] \(or",
        ),
        (suite_table(evaluation={"at_least": 8}), r"'at_least' here; it belongs in the table stop_when"),
        (suite_table(checkpoints={"max_minutes": 8}), r"'max_minutes' here; it belongs at the top of the file"),
        (method(metrics=["modes"]), r"\[methods.m\]: unknown key 'metrics' here; it belongs at the top of the file"),
        (method(points={"on": {}}), r"\[methods.m.points\]: unknown key 'on' here; it belongs in \[methods.NAME\]$"),
        (suite_table(grid={"generator": ["mlp"]}), r"\[grid\]: .* did you mean 'generators'\? 'generator' belongs in"),
        (
            suite_table(datasets={"ring": {"augmentation": "ada"}}),
            r"'augmentation' here; it belongs in \[methods.NAME\]$",
        ),
    ],
)
def test_a_key_in_the_wrong_table_is_told_where_it_belongs(table, line):
    with pytest.raises(RequestError, match=line):
        trials_of(table)


def test_a_file_that_is_not_there_is_no_toml_or_no_text_says_so(tmp_path: Path):
    with pytest.raises(RequestError, match="there is no suite file"):
        read_suite(tmp_path / "gone.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("seeds = [1,")
    with pytest.raises(RequestError, match="is not valid TOML"):
        read_suite(broken)
    broken.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequestError, match="not UTF-8"):
        read_suite(broken)
    with pytest.raises(RequestError, match="cannot be read"):
        read_suite(tmp_path)


@pytest.mark.parametrize("name", ["smoke", "basic", "modes"])
def test_the_suites_that_ship_unfold(name):
    registry = load_registry()
    suite = read_suite(registry.find("suite", name).build())
    table = tomllib.loads(Path(suite.source).read_text())
    trials = trials_of(table)
    assert (
        len({trial.id for trial in trials})
        == len(trials)
        == len(suite.methods) * len(suite.datasets) * len(suite.seeds)
    )


def test_basic_holds_what_it_promises():
    registry = load_registry()
    suite = read_suite(registry.find("suite", "basic").build())
    assert len(suite.methods) >= 6 and set(suite.datasets) == {"ring", "grid", "digits"} and len(suite.seeds) == 5
    trials = trials_of(tomllib.loads(Path(suite.source).read_text()))
    assert any(
        t.components.loss.name == "minimax" and t.components.generator.name == t.components.discriminator.name == "mlp"
        for t in trials
    )


def test_the_grid_form_crosses_everything():
    grid = {"generators": ["mlp"], "discriminators": ["mlp", {"name": "mlp", "normalization": "spectral"}]}
    table = suite_table(methods={}, grid={**grid, "losses": ["hinge", "minimax"], "regularizers": [[], ["r1", "r2"]]})
    names = [trial.method for trial in trials_of(table)]
    assert len(names) == 8
    assert "mlp+mlp(normalization=spectral)+hinge+r1+r2" in names


def test_a_method_may_differ_between_points_and_images():
    both = {
        "points": {"generator": "mlp", "discriminator": "mlp"},
        "images": {"generator": "conv", "discriminator": "conv"},
    }
    table = suite_table(datasets=["ring", "digits"], methods={"m": {"loss": "hinge", **both}})
    assert {t.dataset: t.components.generator.name for t in trials_of(table)} == {
        "ring": "mlp",
        "digits": "conv",
    }


def test_a_method_may_differ_on_a_kind_of_data_that_a_plugin_names(plugin_file):
    files = plugin_file('''
class Table(ganbench.Dataset):
    """Rows of four columns."""
    spec = ganbench.DataSpec("tabular", (4,))

@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("rows", Table)
''')
    own = {"on": {"tabular": {"steps": 7, "loss": "minimax"}, "points": {"steps": 8}}, "images": {"steps": 9}}
    table = suite_table(datasets=["rows", "ring", "digits"], methods={"m": {"loss": "hinge", **MLP, **own}})
    trials = trials_of(table, files)
    assert {t.dataset: (t.training.steps, t.components.loss.name) for t in trials} == {
        "rows": (7, "minimax"),
        "ring": (8, "hinge"),
        "digits": (9, "hinge"),
    }
    assert trials[0].data.kind == "tabular"


def test_the_nearest_setting_wins():
    table = suite_table(
        training={"steps": 10, "batch_size": 8, "optimizer": {"name": "sgd", "lr": 0.5}},
        datasets={"ring": {"steps": 20}, "grid": {}},
        methods={
            "a": {"loss": "hinge", **MLP},
            "b": {"loss": "hinge", **MLP, "optimizer_g": "adam", "batch_size": 4},
        },
    )
    trials = {(t.dataset, t.method): t.training for t in trials_of(table)}
    assert trials["ring", "a"].steps == 20 and trials["grid", "a"].steps == 10
    assert trials["ring", "b"].optimizer_g.name == "adam" and trials["ring", "b"].optimizer_d.name == "sgd"
    assert (trials["grid", "a"].batch_size, trials["grid", "b"].batch_size) == (8, 4)


def test_seeds_and_steps_can_be_asked_for_on_the_command_line():
    suite = parse_suite(suite_table(seeds=[4, 9], datasets={"ring": {"steps": 7}}), Path("s.toml"))
    assert override_suite(suite, seeds=1).seeds == (4,)
    assert override_suite(suite, seeds=4).seeds == (4, 9, 10, 11)
    assert "steps" not in override_suite(suite, steps=5).datasets["ring"].settings
    assert override_suite(suite, steps=5).training["steps"] == 5


@pytest.mark.parametrize(
    "numbers, line",
    [({"seeds": 10**9}, r"--seeds 1000000000: give a number from 1 to 10000"), ({"seeds": 0}, "--seeds 0"),
     ({"seeds": -2}, "--seeds -2"), ({"steps": 0}, r"--steps 0: give a number above 0")],
)  # fmt: skip
def test_seeds_and_steps_out_of_bounds_are_refused_before_any_is_counted(numbers, line):
    suite = parse_suite(suite_table(), Path("s.toml"))
    with pytest.raises(RequestError, match=line):
        override_suite(suite, **numbers)


def test_more_methods_or_trials_than_anyone_compares_are_refused_before_they_are_made():
    parts = [{"name": "mlp", "width": width} for width in range(1, 400)]
    grid = {"generators": parts, "discriminators": parts, "losses": ["hinge"]}
    refused(suite_table(methods={}, grid=grid), r"\[grid\]: 159201 methods, and at most 10000 can be compared")
    grid = {"generators": parts[:50], "discriminators": ["mlp"], "losses": ["hinge"]}
    refused(
        suite_table(methods={}, grid=grid, seeds=10_000), r"500000 trials \(50 methods on data sets, 10000 seeds each\)"
    )


@pytest.mark.parametrize(
    "text, why",
    [("seeds = " + "9" * 5000, "4300 digits"), ("seeds = " + "[" * 50_000, "brackets are nested too deeply")],
)
def test_toml_that_its_reader_gives_up_on_is_refused_in_one_line(tmp_path, text, why):
    path = tmp_path / "odd.toml"
    path.write_text(text)
    with pytest.raises(RequestError, match=f"odd.toml is not valid TOML: .*{why}") as error:
        read_suite(path)
    assert "\n" not in str(error.value)


def test_only_selects_by_column_and_names_what_there_is_instead():
    trials = trials_of(suite_table(methods={"a": {"loss": "hinge", **MLP}, "b": {"loss": "minimax", **MLP}}, seeds=3))
    assert {t.method for t in select_trials(trials, ["loss=h*"])} == {"a"}
    assert len(select_trials(trials, ["method=a", "method=b", "seed=0"])) == 2
    with pytest.raises(RequestError, match=r"no trial matches; there are .*'a', 'b'"):
        select_trials(trials, ["method=c"])
    with pytest.raises(RequestError, match=r"did you mean 'method'\?"):
        select_trials(trials, ["metod=c"])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(["seeds", "datasets", "metrics", "methods", "grid", "training", "evaluation", "name", "reports"])


@given(st.dictionaries(keys, values, max_size=4))
@example({"seeds": "\n"})
@example({"seeds": "\x1b[2J"})
@example({"seeds": 2**62})
@settings(max_examples=300, deadline=None)
def test_whatever_a_suite_holds_it_is_read_or_refused_in_one_line(changes):
    try:
        parse_suite(suite_table(**changes), Path("any.toml"))
    except RequestError as error:
        assert str(error).isprintable() and str(error).startswith("any.toml")
