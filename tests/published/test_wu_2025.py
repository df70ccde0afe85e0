"""Table 3 of Wu et al., NeurIPS 2025, from the events of training steps on the chip ``wu-2025``."""

import pytest

from hwsim.reproduce import update_times
from hwsim.spec.load import load_chip

CHIP = "wu-2025"
FIGURES = {figure.name: figure for figure in load_chip(CHIP).published}
SAMPLES = 3
ROWS = update_times.wu_2025()
TRAIN = {"desired_bl": 32, "update_management": False, "update_bl_management": False}
RESIDUAL = {
    "gamma": 0.4,
    "transfer_every": 1.0,
    "units_in_mbatch": False,
    "update": TRAIN,
    "transfer_update": TRAIN,
}


@pytest.mark.parametrize("name", FIGURES)
def test_figure(check, name) -> None:
    check(FIGURES[name], ROWS[name].time(CHIP))
    assert FIGURES[name].met


def test_only_the_lines_that_carry_a_number_need_preparing(bench) -> None:
    """Where the one-hot vector of a transfer takes no products, residual learning is faster by half a preparation."""
    platform = bench.Bench(CHIP, {"digital.preparation": "driven_lines"})
    events = bench.Training("tiki-taka", (512, 512), SAMPLES, RESIDUAL).on(platform)
    assert bench.update_time(events, SAMPLES) == pytest.approx(165.9 + 40 + 160 + 3.0)
