"""hwsim check: descriptions and data files."""

from __future__ import annotations

from pathlib import Path

import click

from hwsim.cli.output import echo, echo_json
from hwsim.errors import Problem


@click.command("check", short_help="Check descriptions and data files.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(ctx: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Check descriptions of devices, cells, components, chips and traces (YAML), data (.npz, IDX), networks (.onnx),
    recorded traces and logs (.parquet).

    Every mistake is named with its file and line; exit code 2 if there is any.
    """
    problems = [problem for file in files for problem in check_file(file)]
    if as_json:
        keys = ("file", "line", "path", "message")
        found = [
            dict(zip(keys, (str(each.file), each.line, each.path, each.message), strict=True)) for each in problems
        ]
        echo_json({"files": [str(file) for file in files], "problems": found})
    else:
        for problem in problems:
            echo(str(problem))
        echo(f"{_number(len(files), 'file')}, {_number(len(problems), 'error')}")
    ctx.exit(2 if problems else 0)


def _number(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n or 'no'} {what}s"


def check_file(file: Path) -> list[Problem]:
    """Return every problem of a description, data file or log."""
    from hwsim.run import check

    if file.is_dir():
        return [Problem("this is a folder, not a file", file=file)]
    return check_log(file) if file.suffix == ".parquet" and file.is_file() else check.check_file(file)


def check_log(file: Path) -> list[Problem]:
    """Return every problem of a Parquet log; every row group is read, so that damage anywhere is found."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as parquet:
            metadata = parquet.schema_arrow.metadata or {}
            for index in range(parquet.num_row_groups):
                parquet.read_row_group(index)
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return [Problem("not a readable Parquet file (truncated, damaged or another format)", file=file)]
    if b"hwsim.kind" in metadata:
        from hwsim.run import check

        return check.check_file(file)
    if b"hwsim.schema" not in metadata:
        return [Problem("not a log of hwsim: its metadata name no hwsim.schema", file=file)]
    return []
