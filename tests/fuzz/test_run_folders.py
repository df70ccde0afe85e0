"""Damaged and foreign run folders: every command that reads one says what is wrong with it."""

import random
import re
import shutil
from pathlib import Path

import pytest

import hwsim

COMMANDS = (
    ("report", "RUN"), ("report", "RUN", "--json"), ("report", "RUN", "--html", "PAGE"),
    ("events", "RUN", "--limit", "3"),
    ("events", "RUN", "--pulses", "--limit", "3"), ("events", "RUN", "--sql", "select count(*) from events"),
    ("path", "RUN"), ("compare", "RUN", "WHOLE"), ("device", "RUN", "0", "1", "2"),
    ("export", "RUN", "--to", "vcd", "--out", "PAGE"), ("export", "RUN", "--to", "perfetto", "--out", "PAGE"),
)  # fmt: skip
SAID = "damaged|not finished|schema|not written|does not hold|incomplete|is no |holds no|kept no"
"""What is wrong with a file, in the words of the command."""
EACH = 24
"""Damaged copies for each file of the folder."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder with every log."""
    out = tmp_path_factory.mktemp("fuzz") / "whole"
    hwsim.simulate("digits-mlp", steps=3, log="pulses", probe=["0:0-3:0-15"], out=out)
    return out


def test_damaged_files(whole: Path, damage, call, tmp_path: Path) -> None:
    rng = random.Random(3)
    files = [path for path in sorted(whole.iterdir()) if path.is_file()]
    assert len(files) >= 8
    damaged = tmp_path / "damaged"
    shutil.copytree(whole, damaged)
    for file in files:
        for number in range(EACH):
            (damaged / file.name).write_bytes(damage(file.read_bytes(), rng))
            page = tmp_path / "page.html"
            words = {"RUN": damaged, "WHOLE": whole, "PAGE": page}
            answer = call(*(words.get(word, word) for word in COMMANDS[number % len(COMMANDS)]))
            assert answer.behaved, (file.name, COMMANDS[number % len(COMMANDS)], answer)
            if answer.code == 2:
                assert re.search(SAID, answer.err), (file.name, answer)
                assert not page.exists()
            page.unlink(missing_ok=True)
        shutil.copy(file, damaged / file.name)


@pytest.mark.parametrize("missing", ["run.json", "summary.json", "events.parquet", "config.yaml", "metrics.parquet"])
def test_missing_files(missing: str, whole: Path, call, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)
    (copy / missing).unlink()
    for command in COMMANDS:
        words = {"RUN": copy, "WHOLE": whole, "PAGE": tmp_path / "page.html"}
        answer = call(*(words.get(word, word) for word in command))
        assert answer.behaved, (command, answer)


def test_names_cannot_lead_out_of_the_folder(whole: Path, call, tmp_path: Path) -> None:
    copy, secret = tmp_path / "copy", tmp_path / "secret.csv"
    shutil.copytree(whole, copy)
    secret.write_text("a,b\n1,hidden\n")
    for query in (
        f"select * from '{secret}'", f"select * from read_csv('{secret}')", f"copy events to '{tmp_path / 'out.csv'}'",
        f"attach '{tmp_path / 'x.db'}'", "install httpfs", "load httpfs", "set enable_external_access=true",
        f"select * from read_text('{secret}')", f"select * from glob('{tmp_path}/*')", "pragma database_list",
        "select getenv('HOME')", f"export database '{tmp_path / 'db'}'", "create table t as select 1; drop table t",
    ):  # fmt: skip
        answer = call("events", copy, "--sql", query)
        assert "hidden" not in answer.out
        assert str(tmp_path) not in answer.out
        assert answer.code in (0, 2), (query, answer)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "secret.csv"]
