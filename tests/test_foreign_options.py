"""Pipes, devices and closed folders in the place of data, and options out of range: a message at once."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from foreign_places import (
    CAPTIONS,
    Place,
    blip_weights,
    no_weights,
    on_captions,
    on_pairs,
    on_pictures,
    on_voc,
    pairs,
    photos,
    voc,
    waiting_is_ended,
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, empty_results: Path) -> Place:
    return Place(tmp_path, empty_results)


# Pipes and devices in the place of files, and folders that are closed


def on_weights(place: Place, folder: Path) -> str:
    files = ["--image-folder", folder, "--rn50-weights", place.folder / "none.pth"]
    return place.call("run", "imagenet_rn50_vs_clip", *files)


def captioned(code: int) -> Callable[[Place, Path], str]:
    return lambda place, folder: on_captions(place, folder, place.folder / "captions.csv", code=code)


def skipped(place: Place, folder: Path) -> str:
    return on_pairs(place, folder, code=0)


VOC = "VOCdevkit/VOC2012"
IN_PLACE: dict[str, tuple[str, str, Callable[[Place, Path], str], str]] = {
    "pair": ("streets", "streets/train/1.png", skipped, "skipped, it cannot be read"),
    "palette": ("streets", "streets/classes.csv", on_pairs, "cannot be read (it is a pipe or a device, not a file)"),
    "picture": ("photos", "photos/a.png", on_pictures, "cannot be read as a picture (it is a pipe or a device, not a file)"),
    "manifest": ("photos", "photos/manifest.csv", on_pictures, "cannot be read (it is a pipe or a device, not a file)"),
    "photo of VOC": (VOC, f"{VOC}/JPEGImages/train_1.jpg", on_voc, "skipped, it cannot be read as a picture"),
    "mask of VOC": (VOC, f"{VOC}/SegmentationClass/train_1.png", on_voc, "skipped, it cannot be read as a picture"),
    "list of VOC": (VOC, f"{VOC}/ImageSets/Segmentation/val.txt", on_voc, "the list of the val photos cannot be read"),
    "captions": ("photos", "captions.csv", captioned(1), "cannot be read (it is a pipe or a device, not a file)"),
    "captioned picture": ("photos", "photos/b.png", captioned(0), "1 captions of pictures that are not in the folder"),
    "weights": ("photos", "none.pth", on_weights, "cannot be read (it is a pipe or a device, not a file)"),
}


@pytest.mark.parametrize("by", ["pipe", "device"])
@pytest.mark.parametrize("kind", IN_PLACE)
def test_a_pipe_or_device_in_the_place_of_a_file_is_not_waited_for(place: Place, kind: str, by: str) -> None:
    folder, name, call, message = IN_PLACE[kind]
    pairs(place.folder / "streets")
    photos(place.folder / "photos")
    voc(place.folder)
    no_weights(place.folder)
    (place.folder / "captions.csv").write_text(CAPTIONS)
    path = place.folder / name
    path.unlink(missing_ok=True)
    if by == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    with waiting_is_ended([path]) as waited:
        output = call(place, place.folder / folder)
    assert not waited
    assert path.name.removesuffix(".png") in output
    assert message in output


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs users")
@pytest.mark.parametrize("closed", ["streets", "streets/train", "streets/classes.csv", "photos", "photos/sub", "VOCdevkit",
                                    "VOCdevkit/VOC2012", "captions.csv", "weights", "none.pth"])  # fmt: skip
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_the_doctor_names_what_is_closed_and_goes_on(empty_results: Path, closed: str, mode: int) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        place = Place(Path(temporary), empty_results)
        pairs(place.folder / "streets")
        shutil.copytree(photos(place.folder / "photos"), place.folder / "photos" / "sub")
        voc(place.folder)
        (place.folder / "captions.csv").write_text(CAPTIONS)
        blip_weights(place.folder / "weights")
        options = ["--pairs", "streets", "--image-folder", "photos", "--voc", "VOCdevkit", "--captions", "captions.csv",
                   "--blip-weights", "weights", "--rn50-weights", no_weights(place.folder)]  # fmt: skip
        given = [place.folder / each if (place.folder / str(each)).exists() else each for each in options]
        path = place.folder / closed
        is_open = path.is_file() and mode == 0o444
        for each in (place.folder, *place.folder.rglob("*")):
            os.chown(each, 65534, 65534)
        path.chmod(mode)
        own = os.geteuid()
        try:
            if own == 0:
                os.seteuid(65534)
            output = place.call("doctor", *given, code=0 if is_open or closed in ("photos/sub", "none.pth") else 1)
        finally:
            os.seteuid(own)
            path.chmod(0o700)
        if not is_open and closed not in ("photos/sub", "none.pth"):
            assert "lacks" in output
            assert closed.partition("/")[0] in output
        assert "WordNet" in output


# Options

OUT_OF_RANGE = [
    ["--seed", "-1"], ["--seed", "2147483648"], ["--seed", "99999999999999999999"], ["--seed", "nan"], ["--seed", "1.5"],
    ["--seed", "1e3"], ["--seed", ""], ["--epochs", "0"], ["--epochs", "-5"], ["--epochs", "40000"], ["--epochs", "inf"],
    ["--epochs", "NaN"], ["--profile", "../full"], ["--device", "cuda:99"], ["--labels", "k-means"], ["--engine", "rm -rf"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", OUT_OF_RANGE, ids=" ".join)
def test_an_option_out_of_range_is_refused(place: Place, arguments: list[str]) -> None:
    assert f"Invalid value for '{arguments[0]}'" in place.call("run", *arguments, code=2)
    assert place.rows("SELECT count(*) FROM run") == [(0,)]


@pytest.mark.parametrize("name", ["[/red]", "[link=file]x", "\x1b[2J", "x" * 300, "none", "a\nb"])
@pytest.mark.parametrize("option", ["--pairs", "--image-folder", "--voc"])
def test_the_name_of_a_folder_that_is_not_there_is_shown_as_it_is(place: Place, option: str, name: str) -> None:
    experiment = {
        "--pairs": "segmentation_metric",
        "--image-folder": "imagenet_rn50_vs_clip",
        "--voc": "segmentation_decoder_heads",
    }
    output = place.call("run", experiment[option], option, name)
    assert name.replace("\x1b", "\N{REPLACEMENT CHARACTER}") in output
    assert "\x1b" not in output


@pytest.mark.parametrize(
    "content", ["import sys\nsys.exit(3)", "raise KeyboardInterrupt", "def mine(device): raise SystemExit(5)"]
)
def test_a_classifier_that_ends_the_program_ends_its_trial_alone(place: Place, content: str) -> None:
    folder, weights = photos(place.folder / "photos"), no_weights(place.folder)
    (place.folder / "mine.py").write_text(content)
    files = ["--rn50-weights", weights, "--clip-weights", weights, "--classifier", f"{place.folder / 'mine.py'}:mine"]
    interrupted = "KeyboardInterrupt" in content
    output = place.call("run", "imagenet_rn50_vs_clip", "--image-folder", folder, *files, code=130 if interrupted else 1)
    assert "0 trials finished" in output
    assert interrupted or f"{place.folder / 'mine.py'}: mine failed with SystemExit" in output
