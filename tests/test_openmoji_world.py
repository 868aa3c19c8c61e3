"""Street scenes of the OpenMoji world: repeatable, exactly labelled, and written whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compute.data.openmoji_world import STREET_CLASSES, VALIDATION_START, draw_street_pair, write_street_pairs

SEED = 3
PALETTE = np.array([[int(color[at : at + 2], 16) for at in (1, 3, 5)] for _, color in STREET_CLASSES])


def nearest_labels(mask: np.ndarray) -> np.ndarray:
    """Indices (H, W) of the palette colors nearest to an RGB mask (H, W, 3)."""
    return ((mask[..., None, :].astype(np.int64) - PALETTE) ** 2).sum(axis=-1).argmin(axis=-1)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("world") / "streets"
    write_street_pairs(directory, 6, 3, SEED)
    return directory


def test_palette_colors_are_far_apart() -> None:
    distances = np.linalg.norm(PALETTE[:, None] - PALETTE[None], axis=-1)
    assert len(STREET_CLASSES) == 10
    assert distances[~np.eye(10, dtype=bool)].min() > 100


def test_a_scene_depends_on_seed_and_index_only() -> None:
    first = draw_street_pair(SEED, 1)
    others = [draw_street_pair(SEED, 2), draw_street_pair(SEED + 1, 1)]
    again = draw_street_pair(SEED, 1)
    assert [picture.tobytes() for picture in first] == [picture.tobytes() for picture in again]
    for other in others:
        assert all(a.tobytes() != b.tobytes() for a, b in zip(first, other, strict=True))


def test_scenes_have_the_right_form_and_every_class_shows_up() -> None:
    seen = np.zeros(10, int)
    for index in range(30):
        photo, labels = draw_street_pair(SEED, index)
        assert (photo.mode, photo.size, labels.mode, labels.size) == ("RGB", (256, 256), "L", (256, 256))
        counts = np.bincount(np.asarray(labels).ravel())
        assert len(counts) <= 10
        seen[: len(counts)] += counts > 0
    assert (seen >= 18).all(), dict(zip([name for name, _ in STREET_CLASSES], seen, strict=True))


def test_written_layout(written: Path) -> None:
    names = sorted(path.relative_to(written).as_posix() for path in written.rglob("*") if path.is_file())
    pictures = [f"train/{number}.jpg" for number in range(1, 7)] + [f"val/{number}.jpg" for number in range(1, 4)]
    assert names == sorted([*pictures, "README.md", "classes.csv"])
    for name in pictures:
        with Image.open(written / name) as picture:
            assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (512, 256))
    rows = (written / "classes.csv").read_text(encoding="utf-8").splitlines()
    assert rows == ["name,color,ignored", *(f"{name},{color},false" for name, color in STREET_CLASSES)]
    assert "CC BY-SA 4.0" in (written / "README.md").read_text(encoding="utf-8")


def test_labels_are_recovered_from_the_written_masks(written: Path) -> None:
    agreements = []
    for split, count, start in (("train", 6, 0), ("val", 3, VALIDATION_START)):
        for number in range(count):
            photo, labels = draw_street_pair(SEED, start + number)
            pair = np.asarray(Image.open(written / split / f"{number + 1}.jpg"))
            agreements.append(np.mean(nearest_labels(pair[:, 256:]) == np.asarray(labels)))
            assert np.abs(pair[:, :256].astype(int) - np.asarray(photo)).mean() < 8
    assert np.mean(agreements) > 0.99


def test_an_interrupted_write_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        assert total == 3
        if done == 2:
            raise KeyboardInterrupt

    directory = tmp_path / "cache" / "streets"
    with pytest.raises(KeyboardInterrupt):
        write_street_pairs(directory, 2, 1, SEED, interrupt)
    assert list(directory.parent.iterdir()) == []

    reports: list[tuple[int, int]] = []
    write_street_pairs(directory, 2, 1, SEED, lambda done, total: reports.append((done, total)))
    assert reports == [(1, 3), (2, 3), (3, 3)]
    assert list(directory.parent.iterdir()) == [directory]

    changed = directory / "train" / "1.jpg"
    changed.write_bytes(b"kept")
    write_street_pairs(directory, 5, 5, SEED)
    assert changed.read_bytes() == b"kept"
