"""Training algorithms by name. Each is one file that emits operations; what it costs is what it emits."""

from hwsim.training.algorithms import (
    agad,
    analog_sgd,
    c_ttv2,
    digital_sgd,
    mixed_precision,
    multi_tile,
    residual_v2,
    smooth_sgd,
    tiki_taka,
    ttv2,
)
from hwsim.training.algorithms.base import ALGORITHMS, Algorithm, AlgorithmParameters

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "AlgorithmParameters",
    "agad",
    "analog_sgd",
    "c_ttv2",
    "digital_sgd",
    "mixed_precision",
    "multi_tile",
    "residual_v2",
    "smooth_sgd",
    "tiki_taka",
    "ttv2",
]
