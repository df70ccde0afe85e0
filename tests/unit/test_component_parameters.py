"""Parameters of components: scaling laws, ranges, what a chip may set, and how every number is explained."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim import library
from hwsim.cost import CostTables, component_model, node_scaling
from hwsim.errors import SpecError
from hwsim.run import resolve
from hwsim.run.check import check_file
from hwsim.spec.chip import ChipSpec
from hwsim.spec.component import PROVENANCES, ComponentSpec
from hwsim.spec.load import Document, assign, build, load_component, mutable, named_document

NODES = st.floats(7, 130).map(lambda node: node * 1e-9)


def energy(name: str, action: str = "convert", **parameters: Any) -> float:
    return component_model(name, parameters).actions[action].energy.value


# Node scaling


@given(NODES, NODES)
def test_node_scaling_there_and_back_is_one(one: float, other: float) -> None:
    scaling = node_scaling("stillmaker-baas")
    assert scaling.area(one, other) * scaling.area(other, one) == pytest.approx(1, rel=1e-9, abs=0)
    assert scaling.energy(one, other, 0.8) * scaling.energy(other, one, 0.8) == pytest.approx(1, rel=1e-9, abs=0)


@given(NODES, NODES)
def test_a_smaller_node_takes_less_area(one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert node_scaling("stillmaker-baas").area(small, large) <= 1 + 1e-12


def test_node_factors_are_those_of_the_table() -> None:
    scaling = node_scaling("stillmaker-baas")
    assert scaling.area(65e-9, 130e-9) == pytest.approx(0.23, rel=1e-9, abs=0)
    expected = (0.2363 * 0.64 - 0.09675 * 0.8 + 0.02239) / (0.9559 * 0.64 - 0.7823 * 0.8 + 0.471)
    assert scaling.energy(14e-9, 32e-9, 0.8) == pytest.approx(expected, rel=1e-9, abs=0)
    assert scaling.area(14e-9, 14e-9) == scaling.energy(40e-9, 40e-9, 0.8) == 1.0
    with pytest.raises(ValueError, match="180 nm is outside the scaling table"):
        scaling.area(180e-9, 32e-9)


# Monotone laws


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 11), st.floats(1e6, 1e10), NODES)
def test_the_survey_grows_with_resolution_rate_and_node(bits: int, rate: float, node: float) -> None:
    at = {"rate": f"{rate!r} Hz", "node": f"{node!r} m"}
    assert energy("adc-survey", bits=bits, **at) < energy("adc-survey", bits=bits + 1, **at)
    faster = at | {"rate": f"{min(rate * 2, 1e10)!r} Hz"}
    assert energy("adc-survey", bits=bits, **at) <= energy("adc-survey", bits=bits, **faster)
    coarser = at | {"node": f"{min(node * 1.3, 130e-9)!r} m"}
    assert energy("adc-survey", bits=bits, **at) <= energy("adc-survey", bits=bits, **coarser)


@settings(max_examples=30, deadline=None)
@given(st.floats(2 * 1024, 128 * 1024), st.floats(22, 65))
def test_memory_grows_with_capacity_and_node(capacity: float, node: float) -> None:
    def at(capacity: float, node: float) -> tuple[float, float]:
        model = component_model("sram-cacti", {"capacity": f"{capacity!r} B", "node": f"{node!r} nm"})
        return model.area.value, model.actions["read"].latency.value

    assert all(a <= b * (1 + 1e-9) for a, b in zip(at(capacity, node), at(capacity * 2, node), strict=True))
    assert all(a <= b * (1 + 1e-9) for a, b in zip(at(capacity, 22), at(capacity, node), strict=True))


def test_leakage_share_moves_energy_and_does_not_make_it() -> None:
    off, on = (component_model("adc-survey", {"leakage_share": share}) for share in (0, 0.2))
    busy = off.actions["convert"].energy.value
    assert off.leakage.value == 0
    assert on.actions["convert"].energy.value + on.leakage.value / 100e6 == pytest.approx(busy, rel=1e-9, abs=0)
    assert on.leakage.value == pytest.approx(0.2 * busy * 100e6, rel=1e-9, abs=0)


# Every entry of the library


@pytest.mark.parametrize("name", library.names("components"))
def test_every_number_has_source_status_and_explanation(name: str) -> None:
    model = component_model(name)
    assert model.status in PROVENANCES
    numbers = [model.leakage, model.area, *model.properties.values()]
    for action in model.actions.values():
        assert action.per
        numbers += [action.energy, action.latency, action.interval]
    for number in numbers:
        assert number.source
        assert number.provenance in PROVENANCES
        assert bool(number.explanation()) == bool(number.inputs) or not number.derivation.exact
        if number.provenance == "assumed":
            assert any(word in number.source for word in ("assum", "chosen", "upper bound"))


@pytest.mark.parametrize("name", [name for name in library.names("components") if load_component(name).parameters])
def test_every_parameter_works_over_its_whole_range(name: str) -> None:
    spec = load_component(name)
    for key, parameter in spec.parameters.items():
        for value in (*parameter.choices, parameter.minimum, parameter.maximum):
            if value is not None:
                text = value if parameter.unit in ("1", "bit") else f"{value!r} {parameter.unit}"
                assert component_model(name, {key: text}).area.value >= 0


def test_a_scaled_number_is_derived_and_names_the_scaling() -> None:
    at_home = component_model("adc-sar-isaac").actions["convert"].energy
    moved = component_model("adc-sar-isaac", {"node": "14 nm"}).actions["convert"].energy
    assert (at_home.provenance, moved.provenance) == ("verified", "derived")
    explanation = moved.explanation()
    assert explanation["inputs"] == {"bits": "8", "node": "14 nm"}
    assert explanation["factors"] == {"node_energy(32 -> 14 nm at 0.8 V)": pytest.approx(0.21058, rel=1e-4, abs=0)}
    assert "Stillmaker & Baas" in explanation["sources_of_factors"][0]
    assert component_model("accumulator-16b-puma").actions["add"].energy.explanation()["factors"]


# Chips


def chip(**changes: Any) -> tuple[ChipSpec, Document]:
    source = named_document("chips", "baseline")
    data = mutable(source.data)
    for path, value in changes.items():
        assign(data, path.replace("__", "."), value)
    document = Document(data, source.file, source.lines)
    return build(ChipSpec, document), document


def test_a_chip_sets_parameters_where_it_places_a_component() -> None:
    adc = {"model": "adc-survey", "parameters": {"bits": 9, "rate": "100 MHz", "node": "14 nm"}, "lines_per_adc": 8}
    tables = CostTables.for_chip(chip(tile__adc=adc)[0])
    assert tables["tile.adc"].actions["convert"].energy == pytest.approx(0.495e-12, rel=0.006, abs=0)
    assert tables["tile.adc"].actions["convert"].latency == 10_000
    row = next(row for row in tables.rows() if row["component"] == "tile.adc" and row["action"] == "convert")
    assert row["parameters"] == {"bits": "9", "rate": "100 MHz", "node": "14 nm", "leakage_share": "0"}
    assert row["node"] == "14 nm"
    assert row["derivation"]["energy"]["formula"].startswith("(1 / (2 x 10^((FOM - SNDR)")
    assert row["derivation"]["latency"] == {"formula": "1 / rate", "inputs": {"rate": "100 MHz"}}


def test_rows_say_what_was_rounded_to_clock_cycles() -> None:
    rows = CostTables.for_chip(chip()[0]).rows()
    row = next(row for row in rows if row["component"] == "buffer" and row["action"] == "read")
    assert row["derivation"]["latency"] == {"before_rounding": "1280 ps", "clock_period": "1000 ps"}


def test_one_node_for_the_chip_reaches_every_component_that_has_one() -> None:
    spec = chip(node="14 nm", tile__row_dac__parameters={"node": "22 nm"})[0]
    tables = CostTables.for_chip(spec)
    nodes = {path: costs.model.node for path, costs in tables.items() if "node" in costs.model.parameters}
    assert nodes.pop("tile.row_dac") == "22 nm"
    assert set(nodes.values()) == {"14 nm"}
    assert len(nodes) >= 8
    assert tables.area < CostTables.for_chip(chip()[0]).area


@pytest.mark.parametrize(
    ("adc", "messages"),
    [
        ({"bits": 14}, ["tile.adc.parameters.bits: must be a whole number from 4 to 12 for 'adc-survey', got 14"]),
        ({"bitz": 9}, ["no such parameter; did you mean 'bits'? (known: bits, leakage_share, node, rate)"]),
        ({"node": "14"}, ["expected a number with the unit m, such as '1.5 m', got '14'"]),
        ({"bits": 8.5, "rate": "1 kHz"}, ["a whole number from 4 to 12", "from 1 MHz to 10 GHz"]),
        ({"node": "3 nm"}, ["a number from 7 nm to 130 nm for 'adc-survey', got 3 nm"]),
    ],
)
def test_wrong_parameters_are_refused_with_their_line(adc: dict[str, Any], messages: list[str]) -> None:
    spec, document = chip(tile__adc__model="adc-survey", tile__adc__parameters=adc)
    with pytest.raises(SpecError) as caught:
        CostTables.for_chip(spec, document)
    line = document.line(["tile", "adc"])
    for message in messages:
        assert any(message in str(problem) for problem in caught.value.problems)
    assert len(caught.value.problems) == len(messages)
    assert all(str(problem).startswith(f"{document.file}:{line}: ") for problem in caught.value.problems)
    assert all("choose" in str(problem) or "unit" in str(problem) or "known" in str(problem) for problem in
               caught.value.problems)  # fmt: skip


def test_a_wrong_parameter_in_a_file_is_named_with_its_own_line(tmp_path: Path) -> None:
    bundled = (library.find("chips", "baseline")).read_text(encoding="utf-8")
    placed = "  adc: {model: adc-9b-100MSps-survey, lines_per_adc: 8}"
    assert placed in bundled
    own = "  adc:\n    model: adc-survey\n    lines_per_adc: 8\n    parameters:\n      rate: 10 MHz\n      bits: 16"
    path = tmp_path / "mine.yaml"
    path.write_text(bundled.replace(placed, own), encoding="utf-8")
    line = path.read_text(encoding="utf-8").splitlines().index("      bits: 16") + 1
    (problem,) = check_file(path)
    assert str(problem).startswith(f"{path}:{line}: tile.adc.parameters.bits: must be a whole number from 4 to 12")
    with pytest.raises(SpecError, match=rf"mine\.yaml:{line}: "):
        resolve("digits-mlp", chip=str(path))
    with pytest.raises(SpecError, match=r"--set tile\.adc\.parameters\.bits: must be"):
        resolve("digits-mlp", chip=str(path), set=["tile.adc.parameters.bits=13"])


def test_a_converter_must_be_done_before_the_integration_ends() -> None:
    dac = {"model": "dac-pulse-width", "parameters": {"bits": 8}}
    with pytest.raises(
        SpecError, match=r"drives its line for 127 ns, longer than the integration of 40 ns; set tile\."
    ):
        CostTables.for_chip(chip(tile__col_dac=dac)[0])
    CostTables.for_chip(chip(tile__col_dac=dac, tile__crossbar__integration_time="127 ns")[0])


def test_area_counts_every_device_of_a_unit_cell() -> None:
    spec = chip(tile__crossbar__reference="digital")[0]
    one, two = (CostTables.for_chip(spec, devices_per_cell=n) for n in (1, 2))
    cells = 8 * 2 * 256 * 1024
    assert one["tile.crossbar"].count == cells
    assert two.area - one.area == pytest.approx(cells * 0.16e-12, rel=1e-9, abs=0)
    assert two.area_by_component["tile.crossbar"] == 2 * one.area_by_component["tile.crossbar"]
    assert sum(two.area_by_component.values()) == pytest.approx(two.area, rel=1e-9, abs=0)
    assert sum(one.leakage_by_component.values()) == pytest.approx(one.leakage, rel=1e-9, abs=0)


# Descriptions

COMPONENT = """\
name: adc
type: adc
description: a converter
node: 32 nm
parameters:
  bits: {unit: bit, default: 8, minimum: 4, maximum: 10, whole: true, meaning: resolution, source: assumption}
