"""PyTorch models whose linear and convolutional layers are on a simulated chip, in the user's own training loop."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import nn

from hwsim.chip.program import Claim, Free, Mark, Program
from hwsim.devices import single_thread_blas
from hwsim.errors import RunError, UsageError
from hwsim.results import Run, open_run
from hwsim.run.config import Log, RunSpec, resolve
from hwsim.run.devices import DeviceRecord
from hwsim.run.execution import build_chip, log_sinks, new_folder
from hwsim.run.folder import check_new
from hwsim.run.outcome import metric_row, write_outcome
from hwsim.run.recorded_trace import PYTORCH_TRACE
from hwsim.spec.load import Document
from hwsim.spec.recorded import RecordedTraceSpec
from hwsim.torch.layers import description, matrix_layers, matrix_weights
from hwsim.torch.modules import LayerOnChip, put_on_chip, take_off_chip
from hwsim.torch.optimizers import SampleCounter, Steps
from hwsim.training.algorithms import ALGORITHMS
from hwsim.training.refresh import Refreshes
from hwsim.training.trainer import StepMetrics

NAN = float("nan")


def analog(
    model: nn.Module,
    chip: str | None = None,
    *,
    algorithm: str | Mapping[str, Any] | None = None,
    device: str | Mapping[str, Any] | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    set: Mapping[str, Any] | Sequence[str] | None = None,
    log: Log | None = None,
    probe: Sequence[str] = (),
    timing: bool = True,
    threads: int = 1,
    out: str | Path | None = None,
) -> Analog:
    """Put every ``Linear`` and ``Conv2d`` of ``model`` on a simulated chip, and return a handle to the chip.

    The loop stays as it is::

        with hwsim.torch.analog(model, chip="baseline", algorithm="tiki-taka") as chip:
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for x, y in loader:
                optimizer.zero_grad()
                loss = criterion(model(x), y)
                loss.backward()
                optimizer.step()
        chip.run.summary["energy_J"], chip.energy(by="layer"), chip.latency()

    Forward and backward passes are reads of the arrays through their converters, one operation of the chip each, in the
    order in which the program asks for them. When an optimizer that holds the weights makes its step, ``algorithm``
    updates the arrays with the inputs and errors since the last one, at the optimizer's learning rate of each layer:
    plain steps down the gradient, whatever the optimizer does (momentum, weight decay). ``handle.step()`` does the same
    in loops without an optimizer. Biases and all other parameters are PyTorch's and the optimizer's.

    Passes in evaluation mode, or without gradients, read the arrays but take no simulated time or energy. The weights
    in the model's parameters follow the arrays after every step; loading a state dictionary writes them.

    Args:
        model: a module; its layers are swapped in place until the handle is closed.
        chip: name or file of a chip; None: ``baseline``.
        algorithm: name of an algorithm, or a mapping with ``name`` and parameters; None: ``analog-sgd``.
        device: name or file of a device, or a mapping with ``name`` and overrides; None: the algorithm's or the chip's.
        learning_rate: that of the arrays; None: the optimizer's.
        seed: seed of every random number of the chip.
        set: overrides, ``{"tile.rows": 128}`` or ``["tile.rows=128"]``.
        log: ``none``, ``events`` (the default with timing) or ``pulses``.
        probe: regions of a pulse log, ``TILE[:ROWS[:COLS]]``.
        timing: False: only the numbers; no time and no energy.
        threads: threads of the device kernels.
        out: a new folder; None: a free one in ``runs``.

    Raises:
        InputError: the model has no such layer or does not fit the chip, or a name or parameter is wrong.
    """
    layers = matrix_layers(model)
    _check_ties(model, layers)
    shapes = [_described(name, layer) for name, layer in layers.items()]
    title = type(model).__name__
    document = Document({
        "kind": PYTORCH_TRACE, "name": title.lower(), "description": f"{title}, trained by a PyTorch program",
        "source": f"hwsim.torch.analog with PyTorch {torch.__version__}", "layers": shapes,
        "learning_rate": learning_rate,
    })  # fmt: skip
    spec = resolve(
        document, chip=chip, device=device, algorithm=algorithm, seed=seed, set=set, log=log, probe=probe,
        timing=timing, threads=threads,
    )  # fmt: skip
    if spec.chip.schedule.kind != "sequential":
        raise UsageError(
            f"chip '{spec.chip.name}' has the schedule {spec.chip.schedule.kind}, but a PyTorch program does one thing "
            "after the other: set={'chip.schedule.kind': 'sequential'}; recorded traces run under every schedule"
        )
    if out is not None:
        check_new(Path(out))
    return Analog(layers, spec, None if out is None else Path(out))


def _described(name: str, layer: Any) -> Any:
    fields = description(name, layer)
    return {**fields, "input_words": fields["inputs"], "output_words": fields["outputs"]}


def _check_ties(model: nn.Module, layers: Mapping[str, Any]) -> None:
    weights = {id(layer.weight): name for name, layer in layers.items()}
    owners: dict[int, str] = {}
    for prefix, part in model.named_modules():
        for name, parameter in part.named_parameters(prefix, recurse=False):
            first = owners.setdefault(id(parameter), name)
            if first != name and id(parameter) in weights:
                raise UsageError(
                    f"'{first}' and '{name}' are one parameter, but each layer on a chip has arrays of its own: "
                    "untie them before"
                )


def _free(units: Sequence[LayerOnChip]) -> Program:
    """Give back what the layers claimed for their passes, also for those that never went backward."""
    for unit in units:
        yield Free(unit.claimed)
        unit.claimed = 0


class Analog:
    """A model on a simulated chip; see :func:`analog`."""

    def __init__(self, layers: Mapping[str, Any], spec: RunSpec, out: Path | None) -> None:
        assert isinstance(spec.trace, RecordedTraceSpec)
        self.spec = spec
        self._trace = spec.trace
        self.step_count = 0
        self.samples = 0
        self._history: list[StepMetrics] = []
        self._written = 0
        self._counter = SampleCounter()
        self._begun = time.perf_counter()
        self._steps: Steps | None = None
        self._run: Run | None = None
        self._warned = False
        with single_thread_blas():
            self.chip = build_chip(spec, **log_sinks(spec, lambda: self._folder))
            self._algorithm = ALGORITHMS.get(spec.algorithm.name)(spec.algorithm.parameters, self.chip, spec.seed)
            self._refreshes = Refreshes(self.chip.device.unit_cell)
            self._units: dict[str, LayerOnChip] = {}
            for each in spec.trace.layers:
                layer = layers[each.name]
                matrix = self._algorithm.place(each.name, matrix_weights(layer))
                self._units[each.name] = LayerOnChip(self, each, layer, matrix)
            self.chip.finish_placement()
        self._devices = DeviceRecord(self.chip)
        self._folder = new_folder(spec, self.chip, out)
        with self._failing():
            for unit in self._units.values():
                self.do(self._algorithm.prepare(unit.matrix))
        for unit in self._units.values():
            put_on_chip(unit)
        self._steps = Steps({name: layer.weight for name, layer in layers.items()}, self._stepped)

    # What the layers ask for

    def do(self, program: Program) -> Any:
        """Run a program on the chip now; returns what it returns."""

        def marked() -> Program:
            yield Mark(self.step_count, self.samples)
            return (yield from program)

        with self._failing(), single_thread_blas(), np.errstate(over="ignore", invalid="ignore"):
            return self.chip.run(marked())

    def keep(self, words: int, unit: LayerOnChip) -> Program:
        """Emit the claim of the buffer for ``words`` words until the layer's step."""
        n_bytes = -(-words * self.chip.spec.word_bits // 8)
        what = f"the inputs and errors of layer '{unit.name}'"
        self.chip.buffer.check_room(n_bytes, f"{what}, which stay until the update,")
        unit.claimed += n_bytes
        yield Claim(n_bytes, what)

    def went_forward(self, unit: LayerOnChip, samples: int) -> bool:
        """Note a pass; returns whether the layer is the network's first."""
        if unit.order is None:
            unit.order = sum(other.order is not None for other in self._units.values())
        if unit.order == 0:
            self._counter.forward(samples)
        return unit.order == 0

    def went_backward(self) -> None:
        """Note that errors have arrived at a layer."""
        self._counter.backward()

    @property
    def is_open(self) -> bool:
        """Whether the model is still on the chip."""
        return self._steps is not None

    # Steps

    def step(self, learning_rate: float | None = None) -> None:
        """End a training step in a loop without an optimizer: update every layer, at one learning rate.

        Raises:
            UsageError: no learning rate is given, here or to :func:`analog`.
        """
        rate = learning_rate or self._trace.learning_rate
        if rate is None:
            raise UsageError("no optimizer tells the learning rate: handle.step(learning_rate)")
        self._update(dict.fromkeys(self._units, float(rate)))

    def _stepped(self, optimizer: torch.optim.Optimizer, rates: dict[str, float]) -> None:
        if not self._warned and any(
            group.get("momentum") or group.get("weight_decay") or "betas" in group for group in optimizer.param_groups
        ):
            self._warned = True
            warnings.warn(
                f"{type(optimizer).__name__} trains biases and other parameters; the arrays are updated by "
                f"{self.spec.algorithm.title} at its learning rate, without momentum, adaptive steps and weight decay",
                stacklevel=3,
            )
        fixed = self._trace.learning_rate
        self._update({name: fixed or rate for name, rate in rates.items()})

    def _update(self, rates: Mapping[str, float]) -> None:
        units = sorted((self._units[name] for name in rates if self._units[name].passes), key=lambda unit: unit.place)
        if not units:
            return
        samples = self._counter.take()
        for unit in units:
            self._refuse_gradient(unit)
            self.do(self._updates(unit, rates[unit.name]))
            unit.follow()
        self.do(_free([self._units[name] for name in rates]))
        self.step_count += 1
        self.samples += samples
        now, energy = self.chip.env.now, self.chip.energy_so_far()
        rate = rates[units[0].name]
        self._write_metrics()
        self._history.append(StepMetrics(self.step_count - 1, 0, self.samples, now, energy, NAN, rate, NAN, NAN))

    def _updates(self, unit: LayerOnChip, rate: float) -> Program:
        x, d = unit.take_passes()
        yield from unit.bias_update(len(x))
        if rate:
            yield from self._refreshes.after(self._algorithm.update(unit.matrix, x, d, rate))

    def _refuse_gradient(self, unit: LayerOnChip) -> None:
        if unit.layer.weight.grad is not None:
            raise UsageError(
                f"the weights of layer '{unit.name}' have a gradient beside that of their products, such as that of a "
                "penalty in the loss; arrays on a chip learn from products only"
            )

    def note(
        self, *, loss: float | None = None, test_loss: float | None = None, test_accuracy: float | None = None
    ) -> None:
        """Add what the program knows of the last step to the run's metrics.

        Raises:
            UsageError: no step has been made yet.
        """
        if not self._history:
            raise UsageError("there is no step yet to note anything about")
        given = {"loss": loss, "test_loss": test_loss, "test_accuracy": test_accuracy}
        known: Any = {name: float(value) for name, value in given.items() if value is not None}
        self._history[-1] = replace(self._history[-1], **known)

    # Results

    @property
    def latency_s(self) -> float:
        """Simulated time until now, s."""
        return float(self.chip.env.now * 1e-12)

    @property
    def energy_J(self) -> float:
        """Energy until now, leakage included, J."""
        return self.chip.energy_so_far()

    @property
    def run(self) -> Run:
        """The run, as :func:`hwsim.simulate` returns it.

        Raises:
            UsageError: the handle has not been closed yet.
        """
        if self._run is None:
            raise UsageError("the run is not finished: close the handle first; latency_s and energy_J are known before")
        return self._run

    def summary(self) -> dict[str, Any]:
        """Return the totals of the run, SI."""
        return self.run.summary

    def energy(self, by: str = "component") -> Any:
        """Return the energy of the run by ``component``, ``phase``, ``layer`` or ``tile``, largest first."""
        return self.run.energy(by)

    def latency(self, by: str = "phase") -> Any:
        """Return the simulated time of the run by ``phase`` or ``layer``, largest first."""
        return self.run.latency(by)

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights of every layer and of its arrays by name, as matrices."""
        found = {}
        for name, unit in self._units.items():
            found[f"{name}.weight"] = unit.matrix.weights()
            for array in range(unit.matrix.n_arrays):
                found[f"{name}.array{array}"] = unit.matrix.weights(array)
        return found

    def close(self) -> Run:
        """Take the model off the chip, with the weights of the arrays in its parameters, and finish the run folder.

        Raises:
            UsageError: no step was made; the folder says so.
        """
        if self._steps is None:
            return self.run
        self._leave()
        self.chip.finish()
        if not self._history:
            message = "no training step was made: an optimizer with the model's weights must make one, or handle.step()"
            self._folder.close(host_seconds=self._host_seconds(), error=message)
            raise UsageError(f"{message}; the run folder is {self._folder.path}")
        self._write_metrics()
        write_outcome(self.spec, self.chip, _Trained(self), self._folder, self._history, self._devices)
        self._folder.close(host_seconds=self._host_seconds())
        self._run = open_run(self._folder.path)
        return self._run

    def _leave(self) -> None:
        if self._steps is not None:
            self._steps.close()
            self._steps = None
        for unit in self._units.values():
            unit.follow()
            take_off_chip(unit)

    def __enter__(self) -> Analog:
        """Return the handle."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; after an error the run folder says ``failed``."""
        if error is None:
            self.close()
        elif self._steps is not None:
            self._leave()
            self._fail(error)

    @contextmanager
    def _failing(self) -> Any:
        """Let the run folder say so if the chip fails."""
        try:
            yield
        except RunError as error:
            self._leave()
            self._fail(error)
            raise

    def _fail(self, error: BaseException) -> None:
        self.chip.finish()
        self._write_metrics()
        self._folder.close(host_seconds=self._host_seconds(), error=str(error) or type(error).__name__)

    def _write_metrics(self) -> None:
        """Write the steps that have ended and can no longer be noted upon."""
        for metrics in self._history[self._written :]:
            self._folder.write_metrics(metric_row(metrics, timed=self.spec.timing))
        self._written = len(self._history)

    def _host_seconds(self) -> dict[str, float]:
        return {"total": time.perf_counter() - self._begun}

    def __repr__(self) -> str:
        where = f"{len(self._units)} layers on {self.spec.chip.name}, {self.spec.algorithm.title}"
        return f"Analog({where}: {self.step_count} steps, {self.latency_s:.4g} s, {self.energy_J:.4g} J)"


class _Trained:
    """What the run folder asks for, of a handle."""

    def __init__(self, handle: Analog) -> None:
        self.step, self.samples = handle.step_count, handle.samples
        self.steps_per_epoch, self.samples_per_epoch = max(self.step, 1), max(self.samples, 1)
        self.weights = handle.weights
