"""Data sets: by name, from files, or drawn from a seed."""

from __future__ import annotations

import os
from pathlib import Path

from hwsim.errors import DataError
from hwsim.spec.layers import Linear
from hwsim.spec.training import REGRESSION_LOSSES, DataSpec, TraceSpec
from hwsim.training.data.dataset import DataSet, assemble, split
from hwsim.training.data.digits import read_digits
from hwsim.training.data.idx import read_idx, read_images
from hwsim.training.data.least_squares import draw_least_squares
from hwsim.training.data.npz import read_npz

__all__ = ["DataSet", "check_fit", "load_data", "read_idx", "read_npz"]


def load_data(spec: DataSpec, *, data_dir: Path | str | None = None, seed: int = 0) -> DataSet:
    """Load a data set.

    ``data_dir`` is the folder of IDX and relative ``.npz`` files; without it ``$HWSIM_DATA`` is used. ``seed`` decides
    the numbers of ``least-squares``; no other data depend on it.

    Raises:
        DataError: files are missing, corrupt or hold NaN, infinite values or wrong shapes.
    """
    folder = data_dir or os.environ.get("HWSIM_DATA")
    folder = Path(folder) if folder else None
    if spec.name == "digits":
        return _load_digits(spec)
    if spec.name == "least-squares":
        return assemble(spec, *draw_least_squares(spec, seed))
    if spec.name is not None:
        return assemble(spec, *read_images(spec.name, folder), full_scale=255.0)
    train, test = read_npz(_npz_path(spec.title, folder))
    return assemble(spec, *((train, test) if test else split(train, spec.test_fraction, spec.title)))


def _load_digits(spec: DataSpec) -> DataSet:
    return assemble(spec, *split(read_digits(), spec.test_fraction, "digits"), full_scale=16.0)


def _npz_path(file: str, folder: Path | None) -> Path:
    for path in (Path(file), *([folder / file] if folder else [])):
        if os.path.isfile(path):
            return path
    raise DataError(f"no such data file: {file}" + (f" (also not in {folder})" if folder else ""))


def check_fit(data: DataSet, trace: TraceSpec) -> None:
    """Check that the data fit the network and the loss of a trace.

    Raises:
        DataError: features, classes or targets do not fit; the message says what to change.
    """
    network = trace.network
    first, last, outputs = network.layers[0], network.layers[-1], network.outputs
    problems = []
    if data.features != network.inputs:
        takes, change = (
            (f"layer '{first.name}' takes {network.inputs} inputs", f"set its inputs to {data.features}")
            if isinstance(first, Linear) and network.input.shape.positions == 1
            else (
                f"the network takes {network.input.shape} = {network.inputs} numbers",
                f"set channels, height and width of network.input to a product of {data.features}",
            )
        )
        problems.append(f"{data.name} has {data.features} features, but {takes}; {change}")
    if data.n_classes is None:
        width = data.y_train.shape[1]
        if trace.loss not in REGRESSION_LOSSES:
            problems.append(
                f"loss {trace.loss} needs classes, but {data.name} has real targets; "
                "use loss: mse, or store classes as whole numbers"
            )
        elif width != outputs:
            problems.append(
                f"{data.name} has {width} targets a sample, but layer '{last.name}' gives {outputs} outputs; "
                f"set its outputs to {width}"
            )
    elif data.n_classes > outputs:
        problems.append(
            f"{data.name} has classes 0..{data.n_classes - 1}, but layer '{last.name}' gives {outputs} outputs; "
            f"set its outputs to {data.n_classes}"
        )
    if problems:
        raise DataError("; ".join(problems))
