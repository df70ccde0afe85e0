"""Description of a live training trace: network, data, loss, schedule and the algorithm it is meant for."""

from __future__ import annotations

from math import ceil
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from hwsim.spec.base import Spec
from hwsim.spec.network import NetworkSpec

DataName = Literal["digits", "mnist", "fashion-mnist", "least-squares"]
LossName = Literal["cross_entropy", "nll", "mse", "half_mse"]
REGRESSION_LOSSES: tuple[LossName, ...] = ("mse", "half_mse")
Normalisation = Literal["none", "unit", "standard"]

_LIMITS = ("limit_train", "limit_test")
_DATA_OPTIONS: dict[str, tuple[str, ...]] = {
    "digits": ("normalisation", "test_fraction", *_LIMITS),
    "mnist": ("normalisation", *_LIMITS),
    "fashion-mnist": ("normalisation", *_LIMITS),
    "a file": ("normalisation", "test_fraction", *_LIMITS),
    "least-squares": ("dimensions", "rows", "test_rows", "sigma_a", "sigma_w", "label_noise", "offset"),
}


class DataSpec(Spec):
    """A data set: one of the known names, or an ``.npz`` file. Options that the set does not have are refused."""

    name: DataName | None = None
    """``digits`` (scikit-learn's, 64 features, 10 classes), ``mnist`` and ``fashion-mnist`` (784 features, 10 classes,
    IDX files from ``--data`` or ``$HWSIM_DATA``), ``least-squares`` (drawn from the seed of the run)."""
    file: str | None = None
    """An ``.npz`` file with arrays ``x``, ``y`` and, if it has its own test set, ``x_test``, ``y_test``. A relative
    path is looked up in the working folder, then in the data folder."""
    normalisation: Normalisation | None = None
    """``none``: as stored; ``unit``: to 0..1 (full scale of an image; range of the training set of a file);
    ``standard``: zero mean, unit variance over the training set (all pixels of an image together; each feature of a
    file by itself). Default: ``unit`` for images, ``none`` for files."""
    limit_train: int | None = Field(None, ge=1)
    """Keep only the first so many training samples."""
    limit_test: int | None = Field(None, ge=1)
    """Keep only the first so many test samples."""
    test_fraction: float = Field(0.2, ge=0, lt=1)
    """Share held out where the data have no test set of their own; the split is the same for every seed. 0: none."""
    dimensions: int = Field(40, ge=1)
    """Least squares: length D of the weight vector w*."""
    rows: int = Field(100, ge=1)
    """Least squares: training rows of A."""
    test_rows: int = Field(100, ge=1)
    """Least squares: further rows of A, held out."""
    sigma_a: float = Field(1.0, gt=0)
    """Least squares: standard deviation of the entries of A."""
    sigma_w: float = Field(0.45, gt=0)
    """Least squares: standard deviation of the entries of w*."""
    label_noise: float = Field(0.0, ge=0)
    """Least squares: standard deviation of the noise added to A w*."""
    offset: float = 0.0
    """Least squares: constant added to A w*, which a bias can take."""

    @property
    def title(self) -> str:
        """What messages call the data set: its name or its file."""
        return self.name or str(self.file)

    @property
    def is_regression(self) -> bool | None:
        """True: real targets; False: classes; None: the file decides."""
        return None if self.name is None else self.name == "least-squares"

    @model_validator(mode="after")
    def _one_source(self) -> DataSpec:
        if (self.name is None) == (self.file is None):
            raise ValueError("give either name (digits, mnist, fashion-mnist, least-squares) or file (an .npz)")
        if self.file is not None and not self.file.endswith(".npz"):
            raise ValueError(f"file must be an .npz with arrays x and y, got '{self.file}'")
        return self

    @model_validator(mode="after")
    def _only_own_options(self) -> DataSpec:
        what = self.name or "a file"
        foreign = [
            name
            for name, field in type(self).model_fields.items()
            if name not in ("name", "file", *_DATA_OPTIONS[what]) and getattr(self, name) != field.default
        ]
        if foreign:
            raise ValueError(f"{what} has no option {', '.join(foreign)} (it has: {', '.join(_DATA_OPTIONS[what])})")
        return self


class ScheduleSpec(Spec):
    """How the learning rate changes over the epochs."""

    kind: Literal["constant", "step"] = "constant"
    """``constant``, or ``step``: times ``factor`` after every ``every`` epochs (PyTorch: ``StepLR``)."""
    every: int | None = Field(None, ge=1)
    """Epochs between two steps."""
    factor: float | None = Field(None, gt=0)
    """What a step multiplies the learning rate with."""

    @model_validator(mode="after")
    def _complete(self) -> ScheduleSpec:
        given = (self.every is not None, self.factor is not None)
        if self.kind == "step" and not all(given):
            raise ValueError("a step schedule needs both every (epochs) and factor")
        if self.kind == "constant" and any(given):
            raise ValueError("every and factor belong to kind: step; a constant schedule has neither")
        return self


