"""Random chips, networks and schedules: every run ends, and what it books adds up."""

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hwsim

STEPS = 2
DACS = [
    {"model": "dac-8b-brahms"},
    {"model": "dac-pulse-width", "parameters": {"bits": 7}},
    {"model": "dac-split-pulse-width"},
    {"model": "dac-driver-isaac", "sign": "slice"},
]
CONVERTERS: list[dict[str, Any]] = [
    {},
    {"chip.tile.adc.kind": "sar"},
    {"chip.tile.adc.kind": "flash", "chip.tile.shift_add": {"model": "accumulator-16b-puma"}},
    {"chip.tile.adc": {"model": "adc-cco-hermes", "kind": "current_controlled_oscillator", "lines_per_adc": 1},
     "chip.tile.sample_hold": None},
]  # fmt: skip
NETWORKS: list[dict[str, Any]] = [
    {},
    {"chip.bus": None, "chip.interconnect": {"kind": "htree", "model": "bus-256b-isaac", "fanout": 4}},
    {"chip.bus": None, "chip.interconnect": {
        "kind": "mesh", "model": "mesh-isaac", "parameters": {"hops": 1}, "rows": 8, "cols": 9, "digital_node": 40}},
]  # fmt: skip
MEMORIES: list[dict[str, Any]] = [
    {},
    {"chip.hidden_buffer": {"model": "sram-64KiB-256b", "banks": 4},
     "chip.off_chip_link": {"model": "link-hypertransport"}},
]  # fmt: skip


@st.composite
def networks(draw: Any) -> list[dict[str, Any]]:
    """Layers from the 64 inputs of the digits to their 10 classes."""
    widths = [64, *draw(st.lists(st.integers(1, 40), max_size=2)), 10]
    layers = []
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        last = index == len(widths) - 2
        layers.append(
            {
                "name": f"l{index}", "inputs": inputs, "outputs": outputs, "bias": draw(st.booleans()),
                "activation": "log_softmax" if last else draw(st.sampled_from(["tanh", "relu", "sigmoid", "none"])),
                "output_scale": draw(st.sampled_from(["none", "layer", "output"])),
            }
        )  # fmt: skip
    return layers


@st.composite
def chips(draw: Any) -> dict[str, Any]:
    """Changes of the baseline chip, with enough small tiles for every network."""
    return {
        "chip.tiles": 64,
        "chip.tile.rows": draw(st.integers(8, 70)),
        "chip.tile.cols": draw(st.integers(16, 70)),
        "chip.tile.adc.lines_per_adc": draw(st.integers(1, 70)),
        "chip.tile.sample_hold.double_buffered": draw(st.booleans()),
        "chip.buffer.ports": draw(st.integers(1, 4)),
        "chip.buffer.banks": draw(st.integers(4, 16)),
        "chip.digital.lanes": draw(st.integers(1, 64)),
        "chip.schedule.kind": draw(st.sampled_from(["sequential", "overlapped", "pipelined", "delayed"])),
        "chip.schedule.vectors": draw(st.integers(1, 7)),
        "chip.schedule.max_delay": draw(st.integers(1, 3)),
        "chip.controller.issue_width": draw(st.integers(1, 3)),
        "chip.tile.crossbar.reference": draw(st.sampled_from(["cell", "line", "digital"])),
        "chip.tile.row_pulser.kind": draw(st.sampled_from(["lfsr", "shared_lfsr", "serial_lfsr"])),
        "chip.tile.col_dac": draw(st.sampled_from(DACS)),
        "chip.tile.row_dac": draw(st.sampled_from(DACS)),
        "chip.tile.crossbar.integration_time": "80 ns",
        **draw(st.sampled_from(CONVERTERS)),
        **draw(st.sampled_from(NETWORKS)),
        **draw(st.sampled_from(MEMORIES)),
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    layers=networks(),
    chip=chips(),
    batch=st.integers(1, 12),
    algorithm=st.sampled_from(["analog-sgd", "tiki-taka", "ttv2", "agad", "mixed-precision", "digital-sgd"]),
)
def test_every_run_ends_and_adds_up(layers, chip, batch, algorithm) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = hwsim.simulate(
            steps=STEPS, seed=1, algorithm=algorithm, out=Path(folder) / "run",
            set={**chip, "trace.network.layers": layers, "trace.batch_size": batch},
        )  # fmt: skip
        assert_conserved(run, batch, len(layers))


def fetched_words(run: hwsim.Run) -> int:
    """Return the words of weights that digital training fetches for the forward pass of the first layer."""
    if run.summary["algorithm"] != "digital-sgd":
        return 0
    layer = run.config["trace"]["network"]["layers"][0]
    passes = len(run.events(where="operation = 'forward' and layer = 'l0' and action = 'issue'"))
    return passes * -(-layer["inputs"] * layer["outputs"] * 4 // 32)


def assert_conserved(run: hwsim.Run, batch: int, n_layers: int) -> None:
    summary, events, values = run.summary, run.events(), run.stats.set_index("path").value
    elapsed = summary["latency_s"]
    assert events.energy_J.sum() == pytest.approx(summary["energy_J"], rel=1e-9, abs=0)
    for name in ("component", "phase", "layer", "tile"):
        assert sum(summary[f"energy_by_{name}"].values()) == pytest.approx(summary["energy_J"], rel=1e-9, abs=0)
    for name in ("phase", "layer"):
        assert sum(summary[f"latency_by_{name}"].values()) == pytest.approx(elapsed, rel=1e-9, abs=0)
    for path in values.index[values.index.str.endswith(".busy")]:
        times = [values[path.replace(".busy", f".{kind}")] for kind in ("busy", "stalled", "idle")]
        assert min(times) >= -1e-15, path
        assert sum(times) == pytest.approx(elapsed, rel=1e-9, abs=0), path
    assert (np.diff(events.t_ps) >= 0).all()
    assert (events.t_ps + events.dur_ps).max() <= round(elapsed * 1e12)
    # Every vector passes every layer once, and back through all but the first one.
    assert summary["counts"]["forward"] == STEPS * batch * n_layers
    assert summary["counts"].get("backward", 0) == STEPS * batch * (n_layers - 1)
    # Activations and errors have left the buffer, and every vector that was loaded has been read.
    assert values["buffer.final_occupancy"] == values["buffer.kept"]
    words = events[events.component == "buffer"].groupby(["operation", "action", "layer"])["count"].sum()
    assert words["move", "write"].sum() == words["forward", "read", "l0"] - fetched_words(run)
    claims = [values["buffer.mean_occupancy"], values["buffer.peak_occupancy"], values["buffer.capacity"]]
    assert claims == sorted(claims)
