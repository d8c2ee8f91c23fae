"""How well a generator imitates the painting program: errors, gradients, speed, and pictures."""

from __future__ import annotations

import dataclasses
import timeit
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from strokenet_gym import load_program
from strokenet_gym.programs import Program
from strokenet_gym.programs.base import MYPAINT
from strokenet_gym.programs.learned import (
    CompactGenerator,
    LearnedGenerator,
    PaperGenerator,
    load_generator,
)
from strokenet_gym.programs.learned.paper import gaussian_dots
from strokenet_gym.programs.mypaint import MyPaintBrush
from strokenet_gym.programs.three_body import three_body_strokes
from strokenet_gym.stroke import Stroke

from .gradients import draw_gradients, gradient_cosines
from .measures import picture_grid, psnr, write_figure
from .stroke_samples import SAMPLERS, join
from .task import check_positive, check_seed

__all__ = ["GeneratorArgs", "evaluate_generator"]

_APART = 5  # seeds: neighbours share part of their grain


@dataclasses.dataclass
class GeneratorArgs:
    """Score a generator against the painting program on strokes that it has not seen."""

    generator: str = "compact"
    """Name of a shipped generator, or path of its weights."""
    brush: str | None = None
    """The program that it imitates, if it is not one of ours: mypaint:NAME or module:name; by
    default the generator's name, if that is the brush's."""
    count: int = 2000
    """Strokes per kind."""
    canvas_size: int = 128
    """Width and height in pixels."""
    sizes: tuple[int, ...] = (64, 128, 256, 512)
    """Canvas sizes to compare on a tenth of the three-body strokes."""
    seed: int = 10**6
    """Seed of the strokes; training uses small ones."""
    out: Path | None = None
    """Write the result as JSON."""
    figures: Path | None = None
    """Folder for pictures: the gradients at the anchors, the worst strokes, what the network sees
    (compact) or its dots (paper)."""


