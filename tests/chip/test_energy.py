"""Energy of arrays against sums over every cell, and the ledger's completeness."""

import numpy as np
import pytest
from pydantic import ValidationError

from hwsim.chip.operations import Forward
from hwsim.components.coding import LineDrive, line_drive, slices
from hwsim.components.crossbar import Conductance, read_energy, update_energy
from hwsim.devices import UpdateParameters, load_device
from hwsim.spec.component import Coding
from hwsim.spec.device import CellSpec

CELL = CellSpec(
    name="c",
    source="test",
    g_min="1 uS",
    g_max="10 uS",
    write_voltage="1.6 V",
    pulse_width="50 ns",
    read_voltage="0.2 V",
)
GATE = CellSpec(name="g", source="test", g_min="1 uS", g_max="10 uS", write="gate", write_voltage="1 V",
                pulse_width="10 ns",
                read_voltage="0.2 V", gate_capacitance="1 fF")  # fmt: skip


def test_conductance_is_linear_between_the_bounds() -> None:
    map_ = Conductance.of(CELL, -0.75, 1.25)
    assert map_.offset + map_.scale * -0.75 == pytest.approx(1e-6, rel=1e-9, abs=0)
    assert map_.offset + map_.scale * 1.25 == pytest.approx(10e-6, rel=1e-9, abs=0)


def at(v: np.ndarray) -> LineDrive:
    """Return what level-coded inputs put on their lines."""
    return line_drive("level", 0, v)


def test_read_energy_is_joule_heating_of_every_cell_and_its_reference_and_charging() -> None:
    rng = np.random.default_rng(0)
    w, x = rng.uniform(-0.6, 0.6, (5, 7)), rng.uniform(-1, 1, (3, 7))
    map_ = Conductance.of(CELL, -0.6, 0.6)
    plain, charging = 0.0, 0.0
    for vector in x:
        for j in range(7):
            charging += 2 * 3e-15 * (0.2 * vector[j]) ** 2
            for i in range(5):
                plain += 40e-9 * (0.2 * vector[j]) ** 2 * ((map_.offset + map_.scale * w[i, j]) + map_.offset)
    energy = read_energy(CELL, map_, at(x), w.sum(0), 5, 40e-9)
    assert energy == pytest.approx(plain, rel=1e-12, abs=0)
    charged = read_energy(CELL, map_, at(x), w.sum(0), 5, 40e-9, line_capacitance=3e-15)
    assert charged - energy == pytest.approx(charging, rel=1e-9, abs=0)
    alone = read_energy(CELL, map_, at(x), w.sum(0), 5, 40e-9, references=False, line_capacitance=3e-15)
    on_references = 40e-9 * 0.04 * map_.offset * 5 * np.square(x).sum()
    assert charged - alone == pytest.approx(on_references + charging / 2, rel=1e-9, abs=0)


@pytest.mark.parametrize("coding", ["level", "pulse_width", "bit_serial", "split_pulse_width"])
def test_codings_drive_their_lines_slot_by_slot(coding: Coding) -> None:
    bits = 8
    x = np.random.default_rng(3).integers(-127, 128, (4, 6)) / 127
    x[0, 0] = 0.0
    heat, charges = np.zeros(6), np.zeros(6)
    for vector in x:
        for j, value in enumerate(vector):
            count = round(abs(value) * 127)
            if coding == "level":
                waveform = [(abs(value) ** 2, abs(value) ** 2)]
            elif coding == "pulse_width":
                waveform = [(count / 127, float(count > 0))]
            elif coding == "bit_serial":
                waveform = [(float(bit == "1"),) * 2 for bit in f"{count:07b}"]
            else:
                waveform = [(half / 16, float(half > 0)) for half in divmod(count, 16)]
            heat[j] += sum(part[0] for part in waveform)
            charges[j] += sum(part[1] for part in waveform)
            assert len(waveform) == slices(coding, bits) or coding == "bit_serial"
    drive = line_drive(coding, bits, x)
    np.testing.assert_allclose(drive.heat, heat, rtol=1e-12)
    np.testing.assert_allclose(drive.charges, charges, rtol=1e-12)
    assert slices("bit_serial", bits) == 7


SOURCE = CellSpec(name="s", source="test", g_min="1 uS", g_max="10 uS", write="current_source", write_voltage="0.8 V",
                  pulse_width="10 ns", read_voltage="0.2 V", gate_capacitance="1 fF", write_current="10 nA",
                  switching_charge="0.1 fC")  # fmt: skip
