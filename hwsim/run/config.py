"""Resolves names, files and overrides into the complete, frozen configuration of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SerializeAsAny

from hwsim import library
from hwsim.cost import CostTables
from hwsim.devices import device_document, device_from_document
from hwsim.devices.law import LAWS
from hwsim.errors import MappingError, Problem, SpecError, UsageError, suggest, unknown
from hwsim.run.activity import choose_statistics
from hwsim.run.compatibility import check_default_device, fault_problems, pulse_scheme_problems
from hwsim.run.network_trace import NETWORK_TRACE, network_trace_document, with_data
from hwsim.run.npz_trace import trace_document_for
from hwsim.run.recorded_trace import PYTORCH_TRACE, RECORDED_TRACE, recorded_trace_document
from hwsim.spec.activity import ActivitySpec
from hwsim.spec.base import Spec
from hwsim.spec.chip import ChipSpec
from hwsim.spec.device import DeviceSpec
from hwsim.spec.load import (
    Document,
    assign,
    build,
    load_cell,
    mutable,
    named_document,
    parse_value,
    refuse_infinite,
    with_network,
)
from hwsim.spec.network_trace import NetworkTraceSpec
from hwsim.spec.recorded import RecordedTraceSpec
from hwsim.spec.training import TraceSpec
from hwsim.training.algorithms import ALGORITHMS, AlgorithmParameters
from hwsim.training.presets import AlgorithmPreset, find_algorithm
from hwsim.training.stages import without_numbers

Log = Literal["none", "events", "pulses"]
Fidelity = Literal["device", "activity"]
FIDELITIES: tuple[Fidelity, ...] = ("device", "activity")
LOGS: tuple[Log, ...] = ("none", "events", "pulses")
DEFAULT_TRACE = "digits-mlp"
DEFAULT_CHIP = "baseline"
ROOTS = ("trace", "chip", "device", "algorithm")
RECORDED = ("file", "digest", "layers", "steps", "samples", "batch_size", "sampled")
"""What a recorded trace holds, so that nobody can set it."""
TraceModel = type[TraceSpec] | type[NetworkTraceSpec] | type[RecordedTraceSpec]


class AlgorithmSpec(Spec):
    """An algorithm with all its parameters."""

    name: str
    preset: str | None = None
    """The preset that the parameters come from."""
    parameters: SerializeAsAny[AlgorithmParameters]

    @property
    def title(self) -> str:
        """What reports call it: its preset, or its name."""
        return self.preset or self.name


class RunSpec(Spec):
    """The complete description of a run."""

    trace: TraceSpec | NetworkTraceSpec | RecordedTraceSpec
    chip: ChipSpec
    device: DeviceSpec
    algorithm: AlgorithmSpec
    seed: int = Field(ge=0)
    epochs: int = Field(ge=1)
    steps: int | None = Field(None, ge=1)
    """Stop after so many steps; None: after the epochs."""
    data_dir: str | None = None
    log: Log = "events"
    probe: tuple[str, ...] = ()
    timing: bool = True
    """False: only the numbers; no time, no energy, no logs."""
    threads: int = Field(1, ge=1)
    fidelity: Fidelity = "device"
    """``device``: every device is kept. ``activity``: none is; statistics stand for the data."""
    statistics: ActivitySpec | None = None
    """What stands for the data at activity fidelity."""

    @property
    def hash(self) -> str:
        """A hash of everything that decides the numbers, as hexadecimal digits."""
        decisive = self.model_dump(mode="json", exclude={"threads", "log", "probe", "data_dir"})
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


@dataclass
class _Draft:
    """The four descriptions while they are being put together, and which of their paths a user has set."""

    documents: dict[str, Document]
    overrides: dict[tuple[str, ...], str] = field(default_factory=dict)

    def put(self, path: str, value: Any, *, said: str) -> None:
        """Set ``path``; ``said`` is what messages call it."""
        root, inner = self._locate(path, said)
        parts = inner.split(".")
        if root == "device" and parts[0] not in (
            "name",
            "description",
            "source",
            "law",
            "cell",
            "unit_cell",
            "parameters",
        ):
            parts = ["parameters", *parts]
        if root == "device" and parts[0] == "cell":
            _spell_out_cell(self.documents[root].data, parts)
        assign(self.documents[root].data, ".".join(parts), value)
        self.overrides[(root, *parts)] = said

    def _locate(self, path: str, said: str) -> tuple[str, str]:
        root, _, inner = path.partition(".")
        if root in ROOTS and inner:
            return root, inner
        owners = [name for name in ROOTS if root in self._names(name)]
        if len(owners) == 1:
            return owners[0], path
        if owners:
            choices = " or ".join(f"{name}.{path}" for name in owners)
            raise SpecError([Problem(f"'{root}' belongs to more than one description; write {choices}", said)])
        known = sorted({name for owner in ROOTS for name in self._names(owner)} | set(ROOTS))
        raise SpecError([Problem(f"no such parameter{suggest(root, known)} (known: {', '.join(known)})", said)])

    def _names(self, root: str) -> set[str]:
        data = self.documents[root].data
        if root == "trace":
            model = _trace_model(self.documents[root])
            recorded = model is RecordedTraceSpec
            fields = set(model.model_fields) - set(RECORDED) if recorded else {*model.model_fields, "data"}
            return fields - {"kind", "name", "description", "source", "device", "algorithm"}
        if root == "chip":
            return set(ChipSpec.model_fields) - {"kind", "name", "description", "source", "device"}
        if root == "device":
            law = LAWS.get(data["law"]).parameters.model_fields if data.get("law") in LAWS.names() else ()
            return {*data.get("parameters", {}), *law, "cell", "unit_cell"}
        return set(ALGORITHMS.get(str(data.get("name"))).Parameters.model_fields)

    def problems(self, root: str, error: SpecError) -> list[Problem]:
        """Return the problems of a description, those in a user's overrides under the name of the override."""
        found = []
        for problem in error.problems:
            path = tuple(problem.path.split(".")) if problem.path else ()
            inside = next((n for n in range(len(path), 0, -1) if (root, *path[:n]) in self.overrides), 0)
            said = self.overrides.get((root, *path[:inside]))
            if said is not None:
                found.append(Problem(problem.message, ".".join((said, *path[inside:]))))
            elif problem.file is None:
                found.append(Problem(problem.message, ".".join((root, *path)) if path[:1] != (root,) else problem.path))
            else:
                found.append(problem)
        return found


