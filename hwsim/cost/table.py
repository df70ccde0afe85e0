"""Resolves the component models of a chip into cost tables in joules and whole picoseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwsim import library
from hwsim.cost.checks import description_problems
from hwsim.cost.model import ComponentModel, Number, component_model
from hwsim.engine.clock import Clock
from hwsim.errors import Problem, SpecError, UsageError, unknown
from hwsim.html import html_table
from hwsim.spec.chip import ChipSpec
from hwsim.spec.component import PROVENANCES, ComponentSpec
from hwsim.spec.load import Document, load_component
from hwsim.spec.placement import PlacedComponent

DEPENDS = "depends on data"
"""What tables say in place of a number that every single action has of its own."""


@dataclass(frozen=True)
class Cost:
    """One action: energy in J, time to its result and until the next one in ps (whole clock cycles)."""

    energy: float
    latency: int
    interval: int


@dataclass(frozen=True)
class ComponentCosts:
    """The costs of one component class of a chip.

    ``leakage`` (W) and ``area`` (m^2) are of one instance; ``count`` instances are on the chip.
    """

    path: str
    model: ComponentModel
    count: int
    clock: Clock
    actions: Mapping[str, Cost]

    @property
    def spec(self) -> ComponentSpec:
        """Description of the component model."""
        return self.model.spec

    @property
    def leakage(self) -> float:
        """Power that one instance always draws, W."""
        return self.model.leakage.value

    @property
    def area(self) -> float:
        """Area of one instance, m^2."""
        return self.model.area.value

    def property(self, name: str) -> float:
        """Return a property of the component model, such as ``width`` (SI)."""
        return self.model.properties[name].value


class CostTables(dict[str, ComponentCosts]):
    """The cost tables of a chip, by component path such as ``tile.adc``."""

    @classmethod
    def for_chip(
        cls,
        chip: ChipSpec,
        document: Document | None = None,
        *,
        devices_per_cell: int = 1,
        references: bool = True,
    ) -> CostTables:
        """Look up every component model that the chip names, and set its parameters.

        Args:
            chip: the chip.
            document: the file that it was read from; problems then name file and line.
            devices_per_cell: devices of one unit cell, which all take area in a crossbar.
            references: whether the unit cells need reference cells.

        Raises:
            SpecError: a model is unknown or of another type, lacks an action or property, a parameter is unknown or out
                of range, or a latency does not fit the clock.
        """
        clocks: dict[str, Clock] = {}
        problems: list[Problem] = []
        for name, frequency in chip.clocks.items():
            try:
                clocks[name] = Clock.from_frequency(frequency)
            except ValueError as error:
                problems.append(Problem(str(error), f"clocks.{name}"))
        tables = cls()
        placed_components = chip.placements(devices_per_cell, references=references)
        for path, (placed, count) in placed_components.items() if not problems else ():
            try:
                tables[path] = _resolve(path, placed, count, clocks[placed.clock], chip.node)
            except SpecError as error:
                problems.extend(error.problems)
            except UsageError as error:
                problems.append(Problem(str(error), f"{path}.model"))
            except ValueError as error:
                problems.append(Problem(str(error), path))
        if not problems:
            problems = description_problems(chip, tables)
        if problems:
            raise SpecError([_located(problem, document) for problem in problems])
        return tables

    @property
    def area(self) -> float:
        """Area of the whole chip, m^2."""
        return sum(self.area_by_component.values())

    @property
    def leakage(self) -> float:
        """Power that the whole chip always draws, W."""
        return sum(self.leakage_by_component.values())

    @property
    def area_by_component(self) -> dict[str, float]:
        """Area of all instances of each component, m^2."""
        return {path: costs.area * costs.count for path, costs in self.items()}

    @property
    def leakage_by_component(self) -> dict[str, float]:
        """Static power of all instances of each component, W."""
        return {path: costs.leakage * costs.count for path, costs in self.items()}

    def _repr_html_(self) -> str:
        names = ("component", "action", "energy", "value", "latency", "provenance", "source")
        rows = [[str(row.get(name, "")) for name in names] for row in self.rows()]
        return html_table("Cost tables", rows, names, right=(2, 3, 4))

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per action, leakage, area and property: plain data, units in the values, sources.

        ``derivation`` says how each number came about, if not straight from its source: formula, inputs, factors of
        scaling and their sources, and the rounding to clock cycles.
        """
        rows = []
        for path, costs in self.items():
            model = costs.model
            shared: dict[str, Any] = {"component": path, "model": model.spec.name, "instances": costs.count}
            shared["node"] = model.node
            fixed = [("leakage", model.leakage, "W"), ("area", model.area, "m^2")]
            fixed += [(name, each, model.spec.properties[name].unit) for name, each in model.properties.items()]
            own = [_action_row(costs, name) for name in model.actions] + [_fixed_row(*each) for each in fixed]
            # A mapping of its own for each row: YAML would write one that is shared as an alias.
            rows += [
                shared | ({"parameters": model.parameters_text()} if model.parameters else {}) | row for row in own
            ]
        return rows


