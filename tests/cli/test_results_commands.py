import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def test_report(call, call_json, run_folder):
    assert "energy by component" in call("report", run_folder).stdout
    shown = call_json("report", run_folder)
    assert shown["state"] == "complete"
    assert shown["metrics"]["accuracy"] == 0.9639
    assert shown["path"] == str(run_folder)


def test_report_html(call, run_folder, tmp_path):
    file = tmp_path / "r.html"
    assert call("report", run_folder, "--html", file).stdout == f"wrote {file}\n"
    assert file.read_text().startswith("<!doctype html>")


def test_report_of_a_failed_run(call, make_run, tmp_path):
    folder = make_run(state="failed", error="NaN in the loss")
    assert "THIS RUN FAILED: NaN in the loss" in call("report", folder).stdout
    result = call("report", folder, "--html", tmp_path / "r.html", code=2)
    assert result.stderr.startswith("error: the run ")
    assert not (tmp_path / "r.html").exists()


def test_report_of_what_is_no_run(call, tmp_path):
    assert "error: no such run folder" in call("report", tmp_path / "x", code=2).stderr
    assert "holds no run.json" in call("report", tmp_path, code=2).stderr


def test_report_of_a_damaged_run(call, make_run):
    folder = make_run()
    (folder / "summary.json").write_text('{"latency_s": ')
    assert "summary.json is damaged" in call("report", folder, code=2).stderr


def test_compare(call, call_json, run_folder, make_run):
    other = make_run("other", algorithm="analog-sgd")
    assert "analog-sgd" in call("compare", run_folder, other).stdout
    assert [run["algorithm"] for run in call_json("compare", run_folder, other)["runs"]] == ["tiki-taka", "analog-sgd"]
    assert "at least two" in call("compare", run_folder, code=2).stderr
    call("compare", code=2)


def test_events_table_shows_the_first_rows(call, run_folder):
    result = call("events", run_folder)
    assert len(result.stdout.splitlines()) == 51
    assert "the first 50 rows" in result.stderr
    result = call("events", run_folder, "--where", "component = 'bus'", "--limit", 3)
    assert len(result.stdout.splitlines()) == 4
    assert "the first 3 rows" in result.stderr
    assert call("events", run_folder, "--from", "399ns").stderr == ""


def test_events_csv_has_every_row(call, run_folder):
    rows = list(csv.DictReader(io.StringIO(call("events", run_folder, "--csv").stdout)))
    assert len(rows) == 400
    assert rows[0]["component"] == "tile0.adc"
    assert float(rows[1]["energy_J"]) == 1e-12


def test_events_json(call_json, run_folder):
    shown = call_json("events", run_folder, "--from", "10 ns", "--to", "12 ns")
    assert [row["t_ps"] for row in shown["rows"]] == [10_000, 11_000]
    assert shown["columns"][0] == "t_ps"
    assert call_json("events", run_folder, "--limit", 0)["rows"] == []


def test_pulses(call, run_folder):
    lines = call("events", run_folder, "--pulses", "--where", "row = 1", "--csv").stdout.splitlines()
    assert lines[0].startswith("t_ps,step,sample,tile,array,row,col,polarity")
    assert len(lines) == 18


def test_sql(call, call_json, run_folder):
    query = "select phase, sum(energy_J) as energy_J from events group by phase order by phase"
    assert call("events", run_folder, "--sql", query, "--csv").stdout.startswith("phase,energy_J\nforward,")
    shown = call_json(
        "events", run_folder, "--sql", "select test_loss, count(*) n from metrics group by all order by n desc limit 1"
    )
    assert shown["rows"] == [{"test_loss": None, "n": 138}]  # JSON has no NaN


