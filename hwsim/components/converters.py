"""The analog periphery of a tile: DACs, integrators, sample-and-hold, ADCs and accumulators as ranks of equal parts."""

from __future__ import annotations

import numpy as np

from hwsim.components.base import Component
from hwsim.components.coding import LineDrive, line_drive, slices
from hwsim.engine.bill import Entry
from hwsim.engine.clock import Clock


class Dac(Component):
    """One digital-to-analog converter for each line; its model says how it codes the input."""

    sign_slice = False
    """Whether a bit-serial input drives its sign as a slice of its own."""

    @property
    def slices(self) -> int:
        """How many times one read is integrated and converted."""
        return slices(self.costs.spec.coding, self._bits) + self.sign_slice

    def window(self, integration_time: float | None, clock: Clock, *, rounding: str) -> int:
        """Return the time for which one slice is integrated, ps: ``integration_time`` (s), or as long as it is driven.

        Raises:
            ValueError: it is no whole number of cycles of ``clock``.
        """
        time = self.costs.property("drive_time") if integration_time is None else integration_time
        return clock.whole_cycles(time, rounding=rounding)

    @property
    def _bits(self) -> int:
        return 0 if self.costs.spec.coding == "level" else int(self.costs.property("bits"))

    def line_drive(self, inputs: np.ndarray, integration: int) -> LineDrive:
        """Return what (n, lines) inputs within +-1 put on the lines, heat in units of the ``integration`` time (ps)."""
        coding = self.costs.spec.coding
        drive = line_drive(coding, self._bits, inputs, sign_slice=self.sign_slice)
        if coding in ("level", "bit_serial"):
            return drive
        return LineDrive(drive.heat * self.costs.property("drive_time") / (integration * 1e-12), drive.charges)

    def conversions(self, duration: int, passes: int, lines: int) -> Entry:
        """Return the row of a bill for ``passes`` reads that drive ``lines`` lines."""
        return self.entry("convert", duration, passes * lines)


class Integrator(Component):
    """One integrator for each output line; its amplifier draws ``power`` (W) while it integrates.

    A model may also have an action ``integrate``, an energy for each integration whatever its time.
    """

    def integrations(self, after: int, integration: int, passes: int, lines: int) -> Entry:
        """Return the row of a bill for ``passes`` integrations of ``integration`` ps on ``lines`` lines."""
        each = self.costs.actions["integrate"].energy if "integrate" in self.costs.actions else 0.0
        energy = self.costs.property("power") * integration * 1e-12 + each
        return self.entry("integrate", integration * passes, passes * lines, after=after, energy=energy)


class SampleHold(Component):
    """One sample-and-hold circuit for each output line; it is busy until its sample has been converted."""

    double_buffered = False

    def interval(self, conversion: int) -> int:
        """Return the time for which one read keeps it, ps, if converting it takes ``conversion`` ps."""
        sampling = self.cost("sample").interval
        return sampling if self.double_buffered else sampling + conversion

    def samples(self, after: int, conversion: int, conversions: int, lines: int) -> Entry:
        """Return the row of a bill for the samples of ``conversions`` of ``conversion`` ps, on ``lines`` lines."""
        duration = self.interval(conversion) * conversions
        return self.entry("sample", duration, conversions * lines, after=after)


class Adc(Component):
    """The shared analog-to-digital converters of a tile; line i goes to converter i modulo their number.

    ``kind`` None: a conversion takes what the component model says. ``sar``: b + 1 cycles for b bits (as in
    DNN+NeuroSim V2.1, SarADC.cpp). ``flash``: one cycle. ``ramp``: 2^b cycles (single slope).
    """

    kind: str | None = None

    def _times(self, bits: int | None) -> tuple[int, int]:
        """Return latency and interval of one conversion, ps."""
        if self.kind in (None, "current_controlled_oscillator"):
            cost = self.cost("convert")
            return cost.latency, cost.interval
        assert bits is not None
        cycles = {"sar": bits + 1, "flash": 1, "ramp": 2**bits}[str(self.kind)]
        return cycles * self.costs.clock.period, cycles * self.costs.clock.period

    def interval(self, bits: int | None) -> int:
        """Return the time from one conversion of ``bits`` bits to the next of the same converter, ps."""
        return self._times(bits)[1]

    def conversion(self, lines: int, bits: int | None) -> int:
        """Return the time to convert ``lines`` lines, ps: side by side on all converters, one by one on each."""
        latency, interval = self._times(bits)
        return latency + (-(-lines // self.instances) - 1) * interval

    def conversions(self, after: int, conversion: int, conversions: int, lines: int) -> Entry:
        """Return the row of a bill for ``conversions`` of ``conversion`` ps, each of ``lines`` lines."""
        return self.entry("convert", conversion * conversions, conversions * lines, after=after)


class Accumulator(Component):
    """One adder behind each ADC that collects the results of a read, or recombines slices (shift-and-add)."""

    def rounds(self, lines: int) -> int:
        """Return how many additions one after the other ``lines`` lines take."""
        return -(-lines // self.instances)

    def delay(self, lines: int, pace: int) -> int:
        """Return the time from the last of ``lines`` conversions to its sum, ps.

        A converter hands over a line every ``pace`` ps; what comes faster than it can be added waits.
        """
        cost = self.cost("add")
        return cost.latency + (self.rounds(lines) - 1) * max(cost.interval - pace, 0)

    def additions(self, after: int, conversions: int, lines: int) -> Entry:
        """Return the row of a bill for one addition for each of ``lines`` converted lines."""
        duration = self.rounds(lines) * self.cost("add").interval * conversions
        return self.entry("add", duration, conversions * lines, after=after)
