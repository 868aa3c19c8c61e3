"""Networks made quick: padding that convolutions take over, layers fused for one size of batch, and a GPU's memory."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from clip.model import ModifiedResNet
from efficientnet_lite0 import efficientnet_lite0
from PIL import Image
from torch import Tensor, nn

from compute import predictions
from compute.data.class_images import Picture
from compute.data.errors import DataError
from compute.models.frozen import WithinMemory, quick

CPU = torch.device("cpu")
DATA = Path(os.environ.get("CONTRAST_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
PHOTOS = sorted((DATA / "imagenet_samples").glob("*.jpg"))
FUSED = "prim::oneDNNFusionGuard"


class _Padded(nn.Module):
    """A convolution after a padding, as networks have it that come from TensorFlow."""

    def __init__(self, before: nn.Module, **options: object) -> None:
        super().__init__()
        self.before, self.convolution = before, nn.Conv2d(4, 6, 3, **options)
        self.first = nn.Conv2d(3, 4, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.convolution(self.before(self.first(inputs))).flatten(start_dim=1)


def padding_steps(network: torch.jit.ScriptModule) -> int:
    return len(network.graph.findAllNodes("aten::pad"))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("widths", [(1, 1, 1, 1), (0, 1, 0, 1), (2, 0, 0, 0), (1, 3, 2, 0)])
@pytest.mark.parametrize("own", [0, 1])
def test_convolutions_take_over_the_zeros_that_are_laid_around_their_input(
    widths: tuple[int, ...], stride: int, own: int
) -> None:
    torch.manual_seed(0)
    network, inputs = _Padded(nn.ZeroPad2d(widths), stride=stride, padding=own), torch.randn(2, 3, 9, 12)
    frozen = quick(network, inputs[:1])
    assert padding_steps(frozen) == 0
    with torch.inference_mode():
        torch.testing.assert_close(frozen(inputs), network(inputs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "network",
    [
        _Padded(nn.ConstantPad2d(1, 0.5)),
        _Padded(nn.ReflectionPad2d(1)),
        _Padded(nn.ZeroPad2d((1, 2, 1, 2)), dilation=2),
        _Padded(nn.ZeroPad2d((-1, 1, 1, 1))),
    ],
)
def test_other_padding_stays_as_it_is(network: nn.Module) -> None:
    inputs = torch.randn(2, 3, 9, 12)
    frozen = quick(network, inputs[:1])
    assert len(frozen.graph.findAllNodes("aten::pad")) + len(frozen.graph.findAllNodes("aten::reflection_pad2d")) == 1
    with torch.inference_mode():
        torch.testing.assert_close(frozen(inputs), network(inputs), rtol=1e-4, atol=1e-5)


def test_padding_of_strips_is_none_of_its_business() -> None:
    network, inputs = nn.Sequential(nn.Flatten(2), nn.ZeroPad1d(1), nn.Conv1d(3, 2, 3), nn.Flatten()), torch.randn(2, 3, 4, 5)
    frozen = quick(network, inputs[:1])
    assert padding_steps(frozen) == 1
    with torch.inference_mode():
        torch.testing.assert_close(frozen(inputs), network(inputs), rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch comes without oneDNN here")
def test_fused_layers_give_the_same_for_batches_of_any_size() -> None:
    torch.manual_seed(0)
    network = ModifiedResNet((1, 1, 1, 1), output_dim=24, heads=4, input_resolution=64, width=16).eval()
    inputs = torch.randn(7, 3, 64, 64)
    assert not torch.jit.onednn_fusion_enabled()
    fused = quick(network, inputs[:1], fused_batch=4)
    assert not torch.jit.onednn_fusion_enabled()
    with torch.inference_mode():
        plain = network(inputs)
        assert (fused(inputs[:4]) - plain[:4]).abs().max() <= 1e-4 * plain.abs().max()
        assert any(node.kind() == FUSED for node in torch.jit.last_executed_optimized_graph().nodes())
        assert (fused(inputs[4:]) - plain[4:]).abs().max() <= 1e-4 * plain.abs().max()
        assert (fused(inputs) - plain).abs().max() <= 1e-4 * plain.abs().max()


class _Small:
    """Means of each picture's channels, for which memory holds `limit` pictures at once; remembers what it was asked for."""

    def __init__(self, limit: int) -> None:
        self.limit, self.asked = limit, []

    def __call__(self, inputs: Tensor) -> Tensor:
        self.asked.append(len(inputs))
        if len(inputs) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return inputs.mean(dim=(2, 3))