def test_columns(call, call_json, run_folder):
    assert "what energy_J is" in call("events", run_folder, "--columns").stdout
    assert call_json("events", run_folder, "--columns")["columns"][0] == {
        "name": "t_ps", "unit": "ps", "description": "what t_ps is",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "componnt = 'x'"], "componnt"),
        (["--where", "step ="], "where 'step ='"),
        (["--from", "10"], "expected a number with the unit s"),
        (["--to", "3 V"], "expected a number with the unit s"),
        (["--from", "5us", "--to", "1us"], "the window from 5us to 1us ends before it starts"),
        (["--limit", "-1"], "--limit"),
        (["--csv", "--json"], "either --csv or --json"),
        (["--sql", "select 1", "--where", "step = 1"], "put --where into it"),
        (["--sql", "select * from read_text('/etc/hostname')"], "no files"),
        (["--sql", "copy events to 'copied.csv'"], "expected one SELECT"),
        (["--sql", "select * from evnts"], "did you mean 'events'"),
        (["--sql", ""], "expected one SELECT"),
        (["--sql", "selec 1"], "syntax error"),
    ],
)
def test_bad_queries(call, run_folder, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call("events", run_folder, *arguments, code=2)
    assert message in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_missing_and_truncated_logs(call, make_run):
    folder = make_run()
    (folder / "pulses.parquet").unlink()
    assert "kept no pulses" in call("events", folder, "--pulses", code=2).stderr
    content = (folder / "events.parquet").read_bytes()
    (folder / "events.parquet").write_bytes(content[: len(content) // 2])
    assert "events.parquet is damaged" in call("events", folder, code=2).stderr


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (["-1", "0", "0"], "Invalid value for 'TILE': -1 is not in the range"),
        (["0", "0", "-2"], "Invalid value for 'COL': -2 is not in the range"),
        (["0", "0", "0", "--from", "5us", "--to", "1us"], "the window from 5us to 1us ends before it starts"),
        (["0", "0", "0", "--form", "5us"], "No such option"),
    ],
)
def test_wrong_places(call, run_folder, place, message):
    assert message in call("device", run_folder, *place, code=2).stderr


@pytest.mark.parametrize("name", ["metrics", "stats", "gauges", "lines"])
def test_foreign_tables(call, make_run, tmp_path, name):
    """Whatever reads such a file says so, and writes nothing."""
    folder, file = make_run(), tmp_path / "made"
    pq.write_table(pa.table({"a": [1]}), folder / f"{name}.parquet")
    commands = {
        "metrics": ("report", folder, "--html", file),
        "stats": ("report", folder, "--html", file),
        "gauges": ("export", folder, "--to", "perfetto", "--out", file),
        "lines": ("events", folder, "--sql", "select * from lines"),
    }
    assert f"{name}.parquet is no {name}" in call(*commands[name], code=2).stderr
    assert not file.exists()


def test_a_foreign_cost_table(call, make_run, tmp_path):
    folder = make_run()
    (folder / "tables.yaml").write_text("[1, 2]")
    assert (
        "tables.yaml does not hold a list of entries"
        in call("report", folder, "--html", tmp_path / "r.html", code=2).stderr
    )


def test_one_json_object(call, run_folder):
    for arguments in (["report", run_folder], ["events", run_folder], ["compare", run_folder, run_folder]):
        assert isinstance(json.loads(call(*arguments, "--json").stdout), dict)


def test_report_page_of_a_part(call, run_folder, tmp_path):
    file = tmp_path / "r.html"
    call("report", run_folder, "--html", file, "--from", "50ns", "--to", "60ns", "--tile", 1)
    source = file.read_text()
    assert "the chosen part" in source
    assert "Tiles 0 are not in this page" in source


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tile", "7", "--html"], "tile 7 holds no devices; those with devices are 0, 1"),
        (["--from", "3 s", "--html"], "no time of the run is from 3 s to its end: it lasts 399500 ps"),
        (["--from", "3 kg", "--html"], "a time in the log"),
        (["--tile", "0"], "--tile is about the page; give --html FILE too"),
        (["--to", "1us"], "--to is about the page; give --html FILE too"),
    ],
)
def test_wrong_parts_of_a_page_are_refused(call, run_folder, tmp_path, options, message):
    file = [tmp_path / "r.html"] if options[-1] == "--html" else []
    assert message in call("report", run_folder, *options, *file, code=2).stderr
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize("name", ["events.parquet", "pulses.parquet", "devices.parquet", "stats.parquet"])
@pytest.mark.parametrize("content", [b"", b"PAR1", "half"])
def test_no_page_of_truncated_files(call, make_run, tmp_path, name, content):
    folder = make_run()
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    assert name in call("report", folder, "--html", tmp_path / "r.html", code=2).stderr
    assert not (tmp_path / "r.html").exists()


def test_compare_page(call, make_run, tmp_path):
    runs = [make_run("a"), make_run("b"), make_run("c", state="failed", error="NaN")]
    file = tmp_path / "c.html"
    assert call("compare", *runs, "--html", file).stdout == f"wrote {file}\n"
    source = file.read_text()
    assert "3 runs side by side" in source
    assert "by component" in source
    assert "not reached" in source
    assert "is a folder" in call("compare", *runs, "--html", tmp_path, code=2).stderr
    assert "schema version 2" in call("compare", runs[0], make_run("old", schema=2), "--html", file, code=2).stderr
