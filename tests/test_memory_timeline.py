"""Memory by category of networks whose every allocation is known."""

import pytest
import torch
from clip.model import ModifiedResNet
from torch import Tensor, nn

from compute.measure import MEBIBYTE
from compute.memory_timeline import Moment, memory_timeline

DEVICES = [
    torch.device("cpu"),
    pytest.param(torch.device("cuda"), marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")),
]


def _bytes(mebibytes: int, like: Tensor) -> Tensor:
    return torch.empty(mebibytes * MEBIBYTE, dtype=torch.uint8, device=like.device)


class Widening(nn.Module):
    """Gives `output` MiB, and holds `scratch` MiB until it is done."""

    def __init__(self, scratch: int, output: int) -> None:
        super().__init__()
        self.scratch, self.output = scratch, output

    def forward(self, values: Tensor) -> Tensor:
        scratch = _bytes(self.scratch, values)
        result = _bytes(self.output, values)
        del scratch
        return result


class Halves(nn.Module):
    """Gives two views of one storage of 6 MiB."""

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        whole = _bytes(6, values)
        return whole[: 3 * MEBIBYTE], whole[3 * MEBIBYTE :]


class Known(nn.Module):
    """Two layers with a weight in common, a buffer, and outputs of 2, 3, 3 (the same), 6 and 1 MiB."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Widening(4, 2)
        self.second = Widening(2, 3)
        self.in_place = nn.ReLU(inplace=True)
        self.halves = Halves()
        weight = nn.Parameter(torch.zeros(MEBIBYTE // 4))  # 1 MiB
        self.first.weight = self.second.weight = weight
        self.second.register_buffer("mean", torch.zeros(MEBIBYTE // 8))  # 0.5 MiB

    def forward(self, inputs: Tensor) -> Tensor:
        values = self.first(inputs)
        values = self.second(values)  # whose scratch may well get the address that the first's had
        values = self.in_place(values)
        upper, lower = self.halves(values)
        del values, upper
        result = _bytes(1, lower)
        del lower
        return result


def _in_mebibytes(moments: list[Moment]) -> list[tuple[str, float, float]]:
    return [
        (moment.layer, moment.allocated["activations"] / MEBIBYTE, moment.allocated["temporary"] / MEBIBYTE)
        for moment in moments
    ]


@pytest.mark.parametrize("device", DEVICES)
def test_each_moment_has_the_bytes_that_are_allocated_then(device: torch.device) -> None:
    network = Known().to(device)
    inputs = torch.zeros(2, MEBIBYTE // 4, device=device)  # 2 MiB
    moments = memory_timeline(network, inputs, device)
    known = [
        ("Known", 0, 0),
        ("first", 0, 4), ("first", 2, 4), ("first", 2, 0),
        ("second", 2, 2), ("second", 5, 2), ("second", 5, 0),
        ("Known", 3, 0),
        ("halves", 9, 0),
        ("Known", 6, 0),
        ("Known", 7, 0),
        ("Known", 1, 0),
    ]  # fmt: skip
    found = _in_mebibytes(moments)
    slack = 0 if device.type == "cpu" else 3  # CUDA's allocator leaves up to 1 MiB more in each block
    assert [layer for layer, *_ in found] == [layer for layer, *_ in known]
    for (_, *sizes), (_, *exact) in zip(found, known, strict=True):
        assert all(size <= held <= size + slack for held, size in zip(sizes, exact, strict=True))
    assert {moment.allocated["parameters"] for moment in moments} == {3 * MEBIBYTE // 2}
    assert {moment.allocated["inputs"] for moment in moments} == {2 * MEBIBYTE}
    assert 12.5 <= max(moment.total for moment in moments) / MEBIBYTE <= 12.5 + slack
    times = [moment.milliseconds for moment in moments]
    assert times[0] == 0.0
    assert times == sorted(times)


def test_a_storage_that_two_weights_share_counts_once() -> None:
    network = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
    network[1].weight = nn.Parameter(network[0].weight.data)
    [start, *_] = memory_timeline(network, torch.zeros(2, 8), torch.device("cpu"))
    assert start.allocated == {"parameters": 8 * 8 * 4, "inputs": 2 * 8 * 4, "activations": 0, "temporary": 0}


def test_what_lies_on_another_kind_of_device_does_not_count() -> None:
    assert _in_mebibytes(memory_timeline(Known(), torch.zeros(4), torch.device("meta"))) == [("Known", 0, 0)]


def test_hooks_are_gone_afterwards_even_if_the_pass_fails() -> None:
    class Failing(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            if not calls:
                calls.append(1)
                return values
            raise RuntimeError("as a pass may")

    calls: list[int] = []
    network = nn.Sequential(Failing())
    with pytest.raises(RuntimeError, match="as a pass may"):
        memory_timeline(network, torch.zeros(1), torch.device("cpu"))
    assert all(not each._forward_hooks and not each._forward_pre_hooks for each in network.modules())


@pytest.fixture(scope="module")
def clip_moments() -> list[Moment]:
    """Of a CLIP encoder of the smallest size, for 2 pictures of 32x32 pixels."""
    encoder = ModifiedResNet(layers=(1, 1, 1, 1), output_dim=32, heads=2, input_resolution=32, width=8).eval()
    return memory_timeline(encoder, torch.randn(2, 3, 32, 32), torch.device("cpu"))


def test_clips_encoder_holds_what_its_layers_give(clip_moments: list[Moment]) -> None:
    first = 2 * 4 * 16 * 16 * 4  # bytes: 4 channels of half the size, for both pictures
    highest = {
        layer: max(moment.allocated["activations"] for moment in clip_moments if moment.layer == layer)
        for layer in ("conv1", "bn1")
    }
    assert highest == {"conv1": first, "bn1": 2 * first}  # bn1's output beside conv1's
    assert clip_moments[-1].allocated["activations"] == 2 * 32 * 4  # the features alone
    assert clip_moments[-1].allocated["temporary"] == 0
    assert clip_moments[0].allocated["inputs"] == 2 * 3 * 32 * 32 * 4
    layers = {moment.layer for moment in clip_moments}
    assert {"conv1", "layer1.0.downsample.0", "layer4.0.conv3", "attnpool", "ModifiedResNet"} <= layers
