"""Published data sets as people have them: other names, other packing, other splits of files."""

import contextlib
import gzip
import io
import json
import re
import shutil
import struct
import subprocess
import warnings
import zipfile

import numpy as np
import pytest
from conftest import write_idx
from PIL import Image
from test_data_sets import SVG, png

from strokenet_gym.targets import MNIST, KanjiVG, Omniglot, QuickDraw, image_set, make_targets


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STROKENET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def drawing(key, word="cat", **changes):
    lines = [[[0, 255, 200], [10 + key % 90, 10, 90]], [[5, 9], [100, 101]]]
    entry = {"word": word, "recognized": True, "key_id": str(key), "drawing": lines}
    return json.dumps({**entry, **changes})


def drawings(count=60, word="cat"):
    return "\n".join(drawing(k, word) for k in range(count)) + "\n"


def items(source):
    """What a set has, whatever the order."""
    pictures = [picture.tobytes() for picture in source]
    return sorted(zip(source.labels.tolist(), pictures, strict=True))


@pytest.mark.parametrize(
    "name",
    [
        "full_simplified_cat.ndjson",
        "full_raw_cat.ndjson",
        "raw_cat.ndjson",
        "CAT.NDJSON",
        "x.ndjson",
    ],
)
def test_names_of_drawings_do_not_matter(tmp_path, name):
    (tmp_path / "a").mkdir()
    (tmp_path / "b" / "QuickDraw").mkdir(parents=True)
    (tmp_path / "a" / "cat.ndjson").write_text(drawings())
    (tmp_path / "b" / "QuickDraw" / name).write_text(drawings())
    for split in ("train", "test"):
        one, other = (QuickDraw(tmp_path / folder, split, 32) for folder in "ab")
        assert items(one) == items(other)
        assert set(other.labels) == {"cat"}
    assert len(make_targets("QuickDraw:CAT", 32, tmp_path / "b")) == len(QuickDraw(tmp_path / "a"))


def test_bitmaps_and_drawings_beside_each_other(tmp_path):
    (tmp_path / "cat.ndjson").write_text(drawings())
    bitmaps = np.zeros((50, 784), np.uint8)
    bitmaps[:, 28 * 14 : 28 * 15] = 255
    np.save(tmp_path / "full_numpy_bitmap_dog.npy", bitmaps)
    np.save(tmp_path / "full_numpy_bitmap_cat.npy", bitmaps)  # the drawings are better
    both = [QuickDraw(tmp_path, split, 32) for split in ("train", "test")]
    assert sorted({*both[0].labels}) == ["cat", "dog"]
    assert sum(len(source) for source in both) == 110
    dogs = make_targets("quickdraw:dog", 32, tmp_path)
    assert set(dogs.labels) == {"dog"}
    assert dogs[0][15:18].max() > 0.5
    rngs = [np.random.default_rng(k) for k in range(40)]
    batch = both[0].sample_fitted(rngs, 32, 1, np.zeros(1))
    for image, rng in zip(batch, [np.random.default_rng(k) for k in range(40)], strict=True):
        np.testing.assert_array_equal(image[0], np.rint(both[0].sample(rng) * 255))
    np.save(tmp_path / "dog.npy", np.zeros((3, 5)))
    (tmp_path / "full_numpy_bitmap_dog.npy").unlink()
    with pytest.raises(ValueError, match=r"dog\.npy in .* is damaged: its shape is \(3, 5\)"):
        QuickDraw(tmp_path, size=32)


def test_a_selection_reads_only_its_own_files(tmp_path):
    (tmp_path / "cat.ndjson").write_text(drawings())
    (tmp_path / "full_simplified_aircraft carrier.ndjson").write_text(
        drawings(word="aircraft carrier")
    )
    (tmp_path / "dog.npy").write_bytes(b"damaged")
    assert len(QuickDraw(tmp_path, size=32, select=["cat"])) > 40
    assert len(QuickDraw(tmp_path, size=32, select=["aircraft carrier"])) > 40
    with pytest.raises(ValueError, match=r"dog\.npy in .* is damaged"):
        QuickDraw(tmp_path, size=32)
    np.save(tmp_path / "dog.npy", np.zeros((4, 784), np.uint8))
    with pytest.warns(UserWarning, match="no train images of 'cta'; did you mean 'cat'"):
        assert len(QuickDraw(tmp_path, size=32, select=["cat", "cta"])) > 40


