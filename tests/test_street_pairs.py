"""Street pairs from folders and from the OpenMoji world: what is read, what is skipped by name, and what is cached."""

import re
import shutil
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compute.data import street_pairs
from compute.data.errors import DataError
from compute.data.labelled_images import LabelledImages
from compute.data.palette import color_values, kmeans_palette, nearest_color
from compute.data.street_pairs import PairsSource, classes_of, folder_source, load, relabel, world_source

ALL = (None, None)
CAMVID = Path(__file__).resolve().parents[2] / "shared" / "data" / "camvid_pairs"


@pytest.fixture(autouse=True)
def _no_pairs_kept_in_memory() -> Iterator[None]:
    load.cache_clear()
    yield
    load.cache_clear()


def load_without_warning(source: PairsSource, cache: Path) -> LabelledImages:
    load.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return load(source, cache)


def same_pairs(a: LabelledImages, b: LabelledImages) -> bool:
    return a.classes == b.classes and all(
        x.stems == y.stems and np.array_equal(x.photos, y.photos) and np.array_equal(x.labels, y.labels)
        for x, y in ((a.train, b.train), (a.val, b.val))
    )


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to no data."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    body = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def test_photos_and_labels_are_recovered(pairs_folder: Path, tmp_path: Path, street_labels: Callable[..., np.ndarray]) -> None:
    pairs = load_without_warning(folder_source(pairs_folder, ALL, "palette"), tmp_path / "cache")
    assert [(entry.name, entry.ignored) for entry in pairs.classes] == [
        ("sky", False),
        ("road", False),
        ("car", False),
        ("void", True),
    ]
    assert pairs.class_count == 3
    assert (pairs.train.stems, pairs.val.stems) == (("1", "2", "3", "4", "5", "6"), ("1", "2", "3"))
    for split, start in ((pairs.train, 0), (pairs.val, 100)):
        assert (split.photos.dtype, split.labels.dtype) == (np.uint8, np.uint8)
        assert split.photos.shape == (len(split.stems), 32, 32, 3)
        expected = np.stack([street_labels(start + int(stem)) for stem in split.stems])
        assert (split.labels == expected).mean() > 0.99
    folder_photo = np.asarray(Image.open(pairs_folder / "val" / "2.jpg"))[:, :32]
    assert np.array_equal(pairs.val.photos[1], folder_photo)


def test_pairs_are_read_in_numeric_order(
    tmp_path: Path, draw_pair: Callable[..., None], street_labels: Callable[..., np.ndarray]
) -> None:
    folder = tmp_path / "streets"
    for number in (10, 1, 2, 11, 9):
        draw_pair(folder / "train" / f"{number}.jpg", number)
    for name in ("town_10_b.jpg", "town_2_b.jpg", "town_2_a.JPEG", "town_10_a.png"):
        draw_pair(folder / "val" / name, 3)
    (folder / "val" / "notes.txt").write_text("no picture")
    (folder / "classes.csv").write_text("name,color\nsky,#4682b4\nroad,#804080\ncar,#e6a000\nvoid,#000000\n")
    source = folder_source(folder, ALL, "palette")
    assert source.files[0] == ("1.jpg", "2.jpg", "9.jpg", "10.jpg", "11.jpg")
    assert source.files[1] == ("town_2_a.JPEG", "town_2_b.jpg", "town_10_a.png", "town_10_b.jpg")
    pairs = load_without_warning(source, tmp_path / "cache")
    assert pairs.train.stems == ("1", "2", "9", "10", "11")
    assert (pairs.train.labels[2] == street_labels(9)).mean() > 0.99


def _truncated(path: Path) -> None:
    content = path.with_name("1.jpg").read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _photo_only(path: Path) -> None:
    photo = np.asarray(Image.open(path.with_name("1.jpg")))[:, :32]
    Image.fromarray(np.concatenate([photo, photo], axis=1)).save(path)


def _width(pixels: int) -> Callable[[Path], None]:
    return lambda path: Image.open(path.with_name("1.jpg")).resize((pixels, 32)).save(path)


def _other_size(path: Path) -> None:
    Image.open(path.with_name("1.jpg")).resize((128, 64), Image.Resampling.NEAREST).save(path, quality=95)


