"""VOC 2012 from a folder in exactly its layout: what is read, cut, skipped and refused."""

import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import VOCSegmentation

from compute.data import voc
from compute.data.errors import DataError
from compute.data.labelled_images import LabelledImages
from compute.data.palette import VOC_NAMES, mask_palette, voc_classes
from compute.data.voc import VocSource, load_voc, voc_source

STEMS = {"train": ["2007_000032", "2007_000039", "2007_000063"], "val": ["2008_000001", "2008_000002"]}
PALETTE = mask_palette(voc_classes()).astype(np.uint8)
SIZE_PX = 8


def write_mask(path: Path, labels: np.ndarray) -> None:
    mask = Image.fromarray(labels.astype(np.uint8))
    mask.putpalette(PALETTE.tobytes())
    mask.save(path)


def write_pair(folder: Path, stem: str, labels: np.ndarray) -> None:
    """A photo that shows each pixel in its label's color, and its palette mask."""
    Image.fromarray(PALETTE[labels]).save(folder / "JPEGImages" / f"{stem}.jpg", quality=100, subsampling=0)
    write_mask(folder / "SegmentationClass" / f"{stem}.png", labels)


def halves(height: int, width: int, left: int, right: int) -> np.ndarray:
    labels = np.full((height, width), right)
    labels[:, : width // 2] = left
    return labels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """VOCdevkit/VOC2012 with pictures of different sizes."""
    voc_folder = tmp_path / "data" / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (voc_folder / name).mkdir(parents=True)
    sizes = [(8, 8), (16, 24), (24, 16), (32, 48), (9, 13)]
    stems = [*STEMS["train"], *STEMS["val"]]
    for number, (stem, (height, width)) in enumerate(zip(stems, sizes, strict=True)):
        labels = halves(height, width, 0, number + 1)
        labels[0] = 255
        write_pair(voc_folder, stem, labels)
    for split, names in STEMS.items():
        (voc_folder / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    return voc_folder


def load_without_warning(source: VocSource, cache: Path) -> LabelledImages:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load_voc(source, cache)


def test_the_classes_are_vocs_own_and_void_keeps_its_label() -> None:
    classes = voc_classes()
    assert [entry.class_id for entry in classes] == [*range(21), 255]
    assert tuple(entry.name for entry in classes) == (*VOC_NAMES, "void")
    assert [entry.name for entry in classes if entry.ignored] == ["void"]
    colors = {entry.name: entry.color for entry in classes}
    published = {"background": "#000000", "aeroplane": "#800000", "cat": "#400000", "person": "#c08080", "void": "#e0e0c0"}
    assert {name: colors[name] for name in published} == published


@pytest.mark.parametrize("levels", [0, 1, 2])
def test_the_folder_is_found_wherever_one_points(folder: Path, levels: int) -> None:
    directory = [folder, *folder.parents][levels]
    source = voc_source(directory, SIZE_PX)
    assert source.directory == folder
    assert source.stems == (tuple(STEMS["train"]), tuple(STEMS["val"]))
    assert source.dataset == f"voc_2012-{source.fingerprint[:8]}"


def test_pictures_and_masks_are_those_that_torchvision_lists(folder: Path) -> None:
    root = folder.parents[1]
    source = voc_source(root, SIZE_PX)
    for split, stems in zip(("train", "val"), source.stems, strict=True):
        theirs = VOCSegmentation(str(root), year="2012", image_set=split, download=False)
        assert [Path(path).stem for path in theirs.images] == list(stems)
        assert [Path(path).stem for path in theirs.masks] == list(stems)


def test_labels_are_cut_from_the_middle_and_keep_their_values(folder: Path, tmp_path: Path) -> None:
    data = load_without_warning(voc_source(folder, SIZE_PX), tmp_path / "cache")
    assert data.class_count == 21
    assert data.hidden is None
    assert data.train_captions is None
    assert data.train.photos.shape == (3, 8, 8, 3)
    assert data.val.labels.shape == (2, 8, 8)
    expected = halves(8, 8, 0, 1)
    expected[0] = 255
    assert np.array_equal(data.train.labels[0], expected)  # 8x8 stays as it is
    assert np.array_equal(data.train.labels[1][1:], halves(7, 8, 0, 2))  # 24x16: the middle 16, halved
    assert set(np.unique(data.train.labels[1]).tolist()) <= {0, 2, 255}
    assert not (data.train.labels[2] == 255).any()  # 16x24: the uppermost row is cut off


def test_photo_and_mask_show_the_same_place(folder: Path, tmp_path: Path) -> None:
    labels = np.zeros((60, 90), int)
    labels[20:40, 50:60] = 15
    write_pair(folder, STEMS["val"][0], labels)
    data = load_without_warning(voc_source(folder, 30), tmp_path / "cache")
    expected = np.zeros((30, 30), int)
    expected[10:20, 17:22] = 15  # cut at column 15 and halved: (50 - 15) / 2 = 17.5, of which nearest takes from 18 or 17
    found = data.val.labels[0]
    assert (found != expected).sum() <= 10
    by_color = np.abs(data.val.photos[0].astype(int) - PALETTE[15].astype(int)).sum(axis=-1) < 120
    assert (by_color != (found == 15)).mean() < 0.03


def test_photos_are_averaged_where_they_shrink_and_labels_are_not(folder: Path, tmp_path: Path) -> None:
    stripes = np.zeros((16, 16), np.uint8)
    stripes[:, ::2] = 20
    write_mask(folder / "SegmentationClass" / f"{STEMS['val'][0]}.png", stripes)
    photo = Image.fromarray(np.repeat(stripes[..., None] * np.uint8(12), 3, axis=2))  # black and level 240
    photo.save(folder / "JPEGImages" / f"{STEMS['val'][0]}.jpg", quality=100, subsampling=0)
    data = load_without_warning(voc_source(folder, SIZE_PX), tmp_path / "cache")
    assert np.abs(data.val.photos[0][:, 1:-1].astype(int) - 120).max() < 16
    assert set(np.unique(data.val.labels[0]).tolist()) <= {0, 20}


def test_a_second_load_decodes_nothing(folder: Path, tmp_path: Path) -> None:
    source = voc_source(folder, SIZE_PX)
    first = load_without_warning(source, tmp_path / "cache")
    load_voc.cache_clear()
    for path in (folder / "JPEGImages").iterdir():
        path.unlink()
    again = load_without_warning(source, tmp_path / "cache")
    assert again.train.stems == first.train.stems
    assert np.array_equal(again.val.photos, first.val.photos)
    assert np.array_equal(again.train.labels, first.train.labels)


@pytest.mark.parametrize("kept_share", [0.0, 0.5, 0.99])
def test_a_damaged_cache_is_made_again(folder: Path, tmp_path: Path, kept_share: float) -> None:
    source = voc_source(folder, SIZE_PX)
    first = load_without_warning(source, tmp_path / "cache")
    [cached] = (tmp_path / "cache").iterdir()
    whole = cached.read_bytes()
    cached.write_bytes(whole[: int(kept_share * len(whole))])
    load_voc.cache_clear()
    assert np.array_equal(load_without_warning(source, tmp_path / "cache").val.labels, first.val.labels)
    assert len(cached.read_bytes()) == len(whole)


def rgb_mask(folder: Path, stem: str) -> None:
    path = folder / "SegmentationClass" / f"{stem}.png"
    Image.open(path).convert("RGB").save(path)


def mask_of_another_size(folder: Path, stem: str) -> None:
    write_mask(folder / "SegmentationClass" / f"{stem}.png", np.zeros((5, 8), int))


def strange_label(folder: Path, stem: str) -> None:
    write_mask(folder / "SegmentationClass" / f"{stem}.png", np.full((16, 24), 37))


def broken_photo(folder: Path, stem: str) -> None:
    path = folder / "JPEGImages" / f"{stem}.jpg"
    path.write_bytes(path.read_bytes()[:200])


def empty_mask(folder: Path, stem: str) -> None:
    (folder / "SegmentationClass" / f"{stem}.png").write_bytes(b"")


def no_mask(folder: Path, stem: str) -> None:
    (folder / "SegmentationClass" / f"{stem}.png").unlink()


def no_photo(folder: Path, stem: str) -> None:
    (folder / "JPEGImages" / f"{stem}.jpg").unlink()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (rgb_mask, r"2007_000039\.png: skipped, its pixels are colours \(RGB\)"),
        (mask_of_another_size, r"2007_000039\.png: skipped, it has 8x5 pixels, but its photo has 24x16\. Copy both again"),
        (strange_label, r"2007_000039\.png: skipped, it holds the label 37; VOC's are 0 to 20 and 255"),
        (broken_photo, r"2007_000039\.jpg: skipped, it cannot be read as a picture .* unpack the archive anew"),
        (empty_mask, r"2007_000039\.png: skipped, it cannot be read as a picture"),
        (no_mask, r"2007_000039\.png: skipped, the list names it, but it is not there"),
        (no_photo, r"2007_000039\.jpg: skipped, the list names it, but it is not there"),
    ],
)
def test_a_broken_pair_is_named_and_skipped(folder: Path, tmp_path: Path, spoil, complaint: str) -> None:
    whole = voc_source(folder, SIZE_PX)
    spoil(folder, "2007_000039")
    source = voc_source(folder, SIZE_PX)
    assert source.fingerprint != whole.fingerprint
    with pytest.warns(UserWarning, match=complaint):
        data = load_voc(source, tmp_path / "cache")
    assert data.train.stems == ("2007_000032", "2007_000063")
    assert len(data.train.photos) == len(data.train.labels) == 2


