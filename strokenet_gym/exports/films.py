"""Films of a stroke log: how the strokes grow, as GIF, or as MP4 by ffmpeg."""

from __future__ import annotations

import contextlib
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from gymnasium.error import DependencyNotInstalled
from scipy.spatial import cKDTree

from strokenet_gym.checks import real_number, whole
from strokenet_gym.exports.pictures import to_rgb
from strokenet_gym.extras import require
from strokenet_gym.stroke import part_way
from strokenet_gym.stroke_log import StrokeLog

__all__ = ["film", "write_gif", "write_mp4"]

_STROKE_SECONDS, _MOST_SECONDS = 0.5, 20.0  # by default: for a stroke, and for all of them
_GIF_FPS = 50  # browsers slow down what is faster
_LOOKS = 24  # pictures that a GIF's colours are taken from
_LOOK_SIDE = 192  # their longer side in pixels
_CLEAR = 255  # the index of a GIF's pixels that stay as they were

# Without these tags players guess, browsers bt709 from 720 lines on. The matrix is bt601's, which
# Chromium's software shows within 2 levels; bt709's is up to 12 levels off.
_MP4 = (
    "-vf", "scale=in_range=pc:out_range=tv:out_color_matrix=smpte170m"
    ":flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp,format=yuv420p,setparams=range=tv"
    ":colorspace=smpte170m:color_primaries=bt709:color_trc=iec61966-2-1",  # the latter two: sRGB
    "-c:v", "libx264", "-crf", "16", "-movflags", "+faststart",
)  # fmt: skip


def film(
    log: StrokeLog, size: int | tuple[int, int], seconds: float | None = None, fps: int = 25
) -> Iterator[np.ndarray]:
    """Frames of the strokes as they grow, and a second of the picture at the end.

    Args:
        log: the episode.
        size: the longer side in pixels, or height and width.
        seconds: how long all strokes take, each the same time; by default half a second for each,
            but at most 20 in all.
        fps: frames a second, a whole number from 1 to 240.

    Yields:
        uint8 ``[H, W, 3]``.
    """
    fps = whole(fps, "fps", 1, 240)
    count = len(log.strokes)
    if seconds is None:
        seconds = min(_STROKE_SECONDS * count, _MOST_SECONDS)
    else:
        seconds = real_number(seconds, "seconds", 0, 86_400, above=True)
    return _frames(log, size, max(1, round(seconds * fps)) if count else 0, fps)


def _frames(
    log: StrokeLog, size: int | tuple[int, int], frames: int, rest: int
) -> Iterator[np.ndarray]:
    """Frames in which all strokes grow, and the last picture ``rest`` times more."""
    canvas, done, count = log.blank(size), 0, len(log.strokes)
    for frame in range(1, frames + 1):
        whole_strokes, share = divmod(frame * count, frames)
        for stroke in log.strokes[done:whole_strokes]:
            canvas = log.paint(canvas, stroke)
        done = whole_strokes
        if share and count < frames:  # where strokes are fast, each frame has whole ones
            yield to_rgb(log.paint(canvas, part_way(log.strokes[done], share / frames)))
        else:
            yield to_rgb(canvas)
    yield from [to_rgb(canvas)] * rest


def write_mp4(
    log: StrokeLog, path: Path, size: tuple[int, int], seconds: float | None = None, fps: int = 25
) -> None:
    """Write a film in H.264, of even sides, as the codec wants them."""
    require("imageio_ffmpeg")
    height, width = (max(2, side - side % 2) for side in size)
    _encode(film(log, (height, width), seconds, fps), path, (height, width), fps, *_MP4)


