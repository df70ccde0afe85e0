import numpy as np
import pytest

from hwsim.engine.bill import Entry
from hwsim.engine.ledger import COLUMNS, Ledger, Work


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


def ledger_with_rows() -> tuple[Ledger, list[tuple]]:
    rows: list[tuple] = []
    return Ledger(
        lambda table: rows.extend(zip(*(column.tolist() for column in table.columns.values()), strict=True))
    ), rows


def random_bill(ledger: Ledger, rng: np.random.Generator) -> list[Entry]:
    return [
        Entry(
            ledger.action(f"c{rng.integers(4)}", f"a{rng.integers(3)}"),
            *(int(each) for each in rng.integers(0, 40, 3)),
            float(rng.exponential(1e-12)),
        )
        for _ in range(rng.integers(1, 5))
    ]


def test_a_bill_makes_the_rows_that_its_work_would_make_one_by_one() -> None:
    rng = np.random.default_rng(2)
    (billed, rows), (plain, plain_rows) = ledger_with_rows(), ledger_with_rows()
    bills = [random_bill(billed, rng) for _ in range(6)]
    actions = {name: plain.action(f"c{name[0]}", f"a{name[1]}") for name in np.ndindex(4, 3)}
    known = [billed.bill(entries) for entries in bills]
    for start in range(0, 3000, 10):
        origins = [each.origin("o", "phase", f"layer{start % 3}", start, 2 * start) for each in (billed, plain)]
        chosen, times = int(rng.integers(len(bills))), int(rng.integers(1, 9))
        billed.post(origins[0], known[chosen], start, times)
        for entry in bills[chosen]:
            key = next(
                key for key, value in actions.items() if billed.action(f"c{key[0]}", f"a{key[1]}") == entry.action
            )
            count = times * entry.number
            plain.book(
                origins[1], actions[key], start + entry.after, times * entry.duration, count, count * entry.energy
            )
        if start % 400 == 0:
            # Some rows of the last bills start later, and wait for the next flush.
            billed.flush(until=start + 5)
            plain.flush(until=start + 5)
    for ledger in (billed, plain):
        ledger.flush()
    as_text = [[named(row, ledger) for row in found] for found, ledger in ((rows, billed), (plain_rows, plain))]
    assert as_text[0] == as_text[1]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert billed.energy == pytest.approx(plain.energy, rel=1e-12, abs=0)
    assert billed.work() == plain.work()


def named(row: tuple, ledger: Ledger) -> tuple:
    kinds = [dtype for dtype, _, _ in COLUMNS.values()]
    return tuple(ledger.names[value] if kind == "name" else value for value, kind in zip(row, kinds, strict=True))


def test_work_counts_what_is_not_flushed_yet_and_no_time_twice() -> None:
    ledger, _ = ledger_with_rows()
    origin = ledger.origin("o", "phase", "layer", 0, 0)
    ledger.book(origin, ledger.action("adc", "convert"), 0, 30, 4, 0.0)
    ledger.flush()
    ledger.book(origin, ledger.action("adc", "convert"), 50, 10, 2, 0.0)
    ledger.book(origin, ledger.action("adc", "compare", beside=True), 50, 10, 7, 0.0)
    assert ledger.work() == {"adc": Work(40, {"convert": 6, "compare": 7})}
