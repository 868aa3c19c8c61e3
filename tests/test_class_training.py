"""Training of both encoders, in miniature: what is kept, what decides it, and what learns."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import clip
import pytest
import torch

from compute.data import openmoji_classes
from compute.data.errors import DataError
from compute.data.openmoji_images import chosen_classes
from compute.models import class_training
from compute.models.class_training import (
    Drawings,
    Training,
    _augmented,
    _batches_of_all_classes,
    _contrastive_loss,
    clip_preprocessing,
    digest_of,
    make_clip,
    names_of,
    take_step,
    trained_clip,
    trained_resnet,
)

CPU = torch.device("cpu")
TINY = Training(
    image_size_px=32, classes=3, pictures=2, blocks=(1, 1, 1, 1), resnet_width=8, resnet_epochs=1, clip_width=8,
    clip_embedding=16, clip_text_width=64, clip_text_layers=1, clip_epochs=1, batch_size=4, learning_rate=1e-3,
)  # fmt: skip


class CountedDrawings:
    """Counts how often training pictures are drawn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, draw = 0, class_training._draw

        def counted(*arguments: object) -> object:
            self.count += 1
            return draw(*arguments)

        monkeypatch.setattr(class_training, "_draw", counted)


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> CountedDrawings:
    return CountedDrawings(monkeypatch)


@pytest.mark.parametrize("train", [trained_resnet, trained_clip])
def test_weights_are_kept_by_settings_and_read_again(tmp_path: Path, drawings: CountedDrawings, train: Callable) -> None:
    told: list[tuple[int, int, str]] = []
    model, digest = train(TINY, 0, CPU, tmp_path, lambda *step: told.append(step))
    assert not model.training
    assert digest == digest_of(model)
    assert told[-1][0] == told[-1][1] > 1
    again, same = train(TINY, 0, CPU, tmp_path, lambda *_: pytest.fail("nothing is left to do"))
    assert (same, drawings.count) == (digest, 1)
    for name, values in again.state_dict().items():
        assert torch.equal(values, model.state_dict()[name]), name
    [path] = tmp_path.iterdir()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert train(TINY, 0, CPU, tmp_path, lambda *_: None)[1] == digest  # trained anew, from the same seed
    assert drawings.count == 2
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("train", [trained_resnet, trained_clip])
def test_other_settings_or_another_seed_give_other_weights(tmp_path: Path, drawings: CountedDrawings, train: Callable) -> None:
    digests = {
        train(training, seed, CPU, tmp_path, lambda *_: None)[1]
        for training, seed in ((TINY, 0), (TINY, 1), (replace(TINY, learning_rate=2e-3), 0))
    }
    assert (len(digests), drawings.count, len(list(tmp_path.iterdir()))) == (3, 3, 3)


def test_each_encoder_sees_its_own_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    draw = openmoji_classes.draw_class_image

    def drawn(seed: int, index: int, wnid: str, style: str, *rest: object) -> object:
        seen.add(style)
        assert index < openmoji_classes.VALIDATION_START
        return draw(seed, index, wnid, style, *rest)

    monkeypatch.setattr(openmoji_classes, "draw_class_image", drawn)
    found = class_training._draw(TINY, 0, class_training.COLOR_STYLES, lambda *_: None)
    assert seen == {"color on plain", "color on texture"}
    assert (found.pictures.shape, found.pictures.dtype) == ((12, 3, 32, 32), torch.uint8)
    assert found.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert found.styles.tolist() == [0, 0, 1, 1] * 3
    for label, text in zip(found.labels, found.captions, strict=True):
        assert any(name in text for name in names_of(chosen_classes(3)[label])), text
    class_training._draw(TINY, 0, openmoji_classes.STYLES, lambda *_: None)
    assert seen == set(openmoji_classes.STYLES)


def test_a_class_goes_by_the_name_of_its_prompts_most_often() -> None:
    assert names_of("n02012849") == ("crane bird", "crane bird", "crane bird", "crane")


