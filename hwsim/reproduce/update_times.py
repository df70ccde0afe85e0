"""The published update-time tables: which training steps to run on which chip, and the times that its events give.

Nothing here evaluates a published formula; a time is that of the events of the chip that runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hwsim.reproduce.bench import STEP, Bench, Training, time_of, update_time
from hwsim.spec.load import load_chip

EAGER = 1e4
"""Transfer rate at which every transfer writes, as the published averages take it."""


@dataclass(frozen=True)
class Row:
    """A training whose update time was published. ``phase``: the time of its reads instead."""

    training: Training
    settings: Mapping[str, Any] = field(default_factory=dict)
    keep_devices: bool = True
    phase: str = ""

    def time(self, chip: str) -> float:
        """Run it on a chip and return the time of a sample, ns."""
        events = self.training.on(Bench(chip, self.settings, keep_devices=self.keep_devices))
        if self.phase:
            return time_of(events, self.phase) / self.training.samples
        return update_time(events, self.training.samples)


def _trains(bl: int) -> dict[str, Any]:
    return {"desired_bl": bl, "update_management": False, "update_bl_management": False}


def _past_first_periods(algorithm: Any) -> None:
    """AGAD writes nothing in the first periods of its choppers, which take thousands of samples."""
    for choppers in algorithm.choppers.values():
        choppers.sweeps = 1000


def _mixed(shape: tuple[int, int], batch: int, **parameters: Any) -> Training:
    """Every element of the digital matrix reaches one and a half steps: one pulse for each row of the array."""
    return Training("mixed-precision", shape, batch, parameters, batch=batch, lr=6 * STEP / batch)


def rasch_2024() -> dict[str, Row]:
    """Table 1 of Rasch et al., Nat. Commun. 15:7133 (2024): arrays of 512 x 512, trains of 5 slots."""
    shape, samples = (512, 512), {"units_in_mbatch": False, "update": _trains(5)}
    transfers = {**samples, "transfer_every": 2.0, "transfer_lr": EAGER}
    seldom = transfers | {"transfer_every": 10.0, "update": _trains(1)}
    trainings = {
        "time-sgd": Training("analog-sgd", shape, 4, {"update": _trains(5)}),
        # H is cleared where it was written, as in c-TTv2.
        "time-ttv2": Training("ttv2", shape, 8, {**transfers, "momentum": 0.0}),
        "time-c-ttv2": Training("c-ttv2", shape, 8, transfers),
        "time-agad": Training("agad", shape, 8, transfers, ready=_past_first_periods),
        "time-agad-10": Training("agad", shape, 20, seldom, ready=_past_first_periods),
        "time-mixed-precision": _mixed(shape, 100),
    }
    return {name: Row(training) for name, training in trainings.items()}


def wu_2025() -> dict[str, Row]:
    """Table 3 of Wu et al., NeurIPS 2025: arrays of 512 x 512, trains of 32 slots."""
    shape = (512, 512)
    residual = {
        "gamma": 0.4, "transfer_every": 1.0, "units_in_mbatch": False, "update": _trains(32),
        "transfer_update": _trains(32),
    }  # fmt: skip
    learns = Training("tiki-taka", shape, 3, residual, reads=True)
    plain = Training("analog-sgd", shape, 3, {"update": _trains(32)}, reads=True)
    return {
        "forward": Row(learns, phase="forward"),
        "backward": Row(learns, phase="backward"),
        "update-analog-sgd": Row(plain),
        "update-residual": Row(learns),
    }


MULTIPLY_ADD = {"digital.model": "li-2025-multiply-add"}
LARGE = {"tile.rows": 4608, "tile.cols": 4608}


def multi_tile() -> dict[str, Any]:
    """Return parameters of multi-tile residual learning that add up to the cost model's.

    The model adds the transfers of endlessly many arrays, 1/2 + 1/4 + ... = 1 a sample with n_s = 2. Here the last of
    three levels is transferred as often as the one before it, which adds up to the same; what is read is the pulse
    probability itself.
    """
    return {
        "units_in_mbatch": False, "update": _trains(5), "n_arrays": 4, "transfer_every_vec": [2.0, 4.0, 4.0],
        "transfer_lr_vec": [5 * STEP] * 3, "transfer_update": _trains(5),
    }  # fmt: skip


def ttv2() -> dict[str, Any]:
    """Return parameters of Tiki-Taka v2 with a transfer every other sample, each of which writes."""
    return {
        "units_in_mbatch": False, "update": _trains(5), "transfer_every": 2.0, "transfer_lr": EAGER, "momentum": 0.0,
    }  # fmt: skip


def li_2025() -> dict[str, Row]:
    """Table 7 of Li et al., arXiv 2510.02516: LeNet-5 (D = 512) and ResNet-18 (D = 4608)."""
    square, large = (512, 512), (4608, 4608)
    sgd = {"update": _trains(5)}
    return {
        "time-sgd": Row(Training("analog-sgd", square, 4, sgd)),
        "time-ttv2": Row(Training("ttv2", square, 8, ttv2())),
        "time-multi-tile": Row(Training("multi-tile", square, 8, multi_tile())),
        "time-mixed-precision": Row(_mixed(square, 100, scaled="inputs")),
        "time-mixed-precision-lenet": Row(_mixed((128, 512), 8, scaled="inputs"), MULTIPLY_ADD),
        "time-sgd-resnet": Row(Training("analog-sgd", large, 2, sgd), LARGE, keep_devices=False),
        "time-ttv2-resnet": Row(Training("ttv2", large, 2, ttv2()), LARGE, keep_devices=False),
        "time-multi-tile-resnet": Row(Training("multi-tile", large, 4, multi_tile()), LARGE, keep_devices=False),
        "time-mixed-precision-resnet": Row(
            _mixed((512, 4608), 128, scaled="inputs"), LARGE | MULTIPLY_ADD, keep_devices=False
        ),
    }


TABLES: dict[str, Callable[[], dict[str, Row]]] = {
    "rasch-2024": rasch_2024, "wu-2025": wu_2025, "li-2025": li_2025,
}  # fmt: skip
"""The rows of each chip by the names of its published figures."""


def measured(chip: str) -> Iterator[tuple[Any, float]]:
    """Run every row of a chip; yields the published figure and the measured time, ns."""
    figures = {figure.name: figure for figure in load_chip(chip).published}
    for name, row in TABLES[chip]().items():
        yield figures[name], row.time(chip)
