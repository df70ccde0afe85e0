"""hwsim devices: the device library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hwsim.cli.describe import echo_overview, echo_parameters, overview, parameters
from hwsim.cli.output import echo, echo_json, echo_wrapped

if TYPE_CHECKING:
    from hwsim.spec.device import DeviceSpec

CELLS = 16
"""The mean response is taken over an array of 16 x 16 devices."""
MOST_PULSES = 1000
POINTS = 60


@click.command("devices", short_help="List the device models, or show one.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(name: str | None, as_json: bool) -> None:
    """List the device models, or show NAME: every parameter, its source, its cell and its mean response to pulses."""
    if name is not None:
        _show(name, as_json)
        return
    from hwsim.devices import device_names

    entries = overview(device_names(), _entry)
    if as_json:
        echo_json({"devices": entries})
    else:
        echo_overview(entries, ("law", "states"), right=("states",))


def _entry(name: str) -> dict[str, Any]:
    from hwsim.devices import load_device

    spec = load_device(name)
    return {"law": spec.law, "states": _states(spec), "description": spec.description or spec.source}


def _states(spec: DeviceSpec) -> int:
    """Mean number of steps between the weight bounds."""
    return round((spec.parameters.w_max - spec.parameters.w_min) / spec.parameters.dw_min)


def _show(name: str, as_json: bool) -> None:
    from hwsim.devices import load_device

    spec = load_device(name)
    response = mean_response(spec)
    if as_json:
        echo_json({**spec.model_dump(), "states": _states(spec), "response": response})
        return
    echo(f"{spec.name}   {spec.law}   {_states(spec)} states")
    if spec.description:
        echo_wrapped(spec.description)
    echo_wrapped(f"source: {spec.source}")
    echo("\nparameters")
    echo_parameters(parameters(spec.parameters))
    if spec.unit_cell.kind != "single":
        echo(f"\nunit cell {spec.unit_cell.kind}")
        echo_parameters(parameters(spec.unit_cell, leave_out=("kind",)))
    echo(f"\ncell {spec.cell.name}")
    if spec.cell.description:
        echo_wrapped(spec.cell.description, indent="  ")
    echo_parameters(parameters(spec.cell, leave_out=("name", "description", "source")))
    echo_wrapped(f"source: {spec.cell.source}", indent="  ")
    n = int(response["pulses"][-1]) // 2
    echo(f"\nmean weight of {CELLS * CELLS} devices from w = 0: {n} pulses up, then {n} pulses down")
    echo("\n".join(sketch(response["pulses"], response["mean_weight"])))


def mean_response(spec: DeviceSpec) -> dict[str, list[float]]:
    """Return the mean weight of 256 devices against the number of pulses: from zero up, then as many down."""
    import numpy as np

    from hwsim.devices import make_cells

    cells = make_cells(spec, shape=(CELLS, CELLS), seed=0)
    cells.set_weights(np.zeros((CELLS, CELLS), np.float32))
    stride = max(min(2 * _states(spec), MOST_PULSES) // (POINTS // 2), 1)
    pulses, mean = [0.0], [float(cells.weights.mean())]
    for polarity in (1, -1):
        for _ in range(POINTS // 2):
            for _ in range(stride):
                cells.pulse(polarity)
            pulses.append(pulses[-1] + stride)
            mean.append(float(cells.weights.mean()))
    return {"pulses": pulses, "mean_weight": mean}


def sketch(x: list[float], y: list[float], height: int = 12) -> list[str]:
    """Draw points of equal spacing as lines of text, with the lowest and highest y at the left and x below."""
    low, high = min(y), max(y)
    span = (high - low) or 1.0
    grid = [[" "] * len(y) for _ in range(height)]
    for column, value in enumerate(y):
        grid[height - 1 - round((value - low) / span * (height - 1))][column] = "*"
    labels = {0: f"{high:.3g}", height - 1: f"{low:.3g}"}
    lines = [f"  {labels.get(index, ''):>8} |{''.join(row).rstrip()}" for index, row in enumerate(grid)]
    end = f"{x[-1]:g} pulses"
    return [*lines, "  " + " " * 9 + "+" + "-" * len(y), "  " + " " * 10 + "0" + end.rjust(len(y) - 1)]
