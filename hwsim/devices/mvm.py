"""Matrix-vector products through converters: scale, DAC, array, noise, ADC, retries on saturation.

A few vectors through a plain array are one call of the kernel; everything else goes from converter to converter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim._kernels import converter
from hwsim._kernels.converter import ReadChain
from hwsim.devices.blas import single_thread_blas
from hwsim.devices.faults import ReadFaults
from hwsim.devices.periphery import Periphery, counts_anew
from hwsim.devices.results import ReadResult
from hwsim.devices.scale import input_scale, worst_case_scale
from hwsim.engine.rng import stream_key
from hwsim.spec.analog import IOParameters

F32 = NDArray[np.float32]
SMALLEST_SCALE = np.float32(1e-37)
"""Below it an inverse would overflow in float32."""
FEW_VECTORS = 24
"""Vectors up to which a product of the kernel's own takes less time than one of BLAS."""


@dataclass(frozen=True, slots=True)
class ReadKeys:
    """Random streams of the reads of one array for one purpose: (noise, rounding, read noise) of each converter."""

    dac: tuple[int, int, int]
    adc: tuple[int, int, int]

    @classmethod
    def of(cls, seed: int, path: str, purpose: str) -> ReadKeys:
        """Return the streams that the array at ``path`` uses for reads of ``purpose``."""

        def key(name: str) -> int:
            return stream_key(seed, path, f"read.{purpose}.{name}")

        return cls(
            (key("input noise"), key("input rounding"), 0),
            (key("output noise"), key("output rounding"), key("weight noise")),
        )


class Reader:
    """Reads one array in one direction for one purpose: through its converters, with random streams of its own.

    ``shape`` is (rows, cols) of the array; the inputs are its columns, or its rows if ``transposed``. ``faults`` are
    those of its converters.
    """

    def __init__(
        self,
        io: IOParameters,
        seed: int,
        path: str,
        shape: tuple[int, int],
        purpose: str,
        transposed: bool,
        faults: ReadFaults | None = None,
    ) -> None:
        self.io = io
        self.periphery = Periphery(io, seed, path, shape, transposed, faults)
        self.keys = ReadKeys.of(seed, path, purpose)
        self._chain = self._make_chain() if self._is_plain else None

    @property
    def _is_plain(self) -> bool:
        """Whether the array gives plain products and a retry only halves the inputs, so that the kernel does it all."""
        io = self.io
        noisy_weights = io.w_noise > 0 and io.w_noise_type != "none"
        return (
            self.periphery.plain
            and self.periphery.faults is None
            and io.mv_type == "one_pass"
            and io.bound_management != "iterative_worst_case"
            and not io.is_perfect
            and not noisy_weights
        )

    def _make_chain(self) -> ReadChain:
        io, periphery = self.io, self.periphery
        return ReadChain(
            (io.inp_bound, io.inp_step, io.inp_noise, io.inp_asymmetry, io.inp_sto_round, self.keys.dac),
            (io.out_bound, io.out_step, io.out_noise, io.out_asymmetry, io.out_sto_round, self.keys.adc),
            io.out_scale,
            io.bm_test_negative_bound,
            periphery.retries,
            periphery.noise_std,
            periphery.nonlinearity,
            periphery.slope,
        )

    def read(self, matrix: F32, x: F32, first: int, scale: F32 | None = None, line: int | None = None) -> ReadResult:
        """Multiply the vectors ``x`` (n, inputs) by ``matrix`` (inputs, outputs) through the converters.

        ``first`` is the ordinal of the first vector in the random streams: each vector has its own numbers, each retry
        new ones. ``scale`` (n,) replaces the divisor of noise management. With ``line`` only that input of the array is
        driven: ``x`` is (n, 1), ``matrix`` (1, outputs).
        """
        io, n = self.io, len(x)
        if io.is_perfect:
            with single_thread_blas():
                y = self.periphery.exact(matrix, x, line)
            return ReadResult(y * np.float32(io.out_scale), np.zeros(n, np.int32), 0, 0, x, np.ones(n, np.float32))
        divisor = input_scale(x, io) if scale is None else np.ascontiguousarray(scale, np.float32)
        if self._chain is not None and n <= FEW_VECTORS:
            y, applied, retries, retried, saturated = self._chain.read(matrix, x, divisor, first)
            return ReadResult(y, retries, retried, saturated, applied, divisor)
        y, applied, retries, saturated = self._in_steps(matrix, x, divisor, first, line)
        return ReadResult(y, retries, int(retries.sum()), saturated, applied, divisor, io.passes, io.conversions)

    def read_lines(self, lines: F32, numbers: Sequence[int], first: int, scale: F32) -> ReadResult:
        """Read single lines one after the other, each with a 1 on its input and ``scale`` (1,) as divisor.

        Row k of ``lines`` (n, outputs) are the weights on line ``numbers[k]``. As many calls of :meth:`read` give the
        same numbers.
        """
        x = np.ones((1, 1), np.float32)
        if self._chain is not None:
            y, applied, retries, retried, saturated = self._chain.read_lines(lines, 1.0, float(scale[0]), first)
            return ReadResult(y, retries, retried, saturated, applied, np.repeat(scale, len(lines)))
        if not len(lines):
            return ReadResult(lines, np.zeros(0, np.int32), 0, 0, np.zeros((0, 1), np.float32), scale[:0])
        each = [self.read(lines[k : k + 1], x, first + k, scale, number) for k, number in enumerate(numbers)]
        y, retries, applied, divisors = (
            np.concatenate([getattr(result, name) for result in each])
            for name in ("y", "retries", "x_quantised", "input_scale")
        )
        return ReadResult(
            y, retries, int(retries.sum()), sum(result.saturated for result in each), applied, divisors,
            each[0].passes_each, each[0].conversions_each,
        )  # fmt: skip

    def _in_steps(
        self, matrix: F32, x: F32, divisor: F32, first: int, line: int | None
    ) -> tuple[F32, F32, NDArray[np.int32], int]:
        """Return outputs, clean inputs, retries and saturated outputs, converter by converter."""
        ordinals = np.arange(first, first + len(x), dtype=np.uint64)
        with single_thread_blas():
            y, beyond, applied = self._attempt(matrix, x, divisor, ordinals, 0, line)
            retries = np.zeros(len(x), np.int32)
            for retry in range(1, self.periphery.retries + 1):
                if not beyond.any():
                    break
                again = np.flatnonzero(beyond)
                wider = _wider(x[again], divisor[again], self.io, retry)
                y[again], beyond[again], applied[again] = self._attempt(
                    matrix, x[again], wider, ordinals[again], retry, line
                )
                retries[again] += 1
        return self.periphery.silenced(y), applied, retries, int(beyond.sum())

    def _attempt(
        self, matrix: F32, x: F32, divisor: F32, ordinals: NDArray[np.uint64], retry: int, line: int | None
    ) -> tuple[F32, NDArray[np.int32], F32]:
        """Read once with the vectors ``x`` (n, inputs) over ``divisor`` (n,): outputs, saturated ones, clean inputs."""
        io = self.io
        factor = np.reciprocal(np.maximum(divisor, SMALLEST_SCALE))
        clean, applied = converter.dac(
            x,
            factor,
            ordinals,
            retry,
            io.inp_bound,
            io.inp_step,
            io.inp_noise,
            io.inp_asymmetry,
            io.inp_sto_round,
            self.keys.dac,
        )
        if io.mv_type == "one_pass":
            y = self.periphery.currents(matrix, applied, line)
            return *self._convert(matrix, y, applied, divisor, ordinals, retry), clean
        positive, negative = np.maximum(applied, 0), np.minimum(applied, 0)
        halves = [
            self.periphery.currents(matrix, positive, line),
            self.periphery.currents(matrix, negative, line, negative=True),
        ]
        if io.mv_type == "pos_neg_separate":
            return *self._convert(matrix, halves[0] + halves[1], applied, divisor, ordinals, retry), clean
        first, beyond = self._convert(matrix, halves[0], positive, divisor, ordinals, 2 * retry)
        second, also_beyond = self._convert(matrix, halves[1], negative, divisor, ordinals, 2 * retry + 1)
        return first + second, beyond + also_beyond, clean

    def _convert(
        self, matrix: F32, y: F32, applied: F32, divisor: F32, ordinals: NDArray[np.uint64], turn: int
    ) -> tuple[F32, NDArray[np.int32]]:
        periphery, io = self.periphery, self.io
        return converter.adc(
            periphery.sensed(y),
            _weight_noise(matrix, applied, io),
            divisor * np.float32(io.out_scale),
            ordinals,
            turn,
            io.out_bound,
            io.out_step,
            io.out_noise,
            io.out_asymmetry,
            io.out_sto_round,
            io.bm_test_negative_bound,
            self.keys.adc,
            periphery.noise_std,
            periphery.nonlinearity,
            periphery.slope,
        )


