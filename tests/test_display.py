"""Frames and the window."""

import numpy as np
import pytest

from strokenet_gym.display import Window, frame


@pytest.mark.parametrize(("size", "side"), [(16, 256), (28, 280), (128, 256), (300, 300)])
@pytest.mark.parametrize("channels", [1, 3])
def test_frame(rng, size, side, channels):
    target, canvas = rng.integers(0, 256, (2, channels, size, size)).astype(np.uint8)
    picture = frame(target, canvas)
    assert picture.shape == (side, 2 * side + 8, 3)
    factor = side // size
    wanted = np.broadcast_to(target, (3, size, size)).transpose(1, 2, 0)
    np.testing.assert_array_equal(picture[::factor, :side:factor], wanted)
    wanted = np.broadcast_to(canvas, (3, size, size)).transpose(1, 2, 0)
    np.testing.assert_array_equal(picture[::factor, side + 8 :: factor], wanted)


def test_window_opens_once_and_closes():
    import pygame

    window = Window("test")
    assert not pygame.display.get_init()
    picture = np.zeros((64, 136, 3), np.uint8)
    picture[:, :, 1] = 255
    window.show(picture)
    window.show(picture)
    assert pygame.display.get_surface().get_size() == (136, 64)
    assert pygame.display.get_surface().get_at((5, 5))[:3] == (0, 255, 0)
    window.close()
    assert not pygame.display.get_init()
