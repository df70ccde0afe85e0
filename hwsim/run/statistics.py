"""The statistics of a run in the manner of gem5: ``path value # description (unit)`` for everything that is counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hwsim.chip.chip import Chip
from hwsim.chip.tile import Tile
from hwsim.components.base import Component, SharedComponent
from hwsim.components.channel import Channel
from hwsim.components.memory import Buffer
from hwsim.engine.ledger import Work
from hwsim.engine.station import Station

Row = tuple[str, float, str, str]
"""Path, value, description and unit."""
SECONDS = 1e-12


def statistics(chip: Chip, summary: dict[str, Any]) -> list[Row]:
    """Return every statistic of a finished run; those of time and energy are left out of a run without timing."""
    rows = [("chip.area", summary["area_m2"], "area of all tiles and shared components", "m^2")]
    rows.append(("chip.leakage", summary["leakage_W"], "static power with every tile powered on", "W"))
    rows += _cells(chip)
    rows += [(f"chip.counts.{name}", float(n), "how often it happened", "1") for name, n in summary["counts"].items()]
    if summary["timing"]:
        rows += _totals(summary)
        elapsed = chip.env.now
        work = chip.ledger.work()
        for shared in chip.shared_components:
            done = work.get(shared.name, Work())
            rows += _times(shared, done, elapsed, shared.station)
            rows += _queue(shared.name, shared.station, elapsed)
            rows += _bytes_moved(shared, done)
        for memory in chip.memories:
            rows += _room(memory)
        cells = chip.cells_by_tile
        for tile in chip.tiles:
            rows += _tile(tile, work, elapsed, cells[tile.index])
        rows += _actions(chip, summary)
    return rows


def statistics_text(rows: list[Row]) -> str:
    """Return statistics as text: one ``path value # description (unit)`` a line."""
    lines = [f"{path:<48} {value:>22.12g}  # {text} ({unit})" for path, value, text, unit in rows]
    return "\n".join(
        [
            "---------- Begin Simulation Statistics ----------",
            *lines,
            "---------- End Simulation Statistics   ----------",
            "",
        ]
    )


def _cells(chip: Chip) -> Iterator[Row]:
    yield "chip.tiles_used", float(len(chip.tiles)), "tiles that hold a matrix", "1"
    yield "chip.cells_used", float(chip.cells_used), "cells that hold a weight", "1"
    yield "chip.cell_utilization", chip.cell_utilization, "part of the used tiles' cells that hold one", "1"


def _totals(summary: dict[str, Any]) -> Iterator[Row]:
    yield "chip.latency", summary["latency_s"], "simulated time of the run", "s"
    yield "chip.energy", summary["energy_J"], "energy of the run, leakage included", "J"
    yield "chip.power", summary["energy_J"] / summary["latency_s"] if summary["latency_s"] else 0.0, "mean power", "W"
    for part in ("phase", "layer", "tile"):
        for name, energy in summary[f"energy_by_{part}"].items():
            yield f"{part}.{name or 'none'}.energy", energy, f"energy of the {part}", "J"
    for part in ("phase", "layer"):
        for name, time in summary[f"latency_by_{part}"].items():
            yield f"{part}.{name or 'none'}.latency", time, f"share of the {part} in the time of the run", "s"


def _times(part: Component, done: Work, elapsed: int, station: Station) -> Iterator[Row]:
    """Work, waiting for others while taken, and rest: together the time of the run, as a mean over equal servers."""
    held, busy = station.held / station.capacity, done.busy / station.capacity
    yield f"{part.name}.busy", busy * SECONDS, "time that it worked", "s"
    yield f"{part.name}.stalled", (held - busy) * SECONDS, "time that it was taken but waited for other parts", "s"
    yield f"{part.name}.idle", (elapsed - held) * SECONDS, "time that nothing asked for it", "s"
    yield f"{part.name}.utilization", busy / elapsed if elapsed else 0.0, "part of the time that it worked", "1"


def _queue(name: str, station: Station, elapsed: int) -> Iterator[Row]:
    yield f"{name}.requests", float(station.arrivals), "operations that asked for it", "1"
    yield f"{name}.waiting", station.wait_time * SECONDS, "time that operations waited for it, added up", "s"
    mean = station.wait_time / elapsed if elapsed else 0.0
    yield f"{name}.mean_queue", mean, "operations waiting, averaged over time", "1"
    yield f"{name}.longest_queue", float(station.longest_queue), "most operations waiting at the same time", "1"


def _bytes_moved(part: SharedComponent, done: Work) -> Iterator[Row]:
    if isinstance(part, Channel | Buffer):
        words = sum(count for action, count in done.counts.items() if action != "leak")
        yield f"{part.name}.bytes_moved", float(words * part.word_bytes), "bytes of whole words moved", "B"


def _room(buffer: Buffer) -> Iterator[Row]:
    room = buffer.room
    yield f"{buffer.name}.capacity", float(room.capacity), "bytes it can hold", "B"
    yield f"{buffer.name}.mean_occupancy", room.mean(), "bytes in use, averaged over time", "B"
    yield f"{buffer.name}.peak_occupancy", float(room.peak), "most bytes in use", "B"
    yield f"{buffer.name}.kept", float(buffer.allocated_bytes), "bytes that stay for the whole run", "B"
    yield f"{buffer.name}.final_occupancy", float(room.used), "bytes in use at the end", "B"
    yield f"{buffer.name}.full_waits", float(room.waits), "claims that found it too full", "1"
    yield f"{buffer.name}.full_waiting", room.wait_time * SECONDS, "time that claims waited for room, added up", "s"


def _tile(tile: Tile, work: dict[str, Work], elapsed: int, cells: int) -> Iterator[Row]:
    yield from _queue(f"tile{tile.index}", tile.station, elapsed)
    spec = tile.spec
    used = cells / (spec.rows * spec.cols * spec.arrays)
    yield f"tile{tile.index}.cell_utilization", used, "part of its cells that hold a weight", "1"
    for part in tile.components:
        yield from _times(part, work.get(part.name, Work()), elapsed, tile.station)


def _actions(chip: Chip, summary: dict[str, Any]) -> Iterator[Row]:
    for name, energy in summary["energy_by_component"].items():
        yield f"{name}.energy", energy, "energy, leakage included", "J"
    counts: dict[tuple[str, str], float] = {}
    for total in chip.ledger.totals():
        key = (total.component, total.action)
        counts[key] = counts.get(key, 0.0) + total.count
    for (component, action), count in sorted(counts.items()):
        if action != "leak":
            yield f"{component}.actions.{action}", count, "how often it did that", "1"
