"""An interrupted run that is resumed ends with the same bytes as one that was never interrupted."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwsim
from hwsim.cli import group
from hwsim.errors import DataError, InputError, RunError, UsageError
from hwsim.run import checkpoint as checkpoint_files
from hwsim.run.checkpoint import CHECKPOINT_FILE, read_checkpoint

HOST = {"run.json"}
"""Files with host times."""


class Killed(BaseException):
    """Stands for the end of a process; nobody catches it."""


def content(path: Path) -> dict[str, bytes]:
    """Return the bytes of every file of a run but those with host times."""
    return {file.name: file.read_bytes() for file in path.iterdir() if file.name not in HOST}


def assert_same(resumed: Path, whole: Path) -> None:
    """Check that two folders hold the same files, and that both runs are complete."""
    found, wanted = content(resumed), content(whole)
    assert sorted(found) == sorted(wanted)
    assert [name for name in wanted if found[name] != wanted[name]] == []
    assert json.loads((resumed / "run.json").read_text())["state"] == "complete"


def copies_after(folder: Path, steps: set[int]) -> Callable[..., None]:
    """Return a progress callback that copies the run folder after these steps, as a kill would leave it."""

    def copy(step: int, *_: Any) -> None:
        if step in steps:
            shutil.copytree(folder, folder.with_name(f"{folder.name}-{step}"))

    return copy


def interrupted_and_whole(
    tmp_path: Path, at: int, *, trace: str = "digits-mlp", steps: int = 5, **options: Any
) -> tuple[Path, Path]:
    """Run a trace whole, and take a copy of its folder one step after the checkpoint of step ``at``."""
    whole = tmp_path / "whole"
    hwsim.simulate(trace, out=whole, steps=steps, checkpoint=at, progress=copies_after(whole, {at + 1}), **options)
    return tmp_path / f"whole-{at + 1}", whole


def test_every_step_of_a_tiny_run_can_be_resumed(tmp_path: Path, npz: Path) -> None:
    plain = hwsim.simulate(str(npz), epochs=2, algorithm="ttv2", out=tmp_path / "plain")
    whole = tmp_path / "whole"
    steps = len(plain.metrics)
    hwsim.simulate(
        str(npz), epochs=2, algorithm="ttv2", out=whole, checkpoint=1,
        progress=copies_after(whole, set(range(2, steps + 1))),
    )  # fmt: skip
    assert_same(whole, plain.path)
    for step in range(2, steps + 1):
        resumed = hwsim.resume(tmp_path / f"whole-{step}")
        assert len(resumed.metrics) == steps
        assert_same(resumed.path, plain.path)


CASES: dict[str, dict[str, Any]] = {
    "tiki-taka": {"algorithm": "tiki-taka", "set": {"zero_shift_pulses": 20, "with_reset_prob": 0.1}},
    "ttv2": {"algorithm": "ttv2"},
    "c-ttv2": {"algorithm": "c-ttv2", "set": {"chip.schedule.kind": "overlapped"}},
    "agad": {"algorithm": "agad", "set": {"chip.schedule.kind": "pipelined"}},
    "residual-v2": {"algorithm": "residual-v2"},
    "mixed-precision": {"algorithm": "mixed-precision"},
    "multi-tile": {"algorithm": "multi-tile", "set": {"tile.arrays": 3}},
    "analog-sgd": {"algorithm": "analog-sgd", "chip": "small-tiles"},
    "digital-sgd": {"algorithm": "digital-sgd"},
    "digital-sgd with gradient noise": {"algorithm": {"name": "digital-sgd", "gradient_noise": 0.1}},
    "smooth-analog-sgd": {"algorithm": {"name": "smooth-analog-sgd", "gradient_noise": 0.1}},
    "devices that age": {"device": "capacitor"},
    "reference devices": {"device": "pow_step_reference"},
    "pairs with refresh and a pulse log": {"device": "pcm-pair", "log": "pulses", "probe": ["0"]},
    "two devices in turn, lines logged": {
        "device": "reram-es-2", "log": "pulses", "probe": ["0:0-3:0-3"], "set": {"chip.schedule.kind": "overlapped"},
    },
    "links of a tree": {"set": {"bus": None, "interconnect": {"kind": "htree", "model": "bus-256b-isaac"}}},
    "links of a mesh": {
        "chip": "small-tiles",
        "set": {"bus": None, "interconnect": {"kind": "mesh", "model": "bus-256b-isaac", "rows": 9, "cols": 9}},
    },
    "faults": {
        "set": {
            "chip.faults": [
                {"fault": "stuck_device", "at": "upper", "rate": 0.05},
                {"fault": "missed_pulses", "side": "row", "rate": 0.2, "probability": 0.3},
            ]
        }
    },
    "without timing": {"timing": False},
    "activity": {"fidelity": "activity", "steps": 6},
    "activity with resets": {"fidelity": "activity", "set": {"with_reset_prob": 0.1}},
    "activity with choppers": {
        "fidelity": "activity", "algorithm": "agad", "set": {"chip.schedule.kind": "pipelined"},
    },
    "activity of a digital matrix": {"fidelity": "activity", "algorithm": "digital-sgd"},
    "activity of convolutions": {"trace": "digits-cnn", "chip": "large", "fidelity": "activity"},
    "activity of a large network": {"trace": "lenet-5", "chip": "large", "fidelity": "activity", "epochs": 4},
    "convolutions, normalisation, replicas": {
        "trace": "digits-cnn", "steps": 4, "chip": "large", "set": {"replicas": {"conv": 2}},
    },
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_all_that_changes_is_in_the_checkpoint(tmp_path: Path, case: str) -> None:
    killed, whole = interrupted_and_whole(tmp_path, 2, **({"steps": 4} | CASES[case]))
    assert_same(hwsim.resume(killed).path, whole)


def test_flushes_of_the_ledger_stay_where_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Energies are added up block by block, so their last bits depend on where blocks end."""
    monkeypatch.setattr("hwsim.chip.sequencer.FLUSH_POSTINGS", 700)
    options: dict[str, Any] = {"algorithm": "tiki-taka", "set": {"chip.schedule.kind": "pipelined"}}
    killed, whole = interrupted_and_whole(tmp_path, 11, steps=20, **options)
    assert len(hwsim.open_run(whole).events()) > 5 * 700
    assert_same(hwsim.resume(killed, checkpoint=3).path, whole)


