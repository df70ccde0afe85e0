"""The closed forms of floors, against float simulations of what they describe and against pulsed runs."""

import numpy as np
import pytest

from hwsim.reproduce.floors import predicted_floor
from hwsim.reproduce.plan import Options, cases, chosen, load_experiment
from hwsim.reproduce.theory import Array, Problem, analog_floor, digital_floor
from hwsim.run import resolve, simulate

RNG = np.random.default_rng(5)
A, W = RNG.normal(0, 1, (30, 6)), RNG.normal(0, 0.4, 6)
PROBLEM = Problem(A, A @ W)


@pytest.mark.parametrize("lr", [0.2, 0.02])
def test_digital_floor_is_that_of_noisy_gradient_descent(lr) -> None:
    """Many copies at once; the error of the mean over them is their spread."""
    copies, noise = 4000, 0.05
    draws = np.random.default_rng(1)
    w = np.repeat(W[:, None], copies, axis=1)
    hessian = PROBLEM.hessian
    for _ in range(int(20 / lr)):
        w -= lr * (hessian @ (w - W[:, None]) + noise * draws.standard_normal(w.shape))
    losses = 0.5 * np.einsum("ic,ij,jc->c", w - W[:, None], hessian, w - W[:, None])
    assert losses.mean() == pytest.approx(digital_floor(PROBLEM, lr, noise), abs=4 * losses.std() / np.sqrt(copies))


def test_least_loss_and_what_one_step_adds_to_it() -> None:
    draws = np.random.default_rng(7)
    noisy = Problem(A, A @ W + draws.standard_normal(30), bias=True)
    best = np.linalg.lstsq(noisy.inputs, noisy.b, rcond=None)[0]
    assert PROBLEM.minimum == pytest.approx(0, abs=1e-25)
    assert noisy.minimum == pytest.approx(np.mean((noisy.inputs @ best - noisy.b) ** 2))
    off = np.mean([PROBLEM.loss(W + 1e-3 * draws.choice([-1, 1], 6)) for _ in range(4000)])
    assert off == pytest.approx(PROBLEM.resolution(1e-3), rel=0.05)


def test_without_noise_digital_sgd_has_no_floor() -> None:
    assert digital_floor(PROBLEM, 0.1, 0.0) == 0


