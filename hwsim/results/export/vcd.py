"""Waves of the probed tiles as a value change dump: lines of their arrays, busy components, state of the controller.

Each array (and each device of its unit cells) is a module with, for every probed line, a wire that is high while the
line is driven, and one that says whether the value on it is negative. ``up``, ``down`` and ``reset`` say what the slot
does: a device whose row and column are both high gets an up pulse if ``up`` is high and the signs differ, a down pulse
if ``down`` is high and the signs are equal, and is reset if ``reset`` is high.
"""

from __future__ import annotations

import heapq
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from hwsim.errors import ResultsError, UsageError
from hwsim.results import queries
from hwsim.results.export.rows import Reader, Selection
from hwsim.results.export.window import Window

if TYPE_CHECKING:
    from vcd.writer import Variable

    from hwsim.results.run import Run

TIMESCALE = "1 ps"
IDLE, QUEUE, CONTROLLER = "idle", "queue", "controller"
LINES = ("t_ps", "dur_ps", "tile", "array", "device", "axis", "line", "sign", "phase")
BUSY = ("t_ps", "dur_ps", "component")
GAUGES = ("t_ps", "component", "gauge", "value")
WITHOUT_TRAINS = ("mean_count", "deterministic_implicit")
"""Pulse types that count the pulses of a device without trains on its lines."""

Change = tuple[int, int, Any, Any]
"""Time (ps), a number that keeps the order of what happens at one time, wire, value."""


def write(run: Run, file: BinaryIO, window: Window, progress: Callable[[int, int], None]) -> None:
    """Write the waves of the probed tiles that lie in the window.

    Raises:
        ResultsError: the run kept no pulse log, or it is damaged.
        UsageError: its pulses do not come from trains on lines.
    """
    from vcd import VCDWriter
    from vcd.writer import VCDPhaseError

    queries.columns(run.path, "lines")  # refuses a run without by name
    _check_trains(run.config)
    asker = Reader(run.path, [], progress)
    tiles = tuple(tile for (tile,) in asker.ask("SELECT DISTINCT tile FROM lines ORDER BY 1"))
    if not tiles:
        raise ResultsError(f"no line of the probed regions of {run.path} has fired; probe another region")
    pulsed = [Selection("lines", LINES, window, reaching=True, tiles=(tile,)) for tile in tiles]
    busy = Selection("events", BUSY, window, reaching=True, tiles=tiles, lasting=True)
    changed = Selection("gauges", GAUGES, window)
    reader = Reader(run.path, [*pulsed, busy, changed], progress)
    text = io.TextIOWrapper(file, encoding="ascii", errors="replace", newline="\n")
    comment = f"hwsim run {run.path.resolve().name}"
    with VCDWriter(text, TIMESCALE, date="", comment=comment, init_timestamp=window.start) as writer:
        waves = _Waves(writer, reader, tiles)
        changes = [
            *(waves.lines(reader.rows(chosen)) for chosen in pulsed),
            waves.busy(reader.rows(busy)),
            waves.gauges([(window.start, *level[:3]) for level in reader.levels_before(window.start)]),
            waves.gauges(reader.rows(changed)),
        ]
        for time, _, wire, value in heapq.merge(*changes, key=lambda change: change[:2]):
            if window.end is not None and time > window.end:
                break
            try:
                writer.change(wire, max(time, window.start), value)
            except VCDPhaseError:
                raise ResultsError(f"a log of {run.path} is damaged: its rows are not in order of time") from None
    text.flush()
    text.detach()


def _check_trains(config: Mapping[str, Any]) -> None:
    for kind in _pulse_types(config):
        if kind in WITHOUT_TRAINS:
            raise UsageError(
                f"the run's pulses are of the type '{kind}', which has no trains on lines to show; "
                "run with the pulse type stochastic_compressed or stochastic, or export the pulse log as csv"
            )


def _pulse_types(part: Any) -> Iterator[str]:
    for key, value in part.items() if isinstance(part, Mapping) else ():
        if key == "pulse_type":
            yield str(value)
        yield from _pulse_types(value)


def _with_ends(starts: Iterator[tuple[int, int, Any, Any, Any]]) -> Iterator[Change]:
    """Give the changes at the start and end of stretches (start, end, wire, value, value afterwards), in order.

    At one time what ends comes before what starts.
    """
    ends: list[tuple[int, int, Any, Any]] = []
    for number, (start, end, wire, value, afterwards) in enumerate(starts):
        while ends and ends[0][0] <= start:
            time, _, ended, last = heapq.heappop(ends)
            yield time, 0, ended, last
        yield start, 1, wire, value
        heapq.heappush(ends, (end, number, wire, afterwards))
    while ends:
        time, _, ended, last = heapq.heappop(ends)
        yield time, 0, ended, last


