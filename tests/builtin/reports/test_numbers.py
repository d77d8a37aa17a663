"""Numbers are formatted for readers."""

import math

import pytest

from ganbench.builtin.reports.numbers import format_number, format_percent, parse_float


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (98.889, "98.9"), (99.97, "100"), (0.0123456, "0.0123"), (1234.5, "1,234"), (1.23e-7, "1.23e-07"),
        (8e-4, "0.000800"),
        (0, "0"),
        (-0.5, "-0.500"), (None, "–"), (math.nan, "–"), (math.inf, "∞"), (2.5e9, "2.50e+09"),
    ],
)  # fmt: skip
def test_numbers_have_three_significant_digits(value, text):
    assert format_number(value) == text


def test_only_an_exact_0_or_1_is_written_as_0_or_100_percent():
    assert [format_percent(share) for share in (0, 0.001, 0.5, 0.999, 1, None)] == [
        "0 %", "<1 %", "50 %", ">99 %", "100 %", "–",
    ]  # fmt: skip


def test_cells_that_are_not_numbers_are_missing():
    assert [parse_float(cell) for cell in ("0.5", 3, "", None, "n/a", math.nan)] == [0.5, 3, None, None, None, None]
