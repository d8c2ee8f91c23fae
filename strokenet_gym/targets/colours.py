"""Colours of image files: from the profile that a file has to sRGB, by LittleCMS (Pillow's)."""

from __future__ import annotations

import functools
import io
import struct
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["find_profile", "from_lab", "matrix_profile", "reduced", "srgb_greys", "to_srgb"]

_UNSEEN = 1  # level of 255 by which a profile may differ from sRGB and yet be it
_STRIP = 2**17  # pixels of 16 bits that are converted at once
_SRGB = 0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06  # x, y of white, red, green, blue
_D50 = np.array([0.9642, 1.0, 0.8249])  # XYZ, the white that profiles stand on
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def find_profile(info: dict[str, Any], mode: str, name: str) -> bytes | None:
    """The ICC profile of a PIL image with this info, if its colours are not sRGB's.

    Of a PNG without one it is made from the chunks gAMA and cHRM, unless there is sRGB. A profile
    that cannot be used is left out, with a warning. The mode is "L" of any grey image.
    """
    try:
        profile = info.get("icc_profile") or _from_chunks(info)
        if not profile:
            return None
        found = srgb_greys(profile) if mode == "L" else _transform(profile, mode)
        return None if found is None else profile
    except Exception as error:  # whatever LittleCMS and Pillow raise
        text = f"the colour profile of {name} cannot be used ({' '.join(str(error).split())})"
        warnings.warn(f"{text}: its colours are taken for sRGB", stacklevel=2)
        return None


def to_srgb(image: Any, profile: bytes) -> Any:
    """A PIL image in RGB, RGBA or CMYK in sRGB: RGB, or RGBA with its own opacity."""
    from PIL import ImageCms

    return ImageCms.applyTransform(image, _transform(profile, image.mode))


def from_lab(image: Any) -> Any:
    """A PIL image in LAB in RGB."""
    from PIL import ImageCms

    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    return ImageCms.applyTransform(image, _made(lab, "LAB", "RGB"))


@functools.lru_cache(8)
def _transform(profile: bytes, mode: str) -> Any:
    """From a profile to sRGB; None if that changes nothing."""
    from PIL import Image, ImageCms

    out = "RGB" if mode == "CMYK" else mode
    transform = _made(ImageCms.ImageCmsProfile(io.BytesIO(profile)), mode, out)
    if mode == "CMYK":
        return transform
    steps = np.arange(0, 256, 17).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    shown: Any = ImageCms.applyTransform(Image.fromarray(grid).convert(mode), transform)
    change = np.asarray(shown)[:, :, :3].astype(int) - grid
    return None if np.abs(change).max() <= _UNSEEN else transform


@functools.lru_cache(8)
def srgb_greys(profile: bytes) -> np.ndarray | None:
    """The levels uint8 ``[256]`` of greys in sRGB; None if these are the same."""
    from PIL import Image, ImageCms

    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    mode = "L" if source.profile.xcolor_space.strip() == "GRAY" else "RGB"
    ramp = np.arange(256).astype(np.uint8)
    image = Image.fromarray(ramp[None]).convert(mode)
    shown: Any = ImageCms.applyTransform(image, _made(source, mode, "RGB"))
    greys = np.asarray(shown.convert("L"))[0]
    return None if np.abs(greys.astype(int) - ramp).max() <= _UNSEEN else greys


def _made(profile: Any, mode: str, out: str) -> Any:
    """A transform to sRGB, with the intent that browsers and ImageMagick have."""
    from PIL import ImageCms

    # By default LittleCMS makes one table of many steps, which is up to 30 levels off where it is
    # of inks; of RGB by a matrix it is exact, and ten times as fast as the steps.
    matrix = mode[:3] == "RGB" and profile.profile.is_matrix_shaper
    steps: Any = 0 if matrix else 0x100  # cmsFLAGS_NOOPTIMIZE
    srgb = ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(profile, srgb, mode, out, ImageCms.Intent.PERCEPTUAL, steps)


