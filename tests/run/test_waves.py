"""Waves: what the lines of a dump say happened to the devices is what the logs and the weights say."""

import shutil
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from vcd.reader import TokenKind, tokenize

from hwsim.errors import ResultsError, UsageError

Pulse = tuple[int, str, int, int, int]


def read_dump(path: Path):
    """Yield (time, {wire: value}) of a dump after each time, and the changed wires."""
    names, scope, values, changed, time = {}, [], {}, set(), None
    with path.open("rb") as file:
        for token in tokenize(file):
            if token.kind is TokenKind.SCOPE:
                scope.append(token.scope.ident)
            elif token.kind is TokenKind.UPSCOPE:
                scope.pop()
            elif token.kind is TokenKind.VAR:
                names[token.var.id_code] = ".".join([*scope, token.var.reference])
            elif token.kind is TokenKind.CHANGE_TIME:
                if changed:
                    yield time, values, changed
                time, changed = token.time_change, set()
            elif token.kind in (TokenKind.CHANGE_SCALAR, TokenKind.CHANGE_VECTOR, TokenKind.CHANGE_STRING):
                change = token.data
                name = names[change.id_code]
                values[name] = change.value
                changed.add(name)
    if changed:
        yield time, values, changed


def pulses_of(path: Path) -> list[Pulse]:
    """Return time, array, row, column and polarity of every pulse that the lines of a dump give (0: reset)."""
    found = []
    for time, values, changed in read_dump(path):
        rising = defaultdict(lambda: ([], []))
        for name in changed:
            array, _, line = name.rpartition(".")
            if line[:3] in ("row", "col") and line[3:].isdigit() and values[name] == "1":
                rising[array][line.startswith("col")].append(int(line[3:]))
        for array, (rows, cols) in rising.items():
            for row in rows:
                for col in cols:
                    equal = values[f"{array}.row{row}_negative"] == values[f"{array}.col{col}_negative"]
                    if values[f"{array}.reset"] == "1":
                        found.append((time, array, row, col, 0))
                    elif values[f"{array}.{'down' if equal else 'up'}"] == "1":
                        found.append((time, array, row, col, -1 if equal else 1))
    return sorted(found)


def pulses_in_log(run, *, several: bool) -> list[Pulse]:
    log = run.pulses()
    places = [
        f"hwsim.tile{tile}.array{array}" + (f".device{device}" if several else "")
        for tile, array, device in zip(log.tile, log.array, log.device, strict=True)
    ]
    return sorted(zip(log.t_ps, places, log.row, log.col, log.polarity, strict=True))


@pytest.mark.parametrize(
    ("settings", "several"),
    [
        ({}, False),
        ({"algorithm": "analog-sgd", "set": {"algorithm.update.pulse_type": "stochastic"}}, False),
        (
            {"set": {"tile.row_pulser.polarity_phases": 1, "tile.col_pulser.polarity_phases": 1}},
            False,
        ),
        ({"set": {"with_reset_prob": 0.5, "zero_shift_pulses": 20}}, False),
        ({"device": "reram-es-4", "algorithm": "analog-sgd"}, True),
        ({"device": "pcm-pair", "algorithm": "analog-sgd"}, True),
    ],
    ids=["tiki-taka", "two passes", "one phase", "resets and zero-shift", "four devices", "pairs"],
)
def test_pulses_of_waves_are_those_of_the_log(run, npz, tmp_path, settings, several) -> None:
    ran = run(str(npz), steps=6, log="pulses", probe=["0:0-5:2-7", "1:*:1"], **settings)
    pulses = pulses_of(ran.export("vcd", tmp_path / "waves.vcd"))
    expected = pulses_in_log(ran, several=several)
    if settings.get("device") == "pcm-pair":  # a pair's devices are only pulsed up: down coincidences go to device 1
        pulses = [(*place, abs(polarity)) for *place, polarity in pulses]
    assert len(expected) > 10
    assert pulses == [tuple(row) for row in expected]


