"""Tiki-Taka on a quadratic loss: exact as the steps shrink, down to the floor that read noise sets; and its failure.

TT-P and TT-W of Wu et al., NeurIPS 2024 (arXiv 2406.12774), on pulsed arrays: P collects gradients, W a read of P.
The closed forms are those of stationary means with Gaussian gradient noise of standard deviation s: P is near Gaussian
with variance v = b tau s^2 / (2 E|e|), W stops moving on average where E[P] = -E|P + r| W / tau, and P where
g = E|e| E[P] / tau, with r the read noise. So g = -E|e| E|P + r| W / tau^2.
"""

from math import pi, sqrt

import numpy as np
import pytest

from hwsim.devices import DeviceArray, IOParameters, UpdateParameters

N, S, TARGET, TAU = 600, 0.5, 0.4, 1.0
MEAN_NOISE = S * sqrt(2 / pi)
EXACT_READ = {"inp_res": 0.0, "out_res": 0.0, "out_bound": 0.0, "noise_management": "none", "bound_management": "none"}
FAST_UPDATE = UpdateParameters(desired_bl=1000)


def tiki_taka(fast_device, slow_device, b: float, read_noise: float = 0.0, seed: int = 1) -> tuple[float, float]:
    """Returns the stationary mean of g = W - W* over all copies, and its standard error."""
    # Critical damping of W'' + (b E|e| / tau) W' + a b g = 0.
    a = b * MEAN_NOISE**2 / 4 / TAU**2
    settle = 1 / (b * MEAN_NOISE / 2)
    steps, burn_in = int(24 * settle), int(8 * settle)
    fast = DeviceArray(fast_device, (N, 1), seed=seed, path="fast")
    slow = DeviceArray(slow_device, (N, 1), seed=seed, path="slow")
    slow.set_weights(TARGET)
    io = IOParameters(**EXACT_READ, out_noise=read_noise)
    draws = np.random.default_rng(seed)
    total = np.zeros(N)
    for step in range(steps):
        g = slow.weights[:, 0].astype(float) - TARGET
        total += g if step >= burn_in else 0
        fast.update([[1.0]], -(g + draws.normal(0, S, N))[None], b, FAST_UPDATE)
        read = fast.forward([[1.0]], io)
        slow.update([[1.0]], read, a, FAST_UPDATE)
    g = total / (steps - burn_in)
    return float(g.mean()), float(g.std() / sqrt(N))


def predicted(b: float, read_noise: float = 0.0) -> float:
    """Solve g = -E|e| E|P + r| (W* + g) / tau^2."""
    spread = sqrt(b * TAU * S**2 / (2 * MEAN_NOISE) + read_noise**2)
    k = MEAN_NOISE * spread * sqrt(2 / pi) / TAU**2
    return -k * TARGET / (1 + k)


@pytest.fixture
def device(linear_device):
    """A fine linear device."""
    return linear_device(TAU, 1e-3)


@pytest.fixture
def slow_device(linear_device):
    """A finer one."""
    return linear_device(TAU, 1e-4)


def test_the_error_keeps_falling_with_the_step(device, slow_device) -> None:
    """Theorem 4: no asymptotic error. g falls with sqrt(b), far below where Analog SGD stays."""
    found = {b: tiki_taka(device, slow_device, b) for b in (0.2, 0.05)}
    for b, (g, error) in found.items():
        assert g == pytest.approx(predicted(b), abs=4 * error + 0.2 * abs(predicted(b)))
    assert found[0.05][0] ** 2 < 0.4 * found[0.2][0] ** 2
    analog_sgd = -MEAN_NOISE / TAU * TARGET / (1 + MEAN_NOISE / TAU)
    assert found[0.05][0] ** 2 < 0.05 * analog_sgd**2


def test_read_noise_sets_a_floor(device, slow_device) -> None:
    """With read noise r the means above leave |g| = E|e| r sqrt(2/pi) W / tau^2 however small the step."""
    b, r = 0.05, 0.5
    g, error = tiki_taka(device, slow_device, b, r)
    assert g == pytest.approx(predicted(b, r), abs=4 * error + 0.15 * abs(predicted(b, r)))
    floor = MEAN_NOISE * r * sqrt(2 / pi) * (TARGET + g) / TAU**2
    assert abs(g) > 0.9 * floor


def test_with_noise_free_reads_the_error_falls_to_the_rounding_of_the_weights(device, slow_device) -> None:
    """As gradient noise and step fade, nothing is left of an error of 0.2 but a few steps of W."""
    b, steps, n = 0.4, 6000, 200
    fast = DeviceArray(device, (n, 1), seed=1, path="fast")
    slow = DeviceArray(slow_device, (n, 1), seed=1, path="slow")
    slow.set_weights(TARGET - 0.2)
    draws = np.random.default_rng(1)
    for step in range(steps):
        s = S / (1 + step / 60)
        a = b * (s * sqrt(2 / pi)) ** 2 / 4 / TAU**2
        g = slow.weights[:, 0].astype(float) - TARGET
        fast.update([[1.0]], -(g + draws.normal(0, s, n))[None], b, FAST_UPDATE)
        slow.update([[1.0]], fast.forward([[1.0]], IOParameters(**EXACT_READ, out_noise=0.0)), a, FAST_UPDATE)
    g = slow.weights[:, 0].astype(float) - TARGET
    assert np.sqrt((g**2).mean()) < 5 * slow_device.parameters.dw_min


@pytest.mark.parametrize("c", [0.2, -0.2])
def test_a_shifted_symmetric_point_of_the_fast_array_breaks_it(linear_device, slow_device, c: float) -> None:
    """NeurIPS 2025 (arXiv 2502.06309), figure 2: P is pulled to c tau instead of 0. W can only rest where E[P] is near
    0, that is where the gradient balances the pull: g = -c E|g + e| at first order, whatever the step."""
    b = 0.05
    up_down = {} if c >= 0 else {"up_down": 2 * c / (1 - c)}
    shifted = linear_device(TAU, 1e-3, max(c, 0.0), **up_down)
    point = DeviceArray(shifted, (1, 1)).symmetric_point[0, 0]
    assert point == pytest.approx(c * TAU)
    g, error = tiki_taka(shifted, slow_device, b)
    expected = -c * MEAN_NOISE
    plain = predicted(b)
    assert g == pytest.approx(expected + plain, abs=4 * error + 0.25 * abs(expected))
    assert abs(g) > 2 * abs(plain)
