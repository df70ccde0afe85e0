"""What stands for a stream of vectors where only its size is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Vectors:
    """A stream of ``n`` vectors of ``lines`` numbers that nobody knows: it has the shape of an array and no content.

    It can be sliced along both axes, and scaled, which leaves it what it is.
    """

    __array_ufunc__ = None
    __slots__ = ("shape",)

    def __init__(self, n: int, lines: int) -> None:
        self.shape = (n, lines)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: slice | tuple[slice, slice]) -> Vectors:
        parts = key if isinstance(key, tuple) else (key, slice(None))
        n, lines = (len(range(length)[part]) for part, length in zip(parts, self.shape, strict=True))
        return Vectors(n, lines)

    def __mul__(self, factor: Any) -> Vectors:
        return self


def joined(parts: Sequence[Any]) -> Any:
    """Return one stream of all parts, one after the other: arrays (n, lines), or vectors that nobody knows."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], Vectors):
        return Vectors(sum(len(part) for part in parts), parts[0].shape[1])
    return np.concatenate(parts)