BAD = [
    "null", "[]", "7", '"text"', "{}", '{"recognized": true}', drawing(1, drawing=[]),
    drawing(2, drawing=[[[], []]]), drawing(3, drawing=[[None, None]]),
    drawing(4, drawing=[[[1, 2], [3]]]), drawing(5, drawing=None), "[" * 100_000,
    drawing(6).replace("255", "1" + "0" * 400), drawing(7).replace("255", "NaN"),
    drawing(8).replace("255", "1e999"), "\xff\xfe", drawing(9)[:40],
]  # fmt: skip


def test_bad_lines_are_left_out_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(image_set, "_TEST_SHARE", 0)  # all of them train
    text = drawings(20) + "\n".join(BAD[:-1]) + "\n\n" + drawings(30)[-2000:] + BAD[-1]
    (tmp_path / "cat.ndjson").write_text(text)
    with pytest.warns(
        UserWarning, match=rf"{len(BAD) + 1} drawings .* left out: cat\.ndjson"
    ) as said:
        source = QuickDraw(tmp_path, size=32)
    assert len(said) == 1
    assert len(source) == 30
    assert np.isfinite(list(source)).all()


def test_a_line_without_an_end(tmp_path, monkeypatch):
    from strokenet_gym.targets import quickdraw

    monkeypatch.setattr(quickdraw, "_LONGEST", 1000)
    (tmp_path / "cat.ndjson").write_text(drawings(20) + "[" * 12_345 + "\n" + drawings(40))
    with pytest.warns(UserWarning, match="1 drawings"):
        assert len(QuickDraw(tmp_path, size=32)) > 30


def test_binary_drawings(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "cat.ndjson").write_text(drawings())
    with (tmp_path / "full_binary_cat.bin").open("wb") as file:
        for k in range(60):
            entry = json.loads(drawing(k))
            file.write(struct.pack("<Q2sBIH", k, b"DE", 1, 0, len(entry["drawing"])))
            for line in entry["drawing"]:
                file.write(struct.pack("<H", len(line[0])) + bytes(line[0]) + bytes(line[1]))
    assert items(QuickDraw(tmp_path, size=32)) == items(QuickDraw(tmp_path / "a", size=32))
    data = (tmp_path / "full_binary_cat.bin").read_bytes()
    (tmp_path / "full_binary_cat.bin").write_bytes(data[:-5])
    with pytest.warns(UserWarning, match="1 drawings"):
        assert len(QuickDraw(tmp_path, size=32)) > 40


def test_size_and_limit(tmp_path, cache):
    """A published category has 145,000 drawings; kept as points they are small."""
    (tmp_path / "cat.ndjson").write_text(drawings(2000))
    for size in (32, 128, 256):
        QuickDraw(tmp_path, size=size)
    (file,) = cache.glob("*.prepared")
    assert file.stat().st_size < 2000 * 80
    assert len(QuickDraw(tmp_path, size=32, limit=100)) == 100
    with pytest.raises(ValueError, match="limit must be from 1 to"):
        QuickDraw(tmp_path, limit=0)


def test_two_zips_of_kanji(tmp_path):
    for date in ("20240807", "20260714"):
        with zipfile.ZipFile(tmp_path / f"kanjivg-{date}-main.zip", "w") as archive:
            for code in range(0x4E00, 0x4E00 + 30):
                archive.writestr(f"kanji/{code:05x}.svg", SVG)
            archive.writestr("kanji/04e00-Kaisho.svg", SVG)
            archive.writestr("kanji/logos.svg", "<svg/>")
            archive.writestr("kanji/zzzzz.svg", "<svg/>")
            archive.writestr("__MACOSX/kanji/._04e00.svg", b"\0\5\x16")
            archive.writestr("README.svg", b"none")
    characters = [KanjiVG(tmp_path, split, 32) for split in ("train", "test")]
    assert sum(len(source) for source in characters) == 30


