"""hwsim traces: the training traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hwsim.cli.describe import echo_overview, overview, value_text
from hwsim.cli.output import echo, echo_json, echo_table, echo_wrapped

if TYPE_CHECKING:
    from hwsim.spec.layers import MatrixLayer, NamedLayer, Shape
    from hwsim.spec.network import NetworkSpec
    from hwsim.spec.training import TraceSpec


@click.command("traces", short_help="List the training traces, or show one.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(name: str | None, as_json: bool) -> None:
    """List the training traces, or show NAME: network, data, loss, schedule and algorithm.

    Of a recorded trace (FILE.parquet): its layers, steps and samples; the whole file is checked.
    """
    from hwsim.spec.load import load_trace

    if name is not None and name.endswith(".parquet"):
        _recorded(name, as_json)
        return
    if name is not None:
        trace = load_trace(name)
        echo_json(trace.model_dump()) if as_json else _show(trace)
        return
    from hwsim import library

    entries = overview(library.names("traces"), _entry)
    if as_json:
        echo_json({"traces": entries})
    else:
        echo_overview(entries, ("network", "data", "algorithm", "epochs"), right=("epochs",))


def _recorded(file: str, as_json: bool) -> None:
    from hwsim.training.recorded import RecordedFile

    recorded = RecordedFile(file)
    recorded.check()
    spec = recorded.spec
    if as_json:
        echo_json(spec.model_dump())
        return
    kept = "all vectors" if spec.sampled is None else f"at most {spec.sampled} vectors of each layer and step"
    echo(f"{spec.name}   {spec.kind} trace   {spec.steps} steps   {spec.samples} samples   {kept}")
    echo_wrapped(spec.description)
    echo_wrapped(f"source: {spec.source}")
    echo()
    rows = [
        (layer.name, layer.kind, "{} x {}".format(*layer.matrix), str(layer.input_words), str(layer.output_words),
         _yes(layer.bias), _yes(layer.backward))
        for layer in spec.layers
    ]  # fmt: skip
    header = ("layer", "kind", "matrix", "words in", "words out", "bias", "backward")
    echo_table(header, rows, right=(3, 4), indent="  ")
    fidelity = "" if spec.sampled is None else " --fidelity activity"
    echo(f"\nnext: hwsim run {file}{fidelity}")


def _entry(name: str) -> dict[str, Any]:
    from hwsim.spec.load import load_trace

    trace = load_trace(name)
    return {
        "network": _widths(trace.network),
        "data": trace.data.title,
        "algorithm": _named(trace.algorithm),
        "epochs": trace.epochs,
        "description": trace.description,
    }


def _widths(network: NetworkSpec) -> str:
    """Return what a network takes and what its layers with weights give, such as ``784-256-10``."""
    shape = network.input.shape
    first = str(shape.words) if shape.positions == 1 else str(shape).replace(" ", "")
    return "-".join((first, *(_width(layer) for layer in network.matrix_layers)))


def _width(layer: MatrixLayer) -> str:
    """Return the outputs of a layer; of a convolution with the side of its kernel, such as ``16(5x5)``."""
    kernel = getattr(layer, "kernel", None)
    return str(layer.outputs) if kernel is None else f"{layer.outputs}({kernel}x{kernel})"


def _named(choice: str | dict[str, Any] | None) -> str:
    if isinstance(choice, dict):
        return str(choice["name"])
    return choice or "the chip's"


def _show(trace: TraceSpec) -> None:
    echo(f"{trace.name}   {trace.kind} trace")
    echo_wrapped(trace.description)
    echo_wrapped(f"source: {trace.source}")
    network = trace.network
    echo(f"\nnetwork of {network.parameters} parameters, weights start {network.weight_init}")
    rows = [(layer.name, *_row(network, layer)) for layer in network.layers]
    header = ("layer", "kind", "inputs -> outputs", "matrix", "vectors", "activation", "bias", "output scale")
    echo_table(header, rows, indent="  ")
    data = {key: value for key, value in trace.data.model_dump(exclude_unset=True).items() if value is not None}
    schedule = trace.schedule.model_dump(exclude_none=True)
    others = {
        "data": data, "loss": trace.loss, "batch size": trace.batch_size, "epochs": trace.epochs,
        "learning rate": trace.learning_rate, "schedule": schedule, "shuffle": trace.shuffle,
        "algorithm": trace.algorithm,
        "device": trace.device or "the chip's", "settings": trace.settings,
    }  # fmt: skip
    echo()
    echo_table(("", ""), [(name, value_text(value)) for name, value in others.items() if value != {}])
    echo(f"\nnext: hwsim run {trace.name}")


def _row(network: NetworkSpec, layer: NamedLayer) -> tuple[str, ...]:
    from hwsim.spec.layers import MatrixLayer

    kind = str(getattr(layer, "kind", ""))
    shapes = " -> ".join(_size(shape) for shape in (network.given(layer), network.shapes[layer.name]))
    activation = str(getattr(layer, "activation", ""))
    if not isinstance(layer, MatrixLayer):
        return kind, shapes, "", "", activation, "", ""
    matrix, vectors = "{} x {}".format(*layer.matrix), str(layer.vectors(network.given(layer)))
    return kind, shapes, matrix, vectors, activation, _yes(layer.bias), layer.output_scale


def _size(shape: Shape) -> str:
    """Return a shape; of a single vector its width."""
    return str(shape.channels) if shape.positions == 1 else str(shape)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
