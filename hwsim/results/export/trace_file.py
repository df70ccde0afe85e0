"""A file of Perfetto packets: tracks, slices, instants and counters, written block by block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import TracePacket, TrackDescriptor, TrackEvent
from perfetto.trace_builder.proto_builder import TraceProtoBuilder

SEQUENCE = 1
BLOCK_PACKETS = 2048


class Track(NamedTuple):
    """A row of the timeline."""

    uuid: int


class TraceFile:
    """Writes packets of one sequence; names are written once and referred to by number afterwards.

    Times are written as Perfetto's nanoseconds, whatever they count.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._builder = TraceProtoBuilder()
        self._packets = 0
        self._tracks = 0
        self._interned: dict[tuple[str, str], int] = {}
        self._events: dict[tuple[Any, ...], TracePacket] = {}
        first = self._packet()
        first.sequence_flags = TracePacket.SEQ_INCREMENTAL_STATE_CLEARED

    def _packet(self) -> TracePacket:
        if self._packets == BLOCK_PACKETS:
            self._flush()
        self._packets += 1
        packet = self._builder.add_packet()
        packet.trusted_packet_sequence_id = SEQUENCE
        return packet

    def _flush(self) -> None:
        # Serialized traces one after the other are one trace.
        self._file.write(self._builder.serialize())
        self._builder = TraceProtoBuilder()
        self._packets = 0

    def close(self) -> None:
        """Write what is left."""
        self._flush()

    def track(self, name: str, parent: Track | None, rank: int, unit: str | None = None) -> Track:
        """Make a track below ``parent``, in the order of ``rank``; one with a ``unit`` is that of a counter."""
        self._tracks += 1
        descriptor = self._packet().track_descriptor
        descriptor.uuid = self._tracks
        descriptor.name = name
        descriptor.child_ordering = TrackDescriptor.EXPLICIT
        descriptor.sibling_order_rank = rank
        if parent is not None:
            descriptor.parent_uuid = parent.uuid
        if unit is not None:
            descriptor.counter.unit_name = unit
        return Track(self._tracks)

    def slice(
        self,
        track: Track,
        name: str,
        category: str,
        start: int,
        end: int,
        texts: Mapping[str, str],
        numbers: Mapping[str, float],
    ) -> None:
        """Write something that lasts; slices of one track must not overlap and come in order."""
        self._begin(TrackEvent.TYPE_SLICE_BEGIN, track, name, category, start, texts, numbers)
        packet = self._packet()
        packet.timestamp = end
        packet.track_event.type = TrackEvent.TYPE_SLICE_END
        packet.track_event.track_uuid = track.uuid

    def instant(
        self,
        track: Track,
        name: str,
        category: str,
        time: int,
        texts: Mapping[str, str],
        numbers: Mapping[str, float],
    ) -> None:
        """Write something that has no duration."""
        self._begin(TrackEvent.TYPE_INSTANT, track, name, category, time, texts, numbers)

    def counter(self, track: Track, time: int, value: float) -> None:
        """Write the new value of a counter."""
        packet = self._packet()
        packet.timestamp = time
        event = packet.track_event
        event.type = TrackEvent.TYPE_COUNTER
        event.track_uuid = track.uuid
        if isinstance(value, int):
            event.counter_value = value
        else:
            event.double_counter_value = value

    def _begin(
        self,
        kind: TrackEvent.Type.ValueType,
        track: Track,
        name: str,
        category: str,
        time: int,
        texts: Mapping[str, str],
        numbers: Mapping[str, float],
    ) -> None:
        key = (kind, track, name, category, *texts.values())
        known = self._events.get(key)
        if known is None:
            known = self._events[key] = self._event(kind, track, name, category, texts)
        named = [(self._intern("debug_annotation_names", name), value) for name, value in numbers.items()]
        packet = self._packet()
        packet.CopyFrom(known)
        packet.timestamp = time
        annotations = packet.track_event.debug_annotations
        for iid, value in named:
            annotation = annotations.add()
            annotation.name_iid = iid
            if isinstance(value, int):
                annotation.int_value = value
            else:
                annotation.double_value = value

    def _event(
        self, kind: TrackEvent.Type.ValueType, track: Track, name: str, category: str, texts: Mapping[str, str]
    ) -> TracePacket:
        """Make what all events of a kind share."""
        packet = TracePacket()
        packet.trusted_packet_sequence_id = SEQUENCE
        packet.sequence_flags = TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
        event = packet.track_event
        event.type = kind
        event.track_uuid = track.uuid
        event.name_iid = self._intern("event_names", name)
        event.category_iids.append(self._intern("event_categories", category))
        for text_name, text in texts.items():
            if text:
                annotation = event.debug_annotations.add()
                annotation.name_iid = self._intern("debug_annotation_names", text_name)
                annotation.string_value = text
        return packet

    def _intern(self, table: str, name: str) -> int:
        """Return the number of a name in a table of the sequence; a new one is written first."""
        key = (table, name)
        if key not in self._interned:
            self._interned[key] = len(self._interned) + 1
            packet = self._packet()
            packet.sequence_flags = TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
            entry = getattr(packet.interned_data, table).add()
            entry.iid = self._interned[key]
            entry.name = name
        return self._interned[key]
