"""Descriptions of a unit cell: the devices that make one weight, and which of them an update pulses."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from hwsim.spec.analog import IOParameters, UpdateParameters
from hwsim.spec.base import Spec

UpdatePolicy = Literal["all", "single_fixed", "single_sequential", "single_random"]


class UnitCellSpec(Spec):
    """Base of the kinds of unit cells."""

    kind: str

    @property
    def n_devices(self) -> int:
        """Devices in one cell."""
        return 1

    @property
    def needs_reference(self) -> bool:
        """Whether each device is compared with a reference cell; pairs that subtract are not."""
        return True


class SingleCell(UnitCellSpec):
    """One device makes one weight."""

    kind: Literal["single"] = "single"


class VectorCell(UnitCellSpec):
    """Several equal devices make one weight, ``w = sum_k gamma_k w_k``.

    Source: AIHWKit ``VectorUnitCell``; multi-memristive synapses of Boybat et al., Nat. Commun. 9:2514 (2018).
    """

    kind: Literal["vector"] = "vector"
    devices: int = Field(2, ge=1, le=64)
    """Devices in one cell."""
    gamma_vec: tuple[float, ...] = ()
    """Gain of each device in a read; empty: 1/n each."""
    update_policy: UpdatePolicy = "all"
    """Which devices an update pulses: ``all`` with the same coincidences, ``single_fixed`` always the first one,
    ``single_sequential`` one after the other, ``single_random`` one at random."""
    first_update_idx: int = Field(0, ge=0)
    """Device that ``single_fixed`` pulses and ``single_sequential`` starts with."""
    choose_per: Literal["vector", "mini_batch"] = "mini_batch"
    """How long the choice of a ``single`` policy lasts: ``mini_batch``, one stream of rank-1 updates, as AIHWKit's
    documentation says; ``vector``, one rank-1 update, as it does on a CPU."""
    gains_in_granularity: bool = False
    """True: a pulse counts with the gain of its device in the planning of trains, so that w -= lr d x^T on average
    under every policy. False, as AIHWKit: a ``single`` policy learns with lr times the mean gain."""

    @model_validator(mode="after")
    def _check(self) -> VectorCell:
        if self.gamma_vec and len(self.gamma_vec) != self.devices:
            raise ValueError(f"gamma_vec must have one gain for each of the {self.devices} devices")
        if sum(self.gains) <= 0 or min(self.gains) < 0:
            raise ValueError("gamma_vec must not be negative and must have a positive sum; kind 'reference' subtracts")
        if self.first_update_idx >= self.devices:
            raise ValueError(f"first_update_idx must be below the number of devices, {self.devices}")
        return self

    @property
    def n_devices(self) -> int:
        """Devices in one cell."""
        return self.devices

    @property
    def gains(self) -> tuple[float, ...]:
        """Gain of each device in a read."""
        return self.gamma_vec or (1 / self.devices,) * self.devices


class ReferenceCell(UnitCellSpec):
    """A device and its reference, ``w = w_0 - w_1``: updates pulse device 0 only; the reference starts at 0.

    Source: AIHWKit ``ReferenceUnitCell``.
    """

    kind: Literal["reference"] = "reference"

    @property
    def n_devices(self) -> int:
        """Devices in one cell."""
        return 2

    @property
    def needs_reference(self) -> bool:
        """The devices of a pair are each other's reference."""
        return False


class OneSidedCell(UnitCellSpec):
    """A pair of devices that are only pulsed up, ``w = w_0 - w_1``: down coincidences go to device 1.

    A refresh resets pairs that have used up their range and writes back their difference. Source: AIHWKit
    ``OneSidedUnitCell``; Burr et al., IEEE T-ED 62(11):3498 (2015), occasional RESET of pairs.
    """

    kind: Literal["one_sided"] = "one_sided"
    copy_inverted: bool = False
    """True: device 1 is the mirror image of device 0, so its up pulses act as down pulses of device 0 do."""
    refresh_every: int = Field(0, ge=0)
    """Mini-batches (or rank-1 updates) between two refreshes; 0: never."""
    units_in_mbatch: bool = True
    """True: ``refresh_every`` counts mini-batches; False: rank-1 updates."""
    refresh_upper_thres: float = Field(0.75, ge=0, le=1)
    """A pair is refreshed if its larger weight is above this part of ``w_max`` ..."""
    refresh_lower_thres: float = Field(0.25, ge=0, le=1)
    """... and its smaller one above this part."""
    refresh_forward: IOParameters = IOParameters()
    """Converters of the one-hot reads of a refresh."""
    refresh_update: UpdateParameters = UpdateParameters()
    """How the pulse trains of the write-back are made."""

    @property
    def n_devices(self) -> int:
        """Devices in one cell."""
        return 2

    @property
    def needs_reference(self) -> bool:
        """The devices of a pair are each other's reference."""
        return False


UNIT_CELLS: dict[str, type[UnitCellSpec]] = {
    "single": SingleCell,
    "vector": VectorCell,
    "reference": ReferenceCell,
    "one_sided": OneSidedCell,
}
"""Every kind of unit cell by name."""
