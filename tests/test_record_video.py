"""Gymnasium's RecordVideo, and that its videos play."""

import subprocess

import cv2
import gymnasium as gym
import imageio_ffmpeg
import pytest

import strokenet_gym  # noqa: F401


@pytest.mark.parametrize("size", [64, 257, (65, 301)])
def test_videos_play(size, tmp_path):
    pytest.importorskip("moviepy", reason="the extra all is not installed")
    env = gym.make("Painting-v0", canvas_size=size, max_strokes=3, render_mode="rgb_array")
    env = gym.wrappers.RecordVideo(
        env, str(tmp_path / "videos"), episode_trigger=lambda number: True
    )
    env.reset(seed=0)
    shape = env.unwrapped.render().shape
    for _ in range(3):
        env.step(env.action_space.sample())
    env.close()
    (file,) = (tmp_path / "videos").glob("*.mp4")
    video, frames = cv2.VideoCapture(str(file)), []
    while (image := video.read()[1]) is not None:
        frames.append(image)
    video.release()
    assert len(frames) >= 3
    assert frames[0].shape == shape
    said = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-i", file], capture_output=True, text=True
    ).stderr
    assert "h264" in said
    assert "yuv420p" in said  # what browsers can play
