from pathlib import Path

import pytest

from hwsim.errors import SpecError
from hwsim.spec.base import Seconds, Spec
from hwsim.spec.load import Document, assign, build, load_document, parse_value


class Inner(Spec):
    pulse_width: Seconds
    rows: int = 4


class Outer(Spec):
    name: str
    inner: Inner
    parts: tuple[Inner, ...] = ()


def problems_of(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        build(Outer, load_document(path))
    return [str(problem).removeprefix(f"{path}") for problem in caught.value.problems]


def test_every_mistake_is_reported_with_its_line(tmp_path: Path) -> None:
    text = "name: x\ninner:\n  pulse_witdh: 1 ns\n  rows: many\nparts:\n  - {pulse_width: 100 nJ}\n"
    assert problems_of(tmp_path, text) == [
        ":2: inner.pulse_width: this parameter is missing",
        ":4: inner.rows: input should be a valid integer, got 'many'",
        ":3: inner.pulse_witdh: no such parameter; did you mean 'pulse_width'?",
        ":6: parts.0.pulse_width: expected a number with the unit s, such as '1.5 ns', got '100 nJ'",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: x\nname: y\n", ":2: name: this name is given twice"),
        ("- 1\n", ":1: expected a mapping of names to values"),
        ("", ":1: expected a mapping of names to values"),
        ("a: [1\n", "not valid YAML"),
        ("a: !!python/object:os.system {}\n", "not valid YAML"),
        ("a: &a [*a]\n", "nested too deeply"),
        ("name: x\ninner: {pulse_width: .nan}\n", "expected a number with the unit s"),
        ("name: x\ninner: 3\n", "inner"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in problems_of(tmp_path, text)[0]


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot read the file: No such file"):
        load_document(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="not UTF-8"):
        load_document(tmp_path / "b.yaml")


def test_a_written_description_reads_back_the_same() -> None:
    spec = build(Outer, Document({"name": "x", "inner": {"pulse_width": "0.1 ns"}}))
    assert build(Outer, Document(spec.model_dump(mode="json"))) == spec


def test_values_and_paths_of_overrides() -> None:
    assert parse_value("1e-3") == 1e-3
    assert parse_value("12 ns") == "12 ns"
    assert parse_value("[1, 2]") == [1, 2]
    data = {"a": {"b": 1}, "list": [{"c": 1}]}
    assign(data, "a.b", 2)
    assign(data, "new.deep", 3)
    assign(data, "list.0.c", 4)
    assert data == {"a": {"b": 2}, "list": [{"c": 4}], "new": {"deep": 3}}
    with pytest.raises(SpecError, match="'5' is not an index of a list of 1"):
        assign(data, "list.5.c", 1)
    with pytest.raises(SpecError, match="cannot read the value"):
        parse_value("[1")
