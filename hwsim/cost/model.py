"""A component model with its parameters set: every number evaluated, with formula, inputs, provenance and source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hwsim.cost.rules import Derivation, evaluate
from hwsim.errors import Problem, SpecError, suggest
from hwsim.spec.component import PROVENANCES, ComponentSpec, Provenance, Sourced, read_measure
from hwsim.spec.load import load_component
from hwsim.spec.rule import RuleSpec

# Published libraries hold unit slips of many orders of magnitude; no real component comes near these bounds.
_LARGEST = {"J": 1e-3, "s": 1.0, "W": 1e3, "m^2": 1e-2}
_SHORTEST = 1e-13


@dataclass(frozen=True)
class Number:
    """One number of a component: its value in SI units and how it came about."""

    derivation: Derivation
    inputs: Mapping[str, str]
    """The parameters that it depends on, as text with unit."""
    provenance: Provenance
    source: str

    @property
    def value(self) -> float:
        """The number, SI."""
        return self.derivation.value

    def explanation(self) -> dict[str, Any]:
        """Return formula, inputs, scaling factors and further sources as plain data; empty for a plain number."""
        derivation = self.derivation
        if derivation.exact and not self.inputs:
            return {}
        parts: dict[str, Any] = {"formula": derivation.formula, "inputs": dict(self.inputs)}
        if derivation.factors:
            parts["factors"] = {name: float(f"{value:.9g}") for name, value in derivation.factors}
        if derivation.sources:
            parts["sources_of_factors"] = list(derivation.sources)
        return parts


@dataclass(frozen=True)
class ActionNumbers:
    """The costs of one action: energy in J, latency and interval in s."""

    energy: Number
    latency: Number
    interval: Number
    per: str


@dataclass(frozen=True)
class ComponentModel:
    """A component of the library with its parameters set."""

    spec: ComponentSpec
    parameters: Mapping[str, float]
    leakage: Number
    area: Number
    actions: Mapping[str, ActionNumbers]
    properties: Mapping[str, Number]

    def parameters_text(self) -> dict[str, str]:
        """Return the parameters as a file would have them."""
        return {name: self.spec.parameters[name].text(value) for name, value in self.parameters.items()}

    @property
    def node(self) -> str:
        """Technology node of the numbers, such as ``32 nm``."""
        return f"{self.parameters['node'] * 1e9:g} nm" if "node" in self.parameters else self.spec.node

    @property
    def status(self) -> Provenance:
        """The weakest provenance of its numbers; a leakage of zero and properties that a chip sets do not count."""
        chosen = [name for name, each in self.spec.properties.items() if each.value.rule == "parameter"]
        counted = [self.area, *(number for name, number in self.properties.items() if name not in chosen)]
        counted += [self.leakage] if self.leakage.value else []
        counted += [each for action in self.actions.values() for each in (action.energy, action.latency)]
        return max((each.provenance for each in counted), key=PROVENANCES.index)


def set_parameters(spec: ComponentSpec, given: Mapping[str, Any]) -> dict[str, float]:
    """Return the value of every parameter of a component: the given ones, read in their unit, and defaults.

    Raises:
        SpecError: with one problem for each parameter that is unknown, of another unit or out of its range.
    """
    problems = []
    values = {name: parameter.default for name, parameter in spec.parameters.items()}
    for name, value in given.items():
        parameter = spec.parameters.get(name)
        if parameter is None:
            known = ", ".join(sorted(spec.parameters)) or "none"
            text = f"the component '{spec.name}' has no such parameter{suggest(name, spec.parameters)} (known: {known})"
            problems.append(Problem(text, name))
            continue
        try:
            values[name] = read_measure(value, parameter.unit)
        except ValueError as error:
            problems.append(Problem(str(error), name))
            continue
        if (wrong := parameter.problem(values[name])) is not None:
            text = (
                f"{wrong} for '{spec.name}', got {parameter.text(values[name])} ({parameter.source}); "
                f"choose such a value or another component of type {spec.type}"
            )
            problems.append(Problem(text, name))
    if problems:
        raise SpecError(problems)
    return values


def component_model(spec: ComponentSpec | str, given: Mapping[str, Any] | None = None) -> ComponentModel:
    """Evaluate a component, or the one of a name, with some parameters set.

    Raises:
        InputError: it is unknown, a parameter is wrong, or a number comes out implausible.
    """
    spec = load_component(spec) if isinstance(spec, str) else spec
    values = set_parameters(spec, given or {})
    problems: list[Problem] = []

    def number(path: str, entry: Sourced, rule: RuleSpec, unit: str) -> Number:
        inputs = {name: spec.parameters[name].text(values[name]) for name in sorted(rule.parameters())}
        try:
            derivation = evaluate(rule, values)
        except (ValueError, OverflowError) as error:
            problems.append(Problem(f"{spec.name}: {path}: {error}"))
            derivation = Derivation(0.0, unit, "")
        if unit == "s":
            # 9 x 1 ns must be 9 ns and not 9.000000000000001 ns, which would take another clock cycle.
            derivation = replace(derivation, value=float(f"{derivation.value:.12g}"))
        if (slip := _implausible(derivation.value, unit)) is not None:
            problems.append(Problem(f"{spec.name}: {path}: {slip}"))
        weakest = entry.provenance if derivation.exact else max(entry.provenance, "derived", key=PROVENANCES.index)
        return Number(derivation, inputs, weakest, entry.source)

    actions = {}
    for name, action in spec.actions.items():
        rules = {"energy": (action.energy, "J"), "latency": (action.latency, "s")}
        rules["interval"] = (action.latency if action.interval is None else action.interval, "s")
        parts = {key: number(f"actions.{name}.{key}", action, *rule) for key, rule in rules.items()}
        actions[name] = ActionNumbers(**parts, per=action.per)
    model = ComponentModel(
        spec,
        values,
        number("leakage", spec.leakage, spec.leakage.value, "W"),
        number("area", spec.area, spec.area.value, "m^2"),
        actions,
        {name: number(f"properties.{name}", each, each.value, each.unit) for name, each in spec.properties.items()},
    )
    if problems:
        raise SpecError(problems)
    return model


def _implausible(value: float, unit: str) -> str | None:
    if value < 0 or value != value:
        return f"comes out as {value:g} {unit}, which is impossible"
    largest = _LARGEST.get(unit)
    if largest is not None and value > largest:
        return f"{value:g} {unit} is above {largest:g} {unit}: a unit slip"
    if unit == "s" and 0 < value < _SHORTEST:
        return f"{value:g} s is below {_SHORTEST:g} s: a unit slip"
    return None
