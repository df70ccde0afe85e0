"""What all matrices of a chip share: the clock, the ledger, buffer, bus, digital unit and controller."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import simpy

from hwsim.chip.tile import Tile
from hwsim.components.base import SharedComponent
from hwsim.components.bus import Bus
from hwsim.components.controller import Controller
from hwsim.components.digital_unit import DigitalUnit
from hwsim.components.memory import Buffer
from hwsim.cost import CostTables
from hwsim.devices import UpdateResult
from hwsim.engine.env import Env
from hwsim.engine.ledger import Ledger, Origin, Table
from hwsim.engine.station import Stream
from hwsim.spec.chip import ChipSpec

PulseSink = Callable[[dict[str, np.ndarray]], None]


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
        events: receives blocks of ledger rows in time order.
        pulses: receives the pulses of the probed regions.
        devices_per_cell: devices of one unit cell of the crossbars, which all take area.

    Raises:
        SpecError: a component model, clock or converter parameter is wrong.
    """

    def __init__(
        self,
        spec: ChipSpec,
        *,
        events: Callable[[Table], None] | None = None,
        pulses: PulseSink | None = None,
        devices_per_cell: int = 1,
    ) -> None:
        self.spec = spec
        self.tables = CostTables.for_chip(spec, devices_per_cell=devices_per_cell)
        self.env = Env()
        self.ledger = Ledger(events)
        self.buffer = Buffer(
            self.env, self.tables["buffer"], self.ledger, banks=spec.buffer.banks, ports=spec.buffer.ports
        )
        self.bus = Bus(self.env, self.tables["bus"], self.ledger)
        self.digital = DigitalUnit(
            self.env, self.tables["digital"], self.ledger, lanes=spec.digital.lanes,
            packed=spec.digital.packing == "packed",
        )  # fmt: skip
        self.controller = Controller(self.env, self.tables["controller"], self.ledger)
        self.counts: dict[str, int] = defaultdict(int)
        self.probes: Mapping[int, tuple[slice, slice]] = {}
        self._pulses = pulses

    @property
    def shared_components(self) -> list[SharedComponent]:
        """The components that operations queue for."""
        return [self.controller, self.bus, self.buffer, self.digital]

    def origin(self, operation: Described, step: int = -1, sample: int = -1) -> Origin:
        """Return the origin of what an operation books."""
        return self.ledger.origin(operation.kind, operation.phase, operation.layer, step, sample)

    def stream(self, n: int) -> Stream:
        """Return a stream of ``n`` vectors that are all there now."""
        return Stream(n, self.env.now, self.env.now)

    def wait_until(self, time: int) -> Iterable[simpy.Event]:
        """Let the time (ps) come; the calling process waits for the events that are returned."""
        now = self.env.now
        return self.env.sleep(time - now) if time > now else ()

    def together(self, parts: Sequence[Generator[Any, Any, Stream]]) -> Generator[Any, Any, Stream]:
        """Run parts side by side; returns the stream that has a vector when every part has it."""
        if len(parts) == 1:
            return (yield from parts[0])
        processes = [self.env.process(part) for part in parts]
        yield simpy.AllOf(self.env, processes)
        streams: list[Stream] = [process.value for process in processes]  # type: ignore[misc]
        return Stream(streams[0].n, self.env.now, max(stream.last for stream in streams))

    def count(self, name: str, n: int) -> None:
        """Count events for the summary."""
        self.counts[name] += n

    def log_pulses(
        self, origin: Origin, array: int, tiles: Sequence[Tile], results: Sequence[UpdateResult], starts: Sequence[int]
    ) -> None:
        """Pass the pulses of the probed regions on, in time order."""
        if self._pulses is None:
            return
        parts = []
        for tile, result, start in zip(tiles, results, starts, strict=True):
            for device, part in enumerate(result.by_device):
                log = part.log
                if log is None or not len(log.row):
                    continue
                n = len(log.row)
                columns = {
                    "t_ps": tile.pulse_times(start, result.slots, log.sample, log.slot, log.polarity),
                    "step": np.full(n, origin.step, dtype=np.int32),
                    "sample": origin.sample + log.sample.astype(np.int64),
                    "tile": np.full(n, tile.index, dtype=np.int16),
                    "array": np.full(n, array, dtype=np.int16),
                    "row": log.row.astype(np.int32),
                    "col": log.col.astype(np.int32),
                    "polarity": log.polarity.astype(np.int8),
                    "dw": log.dw,
                    "w": log.w,
                    "device": np.full(n, device, dtype=np.int16),
                }
                parts.append(columns)
        self.log_pulse_rows(parts)

    @property
    def logs_pulses(self) -> bool:
        """Whether pulses of probed regions are logged."""
        return self._pulses is not None

    def log_pulse_rows(self, parts: Sequence[Mapping[str, np.ndarray]]) -> None:
        """Pass rows of the pulse log on, in time order; each part holds some in columns by name."""
        if self._pulses is None or not parts:
            return
        table = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = np.argsort(table["t_ps"], kind="stable")
        self._pulses({name: column[order] for name, column in table.items()})
