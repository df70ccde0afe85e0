"""Measured curves: each device steps as one that was measured."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from hwsim.devices.curves import Curves, read_curves
from hwsim.devices.law import (
    LAWS,
    Draws,
    Floats,
    Hidden,
    KernelForm,
    WriteNoiseParameters,
    bisected_balance,
    derived,
    sample_common,
)
from hwsim.errors import DataError


class MeasuredCurvesParameters(WriteNoiseParameters):
    """Parameters of measured devices; ``dw_min`` and the mean bounds follow from the curves.

    The curves hold the differences between devices, so the spreads from device to device are 0; those of the step
    may be set and come on top.
    """

    file_parameters: ClassVar[tuple[str, ...]] = ("curves",)

    curves: str = Field(min_length=1)
    """CSV or Parquet file with the columns device, weight, up, down; or the name of bundled curves. A path in a device
    description is relative to the description's folder, elsewhere to the working folder."""
    assignment: Literal["cyclic", "sampled", "exact"] = "cyclic"
    """Which measured device stands where. ``cyclic``: row by row in the order of the file, from its start again when
    it ends. ``sampled``: drawn with the seed, with repetition. ``exact``: row by row; the file must have as many
    devices as the array."""
    dw_min_dtod: float = Field(0.0, ge=0)
    """Device-to-device spread of the step beyond that of the curves, relative."""
    dw_min_std: float = Field(0.0, ge=0)
    """Pulse-to-pulse spread of the step, relative to the step."""
    up_down_dtod: float = Field(0.0, ge=0)
    """Device-to-device spread of the asymmetry beyond that of the curves, in units of ``dw_min``."""
    w_max_dtod: float = Field(0.0, ge=0, le=0)
    """0: the bounds are the measured ones."""
    w_min_dtod: float = Field(0.0, ge=0, le=0)
    """0: the bounds are the measured ones."""

    @field_validator("curves")
    @classmethod
    def _usable(cls, name: str) -> str:
        _means(name)
        return name

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("curves"), str) or not data["curves"]:
            return data
        try:
            means = _means(data["curves"])
        except ValueError:
            return data  # refused where it stands, by the validator of the field
        return derived(data, means, "the curves")


def _means(name: str) -> dict[str, float | str]:
    """Return what follows from curves: mean bounds and mean step.

    Raises:
        ValueError: they cannot be read, or no device has such means.
    """
    curves = read_curves(name)
    high, low, step = float(curves.weight[:, -1].mean()), float(curves.weight[:, 0].mean()), curves.mean_step()
    if not low <= 0 <= high:
        raise ValueError(f"{name}: the mean bounds {low:g} and {high:g} must enclose 0")
    if step <= 0:
        raise ValueError(f"{name}: the mean step at w = 0 must be positive")
    return {"w_max": high, "w_min": low, "dw_min": step}


class MeasuredCurves:
    """Steps linear between the measured nodes of each device; its first and last node are its bounds."""

    parameters = MeasuredCurvesParameters

    def granularity(self, p: MeasuredCurvesParameters) -> float:
        """Return ``dw_min``, the mean measured step at w = 0."""
        return p.dw_min

    def sample(self, p: MeasuredCurvesParameters, draws: Draws) -> Hidden:
        """Return bounds, ``curve`` (number of the measured device) and the factors on its steps times ``dw_min``."""
        curves = read_curves(p.curves)
        hidden = sample_common(p, draws)
        curve = _assign(p, draws, len(curves.weight))
        stuck = hidden["max_bound"] == hidden["min_bound"]
        low, high = curves.weight[curve, 0], curves.weight[curve, -1]
        hidden["min_bound"] = np.where(stuck, np.clip(hidden["min_bound"], low, high), low)
        hidden["max_bound"] = np.where(stuck, hidden["min_bound"], high)
        if p.perfect_bias:
            hidden["min_bound"][:, -1], hidden["max_bound"][:, -1] = 100 * p.w_min, 100 * p.w_max
        hidden["curve"] = curve.astype(float)
        return hidden

    def kernel_form(self, p: MeasuredCurvesParameters, hidden: Hidden) -> KernelForm:
        """Return the nodes, then the up and the down steps at them."""
        nodes, up, down = _planes(p, read_curves(p.curves), hidden)
        planes = (*nodes, *up, *(-plane for plane in down))
        return KernelForm("table", planes, (p.dw_min_std, float(len(nodes))), hidden["min_bound"], hidden["max_bound"])

    def symmetric_point(self, p: MeasuredCurvesParameters, hidden: Hidden) -> Floats:
        """Return, by bisection, a weight within the bounds at which both mean steps are equal; NaN where there is
        none."""
        nodes, up, down = _planes(p, read_curves(p.curves), hidden)

        def surplus(w: Floats) -> Floats:
            value = up[0] - down[0]
            for k in range(len(nodes) - 1):
                room = np.where(nodes[k + 1] > nodes[k], nodes[k + 1] - nodes[k], 1.0)
                share = np.clip((w - nodes[k]) / room, 0.0, 1.0)
                value = value + share * ((up[k + 1] - down[k + 1]) - (up[k] - down[k]))
            return value

        return bisected_balance(surplus, hidden["min_bound"], hidden["max_bound"])


def _assign(p: MeasuredCurvesParameters, draws: Draws, measured: int) -> NDArray[np.int64]:
    rows, cols = draws.shape
    if p.assignment == "sampled":
        return (draws.uniform("curve") * measured).astype(np.int64)
    if p.assignment == "exact" and measured != rows * cols:
        raise DataError(
            f"{p.curves} holds {measured} devices; assignment 'exact' to {rows} x {cols} needs {rows * cols}"
        )
    return np.arange(rows * cols).reshape(rows, cols) % measured


def _planes(
    p: MeasuredCurvesParameters, curves: Curves, hidden: Hidden
) -> tuple[list[Floats], list[Floats], list[Floats]]:
    """Return nodes, up and down steps of every device; stuck and perfect ones do not follow a curve."""
    curve = hidden["curve"].astype(np.int64)
    follows = hidden["min_bound"] < hidden["max_bound"]
    if p.perfect_bias:
        follows[:, -1] = False
    count = curves.weight.shape[1]
    gain_up, gain_down = hidden["dwmin_up"] / p.dw_min, hidden["dwmin_down"] / p.dw_min
    room = hidden["max_bound"] - hidden["min_bound"]
    nodes = [
        np.where(follows, curves.weight[curve, k], hidden["min_bound"] + room * (k / (count - 1))) for k in range(count)
    ]
    up = [np.where(follows, gain_up * curves.up[curve, k], hidden["dwmin_up"]) for k in range(count)]
    down = [np.where(follows, gain_down * curves.down[curve, k], hidden["dwmin_down"]) for k in range(count)]
    return nodes, up, down


LAWS.register("measured_curves")(MeasuredCurves())
