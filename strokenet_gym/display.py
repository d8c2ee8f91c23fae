"""What people see of an environment: frames, and a pygame window for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from strokenet_gym.extras import require

__all__ = ["Window", "frame"]

FPS = 10
_GAP = 8  # pixels between target and canvas
_MIN_SIDE = 256  # small canvases are enlarged: a 28 px canvas is not a 28 px window
_GREY = 128


def frame(target: np.ndarray, canvas: np.ndarray) -> np.ndarray:
    """Target beside canvas, side by side on grey.

    Args:
        target: uint8 ``[C, H, W]``.
        canvas: uint8 ``[C, H, W]``.

    Returns:
        uint8 ``[H', W', 3]``, enlarged by a whole factor to at least 256 px a picture.
    """
    pictures = [np.broadcast_to(p, (3, *p.shape[1:])).transpose(1, 2, 0) for p in (target, canvas)]
    side = pictures[0].shape[0]
    factor = -(-_MIN_SIDE // side)
    gap = np.full((side * factor, _GAP, 3), _GREY, np.uint8)
    large = [p.repeat(factor, 0).repeat(factor, 1) for p in pictures]
    return np.concatenate([large[0], gap, large[1]], axis=1)


class Window:
    """A window that shows frames, opened with the first one.

    Raises:
        DependencyNotInstalled: if pygame is missing.
    """

    def __init__(self, title: str) -> None:
        require("render", "pygame")
        self._title = title
        self._screen: Any = None
        self._clock: Any = None

    def show(self, image: np.ndarray) -> None:
        """Show a frame, uint8 ``[H, W, 3]``, and wait for the display's turn."""
        import pygame

        size = (image.shape[1], image.shape[0])
        if self._screen is None:
            pygame.display.init()
            pygame.display.set_caption(self._title)
            self._screen = pygame.display.set_mode(size)
            self._clock = pygame.time.Clock()
        surface = pygame.image.frombuffer(np.ascontiguousarray(image).tobytes(), size, "RGB")
        self._screen.blit(surface, (0, 0))
        pygame.event.pump()
        pygame.display.flip()
        self._clock.tick(FPS)

    def close(self) -> None:
        """Close the window."""
        if self._screen is not None:
            import pygame

            pygame.display.quit()
            self._screen = None

    def __getstate__(self) -> dict[str, Any]:
        """A copy opens a window of its own."""
        return {"_title": self._title, "_screen": None, "_clock": None}
