"""The energy of a crossbar array: reads from voltages and conductances, updates from pulses and half-selected lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.spec.device import CellSpec


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


def read_energy(
    cell: CellSpec,
    conductance: Conductance,
    drive: np.ndarray,
    weight_sums: np.ndarray,
    n_cells: int,
    time: float,
    *,
    references: bool = True,
) -> float:
    """Return the energy of level-coded reads, J: ``t sum_ij V_j^2 (G_ij + G_ref)``.

    The reference cell (w = 0) of each cell is read along with it, because a weight is the difference of the two.
    Source: the read formula of a level-coded crossbar, E = t_int sum V^2 G (Joule heating of each cell).

    Args:
        cell: voltages of the cell.
        conductance: map from weights to conductances.
        drive: (lines,) sum over the reads of the squared input of each driven line, in units of a full-scale input.
        weight_sums: (lines,) sum of the weights on each driven line.
        n_cells: cells on each driven line.
        time: integration time, s.
        references: False where the weight is the difference of two devices, so that no reference cell is read.
    """
    on_line = (2 if references else 1) * conductance.offset * n_cells + conductance.scale * weight_sums
    return float(time * cell.read_voltage**2 * np.dot(drive, np.maximum(on_line, 0.0)))


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
    """Return the energy of pulsed updates, J.

    A cell where both lines fire sees V, a cell on one firing line V/2; every firing charges its line to V/2::

        E = t [V^2 sum_pulses G + (V/2)^2 (sum_i r_i G_i. + sum_j c_j G_.j - 2 sum_pulses G)]
            + (V/2)^2 (C_row sum r + C_col sum c)

    A ``gate`` cell dissipates no channel current: its gates take ``C V^2`` for a pulse and ``C (V/2)^2`` half-selected.
    Source: half-voltage scheme of stochastic updates (Gokmen & Vlasov, Front. Neurosci. 10:333, 2016), Joule heating.

    Args:
        cell: voltages, pulse width and gate capacitance.
        conductance: map from weights to conductances.
        pulses: coincidences.
        weight_before: sum over the pulses of the weight before each.
        row_fires: (rows,) firings of each row.
        col_fires: (cols,) firings of each column.
        row_sums: (rows,) sum of the weights of each row, as the array stands before the update.
        col_sums: (cols,) the same of each column.
        line_capacitance: of a row and of a column, F.
    """
    half = (cell.write_voltage / 2) ** 2
    rows, cols = len(row_fires), len(col_fires)
    row_total, col_total = float(row_fires.sum()), float(col_fires.sum())
    charging = half * (line_capacitance[0] * row_total + line_capacitance[1] * col_total)
    if cell.write == "gate":
        selected = float(pulses)
        lines = row_total * cols + col_total * rows
        return (
            cell.gate_capacitance * (cell.write_voltage**2 * selected + half * max(lines - 2 * selected, 0.0))
            + charging
        )
    selected = max(conductance.offset * pulses + conductance.scale * weight_before, 0.0)
    on_rows = conductance.offset * cols * row_total + conductance.scale * float(np.dot(row_fires, row_sums))
    on_cols = conductance.offset * rows * col_total + conductance.scale * float(np.dot(col_fires, col_sums))
    half_selected = max(on_rows + on_cols - 2 * selected, 0.0)
    return cell.pulse_width * (cell.write_voltage**2 * selected + half * half_selected) + charging
