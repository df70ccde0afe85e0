"""Damaged checkpoints are refused, and the folder of their run stays as it is."""

import random
import shutil
from pathlib import Path

import hwsim

CASES = 150


def test_damaged_checkpoints(damage, call, tmp_path: Path) -> None:
    rng = random.Random(11)
    whole, kept = tmp_path / "whole", tmp_path / "kept"

    def keep(step: int, *_: object) -> None:
        if step == 3:
            shutil.copytree(whole, kept)

    hwsim.simulate("digits-mlp", steps=4, checkpoint=2, out=whole, progress=keep)
    content = (kept / "checkpoint.hwsim").read_bytes()
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    refused = 0
    for _ in range(CASES):
        wrong = damage(content, rng)
        (kept / "checkpoint.hwsim").write_bytes(wrong)
        if wrong == content:
            continue
        answer = call("run", "--resume", kept, "--quiet")
        assert answer.code == 2, answer
        assert answer.behaved, answer
        assert "checkpoint" in answer.err, answer
        refused += 1
        after = {path.name: path.read_bytes() for path in kept.iterdir() if not path.name.startswith(".")}
        assert after | {"checkpoint.hwsim": b""} == before | {"checkpoint.hwsim": b""}
    assert refused > CASES // 2
    (kept / "checkpoint.hwsim").write_bytes(content)
    assert call("run", "--resume", kept, "--quiet").code == 0
