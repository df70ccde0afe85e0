"""How input converters drive their lines, and what that means for the energy of a read.

A level-coded converter holds a voltage in proportion to the input for the whole integration. The others drive the full
voltage: for a time in proportion to the input (pulse width), in one slot for each bit that is set (bit serial), or for
two such times, one for the upper and one for the lower half of the bits (split pulse width). Bit-serial and split
inputs take several slices, each integrated and converted on its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hwsim._kernels.lines import squares
from hwsim.spec.component import Coding


class LineDrive(NamedTuple):
    """What vectors of inputs put on each line.

    ``heat`` (lines,): sum of squared voltage times time, in units of the full voltage squared and of the longest drive
    of one slice. ``charges`` (lines,): sum of the squared swings, in units of the full voltage squared.
    """

    heat: np.ndarray
    charges: np.ndarray

    def __add__(self, other: object) -> LineDrive:
        """Return what both put on the lines together."""
        if not isinstance(other, LineDrive):
            return NotImplemented
        return LineDrive(self.heat + other.heat, self.charges + other.charges)


def slices(coding: Coding, bits: int) -> int:
    """Return how many times an input of ``bits`` bits, sign included, is integrated and converted."""
    return {"level": 1, "pulse_width": 1, "bit_serial": bits - 1, "split_pulse_width": 2}[coding]


def _squares(inputs: np.ndarray) -> np.ndarray:
    return np.einsum("nj,nj->j", inputs, inputs, dtype=np.float64)


def line_drive(coding: Coding, bits: int, inputs: np.ndarray, *, sign_slice: bool = False) -> LineDrive:
    """Return what (n, lines) inputs within +-1 put on the lines; ``bits`` include the sign.

    ``sign_slice``: bit-serial inputs are driven in two's complement, the sign in a slice of its own.

    Heat follows from E = V^2 G t of each cell. Source: read formulas of level-coded and pulse-width-coded crossbars,
    E = t sum V^2 G and E = V^2 t_lsb sum |x| G.
    """
    if coding == "level":
        heat = squares(np.ascontiguousarray(inputs, np.float32)) if inputs.dtype == np.float32 else _squares(inputs)
        return LineDrive(heat, heat)
    size = np.abs(np.asarray(inputs, dtype=np.float64))
    if coding == "pulse_width":
        return LineDrive(size.sum(axis=0), np.count_nonzero(size, axis=0).astype(float))
    counts = np.rint(size * (2 ** (bits - 1) - 1)).astype(np.int64)
    if coding == "bit_serial":
        if sign_slice:
            counts = np.where(np.signbit(inputs), (2**bits - counts) % 2**bits, counts)
        ones = np.bitwise_count(counts).sum(axis=0).astype(float)
        return LineDrive(ones, ones)
    upper, lower = np.divmod(counts, 2 ** (bits // 2))
    slots = (upper + lower).sum(axis=0) / 2 ** (bits // 2)
    return LineDrive(slots, (np.sign(upper) + np.sign(lower)).sum(axis=0).astype(float))
