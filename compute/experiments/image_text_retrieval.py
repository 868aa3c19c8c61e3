"""How well do images find their captions, and captions their images?

Method: one frozen BLIP encodes each picture and each caption once, and two linear layers project what it gives of them (class
tokens) into one space. There all validation captions are ranked by their cosine to each image, and all images by theirs to each
caption: with the network's own layers as they are, after training these on, and after training random ones from the start.
BLIP's second stage, which compares each image with its most similar captions word by word, is left out. Where no published
weights are taken, the network is trained on the OpenMoji world first.
The report's fine-tuning has learning rate 1e-5, no weight decay, temperature 0.1, 3 epochs and batches of 16. The settings of
its five random starts are not known here. Those below train as long, go out from one, random_lr1e-3, and change one thing each:
two smaller learning rates, of which the last is fine-tuning's own, a weight decay as CLIP's, and a lower temperature. They are
named by what they change.
Source: the course report on retrieval; Li et al. 2022 (BLIP), section 3; texts are read as BLIP's own evaluation reads them.
Command: python -m compute run image_text_retrieval [--captions FILE (--image-folder DIR | --voc DIR)] [--blip-weights DIR]
Time: mini, seconds on two cores once the network is trained.
Tables: dataset, image, image_caption, training_step, retrieval_epoch, retrieval_rank, retrieval_answer.
"""

import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas
import torch
from torch import Tensor

from compute import feature_cache
from compute.blip_start import Start, start_of, with_weights
from compute.data import captioned_images
from compute.data.captioned_images import CaptionedImages, CaptionedSource
from compute.models import blip, blip_training
from compute.models.blip import Retriever
from compute.models.blip_training import BlipTraining
from compute.models.class_training import digest_of
from compute.models.projections import (
    FrozenFeatures,
    Pairs,
    Projections,
    ProjectionTrainer,
    frozen_features,
    own_projections,
    random_projections,
    unit_features,
)
from compute.models.unet import parameter_count
from compute.ranks import PairRanks, first_answers, pair_ranks, summary
from compute.threads import one_thread
from compute.trials import Report, Trial, TrialRows, Workbench

NAME = "image_text_retrieval"
QUESTION = "How well do images find their captions, and captions their images?"
VERSION = 1
SHARES = ("retriever",)  # trained, and its features
RETRIEVER_SEED = 0  # one frozen network for all, whatever seed the projections start from
IMAGE_TO_TEXT, TEXT_TO_IMAGE = "image to text", "text to image"
LONGEST_WORDS = 30  # of a caption that are read
UNREAD = re.compile(r'[.!"()*#:;~]')


@dataclass(frozen=True)
class Settings:
    """What a profile and a variant choose."""

    training: BlipTraining | None  # of the frozen network; None: the published weights, or those of a folder
    learning_rate: float | None = None  # None, as the next two: no training
    weight_decay: float | None = None
    temperature: float | None = None
    epochs: int = 0
    batch_size: int = 16
    start: Literal["trained", "random"] = "trained"  # the network's own projections, or random ones
    folder: str = ""
    weights_sha256: str = ""


EVALUATION = "evaluation"
RANDOM = {"learning_rate": 1e-3, "weight_decay": 0.0, "temperature": 0.1, "epochs": 3, "start": "random"}
VARIANTS: dict[str, dict] = {
    EVALUATION: {},
    "fine_tuned": {"learning_rate": 1e-5, "weight_decay": 0.0, "temperature": 0.1, "epochs": 3},
    "random_lr1e-3": RANDOM,
    "random_lr1e-4": RANDOM | {"learning_rate": 1e-4},
    "random_lr1e-5": RANDOM | {"learning_rate": 1e-5},
    "random_wd0.2": RANDOM | {"weight_decay": 0.2},
    "random_t0.03": RANDOM | {"temperature": 0.03},
}
SEEDS = {"mini": 2, "gpu": 3, "full": 3}  # of each variant that trains; evaluation draws nothing
PROFILES = {
    "mini": Settings(blip_training.TRAININGS["mini"]),
    "gpu": Settings(blip_training.TRAININGS["gpu"]),
    "full": Settings(None),
}


