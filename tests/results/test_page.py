import errno
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from hwsim.errors import ResultsError, UsageError
from hwsim.results.chart import Series, line_chart
from hwsim.results.compare_page import compare_page
from hwsim.results.report_page import report_page

VOID = {"meta", "input", "br", "hr", "img", "link"}


class Checker(HTMLParser):
    """Checks that tags are closed in order and collects the text."""

    def __init__(self):
        super().__init__()
        self.stack, self.text, self.tags = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _page(run, tmp_path):
    file = tmp_path / "report.html"
    assert run.report(file) == file
    source = file.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(source)
    assert checker.stack == []
    return source, checker


def test_page_is_self_contained_and_well_formed(shared_run, tmp_path):
    source, checker = _page(shared_run, tmp_path)
    # The one address is the name of SVG's vocabulary, which nothing is fetched from.
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(|\bsrc=", source)
    assert source.count("<script") == len(re.findall('<script type="application/json"', source)) + 1
    assert 'content="default-src &#39;none&#39;; ' in source
    assert len(source) < 400_000
    text = " ".join("".join(checker.text).split())
    for expected in (
        "digits-mlp on baseline",
        "96.39 %",
        "412.8 us",
        "3.89 uJ",
        "tile*.row_pulser",
        "Shafiee",
        "evaluation takes no time",
    ):
        assert expected in text
    assert sum(tag == "svg" for tag, _ in checker.tags) == 7


def test_everything_is_escaped(make_run, tmp_path):
    source, _ = _page(make_run(trace="<b>x</b>", assumptions=["<i>y</i>"]), tmp_path)
    assert "<b>x" not in source
    assert "<i>y" not in source
    assert "assumption &lt;of&gt; this &#34;project&#34;" in source


@pytest.mark.parametrize(
    "changes",
    [{"timing": False}, {"accuracy": None}, {"steps": 1}, {"energy_by_layer": {"hidden": 1.0}}, {"steps": 3000}],
)
def test_unusual_runs(make_run, tmp_path, changes):
    source, _ = _page(make_run(**changes), tmp_path)
    assert "<svg" in source
    if "energy_by_layer" in changes:
        assert "energy by layer adds up to 1" in source
    if changes.get("timing") is False:
        assert "timing off" in source


def full(*_):
    """Stand for a disk without room."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_replaces_a_page_but_no_folder(shared_run, tmp_path, monkeypatch):
    file = tmp_path / "r.html"
    file.write_text("old")
    shared_run.report(file)
    assert file.read_text().startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    with pytest.raises(UsageError, match="is a folder"):
        shared_run.report(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "umask", full)
        with pytest.raises(ResultsError, match="No space left"):
            shared_run.report(file)
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    with pytest.raises(UsageError, match="there is no folder"):
        shared_run.report(tmp_path / "no" / "r.html")


def test_failed_run_has_no_page(make_run, tmp_path):
    with pytest.raises(ResultsError, match="its state is failed"):
        make_run(state="failed", error="NaN").report(tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize("n", [0, 1, 2, 1000])
@pytest.mark.parametrize("value", [0.0, 1.0, -2.5, 1e-9, 1e9])
def test_charts_of_constant_values(n, value):
    chart = line_chart([Series("a", np.arange(float(n)), np.full(n, value))], "x", "y", log_y=True)
    assert ("<svg" in chart) == (n > 0)
    assert "nan" not in chart
    assert "inf" not in chart


def test_charts_leave_out_what_is_not_finite():
    chart = line_chart([Series("<a>", np.array([0.0, 1.0, np.nan]), np.array([np.inf, 1.0, 2.0]))], "x", "y")
    assert chart.count("<circle") == 1
    assert "&lt;a&gt;" in chart


def test_areas_are_written_as_on_paper(make_run, shared_run):
    for page in (compare_page([shared_run, make_run()]), report_page(shared_run)):
        assert "m²" in page
        assert not re.search(r">[^<]*\bm?m\^2<", page)
