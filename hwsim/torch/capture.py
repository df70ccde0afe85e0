"""Records a training trace from a user's own PyTorch loop."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import nn

from hwsim.errors import UsageError
from hwsim.spec.recorded import RecordedLayer
from hwsim.torch.layers import description, matrix_layers, matrix_weights, samples_of, to_numpy
from hwsim.torch.optimizers import SampleCounter, Steps
from hwsim.training.recorded import Call, RecordWriter, patches
from hwsim.training.streams import generator


def capture(
    model: nn.Module, file: str | Path = "trace.parquet", *, vectors: int | None = None, seed: int = 0
) -> Capture:
    """Record every training step of ``model`` into ``file`` until the capture is closed.

    Two lines in a training loop::

        recording = hwsim.torch.capture(model, "lenet.parquet")
        ...                                   # the loop as it is
        recording.close()                     # or: with hwsim.torch.capture(...): the loop

    A step ends with ``step()`` of the optimizer that holds the layers' weights, whichever it is; ``recording.step(lr)``
    ends one where there is no optimizer. Every pass in training mode that went backward counts, also several in a step.
    The gradients are those that arrive at the layers: clipping, momentum and weight decay come after, a scale for half
    precision (``GradScaler``) would be in them.

    Args:
        model: a module with ``Linear`` and ``Conv2d`` layers; others are left out, and with a warning those that are
            frozen.
        file: a new Parquet file; it appears when the capture is closed.
        vectors: keep only so many vectors (inputs or patches, with their errors) of each layer and step, drawn at
            random; they stand for all in a run at activity fidelity. None: keep all.
        seed: seed of that draw.

    Raises:
        UsageError: the model has no such layer, or the file exists.
    """
    if vectors is not None and vectors < 1:
        raise UsageError(f"vectors must be at least 1, got {vectors}")
    return Capture(model, Path(file), vectors, seed)


@dataclass
class _Seen:
    """A layer, its passes since the last step, and what has been seen of it."""

    name: str
    layer: Any
    calls: list[Call] = field(default_factory=list)
    order: int | None = None
    backward: bool = False
    frozen: bool = False
    words: tuple[int, int] = (1, 1)
    hook: Any = None


class Capture:
    """A recording under way of ``model``; see :func:`capture`. ``steps`` is how many steps have been recorded."""

    def __init__(self, model: nn.Module, file: Path, vectors: int | None, seed: int) -> None:
        layers = matrix_layers(model)
        self.model = model
        name = type(model).__name__
        self._writer = RecordWriter(
            file, name=file.stem, description=f"Training of {name}, recorded from PyTorch",
            source=f"hwsim.torch.capture with PyTorch {torch.__version__}",
        )  # fmt: skip
        self._vectors = vectors
        self._random = generator(seed, "capture")
        self._seen = {name: _Seen(name, layer) for name, layer in layers.items()}
        self._called = 0
        self._samples = SampleCounter()
        if vectors is None:
            self._write_weights()
        for seen in self._seen.values():
            seen.hook = seen.layer.register_forward_hook(self._noted(seen))
        self._steps: Steps | None = Steps({name: layer.weight for name, layer in layers.items()}, self._stepped)

    def _write_weights(self) -> None:
        try:
            for seen in self._seen.values():
                self._writer.weights(seen.name, matrix_weights(seen.layer))
        except BaseException:
            self._writer.discard()
            raise

    @property
    def steps(self) -> int:
        """Steps recorded so far."""
        return self._writer.steps

    @property
    def file(self) -> Path:
        """The file, which is there once the capture is closed."""
        return self._writer.path

    def _noted(self, seen: _Seen) -> Callable[..., None]:
        def hook(layer: Any, inputs: Any, output: torch.Tensor) -> None:
            if not (layer.training and output.requires_grad):
                return
            if not layer.weight.requires_grad:
                self._left_out(seen)
                return
            x = inputs[0]
            if seen.order is None:
                seen.order, self._called = self._called, self._called + 1
            seen.backward |= bool(x.requires_grad)
            if seen.order == 0:
                self._samples.forward(samples_of(layer, x))
            kept = x.detach()
            # A layer that is trained keeps its input, so PyTorch itself refuses one that has been changed since.
            output.register_hook(lambda d: self._add(seen, kept, d))

        return hook

    def _left_out(self, seen: _Seen) -> None:
        """Say once that a layer is frozen: a trace has what an update needs, so its reads are not in it."""
        if not seen.frozen:
            seen.frozen = True
            warnings.warn(
                f"layer '{seen.name}' is frozen and left out of the trace while it is: no replay reads it; "
                "hwsim.torch.analog does",
                stacklevel=2,
            )

    def _add(self, seen: _Seen, x: torch.Tensor, d: torch.Tensor) -> None:
        """Note a pass whose errors ``d`` have arrived."""
        layer = seen.layer
        n = samples_of(layer, x)
        if not x.numel():
            return
        self._samples.backward()
        if isinstance(layer, nn.Linear):
            height, width = x.numel() // (n * layer.in_features), 1
            positions = height
        else:
            height, width = x.shape[-2:]
            positions = d.shape[-2] * d.shape[-1] * layer.groups
        values = to_numpy(x).reshape(n, -1), to_numpy(d).reshape(n, -1)
        seen.words = max(seen.words[0], values[0].shape[1]), max(seen.words[1], values[1].shape[1])
        if self._vectors is None:
            # The memory of a tensor is the program's, which may use it again before the step is written.
            seen.calls.append(Call(values[0].copy(), values[1].copy(), height, width, positions))
        else:
            seen.calls.append(self._drawn(seen, *values, height, width))

    def _drawn(self, seen: _Seen, x: np.ndarray, d: np.ndarray, height: int, width: int) -> Call:
        """Draw some of the vectors of a pass, all alike, without replacement."""
        spec = RecordedLayer(**_frozen(description(seen.name, seen.layer)))
        n = len(x)
        positions = int(np.prod(spec.grid(height, width))) * spec.groups
        keep = min(self._vectors or 1, n * positions)
        chosen = self._random.choice(n * positions, keep, replace=False)
        samples = np.unique(chosen // positions)
        all_x, all_d = patches(spec, x[samples], d[samples], height, width)
        rows = np.searchsorted(samples, chosen // positions) * positions + chosen % positions
        return Call(all_x[rows].reshape(1, -1), all_d[rows].reshape(1, -1), height, width, n * positions, sampled=True)

    def step(self, learning_rate: float) -> None:
        """End a step in which every layer is updated at one learning rate; only for loops without an optimizer."""
        self._stepped(None, dict.fromkeys(self._seen, float(learning_rate)))

    def _stepped(self, _optimizer: Any, rates: dict[str, float]) -> None:
        trained = {name: rate for name, rate in rates.items() if self._seen[name].calls}
        if not trained:
            return
        ordered = sorted(trained, key=lambda name: self._seen[name].order or 0)
        try:
            self._writer.step({name: (trained[name], self._seen[name].calls) for name in ordered}, self._samples.take())
        finally:
            for name in rates:
                self._seen[name].calls = []

    def close(self) -> Path:
        """End the recording and write the file; the model is as it was. Returns the file's path.

        Raises:
            UsageError: no step was recorded, and no file is written.
        """
        if self._steps is None:
            return self._writer.path
        self._leave()
        if not self.steps:
            self._writer.discard()
            raise UsageError(
                "no training step was recorded, so no file is written: a step needs a forward pass in training mode, a "
                "backward pass, and step() of an optimizer that holds the weights of the model"
            )
        found = sorted(
            (seen for seen in self._seen.values() if seen.order is not None), key=lambda seen: seen.order or 0
        )
        layers = [
            description(seen.name, seen.layer, backward=seen.backward, input_words=seen.words[0],
                        output_words=seen.words[1])
            for seen in found
        ]  # fmt: skip
        return self._writer.close(layers, self._vectors)

    def __enter__(self) -> Capture:
        """Return the capture."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; after an error the steps before it are kept, if there were any."""
        if error is None or self.steps:
            self.close()
        elif self._steps is not None:
            self._leave()
            self._writer.discard()

    def _leave(self) -> None:
        """Leave model and optimizers as they were."""
        if self._steps is not None:
            self._steps.close()
            self._steps = None
        for seen in self._seen.values():
            seen.hook.remove()


def _frozen(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
