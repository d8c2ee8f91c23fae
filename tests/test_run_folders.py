"""Folders of runs that are damaged, or finished, and started again; trainings that cannot be."""

import importlib
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from baselines.compare_painters import Args as PaintersArgs
from baselines.compare_painters import paint_all
from baselines.harness.own_files import read_arrays, read_own
from baselines.harness.run import Run, read_curve
from baselines.harness.scoreboard import REFERENCE, SETTINGS, collect
from baselines.harness.scoring import SAMPLES, SCORES
from baselines.harness.stroke_files import StrokeFiles, write_strokes
from baselines.harness.task import RunArgs

REMEDY = r"Delete it to have it made again, or its folder to begin anew"


def start(folder, width=3):
    """A run that learns nothing, and records one point at its end, as the scripts do."""
    model = torch.nn.Linear(width, 1)
    optimizer = torch.optim.Adam(model.parameters())
    run = Run(RunArgs(out=folder, minutes=1e-4), model, optimizer)
    for _ in run:
        optimizer.zero_grad()
        model(torch.ones(width)).sum().backward()
        optimizer.step()
    run.record(residual_exact=0.5, strokes=run.step)
    return run


@pytest.fixture(autouse=True)
def _no_lock(monkeypatch):
    """Runs of one process, which all hold their folder to its end."""
    monkeypatch.setattr("baselines.harness.run.lock", lambda folder, wait: None)


@pytest.fixture
def folder(tmp_path):
    start(tmp_path / "run")
    return tmp_path / "run"


def test_a_finished_run_started_again_adds_no_line(folder):
    curve = (folder / "curve.jsonl").read_text()
    assert curve.count("\n") == 1
    for _ in range(3):
        again = start(folder)
        assert (folder / "curve.jsonl").read_text() == curve
    assert again.step == read_curve(folder)[-1]["step"]


def test_a_run_that_goes_on_adds_its_points(folder):
    model = torch.nn.Linear(3, 1)
    run = Run(RunArgs(out=folder, minutes=2e-3), model, torch.optim.Adam(model.parameters()))
    for _ in run:
        pass
    run.record(residual_exact=0.4, strokes=run.step)
    steps = [point["step"] for point in read_curve(folder)]
    assert len(steps) == 2
    assert steps[0] < steps[1]


def rewritten(file, change):
    """Write a file of tensors anew, with other tensors and metadata."""
    with safe_open(file, "pt") as opened:
        tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
        metadata = dict(opened.metadata())
    change(tensors, metadata)
    save_file(tensors, file, metadata)