def _action_row(costs: ComponentCosts, name: str) -> dict[str, Any]:
    cost, numbers = costs.actions[name], costs.model.actions[name]
    derivation: dict[str, Any] = {}
    for what in ("energy", "latency", "interval"):
        number: Number = getattr(numbers, what)
        explanation = number.explanation()
        if what != "energy" and abs(number.value * 1e12 - getattr(cost, what)) > 1e-3:
            explanation["before_rounding"] = f"{number.value * 1e12:.9g} ps"
            explanation["clock_period"] = f"{costs.clock.period} ps"
        if explanation and not (what == "interval" and explanation == derivation.get("latency")):
            derivation[what] = explanation
    shown = {"energy": f"{cost.energy!r} J", "latency": f"{cost.latency} ps", "interval": f"{cost.interval} ps"}
    row = {
        "action": name,
        "per": numbers.per,
        **({"costs": DEPENDS} if costs.spec.costs_from_data else shown),
        "provenance": max(numbers.energy.provenance, numbers.latency.provenance, key=PROVENANCES.index),
        "source": numbers.energy.source,
    }
    return row | ({"derivation": derivation} if derivation else {})


def _fixed_row(name: str, number: Number, unit: str) -> dict[str, Any]:
    explanation = number.explanation()
    row = {
        "action": name,
        "per": "instance",
        "value": f"{number.value!r} {unit}",
        "provenance": number.provenance,
        "source": number.source,
    }
    return row | ({"derivation": {"value": explanation}} if explanation else {})


def _located(problem: Problem, document: Document | None) -> Problem:
    if problem.file is not None or document is None:
        return problem
    return Problem(problem.message, problem.path, document.file, document.line(problem.path.split(".")))


REQUIRED: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    # component path: (type, actions, properties)
    "tile.crossbar": ("crossbar", ("read", "write"), ("line_capacitance_per_cell",)),
    "tile.row_dac": ("dac", ("convert",), ()),
    "tile.col_dac": ("dac", ("convert",), ()),
    "tile.row_pulser": ("pulse_generator", ("draw",), ()),
    "tile.col_pulser": ("pulse_generator", ("draw",), ()),
    "tile.integrator": ("integrator", (), ("power",)),
    "tile.sample_hold": ("sample_hold", ("sample",), ()),
    "tile.adc": ("adc", ("convert",), ()),
    "tile.shift_add": ("accumulator", ("add",), ()),
    "tile.accumulator": ("accumulator", ("add",), ()),
    "tile.control": ("controller", (), ()),
    "buffer": ("buffer", ("read", "write"), ("width", "capacity")),
    "hidden_buffer": ("buffer", ("read", "write"), ("width", "capacity")),
    "bus": ("bus", ("transfer",), ("width",)),
    "interconnect": ("bus", ("transfer",), ("width",)),
    "off_chip_link": ("off_chip_link", ("transfer",), ("width",)),
    "digital": ("digital_unit", ("add", "mul", "div", "compare", "nonlinear"), ()),
    "controller": ("controller", ("issue",), ()),
}
"""What the simulation asks of the component model at each place of a chip."""

OPTIONAL = ("tile.sample_hold", "tile.shift_add", "hidden_buffer", "bus", "interconnect", "off_chip_link")
"""Places that a chip may leave empty; it has either a bus or an interconnect."""


def _resolve(path: str, placed: PlacedComponent, count: int, clock: Clock, node: float | None) -> ComponentCosts:
    spec = load_component(placed.model)
    wanted_type, actions, properties = REQUIRED[path]
    file = library.find("components", placed.model)
    problems = []
    if spec.type != wanted_type:
        problems.append(
            Problem(f"the model '{spec.name}' is a {spec.type}; this place needs a {wanted_type}", f"{path}.model")
        )
    else:
        for kind, wanted, known in (("action", actions, spec.actions), ("property", properties, spec.properties)):
            problems += [Problem(unknown(kind, name, known), f"{kind}s", file) for name in wanted if name not in known]
    given = dict(placed.parameters)
    if node is not None and "node" in spec.parameters:
        given.setdefault("node", f"{node!r} m")
    try:
        model = component_model(spec, given)
    except SpecError as error:
        for each in error.problems:
            place = f"{path}.parameters.{each.path}" if each.path else f"{path}.model"
            if each.path == "node" and "node" not in placed.parameters:
                place = "node"
            problems.append(Problem(each.message, place))
        raise SpecError(problems) from None
    resolved: dict[str, Cost] = {}
    for name, action in model.actions.items():
        try:
            latency, interval = (
                clock.whole_cycles(number.value, rounding=placed.rounding)
                for number in (action.latency, action.interval)
            )
        except ValueError as error:
            advice = f"{error}; set {path}.rounding to 'up' or choose another clock"
            problems.append(Problem(advice, f"actions.{name}.latency", file))
            continue
        resolved[name] = Cost(action.energy.value, latency, interval)
    if problems:
        raise SpecError(problems)
    return ComponentCosts(path, model, count, clock, resolved)
