"""Where does each pre-training win: ImageNet's labels, or CLIP's captions?

Method: torchvision's RN50, which learned ImageNet's classes, and OpenAI's CLIP RN50, which learned to match pictures and
captions and is given the classes as prompts only (zero-shot), answer for the same pictures. CLIP is asked with one prompt
template or with the mean of 80, its cosines scaled by the learned temperature or left raw. Any other classifier can be added.
Where no published weights are at hand, both kinds are trained on the OpenMoji world: the ResNet from labels on color pictures,
CLIP from captions across styles.
Source: He et al. 2016, Radford et al. 2021 (sections 2.4 and 3.1.4); prompts and class names from openai/CLIP's notebook.
Command: python -m compute run imagenet_rn50_vs_clip [--image-folder DIR] [--classifier FILE.py:FUNCTION]
Time: mini, a minute and a half on two cores, most of it training.
Tables: dataset, image, synset, synset_parent, synset_leaf, word_sense, prediction, class_score, logit, classifier_output,
image_evidence, class_similarity.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from compute import feature_evidence, predictions
from compute.data import imagenet, wordnet
from compute.data.class_images import ImageSource, load_pictures, picture_tables
from compute.data.errors import DataError
from compute.data.openmoji_images import chosen_classes
from compute.models import class_training, official_weights
from compute.models.class_training import TRAININGS, Training, resnet_preprocessing
from compute.models.classifiers import load_classifier, split_reference
from compute.models.clip_text import encode_prompts
from compute.models.preprocessing import Preprocessing, recognized
from compute.models.zero_shot import load_zero_shot
from compute.prediction_rows import prediction_tables
from compute.trials import Trial, TrialRows, Workbench

NAME = "imagenet_rn50_vs_clip"
QUESTION = "Where does each pre-training win: ImageNet's labels, or CLIP's captions?"
VERSION = 1
SHARES = ("CLIP",)  # the trained network, its text features, and its shards of image features
ONE_TEMPLATE = "a photo of a {}."


@dataclass(frozen=True)
class Settings:
    """What makes one classifier."""

    training: Training | None = None  # None: published weights, or those of a file
    templates: int = 0  # prompts for each class; 0 where the classifier needs none
    scaled: bool = True  # whether CLIP's cosines are multiplied by its learned scale
    file: str = ""  # weights, or FILE.py:FUNCTION, that take the place of the profile's own
    file_sha256: str = ""


CLIP_VARIANTS = {
    "clip_80_templates": Settings(templates=80),
    "clip_one_template": Settings(templates=1),
    "clip_80_templates_cosine": Settings(templates=80, scaled=False),
}


def trials(
    profile: str,
    seed: int,
    images: ImageSource,
    classifiers: Sequence[str] = (),
    rn50_weights: Path | None = None,
    clip_weights: Path | None = None,
) -> list[Trial]:
    """RN50, CLIP asked in three ways, and each of `classifiers` (FILE.py:FUNCTION), on the same pictures.

    Files of weights take the place of the published ones, or of training. Raises DataError where a file is missing, or two
    classifiers have one name.
    """
    training = TRAININGS[profile]
    variants = {"rn50": _with_file(Settings(training), rn50_weights)}
    for variant, settings in CLIP_VARIANTS.items():
        variants[variant] = _with_file(replace(settings, training=training), clip_weights)
    for reference in classifiers:
        file, function = split_reference(reference)
        if function in variants:
            raise DataError(f"--classifier {reference}: another classifier here is called {function}. Rename the function.")
        variants[function] = replace(_with_file(Settings(), file), file=reference)
    return [
        Trial(NAME, variant, profile, seed, VERSION, each, images, run_trial, SHARES if variant in CLIP_VARIANTS else ())
        for variant, each in variants.items()
    ]


def _with_file(settings: Settings, file: Path | None) -> Settings:
    if file is None:
        return settings
    return replace(settings, training=None, file=str(file), file_sha256=official_weights.file_digest(file))


def run_trial(trial: Trial, bench: Workbench) -> TrialRows:
    """Ask one classifier for its answers to all pictures."""
    if trial.variant == "rn50":
        return _ask_resnet(trial, bench)
    if trial.variant in CLIP_VARIANTS:
        return _ask_clip(trial, bench)
    return _ask_added(trial, bench)


class _Pictures:
    """The trial's pictures with the rows that all classifiers share."""

    def __init__(self, trial: Trial, bench: Workbench) -> None:
        self.trial, self.bench = trial, bench
        self.pictures = load_pictures(trial.data, bench.cache)
        self.tables = {**wordnet.shared_tables(), **picture_tables(trial.data, self.pictures, bench.images)}

    def outputs(self, preprocess: Any, function: Any, identity: str) -> np.ndarray:
        """A function's outputs for all pictures: (N, D) float32."""
        # Anyone's function is told apart by `identity`: its own text holds an address that another process does not repeat.
        steps = recognized(preprocess)
        known = steps if isinstance(steps, Preprocessing) else "steps of its own"
        shards = predictions.shards_folder(self.bench.cache, identity, known, self.trial.data.fingerprint)
        bench = self.bench
        return predictions.outputs(self.pictures, preprocess, function, bench.device, shards, bench.report, bench.help_with)

    def rows(self, wnids: Sequence[str], logits: np.ndarray, weights: str, digest: str | None, model: Any) -> TrialRows:
        """All rows of a classifier with these outputs (N, len(wnids))."""
        tables = prediction_tables(self.bench.run_id, self.tables["image"], wnids, logits)
        scores = tables["class_score"]
        right = f"top-5 {scores.top5.sum() / max(1, scores.images.sum()):.3f}"
        self.bench.report(len(self.pictures), len(self.pictures), right)
        parameters = sum(each.numel() for each in model.parameters()) if isinstance(model, nn.Module) else None
        return TrialRows({**self.tables, **tables}, weights, digest, parameters)


