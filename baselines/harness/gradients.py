"""How well a generator's gradient agrees with that of the real painting program.

The gradient is that of the L2 loss of one stroke on an empty canvas, against a glyph that has
nothing to do with it, by the normalised action: what an agent learns from.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from strokenet_gym.programs import Program
from strokenet_gym.programs.stamped import BLENDS
from strokenet_gym.stroke import Stroke, pack, split, unpack
from strokenet_gym.targets import Glyphs

from .measures import write_figure
from .stroke_samples import Sampler

__all__ = ["draw_gradients", "gradient_cosines"]


def loss_gradient(program: Program, action: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The L2 loss's gradient by each action ``[B, A]``, and the painted canvases.

    On an empty canvas on which strokes of the program's blend mode show: multiplying ink leaves
    nothing on black.
    """
    action = action.clone().requires_grad_()
    stroke = unpack(action, 1, program.radii)
    blank = BLENDS[program.blend].blank
    background = torch.full((1,), 1 - blank)  # what an eraser lays bare
    painted, change = program.paint_tensors(
        torch.full_like(target, blank), target, stroke, background
    )
    (gradient,) = torch.autograd.grad(change[:, 0].sum(), action)
    return gradient, painted.detach()


def sample_task(
    rng: np.random.Generator, sample: Sampler, count: int, size: int, radii: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Actions ``[B, A]`` and targets ``[B, 1, size, size]``."""
    glyphs = Glyphs(size)
    targets = np.stack([glyphs.sample(rng)[None] for _ in range(count)])
    action = pack(sample(rng, count, radii=radii), radii)
    return torch.from_numpy(action), torch.from_numpy(targets)


def gradient_cosines(
    generator: Program, brush: Program, sample: Sampler, count: int, size: int, seed: int
) -> dict[str, dict[str, float]]:
    """Cosine between the generator's gradient and the exact one.

    Returns:
        For "all" numbers of the stroke and for each field of :class:`Stroke` apart: ``mean``,
        ``median`` and ``p10`` (10th percentile) over the strokes, and their ``count``. Strokes
        whose exact gradient is 0 (they leave no ink) have no cosine and are left out. Where a
        field is one number (radius, a grey colour), the cosine is 1 or -1: whether the signs agree.
    """
    rng = np.random.default_rng(seed)
    values: dict[str, list[np.ndarray]] = {}
    for start in range(0, count, 100):
        action, target = sample_task(rng, sample, min(100, count - start), size, brush.radii)
        learned, true = (loss_gradient(g, action, target)[0] for g in (generator, brush))
        fields = zip(Stroke._fields, split(learned, 1), split(true, 1), strict=True)
        for name, *pair in (("all", learned, true), *fields):
            a, b = (g.reshape(len(action), -1).double() for g in pair)
            lengths = a.norm(dim=1) * b.norm(dim=1)
            seen = b.norm(dim=1) > 0
            cosine = (a * b).sum(1)[seen] / lengths[seen].clamp(min=1e-300)
            values.setdefault(name, []).append(cosine.numpy())
    result: dict[str, dict[str, float]] = {}
    for name, parts in values.items():
        cosines = np.concatenate(parts)
        result[name] = {"count": len(cosines)}
        if len(cosines) > 0:  # an eraser has no gradient by its colour
            result[name] |= {
                "mean": float(cosines.mean()),
                "median": float(np.median(cosines)),
                "p10": float(np.quantile(cosines, 0.1)),
            }
    return result


def draw_gradients(
    generator: Program, brush: Program, sample: Sampler, size: int, seed: int, path: Path
) -> None:
    """Write a picture of four strokes: which way each anchor is pulled, learned beside exact.

    The target is red, the stroke green; arrows point downhill, where the loss falls.
    """
    action, target = sample_task(np.random.default_rng(seed), sample, 40, size, brush.radii)
    radius = unpack(action, 1, brush.radii).radius
    inked = (radius > min(0.03, radius.median())).nonzero()[:4, 0]  # broad enough to see
    action, target = action[inked], target[inked]
    figure = Figure((13, 6.8), layout="constrained")
    rows = figure.subplots(2, 4)
    kinds = {"learned": generator, "exact": brush}
    for axes, (kind, painter) in zip(rows, kinds.items(), strict=True):
        gradient, painted = loss_gradient(painter, action, target)
        pull = -split(gradient, 1).position.numpy()
        position = unpack(action, 1).position.numpy()
        for k, axis in enumerate(axes):
            picture = np.stack([target[k, 0], painted[k, 0] * 0.7, np.zeros((size, size))], -1)
            axis.imshow(picture.clip(0, 1), extent=(-1, 1, -1, 1))
            scale = np.linalg.norm(pull[k], axis=1).max() * 3
            axis.quiver(
                *position[k].T, *pull[k].T, color="white", angles="xy", scale_units="xy",
                scale=scale, width=0.008,
            )  # fmt: skip
            axis.set(title=kind, xticks=[], yticks=[], xlim=(-1, 1), ylim=(-1, 1))
    write_figure(figure, path)
