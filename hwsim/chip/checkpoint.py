"""The state of a whole chip between two steps of a training, to be taken up by a chip that is built the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwsim.chip.chip import Chip
from hwsim.engine.station import Station


def stations(chip: Chip) -> list[Station]:
    """Return every queue of a chip: those of the shared components, then those of the tiles."""
    return [part.station for part in chip.shared_components] + [tile.station for tile in chip.tiles]


def chip_state(chip: Chip) -> dict[str, Any]:
    """Return all that changes while a chip runs; no operation may be under way."""
    return {
        "now": chip.env.now,
        "gauges": chip.env.gauges.state(),
        "ledger": chip.ledger.state(),
        "links": chip.interconnect.state(),
        "stations": [station.state() for station in stations(chip)],
        "rooms": [memory.room.state() for memory in chip.memories],
        "runner": chip.runner.state(),
        "matrices": {name: matrix.state() for name, matrix in chip.matrices.items()},
        "counts": dict(chip.counts),
        "recorder": chip.recorder.checkpoint(),
        "lines": chip.lines.state(),
        "pulse_book": None if chip.pulse_book is None else chip.pulse_book.state(),
        "expected": chip.expected_state(),
    }


def restore_chip(chip: Chip, state: Mapping[str, Any]) -> None:
    """Bring a chip that has been built but has not run into a state of :func:`chip_state`, bit for bit.

    Raises:
        DataError: the state is of a chip with other matrices.
    """
    chip.env.start_at(int(state["now"]))
    chip.env.gauges.restore(state["gauges"])
    chip.ledger.restore(state["ledger"])
    chip.interconnect.restore(state["links"])
    for station, part in zip(stations(chip), state["stations"], strict=True):
        station.restore(part)
    for memory, part in zip(chip.memories, state["rooms"], strict=True):
        memory.room.restore(part)
    chip.runner.restore(state["runner"])
    for name, matrix in chip.matrices.items():
        matrix.restore(state["matrices"][name])
    chip.counts.update({name: int(count) for name, count in state["counts"].items()})
    chip.recorder.restore(state["recorder"])
    chip.lines.restore(state["lines"])
    if chip.pulse_book is not None:
        chip.pulse_book.restore(state["pulse_book"])
    chip.restore_expected(state["expected"])
