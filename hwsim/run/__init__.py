"""Runs a training trace on a chip and writes the run folder."""

from hwsim.run.config import AlgorithmSpec, RunSpec, resolve
from hwsim.run.execution import resume, simulate
from hwsim.run.interrupt import RunInterrupted

__all__ = ["AlgorithmSpec", "RunInterrupted", "RunSpec", "resolve", "resume", "simulate"]