def applied_inputs(x: F32, io: IOParameters, scale: F32 | None = None) -> ReadResult:
    """Return what the converters apply for the vectors ``x`` (n, inputs), and the passes and conversions of a read.

    ``scale`` (n,) replaces the divisor of noise management. It is the read of a column of zeros: nothing saturates, so
    bound management repeats nothing.
    """
    column = np.zeros((x.shape[1], 1), np.float32)
    reader = Reader(io, 0, "", (1, x.shape[1]), "applied", False)
    return reader.read(column, np.ascontiguousarray(x, np.float32), 0, scale)


def _wider(x: F32, divisor: F32, io: IOParameters, retry: int) -> F32:
    """Divisor of a retry of bound management, as AIHWKit's ``forwardVector`` chooses it."""
    if not counts_anew(io):
        return divisor * np.float32(2.0**retry)
    if io.noise_management in ("abs_max", "max"):
        # Not below the divisor of the whole vector, where this is a part of it.
        divisor = np.maximum(divisor, worst_case_scale(x, io))
    elif io.noise_management != "none":
        divisor = worst_case_scale(x, io)
    return divisor * np.float32(2.0 ** (retry - 1))


def _weight_noise(matrix: F32, applied: F32, io: IOParameters) -> F32 | None:
    """Standard deviation that the read noise of the weights gives to every output."""
    if io.w_noise == 0 or io.w_noise_type == "none":
        return None
    if io.w_noise_type == "additive_constant":
        norm = np.sqrt(np.einsum("nj,nj->n", applied, applied))
        return np.ascontiguousarray(
            np.broadcast_to(np.float32(io.w_noise) * norm[:, None], (len(applied), matrix.shape[1]))
        )
    return np.float32(io.w_noise) * np.sqrt(np.square(applied) @ np.abs(matrix))
