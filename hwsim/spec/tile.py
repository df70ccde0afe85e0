"""Description of a tile: its arrays, converters and pulse generators."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from hwsim.spec.analog import IOParameters
from hwsim.spec.base import Seconds, Spec
from hwsim.spec.placement import PlacedComponent


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

    @property
    def per_line(self) -> int:
        """Circuits that a line has."""
        return 2 if self.double_buffered else 1


class AdcPlacement(PlacedComponent):
    """The analog-to-digital converters of a tile."""

    lines_per_adc: int = Field(ge=1)
    """How many output lines share one converter, one after the other."""


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

    def placements(self, devices_per_cell: int = 1) -> dict[str, tuple[PlacedComponent, int]]:
        """Return every component class by name, with the number of instances in one tile."""
        lines = max(self.rows, self.cols)
        adcs = -(-lines // self.adc.lines_per_adc)
        return {
            "crossbar": (self.crossbar, self.arrays * self.rows * self.cols * devices_per_cell),
            "row_dac": (self.row_dac, self.rows),
            "col_dac": (self.col_dac, self.cols),
            "row_pulser": (self.row_pulser, self.rows),
            "col_pulser": (self.col_pulser, self.cols),
            "integrator": (self.integrator, lines),
            "sample_hold": (self.sample_hold, lines * self.sample_hold.per_line),
            "adc": (self.adc, adcs),
            "accumulator": (self.accumulator, adcs),
            "control": (self.control, 1),
        }
