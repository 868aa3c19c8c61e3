"""What do temperature and top-k do to the captions that BLIP writes?

Method: one frozen captioner encodes each validation picture once. From these encodings it writes one caption of each picture,
going on from a prompt: greedily, that is always the most probable token, and drawn from the 20 or 50 most probable tokens at
five temperatures, each with several seeds. Each caption is compared with those that the picture has. Where no published weights
are taken, the captioner is trained on the OpenMoji world first.
Source: the course report on captions; Li et al. 2022 (BLIP); Papineni et al. 2002 (BLEU).
Command: python -m compute run caption_sampling [--captions FILE (--image-folder DIR | --voc DIR)] [--blip-weights DIR]
Time: mini, about seventy seconds on two cores: sixty of them train the captioner, which image_text_retrieval takes as well.
Tables: dataset, image, image_caption, caption, caption_score.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
from torch import Tensor

from compute import awake, bleu, feature_cache
from compute.blip_start import Start, start_of, with_weights
from compute.captions import Written, sample
from compute.data import captioned_images
from compute.data.captioned_images import CaptionedImages, CaptionedSource
from compute.models import blip, blip_training
from compute.models.blip import Captioner
from compute.models.blip_training import BlipTraining
from compute.trials import Report, Trial, TrialRows, Workbench

NAME = "caption_sampling"
QUESTION = "What do temperature and top-k do to captions?"
VERSION = 1
SHARES = ("captioner",)  # trained, and its encodings
CAPTIONER_SEED = 0  # one captioner for all, whatever seed draws its words
GREEDY = "greedy"
TEMPERATURES = (1.0, 0.7, 0.1, 0.05, 0.01)
# Of each variant its top_k and its temperature.
SAMPLED: dict[str, tuple[int, float]] = {
    f"top{top_k}_t{temperature}": (top_k, temperature) for top_k in (20, 50) for temperature in TEMPERATURES
}
SEEDS = {"mini": 3, "gpu": 5, "full": 5}  # of each sampled variant; greedy has nothing to draw


@dataclass(frozen=True)
class Settings:
    """What a profile and a variant choose."""

    training: BlipTraining | None  # None: the published weights, or those of a folder
    top_k: int | None  # None, as temperature: the most probable token each time
    temperature: float | None
    prompt: str  # which captions go on from
    longest: int  # tokens that are written at most, the prompt's not counted
    batch_size: int
    folder: str = ""
    weights_sha256: str = ""


MINI = Settings(
    training=blip_training.TRAININGS["mini"],
    top_k=None,
    temperature=None,
    prompt=blip_training.PROMPT,
    longest=30,
    batch_size=64,
)
PROFILES = {
    "mini": MINI,
    "gpu": replace(MINI, training=blip_training.TRAININGS["gpu"]),
    "full": replace(MINI, training=None, longest=20),
}


def trials(
    profile: str, seed: int, data: CaptionedSource, blip_weights: Path | None = None, settings: Settings | None = None
) -> list[Trial]:
    """Greedy writing once, and each sampled variant for each of the profile's seeds, counted from `seed`.

    A folder of weights takes the place of the published ones, or of training. Raises DataError where it has none.
    """
    chosen = with_weights(settings or PROFILES[profile], blip_weights)
    variants = [(GREEDY, seed, chosen)] + [
        (variant, each, replace(chosen, top_k=top_k, temperature=temperature))
        for each in range(seed, seed + SEEDS[profile])
        for variant, (top_k, temperature) in SAMPLED.items()
    ]
    return [Trial(NAME, variant, profile, each, VERSION, own, data, run_trial, SHARES) for variant, each, own in variants]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A captioner on its device, captioned pictures, and the encodings of the validation pictures (N, T, D) in fp16."""

    captioner: Captioner
    data: CaptionedImages
    encodings: Tensor


