"""Pulsed updates and reads of one array against AIHWKit: device-updates per second on one core.

Run as ``python benchmarks/update_kernel.py``. Where AIHWKit is installed its figures stand beside; ``--peer PYTHON``
names another interpreter that has it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

SIZE, BATCH = 512, 64
LAWS = {
    "constant_step": "ConstantStepDevice",
    "linear_step": "LinearStepDevice",
    "soft_bounds": "SoftBoundsDevice",
    "soft_bounds_reference": "SoftBoundsReferenceDevice",
    "exp_step": "ExpStepDevice",
}
DENSITIES = (0.01, 0.1, 0.5)
GRADIENTS = (1e-5, 1e-4, 1e-3)


def vectors(seed: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Uniform in +-scale, (batch, size)."""
    g = np.random.default_rng(seed)
    draw = g.uniform(-scale, scale, (2, BATCH, SIZE)).astype(np.float32)
    return draw[0], draw[1]


def best_time(work: Callable[[], object], least: float = 0.3) -> float:
    """Shortest of several calls, s."""
    work()
    best, total = float("inf"), 0.0
    while total < least:
        start = time.perf_counter()
        work()
        taken = time.perf_counter() - start
        best, total = min(best, taken), total + taken
    return best


def own(threads: int = 1) -> dict[str, float]:
    from hwsim.devices import DeviceArray, UpdateParameters, load_device

    found = {}
    plain = UpdateParameters(update_management=False, update_bl_management=False)
    for law in LAWS:
        cells = DeviceArray(load_device(law), (SIZE, SIZE), seed=1, threads=threads)
        for density in DENSITIES:
            # A slot's probability is sqrt(lr / (granularity BL)) |x|, of mean `density` for uniform x.
            x, d = vectors(0, 2 * density)
            lr = 31 * cells.granularity
            taken = best_time(lambda cells=cells, x=x, d=d, lr=lr: cells.update(x, d, lr, plain))  # type: ignore[misc]
            found[f"{law} p={density}"] = SIZE * SIZE * BATCH / taken
    cells = DeviceArray(load_device("soft_bounds_reference"), (SIZE, SIZE), seed=1, threads=threads)
    x, d = vectors(1)
    for lr in GRADIENTS:
        taken = best_time(lambda lr=lr: cells.update(x, d, lr))  # type: ignore[misc]
        found[f"managed lr={lr:g}"] = SIZE * SIZE * BATCH / taken
    taken = best_time(lambda: cells.forward(x))
    found["forward, vectors/s"] = BATCH / taken
    return found


def peer() -> dict[str, float]:
    import torch
    from aihwkit.simulator import configs
    from aihwkit.simulator.configs import SingleRPUConfig, UpdateParameters
    from aihwkit.simulator.tiles import AnalogTile

    torch.set_num_threads(1)
    found = {}

    def tile(name: str, managed: bool) -> AnalogTile:
        update = UpdateParameters(desired_bl=31, update_management=managed, update_bl_management=managed)
        return AnalogTile(SIZE, SIZE, SingleRPUConfig(device=getattr(configs, name)(), update=update))

    for law, name in LAWS.items():
        cells = tile(name, managed=False)
        for density in DENSITIES:
            x, d = (torch.from_numpy(v) for v in vectors(0, 2 * density))
            cells.set_learning_rate(0.031)
            taken = best_time(lambda cells=cells, x=x, d=d: cells.update(x, d))  # type: ignore[misc]
            found[f"{law} p={density}"] = SIZE * SIZE * BATCH / taken
    cells = tile("SoftBoundsReferenceDevice", managed=True)
    x, d = (torch.from_numpy(v) for v in vectors(1))
    for lr in GRADIENTS:
        cells.set_learning_rate(lr)
        taken = best_time(lambda: cells.update(x, d))
        found[f"managed lr={lr:g}"] = SIZE * SIZE * BATCH / taken
    taken = best_time(lambda: cells.forward(x))
    found["forward, vectors/s"] = BATCH / taken
    return found


def measure_peer(python: str | None) -> dict[str, float]:
    """The peer's figures, from this interpreter or another; nothing if it is not installed."""
    command = [python or sys.executable, __file__, "--only-peer"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return {}
    return json.loads(result.stdout.splitlines()[-1]) if result.returncode == 0 else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", metavar="PYTHON", help="interpreter with AIHWKit")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only-peer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only_peer:
        print(json.dumps(peer()))
        return
    from hwsim._kernels.rng import instruction_set

    ours, theirs = own(arguments.threads), measure_peer(arguments.peer)
    print(
        f"{SIZE} x {SIZE}, batch {BATCH}, BL 31, {arguments.threads} thread(s), {instruction_set()}; device-updates/s"
    )
    print(f"{'work':34}{'hwsim':>10}{'AIHWKit':>10}{'ratio':>8}")
    for name, rate in ours.items():
        other = theirs.get(name)
        print(f"{name:34}{rate:10.3g}" + (f"{other:10.3g}{rate / other:8.1f}" if other else f"{'-':>10}{'-':>8}"))


if __name__ == "__main__":
    main()
