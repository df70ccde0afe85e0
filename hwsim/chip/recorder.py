"""Records the activity of a run: what its data asked of the hardware, in the numbers that can stand for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from hwsim.chip.tile import ReadWork
from hwsim.devices import UpdateResult

Key = tuple[str, str, str]
"""Layer, kind of operation, and array (or the name of a state)."""


class Trains:
    """Sums over the updates of an array: vectors, slots, lines and cells that took part, and for each device of the
    unit cell pulses on rows and columns, up and down pulses and weights before them."""

    def __init__(self, devices: int) -> None:
        self.vectors = self.slots = self.rows = self.cols = self.cells = 0
        # Plain numbers: an update of a few vectors would take longer to add up as an array.
        self.counts = [[0, 0, 0, 0, 0.0] for _ in range(devices)]

    def means(self) -> dict[str, Any]:
        """Return the means for one vector, line or cell, as plain data of ``TrainStatistics``."""
        row_fires, col_fires, up, down, weight = np.array(self.counts, dtype=float).T
        return {
            "slots": self.slots / self.vectors,
            "row_fires": _plain(row_fires / self.rows),
            "col_fires": _plain(col_fires / self.cols),
            "pulses_up": _plain(up / self.cells),
            "pulses_down": _plain(down / self.cells),
            "weight": _plain(weight / np.maximum(up + down, 1)),
        }


class Recorder:
    """Sums over all operations of each layer and kind; :meth:`layers` gives their means.

    It looks only at counts that the hardware model has made anyway.
    """

    def __init__(self) -> None:
        self._reads: dict[Key, list[float]] = defaultdict(lambda: [0.0] * 7)
        self._trains: dict[Key, Trains] = {}
        self._states: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
        self.weights: dict[str, dict[str, tuple[float, ...]]] = {}

    def read(self, layer: str, kind: str, array: str, n: int, works: Sequence[ReadWork], nonzero: bool = True) -> None:
        """Note a read of ``n`` vectors; ``works`` are those of the layer's tiles."""
        sums = self._reads[layer, kind, array]
        sums[0] += n
        sums[1] += n * len(works)
        for work in works:
            sums[2] += work.conversions
            sums[3] += work.passes
            sums[4] += work.retries
            sums[5] += float(work.drive.sum()) / work.lines_in
        sums[6] += n * nonzero

    def trains(
        self, layer: str, kind: str, array: int, results: Sequence[UpdateResult], one_hot: str | None = None
    ) -> None:
        """Note an update; ``results`` are those of its tiles. ``one_hot`` says which side drives a single line of each
        tile: ``column``, ``row`` or neither."""
        sums = self._trains.setdefault((layer, kind, f"array{array}"), Trains(len(results[0].by_device)))
        n = len(results[0].slots)
        sums.vectors += n
        sums.slots += int(results[0].slots.sum())
        for result in results:
            rows = 1 if one_hot == "row" else result.row_fires.shape[1]
            cols = 1 if one_hot == "column" else result.col_fires.shape[1]
            sums.rows += n * rows
            sums.cols += n * cols
            sums.cells += n * rows * cols
            for total, part in zip(sums.counts, result.by_device, strict=True):
                total[0] += int(part.row_fires.sum())
                total[1] += int(part.col_fires.sum())
                total[2] += int(part.pulses_up.sum())
                total[3] += int(part.pulses_down.sum())
                total[4] += float(part.sum_w.sum())

    def state(self, layer: str, name: str, result: Any) -> None:
        """Note what the work on a digital state let go of."""
        if isinstance(result, np.ndarray):
            sums = self._states[layer, "written", name]
            sums[0] += 1
            sums[1] += bool(result.any())

    def layers(self) -> dict[str, dict[str, Any]]:
        """Return the means of every layer, as plain data of ``LayerStatistics``."""
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        for (layer, kind, array), sums in self._reads.items():
            entry = {
                "conversions": max(sums[2] / sums[1], 1.0),
                "passes_per_conversion": max(round(sums[3] / max(sums[2], 1.0)), 1),
                "retries": sums[4] / sums[1],
                "drive": sums[5] / sums[1],
                "nonzero": sums[6] / sums[0],
            }
            if kind == "transfer_read":
                found[layer].setdefault(kind, {})[array] = entry
            else:
                found[layer][kind] = entry
        for (layer, kind, array), trains in self._trains.items():
            found[layer].setdefault(kind, {})[array] = trains.means()
        for (layer, kind, name), (n, written) in self._states.items():
            found[layer].setdefault(kind, {})[name] = written / n
        for layer, weights in self.weights.items():
            found[layer]["weight"] = {array: list(values) for array, values in weights.items()}
        return dict(found)


def _plain(values: Any) -> list[float]:
    return [float(value) for value in values]
