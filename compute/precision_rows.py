"""From the outputs of two precisions to rows: how far answers and stages drift, and what each tensor is kept in."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas
import torch
from clip.model import CLIP
from torch import Tensor

from compute import drift
from compute.connection import StoredOutputs
from compute.data import imagenet
from compute.models.precision import DATA_TYPES, Stage, kept_tensors
from compute.precision_timing import arithmetic

BATCH_PICTURES = 8  # pictures whose stages' outputs are in memory at once


def drift_table(
    run_id: str,
    exact: StoredOutputs,
    image: pandas.DataFrame,
    wnids: Sequence[str],
    logits: np.ndarray,
    encoder_only: np.ndarray,
) -> pandas.DataFrame:
    """Rows of precision_drift from the stored outputs of fp32 to `logits` (N, K) of the pictures `image`, in their order.

    encoder_only (N, K): the outputs where the product with the text features is taken in fp32.
    """
    place = {image_id: number for number, image_id in enumerate(exact.image_ids)}
    before = exact.values[[place[image_id] for image_id in image.image_id]]
    found = drift.drift(before, logits)
    position = {wnid: number for number, wnid in enumerate(wnids)}
    label = np.array([position.get(wnid, -1) for wnid in image.wnid])
    change = np.exp(drift.log_probabilities(logits)) - np.exp(drift.log_probabilities(before))
    of_label = np.where(label >= 0, change[np.arange(len(label)), label], np.nan)
    index = np.array([imagenet.by_wnid()[wnid].index for wnid in wnids])
    return pandas.DataFrame(
        {
            "run_id": exact.run_id,
            "other_run_id": run_id,
            **{name: image[name].to_numpy() for name in ("image_id", "ordinal", "wnid", "style")},
            "largest_change": found.largest_change,
            "changed_class": index[found.changed_position],
            "encoder_change": drift.drift(before, encoder_only).largest_change,
            "kl_divergence": found.kl_divergence,
            "top1_flip": found.top1_flip,
            "top5_changes": found.top5_changes,
            "top5_left": found.top5_left,
            "margin": found.margin,
            "label_change": pandas.array(of_label, dtype="Float32"),
        }
    )


@torch.inference_mode()
def layer_drift_table(
    run_id: str,
    image_ids: Sequence[str],
    read: Callable[[slice], Tensor],
    steps: tuple[Sequence[Stage], Sequence[Stage]],
    precision: str,
) -> pandas.DataFrame:
    """Rows of layer_drift for some pictures, of which `read` gives a part as inputs (B, 3, H, W).

    steps are fp32's and those of `precision`, each from what the one before gives, in whatever format.
    """
    tiny = torch.finfo(DATA_TYPES[precision]).tiny
    parts = []
    for start in range(0, len(image_ids), BATCH_PICTURES):
        part = slice(start, start + BATCH_PICTURES)
        exact = coarse = read(part)
        for ordinal, ((layer, exact_step), (_, coarse_step)) in enumerate(zip(*steps, strict=True)):
            with arithmetic(precision):
                own, coarse = coarse_step(exact), coarse_step(coarse)
            with arithmetic("fp32"):
                exact = exact_step(exact)
            values = exact.flatten(1).abs()
            below = (values > 0) & (values < tiny)
            columns = {
                "run_id": run_id,
                "image_id": image_ids[part],
                "ordinal": ordinal,
                "layer": layer,
                "relative_error": drift.relative_error(_as_numpy(exact), _as_numpy(coarse)),
                "own_error": drift.relative_error(_as_numpy(exact), _as_numpy(own)),
                "largest_value": _as_numpy(values.amax(dim=1)),
                "below_normal": _as_numpy(below.sum(dim=1) / (values > 0).sum(dim=1).clamp(min=1)),
            }
            parts.append(pandas.DataFrame(columns))
    return pandas.concat(parts, ignore_index=True)


def parameter_table(run_id: str, model: CLIP, data_type: torch.dtype) -> pandas.DataFrame:
    """Rows of parameter_precision: what CLIP's tensors are kept in after its conversion to `data_type`."""
    kept = pandas.DataFrame(kept_tensors(model, data_type))
    part = np.where(kept.name.str.startswith("visual."), "image encoder", "text encoder")
    return kept.assign(run_id=run_id, ordinal=range(len(kept)), part=part)


def _as_numpy(values: Tensor) -> np.ndarray:
    return values.float().cpu().numpy()
