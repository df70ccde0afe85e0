"""Unit cells of two devices whose difference is the weight: a device with its reference, and a pair pulsed up only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hwsim.devices.array import DeviceArray
from hwsim.devices.float_update import Side
from hwsim.devices.plan import TrainPlan
from hwsim.devices.results import Region, UpdateResult
from hwsim.devices.unit_cell import F32, UnitCells
from hwsim.errors import DataError
from hwsim.spec.device import DeviceSpec
from hwsim.spec.unit_cell import OneSidedCell

DIFFERENCE = (1.0, -1.0)
SIDES: tuple[Side, Side] = ("up", "down")


class ReferenceCells(UnitCells):
    """Cells of a device and its reference, ``w = w_0 - w_1``; source: AIHWKit ``ReferenceUnitCell``.

    Updates and pulses reach device 0 only. The reference starts at 0 and keeps what ``program_reference`` writes.
    """

    def __init__(self, device: DeviceSpec, shape: tuple[int, int], **options: Any) -> None:
        super().__init__(device, shape, gains=DIFFERENCE, references=False, **options)

    def set_weights(self, w: ArrayLike) -> None:
        """Write weights (rows, cols) or one number into device 0, on top of the reference, which stays.

        Raises:
            DataError: wrong shape, NaN or infinity.
        """
        self.devices[0].set_weights(self._values(w) + self.devices[1].weights)

    def program_reference(self, w: ArrayLike) -> None:
        """Write (rows, cols) or one number into the references; the represented weights change by as much.

        Raises:
            DataError: wrong shape, NaN or infinity.
        """
        self.devices[1].set_weights(self._values(w))

    def pulse(self, polarity: int | ArrayLike, probe: Region | None = None) -> UpdateResult:
        """Give the devices 0 one pulse: +1 up, -1 down, 0 none; one number or an array (rows, cols).

        Raises:
            DataError: wrong shape or other values.
        """
        parts = [self.devices[0].pulse(polarity, probe), self.devices[1].pulse(0, probe)]
        return UpdateResult.together(parts[0].bl, parts[0].slots, parts)

    def _apply(self, x: F32, d: F32, plan: TrainPlan, probe: Region | None) -> list[UpdateResult]:
        device, reference = self.devices
        return [
            device.apply_trains(x, d, plan, probe),
            reference.without_pulses(plan, logged=probe is not None),
        ]


class OneSidedCells(UnitCells):
    """Cells of two devices that are only pulsed up, ``w = w_0 - w_1``; source: AIHWKit ``OneSidedUnitCell``.

    Up coincidences pulse device 0, down coincidences device 1; the lines of both fire with the same trains. The
    planning of trains counts a pulse as the law does, the mean of its up and down step, although only up steps occur.
    """

    def __init__(self, device: DeviceSpec, shape: tuple[int, int], **options: Any) -> None:
        assert isinstance(device.unit_cell, OneSidedCell)
        self._copy_inverted = device.unit_cell.copy_inverted
        super().__init__(device, shape, gains=DIFFERENCE, references=False, **options)

    def _plane(self, k: int, one: DeviceSpec, shape: tuple[int, int], **options: Any) -> DeviceArray:
        mirror_of = f"{self.path}.device0" if k == 1 and self._copy_inverted else None
        return DeviceArray(one, shape, mirror_of=mirror_of, **options)

    def set_weights(self, w: ArrayLike) -> None:
        """Write weights (rows, cols) or one number: positive ones into device 0, negative ones into device 1.

        Raises:
            DataError: wrong shape, NaN or infinity.
        """
        values = self._values(w)
        self.devices[0].set_weights(np.maximum(values, 0))
        self.devices[1].set_weights(np.maximum(-values, 0))

    def pulse(self, polarity: int | ArrayLike, probe: Region | None = None) -> UpdateResult:
        """Give one device of each cell an up pulse: +1 device 0, -1 device 1, 0 none; one number or (rows, cols).

        Raises:
            DataError: wrong shape or other values.
        """
        wanted = np.asarray(polarity)
        if wanted.dtype.kind not in "iu" or not np.isin(wanted, (-1, 0, 1)).all():
            raise DataError("polarities must be the integers -1, 0 or +1")
        parts = [
            device.pulse((wanted == sign).astype(np.int32), probe)
            for device, sign in zip(self.devices, (1, -1), strict=True)
        ]
        return UpdateResult.together(parts[0].bl, parts[0].slots, parts)

    def _apply(self, x: F32, d: F32, plan: TrainPlan, probe: Region | None) -> list[UpdateResult]:
        return [device.apply_trains(x, d, plan, probe, side) for device, side in zip(self.devices, SIDES, strict=True)]
