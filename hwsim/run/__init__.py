"""Runs a training trace on a chip and writes the run folder."""

from hwsim.run.config import AlgorithmSpec, RunSpec, resolve
from hwsim.run.execution import resume, simulate

__all__ = ["AlgorithmSpec", "RunSpec", "resolve", "resume", "simulate"]
