"""Plans pulse trains: how many slots a sample takes and how probable a pulse on each line is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim._kernels import converter, pulse
from hwsim.errors import DataError
from hwsim.spec.analog import UpdateParameters

LONGEST_TRAIN = 1_000_000
DEFAULT_UPDATE = UpdateParameters()


@dataclass(frozen=True)
class TrainPlan:
    """Trains of n samples. A line fires in a slot with probability min(1, gain |value|).

    ``bl`` (n,) int32 slots of one train, ``col_gain`` and ``row_gain`` (n,) float64 gains of x and d, ``rates`` the
    learning rates, (n,), or (1,) for all samples, ``params`` the rest (pulse type, resolution), ``negative`` whether
    the learning rates are negative; all have one sign.
    """

    bl: NDArray[np.int32]
    col_gain: NDArray[np.float64]
    row_gain: NDArray[np.float64]
    rates: NDArray[np.float64]
    params: UpdateParameters
    negative: bool

    def part(self, samples: slice) -> TrainPlan:
        """Return the trains of some of the samples."""
        return replace(
            self,
            bl=self.bl[samples],
            col_gain=self.col_gain[samples],
            row_gain=self.row_gain[samples],
            rates=self.rates if len(self.rates) == 1 else self.rates[samples],
        )

    @cached_property
    def slots(self) -> NDArray[np.int64]:
        """Slots that each sample takes, (n,): all passes of its train; none without pulses."""
        return np.multiply(self.bl, self.params.passes, dtype=np.int64)


def plan_trains(
    x: ArrayLike,
    d: ArrayLike,
    lr: float | NDArray[np.float64],
    granularity: float,
    params: UpdateParameters | None = None,
) -> TrainPlan:
    """Plan the update w -= lr d x^T of every sample of ``x`` (n, columns) and ``d`` (n, rows).

    ``lr`` is one number, or (n,) with one for each sample, all of one sign.
    ``x`` and ``d`` are the whole vectors, so that the parts of a matrix that is split over arrays share one plan;
    ``granularity`` is the mean step of the devices. Expected pulses on a device are lr |x d| / granularity unless a
    probability reaches 1.

    Raises:
        DataError: wrong shapes, NaN or infinity, or a train longer than a million slots.
    """
    params = params if params is not None else DEFAULT_UPDATE
    x32, d32 = vectors(x, None, "x"), vectors(d, None, "d")
    rates, negative = _rates(lr, len(x32))
    if len(x32) != len(d32):
        raise DataError(f"x has {len(x32)} samples, d has {len(d32)}")
    if params.pulse_type == "none_with_device":
        finite_vectors(x32, x32.shape[1], "x"), finite_vectors(d32, d32.shape[1], "d")
        return TrainPlan(np.zeros(len(x32), np.int32), np.zeros(len(x32)), np.zeros(len(x32)), rates, params, negative)
    status, sample, bl, col_gain, row_gain = pulse.plan(
        x32,
        d32,
        -rates if negative else rates,
        granularity,
        params.desired_bl,
        params.fixed_bl,
        params.update_management,
        params.update_bl_management,
        params.um_grad_scale,
        LONGEST_TRAIN,
    )
    if status in (1, 2):
        raise DataError(f"{'xd'[status - 1]} holds a number that is not finite in float32")
    if status == 3:
        rate = float(rates[sample % len(rates)])
        raise DataError(
            f"a train would be longer than {LONGEST_TRAIN} slots: lr {rate!r} is too large for steps of {granularity!r}"
        )
    return TrainPlan(bl, col_gain, row_gain, rates, params, negative)


def _rates(lr: float | NDArray[np.float64], n: int) -> tuple[NDArray[np.float64], bool]:
    """Return the learning rates of n samples, (1,) where they share one, and whether they are negative."""
    if isinstance(lr, float) and isfinite(lr):
        return np.array([lr]), lr < 0
    rates = np.array(lr, np.float64, ndmin=1)
    if isinstance(lr, np.ndarray) and lr.ndim and lr.shape != (n,):
        raise DataError(f"x has {n} samples, but there are learning rates of shape {lr.shape}")
    if not np.isfinite(rates).all():
        raise DataError(f"the learning rate must be finite, got {lr!r}")
    lowest = rates.min(initial=0.0)
    if lowest < 0 < rates.max():
        raise DataError("the learning rates of a stream must have one sign")
    return rates, bool(lowest < 0)


def vectors(values: ArrayLike, lines: int | None, name: str) -> NDArray[np.float32]:
    """Return ``values`` as a contiguous (n, lines) float32 array; one vector counts as n = 1.

    Raises:
        DataError: not numeric or not of that shape. Finiteness is not checked here.
    """
    if (
        type(values) is np.ndarray
        and values.dtype == np.float32
        and values.ndim == 2
        and values.flags.c_contiguous
        and lines in (None, values.shape[1])
    ):
        return values
    array = _array(values, name)
    if array.ndim == 1:
        array = array.reshape(1, -1)
    if array.ndim != 2:
        raise DataError(f"{name} must have one or two dimensions, got shape {array.shape}")
    if lines is not None and array.shape[1] != lines:
        raise DataError(f"{name} must have {lines} values per sample, got shape {array.shape}")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, np.float32)


def finite_vectors(values: ArrayLike, lines: int, name: str) -> NDArray[np.float32]:
    """Return ``vectors(...)`` after a check that all values are finite.

    Raises:
        DataError: wrong shape, NaN or infinity.
    """
    array = vectors(values, lines, name)
    if not converter.is_finite(array):
        raise DataError(f"{name} holds a number that is not finite in float32")
    return array


def _array(values: Any, name: str) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must be an array of numbers: {error}") from error
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name} must be an array of real numbers, got dtype {array.dtype}")
    return array
