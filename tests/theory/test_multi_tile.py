"""Multi-tile residual learning on devices of 16 states: each further array brings the error down.

Li, Wu, Liu, Gokmen, Chen (arXiv 2510.02516v1): limsup E|W* - W|^2 <= Theta(gamma^(2N/3) (sigma dw_min)^(2/3)) with
N + 1 arrays, so an array more lowers the bound by gamma^(2/3). The problem is the least-squares toy with one weight, in
many copies; transfers keep the paper's order of time scales, each slower array four times more seldom.
"""

from typing import Any

import numpy as np
import pytest

from hwsim.chip.chip import Chip
from hwsim.devices import load_device
from hwsim.spec.chip import ChipSpec
from hwsim.spec.load import Document, assign, build, mutable, named_document
from hwsim.training.algorithms import ALGORITHMS

COPIES, BATCH = 60, 5
GAMMA, DW, SIGMA = 0.5, 0.125, 0.02
RATE = 0.5
"""How much of the error a mini-batch takes off; the same for any number of arrays, whose fastest counts gamma^N."""


class Toy:
    """Copies of ``min (w - w*)^2 / 2`` with gradient noise, one a row."""

    def __init__(self, n_arrays: int, seed: int = 0, **options: Any) -> None:
        data = mutable(named_document("chips", "baseline").data)
        perfect = {f"tile.{use}": {"is_perfect": True} for use in ("forward", "backward", "transfer")}
        sizes = {"tile.rows": COPIES, "tile.cols": 1, "tiles": 1, "tile.arrays": n_arrays}
        for path, value in {**sizes, **perfect}.items():
            assign(data, path, mutable(value))
        device = load_device(
            "soft_bounds", dw_min=DW, dw_min_dtod=0.0, dw_min_std=0.0, up_down_dtod=0.0, w_max=1.0, w_min=-1.0,
            w_max_dtod=0.0, w_min_dtod=0.0,
        )  # fmt: skip
        self.chip = Chip(build(ChipSpec, Document(data)), device, timing=False, seed=seed)
        name, given = "analog-sgd", {}
        if n_arrays > 1:
            every = [100.0 * 4**k for k in range(n_arrays - 1)]
            name = "multi-tile"
            given = {"n_arrays": n_arrays, "gamma": GAMMA, "units_in_mbatch": False, "transfer_every_vec": every,
                     "transfer_lr_vec": [0.05] * (n_arrays - 1), **options}  # fmt: skip
        parameters = build(ALGORITHMS.get(name).Parameters, Document(mutable(given)))
        self.algorithm: Any = ALGORITHMS.get(name)(parameters, self.chip, seed)
        self.rng = np.random.default_rng(seed)
        self.target = self.rng.uniform(-0.6, 0.6, (COPIES, 1)).astype(np.float32)
        self.matrix: Any = self.algorithm.place("w", np.zeros((COPIES, 1), np.float32))
        self.chip.finish_placement()
        self.lr = RATE / BATCH / GAMMA ** (n_arrays - 1)

    def train(self, batches: int) -> np.ndarray:
        """Return the mean squared error before each mini-batch."""
        x = np.ones((BATCH, 1), np.float32)
        errors = np.empty(batches)
        for turn in range(batches):
            error = self.matrix.weights() - self.target
            errors[turn] = (error**2).mean()
            d = error.T + self.rng.normal(0, SIGMA, (BATCH, COPIES))
            self.chip.run(self.algorithm.update(self.matrix, x, d.astype(np.float32), self.lr))
        return errors


@pytest.fixture(scope="module")
def asymptotic() -> list[float]:
    """Return the mean squared error of 1 to 4 arrays once it falls no more."""
    return [float(Toy(n).train(6000)[3000:].mean()) for n in (1, 2, 3, 4)]


def test_the_error_falls_with_each_array_at_the_rate_of_the_bound(asymptotic) -> None:
    ratios = np.array(asymptotic[1:]) / np.array(asymptotic[:-1])
    assert (ratios < GAMMA ** (2 / 3)).all()


def test_four_arrays_resolve_what_no_state_of_one_array_can_hold(asymptotic) -> None:
    """Rounded to the nearest of its states a weight is off by dw_min^2 / 12; training on one array leaves more."""
    assert asymptotic[0] > DW**2 / 12
    assert asymptotic[3] < 0.25 * DW**2 / 12


def test_warm_start_gets_there_sooner() -> None:
    """Algorithm 1: at each plateau of the loss the next array is filled, the most significant first.

    A chain from the fastest array up needs the time scales of all of its transfers for that.
    """

    def after(epochs: int, **options: Any) -> tuple[float, Any]:
        toy = Toy(4, **options)
        loss = np.inf
        for _ in range(epochs):
            loss = float(toy.train(100).mean())
            toy.algorithm.end_epoch(loss)
        return loss, toy.algorithm

    cold, _ = after(4)
    warm, algorithm = after(4, warm_start=True)
    assert warm < 0.2 * cold
    assert algorithm.warmed < 3
    settled, algorithm = after(20, warm_start=True)
    assert algorithm.warmed == 3
    assert settled < 1e-3
