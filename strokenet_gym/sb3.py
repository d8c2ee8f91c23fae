"""The batched environment as stable-baselines3 wants it.

SB3 takes no environments from ``gym.make_vec``; its own ``DummyVecEnv`` steps single ones in a
loop. :class:`SB3VecEnv` gives it the batched one, which paints on all cores in one call::

    envs = SB3VecEnv("Painting-v0", num_envs=64, targets="glyphs")
    PPO("MultiInputPolicy", envs).learn(100_000)
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode

from strokenet_gym.extras import require

require("stable_baselines3")

from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv

__all__ = ["SB3VecEnv"]


class SB3VecEnv(VecEnv):
    """A batch of painting environments for stable-baselines3.

    Steps are the same, bit for bit, as those of a ``DummyVecEnv`` of single environments in a
    ``Monitor``: an episode that ends is followed by the first observation of the next one; its
    ``info`` has ``terminal_observation``, ``TimeLimit.truncated`` (a closed window, or
    ``max_episode_steps``) and the ``episode``'s return ``r``, length ``l`` and time ``t`` (seconds
    since the start).

    The sub-environments have their settings in common: ``get_attr`` gives the same value for all,
    ``set_attr`` and ``env_method`` work on all of them at once.

    Args:
        env_id: "Painting-v0", "NeuralPainting-v0" or "DifferentiablePainting-v0"; or a spec, or
            another id, of an environment that has a native batch.
        num_envs: how many.
        kwargs: see :class:`strokenet_gym.envs.PaintingVectorEnv`.

    Raises:
        gymnasium.error.Error: if there is no such environment, or it has no native batch.
    """

    def __init__(
        self, env_id: str | EnvSpec = "Painting-v0", num_envs: int = 1, **kwargs: Any
    ) -> None:
        self.envs: Any = gym.make_vec(
            env_id,
            num_envs=num_envs,
            vectorization_mode="vector_entry_point",
            autoreset_mode=AutoresetMode.SAME_STEP,
            copy=True,  # SB3 keeps observations beyond the next step
            **kwargs,
        )
        self._actions: Any = None
        count = self.envs.num_envs  # which a spec may have
        self._returns, self._lengths = np.zeros(count), np.zeros(count, np.int64)
        self._start = time.time()
        super().__init__(count, self.envs.single_observation_space, self.envs.single_action_space)

    def reset(self) -> dict[str, np.ndarray]:
        """Start an episode in each sub-environment, with the seeds and options that were set."""
        options: dict[str, Any] = {}
        if any(self._options):
            unknown = {key for one in self._options for key in one} - {"target"}
            if unknown:
                raise ValueError(f"unknown reset options {sorted(unknown)}; known: target")
            options["target"] = [one.get("target") for one in self._options]
        observation, info = self.envs.reset(seed=self._seeds, options=options)
        self.reset_infos = _infos(info)
        self._returns[:], self._lengths[:] = 0.0, 0
        self._reset_seeds()
        self._reset_options()
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for :meth:`step_wait`."""
        self._actions = actions

    @np.errstate(under="ignore")
    def step_wait(
        self,
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Paint a stroke in each sub-environment."""
        observation, reward, terminated, truncated, info = self.envs.step(self._actions)
        done = terminated | truncated
        infos = _infos(info)
        self._returns += reward
        self._lengths += 1
        if done.any():
            last = _infos(info["final_info"])
            now = round(time.time() - self._start, 6)
            for i in np.flatnonzero(done).tolist():
                self.reset_infos[i], infos[i] = infos[i], last[i]
                total, length = round(float(self._returns[i]), 6), int(self._lengths[i])
                infos[i]["terminal_observation"] = info["final_obs"][i]
                infos[i]["episode"] = {"r": total, "l": length, "t": now}
            self._returns[done], self._lengths[done] = 0.0, 0
        for one, cut in zip(infos, (truncated & ~terminated).tolist(), strict=True):
            one["TimeLimit.truncated"] = cut
        return observation, reward.astype(np.float32), done, infos

    def close(self) -> None:
        """Close the batch."""
        self.envs.close()

    def get_images(self) -> Sequence[np.ndarray | None]:
        """A frame for each sub-environment, if ``render_mode`` is "rgb_array"."""
        frames = self.envs.render()
        return [None] * self.num_envs if frames is None else list(frames)

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The batch's attribute, once for each index."""
        value = getattr(self.envs, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the batch.

        Raises:
            ValueError: if ``indices`` leaves some out: they have it in common.
        """
        self._check_all(indices, "set_attr")
        setattr(self.envs, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of the batch once, and return its result for each sub-environment.

        ``render`` returns each one's own frame.

        Raises:
            ValueError: if ``indices`` leaves some out.
        """
        self._check_all(indices, "env_method")
        result = getattr(self.envs, method_name)(*method_args, **method_kwargs)
        own = method_name == "render" and result is not None
        return list(result) if own else [result] * self.num_envs

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper], indices: Any = None) -> list[bool]:
        """True for ``Monitor``, whose statistics the batch keeps itself; else False."""
        return [wrapper_class is Monitor for _ in self._get_indices(indices)]

    def _check_all(self, indices: Any, what: str) -> None:
        if sorted(self._get_indices(indices)) != list(range(self.num_envs)):
            raise ValueError(f"{what} works on all sub-environments at once, got {indices!r}")


def _infos(info: dict[str, Any]) -> list[dict[str, Any]]:
    """One dictionary of plain numbers for each sub-environment."""
    keys = ("l2", "residual", "stroke")
    return [
        dict(zip(keys, values, strict=True))
        for values in zip(*(info[key].tolist() for key in keys), strict=True)
    ]
