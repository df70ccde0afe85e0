"""What pulses do to linear devices: the smooth model, saturation and fast reset, bounds, and the symmetric point.

Equations are those of Wu et al., "Towards Exact Gradient-based Training on Analog In-memory Computing", NeurIPS 2024
(arXiv 2406.12774), unless another source is named.
"""

import numpy as np
import pytest

from hwsim.devices import DeviceArray, UpdateParameters


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("pulses", [1, 3, 10, 60])
def test_equal_pulses_compose_to_the_smooth_step(linear_device, sign: int, pulses: int) -> None:
    """Eq. 8 and 20: U(w, Dw) = w + Dw - |Dw| w / tau with error <= dw_min / tau + Dw^2 / (2 tau).

    The term Dw^2 / (2 tau) carries the response 1 - sign(Dw) w / tau of the first pulse, which is at most 1 on the way
    to saturation, as the paper's bound has it, and up to 2 on the way back.
    """
    tau, dw = 1.5, 0.004
    w = np.linspace(-tau, tau, 121)
    cells = DeviceArray(linear_device(tau, dw), (1, len(w)))
    cells.set_weights(w[None])
    for _ in range(pulses):
        cells.pulse(sign)
    target = sign * pulses * dw
    error = np.abs(cells.weights[0] - (w + target - abs(target) * w / tau))
    saturating = sign * w >= 0
    assert (error[saturating] <= dw / tau + target**2 / (2 * tau)).all()
    assert (error <= dw / tau + target**2 / (2 * tau) * (1 - sign * w / tau)).all()
    if pulses == 60:
        # The bound is tight where the second-order term rules: at w = 0 half a step below it.
        assert error[60] == pytest.approx(target**2 / (2 * tau), rel=0.1)


@pytest.mark.parametrize("sign", [1, -1])
def test_saturation_and_fast_reset(linear_device, sign: int) -> None:
    """Lemma 1: |step| = (1 - |w| / tau) |Dw| for equal signs of Dw and w, (1 + |w| / tau) |Dw| for unlike ones."""
    tau, dw = 0.8, 1e-3
    w = np.linspace(-tau, tau, 33)
    cells = DeviceArray(linear_device(tau, dw), (1, len(w)))
    cells.set_weights(w[None])
    cells.pulse(sign)
    same = np.sign(w) == sign
    expected = np.where(same, 1 - np.abs(w) / tau, 1 + np.abs(w) / tau) * dw
    assert np.abs(cells.weights[0] - w) == pytest.approx(expected, abs=2e-7)


@pytest.mark.parametrize("scheme", ["stochastic_compressed", "stochastic"])
def test_mean_of_an_analog_sgd_step(linear_device, scheme) -> None:
    """Eq. 3: E[W+] = W - a g - (a / tau) |g| (W - W_d), with g = x d of a rank-1 update by stochastic trains."""
    tau, dw, lr, n, repeats = 1.0, 1e-4, 2e-3, 4000, 20
    w = np.linspace(-0.8, 0.8, 9)
    d = np.where(np.arange(9) % 2, 0.6, -0.6)
    cells = DeviceArray(linear_device(tau, dw), (9, n), seed=3)
    params = UpdateParameters(pulse_type=scheme, desired_bl=31)
    sums = np.zeros(9)
    for _ in range(repeats):
        cells.set_weights(np.repeat(w[:, None], n, axis=1))
        cells.update(np.full((1, n), 0.5), d[None], lr, params)
        sums += cells.weights.astype(float).mean(axis=1) - w
    g = 0.5 * d
    expected = -lr * g - lr * np.abs(g) * w / tau
    # Trains of a row are shared by its columns, so the repeats count as independent, not the columns.
    variance = np.abs(lr * g) * dw * (1 + np.abs(w) / tau) ** 2
    error = np.sqrt(variance / repeats) + dw / tau * np.abs(lr * g) + (lr * g) ** 2 / tau
    assert (np.abs(sums / repeats - expected) < 4 * error).all()


@pytest.mark.parametrize("dw", [0.01, 0.3, 0.95])
def test_weights_stay_within_the_saturation_level(linear_device, dw: float) -> None:
    """Theorem 1: |W_0| <= tau and |Dw| <= tau imply |W_k| <= tau; the device itself would cut at 3 tau only."""
    tau = 0.7
    g = np.random.default_rng(0)
    cells = DeviceArray(linear_device(tau, dw * tau), (20, 100))
    cells.set_weights(g.uniform(-tau, tau, (20, 100)))
    reached = 0.0
    for turn in range(200):
        drift = (-1) ** (turn // 50)
        cells.pulse(np.where(g.random((20, 100)) < 0.8, drift, -drift).astype(np.int8))
        reached = max(reached, float(np.abs(cells.weights).max()))
    assert 0.4 * tau < reached <= tau * (1 + 1e-6)


@pytest.mark.parametrize("c", [0.0, 0.25])
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_random_pulse_pairs_drift_to_the_symmetric_point(linear_device, c: float, noise: float) -> None:
    """Rasch et al. 2024 (Nat. Commun. 15:7133), eq. 7: w - w_d decays at 2 delta a pair, delta = dw_min / tau.

    The device's own delta is the mean of both slopes; with the one-sided asymmetry that is dw_min / (tau (1 + c)).
    """
    tau, dw, pairs, n = 1.0, 0.005, 120, 4000
    cells = DeviceArray(linear_device(tau, dw, c, dw_min_std=noise, mult_noise=True), (1, n), seed=4)
    assert cells.symmetric_point == pytest.approx(np.full((1, n), c * tau), abs=1e-9)
    cells.set_weights(0.8)
    g = np.random.default_rng(1)
    for _ in range(2 * pairs):
        cells.pulse(np.where(g.random((1, n)) < 0.5, 1, -1).astype(np.int8))
    w = cells.weights[0].astype(float)
    delta = dw / tau / (1 + c)
    expected = c * tau + (0.8 - c * tau) * np.exp(-2 * delta * pairs)
    second_order = 2 * pairs * delta**2
    assert w.mean() == pytest.approx(expected, abs=4 * w.std() / np.sqrt(n) + second_order * 0.8)
    assert abs(w.mean() - c * tau) < 0.5 * (0.8 - c * tau)
