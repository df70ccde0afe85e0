"""Figures and representations for notebooks."""

import builtins

import numpy as np
import pyarrow.parquet as pq
import pytest

import hwsim
from hwsim.chip.chip import Chip
from hwsim.cost import CostTables
from hwsim.errors import ResultsError, UsageError
from hwsim.html import html_table

graph_objects = pytest.importorskip("plotly.graph_objects")


def test_training_against_every_axis_and_beside_other_runs(shared_run, make_run):
    metrics = shared_run.metrics
    for axis, column in (("step", "step"), ("time", "t_s"), ("energy", "energy_J")):
        figure = shared_run.plot.training(axis)
        assert isinstance(figure, graph_objects.Figure)
        loss, held_out = figure.data
        np.testing.assert_allclose(loss.y, metrics.loss)
        assert len(held_out.y) == metrics.test_loss.notna().sum()
        assert loss.x[-1] / loss.x[0] == pytest.approx(metrics[column].iloc[-1] / max(metrics[column].iloc[0], 1e-30),
                                                       rel=1e-6) if column != "step" else True  # fmt: skip
    together = shared_run.plot.training("energy", "accuracy", others=[make_run("b"), make_run("c")])
    assert [line.name.split(",")[0] for line in together.data] == ["digits-mlp-tiki-taka-000", "b", "c"]


@pytest.mark.parametrize("by", ["component", "phase", "layer", "tile"])
def test_bars_add_up(shared_run, by):
    (bars,) = shared_run.plot.energy(by).data
    assert sum(bars.x) == pytest.approx(3.889e0, rel=1e-3)  # uJ
    if by in ("phase", "layer"):
        assert sum(shared_run.plot.latency(by).data[0].x) == pytest.approx(412.8, rel=1e-6)  # us


def test_maps_and_devices(shared_run):
    devices = pq.read_table(shared_run.path / "devices.parquet").to_pandas()
    cells = devices[(devices.tile == 1) & (devices.array == 1)]
    np.testing.assert_array_equal(shared_run.plot.map(1).data[0].z.ravel(), cells.w_end)
    np.testing.assert_array_equal(
        shared_run.plot.map(1, 1, "pulses").data[0].z.ravel(), cells.pulses_up + cells.pulses_down
    )
    (life,) = shared_run.plot.device(0, 1, 0).data
    pulses = shared_run.pulses('row = 1 and "array" = 0')
    np.testing.assert_array_equal(life.y, pulses.w)
    assert len(shared_run.plot.timeline().data) > 0


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda plot: plot.training("steps"), UsageError, "did you mean 'step'"),
        (lambda plot: plot.training("step", "los"), UsageError, "did you mean 'loss'"),
        (lambda plot: plot.energy("components"), UsageError, "did you mean 'component'"),
        (lambda plot: plot.map(9), UsageError, r"no tile 9 with a device 0; tiles: \[0, 1\]"),
        (lambda plot: plot.map(0, 5), UsageError, r"tile 0 has no array 5; it has \[0, 1\]"),
        (lambda plot: plot.map(0, what="ends"), UsageError, "did you mean 'end'"),
        (lambda plot: plot.device(0, 2, 1), ResultsError, "--log pulses --probe 0:2:1"),
        (lambda plot: plot.timeline("1 s"), UsageError, "no action"),
    ],
)
def test_mistakes_are_named(shared_run, draw, error, message):
    with pytest.raises(error, match=message):
        draw(shared_run.plot)


def test_without_plotly_the_extra_is_named(shared_run, monkeypatch):
    whole = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("plotly"):
            raise ImportError(name)
        return whole(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"pip install 'hwsim\[notebook\]'"):
        shared_run.plot.energy()


def test_chips_devices_and_tables_have_representations():
    chip, device = hwsim.load_chip("baseline"), hwsim.load_device("reram-sb")
    built = Chip(chip, device)
    built.place_analog("hidden", np.zeros((4, 3), np.float32), arrays=1, gains=(1.0,))
    for shown, expected in (
        (chip, "8 of 256 x 1024 cells"),
        (device, "soft_bounds"),
        (CostTables.for_chip(chip), "tile.adc"),
        (built, "<th style='text-align:left'>hidden</th><td style='text-align:left'>4 x 3</td>"),
    ):
        assert expected in shown._repr_html_()


def test_tables_escape_everything():
    assert "<b>x" not in html_table("<b>x", [("<b>x", "<b>x")], ("<b>x",))
