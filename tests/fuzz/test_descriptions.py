"""Damaged descriptions are refused with file and place, or are right: never a traceback, never a hang."""

import random
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("models/*/*.yaml"), *ROOT.glob("models/chips/*/chip.yaml"), *ROOT.glob("traces/*.yaml")])
"""Everything that is bundled."""
EACH = 10
"""Mutations of each file and kind."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_description(path: Path, mutate, call, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    rng = random.Random(zlib.crc32(request.node.name.encode()))
    content = path.read_bytes()
    for number in range(EACH):
        wrong = tmp_path / f"{number}.yaml"
        wrong.write_bytes(mutate(content, rng))
        answer = call("check", wrong)
        assert answer.behaved, (wrong.read_bytes(), answer)
        if answer.code == 2:
            assert str(wrong) in answer.out, answer
