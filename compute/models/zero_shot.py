"""CLIP as a zero-shot classifier: its published weights, those of a file, or trained on the spot, and its class prompts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from clip.model import CLIP
from torch import Tensor

from compute.data import imagenet
from compute.data.openmoji_images import chosen_classes
from compute.models import class_training, official_weights
from compute.models.class_training import Training, clip_preprocessing
from compute.models.clip_text import class_features
from compute.models.preprocessing import Preprocessing


@dataclass(frozen=True, eq=False)
class ZeroShotClip:
    """CLIP with the classes that it is asked for; `origin` tells in words where its weights come from."""

    model: CLIP
    weights_sha256: str
    wnids: tuple[str, ...]
    preprocess: Preprocessing
    origin: str

    @property
    def scale(self) -> float:
        """What CLIP multiplies its cosines by, as it learned it."""
        return self.model.logit_scale.exp().item()

    def text_features(
        self, templates: Sequence[str], device: torch.device, cache: Path, report: Callable[[int, int, str], None]
    ) -> Tensor:
        """Unit features of the classes, each the mean over its prompts: (classes, D) float32 on the CPU."""
        names = [imagenet.by_wnid()[wnid].openai_name for wnid in self.wnids]
        return class_features(
            self.model,
            self.weights_sha256,
            names,
            templates,
            device,
            cache,
            lambda done, total: report(done, total, "reads prompts"),
        )


def load_zero_shot(
    training: Training | None,
    file: str,
    seed: int,
    device: torch.device,
    cache: Path,
    report: Callable[[int, int, str], None],
) -> ZeroShotClip:
    """CLIP trained as `training` says, with the classes that it saw captions of, or published with all of ImageNet's.

    `file` takes the place of the published weights. Raises DataError where weights are missing or no CLIP's.
    """
    if training:
        model, digest = class_training.trained_clip(training, seed, device, cache, report)
        wnids = chosen_classes(training.classes)
        origin = f"trained on captions of the OpenMoji world with seed {seed}"
    else:
        model, digest = official_weights.load_clip(Path(file) if file else None)
        wnids = tuple(entry.wnid for entry in imagenet.classes())
        origin = file or "OpenAI's CLIP RN50"
    model.to(device)
    return ZeroShotClip(model, digest, wnids, clip_preprocessing(model.visual.input_resolution), origin)
