"""Sensitivities against variances that are known in closed form."""

from pathlib import Path

import numpy as np
import pytest

from hwsim.results.sweep import Sweep
from hwsim.results.sweep_record import write_sweep_table


def made(path: Path, rows: list[dict[str, object]], varied: list[str]) -> Sweep:
    full = [
        {"point": index, **row, "seed": 0, "state": "complete", "error": None, "folder": f"points/{index:04d}"}
        for index, row in enumerate(rows)
    ]
    write_sweep_table(path, full, varied)
    names = "[" + ", ".join(f'"{name}"' for name in varied) + "]"
    (path / "sweep.json").write_text(f'{{"schema": 1, "state": "complete", "varied": {names}, "points": []}}')
    return Sweep(path)


def test_shares_of_an_additive_grid_are_its_variances(tmp_path: Path) -> None:
    rows = [
        {"a": a, "b": b, "loss": 3.0 * a + 1.0 * ord(b), "latency_s": 1.0 + a}
        for a in (0, 1, 2) for b in ("p", "q", "r")
    ]  # fmt: skip
    shares = {(each.parameter, each.outcome): each.share for each in made(tmp_path, rows, ["a", "b"]).sensitivity()}
    assert shares["a", "loss"] == pytest.approx(0.9)  # variances 9 : 1
    assert shares["b", "loss"] == pytest.approx(0.1)
    assert shares["a", "latency_s"] == pytest.approx(1.0)
    assert shares["b", "latency_s"] == pytest.approx(0.0, abs=1e-12)


def test_shares_of_drawn_values_are_first_order_indices(tmp_path: Path) -> None:
    # y = 4 x1 + 2 x2 + x3 of uniform x: first-order indices 16 : 4 : 1. Five groups keep 24/25 of a uniform variance.
    rng = np.random.default_rng(0)
    x = rng.random((2000, 3))
    rows = [
        {"x1": p, "x2": q, "x3": r, "none": float(rng.random()), "loss": 4 * p + 2 * q + r} for p, q, r in x.tolist()
    ]
    effects = made(tmp_path, rows, ["x1", "x2", "x3", "none"]).sensitivity()
    shares = {each.parameter: each.share for each in effects}
    for name, index in {"x1": 16 / 21, "x2": 4 / 21, "x3": 1 / 21}.items():
        assert shares[name] == pytest.approx(index * 24 / 25, abs=0.035)  # about 3 standard errors of 2000 draws
    assert shares["none"] < 0.01
    assert [each.parameter for each in effects][:2] == ["x1", "x2"]
    groups = next(each for each in effects if each.parameter == "x1").groups
    assert [round(float(value), 1) for value, *_ in groups] == [0.1, 0.3, 0.5, 0.7, 0.9]


def test_means_over_seeds(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"a": a, "accuracy": 0.5 + a + d} for a in (0.0, 0.1) for d in (-0.01, 0.01)]
    frame = made(tmp_path, rows, ["a"]).by_point()
    assert list(frame["seeds"]) == [2, 2]
    assert frame["accuracy"].tolist() == pytest.approx([0.5, 0.6])
    assert frame["accuracy_std"].tolist() == pytest.approx([0.01 * 2**0.5] * 2)
