"""Trainings, evaluations and comparisons: ``python -m baselines.train_ppo`` in a checkout.

The wheel has them as ``strokenet_gym.baselines``; most are also commands of ``strokenet-gym``.
"""

from strokenet_gym.command import require_all

require_all()
