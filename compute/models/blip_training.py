"""Trains a small BLIP on object scenes of the OpenMoji world, where no published weights are at hand.

BLIP's vision starts from a network that was trained on labels; so the first layers of this one learn what the scenes' patches
show, and in what color. Then, with these fixed, vision, the decoder that writes captions and the encoder that compares them
learn together, from BLIP's language modelling and contrastive losses. The networks are transformers' own but for the first
layers (`blip_patches`): convolutions make the patches, which small networks learn far sooner than from one projection (Xiao et
al. 2021).
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BlipConfig, BlipForConditionalGeneration, BlipForImageTextRetrieval, PreTrainedTokenizerFast

from compute.data.openmoji_scenes import SCENES_VERSION
from compute.models.blip import Captioner, Retriever, pixels, small_tokenizer
from compute.models.blip_patches import ConvolutionalPatches
from compute.models.blip_scenes import COLOR_COUNT, LABEL_COUNT, PATCH_PX, THING_COUNT, UNCLEAR, Scenes, draw_scenes
from compute.models.class_training import Progress, digest_of, one_cycle, symmetric_cross_entropy, take_step, weights_path
from compute.unfinished import whole_file

BLIP_VERSION = 2  # counts up when the same settings give other weights
HEAD_WIDTH = 32
LONGEST_TEXT = 48  # tokens
PROMPT = "a picture of "  # what captions go on from
PROMPT_TOKENS = 4  # with the start before it
PAD_ID, SEP_ID, DEC_ID = 0, 3, 5  # as small_tokenizer numbers them
PROMPTED = re.compile(r"^a (picture|photo) of ")
STEM_WEIGHT_DECAY = 0.5  # ten times what is usual: few scenes are learnt by heart
COLOR_WEIGHT = 0.25  # of colors, which are learnt sooner than labels
REMARK_SHARE = 0.75  # of the texts that the decoder learns; the others are captions
BACKGROUND_WEIGHT = 0.1  # of patches without a thing or a color, as most are
TEMPERATURE, LARGEST_SCALE = 0.07, 100.0  # of the contrastive loss at the start, and the largest scale, as in CLIP


@dataclass(frozen=True)
class BlipTraining:
    """Size of the networks, how many scenes they learn from, and how long."""

    scenes: int
    image_size_px: int
    stem: tuple[int, ...]  # channels of four stages of convolutions that each halve the resolution; the last: vision's width
    vision_layers: int
    decoder_layers: int  # of the text side that writes captions
    encoder_layers: int  # of the one that reads them
    features: int  # length of the vectors that retrieval compares
    stem_steps: int
    stem_batch_size: int
    stem_learning_rate: float
    steps: int
    batch_size: int
    learning_rate: float


TRAININGS = {
    "mini": BlipTraining(
        scenes=2000, image_size_px=128, stem=(16, 40, 96, 128), vision_layers=1, decoder_layers=1, encoder_layers=1,
        features=64, stem_steps=800, stem_batch_size=32, stem_learning_rate=8e-3, steps=500, batch_size=32, learning_rate=3e-3,
    ),
    "gpu": BlipTraining(
        scenes=12_000, image_size_px=256, stem=(48, 96, 192, 256), vision_layers=4, decoder_layers=4, encoder_layers=4,
        features=128, stem_steps=6000, stem_batch_size=64, stem_learning_rate=3e-3, steps=8000, batch_size=128,
        learning_rate=1e-3,
    ),
}  # fmt: skip


class Lessons:
    """Scenes with the tokens of their captions, as the decoder writes them and as the text encoder reads them."""

    def __init__(self, scenes: Scenes, tokenizer: PreTrainedTokenizerFast) -> None:
        self.scenes = scenes
        self.prompt = [tokenizer.bos_token_id, *tokenizer(PROMPT, add_special_tokens=False)["input_ids"]]
        self.ends = tokenizer.cls_token_id, tokenizer.sep_token_id
        texts = {text for caption in scenes.texts() for text in (caption, mirrored(caption))}
        ordered = sorted(texts | {PROMPTED.sub("", text) for text in texts})
        self.tokens = dict(zip(ordered, tokenizer(ordered, add_special_tokens=False)["input_ids"], strict=True))

    def written(self, places: Tensor, turned: Tensor, dice: np.random.Generator) -> Tensor:
        """Each scene's remark, or by chance a caption of it, behind the prompt, with its end: (B, L) int64, padded.

        A small network that learns captions alone, which speak of all things, names some twice and others that are not there.
        """
        captions = self._chosen(places, dice)
        remarked = dice.random(len(captions)) < REMARK_SHARE
        remarks = [self.scenes.remarks[place] for place in places.tolist()]
        texts = [one if plain else other for one, other, plain in zip(remarks, captions, remarked, strict=True)]
        return _padded(
            [[*self.prompt, *self.tokens[PROMPTED.sub("", text)], self.ends[1]] for text in _as_turned(texts, turned)]
        )

    def compared(self, places: Tensor, turned: Tensor, dice: np.random.Generator) -> Tensor:
        """One caption by chance of each of these scenes between its two marks: (B, L) int64, padded."""
        texts = _as_turned(self._chosen(places, dice), turned)
        return _padded([[self.ends[0], *self.tokens[text], self.ends[1]] for text in texts])

    def _chosen(self, places: Tensor, dice: np.random.Generator) -> list[str]:
        every = [self.scenes.captions[place] for place in places.tolist()]
        return [captions[int(dice.integers(len(captions)))] for captions in every]


def _as_turned(texts: Sequence[str], turned: Tensor) -> list[str]:
    return [mirrored(text) if turn else text for text, turn in zip(texts, turned.tolist(), strict=True)]


def mirrored(caption: str) -> str:
    """What a caption says of the mirrored scene: left is right, and right left."""
    return re.sub(r"\b(left|right)\b", lambda side: {"left": "right", "right": "left"}[side[0]], caption)


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[PAD_ID] * (longest - len(row))] for row in rows])


def trained_captioner(training: BlipTraining, seed: int, device: torch.device, cache: Path, report: Progress) -> Captioner:
    """BLIP that writes captions, trained on the world's scenes or read from `cache`; frozen, in eval mode."""
    models, tokenizer = _trained(training, seed, device, cache, report)
    model: Any = models["captioner"]
    return Captioner(model, tokenizer, digest_of(model), _origin(training, seed))


