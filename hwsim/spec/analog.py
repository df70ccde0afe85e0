"""Parameters of pulsed updates and of the converters, with the names and defaults of AIHWKit."""

from __future__ import annotations

from functools import cache
from math import ceil, log2
from typing import Literal

from pydantic import Field, model_validator

from hwsim.spec.base import Spec

PulseType = Literal["stochastic_compressed", "stochastic", "mean_count", "deterministic_implicit", "none_with_device"]
PASSES: dict[PulseType, int] = {
    "stochastic_compressed": 1,
    "stochastic": 2,
    "mean_count": 1,
    "deterministic_implicit": 1,
    "none_with_device": 0,
}
"""Trains that a sample takes."""

MvType = Literal["one_pass", "pos_neg_separate", "pos_neg_separate_digital_sum"]
NoiseManagement = Literal["none", "abs_max", "max", "constant", "abs_max_np_sum", "average_abs_max"]


class UpdateParameters(Spec):
    """How a rank-1 update becomes pulse trains.

    Source: Gokmen and Vlasov, Front. Neurosci. 10:333 (2016); names and defaults of AIHWKit's ``UpdateParameters``.
    """

    desired_bl: int = Field(31, ge=1, le=1_000_000)
    """Slots of a pulse train; the largest number of them with ``update_bl_management``."""
    fixed_bl: bool = True
    """False: the train grows where the learning rate exceeds ``desired_bl`` steps."""
    pulse_type: PulseType = "stochastic_compressed"
    """``stochastic_compressed``: one Bernoulli train per line. ``stochastic``: one train for the columns with positive
    x, then one for those with negative x: twice the slots. ``mean_count``: the product of the lines' rounded mean
    counts, no randomness. ``deterministic_implicit``: the rounded mean number of coincidences. ``none_with_device``: no
    pulses, the float product cut at the bounds of each device; an idealisation that takes the array no time and no
    energy."""
    update_management: bool = True
    """Balance the pulse probabilities of rows and columns."""
    update_bl_management: bool = True
    """Make each sample's train as short as it can be; switches ``update_management`` on."""
    um_grad_scale: float = Field(1.0, gt=0)
    """Factor on the largest gradient in the management; below 1 the gradient clips earlier."""
    res: float = Field(0.0, ge=0, le=1)
    """Resolution of the pulse probability; 0 is continuous."""
    sto_round: bool = False
    """Round the probability to ``res``, ``x_res_implicit`` or ``d_res_implicit`` stochastically."""
    x_res_implicit: float = Field(0.0, ge=0, le=1)
    """Resolution of a column's probability with ``deterministic_implicit``, which ignores ``res``; 0 is continuous."""
    d_res_implicit: float = Field(0.0, ge=0, le=1)
    """The same of a row."""

    @property
    def passes(self) -> int:
        """Trains that each sample takes."""
        return PASSES[self.pulse_type]


