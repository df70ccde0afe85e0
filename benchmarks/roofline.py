"""What bounds the kernel: clock, random numbers, memory and trains by themselves, beside what a pulse takes."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from work import BATCH, BIT_LENGTH, SIZE, Row, uniform_vectors

if TYPE_CHECKING:
    from update_kernel import Worker

PRODUCTS, CYCLES_OF_PRODUCT = 50_000_000, 3
CLOCK_SOURCE = """
void multiply(long n) { unsigned long x = 3; for (long i = 0; i < n; ++i) __asm__ volatile("imul %0, %0" : "+r"(x)); }
"""
"""Each product waits three clock cycles for the one before, on every x86 processor with AVX2."""

STATE_BYTES = 4 * (1 + 8 + 1)
"""Of a soft_bounds_reference device in one pass over its row: weight in and out, eight parameters."""


def shortest(work: Callable[[], object], least: float = 0.3) -> float:
    """Shortest of several calls, s."""
    work()
    best, total = float("inf"), 0.0
    while total < least:
        start = time.perf_counter()
        work()
        taken = time.perf_counter() - start
        best, total = min(best, taken), total + taken
    return best


def clock() -> float | None:
    """Clock frequency under load, Hz; None on a processor that is not x86 or without a C compiler."""
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "clock.c", Path(folder) / "clock.so"
        source.write_text(CLOCK_SOURCE)
        command = [os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", str(source), "-o", str(library)]
        try:
            if subprocess.run(command, capture_output=True, check=False).returncode != 0:
                return None
        except FileNotFoundError:
            return None
        multiply = ctypes.CDLL(str(library)).multiply
        multiply.argtypes = [ctypes.c_long]
        return PRODUCTS * CYCLES_OF_PRODUCT / shortest(lambda: multiply(PRODUCTS), 0.3)


def normals() -> float:
    """Seconds for one Gaussian of the kernel's generator, drawn in bulk."""
    from hwsim._kernels import rng

    groups = 1 << 14
    return shortest(lambda: rng.normals(1, 0, groups)) / (groups * 32)


def bandwidth(megabytes: int) -> float:
    """Bytes per second of a copy, read and written ones counted."""
    source = np.ones(megabytes << 17)
    target = np.empty_like(source)
    return 2 * source.nbytes / shortest(lambda: np.copyto(target, source))


def trains() -> float:
    """Seconds of one sample of dense trains that meet in no slot."""
    from hwsim.devices import DeviceArray, UpdateParameters, load_device

    cells = DeviceArray(load_device("soft_bounds_reference"), (SIZE, SIZE), seed=1)
    params = UpdateParameters(desired_bl=BIT_LENGTH, update_management=False, update_bl_management=False)
    x, d = uniform_vectors(1.0)
    lr = BIT_LENGTH * cells.granularity
    return shortest(lambda: cells.update(x, d * np.float32(1e-12), lr, params)) / BATCH


def lanes_in_use(density: float) -> float:
    """Share of the vector lanes that hold a pulse: a block of 32 devices goes on until its last one has had all."""
    g = np.random.default_rng(0)
    x, d = (np.minimum(np.abs(v[:8]), 1.0) for v in uniform_vectors(2 * density))
    slots = (
        (g.random((8, SIZE, BIT_LENGTH)) < d[..., None]).astype(np.float32),
        (g.random((8, SIZE, BIT_LENGTH)) < x[..., None]).astype(np.float32),
    )
    counts = np.einsum("nit,njt->nij", *slots, optimize=True).reshape(8, SIZE, SIZE // 32, 32)
    return float(counts.sum() / (32 * counts.max(axis=-1).sum()))


def print_roofline(own: Worker) -> None:
    """Print the bounds, and how near the kernel is."""
    hertz, gaussian, line = clock(), normals(), trains()
    print("\nroofline")
    if hertz is not None:
        print(f"  clock                                   {hertz / 1e9:8.2f} GHz")
    print(f"  one Gaussian, drawn in bulk             {1e9 * gaussian:8.2f} ns{_cycles(gaussian, hertz)}")
    print(f"  trains of one sample, both sides        {1e6 * line:8.2f} us")
    print(f"  copy within 1 MiB / 256 MiB             {bandwidth(1) / 1e9:8.1f} / {bandwidth(256) / 1e9:.1f} GB/s")
    for density in (0.1, 0.5):
        print(f"  lanes in use, p = {density}                   {100 * lanes_in_use(density):8.0f} %")
        for law in ("constant_step", "soft_bounds_reference", "exp_step"):
            _print_law(own, law, density, gaussian, line, hertz)


def _print_law(own: Worker, law: str, density: float, gaussian: float, line: float, hertz: float | None) -> None:
    def measured(**overrides: float) -> tuple[float, float]:
        amount = own.prepare(Row(law, "dense", law, density, overrides=tuple(overrides.items())))
        return min(own.seconds() for _ in range(9)) / amount, amount

    pulse, amount = measured()
    silent, _ = measured(dw_min_std=0.0)
    state = STATE_BYTES * SIZE * SIZE * BATCH / amount
    floor = gaussian + line * BATCH / amount
    print(
        f"    {law:24} {1e9 * pulse:6.2f} ns a pulse{_cycles(pulse, hertz)}; without noise {1e9 * silent:.2f} ns; "
        f"Gaussian and trains alone {1e9 * floor:.2f} ns = {100 * floor / pulse:.0f} %; "
        f"{state:.0f} bytes of state a pulse, {state / pulse / 1e9:.1f} GB/s"
    )


def _cycles(seconds: float, hertz: float | None) -> str:
    return "" if hertz is None else f" = {seconds * hertz:.1f} cycles"
