"""Whatever is wrong is said in one clear message with exit code 2; nothing is written or overwritten."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hwsim.cli.group import hwsim
from hwsim.run.config import resolve


def command(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(hwsim, [*arguments])
    assert "Traceback" not in result.output
    return result.exit_code, result.stderr


BAD_OPTIONS = [
    (["digits-mpl"], "did you mean 'digits-mlp'?"),
    (["--chip", ""], "no chip is called ''"),
    (["--data", "nowhere"], "no such data folder: nowhere"),
    (["--set", "w_max=-1"], "--set w_max: input should be greater than or equal to 0"),
    (["--set", "tile={}"], "--set tile.rows: this parameter is missing"),
    (["--chip", "basline"], "did you mean 'baseline'?"),
    (["--device", "reram-sbb"], "did you mean 'reram-sb'?"),
    (["--algorithm", "tikitaka"], "did you mean 'tiki-taka'?"),
    (["--set", "tile.rowz=3"], "--set tile.rowz: no such parameter; did you mean 'rows'?"),
    (["--set", "tlie.rows=3"], "did you mean 'tile'?"),
    (["--set", "tile.rows"], "expected path=value"),
    (["--set", "tile.rows=[1"], "cannot read the value"),
    (["--set", "tile.crossbar.integration_time=40 nJ"], "expected a number with the unit s"),
    (["--set", "tile.crossbar.integration_time=40"], "expected a number with the unit s"),
    (["--set", "tile.rows=many"], "--set tile.rows: input should be a valid integer, got 'many'"),
    (["--set", "tile.rows=0"], "greater than or equal to 1"),
    (["--set", "dw_min=-1"], "dw_min"),
    (["--set", "dw_min=.nan"], "dw_min"),
    (["--set", "algorithm.fast_lr=quick"], "--set algorithm.fast_lr"),
    (["--set", "trace.batch_size=0"], "--set trace.batch_size"),
    (["--set", "tile.forward.inp_rez=1"], "did you mean 'inp_res'?"),
    (["--set", "chip.tiles=1"], "does not fit"),
    (["--set", "chip.tile.arrays=1"], "needs 2 arrays in a tile"),
    (
        ["--algorithm", "digital-sgd", "--set", "buffer.banks=1", "--set", "buffer.model=bus-256b-isaac"],
        "this place needs a buffer",
    ),
    (["--set", "clocks.core=333 MHz"], "no period of whole picoseconds"),
    (["--seed", "-1"], "seed"),
    (["--steps", "0"], "steps"),
    (["--epochs", "0"], "epochs"),
    (["--threads", "0"], "threads"),
    (["--probe", "0"], "--log pulses"),
    (["--log", "pulses"], "--probe"),
    (["--log", "pulses", "--probe", "9"], "tiles 0 to 1 are in use"),
    (["--log", "pulses", "--probe", "0:x"], "cannot read"),
    (["--log", "pulses", "--probe", "0", "--algorithm", "digital-sgd"], "no tile is in use"),
    (["--no-timing", "--log", "events"], "needs times"),
    (["mnist-fcn"], "--data"),
    (["none.npz"], "no such data file"),
    (["missing/trace.yaml"], "no such file"),
]


@pytest.mark.parametrize(
    ("options", "message"), BAD_OPTIONS, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_bad_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HWSIM_DATA", raising=False)
    code, text = command("run", "--out", str(tmp_path / "out"), *options)
    assert code == 2, text
    assert message in text
    assert list(tmp_path.iterdir()) == []


def test_a_parameter_of_the_device_needs_no_prefix() -> None:
    """Also one that neither the trace nor the device's own file has named."""
    spec = resolve(set=["w_max=0.8"])
    assert spec.device.parameters.w_max == 0.8


def test_more_classes_than_memory_are_no_defect(tmp_path: Path) -> None:
    file = write_npz(tmp_path / "a.npz", x=np.ones((40, 4), np.float32), y=np.arange(40) % 2 * (2**31 - 2))
    code, text = command("run", file, "--out", str(tmp_path / "out"))
    assert code == 1
    assert text.startswith("error: not enough memory: ")


def test_an_existing_output_folder_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine", encoding="utf-8")
    code, text = command("run", "--steps", "1", "--out", str(out))
    assert code == 2
    assert "exists already" in text
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def write_npz(path: Path, **arrays: np.ndarray) -> str:
    np.savez(path, **arrays)
    return str(path)


def test_bad_data_files(tmp_path: Path) -> None:
    good = np.ones((8, 4), np.float32)
    labels = np.arange(8) % 2
    nan = good.copy()
    nan[3, 1] = np.nan
    out = tmp_path / "out"
    cases = [
        (write_npz(tmp_path / "nan.npz", x=nan, y=labels), "finite"),
        (write_npz(tmp_path / "short.npz", x=good, y=labels[:5]), "5"),
        (write_npz(tmp_path / "noy.npz", x=good), "y"),
        (write_npz(tmp_path / "text.npz", x=np.full((8, 4), "a"), y=labels), "x"),
    ]
    broken = tmp_path / "broken.npz"
    broken.write_bytes(Path(cases[0][0]).read_bytes()[:60])
    for file, message in [*cases, (str(broken), "broken.npz")]:
        code, text = command("run", file, "--out", str(out))
        assert code == 2, text
        assert message in text
    assert not out.exists()


def test_data_that_do_not_fit_the_network(tmp_path: Path) -> None:
    file = write_npz(tmp_path / "a.npz", x=np.ones((40, 5), np.float32), y=np.arange(40) % 2)
    code, text = command("run", "--set", f"trace.data={{file: {file}}}", "--out", str(tmp_path / "out"))
    assert code == 2
    assert "5" in text
    assert not (tmp_path / "out").exists()


def test_corrupt_idx(tmp_path: Path) -> None:
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(
            gzip.compress(b"\0\0\x08\x03" + b"\0\0\0\x05" * 3 + b"\1" * 7)
        )
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(b"no gzip")
    code, text = command("run", "mnist-fcn", "--data", str(tmp_path), "--out", str(tmp_path / "out"))
    assert code == 2
    assert "idx" in text
    assert not (tmp_path / "out").exists()


def test_all_mistakes_of_a_file_with_their_lines(tmp_path: Path) -> None:
    lines = (Path(__file__).parents[2] / "models" / "chips" / "baseline.yaml").read_text(encoding="utf-8")
    number = lines.splitlines().index("  rows: 256") + 1
    file = tmp_path / "mine.yaml"
    file.write_text(
        lines.replace("  rows: 256", "  rowz: 256").replace("inp_bound: 1.0", "inp_bond: 1.0", 1), encoding="utf-8"
    )
    code, text = command("run", "--chip", str(file), "--out", str(tmp_path / "out"))
    assert code == 2
    assert f"{file}:{number}: tile.rowz: no such parameter; did you mean 'rows'?" in text
    assert "tile.forward.inp_bond" in text
    assert f"{file}:" in text.split("inp_bond")[0].splitlines()[-1]
    checked = CliRunner().invoke(hwsim, ["check", str(file)])
    assert checked.exit_code == 2
    assert f"{file}:{number}: tile.rowz" in checked.output
