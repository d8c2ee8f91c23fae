"""Fit one stroke to one character by gradient descent: exact and learned gradient side by side.

python examples/fit_one_stroke.py --character S writes a GIF: target | exact gradient | learned one
"""

from strokenet_gym.command import require_all, run_command

require_all("torch", "safetensors")

from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from PIL import Image
from tqdm import trange

from strokenet_gym import Glyphs, Stroke, pack
from strokenet_gym.agents import neighbour_penalty
from strokenet_gym.files import replace_file


def main(character: str = "S", steps: int = 300, seed: int = 0, out: Path = Path("runs/fit.gif")):
    """Fit one stroke to one character, with the exact and with a learned gradient."""
    target = Glyphs(128, character).sample(np.random.default_rng(seed))
    ids = "DifferentiablePainting-v0", "NeuralPainting-v0"
    envs = [gym.make(env_id, targets=target, as_tensor=True) for env_id in ids]
    line = np.linspace([-0.05, 0.4], [0.05, -0.4], 16)  # from the top to the bottom
    start = pack(Stroke(np.full(1, 0.9), np.array(0.06), line, np.full(16, 0.8)))
    actions = torch.tensor(np.stack([start] * 2), dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.Adam([actions], lr=0.03)
    frames = []
    for step in trange(steps):
        penalty = 2 * 0.1 ** (step / steps)  # first keep neighbours together, then let go
        loss, canvases = penalty * neighbour_penalty(actions).sum(), [target]
        for env, action in zip(envs, actions, strict=True):
            env.reset(seed=seed)
            observation, reward, *_ = env.step(action)
            loss = loss - reward
            canvases.append(observation["canvas"][0].detach().numpy())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 4 == 0 or step == steps - 1:
            frames.append((np.concatenate(canvases, 1) * 255).astype(np.uint8))
    film = [Image.fromarray(frame) for frame in frames + frames[-1:] * 10]
    with replace_file(out) as new:
        film[0].save(new, save_all=True, append_images=film[1:], duration=60, loop=0)

    real = gym.make("Painting-v0", targets=target)  # the judge of both
    for name, action in zip(("exact gradient", "learned gradient"), actions, strict=True):
        real.reset(seed=seed)
        print(f"{name}: residual {real.step(action.detach().numpy())[4]['residual']:.3f}")
    print(f"Wrote {out}")


if __name__ == "__main__":
    run_command(main)
