"""The component library against published figures (``tests/data/published_costs.csv``), each within its tolerance.

Tolerances are those of the printed digits: 1e-9 for figures that an entry holds as they are, half a percent where a fit
is evaluated that was printed with three digits, up to 3.5 % where two factors of node scaling with two digits each are
divided, and more where the figure itself is a rounded sum of parts.
"""

import csv
from pathlib import Path

import pytest

from hwsim.cost import component_model
from hwsim.cost.model import ComponentModel
from hwsim.units import parse_quantity

with (Path(__file__).parents[1] / "data" / "published_costs.csv").open(encoding="utf-8", newline="") as file:
    POINTS = list(csv.DictReader(file))


def parameters_of(text: str) -> dict[str, object]:
    """Read ``bits=8 node=14nm`` as a chip would give it."""
    given: dict[str, object] = {}
    for item in text.split():
        name, _, value = item.partition("=")
        try:
            given[name] = float(value)
        except ValueError:
            given[name] = value
    return given


def number_of(model: ComponentModel, quantity: str) -> float:
    """Return ``convert.energy``, ``area``, ``leakage`` or a property of a model; ``/8`` divides."""
    quantity, _, divisor = quantity.partition("/")
    action, _, part = quantity.partition(".")
    if part:
        number = getattr(model.actions[action], part)
    else:
        number = model.properties[quantity] if quantity in model.properties else getattr(model, quantity)
    return number.value / float(divisor or 1)


@pytest.mark.parametrize(
    "point", POINTS, ids=lambda point: f"{point['component']} {point['parameters']} {point['quantity']}"
)
def test_published_point(point: dict[str, str]) -> None:
    model = component_model(point["component"], parameters_of(point["parameters"]))
    base = {"um^2": "m^2", "mm^2": "m^2"}.get(point["unit"], point["unit"][-1])
    expected = parse_quantity(f"{point['value']} {point['unit']}", base)
    assert number_of(model, point["quantity"]) == pytest.approx(expected, rel=float(point["tolerance"]), abs=0)


def test_the_points_cover_every_kind_of_component() -> None:
    types = {component_model(point["component"]).spec.type for point in POINTS}
    assert types >= {"adc", "dac", "pulse_generator", "integrator", "sample_hold", "accumulator", "digital_unit",
                     "buffer", "bus", "off_chip_link", "logic"}  # fmt: skip


def test_the_survey_is_about_seven_times_above_the_simulated_converter() -> None:
    survey = component_model("adc-survey", {"bits": 8, "node": "32 nm"}).actions["convert"].energy.value
    simulated = component_model("adc-sar-neurosim", {"bits": 8, "node": "32 nm"}).actions["convert"].energy.value
    assert survey / simulated == pytest.approx(7, rel=0.1, abs=0)


def test_wire_delay_and_pulse_widths_in_closed_form() -> None:
    # 0.38 R' C' L^2 with R' = 13.3 ohm/um and C' = 0.2 fF/um at 32 nm, and one clock.
    wire = component_model("bus-wire", {"length": "2 mm"}).actions["transfer"]
    assert wire.latency.value == pytest.approx(1e-9 + 0.38 * 13.3 * 0.2e-15 * 2000**2, rel=1e-4, abs=0)
    assert wire.interval.value == 1e-9
    # 127 slots of 1 ns for 7 bits and a sign; two passes of up to 16 slots.
    assert component_model("dac-pulse-width", {"bits": 8}).properties["drive_time"].value == pytest.approx(
        127e-9, rel=1e-9, abs=0
    )
    assert component_model("dac-split-pulse-width", {"bits": 8}).properties["drive_time"].value == pytest.approx(
        16e-9, rel=1e-9, abs=0
    )
    assert component_model("adc-ramp", {"bits": 8, "rate": "2 GHz"}).actions["convert"].latency.value == 128e-9
    assert component_model("adc-sar-neurosim", {"bits": 8}).actions["convert"].latency.value == 9e-9


def test_flash_latency_is_kept_within_its_bounds() -> None:
    def latency(resistance: str) -> float:
        return component_model("adc-flash", {"column_resistance": resistance}).actions["convert"].latency.value

    assert latency("1 kohm") == 1e-9
    assert latency("100 kohm") == pytest.approx((0.0714 * 4.605170 + 0.7651) * 1e-9, rel=1e-6, abs=0)
    flash = component_model("adc-flash", {"bits": 4})
    assert flash.area.value == pytest.approx(15 * 40e-12, rel=1e-9, abs=0)


def test_h_tree_and_shared_generators_in_closed_form() -> None:
    # Stages of length 1, 1/2, 1/4 mm; C' V^2 of half the wires, 1.4 times for repeaters.
    tree = component_model("bus-h-tree", {"width": 64, "stages": 3, "length": "1 mm"}).actions["transfer"]
    assert tree.energy.value == pytest.approx(64 * 1.75 * 200e-15 * 0.81 * 0.5 * 1.4, rel=1e-9, abs=0)
    assert tree.latency.value == pytest.approx(3e-9, rel=1e-9, abs=0)
    own = component_model("pulse-generator-lfsr").actions["draw"].energy.value
    shared = component_model("pulse-generator-shared-lfsr", {"lines": 1}).actions["draw"].energy.value
    many = component_model("pulse-generator-shared-lfsr", {"lines": 100}).actions["draw"].energy.value
    assert shared == pytest.approx(own, rel=1e-9, abs=0)
    assert own - many == pytest.approx(76.3e-15 * 0.99, rel=1e-9, abs=0)