ECRAM = GATE.model_copy(update={"write_current": 5e-9, "switching_charge": 2e-16})
SELECTOR = CELL.model_copy(update={"nonlinearity": 10.0})


def cell_energy(cell: CellSpec, row: bool, col: bool, conductance: float) -> float:
    """Energy in one cell in one slot, written as the physics of each kind of cell."""
    both, one = row and col, row != col
    volts, time = cell.write_voltage, cell.pulse_width
    if cell.write == "resistive":
        half_current = conductance * volts / cell.nonlinearity
        return time * (volts**2 * conductance * both + volts / 2 * half_current * one)
    if cell.write == "gate":
        voltage = volts * both + volts / 2 * one
        current = cell.write_current * voltage / volts
        return cell.gate_capacitance * voltage**2 + current * voltage * time + cell.switching_charge * volts * both
    gates = cell.gate_capacitance / 2 * volts**2 * (int(row) + int(col))
    return gates + both * (cell.write_current * volts * time + cell.switching_charge * volts)


@pytest.mark.parametrize("cell", [CELL, SELECTOR, GATE, ECRAM, SOURCE],
                         ids=["resistive", "selector", "gate", "ecram", "current_source"])  # fmt: skip
def test_update_energy_is_a_sum_over_slots_and_cells(cell: CellSpec) -> None:
    rng = np.random.default_rng(1)
    w = rng.uniform(-0.6, 0.6, (5, 7))
    rows, cols = rng.random((20, 5)) < 0.4, rng.random((20, 7)) < 0.3
    map_ = Conductance.of(cell, -0.6, 0.6)
    line = (2e-15, 3e-15)
    swing = cell.write_voltage / (1 if cell.write == "current_source" else 2)
    plain, pulses, before = 0.0, 0, 0.0
    for r, c in zip(rows, cols, strict=True):
        plain += swing**2 * (line[0] * r.sum() + line[1] * c.sum())
        for i in range(5):
            for j in range(7):
                plain += cell_energy(cell, bool(r[i]), bool(c[j]), map_.offset + map_.scale * w[i, j])
                if r[i] and c[j]:
                    pulses += 1
                    before += w[i, j]
    energy = update_energy(
        cell, map_, pulses=pulses, weight_before=before, row_fires=rows.sum(0), col_fires=cols.sum(0),
        row_sums=w.sum(1), col_sums=w.sum(0), line_capacitance=line,
    )  # fmt: skip
    assert energy == pytest.approx(plain, rel=1e-12, abs=0)


def test_update_of_512_x_512_costs_a_third_of_a_microjoule() -> None:
    # V = 1.6 V, G = 5 uS, 50 ns, 10 slots, p = 0.3 on both sides: 0.33 uJ.
    n, slots, p, g = 512, 10, 0.3, 5e-6
    energy = update_energy(
        CELL, Conductance(g, 0.0), pulses=round(slots * p * p * n * n), weight_before=0.0,
        row_fires=np.full(n, slots * p), col_fires=np.full(n, slots * p), row_sums=np.zeros(n), col_sums=np.zeros(n),
        line_capacitance=(0.0, 0.0),
    )  # fmt: skip
    assert energy == pytest.approx(slots * 50e-9 * n * n * g * (2.56 * 0.09 + 0.64 * 0.42), rel=1e-4, abs=0)
    assert energy == pytest.approx(0.33e-6, rel=0.01, abs=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gate_capacitance": "1 fF"}, "belong to cells with write: gate or current_source"),
        ({"write": "gate"}, "needs one of gate_capacitance, write_current, switching_charge to be positive"),
        ({"write": "gate", "write_current": "-1 nA"}, "must not be negative"),
        ({"write": "gate", "write_current": "1 nA", "nonlinearity": 5.0}, "nonlinearity belongs"),
        ({"nonlinearity": 1.5}, "greater than or equal to 2"),
    ],
)
def test_contradictory_cells_are_refused(changes: dict[str, object], message: str) -> None:
    plain = {"name": "c", "source": "test", "g_min": "1 uS", "g_max": "10 uS", "write_voltage": "1 V",
             "pulse_width": "10 ns", "read_voltage": "0.2 V"}  # fmt: skip
    with pytest.raises(ValidationError, match=message):
        CellSpec(**plain, **changes)


