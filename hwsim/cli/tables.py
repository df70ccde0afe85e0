"""hwsim tables: the cost tables of a chip."""

from __future__ import annotations

import click

from hwsim.cli.output import References, echo_json, echo_table
from hwsim.results.layout import area_text, compact, count


@click.command("tables", short_help="Print the cost tables of a chip, with their sources.")
@click.argument("chip")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(chip: str, as_json: bool) -> None:
    """Print what every action of every component of CHIP costs, in whole clock cycles, with provenance and source."""
    from hwsim.cost import CostTables
    from hwsim.spec.load import load_chip

    spec = load_chip(chip)
    tables = CostTables.for_chip(spec)
    rows = tables.rows()
    if as_json:
        echo_json({"chip": spec.name, "area_m2": tables.area, "tables": rows})
        return
    click.echo(f"cost tables of chip {spec.name}, {area_text(tables.area)}\n")
    references = References()
    shown, last = [], None
    for row in rows:
        component = row["component"]
        first = (component, count(row["instances"])) if component != last else ("", "")
        last = component
        value = compact(row.get("energy") or row.get("value") or "")
        latency, interval = (compact(row.get(name) or "") for name in ("latency", "interval"))
        costs = (row["action"], value, latency, interval if interval != latency else "", row["per"])
        shown.append([*first, *costs, row["provenance"], references.mark(row["source"])])
    header = (
        "component",
        "count",
        "action",
        "energy, value",
        "latency",
        "interval",
        "one action is",
        "provenance",
        "source",
    )
    echo_table(header, shown, right=(1, 3, 4, 5))
    click.echo()
    references.echo()
