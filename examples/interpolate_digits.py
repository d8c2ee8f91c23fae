"""Walk from one digit to another through the agent's latent space.

    python examples/interpolate_digits.py --data-dir DIR --pairs 3

Each line starts and ends with a digit of the test set as the agent paints it; between them, the
stroke is what the agent makes of the points on the line between their latent vectors.
"""

from strokenet_gym.command import require_all, run_command

require_all("torch", "safetensors")

from pathlib import Path

import gymnasium as gym
import numpy as np
import torch

from strokenet_gym import MNIST, load_agent
from strokenet_gym.exports.pictures import encode
from strokenet_gym.files import replace_file


def main(
    data_dir: Path,
    pairs: int = 4,
    steps: int = 9,
    seed: int = 0,
    out: Path = Path("runs/interpolation.png"),
) -> None:
    """Interpolate between digits of MNIST's test set."""
    agent = load_agent("mnist")
    digits = MNIST(data_dir, "test")
    envs = gym.make_vec("Painting-v0", num_envs=steps, targets=digits)
    rng, lines = np.random.default_rng(seed), []
    for _ in range(pairs):
        ends = [digits.sample(rng) for _ in range(2)]
        targets = torch.from_numpy(np.stack(ends))[:, None]
        left = torch.ones(2, 1)
        with torch.no_grad():
            first, last = agent.encode(
                {"target": targets, "canvas": torch.zeros_like(targets), "strokes_left": left}
            )
            share = torch.linspace(0, 1, steps)[:, None]
            actions = agent.decode(first + (last - first) * share).numpy()
        envs.reset(options={"target": [ends[0]] * steps})
        canvases = envs.step(actions)[0]["canvas"][:, 0]
        originals = [(end * 255).astype(np.uint8) for end in ends]
        lines.append(np.concatenate([originals[0], *canvases, originals[1]], 1))
    with replace_file(out) as new:
        new.write_bytes(encode(np.concatenate(lines)))
    print(f"Wrote {out}: digit, {steps} paintings from it to the other, the other digit")


if __name__ == "__main__":
    run_command(main)
