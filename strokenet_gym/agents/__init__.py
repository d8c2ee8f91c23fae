"""Agents: networks that look and then draw a stroke."""

from strokenet_gym.extras import require

require("torch", "safetensors")

from strokenet_gym.agents.base import (
    AGENTS,
    ARCHITECTURES,
    Agent,
    arguments_of,
    load_agent,
    neighbour_penalty,
)
from strokenet_gym.agents.strokenet import StrokeNetAgent
from strokenet_gym.agents.tracing import TracingAgent

__all__ = [
    "AGENTS", "ARCHITECTURES", "Agent", "StrokeNetAgent", "TracingAgent", "arguments_of",
    "load_agent", "neighbour_penalty",
]  # fmt: skip