def test_a_delayed_schedule_has_checkpoints_between_epochs(tmp_path: Path, npz: Path) -> None:
    whole = tmp_path / "whole"
    options: dict[str, Any] = {"epochs": 2, "set": {"chip.schedule.kind": "delayed", "batch_size": 10}}
    run = hwsim.simulate(str(npz), out=whole, checkpoint=1, progress=lambda *_: None, **options)
    middle = len(run.metrics) // 2
    shutil.rmtree(whole)
    hwsim.simulate(str(npz), out=whole, checkpoint=1, progress=copies_after(whole, {middle, middle + 2}), **options)
    assert not (tmp_path / f"whole-{middle}" / CHECKPOINT_FILE).exists()
    assert_same(hwsim.resume(tmp_path / f"whole-{middle + 2}").path, whole)


# Kills and signals


def start(out: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "hwsim", "run", "--out", str(out), "--quiet", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an uninterrupted run."""
    return hwsim.simulate("digits-mlp", steps=150, out=tmp_path_factory.mktemp("digits") / "whole").path


def test_kills_at_random_times_lose_nothing(tmp_path: Path, digits: Path) -> None:
    delays = np.random.default_rng(7).uniform(0, 0.4, 2)
    for number, delay in enumerate(delays):
        out = tmp_path / f"killed{number}"
        process = start(out, "--steps", "150", "--checkpoint", "5")
        wait_for(out / CHECKPOINT_FILE, process)
        time.sleep(float(delay))
        process.kill()
        process.communicate()
        assert_same(hwsim.resume(out).path, digits)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_step_and_says_how_to_resume(
    tmp_path: Path, digits: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "run"
    process = start(out, "--steps", "150", "--checkpoint", "1000" if number == signal.SIGINT else "1")
    wait_for(out / "metrics.parquet", process)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert f"hwsim run --resume {out}" in said
    assert "Traceback" not in said
    info = json.loads((out / "run.json").read_text())
    assert info["state"] == "interrupted"
    assert_same(hwsim.resume(out).path, digits)


# Damage


@pytest.fixture
def killed(tmp_path: Path, npz: Path) -> tuple[Path, Path]:
    """Return a run folder as a kill leaves it, and one of the whole run."""
    return interrupted_and_whole(tmp_path, 3, trace=str(npz), steps=8, set={"batch_size": 5})


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_checkpoint_is_refused(killed: tuple[Path, Path], keep: float) -> None:
    path = killed[0] / CHECKPOINT_FILE
    before = (killed[0] / "metrics.parquet").read_bytes()
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(DataError, match=CHECKPOINT_FILE):
        hwsim.resume(killed[0])
    assert (killed[0] / "metrics.parquet").read_bytes() == before


def test_a_changed_byte_is_noticed(killed: tuple[Path, Path]) -> None:
    path = killed[0] / CHECKPOINT_FILE
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for at in rng.integers(len(data), size=40):
        changed = data.copy()
        changed[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        with pytest.raises(InputError):
            hwsim.resume(killed[0])


def test_a_loss_of_power_behind_a_checkpoint_does_no_harm(killed: tuple[Path, Path]) -> None:
    """What was written after the last checkpoint may be gone or garbage, and the next one half written."""
    folder, whole = killed
    state = read_checkpoint(folder, config_hash=json.loads((folder / "run.json").read_text())["config_hash"])
    for name, table in state["tables"].items():
        path = folder / f"{name}.parquet"
        kept = checkpoint_files_end(table)
        path.write_bytes(path.read_bytes()[:kept] + b"\xff" * 17)
    (folder / checkpoint_files.PART).write_bytes((folder / CHECKPOINT_FILE).read_bytes()[:100])
    (folder / "summary.json").write_text("{")
    assert_same(hwsim.resume(folder).path, whole)


def checkpoint_files_end(table: dict[str, Any]) -> int:
    """Return where the row groups of a table end."""
    from hwsim.run.footer import MAGIC, read_footer

    groups = read_footer(MAGIC + table["footer"].tobytes()).groups
    return groups[-1].end if groups else len(MAGIC)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, npz: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"steps": 8, "set": {"batch_size": 5}}
    whole = hwsim.simulate(str(npz), out=tmp_path / "whole", **options).path
    out = tmp_path / "full"
    with monkeypatch.context() as patch:
        real = os.replace

        def replace(source: Any, target: Any) -> None:
            if Path(target).name == CHECKPOINT_FILE and Path(target).exists():
                raise OSError(28, "No space left on device")
            real(source, target)

        patch.setattr(checkpoint_files.os, "replace", replace)
        with pytest.raises(RunError, match="No space left"):
            hwsim.simulate(str(npz), out=out, checkpoint=3, **options)
    assert not (out / checkpoint_files.PART).exists()
    assert json.loads((out / "run.json").read_text())["state"] == "failed"
    assert_same(hwsim.resume(out).path, whole)


def full_after(monkeypatch: pytest.MonkeyPatch, moves: int) -> None:
    """Let the disk be full after so many files have been put in their place."""
    real, left = os.replace, moves

    def replace(source: Any, target: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)


@pytest.mark.parametrize("moves", [0, 1, 2, 4])
def test_no_room_for_the_folder_leaves_nothing(
    tmp_path: Path, npz: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    out = tmp_path / "full"
    full_after(monkeypatch, moves)
    with pytest.raises(RunError, match=r"cannot write the run folder .*full: No space left on device"):
        hwsim.simulate(str(npz), out=out, steps=2)
    assert not out.exists()


def test_a_disk_without_room_for_the_state_of_the_run(
    tmp_path: Path, npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even ``run.json`` can be written: the error says what happened first, and the folder can be taken up."""
    options: dict[str, Any] = {"steps": 8, "set": {"batch_size": 5}}
    whole = hwsim.simulate(str(npz), out=tmp_path / "whole", **options).path
    out = tmp_path / "full"

    def fill(step: int, *_: Any) -> None:
        if step == 5:
            full_after(monkeypatch, 0)

    with monkeypatch.context(), pytest.raises(RunError, match=r"cannot write the checkpoint .*No space left"):
        hwsim.simulate(str(npz), out=out, checkpoint=3, progress=fill, **options)
    monkeypatch.undo()
    assert_same(hwsim.resume(out).path, whole)


def test_a_lost_end_of_the_cost_tables_is_written_anew(killed: tuple[Path, Path]) -> None:
    folder, whole = killed
    text = (folder / "tables.yaml").read_text(encoding="utf-8")
    (folder / "tables.yaml").write_text(text[: len(text) // 2], encoding="utf-8")
    assert_same(hwsim.resume(folder).path, whole)


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path: Path, killed: tuple[Path, Path], npz: Path) -> None:
    (tmp_path / "other").mkdir()
    other, _ = interrupted_and_whole(tmp_path / "other", 2, trace=str(npz), steps=6, seed=3, set={"batch_size": 5})
    shutil.copy(other / CHECKPOINT_FILE, killed[0] / CHECKPOINT_FILE)
    with pytest.raises(DataError, match="another configuration"):
        hwsim.resume(killed[0])


def test_a_changed_configuration_is_refused(killed: tuple[Path, Path]) -> None:
    config = killed[0] / "config.yaml"
    config.write_text(config.read_text().replace("batch_size: 5", "batch_size: 6"))
    with pytest.raises(DataError, match=r"config\.yaml"):
        hwsim.resume(killed[0])


def test_changed_data_are_refused(killed: tuple[Path, Path], npz: Path) -> None:
    with np.load(npz) as data:
        np.savez(npz, x=data["x"] * 2, y=data["y"])
    with pytest.raises(DataError, match="data"):
        hwsim.resume(killed[0])


def test_a_checkpoint_of_another_schema_is_refused(killed: tuple[Path, Path]) -> None:
    path = killed[0] / CHECKPOINT_FILE
    line, _, rest = path.read_bytes().partition(b"\n")
    path.write_bytes(line.replace(b'"schema": 1', b'"schema": 9') + b"\n" + rest)
    with pytest.raises(DataError, match="schema version 9"):
        hwsim.resume(killed[0])


def test_a_checkpoint_holds_no_objects(killed: tuple[Path, Path]) -> None:
    """An array of objects, which NumPy would unpickle, is refused even with a right checksum."""
    path = killed[0] / CHECKPOINT_FILE
    config_hash = json.loads((killed[0] / "run.json").read_text())["config_hash"]
    state = read_checkpoint(killed[0], config_hash=config_hash)
    evil = np.array([print], dtype=object)
    checkpoint_files.write_checkpoint(killed[0], {**state, "now": evil}, config_hash=config_hash)
    assert path.exists()
    with pytest.raises(DataError, match="cannot be read"):
        hwsim.resume(killed[0])


def test_a_link_in_the_folder_is_not_followed(tmp_path: Path, killed: tuple[Path, Path]) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes((killed[0] / "events.parquet").read_bytes())
    before = outside.read_bytes()
    (killed[0] / "events.parquet").unlink()
    (killed[0] / "events.parquet").symlink_to(outside)
    with pytest.raises(InputError, match=r"events\.parquet is a link"):
        hwsim.resume(killed[0])
    assert outside.read_bytes() == before


def test_a_bomb_is_not_unpacked(killed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    config_hash = json.loads((killed[0] / "run.json").read_text())["config_hash"]
    monkeypatch.setattr(np, "savez", np.savez_compressed)
    checkpoint_files.write_checkpoint(killed[0], {"zeros": np.zeros(1 << 24)}, config_hash=config_hash)
    with pytest.raises(DataError, match="compressed"):
        hwsim.resume(killed[0])


# Use


def test_a_complete_run_stays_as_it_is(tmp_path: Path, npz: Path) -> None:
    run = hwsim.simulate(str(npz), out=tmp_path / "run", steps=2, checkpoint=1)
    assert not (run.path / CHECKPOINT_FILE).exists()
    before = content(run.path)
    (run.path / CHECKPOINT_FILE).write_bytes(b"left over")
    assert hwsim.resume(run.path).summary == run.summary
    assert content(run.path) == before


def test_a_run_without_a_checkpoint_says_so(tmp_path: Path, npz: Path) -> None:
    def kill(*_: Any) -> None:
        raise Killed

    with pytest.raises(Killed):
        hwsim.simulate(str(npz), out=tmp_path / "run", steps=4, progress=kill)
    with pytest.raises(DataError, match="before its first checkpoint"):
        hwsim.resume(tmp_path / "run")


def test_two_processes_do_not_work_in_one_folder(tmp_path: Path, npz: Path) -> None:
    seen = []

    def resume_beside(step: int, *_: Any) -> None:
        if step == 3:
            with pytest.raises(UsageError, match="another process"):
                hwsim.resume(tmp_path / "run")
            seen.append(step)

    hwsim.simulate(str(npz), out=tmp_path / "run", steps=4, set={"batch_size": 5}, checkpoint=1, progress=resume_beside)
    assert seen == [3]


def test_a_run_that_is_recorded_has_no_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no checkpoints"):
        hwsim.simulate("digits-mlp", out=tmp_path / "run", steps=2, checkpoint=1, record=tmp_path / "vectors.parquet")
    assert not (tmp_path / "run").exists()


def test_the_command_line_resumes_and_refuses_another_configuration(
    killed: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, whole = killed

    def main(*arguments: str) -> int:
        with pytest.raises(SystemExit) as ended:
            group.hwsim.main(["run", "--resume", str(folder), "--quiet", *arguments], prog_name="hwsim")
        return int(ended.value.code or 0)

    assert main("--seed", "3") == 2
    assert "leave out --seed" in capsys.readouterr().err
    assert main("--data", str(folder.parent)) == 0
    assert capsys.readouterr().out.strip() == str(folder)
    assert_same(folder, whole)


def test_replayed_traces_are_resumed_too(tmp_path: Path) -> None:
    file = tmp_path / "vectors.parquet"
    hwsim.simulate("digits-mlp", steps=5, out=tmp_path / "recorded", record=file)
    killed, whole = interrupted_and_whole(tmp_path, 2, trace=str(file), steps=5)
    assert_same(hwsim.resume(killed).path, whole)