class _Array:
    """The wires of one array, or of one device of its unit cells."""

    def __init__(self, writer: Any, scope: str, lines: Mapping[str, tuple[int, int]]) -> None:
        self.up, self.down, self.reset = (_wire(writer, scope, name) for name in ("up", "down", "reset"))
        self.lines: dict[tuple[str, int], tuple[Variable[Any], Variable[Any]]] = {}
        for axis, (first, end) in lines.items():
            for line in range(first, end):
                name = f"{'col' if axis == 'column' else axis}{line}"
                self.lines[axis, line] = _wire(writer, scope, name), _wire(writer, scope, f"{name}_negative")


class _Waves:
    """The wires of a dump, and what changes them."""

    def __init__(self, writer: Any, reader: Reader, tiles: Sequence[int]) -> None:
        self._state = writer.register_var("hwsim.controller", "state", "string", init=IDLE)
        self._queues = {
            f"tile{tile}": writer.register_var(f"hwsim.tile{tile}", "queue", "integer", 32, init=0) for tile in tiles
        }
        self._under_way: dict[str, int] = {}
        self._queues[CONTROLLER] = writer.register_var("hwsim.controller", "queue", "integer", 32, init=0)
        self._busy = {
            component: _wire(writer, f"hwsim.tile{tile}", f"{component.partition('.')[2] or component}_busy")
            for tile, component in reader.ask(
                f"SELECT DISTINCT tile, component FROM events WHERE tile IN ({', '.join(map(str, tiles))}) "
                "AND dur_ps > 0 ORDER BY ALL"
            )
        }
        self._arrays = self._make_arrays(writer, reader)

    @staticmethod
    def _make_arrays(writer: Any, reader: Reader) -> dict[tuple[int, int, int], _Array]:
        found = reader.ask('SELECT DISTINCT tile, "array", device FROM lines ORDER BY ALL')
        several = any(device for _, _, device in found)
        regions = reader.probes()
        if unknown := {tile for tile, _, _ in found} - set(regions):
            raise ResultsError(f"the log of the lines names tile {min(unknown)}, which the pulse log does not")
        return {
            (tile, array, device): _Array(
                writer, f"hwsim.tile{tile}.array{array}" + (f".device{device}" if several else ""), regions[tile]
            )
            for tile, array, device in found
        }

    def lines(self, rows: Iterator[tuple[Any, ...]]) -> Iterator[Change]:
        """Give the changes of the lines of a tile."""

        def stretches() -> Iterator[tuple[int, int, Any, Any, Any]]:
            slot = None
            for start, duration, tile, array, device, axis, line, sign, phase in rows:
                of = self._arrays[tile, array, device]
                end = start + duration
                if (start, array, device, phase) != slot:
                    slot = (start, array, device, phase)
                    for wire, high in (
                        (of.up, sign and phase >= 0),
                        (of.down, sign and phase <= 0),
                        (of.reset, not sign),
                    ):
                        if high:
                            yield start, end, wire, 1, 0
                fires, negative = of.lines[axis, line]
                yield start, end, fires, 1, 0
                yield start, end, negative, int(sign < 0), int(sign < 0)

        return _with_ends(stretches())

    def busy(self, rows: Iterator[tuple[Any, ...]]) -> Iterator[Change]:
        """Give the changes of the busy components."""
        level = dict.fromkeys(self._busy, 0)

        def stretches() -> Iterator[tuple[int, int, Any, Any, Any]]:
            for start, duration, component in rows:
                yield start, start + duration, component, +1, -1

        for time, order, component, change in _with_ends(stretches()):
            level[component] += change
            yield time, order, self._busy[component], int(level[component] > 0)

    def gauges(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[Change]:
        """Give the changes of the controller's state and of the queues."""
        for time, component, gauge, value in rows:
            if gauge == QUEUE:
                if component in self._queues:
                    yield time, 1, self._queues[component], value
            elif component == CONTROLLER:
                self._under_way[gauge] = value
                names = [name for name, count in self._under_way.items() for _ in range(count)]
                yield time, 1, self._state, "+".join(names).replace(" ", "_") or IDLE


def _wire(writer: Any, scope: str, name: str) -> Variable[Any]:
    return writer.register_var(scope, name, "wire", 1, init=0)
