"""Faults in the description of a chip: found, counted, drawn from the seed, and trained with."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

import hwsim
from hwsim.errors import SpecError
from hwsim.results.text import report
from hwsim.spec.chip import ChipSpec
from hwsim.spec.load import load_chip
from hwsim.training.algorithms import ALGORITHMS

MODELS = Path(__file__).parents[2] / "models"
ALL = [
    {"fault": "stuck_device", "at": "upper", "rate": 0.02},
    {"fault": "stuck_device", "at": 0.1, "tile": 0, "array": 0, "rows": "2-4", "cols": 5},
    {"fault": "open_line", "side": "row", "tile": 0, "lines": 7},
    {"fault": "shorted_line", "side": "column", "rate": 0.1},
    {"fault": "missed_pulses", "side": "row", "rate": 0.3, "probability": 0.2},
    {"fault": "dead_converter", "part": "col_dac", "tile": 1, "numbers": 3},
    {"fault": "converter_error", "part": "adc", "rate": 1, "gain_std": 0.05},
    {"fault": "converter_error", "part": "integrator", "rate": 0.5, "offset_std": 0.001},
]


def counted(run) -> dict[tuple[str, str], int]:
    return {(entry["fault"], entry["where"]): entry["count"] for entry in run.summary["faults"]}


WITHOUT_ARRAYS = {"digital-sgd", "smooth-analog-sgd"}


@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS.names()) - WITHOUT_ARRAYS))
def test_every_algorithm_trains_with_faults(run, npz, algorithm) -> None:
    options = {"algorithm": algorithm, "steps": 3, "set": {"chip.faults": ALL, "chip.tile.arrays": 8}}
    ran = run(str(npz), **options)
    assert np.isfinite(ran.metrics.loss).all()
    found = counted(ran)
    assert found["stuck_device", "tile0.array0"] >= 3
    assert found["open_line", "tile0.array0.rows"] == 1
    assert found["dead_converter", "tile1.col_dac"] == 1
    weights = ran.weights()["hidden.weight"]
    assert not weights[7].any(), "nothing is read from an open row"
    untimed = run(str(npz), **options, timing=False)
    for name, value in ran.weights().items():
        assert np.array_equal(value, untimed.weights()[name]), name


def test_counts_are_those_of_the_places(run, npz) -> None:
    ran = run(str(npz), steps=1, set={"chip.faults": ALL}, algorithm="analog-sgd")
    found = counted(ran)
    shape = ran.weights()["hidden.weight"].shape
    expected = shape[0] * shape[1] * 0.02
    stuck = [entry for entry in ran.summary["faults"] if entry["where"] == "tile0.array0"]
    assert abs(stuck[0]["count"] - expected) < 5 * np.sqrt(expected)
    assert stuck[1] == {
        "fault": "stuck_device",
        "where": "tile0.array0",
        "count": 3,
        "places": [[2, 5], [3, 5], [4, 5]],
    }
    adcs = {name: value for (fault, name), value in found.items() if name.endswith(".adc")}
    n_adc = load_chip("baseline").tile.placements()["adc"][1]
    assert adcs == {"tile0.adc": min(n_adc, 32), "tile1.adc": min(n_adc, 32)}, "all that 32 lines use"
    text = report(ran)
    assert all(len(line) <= 80 for line in text.splitlines() if str(ran.path) not in line)
    assert len(text.splitlines()) <= 30
    assert "stuck devices (most in tile" in " ".join(text.split())


def test_places_follow_from_the_seed_alone(run, npz) -> None:
    def places(faults: list, **options) -> set:
        ran = run(str(npz), steps=1, set={"chip.faults": faults}, algorithm="analog-sgd", **options)
        stuck = [entry for entry in ran.summary["faults"] if entry["fault"] == ALL[0]["fault"]]
        return {(entry["where"], *place) for entry in stuck for place in entry["places"]}

    once = places(ALL[:1])
    assert once
    assert places([ALL[0], ALL[3], ALL[4]]) == once, "other faults do not move these"
    assert places(ALL[:1], threads=2) == once
    assert places(ALL[:1], seed=1) != once
    assert places([{**ALL[0], "rate": 0.03}]) > once


def test_a_run_without_faults_is_the_same_as_before(run, npz) -> None:
    plain = run(str(npz), steps=3)
    none = run(str(npz), steps=3, set={"chip.faults": [{"fault": "stuck_device", "at": 0.0, "rate": 0.0}]})
    assert plain.summary["faults"] == none.summary["faults"] == []
    for name, value in plain.weights().items():
        assert np.array_equal(value, none.weights()[name])


def test_configuration_reads_back(run, npz) -> None:
    ran = run(str(npz), steps=1, set={"chip.faults": ALL})
    again = ChipSpec.model_validate(json.loads(json.dumps(ran.config["chip"])), strict=False)
    assert len(again.faults) == len(ALL)
    assert again.faults[1].rows == (2, 5)
    assert [fault.model_dump(mode="json") for fault in again.faults] == ran.config["chip"]["faults"]


@pytest.mark.parametrize(
    ("fault", "place", "message"),
    [
        ({"fault": "stuck_device", "at": 0.1}, "faults.0", "give either a rate or a place"),
        ({"fault": "stuck_device", "at": 0.1, "rate": 0.1, "tile": 0}, "faults.0", "and not both"),
        ({"fault": "stuck_device", "at": "uper", "rate": 0.1}, "faults.0.at", "upper"),
        ({"fault": "stuck_device", "at": 0.1, "rate": 1.5}, "faults.0.rate", "less than or equal to 1"),
        ({"fault": "stuck_device", "at": 0.1, "tile": 99}, "faults.0.tile", "tiles 0 to 7, got 99"),
        ({"fault": "stuck_device", "at": 0.1, "tile": 0, "rows": "9-5"}, "faults.0.rows", "a range such as 0-15"),
        ({"fault": "stuck_device", "at": 0.1, "tile": 0, "cols": 70000}, "faults.0.cols", "columns 0 to"),
        ({"fault": "stuck_device", "at": 0.1, "tile": 0, "array": 99}, "faults.0.array", "a tile has arrays 0 to"),
        ({"fault": "stuck_device", "at": 0.1, "rate": 0.1, "rows": 3}, "faults.0.rows", "give its tile"),
        ({"fault": "open_lines", "side": "row", "rate": 0.1}, "faults.0", "open_line"),
        ({"fault": "open_line", "side": "rows", "rate": 0.1}, "faults.0.side", "'row' or 'column'"),
        ({"fault": "open_line", "side": "row", "tile": 0, "line": 3}, "faults.0.line", "did you mean 'lines'"),
        (
            {"fault": "missed_pulses", "side": "row", "rate": 1, "probability": 0},
            "faults.0.probability",
            "greater than 0",
        ),
        ({"fault": "dead_converter", "part": "dac", "rate": 0.1}, "faults.0.part", "row_dac"),
        ({"fault": "dead_converter", "part": "adc", "tile": 0, "numbers": 999}, "faults.0.numbers", "adcs 0 to"),
        ({"fault": "converter_error", "part": "adc", "rate": 1}, "faults.0", "at least one of gain"),
    ],
)
def test_bad_faults_are_refused_where_they_stand(tmp_path, fault, place, message) -> None:
    data = yaml.safe_load((MODELS / "chips" / "baseline.yaml").read_text(encoding="utf-8"))
    file = tmp_path / "broken.yaml"
    file.write_text(yaml.safe_dump({**data, "faults": [fault]}, sort_keys=False), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_chip(str(file))
    problem = next(problem for problem in caught.value.problems if message in problem.message)
    assert problem.path == place
    assert problem.line is not None
    line = file.read_text(encoding="utf-8").splitlines()[problem.line - 1]
    assert line.strip().removeprefix("- ").partition(":")[0] in ("fault", place.rpartition(".")[2])


STUCK = {"fault": "stuck_device", "at": 0.1, "tile": 0}
OPEN = {"fault": "open_line", "side": "row", "tile": 0, "lines": "3-5"}
DEAD = {"fault": "dead_converter", "part": "adc", "tile": 1, "numbers": 2}
MISSED = {"fault": "missed_pulses", "side": "row", "tile": 0, "probability": 0.1}


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ({**STUCK, "rows": "0-3", "cols": 7}, {**STUCK, "rows": 3, "at": "upper"}, True),
        ({**STUCK, "rows": "0-3"}, {**STUCK, "rows": "4-5"}, False),
        ({**STUCK, "rows": "0-3", "array": 0}, {**STUCK, "array": 0}, True),
        ({**STUCK, "rows": "0-3", "array": 0}, {**STUCK, "array": 1}, False),
        (STUCK, {**STUCK, "tile": 1}, False),
        (STUCK, {"fault": "stuck_device", "at": "lower", "rate": 0.1}, False),
        (OPEN, {**OPEN, "lines": 5}, True),
        (OPEN, {**OPEN, "side": "column"}, False),
        (OPEN, {**OPEN, "fault": "shorted_line"}, False),
        (DEAD, {**DEAD, "numbers": "0-7"}, True),
        (DEAD, {**DEAD, "part": "row_dac"}, False),
        (MISSED, MISSED, False),
    ],
)
def test_a_place_is_named_once(tmp_path, first, second, refused) -> None:
    data = yaml.safe_load((MODELS / "chips" / "baseline.yaml").read_text(encoding="utf-8"))
    file = tmp_path / "twice.yaml"
    file.write_text(
        yaml.safe_dump({**data, "tile": {**data["tile"], "arrays": 2}, "faults": [first, second]}, sort_keys=False),
        encoding="utf-8",
    )
    if not refused:
        assert len(load_chip(str(file)).faults) == 2
        return
    with pytest.raises(SpecError, match=r"names a place that faults\.0 names too") as caught:
        load_chip(str(file))
    (problem,) = caught.value.problems
    assert problem.path == "faults.1.tile"
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[problem.line - 1].strip().removeprefix("- ").startswith("tile:")
    assert problem.line > lines.index("faults:") + 3, "of the two it is the second"


def test_faults_that_do_not_fit_the_run_are_refused(run, npz) -> None:
    with pytest.raises(SpecError, match=r"chip\.faults: activity fidelity keeps no devices.*use fidelity device"):
        run(steps=1, fidelity="activity", set={"chip.faults": ALL})
    second = [{"fault": "stuck_device", "at": 0.1, "rate": 0.1, "device": 1}]
    with pytest.raises(SpecError, match=r"chip\.faults\.0\.device: a unit cell of .* has devices 0 to 0, got 1"):
        run(str(npz), steps=1, set={"chip.faults": second})


def test_the_page_names_the_faulty_parts(tmp_path) -> None:
    faults = [{"fault": "stuck_device", "at": "upper", "tile": 0, "array": 1, "rows": "0-3", "cols": 7}]
    run = hwsim.simulate("digits-mlp", steps=1, set={"chip.faults": faults}, out=tmp_path / "run")
    page = run.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<td>tile0.array1</td>" in page
    assert "0 x 7, 1 x 7, 2 x 7, 3 x 7" in page
    healthy = hwsim.simulate("digits-mlp", steps=1, out=tmp_path / "healthy")
    assert "<h2>Faults" not in healthy.report(tmp_path / "other.html").read_text(encoding="utf-8")
