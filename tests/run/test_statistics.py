"""Statistics of a run: every component's time adds up, bytes and counts are those of the log, units are stated."""

import pytest

import hwsim

STEPS = 25


@pytest.fixture(scope="module", params=["sequential", "pipelined", "delayed"])
def trained(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("statistics") / "run"
    return hwsim.simulate(steps=STEPS, out=folder, set={"chip.schedule.kind": request.param, "chip.buffer.ports": 2})


@pytest.fixture
def values(trained):
    return trained.stats.set_index("path").value


def test_work_waiting_and_rest_are_the_time_of_the_run(trained, values) -> None:
    parts = [path.removesuffix(".busy") for path in values.index if path.endswith(".busy")]
    assert {"buffer", "bus", "digital", "controller", "tile0.adc", "tile1.crossbar"} <= set(parts)
    for part in parts:
        times = [values[f"{part}.{kind}"] for kind in ("busy", "stalled", "idle")]
        assert min(times) >= -1e-15, part
        assert sum(times) == pytest.approx(trained.summary["latency_s"], rel=1e-9, abs=0), part
        assert values[f"{part}.utilization"] == pytest.approx(times[0] / sum(times))


def test_energy_adds_up_by_component_phase_layer_and_tile(trained, values) -> None:
    total = values["chip.energy"]
    components = trained.summary["energy_by_component"]
    assert sum(values[f"{name}.energy"] for name in components) == pytest.approx(total, rel=1e-9, abs=0)
    for part in ("phase", "layer", "tile"):
        paths = [path for path in values.index if path.startswith(f"{part}.") and path.endswith(".energy")]
        assert values[paths].sum() == pytest.approx(total, rel=1e-9, abs=0)
    assert values["chip.power"] == pytest.approx(total / trained.summary["latency_s"])


def test_actions_and_bytes_are_those_of_the_log(trained, values) -> None:
    events = trained.events()
    for (component, action), count in (
        events[events.action != "leak"].groupby(["component", "action"])["count"].sum().items()
    ):
        assert values[f"{component}.actions.{action}"] == count
    words = events[events.component == "bus"]["count"].sum()
    assert values["bus.bytes_moved"] == words * 32
    words = events[events.component == "buffer"].query("action in ('read', 'write')")["count"].sum()
    assert values["buffer.bytes_moved"] == words * 32


def test_what_is_written_is_read_and_the_buffer_ends_empty(trained, values) -> None:
    events = trained.events()
    loads = events[(events.operation == "move") & (events.component == "buffer")]
    assert loads["count"].sum() > 0
    # Each mini-batch claims 190 words of 2 bytes a sample and gives all of it back; a bias and a scale of 4 bytes for
    # each output stay.
    claimed = 10 * (64 + 2 * 32 + 32 + 3 * 10) * 2
    depth = 2 if trained.config["chip"]["schedule"]["kind"] == "delayed" else 1
    assert values["buffer.peak_occupancy"] == pytest.approx(depth * claimed + 2 * (32 + 10) * 4)
    assert 0 < values["buffer.mean_occupancy"] <= values["buffer.peak_occupancy"]


def test_queues_follow_littles_law(trained, values) -> None:
    for part in ("buffer", "bus", "digital", "controller", "tile0", "tile1"):
        waiting, mean = values[f"{part}.waiting"], values[f"{part}.mean_queue"]
        assert mean == pytest.approx(waiting / trained.summary["latency_s"])
        assert mean <= values[f"{part}.longest_queue"] + 1e-12
        assert values[f"{part}.requests"] > 0
    if trained.config["chip"]["schedule"]["kind"] == "sequential":
        assert values["tile0.waiting"] == 0
    else:
        assert values["tile0.waiting"] > 0


def test_the_text_holds_every_statistic_with_unit_and_meaning(trained) -> None:
    lines = (trained.path / "stats.txt").read_text().splitlines()[1:-1]
    assert len(lines) == len(trained.stats)
    for line, row in zip(lines, trained.stats.itertuples(), strict=True):
        assert line.split()[0] == row.path
        assert line.endswith(f"# {row.description} ({row.unit})")
    assert trained.stats.path.is_unique


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"digital.lanes": 1}, "digital"), ({"tile.crossbar.integration_time": "400 ns"}, "tile"), ({}, "tile")],
)
def test_the_bottleneck_is_named(tmp_path, changes, name) -> None:
    run = hwsim.simulate(steps=10, out=tmp_path / "run", set={"chip.schedule.kind": "pipelined", **changes})
    bottleneck = run.summary["bottleneck"]
    assert bottleneck["component"].startswith(name)
    assert 0.3 < bottleneck["occupancy"] <= 1
    if name == "digital":
        assert bottleneck["occupancy"] == pytest.approx(run.summary["utilization_by_component"]["digital"])
