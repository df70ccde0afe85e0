"""Description of a tile: its arrays, converters and pulse generators."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from hwsim.spec.analog import IOParameters
from hwsim.spec.base import Seconds, Spec, misplaced
from hwsim.spec.placement import PlacedComponent, Placement


class CrossbarPlacement(PlacedComponent):
    """The arrays of a tile."""

    integration_time: Seconds | None = Field(None, gt=0)
    """Time for which one slice of the inputs is integrated, s. None: as long as the converters drive their lines, if
    they code the input in time."""
    reference: Literal["cell", "line", "digital"] = "cell"
    """What the conductance of a cell is compared with, unless a unit cell subtracts devices of its own. ``cell``: a
    reference cell beside every device, read along with it (a differential pair). ``line``: one row and one column of
    reference cells for the whole array. ``digital``: nothing; single-ended, the digital unit subtracts what
    the inputs would give at weight 0."""


class DacPlacement(PlacedComponent):
    """The digital-to-analog converters of the rows or of the columns."""

    sign: Literal["polarity", "slice"] = "polarity"
    """Of a bit-serial input. ``polarity``: the driver reverses its voltage, b - 1 slices for b bits. ``slice``: two's
    complement, b slices, of which the recombination subtracts the first."""


class PulseGeneratorPlacement(PlacedComponent):
    """The pulse generators of the rows or of the columns."""

    kind: Literal["lfsr", "shared_lfsr", "serial_lfsr", "deterministic"] = "lfsr"
    """Where the random words of a slot come from. ``lfsr``: each line has a shift register and draws in every slot.
    ``shared_lfsr``: one register for the side, whose word of a slot is compared on every line; the trains of the lines
    of a side are then correlated in hardware, which the numbers of a run do not show: they are those of independent
    trains. ``serial_lfsr``: one register for the side that draws for one line after the other, so a slot takes as many
    draws as there are lines. ``deterministic``: a counter, no random words; only for pulse schemes without chance."""
    polarity_phases: Literal[1, 2] = 2
    """2: up and down pulses take separate passes over the slots of a train; 1: both fit in one pass."""


class SampleHoldPlacement(PlacedComponent):
    """The sample-and-hold circuits between integrators and converters."""

    double_buffered: bool = False
    """True: the next read may be sampled while the last one is still being converted."""

    @property
    def per_line(self) -> int:
        """Circuits that a line has."""
        return 2 if self.double_buffered else 1


class AdcPlacement(PlacedComponent):
    """The analog-to-digital converters of a tile."""

    kind: Literal["sar", "flash", "ramp", "current_controlled_oscillator"] | None = None
    """How it converts b bits, b being those of the read (``out_res``). None: in the time that the component model
    gives. ``sar``: b + 1 cycles. ``flash``: one cycle. ``ramp``: 2^b cycles; each line, or each group of lines that
    take turns, has a comparator, and all compare with one ramp. ``current_controlled_oscillator``: one for each line,
    counting while the line is integrated, for at least the time of the component model; it has no sample-and-hold
    circuit."""
    lines_per_adc: int = Field(ge=1)
    """How many output lines share one converter (one comparator of a ramp), one after the other.

    A tile has n converters, one for so many of its rows or columns, whichever are more. Both directions use all of
    them, line i the one of number i modulo n. So m lines take ceil(m / n) conversions one after the other, and a small
    matrix on a large tile takes a single one.
    """

    @model_validator(mode="after")
    def _one_oscillator_a_line(self) -> AdcPlacement:
        if self.kind == "current_controlled_oscillator" and self.lines_per_adc != 1:
            raise misplaced("lines_per_adc", "must be 1: each line has a current-controlled oscillator of its own")
        return self


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
    row_dac: DacPlacement
    col_dac: DacPlacement
    row_pulser: PulseGeneratorPlacement
    col_pulser: PulseGeneratorPlacement
    integrator: PlacedComponent
    sample_hold: SampleHoldPlacement | None = None
    adc: AdcPlacement
    shift_add: PlacedComponent | None = None
    """Behind each converter, what recombines the slices of bit-serial and split inputs; None: the accumulator does."""
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
            raise misplaced(
                "col_pulser", "row_pulser and col_pulser must have the same polarity_phases: a coincidence needs both"
            )
        return self

    @model_validator(mode="after")
    def _sampled(self) -> TileSpec:
        oscillates = self.adc.kind == "current_controlled_oscillator"
        if oscillates and self.sample_hold is not None:
            raise misplaced(
                "sample_hold", "a current-controlled oscillator converts what it integrates; leave this out"
            )
        if not oscillates and self.sample_hold is None:
            raise misplaced("sample_hold", "this parameter is missing; only oscillators convert without it")
        return self

    def reads(self) -> dict[str, IOParameters]:
        """Return the converters of each kind of read."""
        return {"forward": self.forward, "backward": self.backward, "transfer": self.transfer}

    def reference_cells(self) -> int:
        """Return the reference cells of one plane of devices."""
        return {"cell": self.rows * self.cols, "line": self.rows + self.cols, "digital": 0}[self.crossbar.reference]

    def placements(self, devices_per_cell: int = 1, *, references: bool = True) -> dict[str, Placement]:
        """Return every component class by name, with the number of instances in one tile.

        Args:
            devices_per_cell: devices of a unit cell, each an instance of the crossbar.
            references: whether the unit cells need reference cells, which are instances too.
        """
        lines = max(self.rows, self.cols)
        adcs = -(-lines // self.adc.lines_per_adc)
        plane = self.rows * self.cols + (self.reference_cells() if references else 0)
        parts: dict[str, Placement] = {
            "crossbar": (self.crossbar, self.arrays * devices_per_cell * plane),
            "row_dac": (self.row_dac, self.rows),
            "col_dac": (self.col_dac, self.cols),
            "row_pulser": (self.row_pulser, self.rows),
            "col_pulser": (self.col_pulser, self.cols),
            "integrator": (self.integrator, lines),
        }
        if self.sample_hold is not None:
            parts["sample_hold"] = (self.sample_hold, lines * self.sample_hold.per_line)
        parts["adc"] = (self.adc, adcs)
        if self.shift_add is not None:
            parts["shift_add"] = (self.shift_add, adcs)
        return parts | {"accumulator": (self.accumulator, adcs), "control": (self.control, 1)}
