"""Training algorithms by name. Each is one file that emits operations; what it costs is what it emits."""

from hwsim.training.algorithms import analog_sgd, digital_sgd, residual_v2, tiki_taka, ttv2
from hwsim.training.algorithms.base import ALGORITHMS, Algorithm, AlgorithmParameters

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "AlgorithmParameters",
    "analog_sgd",
    "digital_sgd",
    "residual_v2",
    "tiki_taka",
    "ttv2",
]
