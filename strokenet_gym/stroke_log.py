"""Episodes that are kept: a JSON document of strokes, which paints the same picture again."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from strokenet_gym.envs.arguments import canvas_sides, whole
from strokenet_gym.envs.arrays import array_of
from strokenet_gym.files import add_file, replace_file
from strokenet_gym.programs import Program, load_program
from strokenet_gym.programs.base import sides
from strokenet_gym.stroke import NUM_ANCHORS, Stroke

__all__ = ["RecordStrokes", "StrokeLog", "VectorRecordStrokes"]

_FORMAT = "strokenet-gym strokes"
_VERSION = 1
_RANGES = {"colour": (0, 1), "radius": (0, 10), "position": (-100, 100), "pressure": (0, 1)}


@dataclasses.dataclass
class StrokeLog:
    """The strokes of one episode, in physical units, and what they were painted on.

    Attributes:
        size: side of the canvas in pixels, or height and width.
        background: intensity of the empty canvas, for each of C channels.
        brush: the program that painted.
        target: name of the target's source.
        seed: seed of the environment's last seeded reset, None if there was none.
        episode: number of the episode since then.
        strokes: the strokes so far, each with float64 fields and no batch.
    """

    size: int | tuple[int, int]
    background: tuple[float, ...]
    brush: Program
    target: str = ""
    seed: int | None = None
    episode: int = 0
    strokes: list[Stroke] = dataclasses.field(default_factory=list)

    def sides(self, size: int | tuple[int, int] | None = None) -> tuple[int, int]:
        """Height and width of the picture in a size.

        Args:
            size: one number is the longer side, and the shape stays; or height and width; by
                default the episode's.
        """
        height, width = sides(self.size)
        if size is None:
            return height, width
        if isinstance(size, (int, np.integer)):
            scale = whole(size, "size", 1, 8192) / max(height, width)
            return max(1, round(height * scale)), max(1, round(width * scale))
        return canvas_sides(size, "size", 1, 8192)

    def blank(self, size: int | tuple[int, int] | None = None) -> np.ndarray:
        """The empty canvas, float32 ``[C, H, W]``, see :meth:`sides`."""
        colour = np.asarray(self.background, np.float32)
        return np.broadcast_to(colour[:, None, None], (len(colour), *self.sides(size))).copy()

    def replay(self, size: int | tuple[int, int] | None = None) -> np.ndarray:
        """Paint the picture again.

        Args:
            size: see :meth:`sides`; by default the episode's, and then the canvas is the same as in
                `Painting-v0`, bit for bit.

        Returns:
            float32 ``[C, H, W]`` in 0 … 1.
        """
        canvas = self.blank(size)
        for stroke in self.strokes:
            canvas = self.paint(canvas, stroke)
        return canvas

    def paint(self, canvas: np.ndarray, stroke: Stroke) -> np.ndarray:
        """A canvas float32 ``[C, H, W]`` with a stroke on it, as the log's program paints it."""
        batch = Stroke(*(np.asarray(field)[None] for field in stroke))
        painted = canvas[None].copy()
        self.brush.composite(painted, canvas[None], batch, np.asarray(self.background, np.float32))
        return painted[0]

    def save(self, path: str | os.PathLike) -> None:
        """Write the log as JSON; the file appears whole or not at all.

        Raises:
            OSError: if it cannot be written.
        """
        with replace_file(Path(path)) as new:
            self._write(new)

    def _write(self, file: Path) -> None:
        from strokenet_gym import __version__

        document = {
            "format": _FORMAT,
            "version": _VERSION,
            "package": __version__,
            "canvas": {"size": self.size, "background": list(self.background)},
            "brush": self.brush.to_json(),
            "target": self.target,
            "seed": self.seed,
            "episode": self.episode,
            "strokes": [
                {name: np.asarray(value).tolist() for name, value in stroke._asdict().items()}
                for stroke in self.strokes
            ],
        }
        file.write_text(json.dumps(document) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike, brush: str | Program | None = None) -> StrokeLog:
        """Read a log.

        Args:
            path: the file.
            brush: what to paint with instead of what the log says. Of a program that is not in
                :data:`strokenet_gym.BRUSHES` a log has only "module:name", which is not imported
                unless it is said here.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is no stroke log, of a later version, or damaged.
        """
        path = Path(path)
        try:
            document = json.loads(path.read_text())
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is not JSON: {error}") from error
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise ValueError(f"{path} is not a stroke log: its format is not {_FORMAT!r}")
        if document.get("version") != _VERSION:
            raise ValueError(
                f"{path} has version {document.get('version')!r} of the format; this package "
                f"reads version {_VERSION}, so it may need an update"
            )
        said = document.get("brush")
        if brush is None and isinstance(said, str) and ":" in said:  # nothing is imported for it
            raise ValueError(
                f"{path} was painted by the program {said!r}, which is not at hand: pass "
                f"brush={said!r}"
            )
        try:
            canvas = document["canvas"]
            size, background = canvas["size"], tuple(float(v) for v in canvas["background"])
            height, width = canvas_sides(size, "canvas size", 16, 4096)
            if len(background) not in (1, 3):
                raise ValueError(f"background must have 1 or 3 numbers, got {len(background)}")
            _check_range("background", np.array(background), 0, 1)
            return cls(
                size=height if height == width else (height, width),
                background=background,
                brush=load_program(document["brush"] if brush is None else brush),
                target=document["target"],
                seed=document["seed"],
                episode=document["episode"],
                strokes=[_stroke(entry, len(background)) for entry in document["strokes"]],
            )
        except KeyError as error:
            raise ValueError(f"{path} lacks the field {error}") from error
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error


