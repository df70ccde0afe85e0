"""What a device law is, and what all laws share: registration, sampling of bounds and steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isclose, isfinite
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hwsim.engine.rng import normals, stream_key, uniforms
from hwsim.errors import UsageError
from hwsim.registry import Registry
from hwsim.spec.device import PulsedParameters

Floats = NDArray[np.float64]
Hidden = dict[str, Floats]

STEEPEST = 1e6
"""Largest slope of a step per weight: a single step already spans the bounds, so more changes nothing but overflow."""


class WriteNoiseParameters(PulsedParameters):
    """Parameters of laws with write noise: pulses move a persistent weight, reads see it with noise."""

    write_noise_std: float = Field(0.0, ge=0)
    """Spread of the apparent around the persistent weight, in units of ``dw_min``; redrawn when a device is pulsed."""
    apply_write_noise_on_set: bool = True
    """Also redraw it when weights are set."""


@dataclass(frozen=True)
class KernelForm:
    """A law in the terms of the kernel: its name there, parameter planes, shared scalars and bounds of the weight.

    ``planes`` are in the order of the kernel law, each (rows, cols).
    """

    law: str
    planes: tuple[Floats, ...]
    scalars: tuple[float, ...]
    low: Floats
    high: Floats

    def shifted(self, by: Floats) -> KernelForm:
        """Return the form of ``w - by``: the same devices with the reference ``by`` (rows, cols) subtracted.

        Raises:
            UsageError: the kernel law is not known here.
        """
        planes, low, high = list(self.planes), self.low - by, self.high - by
        if self.law in ("affine", "additive"):
            half = (len(planes) - 2) // 2
            for slope in (0, half):
                planes[slope + 1] = planes[slope + 1] + planes[slope] * by
        elif self.law == "exponential":
            planes[3] = planes[3] + by
        elif self.law == "table":
            nodes = len(planes) // 3
            return replace(self, planes=(*(node - by for node in planes[:nodes]), *planes[nodes:]), low=low, high=high)
        elif self.law not in ("constant", "power", "exponential_response", "piecewise"):
            raise UsageError(f"no reference can be subtracted from devices of the kernel law '{self.law}'")
        return replace(self, planes=(*planes[:-2], low, high), low=low, high=high)


class Draws:
    """Construction draws of one array: every named parameter has its own stream."""

    def __init__(self, seed: int, path: str, shape: tuple[int, int]) -> None:
        self.seed = seed
        self.path = path
        self.shape = shape

    def normal(self, name: str) -> Floats:
        """Return standard normals (rows, cols) for the parameter ``name``."""
        size = self.shape[0] * self.shape[1]
        return normals(stream_key(self.seed, self.path, f"device.{name}"), 0, size).reshape(self.shape).astype(float)

    def uniform(self, name: str) -> Floats:
        """Return uniforms in (0, 1) of shape (rows, cols) for the parameter ``name``."""
        size = self.shape[0] * self.shape[1]
        return uniforms(stream_key(self.seed, self.path, f"device.{name}"), 0, size).reshape(self.shape)


class Law(Protocol):
    """A device law: its parameters, how devices differ, and its form in the kernel."""

    @property
    def parameters(self) -> type[PulsedParameters]:
        """The class of the law's parameters."""
        ...

    def granularity(self, p: Any) -> float:
        """Return the mean weight change of one pulse."""
        ...

    def sample(self, p: Any, draws: Draws) -> Hidden:
        """Return the parameters of every device by AIHWKit's names, each (rows, cols)."""
        ...

    def kernel_form(self, p: Any, hidden: Hidden) -> KernelForm:
        """Return what the kernel needs."""
        ...

    def symmetric_point(self, p: Any, hidden: Hidden) -> Floats:
        """Return the weights at which the mean up and down steps are equal; NaN where there is none."""
        ...


LAWS: Registry[Law] = Registry("laws", "device law")


def sample_common(p: PulsedParameters, draws: Draws) -> Hidden:
    """Sample bounds and steps: ``max_bound``, ``min_bound``, ``dwmin_up``, ``dwmin_down``.

    A device whose bounds are inverted, which needs ``enforce_consistency`` off, stays at the middle between them.
    Source: AIHWKit ``rpu_pulsed_device.cpp``, with two differences: a log-normal step keeps the mean ``dw_min``, and
    the asymmetry can be two-sided (``up_down_rule``).
    """
    high = p.w_max * (1 + p.w_max_dtod * _normal(p.w_max_dtod, draws, "w_max"))
    low = p.w_min * (1 + p.w_min_dtod * _normal(p.w_min_dtod, draws, "w_min"))
    gain = _step_gain(p, draws)
    tilt = p.up_down_dtod * _normal(p.up_down_dtod, draws, "up_down")
    bias_up, bias_down = _biases(p)
    up = p.dw_min * (gain + bias_up + tilt)
    down = p.dw_min * (gain + bias_down - tilt)
    if p.enforce_consistency:
        up, down = np.abs(up), np.abs(down)
        high, low = np.abs(high), -np.abs(low)
    low, high = pinned_if_inverted(low, high)
    if p.corrupt_devices_prob > 0:
        _corrupt(p, draws, high, low, up, down)
    if p.perfect_bias:
        up[:, -1] = down[:, -1] = p.dw_min
        high[:, -1], low[:, -1] = 100 * p.w_max, 100 * p.w_min
    return {"max_bound": high, "min_bound": low, "dwmin_up": up, "dwmin_down": down}


