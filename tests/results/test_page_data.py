"""The numbers inside a page, against the files they come from."""

import base64
import json
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.errors import ResultsError, UsageError
from hwsim.results import device_maps, histories, lanes, stalls
from hwsim.results.compare import differences, to_accuracy
from hwsim.results.embed import json_block, packed
from hwsim.results.report_page import report_page
from hwsim.results.stalls import memories, n_queues, queues, stations


def unpacked(block):
    """What the page's script makes of a packed array."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(block["data"])), np.uint8)
    size = np.dtype(block["type"]).itemsize
    return np.ascontiguousarray(planes.reshape(size, block["n"]).T).view("<" + block["type"]).ravel()


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i1", "i4", "f4", "f8"])
def test_packing_loses_no_bit(dtype):
    values = np.random.default_rng(0).integers(0, 255, (7, 5)).astype(dtype)
    np.testing.assert_array_equal(unpacked(packed(values)), values.ravel())
    assert unpacked(packed(values[:0])).size == 0


@given(st.text())
def test_no_text_ends_a_data_block(text):
    block = str(json_block("x", {"name": text}))
    inside = block.removeprefix('<script type="application/json" id="data-x">').removesuffix("</script>")
    assert "<" not in inside
    assert json.loads(inside) == {"name": text}


def test_maps_have_every_device_in_full(make_run):
    run = make_run()
    maps = device_maps.device_maps(run)
    devices = pq.read_table(run.path / "devices.parquet").to_pandas()
    assert [(each["tile"], each["array"]) for each in maps["arrays"]] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for each in maps["arrays"]:
        part = devices[(devices.tile == each["tile"]) & (devices.array == each["array"])]
        np.testing.assert_array_equal(unpacked(each["grids"]["end"]), part.w_end)
        np.testing.assert_array_equal(unpacked(each["grids"]["up"]), part.pulses_up)
        assert (each["at_low"], each["at_high"]) == (0, 1)
        assert unpacked(each["grids"]["position"])[0] == 254


def test_large_runs_have_levels_and_name_the_tiles_left_out(make_run, monkeypatch):
    run = make_run()
    monkeypatch.setattr(device_maps, "MOST_EXACT", 10)
    monkeypatch.setattr(device_maps, "MOST_DEVICES", 20)
    maps = device_maps.device_maps(run)
    assert maps["left_out"] == [1]
    devices = pq.read_table(run.path / "devices.parquet").to_pandas()
    low, step = maps["arrays"][0]["scale"]
    weights = low + step * unpacked(maps["arrays"][0]["grids"]["end"]).astype(float)
    np.testing.assert_allclose(weights, devices.w_end[:6], atol=0.51 * step)
    assert step < 2 * 0.6 / 60000
    assert (low / step) == pytest.approx(round(low / step))  # so weight 0 is a level
    assert [each["tile"] for each in device_maps.device_maps(run, [1])["arrays"]] == [1, 1]
    with pytest.raises(UsageError, match="tile 7 holds no devices; those with devices are 0, 1"):
        device_maps.device_maps(run, [7])


def test_a_page_of_the_largest_bundled_network_stays_small(make_run, synthetic):
    run = make_run()
    # As many devices as mnist-fcn has: 784 x 256, 256 x 128, 128 x 10 in two arrays each.
    pq.write_table(synthetic.devices(tiles=3, shape=(100, 784)), run.path / "devices.parquet")
    assert len(report_page(run).encode()) < 10e6


def pulse_log(folder, totals):
    """A log in which device (0, col) receives ``totals[col]`` pulses in turn."""
    col = np.concatenate([np.full(n, i) for i, n in enumerate(totals)])
    order = np.random.default_rng(1).permutation(len(col))
    col = col[order]
    n = len(col)
    zero = np.zeros(n, np.int32)
    columns = {
        "t_ps": 10 * np.arange(n), "step": zero, "sample": zero, "tile": zero, "array": zero, "row": zero, "col": col,
        "device": zero, "polarity": np.ones(n, np.int8), "dw": np.full(n, 1e-3, np.float32),
        "w": np.arange(n, dtype=np.float32),
    }  # fmt: skip
    pq.write_table(pa.table(columns), folder / "pulses.parquet", row_group_size=500)
    return columns


def test_devices_with_few_pulses_keep_all_of_them(make_run, monkeypatch):
    run = make_run()
    monkeypatch.setattr(histories, "MOST_PULSES", 600)
    columns = pulse_log(run.path, totals=[5000, 40, 3000, 1])
    found = histories.pulse_histories(run)
    assert found["totals"] == [5000, 40, 3000, 1]
    kept = [device[-1] for device in found["devices"]]
    assert kept[1] == 40
    assert kept[3] == 1
    assert found["shown"] == sum(kept)
    assert 400 < sum(kept) <= 602
    first = 0
    for index, n in enumerate(kept):
        own = columns["t_ps"][columns["col"] == index]
        times = unpacked(found["columns"]["t_ps"])[first : first + n]
        every = found["every"][index]
        np.testing.assert_array_equal(times[:-1], own[::every][: n - 1])
        assert times[-1] == own[-1]
        first += n


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=30), st.integers(100, 20000))
def test_pulses_stay_within_the_cap(totals, most):
    total = np.array(totals)
    before, histories.MOST_PULSES = histories.MOST_PULSES, most
    try:
        cap = histories._most_each(total)
    finally:
        histories.MOST_PULSES = before
    assert np.minimum(total, cap).sum() <= max(most, len(total))
    assert cap >= total.max() or np.minimum(total, cap + 1).sum() > most


def test_the_overview_adds_up_to_the_time_at_work(make_run, tmp_path):
    run = make_run()
    draw = np.random.default_rng(3)
    n = 3000
    start = np.sort(draw.integers(0, 10**7, n))
    columns = {
        "t_ps": start, "dur_ps": draw.choice([0, 7, 5000, 90_000], n), "component": draw.choice(["a", "b"], n),
        "phase": draw.choice(["forward", "update", "odd"], n),
    }  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "log.parquet", row_group_size=700)
    length = int((start + columns["dur_ps"]).max())
    width = length / lanes.BINS
    blocks = zip(*lanes._intervals(tmp_path / "log.parquet", ["a", "b"]), strict=True)
    lane, _, begin, end = (np.concatenate(part) for part in blocks)
    found = lanes._spread(lane, begin, end, width, 2).reshape(2, -1)
    for index, name in enumerate("ab"):
        own = columns["component"] == name
        assert found[index].sum() == pytest.approx(columns["dur_ps"][own].sum())
        edges = width * np.arange(lanes.BINS + 1)
        until = np.clip(edges[:, None] - start[own], 0, columns["dur_ps"][own]).sum(axis=1)
        np.testing.assert_allclose(found[index], np.diff(until), atol=1e-3)
    assert lanes.timeline(run)["total"] == 400


def test_every_action_of_the_windows_is_there(make_run, monkeypatch):
    run = make_run()
    whole = lanes.timeline(run)
    assert (whole["shown"], whole["total"]) == (400, 400)
    monkeypatch.setattr(lanes, "MOST_ACTIONS", 120)
    thinned = lanes.timeline(run)
    assert [name for name, _, _ in thinned["windows"]] == ["steps 0 to 2", "steps 18 to 20", "steps 37 to 39"]
    times = unpacked(thinned["actions"]["t"])
    assert set(range(0, 30_000, 1000)) <= set(times.tolist())
    assert 399_000 in times
    chosen = lanes.timeline(run, "50 ns", "60 ns")
    np.testing.assert_array_equal(unpacked(chosen["actions"]["t"]), range(50_000, 60_000, 1000))
    for start, end in (("1 ms", None), ("60 ns", "50 ns")):
        with pytest.raises(UsageError, match="no time of the run"):
            lanes.timeline(run, start, end)


@pytest.mark.parametrize("name", ["devices", "pulses", "events"])
def test_a_truncated_file_is_named(make_run, name):
    run = make_run()
    file = run.path / f"{name}.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ResultsError, match=rf"{name}\.parquet is damaged"):
        report_page(run)


def test_of_many_queues_those_that_nobody_waited_in_are_left_out(make_run, monkeypatch):
    run = make_run()
    assert n_queues(run) == 2
    assert any(row["waiting"] == 0 for row in queues(run))
    monkeypatch.setattr(stalls, "MOST_SINGLE", 1)
    assert all(row["waiting"] > 0 for row in queues(run))


def test_times_of_components_are_shares_of_the_run(shared_run):
    rows = {row["name"]: row for row in stations(shared_run)}
    assert rows["tile0.adc"]["busy"] == pytest.approx(0.25)
    assert all(row["busy"] + row["stalled"] + row["idle"] == pytest.approx(1) for row in rows.values())
    assert [row["name"] for row in queues(shared_run)] == ["bus", "tile0"]
    assert {row["name"]: row["bytes_moved"] for row in memories(shared_run)} == {"buffer": 512, "bus": 4096}


def test_differences_come_by_size_and_add_up(make_run):
    runs = [make_run("a"), make_run("b", energy_by_component={"bus": 5e-6, "tile0.adc": 1e-7}, energy_J=5.1e-6)]
    rows = differences(runs, "component")
    assert rows[0][0] == "bus"
    assert dict(rows)["tile*.adc"] == [pytest.approx(5e-7), 1e-7]
    for index, run in enumerate(runs):
        assert sum(energies[index] for _, energies in rows) == pytest.approx(run.summary["energy_J"])


def test_what_an_accuracy_costs(make_run):
    runs = [make_run("a"), make_run("b", steps=30)]
    metrics = runs[0].metrics
    (target, (first, none)), *_ = [each for each in to_accuracy(runs) if each[0] == 0.8]
    row = metrics[metrics.test_accuracy >= target].iloc[0]
    assert (first.step, first.time, first.energy) == (row.step + 1, row.t_s, row.energy_J)
    assert none is None
