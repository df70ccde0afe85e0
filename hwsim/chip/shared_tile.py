"""A block of a matrix that lives on a tile of another one."""

from __future__ import annotations

from typing import Any

from hwsim.chip.tile import Tile
from hwsim.components.base import Component
from hwsim.engine.station import Station


def move_in(guest: Tile, host: Tile) -> Tile:
    """Let ``guest`` use the hardware of ``host``: its converters, pulse generators and its queue; returns the guest.

    The two take turns, and what the guest does is booked on the host's components.
    """
    shared: dict[str, Any] = {name: part for name, part in vars(host).items() if isinstance(part, Component | Station)}
    vars(guest).update(shared)
    return guest