@pytest.mark.parametrize(("tau", "w_noise"), [(1.0, 0.02), (2.5, 0.1)])
def test_fixed_point_of_the_mean_step_of_every_sample(tau, w_noise) -> None:
    """Samples by samples in float, with noise on every read: the mean weights are those of the closed form."""
    copies, lr, steps = 400, 0.05, 700
    array = Array(tau, -tau, dw_min=1e-9, w_noise=w_noise, desired_bl=10**9)
    floor = analog_floor(PROBLEM, array, lr)
    draws = np.random.default_rng(2)
    w, total = np.zeros((6, copies)), np.zeros((6, copies))
    spread = w_noise * np.linalg.norm(A, axis=1)[:, None]
    for step in range(steps):
        d = 2 / 30 * (A @ w - PROBLEM.b[:, None] + spread * draws.standard_normal((30, copies)))
        w = w - lr * (A.T @ d + (np.abs(A).T @ np.abs(d)) * w / tau)
        total += w if step >= steps // 2 else 0
    mean = total / (steps - steps // 2)
    shift = np.abs(floor.weights - W).max()
    error = 4 * mean.std(axis=1).max() / np.sqrt(copies)
    assert mean.mean(axis=1) == pytest.approx(floor.weights, abs=error + 0.03 * shift)
    losses = ((A @ w - PROBLEM.b[:, None]) ** 2).mean(axis=0)
    assert losses.mean() == pytest.approx(floor.loss, rel=0.05, abs=4 * losses.std() / np.sqrt(copies))


def test_pulsed_runs_stop_at_the_closed_form(tmp_path) -> None:
    """On rows of one's own, whose labels have noise, with the pulses of the chip; the issue allows 10 %."""
    rows = tmp_path / "rows.npz"
    noisy = Problem(A, A @ W + 0.05 * RNG.standard_normal(30), bias=True)
    np.savez(rows, x=A, y=noisy.b)
    spec, options = load_experiment("fig1"), Options(data=rows, seeds=(3,), epochs=1500)
    (case,) = [c for c in cases(chosen(spec, options), options) if c.series == "Analog SGD" and c.at == 0.1]
    run = simulate(**case.arguments, out=tmp_path / "run")
    predicted = predicted_floor(resolve(**case.arguments))
    assert run.metrics.test_loss[500:].mean() - noisy.minimum == pytest.approx(predicted, rel=0.1)


def test_no_closed_form_where_devices_spread_or_reads_are_coarse() -> None:
    exact = {"trace.evaluation": {"data": "training", "reads": "exact"}}
    for changes in ({"device.dw_min_std": 0.3}, {"tile.forward.out_noise": 0.1}, {"trace.batch_size": 10}):
        assert predicted_floor(resolve("least-squares", timing=False, set=exact | changes)) is None
    assert predicted_floor(resolve("digits-mlp", timing=False)) is None


def pulsed(w, x, d, lr, dw_min, longest, tau, draws) -> None:
    """Give a row of cells the pulses of ``-lr d x``: update and bit-length management, linear responses."""
    x_max, slots = np.abs(x).max(), lr * np.abs(x).max() * abs(d) / dw_min
    length = int(min(np.ceil(slots), longest))
    if not length:
        return
    d = d * min(1.0, longest / slots)
    row = np.sqrt(lr * x_max * abs(d) / (dw_min * length))
    fired = draws.binomial(length, min(1.0, row))
    pulses = draws.binomial(fired, np.minimum(1.0, row * np.abs(x) / x_max))
    bound = -np.sign(x) * np.sign(d) * tau
    w[:] = bound + (w - bound) * (1 - dw_min / tau) ** pulses


def tiki_taka(seed: int, lr: float, fast_lr: float, transfer_lr: float, noise: float, steps: int) -> np.ndarray:
    """Return the losses of Tiki-Taka on the rows, P by samples and W by the whole matrix after each mini-batch."""
    draws, w, fast, bias, losses = np.random.default_rng(seed), np.zeros(6), np.zeros(6), 0.0, []
    for _ in range(steps):
        reads = A @ w + noise * np.linalg.norm(A, axis=1) * draws.standard_normal(30) + bias
        errors = 2 / 30 * (reads - PROBLEM.b)
        for x, d in zip(A, errors, strict=True):
            pulsed(fast, x, d, fast_lr, 1e-4, 800, 3.0, draws)
        for column in range(6):
            pulsed(w[column : column + 1], np.ones(1), -fast[column], lr * transfer_lr, 1e-4, 800, 3.0, draws)
        bias -= lr * errors.sum()
        losses.append(np.mean((A @ w + bias - PROBLEM.b) ** 2))
    return np.array(losses)


def test_tiki_taka_is_that_of_its_equations(tmp_path) -> None:
    """Beside a simulation in plain NumPy: the same losses within four standard errors, all below 1 %."""
    np.savez(tmp_path / "rows.npz", x=A, y=A @ W)
    spec, ours = load_experiment("fig1"), []
    for seed in range(3):
        options = Options(
            data=tmp_path / "rows.npz", seeds=(seed,), epochs=600, set={"trace.schedule": {"kind": "constant"}}
        )
        (case,) = [case for case in cases(spec, options) if case.series == "Tiki-Taka"]
        run = simulate(**case.arguments, out=tmp_path / str(seed))
        ours.append(run.metrics["test_loss"].dropna().to_numpy())
    theirs = [tiki_taka(seed, 0.1, 1.0, 0.02, 0.01 / np.sqrt(40), 600) for seed in range(6)]
    for part in (slice(20, 80), slice(80, 200), slice(200, 600)):
        a, b = (np.log([each[part].mean() for each in curves]) for curves in (ours, theirs))
        error = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
        assert a.mean() == pytest.approx(b.mean(), abs=4 * error)
        assert error < 0.01
