"""Charts show all that was measured, in drawings from which the values can be read back."""

import re

import numpy as np
import pytest

from ganbench.builtin.reports import curves
from ganbench.builtin.reports.charts import ChartSpec, Line, choose_axis, draw_chart, find_ticks, over_seeds, thin


def test_thinning_keeps_spikes():
    values = np.zeros(10_000)
    values[[1234, 7777]] = 9, -9
    steps, kept = thin(np.arange(10_000.0), values, 100)
    assert len(kept) <= 100 and kept.max() == 9 and kept.min() == -9
    assert (np.diff(steps) >= 0).all()


def test_seeds_become_their_median_and_a_band_that_holds_them_all():
    steps = np.array([10.0, 20.0])
    x, middle, low, high = over_seeds(
        [(steps, np.array([1.0, 4.0])), (steps, np.array([3.0, 5.0])), (steps[:1], np.array([9.0]))]
    )
    assert list(x) == [10, 20] and list(middle) == [3, 4.5]
    assert list(low) == [1, 4] and list(high) == [9, 5]


def test_many_steps_of_seeds_are_binned_without_losing_a_spike():
    steps = np.arange(5000.0)
    spiky = np.where(steps == 3210, 50.0, 1.0)
    x, middle, low, high = over_seeds([(steps, spiky), (steps + 0.5, np.ones(5000))], 40)
    assert len(x) == 40 and high.max() == 50 and low.min() == 1 and (middle == 1).all()
    assert (np.diff(x) > 0).all() and x[-1] == 4999.5


def test_no_seeds_give_no_points():
    assert all(not len(part) for part in over_seeds([]))


@pytest.mark.parametrize("scale, values", [("linear", [2.0, 3.5, 2.25]), ("log", [1e-4, 0.3, 20.0])])
def test_values_can_be_read_back_from_a_drawing(scale, values):
    drawing = draw_chart(ChartSpec("t"), [Line("a", "c0", np.array([0.0, 50.0, 100.0]), np.array(values))], 100)
    assert f'data-scale="{scale}"' in drawing.svg
    low, high = (float(re.search(rf'data-{name}="([^"]*)"', drawing.svg)[1]) for name in ("low", "high"))
    _, top, _, height = map(float, re.search(r'data-box="([^"]*)"', drawing.svg)[1].split(","))
    path = re.search(r'class="line" d="M([^"]*)"', drawing.svg)[1]
    shares = [1 - (float(point.split()[1]) - top) / height for point in path.split("L")]
    read = [low + share * (high - low) if scale == "linear" else low * (high / low) ** share for share in shares]
    assert read == pytest.approx(values, rel=1e-3)


def test_an_axis_is_logarithmic_where_a_linear_one_would_hide_values():
    assert choose_axis(np.array([0.001, 1.0])).scale == "log"
    assert choose_axis(np.array([0.5, 1.0])).scale == "linear"
    assert choose_axis(np.array([-1.0, 1e6])).scale == "symlog"
    assert choose_axis(np.array([0.0, 1.0])).scale == "linear"


@pytest.mark.parametrize(
    "low, high, scale",
    [(0, 1, "linear"), (-3e-7, 2e-7, "linear"), (0.98, 1.02, "linear"), (1e-9, 1e9, "log"), (0.2, 0.9, "log"),
     (3.0, 3.1, "log"), (-1e30, 1e30, "symlog"), (-0.5, 4e3, "symlog")],
)  # fmt: skip
def test_axes_of_any_length_have_a_few_round_ticks(low, high, scale):
    ticks = find_ticks(low, high, scale)
    assert 2 <= len(ticks) <= 9 and ticks == sorted(ticks)
    assert all(float(f"{tick:.3g}") == pytest.approx(tick) for tick in ticks)


def test_small_numbers_on_an_axis_keep_their_digits():
    steps = np.arange(20.0)
    seed = curves.SeedCurves({"step": steps, "input_gradient": 10 ** (-steps / 4)})
    (drawing,) = curves.draw_seeds([seed], [])
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", drawing.svg)
    assert {"0.001", "1"} <= set(labels) or {"0.0001", "1"} <= set(labels)


@pytest.mark.parametrize(
    "values",
    [np.full(20, np.nan), np.zeros(20), np.full(20, 1e300), np.full(20, -1e300), np.array([1.0]), np.array([]),
     np.array([np.inf, -np.inf]), np.array([-5e-324, 5e-324])],
)  # fmt: skip
def test_extreme_histories_are_drawn_without_warnings(values):
    columns = ("step", "loss_d", "value", "d_real", "auc_d", "input_gradient", "energy_distance")
    history = {column: np.arange(float(len(values))) if column == "step" else values for column in columns}
    seed = curves.SeedCurves(history, diverged=True, seed="0")
    drawings = [*curves.draw_seeds([seed], []), *curves.draw_signals([curves.MethodCurves("m", 0, [seed, seed])])]
    for drawing in drawings:
        assert drawing.svg.startswith("<svg") and drawing.svg.endswith("</svg>")
        assert "nan" not in drawing.svg.lower().replace("nance", "") and "inf" not in drawing.svg


def test_a_name_with_markup_is_text():
    drawing = draw_chart(ChartSpec("<b>&"), [Line('"><script>', "c0", np.array([0.0]), np.array([1.0]))], 1)
    assert "<script" not in drawing.svg and "<b>" not in drawing.svg


def test_methods_differ_by_dashes_where_colours_repeat():
    looks = [curves.method_look(index).split()[1:] for index in range(24)]
    assert len(set(map(tuple, looks))) == 24
