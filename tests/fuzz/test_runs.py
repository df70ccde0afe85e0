"""Runs with damaged descriptions and data: refused before anything is written, or they run; never a traceback."""

import json
import random
import zlib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("option", "file", "cases"),
    [
        ("--chip", "models/chips/baseline.yaml", 60),
        ("--chip", "models/chips/small-tiles.yaml", 30),
        ("--device", "models/devices/reram-sb.yaml", 60),
        ("--device", "models/devices/pcm-pair.yaml", 30),
        ("", "traces/digits-mlp.yaml", 60),
        ("", "traces/least-squares.yaml", 30),
    ],
)
def test_run_with_damaged_descriptions(option: str, file: str, cases: int, mutate, call, tmp_path: Path) -> None:
    rng = random.Random(zlib.crc32(file.encode()))
    content = (ROOT / file).read_bytes()
    for number in range(cases):
        wrong, out = tmp_path / f"{number}.yaml", tmp_path / f"run{number}"
        wrong.write_bytes(mutate(content, rng))
        answer = call("run", *([option] if option else []), wrong, "--steps", 1, "--log", "none", "--out", out)
        if answer.code == 1 and out.exists():
            # A description may be possible and lead nowhere, such as a learning rate that lets the loss overflow.
            assert json.loads((out / "run.json").read_text())["state"] == "failed", (wrong.read_bytes(), answer)
        else:
            assert answer.behaved, (wrong.read_bytes(), answer)
        assert "defect of hwsim" not in answer.err, (wrong.read_bytes(), answer)
        assert out.exists() == (answer.code != 2), (wrong.read_bytes(), answer)


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_arrays(compressed: bool, damage, call, tmp_path: Path) -> None:
    rng = random.Random(7)
    data = np.random.default_rng(0)
    save = np.savez_compressed if compressed else np.savez
    whole = tmp_path / "whole.npz"
    save(whole, x=data.normal(size=(30, 4)).astype("float32"), y=np.arange(30) % 3)
    content = whole.read_bytes()
    for number in range(150):
        wrong, out = tmp_path / f"{number}.npz", tmp_path / f"run{number}"
        wrong.write_bytes(damage(content, rng))
        answer = call("run", wrong, "--steps", 1, "--no-timing", "--out", out)
        assert answer.behaved, answer
        assert out.exists() == (answer.code == 0), answer
        if answer.code == 2:
            assert str(wrong) in answer.err, answer


def test_arrays_that_claim_more_than_there_is(call, tmp_path: Path) -> None:
    """A header of a few bytes may ask for terabytes."""
    import zipfile

    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 100000), }"
    padded = header + b" " * (118 - len(header) - 1) + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded
    wrong = tmp_path / "huge.npz"
    with zipfile.ZipFile(wrong, "w") as archive:
        archive.writestr("x.npy", array)
        archive.writestr("y.npy", array)
    answer = call("run", wrong, "--steps", 1)
    assert answer.code == 2, answer
    assert answer.behaved, answer
