"""Object scenes on disk: drawn once, in VOC's layout, read back whole, and mended or refused where damaged."""

import csv
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image
from torchvision.datasets import VOCSegmentation

from compute.data import object_scenes
from compute.data.errors import DataError
from compute.data.labelled_images import LabelledImages
from compute.data.object_scenes import ScenesSource, load_scenes, world_scenes, write_scenes
from compute.data.openmoji_scenes import VALIDATION_START, draw_scene
from compute.data.palette import voc_classes
from compute.data.voc import load_voc, voc_source
from compute.segmentation_rows import dataset_tables

SEED, TRAIN, VAL = 5, 5, 3


def load_without_warning(source: ScenesSource, cache: Path) -> LabelledImages:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load_scenes(source, cache)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn scenes that no test changes."""
    directory = tmp_path_factory.mktemp("scenes") / "drawn"
    write_scenes(directory, TRAIN, VAL, SEED)
    return directory


@pytest.fixture
def source(drawn: Path, tmp_path: Path) -> ScenesSource:
    """Scenes that are drawn already, in a folder of the test's own."""
    described = world_scenes(tmp_path / "cache", TRAIN, VAL, SEED)
    shutil.copytree(drawn, described.directory)
    load_scenes.cache_clear()
    return described


def test_scenes_are_drawn_when_first_loaded_and_known_before(tmp_path: Path) -> None:
    source = world_scenes(tmp_path / "cache", 2, 1, SEED)
    assert not (tmp_path / "cache").exists()
    assert source.dataset == f"openmoji_scenes-{source.fingerprint[:8]}"
    assert (source.labels, source.license) == ("masks", "CC BY-SA 4.0")
    assert source.fingerprint == world_scenes(tmp_path / "elsewhere", 2, 1, SEED).fingerprint
    data = load_without_warning(source, tmp_path / "cache")
    assert data.classes == voc_classes()
    assert data.class_count == 21
    assert data.train.stems == ("train_00001", "train_00002")
    assert data.val.photos.shape == (1, 256, 256, 3)
    assert sorted(path.name for path in source.directory.iterdir()) == [
        "Hidden", "ImageSets", "JPEGImages", "README.md", "SegmentationClass", "captions.csv",
    ]  # fmt: skip
    assert "CC BY-SA 4.0" in (source.directory / "README.md").read_text(encoding="utf-8")


def test_what_is_loaded_is_what_was_drawn(source: ScenesSource, tmp_path: Path) -> None:
    data = load_without_warning(source, tmp_path / "cache")
    assert data.train_captions is not None
    assert data.val_captions is not None
    assert data.hidden is not None
    for split, captions, start in ((data.train, data.train_captions, 0), (data.val, data.val_captions, VALIDATION_START)):
        assert len(split.stems) == len(captions)
        for number in range(len(split.stems)):
            scene = draw_scene(SEED, start + number)
            assert np.array_equal(split.labels[number], scene.labels)
            assert np.abs(split.photos[number].astype(int) - scene.photo).mean() < 6  # JPEG
            assert captions[number] == scene.captions
    expected = [draw_scene(SEED, VALIDATION_START + number).hidden for number in range(VAL)]
    assert np.array_equal(data.hidden, np.stack(expected))


def test_the_folder_is_a_voc_2012_to_torchvision_and_to_our_own_reader(source: ScenesSource, tmp_path: Path) -> None:
    data = load_without_warning(source, tmp_path / "cache")
    folder = tmp_path / "data" / "VOCdevkit" / "VOC2012"
    shutil.copytree(source.directory, folder)
    theirs = VOCSegmentation(str(tmp_path / "data"), year="2012", image_set="val", download=False)
    assert [Path(path).stem for path in theirs.images] == list(data.val.stems)
    assert np.array_equal(np.stack([np.asarray(mask) for _, mask in theirs]), data.val.labels)
    ours = load_voc(voc_source(folder, 256), tmp_path / "cache")
    assert np.array_equal(ours.train.labels, data.train.labels)
    assert np.array_equal(ours.val.photos, data.val.photos)


def test_more_scenes_only_add_to_fewer_and_other_seeds_draw_others(tmp_path: Path) -> None:
    described = [world_scenes(tmp_path, *numbers) for numbers in ((2, 1, 0), (3, 1, 0), (2, 2, 0), (2, 1, 1))]
    assert len({source.fingerprint for source in described}) == len({source.directory for source in described}) == 4
    few, more, _, other = (load_without_warning(source, tmp_path) for source in described)
    assert np.array_equal(few.train.photos, more.train.photos[:2])
    assert np.array_equal(few.val.labels, more.val.labels)
    assert not np.array_equal(few.val.labels, other.val.labels)


def test_a_second_load_draws_and_decodes_nothing(source: ScenesSource, tmp_path: Path) -> None:
    first = load_without_warning(source, tmp_path / "cache")
    load_scenes.cache_clear()
    shutil.rmtree(source.directory / "JPEGImages")
    again = load_without_warning(source, tmp_path / "cache")
    assert np.array_equal(again.train.photos, first.train.photos)
    assert again.val_captions == first.val_captions


