"""The U-Net with and without skip connections, and how the experiment feeds and trains it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from compute.data.labelled_images import Split
from compute.data.street_pairs import folder_source
from compute.experiments import unet_skip_connections as experiment
from compute.experiments.unet_skip_connections import (
    IGNORED,
    Settings,
    Trainer,
    images_to_input,
    labels_to_target,
    predict,
    training_batches,
)
from compute.models.unet import UNet, parameter_count
from compute.trials import TrialRows, Workbench

TINY = Settings(base_channels=2, image_size_px=32, batch_size=4, epochs=2, learning_rate=0.01, schedule="one_cycle", seeds=1)
CPU = torch.device("cpu")


def parameters_by_hand(base: int, class_count: int, use_skips: bool) -> int:
    def convolution(before: int, after: int) -> int:
        return 3 * 3 * before * after + after  # weights and biases, transposed or not

    def block(before: int, after: int) -> int:
        batch_norm = 2 * after
        return convolution(before, after) + batch_norm + convolution(after, after) + batch_norm

    first, second, third, fourth, fifth = (base * factor for factor in (1, 2, 4, 8, 16))
    encoder = block(3, first) + block(first, second) + block(second, third) + block(third, fourth) + block(fourth, fifth)
    ups = convolution(fifth, fourth) + convolution(fourth, third) + convolution(third, second) + convolution(second, first)
    widths = (fourth, third, second, first)
    decoder = sum(block(2 * width if use_skips else width, width) for width in widths)
    return encoder + ups + decoder + convolution(first, class_count)


@pytest.mark.parametrize("use_skips", [True, False])
@pytest.mark.parametrize(("height", "width"), [(32, 48), (16, 16), (64, 32)])
def test_logits_have_a_plane_for_each_class_at_the_images_size(use_skips: bool, height: int, width: int) -> None:
    model = UNet(5, base_channels=2, use_skips=use_skips).eval()
    assert model(torch.rand(3, 3, height, width)).shape == (3, 5, height, width)


@pytest.mark.parametrize("use_skips", [True, False])
@pytest.mark.parametrize(("height", "width"), [(24, 32), (32, 40), (15, 16), (33, 33)])
def test_a_size_that_is_no_multiple_of_16_is_refused(use_skips: bool, height: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"{height}x{width} is no multiple of 16"):
        UNet(5, base_channels=2, use_skips=use_skips)(torch.rand(1, 3, height, width))


def test_parameter_counts_are_those_worked_out_by_hand() -> None:
    with torch.device("meta"):
        full, without = UNet(19, 64, use_skips=True), UNet(19, 64, use_skips=False)
    # Encoder 18,846,528; transposed convolutions 6,267,840; decoder blocks 9,410,688 or 6,277,248; last convolution 10,963.
    assert parameter_count(full) == parameters_by_hand(64, 19, use_skips=True) == 34_536_019
    assert parameter_count(without) == parameters_by_hand(64, 19, use_skips=False)
    # Of each decoder block only the first convolution is narrower, by 9 * width * width.
    assert 34_536_019 - parameter_count(without) == 9 * (64**2 + 128**2 + 256**2 + 512**2)


@pytest.mark.parametrize("use_skips", [True, False])
@pytest.mark.parametrize("class_count", [2, 11])
def test_parameter_counts_follow_the_formula_at_any_width(use_skips: bool, class_count: int) -> None:
    for base in (1, 3, 16):
        assert parameter_count(UNet(class_count, base, use_skips)) == parameters_by_hand(base, class_count, use_skips)


def test_frozen_parameters_are_not_counted() -> None:
    model = UNet(4, base_channels=2)
    model.classify.requires_grad_(requires_grad=False)
    assert parameter_count(model) == parameters_by_hand(2, 4, use_skips=True) - (9 * 2 * 4 + 4)


@pytest.mark.parametrize("level", range(4))
def test_without_skips_each_decoder_block_takes_half_as_many_channels_in(level: int) -> None:
    with_skips, without = UNet(4, 8, use_skips=True), UNet(4, 8, use_skips=False)
    width = 8 * 2 ** (3 - level)
    assert [model.decoder[level][0].in_channels for model in (with_skips, without)] == [2 * width, width]
    assert [model.decoder[level][0].out_channels for model in (with_skips, without)] == [width, width]


def first_gradients(use_skips: bool) -> list[Tensor | None]:
    """Gradients of the encoder's first block where none can pass through the bottleneck."""
    torch.manual_seed(0)
    model = UNet(4, base_channels=2, use_skips=use_skips)
    model.bottleneck.register_forward_hook(lambda _module, _inputs, output: output.detach())
    model(torch.rand(2, 3, 32, 32)).square().mean().backward()
    return [parameter.grad for parameter in model.encoder[0].parameters()]