def write_gif(
    log: StrokeLog, path: Path, size: tuple[int, int], seconds: float | None = None, fps: int = 25
) -> None:
    """Write a film as GIF, of at most 50 frames a second.

    One palette for all frames, and no dithering, so that what does not change has one colour; of a
    frame only what changed is written. Pillow's own writer would keep all frames in memory.
    """
    from PIL import GifImagePlugin, Image

    fps = min(whole(fps, "fps", 1, 240), _GIF_FPS)
    frames, palette = film(log, size, seconds, fps), _palette(log)
    nearest = cKDTree(palette[:_CLEAR].astype(float))
    known = np.full(2**24, _CLEAR, np.uint8)  # indices of the colours so far
    shown = np.full(size, _CLEAR, np.uint8)
    with path.open("wb") as file:
        # All colours are in one table of 256; 8 bits each.
        file.write(b"GIF89a" + struct.pack("<HHBBB", size[1], size[0], 0b11110111, 0, 0))
        file.write(palette.tobytes() + b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0")  # it repeats for ever
        for number, frame in enumerate(frames):
            red, green, blue = np.moveaxis(frame.astype(np.int32), 2, 0)
            colours = red << 16 | green << 8 | blue
            pixels = known[colours]
            if len(new := np.unique(colours[pixels == _CLEAR])):
                known[new] = nearest.query(np.stack([new >> 16, new >> 8 & 255, new & 255], 1))[1]
                pixels = known[colours]
            changed = pixels != shown
            rows, columns = (np.flatnonzero(changed.any(axis)) for axis in (1, 0))
            top, left = (int(found[0]) if len(found) else 0 for found in (rows, columns))
            box = np.s_[top : rows[-1] + 1, left : columns[-1] + 1] if len(rows) else np.s_[:1, :1]
            part = np.where(changed[box], pixels[box], np.uint8(_CLEAR))
            begin, end = (round(100 * k / fps) for k in (number, number + 1))  # hundredths
            file.writelines(
                GifImagePlugin.getdata(
                    Image.fromarray(part), (left, top),
                    duration=10 * (end - begin), transparency=_CLEAR, disposal=1,
                )
            )  # fmt: skip
            shown = pixels
        file.write(b";")


def _palette(log: StrokeLog) -> np.ndarray:
    """The colours of a film, uint8 ``[256, 3]``: the paper's first, then others, one unused."""
    from PIL import Image

    count = len(log.strokes)
    looks = min(_LOOKS, count)
    small = log.sides(min(_LOOK_SIDE, max(log.sides())))
    pictures = np.concatenate(list(_frames(log, small, looks, 1)))
    background = to_rgb(log.blank((1, 1)))[0]
    # Colours that cover few pixels count as well: strokes may be thin.
    differ = (pictures != background).any(-1)
    covered = pictures[differ] if differ.any() else background
    found = Image.fromarray(covered[None]).quantize(_CLEAR - 1, Image.Quantize.MEDIANCUT, kmeans=1)
    colours = np.array(found.getpalette(), np.uint8).reshape(-1, 3)[: _CLEAR - 1]
    return np.concatenate([background, colours, np.repeat(background, 255 - len(colours), 0)])


def _encode(
    frames: Iterator[np.ndarray], path: Path, size: tuple[int, int], fps: int, *arguments: str
) -> None:
    """Have ffmpeg write frames, uint8 ``[H, W, 3]`` each.

    imageio_ffmpeg's own writer has no way to notice that ffmpeg failed, as on a full disk.

    Raises:
        OSError: if it cannot; ffmpeg's last line is in the message.
    """
    import imageio_ffmpeg

    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:  # a build of it without one
        raise DependencyNotInstalled(f"{error}: install ffmpeg") from error
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[1]}x{size[0]}", "-r", str(fps)]
    command = [program, "-v", "error", "-xerror", "-y", *raw, "-i", "-", *arguments, f"file:{path}"]
    with tempfile.TemporaryFile() as said:
        # In a session of its own, so that Ctrl-C is ours.
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said,
            start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        try:
            with contextlib.suppress(BrokenPipeError), process.stdin:  # an end is explained below
                for frame in frames:
                    process.stdin.write(frame.tobytes())
        except BaseException:
            process.kill()
            raise
        finally:
            status = process.wait()
        said.seek(0)
        if status != 0 or not path.exists():
            lines = said.read().decode(errors="replace").strip().splitlines() or ["no message"]
            raise OSError(f"cannot write {path}: ffmpeg ended with status {status}: {lines[-1]}")