class EvaluationSpec(Spec):
    """When and how the network is evaluated; it takes no simulated time or energy."""

    data: Literal["held-out", "training"] = "held-out"
    """Which samples."""
    reads: Literal["converters", "exact"] = "converters"
    """``converters``: through the arrays' converters, with their noise; ``exact``: with the weights as they are."""
    every: int | None = Field(None, ge=1)
    """Training steps between two evaluations; None: at the end of every epoch."""


def named_choice(value: Any) -> Any:
    """Check that a choice of an algorithm or a device is None, a name, or a mapping with a name."""
    if value is None or (isinstance(value, str) and value):
        return value
    if isinstance(value, dict) and isinstance(value.get("name"), str) and value["name"]:
        return value
    raise ValueError(f"expected a name, or a mapping with a name and parameters, got {value!r}")


class TrainingSpec(Spec):
    """What every description of a training has."""

    name: str = Field(min_length=1)
    description: str = Field(min_length=1)
    source: str = Field(min_length=1)
    """Where the numbers come from; an assumption says that it is one."""
    network: NetworkSpec
    loss: LossName
    """``cross_entropy`` (softmax inside), ``nll`` (on log-probabilities), ``mse`` (one-hot targets for classes) or
    ``half_mse``, half of it."""
    batch_size: int = Field(ge=1)
    """Samples of a mini-batch; the last one of an epoch may be smaller."""
    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    schedule: ScheduleSpec = ScheduleSpec()
    shuffle: bool = True
    """True: a new order of the training samples in every epoch."""
    replicas: dict[str, int] = Field(default_factory=dict)
    """How many times the matrix of a layer stands on the chip, by the layer's name. Each replica reads a part of the
    layer's vectors; all take every update."""
    vectors_per_replica: int | None = Field(None, ge=1)
    """Replicate every layer that is not named in ``replicas`` until no replica reads more vectors of a sample than
    this."""
    algorithm: str | dict[str, Any] = "analog-sgd"
    """Algorithm unless a run names another: its name, or a mapping with ``name`` and parameters of that algorithm."""
    device: str | dict[str, Any] | None = None
    """Device unless a run names another: its name, or a mapping with ``name`` and overrides of its parameters. None:
    the chip's."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Values of chip parameters by path, such as ``tile.forward.out_noise: 0.06``; a user's ``--set`` comes later."""
    statistics: str | None = None
    """Activity statistics that stand for the data at activity fidelity: a name (``models/statistics``) or a file."""

    _named = field_validator("algorithm", "device", mode="before")(named_choice)

    def layer_replicas(self) -> dict[str, int]:
        """Return how many times each matrix stands on the chip, by the layer's name."""
        found = {}
        for layer in self.network.matrix_layers:
            vectors = layer.vectors(self.network.given(layer))
            most = 1 if self.vectors_per_replica is None else ceil(vectors / self.vectors_per_replica)
            found[layer.name] = self.replicas.get(layer.name, most)
        return found

    @model_validator(mode="after")
    def _known_layers(self) -> TrainingSpec:
        known = [layer.name for layer in self.network.matrix_layers]
        for name, number in self.replicas.items():
            if name not in known:
                raise ValueError(f"replicas: no layer with weights is called '{name}' (known: {', '.join(known)})")
            if number < 1:
                raise ValueError(f"replicas.{name} must be at least 1, got {number}")
        return self

    @model_validator(mode="after")
    def _loss_fits(self) -> TrainingSpec:
        problem = _loss_problem(self.loss, self.network)
        if problem:
            raise ValueError(problem)
        return self


class TraceSpec(TrainingSpec):
    """A live training trace: its operations arise while the simulated chip trains."""

    kind: Literal["live"] = "live"
    data: DataSpec
    evaluation: EvaluationSpec = EvaluationSpec()

    @model_validator(mode="after")
    def _targets_fit(self) -> TraceSpec:
        if self.loss not in REGRESSION_LOSSES and self.data.is_regression:
            raise ValueError(f"loss {self.loss} needs classes, but {self.data.title} has real targets; use loss: mse")
        return self


def _loss_problem(loss: LossName, network: NetworkSpec) -> str | None:
    last = network.layers[-1]
    log_softmax = network.activation == "log_softmax"
    if loss == "nll" and not log_softmax:
        return (
            f"loss nll needs log-probabilities; give layer '{last.name}' activation: log_softmax, "
            "or give it activation: none and use loss: cross_entropy"
        )
    if loss != "nll" and log_softmax:
        return (
            f"loss {loss} does not take log-probabilities; use loss: nll, "
            f"or give layer '{last.name}' another activation than log_softmax"
        )
    if loss not in REGRESSION_LOSSES and network.outputs < 2:
        return f"loss {loss} needs at least 2 outputs, but layer '{last.name}' has {network.outputs}"
    return None