def _stroke(entry: dict[str, Any], channels: int) -> Stroke:
    stroke = Stroke(*(np.asarray(entry[name], np.float64) for name in Stroke._fields))
    shapes = (channels,), (), (NUM_ANCHORS, 2), (NUM_ANCHORS,)
    for name, field, shape in zip(Stroke._fields, stroke, shapes, strict=True):
        if field.shape != shape:
            raise ValueError(f"a stroke's {name} must have the shape {shape}, got {field.shape}")
        _check_range(f"a stroke's {name}", field, *_RANGES[name])
    return stroke


def _check_range(name: str, values: np.ndarray, low: float, high: float) -> None:
    if not ((values >= low) & (values <= high)).all():  # nor NaN
        raise ValueError(f"{name} must be from {low:g} to {high:g}, got {values.tolist()}")


class _Recorder:
    """Keeps the actions of one sub-environment and writes a log when the episode is over."""

    def __init__(self, episodes: Any, folder: Path, name: str) -> None:
        self.episodes, self._folder, self._name = episodes, folder, name
        self._number = 0
        self._seed: int | None = None
        self._episode = -1
        self._actions: list[np.ndarray] | None = None  # None: there is no episode

    def begin(self, seed: int | None = None) -> None:
        self.write()
        self._seed, self._episode = (self._seed, self._episode + 1) if seed is None else (seed, 0)
        self._actions = []

    def add(self, action: Any) -> None:
        """Keep a checked action, array or tensor."""
        if self._actions is not None:
            self._actions.append(np.array(array_of(action, "an action")))

    @property
    def log(self) -> StrokeLog | None:
        if self._actions is None:
            return None
        height, width = self.episodes.sides
        return StrokeLog(
            size=height if height == width else (height, width),
            background=tuple(self.episodes.background.tolist()),
            brush=self.episodes.brush,
            target=self.episodes.source_name,
            seed=self._seed,
            episode=self._episode,
            strokes=[self.episodes.stroke_of(action) for action in self._actions],
        )

    def write(self) -> None:
        log = self.log
        if log is not None and log.strokes:
            with add_file(self._names()) as new:
                log._write(new)
        self._actions = None

    def _names(self) -> Iterator[Path]:
        """Names for the log, from the first that may be free."""
        while True:
            path = self._folder / f"{self._name}-{self._number:05}.json"
            self._number += 1
            if not path.exists():  # an earlier session's, or another process'
                yield path


