"""Description of a chip: its tiles with their periphery, buffer, bus, digital unit and controller."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from hwsim.spec.analog import IOParameters
from hwsim.spec.base import Hertz, Metres, Seconds, Spec


class PlacedComponent(Spec):
    """A component model put to use: its clock domain and how its times meet that clock."""

    model: str
    """Name of a component of the library (``hwsim components``)."""
    parameters: dict[str, float | int | str] = Field(default_factory=dict)
    """Parameters of that component, such as ``bits`` or ``rate`` (``hwsim components NAME``); the rest are defaults."""
    clock: str = "core"
    """Name of the chip's clock that it runs on."""
    rounding: Literal["up", "error"] = "up"
    """A time that is no whole number of cycles is rounded ``up``, or is an ``error``."""


class CrossbarPlacement(PlacedComponent):
    """The arrays of a tile."""

    integration_time: Seconds = Field(gt=0)
    """Time for which the inputs drive the array during a read, s."""


class PulseGeneratorPlacement(PlacedComponent):
    """The pulse generators of the rows or of the columns."""

    polarity_phases: Literal[1, 2] = 2
    """2: up and down pulses take separate passes over the slots of a train; 1: both fit in one pass."""


class SampleHoldPlacement(PlacedComponent):
    """The sample-and-hold circuits between integrators and converters."""

    double_buffered: bool = False
    """True: the next read may be sampled while the last one is still being converted."""


class AdcPlacement(PlacedComponent):
    """The analog-to-digital converters of a tile."""

    lines_per_adc: int = Field(ge=1)
    """How many output lines share one converter, one after the other."""


class BufferPlacement(PlacedComponent):
    """The on-chip memory."""

    banks: int = Field(ge=1)
    ports: int = Field(1, ge=1)
    """Accesses at the same time."""


class DigitalPlacement(PlacedComponent):
    """The digital vector unit."""

    lanes: int = Field(ge=1)
    """Operations of one kind in a cycle."""


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


class TileSpec(Spec):
    """One tile: its arrays, converters and pulse generators.

    Row i carries output i (and the error d_i), column j carries input j. A forward read drives the columns and converts
    the rows; a backward read drives the rows and converts the columns.
    """

    rows: int = Field(ge=1, le=65536)
    cols: int = Field(ge=1, le=65536)
    arrays: int = Field(ge=1)
    """Arrays of rows x cols cells that share the periphery, such as the fast and the slow array of Tiki-Taka."""
    crossbar: CrossbarPlacement
    row_dac: PlacedComponent
    col_dac: PlacedComponent
    row_pulser: PulseGeneratorPlacement
    col_pulser: PulseGeneratorPlacement
    integrator: PlacedComponent
    sample_hold: SampleHoldPlacement
    adc: AdcPlacement
    accumulator: PlacedComponent
    control: PlacedComponent
    forward: IOParameters = IOParameters()
    """Converters of forward reads."""
    backward: IOParameters = IOParameters()
    """Converters of backward reads."""
    transfer: IOParameters = IOParameters(noise_management="none", bound_management="none")
    """Converters of transfer reads; AIHWKit leaves noise and bound management off there."""

    @model_validator(mode="after")
    def _pulsers_agree(self) -> TileSpec:
        if self.row_pulser.polarity_phases != self.col_pulser.polarity_phases:
            raise ValueError("row_pulser and col_pulser must have the same polarity_phases: a coincidence needs both")
        return self


class ChipSpec(Spec):
    """A chip: equal tiles on one bus, with a buffer, a digital unit and a controller."""

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
    bus: PlacedComponent
    digital: DigitalPlacement
    controller: PlacedComponent
    schedule: ScheduleSpec = ScheduleSpec()
    """How much of a training step runs side by side."""
    word_bits: int = Field(16, ge=1, le=64)
    """Bits of a digital activation or partial sum."""
    weight_bits: int = Field(32, ge=1, le=64)
    """Bits of a number that accumulates in the buffer: a weight of digital training, Tiki-Taka v2's hidden buffer."""

    @field_validator("clocks")
    @classmethod
    def _positive(cls, clocks: dict[str, float]) -> dict[str, float]:
        if not clocks:
            raise ValueError("a chip needs at least one clock")
        for name, frequency in clocks.items():
            if frequency <= 0:
                raise ValueError(f"clock {name} must have a positive frequency")
        return clocks

    def placements(self, devices_per_cell: int = 1) -> dict[str, tuple[PlacedComponent, int]]:
        """Return every component class by path (``tile.adc``, ``bus``) with the number of instances on the chip.

        An instance of a crossbar is one device (``devices_per_cell`` make a cell), of a digital unit one lane, of a
        buffer one bank.
        """
        tile = self.tile
        lines = max(tile.rows, tile.cols)
        adcs = -(-lines // tile.adc.lines_per_adc)
        per_tile: dict[str, tuple[PlacedComponent, int]] = {
            "crossbar": (tile.crossbar, tile.arrays * tile.rows * tile.cols * devices_per_cell),
            "row_dac": (tile.row_dac, tile.rows),
            "col_dac": (tile.col_dac, tile.cols),
            "row_pulser": (tile.row_pulser, tile.rows),
            "col_pulser": (tile.col_pulser, tile.cols),
            "integrator": (tile.integrator, lines),
            "sample_hold": (tile.sample_hold, lines * (2 if tile.sample_hold.double_buffered else 1)),
            "adc": (tile.adc, adcs),
            "accumulator": (tile.accumulator, adcs),
            "control": (tile.control, 1),
        }
        chip: dict[str, tuple[PlacedComponent, int]] = {
            f"tile.{name}": (placed, count * self.tiles) for name, (placed, count) in per_tile.items()
        }
        chip["buffer"] = (self.buffer, self.buffer.banks)
        chip["bus"] = (self.bus, 1)
        chip["digital"] = (self.digital, self.digital.lanes)
        chip["controller"] = (self.controller, 1)
        return chip

    @model_validator(mode="after")
    def _known_clocks(self) -> ChipSpec:
        for path, (placed, _) in self.placements().items():
            if placed.clock not in self.clocks:
                raise ValueError(f"{path}.clock: no clock is called '{placed.clock}' (known: {', '.join(self.clocks)})")
        return self
