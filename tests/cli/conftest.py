import importlib.util
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hwsim.cli.group import hwsim


@pytest.fixture(scope="session")
def synthetic():
    """The module that writes run folders without the simulator."""
    file = Path(__file__).parents[1] / "results" / "synthetic.py"
    spec = importlib.util.spec_from_file_location("synthetic", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def call():
    """Call the command line with arguments; check the exit code and that no traceback is shown."""

    def call(*arguments, code=0):
        result = CliRunner().invoke(hwsim, [str(argument) for argument in arguments])
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        if code == 2:
            assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return call


@pytest.fixture
def call_json(call):
    """Call the command line with ``--json`` and return the object that it prints."""
    return lambda *arguments, code=0: json.loads(call(*arguments, "--json", code=code).stdout)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory, synthetic):
    """A complete run that tests only read."""
    return synthetic.write_run(tmp_path_factory.mktemp("shared") / "digits-mlp-tiki-taka-000")


@pytest.fixture
def make_run(tmp_path, synthetic):
    """Write a run folder ``name`` with changes to its content."""
    return lambda name="run", **changes: synthetic.write_run(tmp_path / name, **changes)
