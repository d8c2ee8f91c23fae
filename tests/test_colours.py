"""Colours of image files: profiles, chunks, 16 bits, TIFFs; what is judged by floats here, and by
ImageMagick in the slow test."""

import io
import shutil
import struct
import sys
import warnings
import zipfile
import zlib

import cv2
import gymnasium as gym
import numpy as np
import pytest
import tifffile
from benchmarks.compare_colours import (
    SPACES,
    SRGB,
    chart,
    cmyk_profile,
    compare,
    grey_profile,
    with_chunks,
    with_icc,
)
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from strokenet_gym import Stroke, StrokeLog, export
from strokenet_gym.programs.stamped import BRUSHES
from strokenet_gym.targets import ImageFiles, load_image, make_targets, read_image
from strokenet_gym.targets.colours import matrix_profile
from strokenet_gym.targets.images import decode, look_at

DEEP = np.rint(chart() * 65535).astype(np.uint16)
PIXELS = np.rint(DEEP / 257).astype(np.uint8)
GREY = DEEP[:, :, 1]
# XYZ of D65's white and the primaries, as IEC 61966-2-1 and SMPTE EG 432-1 have them.
TO_XYZ = {
    "sRGB": [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]],
    "Display P3": [[0.4866, 0.2657, 0.1982], [0.2290, 0.6917, 0.0793], [0.0, 0.0451, 1.0439]],
    "Adobe RGB": [[0.5767, 0.1856, 0.1882], [0.2973, 0.6274, 0.0753], [0.0270, 0.0707, 0.9911]],
    "linear": [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]],
}


def srgb_light(level):
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


def srgb_level(light):
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def shown(level, space):
    """Levels 0 … 1 of a space in sRGB's 0 … 255, by floats."""
    curves = {"Adobe RGB": lambda x: x**2.2, "linear": lambda x: x}
    light = curves.get(space, srgb_light)(level)
    way = np.linalg.inv(TO_XYZ["sRGB"]) @ np.array(TO_XYZ[space])
    return srgb_level(light @ way.T) * 255


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "avif", "jpg"])
@pytest.mark.parametrize("space", ["Display P3", "Adobe RGB", "linear"])
def test_profiles(space, suffix, tmp_path):
    file = tmp_path / f"a.{suffix}"
    rest = {"webp": {"lossless": True}, "jpg": {"quality": 95}}.get(suffix, {})
    Image.fromarray(PIXELS).save(file, icc_profile=SPACES[space], **rest)
    with Image.open(file) as image:
        wanted = shown(np.asarray(image.convert("RGB")) / 255, space)
        assert np.abs(load_image(image) - wanted).max() <= 2
    assert np.abs(read_image(file) - wanted).max() <= 2
    assert np.abs(wanted - PIXELS).max() > 20


def test_pictures_without_a_profile_or_with_srgb_are_left_alone(tmp_path):
    for profile in (None, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()):
        Image.fromarray(PIXELS).save(tmp_path / "a.png", icc_profile=profile)
        np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PIXELS)
    Image.fromarray(PIXELS).save(tmp_path / "a.png", icc_profile=SPACES["swapped channels"])
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), PIXELS[:, :, [1, 0, 2]], atol=2)


def test_opacity_and_palettes_have_no_profile(tmp_path):
    """The colours change, the opacity does not; colours of a palette change too."""
    clear = np.dstack([PIXELS, np.arange(96, dtype=np.uint8) * np.ones((64, 1), np.uint8)])
    Image.fromarray(clear).save(tmp_path / "a.png", icc_profile=SPACES["Display P3"])
    seen = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(seen[:, :, 3], clear[:, :, 3])
    assert np.abs(seen[:, :, :3] - shown(PIXELS / 255, "Display P3")).max() <= 2
    few = Image.fromarray(PIXELS).quantize(8)
    few.save(tmp_path / "b.png", icc_profile=SPACES["Display P3"])
    wanted = shown(np.asarray(few.convert("RGB")) / 255, "Display P3")
    assert np.abs(read_image(tmp_path / "b.png") - wanted).max() <= 2


