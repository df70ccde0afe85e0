"""Writes small run folders by the documented schema, without the simulator."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

COMPONENTS = {
    "tile0.adc": 3.0e-7, "tile1.adc": 2.0e-7, "tile0.row_pulser": 1.1e-6, "tile1.row_pulser": 9.0e-7,
    "tile0.crossbar": 4.1e-7, "tile1.crossbar": 3.3e-7, "tile0.row_dac": 4.4e-8, "tile0.col_dac": 3.1e-8,
    "tile0.integrator": 1.7e-8, "tile0.control": 1e-9, "tile0.sample_hold": 2e-10, "tile0.accumulator": 3.3e-9,
    "buffer": 2.2e-8, "bus": 3.7e-8, "digital": 4.9e-7, "controller": 5e-9,
}  # fmt: skip
ENERGY = sum(COMPONENTS.values())
LATENCY = 412.8e-6


def _split(total: float, **weights: float) -> dict[str, float]:
    scale = sum(weights.values())
    return {name: total * weight / scale for name, weight in weights.items()}


PHASES = {"load": 1, "forward": 4, "backward": 3, "update": 9, "transfer": 2, "digital": 1}


STATS = {
    "chip.latency": LATENCY, "phase.update.energy": 1e-6,
    "tile0.adc.busy": 1e-4, "tile0.adc.stalled": 2e-4, "tile0.adc.idle": 1e-4, "tile0.adc.utilization": 0.25,
    "bus.busy": 3e-4, "bus.stalled": 0.0, "bus.idle": 1e-4, "bus.bytes_moved": 4096, "bus.requests": 7,
    "bus.waiting": 5e-6, "bus.mean_queue": 0.1, "bus.longest_queue": 2, "tile0.requests": 9, "tile0.waiting": 0.0,
    "tile0.mean_queue": 0.0, "tile0.longest_queue": 0, "buffer.capacity": 1000, "buffer.bytes_moved": 512,
    "tile0.adc.conversions": 310460,
}  # fmt: skip


def summary(*, timing: bool = True, accuracy: float | None = 0.9639, **changes) -> dict:
    timed = {
        "latency_s": LATENCY,
        "energy_J": ENERGY,
        "energy_by_component": COMPONENTS,
        "energy_by_phase": _split(ENERGY, **PHASES, program=0.1, static=0.5),
        "energy_by_layer": _split(ENERGY, **{"hidden": 5, "output": 2, "": 1}),
        "energy_by_tile": _split(ENERGY, **{"tile0": 5, "tile1": 4, "": 1}),
        "latency_by_phase": _split(LATENCY, **PHASES),
        "latency_by_layer": _split(LATENCY, hidden=5, output=2),
        "utilization_by_component": {name: 0.01 * i for i, name in enumerate(COMPONENTS)},
    }
    values = {
        "trace": "digits-mlp", "chip": "baseline", "device": "reram-sb", "algorithm": "tiki-taka", "seed": 0,
        "timing": timing, "samples": 1437, "steps": 144, "epochs": 1.0, "area_m2": 3.1e-6,
        "area_by_component": _split(3.1e-6, **{"tile.crossbar": 3, "tile.adc": 20, "buffer": 8}),
        "counts": {"forward": 2874, "backward": 1437, "update": 2874, "transfer_read": 288, "transfer_write": 288,
                   "pulses_up": 1204331, "pulses_down": 1199877, "coincidences": 2404208, "adc_conversions": 310460,
                   "bound_management_retries": 0},
        "conductance": {"at_zero_S": 4e-8, "per_weight_S": 5e-8},
        "metrics": {"loss": 0.1234, "accuracy": accuracy, "train_loss": 0.0987},
        "assumptions": ["evaluation takes no time"],
    }  # fmt: skip
    return (timed if timing else dict.fromkeys(timed)) | values | changes


def write_run(
    folder: Path, *, state: str = "complete", error: str | None = None, schema: int = 1, steps: int = 144, **changes
) -> Path:
    """Write a run folder; ``changes`` go to :func:`summary`. A run that is not complete gets no summary."""
    folder.mkdir(parents=True)
    info = {
        "schema": schema, "state": state, "error": error, "hwsim": "0.1.0", "python": "3.11.7", "numpy": "2.4.6",
        "simpy": "4.1.2", "seed": 0, "config_hash": "abc123", "started": "2026-01-02T03:04:05+00:00",
        "host_seconds": {"set_up": 2.0, "run": 30.0, "total": 32.0},
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(info))
    values = summary(**changes)
    config = {key: {"name": values[key]} for key in ("trace", "chip", "device", "algorithm")} | {
        "seed": 0,
        "threads": 1,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "tables.yaml").write_text(yaml.safe_dump(cost_rows()))
    if state == "complete":
        (folder / "summary.json").write_text(json.dumps(values))
    pq.write_table(metrics(steps), folder / "metrics.parquet")
    n = len(STATS)
    values = [float(value) for value in STATS.values()]
    stats = pa.table({"path": list(STATS), "value": values, "description": ["what it is"] * n, "unit": ["1"] * n})
    pq.write_table(stats, folder / "stats.parquet")
    (folder / "stats.txt").write_text("tile0.adc.conversions 310460 # conversions (1)\n")
    pq.write_table(events(), folder / "events.parquet", row_group_size=64)
    pq.write_table(pulses(), folder / "pulses.parquet")
    pq.write_table(devices(), folder / "devices.parquet")
    weights = {"hidden.weight": np.ones((3, 2), np.float32), "hidden.array0": np.zeros((3, 2), np.float32)}
    np.savez(folder / "weights.npz", **weights)
    return folder


def cost_rows() -> list[dict]:
    shared = {"provenance": "verified", "source": "Shafiee et al., ISCA 2016, Table 5"}
    return [
        {"component": "tile.adc", "action": "convert", "per": "conversion of one line", "energy": "2.34e-12 J",
         "latency": "5000 ps", **shared},
        {"component": "tile.adc", "action": "area", "per": "instance", "value": "2.2e-10 m^2", **shared},
        {"component": "bus", "action": "transfer", "per": "word", "energy": "1e-12 J", "latency": "1000 ps",
         "provenance": "assumed", "source": "assumption <of> this \"project\""},
    ]  # fmt: skip


def metrics(steps: int) -> pa.Table:
    step = np.arange(steps)
    loss = 2.3 * np.exp(-step / 60) + 0.1 + 0.1 * np.abs(np.sin(step * 1.7))
    nan = np.full(steps, np.nan)
    evaluated = step % 24 == 23
    return pa.table(
        {
            "step": step, "epoch": step // 24, "samples": (step + 1) * 10, "t_s": (step + 1) / max(steps, 1) * LATENCY,
            "energy_J": (step + 1) / max(steps, 1) * ENERGY, "loss": loss, "learning_rate": np.full(steps, 0.1),
            "test_loss": np.where(evaluated, loss, nan), "test_accuracy": np.where(evaluated, 1 - loss / 3, nan),
        }
    )  # fmt: skip


EVENT_ROWS = 400


def events() -> pa.Table:
    n = EVENT_ROWS
    names = [list(COMPONENTS)[i % len(COMPONENTS)] for i in range(n)]

    def dictionary(values: list[str]) -> pa.Array:
        return pa.array(values).dictionary_encode()

    columns = {
        "t_ps": pa.array([1000 * i for i in range(n)], pa.int64()),
        "dur_ps": pa.array([500] * n, pa.int64()),
        "component": dictionary(names),
        "action": dictionary(["convert" if name.endswith("adc") else "read" for name in names]),
        "operation": dictionary(["forward", "update"] * (n // 2)),
        "phase": dictionary(["forward", "update"] * (n // 2)),
        "layer": dictionary(["hidden"] * n),
        "step": pa.array([i // 10 for i in range(n)], pa.int32()),
        "sample": pa.array([i // 2 for i in range(n)], pa.int64()),
        "tile": pa.array([int(name[4]) if name.startswith("tile") else -1 for name in names], pa.int16()),
        "array": pa.array([-1] * n, pa.int16()),
        "count": pa.array([8] * n, pa.int64()),
        "energy_J": pa.array([1e-12 * (i % 7) for i in range(n)], pa.float64()),
    }
    units = {"t_ps": "ps", "dur_ps": "ps", "energy_J": "J"}
    fields = [
        pa.field(name, column.type, metadata={"unit": units.get(name, "1"), "description": f"what {name} is"})
        for name, column in columns.items()
    ]
    metadata = {"hwsim.schema": "1", "hwsim.version": "0.1.0", "hwsim.seed": "0", "hwsim.config_hash": "abc123"}
    return pa.table(list(columns.values()), schema=pa.schema(fields, metadata=metadata))


def devices(tiles: int = 2, shape: tuple[int, int] = (3, 2), arrays: int = 2, layer: str = "hidden") -> pa.Table:
    """Devices of some tiles with random weights; device (0, 0) of each array is at its upper bound."""
    draw = np.random.default_rng(0)
    array, row, col = (part.ravel() for part in np.indices((arrays, *shape)))
    parts = []
    for tile in range(tiles):
        n = len(row)
        end = draw.uniform(-0.5, 0.5, n).astype(np.float32)
        end[(row == 0) & (col == 0)] = 0.6
        columns = {
            "tile": np.full(n, tile, np.int16), "array": array.astype(np.int16), "row": row.astype(np.int32),
            "col": col.astype(np.int32), "device": np.zeros(n, np.int16),
            "layer": pa.array([layer] * n).dictionary_encode(),
            "w_start": draw.uniform(-0.1, 0.1, n).astype(np.float32), "w_end": end,
            "w_low": np.full(n, -0.6, np.float32), "w_high": np.full(n, 0.6, np.float32),
            "pulses_up": draw.integers(0, 99, n), "pulses_down": draw.integers(0, 99, n),
        }  # fmt: skip
        parts.append(pa.table(columns))
    return pa.concat_tables(parts, promote_options="default").unify_dictionaries()


def pulses() -> pa.Table:
    n = 50
    return pa.table(
        {
            "t_ps": pa.array([100 * i for i in range(n)], pa.int64()), "step": pa.array([0] * n, pa.int32()),
            "sample": pa.array([0] * n, pa.int64()), "tile": pa.array([0] * n, pa.int16()),
            "array": pa.array([0] * n, pa.int16()),
            "row": pa.array([i % 3 for i in range(n)], pa.int32()), "col": pa.array([0] * n, pa.int32()),
            "polarity": pa.array([1 if i % 2 else -1 for i in range(n)], pa.int8()),
            "dw": pa.array([0.001] * n, pa.float32()), "w": pa.array([0.001 * i for i in range(n)], pa.float32()),
            "device": pa.array([0] * n, pa.int16()),
        }
    )  # fmt: skip
