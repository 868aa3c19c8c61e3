"""The experiment on decoder heads from end to end on small pictures, and each step of its protocol."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from test_vision_transformer import dino_state
from torch import Tensor, nn

from compute import metrics, plan, results
from compute.connection import finished_trials
from compute.data.errors import DataError
from compute.data.labelled_images import LabelledImages, Split
from compute.data.object_scenes import world_scenes
from compute.data.palette import SegmentationClass
from compute.data.street_pairs import folder_source, load
from compute.data.voc import VocSource
from compute.doctor import Finding, examine
from compute.experiments import segmentation_decoder_heads as experiment
from compute.experiments.segmentation_decoder_heads import (
    HEADS,
    IGNORED,
    Batches,
    Encoder,
    Settings,
    Trainer,
    augmented,
    labels_to_target,
    predict,
    shown_images,
    upsampled,
)
from compute.head_rows import hidden_rows
from compute.models.decoder_heads import linear_head
from compute.models.encoder_training import EncoderTraining
from compute.models.official_weights import file_digest
from compute.models.vision_transformer import encoder_inputs, patch_features
from compute.segmentation_rows import dataset_tables
from compute.trials import Trial, TrialRows, Workbench

CPU = torch.device("cpu")
TINY = Settings(
    encoder=EncoderTraining(
        width=16, depth=1, heads=1, stem=(4, 4, 8, 8), classes=3, pictures=2, tile_px=32, tiles=(1, 2), canvases=4, steps=4,
        learning_rate=1e-3,
    ),
    image_size_px=32, loss_size_px=16, augment=False, epochs=2, batch_size=4, learning_rate=1e-2, weight_decay=1e-3,
    mask_images=2, seeds=1,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _forget_data() -> Iterator[None]:
    load.cache_clear()
    dataset_tables.cache_clear()
    yield
    load.cache_clear()
    dataset_tables.cache_clear()


def bench_at(folder: Path, run_id: str = "run-1") -> Workbench:
    return Workbench(run_id, CPU, folder / "images", folder / "cache", folder / "results.duckdb", lambda *_: None)


def run(trial: Trial, folder: Path) -> TrialRows:
    return trial.run(trial, bench_at(folder, f"run-{trial.variant}"))


def trials_on(pairs_folder: Path, settings: Settings = TINY, weights: Path | None = None) -> dict[str, Trial]:
    source = folder_source(pairs_folder, (None, None), "palette")
    return {trial.variant: trial for trial in experiment.trials("mini", 0, source, weights, settings)}


def test_all_heads_run_on_street_pairs_and_their_rows_are_accepted(pairs_folder: Path, tmp_path: Path) -> None:
    trials = trials_on(pairs_folder)
    assert list(trials) == ["linear", "convolutional", "transformer", "transformer_shared"]
    for number, trial in enumerate(trials.values()):
        rows = run(trial, tmp_path)
        run_row = pandas.DataFrame([run_of(trial, rows)])
        results.publish(tmp_path / "results.duckdb", tmp_path / "images", {"run": run_row, **rows.tables})
        scores = rows.tables["segmentation_score"]
        assert scores.groupby("epoch").size().to_dict() == {0: 9, 1: 9}
        masks = rows.tables["segmentation_mask"]
        assert masks[masks.run_id.notna()].groupby("epoch").size().to_dict() == {0: 2, 1: 2}
        steps = rows.tables["training_step"]
        assert steps.epoch.tolist() == [0, 0, 1, 1]
        assert steps.learning_rate.tolist() == pytest.approx([1e-2, 0.75e-2, 0.5e-2, 0.25e-2])
        assert rows.parameters == rows.tables["model_cost"].parameters[1]
        assert len(rows.tables["latency"]) == 50
        assert ("token_attention" in rows.tables) == trial.variant.startswith("transformer")
        assert "hidden_score" not in rows.tables
        assert len(finished_trials(tmp_path / "results.duckdb")) == number + 1


def run_of(trial: Trial, rows: TrialRows) -> dict[str, object]:
    return {
        "run_id": f"run-{trial.variant}", "trial_key": trial.key, "experiment": trial.experiment, "variant": trial.variant,
        "profile": trial.profile, "seed": trial.seed, "dataset": trial.data.dataset, "settings": "{}",
        "started_at": pandas.Timestamp("2026-01-02 03:04:05"), "seconds": 1.0, "device": "CPU", "host": "here",
        "python": "3.11", "torch": "2", "threads": 1, "git_commit": None, "weights": rows.weights,
        "weights_sha256": rows.weights_sha256, "data_fingerprint": trial.data.fingerprint, "parameters": rows.parameters,
    }  # fmt: skip


def test_a_trial_run_twice_learns_the_same_weights_and_names_its_encoder(pairs_folder: Path, tmp_path: Path) -> None:
    trial = trials_on(pairs_folder)["transformer"]
    first, second = run(trial, tmp_path), run(trial, tmp_path)
    assert first.weights_sha256 == second.weights_sha256
    assert first.tables["segmentation_score"].equals(second.tables["segmentation_score"])
    _, digest = experiment.trained_encoder(TINY.encoder, 32, 0, CPU, tmp_path / "cache", lambda *_: None)
    assert first.weights == (
        "head trained with seed 0 on frozen features of a ViT trained on labels of the OpenMoji world with seed 0 "
        f"(SHA-256 {digest})"
    )


@pytest.mark.parametrize("variant", HEADS)
def test_caching_features_changes_nothing_that_a_head_learns(
    pairs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    trial = trials_on(pairs_folder)[variant]
    cached = run(trial, tmp_path)

    def computed(self: Encoder, split: Split, *_: object) -> Tensor:
        with torch.inference_mode():
            return self.features(split.photos).clone()

    monkeypatch.setattr(Encoder, "cached", computed)
    uncached = run(trial, tmp_path)
    assert cached.weights_sha256 == uncached.weights_sha256
    assert cached.tables["segmentation_score"].equals(uncached.tables["segmentation_score"])


@pytest.fixture
def larger_pairs(tmp_path: Path, pairs_folder: Path, draw_pair: Callable[..., None]) -> Path:
    """24 and 16 pairs of 64x64 pixels, so that a thousandth is some pixels."""
    for split, count, start in (("train", 24, 0), ("val", 16, 100)):
        for number in range(1, count + 1):
            draw_pair(tmp_path / "larger" / split / f"{number}.jpg", start + number, 64, 64)
    shutil.copy(pairs_folder / "classes.csv", tmp_path / "larger")
    return tmp_path / "larger"


@pytest.mark.parametrize("variant", HEADS)
def test_half_precision_changes_no_score_by_more_than_a_thousandth(larger_pairs: Path, tmp_path: Path, variant: str) -> None:
    settings = replace(TINY, image_size_px=64, loss_size_px=32)
    source = folder_source(larger_pairs, (None, None), "palette")
    data = load(source, tmp_path / "cache")
    encoder = Encoder(settings, bench_at(tmp_path))
    batches = Batches(encoder, source, data, seed=0)
    torch.manual_seed(0)
    head = HEADS[variant](16, 3)
    trainer = Trainer(head, settings, 10 * batches.count)
    for epoch in range(10):
        for features, targets in batches.of_epoch(epoch):
            trainer.step(features, targets)
    with torch.inference_mode():
        exact = patch_features(encoder.model, encoder_inputs(data.val.photos, 64)).clone()
    cached = encoder.cached(data.val, source, "val")
    assert 0 < (cached.float() - exact).abs().max() < 2**-9
    scores = []
    for features in (cached, exact):
        predicted = predict(head, features, (64, 64), 4, CPU)
        matrices = metrics.confusion_matrices(torch.from_numpy(data.val.labels), predicted, 3)
        counts = [counted.sum(dim=0) for counted in metrics.class_counts(matrices)]
        scores.append(metrics.intersection_over_union(*counts))
    assert scores[0].max() > 0.3
    assert (scores[0] - scores[1]).abs().max() <= 1e-3


def test_a_truncated_cache_is_rebuilt(pairs_folder: Path, tmp_path: Path) -> None:
    trial = trials_on(pairs_folder)["linear"]
    before = run(trial, tmp_path)
    files = sorted((tmp_path / "cache").glob("features-*.f16"))
    contents = [file.read_bytes() for file in files]
    assert len(files) == 2
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content[: len(content) // 2])
    after = run(trial, tmp_path)
    assert [file.read_bytes() for file in files] == contents
    assert before.weights_sha256 == after.weights_sha256


def test_weights_of_a_file_take_the_place_of_training(pairs_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "vit.pth"
    torch.save(dino_state(), file)
    trial = trials_on(pairs_folder, weights=file)["linear"]
    assert (trial.settings.encoder, trial.settings.file_sha256) == (None, file_digest(file))
    assert trial.key != trials_on(pairs_folder)["linear"].key
    rows = run(trial, tmp_path)
    assert rows.weights.endswith(f"of {file} (SHA-256 {file_digest(file)})")
    assert rows.parameters == 128 * 3 + 3
    with pytest.raises(DataError, match="cannot be read"):
        trials_on(pairs_folder, weights=tmp_path / "none.pth")


def test_augmentation_trains_on_other_features_in_each_epoch_and_repeats(pairs_folder: Path, tmp_path: Path) -> None:
    settings = replace(TINY, augment=True)
    source = folder_source(pairs_folder, (None, None), "palette")
    data = load(source, tmp_path / "cache")
    encoder = Encoder(settings, bench_at(tmp_path))
    batches = Batches(encoder, source, data, seed=0)
    first, again, other = (list(batches.of_epoch(epoch)) for epoch in (0, 0, 1))
    assert [len(targets) for _, targets in first] == [4, 2]
    for (features, targets), (same_features, same_targets) in zip(first, again, strict=True):
        assert torch.equal(features, same_features)
        assert torch.equal(targets, same_targets)
    assert not torch.equal(first[0][0], other[0][0])
    assert not list((tmp_path / "cache").glob("features-*"))
    rows = run(trials_on(pairs_folder, settings)["transformer"], tmp_path)
    assert len(list((tmp_path / "cache").glob("features-*"))) == 1  # of the validation images
    assert rows.tables["training_step"].loss.gt(0).all()


def coordinate_split(size: int) -> Split:
    """One photo whose colours are its pixels' places, and whose labels follow from them."""
    rows, columns = np.mgrid[:size, :size]
    photo = np.stack([rows, columns, np.zeros_like(rows)], axis=-1).astype(np.uint8)
    return Split(("1",), photo[None], (columns >= size // 2).astype(np.uint8)[None])


def test_an_augmented_photo_and_its_labels_stay_together() -> None:
    split = coordinate_split(128)
    dice = np.random.default_rng(0)
    seen = set()
    for _ in range(40):
        photo, labels = augmented(split, 0, 64, dice)
        assert (photo.shape, photo.dtype, labels.shape, labels.dtype) == ((3, 64, 64), torch.uint8, (64, 64), torch.uint8)
        columns = photo[1].float()
        sure = (columns - 63.5).abs() > 3  # pixels at the border mix both
        assert torch.equal(labels[sure] == 1, columns[sure] > 63.5)
        mirrored = bool(columns[0, 0] > columns[0, -1])
        spread = float((columns[0, -1] - columns[0, 0]).abs()) / 63  # columns of the photo for each of the crop
        seen.add((mirrored, round(spread, 1)))
        assert 128 / 75 - 0.1 < spread < 2.1
    assert {mirrored for mirrored, _ in seen} == {True, False}
    assert len({spread for _, spread in seen}) > 2


def test_labels_become_targets_by_the_nearest_pixel_with_the_ignored_marked() -> None:
    labels = torch.tensor([[[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 255, 255]]], dtype=torch.uint8)
    assert labels_to_target(labels, 2, 3).tolist() == [[[0, 1], [2, IGNORED]]]
    assert labels_to_target(labels, 4, 3)[0, 2:].tolist() == [[2, 2, IGNORED, IGNORED]] * 2


def test_ignored_pixels_teach_nothing() -> None:
    torch.manual_seed(0)
    head = linear_head(8, 3)
    features = torch.randn(2, 8, 2, 2)
    targets = torch.randint(0, 3, (2, 16, 16), dtype=torch.uint8)
    targets[:, 8:] = IGNORED
    with torch.no_grad():
        logits = nn.functional.interpolate(head(features), (16, 16), mode="bilinear")
        by_hand = nn.functional.cross_entropy(logits[:, :, :8], targets[:, :8].long())
    step = Trainer(head, TINY, 1).step(features, targets)
    assert step["loss"] == pytest.approx(float(by_hand), rel=1e-5)


def test_a_batch_without_a_class_is_told_as_divergence() -> None:
    targets = torch.full((1, 16, 16), IGNORED, dtype=torch.uint8)
    with pytest.raises(DataError, match="Training diverged: the loss became nan"):
        Trainer(linear_head(8, 3), TINY, 1).step(torch.randn(1, 8, 2, 2), targets)


@pytest.mark.parametrize("variant", HEADS)
def test_the_loss_falls_on_a_few_pictures_learnt_by_heart(variant: str) -> None:
    torch.manual_seed(0)
    features = torch.randn(4, 16, 4, 4)
    targets = features[:, :3].argmax(dim=1).repeat_interleave(4, 1).repeat_interleave(4, 2).to(torch.uint8)
    trainer = Trainer(HEADS[variant](16, 3), TINY, 60)
    losses = [trainer.step(features, targets)["loss"] for _ in range(60)]
    assert losses[0] > 0.8
    assert losses[-1] < 0.7 * losses[0]


def test_predictions_come_at_the_labels_own_size_whatever_the_batch_size() -> None:
    torch.manual_seed(0)
    head = linear_head(8, 5)
    features = torch.randn(5, 8, 3, 3).half()
    predicted = predict(head, features, (20, 50), batch_size=2, device=CPU)
    assert (predicted.shape, predicted.dtype) == ((5, 20, 50), torch.uint8)
    with torch.no_grad():
        logits = nn.functional.interpolate(head(features.float()), (20, 50), mode="bilinear", align_corners=False)
    assert (predicted == logits.argmax(dim=1)).float().mean() > 0.999
    assert len(predicted.unique()) > 1
    assert torch.equal(predicted, predict(head, features, (20, 50), batch_size=5, device=CPU))


def test_logits_grow_bilinearly() -> None:
    logits = torch.tensor([[[[0.0, 4.0]]]])
    assert upsampled(logits, (1, 4)).tolist() == [[[[0.0, 1.0, 3.0, 4.0]]]]


def test_images_to_show_are_spread_evenly() -> None:
    assert shown_images(60, 12) == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55]
    assert shown_images(3, 12) == [0, 1, 2]
    assert shown_images(7, 3) == [0, 2, 4]


def test_what_is_hidden_is_counted_by_class_and_by_what_hides_it() -> None:
    # Class 1 hides four pixels of class 2 in the first row; class 2 one of class 1; void and class 0 hide nothing that counts.
    truth = np.array([[[1, 1, 1, 1, 1, 1], [2, 2, 0, 0, 255, 2]]], dtype=np.uint8)
    hidden = np.array([[[2, 2, 2, 2, 255, 255], [1, 255, 255, 255, 1, 255]]], dtype=np.uint8)
    predicted = torch.tensor([[[1, 1, 2, 0, 2, 1], [2, 2, 0, 0, 1, 1]]], dtype=torch.uint8)
    classes = tuple(SegmentationClass(number, str(number), f"#00000{number}", ignored=False) for number in range(3))
    split = Split(("a",), np.zeros((1, 2, 6, 3), np.uint8), truth)
    rows = hidden_rows("run-1", ["image-a"], LabelledImages(classes, split, split, hidden), predicted)
    columns = [
        "class_id", "occluder_class_id", "hidden", "as_hidden", "as_occluder", "control", "control_as_hidden",
    ]  # fmt: skip
    assert rows[columns].values.tolist() == [[1, 2, 1, 0, 1, 2, 1], [2, 1, 4, 1, 2, 2, 1]]
    assert set(map(tuple, rows[["run_id", "image_id"]].values)) == {("run-1", "image-a")}


def test_scenes_where_nothing_is_hidden_give_no_rows_but_their_columns() -> None:
    split = Split(("a",), np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 2, 2), np.uint8))
    classes = (SegmentationClass(0, "ground", "#000000", ignored=False),)
    hidden = np.full((1, 2, 2), 255, np.uint8)
    rows = hidden_rows("run-1", ["a"], LabelledImages(classes, split, split, hidden), torch.zeros(1, 2, 2, dtype=torch.uint8))
    assert len(rows) == 0
    assert "control_as_hidden" in rows.columns


