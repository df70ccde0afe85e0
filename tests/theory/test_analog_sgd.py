"""Where Analog SGD stops: the asymptotic error, fixed points of a quadratic loss, and the implicit penalty.

Sources: Wu et al., NeurIPS 2024 (arXiv 2406.12774), with the constant of its theorem 3 corrected (factor 1, not 4: eq.
98 drops the 1/2 of sqrt(p (1 - p)) = sqrt(1 - w^2 / tau^2) / 2), and Wu et al., NeurIPS 2025 (arXiv 2502.06309).
"""

from math import erf, exp, pi, sqrt

import numpy as np
import pytest

N = 1500


def mean_magnitude(g: float, s: float) -> float:
    """E|g + e| for Gaussian e of standard deviation s."""
    return s * sqrt(2 / pi) * exp(-(g**2) / (2 * s**2)) + g * erf(g / (s * sqrt(2)))


def root(f, low: float, high: float) -> float:
    """Bisection for an increasing f."""
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < 0 else (low, middle)
    return (low + high) / 2


def test_asymptotic_error_is_the_corrected_limit_at_every_step_size(linear_device, descend) -> None:
    """Theorem 3 with its noise: lim |g|^2 = sigma^2 S, S = (w / tau)^2 / (1 - (w / tau)^2), independent of the step."""
    tau, curvature, target, sigma = 1.0, 1.0, 0.25, 0.14
    assert sigma <= tau * curvature / (4 * sqrt(3))
    found = []
    for lr, steps in ((0.1, 300), (0.025, 800)):
        draws = np.random.default_rng(7)

        def gradient(w: np.ndarray, _: int, draws: np.random.Generator = draws) -> np.ndarray:
            p = (1 - w / tau) / 2
            up = draws.random(N) < p
            return curvature * (w - target) + sigma * np.where(up, np.sqrt((1 - p) / p), -np.sqrt(p / (1 - p)))

        w = descend(linear_device(tau), np.full(N, target), gradient, lr, steps, steps // 3)
        found.append(w)
    for w in found:
        g = curvature * (w - target)
        limit = sigma**2 * (w.mean() / tau) ** 2 / (1 - (w.mean() / tau) ** 2)
        # Four standard errors, and terms of the order of the step.
        error = 4 * 2 * abs(g.mean()) * g.std() / sqrt(N)
        assert g.mean() ** 2 == pytest.approx(limit, rel=0.06, abs=error)
        assert g.mean() ** 2 < 0.5 * 4 * limit
    assert found[0].mean() == pytest.approx(found[1].mean(), abs=0.003)


@pytest.mark.parametrize(("target", "s"), [(0.4, 0.3), (-0.6, 0.1), (0.3, 1.0)])
def test_fixed_point_of_a_quadratic_loss(linear_device, descend, target: float, s: float) -> None:
    """Stationary mean of eq. 3 for Gaussian noise: g(w) + E|g(w) + e| w / tau = 0 (algorithms.md, 1.5)."""
    tau, lr = 1.2, 0.04
    draws = np.random.default_rng(8)
    w = descend(linear_device(tau), np.full(N, target), lambda w, _: w - target + draws.normal(0, s, N), lr, 400, 150)
    expected = root(lambda v: v - target + mean_magnitude(v - target, s) * v / tau, -2, 2)
    error = 4 * w.std() / sqrt(N)
    shift = abs(expected - target)
    assert shift > 10 * error
    assert w.mean() == pytest.approx(expected, abs=error + 0.04 * shift)


@pytest.mark.parametrize("c", [0.0, 0.2])
def test_first_order_minimiser_of_the_implicit_penalty(linear_device, descend, c: float) -> None:
    """NeurIPS 2025, theorem 1: Analog SGD settles at (H + Sigma R'(w_d))^-1 (H w* + Sigma R'(w_d) w_d), R = G / F.

    For this device F = 1 - c w / tau, G = w / tau - c, so R' = 1 / (tau (1 - c^2)) at w_d = c tau.
    """
    tau, s, lr = 1.0, 0.6, 0.03
    hessian, target = np.array([[1.0, 0.3], [0.3, 0.8]]), np.array([0.35, 0.05])
    draws = np.random.default_rng(9)

    def gradient(w: np.ndarray, _: int) -> np.ndarray:
        return np.ravel(hessian @ (w.reshape(2, N) - target[:, None])) + draws.normal(0, s, 2 * N)

    start = np.repeat(target, N)
    w = descend(linear_device(tau, c=c), start, gradient, lr * (1 + c), 500, 200).reshape(2, N)
    penalty = s * sqrt(2 / pi) / (tau * (1 - c**2)) * np.eye(2)
    expected = np.linalg.solve(hessian + penalty, hessian @ target + penalty @ np.full(2, c * tau))
    error = 4 * w.std(axis=1) / sqrt(N)
    # First order: the neglected terms are those of g^2 / s^2 and of the curvature of R.
    assert (np.abs(w.mean(axis=1) - expected) < error + 0.05 * np.abs(expected - target)).all()
    assert np.abs(expected - target).max() > 0.07
