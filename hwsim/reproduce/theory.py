"""Where SGD on a least-squares problem stops, in closed form: the fixed point of the mean step, and what fluctuates.

The loss is ``(c / 2n) sum_i (a_i w - b_i)^2`` with c = 2 (``mse``) or 1 (``half_mse``). Analog SGD pulses the gradient
of each sample by itself, so the asymmetry of the devices acts on each sample's ``|a_ij r_i|`` and not on the
gradient of the mini-batch. The stationary mean of eq. 3 of Wu et al. (NeurIPS 2024, arXiv 2406.12774), summed over
the samples,

    sum_i E[d_i] a_ij F(w_j) + E|d_i| |a_ij| G(w_j) = 0,     F = (q- + q+) / 2,  G = (q- - q+) / 2,

is solved for w, d_i being the error of a sample with the noise of its read. Around it the weights fluctuate with the
covariance S of the linearised step, ``K S K' + lr^2 Q = S`` with ``K = 1 - lr J``; Q holds read noise and the
chance of the pulse trains. S in turn adds to the errors that asymmetry and pulses see, so both are found by turns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

GRID = np.linspace(-5, 5, 101)
"""Values of a standard normal number at which means are taken."""
WEIGHTS = np.exp(-(GRID**2) / 2) / np.exp(-(GRID**2) / 2).sum()
TURNS = 6
BLOCKS, BLOCK = 100, 200
RESTING = 3e-6
"""Largest drift of a rest, over that of the whole weights; means on a grid jump where an error changes its sign."""


@dataclass(frozen=True)
class Problem:
    """``a`` (n, d) and ``b`` (n,) of a least-squares problem; the error of a sample is ``factor`` residual / n.

    With ``bias`` a digital bias is trained beside the d analog weights.
    """

    a: Vector
    b: Vector
    factor: float = 2.0
    bias: bool = False

    @property
    def inputs(self) -> Vector:
        """``a`` with a column of ones for the bias."""
        return np.column_stack([self.a, np.ones(len(self.a))]) if self.bias else self.a

    @property
    def hessian(self) -> Vector:
        """Second derivative of the loss."""
        return self.factor / len(self.b) * self.inputs.T @ self.inputs

    def loss(self, w: Vector) -> float:
        """Return the loss at ``w``."""
        return float(self.factor / 2 * np.mean((self.inputs @ w - self.b) ** 2))

    @property
    def minimum(self) -> float:
        """The least loss that any weights have: f* of the publications, 0 where the labels have no noise."""
        best, *_ = np.linalg.lstsq(self.inputs, self.b, rcond=None)
        return self.loss(best.astype(np.float64))

    def resolution(self, step: float) -> float:
        """Return what weights that are off by a standard deviation of ``step`` each add to the least loss."""
        return float(self.factor / 2 * step**2 * np.mean(np.sum(self.a**2, axis=1)))


@dataclass(frozen=True)
class Array:
    """What Analog SGD runs on: linear responses without spreads, and reads with additive noise.

    ``q+ = up (1 - w / w_max)`` and ``q- = down (1 - w / w_min)`` times ``dw_min``; ``w_noise`` is the standard
    deviation on every weight, ``out_bound`` the clipping of an output (infinite: none), ``desired_bl`` the longest
    pulse train.
    """

    w_max: float
    w_min: float
    dw_min: float
    w_noise: float = 0.0
    out_bound: float = float("inf")
    desired_bl: int = 31
    up: float = 1.0
    down: float = 1.0

    def response(self, w: Vector) -> tuple[Vector, Vector]:
        """Return F and G at ``w``."""
        up, down = self.up * (1 - w / self.w_max), self.down * (1 - w / self.w_min)
        return (down + up) / 2, (down - up) / 2


@dataclass(frozen=True)
class Floor:
    """Where the training stops: the mean weights, the loss there, and the loss that the fluctuations add.

    Losses include the least loss of the problem.
    """

    weights: Vector
    fixed_point: float
    fluctuations: float

    @property
    def loss(self) -> float:
        """The mean loss."""
        return self.fixed_point + self.fluctuations


def digital_floor(problem: Problem, lr: float, gradient_noise: float) -> float:
    """Return the mean loss above its minimum of SGD whose gradient has noise of this standard deviation.

    For an eigenvalue l of the Hessian the variance of the weight is ``lr s^2 / (l (2 - lr l))``.
    """
    eigenvalues = np.linalg.eigvalsh(problem.factor / len(problem.b) * problem.a.T @ problem.a)
    return float(0.5 * lr * gradient_noise**2 * np.sum(1 / (2 - lr * eigenvalues)))


def analog_floor(problem: Problem, array: Array, lr: float, start: Vector | None = None) -> Floor:
    """Return where Analog SGD with steps of ``lr`` stops when it comes from ``start`` (default: zero).

    Raises:
        ArithmeticError: the mean step finds no rest, or the fluctuations around it grow without bound.
    """
    step = _Step(problem, array, lr)
    w = np.zeros(problem.inputs.shape[1]) if start is None else start
    covariance = np.zeros((len(w), len(w)))
    for _ in range(TURNS):
        w = step.rest(w, covariance)
        covariance = step.fluctuations(w, covariance)
    return Floor(w, problem.loss(w), float(0.5 * np.trace(problem.hessian @ covariance)))


class _Step:
    """The mean of one step of Analog SGD and its noise, at given weights and their covariance."""

    def __init__(self, problem: Problem, array: Array, lr: float) -> None:
        self.problem, self.array, self.lr = problem, array, lr
        self.x = problem.inputs
        self.analog = np.arange(self.x.shape[1]) < problem.a.shape[1]
        self.largest = np.abs(problem.a).max(axis=1)
        self.read_noise = array.w_noise * np.linalg.norm(problem.a, axis=1)

    def errors(self, w: Vector, covariance: Vector) -> tuple[Vector, Vector]:
        """Return the errors (n, grid) of the samples, and the part of each that the pulse train can carry."""
        weights = self.problem.a @ w[: self.problem.a.shape[1]]
        bias = w[-1] if self.problem.bias else 0.0
        spread = np.sqrt(self.read_noise**2 + np.einsum("ij,jk,ik->i", self.x, covariance, self.x))
        bound = self.array.out_bound
        y = np.clip(weights[:, None] + spread[:, None] * GRID, -bound, bound) + bias
        d = self.problem.factor / len(self.problem.b) * (y - self.problem.b[:, None])
        slots = self.lr * self.largest[:, None] * np.abs(d) / self.array.dw_min
        return d, np.minimum(1.0, self.array.desired_bl / np.maximum(slots, 1e-30))

    def drift(self, w: Vector, covariance: Vector) -> Vector:
        """Return the mean of the gradient as the devices take it."""
        d, carried = self.errors(w, covariance)
        f, g = self._responses(w)
        mean, size = (carried * d) @ WEIGHTS, (carried * np.abs(d)) @ WEIGHTS
        # What fluctuates together: w_j is above its mean where the error of a sample is, E[dw_j |d|] = cov E[sign d].
        scale = self.problem.factor / len(self.problem.b)
        together = np.einsum(
            "ij,i,ij->j", np.abs(self.x), scale * (carried * np.sign(d)) @ WEIGHTS, self.x @ covariance
        )
        slope = np.where(
            self.analog, (1 / -self.array.w_min * self.array.down + self.array.up / self.array.w_max) / 2, 0.0
        )
        exact = d @ WEIGHTS @ self.x
        return np.where(self.analog, f * (mean @ self.x) + g * (size @ np.abs(self.x)) + slope * together, exact)

    def _responses(self, w: Vector) -> tuple[Vector, Vector]:
        f, g = self.array.response(w)
        return np.where(self.analog, f, 1.0), np.where(self.analog, g, 0.0)

    def rest(self, w: Vector, covariance: Vector) -> Vector:
        """Follow the mean step from ``w`` until Newton's method takes it to a rest nearby."""
        rate = 0.5 / np.linalg.eigvalsh(self.problem.hessian)[-1]
        for _ in range(BLOCKS):
            for _ in range(BLOCK):
                w = w - rate * self.drift(w, covariance)
                w[self.analog] = np.clip(w[self.analog], self.array.w_min, self.array.w_max)
            found = self._newton(w, covariance)
            if found is not None:
                return found
        raise ArithmeticError(f"the mean step does not come to rest within {BLOCKS * BLOCK} steps")

    def _newton(self, w: Vector, covariance: Vector) -> Vector | None:
        """Return the stable rest near ``w``, or None if there is none that Newton's method finds."""
        start, scale = w, np.abs(self.problem.hessian).sum(axis=1).max() * np.abs(w).max()
        for _ in range(8):
            move, jacobian = self.drift(w, covariance), self.jacobian(w, covariance)
            if np.abs(move).max() < RESTING * scale:
                stable = bool((np.linalg.eigvals(jacobian).real > 0).all())
                near = np.abs(w - start).max() <= 0.1 * np.abs(start).max()
                return w if stable and near else None
            w = w - np.linalg.solve(jacobian, move)
        return None

    def jacobian(self, w: Vector, covariance: Vector) -> Vector:
        """Return the derivative of the drift."""
        size = 1e-5 * (1 + np.abs(w).max())
        nudges = size * np.eye(len(w))
        columns = [(self.drift(w + n, covariance) - self.drift(w - n, covariance)) / (2 * size) for n in nudges]
        return np.column_stack(columns)

    def fluctuations(self, w: Vector, covariance: Vector) -> Vector:
        """Return the stationary covariance of the weights around ``w``."""
        keep = np.eye(len(w)) - self.lr * self.jacobian(w, covariance)
        if np.abs(np.linalg.eigvals(keep)).max() >= 1:
            raise ArithmeticError("the fluctuations around the fixed point grow without bound")
        found = self.lr**2 * (self._read_noise(w) + self._pulse_noise(w, covariance))
        added = found
        while np.abs(added).max() > 1e-12 * np.abs(found).max():
            added = keep @ found @ keep.T
            found, keep = found + added, keep @ keep
        return found

    def _read_noise(self, w: Vector) -> Vector:
        """Return the covariance that the noise of the reads gives a step over lr."""
        d, carried = self.errors(w, np.zeros((len(w), len(w))))
        f, g = self._responses(w)
        total = np.zeros((len(w), len(w)))
        for i, x in enumerate(self.x):
            taken = f * x * d[i][:, None] + g * np.abs(x) * np.abs(d[i])[:, None]
            taken = np.where(self.analog, carried[i][:, None], 1.0) * taken
            centred = taken - WEIGHTS @ taken
            total += (centred * WEIGHTS[:, None]).T @ centred
        return total

    def _pulse_noise(self, w: Vector, covariance: Vector) -> Vector:
        """Return the covariance that the chance of row and column trains gives a step over lr."""
        d, _ = self.errors(w, covariance)
        f, g = self._responses(w)
        slots = np.minimum(self.lr * self.largest[:, None] * np.abs(d) / self.array.dw_min, self.array.desired_bl)
        length = np.maximum(np.ceil(slots), 1.0)
        row = np.sqrt(slots / length)
        total = np.zeros((len(w), len(w)))
        for i, x in enumerate(self.x):
            col = row[i][:, None] * np.where(self.analog, np.abs(x) / self.largest[i], 0.0)
            step = f * np.sign(x) * np.sign(d[i])[:, None] + g
            firing = (WEIGHTS * length[i] * row[i])[:, None]
            # The columns share the row's train; in one column a coincidence has the variance n p (1 - p), p = row col.
            pulses = (step * col * firing * (1 - row[i])[:, None]).T @ (step * col)
            np.fill_diagonal(pulses, (firing * col * (1 - row[i][:, None] * col) * step**2).sum(axis=0))
            total += pulses
        return (self.array.dw_min / self.lr) ** 2 * total
