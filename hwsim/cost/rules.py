"""Evaluates the rules of a component description, and keeps how each number came about."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import singledispatch

from hwsim.cost.scaling import interpolate, node_scaling
from hwsim.spec import rule as rules
from hwsim.spec.component import read_measure
from hwsim.units import format_quantity, parse_quantity

Parameters = Mapping[str, float]


@dataclass(frozen=True)
class Derivation:
    """A number and how it came about.

    ``value`` is in the SI ``unit``; ``formula`` names the rule with its coefficients; ``factors`` holds the value of
    every scaling in it; ``exact`` is True if the number stands so in its source; ``sources`` are those of scalings.
    """

    value: float
    unit: str
    formula: str
    factors: tuple[tuple[str, float], ...] = ()
    exact: bool = True
    sources: tuple[str, ...] = ()


def evaluate(rule: rules.RuleSpec, parameters: Parameters) -> Derivation:
    """Evaluate a rule with its factors.

    Raises:
        ValueError: a parameter is outside what the rule has numbers for.
    """
    result = _base(rule, parameters)
    if rule.inner() and rule.times:
        result = replace(result, formula=f"({result.formula})")
    for factor in rule.times:
        name, value, source = _factor(factor, parameters)
        result = replace(
            result,
            value=result.value * value,
            formula=f"{result.formula} x {name}",
            factors=(*result.factors, (name, value)),
            exact=result.exact and value == 1.0,
            sources=result.sources if source is None or value == 1.0 else (*result.sources, source),
        )
    return result


def amount(value: float, unit: str) -> str:
    """Return a number with its unit for a formula."""
    if unit in ("1", "bit"):
        return f"{value:.6g}"
    if unit == "m^2":
        return f"{value * 1e6:.6g} mm^2" if value >= 1e-8 else f"{value * 1e12:.6g} um^2"
    return f"{value:.6g} {unit}" if unit in ("B", "K") else format_quantity(value, unit, digits=6)


def _measure(measure: rules.Measure) -> str:
    return amount(measure.value, measure.unit)


# Factors


def _factor(factor: rules.Factor, parameters: Parameters) -> tuple[str, float, str | None]:
    """Return the text, the value and the source of a factor."""
    value = parameters[factor.parameter]
    if isinstance(factor, rules.PowerFactor):
        base = factor.parameter
        if factor.reference.value != 1.0 or factor.reference.unit != "1":
            base = f"({factor.parameter} / {_measure(factor.reference)})"
        power = "" if factor.exponent == 1 else f"^{factor.exponent:g}"
        return base + power, (value / factor.reference.value) ** factor.exponent, None
    if isinstance(factor, rules.LevelsFactor):
        return f"({factor.count.replace('n', factor.parameter)})", levels(factor.count, value), None
    if isinstance(factor, rules.ShareFactor):
        whole = factor.part == "itself"
        return (factor.parameter, value, None) if whole else (f"(1 - {factor.parameter})", 1 - value, None)
    if isinstance(factor, rules.TreeFactor):
        return f"(2 - 2^(1 - {factor.parameter}))", 2.0 - 2.0 ** (1 - value), None
    if isinstance(factor, rules.LinearFactor):
        text = f"(1 + {factor.slope:g} ({factor.parameter} - {_measure(factor.reference)}))"
        return text, 1 + factor.slope * (value - factor.reference.value), None
    scaling = node_scaling(factor.scaling)
    if factor.factor == "node_area":
        ratio, at = scaling.area(value, factor.reference), ""
    else:
        ratio, at = scaling.energy(value, factor.reference, factor.voltage), f" at {factor.voltage:g} V"
    text = f"{factor.factor}({factor.reference * 1e9:g} -> {value * 1e9:g} nm{at})"
    return text, ratio, scaling.spec.source


def levels(count: rules.LevelCount, bits: float) -> float:
    """Return the number of levels, comparators or slots of a resolution of ``bits``."""
    return {
        "2^n": 2.0**bits,
        "2^n - 1": 2.0**bits - 1,
        "2^(n-1) - 1": 2.0 ** (bits - 1) - 1,
        "2^(n/2)": 2.0 ** (bits / 2),
    }[count]


# Rules


@singledispatch
def _base(rule: rules.RuleSpec, _parameters: Parameters) -> Derivation:
    """Evaluate a rule without its factors."""
    raise TypeError(f"no evaluation of the rule {rule!r}")


@_base.register
def _value(rule: rules.ValueRule, _parameters: Parameters) -> Derivation:
    return Derivation(rule.value.value, rule.unit, _measure(rule.value))


@_base.register
def _parameter(rule: rules.ParameterRule, parameters: Parameters) -> Derivation:
    return Derivation(parameters[rule.name], rule.unit, rule.name)


@_base.register
def _period(rule: rules.PeriodRule, parameters: Parameters) -> Derivation:
    return Derivation(1 / parameters[rule.rate], "s", f"1 / {rule.rate}", exact=False)


@_base.register
def _sum(rule: rules.SumRule, parameters: Parameters) -> Derivation:
    return _joined(sum, " + ", "", rule.unit, *(evaluate(term, parameters) for term in rule.terms))


@_base.register
def _power_at_rate(rule: rules.PowerAtRateRule, parameters: Parameters) -> Derivation:
    energy = evaluate(rule.energy, parameters)
    rate = parameters[rule.rate]
    return replace(
        energy, value=energy.value * rate, unit="W", formula=f"({energy.formula}) x {rule.rate}", exact=False
    )


@_base.register
def _energy_in_time(rule: rules.EnergyInTimeRule, parameters: Parameters) -> Derivation:
    parts = (evaluate(rule.power, parameters), evaluate(rule.time, parameters))
    return replace(_joined(math.prod, " x ", "()", "J", *parts), exact=False)


def _joined(combine: object, sign: str, brackets: str, unit: str, *parts: Derivation) -> Derivation:
    opening, closing = brackets[:1], brackets[1:]
    return Derivation(
        combine(part.value for part in parts),  # type: ignore[operator]
        unit,
        sign.join(f"{opening}{part.formula}{closing}" for part in parts),
        tuple(dict.fromkeys(factor for part in parts for factor in part.factors)),
        all(part.exact for part in parts),
        tuple(dict.fromkeys(source for part in parts for source in part.sources)),
    )


@_base.register
def _logarithm(rule: rules.LogarithmRule, parameters: Parameters) -> Derivation:
    value = rule.slope * math.log(parameters[rule.parameter] / rule.reference.value) + rule.offset
    lower, upper, slope, offset = (
        format_quantity(each, "s") for each in (rule.lower, rule.upper, rule.slope, rule.offset)
    )
    text = f"{slope} x ln({rule.parameter} / {_measure(rule.reference)}) + {offset}, within {lower} and {upper}"
    return Derivation(min(max(value, rule.lower), rule.upper), "s", text, exact=False)


@_base.register
def _table(rule: rules.TableRule, parameters: Parameters) -> Derivation:
    text = f"table over {' and '.join(rule.over)}"
    values, exact = [parameters[name] for name in rule.over], True
    points: dict[float, object] = {_key(key): value for key, value in rule.points.items()}
    if len(rule.over) == 2:
        rows: dict[float, object] = {}
        for key, row in points.items():
            cells = {_key(inner): measure.value for inner, measure in row.items()}  # type: ignore[attr-defined]
            rows[key], hit = _lookup(cells, values[1], rule, rule.over[1])
            exact &= hit
        number, hit = _lookup(rows, values[0], rule, rule.over[0])
    else:
        cells = {key: measure.value for key, measure in points.items()}  # type: ignore[attr-defined]
        number, hit = _lookup(cells, values[0], rule, rule.over[0])
    between = "" if hit and exact else ", logarithmic between its points"
    return Derivation(number, rule.unit, f"{amount(number, rule.unit)} ({text}{between})", exact=hit and exact)


def _key(text: str) -> float:
    """Read the key of a point: a plain number, or a length or capacity with its unit."""
    for unit in ("1", "m", "B", "Hz", "ohm"):
        try:
            return float(text) if unit == "1" else parse_quantity(text, unit)
        except ValueError:
            continue
    return read_measure(text, "1")


def _lookup(points: Mapping[float, object], x: float, rule: rules.TableRule, name: str) -> tuple[float, bool]:
    numbers = sorted((key, float(value)) for key, value in points.items())  # type: ignore[arg-type]
    for key, value in numbers:
        if math.isclose(key, x, rel_tol=1e-9):
            return value, True
    low, high = numbers[0][0], numbers[-1][0]
    if rule.between == "nothing" or not low <= x <= high:
        known = ", ".join(f"{key:g}" for key, _ in numbers)
        raise ValueError(f"{name} = {x:g}: the table has points at {known} only")
    logs = [(math.log(key), math.log(value)) for key, value in numbers]
    return math.exp(interpolate(logs, math.log(x))), False


# Fits of converters


@_base.register
def _adc_survey_energy(rule: rules.AdcSurveyEnergyRule, parameters: Parameters) -> Derivation:
    bits, rate, node = parameters[rule.bits], parameters[rule.rate], parameters[rule.node] * 1e9
    caps = {float(key): cap for key, cap in rule.fom_caps.items()}
    if bits not in caps:
        raise ValueError(
            f"{rule.bits} = {bits:g}: the fit has resolutions {', '.join(f'{key:g}' for key in caps)} only"
        )
    sndr = rule.sndr_per_bit * bits + rule.sndr_offset
    at_rate = rule.fom_offset + rule.fom_per_ln_rate * math.log(rate)
    fom = min(at_rate, caps[bits])
    trend = rule.offset + rule.per_ln_node * math.log(node) + rule.per_ln_bits * math.log(bits) + rule.residual
    energy = math.exp(trend) / (2 * 10 ** ((fom - sndr) / 10)) * 1e-12
    text = (
        f"1 / (2 x 10^((FOM - SNDR) / 10)) x exp({rule.offset:g} + {rule.per_ln_node:g} ln {node:g} "
        f"{rule.per_ln_bits:+g} ln {bits:g} {rule.residual:+g}) pJ, SNDR = {sndr:.4f} dB, FOM = {fom:.3f} dB "
        f"({'limited by resolution' if fom < at_rate else 'limited by rate'})"
    )
    return Derivation(energy, "J", text, exact=False)


@_base.register
def _adc_survey_area(rule: rules.AdcSurveyAreaRule, parameters: Parameters) -> Derivation:
    energy = evaluate(rule.energy, parameters)
    rate, node = parameters[rule.rate], parameters[rule.node] * 1e9
    exponent = (
        rule.offset
        + rule.per_ln_node * math.log(node)
        + rule.per_ln_rate * math.log(rate)
        + rule.per_ln_energy * math.log(energy.value * 1e12)
    )
    text = (
        f"exp({rule.offset:g} + {rule.per_ln_node:g} ln {node:g} + {rule.per_ln_rate:g} ln {rate:g} "
        f"+ {rule.per_ln_energy:g} ln {energy.value * 1e12:.4g}) um^2, energy {amount(energy.value, 'J')}"
    )
    return replace(energy, value=math.exp(exponent) * 1e-12, unit="m^2", formula=text)


@_base.register
def _sar_power(rule: rules.SarPowerRule, parameters: Parameters) -> Derivation:
    bits, node, resistance = parameters[rule.bits], parameters[rule.node], parameters[rule.resistance]
    nodes = {parse_quantity(key, "m"): each for key, each in rule.coefficients.items()}
    fit = next((each for key, each in nodes.items() if math.isclose(key, node, rel_tol=1e-9)), None)
    if fit is None:
        raise ValueError(f"{rule.node} = {node * 1e9:g} nm: the fit has the nodes {', '.join(rule.coefficients)} only")
    power = fit.a * bits + fit.c + fit.k * math.exp(fit.m * math.log10(resistance))
    a, c, k = (format_quantity(each, "W", digits=6) for each in (fit.a, fit.c, fit.k))
    text = f"{a} x {rule.bits} + {c} + {k} x exp({fit.m:g} log10 {rule.resistance})"
    return Derivation(power, "W", text, exact=False)
