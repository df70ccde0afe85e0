import gzip

import numpy as np
import pytest

COMPONENT = """\
name: adc
type: adc
description: a converter
node: 32 nm
area: {value: 1 um^2, provenance: assumed, source: assumption}
leakage: {value: 0 W, provenance: assumed, source: assumption}
actions:
  convert: {energy: 1 pJ, latency: 1 ns, per: line, provenance: assumed, source: assumption}
"""


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


def test_right_files(call, call_json, write, tmp_path, run_folder):
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(0).random((20, 4)), y=np.arange(20) % 2)
    files = [write("adc.yaml", COMPONENT), tmp_path / "data.npz", run_folder / "events.parquet"]
    assert call("check", *files[:2]).stdout == "2 files, no errors\n"
    assert call_json("check", *files[:2]) == {"files": [str(file) for file in files[:2]], "problems": []}


def test_every_mistake_with_its_line(call, call_json, write):
    file = write("adc.yaml", COMPONENT.replace("1 pJ", "1 V").replace("node", "nod").replace("0 W", "-1 W"))
    output = call("check", file, code=2).stdout
    assert f"{file}:4: nod: no such parameter; did you mean 'node'?" in output
    assert f"{file}:8: actions.convert.energy: " in output
    assert f"{file}:6: leakage.value: " in output
    assert output.splitlines()[-1] == "1 file, 4 errors"
    problems = call_json("check", file, code=2)["problems"]
    assert {problem["line"] for problem in problems} >= {4, 6, 8}
    assert {"file", "line", "path", "message"} == set(problems[0])


@pytest.mark.parametrize("text", ["", "- 1\n", "a: [\n", "a: 1\na: 2\n", "hello: world\n", "kind: chip\n"])
def test_wrong_documents(call, write, text):
    file = write("chip.yaml", text)
    assert str(file) in call("check", file, code=2).stdout


def test_wrong_data(call, tmp_path, run_folder):
    nan = tmp_path / "nan.npz"
    np.savez(nan, x=np.full((20, 2), np.nan), y=np.arange(20) % 2)
    torn = tmp_path / "train-images-idx3-ubyte.gz"
    torn.write_bytes(gzip.compress(b"\0\0\x08\x03" + b"\0" * 4)[:-3])
    log = tmp_path / "events.parquet"
    log.write_bytes((run_folder / "events.parquet").read_bytes()[:-10])
    foreign = run_folder / "metrics.parquet"
    lines = call("check", nan, torn, log, foreign, tmp_path / "none.yaml", tmp_path, code=2).stdout.splitlines()
    assert lines[-1] == "6 files, 6 errors"
    for file, line in zip((nan, torn, log, foreign, tmp_path / "none.yaml", tmp_path), lines, strict=False):
        assert line.startswith(f"{file}: ")
        assert line.count(str(file)) == 1
