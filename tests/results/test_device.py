"""The life of one device, from the logs of a run: rows, causes, conductances, energies; what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import hwsim
from hwsim.cli.group import hwsim as main
from hwsim.errors import ResultsError, UsageError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> hwsim.Run:
    out = tmp_path_factory.mktemp("runs") / "run"
    return hwsim.simulate(steps=25, log="pulses", probe=["0:0-7:*", "1"], out=out)


@pytest.fixture(scope="module")
def pcm(tmp_path_factory: pytest.TempPathFactory) -> hwsim.Run:
    """Pairs that are pulsed up only and refreshed."""
    out = tmp_path_factory.mktemp("runs") / "run"
    settings = {
        "unit_cell.refresh_every": 20,
        "unit_cell.refresh_upper_thres": 0.2,
        "unit_cell.refresh_lower_thres": 0.1,
    }
    return hwsim.simulate(
        device="pcm-pair", algorithm="analog-sgd", steps=40, log="pulses", probe=["1"], out=out, set=settings
    )


def in_log(run: hwsim.Run, tile: int, row: int, col: int) -> Any:
    return run.pulses(where=f"tile = {tile} and row = {row} and col = {col}")


def test_every_pulse_of_the_device_and_no_other(run: hwsim.Run) -> None:
    for place in ((0, 3, 7), (1, 9, 31)):
        life, log = run.device(*place, only="pulse"), in_log(run, *place)
        assert len(log) > 3
        for name in ("step", "sample", "polarity"):
            assert sorted(life[name]) == sorted(log[name])
        assert life["t_ps"].is_monotonic_increasing
        np.testing.assert_allclose(life["w_after"].sort_values(), log["w"].sort_values(), rtol=1e-6)


def test_weights_and_conductances_follow_each_other(run: hwsim.Run) -> None:
    """Each pulse begins where the one before ended, and g is the line through (w_min, g_min) and (w_max, g_max)."""
    life = run.device(1, 2, 3)
    device = run.config["device"]
    w_min, w_max = device["parameters"]["w_min"], device["parameters"]["w_max"]
    for array in (0, 1):
        own = life[life["array"] == array]
        np.testing.assert_allclose(own["w_before"].iloc[1:], own["w_after"].iloc[:-1], atol=2e-7)
        slope = (7.58e-8 - 7.58e-9) / (w_max - w_min)
        np.testing.assert_allclose(own["g_after_S"], 7.58e-9 + (own["w_after"] - w_min) * slope, rtol=1e-6)


def test_causes_are_those_of_the_event_log(run: hwsim.Run) -> None:
    life = run.device(0, 3, 20)
    pulses = life[life["kind"] == "pulse"]
    # Tiki-Taka: gradients go to array 0, transfers to array 1, which the network reads.
    assert set(pulses[pulses["array"] == 0]["operation"]) == {"update"}
    assert set(pulses[pulses["array"] == 1]["operation"]) == {"transfer_write"}
    assert set(pulses["layer"]) == {"hidden"}
    reads = life[life["kind"] == "read"]
    assert set(reads[reads["array"] == 1]["operation"]) == {"forward"}
    transfers = reads[reads["operation"] == "transfer_read"]
    # Of the reads of single columns only those of column 20.
    log = pq.read_table(run.path / "line_reads.parquet").to_pandas()
    own = log[(log["tile"] == 0) & (log["line"] == 20) & (log["axis"] == 0)]
    assert 0 < len(own) < len(log)
    assert list(transfers["t_ps"]) == list(own["t_ps"])
    whole = run.sql("select count(*) n from events where component = 'tile0.crossbar' and operation = 'forward'")
    assert len(reads[reads["operation"] == "forward"]) == whole["n"][0]


def test_energies_of_all_devices_add_up_to_the_reads(run: hwsim.Run) -> None:
    """Of a read each device has its share; of pulses t V^2 g, less than the write of the array, which half-selects."""
    total = run.sql(
        "select sum(energy_J) e from events where component = 'tile1.crossbar' and action = 'read' and step = 3"
    )["e"][0]
    life = [run.device(1, row, col, only="read") for row in (0, 9) for col in (0, 31)]
    shares = [part[part["step"] == 3]["energy_J"].sum() for part in life]
    reads = life[0][life[0]["step"] == 3]
    assert shares[0] == pytest.approx(shares[2], rel=1e-9)
    forward = reads[reads["operation"] != "transfer_read"]["energy_J"].sum() * 320
    assert forward < total
    pulse = run.device(1, 2, 3, only="pulse").iloc[0]
    assert pulse["energy_J"] == pytest.approx(1e-9 * 1.0**2 * pulse["g_before_S"], rel=1e-6)


def test_resets_and_refreshes_of_pairs(pcm: hwsim.Run) -> None:
    resets = pcm.pulses(where="polarity = 0 and tile = 1")
    assert len(resets)
    row, col = int(resets["row"][0]), int(resets["col"][0])
    life = pcm.device(1, row, col)
    reset = life[life["kind"] == "reset"]
    assert set(reset["operation"]) == {"refresh"}
    assert len(reset) == ((resets["row"] == row) & (resets["col"] == col)).sum()
    assert set(life["device"]) == {0, 1}
    # The refresh reads each device of the column alone.
    refresh = life[(life["kind"] == "read") & (life["operation"] == "refresh")]
    assert (refresh["device"] == 0).sum() == (refresh["device"] == 1).sum() > 0
    assert (refresh["step"].diff().dropna() >= 0).all()


def test_windows_and_kinds(run: hwsim.Run) -> None:
    life = run.device(0, 3, 7)
    middle = int(life["t_ps"].iloc[len(life) // 2])
    early, late = run.device(0, 3, 7, end=middle), run.device(0, 3, 7, start=f"{middle} ps")
    assert len(early) + len(late) == len(life)
    assert (early["t_ps"] < middle).all()
    # Before a window the device was what it was.
    assert late["w_before"].iloc[0] == pytest.approx(life["w_before"].iloc[len(early)])
    assert set(run.device(0, 3, 7, only="read")["kind"]) == {"read"}
    assert set(run.device(0, 3, 7, array=1)["array"]) == {1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["0", "8", "3"], "row 8 of tile 0 was not probed; the run logged rows 0 to 7"),
        (["0", "32", "3"], "row 32 does not exist; tile 0 uses rows 0 to 31"),
        (["0", "3", "64"], "column 64 does not exist; tile 0 uses columns 0 to 63"),
        (["5", "0", "0"], "tile 5 was not probed; the run logged the pulses of these tiles: 0, 1"),
        (["1", "0", "0", "--array", "2"], "array 2 does not exist; tile 1 uses arrays 0 to 1"),
        (["1", "0", "0", "--from", "3"], "expected a number with the unit s"),
        (["1", "0", "0", "--csv", "--json"], "either --csv or --json"),
        (["1", "0", "x"], "'x' is not a valid integer"),
        (["1", "0"], "Missing argument 'COL'"),
        (["1", "-1", "0"], "-1"),
    ],
)
def test_what_is_not_there_is_refused(run: hwsim.Run, arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(main, ["device", str(run.path), *arguments])
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_the_command_prints_a_table_csv_and_json(run: hwsim.Run) -> None:
    def printed(*options: str) -> str:
        done = CliRunner().invoke(main, ["device", str(run.path), "1", "2", "3", *options])
        assert done.exit_code == 0, done.stderr
        return str(done.stdout)

    life = run.device(1, 2, 3)
    assert len(printed("--csv").splitlines()) == len(life) + 1
    shown = json.loads(printed("--json", "--limit", "4"))
    assert (shown["tile"], shown["row"], shown["col"]) == (1, 2, 3)
    assert shown["rows"][0]["operation"] == life["operation"][0]
    assert len(shown["rows"]) == 4
    assert printed("--limit", "3").splitlines()[0].split()[:3] == ["t_ps", "kind", "operation"]


def test_a_run_without_a_pulse_log(tmp_path: Path) -> None:
    run = hwsim.simulate(steps=1, out=tmp_path / "run")
    with pytest.raises(ResultsError, match=r"kept no pulses .run with --log pulses"):
        run.device(0, 0, 0)
    with pytest.raises(UsageError, match="kind"):
        run.device(0, 0, 0, only="write")


def test_foreign_and_damaged_logs(run: hwsim.Run, tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in run.path.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        return folder

    def refused(folder: Path, message: str) -> None:
        for arguments in (["device", str(folder), "0", "3", "7"], ["events", str(folder), "--pulses"]):
            done = CliRunner().invoke(main, arguments)
            assert done.exit_code == 2
            assert message in done.stderr
            assert "Traceback" not in done.stderr

    cut = copy("cut") / "pulses.parquet"
    cut.write_bytes(cut.read_bytes()[:-100])
    refused(cut.parent, "pulses.parquet is damaged")
    text = copy("text") / "pulses.parquet"
    text.write_text("t_ps,step\n1,2\n")
    refused(text.parent, "pulses.parquet is damaged")
    foreign = copy("foreign") / "pulses.parquet"
    pq.write_table(pa.table({"a": [1]}), foreign)
    refused(foreign.parent, "is no pulses log of hwsim")
    other = copy("other") / "pulses.parquet"
    table = pq.read_table(run.path / "pulses.parquet")
    pq.write_table(table.replace_schema_metadata({"hwsim.schema": "7"}), other)
    refused(other.parent, "has schema version '7'; this hwsim reads version 1")


@pytest.mark.parametrize(
    ("algorithm", "device", "settings"),
    [
        ("analog-sgd", "soft_bounds_reference", {}),
        ("tiki-taka", "reram-es", {}),
        ("analog-sgd", "ecram", {"chip.schedule.kind": "pipelined"}),
    ],
)
def test_log_events_and_weights_tell_of_the_same_pulses(
    tmp_path: Path, algorithm: str, device: str, settings: dict[str, Any]
) -> None:
    """Pulses counted row by row, by the event log and by the devices themselves; their steps lead to the weights."""
    run = hwsim.simulate(
        device=device, algorithm=algorithm, steps=15, log="pulses", probe=["0", "1"], out=tmp_path / "run",
        set={**settings, "device.count_pulses": True},
    )  # fmt: skip
    logged = run.sql("select tile, array, count(*) n from pulses group by all order by all")
    booked = run.sql(
        "select tile, array, sum(count)::bigint n from events where action = 'write' and component like '%.crossbar'"
        " group by all having n > 0 order by all"
    )
    assert logged.to_numpy().tolist() == booked.to_numpy().tolist()
    counts = run.summary["counts"]
    assert logged["n"].sum() == counts["coincidences"] + counts.get("transfer_pulses", 0)
    # What the devices have become: first weight and the sum of the logged steps, the last logged weight.
    weights = run.weights()
    for layer, tile in (("hidden", 0), ("output", 1)):
        for array in run.sql(f"select distinct array from pulses where tile = {tile}")["array"]:
            log = run.pulses(where=f"tile = {tile} and array = {array}")
            last = log.groupby(["row", "col"])["w"].last()
            final = weights[f"{layer}.array{array}"][tuple(np.array(last.index.tolist()).T)]
            np.testing.assert_array_equal(last.to_numpy(np.float32), final)
            steps = log.groupby(["row", "col"])["dw"].sum()
            first = log.groupby(["row", "col"]).first()
            np.testing.assert_allclose(final, (first["w"] - first["dw"] + steps).to_numpy(), atol=1e-5)
            one = log[(log["row"] == log["row"].iloc[0]) & (log["col"] == log["col"].iloc[0])]
            np.testing.assert_allclose(one["w"].iloc[1:] - one["dw"].iloc[1:], one["w"].iloc[:-1], atol=1e-6)