def kanji_zip(folder):
    with zipfile.ZipFile(folder / "kanjivg-main.zip", "w") as archive:
        for code in range(0x4E00, 0x4E00 + 20):
            archive.writestr(f"kanji/{code:05x}.svg", SVG)


def test_kanji_unzipped_nested_and_in_one_file(tmp_path):
    for name in ("zip", "folder", "nested", "flat", "xml", "gz"):
        (tmp_path / name / "KanjiVG").mkdir(parents=True)
    kanji_zip(tmp_path / "zip")
    with zipfile.ZipFile(tmp_path / "zip" / "kanjivg-main.zip") as archive:
        archive.extractall(tmp_path / "folder" / "KanjiVG")
        for file in archive.namelist():
            target = tmp_path / "flat" / "KanjiVG" / file.rpartition("/")[2]
            target.write_bytes(archive.read(file))
        with zipfile.ZipFile(tmp_path / "nested" / "kanjivg again.zip", "w") as nested:
            for file in archive.namelist():
                nested.writestr(f"kanjivg-main/{file}", archive.read(file))
    body = "".join(
        f'<kanji id="kvg:kanji_{code:05x}"><g><path d="M10,10L99,10"/>'
        '<path d="M54.5,20c5,20,5,40,0,60"/></g></kanji>'
        for code in range(0x4E00, 0x4E00 + 20)
    )
    text = f'<kanjivg xmlns:kvg="http://kanjivg.tagaini.net">{body}</kanjivg>'.encode()
    (tmp_path / "xml" / "kanjivg-20240807.xml").write_bytes(text)
    (tmp_path / "gz" / "kanjivg-20240807.xml.gz").write_bytes(gzip.compress(text))
    wanted = items(KanjiVG(tmp_path / "zip", size=32))
    assert len(wanted) > 10
    for name in ("folder", "nested", "flat", "xml", "gz"):
        assert items(KanjiVG(tmp_path / name, size=32)) == wanted, name
    (tmp_path / "xml" / "kanjivg-20240807.xml").write_bytes(text[: len(text) // 2])
    with pytest.raises(ValueError, match=r"kanjivg-20240807\.xml is damaged"):
        KanjiVG(tmp_path / "xml", size=32)


@pytest.mark.parametrize(
    "path", ["M10,10A20,20,0,0,1,50,50", "M10,10H50V30Z", "M5,5Q20,5,20,20T40,40", "", "M10,10"]
)
def test_paths_of_any_kind(tmp_path, path):
    svg = SVG.replace('<path d="M10,10L99,10"/>', f'<path id="no data"/><path d="{path}"/>')
    with zipfile.ZipFile(tmp_path / "kanjivg.zip", "w") as archive:
        for code in range(0x4E00, 0x4E00 + 8):
            archive.writestr(f"kanji/{code:05x}.svg", svg)
    assert KanjiVG(tmp_path, size=32)[0].max() > 0.5


def omniglot_files(root):
    """Names and pictures of 40 drawings."""
    for k in range(40):
        picture = np.full((105, 105), 255, np.uint8)
        picture[20 + k : 30 + k, 10:95] = 0
        yield f"{root}images_background/Greek/character{k % 4:02}/{k:04}_01.png", png(picture)


def test_omniglot_unzipped_and_zipped_anew(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in omniglot_files(""):
            archive.writestr(name, data)
    for name in ("zip", "folder", "mac"):
        (tmp_path / name).mkdir()
    shutil.copy(tmp_path / "a.zip", tmp_path / "zip" / "images_background.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(tmp_path / "folder" / "Omniglot")
    with zipfile.ZipFile(tmp_path / "mac" / "images_background.zip", "w") as archive:
        for name, data in omniglot_files("downloads/omniglot/"):
            archive.writestr(name, data)
            archive.writestr(f"__MACOSX/{name}".replace("/0", "/._0"), b"\0\5\x16")
        archive.writestr("downloads/.DS_Store.png", b"\0")
        archive.writestr("cover.png", b"another picture")
    wanted = items(Omniglot(tmp_path / "zip", size=32))
    for name in ("folder", "mac"):
        assert items(Omniglot(tmp_path / name, size=32)) == wanted, name
    assert len(make_targets("omniglot:greek", 32, tmp_path / "folder")) == len(wanted)
    with (
        pytest.warns(UserWarning, match="of 'Grek'; did you mean 'Greek'"),
        pytest.raises(ValueError, match="no train images"),
    ):
        make_targets("Omniglot:Grek", 32, tmp_path / "zip")


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("", "{}-images.idx3-ubyte {}-labels.idx1-ubyte"),
        ("MNIST/raw", "{}-images-idx3-ubyte {}-labels-idx1-ubyte"),
        ("mnist/MNIST/raw", "{}-images-idx3-ubyte.gz {}-labels-idx1-ubyte"),
        ("FashionMNIST/raw", "{}-images-idx3-ubyte.gz {}-labels-idx1-ubyte.gz"),
        ("KMNIST", "{}-images-idx3-ubyte.gz {}-labels-idx1-ubyte.gz"),
        ("raw", "{}-IMAGES-idx3-ubyte {}-Labels-idx1-ubyte"),
    ],
)
def test_names_of_mnist(tmp_path, folder, names):
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for first, count in (("train", 20), ("t10k", 5)):
        images, labels = (tmp_path / folder / name for name in names.format(first, first).split())
        write_idx(images, np.full((count, 28, 28), 7))
        write_idx(labels, np.arange(count) % 10)
    assert [len(MNIST(tmp_path, split)) for split in ("train", "test")] == [20, 5]


def test_emnist_lies_on_its_side(tmp_path):
    letter = np.zeros((28, 28), np.uint8)
    letter[4:24, 5:8] = letter[20:24, 5:22] = 255  # an L
    for first in ("train", "test"):
        write_idx(tmp_path / f"emnist-letters-{first}-images-idx3-ubyte.gz", letter.T[None])
        write_idx(tmp_path / f"emnist-letters-{first}-labels-idx1-ubyte.gz", np.array([12]))
    (tmp_path / "emnist-letters-mapping.txt").write_text("11 75 107\n12 76 108\n")
    source = MNIST(tmp_path, "test")
    assert source.labels.tolist() == ["L"]
    np.testing.assert_array_equal(source.images[0], letter)
    write_idx(tmp_path / "emnist-digits-train-images-idx3-ubyte.gz", letter[None])
    write_idx(tmp_path / "emnist-digits-train-labels-idx1-ubyte.gz", np.array([1]))
    with pytest.raises(ValueError, match="several kinds of EMNIST"):
        MNIST(tmp_path)


def test_bombs(tmp_path, monkeypatch):
    """They are refused before they have taken the memory."""
    monkeypatch.setenv("STROKENET_MEMORY_MB", "64")
    with gzip.open(tmp_path / "train-images-idx3-ubyte.gz", "wb", 1) as file:
        for _ in range(40):
            file.write(b"\0" * 2**20)
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.zeros(1))
    with pytest.raises(ValueError, match=r"unpacked, would take .* STROKENET_MEMORY_MB"):
        MNIST(tmp_path)
    with zipfile.ZipFile(tmp_path / "images_background.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/Greek/c/x.png", b"\0" * (2**26 + 1))
    with pytest.raises(ValueError, match=r"images_background\.zip has .* unpacks to"):
        Omniglot(tmp_path)
    monkeypatch.delenv("STROKENET_MEMORY_MB")
    image = Image.new("L", (5000, 5000))
    image.save(tmp_path / "x.png")
    with zipfile.ZipFile(tmp_path / "images_background.zip", "w") as archive:
        archive.write(tmp_path / "x.png", "a/Greek/c/x.png")
    with pytest.raises(ValueError, match="5000x5000 px, not 105x105"):
        Omniglot(tmp_path)


@pytest.mark.parametrize("name", ["kanjivg", "omniglot", "quickdraw"])
def test_flipped_bits_in_zips(tmp_path, name, rng):
    """Whatever is damaged, it is a ValueError, or the items that can be read."""
    file = tmp_path / {"omniglot": "images_background.zip"}.get(name, f"{name}.zip")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        if name == "omniglot":
            for path, data in omniglot_files(""):
                archive.writestr(path, data)
        elif name == "kanjivg":
            for code in range(0x4E00, 0x4E00 + 10):
                archive.writestr(f"kanji/{code:05x}.svg", SVG)
        else:
            archive.writestr("cat.ndjson", drawings(20))
    whole, refused = np.frombuffer(file.read_bytes(), np.uint8), []
    for _ in range(60):
        data = whole.copy()
        for at in rng.integers(len(data), size=3):
            data[at] ^= 1 << rng.integers(8)
        file.write_bytes(data.tobytes())
        with contextlib.suppress(ValueError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # bad lines
            refused.append(True)
            make_targets(name, 16, tmp_path)
            refused.pop()
    assert len(refused) > 10


def test_lines_are_as_wide_as_librsvg_draws_them(tmp_path, data_dir):
    if shutil.which("rsvg-convert") is None:
        pytest.skip("there is no rsvg-convert")
    file = next((data_dir / "kanjivg").glob("*.zip"))
    with zipfile.ZipFile(file) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".svg"))[500::600]
        for name in names:
            svg = archive.read(name).decode()
            body = svg[svg.index("<path") : svg.rindex("</svg>")]
            found = re.findall(r'<path [^>]*? d="([^"]+)"', body)
            paths = "".join(f'<path d="{path}"/>' for path in found)
            text = (
                '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-6.0556 -6.0556 121.11 121.11">'
                '<rect x="-9" y="-9" width="130" height="130"/><g fill="none" stroke="white" '
                f'stroke-width="3" stroke-linecap="round" stroke-linejoin="round">{paths}</g></svg>'
            )
            (tmp_path / "a.svg").write_text(text)
            character = chr(int(name[-9:-4], 16))
            split = "train" if image_set.in_split(name[-9:-4], "train") else "test"
            for size in (64, 128, 256):
                one = KanjiVG(data_dir, split, size, [character])
                out = tmp_path / "a.png"
                command = ["rsvg-convert", "-w", str(size), tmp_path / "a.svg", "-o", out]
                subprocess.run(command, check=True)
                wanted = np.asarray(Image.open(out).convert("L")) / 255
                assert one[0].sum() == pytest.approx(wanted.sum(), rel=0.02)
                assert np.abs(one[0] - wanted).mean() < 0.01


