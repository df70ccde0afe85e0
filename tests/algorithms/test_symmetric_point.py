"""A symmetric point away from zero, read noise and bent responses: which algorithm bears what.

Linear regression on devices without spread. Tiki-Taka's fast array stands still at zero where the drift of its
asymmetry is balanced by a gradient, so W is off by an amount that grows with the gradient noise and the distance of
the symmetric point (Wu, Xiao, Gokmen, Fagbohungbe, Chen, NeurIPS 2025, arXiv 2502.06309, figure 2). Choppers (c-TTv2),
a reference of the array's own past (AGAD) and zero-shifting repair it. Residual learning v2 does not: its exact
convergence asks for G(0) = 0 (corollary 1), that is for zero-shifting; its leaky buffer and threshold are the answer
to read noise and to coarse steps.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from hwsim.chip.chip import Chip
from hwsim.devices import load_device
from hwsim.spec.chip import ChipSpec
from hwsim.spec.load import Document, assign, build, mutable, named_document
from hwsim.training.algorithms import ALGORITHMS

SIZE, BATCH, NOISE = 6, 4, 0.3
OFFSET = 0.3
COMMON = {"fast_lr": 0.05, "transfer_lr": 0.5}
# Every step that H has collected is written sooner or later, so that transfers are linear in what was read.
LINEAR = {"forget_buffer": False, "momentum": 0.0, "transfer_update": {"desired_bl": 20}}
CHOPPED = {**LINEAR, "fast_lr": 0.1, "transfer_lr": 0.1, "transfer_every": 4.0, "in_chop_prob": 0.05}
CASES: dict[str, tuple[str, dict[str, Any], int]] = {
    # name: algorithm, options, steps
    "tiki-taka": ("tiki-taka", {**COMMON, "transfer_lr": 1.0}, 2500),
    "ttv2": ("ttv2", {**COMMON, "momentum": 0.0}, 2500),
    "residual-v2": ("residual-v2", {"transfer_lr": 0.1}, 2500),
    "c-ttv2": ("c-ttv2", CHOPPED, 4000),
    "agad": ("agad", CHOPPED, 4000),
    "analog-sgd": ("analog-sgd", {}, 2500),
    "tiki-taka, zero-shifted": ("tiki-taka", {**COMMON, "transfer_lr": 1.0, "zero_shift_pulses": 4000}, 2500),
    "residual-v2, zero-shifted": ("residual-v2", {"transfer_lr": 0.1, "zero_shift_pulses": 4000}, 2500),
}
LAWS = {
    "soft_bounds_reference": {"w_max": 1.0, "w_min": -1.0},
    "power_response": {"gamma_up": 2.0, "gamma_down": 2.0, "tau": 1.0},
}


def chip_of(law: str, symmetric_point: float, read_noise: float) -> Chip:
    """One tile with exact reads but for the noise of transfer reads."""
    data = mutable(named_document("chips", "small-tiles").data)
    perfect = {f"tile.{use}": {"is_perfect": True} for use in ("forward", "backward", "transfer")}
    if read_noise:
        exact = {"inp_res": 0.0, "out_res": 0.0, "out_bound": 0.0, "noise_management": "none"}
        perfect["tile.transfer"] = {**exact, "bound_management": "none", "out_noise": read_noise}
    for path, value in {"tile.rows": SIZE, "tile.cols": SIZE, "tiles": 1, **perfect}.items():
        assign(data, path, mutable(value))
    shifted = {"reference_mean": -symmetric_point} if symmetric_point else {}
    device = load_device(
        law, dw_min=0.002, dw_min_dtod=0.0, dw_min_std=0.3, up_down_dtod=0.0, w_max_dtod=0.0, w_min_dtod=0.0,
        **LAWS[law], **shifted,
    )  # fmt: skip
    return Chip(build(ChipSpec, Document(data)), device, timing=False)


@cache
def trained(
    case: str, symmetric_point: float = 0.0, read_noise: float = 0.0, law: str = "soft_bounds_reference"
) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean error of each weight in the second half of the training, the right weights, and the mean |A|."""
    name, options, steps = CASES[case]
    chip = chip_of(law, symmetric_point, read_noise)
    algorithm = ALGORITHMS.get(name)(build(ALGORITHMS.get(name).Parameters, Document(mutable(options))), chip, 0)
    rng = np.random.default_rng(0)
    target = rng.uniform(-0.4, 0.4, (SIZE, SIZE)).astype(np.float32)
    matrix: Any = algorithm.place("w", np.zeros((SIZE, SIZE), np.float32))
    chip.finish_placement()
    chip.run(algorithm.prepare(matrix))
    total, magnitude = np.zeros((SIZE, SIZE)), 0.0
    for step in range(steps):
        x = rng.choice([-1.0, 1.0], (BATCH, SIZE)).astype(np.float32)
        residual = x @ (matrix.weights() - target).T + rng.normal(0, NOISE, (BATCH, SIZE))
        chip.run(algorithm.update(matrix, x, (residual / BATCH).astype(np.float32), 0.05))
        if step >= steps // 2:
            total += matrix.weights() - target
            magnitude += float(np.abs(matrix.weights(0)).mean())
    return total / (steps - steps // 2), target, magnitude / (steps - steps // 2)


def bias(case: str, symmetric_point: float = 0.0, **options: Any) -> float:
    """Root mean square over the weights of their mean errors."""
    return float(np.sqrt((trained(case, symmetric_point, **options)[0] ** 2).mean()))


@pytest.fixture
def mean_noise() -> Callable[[float], float]:
    """Return E|g + e| of a gradient whose weights have errors of the given root mean square.

    With x = +-1 the errors of all weights of a row add to the noise.
    """
    return lambda error: float(np.sqrt(2 / np.pi * (NOISE**2 + SIZE * error**2)))


@pytest.mark.parametrize("case", ["tiki-taka", "ttv2"])
def test_tiki_taka_v1_and_v2_are_right_only_with_the_symmetric_point_at_zero(case) -> None:
    assert bias(case) < 0.015
    assert bias(case, OFFSET) > 5 * bias(case)


@pytest.mark.parametrize("case", ["tiki-taka", "residual-v2"])
def test_the_error_is_where_the_drift_balances_the_gradient(case) -> None:
    """At A = 0, G/F = offset / w_max and the mean gradient is g = E|g + e| offset, with E|e| = s sqrt(2/pi).

    Residual learning moves W until P reads zero, which is the same point; its leaky buffer changes how W gets there
    only.
    """
    k = (OFFSET * np.sqrt(2 / np.pi)) ** 2
    expected = NOISE * np.sqrt(k / (1 - SIZE * k))
    assert bias(case, OFFSET) == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("case", ["tiki-taka", "residual-v2"])
def test_zero_shifting_by_real_pulses_repairs_it(case) -> None:
    """Only A is shifted, not W: the symmetric point of the slow array does no harm where P stands at zero."""
    assert bias(f"{case}, zero-shifted", OFFSET) < 0.15 * bias(case, OFFSET)


def test_agad_needs_no_symmetric_point_at_zero() -> None:
    assert bias("agad", OFFSET) < 0.1 * bias("tiki-taka", OFFSET)
    assert bias("agad", OFFSET) < 0.01


def test_choppers_leave_but_the_pull_of_the_slow_array_to_its_own_symmetric_point(mean_noise) -> None:
    """The offset of A is read with both signs in turn, so it adds nothing to the mean of H.

    But it drives W up and down, and W's asymmetry turns that into a drift: W rests where E[c A] = E|A| (W - w_d), with
    E[c A] = -g / E|g + e| for choppers slower than A. So g = E|A| E|g + e| (w_d - W): nothing at W = w_d, where the
    error of Tiki-Taka is the same everywhere.
    """

    def line(case: str) -> tuple[float, float]:
        """Least-squares fit error = at + slope (w_d - W)."""
        error, target, _ = trained(case, OFFSET)
        slope, at = np.polyfit(np.ravel(OFFSET - target - error), np.ravel(error), 1)
        return float(at), float(slope)

    at, slope = line("c-ttv2")
    assert abs(at) < 0.3 * line("tiki-taka")[0]
    pull = trained("c-ttv2", OFFSET)[2] * mean_noise(bias("c-ttv2", OFFSET))
    # A lags behind faster choppers, and the same pull then takes a larger gradient.
    assert 0.7 * pull < slope < 2 * pull
    assert trained("c-ttv2", OFFSET)[0].mean() < 0.5 * trained("tiki-taka", OFFSET)[0].mean()
    assert bias("c-ttv2") < 0.015


@pytest.mark.parametrize("law", LAWS)
def test_residual_learning_v2_filters_read_noise(law) -> None:
    """Read noise makes Tiki-Taka write pulses of both signs, whose asymmetry pulls W back; the leaky mean of the reads
    stays below the threshold of a step unless P is off zero."""
    noisy = {case: bias(case, read_noise=0.5, law=law) for case in ("tiki-taka", "ttv2", "residual-v2")}
    assert noisy["residual-v2"] < 0.6 * min(noisy["tiki-taka"], noisy["ttv2"])


def test_residual_learning_v2_bears_general_response_functions() -> None:
    """Theorem 3: where G(0) = 0 nothing else is asked of the response; Analog SGD is pulled back by it."""
    assert bias("residual-v2", law="power_response") < 0.15 * bias("analog-sgd", law="power_response")
