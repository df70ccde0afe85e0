"""Shared by the tests of published designs."""

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def bench():
    """Return the module that runs programs on the chips and takes figures from their events."""
    file = Path(__file__).parent / "bench.py"
    spec = importlib.util.spec_from_file_location("published_bench", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["published_bench"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def check():
    """Return a function that compares a measured number with the figure in a chip's description.

    The description holds the published number and ours; what runs must give ours to its last printed digit.
    """

    def compare(figure, measured):
        assert figure.our_figure.shows(measured), f"{figure.name}: measured {measured!r}, the file says {figure.ours}"

    return compare
