"""hwsim networks: networks as lists of layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hwsim.cli.describe import echo_overview, overview
from hwsim.cli.output import echo, echo_json, echo_table, echo_wrapped
from hwsim.results.layout import count

if TYPE_CHECKING:
    from hwsim.spec.architecture import ArchitectureSpec
    from hwsim.spec.layers import NamedLayer


@click.command("networks", short_help="List the networks, or show one.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(name: str | None, as_json: bool) -> None:
    """List the networks that run at activity fidelity, or show NAME (or FILE.onnx): its layers with shapes, parameters
    and multiply-accumulate operations."""
    from hwsim.spec.load import load_network

    if name is not None:
        network = _of_file(name) if name.endswith(".onnx") else load_network(name)
        echo_json(_object(network)) if as_json else _show(network, name)
        return
    from hwsim import library

    entries = overview(library.names("networks"), _entry)
    if as_json:
        echo_json({"networks": entries})
    else:
        shown = [
            {key: count(value) if isinstance(value, int) else value for key, value in entry.items()}
            for entry in entries
        ]
        numbers = ("layers", "parameters", "macs")
        echo_overview(shown, ("input", *numbers), right=numbers)


def _of_file(file: str) -> ArchitectureSpec:
    from hwsim.onnx import network_of
    from hwsim.spec.architecture import ArchitectureSpec
    from hwsim.spec.load import build

    return build(ArchitectureSpec, network_of(file))


def _entry(name: str) -> dict[str, Any]:
    from hwsim.spec.load import load_network

    network = load_network(name)
    return {
        "input": str(network.input.shape),
        "layers": len(network.matrix_layers),
        "parameters": network.parameters,
        "macs": network.macs,
        "description": network.description,
    }


def _layer(network: ArchitectureSpec, layer: NamedLayer) -> dict[str, Any]:
    given = network.given(layer)
    matrix = getattr(layer, "matrix", None)
    return {
        "name": layer.name,
        "kind": getattr(layer, "kind", ""),
        "after": network.sources[layer.name][0],
        "output": list(network.shapes[layer.name]),
        "matrix": None if matrix is None else list(matrix),
        "vectors": None if matrix is None else layer.vectors(given),  # type: ignore[attr-defined]
        "parameters": layer.parameters(given),
        "macs": layer.macs(given),
    }


def _object(network: ArchitectureSpec) -> dict[str, Any]:
    counted = {"parameters": network.parameters, "macs": network.macs}
    layers = [_layer(network, layer) for layer in network.layers]
    return {**network.model_dump(exclude={"layers"}), **counted, "layers": layers}


def _show(network: ArchitectureSpec, shown_as: str) -> None:
    echo(
        f"{network.name}   {len(network.matrix_layers)} layers with weights   {count(network.parameters)} parameters   "
        f"{count(network.macs)} multiply-accumulates a sample"
    )
    echo_wrapped(network.description)
    echo_wrapped(f"source: {network.source}")
    if network.published is not None:
        published = network.published
        echo_wrapped(f"published: {count(published.parameters)} parameters, {published.macs:.4g} multiply-accumulates: "
                     f"{published.source}")  # fmt: skip
    echo(f"\ninput {network.input.shape}")
    rows = []
    for layer in network.layers:
        entry = _layer(network, layer)
        matrix = "" if entry["matrix"] is None else "{} x {}".format(*entry["matrix"])
        vectors = "" if entry["vectors"] is None else count(entry["vectors"])
        after = entry["after"] if layer.after is not None else ""
        output = " x ".join(str(length) for length in entry["output"])
        rows.append((layer.name, entry["kind"], after, output, matrix, vectors, count(entry["parameters"])))
    header = ("layer", "kind", "after", "output", "matrix", "vectors", "parameters")
    echo_table(header, rows, right=(5, 6), indent="  ")
    echo(f"\nnext: hwsim run {shown_as} --fidelity activity --steps 1 --chip large")
