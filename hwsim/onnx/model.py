"""Reads an ONNX file: the graph with every shape, without weights."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx.inliner import inline_local_functions

from hwsim.errors import DataError, suggest
from hwsim.onnx.operators import SUPPORTED
from hwsim.onnx.sizes import compute

SMALL = 1024
"""Constants of so many numbers are kept: they can say what a shape is; weights are larger."""
LARGEST_FILE = 2**31
"""Bytes; Protobuf has no larger messages."""
STANDARD = ("", "ai.onnx")


@dataclass
class Graph:
    """The nodes of a graph in the order of their computation.

    ``shapes`` are the dimensions of each tensor, mini-batch included; ``constants`` the tensors that do not depend on
    the input, with their numbers where they are few; ``batch`` the samples of the mini-batch that the shapes are for.
    """

    name: str
    nodes: list[Any]
    inputs: list[str]
    outputs: list[str]
    shapes: dict[str, tuple[int, ...]]
    constants: dict[str, np.ndarray | None]
    batch: int = 1

    def words(self, tensor: str) -> int:
        """Return the numbers of a tensor for one sample."""
        return max(prod(self.shapes[tensor]) // self.batch, 1)


def read_graph(path: str | Path) -> Graph:
    """Return the graph of an ONNX file, all functions unfolded.

    Raises:
        DataError: the file is no ONNX, refers to other files, or leaves a size open.
    """
    path = Path(path)
    if os.path.getsize(path) > LARGEST_FILE:
        raise DataError(f"{path}: larger than 2 GiB, which no ONNX file without external data is")
    try:
        model = onnx.load(str(path), format="protobuf", load_external_data=False)
    except (DecodeError, ValueError, UnicodeDecodeError):
        raise DataError(f"{path}: not a readable ONNX file (truncated, damaged or another format)") from None
    if not model.graph.node:
        raise DataError(f"{path}: not an ONNX model: it has no graph")
    _refuse_external(path, model)
    _refuse_garbled(path, model)
    if model.functions:
        model = _checked(path, lambda: inline_local_functions(model))
    _refuse_unknown(path, model.graph.node)
    for each in model.graph.output:
        # Sizes are inferred; the checker asks for any.
        each.type.tensor_type.shape.SetInParent()
    _checked(path, lambda: onnx.checker.check_model(model))
    constants = _checked(path, lambda: _constants(model))
    batch = _fix_batch(path, model, constants)
    inputs = [each.name for each in model.graph.input if each.name not in constants]
    outputs = [each.name for each in model.graph.output]
    shapes = _infer(path, model, constants)
    return Graph(model.graph.name or path.stem, list(model.graph.node), inputs, outputs, shapes, constants, batch)


def _infer(path: Path, model: Any, constants: dict[str, np.ndarray | None]) -> dict[str, tuple[int, ...]]:
    """Return the sizes of every tensor that can be known; sizes that are computed from sizes become constants.

    Those make further sizes known, so this goes on until nothing new is found.
    """
    given = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    while True:
        inferred = _checked(path, lambda: onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True))
        shapes = given | {name: sizes for name, sizes in _inferred(inferred.graph) if sizes is not None}
        shapes |= {name: values.shape for name, values in constants.items() if values is not None}
        found = _checked(path, lambda: _folded(model.graph, shapes, constants))  # noqa: B023 (called at once)
        if not found:
            return shapes
        kept = [node for node in model.graph.node if node.output[0] not in found]
        del model.graph.node[:]
        model.graph.node.extend(kept)
        for name, values in found.items():
            constants[name] = values
            model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))


def _folded(graph: Any, shapes: Any, constants: dict[str, np.ndarray | None]) -> dict[str, np.ndarray]:
    """Return the nodes' results that are known: sizes, and what is computed from them."""
    found: dict[str, np.ndarray] = {}
    for node in graph.node:
        if node.domain not in STANDARD or len(node.output) != 1:
            continue
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        values = [found.get(name, constants.get(name)) for name in node.input if name]
        result: np.ndarray | None = None
        if node.op_type == "Shape" and node.input[0] in shapes:
            sizes = shapes[node.input[0]][attributes.get("start", 0) : attributes.get("end")]
            result = np.array(sizes, np.int64)
        elif node.op_type == "Size" and node.input[0] in shapes:
            result = np.array(prod(shapes[node.input[0]]), np.int64)
        elif node.op_type == "Constant":
            result = _constant(attributes)
        elif node.op_type == "ConstantOfShape" and values[0] is not None and np.prod(values[0]) <= SMALL:
            fill = attributes.get("value")
            number = onnx.numpy_helper.to_array(fill).reshape(-1)[0] if fill is not None else np.float32(0)
            result = np.full([int(size) for size in values[0]], number)
        elif values and all(value is not None for value in values):
            dtype = onnx.helper.tensor_dtype_to_np_dtype(attributes["to"]) if node.op_type == "Cast" else None
            result = compute(node, [value for value in values if value is not None], attributes, dtype)
        if result is not None and result.size <= SMALL:
            found[node.output[0]] = result
    return found


