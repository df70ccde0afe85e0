"""hwsim algorithms: the training algorithms."""

from __future__ import annotations

import inspect
from typing import Any

import click

from hwsim.cli.describe import defaults, echo_overview, echo_parameters, overview
from hwsim.cli.output import echo_json


@click.command("algorithms", short_help="List the training algorithms, or show one.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(name: str | None, as_json: bool) -> None:
    """List the training algorithms, or show NAME: what it does, and its parameters with their defaults."""
    from hwsim.training.algorithms import ALGORITHMS

    if name is not None:
        algorithm = ALGORITHMS.get(name)
        shown = {"name": name, "description": _documentation(algorithm), "parameters": defaults(algorithm.Parameters)}
        echo_json(shown) if as_json else _show(shown)
        return
    entries = overview(ALGORITHMS.names(), lambda each: {"description": _documentation(ALGORITHMS.get(each))})
    echo_json({"algorithms": entries}) if as_json else echo_overview(entries, ())


def _documentation(algorithm: Any) -> str:
    return (inspect.getdoc(algorithm) or "").replace("``", "")


def _show(algorithm: dict[str, Any]) -> None:
    click.echo(f"{algorithm['name']}\n\n{algorithm['description']}")
    if algorithm["parameters"]:
        click.echo("\nparameters and defaults")
        echo_parameters(algorithm["parameters"], column="default")
    click.echo(f"\nnext: hwsim run --algorithm {algorithm['name']} --set algorithm.PARAMETER=VALUE")
