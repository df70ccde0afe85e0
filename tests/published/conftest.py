"""Shared by the tests of published designs."""

import pytest

import hwsim.reproduce.bench


@pytest.fixture(scope="session")
def bench():
    """Return the module that runs programs on the chips and takes figures from their events."""
    return hwsim.reproduce.bench


@pytest.fixture(scope="session")
def check():
    """Return a function that compares a measured number with the figure in a chip's description.

    The description holds the published number and ours; what runs must give ours to its last printed digit.
    """

    def compare(figure, measured):
        assert figure.our_figure.shows(measured), f"{figure.name}: measured {measured!r}, the file says {figure.ours}"

    return compare
