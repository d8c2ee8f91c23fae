"""What people see of an environment: frames, and a pygame window in which strokes grow."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from strokenet_gym.checks import real_number
from strokenet_gym.extras import require
from strokenet_gym.files import replace_file
from strokenet_gym.interrupts import shielded
from strokenet_gym.messages import stderr
from strokenet_gym.programs import Program
from strokenet_gym.stroke import Stroke, part_way

with shielded():
    import cv2

__all__ = ["Scene", "Window", "frame", "open_window", "usable_modes"]

FPS = 30
_GAP = 8  # pixels between target and canvas
_CAPTION = 24  # pixels under them
_MIN_SIDE = 256  # small canvases are enlarged: a 28 px canvas is not a 28 px window
_GREY = 128
_HOLD = 0.7  # seconds
_KEYS = (
    "space   pause", "right   one stroke", "a       anchors and path", "s       save a picture",
    "h       these keys", "q       end",
)  # fmt: skip
_DISPLAYS = "DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"  # variables that say there is one
_PATH, _ANCHOR = (255, 200, 0), (255, 60, 60)


@dataclass(frozen=True)
class Scene:
    """An episode at one moment.

    Attributes:
        target: uint8 ``[C, H, W]``.
        canvas: uint8 ``[C, H, W]``.
        number: strokes painted.
        budget: strokes in an episode.
        residual: see the environments' ``info``.
        stroke: the last one, without a batch; None before the first.
    """

    target: np.ndarray
    canvas: np.ndarray
    number: int
    budget: int
    residual: float
    stroke: Stroke | None = None


def frame(scene: Scene, size: tuple[int, int] | None = None, anchors: bool = False) -> np.ndarray:
    """Target beside canvas, over a caption with the strokes so far and the residual.

    Args:
        scene: what to show.
        size: height and width of a picture in the frame; by default the canvas', enlarged by a
            whole factor until the longer side has at least 256 px.
        anchors: draw the last stroke's anchors (the larger, the more pressure) and path.

    Returns:
        uint8 ``[height + 24, 2 * width + 8, 3]``, one row higher if that is odd: films want even.
    """
    rows, columns = scene.canvas.shape[1:]
    times = -(-_MIN_SIDE // max(rows, columns))
    height, width = size or (rows * times, columns * times)
    caption = _CAPTION + height % 2
    image = np.full((height + caption, 2 * width + _GAP, 3), _GREY, np.uint8)
    for picture, left in ((scene.target, 0), (scene.canvas, width + _GAP)):
        colour = np.broadcast_to(picture, (3, rows, columns)).transpose(1, 2, 0)
        way = cv2.INTER_NEAREST if height >= rows else cv2.INTER_AREA
        large = cv2.resize(np.ascontiguousarray(colour), (width, height), interpolation=way)
        if anchors and left > 0 and scene.stroke is not None:
            _draw_path(large, scene.stroke)
        image[:height, left : left + width] = large
    text = f"stroke {scene.number} of {scene.budget}   residual {scene.residual:.3f}"
    _write(image, text, 6, height + _CAPTION - 8)
    return image


def _write(image: np.ndarray, text: str, x: int, y: int) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(image, text, (x, y), font, 0.42, (255, 255, 255), 1, cv2.LINE_AA)


def _draw_path(image: np.ndarray, stroke: Stroke) -> None:
    from strokenet_gym.programs.stamped import pen_path  # compiled

    bits = 4  # of a pixel's fraction, for OpenCV
    half = np.array([image.shape[1] / 2, image.shape[0] / 2])

    def pixels(position: np.ndarray) -> np.ndarray:
        x, y = position[:, 0], position[:, 1]
        flipped = np.stack([1 + x, 1 - y], 1) * half - 0.5
        return np.rint(flipped.clip(-8 * half, 8 * half) * 2**bits).astype(np.int32)

    path = pixels(pen_path(stroke.position, stroke.pressure))
    cv2.polylines(image, [path], False, _PATH, 1, cv2.LINE_AA, bits)
    for centre, pressure in zip(pixels(stroke.position), stroke.pressure, strict=True):
        radius = round((2 + 4 * float(pressure)) * 2**bits)
        cv2.circle(image, centre.tolist(), radius, _ANCHOR, 1, cv2.LINE_AA, bits)


def usable_modes(modes: list[str], asked: str | None) -> list[str]:
    """The modes without "human" if there is no pygame or display, unless it was asked for."""
    shown = sys.platform in ("win32", "darwin") or any(map(os.environ.get, _DISPLAYS))
    if asked == "human" or (shown and importlib.util.find_spec("pygame") is not None):
        return modes
    return [mode for mode in modes if mode != "human"]


def open_window(title: str, size: tuple[int, int]) -> Any:
    """Open pygame's window and return its surface.

    Args:
        title: the window's.
        size: width and height in pixels, if the desktop has so many; people may resize it.

    Raises:
        OSError: if there is no display.
    """
    import pygame

    remedy = 'without a display, use render_mode="rgb_array", or set SDL_VIDEODRIVER=dummy'
    try:
        pygame.display.init()
        driver = pygame.display.get_driver()
        if driver in ("dummy", "offscreen") and not os.environ.get("SDL_VIDEODRIVER"):
            pygame.display.quit()
            raise OSError(f"no window can be opened: {remedy}")  # it would be one nobody sees
        most = pygame.display.get_desktop_sizes()[0]
        size = min(size[0], most[0]), min(size[1], most[1])
        screen = pygame.display.set_mode(size, pygame.RESIZABLE)
    except pygame.error as error:
        raise OSError(f"no window can be opened ({error}): {remedy}") from error
    pygame.display.set_caption(title)
    return screen


class Window:
    """A window in which strokes grow, opened with the first picture.

    Keys: space pauses, the right arrow paints one stroke and pauses, ``a`` shows anchors and path,
    ``s`` saves a picture under ``runs/``, ``q`` closes the window, ``h`` shows these keys.

    Args:
        title: the window's.
        stroke_seconds: how long a stroke takes.

    Attributes:
        closed: whether the user has closed it. It stays closed.

    Raises:
        DependencyNotInstalled: if pygame is missing.
    """

    def __init__(self, title: str, stroke_seconds: float = 0.5) -> None:
        require("pygame")
        self.closed = False
        self._title, self._seconds = title, real_number(stroke_seconds, "stroke_seconds", 0, 86_400)
        self._paused = self._one_stroke = self._anchors = self._help = False
        self._screen: Any = None
        self._clock: Any = None

    def show(self, scene: Scene) -> None:
        """Show an episode as it is now; OSError if there is no display."""
        self._present(scene)

    def animate(
        self, before: np.ndarray, scene: Scene, program: Program, background: np.ndarray
    ) -> None:
        """Show how the scene's last stroke grows on the canvas before, float32 ``[C, H, W]``."""
        assert scene.stroke is not None
        steps = round(self._seconds * FPS)
        for k in range(1, steps):
            if self.closed:
                return
            stroke = part_way(scene.stroke, k / steps)
            batch = Stroke(*(np.asarray(field)[None] for field in stroke))
            canvas = before[None].copy()
            program.composite(canvas, before[None], batch, background)
            pixels = np.rint(canvas[0] * 255).astype(np.uint8)
            self._present(replace(scene, canvas=pixels, stroke=stroke))
        self._one_stroke = False  # a pause holds the painted stroke
        # A finished picture stays for a moment.
        seconds = min(self._seconds, _HOLD) if scene.number == scene.budget else 0.0
        self._present(scene, seconds)

    def _present(self, scene: Scene, seconds: float = 0.0) -> None:
        """Draw the scene for so long, and as long as the window is paused."""
        end = time.monotonic() + seconds
        while not self.closed:
            image = self._draw(scene)
            self._listen(image)
            if self._screen is not None:
                self._clock.tick(FPS)
            paused = self._paused and not self._one_stroke
            if not paused and (time.monotonic() >= end or self._one_stroke):
                return

    def _draw(self, scene: Scene) -> np.ndarray:
        import pygame

        if self._screen is None:
            if pygame.display.get_init() and pygame.display.get_surface() is not None:
                raise RuntimeError("pygame has one window: close the other environment's first")
            height, width = frame(scene).shape[:2]
            self._screen = open_window(self._title, (width, height))
            self._clock = pygame.time.Clock()
        width, height = self._screen.get_size()
        rows, columns = scene.canvas.shape[1:]
        scale = min((width - _GAP) / 2 / columns, (height - _CAPTION) / rows)
        fitting = max(16, int(rows * scale)), max(16, int(columns * scale))
        image = frame(scene, fitting, self._anchors)
        if self._help:
            image[: 10 + 18 * len(_KEYS), :230] //= 3
            for k, line in enumerate(_KEYS):
                _write(image, line, 8, 20 + 18 * k)
        size = image.shape[1], image.shape[0]
        surface = pygame.image.frombuffer(image.tobytes(), size, "RGB")
        self._screen.fill((_GREY,) * 3)
        self._screen.blit(surface, ((width - size[0]) // 2, (height - size[1]) // 2))
        pygame.display.flip()
        return image

    def _listen(self, image: np.ndarray) -> None:
        import pygame

        for event in pygame.event.get():
            key = event.key if event.type == pygame.KEYDOWN else None
            if event.type == pygame.QUIT or key == pygame.K_q:
                self.closed = True
                return self.close()
            self._paused ^= key == pygame.K_SPACE
            self._anchors ^= key == pygame.K_a
            self._help ^= key == pygame.K_h
            if key == pygame.K_RIGHT:
                self._paused = self._one_stroke = True
            if key == pygame.K_s:
                _save(image)

    def close(self) -> None:
        """Close the window; the next picture opens it again, unless the user closed it."""
        if self._screen is not None:
            import pygame

            pygame.display.quit()
            self._screen = None

    def __getstate__(self) -> dict[str, Any]:
        """A copy opens a window of its own."""
        return {**self.__dict__, "_screen": None, "_clock": None}


def _save(image: np.ndarray) -> None:
    from PIL import Image

    file = Path("runs") / time.strftime("strokenet-%Y%m%d-%H%M%S.png")
    try:
        with replace_file(file) as new:
            Image.fromarray(image).save(new, "PNG")
        print(f"Wrote {file}", file=stderr())
    except OSError as error:
        print(f"cannot write {file}: {error.strerror}", file=stderr())
