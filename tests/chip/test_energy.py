"""Energy of arrays against sums over every cell, and the ledger's completeness."""

import numpy as np
import pytest

from hwsim.components.crossbar import Conductance, read_energy, update_energy
from hwsim.devices import UpdateParameters, load_device
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
    assert map_.offset + map_.scale * -0.75 == pytest.approx(1e-6)
    assert map_.offset + map_.scale * 1.25 == pytest.approx(10e-6)


def test_read_energy_is_joule_heating_of_every_cell_and_its_reference() -> None:
    rng = np.random.default_rng(0)
    w, x = rng.uniform(-0.6, 0.6, (5, 7)), rng.uniform(-1, 1, (3, 7))
    map_ = Conductance.of(CELL, -0.6, 0.6)
    plain = 0.0
    for vector in x:
        for i in range(5):
            for j in range(7):
                plain += 40e-9 * (0.2 * vector[j]) ** 2 * ((map_.offset + map_.scale * w[i, j]) + map_.offset)
    assert read_energy(CELL, map_, np.square(x).sum(0), w.sum(0), 5, 40e-9) == pytest.approx(plain, rel=1e-12)


@pytest.mark.parametrize("cell", [CELL, GATE], ids=["resistive", "gate"])
def test_update_energy_is_a_sum_over_slots_and_cells(cell: CellSpec) -> None:
    rng = np.random.default_rng(1)
    w = rng.uniform(-0.6, 0.6, (5, 7))
    rows, cols = rng.random((20, 5)) < 0.4, rng.random((20, 7)) < 0.3
    map_ = Conductance.of(cell, -0.6, 0.6)
    line = (2e-15, 3e-15)
    plain, pulses, before = 0.0, 0, 0.0
    for r, c in zip(rows, cols, strict=True):
        plain += (cell.write_voltage / 2) ** 2 * (line[0] * r.sum() + line[1] * c.sum())
        for i in range(5):
            for j in range(7):
                voltage = cell.write_voltage * (int(r[i]) + int(c[j])) / 2
                if cell.write == "gate":
                    plain += cell.gate_capacitance * voltage**2
                else:
                    plain += cell.pulse_width * voltage**2 * (map_.offset + map_.scale * w[i, j])
                if r[i] and c[j]:
                    pulses += 1
                    before += w[i, j]
    energy = update_energy(
        cell, map_, pulses=pulses, weight_before=before, row_fires=rows.sum(0), col_fires=cols.sum(0),
        row_sums=w.sum(1), col_sums=w.sum(0), line_capacitance=line,
    )  # fmt: skip
    assert energy == pytest.approx(plain, rel=1e-12)


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
    assert draws.energy_J == pytest.approx(draws.count * 92.5e-15)
    leaked = sum(total.energy_J for total in chip.ledger.totals() if total.action == "leak")
    power = sum(component.leakage for component in chip.components)
    assert leaked == pytest.approx(power * chip.env.now * 1e-12)
