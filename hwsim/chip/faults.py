"""The faults of a chip: which places have them, drawn from the seed or named, and what that means for each array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hwsim.chip.mapping import Block
from hwsim.devices.faults import ArrayFaults, LineFaults, ReadFaults, StuckDevices
from hwsim.engine.rng import normals, stream_key, uniforms
from hwsim.spec.chip import ChipSpec
from hwsim.spec.faults import ConverterError, DeadConverter, FaultSpec, MissedPulses, OpenLine, ShortedLine, StuckDevice

NAMED_PLACES = 16
"""Places of a fault that the summary names; all are counted."""
BOUNDS = {"upper": np.inf, "lower": -np.inf}


class Faults:
    """Draws the faults of the tiles of a chip as these come into use, and keeps count of them.

    A draw depends on the seed, the path of the part (``tile0.array1``, ``tile0.adc``) and the place of the fault in the
    description: neither on the order in which tiles are used, nor on other faults.
    """

    def __init__(self, spec: ChipSpec, seed: int, planes: int) -> None:
        self._spec = spec
        self._seed = seed
        self._planes = planes
        self._shape = (spec.tile.rows, spec.tile.cols)
        self._counts = {name: count for name, (_, count) in spec.tile.placements().items()}
        self._found: dict[tuple[int, str], np.ndarray] = {}

    def of_array(self, block: Block, array: int) -> ArrayFaults | None:
        """Return the faults of one array that holds ``block``; None if its chip has none anywhere."""
        if not self._spec.faults:
            return None
        return ArrayFaults(
            tuple(self._stuck(block, array, plane) for plane in range(self._planes)),
            self._lines(block, array, "row"),
            self._lines(block, array, "column"),
            self._reads(block, transposed=False),
            self._reads(block, transposed=True),
        )

    def report(self) -> list[dict[str, Any]]:
        """Return how many faults there are in the tiles in use, by fault and part, with the first places of each."""
        return [
            {
                "fault": self._spec.faults[index].fault,
                "where": part,
                "count": len(places),
                "places": places[:NAMED_PLACES].tolist(),
            }
            for (index, part), places in sorted(self._found.items())
        ]

    # Places

    def _hit(self, index: int, fault: FaultSpec, tile: int, path: str, shape: tuple[int, ...]) -> np.ndarray:
        """Return which places of a part have a fault, a mask of the shape of the part in a whole tile."""
        if fault.rate is not None:
            key = stream_key(self._seed, path, f"fault.{index}")
            return uniforms(key, 0, int(np.prod(shape))).reshape(shape) < fault.rate
        chosen = np.zeros(shape, bool)
        if fault.tile == tile:
            ranges = [getattr(fault, name) for name in ("rows", "cols", "lines", "numbers") if hasattr(fault, name)]
            chosen[tuple(slice(*(part or (None, None))) for part in ranges)] = True
        return chosen

    def _note(self, index: int, part: str, places: np.ndarray, first: Sequence[int]) -> None:
        found = np.argwhere(places) + np.asarray(first)
        if len(found):
            known = self._found.get((index, part), found)
            self._found[index, part] = np.unique(np.concatenate([known, found]), axis=0)

    def _each(self, *kinds: type[FaultSpec]) -> list[tuple[int, Any]]:
        return [(index, fault) for index, fault in enumerate(self._spec.faults) if isinstance(fault, kinds)]

    # Parts

    def _stuck(self, block: Block, array: int, plane: int) -> StuckDevices | None:
        path = f"tile{block.tile}.array{array}" + (f".device{plane}" if self._planes > 1 else "")
        chosen, weight = np.zeros(block.shape, bool), np.zeros(block.shape)
        for index, fault in self._each(StuckDevice):
            if fault.array not in (None, array) or fault.device not in (None, plane):
                continue
            hit = self._hit(index, fault, block.tile, path, self._shape)[_cells(block)]
            weight[hit] = BOUNDS[fault.at] if isinstance(fault.at, str) else fault.at
            chosen |= hit
            self._note(index, path, hit, (block.first_row, block.first_col))
        return StuckDevices(chosen, weight) if chosen.any() else None

    def _lines(self, block: Block, array: int, side: str) -> LineFaults | None:
        n, lines = self._side(block, side)
        path = f"tile{block.tile}.array{array}"
        is_open, touches, missed = np.zeros(n, bool), np.zeros(n, bool), np.zeros(n)
        for index, fault in self._each(OpenLine, ShortedLine, MissedPulses):
            generator = isinstance(fault, MissedPulses)
            if fault.side != side or (not generator and fault.array not in (None, array)):
                continue
            part = f"tile{block.tile}.{'row' if side == 'row' else 'col'}_pulser" if generator else f"{path}.{side}s"
            hit = self._hit(index, fault, block.tile, part, (n,))
            if generator:
                missed = np.where(hit, 1 - (1 - missed) * (1 - fault.probability), missed)
            elif isinstance(fault, ShortedLine):
                hit[-1] = False  # the last line has no next one
                touches |= hit
            else:
                is_open |= hit
            self._note(index, part, hit[lines], (lines.start,))
        found = LineFaults.of(is_open[lines], touches[lines], missed[lines])
        return found if found.open.any() or found.groups or found.missed.any() else None

    def _side(self, block: Block, side: str) -> tuple[int, slice]:
        """Return the lines of a side of a tile, and those of them that a block uses."""
        rows, cols = _cells(block)
        return (self._shape[0], rows) if side == "row" else (self._shape[1], cols)

    def _reads(self, block: Block, *, transposed: bool) -> ReadFaults | None:
        (n_in, lines_in), (n_out, lines_out) = (
            self._side(block, side) for side in (("row", "column") if transposed else ("column", "row"))
        )
        gains = {"in": np.ones(n_in), "out": np.ones(n_out)}
        offsets = {"in": np.zeros(n_in), "out": np.zeros(n_out)}
        dead = np.zeros(n_out, bool)
        found = False
        for index, fault in self._each(ConverterError, DeadConverter):
            if fault.part == ("col_dac" if transposed else "row_dac"):
                continue
            way, n, lines = ("in", n_in, lines_in) if "dac" in fault.part else ("out", n_out, lines_out)
            part = f"tile{block.tile}.{fault.part}"
            count = self._counts[fault.part]
            hit = self._hit(index, fault, block.tile, part, (count,))
            mine = np.arange(n) % count  # line i goes to converter i modulo their number
            used = np.zeros(count, bool)
            used[mine[lines]] = True
            self._note(index, part, hit & used, (0,))
            found |= bool((hit & used).any())
            if isinstance(fault, DeadConverter):
                gains[way] = np.where(hit[mine], 0.0, gains[way])
                offsets[way] = np.where(hit[mine], 0.0, offsets[way])
                dead |= hit[mine] if way == "out" else False
                continue
            gain, offset = self._errors(index, fault, part, count)
            gains[way] = gains[way] * np.where(hit, 1 + gain, 1.0)[mine]
            offsets[way] = offsets[way] * np.where(hit, 1 + gain, 1.0)[mine] + np.where(hit, offset, 0.0)[mine]
        if not found:
            return None
        single = np.float32
        return ReadFaults(
            gains["in"][lines_in].astype(single), offsets["in"][lines_in].astype(single),
            gains["out"][lines_out].astype(single), offsets["out"][lines_out].astype(single), dead[lines_out],
        )  # fmt: skip

    def _errors(self, index: int, fault: ConverterError, part: str, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the errors of gain and offset of every converter of a rank."""
        z = [normals(stream_key(self._seed, part, f"fault.{index}.{name}"), 0, count) for name in ("gain", "offset")]
        return fault.gain + fault.gain_std * z[0], fault.offset + fault.offset_std * z[1]


def _cells(block: Block) -> tuple[slice, slice]:
    """Return the rows and columns of its tile that a block uses."""
    rows, cols = block.shape
    return slice(block.first_row, block.first_row + rows), slice(block.first_col, block.first_col + cols)
