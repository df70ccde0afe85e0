"""hwsim: a cycle-level simulator of chips that train neural networks inside analog crossbar arrays."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("hwsim")

_LAZY = {
    "simulate": "hwsim.run",
    "resume": "hwsim.run",
    "RunInterrupted": "hwsim.errors",
    "resolve": "hwsim.run",
    "sweep": "hwsim.sweeps",
    "resume_sweep": "hwsim.sweeps",
    "Sweep": "hwsim.results.sweep",
    "open_run": "hwsim.results",
    "Run": "hwsim.results",
    "load_device": "hwsim.devices",
    "DeviceArray": "hwsim.devices",
    "make_cells": "hwsim.devices",
    "load_chip": "hwsim.spec.load",
    "load_trace": "hwsim.spec.load",
}

__all__ = [*_LAZY, "__version__"]


def __getattr__(name: str) -> Any:
    # Heavy modules are imported when they are used, so that the command line starts fast.
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'hwsim' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
