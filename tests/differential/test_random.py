"""Random numbers: known answers, the plain reference, and the shape of the distributions."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from hwsim._kernels import rng
from hwsim.engine.rng import normals, stream_key, uniforms

_spec = spec_from_file_location("reference", Path(__file__).with_name("reference.py"))
assert _spec is not None
assert _spec.loader is not None
reference = module_from_spec(_spec)
_spec.loader.exec_module(reference)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_known_answers_of_random123(counter: list[int], key: list[int], expected: list[int]) -> None:
    assert rng.philox(counter, key) == expected


@pytest.mark.parametrize(
    ("key", "group", "c2", "c3"), [(0, 0, 0, 0), (2**64 - 1, 3, 7, 9), (12345678901234567, 2**40, 1, 2)]
)
def test_words_and_normals_match_the_plain_reference(key: int, group: int, c2: int, c3: int) -> None:
    expected = reference.words(key, group, c2, c3)
    assert (rng.words(key, group, 1, c2, c3) == expected).all()
    assert rng.normals(key, group, 1, c2, c3) == pytest.approx(reference.box_muller(expected), abs=2e-6)


def test_normals_are_normal() -> None:
    z = normals(stream_key(0, "test", "normal"), 0, 4_000_000).astype(float)
    n = len(z)
    assert abs(z.mean()) < 4 / np.sqrt(n)
    assert abs(z.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs((z**3).mean()) < 4 * np.sqrt(15 / n)
    assert abs((z**4).mean() - 3) < 4 * np.sqrt(96 / n)
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 4 / np.sqrt(n)
    assert stats.kstest(z[:500_000], "norm").pvalue > 1e-3
    assert (np.abs(z) > 4).sum() == pytest.approx(n * 2 * stats.norm.sf(4), rel=0.25)


def test_the_tail_reaches_six_sigma() -> None:
    smallest = np.concatenate([np.zeros(16, np.uint32), np.zeros(16, np.uint32)])
    assert reference.box_muller(smallest).max() > 6


def test_uniforms() -> None:
    u = uniforms(stream_key(0, "test", "uniform"), 5, 200_000)
    assert ((u > 0) & (u < 1)).all()
    assert stats.kstest(u, "uniform").pvalue > 1e-3


def test_a_stream_can_be_entered_anywhere() -> None:
    key = stream_key(1, "a", "b")
    whole = normals(key, 0, 200)
    assert (normals(key, 37, 100) == whole[37:137]).all()
    assert len(normals(key, 5, 0)) == 0


def test_keys_differ_by_seed_path_and_purpose() -> None:
    keys = {stream_key(seed, path, purpose) for seed in range(3) for path in "ab" for purpose in "xy"}
    assert len(keys) == 12
    assert stream_key(0, "a", "bc") != stream_key(0, "ab", "c")
    assert all(0 <= key < 2**64 for key in keys)


PROGRAM = """
from hashlib import sha256
import numpy as np
from hwsim._kernels import rng
from hwsim.devices import DeviceArray, IOParameters, UpdateParameters, load_device, make_cells
h = sha256(rng.normals(3, 0, 50).tobytes())
g = np.random.default_rng(0)
names = ("constant_step", "linear_step", "soft_bounds_reference", "reram-es", "pcm")
names += ("pow_step", "piecewise_step", "exponential_response", "measured_curves")
for name in names:
    a = DeviceArray(load_device(name), (37, 75), seed=1)
    x, d = g.normal(size=(4, 75)), g.normal(size=(4, 37))
    r = a.update(x, d, 0.05, probe=(slice(0, 5), slice(3, 40)))
    a.update(x, d, 0.05, UpdateParameters(pulse_type="mean_count"))
    a.pulse(-1)
    a.update(0.01 * x, 0.1 * d, 0.05)
    a.update(np.eye(75)[7:8], d[:1], 0.05)
    pair = make_cells(load_device(name, unit_cell__kind="one_sided"), (37, 75), seed=1)
    pair.update(x, d, 0.05)
    h.update(pair.weights.tobytes())
    h.update(a.weights.tobytes() + r.sum_w.tobytes() + r.log.dw.tobytes() + r.pulses_up.tobytes())
    io = IOParameters(inp_noise=0.1, inp_sto_round=True)
    h.update(a.read(x, io).y.tobytes() + a.read(d, io, transposed=True).y.tobytes() + a.read_line(3).y.tobytes())
print(rng.instruction_set(), h.hexdigest())
"""


def test_every_instruction_set_gives_the_same_bits() -> None:
    found = {}
    for isa in ("baseline", "avx2", "avx512"):
        # Only reads of few vectors: longer streams belong to BLAS, which chooses its own instructions.
        result = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "HWSIM_ISA": isa},
            capture_output=True,
            text=True,
            check=True,
        )
        used, digest = result.stdout.split()
        found[used] = digest
    assert "baseline" in found
    assert len(set(found.values())) == 1
    assert len(next(iter(found.values()))) == len(sha256().hexdigest())