def trials(
    profile: str, seed: int, data: CaptionedSource, blip_weights: Path | None = None, settings: Settings | None = None
) -> list[Trial]:
    """Evaluation once, and each variant that trains for each of the profile's seeds, counted from `seed`.

    A folder of weights takes the place of the published ones, or of training. Raises DataError where it has none.
    """
    chosen = with_weights(settings or PROFILES[profile], blip_weights)
    planned = [
        (variant, each) for each in range(seed, seed + SEEDS[profile]) for variant in VARIANTS
        if variant != EVALUATION or each == seed
    ]  # fmt: skip
    return [
        Trial(NAME, variant, profile, each, VERSION, replace(chosen, **VARIANTS[variant]), data, run_trial, SHARES)
        for variant, each in planned
    ]


def as_read(caption: str) -> str:
    """A caption as BLIP's evaluation reads it (data/utils.py, pre_caption): lower case, no marks, the first words."""
    return " ".join(UNREAD.sub(" ", caption.lower()).split()[:LONGEST_WORDS])


@functools.lru_cache(maxsize=1)
def loaded(start: Start) -> tuple[Retriever, CaptionedImages]:
    """The frozen network on its device and the captioned pictures: loaded or trained for the first trial of a call."""
    if start.training:
        retriever = blip_training.trained_retriever(start.training, RETRIEVER_SEED, start.device, start.cache, start.report)
    else:
        retriever = blip.official_retriever(Path(start.folder) if start.folder else None)
    torch.nn.Module.to(retriever.model, start.device)
    return retriever, captioned_images.load(start.data, start.cache, retriever.image_size_px)


@functools.lru_cache(maxsize=2)
def frozen_pairs(start: Start, split: Literal["train", "val"]) -> Pairs:
    """Features of a split's pictures and captions, in half precision whether they are in the cache or not."""
    retriever, data = loaded(start)
    chosen = data.train if split == "train" else data.val
    identity = ("blip class token", retriever.digest, start.data.fingerprint, split, retriever.image_size_px)
    images = feature_cache.cached_features(
        chosen.photos, lambda photos: blip.encode_images(retriever.model, photos)[:, 0], start.cache, identity, start.report
    )
    texts = frozen_texts(retriever, [text for texts in chosen.captions for text in texts], start)
    owner = np.repeat(np.arange(len(chosen.captions)), [len(texts) for texts in chosen.captions])
    return Pairs(frozen_features(images), texts, torch.from_numpy(owner))


def frozen_texts(retriever: Retriever, captions: Sequence[str], start: Start) -> FrozenFeatures:
    """Features of captions, of which those that are read alike are encoded once."""
    numbers: dict[str, int] = {}
    which = np.array([numbers.setdefault(as_read(caption), len(numbers)) for caption in captions])
    texts = np.array(list(numbers), dtype=object)
    identity = ("blip texts", retriever.digest, hashlib.sha256("\n".join(numbers).encode()).hexdigest())
    features = feature_cache.cached_features(
        texts, lambda some: blip.text_features(retriever, some.tolist()), start.cache, identity, start.report
    )
    return frozen_features(features, which)


@dataclass(frozen=True, eq=False)
class Ranked:
    """Ranks of all pairs both ways, and the unit features of images (N, D) and captions (M, D) that they are of."""

    found: PairRanks
    images: Tensor
    captions: Tensor


def ranked(projections: Projections, pairs: Pairs) -> Ranked:
    """Project all features and rank all pairs."""
    images = unit_features(projections.vision_proj, pairs.images)
    captions = unit_features(projections.text_proj, pairs.texts)
    return Ranked(pair_ranks(images, captions, pairs.owner.to(images.device)), images, captions)


def epoch_rows(epoch: int, found: PairRanks) -> list[dict[str, Any]]:
    """What `retrieval_epoch` tells of both directions."""
    ways = ((IMAGE_TO_TEXT, found.images), (TEXT_TO_IMAGE, found.text_to_image))
    return [{"epoch": epoch, "direction": direction} | asdict(summary(places)) for direction, places in ways]