def tile_energy(chip) -> dict[tuple[str, str], float]:
    return {(total.component, total.action): total.energy_J for total in chip.ledger.totals()}


def read_once(make_chip, weights, changes, x):
    chip = make_chip(changes)
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))

    def program():
        yield Forward(matrix, x)

    chip.run(program())
    chip.finish()
    return chip


@pytest.mark.parametrize(
    ("model", "parameters", "coding", "n_slices", "drive_time"),
    [
        ("dac-pulse-width", {"bits": 6, "node": "32 nm"}, "pulse_width", 1, 31e-9),
        ("dac-split-pulse-width", {"bits": 6}, "split_pulse_width", 2, 8e-9),
        ("dac-driver-isaac", {"bits": 6}, "bit_serial", 5, None),
    ],
)
def test_a_tile_reads_as_its_converters_code(make_chip, weights, model, parameters, coding, n_slices, drive_time):
    x = (np.random.default_rng(4).integers(-31, 32, (3, 8)) / 31).astype(np.float32)
    level = read_once(make_chip, weights, {}, x)
    coded = read_once(make_chip, weights, {"tile.col_dac": {"model": model, "parameters": parameters}}, x)
    counts = {total.component: total.count for total in coded.ledger.totals() if total.action in ("convert", "read")}
    assert counts["tile0.adc"] == 3 * 8 * n_slices
    assert counts["tile0.col_dac"] == 3 * 8 * n_slices
    tile, cell = coded.tiles[0], coded.device.cell
    map_ = Conductance.of(cell, coded.device.parameters.w_min, coded.device.parameters.w_max)
    drive = line_drive(coding, 6, x)
    share = 1.0 if drive_time is None else drive_time / 40e-9
    expected = read_energy(cell, map_, LineDrive(drive.heat * share, drive.charges),
                           tile.arrays[0].devices[0].line_sums()[1], 8, 40e-9,
                           line_capacitance=8 * 1.55e-16)  # fmt: skip
    assert tile_energy(coded)["tile0.crossbar", "read"] == pytest.approx(expected, rel=1e-6, abs=0)
    ratio = tile_energy(coded)["tile0.crossbar", "read"] / tile_energy(level)["tile0.crossbar", "read"]
    assert abs(ratio - 1) > 0.05
    if n_slices > 1:
        assert coded.env.now > level.env.now


def test_integrators_and_cells_with_costs_of_their_own(make_chip, weights):
    x = np.full((2, 8), 0.5, dtype=np.float32)
    chip = read_once(make_chip, weights, {"tile.integrator": {"model": "integrator-timely"}}, x)
    assert tile_energy(chip)["tile0.integrator", "integrate"] == pytest.approx(2 * 8 * 0.0368e-12, rel=1e-9, abs=0)
    leaky = load_device("capacitor")
    chip = make_chip(device=leaky)
    matrix = chip.place_analog("fc", weights, arrays=2, gains=(0.0, 1.0))
    # Two arrays of 8 x 8 cells, and the reference cell of each.
    assert chip.tiles[0].crossbar.leakage == pytest.approx(4 * 8 * 8 * leaky.cell.standby_power, rel=1e-9, abs=0)
    assert matrix is not None


def test_the_ledger_books_what_the_kernel_counts(make_chip, weights) -> None:
    from hwsim.chip.operations import Update

    chip = make_chip(device=load_device("soft_bounds", dw_min=0.01))
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    rng = np.random.default_rng(2)
    x, d = rng.uniform(-1, 1, (5, 8)).astype(np.float32), rng.uniform(-1, 1, (5, 8)).astype(np.float32)

    def program():
        yield Update(matrix, 0, x, d, 0.1, UpdateParameters())

    chip.run(program())
    chip.finish()
    totals = {(total.component, total.action): total for total in chip.ledger.totals()}
    assert totals["tile0.crossbar", "write"].count == chip.counts["coincidences"] > 0
    assert totals["tile0.crossbar", "write"].energy_J > 0
    draws = totals["tile0.row_pulser", "draw"]
    assert draws.energy_J == pytest.approx(draws.count * 92.5e-15, rel=1e-9, abs=0)
    leaked = sum(total.energy_J for total in chip.ledger.totals() if total.action == "leak")
    power = sum(component.leakage for component in chip.components)
    assert leaked == pytest.approx(power * chip.env.now * 1e-12, rel=1e-9, abs=0)
