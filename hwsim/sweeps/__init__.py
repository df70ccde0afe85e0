"""Runs many variations of one training run and gathers their results."""

from hwsim.sweeps.execution import resume_sweep, sweep
from hwsim.sweeps.spec import SweepSpec, load_sweep

__all__ = ["SweepSpec", "load_sweep", "resume_sweep", "sweep"]
