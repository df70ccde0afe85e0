import os
import signal
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hwsim.errors import ResultsError, UsageError
from hwsim.results import queries


def test_all_rows_in_time_order(shared_run):
    events = shared_run.events()
    assert len(events) == 400
    assert events["t_ps"].is_monotonic_increasing
    assert events["t_ps"].dtype == "int64"


def test_where(shared_run):
    events = shared_run.events(where="component like 'tile0.%' and action = 'convert' -- the converters")
    assert set(events["component"]) == {"tile0.adc"}
    assert len(events) == 25


def test_a_foreign_log_of_line_reads_is_refused(make_run):
    folder = make_run().path
    pq.write_table(pa.table({"a": [1]}), folder / "line_reads.parquet")
    with pytest.raises(ResultsError, match="is no line_reads log of hwsim: it has no column array, axis, device, line"):
        queries.check_log(folder, "line_reads")


def test_window_is_half_open(shared_run):
    events = shared_run.events(start="10 ns", end="12ns")
    assert list(events["t_ps"]) == [10_000, 11_000]
    assert list(shared_run.events(start=10_000, end=12_000)["t_ps"]) == [10_000, 11_000]
    assert len(shared_run.events(end="0 s")) == 0


def test_the_column_array_needs_no_quotes(shared_run):
    assert len(shared_run.pulses(where="array = 0 and col = 0")) == 50
    assert len(shared_run.pulses(where='"array" = 0')) == 50
    sql = "select array, count(*) n, 'array' as word, array[1, 2] as list from pulses group by array -- array"
    answer = shared_run.sql(sql)
    assert answer["array"].tolist() == [0]
    assert answer["word"].tolist() == ["array"]
    assert list(answer["list"][0]) == [1, 2]


def test_an_explained_query(shared_run):
    assert "physical_plan" in shared_run.sql("explain select count(*) from pulses")["explain_key"].tolist()


def test_limit_and_pulses(shared_run):
    assert list(shared_run.pulses(limit=2)["t_ps"]) == [0, 100]
    assert set(shared_run.pulses(where="polarity > 0")["polarity"]) == {1}


def test_sql_over_every_view(shared_run):
    answer = shared_run.sql(
        "select e.n, p.n, m.n from (select count(*) n from events) e, (select count(*) n from pulses) p,"
        " (select count(*) n from Metrics) m"
    )
    assert answer.iloc[0].tolist() == [400, 50, 144]
    assert len(shared_run.sql("with a as (from events limit 3) select * from a;")) == 3


def test_sums_equal_the_log(shared_run):
    total = shared_run.sql("select sum(energy_J) as energy from events")["energy"][0]
    assert total == pytest.approx(shared_run.events()["energy_J"].sum(), rel=1e-12)


@pytest.mark.parametrize(
    "where",
    [
        "componnt = 'x'",
        "1 = 1) or (1 = 1",
        "step = ",
        "step = 1; drop table events",
        "",
        "  ",
        "step, tile",
        "sum(step) > 1",
    ],
)
def test_wrong_condition(shared_run, where):
    with pytest.raises(UsageError) as caught:
        shared_run.events(where=where)
    assert "\n" not in str(caught.value)


def test_unknown_column_names_the_nearest(shared_run):
    with pytest.raises(UsageError, match=r"componnt.*component"):
        shared_run.events(where="componnt = 'x'")


@pytest.mark.parametrize("time", ["10", "10 V", "-1 ns", "soon", -1, 1.5, True])
def test_wrong_time(shared_run, time):
    with pytest.raises(UsageError, match="a time in the log"):
        shared_run.events(start=time)


@pytest.mark.parametrize("limit", [-1, 1.5, True, "3"])
def test_wrong_limit(shared_run, limit):
    with pytest.raises(UsageError, match="limit"):
        shared_run.events(limit=limit)


