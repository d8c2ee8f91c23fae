"""Pictures in many colour spaces and kinds of files: what we read beside ImageMagick's sRGB.

    python tests/benchmarks/compare_colours.py [--cmyk PROFILE.icc]

Prints a table of the largest and mean difference, in levels of 255. Needs `convert` and tifffile.
"""

from __future__ import annotations

import argparse
import io
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image, ImageCms

from strokenet_gym.targets import read_image
from strokenet_gym.targets.colours import matrix_profile

D65, D50 = (0.3127, 0.329), (0.3457, 0.3585)
SRGB = (*D65, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
ADOBE = (*D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
SPACES = {
    "Display P3": matrix_profile(None, (*D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)),
    "Adobe RGB": matrix_profile(2.19921875, ADOBE),
    "ProPhoto": matrix_profile(1.8, (*D50, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)),
    "linear": matrix_profile(1.0, SRGB),
    "swapped channels": matrix_profile(None, (*D65, 0.3, 0.6, 0.64, 0.33, 0.15, 0.06)),
}  # fmt: skip


def icc_profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 2 from its tags."""
    place, entries, contents = 132 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        entries += struct.pack(">4s2I", name, place + len(contents), len(content))
        contents += content + bytes(-len(content) % 4)
    head = struct.pack(
        ">I4sI4s4s4s12x4s28x3i48xI", place + len(contents), b"none", 0x02400000, b"mntr", space,
        connection, b"acsp", 63190, 65536, 54061, len(tags),
    )  # fmt: skip
    return head + entries + contents


def grey_profile(gamma: float) -> bytes:
    """A grey space whose light is a power of its numbers."""
    white = struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061)
    curve = struct.pack(">4s4xIH", b"curv", 1, round(gamma * 256))
    return icc_profile(b"GRAY", b"XYZ ", {b"wtpt": white, b"kTRC": curve})


def cmyk_profile() -> bytes:
    """A printer whose inks are known at the corners of their cube: a table, as printers have."""
    straight = np.arange(256, dtype=np.uint8).tobytes()
    inks = {"C": (60, -25, -30), "M": (50, 60, -3), "Y": (89, -5, 93), "K": (16, 0, 0)}
    corners = []
    for number in range(16):  # cyan changes last, black first
        there = [ink for bit, ink in zip((8, 4, 2, 1), inks.values(), strict=True) if number & bit]
        light = 95.0 * np.prod([ink[0] / 95 for ink in there])
        a, b = (sum(ink[k] for ink in there) for k in (1, 2))
        corners += [round(light * 2.55), round(128 + a), round(128 + b)]
    matrix = struct.pack(">9i", *(65536 * (k % 4 == 0) for k in range(9)))
    table = struct.pack(">4s4x4B", b"mft1", 4, 3, 2, 0) + matrix + straight * 4
    table += bytes(corners) + straight * 3
    white = struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061)
    return icc_profile(b"CMYK", b"Lab ", {b"wtpt": white, b"A2B0": table})


def chart() -> np.ndarray:
    """Colours of all kinds, with many dark ones: float ``[64, 96, 3]`` in 0 … 1."""
    y, x = np.mgrid[:64, :96]
    hues = np.stack([(1 + np.cos(x / 7 + k)) / 2 for k in (0, 2.1, 4.2)], -1)
    return hues * ((y / 63) ** 2)[:, :, None]


def files(folder: Path, cmyk: bytes) -> Iterator[tuple[str, Path]]:
    """What there is to read: kinds, and files of them."""
    deep = np.rint(chart() * 65535).astype(np.uint16)
    pixels = np.rint(deep / 257).astype(np.uint8)
    image, grey = Image.fromarray(pixels), Image.fromarray(pixels).convert("L")

    def new(kind: str, suffix: str, write: Callable[[Path], object]) -> tuple[str, Path]:
        path = folder / f"{kind.replace(' ', '-').replace(',', '')}{suffix}"
        write(path)
        return kind, path

    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield new("sRGB", ".png", lambda p: image.save(p, icc_profile=own))
    for name, icc in SPACES.items():
        yield new(name, ".png", lambda p, icc=icc: image.save(p, icc_profile=icc))
    p3, prophoto = SPACES["Display P3"], SPACES["ProPhoto"]
    yield new("Display P3, JPEG", ".jpg", lambda p: image.save(p, icc_profile=p3, quality=95))
    yield new("Display P3, WebP", ".webp", lambda p: image.save(p, icc_profile=p3, lossless=True))
    gamma = grey_profile(1.0)
    yield new("grey, gamma 1", ".png", lambda p: grey.save(p, icc_profile=gamma))
    yield new(
        "grey, gamma 1.8, TIFF", ".tif", lambda p: grey.save(p, icc_profile=grey_profile(1.8))
    )
    yield new("CMYK, TIFF", ".tif", lambda p: image.convert("CMYK").save(p, icc_profile=cmyk))
    yield new(
        "CMYK, JPEG", ".jpg", lambda p: image.convert("CMYK").save(p, icc_profile=cmyk, quality=95)
    )
    yield new("gAMA 1", ".png", lambda p: p.write_bytes(with_chunks(image, 1.0, None)))
    for name in ("linear", "ProPhoto"):
        icc = SPACES[name]
        yield new(f"{name}, 16 bits", ".png", lambda p, icc=icc: p.write_bytes(with_icc(deep, icc)))
    level = deep[:, :, 1]
    many = {"metadata": None}
    for kind, values, rest in (
        ("MinIsWhite, 16 bits", level, {"photometric": "miniswhite"}),
        ("RGB, 16 bits", deep, {"photometric": "rgb"}),
        ("planes, 16 bits", np.moveaxis(deep, -1, 0), {"planarconfig": "separate"}),
        ("planes, 8 bits", np.moveaxis(pixels, -1, 0), {"planarconfig": "separate"}),
        (
            "planes, ProPhoto",
            np.moveaxis(deep, -1, 0),
            {"planarconfig": "separate", "iccprofile": prophoto},
        ),
        ("RGB, floats", deep / np.float32(65535), {"photometric": "rgb"}),
    ):
        rest = {"photometric": "rgb"} | rest | many
        yield new(kind, ".tif", lambda p, v=values, r=rest: tifffile.imwrite(p, v, **r))


def with_chunks(image: Image.Image, gamma: float, chromaticity: tuple[float, ...] | None) -> bytes:
    """A PNG that says what its numbers mean without a profile."""
    from PIL.PngImagePlugin import PngInfo

    info, file = PngInfo(), io.BytesIO()
    info.add(b"gAMA", struct.pack(">I", round(gamma * 1e5)))
    if chromaticity is not None:
        info.add(b"cHRM", struct.pack(">8I", *(round(v * 1e5) for v in chromaticity)))
    image.save(file, "PNG", pnginfo=info)
    return file.getvalue()


def with_icc(deep: np.ndarray, icc: bytes) -> bytes:
    """A PNG of 16 bits with a profile."""
    import zlib

    data = cv2.imencode(".png", deep[:, :, ::-1])[1].tobytes()
    body = b"iCCP" + b"space\0\0" + zlib.compress(icc)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:33] + chunk + data[33:]


def judged(path: Path) -> np.ndarray:
    """What ImageMagick makes of a file: uint8 ``[H, W, 3]`` in sRGB."""
    profile, out = path.with_name("srgb.icc"), path.with_suffix(".judged.ppm")
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    profile.write_bytes(own.tobytes())
    said = subprocess.run(["identify", "-verbose", path], capture_output=True).stdout
    way = ["-profile", profile] if b"Profile-icc" in said else ["-colorspace", "sRGB"]
    subprocess.run(["convert", path, *way, "-depth", "8", out], check=True, capture_output=True)
    return np.asarray(Image.open(out).convert("RGB"))


def compare(cmyk: bytes) -> Iterator[tuple[str, int, float]]:
    """Of each kind the largest and the mean difference, in levels of 255."""
    with tempfile.TemporaryDirectory() as name:
        for kind, path in files(Path(name), cmyk):
            ours = read_image(path)
            ours = np.broadcast_to(ours[:, :, None], (*ours.shape, 3)) if ours.ndim == 2 else ours
            apart = np.abs(ours.astype(int) - judged(path))
            yield kind, int(apart.max()), float(apart.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cmyk", type=Path, help="a printer's profile, instead of an invented one")
    said = parser.parse_args()
    if shutil.which("convert") is None:
        raise SystemExit("ImageMagick's convert is not installed")
    print("| | largest | mean |\n|---|---|---|")
    for kind, largest, mean in compare(said.cmyk.read_bytes() if said.cmyk else cmyk_profile()):
        print(f"| {kind} | {largest} | {mean:.2f} |")


if __name__ == "__main__":
    main()