PLAIN = '<path d="M10,20L60,20A20,10,0,0,1,90,80"/>', 'viewBox="0 0 109 109"'


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        (PLAIN[0], ""),
        (PLAIN[0], 'viewBox="a"'),
        (PLAIN[0], 'width="109" height="109px"'),
        ('<path d="M30,60L180,60A60,30,0,0,1,270,240"/>', 'viewBox="0,0,327,327" width="50"'),
        ('<path d="M-90,-80L-40,-80A20,10,0,0,1,-10,-20"/>', 'viewBox="-100 -100 109 109"'),
        (f'<g transform="translate(0 -30)">{PLAIN[0]}</g>', 'viewBox="0 -30 109 109"'),
        (f'<g transform="scale(2)"><g transform="translate(5,7)">{PLAIN[0]}</g></g>',
         'viewBox="10 14 218 218"'),
        ('<path transform="matrix(0 -1 1 0 0 109)" d="M89,10L89,60A10,20,0,0,1,29,90"/>',
         PLAIN[1]),
        (f'<defs>{PLAIN[0]}</defs><clipPath><path d="M0,0L9,9"/></clipPath>{PLAIN[0]}', PLAIN[1]),
    ],
)  # fmt: skip
def test_view_boxes_and_transforms_of_kanji(tmp_path, body, attributes):
    """However a character is written, it is drawn where a browser shows it."""
    code = next(code for code in map("{:05x}".format, range(0x4E00, 0x4F00))
                if image_set.in_split(code, "train"))  # fmt: skip
    pictures = []
    for name, (inner, said) in {"plain": PLAIN, "other": (body, attributes)}.items():
        (tmp_path / name / "kanji").mkdir(parents=True)
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" {said}>{inner}</svg>'
        (tmp_path / name / "kanji" / f"{code}.svg").write_text(svg)
        pictures.append(KanjiVG(tmp_path / name, "train", 64)[0])
    assert pictures[0].sum() > 50
    np.testing.assert_allclose(pictures[1], pictures[0], atol=0.05)


