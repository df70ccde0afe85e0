"""Descriptions of a device: the physics of its cell and the parameters every pulsed device law has."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SerializeAsAny, model_validator

from hwsim.html import html_table
from hwsim.spec.base import Amperes, Coulombs, Farads, Seconds, Siemens, Spec, Volts, Watts, misplaced
from hwsim.spec.unit_cell import SingleCell, UnitCellSpec
from hwsim.units import LONGEST_ACTION

LONGEST_TIME = 1e15
"""Largest time in seconds, thirty million years: beyond it times of interest would be lost in the last bits."""


class CellSpec(Spec):
    """What a cell is electrically. Conductance is linear in the weight, from ``g_min`` at ``w_min`` to ``g_max``."""

    name: str
    description: str = ""
    source: str = Field(min_length=1)
    """Where the numbers come from; an assumption says that it is one."""
    g_min: Siemens
    """Conductance at the lower weight bound, S."""
    g_max: Siemens
    """Conductance at the upper weight bound, S."""
    write: Literal["resistive", "gate", "current_source"] = "resistive"
    """``resistive``: a pulse dissipates V^2 G t in the cell. ``gate``: a third terminal takes the pulse, no current
    flows through the channel. ``current_source``: transistors switch a current onto a capacitor where both lines
    fire."""
    write_voltage: Volts
    """Voltage over a cell where both lines fire, V; a cell on one firing line sees half of it. Of a ``current_source``
    cell: supply voltage and swing of the lines."""
    nonlinearity: float = Field(2.0, ge=2.0)
    """Current at the write voltage over current at half of it, of a ``resistive`` cell: 2 is ohmic, a selector makes it
    more."""
    pulse_width: Seconds
    """Duration of one write pulse, s."""
    pulse_gap: Seconds = 0.0
    """Pause between the slots of a pulse train, s."""
    read_voltage: Volts
    """Voltage of a full-scale input during a read, V."""
    gate_capacitance: Farads = 0.0
    """Capacitance that a pulse charges in a ``gate`` or ``current_source`` cell, F."""
    write_current: Amperes = 0.0
    """Current that flows into such a cell during a pulse, A: through the gate of an electrochemical cell, or from the
    current source."""
    switching_charge: Coulombs = 0.0
    """Further charge that each pulse moves, C: polarisation of a ferroelectric, or C dV of the capacitor of a cell."""
    standby_power: Watts = 0.0
    """Power that one device always draws, W: leakage of its transistors and what keeps its charge."""

    @model_validator(mode="after")
    def _check(self) -> CellSpec:
        if not 0 < self.g_min < self.g_max:
            raise ValueError("g_min must be positive and below g_max")
        if min(self.write_voltage, self.read_voltage, self.pulse_width) <= 0:
            raise ValueError("write_voltage, read_voltage and pulse_width must be positive")
        for name, time in (("pulse_width", self.pulse_width), ("pulse_gap", self.pulse_gap)):
            if not 0 <= time <= LONGEST_ACTION:
                raise misplaced(name, f"must be between 0 s and {LONGEST_ACTION:g} s, got {time!r} s")
        charges = (self.gate_capacitance, self.write_current, self.switching_charge)
        names = "gate_capacitance, write_current, switching_charge"
        if min(*charges, self.standby_power) < 0:
            raise ValueError(f"{names} and standby_power must not be negative")
        if self.write == "resistive" and max(charges) > 0:
            raise ValueError(f"{names} belong to cells with write: gate or current_source")
        if self.write != "resistive" and max(charges) <= 0:
            raise ValueError(f"a {self.write} cell needs one of {names} to be positive")
        if self.write != "resistive" and self.nonlinearity != 2.0:
            raise ValueError("nonlinearity belongs to cells with write: resistive")
        return self


class DriftParameters(Spec):
    """Power-law drift of the conductance from t_0 after a device was written, w ~ (t / t_0)^-nu, off with nu = 0.

    Names and defaults of AIHWKit's ``DriftParameter``, less ``nu_std`` and ``w_noise_std``: noise that is redrawn
    whenever one looks has no meaning in elapsed time (``w_noise`` of the converters is read noise).
    """

    nu: float = Field(0.0, ge=-10, le=10)
    """Mean drift exponent."""
    nu_dtod: float = Field(0.0, ge=0, le=100)
    """Device-to-device spread of the exponent, relative."""
    t_0: Seconds = 1.0
    """Time after writing at which drift sets in, s."""
    w_offset: float = Field(0.0, ge=-1e6, le=1e6)
    """Weight of the conductance ``g_offset``; drift leads to w_offset - g_offset wg_ratio, zero conductance."""
    wg_ratio: float = Field(1.0, ge=1e-6, le=1e6)
    """Weight per conductance."""
    g_offset: float = Field(0.0, ge=-1e6, le=1e6)
    """Conductance at the weight ``w_offset``."""
    nu_k: float = Field(0.0, ge=-10, le=10)
    """Fall of the exponent per logarithm of the conductance as written."""
    log_g0: float = Field(0.0, ge=-100, le=100)
    """Logarithm of the conductance at which the exponent is ``nu``."""
    reset_tol: float = Field(1e-7, ge=0)
    """A pulse that changes the weight by no more than this does not restart the drift."""

    @model_validator(mode="after")
    def _check(self) -> DriftParameters:
        if not 1e-15 <= self.t_0 <= LONGEST_TIME:
            raise ValueError(f"t_0 must be between 1e-15 s and {LONGEST_TIME:g} s, got {self.t_0!r} s")
        return self

    @property
    def active(self) -> bool:
        """Whether devices drift."""
        return self.nu != 0 or self.nu_k != 0


class PulsedParameters(Spec):
    """Parameters common to every pulsed device law, with the names and defaults of AIHWKit's ``PulsedDevice``.

    Weights, bounds and steps are dimensionless. ``_dtod`` is a spread from device to device, drawn once; ``_std`` a
    spread from pulse to pulse.
    """

    file_parameters: ClassVar[tuple[str, ...]] = ()
    """Parameters that may hold the path of a file; in a description it is relative to the description's folder."""

    dw_min: float = Field(0.001, gt=0)
    """Mean weight change of one pulse over devices and both directions (for most laws at w = 0)."""
    dw_min_dtod: float = Field(0.3, ge=0)
    """Device-to-device spread of the step, relative to ``dw_min``."""
    dw_min_dtod_log_normal: bool = False
    """Draw the step log-normally; its mean stays ``dw_min``."""
    dw_min_std: float = Field(0.3, ge=0)
    """Pulse-to-pulse spread of the step, relative to the step."""
    up_down: float = Field(0.0, ge=-1, le=1)
    """Systematic asymmetry of up and down steps."""
    up_down_rule: Literal["one_sided", "symmetric"] = "one_sided"
    """``one_sided`` weakens one side by ``up_down``, as the published presets were fitted; ``symmetric`` is 1 +- it."""
    up_down_dtod: float = Field(0.01, ge=0)
    """Device-to-device spread of the asymmetry, in units of ``dw_min``."""
    w_max: float = Field(0.6, ge=0)
    """Mean upper weight bound."""
    w_min: float = Field(-0.6, le=0)
    """Mean lower weight bound."""
    w_max_dtod: float = Field(0.3, ge=0)
    """Device-to-device spread of the upper bound, relative."""
    w_min_dtod: float = Field(0.3, ge=0)
    """Device-to-device spread of the lower bound, relative."""
    enforce_consistency: bool = True
    """Take absolute values of steps, force upper bound >= 0 >= lower bound, swap inverted bounds. False: a device whose
    bounds are inverted stays at the middle between them."""
    perfect_bias: bool = False
    """The last column takes exactly ``dw_min`` both ways and has bounds 100 times wider."""
    corrupt_devices_prob: float = Field(0.0, ge=0, le=1)
    """Probability that a device is stuck."""
    corrupt_devices_range: float = Field(0.1, ge=0)
    """A stuck value is uniform within +- this range, cut at the device's bounds."""
    reset: float = Field(0.0, ge=-1e6, le=1e6)
    """Mean weight after a reset, and the weight to which retention decay leads."""
    reset_dtod: float = Field(0.0, ge=0, le=1e6)
    """Device-to-device spread of that weight, absolute."""
    reset_std: float = Field(0.01, ge=0, le=1e6)
    """Spread of the weight from reset to reset, absolute."""
    lifetime: Seconds = 0.0
    """Time constant of the retention decay, s; 0: none."""
    lifetime_dtod: float = Field(0.0, ge=0, le=100)
    """Device-to-device spread of the lifetime, relative."""
    diffusion: float = Field(0.0, ge=0, le=1e6)
    """Spread that a weight gains by diffusion, per square root of a second."""
    diffusion_dtod: float = Field(0.0, ge=0, le=100)
    """Device-to-device spread of the diffusion, relative."""
    drift: DriftParameters = DriftParameters()
    """Power-law drift."""
    count_pulses: bool = False
    """Count the up and down pulses of each device (endurance)."""

    @model_validator(mode="after")
    def _check_bounds(self) -> PulsedParameters:
        if not 0 <= self.lifetime <= LONGEST_TIME:
            raise ValueError(f"lifetime must be between 0 s (none) and {LONGEST_TIME:g} s, got {self.lifetime!r} s")
        if not self.w_min < self.w_max:
            raise ValueError("w_min must be below w_max")
        return self

    @property
    def ages(self) -> bool:
        """Whether time changes these devices."""
        return self.lifetime > 0 or self.diffusion > 0 or self.drift.active


class DeviceSpec(Spec):
    """A device: its law with all parameters, and its cell."""

    name: str
    description: str = ""
    source: str = Field(min_length=1)
    """Where the parameters come from; an assumption says that it is one."""
    law: str
    """Registered name of the device law."""
    parameters: SerializeAsAny[PulsedParameters]
    """The law's parameters; of the parameter class that the law registers."""
    cell: CellSpec
    unit_cell: SerializeAsAny[UnitCellSpec] = SingleCell()
    """How many such devices make one weight, and how they are updated."""

    def _repr_html_(self) -> str:
        parameters = self.parameters.model_dump(mode="json")
        shown = {"law": self.law, **parameters, "cell": self.cell.name, "source": self.source}
        return html_table(f"Device {self.name}", [(name, str(value)) for name, value in shown.items()])
