"""Every experiment resolves in every reading; the smoke versions run and leave figure, page and data."""

import json

import numpy as np
import pandas as pd
import pytest

from hwsim import library
from hwsim.errors import SpecError, UsageError
from hwsim.reproduce import Options, load_experiment, reproduce
from hwsim.reproduce.checks import checks_of, verdicts
from hwsim.reproduce.measures import still_falling
from hwsim.reproduce.plan import cases, chosen, is_shortened
from hwsim.reproduce.text import report
from hwsim.run import resolve, simulate
from hwsim.spec.experiment import ExperimentSpec
from hwsim.spec.load import Document, build

NAMES = library.names("experiments")
WITHOUT_FILES = [name for name in NAMES if not load_experiment(name).needs_data]
ASKED_FOR = {
    "fig1", "fig3", "fig4-tau", "fig4-noise", "fig4-init", "fig5-fcn", "fig5-cnn", "fig7", "tt-fails", "states",
    "update-cost", "fig-cost",
}  # fmt: skip


def test_every_experiment_is_there() -> None:
    assert set(NAMES) >= ASKED_FOR


@pytest.mark.parametrize("name", [name for name in NAMES if not load_experiment(name).chips])
def test_every_reading_resolves(name) -> None:
    spec = load_experiment(name)
    checks_of(spec)
    for variant in spec.variants or [None]:
        options = Options(variant=variant, seeds=(0,))
        planned = cases(chosen(spec, options), options)
        assert len({(case.series, case.at, case.seed) for case in planned}) == len(planned)
        for case in planned:
            resolve(**case.arguments)


@pytest.mark.parametrize("name", WITHOUT_FILES)
def test_smoke_version_leaves_figure_page_and_data(name, tmp_path) -> None:
    found = reproduce(name, Options(fast=True), tmp_path / name)
    assert (found.folder / "figure.png").read_bytes()[:4] == b"\x89PNG"
    page = (found.folder / "index.html").read_text(encoding="utf-8")
    assert "http" not in page.split("<figure>")[1].split("</figure>")[0]
    results = json.loads((found.folder / "results.json").read_text(encoding="utf-8"))
    assert results["fast"]
    assert len(results["results"]) == len(found.comparison)
    table = pd.read_parquet(found.folder / "table.parquet")
    assert np.isfinite(table["value"]).all()
    assert all(row["series"] in report(found) for row in results["results"])


def test_smoke_version_on_images_that_stand_for_mnist(tmp_path) -> None:
    draws = np.random.default_rng(0)
    for part, n in (("train", 600), ("t10k", 500)):
        _idx(tmp_path / f"{part}-images-idx3-ubyte", draws.integers(0, 256, (n, 28, 28)))
        _idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(n) % 10)
    found = reproduce("fig7", Options(fast=True, data=tmp_path), tmp_path / "out")
    assert set(found.table["series"]) == {"Digital SGD", "Analog SGD", "Tiki-Taka"}
    assert (found.folder / "figure.png").stat().st_size > 10_000


def test_every_algorithm_of_the_mnist_costs_fits_its_chip(tmp_path) -> None:
    """One step of each: weights and the digital state of algorithms have room on the chip."""
    for part, n in (("train", 10), ("t10k", 10)):
        _idx(tmp_path / f"{part}-images-idx3-ubyte", np.ones((n, 28, 28)))
        _idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(n))
    planned = cases(load_experiment("fig-cost-mnist"), Options(seeds=(0,), data=tmp_path))
    tried = [case for case in planned if case.at in (None, "ecram")]
    assert len(tried) == 10
    for number, case in enumerate(tried):
        run = simulate(**case.arguments | {"steps": 1, "epochs": None}, out=tmp_path / str(number))
        assert run.summary["steps"] == 1


def _idx(path, values) -> None:
    shape = b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(bytes([0, 0, 8, values.ndim]) + shape + values.astype(np.uint8).tobytes())