@pytest.mark.parametrize(
    "attributes",
    ['viewBox="0 0 0 109"', 'viewBox="0 0 109"', 'viewBox="0 0 1e999 1"',
     'transform="no(1)"'],
)  # fmt: skip
def test_view_boxes_and_transforms_that_are_none(tmp_path, attributes):
    (tmp_path / "kanji").mkdir()
    inner = f"<g {attributes}>{PLAIN[0]}</g>" if attributes[0] == "t" else PLAIN[0]
    for k in range(0x4E00, 0x4E10):
        (tmp_path / "kanji" / f"{k:05x}.svg").write_text(f"<svg {attributes}>{inner}</svg>")
    with pytest.raises(ValueError, match=r"\.svg in .* is damaged"):
        KanjiVG(tmp_path, "train", 64)


def test_closed_lines_are_closed(tmp_path):
    square = [[[0, 200, 200, 0, 0], [0, 0, 200, 200, 0], [0, 1, 2, 3, 4]]]
    (tmp_path / "square.ndjson").write_text(
        "\n".join(drawing(k, "square", drawing=square) for k in range(20))
    )
    picture = QuickDraw(tmp_path, size=64)[0]
    for side in (picture, picture.T, picture[::-1], picture[:, ::-1].T):
        assert (side[20:44].max(1) > 0.9).all()
        assert side[32, :32].max() > 0.9