def reduced(levels: np.ndarray, profile: bytes | None) -> np.ndarray:
    """An image of 16 bits, uint16 ``[H, W, 1 … 4]``, in 8 bits, and from its profile in sRGB."""
    height, width, numbers = levels.shape
    pixels = np.empty(levels.shape, np.uint8)
    rows = max(1, _STRIP // width)
    greys = srgb_greys(profile) if profile is not None and numbers < 3 else None
    if greys is not None:
        greys = np.rint(np.interp(np.arange(2**16) / 257, np.arange(256), greys)).astype(np.uint8)
    for top in range(0, height, rows):
        strip, part = levels[top : top + rows], pixels[top : top + rows]
        np.floor_divide(strip.astype(np.uint32) + 128, 257, out=part, casting="unsafe")
        if greys is not None:
            part[:, :, 0] = greys[strip[:, :, 0]]
        elif profile is not None:
            part[:, :, :3] = _between(strip[:, :, :3], profile)
    return pixels


def _between(levels: np.ndarray, profile: bytes) -> np.ndarray:
    """RGB, uint16 ``[H, W, 3]``, in sRGB, float32 ``[H, W, 3]`` of whole levels of 255.

    LittleCMS has 8 bits here, which are too few for dark colours of a linear profile. So what lies
    between its colours is interpolated: the way from the darker corner of a cell to the lighter
    one goes along the channels, first that of the largest share (tetrahedra).
    """
    from PIL import Image

    corner = (levels // 257).astype(np.uint8)
    share = levels / np.float32(257) - corner
    order = np.argsort(-share, axis=-1)
    total, before = np.zeros(levels.shape, np.float32), np.ones_like(share[:, :, :1])
    for k in range(4):
        channel = order[:, :, k : k + 1]
        after = np.take_along_axis(share, channel, -1) if k < 3 else np.zeros_like(before)
        shown = to_srgb(Image.fromarray(corner), profile)
        total += (before - after) * np.asarray(shown)
        if k < 3:
            up = np.take_along_axis(corner, channel, -1)
            np.put_along_axis(corner, channel, up + (up < 255), -1)
        before = after
    return np.rint(total, out=total)


def _from_chunks(info: dict[str, Any]) -> bytes | None:
    """The profile that a PNG's gamma and chromaticities mean, if it has any."""
    gamma, chromaticity = info.get("gamma"), info.get("chromaticity")
    if "srgb" in info or not (gamma or chromaticity):
        return None
    if not gamma or abs(gamma - 1 / 2.2) < 0.005:  # as everybody says sRGB
        return matrix_profile(None, chromaticity or _SRGB)
    return matrix_profile(1 / gamma, chromaticity or _SRGB)


def matrix_profile(gamma: float | None, chromaticity: Sequence[float]) -> bytes:
    """An ICC profile of an RGB space: that of sRGB with other numbers; ValueError if there is none.

    Args:
        gamma: the power that makes light of its numbers; None for sRGB's curve.
        chromaticity: x and y of white, red, green and blue.
    """
    from PIL import ImageCms

    x, y = np.array(chromaticity, float).reshape(4, 2).T
    if not (np.isfinite(x).all() and (y > 0).all()):
        raise ValueError(f"no colours have the chromaticities {tuple(chromaticity)}")
    white, *primaries = np.stack([x / y, np.ones(4), (1 - x - y) / y], 1)
    cone = _BRADFORD @ np.array(primaries).T  # of the eye, in which whites are adapted
    cone *= np.linalg.solve(np.array(primaries).T, white)
    cone *= ((_BRADFORD @ _D50) / (_BRADFORD @ white))[:, None]
    colours = np.linalg.solve(_BRADFORD, cone).T
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack_from(">I", profile, 128)
    for name, at, _ in struct.iter_unpack(">4s2I", profile[132 : 132 + 12 * count]):
        if name in (b"rXYZ", b"gXYZ", b"bXYZ"):
            colour = colours[b"rgb".index(name[:1])]
            struct.pack_into(">3i", profile, at + 8, *np.rint(colour * 65536).astype(int))
        elif name.endswith(b"TRC") and gamma is not None:  # (a x + b) ** gamma
            struct.pack_into(">5i", profile, at + 12, round(gamma * 65536), 65536, 0, 0, 0)
    return bytes(profile)
