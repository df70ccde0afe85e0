"""Description of activity statistics: densities and magnitudes that stand for data where no device is kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hwsim.spec.base import Spec

ANY = "any"
"""Stands for every array, or every state, that has no entry of its own."""


class Span(Spec):
    """Means over some operations of one kind, one after the other in a training run."""

    operations: int | None = Field(None, ge=1)
    """How many operations they hold for; None: all that follow."""


class ReadStatistics(Span):
    """What one vector asks of a tile that reads it."""

    conversions: float = Field(ge=1)
    """Conversions of each output; those that bound management repeats are counted. Where inputs are coded in slices
    each of them takes a conversion for every slice."""
    passes_per_conversion: int = Field(1, ge=1)
    """Reads of the array for a conversion: 2 where both polarities are collected."""
    retries: float = Field(0.0, ge=0)
    """Attempts that bound management repeats."""
    heat: float = Field(ge=0)
    """Squared voltage times time on a driven line, summed over all passes, in units of the full voltage squared and of
    one integration; with level-coded inputs the square of the input as a part of full scale."""
    charges: float = Field(0.0, ge=0)
    """Squared voltage to which a driven line is charged, summed over all passes, in units of the full voltage
    squared."""
    nonzero: float = Field(1.0, ge=0, le=1)
    """Share of the reads of a line (transfers) that give anything but zeros."""


class TrainStatistics(Span):
    """What one vector's pulse trains do."""

    slots: float = Field(ge=0)
    """Slots that the trains take, all passes."""
    row_fires: tuple[float, ...] = Field(min_length=1)
    """Pulses on a row that is part of the update, as a mean over those rows; a number for each device of the unit
    cell (or one for all of them), as for all below."""
    col_fires: tuple[float, ...] = Field(min_length=1)
    """Pulses on a column that is part of the update."""
    pulses_up: tuple[float, ...] = Field(min_length=1)
    """Up pulses of a cell on these lines."""
    pulses_down: tuple[float, ...] = Field(min_length=1)
    """Down pulses of such a cell."""
    weight: tuple[float, ...] = Field(min_length=1)
    """Mean weight of a device before its pulse."""


class StateStatistics(Span):
    """What work on a digital state lets go of."""

    written: float = Field(ge=0, le=1)
    """Share of the works that let go of anything to be written."""


def _spans(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Check that every span but the last says how many operations it holds for."""
    for span in spans[:-1]:
        if span.operations is None:
            raise ValueError("only the last span may hold for all operations that follow; give the others operations")
    return spans


Reads = Annotated[tuple[ReadStatistics, ...], AfterValidator(_spans)]
Trains = Annotated[tuple[TrainStatistics, ...], Field(min_length=1), AfterValidator(_spans)]
States = Annotated[tuple[StateStatistics, ...], Field(min_length=1), AfterValidator(_spans)]


class LayerStatistics(Spec):
    """The statistics of one layer, each in spans of the training run; after the last span it goes on as in that one.

    Arrays are named ``array0``, ``array1``, ... or ``any``.
    """

    forward: Reads = ()
    backward: Reads = ()
    """Empty where the layer sends no errors down (the first one)."""
    transfer_read: dict[str, Annotated[Reads, Field(min_length=1)]] = Field(default_factory=dict)
    update: dict[str, Trains] = Field(default_factory=dict)
    transfer_write: dict[str, Trains] = Field(default_factory=dict)
    state: dict[str, States] = Field(default_factory=dict)
    """By the name of the work on a digital state, such as ``hidden buffer``."""
    weight: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    """Mean weight of an array, a number for each device of the unit cell."""


class ActivitySpec(Spec):
    """Activity statistics of a training run, layer by layer."""

    kind: Literal["statistics"] = "statistics"
    name: str = Field(min_length=1)
    description: str = Field(min_length=1)
    source: str = Field(min_length=1)
    """The run that recorded them, or the assumption that they are."""
    trace: str | None = None
    """The trace that recorded them; None: of no trace in particular."""
    algorithm: str | None = None
    """The algorithm they hold for; None: any."""
    samples: int | None = Field(None, ge=1)
    """Training samples of an epoch."""
    layers: dict[str, LayerStatistics] = Field(default_factory=dict)
    """By the name of the layer."""
    default: LayerStatistics | None = None
    """Of every layer that has none of its own."""

    def layer(self, name: str) -> LayerStatistics | None:
        """Return the statistics of a layer; None if there are none for it."""
        return self.layers.get(name, self.default)
