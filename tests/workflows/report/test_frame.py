"""Axes name round values within their ends, and places follow the values."""

from __future__ import annotations

import pytest

from goldlake.workflows.report import charts, densities
from goldlake.workflows.report.frame import Axis, Series
from goldlake.workflows.report.markup import rough
from goldlake_core.documents.examining import Density, Histogram


@pytest.mark.parametrize("ends", [(0, 10_000), (0, 3), (40, 90), (0.001, 0.02), (5, 5_000_000)])
def test_a_logarithmic_axis_names_values_within_its_ends(ends: tuple[float, float]) -> None:
    axis = Axis("x", *ends, is_log=True)
    ticks = axis.ticks()
    assert len(ticks) >= 2
    assert ticks == sorted(ticks)
    assert all(ends[0] <= tick <= ends[1] for tick in ticks)
    place = axis.scale(0, 100)
    assert (place(ends[0]), place(ends[1])) == pytest.approx((0, 100))
    places = [place(tick) for tick in ticks]
    assert places == sorted(places)
    # An interval may reach below the axis, where there may be no logarithm.
    assert place(-7) == pytest.approx(0)


@pytest.mark.parametrize(
    ("ends", "ticks"), [((1, 2), [1, 2]), ((1, 15), [5, 10, 15]), ((1, 1), [1])]
)
def test_epochs_are_named_by_whole_numbers(ends: tuple[float, float], ticks: list[float]) -> None:
    assert Axis("epoch", *ends, is_whole=True).ticks() == ticks


def test_a_line_may_have_dots_alone() -> None:
    points = [(1.0, 2.0), (2.0, 3.0)]
    shown = charts.lines("t", [Series("a", points, has_dots=True, has_line=False)], x="x", y="y")
    assert shown.count("<circle") == 2
    assert "line c1" not in shown


def test_each_cell_of_a_density_is_drawn_in_one_shade() -> None:
    found = Density(edges=(0, 1, 2, 3), cells=((0, 0, 1), (1, 1, 40), (2, 1, 900)), outside=0)
    shown = densities.density("t", found, "linear", x="x", y="y")
    assert shown.count("h-") == 3
    assert {f's{n}"' for n in range(6) if f'class="s{n}"' in shown} == {'s0"', 's3"', 's5"'}
    assert "Rows of a cell:" in shown


def test_one_row_is_a_density_too() -> None:
    found = Density(edges=(0, 1), cells=((0, 0, 1),), outside=0)
    assert densities.density("t", found, "log", x="x", y="y").count("h-") == 1


def test_a_histogram_has_a_bar_for_each_bin_and_a_line_at_0() -> None:
    shown = densities.histogram(
        "t", Histogram(edges=(-1.0, 0.0, 1.0), counts=(3, 0), outside=0), x="off"
    )
    assert shown.count("<rect") == 2
    assert "-1 to 0: 3" in shown
    assert "line c0" in shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0.0, "0"),
        (12.345, "12.3"),
        (1234.5, "1,234"),
        (-0.012345, "-0.0123"),
    ],
)
def test_a_measured_number_has_three_digits(value: float | None, text: str) -> None:
    assert rough(value) == text
