"""What several test files start from: a folder of street pairs, and trials that can be published."""

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest
from PIL import Image
from streamlit.components.v2 import manifest_scanner

from compute.results import publish
from compute.schema import TABLES
from dashboard import charts_svg

# Read when torch is imported. Small networks gain nothing from a second thread, and lose much on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

CLASSES_CSV = "name,color,ignored\nsky,#4682b4,false\nroad,#804080,false\ncar,#e6a000,false\nvoid,#000000,true\n"
COLORS = np.array([(0x46, 0x82, 0xB4), (0x80, 0x40, 0x80), (0xE6, 0xA0, 0x00), (0, 0, 0)], dtype=np.uint8)

Tables = dict[str, pandas.DataFrame]


def _street_labels(number: int, height: int = 32, width: int = 32) -> np.ndarray:
    labels = np.zeros((height, width), dtype=np.uint8)
    labels[height // 2 :] = 1
    left = (5 * number) % (width - 12)
    labels[height // 2 - 4 : height // 2 + 8, left : left + 10] = 2
    labels[:, -2:] = 3
    return labels


def _draw_pair(path: Path, number: int, height: int = 32, width: int = 32) -> None:
    labels = _street_labels(number, height, width)
    noise = np.random.default_rng(number).integers(-20, 21, (height, width, 3))
    photo = (255 - COLORS[labels].astype(int) + noise).clip(0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate([photo, COLORS[labels]], axis=1)).save(path, quality=95, subsampling=0)


@pytest.fixture(autouse=True)
def charts_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chart that a page draws in a test is held against Vega-Lite's schema, which the dashboard itself leaves out."""
    monkeypatch.setattr(charts_svg, "CHECKS_SCHEMA", True)


@pytest.fixture(scope="session", autouse=True)
def components_are_sought_once() -> Iterator[None]:
    """A page that is opened without a browser asks all installed packages for components each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", functools.cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="session")
def empty_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with every table of the contract and no row but the contract's own; not to be changed."""
    file = tmp_path_factory.mktemp("empty") / "empty.duckdb"
    with duckdb.connect(str(file)) as connection:
        for table, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
        connection.execute("INSERT INTO contract VALUES (1)")
    return file


@pytest.fixture
def street_labels() -> Callable[..., np.ndarray]:
    """Call with a number for (H, W) uint8: sky above road, a car elsewhere in each picture, void at the right edge."""
    return _street_labels


@pytest.fixture
def draw_pair() -> Callable[..., None]:
    """Call with a path and a number to write a pair: a photo whose colours tell the class through noise, and its mask."""
    return _draw_pair


@pytest.fixture
def pairs_folder(tmp_path: Path) -> Path:
    """Six pairs to train on, numbered from 1, and three to validate with, drawn from 101; 64x32 pixels, with classes.csv."""
    folder = tmp_path / "tiny streets"
    for split, count, start in (("train", 6, 0), ("val", 3, 100)):
        for number in range(1, count + 1):
            _draw_pair(folder / split / f"{number}.jpg", start + number)
    (folder / "classes.csv").write_text(CLASSES_CSV, encoding="utf-8")
    return folder


def _trial_tables(images: Path, run_id: str, trial_key: str, seed: int = 0) -> Tables:
    """All rows of a trial on two pictures of 4x4 pixels, worked out by hand; the pictures are written below `images`.

    First picture: of 10 true road pixels 9 are right, of 6 true car pixels 3. Second: 2 pixels have no class, of 8 true road
    pixels 8 are right, of 6 true car pixels 4.
    """
    photos = ["tiny-ffffffff/photo/1.jpg", "tiny-ffffffff/photo/2.jpg"]
    truths = ["tiny-ffffffff/truth/1.png", "tiny-ffffffff/truth/2.png"]
    masks = [f"runs/{run_id}/epoch_0/1.png", f"runs/{run_id}/epoch_0/2.png"]
    for path in (*photos, *truths, *masks):
        (images / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(images / path)
    ids = ["tiny-ffffffff/val/1", "tiny-ffffffff/val/2"]
    run = {
        "run_id": run_id, "trial_key": trial_key, "experiment": "unet_skip_connections", "variant": "skip",
        "profile": "mini", "seed": seed, "dataset": "tiny-ffffffff", "settings": "{}", "seconds": 1.5,
        "started_at": pandas.Timestamp("2026-01-02 03:04:05"), "device": "CPU", "host": "here", "python": "3.11",
        "torch": "2", "threads": 2, "git_commit": None, "weights": "none", "weights_sha256": None,
        "data_fingerprint": "f" * 64, "parameters": 10,
    }  # fmt: skip
    dataset = {
        "dataset": "tiny-ffffffff", "name": "Tiny", "labels": "palette", "fingerprint": "f" * 64,
        "train_images": 6, "val_images": 2, "source": "drawn by a test", "license": "CC0",
    }  # fmt: skip
    image = {
        "image_id": ids, "dataset": "tiny-ffffffff", "split": "val", "ordinal": [1, 2], "path": photos, "width": 4, "height": 4,
        "source": "drawn by a test", "license": "CC0", "sha256": ["a" * 64, "b" * 64],
    }  # fmt: skip
    score = {
        "run_id": run_id, "epoch": 0, "image_id": [ids[0], ids[0], ids[1], ids[1]], "class_id": [0, 1, 0, 1],
        "intersection": [9, 3, 8, 4], "predicted": [12, 4, 10, 4], "truth": [10, 6, 8, 6],
    }  # fmt: skip
    boundary = {
        "run_id": run_id, "image_id": [ids[0], ids[0], ids[1], ids[1]], "band": ["1-2", "3-5"] * 2,
        "correct": [8, 4, 9, 3], "total": [12, 4, 11, 3],
    }  # fmt: skip
    step = {"run_id": run_id, "epoch": 0, "step": [0, 1], "loss": [1.5, 1.25], "learning_rate": 0.01, "milliseconds": 3.5}
    cluster = {"run_id": run_id, "cluster": [0, 1], "color": ["#102030", "#405060"], "class_id": 0, "pixels": [12, 6]}
    mask = {"run_id": [None, None, run_id, run_id], "epoch": [None, None, 0, 0], "image_id": ids * 2, "path": truths + masks}
    return {
        "run": pandas.DataFrame([run]),
        "dataset": pandas.DataFrame([dataset]),
        "image": pandas.DataFrame(image),
        "segmentation_class": pandas.DataFrame(
            {
                "dataset": "tiny-ffffffff",
                "class_id": [0, 1, 2],
                "name": ["road", "car", "void"],
                "color": ["#804080", "#e6a000", "#000000"],
                "ignored": [False, False, True],
            }
        ),
        "segmentation_score": pandas.DataFrame(score),
        "foreground_score": pandas.DataFrame(
            {"run_id": run_id, "epoch": 0, "image_id": ids, "intersection": [3, 4], "union_pixels": [7, 6]}
        ),
        "boundary_score": pandas.DataFrame(boundary),
        "segmentation_mask": pandas.DataFrame(mask),
        "training_step": pandas.DataFrame(step),
        "label_cluster": pandas.DataFrame(cluster),
    }


@pytest.fixture(scope="session")
def trial_tables() -> Callable[..., Tables]:
    """As `make_trial`, but the folder of the pictures comes first."""
    return _trial_tables


@pytest.fixture
def make_trial(tmp_path: Path) -> Callable[..., Tables]:
    """Call with a run_id and a trial_key for the rows of a valid trial, whose pictures lie below tmp_path/images."""
    return lambda run_id="run-1", trial_key="trial-1", seed=0: _trial_tables(tmp_path / "images", run_id, trial_key, seed)


@pytest.fixture(scope="session")
def _published_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    publish(folder / "results.duckdb", folder / "images", _trial_tables(folder / "images", "run-1", "trial-1"))
    return folder


@pytest.fixture
def tiny_results(tmp_path: Path, _published_once: Path) -> tuple[Path, Path]:
    """A results file with one published trial, run-1 of trial-1, and the folder of its pictures."""
    shutil.copytree(_published_once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "results.duckdb", tmp_path / "images"


@pytest.fixture(scope="session")
def _full_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full")
    results, images = folder / "full.duckdb", folder / "images"
    kinds = [
        ("unet_skip_connections", "skip"),
        ("unet_skip_connections", "no_skip"),
        ("segmentation_metric", "constant_car"),
        ("segmentation_metric", "kmeans_labels"),
    ]
    for experiment, variant in kinds:
        tables = _trial_tables(images, f"run-{variant}", f"trial-{variant}")
        for path in tables["segmentation_mask"].path:
            Image.new("P", (4, 4)).save(images / path)
        publish(results, images, {**tables, "run": tables["run"].assign(experiment=experiment, variant=variant)})
    return folder


@pytest.fixture
def full_results(tmp_path: Path, _full_once: Path) -> tuple[Path, Path]:
    """Both experiments: two networks, a constant predictor and the clusters, all with the hand-worked counts of conftest."""
    shutil.copytree(_full_once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "full.duckdb", tmp_path / "images"
