"""The example package adds an algorithm, a law and descriptions by its entry points, without a change to hwsim."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "hwsim-manhattan"

USE = """
import json, sys
import numpy as np, hwsim
from hwsim.devices import DeviceArray, load_device
cells = DeviceArray(load_device("graded", dw_min_dtod=0.0, dw_min_std=0.0, up_down_dtod=0.0), shape=(5, 3), seed=0)
cells.pulse(1)
run = hwsim.simulate(algorithm="manhattan-graded", steps=20, out=sys.argv[1])
own = hwsim.simulate(algorithm={"name": "manhattan", "step": 0.05}, device="graded_step", steps=2, out=sys.argv[2])
print(json.dumps({"steps": cells.weights[:, 0].tolist(), "algorithm": run.summary["algorithm"],
                  "device": run.summary["device"], "loss": run.metrics.loss.tolist(),
                  "counts": run.summary["counts"], "law": own.config["device"]["law"]}))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Return a folder into which pip has installed the example, without network and without touching the checkout."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(EXAMPLE, folder / "source")
    site = folder / "site"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation",
               "--disable-pip-version-check", "--target", str(site), str(source)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return site


def python(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=site.parent)


def test_the_installed_package_is_used_by_name(site, tmp_path) -> None:
    done = python(site, "-c", USE, str(tmp_path / "a"), str(tmp_path / "b"))
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    # dw_min 0.001 with a gradient of 0.5: from -25 % at the first row to +25 % at the last.
    assert seen["steps"] == pytest.approx([0.00075, 0.000875, 0.001, 0.001125, 0.00125], rel=1e-5)
    assert (seen["algorithm"], seen["device"]) == ("manhattan-graded", "graded")
    assert seen["loss"][-1] < seen["loss"][0]
    assert seen["counts"]["update"] == 2 * 20 * 10
    assert seen["law"] == "graded_step"


def test_the_commands_show_it(site) -> None:
    for command, name in (("algorithms", "manhattan"), ("algorithms", "manhattan-graded"), ("devices", "graded")):
        assert name in python(site, "-m", "hwsim", command).stdout
        shown = python(site, "-m", "hwsim", command, name)
        assert shown.returncode == 0, shown.stderr
    checked = python(site, "-m", "hwsim", "check", str(site / "hwsim_manhattan/models/algorithms/manhattan.yaml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_broken_package_is_named(tmp_path) -> None:
    info = tmp_path / "site" / "broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[hwsim.algorithms]\nlost = no_such_module:Thing\n", encoding="utf-8")
    done = python(tmp_path / "site", "-m", "hwsim", "algorithms")
    assert done.returncode == 2
    assert "'lost'" in done.stderr
    assert "broken" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_package_its_names_are_unknown(tmp_path) -> None:
    done = python(tmp_path / "nowhere", "-m", "hwsim", "algorithms", "manhattan")
    assert done.returncode == 2
    assert "no algorithm is called 'manhattan'" in done.stderr
