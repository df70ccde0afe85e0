import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.units import format_quantity, parse_quantity, to_picoseconds


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("12.5 ns", "s", 12.5e-9),
        ("25 uS", "S", 25e-6),
        ("25uS", "S", 25e-6),
        ("3 µs", "s", 3e-6),
        ("0.16 um^2", "m^2", 0.16e-12),
        ("2 mm²", "m^2", 2e-6),
        ("1 GHz", "Hz", 1e9),
        ("64 KiB", "B", 65536.0),
        ("7 aJ", "J", 7e-18),
        ("1e3 pJ", "J", 1e-9),
        ("-1.5 V", "V", -1.5),
    ],
)
def test_reads_numbers_with_units(text: str, unit: str, value: float) -> None:
    assert parse_quantity(text, unit) == value


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("12.5", "s"),
        ("12 nJ", "s"),
        ("ns", "s"),
        ("1 xs", "s"),
        ("1 um", "m^2"),
        ("1 KB", "B"),
        ("1e999", "s"),
        ("1..2 s", "s"),
    ],
)
def test_refuses_anything_else(text: str, unit: str) -> None:
    with pytest.raises(ValueError, match="expected a number with the unit"):
        parse_quantity(text, unit)


@given(st.floats(1e-15, 1e6))
def test_written_quantities_read_back_to_the_last_bit(value: float) -> None:
    assert parse_quantity(f"{value!r} s", "s") == value


def test_whole_picoseconds() -> None:
    assert to_picoseconds(1.28e-9) == 1280
    assert to_picoseconds(0.0) == 0
    with pytest.raises(ValueError, match="whole number of picoseconds"):
        to_picoseconds(1.5e-12)
    assert to_picoseconds(1.5e-12, rounding="up") == 2
    for bad in (float("nan"), float("inf"), -1.0):
        with pytest.raises(ValueError, match="finite"):
            to_picoseconds(bad)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (3.912e-6, "J", "3.912 uJ"),
        (0.0, "s", "0 s"),
        (999.96e-9, "s", "1 us"),
        (2e-6, "m^2", "2 mm^2"),
        (5.0, "W", "5 W"),
    ],
)
def test_formats_with_prefixes(value: float, unit: str, text: str) -> None:
    assert format_quantity(value, unit) == text
