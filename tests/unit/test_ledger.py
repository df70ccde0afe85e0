import numpy as np
import pytest

from hwsim.engine.ledger import COLUMNS, Ledger


def booked(ledger: Ledger, starts: list[int], rng: np.random.Generator) -> float:
    total = 0.0
    for start in starts:
        action = ledger.action(f"c{rng.integers(5)}", f"a{rng.integers(5)}", int(rng.integers(3)))
        origin = ledger.origin(f"o{rng.integers(5)}", "phase", f"layer{rng.integers(3)}", 0, 0)
        energy = float(rng.exponential(1e-12))
        ledger.book(origin, action, start, 7, int(rng.integers(1, 9)), energy)
        total += energy
    return total


def test_rows_leave_in_time_order_and_none_is_lost() -> None:
    rng = np.random.default_rng(0)
    blocks = []
    ledger = Ledger(lambda table: blocks.append(dict(table.columns)))
    total = booked(ledger, [30, 10, 20, 50], rng)
    ledger.flush(until=25)
    assert [list(block["t_ps"]) for block in blocks] == [[10, 20]]
    total += booked(ledger, [40, 25], rng)
    ledger.flush()
    assert np.concatenate([block["t_ps"] for block in blocks]).tolist() == [10, 20, 25, 30, 40, 50]
    assert ledger.rows_written == 6
    assert sum(block["energy_J"].sum() for block in blocks) == pytest.approx(total, rel=1e-12, abs=0)
    assert set(blocks[0]) == set(COLUMNS)


def test_totals_agree_with_a_plain_sum_over_rows() -> None:
    rng = np.random.default_rng(1)
    rows: list[tuple] = []
    ledger = Ledger(lambda table: rows.extend(zip(*[table.columns[name] for name in COLUMNS], strict=True)))
    for start in range(0, 900, 300):
        booked(ledger, list(range(start, start + 300)), rng)
        ledger.flush(until=start + 300)
    index = list(COLUMNS).index
    plain: dict[tuple, float] = {}
    for row in rows:
        key = tuple(ledger.names[row[index(name)]] for name in ("component", "action", "operation", "phase", "layer"))
        plain[key] = plain.get(key, 0.0) + row[index("energy_J")]
    totals: dict[tuple, float] = {}
    for total in ledger.totals():
        key = (total.component, total.action, total.operation, total.phase, total.layer)
        totals[key] = totals.get(key, 0.0) + total.energy_J
    assert totals == pytest.approx(plain, rel=1e-12, abs=0)
    assert ledger.energy == pytest.approx(sum(plain.values()), rel=1e-12, abs=0)
