"""A live trace for any data file: the default trace's settings with layers that fit the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwsim.spec.load import Document, mutable, named_document
from hwsim.spec.training import DataSpec
from hwsim.training.data import load_data

TEMPLATE = "digits-mlp"
HIDDEN = 32


def trace_document_for(file: str) -> Document:
    """Return a trace for an ``.npz``: one hidden layer for classes, one linear layer for real targets.

    Raises:
        DataError: the file is missing or wrong.
    """
    data = load_data(DataSpec(file=file))
    document: dict[str, Any] = mutable(named_document("traces", TEMPLATE).data)
    classes = data.n_classes
    outputs = classes if classes is not None else data.y_train.shape[1]
    hidden = {"name": "hidden", "inputs": data.features, "outputs": HIDDEN, "activation": "tanh"}
    if classes is None:
        layers = [{"name": "output", "inputs": data.features, "outputs": outputs}]
    else:
        layers = [hidden, {"name": "output", "inputs": HIDDEN, "outputs": outputs, "activation": "log_softmax"}]
    document |= {
        "name": Path(file).stem,
        "description": f"data file {Path(file).name}, trained with the settings of {TEMPLATE}",
        "source": f"assumption: the settings of {TEMPLATE} for the data of the user",
        "network": {"layers": layers},
        "data": {"file": file},
        "loss": "mse" if classes is None else "nll",
    }
    return Document(document)
