"""Faults of one array of devices and of its periphery, as the numbers see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hwsim.devices.law import KernelForm
from hwsim.devices.plan import TrainPlan

F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class StuckDevices:
    """Devices of a plane that keep their weight: ``chosen`` (rows, cols), at ``weight`` or at their own bound.

    ``weight`` is (rows, cols): a number, infinity for the upper bound, -infinity for the lower one.
    """

    chosen: Mask
    weight: NDArray[np.float64]

    def into(self, form: KernelForm) -> KernelForm:
        """Return the form of a law in which these devices have both bounds at one weight, and so no room to move.

        A device of the law ``table`` keeps its nodes and gets steps of zero: it is stuck within its curve's bounds.
        """
        bound = np.where(self.weight > 0, form.high, form.low)
        wanted = np.where(np.isinf(self.weight), bound, self.weight)
        if form.law == "table":
            wanted = np.clip(wanted, form.low, form.high)
        low, high = np.where(self.chosen, wanted, form.low), np.where(self.chosen, wanted, form.high)
        if form.law == "table":
            nodes = len(form.planes) // 3
            steps = [np.where(self.chosen, 0.0, plane) for plane in form.planes[nodes:]]
            return replace(form, planes=(*form.planes[:nodes], *steps), low=low, high=high)
        return replace(form, planes=(*form.planes[:-2], low, high), low=low, high=high)


@dataclass(frozen=True, slots=True)
class LineFaults:
    """What is wrong with the n lines of one side of an array.

    ``open`` (n,): no voltage, current or pulse passes. ``groups`` are lines that touch: each carries the mean of what
    they would. ``missed`` (n,): probability that a pulse is left out.
    """

    open: Mask
    groups: Sequence[NDArray[np.intp]]
    missed: NDArray[np.float64]

    @classmethod
    def of(cls, open_lines: Mask, touches_next: Mask, missed: NDArray[np.float64]) -> LineFaults:
        """Make the faults of lines of which some touch the next one; a line that is open touches none."""
        touches = np.append(touches_next[:-1] & ~open_lines[:-1] & ~open_lines[1:], False)
        starts = np.flatnonzero(~np.concatenate([[False], touches[:-1]]))
        groups = [group for group in np.split(np.arange(len(touches)), starts[1:]) if len(group) > 1]
        return cls(open_lines, groups, missed)

    def carried(self, values: F32, axis: int) -> F32:
        """Return what reaches the far side of the lines along ``axis`` of ``values``, one value a line."""
        carried = np.moveaxis(values.copy(), axis, -1)
        for group in self.groups:
            carried[..., group] = carried[..., group].mean(axis=-1, keepdims=True)
        carried[..., self.open] = 0.0
        return np.ascontiguousarray(np.moveaxis(carried, -1, axis))

    def pulsed(self, values: F32, gain: NDArray[np.float64]) -> F32:
        """Return the (n, lines) values whose trains, at ``gain`` (n,), are those that come out of faulty generators.

        A line fires with the probability min(1, gain |value|). Pulses that are left out by chance thin a train as a
        smaller probability does, so the value is cut where it fires always, and then made smaller.
        """
        if self.missed.any():
            most = np.divide(1.0, gain, out=np.full(len(gain), np.inf), where=gain > 0)[:, None]
            values = (np.clip(values, -most, most) * (1 - self.missed)).astype(np.float32)
        return self.carried(values, 1)


@dataclass(frozen=True, slots=True)
class ReadFaults:
    """Errors of the converters around one direction of reads: ``gain`` and ``offset`` of inputs and outputs, and the
    outputs whose converters are ``dead``. Offsets are parts of full scale."""

    input_gain: F32
    input_offset: F32
    output_gain: F32
    output_offset: F32
    dead: Mask

    def drive(self, applied: F32, line: int | None, full_scale: float) -> F32:
        """Return the voltages on the lines for the inputs ``applied`` (n, inputs), or on the one ``line`` (n, 1)."""
        chosen = slice(None) if line is None else slice(line, line + 1)
        scale = np.float32(full_scale if full_scale > 0 else 1.0)
        return applied * self.input_gain[chosen] + self.input_offset[chosen] * scale

    def sense(self, currents: F32, full_scale: float) -> F32:
        """Return what the converters of the outputs see, (n, outputs); dead ones see nothing."""
        scale = np.float32(full_scale if full_scale > 0 else 1.0)
        return np.where(self.dead, np.float32(0), currents * self.output_gain + self.output_offset * scale)


@dataclass(frozen=True, slots=True)
class ArrayFaults:
    """All faults of one array: ``stuck`` devices of each plane of its unit cells (None: none), ``rows`` and ``cols``,
    and the converters of ``forward`` and ``backward`` reads."""

    stuck: tuple[StuckDevices | None, ...] = ()
    rows: LineFaults | None = None
    cols: LineFaults | None = None
    forward: ReadFaults | None = None
    backward: ReadFaults | None = None
    plane: int = field(default=0)

    def of_plane(self, plane: int) -> ArrayFaults:
        """Return the faults of one plane of devices."""
        return replace(self, plane=plane)

    def into(self, form: KernelForm) -> KernelForm:
        """Return the form of a law with the stuck devices of this plane."""
        stuck = self.stuck[self.plane] if self.plane < len(self.stuck) else None
        return form if stuck is None else stuck.into(form)

    @property
    def lines_fail(self) -> bool:
        """Whether lines or their pulse generators have faults."""
        return self.rows is not None or self.cols is not None

    def seen(self, weights: F32) -> F32:
        """Return the (rows, cols) weights that a read from outside of the lines sees."""
        for lines, axis in ((self.rows, 0), (self.cols, 1)):
            if lines is not None:
                weights = lines.carried(weights, axis)
        return weights

    def pulsed(self, x: F32, d: F32, plan: TrainPlan) -> tuple[F32, F32]:
        """Return the vectors whose trains are those that reach the devices."""
        x = x if self.cols is None else self.cols.pulsed(x, plan.col_gain)
        return x, d if self.rows is None else self.rows.pulsed(d, plan.row_gain)

    def reached(self, shape: tuple[int, int], draws: tuple[NDArray[np.float64], NDArray[np.float64]]) -> Mask:
        """Return the (rows, cols) devices that a pulse on all lines reaches; ``draws`` are uniforms for both sides."""
        sides = []
        for lines, uniforms, n in zip((self.rows, self.cols), draws, shape, strict=True):
            sides.append(np.ones(n, bool) if lines is None else ~lines.open & (uniforms >= lines.missed))
        return sides[0][:, None] & sides[1]
