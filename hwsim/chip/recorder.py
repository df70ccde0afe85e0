"""Records the activity of a run: what its data asked of the hardware, in the numbers that can stand for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from hwsim.chip.read_path import ReadWork
from hwsim.devices import UpdateResult

Key = tuple[str, str, str]
"""Layer, kind of operation, and array (or the name of a state, or nothing)."""
FIRST_SPAN, SPAN_GROWTH = 10, 2
"""Operations of the first span, and how much longer each next one is."""


class Reads:
    """Sums over reads: vectors, vectors times tiles, and of all tiles conversions, passes, retries and drive.

    Conversions and passes are those of one slice, where a converter codes its input in several.
    """

    def __init__(self) -> None:
        self.vectors = self.on_tiles = self.conversions = self.passes = self.retries = self.nonzero = 0
        self.heat = self.charges = 0.0

    def means(self) -> dict[str, Any]:
        """Return the means for one vector, as plain data of ``ReadStatistics``."""
        return {
            "conversions": max(self.conversions / self.on_tiles, 1.0),
            "passes_per_conversion": max(round(self.passes / max(self.conversions, 1)), 1),
            "retries": self.retries / self.on_tiles,
            "heat": self.heat / self.on_tiles,
            "charges": self.charges / self.on_tiles,
            "nonzero": self.nonzero / self.vectors,
        }


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


class States:
    """How often work on a digital state was done, and how often it let go of anything."""

    def __init__(self) -> None:
        self.works = self.written = 0

    def means(self) -> dict[str, Any]:
        """Return the share, as plain data of ``StateStatistics``."""
        return {"written": self.written / self.works}


Sums = TypeVar("Sums", Reads, Trains, States)


class Course(Generic[Sums]):
    """Sums over the operations of one kind, in spans: training changes fast at first and slowly later."""

    def __init__(self, make: Callable[[], Sums]) -> None:
        self._make: Callable[[], Sums] = make
        self._left = FIRST_SPAN
        self.spans: list[Sums] = [make()]
        self.lengths = [FIRST_SPAN]

    def next(self) -> Sums:
        """Return the sums that the next operation belongs to."""
        if not self._left:
            self._left = self.lengths[-1] * SPAN_GROWTH
            self.lengths.append(self._left)
            self.spans.append(self._make())
        self._left -= 1
        return self.spans[-1]

    def in_turn(self, n: int) -> Iterator[tuple[Sums, slice]]:
        """Return the sums that the next ``n`` operations belong to, each with its part of them."""
        first = 0
        while first < n:
            sums = self.next()
            more = min(n - first - 1, self._left)
            self._left -= more
            yield sums, slice(first, first + more + 1)
            first += more + 1

    def checkpoint(self) -> dict[str, Any]:
        """Return the sums of every span, and where the last one ends."""
        spans = [dict(vars(span)) for span in self.spans]
        return {"sums": type(self.spans[0]).__name__, "spans": spans, "lengths": self.lengths, "left": self._left}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Course[Any]:
        """Make the course of which this is the ``checkpoint()``."""
        devices = len(state["spans"][0].get("counts", ()))
        makes: dict[str, Callable[[], Any]] = {"Reads": Reads, "Trains": lambda: Trains(devices), "States": States}
        make = makes[state["sums"]]
        course = Course(make)
        course._left, course.lengths, course.spans = state["left"], list(state["lengths"]), []
        for values in state["spans"]:
            course.spans.append(make())
            vars(course.spans[-1]).update({name: values[name] for name in vars(course.spans[-1])})
        return course

    def means(self) -> list[dict[str, Any]]:
        """Return the means of every span, with the operations that all but the last one hold for."""
        found = [{"operations": n, **span.means()} for n, span in zip(self.lengths, self.spans, strict=True)]
        del found[-1]["operations"]
        return found


class Recorder:
    """Sums over all operations of each layer and kind; :meth:`layers` gives their means.

    It looks only at counts that the hardware model has made anyway.
    """

    def __init__(self) -> None:
        self._courses: dict[Key, Course[Any]] = {}
        self.weights: dict[str, dict[str, tuple[float, ...]]] = {}

    def _next(self, key: Key, make: Callable[[], Any]) -> Any:
        return self._course(key, make).next()

    def _in_turn(self, key: Key, make: Callable[[], Any], n: int) -> Iterator[tuple[Any, slice]]:
        return self._course(key, make).in_turn(n) if n else iter(())

    def _course(self, key: Key, make: Callable[[], Any]) -> Course[Any]:
        course = self._courses.get(key)
        if course is None:
            course = self._courses[key] = Course(make)
        return course

    def read(
        self,
        layer: str,
        kind: str,
        array: str,
        n: int,
        works: Sequence[ReadWork],
        nonzero: bool = True,
        tiles: int | None = None,
    ) -> None:
        """Note a read of ``n`` vectors; ``works`` are those of the layer's tiles.

        Each vector goes to ``tiles`` of them, by default to all.
        """
        sums = self._next((layer, kind, array), Reads)
        sums.vectors += n
        sums.on_tiles += n * (len(works) if tiles is None else tiles)
        for work in works:
            heat, charges = work.drive
            heated = float(np.add.reduce(heat))
            charged = heated if charges is heat else float(np.add.reduce(charges))
            sums.conversions += work.turns
            sums.passes += work.turns * work.shape.passes
            sums.retries += work.retries
            sums.heat += heated / work.shape.lines_in
            sums.charges += charged / work.shape.lines_in
        sums.nonzero += n * nonzero

    def trains(
        self, layer: str, kind: str, array: int, results: Sequence[UpdateResult], one_hot: str | None = None
    ) -> None:
        """Note an update; ``results`` are those of its tiles. ``one_hot`` says which side drives a single line of each
        tile: ``column``, ``row`` or neither."""
        sums = self._next((layer, kind, f"array{array}"), lambda: Trains(len(results[0].by_device)))
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
                pulses = part.totals
                total[0] += pulses.row_fires
                total[1] += pulses.col_fires
                total[2] += pulses.up
                total[3] += pulses.down
                total[4] += pulses.weight

    def line_reads(self, layer: str, array: str, works: Sequence[ReadWork], nonzero: np.ndarray) -> None:
        """Note reads of single lines of one tile in turn; ``nonzero`` (n,) are those that gave anything."""
        heat = np.array([float(work.drive.heat[0]) for work in works])
        charges = np.array([float(work.drive.charges[0]) for work in works])
        for sums, part in self._in_turn((layer, "transfer_read", array), Reads, len(works)):
            own = works[part]
            sums.vectors += len(own)
            sums.on_tiles += len(own)
            sums.conversions += sum(work.turns for work in own)
            sums.passes += sum(work.turns * work.shape.passes for work in own)
            sums.retries += sum(work.retries for work in own)
            sums.heat += float(heat[part].sum())
            sums.charges += float(charges[part].sum())
            sums.nonzero += int(nonzero[part].sum())

    def trains_in_turn(
        self, key: Key, vectors: np.ndarray, slots: np.ndarray, lines: tuple[int, int], counts: np.ndarray
    ) -> None:
        """Note updates on one tile with one device a cell, one after the other.

        ``vectors`` and ``slots`` are those of each, (n,), ``lines`` the rows and columns that take part, ``counts``
        (5, n) pulses on rows and columns, up and down pulses and weights before them.
        """
        rows, cols = lines
        for sums, part in self._in_turn(key, lambda: Trains(1), len(vectors)):
            n = int(vectors[part].sum())
            sums.vectors += n
            sums.slots += int(slots[part].sum())
            sums.rows += n * rows
            sums.cols += n * cols
            sums.cells += n * rows * cols
            found = counts[:, part].sum(axis=1).tolist()
            sums.counts[0] = [a + int(b) for a, b in zip(sums.counts[0][:4], found[:4], strict=True)] + [
                sums.counts[0][4] + found[4]
            ]

    def states(self, layer: str, name: str, written: np.ndarray) -> None:
        """Note work on a digital state, done once for each of ``written`` (n,): whether it let go of anything."""
        for sums, part in self._in_turn((layer, "state", name), States, len(written)):
            sums.works += part.stop - part.start
            sums.written += int(written[part].sum())

    def state(self, layer: str, name: str, result: Any) -> None:
        """Note what the work on a digital state let go of."""
        sums = self._next((layer, "state", name), States)
        sums.works += 1
        sums.written += bool(np.any(result))

    def checkpoint(self) -> dict[str, Any]:
        """Return every sum."""
        return {"courses": [[*key, course.checkpoint()] for key, course in self._courses.items()]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``checkpoint()`` returned."""
        self._courses = {(layer, kind, name): Course.of(course) for layer, kind, name, course in state["courses"]}

    def layers(self) -> dict[str, dict[str, Any]]:
        """Return the means of every layer, as plain data of ``LayerStatistics``."""
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        for (layer, kind, name), course in self._courses.items():
            if name:
                found[layer].setdefault(kind, {})[name] = course.means()
            else:
                found[layer][kind] = course.means()
        for layer, weights in self.weights.items():
            found[layer]["weight"] = {array: list(values) for array, values in weights.items()}
        return dict(found)


def _plain(values: Any) -> list[float]:
    return [float(value) for value in values]
