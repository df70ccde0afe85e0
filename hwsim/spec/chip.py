"""Description of a chip: its tiles with their periphery, buffer, bus, digital unit and controller."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from hwsim.html import html_table
from hwsim.spec.base import Hertz, Metres, Seconds, Spec, misplaced
from hwsim.spec.faults import ConverterError, DeadConverter, Fault
from hwsim.spec.interconnect import InterconnectPlacement
from hwsim.spec.placement import PlacedComponent, Placement
from hwsim.spec.published import PublishedFigure
from hwsim.spec.tile import TileSpec
from hwsim.units import format_quantity


class BufferPlacement(PlacedComponent):
    """The on-chip memory."""

    banks: int = Field(ge=1)
    ports: int = Field(1, ge=1)
    """Accesses at the same time."""


class DigitalPlacement(PlacedComponent):
    """The digital vector unit."""

    lanes: int = Field(ge=1)
    """Operations of one kind in a cycle."""
    packing: Literal["rows", "packed"] = "rows"
    """How operations fill the lanes. ``rows``: those of one kind fill whole rows of lanes, one kind after the other.
    ``packed``: all that a vector needs are spread over the lanes without gaps, as in models that divide a number of
    operations by a rate; its time is rounded up to the clock once."""
    preparation: Literal["driven_lines", "all_lines"] = "driven_lines"
    """Lines whose pulse probabilities are computed for a transfer write: those that carry a number, or every line of
    the matrix as for a gradient."""


class ControllerPlacement(PlacedComponent):
    """The controller that issues the operations of a program."""

    issue_width: int = Field(1, ge=1, le=1024)
    """Instructions that it issues at the same time, where programs run side by side."""
    instruction_latency: Seconds | None = Field(None, ge=0)
    """Time from the issue of an instruction to the start of its operation, s; None: the latency of ``issue`` of the
    component model. Instructions are pipelined: the next one is issued after the interval of ``issue``."""


class ScheduleSpec(Spec):
    """How much of a training step runs side by side.

    ``sequential``: one operation after the other. ``overlapped``: a layer is updated while the backward pass goes on
    below it. ``pipelined``: groups of ``vectors`` samples follow each other through the layers, forward and back, and
    updates overlap. ``delayed``: as pipelined, and the next mini-batches start before the update of this one has ended,
    so they read older weights (PipeLayer: Song et al., HPCA 2017).
    """

    kind: Literal["sequential", "overlapped", "pipelined", "delayed"] = "sequential"
    vectors: int = Field(1, ge=1)
    """Samples that pass through the layers together in a pipeline."""
    max_delay: int = Field(1, ge=1, le=1024)
    """``delayed``: mini-batches that may be under way besides the one that has just started."""

    @property
    def delay(self) -> int:
        """Mini-batches that may be under way besides the newest."""
        return self.max_delay if self.kind == "delayed" else 0

    def group(self, batch: int) -> int:
        """Return how many samples of a mini-batch of ``batch`` go through the layers together."""
        return min(self.vectors, batch) if self.kind in ("pipelined", "delayed") else batch


class MappingSpec(Spec):
    """How matrices find their tiles."""

    share_tiles: bool = False
    """True: blocks of several matrices may share a tile, each on rows and columns of its own. They take turns: forward,
    backward and update of all of them exclude each other."""


class ChipSpec(Spec):
    """A chip: equal tiles on one interconnect, with a buffer, a digital unit and a controller."""

    kind: Literal["chip"] = "chip"
    name: str
    description: str = Field(min_length=1)
    source: str = Field(min_length=1)
    clocks: dict[str, Hertz]
    """Clock domains, name to frequency in Hz."""
    node: Metres | None = None
    """Technology node of every component that has a parameter ``node``, unless its place sets one."""
    device: str
    """Name of the device of the crossbars unless a run names another."""
    tiles: int = Field(ge=1, le=65536)
    tile: TileSpec
    buffer: BufferPlacement
    hidden_buffer: BufferPlacement | None = None
    """A memory of its own for the digital state of training algorithms (the hidden buffer of Tiki-Taka v2, ...), beside
    the digital unit; None: they share the buffer."""
    bus: PlacedComponent | None = None
    """The bus, if that is the interconnect."""
    interconnect: InterconnectPlacement | None = None
    """Any other interconnect; a chip has either this or a ``bus``."""
    off_chip_link: PlacedComponent | None = None
    """The link over which the samples of a mini-batch come in; None: they come in over the interconnect alone."""
    digital: DigitalPlacement
    controller: ControllerPlacement
    schedule: ScheduleSpec = ScheduleSpec()
    """How much of a training step runs side by side."""
    mapping: MappingSpec = MappingSpec()
    """How matrices find their tiles."""
    faults: tuple[Fault, ...] = ()
    """What is broken: stuck devices, open and shorted lines, dead and inaccurate converters, missed pulses."""
    published: tuple[PublishedFigure, ...] = Field((), exclude=True)
    """Published figures of the design, with those of this description; no part of the configuration of a run."""
    word_bits: int = Field(16, ge=1, le=64)
    """Bits of a digital activation or partial sum."""
    weight_bits: int = Field(32, ge=1, le=64)
    """Bits of a number that accumulates in the buffer: a weight of digital training, Tiki-Taka v2's hidden buffer."""

    @property
    def network(self) -> InterconnectPlacement:
        """What carries data between the parts of the chip."""
        if self.interconnect is not None:
            return self.interconnect
        assert self.bus is not None
        return InterconnectPlacement(kind="bus", **self.bus.model_dump())

    def _repr_html_(self) -> str:
        tile = self.tile
        rows = [
            ("tiles", f"{self.tiles} of {tile.rows} x {tile.cols} cells, {tile.arrays} arrays each"),
            ("device", self.device),
            ("interconnect", self.network.kind),
            ("schedule", self.schedule.kind),
            ("clocks", ", ".join(f"{name} {format_quantity(rate, 'Hz')}" for name, rate in self.clocks.items())),
            ("about", self.description),
            ("source", self.source),
        ]
        return html_table(f"Chip {self.name}", rows)

    @model_validator(mode="after")
    def _one_interconnect(self) -> ChipSpec:
        if self.bus is None and self.interconnect is None:
            raise misplaced("bus", "this parameter is missing; a chip has a bus or an interconnect")
        if self.bus is not None and self.interconnect is not None:
            raise misplaced("interconnect", "the chip has a bus already; leave one of the two out")
        if self.interconnect is not None and (problem := self.interconnect.problem(self.tiles)) is not None:
            raise misplaced(f"interconnect.{problem[0]}", problem[1])
        return self

    @field_validator("clocks")
    @classmethod
    def _positive(cls, clocks: dict[str, float]) -> dict[str, float]:
        if not clocks:
            raise ValueError("a chip needs at least one clock")
        for name, frequency in clocks.items():
            if frequency <= 0:
                raise ValueError(f"clock {name} must have a positive frequency")
        return clocks

    def placements(self, devices_per_cell: int = 1, *, references: bool = True) -> dict[str, Placement]:
        """Return every component class by path (``tile.adc``, ``bus``) with the number of instances on the chip.

        An instance of a crossbar is one device (``devices_per_cell`` make a cell, and each has a reference cell if
        ``references``, as the crossbar's ``reference`` says), of a digital unit one lane, of a
        buffer one bank, of an interconnect one edge of a tree or one router of a mesh.
        """
        chip: dict[str, Placement] = {
            f"tile.{name}": (placed, count * self.tiles)
            for name, (placed, count) in self.tile.placements(devices_per_cell, references=references).items()
        }
        chip["buffer"] = (self.buffer, self.buffer.banks)
        if self.hidden_buffer is not None:
            chip["hidden_buffer"] = (self.hidden_buffer, self.hidden_buffer.banks)
        if self.bus is not None:
            chip["bus"] = (self.bus, 1)
        if self.interconnect is not None:
            chip["interconnect"] = (self.interconnect, self.interconnect.instances(self.tiles))
        if self.off_chip_link is not None:
            chip["off_chip_link"] = (self.off_chip_link, 1)
        chip["digital"] = (self.digital, self.digital.lanes)
        chip["controller"] = (self.controller, 1)
        return chip

    @model_validator(mode="after")
    def _faults_exist(self) -> ChipSpec:
        tile = self.tile
        counts = {name: count for name, (_, count) in tile.placements().items()}
        for index, fault in enumerate(self.faults):
            fault.check(f"faults.{index}", self.tiles, (tile.rows, tile.cols), tile.arrays)
            if isinstance(fault, DeadConverter | ConverterError) and fault.numbers is not None:
                n = counts[fault.part]
                if fault.numbers[1] > n:
                    at = f"faults.{index}.numbers"
                    raise misplaced(at, f"a tile has {fault.part}s 0 to {n - 1}, got {fault.numbers[1] - 1}")
            for before, other in enumerate(self.faults[:index]):
                if fault.contradicts(other):
                    text = f"names a place that faults.{before} names too; a place has this fault once: take one out"
                    raise misplaced(f"faults.{index}.tile", text)
        return self

    @field_validator("published")
    @classmethod
    def _named_once(cls, published: tuple[PublishedFigure, ...]) -> tuple[PublishedFigure, ...]:
        names = [each.name for each in published]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the name {twice[0]} is given to more than one figure")
        return published

    @model_validator(mode="after")
    def _known_clocks(self) -> ChipSpec:
        for path, (placed, _) in self.placements().items():
            if placed.clock not in self.clocks:
                known = ", ".join(self.clocks)
                raise misplaced(f"{path}.clock", f"no clock is called '{placed.clock}' (known: {known})")
        return self
