"""hwsim chips: the chip library."""

from __future__ import annotations

from typing import Any

import click

from hwsim.cli.describe import echo_overview, overview, value_text
from hwsim.cli.output import echo_json, echo_table, echo_wrapped
from hwsim.results.layout import area_text, count


@click.command("chips", short_help="List the chips, or show one.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(name: str | None, as_json: bool) -> None:
    """List the chips, or show NAME: its hierarchy with counts, component models, clocks and converter settings."""
    if name is not None:
        _show(name, as_json)
        return
    from hwsim import library

    entries = overview(library.names("chips"), _entry)
    if as_json:
        echo_json({"chips": entries})
    else:
        echo_overview(entries, ("tiles", "array", "device"), right=("tiles",))


def _entry(name: str) -> dict[str, Any]:
    from hwsim.spec.load import load_chip

    chip = load_chip(name)
    array = f"{chip.tile.arrays} x {chip.tile.rows} x {chip.tile.cols}"
    return {"tiles": chip.tiles, "array": array, "device": chip.device, "description": chip.description}


def _show(name: str, as_json: bool) -> None:
    from hwsim.cost import CostTables
    from hwsim.spec.load import load_chip

    chip = load_chip(name)
    area = CostTables.for_chip(chip).area
    components = [
        {"component": path, "instances": number, "model": placed.model, "clock": placed.clock}
        for path, (placed, number) in chip.placements().items()
    ]
    cells = chip.tiles * chip.tile.arrays * chip.tile.rows * chip.tile.cols
    if as_json:
        echo_json({**chip.model_dump(), "components": components, "cells": cells, "area_m2": area})
        return
    click.echo(f"{chip.name}   {chip.tiles} tiles   {count(cells)} cells   {area_text(area)}")
    echo_wrapped(chip.description)
    echo_wrapped(f"source: {chip.source}")
    clocks = ", ".join(f"{clock} {value_text(text)}" for clock, text in chip.model_dump()["clocks"].items())
    click.echo(
        f"\ndevice {chip.device}   clocks: {clocks}   word {chip.word_bits} bits   weight {chip.weight_bits} bits"
    )
    click.echo(f"tile: {chip.tile.arrays} arrays of {chip.tile.rows} rows x {chip.tile.cols} cols\n")
    placements = chip.placements().items()
    rows = [(path, count(number), placed.model, placed.clock) for path, (placed, number) in placements]
    echo_table(("component", "on the chip", "model", "clock"), rows, right=(1,))
    click.echo("\nconverters")
    for read in ("forward", "backward", "transfer"):
        echo_wrapped(f"{read}: {value_text(getattr(chip.tile, read))}", indent="  ")
    click.echo(f"\nnext: hwsim tables {name}")
