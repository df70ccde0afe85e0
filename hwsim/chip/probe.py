"""Probes: the regions of tiles whose pulses are logged one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwsim.errors import UsageError

_RANGE = re.compile(r"^(\d+)(?:-(\d+))?$")


@dataclass(frozen=True)
class Probe:
    """A region of one tile: half-open ranges of rows and columns; None stands for all."""

    tile: int
    rows: tuple[int, int] | None = None
    cols: tuple[int, int] | None = None

    @classmethod
    def parse(cls, text: str) -> Probe:
        """Read ``TILE[:ROWS[:COLS]]``; ROWS and COLS are ``3``, ``0-15`` or ``*``.

        Raises:
            UsageError: the text is none of these.
        """
        tile, *ranges = text.split(":")
        if not tile.isdigit() or len(ranges) > 2:
            raise UsageError(f"cannot read the probe '{text}': expected TILE[:ROWS[:COLS]], such as 0, 0:3 or 0:0-15:*")
        bounds = [_bounds(part, text) for part in ranges] + [None, None]
        return cls(int(tile), bounds[0], bounds[1])


def _bounds(part: str, text: str) -> tuple[int, int] | None:
    if part == "*":
        return None
    match = _RANGE.match(part)
    if match is None:
        raise UsageError(f"cannot read '{part}' in the probe '{text}': expected a number, a range such as 0-15, or *")
    first = int(match.group(1))
    last = int(match.group(2) or first)
    if last < first:
        raise UsageError(f"the range '{part}' in the probe '{text}' ends before it starts")
    return first, last + 1


def probed_regions(probes: Sequence[Probe], shapes: Mapping[int, tuple[int, int]]) -> dict[int, tuple[slice, slice]]:
    """Return the region of each probed tile; ``shapes`` are the (rows, cols) of the tiles in use.

    Raises:
        UsageError: a probe lies outside of the tiles, or a tile is probed twice.
    """
    regions: dict[int, tuple[slice, slice]] = {}
    for probe in probes:
        if probe.tile not in shapes:
            known = f"tiles 0 to {len(shapes) - 1} are in use" if shapes else "no tile is in use by this algorithm"
            raise UsageError(f"cannot probe tile {probe.tile}: {known}")
        if probe.tile in regions:
            raise UsageError(f"tile {probe.tile} is probed twice; give one region a tile")
        slices = []
        for name, bounds, length in zip(("row", "column"), (probe.rows, probe.cols), shapes[probe.tile], strict=True):
            start, stop = bounds or (0, length)
            if stop > length:
                raise UsageError(
                    f"cannot probe {name} {stop - 1} of tile {probe.tile}: it uses {name}s 0 to {length - 1}"
                )
            slices.append(slice(start, stop))
        regions[probe.tile] = (slices[0], slices[1])
    return regions