def evaluate_generator(args: GeneratorArgs) -> dict[str, Any]:
    check_positive(args, "count", "canvas_size")
    check_seed(args)
    generator = load_generator(args.generator)
    named = args.generator if args.generator.startswith(MYPAINT) else None
    if said := args.brush or named:
        known, generator.imitates = generator.imitates, load_program(said)
        if known is not None and known.name != generator.imitates.name:
            raise ValueError(f"{args.generator} imitates {known.name}, got {said}")
    brush = generator.imitates
    if brush is None:
        raise ValueError(f"give --brush, what {args.generator} imitates")
    exact = brush.gradient == "exact"  # else there is nothing to compare gradients with
    result: dict[str, Any] = {
        "parameters": sum(p.numel() for p in generator.parameters()),
        "strokes_per_second": strokes_per_second(generator, args.canvas_size),
    }
    if isinstance(generator, PaperGenerator):
        torch.manual_seed(args.seed)
        result["dots_error"] = dots_error(generator)
        result["dots_error_untrained"] = dots_error(PaperGenerator(**generator.sizes))
    result["ink_error_by_size"] = {}
    for size in args.sizes:
        tenth = -(-args.count // 10)
        errors, _ = stroke_errors(generator, brush, "three_body", tenth, size, args.seed)
        result["ink_error_by_size"][str(size)] = errors["error"].sum() / errors["ink"].sum()
        if "noise" in errors:
            noise = errors["noise"].sum() / errors["ink"].sum()
            result.setdefault("noise_by_size", {})[str(size)] = noise
    for kind, sample in SAMPLERS.items():
        errors, strokes = stroke_errors(
            generator, brush, kind, args.count, args.canvas_size, args.seed
        )
        each = errors["error"][errors["ink"] > 1] / errors["ink"][errors["ink"] > 1]
        result[kind] = {
            "ink_error": errors["error"].sum() / errors["ink"].sum(),
            "psnr": psnr(errors["error"] / args.canvas_size**2),
            "ink_error_worst_percent": float(np.quantile(each, 0.99)),
            "share_above_0.2": float((each > 0.2).mean()),
            "count": args.count,
        }
        if exact:
            result[kind]["gradient_cosine"] = gradient_cosines(
                generator, brush, sample, args.count, args.canvas_size, args.seed
            )
        if args.figures is not None:
            worst = np.argsort(errors["error"])[-16:][::-1]
            stroke = Stroke(*(field[worst] for field in strokes))
            file = args.figures / f"worst_{kind}.png"
            draw_worst(generator, brush, stroke, args.canvas_size, file)
    if args.figures is not None:
        size, seed = args.canvas_size, args.seed
        gradients = args.figures / "gradients.png"
        if exact:
            draw_gradients(generator, brush, three_body_strokes, size, seed, gradients)
        if isinstance(generator, PaperGenerator):
            draw_dots(generator, args.figures / "dots.png")
        if isinstance(generator, CompactGenerator):
            draw_features(generator, brush, size, args.figures / "features.png")
    return result


def tensors(stroke: Stroke) -> Stroke:
    return Stroke(*(torch.from_numpy(np.asarray(field, np.float32)) for field in stroke))


def stroke_errors(
    generator: LearnedGenerator, brush: Program, kind: str, count: int, size: int, seed: int
) -> tuple[dict[str, np.ndarray], Stroke]:
    """Each stroke's summed squared ``error`` and summed squared ``ink``, ``[count]``; the strokes.

    Of a brush whose grain has a seed also half the squared difference of two seeds, ``noise``: no
    prediction of the mean has a smaller error.
    """
    rng, other = np.random.default_rng(seed), None
    if isinstance(brush, MyPaintBrush):
        other = MyPaintBrush(brush.source, brush.seed + _APART)
    strokes, parts = [], dict[str, list[np.ndarray]](error=[], ink=[])
    for start in tqdm(range(0, count, 50), desc=f"{kind}, {size} px", leave=False):
        stroke = SAMPLERS[kind](rng, min(50, count - start), radii=brush.radii)
        strokes.append(stroke)
        truth = brush.draw(stroke, size)
        with torch.no_grad():
            prediction = generator(tensors(stroke), size).numpy()
        parts["error"].append(((prediction - truth) ** 2).sum((1, 2), float))
        parts["ink"].append((truth**2).sum((1, 2), float))
        if other is not None:
            difference = other.draw(stroke, size) - truth
            parts.setdefault("noise", []).append((difference**2).sum((1, 2), float) / 2)
    return {name: np.concatenate(part) for name, part in parts.items()}, join(strokes)


def strokes_per_second(generator: LearnedGenerator, size: int) -> dict[str, float]:
    """Three-body strokes a second in batches of 64, best of three rounds."""
    stroke = tensors(three_body_strokes(np.random.default_rng(0), 64))
    stroke = Stroke(*(field.requires_grad_() for field in stroke))

    def forward() -> None:
        with torch.no_grad():
            generator(stroke, size)

    def forward_and_backward() -> None:
        generator(stroke, size).sum().backward()

    return {
        work.__name__: 64 / min(timeit.repeat(work, number=1, repeat=4)[1:])  # the first warms up
        for work in (forward, forward_and_backward)
    }


@torch.no_grad()
def dots_error(generator: PaperGenerator) -> float:
    """Squared error of the position encoder over the squared ink of the dots."""
    position = torch.rand(2000, 2) * 2 - 1
    truth = gaussian_dots(position)
    return float((generator.dots(position) - truth).square().sum() / truth.square().sum())


@torch.no_grad()
def draw_worst(
    generator: LearnedGenerator, brush: Program, stroke: Stroke, size: int, path: Path
) -> None:
    """The strokes with the largest error: program above network."""
    rows = brush.draw(stroke, size), generator(tensors(stroke), size).numpy()
    picture_grid([np.rint(row * 255).astype(np.uint8)[:, None] for row in rows], path)


@torch.no_grad()
def draw_dots(generator: PaperGenerator, path: Path) -> None:
    """Dots of the position encoder: Gaussian above network."""
    position = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (16, 2))).float()
    rows = gaussian_dots(position), generator.dots(position)
    picture_grid([(row.clamp(0, 1) * 255).round().byte().numpy()[:, None] for row in rows], path)


@torch.no_grad()
def draw_features(generator: CompactGenerator, brush: Program, size: int, path: Path) -> None:
    """What the pixel network sees of three strokes, what it predicts, and the truth."""
    seen: list[torch.Tensor] = []
    hook = generator.pixel.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    stroke = three_body_strokes(np.random.default_rng(5), 60)
    chosen = np.flatnonzero(stroke.radius > 0.04)[:3]
    figure = Figure((13, 6.8), layout="constrained")
    lines = figure.subplots(3, generator.sizes["blobs"] + 2)
    for axes, k in zip(lines, chosen, strict=True):
        one = Stroke(*(field[k : k + 1] for field in stroke))
        prediction = generator(tensors(one), size)[0]
        features, truth = seen.pop()[0], brush.draw(one, size)[0]
        pictures = {f"blobs {j}": feature for j, feature in enumerate(features, 1)}
        pictures |= {"network": prediction, "program": truth}
        for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
            axis.imshow(np.asarray(picture), cmap="gray")
            axis.set(xticks=[], yticks=[], title=title if k == chosen[0] else "")
    hook.remove()
    write_figure(figure, path)
