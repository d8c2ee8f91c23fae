"""TorchRL: rollouts whose return is differentiated back to the policy.

pip install torchrl; python examples/torchrl_gradients.py --steps 200
"""

from strokenet_gym.command import require_all, run_command

require_all("torch", "safetensors")

import gymnasium as gym
import torch
from tensordict.nn import TensorDictModule
from torch import nn
from torchrl.envs import GymWrapper
from tqdm import trange

import strokenet_gym  # noqa: F401


class Policy(nn.Module):
    """Strokes for a canvas and its target: what a small network sees of their difference."""

    def __init__(self, action_size: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.AdaptiveAvgPool2d(16), nn.Flatten(-3), nn.LazyLinear(256), nn.ReLU(),
            nn.Linear(256, action_size), nn.Tanh(),
        )  # fmt: skip

    def forward(self, canvas: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Actions in -1 … 1."""
        return self.net(target - canvas)


def main(steps: int = 200, strokes: int = 3, canvas_size: int = 64, seed: int = 0) -> None:
    """Train a small policy by the exact gradient of whole episodes, in TorchRL's own rollouts."""
    torch.manual_seed(seed)
    task = {"canvas_size": canvas_size, "max_strokes": strokes, "as_tensor": True}
    made = gym.make("DifferentiablePainting-v0", **task)
    env = GymWrapper(made, convert_actions_to_numpy=False)
    env.set_seed(seed)
    network = Policy(env.action_spec.shape[-1])
    policy = TensorDictModule(network, in_keys=["canvas", "target"], out_keys=["action"])
    policy(env.reset())  # gives the lazy layer its size
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
    returns = []
    for _ in (bar := trange(steps)):
        gained = env.rollout(strokes, policy)["next", "reward"].sum()
        optimizer.zero_grad()
        (-gained).backward()
        optimizer.step()
        returns.append(gained.item())
        bar.set_postfix_str(f"return {sum(returns[-20:]) / len(returns[-20:]):.3f}")
    print(f"return of the last 20 episodes: {sum(returns[-20:]) / len(returns[-20:]):.3f}")


if __name__ == "__main__":
    run_command(main)
