"""Resolves the component models of a chip into cost tables in joules and whole picoseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwsim import library
from hwsim.engine.clock import Clock
from hwsim.errors import Problem, SpecError, UsageError, unknown
from hwsim.spec.chip import ChipSpec, PlacedComponent
from hwsim.spec.component import AreaSpec, ComponentSpec, LeakageSpec, PropertySpec
from hwsim.spec.load import load_component


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
    spec: ComponentSpec
    count: int
    clock: Clock
    actions: Mapping[str, Cost]

    @property
    def leakage(self) -> float:
        """Power that one instance always draws, W."""
        return self.spec.leakage.value

    @property
    def area(self) -> float:
        """Area of one instance, m^2."""
        return self.spec.area.value

    def property(self, name: str) -> float:
        """Return a property of the component model, such as ``width`` (SI)."""
        return self.spec.properties[name].value


class CostTables(dict[str, ComponentCosts]):
    """The cost tables of a chip, by component path such as ``tile.adc``."""

    @classmethod
    def for_chip(cls, chip: ChipSpec) -> CostTables:
        """Look up every component model that the chip names.

        Raises:
            SpecError: a model is unknown or of another type, lacks an action or property, or a latency does not fit
                the clock.
        """
        clocks: dict[str, Clock] = {}
        problems: list[Problem] = []
        for name, frequency in chip.clocks.items():
            try:
                clocks[name] = Clock.from_frequency(frequency)
            except ValueError as error:
                problems.append(Problem(str(error), f"clocks.{name}"))
        if problems:
            raise SpecError(problems)
        tables = cls()
        for path, (placed, count) in chip.placements().items():
            try:
                tables[path] = _resolve(path, placed, count, clocks[placed.clock])
            except SpecError as error:
                problems.extend(error.problems)
            except UsageError as error:
                problems.append(Problem(str(error), f"{path}.model"))
            except ValueError as error:
                problems.append(Problem(str(error), path))
        if problems:
            raise SpecError(problems)
        return tables

    @property
    def area(self) -> float:
        """Area of the whole chip, m^2."""
        return sum(costs.area * costs.count for costs in self.values())

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per action, leakage and area: plain data with the unit in each value and its source."""
        rows = []
        for path, costs in self.items():
            spec = costs.spec
            shared = {"component": path, "model": spec.name, "instances": costs.count, "node": spec.node}
            for name, action in spec.actions.items():
                cost = costs.actions[name]
                rows.append(
                    shared
                    | {
                        "action": name,
                        "per": action.per,
                        "energy": f"{cost.energy!r} J",
                        "latency": f"{cost.latency} ps",
                        "interval": f"{cost.interval} ps",
                        "provenance": action.provenance,
                        "source": action.source,
                    }
                )
            fixed: list[tuple[str, LeakageSpec | AreaSpec | PropertySpec, str]] = [
                ("leakage", spec.leakage, "W"),
                ("area", spec.area, "m^2"),
            ]
            fixed += [(name, entry, entry.unit) for name, entry in spec.properties.items()]
            for name, entry, unit in fixed:
                rows.append(
                    shared
                    | {
                        "action": name,
                        "per": "instance",
                        "value": f"{entry.value!r} {unit}",
                        "provenance": entry.provenance,
                        "source": entry.source,
                    }
                )
        return rows


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
    "tile.accumulator": ("accumulator", ("add",), ()),
    "tile.control": ("controller", (), ()),
    "buffer": ("buffer", ("read", "write"), ("width", "capacity")),
    "bus": ("bus", ("transfer",), ("width",)),
    "digital": ("digital_unit", ("add", "mul", "div", "compare", "nonlinear"), ()),
    "controller": ("controller", ("issue",), ()),
}
"""What the simulation asks of the component model at each place of a chip."""


def _resolve(path: str, placed: PlacedComponent, count: int, clock: Clock) -> ComponentCosts:
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
    resolved: dict[str, Cost] = {}
    for name, action in spec.actions.items():
        times = (action.latency, action.latency if action.interval is None else action.interval)
        try:
            latency, interval = (clock.whole_cycles(time, rounding=placed.rounding) for time in times)
        except ValueError as error:
            problems.append(
                Problem(
                    f"{error}; set {path}.rounding to 'up' or choose another clock", f"actions.{name}.latency", file
                )
            )
            continue
        resolved[name] = Cost(action.energy, latency, interval)
    if problems:
        raise SpecError(problems)
    return ComponentCosts(path, spec, count, clock, resolved)
