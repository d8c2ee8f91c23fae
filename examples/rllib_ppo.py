"""PPO of Ray's RLlib on two workers, for those whom one machine no longer serves.

    pip install -e ".[rllib]" torch safetensors    # apart: RLlib pins gymnasium
    python examples/rllib_ppo.py --workers 2
    RAY_ADDRESS=auto python examples/rllib_ppo.py --workers 64    # on a Ray cluster that runs

Each worker paints 16 pictures at once in the batched environment.
"""

import gymnasium as gym
import torch
import tyro
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import ValueFunctionAPI
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import nn

from strokenet_gym import StrokeNetAgent


class Painter(TorchRLModule, ValueFunctionAPI):
    """The StrokeNet agent as the mean of a Gaussian policy, and a value head on what it sees."""

    def setup(self) -> None:  # noqa: D102
        self.agent = StrokeNetAgent(width=16, input_size=32, hidden=256)
        self.log_noise = nn.Parameter(torch.full((50,), -1.6))
        self.value = nn.Linear(256, 1)

    def look(self, batch: dict) -> torch.Tensor:  # noqa: D102
        seen = batch[Columns.OBS]
        return self.agent.encode(seen | {k: seen[k] / 255 for k in ("target", "canvas")})

    def _forward(self, batch: dict, **kwargs: object) -> dict:
        mean = self.agent.decode(self.look(batch))
        return {Columns.ACTION_DIST_INPUTS: torch.cat([mean, self.log_noise.expand_as(mean)], 1)}

    def compute_values(self, batch: dict, embeddings: object = None) -> torch.Tensor:  # noqa: D102
        return self.value(self.look(batch))[:, 0]


def main(workers: int = 2, iterations: int = 20) -> None:
    """Train on glyphs at 64 px, one stroke each, and print the mean return."""
    config = PPOConfig()
    config.environment("strokenet_gym:Painting-v0", env_config={"canvas_size": 64})
    vectorised = gym.VectorizeMode.VECTOR_ENTRY_POINT
    config.env_runners(num_env_runners=workers, num_envs_per_env_runner=16)
    config.env_runners(gym_env_vectorize_mode=vectorised)
    config.rl_module(rl_module_spec=RLModuleSpec(module_class=Painter))
    config.training(gamma=1.0, lr=3e-4, train_batch_size=1024, minibatch_size=256, num_epochs=6)
    algorithm = config.build_algo()
    for iteration in range(iterations):
        result = algorithm.train()["env_runners"]
        print(f"{iteration + 1}: return {result['episode_return_mean']:.3f} (1 is perfect)")
    algorithm.stop()


if __name__ == "__main__":
    tyro.cli(main)
