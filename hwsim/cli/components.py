"""hwsim components: the component library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from hwsim.cli.describe import overview
from hwsim.cli.output import References, echo, echo_json, echo_table, echo_wrapped, first_sentence
from hwsim.results.layout import area_text, compact
from hwsim.units import format_quantity

if TYPE_CHECKING:
    from hwsim.cost import ComponentModel
    from hwsim.cost.model import Number
    from hwsim.errors import Problem


@click.command("components", short_help="List the component models, or show one.")
@click.argument("name", required=False)
@click.option("--set", "settings", multiple=True, metavar="PARAMETER=VALUE", help="Set a parameter of NAME.")
@click.option("--type", "wanted_type", metavar="TYPE", help="List only components of a type, such as adc.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(name: str | None, settings: Sequence[str], wanted_type: str | None, as_json: bool) -> None:
    """List the component models, or show NAME: parameters, what each action costs, formulas, provenance and source.

    The status of a component is the weakest provenance of its numbers.
    """
    from hwsim.cost import component_model
    from hwsim.errors import SpecError, UsageError

    if name is not None:
        if wanted_type is not None:
            raise UsageError("--type picks entries of the list; leave it out with a NAME")
        try:
            model = component_model(name, _given(settings))
        except SpecError as error:
            raise SpecError([_as_option(problem, settings) for problem in error.problems]) from None
        echo_json(_as_data(model)) if as_json else _show(model)
        return
    if settings:
        raise UsageError("--set needs the NAME of a component: hwsim components NAME --set PARAMETER=VALUE")
    _list(wanted_type, as_json)


def _as_option(problem: Problem, settings: Sequence[str]) -> Problem:
    """Name a problem of a parameter after the option that set it."""
    from dataclasses import replace

    given = problem.file is None and any(text.partition("=")[0].strip() == problem.path for text in settings)
    return replace(problem, path=f"--set {problem.path}") if given else problem


def _given(settings: Sequence[str]) -> dict[str, Any]:
    from hwsim.errors import UsageError
    from hwsim.spec.load import parse_value

    given = {}
    for text in settings:
        parameter, equals, value = text.partition("=")
        if not equals or not parameter:
            raise UsageError(f"cannot read --set {text}: expected PARAMETER=VALUE, such as bits=8 or node=22nm")
        given[parameter.strip()] = parse_value(value)
    return given


# The list


def _list(wanted_type: str | None, as_json: bool) -> None:
    from hwsim import library
    from hwsim.errors import UsageError, unknown

    entries = overview(library.names("components"), _entry)
    if wanted_type is not None:
        types = {entry["type"] for entry in entries if "type" in entry}
        if wanted_type not in types:
            raise UsageError(unknown("component type", wanted_type, types))
        entries = [entry for entry in entries if entry.get("type") == wanted_type]
    if as_json:
        echo_json({"components": entries})
        return
    references = References()
    names = ("name", "type", "node", "area", "status", "parameters", "source", "description")
    rows = []
    for entry in entries:
        shown = entry | {"description": first_sentence(entry["description"])}
        shown["parameters"] = " ".join(entry.get("parameters", ()))
        shown["source"] = references.mark(entry["source"]) if "source" in entry else ""
        rows.append([str(shown.get(column, "")) for column in names])
    echo_table(names, rows, right=(3,))
    echo()
    references.echo()
    echo("\nnext: hwsim components NAME [--set PARAMETER=VALUE]")


def _entry(name: str) -> dict[str, Any]:
    from hwsim.cost import component_model

    model = component_model(name)
    main = next(iter(model.spec.actions.values()), model.spec.area)
    return {
        "type": model.spec.type,
        "node": model.node,
        "area": area_text(model.area.value),
        "status": model.status,
        "parameters": list(model.parameters),
        "source": main.source,
        "description": model.spec.description,
    }


# One component


def _as_data(model: ComponentModel) -> dict[str, Any]:
    """Return the description with its numbers evaluated, each with value, unit, provenance, source and derivation."""
    spec = model.spec

    def plain(number: Number, unit: str) -> dict[str, Any]:
        shown = {"value": number.value, "unit": unit, "provenance": number.provenance, "source": number.source}
        return shown | ({"derivation": explanation} if (explanation := number.explanation()) else {})

    def of_action(number: Number, unit: str) -> dict[str, Any]:
        return plain(number, unit) | ({"value": None} if spec.costs_from_data else {})

    return {
        "name": spec.name,
        "type": spec.type,
        "description": spec.description,
        "node": model.node,
        "status": model.status,
        "parameters": {
            key: {
                "value": model.parameters[key], "unit": each.unit, "default": each.default, "allowed": each.allowed,
                "meaning": each.meaning, "source": each.source,
            }
            for key, each in spec.parameters.items()
        },
        "area": plain(model.area, "m^2"),
        "leakage": plain(model.leakage, "W"),
        "actions": {
            key: {
                "per": action.per, "energy": of_action(action.energy, "J"),
                "latency": of_action(action.latency, "s"), "interval": of_action(action.interval, "s"),
            }
            for key, action in model.actions.items()
        },
        "properties": {key: plain(each, spec.properties[key].unit) for key, each in model.properties.items()},
    }  # fmt: skip


def _show(model: ComponentModel) -> None:
    spec = model.spec
    coding = "" if spec.coding == "level" else f"   coding {spec.coding}"
    echo(f"{spec.name}   {spec.type}   {model.node}   {model.status}{coding}")
    echo_wrapped(spec.description)
    references = References()
    if spec.parameters:
        echo()
        values = model.parameters_text()
        echo_table(
            ("parameter", "value", "allowed", "meaning", "source of the range"),
            [
                (name, values[name], each.allowed, each.meaning, references.mark(each.source))
                for name, each in spec.parameters.items()
            ],
            right=(1,),
        )
    if model.actions:
        echo()
        header = ("action", "energy", "latency", "interval", "one action is", "provenance", "source")
        echo_table(header, [_action_row(name, model, references) for name in model.actions], right=(1, 2, 3))
    units = {"leakage": "W", "area": "m^2"} | {name: each.unit for name, each in spec.properties.items()}
    entries = {"leakage": model.leakage, "area": model.area, **model.properties}
    echo()
    echo_table(
        ("of one instance", "value", "provenance", "source"),
        [
            (name, compact(f"{each.value!r} {units[name]}"), each.provenance, references.mark(each.source))
            for name, each in entries.items()
        ],
        right=(1,),
    )
    _show_formulas(model, entries)
    echo()
    references.echo()


def _action_row(name: str, model: ComponentModel, references: References) -> tuple[str, ...]:
    from hwsim.cost import DEPENDS

    action = model.actions[name]
    numbers = (action.energy, action.latency, action.interval)
    energy, latency, interval = (
        DEPENDS if model.spec.costs_from_data else format_quantity(number.value, unit)
        for number, unit in zip(numbers, "Jss", strict=True)
    )
    return (
        name, energy, latency, interval, action.per, action.energy.provenance, references.mark(action.energy.source),
    )  # fmt: skip


def _show_formulas(model: ComponentModel, entries: Mapping[str, Number]) -> None:
    numbers = {
        f"{name}.{part}": getattr(action, part)
        for name, action in model.actions.items()
        for part in ("energy", "latency", "interval")
        if part != "interval" or action.interval.derivation != action.latency.derivation
    }
    formulas = {name: each.explanation() for name, each in (numbers | dict(entries)).items()}
    if not any(formulas.values()):
        return
    echo("\nformulas")
    for name, explanation in formulas.items():
        if explanation:
            echo_explanation(name, explanation)


def echo_explanation(name: str, explanation: Mapping[str, Any]) -> None:
    """Print how a number came about: its formula, then the factors of scaling in it.

    A number that stands as it is in its source, with scalings of 1 or from a parameter of its own, needs no formula.
    """
    factors = explanation.get("factors", {})
    stands = explanation.get("formula") in explanation.get("inputs", {}) or (factors and set(factors.values()) == {1.0})
    if "formula" in explanation and not stands:
        inputs = ", ".join(f"{key} = {value}" for key, value in explanation["inputs"].items())
        echo_wrapped(f"{name} = {explanation['formula']}" + (f"   [{inputs}]" if inputs else ""), indent="  ")
    for factor, value in factors.items():
        if factor.startswith("node_") and not stands:
            echo_wrapped(f"{factor} = {value:.6g}", indent="    ")
    for source in explanation.get("sources_of_factors", ()):
        echo_wrapped(f"factors of the node: {source}", indent="    ")
    if "before_rounding" in explanation:
        echo_wrapped(
            f"{name}: {explanation['before_rounding']} up to whole clocks of {explanation['clock_period']}", indent="  "
        )