def _ask_resnet(trial: Trial, bench: Workbench) -> TrialRows:
    settings: Settings = trial.settings
    pictures = _Pictures(trial, bench)
    if settings.training:
        model, digest = class_training.trained_resnet(settings.training, trial.seed, bench.device, bench.cache, bench.report)
        wnids, preprocess = chosen_classes(settings.training.classes), resnet_preprocessing(settings.training)
        origin = f"trained on labels of the OpenMoji world with seed {trial.seed}"
    else:
        model, digest = official_weights.load_resnet(Path(settings.file) if settings.file else None)
        wnids, preprocess = tuple(entry.wnid for entry in imagenet.classes()), official_weights.RESNET_PREPROCESSING
        origin = settings.file or "torchvision's IMAGENET1K_V1"
    logits = pictures.outputs(preprocess, model.to(bench.device), f"resnet {digest}")
    return pictures.rows(wnids, logits, origin, digest, model)


def _ask_clip(trial: Trial, bench: Workbench) -> TrialRows:
    settings: Settings = trial.settings
    pictures = _Pictures(trial, bench)
    clip = load_zero_shot(settings.training, settings.file, trial.seed, bench.device, bench.cache, bench.report)
    features = pictures.outputs(clip.preprocess, clip.model.visual, f"clip image features {clip.weights_sha256}")
    features = features / np.linalg.norm(features, axis=1, keepdims=True)
    templates = imagenet.templates() if settings.templates > 1 else (ONE_TEMPLATE,)
    text = clip.text_features(templates, bench.device, bench.cache, bench.report)
    logits = (clip.scale if settings.scaled else 1.0) * features @ text.numpy().T
    rows = pictures.rows(clip.wnids, logits, clip.origin, clip.weights_sha256, clip.model)
    if settings.scaled and settings.templates > 1:
        image = pictures.tables["image"]
        probes = encode_prompts(clip.model, [f"{probe}." for probe in feature_evidence.PROBES], bench.device).numpy()
        rows.tables["image_evidence"] = feature_evidence.image_evidence(bench.run_id, image, features, probes, clip.scale)
        rows.tables["class_similarity"] = feature_evidence.class_similarity(bench.run_id, image, features)
    return rows


def _ask_added(trial: Trial, bench: Workbench) -> TrialRows:
    settings: Settings = trial.settings
    pictures = _Pictures(trial, bench)
    classifier = load_classifier(settings.file, bench.device)
    identity = f"{classifier.name} {settings.file_sha256} {hashlib.sha256(' '.join(classifier.wnids).encode()).hexdigest()}"
    logits = pictures.outputs(classifier.preprocess, classifier.logits, identity)
    if logits.shape[1] != len(classifier.wnids):
        raise DataError(
            f"{settings.file}: gives {logits.shape[1]} outputs for {len(classifier.wnids)} wnids; they must be as many."
        )
    return pictures.rows(classifier.wnids, logits, f"{classifier.name}, from {settings.file}", None, classifier.logits)
