import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from hwsim.cli.group import COMMANDS
from hwsim.errors import Problem, RunError, SpecError

HEAVY = ("numpy", "pandas", "pyarrow", "duckdb", "pydantic", "simpy", "rich", "sklearn", "jinja2", "yaml")


def _process(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "hwsim", *arguments], capture_output=True, text=True, timeout=60, **options
    )


def test_help_is_light():
    code = (
        "import sys; from hwsim.cli.group import hwsim; hwsim.main(['--help'], standalone_mode=False);"
        f"sys.exit(','.join(set({HEAVY!r}) & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.stderr == "\n" or result.returncode == 0, result.stderr
    assert "Commands:" in result.stdout


def test_help_is_fast():
    begun = time.perf_counter()
    assert _process("--help").returncode == 0
    # Far above the 0.1 s that it takes, for busy machines; heavy imports would take a second.
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(call, name):
    output = call(name, "--help").stdout
    assert "Usage: " in output
    assert "--json" in output
    assert name in call().stdout


def test_version(call):
    lines = call("--version").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["hwsim", "python", "numpy", "simpy"]


def test_unknown_command_names_the_nearest(call):
    result = call("runn", code=2)
    assert "error: no command is called 'runn'; did you mean 'run'?" in result.stderr


def test_wrong_option(call):
    result = call("report", "--htm", "x", code=2)
    assert result.stderr.startswith("error: No such option")
    assert "try 'hwsim report --help'" in result.stderr


@pytest.fixture
def failing(monkeypatch):
    """Make ``hwsim chips`` raise an error."""

    def fail(error):
        def names(_kind):
            raise error

        monkeypatch.setattr("hwsim.library.names", names)

    return fail


def test_every_problem_is_printed(call, failing):
    failing(SpecError([Problem("wrong", "tile.rows", "chip.yaml", 3), Problem("missing", "tile", "chip.yaml", 2)]))
    assert call("chips", code=2).stderr == "error: chip.yaml:3: tile.rows: wrong\nerror: chip.yaml:2: tile: missing\n"


def test_failed_run_is_exit_code_1(call, failing):
    failing(RunError("the run failed"))
    assert call("chips", code=1).stderr == "error: the run failed\n"


def test_a_full_disk_is_no_defect(call, failing):
    failing(OSError(errno.ENOSPC, "No space left on device", "runs/x"))
    said = call("chips", code=1).stderr
    assert said == "error: No space left on device to write runs/x; make room, or put the output elsewhere\n"


def test_defects_are_one_line(call, failing, monkeypatch):
    monkeypatch.delenv("HWSIM_DEBUG", raising=False)
    failing(KeyError("two\nlines"))
    result = call("chips", code=1)
    assert len(result.stderr.splitlines()) == 1
    assert "HWSIM_DEBUG=1" in result.stderr


def test_debug_raises(failing, monkeypatch):
    from hwsim.cli.group import hwsim

    monkeypatch.setenv("HWSIM_DEBUG", "1")
    failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        hwsim.main(["chips"], prog_name="hwsim")


def test_interrupt_is_130(call, failing):
    failing(KeyboardInterrupt())
    assert call("chips", code=130).stderr.strip() == "interrupted"


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX pipe")
def test_closed_pipe_is_silent(run_folder):
    command = f"{sys.executable} -m hwsim events {run_folder} --csv | head -1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout.startswith("t_ps,")
    assert result.stderr == ""


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="needs a POSIX pipe")
def test_closed_pipe_after_the_last_write():
    process = subprocess.Popen(
        [sys.executable, "-m", "hwsim", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) in (0, 1)


@pytest.mark.parametrize("name", ["chips", "components", "traces"])
def test_no_colour_off_a_terminal(call, name):
    assert "\x1b" not in call(name).stdout


def test_a_broken_description_does_not_stop_a_list(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "chips").mkdir(parents=True)
    (tmp_path / "models" / "chips" / "broken.yaml").write_text("name: broken\n")
    output = call("chips").stdout
    assert "baseline" in output
    assert "not valid: " in output
