"""hwsim algorithms: the training algorithms and their presets."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import click

from hwsim.cli.describe import defaults, echo_overview, echo_parameters, overview, parameters, value_text
from hwsim.cli.output import echo, echo_json, echo_wrapped

if TYPE_CHECKING:
    from hwsim.training.presets import AlgorithmPreset


@click.command("algorithms", short_help="List the training algorithms, or show one.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(name: str | None, as_json: bool) -> None:
    """List the training algorithms and their presets, or show NAME: what it does, and its parameters."""
    from hwsim.training.presets import find_algorithm

    if name is None:
        _list(as_json)
        return
    algorithm, preset = find_algorithm(name)
    shown = _algorithm(algorithm) if preset is None else _preset(preset)
    echo_json(shown) if as_json else _show(shown)


def _list(as_json: bool) -> None:
    from hwsim.training.algorithms import ALGORITHMS
    from hwsim.training.presets import find_preset, preset_names

    def entry(name: str) -> dict[str, Any]:
        preset = find_preset(name)
        if preset is None:
            return {"algorithm": name, "device": "", "description": _documentation(ALGORITHMS.get(name))}
        return {"algorithm": preset.algorithm, "device": _device(preset), "description": preset.description}

    entries = overview([*ALGORITHMS.names(), *preset_names()], entry)
    echo_json({"algorithms": entries}) if as_json else echo_overview(entries, ("algorithm", "device"))


def _algorithm(name: str) -> dict[str, Any]:
    from hwsim.training.algorithms import ALGORITHMS

    algorithm = ALGORITHMS.get(name)
    return {"name": name, "description": _documentation(algorithm), "parameters": defaults(algorithm.Parameters)}


def _preset(preset: AlgorithmPreset) -> dict[str, Any]:
    from hwsim.spec.load import Document, build
    from hwsim.training.algorithms import ALGORITHMS

    model = build(ALGORITHMS.get(preset.algorithm).Parameters, Document(preset.parameters))
    return {
        "name": preset.name,
        "description": preset.description,
        "algorithm": preset.algorithm,
        "device": preset.device,
        "settings": preset.settings,
        "source": preset.source,
        "parameters": parameters(model),
    }


def _device(preset: AlgorithmPreset) -> str:
    return preset.device["name"] if isinstance(preset.device, dict) else preset.device or ""


def _documentation(algorithm: Any) -> str:
    return (inspect.getdoc(algorithm) or "").replace("``", "")


def _show(shown: dict[str, Any]) -> None:
    echo(f"{shown['name']}\n\n{shown['description']}")
    is_preset = "algorithm" in shown
    if is_preset:
        echo(f"\nalgorithm  {shown['algorithm']}\ndevice     {value_text(shown['device'])}")
        for path, value in shown["settings"].items():
            echo(f"setting    {path}={value_text(value)}")
        echo_wrapped(f"source: {shown['source']}")
    if shown["parameters"]:
        echo("\nparameters" if is_preset else "\nparameters and defaults")
        echo_parameters(shown["parameters"], column="value" if is_preset else "default")
    echo(f"\nnext: hwsim run --algorithm {shown['name']} --set algorithm.PARAMETER=VALUE")
