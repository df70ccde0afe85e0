import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.results.breakdown import adds_up, group_tiles, in_phase_order, mismatches, rounded_parts, top
from hwsim.results.layout import area_text, compact, count, scale_of

parts = st.lists(st.floats(0, 1e3), max_size=20)


@given(parts, st.integers(0, 6))
def test_rounded_parts_add_up_in_print(values, decimals):
    total = math.fsum(values)
    rounded = rounded_parts(values, total, decimals)
    assert sum(round(value * 10**decimals) for value in rounded) == round(total * 10**decimals)
    assert all(abs(a - b) <= 1.001 * 10**-decimals for a, b in zip(values, rounded, strict=True))


def test_wrong_sums_stay_visible():
    assert rounded_parts([1.0, 2.0], 4.0, 1) == [1.0, 2.0]


@given(st.dictionaries(st.text("abc", min_size=1), st.floats(0, 1)), st.integers(1, 5))
def test_top_keeps_the_sum(values, limit):
    rows = top(values, limit)
    assert len(rows) <= limit
    assert math.fsum(value for _, value in rows) == pytest.approx(math.fsum(values.values()))


def test_group_tiles():
    assert group_tiles({"tile0.adc": 1.0, "tile12.adc": 2.0, "bus": 4.0}) == {"tile*.adc": 3.0, "bus": 4.0}


def test_phases_in_the_order_of_the_work():
    assert in_phase_order(["static", "zzz", "update", "forward"]) == ["forward", "update", "static", "zzz"]


def test_adds_up_is_relative():
    assert adds_up([1e-12, 2e-12], 3e-12)
    assert not adds_up([1e-12, 2e-12], 3.0001e-12)
    assert adds_up([], 0.0)


def test_mismatches(synthetic):
    assert mismatches(synthetic.summary()) == []
    assert mismatches(synthetic.summary(timing=False)) == []
    assert [each.name for each in mismatches(synthetic.summary(latency_by_phase={}))] == ["latency_by_phase"]


@given(st.floats(1e-17, 1e12))
def test_totals_show_five_digits(total):
    factor, unit, decimals = scale_of(total, "J")
    text = f"{total * factor:.{decimals}f}"
    assert 4 <= sum(letter.isdigit() for letter in text.lstrip("0.")) <= 6 or decimals == 0
    assert unit.endswith("J")


def test_compact():
    assert compact("2.34e-12 J") == "2.34 pJ"
    assert compact("5000 ps") == "5 ns"
    assert compact("256.0 bit") == "256 bit"
    assert compact("2.2e-10 m^2") == "220 um^2"
    assert compact("reram-sb") == "reram-sb"
    assert compact("") == ""


def test_areas_and_counts():
    assert area_text(3.1e-6) == "3.1 mm^2"
    assert area_text(1.6e-13) == "0.16 um^2"
    assert count(1204331) == "1 204 331"
