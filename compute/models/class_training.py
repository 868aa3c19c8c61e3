"""Trains both kinds of encoders where no published weights are at hand, in ways that differ as the published ones do.

torchvision's ResNet learns classes from labels, on color pictures alone. CLIP's own model learns which caption belongs to which
picture, across all styles, and never sees a label. Both draw their pictures from the OpenMoji world.
"""

import hashlib
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import clip
import numpy as np
import torch
from clip.model import CLIP
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.resnet import Bottleneck, ResNet

from compute.data import imagenet, openmoji_classes, wordnet
from compute.data.errors import DataError
from compute.data.openmoji_images import chosen_classes
from compute.models.clip_text import encode_tokens
from compute.models.preprocessing import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from compute.unfinished import whole_file

Progress = Callable[[int, int, str], None]
COLOR_STYLES = ("color on plain", "color on texture")
CONTEXT_LENGTH, VOCABULARY_SIZE = 77, 49408  # CLIP's own
TEMPERATURE = 0.07  # at the start, as in the CLIP paper; its scale is kept below 100, too
LARGEST_SCALE = 100.0
DRAWN_PX = 160  # drawings are made at least so large, and then made smaller
ONE_STYLE_SHARE = 0.7
SHIFT_SHARE = 0.12  # of a picture's side, by which training moves it at most


@dataclass(frozen=True)
class Training:
    """Size of the networks, of their data, and how long they learn."""

    image_size_px: int
    classes: int | None  # of the OpenMoji world; None: all
    pictures: int  # drawings of each class in each style
    blocks: tuple[int, int, int, int]  # bottlenecks in each stage of both encoders
    resnet_width: int  # width_per_group: channels inside the first stage's bottlenecks
    resnet_epochs: int
    clip_width: int  # channels of CLIP's first stage
    clip_embedding: int
    clip_text_width: int
    clip_text_layers: int
    clip_epochs: int
    batch_size: int
    learning_rate: float


# What takes the place of published weights in each profile; None: they are taken themselves.
TRAININGS: dict[str, Training | None] = {
    "mini": Training(
        image_size_px=64, classes=120, pictures=12, blocks=(1, 1, 1, 1), resnet_width=32, resnet_epochs=6, clip_width=16,
        clip_embedding=128, clip_text_width=64, clip_text_layers=1, clip_epochs=8, batch_size=128, learning_rate=2e-3,
    ),
    "gpu": Training(
        image_size_px=224, classes=None, pictures=40, blocks=(3, 4, 6, 3), resnet_width=64, resnet_epochs=20, clip_width=64,
        clip_embedding=1024, clip_text_width=512, clip_text_layers=12, clip_epochs=20, batch_size=296, learning_rate=1e-3,
    ),
    "full": None,
}  # fmt: skip


def resnet_preprocessing(training: Training) -> Preprocessing:
    """What the trained ResNet wants: the whole picture, in ImageNet's normalization."""
    return Preprocessing(training.image_size_px, training.image_size_px, IMAGENET_MEAN, IMAGENET_STD)


def clip_preprocessing(size_px: int) -> Preprocessing:
    """CLIP's own steps at a size."""
    return Preprocessing(size_px, size_px, CLIP_MEAN, CLIP_STD)


def make_resnet(training: Training, class_count: int) -> ResNet:
    """Torchvision's ResNet of bottlenecks, without weights."""
    return ResNet(Bottleneck, list(training.blocks), num_classes=class_count, width_per_group=training.resnet_width)


def make_clip(training: Training) -> CLIP:
    """CLIP's own model with a ResNet as image encoder, without weights."""
    return CLIP(
        embed_dim=training.clip_embedding,
        image_resolution=training.image_size_px,
        vision_layers=training.blocks,
        vision_width=training.clip_width,
        vision_patch_size=None,
        context_length=CONTEXT_LENGTH,
        vocab_size=VOCABULARY_SIZE,
        transformer_width=training.clip_text_width,
        transformer_heads=training.clip_text_width // 64,
        transformer_layers=training.clip_text_layers,
    )