# Direct Draw Surface with unknown pixel format flags: Pillow recognises the format whatever the name, and gives up.
BROKEN_DDS = b"DDS " + struct.pack("<31I", 124, 0x1007, 32, 64, 0, 0, 0, *[0] * 11, 32, *[0] * 12)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(_truncated, "cannot be read as a picture", id="truncated"),
        pytest.param(lambda path: path.write_text("not a picture at all"), "cannot be read as a picture", id="text"),
        pytest.param(lambda path: path.write_bytes(b""), "cannot be read as a picture", id="empty"),
        pytest.param(lambda path: path.mkdir(), "cannot be read as a picture", id="folder"),
        pytest.param(_width(63), "63x32 pixels are no pair; the width must be even", id="odd width"),
        pytest.param(_width(24), "24x32 pixels are no pair", id="too narrow"),
        pytest.param(_photo_only, "of its right half is in none of the palette's colours", id="no mask"),
        pytest.param(_other_size, "its photo has 64x64 pixels, the others 32x32", id="other size"),
        pytest.param(
            lambda path: path.write_bytes(png_header(100_000, 100_000)), "cannot be read as a picture", id="huge claim"
        ),
        pytest.param(
            lambda path: path.write_bytes(png_header(9000, 9000)), "its header claims 9000x9000 pixels", id="large claim"
        ),
        pytest.param(lambda path: path.write_bytes(png_header(64, 32)), "cannot be read as a picture", id="claim without data"),
        pytest.param(
            lambda path: path.write_bytes(BROKEN_DDS),
            "cannot be read as a picture",
            id="broken picture of another format",
        ),
    ],
)
def test_a_bad_file_is_named_in_a_warning_and_skipped(
    pairs_folder: Path, tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    bad = pairs_folder / "train" / "7.jpg"
    spoil(bad)
    with pytest.warns(UserWarning, match=re.escape(str(bad.with_suffix("")))) as caught:
        pairs = load(folder_source(pairs_folder, ALL, "palette"), tmp_path / "cache")
    [message] = [str(warning.message) for warning in caught if warning.category is UserWarning]
    assert "skipped" in message
    assert reason in message
    assert pairs.train.stems == ("1", "2", "3", "4", "5", "6")


def test_two_pictures_of_one_stem_are_not_taken_for_one(
    pairs_folder: Path, tmp_path: Path, draw_pair: Callable[..., None]
) -> None:
    draw_pair(pairs_folder / "val" / "2.png", 9)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            pairs = load(folder_source(pairs_folder, ALL, "palette"), tmp_path / "cache")
    except DataError as error:
        assert "2.png" in str(error)  # noqa: PT017
    else:
        assert len(set(pairs.val.stems)) == len(pairs.val.stems)
        assert [warning for warning in caught if "2.png" in str(warning.message)]


def test_a_superscript_in_a_file_name_is_no_number(pairs_folder: Path) -> None:
    (pairs_folder / "train" / "1.jpg").rename(pairs_folder / "train" / "1²3.jpg")
    assert "1²3.jpg" in folder_source(pairs_folder, ALL, "palette").files[0]


@pytest.mark.parametrize("mode", ["CMYK", "P", "RGBA"])
def test_a_pair_in_another_colour_mode_is_read(
    pairs_folder: Path, tmp_path: Path, street_labels: Callable[..., np.ndarray], mode: str
) -> None:
    path = pairs_folder / "train" / "3.jpg"
    picture = Image.open(path).convert(mode, palette=Image.Palette.ADAPTIVE)
    path.unlink()
    picture.save(path.with_suffix(".jpg" if mode == "CMYK" else ".png"), **({"quality": 95} if mode == "CMYK" else {}))
    pairs = load_without_warning(folder_source(pairs_folder, ALL, "palette"), tmp_path / "cache")
    assert pairs.train.stems == ("1", "2", "3", "4", "5", "6")
    assert (pairs.train.labels[2] == street_labels(3)).mean() > 0.95


def test_a_greyscale_pair_is_read_where_the_palette_is_grey(
    pairs_folder: Path, tmp_path: Path, street_labels: Callable[..., np.ndarray]
) -> None:
    for path in pairs_folder.glob("*/*.jpg"):
        Image.open(path).convert("L").save(path, quality=95)
    greys = {"sky": "#747474", "road": "#5a5a5a", "car": "#a3a3a3", "void": "#000000"}  # 0.299 R + 0.587 G + 0.114 B
    (pairs_folder / "classes.csv").write_text("name,color\n" + "".join(f"{name},{color}\n" for name, color in greys.items()))
    pairs = load_without_warning(folder_source(pairs_folder, ALL, "palette"), tmp_path / "cache")
    assert pairs.val.photos.shape == (3, 32, 32, 3)
    assert (pairs.val.labels[0] == street_labels(101)).mean() > 0.95


@pytest.mark.parametrize("missing", ["", "train", "val"])
def test_a_missing_folder_is_refused_with_what_was_expected(pairs_folder: Path, missing: str) -> None:
    shutil.rmtree(pairs_folder / missing)
    with pytest.raises(DataError) as caught:
        folder_source(pairs_folder, ALL, "palette")
    assert f"{pairs_folder / (missing or 'train')}: holds no pictures" in str(caught.value)
    assert f"Expected are {pairs_folder}/train/1.jpg and {pairs_folder}/val/1.jpg" in str(caught.value)


def test_an_empty_split_is_refused_with_what_was_expected(pairs_folder: Path) -> None:
    for path in (pairs_folder / "train").iterdir():
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(DataError, match=r"train: holds no pictures. Expected are .*photo on the left and its colour mask"):
        folder_source(pairs_folder, ALL, "palette")


def test_a_malformed_palette_is_refused_before_anything_is_decoded(pairs_folder: Path) -> None:
    (pairs_folder / "classes.csv").write_text("name,color\nsky,blue\n")
    with pytest.raises(DataError, match=r"classes\.csv, line 2"):
        folder_source(pairs_folder, ALL, "palette")


def test_a_folder_of_photos_without_masks_is_refused_with_what_was_expected(pairs_folder: Path, tmp_path: Path) -> None:
    for path in (pairs_folder / "val").iterdir():
        _photo_only(path)
    with pytest.raises(DataError) as caught:
        load(folder_source(pairs_folder, ALL, "palette"), tmp_path / "cache")
    assert "val: none of its 3 pictures is a usable pair" in str(caught.value)
    assert "a photo on the left and its colour mask on the right" in str(caught.value)
    assert str(pairs_folder / "val" / "1.jpg") in str(caught.value)


def test_masks_in_the_colours_of_another_palette_are_refused(pairs_folder: Path, tmp_path: Path) -> None:
    (pairs_folder / "classes.csv").write_text("name,color\na,#00ff00\nb,#ff00ff\n")
    with pytest.raises(DataError, match="in none of the palette's colours"):
        load(folder_source(pairs_folder, ALL, "palette"), tmp_path / "cache")


def test_limits_are_spread_evenly_over_each_split(tmp_path: Path) -> None:
    for split, count in (("train", 10), ("val", 5)):
        (tmp_path / split).mkdir()
        for number in range(1, count + 1):
            (tmp_path / split / f"{number}.jpg").write_bytes(b"%d" % number)
    taken = folder_source(tmp_path, (4, 2), "palette").files
    assert taken == (("1.jpg", "3.jpg", "6.jpg", "8.jpg"), ("1.jpg", "3.jpg"))
    assert folder_source(tmp_path, (10, 99), "palette").files == folder_source(tmp_path, ALL, "palette").files
    assert len(folder_source(tmp_path, ALL, "palette").files[0]) == 10


def test_a_second_load_decodes_nothing_and_warns_again(
    pairs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pairs_folder / "train" / "4.jpg").write_bytes(b"broken")
    source = folder_source(pairs_folder, ALL, "palette")
    with pytest.warns(UserWarning, match="4.jpg: skipped"):
        first = load(source, tmp_path / "cache")
    load.cache_clear()

    def fail(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(street_pairs, "_read_pair", fail)
    with pytest.warns(UserWarning, match="4.jpg: skipped"):
        assert same_pairs(load(source, tmp_path / "cache"), first)
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize("kept_share", [0.0, 0.001, 0.5, 0.99, None])
def test_a_damaged_cache_file_is_made_again(pairs_folder: Path, tmp_path: Path, kept_share: float | None) -> None:
    source = folder_source(pairs_folder, ALL, "palette")
    first = load_without_warning(source, tmp_path / "cache")
    [cached] = (tmp_path / "cache").iterdir()
    whole = cached.read_bytes()
    cached.write_bytes(b"no archive" if kept_share is None else whole[: int(kept_share * len(whole))])
    assert same_pairs(load_without_warning(source, tmp_path / "cache"), first)
    assert len(cached.read_bytes()) == len(whole)


def test_the_fingerprint_follows_pictures_palette_limits_and_labels_but_not_the_place(
    pairs_folder: Path, tmp_path: Path, draw_pair: Callable[..., None]
) -> None:
    before = folder_source(pairs_folder, ALL, "palette")
    copy = tmp_path / "copy" / pairs_folder.name
    shutil.copytree(pairs_folder, copy)
    assert folder_source(copy, ALL, "palette").fingerprint == before.fingerprint
    assert folder_source(copy, ALL, "palette").dataset == before.dataset
    others = [folder_source(copy, (5, None), "palette"), folder_source(copy, ALL, "kmeans")]
    draw_pair(copy / "val" / "2.jpg", 77)
    others.append(folder_source(copy, ALL, "palette"))
    (copy / "classes.csv").write_text((copy / "classes.csv").read_text().replace("car", "lorry"))
    others.append(folder_source(copy, ALL, "palette"))
    assert len({source.fingerprint for source in (before, *others)}) == 5


def test_a_changed_picture_is_decoded_afresh(
    pairs_folder: Path, tmp_path: Path, draw_pair: Callable[..., None], street_labels: Callable[..., np.ndarray]
) -> None:
    load(folder_source(pairs_folder, ALL, "palette"), tmp_path / "cache")
    draw_pair(pairs_folder / "val" / "2.jpg", 105)
    pairs = load(folder_source(pairs_folder, ALL, "palette"), tmp_path / "cache")
    assert (pairs.val.labels[1] == street_labels(105)).mean() > 0.99


def test_the_name_of_a_data_set_tells_folder_labels_and_contents(pairs_folder: Path) -> None:
    palette, kmeans = (folder_source(pairs_folder, ALL, labels) for labels in ("palette", "kmeans"))
    assert palette.dataset == f"tiny_streets-{palette.fingerprint[:8]}"
    assert kmeans.dataset == f"tiny_streets-kmeans-{kmeans.fingerprint[:8]}"


def test_kmeans_labels_need_no_palette_and_are_the_nearest_cluster(pairs_folder: Path, tmp_path: Path) -> None:
    (pairs_folder / "classes.csv").write_text("no palette")
    pairs = load_without_warning(folder_source(pairs_folder, ALL, "kmeans"), tmp_path / "cache")
    assert pairs.classes == kmeans_palette(0)
    assert pairs.class_count == 10
    mask = np.asarray(Image.open(pairs_folder / "val" / "1.jpg"))[:, 32:]
    expected, _ = nearest_color(mask, color_values(kmeans_palette(0)))
    assert np.array_equal(pairs.val.labels[0], expected)
    assert expected.max() > 3


def test_relabel_takes_the_usable_validation_masks_by_other_colours(pairs_folder: Path, tmp_path: Path) -> None:
    (pairs_folder / "val" / "2.jpg").write_bytes(b"broken")
    source = folder_source(pairs_folder, ALL, "palette")
    with pytest.warns(UserWarning, match="2.jpg"):
        pairs = load(source, tmp_path / "cache")
    colors = np.array([[0, 0, 0], [0x80, 0x40, 0x80]], dtype=np.float32)
    labels = relabel(source, pairs, colors)
    assert labels.shape == (2, 32, 32)
    assert (labels[:, -10:, 2:8] == 1).mean() > 0.9  # road, or a car, which is nearer to it than to black
    assert (labels[:, :, -1] == 0).all()


def test_the_world_is_drawn_when_first_loaded_and_known_before(tmp_path: Path) -> None:
    source = world_source(tmp_path / "cache", 4, 2, seed=0, labels="palette")
    classes = classes_of(source)
    assert not (tmp_path / "cache").exists()
    assert source.fingerprint == world_source(tmp_path / "elsewhere", 4, 2, seed=0, labels="palette").fingerprint
    pairs = load_without_warning(source, tmp_path / "cache")
    assert pairs.classes == classes
    assert pairs.class_count == 10
    assert pairs.train.photos.shape == (4, 256, 256, 3)
    assert pairs.val.labels.shape == (2, 256, 256)
    assert len(np.unique(pairs.train.labels)) > 5
    assert pairs.train.labels.max() < 10
    assert sorted(path.name for path in source.directory.iterdir()) == ["README.md", "classes.csv", "train", "val"]


def test_worlds_of_other_size_seed_or_labels_are_other_data_sets(tmp_path: Path) -> None:
    sources = [
        world_source(tmp_path, 4, 2, seed=0, labels="palette"),
        world_source(tmp_path, 4, 3, seed=0, labels="palette"),
        world_source(tmp_path, 4, 2, seed=1, labels="palette"),
        world_source(tmp_path, 4, 2, seed=0, labels="kmeans"),
    ]
    assert len({source.fingerprint for source in sources}) == 4
    assert len({source.directory for source in sources}) == 3


@pytest.mark.skipif(not CAMVID.is_dir(), reason=f"needs the real street pairs in {CAMVID}")
def test_real_street_pairs_are_all_usable_and_the_sky_is_up(tmp_path: Path) -> None:
    source = folder_source(CAMVID, ALL, "palette")
    pairs = load_without_warning(source, tmp_path / "cache")
    shutil.rmtree(tmp_path / "cache")  # a hundred MB
    assert (len(pairs.train.stems), len(pairs.val.stems)) == (367, 101)
    assert pairs.train.stems[:3] == ("1", "2", "3")
    assert pairs.class_count == 11
    assert [entry.name for entry in pairs.classes if entry.ignored] == ["void"]
    class_ids = {entry.name: entry.class_id for entry in pairs.classes}
    upper = {name: (pairs.train.labels[:, :128] == class_ids[name]).sum() for name in ("sky", "road")}
    everywhere = {name: (pairs.train.labels == class_ids[name]).sum() for name in ("sky", "road")}
    assert upper["sky"] > 0.9 * everywhere["sky"]
    assert upper["road"] < 0.1 * everywhere["road"]
    assert min(everywhere.values()) > 0.05 * pairs.train.labels.size