@pytest.mark.parametrize("kept_share", [0.0, 0.5, 0.99])
def test_a_damaged_cache_is_made_again(source: ScenesSource, tmp_path: Path, kept_share: float) -> None:
    first = load_without_warning(source, tmp_path / "cache")
    [cached] = (tmp_path / "cache").glob("*.npz")
    whole = cached.read_bytes()
    cached.write_bytes(whole[: int(kept_share * len(whole))])
    load_scenes.cache_clear()
    assert np.array_equal(load_without_warning(source, tmp_path / "cache").val.labels, first.val.labels)
    assert len(cached.read_bytes()) == len(whole)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "JPEGImages" / "val_00002.jpg").write_bytes(b"broken"),
        lambda folder: (folder / "SegmentationClass" / "train_00001.png").unlink(),
    ],
)
def test_a_damaged_scene_is_refused_and_drawn_again_once_the_folder_is_gone(
    source: ScenesSource, tmp_path: Path, spoil
) -> None:
    spoil(source.directory)
    with (
        pytest.warns(UserWarning, match="skipped"),
        pytest.raises(DataError, match=r"some scenes cannot be read, .* Remove the folder, and its scenes are drawn again"),
    ):
        load_scenes(source, tmp_path / "cache")
    shutil.rmtree(source.directory)
    assert load_without_warning(source, tmp_path / "cache").val.stems == ("val_00001", "val_00002", "val_00003")


def shortened_captions(folder: Path) -> None:
    lines = (folder / "captions.csv").read_text(encoding="utf-8").splitlines()
    (folder / "captions.csv").write_text("\n".join(line for line in lines if "val_00002" not in line), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("captions.csv", None, r"captions\.csv: is missing or damaged"),
        ("captions.csv", b"nothing\nhere\n", r"captions\.csv: is missing or damaged"),
        ("captions.csv", b"file,caption\n\xff\n", r"captions\.csv: is missing or damaged"),
        ("captions.csv", b"file,caption\ntrain_00001.jpg\n", r"captions\.csv: has no caption of train_00001\.jpg"),
        ("Hidden/val_00003.png", None, r"val_00003\.png: is missing or damaged"),
        ("Hidden/val_00003.png", b"", r"val_00003\.png: is missing or damaged"),
        ("ImageSets/Segmentation/val.txt", None, r"the list of the val photos cannot be read"),
        ("ImageSets/Segmentation/val.txt", b"val_00001\n", r"does not list the scenes that were drawn"),
    ],
)
def test_a_damaged_folder_is_refused_with_the_remedy(
    source: ScenesSource, tmp_path: Path, name: str, content, complaint: str
) -> None:
    path = source.directory / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{complaint}.*Remove the folder, and its scenes are drawn again\."):
        load_scenes(source, tmp_path / "cache")


def test_a_scene_without_captions_or_with_another_size_is_named(source: ScenesSource, tmp_path: Path) -> None:
    shortened_captions(source.directory)
    with pytest.raises(DataError, match=r"captions\.csv: has no caption of val_00002\.jpg"):
        load_scenes(source, tmp_path / "cache")
    Image.new("L", (9, 9)).save(source.directory / "Hidden" / "val_00003.png")
    (source.directory / "captions.csv").unlink()
    write_scenes(tmp_path / "again", TRAIN, VAL, SEED)
    shutil.copy(tmp_path / "again" / "captions.csv", source.directory)
    with pytest.raises(DataError, match=r"val_00003\.png: is not of its photo's size"):
        load_scenes(source, tmp_path / "cache")


def test_an_interrupted_drawing_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop_at_the_third(seed: int, index: int):
        if index == 2:
            raise KeyboardInterrupt
        return draw_scene(seed, index)

    directory = tmp_path / "cache" / "scenes"
    monkeypatch.setattr(object_scenes, "draw_scene", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        write_scenes(directory, 4, 1, SEED)
    assert list(directory.parent.iterdir()) == []


def test_a_folder_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    write_scenes(tmp_path, 1, 1, SEED)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_captions_are_a_table_of_files_and_texts(drawn: Path) -> None:
    with (drawn / "captions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "caption"]
    assert {name for name, _ in rows[1:]} == {path.name for path in (drawn / "JPEGImages").iterdir()}
    assert 2 * (TRAIN + VAL) <= len(rows) - 1 <= 3 * (TRAIN + VAL)


def test_tables_and_masks_keep_the_void(source: ScenesSource, tmp_path: Path) -> None:
    data = load_without_warning(source, tmp_path / "cache")
    tables = dataset_tables(source, data, tmp_path / "images")
    classes = tables["segmentation_class"]
    assert classes.class_id.tolist() == [*range(21), 255]
    assert classes[classes.ignored].name.tolist() == ["void"]
    description = tables["dataset"].iloc[0]
    assert (description.train_images, description.val_images, description.labels) == (TRAIN, VAL, "masks")
    with Image.open(tmp_path / "images" / tables["segmentation_mask"].path[1]) as mask:
        assert np.array_equal(np.asarray(mask), data.val.labels[1])
        shown = np.asarray(mask.convert("RGB"))
    assert (shown[data.val.labels[1] == 255] == (0xE0, 0xE0, 0xC0)).all()
    assert (shown[data.val.labels[1] == 0] == 0).all()
    assert pandas.notna(tables["image"]).all(axis=None)
