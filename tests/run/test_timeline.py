"""Timelines: the trace holds every action once, lanes do not overlap, and sums are those of the summary."""

import itertools
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

from hwsim.errors import ResultsError, UsageError


class Timeline(NamedTuple):
    """A trace read back: slices (start, end, name, notes), instants (time, name, notes), levels (time, value)."""

    slices: dict[str, list]
    instants: dict[str, list]
    counters: dict[str, list]

    @property
    def notes(self):
        """The notes of all actions."""
        return [row[-1] for rows in (*self.slices.values(), *self.instants.values()) for row in rows]


def read_trace(file: Path) -> Timeline:
    trace = Trace()
    trace.ParseFromString(file.read_bytes())
    tables, tracks, open_slices = defaultdict(dict), {}, {}
    found = Timeline(defaultdict(list), defaultdict(list), defaultdict(list))
    for packet in trace.packet:
        for field, entries in packet.interned_data.ListFields():
            tables[field.name] |= {entry.iid: entry.name for entry in entries}
        if packet.HasField("track_descriptor"):
            own = packet.track_descriptor
            above = tracks.get(own.parent_uuid, "")
            tracks[own.uuid] = f"{above}/{own.name}" if own.parent_uuid and above else own.name if above else ""
            if own.parent_uuid and not above:
                tracks[own.uuid] = own.name
        if not packet.HasField("track_event"):
            continue
        event = packet.track_event
        track, time = tracks[event.track_uuid], packet.timestamp
        name = tables["event_names"].get(event.name_iid)
        notes = {
            tables["debug_annotation_names"][note.name_iid]: getattr(note, note.WhichOneof("value"))
            for note in event.debug_annotations
        }
        if event.type == TrackEvent.TYPE_SLICE_BEGIN:
            assert track not in open_slices, "a lane holds one slice at a time"
            open_slices[track] = (time, name, notes)
        elif event.type == TrackEvent.TYPE_SLICE_END:
            start, name, notes = open_slices.pop(track)
            found.slices[track].append((start, time, name, notes))
        elif event.type == TrackEvent.TYPE_INSTANT:
            found.instants[track].append((time, name, notes))
        else:
            found.counters[track].append((time, event.double_counter_value or event.counter_value))
    assert not open_slices
    return found


def check_lanes(timeline: Timeline) -> None:
    for track, slices in timeline.slices.items():
        for before, after in itertools.pairwise(slices):
            assert before[0] < before[1] <= after[0], track


def area(levels: list) -> float:
    """Return the integral of a counter over time, in unit times picosecond."""
    return sum(value * (until - time) for (time, value), (until, _) in itertools.pairwise(levels))


@pytest.mark.parametrize("schedule", ["sequential", "pipelined"])
def test_slices_and_power_add_up_to_the_summary(run, npz, tmp_path, schedule) -> None:
    ran = run(str(npz), steps=4, set={"chip.schedule.kind": schedule})
    timeline = read_trace(ran.export("perfetto", tmp_path / "trace"))
    check_lanes(timeline)
    energy = sum(notes.get("energy_J", 0.0) for notes in timeline.notes)
    assert energy == pytest.approx(ran.summary["energy_J"], rel=1e-9)
    assert area(timeline.counters["power/power chip"]) * 1e-12 == pytest.approx(ran.summary["energy_J"], rel=1e-9)
    by_part = defaultdict(float)
    for component, value in ran.summary["energy_by_component"].items():
        by_part[component.partition(".")[0]] += value
    for part, value in by_part.items():
        assert area(timeline.counters[f"power/power {part}"]) * 1e-12 == pytest.approx(value, rel=1e-9), part


def test_every_component_is_busy_as_in_the_log(run, npz, tmp_path) -> None:
    ran = run(str(npz), steps=4, set={"chip.schedule.kind": "pipelined"})
    timeline = read_trace(ran.export("perfetto", tmp_path / "trace"))
    busy, n_actions = defaultdict(int), 0
    for track, slices in timeline.slices.items():
        if not track.startswith("operations"):
            component = track.partition(" (lane")[0].replace("/", ".")
            busy[component] += sum(end - start for start, end, *_ in slices)
            n_actions += len(slices)
    events = ran.events("phase <> 'static'")
    assert dict(busy) == {name: total for name, total in events.groupby("component").dur_ps.sum().items() if total}
    assert n_actions == (events.dur_ps > 0).sum()
    names = {name for track, rows in timeline.slices.items() for *_, name, _ in rows if track.endswith("/adc")}
    assert names == {"forward hidden: convert", "backward output: convert", "forward output: convert",
                     "transfer_read hidden: convert", "transfer_read output: convert"}  # fmt: skip