def trained_retriever(training: BlipTraining, seed: int, device: torch.device, cache: Path, report: Progress) -> Retriever:
    """BLIP that compares pictures with texts, and the same about it as about `trained_captioner`, with the same vision."""
    models, tokenizer = _trained(training, seed, device, cache, report)
    model: Any = models["retriever"]
    return Retriever(model, tokenizer, digest_of(model), _origin(training, seed))


def _origin(training: BlipTraining, seed: int) -> str:
    return f"a BLIP trained on {training.scenes} scenes of the OpenMoji world with seed {seed}"


def _trained(
    training: BlipTraining, seed: int, device: torch.device, cache: Path, report: Progress
) -> tuple[nn.ModuleDict, PreTrainedTokenizerFast]:
    path = weights_path(f"blip-v{BLIP_VERSION}-scenes-v{SCENES_VERSION}", training, seed, cache)
    there = _read(training, path)
    if there is None:
        scenes = draw_scenes(training.scenes, training.image_size_px, seed, report)
        tokenizer = small_tokenizer([PROMPT, *scenes.texts()])
        torch.manual_seed(seed)
        models = make_models(training, len(tokenizer)).to(device)
        _train_patches(models, training, scenes, seed, report)
        _train_together(models, training, Lessons(scenes, tokenizer), seed, report)
        _write(models, tokenizer, path)
        there = models, tokenizer
    models, tokenizer = there
    return models.to(device).eval().requires_grad_(requires_grad=False), tokenizer


def _read(training: BlipTraining, path: Path) -> tuple[nn.ModuleDict, PreTrainedTokenizerFast] | None:
    """What `_write` wrote; None where there is nothing whole."""
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
        tokenizer = small_tokenizer(kept["words"])
        models = make_models(training, len(tokenizer))
        models.load_state_dict(kept["weights"])
    except Exception:  # not there, cut short, or spoilt: what lies in the cache can be made again
        return None
    return models, tokenizer


