from pathlib import Path

import pytest

from hwsim.cost import DEPENDS, CostTables
from hwsim.errors import SpecError
from hwsim.spec.chip import ChipSpec
from hwsim.spec.load import Document, assign, build, load_chip, load_component, mutable, named_document

MODELS = Path(__file__).parents[2] / "models"


def chip(**changes: object) -> ChipSpec:
    data = mutable(named_document("chips", "baseline").data)
    for path, value in changes.items():
        assign(data, path.replace("__", "."), value)
    return build(ChipSpec, Document(data))


def test_latencies_are_rounded_up_to_cycles_or_refused() -> None:
    tables = CostTables.for_chip(chip())
    assert tables["buffer"].actions["read"].latency == 2000
    with pytest.raises(
        SpecError, match=r"1280 ps is no whole number of cycles of 1000 ps; set buffer.rounding to 'up'"
    ):
        CostTables.for_chip(chip(buffer__rounding="error"))
    assert CostTables.for_chip(chip(clocks={"core": "12.5 GHz"}))["buffer"].actions["read"].latency == 1280


def test_all_wrong_models_are_named_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        CostTables.for_chip(chip(bus__model="sram-64KiB-256b", tile__adc__model="adc-9b-100MSps-survy"))
    messages = [str(problem) for problem in caught.value.problems]
    assert len(messages) == 2
    assert "did you mean 'adc-9b-100MSps-survey'?" in messages[0]
    assert "the model 'sram-64KiB-256b' is a buffer; this place needs a bus" in messages[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tile__adc__clock": "slow"}, "no clock is called 'slow'"),
        ({"tile__rows": 0}, "greater than or equal to 1"),
        ({"tile__adc__lines_per_adc": 0}, "greater than or equal to 1"),
        ({"clocks": {"core": "0 Hz"}}, "positive frequency"),
        ({"tile__row_pulser__polarity_phases": 1}, "same polarity_phases"),
        ({"tile__crossbar__integration_time": "40 nJ"}, "unit s"),
        ({"tiles": "many"}, "valid integer"),
    ],
)
def test_bad_chips_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        chip(**changes)


def test_area_and_leakage_scale_with_instances() -> None:
    small, large = CostTables.for_chip(chip()), CostTables.for_chip(chip(tiles=16))
    shared = sum(small[path].area * small[path].count for path in ("buffer", "bus", "digital", "controller"))
    assert large.area - shared == pytest.approx(2 * (small.area - shared), rel=1e-9, abs=0)


def test_what_a_crossbar_costs_depends_on_the_data() -> None:
    rows = CostTables.for_chip(load_chip("baseline")).rows()
    actions = [row for row in rows if "costs" in row]
    assert {(row["component"], row["action"]) for row in actions} == {
        ("tile.crossbar", "read"),
        ("tile.crossbar", "write"),
    }
    for row in actions:
        assert row["costs"] == DEPENDS
        assert row.keys().isdisjoint({"energy", "latency", "interval"})
    assert all(row["energy"].endswith(" J") for row in rows if "energy" in row)


def test_a_number_that_nobody_would_use_is_refused(tmp_path: Path) -> None:
    """A crossbar's energy per read in its description would be ignored."""
    file = tmp_path / "own.yaml"
    text = (MODELS / "components" / "crossbar-beol-400nm.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("energy: 0 J", "energy: 3 fJ", 1), encoding="utf-8")
    with pytest.raises(SpecError, match=r"actions\.read\.energy: .*crossbar cost follows from the data.*give 0"):
        load_component(str(file))
