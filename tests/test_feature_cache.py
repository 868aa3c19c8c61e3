"""Features in the cache: computed once, in half precision, and never trusted where the file is damaged."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from compute.data.errors import DataError
from compute.feature_cache import BATCH_IMAGES, cached_features, is_whole

PHOTOS = np.random.default_rng(0).integers(0, 256, (20, 4, 6, 3), dtype=np.uint8)
SHAPE = (20, 3, 2, 3)
VALUES_BYTES = 2 * 20 * 3 * 2 * 3


class Encoder:
    """Means over 2x2 pixels, and how many pictures they were computed of."""

    def __init__(self) -> None:
        self.pictures = 0

    def __call__(self, photos: np.ndarray) -> Tensor:
        self.pictures += len(photos)
        images = torch.from_numpy(photos).permute(0, 3, 1, 2).float() / 255
        return torch.nn.functional.avg_pool2d(images, 2)


def features(
    cache: Path, encoder: Callable[[np.ndarray], Tensor], *identity: object, photos: np.ndarray = PHOTOS
) -> np.ndarray:
    return cached_features(photos, encoder, cache, identity or ("weights", "data"), lambda *_: None)


def expected(photos: np.ndarray = PHOTOS) -> np.ndarray:
    return Encoder()(photos).to(torch.float16).numpy()


def cached_file(cache: Path) -> Path:
    [path] = cache.iterdir()
    return path


def test_features_are_computed_once_and_then_mapped(tmp_path: Path) -> None:
    encoder = Encoder()
    first = features(tmp_path, encoder)
    assert (first.shape, first.dtype, isinstance(first, np.memmap)) == (SHAPE, np.float16, True)
    assert np.array_equal(first, expected())
    assert encoder.pictures == 20 + 1  # one more tells the shape
    again = Encoder()
    assert np.array_equal(features(tmp_path, again), expected())
    assert again.pictures == 1
    assert cached_file(tmp_path).stat().st_size == VALUES_BYTES + 32


def test_progress_is_told_up_to_the_last_picture(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    cached_features(PHOTOS, Encoder(), tmp_path, ("x",), lambda done, total, _note: told.append((done, total)))
    assert told[-1] == (20, 20)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_features_are_those_of_single_pictures_in_half_precision(tmp_path: Path) -> None:
    found = features(tmp_path, Encoder())
    for place, photo in enumerate(PHOTOS):
        exact = Encoder()(photo[None])[0].numpy()
        assert np.abs(found[place] - exact).max() <= 2**-11  # half a step below 1


def test_another_identity_or_number_of_pictures_has_a_file_of_its_own(tmp_path: Path) -> None:
    features(tmp_path, Encoder(), "weights", "data")
    features(tmp_path, Encoder(), "weights", "other data")
    features(tmp_path, Encoder(), "other weights", "data")
    features(tmp_path, Encoder(), "weights", "data", photos=PHOTOS[:7])
    assert len(list(tmp_path.iterdir())) == 4
    assert np.array_equal(features(tmp_path, Encoder(), "weights", "data", photos=PHOTOS[:7]), expected(PHOTOS[:7]))


def cut(content: bytes) -> bytes:
    return content[:-1]


def cut_to_the_values(content: bytes) -> bytes:
    return content[:VALUES_BYTES]


def empty(_: bytes) -> bytes:
    return b""


def lengthen(content: bytes) -> bytes:
    return content + b"\0"


def spoil_a_value(content: bytes) -> bytes:
    return content[:100] + bytes([content[100] ^ 1]) + content[101:]


def spoil_the_digest(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def zeros_of_the_right_length(content: bytes) -> bytes:
    return bytes(len(content))


DAMAGES = [cut, cut_to_the_values, empty, lengthen, spoil_a_value, spoil_the_digest, zeros_of_the_right_length]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_computed_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    features(tmp_path, Encoder())
    path = cached_file(tmp_path)
    content = path.read_bytes()
    path.write_bytes(damage(content))
    assert not is_whole(path, SHAPE)
    encoder = Encoder()
    assert np.array_equal(features(tmp_path, encoder), expected())
    assert encoder.pictures == 21
    assert cached_file(tmp_path).read_bytes() == content
    assert is_whole(path, SHAPE)


def test_a_stopped_pass_leaves_no_file(tmp_path: Path) -> None:
    photos = np.concatenate([PHOTOS] * (2 + 2 * BATCH_IMAGES // len(PHOTOS)))
    stopped = Encoder()

    def stop(photos: np.ndarray) -> Tensor:
        if stopped.pictures > BATCH_IMAGES:
            raise KeyboardInterrupt
        return stopped(photos)

    with pytest.raises(KeyboardInterrupt):
        features(tmp_path, stop, photos=photos)
    assert list(tmp_path.iterdir()) == []
    assert np.array_equal(features(tmp_path, Encoder(), photos=photos), expected(photos))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 70_000.0])
def test_features_that_half_precision_cannot_hold_are_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(DataError, match="not all finite numbers in half precision"):
        features(tmp_path, lambda photos: torch.full((len(photos), 3, 2, 3), value))
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_to_the_features_never_reaches_the_file(tmp_path: Path) -> None:
    features(tmp_path, Encoder())[:] = 7
    assert is_whole(cached_file(tmp_path), SHAPE)
