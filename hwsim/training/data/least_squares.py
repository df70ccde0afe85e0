"""The linear least-squares problem of Wu et al., "Towards Exact Gradient-based Training on Analog In-memory Computing"
(NeurIPS 2024), Figs. 1 and 3, drawn from a seed."""

from __future__ import annotations

import numpy as np

from hwsim.spec.training import DataSpec
from hwsim.training.data.dataset import Samples
from hwsim.training.streams import generator


def draw_least_squares(spec: DataSpec, seed: int) -> tuple[Samples, Samples]:
    """Draw rows of A ~ N(0, sigma_a^2), w* ~ N(0, sigma_w^2) and targets A w* + offset + N(0, label_noise^2).

    Training and held-out rows share w*.
    """
    solution = generator(seed, "least-squares/solution").normal(0.0, spec.sigma_w, (spec.dimensions, 1))
    return _rows(spec, solution, "train", spec.rows, seed), _rows(spec, solution, "test", spec.test_rows, seed)


def _rows(spec: DataSpec, solution: np.ndarray, part: str, n_rows: int, seed: int) -> Samples:
    a = generator(seed, f"least-squares/rows/{part}").normal(0.0, spec.sigma_a, (n_rows, spec.dimensions))
    noise = generator(seed, f"least-squares/noise/{part}").normal(0.0, 1.0, (n_rows, 1))
    return Samples(a, a @ solution + spec.offset + spec.label_noise * noise)
