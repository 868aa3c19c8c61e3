"""From a decoder head to rows: what it costs, how its class tokens look at patches, and what it calls hidden parts."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.vision_transformer import VisionTransformer

from compute import measure
from compute.data.labelled_images import LabelledImages
from compute.models.decoder_heads import TransformerHead
from compute.models.vision_transformer import patch_features

LATENCY_REPETITIONS = 50
WARM_UP = 5
HIDDEN_COLUMNS = (
    "run_id", "image_id", "class_id", "occluder_class_id", "hidden", "as_hidden", "as_occluder", "control", "control_as_hidden",
)  # fmt: skip
HIDES_NOTHING = 255  # in LabelledImages.hidden


def hidden_rows(run_id: str, image_ids: Sequence[str], data: LabelledImages, predicted: Tensor) -> pandas.DataFrame:
    """What label maps (N, H, W) uint8 call the parts of objects that others hide: rows of hidden_score.

    Both classes must be scored ones. The control counts the hiding class's pixels in the same image that hide nothing.
    """
    assert data.hidden is not None
    rows = []
    for image_id, truth, hidden, answer in zip(image_ids, data.val.labels, data.hidden, predicted.numpy(), strict=True):
        seen = (hidden < data.class_count) & (truth < data.class_count)
        pairs = np.unique(np.stack([hidden[seen], truth[seen]], axis=1), axis=0)
        for hidden_class, occluder in pairs.tolist():
            here = answer[(hidden == hidden_class) & (truth == occluder)]
            control = answer[(hidden == HIDES_NOTHING) & (truth == occluder)]
            counts = (
                here.size,
                np.count_nonzero(here == hidden_class),
                np.count_nonzero(here == occluder),
                control.size,
                np.count_nonzero(control == hidden_class),
            )
            rows.append((run_id, image_id, hidden_class, occluder, *counts))
    return pandas.DataFrame(rows, columns=HIDDEN_COLUMNS)


@torch.inference_mode()
def attention_rows(run_id: str, image_ids: Sequence[str], head: TransformerHead, features: Tensor) -> pandas.DataFrame:
    """How each class token looks at the patches of images with these features (B, D, h, w): rows of token_attention."""
    weights = head.class_attention(features).cpu()  # (B, classes, h, w)
    _, class_count, height, width = weights.shape
    rows = {
        "run_id": run_id,
        "image_id": np.repeat(np.array(image_ids, dtype=object), class_count),
        "class_id": np.tile(np.arange(class_count), len(image_ids)),
        "height": height,
        "width": width,
        "weights": list(weights.flatten(2).flatten(0, 1).numpy()),
    }
    return pandas.DataFrame(rows)


def cost_rows(run_id: str, encoder: VisionTransformer, image: Tensor, head: nn.Module, features: Tensor) -> pandas.DataFrame:
    """Parameters and multiply-adds of both parts for one picture (1, 3, S, S) and its features: rows of model_cost."""
    costs = {
        "encoder": (encoder, multiply_adds(lambda: patch_features(encoder, image))),
        "head": (head, multiply_adds(lambda: head(features))),
    }
    rows = [
        {"run_id": run_id, "part": part, "parameters": sum(map(Tensor.numel, model.parameters())), "multiply_adds": count}
        for part, (model, count) in costs.items()
    ]
    return pandas.DataFrame(rows)


@torch.no_grad()
def multiply_adds(function: Callable[[], object]) -> int:
    """Multiplications, each with its addition, of the convolutions, matrix products and attention that `function` runs."""
    was_fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the counter does not know the one operation that it makes of a layer
    try:
        with FlopCounterMode(display=False) as counter:
            function()
    finally:
        torch.backends.mha.set_fastpath_enabled(was_fused)
    return counter.get_total_flops() // 2


def latency_rows(run_id: str, head: nn.Module, features: Tensor) -> pandas.DataFrame:
    """Times of one picture's cached features (1, D, h, w) through a head in fp32: rows of latency."""
    with measure.full_precision():
        timings = measure.interleaved({"fp32": lambda: head(features)}, LATENCY_REPETITIONS, WARM_UP, features.device)
    rows = {
        "run_id": run_id,
        "precision": [timing.name for timing in timings],
        "batch_size": 1,
        "repetition": [timing.repetition for timing in timings],
        "clock": [timing.clock for timing in timings],
        "milliseconds": [timing.milliseconds for timing in timings],
    }
    return pandas.DataFrame(rows)
