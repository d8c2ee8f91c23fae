"""Inputs that nobody means: nothing but the promised errors, no hang, no great memory.

Every input follows from the seed, its kind and its number, so that one that fails can be had again:
`make fuzz`, or `python tests/benchmarks/fuzz.py --kinds logs --first 1234 --inputs 1`.
"""

from __future__ import annotations

import dataclasses
import faulthandler
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import tifffile
import torch
import tyro
from gymnasium.error import DependencyNotInstalled, ResetNeeded
from PIL import Image, ImageCms
from safetensors import safe_open
from safetensors.torch import save

from strokenet_gym import (
    BRUSHES,
    Planner,
    StrokeLog,
    Style,
    best_colours,
    export,
    load_agent,
    load_generator,
    load_program,
    paint_sequence_vjp,
    removal_costs,
)
from strokenet_gym import paint_sequence as paint_many
from strokenet_gym.agents import AGENTS
from strokenet_gym.checks import array_of
from strokenet_gym.programs.learned import GENERATORS
from strokenet_gym.programs.three_body import uniform_strokes
from strokenet_gym.stroke import Stroke
from strokenet_gym.targets import DATA_SETS, make_targets

PROMISED = ValueError, TypeError, FileNotFoundError, ResetNeeded, DependencyNotInstalled
SLOW = 3.0  # seconds of the processor: others may be at work; what waits for ever ends it all
GREAT = 4096.0  # MB
LEAST = 100_000  # inputs that are to be tried in the time
STRANGE: list[Any] = [
    None, True, False, 0, -1, 1, 2, 3.5, 1e-320, 1e300, -1e300, 10**400, float("nan"),
    float("inf"), "", "x" * 5000, "a\0b", "pencil", "1", b"x", [], {}, (), [[]], [1, "a"], {"a": 1},
    1j, np.nan, np.float16(0.3), np.int8(5), np.zeros(0), np.zeros((2, 0)), np.array("x"),
    np.array(None), np.full(50, np.inf), np.arange(50), torch.zeros(50), torch.zeros(0),
    torch.zeros(50, dtype=torch.bool), torch.zeros(50, dtype=torch.float16), object(), print,
    "..:x", torch.zeros(50, device="meta"), torch.zeros(50).to_sparse(), [[1.0], [1.0, 2.0]],
    torch.zeros(50, requires_grad=True), [torch.zeros(2, requires_grad=True)], {0: 1, 1: 2}, {1, 2},
    torch.zeros(50, dtype=torch.bfloat16), torch.zeros(50, dtype=torch.complex64).conj(),
]  # fmt: skip
SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 109 109"><g>
<path d="M10,10L99,10"/><path d="M54.5,20c5,20,5,40,0,60"/></g></svg>"""


@dataclasses.dataclass
class Args:
    """Try inputs of each kind in turn."""

    inputs: int = 100_000
    """How many, of all kinds together."""
    minutes: float = 40.0
    """For how long at most."""
    seed: int = 0
    """Of the first input."""
    first: int = 0
    """Number of the first input of each kind."""
    kinds: tuple[str, ...] = ()
    """Which; all by default."""


class TooLongError(BaseException):
    """Of an input, which no code of ours may catch."""


def strange(rng: np.random.Generator) -> Any:
    return STRANGE[rng.integers(len(STRANGE))]


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Flip, cut, repeat or overwrite a few bytes."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        if not changed:
            break
        at = int(rng.integers(len(changed)))
        span = int(min(rng.integers(1, 64), len(changed) - at))
        match rng.integers(6):
            case 0:
                changed[at] ^= 1 << int(rng.integers(8))
            case 1:
                changed[at] = int(rng.integers(256))
            case 2:
                del changed[at:]
            case 3:
                del changed[at : at + span]
            case 4:
                changed[at:at] = changed[at : at + span] * int(rng.integers(1, 9))
            case 5:
                changed[at : at + span] = rng.bytes(span)
    return bytes(changed)


def mutate_json(value: Any, rng: np.random.Generator) -> Any:
    """Replace one of the values somewhere within."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.8:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = keys[rng.integers(len(keys))]
        copy = value.copy()
        if rng.random() < 0.05:
            del copy[key]
        else:
            copy[key] = mutate_json(value[key], rng)
        return copy
    return [
        None, True, 0, -1, 0.5, 1e300, 10**400, "", "x" * 100, [], {}, [[1]], 100, -100, 1e-9,
        float("nan"),
    ][rng.integers(16)]  # fmt: skip


