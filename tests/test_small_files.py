"""Small files that would cost much: memory and time are bounded before they are taken."""

import gzip
import json
import os
import struct
import tracemalloc
import zipfile

import cv2
import numpy as np
import pytest
from safetensors.numpy import save_file

from strokenet_gym import (
    BRUSHES,
    KanjiVG,
    Omniglot,
    QuickDraw,
    StrokeLog,
    load_agent,
    load_program,
    make_targets,
    reading,
)
from strokenet_gym.reading import read_json
from strokenet_gym.targets import drawings
from strokenet_gym.targets.image_set import in_split

LONG = "x" * 10**6
ELEMENT = '<kanji id="kvg:kanji_04e00"><path d="M1,1L9,9"/></kanji>'
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 109 109">{}</svg>'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("STROKENET_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(match):
    """A ValueError that tells no more than somebody can read."""
    return pytest.raises(ValueError, match=rf"(?s)^(?=.{{1,1500}}$).*{match}")


@pytest.mark.parametrize(
    "piece", ["{}", "[]", '{"":0}', '{"":[]}', "[[[[]]]]", "300", "1e9", '"ab"', '"é"', "[0]"]
)
def test_json_is_refused_before_it_takes_memory(folder, monkeypatch, piece):
    """What it would take is never less than what it takes, nor very much more."""
    (folder / "a.json").write_text("[" + ",".join([piece] * 20_000) + "]")
    asked = []
    monkeypatch.setattr(reading, "check_memory", lambda what, needed: asked.append(needed))
    tracemalloc.start()
    kept = read_json(folder / "a.json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(kept) == 20_000
    assert 0.95 * peak < max(asked) < 7 * peak


def log_with(**changes):
    StrokeLog(32, (0.0,), BRUSHES["pencil"]).save("log.json")
    with open("log.json") as file:
        document = json.load(file)
    with open("log.json", "w") as file:
        json.dump(document | changes, file)


def test_large_logs(monkeypatch):
    log_with(strokes=[{} for _ in range(100_000)])
    monkeypatch.setenv("STROKENET_MEMORY_MB", "8")
    with refused(r"log\.json would take .* STROKENET_MEMORY_MB"):
        StrokeLog.load("log.json")
    stroke = {"colour": [1], "radius": 0.1, "position": [[0.12, 0.34]] * 16, "pressure": [1] * 16}
    log_with(strokes=[stroke] * 500)
    assert len(StrokeLog.load("log.json").strokes) == 500


@pytest.mark.parametrize(
    "changes",
    [
        {"brush": LONG}, {"brush": {LONG: 1}}, {"brush": {"edge": LONG}}, {"target": [LONG]},
        {"brush": {"blend": LONG}}, {"seed": LONG}, {"episode": LONG}, {"version": LONG},
        {"canvas": {"size": LONG, "background": [0]}}, {"strokes": [{"radius": LONG}]},
        {"canvas": {"size": 32, "background": [LONG]}},
    ],
)  # fmt: skip
def test_messages_do_not_repeat_a_log(changes):
    log_with(**changes)
    with refused(r"log\.json"):
        StrokeLog.load("log.json")


@pytest.mark.parametrize("numbers", [LONG, {LONG: 1}, {"edge": LONG}, {"blend": [LONG]}, [LONG]])
def test_messages_do_not_repeat_a_brush(folder, numbers):
    (folder / "brush.json").write_text(json.dumps(numbers))
    with refused(r"brush\.json is not a brush"):
        load_program("brush.json")


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_only_regular_files_are_read(folder, kind):
    make = {"device": lambda path: os.symlink("/dev/zero", path), "pipe": os.mkfifo,
            "folder": os.mkdir}[kind]  # fmt: skip
    for name in ("log.json", "brush.json", "agent.safetensors", "train-images-idx3-ubyte",
                 "train-labels-idx1-ubyte", "kanjivg.xml", "a.png", "cat.ndjson"):  # fmt: skip
        make(folder / name)
    with refused(r"log\.json cannot be read: it is not a regular file"):
        StrokeLog.load("log.json")
    with refused(r"brush\.json is not a brush: .* not a regular file"):
        load_program("brush.json")
    with refused("unknown agent"):
        load_agent("agent.safetensors")
    if kind != "folder":
        with refused("it is not a file"):
            make_targets("a.png", 32)
    for name in ("mnist", "kanjivg", "quickdraw"):
        with pytest.raises((ValueError, FileNotFoundError)):
            make_targets(name, 32, folder)


def test_weights_with_a_header_without_end(folder):
    names = {f"weights.{k}": np.zeros(0, np.float32) for k in range(40_000)}
    save_file(names, folder / "agent.safetensors", {"architecture": "strokenet"})
    with refused(r"agent\.safetensors is damaged: its header"):
        load_agent("agent.safetensors")
    save_file({"a" * 10**5: np.zeros(1)}, folder / "b.safetensors", {"architecture": LONG[: 10**5]})
    with refused("does not hold an agent's weights"):
        load_agent("b.safetensors")


def ndjson(**changes):
    drawing = {"word": "cat", "recognized": True, "key_id": "1", "drawing": [[[0, 9], [0, 9]]]}
    return json.dumps(drawing | changes) + "\n"


def good_drawings():
    return "".join(ndjson(key_id=str(k)) for k in range(50))


@pytest.mark.parametrize(
    "changes", [{"word": LONG[:1000]}, {"key_id": LONG[:1000]}, {"drawing": [[[0, 9] * 9000] * 2]}]
)
def test_drawings_that_are_too_large_are_left_out(folder, changes):
    (folder / "cat.ndjson").write_text(ndjson(**changes) * 3 + good_drawings())
    with pytest.warns(UserWarning, match="3 drawings of quickdraw cannot be read"):
        found = QuickDraw(folder)
    assert set(found.labels) == {"cat"}
    assert found.labels.nbytes < 4 * 3 * 50


def test_packed_drawings_with_points_without_end(folder):
    count = 2**15
    head = struct.pack("<Q2sBIH", 1, b"DE", 1, 0, 60_000)
    line = struct.pack("<H", count) + bytes(2 * count)
    (folder / "cat.bin").write_bytes(head + line * 4)
    with pytest.warns(UserWarning, match="1 drawings of quickdraw"), pytest.raises(ValueError):
        QuickDraw(folder)


def test_labels_count_as_memory(folder, monkeypatch):
    """An array of texts is as wide as its longest."""
    monkeypatch.setenv("STROKENET_MEMORY_MB", "8")
    png = cv2.imencode(".png", np.zeros((105, 105), np.uint8))[1].tobytes()
    with zipfile.ZipFile("images_background.zip", "w") as archive:
        for k in range(120):
            archive.writestr(f"images/{'g' * (50_000 if k == 0 else 5)}/c/{k}.png", png)
    with refused("preparing omniglot .* STROKENET_MEMORY_MB"):
        Omniglot(folder)


def kanji_codes(count):
    return [
        code for code in (f"{0x4E00 + k:05x}" for k in range(9 * count)) if in_split(code, "train")
    ]


def test_characters_with_paths_without_end(folder):
    (code, other) = kanji_codes(2)[:2]
    with zipfile.ZipFile("kanjivg.zip", "w") as archive:
        archive.writestr(f"kanji/{code}.svg", SVG.format(f'<path d="M0,0{"l1,1" * 5000}"/>'))
    with refused(r"paths have 20,004 letters"):
        KanjiVG(folder)
    with zipfile.ZipFile("kanjivg.zip", "w") as archive:
        archive.writestr(f"kanji/{other}.svg", SVG.format(" " * 2**20))
    with refused("has more than 1,048,576 bytes"):
        KanjiVG(folder)


def test_zips_that_unpack_to_very_much_more(folder):
    with zipfile.ZipFile("kanjivg.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for code in kanji_codes(60):
            svg = SVG.format(f'<path d="M0,0{"l1,1" * 4000}"/>')
            archive.writestr(f"kanji/{code}.svg", svg)
    with refused(r"kanjivg\.zip has .* unpacks to"):
        KanjiVG(folder)


def test_zips_with_a_large_table(folder, monkeypatch):
    with zipfile.ZipFile("quickdraw.zip", "w") as archive:
        for k in range(2000):
            archive.writestr(f"{k}.txt", "")
    monkeypatch.setenv("STROKENET_MEMORY_MB", "1")
    with refused(r"quickdraw\.zip would take .* STROKENET_MEMORY_MB"):
        QuickDraw(folder)


@pytest.mark.parametrize(
    "inner", ["<g/>" * 40_000, "<g " + "".join(f'a{k}="" ' for k in range(20_000)) + "/>"]
)
def test_the_single_file_with_a_character_without_end(folder, inner):
    (folder / "kanjivg.xml").write_text(f"<kanjivg><kanji>{inner}</kanji></kanjivg>")
    with refused(r"kanjivg\.xml is damaged: a character has more than"):
        KanjiVG(folder)
    with gzip.open("kanjivg.xml.gz", "wt") as file:
        file.write("<kanjivg>" + ELEMENT * 12_000 + "</kanjivg>")
    os.remove("kanjivg.xml")
    with refused(r"kanjivg\.xml\.gz has .* unpacks to"):
        KanjiVG(folder)


def test_numpy_headers_without_end(folder):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 784), }" + b" " * 10**6
    magic = b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header))
    (folder / "cat.npy").write_bytes(magic + header)
    with refused(r"cat\.npy .* version \(2, 0\)"):
        QuickDraw(folder)


def test_long_lines_are_simplified_in_pieces():
    """Within the same distance, in a time that does not grow with the square."""
    t = np.linspace(0, 40, 15_000)
    line = np.stack([4000 + 90 * t * np.cos(t), 4000 + 90 * t * np.sin(t)], 1).astype(np.float32)
    kept = drawings.simplified(line, 1.0)
    assert len(kept) < 2000
    assert (kept[0] == line[0]).all()
    assert (kept[-1] == line[-1]).all()
    begin, step = kept[:-1], np.diff(kept, axis=0)
    for point in line[::100]:
        share = ((point - begin) * step).sum(1) / (step**2).sum(1)
        near = begin + share.clip(0, 1)[:, None] * step
        assert np.linalg.norm(point - near, axis=1).min() < 1.01
