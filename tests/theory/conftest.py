"""Devices of the theory: linear response without any spread, and gradient descent on many copies of a small problem."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hwsim.devices import DeviceArray, UpdateParameters, load_device

QUIET = {"dw_min_dtod": 0, "dw_min_std": 0, "up_down_dtod": 0, "w_max_dtod": 0, "w_min_dtod": 0, "gamma_up_dtod": 0,
         "gamma_down_dtod": 0}  # fmt: skip
# Rounded counts with trains long enough that no line saturates.
EXACT = UpdateParameters(
    pulse_type="deterministic_implicit", desired_bl=4000, update_management=False, update_bl_management=False
)

Gradient = Callable[[np.ndarray, int], np.ndarray]


@pytest.fixture
def linear_device() -> Callable[..., Any]:
    """Return a maker of devices with q+ = (1 + c)(1 - w/tau), q- = (1 - c)(1 + w/tau), up to the common factor 1 + c.

    The weight is cut at 3 tau only, so that what keeps it within tau is the response. c is the symmetric point / tau.
    """

    def make(tau: float = 1.0, dw_min: float = 1e-4, c: float = 0.0, **overrides: Any) -> Any:
        # AIHWKit's one-sided up_down: the down step is weaker by it.
        values = {**QUIET, "dw_min": dw_min, "w_max": 3 * tau, "w_min": -3 * tau, "gamma_up": 3.0, "gamma_down": 3.0,
                  "up_down": 2 * c / (1 + c), **overrides}  # fmt: skip
        return load_device("linear_step", **values)

    return make


@pytest.fixture
def descend() -> Callable[..., np.ndarray]:
    """Return pulsed gradient descent ``w -= lr gradient(w, step)`` of n devices; it returns the mean weights (n,) over
    the steps after ``burn_in``."""

    def run(device: Any, start: np.ndarray, gradient: Gradient, lr: float, steps: int, burn_in: int) -> np.ndarray:
        cells = DeviceArray(device, (1, len(start)), seed=1)
        cells.set_weights(start[None])
        total = np.zeros(len(start))
        for step in range(steps):
            w = cells.weights[0].astype(float)
            total += w if step >= burn_in else 0
            cells.update(gradient(w, step)[None], np.ones((1, 1)), lr, EXACT)
        return total / (steps - burn_in)

    return run
