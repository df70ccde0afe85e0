"""Memory that a pulse log frees is kept for its next block."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from hwsim.run.memory import keep_freed

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.empty(8 << 20, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

cold, done, _, kept = faults(), keep_freed(), faults(), faults()
print(cold, int(done), kept)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have their own ways with memory")
def test_blocks_that_come_again_are_not_cleared_again() -> None:
    """In a process of its own, as the setting stays for its life."""
    answer = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True).stdout
    cold, done, kept = map(int, answer.split())
    if not done:
        pytest.skip("this C library has no mallopt")
    assert kept < 100
    assert cold >= kept