def test_half_as_many_pictures_are_asked_for_until_memory_holds_them() -> None:
    small, inputs = _Small(limit=3), torch.randn(10, 3, 4, 4)
    within = WithinMemory(small)
    torch.testing.assert_close(within(inputs), inputs.mean(dim=(2, 3)))
    assert small.asked == [10, 5, 2, 2, 2, 2, 2]
    torch.testing.assert_close(within(inputs[:3]), inputs[:3].mean(dim=(2, 3)))
    assert small.asked[7:] == [2, 1]  # it stays with what memory holds


def test_a_single_picture_that_memory_does_not_hold_is_an_error() -> None:
    small = _Small(limit=0)
    with pytest.raises(DataError, match=r"memory does not hold one picture: free it, or run with --device cpu\."):
        WithinMemory(small)(torch.zeros(4, 3, 2, 2))
    assert small.asked == [4, 2, 1]


@pytest.mark.parametrize(("count", "made_before_each"), [(0, [1, 2, 3]), (1, [2, 3, 3]), (5, [3, 3, 3])])
def test_values_held_back_come_in_their_order(count: int, made_before_each: list[int]) -> None:
    made: list[str] = []

    def values():
        for value in "abc":
            made.append(value)
            yield value

    assert [(value, len(made)) for value in predictions._held_back(values(), count)] == list(
        zip("abc", made_before_each, strict=True)
    )


@pytest.mark.parametrize(
    ("made", "threads", "pictures", "size"),
    [
        ("graph", 1, 2047, 16),
        ("graph", 2, 2047, 8),
        ("graph", 1, 2048, 4),
        ("graph", 2, 2048, 4),
        ("as it came", 1, 2048, 16),
        ("as it came", 2, 2048, 8),
    ],
)
def test_only_fused_networks_are_asked_in_smallest_batches(made: str, threads: int, pictures: int, size: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        whole = predictions.Pass([None] * pictures, None, "as it came", CPU, Path(), 100)
        assert predictions._batch_size(WithinMemory(made), whole) == size
    finally:
        torch.set_num_threads(before)


class _AskedTogether:
    """Gives mean colors, each once as many threads ask as there are; notes which asked."""

    def __init__(self, threads: int) -> None:
        self.all_there, self.threads = threading.Barrier(threads, timeout=20), set[int]()

    def __call__(self, inputs: Tensor) -> Tensor:
        self.threads.add(threading.get_ident())
        self.all_there.wait()
        time.sleep(float(inputs[0, 0, 0, 0]) / 50)
        return inputs.mean(dim=(2, 3))


def test_a_graph_is_asked_by_each_core_on_a_long_pass_and_answers_keep_their_order() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        function, slowest_first = _AskedTogether(3), [torch.full((2, 3, 4, 4), number / 6) for number in range(6, 0, -1)]
        whole = predictions.Pass([None] * 2048, None, None, CPU, Path(), 100)
        found = list(predictions._answers(WithinMemory(function), slowest_first, whole))
    finally:
        torch.set_num_threads(before)
    assert len(function.threads) == 3
    assert threading.get_ident() not in function.threads
    np.testing.assert_allclose([float(values[0, 0]) for values in found], [number / 6 for number in range(6, 0, -1)])


def test_any_other_function_is_asked_by_one_thread_alone() -> None:
    asked: list[int] = []

    def mean(inputs: Tensor) -> Tensor:
        asked.append(threading.get_ident())
        return inputs.mean(dim=(2, 3))

    whole = predictions.Pass([None] * 2048, None, mean, CPU, Path(), 100)
    assert len(list(predictions._answers(WithinMemory(mean), [torch.zeros(2, 3, 4, 4)] * 3, whole))) == 3
    assert asked == [threading.get_ident()] * 3


@pytest.mark.skipif(not PHOTOS, reason="no photos here")
@pytest.mark.parametrize("from_pictures", [0, 10**6], ids=["long pass", "short pass"])
def test_a_pass_over_photos_gives_the_probabilities_of_the_plain_network(
    from_pictures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "LONG_PASS_PICTURES", from_pictures)
    classifier, paths = efficientnet_lite0(CPU), PHOTOS[:: len(PHOTOS) // 18][:18]
    pictures = [Picture(path, path.name, None, None, None, "", None, "", "", 0, 0) for path in paths]
    with torch.inference_mode():
        plain = classifier.logits(torch.stack([classifier.preprocess(Image.open(path).convert("RGB")) for path in paths]))
    told: list[int] = []
    found = predictions.outputs(
        pictures, classifier.preprocess, classifier.logits, CPU, tmp_path, lambda done, *_: told.append(done)
    )
    assert told == ([16, 18] if from_pictures else [4, 8, 12, 16, 18])
    expected = plain.softmax(dim=1)
    assert expected.max() > 0.5
    assert (torch.from_numpy(found).softmax(dim=1) - expected).abs().max() <= 1e-4
