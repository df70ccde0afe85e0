"""Numbers of a layer that stay in the chip's buffer between operations, and the digital work on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hwsim.chip.operations import Digital
from hwsim.chip.platform import Platform


class DigitalState:
    """The digital state that a training algorithm keeps of one layer: hidden buffers, references, chopper signs.

    It takes room in the hidden buffer (in the buffer, if the chip has none) for the whole run, and every access to it
    is one of that memory with its time and energy. A number has the chip's ``weight_bits``, a sign one bit.
    """

    def __init__(self, chip: Platform, layer: str) -> None:
        self._chip = chip
        self._layer = layer
        self._bits: dict[str, int] = {}

    def numbers(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Take room for numbers; returns them as float32 zeros.

        Raises:
            MappingError: the buffer is too small.
        """
        self._allocate(name, int(np.prod(shape)), self._chip.spec.weight_bits)
        return np.zeros(shape, dtype=np.float32)

    def signs(self, name: str, n: int) -> np.ndarray:
        """Take room for ``n`` signs; returns them as float32 ones.

        Raises:
            MappingError: the buffer is too small.
        """
        self._allocate(name, n, 1)
        return np.ones(n, dtype=np.float32)

    def _allocate(self, name: str, n: int, bits: int) -> None:
        self._bits[name] = bits
        self._chip.state_memory.allocate(-(-n * bits // 8), f"the state '{name}' of layer '{self._layer}'")

    def work(
        self,
        name: str,
        compute: Callable[[], Any],
        *,
        phase: str,
        n: int = 1,
        read: Mapping[str, int] | None = None,
        written: Mapping[str, int] | None = None,
        values_in: int = 0,
        values_out: int = 0,
        operations: Mapping[str, int] | None = None,
        expected: Callable[[], Any] | None = None,
    ) -> Digital:
        """Return the operation that does ``compute``; all counts are for each of ``n`` vectors.

        Args:
            name: what the work is called.
            compute: does it; its result is the result of the operation.
            phase: the phase that it is booked to.
            n: vectors.
            read: how many entries of which state are read, each in one go.
            written: how many are written.
            values_in: words that are read beside the state, such as the results of a transfer read.
            values_out: words that are written beside it, such as the values of a transfer write.
            operations: arithmetic of the digital unit.
            expected: makes what stands for the result where no numbers are kept (activity fidelity), unless that is
                values that are written.
        """
        observed = self._chip.observed(self._layer, name, compute, values_out, expected)
        return Digital(
            name, self._layer, n, dict(operations or {}), observed, words_in=values_in, words_out=values_out,
            state_read=self._accesses(read), state_written=self._accesses(written), phase=phase,
        )  # fmt: skip

    def _accesses(self, entries: Mapping[str, int] | None) -> tuple[int, ...]:
        return tuple(n * self._bits[name] for name, n in (entries or {}).items() if n)