def test_the_reports_results_are_kept_beside_ours() -> None:
    rows = experiment.reference_rows()
    assert dict(zip(rows.variant, rows.value, strict=True)) == {
        "linear": 45.46,
        "convolutional": 46.47,
        "transformer": 63.13,
        "transformer_shared": 64.20,
    }
    assert set(rows.experiment) == {experiment.NAME}


def test_the_data_is_voc_or_pairs_where_given_and_else_the_worlds_scenes(pairs_folder: Path, tmp_path: Path) -> None:
    choices = plan.Choices(cache=tmp_path)
    assert plan.labelled_images(choices) == world_scenes(tmp_path, 500, 60, seed=0)
    assert plan.labelled_images(replace(choices, profile="gpu")) == world_scenes(tmp_path, 4000, 500, seed=0)
    assert plan.labelled_images(replace(choices, pairs=pairs_folder)) == folder_source(pairs_folder, (400, 200), "palette")
    with pytest.raises(DataError, match=r"full profile needs VOC 2012, or street pairs with --pairs DIR\. Download VOC"):
        plan.labelled_images(replace(choices, profile="full"))
    with pytest.raises(DataError):
        plan.labelled_images(replace(choices, voc=tmp_path / "none", pairs=pairs_folder))
    for split in ("train", "val"):
        lists = tmp_path / "VOCdevkit/VOC2012/ImageSets/Segmentation"
        lists.mkdir(parents=True, exist_ok=True)
        (lists / f"{split}.txt").write_text("2007_000032\n", encoding="ascii")
    for folder in ("JPEGImages", "SegmentationClass"):
        (tmp_path / "VOCdevkit/VOC2012" / folder).mkdir()
    found = plan.labelled_images(replace(choices, profile="full", voc=tmp_path, pairs=pairs_folder))
    assert isinstance(found, VocSource)
    assert found.image_size_px == 256


