import json

import numpy as np
import pandas as pd
import pytest

from hwsim.errors import ResultsError, UsageError
from hwsim.results import open_run


def test_repr_names_what_ran_and_the_results(shared_run):
    assert repr(shared_run) == "Run(digits-mlp on baseline, tiki-taka: 412.8 us, 3.89 uJ, accuracy 96.4 %)"


def test_repr_of_a_regression_shows_the_loss(make_run):
    assert "loss 0.1234" in repr(make_run(accuracy=None))


def test_html_repr_escapes_names(make_run):
    text = make_run(trace="<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("by", ["component", "phase", "layer", "tile"])
def test_energy_adds_up_and_is_sorted(shared_run, by):
    energy = shared_run.energy(by=by)
    assert list(energy.columns) == [by, "energy_J", "energy_percent"]
    assert energy["energy_J"].sum() == pytest.approx(shared_run.summary["energy_J"], rel=1e-9)
    assert energy["energy_percent"].sum() == pytest.approx(100)
    assert energy["energy_J"].is_monotonic_decreasing


@pytest.mark.parametrize("by", ["phase", "layer"])
def test_latency_adds_up(shared_run, by):
    latency = shared_run.latency(by=by)
    assert list(latency.columns) == [by, "latency_s", "latency_percent"]
    assert latency["latency_s"].sum() == pytest.approx(shared_run.summary["latency_s"], rel=1e-9)


def test_unknown_breakdown_names_the_nearest(shared_run):
    with pytest.raises(UsageError, match="did you mean 'component'"):
        shared_run.energy(by="components")
    with pytest.raises(UsageError, match="known: layer, phase"):
        shared_run.latency(by="tile")


def test_without_timing_there_is_no_energy(make_run):
    run = make_run(timing=False)
    for ask in (run.energy, run.latency):
        with pytest.raises(ResultsError, match="timing off"):
            ask()


def test_files_of_the_folder(shared_run):
    assert shared_run.config["chip"]["name"] == "baseline"
    assert isinstance(shared_run.metrics, pd.DataFrame)
    assert len(shared_run.metrics) == 144
    assert list(shared_run.stats.columns) == ["path", "value", "description", "unit"]
    assert shared_run.tables["source"].notna().all()
    weights = shared_run.weights()
    assert weights["hidden.weight"].shape == (3, 2)
    assert weights["hidden.weight"].dtype == np.float32


def test_missing_folder_names_its_neighbours(make_run, tmp_path):
    make_run("digits-001")
    with pytest.raises(ResultsError, match=r"no such run folder: .*digits-002 \(runs in .*: digits-001\)"):
        open_run(tmp_path / "digits-002")


def test_foreign_folder(tmp_path):
    with pytest.raises(ResultsError, match=r"holds no run.json"):
        open_run(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="is a file"):
        open_run(tmp_path / "file")


@pytest.mark.parametrize("content", ["[1]", '{"name": "x"}', '{"schema": 1, "state": ["failed"]}', "{", "\xff"])
def test_foreign_run_json(tmp_path, content):
    (tmp_path / "run.json").write_text(content, encoding="latin-1")
    with pytest.raises(ResultsError, match=r"run\.json"):
        open_run(tmp_path)


def test_other_schema_version(make_run):
    with pytest.raises(ResultsError, match=r"schema version 2 \(written by hwsim 0.1.0\); this hwsim reads version 1"):
        make_run(schema=2)


def test_failed_run_opens_and_says_so(make_run):
    run = make_run(state="failed", error="NaN in the loss at step 12")
    assert run.state == "failed"
    assert repr(run) == "Run(digits-mlp on baseline, tiki-taka: failed: NaN in the loss at step 12)"
    assert len(run.events()) == 400
    with pytest.raises(ResultsError, match="its state is failed: NaN in the loss"):
        _ = run.summary


def test_incomplete_summary(make_run):
    run = make_run()
    (run.path / "summary.json").write_text(json.dumps({"samples": 1}))
    with pytest.raises(ResultsError, match="lacks latency_s, energy_J"):
        _ = run.summary


@pytest.mark.parametrize("name", ["metrics.parquet", "stats.parquet", "weights.npz"])
@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.95])
def test_truncated_files(make_run, name, keep):
    run = make_run()
    content = (run.path / name).read_bytes()
    (run.path / name).write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    attribute = name.split(".")[0]
    with pytest.raises(ResultsError, match=name):
        run.weights() if attribute == "weights" else getattr(run, attribute)


@pytest.mark.parametrize("name", ["metrics.parquet", "stats.parquet", "weights.npz", "config.yaml", "tables.yaml"])
def test_missing_files(make_run, name):
    run = make_run()
    (run.path / name).unlink()
    attribute = name.split(".")[0]
    with pytest.raises(ResultsError, match=f"holds no {name}"):
        run.weights() if attribute == "weights" else getattr(run, attribute)


@pytest.mark.parametrize("content", ["a: [", "- 1", "\x00"])
def test_damaged_configuration(make_run, content):
    run = make_run()
    (run.path / "config.yaml").write_text(content)
    with pytest.raises(ResultsError, match=r"config\.yaml"):
        _ = run.config
