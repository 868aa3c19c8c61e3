"""A folder with data sets that somebody sent, and the commands in it: all that lies around the results stays as it is."""

import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest import mock

import duckdb
import numpy as np
from PIL import Image
from test_blip import TEXTS, written
from test_voc import write_pair
from transformers import BlipForImageTextRetrieval
from typer.testing import CliRunner

from compute.__main__ import app, console
from compute.models import blip

PALETTE = "name,color,ignored\nsky,#4682b4,false\nroad,#804080,false\nvoid,#000000,true\n"
COLORS = np.array([(0x46, 0x82, 0xB4), (0x80, 0x40, 0x80)], dtype=np.uint8)
CLASSIFIER = """
from types import SimpleNamespace
from torchvision.transforms import Compose, Resize, ToTensor
def mine(device):
    return SimpleNamespace(name="mine", wnids=["n01440764", "n01484850"], preprocess=Compose([Resize((8, 8)), ToTensor()]),
                           logits=lambda inputs: inputs.mean(dim=(2, 3))[:, :2])
"""
CAPTIONS = "file,caption,split\na.png,a cow,train\nb.png,a bus,train\nc.png,two dogs,val\nd.png,a plane,val\n"
MARKER = "code was run"


class Place:
    """A folder with a results file of its own, and the commands in it."""

    def __init__(self, folder: Path, results: Path) -> None:
        self.folder, self.out = folder, folder / "out"
        self.out.mkdir()
        shutil.copy(results, self.out / "results.duckdb")

    def given(self) -> dict[str, str]:
        """What lies beside the folder of results, by name."""
        found = {}
        for path in self.folder.rglob("*"):
            is_own = path.is_relative_to(self.out) or "__pycache__" in path.parts  # of a classifier that was asked for
            with suppress(OSError):  # it is closed, on purpose
                if not is_own and path.is_file() and path.stat().st_size < 10**8:
                    found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def call(self, *arguments: object, code: int = 1) -> str:
        """What a command says; all that lies around it is as it was afterwards."""
        before = self.given()
        results = self.out / "results.duckdb"
        own = [results] if arguments[0] == "doctor" else ["--results", results]
        images = [] if arguments[0] == "list" else ["--images", self.out / "images"]
        given = [*arguments, *own, *images, "--cache", self.out / "cache"]
        with mock.patch.object(console, "_width", 1000):  # whatever width another test has left
            result = CliRunner().invoke(app, list(map(str, given)))
        assert result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
        assert "Traceback" not in result.output
        assert "\x1b]" not in result.output
        assert self.given() == before
        assert [path for path in self.out.rglob(".*") if path.name != ".results.duckdb.lock"] == []  # nothing half done
        assert not (self.folder / MARKER).exists()
        return result.output

    def rows(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.out / "results.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()


def pairs(folder: Path, palette: str | bytes = PALETTE) -> Path:
    """Two street pairs to train on and two to validate with, 32x16 each half."""
    labels = np.repeat([0, 1], 8)[:, None].repeat(32, axis=1)
    pixels = np.concatenate([COLORS[1 - labels], COLORS[labels]], axis=1)
    for split in ("train", "val"):
        (folder / split).mkdir(parents=True)
        for number in (1, 2):
            Image.fromarray(pixels).save(folder / split / f"{number}.png")
    (folder / "classes.csv").write_bytes(palette if isinstance(palette, bytes) else palette.encode())
    return folder


def photos(folder: Path) -> Path:
    """Four pictures, a to d."""
    folder.mkdir(parents=True)
    for number, name in enumerate("abcd"):
        Image.new("RGB", (16, 12), (60 * number, 200, 30)).save(folder / f"{name}.png")
    return folder


def voc(folder: Path) -> Path:
    """Two photos with masks to train on and two to validate with, in VOC's layout."""
    top = folder / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (top / name).mkdir(parents=True)
    for split in ("train", "val"):
        stems = [f"{split}_{number}" for number in (1, 2)]
        for stem in stems:
            write_pair(top, stem, np.repeat([0, 3], 8)[:, None].repeat(16, axis=1))
        (top / "ImageSets/Segmentation" / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in stems))
    return top


def no_weights(folder: Path) -> Path:
    (folder / "none.pth").write_bytes(b"none")
    return folder / "none.pth"


def on_pairs(place: Place, folder: Path, **options: int) -> str:
    return place.call("run", "segmentation_metric", "--pairs", folder, **options)


def on_pictures(place: Place, folder: Path, **options: int) -> str:
    """With a classifier of one's own; the four others fail at once, as their file of weights holds none."""
    (place.folder / "mine.py").write_text(CLASSIFIER)
    weights = no_weights(place.folder)
    files = ["--rn50-weights", weights, "--clip-weights", weights, "--classifier", f"{place.folder / 'mine.py'}:mine"]
    return place.call("run", "imagenet_rn50_vs_clip", "--image-folder", folder, *files, **options)


def on_voc(place: Place, folder: Path, **options: int) -> str:
    """The four heads fail, as their file of weights holds none, but after the photos were read."""
    return place.call(
        "run", "segmentation_decoder_heads", "--voc", folder, "--vit-weights", no_weights(place.folder), **options
    )


def blip_weights(folder: Path) -> Path:
    if not folder.exists():
        written(folder, BlipForImageTextRetrieval, blip.small_tokenizer(TEXTS))
    return folder


def on_captions(place: Place, folder: Path, captions: Path, **options: int) -> str:
    weights = blip_weights(place.folder / "weights")
    files = ["--captions", captions, "--image-folder", folder, "--blip-weights", weights]
    return place.call("run", "image_text_retrieval", *files, **options)


@contextmanager
def waiting_is_ended(pipes: list[Path], seconds: float = 20) -> Iterator[list[Path]]:
    """After so long, whoever still waits for one of the pipes is let go, and the pipe is named in what is yielded."""
    waited: list[Path] = []

    def let_go() -> None:
        for pipe in pipes:
            if pipe.is_fifo():
                waited.append(pipe)
                os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))

    timer = threading.Timer(seconds, let_go)
    timer.start()
    try:
        yield waited
    finally:
        timer.cancel()
