"""Training on chips with other interconnects, memories and links: the same numbers, every word accounted for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwsim

MESH = {"kind": "mesh", "rows": 3, "cols": 4, "model": "mesh-isaac", "parameters": {"hops": 1}, "digital_node": 4}
TREE = {"kind": "htree", "fanout": 4, "model": "bus-256b-isaac"}


def train(folder: Path, **changes: Any) -> hwsim.Run:
    settings = {"tile.rows": 64, "tile.cols": 64, "tiles": 8} | changes
    return hwsim.simulate("digits-mlp", algorithm="ttv2", steps=4, seed=3, set=settings, out=folder)


@pytest.fixture(scope="module")
def on_a_bus(tmp_path_factory: pytest.TempPathFactory) -> hwsim.Run:
    return train(tmp_path_factory.mktemp("runs") / "bus")


@pytest.mark.parametrize("network", [MESH, TREE], ids=["mesh", "htree"])
def test_a_chip_with_its_parts_apart(tmp_path: Path, on_a_bus: hwsim.Run, network: dict[str, Any]) -> None:
    parts = {"bus": None, "interconnect": network, "hidden_buffer": {"model": "sram-64KiB-256b", "banks": 4},
             "off_chip_link": {"model": "link-hypertransport"}, "controller.issue_width": 2}  # fmt: skip
    run = train(tmp_path / "run", **parts)
    kind = network["kind"]
    with np.load(run.path / "weights.npz") as weights, np.load(on_a_bus.path / "weights.npz") as others:
        for name in weights:
            np.testing.assert_array_equal(weights[name], others[name])
    events = run.events()
    assert events["energy_J"].sum() == pytest.approx(run.summary["energy_J"], rel=1e-9, abs=0)
    counts = events.groupby(["component", "action"])["count"].sum()
    before = on_a_bus.events().groupby(["component", "action"])["count"].sum()
    # What the hidden buffer does, the buffer does no longer.
    for action in ("read", "write"):
        assert counts["hidden_buffer", action] > 0
        assert counts["hidden_buffer", action] + counts["buffer", action] == before["buffer", action]
    # 4 steps of 10 samples of 64 words of 16 bit, 128 bit at a time.
    assert counts["off_chip_link", "transfer"] == 4 * 10 * 8
    assert not any(component == "bus" for component, _ in counts.index)
    stats = run.summary["utilization_by_component"]
    assert all(0 <= stats[name] <= 1 for name in stats if name.startswith(kind))
    assert sum(name.startswith(f"{kind}.") for name in stats) > 2
