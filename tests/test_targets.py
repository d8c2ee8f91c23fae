"""Sources of targets, on files that the tests write and on the real data."""

import copy
import gzip
import itertools
import pickle

import cv2
import gymnasium as gym
import numpy as np
import pytest
from conftest import write_idx
from gymnasium.error import DependencyNotInstalled

import strokenet_gym  # noqa: F401
from strokenet_gym.kernels import threads
from strokenet_gym.targets import (
    MNIST,
    ArrayTargets,
    Glyphs,
    ImageFiles,
    fit_image,
    image_set,
    make_targets,
    pictures,
    read_image,
)
from strokenet_gym.targets.drawings import UNIT
from strokenet_gym.targets.filling import place, put, trace

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


def test_glyphs_under_another_opencv(monkeypatch):
    monkeypatch.setattr(cv2, "__version__", "5.0.0")
    with pytest.raises(DependencyNotInstalled, match=r"fonts of OpenCV 4, got OpenCV 5\.0\.0: run"):
        gym.make("Painting-v0")


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
    [((9, 9), 1), ((9, 9, 3), 1), ((1, 9, 9), 1), ((5, 9, 9), 5), ((5, 9, 9, 3), 5)],
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
        (np.zeros((5, 5, 5)), "shape"),
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


class Noise:
    """A user's own source: what is not in the canvas' size, in colour."""

    def sample(self, rng):
        return rng.random((20, 30, 3)).astype(np.float32)


@pytest.mark.parametrize("kind", ["glyphs", "small glyphs", "mnist", "pictures", "folder", "noise"])
def test_same_seed_same_targets_single_and_batched(kind, tiny_mnist, tmp_path, rng):
    file = tmp_path / "picture.png"
    cv2.imwrite(str(file), rng.integers(0, 256, (30, 50, 3)).astype(np.uint8))
    targets = {
        "small glyphs": Glyphs(20),
        "pictures": rng.random((5, 40, 30)),
        "folder": file,
        "noise": Noise(),
    }.get(kind, kind)
    settings = {"targets": targets, "data_dir": tiny_mnist, "canvas_size": 32, "background": 0.25}
    envs = gym.make_vec("Painting-v0", num_envs=4, **settings)
    env = gym.make("Painting-v0", **settings)
    seen, infos = envs.reset(seed=7)
    later, _ = envs.reset()
    for k in range(4):
        one, info = env.reset(seed=7 + k)
        np.testing.assert_array_equal(seen["target"][k], one["target"])
        assert infos["l2"][k] == info["l2"]
        assert (one["canvas"] == 64).all()
        np.testing.assert_array_equal(later["target"][k], env.reset()[0]["target"])


def test_a_batch_is_what_sample_and_fit_image_give(tiny_mnist, rng):
    background = np.full(3, 0.5, np.float32)
    for source in (Glyphs(24), MNIST(tiny_mnist, size=24), ArrayTargets(rng.random((1, 3, 9, 5)))):
        for size in (24, 17):
            rngs, others = ([np.random.default_rng(k) for k in range(6)] for _ in range(2))
            batch = source.sample_fitted(rngs, size, 3, background)
            if batch.dtype == np.uint8:
                batch = batch.astype(np.float32) / 255
            images = [fit_image(source.sample(r), size, 3, background) for r in others]
            np.testing.assert_array_equal(np.broadcast_to(batch, (6, 3, size, size)), images)


