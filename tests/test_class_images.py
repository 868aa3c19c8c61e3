"""Class images from folders and from the OpenMoji world: fingerprints, what is skipped by name, caches, copies and rows."""

import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from compute.data import decode, imagenet, openmoji_classes, openmoji_images
from compute.data.class_images import ImageSource, Picture, folder_images, load_pictures, picture_tables, world_images
from compute.data.errors import DataError
from compute.results import publish

DATA = Path(os.environ.get("CONTRAST_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
PHOTOS = DATA / "imagenet_samples"
TENCH, SHARK = "n01440764", "n01484850"
RED, BLUE = (220, 30, 30), (40, 60, 200)


@pytest.fixture(autouse=True)
def _nothing_kept_in_memory() -> Iterator[None]:
    load_pictures.cache_clear()
    picture_tables.cache_clear()
    yield
    load_pictures.cache_clear()
    picture_tables.cache_clear()


def photo(width: int = 48, height: int = 32) -> Image.Image:
    """Red above blue."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (0, height // 2, width, height))
    return image


@pytest.fixture
def pictures_folder(tmp_path: Path) -> Path:
    """Two tenches, 48x32 and 640x400 pixels, a shark of 32x48 that is stored lying, and a photo without a label."""
    folder = tmp_path / "my pictures"
    for wnid in (TENCH, SHARK):
        (folder / wnid).mkdir(parents=True)
    photo().save(folder / TENCH / "1.png")
    photo(640, 400).save(folder / TENCH / "2.jpg", quality=95)
    lying = Image.Exif()
    lying[0x0112], lying[0x010E] = 6, "a secret place"
    photo(32, 48).transpose(Image.Transpose.ROTATE_90).save(folder / SHARK / "1.jpg", exif=lying, quality=95)
    photo().save(folder / "holiday.webp")
    return folder


def load_without_warning(source: ImageSource, cache: Path) -> tuple[Picture, ...]:
    load_pictures.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return load_pictures(source, cache)


def test_every_picture_of_a_folder_is_described(pictures_folder: Path, tmp_path: Path) -> None:
    pictures = load_without_warning(folder_images(pictures_folder), tmp_path / "cache")
    assert [(picture.name, picture.wnid, picture.width, picture.height) for picture in pictures] == [
        ("holiday.webp", None, 48, 32),
        (f"{TENCH}/1.png", TENCH, 48, 32),
        (f"{TENCH}/2.jpg", TENCH, 640, 400),
        (f"{SHARK}/1.jpg", SHARK, 32, 48),
    ]
    for picture in pictures:
        assert picture.path == pictures_folder / picture.name
        assert picture.sha256 == hashlib.sha256(picture.path.read_bytes()).hexdigest()
        assert (picture.style, picture.form, picture.author) == (None, None, None)
        assert (picture.source, picture.license) == ("a folder of pictures", "not stated")


def test_attribution_comes_from_the_manifest(pictures_folder: Path, tmp_path: Path) -> None:
    manifest = pictures_folder / "manifest.csv"
    header = "file,wnid,source,author,license,style\n"
    manifest.write_text(f"{header}{TENCH}/1.png,{TENCH},web,Ada,CC0,photo\n{SHARK}/1.jpg,,web,,CC BY 4.0,sketch\n")
    source = folder_images(pictures_folder)
    assert (source.source, source.license) == ("web", "stated with each picture")
    tench, shark = load_without_warning(source, tmp_path / "cache")
    assert (tench.wnid, tench.source, tench.author, tench.license, tench.style) == (TENCH, "web", "Ada", "CC0", "photo")
    assert (shark.wnid, shark.source, shark.author, shark.license, shark.style) == (None, "web", None, "CC BY 4.0", "sketch")


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(_truncate, "cannot be read as a picture", id="truncated"),
        pytest.param(lambda path: path.write_text("not found"), "cannot be read as a picture", id="text"),
        pytest.param(lambda path: path.write_bytes(b""), "cannot be read as a picture", id="empty"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), None, id="folder"),
        pytest.param(lambda path: (path.unlink(), path.symlink_to("nowhere")), "cannot be read as a picture", id="broken link"),
        pytest.param(
            lambda path: photo().save(path, "GIF", save_all=True, append_images=[photo(48, 32).rotate(180)]),
            "holds 2 frames or pages",
            id="animated",
        ),
        pytest.param(lambda path: photo(7, 7).save(path), "7x7 pixels show nothing", id="tiny"),
    ],
)
def test_a_bad_picture_is_named_in_a_warning_and_skipped(
    pictures_folder: Path, tmp_path: Path, spoil: Callable[[Path], object], reason: str | None
) -> None:
    spoil(pictures_folder / TENCH / "2.jpg")
    source = folder_images(pictures_folder)
    for _ in range(2):  # the second time from the cache
        load_pictures.cache_clear()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            pictures = load_pictures(source, tmp_path / "cache")
        assert [picture.name for picture in pictures] == ["holiday.webp", f"{TENCH}/1.png", f"{SHARK}/1.jpg"]
        messages = [str(warning.message) for warning in caught if warning.category is UserWarning]
        assert len(messages) == (0 if reason is None else 1)  # a folder by a picture's name is a folder
        for message in messages:
            assert message.startswith(f"{pictures_folder / TENCH / '2.jpg'}: skipped, {reason}")


def test_what_the_manifest_names_in_vain_is_warned_of(pictures_folder: Path, tmp_path: Path) -> None:
    (pictures_folder / "manifest.csv").write_text(f"file,wnid\n{TENCH}/1.png,{TENCH}\nlost.jpg,{SHARK}\n")
    with pytest.warns(UserWarning, match=r"manifest\.csv, line 3: skipped, there is no file 'lost\.jpg'"):
        assert len(load_pictures(folder_images(pictures_folder), tmp_path / "cache")) == 1


def test_a_folder_of_bad_pictures_is_refused_with_reasons(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"{number}.jpg").write_bytes(b"broken")
    with pytest.raises(DataError) as caught:
        load_pictures(folder_images(tmp_path), tmp_path / "cache")
    first, *reasons = str(caught.value).splitlines()
    assert first == f"{tmp_path}: none of its 7 pictures can be used."
    assert len(reasons) == 5
    assert reasons[0].startswith(f"{tmp_path / '0.jpg'}: skipped, cannot be read as a picture")


def test_a_second_load_decodes_nothing(pictures_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_without_warning(folder_images(pictures_folder), tmp_path / "cache")

    def fail(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(decode, "displayed_size", fail)
    assert load_without_warning(folder_images(pictures_folder), tmp_path / "cache") == first
    moved = pictures_folder.rename(tmp_path / "moved")
    assert [picture.path for picture in load_without_warning(folder_images(moved), tmp_path / "cache")] == [
        moved / picture.name for picture in first
    ]
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b"[1, 2, 3, 4]", b"[[1, 2]]", b"[]", None])
def test_a_damaged_cache_file_is_made_again(pictures_folder: Path, tmp_path: Path, content: bytes | None) -> None:
    first = load_without_warning(folder_images(pictures_folder), tmp_path / "cache")
    [cached] = (tmp_path / "cache").iterdir()
    whole = cached.read_bytes()
    cached.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert load_without_warning(folder_images(pictures_folder), tmp_path / "cache") == first
    assert cached.read_bytes() == whole


def test_the_fingerprint_follows_contents_names_and_labels_but_not_the_place(pictures_folder: Path, tmp_path: Path) -> None:
    before = folder_images(pictures_folder)
    copy = tmp_path / "copy" / pictures_folder.name
    shutil.copytree(pictures_folder, copy)
    assert folder_images(copy) == ImageSource(**{**vars(before), "directory": copy})
    fingerprints = [before.fingerprint]
    photo(50, 32).save(copy / TENCH / "1.png")
    fingerprints.append(folder_images(copy).fingerprint)
    (copy / TENCH / "1.png").rename(copy / TENCH / "3.png")
    fingerprints.append(folder_images(copy).fingerprint)
    (copy / TENCH).rename(copy / "n01443537")
    fingerprints.append(folder_images(copy).fingerprint)
    for row in ("holiday.webp,,,", f"holiday.webp,{TENCH},,", "holiday.webp,,sketch,", "holiday.webp,,,sketch"):
        (copy / "manifest.csv").write_text(f"file,wnid,style,license\n{row}\n")
        fingerprints.append(folder_images(copy).fingerprint)
    assert len(set(fingerprints)) == 8


def test_a_changed_picture_is_decoded_afresh(pictures_folder: Path, tmp_path: Path) -> None:
    load_pictures(folder_images(pictures_folder), tmp_path / "cache")
    photo(99, 33).save(pictures_folder / "holiday.webp")
    assert load_pictures(folder_images(pictures_folder), tmp_path / "cache")[0].width == 99


@pytest.mark.parametrize(
    ("name", "expected"),
    [("my pictures", "my_pictures"), ("ImageNet-val", "imagenet_val"), ("...", "images"), ("ü" * 120, "ü" * 60)],
)
def test_the_key_of_a_data_set_tells_folder_and_contents(tmp_path: Path, name: str, expected: str) -> None:
    source = ImageSource(name, tmp_path, "0123456789abcdef", "web", "CC0", ())
    assert source.dataset == f"{expected}-01234567"


def test_rows_and_copies(pictures_folder: Path, tmp_path: Path) -> None:
    source, images = folder_images(pictures_folder), tmp_path / "images"
    pictures = load_without_warning(source, tmp_path / "cache")
    tables = picture_tables(source, pictures, images)
    dataset = f"my_pictures-{source.fingerprint[:8]}"
    assert tables["dataset"].to_dict("records") == [
        {
            "dataset": dataset,
            "name": "my pictures",
            "labels": "wnid",
            "fingerprint": source.fingerprint,
            "train_images": 0,
            "val_images": 4,
            "source": "a folder of pictures",
            "license": "not stated",
        }
    ]
    rows = tables["image"].astype(object).where(tables["image"].notna(), None)
    columns = ["image_id", "ordinal", "path", "width", "height", "wnid", "sha256"]
    assert list(rows[columns].itertuples(index=False, name=None)) == [
        (f"{dataset}/holiday.webp", 1, f"{dataset}/photo/1.jpg", 48, 32, None, pictures[0].sha256),
        (f"{dataset}/{TENCH}/1.png", 2, f"{dataset}/photo/2.jpg", 48, 32, TENCH, pictures[1].sha256),
        (f"{dataset}/{TENCH}/2.jpg", 3, f"{dataset}/photo/3.jpg", 320, 200, TENCH, pictures[2].sha256),
        (f"{dataset}/{SHARK}/1.jpg", 4, f"{dataset}/photo/4.jpg", 32, 48, SHARK, pictures[3].sha256),
    ]
    assert set(rows["split"]) == {"val"}
    assert set(rows["dataset"]) == {dataset}
    for row in rows.itertuples():
        content = (images / row.path).read_bytes()
        assert b"secret" not in content
        with Image.open(images / row.path) as copy:
            assert (copy.format, copy.mode, copy.size) == ("JPEG", "RGB", (row.width, row.height))
            pixels = np.asarray(copy).astype(int)
        assert np.abs(pixels[2, 2] - RED).max() < 10
        assert np.abs(pixels[-3, -3] - BLUE).max() < 10


def test_copies_that_are_whole_stay_and_others_are_made_again(pictures_folder: Path, tmp_path: Path) -> None:
    source, images = folder_images(pictures_folder), tmp_path / "images"
    pictures = load_without_warning(source, tmp_path / "cache")
    before = picture_tables(source, pictures, images)
    assert picture_tables(source, pictures, images) is before
    copies = [images / path for path in before["image"]["path"]]
    contents = [copy.read_bytes() for copy in copies]
    for copy in copies:
        os.utime(copy, ns=(0, 0))
    copies[0].unlink()
    copies[1].write_bytes(contents[1][:100])
    copies[2].write_bytes(b"")
    picture_tables.cache_clear()
    pandas.testing.assert_frame_equal(picture_tables(source, pictures, images)["image"], before["image"])
    assert [copy.read_bytes() for copy in copies] == contents
    assert [copy.stat().st_mtime_ns == 0 for copy in copies] == [False, False, False, True]
    assert len(list(copies[0].parent.iterdir())) == 4


@pytest.mark.parametrize("kept", ["*", "holiday.webp", f"{TENCH}/*"])
def test_the_rows_can_be_published_also_where_nothing_is_known_of_the_pictures(
    pictures_folder: Path, tmp_path: Path, make_trial: Callable[..., dict[str, pandas.DataFrame]], kept: str
) -> None:
    for path in set(pictures_folder.rglob("*.*")) - set(pictures_folder.glob(kept)) - set(pictures_folder.glob(f"{kept}/*")):
        path.unlink()
    source = folder_images(pictures_folder)
    pictures = load_without_warning(source, tmp_path / "cache")
    tables = picture_tables(source, pictures, tmp_path / "images")
    for run in ("1", "2"):  # the second brings rows that are there already
        trial = {"run": make_trial(f"run-{run}", f"trial-{run}")["run"].assign(dataset=source.dataset), **tables}
        publish(tmp_path / "results.duckdb", tmp_path / "images", trial)
    with duckdb.connect(str(tmp_path / "results.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT image_id, wnid, style, form, author, sha256 FROM image ORDER BY ordinal").fetchall()
    expected = [(f"{source.dataset}/{picture.name}", picture.wnid, None, None, None, picture.sha256) for picture in pictures]
    assert found == expected


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stems=st.sets(
        st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60).filter(
            lambda name: not name.startswith(".") and len(name.encode()) <= 240
        )
        | st.sampled_from(["100% fish", " ", "a b", "%2e%2e", "Großer Hai", "魚", "\\..\\x", "x" * 240, "a\nb", "'; --"]),
        min_size=2,
        max_size=3,
    )
)
def test_whatever_files_are_called_copies_have_plain_names(tmp_path: Path, stems: set[str]) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as temporary:
        folder = Path(temporary) / "pictures"
        folder.mkdir()
        for stem in stems:
            photo(8, 8).save(folder / f"{stem}.png")
        source = folder_images(folder)
        pictures = load_without_warning(source, folder.parent)
        image = picture_tables(source, pictures, folder.parent / "images")["image"]
        assert set(image["image_id"]) == {f"{source.dataset}/{stem}.png" for stem in stems}
        assert list(image["path"]) == [f"{source.dataset}/photo/{number}.jpg" for number in range(1, len(stems) + 1)]
        assert all((folder.parent / "images" / path).is_file() for path in image["path"])


@pytest.fixture
def three_classes(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Makes the OpenMoji world one of three classes, which are drawn in no time; one at least has several drawings."""
    every = openmoji_classes.class_wnids()
    several = next(wnid for wnid in every if len(set(openmoji_classes.forms(wnid))) > 1)
    wnids = tuple(sorted({several, *[wnid for wnid in every if wnid != several][:2]}))
    monkeypatch.setattr(openmoji_images, "class_wnids", lambda: wnids)
    return wnids


def test_the_world_is_drawn_when_first_loaded_and_known_before(tmp_path: Path, three_classes: tuple[str, ...]) -> None:
    source = world_images(tmp_path / "cache", None, 3, seed=5)
    assert not (tmp_path / "cache").exists()
    assert source.fingerprint == world_images(tmp_path / "elsewhere", None, 3, seed=5).fingerprint
    pictures = load_without_warning(source, tmp_path / "cache")
    form_count = sum(len(openmoji_classes.forms(wnid)) for wnid in three_classes)
    assert len(pictures) == form_count * 5 * 3
    assert sorted({picture.wnid for picture in pictures}) == list(three_classes)
    for wnid in three_classes:
        forms = openmoji_classes.forms(wnid)
        for style in openmoji_classes.STYLES:
            drawn = [picture for picture in pictures if (picture.wnid, picture.style) == (wnid, style)]
            assert sorted(picture.form for picture in drawn) == sorted(form for form in forms for _ in range(3))
    assert {(picture.author, picture.license) for picture in pictures} == {("OpenMoji contributors", "CC BY-SA 4.0")}
    assert "openmoji.org" in pictures[0].source
    assert len({picture.sha256 for picture in pictures}) == len(pictures)
    assert sorted(path.name for path in source.directory.iterdir()) == ["README.md", "manifest.csv", *three_classes]
    first = pictures[0]
    drawing = openmoji_classes.draw_class_image(5, openmoji_classes.VALIDATION_START, first.wnid, first.style, first.form)
    assert first.sha256 == hashlib.sha256(drawing.tobytes()).hexdigest()
    assert (first.width, first.height) == drawing.size
    difference = np.abs(np.asarray(decode.read_rgb(first.path)).astype(int) - np.asarray(drawing))
    assert difference.mean() < 3


def test_fewer_classes_are_those_of_several_forms_and_others_spread_evenly() -> None:
    every = openmoji_classes.class_wnids()
    several = {wnid for wnid in every if len(openmoji_classes.forms(wnid)) > 1}
    chosen = openmoji_images.chosen_classes(len(several) + 10)
    assert len(set(chosen)) == len(several) + 10
    assert several < set(chosen) < set(every)
    assert list(chosen) == sorted(chosen)
    assert openmoji_images.chosen_classes(None) == openmoji_images.chosen_classes(10_000) == every


def test_other_counts_and_seeds_are_other_worlds_and_more_only_adds(tmp_path: Path, three_classes: tuple[str, ...]) -> None:
    few, many, other = (world_images(tmp_path, None, count, seed) for count, seed in ((1, 0), (2, 0), (1, 1)))
    assert len({source.fingerprint for source in (few, many, other)}) == 3
    assert len({source.directory for source in (few, many, other)}) == 3
    digests = [{picture.name: picture.sha256 for picture in load_pictures(source, tmp_path)} for source in (few, many, other)]
    assert digests[0].items() < digests[1].items()
    assert not set(digests[0].values()) & set(digests[2].values())


def test_a_world_is_drawn_once_and_may_be_read_as_any_folder(
    tmp_path: Path, three_classes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = world_images(tmp_path, None, 1, 0)
    drawn = load_without_warning(source, tmp_path)

    def fail(*_: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(openmoji_images, "draw_class_image", fail)
    assert load_without_warning(source, tmp_path) == drawn
    read = load_without_warning(folder_images(source.directory), tmp_path)
    described = [(p.name, p.wnid, p.style, p.source, p.author, p.license, p.width, p.height) for p in drawn]
    assert [(p.name, p.wnid, p.style, p.source, p.author, p.license, p.width, p.height) for p in read] == described


def test_a_world_whose_drawing_is_interrupted_leaves_nothing(
    tmp_path: Path, three_classes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def interrupted(*arguments: object) -> Image.Image:
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return photo(160, 160)

    monkeypatch.setattr(openmoji_images, "draw_class_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_pictures(world_images(tmp_path, None, 1, 0), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_world_is_named_with_its_remedy(tmp_path: Path, three_classes: tuple[str, ...]) -> None:
    source = world_images(tmp_path / "cache", None, 1, 0)
    load_pictures(source, tmp_path / "cache")
    broken = source.directory / source.listed[2].name
    broken.write_bytes(broken.read_bytes()[:50])
    load_pictures.cache_clear()
    with pytest.raises(DataError, match=r"1 of the \d+ drawn pictures are damaged\. Remove the folder, and its") as caught:
        load_pictures(source, tmp_path / "another cache")
    assert str(caught.value).startswith(f"{broken}: cannot be read as a picture")
    (source.directory / "manifest.csv").write_text("file,wnid\n")
    with pytest.raises(DataError, match=r"manifest\.csv: is missing or damaged\. Remove the folder"):
        load_pictures(source, tmp_path / "another cache")
    shutil.rmtree(source.directory)
    assert len(load_without_warning(source, tmp_path / "another cache")) == len(source.listed)


def test_the_worlds_rows_name_style_and_form(tmp_path: Path, three_classes: tuple[str, ...]) -> None:
    source = world_images(tmp_path, None, 1, 0)
    pictures = load_pictures(source, tmp_path)
    image = picture_tables(source, pictures, tmp_path / "images")["image"]
    assert list(image["style"]) == [picture.style for picture in pictures]
    assert set(image["style"]) == set(openmoji_classes.STYLES)
    assert set(image["form"]) <= set(openmoji_classes.FORMS)
    assert set(image["width"]) == {160}
    assert source.dataset == f"openmoji_classes-{source.fingerprint[:8]}"


@pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"needs the real photos in {PHOTOS}")
def test_real_photos_are_all_usable_and_of_known_classes(tmp_path: Path) -> None:
    source = folder_images(PHOTOS)
    pictures = load_without_warning(source, tmp_path)
    assert len(pictures) == 500
    assert len({picture.wnid for picture in pictures}) == 500
    assert {picture.wnid for picture in pictures} <= set(imagenet.by_wnid())
    assert all(picture.name.startswith(f"{picture.wnid}_") for picture in pictures)
    assert {min(picture.width, picture.height) for picture in pictures} == {256}
    image = picture_tables(source, pictures, tmp_path / "images")["image"]
    assert image[["width", "height"]].max().max() == 320
