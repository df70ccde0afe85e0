"""hwsim traces: the training traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hwsim.cli.describe import echo_overview, overview, value_text
from hwsim.cli.output import echo_json, echo_table, echo_wrapped

if TYPE_CHECKING:
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
    click.echo(f"{spec.name}   {spec.kind} trace   {spec.steps} steps   {spec.samples} samples   {kept}")
    echo_wrapped(spec.description)
    echo_wrapped(f"source: {spec.source}")
    click.echo()
    rows = [
        (layer.name, layer.kind, "{} x {}".format(*layer.matrix), str(layer.input_words), str(layer.output_words),
         _yes(layer.bias), _yes(layer.backward))
        for layer in spec.layers
    ]  # fmt: skip
    header = ("layer", "kind", "matrix", "words in", "words out", "bias", "backward")
    echo_table(header, rows, right=(3, 4), indent="  ")
    fidelity = "" if spec.sampled is None else " --fidelity activity"
    click.echo(f"\nnext: hwsim run {file}{fidelity}")


def _entry(name: str) -> dict[str, Any]:
    from hwsim.spec.load import load_trace

    trace = load_trace(name)
    layers = trace.network.layers
    shape = "-".join(str(width) for width in (layers[0].inputs, *(layer.outputs for layer in layers)))
    return {
        "network": shape,
        "data": trace.data.title,
        "algorithm": _named(trace.algorithm),
        "epochs": trace.epochs,
        "description": trace.description,
    }


def _named(choice: str | dict[str, Any] | None) -> str:
    if isinstance(choice, dict):
        return str(choice["name"])
    return choice or "the chip's"


def _show(trace: TraceSpec) -> None:
    click.echo(f"{trace.name}   {trace.kind} trace")
    echo_wrapped(trace.description)
    echo_wrapped(f"source: {trace.source}")
    click.echo(f"\nnetwork, weights start {trace.network.weight_init}")
    rows = [
        (layer.name, f"{layer.inputs} -> {layer.outputs}", layer.activation, _yes(layer.bias), layer.output_scale)
        for layer in trace.network.layers
    ]
    echo_table(("layer", "inputs -> outputs", "activation", "bias", "output scale"), rows, indent="  ")
    data = {key: value for key, value in trace.data.model_dump(exclude_unset=True).items() if value is not None}
    schedule = trace.schedule.model_dump(exclude_none=True)
    others = {
        "data": data, "loss": trace.loss, "batch size": trace.batch_size, "epochs": trace.epochs,
        "learning rate": trace.learning_rate, "schedule": schedule, "shuffle": trace.shuffle,
        "algorithm": trace.algorithm,
        "device": trace.device or "the chip's", "settings": trace.settings,
    }  # fmt: skip
    click.echo()
    echo_table(("", ""), [(name, value_text(value)) for name, value in others.items() if value != {}])
    click.echo(f"\nnext: hwsim run {trace.name}")


def _yes(value: bool) -> str:
    return "yes" if value else "no"