def rank_rows(captions: pandas.DataFrame, found: PairRanks) -> pandas.DataFrame:
    """Rows of `retrieval_rank`; `captions` are those of `image_caption`, in the order of the ranks."""
    columns = {
        "image_id": captions.image_id.array,
        "caption_id": captions.caption_id.array,
        "image_to_text_rank": found.image_to_text.rank.numpy(),
        "image_to_text_tied": found.image_to_text.tied.numpy(),
        "text_to_image_rank": found.text_to_image.rank.numpy(),
        "text_to_image_tied": found.text_to_image.tied.numpy(),
        "similarity": found.similarity.numpy(),
    }
    return pandas.DataFrame(columns)


def answer_rows(last: Ranked, ordinals: np.ndarray, positions: np.ndarray) -> pandas.DataFrame:
    """Rows of `retrieval_answer`; ordinals (N,) and positions (M,) are how the tables number images and captions."""
    rows = []
    for direction, queries, candidates, query_numbers, answer_numbers in (
        (IMAGE_TO_TEXT, last.images, last.captions, ordinals, positions),
        (TEXT_TO_IMAGE, last.captions, last.images, positions, ordinals),
    ):
        answers, similarities = first_answers(queries, candidates)
        rows += [
            (direction, query, numbers, values)
            for query, numbers, values in zip(
                query_numbers, list(answer_numbers[answers.numpy()]), list(similarities.float().numpy()), strict=True
            )
        ]
    return pandas.DataFrame(rows, columns=["direction", "query", "answers", "similarities"])


def trained(
    settings: Settings, seed: int, projections: Projections, train: Pairs, val: Pairs, report: Report
) -> tuple[Ranked, pandas.DataFrame, pandas.DataFrame]:
    """Train the projections: ranks after the last epoch, and rows of `retrieval_epoch` and `training_step`, without the run."""
    rate, decay, temperature = settings.learning_rate, settings.weight_decay, settings.temperature
    assert rate is not None  # as in all variants that train, and so the other two
    assert decay is not None
    assert temperature is not None
    trainer = ProjectionTrainer(projections, train, rate, decay, temperature)
    last = ranked(projections, val)
    figures, steps = epoch_rows(0, last.found), list[dict[str, float]]()
    for epoch in range(1, settings.epochs + 1):
        batches = train.batches(settings.batch_size, seed, epoch)
        with one_thread():
            for batch in batches:
                steps.append({"epoch": epoch, "step": len(steps)} | trainer.step(batch))
                report(len(steps), settings.epochs * len(batches), f"loss {steps[-1]['loss']:.2f}")
        last = ranked(projections, val)
        figures += epoch_rows(epoch, last.found)
    return last, pandas.DataFrame(figures), pandas.DataFrame(steps)


def run_trial(trial: Trial, bench: Workbench) -> TrialRows:
    """Rank all validation pairs, before training and after each epoch of it in variants that train."""
    settings: Settings = trial.settings
    start = start_of(trial, bench)
    retriever, data = loaded(start)
    val = frozen_pairs(start, "val")
    own = settings.start == "trained"
    projections = own_projections(retriever.model) if own else random_projections(retriever.model, trial.seed)
    projections.to(bench.device)
    tables = {}
    origin, digest = retriever.origin, retriever.digest
    if trial.variant == EVALUATION:
        last = ranked(projections, val)
        tables["retrieval_epoch"] = pandas.DataFrame(epoch_rows(0, last.found))
    else:
        train = frozen_pairs(start, "train")
        last, *rows = trained(settings, trial.seed, projections, train, val, bench.report)
        tables["retrieval_epoch"], tables["training_step"] = rows
        first = "its own projections" if own else "random projections"
        origin = f"{first}, trained with seed {trial.seed} on frozen features of {origin} (SHA-256 {digest})"
        digest = digest_of(projections)
    bench.report(1, 1, f"R@1 {last.found.images.hits(1) / len(last.images):.3f}")
    shared = captioned_images.tables(trial.data, data, bench.images)
    ordinals, positions = shared["image"].ordinal.to_numpy(), shared["image_caption"].position.to_numpy()
    tables["retrieval_rank"] = rank_rows(shared["image_caption"], last.found)
    tables["retrieval_answer"] = answer_rows(last, ordinals, positions)
    tables = shared | {name: rows.assign(run_id=bench.run_id) for name, rows in tables.items()}
    return TrialRows(tables, weights=origin, weights_sha256=digest, parameters=parameter_count(projections))
