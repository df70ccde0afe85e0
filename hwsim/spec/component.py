"""Description of a component: its parameters, what each of its actions costs, what it leaks and how large it is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, field_serializer, model_validator

from hwsim.spec.base import Measure, Spec, measure_text, misplaced
from hwsim.spec.rule import AreaRule, EnergyRule, PowerRule, Rule, RuleSpec, TimeRule, ValueRule
from hwsim.units import parse_quantity

Provenance = Literal["verified", "derived", "unverified", "assumed"]
"""``verified``: read in the named source; ``derived``: computed from such numbers; ``unverified``: quoted from
elsewhere, not read in the source itself; ``assumed``: a choice of this project."""

PROVENANCES: tuple[Provenance, ...] = ("verified", "derived", "unverified", "assumed")
"""From the firmest to the weakest."""

Coding = Literal["level", "pulse_width", "bit_serial", "split_pulse_width"]
"""How a converter drives its line: ``level``, a voltage in proportion to the input; ``pulse_width``, the full voltage
for a time in proportion to it; ``bit_serial``, the full voltage in one slot for each bit; ``split_pulse_width``, two
pulse widths, one for the upper and one for the lower half of the bits."""


FROM_DATA = ("crossbar",)
"""Types of components whose actions cost what the data and the cell say; their descriptions have zeros there."""


def read_measure(value: Any, unit: str) -> float:
    """Read a parameter of a component in ``unit`` (``1`` and ``bit`` are plain numbers).

    Raises:
        ValueError: it is no such number.
    """
    if isinstance(value, Measure):
        value = measure_text(value)
    if isinstance(value, str) and unit not in ("1", "bit"):
        return parse_quantity(value, unit)
    if isinstance(value, int | float) and not isinstance(value, bool) and (unit in ("1", "bit") or value == 0):
        return float(value)
    wanted = "a plain number" if unit in ("1", "bit") else f"a number with the unit {unit}"
    raise ValueError(f"expected {wanted}, got {value!r}")


class ParameterSpec(Spec):
    """A parameter that a chip may set where it places the component."""

    unit: str
    """SI unit, ``bit`` or ``1``."""
    default: float
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[float, ...] = ()
    """The only values there are; empty: any within the bounds."""
    whole: bool = False
    """Only whole numbers."""
    meaning: str = Field(min_length=1)
    source: str = Field(min_length=1)
    """Where the range comes from: what the numbers were fitted or published for."""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("unit"), str):
            return data
        read = dict(data)
        for name in ("default", "minimum", "maximum"):
            if read.get(name) is not None:
                read[name] = read_measure(read[name], data["unit"])
        if "choices" in read:
            read["choices"] = tuple(read_measure(value, data["unit"]) for value in read["choices"])
        return read

    @field_serializer("default", "minimum", "maximum", "choices")
    def _written(self, value: float | tuple[float, ...] | None) -> Any:
        if isinstance(value, tuple):
            return tuple(self._written(each) for each in value)
        return value if value is None or self.unit in ("1", "bit") else f"{value!r} {self.unit}"

    @model_validator(mode="after")
    def _default_allowed(self) -> ParameterSpec:
        if (problem := self.problem(self.default)) is not None:
            raise ValueError(f"the default {problem}")
        return self

    def problem(self, value: float) -> str | None:
        """Return why a value is not allowed, and what is; None if it is allowed."""
        low, high = self.minimum, self.maximum
        outside = (low is not None and value < low) or (high is not None and value > high)
        whole = not self.whole or value == int(value)
        listed = not self.choices or any(abs(value - choice) <= 1e-9 * abs(choice) for choice in self.choices)
        return f"must be {self.allowed}" if outside or not whole or not listed else None

    @property
    def allowed(self) -> str:
        """The values that are allowed, in words."""
        if self.choices:
            return f"one of {', '.join(self.text(value) for value in self.choices)}"
        low, high = (None if bound is None else self.text(bound) for bound in (self.minimum, self.maximum))
        number = "a whole number" if self.whole else "a number"
        if low is not None and high is not None:
            return f"{number} from {low} to {high}"
        return (
            f"{number} {'of at least ' + low if low is not None else 'up to ' + str(high)}" if low or high else number
        )

    def text(self, value: float) -> str:
        """Return a value as a file would have it."""
        return f"{value:g}" if self.unit in ("1", "bit") else _short(value, self.unit)


def _short(value: float, unit: str) -> str:
    if unit == "B" and value >= 1024 and value % 1024 == 0:
        return f"{value / 1024:g} KiB"
    if unit in ("K", "B"):
        return f"{value:g} {unit}"
    for prefix, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0), ("m", 1e-3), ("u", 1e-6), ("n", 1e-9),
                           ("p", 1e-12), ("f", 1e-15)):  # fmt: skip
        if abs(value) >= factor * (1 - 1e-12):
            return f"{value / factor:g} {prefix}{unit}"
    return f"{value:g} {unit}"


class Sourced(Spec):
    """Base of every number of a cost table."""

    source: str = Field(min_length=1)
    """Paper, table or file that the number comes from; an assumption says that it is one."""
    provenance: Provenance

    @abstractmethod
    def rules(self) -> Iterator[tuple[str, RuleSpec]]:
        """Yield the name and the rule of each number."""


class ActionSpec(Sourced):
    """What one action of a component costs."""

    energy: EnergyRule
    """Energy of one action, J."""
    latency: TimeRule
    """Time from the start of an action to its result, s."""
    interval: TimeRule | None = None
    """Time until the next action may start, s; the latency if None."""
    per: str = Field(min_length=1)
    """What one action is, such as ``conversion of one line``."""

    def rules(self) -> Iterator[tuple[str, RuleSpec]]:
        """Yield energy, latency and interval."""
        yield "energy", self.energy
        yield "latency", self.latency
        if self.interval is not None:
            yield "interval", self.interval


class LeakageSpec(Sourced):
    """Power that one instance draws always."""

    value: PowerRule

    def rules(self) -> Iterator[tuple[str, RuleSpec]]:
        """Yield the power."""
        yield "value", self.value


class AreaSpec(Sourced):
    """Area of one instance."""

    value: AreaRule

    def rules(self) -> Iterator[tuple[str, RuleSpec]]:
        """Yield the area."""
        yield "value", self.value


class PropertySpec(Sourced):
    """A number that a component's behaviour needs, such as the width of a bus."""

    value: Rule
    unit: str
    """SI unit of ``value``, ``bit`` or ``1``; a plain number is in this unit."""

    def rules(self) -> Iterator[tuple[str, RuleSpec]]:
        """Yield the property."""
        yield "value", self.value

    @model_validator(mode="after")
    def _unit(self) -> PropertySpec:
        if self.value.unit not in ("1", self.unit):
            raise ValueError(f"expected a number with the unit {self.unit}, got one with the unit {self.value.unit}")
        return self