@functools.lru_cache(maxsize=1)
def prepared(start: Start) -> Prepared:
    """Load or train the captioner and encode the validation pictures: for the first trial of a call, the others find it done.

    Half precision whether encodings are in the cache or not, so that the cache changes no caption.
    """
    if start.training:
        captioner = blip_training.trained_captioner(start.training, CAPTIONER_SEED, start.device, start.cache, start.report)
    else:
        captioner = blip.official_captioner(Path(start.folder) if start.folder else None)
    torch.nn.Module.to(captioner.model, start.device)
    data = captioned_images.load(start.data, start.cache, captioner.image_size_px)
    identity = ("blip", captioner.digest, start.data.fingerprint, "val", captioner.image_size_px)
    encode = functools.partial(blip.encode_images, captioner.model)
    mapped = feature_cache.cached_features(data.val.photos, encode, start.cache, identity, start.report)
    return Prepared(captioner, data, torch.from_numpy(mapped))


def write_captions(
    captioner: Captioner, encodings: Tensor, settings: Settings, seed: int, report: Report = lambda *_: None
) -> tuple[list[Written], list[float]]:
    """A caption for each of the encodings (N, T, D), and the seconds that each one takes of its batch."""
    model = captioner.model
    device = model.device
    numbers: Any = model.text_decoder.config  # for other networks, any of its numbers may be None
    prompt_ids = captioner.prompt_ids(settings.prompt).to(device)
    dice = torch.Generator(device).manual_seed(seed)
    captions: list[Written] = []
    seconds: list[float] = []
    for batch in encodings.split(settings.batch_size):
        clock = awake.clock()
        captions += sample(
            model.text_decoder,
            batch.to(device, model.dtype),
            prompt_ids,
            top_k=settings.top_k,
            temperature=settings.temperature,
            generator=dice,
            longest=settings.longest,
            end_id=numbers.sep_token_id,
            pad_id=numbers.pad_token_id,
        )
        seconds += [(awake.clock() - clock) / len(batch)] * len(batch)
        report(len(captions), len(encodings), "")
    return captions, seconds


def caption_row(captioner: Captioner, caption: Written, references: Sequence[str]) -> dict[str, object]:
    """What the table `caption` tells of one caption beside its picture: its text, counts, BLEU and tokens."""
    tokenizer = captioner.tokenizer
    text = str(tokenizer.decode(list(caption.tokens), skip_special_tokens=True)).strip().lower()
    words, split = bleu.words(text), [bleu.words(reference) for reference in references]
    against_all, against_one = bleu.counts(words, split), bleu.counts(words, split[:1])
    tokens = tokenizer.convert_ids_to_tokens(list(caption.tokens))
    return {
        "text": text,
        "reference": references[0],
        "bleu": bleu.caption_bleu(words, split),
        "words": len(words),
        "distinct_words": len(set(words)),
        "matches": list(against_all.matches),
        "one_matches": list(against_one.matches),
        "totals": list(against_all.totals),
        "reference_words": against_all.reference_words,
        "one_reference_words": against_one.reference_words,
        # a network can have more numbers than its tokenizer has tokens
        "tokens": [token or f"[{number}]" for token, number in zip(tokens, caption.tokens, strict=True)],
        "token_probability": np.array(caption.probabilities, dtype=np.float32),
    }


def run_trial(trial: Trial, bench: Workbench) -> TrialRows:
    """Write a caption for each validation picture in one variant with one seed, and compare it with the picture's own."""
    settings: Settings = trial.settings
    start = start_of(trial, bench)
    ready = prepared(start)
    captioner, references = ready.captioner, ready.data.val.captions
    # Not kept: what is called first takes longer.
    write_captions(captioner, ready.encodings[: settings.batch_size], replace(settings, longest=2), trial.seed)
    written, seconds = write_captions(captioner, ready.encodings, settings, trial.seed, bench.report)
    shared = captioned_images.tables(trial.data, ready.data, bench.images)
    rows = [caption_row(captioner, caption, texts) for caption, texts in zip(written, references, strict=True)]
    scores = bleu.corpus_scores([str(row["text"]) for row in rows], references)
    bench.report(len(rows), len(rows), f"BLEU {scores[-2].bleu:.3f}")
    pictures = shared["image"]
    tables = {
        **shared,
        "caption": pandas.DataFrame(rows).assign(
            run_id=bench.run_id, image_id=pictures.image_id.array, ordinal=pictures.ordinal.array, seconds=seconds
        ),
        "caption_score": pandas.DataFrame(scores).assign(run_id=bench.run_id),
    }
    parameters = sum(each.numel() for each in captioner.model.parameters())
    return TrialRows(tables, weights=captioner.origin, weights_sha256=captioner.digest, parameters=parameters)
