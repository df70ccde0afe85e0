"""Unit cells of n equal devices whose weighted sum is the weight; a policy chooses the devices of an update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.devices.plan import TrainPlan
from hwsim.devices.results import Region, UpdateResult
from hwsim.devices.unit_cell import F32, UnitCells
from hwsim.engine.rng import stream_key, uniforms
from hwsim.spec.device import DeviceSpec
from hwsim.spec.unit_cell import VectorCell


class VectorCells(UnitCells):
    """Cells of n devices, ``w = sum_k gamma_k w_k``; source: AIHWKit ``VectorUnitCell``.

    With the policy ``all`` every device sees the same coincidences and adds its own noise. The ``single`` policies
    choose one device for each stream of updates (or each rank-1 update, ``choose_per``): the trains are the same, but
    only the lines of its plane fire.
    """

    def __init__(self, device: DeviceSpec, shape: tuple[int, int], **options: Any) -> None:
        assert isinstance(device.unit_cell, VectorCell)
        self._cell = device.unit_cell
        self._turn = 0
        super().__init__(device, shape, gains=self._cell.gains, references=True, **options)

    @property
    def granularity(self) -> float:
        """Mean weight change of one pulse on a device: of the device itself, unless ``gains_in_granularity``."""
        step = super().granularity
        if not self._cell.gains_in_granularity:
            return step
        policy = self._cell.update_policy
        if policy == "single_fixed":
            return step * self.gains[self._cell.first_update_idx]
        return step * sum(self.gains) / (1 if policy == "all" else len(self.gains))

    def set_weights(self, w: ArrayLike) -> None:
        """Write weights (rows, cols) or one number: every device gets the same value, w / sum(gamma).

        Raises:
            DataError: wrong shape, NaN or infinity.
        """
        values = self._values(w) / np.float32(sum(self.gains))
        for device in self.devices:
            device.set_weights(values)

    def pulse(self, polarity: int | ArrayLike, probe: Region | None = None) -> UpdateResult:
        """Give the devices that the policy chooses one pulse: +1 up, -1 down, 0 none; one number or (rows, cols).

        Raises:
            DataError: wrong shape or other values.
        """
        chosen = self._choose(1)[:, 0]
        parts = [
            device.pulse(polarity if used else 0, probe) for device, used in zip(self.devices, chosen, strict=True)
        ]
        return UpdateResult.together(parts[0].bl, parts[0].slots, parts)

    def _choose(self, n: int) -> NDArray[np.bool_]:
        """Return which devices each of the next ``n`` rank-1 updates pulses, (devices, n)."""
        count, policy = len(self.devices), self._cell.update_policy
        if policy == "all":
            return np.ones((count, n), bool)
        per_vector = self._cell.choose_per == "vector"
        turns = n if per_vector else min(n, 1)
        if policy == "single_random":
            drawn = uniforms(stream_key(self.seed, self.path, "update.policy"), self._turn, turns)
            index = (drawn * count).astype(np.int64)
        else:
            index = np.full(turns, self._cell.first_update_idx)
            if policy == "single_sequential":
                index = (index + self._turn + np.arange(turns)) % count
        self._turn += turns
        return np.arange(count)[:, None] == (index if per_vector else np.repeat(index, n))

    def _apply(self, x: F32, d: F32, plan: TrainPlan, probe: Region | None) -> list[UpdateResult]:
        parts = []
        for device, chosen in zip(self.devices, self._choose(len(x)), strict=True):
            if plan.params.pulse_type == "none_with_device":
                subset = replace(
                    plan, bl=plan.bl[chosen], col_gain=plan.col_gain[chosen], row_gain=plan.row_gain[chosen]
                )
                device.apply_trains(x[chosen], d[chosen], subset)
                parts.append(device.without_pulses(plan, logged=probe is not None))
            else:
                # Every plane counts every update, so that all of them have the trains of the same ordinals.
                own = replace(plan, bl=np.where(chosen, plan.bl, 0).astype(np.int32))
                parts.append(device.apply_trains(x, d, own, probe))
        return parts

    def state(self) -> dict[str, Any]:
        """Return all that changes."""
        return {**super().state(), "turn": self._turn}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned, bit for bit.

        Raises:
            DataError: the state is of cells of another shape or kind.
        """
        super().restore(state)
        self._turn = int(state["turn"])