DAMAGES = {
    "half": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "nothing": lambda file: file.write_bytes(b""),
    "zeros": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "no metadata": lambda file: save_file({"a": torch.zeros(3)}, file),
    "other weights": lambda file: rewritten(
        file, lambda tensors, _: tensors.update({"model.weight": torch.zeros(1, 9)})
    ),
    "other states": lambda file: rewritten(
        file, lambda tensors, _: tensors.update({"optimizer.0.0.exp_avg": torch.zeros(1, 9)})
    ),
    "no weights": lambda file: rewritten(file, lambda tensors, _: tensors.pop("model.weight")),
    "no chance": lambda file: rewritten(file, lambda tensors, _: tensors.pop("random")),
    "no time": lambda file: rewritten(file, lambda _, said: said.update(seconds="nan")),
    "no step": lambda file: rewritten(file, lambda _, said: said.update(step="many")),
    "no numbers": lambda file: rewritten(file, lambda _, said: said.update(rng='{"a": 1}')),
    "a long text": lambda file: rewritten(file, lambda _, said: said.update(rng="x" * 10**6)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoints(folder, damage):
    """The file is named, and what to do; doing it helps."""
    file = folder / "checkpoint.safetensors"
    DAMAGES[damage](file)
    with pytest.raises(
        ValueError, match=rf"checkpoint\.safetensors is damaged: .*{REMEDY}"
    ) as caught:
        Run(
            RunArgs(out=folder),
            model := torch.nn.Linear(3, 1),
            torch.optim.Adam(model.parameters()),
        )
    assert len(str(caught.value)) < 1000
    file.unlink()
    assert start(folder).step > 0


@pytest.mark.parametrize(
    "line",
    ["\0" * 100, "{", "[1]", "5", '{"seconds": 1}', '{"seconds": "a", "step": 1}', "\xff", ""],
)
def test_damaged_curves(folder, line):
    file = folder / "curve.jsonl"
    good = file.read_text()
    file.write_text(good + line + "\n" + good, encoding="latin-1")
    for read in (lambda: read_curve(folder), lambda: start(folder)):
        with pytest.raises(
            ValueError, match=r"curve\.jsonl, line 2, is damaged: .*Delete that line"
        ):
            read()
    file.write_text("\0" * 50)
    with pytest.raises(ValueError, match=r"curve\.jsonl, line 1, is damaged"):
        start(folder)
    file.write_text('{"seconds": NaN, "step": 1}\n')
    with pytest.raises(ValueError, match="seconds must be a number, got 'nan'"):
        start(folder)
    file.write_text(good + "\0" * 50)  # half a line at the end, as a computer that went down leaves
    assert start(folder).step == read_curve(folder)[-1]["step"]


@pytest.mark.parametrize(
    "text", ["", "\0\0", "[]", "{", '{"residual": 1}', '{"residual_exact": "a"}']
)
def test_damaged_scores(tmp_path, text):
    folder = tmp_path / "out" / "task" / "ppo-0"
    folder.mkdir(parents=True)
    told = {"env_id": "task", "max_strokes": 1, "random": 1.0, "planner": 0.0}
    (folder.parent / REFERENCE).write_text(json.dumps(told))
    (tmp_path / "out" / SETTINGS).write_text("{}")
    with pytest.raises(ValueError, match="no finished runs in"):
        collect([tmp_path / "out"])
    (folder / SCORES).write_text(text)
    with pytest.raises(ValueError, match=rf"scores\.json is damaged: .*{REMEDY}"):
        collect([folder.parents[1]])


def test_damaged_samples_and_settings(tmp_path):
    np.savez(tmp_path / SAMPLES, target=np.zeros((1, 1, 8, 8), np.uint8))
    with pytest.raises(ValueError, match=rf"samples\.npz is damaged: it lacks .*{REMEDY}"):
        read_arrays(tmp_path / SAMPLES, "target", "canvas")
    (tmp_path / SAMPLES).write_bytes(b"PK\3\4" + bytes(100))
    with pytest.raises(ValueError, match=r"samples\.npz is damaged"):
        read_arrays(tmp_path / SAMPLES, "target")
    (tmp_path / "settings.json").write_bytes(b"\0" * 8)
    with pytest.raises(ValueError, match=rf"settings\.json is damaged: .*{REMEDY}"):
        read_own(tmp_path / "settings.json")


def test_damaged_results_of_painters(tmp_path):
    row = {"painter": "photo", "picture": "a", "path": "/a", "marks": 5, "used": 5, "seconds": 1.0,
           "psnr": 20.0, "ssim": 0.5}  # fmt: skip
    file, args = tmp_path / "results.jsonl", PaintersArgs(out=tmp_path)
    file.write_text(json.dumps(row) + "\n" + json.dumps(row)[:20])
    assert list(paint_all(args, [], ["photo"])) == [row]
    assert file.read_text() == json.dumps(row) + "\n"
    file.write_text(json.dumps(row | {"painter": 3}) + "\n")
    with pytest.raises(ValueError, match=r"results\.jsonl, line 1, is damaged: painter must be"):
        list(paint_all(args, [], ["photo"]))


def test_damaged_strokes_on_disk(tmp_path):
    (tmp_path / "strokes.json").write_text("\0")
    (tmp_path / "strokes-00000.npz").write_bytes(b"")
    for read in (lambda: StrokeFiles(tmp_path, "pencil"),
                 lambda: write_strokes(tmp_path, 1, 32, "pencil", 0)):  # fmt: skip
        with pytest.raises(ValueError, match=rf"strokes\.json is damaged: .*{REMEDY}"):
            read()
    (tmp_path / "strokes.json").write_text('{"brush": "pencil"}')
    with pytest.raises(ValueError, match=r"strokes-00000\.npz is damaged"):
        StrokeFiles(tmp_path, "pencil").sample(np.random.default_rng(0), 5)


@pytest.mark.parametrize(
    ("script", "options", "match"),
    [
        ("train_ppo", {"device": "cuda:99"}, "device 'cuda:99' is unknown or not available, 'cpu'"),
        ("train_sac", {"device": "cuda:99"}, "device 'cuda:99' is unknown or not available, 'cpu'"),
        ("train_strokenet", {"device": "cuda:99"}, "device 'cuda:99' is unknown or not available"),
        ("train_ppo", {"num_envs": 1, "rollout": 1}, r"must be at least 2.* got 1 \* 1 and 512"),
        ("train_ppo", {"num_envs": 1, "batch": 1}, r"must be at least 2.* got 1 \* 8 and 1"),
        *(
            (f"train_{method}", {"seed": seed}, f"--seed must be from 0 to 4294967295, got {seed}")
            for method in ("strokenet", "ppo", "sac", "generator")
            for seed in (-1, 2**32)
        ),
    ],
)
def test_trainings_that_cannot_be(tmp_path, script, options, match):
    module = importlib.import_module(f"baselines.{script}")
    args = module.Args(out=tmp_path, **options)
    with pytest.raises(ValueError, match=match):
        module.main(args)