@pytest.mark.parametrize("profile", [grey_profile(1.0), SPACES["linear"]])
def test_greys_with_a_profile(profile, tmp_path):
    """Of greys, or of RGB, which many programs leave in a grey picture."""
    wanted = srgb_level(np.arange(256) / 255) * 255
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(2, 0)
    Image.fromarray(ramp).save(tmp_path / "a.png", icc_profile=profile)
    assert np.abs(read_image(tmp_path / "a.png") - wanted).max() <= 1
    Image.fromarray(np.dstack([ramp, ramp])).save(tmp_path / "a.png", icc_profile=profile)
    seen = read_image(tmp_path / "a.png")
    assert np.abs(seen[:, :, 0] - wanted).max() <= 1
    np.testing.assert_array_equal(seen[:, :, 1], ramp)


def test_inks_with_a_profile(tmp_path):
    """The colours of pure inks are those that the profile says, and not of a screen."""
    inks = np.zeros((8, 8, 4), np.uint8)
    inks[:, :4, 0], inks[:, 4:, 1] = 255, 255
    file = tmp_path / "a.tif"
    image = Image.frombytes("CMYK", (8, 8), inks.tobytes())
    image.save(file, icc_profile=cmyk_profile())
    seen = read_image(file).astype(int)
    wanted = [[0, 159, 197], [206, 65, 126]]  # of their Lab, by scikit-image
    assert np.abs(seen[0, [0, 7]] - wanted).max() <= 8
    image.save(file)
    np.testing.assert_array_equal(read_image(file)[0, [0, 7]], [[0, 255, 255], [255, 0, 255]])


def test_gamma_and_chromaticities_of_a_png(tmp_path):
    """Unless a chunk or a profile says more."""
    image, file = Image.fromarray(PIXELS), tmp_path / "a.png"

    def seen(*chunks):
        file.write_bytes(with_chunks(image, *chunks))
        return read_image(file)

    wanted = srgb_level((PIXELS / 255) ** 1.8) * 255
    assert np.abs(seen(1 / 1.8, None) - wanted).max() <= 2
    p3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
    assert np.abs(seen(0.45455, p3) - shown(PIXELS / 255, "Display P3")).max() <= 2
    for chunks in ((0.45455, None), (0.45455, SRGB)):  # as everybody writes sRGB
        np.testing.assert_array_equal(seen(*chunks), PIXELS)
    with pytest.warns(UserWarning, match=r"a\.png cannot be used \(no colours have"):
        np.testing.assert_array_equal(seen(1.0, (0.0,) * 8), PIXELS)
    info = PngInfo()
    info.add(b"sRGB", b"\0")
    info.add(b"gAMA", struct.pack(">I", 100000))
    image.save(file, pnginfo=info)
    np.testing.assert_array_equal(read_image(file), PIXELS)


@pytest.mark.parametrize(
    "profile", [b"no profile", cmyk_profile(), grey_profile(1.0), SPACES["linear"][:300]]
)
def test_profiles_that_cannot_be_used(profile, tmp_path):
    file = tmp_path / "a.jpg"
    Image.fromarray(PIXELS).save(file, icc_profile=profile, quality=95)
    with pytest.warns(UserWarning, match=r"profile of .*a\.jpg cannot be used .* taken for sRGB"):
        seen = read_image(file)
    assert np.abs(seen.astype(int) - PIXELS).mean() < 3


