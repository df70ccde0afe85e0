"""A symmetric point away from zero: Tiki-Taka fails, a reference of the array's own past (AGAD) repairs it.

Linear regression on soft-bounds devices without spread. Tiki-Taka's fast array stands still at zero where the drift
of its asymmetry is balanced by a gradient, so W is off by an amount that grows with the gradient noise and the distance
of the symmetric point (Wu, Xiao, Gokmen, Fagbohungbe, Chen, NeurIPS 2025, arXiv 2502.06309, figure 2).
"""

from collections.abc import Callable

import numpy as np
import pytest

from hwsim.chip.chip import Chip
from hwsim.devices import load_device
from hwsim.spec.chip import ChipSpec
from hwsim.spec.load import Document, assign, build, mutable, named_document
from hwsim.training.algorithms import ALGORITHMS

SIZE, STEPS, BATCH, NOISE = 6, 2500, 4, 0.3
OFFSET = 0.3
COMMON = {"fast_lr": 0.05, "transfer_lr": 0.5}


def bias(name: str, options: dict, symmetric_point: float) -> float:
    """Root mean square over the weights of the mean error in the last quarter of the training."""
    data = mutable(named_document("chips", "small-tiles").data)
    perfect = {f"tile.{use}": {"is_perfect": True} for use in ("forward", "backward", "transfer")}
    for path, value in {"tile.rows": 8, "tile.cols": 8, "tiles": 1, **perfect}.items():
        assign(data, path, mutable(value))
    device = load_device(
        "soft_bounds_reference", dw_min=0.002, dw_min_dtod=0.0, dw_min_std=0.3, up_down_dtod=0.0, w_max=1.0, w_min=-1.0,
        w_max_dtod=0.0, w_min_dtod=0.0, reference_mean=-symmetric_point,
    )  # fmt: skip
    chip = Chip(build(ChipSpec, Document(data)), device, timing=False)
    parameters = build(ALGORITHMS.get(name).Parameters, Document(mutable(options)))
    algorithm = ALGORITHMS.get(name)(parameters, chip, 0)
    rng = np.random.default_rng(0)
    target = rng.uniform(-0.4, 0.4, (SIZE, SIZE)).astype(np.float32)
    matrix = algorithm.place("w", np.zeros((SIZE, SIZE), np.float32))
    chip.finish_placement()
    errors = []
    for step in range(STEPS):
        x = rng.choice([-1.0, 1.0], (BATCH, SIZE)).astype(np.float32)
        residual = x @ (matrix.weights() - target).T + rng.normal(0, NOISE, (BATCH, SIZE))
        chip.run(algorithm.update(matrix, x, (residual / BATCH).astype(np.float32), 0.05))
        if step >= STEPS * 3 // 4:
            errors.append(matrix.weights() - target)
    return float(np.sqrt((np.mean(errors, axis=0, dtype=float) ** 2).mean()))


@pytest.fixture(scope="module")
def biases() -> Callable[[str], tuple[float, float]]:
    """Return the bias of an algorithm with the symmetric point at zero and away from it."""
    options = {
        "tiki-taka": {**COMMON, "transfer_lr": 1.0},
        "ttv2": {**COMMON, "momentum": 0.0},
        "residual-v2": {"transfer_lr": 0.1},
        "agad": {**COMMON, "transfer_every": 4.0, "in_chop_prob": 0.1},
    }
    known: dict[str, tuple[float, float]] = {}

    def get(name: str) -> tuple[float, float]:
        if name not in known:
            known[name] = (bias(name, options[name], 0.0), bias(name, options[name], OFFSET))
        return known[name]

    return get


def test_tiki_taka_v1_and_v2_are_right_only_with_the_symmetric_point_at_zero(biases) -> None:
    for name in ("tiki-taka", "ttv2"):
        at_zero, away = biases(name)
        assert at_zero < 0.015
        assert away > 5 * at_zero


@pytest.mark.parametrize("name", ["tiki-taka", "residual-v2"])
def test_the_error_is_where_the_drift_balances_the_gradient(biases, name) -> None:
    """At A = 0, G/F = offset / w_max and the mean gradient is g = E|g + e| offset, with E|e| = s sqrt(2/pi).

    Residual learning moves W until P reads zero, which is the same point: its exact convergence asks for G(0) = 0
    (corollary 1 of the paper), and its leaky buffer changes how W gets there only.
    """
    _, away = biases(name)
    # With x = +-1 the error of every weight of a row adds to the noise: e = offset sqrt(2/pi) sqrt(noise^2 + SIZE e^2).
    k = (OFFSET * np.sqrt(2 / np.pi)) ** 2
    expected = NOISE * np.sqrt(k / (1 - SIZE * k))
    assert away == pytest.approx(expected, rel=0.2)


def test_agad_needs_no_symmetric_point_at_zero(biases) -> None:
    assert biases("agad")[1] < 0.25 * biases("tiki-taka")[1]