def _biases(p: PulsedParameters) -> tuple[float, float]:
    """Return what ``up_down`` adds to the up and to the down steps, in units of ``dw_min``."""
    if p.up_down_rule == "symmetric":
        return p.up_down, -p.up_down
    return min(p.up_down, 0.0), -max(p.up_down, 0.0)


def mean_scales(p: PulsedParameters) -> tuple[float, float]:
    """Return the mean over devices of the factors of their up and down steps: ``dw_min``, weakened by ``up_down``."""
    bias_up, bias_down = _biases(p)
    return p.dw_min * (1 + bias_up), p.dw_min * (1 + bias_down)


def _step_gain(p: PulsedParameters, draws: Draws) -> Floats:
    z = _normal(p.dw_min_dtod, draws, "dw_min")
    if p.dw_min_dtod_log_normal:
        return np.exp(p.dw_min_dtod * z - p.dw_min_dtod**2 / 2)
    return 1 + p.dw_min_dtod * z


def _normal(spread: float, draws: Draws, name: str) -> Floats:
    """Draw only what has a spread."""
    return draws.normal(name) if spread > 0 else np.zeros(draws.shape)


def spread(mean: float, std: float, draws: Draws, name: str) -> Floats:
    """Return ``mean + std z`` for every device."""
    return mean + std * _normal(std, draws, name)


def _corrupt(p: PulsedParameters, draws: Draws, high: Floats, low: Floats, up: Floats, down: Floats) -> None:
    """Stick devices in place: both bounds at one value, no step."""
    stuck = draws.uniform("corrupt") < p.corrupt_devices_prob
    first = np.maximum(low, -p.corrupt_devices_range)
    last = np.minimum(high, p.corrupt_devices_range)
    value = (first + (last - first) * draws.uniform("corrupt_value"))[stuck]
    high[stuck] = low[stuck] = value
    up[stuck] = down[stuck] = 0.0


def quotient(numerator: Floats, denominator: Floats | float) -> Floats:
    """Return the quotient where it is defined, else 0, cut at +-``STEEPEST``."""
    bottom = np.broadcast_to(np.asarray(denominator, float), numerator.shape)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        result = np.where(bottom != 0, numerator / bottom, 0.0)
    return np.clip(result, -STEEPEST, STEEPEST)


def derived(data: Mapping[str, Any], values: Mapping[str, float | str], reason: str) -> dict[str, Any]:
    """Return the raw parameters ``data`` with those that follow from others filled in.

    Raises:
        ValueError: one of them was given with another value; ``reason`` says what it follows from.
    """
    for name, value in values.items():
        given = data.get(name, value)
        near = isinstance(value, float) and _is_number(given) and isclose(given, value, rel_tol=1e-9, abs_tol=1e-12)
        if not near and given != value:
            raise ValueError(f"{name} follows from {reason}: it is {value!r}, got {given!r}; leave it out")
    return {**data, **values}


def numbers(cls: type[PulsedParameters], data: Any, names: tuple[str, ...]) -> tuple[float, ...] | None:
    """Return parameters of the raw ``data`` or their defaults; None where one is no number, which is refused later."""
    if not isinstance(data, dict):
        return None
    found = tuple(data.get(name, cls.model_fields[name].default) for name in names)
    return found if all(_is_number(value) and isfinite(value) for value in found) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def pinned_if_inverted(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return bounds of which inverted ones both are the middle between them, where the device then stays."""
    inverted, middle = low > high, (low + high) / 2
    return np.where(inverted, middle, low), np.where(inverted, middle, high)


def still_if_stuck(hidden: Hidden) -> tuple[Floats, Floats]:
    """Return up and down steps, 0 for a device between equal bounds: its distances to them have no scale."""
    moves = hidden["min_bound"] < hidden["max_bound"]
    return np.where(moves, hidden["dwmin_up"], 0.0), np.where(moves, hidden["dwmin_down"], 0.0)


def bisected_balance(surplus: Callable[[Floats], Floats], low: Floats, high: Floats) -> Floats:
    """Return, by bisection between the bounds, the weights at which ``surplus``, up less down step, vanishes.

    NaN where it does not change its sign or vanishes at both bounds.
    """
    low, high = low.copy(), high.copy()
    at_low, at_high = surplus(low), surplus(high)
    crossing = (at_low * at_high <= 0) & ((at_low != 0) | (at_high != 0)) & (low < high)
    for _ in range(60):
        middle = (low + high) / 2
        same_side = surplus(middle) * at_low > 0
        low, high = np.where(same_side, middle, low), np.where(same_side, high, middle)
    return np.where(crossing, (low + high) / 2, np.nan)


def balance_point(hidden: Mapping[str, Floats], slope_up: Floats, slope_down: Floats) -> Floats:
    """Return w with s_up + k_up w = s_down + k_down w; NaN where the steps do not depend on the weight."""
    slope = slope_down - slope_up
    with np.errstate(divide="ignore", invalid="ignore"):
        point = (hidden["dwmin_up"] - hidden["dwmin_down"]) / slope
    return np.where(slope != 0, point, np.nan)