def _write(models: nn.ModuleDict, tokenizer: PreTrainedTokenizerFast, path: Path) -> None:
    words = [word for word in tokenizer.get_vocab() if not word.startswith("[")]
    weights = {name: values.cpu() for name, values in models.state_dict().items()}
    content = io.BytesIO()  # torch's own error on a full disk says nothing of the disk
    torch.save({"words": sorted(words), "weights": weights}, content)
    with whole_file(path) as unfinished:
        unfinished.write_bytes(content.getbuffer())


def make_models(training: BlipTraining, vocabulary_size: int) -> nn.ModuleDict:
    """Both of BLIP's networks, 'captioner' and 'retriever', without weights; they share one vision."""
    width = training.stem[-1]
    shape = {"hidden_size": width, "intermediate_size": 2 * width, "num_attention_heads": max(1, width // HEAD_WIDTH)}
    special = {"pad_token_id": PAD_ID, "bos_token_id": DEC_ID, "sep_token_id": SEP_ID, "eos_token_id": SEP_ID}
    text = shape | special | {
        "vocab_size": vocabulary_size, "encoder_hidden_size": width, "max_position_embeddings": LONGEST_TEXT,
        "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.0,
    }  # fmt: skip
    vision = shape | {"num_hidden_layers": training.vision_layers, "image_size": training.image_size_px, "patch_size": PATCH_PX}
    writing, comparing = (
        BlipConfig(
            text_config=text | {"num_hidden_layers": layers}, vision_config=vision, image_text_hidden_size=training.features
        )
        for layers in (training.decoder_layers, training.encoder_layers)
    )
    captioner, retriever = BlipForConditionalGeneration(writing), BlipForImageTextRetrieval(comparing)
    embeddings: Any = captioner.vision_model.embeddings
    embeddings.patch_embedding = ConvolutionalPatches(training.stem)
    for values in (embeddings.position_embedding, embeddings.class_embedding):
        nn.init.normal_(values, std=0.02)
    retriever.vision_model = captioner.vision_model
    return nn.ModuleDict({"captioner": captioner, "retriever": retriever})


def _train_patches(models: nn.ModuleDict, training: BlipTraining, scenes: Scenes, seed: int, report: Progress) -> None:
    """Teach the convolutions each patch's label and color."""
    patches = _patches_of(models).to(memory_format=torch.channels_last).train()
    device = patches.weight.device
    optimizer, schedule = one_cycle(patches, training.stem_learning_rate, training.stem_steps, STEM_WEIGHT_DECAY)
    label_weights, color_weights = torch.ones(LABEL_COUNT, device=device), torch.ones(COLOR_COUNT, device=device)
    label_weights[1 + THING_COUNT :] = color_weights[0] = BACKGROUND_WEIGHT
    batches = _batches(len(scenes.photos), training.stem_batch_size, seed)
    for step in range(1, training.stem_steps + 1):
        places, mirrored = next(batches)
        turned = [-1] if mirrored[0] else []  # a batch as a whole
        photos = pixels(scenes.photos[places], training.image_size_px).to(device)
        photos = photos.flip(turned).contiguous(memory_format=torch.channels_last)
        labels, colors = scenes.labels[places].to(device).flip(turned), scenes.colors[places].to(device).flip(turned)
        _, found, found_colors = patches.seen(photos)
        known = functional.cross_entropy(found, labels.long(), label_weights, ignore_index=UNCLEAR)
        known_colors = functional.cross_entropy(found_colors, colors.long(), color_weights, ignore_index=UNCLEAR)
        loss = known + COLOR_WEIGHT * known_colors
        take_step(optimizer, schedule, loss)
        report(step, training.stem_steps, f"vision learns, loss {loss.item():.2f}")


def _train_together(models: nn.ModuleDict, training: BlipTraining, lessons: Lessons, seed: int, report: Progress) -> None:
    """Teach vision, decoder and text encoder captions, on patches that the convolutions give once and for all."""
    patches = _cached_patches(models, training, lessons.scenes)
    log_scale = nn.Parameter(torch.tensor(1 / TEMPERATURE, device=patches.device).log())
    learning = nn.ModuleDict(dict(models.items())).train()
    learning.register_parameter("log_scale", log_scale)
    for fixed in (_patches_of(models).layers, _patches_of(models).known):
        fixed.eval().requires_grad_(requires_grad=False)
    optimizer, schedule = one_cycle(learning, training.learning_rate, training.steps)
    dice = np.random.default_rng(seed)
    batches = _batches(len(lessons.scenes.photos), training.batch_size, seed)
    for step in range(1, training.steps + 1):
        places, mirrored = next(batches)
        vision = _seen(models, patches[mirrored.long(), places].float())
        written = _writing_loss(models["captioner"], vision, lessons.written(places, mirrored, dice))
        compared = _comparing_loss(models["retriever"], vision[:, 0], lessons.compared(places, mirrored, dice), log_scale)
        take_step(optimizer, schedule, written + compared)
        report(step, training.steps, f"BLIP learns, loss {written.item():.2f}")


def _patches_of(models: nn.ModuleDict) -> ConvolutionalPatches:
    captioner: Any = models["captioner"]
    return captioner.vision_model.embeddings.patch_embedding


@torch.no_grad()
def _cached_patches(models: nn.ModuleDict, training: BlipTraining, scenes: Scenes) -> Tensor:
    """What the convolutions give for all photos, as they are and mirrored: (2, N, D + KNOWN, g, g) float16 on their device."""
    stem = _patches_of(models).eval()
    device = stem.weight.device
    kept = []
    for turned in ([], [-1]):
        parts = [pixels(photos, training.image_size_px).to(device).flip(turned) for photos in scenes.photos.split(64)]
        kept.append(torch.cat([stem.unprojected(part).half() for part in parts]))
    return torch.stack(kept)


def _seen(models: nn.ModuleDict, patches: Tensor) -> Tensor:
    """BLIP's vision from what the convolutions give on: (B, D + KNOWN, g, g) -> (B, 1 + g * g, D)."""
    captioner: Any = models["captioner"]
    vision = captioner.vision_model
    first = vision.embeddings.class_embedding.expand(len(patches), -1, -1)
    projected = vision.embeddings.patch_embedding.project(patches)
    tokens = torch.cat([first, projected.flatten(2).mT], dim=1) + vision.embeddings.position_embedding
    return vision.post_layernorm(vision.encoder(inputs_embeds=tokens).last_hidden_state)


def _writing_loss(captioner: Any, vision: Tensor, tokens: Tensor) -> Tensor:
    """Cross-entropy of each token behind the prompt, in nats, given the picture and the tokens before it."""
    tokens = tokens.to(vision.device)
    attended = tokens != PAD_ID
    output = captioner.text_decoder(input_ids=tokens, attention_mask=attended.long(), encoder_hidden_states=vision)
    targets = tokens.masked_fill(~attended, -100)[:, PROMPT_TOKENS:]
    return functional.cross_entropy(output.logits[:, PROMPT_TOKENS - 1 : -1].flatten(0, 1), targets.flatten())


def _comparing_loss(retriever: Any, class_tokens: Tensor, tokens: Tensor, log_scale: Tensor) -> Tensor:
    """The contrastive loss, which finds the text of each picture in the batch and the picture of each text."""
    tokens = tokens.to(class_tokens.device)
    encoded = retriever.text_encoder(input_ids=tokens, attention_mask=(tokens != PAD_ID).long()).last_hidden_state
    images = functional.normalize(retriever.vision_proj(class_tokens), dim=-1)
    captions = functional.normalize(retriever.text_proj(encoded[:, 0]), dim=-1)
    return symmetric_cross_entropy(images @ captions.T * log_scale.exp().clamp(max=LARGEST_SCALE))


def _batches(count: int, batch_size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Places (B,) int64 and whether each is mirrored (B,) bool, without end: all in another order before any comes again."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        for places in torch.randperm(count, generator=generator).split(min(batch_size, count)):
            if len(places) == min(batch_size, count):
                yield places, torch.rand(len(places), generator=generator) < 0.5