def test_16_bits_with_a_profile(tmp_path):
    """Of dark linear colours 8 bits are not enough."""
    wanted = shown(DEEP / 65535, "linear")
    files = [tmp_path / "a.png", tmp_path / "a.tif"]
    files[0].write_bytes(with_icc(DEEP, SPACES["linear"]))
    tifffile.imwrite(files[1], DEEP, photometric="rgb", iccprofile=SPACES["linear"])
    for file in files:
        assert np.abs(read_image(file) - wanted).max() <= 2
        assert look_at(file) == (3, 64 * 96)
    Image.fromarray(GREY).save(tmp_path / "a.png", icc_profile=grey_profile(1.0))
    assert np.abs(read_image(tmp_path / "a.png") - wanted[:, :, 1]).max() <= 20  # of grey light
    level = srgb_level(GREY / 65535) * 255
    assert np.abs(read_image(tmp_path / "a.png") - level).max() <= 2


@pytest.mark.parametrize("photometric", ["miniswhite", "minisblack"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32, np.float64])
def test_negatives(kind, photometric, tmp_path):
    most = 1 if np.dtype(kind).kind == "f" else np.iinfo(kind).max
    values = (GREY / 65535 * most).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric=photometric)
    level = 255 * (values / most)
    wanted = 255 - level if photometric == "miniswhite" else level
    seen = read_image(tmp_path / "a.tif")
    assert np.abs(seen - wanted).max() <= 0.51


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("values", "rest"),
    [
        (np.moveaxis(DEEP, -1, 0), {"planarconfig": "separate"}),
        (np.moveaxis(DEEP, -1, 0), {"planarconfig": "separate", "compression": "zlib"}),
        (np.moveaxis(DEEP, -1, 0), {"planarconfig": "separate", "bigtiff": True}),
        (np.moveaxis(PIXELS, -1, 0), {"planarconfig": "separate"}),
        (DEEP / np.float32(65535), {}),
        (DEEP.astype(np.uint32) * 65537, {}),
        (DEEP, {"tile": (32, 32)}),
    ],
)
def test_kinds_of_tiff(values, rest, order, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", byteorder=order, **rest)
    assert np.abs(read_image(tmp_path / "a.tif").astype(int) - PIXELS).max() <= 1
    assert look_at(tmp_path / "a.tif") == (3, 64 * 96)
    assert len(make_targets(tmp_path, 16)) == 1


def test_opacity_in_tiffs_of_16_bits(tmp_path):
    opacity = np.linspace(0, 65535, 64 * 96).reshape(64, 96, 1).astype(np.uint16)
    for colour in (DEEP, DEEP[:, :, :1]):
        photometric = "rgb" if colour.shape[2] == 3 else "minisblack"
        for extra in ("unassalpha", "assocalpha"):
            stored = colour * (opacity / 65535) if extra == "assocalpha" else colour
            values = np.concatenate([np.rint(stored).astype(np.uint16), opacity], 2)
            tifffile.imwrite(
                tmp_path / "a.tif", values, photometric=photometric, extrasamples=[extra],
                planarconfig="contig",
            )  # fmt: skip
            seen = read_image(tmp_path / "a.tif")
            assert np.abs(seen[:, :, -1] - opacity[:, :, 0] / 257).max() <= 0.51
            there = seen[:, :, -1] > 20
            assert np.abs(seen[:, :, :-1] - colour / 257)[there].max() <= 0.6


def test_without_tifffile(tmp_path, monkeypatch):
    """It is asked for by its name, for the files alone that need it."""
    monkeypatch.setitem(sys.modules, "tifffile", None)
    tifffile.imwrite(tmp_path / "chunky.tif", DEEP, photometric="rgb")
    tifffile.imwrite(
        tmp_path / "planes.tif", np.moveaxis(DEEP, -1, 0), photometric="rgb",
        planarconfig="separate",
    )  # fmt: skip
    assert np.abs(read_image(tmp_path / "chunky.tif").astype(int) - PIXELS).max() <= 1
    with pytest.raises(ValueError, match=r"planes\.tif .*tifffile is not .*`pip install tifffile`"):
        read_image(tmp_path / "planes.tif")
    with pytest.warns(UserWarning, match=r"1 of 2 images cannot be read: .*planes\.tif"):
        assert len(ImageFiles(tmp_path)) == 1


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [2, 1, 0]])
def test_thumbnails_before_the_picture(order, tmp_path):
    """The largest page that is whole: neither a thumbnail, nor a mask, nor the second of two."""
    pages = [(PIXELS, 0), (PIXELS[::4, ::4], 1), (np.ones((128, 96), bool), 4)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for k in order:
            kind = "mask" if pages[k][1] == 4 else "rgb"
            file.write(pages[k][0], photometric=kind, subfiletype=pages[k][1])
        file.write(255 - PIXELS, photometric="rgb", subfiletype=2)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), PIXELS)
    assert look_at(tmp_path / "a.tif") == (3, 64 * 96)


