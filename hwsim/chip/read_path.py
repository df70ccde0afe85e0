"""The way of a read through the periphery of a tile: how long each part takes, which one sets the pace, and what is
booked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwsim.components.coding import LineDrive
from hwsim.components.converters import Accumulator, Adc, Dac, Integrator, SampleHold
from hwsim.devices import IOParameters, ReadResult
from hwsim.engine.ledger import Origin


@dataclass(frozen=True)
class ReadWork:
    """What a read asked of a tile: everything its time and energy depend on.

    ``passes`` are reads of the array, ``conversions`` those of each output, ``retries`` attempts that bound management
    repeated, ``per_result`` the conversions that one result takes. ``drive`` is what all passes put on each driven
    line. ``device`` is the one device of the unit cells that was read, None for all of them. A converter that codes its
    input in ``slices`` makes a pass and a conversion for each. ``out_bits`` are those of a conversion, None if its
    numbers are continuous.
    """

    passes: int
    conversions: int
    retries: int
    per_result: int
    drive: LineDrive
    lines_in: int
    lines_out: int
    transposed: bool
    device: int | None = None
    slices: int = 1
    out_bits: int | None = None


@dataclass(frozen=True)
class ReadTiming:
    """When the results of a read are there, in ps.

    Attributes:
        stages: time for which one conversion keeps each part of the periphery; they work on different conversions at
            the same time.
        collecting: time from the start of a conversion's first pass until its last one is integrated.
        conversion: time to convert all lines.
        latency: time from the start of the read to its first result.
        last: time from the start of the read to its last result.
    """

    stages: Mapping[str, int]
    collecting: int
    conversion: int
    latency: int
    last: int

    @property
    def interval(self) -> int:
        """Time from one conversion to the next."""
        return max(self.stages.values())

    @property
    def bottleneck(self) -> str:
        """The part that sets the pace; the first on the way of those that are equally slow."""
        return max(self.stages, key=lambda name: self.stages[name])


@dataclass(frozen=True)
class ReadPath:
    """Converters of the driven lines, integrators, sample-and-hold, converters of the outputs and adders.

    ``window`` is the time for which one slice is integrated, ps. Without ``sample_hold`` the output converters count
    while the array is integrated; without ``shift_add`` the accumulators recombine slices.
    """

    dac: Dac
    window: int
    integrator: Integrator
    sample_hold: SampleHold | None
    adc: Adc
    shift_add: Accumulator | None
    accumulator: Accumulator

    def drive(self, result: ReadResult, io: IOParameters) -> LineDrive:
        """Return what all attempts put on each line; two passes of one attempt drive each line once."""
        inputs = np.asarray(result.x_quantised, dtype=np.float64) / io.inp_bound
        drive = self.dac.line_drive(inputs, self.window)
        for index in np.flatnonzero(result.retries):
            # A retry halves the input scale, so each earlier attempt drove the lines twice as high, up to full scale.
            for earlier in range(1, int(result.retries[index]) + 1):
                higher = np.minimum(np.abs(inputs[index]) * 2.0**earlier, 1.0)
                drive += self.dac.line_drive(higher[None, :], self.window)
        return drive

    def work(
        self, result: ReadResult, io: IOParameters, drive: LineDrive, lines_in: int, lines_out: int, *, transposed: bool
    ) -> ReadWork:
        """Return the work of a read; ``drive`` is what it put on the ``lines_in`` driven lines."""
        slices = self.dac.slices
        passes, conversions, retries = (int(part.sum()) for part in (result.passes, result.conversions, result.retries))
        return ReadWork(
            passes * slices, conversions * slices, retries, io.conversions * slices, drive, lines_in, lines_out,
            transposed, slices=slices, out_bits=io.out_bits,
        )  # fmt: skip

    def timing(self, work: ReadWork) -> ReadTiming:
        """Return when the results of a read are there.

        A conversion takes the DACs and the integration of its pass (or of both passes that it collects), sampling and
        conversion one after the other, and a result the additions behind them; the next conversion follows as fast as
        the slowest part allows. Oscillators count during the integration and need at least their own time.
        """
        converting = self.dac.cost("convert").latency
        conversion = self.adc.conversion(work.lines_out, work.out_bits)
        collecting = (converting + self.window) * (work.passes // max(work.conversions, 1))
        stages: dict[str, int] = {}
        if self.sample_hold is None:
            collecting = max(collecting, converting + conversion)
            stages["dac"] = stages["adc"] = collecting
            first = collecting
        else:
            sampling = self.sample_hold.cost("sample").latency
            stages["dac"] = collecting
            stages["integrator"] = collecting - converting + sampling
            stages["sample_hold"] = self.sample_hold.interval(conversion)
            stages["adc"] = conversion
            first = collecting + sampling + conversion
        pace = self.adc.interval(work.out_bits)
        recombines = self.shift_add is not None and work.slices > 1
        for name, adder in (("shift_add", self.shift_add if recombines else None), ("accumulator", self.accumulator)):
            if adder is not None:
                stages[name] = adder.rounds(work.lines_out) * adder.cost("add").interval
                first += adder.delay(work.lines_out, pace)
        interval = max(stages.values())
        latency = first + (work.per_result - 1) * interval
        return ReadTiming(
            stages, collecting, conversion, latency, latency + (work.conversions - work.per_result) * interval
        )

    def book(self, origin: Origin, start: int, work: ReadWork, timing: ReadTiming) -> None:
        """Book a read that starts at ``start``, without the array."""
        lines, conversions = work.lines_out, work.conversions
        self.dac.book_read(origin, start, timing.collecting * conversions, work.passes, work.lines_in)
        at = start + self.dac.cost("convert").latency
        self.integrator.book_read(origin, at, self.window, work.passes, lines)
        if self.sample_hold is not None:
            at = start + timing.collecting
            self.sample_hold.book_read(origin, at, timing.stages["sample_hold"] * conversions, conversions, lines)
            at += self.sample_hold.cost("sample").latency
        self.adc.book_read(origin, at, timing.conversion * conversions, conversions, lines)
        at += timing.conversion
        results = conversions
        if self.shift_add is not None and work.slices > 1:
            self.shift_add.book_read(origin, at, conversions, lines)
            at += self.shift_add.cost("add").latency
            results //= work.slices
        self.accumulator.book_read(origin, at, results, lines)
