"""The operations under way: whose time it is, where they come from, and how many of each kind there are; and those that
are played one after the other while nothing else is."""

from __future__ import annotations

from hwsim._kernels.player import LineReads, Player, Trains
from hwsim._kernels.under_way import Kind, Level, UnderWay

__all__ = ["Kind", "Level", "LineReads", "Player", "Trains", "UnderWay"]
