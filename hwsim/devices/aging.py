"""What time does to devices: retention decay, diffusion and drift, paid when a device is next touched or read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.devices.law import Draws, Floats, spread
from hwsim.engine.rng import normals, stream_key
from hwsim.spec.device import PulsedParameters

Index = Any
"""Index of the settled devices into a (rows, cols) array: slices or ``numpy.ix_``."""

WHOLE = (slice(None), slice(None))
FASTEST = 1e-30
"""Shortest lifetime in seconds; a device drawn below it forgets at once."""


class Aging:
    """The clock of one array, and what each of its devices has to pay for the time since it was last settled.

    ``targets`` are the weights to which decay leads, ``low`` and ``high`` the bounds.

    Decay and diffusion together are the Ornstein-Uhlenbeck process, whose law over a span of time is exact, so the cut
    of a span changes nothing but the random numbers. Diffusion is reflected at the bounds, the limit of clipping at
    every instant. Drift multiplies the distance to the weight of zero conductance by (t / t_0)^-nu, t the time since
    the device was written; the quotient of two times makes it independent of the cuts, too.
    Source: AIHWKit ``PulsedDevice`` (decay and diffusion, there once a mini-batch) and ``DriftParameter`` (after Oh et
    al., IEEE Trans. Electron Devices 66 (2019)), there on demand. Unlike there, drift leads to
    w_offset - g_offset wg_ratio, where the conductance is zero, and not to its mirror image for w_offset.
    """

    def __init__(self, p: PulsedParameters, draws: Draws, low: Floats, high: Floats, targets: Floats) -> None:
        drift = p.drift
        self._low, self._high, self._targets = low, high, targets
        lifetime = np.abs(spread(p.lifetime, p.lifetime_dtod * p.lifetime, draws, "lifetime"))
        self._rate = 1 / np.maximum(lifetime, FASTEST) if p.lifetime > 0 else None
        diffuses = p.diffusion > 0
        self._diffusion = (
            np.abs(spread(p.diffusion, p.diffusion_dtod * p.diffusion, draws, "diffusion")) if diffuses else None
        )
        self._nu = spread(drift.nu, drift.nu_dtod * drift.nu, draws, "drift_nu") if drift.active else None
        self._drift = drift
        self._zero = np.full(draws.shape, drift.w_offset - drift.g_offset * drift.wg_ratio)
        self.refer(np.zeros(draws.shape))
        self._key = stream_key(draws.seed, draws.path, "aging.diffusion")
        self._drawn = 0
        self._now = 0.0
        self._settled = True
        self._paid = np.zeros(draws.shape)
        self._written = np.zeros(draws.shape)
        self._start = np.zeros(draws.shape)
        # What float32 weights cannot hold: many short spans would round to nothing.
        self._carry = np.zeros(draws.shape)

    @property
    def drifts(self) -> bool:
        """Whether it matters when a device was written."""
        return self._nu is not None

    def elapse(self, seconds: float) -> None:
        """Let time pass; nobody pays yet."""
        self._now += seconds
        self._settled = self._settled and seconds == 0

    def settle(self, weight: NDArray[np.float32], index: Index = WHOLE) -> NDArray[np.float32] | None:
        """Bring the devices at ``index`` of ``weight`` (rows, cols) to the present.

        Returns the change of their weights, or None if there was nothing to pay.
        """
        if self._settled:
            return None
        paid = self._paid[index]
        elapsed = self._now - paid
        self._settled = index is WHOLE
        if not elapsed.size or not elapsed.any():
            return None
        before = weight[index]
        exact = self._evolved(before + self._carry[index], elapsed, paid, index)
        exact = np.minimum(np.maximum(exact, self.low[index]), self.high[index])
        after = exact.astype(np.float32)
        change = after - before
        weight[index] = after
        self._carry[index] = exact - after
        self._paid[index] = self._now
        return change

    def _evolved(self, w: Floats, elapsed: Floats, paid: Floats, index: Index) -> Floats:
        kept = np.ones_like(w)
        if self._rate is not None:
            kept = np.exp(-elapsed * self._rate[index])
            w = self.targets[index] + (w - self.targets[index]) * kept
        if self._diffusion is not None:
            variance = elapsed
            if self._rate is not None:
                variance = -np.expm1(-2 * elapsed * self._rate[index]) / (2 * self._rate[index])
            draw = normals(self._key, self._drawn, w.size).reshape(w.shape)
            self._drawn += w.size
            moved = w + self._diffusion[index] * np.sqrt(variance) * draw
            w = _reflected(moved, self.low[index], self.high[index])
        if self._nu is not None:
            t_0, written = self._drift.t_0, self._written[index]
            growth = np.maximum((self._now - written) / t_0, 1.0) / np.maximum((paid - written) / t_0, 1.0)
            # Cut where any weight is long at its bound.
            exponent = np.clip(-self._exponents(index) * np.log(growth), -700.0, 60.0)
            w = self.zero[index] + (w - self.zero[index]) * np.exp(exponent)
        return w

    def _exponents(self, index: Index) -> Floats:
        """Return nu of each device; with ``nu_k`` it depends on the conductance as written (none: no drift)."""
        drift = self._drift
        assert self._nu is not None
        if drift.nu_k == 0:
            return self._nu[index]
        conductance = (self._start[index] - drift.w_offset) / drift.wg_ratio + drift.g_offset
        conducts = conductance > 0
        logarithm = np.log(np.where(conducts, conductance, 1.0))
        return np.where(conducts, self._nu[index] - drift.nu_k * (logarithm - drift.log_g0), 0.0)

    def write(self, weight: NDArray[np.float32], devices: Any = WHOLE) -> None:
        """Note that ``devices`` (an index or mask) have just been written: they owe nothing and their drift starts."""
        self._paid[devices] = self._now
        self._written[devices] = self._now
        self._start[devices] = weight[devices] + self._reference[devices]
        self._carry[devices] = 0.0
        if devices is WHOLE:
            self._settled = True

    def pulsed(self, before: NDArray[np.float32], weight: NDArray[np.float32]) -> None:
        """Restart the drift of every device that pulses have changed by more than ``reset_tol``."""
        moved = np.abs(weight - before) > self._drift.reset_tol
        self._written[moved] = self._now
        self._start[moved] = weight[moved] + self._reference[moved]

    def refer(self, reference: Floats) -> None:
        """Take weights as what remains after ``reference`` (rows, cols) has been subtracted."""
        self._reference = reference
        # Weights are cut where the kernel cuts them, in float32.
        self.low = (self._low - reference).astype(np.float32).astype(np.float64)
        self.high = (self._high - reference).astype(np.float32).astype(np.float64)
        self.targets, self.zero = self._targets - reference, self._zero - reference

    def state(self) -> dict[str, Any]:
        """Return the clock, what each device has paid, and the position of the random stream."""
        return {
            "now": self._now,
            "drawn": self._drawn,
            "paid": self._paid.copy(),
            "written": self._written.copy(),
            "start": self._start.copy(),
            "carry": self._carry.copy(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned."""
        self._now, self._drawn = float(state["now"]), int(state["drawn"])
        self._paid[:], self._written[:] = state["paid"], state["written"]
        self._start[:], self._carry[:] = state["start"], state["carry"]
        self._settled = bool((self._paid == self._now).all())


def _reflected(w: Floats, low: Floats, high: Floats) -> Floats:
    """Fold ``w`` back between its bounds; a device without room stays at its bound."""
    room = np.where(high > low, high - low, 1.0)
    phase = np.mod(w - low, 2 * room)
    folded = low + np.where(phase > room, 2 * room - phase, phase)
    # Folding costs the last bits of those that need none.
    inside = (w >= low) & (w <= high)
    return np.where(inside, w, np.where(high > low, folded, np.minimum(np.maximum(w, low), high)))