def test_a_batch_holds_no_class_twice_and_the_batches_of_an_epoch_all_classes_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = torch.arange(6).repeat_interleave(9)  # six classes in three styles, three pictures of each
    styles = torch.arange(3).repeat_interleave(3).repeat(6)
    drawn = Drawings(torch.empty(54, 0), labels, styles, [])
    training = replace(TINY, clip_epochs=4, batch_size=4)
    batches = list(_batches_of_all_classes(drawn, training, seed=5))
    assert [len(batch) for batch in batches] == [4, 2] * 9 * 4
    pairs = [torch.cat(pair) for pair in zip(batches[::2], batches[1::2], strict=True)]
    assert all(labels[pair].sort().values.tolist() == [0, 1, 2, 3, 4, 5] for pair in pairs)
    of_one_style = sum(len(set(styles[pair].tolist())) == 1 for pair in pairs)
    assert len(pairs) / 3 < of_one_style < len(pairs)
    assert [batch.tolist() for batch in batches] == [
        batch.tolist() for batch in _batches_of_all_classes(drawn, training, seed=5)
    ]
    assert [batch.tolist() for batch in batches] != [
        batch.tolist() for batch in _batches_of_all_classes(drawn, training, seed=6)
    ]
    monkeypatch.setattr(class_training, "ONE_STYLE_SHARE", 1.0)  # then an epoch shows each picture once
    apart = torch.cat(list(_batches_of_all_classes(drawn, replace(training, clip_epochs=1), seed=5)))
    assert sorted(apart.tolist()) == list(range(54))


def test_the_contrastive_loss_reaches_both_encoders_and_the_temperature() -> None:
    torch.manual_seed(9)
    model = make_clip(TINY).train()
    tokens = clip.tokenize(["a photo of a hen.", "a sketch of a tench.", "a silhouette of a jay"])
    _contrastive_loss(model, torch.randn(3, 3, 32, 32), tokens).backward()
    for part in ("visual.conv1.weight", "visual.attnpool.c_proj.weight", "token_embedding.weight", "text_projection",
                 "transformer.resblocks.0.mlp.c_fc.weight", "positional_embedding", "logit_scale"):  # fmt: skip
        gradient = model.get_parameter(part).grad
        assert gradient is not None, part
        assert torch.isfinite(gradient).all(), part
        assert gradient.abs().max() > 0, part


def test_the_contrastive_loss_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(9)
    model = make_clip(TINY)
    images = torch.tensor([[2.0, 0.0], [0.0, 3.0]])  # the directions of both axes
    texts = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    monkeypatch.setattr(model.visual, "forward", lambda _: images)
    monkeypatch.setattr(class_training, "encode_tokens", lambda *_: texts)
    model.logit_scale.data.fill_(torch.log(torch.tensor(5.0)))
    # Cosines times 5: [[5, 3], [0, 4]]. By picture, e^-2 and e^-4 against 1; by caption, e^-5 and e^-1.
    expected = sum(torch.log1p(torch.exp(torch.tensor(-gap))) for gap in (2.0, 4.0, 5.0, 1.0)) / 4
    assert _contrastive_loss(model, None, None).item() == pytest.approx(expected.item(), rel=1e-5)


def test_training_moves_and_mirrors_but_keeps_what_is_shown() -> None:
    pictures = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).repeat(64, 3, 1, 1)
    first = _augmented(pictures, clip_preprocessing(16), step=1, seed=0)
    assert first.shape == (64, 3, 16, 16)
    assert torch.equal(first, _augmented(pictures, clip_preprocessing(16), step=1, seed=0))
    assert not torch.equal(first, _augmented(pictures, clip_preprocessing(16), step=2, seed=0))
    plain = clip_preprocessing(16).normalized(pictures)
    middle = plain[0, 0, 4:12, 4:12]
    for picture in first[:, 0]:
        windows = [side[y : y + 8, x : x + 8] for side in (picture, picture.flip(-1)) for y in range(9) for x in range(9)]
        assert any(torch.equal(window, middle) for window in windows)
    assert len({picture.numpy().tobytes() for picture in first}) > 20


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    with pytest.raises(DataError, match="Training diverged: the loss became nan"):
        take_step(None, None, torch.tensor(float("nan")))
