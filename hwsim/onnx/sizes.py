"""Arithmetic on sizes: exporters compute shapes from shapes, with the same few operators everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Numbers = np.ndarray
MOST = 2**20
"""Numbers that one result may have."""


def _divide(a: Numbers, b: Numbers) -> Numbers:
    # ONNX divides whole numbers towards zero.
    return np.trunc(a / b).astype(a.dtype) if a.dtype.kind in "iu" else a / b


def _slice(data: Numbers, *bounds: Numbers) -> Numbers:
    starts, ends = bounds[0], bounds[1]
    axes = bounds[2] if len(bounds) > 2 else np.arange(len(starts))
    steps = bounds[3] if len(bounds) > 3 else np.ones(len(starts), np.int64)
    chosen = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        chosen[int(axis)] = slice(int(start), int(end), int(step))
    return data[tuple(chosen)]


_ARITHMETIC: dict[str, Callable[..., Numbers]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": _divide, "Neg": np.negative, "Floor": np.floor,
    "Ceil": np.ceil, "Sqrt": np.sqrt, "Identity": np.asarray, "Slice": _slice, "Equal": np.equal, "Max": np.maximum,
    "Min": np.minimum, "Where": np.where,
}  # fmt: skip


def compute(node: Any, values: Sequence[Numbers], attributes: Mapping[str, Any], dtype: Any) -> Numbers | None:
    """Return what a node gives for constants, as a few numbers about sizes; None for an operator that is not for them.

    ``dtype`` is what a ``Cast`` casts to.
    """
    operator = node.op_type
    if operator in _ARITHMETIC:
        return np.asarray(_ARITHMETIC[operator](*values))
    if operator == "Cast":
        return values[0].astype(dtype)
    if operator == "Gather":
        return np.take(values[0], values[1].astype(np.int64), axis=attributes.get("axis", 0))
    if operator == "Concat":
        return np.concatenate([np.atleast_1d(value) for value in values], axis=attributes.get("axis", 0))
    if operator in ("Unsqueeze", "Squeeze"):
        axes = tuple(int(axis) for axis in (values[1] if len(values) > 1 else attributes.get("axes", ())))
        return np.expand_dims(values[0], axes) if operator == "Unsqueeze" else np.squeeze(values[0], axes or None)
    if operator == "Reshape":
        return values[0].reshape([int(size) for size in values[1]])
    if operator == "Expand" and np.prod(values[1], dtype=float) <= MOST:
        return np.asarray(values[0] * np.ones([int(size) for size in values[1]], values[0].dtype))
    if operator == "Range":
        start, end, step = (value.item() for value in values)
        return np.arange(start, end, step) if abs(end - start) <= MOST * abs(step) else None
    return None