def trained_resnet(training: Training, seed: int, device: torch.device, cache: Path, report: Progress) -> tuple[nn.Module, str]:
    """A ResNet trained on color pictures of the world's classes, or read from `cache`; in eval mode, with its SHA-256."""
    wnids = chosen_classes(training.classes)
    torch.manual_seed(seed)
    model = make_resnet(training, len(wnids))
    path = weights_path("resnet", training, seed, cache)
    if not load_weights(model, path):
        drawn = _draw(training, seed, COLOR_STYLES, report)
        model.to(device, memory_format=torch.channels_last)
        steps = training.resnet_epochs * math.ceil(len(drawn.labels) / training.batch_size)
        optimizer, schedule = one_cycle(model, training.learning_rate, steps)
        preprocessing = resnet_preprocessing(training)
        model.train()
        for step, batch in enumerate(_batches(len(drawn.labels), training, seed), start=1):
            inputs = _augmented(drawn.pictures[batch], preprocessing, step, seed).to(device, memory_format=torch.channels_last)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
                logits = model(inputs)
            loss = functional.cross_entropy(logits.float(), drawn.labels[batch].to(device), label_smoothing=0.1)
            take_step(optimizer, schedule, loss)
            report(step, steps, f"ResNet learns, loss {loss.item():.2f}")
        save_weights(model, path)
    return model.to(device).eval(), digest_of(model)


def trained_clip(training: Training, seed: int, device: torch.device, cache: Path, report: Progress) -> tuple[CLIP, str]:
    """CLIP's model trained on pictures and captions in all styles, or read from `cache`; in eval mode, with its SHA-256."""
    torch.manual_seed(seed)
    model = make_clip(training)
    nn.init.constant_(model.logit_scale, math.log(1 / TEMPERATURE))
    path = weights_path("clip", training, seed, cache)
    if not load_weights(model, path):
        drawn = _draw(training, seed, openmoji_classes.STYLES, report)
        tokens = clip.tokenize(drawn.captions, context_length=CONTEXT_LENGTH)
        model.to(device).visual.to(memory_format=torch.channels_last)
        batches = list(_batches_of_all_classes(drawn, training, seed))
        steps = len(batches)
        optimizer, schedule = one_cycle(model, training.learning_rate, steps)
        preprocessing = clip_preprocessing(training.image_size_px)
        model.train()
        for step, batch in enumerate(batches, start=1):
            inputs = _augmented(drawn.pictures[batch], preprocessing, step, seed).to(device, memory_format=torch.channels_last)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
                loss = _contrastive_loss(model, inputs, tokens[batch].to(device))
            take_step(optimizer, schedule, loss)
            with torch.no_grad():
                model.logit_scale.clamp_(max=math.log(LARGEST_SCALE))
            report(step, steps, f"CLIP learns, loss {loss.item():.2f}")
        save_weights(model, path)
    return model.to(device).eval(), digest_of(model)


def digest_of(model: nn.Module) -> str:
    """SHA-256 over the names and values of a model's weights."""
    digest = hashlib.sha256()
    for name, values in model.state_dict().items():
        digest.update(name.encode() + values.cpu().numpy().tobytes())
    return digest.hexdigest()


def _contrastive_loss(model: CLIP, inputs: Tensor, tokens: Tensor) -> Tensor:
    """The CLIP paper's symmetric loss over one batch of pairs (figure 3)."""
    image = functional.normalize(model.visual(inputs).float(), dim=-1)
    text = functional.normalize(encode_tokens(model, tokens).float(), dim=-1)
    return symmetric_cross_entropy(model.logit_scale.exp() * image @ text.T)


def symmetric_cross_entropy(logits: Tensor) -> Tensor:
    """The mean in nats of finding, in logits (B, B) of B pairs, each row's column and each column's row."""
    own = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2


@dataclass(frozen=True, eq=False)
class Drawings:
    """Pictures (N, 3, size, size) uint8 with their classes' positions (N,), their styles' (N,), and their captions."""

    pictures: Tensor
    labels: Tensor
    styles: Tensor
    captions: list[str]


def _draw(training: Training, seed: int, styles: Sequence[str], report: Progress) -> Drawings:
    """Pictures to learn from, of every class in these styles."""
    return draw_pictures(chosen_classes(training.classes), styles, training.pictures, training.image_size_px, seed, report)


def draw_pictures(
    wnids: Sequence[str], styles: Sequence[str], count: int, image_size_px: int, seed: int, report: Progress
) -> Drawings:
    """`count` pictures of each class in each style; the class's forms take turns."""
    names = [names_of(wnid) for wnid in wnids]  # not in the threads: nltk's reader is for one at a time
    plans = [(label, style, number) for label in range(len(wnids)) for style in range(len(styles)) for number in range(count)]

    def draw(plan: tuple[int, int, int]) -> tuple[np.ndarray, str]:
        wnid, style, number = wnids[plan[0]], styles[plan[1]], plan[2]
        forms = openmoji_classes.forms(wnid)
        form = forms[number % len(forms)]
        image = openmoji_classes.draw_class_image(seed, number, wnid, style, form, max(DRAWN_PX, image_size_px))
        caption = openmoji_classes.caption(seed, number, wnid, style, form, names[plan[0]])
        return np.asarray(image.resize((image_size_px, image_size_px))), caption

    pictures = np.empty((len(plans), image_size_px, image_size_px, 3), np.uint8)
    captions = []
    with ThreadPoolExecutor() as pool:
        for index, (pixels, caption) in enumerate(pool.map(draw, plans)):
            pictures[index] = pixels
            captions.append(caption)
            if index % 100 == 0:
                report(index, len(plans), "draws pictures to learn from")
    labels, style_numbers, _ = (torch.tensor(column) for column in zip(*plans, strict=True))
    return Drawings(torch.from_numpy(pictures).permute(0, 3, 1, 2), labels, style_numbers, captions)


