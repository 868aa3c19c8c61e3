"""One pass over many pictures: order, shards that are used again, messages, and frozen networks that give the same."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from clip.model import ModifiedResNet
from PIL import Image
from torch import Tensor, nn
from torchvision.models import resnet18

from compute import predictions
from compute.data.class_images import Picture
from compute.data.errors import DataError
from compute.models.frozen import quick
from compute.models.preprocessing import Preprocessing
from compute.predictions import outputs, shards_folder

COUNT = 23
SMALL = Preprocessing(4, 4, (0.0,) * 3, (1.0,) * 3)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    """Gray pictures, each of another level: 0, 10, 20 and so on."""
    folder = tmp_path_factory.mktemp("gray")
    found = []
    for number in range(COUNT):
        path = folder / f"{number}.png"
        Image.new("RGB", (12, 9), (10 * number,) * 3).save(path)
        found.append(Picture(path, path.name, None, None, None, "a test", None, "CC0", "0" * 64, 12, 9))
    return found


class Levels:
    """A function of known outputs, (level, -level) of each picture, that counts the pictures it was asked for."""

    def __init__(self, factor: float = 1.0, fail_after: int | None = None) -> None:
        self.factor, self.fail_after, self.asked = factor, fail_after, 0

    def __call__(self, inputs: Tensor) -> Tensor:
        if self.fail_after is not None and self.asked >= self.fail_after:
            raise KeyboardInterrupt
        self.asked += len(inputs)
        level = (inputs.mean(dim=(1, 2, 3)) * 255 + 1) * self.factor
        return torch.stack([level, -level], dim=1)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "SHARD_PICTURES", 10)
    monkeypatch.setattr(predictions, "ONE_CORE_BATCH", predictions.BATCH_PICTURES["cpu"])  # on one thread as on several


def ask(pictures: list[Picture], function: Callable[[Tensor], Tensor], shards: Path, preprocess: object = SMALL) -> np.ndarray:
    return outputs(pictures, preprocess, function, CPU, shards, lambda *_: None)


EXPECTED = np.array([[10 * number + 1, -10 * number - 1] for number in range(COUNT)], np.float32)
EACH_CALL = 1  # picture, the first one, which tells whether shards are this function's


@pytest.mark.usefixtures("small_shards")
def test_outputs_stand_in_the_order_of_the_pictures_and_are_told(pictures: list[Picture], tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    found = outputs(pictures, SMALL, Levels(), CPU, tmp_path / "s", lambda *step: told.append(step))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, EXPECTED, atol=1e-3)
    assert [(done, total) for done, total, _ in told] == [(8, COUNT), (10, COUNT), (18, COUNT), (20, COUNT), (23, COUNT)]
    assert all(note.endswith(" images/s") for *_, note in told)
    np.testing.assert_allclose(ask(pictures[::-1], Levels(), tmp_path / "other"), EXPECTED[::-1], atol=1e-3)


def test_any_preprocess_of_ones_own_is_used_as_it_is(pictures: list[Picture], tmp_path: Path) -> None:
    def preprocess(image: Image.Image) -> Tensor:
        assert (image.mode, image.size) == ("RGB", (12, 9))
        return torch.full((3, 2, 2), image.getpixel((0, 0))[0] / 510)

    found = ask(pictures, Levels(), tmp_path / "s", preprocess)
    np.testing.assert_allclose(found[:, 0], [5 * number + 1 for number in range(COUNT)], atol=1e-3)


@pytest.mark.usefixtures("small_shards")
def test_a_second_pass_computes_nothing_anew(pictures: list[Picture], tmp_path: Path) -> None:
    first, second = Levels(), Levels()
    before = ask(pictures, first, tmp_path / "s")
    np.testing.assert_array_equal(ask(pictures, second, tmp_path / "s"), before)
    assert (first.asked, second.asked) == (EACH_CALL + COUNT, EACH_CALL)


@pytest.mark.usefixtures("small_shards")
def test_a_shard_that_is_cut_short_is_made_again(pictures: list[Picture], tmp_path: Path) -> None:
    before = ask(pictures, Levels(), tmp_path / "s")
    shards = sorted((tmp_path / "s").iterdir())
    assert [path.name for path in shards] == ["00000000.npy", "00000010.npy", "00000020.npy"]
    shards[1].write_bytes(shards[1].read_bytes()[:-5])
    again = Levels()
    np.testing.assert_array_equal(ask(pictures, again, tmp_path / "s"), before)
    assert again.asked == EACH_CALL + 10
    for content in (b"", b"no array", shards[0].read_bytes()[:60]):
        shards[2].write_bytes(content)
        again = Levels()
        np.testing.assert_array_equal(ask(pictures, again, tmp_path / "s"), before)
        assert again.asked == EACH_CALL + 3


@pytest.mark.usefixtures("small_shards")
def test_shards_of_another_function_or_another_number_of_classes_are_not_used(pictures: list[Picture], tmp_path: Path) -> None:
    ask(pictures, Levels(), tmp_path / "s")
    other = Levels(factor=2.0)
    np.testing.assert_allclose(ask(pictures, other, tmp_path / "s"), 2 * EXPECTED, atol=1e-3)
    assert other.asked == EACH_CALL + COUNT
    assert ask(pictures, lambda inputs: torch.ones(len(inputs), 3), tmp_path / "s").shape == (COUNT, 3)


@pytest.mark.usefixtures("small_shards")
def test_an_interrupted_pass_goes_on_after_its_last_whole_shard(pictures: list[Picture], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        ask(pictures, Levels(fail_after=EACH_CALL + 15), tmp_path / "s")
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["00000000.npy"]
    rest = Levels()
    np.testing.assert_allclose(ask(pictures, rest, tmp_path / "s"), EXPECTED, atol=1e-3)
    assert rest.asked == EACH_CALL + COUNT - 10


def test_all_that_decides_outputs_decides_the_folder_of_the_shards(tmp_path: Path) -> None:
    folders = {shards_folder(tmp_path, *identity) for identity in (("a", SMALL), ("b", SMALL), ("a", "b"), ("ab",))}
    assert len(folders) == 4
    assert shards_folder(tmp_path, "a", Preprocessing(4, 4, (0.0,) * 3, (1.0,) * 3)) in folders


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (lambda inputs: torch.ones(len(inputs)), r"must be \(1, classes\), not \(1,\)\."),
        (lambda inputs: torch.ones(len(inputs) + 1, 3), r"must be \(1, classes\), not \(2, 3\)\."),
        (lambda inputs: [1.0], r"outputs for \(1, 3, 4, 4\) must be \(1, classes\), not list\."),
        (lambda inputs: torch.tensor([[0.0, torch.nan]]), "not all finite numbers"),
        (lambda inputs: torch.tensor([[0.0, torch.inf]]), "not all finite numbers: its weights are spoilt, or half precision"),
    ],
)
def test_outputs_of_another_kind_are_refused(
    pictures: list[Picture], tmp_path: Path, function: Callable[[Tensor], Tensor], complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        ask(pictures, function, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_number_that_is_not_finite_is_found_in_any_batch(pictures: list[Picture], tmp_path: Path) -> None:
    def function(inputs: Tensor) -> Tensor:
        values = Levels()(inputs)
        return torch.where(values.abs() > 205, torch.nan, values)

    with pytest.raises(DataError, match="not all finite numbers"):
        ask(pictures, function, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def _lively(model: nn.Module) -> nn.Module:
    """The network with batch norm statistics and weights as training leaves them, in training mode."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    return model.train()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: resnet18(num_classes=40), id="torchvision's resnet18"),
        pytest.param(lambda: ModifiedResNet((1, 1, 1, 1), output_dim=24, heads=4, input_resolution=64, width=16), id="CLIP's"),
    ],
)
def test_a_frozen_network_gives_the_same_outputs(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(5)
    model = _lively(make())
    inputs = torch.randn(5, 3, 64, 64)
    frozen = quick(model, inputs[:1])
    assert isinstance(frozen, torch.jit.ScriptModule)
    with torch.inference_mode():
        plain = model.eval()(inputs)
        assert plain.std() > 0
        assert (frozen(inputs) - plain).abs().max() <= 1e-4 * plain.abs().max()
        assert (frozen(inputs[:2]) - plain[:2]).abs().max() <= 1e-4 * plain.abs().max()


class _ByItsOwnBatch(nn.Module):
    """Adds as many as the batch has pictures, which tracing takes for a constant."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.mean(dim=(2, 3)) + inputs.shape[0] * float(len(inputs) > 1)


class _ByItsValues(nn.Module):
    """Goes one way for bright pictures and another for dark ones, of which tracing sees one."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.mean(dim=(2, 3)) * (2 if inputs.mean() > 0 else 1)


class _Untraceable(nn.Module):
    def forward(self, inputs: Tensor) -> object:
        return inputs.mean(dim=(2, 3)) if isinstance(inputs.shape[0], int) and not torch.jit.is_tracing() else {1: "one"}


@pytest.mark.parametrize("network", [_ByItsOwnBatch(), _ByItsValues(), _Untraceable()])
def test_a_network_that_cannot_be_frozen_is_used_as_it_is(network: nn.Module) -> None:
    assert quick(network, torch.randn(1, 3, 8, 8)) is network


def test_a_function_that_is_no_network_is_used_as_it_is() -> None:
    function = Levels()
    assert quick(function, torch.randn(1, 3, 8, 8)) is function
    assert function.asked == 0
