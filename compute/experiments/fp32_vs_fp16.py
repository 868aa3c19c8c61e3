"""What does half precision change in CLIP's image encoder: its time, its answers, its memory?

Method: one set of weights in fp32 and in lower precisions, converted by CLIP's own rule. Each precision answers for all
pictures, zero-shot with 80 prompts a class; text features are computed once in fp32, and rounded where the product with them is
taken. A lower precision's outputs are held against the stored ones of fp32, picture by picture, and its stages' outputs against
fp32's on a sample. Times are taken with the precisions in turns, memory in one forward pass of each.
The miniature emulates the lower precisions for the answers (see compute/models/precision.py), but times real ones.
Source: openai/CLIP, clip/model.py (`convert_weights`, `CLIP.forward`).
Command: python -m compute run fp32_vs_fp16 [--image-folder DIR] [--clip-weights FILE]
Time: mini, half a minute on two cores where CLIP is trained already.
Tables: dataset, image, synset, synset_parent, synset_leaf, word_sense, prediction, class_score, logit, classifier_output,
precision_drift, layer_drift, parameter_precision, latency, device_rate, encoder_work, memory, memory_peak.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
from torch import Tensor, nn

from compute import predictions
from compute.connection import StoredOutputs, stored_outputs
from compute.data import imagenet, wordnet
from compute.data.class_images import ImageSource, Picture, load_pictures, picture_tables
from compute.data.errors import DataError
from compute.models import official_weights, precision
from compute.models.class_training import TRAININGS, Training
from compute.models.zero_shot import ZeroShotClip, load_zero_shot
from compute.precision_rows import drift_table, layer_drift_table, parameter_table
from compute.precision_timing import TIMING_PLANS, TimingPlan, arithmetic, latency_tables, memory_tables
from compute.prediction_rows import prediction_tables
from compute.trials import Trial, TrialRows, Workbench, device_name

NAME = "fp32_vs_fp16"
QUESTION = "What does half precision change in CLIP's image encoder?"
VERSION = 1
SHARES = ("CLIP",)
SHARES_ANSWERS = (*SHARES, "answers in fp32")  # in the results, which those of the other precisions are held against
EXACT = "fp32"


@dataclass(frozen=True)
class Weights:
    """Which CLIP: trained as told, or with its published weights, or with those of a file."""

    training: Training | None
    file: str = ""
    file_sha256: str = ""


@dataclass(frozen=True)
class AnswerSettings:
    """What makes the answers of one precision."""

    weights: Weights
    arithmetic: str  # of the lower precisions: "native", or "emulated"
    layer_images: int = 64  # pictures whose stages are compared


@dataclass(frozen=True)
class LatencySettings:
    """What is timed how often."""

    weights: Weights
    plan: TimingPlan


@dataclass(frozen=True)
class MemorySettings:
    """The pass whose memory is watched."""

    weights: Weights
    batch_size: int = 32


PRECISIONS = {
    "mini": (EXACT, "fp16", "bf16"),
    "gpu": (EXACT, "tf32", "fp16", "bf16"),
    "full": (EXACT, "tf32", "fp16", "bf16"),
}
ARITHMETIC = {"mini": "emulated", "gpu": "native", "full": "native"}


def trials(profile: str, seed: int, images: ImageSource, clip_weights: Path | None = None) -> list[Trial]:
    """The answers of each precision, fp32 first as the others are held against it; then all times, and all memory.

    A file of weights takes the place of the published ones, or of training. Raises DataError where it is missing.
    """
    weights = Weights(TRAININGS[profile])
    if clip_weights is not None:
        weights = Weights(None, str(clip_weights), official_weights.file_digest(clip_weights))
    answers = AnswerSettings(weights, ARITHMETIC[profile])
    todo: list[tuple[str, Any, Callable[[Trial, Workbench], TrialRows]]] = [
        *((name, answers, run_answers) for name in PRECISIONS[profile]),
        ("latency", LatencySettings(weights, TIMING_PLANS[profile]), run_latency),
        ("memory", MemorySettings(weights), run_memory),
    ]
    return [
        Trial(NAME, variant, profile, seed, VERSION, own, images, run, SHARES_ANSWERS if own is answers else SHARES)
        for variant, own, run in todo
    ]


class _Encoder:
    """CLIP in one precision, and what it gives for pictures."""

    def __init__(self, clip: ZeroShotClip, name: str, settings: AnswerSettings, bench: Workbench) -> None:
        self.clip, self.name, self.bench = clip, name, bench
        self.data_type = precision.DATA_TYPES[name]
        self.is_emulated = settings.arithmetic == "emulated" and name != EXACT
        make = precision.emulated if self.is_emulated else precision.converted
        self.visual = make(clip.model.visual, self.data_type).eval().to(memory_format=torch.channels_last)
        templates = imagenet.templates()
        self.text = clip.text_features(templates, bench.device, bench.cache, bench.report).to(bench.device)

    def features(self, pictures: tuple[Picture, ...], fingerprint: str) -> Tensor:
        """Image features as they leave the encoder: (N, D) float32, which holds every value of a coarser format, too."""
        arithmetic_of = (VERSION, torch.__version__, device_name(self.bench.device), self.name, self.is_emulated)
        identity = (self.clip.weights_sha256, self.clip.preprocess, fingerprint, *arithmetic_of)
        shards = predictions.shards_folder(self.bench.cache, "features in a precision", *identity)
        with arithmetic(self.name):
            values = predictions.outputs(
                pictures,
                self.clip.preprocess,
                lambda inputs: self.visual(inputs).float(),
                self.bench.device,
                shards,
                self.bench.report,
                self.bench.help_with,
            )
        return torch.from_numpy(values).to(self.bench.device)

    @torch.inference_mode()
    def logits(self, features: Tensor) -> Tensor:
        """CLIP's outputs for features, in this precision: (N, classes)."""
        with arithmetic(self.name):
            scale = self.clip.model.logit_scale.exp()
            return precision.similarity(features, self.text, scale, self.data_type)

    def steps(self) -> list[precision.Stage]:
        """The encoder's stages, and the product with the text features; each rounds what it is given to its own format."""
        weight_type = next(self.visual.parameters()).dtype  # fp32 where the format is emulated

        def rounding(step: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
            return lambda values: step(values.to(self.data_type).to(weight_type))

        return [*((name, rounding(step)) for name, step in precision.stages(self.visual)), ("logits", self.logits)]


def run_answers(trial: Trial, bench: Workbench) -> TrialRows:
    """Answer for all pictures in one precision, and compare with fp32's answers where it is a lower one."""
    settings: AnswerSettings = trial.settings
    if trial.variant == "tf32" and bench.device.type != "cuda":
        raise DataError("tf32 is a way of multiplying that only NVIDIA GPUs have. Run with --device cuda, or leave it out.")
    clip = _clip(trial, bench)
    exact = None if trial.variant == EXACT else _stored_exact(trial, bench, clip)
    pictures = load_pictures(trial.data, bench.cache)
    shared = {**wordnet.shared_tables(), **_shared_rows(trial, bench)}
    encoder = _Encoder(clip, trial.variant, settings, bench)
    features = encoder.features(pictures, trial.data.fingerprint)
    logits = _as_numpy(encoder.logits(features))
    tables = prediction_tables(bench.run_id, shared["image"], clip.wnids, logits)
    if exact is not None:
        plain = _Encoder(clip, EXACT, settings, bench)
        encoder_only = _as_numpy(plain.logits(features))
        tables["precision_drift"] = drift_table(bench.run_id, exact, shared["image"], clip.wnids, logits, encoder_only)
        every = max(1, -(-len(pictures) // settings.layer_images))
        tables["layer_drift"] = layer_drift_table(
            bench.run_id,
            shared["image"].image_id[::every].to_list(),
            lambda part: predictions.read_batch(pictures[::every][part], clip.preprocess, bench.device),
            (plain.steps(), encoder.steps()),
            trial.variant,
        )
        tables["parameter_precision"] = parameter_table(bench.run_id, clip.model, encoder.data_type)
    parameters = sum(each.numel() for each in clip.model.visual.parameters())
    return TrialRows({**shared, **tables}, clip.origin, clip.weights_sha256, parameters)


def run_latency(trial: Trial, bench: Workbench) -> TrialRows:
    """Time all precisions in turns."""
    settings: LatencySettings = trial.settings
    clip = _clip(trial, bench)
    size_px = clip.model.visual.input_resolution
    rows = latency_tables(bench.run_id, _encoders(trial, bench, clip), size_px, settings.plan, bench.device, bench.report)
    return TrialRows({**_shared_rows(trial, bench), **rows}, clip.origin, clip.weights_sha256)


def run_memory(trial: Trial, bench: Workbench) -> TrialRows:
    """Watch the memory of one forward pass in each precision."""
    settings: MemorySettings = trial.settings
    clip = _clip(trial, bench)
    size_px = clip.model.visual.input_resolution
    encoders = _encoders(trial, bench, clip)
    clip.model.cpu()  # what lies on a GPU besides would count
    rows = memory_tables(bench.run_id, encoders, size_px, settings.batch_size, bench.device, bench.report)
    return TrialRows({**_shared_rows(trial, bench), **rows}, clip.origin, clip.weights_sha256)


def _clip(trial: Trial, bench: Workbench) -> ZeroShotClip:
    weights: Weights = trial.settings.weights
    return load_zero_shot(weights.training, weights.file, trial.seed, bench.device, bench.cache, bench.report)


def _shared_rows(trial: Trial, bench: Workbench) -> dict[str, pandas.DataFrame]:
    """The rows of the pictures that all runs of this experiment belong to."""
    return picture_tables(trial.data, load_pictures(trial.data, bench.cache), bench.images)


def _encoders(trial: Trial, bench: Workbench, clip: ZeroShotClip) -> dict[str, nn.Module]:
    """The image encoder in each precision that the device has, for itself alone and in one memory layout."""
    names = [name for name in PRECISIONS[trial.profile] if name != "tf32" or bench.device.type == "cuda"]
    return {
        name: precision.converted(clip.model.visual, precision.DATA_TYPES[name]).to(memory_format=torch.channels_last)
        for name in names
    }


def _stored_exact(trial: Trial, bench: Workbench, clip: ZeroShotClip) -> StoredOutputs:
    """What fp32 left in the results; raises DataError where it has not run, or with other weights or elsewhere."""
    again = f"python -m compute run {NAME} --profile {trial.profile} --force"
    stored = stored_outputs(bench.results, replace(trial, variant=EXACT).key)
    if stored is None:
        raise DataError(f"{trial.variant} is held against fp32, which is not in {bench.results}. Compute both: {again}")
    differences = {
        "other weights": (str(stored.weights_sha256)[:12], clip.weights_sha256[:12]),
        "another device": (stored.device, device_name(bench.device)),
    }
    for what, (then, now) in differences.items():
        if then != now:
            raise DataError(
                f"{trial.variant} was not compared: fp32 in {bench.results} has {what} ({then}) than now ({now}). "
                f"Compute both anew: {again}"
            )
    return stored


def _as_numpy(values: Tensor) -> np.ndarray:
    """The values in half precision where they have it, else in single."""
    return (values if values.dtype == torch.float16 else values.float()).cpu().numpy()