def names_of(wnid: str) -> tuple[str, ...]:
    """What captions call a class: in most, what zero-shot prompts will call it, in some, WordNet's first word for it."""
    name = imagenet.by_wnid()[wnid].openai_name
    word = wordnet.synset(wnid).lemmas()[0].name().replace("_", " ")
    return (name, name, name, word)


def _batches(count: int, training: Training, seed: int) -> Iterator[Tensor]:
    for epoch in range(training.resnet_epochs):
        order = torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(count))
        yield from order.split(training.batch_size)


def _batches_of_all_classes(drawn: Drawings, training: Training, seed: int) -> Iterator[Tensor]:
    """Batches that hold at most one picture of each class, so that no caption fits two pictures of its batch.

    ONE_STYLE_SHARE of them hold a single style: there only the class tells captions apart. The others mix styles, whose words
    can be learned from them.
    """
    classes, styles = int(drawn.labels.max()) + 1, int(drawn.styles.max()) + 1
    cells = torch.argsort(drawn.labels * styles + drawn.styles, stable=True).view(classes, styles, -1).numpy()
    for epoch in range(training.clip_epochs):
        dice = np.random.default_rng([seed, epoch])
        apart = dice.permuted(cells, axis=2)  # each style in an order of its own
        mixed = dice.permuted(cells.reshape(classes, -1), axis=1)
        for number in dice.permutation(mixed.shape[1]):
            one_style = dice.random() < ONE_STYLE_SHARE
            batch = apart[:, number % styles, number // styles] if one_style else mixed[:, number]
            yield from torch.from_numpy(dice.permutation(batch)).split(training.batch_size)


def _augmented(pictures: Tensor, preprocessing: Preprocessing, step: int, seed: int) -> Tensor:
    """Normalized pictures, each mirrored or not and moved a little: (B, 3, H, W) uint8 -> float32."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    images = preprocessing.normalized(pictures)
    count, _, side, _ = images.shape
    reach = max(1, round(SHIFT_SHARE * side))
    padded = functional.pad(images, (reach, reach, reach, reach), mode="replicate")
    shifts = torch.randint(0, 2 * reach + 1, (count, 2), generator=generator).tolist()
    moved = torch.stack([image[:, y : y + side, x : x + side] for image, (y, x) in zip(padded, shifts, strict=True)])
    mirrored = torch.rand(count, generator=generator) < 0.5
    return torch.where(mirrored[:, None, None, None], moved.flip(-1), moved)


def one_cycle(
    model: nn.Module, learning_rate: float, steps: int, weight_decay: float = 0.05
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW in one cycle, without weight decay on biases, norms and the temperature, as in the CLIP paper."""
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, fused=True)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)


def take_step(optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler, loss: Tensor) -> None:
    """One step down the loss, and the learning rate's next; raises DataError where the loss is no finite number."""
    if not torch.isfinite(loss):
        raise DataError(f"Training diverged: the loss became {loss.item()} instead of a finite number.")
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    schedule.step()


def weights_path(kind: str, training: Any, seed: int, cache: Path) -> Path:
    """Where the weights lie that a recipe (a dataclass) gives with a seed."""
    recipe = [kind, asdict(training), seed, openmoji_classes.CLASSES_VERSION, TRAINING_VERSION]
    return cache / f"{kind}-{hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]}.pt"


def load_weights(model: nn.Module, path: Path) -> bool:
    """Whether `path` held weights for `model`, which it has then."""
    try:
        model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError:
        return False
    except Exception:  # cut short, or spoilt: what lies in the cache can be made again
        return False
    return True


def save_weights(model: nn.Module, path: Path) -> None:
    """Keep a model's weights, whole or not at all."""
    content = io.BytesIO()  # torch's own error on a full disk says nothing of the disk
    torch.save({name: values.cpu().contiguous() for name, values in model.state_dict().items()}, content)
    with whole_file(path) as unfinished:
        unfinished.write_bytes(content.getbuffer())


TRAINING_VERSION = 1  # counts up when the same settings give other weights
