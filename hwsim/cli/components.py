"""hwsim components: the component library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hwsim.cli.describe import echo_overview, overview
from hwsim.cli.output import References, echo_json, echo_table, echo_wrapped
from hwsim.results.layout import area_text, compact
from hwsim.units import format_quantity

if TYPE_CHECKING:
    from hwsim.spec.component import ComponentSpec


@click.command("components", short_help="List the component models, or show one.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(name: str | None, as_json: bool) -> None:
    """List the component models, or show NAME: what each action costs, with provenance and source."""
    from hwsim.spec.load import load_component

    if name is not None:
        spec = load_component(name)
        echo_json(spec.model_dump()) if as_json else _show(spec)
        return
    from hwsim import library

    entries = overview(library.names("components"), _entry)
    if as_json:
        echo_json({"components": entries})
    else:
        echo_overview(entries, ("type", "node", "area"), right=("area",))


def _entry(name: str) -> dict[str, Any]:
    from hwsim.spec.load import load_component

    spec = load_component(name)
    return {"type": spec.type, "node": spec.node, "area": area_text(spec.area.value), "description": spec.description}


def _show(spec: ComponentSpec) -> None:
    click.echo(f"{spec.name}   {spec.type}   {spec.node}")
    echo_wrapped(spec.description)
    references = References()
    actions = []
    for name, action in spec.actions.items():
        interval = action.latency if action.interval is None else action.interval
        costs = (
            format_quantity(action.energy, "J"),
            format_quantity(action.latency, "s"),
            format_quantity(interval, "s"),
        )
        actions.append((name, *costs, action.per, action.provenance, references.mark(action.source)))
    if actions:
        click.echo()
        header = ("action", "energy", "latency", "interval", "one action is", "provenance", "source")
        echo_table(header, actions, right=(1, 2, 3))
    entries = {"leakage": (spec.leakage, f"{spec.leakage.value!r} W"), "area": (spec.area, f"{spec.area.value!r} m^2")}
    entries |= {name: (each, f"{each.value!r} {each.unit}") for name, each in spec.properties.items()}
    rows = [
        (name, compact(text), each.provenance, references.mark(each.source)) for name, (each, text) in entries.items()
    ]
    click.echo()
    echo_table(("of one instance", "value", "provenance", "source"), rows, right=(1,))
    click.echo()
    references.echo()
