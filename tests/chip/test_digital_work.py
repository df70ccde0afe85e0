"""The digital unit's time: lanes in rows or packed, and the preparation of pulse trains."""

import numpy as np
import pytest

from hwsim.chip.operations import Digital, TransferWrite, Update
from hwsim.devices import UpdateParameters

PLAIN = UpdateParameters(desired_bl=5, update_management=False, update_bl_management=False)
MANAGED = UpdateParameters(desired_bl=5)


def program(operation):
    yield operation


@pytest.mark.parametrize(
    ("packing", "operations", "cycles"),
    [
        ("rows", {"add": 5, "mul": 5}, 4),
        ("packed", {"add": 5, "mul": 5}, 3),
        ("packed", {"add": 4, "mul": 4}, 2),
        ("packed", {"add": 1}, 1),
        ("rows", {"add": 8}, 2),
        ("packed", {"add": 8}, 2),
    ],
)
def test_packed_lanes_are_rounded_up_once(make_chip, packing, operations, cycles) -> None:
    chip = make_chip({"digital.packing": packing})
    chip.run(program(Digital("work", "", 3, operations, lambda: None)))
    assert chip.digital.busy == 3 * cycles * 1000


def products(chip) -> dict[str, int]:
    chip.finish()
    return {
        total.action: int(total.count)
        for total in chip.ledger.totals()
        if total.component == "digital" and total.action != "leak"
    }


@pytest.mark.parametrize(
    ("parameters", "lr", "expected"),
    [
        # Steps are 0.01: five slots at a rate of 0.05 have gains of 1, and the numbers are the probabilities.
        (PLAIN, 0.05, {}),
        (PLAIN, 0.04, {"mul": 8}),
        (MANAGED, 0.04, {"compare": 8, "mul": 12, "div": 2}),
        # The largest value is one step: one slot, gains of 1, and only the search for it remains.
        (MANAGED, 0.01, {"compare": 8}),
    ],
)
def test_gains_of_one_take_no_products(make_chip, weights, parameters, lr, expected) -> None:
    chip = make_chip()
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    step = matrix.granularity(0)
    values = np.ones(8, np.float32)
    chip.run(program(TransferWrite(matrix, 0, 3, "column", values, lr / 0.01 * step, parameters)))
    assert products(chip) == expected


@pytest.mark.parametrize(("preparation", "lines"), [("driven_lines", 8), ("all_lines", 16)])
def test_a_transfer_may_be_prepared_on_every_line(make_chip, weights, preparation, lines) -> None:
    chip = make_chip({"digital.preparation": preparation})
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    chip.run(program(TransferWrite(matrix, 0, 3, "column", np.ones(8, np.float32), 0.02, PLAIN)))
    assert products(chip) == {"mul": lines}


@pytest.mark.parametrize("preparation", ["driven_lines", "all_lines"])
def test_a_gradient_is_prepared_on_every_line(make_chip, weights, preparation) -> None:
    chip = make_chip({"digital.preparation": preparation})
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    x = d = np.ones((2, 8), np.float32)
    chip.run(program(Update(matrix, 0, x, d, 0.02, PLAIN)))
    assert products(chip) == {"mul": 32}
