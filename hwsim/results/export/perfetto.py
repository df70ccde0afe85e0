"""A timeline as a Perfetto trace: what every component does, operations, power, queues and the fill of memories.

Perfetto counts nanoseconds; a nanosecond shown there is a picosecond of the run, as its name says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from hwsim.results.export.lanes import Lanes, OpenStretches
from hwsim.results.export.power import Power
from hwsim.results.export.rows import Reader, Selection
from hwsim.results.export.trace_file import TraceFile, Track
from hwsim.results.export.window import Window

if TYPE_CHECKING:
    from hwsim.results.run import Run

EVENTS = (
    "t_ps", "dur_ps", "component", "action", "operation", "phase", "layer", "step", "sample", "array", "count",
    "energy_J",
)  # fmt: skip
LEAKAGE = ("component", "t_ps", "energy_J")
GAUGES = ("t_ps", "component", "gauge", "value", "step")
CONTROLLER, QUEUE, BYTES = "controller", "queue", "bytes_in_use"
CHIP = "chip"


def write(run: Run, file: BinaryIO, window: Window, progress: Callable[[int, int], None]) -> None:
    """Write the part of a run that lies in the window.

    Actions without a duration of their own are instants. Actions that reach into the window are written whole.

    Raises:
        ResultsError: the run kept no event log, or it is damaged.
    """
    actions, changes = Selection("events", EVENTS, window, reaching=True), Selection("gauges", GAUGES, window)
    leakage = Selection("events", LEAKAGE, Window(), leakage="only")
    reader = Reader(run.path, [actions, leakage, changes], progress)
    end = reader.end_of_run() if window.end is None else min(window.end, reader.end_of_run())
    timeline = _Timeline(TraceFile(file), run, Window(window.start, max(end, window.start)))
    for row in reader.rows(actions):
        timeline.action(*row)
    for component, elapsed, energy in reader.rows(leakage):
        timeline.leakage(component, elapsed, energy)
    for component, gauge, value, step in reader.levels_before(window.start):
        timeline.gauge(window.start, component, gauge, value, step)
    for change in reader.rows(changes):
        timeline.gauge(*change)
    timeline.finish()


class _Timeline:
    """The tracks of a trace, made as they are needed."""

    def __init__(self, trace: TraceFile, run: Run, window: Window) -> None:
        self._trace = trace
        self._window = window
        assert window.end is not None
        self._end = window.end
        self._power = Power(window.start, self._end)
        self._lanes: dict[str, Lanes] = {}
        self._tracks: dict[tuple[str, ...], Track] = {}
        self._operations = OpenStretches()
        self._root = trace.track(f"hwsim {run.path.resolve().name}: 1 ns shown is 1 ps of the run", None, 0)

    # Tracks

    def _lane(self, component: str, number: int) -> Track:
        """Return the track of a lane of a component; components of a tile are below it."""
        key = ("lane", component, str(number))
        if key not in self._tracks:
            part, _, own = component.partition(".")
            parent, rank = (self._group(part, _rank(part)), number) if own else (self._root, _rank(part))
            name = own or part
            self._tracks[key] = self._trace.track(name if number == 0 else f"{name} (lane {number + 1})", parent, rank)
        return self._tracks[key]

    def _group(self, name: str, rank: int) -> Track:
        if ("group", name) not in self._tracks:
            self._tracks["group", name] = self._trace.track(name, self._root, rank)
        return self._tracks["group", name]

    def _counter(self, group: str, name: str, unit: str, rank: int) -> Track:
        key = ("counter", group, name)
        if key not in self._tracks:
            place = 0 if name == CHIP else _rank(name)
            self._tracks[key] = self._trace.track(f"{group} {name}", self._group(group, rank), place, unit=unit)
        return self._tracks[key]

    def _operation_lane(self, number: int) -> Track:
        key = ("operations", str(number))
        if key not in self._tracks:
            name = "operations" if number == 0 else f"operations (lane {number + 1})"
            self._tracks[key] = self._trace.track(name, self._root, 1 + number)
        return self._tracks[key]

    # What happens

    def action(
        self, start: int, duration: int, component: str, action: str, operation: str, phase: str, layer: str, step: int,
        sample: int, array: int, count: int, energy: float,
    ) -> None:  # fmt: skip
        """Add an action of a component."""
        what = f"{operation} {layer}".rstrip()
        texts = {"action": action, "operation": operation, "phase": phase, "layer": layer}
        numbers: dict[str, float] = {"step": step, "sample": sample, "array": array, "count": count, "energy_J": energy}
        self._add_power(component, start, duration, energy)
        name = f"{what}: {action}"
        if duration == 0:
            self._trace.instant(self._lane(component, 0), name, phase, start, texts, numbers)
            return
        lane = self._lanes.setdefault(component, Lanes()).place(start, start + duration)
        self._trace.slice(self._lane(component, lane), name, phase, start, start + duration, texts, numbers)

    def leakage(self, component: str, elapsed: int, energy: float) -> None:
        """Add the leakage of a component, booked at the end of the run for the whole of it."""
        if elapsed == 0:
            return
        self._add_power(component, 0, elapsed, energy)
        if self._window.start <= elapsed <= self._end:
            texts = {"action": "leak", "operation": "static", "phase": "static", "layer": ""}
            self._trace.instant(self._lane(component, 0), "leak", "static", elapsed, texts, {"energy_J": energy})

    def _add_power(self, component: str, start: int, duration: int, energy: float) -> None:
        for part in (CHIP, component.partition(".")[0]):
            self._power.add(part, start, duration, energy)

    def gauge(self, time: int, component: str, gauge: str, value: int, step: int) -> None:
        """Add a change of a gauge; a gauge of the controller that is no queue counts operations under way."""
        if gauge == QUEUE:
            self._trace.counter(self._counter("queue length", component, "operations", 3), time, value)
        elif component != CONTROLLER:
            unit = "bytes" if gauge == BYTES else gauge
            self._trace.counter(self._counter("fill", component, unit, 4), time, value)
        elif value > self._operations.level(gauge):
            for _ in range(value - self._operations.level(gauge)):
                self._operations.begin(gauge, time, step)
        elif value < self._operations.level(gauge):
            self._operation(gauge, *self._operations.end(gauge), time)

    def _operation(self, name: str, lane: int, start: int, step: int, end: int) -> None:
        self._trace.slice(self._operation_lane(lane), name, "operation", start, end, {}, {"step": step})

    def finish(self) -> None:
        """Write what is open at the end, and the power."""
        for name, lane, start, step in self._operations.rest():
            self._operation(name, lane, start, step, self._end)
        for part, time, power in self._power.changes():
            self._trace.counter(self._counter("power", part, "W", 2), time, power)
        self._trace.close()


def _rank(name: str) -> int:
    """Return the place of a part among its neighbours: the controller, then tiles by number, then the rest."""
    if name == CONTROLLER:
        return 10
    tile = re.fullmatch(r"tile(\d+)", name)
    return 20 + int(tile[1]) if tile else 100_000
