"""The data sets: on small files in their formats, on the real ones, and fetched from a server."""

import base64
import contextlib
import hashlib
import http.server
import io
import json
import pickle
import sys
import threading
import zipfile
import zlib

import cv2
import numpy as np
import pytest

from strokenet_gym.targets import (
    DATA_SETS,
    KanjiVG,
    Omniglot,
    QuickDraw,
    download,
    image_set,
    make_targets,
)

SVG = """<?xml version="1.0"?>
<!DOCTYPE svg [<!ATTLIST path xmlns:kvg CDATA #FIXED "x" kvg:type CDATA #IMPLIED>]>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 109 109"><g>
<path d="M10,10L99,10"/><path d="M54.5,20c5,20,5,40,0,60"/></g></svg>"""


def png(picture):
    return cv2.imencode(".png", picture)[1].tobytes()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STROKENET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def small_sets(tmp_path, cache, rng):
    """A folder with all sets but MNIST, 60 items each."""
    folder = tmp_path / "data"
    for name in ("omniglot", "quickdraw", "kanjivg"):
        (folder / name).mkdir(parents=True)
    with zipfile.ZipFile(folder / "omniglot" / "images_background_small1.zip", "w") as archive:
        for k in range(60):
            picture = np.full((105, 105), 255, np.uint8)
            picture[20:40, 10:95] = 0  # a bar near the top
            alphabet = ("Greek", "Latin")[k % 2]
            name = f"images_background_small1/{alphabet}/character{k % 4:02}/{k:04}_01.png"
            archive.writestr(name, png(picture))
    with zipfile.ZipFile(folder / "quickdraw" / "quickdraw_raw_sample.zip", "w") as archive:
        for category in ("cat", "aircraft carrier"):
            lines = [
                json.dumps({
                    "word": category, "recognized": k % 3 > 0, "key_id": str(k),
                    "drawing": [[[-500, 1500], [100, 100], [0, 9]], [[500], [1700], [0]]],
                })
                for k in range(90)
            ]  # fmt: skip
            archive.writestr(f"{category}.ndjson", "\n".join(lines))
    with zipfile.ZipFile(folder / "kanjivg" / "kanjivg-main.zip", "w") as archive:
        for code in range(0x4E00, 0x4E00 + 60):
            archive.writestr(f"kanji/{code:05x}.svg", SVG)
        archive.writestr("kanji/04e00-Kaisho.svg", SVG)
    return folder


@pytest.mark.parametrize(("name", "total"), [("omniglot", 60), ("quickdraw", 120), ("kanjivg", 60)])
def test_splits_share_nothing_and_repeat(small_sets, name, total):
    train, test = (DATA_SETS[name](small_sets, split, 32) for split in ("train", "test"))
    assert len(train) + len(test) == total
    assert 0 < len(test) < total / 3
    if name == "omniglot":
        assert train.images.shape == (len(train), 105, 105)
    again = DATA_SETS[name](small_sets, "train", 32)
    np.testing.assert_array_equal(list(train), list(again))
    np.testing.assert_array_equal(train.labels, again.labels)
    if name == "kanjivg":
        assert not set(train.labels) & set(test.labels)
        assert "一" in {*train.labels, *test.labels}


def test_orientation_and_place(small_sets):
    for name in DATA_SETS:
        if name == "mnist":
            continue
        image = DATA_SETS[name](small_sets, "train", 64)[0]
        assert image.shape == (64, 64)
        assert image.dtype == np.float32
        assert image.max() > 0.9
        assert image[:24].sum() > 2 * image[40:].sum(), name  # the bar is at the top
        columns = np.flatnonzero(image.max(0) > 0.5)
        assert columns.mean() == pytest.approx(31.5, abs=1)