def png_with(data, *chunks, at=33):
    """A PNG with more chunks, by default behind its header."""
    more = b""
    for kind, body in chunks:
        more += struct.pack(">I", len(body)) + kind + body
        more += struct.pack(">I", zlib.crc32(kind + body))
    return data[:at] + more + data[at:]


def encoded(image, suffix="PNG", **rest):
    file = io.BytesIO()
    image.save(file, suffix, **rest)
    return file.getvalue()


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_grey(bits):
    """The third grey of a PNG of so many bits, where there are as many."""
    key = min(2, 2**bits - 1)
    most = 2**bits - 1
    values = np.array([[0, key, most, key]] * 4, np.uint16)
    if bits == 16:
        rows = values.astype(">u2").view(np.uint8)
    else:
        digits = np.unpackbits(values.astype(np.uint8)[:, :, None], axis=2)[:, :, 8 - bits :]
        rows = np.packbits(digits.reshape(4, -1), axis=1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">2I5B", 4, 4, bits, 0, 0, 0, 0)
    data = png_with(
        b"\x89PNG\r\n\x1a\n", (b"IHDR", head), (b"tRNS", struct.pack(">H", key)),
        (b"IDAT", zlib.compress(raw)), (b"IEND", b""), at=8,
    )  # fmt: skip
    for seen in (decode(data, "a"), load_image(Image.open(io.BytesIO(data)))):
        np.testing.assert_array_equal(seen[:, :, 1] == 0, values == key)
        np.testing.assert_array_equal(seen[:, :, 0], np.rint(values * (255 / most)))


def test_a_transparent_colour_of_16_bits():
    values = np.zeros((4, 4, 3), np.uint16) + np.array([300, 40000, 7], np.uint16)
    values[:, 2:] += 1  # the same in 8 bits
    data = cv2.imencode(".png", values[:, :, ::-1])[1].tobytes()
    seen = decode(png_with(data, (b"tRNS", struct.pack(">3H", 300, 40000, 7))), "a")
    np.testing.assert_array_equal(seen[0, :, 3], [0, 0, 255, 255])
    np.testing.assert_array_equal(seen[0, 0, :3], [1, 156, 0])


BOMB = b"Comment\0\0" + zlib.compress(bytes(2**24))  # 16 MB of text in 16 kB


@pytest.mark.parametrize(
    "chunk",
    [
        (b"zTXt", BOMB),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(2**21))),
        (b"tEXt", b"Comment\0" + bytes(2**21)),
        (b"eXIf", b"MM\0*\0\0\0\x08\xff\xff no tags"),
        (b"eXIf", b"nothing"),
        (b"pHYs", b"\0"),
        (b"gAMA", b"\0"),
        (b"cHRM", b""),
        (b"tIME", b""),
    ],
)
def test_what_is_not_seen_does_not_stop_a_png(chunk, tmp_path):
    data = encoded(Image.fromarray(PIXELS))
    for at in (33, len(data) - 12):
        np.testing.assert_array_equal(decode(png_with(data, chunk, at=at), "a"), PIXELS)
    (tmp_path / "a.png").write_bytes(png_with(data, chunk))
    assert look_at(tmp_path / "a.png") == (3, 64 * 96)
    broken = png_with(data, chunk)  # a checksum that is wrong
    end = 33 + 12 + len(chunk[1])
    broken = broken[: end - 4] + b"\0\0\0\0" + broken[end:]
    np.testing.assert_array_equal(decode(broken, "a"), PIXELS)
    deep = png_with(with_icc(DEEP, SPACES["linear"]), chunk)
    assert np.abs(decode(deep, "a") - shown(DEEP / 65535, "linear")).max() <= 2


