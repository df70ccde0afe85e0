"""Named data sets, normalisation, splits, and whether data fit a trace."""

import gzip
import struct

import numpy as np
import pytest

from hwsim.errors import DataError
from hwsim.spec.training import DataSpec, TraceSpec
from hwsim.training.data import check_fit, load_data, read_idx

MNIST_LABELS = [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


def idx(array, code=0x08):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


def images_folder(folder, *, labels=(3, 1, 2), compress=False, separator="-"):
    """Write a small MNIST: the training set holds ``labels``, the test set one sample."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for part, y in (("train", np.array(labels, np.uint8)), ("t10k", np.array([7], np.uint8))):
        x = random.integers(0, 256, (len(y), 28, 28)).astype(np.uint8)
        for stem, array in ((f"{part}-images{separator}idx3-ubyte", x), (f"{part}-labels{separator}idx1-ubyte", y)):
            if compress:
                (folder / f"{stem}.gz").write_bytes(gzip.compress(idx(array)))
            else:
                (folder / stem).write_bytes(idx(array))
    return folder


def npz(folder, **stored):
    np.savez(folder / "data.npz", **stored)
    return DataSpec(file=str(folder / "data.npz"))


def test_digits():
    data = load_data(DataSpec(name="digits"))
    assert data.x_train.shape == (1438, 64)
    assert data.x_test.shape == (359, 64)
    assert (data.x_train.dtype, data.y_train.dtype, data.n_classes) == (np.float32, np.int64, 10)
    assert (data.x_train.min(), data.x_train.max()) == (0, 1)
    assert set(np.bincount(data.y_test)) <= {35, 36, 37}
    assert not data.x_train.flags.writeable


def test_digits_are_split_alike_for_every_seed():
    first, second = (load_data(DataSpec(name="digits"), seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(first.x_test, second.x_test)


def test_limits_and_standard_normalisation():
    data = load_data(DataSpec(name="digits", normalisation="standard", limit_train=100, limit_test=20))
    assert (len(data.x_train), len(data.y_train), len(data.x_test)) == (100, 100, 20)
    assert data.x_train.mean() == pytest.approx(0, abs=1e-6)
    assert data.x_train.std() == pytest.approx(1, rel=1e-5)
    assert data.x_train.dtype == np.float32


def test_least_squares_is_solved_by_its_solution():
    data = load_data(DataSpec(name="least-squares"), seed=3)
    assert data.x_train.shape == (100, 40)
    assert data.y_train.shape == (100, 1)
    assert data.n_classes is None
    solution = np.linalg.lstsq(data.x_train, data.y_train, rcond=None)[0]
    np.testing.assert_allclose(data.x_test @ solution, data.y_test, atol=1e-4)


def test_least_squares_spreads():
    spec = DataSpec(name="least-squares", dimensions=400, rows=500, sigma_a=0.5, sigma_w=0.3, label_noise=0.1)
    data = load_data(spec)
    solution, residual = np.linalg.lstsq(data.x_train.astype(float), data.y_train.astype(float), rcond=None)[:2]
    assert data.x_train.std() == pytest.approx(0.5, rel=0.01)
    assert solution.std() == pytest.approx(0.3, rel=0.15)
    assert np.sqrt(residual[0] / 100) == pytest.approx(0.1, rel=0.3)


def test_least_squares_follows_the_seed():
    draws = [load_data(DataSpec(name="least-squares"), seed=seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0].y_train, draws[1].y_train)
    assert (draws[0].x_train != draws[2].x_train).any()
    noisy = load_data(DataSpec(name="least-squares", label_noise=0.1), seed=1)
    np.testing.assert_array_equal(noisy.x_train, draws[0].x_train)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("inner", ["", "mnist", "MNIST/raw"])
def test_mnist_files(tmp_path, compress, separator, inner):
    images_folder(tmp_path / inner, compress=compress, separator=separator)
    data = load_data(DataSpec(name="mnist"), data_dir=tmp_path)
    assert data.x_train.shape == (3, 784)
    assert data.x_train.max() <= 1
    assert data.y_train.tolist() == [3, 1, 2]
    assert (data.y_test.tolist(), data.n_classes) == ([7], 8)


def test_the_data_folder_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HWSIM_DATA", str(images_folder(tmp_path)))
    assert len(load_data(DataSpec(name="fashion-mnist")).x_train) == 3


def test_mnist_is_not_taken_for_fashion_mnist(tmp_path):
    images_folder(tmp_path, labels=MNIST_LABELS)
    assert len(load_data(DataSpec(name="mnist"), data_dir=tmp_path).x_train) == 10
    with pytest.raises(DataError, match="hold mnist, not fashion-mnist"):
        load_data(DataSpec(name="fashion-mnist"), data_dir=tmp_path)


def test_mnist_without_a_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("HWSIM_DATA", raising=False)
    with pytest.raises(DataError, match="--data DIR"):
        load_data(DataSpec(name="mnist"))
    with pytest.raises(DataError, match="no such data folder"):
        load_data(DataSpec(name="mnist"), data_dir=tmp_path / "nowhere")
    with pytest.raises(DataError, match="no train-images-idx3-ubyte"):
        load_data(DataSpec(name="mnist"), data_dir=tmp_path)


@pytest.mark.parametrize(
    ("file", "array", "message"),
    [
        ("train-labels-idx1-ubyte", np.zeros(2, np.uint8), "2 labels, but train-images-idx3-ubyte has 3 images"),
        ("train-labels-idx1-ubyte", np.array([1, 2, 10], np.uint8), "label 10 is outside of 0..9"),
        ("train-labels-idx1-ubyte", np.zeros((3, 2), np.uint8), "one uint8 label for each image"),
        ("train-images-idx3-ubyte", np.zeros((3, 28, 27), np.uint8), "images of 28 x 28"),
        ("train-images-idx3-ubyte", np.zeros(3, np.uint8), "images of 28 x 28"),
    ],
)
def test_idx_files_that_do_not_fit(tmp_path, file, array, message):
    images_folder(tmp_path)
    (tmp_path / file).write_bytes(idx(array))
    with pytest.raises(DataError, match=message) as refused:
        load_data(DataSpec(name="mnist"), data_dir=tmp_path)
    assert str(tmp_path) in str(refused.value)


def test_idx_files_without_samples(tmp_path):
    images_folder(tmp_path, labels=())
    with pytest.raises(DataError, match="holds no samples"):
        load_data(DataSpec(name="mnist"), data_dir=tmp_path)


@pytest.mark.parametrize(
    ("dtype", "code"), [("u1", 0x08), ("i1", 0x09), (">i2", 0x0B), (">i4", 0x0C), (">f4", 0x0D), (">f8", 0x0E)]
)
def test_idx_types(tmp_path, dtype, code):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    (tmp_path / "a").write_bytes(idx(array, code))
    found = read_idx(tmp_path / "a")
    np.testing.assert_array_equal(found, array)
    assert found.dtype.isnative


GOOD = idx(np.arange(6, dtype=np.uint8).reshape(2, 3))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a", b"", "not an IDX file"),
        ("a", b"\x89PNG....", "not an IDX file"),
        ("a", b"\0\0\x07\x01\0\0\0\0", "unknown type 0x07"),
        ("a", b"\0\0\x08\0", "with 0 dimensions"),
        ("a", GOOD[:9], "truncated in its header"),
        ("a", GOOD[:-1], "truncated; its header says 2 x 3 values, 18 bytes, but it has 17"),
        ("a", GOOD + b"x", "too long"),
        ("a", b"\0\0\x0e\x03" + b"\xff" * 12, "truncated"),
        ("a.gz", GOOD, "not a gzip file"),
        ("a.gz", gzip.compress(GOOD)[:-3], "truncated or damaged"),
        ("a.gz", gzip.compress(bytes(range(256)) * 9)[:-60], "truncated or damaged"),
    ],
)
def test_corrupt_idx_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as refused:
        read_idx(tmp_path / name)
    assert str(tmp_path / name) in str(refused.value)


def test_a_missing_idx_file(tmp_path):
    with pytest.raises(DataError, match="cannot read the file"):
        read_idx(tmp_path / "a")


def test_npz_with_its_own_test_set(tmp_path):
    spec = npz(tmp_path, x=np.arange(12.0).reshape(2, 2, 3), y=np.array([0, 1]), x_test=np.ones((1, 6)), y_test=[2])
    data = load_data(spec)
    assert (data.x_train.shape, data.x_test.shape, data.n_classes) == ((2, 6), (1, 6), 3)
    assert data.x_train.max() == 11


def test_npz_split_by_class(tmp_path):
    data = load_data(npz(tmp_path, x=np.arange(40).reshape(20, 2), y=np.repeat([0, 1], 10)))
    assert np.bincount(data.y_test).tolist() == [2, 2]
    assert (np.diff(data.x_train[:, 0]) > 0).all()


def test_npz_targets(tmp_path):
    data = load_data(npz(tmp_path, x=np.ones((10, 2)), y=np.linspace(0, 1, 10)))
    assert (data.y_train.shape, data.y_train.dtype, data.n_classes) == ((8, 1), np.float32, None)


def test_npz_normalisation(tmp_path):
    x = np.array([[-2, 5, 1], [2, 5, 3], [0, 5, 2], [0, 5, 2]], np.float64)
    spec = npz(tmp_path, x=x, y=np.zeros(4, int), x_test=x[:1] * 2, y_test=[0])
    unit = load_data(spec.model_copy(update={"normalisation": "unit"}))
    np.testing.assert_allclose(unit.x_train, (x + 2) / 7, rtol=1e-6)
    np.testing.assert_allclose(unit.x_test, (2 * x[:1] + 2) / 7, rtol=1e-6)
    standard = load_data(spec.model_copy(update={"normalisation": "standard"}))
    np.testing.assert_allclose(standard.x_train.mean(axis=0), 0, atol=1e-7)
    np.testing.assert_allclose(standard.x_train.std(axis=0), [1, 0, 1], rtol=1e-6)


def test_npz_of_extreme_and_constant_values(tmp_path):
    wide = npz(tmp_path, x=np.array([[-3e38], [3e38]]), y=[0, 1], x_test=np.zeros((1, 1)), y_test=[0])
    np.testing.assert_array_equal(load_data(wide.model_copy(update={"normalisation": "unit"})).x_train, [[0], [1]])
    constant = npz(tmp_path, x=np.full((2, 1), 7.0), y=[0, 1], x_test=np.zeros((1, 1)), y_test=[0])
    for how in ("unit", "standard"):
        assert not load_data(constant.model_copy(update={"normalisation": how})).x_train.any()


def test_a_relative_npz_is_found_in_the_data_folder(tmp_path):
    npz(tmp_path, x=np.ones((10, 2)), y=np.ones(10))
    assert load_data(DataSpec(file="data.npz"), data_dir=tmp_path).features == 2
    with pytest.raises(DataError, match=r"no such data file: other.npz \(also not in"):
        load_data(DataSpec(file="other.npz"), data_dir=tmp_path)


X, Y = np.ones((4, 3)), np.zeros(4, int)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"X": X, "y": Y}, r"no array called 'x' \(it has: X, y\)"),
        ({"x": X}, "no array called 'y'"),
        ({"x": X, "y": Y, "x_test": X}, "given together"),
        ({"x": X, "y": Y[:3]}, "'x' has 4 samples, but 'y' has 3"),
        ({"x": X, "y": np.int64(3)}, "'y' has a single"),
        ({"x": np.ones(4), "y": Y}, r"'x' must have shape \(samples, features\)"),
        ({"x": np.ones((0, 3)), "y": Y[:0]}, "both positive"),
        ({"x": np.ones((4, 0)), "y": Y}, "both positive"),
        ({"x": X + np.nan, "y": Y}, r"array 'x' has NaN or infinite values \(first in sample 0\)"),
        ({"x": np.array([[1.0], [np.inf], [1], [1]]), "y": Y, "x_test": X[:, :1], "y_test": Y}, "in sample 1"),
        ({"x": X, "y": Y * np.nan}, "array 'y' has NaN"),
        ({"x": X * 1e39, "y": Y}, "too large for float32"),
        ({"x": X.astype(complex), "y": Y}, "'x' must hold real numbers, got complex128"),
        ({"x": X, "y": np.array(list("abcd"))}, "'y' must hold real numbers, got <U1"),
        ({"x": X, "y": Y - 1}, "must be 0 or more"),
        ({"x": X, "y": np.zeros((4, 2), int)}, "store targets as floats"),
        ({"x": X, "y": np.zeros((4, 2, 2))}, r"'y' must have shape \(samples, outputs\)"),
        ({"x": X, "y": Y, "x_test": X[:, :2], "y_test": Y}, "'x' and 'x_test' have different widths"),
        ({"x": X, "y": Y, "x_test": X, "y_test": np.zeros((4, 1))}, "holds classes, the other real"),
        ({"x": X, "y": Y * 1.0, "x_test": X, "y_test": np.zeros((4, 2))}, "'y' and 'y_test' have different widths"),
        ({"x": X, "y": Y, "x_test": X, "y_test": Y[:2]}, "'x_test' has 4 samples, but 'y_test' has 2"),
        ({"x": X[:1], "y": Y[:1]}, "leaves no samples to test with"),
        ({"x": np.array([{}, {}]), "y": Y[:2]}, r"cannot read array 'x' \(it holds Python objects\)"),
    ],
)
def test_wrong_npz_arrays(tmp_path, stored, message):
    with pytest.raises(DataError, match=message) as refused:
        load_data(npz(tmp_path, **stored))
    assert "data.npz" in str(refused.value)


def test_files_that_are_no_npz(tmp_path):
    file = tmp_path / "data.npz"
    for content in (b"", b"PK\x03\x04 no archive", b"text"):
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"not a readable \.npz file"):
            load_data(DataSpec(file=str(file)))
    with file.open("wb") as stream:
        np.save(stream, X)
    with pytest.raises(DataError, match="holds a single array"):
        load_data(DataSpec(file=str(file)))


def test_damage_anywhere_in_an_npz_is_found_or_harmless(tmp_path):
    spec = npz(tmp_path, x=np.arange(20.0).reshape(10, 2), y=np.repeat([0, 1], 5))
    file = tmp_path / "data.npz"
    content = file.read_bytes()
    found = 0
    for position in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        file.write_bytes(bytes(damaged))
        try:
            data = load_data(spec)
        except DataError:
            found += 1
        else:
            assert data.x_train.max() <= 19
    assert found > len(content) / 6
    for length in range(0, len(content), 11):
        file.write_bytes(content[:length])
        with pytest.raises(DataError):
            load_data(spec)


def trace(inputs, outputs, loss="nll"):
    layer = {"name": "only", "inputs": inputs, "outputs": outputs}
    layer["activation"] = "log_softmax" if loss == "nll" else "none"
    return TraceSpec.model_validate(
        {
            "name": "t", "description": "d", "source": "s", "network": {"layers": (layer,)}, "data": {"file": "a.npz"},
            "loss": loss, "batch_size": 1, "epochs": 1, "learning_rate": 0.1,
        }
    )  # fmt: skip


@pytest.fixture
def classes(tmp_path):
    return load_data(npz(tmp_path, x=np.ones((10, 4)), y=np.repeat([0, 2], 5)))


@pytest.fixture
def targets(tmp_path):
    return load_data(npz(tmp_path, x=np.ones((10, 4)), y=np.ones((10, 2))))


def test_data_that_fit(classes, targets):
    check_fit(classes, trace(4, 3))
    check_fit(classes, trace(4, 5, "cross_entropy"))
    check_fit(classes, trace(4, 3, "mse"))
    check_fit(targets, trace(4, 2, "mse"))


def test_data_that_do_not_fit(classes, targets):
    with pytest.raises(DataError, match="has 4 features, but layer 'only' takes 5 inputs; set its inputs to 4"):
        check_fit(classes, trace(5, 3))
    with pytest.raises(DataError, match=r"classes 0..2, but layer 'only' gives 2 outputs; set its outputs to 3"):
        check_fit(classes, trace(4, 2))
    with pytest.raises(DataError, match="has 2 targets a sample, but layer 'only' gives 3 outputs"):
        check_fit(targets, trace(4, 3, "mse"))
    with pytest.raises(DataError, match=r"loss nll needs classes.*store classes as whole numbers"):
        check_fit(targets, trace(4, 2))
    with pytest.raises(DataError, match=r"4 features.*outputs to 3"):
        check_fit(classes, trace(9, 2))