def test_selection(small_sets):
    assert set(Omniglot(small_sets, select=["Greek"]).labels) == {
        "Greek/character00", "Greek/character02"
    }  # fmt: skip
    assert set(Omniglot(small_sets, select=["Latin/character01"]).labels) == {"Latin/character01"}
    carriers = make_targets("quickdraw:aircraft carrier", 32, small_sets)
    assert set(carriers.labels) == {"aircraft carrier"}
    assert len(make_targets("kanjivg:一,丁", 32, small_sets)) == 2
    with pytest.warns(UserWarning, match="quickdraw has no train images of 'dgo'"):
        assert len(make_targets("quickdraw:cat,dgo", 32, small_sets)) > 40
    with (
        pytest.warns(UserWarning, match="no train images of 'dog'"),
        pytest.raises(ValueError, match=r"quickdraw has no train images of dog in"),
    ):
        QuickDraw(small_sets, select=["dog"])


def test_published_split_of_omniglot(small_sets):
    file = small_sets / "omniglot" / "images_evaluation.zip"
    with zipfile.ZipFile(file, "w") as archive:
        blank = np.full((105, 105), 255, np.uint8)
        for k in range(5):
            archive.writestr(f"images_evaluation/Klingon/character01/{k}.png", png(blank))
    assert len(Omniglot(small_sets, "train")) == 60
    assert set(Omniglot(small_sets, "test").labels) == {"Klingon/character01"}


@pytest.mark.parametrize(
    ("name", "member", "data", "message"),
    [
        ("omniglot", "a/Greek/c/x.png", b"no image", "cannot read a/Greek/c/x.png .* as an image"),
        ("kanjivg", "kanji/04e01.svg", b"<svg><path d=", "svg in .* is damaged"),
        ("kanjivg", "kanji/04e01.svg", b'<svg><path d="M1,?"/></svg>', "svg in .* is damaged"),
        ("kanjivg", "kanji/04e01.svg",
         b'<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>', "svg in .* is damaged"),
    ],
)  # fmt: skip
def test_damaged_members(small_sets, name, member, data, message, monkeypatch):
    monkeypatch.setattr(image_set, "_TEST_SHARE", 0)  # all of them train
    (file,) = (small_sets / name).iterdir()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, data)
    with pytest.raises(ValueError, match=message):
        DATA_SETS[name](small_sets)


@pytest.mark.parametrize("name", ["omniglot", "quickdraw", "kanjivg"])
def test_damaged_and_missing_files(small_sets, name, tmp_path):
    (file,) = (small_sets / name).iterdir()
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=f"{file.name} is damaged"):
        DATA_SETS[name](small_sets)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=f"strokenet-gym download {name} --to"):
        DATA_SETS[name](small_sets)
    with pytest.raises(ValueError, match=f"unknown split 'valid' of {name}"):
        DATA_SETS[name](small_sets, "valid")


def test_cache(small_sets, cache, capsys, monkeypatch):
    images = list(KanjiVG(small_sets, size=32))
    assert "preparing kanjivg" in capsys.readouterr().err
    assert len(list(cache.iterdir())) == 1
    with monkeypatch.context() as patch:
        patch.setattr(KanjiVG, "_prepare", None)  # is not called any more
        np.testing.assert_array_equal(list(KanjiVG(small_sets, size=32)), images)
        assert KanjiVG(small_sets, size=16)[0].shape == (16, 16)  # any size is drawn from it
    monkeypatch.setenv("STROKENET_CACHE", "/proc/nothing")  # cannot be written to
    np.testing.assert_array_equal(list(KanjiVG(small_sets, size=32)), images)


@pytest.mark.parametrize("name", ["kanjivg", "omniglot"])
def test_damaged_caches_are_made_again(small_sets, cache, name):
    def items():
        return list(DATA_SETS[name](small_sets, size=32))

    whole = items()
    (file,) = cache.iterdir()
    data = file.read_bytes()
    half = len(data) // 2
    for spoilt in (
        data[:200], b"", b"\0", b"\0" * 4, b"\0" * len(data), b"[" * 100_000, data[:-4],
        data[:half] + b"\0" * (len(data) - half), data[:half] + b"x" + data[half:],
        b"\x93NUMPY\1\0" + data[8:-4] + zlib.crc32(data[:60]).to_bytes(4, "little"),
    ):  # fmt: skip
        file.write_bytes(spoilt)
        np.testing.assert_array_equal(items(), whole)
        assert file.read_bytes() == data