def test_waves_events_pulses_and_weights_agree(run, npz, tmp_path) -> None:
    step = 0.001
    exact = {"name": "constant_step", "dw_min": step, "dw_min_std": 0.0, "dw_min_dtod": 0.0, "up_down_dtod": 0.0,
             "w_max": 10.0, "w_min": -10.0, "w_max_dtod": 0.0, "w_min_dtod": 0.0}  # fmt: skip
    ran = run(str(npz), steps=12, device=exact, log="pulses", probe=["0"])
    pulses = [pulse for pulse in pulses_of(ran.export("vcd", tmp_path / "waves.vcd")) if ".array0" in pulse[1]]
    log = ran.pulses('"array" = 0')
    events = ran.events("tile = 0 and \"array\" = 0 and action = 'write'")
    assert len(pulses) == len(log) == events["count"].sum() > 100
    fast = ran.weights()["hidden.array0"]  # starts at 0
    net = np.zeros(fast.shape, int)
    for _, _, row, col, polarity in pulses:
        net[row, col] += polarity
    assert np.array_equal(net, np.rint(fast / step).astype(int))
    by_device = Counter((row, col) for _, _, row, col, _ in pulses)
    assert by_device == Counter(zip(log.row, log.col, strict=True))


def test_busy_parts_and_state_are_those_of_the_events(run, npz, tmp_path) -> None:
    ran = run(str(npz), steps=3, log="pulses", probe=["0:0:0"])
    busy, since, states = Counter(), {}, set()
    for time, values, changed in read_dump(ran.export("vcd", tmp_path / "waves.vcd")):
        for name in changed:
            if name.endswith("_busy"):
                part = name.removeprefix("hwsim.").removesuffix("_busy")
                if values[name] == "1":
                    since.setdefault(part, time)
                elif part in since:
                    busy[part] += time - since.pop(part)
        states.add(values["hwsim.controller.state"])
    events = ran.events("tile = 0 and dur_ps > 0")
    for component, rows in events.groupby("component"):
        covered, until = 0, 0
        for start, duration in zip(rows.t_ps, rows.dur_ps, strict=True):
            covered += max(start + duration - max(start, until), 0)
            until = max(until, start + duration)
        assert busy[component] == covered, component
    layers = {(operation, layer) for operation, layer in zip(events.operation, events.layer, strict=True)}
    assert {f"{operation}_{layer}".rstrip("_") for operation, layer in layers} <= states
    assert "idle" in states


def test_a_window_holds_what_happens_in_it(run, npz, tmp_path) -> None:
    ran = run(str(npz), steps=6, log="pulses", probe=["0:0-5"])
    log = ran.pulses()
    start, end = (int(log.t_ps.iloc[len(log) * part // 10]) for part in (3, 7))
    file = ran.export("vcd", tmp_path / "part.vcd", window=f"{start}ps:{end}ps")
    inside = log[(log.t_ps >= start) & (log.t_ps < end)]
    assert 0 < len(inside) < len(log)
    assert [time for time, *_ in pulses_of(file)] == sorted(inside.t_ps)
    assert all(start <= time <= end for time, _, _ in read_dump(file))


@pytest.mark.skipif(shutil.which("vcd2fst") is None, reason="needs vcd2fst (Debian: apt install gtkwave)")
def test_gtkwave_reads_the_waves(run, npz, tmp_path) -> None:
    ran = run(str(npz), steps=6, log="pulses", probe=["0:0-5"])
    file = ran.export("vcd", tmp_path / "waves.vcd")
    subprocess.run(["vcd2fst", file, tmp_path / "waves.fst"], check=True, capture_output=True)
    back = subprocess.run(["fst2vcd", tmp_path / "waves.fst"], check=True, capture_output=True).stdout
    (tmp_path / "back.vcd").write_bytes(back)
    assert pulses_of(tmp_path / "back.vcd") == pulses_of(file) != []


def test_what_has_no_waves_is_refused(run, npz, tmp_path) -> None:
    file = tmp_path / "waves.vcd"
    with pytest.raises(ResultsError, match=r"kept no lines \(run with --log pulses and --probe"):
        run(str(npz), steps=1).export("vcd", file)
    counted = run(
        str(npz), steps=1, log="pulses", probe=["0"], algorithm="analog-sgd",
        set={"algorithm.update.pulse_type": "deterministic_implicit"},
    )  # fmt: skip
    with pytest.raises(UsageError, match=r"deterministic_implicit.*no trains on lines"):
        counted.export("vcd", file)
    assert list(tmp_path.glob("*waves*")) == []