def test_skips_carry_gradients_around_the_bottleneck() -> None:
    gradients = first_gradients(use_skips=True)
    assert all(gradient is not None for gradient in gradients)
    assert all(gradients[place].abs().max() > 0 for place in (0, 4))  # both convolutions' weights


def test_without_skips_no_gradient_passes_around_the_bottleneck() -> None:
    assert all(gradient is None or not gradient.any() for gradient in first_gradients(use_skips=False))


def test_every_skip_is_joined_at_its_own_resolution() -> None:
    model = UNet(4, base_channels=2).eval()
    seen: list[tuple[int, ...]] = []
    for block in model.decoder:
        block.register_forward_hook(lambda _module, inputs, _output: seen.append(tuple(inputs[0].shape)))
    encoded: list[Tensor] = []
    for block in model.encoder:
        block.register_forward_hook(lambda _module, _inputs, output: encoded.append(output))
    joined: list[Tensor] = []
    for block in model.decoder:
        block.register_forward_pre_hook(lambda _module, inputs: joined.append(inputs[0]))
    model(torch.rand(1, 3, 32, 64))
    assert seen == [(1, 32, 4, 8), (1, 16, 8, 16), (1, 8, 16, 32), (1, 4, 32, 64)]
    for features, skipped in zip(joined, reversed(encoded), strict=True):
        assert torch.equal(features[:, features.shape[1] // 2 :], skipped)


@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
@pytest.mark.parametrize("use_skips", [True, False])
def test_the_loss_falls_on_a_few_pictures_learnt_by_heart(
    street_labels: Callable[..., np.ndarray], use_skips: bool, schedule: str
) -> None:
    labels = np.stack([street_labels(number) for number in range(4)])
    photos = np.stack([labels * 60] * 3, axis=-1).astype(np.uint8)
    inputs, targets = images_to_input(photos, 32), labels_to_target(labels, 32, 3)
    torch.manual_seed(0)
    model = UNet(3, base_channels=4, use_skips=use_skips)
    settings = Settings(4, 32, 4, 1, 0.01, schedule, 1)
    trainer = Trainer(model, settings, 40, CPU)
    steps = [trainer.step(inputs, targets) for _ in range(40)]
    assert steps[0]["loss"] > 0.7
    assert steps[-1]["loss"] < 0.35
    assert all(step["milliseconds"] > 0 for step in steps)
    rates = [step["learning_rate"] for step in steps]
    if schedule == "constant":
        assert set(rates) == {0.01}
    else:
        assert max(rates) == pytest.approx(0.01, rel=0.05)
        assert rates[-1] < 0.001 < rates[5]


def test_ignored_pixels_teach_nothing() -> None:
    model = UNet(3, base_channels=2)
    trainer = Trainer(model, TINY, 3, CPU)
    inputs = torch.rand(2, 3, 32, 32)
    targets = torch.randint(0, 3, (2, 32, 32))
    targets[:, 16:] = IGNORED
    weight = model.classify.weight
    with torch.no_grad():
        logits = model(inputs)
        expected = torch.nn.functional.cross_entropy(logits[:, :, :16], targets[:, :16])
    assert trainer.step(inputs, targets)["loss"] == pytest.approx(float(expected), rel=1e-4)
    assert weight.grad is not None


def test_photos_become_inputs_by_the_mean_over_the_area() -> None:
    photo = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    photo[0, :2, :2, 0] = [[0, 100], [200, 255]]
    inputs = images_to_input(photo, 2)
    assert (inputs.shape, inputs.dtype) == ((1, 3, 2, 2), torch.float32)
    assert float(inputs[0, 0, 0, 0]) == pytest.approx(555 / 4 / 255)
    assert float(inputs.sum()) == pytest.approx(555 / 4 / 255)


def test_labels_become_targets_by_the_nearest_pixel_with_the_ignored_marked() -> None:
    labels = np.array([[[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 255, 255]]], dtype=np.uint8)
    assert labels_to_target(labels, 2, 3).tolist() == [[[0, 1], [2, IGNORED]]]
    assert labels_to_target(labels, 4, 4)[0, 2:].tolist() == [[2, 2, 3, 3], [2, 2, IGNORED, IGNORED]]


def test_predictions_come_at_the_pairs_own_size_whatever_the_batch_size() -> None:
    torch.manual_seed(0)
    model = UNet(5, base_channels=2)
    inputs = torch.rand(5, 3, 32, 32)
    with torch.no_grad():
        for _ in range(30):  # so that batch norm has seen its inputs
            model.train()(inputs)
    predicted = predict(model, inputs, (20, 50), batch_size=2, device=CPU)
    assert (predicted.shape, predicted.dtype) == ((5, 20, 50), torch.uint8)
    assert predicted.max() < 5
    assert len(predicted.unique()) > 1
    assert torch.equal(predicted, predict(model, inputs, (20, 50), batch_size=5, device=CPU))
    with torch.no_grad():
        assert torch.equal(predict(model, inputs, (32, 32), batch_size=5, device=CPU), model.eval()(inputs).argmax(dim=1))


def empty_split(count: int) -> Split:
    return Split(tuple(map(str, range(count))), np.zeros((count, 1, 1, 3), np.uint8), np.zeros((count, 1, 1), np.uint8))


def test_each_picture_is_in_one_batch_of_an_epoch() -> None:
    batches = list(training_batches(empty_split(10), TINY, seed=0, epoch=0))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(np.concatenate(batches).tolist()) == list(range(10))


def test_the_order_is_another_in_each_epoch_and_for_each_seed_and_always_repeats() -> None:
    def order(seed: int, epoch: int) -> tuple[int, ...]:
        return tuple(np.concatenate(list(training_batches(empty_split(12), TINY, seed, epoch))).tolist())

    assert len({order(seed, epoch) for seed in range(3) for epoch in range(3)}) == 9
    assert order(1, 2) == order(1, 2)


def test_a_last_batch_of_one_picture_is_left_out_unless_there_is_no_other() -> None:
    assert [len(batch) for batch in training_batches(empty_split(9), TINY, 0, 0)] == [4, 4]
    assert [len(batch) for batch in training_batches(empty_split(1), TINY, 0, 0)] == [1]


def run_variants(pairs_folder: Path, tmp_path: Path, variants: tuple[str, ...]) -> list[TrialRows]:
    source = folder_source(pairs_folder, (None, None), "palette")
    trials = {trial.variant: trial for trial in experiment.trials("mini", 0, source, TINY)}
    bench = Workbench("run-1", CPU, tmp_path / "images", tmp_path / "cache", tmp_path / "results.duckdb", lambda *_: None)
    return [trials[variant].run(trials[variant], bench) for variant in variants]


def test_both_variants_see_the_same_batches_in_the_same_order(
    pairs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[tuple[Tensor, Tensor]]] = []

    class RecordingTrainer(Trainer):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            seen.append([])

        def step(self, inputs: Tensor, targets: Tensor) -> dict[str, float]:
            seen[-1].append((inputs, targets))
            return super().step(inputs, targets)

    monkeypatch.setattr(experiment, "Trainer", RecordingTrainer)
    run_variants(pairs_folder, tmp_path, ("skip", "no_skip"))
    assert [len(batches) for batches in seen] == [4, 4]  # two epochs of 4 + 2 pictures
    for ours, theirs in zip(*seen, strict=True):
        assert torch.equal(ours[0], theirs[0])
        assert torch.equal(ours[1], theirs[1])
    assert not torch.equal(seen[0][0][0], seen[0][2][0])  # the second epoch starts with other pictures


def test_a_trial_run_twice_learns_the_same_weights(pairs_folder: Path, tmp_path: Path) -> None:
    first, second, other = run_variants(pairs_folder, tmp_path, ("skip", "skip", "no_skip"))
    assert first.weights_sha256 == second.weights_sha256 != other.weights_sha256
    assert first.tables["segmentation_score"].equals(second.tables["segmentation_score"])
    assert first.parameters == parameters_by_hand(2, 3, use_skips=True)
    assert other.parameters == parameters_by_hand(2, 3, use_skips=False)


def test_a_profile_has_both_variants_for_each_seed_from_the_given_one(pairs_folder: Path) -> None:
    source = folder_source(pairs_folder, (None, None), "palette")
    trials = experiment.trials("gpu", 7, source)
    assert [(trial.variant, trial.seed) for trial in trials] == [
        (variant, seed) for seed in (7, 8, 9) for variant in ("skip", "no_skip")
    ]
    assert len({trial.key for trial in trials}) == 6


def test_batches_of_one_picture_are_kept_where_that_is_the_batch_size() -> None:
    single = Settings(2, 32, 1, 1, 0.01, "constant", 1)
    assert len(list(training_batches(empty_split(3), single, 0, 0))) == 3