class ComponentSpec(Spec):
    """A component model of the library."""

    kind: Literal["component"] = "component"
    name: str
    type: str
    """Registered component type, such as ``adc``."""
    description: str = Field(min_length=1)
    node: str
    """Technology node of the numbers, such as ``32 nm``."""
    coding: Coding = "level"
    """How a converter of inputs drives its line; only of type ``dac``."""
    parameters: dict[str, ParameterSpec] = Field(default_factory=dict)
    """What a chip may set; the rules of the numbers refer to them by name."""
    area: AreaSpec
    leakage: LeakageSpec
    actions: dict[str, ActionSpec] = Field(default_factory=dict)
    properties: dict[str, PropertySpec] = Field(default_factory=dict)

    @property
    def costs_from_data(self) -> bool:
        """Whether energy and time of its actions follow from the data and the cell, and not from this description."""
        return self.type in FROM_DATA

    def numbers(self) -> Iterator[tuple[str, Sourced]]:
        """Yield every number with its path: ``leakage``, ``area``, ``actions.NAME``, ``properties.NAME``."""
        yield "leakage", self.leakage
        yield "area", self.area
        for name, action in self.actions.items():
            yield f"actions.{name}", action
        for name, entry in self.properties.items():
            yield f"properties.{name}", entry

    @model_validator(mode="after")
    def _consistent(self) -> ComponentSpec:
        used: set[str] = set()
        for path, number in self.numbers():
            for _, rule in number.rules():
                for name in rule.parameters() - set(self.parameters):
                    raise ValueError(f"{path} depends on '{name}', which is not among the parameters")
                for name, unit in rule.measured_in():
                    if self.parameters[name].unit.replace("bit", "1") != unit:
                        given = self.parameters[name].unit
                        raise ValueError(f"{path}: the parameter {name} is measured in {given}, not in {unit}")
                used |= rule.parameters()
        if unused := sorted(set(self.parameters) - used):
            raise ValueError(f"no number depends on the parameter {', '.join(unused)}")
        for name, action in self.actions.items() if self.costs_from_data else ():
            for what, rule in action.rules():
                if not (isinstance(rule, ValueRule) and rule.value.value == 0):
                    text = f"what the actions of a {self.type} cost follows from the data and the cell; give 0 here"
                    raise misplaced(f"actions.{name}.{what}", text)
        if self.coding != "level":
            if self.type != "dac":
                raise ValueError(f"coding {self.coding} is for components of type dac, this is of type {self.type}")
            if missing := {"bits", "drive_time"} - set(self.properties):
                raise ValueError(f"coding {self.coding} needs the properties {', '.join(sorted(missing))}")
        return self
