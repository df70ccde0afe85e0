import re

import pytest

from hwsim.errors import ResultsError
from hwsim.results.compare import compare
from hwsim.results.text import report


def _numbers(lines, columns):
    return [[float(line.split()[index]) for index in columns] for line in lines]


def test_fits_a_screen(make_run):
    for index, changes in enumerate(
        ({}, {"timing": False}, {"state": "failed", "error": "x " * 400}, {"trace": "t" * 300})
    ):
        lines = report(make_run(f"run{index}", **changes)).splitlines()
        assert len(lines) <= 30
        widest = max(len(line) for line in lines if "run folder" not in line and "next:" not in line)
        assert widest <= 80


def test_printed_columns_add_up(shared_run):
    lines = report(shared_run).splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("energy by component"))
    table = lines[first + 1 : first + 12]
    left = [re.match(r"  (.+?)\s+([\d.]+)\s+([\d.]+)\s", line + " ") for line in table]
    left = [match for match in left if match]
    *parts, total = [(float(match[2]), float(match[3])) for match in left]
    assert left[-1][1] == "total"
    assert sum(part[0] for part in parts) == pytest.approx(total[0], abs=1e-9)
    assert sum(part[1] for part in parts) == pytest.approx(100, abs=1e-9)
    right = [line[36:].split() for line in table if len(line) > 40]
    *phases, whole = right
    for column in (1, 2, 3, 4):
        assert sum(float(row[column]) for row in phases) == pytest.approx(float(whole[column]), abs=1e-9)


def test_says_what_ran_and_what_is_next(shared_run):
    text = report(shared_run)
    assert "digits-mlp on chip baseline, device reram-sb, algorithm tiki-taka, seed 0" in text
    assert "96.39 %" in text
    assert "287.3 ns per sample" in text
    assert "each add up to the total" in text
    assert f"next: hwsim report {shared_run.path} --html report.html" in text


def test_a_wrong_sum_is_said(make_run):
    text = report(make_run(energy_by_layer={"hidden": 1e-6}))
    assert "WARNING: energy by layer adds up to 1e-06, the total is 3.89" in text
    assert "each add up" not in text


def test_without_timing_or_accuracy(make_run):
    text = report(make_run(timing=False, accuracy=None))
    assert "timing  off" in text
    assert re.search(r"loss\s+0.1234", text)


def test_failed_and_unfinished_runs_say_so(make_run):
    assert "THIS RUN FAILED: NaN" in report(make_run(state="failed", error="NaN"))
    killed = make_run("other", state="running")
    assert "not complete" in report(killed)
    assert "--resume" not in report(killed)
    (killed.path / "checkpoint.hwsim").write_bytes(b"")
    assert f"hwsim run --resume {killed.path}" in report(killed)
    with pytest.raises(ResultsError, match="if it was killed: hwsim run --resume"):
        _ = killed.summary
    stopped = make_run("third", state="interrupted", error="interrupted after step 3; to go on: hwsim run --resume x")
    assert "interrupted after step 3; to go on: hwsim run --resume x" in " ".join(report(stopped).split())


def test_a_run_of_nothing(make_run):
    empty = {
        "energy_by_component": {},
        "energy_by_phase": {},
        "latency_by_phase": {},
        "energy_by_layer": {},
        "counts": {},
    }
    text = report(
        make_run(energy_J=0.0, latency_s=0.0, samples=0, steps=0, energy_by_tile={}, latency_by_layer={}, **empty)
    )
    assert "total" in text


def test_compare(make_run):
    runs = [
        make_run(f"r{index}", algorithm=name) for index, name in enumerate(("digital-sgd", "analog-sgd", "tiki-taka"))
    ]
    runs.append(make_run("r3", state="failed", error="NaN"))
    text = compare(runs[:3])
    assert max(len(line) for line in text.splitlines()) <= 80
    assert re.search(r"algorithm\s+digital-sgd\s+analog-sgd\s+tiki-taka", text)
    assert re.search(r"accuracy\s+96.39 %\s+96.39 %\s+96.39 %", text)
    assert re.search(r"latency: update\s+185.8 us", text)
    assert re.search(r"state\s+-\s+failed", compare([runs[0], runs[3]]))
    assert compare(runs).count("algorithm") == 2  # four runs are two blocks
    assert "" not in {line.strip() for line in text.splitlines()}


def test_compare_tells_equal_names_apart(make_run):
    text = compare([make_run("a/run"), make_run("b/run")])
    assert "a/run" in text
    assert "b/run" in text