class IOParameters(Spec):
    """The converters around a matrix-vector product and its noise, in weight and input units.

    A resolution above 1 is a number of levels; at or below 0 the converter is continuous. Names and defaults of
    AIHWKit's ``IOParameters``.
    """

    is_perfect: bool = False
    """An exact product: no converter, no noise, no management."""
    mv_type: MvType = "one_pass"
    """``one_pass``: all inputs at once. ``pos_neg_separate``: positive inputs, then negative ones, collected before one
    conversion. ``pos_neg_separate_digital_sum``: a conversion for each of the two passes, added digitally."""
    inp_bound: float = Field(1.0, ge=0)
    """Inputs are cut at +- this value; 0: not at all."""
    inp_res: float = 1 / 126
    """Step of the input converter, relative to its range of 2 ``inp_bound``."""
    inp_sto_round: bool = False
    """Round inputs stochastically."""
    inp_noise: float = Field(0.0, ge=0)
    """Standard deviation of the noise on every applied input."""
    inp_asymmetry: float = Field(0.0, ge=-1, le=1)
    """Negative inputs are weaker by this fraction."""
    out_bound: float = Field(12.0, ge=0)
    """Outputs are cut at +- this value; 0: not at all."""
    out_res: float = 1 / 510
    """Step of the output converter, relative to its range of 2 ``out_bound``."""
    out_sto_round: bool = False
    """Round outputs stochastically."""
    out_noise: float = Field(0.06, ge=0)
    """Standard deviation of the noise on every output before its conversion."""
    out_noise_std: float = Field(0.0, ge=0)
    """Output-to-output spread of ``out_noise``, relative and fixed: |out_noise (1 + out_noise_std xi)|."""
    out_scale: float = 1.0
    """Digital factor on every output."""
    out_asymmetry: float = Field(0.0, ge=-1, le=1)
    """Negative outputs are weaker by this fraction."""
    noise_management: NoiseManagement = "abs_max"
    """What an input vector is divided by: nothing, its largest magnitude, its largest value, ``nm_thres``, the largest
    magnitude widened so that one-sided sums fit the output range, or the running mean of the largest magnitudes of all
    vectors until now (decay 1e-3 a vector; evaluation does not change it)."""
    nm_thres: float = Field(0.0, ge=0)
    """Upper limit of that divisor (0: none); with ``constant`` the divisor itself, with ``abs_max_np_sum`` a limit of
    the largest magnitude, with ``average_abs_max`` of no effect."""
    bound_management: Literal["none", "iterative", "iterative_worst_case"] = "iterative"
    """``iterative``: halve the inputs and read again while an output saturates. ``iterative_worst_case``: the second
    read uses the divisor ``abs_max_np_sum``, halving starts with the third (without noise management the second is
    like the first)."""
    max_bm_factor: int = Field(1000, ge=1)
    """Reduction of the inputs beyond which no further read is made; the last one may exceed it by a factor of 2."""
    max_bm_res: float = Field(0.25, gt=0)
    """Largest reduction of the inputs in units of the input resolution."""
    bm_test_negative_bound: bool = True
    """Negative saturated outputs also ask for another read."""
    w_noise: float = Field(0.0, ge=0)
    """Strength of the read noise of the weights."""
    w_noise_type: Literal["none", "additive_constant", "pcm_read"] = "none"
    """``additive_constant``: std ``w_noise`` on every weight. ``pcm_read``: std ``w_noise`` sqrt|w|."""

    ir_drop: float = Field(0.0, ge=0)
    """Strength of the static IR drop along the inputs; 1 is the physical drop."""
    ir_drop_g_ratio: float = Field(1 / 0.35 / 5e-6, gt=0)
    """Conductance of the wire between two cells over the largest conductance of a cell; AIHWKit: 0.35 ohm, 5 uS."""
    out_nonlinearity: float = Field(0.0, ge=0)
    """S-shaped non-linearity y / (1 + |n y|) of every output, n = out_nonlinearity / out_bound."""
    out_nonlinearity_std: float = Field(0.0, ge=0)
    """Output-to-output spread of n, relative and fixed."""
    slope_calibration: float = Field(0.0, ge=0)
    """Part of the output range at which the gain of the non-linearity and of ``r_series`` is calibrated to 1."""
    v_offset_std: float = Field(0.0, ge=0)
    """Output-to-output spread of the relative voltage offset, fixed: max(v_offset_std xi, 0)."""
    v_offset_w_min: float = Field(-1.0, le=0)
    """Weight of the reference cells of the offset; 0: no reference."""
    r_series: float = Field(0.0, ge=0)
    """Series resistance of a line, relative to the output: y / (1 + r_series |y|)."""
    w_read_asymmetry_dtod: float = Field(0.0, ge=0)
    """Device-to-device spread f of the weight that negative inputs see, w (1 - f); needs two passes."""

    @model_validator(mode="after")
    def _check(self) -> IOParameters:
        if self.noise_management == "constant" and self.nm_thres <= 0:
            raise ValueError("noise_management 'constant' needs a positive nm_thres")
        if self.out_bound <= 0 and (self.out_nonlinearity > 0 or self.slope_calibration > 0):
            raise ValueError("out_nonlinearity and slope_calibration are relative to out_bound, which must be positive")
        if self.w_read_asymmetry_dtod > 0 and self.mv_type == "one_pass":
            raise ValueError("w_read_asymmetry_dtod needs mv_type 'pos_neg_separate' or 'pos_neg_separate_digital_sum'")
        return self

    @property
    def passes(self) -> int:
        """Reads of the array that one product takes."""
        return 1 if self.is_perfect or self.mv_type == "one_pass" else 2

    @property
    def conversions(self) -> int:
        """Conversions of each output that one product takes."""
        return 2 if not self.is_perfect and self.mv_type == "pos_neg_separate_digital_sum" else 1

    @property
    def inp_step(self) -> float:
        """Step of the input converter in input units; 0 if continuous."""
        return _step(self.inp_res, self.inp_bound)

    @property
    def out_step(self) -> float:
        """Step of the output converter in output units; 0 if continuous."""
        return _step(self.out_res, self.out_bound)

    @property
    def inp_bits(self) -> int | None:
        """Bits of the input converter, None if it is continuous."""
        return _bits(self.inp_res, self.inp_step)

    @property
    def out_bits(self) -> int | None:
        """Bits of the output converter, None if it is continuous."""
        return _bits(self.out_res, self.out_step)


@cache
def _step(resolution: float, bound: float) -> float:
    if resolution <= 0 or bound <= 0:
        return 0.0
    return 2 * bound * (1 / resolution if resolution > 1 else resolution)


@cache
def _bits(resolution: float, step: float) -> int | None:
    if step <= 0:
        return None
    # Rounding keeps 1/126 at 126 levels, whatever its last bit.
    return max(1, ceil(log2(round(resolution if resolution > 1 else 1 / resolution, 6))))
