"""Rules by which a component's numbers follow from its parameters: a closed set of named formulas with coefficients.

A number of a component description is a plain quantity, or a mapping with the name of a ``rule`` and its
coefficients. Each rule may be multiplied by factors (``times``), such as a power of a parameter or the scaling of
the technology node. :mod:`hwsim.cost.rules` evaluates them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from hwsim.spec.base import Measure, Metres, Quantity, Seconds, Spec, Volts, Watts


class PowerFactor(Spec):
    """``(parameter / reference) ^ exponent``."""

    factor: Literal["power"]
    parameter: str
    reference: Quantity
    exponent: float = 1.0


LevelCount = Literal["2^n", "2^n - 1", "2^(n-1) - 1", "2^(n/2)"]


class LevelsFactor(Spec):
    """How many levels, comparators or slots a resolution of n bits needs."""

    factor: Literal["levels"]
    parameter: str
    count: LevelCount
    """``2^n``: steps of a ramp; ``2^n - 1``: comparators of a flash converter; ``2^(n-1) - 1``: slots of a pulse width
    with a sign; ``2^(n/2)``: slots of each of two pulse widths, one for each half of the bits."""


class ShareFactor(Spec):
    """A share p between 0 and 1, or what it leaves, 1 - p."""

    factor: Literal["share"]
    parameter: str
    part: Literal["itself", "rest"] = "itself"


class TreeFactor(Spec):
    """Length of an H-tree in lengths of its first stage: each stage is half as long as the one before."""

    factor: Literal["h_tree"]
    parameter: str


class LinearFactor(Spec):
    """``1 + slope (parameter - reference)``, such as a temperature coefficient."""

    factor: Literal["linear"]
    parameter: str
    reference: Quantity
    slope: float


class NodeFactor(Spec):
    """Ratio of the technology factors of the parameter ``node`` and of the reference node."""

    factor: Literal["node_energy", "node_area"]
    reference: Metres
    """Node of the number that is scaled."""
    parameter: str = "node"
    voltage: Volts = 0.8
    """Supply voltage at both nodes; energy only."""
    scaling: str = "stillmaker-baas"
    """Name of the table of factors in ``models/scaling``."""


Factor = Annotated[
    PowerFactor | LevelsFactor | ShareFactor | TreeFactor | LinearFactor | NodeFactor, Field(discriminator="factor")
]


class RuleSpec(Spec):
    """Base of every rule."""

    times: tuple[Factor, ...] = ()
    """Factors that the number is multiplied by."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """SI unit of the number."""

    def own_parameters(self) -> Iterator[str]:
        """Yield the parameters that the rule itself takes, without its factors and inner rules."""
        return iter(())

    def inner(self) -> tuple[RuleSpec, ...]:
        """Return the rules inside it."""
        return ()

    def parameters(self) -> set[str]:
        """Return the names of every parameter that the number depends on."""
        names = set(self.own_parameters()) | {factor.parameter for factor in self.times}
        return names.union(*(rule.parameters() for rule in self.inner()))

    def measured_in(self) -> set[tuple[str, str]]:
        """Return the parameters that stand for a number as they are, each with the unit that the rule says."""
        own = {(self.name, self.unit)} if isinstance(self, ParameterRule) else set()
        return own.union(*(rule.measured_in() for rule in self.inner()))


def _in_unit(unit: str) -> Callable[[Any], Any]:
    """Return a check that a rule gives numbers of ``unit``."""

    def check(rule: Any) -> Any:
        plain = rule.value if isinstance(rule, ValueRule) else None
        if rule.unit != unit and plain != Measure(0.0):
            given = "a plain number" if rule.unit == "1" else f"one with the unit {rule.unit}"
            raise ValueError(f"expected a number with the unit {unit}, got {given}")
        if plain is not None and plain.value < 0:
            raise ValueError(f"must not be negative, got {plain.value:g} {plain.unit}")
        return rule

    return check


class ValueRule(RuleSpec):
    """A number as it stands."""

    rule: Literal["value"] = "value"
    value: Quantity

    @property
    def unit(self) -> str:
        """SI unit of the number."""
        return self.value.unit


class ParameterRule(RuleSpec):
    """A parameter as it stands."""

    rule: Literal["parameter"]
    name: str
    unit_of: str = "1"
    """SI unit of the parameter; ``1`` also for bits."""

    @property
    def unit(self) -> str:
        """SI unit of the parameter."""
        return self.unit_of

    def own_parameters(self) -> Iterator[str]:
        """Yield the parameter."""
        yield self.name


class PeriodRule(RuleSpec):
    """``1 / rate``."""

    rule: Literal["period"]
    rate: str
    """Parameter in Hz."""

    @property
    def unit(self) -> str:
        """Seconds."""
        return "s"

    def own_parameters(self) -> Iterator[str]:
        """Yield the rate."""
        yield self.rate


class SumRule(RuleSpec):
    """The sum of several numbers of one unit."""

    rule: Literal["sum"]
    terms: tuple[Rule, ...] = Field(min_length=1)

    @property
    def unit(self) -> str:
        """Unit of the terms."""
        return self.terms[0].unit

    def inner(self) -> tuple[RuleSpec, ...]:
        """Return the terms."""
        return self.terms

    @model_validator(mode="after")
    def _one_unit(self) -> SumRule:
        if len({term.unit for term in self.terms}) > 1:
            raise ValueError(f"terms of different units: {', '.join(term.unit for term in self.terms)}")
        return self


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Points = dict[str, Quantity] | dict[str, dict[str, Quantity]]


class TableRule(RuleSpec):
    """Published points over one parameter, or over two (rows of the first, columns of the second)."""

    rule: Literal["table"]
    over: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = Field(min_length=1, max_length=2)
    points: Points
    between: Literal["nothing", "logarithmic"] = "nothing"
    """``nothing``: only the points themselves; ``logarithmic``: straight lines between points on logarithmic axes."""

    def cells(self) -> list[tuple[tuple[str, ...], Measure]]:
        """Return every point with its keys."""
        found: list[tuple[tuple[str, ...], Measure]] = []
        for key, value in self.points.items():
            if isinstance(value, dict):
                found += [((key, inner), measure) for inner, measure in value.items()]
            else:
                found.append(((key,), value))
        return found

    @property
    def unit(self) -> str:
        """Unit of the points."""
        return next((measure.unit for _, measure in self.cells()), "1")

    def own_parameters(self) -> Iterator[str]:
        """Yield the axes."""
        yield from self.over

    @model_validator(mode="after")
    def _complete(self) -> TableRule:
        cells = self.cells()
        if not cells or len({measure.unit for _, measure in cells}) > 1:
            raise ValueError("a table needs points, all of one unit")
        if any(len(keys) != len(self.over) for keys, _ in cells):
            raise ValueError(f"a table over {' and '.join(self.over)} needs points of that depth")
        if len(self.over) == 2 and len(cells) != len({a for (a, *_), _ in cells}) * len({k[-1] for k, _ in cells}):
            raise ValueError("a table over two parameters needs a point for every pair")
        if self.between == "logarithmic" and any(measure.value <= 0 for _, measure in cells):
            raise ValueError("a table between whose points lines are drawn on logarithmic axes needs positive values")
        return self


class PowerAtRateRule(RuleSpec):
    """An energy spent at a rate: a power."""

    rule: Literal["power_at_rate"]
    energy: Annotated[Rule, AfterValidator(_in_unit("J"))]
    rate: str

    @property
    def unit(self) -> str:
        """Watts."""
        return "W"

    def own_parameters(self) -> Iterator[str]:
        """Yield the rate."""
        yield self.rate

    def inner(self) -> tuple[RuleSpec, ...]:
        """Return the energy."""
        return (self.energy,)


class EnergyInTimeRule(RuleSpec):
    """A power drawn for a time: an energy."""

    rule: Literal["energy_in_time"]
    power: Annotated[Rule, AfterValidator(_in_unit("W"))]
    time: Annotated[Rule, AfterValidator(_in_unit("s"))]

    @property
    def unit(self) -> str:
        """Joules."""
        return "J"

    def inner(self) -> tuple[RuleSpec, ...]:
        """Return power and time."""
        return (self.power, self.time)


class AdcSurveyEnergyRule(RuleSpec):
    """Energy of one conversion from a fit of Murmann's survey of converters.

    ``FOM = min(fom_offset + fom_per_ln_rate ln f, fom_cap[bits])`` in dB, ``SNDR = sndr_per_bit bits + sndr_offset``,
    ``E [pJ] = exp(offset + per_ln_node ln node_nm + per_ln_bits ln bits + residual) / (2 10^((FOM - SNDR) / 10))``.
    Source: Andrulis et al., arXiv 2404.06553.
    """

    rule: Literal["adc_survey_energy"]
    bits: str = "bits"
    rate: str = "rate"
    node: str = "node"
    sndr_per_bit: float
    sndr_offset: float
    fom_offset: float
    fom_per_ln_rate: float
    fom_caps: dict[str, float] = Field(min_length=1)
    """Largest figure of merit of each resolution, dB."""
    offset: float
    per_ln_node: float
    per_ln_bits: float
    residual: float

    @property
    def unit(self) -> str:
        """Joules."""
        return "J"

    def own_parameters(self) -> Iterator[str]:
        """Yield resolution, rate and node."""
        yield from (self.bits, self.rate, self.node)


class AdcSurveyAreaRule(RuleSpec):
    """Area of a converter from the same survey, best tenth:
    ``A [um^2] = exp(offset + per_ln_node ln node_nm + per_ln_rate ln f + per_ln_energy ln E_pJ)``."""

    rule: Literal["adc_survey_area"]
    energy: Annotated[Rule, AfterValidator(_in_unit("J"))]
    """Energy of one conversion."""
    rate: str = "rate"
    node: str = "node"
    offset: float
    per_ln_node: float
    per_ln_rate: float
    per_ln_energy: float

    @property
    def unit(self) -> str:
        """Square metres."""
        return "m^2"

    def own_parameters(self) -> Iterator[str]:
        """Yield rate and node."""
        yield from (self.rate, self.node)

    def inner(self) -> tuple[RuleSpec, ...]:
        """Return the energy."""
        return (self.energy,)


class SarCoefficients(Spec):
    """Coefficients of one node of :class:`SarPowerRule`."""

    a: Watts
    """Power for each bit, W."""
    c: Watts
    """Constant power, W."""
    k: Watts
    """Power of the input at a column resistance of 1 ohm, W."""
    m: float
    """Exponent of that power over the decimal logarithm of the resistance."""


class SarPowerRule(RuleSpec):
    """Power of a successive-approximation converter while it converts, ``a bits + c + k exp(m log10 R)``.

    Source: DNN+NeuroSim V2.1, SarADC.cpp, fits to Cadence simulations.
    """

    rule: Literal["sar_power"]
    bits: str = "bits"
    node: str = "node"
    resistance: str = "column_resistance"
    coefficients: dict[str, SarCoefficients] = Field(min_length=1)

    @property
    def unit(self) -> str:
        """Watts."""
        return "W"

    def own_parameters(self) -> Iterator[str]:
        """Yield resolution, node and resistance."""
        yield from (self.bits, self.node, self.resistance)


class LogarithmRule(RuleSpec):
    """``slope ln(parameter / reference) + offset``, kept within ``lower`` and ``upper``."""

    rule: Literal["clamped_logarithm"]
    parameter: str
    reference: Quantity
    slope: Seconds
    offset: Seconds
    lower: Seconds
    upper: Seconds

    @property
    def unit(self) -> str:
        """Seconds."""
        return "s"

    def own_parameters(self) -> Iterator[str]:
        """Yield the parameter."""
        yield self.parameter


def _read_rule(value: Any) -> Any:
    if isinstance(value, RuleSpec):
        return value
    if isinstance(value, dict):
        return {"rule": "value", **value} if "rule" not in value and "value" in value else value
    return {"rule": "value", "value": value}


Rule = Annotated[
    ValueRule
    | ParameterRule
    | PeriodRule
    | SumRule
    | TableRule
    | PowerAtRateRule
    | EnergyInTimeRule
    | AdcSurveyEnergyRule
    | AdcSurveyAreaRule
    | SarPowerRule
    | LogarithmRule,
    Field(discriminator="rule"),
    BeforeValidator(_read_rule),
]
"""A number of a component: a quantity, or a rule."""

EnergyRule = Annotated[Rule, AfterValidator(_in_unit("J"))]
TimeRule = Annotated[Rule, AfterValidator(_in_unit("s"))]
PowerRule = Annotated[Rule, AfterValidator(_in_unit("W"))]
AreaRule = Annotated[Rule, AfterValidator(_in_unit("m^2"))]

for _rule in (SumRule, PowerAtRateRule, EnergyInTimeRule, AdcSurveyAreaRule):
    _rule.model_rebuild()
