import importlib.util
from pathlib import Path

import pytest

from hwsim.results import open_run


def _synthetic():
    spec = importlib.util.spec_from_file_location("synthetic", Path(__file__).with_name("synthetic.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def synthetic():
    """The module that writes run folders without the simulator."""
    return _synthetic()


@pytest.fixture
def make_run(tmp_path, synthetic):
    """Write a run folder ``name`` with changes to its content, and open it."""

    def make(name="run", **changes):
        return open_run(synthetic.write_run(tmp_path / name, **changes))

    return make


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory, synthetic):
    """A complete run that tests only read."""
    return open_run(synthetic.write_run(tmp_path_factory.mktemp("shared") / "digits-mlp-tiki-taka-000"))