@pytest.mark.parametrize("block", [b"MM\0*\0\0\0\x08\xff\xff", b"", b"II*\0\xff\xff\xff\xff"])
@pytest.mark.parametrize("suffix", ["JPEG", "WEBP"])
def test_bad_blocks_of_a_camera(block, suffix):
    data = encoded(Image.fromarray(PIXELS), suffix, exif=b"Exif\0\0" + block, quality=95)
    assert np.abs(decode(data, "a").astype(int) - PIXELS).mean() < 3


def test_a_bad_block_in_a_tiff(tmp_path):
    file = tmp_path / "a.tif"
    tags = [(274, "H", 1, 3, True), (65000, "I", 1, 2**31, True)]
    for packed in (None, "zlib"):
        tifffile.imwrite(file, PIXELS, photometric="rgb", extratags=tags, compression=packed)
        data = file.read_bytes()  # its tag of a pointer to another block
        file.write_bytes(data.replace(struct.pack("<H", 65000), struct.pack("<H", 40965)))
        np.testing.assert_array_equal(read_image(file), PIXELS[::-1, ::-1])


@pytest.mark.parametrize("deep", [False, True])
def test_damaged_pixels_are_refused(deep):
    """A row that says it is filtered in a way that there is not; the rest of the file is good."""
    rows = [bytes([0 if k < 3 else 77]) + bytes(12 if deep else 6) for k in range(4)]
    head = struct.pack(">2I5B", 2, 4, 16 if deep else 8, 2, 0, 0, 0)
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")
    with pytest.raises(ValueError, match="cannot read a as an image"):
        decode(png_with(b"\x89PNG\r\n\x1a\n", *chunks, at=8), "a")


def test_orientations_of_deep_pictures(tmp_path):
    """As Pillow turns the same in 8 bits."""
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        plain = encoded(Image.fromarray(PIXELS), exif=exif)
        block = struct.pack(">4sI3H2IHHI", b"MM\0*", 8, 1, 0x0112, 3, 1, turn << 16, 0, 0, 0)[:26]
        deep = png_with(cv2.imencode(".png", DEEP[:, :, ::-1])[1].tobytes(), (b"eXIf", block))
        wanted = decode(plain, "a").astype(int)
        assert np.abs(decode(deep, "a") - wanted).max() <= 1
        tags = [(274, "H", 1, turn, True)]
        tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb", extratags=tags)
        assert np.abs(read_image(tmp_path / "a.tif") - wanted).max() <= 1


def test_bombs_are_refused(tmp_path, monkeypatch):
    """However the file is read: with chunks left out, by tifffile, or a page behind another."""
    bomb = png_with(encoded(Image.new("1", (10_000, 10_000))), (b"zTXt", BOMB))
    with pytest.raises(ValueError, match=r"a would take 1,908 MB .*STROKENET_MEMORY_MB=1"):
        decode(bomb, "a")
    monkeypatch.setenv("STROKENET_MEMORY_MB", "10")
    many = np.zeros((3, 1000, 1000), np.uint16)
    rest = {"photometric": "rgb", "planarconfig": "separate", "compression": "zlib"}
    tifffile.imwrite(tmp_path / "a.tif", many, **rest)
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:
        file.write(PIXELS, photometric="rgb")
        file.write(many, **rest)
    tifffile.imwrite(tmp_path / "c.tif", many.astype(np.float64)[:, :300], **rest)
    for name, needed in (("a", 20), ("b", 20), ("c", 20)):
        with pytest.raises(ValueError, match=rf"{name}\.tif would take {needed} MB"):
            read_image(tmp_path / f"{name}.tif")


