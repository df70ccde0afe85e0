"""The energy of a crossbar array: reads from voltages and conductances, updates from pulses and half-selected lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hwsim._kernels.lines import exposed, fired
from hwsim.components.base import Component
from hwsim.components.coding import LineDrive
from hwsim.devices import UpdateResult
from hwsim.spec.device import CellSpec

Numbers = Any
"""A number, or an array with one for each update."""


@dataclass(frozen=True)
class Conductance:
    """The linear map ``g = offset + scale w`` (S): ``w_min`` is at ``g_min``, ``w_max`` at ``g_max``."""

    offset: float
    scale: float

    @classmethod
    def of(cls, cell: CellSpec, w_min: float, w_max: float) -> Conductance:
        """Make the map of a cell whose device has these mean weight bounds."""
        scale = (cell.g_max - cell.g_min) / (w_max - w_min)
        return cls(cell.g_min - w_min * scale, scale)


class Crossbar(Component):
    """The arrays of a tile; an instance is one device, which itself always draws ``standby_power`` (W)."""

    standby_power = 0.0

    @property
    def leakage(self) -> float:
        """Power that it always draws, W."""
        return (self.costs.leakage + self.standby_power) * self.instances


def read_energy(
    cell: CellSpec,
    conductance: Conductance,
    drive: LineDrive,
    weight_sums: np.ndarray,
    n_cells: int,
    time: float,
    *,
    references: bool = True,
    shared_reference: bool = False,
    line_capacitance: float = 0.0,
) -> float:
    """Return the energy of reads, J: Joule heating of the cells and the charging of the driven lines.

    For level-coded inputs ``t sum_ij V_j^2 (G_ij + G_ref) + C sum_j V_j^2``; other codings differ in what ``drive``
    holds. The reference cell (w = 0) of each cell is read along with it on a line of its own, because a weight is the
    difference of the two. Source: read formula of a level-coded crossbar, E = t_int sum V^2 G, and the charging of its
    active lines, C V^2.

    Args:
        cell: voltages of the cell.
        conductance: map from weights to conductances.
        drive: what all reads put on each driven line.
        weight_sums: (lines,) sum of the weights on each driven line.
        n_cells: cells on each driven line.
        time: integration time, s.
        references: False where the weight is the difference of two devices, so that no reference cell is read.
        shared_reference: True where one line of reference cells serves the whole array: each driven line has one.
        line_capacitance: of one driven line, F.
    """
    exposure = Exposure.of(
        cell, conductance, n_cells, time, references=references, shared_reference=shared_reference,
        line_capacitance=line_capacitance,
    )  # fmt: skip
    return exposure.energy(drive, weight_sums)


class Exposure(NamedTuple):
    """What all reads of an array by the same lines have in common.

    ``squared`` is the full voltage squared, V^2, ``time`` the integration time, s; the cells on a driven line conduct
    ``at_zero`` plus ``scale`` times the sum of their weights, S, and are charged with ``capacitance``, F.
    """

    squared: float
    time: float
    at_zero: float
    scale: float
    capacitance: float

    @classmethod
    def of(
        cls,
        cell: CellSpec,
        conductance: Conductance,
        n_cells: int,
        time: float,
        *,
        references: bool,
        shared_reference: bool,
        line_capacitance: float,
    ) -> Exposure:
        """Make it from the arguments of :func:`read_energy`."""
        lines = 2 if references else 1
        at_zero = (lines * n_cells + shared_reference) * conductance.offset
        return cls(cell.read_voltage**2, time, at_zero, conductance.scale, lines * line_capacitance)

    def energy(self, drive: LineDrive, weight_sums: np.ndarray) -> float:
        """Return the energy of reads, J; see :func:`read_energy`."""
        squared, time, at_zero, scale, capacitance = self
        return squared * exposed(drive.heat, drive.charges, weight_sums, at_zero, scale, time, capacitance)

    def energies_of_line(self, drive: LineDrive, weight_sums: np.ndarray) -> np.ndarray:
        """Return the energy of reads (n,) of one line, J, that find these sums (n,) of weights on it."""
        squared, time, at_zero, scale, capacitance = self
        heat = np.maximum(at_zero + scale * weight_sums, 0.0) * drive.heat[0]
        return squared * (time * heat + capacitance * drive.charges[0])


@dataclass(frozen=True)
class _Pulses:
    """What the lines of an array did during pulse trains: coincidences, and cells on firing lines."""

    coincidences: Numbers
    on_lines: Numbers
    """Sum over the firings of every line of the cells on it; a coincidence counts twice."""

    @property
    def half_selected(self) -> Numbers:
        """How often a cell was on exactly one firing line."""
        return _not_negative(self.on_lines - 2 * self.coincidences)


def _not_negative(value: Numbers) -> Numbers:
    return np.maximum(value, 0.0) if isinstance(value, np.ndarray) else max(value, 0.0)


class Firings(NamedTuple):
    """What the lines of an array of ``shape`` (rows, cols) did during pulse trains.

    ``rows`` and ``cols`` are the firings of all rows and of all columns, and ``on_lines`` is the sum over all of them
    of the weights on the line, as the array stands before the update.
    """

    shape: tuple[int, int]
    rows: Numbers
    cols: Numbers
    on_lines: Numbers

    @classmethod
    def of(cls, row_fires: np.ndarray, col_fires: np.ndarray, sums: tuple[np.ndarray, np.ndarray]) -> Firings:
        """Add up the firings (rows,) and (cols,) of lines with these ``sums`` of weights, (rows,) and (cols,)."""
        rows, cols = float(np.add.reduce(row_fires)), float(np.add.reduce(col_fires))
        weights = float(np.dot(row_fires, sums[0]) + np.dot(col_fires, sums[1]))
        return cls((len(row_fires), len(col_fires)), rows, cols, weights)

    @classmethod
    def of_update(cls, result: UpdateResult, sums: tuple[np.ndarray, np.ndarray]) -> Firings:
        """Return the firings of an update of one device a cell; ``sums`` are those of the weights before it.

        Expected firings are no whole numbers.
        """
        row_fires, col_fires = result.row_fires, result.col_fires
        shape = (row_fires.shape[1], col_fires.shape[1])
        if result.on_lines is not None:
            totals = result.totals
            return cls(shape, totals.row_fires, totals.col_fires, result.on_lines)
        if row_fires.dtype == np.uint32:
            return cls(shape, *fired(row_fires, col_fires, *sums))
        return cls.of(np.add.reduce(row_fires, axis=0), np.add.reduce(col_fires, axis=0), sums)


def update_energy(
    cell: CellSpec,
    conductance: Conductance,
    *,
    pulses: int,
    weight_before: float,
    row_fires: np.ndarray,
    col_fires: np.ndarray,
    row_sums: np.ndarray,
    col_sums: np.ndarray,
    line_capacitance: tuple[float, float],
) -> float:
    """Return the energy of pulsed updates, J: in the cells, and the charging of the firing lines.

    A cell where both lines fire sees V, a cell on one firing line V/2, and every firing charges its line to V/2::

        E = t [V^2 sum_pulses G + (V/2)^2 (2 / nonlinearity) (sum_i r_i G_i. + sum_j c_j G_.j - 2 sum_pulses G)]
            + (V/2)^2 (C_row sum r + C_col sum c)

    A ``gate`` cell dissipates no channel current: a pulse takes ``C V^2 + I V t + Q V`` at its gate, half-selected
    ``(C V^2 + I V t) / 4``. In a ``current_source`` cell the lines swing by V and each charges half of C in every cell
    on it; a coincidence adds ``I V t + Q V``. Sources: half-voltage scheme of stochastic updates (Gokmen & Vlasov,
    Front. Neurosci. 10:333, 2016), Joule heating; half-selected cells of a current ratio as in MLP+NeuroSim V3.0,
    Cell.cpp; pulses of other cells from the charge that the source delivers at its voltage.

    Args:
        cell: voltages, pulse width, and what a pulse charges.
        conductance: map from weights to conductances.
        pulses: coincidences.
        weight_before: sum over the pulses of the weight before each.
        row_fires: (rows,) firings of each row.
        col_fires: (cols,) firings of each column.
        row_sums: (rows,) sum of the weights of each row, as the array stands before the update.
        col_sums: (cols,) the same of each column.
        line_capacitance: of a row and of a column, F.
    """
    firings = Firings.of(row_fires, col_fires, (row_sums, col_sums))
    return firing_energy(cell, conductance, pulses, weight_before, firings, line_capacitance)


def firing_energy(
    cell: CellSpec,
    conductance: Conductance,
    pulses: Numbers,
    weight_before: Numbers,
    firings: Firings,
    line_capacitance: tuple[float, float],
) -> Numbers:
    """Return the energy of pulsed updates, J, as :func:`update_energy` does, where the firings are added up already.

    All counts and sums can also be arrays, of one number for each update.
    """
    (n_rows, n_cols), rows, cols, on_lines = firings
    swing = cell.write_voltage if cell.write == "current_source" else cell.write_voltage / 2
    charging = swing**2 * (line_capacitance[0] * rows + line_capacitance[1] * cols)
    cells = rows * n_cols + cols * n_rows
    if cell.write != "resistive":
        return charging + _charge_energy(cell, _Pulses(pulses, cells))
    selected = _not_negative(conductance.offset * pulses + conductance.scale * weight_before)
    on_firing = conductance.offset * cells + conductance.scale * on_lines
    half_selected = _not_negative(on_firing - 2 * selected) * (2 / cell.nonlinearity)
    heat = cell.pulse_width * cell.write_voltage**2 * (selected + half_selected / 4)
    return heat + charging


def _charge_energy(cell: CellSpec, lines: _Pulses) -> Numbers:
    """Energy in cells that take no channel current while they are written, J."""
    capacitive = cell.gate_capacitance * cell.write_voltage**2
    current = cell.write_current * cell.write_voltage * cell.pulse_width
    switched = cell.switching_charge * cell.write_voltage
    if cell.write == "gate":
        whole = capacitive + current
        return lines.coincidences * (whole + switched) + lines.half_selected * whole / 4
    return lines.on_lines * capacitive / 2 + lines.coincidences * (current + switched)
