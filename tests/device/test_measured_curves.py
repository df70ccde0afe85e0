"""Measured curves: files, assignment to the array, steps, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.devices import DeviceArray, device_from_document, load_device
from hwsim.errors import DataError, SpecError
from hwsim.run.check import check_file

HEAD = "device,weight,up,down\n"
TWO = HEAD + "7,-1,0.4,0\n7,0,0.2,0.1\n7,1,0,0.3\n3,-0.5,0.1,0.02\n3,0.5,0.1,0.04\n"


def written(folder: Path, text: str = TWO, name: str = "curves.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_steps_are_linear_between_the_nodes(tmp_path: Path) -> None:
    device = load_device("measured_curves", curves=written(tmp_path), dw_min_std=0)
    assert (device.parameters.w_min, device.parameters.w_max) == (-0.75, 0.75)
    assert device.parameters.dw_min == pytest.approx((0.15 + (0.1 + 0.03) / 2) / 2)
    assert device_from_document(device.model_dump(mode="json")) == device
    starts = np.array([[-0.75, -0.25], [0.4, 0.25]])
    expected = {1: [[0.35, 0.1], [0.12, 0.1]], -1: [[-0.025, -0.025], [-0.18, -0.035]]}
    for polarity, change in expected.items():
        cells = DeviceArray(device, (2, 2))
        cells.set_weights(starts)
        cells.pulse(polarity)
        assert cells.weights - starts == pytest.approx(np.array(change), abs=1e-6)
    for _ in range(50):
        cells.pulse(+1)
    assert cells.weights == pytest.approx(np.array([[1, 0.5], [1, 0.5]]), abs=1e-4)


def test_curves_of_a_formula_give_its_response() -> None:
    # The bundled curves are nodes of the exponential step; up and down meet where that law says.
    curves = DeviceArray(load_device("measured_curves", dw_min_std=0), (3, 4))
    exact = DeviceArray(load_device("reram-es", dw_min_std=0, write_noise_std=0), (3, 4), seed=0)
    assert curves.symmetric_point == pytest.approx(exact.symmetric_point, abs=0.02)
    for polarity in [1] * 300 + [-1] * 300:
        curves.pulse(polarity)
        exact.pulse(polarity)
    assert curves.weights == pytest.approx(exact.weights, abs=0.02)
    assert np.abs(exact.weights).max() > 0.2


def test_alternating_pulses_lead_to_the_symmetric_point() -> None:
    cells = DeviceArray(load_device("measured_curves", dw_min_std=0), (3, 4))
    cells.set_weights(0.3)
    for _ in range(3000):
        cells.pulse(+1)
        cells.pulse(-1)
    known = np.isfinite(cells.symmetric_point)
    assert known.sum() >= 10
    assert np.abs(cells.weights - cells.symmetric_point)[known].max() < 0.02


def test_parquet_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "curves.parquet"
    pd.read_csv(written(tmp_path)).to_parquet(path)
    first = DeviceArray(load_device("measured_curves", curves=str(path)), (3, 3), seed=1)
    second = DeviceArray(load_device("measured_curves", curves=written(tmp_path)), (3, 3), seed=1)
    first.pulse(1)
    second.pulse(1)
    assert (first.weights == second.weights).all()


def test_assignment(tmp_path: Path) -> None:
    def curve(shape: tuple[int, int], assignment: str, seed: int = 0) -> np.ndarray:
        device = load_device("measured_curves", curves=written(tmp_path), assignment=assignment)
        return DeviceArray(device, shape, seed=seed).parameters()["curve"]

    assert curve((2, 3), "cyclic").tolist() == [[0, 1, 0], [1, 0, 1]]
    assert curve((2, 1), "exact").tolist() == [[0], [1]]
    with pytest.raises(DataError, match="holds 2 devices; assignment 'exact' to 2 x 2 needs 4"):
        curve((2, 2), "exact")
    drawn = curve((100, 100), "sampled")
    assert drawn.mean() == pytest.approx(0.5, abs=0.03)
    assert (drawn == curve((100, 100), "sampled")).all()
    assert (drawn != curve((100, 100), "sampled", seed=1)).any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# comment\n" + HEAD + "0,-1,0.1,0.1\n0,1,x,0.1\n", r"curves\.csv:4: up must be a finite number, got 'x'"),
        (HEAD + "0,-1,0.1,0.1\n\n0,1,0.1,0.1\n", r"curves\.csv:3: device must be a finite number"),
        (HEAD + "0,-1,0.1,0.1\n0,1,0.1,inf\n", r"curves\.csv:3: down must be a finite number, got 'inf'"),
        (HEAD + "0,-1,0.1,-0.1\n0,1,0.1,0.1\n", r"curves\.csv:2: down must not be negative, got -0.1"),
        (HEAD + "0,1,0.1,0.1\n0,1,0.1,0.1\n", r"curves\.csv:3: the weights of a device must rise"),
        (HEAD + "0.5,-1,0.1,0.1\n", r"curves\.csv:2: device must be a whole number"),
        (HEAD + "0,-1,1,1\n0,1,1,1\n1,-1,1,1\n1,1,1,1\n0,2,1,1\n", r"curves\.csv:6: the rows of a device must stand"),
        (HEAD + "0,-1,1,1\n0,1,1,1\n1,-1,1,1\n", r"curves\.csv:4: device 1 needs at least two nodes"),
        (HEAD, r"holds no nodes"),
        ("device,weight,up\n0,1,1\n", r"column 'down' is missing"),
        (HEAD + "0,1,0.1,0.1\n0,2,0.1,0.1\n", r"mean bounds 1 and 2 must enclose 0"),
        (HEAD + "0,-1,0,0\n0,1,0,0\n", r"mean step at w = 0 must be positive"),
        ("", r"not readable as CSV"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        load_device("measured_curves", curves=written(tmp_path, text))


def test_other_refusals(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file"):
        load_device("measured_curves", curves=str(tmp_path / "none.csv"))
    with pytest.raises(SpecError, match="no curves are called 'none'"):
        load_device("measured_curves", curves="none")
    with pytest.raises(SpecError, match="not readable as Parquet"):
        load_device("measured_curves", curves=written(tmp_path, TWO, "curves.parquet"))
    with pytest.raises(SpecError, match="dw_min follows from the curves"):
        load_device("measured_curves", dw_min=1.0)


def described(folder: Path, curves: str, more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "mine.yaml"
    text = f"name: mine\nsource: a test\n{more}" + (f"parameters:\n  curves: {curves}\n" if curves else "")
    path.write_text(text, encoding="utf-8")
    return path


LAW = "law: measured_curves\ncell: hfo2-reram\n"


def test_a_path_in_a_description_is_relative_to_its_folder(tmp_path: Path, monkeypatch) -> None:
    written(tmp_path)
    monkeypatch.chdir(tmp_path)
    direct = load_device("measured_curves", curves="curves.csv")
    device = load_device(str(described(tmp_path / "own", "../curves.csv", LAW)))
    assert device.parameters.w_max == direct.parameters.w_max
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    # A base names its curves from its own folder, and the array reads them wherever it is made.
    derived = load_device(str(described(tmp_path / "derived", "", "base: ../own/mine.yaml\n")), dw_min_std=0.1)
    assert DeviceArray(derived, (1, 2)).parameters()["curve"].tolist() == [[0, 1]]


def test_unreadable_curves_are_refused_with_line_and_path(tmp_path: Path) -> None:
    path = described(tmp_path, "none.csv", LAW)
    message = rf"mine\.yaml:6: parameters\.curves: no such file: {tmp_path}/none\.csv"
    with pytest.raises(SpecError, match=message):
        load_device(str(path))
    assert [str(problem).startswith(f"{path}:6: parameters.curves: no such") for problem in check_file(path)] == [True]
    written(tmp_path, HEAD + "0,-1,0.1,0.1\n0,1,x,0.1\n")
    with pytest.raises(SpecError, match=r"mine\.yaml:6: parameters\.curves: .*curves\.csv:3: up must be a finite"):
        load_device(str(described(tmp_path, "curves.csv", LAW)))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    extra=st.fixed_dictionaries(
        {},
        optional={
            "dw_min_dtod": st.floats(0, 3),
            "dw_min_std": st.floats(0, 10),
            "up_down": st.floats(-1, 1),
            "assignment": st.sampled_from(["cyclic", "sampled"]),
            "perfect_bias": st.booleans(),
            "enforce_consistency": st.booleans(),
            "corrupt_devices_prob": st.floats(0, 1),
            "write_noise_std": st.floats(0, 3),
        },
    )
)
def test_any_legal_device_stays_finite_and_within_bounds(extra: dict[str, Any]) -> None:
    cells = DeviceArray(load_device("measured_curves", **extra), (4, 35), seed=1)
    for polarity in (1, 1, 1, -1, -1, -1, -1, 1):
        cells.pulse(polarity)
    assert np.isfinite(cells.weights).all()
    hidden = cells.parameters()
    v = cells.state()["weight"]
    assert (v <= hidden["max_bound"] + 1e-5).all()
    assert (v >= hidden["min_bound"] - 1e-5).all()
