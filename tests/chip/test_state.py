"""What a matrix and its refreshes remember: a restored copy goes on bit for bit."""

from typing import Any

import numpy as np
import pytest

from hwsim.chip.operations import Backward, Forward, TransferRead, Update
from hwsim.devices import UpdateParameters, load_device
from hwsim.errors import DataError
from hwsim.training.refresh import Refreshes

MANAGED = {"tile.forward": {"noise_management": "average_abs_max"}, "tile.arrays": 2}


def placed(make_chip, arrays: int = 2) -> tuple[Any, Any]:
    chip = make_chip(MANAGED, device=load_device("reram-es"), seed=3)
    matrix = chip.place_analog("fc", np.full((12, 10), 0.1, np.float32), arrays=arrays, gains=(0.5, 1.0)[-arrays:])
    chip.finish_placement()
    return chip, matrix


def work(chip: Any, matrix: Any, seed: int, batches: int) -> list[Any]:
    """Reads, updates and transfers whose results are collected."""
    rng = np.random.default_rng(seed)
    results: list[Any] = []

    def program():
        for _ in range(batches):
            x, d = rng.normal(size=(3, 10)).astype(np.float32), rng.normal(size=(3, 12)).astype(np.float32)
            results.append((yield Forward(matrix, x)))
            results.append((yield Backward(matrix, d)))
            yield Update(matrix, 0, x, d, 0.01, UpdateParameters())
            results.append((yield TransferRead(matrix, 0, 2, "column")))

    chip.run(program())
    return results


def test_a_restored_matrix_goes_on_bit_for_bit(make_chip) -> None:
    chip, matrix = placed(make_chip)
    work(chip, matrix, 1, 4)
    matrix.set_polarity(0, np.resize(np.float32([1, -1]), 12), np.ones(10, np.float32))
    other_chip, other = placed(make_chip)
    other.restore(matrix.state())
    for first, second in zip(work(chip, matrix, 2, 3), work(other_chip, other, 2, 3), strict=True):
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(matrix.weights(), other.weights())


def test_the_running_input_scale_is_part_of_the_state(make_chip) -> None:
    chip, matrix = placed(make_chip)
    work(chip, matrix, 1, 4)
    _, fresh = placed(make_chip)
    assert matrix.state()["scales"][0] > 0 == fresh.state()["scales"][0]


def test_a_state_of_another_matrix_is_refused(make_chip) -> None:
    _, matrix = placed(make_chip)
    _, single = placed(make_chip, arrays=1)
    with pytest.raises(DataError, match="no state of the matrix 'fc' on 4 tiles of 1 arrays"):
        single.restore(matrix.state())


def test_refreshes_fall_due_after_a_restore_as_without_it(make_chip) -> None:
    device = load_device("pcm-pair", unit_cell__refresh_every=5)
    chip = make_chip(device=device)
    matrix = chip.place_analog("fc", np.zeros((8, 8), np.float32), arrays=1, gains=(1.0,))
    x = np.ones((1, 8), np.float32)

    def kinds(refreshes: Refreshes, batches: int) -> list[str]:
        update = Update(matrix, 0, x, x, 0.1, UpdateParameters())
        return [operation.kind for _ in range(batches) for operation in refreshes.after(iter_of(update))]

    first, second = Refreshes(device.unit_cell), Refreshes(device.unit_cell)
    kinds(first, 3)
    second.restore(first.state())
    assert kinds(second, 4) == kinds(first, 4) == ["update", "update", "refresh", "update", "update"]
    with pytest.raises(DataError, match="no state of refreshes"):
        first.restore({})


def iter_of(operation: Any):
    yield operation
