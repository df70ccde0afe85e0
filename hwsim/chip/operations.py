"""The operations of a program: what the controller can be asked to do, each with its numbers and its time.

``run`` does the numbers alone; ``time`` does the same numbers while it occupies the hardware. An operation reads an
array as it stands when the operation starts, and changes it when it ends.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwsim.chip.analog_matrix import Act, AnalogMatrix
from hwsim.chip.digital_matrix import DigitalMatrix
from hwsim.chip.matrix_ways import Axis
from hwsim.chip.platform import Platform
from hwsim.chip.read_path import ReadWork
from hwsim.devices import UpdateParameters, UpdateResult
from hwsim.engine.ledger import Origin
from hwsim.engine.station import Stream
from hwsim.engine.way import Way

Matrix = AnalogMatrix | DigitalMatrix
Steps = Generator[Any, Any, Any]


class Operation:
    """One operation; ``kind`` and ``phase`` name it in the ledger, ``layer`` is the layer it belongs to."""

    kind: ClassVar[str]
    phase: str
    layer: str

    @abstractmethod
    def run(self, chip: Platform) -> Any:
        """Do the numbers and return the result."""

    @abstractmethod
    def time(self, chip: Platform, origin: Origin) -> Steps:
        """Do the numbers and occupy the hardware; returns the result."""

    @property
    def is_playable(self) -> bool:
        """Whether :meth:`play` can take the place of :meth:`time` while no other program is under way; most cannot."""
        return False

    def play(self, chip: Platform, act: Act) -> Any:  # noqa: ARG002
        """Do what :meth:`time` does, controller and origin included, without a process."""
        raise TypeError(f"{type(self).__name__} is not played")


@dataclass
class Forward(Operation):
    """``y = W x`` for a stream of (n, cols) vectors; the result is (n, rows)."""

    matrix: Matrix
    x: np.ndarray

    kind: ClassVar[str] = "forward"
    phase = "forward"
    transposed: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.layer = self.matrix.name

    def _count(self, chip: Platform, works: Any) -> None:
        chip.count(self.kind, len(self.x))
        if isinstance(self.matrix, AnalogMatrix):
            chip.count("adc_conversions", sum([work.conversions * work.shape.lines_out for work in works]))
            chip.count("bound_management_retries", sum([work.retries for work in works]))
            chip.recorder.read(self.layer, self.kind, "", len(self.x), works, tiles=self.matrix.tiles_of_a_vector)

    def run(self, chip: Platform) -> np.ndarray:
        """Return the products."""
        y, works = self.matrix.read(self.x, transposed=self.transposed, purpose=self.kind)
        self._count(chip, works)
        return y

    def time(self, chip: Platform, origin: Origin) -> Steps:
        """Return the products when the last one is in the buffer."""
        y, works = yield from self.matrix.time_read(origin, self.x, transposed=self.transposed, purpose=self.kind)
        self._count(chip, works)
        return y

    @property
    def is_playable(self) -> bool:
        """Whether the matrix is."""
        return self.matrix.is_playable

    def play(self, chip: Platform, act: Act) -> np.ndarray:
        """Return the products when the last one is in the buffer."""
        y, works = self.matrix.play_read(act, self.x, transposed=self.transposed, purpose=self.kind)  # type: ignore[union-attr]
        self._count(chip, works)
        return y


@dataclass
class Backward(Forward):
    """``W^T d`` for a stream of (n, rows) vectors; the result is (n, cols)."""

    kind: ClassVar[str] = "backward"
    phase = "backward"
    transposed: ClassVar[bool] = True


@dataclass
class Update(Operation):
    """A stream of pulsed rank-1 updates ``w -= lr d x^T`` of one array, in order: x is (n, cols), d is (n, rows).

    ``lr`` is one number, or (n,) with one for each vector.
    """

    matrix: AnalogMatrix
    array: int
    x: np.ndarray
    d: np.ndarray
    lr: float | np.ndarray
    parameters: UpdateParameters

    kind: ClassVar[str] = "update"
    phase = "update"

    def __post_init__(self) -> None:
        self.layer = self.matrix.name
        self._pieces = self.matrix.pieces

    def _finish(self, chip: Platform, results: list[UpdateResult]) -> None:
        chip.count(self.kind, len(self.x))
        totals = [result.totals for result in results]
        up, down = sum([pulses.up for pulses in totals]), sum([pulses.down for pulses in totals])
        chip.count("pulses_up", up)
        chip.count("pulses_down", down)
        chip.count("coincidences", up + down)
        chip.recorder.trains(self.layer, self.kind, self.array, results)

    def run(self, chip: Platform) -> None:
        """Pulse the array."""
        plan = self.matrix.plan(self.array, self.x, self.d, self.lr, self.parameters)
        self._finish(chip, self.matrix.apply(self.array, self.x, self.d, plan, self._pieces))

    def time(self, chip: Platform, origin: Origin) -> Steps:
        """Pulse the array when the trains have ended."""
        plan = self.matrix.plan(self.array, self.x, self.d, self.lr, self.parameters)
        results = yield from self.matrix.time_update(
            origin, self.array, self.x, self.d, plan, self._pieces, ("row", "column")
        )
        self._finish(chip, results)

    @property
    def is_playable(self) -> bool:
        """Whether the matrix is."""
        return self.matrix.is_playable

    def play(self, chip: Platform, act: Act) -> None:
        """Pulse the array when the trains have ended."""
        plan = self.matrix.plan(self.array, self.x, self.d, self.lr, self.parameters)
        self._finish(chip, self.matrix.play_update(act, self.array, self.x, self.d, plan, ("row", "column")))


@dataclass
class TransferWrite(Operation):
    """Pulses on one column (or row) of an array: an update with a one-hot vector and ``values`` on the other side."""

    matrix: AnalogMatrix
    array: int
    line: int
    axis: Axis
    values: np.ndarray
    lr: float
    parameters: UpdateParameters

    kind: ClassVar[str] = "transfer_write"
    phase = "transfer"

    def __post_init__(self) -> None:
        self.layer = self.matrix.name

    def _vectors(self) -> tuple[np.ndarray, np.ndarray, list[Any]]:
        rows, cols = self.matrix.shape
        one_hot = np.zeros((1, cols if self.axis == "column" else rows), dtype=np.float32)
        one_hot[0, self.line] = 1.0
        values = np.asarray(self.values, dtype=np.float32)[None, :]
        x, d = (one_hot, values) if self.axis == "column" else (values, one_hot)
        return x, d, [piece for piece, _ in self.matrix.along(self.axis, self.line)]

    def _finish(self, chip: Platform, results: list[UpdateResult]) -> None:
        chip.count(self.kind, 1)
        chip.count("transfer_pulses", sum([result.totals.up + result.totals.down for result in results]))
        chip.recorder.trains(self.layer, self.kind, self.array, results, self.axis)

    def run(self, chip: Platform) -> None:
        """Pulse the line; a vector of zeros takes no pulse and no time."""
        if self.values.any():
            x, d, pieces = self._vectors()
            plan = self.matrix.plan(self.array, x, d, self.lr, self.parameters)
            self._finish(chip, self.matrix.apply(self.array, x, d, plan, pieces))

    def time(self, chip: Platform, origin: Origin) -> Steps:
        """Pulse the line when the train has ended."""
        if self.values.any():
            x, d, pieces = self._vectors()
            plan = self.matrix.plan(self.array, x, d, self.lr, self.parameters)
            results = yield from self.matrix.time_update(origin, self.array, x, d, plan, pieces, self._driven)
            self._finish(chip, results)

    @property
    def _driven(self) -> tuple[Axis]:
        return ("row" if self.axis == "column" else "column",)

    @property
    def is_playable(self) -> bool:
        """Whether the matrix is, and there is anything to write."""
        return self.matrix.is_playable and bool(np.logical_or.reduce(self.values))

    def play(self, chip: Platform, act: Act) -> None:
        """Pulse the line when the train has ended."""
        x, d, _ = self._vectors()
        plan = self.matrix.plan(self.array, x, d, self.lr, self.parameters)
        self._finish(chip, self.matrix.play_update(act, self.array, x, d, plan, self._driven))


@dataclass
class TransferRead(Operation):
    """A one-hot read of one column (or row) of an array through the transfer converters."""

    matrix: AnalogMatrix
    array: int
    line: int
    axis: Axis

    kind: ClassVar[str] = "transfer_read"
    phase = "transfer"

    def __post_init__(self) -> None:
        self.layer = self.matrix.name

    def _count(self, chip: Platform, values: np.ndarray, works: list[ReadWork]) -> None:
        chip.count(self.kind, 1)
        chip.count("adc_conversions", sum([work.conversions * work.shape.lines_out for work in works]))
        chip.recorder.read(self.layer, self.kind, f"array{self.array}", 1, works, bool(values.any()))

    def run(self, chip: Platform) -> np.ndarray:
        """Return the line as it was read."""
        values, works = self.matrix.read_line(self.array, self.line, self.axis)
        self._count(chip, values, works)
        return values

    def time(self, chip: Platform, origin: Origin) -> Steps:
        """Return the line when it is in the buffer."""
        values, works = yield from self.matrix.time_read_line(origin, self.array, self.line, self.axis)
        self._count(chip, values, works)
        return values

    @property
    def is_playable(self) -> bool:
        """Whether the matrix is."""
        return self.matrix.is_playable

    def play(self, chip: Platform, act: Act) -> np.ndarray:
        """Return the line when it is in the buffer."""
        values, works = self.matrix.play_read_line(act, self.array, self.line, self.axis)
        self._count(chip, values, works)
        return values


@dataclass
class DigitalUpdate(Operation):
    """``W -= lr g`` of a digital matrix with ``g = d^T x + noise``; with ``tau`` also ``W -= (lr / tau) |g| W``."""

    matrix: DigitalMatrix
    x: np.ndarray
    d: np.ndarray
    lr: float
    noise: np.ndarray | None = None
    tau: float = float("inf")

    kind: ClassVar[str] = "update"
    phase = "update"

    def __post_init__(self) -> None:
        self.layer = self.matrix.name

    def run(self, chip: Platform) -> None:
        """Change the weights."""
        chip.count(self.kind, len(self.x))
        self.matrix.apply_gradient(self.x, self.d, self.lr, self.noise, self.tau)

    def time(self, chip: Platform, origin: Origin) -> Steps:
        """Change the weights when they are written."""
        yield from self.matrix.time_update(origin, len(self.x))
        self.run(chip)


@dataclass
class Digital(Operation):
    """Work of the digital unit on a stream of ``n`` vectors.

    ``operations`` counts its operations for one vector; ``words_in`` and ``words_out`` are read from and written to the
    buffer for each; ``state_read`` and ``state_written`` are the bits of further accesses, to state that stays there.
    """

    name: str
    layer: str
    n: int
    operations: Mapping[str, int]
    compute: Callable[[], Any]
    words_in: int = 0
    words_out: int = 0
    state_read: tuple[int, ...] = ()
    state_written: tuple[int, ...] = ()
    phase: str = "digital"

    kind: ClassVar[str] = "digital"

    def run(self, chip: Platform) -> Any:
        """Return what ``compute`` does."""
        self.count(chip)
        return self.compute()

    def count(self, chip: Platform, times: int = 1) -> None:
        """Count the work, done so many times."""
        n = self.n * times
        chip.count("digital_operations", n * sum(self.operations.values()))
        if self.state_read or self.state_written:
            chip.count("state_bits_read", n * sum(self.state_read))
            chip.count("state_bits_written", n * sum(self.state_written))

    def time(self, chip: Platform, origin: Origin) -> Steps:
        """Return what ``compute`` does, when the last result is written."""
        found = chip.set_out(origin, chip.stream(self.n), self.way(chip))
        stream = found if isinstance(found, Stream) else (yield from found)
        yield from chip.wait_until(stream.last)
        return self.run(chip)

    is_playable = True

    def play(self, chip: Platform, act: Act) -> Any:
        """Return what ``compute`` does, when the last result is written."""
        player, kind, step, sample = act
        player.journey(kind, step, sample, self.n, self.way(chip))
        return self.run(chip)

    def way(self, chip: Platform) -> Way:
        """Return the way of its vectors through memory, interconnect and digital unit."""
        asked = (
            self.words_in, self.words_out, self.state_read, self.state_written, tuple(self.operations.items())
        )  # fmt: skip
        way = chip.digital_ways.get(asked)
        if way is None:
            way = chip.digital_ways[asked] = self._way(chip)
        return way

    def _way(self, chip: Platform) -> Way:
        bits = chip.spec.word_bits
        way = chip.loading(-(-self.words_in * bits // 8)) if self.words_in else ()
        for n_bits in self.state_read:
            way += chip.loading_state(-(-n_bits // 8))
        if any(self.operations.values()):
            way += (chip.digital.leg(self.operations),)
        for n_bits in self.state_written:
            way += chip.storing_state(-(-n_bits // 8))
        if self.words_out:
            way += chip.storing(-(-self.words_out * bits // 8))
        return way


@dataclass
class Move(Operation):
    """A stream of ``n`` vectors of ``words`` words that comes in and is written to the buffer.

    It takes the off-chip link, if the chip has one, and the interconnect.
    """

    n: int
    words: int

    kind: ClassVar[str] = "move"
    phase = "load"
    layer = ""

    def run(self, chip: Platform) -> None:
        """Count the bytes."""
        chip.count("bytes_loaded", -(-self.n * self.words * chip.spec.word_bits // 8))

    def time(self, chip: Platform, origin: Origin) -> Steps:
        """Occupy link, interconnect and buffer."""
        n_bytes = -(-self.words * chip.spec.word_bits // 8)
        way: Way = (*chip.interconnect.way(n_bytes, "off_chip_link", "buffer"), chip.buffer.leg("write", n_bytes))
        if chip.off_chip_link is not None:
            way = (chip.off_chip_link.leg(n_bytes), *way)
        stream = yield from chip.travel(origin, chip.stream(self.n), way)
        yield from chip.wait_until(stream.last)
        self.run(chip)
