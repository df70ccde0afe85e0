"""The analog periphery of a tile: DACs, integrators, sample-and-hold, ADCs and accumulators as ranks of equal parts."""

from __future__ import annotations

import numpy as np

from hwsim.components.base import Component
from hwsim.components.coding import LineDrive, line_drive, slices
from hwsim.engine.ledger import Origin


class Dac(Component):
    """One digital-to-analog converter for each line; its model says how it codes the input."""

    @property
    def slices(self) -> int:
        """How many times one read is integrated and converted."""
        return slices(self.costs.spec.coding, self._bits)

    @property
    def _bits(self) -> int:
        return 0 if self.costs.spec.coding == "level" else int(self.costs.property("bits"))

    def line_drive(self, inputs: np.ndarray, integration: int) -> LineDrive:
        """Return what (n, lines) inputs within +-1 put on the lines, heat in units of the ``integration`` time (ps)."""
        coding = self.costs.spec.coding
        drive = line_drive(coding, self._bits, inputs)
        if coding in ("level", "bit_serial"):
            return drive
        return LineDrive(drive.heat * self.costs.property("drive_time") / (integration * 1e-12), drive.charges)

    def book_read(self, origin: Origin, start: int, duration: int, passes: int, lines: int) -> None:
        """Book the conversions of ``passes`` reads that drive ``lines`` lines."""
        self.book(origin, "convert", start, duration, passes * lines)


class Integrator(Component):
    """One integrator for each output line; its amplifier draws ``power`` (W) while it integrates.

    A model may also have an action ``integrate``, an energy for each integration whatever its time.
    """

    def book_read(self, origin: Origin, start: int, integration: int, passes: int, lines: int) -> None:
        """Book ``passes`` integrations of ``integration`` ps on ``lines`` lines."""
        each = self.costs.actions["integrate"].energy if "integrate" in self.costs.actions else 0.0
        energy = (self.costs.property("power") * integration * 1e-12 + each) * passes * lines
        self.book(origin, "integrate", start, integration * passes, passes * lines, energy=energy)


class SampleHold(Component):
    """One sample-and-hold circuit for each output line; it is busy until its sample has been converted."""

    double_buffered = False

    def interval(self, conversion: int) -> int:
        """Return the time for which one read keeps it, ps, if converting it takes ``conversion`` ps."""
        sampling = self.cost("sample").interval
        return sampling if self.double_buffered else sampling + conversion

    def book_read(self, origin: Origin, start: int, duration: int, passes: int, lines: int) -> None:
        """Book the samples of ``passes`` reads of ``lines`` lines."""
        self.book(origin, "sample", start, duration, passes * lines)


class Adc(Component):
    """The shared analog-to-digital converters of a tile; line i goes to converter i modulo their number."""

    def conversion(self, lines: int) -> int:
        """Return the time to convert ``lines`` lines, ps: side by side on all converters, one by one on each."""
        cost = self.cost("convert")
        rounds = -(-lines // self.instances)
        return cost.latency + (rounds - 1) * cost.interval

    def book_read(self, origin: Origin, start: int, duration: int, passes: int, lines: int) -> None:
        """Book the conversions of ``passes`` reads of ``lines`` lines."""
        self.book(origin, "convert", start, duration, passes * lines)


class Accumulator(Component):
    """One adder behind each ADC that collects the results of a read."""

    def book_read(self, origin: Origin, start: int, passes: int, lines: int) -> None:
        """Book one addition for each converted line."""
        rounds = -(-lines // self.instances)
        self.book(origin, "add", start, rounds * self.cost("add").interval * passes, passes * lines)
