"""What all matrices of a chip share: the clock, the ledger, buffer, bus, digital unit and controller."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import simpy

from hwsim.chip.line_log import LineLogger, NamedSink
from hwsim.chip.pulse_book import PulseBook, RowSink
from hwsim.chip.recorder import Recorder
from hwsim.components.base import Component, SharedComponent
from hwsim.components.channel import Channel
from hwsim.components.controller import Controller
from hwsim.components.digital_unit import DigitalUnit
from hwsim.components.interconnect import build_interconnect
from hwsim.components.memory import Buffer
from hwsim.cost import CostTables
from hwsim.devices import UpdateResult
from hwsim.engine.env import Env
from hwsim.engine.gauges import Gauges
from hwsim.engine.ledger import Ledger, Origin, Table
from hwsim.engine.parallel import Part, side_by_side
from hwsim.engine.station import Stream, present
from hwsim.engine.way import Way, set_out, travel, wait_until
from hwsim.spec.chip import BufferPlacement, ChipSpec, ControllerPlacement
from hwsim.spec.unit_cell import UnitCellSpec


class Described(Protocol):
    """What names an operation in the ledger."""

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def phase(self) -> str: ...  # noqa: D102
    @property
    def layer(self) -> str: ...  # noqa: D102


class Platform:
    """The shared hardware that operations occupy, and where they book what they did.

    Args:
        spec: description of the chip.
        unit_cell: the unit cell of its crossbars, whose devices and references take area.
        events: receives blocks of ledger rows in time order.
        pulses: receives the pulses of the probed regions in time order.
        line_reads: receives the reads of single lines of the probed tiles; given with ``pulses``.
        gauges: receives blocks of gauge changes in time order.
        lines: receives the firings of the lines of the probed regions.

    Raises:
        SpecError: a component model, clock or converter parameter is wrong.
    """

    def __init__(
        self,
        spec: ChipSpec,
        unit_cell: UnitCellSpec,
        *,
        events: Callable[[Table], None] | None = None,
        pulses: RowSink | None = None,
        line_reads: RowSink | None = None,
        gauges: NamedSink | None = None,
        lines: NamedSink | None = None,
    ) -> None:
        self.spec = spec
        self.tables = CostTables.for_chip(
            spec, devices_per_cell=unit_cell.n_devices, references=unit_cell.needs_reference
        )
        self.env = Env(Gauges(gauges))
        self.ledger = Ledger(events)
        self.stream: Callable[[int], Stream] = partial(present, self.env)
        """Return a stream of so many vectors that are all there now."""
        self.wait_until: Callable[[int], Iterable[simpy.Event]] = partial(wait_until, self.env)
        """Let the time (ps) come; the calling process waits for the events that are returned."""
        self.set_out: Callable[[Origin, Stream, Way], Stream | Part] = partial(set_out, self.env, self.ledger.notes)
        """Send a stream on its way at once; if somebody has to wait, the caller yields from what is returned."""
        self.buffer = self._memory("buffer", spec.buffer)
        self.state_memory = self.buffer
        if spec.hidden_buffer is not None:
            self.state_memory = self._memory("hidden_buffer", spec.hidden_buffer)
        costs = self.tables["bus" if spec.interconnect is None else "interconnect"]
        self.interconnect = build_interconnect(self.env, spec.network, costs, self.ledger, spec.tiles)
        self.off_chip_link: Channel | None = None
        if spec.off_chip_link is not None:
            self.off_chip_link = Channel(self.env, "off_chip_link", self.tables["off_chip_link"], self.ledger)
        self.digital = DigitalUnit(
            self.env, self.tables["digital"], self.ledger, lanes=spec.digital.lanes,
            packed=spec.digital.packing == "packed",
        )  # fmt: skip
        self.controller = self._controller(spec.controller)
        self.counts: dict[str, int] = defaultdict(int)
        self.digital_ways: dict[Hashable, Way] = {}
        """The ways of the digital operations so far, by what they ask."""
        self.recorder = Recorder()
        self.probes: Mapping[int, tuple[slice, slice]] = {}
        self.lines = LineLogger(lines)
        self.pulse_book: PulseBook | None = None
        if pulses is not None:
            self.pulse_book = PulseBook(pulses, line_reads or (lambda _: None), lambda: self.env.now)

    def _memory(self, name: str, placed: BufferPlacement) -> Buffer:
        return Buffer(
            self.env, self.tables[name], self.ledger, banks=placed.banks, ports=placed.ports, name=name
        )  # fmt: skip

    def _controller(self, placed: ControllerPlacement) -> Controller:
        costs = self.tables["controller"]
        latency = None
        if placed.instruction_latency is not None:
            latency = costs.clock.whole_cycles(placed.instruction_latency, rounding=placed.rounding)
        return Controller(self.env, costs, self.ledger, width=placed.issue_width, latency=latency)

    @property
    def memories(self) -> list[Buffer]:
        """The buffer, and the hidden buffer if there is one."""
        return [self.buffer] if self.state_memory is self.buffer else [self.buffer, self.state_memory]

    @property
    def shared_components(self) -> list[SharedComponent]:
        """The components that operations queue for."""
        link = [] if self.off_chip_link is None else [self.off_chip_link]
        return [self.controller, *self.interconnect.channels, *link, *self.memories, self.digital]

    @property
    def central_components(self) -> list[Component]:
        """Every component outside of the tiles."""
        link = [] if self.off_chip_link is None else [self.off_chip_link]
        return [self.controller, *self.interconnect.components, *link, *self.memories, self.digital]

    # Words between memory and digital unit

    def loading(self, n_bytes: int) -> Way:
        """Return the way of ``n_bytes`` for each vector from the buffer to the digital unit."""
        return (self.buffer.leg("read", n_bytes), *self.interconnect.way(n_bytes, "buffer", "digital"))

    def storing(self, n_bytes: int) -> Way:
        """Return the way of ``n_bytes`` for each vector from the digital unit to the buffer."""
        return (*self.interconnect.way(n_bytes, "digital", "buffer"), self.buffer.leg("write", n_bytes))

    def loading_state(self, n_bytes: int) -> Way:
        """Return the way of digital state: from the hidden buffer beside the digital unit, or from the buffer."""
        if self.state_memory is self.buffer:
            return self.loading(n_bytes)
        return (self.state_memory.leg("read", n_bytes),)

    def storing_state(self, n_bytes: int) -> Way:
        """Return the way of digital state back to its memory."""
        if self.state_memory is self.buffer:
            return self.storing(n_bytes)
        return (self.state_memory.leg("write", n_bytes),)

    def travel(self, origin: Origin, stream: Stream, way: Way) -> Part:
        """Send a stream on its way; returns it as it leaves the last component, when its first vector does."""
        return travel(self.env, self.ledger.notes, origin, stream, way)

    def load(self, origin: Origin, stream: Stream, n_bytes: int) -> Part:
        """Read ``n_bytes`` for each vector from the buffer and bring them to the digital unit."""
        return self.travel(origin, stream, self.loading(n_bytes))

    def store(self, origin: Origin, stream: Stream, n_bytes: int) -> Part:
        """Bring ``n_bytes`` for each vector from the digital unit to the buffer and write them."""
        return self.travel(origin, stream, self.storing(n_bytes))

    # Streams and counts

    def origin(self, operation: Described, step: int = -1, sample: int = -1) -> Origin:
        """Return the origin of what an operation books."""
        return self.ledger.origin(operation.kind, operation.phase, operation.layer, step, sample)

    def together(self, parts: Sequence[Part]) -> Part:
        """Run parts side by side; returns the stream that has a vector when every part has it."""
        return side_by_side(self.env, parts)

    def count(self, name: str, n: int) -> None:
        """Count events for the summary."""
        self.counts[name] += n

    def observed(
        self, layer: str, name: str, compute: Callable[[], Any], written: int, expected: Callable[[], Any] | None
    ) -> Callable[[], Any]:
        """Return the work on a digital state, with a note of whether it lets go of any of the ``written`` values.

        ``expected`` makes what stands for its result where no numbers are kept; here they are.
        """
        del expected

        def noted() -> Any:
            result = compute()
            self.recorder.state(layer, name, result)
            return result

        return noted if written else compute

    def log_pulses(self, origin: Origin, first: int, place: tuple[int, int], result: UpdateResult) -> None:
        """Log the pulses of the probed region of an update.

        ``first`` is the number of its first sample in the operation's stream, ``place`` its tile and array.
        """
        for device, part in enumerate(result.by_device):
            if self.pulse_book is not None and part.log is not None:
                columns = part.log.columns()
                columns["sample"] = columns["sample"] + first
                self.pulse_book.add(origin, (*place, device), columns)
