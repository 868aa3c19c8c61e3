"""The command line from end to end on tiny pairs, and what it says when something is missing."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas
import pytest
import torch
from click.testing import Result
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from compute import __main__ as command_line
from compute import plan
from compute.connection import finished_trials
from compute.data.street_pairs import load
from compute.experiments import imagenet_rn50_vs_clip, segmentation_metric, unet_skip_connections
from compute.models import class_training
from compute.segmentation_rows import dataset_tables

# Small enough for a second, trained enough to predict every class and something else in each picture.
TINY = unet_skip_connections.Settings(
    base_channels=2, image_size_px=32, batch_size=4, epochs=8, learning_rate=0.05, schedule="constant", seeds=1
)
SCORED = 3  # classes of pairs_folder: sky, road, car; the fourth is ignored
ON_PAIRS = ("unet_skip_connections", "segmentation_metric")
BANDS = {"1-2": (1, 2), "3-5": (3, 5), "6-10": (6, 10), "over 10": (11, 10**6)}


@pytest.fixture(autouse=True)
def _tiny_experiments(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(unet_skip_connections.PROFILES, "mini", TINY)
    monkeypatch.setattr(
        command_line, "console", Console(width=500, emoji=command_line.console._emoji)
    )  # so that no message is wrapped
    load.cache_clear()
    dataset_tables.cache_clear()
    yield
    load.cache_clear()
    dataset_tables.cache_clear()


@dataclass(frozen=True)
class Workplace:
    folder: Path
    pairs: Path

    @property
    def results(self) -> Path:
        return self.folder / "out" / "results.duckdb"

    @property
    def images(self) -> Path:
        return self.folder / "out" / "images"

    def call(self, command: str, *arguments: object) -> Result:
        """Call a command on this workplace's files; an option given again counts."""
        places = [self.results] if command == "doctor" else ["--results", self.results]
        places += ["--pairs", self.pairs, "--cache", self.folder / "cache"]
        places += [] if command == "list" else ["--images", self.images]
        return CliRunner().invoke(command_line.app, [command, *map(str, places), *map(str, arguments)])

    def query(self, sql: str) -> pandas.DataFrame:
        with duckdb.connect(str(self.results), read_only=True) as connection:
            return connection.execute(sql).df()

    def picture(self, path: str) -> np.ndarray:
        with Image.open(self.images / path) as image:
            return np.asarray(image)


@pytest.fixture
def workplace(tmp_path: Path, pairs_folder: Path) -> Workplace:
    return Workplace(tmp_path, pairs_folder)


def slow_distances(truth: np.ndarray) -> dict[tuple[int, int], int]:
    """Chessboard distance of each scored pixel to the nearest scored pixel of another class."""
    ys, xs = np.nonzero(truth < SCORED)
    values = truth[ys, xs]
    apart = np.maximum(abs(ys[:, None] - ys), abs(xs[:, None] - xs))
    nearest = np.where(values[:, None] != values, apart, 10**5).min(axis=1)
    return {(int(y), int(x)): int(distance) for y, x, distance in zip(ys, xs, nearest, strict=True)}


def test_both_experiments_run_from_end_to_end_and_the_stored_masks_give_the_stored_counts(workplace: Workplace) -> None:
    result = workplace.call("run", *ON_PAIRS)
    assert result.exit_code == 0, result.output
    assert "6 trials finished." in result.output
    variants = workplace.query("SELECT experiment, variant, seed FROM run ORDER BY experiment, variant").values.tolist()
    assert variants == [
        ["segmentation_metric", "constant_car", 0],
        ["segmentation_metric", "constant_road", 0],
        ["segmentation_metric", "constant_sky", 0],
        ["segmentation_metric", "kmeans_labels", 0],
        ["unet_skip_connections", "no_skip", 0],
        ["unet_skip_connections", "skip", 0],
    ]
    masks = workplace.query(
        """SELECT run.run_id, experiment, variant, m.epoch, image_id, m.path, t.path AS truth_path
           FROM segmentation_mask m JOIN run USING (run_id) JOIN segmentation_mask t USING (image_id)
           WHERE t.run_id IS NULL ORDER BY ALL"""
    )
    networks = masks[masks.experiment == "unet_skip_connections"]
    assert networks.groupby("variant").size().to_dict() == {"skip": 3, "no_skip": 3}
    assert set(networks.epoch) == {TINY.epochs - 1}
    predictions = [workplace.picture(path) for path in networks.path]
    assert len({prediction.tobytes() for prediction in predictions}) == 6
    assert len(np.unique(predictions)) == SCORED
    for mask in networks.itertuples():
        truth, predicted = workplace.picture(mask.truth_path), workplace.picture(mask.path)
        assert truth.shape == predicted.shape == (32, 32)
        assert_counts_of_picture(workplace, mask.run_id, mask.epoch, mask.image_id, truth, predicted)
    for class_id, name in enumerate(("sky", "road", "car")):
        [run_id] = workplace.query(f"SELECT run_id FROM run WHERE variant = 'constant_{name}'").run_id
        for image_id, path in masks.drop_duplicates("image_id")[["image_id", "truth_path"]].itertuples(index=False):
            truth = workplace.picture(path)
            assert_counts_of_picture(workplace, run_id, 0, image_id, truth, np.full_like(truth, class_id))
    assert_cluster_counts(workplace, masks[masks.variant == "kmeans_labels"])


