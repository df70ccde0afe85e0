"""A first-come-first-served station in SimPy: what every shared component queues at."""

from __future__ import annotations

from hwsim._kernels.station import Station
from hwsim._kernels.way import Stream, present

__all__ = ["Station", "Stream", "present"]
