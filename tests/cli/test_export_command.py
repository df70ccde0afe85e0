"""hwsim export on the command line."""

import json

import pytest

import hwsim


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run of two steps with a pulse log."""
    out = tmp_path_factory.mktemp("runs") / "small"
    return hwsim.simulate(steps=2, log="pulses", probe=["0:0-3:0-40"], out=out).path


@pytest.mark.parametrize(
    ("to", "begins"), [("perfetto", b"\n"), ("vcd", b"$comment"), ("csv", b"t_ps,dur_ps,component")]
)
def test_export_writes_a_new_file(call, ran, tmp_path, monkeypatch, to, begins) -> None:
    monkeypatch.chdir(tmp_path)
    said = call("export", ran, "--to", to).stdout
    (file,) = tmp_path.iterdir()
    assert said == f"wrote {file.name}\n"
    assert file.name.startswith("small.")
    assert file.read_bytes().startswith(begins)
    before = file.read_bytes()
    assert "exists already" in call("export", ran, "--to", to, code=2).stderr
    assert file.read_bytes() == before
    assert call("export", ran, "--to", to, "--out", "other", "--window", "1us:2us", "--quiet").stdout == ""
    told = json.loads(call("export", ran, "--to", to, "--out", "third", "--json").stdout)
    assert told == {"file": "third", "format": to, "bytes": len(before)}
    assert 0 < len((tmp_path / "other").read_bytes()) < len(before)


def test_mistakes_are_named(call, ran, tmp_path) -> None:
    out = tmp_path / "file"
    for arguments, message in (
        (["--to", "vdc"], "did you mean 'vcd'?"),
        ([], "--to"),
        (["--to", "csv", "--table", "pulse"], "did you mean 'pulses'?"),
        (["--to", "csv", "--window", "10"], "expected FROM:TO, such as 10us:20us"),
        (["--to", "vcd", "--table", "events"], "only csv writes one table"),
    ):
        assert message in call("export", ran, *arguments, "--out", out, code=2).stderr
    assert "no such run folder" in call("export", tmp_path / "none", "--to", "csv", code=2).stderr
    assert not out.exists()