def resolve(
    trace: str | Document = DEFAULT_TRACE,
    *,
    chip: str | None = None,
    device: str | Mapping[str, Any] | DeviceSpec | None = None,
    algorithm: str | Mapping[str, Any] | None = None,
    seed: int = 0,
    epochs: int | None = None,
    steps: int | None = None,
    data: str | Path | None = None,
    set: Mapping[str, Any] | Sequence[str] | None = None,
    log: Log | None = None,
    probe: Sequence[str] = (),
    timing: bool = True,
    threads: int = 1,
    fidelity: str = "device",
    statistics: str | Path | None = None,
) -> RunSpec:
    """Resolve the arguments of a run; see :func:`hwsim.simulate` for their meaning. A trace may be a document.

    Raises:
        InputError: something is unknown, of the wrong type or unit, or does not fit; every mistake of a file at once.
    """
    _check_choices(log, timing, probe)
    _check_fidelity(fidelity, timing, log, statistics)
    if data is not None and not Path(data).is_dir():
        raise UsageError(f"no such data folder: {data}")
    trace_document = trace if isinstance(trace, Document) else _trace_document(trace)
    refuse_infinite(trace_document, "algorithm", "device", "settings")
    draft = _Draft({"trace": trace_document})
    draft.documents["chip"] = _copy(named_document("chips", DEFAULT_CHIP if chip is None else chip))
    own_algorithm, own_device = (_own(trace_document, key, (str, Mapping)) for key in ("algorithm", "device"))
    draft.documents["algorithm"], preset = _algorithm_document(algorithm, own_algorithm, trace_document)
    # A preset that the user names brings its device; one that the trace names gives way to the trace's own device.
    of_preset = preset.device if preset is not None else None
    wished = (device, of_preset if algorithm is not None else None, own_device, of_preset)
    chips_own = draft.documents["chip"].data.get("device")
    draft.documents["device"] = _device_document(next((each for each in wished if each is not None), chips_own))
    for path, value in (_own(trace_document, "settings", (Mapping,)) or {}).items():
        draft.put(path, mutable(value), said=f"{trace_document.file or trace}: settings.{path}")
    for path, value in (preset.settings if preset is not None else {}).items():
        draft.put(path, value, said=f"preset {preset.name if preset is not None else ''}: settings.{path}")
    for path, value in _assignments(set):
        draft.put(path, value, said=f"--set {path}")
    return _build(
        draft, seed=seed, epochs=epochs, steps=steps, data=data, log=log, probe=probe, timing=timing, threads=threads,
        fidelity=fidelity, statistics=statistics,
    )  # fmt: skip


