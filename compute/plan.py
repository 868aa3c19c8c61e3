"""All experiments in plain listed order, and each one's trials in each profile."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from compute.data.captioned_folder import folder_captions, voc_captions
from compute.data.captioned_images import CaptionedSource
from compute.data.class_images import ImageSource, folder_images, world_images
from compute.data.errors import DataError
from compute.data.labelled_images import LabelledSource
from compute.data.object_scenes import world_scenes
from compute.data.street_pairs import LabelMethod, PairsSource, folder_source, world_source
from compute.data.voc import HOW_TO_GET_IT, voc_source
from compute.experiments import (
    caption_sampling,
    fp32_vs_fp16,
    image_text_retrieval,
    imagenet_rn50_vs_clip,
    rn50_architectures,
    segmentation_decoder_heads,
    segmentation_metric,
    unet_skip_connections,
    wordnet_synsets,
)
from compute.models.blip_folders import CAPTIONER, RETRIEVER, blip_folder
from compute.trials import Trial

EXPERIMENTS: tuple[ModuleType, ...] = (
    unet_skip_connections,
    segmentation_metric,
    segmentation_decoder_heads,
    rn50_architectures,
    wordnet_synsets,
    imagenet_rn50_vs_clip,
    fp32_vs_fp16,
    caption_sampling,
    image_text_retrieval,
)
ON_STREET_PAIRS = (unet_skip_connections, segmentation_metric)
ON_CLASS_IMAGES = (imagenet_rn50_vs_clip, fp32_vs_fp16)
ON_CAPTIONED_IMAGES = {caption_sampling: CAPTIONER, image_text_retrieval: RETRIEVER}  # and which of BLIP's networks
PROFILES = ("mini", "gpu", "full")

# Training and validation pairs that the OpenMoji world draws, and the most that are taken of a given folder.
WORLD_PAIRS = {"mini": (200, 40), "gpu": (2000, 500)}
WORLD_SCENES = {"mini": (500, 60), "gpu": (4000, 500)}  # object scenes to train on and to validate with
VOC_SIZE_PX = 256
WORLD_SEED = 0  # one world for all, whatever seed the networks start from
WORLD_IMAGES = {"mini": (120, 1), "gpu": (None, 8)}  # classes (None: all), and pictures of each form in each style
FOLDER_PAIRS: dict[str, tuple[int | None, int | None]] = {"mini": (400, 200), "gpu": (None, None), "full": (None, None)}
FOLDER_CAPTIONED: dict[str, tuple[int | None, int | None]] = {"mini": (400, 100), "gpu": (None, None), "full": (None, None)}


@dataclass(frozen=True)
class Choices:
    """What the command line chooses for all trials of a call."""

    profile: str = "mini"
    seed: int = 0
    pairs: Path | None = None
    labels: LabelMethod = "palette"
    epochs: int | None = None  # None: as many as the profile says
    image_folder: Path | None = None
    classifiers: tuple[str, ...] = ()  # FILE.py:FUNCTION of each that is added
    rn50_weights: Path | None = None
    clip_weights: Path | None = None
    voc: Path | None = None
    vit_weights: Path | None = None
    captions: Path | None = None  # of the pictures in image_folder or voc
    blip_weights: Path | None = None
    cache: Path = Path(".cache")


def trials(names: list[str], choices: Choices) -> list[Trial]:
    """The trials of the named experiments, of all where none is named, in listed order.

    Raises DataError where an experiment is unknown or its data is missing.
    """
    by_name = {experiment.NAME: experiment for experiment in EXPERIMENTS}
    if unknown := [name for name in names if name not in by_name]:
        raise DataError(f"There is no experiment {', '.join(unknown)}. The experiments are {', '.join(by_name)}.")
    chosen = [experiment for name, experiment in by_name.items() if not names or name in names]
    return [_with_epochs(trial, choices.epochs) for experiment in chosen for trial in _trials_of(experiment, choices)]


def _trials_of(experiment: ModuleType, choices: Choices) -> list[Trial]:
    if experiment in ON_STREET_PAIRS:
        return experiment.trials(choices.profile, choices.seed, street_pairs(choices))
    if experiment is segmentation_decoder_heads:
        return experiment.trials(choices.profile, choices.seed, labelled_images(choices), choices.vit_weights)
    if experiment is imagenet_rn50_vs_clip:
        files = (choices.classifiers, choices.rn50_weights, choices.clip_weights)
        return experiment.trials(choices.profile, choices.seed, class_images(choices), *files)
    if experiment is fp32_vs_fp16:
        return experiment.trials(choices.profile, choices.seed, class_images(choices), choices.clip_weights)
    if experiment in ON_CAPTIONED_IMAGES:
        weights = blip_folder(choices.blip_weights, ON_CAPTIONED_IMAGES[experiment])
        return experiment.trials(choices.profile, choices.seed, captioned_images(choices), weights)
    return experiment.trials(choices.profile, choices.seed)


def _with_epochs(trial: Trial, epochs: int | None) -> Trial:
    """The trial with another number of epochs, where it trains at all and another number is asked for."""
    if epochs is None or not getattr(trial.settings, "epochs", 0):
        return trial
    return replace(trial, settings=replace(trial.settings, epochs=epochs))


def street_pairs(choices: Choices) -> PairsSource:
    """The street pairs of a profile: the folder that was given, or the OpenMoji world's.

    Raises DataError where the profile needs a folder and none is given, or it holds no pairs.
    """
    if choices.pairs is not None:
        return folder_source(choices.pairs, FOLDER_PAIRS[choices.profile], choices.labels)
    if choices.profile not in WORLD_PAIRS:
        raise DataError(
            "The full profile needs real street pairs: download 'Cityscapes Image Pairs' from Kaggle "
            "(kaggle datasets download dansbecker/cityscapes-image-pairs --unzip) and pass --pairs cityscapes_data."
        )
    return world_source(choices.cache, *WORLD_PAIRS[choices.profile], seed=WORLD_SEED, labels=choices.labels)


def labelled_images(choices: Choices) -> LabelledSource:
    """The pictures for decoder heads: VOC or street pairs of a folder that was given, or the OpenMoji world's object scenes.

    Raises DataError where the profile needs a folder and none is given, or it holds no such pictures.
    """
    if choices.voc is not None:
        return voc_source(choices.voc, VOC_SIZE_PX)
    if choices.pairs is not None:
        return street_pairs(choices)
    if choices.profile not in WORLD_SCENES:
        raise DataError(f"The full profile needs VOC 2012, or street pairs with --pairs DIR. {HOW_TO_GET_IT}")
    return world_scenes(choices.cache, *WORLD_SCENES[choices.profile], seed=WORLD_SEED)


def class_images(choices: Choices) -> ImageSource:
    """The pictures of ImageNet's classes: those of the folder that was given, or the OpenMoji world's.

    Raises DataError where the profile needs a folder and none is given, or it holds no pictures.
    """
    if choices.image_folder is not None:
        return folder_images(choices.image_folder)
    if choices.profile not in WORLD_IMAGES:
        raise DataError(
            "The full profile needs real pictures: pass --image-folder DIR with one folder per wnid, as ImageNet's "
            "validation set has, with files named wnid_*.jpg, or with a manifest.csv (file,wnid)."
        )
    return world_images(choices.cache, *WORLD_IMAGES[choices.profile], seed=WORLD_SEED)


def captioned_images(choices: Choices) -> CaptionedSource:
    """The captioned pictures: those of a folder that was given with a file of captions, or the OpenMoji world's object scenes.

    Where both a folder and VOC are given, the one that holds pictures of the file is taken. Raises DataError where the profile
    needs captions and none are given, or they cannot be used.
    """
    if choices.captions is not None:
        return _captioned_folder(choices, choices.captions)
    if choices.profile not in WORLD_SCENES:
        raise DataError(
            "The full profile needs captioned pictures: have VOC 2012 or any folder of pictures and a captions.csv "
            "(file,caption), or unpack COCO's val2017.zip and annotations_trainval2017.zip (cocodataset.org), and run python "
            "-m compute run caption_sampling image_text_retrieval --profile full --captions annotations/captions_val2017.json "
            "--image-folder val2017, or with --captions captions.csv --voc VOCdevkit."
        )
    return world_scenes(choices.cache, *WORLD_SCENES[choices.profile], seed=WORLD_SEED)


def _captioned_folder(choices: Choices, captions: Path) -> CaptionedSource:
    kinds = ((choices.image_folder, folder_captions), (choices.voc, voc_captions))
    given = [(folder, describe) for folder, describe in kinds if folder is not None]
    problem = DataError(f"{captions}: captions which pictures? Name their folder, too, with --image-folder DIR or --voc DIR.")
    for folder, describe in given:
        try:
            return describe(folder, captions, FOLDER_CAPTIONED[choices.profile])
        except DataError as error:
            problem = error
    raise problem