def test_a_header_that_claims_too_much_is_skipped(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voc, "LARGEST_PIXELS", 1000)
    with pytest.warns(UserWarning, match=r"2008_000001\.jpg: skipped, its header claims 48x32 pixels"):
        assert load_voc(voc_source(folder, SIZE_PX), tmp_path / "cache").val.stems == ("2008_000002",)


def test_a_split_without_a_usable_pair_is_refused(folder: Path, tmp_path: Path) -> None:
    for stem in STEMS["val"]:
        (folder / "SegmentationClass" / f"{stem}.png").unlink()
    with pytest.raises(DataError, match=r"none of the 2 photos of val\.txt is usable\.\n.*2008_000001\.png"):
        load_voc(voc_source(folder, SIZE_PX), tmp_path / "cache")


def test_a_folder_without_voc_is_refused_with_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        voc_source(tmp_path / "nowhere", SIZE_PX)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'nowhere'}: holds no VOC 2012")
    assert "VOCtrainval_11-May-2012.tar" in message
    assert "--voc DIR" in message


@pytest.mark.parametrize("missing", ["JPEGImages", "SegmentationClass", "ImageSets"])
def test_a_folder_that_lacks_a_part_is_refused(folder: Path, missing: str) -> None:
    shutil.rmtree(folder / missing)
    with pytest.raises(DataError, match=rf"holds no folder {missing}\S*, so it is no whole VOC 2012\. Download"):
        voc_source(folder, SIZE_PX)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "the list of the val photos cannot be read"),
        ("\n \n", "lists no photos"),
        ("2008_000001\n../../secret\n", "'../../secret' is no name of a photo"),
        ("2008_000001\n2008_000002\n2008_000001\n", "lists 2008_000001 more than once"),
    ],
)
def test_a_bad_list_is_refused(folder: Path, text: str | None, complaint: str) -> None:
    path = folder / "ImageSets" / "Segmentation" / "val.txt"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: {re.escape(complaint)}"):
        voc_source(folder, SIZE_PX)


def test_the_fingerprint_follows_contents_size_and_lists_but_not_the_place(folder: Path, tmp_path: Path) -> None:
    before = voc_source(folder, SIZE_PX)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert voc_source(copy, SIZE_PX).fingerprint == before.fingerprint
    others = [voc_source(copy, 16)]
    write_pair(copy, STEMS["val"][1], halves(9, 13, 3, 4))
    others.append(voc_source(copy, SIZE_PX))
    (copy / "ImageSets" / "Segmentation" / "val.txt").write_text(STEMS["val"][0])
    others.append(voc_source(copy, SIZE_PX))
    assert len({source.fingerprint for source in (before, *others)}) == 4


def test_a_size_of_nothing_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="cannot be 0 px wide"):
        voc_source(folder, 0)