def test_digital_floor_on_rows_of_ones_own(tmp_path) -> None:
    """A whole experiment on other data, with two seeds in two processes: proportional to the step, as predicted.

    The labels have noise, so that the least loss is a thousand times the floors, which are counted from it.
    """
    draws = np.random.default_rng(9)
    a = draws.normal(0, 1, (60, 10))
    y = a @ draws.normal(0, 0.4, 10) + draws.normal(0, 0.1, 60)
    np.savez(tmp_path / "rows.npz", x=a, y=y)
    given = load_experiment("fig1").model_dump(mode="json")
    given |= {"series": [each for each in given["series"] if each["name"] == "Digital SGD"], "epochs": 1500}
    given["sweep"]["points"] = given["sweep"]["points"][1:3]
    given["checks"] = [each for each in given["checks"] if each["series"] == "Digital SGD"]
    path = tmp_path / "own.yaml"
    path.write_text(json.dumps(given), encoding="utf-8")
    found = reproduce(str(path), Options(seeds=(0, 1), jobs=2, data=tmp_path / "rows.npz"), tmp_path / "out")
    assert [each.state for each in found.verdicts] == ["pass", "pass"]
    assert set(found.comparison["count"]) == {2}
    assert found.curves["loss"].median() < 1e-6
    assert not found.table["falling"].any()


