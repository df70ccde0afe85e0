"""Every bundled description loads, names its sources and stays plausible."""

from pathlib import Path

import pytest
import yaml

from hwsim import library
from hwsim.cost import CostTables
from hwsim.cost.table import OPTIONAL, REQUIRED
from hwsim.devices import load_device
from hwsim.run import resolve
from hwsim.run.check import check_file
from hwsim.spec.load import load_cell, load_chip, load_component

MODELS = Path(__file__).parents[2] / "models"
FILES = sorted([*MODELS.rglob("*.yaml"), *(Path(__file__).parents[2] / "traces").glob("*.yaml")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_bundled_files_pass_the_check(path: Path) -> None:
    assert check_file(path) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_number_has_a_source(path: Path) -> None:
    def unsourced(value: object, has_source: bool, at: str) -> list[str]:
        if isinstance(value, dict):
            has_source = has_source or bool(value.get("source"))
            return [found for key, item in value.items() for found in unsourced(item, has_source, f"{at}.{key}")]
        if isinstance(value, list):
            return [found for item in value for found in unsourced(item, has_source, at)]
        is_number = isinstance(value, int | float) or (
            isinstance(value, str) and value[:1].isdigit() and not at.endswith((".node", ".description"))
        )
        return [at] if is_number and not has_source else []

    assert unsourced(yaml.safe_load(path.read_text(encoding="utf-8")), False, path.stem) == []


def test_names_in_files_are_the_names_of_the_files() -> None:
    for path in FILES:
        name = path.parent.name if path.name == library.CHIP_FILE else path.stem
        assert yaml.safe_load(path.read_text(encoding="utf-8"))["name"] == name


@pytest.mark.parametrize("name", library.names("chips"))
def test_chips_have_complete_cost_tables(name: str) -> None:
    tables = CostTables.for_chip(load_chip(name))
    assert set(REQUIRED) - set(OPTIONAL) <= set(tables) <= set(REQUIRED)
    assert tables.area > 0
    for row in tables.rows():
        assert row["source"]
        assert row["provenance"] in ("verified", "derived", "unverified", "assumed")


def test_every_component_cell_and_device_loads() -> None:
    for name in library.names("components"):
        assert load_component(name).name == name
    for name in library.names("cells"):
        assert load_cell(name).name == name
    for name in library.names("devices"):
        assert load_device(name).name == name


@pytest.mark.parametrize("trace", library.names("traces"))
@pytest.mark.parametrize("chip", library.names("chips"))
def test_traces_resolve_on_every_chip(trace: str, chip: str) -> None:
    assert resolve(trace, chip=chip).chip.name == chip
