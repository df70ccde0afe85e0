"""Energy and time add up: summary = tables = log, for every bundled trace and chip."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import yaml

from hwsim import library
from hwsim.results import Run

CHIPS = ("baseline", "small-tiles")
"""Chips of which every part has a cost; models of published designs leave parts out."""
PAIRS = [(trace, chip) for trace in library.names("traces") for chip in CHIPS]


@pytest.fixture
def mnist_folder(tmp_path) -> str:
    """Return a folder with 40 training and 20 test images in MNIST's own form (noise, not digits)."""
    rng = np.random.default_rng(0)
    for part, n in (("train", 40), ("t10k", 20)):
        for kind, shape, code in (("images-idx3", (n, 28, 28), 3), ("labels-idx1", (n,), 1)):
            data = rng.integers(0, 256 if code == 3 else 10, shape).astype(np.uint8)
            header = np.array([0x0800 + code, *shape], ">i4").tobytes()
            (tmp_path / f"{part}-{kind}-ubyte").write_bytes(header + data.tobytes())
    return str(tmp_path)


@pytest.mark.parametrize(("trace", "chip"), PAIRS)
@pytest.mark.parametrize("algorithm", ["digital-sgd", "analog-sgd", "tiki-taka"])
def test_everything_adds_up(run: Callable[..., Run], mnist_folder: str, trace: str, chip: str, algorithm: str) -> None:
    result = run(trace, chip=chip, algorithm=algorithm, steps=3, data=mnist_folder)
    summary = result.summary
    events = result.events()
    total = summary["energy_J"]
    assert total > 0
    for name in ("component", "phase", "layer", "tile"):
        assert math.fsum(summary[f"energy_by_{name}"].values()) == pytest.approx(total, rel=1e-9)
        assert result.energy(by=name)["energy_J"].sum() == pytest.approx(total, rel=1e-9)
    assert math.fsum(events.energy_J) == pytest.approx(total, rel=1e-9)
    for name in ("phase", "layer", "component"):
        logged = events.groupby(name, observed=True).energy_J.sum()
        assert logged.to_dict() == pytest.approx(summary[f"energy_by_{name}"], rel=1e-9, abs=1e-30)
    for name in ("phase", "layer"):
        assert math.fsum(summary[f"latency_by_{name}"].values()) == pytest.approx(summary["latency_s"], rel=1e-9)
    assert result.metrics.energy_J.iloc[-1] == pytest.approx(total, rel=1e-9)
    assert result.metrics.t_s.iloc[-1] == pytest.approx(summary["latency_s"], rel=1e-9)


@pytest.mark.parametrize("chip", CHIPS)
def test_energy_is_count_times_table(run: Callable[..., Run], chip: str) -> None:
    result = run(chip=chip, steps=5)
    table = {
        (row["component"], row["action"]): float(row["energy"].removesuffix(" J"))
        for row in yaml.safe_load((result.path / "tables.yaml").read_text(encoding="utf-8"))
        if "energy" in row
    }
    events = result.events()
    checked = 0
    for (component, action), rows in events.groupby(["component", "action"], observed=True):
        path = "tile." + component.split(".")[1] if component.startswith("tile") else component
        if table.get((path, action), 0.0) > 0:
            assert rows.energy_J.sum() == pytest.approx(rows["count"].sum() * table[path, action], rel=1e-9, abs=0)
            checked += 1
    assert checked > 10


def test_the_log_is_in_time_order_and_inside_the_run(run: Callable[..., Run]) -> None:
    result = run(steps=30)
    events = result.events()
    assert events.t_ps.is_monotonic_increasing
    end = round(result.summary["latency_s"] * 1e12)
    assert (events.t_ps >= 0).all()
    assert (events.t_ps + events.dur_ps).max() <= end
    assert max(result.summary["utilization_by_component"].values()) <= 1


def test_a_part_that_serves_several_at_once_is_used_for_the_mean_of_them(run: Callable[..., Run]) -> None:
    result = run("least-squares", chip="isaac", algorithm="digital-sgd", steps=3)
    stats = result.stats.set_index("path")["value"]
    used = result.summary["utilization_by_component"]
    assert result.config["chip"]["buffer"]["ports"] == 2
    assert 0.3 < used["buffer"] <= 1
    for name, part in used.items():
        assert part == pytest.approx(stats[f"{name}.utilization"])


def test_counts_agree_with_the_log_and_the_pulse_log_with_the_weights(run: Callable[..., Run]) -> None:
    device = {"name": "constant_step", "dw_min_std": 0.0}
    result = run(algorithm="analog-sgd", device=device, log="pulses", probe=["0", "1"], steps=8)
    events, pulses, counts = result.events(), result.pulses(), result.summary["counts"]
    written = events[(events.action == "write") & events.component.str.endswith("crossbar")]["count"].sum()
    assert written == counts["coincidences"] == len(pulses) > 0
    assert (pulses.polarity > 0).sum() == counts["pulses_up"]
    assert pulses.t_ps.is_monotonic_increasing
    start = run(algorithm="analog-sgd", device=device, steps=1, set={"trace.learning_rate": 1e-30}).weights()
    end = result.weights()
    for tile, layer in enumerate(("hidden", "output")):
        change = np.zeros_like(start[f"{layer}.weight"], dtype=np.float64)
        part = pulses[pulses.tile == tile]
        np.add.at(change, (part.row, part.col), part.dw)
        np.testing.assert_allclose(start[f"{layer}.weight"] + change, end[f"{layer}.weight"], atol=2e-6)


def test_conversions_in_the_log_are_the_counted_ones(run: Callable[..., Run]) -> None:
    result = run(chip="small-tiles", steps=6)
    events = result.events()
    converted = events[(events.action == "convert") & events.component.str.endswith("adc")]["count"].sum()
    assert converted == result.summary["counts"]["adc_conversions"]
    assert result.summary["counts"]["forward"] == 2 * 60
    assert result.summary["counts"]["backward"] == 60
