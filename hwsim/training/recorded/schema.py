"""The columns and metadata of a recorded trace.

Rows come in the order of training. First the weights before training, a row of the table for each row of a matrix; then
the vectors, a row for each sample of each call of a layer in a step:

* ``x`` is what went into the layer: positions after one another for a linear layer, channel by channel (channel, row,
  column) for a convolution, whose patches are cut at replay;
* ``d`` is the derivative of the loss with respect to what came out, in the same order.

Where only a sample of the vectors was kept, there is one row for each call, ``x`` and ``d`` hold whole vectors
(patches) after one another, and ``vectors`` says how many there were.
"""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 1
KIND = "recorded-trace"
WEIGHT, VECTORS = "weight", "vectors"

NUMBERS = pa.list_(pa.field("element", pa.float32(), nullable=False))
COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "kind": (pa.dictionary(pa.int32(), pa.string()), "weight: a row of a matrix before training; vectors: a sample"),
    "step": (pa.int32(), "training step, from 0; -1 for weights"),
    "layer": (pa.dictionary(pa.int32(), pa.string()), "name of the layer"),
    "call": (pa.int32(), "which call of the layer in this step, from 0"),
    "sample": (pa.int32(), "sample of the call; of weights the row of the matrix; -1 where samples are not kept apart"),
    "height": (pa.int32(), "height of the grid that x is given on; of a linear layer the number of positions"),
    "width": (pa.int32(), "width of that grid; 1 for a linear layer"),
    "samples": (pa.int32(), "samples of the mini-batch; 0 for weights"),
    "vectors": (pa.int64(), "vectors that the matrix is multiplied with; 0 for weights"),
    "learning_rate": (pa.float64(), "learning rate of the layer in this step; 0 for weights"),
    "x": (NUMBERS, "inputs of the layer; of weights the row"),
    "d": (NUMBERS, "derivative of the loss with respect to the outputs; empty for weights"),
}


def schema(metadata: dict[str, str] | None = None) -> pa.Schema:
    """Return the Arrow schema, each column with its meaning."""
    fields = [
        pa.field(name, dtype, nullable=False, metadata={"description": text}) for name, (dtype, text) in COLUMNS.items()
    ]
    return pa.schema(fields, metadata=metadata)
