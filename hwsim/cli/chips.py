"""hwsim chips: the chip library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hwsim.cli.describe import echo_overview, overview, value_text
from hwsim.cli.output import echo, echo_json, echo_table, echo_wrapped
from hwsim.results.layout import area_text, count
from hwsim.units import format_quantity

if TYPE_CHECKING:
    from hwsim.cost import ComponentCosts, CostTables
    from hwsim.spec.chip import ChipSpec


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


def chip_and_tables(name: str) -> tuple[ChipSpec, CostTables]:
    """Return a chip of the library and its cost tables with its own device.

    Raises:
        InputError: a description is unknown or wrong.
    """
    from hwsim.cost import CostTables
    from hwsim.devices import device_document, device_from_document
    from hwsim.spec.load import load_chip, named_document

    chip = load_chip(name)
    cell = device_from_document(device_document(chip.device)).unit_cell
    tables = CostTables.for_chip(
        chip, named_document("chips", name), devices_per_cell=cell.n_devices, references=cell.needs_reference
    )
    return chip, tables


def _show(name: str, as_json: bool) -> None:
    chip, tables = chip_and_tables(name)
    area = tables.area
    components = [
        {
            "component": path, "instances": costs.count, "model": costs.spec.name, "parameters": costs.model.parameters,
            "area_m2": costs.area * costs.count, "leakage_W": costs.leakage * costs.count,
        }
        for path, costs in tables.items()
    ]  # fmt: skip
    cells = chip.tiles * chip.tile.arrays * chip.tile.rows * chip.tile.cols
    if as_json:
        published = [figure.model_dump() | {"met": figure.met} for figure in chip.published]
        echo_json({**chip.model_dump(), "published": published, "components": components, "cells": cells,
                   "area_m2": area, "leakage_W": tables.leakage})  # fmt: skip
        return
    echo(
        f"{chip.name}   {chip.tiles} tiles   {count(cells)} cells   {area_text(area)}   "
        f"{format_quantity(tables.leakage, 'W')} static"
    )
    echo_wrapped(chip.description)
    echo_wrapped(f"source: {chip.source}")
    clocks = ", ".join(f"{clock} {value_text(text)}" for clock, text in chip.model_dump()["clocks"].items())
    echo(f"\ndevice {chip.device}   clocks: {clocks}   word {chip.word_bits} bits   weight {chip.weight_bits} bits")
    echo(f"tile: {chip.tile.arrays} arrays of {chip.tile.rows} rows x {chip.tile.cols} cols\n")
    placed = chip.placements()
    rows = [_component_row(path, costs, placed[path][0].clock, area) for path, costs in tables.items()]
    header = ("component", "on the chip", "model", "parameters", "clock", "area", "%", "static power")
    echo_table(header, rows, right=(1, 5, 6, 7))
    echo("\nconverters")
    for read in ("forward", "backward", "transfer"):
        echo_wrapped(f"{read}: {value_text(getattr(chip.tile, read))}", indent="  ")
    if chip.published:
        _echo_published(chip)
    echo(f"\nnext: hwsim tables {name}")


def _echo_published(chip: ChipSpec) -> None:
    """Print the published figures beside those that the chip gives when it runs."""
    echo("\npublished figures, and what the chip gives when it runs")
    rows, notes = [], []
    for figure in chip.published:
        mark = ""
        if figure.difference:
            notes.append(figure.difference)
            mark = f"({len(notes)})"
        deviation = "" if figure.met or figure.deviation is None else f"{100 * figure.deviation:+.1f} %"
        rows.append((figure.figure, figure.published, figure.ours or "-", deviation, figure.provenance, mark))
    echo_table(("figure", "published", "ours", "", "known", ""), rows, right=(1, 2, 3), indent="  ")
    for number, note in enumerate(notes, 1):
        echo_wrapped(f"({number}) {note}", indent="  ")


def _component_row(path: str, costs: ComponentCosts, clock: str, total: float) -> tuple[str, ...]:
    area, leakage = costs.area * costs.count, costs.leakage * costs.count
    parameters = ", ".join(f"{name} {text}" for name, text in costs.model.parameters_text().items())
    share = f"{100 * area / total:.1f}" if total else ""
    power = format_quantity(leakage, "W") if leakage else "0"
    return path, count(costs.count), costs.spec.name, parameters, clock, area_text(area), share, power
