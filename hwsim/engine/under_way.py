"""The operations under way: whose time it is, where they come from, and how many of each kind there are."""

from __future__ import annotations

from hwsim._kernels.traffic import Kind, Level, UnderWay

__all__ = ["Kind", "Level", "UnderWay"]
