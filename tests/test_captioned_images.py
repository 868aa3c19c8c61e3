"""Captioned pictures: what a file of captions may hold, which pictures are taken, and the rows that tables get of them."""

import csv
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synset_rows import run_table

from compute.data import captioned_images
from compute.data.caption_files import LONGEST_CAPTION, Tally, read_captions
from compute.data.captioned_folder import FolderCaptions, folder_captions, voc_captions
from compute.data.captioned_images import CaptionedImages
from compute.data.errors import DataError
from compute.data.object_scenes import load_scenes, world_scenes
from compute.data.voc import VocSource
from compute.results import publish
from compute.segmentation_rows import dataset_tables
from compute.segmentation_rows import image_ids as scene_ids

DATA = Path(os.environ.get("CONTRAST_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
PHOTOS = DATA / "imagenet_samples"
NO_LIMITS = (None, None)
RED, BLUE = (220, 30, 30), (40, 60, 200)
HEADER = "file,caption,split\n"
FOUR = "a.png,a red field above a blue one,train\nb.png,two colors,train\nc.png,a flag,val\nd.png,the sea,val\n"


@pytest.fixture(autouse=True)
def _nothing_kept_in_memory() -> Iterator[None]:
    captioned_images.load.cache_clear()
    captioned_images.tables.cache_clear()
    yield
    captioned_images.load.cache_clear()
    captioned_images.tables.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures a to d, 40x20 pixels, red above blue."""
    directory = tmp_path / "my pictures"
    directory.mkdir()
    for name in "abcd":
        picture = Image.new("RGB", (40, 20), RED)
        picture.paste(BLUE, (0, 10, 40, 20))
        picture.save(directory / f"{name}.png")
    return directory


@pytest.fixture
def captions(tmp_path: Path) -> Callable[..., Path]:
    """Call with a file's content for its path."""

    def write(content: str | bytes | dict | list) -> Path:
        path = tmp_path / "captions"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


def loaded(source: FolderCaptions, cache: Path, size_px: int = 16) -> tuple[CaptionedImages, list[str]]:
    """The data, and what loading it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        data = captioned_images.load(source, cache, size_px)
    return data, [str(warning.message) for warning in caught if warning.category is UserWarning]


def told(path: Path) -> tuple[list[tuple[str, str, str | None]], dict[str, int]]:
    left_out = Tally()
    found, _ = read_captions(path, left_out)
    return [(caption.file, caption.text, caption.split) for caption in found], left_out.counts


def test_a_csv_tells_files_captions_and_splits(captions: Callable[..., Path]) -> None:
    path = captions(' File , Caption ,note, SPLIT\n"x, y.jpg"," a  ""red""\n cow, here ",n,Train\n\nb.jpg,two\n')
    assert told(path) == ([("x, y.jpg", 'a "red" cow, here', "train"), ("b.jpg", "two", None)], {})
    assert told(captions("file;caption\na.jpg;a cow, a bus\n"))[0] == [("a.jpg", "a cow, a bus", None)]
    assert told(captions("caption\tfile\r\na cow, a bus\ta.jpg\r\n"))[0] == [("a.jpg", "a cow, a bus", None)]


def test_cocos_captions_are_recognised_by_their_content(captions: Callable[..., Path]) -> None:
    content = {
        "info": {},
        "images": [{"id": 7, "file_name": "000007.jpg"}, {"id": 8, "file_name": "000008.jpg"}, {"id": 9}, "odd"],
        "annotations": [
            {"id": 1, "image_id": 8, "caption": "A cow.\n"},
            {"id": 2, "image_id": 7, "caption": "A \ud800 bus\u0000."},
            {"id": 3, "image_id": 9, "caption": "of an image without a name"},
            {"id": 4, "image_id": 8},
            {"id": 5, "image_id": [8], "caption": "odd"},
            None,
        ],
    }
    found, left_out = told(captions(content))
    assert found == [("000008.jpg", "A cow.", None), ("000007.jpg", "A ? bus.", None)]
    assert left_out == {"annotations without a caption": 2, "captions of an image that the file does not list": 2}


ENCODED = [
    ("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16"), ("cp1252", "Windows-1252"), ("latin-1", "Latin-1"),
]  # fmt: skip


@pytest.mark.parametrize(("encoding", "name"), ENCODED)
def test_any_encoding_is_read_and_named(
    folder: Path, captions: Callable[..., Path], tmp_path: Path, encoding: str, name: str
) -> None:
    odd = "\x81" if encoding == "latin-1" else ""  # no character of Windows-1252
    source = folder_captions(folder, captions(f"{HEADER}{FOUR}a.png,a caf\xe9{odd},train\n".encode(encoding)), NO_LIMITS)
    data, told_of = loaded(source, tmp_path / "cache")
    assert data.train.captions[0] == ("a red field above a blue one", "a caf\xe9")
    assert told_of == (
        [] if name == "UTF-8" else [
            f"{source.file}: 5 captions of 2 train and 2 val pictures are used. It is no UTF-8 and was read as {name}."
        ]
    )  # fmt: skip


def test_utf_16_without_its_mark_loses_its_nul_bytes_and_that_is_counted(captions: Callable[..., Path]) -> None:
    path = captions("file,caption\na.png,a cow\n".encode("utf-16-le"))
    assert told(path) == ([("a.png", "a cow", None)], {"NUL bytes": 25})


ODD_ROWS = [
    ("a.png,,train", "1 empty captions (first: line 6)"),
    ("a.png,\x07 \t,train", "1 empty captions (first: line 6)"),
    (f"a.png,{'long ' * 300},train", f"1 captions of more than {LONGEST_CAPTION:,} characters (first: line 6)"),
    (",a cow,train", "1 captions that name no file (first: line 6)"),
    ("a.png,a cow,test", "1 captions of another split than train and val (first: 'test' in line 6)"),
    (
        "a.png,a cow, a bus,train",
        "1 rows of more cells than columns; a caption with commas needs quotes around it (first: line",
    ),
    ("e.png,a cow,train", "1 captions of pictures that are not in the folder (first: 'e.png' in line 6)"),
    ("sub,a cow,train", "1 captions of pictures that are not in the folder (first: 'sub' in line 6)"),
    (f"{'e' * 999}.png,a cow,train", "1 captions of pictures that are not in the folder (first: 'eeee"),
    ("../secret.png,a cow,train", "1 captions of a file outside the folder (first: '../secret.png' in line 6)"),
    ("sub/../../secret.png,a cow,train", "1 captions of a file outside the folder (first: 'sub/../../secret.png'"),
    ("..\\secret.png,a cow,train", "1 captions of a file outside the folder (first: '..\\secret.png'"),
    ("{folder}/a.png,a cow,train", "1 captions of a file outside the folder (first: '{folder}/a.png'"),
    ("C:\\a.png,a cow,train", "1 captions of a file outside the folder (first: 'C:\\a.png' in line 6)"),
    ("link.png,a cow,train", "1 captions of a file outside the folder (first: 'link.png' in line 6)"),
    ("a.png,A red field above a BLUE one,train", "1 captions that repeat another one of their picture (first: 'a.png'"),
    ("a.png,a cow,val", "1 captions of another split than their picture's first one (first: 'a.png' in line 6)"),
]


@pytest.mark.parametrize(("row", "reason"), ODD_ROWS)
def test_what_cannot_be_used_is_left_out_and_counted(
    folder: Path, captions: Callable[..., Path], tmp_path: Path, row: str, reason: str
) -> None:
    (folder / "sub").mkdir()
    Image.new("RGB", (20, 20)).save(tmp_path / "secret.png")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    path = captions(HEADER + FOUR + row.format(folder=folder) + "\n")
    data, [message] = loaded(folder_captions(folder, path, NO_LIMITS), tmp_path / "cache")
    assert message.startswith(
        f"{path}: 4 captions of 2 train and 2 val pictures are used. Left out: {reason.format(folder=folder)}"
    )
    assert (data.train.stems, data.val.stems) == (("a.png", "b.png"), ("c.png", "d.png"))
    assert data.train.captions == (("a red field above a blue one",), ("two colors",))


def test_a_picture_that_cannot_be_decoded_is_left_out(folder: Path, captions: Callable[..., Path], tmp_path: Path) -> None:
    whole = (folder / "b.png").read_bytes()
    (folder / "b.png").write_bytes(whole[:-30])
    (folder / "d.png").write_bytes(b"no picture")
    path = captions(HEADER + FOUR)
    data, [message] = loaded(folder_captions(folder, path, NO_LIMITS), tmp_path / "cache")
    assert (data.train.stems, data.val.stems, len(data.val.photos)) == (("a.png",), ("c.png",), 1)
    assert "2 captions of 1 train and 1 val pictures are used. Left out: 2 pictures that cannot be decoded (first:" in message
    (folder / "c.png").write_bytes(b"no picture either")
    with pytest.raises(
        DataError, match=r"none of its val pictures can be used\. Left out were 3 pictures that cannot be decoded"
    ):
        captioned_images.load(folder_captions(folder, path, NO_LIMITS), tmp_path / "cache", 16)


def test_captions_that_are_odd_are_kept_and_counted(folder: Path, captions: Callable[..., Path], tmp_path: Path) -> None:
    rows = "c.png,ein K\xe4fer \xfc\xdf,val\nd.png,\u4e00\u53ea\u732b,val\nd.png,A FLAG,val\n"
    rows += "a.png,a flag,train\nb.png,a caf\xe9,train\n"
    data, [message] = loaded(folder_captions(folder, captions(HEADER + FOUR + rows), NO_LIMITS), tmp_path / "cache")
    assert data.val.captions == (("a flag", "ein K\xe4fer \xfc\xdf"), ("the sea", "\u4e00\u53ea\u732b", "A FLAG"))
    assert message.endswith(
        "9 captions of 2 train and 2 val pictures are used. Kept: 2 captions that several pictures have in the very same "
        "words, so that they tie in retrieval (first: 'a flag'); 2 captions that seem not to be English, though the model "
        "knows English words only (first: 'ein K\xe4fer \xfc\xdf')."
    )


UNUSABLE = [
    ("", "lacks the column file and caption; its first line names none. Expected is a CSV with the columns file,caption"),
    ("picture,text\na.png,a cow\n", "lacks the column file and caption; its first line names picture, text. Expected is"),
    ("file,caption\n", "captions no picture of {folder} that can be used. It has no captions at all. Expected is"),
    (
        "file,caption\ne.png,a cow\n",
        "that can be used. 1 captions of pictures that are not in the folder (first: 'e.png' in li",
    ),
    ('file,caption\na.png,"a cow\n', "is no CSV (unexpected end of data). Save it as 'CSV UTF-8'."),
    ("file,caption,split\na.png,a cow,train\n", "none of its 1 pictures is for val. Add a column split with train and val."),
    ("[1, 2]", "is JSON, but has no lists 'images' and 'annotations' as COCO's has. Expected is"),
    ('{"images": [], "annotations": {}}', "is JSON, but has no lists 'images' and 'annotations'"),
    (
        '{"images": [], "annotations": [{"bbox": [1]}]}',
        "none of its 1 annotations has a 'caption', as of COCO's files captions_*",
    ),
    ('{"images": [', "is no whole JSON ("),
    ("[" * 100_000, "is no whole JSON ("),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "lacks the column file and caption"),
]


@pytest.mark.parametrize(("content", "message"), UNUSABLE)
def test_a_file_without_anything_usable_is_refused(
    folder: Path, captions: Callable[..., Path], content: str | bytes, message: str
) -> None:
    path = captions(content)
    with pytest.raises(DataError) as caught:
        folder_captions(folder, path, NO_LIMITS)
    assert str(caught.value).startswith(str(path))
    assert message.format(folder=folder) in str(caught.value)


def test_missing_folders_and_files_are_refused(folder: Path, tmp_path: Path, captions: Callable[..., Path]) -> None:
    path = captions(HEADER + FOUR)
    with pytest.raises(DataError, match="none: there is no such folder"):
        folder_captions(tmp_path / "none", path, NO_LIMITS)
    with pytest.raises(DataError, match="is a file, not a folder"):
        folder_captions(path, path, NO_LIMITS)
    with pytest.raises(DataError, match=r"none.csv: cannot be read \(No such file or directory\)"):
        folder_captions(folder, tmp_path / "none.csv", NO_LIMITS)
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        folder_captions(folder, folder, NO_LIMITS)
    with pytest.raises(DataError, match="holds no photos of VOC 2012"):
        voc_captions(folder, path, NO_LIMITS)


def test_without_a_split_the_names_hash_puts_a_fifth_in_val(folder: Path, captions: Callable[..., Path]) -> None:
    names = [f"{number}.png" for number in range(1, 101)]
    for name in names:
        shutil.copy(folder / "a.png", folder / name)
    val = {name for name in names if int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 5 == 0}
    assert 10 < len(val) < 30
    source = folder_captions(folder, captions("file,caption\n" + "".join(f"{name},a cow\n" for name in names)), NO_LIMITS)
    assert source.pictures is not None
    taken = [entry.name for entry in source.pictures.listed]
    assert taken[: source.train_count] == [name for name in names if name not in val]  # in natural order
    assert taken[source.train_count :] == [name for name in names if name in val]
    fewer = folder_captions(folder, source.file, (8, 4))
    assert fewer.pictures is not None
    assert (fewer.train_count, len(fewer.captions)) == (8, 12)
    assert fewer.pictures.listed[:2] == (source.pictures.listed[0], source.pictures.listed[source.train_count // 8])
    assert fewer.fingerprint != source.fingerprint


def test_a_fingerprint_tells_pictures_captions_and_splits_apart_and_nothing_else(
    folder: Path, captions: Callable[..., Path], tmp_path: Path
) -> None:
    def described(content: str, directory: Path = folder) -> FolderCaptions:
        return folder_captions(directory, captions(content), NO_LIMITS)

    source = described(HEADER + FOUR)
    assert source.dataset == f"my_pictures_captions-{source.fingerprint[:8]}"
    assert (source.labels, source.license) == ("captions", "not stated")
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / "my pictures")
    same = described(HEADER + FOUR + "\ne.png,not there,val\n", moved)
    assert same.fingerprint == source.fingerprint
    assert described(HEADER + FOUR.replace("sea", "sky")).fingerprint != source.fingerprint
    assert described(HEADER + FOUR.replace("b.png,two colors,train", "b.png,two colors,val")).fingerprint != source.fingerprint
    Image.new("RGB", (40, 20)).save(folder / "a.png")
    assert described(HEADER + FOUR).fingerprint != source.fingerprint


def test_vocs_lists_decide_where_they_name_a_photo(tmp_path: Path, captions: Callable[..., Path]) -> None:
    voc = tmp_path / "VOCdevkit" / "VOC2012"
    (voc / "JPEGImages").mkdir(parents=True)
    names = [f"2007_{number:06d}" for number in range(1, 7)]
    for name in names:
        Image.new("RGB", (32, 16)).save(voc / "JPEGImages" / f"{name}.jpg")
    hashed = {name: int(hashlib.sha256(f"{name}.jpg".encode()).hexdigest()[:8], 16) % 5 == 0 for name in names}
    for lists, split, listed in (
        ("Segmentation", "val", names[:2]),
        ("Segmentation", "train", names[2:3]),
        ("Main", "train", names[:4]),
    ):
        (voc / "ImageSets" / lists).mkdir(parents=True, exist_ok=True)
        (voc / "ImageSets" / lists / f"{split}.txt").write_text("".join(f"{name}\n" for name in listed))
    rows = "".join(f"{name}.jpg,a photo,\n" for name in names[:5]) + f"{names[5]}.jpg,a photo,val\n"
    source = voc_captions(tmp_path, captions(HEADER + rows), NO_LIMITS)
    assert source.pictures is not None
    taken = [entry.name.removesuffix(".jpg") for entry in source.pictures.listed]
    last = [names[4]]
    assert taken[: source.train_count] == names[2:4] + ([] if hashed[names[4]] else last)
    assert taken[source.train_count :] == names[:2] + (last if hashed[names[4]] else []) + names[5:]
    assert source.name == "VOC 2012 captions"
    assert (source.source, source.license) == (VocSource.source, VocSource.license)
    assert voc_captions(voc, source.file, NO_LIMITS).fingerprint == source.fingerprint


def test_photos_are_upright_squares_of_any_slice(folder: Path, captions: Callable[..., Path], tmp_path: Path) -> None:
    lying = Image.Exif()
    lying[0x0112] = 6
    upright = Image.open(folder / "d.png")
    upright.transpose(Image.Transpose.ROTATE_90).save(folder / "d.jpg", exif=lying, quality=95)
    content = HEADER + FOUR.replace("d.png", "d.jpg")
    data, told_of = loaded(folder_captions(folder, captions(content), NO_LIMITS), tmp_path / "cache")
    assert told_of == []
    assert data.val.stems == ("c.png", "d.jpg")
    photos = data.val.photos[:]
    assert (photos.shape, photos.dtype) == ((2, 16, 16, 3), np.uint8)
    assert data.val.photos[1:].shape == data.val.photos[-1:].shape == (1, 16, 16, 3)
    assert data.val.photos[2:].shape == (0, 16, 16, 3)
    for photo in photos:
        assert np.abs(photo[:6].mean((0, 1)) - RED).max() < 4
        assert np.abs(photo[-6:].mean((0, 1)) - BLUE).max() < 4
    (folder / "c.png").write_bytes(b"gone")
    with pytest.raises(DataError, match="cannot be read as a picture"):
        data.val.photos[:1]


def test_tables_of_a_folder_can_be_published(folder: Path, captions: Callable[..., Path], tmp_path: Path) -> None:
    Image.new("RGB", (900, 600), RED).save(folder / "c.png")
    path = captions(HEADER + FOUR + "c.png,A red flag,val\n")
    source = folder_captions(folder, path, NO_LIMITS)
    data, _ = loaded(source, tmp_path / "cache")
    tables = captioned_images.tables(source, data, tmp_path / "images")
    assert tables["image"][["image_id", "ordinal", "path", "width", "height"]].values.tolist() == [
        [f"{source.dataset}/val/c.png", 1, f"{source.dataset}/photo/1.jpg", 320, 213],
        [f"{source.dataset}/val/d.png", 2, f"{source.dataset}/photo/2.jpg", 40, 20],
    ]
    assert tables["image"].sha256[1] == hashlib.sha256((folder / "d.png").read_bytes()).hexdigest()
    assert tables["dataset"][["name", "labels", "train_images", "val_images"]].values.tolist() == [
        ["my pictures captions", "captions", 2, 2]
    ]
    first, second = captioned_images.image_ids(source, data)
    assert tables["image_caption"][["caption_id", "image_id", "ordinal", "position", "text"]].values.tolist() == [
        [f"{first}#1", first, 1, 1, "a flag"],
        [f"{first}#2", first, 2, 2, "A red flag"],
        [f"{second}#1", second, 1, 3, "the sea"],
    ]
    publish_beside(tmp_path, tables, source.dataset)


def publish_beside(folder: Path, tables: dict, dataset: str) -> None:
    """Publish the tables as a run's."""
    publish(
        folder / "results.duckdb", folder / "images", {"run": run_table("a", "caption_sampling", "greedy", dataset), **tables}
    )


def test_object_scenes_have_the_images_that_segmentation_has(tmp_path: Path) -> None:
    source = world_scenes(tmp_path / "cache", 2, 2, 3)
    data = captioned_images.load(source, tmp_path / "cache", 64)
    scenes = load_scenes(source, tmp_path / "cache")
    assert data.val.captions == scenes.val_captions
    assert data.train.captions == scenes.train_captions
    assert data.train.photos[:].shape == (2, 64, 64, 3)
    halves = scenes.val.photos.reshape(2, 64, 4, 64, 4, 3).mean((2, 4))
    assert np.abs(data.val.photos[:].astype(float) - halves).mean() < 4
    assert np.array_equal(captioned_images.load(source, tmp_path / "cache", 256).val.photos[:], scenes.val.photos)
    tables = captioned_images.tables(source, data, tmp_path / "images")
    others = dataset_tables(source, scenes, tmp_path / "images")
    assert tables["image"].equals(others["image"])
    assert tables["dataset"].equals(others["dataset"])
    assert captioned_images.image_ids(source, data) == scene_ids(source, scenes)
    assert set(tables) == {"dataset", "image", "image_caption"}
    publish_beside(tmp_path, {**others, **tables}, source.dataset)


def test_what_is_no_source_of_captions_is_refused(tmp_path: Path) -> None:
    source = VocSource(tmp_path, 16, ((), ()), "0" * 64)
    with pytest.raises(TypeError, match="VocSource is no source of captioned images"):
        captioned_images.load(source, tmp_path, 16)


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="needs the sample photos of ImageNet")
def test_real_photos_with_captions_are_loaded(tmp_path: Path) -> None:
    names = sorted(path.name for path in PHOTOS.glob("n*.jpg"))[:30]
    with (tmp_path / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "caption"])
        table.writerows((name, f"a photo of a {name[10:-4].replace('_', ' ').lower()}") for name in names)
    source = folder_captions(PHOTOS, tmp_path / "captions.csv", (20, 5))
    data, told_of = loaded(source, tmp_path / "cache", 96)
    assert told_of == []
    assert (len(data.train.stems), len(data.val.stems)) == (20, 5)
    assert data.val.photos[:].shape == (5, 96, 96, 3)
    assert 20 < data.val.photos[:].mean() < 230
    tables = captioned_images.tables(source, data, tmp_path / "images")
    assert tables["image"][["width", "height"]].max().max() == 320
    publish_beside(tmp_path, tables, source.dataset)
