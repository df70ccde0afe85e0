"""Which statistics stand for the data of a run at activity fidelity, and what a run at device fidelity records."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hwsim import library
from hwsim.chip.chip import Chip
from hwsim.errors import UsageError
from hwsim.foreign import strange_entry
from hwsim.spec.activity import ActivitySpec
from hwsim.spec.device import DeviceSpec
from hwsim.spec.load import build, load_document, load_statistics
from hwsim.spec.unit_cell import OneSidedCell

STATISTICS_FILE = "statistics.yaml"
DEFAULT = "default"
Trace = Any
"""A live trace, or a network as a trace."""


def choose_statistics(given: str | Path | None, trace: Trace, algorithm: str, device: DeviceSpec) -> ActivitySpec:
    """Return the statistics that ``given`` names (a run folder, a file or a name), else the trace's own if they hold
    for the algorithm or the bundled ones ``TRACE-ALGORITHM``, else the default, which is an assumption.

    Raises:
        UsageError: they do not fit the algorithm, or the device needs single weights.
    """
    cell = device.unit_cell
    if isinstance(cell, OneSidedCell) and cell.refresh_every:
        raise UsageError(
            f"device '{device.name}' is refreshed where single weights are used up, which activity fidelity does not "
            "know: use --fidelity device, or --set unit_cell.refresh_every=0"
        )
    if given is not None:
        chosen = _load(given)
        if chosen.algorithm is not None and chosen.algorithm != algorithm:
            raise UsageError(
                f"the statistics '{given}' were recorded with algorithm {chosen.algorithm}, and this run uses "
                f"{algorithm}: record some with it (hwsim run ... --algorithm {algorithm} at device fidelity)"
            )
    else:
        chosen = _of_trace(trace.statistics, algorithm) if trace.statistics else load_statistics(DEFAULT)
    return chosen


def _of_trace(name: str, algorithm: str) -> ActivitySpec:
    """Return the statistics that a trace names, those of the same name for the algorithm, or the default."""
    own = load_statistics(name)
    if own.algorithm in (None, algorithm):
        return own
    other = f"{name}-{algorithm}"
    return load_statistics(other if other in library.names("statistics") else DEFAULT)


def _load(given: str | Path) -> ActivitySpec:
    path = Path(given)
    if os.path.isdir(path):
        file = path / STATISTICS_FILE
        if wrong := strange_entry(path):
            raise UsageError(wrong)
        if not file.is_file():
            raise UsageError(f"{path} holds no {STATISTICS_FILE}: only a complete run at device fidelity records it")
        return build(ActivitySpec, load_document(file))
    return load_statistics(str(given))


def recorded(chip: Chip, *, trace: str, algorithm: str, samples: int, said: str) -> dict[str, Any]:
    """Return the activity of a run at device fidelity, as plain data of :class:`ActivitySpec`."""
    chip.note_weights()
    return {
        "kind": "statistics",
        "name": trace,
        "description": f"Activity of a training run of {trace}, as means over the run",
        "source": said,
        "trace": trace,
        "algorithm": algorithm,
        "samples": samples,
        "layers": chip.recorder.layers(),
    }