class RecordStrokes(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """Writes each episode of a painting environment as a :class:`StrokeLog`.

    Files ``strokes-00000.json`` and so on, after those that are there already: several processes
    may record into one folder. An episode that is broken off by ``reset`` or ``close`` is kept
    too. Of a learned generator the strokes are kept: their replay is what the real program paints.
    Put this wrapper next to the environment, inside those that change actions.

    Args:
        env: `Painting-v0` or one of its kin.
        folder: where to write.

    Attributes:
        log: the episode under way, or None.
    """

    def __init__(self, env: gym.Env, folder: str | os.PathLike) -> None:
        gym.utils.RecordConstructorArgs.__init__(self, folder=os.fspath(folder))
        gym.Wrapper.__init__(self, env)
        self._recorder = _Recorder(_episodes_of(env), Path(folder), "strokes")

    @property
    def log(self) -> StrokeLog | None:
        """The strokes of the episode under way."""
        return self._recorder.log

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Start an episode, and write the one before if it was not finished."""
        result = self.env.reset(seed=seed, options=options)
        self._recorder.begin(None if seed is None else self.env.unwrapped.np_random_seed)
        return result

    def step(self, action: Any) -> Any:
        """Paint a stroke and keep it."""
        result = self.env.step(action)
        self._recorder.add(self._recorder.episodes.check(action, single=True)[0])
        if result[2] or result[3]:
            self._recorder.write()
        return result

    def close(self) -> None:
        """Write the episode under way."""
        self._recorder.write()
        super().close()


class VectorRecordStrokes(gym.vector.VectorWrapper):
    """:class:`RecordStrokes` for the batched environments: files ``strokes-ENV-EPISODE.json``.

    Args:
        env: what ``gym.make_vec`` gave.
        folder: where to write.
    """

    def __init__(self, env: gym.vector.VectorEnv, folder: str | os.PathLike) -> None:
        super().__init__(env)
        episodes = _episodes_of(env)
        self._recorders = [
            _Recorder(episodes, Path(folder), f"strokes-{i:03}") for i in range(env.num_envs)
        ]
        self._over = np.zeros(env.num_envs, bool)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        """Start episodes, and write those before that were not finished."""
        result = self.env.reset(seed=seed, options=options)
        mask = (options or {}).get("reset_mask")
        seeds: Any = self.env.unwrapped.np_random_seed
        for i in range(self.num_envs) if mask is None else np.flatnonzero(mask):
            seeded = seed is not None and (np.ndim(seed) == 0 or seed[i] is not None)
            self._recorders[i].begin(seeds[i] if seeded else None)
            self._over[i] = False
        return result

    def step(self, actions: Any) -> Any:
        """Paint strokes and keep them."""
        result = self.env.step(actions)
        checked = self._recorders[0].episodes.check(actions)
        ended = result[2]
        for i, recorder in enumerate(self._recorders):
            if self._over[i]:  # NEXT_STEP: this step only started the next episode
                recorder.begin()
                continue
            recorder.add(checked[i])
            if ended[i]:
                recorder.write()
                if self.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP:
                    recorder.begin()
        next_step = self.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
        self._over = ended.copy() if next_step else self._over
        return result

    def close(self, **kwargs: Any) -> None:
        """Write the episodes under way."""
        for recorder in self._recorders:
            recorder.write()
        super().close(**kwargs)


def _episodes_of(env: Any) -> Any:
    episodes = getattr(env.unwrapped, "_episodes", None)
    if episodes is None:
        raise ValueError(f"expected one of this package's environments, got {env.unwrapped}")
    return episodes
