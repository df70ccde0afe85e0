"""Mutations of files, and calls of the command line that must behave: an exit code, a message, in time."""

from __future__ import annotations

import copy
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from hwsim.cli.group import hwsim

Mutate = Callable[[bytes, random.Random], bytes]
LIMIT = 60
"""Seconds after which a call hangs."""


@dataclass(frozen=True)
class Answer:
    """Exit code, standard output and standard error of a call."""

    code: int
    out: str
    err: str

    @property
    def behaved(self) -> bool:
        """It said what was wrong if anything was, in words of its own."""
        said = self.err + self.out
        return (
            self.code in (0, 2)
            and "Traceback" not in said
            and "defect of hwsim" not in said
            and (self.code == 0 or bool(said.strip()))
        )


@contextmanager
def time_limit() -> Iterator[None]:
    """Raise after LIMIT seconds."""

    def late(*_: Any) -> None:
        raise TimeoutError(f"it hangs: no answer after {LIMIT} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def call() -> Callable[..., Answer]:
    """Return a function that runs a command line."""

    def run(*words: object) -> Answer:
        with time_limit():
            result = CliRunner().invoke(hwsim, [str(word) for word in words])
        if isinstance(result.exception, TimeoutError):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run


JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 1, 3, 10**9, 10**30, -(10**9), 0.0, 1e-300, 1e300, -0.5, 1.5, float("nan"), float("inf"), "",
    "x", "0", "1 ns", "-3 J", "1 parsec", "1e999 s", "100", "../../etc/passwd", "/dev/zero", "${HOME}", "<script>",
    "a" * 5000, "\u202e\x00", [], [1], [[]], {}, {"a": {}}, {"model": "x"}, [None] * 50, "2026-01-01",
)  # fmt: skip
"""Values that no description expects somewhere."""

TEXTS = (
    b"\x00", b"\xff\xfe", b"\t", b"!!python/object/apply:os.system ['true']", b"&a [*a]", b"<<: *b", b"---\n",
    b": :", b"{", b"%YAML 9.9", b"1e3", b"# \xc3\x28", b"\r\n\r\n", b"9" * 400, b"[" * 200,
)  # fmt: skip
"""Pieces that are put into files."""


def mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return the content with a few bytes flipped, cut out, doubled, replaced or put in."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(data) + 1) if data else 0
        match rng.randrange(6):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1:
                del data[at:]
            case 2:
                del data[at : at + rng.randrange(1, 64)]
            case 3:
                data[at:at] = data[at : at + rng.randrange(1, 64)]
            case 4:
                data[at:at] = rng.choice(TEXTS)
            case _:
                n = rng.randrange(1, 16)
                data[at : at + n] = rng.randbytes(n)
    return bytes(data)


def mutate_yaml(content: bytes, rng: random.Random) -> bytes:
    """Return the content with a few of its values or names changed, left out or put elsewhere."""
    data = copy.deepcopy(yaml.safe_load(content))
    for _ in range(rng.choice((1, 1, 2, 3))):
        holders = list(_holders(data))
        if not holders:
            break
        holder = rng.choice(holders)
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = rng.choice(keys)
        match rng.randrange(5):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[f"{key}x"] = holder.pop(key)
            case 2 if isinstance(holder, dict):
                other = rng.choice(holders)
                holder[key] = copy.deepcopy(other) if other is not holder else {}
            case _:
                holder[key] = copy.deepcopy(rng.choice(JUNK))
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode()


def _holders(value: Any) -> Any:
    if isinstance(value, dict | list) and value:
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from _holders(each)


@pytest.fixture(params=[mutate_bytes, mutate_yaml], ids=["bytes", "values"])
def mutate(request: pytest.FixtureRequest) -> Mutate:
    """Return one way to damage a description."""
    return request.param


@pytest.fixture
def damage() -> Mutate:
    """Return the way to damage any file."""
    return mutate_bytes
