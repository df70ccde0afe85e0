"""Descriptions of sweeps: what they expand to, and what is refused."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.errors import SpecError
from hwsim.run import resolve
from hwsim.sweeps.points import arguments, combinations, points
from hwsim.sweeps.spec import Range, SweepSpec, load_sweep, make_sweep, read_vary


def test_grid_has_every_combination_and_the_seed_varies_fastest() -> None:
    sweep = make_sweep(
        {"vary": {"algorithm": ["analog-sgd", "tiki-taka"], "tile.rows": [64, 128, 256]}, "seeds": 2, "steps": 5}
    )
    made = points(sweep)
    assert [point.index for point in made] == list(range(12))
    assert [point.seed for point in made[:3]] == [0, 1, 0]
    assert Counter((p.values["algorithm"], p.values["tile.rows"], p.seed) for p in made).most_common(1)[0][1] == 1
    for point in made:
        assert point.spec.algorithm.name == point.values["algorithm"]
        assert point.spec.chip.tile.rows == point.values["tile.rows"]
        assert point.spec.seed == point.seed
    assert len({point.spec.hash for point in made}) == 12


def test_a_point_is_the_run_that_its_arguments_make() -> None:
    sweep = make_sweep({"vary": {"device.dw_min": [0.001, 0.01]}, "settings": {"tile.cols": 128}, "steps": 3})
    made = points(sweep)[1]
    assert made.spec == resolve("digits-mlp", set={"tile.cols": 128, "device.dw_min": 0.01}, steps=3, log="none")


def test_a_latin_hypercube_takes_each_part_of_a_range_once() -> None:
    sweep = make_sweep(
        {"vary": {"a": {"low": 0.0, "high": 1.0}, "b": ["x", "y"], "c": {"low": 1, "high": 4}}, "samples": 8}
    )
    drawn = combinations(sweep)
    assert sorted(int(8 * point["a"]) for point in drawn) == list(range(8))
    assert Counter(point["b"] for point in drawn) == {"x": 4, "y": 4}
    assert Counter(point["c"] for point in drawn) == {1: 2, 2: 2, 3: 2, 4: 2}
    assert drawn == combinations(sweep)
    assert drawn != combinations(sweep.model_copy(update={"sampling_seed": 1}))


@given(st.floats(1e-6, 1e3), st.floats(1.1, 1e3), st.floats(0, 1, exclude_max=True), st.sampled_from(["linear", "log"]))
def test_values_stay_in_their_range(low: float, factor: float, fraction: float, scale: str) -> None:
    value = Range(low=low, high=low * factor, scale=scale).at(fraction)
    assert low * (1 - 1e-12) <= value <= low * factor * (1 + 1e-12)


def test_a_range_keeps_unit_and_whole_numbers() -> None:
    assert Range(low="1 ns", high="3 ns").at(0.5) == "2.0 ns"
    assert Range(low=1, high=100, scale="log").at(0.5) == 10
    assert {Range(low=3, high=5).at(k / 99.0001) for k in range(100)} == {3, 4, 5}


def test_command_line_values() -> None:
    assert read_vary(["tile.rows=64,128", "device=ecram,reram-sb", "x=1e-3..0.1:log", "t=[1, 2],[3, 4]"]) == {
        "tile.rows": [64, 128],
        "device": ["ecram", "reram-sb"],
        "x": {"low": 1e-3, "high": 0.1, "scale": "log"},
        "t": [[1, 2], [3, 4]],
    }


def test_a_file_names_its_files_from_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text("kind: sweep\nchip: ./own.yaml\ndata: images\nvary:\n  device: [./a.yaml, ecram]\nseeds: 3\n")
    sweep = load_sweep(file)
    assert sweep.chip == str(tmp_path / "own.yaml")
    assert sweep.data == str(tmp_path / "images")
    assert sweep.vary["device"] == (str(tmp_path / "a.yaml"), "ecram")
    assert sweep.seeds == (0, 1, 2)
    assert arguments(sweep, {"device": "ecram"}, 2)["seed"] == 2


WRONG = {
    "seeds: 2\nvarry: {}": ["sweep.yaml:2", "varry", "did you mean 'vary'"],
    "steps: 0\nseeds: 0\nvary: {a: [1]}": ["sweep.yaml:1: steps", "sweep.yaml:2: seeds"],
    "vary: {tile.rows: []}": ["vary.tile.rows", "at least one value"],
    "vary: {tile.rows: [64, 64]}": ["given twice"],
    "vary: {tile.rows: {low: 1, high: 4}}": ["only with 'samples'"],
    "samples: 3\nvary: {tile.rows: {low: 4, high: 1}}": ["low must be below high"],
    "samples: 3\nvary: {x: {low: 1 ns, high: 2 us}}": ["same unit"],
    "samples: 3\nvary: {x: {low: 0, high: 2, scale: log}}": ["positive"],
    "samples: 3\nvary: {device: {low: 0, high: 2}}": ["which has no range"],
    "vary: {seed: [1, 2]}": ["give 'seeds'"],
    "chip: baseline": ["nothing varies"],
    "vary: 3": ["vary"],
    "seeds: [1, 1]": ["different seeds"],
}


@pytest.mark.parametrize("text", WRONG)
def test_mistakes_are_refused_with_their_place(text: str, tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(text + "\n")
    with pytest.raises(SpecError) as caught:
        load_sweep(file)
    for part in WRONG[text]:
        assert part in str(caught.value)


def test_all_impossible_points_are_told_at_once() -> None:
    sweep = SweepSpec(vary={"tile.rowz": (1,), "device": ("reram-sbb",)})
    with pytest.raises(SpecError) as caught:
        points(sweep)
    assert "reram-sb" in str(caught.value)
    sweep = SweepSpec(vary={"device.dw_min": (-1.0, "x"), "tile.rows": (0, 64)})
    with pytest.raises(SpecError) as caught:
        points(sweep)
    said = str(caught.value)
    assert said.count("tile.rows") == 1
    assert said.count("device.dw_min") == 2
