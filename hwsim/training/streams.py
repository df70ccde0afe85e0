"""Random streams of data, initial weights and shuffling: one for each purpose and index."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np


def generator(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Return the Philox generator of ``purpose``; the same arguments give the same numbers, whatever else was drawn."""
    digest = blake2b(f"{seed}/{purpose}/{index}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