def _check_fidelity(fidelity: str, timing: bool, log: str | None, statistics: str | Path | None) -> None:
    if fidelity not in FIDELITIES:
        raise UsageError(
            f"no fidelity is called '{fidelity}'{suggest(fidelity, FIDELITIES)} (known: {', '.join(FIDELITIES)})"
        )
    if fidelity == "activity" and log == "pulses":
        raise UsageError("activity fidelity keeps no devices, so there are no pulses to log: use --fidelity device")
    if fidelity == "activity" and not timing:
        raise UsageError("activity fidelity has time and energy only, no numbers: leave timing on")
    if fidelity == "device" and statistics is not None:
        raise UsageError("statistics stand for data at activity fidelity only: use --fidelity activity with them")


def _check_choices(log: str | None, timing: bool, probe: Sequence[str]) -> None:
    if log is not None and log not in LOGS:
        raise UsageError(f"no log is called '{log}'{suggest(log, LOGS)} (known: {', '.join(LOGS)})")
    if not timing and log in ("events", "pulses"):
        raise UsageError(f"a log of {log} needs times; leave timing on, or use log none")
    if probe and log != "pulses":
        raise UsageError("a probe picks the devices of a pulse log; use --log pulses with --probe")
    if log == "pulses" and not probe:
        raise UsageError("a pulse log needs a region to watch; give --probe TILE[:ROWS[:COLS]], such as --probe 0:0-15")


def _trace_document(name: str) -> Document:
    """Read a trace, or make one of the network called ``name`` or of what the file ``name`` holds."""
    if name.endswith(".npz"):
        return trace_document_for(name)
    if name.endswith(".parquet"):
        return recorded_trace_document(name)
    if name.endswith(".onnx"):
        from hwsim.onnx import network_of

        return network_trace_document(network_of(name))
    if library.is_path(name) or name in library.names("traces"):
        document = _copy(named_document("traces", name))
    elif name in library.names("networks"):
        document = _copy(named_document("networks", name))
    else:
        raise UsageError(unknown("trace or network", name, [*library.names("traces"), *library.names("networks")]))
    if document.data.get("kind") in (RECORDED_TRACE, PYTORCH_TRACE):
        raise SpecError([Problem("the vectors of such a trace are in a Parquet file: hwsim run FILE.parquet", "kind",
                                 document.file, document.line(["kind"]))])  # fmt: skip
    if document.data.get("kind") == "network":
        return network_trace_document(document)
    return _copy(with_network(document))


def _own(trace: Document, key: str, types: tuple[type, ...]) -> Any:
    """Return what a trace says itself of its algorithm, device or settings; None if it says nothing."""
    value = trace.data.get(key)
    if value is not None and not isinstance(value, types):
        wanted = "a mapping" if types == (Mapping,) else "a name or a mapping with a name"
        raise SpecError([Problem(f"expected {wanted}, got {value!r}", key, trace.file, trace.line((key,)))])
    return value


def _copy(document: Document) -> Document:
    return Document(mutable(document.data, finite=False), document.file, document.lines)


def _algorithm_document(wanted: Any, own: Any, trace: Document) -> tuple[Document, AlgorithmPreset | None]:
    """The chosen algorithm's name and parameters; parameters of the trace's own that mean the same to it are kept.

    A preset is complete: it takes nothing over from a trace that names another algorithm.
    """
    own = {"name": own} if isinstance(own, str) else dict(own or {})
    chosen: dict[str, Any] = {"name": wanted} if isinstance(wanted, str) else mutable(wanted or {})
    named = str(chosen.get("name", own.get("name", "analog-sgd")))
    name, preset = find_algorithm(named)
    same = own.get("name") == named
    if preset is not None:
        inherited = {key: value for key, value in own.items() if key != "name"} if same else {}
        data = {**preset.parameters, **mutable(inherited), **chosen, "name": name, "preset": named}
        return Document(data), preset
    shared = _shared_parameters(str(own.get("name", named)), name)
    inherited = {key: value for key, value in own.items() if key != "name" and (same or key in shared)}
    data = {**mutable(inherited), **chosen, "name": name}
    lines = (
        {path[1:]: line for path, line in trace.lines.items() if path[:1] == ("algorithm",)}
        if same and not wanted
        else {}
    )
    return Document(data, trace.file if lines else None, lines), None


