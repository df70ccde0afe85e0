"""A first-come-first-served station in SimPy: what every shared component queues at."""

from __future__ import annotations

from hwsim._kernels.traffic import Station, Stream, present

__all__ = ["Station", "Stream", "present"]