def test_another_number_of_epochs_keeps_the_masks_of_the_last(pairs_folder: Path, tmp_path: Path) -> None:
    trials = plan.trials([experiment.NAME], plan.Choices(pairs=pairs_folder, epochs=3, cache=tmp_path))
    assert [trial.settings.epochs for trial in trials] == [3, 3, 3, 3]
    trial = replace(trials[0], settings=replace(TINY, epochs=7, mask_images=1))
    masks = run(trial, tmp_path).tables["segmentation_mask"]
    assert sorted(masks[masks.run_id.notna()].epoch.astype(int)) == [0, 4, 6]


def test_the_doctor_says_what_the_full_profile_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)

    def found(**chosen: object) -> dict[str, Finding]:
        choices = plan.Choices(**chosen, cache=tmp_path / "cache")
        findings = examine(choices, "cpu", tmp_path / "results.duckdb", tmp_path / "images")
        return {finding.what.partition(",")[0]: finding for finding in findings}

    full = found(profile="full")
    assert (full["Labelled images"].good, full["Labelled images"].what) == (False, f"Labelled images, for {experiment.NAME}")
    assert full["Labelled images"].found == "The full profile needs VOC 2012, or street pairs with --pairs DIR"
    assert "pass --voc DIR" in full["Labelled images"].remedy
    assert full["DINO's weights"].found.startswith(f"will be downloaded to {tmp_path / 'torch'}")
    mini = found()
    assert (mini["Labelled images"].good, mini["Labelled images"].found) == (True, "OpenMoji scenes, drawn when first needed")
    assert "DINO's weights" not in mini
    assert found(vit_weights=tmp_path / "none.pth")["DINO's weights"].good is False
    assert found(voc=tmp_path / "none")["Labelled images"].good is False
