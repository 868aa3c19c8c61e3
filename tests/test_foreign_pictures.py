"""Pictures that results name: damaged, mislabelled or far too large ones are missing, and none from elsewhere is ever read."""

import os
import time
from pathlib import Path

import pytest
from foreign_files import DAMAGED, SIZE_PX, WHOLE, mask_bytes

from compute.data.errors import DataError
from compute.merge_pictures import Pictures, is_confined
from dashboard.components import gallery

READERS = {
    "photo": lambda path: gallery.photo_url(path),
    "mask": lambda path: gallery.mask_url(path),
    "four ways": lambda path: gallery.four_way_url(path, path, path, 3),
    "and or": lambda path: gallery.and_or_url(path, None),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", DAMAGED)
def test_a_picture_that_cannot_be_read_is_missing_at_once(tmp_path: Path, kind: str, reader: str) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(DAMAGED[kind])
    started = time.process_time()
    shown = READERS[reader](file)
    if kind == "half" and shown:  # what has its head may be shown as far as it goes
        assert shown.startswith("data:image/")
    elif kind in ("changed byte", "no end") and reader == "mask":
        assert shown == gallery.MISSING or shown.startswith("data:image/png;base64,")  # the browser's own bytes, of a picture
    else:
        assert shown == gallery.MISSING
    assert time.process_time() - started < 2


@pytest.mark.parametrize("name", ["picture.png", "picture.jpg"])
@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF"])
def test_a_picture_of_another_kind_than_its_name_says_is_no_mask(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / name).write_bytes(mask_bytes(kind=kind))
    assert gallery.mask_url(tmp_path / name) == gallery.MISSING
    assert gallery.mask_classes(tmp_path / name) is None


@pytest.mark.parametrize("size", [(SIZE_PX + 1, SIZE_PX), (SIZE_PX, 1), (1, 1), (2 * SIZE_PX, 2 * SIZE_PX)])
def test_masks_of_two_sizes_are_not_laid_over_each_other(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "a.png").write_bytes(WHOLE)
    (tmp_path / "b.png").write_bytes(mask_bytes(*size))
    assert gallery.four_way_url(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "a.png", 3) == gallery.MISSING
    assert gallery.and_or_url(tmp_path / "a.png", tmp_path / "b.png") == gallery.MISSING


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of pictures with every way out of it, and the secret outside."""
    images, outside = tmp_path / "images", tmp_path / "images of another"
    images.mkdir()
    outside.mkdir()
    (outside / "secret.png").write_bytes(WHOLE)
    (images / "own.png").write_bytes(WHOLE)
    (images / "link.png").symlink_to(outside / "secret.png")
    (images / "linked").symlink_to(outside)
    (images / "circle.png").symlink_to(images / "circle.png")
    os.mkfifo(images / "pipe.png")
    return images, outside


WAYS_OUT = [
    "../images of another/secret.png", "{outside}/secret.png", "./../images of another/secret.png",
    "own.png/../../images of another/secret.png", "nowhere/../../images of another/secret.png", "link.png", "linked/secret.png",
    "circle.png", "pipe.png", "", ".", "..", "/", "/etc/passwd", "/dev/zero", "/proc/self/environ", "../results.duckdb",
    "own.png\x00.png", "\x00", "x" * 5000, "a/" * 3000, "file:///etc/passwd", "http://evil.example/a.png", "~/secret.png",
    "$HOME/secret.png", "..\\images of another\\secret.png", "%2e%2e/secret.png", "\udcff.png", "own.png/",
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS_OUT)
def test_no_path_leads_out_of_the_folder_of_pictures(folders: tuple[Path, Path], way: str) -> None:
    images, outside = folders
    found = gallery.find_picture(images, way.format(outside=outside))
    assert found is None or found == images.resolve() / "own.png"
    assert found is None or way == "own.png/"


@pytest.mark.parametrize(
    "way", [way for way in WAYS_OUT if way not in ("circle.png", "pipe.png", "link.png", "linked/secret.png")]
)
def test_merging_takes_no_picture_by_such_a_path(folders: tuple[Path, Path], tmp_path: Path, way: str) -> None:
    images, outside = folders
    path = way.format(outside=outside)
    assert not is_confined(path) or not (images / path).exists()
    ours = Pictures(images, tmp_path / "ours")
    if not is_confined(path):
        with pytest.raises(DataError, match="a picture is a path below the folder of images"):
            ours.plan(path, path)


@pytest.mark.parametrize("way", ["link.png", "linked/secret.png"])
def test_merging_follows_no_link_out_of_their_folder(folders: tuple[Path, Path], tmp_path: Path, way: str) -> None:
    with pytest.raises(DataError, match="is a link that leads out of"):
        Pictures(folders[0], tmp_path / "ours").plan(way, way)


def test_a_picture_of_the_folder_is_found(folders: tuple[Path, Path]) -> None:
    assert gallery.find_picture(folders[0], "own.png") == folders[0].resolve() / "own.png"
    assert gallery.mask_url(folders[0] / "own.png").startswith("data:image/png;base64,")
