"""Named random streams over Philox4x32-10: a number depends on seed, path, purpose and index, on nothing else."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from hwsim._kernels import rng

GROUP = 32
"""Numbers are drawn in groups of this size; group g of a stream takes its Philox blocks 8 g to 8 g + 7."""


@lru_cache(maxsize=4096)
def stream_key(seed: int, path: str, purpose: str) -> int:
    """Return the 64-bit Philox key of the stream that ``path`` (a component) uses for ``purpose``."""
    return int.from_bytes(blake2b(f"{seed}\0{path}\0{purpose}".encode(), digest_size=8).digest(), "little")


def normals(key: int, counter: int, n: int) -> NDArray[np.float32]:
    """Return the ``n`` standard normals of the stream ``key`` from ordinal ``counter`` on, as float32.

    Box and Muller 1958 on 31-bit uniforms: no value exceeds 6.66 standard deviations.
    """
    first, skip, groups = _groups(counter, n)
    return rng.normals(key, first, groups)[skip : skip + n]


def uniforms(key: int, counter: int, n: int) -> NDArray[np.float64]:
    """Return the ``n`` uniforms in (0, 1) of the stream ``key`` from ordinal ``counter`` on, with 32 random bits
    each."""
    first, skip, groups = _groups(counter, n)
    return (rng.words(key, first, groups)[skip : skip + n].astype(np.float64) + 0.5) * 2.0**-32


def _groups(counter: int, n: int) -> tuple[int, int, int]:
    first, skip = divmod(counter, GROUP)
    return first, skip, (skip + n + GROUP - 1) // GROUP
