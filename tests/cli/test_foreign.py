"""Folders and files of other people: they reach nothing outside, unfold to nothing endless and steer no terminal."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import hwsim
from hwsim.cli.group import hwsim as command
from hwsim.devices import load_device
from hwsim.errors import ResultsError, SpecError
from hwsim.foreign import visible
from hwsim.spec.load import load_document, parse_value

STEERING = "\x1b[31m\x9b2J\u202ename\x07"
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{name}'] * 9)}]\n" for name, after in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Nine lines that stand for 400 million values."""
COMMANDS = (
    ("report", "RUN"), ("report", "RUN", "--json"), ("compare", "RUN", "RUN"), ("events", "RUN", "--limit", "2"),
    ("path", "RUN"), ("run", "--resume", "RUN"),
    ("run", "--fidelity", "activity", "--statistics", "RUN", "--steps", "1", "--out", "OUT"),
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return hwsim.simulate("digits-mlp", steps=2, out=tmp_path_factory.mktemp("made") / "run").path


@pytest.fixture
def run(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


@pytest.fixture(scope="module")
def made_sweep(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sweep") / "sweep"
    hwsim.sweep({"trace": "least-squares", "vary": {"learning_rate": [0.01, 0.02]}, "steps": 2}, out=folder, jobs=1)
    shutil.rmtree(folder / "points" / "0001")
    return folder


def call(*words: object):
    return CliRunner().invoke(command, [str(word) for word in words])


def refusals(run: Path, tmp_path: Path, commands=COMMANDS) -> list[str]:
    """Return what the commands say about a run folder that each of them must refuse."""
    said = []
    for words in commands:
        out = tmp_path / "out"
        found = call(*({"RUN": run, "OUT": out}.get(word, word) for word in words))
        assert found.exit_code == 2, (words, found.output)
        assert not out.exists()
        said.append(found.stderr)
    return said


def test_a_link_out_of_a_run_folder_is_not_read(run, tmp_path) -> None:
    secret = tmp_path / "secret.json"
    summary = json.loads((run / "summary.json").read_text())
    secret.write_text(json.dumps({**summary, "counts": {"secret": 1}}))
    (run / "summary.json").unlink()
    (run / "summary.json").symlink_to(secret)
    for said in refusals(run, tmp_path):
        assert "summary.json is a link that leads out of its folder" in said


def test_a_link_within_a_run_folder_and_one_to_it_are_followed(run, tmp_path) -> None:
    (run / "stats.txt").rename(run / "table.txt")
    (run / "stats.txt").symlink_to("table.txt")
    (tmp_path / "link").symlink_to(run)
    assert call("report", tmp_path / "link").exit_code == 0


def test_a_pipe_in_a_run_folder_is_not_waited_for(run, tmp_path) -> None:
    (run / "metrics.parquet").unlink()
    os.mkfifo(run / "metrics.parquet")
    for said in refusals(run, tmp_path):
        assert "metrics.parquet is neither a file nor a folder" in said


@pytest.mark.parametrize(
    "name", [".sweep.parquet.part", ".sweep.json.part", "sweep.html", "points/0001", "points/.0001.part", "points"]
)
def test_a_sweep_with_links_is_not_resumed(made_sweep, name, tmp_path) -> None:
    sweep = Path(shutil.copytree(made_sweep, tmp_path / "sweep"))
    outside = tmp_path / "outside"
    if name == "points":
        (sweep / name).rename(outside)
    elif name.startswith("points"):
        outside.mkdir()
        (outside / "kept").write_text("kept")
    else:
        (sweep / name).unlink(missing_ok=True)
        outside.write_text("kept")
    (sweep / name).symlink_to(outside)
    before = sorted(outside.iterdir()) if outside.is_dir() else outside.read_bytes()
    found = call("sweep", "--resume", sweep)
    assert found.exit_code == 2, found.output
    assert f"{Path(name).name} is a link" in found.stderr
    assert before == (sorted(outside.iterdir()) if outside.is_dir() else outside.read_bytes())


@pytest.mark.parametrize("name", ["run.json", "summary.json"])
def test_deep_json_is_refused(run, name, tmp_path) -> None:
    (run / name).write_text('{"a":' + "[" * 100_000 + "]" * 100_000 + "}")
    commands = COMMANDS[:-1] if name == "run.json" else COMMANDS[:3]
    for said in refusals(run, tmp_path, commands):
        assert f"{name} is damaged: it is not valid JSON" in said


@pytest.mark.parametrize("text", [LAUGHS, "a: " + "[" * 5000 + "]" * 5000, "a: &a [*a]\n"])
def test_yaml_without_end_is_refused(run, text, tmp_path) -> None:
    for name in ("config.yaml", "statistics.yaml"):
        (run / name).write_text(text)
    for words in (("check", run / "config.yaml"), ("run", "--chip", run / "config.yaml"), COMMANDS[-1]):
        found = call(*({"RUN": run, "OUT": tmp_path / "out"}.get(word, word) for word in words))
        assert found.exit_code in (1, 2), found.output
        assert "not valid YAML" in found.output, found.output
        assert "defect" not in found.output
    (run / "run.json").write_text((run / "run.json").read_text().replace('"complete"', '"interrupted"'))
    assert "config.yaml is damaged" in call("run", "--resume", run).stderr


def test_aliases_are_no_crime() -> None:
    assert parse_value("{a: &a [1, 2], b: *a}") == {"a": [1, 2], "b": [1, 2]}
    with pytest.raises(SpecError, match="unfold to more than"):
        parse_value("{" + LAUGHS.replace("]\n", "], ") + "}")


def test_aliases_unfold_to_what_they_say(tmp_path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("\n".join(LAUGHS.splitlines()[:4]))
    assert load_document(path).data["d"][8][0][1] == ["x"] * 9


def test_tables_that_fill_the_memory_are_not_read(run, tmp_path, monkeypatch) -> None:
    """A column of equal values takes a few bytes, whatever its length."""
    monkeypatch.setattr("hwsim.foreign.memory_limit", lambda: 1 << 20)
    many = {name: np.zeros(100_000) for name in ("device", "weight", "up", "down")}
    bomb = tmp_path / "bomb.parquet"
    pq.write_table(pa.table(many), bomb)
    assert bomb.stat().st_size < 10_000
    with pytest.raises(SpecError, match=r"bomb\.parquet: not readable as Parquet: its 400000 numbers take more than"):
        load_device("measured_curves", curves=str(bomb))
    shutil.copy(bomb, run / "metrics.parquet")
    with pytest.raises(ResultsError, match=r"metrics\.parquet is not read: its 400000 numbers"):
        len(hwsim.open_run(run).metrics)


def test_names_cannot_steer_a_terminal(run) -> None:
    summary = json.loads((run / "summary.json").read_text())
    summary["energy_by_component"] |= {STEERING: 1.0}
    (run / "summary.json").write_text(json.dumps(summary))
    info = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**info, "state": "failed", "error": STEERING}))
    for words in (("report", run), ("compare", run, run), ("report", run, "--json")):
        said = call(*words).output
        assert visible(said) == said
        assert words[0] == "compare" or "\\u001b[31m" in said
    assert STEERING in json.loads(call("report", run, "--json").output)["error"]
    (run / "run.json").write_text(json.dumps({**info, "schema": 9, "hwsim": STEERING}))
    said = call("report", run).stderr
    assert visible(said) == said
