"""Ways: the shared components that a stream passes one after the other, each a leg of it."""

from __future__ import annotations

from hwsim._kernels.traffic import Leg, travel

__all__ = ["Leg", "Way", "travel"]

Way = tuple[Leg, ...]
