"""Memory of the process: what a pulse log frees is kept for its next block.

The columns of a log are some megabytes that are freed as soon as they are written. The C library gives blocks of this
size back to the system at once and gets new ones, whose every page the system must clear: a third of the time that the
kernel takes to fill them.
"""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
"""Parameters of ``mallopt`` (glibc's ``malloc.h``)."""
KEPT = 128 << 20
"""Bytes that may stay unused at the end of the heap."""
LARGEST = 32 << 20
"""Blocks up to so many bytes come from the heap, the largest that glibc allows on 64 bits."""


def keep_freed() -> bool:
    """Keep up to ``KEPT`` bytes of freed memory for later; returns whether the C library knows how."""
    if sys.platform != "linux" or not hasattr(libc := ctypes.CDLL(None), "mallopt"):
        return False
    wanted = {MMAP_THRESHOLD: LARGEST, TRIM_THRESHOLD: KEPT, TOP_PAD: 16 << 20}
    return all(libc.mallopt(parameter, value) == 1 for parameter, value in wanted.items())
