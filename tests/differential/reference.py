"""The kernels again in plain NumPy, one device and one pulse at a time, on the same random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hwsim._kernels import rng

GROUP = 32
FEW, PER_BLOCK = 256, 10
M = np.array([0xD2511F53, 0xCD9E8D57], np.uint64)
W = (0x9E3779B9, 0xBB67AE85)


def philox(counter: np.ndarray, key: int) -> np.ndarray:
    """Philox4x32-10 of counters (n, 4) uint32."""
    c = counter.astype(np.uint64)
    k = [key & 0xFFFFFFFF, key >> 32]
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        p0, p1 = c[:, 0] * M[0], c[:, 2] * M[1]
        c = np.stack(
            [
                (p1 >> np.uint64(32)) ^ c[:, 1] ^ np.uint64(k[0]),
                p1 & low,
                (p0 >> np.uint64(32)) ^ c[:, 3] ^ np.uint64(k[1]),
                p0 & low,
            ],
            1,
        )
        k = [(k[0] + W[0]) & 0xFFFFFFFF, (k[1] + W[1]) & 0xFFFFFFFF]
    return c.astype(np.uint32)


def words(key: int, group: int, c2: int = 0, c3: int = 0) -> np.ndarray:
    """The 32 words of one group."""
    blocks = np.array([[b & 0xFFFFFFFF, b >> 32, c2, c3] for b in range(8 * group, 8 * group + 8)], np.uint64)
    w = philox(blocks, key)
    return np.concatenate([w[:, [0, 2]].ravel(), w[:, [1, 3]].ravel()])


def box_muller(group: np.ndarray) -> np.ndarray:
    """Normals of one group, in double precision."""
    radius, angle = group[:16].astype(np.int64), group[16:].astype(np.int64)
    r = np.sqrt(-2 * np.log(((radius >> 1) + 0.5) * 2.0**-31))
    shifted = (angle << 2) & 0xFFFFFFFF
    theta = np.where(shifted >= 2**31, shifted - 2**32, shifted) * (np.pi / 4 / 2.0**31)
    cosine = np.cos(theta) * np.where(angle >> 31 & 1, -1, 1)
    sine = np.sin(theta)
    exchange = (angle >> 30 & 1).astype(bool)
    return np.concatenate([r * np.where(exchange, sine, cosine), r * np.where(exchange, cosine, sine)])


def normals_from(key: int, row: int, position: int = 0) -> Iterator[float]:
    """The normals of a row's stream from ordinal ``position`` on."""
    while True:
        yield float(rng.normals(key, position // GROUP, 1, row)[position % GROUP])
        position += 1


def train(values: np.ndarray, gain: float, bl: int, key: int, side: int, sample: int) -> np.ndarray:
    """Slots in which each line fires: (lines, bl) booleans."""
    fires = np.zeros((len(values), bl), bool)
    for line, value in enumerate(values):
        p = min(1.0, gain * abs(float(value)))
        limit = int(p * 2147483648.0 - 1.0) if p > 0 else -1
        for slot in range(bl):
            group = (side << 58) + (line // GROUP) * bl + slot
            word = rng.words(key, group, 1, sample & 0xFFFFFFFF, sample >> 32)[line % GROUP]
            fires[line, slot] = int(word >> 1) <= limit
    return fires


def quantised_probability(values: np.ndarray, gain: float, resolution: float) -> np.ndarray:
    """min(1, gain |value|), rounded to multiples of ``resolution`` if that is positive."""
    p = gain * np.abs(values.astype(float))
    return np.minimum(np.rint(p / resolution) * resolution if resolution > 0 else p, 1.0)


def step(law: str, scalars: np.ndarray, planes: np.ndarray, w: float, up: bool, z: float) -> float:
    """The weight after one pulse."""
    if law == "constant":
        o = planes[0] if up else planes[1]
        low, high = planes[2:4]
        moved = w + o * (1 + scalars[0] * z)
    elif law == "affine":
        k, o = planes[0:2] if up else planes[2:4]
        low, high = planes[4:6]
        moved = w + (k * w + o) * (1 + scalars[0] * z)
    elif law == "additive":
        k, o, s = planes[0:3] if up else planes[3:6]
        low, high = planes[6:8]
        moved = w + k * w + o + s * scalars[0] * z
    elif law in ("power", "exponential_response"):
        s, g = planes[0 if up else 1], planes[2 if up else 3]
        low, high = planes[6:8]
        b = max((high - w) * planes[4] if up else (low - w) * planes[5], 0.0)
        y = np.expm1(g * b) / np.expm1(g) if law == "exponential_response" else b**g * (b > 0)
        moved = w + (s * y * (1 + scalars[0] * z) if scalars[1] else s * y + s * scalars[0] * z)
    elif law == "piecewise":
        low, high = planes[3:5]
        nodes = int(scalars[1])
        table = scalars[2 : 2 + nodes] if up else scalars[2 + nodes :]
        y = np.interp((w - low) * planes[2], np.arange(nodes), table)
        moved = w + planes[0 if up else 1] * y * (1 + scalars[0] * z)
    elif law == "table":
        x, y_up, y_down = planes.reshape(3, -1)
        low, high = x[0], x[-1]
        moved = w + np.interp(w, x, y_up if up else y_down) * (1 + scalars[0] * z)
    else:
        a_up, a_down, g_up, g_down, b, sigma, add, slope = scalars[:8]
        s, q, shift, low, high = planes[0 if up else 1], planes[2], planes[3], planes[4], planes[5]
        if s == 0:
            return w
        a, g = (a_up, g_up) if up else (a_down, -g_down)
        d = s * max(1 - a * np.exp(g * (q * (w + shift) + b)), 0)
        moved = w + d + ((abs(d) + add + slope * abs(w + shift)) if add or slope else d) * sigma * z
    return float(np.clip(moved, low, high))


def update_row(
    law: str,
    scalars: np.ndarray,
    planes: np.ndarray,
    w: np.ndarray,
    counts: np.ndarray,
    firing: np.ndarray,
    up: np.ndarray,
    normals: Iterator[float],
    noisy: bool,
    collects: bool = False,
) -> tuple[np.ndarray, float]:
    """Apply ``counts`` pulses to each device of a row, in the kernel's order.

    ``planes`` is (planes, cols), ``firing`` counts the slots in which each column has a pulse of its own; ``collects``:
    where few have, their devices form blocks of their own, those with most slots first.
    """
    w = w.astype(float).copy()
    passed = 0.0
    blocks = [np.arange(begin, min(begin + GROUP, len(w))) for begin in range(0, len(w), GROUP)]
    blocks = [block for block in blocks if firing[block].any()]
    fired = np.flatnonzero(firing)
    if collects and len(fired) <= min(FEW, PER_BLOCK * len(blocks)):
        fired = fired[np.argsort(-firing[fired].astype(int), kind="stable")]
        blocks = [fired[begin : begin + GROUP] for begin in range(0, len(fired), GROUP)]
    together = 2 if law in ("exponential", "power", "exponential_response", "piecewise") else 1
    paired = len(blocks) - len(blocks) % together
    parts = [blocks[b : b + together] for b in range(0, paired, together)] + [[block] for block in blocks[paired:]]
    for part in parts:
        columns = [j for block in part for j in block]
        for turn in range(max((int(counts[j]) for j in columns), default=0)):
            for j in columns:
                if counts[j] > turn:
                    passed += w[j]
                    w[j] = step(law, scalars, planes[:, j], w[j], bool(up[j]), next(normals) if noisy else 0.0)
    return w, passed


def convert(x: np.ndarray, step_size: float, bound: float) -> np.ndarray:
    """Round to the converter's levels and cut at its bound."""
    if step_size > 0:
        x = np.rint(x / step_size) * step_size
    return np.clip(x, -bound, bound) if bound > 0 else x


def forward(
    w: np.ndarray, x: np.ndarray, io: Any, input_noise: np.ndarray, output_noise: np.ndarray, reduction: float
) -> tuple[np.ndarray, bool]:
    """One pass of one vector through the converters; returns the output and whether it saturated."""
    largest = np.abs(x).max() or 1.0
    applied = convert(x / (largest * reduction), io.inp_step, io.inp_bound) + io.inp_noise * input_noise
    y = w @ applied + io.out_noise * output_noise
    rounded = np.rint(y / io.out_step) * io.out_step if io.out_step > 0 else y
    return convert(y, io.out_step, io.out_bound) * largest * reduction * io.out_scale, bool(
        (np.abs(rounded) > io.out_bound).any()
    )


def collected(
    w: np.ndarray, x: np.ndarray, io: Any, v: np.ndarray, positions: np.ndarray, lines: int, f: np.ndarray | None
) -> np.ndarray:
    """What each output collects in a pass: IR drop, voltage offset, series resistance. ``w`` is (outputs, inputs)."""
    y = np.zeros(len(w))
    for i in range(len(w)):
        weights = w[i] if f is None else w[i] * (1 - f[i])
        y[i] = (weights * x).sum()
        if io.ir_drop:
            a = lines / io.ir_drop_g_ratio * (abs(weights) * abs(x)).sum()
            c = a * (0.05 * a**2 - 0.2 * a + 0.5)
            y[i] -= io.ir_drop * c * (weights * x * (1 - (1 - positions / lines) ** 2)).sum()
        if io.v_offset_std or io.r_series:
            reference = -io.v_offset_w_min * x.sum()
            coding = y[i] + reference
            y[i] = (1 - v[i]) * coding / (1 + io.r_series * abs(coding))
            y[i] -= (1 + v[i]) * reference / (1 + io.r_series * abs(reference))
    return y


def adc(
    y: np.ndarray, x: np.ndarray, w: np.ndarray, io: Any, n: np.ndarray, std: np.ndarray, weight_z: np.ndarray,
    z: np.ndarray,
) -> tuple[np.ndarray, bool]:  # fmt: skip
    """Weight noise, non-linearity, asymmetry, noise and conversion; also whether an output saturated."""
    if io.w_noise_type == "additive_constant":
        y = y + io.w_noise * np.sqrt((x**2).sum()) * weight_z
    elif io.w_noise_type == "pcm_read":
        y = y + io.w_noise * np.sqrt((abs(w) * x**2).sum(1)) * weight_z
    slope = (1 + (n.mean() + io.r_series) * io.slope_calibration * io.out_bound) ** 2
    y = slope * y / (1 + abs(n * y))
    y = np.where(y < 0, y * (1 - io.out_asymmetry), y) + std * z
    rounded = np.rint(y / io.out_step) * io.out_step if io.out_step > 0 else y
    return convert(y, io.out_step, io.out_bound), bool(io.out_bound > 0 and (abs(rounded) > io.out_bound).any())