def assert_counts_of_picture(
    workplace: Workplace, run_id: str, epoch: int, image_id: str, truth: np.ndarray, predicted: np.ndarray
) -> None:
    chosen = f"run_id = '{run_id}' AND image_id = '{image_id}'"
    scored = truth < SCORED
    assert 0 < (~scored).sum() < 100
    scores = workplace.query(f"FROM segmentation_score WHERE {chosen} AND epoch = {epoch} ORDER BY class_id")
    assert scores[["class_id", "intersection", "predicted", "truth"]].values.tolist() == [
        [
            class_id,
            ((truth == class_id) & (predicted == class_id)).sum(),
            ((predicted == class_id) & scored).sum(),
            (truth == class_id).sum(),
        ]
        for class_id in range(SCORED)
    ]
    foreground = workplace.query(f"FROM foreground_score WHERE {chosen} AND epoch = {epoch}")
    assert foreground[["intersection", "union_pixels"]].values.tolist() == [
        [np.logical_and(truth, predicted)[scored].sum(), np.logical_or(truth, predicted)[scored].sum()]
    ]
    distances = slow_distances(truth)
    boundary = workplace.query(f"FROM boundary_score WHERE {chosen}").set_index("band")
    assert set(boundary.index) == set(BANDS)
    for band, (nearest, furthest) in BANDS.items():
        places = [place for place, distance in distances.items() if nearest <= distance <= furthest]
        right = sum(int(truth[place] == predicted[place]) for place in places)
        assert boundary.loc[band, ["correct", "total"]].tolist() == [right, len(places)], band


def assert_cluster_counts(workplace: Workplace, masks: pandas.DataFrame) -> None:
    pixels = np.zeros((10, SCORED), dtype=int)
    for mask in masks.itertuples():
        truth, clusters = workplace.picture(mask.truth_path), workplace.picture(mask.path)
        np.add.at(pixels, (clusters[truth < SCORED], truth[truth < SCORED]), 1)
    assert len(masks) == 3
    counted = workplace.query("FROM label_cluster ORDER BY cluster, class_id")
    assert counted.pixels.tolist() == pixels.ravel().tolist()
    assert pixels.sum() > 2500


def test_every_epoch_is_scored_and_every_step_is_kept(workplace: Workplace) -> None:
    assert workplace.call("run", "unet_skip_connections").exit_code == 0
    epochs = workplace.query("SELECT run_id, epoch, count(*) AS n FROM segmentation_score GROUP BY ALL ORDER BY ALL")
    assert epochs[["epoch", "n"]].values.tolist() == [[epoch, 9] for epoch in range(TINY.epochs)] * 2
    steps = workplace.query("SELECT run_id, list(epoch ORDER BY step) AS epochs FROM training_step GROUP BY run_id")
    assert [list(epochs) for epochs in steps.epochs] == [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]] * 2
    assert workplace.query("SELECT count(*) AS n FROM segmentation_mask WHERE run_id IS NOT NULL").n.tolist() == [6]


