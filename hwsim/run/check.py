"""Checks description files without running anything: every mistake with its file and line."""

from __future__ import annotations

from pathlib import Path

from hwsim.cost import CostTables, component_model
from hwsim.devices import device_from_document
from hwsim.errors import InputError, Problem, SpecError
from hwsim.onnx import network_of
from hwsim.run.compatibility import check_default_device
from hwsim.spec.activity import ActivitySpec
from hwsim.spec.architecture import ArchitectureSpec
from hwsim.spec.base import Spec
from hwsim.spec.chip import ChipSpec
from hwsim.spec.component import ComponentSpec
from hwsim.spec.device import CellSpec
from hwsim.spec.experiment import ExperimentSpec
from hwsim.spec.load import Document, build, load_document, with_network
from hwsim.spec.network_trace import NetworkTraceSpec
from hwsim.spec.scaling import ScalingSpec
from hwsim.spec.training import DataSpec, TraceSpec
from hwsim.training.algorithms import ALGORITHMS
from hwsim.training.data import load_data, read_idx
from hwsim.training.presets import find_algorithm, table_from_document
from hwsim.training.recorded import RecordedFile

KINDS = (
    "device",
    "cell",
    "component",
    "scaling",
    "chip",
    "algorithms",
    "trace",
    "network",
    "network-trace",
    "statistics",
    "experiment",
)

MODELS: dict[str, type[Spec]] = {
    "network": ArchitectureSpec, "network-trace": NetworkTraceSpec, "statistics": ActivitySpec,
    "experiment": ExperimentSpec,
}  # fmt: skip
"""Descriptions that need no more than their schema."""


def check_file(path: Path | str) -> list[Problem]:
    """Return every problem of a YAML description, an ``.npz``, IDX or ONNX file, or a recorded trace."""
    path = Path(path)
    try:
        if not path.is_file():
            return [Problem("no such file", file=path)]
        if path.suffix == ".parquet":
            RecordedFile(path).check()
        elif path.suffix == ".onnx":
            build(ArchitectureSpec, network_of(path))
        elif path.suffix == ".npz":
            load_data(DataSpec(file=str(path)))
        elif ("idx" in path.name and path.suffix in (".gz", "")) or path.name.endswith(("-ubyte", "-ubyte.gz")):
            read_idx(path)
        else:
            _check_description(load_document(path))
    except SpecError as error:
        return [
            problem if problem.file is not None else Problem(problem.message, problem.path, path)
            for problem in error.problems
        ]
    except InputError as error:
        text = str(error)
        return [Problem(text.removeprefix(f"{path}: "), file=path)]
    return []


def kind_of(document: Document) -> str:
    """Return which of ``KINDS`` a document describes, from its ``kind`` or from what it contains.

    Raises:
        SpecError: it is none of them.
    """
    data = document.data
    named = {"live": "trace"}.get(str(data.get("kind")), data.get("kind"))
    if named in KINDS:
        return str(named)
    for kind, keys in (
        ("device", ("law", "base")), ("cell", ("g_min", "g_max")), ("component", ("actions", "leakage")),
        ("scaling", ("nodes",)), ("chip", ("tile", "tiles")), ("algorithms", ("presets",)),
        ("trace", ("network", "loss")),
    ):  # fmt: skip
        if any(key in data for key in keys):
            return kind
    raise SpecError(
        [Problem(f"cannot tell what this describes; add kind: (one of {', '.join(KINDS)})", file=document.file, line=1)]
    )


def _check_description(document: Document) -> None:
    kind = kind_of(document)
    if kind == "device":
        device_from_document(document)
    elif kind == "cell":
        build(CellSpec, document)
    elif kind == "component":
        component_model(build(ComponentSpec, document))
    elif kind == "scaling":
        build(ScalingSpec, document)
    elif kind == "chip":
        chip = check_default_device(build(ChipSpec, document), document)
        CostTables.for_chip(chip, document)
    elif kind == "algorithms":
        table_from_document(document)
    elif kind in MODELS:
        build(MODELS[kind], document)
    else:
        _check_trace(document)


def _check_trace(document: Document) -> None:
    trace = build(TraceSpec, with_network(document))
    algorithm = {"name": trace.algorithm} if isinstance(trace.algorithm, str) else dict(trace.algorithm)
    try:
        name, preset = find_algorithm(str(algorithm.pop("name")))
    except InputError as error:
        raise SpecError([Problem(str(error), "algorithm", document.file, document.line(["algorithm"]))]) from None
    given = {**(preset.parameters if preset else {}), **algorithm}
    build(ALGORITHMS.get(name).Parameters, Document(given, document.file, document.lines), given, ("algorithm",))
