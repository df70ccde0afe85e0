"""Published figures in the descriptions of chips, and chips that are folders."""

from pathlib import Path

import pytest

from hwsim import library
from hwsim.errors import SpecError
from hwsim.run.check import check_file
from hwsim.spec.load import Document, build, load_chip, load_component
from hwsim.spec.published import PublishedFigure

FIGURE = {
    "name": "time",
    "figure": "update time",
    "published": "56.3 ns",
    "source": "table 1",
    "provenance": "verified",
}


def figure(**changes) -> PublishedFigure:
    return build(PublishedFigure, Document(FIGURE | changes))


@pytest.mark.parametrize(
    ("published", "ours", "met"),
    [
        ("56.3 ns", "56.3 ns", True),
        ("56.3 ns", "56.4 ns", False),
        ("56.3 ns", "56.278 ns", True),
        ("13528.0 ns", "13528.04 ns", True),
        ("13528.0 ns", "13528.1 ns", False),
        ("1.06e4 KB", "10587 KB", True),
        ("1.06e4 KB", "10530 KB", False),
        ("9.76 TOPS/W", None, False),
    ],
)
def test_a_figure_is_met_to_its_last_printed_digit(published, ours, met) -> None:
    made = figure(published=published, ours=ours, difference="a reason")
    assert made.met is met
    if met:
        assert figure(published=published, ours=ours).difference == ""
    else:
        with pytest.raises(SpecError, match="difference: must say why"):
            figure(published=published, ours=ours)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ours": "56.3 us"}, "give both in one unit"),
        ({"published": "about 56 ns", "ours": "56 ns"}, "expected a number and its unit"),
        ({"name": "Update time"}, "pattern"),
    ],
)
def test_wrong_figures_are_refused(changes, message) -> None:
    with pytest.raises(SpecError, match=message):
        figure(**({"ours": "56.3 ns"} | changes))


def test_two_figures_of_one_name(tmp_path) -> None:
    text = library.find("chips", "rasch-2024").read_text(encoding="utf-8")
    (tmp_path / "chip.yaml").write_text(text.replace("name: time-c-ttv2", "name: time-ttv2"), encoding="utf-8")
    (problem,) = check_file(tmp_path / "chip.yaml")
    assert "the name time-ttv2 is given to more than one figure" in problem.message


def test_every_design_with_figures_has_a_test_that_runs_it() -> None:
    designs = [name for name in library.names("chips") if load_chip(name).published]
    folder = Path(__file__).parents[1] / "published"
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("test_*.py"))
    assert {"rasch-2024", "li-2025", "wu-2025", "rpu-2016", "isaac", "puma", "hermes", "neurram"} <= set(designs)
    assert [name for name in designs if f'"{name}"' not in text] == []


def test_published_figures_are_no_part_of_a_configuration() -> None:
    chip = load_chip("rasch-2024")
    assert chip.published
    assert "published" not in chip.model_dump()


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Make a chip ``mine`` in a folder with a component of its own, and return the folder of the chips."""
    chips = tmp_path / "models" / "chips"
    parts = chips / "mine" / "components"
    parts.mkdir(parents=True)
    chip = library.find("chips", "small-tiles").read_text(encoding="utf-8")
    chip = chip.replace("name: small-tiles", "name: mine").replace("model: bus-256b-isaac", "model: my-bus")
    (chips / "mine" / "chip.yaml").write_text(chip, encoding="utf-8")
    bus = library.find("components", "bus-256b-isaac").read_text(encoding="utf-8")
    (parts / "my-bus.yaml").write_text(bus.replace("name: bus-256b-isaac", "name: my-bus"), encoding="utf-8")
    monkeypatch.setenv("HWSIM_PATH", str(tmp_path))
    return chips


def test_a_chip_may_be_a_folder(own) -> None:
    assert "mine" in library.names("chips")
    assert library.find("chips", "mine") == own / "mine" / "chip.yaml"
    assert load_chip("mine").name == "mine"
    assert "my-bus" in library.names("components")
    assert load_component("my-bus").type == "bus"
    assert check_file(own / "mine" / "chip.yaml") == []


def test_a_file_comes_before_a_folder_of_the_same_place(own) -> None:
    (own / "mine.yaml").write_text((own / "mine" / "chip.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert library.find("chips", "mine") == own / "mine.yaml"
    assert library.names("chips").count("mine") == 1