area: {value: 1 um^2, provenance: assumed, source: assumption}
leakage: {value: 0 W, provenance: assumed, source: assumption}
actions:
  convert:
    energy: {rule: table, over: bits, points: {4: 1 pJ, 10: 64 pJ}, between: logarithmic}
    latency: 1 ns
    per: line
    provenance: assumed
    source: assumption
"""


def problems(tmp_path: Path, old: str = "", new: str = "") -> list[str]:
    path = tmp_path / "adc.yaml"
    path.write_text(COMPONENT.replace(old, new) if old else COMPONENT, encoding="utf-8")
    return [str(problem).removeprefix(str(path)) for problem in check_file(path)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("4: 1 pJ", "4: 1 ns", ":11: actions.convert.energy: a table needs points, all of one unit"),
        ("rule: table", "rule: tabel", ":11: actions.convert.energy: "),
        ("over: bits", "over: bitz", "depends on 'bitz', which is not among the parameters"),
        ("latency: 1 ns", "latency: 1 pJ", ":12: actions.convert.latency: expected a number with the unit s, got one"),
        ("value: 1 um^2", "value: 2", ":7: area.value: expected a number with the unit m^2, got a plain number"),
        ("default: 8", "default: 3", "the default must be a whole number from 4 to 10"),
        ("betwee", "betwene", ":11: actions.convert.energy.betwenen: no such parameter; did you mean 'between'?"),
        ("10: 64 pJ", "8: 64 J", "64 J is above 0.001 J: a unit slip"),
        ("minimum: 4", "minimum: four", ":6: parameters.bits: expected a plain number, got 'four'"),
        ("latency: 1 ns", "latency: 1e-3 ps", "is below 1e-13 s: a unit slip"),
        ("type: adc", "type: adc\ncoding: pulse_width", "coding pulse_width is for components of type dac"),
    ],
)
def test_wrong_descriptions(tmp_path: Path, old: str, new: str, expected: str) -> None:
    found = problems(tmp_path, old, new)
    assert any(expected in text for text in found), found


def test_tables_between_points_are_straight_on_logarithmic_axes(tmp_path: Path) -> None:
    assert problems(tmp_path) == []
    model = component_model(str(tmp_path / "adc.yaml"), {"bits": 8})
    expected = 1e-12 * 64 ** (math.log(8 / 4) / math.log(10 / 4))
    assert model.actions["convert"].energy.value == pytest.approx(expected, rel=1e-9, abs=0)


def test_a_component_reads_back_as_it_was_written() -> None:
    for name in ("adc-survey", "sram-cacti", "bus-h-tree", "adc-sar-neurosim"):
        spec = load_component(name)
        assert build(ComponentSpec, Document(spec.model_dump(mode="json"))) == spec