def test_command_that_shows_and_clears_the_cache(small_sets, cache, tmp_path, monkeypatch, capsys):
    from strokenet_gym.cli import main

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["strokenet-gym", "cache", *arguments])
        capsys.readouterr()
        with contextlib.suppress(SystemExit):
            main()
        return capsys.readouterr()

    KanjiVG(small_sets, size=32)
    Omniglot(small_sets, size=32)
    shown = command().out
    assert str(cache) in shown
    assert "kanjivg           1 files" in shown
    assert "Freed" in command("--clear", "kanjivg").out
    assert [file.name[:8] for file in cache.iterdir()] == ["omniglot"]
    assert "nothing of mnist; it has omniglot" in command("--clear", "mnist").err
    command("--clear-all")
    assert not list(cache.iterdir())


def test_what_killed_preparations_left_is_swept(small_sets, cache):
    cache.mkdir()
    (cache / ".strokenet-0.new.prepared").write_bytes(b"part")
    KanjiVG(small_sets, size=32)
    assert [file.suffix for file in cache.iterdir()] == [".prepared"]
    assert not list(cache.glob(".*"))


def test_a_preparation_that_fails_leaves_nothing(small_sets, cache, monkeypatch):
    def stop(*args):
        yield "一", np.zeros((32, 32), np.uint8)
        raise KeyboardInterrupt

    monkeypatch.setattr(KanjiVG, "_prepare", stop)
    with pytest.raises(KeyboardInterrupt):
        KanjiVG(small_sets, size=32)
    assert not cache.exists()