FORBIDDEN = [
    "select * from read_csv('{file}')",
    "select * from read_text('{file}')",
    "select * from read_blob('{file}')",
    "select * from read_parquet('{folder}/stats.parquet')",
    "select * from '{folder}/stats.parquet'",
    "select * from events join read_csv_auto('{file}') on true",
    "select * from events where component in (select content from read_text('{file}'))",
    "select * from glob('/*')",
    "from sniff_csv('{file}')",
    "select * from parquet_metadata('{folder}/events.parquet')",
    "copy events to '{folder}/copy.csv'",
    "copy (select 1) to '{folder}/events.parquet'",
    "export database '{folder}/export'",
    "attach '{folder}/database.db'",
    "create table t as select 1",
    "insert into events select * from events",
    "drop view events",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "reset lock_configuration",
    "call pragma_version()",
    "select 1; select 2",
    "explain analyze copy events to '{folder}/copy.csv'",
    "EXPLAIN  ANALYZE COPY (select 1) TO '{folder}/copy.csv' (USE_TMP_FILE false)",
    "explain explain copy events to '{folder}/copy.csv'",
    "explain (format json) copy events to '{folder}/copy.csv'",
    "select * from read_parquet('https://example.org/a.csv')",
    "select * from 'https://example.org/a.csv'",
    "install httpfs from 'https://example.org'",
    "set allowed_paths = ['{file}']",
    "set global allowed_directories = ['/']",
    "with t as (select 1) select * from t, read_csv('{file}')",
    "select * from query('select * from read_csv(''{file}'')')",
    "select * from query_table('{file}')",
    "pivot (select * from read_csv('{file}')) on word",
    "attach '{file}' as other (type sqlite)",
    "select * from events; copy events to '{folder}/copy.csv'",
    "create or replace view events as select 1",
    "select * from line_reads",
    "select * from secret",
    "select getenv('HOME')",
    "",
    "nonsense",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_queries_reach_nothing_but_the_views(make_run, tmp_path, sql):
    run = make_run()
    file = tmp_path / "secret.csv"
    file.write_text("word\nopen sesame\n")
    secret = 1  # noqa: F841 (a query must not see the variables of the program either)
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    with pytest.raises((UsageError, ResultsError)) as caught:
        run.sql(sql.format(file=file, folder=run.path))
    assert "sesame" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before


def test_missing_log_says_how_to_have_it(make_run):
    run = make_run()
    (run.path / "pulses.parquet").unlink()
    with pytest.raises(ResultsError, match=r"kept no pulses .run with --log pulses and --probe"):
        run.pulses()
    with pytest.raises(ResultsError, match="kept no pulses"):
        run.sql("select * from pulses")


@pytest.mark.parametrize("keep", [0, 4, 0.5, 0.98])
def test_truncated_log(make_run, keep):
    run = make_run()
    path = run.path / "events.parquet"
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    for ask in (run.events, lambda: run.sql("select * from events")):
        with pytest.raises(ResultsError, match=r"events\.parquet is damaged"):
            ask()
    assert len(run.pulses()) == 50


def test_damaged_pages(make_run):
    run = make_run()
    path = run.path / "events.parquet"
    content = bytearray(path.read_bytes())
    content[40:2000] = bytes(range(245)) * 8
    path.write_bytes(content)
    with pytest.raises(ResultsError, match="damaged"):
        run.sql("select sum(t_ps), sum(count), max(component) from events")


def test_columns_are_described(shared_run):
    described = queries.columns(shared_run.path, "events")
    assert described["t_ps"] == ("ps", "what t_ps is")
    assert described["energy_J"][0] == "J"


def test_rows_are_streamed(shared_run):
    with queries.query(shared_run.path, "select t_ps from events") as answer:
        assert answer.columns == ["t_ps"]
        assert next(answer.rows) == (0,)


def test_interrupt_handler_is_left_alone(shared_run):
    before = signal.getsignal(signal.SIGINT)
    shared_run.events(limit=1)
    assert signal.getsignal(signal.SIGINT) is before


ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"
LONG = "select count(*) from events a, events b, events c, events d where sin(a.t_ps + b.t_ps + c.t_ps + d.t_ps) > 2"


@pytest.mark.parametrize("sql", [ENDLESS, LONG])
def test_a_query_without_end_is_stopped(shared_run, sql):
    begun = time.monotonic()
    with pytest.raises(UsageError, match=r"no answer after 0\.3 s: ask for less.*--timeout"):
        shared_run.sql(sql, timeout=0.3)
    with pytest.raises(UsageError, match="no answer"), queries.query(shared_run.path, sql, seconds=0.3) as answer:
        list(answer.rows)
    assert time.monotonic() - begun < 30
    assert shared_run.sql("select count(*) n from events", timeout=30)["n"][0] == 400


def test_a_signal_ends_a_query_at_once(shared_run):
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        shared_run.sql(ENDLESS, timeout=50)
    timer.join()
    assert time.monotonic() - begun < 30


def test_a_query_takes_no_more_memory_than_a_file_may(shared_run, monkeypatch):
    monkeypatch.setattr(queries, "memory_limit", lambda: 64 << 20)
    with pytest.raises(UsageError, match="memory"):
        shared_run.sql("select list(a.t_ps) from events a, events b, range(1000) c", timeout=50)
