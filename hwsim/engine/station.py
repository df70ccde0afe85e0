"""A first-come-first-served station in SimPy: what every shared component queues at."""

from __future__ import annotations

from typing import NamedTuple

from hwsim._kernels.traffic import Station

__all__ = ["Station", "Stream"]


class Stream(NamedTuple):
    """``n`` vectors that arrive evenly between ``first`` and ``last`` (ps)."""

    n: int
    first: int
    last: int
