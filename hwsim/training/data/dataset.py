"""A data set in memory, and what is done to it between the file and the network: split, limits, normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import DataError
from hwsim.spec.training import DataSpec, Normalisation
from hwsim.training.streams import generator

Array = NDArray[Any]


@dataclass(frozen=True)
class DataSet:
    """Training and held-out samples.

    ``x_train`` and ``x_test`` are float32 (n, features). ``y_train`` and ``y_test`` are int64 classes (n,), or float32
    targets (n, outputs) where ``n_classes`` is None. The arrays are read-only.
    """

    name: str
    x_train: NDArray[np.float32]
    y_train: Array
    x_test: NDArray[np.float32]
    y_test: Array
    n_classes: int | None

    def __post_init__(self) -> None:
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            array.setflags(write=False)

    @property
    def features(self) -> int:
        """Width of a sample."""
        return self.x_train.shape[1]


@dataclass(frozen=True)
class Samples:
    """Samples as stored: ``x`` (n, ...) of any number type, ``y`` int64 classes (n,) or real targets (n, outputs)."""

    x: Array
    y: Array

    def first(self, limit: int | None) -> Samples:
        """Return the first ``limit`` samples, or all."""
        return Samples(self.x[:limit], self.y[:limit])

    def take(self, indices: NDArray[np.int64]) -> Samples:
        """Return the samples at ``indices``."""
        return Samples(self.x[indices], self.y[indices])


def split(samples: Samples, test_fraction: float, name: str) -> tuple[Samples, Samples]:
    """Split into training and held-out samples, class by class; both keep the order of the data.

    The split does not depend on the seed of a run, so that runs with different seeds are held against the same samples.

    Raises:
        DataError: one side would be empty.
    """
    has_classes = samples.y.dtype.kind == "i"
    groups = [np.flatnonzero(samples.y == label) for label in np.unique(samples.y)] if has_classes else []
    held_out = np.zeros(len(samples.x), bool)
    for index, group in enumerate(groups or [np.arange(len(samples.x))]):
        chosen = generator(0, "split", index).permutation(group)
        held_out[chosen[: round(test_fraction * len(group))]] = True
    if test_fraction and (held_out.all() or not held_out.any()):
        raise DataError(
            f"{name}: a test_fraction of {test_fraction} leaves no samples to "
            f"{'train' if held_out.all() else 'test'} with ({len(held_out)} samples)"
        )
    return samples.take(np.flatnonzero(~held_out)), samples.take(np.flatnonzero(held_out))


def assemble(spec: DataSpec, train: Samples, test: Samples, *, full_scale: float | None = None) -> DataSet:
    """Apply limits and normalisation and check the numbers.

    ``full_scale`` is the largest value of an image format; None for data without one.

    Raises:
        DataError: a number is NaN or infinite, or does not fit float32.
    """
    train, test = train.first(spec.limit_train), test.first(spec.limit_test)
    name = spec.title
    x_train, x_test = (_flat_float32(samples.x, "x", name) for samples in (train, test))
    y_train, y_test = (
        samples.y if samples.y.dtype.kind == "i" else _flat_float32(samples.y, "y", name) for samples in (train, test)
    )
    how: Normalisation = spec.normalisation or ("none" if full_scale is None else "unit")
    if how != "none":
        offset, scale = _normalisation(x_train, how, full_scale)
        x_train, x_test = (_flat_float32(_scaled(x, offset, scale), "x", name) for x in (x_train, x_test))
    n_classes = int(max(y_train.max(), y_test.max(initial=0))) + 1 if y_train.dtype.kind == "i" else None
    return DataSet(name, x_train, y_train, x_test, y_test, n_classes)


def _flat_float32(values: Array, array_name: str, name: str) -> NDArray[np.float32]:
    if not _is_finite(values):
        sample = int(np.argwhere(~np.isfinite(values))[0][0])
        raise DataError(f"{name}: array '{array_name}' has NaN or infinite values (first in sample {sample})")
    with np.errstate(over="ignore"):
        flat = values.reshape(len(values), int(np.prod(values.shape[1:]))).astype(np.float32, copy=False)
    if flat is not values and not _is_finite(flat):
        raise DataError(f"{name}: array '{array_name}' has values too large for float32 (above 3.4e38)")
    return flat


def _is_finite(values: Array) -> bool:
    """Return whether every number is finite; a part at a time, as a mask of an image set would take as much memory."""
    if values.dtype.kind != "f":
        return True
    return all(np.isfinite(values[start : start + 4096]).all() for start in range(0, len(values), 4096))


def _scaled(x: NDArray[np.float32], offset: Any, scale: Any) -> Array:
    """Return ``(x - offset) / scale``; in place where that stays float32, as image sets are large."""
    in_place = type(offset) is float and x.flags.writeable
    shifted = np.subtract(x, offset, out=x if in_place else None)
    shifted /= scale
    return shifted


def _normalisation(x: NDArray[np.float32], how: Normalisation, full_scale: float | None) -> tuple[Any, Any]:
    """Return what to subtract and what to divide by; constant values are divided by 1."""
    if full_scale is not None:
        # Python floats, so that large image sets stay float32 throughout.
        return (0.0, full_scale) if how == "unit" else (_mean(x).item(), _spread(x).item())
    if how == "unit":
        low, high = np.float64(x.min()), np.float64(x.max())
        return low, high - low if high > low else np.float64(1)
    return _mean(x, axis=0), _spread(x, axis=0)


def _mean(x: NDArray[np.float32], axis: int | None = None) -> Any:
    return x.mean(axis=axis, dtype=np.float64)


def _spread(x: NDArray[np.float32], axis: int | None = None) -> Any:
    spread = x.std(axis=axis, dtype=np.float64)
    return np.where(spread > 0, spread, 1.0)
