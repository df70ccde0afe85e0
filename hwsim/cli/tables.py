"""hwsim tables: the cost tables of a chip."""

from __future__ import annotations

import click

from hwsim.cli.components import echo_explanation
from hwsim.cli.output import References, echo, echo_json, echo_table
from hwsim.results.layout import area_text, compact, count
from hwsim.units import format_quantity


@click.command("tables", short_help="Print the cost tables of a chip, with their sources.")
@click.argument("chip")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(chip: str, as_json: bool) -> None:
    """Print what every action of every component of CHIP costs, in whole clock cycles, with provenance and source.

    Below the table stands how each number came about that is not printed so in its source: formula, inputs, scaling.
    """
    from hwsim.cli.chips import chip_and_tables

    spec, tables = chip_and_tables(chip)
    rows = tables.rows()
    if as_json:
        totals = {"area_m2": tables.area, "leakage_W": tables.leakage}
        echo_json({"chip": spec.name, **totals, "tables": rows})
        return
    leakage = format_quantity(tables.leakage, "W")
    echo(f"cost tables of chip {spec.name}, {area_text(tables.area)}, {leakage} static\n")
    references = References()
    shown, last = [], None
    for row in rows:
        component = row["component"]
        first = (component, count(row["instances"])) if component != last else ("", "")
        last = component
        value = compact(row.get("energy") or row.get("value") or row.get("costs") or "")
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
    if any("derivation" in row for row in rows):
        echo("\nhow numbers came about")
    for row in rows:
        for what, explanation in row.get("derivation", {}).items():
            name = f"{row['component']} {row['action']}" + ("" if what == "value" else f" {what}")
            echo_explanation(name, explanation)
    echo()
    references.echo()