def test_rows_on_which_steps_diverge_are_refused(tmp_path) -> None:
    draws = np.random.default_rng(9)
    x = draws.normal(0, 5, (40, 5))
    np.savez(tmp_path / "rows.npz", x=x, y=x @ draws.normal(0, 0.4, 5))
    with pytest.raises(UsageError, match=r"Digital SGD 0.2 seed 0 diverges on .*rows.npz.*; divide x by 2.\d or more"):
        reproduce("fig1", Options(data=tmp_path / "rows.npz"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("losses", "falls"),
    [
        (np.exp(-np.arange(1000) / 300), True),
        (1 + 0.5 * np.exp(-np.arange(1000) / 200), True),
        (1 + 0.3 * np.random.default_rng(0).standard_normal(1000), False),
        (np.exp(np.arange(1000) / 300), False),
        (np.ones(1000), False),
        (np.ones(7), False),
    ],
)
def test_a_loss_that_still_falls_is_told_from_a_floor(losses, falls) -> None:
    assert still_falling(losses) is falls


def test_more_epochs_stretch_the_schedule_of_a_series() -> None:
    """Tiki-Taka of fig1 halves its rate twelve times, however long it runs; only fewer steps count as shortened."""
    spec = load_experiment("fig1")
    for epochs, every, shortened in ((None, 500, False), (12000, 1000, False), (3000, 250, True)):
        options = Options(seeds=(0,), epochs=epochs)
        (case,) = [case for case in cases(spec, options) if case.series == "Tiki-Taka"]
        assert case.arguments["set"]["trace.schedule"]["every"] == every
        assert is_shortened(spec, options) is shortened


def test_files_are_asked_for(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("HWSIM_DATA", raising=False)
    with pytest.raises(UsageError, match="--data DIR"):
        reproduce("fig5-fcn", out=tmp_path / "out")
    with pytest.raises(UsageError, match="no variant of fig1 is called 'papr'; did you mean 'paper'"):
        reproduce("fig1", Options(variant="papr"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_experiment_goes_on_where_it_was_stopped(tmp_path) -> None:
    """Complete runs are kept to the byte, a stopped one is made again; other settings and links are refused."""
    options = Options(fast=True, seeds=(1, 0))
    whole = reproduce("fig1", options, tmp_path / "out")
    first, second, *_ = sorted((tmp_path / "out" / "runs").iterdir())
    kept = {path: path.stat().st_mtime_ns for path in first.iterdir()}
    info = json.loads((second / "run.json").read_text(encoding="utf-8"))
    (second / "run.json").write_text(json.dumps(info | {"state": "running"}), encoding="utf-8")
    (second / "summary.json").unlink()
    again = reproduce("fig1", options, tmp_path / "out", resume=True)
    pd.testing.assert_frame_equal(again.table, whole.table)
    assert kept == {path: path.stat().st_mtime_ns for path in first.iterdir()}
    assert json.loads((second / "run.json").read_text(encoding="utf-8"))["state"] == "complete"

    with pytest.raises(UsageError, match="other settings"):
        reproduce("fig1", Options(fast=True, epochs=3), tmp_path / "out", resume=True)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(UsageError, match="not the folder of an experiment"):
        reproduce("fig1", options, tmp_path / "elsewhere", resume=True)
    second.rename(tmp_path / "moved")
    second.symlink_to(tmp_path / "moved")
    with pytest.raises(UsageError, match="is a link"):
        reproduce("fig1", options, tmp_path / "out", resume=True)


def test_runs_go_seed_by_seed(tmp_path) -> None:
    """What was stopped half-way has every series with the first seeds."""
    titles = []
    reproduce("fig1", Options(fast=True, seeds=(1, 0)), tmp_path / "out", lambda *given: titles.append(given[2]))
    seeds = [int(title.rpartition(" ")[2]) for title in dict.fromkeys(titles)]
    assert seeds == sorted(seeds)
    assert set(seeds) == {0, 1}


# What must hold


TABLE = pd.DataFrame(
    {
        "series": ["digital"] * 3 + ["analog"] * 3,
        "at": [0.1, 0.2, 0.4] * 2,
        "seed": 0,
        "value": [1.0, 2.0, 4.0, 300.0, 310.0, 290.0],
        "predicted": [1.05, 2.0, 4.1, np.nan, np.nan, np.nan],
        "epochs": 10.0,
    }
)


def judged(**check) -> str:
    spec = load_experiment("fig1").model_copy(update={"checks": (check,)})
    (verdict,) = verdicts(spec, TABLE, shortened=False)
    return verdict.state


@pytest.mark.parametrize(
    ("check", "state"),
    [
        ({"check": "proportional", "series": "digital", "tolerance": 0.01}, "pass"),
        ({"check": "proportional", "series": "analog"}, "fail"),
        ({"check": "independent", "series": ("analog",), "tolerance": 0.1}, "pass"),
        ({"check": "independent", "series": ("digital",)}, "fail"),
        ({"check": "predicted", "series": "digital", "tolerance": 0.1}, "pass"),
        ({"check": "predicted", "series": "digital", "tolerance": 0.01}, "fail"),
        ({"check": "predicted", "series": "analog"}, "not judged"),
        ({"check": "below", "series": "digital", "reference": "analog", "factor": 70.0}, "pass"),
        ({"check": "below", "series": "digital", "reference": "analog", "factor": 100.0}, "fail"),
        ({"check": "below", "series": "digital", "reference": "analog", "factor": 100.0, "at": 0.1}, "pass"),
        ({"check": "falls", "series": "digital", "rises": True}, "pass"),
        ({"check": "falls", "series": "digital"}, "fail"),
        ({"check": "between", "series": "analog", "low": 280.0, "high": 320.0}, "pass"),
        ({"check": "between", "series": "analog", "high": 300.0, "at": (0.1, 0.2)}, "fail"),
        ({"check": "agrees", "series": "analog", "reference": "digital", "factor": 2.0}, "fail"),
        ({"check": "falls", "series": "tiki-taka"}, "not judged"),
        ({"check": "falls", "series": "digital", "epochs": 20.0}, "not judged"),
    ],
)
def test_verdicts(check, state) -> None:
    assert judged(**check) == state


def judged_of(table: pd.DataFrame, **check) -> tuple[str, str]:
    spec = load_experiment("fig1").model_copy(update={"checks": (check,)})
    (verdict,) = verdicts(spec, table, shortened=False)
    return verdict.state, verdict.found


def test_what_still_falls_does_not_fail() -> None:
    check = {"check": "below", "series": "digital", "reference": "analog", "factor": 100.0}
    falling = TABLE.assign(falling=TABLE["series"] == "digital")
    assert judged_of(falling, **check) == (
        "not judged", "factor 72.5 to 300, but digital still falls; give more steps (--epochs)"
    )  # fmt: skip
    assert judged_of(falling, **check | {"factor": 70.0})[0] == "pass"
    assert judged_of(TABLE.assign(falling=False), **check)[0] == "fail"


def test_what_pulses_do_not_resolve_does_not_fail() -> None:
    check = {"check": "below", "series": "digital", "reference": "analog", "factor": 100.0}
    state, found = judged_of(TABLE.assign(resolution=3.5), **check)
    assert state == "not judged"
    assert "a factor of 100 is 2.9, which pulses do not resolve: weights one step off have 3.5" in found
    assert judged_of(TABLE.assign(resolution=0.1), **check)[0] == "fail"
    assert judged_of(TABLE.assign(resolution=3.5), **check | {"factor": 70.0})[0] == "pass"


def test_what_chance_may_have_made_does_not_count() -> None:
    """The same mean factor of 2 is sure of seeds that agree, and not of seeds that do not."""
    check = {"check": "below", "series": "low", "reference": "high", "factor": 1.0}

    def seeds(*ratios: float) -> pd.DataFrame:
        rows = [("low", seed, 1.0) for seed in range(len(ratios))] + [("high", *each) for each in enumerate(ratios)]
        return pd.DataFrame(rows, columns=["series", "seed", "value"]).assign(at=None, epochs=1.0)

    assert judged_of(seeds(1.9, 2.0, 2.1), **check) == ("pass", "factor 2, over the seeds 1.9 to 2.1")
    state, found = judged_of(seeds(0.5, 0.9, 4.6), **check)
    assert state == "not judged"
    assert found == "factor 2, over the seeds 0.5 to 4.6: within chance; more seeds would tell"
    assert judged_of(seeds(0.5, 0.5, 0.52), **check)[0] == "fail"


def test_an_order_with_a_tolerance() -> None:
    rising = {"check": "falls", "series": "analog", "rises": True}
    assert judged(**rising) == "fail"
    assert judged(**rising, tolerance=0.1) == "pass"
    assert judged(**rising, tolerance=0.05) == "fail"


def test_published_accuracies() -> None:
    spec = load_experiment("fig5-fcn")
    names = ["Digital SGD", "Tiki-Taka", "Tiki-Taka", "Tiki-Taka", "Analog SGD"]
    values = {"at": [None, 0.7, 0.78, 0.8, 0.7], "value": [98.0, 97.0, 97.0, 96.0, 11.35]}
    table = pd.DataFrame({"series": names, "seed": 0, "epochs": 80.0} | values)
    states = {verdict.statement.partition(":")[0]: verdict.state for verdict in verdicts(spec, table, shortened=False)}
    assert states["Digital SGD"] == "pass"
    assert states["Analog SGD at 0.7"] == "pass"
    found = [verdict for verdict in verdicts(spec, table, shortened=False) if "Tiki-Taka" in verdict.statement]
    assert [verdict.state for verdict in found] == ["fail", "pass"]
    assert "-1.50" in found[0].found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trace": None}, "give either a trace with series, or chips"),
        ({"published": [{"series": "Nobody", "value": 1.0}]}, "there is no series 'Nobody'"),
        ({"checks": [{"series": "Digital SGD"}]}, "needs the name of what it checks"),
        ({"sweeep": {}}, "did you mean 'sweep'"),
    ],
)
def test_wrong_descriptions_are_refused(changes, message) -> None:
    with pytest.raises(SpecError, match=message):
        build(ExperimentSpec, Document(load_experiment("fig1").model_dump(mode="json") | changes))


def test_wrong_checks_are_refused() -> None:
    checks = ({"check": "falls", "seris": "Digital SGD"}, {"check": "flls", "series": "Digital SGD"})
    with pytest.raises(SpecError) as caught:
        checks_of(load_experiment("fig1").model_copy(update={"checks": checks}))
    text = " ".join(str(problem) for problem in caught.value.problems)
    assert "did you mean 'series'" in text
    assert "did you mean 'falls'" in text
