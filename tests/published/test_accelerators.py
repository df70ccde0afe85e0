"""Figures of published accelerators and cores, from the events of reads and updates on their chips."""

import re

import numpy as np
import pytest

from hwsim.cost import CostTables
from hwsim.spec.load import load_chip

NAMES = ("rpu-2016", "isaac", "puma", "hermes", "neurram")
FIGURES = {
    chip: {figure.name: figure for figure in load_chip(chip).published if figure.ours is not None} for chip in NAMES
}
OPERATIONS = 2 * 256 * 256
"""Of a product on a core of HERMES or NeuRRAM; a multiplication and an addition for each cell."""


def outer_product(bench, chip, slots):
    """Return the events of an update of 128 x 128 cells in which every line fires in every slot."""
    platform = bench.Bench(chip, own_device=True)
    train = {"desired_bl": slots, "update_management": False, "update_bl_management": False}
    algorithm, matrices = platform.place("analog-sgd", {"update": train}, {"layer": (128, 128)})
    ones = np.ones((1, 128), np.float32)
    events = platform.run(operation for operation in algorithm.update(matrices["layer"], ones, ones, 1.0))
    return events[events.action != "leak"]


def test_rpu(bench, check) -> None:
    figures = dict(FIGURES["rpu-2016"])
    forward = bench.reads_of("rpu-2016", (512, 512)).interval
    backward = bench.reads_of("rpu-2016", (512, 512), transposed=True).interval
    events = outer_product(bench, "rpu-2016", 10)
    update = bench.span(events)
    translators = events[events.component.str.endswith("pulser")]
    power = translators.energy_J.sum() / (update * 1e-9) * 8192 / 256
    for name, measured in {
        "forward": forward, "backward": backward, "update": update, "cycle": forward + backward + update,
        "throughput": 2 * 4096**2 / forward / 1e3, "power": power,
        "area": CostTables.for_chip(load_chip("rpu-2016")).area_by_component["tile.crossbar"] / 8 * 1e6,
    }.items():  # fmt: skip
        check(figures.pop(name), measured)
    assert not figures


def test_isaac(bench, check) -> None:
    figures = dict(FIGURES["isaac"])
    tables = CostTables.for_chip(load_chip("isaac"))
    reads = bench.reads_of("isaac", (128, 128))
    crossbar = reads.energy / reads.interval
    in_imas = {
        name: sum(value for path, value in values.items() if path.startswith("tile."))
        for name, values in (("power", tables.leakage_by_component), ("area", tables.area_by_component))
    }
    tile = 96 * crossbar + tables.leakage
    chip = 168 * tile + 10.4
    # 16-bit weights in 8 cells of 2 bits: 128 x 16 products and additions.
    throughput = 168 * 96 * 2 * 128 * 16 / reads.interval / 1e3
    area = 168 * tables.area * 1e6 + 22.88
    for name, measured in {
        "throughput": throughput, "efficiency": throughput / chip, "density": throughput / area, "chip-power": chip,
        "chip-area": area, "tile-power": tile * 1e3, "tile-area": tables.area * 1e6,
        "ima-power": (96 * crossbar + in_imas["power"]) / 12 * 1e3, "ima-area": in_imas["area"] / 12 * 1e6,
    }.items():  # fmt: skip
        check(figures.pop(name), measured)
    assert not figures


def test_puma(bench, check) -> None:
    figures = dict(FIGURES["puma"])
    # Eight crossbars hold the slices of 128 x 128 weights.
    reads = bench.reads_of("puma", (8 * 128, 128))
    outer = outer_product(bench, "puma", 16)
    for name, measured in {
        "product-time": reads.latency, "product-energy": reads.energy + reads.static * reads.latency * 1e-3,
        "outer-product-time": bench.span(outer), "outer-product-energy": outer.energy_J.sum() * 1e12,
    }.items():  # fmt: skip
        check(figures.pop(name), measured)
    assert not figures


def test_hermes(bench, check) -> None:
    figures = dict(FIGURES["hermes"])
    reads = bench.reads_of("hermes", (256, 256))
    times = {1: reads.latency, 4: reads.latency + 3 * reads.interval}
    for phases, time in times.items():
        check(figures.pop(f"time-{phases}"), time)
        check(figures.pop(f"throughput-{phases}"), 64 * OPERATIONS / time / 1e3)
        check(figures.pop(f"efficiency-{phases}"), OPERATIONS / (phases * reads.energy) / 1e3)
    check(figures.pop("efficiency-core"), OPERATIONS / reads.energy / 1e3)
    core = CostTables.for_chip(load_chip("hermes")).area / 64
    check(figures.pop("density"), OPERATIONS / times[1] / 1e3 / (core * 1e6))
    assert not figures


@pytest.mark.parametrize("bits", [name.removeprefix("throughput-") for name in FIGURES["neurram"] if name[0] == "t"])
def test_neurram(bench, check, bits) -> None:
    out_bits, in_bits = (int(text) for text in re.findall(r"\d+", bits))
    two_phases = in_bits >= 5 and not bits.endswith("one-phase")
    # One bit is a pulse of either sign or none, which takes two bits with the sign.
    bits_in = max(in_bits, 2)
    settings = {"tile.adc.parameters.bits": out_bits}
    for side in ("row_dac", "col_dac"):
        settings[f"tile.{side}.parameters.bits"] = bits_in
        if two_phases:
            settings[f"tile.{side}.model"] = "neurram-dac-two-phase"
    for use in ("forward", "backward", "transfer"):
        settings[f"tile.{use}.inp_res"] = 1 / (2**bits_in - 2)
    reads = bench.reads_of("neurram", (256, 256), settings)
    check(FIGURES["neurram"][f"throughput-{bits}"], 48 * OPERATIONS / reads.latency / 1e3)
    check(FIGURES["neurram"][f"efficiency-{bits}"], OPERATIONS / reads.energy / 1e3)