def _constant(attributes: dict[str, Any]) -> np.ndarray | None:
    """Return the numbers of a ``Constant``; None for texts and sparse tensors."""
    if "value" in attributes:
        return np.asarray(onnx.numpy_helper.to_array(attributes["value"]))
    for name, dtype in (("value_int", np.int64), ("value_ints", np.int64), ("value_float", np.float32),
                        ("value_floats", np.float32)):  # fmt: skip
        if name in attributes:
            return np.asarray(attributes[name], dtype)
    return None


def _checked(path: Path, work: Any) -> Any:
    try:
        with np.errstate(all="raise"):
            return work()
    except Exception as error:
        # The library raises its own and plain errors for what does not fit together; the first line says what.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(f"{path}: the shapes of the model do not fit together: {reason[:300]}") from None


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield every tensor that is stored in a graph, in its nodes and in their graphs."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            yield from [attribute.t, *attribute.tensors]
            for inner in [attribute.g, *attribute.graphs]:
                yield from _tensors(inner)


def _refuse_external(path: Path, model: Any) -> None:
    of_functions = (tensor for function in model.functions for tensor in _of_nodes(function.node))
    for tensor in [*_tensors(model.graph), *of_functions]:
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise DataError(
                f"{path}: tensor '{tensor.name}' is kept in another file, which is not opened; save the model in one "
                "file (torch.onnx.export(..., external_data=False), or onnx.save(model, path))"
            )


def _refuse_unknown(path: Path, nodes: Iterable[Any]) -> None:
    unknown: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        if node.op_type not in SUPPORTED or node.domain not in STANDARD:
            full = f"{node.domain}.{node.op_type}" if node.domain not in STANDARD else node.op_type
            unknown[full].append(node.name or (node.output[0] if node.output else "?"))
    if unknown:
        named = "; ".join(
            f"{operator} ({len(found)}: {', '.join(found[:3])}{', ...' if len(found) > 3 else ''}"
            f"{suggest(operator, SUPPORTED)})"
            for operator, found in sorted(unknown.items())
        )
        raise DataError(f"{path}: operators that are not supported: {named}. Supported: {', '.join(SUPPORTED)}")


def _refuse_garbled(path: Path, model: Any) -> None:
    """Refuse names that are no text, which Protobuf passes on as bytes."""
    functions = [node for function in model.functions for node in function.node]
    names: list[Any] = [model.graph.name, *(each.name for each in (*model.graph.input, *model.graph.output))]
    names += [tensor.name for tensor in _tensors(model.graph)]
    for node in [*model.graph.node, *functions]:
        names += [node.name, node.op_type, node.domain, *node.input, *node.output, *(a.name for a in node.attribute)]
    if not all(isinstance(name, str) for name in names):
        raise DataError(f"{path}: not a readable ONNX file: a name in it is no text")


def _constants(model: Any) -> dict[str, np.ndarray | None]:
    """Return the constants by name, and take the numbers of large ones out of the model."""
    found: dict[str, np.ndarray | None] = {}
    for tensor in model.graph.initializer:
        if prod(tensor.dims) <= SMALL:
            found[tensor.name] = np.asarray(onnx.numpy_helper.to_array(tensor))
        else:
            found[tensor.name] = None
            for name in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
                tensor.ClearField(name)
    return found


def _fix_batch(path: Path, model: Any, constants: dict[str, Any]) -> int:
    """Give the mini-batch a size where it is open: one sample; returns the size."""
    batch = 0
    for each in model.graph.input:
        if each.name in constants:
            continue
        dims = each.type.tensor_type.shape.dim
        if not dims:
            continue
        if not dims[0].dim_value:
            dims[0].dim_value = 1
        batch = batch or int(dims[0].dim_value)
        for position, size in enumerate(dims[1:], start=1):
            if size.dim_value < 1:
                raise DataError(
                    f"{path}: input '{each.name}' leaves its size {position} open"
                    f"{f' ({size.dim_param})' if size.dim_param else ''}; only the first, the mini-batch, may be open: "
                    "export the model with fixed sizes"
                )
    # What was inferred for another size, or declared for the outputs, must not contradict it.
    del model.graph.value_info[:]
    for each in model.graph.output:
        each.type.tensor_type.ClearField("shape")
    return max(batch, 1)


def _inferred(graph: Any) -> Iterator[tuple[str, tuple[int, ...] | None]]:
    for each in [*graph.input, *graph.value_info, *graph.output]:
        kind = each.type.tensor_type
        sizes = tuple(int(size.dim_value) for size in kind.shape.dim)
        known = kind.HasField("shape") and all(size.HasField("dim_value") for size in kind.shape.dim)
        yield each.name, sizes if known else None