def test_the_pictures_of_the_data_set_are_those_of_the_pairs(workplace: Workplace) -> None:
    assert workplace.call("run", "segmentation_metric").exit_code == 0
    images = workplace.query("SELECT image_id, ordinal, path, width, height FROM image ORDER BY ordinal")
    assert [image_id.partition("/val/")[2] for image_id in images.image_id] == ["1", "2", "3"]
    assert images[["ordinal", "width", "height"]].values.tolist() == [[1, 32, 32], [2, 32, 32], [3, 32, 32]]
    for number, path in enumerate(images.path, start=1):
        pair = np.asarray(Image.open(workplace.pairs / "val" / f"{number}.jpg"))
        assert (
            abs(workplace.picture(path).astype(int) - pair[:, :32]).mean() < 16
        )  # compressed once more, and these are nothing but noise
    classes = workplace.query("SELECT class_id, name, color, ignored FROM segmentation_class ORDER BY class_id")
    assert classes.values.tolist() == [
        [0, "sky", "#4682b4", False],
        [1, "road", "#804080", False],
        [2, "car", "#e6a000", False],
        [3, "void", "#000000", True],
    ]


def test_a_second_run_does_nothing_and_one_with_force_does_all_again(workplace: Workplace) -> None:
    assert workplace.call("run", "segmentation_metric").exit_code == 0
    before = workplace.results.read_bytes()
    second = workplace.call("run", "segmentation_metric")
    assert (second.exit_code, "0 trials finished, 4 were there already." in second.output) == (0, True)
    assert workplace.results.read_bytes() == before
    forced = workplace.call("run", "segmentation_metric", "--force")
    assert (forced.exit_code, "4 trials finished." in forced.output) == (0, True)
    assert len(finished_trials(workplace.results)) == 4


def test_the_list_tells_what_is_done(workplace: Workplace) -> None:
    before = workplace.call("list")
    assert before.exit_code == 0
    assert "unet_skip_connections: 0 of 2 done" in before.output
    assert "segmentation_metric: 0 of 4 done" in before.output
    assert unet_skip_connections.QUESTION in before.output
    assert segmentation_metric.QUESTION in before.output
    assert "segmentation_decoder_heads: 0 of 4 done" in before.output
    assert "rn50_architectures: 0 of 2 done" in before.output
    assert "wordnet_synsets: 0 of 1 done" in before.output
    assert "imagenet_rn50_vs_clip: 0 of 4 done" in before.output
    assert "fp32_vs_fp16: 0 of 5 done" in before.output
    assert "caption_sampling: 0 of 31 done" in before.output
    assert "image_text_retrieval: 0 of 13 done" in before.output
    assert before.output.count("not yet") == 6 + 4 + 2 + 1 + 4 + 5 + 31 + 13
    assert "pkg_resources" not in before.output
    assert not workplace.results.parent.exists()
    workplace.call("run", "segmentation_metric")
    after = workplace.call("list")
    assert "unet_skip_connections: 0 of 2 done" in after.output
    assert "segmentation_metric: 4 of 4 done" in after.output
    assert all(f"done, run {run_id}" in after.output for run_id in finished_trials(workplace.results).values())
    assert "segmentation_metric: 0 of 4 done" in workplace.call("list", "--seed", "1").output


def test_another_number_of_epochs_is_another_trial_where_something_is_trained(workplace: Workplace) -> None:
    workplace.call("run", *ON_PAIRS)
    result = workplace.call("run", *ON_PAIRS, "--epochs", "3")
    assert "2 trials finished, 4 were there already." in result.output
    longest = workplace.query("SELECT max(epoch) AS epoch FROM segmentation_score JOIN run USING (run_id) GROUP BY run_id")
    assert sorted(longest.epoch) == [0, 0, 0, 2, 2, 7, 7]


def test_another_seed_is_another_trial(workplace: Workplace) -> None:
    workplace.call("run", "segmentation_metric")
    other = workplace.call("run", "segmentation_metric", "--seed", "1")
    assert "4 trials finished." in other.output
    assert sorted(set(workplace.query("SELECT seed FROM run").seed)) == [0, 1]


def test_kmeans_labels_run_and_are_a_data_set_of_their_own(workplace: Workplace) -> None:
    workplace.call("run", "segmentation_metric")
    result = workplace.call("run", *ON_PAIRS, "--labels", "kmeans")
    assert result.exit_code == 0, result.output
    assert "12 trials finished." in result.output  # two networks and ten constants; there is no palette to compare with
    datasets = workplace.query("SELECT dataset, labels FROM dataset ORDER BY labels")
    assert datasets.labels.tolist() == ["kmeans", "palette"]
    assert datasets.dataset.nunique() == 2
    assert workplace.query("SELECT count(*) AS n FROM segmentation_class").n.tolist() == [14]
    assert workplace.query("SELECT count(*) AS n FROM image").n.tolist() == [6]


