"""The way of a read through the periphery of a tile: how long each part takes, which one sets the pace, and what is
booked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from hwsim.components.coding import LineDrive
from hwsim.components.converters import Accumulator, Adc, Dac, Integrator, SampleHold
from hwsim.devices import IOParameters, ReadResult
from hwsim.engine.bill import Bill
from hwsim.engine.ledger import Ledger


class ReadShape(NamedTuple):
    """What all reads of one kind have in common, and all that their times depend on.

    A conversion of each of ``lines_out`` lines follows ``passes`` reads of the array that drive ``lines_in`` lines. One
    result takes ``per_result`` conversions; a converter that codes its input in ``slices`` makes one for each, together
    a turn. ``out_bits`` are those of a conversion, None if its numbers are continuous.
    """

    passes: int
    per_result: int
    lines_in: int
    lines_out: int
    slices: int = 1
    out_bits: int | None = None


class ReadWork(NamedTuple):
    """What a read asked of a tile: everything its time and energy depend on.

    ``conversions`` are those of each output, ``retries`` attempts that bound management repeated. ``drive`` is what all
    passes put on each driven line: on line ``line`` alone, or on all lines if that is None. ``device`` is the one
    device of the unit cells that was read, None for all of them.
    """

    shape: ReadShape
    conversions: int
    retries: int
    drive: LineDrive
    transposed: bool
    line: int | None = None
    device: int | None = None

    @property
    def passes(self) -> int:
        """Reads of the array."""
        return self.conversions * self.shape.passes

    @property
    def turns(self) -> int:
        """Conversions of all slices of an input."""
        return self.conversions // self.shape.slices


@dataclass(frozen=True)
class ReadTiming:
    """When the results of a read are there, in ps.

    Attributes:
        stages: time for which one conversion keeps each part of the periphery; they work on different conversions at
            the same time.
        collecting: time from the start of a conversion's first pass until its last one is integrated.
        conversion: time to convert all lines.
        interval: time from one conversion to the next.
        latency: time from the start of the read to its first result.
        last: time from the start of the read to its last result.
    """

    stages: Mapping[str, int]
    collecting: int
    conversion: int
    interval: int
    latency: int
    last: int

    @property
    def bottleneck(self) -> str:
        """The part that sets the pace; the first on the way of those that are equally slow."""
        return max(self.stages, key=lambda name: self.stages[name])


class ReadCourse(NamedTuple):
    """How reads of one kind go: the times of a single result, and the bill of one turn without the array."""

    timing: ReadTiming
    bill: Bill

    def last(self, work: ReadWork) -> int:
        """Return the time from the start of a read to its last result, ps."""
        return self.timing.latency + (work.conversions - work.shape.per_result) * self.timing.interval


@dataclass(frozen=True)
class ReadPath:
    """Converters of the driven lines, integrators, sample-and-hold, converters of the outputs and adders.

    ``window`` is the time for which one slice is integrated, ps. Without ``sample_hold`` the output converters count
    while the array is integrated; without ``shift_add`` the accumulators recombine slices.
    """

    ledger: Ledger
    dac: Dac
    window: int
    integrator: Integrator
    sample_hold: SampleHold | None
    adc: Adc
    shift_add: Accumulator | None
    accumulator: Accumulator
    _courses: dict[ReadShape, ReadCourse] = field(default_factory=dict)
    _converters: dict[int, tuple[IOParameters, tuple[int, int, int | None]]] = field(default_factory=dict)

    def _drive(self, result: ReadResult, io: IOParameters) -> LineDrive:
        """Return what all attempts put on each line; two passes of one attempt drive each line once."""
        inputs = result.x_quantised if io.inp_bound == 1 else result.x_quantised / np.float64(io.inp_bound)
        drive = self.dac.line_drive(inputs, self.window)
        if result.retried:
            # A retry halves the input scale, so each earlier attempt drove the lines twice as high, up to full scale.
            for earlier in range(1, int(result.retries.max()) + 1):
                higher = np.minimum(np.abs(inputs[result.retries >= earlier]) * 2.0**earlier, 1.0)
                drive += self.dac.line_drive(higher, self.window)
        return drive

    def work(
        self,
        result: ReadResult,
        io: IOParameters,
        lines: tuple[int, int],
        *,
        transposed: bool,
        line: int | None = None,
        device: int | None = None,
    ) -> ReadWork:
        """Return the work of a read that drove the first number of ``lines`` and converted the second."""
        slices, per_result, out_bits = self._of_converters(io)
        shape = ReadShape(result.passes_each // result.conversions_each, per_result, *lines, slices, out_bits)
        conversions = result.attempts * result.conversions_each * slices
        return ReadWork(shape, conversions, result.retried, self._drive(result, io), transposed, line, device)

    def _of_converters(self, io: IOParameters) -> tuple[int, int, int | None]:
        """Return the slices of an input, the conversions of a result and their bits."""
        known = self._converters.get(id(io))
        if known is None or known[0] is not io:
            slices = self.dac.slices
            known = self._converters[id(io)] = (io, (slices, io.conversions * slices, io.out_bits))
        return known[1]

    def course(self, shape: ReadShape) -> ReadCourse:
        """Return how reads of one kind go."""
        course = self._courses.get(shape)
        if course is None:
            timing = self._timing(shape)
            course = self._courses[shape] = ReadCourse(timing, self._bill(shape, timing))
        return course

    def timing(self, work: ReadWork) -> ReadTiming:
        """Return when the results of a read are there."""
        course = self.course(work.shape)
        return replace(course.timing, last=course.last(work))

    def _timing(self, shape: ReadShape) -> ReadTiming:
        """Return the times of a single result.

        A conversion takes the DACs and the integration of its pass (or of both passes that it collects), sampling and
        conversion one after the other, and a result the additions behind them; the next conversion follows as fast as
        the slowest part allows. Oscillators count during the integration and need at least their own time.
        """
        converting = self.dac.cost("convert").latency
        conversion = self.adc.conversion(shape.lines_out, shape.out_bits)
        collecting = (converting + self.window) * shape.passes
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
        pace = self.adc.interval(shape.out_bits)
        for name, adder in (("shift_add", self._recombining(shape)), ("accumulator", self.accumulator)):
            if adder is not None:
                stages[name] = adder.rounds(shape.lines_out) * adder.cost("add").interval
                first += adder.delay(shape.lines_out, pace)
        interval = max(stages.values())
        latency = first + (shape.per_result - 1) * interval
        return ReadTiming(stages, collecting, conversion, interval, latency, latency)

    def _recombining(self, shape: ReadShape) -> Accumulator | None:
        """The adders that recombine slices, if the accumulators do not have to."""
        return self.shift_add if shape.slices > 1 else None

    def _bill(self, shape: ReadShape, timing: ReadTiming) -> Bill:
        """Return what one turn costs, without the array."""
        lines, turn = shape.lines_out, shape.slices
        passes = turn * shape.passes
        integrating = self.dac.cost("convert").latency
        entries = [
            self.dac.conversions(timing.collecting * turn, passes, shape.lines_in),
            self.integrator.integrations(integrating, self.window, passes, lines),
        ]
        at = integrating
        if self.sample_hold is not None:
            entries.append(self.sample_hold.samples(timing.collecting, timing.conversion, turn, lines))
            at = timing.collecting + self.sample_hold.cost("sample").latency
        entries.append(self.adc.conversions(at, timing.conversion, turn, lines))
        at += timing.conversion
        if (recombining := self._recombining(shape)) is not None:
            entries.append(recombining.additions(at, turn, lines))
            at += recombining.cost("add").latency
            turn = 1
        entries.append(self.accumulator.additions(at, turn, lines))
        return self.ledger.bill(entries)