@pytest.mark.parametrize(
    "images",
    [np.zeros((1, 1, 8, 8), np.uint8), np.zeros((2, 1, 8, 8)), np.zeros((2, 8, 8), np.uint8),
     np.zeros((2, 2, 16, 16), np.uint8)],
)  # fmt: skip
def test_a_source_that_returns_something_else(images):
    class Wrong(Noise):
        channels = 1

        def sample_fitted(self, rngs, size, channels, background):
            return images

    envs = gym.make_vec("Painting-v0", num_envs=2, targets=Wrong(), canvas_size=16)
    with pytest.raises(
        ValueError, match=r"sample_fitted\(\) of Wrong must return .*\(2, 1, 16, 16\)"
    ):
        envs.reset()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_put_targets(dtype, channels, rng):
    images = rng.integers(0, 256, (20, channels, 17, 23)).astype(np.uint8)
    images[3], images[4] = 51, 52  # the background, and a level beside it
    wanted = images.astype(np.float32) / 255
    background = np.array([51, 51, 51], np.float32) / 255
    shape = (40, 3, 17, 23)
    target, canvas = np.ones(shape, np.float32), np.ones(shape, np.float32)
    target_pixels, pixels = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    inked = np.tile([5, 20, 3, 11], (40, 1))  # all of the canvas outside is taken to be empty
    canvas[:, :, :3] = canvas[:, :, 11:] = canvas[..., :5] = canvas[..., 20:] = background[0]
    pixels[:, :, :3] = pixels[:, :, 11:] = pixels[..., :5] = pixels[..., 20:] = 51
    indices, before = rng.permutation(40)[:20].tolist(), canvas.copy()
    start, visible = put(
        images if dtype == np.uint8 else wanted,
        background, indices, target, target_pixels, canvas, pixels, inked,
    )  # fmt: skip
    wanted, images = (np.broadcast_to(a, (20, *shape[1:])) for a in (wanted, images))
    np.testing.assert_array_equal(target[indices], wanted)
    np.testing.assert_array_equal(target_pixels[indices], images)
    assert (canvas[indices] == background[0]).all()
    assert (pixels[indices] == 51).all()
    rest = np.setdiff1d(np.arange(40), indices)
    assert (target[rest] == 1).all()
    np.testing.assert_array_equal(canvas[rest], before[rest])
    assert inked[rest].tolist() == [[5, 20, 3, 11]] * 20
    assert (inked[indices, 0] >= inked[indices, 1]).all()
    error = (wanted - background[:, None, None]).astype(float)
    np.testing.assert_allclose(start[:, 0], (error**2).mean((1, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(start[:, 1], np.abs(error).mean((1, 2, 3)), rtol=1e-6)
    assert start[3].tolist() == [0, 0]
    assert np.flatnonzero(~visible).tolist() == [3]


@pytest.mark.parametrize(("side", "extent"), [(28, 60), (105, 96), (28, 15), (105, 48), (28, 28)])
def test_images_are_placed_as_opencv_resizes_them(side, extent, rng):
    images = rng.integers(0, 256, (4, side, side)).astype(np.uint8)
    indices = np.array([2, 0, 2])
    placed = place(images, indices, extent, 128)
    for image, index in zip(placed, indices, strict=True):
        method = cv2.INTER_CUBIC if extent > side else cv2.INTER_AREA
        expected, start = np.zeros((128, 128), int), (128 - extent) // 2
        resized = cv2.resize(images[index], (extent, extent), interpolation=method)
        expected[start : start + extent, start : start + extent] = resized
        assert np.abs(image.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("size", [8, 37, 64])
def test_lines_cover_pixels_as_their_distance_says(size, rng):
    """Short and long pieces, dots, and lines that leave the canvas on all sides."""
    unit, width, count = size / UNIT, 0.03 * 100, 12
    steps = rng.normal(0, [[0.02], [0.3], [1e-4]] * 4, (5, count, 2)) * UNIT
    lines = (rng.uniform(-0.2, 1.2, (count, 2)) * UNIT + steps.cumsum(0)).astype(np.int16)
    points = np.concatenate([lines.transpose(1, 0, 2).reshape(-1, 2), [[UNIT // 3, UNIT // 2]]])
    ends = np.array([*range(0, 5 * count + 1, 5), 5 * count + 1])
    drawings = np.array([0, count, count + 1])
    drawn = trace(points.astype(np.int16), ends, drawings, np.array([1, 0]), unit, width, size)

    y, x = np.mgrid[:size, :size] + 0.5
    wanted = np.zeros((2, size, size))
    for a, b in itertools.pairwise(ends):
        pieces = points[a:b] * unit
        for (x0, y0), (x1, y1) in zip(pieces, [*pieces[1:], pieces[-1]], strict=True):
            dx, dy = x1 - x0, y1 - y0
            along = ((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-9)
            along = np.clip(along, 0, 1)
            far = np.hypot(x - x0 - along * dx, y - y0 - along * dy)
            light = np.minimum(width / 2, far + 0.5) - np.maximum(-width / 2, far - 0.5)
            which = 0 if b > 5 * count else 1
            wanted[which] = np.maximum(wanted[which], light)
    assert wanted[0].max() > 0.9
    np.testing.assert_allclose(drawn, 255 * wanted, atol=0.51)


def test_small_sets_keep_what_has_been_drawn(tiny_mnist, monkeypatch):
    kept = MNIST(tiny_mnist, size=40)
    monkeypatch.setattr(image_set, "_BATCH", 2)
    monkeypatch.setattr(image_set, "_BANK", 40 * 40 * len(kept) - 1)
    anew = MNIST(tiny_mnist, size=40)
    assert kept._bank.shape == (len(kept), 40, 40)
    assert len(anew._bank) == 0
    for seed in range(3):
        batches = [
            source.sample_fitted(
                [np.random.default_rng(seed + k % 3) for k in range(5)], 40, 1, BLACK
            )
            for source in (kept, anew)
        ]
        np.testing.assert_array_equal(*batches)
    assert 0 < kept._banked.sum() <= 5  # those that were drawn
    np.testing.assert_array_equal(kept[0], anew[0])


def test_glyphs_are_the_same_at_any_size():
    small, large = (
        Glyphs(size).sample_fitted([np.random.default_rng(k) for k in range(40)], size, 1, BLACK)
        for size in (64, 512)
    )
    reduced = large.reshape(40, 64, 8, 64, 8).mean((2, 4))
    error = np.square((small[:, 0] - reduced) / 255).mean()
    assert error < 0.005 * np.square(reduced / 255).mean()


def test_targets_do_not_depend_on_the_number_of_threads(tiny_mnist, monkeypatch):
    seen = []
    for count in (1, 3):
        monkeypatch.setattr(threads, "THREADS", count)
        for targets in ("glyphs", "mnist"):
            settings = {"targets": targets, "data_dir": tiny_mnist, "canvas_size": 48}
            envs = gym.make_vec("Painting-v0", num_envs=70, **settings)
            observation, info = envs.reset(seed=0)
            seen.append((observation["target"], info["l2"]))
    for one, other in zip(seen[:2], seen[2:], strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_pictures_are_fitted_once_and_copies_still_work(tmp_path, rng, monkeypatch):
    cv2.imwrite(str(tmp_path / "picture.png"), rng.integers(0, 256, (30, 50)).astype(np.uint8))
    calls = []
    monkeypatch.setattr(pictures, "fit_image", lambda *a: calls.append(a) or fit_image(*a))
    for source in (ImageFiles(tmp_path), ArrayTargets(rng.random((30, 50)))):
        calls.clear()
        batches = [
            one.sample_fitted([rng, rng], 16, 1, BLACK) for one in (source, copy.deepcopy(source))
        ]
        assert len(calls) == 1
        batches[0][:] = 0  # is the caller's
        stored = pickle.dumps(source)
        monkeypatch.setattr(pictures, "_KEPT", 0)
        again = pickle.loads(stored).sample_fitted([rng, rng], 16, 1, BLACK)
        assert len(calls) == (2 if isinstance(source, ImageFiles) else 3)  # a file's: on disk
        monkeypatch.undo()
        monkeypatch.setattr(pictures, "fit_image", lambda *a: calls.append(a) or fit_image(*a))
        np.testing.assert_array_equal(again, batches[1])


@pytest.mark.parametrize("source", [Glyphs(32), ArrayTargets(np.ones((4, 5)))])
def test_sources_can_be_copied(source):
    for twin in (copy.deepcopy(source), pickle.loads(pickle.dumps(source))):
        first, second = (one.sample(np.random.default_rng(3)) for one in (source, twin))
        np.testing.assert_array_equal(first, second)
    assert len(pickle.dumps(source)) < 1000


def test_sets_can_be_walked_through(tiny_mnist):
    source = MNIST(tiny_mnist, size=20)
    assert len(list(source)) == len(source)
    np.testing.assert_array_equal(source[-1], source[len(source) - 1])
    with pytest.raises(IndexError):
        source[len(source)]
