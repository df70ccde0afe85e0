"""Turns the graph of an ONNX file into a list of layers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from hwsim.errors import DataError
from hwsim.onnx.model import Graph, read_graph
from hwsim.onnx.operators import ACTIVATIONS, MATRICES, RESHAPES, SHAPES, WORK, pooling
from hwsim.spec.layers import Shape
from hwsim.spec.load import Document

Layer = dict[str, Any]


def network_document(path: str | Path) -> Document:
    """Return the network in an ONNX file, as a description of kind ``network``.

    Products with constant matrices (``Conv``, ``Gemm``, ``MatMul``) are layers on crossbars; products of two results,
    as in attention, and everything else is work of the digital unit; reshapes cost nothing.

    Raises:
        DataError: the file cannot be read, or has operators that are not supported, all of which are named.
    """
    path = Path(path)
    graph = read_graph(path)
    layers, shape = _Converter(path, graph).convert()
    if not any(layer["kind"] in ("linear", "conv2d", "products") for layer in layers):
        raise DataError(f"{path}: no operator has a matrix of weights (Conv, Gemm or MatMul with a constant)")
    return Document({
        "kind": "network", "name": re.sub(r"[^A-Za-z0-9_.-]", "-", path.stem), "layers": layers,
        "description": f"ONNX graph '{graph.name}' of {path.name}, {len(graph.nodes)} operators",
        "source": f"{path.name}; operations of the digital unit as in hwsim.onnx.operators",
        "input": {"channels": shape.channels, "height": shape.height, "width": shape.width},
    })  # fmt: skip


class _Converter:
    """Goes through the nodes once; ``_from`` is the layer that each tensor comes from, empty for the input."""

    def __init__(self, path: Path, graph: Graph) -> None:
        self._path, self._graph = path, graph
        self._constants = set(graph.constants)
        self._layers: list[Layer] = []
        self._from: dict[str, str] = {}
        self._shape: dict[str, Shape] = {}
        self._names: set[str] = set()
        self._uses = Counter(name for node in graph.nodes for name in node.input)
        self._uses.update(graph.outputs)

    def convert(self) -> tuple[list[Layer], Shape]:
        """Return the layers and the shape of a sample."""
        self._check_shapes()
        graph = self._graph
        inputs = [self._sample(name) for name in graph.inputs]
        if not inputs:
            raise DataError(f"{self._path}: the graph has no input")
        whole = inputs[0] if len(inputs) == 1 else Shape(sum(shape.words for shape in inputs), 1, 1)
        self._shape[""] = whole
        self._from.update(dict.fromkeys(graph.inputs, ""))
        for node in graph.nodes:
            self._node(node)
        self._end(graph.outputs[0])
        return self._layers, whole

    def _check_shapes(self) -> None:
        for name in self._graph.inputs:
            if not all(self._graph.shapes.get(name, (0,))):
                raise DataError(f"{self._path}: the input '{name}' holds nothing, or its size is not known")
        for node in self._graph.nodes:
            for name in node.output:
                if name and name not in self._constants and not all(self._graph.shapes.get(name, ())):
                    raise DataError(f"{self._path}: '{name}' ({node.op_type}) holds nothing: one of its sizes is 0")
                if name and name not in self._graph.shapes and node.op_type not in ("Constant", "Dropout"):
                    raise DataError(
                        f"{self._path}: the size of '{name}' ({node.op_type}) cannot be inferred: it depends on what "
                        "the input holds, or the model was exported with open sizes"
                    )

    def _sample(self, tensor: str) -> Shape:
        """Return a tensor's shape for one sample: channels first for images, last for everything else."""
        sizes, words = self._graph.shapes[tensor], self._graph.words(tensor)
        if len(sizes) == 4:
            return Shape(sizes[1], sizes[2], sizes[3]) if prod(sizes[1:]) == words else Shape(words, 1, 1)
        channels = sizes[-1] if len(sizes) > 1 and words % sizes[-1] == 0 else words
        return Shape(max(channels, 1), words // max(channels, 1), 1)

    # Nodes

    def _node(self, node: Any) -> None:
        operands = [name for name in node.input if name]
        varying = [name for name in operands if name not in self._constants]
        if not varying or node.op_type in SHAPES:
            self._constants.update(node.output)
            return
        out = node.output[0]
        if node.op_type in MATRICES and self._matrix(node, varying):
            return
        if node.op_type in ACTIVATIONS and self._joins(node, varying[0]):
            return
        if node.op_type == "Add" and len(varying) == 1 and self._biases(node, varying[0]):
            return
        if node.op_type in RESHAPES and not (node.op_type == "Gather" and node.input[0] in self._constants):
            self._reshape(node, varying)
            return
        self._work(node, varying, out)

    def _add(self, node: Any, fields: Layer, sources: Sequence[str], shape: Shape, outputs: Sequence[str]) -> None:
        """Add a layer behind the first of the ``sources`` (tensors); its result is every one of ``outputs``."""
        before = self._layers[-1]["name"] if self._layers else ""
        after = self._from[sources[0]]
        layer = {"name": self._name(node), **fields}
        if after != before:
            layer["after"] = after
        self._layers.append(layer)
        self._shape[layer["name"]] = shape
        self._from.update(dict.fromkeys(outputs, layer["name"]))

    def _name(self, node: Any) -> str:
        text = re.sub(r"\W+", "_", node.name or f"{node.op_type}_{len(self._layers)}", flags=re.ASCII).strip("_")
        base = text if text[:1].isalpha() else f"{node.op_type}_{text}"
        name, number = base, 2
        while name in self._names:
            name, number = f"{base}_{number}", number + 1
        self._names.add(name)
        return name

    def _matrix(self, node: Any, varying: Sequence[str]) -> bool:
        """Add a product with a constant matrix; False if it has none."""
        if len(varying) > 1 or any(name in self._constants and len(self._graph.shapes[name]) < 2
                                   for name in node.input[:2]):  # fmt: skip
            return False
        x, out = varying[0], node.output[0]
        if x != node.input[0] and node.op_type != "MatMul":
            return False
        given, shape = self._shape[self._from[x]], self._sample(out)
        if node.op_type == "Conv":
            self._convolution(node, x, given, shape)
            return True
        sizes = self._graph.shapes[node.input[1] if x == node.input[0] else node.input[0]]
        if len(sizes) != 2:
            return False
        transposed = node.op_type == "Gemm" and _attribute(node, "transB", 0)
        inputs, outputs = (sizes if x == node.input[0] else sizes[::-1])[:: -1 if transposed else 1]
        vectors = self._graph.words(x) // inputs
        if not vectors:
            raise DataError(
                f"{self._path}: '{out}' ({node.op_type}) multiplies by {inputs} inputs where a sample has "
                f"{self._graph.words(x)}: the first axis of every tensor must be the samples; transpose the operands"
            )
        fields = {"inputs": inputs, "outputs": outputs, "bias": node.op_type == "Gemm" and len(node.input) > 2}
        if (given.channels, given.positions) == (inputs, vectors):
            shape = Shape(outputs, given.height, given.width)
            self._add(node, {"kind": "linear", **fields}, [x], shape, [out])
        else:
            shape = Shape(outputs, vectors, 1)
            self._add(node, {"kind": "products", **fields, "per_sample": vectors, "height": vectors}, [x], shape, [out])
        return True

    def _convolution(self, node: Any, x: str, given: Shape, shape: Shape) -> None:
        weights, groups = self._graph.shapes[node.input[1]], _attribute(node, "group", 1)
        kernel, n = weights[2:], len(weights) - 2
        strides, dilations = _attribute(node, "strides", [1] * n), _attribute(node, "dilations", [1] * n)
        pads, bias = _attribute(node, "pads", [0] * 2 * n), len(node.input) > 2 and bool(node.input[2])
        plain = _attribute(node, "auto_pad", "NOTSET") in ("NOTSET", "VALID")
        square = (
            n == 2
            and plain
            and all(len(set(sizes)) == 1 for sizes in (kernel, strides, pads))
            and set(dilations) == {1}
        )
        channels = weights[1] * groups
        if square and given == self._sample(x) and given.channels == channels:
            fields = {
                "kind": "conv2d", "inputs": channels, "outputs": weights[0], "kernel": kernel[0],
                "stride": strides[0], "padding": pads[0], "groups": groups, "bias": bias,
            }  # fmt: skip
        else:
            positions = self._graph.words(node.output[0]) // weights[0]
            shape = shape if shape.channels == weights[0] else Shape(weights[0], positions, 1)
            fields = {
                "kind": "products", "inputs": weights[1] * prod(kernel), "outputs": weights[0], "bias": bias,
                "per_sample": positions * groups, "height": shape.height, "width": shape.width,
                "patches": prod(kernel) > 1,
            }  # fmt: skip
        self._add(node, fields, [x], shape, [node.output[0]])

    def _producer(self, tensor: str) -> Layer | None:
        """Return the layer that gives a tensor, if nothing else takes it."""
        name = self._from[tensor]
        return next((layer for layer in reversed(self._layers) if layer["name"] == name), None) \
            if name and self._uses[tensor] == 1 else None  # fmt: skip

    def _joins(self, node: Any, x: str) -> bool:
        """Let the layer in front take an activation in."""
        layer = self._producer(x)
        if layer is None or layer["kind"] not in ("linear", "conv2d", "products", "add", "batch_norm", "layer_norm"):
            return False
        if layer.get("activation", "none") != "none":
            return False
        layer["activation"] = ACTIVATIONS[node.op_type]
        self._from[node.output[0]] = layer["name"]
        return True

    def _biases(self, node: Any, x: str) -> bool:
        """Let the layer in front take a bias in."""
        layer = self._producer(x)
        constant = next(name for name in node.input if name != x)
        if layer is None or layer.get("bias") is not False or layer.get("activation", "none") != "none":
            return False
        if prod(self._graph.shapes[constant]) != layer["outputs"]:
            return False
        layer["bias"] = True
        self._from[node.output[0]] = layer["name"]
        return True

    def _reshape(self, node: Any, varying: Sequence[str]) -> None:
        """Add a layer where nothing moves, unless the shape stays as it is."""
        for out in node.output:
            if not out or out not in self._graph.shapes:
                continue
            shape, source = self._sample(out), self._from[varying[0]]
            if self._shape[source] == shape and len(varying) == 1:
                self._from[out] = source
            elif len(varying) == 1 and shape == Shape(self._shape[source].words, 1, 1):
                self._add(node, {"kind": "flatten"}, varying, shape, [out])
            else:
                self._add(node, self._digital(node, varying, shape, {}, {}), varying, shape, [out])

    def _work(self, node: Any, varying: Sequence[str], out: str) -> None:
        """Add work of the digital unit; what the list of layers has a kind of its own for takes that kind."""
        shape, operator = self._sample(out), node.op_type
        given = self._shape[self._from[varying[0]]]
        special = self._special(node, varying, given, shape)
        if special is not None:
            self._add(node, special, varying, shape, node.output)
            return
        window = max(-(-self._graph.words(varying[0]) // self._graph.words(out)), 1)
        if operator in ("MaxPool", "AveragePool"):
            window = prod(_attribute(node, "kernel_shape", [1]))
        counted = pooling(operator, window) or WORK.get(operator)
        trained = {"trained": self._trained(node)} if self._trained(node) else {}
        if operator in ("MatMul", "Gemm"):
            products = self._graph.shapes[varying[0]][-1]
            work = self._digital(node, varying, shape, {"mul": products, "add": products},
                                 {"mul": 2 * products, "add": 2 * products})  # fmt: skip
            self._add(node, {**work, "products": products, **trained}, varying, shape, [out])
        elif operator == "Gather":
            table = prod(self._graph.shapes[node.input[0]])
            work = self._digital(node, varying, shape, {"add": 1}, {})
            self._add(node, {**work, "trained": table, "looks_up": True}, varying, shape, [out])
        else:
            if counted is None:
                raise DataError(
                    f"{self._path}: {operator} '{node.name or out}' has weights that are results, not constants"
                )
            work = self._digital(node, varying, shape, *counted)
            self._add(node, {**work, **trained}, varying, shape, node.output)

    def _special(self, node: Any, varying: Sequence[str], given: Shape, shape: Shape) -> Layer | None:
        operator, spatial = node.op_type, len(self._graph.shapes[varying[0]]) == 4
        if operator == "Add" and len(varying) == 2 and given == self._shape[self._from[varying[1]]] == shape:
            plus = self._from[varying[1]]
            return {"kind": "add", "plus": plus} if plus and self._from[varying[0]] else None
        if operator in ("BatchNormalization", "LayerNormalization") and given == shape:
            fits = shape.channels == self._trained(node) // 2
            name = "batch_norm" if operator[0] == "B" else "layer_norm"
            return {"kind": name} if fits else None
        if operator in ("GlobalMaxPool", "GlobalAveragePool") and spatial and given == self._sample(varying[0]):
            return {"kind": "max_pool" if "Max" in operator else "average_pool"}
        if operator in ("MaxPool", "AveragePool") and spatial and given == self._sample(varying[0]):
            kernel = _attribute(node, "kernel_shape", [1, 1])
            strides, pads = _attribute(node, "strides", [1, 1]), _attribute(node, "pads", [0] * 4)
            plain = _attribute(node, "auto_pad", "NOTSET") in ("NOTSET", "VALID")
            plain = plain and not _attribute(node, "ceil_mode", 0) and set(_attribute(node, "dilations", [1])) == {1}
            if plain and all(len(set(sizes)) == 1 for sizes in (kernel, strides, pads)):
                kind = "max_pool" if operator == "MaxPool" else "average_pool"
                return {"kind": kind, "kernel": kernel[0], "stride": strides[0], "padding": pads[0]}
        return None

    def _digital(self, node: Any, varying: Sequence[str], shape: Shape, forward: Any, backward: Any) -> Layer:
        also = [self._from[name] for name in varying[1:]]
        return {
            "kind": "digital", "operator": node.op_type, "also": also, "channels": shape.channels,
            "height": shape.height, "width": shape.width, "forward": {name: n for name, n in forward.items() if n},
            "backward": {name: n for name, n in backward.items() if n},
        }  # fmt: skip

    def _trained(self, node: Any) -> int:
        """Return the numbers of the constants that training would change: more than one, and real."""
        if node.op_type in ("Add", "Sub", "Mul", "Div", "MatMul", "PRelu"):
            names = [name for name in node.input if name in self._graph.constants]
        elif node.op_type.endswith("Normalization"):
            names = [name for name in node.input[1:3] if name in self._graph.constants]
        else:
            return 0
        return sum(prod(self._graph.shapes[name]) for name in names if prod(self._graph.shapes[name]) > 1)

    def _end(self, output: str) -> None:
        """Let the list end with the network's output, as one vector for the loss."""
        last = self._from.get(output)
        if last is None or not last:
            raise DataError(f"{self._path}: the output '{output}' does not depend on the input")
        if self._layers[-1]["name"] != last or self._shape[last].positions != 1:
            node = type("Output", (), {"name": "output", "op_type": "Output"})
            self._add(node, {"kind": "flatten"}, [output], Shape(self._shape[last].words, 1, 1), ["output of the list"])


def _attribute(node: Any, name: str, default: Any) -> Any:
    """Return an attribute of a node: a number, a text or a list of numbers."""
    for attribute in node.attribute:
        if attribute.name == name:
            if attribute.ints:
                return [int(value) for value in attribute.ints]
            return attribute.s.decode(errors="replace") if attribute.s else int(attribute.i)
    return default