def test_a_limit_is_of_each_label(tmp_path):
    text = drawings(40, "cat") + "\n".join(drawing(k, "dog") for k in range(40, 80))
    (tmp_path / "all.ndjson").write_text(text)
    labels = QuickDraw(tmp_path, limit=5).labels.tolist()
    assert labels.count("cat") == labels.count("dog") == 5


def test_other_files_beside_the_sets_folder(tmp_path):
    np.save(tmp_path / "features.npy", np.zeros((3, 4)))
    (tmp_path / "pytorch_model.bin").write_bytes(b"weights")
    (tmp_path / "quickdraw").mkdir()
    (tmp_path / "quickdraw" / "all.ndjson").write_text(drawings())
    assert set(QuickDraw(tmp_path).labels) == {"cat"}


def test_a_set_that_would_take_too_much_memory(tmp_path, monkeypatch, rng):
    monkeypatch.setenv("STROKENET_MEMORY_MB", "4")
    with zipfile.ZipFile(tmp_path / "quickdraw.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.save(header, rng.integers(256, size=(10_000, 784), dtype=np.uint8))
        archive.writestr("cat.npy", header.getvalue())
    with pytest.raises(ValueError, match=r"preparing quickdraw .*limit=.* 4 MB are allowed"):
        QuickDraw(tmp_path)
    assert len(QuickDraw(tmp_path, limit=500)) == 500


def test_changes_in_unzipped_folders_are_seen(tmp_path):
    (tmp_path / "kanji").mkdir()
    for k in range(40):
        (tmp_path / "kanji" / f"{0x4E00 + k:05x}.svg").write_text(SVG)
    before = KanjiVG(tmp_path, "train", 32)
    file = tmp_path / "kanji" / f"{ord(before.labels[0]):05x}.svg"
    file.write_text(SVG.replace("10,10L99,10", "10,90L99,90"))
    assert items(KanjiVG(tmp_path, "train", 32)) != items(before)
