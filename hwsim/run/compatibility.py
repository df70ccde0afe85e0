"""Whether the descriptions of a run fit each other."""

from __future__ import annotations

from collections.abc import Iterator

from hwsim.devices import device_document
from hwsim.errors import Problem, SpecError, UsageError
from hwsim.spec.analog import UpdateParameters
from hwsim.spec.base import Spec
from hwsim.spec.chip import ChipSpec
from hwsim.spec.device import DeviceSpec
from hwsim.spec.faults import StuckDevice
from hwsim.spec.load import Document

WITH_CHANCE = ("stochastic_compressed", "stochastic")
"""Pulse schemes whose trains are random words."""


def check_default_device(chip: ChipSpec, document: Document) -> ChipSpec:
    """Return the chip, whose own device must exist, even where a run names another one.

    Raises:
        SpecError: there is no such device.
    """
    try:
        device_document(chip.device)
    except UsageError as error:
        raise SpecError([Problem(str(error), "device", document.file, document.line(("device",)))]) from None
    return chip


def pulse_scheme_problems(chip: ChipSpec, device: DeviceSpec, algorithm: Spec) -> list[Problem]:
    """Return where random pulse trains are asked of generators that have no random words."""
    tile = chip.tile
    counters = [name for name in ("row_pulser", "col_pulser") if getattr(tile, name).kind == "deterministic"]
    if not counters:
        return []
    found = [*_updates(algorithm, "algorithm"), *_updates(device.unit_cell, "device.unit_cell")]
    return [
        Problem(
            f"pulse_type {update.pulse_type} needs random words, but tile.{counters[0]} of chip '{chip.name}' is "
            "deterministic; use pulse_type mean_count or deterministic_implicit, or another kind of generator",
            f"{path}.pulse_type",
        )
        for path, update in found
        if update.pulse_type in WITH_CHANCE
    ]


def fault_problems(chip: ChipSpec, device: DeviceSpec, fidelity: str) -> list[Problem]:
    """Return where faults of a chip name what there is not, or need devices where none are kept."""
    if chip.faults and fidelity == "activity":
        return [
            Problem(
                "activity fidelity keeps no devices and no data, which faults would change: use fidelity device, or "
                "leave the faults out (chip.faults=[])",
                "chip.faults",
            )
        ]
    n = device.unit_cell.n_devices
    return [
        Problem(
            f"a unit cell of '{device.name}' has devices 0 to {n - 1}, got {fault.device}",
            f"chip.faults.{index}.device",
        )
        for index, fault in enumerate(chip.faults)
        if isinstance(fault, StuckDevice) and fault.device is not None and fault.device >= n
    ]


def _updates(spec: Spec, at: str) -> Iterator[tuple[str, UpdateParameters]]:
    """Yield every set of update parameters inside a description, with its path."""
    for name in type(spec).model_fields:
        value = getattr(spec, name)
        if isinstance(value, UpdateParameters):
            yield f"{at}.{name}", value
        elif isinstance(value, Spec):
            yield from _updates(value, f"{at}.{name}")
