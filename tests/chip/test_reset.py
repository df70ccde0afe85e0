"""Reset and zero-shifting as operations of the chip: numbers, time, energy and log."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwsim.chip.probe import Probe
from hwsim.chip.refresh import Refresh
from hwsim.chip.reset import Reset
from hwsim.chip.zero_shift import ZeroShift
from hwsim.components.crossbar import Conductance
from hwsim.devices import DeviceArray, load_device
from hwsim.errors import UsageError

STILL: dict[str, Any] = {
    "dw_min": 0.01, "dw_min_dtod": 0, "dw_min_std": 0, "up_down_dtod": 0, "w_max": 1.0, "w_min": -1.0, "w_max_dtod": 0,
    "w_min_dtod": 0, "reset_std": 0,
}  # fmt: skip
SOFT = {**STILL, "up_down": 0.3, "up_down_rule": "symmetric"}


def placed(chip: Any, weights: np.ndarray, arrays: int = 1) -> Any:
    matrix = chip.place_analog("fc", weights, arrays=arrays, gains=(0.5, 1.0)[-arrays:])
    chip.finish_placement()
    return matrix


def perform(chip: Any, *operations: Any) -> list[Any]:
    results: list[Any] = []

    def program():
        for operation in operations:
            results.append((yield operation))

    chip.run(program())
    chip.finish()
    return results


def booked(chip: Any, component: str, action: str) -> Any:
    return {(total.component, total.action): total for total in chip.ledger.totals()}[component, action]


# Reset


def test_reset_changes_the_columns_asked_for_and_no_other(make_chip, weights) -> None:
    chip = make_chip(device=load_device("constant_step", **STILL, reset=0.2))
    matrix = placed(chip, weights)
    (n,) = perform(chip, Reset(matrix, 0, (1, 6)))
    expected = weights.copy()
    expected[:, [1, 6]] = 0.2
    np.testing.assert_allclose(matrix.weights(), expected, atol=1e-7)
    assert n == chip.counts["reset_devices"] == 16
    assert chip.counts["reset"] == 1


def test_each_device_is_reset_with_the_probability(make_chip) -> None:
    chip = make_chip({"tile.rows": 64, "tile.cols": 64}, device=load_device("constant_step", **STILL))
    matrix = placed(chip, np.full((128, 64), 0.5, np.float32))
    (n,) = perform(chip, Reset(matrix, 0, range(64), 0.3))
    changed = matrix.weights() == 0
    assert n == changed.sum() == pytest.approx(0.3 * changed.size, abs=5 * (0.21 * changed.size) ** 0.5)
    assert changed.mean(axis=0).std() == pytest.approx((0.21 / 128) ** 0.5, rel=0.4)
    # A generator of each row has drawn once a column.
    assert booked(chip, "tile0.row_pulser", "draw").count == 64 * 64


def test_reset_takes_a_slot_a_column_and_the_energy_of_its_pulses(make_chip) -> None:
    """8 devices at V, the others of the firing lines at V/2; columns that were reset stand at w = 0."""
    chips = [make_chip(device=load_device("constant_step", **STILL)) for _ in range(2)]
    matrices = [placed(chip, np.full((8, 8), 0.4, np.float32)) for chip in chips]
    perform(chips[0], Reset(matrices[0], 0, (2,)))
    perform(chips[1], Reset(matrices[1], 0, (2, 3, 4)))
    tile = matrices[1].pieces[0].tile
    command = chips[0].tables["bus"].actions["transfer"].latency
    assert (chips[1].env.now - chips[0].env.now) == 2 * (tile.slot + command)
    assert chips[1].time_by["reset", "fc"] == chips[1].env.now
    cell, map_ = chips[1].device.cell, Conductance.of(chips[1].device.cell, -1.0, 1.0)
    before, after = map_.offset + map_.scale * 0.4, map_.offset
    plain = 0.0
    for done in range(3):
        others = (7 - done) * before + done * after
        plain += 8 * cell.pulse_width * cell.write_voltage**2 * (before + others / 4)
    line = tile._line_capacitance
    plain += 3 * (cell.write_voltage / 2) ** 2 * (8 * line[0] + line[1])
    total = booked(chips[1], "tile0.crossbar", "reset")
    assert (total.count, total.phase) == (24, "reset")
    assert total.energy_J == pytest.approx(plain, rel=1e-5)


def test_resets_of_cells_of_several_devices_reach_each_of_them(make_chip, weights) -> None:
    chip = make_chip(device=load_device("constant_step", **STILL, unit_cell__kind="vector", unit_cell__devices=3))
    matrix = placed(chip, weights)
    (n,) = perform(chip, Reset(matrix, 0, (0,)))
    assert n == 24
    assert not matrix.weights()[:, 0].any()


@pytest.mark.parametrize("operation", ["reset", "zero_shift"])
def test_same_bits_with_and_without_timing_and_log(make_chip, operation) -> None:
    def result(**options: Any) -> np.ndarray:
        chip = make_chip(device=load_device("reram-sb"), seed=4, **options)
        matrix = placed(chip, np.full((12, 10), 0.1, np.float32), arrays=2)
        made = Reset(matrix, 0, (3, 9), 0.5) if operation == "reset" else ZeroShift(matrix, 0, 20)
        perform(chip, made, made)
        references = [piece.tile.arrays[0].reference.ravel() for piece in matrix.pieces]
        return np.concatenate([matrix.weights(0).ravel(), matrix.weights(1).ravel(), *references])

    plain = result()
    np.testing.assert_array_equal(plain, result(timing=False))
    np.testing.assert_array_equal(plain, result(probes=[Probe.parse("0:1-2:*")], pulses=[].append))
    assert len(np.unique(plain)) > 10


def test_reset_pulses_are_logged_with_polarity_0(make_chip, weights) -> None:
    tables: list[Any] = []
    chip = make_chip(
        device=load_device("constant_step", **STILL), probes=[Probe.parse("0:2-4:5-7")], pulses=tables.append
    )
    perform(chip, Reset(placed(chip, weights), 0, (4, 6)))
    (table,) = tables
    assert table["row"].tolist() == [2, 3, 4]
    assert set(table["col"]) == {6}
    assert set(table["polarity"]) == {0}
    np.testing.assert_array_equal(table["w"], 0)
    np.testing.assert_array_equal(table["dw"], -weights[2:5, 6])
    tile = chip.tiles[0]
    assert (table["t_ps"] == chip.env.now - tile.slot).all()


def test_the_resets_of_a_refresh_are_logged(make_chip) -> None:
    perfect = {"is_perfect": True}
    device = load_device("constant_step", **STILL, unit_cell__kind="one_sided", unit_cell__refresh_forward=perfect)
    tables: list[Any] = []
    chip = make_chip(device=device, probes=[Probe.parse("0:0:0")], pulses=tables.append)
    matrix = placed(chip, np.zeros((8, 8), np.float32))
    for plane, w in zip(matrix.pieces[0].tile.arrays[0].devices, (0.9, 0.5), strict=True):
        plane.set_weights(w)
    perform(chip, Refresh(matrix, 0))
    rows = [(int(p), int(k)) for table in tables for p, k in zip(table["polarity"], table["device"], strict=True)]
    assert rows[:2] == [(0, 0), (0, 1)]
    assert set(rows[2:]) == {(1, 0)}


# Zero-shifting


def test_zero_shift_leads_to_the_symmetric_point_and_makes_it_zero(make_chip) -> None:
    chip = make_chip(device=load_device("soft_bounds", **SOFT))
    matrix = placed(chip, np.zeros((8, 8), np.float32), arrays=2)
    alone = DeviceArray(chip.device, (8, 8))
    point = alone.symmetric_point
    assert point == pytest.approx(0.3)
    (references,) = perform(chip, ZeroShift(matrix, 0, 800))
    assert references.shape == (1, 8, 8)
    np.testing.assert_allclose(references[0], alone.zero_shift(800).reference, atol=1e-6)
    np.testing.assert_allclose(references[0], point, atol=0.01)
    device = matrix.pieces[0].tile.arrays[0]
    np.testing.assert_allclose(device.symmetric_point, 0, atol=0.01)
    np.testing.assert_allclose(matrix.weights(0), 0, atol=1e-6)
    assert chip.counts["zero_shift"] == 1
    assert chip.counts["zero_shift_pulses"] == 800 * 64


def test_the_reference_is_what_the_converters_read(make_chip) -> None:
    """With read noise of 0.05 the symmetric points end that far from zero."""
    noisy = {"tile.rows": 32, "tile.cols": 32, "tile.transfer": {"out_noise": 0.05, "inp_res": 0.0, "out_res": 0.0,
             "noise_management": "none", "bound_management": "none"}}  # fmt: skip
    chip = make_chip(noisy, device=load_device("soft_bounds", **SOFT))
    matrix = placed(chip, np.zeros((32, 32), np.float32), arrays=2)
    perform(chip, ZeroShift(matrix, 0, 800))
    points = matrix.pieces[0].tile.arrays[0].symmetric_point
    assert points.mean() == pytest.approx(0, abs=0.01 + 5 * 0.05 / 32)
    assert points.std() == pytest.approx(0.05, rel=0.1)


def test_cells_with_a_reference_program_it(make_chip) -> None:
    chip = make_chip(device=load_device("soft_bounds", **SOFT, unit_cell__kind="reference"))
    matrix = placed(chip, np.zeros((8, 8), np.float32), arrays=2)
    perform(chip, ZeroShift(matrix, 0, 800))
    first, second = matrix.pieces[0].tile.arrays[0].devices
    np.testing.assert_allclose(first.weights, 0.3, atol=0.01)
    np.testing.assert_allclose(second.weights, first.weights, atol=1e-6)
    np.testing.assert_allclose(matrix.weights(0), 0, atol=1e-6)


def test_zero_shift_takes_its_time_and_the_energy_of_every_pulse(make_chip) -> None:
    """A constant device between even and odd pulses: all cells at V at the weight before each pulse, none at V/2."""
    device = load_device("soft_bounds", **{**STILL, "dw_min": 1e-6})
    n = 50
    chips = [make_chip(device=device) for _ in range(2)]
    for chip, pulses in zip(chips, (n, 2 * n), strict=True):
        perform(chip, ZeroShift(placed(chip, np.zeros((8, 8), np.float32), arrays=2), 0, pulses))
    tile = chips[0].tiles[0]
    assert chips[1].env.now - chips[0].env.now == n * tile.slot
    assert chips[0].time_by["zero_shift", "fc"] == chips[0].env.now
    cell, map_ = chips[0].device.cell, Conductance.of(chips[0].device.cell, -1.0, 1.0)
    plain = 64 * n * cell.pulse_width * cell.write_voltage**2 * map_.offset
    plain += n * 8 * (cell.write_voltage / 2) ** 2 * sum(tile._line_capacitance)
    total = booked(chips[0], "tile0.crossbar", "write")
    assert total.count == 64 * n
    assert total.energy_J == pytest.approx(plain, rel=1e-5)
    assert booked(chips[0], "tile0.crossbar", "read").count == 8


def test_programming_the_references_is_booked(make_chip) -> None:
    chip = make_chip(device=load_device("soft_bounds", **SOFT))
    matrix = placed(chip, np.zeros((8, 8), np.float32), arrays=2)
    (references,) = perform(chip, ZeroShift(matrix, 0, 800))
    pulses = np.rint(np.abs(references) / 0.01)
    assert booked(chip, "tile0.crossbar", "program").count == pulses.sum() == chip.counts["reference_pulses"]
    total = booked(chip, "tile0.crossbar", "program")
    assert total.busy_ps == sum(chip.tiles[0].train_time(int(column.max())) for column in pulses[0].T)
    assert total.energy_J > 0


def test_zero_shift_pulses_are_logged_in_time_order(make_chip) -> None:
    tables: list[Any] = []
    chip = make_chip(device=load_device("soft_bounds", **SOFT), probes=[Probe.parse("0:2:3")], pulses=tables.append)
    perform(chip, ZeroShift(placed(chip, np.zeros((8, 8), np.float32), arrays=2), 0, 10))
    (table,) = tables
    assert table["polarity"].tolist() == [1, -1] * 5
    assert (np.diff(table["t_ps"]) == chip.tiles[0].slot).all()
    np.testing.assert_allclose(np.cumsum(table["dw"]), table["w"], atol=1e-6)
    assert set(table["sample"]) == {-1}


@pytest.mark.parametrize(
    ("device", "make", "message"),
    [
        ({}, lambda matrix: Reset(matrix, 0, (8,)), "column 8 does not exist; layer 'fc' has columns 0 to 7"),
        ({}, lambda matrix: Reset(matrix, 2, (0,)), "array 2 does not exist; layer 'fc' has arrays 0 to 1"),
        ({}, lambda matrix: Reset(matrix, 0, (0,), 1.5), "a reset probability must be between 0 and 1, got 1.5"),
        ({}, lambda matrix: ZeroShift(matrix, 0, 7), "even number of at least 2 pulses, got 7"),
        ({}, lambda matrix: ZeroShift(matrix, 2), "array 2 does not exist"),
        ({"unit_cell__kind": "one_sided"}, lambda matrix: ZeroShift(matrix, 0), "one-sided pairs are only pulsed up"),
    ],
)
def test_bad_requests_are_refused(make_chip, weights, device, make, message) -> None:
    chip = make_chip(device=load_device("soft_bounds", **STILL, **device))
    with pytest.raises(UsageError, match=message):
        make(placed(chip, weights, arrays=2))
