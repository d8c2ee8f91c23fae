"""Pictures as people have them, as targets; Pillow judges what they show."""

import io
import os
import struct
import warnings

import gymnasium as gym
import numpy as np
import pytest
import torch
from PIL import Image

import strokenet_gym  # noqa: F401
from strokenet_gym.targets import ArrayTargets, ImageFiles, fit_image, make_targets, pictures
from strokenet_gym.targets.images import look_at, read_image, suffixes

GREYS = [np.zeros(1, np.float32), np.full(1, 0.5, np.float32), np.ones(1, np.float32)]


def logo(mode="RGBA", size=48):
    """A red disc with a soft rim on nothing, whose transparent pixels are black."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    opacity = np.clip(size / 3 - np.hypot(x, y), 0, 1) * 255
    pixels = np.zeros((size, size, 4), np.uint8)
    pixels[..., 0], pixels[..., 3] = np.where(opacity > 0, 220, 0), opacity
    return Image.fromarray(pixels).convert(mode)


def over(image, background):
    """What Pillow makes of a picture on a background."""
    paper = Image.new("RGBA", image.size, tuple(round(255 * float(b)) for b in background))
    return np.asarray(Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")) / 255


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("RGBA", "png"), ("LA", "png"), ("P", "png"), ("P", "gif"), ("RGBA", "webp"), ("RGBA", "tif"),
     ("RGBA", "ico"), ("RGBA", "avif")],
)  # fmt: skip
def test_transparent_files_lie_on_the_background(mode, suffix, tmp_path):
    image = logo() if mode == "P" else logo(mode)
    if mode == "P":
        image = image.quantize(16)
    file = tmp_path / f"logo.{suffix}"
    image.save(file, **({"lossless": True} if suffix == "webp" else {}))
    background = np.array([0.2, 0.8, 1], np.float32)
    env = gym.make(
        "Painting-v0", targets=file, canvas_size=48, background=background.tolist(), channels=3
    )
    observation, _ = env.reset()
    with Image.open(file) as again:
        expected = over(again, background)
    np.testing.assert_allclose(
        observation["target"] / 255, np.moveaxis(expected, -1, 0), atol=1.6 / 255
    )
    assert env.unwrapped.spec.kwargs["targets"] == str(file)


def test_transparent_arrays_and_keys_of_colour(tmp_path):
    pixels = np.asarray(logo())
    for background in GREYS:
        for array in (pixels, np.moveaxis(pixels, -1, 0), torch.from_numpy(pixels.copy())):
            fitted = fit_image(array, 48, 3, np.repeat(background, 3))
            np.testing.assert_allclose(
                np.moveaxis(fitted, 0, -1), over(logo(), background.repeat(3)), atol=1.1 / 255
            )
    # A single colour that is declared transparent, in grey and in RGB.
    for mode, key in (("L", 0), ("RGB", (0, 0, 0))):
        image = Image.fromarray(pixels[..., :3]).convert(mode)
        image.save(tmp_path / "key.png", transparency=key)
        fitted = fit_image(tmp_path / "key.png", 48, 1, GREYS[2])
        assert fitted[0, 0, 0] == 1
        assert fitted[0, 24, 24] < 0.5


def test_no_dark_rim_where_a_transparent_picture_is_reduced():
    image = np.zeros((256, 256, 4), np.uint8)
    image[64:192, 64:192] = 255  # white on transparent black
    fitted = fit_image(image, 60, 1, GREYS[2])
    np.testing.assert_allclose(fitted, 1, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "count", "channels"),
    [((20, 20, 4), 1, 3), ((20, 20, 2), 1, 1), ((5, 20, 20), 5, 1), ((5, 20, 20, 4), 5, 3),
     ((5, 4, 20, 20), 5, 3), ((1, 3, 20, 20), 1, 3), ((3, 20, 20, 1), 3, 1), ((1, 20, 20), 1, 1)],
)  # fmt: skip
def test_shapes_of_arrays(shape, count, channels):
    for array in (np.zeros(shape, np.uint8), torch.zeros(shape)):
        source = make_targets(array, 16)
        assert len(source) == count
        assert source.channels == channels
        source.sample_fitted([np.random.default_rng(0)], 16, channels, np.zeros(channels))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_what_may_be_two_things_is_refused(count):
    for array in (np.zeros((count, 28, 30)), torch.zeros(count, 28, 30)):
        with pytest.raises(ValueError, match=rf"\[28, 30, {count}\] .*\[{count}, 28, 30, 1\]"):
            make_targets(array, 16)


def test_kinds_of_numbers():
    level = np.full((4, 4), 3 / 5)
    kinds = [level, level.astype(np.float16), (level * 255).astype(np.uint8),
             (level * 65535).astype(np.uint16), (level * 65535).astype(">u2"),
             torch.tensor(level, dtype=torch.bfloat16)]  # fmt: skip
    for kind in kinds:
        np.testing.assert_allclose(fit_image(kind, 16, 1, GREYS[0]), 0.6, atol=2e-3)
    assert fit_image(np.ones((4, 4), bool), 16, 1, GREYS[0]).min() == 1
    with pytest.raises(ValueError, match="got dtype int64"):
        make_targets(np.zeros((4, 4), np.int64), 16)


def test_16_bits_floats_and_turned_photographs(tmp_path):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    Image.fromarray((ramp / 65535).astype(np.float32)).save(tmp_path / "float.tif")
    for name in ("deep.png", "float.tif"):
        np.testing.assert_allclose(
            make_targets(tmp_path / name, 16)[0], ramp / 257, atol=0.51, err_msg=name
        )
    photo = np.zeros((40, 60, 3), np.uint8)
    photo[:20] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    for name in ("photo.jpg", "photo.png", "photo.webp"):
        Image.fromarray(photo).save(tmp_path / name, exif=exif)
        seen = make_targets(tmp_path / name, 16)[0]
        assert seen.shape == (60, 40, 3)
        assert seen[:, 25:].min() > 240, name
    Image.fromarray(photo).convert("CMYK").save(tmp_path / "print.jpg")
    assert make_targets(tmp_path / "print.jpg", 16)[0][5, 5].min() > 240


def fill(folder):
    """A folder as a Mac, a NAS and a notebook leave it; the two good pictures have one colour."""
    for place in (".", "inner", "@eaDir/a.png", ".ipynb_checkpoints", "folder.png"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    Image.new("L", (9, 9), 200).save(folder / "grey.png")
    Image.new("RGB", (9, 9), (200, 0, 0)).save(folder / "inner" / "RED.JFIF", "JPEG")
    for hidden in ("._grey.png", "@eaDir/a.png/thumb.jpg", ".ipynb_checkpoints/grey.png",
                   "Thumbs.db", ".DS_Store", "notes.txt"):  # fmt: skip
        (folder / hidden).write_bytes(b"\0\5\x16\7")
    return folder


def test_folders_with_other_things(tmp_path):
    folder = fill(tmp_path / "plain")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = make_targets(folder, 16)
    assert [file.name for file in source.files] == ["grey.png", "RED.JFIF"]
    assert source.channels == 3
    (folder / "empty.png").touch()
    (folder / "gone.png").symlink_to(folder / "nothing")
    whole = (folder / "grey.png").read_bytes()
    (folder / "text.gif").write_text("no picture")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:2000])
    os.mkfifo(folder / "pipe.png")
    with pytest.warns(UserWarning, match="4 of 6 images cannot be read") as said:
        source = make_targets(folder, 16)
    for name in ("empty.png", "gone.png", "text.gif", "cut.jpg"):
        assert name in str(said[0].message)
    assert len(source) == 2
    for name in ("grey.png", "inner/RED.JFIF"):
        (folder / name).unlink()
    with pytest.raises(ValueError, match=r"4 of 4 images cannot be read: .*cut\.jpg"):
        make_targets(folder, 16)
    (tmp_path / "one.png").write_bytes(whole[:40])
    with pytest.raises(ValueError, match=r"cannot read .*one\.png as an image"):
        make_targets(tmp_path / "one.png", 16)


def test_a_picture_that_is_damaged_later_does_not_stop_training(tmp_path, monkeypatch):
    for k in range(3):
        Image.new("L", (9, 9), 80 * k).save(tmp_path / f"{k}.png")
    source = ImageFiles(tmp_path)
    (tmp_path / "1.png").write_bytes(b"\x89PNG")
    rngs = [np.random.default_rng(k) for k in range(20)]
    with pytest.warns(UserWarning, match=r"1\.png .*The next image takes its place"):
        batch = source.sample_fitted(rngs, 16, 1, GREYS[0])
    assert set(batch[:, 0, 8, 8].tolist()) == {0, 160}


def test_all_that_pillow_reads(tmp_path):
    for suffix in ("gif", "avif", "jfif", "jp2", "ppm", "bmp", "tga", "qoi", "webp", "dib", "jpe"):
        assert f".{suffix}" in suffixes()
    for suffix in ("gif", "avif", "jp2", "ppm", "bmp", "tga"):
        logo("RGB").save(tmp_path / f"logo.{suffix}")
    source = ImageFiles(tmp_path)
    assert len(source) == 6
    for index in range(6):
        error = np.abs(source[index].astype(int) - np.asarray(logo("RGB"))).mean()
        assert error < 3, source.files[index]


def test_lists_patterns_and_homes(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    files = []
    for k in range(3):
        files.append(tmp_path / "photos" / f"{k}.png")
        files[-1].parent.mkdir(exist_ok=True)
        Image.new("L", (9, 9), 100).save(files[-1])
    assert len(make_targets(files[:2], 16)) == 2
    for text in (
        "~/photos",
        "~/photos/*.png",
        str(tmp_path / "**" / "*"),
        str(tmp_path / "photos"),
    ):
        assert len(make_targets(text, 16)) == 3
    assert len(make_targets("~/photos/0.png", 16)) == 1
    images = [Image.open(file) for file in files]
    assert len(make_targets(images, 16)) == 3
    assert make_targets(logo(), 16).channels == 3
    assert len(make_targets([np.zeros((3, 9, 9)), torch.zeros(5, 7)], 16)) == 2
    env = gym.make("Painting-v0", targets=[str(f) for f in files], canvas_size=16)
    assert env.reset()[0]["target"].max() == 100
    assert gym.make(env.spec).unwrapped.spec.kwargs["targets"] == [str(f) for f in files]
    with pytest.warns(
        UserWarning, match=r"1 of 2 images cannot be read: no such file: .*none\.png"
    ):
        assert len(make_targets([files[0], tmp_path / "none.png"], 16)) == 1


@pytest.mark.parametrize(
    ("targets", "error", "message"),
    [
        ("nothing/here.png", FileNotFoundError, "no such file or folder: 'nothing/here.png'"),
        ("here.png", FileNotFoundError, "no such file"),
        ("photos/*.png", FileNotFoundError, r"no image files match photos/\*\.png"),
        ("https://example.org/a.png", ValueError, "URLs are not read"),
        ("cats", ValueError, "unknown targets 'cats'"),
        ("mnits", ValueError, "did you mean 'mnist'"),
        ("x" * 5000, ValueError, "unknown targets 'xxx"),
        ("a\0b", ValueError, "unknown targets"),
        ([], TypeError, "got list"),
        ([1, 2], TypeError, "got list"),
        ({}, TypeError, "got dict"),
        (None, TypeError, "got NoneType"),
    ],
)
def test_what_is_no_picture(targets, error, message):
    with pytest.raises(error, match=message) as raised:
        make_targets(targets, 16)
    assert len(str(raised.value)) < 700


@pytest.mark.parametrize("array", [np.full((400, 400), 7.0), np.zeros((400, 400), complex)])
def test_messages_do_not_print_arrays(array):
    with pytest.raises(ValueError) as raised:
        make_targets(array, 16)
    assert len(str(raised.value)) < 200


def test_huge_pictures_are_refused_before_they_are_read(tmp_path, monkeypatch):
    file = tmp_path / "bomb.png"
    Image.new("1", (10_000, 10_000)).save(file)
    with pytest.raises(ValueError, match=r"bomb\.png would take 1,908 MB .*STROKENET_MEMORY_MB=1"):
        make_targets(file, 16)
    monkeypatch.setenv("STROKENET_MEMORY_MB", "1")
    Image.new("L", (300, 300)).save(file)
    with pytest.raises(ValueError, match="would take 2 MB"):
        make_targets(file, 16)
    monkeypatch.setenv("STROKENET_MEMORY_MB", "2")
    make_targets(file, 16)
    monkeypatch.setenv("STROKENET_MEMORY_MB", "lots")
    with pytest.raises(ValueError, match="STROKENET_MEMORY_MB must be a whole number"):
        make_targets(file, 16)


def test_fitted_pictures_beyond_the_memory_are_kept_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("STROKENET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pictures, "_KEPT", 2 * 16 * 16)
    for k in range(5):
        Image.new("L", (40, 40), 50 * k).save(tmp_path / f"{k}.png")

    def sample():
        rngs = [np.random.default_rng(k) for k in range(30)]
        return ImageFiles(tmp_path).sample_fitted(rngs, 16, 1, GREYS[0])

    first, read = sample(), []
    kept = sorted((tmp_path / "cache" / "pictures").iterdir())
    assert len(kept) == 3
    kept[0].write_bytes(b"\0" * kept[0].stat().st_size)  # damaged: it is made again
    monkeypatch.setattr(pictures, "fit_image", lambda *a: read.append(a) or fit_image(*a))
    np.testing.assert_array_equal(sample(), first)
    assert len(read) == 3
    np.testing.assert_array_equal(sample(), first)
    assert len(read) == 5
    monkeypatch.setenv("STROKENET_CACHE", "/proc/nothing")  # cannot be written to
    np.testing.assert_array_equal(sample(), first)


def test_photographs_against_lanczos(data_dir):
    differences = []
    for file in sorted((data_dir / "images").glob("*.png")):
        with Image.open(file) as image:
            scale = 256 / max(image.size)
            size = [round(side * scale) for side in image.size]
            expected = np.asarray(image.resize(size, Image.Resampling.LANCZOS)).astype(float)
        channels = 1 if expected.ndim == 2 else 3
        fitted = fit_image(file, 256, channels, np.zeros(channels)) * 255
        top, left = (256 - size[1]) // 2, (256 - size[0]) // 2
        fitted = np.moveaxis(fitted, 0, -1)[top : top + size[1], left : left + size[0]]
        differences.append(np.abs(fitted.squeeze() - expected).mean())
    assert np.mean(differences) <= 2


def test_lists_of_arrays_may_be_of_any_size():
    source = ArrayTargets([np.zeros((4, 4)), np.ones((9, 5, 3))])
    assert source.channels == 3
    assert len(source) == 2


def test_a_neighbour_is_kept_for_nobody(tmp_path, monkeypatch):
    """What takes the place of a picture that cannot be read is not kept as that picture."""
    monkeypatch.setenv("STROKENET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pictures, "_KEPT", 0)
    (tmp_path / "photos").mkdir()
    for name, grey in (("a", 255), ("b", 60)):
        Image.new("L", (9, 9), grey).save(tmp_path / "photos" / f"{name}.png")
    away = tmp_path / "away.png"
    for _ in range(2):
        source = ImageFiles(tmp_path / "photos")
        (tmp_path / "photos" / "a.png").rename(away)
        with pytest.warns(UserWarning, match="The next image takes its place"):
            assert source._fitted_one(0, 16, 1, GREYS[0]).max() == 60
        away.rename(tmp_path / "photos" / "a.png")
    assert source._fitted_one(0, 16, 1, GREYS[0]).max() == 255


@pytest.mark.parametrize("name", ["~$x.png", "~nobody/x.png", "~nobody"])
def test_names_that_look_like_homes(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for targets in (name, [name]):
        with pytest.raises((ValueError, FileNotFoundError)):
            make_targets(targets, 16)
    with pytest.raises(FileNotFoundError):
        make_targets("mnist", 16, name)
    Image.new("L", (9, 9)).save(tmp_path / "~a.png")
    assert len(make_targets(".", 16)) == 1


def test_pil_images_that_are_damaged(tmp_path):
    file = tmp_path / "a.png"
    Image.effect_noise((99, 99), 50).save(file)
    file.write_bytes(file.read_bytes()[:5000])
    with Image.open(file) as image, pytest.raises(ValueError, match="cannot read the picture"):
        make_targets(image, 16)


def test_pillows_own_limit_is_left_alone(tmp_path):
    before = Image.MAX_IMAGE_PIXELS
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    ImageFiles(tmp_path)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_huge_picture_in_an_icon(tmp_path, monkeypatch):
    """Its decoder reads when it is opened."""
    inner = io.BytesIO()
    Image.new("1", (5000, 5000)).save(inner, "PNG")
    head = struct.pack("<3H4B2H2I", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inner.getvalue()), 22)
    file = tmp_path / "a.ico"
    file.write_bytes(head + inner.getvalue())
    monkeypatch.setenv("STROKENET_MEMORY_MB", "50")
    for look in (look_at, read_image):
        with pytest.raises(ValueError, match=r"a\.ico would take 477 MB .* 50 MB are allowed"):
            look(file)


def test_all_of_a_stack_are_looked_at():
    stack = np.zeros((6, 9, 9), np.float32)
    stack[4, 3, 3] = np.nan
    with pytest.raises(ValueError, match=r"float pictures must be in 0 … 1, got nan"):
        make_targets(stack, 16)


@pytest.mark.parametrize("name", ["glyphs", "mnist"])
def test_sizes_that_are_none(name, tiny_mnist):
    with pytest.raises(ValueError, match="size must be from 1 to 65536, got 0"):
        make_targets(name, 0, tiny_mnist)