def test_operations_follow_each_other_from_start_to_end(run, npz, tmp_path) -> None:
    ran = run(str(npz), steps=4)
    operations = read_trace(ran.export("perfetto", tmp_path / "trace")).slices["operations"]
    issues = ran.events("component = 'controller' and action = 'issue'")
    assert len(operations) == len(issues)
    assert [f"{row.operation} {row.layer}".rstrip() for row in issues.itertuples()] == [row[2] for row in operations]
    assert [row[3]["step"] for row in operations] == list(issues.step)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(operations))
    assert operations[-1][1] == round(ran.summary["latency_s"] * 1e12)


def test_fill_and_queues_are_those_of_the_statistics(run, npz, tmp_path) -> None:
    ran = run(str(npz), steps=6, set={"chip.schedule.kind": "pipelined"})
    counters = read_trace(ran.export("perfetto", tmp_path / "trace")).counters
    stats = dict(zip(ran.stats.path, ran.stats.value, strict=True))
    end = round(ran.summary["latency_s"] * 1e12)
    fill = [*counters["fill/fill buffer"], (end, 0)]
    assert max(value for _, value in fill) == stats["buffer.peak_occupancy"]
    assert area(fill) / end == pytest.approx(stats["buffer.mean_occupancy"], rel=1e-9)
    queue = [*counters["queue length/queue length buffer"], (end, 0)]
    assert max(value for _, value in queue) == stats["buffer.longest_queue"]
    assert area(queue) / end == pytest.approx(stats["buffer.mean_queue"], rel=1e-9)


def test_a_window_holds_what_reaches_into_it(run, npz, tmp_path) -> None:
    ran = run(str(npz), steps=4)
    events = ran.events("dur_ps > 0")
    start, end = int(events.t_ps.quantile(0.4)), int(events.t_ps.quantile(0.6))
    timeline = read_trace(ran.export("perfetto", tmp_path / "trace", window=f"{start}ps:{end}ps"))
    check_lanes(timeline)
    slices = [row for track, rows in timeline.slices.items() if not track.startswith("operations") for row in rows]
    inside = events[(events.t_ps < end) & (events.t_ps + events.dur_ps > start)]
    assert sorted(row[0] for row in slices) == sorted(inside.t_ps)
    operations = timeline.slices["operations"]
    assert operations[0][0] == start
    assert operations[-1][1] == end


def test_activity_fidelity_has_a_timeline(run, tmp_path) -> None:
    ran = run(steps=2, fidelity="activity")
    timeline = read_trace(ran.export("perfetto", tmp_path / "trace"))
    check_lanes(timeline)
    assert sum(note.get("energy_J", 0.0) for note in timeline.notes) == pytest.approx(ran.summary["energy_J"], rel=1e-9)


def test_bad_exports_write_nothing(run, npz, tmp_path) -> None:
    ran = run(str(npz), steps=1)
    with pytest.raises(UsageError, match="no export format is called 'perfeto'; did you mean 'perfetto'"):
        ran.export("perfeto")
    for window, message in {
        "5us": "expected FROM:TO", "5:6": "unit s", "6us:5us": "ends before it starts", "-1us:": "negative"
    }.items():  # fmt: skip
        with pytest.raises(UsageError, match=message):
            ran.export("csv", tmp_path / "new", window=window)
    with pytest.raises(UsageError, match="only csv writes one table"):
        ran.export("perfetto", tmp_path / "new", table="events")
    with pytest.raises(UsageError, match="no log is called 'event'; did you mean 'events'"):
        ran.export("csv", tmp_path / "new", table="event")
    with pytest.raises(ResultsError, match="kept no pulses"):
        ran.export("csv", tmp_path / "new", table="pulses")
    with pytest.raises(ResultsError, match="kept no events"):
        run(str(npz), steps=1, log="none").export("perfetto", tmp_path / "new")
    (tmp_path / "there").write_text("kept")
    with pytest.raises(UsageError, match="exists already"):
        ran.export("csv", tmp_path / "there")
    with pytest.raises(ResultsError, match="cannot write"):
        ran.export("csv", tmp_path / "no" / "folder")
    log = ran.path / "gauges.parquet"
    log.write_bytes(log.read_bytes()[:-40])
    with pytest.raises(ResultsError, match="damaged"):
        ran.export("perfetto", tmp_path / "new")
    assert (tmp_path / "there").read_text() == "kept"
    assert not list(tmp_path.glob("*new*"))


def test_csv_is_the_log(run, npz, tmp_path) -> None:
    import pandas as pd

    ran = run(str(npz), steps=2)
    progress = []
    file = ran.export("csv", tmp_path / "log.csv", progress=lambda *rows: progress.append(rows))
    written = pd.read_csv(file, keep_default_na=False)
    assert list(written.columns) == list(ran.events().columns)
    assert (written.astype(str) == ran.events().astype(str)).all().all()
    assert progress[-1] == (len(written), len(written))
    later = pd.read_csv(ran.export("csv", tmp_path / "later.csv", window="1us:"), keep_default_na=False)
    assert list(later.t_ps) == [time for time in written.t_ps if time >= 1_000_000]