def _shared_parameters(own: str, name: str) -> set[str]:
    """Return the parameters of algorithm ``name`` that the algorithm or preset ``own`` describes in the same words.

    Others have the name in common, not the meaning: ``gamma`` 0 of a Tiki-Taka would end residual learning.
    """
    theirs, ours = (ALGORITHMS.get(find_algorithm(each)[0]).Parameters.model_fields for each in (own, name))
    same = {key for key in theirs.keys() & ours.keys() if theirs[key].description == ours[key].description}
    return {key for key in same if theirs[key].default == ours[key].default}


def _device_document(wanted: Any) -> Document:
    if isinstance(wanted, DeviceSpec):
        return Document(mutable(wanted.model_dump(mode="json")))
    if isinstance(wanted, str):
        return _copy(device_document(wanted))
    if isinstance(wanted, Mapping) and isinstance(wanted.get("name"), str):
        if "law" in wanted:
            return Document(mutable(wanted))
        document = _copy(device_document(wanted["name"]))
        for key, value in wanted.items():
            if key != "name":
                _spell_out_cell(document.data, key.split("."))
                assign(
                    document.data,
                    key if key.partition(".")[0] in ("cell", "unit_cell", "parameters") else f"parameters.{key}",
                    mutable(value, at=(key,)),
                )
        return document
    raise UsageError(f"expected the name of a device or a mapping with a name, got {wanted!r}")


def _spell_out_cell(device: dict[str, Any], path: Sequence[str]) -> None:
    """Put what a device's cell is in place of its name, where ``path`` leads to one of the cell's values."""
    named = device.get("cell")
    if path[0] == "cell" and len(path) > 1 and isinstance(named, str):
        device["cell"] = load_cell(named).model_dump(mode="json")


def _assignments(given: Mapping[str, Any] | Sequence[str] | None) -> list[tuple[str, Any]]:
    if given is None:
        return []
    if isinstance(given, Mapping):
        return [(str(path), mutable(value, at=(str(path),))) for path, value in given.items()]
    pairs = []
    for text in given:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise UsageError(f"cannot read --set {text}: expected path=value, such as tile.rows=128")
        pairs.append((path.strip(), parse_value(value)))
    return pairs


def located(error: MappingError, chip: str | None, set: Mapping[str, Any] | Sequence[str] | None) -> MappingError:
    """Return the error with file and line of the chip's part that is too small, unless an override has set it."""
    document = named_document("chips", chip or DEFAULT_CHIP)
    given = [path.removeprefix("chip.") for path, _ in _assignments(set)]
    if any(path == error.at or path.startswith(f"{error.at}.") for path in given):
        return error
    problem = Problem(str(error), error.at, document.file, document.line(error.at.split(".")))
    return MappingError(str(problem), error.at)


def _trace_model(document: Document) -> TraceModel:
    models: dict[Any, TraceModel] = {
        NETWORK_TRACE: NetworkTraceSpec, RECORDED_TRACE: RecordedTraceSpec, PYTORCH_TRACE: RecordedTraceSpec
    }  # fmt: skip
    return models.get(document.data.get("kind"), TraceSpec)


