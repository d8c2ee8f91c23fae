"""Sources of targets, on files that the tests write and on the real data."""

import gzip

import cv2
import numpy as np
import pytest
from conftest import write_idx

from strokenet_gym.targets import MNIST, ArrayTargets, Glyphs, fit_image, make_targets, read_image

BLACK = np.zeros(1, np.float32)


def test_glyphs_are_varied_white_on_black(rng):
    images = [Glyphs(64).sample(rng) for _ in range(50)]
    for image in images:
        assert image.shape == (64, 64)
        assert image.dtype == np.float32
        assert 0 <= image.min() <= image.max() <= 1
        assert 0.01 < image.mean() < 0.4
        assert image[0].sum() + image[-1].sum() < 10  # hardly cut off
    assert np.mean(np.abs(images[0] - images[1])) > 0.01


def test_glyphs_repeat_with_the_seed():
    a, b = (Glyphs(32).sample(np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_glyphs_refuse_what_the_fonts_do_not_have():
    with pytest.raises(ValueError, match="printable ASCII"):
        Glyphs(64, "é")


@pytest.mark.parametrize(("size", "extent"), [(256, 120), (128, 60), (64, 30)])
def test_mnist_is_placed_as_in_the_paper(tiny_mnist, size, extent):
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[:, 4:24, 12:16] = 255
    write_idx(tiny_mnist / "train-images-idx3-ubyte.gz", bar)
    write_idx(tiny_mnist / "train-labels-idx1-ubyte.gz", np.zeros(1))
    image = MNIST(tiny_mnist, size=size)[0]
    rows = np.flatnonzero(image.max(1) > 0.5)
    middle = (size - 1) / 2
    assert rows.mean() == pytest.approx(middle, abs=1)
    assert len(rows) == pytest.approx(extent * 20 / 28, abs=2)


def test_mnist_reads_plain_files_in_a_subfolder(tmp_path):
    folder = tmp_path / "mnist"
    folder.mkdir()
    write_idx(folder / "t10k-images-idx3-ubyte", np.full((3, 28, 28), 7))
    write_idx(folder / "t10k-labels-idx1-ubyte", np.arange(3))
    mnist = MNIST(tmp_path, "test")
    assert len(mnist) == 3
    assert mnist.labels.tolist() == ["0", "1", "2"]


def test_real_mnist(data_dir, rng):
    mnist = MNIST(data_dir, "test")
    assert len(mnist) == 10_000
    assert "".join(mnist.labels[:8]) == "72104149"
    assert 0.01 < mnist.sample(rng).mean() < 0.1


def test_missing_mnist_names_file_and_folder(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte.*" + tmp_path.name):
        make_targets("mnist", 64, tmp_path)
    monkeypatch.delenv("STROKENET_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="STROKENET_DATA"):
        make_targets("mnist", 64)


def test_data_dir_from_the_environment(tiny_mnist, monkeypatch):
    monkeypatch.setenv("STROKENET_DATA", str(tiny_mnist))
    assert len(make_targets("mnist", 64)) == 64


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[: len(data) // 2],  # cut short
        lambda data: b"not a gzip file",
        lambda data: gzip.compress(b"\0\0\x08\x03" + b"\0" * 12 + b"x"),  # wrong size
        lambda data: gzip.compress(b"\0\0\x0d\x03" + b"\0" * 12),  # floats
        lambda data: gzip.compress(b""),
        lambda data: data[:-8] + bytes([data[-8] ^ 255]) + data[-7:],  # a wrong checksum
    ],
)
def test_damaged_idx_files(tiny_mnist, spoil):
    file = tiny_mnist / "train-images-idx3-ubyte.gz"
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz"):
        MNIST(tiny_mnist)


def test_mnist_labels_must_fit(tiny_mnist):
    write_idx(tiny_mnist / "train-labels-idx1-ubyte.gz", np.arange(4))
    with pytest.raises(ValueError, match="expected"):
        MNIST(tiny_mnist)
    with pytest.raises(ValueError, match="unknown split 'valid'"):
        MNIST(tiny_mnist, "valid")


def test_image_file_and_folder(tmp_path, rng):
    picture = np.zeros((20, 40, 3), np.uint8)
    picture[:, :, 0] = 200  # red
    file = tmp_path / "ä picture.png"
    cv2.imencode(".png", picture[:, :, ::-1])[1].tofile(file)
    source = make_targets(file, 64)
    image = source.sample(rng)
    np.testing.assert_array_equal(image, picture)
    fitted = fit_image(image, 64, 3, np.array([0, 0, 1], np.float32))
    assert fitted.shape == (3, 64, 64)
    np.testing.assert_allclose(fitted[:, 32, 32], [200 / 255, 0, 0], atol=1e-3)
    np.testing.assert_allclose(fitted[:, 2, 32], [0, 0, 1])  # padded with the background
    assert len(make_targets(str(tmp_path), 64)) == 1


def test_unreadable_images(tmp_path):
    file = tmp_path / "bad.png"
    for content in (b"", b"not an image"):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"cannot read .*bad\.png as an image"):
            read_image(file)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match="no images"):
        make_targets(empty, 64)


@pytest.mark.parametrize(
    ("shape", "count"),
    [((9, 9), 1), ((9, 9, 3), 1), ((3, 9, 9), 1), ((5, 9, 9), 5), ((5, 9, 9, 3), 5)],
)
def test_arrays(shape, count, rng):
    source = ArrayTargets(np.zeros(shape))
    assert len(source) == count
    assert fit_image(source.sample(rng), 16, 1, BLACK).shape == (1, 16, 16)


def test_fit_image_downscales_with_anti_aliasing():
    stripes = np.zeros((256, 256), np.float32)
    stripes[::2] = 1
    np.testing.assert_allclose(fit_image(stripes, 32, 1, BLACK), 0.5, atol=1e-5)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 4)), "shape"),
        (np.zeros(4), "shape"),
        (np.zeros((0, 4)), "shape"),
        (np.full((4, 4), 2.0), r"0 … 1, got 2"),
        (np.full((4, 4), np.nan), "0 … 1"),
        (np.zeros((4, 4), np.int64), "int64"),
    ],
)
def test_fit_image_refuses(image, message):
    with pytest.raises(ValueError, match=message):
        fit_image(image, 16, 1, BLACK)


def test_unknown_targets():
    with pytest.raises(ValueError, match=r"unknown targets 'cats': neither one of glyphs, .*mnist"):
        make_targets("cats", 64)
    with pytest.raises(TypeError, match="got int"):
        make_targets(7, 64)
