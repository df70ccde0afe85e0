"""The files of a run folder while they grow: readable at any moment, cut back and continued to the same bytes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwsim
from hwsim.errors import ResultsError, RunError
from hwsim.results import logs
from hwsim.results.compare_page import compare_page
from hwsim.results.unfinished import ends_in_footer
from hwsim.run import growing
from hwsim.run.folder import CODINGS, PULSE_COLUMNS
from hwsim.run.footer import Footer, moved, read_footer
from hwsim.run.growing import GrowingParquet
from hwsim.run.pages import PAGE_ROWS, WIDEST, PageCoding
from hwsim.run.table import LEAST_ROWS, MOST_ROWS, TableWriter

COLUMNS = {
    "t_ps": ("int64", "ps", "time"),
    "name": ("name", "1", "a word"),
    "value": ("float64", "1", "a number"),
}
NAMES = ["zero", "one", "two", "three"]


def rows(first: int, n: int) -> dict[str, np.ndarray]:
    t = np.arange(first, first + n)
    return {"t_ps": t // 3, "name": (t % 4).astype(np.int32), "value": np.sin(t)}


def writer(path: Path, **options: Any) -> TableWriter:
    return TableWriter(path, COLUMNS, {"hwsim.schema": "1", "own": "yes"}, **options)


def file_of(values: list[int], **options: Any) -> memoryview:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": pa.array(values, pa.int64()), "b": [str(v) for v in values]}), sink, **options)
    return memoryview(sink.getvalue()).cast("B")


# Footers


@given(st.lists(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=20), max_size=5))
@settings(max_examples=40, deadline=None)
def test_row_groups_of_any_rows_go_into_one_file(tmp_path_factory: pytest.TempPathFactory, groups: Any) -> None:
    path = tmp_path_factory.mktemp("f") / "f.parquet"
    empty = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())}), empty)
    file = GrowingParquet(path, memoryview(empty.getvalue()))
    for values in groups:
        file.append(file_of(values, write_page_index=True))
    file.close()
    table = pq.read_table(path)
    assert table["a"].to_pylist() == [value for values in groups for value in values]
    assert table["b"].to_pylist() == [str(value) for values in groups for value in values]
    assert pq.ParquetFile(path).metadata.num_row_groups == len(groups)


def test_a_footer_is_read_and_written_as_it_was() -> None:
    for options in ({}, {"compression": "zstd", "use_dictionary": False}, {"write_page_index": True}):
        content = file_of(list(range(1000)), row_group_size=100, **options)
        footer = read_footer(content)
        assert footer.rows == 1000
        there_and_back = Footer(footer.fields, [moved(moved(group, 77), -77) for group in footer.groups]).encode()
        own = pq.ParquetFile(pa.BufferReader(bytes(content[: -len(there_and_back)]) + there_and_back))
        assert own.metadata.num_row_groups == 10
        assert own.read()["a"].to_pylist() == list(range(1000))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 4, b"\x00" * 100, b"PAR1\xff\xff\xff\x7fPAR1"])
def test_what_is_no_footer_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"Parquet|footer"):
        read_footer(content)


# Columns in runs

RUN_COLUMNS = {"t_ps": ("int64", "ps", "time"), "tile": ("int16", "1", "tile"), "w": ("float32", "1", "noise")}


def runs_of(lengths: list[int], values: list[int]) -> dict[str, np.ndarray]:
    t = np.repeat(np.array(values, np.int64), lengths)
    return {"t_ps": t, "tile": (t % 7 - 3).astype(np.int16), "w": np.linspace(0, 1, len(t), dtype=np.float32)}


def check_runs(path: Path, blocks: list[dict[str, np.ndarray]], coded: bool) -> None:
    """Write blocks; pyarrow and DuckDB read them back, and the statistics of the row groups are true."""
    table = TableWriter(path, RUN_COLUMNS, {}, coding=PageCoding(["w"], ["t_ps"]), least=1 << 22)
    for block in blocks:
        table.write(block)
    table.close()
    expected = {name: np.concatenate([block[name] for block in blocks]) for name in RUN_COLUMNS}
    read = pq.read_table(path)
    asked = duckdb.sql(f"select * from read_parquet('{path}')").df()
    for name, values in expected.items():
        np.testing.assert_array_equal(read[name].to_numpy(), values)
        np.testing.assert_array_equal(asked[name].to_numpy(), values)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    assert (chunk.statistics.min, chunk.statistics.max) == (expected["t_ps"].min(), expected["t_ps"].max())
    assert ("RLE_DICTIONARY" in chunk.encodings) == coded


@given(st.lists(st.tuples(st.integers(8, 300), st.integers(-(2**62), 2**62)), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_runs_of_any_length_and_value_read_back(tmp_path_factory: pytest.TempPathFactory, runs: Any) -> None:
    lengths, values = zip(*runs, strict=True)
    check_runs(tmp_path_factory.mktemp("f") / "f.parquet", [runs_of(list(lengths), list(values))], coded=True)


@pytest.mark.parametrize(
    ("lengths", "count", "coded"),
    [([8, 9, 100], 300, True), ([8], 70_000, True), ([20_000, 8, 2_100_000], 3, True), ([8, 1], 50, False)],
)
def test_runs_are_coded_where_they_are_long(tmp_path: Path, lengths: list[int], count: int, coded: bool) -> None:
    """Lengths of one to four bytes, and dictionaries whose places take one to three."""
    apart = 1 if coded else WIDEST
    block = runs_of((lengths * count)[:count], list(range(0, count * apart, apart)))
    third = len(block["w"]) // 3
    parts = [{name: column[part] for name, column in block.items()} for part in (slice(third), slice(third, None))]
    check_runs(tmp_path / "one.parquet", [block], coded)
    check_runs(tmp_path / "two.parquet", parts, coded)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


@pytest.mark.parametrize("numbers", [2, 3, 128, 129, WIDEST])
@pytest.mark.parametrize("rows", [1, 8, 1001])
def test_close_numbers_take_few_bits(tmp_path: Path, numbers: int, rows: int) -> None:
    t = np.arange(rows, dtype=np.int64) * 7 % numbers - 5
    check_runs(tmp_path / "f.parquet", [runs_of([1] * rows, t.tolist())], coded=True)
    chunk = pq.ParquetFile(tmp_path / "f.parquet").metadata.row_group(0).column(0)
    bits = int(t.max() - t.min()).bit_length()
    assert chunk.total_compressed_size <= 8 * numbers + rows * bits / 8 + 100


def test_a_run_in_many_pieces_is_one_run(tmp_path: Path) -> None:
    pieces = [runs_of([1], [9])] * 100
    check_runs(tmp_path / "f.parquet", pieces, coded=True)


NUMBERS = {
    "a": ("int8", "1", "a number"), "b": ("int16", "1", "a number"), "c": ("int32", "1", "a number"),
    "d": ("int64", "1", "a number"), "e": ("float32", "1", "noise"), "f": ("float64", "1", "noise"),
}  # fmt: skip


@pytest.mark.parametrize("spread", [1, 100, 1 << 7])
@pytest.mark.parametrize("sizes", [[5], [PAGE_ROWS], [1, 3 * PAGE_ROWS // 2, 7, PAGE_ROWS], [100_000] * 6])
def test_numbers_of_any_kind_read_back_page_by_page(tmp_path: Path, sizes: list[int], spread: int) -> None:
    """In runs (also of numbers that take no memory), in few bits, compressed and bare; over ends of pages, pieces."""
    g = np.random.default_rng(spread)
    path = tmp_path / "numbers.parquet"
    table = TableWriter(path, NUMBERS, {}, coding=PageCoding(["e", "f"], ["a", "c", "e"]), least=1 << 22)
    blocks = []
    for size in sizes:
        wide = {name: spread**2 if name in "cd" else spread for name in "abcdef"}
        whole = {name: g.integers(-wide[name], wide[name], size).astype(NUMBERS[name][0]) for name in "abcdef"}
        blocks.append(whole | {"b": np.broadcast_to(np.int16(-7), size)})
        table.write(blocks[-1])
    table.close()
    read = pq.read_table(path)
    asked = duckdb.sql(f"select * from read_parquet('{path}')").df()
    group = pq.ParquetFile(path).metadata.row_group(0)
    for k, name in enumerate(NUMBERS):
        values = np.concatenate([block[name] for block in blocks])
        assert read[name].to_numpy().dtype == values.dtype
        np.testing.assert_array_equal(read[name].to_numpy(), values)
        np.testing.assert_array_equal(asked[name].to_numpy(), values)
        told = group.column(k).statistics
        assert (told is not None) == (name in "ace")
        if told is not None:
            assert (told.min, told.max) == (values.min(), values.max())
    assert group.num_rows == sum(sizes)
    assert group.total_byte_size >= sum(group.column(k).total_compressed_size for k in range(len(NUMBERS)))


# Growing


def test_a_table_reads_back_with_units_and_row_groups_that_grow(tmp_path: Path) -> None:
    table = writer(tmp_path / "t.parquet", least=100)
    for first in range(0, 5000, 50):
        table.write(rows(first, 50), NAMES)
    table.close()
    read = pd.read_parquet(tmp_path / "t.parquet")
    expected = rows(0, 5000)
    np.testing.assert_array_equal(read["t_ps"], expected["t_ps"])
    np.testing.assert_array_equal(read["value"], expected["value"])
    assert list(read["name"]) == [NAMES[i] for i in expected["name"]]
    metadata = pq.ParquetFile(tmp_path / "t.parquet").metadata
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    before = np.cumsum(sizes) - sizes
    assert all(size == max(100, done // 8) for size, done in zip(sizes[:-1], before[:-1], strict=True))
    assert metadata.metadata[b"own"] == b"yes"
    field = pq.read_schema(tmp_path / "t.parquet").field("t_ps")
    assert field.metadata == {b"unit": b"ps", b"description": b"time"}


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    """However the rows come in; and after a cut back to an earlier state, in a file that has gone on since."""

    def write(path: Path, sizes: list[int]) -> TableWriter:
        table = writer(path, least=100)
        first = 0
        for size in sizes:
            table.write(rows(first, size), NAMES)
            first += size
        return table

    write(tmp_path / "one", [7] * 600).close()
    write(tmp_path / "two", [4200]).close()
    expected = (tmp_path / "one").read_bytes()
    assert (tmp_path / "two").read_bytes() == expected

    table = write(tmp_path / "cut", [7] * 300)
    state = table.state()
    table.write(rows(2100, 900), NAMES)  # lost
    again = writer(tmp_path / "cut", least=100, groups=state["groups"])
    again.restore(state["waiting"])
    assert again.rows == 2100
    again.write(rows(2100, 2100), NAMES)
    again.close()
    assert (tmp_path / "cut").read_bytes() == expected


def test_a_cut_needs_the_row_groups(tmp_path: Path) -> None:
    writer(tmp_path / "t").close()
    with pytest.raises(ValueError, match="has 0 row groups, expected 3"):
        writer(tmp_path / "t", groups=3)


class Killed(BaseException):
    pass


def test_readable_wherever_a_flush_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writing process dies before, within and after every write: every row of a finished flush is there.

    Readers other than ours fail only where a copy of the footer is half written behind the file.
    """
    path = tmp_path / "events.parquet"
    pwrite, ftruncate = os.pwrite, os.ftruncate
    torn = 0
    for deadline in range(60):
        table = writer(path, least=64)
        left = deadline
        flushed = 0

        def limited(handle: int, data: Any, at: int) -> int:
            nonlocal left
            left -= 1
            if left < 0:
                pwrite(handle, bytes(data)[: len(data) // 2], at)
                raise Killed
            return pwrite(handle, data, at)

        def cut(handle: int, size: int) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            ftruncate(handle, size)

        monkeypatch.setattr(growing.os, "pwrite", limited)
        monkeypatch.setattr(growing.os, "ftruncate", cut)
        try:
            for first in range(0, 64 * 12, 64):
                table.write(rows(first, 64), NAMES)
                flushed = table.rows - len(table.state()["waiting"])
        except Killed:
            pass
        monkeypatch.undo()
        ours = logs.recovered(path).to_table() if not ends_in_footer(path) else None
        torn += ours is not None
        table_read = ours if ours is not None else pq.read_table(path)
        # The flush that was cut off may have come through.
        assert len(table_read) in (flushed, flushed + max(64, flushed // 8))
        np.testing.assert_array_equal(table_read["value"].to_numpy(), rows(0, len(table_read))["value"])
    assert torn <= 60 / 4


def test_a_run_that_is_killed_leaves_what_was_flushed(tmp_path: Path) -> None:
    """SIGKILL at some moments: pandas and hwsim read the logs, in order of time, up to the last flush."""
    for delay in (0.0, 0.4):
        out = tmp_path / f"run{delay}"
        command = [
            sys.executable,
            "-m",
            "hwsim",
            "run",
            "--quiet",
            "--log",
            "pulses",
            "--probe",
            "0",
            "--out",
            str(out),
        ]
        process = subprocess.Popen(command)
        grown = out / "pulses.parquet"
        while not grown.is_file() or grown.stat().st_size < 200_000:
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(delay)
        process.kill()
        process.wait()
        run = hwsim.open_run(out)
        assert run.state == "running"
        for name in ("events", "pulses"):
            table = pd.read_parquet(out / f"{name}.parquet")
            assert len(table) >= (LEAST_ROWS if name == "pulses" else 0)
            assert table["t_ps"].is_monotonic_increasing
            assert run.sql(f"select count(*) n from {name}")["n"][0] == len(table)
        assert len(run.device(0, 3, 7, only="pulse")) > 0
        pd.testing.assert_frame_equal(run.metrics, pd.read_parquet(out / "metrics.parquet"))


@pytest.mark.parametrize("room", [0, 60, 200])
def test_a_full_disk_ends_the_run_and_keeps_what_was_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    pwrite = os.pwrite
    left = room

    def limited(handle: int, data: Any, at: int) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(handle, data, at)

    monkeypatch.setattr(growing.os, "pwrite", limited)
    with pytest.raises(RunError, match="No space left on device"):
        hwsim.simulate(steps=80, log="pulses", probe=["0"], out=tmp_path / "run")
    monkeypatch.undo()
    run = hwsim.open_run(tmp_path / "run")
    assert run.state == "failed"
    assert "No space left" in str(run.error)
    flushed = pd.read_parquet(run.path / "pulses.parquet")
    assert len(flushed) == run.sql("select count(*) n from pulses")["n"][0]
    assert (len(flushed) > 0) == (room > 0)


def test_a_log_with_a_half_written_footer_is_queried(tmp_path: Path) -> None:
    path = tmp_path / "pulses.parquet"
    (tmp_path / "run.json").write_text('{"schema": 1, "state": "running"}')
    table = TableWriter(path, PULSE_COLUMNS, {"hwsim.schema": "1"}, coding=CODINGS["pulses"])
    table.write({name: np.zeros(3 * LEAST_ROWS) for name in PULSE_COLUMNS})
    footer = read_footer(path.read_bytes()).encode()
    with path.open("r+b") as stream:
        stream.seek(1 << 22)
        stream.write(footer[: len(footer) // 2])
    run = hwsim.open_run(tmp_path)
    assert run.sql("select count(*) n from pulses")["n"][0] == 3 * LEAST_ROWS
    assert len(run.pulses(limit=5)) == 5


def test_tables_with_a_half_written_footer_are_reported(tmp_path: Path) -> None:
    """Metrics and phases that a kill left amid a flush: pages, texts and comparisons take what is whole in them."""
    run = hwsim.simulate(steps=3, log="none", out=tmp_path / "run")
    whole = {name: getattr(run, name) for name in ("metrics", "phases", "stats")}
    for name in whole:
        path = run.path / f"{name}.parquet"
        footer = read_footer(path.read_bytes()).encode()
        with path.open("ab") as stream:
            stream.write(b"\0" * 100 + footer[: len(footer) // 2])
        assert not ends_in_footer(path)
    torn = hwsim.open_run(run.path)
    for name, table in whole.items():
        pd.testing.assert_frame_equal(getattr(torn, name), table)
    assert torn.sql("select count(*) n from metrics")["n"][0] == 3
    assert "3 steps" in torn.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert compare_page([torn, run])


def test_rubbish_holds_no_footer(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    for content in (b"", b"PAR1", b"PAR1" + b"x" * 1000, b"PAR1" * 100):
        path.write_bytes(content)
        with pytest.raises(ResultsError, match="damaged"):
            logs.recovered(path)


def test_memory_is_bounded_by_the_row_group(tmp_path: Path) -> None:
    """Rows beyond the largest row group are on disk, however many come."""
    table = TableWriter(tmp_path / "p.parquet", PULSE_COLUMNS, {}, coding=CODINGS["pulses"])
    block = {name: np.zeros(1 << 18) for name in PULSE_COLUMNS}
    for _ in range(64):
        table.write(block)
        assert len(table.state()["waiting"]) <= MOST_ROWS
    assert table.rows == 1 << 24
    table.close()
    metadata = pq.ParquetFile(tmp_path / "p.parquet").metadata
    assert max(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)) <= MOST_ROWS


# The event log


def test_events_have_dictionaries_of_what_repeats_and_extremes_of_numbers_alone(tmp_path: Path) -> None:
    run = hwsim.simulate("digits-mlp", algorithm="ttv2-reram-sb", out=tmp_path / "run", steps=20)
    file = pq.ParquetFile(run.path / "events.parquet")
    group = file.metadata.row_group(0)
    columns = {group.column(k).path_in_schema: group.column(k) for k in range(group.num_columns)}
    names = [name for name in columns if pa.types.is_dictionary(file.schema_arrow.field(name).type)]
    assert set(names) == {"component", "action", "operation", "phase", "layer"}
    assert {name for name, column in columns.items() if column.statistics is None} == set(names)
    coded = {name for name, column in columns.items() if column.has_dictionary_page}
    assert {"dur_ps", "count", "tile", *names} <= coded
    assert sum(column.total_compressed_size for column in columns.values()) / group.num_rows < 4
