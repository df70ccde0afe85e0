"""Reproduces published experiments: runs them, holds them against what was published, draws them."""

from hwsim.reproduce.experiment import Reproduction, reproduce
from hwsim.reproduce.plan import Options, load_experiment

__all__ = ["Options", "Reproduction", "load_experiment", "reproduce"]
