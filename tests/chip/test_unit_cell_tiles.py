"""Unit cells on tiles: energy is that of every device, refresh is an operation with numbers, time and energy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwsim.chip.operations import Forward, TransferRead, Update
from hwsim.chip.refresh import Refresh
from hwsim.components.crossbar import Conductance
from hwsim.devices import UpdateParameters, load_device
from hwsim.errors import UsageError
from hwsim.training.refresh import Refreshes

STEP = 0.01
STILL: dict[str, Any] = {
    "dw_min": STEP, "dw_min_dtod": 0, "dw_min_std": 0, "up_down_dtod": 0, "w_max": 1.0, "w_min": -1.0, "w_max_dtod": 0,
    "w_min_dtod": 0, "reset_std": 0,
}  # fmt: skip
PERFECT = {"is_perfect": True}
LONG = {"desired_bl": 200, "pulse_type": "mean_count"}


def pair(kind: str = "one_sided", **cell: Any) -> Any:
    return load_device("constant_step", **STILL, **{f"unit_cell__{key}": value for key, value in cell.items()},
                       unit_cell__kind=kind)  # fmt: skip


def refreshed(**options: Any) -> Any:
    return pair(refresh_forward=PERFECT, refresh_update=LONG, **options)


def placed(chip: Any, weights: np.ndarray) -> Any:
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
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


def devices(matrix: Any) -> list[np.ndarray]:
    """Weights of every device of a matrix on one tile."""
    return [device.weights.astype(float) for device in matrix.pieces[0].tile.arrays[0].devices]


@pytest.mark.parametrize(("kind", "references"), [("vector", 1), ("reference", 0), ("one_sided", 0)])
def test_a_read_heats_every_device_of_the_cell(make_chip, weights, kind: str, references: int) -> None:
    """t V^2 sum x^2 G and the charging of the lines over both devices; only devices with a sign of their own have a
    reference cell beside them, on a line of its own."""
    chip = make_chip(device=pair(kind))
    matrix = placed(chip, weights)
    x = np.random.default_rng(1).uniform(-1, 1, (3, 8)).astype(np.float32)
    (y,) = perform(chip, Forward(matrix, x))
    np.testing.assert_allclose(y, x @ weights.T, atol=1e-5)
    cell, map_ = chip.device.cell, Conductance.of(chip.device.cell, -1.0, 1.0)
    time = chip.spec.tile.crossbar.integration_time
    plain = 0.0
    for w in devices(matrix):
        g = map_.offset + map_.scale * w + references * map_.offset
        squares = cell.read_voltage**2 * np.square(x.astype(float)).sum(0)
        charging = (1 + references) * 8 * 1.55e-16 * squares.sum()
        plain += float(time * (squares * g).sum() + charging)
    assert booked(chip, "tile0.crossbar", "read").energy_J == pytest.approx(plain, rel=1e-6, abs=0)


def test_a_pulsed_update_heats_every_device_of_a_vector_cell(make_chip) -> None:
    """From w = 0 all pulses are first pulses, so the energy of four devices is four times that of one."""
    x, d = np.zeros((1, 8), np.float32), np.zeros((1, 8), np.float32)
    x[0, 2] = d[0, 3] = 1.0
    one_pulse = UpdateParameters(desired_bl=1)
    energies, counts = [], []
    for device in (load_device("constant_step", **STILL), pair("vector", devices=4)):
        chip = make_chip(device=device)
        perform(chip, Update(placed(chip, np.zeros((8, 8), np.float32)), 0, x, d, STEP, one_pulse))
        energies.append(booked(chip, "tile0.crossbar", "write").energy_J)
        counts.append(chip.counts["coincidences"])
    assert counts == [1, 4]
    assert energies[1] == pytest.approx(4 * energies[0], rel=1e-9)


def test_an_unused_device_of_a_vector_cell_takes_no_pulse_energy(make_chip, weights) -> None:
    x, d = (np.random.default_rng(seed).uniform(-1, 1, (5, 8)).astype(np.float32) for seed in (1, 2))
    zero = np.zeros_like(weights)
    energies = []
    for device in (load_device("constant_step", **STILL), pair("vector", devices=4, update_policy="single_fixed")):
        chip = make_chip(device=device)
        perform(chip, Update(placed(chip, zero), 0, x, d, 4 * STEP, UpdateParameters(pulse_type="mean_count")))
        energies.append(booked(chip, "tile0.crossbar", "write").energy_J)
    assert energies[0] == pytest.approx(energies[1], rel=1e-9)
    assert energies[0] > 0


def test_refresh_resets_used_up_pairs_and_keeps_their_difference(make_chip) -> None:
    """Against plain NumPy: exact reads, exact trains; the difference is within a step, all other pairs untouched."""
    rng = np.random.default_rng(3)
    plus, minus = (np.round(rng.uniform(0, 1, (8, 8)), 2) for _ in range(2))
    chip = make_chip(device=refreshed())
    matrix = placed(chip, np.zeros((8, 8), np.float32))
    for device, w in zip(matrix.pieces[0].tile.arrays[0].devices, (plus, minus), strict=True):
        device.set_weights(w)
    (n,) = perform(chip, Refresh(matrix, 0))
    used_up = (np.maximum(plus, minus) > 0.75) & (np.minimum(plus, minus) > 0.25)
    assert n == used_up.sum() == chip.counts["refreshed_cells"] > 10
    after = devices(matrix)
    np.testing.assert_allclose(after[0][~used_up], plus[~used_up], atol=1e-6)
    np.testing.assert_allclose(after[1][~used_up], minus[~used_up], atol=1e-6)
    difference = plus - minus
    np.testing.assert_allclose(after[0][used_up], np.maximum(difference, 0)[used_up], atol=1.01 * STEP)
    np.testing.assert_allclose(after[1][used_up], np.maximum(-difference, 0)[used_up], atol=1.01 * STEP)


def test_refresh_error_is_that_of_its_pulses(make_chip) -> None:
    """With a spread of the step from pulse to pulse, n pulses write n dw with the error sqrt(n) sigma dw."""
    device = load_device("constant_step", **{**STILL, "dw_min_std": 0.3}, unit_cell__kind="one_sided",
                         unit_cell__refresh_forward=PERFECT, unit_cell__refresh_update=LONG)  # fmt: skip
    chip = make_chip({"tile.rows": 64, "tile.cols": 64}, device=device, seed=4)
    matrix = placed(chip, np.zeros((64, 64), np.float32))
    planes = matrix.pieces[0].tile.arrays[0].devices
    planes[0].set_weights(0.9)
    planes[1].set_weights(0.4)
    chip.run(iter_program(Refresh(matrix, 0)))
    error = matrix.weights(0) - 0.5
    assert error.mean() == pytest.approx(0, abs=5 * 50**0.5 * 0.3 * STEP / 64 + STEP / 2)
    assert error.std() == pytest.approx(50**0.5 * 0.3 * STEP, rel=0.1)
    assert not planes[1].weights.any()


def iter_program(operation: Any):
    yield operation


def test_refresh_takes_time_and_energy_that_the_log_shows(make_chip) -> None:
    def run(w_plus: float) -> Any:
        chip = make_chip(device=refreshed())
        matrix = placed(chip, np.zeros((8, 8), np.float32))
        for device, w in zip(matrix.pieces[0].tile.arrays[0].devices, (w_plus, 0.5), strict=True):
            device.set_weights(w)
        perform(chip, Refresh(matrix, 0))
        return chip, matrix

    idle, _ = run(0.6)
    busy, matrix = run(0.9)
    assert booked(idle, "tile0.crossbar", "read").count == 16
    assert not idle.counts["refreshed_cells"]
    assert busy.counts["refreshed_cells"] == 64
    reset = booked(busy, "tile0.crossbar", "reset")
    assert reset.count == 128
    # Each column: 16 devices at V, the other 7 columns of the firing rows at V/2 (those done before hold 0.4 and 0).
    cell, map_ = busy.device.cell, Conductance.of(busy.device.cell, -1.0, 1.0)

    def g(w: float) -> float:
        return map_.offset + map_.scale * w

    plain = 0.0
    for column in range(8):
        for before, after in ((0.9, 0.4), (0.5, 0.0)):
            others = column * g(after) + (7 - column) * g(before)
            plain += 8 * cell.pulse_width * cell.write_voltage**2 * (g(before) + others / 4)
    line = matrix.pieces[0].tile._line_capacitance
    plain += 8 * 2 * (cell.write_voltage / 2) ** 2 * (8 * line[0] + line[1])
    assert reset.energy_J == pytest.approx(plain, rel=1e-5, abs=0)
    assert booked(busy, "tile0.crossbar", "write").count == busy.counts["refresh_pulses"] == 64 * 40
    assert busy.env.now > idle.env.now + 8 * matrix.pieces[0].tile.slot * 40


def test_refresh_reads_cost_what_transfer_reads_cost(make_chip, weights) -> None:
    """One device at a time: the reads of both add up to that of a line of the whole cells."""
    chips = [make_chip({"tile.transfer": PERFECT}, device=refreshed()) for _ in range(2)]
    matrices = [placed(chip, weights) for chip in chips]
    perform(chips[0], Refresh(matrices[0], 0))
    perform(chips[1], *(TransferRead(matrices[1], 0, line, "column") for line in range(8)))
    reads = [booked(chip, "tile0.crossbar", "read") for chip in chips]
    assert reads[0].energy_J == pytest.approx(reads[1].energy_J, rel=1e-9, abs=0)
    assert (reads[0].count, reads[1].count) == (16, 8)


@pytest.mark.parametrize("timing", [True, False])
def test_refresh_on_several_tiles_gives_the_same_bits_with_and_without_timing(make_chip, timing: bool) -> None:
    device = load_device("pcm-pair", unit_cell__refresh_upper_thres=0.3, unit_cell__refresh_lower_thres=0.05)
    rng = np.random.default_rng(5)
    x, d = rng.uniform(-1, 1, (40, 12)).astype(np.float32), rng.uniform(-1, 1, (40, 12)).astype(np.float32)

    def trained(timing: bool) -> Any:
        chip = make_chip(device=device, timing=timing, seed=6)
        matrix = placed(chip, np.zeros((12, 12), np.float32))
        update = Update(matrix, 0, x, d, 0.2, UpdateParameters())

        def program():
            yield from Refreshes(device.unit_cell).after(iter_program(update))
            yield from Refreshes(device.unit_cell).after(iter_program(update))

        chip.run(program())
        return matrix.weights(), chip.counts

    (first, counts), (second, others) = trained(timing), trained(True)
    assert counts["refresh"] == 2
    assert counts["refreshed_cells"] > 0
    assert counts == others
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("every", "in_batches", "expected"), [
    (1, True, ["update", "refresh"] * 3), (2, True, ["update", "update", "refresh", "update"]),
    (4, False, ["update", "refresh", "update", "update", "refresh", "update", "update", "refresh", "update"]),
    (0, True, ["update"] * 3),
])  # fmt: skip
def test_refreshes_fall_due_by_mini_batches_or_by_updates(make_chip, every, in_batches, expected) -> None:
    """Three mini-batches of five samples; counted in updates, the streams are split where a refresh falls due."""
    device = refreshed(refresh_every=every, units_in_mbatch=in_batches)
    chip = make_chip(device=device)
    matrix = placed(chip, np.zeros((8, 8), np.float32))
    refreshes = Refreshes(device.unit_cell)
    x = np.arange(40, dtype=np.float32).reshape(5, 8)
    emitted = [
        operation
        for _ in range(3)
        for operation in refreshes.after(iter_program(Update(matrix, 0, x, x, 0.1, UpdateParameters())))
    ]
    assert [operation.kind for operation in emitted] == expected
    updates = [operation for operation in emitted if operation.kind == "update"]
    np.testing.assert_array_equal(np.concatenate([update.x for update in updates]), np.concatenate([x] * 3))


def test_only_one_sided_pairs_are_refreshed(make_chip, weights) -> None:
    chip = make_chip()
    with pytest.raises(UsageError, match="only one-sided pairs"):
        Refresh(placed(chip, weights), 0)