def _build(
    draft: _Draft,
    *,
    epochs: int | None,
    data: str | Path | None,
    log: Log | None,
    timing: bool,
    statistics: str | Path | None,
    **rest: Any,
) -> RunSpec:
    problems: list[Problem] = []
    built: dict[str, Any] = {}
    draft.documents["trace"] = with_data(draft.documents["trace"])
    builders = {
        "trace": lambda document: build(_trace_model(document), document),
        "chip": lambda document: check_default_device(_build_chip(document), document),
        "device": device_from_document,
        "algorithm": _build_algorithm,
    }
    for root, builder in builders.items():
        try:
            built[root] = builder(draft.documents[root])
        except SpecError as error:
            problems += draft.problems(root, error)
    if not problems:
        chip, device = built["chip"], built["device"]
        problems = pulse_scheme_problems(chip, device, built["algorithm"].parameters)
        problems += fault_problems(chip, device, rest["fidelity"])
        if rest["fidelity"] == "device" and not isinstance(built["trace"], RecordedTraceSpec):
            problems += _layers_without_numbers(built["trace"], draft.documents["trace"])
    if problems:
        raise SpecError(problems)
    if not timing and built["device"].parameters.ages:
        raise UsageError(
            f"device '{built['device'].name}' changes with time (lifetime, diffusion or drift), so its weights need "
            "simulated time: leave timing on"
        )
    if not timing and built["chip"].schedule.delay:
        raise UsageError("a delayed schedule's numbers depend on time: leave timing on, or use another schedule.kind")
    if rest["fidelity"] == "device" and isinstance(built["trace"], NetworkTraceSpec):
        raise UsageError(
            f"{built['trace'].name} is a network without data, which runs at activity fidelity only: use --fidelity "
            "activity, or give it data, such as --set trace.data.name=mnist"
        )
    if rest["fidelity"] == "device" and getattr(built["trace"], "sampled", None) is not None:
        raise UsageError(
            f"{built['trace'].name} holds a sample of the vectors of each step, which stand for all at activity "
            "fidelity only: use --fidelity activity, or record all vectors"
        )
    chosen = None
    if rest["fidelity"] == "activity":
        chosen = choose_statistics(statistics, built["trace"], built["algorithm"].name, built["device"])
    document = Document(
        {
            **rest,
            **built,
            "statistics": chosen,
            "probe": tuple(rest.get("probe", ())),
            "epochs": epochs if epochs is not None else built["trace"].epochs,
            "data_dir": str(data) if data is not None else None,
            "log": log or ("events" if timing else "none"),
            "timing": timing,
        }
    )
    return build(RunSpec, document)


def configured(config: Mapping[str, Any], file: Path) -> RunSpec:
    """Return the configuration that ``config.yaml`` of a run holds; ``file`` is its path.

    Raises:
        SpecError: it is not the complete configuration of a run.
    """
    data = mutable(config)
    missing = [name for name in (*ROOTS, "seed", "epochs") if name not in data]
    if missing or not all(isinstance(data[root], dict) for root in ROOTS):
        raise SpecError([Problem(f"no configuration of a run: {', '.join(missing) or 'its parts'} missing", "", file)])
    algorithm = data["algorithm"]
    documents = {root: Document(data[root], file) for root in ("trace", "chip", "device")}
    given = {"name": algorithm.get("name"), "preset": algorithm.get("preset"), **(algorithm.get("parameters") or {})}
    built = {
        "trace": build(_trace_model(documents["trace"]), documents["trace"]),
        "chip": _build_chip(documents["chip"]),
        "device": device_from_document(documents["device"]),
        "algorithm": _build_algorithm(Document(given, file)),
    }
    return build(RunSpec, Document(data | built, file))


def _layers_without_numbers(trace: TraceSpec | NetworkTraceSpec, document: Document) -> list[Problem]:
    """Return which layers of a trace have time and energy only."""
    known = f"a run at device fidelity has no numbers for {{}} (layer '{{}}' of {trace.name}); use --fidelity activity"
    return [
        Problem(
            known.format(what, trace.network.layers[index].name), f"network.layers.{index}", document.file,
            document.line(("network", "layers", index)),
        )
        for index, what in without_numbers(trace.network)
    ]  # fmt: skip


def _build_chip(document: Document) -> ChipSpec:
    chip = build(ChipSpec, document)
    CostTables.for_chip(chip, document)
    return chip


def _build_algorithm(document: Document) -> AlgorithmSpec:
    name = document.data["name"]
    parameters = {key: value for key, value in document.data.items() if key not in ("name", "preset")}
    inner = Document(parameters, document.file, document.lines)
    return AlgorithmSpec(
        name=name, preset=document.data.get("preset"), parameters=build(ALGORITHMS.get(name).Parameters, inner)
    )