def test_a_full_disk_is_no_error(small_sets, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    whole = list(KanjiVG(small_sets, size=32))
    monkeypatch.setenv("STROKENET_CACHE", str(small_sets / "other"))
    monkeypatch.setattr(type(small_sets), "open", full)
    np.testing.assert_array_equal(list(KanjiVG(small_sets, size=32)), whole)
    assert not list((small_sets / "other").iterdir())


def test_cache_without_a_home(small_sets, monkeypatch):
    for variable in ("STROKENET_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", "/proc/nothing")
    assert len(Omniglot(small_sets, size=32)) > 40


def test_pickles_are_small(small_sets):
    source = Omniglot(small_sets, size=64)
    data = pickle.dumps(source)
    assert len(data) < 1000
    np.testing.assert_array_equal(pickle.loads(data).images, source.images)


@pytest.mark.parametrize(
    ("name", "counts"), [("omniglot", (2457, 263)), ("mnist", (10_000, 10_000))]
)
def test_real_data(data_dir, name, counts):
    sets = [DATA_SETS[name](data_dir, split, 64) for split in ("train", "test")]
    assert tuple(map(len, sets)) == counts
    for source in sets:
        assert 0.01 < np.mean([source[i] for i in range(500 % len(source))]) < 0.2


def test_real_drawings(data_dir):
    cats = make_targets("quickdraw:cat", 64, data_dir)
    assert 10 < len(cats) < 60
    kanji = make_targets("kanjivg:永", 64, data_dir)
    assert set(kanji.labels) == {"永"}
    assert 0.03 < kanji[0].mean() < 0.3


class Server:
    """A server on this machine that can break off, and says hashes."""

    def __init__(self):
        self.content, self.break_at, self.asked = {}, None, []
        self.md5 = None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                data = outer.content.get(self.path)
                outer.asked.append(self.command)
                if data is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                if outer.md5:
                    self.send_header("x-goog-hash", f"crc32c=AAAAAA==,md5={outer.md5}")
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(data[: outer.break_at])
                self.close_connection = True

            do_GET = do_HEAD

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def server(monkeypatch, small_sets):
    server = Server()
    file = small_sets / "omniglot" / "images_background_small1.zip"
    server.content["/images_background_small1.zip"] = file.read_bytes() * 1
    digest = "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
    address = server.address + "images_background_small1.zip"
    monkeypatch.setattr(Omniglot, "addresses", {address: digest})
    monkeypatch.setattr(QuickDraw, "category_address", server.address + "{category}.ndjson")
    yield server
    server.server.shutdown()
    server.server.server_close()


def test_download(server, tmp_path):
    folder = tmp_path / "fetched"
    (file,) = download.download("omniglot", folder)
    assert file.read_bytes() == server.content["/images_background_small1.zip"]
    assert len(Omniglot(folder, size=16)) > 40
    download.download("omniglot", folder)  # is there already
    assert len(server.asked) == 1
    server.content["/aircraft%20carrier.ndjson"] = b"{}"
    (file,) = download.download("quickdraw", folder, ["aircraft carrier"])
    assert file.name == "aircraft carrier.ndjson"


def test_a_broken_download_leaves_nothing(server, tmp_path):
    """Nor does one of which nobody says a hash."""
    server.break_at = 1
    server.content["/cat.ndjson"] = b"{}"
    for name, categories in (("omniglot", ()), ("quickdraw", ("cat",))):
        with pytest.raises(OSError, match=r"broke|Broken|IncompleteRead"):
            download.download(name, tmp_path, categories)
        assert not list((tmp_path / name).iterdir())
    server.break_at = None
    (file,) = download.download("omniglot", tmp_path)
    assert file.read_bytes() == server.content["/images_background_small1.zip"]
    (tmp_path / "other").touch()
    assert file.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_wrong_checksum(server, tmp_path):
    data = io.BytesIO(server.content["/images_background_small1.zip"]).getvalue()
    server.content["/images_background_small1.zip"] = data[:-1] + b"x"
    with pytest.raises(ValueError, match="hash"):
        download.download("omniglot", tmp_path / "fetched")
    assert not list((tmp_path / "fetched" / "omniglot").iterdir())


def test_checksums_that_servers_say(server, tmp_path):
    server.content["/cat.ndjson"] = b"{}"
    server.md5 = base64.b64encode(hashlib.md5(b"{}").digest()).decode()
    download.download("quickdraw", tmp_path / "a", ["cat"])
    server.content["/cat.ndjson"] = b"[]"
    with pytest.raises(ValueError, match="another hash than md5"):
        download.download("quickdraw", tmp_path / "b", ["cat"])
    assert not list((tmp_path / "b" / "quickdraw").iterdir())


def test_a_damaged_zip_is_not_kept(server, tmp_path, monkeypatch):
    """Of KanjiVG's no checksum is known here, but it has some."""
    file = tmp_path / "data" / "kanjivg" / "kanjivg-main.zip"
    monkeypatch.setattr(KanjiVG, "addresses", {server.address + file.name: None})
    server.content["/" + file.name] = file.read_bytes()
    assert download.download("KanjiVG", tmp_path / "a") == [tmp_path / "a" / "kanjivg" / file.name]
    data = bytearray(file.read_bytes())
    data[70] ^= 1
    server.content["/" + file.name] = bytes(data)
    with pytest.raises(ValueError, match=r"kanjivg-main\.zip came damaged .* try again"):
        download.download("kanjivg", tmp_path / "b")
    assert not list((tmp_path / "b" / "kanjivg").iterdir())


def test_offline(server, tmp_path):
    server.server.shutdown()
    server.server.server_close()
    address = next(iter(Omniglot.addresses))
    with pytest.raises(
        OSError, match=f"fetch {address} by hand and put it into .*omniglot"
    ) as said:
        download.download("omniglot", tmp_path / "fetched")
    assert "\n" not in str(said.value)


def test_download_refuses(server, tmp_path):
    with pytest.raises(ValueError, match="unknown data set 'imagenet'"):
        download.download("imagenet", tmp_path)
    with pytest.raises(ValueError, match="quickdraw needs categories"):
        download.download("quickdraw", tmp_path)
    with pytest.raises(ValueError, match="mnist has no categories"):
        download.download("mnist", tmp_path, ["3"])
    with pytest.raises(OSError, match="404"):
        download.download("quickdraw", tmp_path, ["unicorn"])
