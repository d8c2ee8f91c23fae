"""Watch the shipped agent paint characters, live.

    python examples/watch_agent.py --env NeuralPainting-v0 --record runs/watched
    python examples/watch_agent.py --agent planner --targets photo.jpg --strokes 50 --brush marker

Space pauses, the right arrow steps, a shows anchors, s saves a picture, q ends.
"""

from pathlib import Path

import gymnasium as gym

from strokenet_gym import RecordStrokes
from strokenet_gym.agents import arguments_of, load_agent
from strokenet_gym.command import run_command


def main(
    agent: str = "glyphs",
    env: str = "Painting-v0",
    targets: str | None = None,
    data_dir: Path | None = None,
    canvas_size: int = 256,
    strokes: int | None = None,
    brush: str | None = None,
    pictures: int = 20,
    stroke_seconds: float = 1.0,
    record: Path | None = None,
    seed: int = 0,
) -> None:
    """Watch a trained agent paint what it was made for; --record keeps the strokes as logs."""
    player = load_agent(agent)
    count = strokes or player.max_strokes or 4
    task = {"targets": targets, "canvas_size": canvas_size, "max_strokes": count, "brush": brush}
    arguments = arguments_of(player, **task)  # an agent's file opens no modules and no paths
    arguments |= {"data_dir": data_dir, "stroke_seconds": stroke_seconds}
    world = gym.make(env, render_mode="human", **arguments)
    player.prepare(world)
    if record is not None:
        world = RecordStrokes(world, record)
    for picture in range(pictures):
        observation, info = world.reset(seed=seed if picture == 0 else None)
        terminated = truncated = False
        while not (terminated or truncated):
            observation, _, terminated, truncated, info = world.step(player.act(observation))
        print(f"picture {picture + 1}: residual {info['residual']:.3f}")
        if truncated:  # the window was closed
            break
    world.close()


if __name__ == "__main__":
    run_command(main)