def misshapen(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The array in another shape, type, order of bytes or memory layout; or as it is."""
    array = array_of(array, "an array")
    match rng.integers(9):
        case 0:
            return array[..., : int(rng.integers(array.shape[-1] + 1))] if array.ndim else array
        case 1:
            return np.concatenate([array] * int(rng.integers(1, 4))) if array.ndim else array
        case 2:
            return array[None]
        case 3:
            return np.asfortranarray(array)
        case 4:
            return array[::-1] if array.ndim else array
        case 5:
            types: list[Any] = [np.float16, ">f4", np.int8, np.uint8, object, str]
            return array.astype(types[rng.integers(len(types))])
        case 6:
            return array * [np.nan, np.inf, 1e38, -1][rng.integers(4)]
        case 7:
            array = array.copy()
            array.setflags(write=False)
            return array
        case _:
            return array.swapaxes(0, -1) if array.ndim else array


def deep_pictures(picture: np.ndarray, folder: Path) -> dict[str, bytes]:
    """A picture in other kinds of files, by name: of 16 bits, floats, negatives, with profiles."""
    deep, kinds = picture.astype(np.uint16) * 257, {}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, mode, options in (
        ("profile.png", "RGB", {"icc_profile": profile}), ("grey.png", "L", {"transparency": 7}),
        ("profile.jpg", "RGB", {"icc_profile": profile, "exif": exif}), ("inks.jpg", "CMYK", {}),
        ("profile.webp", "RGB", {"icc_profile": profile, "exif": exif}),
        ("palette.png", "P", {"transparency": 3}),
    ):  # fmt: skip
        Image.fromarray(picture).convert(mode).save(folder / name, **options)
        kinds[name] = (folder / name).read_bytes()
    for name, values, options in (
        ("deep.tif", deep, {"photometric": "rgb"}),
        ("planes.tif", deep.transpose(2, 0, 1), {"photometric": "rgb", "planarconfig": "separate"}),
        ("tiles.tif", deep, {"photometric": "rgb", "tile": (16, 16), "bigtiff": True}),
        ("negative.tif", deep[:, :, 0], {"photometric": "miniswhite"}),
        ("floats.tif", (deep / 65535).astype(np.float32), {"photometric": "rgb"}),
        ("zipped.tif", deep[:, :, 0] / 65535, {"compression": "zlib", "photometric": "miniswhite"}),
    ):
        tifffile.imwrite(folder / name, values, **options)
        kinds[name] = (folder / name).read_bytes()
    kinds["deep.png"] = cv2.imencode(".png", deep)[1].tobytes()
    return kinds


class Inputs:
    """Inputs of each kind; files in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rng = np.random.default_rng(0)
        strokes = uniform_strokes(rng, 3, 1)
        log = StrokeLog(32, (0.0,), BRUSHES["pencil"])
        log.strokes = [Stroke(*(np.float64(field[k]) for field in strokes)) for k in range(3)]
        log.save(folder / "log.json")
        self.log = json.loads((folder / "log.json").read_text())
        self.weights = {}
        for name, file in (GENERATORS["compact"], load_generator), (AGENTS["mnist"], load_agent):
            with safe_open(name, "pt") as content:
                tensors = {key: content.get_tensor(key) for key in content.keys()}  # noqa: SIM118
                self.weights[file] = tensors, dict(content.metadata()), name.read_bytes()
        picture = cv2.GaussianBlur(rng.integers(0, 256, (48, 40, 3), np.uint8), (9, 9), 3)
        self.pictures = {
            suffix: cv2.imencode(suffix, picture)[1].tobytes()
            for suffix in (".png", ".jpg", ".bmp", ".tiff", ".webp", ".ppm")
            if cv2.haveImageWriter(suffix)
        }
        self.pictures |= deep_pictures(picture, folder)
        self.data = {name: self._data_set(name, rng) for name in DATA_SETS}

    def _data_set(self, name: str, rng: np.random.Generator) -> tuple[Path, bytes]:
        """The file of a small data set, in its place, and its content."""
        folder = self.folder / name / name
        folder.mkdir(parents=True)
        if name == "mnist":
            for split, count in (("train", 20), ("t10k", 5)):
                images = np.array([0x803, count, 28, 28], ">u4").tobytes() + rng.bytes(784 * count)
                (folder / f"{split}-images-idx3-ubyte").write_bytes(images)
                labels = np.array([0x801, count], ">u4").tobytes() + bytes(range(count))
                labels = labels[:8] + bytes(k % 10 for k in range(count))
                (folder / f"{split}-labels-idx1-ubyte").write_bytes(labels)
            path = folder / "train-images-idx3-ubyte"
            return path, path.read_bytes()
        if name == "quickdraw":
            drawing = [[[-500, 1500], [100, 100]], [[500], [1700]]]
            lines = [
                {"word": "cat", "recognized": True, "key_id": str(k), "drawing": drawing}
                for k in range(30)
            ]
            path = folder / "cat.ndjson"
            path.write_text("\n".join(map(json.dumps, lines)))
            return path, path.read_bytes()
        path = folder / {"kanjivg": "kanjivg-main.zip"}.get(name, "images_background_small1.zip")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for k in range(12):
                if name == "kanjivg":
                    archive.writestr(f"kanji/{0x4E00 + k:05x}.svg", SVG)
                else:
                    png = cv2.imencode(".png", np.full((105, 105), 255, np.uint8))[1].tobytes()
                    archive.writestr(f"images_background/Greek/character01/{k:04}_01.png", png)
        return path, path.read_bytes()

    def environments(self, rng: np.random.Generator) -> None:
        """Arguments, options, seeds, actions and canvases."""
        arguments: dict[str, Any] = {"canvas_size": 16, "max_strokes": 2}
        names = [
            "targets", "canvas_size", "channels", "max_strokes", "brush", "background", "reward",
            "device", "as_tensor", "autoreset_mode", "copy", "shown", "generator",
        ]  # fmt: skip
        kind = ["Painting-v0", "DifferentiablePainting-v0", "NeuralPainting-v0"][rng.integers(3)]
        batched = rng.random() < 0.5
        if rng.random() < 0.4:
            name = names[rng.integers(len(names))]
            arguments[name] = strange(rng)
            if name in ("canvas_size", "channels", "num_envs") and rng.random() < 0.5:
                arguments[name] = (int(rng.integers(0, 40)), int(rng.integers(0, 40)))
        if rng.random() < 0.1:
            arguments["max_episode_steps"] = [1, 2, -1, 0, 1.5, 10**400][rng.integers(6)]
        env = gym.make_vec(kind, 2, **arguments) if batched else gym.make(kind, **arguments)
        options = {["target", "as_tensor", "reset_mask", "x"][rng.integers(4)]: strange(rng)}
        for call in (
            lambda: env.reset(
                seed=strange(rng) if rng.random() < 0.5 else 0,
                options=options if rng.random() < 0.5 else strange(rng),
            ),
            env.reset,
        ):
            try:
                call()
            except PROMISED:
                continue
        shape = env.action_space.shape
        for _ in range(3):
            action = rng.normal(0, 10.0 ** rng.integers(-3, 4), shape).astype(np.float32)
            if rng.random() < 0.3:
                action.flat[rng.integers(action.size)] = [np.nan, np.inf, 1e38][rng.integers(3)]
            given = torch.from_numpy(action) if rng.random() < 0.3 else action
            try:
                _, reward, *_ = env.step(strange(rng) if rng.random() < 0.2 else given)
                assert np.isfinite(array_of(reward, "a reward")).all(), f"a reward of {reward}"
                env.unwrapped.paint(strange(rng), given)
            except PROMISED:
                continue
        env.close()

    def logs(self, rng: np.random.Generator) -> None:
        """Text, values and extreme strokes of stroke logs."""
        path, document = self.folder / "mutated.json", self.log
        for _ in range(rng.integers(0, 4)):
            document = mutate_json(document, rng)
        if rng.random() < 0.3 and isinstance(document, dict):
            places = [-100, 100, -1, 1, 0, 0.5]
            stroke = {
                "colour": [1.0], "radius": float(rng.choice([0, 1e-6, 0.002, 0.125, 1, 10])),
                "position": rng.choice(places, (16, 2)).tolist(),
                "pressure": rng.choice([0.0, 1e-9, 0.5, 1.0], 16).tolist(),
            }  # fmt: skip
            brush = {"density": float(rng.choice([0.1, 8, 100])), "edge": 0.05}
            document = {**document, "strokes": [stroke], "brush": brush}
        text = json.dumps(document).encode()
        path.write_bytes(mutate(text, rng) if rng.random() < 0.4 else text)
        log = StrokeLog.load(path)
        canvas = log.replay(int(rng.choice([1, 7, 64, 128])))
        assert np.isfinite(canvas).all(), "a canvas that is not finite"
        assert canvas.min() >= 0, "a canvas below 0"
        assert canvas.max() <= 1, "a canvas above 1"

    def sequences(self, rng: np.random.Generator) -> None:
        """Canvases and actions of sequences."""
        canvas: Any = rng.random((1, 1, 20, 24)).astype(np.float32)
        actions: Any = rng.normal(0, 2, (1, int(rng.integers(0, 4)), 50))
        if rng.random() < 0.5:
            canvas = strange(rng)
        else:
            actions = strange(rng) if rng.random() < 0.5 else actions
        brush = list(BRUSHES)[rng.integers(len(BRUSHES))] if rng.random() < 0.7 else strange(rng)
        paint_many(canvas, actions, brush, 0.0 if rng.random() < 0.7 else strange(rng))

    def gradients(self, rng: np.random.Generator) -> None:
        """What goes back through a sequence, and the closed forms."""
        canvas: Any = rng.random((1, 1, 20, 24)).astype(np.float32)
        actions: Any = rng.normal(0, 1, (1, int(rng.integers(0, 4)), 50))
        brush = list(BRUSHES)[rng.integers(len(BRUSHES))]
        if rng.random() < 0.5:
            _, back = paint_sequence_vjp(canvas, actions, brush)
            grad = misshapen(canvas, rng) if rng.random() < 0.7 else strange(rng)
            grads = back(grad) if rng.random() < 0.5 else back(grad, canvas=strange(rng))
            if np.isfinite(array_of(grad, "a gradient")).all() and np.abs(grad).max() < 1e30:
                assert np.isfinite(grads[1]).all(), "a gradient that is not finite"
            return
        ask = (best_colours, removal_costs)[rng.integers(2)]
        given = [canvas[0], rng.random(canvas[0].shape), actions[0]]
        which = rng.integers(3)
        given[which] = misshapen(given[which], rng) if rng.random() < 0.6 else strange(rng)
        ask(*given, brush)

    def programs(self, rng: np.random.Generator) -> None:
        """Strokes and canvases of other shapes and types, for a program itself."""
        program = load_program(list(BRUSHES)[rng.integers(len(BRUSHES))])
        count, size = int(rng.integers(1, 4)), int(rng.integers(1, 40))
        stroke = uniform_strokes(rng, count, 1)
        canvas: Any = rng.random((count, 1, size, size)).astype(np.float32)
        for _ in range(rng.integers(0, 3)):
            name = stroke._fields[rng.integers(4)]
            field = getattr(stroke, name)
            other = misshapen(field, rng) if rng.random() < 0.7 else strange(rng)
            stroke = stroke._replace(**{name: other})
        if rng.random() < 0.3:
            canvas = misshapen(canvas, rng) if rng.random() < 0.7 else strange(rng)
        match rng.integers(4):
            case 0:
                drawn = program.draw(stroke, size if rng.random() < 0.7 else strange(rng))
                assert np.isfinite(drawn).all(), "an opacity that is not finite"
            case 1:
                painted = program.paint(canvas, stroke, 0.0 if rng.random() < 0.8 else strange(rng))
                assert np.isfinite(painted).all(), "a canvas that is not finite"
            case 2:
                blank = torch.zeros(count, 1, size, size)
                kept = canvas if isinstance(canvas, torch.Tensor) else blank
                fields = (
                    torch.from_numpy(field.copy())
                    if isinstance(field, np.ndarray) and field.dtype in (np.float32, np.float64)
                    else field
                    for field in stroke
                )
                program.paint_tensors(kept, kept, Stroke(*fields), 0.0)
            case 3:
                program.paint_sequence(canvas, stroke, 0.0)

    def plans(self, rng: np.random.Generator) -> None:
        """Arguments of the planner, of styles and of exports."""
        picture: Any = rng.random((12, 16, 3)).astype(np.float32)
        names = [
            "strokes", "style", "size", "seed", "background", "palette", "weight", "seconds",
            "canvas",
        ]  # fmt: skip
        given: dict[str, Any] = {"strokes": 2, "size": 32}
        if rng.random() < 0.4:
            given[names[rng.integers(len(names))]] = strange(rng)
        if rng.random() < 0.1:
            fields = [field.name for field in dataclasses.fields(Style)][1:]
            given["style"] = Style(
                BRUSHES["marker"], **{fields[rng.integers(len(fields))]: strange(rng)}
            )
        planner = Planner(picture if rng.random() < 0.9 else strange(rng), **given)
        planner.step()
        log, path = planner.log(), self.folder / "exported"
        suffix = (".png", ".svg", ".csv", ".json", ".gif")[rng.integers(5)]
        options: dict[str, Any] = {}
        if rng.random() < 0.5:
            name = ("seconds", "fps", "detail", "lines", "pen_mm", "paper_mm")[rng.integers(6)]
            options[name] = strange(rng)
        export(log, path.with_suffix(suffix), 16 if rng.random() < 0.8 else strange(rng), **options)

    def brushes_of_mypaint(self, rng: np.random.Generator) -> None:
        """Settings of .myb files."""
        settings = {
            name: {"base_value": rng.uniform(low, high), "inputs": {}}
            for name, low, high in (
                ("opaque", 0, 2), ("radius_logarithmic", -2, 6), ("dabs_per_basic_radius", 0, 6),
                ("dabs_per_actual_radius", 0, 6), ("dabs_per_second", 0, 200), ("hardness", 0, 1),
                ("smudge", 0, 1), ("tracking_noise", 0, 12), ("offset_by_random", 0, 25),
                ("elliptical_dab_ratio", 1, 10),
            )
            if rng.random() < 0.5
        }  # fmt: skip
        document: Any = {"version": 3, "settings": settings}
        if rng.random() < 0.3:
            document = mutate_json(document, rng)
        path = self.folder / "mutated.myb"
        text = json.dumps(document).encode()
        path.write_bytes(mutate(text, rng) if rng.random() < 0.3 else text)
        program = load_program(path)
        drawn = program.draw(uniform_strokes(rng, 1), 32)
        assert np.isfinite(drawn).all(), "an opacity that is not finite"

    def names(self, rng: np.random.Generator) -> None:
        """Names that logs and weights say: no module is imported, and no path is read for them."""
        choices = [
            "os:path", "antigravity:x", str(self.folder / "trap"), "mypaint:../x", "../pencil",
            "~", "/dev/zero", "mypaint:/etc/passwd", "x.json", "x.myb",
        ]  # fmt: skip
        said = choices[rng.integers(len(choices))]
        if rng.random() < 0.5:
            path = self.folder / "named.json"
            path.write_text(json.dumps({**self.log, "brush": said}))
            StrokeLog.load(path)
        else:
            load = (load_generator, load_agent)[rng.integers(2)]
            tensors, metadata, _ = self.weights[load]
            path = self.folder / "named.safetensors"
            key = "brush" if load is load_generator else "task"
            value = said if load is load_generator else {"brush": said, "targets": said}
            path.write_bytes(save(tensors, metadata | {key: json.dumps(value)}))
            load(path)

    def weights_files(self, rng: np.random.Generator) -> None:
        """Bytes and sizes of files of weights."""
        load = (load_generator, load_agent)[rng.integers(2)]
        tensors, metadata, content = self.weights[load]
        path = self.folder / "mutated.safetensors"
        if rng.random() < 0.5:
            head = content[:2000]
            path.write_bytes(mutate(head, rng) + content[2000:])
        else:
            key = list(metadata)[rng.integers(len(metadata))]
            value = ["0", "-1", "999", "9" * 40, "", "x", "{}", "[" * 9999, "1e9", "64"]
            path.write_bytes(save(tensors, metadata | {key: value[rng.integers(len(value))]}))
        load(path)

    def brushes(self, rng: np.random.Generator) -> None:
        """Files and numbers of brushes."""
        path = self.folder / "brush.json"
        path.write_bytes(mutate(json.dumps(BRUSHES["pencil"].to_json()).encode(), rng))
        load_program(path if rng.random() < 0.5 else strange(rng))

    def data_sets(self, rng: np.random.Generator) -> None:
        """Bytes of the published formats."""
        name = list(self.data)[rng.integers(len(self.data))]
        path, content = self.data[name]
        path.write_bytes(mutate(content, rng))
        shutil.rmtree(self.folder / "cache", ignore_errors=True)
        make_targets(name, 32, path.parent.parent).sample(rng)

    def images(self, rng: np.random.Generator) -> None:
        """Bytes of pictures, and arrays."""
        suffix = list(self.pictures)[rng.integers(len(self.pictures))]
        path = self.folder / f"picture{Path(suffix).suffix}"
        path.write_bytes(mutate(self.pictures[suffix], rng))
        targets = make_targets(path if rng.random() < 0.8 else strange(rng), 32)
        gym.make("Painting-v0", canvas_size=32, targets=targets).reset(seed=0)


KINDS = [
    "environments", "logs", "sequences", "weights_files", "brushes", "data_sets", "images",
    "gradients", "programs", "plans", "brushes_of_mypaint", "names",
]  # fmt: skip


def memory() -> float:
    """Most memory that the process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def attempt(work: Callable[[np.random.Generator], None], rng: np.random.Generator) -> str:
    """Try an input; return what is wrong, "" if nothing is."""
    before, start = memory(), time.process_time()
    faulthandler.dump_traceback_later(120, exit=True)
    try:
        signal.setitimer(signal.ITIMER_PROF, SLOW)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            work(rng)
    except PROMISED:
        pass
    except TooLongError:
        return f"more than {SLOW:g} s"
    except Exception:
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
    if time.process_time() - start > SLOW:
        return f"{time.process_time() - start:.0f} s"
    if memory() - before > GREAT:
        return f"{memory() - before:.0f} MB"
    return ""


def compile_all() -> None:
    """Compile the kernels, before anybody looks at the clock."""
    for kind in ("float32", "float64"):
        canvas = torch.zeros(1, 1, 16, 16)
        actions = torch.zeros(1, 2, 50, dtype=getattr(torch, kind), requires_grad=True)
        paint_many(canvas, actions).sum().backward()
        env = gym.make("DifferentiablePainting-v0", canvas_size=16)
        env.reset(seed=0)
        env.step(actions[0, 0])[1].backward()
    gym.make("NeuralPainting-v0", canvas_size=16).reset(seed=0)


def main(args: Args) -> None:
    def too_long(*_: object) -> None:
        raise TooLongError

    signal.signal(signal.SIGPROF, too_long)
    warnings.simplefilter("ignore")
    kinds, wrong = args.kinds or KINDS, 0
    with tempfile.TemporaryDirectory(prefix="strokenet-fuzz-") as folder:
        os.environ["STROKENET_CACHE"] = str(Path(folder) / "cache")
        inputs = Inputs(Path(folder))
        compile_all()
        slowest, counts, base = dict.fromkeys(kinds, 0.0), dict.fromkeys(kinds, 0), memory()
        number, end = args.first, time.time() + 60 * args.minutes
        while sum(counts.values()) < args.inputs and time.time() < end:
            for kind in kinds:
                rng = np.random.default_rng([args.seed, KINDS.index(kind), number])
                start = time.process_time()
                what = attempt(getattr(inputs, kind), rng)
                slowest[kind] = max(slowest[kind], time.process_time() - start)
                counts[kind] += 1
                if what:
                    wrong += 1
                    print(
                        f"{kind} {number} (seed {args.seed}): {what}", file=sys.stderr, flush=True
                    )
            number += 1
        for kind in kinds:
            print(f"{kind:14} {counts[kind]:7,} inputs, the slowest {slowest[kind]:.2f} s")
        total, grown = sum(counts.values()), memory() - base
    print(f"{total:,} inputs, {wrong} of them wrong; memory grew by {grown:.0f} MB at most")
    if wrong or grown > GREAT:
        raise SystemExit("see above")
    if total < min(args.inputs, LEAST):
        raise SystemExit(f"too few in {args.minutes:g} minutes: expected {LEAST:,}")


if __name__ == "__main__":
    main(tyro.cli(Args))