def test_the_world_is_drawn_for_a_run_without_pairs(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plan.WORLD_PAIRS, "mini", (4, 2))
    arguments = ["run", "segmentation_metric", "--results", workplace.results, "--images", workplace.images]
    arguments += ["--cache", workplace.folder / "cache"]
    result = CliRunner().invoke(command_line.app, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    assert "11 trials finished." in result.output
    assert workplace.query("SELECT name, train_images, val_images, license FROM dataset").values.tolist() == [
        ["OpenMoji streets", 4, 2, "CC BY-SA 4.0"]
    ]


def test_a_broken_picture_is_named_and_the_run_goes_on(workplace: Workplace) -> None:
    (workplace.pairs / "val" / "2.jpg").write_bytes(b"broken")
    result = workplace.call("run", "segmentation_metric")
    assert result.exit_code == 0, result.output
    assert f"{workplace.pairs / 'val' / '2.jpg'}: skipped, it cannot be read as a picture" in result.output
    assert workplace.query("SELECT val_images FROM dataset").val_images.tolist() == [2]


def test_a_failed_trial_is_told_and_gives_exit_code_1(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(unet_skip_connections, "run_trial", fail)
    result = workplace.call("run", *ON_PAIRS)
    assert result.exit_code == 1
    assert "4 trials finished, 2 failed (see above)." in result.output
    assert "unet_skip_connections · no_skip · seed 0 failed:" in result.output


def test_an_interrupt_keeps_what_is_finished_and_gives_exit_code_130(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(segmentation_metric, "count_clusters", interrupt)
    result = workplace.call("run", "segmentation_metric")
    assert result.exit_code == 130
    assert "3 trials finished." in result.output
    assert "the same command goes on from here" in result.output
    assert len(finished_trials(workplace.results)) == 3


def assert_one_line(result: Result, message: str) -> None:
    assert result.exit_code == 1
    [line] = result.output.strip().splitlines()
    assert message in line
    assert isinstance(result.exception, SystemExit)


def test_an_unknown_experiment_is_refused_with_the_names_there_are(workplace: Workplace) -> None:
    assert_one_line(
        workplace.call("run", "unet_skip_connection"),
        "There is no experiment unet_skip_connection. The experiments are unet_skip_connections, segmentation_metric, seg",
    )


@pytest.mark.parametrize("command", ["run", "list"])
def test_missing_pairs_are_refused_with_what_was_expected(workplace: Workplace, command: str) -> None:
    shutil.rmtree(workplace.pairs / "val")
    assert_one_line(workplace.call(command), f"{workplace.pairs / 'val'}: holds no pictures. Expected are")
    assert not workplace.results.parent.exists()


@pytest.mark.parametrize("command", ["run", "list"])
def test_the_full_profile_asks_for_pairs(command: str) -> None:
    result = CliRunner().invoke(command_line.app, [command, "--profile", "full"])
    assert_one_line(result, "The full profile needs real street pairs: download 'Cityscapes Image Pairs' from Kaggle")


def test_a_gpu_that_is_not_there_is_refused(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert_one_line(workplace.call("run", "--device", "cuda"), "There is no CUDA GPU that torch can use. Run with --device cpu")
    assert not workplace.results.parent.exists()


@pytest.mark.parametrize("command", ["run", "list"])
def test_a_results_file_that_is_none_is_refused(workplace: Workplace, command: str) -> None:
    workplace.results.parent.mkdir()
    workplace.results.write_text("no database")
    assert_one_line(workplace.call(command), f"{workplace.results}: is no readable DuckDB file")
    assert workplace.results.read_text() == "no database"


def test_the_full_profile_asks_for_pictures_where_only_they_are_wanted(tmp_path: Path) -> None:
    arguments = ["run", "imagenet_rn50_vs_clip", "--profile", "full", "--results", str(tmp_path / "none.duckdb")]
    result = CliRunner().invoke(command_line.app, arguments)
    assert_one_line(result, "The full profile needs real pictures: pass --image-folder DIR with one folder per wnid")
    assert "street pairs" not in result.output


CLASSES = "imagenet_rn50_vs_clip"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image-folder", "{folder}/none"], "{folder}/none: "),
        (["--image-folder", "{folder}/empty"], "{folder}/empty: "),
        (["--classifier", "mine.py"], "--classifier mine.py: is not of the form FILE.py:FUNCTION."),
        (
            ["--classifier", "{folder}/mine.py:a", "--classifier", "none.py:b"],
            "--classifier none.py:b: there is no file none.py.",
        ),
        (["--classifier", "{folder}/mine.py:a"] * 2, "another classifier here is called a. Rename the function."),
        (["--rn50-weights", "{folder}/none.pth"], "{folder}/none.pth: cannot be read (No such file or directory)."),
        (["--clip-weights", "{folder}/none.pt"], "{folder}/none.pt: cannot be read (No such file or directory)."),
    ],
)
def test_options_on_classifiers_that_cannot_be_used_are_refused(
    workplace: Workplace, arguments: list[str], message: str
) -> None:
    (workplace.folder / "mine.py").write_text("")
    (workplace.folder / "empty").mkdir()
    given = [argument.format(folder=workplace.folder) for argument in arguments]
    assert_one_line(workplace.call("run", CLASSES, *given), message.format(folder=workplace.folder))
    assert_one_line(workplace.call("list", *given), message.format(folder=workplace.folder))
    assert not workplace.results.parent.exists()


MINE = """
from types import SimpleNamespace
def make(name):
    wnids = ["n01440764", "n01484850"]
    return SimpleNamespace(name=name, wnids=wnids, preprocess=PREPROCESS, logits=lambda inputs: inputs.mean(dim=(2, 3))[:, :2])
def one(device): return make("one")
def two(device): return make("two")
"""


def test_classifiers_of_ones_own_are_asked_about_a_folder_of_pictures(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(class_training.TRAININGS, "mini", None)
    monkeypatch.setattr(imagenet_rn50_vs_clip, "CLIP_VARIANTS", {})
    folder, mine = workplace.folder / "my photos", workplace.folder / "mine.py"
    folder.mkdir()
    for name, color in (("n01440764_1", (250, 10, 0)), ("n01440764_2", (10, 250, 0)), ("n01484850_1", (10, 250, 0))):
        Image.new("RGB", (16, 16), color).save(folder / f"{name}.png")
    (folder / "n01440764_3.jpg").write_bytes(b"broken")
    weights = workplace.folder / "weights.pth"
    weights.write_bytes(b"none")
    mine.write_text(f"from torchvision.transforms import ToTensor\nPREPROCESS = ToTensor()\n{MINE}", encoding="utf-8")
    arguments = [
        "--image-folder",
        folder,
        "--classifier",
        f"{mine}:one",
        "--classifier",
        f"{mine}:two",
        "--rn50-weights",
        weights,
    ]
    result = workplace.call("run", CLASSES, *arguments)
    assert result.exit_code == 1  # for the file of weights holds none
    assert f"{weights}: is truncated or another file" in result.output
    assert "2 trials finished, 1 failed (see above)." in result.output
    assert "n01440764_3.jpg: skipped, " in result.output
    rows = workplace.query("SELECT variant, wnid, images, top1, top5 FROM class_score JOIN run USING (run_id) ORDER BY ALL")
    assert rows.values.tolist() == [
        [variant, wnid, images, 1, images]
        for variant in ("one", "two")
        for wnid, images in (("n01440764", 2), ("n01484850", 1))
    ]
    assert "imagenet_rn50_vs_clip: 2 of 3 done" in workplace.call("list", *arguments).output


@pytest.mark.parametrize("arguments", [["--seed", "-1"], ["--profile", "large"], ["--labels", "colours"], ["--device", "tpu"]])
def test_an_impossible_option_is_refused_before_anything_is_written(workplace: Workplace, arguments: list[str]) -> None:
    result = workplace.call("run", *arguments)
    assert result.exit_code == 2
    assert "Invalid value" in result.output
    assert not workplace.results.parent.exists()


def findings(result: Result) -> dict[str, str]:
    """State by what was looked at, up to its first comma, from the doctor's table."""
    rows = [line.split("│") for line in result.output.splitlines() if line.startswith("│")]
    return {what.partition(",")[0].strip(): state.strip() for _, state, what, *_ in rows if what.strip()}


def test_the_doctor_finds_all_well_and_changes_nothing(workplace: Workplace) -> None:
    before = sorted(workplace.folder.rglob("*"))
    result = workplace.call("doctor")
    assert result.exit_code == 0, result.output
    looked_at = ["Python", "Device", "Memory", "Disk", "Folder for images", "Results"]
    looked_at += ["Street pairs", "Labelled images", "Class images", "Captioned images", "WordNet"]
    assert findings(result) == dict.fromkeys(looked_at, "ok")
    assert "tiny streets: 6 for training, 3 for validation" in result.output
    assert sorted(workplace.folder.rglob("*")) == before


def test_the_doctor_names_what_is_missing_and_what_mends_it(workplace: Workplace) -> None:
    shutil.rmtree(workplace.pairs / "val")
    workplace.results.parent.mkdir()
    workplace.results.write_text("no database")
    result = workplace.call("doctor")
    assert result.exit_code == 1
    assert [what for what, state in findings(result).items() if state == "lacks"] == [
        "Results",
        "Street pairs",
        "Labelled images",
    ]
    assert "name another with --results" in result.output
    assert "Expected are" in result.output


def test_the_doctor_asks_for_pairs_and_a_gpu_in_the_full_profile(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = CliRunner().invoke(command_line.app, ["doctor", "--profile", "full", str(workplace.results)])
    lacking = [what for what, state in findings(result).items() if state == "lacks"]
    assert (result.exit_code, lacking[0]) == (1, "Device")
    assert lacking[1:] == ["Street pairs", "Labelled images", "Class images", "Captioned images"]
    assert "download 'Cityscapes Image Pairs' from Kaggle" in result.output


def test_the_doctor_sees_that_a_file_is_in_the_way_of_the_results(workplace: Workplace) -> None:
    (workplace.folder / "out").write_text("in the way")
    result = workplace.call("doctor")
    assert findings(result)["Results"] == "lacks"


def test_the_doctor_takes_the_options_on_captions(workplace: Workplace) -> None:
    photos, captions = workplace.folder / "photos", workplace.folder / "captions.csv"
    photos.mkdir()
    for name in ("n01440764_1.png", "n01440764_2.png"):
        Image.new("RGB", (16, 16)).save(photos / name)
    captions.write_text("file,caption,split\nn01440764_1.png,a fish,train\nn01440764_2.png,a tench,val\n")
    options = ["--image-folder", photos, "--captions", captions, "--blip-weights", workplace.folder]
    result = workplace.call("doctor", *options)
    assert findings(result)["Captioned images"] == "ok"
    assert "photos captions: 2 captions, 1 pictures for training, 1 for validation" in result.output
    assert findings(result)["BLIP's weights for captions"] == "lacks"
    assert f"hf download Salesforce/blip-itm-base-coco --local-dir {workplace.folder}" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--captions", "{folder}/none.csv"],
            "{folder}/none.csv: captions which pictures? Name their folder, too, with --image-",
        ),
        (["--captions", "{folder}/none.csv", "--voc", "{folder}"], "{folder}: holds no photos of VOC 2012; expected is"),
        (
            ["--captions", "{folder}/none.csv", "--image-folder", "{pairs}/val"],
            "{folder}/none.csv: cannot be read (No such file",
        ),
        (["--blip-weights", "{folder}/none"], "{folder}/none: has no model.safetensors."),
    ],
)
def test_options_on_captions_that_cannot_be_used_are_refused(workplace: Workplace, arguments: list[str], message: str) -> None:
    places = {"folder": workplace.folder, "pairs": workplace.pairs}
    given = [argument.format(**places) for argument in arguments]
    for experiment in ("caption_sampling", "image_text_retrieval"):
        result = workplace.call("run", experiment, *given)
        assert result.exit_code == 1
        assert message.format(**places) in result.output
    assert not workplace.results.parent.exists()


def test_other_epochs_are_not_asked_of_a_retrieval_that_is_only_evaluated(workplace: Workplace) -> None:
    choices = plan.Choices(cache=workplace.folder / "cache", epochs=2)
    epochs = {trial.variant: trial.settings.epochs for trial in plan.trials(["image_text_retrieval"], choices)}
    assert epochs.pop("evaluation") == 0
    assert set(epochs.values()) == {2}


def test_the_full_profile_asks_for_captions_where_only_they_are_wanted(tmp_path: Path) -> None:
    arguments = ["run", "caption_sampling", "--profile", "full", "--results", str(tmp_path / "none.duckdb")]
    result = CliRunner().invoke(command_line.app, arguments)
    assert_one_line(
        result, "The full profile needs captioned pictures: have VOC 2012 or any folder of pictures and a captions.csv"
    )