def test_wherever_pictures_are_read(tmp_path, monkeypatch):
    """Folders, single targets of a reset, and data sets of images."""
    file = tmp_path / "photos" / "a.png"
    file.parent.mkdir()
    Image.new("RGB", (9, 9), (100, 100, 100)).save(file, icc_profile=SPACES["linear"])
    wanted = round(float(srgb_level(np.array(100 / 255))) * 255)
    for targets in (file.parent, file, [Image.open(file)]):
        target = gym.make("Painting-v0", targets=targets, canvas_size=16).reset()[0]["target"]
        assert abs(int(target[0, 8, 8]) - wanted) <= 1
    monkeypatch.setenv("STROKENET_CACHE", str(tmp_path / "cache"))
    with zipfile.ZipFile(tmp_path / "images_background.zip", "w") as archive:
        drawn = encoded(Image.new("L", (105, 105), 100), icc_profile=grey_profile(1.0))
        for k in range(40):
            archive.writestr(f"images_background/Greek/character01/{k:04}_01.png", drawn)
    (image, *_) = make_targets("omniglot", 105, tmp_path).images
    assert abs(255 - int(image[50, 50]) - wanted) <= 1


def test_what_we_write_says_that_it_is_srgb(tmp_path):
    colour, anchors = np.array([0.9, 0.2, 0.1]), np.linspace(-0.8, 0.8, 32).reshape(16, 2)
    stroke = Stroke(colour, np.array(0.1), anchors, np.ones(16))
    log = StrokeLog(64, (1.0, 1.0, 1.0), BRUSHES["pencil"], strokes=[stroke])
    for suffix in ("png", "jpg", "jpeg", "webp"):
        files = [tmp_path / f"{name}.{suffix}" for name in "ab"]
        for file in files:
            export(log, file, 64)
        assert files[0].read_bytes() == files[1].read_bytes()
        with Image.open(files[0]) as image:
            said = io.BytesIO(image.info.get("icc_profile", b""))
            tagged = "srgb" in image.info or "sRGB" in ImageCms.getProfileDescription(said)
            assert tagged
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            painted = np.moveaxis(log.replay(), 0, -1) * 255
            apart = np.abs(read_image(files[0]) - painted)
        assert apart.max() <= 0.51 if suffix == "png" else apart.mean() < 3


def test_spaces_that_do_not_exist():
    for wrong in ((0.3, 0.0) * 4, (float("nan"),) * 8):
        with pytest.raises(ValueError, match="no colours have the chromaticities"):
            matrix_profile(None, wrong)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("convert") is None, reason="ImageMagick is the judge")
def test_as_imagemagick_shows_it():
    found = list(compare(cmyk_profile()))
    assert len(found) >= 18
    assert {kind: most for kind, most, _ in found if most > 2} == {}


def test_a_page_that_pillow_does_not_know(tmp_path):
    """It is not taken for the page before, nor for a part of itself."""
    file = tmp_path / "pages.tif"
    with tifffile.TiffWriter(file) as writer:
        writer.write(np.full((16, 16, 3), 200, np.uint8), photometric="rgb")
        writer.write(np.full((64, 64, 3), 9000, np.uint16), photometric="cielab")
    with pytest.raises(ValueError, match=r"cannot read .*pages\.tif"):
        read_image(file)


@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_floats_of_half_precision(photometric, tmp_path):
    values = np.full((8, 8, 3) if photometric == "rgb" else (8, 8), 0.5, np.float16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric=photometric)
    assert np.unique(read_image(tmp_path / "a.tif")).tolist() == [128]
